// A P-256 key inside a token or HSM, through the PKCS#11 module of its maker. The private key stays where it is: the
// token does the key agreement (CKM_ECDH1_DERIVE), and what it gives back is what p256() would have given.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "crypto/p256.hpp"

namespace coffer::crypto {

class Pkcs11Key {
 public:
    // What names a key; empty parts name nothing. Exactly one token and one key must remain.
    struct Where {
        std::string module;  // absolute path
        std::string token, serial, manufacturer, model;
        std::string object;
        std::vector<std::byte> id;
    };
    // Asked for the user's PIN of the token with this label, at most once in the life of the object.
    using Pin = std::function<Result<SecretBytes>(std::string_view token)>;

    // Loads the module and reads the public key. The PIN is asked for only when the token hides public keys too.
    static Result<std::shared_ptr<Pkcs11Key>> find(const Where& where, Pin pin);
    ~Pkcs11Key();

    const P256Public& public_key() const;
    // Code::kAuth, Detail::kUnwrap with the reason when the token does not. A PIN that was refused is not tried
    // again: a token locks itself after a few. Thread-safe. `peer` must have passed p256_check_public.
    Result<SecretBytes> agree(const P256Public& peer);

 private:
    struct State;
    explicit Pkcs11Key(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace coffer::crypto
