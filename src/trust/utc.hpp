// Points in time as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace coffer::trust {

// "2026-11-25T18:00:00Z" (RFC 3339, UTC). What lies behind the year 9999, where the form ends, is its last second.
std::string utc_text(uint64_t unix_seconds);

}  // namespace coffer::trust
