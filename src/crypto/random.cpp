#include "crypto/random.hpp"

#include <openssl/rand.h>

#include "crypto/ossl.hpp"

namespace coffer::crypto {

Status random(MutableBytes dst) {
    if (RAND_bytes_ex(nullptr, ossl::uchar(dst), dst.size(), 256) != 1) return ossl::failure("random numbers");
    return {};
}

Result<SecretBytes> random_secret(size_t size) {
    COFFER_TRY_ASSIGN(SecretBytes secret, SecretBytes::create(size));
    const MutableBytes dst = secret.mutable_bytes();
    if (RAND_priv_bytes_ex(nullptr, ossl::uchar(dst), dst.size(), 256) != 1) return ossl::failure("random numbers");
    return secret;
}

}  // namespace coffer::crypto
