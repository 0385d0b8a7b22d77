#include "crypto/aead.hpp"

#include <limits>

#include "coffer/base/os.hpp"
#include "crypto/ossl.hpp"

namespace coffer::crypto {
namespace {

const EVP_CIPHER* cipher(Suite suite) {
    static constinit ossl::Lazy<EVP_CIPHER> aes{[] { return EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr); },
                                                &EVP_CIPHER_free};
    static constinit ossl::Lazy<EVP_CIPHER> chacha{
        [] { return EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr); }, &EVP_CIPHER_free};
    switch (suite) {
        case Suite::kAes256Gcm: return aes.get();
        case Suite::kChaCha20Poly1305: return chacha.get();
    }
    return nullptr;
}

enum Direction { kOpen = 0, kSeal = 1 };

Result<ossl::CipherCtx> create_context(Suite suite, Bytes key, Direction direction) {
    if (key.size() != kAeadKeySize) return error(Code::kInvalidArgument, "AEAD key: ", key.size(), " bytes");
    const EVP_CIPHER* const algorithm = cipher(suite);
    ossl::CipherCtx context(EVP_CIPHER_CTX_new());
    if (!algorithm || !context ||
        EVP_CipherInit_ex2(context.get(), algorithm, ossl::uchar(key), nullptr, direction, nullptr) != 1) {
        return ossl::failure(suite_name(suite));
    }
    return context;
}

EVP_CIPHER_CTX* cast(void* context) {
    return static_cast<EVP_CIPHER_CTX*>(context);
}

// EVP counts in int. Chunks are at most 1 MiB and manifests 64 MiB, so one call is enough.
bool too_long(Bytes a, Bytes b) {
    return a.size() > std::numeric_limits<int>::max() || b.size() > std::numeric_limits<int>::max();
}

// Everything between key and tag, the same in both directions.
bool run(EVP_CIPHER_CTX* context, const Nonce& nonce, Bytes aad, Bytes src, MutableBytes dst) {
    int n = 0;
    if (EVP_CipherInit_ex2(context, nullptr, nullptr, ossl::uchar(Bytes(nonce)), -1, nullptr) != 1) return false;
    if (!aad.empty() && EVP_CipherUpdate(context, nullptr, &n, ossl::uchar(aad), static_cast<int>(aad.size())) != 1) {
        return false;
    }
    return src.empty() ||
           EVP_CipherUpdate(context, ossl::uchar(dst), &n, ossl::uchar(src), static_cast<int>(src.size())) == 1;
}

// Neither cipher has bytes left for the final call, but it wants a place for them.
bool finish(EVP_CIPHER_CTX* context) {
    unsigned char rest[16];
    int n = 0;
    return EVP_CipherFinal_ex(context, rest, &n) == 1;
}

}  // namespace

void detail::FreeCipher::operator()(void* context) const {
    EVP_CIPHER_CTX_free(cast(context));
}

const char* suite_name(Suite suite) {
    switch (suite) {
        case Suite::kAes256Gcm: return "AES-256-GCM";
        case Suite::kChaCha20Poly1305: return "ChaCha20-Poly1305";
    }
    return "unknown suite";
}

Nonce nonce_at(const Nonce& base, uint64_t index) {
    Nonce nonce = base;
    for (size_t i = 0; i < 8; ++i) nonce[kAeadNonceSize - 1 - i] ^= static_cast<std::byte>(index >> (8 * i));
    return nonce;
}

Result<Sealer> Sealer::create(Suite suite, Bytes key) {
    COFFER_TRY_ASSIGN(ossl::CipherCtx context, create_context(suite, key, kSeal));
    return Sealer(context.release());
}

Status Sealer::seal(const Nonce& nonce, Bytes aad, Bytes plaintext, MutableBytes dst,
                    std::span<std::byte, kAeadTagSize> tag) {
    if (dst.size() != plaintext.size() || too_long(aad, plaintext)) {
        return error(Code::kInvalidArgument, "seal: ", plaintext.size(), " bytes into ", dst.size());
    }
    EVP_CIPHER_CTX* context = cast(context_.get());
    if (!run(context, nonce, aad, plaintext, dst) || !finish(context) ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kAeadTagSize, tag.data()) != 1) {
        return ossl::failure("seal");
    }
    return {};
}

Result<Opener> Opener::create(Suite suite, Bytes key) {
    COFFER_TRY_ASSIGN(ossl::CipherCtx context, create_context(suite, key, kOpen));
    return Opener(context.release());
}

Status Opener::open(const Nonce& nonce, Bytes aad, Bytes ciphertext, std::span<const std::byte, kAeadTagSize> tag,
                    MutableBytes dst) {
    if (dst.size() != ciphertext.size() || too_long(aad, ciphertext)) {
        return error(Code::kInvalidArgument, "open: ", ciphertext.size(), " bytes into ", dst.size());
    }
    EVP_CIPHER_CTX* context = cast(context_.get());
    // The tag is only read, but the control call takes a pointer to mutable bytes.
    auto* expected = const_cast<std::byte*>(tag.data());
    const bool ready = run(context, nonce, aad, ciphertext, dst) &&
                       EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kAeadTagSize, expected) == 1;
    if (ready && finish(context)) return {};
    os::wipe(dst.data(), dst.size());
    ossl::clear_errors();
    if (!ready) return error(Code::kInternal, "open: libcrypto failed");
    return error(Code::kAuth, "authentication failed");
}

Status seal_once(Suite suite, Bytes key, const Nonce& nonce, Bytes aad, Bytes plaintext, MutableBytes dst) {
    if (dst.size() != plaintext.size() + kAeadTagSize) {
        return error(Code::kInvalidArgument, "seal: ", plaintext.size(), " bytes into ", dst.size());
    }
    COFFER_TRY_ASSIGN(Sealer sealer, Sealer::create(suite, key));
    return sealer.seal(nonce, aad, plaintext, dst.first(plaintext.size()), dst.last<kAeadTagSize>());
}

Status open_once(Suite suite, Bytes key, const Nonce& nonce, Bytes aad, Bytes sealed, MutableBytes dst) {
    if (sealed.size() < kAeadTagSize || dst.size() != sealed.size() - kAeadTagSize) {
        return error(Code::kInvalidArgument, "open: ", sealed.size(), " bytes into ", dst.size());
    }
    COFFER_TRY_ASSIGN(Opener opener, Opener::create(suite, key));
    return opener.open(nonce, aad, sealed.first(dst.size()), sealed.last<kAeadTagSize>(), dst);
}

}  // namespace coffer::crypto
