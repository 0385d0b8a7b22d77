#include "container/sign.hpp"

#include <algorithm>

#include "container/errors.hpp"
#include "container/in_place.hpp"
#include "container/opening.hpp"

namespace coffer::container {
namespace {

// Everything that a signature vouches for was read and its hashes hold. Whether to trust what it says, or the
// signatures that are there, is for whoever holds the key.
trust::Policy unconditional() {
    trust::Policy policy;
    policy.allow_unsigned = policy.allow_unprotected = true;
    policy.now = [] { return int64_t{0}; };
    return policy;
}

class Signable {
 public:
    static Result<Signable> read(Source source, const SignOptions& options) {
        constexpr Opening::Step steps[] = {
            &Opening::step_1_policy,  &Opening::step_2_source,     &Opening::step_3_header,
            &Opening::step_4_regions, &Opening::step_5_signatures, &Opening::step_6_facts,
            &Opening::manifest_hash,  &Opening::step_13_table,     &Opening::all_leaves,
        };
        const trust::Policy policy = unconditional();
        OpenOptions open_options;
        open_options.parallel = options.parallel;
        Opening opening(source, policy, nullptr, open_options);
        opening.stream_only();
        COFFER_TRY(opening.run(steps));

        Signable out;
        out.facts_ = opening.facts();
        out.head_.assign(opening.head().begin(), opening.head().end());
        const Header& h = out.facts_.header;
        if (h.model_id == Id{} || h.model_version == 0) {
            return error(Code::kInvalidArgument, "the model has no name and version, and a signed one needs both");
        }
        out.slots_.resize(out.facts_.file_size - h.body_len);
        COFFER_TRY(source.open());
        COFFER_TRY(source.read_at(h.body_len, out.slots_));
        COFFER_TRY_ASSIGN(const Slots slots, parse_slots(out.slots_, policy.caps));
        if (slots.content_id != out.facts_.content_id) return not_authentic(Detail::kHeaderAuth);
        COFFER_TRY(check_slot_rules(slots, h, /*has_trusted_signature=*/true));
        for (const SignatureEntry& entry : slots.signatures) out.distributors_.push_back(entry.key_id);
        return out;
    }

    const Facts& facts() const { return facts_; }
    Bytes head() const { return head_; }
    Bytes slots() const { return slots_; }

    Status check_signer(const trust::Signer& signer) const {
        if (std::ranges::find(distributors_, signer.id) == distributors_.end()) return {};
        return error(Code::kInvalidArgument, "the key signed the recipients of this file, and a key has one role");
    }
    // HDR and SIGS with more entries.
    Result<std::vector<std::byte>> with(std::span<const Signing> signings, size_t& count) const {
        COFFER_TRY_ASSIGN(const auto old, parse_signatures(Bytes(head_).subspan(kSigsOffset), /*padded=*/true));
        std::vector<Digest> ids;
        size_t used = 0;
        for (const SignatureEntry& entry : old) {
            ids.push_back(entry.key_id);
            used += kSignatureHead + entry.signature.size();
        }
        Writer sigs;
        sigs.put(Bytes(head_).first(kSigsOffset + used));
        for (const Signing& signing : signings) {
            COFFER_TRY(check_signer(signing.signer));
            if (std::ranges::find(ids, signing.signer.id) != ids.end()) {
                return error(Code::kInvalidArgument, "the file is signed by this key already");
            }
            ids.push_back(signing.signer.id);
            COFFER_TRY_ASSIGN(const std::vector<std::byte> signature, signing.sign(facts_.content_id));
            const Status valid = signing.signer.verify(trust::kHeaderLabel, facts_.content_id, signature);
            if (!valid.ok()) {
                return error(valid.error().code(), valid.error().detail(), "the signature is not by this key over '",
                             trust::kHeaderLabel, "' of this file");
            }
            sigs.put(encode_signature(signing.signer, signature));
        }
        count = ids.size();
        if (count > kMaxSignatures || sigs.size() > kHeadSize) {
            return error(Code::kInvalidArgument, count, " signatures; a file has at most ", kMaxSignatures);
        }
        sigs.zeros(kHeadSize - sigs.size());
        return sigs.take();
    }

 private:
    Facts facts_;
    std::vector<std::byte> head_, slots_;
    std::vector<Digest> distributors_;
};

// The finished file is one that a reader accepts who demands just these signatures.
Status check_signed(const std::string& path, std::span<const Signing> signings) {
    constexpr Opening::Step steps[] = {&Opening::step_1_policy, &Opening::step_2_source, &Opening::step_3_header,
                                       &Opening::step_4_regions, &Opening::step_5_signatures};
    trust::Policy policy;
    for (const Signing& signing : signings) COFFER_TRY(policy.add_signer(signing.signer));
    policy.threshold = static_cast<unsigned>(signings.size());
    const OpenOptions options;
    Opening opening(Source::file(path), policy, nullptr, options);
    opening.stream_only();
    return opening.run(steps);
}

}  // namespace

Signing signing_with(const trust::SigningKey& key) {
    return {key.signer(), [&key](const Digest& content_id) -> Result<std::vector<std::byte>> {
                COFFER_TRY_ASSIGN(const auto signature, key.sign(trust::kHeaderLabel, content_id));
                return std::vector<std::byte>(signature.begin(), signature.end());
            }};
}

Signing signing_made(const trust::Signer& signer, Bytes signature) {
    std::vector<std::byte> bytes(signature.begin(), signature.end());
    return {signer, [bytes](const Digest&) -> Result<std::vector<std::byte>> { return bytes; }};
}

Result<Signed> sign(const std::string& path, std::span<const Signing> signings, const SignOptions& options) {
    if (signings.empty()) return error(Code::kInvalidArgument, "no key to sign with");
    COFFER_TRY_ASSIGN(InPlace place, InPlace::begin(path, options.lock_wait_ms));
    COFFER_TRY_ASSIGN(const Signable file, Signable::read(place.source(), options));
    Signed out;
    out.content_id = file.facts().content_id;
    COFFER_TRY_ASSIGN(const std::vector<std::byte> head, file.with(signings, out.signatures));
    COFFER_TRY(place.replace(file.facts().header, {file.head(), file.slots()}, {head, file.slots()},
                             [&](const std::string& temporary) { return check_signed(temporary, signings); }));
    return out;
}

Result<std::vector<std::byte>> signing_message(const std::string& path, const trust::Signer& signer,
                                               const SignOptions& options) {
    COFFER_TRY_ASSIGN(const Signable file, Signable::read(Source::file(path), options));
    COFFER_TRY(file.check_signer(signer));
    return trust::sign_message(trust::kHeaderLabel, signer.alg, signer.id, file.facts().content_id);
}

}  // namespace coffer::container
