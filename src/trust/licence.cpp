#include "trust/licence.hpp"

#include "coffer/base/checked.hpp"
#include "crypto/random.hpp"
#include "licence_generated.h"
#include "trust/bundle.hpp"
#include "trust/fields.hpp"
#include "trust/utc.hpp"

namespace coffer::trust {
namespace {

constexpr std::string_view kMagic = "COFL";
constexpr uint16_t kVersion = 1;
constexpr uint16_t kFormat = 1;
constexpr uint32_t kDepth = 8;
constexpr uint32_t kTables = 256;
constexpr size_t kMaxProduct = 256, kMaxHolder = 1024;
constexpr size_t kMaxModels = 256;
constexpr size_t kMaxFeatures = 64, kMaxFeature = 64;
constexpr size_t kMaxHostKind = 64;
constexpr uint64_t kMaxGrace = uint64_t{3660} * 86400;

// One class for all that can be wrong with a licence; the code tells damage, keys and terms apart.
template <class... Parts>
Error damaged(const Parts&... parts) {
    return error(Code::kFormat, Detail::kLicence, "licence: ", parts...);
}
template <class... Parts>
Error untrusted(const Parts&... parts) {
    return error(Code::kAuth, Detail::kLicence, "licence: ", parts...);
}
template <class... Parts>
Error refused(const Parts&... parts) {
    return error(Code::kPolicy, Detail::kLicence, "licence: ", parts...);
}

bool is_kind_name(std::string_view kind) {
    return !kind.empty() && kind.size() <= kMaxHostKind && std::ranges::all_of(kind, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    });
}

Result<LicenceClaims> decode(const fb::LicenceClaims& c, size_t wrap_count) {
    LicenceClaims out;
    if (c.format() != kFormat) {
        return error(Code::kUnsupported, Detail::kLicence, "licence: claims of format ", c.format());
    }
    if (count(c.needs()) != 0) {
        return error(Code::kUnsupported, Detail::kLicence, "licence: it needs features of a newer reader");
    }
    if (!crypto::suite_known(c.suite())) {
        return error(Code::kUnsupported, Detail::kLicence, "licence: cipher suite ", c.suite());
    }
    out.suite = static_cast<crypto::Suite>(c.suite());
    out.issued = c.issued();
    if (!read_text(c.product(), 1, kMaxProduct, &out.product)) return damaged("the product's name is not valid");
    if (!read_text(c.holder(), 0, kMaxHolder, &out.holder)) return damaged("the holder's name is not valid");
    out.not_before = c.not_before();
    out.not_after = c.not_after();
    out.grace = c.grace();
    uint64_t end = 0;
    if (out.not_after != 0 && out.not_after < out.not_before) return damaged("it ends before it begins");
    if (out.grace > kMaxGrace || !checked_add(out.not_after, out.grace, &end)) {
        return damaged("a grace of ", out.grace, " seconds");
    }
    if (!read_arrays(c.models(), kMaxModels, /*ascending=*/true, &out.models) || out.models.empty()) {
        return damaged("its list of models is not valid");
    }
    out.min_version = c.min_version();
    out.max_version = c.max_version();
    if (out.max_version != 0 && out.max_version < out.min_version) return damaged("its range of versions is empty");
    if (count(c.features()) > kMaxFeatures) return damaged(count(c.features()), " features");
    for (uint32_t i = 0; i < count(c.features()); ++i) {
        std::string feature;
        if (!read_text(c.features()->Get(i), 1, kMaxFeature, &feature))
            return damaged("feature ", i, " is not valid");
        if (std::ranges::find(out.features, feature) != out.features.end()) {
            return damaged("feature '", feature, "' is there twice");
        }
        out.features.push_back(std::move(feature));
    }
    if (count(c.hosts()) > kMaxHostValues) return damaged(count(c.hosts()), " host values");
    for (uint32_t i = 0; i < count(c.hosts()); ++i) {
        const fb::HostValue& src = *c.hosts()->Get(i);
        HostBinding host;
        if (src.kind()) host.kind = src.kind()->str();
        if (!is_kind_name(host.kind) || !read_array(src.salt(), &host.salt) || !read_array(src.mac(), &host.mac)) {
            return damaged("host value ", i, " is not valid");
        }
        out.hosts.push_back(std::move(host));
    }
    out.hosts_needed = c.hosts_needed();
    if (out.hosts.empty() ? out.hosts_needed != 0 : out.hosts_needed == 0 || out.hosts_needed > out.hosts.size()) {
        return damaged(out.hosts_needed, " of ", out.hosts.size(), " host values are needed");
    }
    if (!read_arrays(c.kek_ids(), kMaxWraps, /*ascending=*/false, &out.kek_ids) || out.kek_ids.size() != wrap_count) {
        return damaged(out.kek_ids.size(), " key ids for ", wrap_count, " wraps");
    }
    return out;
}

std::vector<std::byte> head(const LicenceId& id, size_t wrap_count, size_t claims_bytes, size_t wraps_bytes) {
    Writer w;
    w.put(kMagic);
    w.u16(kVersion);
    w.u16(static_cast<uint16_t>(wrap_count));
    w.u32(static_cast<uint32_t>(claims_bytes));
    w.u32(static_cast<uint32_t>(wraps_bytes));
    w.put(id);
    w.zeros(32);
    return w.take();
}

Result<std::optional<std::string>> value_of_host(const Policy& policy, const std::string& kind) {
    for (const auto& [name, value] : policy.host_values) {
        if (name == kind) return std::optional(value);
    }
    if (!policy.host_value) return std::optional<std::string>();
    return policy.host_value(kind);
}

Status check_host(const LicenceClaims& claims, const Policy& policy) {
    uint32_t matching = 0;
    for (const HostBinding& host : claims.hosts) {
        COFFER_TRY_ASSIGN(const auto value, value_of_host(policy, host.kind));
        if (!value || canonical_host_value(*value).empty()) continue;
        COFFER_TRY_ASSIGN(const crypto::Hash mac,
                          crypto::hmac_sha256(host.salt, as_bytes(canonical_host_value(*value))));
        if (crypto::constant_time_equal(mac, host.mac)) ++matching;
    }
    if (matching >= claims.hosts_needed) return {};
    return refused("wrong host: ", matching, " of its values match, ", claims.hosts_needed, " are needed");
}

}  // namespace

