#include "crypto/scrypt.hpp"

#include <openssl/evp.h>

#include "crypto/ossl.hpp"

namespace coffer::crypto {

Result<SecretBytes> scrypt(Bytes password, Bytes salt, unsigned log_n, uint32_t r, uint32_t p, size_t size) {
    if (log_n < 1 || log_n > kScryptMaxLogN || r < 1 || r > 32 || p < 1 || p > 32) {
        return error(Code::kInvalidArgument, "scrypt: log N ", log_n, ", r ", r, ", p ", p);
    }
    COFFER_TRY_ASSIGN(SecretBytes key, SecretBytes::create(size));
    const uint64_t n = uint64_t{1} << log_n;
    // What libcrypto counts: p blocks, N blocks and one to work in, 128 r bytes each.
    const uint64_t memory = uint64_t{128} * r * (n + p + 1) + 4096;
    const MutableBytes dst = key.mutable_bytes();
    const auto* text = reinterpret_cast<const char*>(password.data());
    if (EVP_PBE_scrypt(text ? text : "", password.size(), ossl::uchar(salt), salt.size(), n, r, p, memory,
                       ossl::uchar(dst), dst.size()) != 1) {
        return ossl::failure("scrypt");
    }
    return key;
}

}  // namespace coffer::crypto
