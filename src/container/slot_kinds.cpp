#include "container/slot_kinds.hpp"

#include <algorithm>

#include "container/errors.hpp"

namespace coffer::container {

std::span<const SlotKind* const> slot_kinds() {
    static constexpr std::array<const SlotKind*, 7> kinds = {&kClearSlot,      &kRawSlot, &kX25519Slot, &kP256Slot,
                                                             &kP256DeviceSlot, &kKmsSlot, &kScryptSlot};
    return kinds;
}

const SlotKind* find_slot_kind(uint16_t kind) {
    const auto it = std::ranges::find(slot_kinds(), kind, &SlotKind::kind);
    return it == slot_kinds().end() ? nullptr : *it;
}

Result<Hint> hint_of(Bytes enc, Bytes public_key) {
    COFFER_TRY_ASSIGN(const crypto::Hash hash, crypto::sha256({as_bytes("coffer/v1/hint"), enc, public_key}));
    Hint hint{};
    std::copy_n(hash.begin(), hint.size(), hint.begin());
    return hint;
}

std::vector<std::byte> join(std::initializer_list<Bytes> fields) {
    size_t size = 0;
    for (Bytes field : fields) size += field.size();
    std::vector<std::byte> out(size);
    auto end = out.begin();
    for (Bytes field : fields) end = std::ranges::copy(field, end).out;
    return out;
}

Result<CommittedKey> CommittedKey::derive(Bytes salt, Bytes key_material, const trust::SlotView& slot) {
    COFFER_TRY_ASSIGN(const crypto::SecretBytes prk, crypto::hkdf_extract(salt, {key_material}));
    COFFER_TRY_ASSIGN(const crypto::SecretBytes both, crypto::hkdf_expand(prk.bytes(), {slot.context}, 64));
    CommittedKey key;
    COFFER_TRY_ASSIGN(key.wrap, crypto::SecretBytes::copy_of(both.bytes().first(32)));
    std::ranges::copy(both.bytes().subspan(32), key.commit.begin());
    return key;
}

// The key is fresh for every slot, so a zero nonce is used once.
Result<std::vector<std::byte>> seal_dek(const CommittedKey& key, const trust::SlotView& slot, Bytes dek) {
    std::vector<std::byte> sealed(kWrappedSize);
    COFFER_TRY(crypto::seal_once(slot.suite, key.wrap.bytes(), {}, slot.context, dek, sealed));
    return sealed;
}

Result<crypto::SecretBytes> open_dek(const CommittedKey& key, const trust::SlotView& slot, Bytes commit,
                                     Bytes sealed) {
    if (!crypto::constant_time_equal(key.commit, commit)) return not_authentic(Detail::kUnwrap);
    COFFER_TRY_ASSIGN(crypto::SecretBytes dek, crypto::SecretBytes::create(kDekSize));
    COFFER_TRY(
        authentic_or(crypto::open_once(slot.suite, key.wrap.bytes(), {}, slot.context, sealed, dek.mutable_bytes()),
                     Detail::kUnwrap));
    return dek;
}

}  // namespace coffer::container
