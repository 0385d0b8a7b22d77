// Keys in tokens, named as RFC 7512 does: pkcs11:token=LABEL;object=LABEL?module-path=/PATH&pin-source=file:F.
// The attributes may stand in either part, and "module" is short for "module-path". A PIN is never part of the name.
#pragma once

#include "crypto/pkcs11.hpp"
#include "trust/keyring.hpp"

namespace coffer::trust {

struct TokenUri {
    crypto::Pkcs11Key::Where where;
    std::string pin_source;  // "": ask
};
Result<TokenUri> parse_token_uri(std::string_view uri);

// `ask` is for tokens whose name has no pin-source, or "prompt"; empty: nobody can be asked. A pin-source is
// file:PATH (a key file, by the rules of read_key_file) or fd:N.
using AskPin = std::function<Result<crypto::SecretBytes>(std::string_view token)>;
Result<std::shared_ptr<crypto::Pkcs11Key>> find_token_key(std::string_view uri, AskPin ask);
Status add_token_key(Keyring& keyring, std::string_view uri, AskPin ask);

}  // namespace coffer::trust
