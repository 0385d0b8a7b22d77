// Kind 2: HPKE base mode over X25519 (docs/format.md 5.7.2).
#include "container/errors.hpp"
#include "container/slot_kinds.hpp"
#include "crypto/hpke.hpp"

namespace coffer::container {
namespace {

// hint 4, enc 32, ct 48
constexpr size_t kBody = sizeof(Hint) + crypto::kX25519KeySize + kWrappedSize;

Result<crypto::SecretBytes> unwrap_x25519(const trust::SlotView& slot, Means& means) {
    Reader r(slot.body);
    const Hint hint = r.array<sizeof(Hint)>();
    const crypto::X25519Public enc = r.array<crypto::kX25519KeySize>();
    const Bytes sealed = r.take(kWrappedSize);
    Detail failed = Detail::kNoRecipient;
    for (const crypto::X25519Identity& identity : means.keyring.identities()) {
        COFFER_TRY_ASSIGN(const Hint own, hint_of(enc, identity.public_key));
        if (own != hint) continue;
        auto dek = crypto::hpke_open(slot.suite, identity, enc, slot.context, {}, sealed);
        if (dek.ok() || dek.error().code() != Code::kAuth) return dek;
        failed = Detail::kUnwrap;
    }
    return not_authentic(failed);
}

}  // namespace

const SlotKind kX25519Slot = {2, kBody, unwrap_x25519, /*classical=*/true, /*costly=*/false};

Recipient x25519_recipient(const crypto::X25519Public& key) {
    const auto wrap = [key](const trust::SlotView& slot, Bytes dek) -> Result<std::vector<std::byte>> {
        COFFER_TRY_ASSIGN(const auto sealed, crypto::hpke_seal(slot.suite, key, slot.context, {}, dek));
        COFFER_TRY_ASSIGN(const Hint hint, hint_of(sealed.enc, key));
        return join({hint, sealed.enc, sealed.ciphertext});
    };
    const auto owns = [key](Bytes body) -> Result<bool> {
        Reader r(body);
        const Hint hint = r.array<sizeof(Hint)>();
        COFFER_TRY_ASSIGN(const Hint own, hint_of(r.array<crypto::kX25519KeySize>(), key));
        return own == hint;
    };
    return {kX25519Slot.kind, wrap, owns};
}

}  // namespace coffer::container
