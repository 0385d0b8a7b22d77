#include "crypto/ecdsa.hpp"

#include <openssl/core_names.h>
#include <openssl/pem.h>

#include <algorithm>

#include "crypto/ossl.hpp"

namespace coffer::crypto {
namespace {

constexpr size_t kMaxPem = 64 * 1024;
using Bio = ossl::Owner<BIO, BIO_free_all>;

Error malformed() {
    ossl::clear_errors();
    return error(Code::kFormat, "not a P-256 or P-384 key in PEM form");
}

// Answers with the passphrase that was given, so that libcrypto never asks on the terminal.
int give_passphrase(char* buffer, int size, int, void* user) {
    const Bytes passphrase = *static_cast<const Bytes*>(user);
    if (passphrase.empty() || passphrase.size() > static_cast<size_t>(size)) return -1;
    std::copy_n(reinterpret_cast<const char*>(passphrase.data()), passphrase.size(), buffer);
    return static_cast<int>(passphrase.size());
}

EVP_PKEY* pkey(const std::shared_ptr<void>& key) {
    return static_cast<EVP_PKEY*>(key.get());
}

const EVP_MD* hash_of(bool p384) {
    return p384 ? EVP_sha384() : EVP_sha256();
}

Result<bool> is_p384(EVP_PKEY* key) {
    char name[32];
    size_t size = 0;
    if (!EVP_PKEY_is_a(key, "EC") ||
        EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, name, sizeof name, &size) != 1) {
        return malformed();
    }
    const std::string_view curve(name, size);
    if (curve != "prime256v1" && curve != "secp384r1") {
        return error(Code::kUnsupported, Detail::kUnsupported, "a key on the curve '", curve,
                     "'; P-256 or P-384 is needed");
    }
    return curve == "secp384r1";
}

Result<std::string> public_pem(EVP_PKEY* key) {
    const Bio out(BIO_new(BIO_s_mem()));
    if (!out || PEM_write_bio_PUBKEY(out.get(), key) != 1) return ossl::failure("PEM");
    char* text = nullptr;
    const long size = BIO_get_mem_data(out.get(), &text);
    return std::string(text, static_cast<size_t>(size));
}

}  // namespace

Result<EcdsaPublic> EcdsaPublic::from_pem(std::string_view pem) {
    if (pem.size() > kMaxPem) return malformed();
    const Bio in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    if (!in) return ossl::failure("PEM");
    ossl::Key key(PEM_read_bio_PUBKEY(in.get(), nullptr, nullptr, nullptr));
    if (!key) return malformed();
    EcdsaPublic out;
    COFFER_TRY_ASSIGN(out.p384_, is_p384(key.get()));
    COFFER_TRY_ASSIGN(out.pem_, public_pem(key.get()));
    out.key_ = std::shared_ptr<EVP_PKEY>(key.release(), EVP_PKEY_free);
    return out;
}

Status EcdsaPublic::verify(Bytes message, Bytes signature) const {
    const ossl::MdCtx context(EVP_MD_CTX_new());
    if (!context || EVP_DigestVerifyInit(context.get(), nullptr, hash_of(p384_), nullptr, pkey(key_)) != 1) {
        return ossl::failure("ECDSA verification");
    }
    if (EVP_DigestVerify(context.get(), ossl::uchar(signature), signature.size(), ossl::uchar(message),
                         message.size()) == 1) {
        return {};
    }
    ossl::clear_errors();
    return error(Code::kAuth, Detail::kSignature, "the signature does not verify");
}

bool EcdsaPrivate::needs_passphrase(Bytes pem) {
    return as_text(pem).find("ENCRYPTED") != std::string_view::npos;
}

Result<EcdsaPrivate> EcdsaPrivate::from_pem(Bytes pem, Bytes passphrase) {
    if (pem.size() > kMaxPem) return malformed();
    const Bio in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    if (!in) return ossl::failure("PEM");
    ossl::Key key(PEM_read_bio_PrivateKey(in.get(), nullptr, &give_passphrase, &passphrase));
    if (!key) {
        if (!needs_passphrase(pem)) return malformed();
        ossl::clear_errors();
        return error(Code::kAuth,
                     passphrase.empty() ? "the key needs a passphrase" : "wrong passphrase, or a damaged key");
    }
    EcdsaPublic both;
    COFFER_TRY_ASSIGN(both.p384_, is_p384(key.get()));
    COFFER_TRY_ASSIGN(both.pem_, public_pem(key.get()));
    both.key_ = std::shared_ptr<EVP_PKEY>(key.release(), EVP_PKEY_free);
    return EcdsaPrivate(std::move(both));
}

Result<std::vector<std::byte>> EcdsaPrivate::sign(Bytes message) const {
    const ossl::MdCtx context(EVP_MD_CTX_new());
    EVP_PKEY* const key = pkey(public_.key_);
    size_t size = static_cast<size_t>(std::max(EVP_PKEY_get_size(key), 0));
    std::vector<std::byte> signature(size);
    if (!context || EVP_DigestSignInit(context.get(), nullptr, hash_of(public_.p384_), nullptr, key) != 1 ||
        EVP_DigestSign(context.get(), ossl::uchar(MutableBytes(signature)), &size, ossl::uchar(message),
                       message.size()) != 1) {
        return ossl::failure("ECDSA signature");
    }
    signature.resize(size);
    return signature;
}

}  // namespace coffer::crypto
