// ECDSA on P-256 and P-384 with the hash that fits the curve, signatures in DER: what other people's tools sign
// files with (OpenSSF Model Signing). Nothing inside a sealed file is signed so; its signatures are Ed25519.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "crypto/secret.hpp"

namespace coffer::crypto {

class EcdsaPublic {
 public:
    // SubjectPublicKeyInfo; text before and after the block is allowed, as some tools write it.
    static Result<EcdsaPublic> from_pem(std::string_view pem);

    // Code::kAuth when the signature is not by this key over `message`.
    Status verify(Bytes message, Bytes signature) const;
    // Always the same text for a key, whatever it was read from.
    const std::string& pem() const { return pem_; }

 private:
    friend class EcdsaPrivate;
    EcdsaPublic() = default;
    std::shared_ptr<void> key_;
    bool p384_ = false;
    std::string pem_;
};

class EcdsaPrivate {
 public:
    // PKCS#8 or SEC 1. The passphrase is used only when the key is encrypted; a wrong one is Code::kAuth.
    static Result<EcdsaPrivate> from_pem(Bytes pem, Bytes passphrase);
    static bool needs_passphrase(Bytes pem);

    const EcdsaPublic& public_key() const { return public_; }
    Result<std::vector<std::byte>> sign(Bytes message) const;

 private:
    explicit EcdsaPrivate(EcdsaPublic key) : public_(std::move(key)) {}
    EcdsaPublic public_;  // its key_ holds the private part as well
};

}  // namespace coffer::crypto
