// What a key's text looks like, so that an error can say which key was given where another one is needed. Looks at
// how it begins and nothing more: what is known here may still be damaged.
#pragma once

#include <initializer_list>

#include "coffer/base/bytes.hpp"
#include "coffer/base/error.hpp"

namespace coffer::trust {

enum class KeyKind : uint8_t {
    kUnknown,
    kAgeIdentity,
    kAgeRecipient,
    kEd25519Private,
    kEd25519Public,
    kP256Private,
    kP256Public,
    kOtherPublic,
};

KeyKind key_kind(Bytes text);
bool is_public(KeyKind kind);
// An error when the text is a key of another kind than `wanted`; what is no known key is the parser's to refuse.
Status expect_key(Bytes text, std::initializer_list<KeyKind> wanted);

}  // namespace coffer::trust
