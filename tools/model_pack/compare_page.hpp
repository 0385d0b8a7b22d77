// The report of `compare` as one HTML page: styles and SVG pictures inside, no scripts, nothing fetched.
#pragma once

#include <string>

#include "cli.hpp"

namespace coffer::cli {

// `document` is what --json prints.
std::string compare_page(const Json& document);

// "31.4 dB", "exact", or "-".
std::string snr_text(const Json& score);

}  // namespace coffer::cli
