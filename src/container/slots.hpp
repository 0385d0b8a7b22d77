// SLOTS: the file key wrapped for each recipient (docs/format.md 5.7). The region is fixed layout, read before
// anything in it is authentic; the MAC is checked once the key is known. What a kind of slot does is in
// slot_<kind>.cpp; slot_kinds.cpp lists them.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "container/header.hpp"
#include "crypto/secret.hpp"
#include "trust/keyring.hpp"
#include "trust/policy.hpp"

namespace coffer::container {

struct Slot {
    uint16_t kind = 0;
    uint16_t flags = 0;
    Bytes slot_id;
    Bytes body;
};

// Views into the bytes that were parsed.
struct Slots {
    uint64_t generation = 0;
    uint32_t flags = 0;
    Digest content_id{};
    std::vector<Slot> slots;
    Bytes before_mac;
    Bytes mac;
    std::vector<SignatureEntry> signatures;
};
Result<Slots> parse_slots(Bytes region, const trust::Caps& caps);
// `count` slots, one after the other. Also how a licence holds its product keys.
Result<std::vector<Slot>> parse_slot_list(Reader& r, size_t count, const trust::Caps& caps);
// Which kinds may stand together in a file with these incompat bits.
Status check_slot_rules(const Slots& slots, const Header& header, bool has_trusted_signature);
// That a distributor of the policy signed this block, as kSlotsSigned demands.
Status check_slots_signature(const Slots& slots, const trust::Policy& policy);

// S of 5.7: binds a wrapping to its kind, its slot, and the content_id of its file or the digest of its licence.
std::vector<std::byte> slot_context(uint16_t kind, Bytes slot_id, Bytes bound_to);

// "coffer/v1/slots" || HDR || bytes before the MAC.
Result<Digest> slots_mac(const crypto::SecretBytes& key, Bytes hdr, Bytes before_mac);

// Step 9: the file key, from the first slot that a key of the ring opens, cheap kinds first. `blocks` are grants and
// the file's own slots, in the order they are tried. `calls_left`: provider calls that this open may still make
// (5.7.5), for one that unwraps more than once; nullptr: as many as the policy allows.
struct Unwrapped {
    crypto::SecretBytes dek;
    uint16_t kind = 0;
    const Slots* block = nullptr;  // where the slot stands
};
Result<Unwrapped> unwrap(std::span<const Slots* const> blocks, const Header& header, const trust::Keyring& keyring,
                         const trust::Policy& policy, unsigned* calls_left = nullptr);

// The URI of a KMS slot, for display; "" for the other kinds.
std::string kms_slot_uri(uint16_t kind, Bytes body);

// ---- writing ---------------------------------------------------------------------------------------------

// Someone who shall be able to open a file. Makes the body of a slot of its kind, and may know such a slot again.
struct Recipient {
    uint16_t kind = 0;
    std::function<Result<std::vector<std::byte>>(const trust::SlotView& slot, Bytes dek)> wrap;
    std::function<Result<bool>(Bytes body)> owns = {};  // empty: only the slot's id tells
};
Recipient clear_recipient();  // kind 0; write() adds it to an unprotected file by itself
Result<Recipient> raw_key_recipient(Bytes kek);
Recipient x25519_recipient(const crypto::X25519Public& key);
Recipient p256_recipient(const crypto::P256Public& key);
// `ask` is called when the slot is made: the service sees the context of this slot of this file.
Result<Recipient> kms_recipient(std::string uri, trust::KmsWrap ask);
inline constexpr unsigned kDefaultLogN = 17;
Result<Recipient> password_recipient(Bytes password, unsigned log_n = kDefaultLogN);

// One slot that holds `secret` (32 bytes) for `recipient`; bound_to as for slot_context().
Result<std::vector<std::byte>> encode_slot(const Recipient& recipient, crypto::Suite suite, Bytes bound_to,
                                           Bytes secret);

// What a SLOTS region or a grant is made of.
struct SlotsContent {
    uint64_t generation = 0;
    uint32_t flags = 0;
    std::vector<Slot> kept;  // of an older region, taken over byte for byte
    std::span<const Recipient> recipients;
    std::span<const trust::SigningKey* const> distributors;
};
Result<std::vector<std::byte>> encode_slots(const Header& header, Bytes hdr, const SlotsContent& content, Bytes dek,
                                            const crypto::SecretBytes& mac_key);

}  // namespace coffer::container
