// Writing a container (docs/format.md 5.11): hash, seal, check, rename. Holds one chunk and the chunk table
// besides the model, so that a model larger than half the memory can be written.
#pragma once

#include <string>
#include <vector>

#include "coffer/graph/graph.hpp"
#include "container/manifest.hpp"
#include "container/slots.hpp"
#include "container/source.hpp"
#include "trust/signer.hpp"

namespace coffer::container {

struct WriteOptions {
    std::vector<Recipient> recipients;              // none when unprotected
    std::vector<const trust::SigningKey*> signers;  // need a model name
    std::vector<const trust::SigningKey*>
        distributors;              // sign the recipients; then every later change must be signed
    bool unprotected = false;      // the file key stands in clear
    bool require_licence = false;  // recipients are product keys (raw), reached through licences
    crypto::Suite suite = crypto::Suite::kAes256Gcm;
    uint8_t chunk_log2 = 0;    // 0: by size
    uint64_t created = 0;      // Unix seconds; SOURCE_DATE_EPOCH is the caller's business
    uint64_t not_after = 0;    // 0: never
    bool pad_payload = false;  // hide the exact size, at most 12 % more
    OpVersion op_version;      // recorded with each node
    std::vector<std::byte> fingerprint;
};

struct Written {
    uint64_t file_size = 0, manifest_len = 0, payload_len = 0;
    Digest content_id{};
    Digest manifest_sha256{}, payload_sha256{};  // of the plaintexts: equal for equal models
};

// Replaces `path` by the sealed model in one step, after the finished file was read back and checked in full.
// On any error the old file is untouched and no temporary is left. Name and version are the model's.
Result<Written> write(const graph::Model& model, const WriteOptions& options, const std::string& path);

}  // namespace coffer::container
