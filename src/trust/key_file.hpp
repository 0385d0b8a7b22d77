// Key files: reading them with the checks a secret deserves (format.md 5.17), and writing new ones.
// A private key file must be a regular file, not a symbolic link, of limited size, owned by the user or root
// and closed to everyone else.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "trust/keyring.hpp"
#include "trust/signer.hpp"

namespace coffer::trust {

inline constexpr size_t kMaxKeyFileBytes = size_t{64} << 10;

enum class KeyFileAccess : uint8_t {
    kStrict,   // owner and mode are checked
    kRelaxed,  // the caller said explicitly that they do not matter
};

Result<crypto::SecretBytes> read_key_file(const std::string& path, KeyFileAccess access = KeyFileAccess::kStrict);
// An inherited descriptor, read to its end.
Result<crypto::SecretBytes> read_key_fd(int fd);

Status load_keys(Keyring& keyring, const std::string& path, KeyFileAccess access = KeyFileAccess::kStrict);
Status load_raw_key(Keyring& keyring, const std::string& path, KeyFileAccess access = KeyFileAccess::kStrict);

// `passphrase` is asked only when the key is encrypted; empty = there is none.
Result<SigningKey> load_signing_key(const std::string& path, const PasswordSource& passphrase = {},
                                    KeyFileAccess access = KeyFileAccess::kStrict);
Result<Signer> load_signer(const std::string& path);  // public: only size and form are checked

// A licence is no secret: only its form is checked.
Status load_licence(Keyring& keyring, const std::string& path);

// Recipients: one "age1..." a line, # comments and empty lines ignored; or P-256 public keys as SPKI PEM.
using RecipientKey = std::variant<crypto::X25519Public, crypto::P256Public>;
Result<std::vector<RecipientKey>> parse_recipients(std::string_view text);
Result<std::vector<RecipientKey>> load_recipients(const std::string& path);

// A new identity as age-keygen writes it: "# created:" and "# public key:" comments, then the identity.
Result<crypto::SecretBytes> identity_file_text(const crypto::X25519Identity& identity, int64_t created);
// Writes a private key file with mode 0600; refuses to replace an existing file.
Status write_key_file(const std::string& path, Bytes text);

}  // namespace coffer::trust
