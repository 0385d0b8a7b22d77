// The kinds of slots this library can open. A new kind is one file that defines a SlotKind, and one row here.
#pragma once

#include "container/slots.hpp"

namespace coffer::container {

struct SlotKind {
    uint16_t kind;
    size_t body_size;  // exact
    // The 32-byte file key; Detail::kNoRecipient when the ring has no key for this slot, Detail::kUnwrap when
    // it has one and the slot does not open. Any other error ends the open.
    Result<crypto::SecretBytes> (*unwrap)(const trust::SlotView& slot, const trust::Keyring& keyring,
                                          const trust::Policy& policy);
    bool classical;  // a quantum computer opens it: not allowed with kPostQuantumOnly
    bool costly;     // tried after providers, only when all else had nothing
};

extern const SlotKind kClearSlot, kRawSlot, kX25519Slot, kScryptSlot;

std::span<const SlotKind* const> slot_kinds();  // in the order they are tried
const SlotKind* find_slot_kind(uint16_t kind);  // nullptr: unknown

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