std::string_view canonical_host_value(std::string_view value) {
    constexpr std::string_view kSpace = " \t\r\n";
    const size_t first = value.find_first_not_of(kSpace);
    if (first == value.npos) return {};
    return value.substr(first, value.find_last_not_of(kSpace) - first + 1);
}

Result<HostBinding> bind_host(std::string_view kind, std::string_view value) {
    if (!is_kind_name(kind)) {
        return error(Code::kInvalidArgument, "host value '", kind,
                     "': its name has 1 to 64 of a-z, 0-9, '-' and '.'");
    }
    if (canonical_host_value(value).empty()) {
        return error(Code::kInvalidArgument, "host value '", kind, "' is empty");
    }
    HostBinding host;
    host.kind = kind;
    COFFER_TRY_ASSIGN(host.salt, crypto::random_array<32>());
    COFFER_TRY_ASSIGN(host.mac, crypto::hmac_sha256(host.salt, as_bytes(canonical_host_value(value))));
    return host;
}

Result<LicenceEnvelope> parse_licence(Bytes file, const Caps& caps) {
    Reader r(file);
    LicenceEnvelope out;
    if (as_text(r.take(kMagic.size())) != kMagic) return damaged("not a licence");
    const uint16_t version = r.u16();
    out.wrap_count = r.u16();
    const uint32_t claims_len = r.u32();
    const uint32_t wraps_len = r.u32();
    out.id = r.array<16>();
    const Bytes reserved = r.take(32);
    if (!r.ok()) return damaged("it is cut");
    if (version != kVersion) return error(Code::kUnsupported, Detail::kLicence, "licence: version ", version);
    if (std::ranges::any_of(reserved, [](std::byte b) { return b != std::byte{0}; })) {
        return damaged("reserved bytes are set");
    }
    if (out.wrap_count == 0 || out.wrap_count > kMaxWraps) return damaged(out.wrap_count, " wraps");
    if (claims_len == 0 || claims_len > caps.licence_bytes) return damaged("claims of ", claims_len, " bytes");
    if (wraps_len == 0 || wraps_len > kMaxWrapsBytes) return damaged("wraps of ", wraps_len, " bytes");
    out.claims = r.take(claims_len);
    out.wraps = r.take(wraps_len);
    if (!r.ok()) return damaged("it is cut");
    COFFER_TRY_ASSIGN(out.bound_to, crypto::sha256(file.first(kLicenceHead + claims_len)));
    COFFER_TRY_ASSIGN(out.digest, crypto::sha256(file.first(r.position())));
    auto signatures = parse_signatures(file.subspan(r.position()), /*padded=*/false);
    if (!signatures.ok()) return damaged(signatures.error().message());
    out.signatures = std::move(signatures).value();
    return out;
}

Result<LicenceClaims> decode_claims(const LicenceEnvelope& envelope) {
    // In memory of its own: FlatBuffers reads numbers in place and needs them aligned.
    const std::vector<std::byte> claims(envelope.claims.begin(), envelope.claims.end());
    flatbuffers::Verifier verifier(as_uchar(claims), claims.size(), kDepth, kTables);
    if (!fb::VerifyLicenceClaimsBuffer(verifier)) return damaged("its claims are malformed");
    return decode(*fb::GetLicenceClaims(claims.data()), envelope.wrap_count);
}

