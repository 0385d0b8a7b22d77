// Lines of a key or recipient file: comments (#) and empty lines are skipped, errors name the line.
#pragma once

#include <string_view>

#include "coffer/base/error.hpp"

namespace coffer::trust {

template <class Visit>
Status for_each_line(std::string_view text, Visit visit) {
    for (size_t number = 1; !text.empty(); ++number) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(line.size() < text.size() ? line.size() + 1 : line.size());
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty() || line.front() == '#') continue;
        Status status = visit(line);
        if (!status.ok()) return status.error().within("line " + std::to_string(number) + ": ");
    }
    return {};
}

}  // namespace coffer::trust
