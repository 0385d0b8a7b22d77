// What the files of this layer share of libcrypto: owners for its objects, algorithms fetched once for the
// life of the process (a fetch costs more than a hash), and one way to report its failures.
#pragma once

#include <openssl/evp.h>
#include <openssl/types.h>

#include <atomic>
#include <memory>

#include "coffer/base/bytes.hpp"
#include "coffer/base/error.hpp"

namespace coffer::crypto::ossl {

template <auto free_function>
struct Free {
    template <class T>
    void operator()(T* object) const {
        free_function(object);
    }
};
template <class T, auto free_function>
using Owner = std::unique_ptr<T, Free<free_function>>;

using MdCtx = Owner<EVP_MD_CTX, EVP_MD_CTX_free>;
using MacCtx = Owner<EVP_MAC_CTX, EVP_MAC_CTX_free>;
using CipherCtx = Owner<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;
using Key = Owner<EVP_PKEY, EVP_PKEY_free>;
using KeyCtx = Owner<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;

// libcrypto failed for a reason that is not the input's: no memory, or no such algorithm in this build of it.
Error failure(const char* what);
// Where the input may be to blame: `otherwise`, unless it was for lack of memory.
Error failure_or(Error otherwise);
// Drops what libcrypto queued about a failure that we report ourselves: the queue belongs to the application.
void clear_errors();

// An object of libcrypto that is made when first needed and then kept for the life of the process. What could not
// be made (no memory) is tried again the next time; `make` may run twice at once, and one result is kept.
template <class T>
class Lazy {
 public:
    constexpr Lazy(T* (*make)(), void (*free)(T*)) : make_(make), free_(free) {}
    T* get() {
        T* made = object_.load(std::memory_order_acquire);
        if (made) return made;
        T* mine = make_();
        if (!mine || object_.compare_exchange_strong(made, mine, std::memory_order_acq_rel)) return mine;
        free_(mine);
        return made;
    }

 private:
    std::atomic<T*> object_{nullptr};
    T* (*make_)();
    void (*free_)(T*);
};

// nullptr when libcrypto does not have it.
const EVP_MD* sha256();

inline unsigned char* uchar(std::byte* bytes) {
    return reinterpret_cast<unsigned char*>(bytes);
}
inline const unsigned char* uchar(const std::byte* bytes) {
    return reinterpret_cast<const unsigned char*>(bytes);
}
inline unsigned char* uchar(MutableBytes bytes) {
    return uchar(bytes.data());
}
inline const unsigned char* uchar(Bytes bytes) {
    return uchar(bytes.data());
}

}  // namespace coffer::crypto::ossl
