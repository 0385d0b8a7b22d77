// HPKE base mode, single shot (RFC 9180): HKDF-SHA256 and the AEAD of the suite. The KEM's key agreement is
// apart from the rest, because in a token or keystore it happens inside the device: with its result in hand,
// hpke_open_shared() does everything else.
#pragma once

#include <vector>

#include "crypto/aead.hpp"
#include "crypto/p256.hpp"
#include "crypto/x25519.hpp"

namespace coffer::crypto {

enum class Kem : uint16_t { kP256 = 0x0010, kX25519 = 0x0020 };  // DHKEMs with HKDF-SHA256
constexpr size_t kem_public_size(Kem kem) {
    return kem == Kem::kP256 ? kP256PublicSize : kX25519KeySize;
}

template <class Public>
struct HpkeSealed {
    Public enc;
    std::vector<std::byte> ciphertext;  // plaintext, then the tag
};

Result<HpkeSealed<X25519Public>> hpke_seal(Suite suite, const X25519Public& recipient, Bytes info, Bytes aad,
                                           Bytes plaintext);
Result<HpkeSealed<P256Public>> hpke_seal(Suite suite, const P256Public& recipient, Bytes info, Bytes aad,
                                         Bytes plaintext);
// `sealed` is ciphertext || tag. Code::kAuth when it is not for this identity or was changed.
Result<SecretBytes> hpke_open(Suite suite, const X25519Identity& identity, const X25519Public& enc, Bytes info,
                              Bytes aad, Bytes sealed);

Result<SecretBytes> hpke_open(Suite suite, const P256Identity& identity, const P256Public& enc, Bytes info, Bytes aad,
                              Bytes sealed);

// Opens with a Diffie-Hellman result computed elsewhere; `enc` and `public_key` are encoded as the KEM says.
Result<SecretBytes> hpke_open_shared(Kem kem, Suite suite, Bytes dh, Bytes enc, Bytes public_key, Bytes info,
                                     Bytes aad, Bytes sealed);

// Deterministic forms, for published test vectors: a chosen ephemeral key, and RFC 9180 DeriveKeyPair (X25519).
Result<HpkeSealed<X25519Public>> hpke_seal_with_ephemeral(Suite suite, const X25519Identity& ephemeral,
                                                          const X25519Public& recipient, Bytes info, Bytes aad,
                                                          Bytes plaintext);
Result<HpkeSealed<P256Public>> hpke_seal_with_ephemeral(Suite suite, const P256Identity& ephemeral,
                                                        const P256Public& recipient, Bytes info, Bytes aad,
                                                        Bytes plaintext);
Result<X25519Identity> hpke_derive_key_pair(Bytes ikm);

// What the key schedule yields; nonce_at(base_nonce, i) is the nonce of message i.
struct HpkeContext {
    SecretBytes key;
    Nonce base_nonce{};
    SecretBytes exporter_secret;

    Result<SecretBytes> export_secret(Suite suite, Kem kem, Bytes context, size_t size) const;
};
Result<HpkeContext> hpke_key_schedule(Kem kem, Suite suite, Bytes dh, Bytes enc, Bytes public_key, Bytes info);

}  // namespace coffer::crypto
