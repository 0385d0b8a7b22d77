#include "container/rewrite.hpp"

#include <algorithm>
#include <limits>

#include "container/errors.hpp"
#include "container/in_place.hpp"
#include "container/keys.hpp"

namespace coffer::container {
namespace {

Id id_of(const Slot& slot) {
    Id id{};
    std::ranges::copy(slot.slot_id, id.begin());
    return id;
}

// The one file key behind the old recipients is what the new ones reach, and the MAC over them holds.
Status check_rewritten(const std::string& path, const trust::Policy& policy, const crypto::SecretBytes& dek) {
    constexpr Opening::Step steps[] = {
        &Opening::step_1_policy,     &Opening::step_2_source, &Opening::step_3_header, &Opening::step_4_regions,
        &Opening::step_5_signatures, &Opening::step_6_facts,  &Opening::step_7_slots,  &Opening::step_10_commitment,
    };
    COFFER_TRY_ASSIGN(crypto::SecretBytes key, dek.clone());
    const OpenOptions options;
    Opening opening(Source::file(path), policy, nullptr, options);
    opening.stream_only();
    opening.know_key(std::move(key));
    return opening.run(steps);
}

// Who stays.
Result<std::vector<Slot>> kept_slots(const Slots& slots, const RewriteOptions& options, std::vector<Id>& removed) {
    std::vector<Slot> kept;
    for (const Slot& slot : slots.slots) {
        const Id id = id_of(slot);
        if (options.remove_all || std::ranges::find(options.remove, id) != options.remove.end()) {
            removed.push_back(id);
        } else {
            kept.push_back(slot);
        }
    }
    for (const Id& id : options.remove) {
        if (std::ranges::find(removed, id) == removed.end()) {
            return error(Code::kInvalidArgument, "the file has no such recipient any more");
        }
    }
    return kept;
}

}  // namespace

Result<Unlocked> Unlocked::create(Source source, const trust::Policy& policy, const trust::Keyring& keyring) {
    constexpr Opening::Step steps[] = {
        &Opening::step_1_policy,  &Opening::step_2_source,     &Opening::step_3_header,
        &Opening::step_4_regions, &Opening::step_5_signatures, &Opening::step_6_facts,
        &Opening::step_7_slots,   &Opening::step_8_licence,    &Opening::step_9_unwrap,
    };
    Unlocked out;
    out.options_ = std::make_unique<OpenOptions>();
    out.opening_ = std::make_unique<Opening>(std::move(source), policy, &keyring, *out.options_);
    out.opening_->stream_only();
    COFFER_TRY(out.opening_->run(steps));
    if (out.header().has(kUnprotected)) {
        return error(Code::kInvalidArgument, "the file is unprotected: it has no recipients");
    }
    COFFER_TRY_ASSIGN(out.dek_, out.opening_->dek().clone());
    COFFER_TRY(out.opening_->step_10_commitment());
    return out;
}

Result<std::vector<std::byte>> Unlocked::encode(SlotsContent content, const trust::SigningKey* distributor) const {
    if (header().has(kSlotsSigned) && !distributor) {
        return error(Code::kInvalidArgument,
                     "the file asks for signed recipients, and there is no distributor's key");
    }
    if (!header().has(kSlotsSigned) && distributor) {
        return error(Code::kInvalidArgument, "the file does not ask for signed recipients");
    }
    if (distributor) content.distributors = {&distributor, 1};
    COFFER_TRY_ASSIGN(const Schedule schedule, Schedule::create(header(), dek_.bytes()));
    COFFER_TRY_ASSIGN(const crypto::SecretBytes mac_key, schedule.slots_mac_key());
    return encode_slots(header(), hdr(), content, dek_.bytes(), mac_key);
}

Result<Rewritten> rewrite(const std::string& path, const trust::Policy& policy, const trust::Keyring& keyring,
                          const RewriteOptions& options) {
    COFFER_TRY_ASSIGN(InPlace place, InPlace::begin(path, options.lock_wait_ms));
    COFFER_TRY_ASSIGN(const Unlocked file, Unlocked::create(place.source(), policy, keyring));
    Rewritten out;
    SlotsContent content;
    COFFER_TRY_ASSIGN(content.kept, kept_slots(file.slots(), options, out.removed));
    content.recipients = options.add;
    if (file.slots().generation == std::numeric_limits<uint64_t>::max()) {
        return over_limit("the generation of the recipients cannot be raised");
    }
    content.generation = out.generation = file.slots().generation + 1;
    COFFER_TRY_ASSIGN(const std::vector<std::byte> region, file.encode(std::move(content), options.distributor));

    COFFER_TRY_ASSIGN(const Slots next, parse_slots(region, policy.caps));
    COFFER_TRY(check_slot_rules(next, file.header(), !file.facts().signers.empty()));
    out.recipients = next.slots.size();
    for (size_t i = next.slots.size() - options.add.size(); i < next.slots.size(); ++i) {
        out.added.push_back(id_of(next.slots[i]));
    }
    COFFER_TRY(
        place.replace(file.header(), {file.head(), file.slots_bytes()}, {file.head(), region},
                      [&](const std::string& temporary) { return check_rewritten(temporary, policy, file.dek()); }));
    return out;
}

}  // namespace coffer::container
