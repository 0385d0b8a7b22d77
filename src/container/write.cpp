#include "container/write.hpp"

#include <algorithm>

#include "container/errors.hpp"
#include "container/keys.hpp"
#include "container/opening.hpp"
#include "container/payload.hpp"
#include "crypto/random.hpp"

namespace coffer::container {
namespace {

// The payload plaintext from front to back. Plain tensors are taken from where they lie; others are encoded, one
// at a time.
class Plaintext {
 public:
    explicit Plaintext(const std::vector<Item>& items) : items_(items) {}

    // The next dst.size() bytes; zeros between and after the items.
    void read(MutableBytes dst) {
        std::ranges::fill(dst, std::byte{0});
        const uint64_t end = position_ + dst.size();
        while (next_ < items_.size() && items_[next_].offset < end) {
            const Item& item = items_[next_];
            const Bytes bytes = encoded(item);
            const uint64_t from = std::max(position_, item.offset);
            const uint64_t to = std::min(end, item.offset + item.nbytes);
            if (from < to) {
                std::memcpy(dst.data() + (from - position_), bytes.data() + (from - item.offset), to - from);
            }
            if (item.offset + item.nbytes > end) break;
            ++next_;
            encoded_.clear();
        }
        position_ = end;
    }

 private:
    Bytes encoded(const Item& item) {
        if (!item.tensor.valid()) return item.blob;
        const bool strings = item.tensor.dtype() == DType::kString;
        if (!strings && item.stored == DType::kUndefined) return item.tensor.bytes();
        if (encoded_.empty()) {
            encoded_.resize(item.nbytes);
            if (strings) {
                codec::encode_strings(item.tensor.span<PrivateString>(), encoded_);
            } else {
                codec::narrow(item.tensor.dtype(), item.stored, item.tensor.bytes(), encoded_);
            }
        }
        return encoded_;
    }

    const std::vector<Item>& items_;
    size_t next_ = 0;
    uint64_t position_ = 0;
    PrivateVector<std::byte> encoded_;
};

// Calls `use(i, chunk)` for every chunk of the payload, in order, with one buffer.
template <class F>
Status for_each_chunk(const Header& h, const std::vector<Item>& items, F&& use) {
    Plaintext plaintext(items);
    COFFER_TRY_ASSIGN(const os::Pages buffer, os::Pages::allocate(h.chunk_size(), os::Pages::kPlain));
    for (uint64_t i = 0; i < h.n_chunks; ++i) {
        const MutableBytes chunk(buffer.data(), h.chunk_bytes(i));
        plaintext.read(chunk);
        COFFER_TRY(use(i, chunk));
    }
    return {};
}

Status check_options(const graph::Model& model, const WriteOptions& o) {
    const auto bad = [](const char* why) { return error(Code::kInvalidArgument, why); };
    if (o.unprotected && !o.recipients.empty()) return bad("an unprotected file has no recipients");
    if (!o.unprotected && o.recipients.empty()) return bad("no recipient: nobody could open the file");
    if (o.require_licence && (o.unprotected || std::ranges::any_of(o.recipients, [](const Recipient& r) {
                                  return r.kind != static_cast<uint16_t>(trust::SlotKind::kRaw);
                              }))) {
        return bad("a file that demands a licence is encrypted to product keys (raw) alone");
    }
    if (o.require_licence && model.name.empty()) return bad("a model under licence needs a name");
    if (o.recipients.size() > kMaxSlots) return bad("more than 1,024 recipients");
    if (o.signers.size() > kMaxSignatures) return bad("more than 8 signers");
    if (o.distributors.size() > kMaxSignatures) return bad("more than 8 distributors");
    if (!o.distributors.empty() && o.unprotected) return bad("an unprotected file has no recipients to sign");
    if (!o.signers.empty() && model.name.empty()) return bad("a signed model needs a name and a version");
    if (o.chunk_log2 != 0 && (o.chunk_log2 < kMinChunkLog2 || o.chunk_log2 > kMaxChunkLog2)) {
        return bad("chunk_log2 is not in [14, 20]");
    }
    return graph::verify(model);
}

class Packing {
 public:
    Packing(const graph::Model& model, const WriteOptions& options, const std::string& path)
        : model_(model), options_(options), path_(path) {}

