#include "coffer/base/error.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace coffer {
namespace {

constexpr size_t kMaxPiece = 1024;

void append_escaped(std::string& out, std::string_view text) {
    const bool cut = text.size() > kMaxPiece;
    for (unsigned char c : text.substr(0, kMaxPiece)) {
        if (c >= 0x20 && c != 0x7f) {
            out.push_back(static_cast<char>(c));
            continue;
        }
        char hex[5];
        std::snprintf(hex, sizeof hex, "\\x%02x", c);
        out += hex;
    }
    if (cut) out += "...";
}

}  // namespace

const char* code_name(Code code) {
    constexpr std::array names = {"ok",        "invalid_argument", "buffer_too_small", "io",       "format",
                                  "auth",      "policy",           "unsupported",      "limit",    "out_of_memory",
                                  "cancelled", "internal",         "not_found",        "deadline", "conflict"};
    const auto i = static_cast<size_t>(code);
    return i < names.size() ? names[i] : "unknown";
}

const char* detail_name(Detail detail) {
    constexpr std::array names = {
        "none",       "io",         "format",      "unsupported",   "signature",        "untrusted",
        "rollback",   "expired",    "revoked",     "wrong_model",   "unprotected",      "no_recipient",
        "unwrap",     "commitment", "header_auth", "manifest_auth", "manifest_invalid", "tree",
        "chunk_auth", "limit",      "licence",     "cancelled"};
    const auto i = static_cast<size_t>(detail);
    return i < names.size() ? names[i] : "unknown";
}

Piece::Piece(double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.9g", value);
    owned_ = text;
}

std::string message(std::initializer_list<Piece> pieces) {
    std::string out;
    for (const Piece& piece : pieces) append_escaped(out, piece.view());
    return out;
}

Error Error::within(std::string_view prefix) const {
    return Error(code_, detail_, std::string(prefix) + message_);
}

}  // namespace coffer
