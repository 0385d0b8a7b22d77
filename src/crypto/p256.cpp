#include "crypto/p256.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <openssl/params.h>

#include <algorithm>
#include <bit>

#include "crypto/ossl.hpp"
#include "crypto/random.hpp"

namespace coffer::crypto {
namespace {

using Number = ossl::Owner<BIGNUM, BN_clear_free>;
using Numbers = ossl::Owner<BN_CTX, BN_CTX_free>;
using Group = ossl::Owner<EC_GROUP, EC_GROUP_free>;
using Point = ossl::Owner<EC_POINT, EC_POINT_clear_free>;

constexpr char kCurve[] = "prime256v1";

// The number of a private key, or nullptr when it is not in [1, order).
Number scalar_of(const EC_GROUP* group, Bytes secret) {
    Number n(BN_secure_new());
    if (!n || !BN_bin2bn(ossl::uchar(secret), static_cast<int>(secret.size()), n.get())) return nullptr;
    BN_set_flags(n.get(), BN_FLG_CONSTTIME);
    return BN_is_zero(n.get()) || BN_cmp(n.get(), EC_GROUP_get0_order(group)) >= 0 ? nullptr : std::move(n);
}

Result<P256Public> public_of(Bytes secret) {
    if (secret.size() != kP256KeySize) return error(Code::kInvalidArgument, "P-256 key: ", secret.size(), " bytes");
    const Group group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
    const Numbers numbers(BN_CTX_secure_new());
    if (!group || !numbers) return ossl::failure("P-256 key");
    const Number scalar = scalar_of(group.get(), secret);
    if (!scalar) return ossl::failure_or(error(Code::kFormat, "P-256 private key out of range"));
    const Point point(EC_POINT_new(group.get()));
    P256Public out;
    if (!point || EC_POINT_mul(group.get(), point.get(), scalar.get(), nullptr, nullptr, numbers.get()) != 1 ||
        EC_POINT_point2oct(group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED, ossl::uchar(MutableBytes(out)),
                           out.size(), numbers.get()) != out.size()) {
        return ossl::failure("P-256 public key");
    }
    return out;
}

// `secret` may be empty: a public key. Fails for a point that is not on the curve.
ossl::Key make_key(const P256Public& public_key, const SecretBytes* secret) {
    const ossl::KeyCtx context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
    SecretBytes number;  // of the machine's byte order, as OSSL_PARAM wants it
    if (secret) {
        auto copy = secret->clone();
        if (!copy) return nullptr;
        number = std::move(copy).value();
        if constexpr (std::endian::native == std::endian::little) std::ranges::reverse(number.mutable_bytes());
    }
    P256Public point = public_key;
    char curve[sizeof kCurve];
    std::copy_n(kCurve, sizeof kCurve, curve);
    OSSL_PARAM params[4] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
        OSSL_PARAM_construct_end(),
        OSSL_PARAM_construct_end(),
    };
    if (secret) {
        params[2] =
            OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, ossl::uchar(number.mutable_bytes()), number.size());
    }
    EVP_PKEY* key = nullptr;
    if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, secret ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) != 1) {
        EVP_PKEY_free(key);
        return nullptr;
    }
    return ossl::Key(key);
}

Error not_a_point(const char* why) {
    return ossl::failure_or(error(Code::kFormat, Detail::kFormat, "P-256 public key: ", why));
}

}  // namespace

Result<P256Identity> P256Identity::from_secret(SecretBytes secret) {
    P256Identity identity;
    COFFER_TRY_ASSIGN(identity.public_key, public_of(secret.bytes()));
    identity.secret = std::move(secret);
    return identity;
}

Result<P256Identity> P256Identity::generate() {
    // Out of range once in 2^32 times.
    for (;;) {
        COFFER_TRY_ASSIGN(SecretBytes secret, random_secret(kP256KeySize));
        auto identity = from_secret(std::move(secret));
        if (identity || identity.error().code() != Code::kFormat) return identity;
    }
}

Status p256_check_public(Bytes key) {
    if (key.size() == 1 && key[0] == std::byte{0}) return not_a_point("the point at infinity");
    if (key.size() == 33 && (key[0] == std::byte{2} || key[0] == std::byte{3})) {
        return not_a_point("a compressed point; the uncompressed form is expected");
    }
    if (key.size() != kP256PublicSize || key[0] != std::byte{4}) {
        return not_a_point("not an uncompressed point of 65 bytes");
    }
    const Group group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
    const Point point(group ? EC_POINT_new(group.get()) : nullptr);
    if (!point) return ossl::failure("P-256 public key");
    // Refuses coordinates that are not below the prime, and points that do not satisfy the equation. The order of
    // the group is prime, so that every other point is a good one.
    if (EC_POINT_oct2point(group.get(), point.get(), ossl::uchar(key), key.size(), nullptr) != 1) {
        return not_a_point("not a point of the curve");
    }
    return {};
}

Result<P256Public> p256_public_from(Bytes key) {
    COFFER_TRY(p256_check_public(key));
    P256Public out;
    std::ranges::copy(key, out.begin());
    return out;
}

Result<SecretBytes> p256(const SecretBytes& secret, const P256Public& peer) {
    const Status point = p256_check_public(peer);
    if (!point.ok() && point.error().code() != Code::kFormat) return point.error();
    if (!point.ok()) return error(Code::kAuth, "P-256: the peer's key is not a point of the curve");
    COFFER_TRY_ASSIGN(const P256Public own, public_of(secret.bytes()));
    const ossl::Key ours = make_key(own, &secret), theirs = make_key(peer, nullptr);
    const ossl::KeyCtx context(ours ? EVP_PKEY_CTX_new_from_pkey(nullptr, ours.get(), nullptr) : nullptr);
    if (!theirs || !context || EVP_PKEY_derive_init(context.get()) != 1 ||
        EVP_PKEY_derive_set_peer(context.get(), theirs.get()) != 1) {
        return ossl::failure("P-256");
    }
    COFFER_TRY_ASSIGN(SecretBytes shared, SecretBytes::create(kP256KeySize));
    size_t size = shared.size();
    if (EVP_PKEY_derive(context.get(), ossl::uchar(shared.mutable_bytes()), &size) != 1 || size != shared.size()) {
        return ossl::failure("P-256");
    }
    return shared;
}

}  // namespace coffer::crypto
