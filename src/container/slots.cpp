#include "container/slots.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "container/errors.hpp"
#include "container/keys.hpp"
#include "container/slot_kinds.hpp"
#include "crypto/random.hpp"
#include "trust/bundle.hpp"

namespace coffer::container {
namespace {

constexpr std::string_view kSlotsMagic = "COFS";

}  // namespace

std::vector<std::byte> slot_context(uint16_t kind, Bytes slot_id, Bytes bound_to) {
    Writer w;
    w.put("coffer/v1/slot");
    w.u8(0);
    w.u16(kind);
    w.put(slot_id);
    w.put(bound_to);
    return w.take();
}

Result<std::vector<Slot>> parse_slot_list(Reader& r, size_t count, const trust::Caps& caps) {
    std::vector<Slot> slots;
    std::set<std::string_view> ids;
    for (size_t i = 0; i < count; ++i) {
        Slot slot;
        slot.kind = r.u16();
        slot.flags = r.u16();
        const uint32_t size = r.u32();
        slot.slot_id = r.take(sizeof(Id));
        if (size > caps.slot_bytes || size > kMaxSlotBody)
            return format_error("recipient ", i, " of ", size, " bytes");
        slot.body = r.take(size);
        if (!r.ok()) return format_error("recipient ", i, " is cut");
        if (slot.flags & ~kCritical) return format_error("recipient ", i, " with flags ", slot.flags);
        if (!ids.insert(as_text(slot.slot_id)).second) return format_error("two recipients with one id");
        const SlotKind* kind = find_slot_kind(slot.kind);
        if (!kind && (slot.flags & kCritical)) return unsupported("recipient of unknown kind ", slot.kind);
        if (kind && !kind->fits(slot.body)) return format_error("recipient ", i, " of ", size, " bytes");
        slots.push_back(slot);
    }
    return slots;
}

Result<Slots> parse_slots(Bytes region, const trust::Caps& caps) {
    Reader r(region);
    Slots out;
    if (as_text(r.take(kSlotsMagic.size())) != kSlotsMagic) return format_error("no recipient region");
    const uint16_t version = r.u16();
    const uint16_t n = r.u16();
    out.generation = r.u64();
    const uint32_t total = r.u32();
    out.flags = r.u32();
    out.content_id = r.array<32>();
    const Bytes reserved = r.take(8);
    if (version != kSlotsVersion) return unsupported("recipient region of version ", version);
    if (total > region.size()) return format_error("cut: the last ", total - region.size(), " bytes are missing");
    if (total < region.size()) return format_error(region.size() - total, " bytes too many behind the recipients");
    if (!all_zero(reserved)) return format_error("recipient region: reserved bytes are set");
    if (n == 0 || n > caps.slots || n > kMaxSlots) return format_error(n, " recipients");
    if (out.flags & ~kGrant) return unsupported("recipient region flags ", out.flags);

    COFFER_TRY_ASSIGN(out.slots, parse_slot_list(r, n, caps));
    out.before_mac = region.first(r.position());
    out.mac = r.take(kMacSize);
    if (!r.ok()) return format_error("recipient region is cut");
    COFFER_TRY_ASSIGN(out.signatures, parse_signatures(region.subspan(r.position()), /*padded=*/false));
    return out;
}

Status check_slots_signature(const Slots& slots, const trust::Policy& policy) {
    COFFER_TRY_ASSIGN(const Digest digest, crypto::sha256({slots.before_mac, slots.mac}));
    auto signers = trust::verify_signatures(slots.signatures, policy.distributors, trust::kSlotsLabel, digest);
    if (!signers.ok()) return authentic_or(std::move(signers).error(), Detail::kSignature);
    // Recipients have no date, so a distributor's limits of time say nothing about them.
    const auto trusted =
        std::ranges::count_if(*signers, [](const trust::Signer* s) { return s->state != trust::KeyState::kRevoked; });
    const bool enough = static_cast<size_t>(trusted) >= policy.needed(trust::KeyRole::kDistributor);
    return enough ? Status() : not_authentic(Detail::kSignature);
}

Status check_slot_rules(const Slots& slots, const Header& header, bool has_trusted_signature) {
    const auto with_kind = [&](uint16_t kind) { return std::ranges::count(slots.slots, kind, &Slot::kind); };
    const auto clear = with_kind(kClearSlot.kind);
    const bool only_clear = clear == 1 && slots.slots.size() == 1;
    if (header.has(kUnprotected) ? !only_clear : clear != 0) {
        return format_error("a key in clear and the unprotected flag go together");
    }
    const auto not_raw = [](const Slot& slot) { return slot.kind != kRawSlot.kind; };
    if (header.has(kLicenceRequired) && std::ranges::any_of(slots.slots, not_raw)) {
        return format_error("a file that demands a licence has recipients that are not product keys");
    }
    const auto passwords = with_kind(kScryptSlot.kind);
    if (passwords > 1) return format_error(passwords, " password recipients");
    if (passwords == 1 && slots.slots.size() > 1 && !has_trusted_signature) {
        return format_error("a password beside other recipients in a file without a trusted signature");
    }
    const bool classical = std::ranges::any_of(slots.slots, [](const Slot& slot) {
        const SlotKind* kind = find_slot_kind(slot.kind);
        return kind && kind->classical;
    });
    if (header.has(kPostQuantumOnly) && classical) {
        return format_error("a recipient without post-quantum protection in a file that demands it");
    }
    return {};
}

Result<Digest> slots_mac(const crypto::SecretBytes& key, Bytes hdr, Bytes before_mac) {
    return crypto::hmac_sha256(key.bytes(), {as_bytes("coffer/v1/slots"), hdr, before_mac});
}

namespace {

// One open's search for the file key.
class Search {
 public:
    Search(std::span<const Slots* const> blocks, const Header& header, const trust::Keyring& keyring,
           const trust::Policy& policy, unsigned& calls_left)
        : blocks_(blocks), header_(header), means_{keyring, policy, calls_left} {}

