// Licences (docs/format.md 5.8): what a licensor lets one holder open, until when and on which host. Envelope, claims
// and the rules they must meet. The product keys wrapped in a licence are the container's business: they are slots.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "crypto/aead.hpp"
#include "trust/ids.hpp"
#include "trust/keyring.hpp"
#include "trust/policy.hpp"
#include "trust/signature.hpp"

namespace coffer::trust {

inline constexpr size_t kLicenceHead = 64;
inline constexpr size_t kMaxWraps = 64;
inline constexpr size_t kMaxWrapsBytes = size_t{64} << 10;
// Whole: head, claims, wraps, signatures (each with a body far below this).
inline constexpr size_t kMaxLicenceBytes = size_t{192} << 10;
inline constexpr size_t kMaxHostValues = 16;

// A value of the host that must match, known only as HMAC-SHA256(salt, value).
struct HostBinding {
    std::string kind;
    std::array<std::byte, 32> salt{};
    crypto::Hash mac{};
};
// The value without spaces around it; what the MAC is made of.
std::string_view canonical_host_value(std::string_view value);
Result<HostBinding> bind_host(std::string_view kind, std::string_view value);  // with a new salt

struct LicenceClaims {
    crypto::Suite suite = crypto::Suite::kAes256Gcm;  // of the wraps
    uint64_t issued = 0;
    std::string product, holder;
    uint64_t not_before = 0, not_after = 0;     // 0: none
    uint64_t grace = 0;                         // seconds after not_after
    std::vector<ModelId> models;                // ascending
    uint64_t min_version = 0, max_version = 0;  // max 0: none
    std::vector<std::string> features;
    std::vector<HostBinding> hosts;
    uint32_t hosts_needed = 0;
    std::vector<KekId> kek_ids;  // of the product key in each wrap
};

// The fixed layout around the claims. Nothing of it is authentic.
struct LicenceEnvelope {
    LicenceId id{};
    uint16_t wrap_count = 0;
    Bytes claims, wraps;      // into the bytes that were parsed
    crypto::Hash bound_to{};  // SHA-256(head || claims): what the wraps are bound to
    crypto::Hash digest{};    // SHA-256 of all before the signatures: what is signed
    std::vector<SignatureEntry> signatures;
};
Result<LicenceEnvelope> parse_licence(Bytes file, const Caps& caps);
// Every rule of 5.8 about claims. Call it only on claims whose signature verified, or to show them as unverified.
Result<LicenceClaims> decode_claims(const LicenceEnvelope& envelope);

// A licence that the policy's licensors signed.
struct Licence {
    LicenceId id{};
    LicenceClaims claims;
    crypto::Hash bound_to{};
    uint16_t wrap_count = 0;
    std::vector<std::byte> wraps;
    std::vector<KeyId> signers;
};
Result<Licence> verify_licence(Bytes file, const Policy& policy);

// Whether a verified licence is about this model at all, and then whether it lets it open now and here.
Status check_covers(const Licence& licence, const ModelId& model, uint64_t version);
Status check_permits(const Licence& licence, const Policy& policy, uint64_t now);
bool in_grace(const LicenceClaims& claims, uint64_t now);

std::vector<std::byte> encode_claims(const LicenceClaims& claims);  // checks nothing
// Head || claims of a new licence; the caller appends the wraps and sign_licence() closes it.
Result<std::vector<std::byte>> encode_licence(const LicenceId& id, const LicenceClaims& claims, size_t wraps_bytes);
Result<std::vector<std::byte>> sign_licence(std::vector<std::byte> unsigned_licence,
                                            std::span<const SigningKey* const> keys);

}  // namespace coffer::trust
