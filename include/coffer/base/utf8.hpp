// Well-formed UTF-8 (RFC 3629): shortest forms, no surrogates, at most U+10FFFF.
#pragma once

#include <string_view>

namespace coffer {

bool is_utf8(std::string_view text);

}  // namespace coffer
