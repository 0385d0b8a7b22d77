// Kind 2: HPKE base mode over X25519 (docs/format.md 5.7.2).
#include <algorithm>

#include "container/errors.hpp"
#include "container/slot_kinds.hpp"
#include "crypto/hpke.hpp"

namespace coffer::container {
namespace {

constexpr size_t kHintSize = 4;
// hint 4, enc 32, ct 48
constexpr size_t kBody = kHintSize + crypto::kX25519KeySize + kWrappedSize;

using Hint = std::array<std::byte, kHintSize>;

// Lets the owner of a public key find his slot among a thousand at the price of a hash each.
Result<Hint> hint_of(const crypto::X25519Public& enc, const crypto::X25519Public& key) {
    COFFER_TRY_ASSIGN(const crypto::Hash hash, crypto::sha256({as_bytes("coffer/v1/hint"), enc, key}));
    Hint hint{};
    std::copy_n(hash.begin(), kHintSize, hint.begin());
    return hint;
}

Result<crypto::SecretBytes> unwrap_x25519(const trust::SlotView& slot, const trust::Keyring& keyring,
                                          const trust::Policy&) {
    Reader r(slot.body);
    const Hint hint = r.array<kHintSize>();
    const crypto::X25519Public enc = r.array<crypto::kX25519KeySize>();
    const Bytes sealed = r.take(kWrappedSize);
    Detail failed = Detail::kNoRecipient;
    for (const crypto::X25519Identity& identity : keyring.identities()) {
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
        const Hint hint = r.array<kHintSize>();
        COFFER_TRY_ASSIGN(const Hint own, hint_of(r.array<crypto::kX25519KeySize>(), key));
        return own == hint;
    };
    return {kX25519Slot.kind, wrap, owns};
}

}  // namespace coffer::container
