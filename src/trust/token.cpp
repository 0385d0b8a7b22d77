#include "trust/token.hpp"

#include <algorithm>
#include <charconv>

#include "trust/key_file.hpp"

namespace coffer::trust {
namespace {

constexpr std::string_view kScheme = "pkcs11:";

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

Result<std::string> percent_decode(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0) return error(Code::kInvalidArgument, "'", text, "': a % without two digits");
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return out;
}

Status set(TokenUri& uri, std::string_view name, const std::string& value) {
    const auto text = [&](std::string& field) -> Status {
        if (!field.empty()) return error(Code::kInvalidArgument, "'", name, "' is given twice");
        field = value;
        return {};
    };
    crypto::Pkcs11Key::Where& where = uri.where;
    if (name == "module-path" || name == "module") return text(where.module);
    if (name == "token") return text(where.token);
    if (name == "serial") return text(where.serial);
    if (name == "manufacturer") return text(where.manufacturer);
    if (name == "model") return text(where.model);
    if (name == "object") return text(where.object);
    if (name == "pin-source") return text(uri.pin_source);
    if (name == "id") {
        const Bytes bytes = as_bytes(value);
        where.id.assign(bytes.begin(), bytes.end());
        return {};
    }
    if (name == "type" && (value == "private" || value == "public")) return {};  // both halves are used
    if (name == "pin-value") {
        return error(Code::kInvalidArgument, "a PIN does not belong into a command or a setting: use pin-source");
    }
    return error(Code::kInvalidArgument, "'", name, "' is not an attribute known here; known are token, serial, ",
                 "manufacturer, model, object, id, type, module-path and pin-source");
}

Result<crypto::SecretBytes> read_pin(const std::string& source) {
    crypto::SecretBytes pin;
    if (source.starts_with("fd:")) {
        int fd = -1;
        const char* end = source.data() + source.size();
        const auto parsed = std::from_chars(source.data() + 3, end, fd);
        if (parsed.ec != std::errc() || parsed.ptr != end || fd < 0) {
            return error(Code::kInvalidArgument, "pin-source '", source, "': not a file descriptor");
        }
        COFFER_TRY_ASSIGN(pin, read_key_fd(fd));
    } else {
        std::string path = source.substr(5);            // file:
        if (path.starts_with("///")) path.erase(0, 2);  // file:///path
        COFFER_TRY_ASSIGN(pin, read_key_file(path));
    }
    while (!pin.empty() && (pin.bytes().back() == std::byte{'\n'} || pin.bytes().back() == std::byte{'\r'})) {
        pin.truncate(pin.size() - 1);
    }
    return pin;
}

}  // namespace

Result<TokenUri> parse_token_uri(std::string_view text) {
    if (!text.starts_with(kScheme)) return error(Code::kInvalidArgument, "'", text, "' does not begin with pkcs11:");
    TokenUri uri;
    std::string_view rest = text.substr(kScheme.size());
    bool query = false;  // "&" separates there, and is an ordinary character before
    while (!rest.empty()) {
        const size_t end = std::min(rest.find_first_of(query ? "&;" : ";?"), rest.size());
        const std::string_view part = rest.substr(0, end);
        if (end < rest.size() && rest[end] == '?') query = true;
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (part.empty()) continue;
        const size_t equals = part.find('=');
        if (equals == part.npos) return error(Code::kInvalidArgument, "'", part, "' in a pkcs11: name has no value");
        COFFER_TRY_ASSIGN(const std::string value, percent_decode(part.substr(equals + 1)));
        COFFER_TRY(set(uri, part.substr(0, equals), value));
    }
    if (uri.where.module.empty()) return error(Code::kInvalidArgument, "the pkcs11: name has no module-path");
    if (uri.where.object.empty() && uri.where.id.empty()) {
        return error(Code::kInvalidArgument, "the pkcs11: name has neither object nor id");
    }
    const std::string& source = uri.pin_source;
    if (source == "prompt") uri.pin_source.clear();
    if (!source.empty() && !source.starts_with("file:") && !source.starts_with("fd:")) {
        return error(Code::kInvalidArgument, "pin-source '", source, "' is neither file:PATH, fd:N nor prompt");
    }
    return uri;
}

Result<std::shared_ptr<crypto::Pkcs11Key>> find_token_key(std::string_view text, AskPin ask) {
    COFFER_TRY_ASSIGN(const TokenUri uri, parse_token_uri(text));
    if (uri.pin_source.empty()) return crypto::Pkcs11Key::find(uri.where, std::move(ask));
    return crypto::Pkcs11Key::find(uri.where,
                                   [source = uri.pin_source](std::string_view) { return read_pin(source); });
}

Status add_token_key(Keyring& keyring, std::string_view uri, AskPin ask) {
    COFFER_TRY_ASSIGN(const auto key, find_token_key(uri, std::move(ask)));
    return keyring.add_p256(
        {key->public_key(), [key](const crypto::P256Public& enc) { return key->agree(enc); }, /*in_device=*/true});
}

}  // namespace coffer::trust
