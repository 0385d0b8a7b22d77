// Identifiers of models and licences as they stand in files.
#pragma once

#include <array>
#include <string_view>

#include "coffer/base/bytes.hpp"
#include "coffer/base/error.hpp"

namespace coffer::trust {

using ModelId = std::array<std::byte, 16>;
// SHA-256("coffer/v1/model" || name)[0..16] (format.md 5.2).
Result<ModelId> model_id(std::string_view name);

using LicenceId = std::array<std::byte, 16>;

}  // namespace coffer::trust
