// What tells this host from another one, for licences that are bound to a host (docs/format.md 5.8.4). Nothing here
// is secret or hard to change for who controls the host.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace coffer::os {

// "machine-id", "product-uuid", "board-serial", "hostname"; nullopt: there is none, it may not be read, or the kind
// is not known here. As the system gives it, perhaps with a newline.
std::optional<std::string> host_value(std::string_view kind);

}  // namespace coffer::os
