// Policy: what the one who opens a file demands of it. Nothing in a file can change it, and the defaults fail
// closed: without a trusted signer nothing opens (format.md 5.5 step 1, 5.13).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "crypto/aead.hpp"
#include "trust/ids.hpp"
#include "trust/signer.hpp"

namespace coffer::trust {

enum class SlotKind : uint16_t {
    kClear = 0,  // the file key itself; only in unprotected files
    kRaw = 1,
    kX25519 = 2,
    kScrypt = 3,
    kKms = 4,
    kP256 = 5,
    kTpm = 6,
    kMlKem768X25519 = 7,
};
inline constexpr uint16_t kFirstVendorSlotKind = 0x8000;
const char* slot_kind_name(uint16_t kind);

// Full: the hash of every chunk is compared, so that not even a holder of the key can put other weights under
// the vendor's signature. AeadOnly skips the hashes, for keys that only one trusted party holds.
enum class Integrity : uint8_t { kFull, kAeadOnly };

// format.md 5.13 and 9.7.
struct Caps {
    uint64_t file_bytes = uint64_t{1} << 42;
    uint64_t manifest_bytes = uint64_t{64} << 20;
    uint32_t manifest_tables = 200'000;
    uint32_t manifest_depth = 32;
    uint32_t tensors = 1'000'000;
    uint32_t nodes = 1'000'000;
    uint32_t name_bytes = 1'024;
    uint32_t slots = 1'024;
    uint32_t slots_bytes = 1u << 20;
    uint32_t slot_bytes = 8u << 10;
    uint32_t signatures = 8;
    uint32_t licence_bytes = 64u << 10;
    uint32_t bundle_bytes = 256u << 10;
    unsigned scrypt_log_n = 17;
    unsigned provider_calls = 8;
    // For what a file brings along, and for packed weights, arenas and tensors of a runner besides; 0 = half of
    // min(RAM, cgroup limit), see memory_bytes().
    uint64_t max_memory = 0;
};

enum class KeyRole : uint8_t;
struct Bundle;
struct StateStore;

struct Policy {
    std::vector<Signer> signers;  // publishers: distinct; see add_signer
    unsigned threshold = 1;       // how many distinct trusted signers a file needs; see needed()
    // Who may say who the recipients are. So many of them must have signed SLOTS where the file asks for it.
    std::vector<Signer> distributors;
    unsigned distributor_threshold = 1;

    std::optional<ModelId> model;  // the only model accepted; see expect_model
    std::string model_name;        // its name, for messages
    uint64_t min_version = 0;
    std::vector<crypto::Hash> revoked_files;  // content ids

    // Licences (format.md 5.8): whose count, for what product if that matters, and on which host this is: values
    // known beforehand, and one who is asked for the others.
    std::vector<Signer> licensors;
    unsigned licensor_threshold = 1;
    std::vector<LicenceId> revoked_licences;
    std::string product;                                           // empty: any
    std::vector<std::pair<std::string, std::string>> host_values;  // kind, value
    std::function<Result<std::optional<std::string>>(const std::string& kind)> host_value;

    // Where the keys, minimum versions and revocations above come from, if not from the caller; see follow().
    std::shared_ptr<const Bundle> bundle;
    // What was seen before. Without it nothing is remembered.
    std::shared_ptr<const StateStore> state;

    bool allow_unsigned = false;
    bool allow_unprotected = false;
    bool debug_names = false;  // names of inner tensors and nodes of a sealed model in errors (format.md 5.12)
    Integrity integrity = Integrity::kFull;

    std::vector<crypto::Suite> suites = {crypto::Suite::kAes256Gcm, crypto::Suite::kChaCha20Poly1305};
    // Kinds that may be unwrapped; kClear needs allow_unprotected besides. Vendor kinds: any number from 0x8000.
    std::vector<uint16_t> slot_kinds = {0, 1, 2, 3, 4, 5, 6, 7};
    Caps caps;
    std::function<Result<int64_t>()> now;  // Unix seconds; the system's clock when empty

    // Adding a key twice changes nothing: the threshold counts keys, not entries. A key has one role: adding it
    // under another one is refused.
    Status add_signer(const Signer& signer);
    Status add_signer_pem(std::string_view pem);
    Status add_distributor(const Signer& distributor);
    Status add_distributor_pem(std::string_view pem);
    Status add_licensor(const Signer& licensor);
    Status add_licensor_pem(std::string_view pem);
    // Takes keys, minimum versions and revocations from a trust bundle, in place of those of the bundle before.
    // Refused when the caller gave keys of his own. Of its thresholds and the caller's the higher ones hold.
    Status follow(std::shared_ptr<const Bundle> bundle);
    Status expect_model(std::string_view name);

    const Signer* find_signer(const KeyId& id) const;
    const Signer* find_distributor(const KeyId& id) const;
    bool allows(crypto::Suite suite) const;
    bool allows_slot(uint16_t kind) const;
    bool is_revoked(const crypto::Hash& content_id) const;
    // How many keys of a role (publisher, distributor, licensor) must have signed.
    unsigned needed(KeyRole role) const;
    uint64_t min_version_of(const ModelId& id) const;
    Result<int64_t> current_time() const;
    uint64_t memory_bytes() const;

    // A policy that can never be met, or whose parts contradict each other, is the caller's mistake.
    Status check() const;
};

}  // namespace coffer::trust
