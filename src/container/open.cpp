#include "container/open.hpp"

#include <algorithm>

#include "container/errors.hpp"
#include "container/opening.hpp"

namespace coffer::container {

Result<Opened> open(Source source, const trust::Policy& policy, const trust::Keyring& keyring,
                    const OpenOptions& options) {
    constexpr Opening::Step steps[] = {
        &Opening::step_1_policy,      &Opening::step_2_source,     &Opening::step_3_header,
        &Opening::step_4_regions,     &Opening::step_5_signatures, &Opening::step_6_facts,
        &Opening::step_7_slots,       &Opening::step_8_licence,    &Opening::step_9_unwrap,
        &Opening::step_10_commitment, &Opening::step_11_manifest,  &Opening::step_12_validate,
        &Opening::step_13_table,      &Opening::step_14_memory,    &Opening::step_15_chunks,
        &Opening::step_16_finish,     &Opening::remember,
    };
    Opening opening(std::move(source), policy, &keyring, options);
    Status status = opening.run(steps);
    if (status.ok()) return opening.take();
    const Detail why = status.error().detail();
    if (why == Detail::kExpired || why == Detail::kLicence) COFFER_TRY(opening.remember_time());
    return std::move(status).error();
}

Result<Facts> verify(Source source, const trust::Policy& policy, const ParallelFor& parallel) {
    constexpr Opening::Step steps[] = {
        &Opening::step_1_policy,     &Opening::step_2_source, &Opening::step_3_header, &Opening::step_4_regions,
        &Opening::step_5_signatures, &Opening::step_6_facts,  &Opening::step_7_slots,  &Opening::manifest_hash,
        &Opening::step_13_table,     &Opening::all_leaves,
    };
    OpenOptions options;
    options.parallel = parallel;
    Opening opening(std::move(source), policy, nullptr, options);
    opening.stream_only();
    COFFER_TRY(opening.run(steps));
    return opening.facts();
}

Result<Facts> check_access(Source source, const trust::Policy& policy, const trust::Keyring& keyring) {
    constexpr Opening::Step steps[] = {
        &Opening::step_1_policy,     &Opening::step_2_source,      &Opening::step_3_header, &Opening::step_4_regions,
        &Opening::step_5_signatures, &Opening::step_6_facts,       &Opening::step_7_slots,  &Opening::step_8_licence,
        &Opening::step_9_unwrap,     &Opening::step_10_commitment,
    };
    const OpenOptions options;
    Opening opening(std::move(source), policy, &keyring, options);
    opening.stream_only();
    COFFER_TRY(opening.run(steps));
    return opening.facts();
}

Result<Unverified> inspect(Source source) {
    COFFER_TRY(source.open());
    Unverified out;
    out.file_size = source.size();
    if (out.file_size < kMinFile) return format_error("not a coffer file, or cut: ", out.file_size, " bytes");
    std::array<std::byte, kHeadSize> head;
    COFFER_TRY(source.read_at(0, head));
    const Bytes hdr = Bytes(head).first(kHdrSize);
    COFFER_TRY_ASSIGN(out.header, parse_header(hdr));
    COFFER_TRY(check_regions(out.header, out.file_size));
    COFFER_TRY_ASSIGN(out.content_id, crypto::sha256(hdr));
    COFFER_TRY_ASSIGN(const auto signatures, parse_signatures(Bytes(head).subspan(kSigsOffset), /*padded=*/true));
    for (const SignatureEntry& s : signatures) out.signatures.push_back({s.alg, s.key_id});

    std::vector<std::byte> region(out.file_size - out.header.body_len);
    COFFER_TRY(source.read_at(out.header.body_len, region));
    COFFER_TRY_ASSIGN(const Slots slots, parse_slots(region, {}));
    out.slots_generation = slots.generation;
    for (const Slot& s : slots.slots) {
        UnverifiedSlot slot{s.kind, s.flags, {}, {s.body.begin(), s.body.end()}};
        std::ranges::copy(s.slot_id, slot.slot_id.begin());
        out.slots.push_back(std::move(slot));
    }
    for (const SignatureEntry& s : slots.signatures) out.slots_signatures.push_back({s.alg, s.key_id});
    return out;
}

}  // namespace coffer::container
