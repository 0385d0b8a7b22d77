// The kinds of slots this library can open. A new kind is one file that defines a SlotKind, and one row here.
#pragma once

#include "container/slots.hpp"

namespace coffer::container {

// What one open has to reach the file key with.
struct Means {
    const trust::Keyring& keyring;
    const trust::Policy& policy;
    unsigned& provider_calls;  // that are left (5.7.5)

    bool take_call() { return provider_calls > 0 && provider_calls-- > 0; }
};

struct SlotKind {
    uint16_t kind;
    size_t body_size;  // exact; of kinds with body_fits, unused
    // The 32-byte file key; Detail::kNoRecipient when the ring has no key for this slot, Detail::kUnwrap when
    // it has one and the slot does not open. Any other error ends the open.
    Result<crypto::SecretBytes> (*unwrap)(const trust::SlotView& slot, Means& means);
    bool classical;  // a quantum computer opens it: not allowed with kPostQuantumOnly
    bool costly;     // tried after providers, only when all else had nothing
    bool (*body_fits)(Bytes body) = nullptr;

    bool fits(Bytes body) const { return body_fits ? body_fits(body) : body.size() == body_size; }
};

extern const SlotKind kClearSlot, kRawSlot, kX25519Slot, kScryptSlot, kKmsSlot, kP256Slot;
extern const SlotKind kP256DeviceSlot;  // the same slots, for keys in devices: after all keys at hand

std::span<const SlotKind* const> slot_kinds();  // in the order they are tried
const SlotKind* find_slot_kind(uint16_t kind);  // nullptr: unknown

// "coffer/v1/hint" names an HPKE recipient to himself alone (5.7.2): the price of a hash, not of an agreement.
using Hint = std::array<std::byte, 4>;
Result<Hint> hint_of(Bytes enc, Bytes public_key);

// The fields of a slot's body, one after the other.
std::vector<std::byte> join(std::initializer_list<Bytes> fields);

// Kinds 1 and 3 share this: wrap 32 || commit 32 = HKDF(salt, key material, info = S), and the file key under
// wrap with AAD S (5.7.1).
struct CommittedKey {
    crypto::SecretBytes wrap;
    Digest commit{};
    static Result<CommittedKey> derive(Bytes salt, Bytes key_material, const trust::SlotView& slot);
};
inline constexpr size_t kWrappedSize = kDekSize + kTagSize;
Result<std::vector<std::byte>> seal_dek(const CommittedKey& key, const trust::SlotView& slot, Bytes dek);
Result<crypto::SecretBytes> open_dek(const CommittedKey& key, const trust::SlotView& slot, Bytes commit,
                                     Bytes sealed);

}  // namespace coffer::container
