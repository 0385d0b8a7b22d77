#include "crypto/hash.hpp"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <algorithm>

#include "crypto/ossl.hpp"
#include "crypto/sha256_pair.hpp"

namespace coffer::crypto {
namespace {

// A context a thread keeps: making one costs as much as hashing a few hundred bytes.
EVP_MD_CTX* thread_context() {
    thread_local ossl::MdCtx context;
    if (!context) context.reset(EVP_MD_CTX_new());
    return context.get();
}

bool digest(EVP_MD_CTX* context, Parts parts, Hash& out) {
    const EVP_MD* const algorithm = ossl::sha256();
    if (!context || !algorithm || EVP_DigestInit_ex2(context, algorithm, nullptr) != 1) return false;
    for (Bytes part : parts) {
        if (EVP_DigestUpdate(context, part.data(), part.size()) != 1) return false;
    }
    return EVP_DigestFinal_ex(context, ossl::uchar(MutableBytes(out)), nullptr) == 1;
}

// HMAC with its digest chosen but no key: copied for each use, which spares two look-ups by name.
const EVP_MAC_CTX* hmac_prototype() {
    constexpr auto make = []() -> EVP_MAC_CTX* {
        EVP_MAC* mac = EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr);
        ossl::MacCtx context(mac ? EVP_MAC_CTX_new(mac) : nullptr);
        EVP_MAC_free(mac);
        char name[] = "SHA256";
        const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                                     OSSL_PARAM_construct_end()};
        if (!context || EVP_MAC_CTX_set_params(context.get(), params) != 1) return nullptr;
        return context.release();
    };
    static constinit ossl::Lazy<EVP_MAC_CTX> prototype{make, &EVP_MAC_CTX_free};
    return prototype.get();
}

Status hmac_into(Bytes key, std::span<const Bytes> parts, std::span<std::byte, kHashSize> out) {
    const EVP_MAC_CTX* prototype = hmac_prototype();
    const ossl::MacCtx context(prototype ? EVP_MAC_CTX_dup(prototype) : nullptr);
    // A null key means "keep the key" to libcrypto; an empty one must still be set.
    static const unsigned char none = 0;
    const unsigned char* key_data = key.empty() ? &none : ossl::uchar(key);
    if (!context || EVP_MAC_init(context.get(), key_data, key.size(), nullptr) != 1) return ossl::failure("HMAC");
    for (Bytes part : parts) {
        if (EVP_MAC_update(context.get(), ossl::uchar(part), part.size()) != 1) return ossl::failure("HMAC");
    }
    size_t size = 0;
    if (EVP_MAC_final(context.get(), ossl::uchar(MutableBytes(out)), &size, out.size()) != 1 || size != out.size()) {
        return ossl::failure("HMAC");
    }
    return {};
}

std::span<const Bytes> as_span(Parts parts) {
    return {parts.begin(), parts.size()};
}

constexpr std::string_view kLeafLabel = "coffer/v1/leaf";

// label || LE8(index)
using LeafHead = std::array<std::byte, kLeafLabel.size() + 8>;
LeafHead leaf_head(uint64_t index) {
    LeafHead head;
    std::ranges::copy(as_bytes(kLeafLabel), head.begin());
    for (size_t i = 0; i < 8; ++i) head[kLeafLabel.size() + i] = static_cast<std::byte>(index >> (8 * i));
    return head;
}

}  // namespace

void Sha256::Free::operator()(void* context) const {
    EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context));
}

Result<Sha256> Sha256::create() {
    const EVP_MD* const algorithm = ossl::sha256();
    ossl::MdCtx context(EVP_MD_CTX_new());
    if (!algorithm || !context || EVP_DigestInit_ex2(context.get(), algorithm, nullptr) != 1) {
        return ossl::failure("SHA-256");
    }
    return Sha256(context.release());
}

Status Sha256::update(Bytes bytes) {
    auto* context = static_cast<EVP_MD_CTX*>(context_.get());
    if (EVP_DigestUpdate(context, bytes.data(), bytes.size()) != 1) return ossl::failure("SHA-256");
    return {};
}

Result<Hash> Sha256::finish() {
    auto* context = static_cast<EVP_MD_CTX*>(context_.get());
    Hash hash;
    if (EVP_DigestFinal_ex(context, ossl::uchar(MutableBytes(hash)), nullptr) != 1 ||
        EVP_DigestInit_ex2(context, ossl::sha256(), nullptr) != 1) {
        return ossl::failure("SHA-256");
    }
    return hash;
}

Result<Hash> sha256(Parts parts) {
    Hash hash;
    if (!digest(thread_context(), parts, hash)) return ossl::failure("SHA-256");
    return hash;
}

Result<Hash> hmac_sha256(Bytes key, Parts parts) {
    Hash mac;
    COFFER_TRY(hmac_into(key, as_span(parts), mac));
    return mac;
}

Result<SecretBytes> hkdf_extract(Bytes salt, Parts key_material) {
    COFFER_TRY_ASSIGN(SecretBytes prk, SecretBytes::create(kHashSize));
    COFFER_TRY(hmac_into(salt, as_span(key_material), prk.mutable_bytes().first<kHashSize>()));
    return prk;
}

Result<SecretBytes> hkdf_expand(Bytes prk, Parts info, size_t size) {
    if (size > 255 * kHashSize) return error(Code::kInvalidArgument, "HKDF: ", size, " bytes asked for");
    if (prk.size() < kHashSize) return error(Code::kInvalidArgument, "HKDF: key of ", prk.size(), " bytes");
    // T(i) = HMAC(PRK, T(i-1) || info || i): a whole number of blocks, cut to size at the end.
    COFFER_TRY_ASSIGN(SecretBytes out, SecretBytes::create((size + kHashSize - 1) / kHashSize * kHashSize));
    const MutableBytes blocks = out.mutable_bytes();
    std::vector<Bytes> parts(info.size() + 2);
    std::ranges::copy(info, parts.begin() + 1);
    for (size_t at = 0; at < blocks.size(); at += kHashSize) {
        const auto counter = static_cast<std::byte>(at / kHashSize + 1);
        parts.back() = Bytes(&counter, 1);
        COFFER_TRY(hmac_into(prk, parts, blocks.subspan(at).first<kHashSize>()));
        parts.front() = blocks.subspan(at, kHashSize);
    }
    out.truncate(size);
    return out;
}

Result<Hash> leaf_hash(uint64_t index, Bytes ciphertext) {
    return sha256({leaf_head(index), ciphertext});
}

Result<std::array<Hash, 2>> leaf_hash_pair(uint64_t index, Bytes first, Bytes second) {
    std::array<Hash, 2> leaves;
    if (first.size() == second.size() && sha256_pair_supported()) {
        const LeafHead heads[2] = {leaf_head(index), leaf_head(index + 1)};
        sha256_pair({heads[0], heads[1]}, {first, second}, leaves);
        return leaves;
    }
    COFFER_TRY_ASSIGN(leaves[0], leaf_hash(index, first));
    COFFER_TRY_ASSIGN(leaves[1], leaf_hash(index + 1, second));
    return leaves;
}

}  // namespace coffer::crypto