    Result<Unwrapped> run() {
        for (const SlotKind* kind : slot_kinds()) {
            if (!kind->costly) COFFER_TRY(try_kind(*kind));
        }
        COFFER_TRY(try_providers());
        for (const SlotKind* kind : slot_kinds()) {
            if (kind->costly) COFFER_TRY(try_kind(*kind));
        }
        if (!found_.dek.empty()) return std::move(found_);
        return failed_ ? *failed_ : not_authentic(Detail::kNoRecipient);
    }

 private:
    template <class F>
    Status try_slot(const Slots& block, const Slot& slot, F&& open) {
        const std::vector<std::byte> context = slot_context(slot.kind, slot.slot_id, block.content_id);
        const trust::SlotView view{slot.kind,        slot.flags, header_.aead(), slot.slot_id,
                                   block.content_id, context,    slot.body};
        Result<crypto::SecretBytes> dek = open(view);
        if (!dek.ok()) {
            if (dek.error().detail() == Detail::kNoRecipient) return {};
            if (dek.error().code() != Code::kAuth) return std::move(dek).error();
            failed(dek.error());
            return {};
        }
        if (dek->size() != kDekSize) {
            failed(not_authentic(Detail::kUnwrap));
            return {};
        }
        found_ = {std::move(dek).value(), slot.kind, &block};
        return {};
    }
    // A helper or token that failed says why in its own words (Detail::kUnwrap): they tell of this machine, not of
    // the file, and are kept in front of the one sentence.
    void failed(const Error& e) {
        const bool own_words = e.detail() == Detail::kUnwrap && e.message() != kNotAuthentic;
        if (own_words && (!failed_ || failed_->message() == kNotAuthentic)) failed_ = e;
        if (!failed_) failed_ = not_authentic(Detail::kUnwrap);
    }
    // Calls visit(block, slot) until the key is found.
    template <class F>
    Status for_each_slot(F&& visit) {
        for (const Slots* block : blocks_) {
            for (const Slot& slot : block->slots) {
                if (!found_.dek.empty()) return {};
                if (means_.policy.allows_slot(slot.kind)) COFFER_TRY(visit(*block, slot));
            }
        }
        return {};
    }
    Status try_kind(const SlotKind& kind) {
        return for_each_slot([&](const Slots& block, const Slot& slot) -> Status {
            if (slot.kind != kind.kind) return {};
            return try_slot(block, slot, [&](const trust::SlotView& v) { return kind.unwrap(v, means_); });
        });
    }
    Status try_providers() {
        for (const trust::KeyProvider& provider : means_.keyring.providers()) {
            COFFER_TRY(for_each_slot([&](const Slots& block, const Slot& slot) -> Status {
                if (slot.kind == kClearSlot.kind || !means_.take_call()) return {};
                return try_slot(block, slot, provider);
            }));
        }
        return {};
    }

