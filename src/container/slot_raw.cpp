// Kind 1: a raw 32-byte key-encryption key (docs/format.md 5.7.1).
#include <algorithm>

#include "container/errors.hpp"
#include "container/slot_kinds.hpp"
#include "crypto/random.hpp"

namespace coffer::container {
namespace {

// kek_id 16, salt 32, commit 32, ct 48
constexpr size_t kBody = 16 + 32 + 32 + kWrappedSize;

Result<crypto::SecretBytes> unwrap_raw(const trust::SlotView& slot, Means& means) {
    Reader r(slot.body);
    const trust::KekId id = r.array<16>();
    const Bytes salt = r.take(32);
    const Bytes commit = r.take(32);
    const Bytes sealed = r.take(kWrappedSize);
    const auto& keys = means.keyring.raw_keys();
    const auto it = std::ranges::find(keys, id, &trust::RawKey::id);
    if (it == keys.end()) return not_authentic(Detail::kNoRecipient);
    COFFER_TRY_ASSIGN(const CommittedKey key, CommittedKey::derive(salt, it->key.bytes(), slot));
    return open_dek(key, slot, commit, sealed);
}

}  // namespace

const SlotKind kRawSlot = {1, kBody, unwrap_raw, /*classical=*/false, /*costly=*/false};

Result<Recipient> raw_key_recipient(Bytes kek) {
    COFFER_TRY_ASSIGN(crypto::SecretBytes secret, crypto::SecretBytes::copy_of(kek));
    COFFER_TRY_ASSIGN(trust::RawKey raw, trust::RawKey::from_secret(std::move(secret)));
    const auto shared = std::make_shared<const trust::RawKey>(std::move(raw));
    const auto wrap = [shared](const trust::SlotView& slot, Bytes dek) -> Result<std::vector<std::byte>> {
        COFFER_TRY_ASSIGN(const auto salt, crypto::random_array<32>());
        COFFER_TRY_ASSIGN(const CommittedKey key, CommittedKey::derive(salt, shared->key.bytes(), slot));
        COFFER_TRY_ASSIGN(const auto sealed, seal_dek(key, slot, dek));
        return join({shared->id, salt, key.commit, sealed});
    };
    const auto owns = [shared](Bytes body) -> Result<bool> { return Reader(body).array<16>() == shared->id; };
    return Recipient{kRawSlot.kind, wrap, owns};
}

}  // namespace coffer::container
