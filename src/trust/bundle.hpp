// Trust bundles (docs/format.md 5.9): one file that says whose signatures count, for what, and what was withdrawn,
// and that hands this over to its successor. It is TUF cut to size: roots sign bundle N+1 by the rules of N and of
// N+1. Storing a bundle and remembering its number are the caller's business; see state.hpp.
#pragma once

#include <memory>
#include <vector>

#include "trust/ids.hpp"
#include "trust/signature.hpp"

namespace coffer::trust {

enum class KeyRole : uint8_t { kPublisher = 1, kDistributor = 2, kLicensor = 3, kRoot = 4 };
inline constexpr size_t kRoleCount = 4;
const char* role_name(KeyRole role);  // "publisher"

struct BundleKey {
    KeyRole role = KeyRole::kPublisher;
    Signer signer;  // with its state and limits of time
};

struct MinVersion {
    ModelId model{};
    uint64_t version = 0;
    uint64_t lowered_by = 0;  // number of the bundle that took remembered versions back down to `version`
};

using ChainId = std::array<std::byte, 16>;

struct Bundle {
    uint64_t number = 0;               // 1, 2, 3, ...
    ChainId chain{};                   // random, the same in all bundles of a chain
    uint64_t issued = 0, expires = 0;  // expires 0: never
    std::array<unsigned, kRoleCount> thresholds{};
    std::vector<BundleKey> keys;
    std::vector<MinVersion> min_versions;  // ascending by model
    std::vector<crypto::Hash> revoked_files;
    std::vector<LicenceId> revoked_licences;
    uint64_t clock_reset_by = 0;  // number of the bundle that took the remembered time back to `issued`

    crypto::Hash digest{};         // SHA-256(head || body): what is signed, and names the bundle
    std::vector<std::byte> bytes;  // the whole file it came from

    unsigned& threshold(KeyRole role) { return thresholds[static_cast<size_t>(role) - 1]; }
    unsigned threshold(KeyRole role) const { return thresholds[static_cast<size_t>(role) - 1]; }
    std::vector<Signer> signers(KeyRole role) const;
    uint64_t min_version(const ModelId& model) const;
};

// The bundle that a caller brings as his anchor: exactly one, signed by its own roots. That it is the right one is
// the caller's word; the signatures say that it is whole.
Result<std::shared_ptr<const Bundle>> load_bundle(Bytes file, size_t max_bytes);
// Follows `chain`, one or more bundles one after the other, from `current` on. Those up to its number are passed
// over; a chain that stops before it, or has a gap after it, is a rollback.
Result<std::shared_ptr<const Bundle>> update_bundle(std::shared_ptr<const Bundle> current, Bytes chain,
                                                    size_t max_bytes);

// For display and for making the next one: nothing is verified but the form. `signatures` lists who signed.
struct UnverifiedBundle {
    Bundle bundle;
    std::vector<KeyId> signatures;
    bool complete = false;  // enough of its own roots signed
};
Result<UnverifiedBundle> inspect_bundle(Bytes file, size_t max_bytes);

std::vector<std::byte> encode_bundle_body(const Bundle& bundle);  // checks nothing
// A bundle without signatures, and one more signature for it.
Result<std::vector<std::byte>> encode_bundle(const Bundle& bundle);
Result<std::vector<std::byte>> sign_bundle(Bytes file, const SigningKey& key, size_t max_bytes);

}  // namespace coffer::trust
