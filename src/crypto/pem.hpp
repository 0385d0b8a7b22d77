// Signing keys as text: Ed25519 private keys as PKCS#8 PEM, plain or encrypted under a passphrase, and public
// keys as SubjectPublicKeyInfo PEM (RFC 8410, RFC 7468). The whole text is one key: nothing before or after.
#pragma once

#include <string>

#include "crypto/ed25519.hpp"

namespace coffer::crypto {

Result<std::string> ed25519_public_to_pem(const Ed25519Public& key);
Result<Ed25519Public> ed25519_public_from_pem(std::string_view pem);  // checked by ed25519_check_public

// An empty passphrase writes the key unencrypted; otherwise PBES2 with scrypt and AES-256-CBC.
Result<SecretBytes> ed25519_private_to_pem(const SecretBytes& seed, Bytes passphrase);
bool is_encrypted_pem(Bytes pem);
// The passphrase is used only when the key is encrypted. A wrong one is Code::kAuth.
Result<SecretBytes> ed25519_private_from_pem(Bytes pem, Bytes passphrase);

}  // namespace coffer::crypto
