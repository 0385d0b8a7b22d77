// Which libcrypto is at work, for diagnostics.
#pragma once

namespace coffer::crypto {

const char* library_version();  // "OpenSSL 3.0.19 ..."

}  // namespace coffer::crypto
