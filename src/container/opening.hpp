// The steps of docs/format.md 5.5 as functions of one object, in order. Each uses only what earlier ones
// established. open(), verify() and the self-check of write() are lists of them.
#pragma once

#include "container/open.hpp"
#include "trust/licence.hpp"
#include "trust/state.hpp"

namespace coffer::container {

class Opening {
 public:
    Opening(Source source, const trust::Policy& policy, const trust::Keyring* keyring, const OpenOptions& options)
        : source_(std::move(source)), policy_(policy), keyring_(keyring), options_(options) {}

    using Step = Status (Opening::*)();
    Status run(std::span<const Step> steps);

    Status step_1_policy();
    Status step_2_source();
    Status step_3_header();
    Status step_4_regions();
    Status step_5_signatures();
    Status step_6_facts();
    Status step_7_slots();
    Status step_8_licence();
    Status step_9_unwrap();
    Status step_10_commitment();
    Status step_11_manifest();
    Status step_12_validate();
    Status step_13_table();
    Status step_14_memory();
    Status step_15_chunks();
    Status step_16_finish();

    // After 16: what the policy's store shall know at the next open.
    Status remember();
    // After a refusal that may rest on what time it is: setting the clock back must not undo it.
    Status remember_time();

    // The payload will not be kept in memory, so it does not count as such.
    void stream_only() { streaming_ = true; }
    // Instead of 9, for who knows the file key.
    void know_key(crypto::SecretBytes dek) { dek_ = std::move(dek); }
    // Instead of 11 and 15 in verify().
    Status manifest_hash();
    Status all_leaves();
    // Instead of 14 to 16 in the self-check: opens every chunk without keeping it.
    Result<Digest> stream_payload();

    const Facts& facts() const { return facts_; }
    // For who changes the file: HDR and SIGS after step 3, SLOTS after 7, the file key between 9 and 10.
    Bytes head() const { return head_; }
    Bytes hdr() const { return Bytes(head_).first(kHdrSize); }
    const Slots& slots() const { return slots_; }
    Bytes slots_bytes() const { return slots_bytes_; }
    const crypto::SecretBytes& dek() const { return dek_; }
    const Digest& manifest_sha256() const { return manifest_sha256_; }
    Opened take();

 private:
    Result<Digest> manifest_digest() const;
    Status check_clock(uint64_t slack) const;
    Status bundle_in_force() const;
    Status unwrap_licensed();
    Status unwrap_with(const trust::Keyring& keyring, const trust::Policy& policy);
    bool lazy() const { return options_.lazy && !options_.digests; }  // a digest is of everything

    Source source_;
    const trust::Policy& policy_;
    const trust::Keyring* keyring_;
    const OpenOptions& options_;
    bool streaming_ = false;

    std::array<std::byte, kHeadSize> head_{};
    Facts facts_;
    std::vector<std::byte> slots_bytes_;
    Slots slots_;
    std::vector<Slots> grants_;  // of the keyring, for this file
    const Slots* used_grant_ = nullptr;
    std::optional<trust::State> state_;
    uint64_t clock_ = 0;  // what the clock says
    uint64_t now_ = 0;    // that, or the latest time seen before
    std::vector<trust::Licence> licences_;
    uint16_t slot_kind_ = 0;
    crypto::SecretBytes dek_;
    std::unique_ptr<Schedule> schedule_;
    PrivateVector<std::byte> manifest_bytes_;
    size_t manifest_size_ = 0;
    Manifest manifest_;
    Table table_;
    std::shared_ptr<Payload> payload_;
    DecodedTensors decoded_;
    Digest payload_sha256_{};
    Digest manifest_sha256_{};
};

}  // namespace coffer::container
