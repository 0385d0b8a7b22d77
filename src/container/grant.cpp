#include "container/grant.hpp"

#include "container/errors.hpp"
#include "container/rewrite.hpp"

namespace coffer::container {
namespace {

// A password slot would let whoever sends a grant make the reader pay for a second scrypt, and a key in clear is
// for files that are unprotected as a whole.
bool may_stand_in_grant(uint16_t kind) {
    return kind != static_cast<uint16_t>(trust::SlotKind::kClear) &&
           kind != static_cast<uint16_t>(trust::SlotKind::kScrypt);
}

Result<Slots> parse_grant(Bytes grant, const trust::Caps& caps) {
    if (grant.size() < kSlotsMin || grant.size() > kMaxGrant) {
        return format_error("not a grant, or cut: ", grant.size(), " bytes");
    }
    auto parsed = parse_slots(grant, caps);
    if (!parsed.ok()) return parsed.error().within("grant: ");
    if (parsed->flags != kGrant) return format_error("grant: these are the recipients of a file");
    if (parsed->generation != 0) return format_error("grant: generation ", parsed->generation);
    for (const Slot& slot : parsed->slots) {
        if (!may_stand_in_grant(slot.kind)) {
            return format_error("grant: a recipient of kind '", trust::slot_kind_name(slot.kind), "'");
        }
    }
    return parsed;
}

// What the file's flags say of its recipients holds for those outside it.
Status check_grant_rules(const Slots& grant, Header header) {
    header.incompat &= ~uint32_t{kUnprotected};  // the key in clear is the file's business alone
    return check_slot_rules(grant, header, /*has_trusted_signature=*/true);
}

}  // namespace

Status add_grant(trust::Keyring& keyring, Bytes grant) {
    COFFER_TRY(parse_grant(grant, {}));
    keyring.add_grant({grant.begin(), grant.end()});
    return {};
}

Status load_grant(trust::Keyring& keyring, const std::string& path) {
    COFFER_TRY_ASSIGN(const std::vector<std::byte> grant, os::read_file(path, kMaxGrant));
    const Status added = add_grant(keyring, grant);
    if (!added.ok()) return added.error().within("'" + path + "': ");
    return {};
}

Result<std::vector<Slots>> grants_for(const Header& header, const Digest& content_id, const trust::Keyring& keyring,
                                      const trust::Policy& policy) {
    std::vector<Slots> out;
    for (const std::vector<std::byte>& bytes : keyring.grants()) {
        COFFER_TRY_ASSIGN(Slots grant, parse_grant(bytes, policy.caps));
        if (grant.content_id != content_id) continue;
        if (header.has(kSlotsSigned)) COFFER_TRY(check_slots_signature(grant, policy));
        COFFER_TRY(check_grant_rules(grant, header));
        out.push_back(std::move(grant));
    }
    return out;
}

Result<std::vector<std::byte>> make_grant(Source source, const trust::Policy& policy, const trust::Keyring& keyring,
                                          const GrantOptions& options) {
    for (const Recipient& recipient : options.recipients) {
        if (!may_stand_in_grant(recipient.kind)) {
            return error(Code::kInvalidArgument, "a grant cannot be to a recipient of kind '",
                         trust::slot_kind_name(recipient.kind), "'");
        }
    }
    COFFER_TRY_ASSIGN(const Unlocked file, Unlocked::create(std::move(source), policy, keyring));
    SlotsContent content;
    content.flags = kGrant;
    content.recipients = options.recipients;
    COFFER_TRY_ASSIGN(std::vector<std::byte> grant, file.encode(std::move(content), options.distributor));
    COFFER_TRY_ASSIGN(const Slots parsed, parse_grant(grant, policy.caps));
    COFFER_TRY(check_grant_rules(parsed, file.header()));
    return grant;
}

}  // namespace coffer::container
