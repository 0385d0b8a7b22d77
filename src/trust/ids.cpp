#include "trust/ids.hpp"

#include <algorithm>

#include "crypto/hash.hpp"

namespace coffer::trust {

Result<ModelId> model_id(std::string_view name) {
    COFFER_TRY_ASSIGN(const crypto::Hash hash, crypto::sha256({as_bytes("coffer/v1/model"), as_bytes(name)}));
    ModelId id;
    std::copy_n(hash.begin(), id.size(), id.begin());
    return id;
}

}  // namespace coffer::trust
