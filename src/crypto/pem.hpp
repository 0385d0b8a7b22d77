// Keys as PEM text: private keys as PKCS#8, public keys as SubjectPublicKeyInfo (RFC 5480, RFC 7468, RFC 8410).
// Ed25519 signs, and its private keys may be encrypted under a passphrase; P-256 decrypts. The whole text is one
// key: nothing before or after.
#pragma once

#include <string>

#include "crypto/ed25519.hpp"
#include "crypto/p256.hpp"

namespace coffer::crypto {

bool is_pem(Bytes text);  // begins like one

Result<std::string> ed25519_public_to_pem(const Ed25519Public& key);
Result<Ed25519Public> ed25519_public_from_pem(std::string_view pem);  // checked by ed25519_check_public

// An empty passphrase writes the key unencrypted; otherwise PBES2 with scrypt and AES-256-CBC.
Result<SecretBytes> ed25519_private_to_pem(const SecretBytes& seed, Bytes passphrase);
bool is_encrypted_pem(Bytes pem);
// The passphrase is used only when the key is encrypted. A wrong one is Code::kAuth.
Result<SecretBytes> ed25519_private_from_pem(Bytes pem, Bytes passphrase);

Result<std::string> p256_public_to_pem(const P256Public& key);
Result<P256Public> p256_public_from_pem(std::string_view pem);  // checked by p256_check_public
Result<SecretBytes> p256_private_to_pem(const P256Identity& identity);
Result<P256Identity> p256_private_from_pem(Bytes pem);

}  // namespace coffer::crypto
