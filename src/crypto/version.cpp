#include "crypto/version.hpp"

#include <openssl/crypto.h>

namespace coffer::crypto {

const char* library_version() {
    return OpenSSL_version(OPENSSL_VERSION);
}

}  // namespace coffer::crypto