    Result<Written> run() {
        COFFER_TRY(check_options(model_, options_));
        COFFER_TRY_ASSIGN(manifest_, encode_manifest(model_, options_.op_version, options_.fingerprint));
        COFFER_TRY(lay_out());
        COFFER_TRY(hash_plaintexts());
        COFFER_TRY(make_keys());
        COFFER_TRY_ASSIGN(os::AtomicFile file, os::AtomicFile::create(path_, 0600));
        COFFER_TRY(seal(file));
        COFFER_TRY(check(file.temporary_path()));
        COFFER_TRY(file.commit());
        return written_;
    }

 private:
    Status lay_out() {
        header_.suite = static_cast<uint16_t>(options_.suite);
        if (options_.unprotected) header_.incompat |= kUnprotected;
        if (!options_.distributors.empty()) header_.incompat |= kSlotsSigned;
        if (options_.require_licence) header_.incompat |= kLicenceRequired;
        header_.payload_len = options_.pad_payload ? padme(manifest_.payload_end) : manifest_.payload_end;
        header_.chunk_log2 = header_.payload_len > kLargePayload ? kLargeChunkLog2 : kDefaultChunkLog2;
        if (options_.chunk_log2 != 0) header_.chunk_log2 = options_.chunk_log2;
        header_.manifest_len = manifest_.plaintext.size() + kTagSize;
        header_.model_version = model_.version;
        header_.created = options_.created;
        header_.not_after = options_.not_after;
        if (!model_.name.empty()) {
            COFFER_TRY_ASSIGN(header_.model_id, trust::model_id(model_.name));
        }
        if (!derive_regions(header_)) return over_limit("the model's data is over ", kMaxPayload, " bytes");
        return {};
    }

    Status hash_plaintexts() {
        COFFER_TRY_ASSIGN(written_.manifest_sha256, crypto::sha256(Bytes(manifest_.plaintext).first(manifest_.size)));
        COFFER_TRY_ASSIGN(padded_manifest_sha256_, crypto::sha256(manifest_.plaintext));
        COFFER_TRY_ASSIGN(crypto::Sha256 hash, crypto::Sha256::create());
        COFFER_TRY(for_each_chunk(header_, manifest_.items,
                                  [&](uint64_t, MutableBytes chunk) { return hash.update(chunk); }));
        COFFER_TRY_ASSIGN(written_.payload_sha256, hash.finish());
        return {};
    }

    Status make_keys() {
        COFFER_TRY_ASSIGN(dek_, crypto::random_secret(kDekSize));
        COFFER_TRY_ASSIGN(header_.file_id, crypto::random_array<sizeof(Id)>());
        COFFER_TRY_ASSIGN(const auto random, crypto::random_array<32>());
        COFFER_TRY_ASSIGN(header_.salt, make_salt(header_, random, padded_manifest_sha256_, written_.payload_sha256));
        COFFER_TRY_ASSIGN(Schedule schedule, Schedule::create(header_, dek_.bytes()));
        schedule_ = std::make_unique<Schedule>(std::move(schedule));
        COFFER_TRY_ASSIGN(header_.key_commit, schedule_->key_commit());
        return {};
    }

    Status seal(os::AtomicFile& file) {
        COFFER_TRY(seal_manifest(file));
        COFFER_TRY(seal_payload(file));
        const HeaderBytes hdr = encode_header(header_);
        COFFER_TRY(file.write_at(0, hdr));
        COFFER_TRY(sign(file, hdr));
        return write_slots(file, hdr);
    }

    Status seal_manifest(os::AtomicFile& file) {
        COFFER_TRY_ASSIGN(const KeyAndNonce key, schedule_->manifest());
        COFFER_TRY_ASSIGN(crypto::Sealer sealer, crypto::Sealer::create(options_.suite, key.key()));
        PrivateVector<std::byte>& text = manifest_.plaintext;
        const size_t size = text.size();
        text.resize(size + kTagSize);
        const MutableBytes sealed = MutableBytes(text).first(size);
        const std::span<std::byte, kTagSize> tag(text.data() + size, kTagSize);
        COFFER_TRY(sealer.seal(key.nonce(), manifest_aad(header_), sealed, sealed, tag));
        COFFER_TRY_ASSIGN(header_.manifest_hash, crypto::sha256(text));
        return file.write_at(kHeadSize, text);
    }

