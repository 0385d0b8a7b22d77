// X25519 keys as text, the way age and age-keygen write them (Bech32, BIP 173): recipients "age1...",
// identities "AGE-SECRET-KEY-1...". No table lookup depends on a secret.
#pragma once

#include <string>

#include "crypto/x25519.hpp"

namespace coffer::crypto {

// Bech32 with any prefix. The encoding has the case of `prefix`, which must not be mixed.
size_t bech32_size(std::string_view prefix, size_t data_size);
Status bech32_encode(std::string_view prefix, Bytes data, std::span<char> dst);  // dst: bech32_size() characters
// Exactly this prefix (in this case) and exactly dst.size() bytes.
Status bech32_decode(std::string_view prefix, std::string_view text, MutableBytes dst);

Result<std::string> age_recipient(const X25519Public& key);
Result<X25519Public> parse_age_recipient(std::string_view text);
Result<SecretBytes> age_identity(const X25519Identity& identity);  // the text, without a newline
Result<X25519Identity> parse_age_identity(Bytes text);

}  // namespace coffer::crypto
