#include "trust/utc.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace coffer::trust {

std::string utc_text(uint64_t unix_seconds) {
    using namespace std::chrono;
    constexpr uint64_t kYear9999 = 253402300799;  // files may say what they like
    const sys_seconds time{seconds(std::min(unix_seconds, kYear9999))};
    const sys_days day = floor<days>(time);
    const year_month_day date(day);
    const hh_mm_ss clock(time - day);
    char text[40];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()));
    return text;
}

}  // namespace coffer::trust
