#include "container/opening.hpp"

#include <algorithm>

#include "coffer/base/checked.hpp"
#include "container/errors.hpp"
#include "container/grant.hpp"
#include "container/keys.hpp"
#include "container/licence.hpp"
#include "trust/bundle.hpp"
#include "trust/utc.hpp"

namespace coffer::container {

Status Opening::run(std::span<const Step> steps) {
    for (const Step step : steps) COFFER_TRY((this->*step)());
    return {};
}

// The policy is complete before anything of the file is looked at, with what it remembers.
Status Opening::step_1_policy() {
    COFFER_TRY(policy_.check());
    COFFER_TRY_ASSIGN(const int64_t time, policy_.current_time());
    clock_ = static_cast<uint64_t>(std::max<int64_t>(time, 0));
    now_ = clock_;
    if (!policy_.state) return {};
    if (policy_.bundle) {
        // Stored at once: what a bundle withdraws stays withdrawn, also when no file opens under it.
        const auto adopt = [&](trust::State& state) -> Status {
            COFFER_TRY(state.adopt(*policy_.bundle));
            state_ = state;
            return {};
        };
        COFFER_TRY(trust::update_state(*policy_.state, adopt));
    } else {
        COFFER_TRY_ASSIGN(state_, trust::load_state(*policy_.state));
    }
    now_ = std::max(now_, state_->latest_time());
    return {};
}

Status Opening::step_2_source() {
    COFFER_TRY(source_.open());
    facts_.file_size = source_.size();
    if (facts_.file_size < kMinFile) {
        return format_error("not a coffer file, or cut: ", facts_.file_size, " bytes");
    }
    if (facts_.file_size > policy_.caps.file_bytes) {
        return over_limit("a file of ", facts_.file_size, " bytes; the policy allows ", policy_.caps.file_bytes);
    }
    return {};
}

Status Opening::step_3_header() {
    COFFER_TRY(source_.read_at(0, head_));
    COFFER_TRY_ASSIGN(facts_.header, parse_header(hdr()));
    if (!policy_.allows(facts_.header.aead())) {
        return unsupported("cipher suite ", facts_.header.suite, " is not in the policy");
    }
    return {};
}

Status Opening::step_4_regions() {
    const Header& h = facts_.header;
    COFFER_TRY(check_regions(h, facts_.file_size));
    if (h.manifest_len > policy_.caps.manifest_bytes) {
        return over_limit("a manifest of ", h.manifest_len, " bytes; the policy allows ",
                          policy_.caps.manifest_bytes);
    }
    const uint64_t slots_len = facts_.file_size - h.body_len;
    if (slots_len > policy_.caps.slots_bytes) return over_limit("a recipient region of ", slots_len, " bytes");
    // Far below 2^64 each, as they are below the size of the file.
    const uint64_t memory = h.manifest_len + h.table_len + slots_len + (streaming_ ? 0 : h.payload_len);
    if (memory > policy_.memory_bytes()) {
        return over_limit("the model needs ", memory, " bytes of memory; the policy allows ", policy_.memory_bytes());
    }
    return {};
}

Status Opening::step_5_signatures() {
    COFFER_TRY_ASSIGN(facts_.content_id, crypto::sha256(hdr()));
    auto entries = parse_signatures(Bytes(head_).subspan(kSigsOffset), /*padded=*/true);
    if (!entries.ok()) return not_authentic(Detail::kSignature);
    size_t revoked = 0;
    for (const SignatureEntry& entry : *entries) {
        const trust::Signer* signer = policy_.find_signer(entry.key_id);
        if (!signer || entry.alg != static_cast<uint16_t>(signer->alg)) continue;
        COFFER_TRY(authentic_or(signer->verify(trust::kHeaderLabel, facts_.content_id, entry.signature),
                                Detail::kSignature));
        revoked += signer->state == trust::KeyState::kRevoked && signer->in_time(facts_.header.created);
        if (!signer->counts(facts_.header.created)) continue;
        facts_.signers.push_back(entry.key_id);  // distinct: parse_signatures refuses a key that signs twice
    }
    const size_t needed = policy_.needed(trust::KeyRole::kPublisher);
    if (facts_.signers.size() >= needed || policy_.allow_unsigned) return {};
    if (facts_.signers.size() + revoked >= needed) {
        return refused(Detail::kRevoked, "the key that signed the file was revoked");
    }
    return not_authentic(entries->empty() ? Detail::kSignature : Detail::kUntrusted);
}

Status Opening::step_6_facts() {
    const Header& h = facts_.header;
    if (h.has(kUnprotected) && !policy_.allow_unprotected) {
        return refused(Detail::kUnprotected, "the file is not encrypted to anyone; the policy refuses such files");
    }
    if (policy_.model && *policy_.model != h.model_id) {
        return refused(Detail::kWrongModel, "the file holds another model than '", policy_.model_name, "'");
    }
    const uint64_t least = policy_.min_version_of(h.model_id);
    if (h.model_version < least) {
        return refused(Detail::kRollback, "model version ", h.model_version, " is below ", least);
    }
    if (state_ && h.model_version < state_->version(h.model_id)) {
        return refused(Detail::kRollback, "model version ", h.model_version, " is below ",
                       state_->version(h.model_id), ", which was seen before");
    }
    if (h.not_after != 0) COFFER_TRY(check_clock(0));
    if (h.not_after != 0 && now_ > h.not_after) {
        return refused(Detail::kExpired, "the file expired at ", trust::utc_text(h.not_after), ", it is now ",
                       trust::utc_text(now_));
    }
    COFFER_TRY(bundle_in_force());
    if (policy_.is_revoked(facts_.content_id)) return refused(Detail::kRevoked, "the file was revoked");
    return {};
}

Status Opening::check_clock(uint64_t slack) const {
    return state_ ? state_->check_clock(clock_, slack) : Status();
}

// A bundle that expired says nothing of what was withdrawn since: only files that were opened before go on.
Status Opening::bundle_in_force() const {
    if (!policy_.bundle || policy_.bundle->expires == 0) return {};
    COFFER_TRY(check_clock(0));
    if (now_ <= policy_.bundle->expires || (state_ && state_->knows(facts_.content_id))) return {};
    return refused(Detail::kExpired, "the trust bundle expired at ", trust::utc_text(policy_.bundle->expires),
                   ", it is now ", trust::utc_text(now_), ", and the file was not opened before");
}

Status Opening::step_7_slots() {
    const Header& h = facts_.header;
    slots_bytes_.resize(facts_.file_size - h.body_len);
    COFFER_TRY(source_.read_at(h.body_len, slots_bytes_));
    COFFER_TRY_ASSIGN(slots_, parse_slots(slots_bytes_, policy_.caps));
    if (slots_.content_id != facts_.content_id) return not_authentic(Detail::kHeaderAuth);
    if (slots_.flags & kGrant) return format_error("a grant stands in the place of the recipients");
    if (h.has(kSlotsSigned)) COFFER_TRY(check_slots_signature(slots_, policy_));
    COFFER_TRY(check_slot_rules(slots_, h, !facts_.signers.empty()));
    if (keyring_) {
        COFFER_TRY_ASSIGN(grants_, grants_for(facts_.header, facts_.content_id, *keyring_, policy_));
    }
    return {};
}

Status Opening::step_8_licence() {
    if (!facts_.header.has(kLicenceRequired)) return {};
    const auto clock = [&](uint64_t slack) { return check_clock(slack); };
    COFFER_TRY_ASSIGN(licences_, accept_licences(facts_.header, *keyring_, policy_, now_, clock));
    return {};
}

Status Opening::step_9_unwrap() {
    if (facts_.header.has(kLicenceRequired)) return unwrap_licensed();
    return unwrap_with(*keyring_, policy_);
}

// No key of the ring opens such a file by itself: only a product key out of a licence, in a slot of kind 1.
Status Opening::unwrap_licensed() {
    trust::Policy only_raw = policy_;
    only_raw.slot_kinds = {static_cast<uint16_t>(trust::SlotKind::kRaw)};
    Error reason = not_authentic(Detail::kNoRecipient);
    unsigned calls_left = policy_.caps.provider_calls;
    for (trust::Licence& licence : licences_) {
        auto products = product_keys(licence, facts_.header, *keyring_, policy_, calls_left);
        Status status = products.ok() ? unwrap_with(*products, only_raw) : Status(std::move(products).error());
        if (status.ok()) {
            facts_.licence_in_grace = trust::in_grace(licence.claims, now_);
            facts_.licence = std::make_shared<const trust::Licence>(std::move(licence));
            return {};
        }
        if (status.error().code() != Code::kAuth) return status;
        reason = std::move(status).error();
    }
    return reason;
}

Status Opening::unwrap_with(const trust::Keyring& keyring, const trust::Policy& policy) {
    std::vector<const Slots*> blocks;
    for (const Slots& grant : grants_) blocks.push_back(&grant);
    blocks.push_back(&slots_);
    COFFER_TRY_ASSIGN(Unwrapped unwrapped, unwrap(blocks, facts_.header, keyring, policy));
    dek_ = std::move(unwrapped.dek);
    slot_kind_ = unwrapped.kind;
    if (unwrapped.block != &slots_) used_grant_ = unwrapped.block;
    return {};
}

Status Opening::step_10_commitment() {
    COFFER_TRY_ASSIGN(Schedule schedule, Schedule::create(facts_.header, dek_.bytes()));
    dek_ = {};
    schedule_ = std::make_unique<Schedule>(std::move(schedule));
    COFFER_TRY_ASSIGN(const Digest commit, schedule_->key_commit());
    if (!crypto::constant_time_equal(commit, facts_.header.key_commit)) return not_authentic(Detail::kCommitment);
    COFFER_TRY_ASSIGN(const crypto::SecretBytes mac_key, schedule_->slots_mac_key());
    for (const Slots* block : {static_cast<const Slots*>(&slots_), used_grant_}) {
        if (!block) continue;
        COFFER_TRY_ASSIGN(const Digest mac, slots_mac(mac_key, hdr(), block->before_mac));
        if (!crypto::constant_time_equal(mac, block->mac)) return not_authentic(Detail::kHeaderAuth);
    }
    facts_.generation = slots_.generation;
    facts_.by_grant = used_grant_ != nullptr;
    const uint64_t seen = state_ ? state_->generation(facts_.content_id) : 0;
    if (facts_.header.has(kSlotsSigned) && facts_.generation < seen) {
        return refused(Detail::kRollback, "the recipients are of generation ", facts_.generation,
                       ", the file was seen with ", seen);
    }
    return {};
}

Status Opening::manifest_hash() {
    const Header& h = facts_.header;
    manifest_bytes_.resize(h.manifest_len);
    COFFER_TRY(source_.read_at(kHeadSize, manifest_bytes_));
    COFFER_TRY_ASSIGN(const Digest hash, crypto::sha256(manifest_bytes_));
    if (hash != h.manifest_hash) return not_authentic(Detail::kManifestAuth);
    return {};
}

Status Opening::step_11_manifest() {
    COFFER_TRY(manifest_hash());
    const Header& h = facts_.header;
    manifest_size_ = h.manifest_len - kTagSize;
    COFFER_TRY_ASSIGN(const KeyAndNonce key, schedule_->manifest());
    COFFER_TRY_ASSIGN(crypto::Opener opener, crypto::Opener::create(h.aead(), key.key()));
    const MutableBytes text(manifest_bytes_.data(), manifest_size_);
    const std::span<const std::byte, kTagSize> tag(manifest_bytes_.data() + manifest_size_, kTagSize);
    return authentic_or(opener.open(key.nonce(), manifest_aad(h), text, tag, text), Detail::kManifestAuth);
}

Status Opening::step_12_validate() {
    const Header& h = facts_.header;
    const ManifestContext context{h.model_id, h.model_version, h.payload_len, policy_.caps, options_.check_op};
    auto decoded = decode_manifest(Bytes(manifest_bytes_.data(), manifest_size_), context);
    if (!decoded.ok()) {
        // The reason may name what the file keeps secret.
        const bool may_tell = policy_.debug_names || h.has(kUnprotected);
        if (may_tell || decoded.error().detail() != Detail::kManifestInvalid) return std::move(decoded).error();
        return manifest_invalid("a rule of the format is broken (the policy can ask for the details)");
    }
    manifest_ = std::move(decoded).value();
    if (options_.digests) {
        COFFER_TRY_ASSIGN(manifest_sha256_, manifest_digest());
    }
    manifest_bytes_ = PrivateVector<std::byte>();
    return {};
}

Result<Digest> Opening::manifest_digest() const {
    const Bytes text(manifest_bytes_.data(), manifest_size_);
    return crypto::sha256(text.first(load_le(text.first(4)) + 4));  // its prefix was checked in step 12
}

Status Opening::step_13_table() {
    COFFER_TRY_ASSIGN(table_, read_table(source_, facts_.header));
    return {};
}

Status Opening::step_14_memory() {
    const Header& h = facts_.header;
    uint64_t memory = 0;
    if (!checked_add(h.payload_len + h.table_len, manifest_.extra_memory, &memory) ||
        memory > policy_.memory_bytes()) {
        return over_limit("the model needs ", memory, " bytes of memory; the policy allows ", policy_.memory_bytes());
    }
    COFFER_TRY_ASSIGN(KeyAndNonce key, schedule_->payload());
    Payload::Setup setup{source_, h, std::move(table_), std::move(key), policy_.integrity, options_.page_flags};
    COFFER_TRY_ASSIGN(payload_, Payload::create(std::move(setup)));
    return {};
}

Status Opening::step_15_chunks() {
    if (lazy()) return {};
    return payload_->load(0, facts_.header.payload_len, options_.parallel);
}

Status Opening::step_16_finish() {
    if (options_.digests) {
        COFFER_TRY_ASSIGN(payload_sha256_, crypto::sha256(payload_->bytes()));
    }
    PayloadAccess access;
    access.lazy = lazy();
    access.leave_stored = options_.leave_stored;
    access.need = [this](uint64_t offset, uint64_t nbytes) {
        return payload_->load(offset, nbytes, options_.parallel);
    };
    access.drop = [this](uint64_t offset, uint64_t nbytes) { payload_->discard(offset, nbytes); };
    COFFER_TRY(bind_payload(manifest_, payload_->bytes(), payload_, options_.page_flags, access, &decoded_));
    payload_->seal_memory();
    schedule_.reset();
    return {};
}

// Only what a trusted signer vouched for is remembered: else anybody's file could raise the version.
Status Opening::remember() {
    if (!policy_.state || facts_.signers.empty()) return {};
    // Without a distributor's signature every holder of the key can write any generation.
    const uint64_t generation = facts_.header.has(kSlotsSigned) ? slots_.generation : 0;
    const trust::State::Seen seen{facts_.header.model_id, facts_.header.model_version, facts_.content_id, generation};
    return trust::update_state(*policy_.state, [&](trust::State& state) -> Status {
        if (policy_.bundle) COFFER_TRY(state.adopt(*policy_.bundle));
        state.see_time(clock_);
        return state.see(seen);
    });
}

Status Opening::remember_time() {
    if (!policy_.state || facts_.signers.empty()) return {};
    return trust::update_state(*policy_.state, [&](trust::State& state) -> Status {
        state.see_time(clock_);
        return {};
    });
}

Status Opening::all_leaves() {
    return check_leaves(source_, facts_.header, table_, options_.parallel);
}

Result<Digest> Opening::stream_payload() {
    COFFER_TRY_ASSIGN(const KeyAndNonce key, schedule_->payload());
    return payload_digest(source_, facts_.header, table_, key);
}

Opened Opening::take() {
    Opened out;
    out.model = std::move(manifest_.model);
    out.facts = std::move(facts_);
    out.slot_kind = slot_kind_;
    out.fingerprint = std::move(manifest_.fingerprint);
    out.locked = payload_->locked() && (!decoded_.pages || decoded_.pages->locked());
    out.payload = std::move(payload_);
    out.decoded = std::move(decoded_);
    out.manifest_sha256 = manifest_sha256_;
    out.payload_sha256 = payload_sha256_;
    return out;
}

}  // namespace coffer::container
