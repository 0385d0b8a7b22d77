#include "coffer/base/utf8.hpp"

#include <cstddef>
#include <cstdint>

namespace coffer {

bool is_utf8(std::string_view text) {
    size_t i = 0;
    while (i < text.size()) {
        const auto lead = static_cast<unsigned char>(text[i]);
        if (lead < 0x80) {
            ++i;
            continue;
        }
        const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
        if (lead < 0xc2 || lead > 0xf4 || text.size() - i < length) return false;
        uint32_t code = lead & (0x7fu >> length);
        for (size_t k = 1; k < length; ++k) {
            const auto c = static_cast<unsigned char>(text[i + k]);
            if ((c & 0xc0) != 0x80) return false;
            code = code << 6 | (c & 0x3fu);
        }
        if (length == 3 && (code < 0x800 || (code >= 0xd800 && code <= 0xdfff))) return false;
        if (length == 4 && (code < 0x10000 || code > 0x10ffff)) return false;
        i += length;
    }
    return true;
}

}  // namespace coffer
