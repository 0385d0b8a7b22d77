#include "container/licence.hpp"

#include <algorithm>
#include <set>

#include "container/errors.hpp"
#include "container/slot_kinds.hpp"
#include "crypto/random.hpp"

namespace coffer::container {
namespace {

template <class... Parts>
Error licence_error(Code code, const Parts&... parts) {
    return error(code, Detail::kLicence, "licence: ", parts...);
}

// Only asymmetric kinds: a licence is made for a device whose public key is known.
bool may_wrap(uint16_t kind) {
    using trust::SlotKind;
    return kind == static_cast<uint16_t>(SlotKind::kX25519) || kind == static_cast<uint16_t>(SlotKind::kP256) ||
           kind == static_cast<uint16_t>(SlotKind::kTpm) || kind == static_cast<uint16_t>(SlotKind::kMlKem768X25519);
}

Result<std::vector<Slot>> parse_wraps(const trust::Licence& licence, const trust::Caps& caps) {
    Reader r(licence.wraps);
    auto wraps = parse_slot_list(r, licence.wrap_count, caps);
    if (!wraps.ok()) return licence_error(wraps.error().code(), wraps.error().message());
    if (!r.at_end()) return licence_error(Code::kFormat, "bytes after its last wrap");
    for (const Slot& wrap : *wraps) {
        if (!may_wrap(wrap.kind)) return licence_error(Code::kFormat, "a wrap of kind ", wrap.kind);
    }
    return wraps;
}

}  // namespace

Result<std::vector<trust::Licence>> accept_licences(const Header& header, const trust::Keyring& keyring,
                                                    const trust::Policy& policy, uint64_t now,
                                                    const std::function<Status(uint64_t slack)>& check_clock) {
    if (policy.licensors.empty()) {
        return licence_error(Code::kPolicy, "the file needs one, and the policy trusts no licensor");
    }
    std::vector<trust::Licence> accepted;
    // The reason of the licence that came furthest: one for another model says little about this one.
    Error reason = licence_error(Code::kPolicy, "the file needs one, and none was given");
    int furthest = -1;
    const auto refuse = [&](int stage, Error why) {
        if (stage > furthest) reason = std::move(why);
        furthest = std::max(furthest, stage);
    };
    for (const std::vector<std::byte>& file : keyring.licences()) {
        auto licence = trust::verify_licence(file, policy);
        if (!licence.ok()) {
            if (licence.error().detail() != Detail::kLicence) return std::move(licence).error();
            refuse(0, std::move(licence).error());
            continue;
        }
        Status status = trust::check_covers(*licence, header.model_id, header.model_version);
        if (!status.ok()) {
            refuse(1, std::move(status).error());
            continue;
        }
        status = trust::check_permits(*licence, policy, now);
        if (!status.ok() && gave_up(status.error().code())) return std::move(status).error();
        if (status.ok() && !policy.allows(licence->claims.suite)) {
            status =
                licence_error(Code::kUnsupported, "cipher suite ", licence->claims.suite, " is not in the policy");
        }
        if (!status.ok()) {
            refuse(2, std::move(status).error());
            continue;
        }
        const bool dated = licence->claims.not_before != 0 || licence->claims.not_after != 0;
        if (dated) status = check_clock(licence->claims.grace);
        if (!status.ok()) {
            refuse(3, std::move(status).error());
            continue;
        }
        accepted.push_back(std::move(licence).value());
    }
    if (accepted.empty()) return reason;
    return accepted;
}

Result<trust::Keyring> product_keys(const trust::Licence& licence, const Header& header,
                                    const trust::Keyring& keyring, const trust::Policy& policy,
                                    unsigned& calls_left) {
    COFFER_TRY_ASSIGN(const std::vector<Slot> wraps, parse_wraps(licence, policy.caps));
    Header suite;
    suite.suite = static_cast<uint16_t>(licence.claims.suite);
    trust::Keyring products;
    Error reason = not_authentic(Detail::kNoRecipient);
    const std::vector<trust::KekId>& ids = licence.claims.kek_ids;
    for (const trust::KekId& id : std::set(ids.begin(), ids.end())) {
        Slots group;
        group.content_id = licence.bound_to;
        for (size_t i = 0; i < wraps.size(); ++i) {
            const SlotKind* kind = find_slot_kind(wraps[i].kind);
            const bool weak = kind && kind->classical && header.has(kPostQuantumOnly);
            if (ids[i] == id && !weak) group.slots.push_back(wraps[i]);
        }
        const Slots* const blocks[] = {&group};
        auto unwrapped = unwrap(blocks, suite, keyring, policy, &calls_left);
        if (!unwrapped.ok()) {
            if (unwrapped.error().code() != Code::kAuth) return std::move(unwrapped).error();
            if (unwrapped.error().detail() != Detail::kNoRecipient) reason = std::move(unwrapped).error();
            continue;
        }
        COFFER_TRY_ASSIGN(const trust::KekId found, trust::kek_id(unwrapped->dek.bytes()));
        if (found != id) {
            reason = not_authentic(Detail::kUnwrap);
            continue;
        }
        COFFER_TRY(products.add_raw_key(std::move(unwrapped->dek)));
    }
    if (products.raw_keys().empty()) return reason;
    return products;
}

Result<Issued> issue_licence(const LicenceOrder& order) {
    const auto bad = [](const char* why) { return error(Code::kInvalidArgument, "licence: ", why); };
    if (order.product_keys.empty()) return bad("no product key");
    if (order.recipients.empty()) return bad("nobody to issue it to");
    if (order.signers.empty()) return bad("no licensor to sign it");
    struct Wrap {
        const Recipient* recipient;
        const trust::RawKey* key;
    };
    std::vector<trust::RawKey> keys;
    for (const crypto::SecretBytes& key : order.product_keys) {
        COFFER_TRY_ASSIGN(crypto::SecretBytes copy, key.clone());
        COFFER_TRY_ASSIGN(trust::RawKey raw, trust::RawKey::from_secret(std::move(copy)));
        keys.push_back(std::move(raw));
    }
    std::vector<Wrap> wraps;
    trust::LicenceClaims claims = order.claims;
    size_t wraps_bytes = 0;
    for (const trust::RawKey& key : keys) {
        for (const Recipient& recipient : order.recipients) {
            const SlotKind* kind = find_slot_kind(recipient.kind);
            if (!may_wrap(recipient.kind) || !kind) return bad("it is issued to public keys: age1... or P-256");
            wraps.push_back({&recipient, &key});
            claims.kek_ids.push_back(key.id);
            wraps_bytes += kSlotHead + kind->body_size;
        }
    }
    if (wraps.size() > trust::kMaxWraps) return bad("more than 64 wraps");
    Issued out;
    COFFER_TRY_ASSIGN(out.id, crypto::random_array<16>());
    COFFER_TRY_ASSIGN(std::vector<std::byte> file, trust::encode_licence(out.id, claims, wraps_bytes));
    COFFER_TRY_ASSIGN(const Digest bound_to, crypto::sha256(file));
    for (const Wrap& wrap : wraps) {
        COFFER_TRY_ASSIGN(const auto slot,
                          encode_slot(*wrap.recipient, claims.suite, bound_to, wrap.key->key.bytes()));
        file.insert(file.end(), slot.begin(), slot.end());
    }
    COFFER_TRY_ASSIGN(out.file, trust::sign_licence(std::move(file), order.signers));
    return out;
}

}  // namespace coffer::container
