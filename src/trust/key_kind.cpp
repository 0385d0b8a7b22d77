#include "trust/key_kind.hpp"

#include <algorithm>
#include <string>

namespace coffer::trust {
namespace {

struct Form {
    std::string_view label, digits;  // of PEM, and what its base64 begins with: the DER before the key
    KeyKind kind;
};
constexpr Form kForms[] = {
    {"PRIVATE KEY", "MC4CAQAwBQYDK2VwBCIEI", KeyKind::kEd25519Private},
    {"PUBLIC KEY", "MCowBQYDK2VwAyEA", KeyKind::kEd25519Public},
    {"PRIVATE KEY", "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEH", KeyKind::kP256Private},
    {"PUBLIC KEY", "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE", KeyKind::kP256Public},
    {"PUBLIC KEY", "", KeyKind::kOtherPublic},
};

const char* name_of(KeyKind kind) {
    switch (kind) {
        case KeyKind::kUnknown: break;
        case KeyKind::kAgeIdentity: return "an age identity (private)";
        case KeyKind::kAgeRecipient: return "an age recipient (public)";
        case KeyKind::kEd25519Private: return "a private Ed25519 key (PEM)";
        case KeyKind::kEd25519Public: return "a public Ed25519 key (PEM)";
        case KeyKind::kP256Private: return "a private P-256 key (PEM)";
        case KeyKind::kP256Public: return "a public P-256 key (PEM)";
        case KeyKind::kOtherPublic: return "a public key (PEM)";
    }
    return "no known key";
}

bool take(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

void skip_space(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
}

}  // namespace

KeyKind key_kind(Bytes bytes) {
    std::string_view text = as_text(bytes);
    for (skip_space(text); text.starts_with('#'); skip_space(text)) {
        text.remove_prefix(std::min(text.find('\n'), text.size()));
    }
    if (text.starts_with("AGE-SECRET-KEY-1")) return KeyKind::kAgeIdentity;
    if (text.starts_with("age1")) return KeyKind::kAgeRecipient;
    if (!take(text, "-----BEGIN ")) return KeyKind::kUnknown;
    for (const Form& form : kForms) {
        std::string_view rest = text;
        if (!take(rest, form.label) || !take(rest, "-----")) continue;
        skip_space(rest);
        if (rest.starts_with(form.digits)) return form.kind;
    }
    return KeyKind::kUnknown;
}

bool is_public(KeyKind kind) {
    return kind == KeyKind::kAgeRecipient || kind == KeyKind::kEd25519Public || kind == KeyKind::kP256Public ||
           kind == KeyKind::kOtherPublic;
}

Status expect_key(Bytes text, std::initializer_list<KeyKind> wanted) {
    const KeyKind found = key_kind(text);
    if (found == KeyKind::kUnknown || std::ranges::find(wanted, found) != wanted.end()) return {};
    std::string needed;
    for (const KeyKind kind : wanted) needed += std::string(needed.empty() ? "" : " or ") + name_of(kind);
    return error(Code::kFormat, "this is ", name_of(found), "; ", needed, " is needed");
}

}  // namespace coffer::trust
