#include "trust/bundle.hpp"

#include <set>

#include "bundle_generated.h"
#include "trust/fields.hpp"

namespace coffer::trust {
namespace {

constexpr std::string_view kMagic = "COFT";
constexpr uint16_t kVersion = 1;
constexpr uint16_t kFormat = 1;
constexpr size_t kHead = 64;
constexpr size_t kMaxKeys = 256, kMaxModels = 4096, kMaxRevoked = 8192;
constexpr uint32_t kDepth = 8;
constexpr uint32_t kTables = 8192;

template <class... Parts>
Error damaged(const Parts&... parts) {
    return error(Code::kFormat, Detail::kFormat, "trust bundle: ", parts...);
}
template <class... Parts>
Error unsupported(const Parts&... parts) {
    return error(Code::kUnsupported, Detail::kUnsupported, "trust bundle: ", parts...);
}

// The fixed layout around the body. Nothing of it is authentic.
struct Envelope {
    uint64_t number = 0;
    ChainId chain{};
    Bytes body;
    Bytes whole;  // head to last signature
    crypto::Hash digest{};
    std::vector<SignatureEntry> signatures;
};

// Takes one bundle off the front of `rest`.
Result<Envelope> take_bundle(Bytes& rest, size_t max_bytes) {
    Reader r(rest);
    Envelope out;
    if (as_text(r.take(kMagic.size())) != kMagic) return damaged("not a trust bundle");
    const uint16_t version = r.u16();
    const uint16_t zero16 = r.u16();
    const uint32_t body_len = r.u32();
    const uint32_t zero32 = r.u32();
    out.number = r.u64();
    const uint64_t zero64 = r.u64();
    out.chain = r.array<16>();
    const Bytes reserved = r.take(16);
    if (!r.ok()) return damaged("it is cut");
    if (version != kVersion) return unsupported("version ", version);
    const auto set = [](std::byte b) { return b != std::byte{0}; };
    if (zero16 != 0 || zero32 != 0 || zero64 != 0 || std::ranges::any_of(reserved, set)) {
        return damaged("reserved bytes are set");
    }
    if (out.number == 0) return damaged("its number is 0");
    if (body_len == 0 || body_len > max_bytes) {
        return error(Code::kLimit, Detail::kLimit, "trust bundle: a body of ", body_len, " bytes");
    }
    out.body = r.take(body_len);
    if (!r.ok()) return damaged("it is cut");
    COFFER_TRY_ASSIGN(out.digest, crypto::sha256(rest.first(kHead + body_len)));
    // As many entries as are announced, so that the next bundle of a chain may follow.
    const uint16_t n = r.u16();
    if (n > kMaxSignatures) return damaged(n, " signatures");
    const size_t begin = r.position();
    for (uint16_t i = 0; i < n; ++i) {
        r.skip(2);
        const uint16_t size = r.u16();
        r.skip(kSignatureHead - 4 + size);
    }
    if (!r.ok()) return damaged("a signature is cut");
    auto signatures = parse_signatures(rest.subspan(begin, r.position() - begin), /*padded=*/false);
    if (!signatures.ok()) return damaged(signatures.error().message());
    if (signatures->size() != n) return damaged("a signature of no algorithm");
    out.signatures = std::move(signatures).value();
    out.whole = rest.first(r.position());
    rest = rest.subspan(r.position());
    return out;
}

Status read_key(const fb::BundleKey& src, uint32_t i, Bundle& out) {
    if (src.role() < 1 || src.role() > kRoleCount) return unsupported("key ", i, " with role ", src.role());
    if (src.state() > static_cast<uint8_t>(KeyState::kRevoked))
        return unsupported("key ", i, " in state ", src.state());
    if (src.not_after() != 0 && src.not_after() < src.not_before()) {
        return damaged("key ", i, " ends before it begins");
    }
    const auto state = static_cast<KeyState>(src.state());
    const auto role = static_cast<KeyRole>(src.role());
    if (state == KeyState::kVerifyOnly && (src.not_after() == 0 || role == KeyRole::kRoot)) {
        return damaged("key ", i, " may only verify, but is a root's or has no end");
    }
    // A key of an algorithm that is not known here can sign nothing that this reader would count.
    if (src.alg() != static_cast<uint16_t>(SignatureAlg::kEd25519)) return {};
    crypto::Ed25519Public key;
    if (!read_array(src.public_key(), &key)) return damaged("key ", i, " of ", count(src.public_key()), " bytes");
    auto signer = Signer::from_public(key);
    if (!signer.ok()) return damaged("key ", i, ": ", signer.error().message());
    signer->state = state;
    signer->not_before = src.not_before();
    signer->not_after = src.not_after();
    out.keys.push_back({role, *signer});
    return {};
}

Status check_thresholds(const Bundle& b) {
    for (KeyRole role : {KeyRole::kPublisher, KeyRole::kDistributor, KeyRole::kLicensor, KeyRole::kRoot}) {
        const auto usable = std::ranges::count_if(
            b.keys, [&](const BundleKey& k) { return k.role == role && k.signer.state != KeyState::kRevoked; });
        const unsigned need = b.threshold(role);
        const bool none = usable == 0 && role != KeyRole::kRoot;
        if (none ? need != 0 : need == 0 || need > static_cast<size_t>(usable) || need > kMaxSignatures) {
            return damaged("a threshold of ", need, " for ", usable, " keys of the role ", role_name(role));
        }
    }
    return {};
}

// Every rule of 5.9 about the body.
Result<Bundle> decode(const fb::Bundle& src, uint64_t number) {
    Bundle out;
    if (src.format() != kFormat) return unsupported("format ", src.format());
    if (count(src.needs()) != 0) return unsupported("it needs features of a newer reader");
    out.number = number;
    out.issued = src.issued();
    out.expires = src.expires();
    if (out.issued == 0) return damaged("it has no date");
    if (out.expires != 0 && out.expires < out.issued) return damaged("it expires before it was issued");
    out.thresholds = {src.publishers(), src.distributors(), src.licensors(), src.roots()};
    if (count(src.keys()) > kMaxKeys) return damaged(count(src.keys()), " keys");
    for (uint32_t i = 0; i < count(src.keys()); ++i) COFFER_TRY(read_key(*src.keys()->Get(i), i, out));
    std::set<KeyId> ids;
    for (const BundleKey& key : out.keys) {
        if (!ids.insert(key.signer.id).second) return damaged("a key is there twice; it has one role");
    }
    COFFER_TRY(check_thresholds(out));
    if (count(src.min_versions()) > kMaxModels) return damaged(count(src.min_versions()), " models");
    for (uint32_t i = 0; i < count(src.min_versions()); ++i) {
        const fb::MinVersion& entry = *src.min_versions()->Get(i);
        MinVersion m;
        m.version = entry.version();
        m.lowered_by = entry.lowered_by();
        if (!read_array(entry.model(), &m.model) || m.lowered_by > number ||
            (!out.min_versions.empty() && m.model <= out.min_versions.back().model)) {
            return damaged("minimum version ", i, " is not valid or out of order");
        }
        out.min_versions.push_back(m);
    }
    if (!read_arrays(src.revoked_files(), kMaxRevoked, /*ascending=*/true, &out.revoked_files) ||
        !read_arrays(src.revoked_licences(), kMaxRevoked, /*ascending=*/true, &out.revoked_licences)) {
        return damaged("a list of what was revoked is not valid or out of order");
    }
    out.clock_reset_by = src.clock_reset_by();
    if (out.clock_reset_by > number) return damaged("its clock was reset by bundle ", out.clock_reset_by);
    return out;
}

Result<Bundle> decode(const Envelope& envelope) {
    // In memory of its own: FlatBuffers reads numbers in place and needs them aligned.
    const std::vector<std::byte> body(envelope.body.begin(), envelope.body.end());
    flatbuffers::Verifier verifier(as_uchar(body), body.size(), kDepth, kTables);
    if (!fb::VerifyBundleBuffer(verifier)) return damaged("malformed");
    COFFER_TRY_ASSIGN(Bundle out, decode(*fb::GetBundle(body.data()), envelope.number));
    out.chain = envelope.chain;
    out.digest = envelope.digest;
    out.bytes.assign(envelope.whole.begin(), envelope.whole.end());
    return out;
}

// How many roots of `judge` signed; with `issued` only those whose time it is in.
Result<size_t> root_signatures(const Envelope& envelope, const Bundle& judge, std::optional<uint64_t> issued) {
    const std::vector<Signer> roots = judge.signers(KeyRole::kRoot);
    auto signers = verify_signatures(envelope.signatures, roots, kBundleLabel, envelope.digest);
    if (!signers.ok()) {
        if (signers.error().code() != Code::kAuth) return std::move(signers).error();
        return error(Code::kAuth, Detail::kSignature, "trust bundle ", envelope.number,
                     ": a root's signature is wrong");
    }
    return static_cast<size_t>(std::ranges::count_if(
        *signers, [&](const Signer* s) { return issued ? s->counts(*issued) : s->state != KeyState::kRevoked; }));
}

Status check_roots(const Envelope& envelope, const Bundle& judge, std::optional<uint64_t> issued) {
    COFFER_TRY_ASSIGN(const size_t n, root_signatures(envelope, judge, issued));
    const unsigned need = judge.threshold(KeyRole::kRoot);
    if (n >= need) return {};
    return error(Code::kAuth, Detail::kUntrusted, "trust bundle ", envelope.number, ": signed by ", n,
                 " roots of bundle ", judge.number, ", ", need, " are needed");
}

}  // namespace

const char* role_name(KeyRole role) {
    constexpr std::array names = {"publisher", "distributor", "licensor", "root"};
    return names[static_cast<size_t>(role) - 1];
}

std::vector<Signer> Bundle::signers(KeyRole role) const {
    std::vector<Signer> out;
    for (const BundleKey& key : keys) {
        if (key.role == role) out.push_back(key.signer);
    }
    return out;
}

uint64_t Bundle::min_version(const ModelId& model) const {
    const auto it = std::ranges::lower_bound(min_versions, model, {}, &MinVersion::model);
    return it != min_versions.end() && it->model == model ? it->version : 0;
}

Result<std::shared_ptr<const Bundle>> load_bundle(Bytes file, size_t max_bytes) {
    COFFER_TRY_ASSIGN(const Envelope envelope, take_bundle(file, max_bytes));
    if (!file.empty()) return damaged(file.size(), " bytes after it; a chain of bundles is an update, not an anchor");
    COFFER_TRY_ASSIGN(Bundle bundle, decode(envelope));
    COFFER_TRY(check_roots(envelope, bundle, bundle.issued));
    return std::make_shared<const Bundle>(std::move(bundle));
}

Result<std::shared_ptr<const Bundle>> update_bundle(std::shared_ptr<const Bundle> current, Bytes chain,
                                                    size_t max_bytes) {
    const uint64_t first = current->number;
    uint64_t last = 0;
    do {
        COFFER_TRY_ASSIGN(const Envelope envelope, take_bundle(chain, max_bytes));
        last = std::max(last, envelope.number);
        if (envelope.number == current->number && envelope.digest != current->digest) {
            return error(Code::kAuth, Detail::kUntrusted, "trust bundle ", envelope.number,
                         " is not the one of this number that is in force");
        }
        if (envelope.number <= current->number) continue;
        if (envelope.number != current->number + 1) {
            return error(Code::kPolicy, Detail::kRollback, "trust bundle ", envelope.number, " does not follow ",
                         current->number, ": those between are missing");
        }
        if (envelope.chain != current->chain) {
            return error(Code::kAuth, Detail::kUntrusted, "trust bundle ", envelope.number, " is of another chain");
        }
        // Before the body is looked at; whether a root's time fits is asked once the date is known.
        COFFER_TRY(check_roots(envelope, *current, std::nullopt));
        COFFER_TRY_ASSIGN(Bundle next, decode(envelope));
        COFFER_TRY(check_roots(envelope, *current, next.issued));
        COFFER_TRY(check_roots(envelope, next, next.issued));
        current = std::make_shared<const Bundle>(std::move(next));
    } while (!chain.empty());
    if (last < first) {
        return error(Code::kPolicy, Detail::kRollback, "trust bundle ", last, " is older than ", first,
                     ", which is in force");
    }
    return current;
}

Result<UnverifiedBundle> inspect_bundle(Bytes file, size_t max_bytes) {
    COFFER_TRY_ASSIGN(const Envelope envelope, take_bundle(file, max_bytes));
    if (!file.empty()) return damaged(file.size(), " bytes after it");
    UnverifiedBundle out;
    COFFER_TRY_ASSIGN(out.bundle, decode(envelope));
    for (const SignatureEntry& entry : envelope.signatures) out.signatures.push_back(entry.key_id);
    const auto roots = root_signatures(envelope, out.bundle, out.bundle.issued);
    out.complete = roots.ok() && *roots >= out.bundle.threshold(KeyRole::kRoot);
    return out;
}

std::vector<std::byte> encode_bundle_body(const Bundle& bundle) {
    flatbuffers::FlatBufferBuilder b;
    std::vector<flatbuffers::Offset<fb::BundleKey>> keys;
    for (const BundleKey& key : bundle.keys) {
        const auto public_key = write_arrays(b, std::vector{key.signer.public_key});
        keys.push_back(fb::CreateBundleKey(b, static_cast<uint8_t>(key.role), static_cast<uint16_t>(key.signer.alg),
                                           public_key, static_cast<uint8_t>(key.signer.state), key.signer.not_before,
                                           key.signer.not_after));
    }
    std::vector<flatbuffers::Offset<fb::MinVersion>> versions;
    for (const MinVersion& m : bundle.min_versions) {
        const auto model = write_arrays(b, std::vector{m.model});
        versions.push_back(fb::CreateMinVersion(b, model, m.version, m.lowered_by));
    }
    const auto key_list = b.CreateVector(keys);
    const auto version_list = b.CreateVector(versions);
    const auto files = write_arrays(b, bundle.revoked_files);
    const auto licences = write_arrays(b, bundle.revoked_licences);
    const auto need = [&](KeyRole role) { return static_cast<uint16_t>(bundle.threshold(role)); };
    b.Finish(fb::CreateBundle(b, kFormat, 0, bundle.issued, bundle.expires, need(KeyRole::kPublisher),
                              need(KeyRole::kDistributor), need(KeyRole::kLicensor), need(KeyRole::kRoot), key_list,
                              version_list, files, licences, bundle.clock_reset_by),
             fb::BundleIdentifier());
    const Bytes body(reinterpret_cast<const std::byte*>(b.GetBufferPointer()), b.GetSize());
    return {body.begin(), body.end()};
}

Result<std::vector<std::byte>> encode_bundle(const Bundle& bundle) {
    const std::vector<std::byte> body = encode_bundle_body(bundle);
    Writer w;
    w.put(kMagic);
    w.u16(kVersion);
    w.u16(0);
    w.u32(static_cast<uint32_t>(body.size()));
    w.u32(0);
    w.u64(bundle.number);
    w.u64(0);
    w.put(bundle.chain);
    w.zeros(16);
    w.put(body);
    w.u16(0);
    // A writer is held to the rules of its readers.
    Bytes file = w.bytes();
    COFFER_TRY_ASSIGN(const Envelope envelope, take_bundle(file, body.size()));
    auto sound = decode(envelope);
    if (!sound.ok()) return error(Code::kInvalidArgument, sound.error().message());
    return w.take();
}

Result<std::vector<std::byte>> sign_bundle(Bytes file, const SigningKey& key, size_t max_bytes) {
    Bytes rest = file;
    COFFER_TRY_ASSIGN(const Envelope envelope, take_bundle(rest, max_bytes));
    if (!rest.empty()) return damaged(rest.size(), " bytes after it");
    if (envelope.signatures.size() == kMaxSignatures)
        return damaged("it has ", kMaxSignatures, " signatures already");
    if (std::ranges::find(envelope.signatures, key.signer().id, &SignatureEntry::key_id) !=
        envelope.signatures.end()) {
        return error(Code::kInvalidArgument, "trust bundle ", envelope.number, ": this key has signed it already");
    }
    COFFER_TRY_ASSIGN(const auto signature, key.sign(kBundleLabel, envelope.digest));
    Writer w;
    w.put(file.first(kHead + envelope.body.size()));
    w.u16(static_cast<uint16_t>(envelope.signatures.size() + 1));
    w.put(file.subspan(kHead + envelope.body.size() + 2));
    w.put(encode_signature(key.signer(), signature));
    return w.take();
}

}  // namespace coffer::trust