Result<Licence> verify_licence(Bytes file, const Policy& policy) {
    COFFER_TRY_ASSIGN(const LicenceEnvelope envelope, parse_licence(file, policy.caps));
    auto signers = verify_signatures(envelope.signatures, policy.licensors, kLicenceLabel, envelope.digest);
    if (!signers.ok()) {
        if (signers.error().code() != Code::kAuth) return std::move(signers).error();
        return untrusted("its signature is wrong");
    }
    if (signers->empty()) return untrusted("it is not signed by a licensor that is trusted");
    Licence out;
    COFFER_TRY_ASSIGN(out.claims, decode_claims(envelope));
    bool revoked = false;
    for (const Signer* signer : *signers) {
        if (signer->counts(out.claims.issued)) out.signers.push_back(signer->id);
        revoked = revoked || signer->state == KeyState::kRevoked;
    }
    const unsigned needed = policy.needed(KeyRole::kLicensor);
    if (out.signers.size() < needed) {
        if (revoked) return refused("revoked: the key of its licensor was withdrawn");
        return untrusted("signed by ", out.signers.size(), " licensors that are trusted for its date, ", needed,
                         " are needed");
    }
    if (std::ranges::find(policy.revoked_licences, envelope.id) != policy.revoked_licences.end()) {
        return refused("revoked: it was withdrawn");
    }
    out.id = envelope.id;
    out.bound_to = envelope.bound_to;
    out.wrap_count = envelope.wrap_count;
    out.wraps.assign(envelope.wraps.begin(), envelope.wraps.end());
    return out;
}

Status check_covers(const Licence& licence, const ModelId& model, uint64_t version) {
    const LicenceClaims& c = licence.claims;
    if (!std::ranges::binary_search(c.models, model)) return refused("wrong model: it is for other models");
    if (version < c.min_version || (c.max_version != 0 && version > c.max_version)) {
        return refused("wrong version: the model has version ", version, ", it is for ", c.min_version, " to ",
                       c.max_version == 0 ? "any" : std::to_string(c.max_version));
    }
    return {};
}

Status check_permits(const Licence& licence, const Policy& policy, uint64_t now) {
    const LicenceClaims& c = licence.claims;
    if (!policy.product.empty() && policy.product != c.product) {
        return refused("wrong product: it is for '", c.product, "', not '", policy.product, "'");
    }
    if (now < c.not_before) {
        return refused("not yet valid: it begins at ", utc_text(c.not_before), ", it is now ", utc_text(now));
    }
    // The sum was checked when the claims were decoded.
    if (c.not_after != 0 && now > c.not_after + c.grace) {
        return refused("expired at ", utc_text(c.not_after), " with a grace of ", c.grace, " seconds, it is now ",
                       utc_text(now));
    }
    return check_host(c, policy);
}

bool in_grace(const LicenceClaims& claims, uint64_t now) {
    return claims.not_after != 0 && now > claims.not_after;
}

std::vector<std::byte> encode_claims(const LicenceClaims& c) {
    flatbuffers::FlatBufferBuilder b;
    std::vector<flatbuffers::Offset<fb::HostValue>> hosts;
    for (const HostBinding& host : c.hosts) {
        const auto kind = b.CreateString(host.kind);
        const auto salt = write_arrays(b, std::vector{host.salt});
        const auto mac = write_arrays(b, std::vector{host.mac});
        hosts.push_back(fb::CreateHostValue(b, kind, salt, mac));
    }
    const auto product = b.CreateString(c.product), holder = b.CreateString(c.holder);
    const auto models = write_arrays(b, c.models);
    const auto features = b.CreateVectorOfStrings(c.features);
    const auto host_list = b.CreateVector(hosts);
    const auto kek_ids = write_arrays(b, c.kek_ids);
    b.Finish(fb::CreateLicenceClaims(b, kFormat, 0, static_cast<uint16_t>(c.suite), c.issued, product, holder,
                                     c.not_before, c.not_after, c.grace, models, c.min_version, c.max_version,
                                     features, host_list, c.hosts_needed, kek_ids),
             fb::LicenceClaimsIdentifier());
    const Bytes claims(reinterpret_cast<const std::byte*>(b.GetBufferPointer()), b.GetSize());
    return {claims.begin(), claims.end()};
}

Result<std::vector<std::byte>> encode_licence(const LicenceId& id, const LicenceClaims& c, size_t wraps_bytes) {
    const std::vector<std::byte> claims = encode_claims(c);
    // A writer is held to the rules of its readers.
    LicenceEnvelope envelope;
    envelope.claims = claims;
    envelope.wrap_count = static_cast<uint16_t>(c.kek_ids.size());
    auto sound = decode_claims(envelope);
    if (!sound.ok()) return error(Code::kInvalidArgument, sound.error().message());
    Writer w;
    w.put(head(id, c.kek_ids.size(), claims.size(), wraps_bytes));
    w.put(claims);
    return w.take();
}

Result<std::vector<std::byte>> sign_licence(std::vector<std::byte> licence, std::span<const SigningKey* const> keys) {
    COFFER_TRY_ASSIGN(const crypto::Hash digest, crypto::sha256(licence));
    for (const SigningKey* key : keys) {
        COFFER_TRY_ASSIGN(const auto signature, key->sign(kLicenceLabel, digest));
        const auto entry = encode_signature(key->signer(), signature);
        licence.insert(licence.end(), entry.begin(), entry.end());
    }
    auto sound = parse_licence(licence, Caps{});
    if (!sound.ok()) return error(Code::kInvalidArgument, sound.error().message());
    return licence;
}

}  // namespace coffer::trust
