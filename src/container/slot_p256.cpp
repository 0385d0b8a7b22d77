// Kind 5: HPKE base mode over P-256, for keys in tokens and keystores (docs/format.md 5.7.4).
#include "container/errors.hpp"
#include "container/slot_kinds.hpp"
#include "crypto/hpke.hpp"

namespace coffer::container {
namespace {

// hint 4, enc 65, ct 48
constexpr size_t kBody = sizeof(Hint) + crypto::kP256PublicSize + kWrappedSize;

Result<crypto::SecretBytes> open_with(const trust::P256Key& key, const trust::SlotView& slot,
                                      const crypto::P256Public& enc, Bytes sealed) {
    // A device may not look at what it is given, and a point of another curve would draw its key out of it.
    const Status point = crypto::p256_check_public(enc);
    if (!point.ok() && point.error().code() != Code::kFormat) return point.error();
    if (!point.ok()) return not_authentic(Detail::kUnwrap);
    COFFER_TRY_ASSIGN(const crypto::SecretBytes dh, key.agree(enc));
    auto dek = crypto::hpke_open_shared(crypto::Kem::kP256, slot.suite, dh.bytes(), enc, key.public_key, slot.context,
                                        {}, sealed);
    if (!dek.ok() && dek.error().code() == Code::kAuth) return not_authentic(Detail::kUnwrap);
    return dek;
}

template <bool kInDevice>
Result<crypto::SecretBytes> unwrap_p256(const trust::SlotView& slot, Means& means) {
    Reader r(slot.body);
    const Hint hint = r.array<sizeof(Hint)>();
    const crypto::P256Public enc = r.array<crypto::kP256PublicSize>();
    const Bytes sealed = r.take(kWrappedSize);
    for (const trust::P256Key& key : means.keyring.p256_keys()) {
        if (key.in_device != kInDevice) continue;
        COFFER_TRY_ASSIGN(const Hint own, hint_of(enc, key.public_key));
        if (own != hint) continue;
        // Recipients' public keys may be known to who adds slots, and a device is slow.
        if (kInDevice && !means.take_call()) continue;
        return open_with(key, slot, enc, sealed);
    }
    return not_authentic(Detail::kNoRecipient);
}

}  // namespace

const SlotKind kP256Slot = {5, kBody, unwrap_p256<false>, /*classical=*/true, /*costly=*/false};
const SlotKind kP256DeviceSlot = {5, kBody, unwrap_p256<true>, /*classical=*/true, /*costly=*/false};

Recipient p256_recipient(const crypto::P256Public& key) {
    const auto wrap = [key](const trust::SlotView& slot, Bytes dek) -> Result<std::vector<std::byte>> {
        COFFER_TRY_ASSIGN(const auto sealed, crypto::hpke_seal(slot.suite, key, slot.context, {}, dek));
        COFFER_TRY_ASSIGN(const Hint hint, hint_of(sealed.enc, key));
        return join({hint, sealed.enc, sealed.ciphertext});
    };
    const auto owns = [key](Bytes body) -> Result<bool> {
        Reader r(body);
        const Hint hint = r.array<sizeof(Hint)>();
        COFFER_TRY_ASSIGN(const Hint own, hint_of(r.array<crypto::kP256PublicSize>(), key));
        return own == hint;
    };
    return {kP256Slot.kind, wrap, owns};
}

}  // namespace coffer::container