    // The table is complete only after the last chunk; its place is before them.
    Status seal_payload(os::AtomicFile& file) {
        COFFER_TRY_ASSIGN(const KeyAndNonce key, schedule_->payload());
        COFFER_TRY_ASSIGN(ChunkSealer sealer, ChunkSealer::create(header_, key));
        COFFER_TRY_ASSIGN(crypto::Sha256 hash, crypto::Sha256::create());
        Table table(header_.n_chunks);
        const auto seal_chunk = [&](uint64_t i, MutableBytes chunk) -> Status {
            COFFER_TRY(hash.update(chunk));
            COFFER_TRY(sealer.seal(i, chunk, table));
            return file.write_at(header_.payload_off + i * header_.chunk_size(), chunk);
        };
        COFFER_TRY(for_each_chunk(header_, manifest_.items, seal_chunk));
        // The salt holds the first hash: sealing other bytes under it could repeat a key with a nonce.
        COFFER_TRY_ASSIGN(const Digest again, hash.finish());
        if (again != written_.payload_sha256) {
            return error(Code::kInvalidArgument, "the model was changed while it was being written");
        }
        COFFER_TRY_ASSIGN(header_.table_root, table_root(header_.n_chunks, table.bytes()));
        std::vector<std::byte> padded(header_.payload_off - header_.table_off);
        std::ranges::copy(table.bytes(), padded.begin());
        return file.write_at(header_.table_off, padded);
    }

    Status sign(os::AtomicFile& file, Bytes hdr) {
        COFFER_TRY_ASSIGN(written_.content_id, crypto::sha256(hdr));
        std::vector<std::byte> sigs;
        for (const trust::SigningKey* key : options_.signers) {
            COFFER_TRY_ASSIGN(const auto signature, key->sign(trust::kHeaderLabel, written_.content_id));
            const std::vector<std::byte> entry = encode_signature(key->signer(), signature);
            sigs.insert(sigs.end(), entry.begin(), entry.end());
        }
        sigs.resize(kSigsSize);
        return file.write_at(kSigsOffset, sigs);
    }

    Status write_slots(os::AtomicFile& file, Bytes hdr) {
        std::vector<Recipient> recipients = options_.recipients;
        if (options_.unprotected) recipients.push_back(clear_recipient());
        COFFER_TRY_ASSIGN(const crypto::SecretBytes mac_key, schedule_->slots_mac_key());
        SlotsContent content;
        content.generation = 1;
        content.recipients = recipients;
        content.distributors = options_.distributors;
        COFFER_TRY_ASSIGN(const std::vector<std::byte> slots,
                          encode_slots(header_, hdr, content, dek_.bytes(), mac_key));
        written_.file_size = header_.body_len + slots.size();
        written_.manifest_len = header_.manifest_len;
        written_.payload_len = header_.payload_len;
        return file.write_at(header_.body_len, slots);
    }

    // Reads the finished file back through the same checks that a reader makes.
    Status check(const std::string& temporary) {
        constexpr Opening::Step steps[] = {
            &Opening::step_1_policy,    &Opening::step_2_source,      &Opening::step_3_header,
            &Opening::step_4_regions,   &Opening::step_5_signatures,  &Opening::step_6_facts,
            &Opening::step_7_slots,     &Opening::step_10_commitment, &Opening::step_11_manifest,
            &Opening::step_12_validate, &Opening::step_13_table,
        };
        trust::Policy policy;
        for (const trust::SigningKey* key : options_.signers) COFFER_TRY(policy.add_signer(key->signer()));
        for (const trust::SigningKey* key : options_.distributors) COFFER_TRY(policy.add_distributor(key->signer()));
        policy.threshold = static_cast<unsigned>(std::max<size_t>(options_.signers.size(), 1));
        policy.allow_unsigned = options_.signers.empty();
        policy.allow_unprotected = options_.unprotected;
        policy.debug_names = true;
        policy.now = [] { return int64_t{0}; };  // packing a model that expired is the caller's decision
        OpenOptions options;
        options.digests = true;
        Opening opening(Source::file(temporary), policy, nullptr, options);
        opening.stream_only();
        opening.know_key(std::move(dek_));
        Status status = opening.run(steps);
        if (!status.ok()) return status.error().within("the written file does not check: ");
        COFFER_TRY_ASSIGN(const Digest payload, opening.stream_payload());
        if (payload != written_.payload_sha256 || opening.manifest_sha256() != written_.manifest_sha256) {
            return error(Code::kIo, Detail::kIo, "the written file does not hold what was written");
        }
        return {};
    }

    const graph::Model& model_;
    const WriteOptions& options_;
    const std::string& path_;
    EncodedManifest manifest_;
    Header header_;
    Digest padded_manifest_sha256_{};
    crypto::SecretBytes dek_;
    std::unique_ptr<Schedule> schedule_;
    Written written_;
};

}  // namespace

Result<Written> write(const graph::Model& model, const WriteOptions& options, const std::string& path) {
    return Packing(model, options, path).run();
}

}  // namespace coffer::container
