// The error classes of docs/format.md 5.14, one maker each.
#pragma once

#include "coffer/base/error.hpp"

namespace coffer::container {

// The one sentence of every authentication failure: which check failed tells an attacker more than a user.
// The class stays in Error::detail() for tests and for hints of a local tool.
inline constexpr std::string_view kNotAuthentic =
    "the file is not authentic for these keys and signers: wrong key, untrusted signer, or damaged file";

inline Error not_authentic(Detail detail) {
    return Error(Code::kAuth, detail, std::string(kNotAuthentic));
}

// Not the file's fault: mprotect was refused.
inline Error weights_read_only() {
    return error(Code::kOutOfMemory, "the system keeps the weights read-only");
}

template <class... Parts>
Error format_error(const Parts&... parts) {
    return error(Code::kFormat, Detail::kFormat, parts...);
}
template <class... Parts>
Error unsupported(const Parts&... parts) {
    return error(Code::kUnsupported, Detail::kUnsupported, parts...);
}
template <class... Parts>
Error over_limit(const Parts&... parts) {
    return error(Code::kLimit, Detail::kLimit, parts...);
}
template <class... Parts>
Error manifest_invalid(const Parts&... parts) {
    return error(Code::kFormat, Detail::kManifestInvalid, "manifest: ", parts...);
}
template <class... Parts>
Error refused(Detail detail, const Parts&... parts) {
    return error(Code::kPolicy, detail, parts...);
}

// `status`, with any authentication failure of a lower layer given this class and the one sentence. Other
// errors (memory, input/output) pass through.
inline Status authentic_or(Status status, Detail detail) {
    if (!status.ok() && status.error().code() == Code::kAuth) return not_authentic(detail);
    return status;
}

// What a server may tell its clients (docs/format.md 5.14): everything after the signature is one code.
Code public_code(const Error& error);

}  // namespace coffer::container
