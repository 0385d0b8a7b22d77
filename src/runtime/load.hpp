// From a container to a model that runs.
#pragma once

#include "container/open.hpp"
#include "runtime/model.hpp"
#include "runtime/parallel.hpp"

namespace coffer::runtime {

struct Loaded {
    std::shared_ptr<const Model> model;
    container::Facts facts;
    uint16_t slot_kind = 0;
    container::Digest manifest_sha256{}, payload_sha256{};  // zeros unless asked for
};

struct LoadOptions {
    Parallel* parallel = nullptr;  // for decryption; nullptr: the calling thread
    bool digests = false;
    bool lazy = false;  // weights are opened by the first plan that needs them; the source must outlive the model
    bool lock = false;  // weights must be locked in memory
};

// The sixteen checks of docs/format.md, then every op against the op table.
Result<Loaded> load(container::Source source, const trust::Policy& policy, const trust::Keyring& keyring,
                    const LoadOptions& options = {});

}  // namespace coffer::runtime
