#include "crypto/hpke.hpp"

#include "crypto/hash.hpp"

namespace coffer::crypto {
namespace {

constexpr uint16_t kKdf = 0x0001;  // HKDF-SHA256

constexpr uint16_t aead_id(Suite suite) {
    return suite == Suite::kAes256Gcm ? 0x0002 : 0x0003;
}

// I2OSP(value, 2)
std::array<std::byte, 2> be16(size_t value) {
    return {static_cast<std::byte>(value >> 8), static_cast<std::byte>(value)};
}

// suite_id of the KEM ("KEM" || kem) and of the whole ("HPKE" || kem || kdf || aead): RFC 9180 4.1, 5.1.
class SuiteId {
 public:
    static SuiteId of_kem(Kem kem) {
        SuiteId id;
        id.put("KEM", {static_cast<uint16_t>(kem)});
        return id;
    }
    static SuiteId of_hpke(Kem kem, Suite suite) {
        SuiteId id;
        id.put("HPKE", {static_cast<uint16_t>(kem), kKdf, aead_id(suite)});
        return id;
    }
    Bytes bytes() const { return {bytes_.data(), size_}; }

 private:
    void put(std::string_view name, std::initializer_list<uint16_t> numbers) {
        for (char c : name) bytes_[size_++] = static_cast<std::byte>(c);
        for (uint16_t n : numbers) {
            for (std::byte b : be16(n)) bytes_[size_++] = b;
        }
    }
    std::array<std::byte, 10> bytes_{};
    size_t size_ = 0;
};

constexpr std::string_view kVersion = "HPKE-v1";

Result<SecretBytes> labeled_extract(const SuiteId& id, Bytes salt, std::string_view label, Bytes ikm) {
    return hkdf_extract(salt, {as_bytes(kVersion), id.bytes(), as_bytes(label), ikm});
}

Result<SecretBytes> labeled_expand(const SuiteId& id, const SecretBytes& prk, std::string_view label, Bytes info,
                                   Bytes more, size_t size) {
    return hkdf_expand(prk.bytes(), {be16(size), as_bytes(kVersion), id.bytes(), as_bytes(label), info, more}, size);
}

// ExtractAndExpand(dh, enc || public key): RFC 9180 4.1.
Result<SecretBytes> shared_secret(Kem kem, Bytes dh, Bytes enc, Bytes public_key) {
    if (dh.size() != 32 || enc.size() != kem_public_size(kem) || public_key.size() != kem_public_size(kem)) {
        return error(Code::kInvalidArgument, "HPKE: key of the wrong size");
    }
    const SuiteId id = SuiteId::of_kem(kem);
    COFFER_TRY_ASSIGN(const SecretBytes prk, labeled_extract(id, {}, "eae_prk", dh));
    return labeled_expand(id, prk, "shared_secret", enc, public_key, kHashSize);
}

}  // namespace

Result<HpkeContext> hpke_key_schedule(Kem kem, Suite suite, Bytes dh, Bytes enc, Bytes public_key, Bytes info) {
    COFFER_TRY_ASSIGN(const SecretBytes shared, shared_secret(kem, dh, enc, public_key));
    const SuiteId id = SuiteId::of_hpke(kem, suite);
    // key_schedule_context = mode (0, base) || psk_id_hash || info_hash
    COFFER_TRY_ASSIGN(const SecretBytes psk_id_hash, labeled_extract(id, {}, "psk_id_hash", {}));
    COFFER_TRY_ASSIGN(const SecretBytes info_hash, labeled_extract(id, {}, "info_hash", info));
    std::array<std::byte, 1 + 2 * kHashSize> context{};
    std::copy_n(psk_id_hash.bytes().data(), kHashSize, context.data() + 1);
    std::copy_n(info_hash.bytes().data(), kHashSize, context.data() + 1 + kHashSize);

    COFFER_TRY_ASSIGN(const SecretBytes secret, labeled_extract(id, shared.bytes(), "secret", {}));
    HpkeContext out;
    COFFER_TRY_ASSIGN(out.key, labeled_expand(id, secret, "key", context, {}, kAeadKeySize));
    COFFER_TRY_ASSIGN(const SecretBytes nonce, labeled_expand(id, secret, "base_nonce", context, {}, kAeadNonceSize));
    std::copy_n(nonce.bytes().data(), kAeadNonceSize, out.base_nonce.data());
    COFFER_TRY_ASSIGN(out.exporter_secret, labeled_expand(id, secret, "exp", context, {}, kHashSize));
    return out;
}

Result<SecretBytes> HpkeContext::export_secret(Suite suite, Kem kem, Bytes context, size_t size) const {
    return labeled_expand(SuiteId::of_hpke(kem, suite), exporter_secret, "sec", context, {}, size);
}

namespace {

template <class Public>
Result<HpkeSealed<Public>> seal_shared(Kem kem, Suite suite, Bytes dh, const Public& enc, const Public& recipient,
                                       Bytes info, Bytes aad, Bytes plaintext) {
    HpkeSealed<Public> out{enc, std::vector<std::byte>(plaintext.size() + kAeadTagSize)};
    COFFER_TRY_ASSIGN(const HpkeContext context, hpke_key_schedule(kem, suite, dh, enc, recipient, info));
    COFFER_TRY(seal_once(suite, context.key.bytes(), context.base_nonce, aad, plaintext, out.ciphertext));
    return out;
}

}  // namespace

Result<HpkeSealed<X25519Public>> hpke_seal_with_ephemeral(Suite suite, const X25519Identity& ephemeral,
                                                          const X25519Public& recipient, Bytes info, Bytes aad,
                                                          Bytes plaintext) {
    COFFER_TRY_ASSIGN(const SecretBytes dh, x25519(ephemeral.secret, recipient));
    return seal_shared(Kem::kX25519, suite, dh.bytes(), ephemeral.public_key, recipient, info, aad, plaintext);
}

Result<HpkeSealed<P256Public>> hpke_seal_with_ephemeral(Suite suite, const P256Identity& ephemeral,
                                                        const P256Public& recipient, Bytes info, Bytes aad,
                                                        Bytes plaintext) {
    COFFER_TRY_ASSIGN(const SecretBytes dh, p256(ephemeral.secret, recipient));
    return seal_shared(Kem::kP256, suite, dh.bytes(), ephemeral.public_key, recipient, info, aad, plaintext);
}

Result<HpkeSealed<X25519Public>> hpke_seal(Suite suite, const X25519Public& recipient, Bytes info, Bytes aad,
                                           Bytes plaintext) {
    COFFER_TRY_ASSIGN(const X25519Identity ephemeral, X25519Identity::generate());
    return hpke_seal_with_ephemeral(suite, ephemeral, recipient, info, aad, plaintext);
}

Result<HpkeSealed<P256Public>> hpke_seal(Suite suite, const P256Public& recipient, Bytes info, Bytes aad,
                                         Bytes plaintext) {
    COFFER_TRY_ASSIGN(const P256Identity ephemeral, P256Identity::generate());
    return hpke_seal_with_ephemeral(suite, ephemeral, recipient, info, aad, plaintext);
}

Result<SecretBytes> hpke_open_shared(Kem kem, Suite suite, Bytes dh, Bytes enc, Bytes public_key, Bytes info,
                                     Bytes aad, Bytes sealed) {
    if (sealed.size() < kAeadTagSize) return error(Code::kAuth, "HPKE: message shorter than its tag");
    COFFER_TRY_ASSIGN(const HpkeContext context, hpke_key_schedule(kem, suite, dh, enc, public_key, info));
    COFFER_TRY_ASSIGN(SecretBytes plaintext, SecretBytes::create(sealed.size() - kAeadTagSize));
    COFFER_TRY(open_once(suite, context.key.bytes(), context.base_nonce, aad, sealed, plaintext.mutable_bytes()));
    return plaintext;
}

Result<SecretBytes> hpke_open(Suite suite, const X25519Identity& identity, const X25519Public& enc, Bytes info,
                              Bytes aad, Bytes sealed) {
    COFFER_TRY_ASSIGN(const SecretBytes dh, x25519(identity.secret, enc));
    return hpke_open_shared(Kem::kX25519, suite, dh.bytes(), enc, identity.public_key, info, aad, sealed);
}

Result<SecretBytes> hpke_open(Suite suite, const P256Identity& identity, const P256Public& enc, Bytes info, Bytes aad,
                              Bytes sealed) {
    COFFER_TRY_ASSIGN(const SecretBytes dh, p256(identity.secret, enc));
    return hpke_open_shared(Kem::kP256, suite, dh.bytes(), enc, identity.public_key, info, aad, sealed);
}

Result<X25519Identity> hpke_derive_key_pair(Bytes ikm) {
    const SuiteId id = SuiteId::of_kem(Kem::kX25519);
    COFFER_TRY_ASSIGN(const SecretBytes prk, labeled_extract(id, {}, "dkp_prk", ikm));
    COFFER_TRY_ASSIGN(SecretBytes secret, labeled_expand(id, prk, "sk", {}, {}, kX25519KeySize));
    return X25519Identity::from_secret(std::move(secret));
}

}  // namespace coffer::crypto