    std::span<const Slots* const> blocks_;
    const Header& header_;
    Means means_;
    Unwrapped found_;
    std::optional<Error> failed_;  // of the slots that were meant for a key of the ring
};

}  // namespace

Result<Unwrapped> unwrap(std::span<const Slots* const> blocks, const Header& header, const trust::Keyring& keyring,
                         const trust::Policy& policy, unsigned* calls_left) {
    unsigned all = policy.caps.provider_calls;
    return Search(blocks, header, keyring, policy, calls_left ? *calls_left : all).run();
}

namespace {

void put_slot(Writer& w, const Slot& slot) {
    w.u16(slot.kind);
    w.u16(slot.flags);
    w.u32(static_cast<uint32_t>(slot.body.size()));
    w.put(slot.slot_id);
    w.put(slot.body);
}

}  // namespace

Result<std::vector<std::byte>> encode_slot(const Recipient& recipient, crypto::Suite suite, Bytes bound_to,
                                           Bytes secret) {
    COFFER_TRY_ASSIGN(const Id slot_id, crypto::random_array<sizeof(Id)>());
    const std::vector<std::byte> context = slot_context(recipient.kind, slot_id, bound_to);
    const trust::SlotView view{recipient.kind, 0, suite, slot_id, bound_to, context, {}};
    COFFER_TRY_ASSIGN(const std::vector<std::byte> body, recipient.wrap(view, secret));
    Writer w;
    put_slot(w, {recipient.kind, 0, slot_id, body});
    return w.take();
}

Result<std::vector<std::byte>> encode_slots(const Header& header, Bytes hdr, const SlotsContent& content, Bytes dek,
                                            const crypto::SecretBytes& mac_key) {
    const size_t count = content.kept.size() + content.recipients.size();
    if (count == 0) return error(Code::kInvalidArgument, "no recipient would be left");
    if (count > kMaxSlots) return error(Code::kInvalidArgument, count, " recipients; at most ", kMaxSlots);
    if (content.distributors.size() > kMaxSignatures) {
        return error(Code::kInvalidArgument, "more than ", kMaxSignatures, " distributors sign");
    }
    COFFER_TRY_ASSIGN(const Digest content_id, crypto::sha256(hdr));
    Writer slots;
    for (const Slot& slot : content.kept) put_slot(slots, slot);
    for (const Recipient& recipient : content.recipients) {
        COFFER_TRY_ASSIGN(const auto slot, encode_slot(recipient, header.aead(), content_id, dek));
        slots.put(slot);
    }
    uint64_t total = kSlotsHead + slots.size() + kMacSize;
    for (const trust::SigningKey* key : content.distributors) {
        total += kSignatureHead + trust::signature_size(static_cast<uint16_t>(key->signer().alg));
    }
    if (total > kSlotsMax) {
        return error(Code::kInvalidArgument, "recipients of ", total, " bytes; at most ", kSlotsMax);
    }
    Writer w;
    w.put(kSlotsMagic);
    w.u16(kSlotsVersion);
    w.u16(static_cast<uint16_t>(count));
    w.u64(content.generation);
    w.u32(static_cast<uint32_t>(total));
    w.u32(content.flags);
    w.put(content_id);
    w.zeros(8);
    w.put(slots.bytes());
    COFFER_TRY_ASSIGN(const Digest mac, slots_mac(mac_key, hdr, w.bytes()));
    w.put(mac);
    COFFER_TRY_ASSIGN(const Digest digest, crypto::sha256(w.bytes()));
    for (const trust::SigningKey* key : content.distributors) {
        COFFER_TRY_ASSIGN(const auto signature, key->sign(trust::kSlotsLabel, digest));
        w.put(encode_signature(key->signer(), signature));
    }
    return w.take();
}

}  // namespace coffer::container
