#include "crypto/ossl.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>

namespace coffer::crypto::ossl {

void clear_errors() {
    ERR_clear_error();
}

namespace {

// What the queue of this thread says, emptied. What fails for lack of memory may be queued before what followed from
// it.
struct Reasons {
    bool memory = false;
    bool algorithm = false;  // that this build of libcrypto does not have
    const char* last = nullptr;
};
Reasons take_reasons() {
    Reasons reasons;
    while (const unsigned long code = ERR_get_error()) {
        const int reason = ERR_GET_REASON(code);
        reasons.memory |= reason == ERR_R_MALLOC_FAILURE;
        reasons.algorithm |= reason == ERR_R_UNSUPPORTED || reason == EVP_R_UNSUPPORTED_ALGORITHM;
        reasons.last = ERR_reason_error_string(code);
    }
    return reasons;
}

}  // namespace

Error failure(const char* what) {
    const Reasons reasons = take_reasons();
    if (reasons.algorithm && !reasons.memory) {
        return error(Code::kInternal, what, ": ", reasons.last ? reasons.last : "not in this build of libcrypto");
    }
    // Often libcrypto does not say so, but there is nothing else that the calls of this layer can fail for.
    return error(Code::kOutOfMemory, what, ": out of memory");
}

Error failure_or(Error otherwise) {
    return take_reasons().memory ? error(Code::kOutOfMemory, "libcrypto: out of memory") : std::move(otherwise);
}

const EVP_MD* sha256() {
    static constinit Lazy<EVP_MD> md{[] { return EVP_MD_fetch(nullptr, "SHA256", nullptr); }, &EVP_MD_free};
    return md.get();
}

}  // namespace coffer::crypto::ossl
