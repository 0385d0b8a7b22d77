// Opening a container: the sixteen checks of docs/format.md 5.5, in that order. What comes out is a complete,
// validated model or an error; nothing in between.
#pragma once

#include <memory>

#include "container/header.hpp"
#include "container/manifest.hpp"
#include "container/payload.hpp"
#include "container/slots.hpp"
#include "container/source.hpp"
#include "trust/keyring.hpp"
#include "trust/licence.hpp"
#include "trust/policy.hpp"

namespace coffer::container {

// What is known about an opened or verified file.
struct Facts {
    uint64_t file_size = 0;
    Header header;
    Digest content_id{};
    uint64_t generation = 0;                        // of SLOTS; known once the file is open
    bool by_grant = false;                          // the key came from a grant
    std::vector<trust::KeyId> signers;              // trusted keys whose signatures verified
    std::shared_ptr<const trust::Licence> licence;  // that opened it, if the file demands one
    bool licence_in_grace = false;                  // it ended; the grace runs
};

struct OpenOptions {
    ParallelFor parallel;
    // Refuses ops or versions of ops that the runtime does not have; called once per distinct pair.
    std::function<Status(std::string_view op, uint16_t version)> check_op;
    unsigned page_flags = os::Pages::kHuge;  // kLock: ask for locked memory; see Opened::locked
    bool lazy = false;                       // chunks are opened when somebody needs them, by Opened::payload
    bool leave_stored = false;               // constants that are not plain are decoded by who needs them
    bool digests = false;                    // compute Opened::manifest_sha256 and payload_sha256
};

struct Opened {
    graph::Model model;  // constants share one read-only arena that lives as long as any of them
    // That arena, and the tensors that are decoded elsewhere. With OpenOptions::lazy the bytes of a constant are
    // there after load(), check_tensor() and decode_tensor(), and the source must stay alive until the payload is
    // complete(); with leave_stored those of DecodedTensors are there after decode_tensor().
    std::shared_ptr<Payload> payload;
    DecodedTensors decoded;
    Facts facts;
    uint16_t slot_kind = 0;  // what gave the key
    std::vector<std::byte> fingerprint;
    bool locked = false;                         // the weights' pages are locked in memory
    Digest manifest_sha256{}, payload_sha256{};  // of the plaintexts; zeros unless asked for
};

Result<Opened> open(Source source, const trust::Policy& policy, const trust::Keyring& keyring,
                    const OpenOptions& options = {});

// Without a key: steps 1 to 7 but for grants, the hash of MANIFEST, TABLE and every leaf.
Result<Facts> verify(Source source, const trust::Policy& policy, const ParallelFor& parallel = {});

// Whether these keys open the file under this policy: steps 1 to 10, nothing of the model.
Result<Facts> check_access(Source source, const trust::Policy& policy, const trust::Keyring& keyring);

// Facts for display, none of them verified. Needs neither policy nor keys and does no expensive work.
struct UnverifiedSignature {
    uint16_t alg;
    Digest key_id;
};
struct UnverifiedSlot {
    uint16_t kind, flags;
    Id slot_id;
    std::vector<std::byte> body;
};
struct Unverified {
    uint64_t file_size = 0;
    Header header;
    Digest content_id{};
    std::vector<UnverifiedSignature> signatures;
    uint64_t slots_generation = 0;
    std::vector<UnverifiedSlot> slots;
    std::vector<UnverifiedSignature> slots_signatures;
};
Result<Unverified> inspect(Source source);

}  // namespace coffer::container
