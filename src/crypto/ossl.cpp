#include "crypto/ossl.hpp"

#include <openssl/err.h>

namespace coffer::crypto::ossl {

void clear_errors() {
    ERR_clear_error();
}

Error failure(const char* what) {
    const unsigned long code = ERR_peek_last_error();
    const char* reason = ERR_reason_error_string(code);
    const bool memory = ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
    Error e = error(memory ? Code::kOutOfMemory : Code::kInternal, what, ": ", reason ? reason : "libcrypto failed");
    clear_errors();
    return e;
}

const EVP_MD* sha256() {
    static const EVP_MD* const md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    return md;
}

}  // namespace coffer::crypto::ossl
