// Keyring: everything a caller holds that may unwrap the file key of a container: raw keys, X25519 and P-256
// identities, a password, and providers for keys that live elsewhere: tokens, key services (format.md 5.17). It knows
// nothing of slots beyond their view; the container does the unwrapping.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <vector>

#include "crypto/aead.hpp"
#include "crypto/hash.hpp"
#include "crypto/p256.hpp"
#include "crypto/x25519.hpp"
#include "trust/kms.hpp"

namespace coffer::trust {

using KekId = std::array<std::byte, 16>;
// HMAC-SHA256(key, "coffer/v1/kek-id")[0..16]: names a raw key without telling anything about it.
Result<KekId> kek_id(Bytes key);

struct RawKey {
    crypto::SecretBytes key;  // 32 bytes
    KekId id{};

    static Result<RawKey> from_secret(crypto::SecretBytes key);
};

// A P-256 key that can agree with another: in memory, or inside a device that never shows it.
struct P256Key {
    crypto::P256Public public_key{};
    // The shared x coordinate. A device that fails says why with Code::kAuth, Detail::kUnwrap.
    std::function<Result<crypto::SecretBytes>(const crypto::P256Public& enc)> agree;
    bool in_device = false;  // calls are counted (5.7.5)
};

// A recipient slot as a provider sees it. The bytes are valid during the call only.
struct SlotView {
    uint16_t kind = 0;
    uint16_t flags = 0;
    crypto::Suite suite = crypto::Suite::kAes256Gcm;
    Bytes slot_id;     // 16 bytes
    Bytes content_id;  // 32 bytes
    Bytes context;     // "coffer/v1/slot" || 00 || LE2(kind) || slot_id || content_id: HPKE info, or AAD
    Bytes body;
};

// A key source outside the keyring: token, key service, operating system store. Called at most once a slot,
// may block, and must not throw. Returns the 32-byte file key, or Detail::kNoRecipient for a slot that is not
// its own, or what went wrong.
using KeyProvider = std::function<Result<crypto::SecretBytes>(const SlotView&)>;
using PasswordSource = std::function<Result<crypto::SecretBytes>()>;

class Keyring {
 public:
    Status add_raw_key(crypto::SecretBytes key);
    Status add_identity(crypto::X25519Identity identity);
    Status add_p256(crypto::P256Identity identity);
    Status add_p256(P256Key key);
    // Slots whose URI lies below `prefix` go to `unwrap`; of several prefixes the longest counts.
    Status add_kms(std::string prefix, KmsUnwrap unwrap);
    Status add_kms(std::string prefix, const KmsHelper& helper);
    void set_password(crypto::SecretBytes password);  // one trailing newline is stripped
    void set_password_source(PasswordSource source);  // asked only when a password slot is reached
    void add_provider(KeyProvider provider);
    // A grant (format.md 5.7.5): not a key, but a slot that one of the keys opens, kept outside the file.
    void add_grant(std::vector<std::byte> grant) { grants_.push_back(std::move(grant)); }
    // A licence (format.md 5.8): wraps product keys for one of the keys here. Only its form is checked.
    Status add_licence(std::vector<std::byte> file);

    const std::vector<RawKey>& raw_keys() const { return raw_keys_; }
    const std::vector<crypto::X25519Identity>& identities() const { return identities_; }
    const std::vector<P256Key>& p256_keys() const { return p256_keys_; }
    const KmsProvider* find_kms(std::string_view uri) const;  // nullptr: not allowed
    const std::vector<KeyProvider>& providers() const { return providers_; }
    const std::vector<std::vector<std::byte>>& grants() const { return grants_; }
    const std::vector<std::vector<std::byte>>& licences() const { return licences_; }
    bool has_password() const { return !password_.empty() || password_source_ != nullptr; }
    Result<crypto::SecretBytes> password() const;
    bool empty() const {
        return raw_keys_.empty() && identities_.empty() && p256_keys_.empty() && kms_.empty() && providers_.empty() &&
               !has_password();
    }

 private:
    std::vector<RawKey> raw_keys_;
    std::vector<crypto::X25519Identity> identities_;
    std::vector<P256Key> p256_keys_;
    std::vector<KmsProvider> kms_;
    std::vector<KeyProvider> providers_;
    std::vector<std::vector<std::byte>> grants_;
    std::vector<std::vector<std::byte>> licences_;
    crypto::SecretBytes password_;
    PasswordSource password_source_;
};

// Adds the key of a file's text: age identities (one or more lines, # comments), a P-256 key as PKCS#8 PEM, or
// exactly 32 raw bytes.
Status add_keys(Keyring& keyring, Bytes file_bytes);
Status add_raw_key(Keyring& keyring, Bytes file_bytes);  // exactly 32 bytes, nothing else

}  // namespace coffer::trust
