#include "crypto/aead.hpp"

#include <numeric>

#include "vectors.hpp"

namespace coffer::crypto {
namespace {

struct Message {
    Nonce nonce;
    std::vector<std::byte> key, aad, plaintext, ciphertext, tag;
    bool valid;
};

void check(Suite suite, const Message& m) {
    Opener opener = Opener::create(suite, m.key).value();
    std::vector<std::byte> dst(m.ciphertext.size(), std::byte{0xaa});
    const auto tag = std::span<const std::byte, kAeadTagSize>(m.tag);
    // Twice, as a context is reused for many chunks; the second time in place.
    for (int round = 0; round < 2; ++round) {
        if (round == 1) dst = m.ciphertext;
        const Bytes src = round == 0 ? Bytes(m.ciphertext) : Bytes(dst);
        const Status status = opener.open(m.nonce, m.aad, src, tag, dst);
        REQUIRE(status.ok() == m.valid);
        if (m.valid) {
            REQUIRE(dst == m.plaintext);
        } else {
            REQUIRE(status.error().code() == Code::kAuth);
            REQUIRE(dst == std::vector<std::byte>(dst.size()));
        }
    }
    if (!m.valid) return;
    Sealer sealer = Sealer::create(suite, m.key).value();
    for (int round = 0; round < 2; ++round) {
        std::vector<std::byte> sealed(m.plaintext.size());
        Tag made{};
        REQUIRE(sealer.seal(m.nonce, m.aad, m.plaintext, sealed, made).ok());
        REQUIRE(sealed == m.ciphertext);
        REQUIRE(to_vector(made) == m.tag);
    }
}

void run(const char* file, Suite suite, int expected) {
    const auto vectors = load_vectors(file);
    if (!vectors) return;
    int count = 0;
    for (const Json& group : vectors->at("testGroups")) {
        if (group.at("keySize") != 256 || group.at("ivSize") != 96 || group.at("tagSize") != 128) continue;
        for (const Json& test : group.at("tests")) {
            CAPTURE(test.at("tcId").get<int>());
            check(suite,
                  {to_array<kAeadNonceSize>(unhex(test.at("iv"))), unhex(test.at("key")), unhex(test.at("aad")),
                   unhex(test.at("msg")), unhex(test.at("ct")), unhex(test.at("tag")), test.at("result") == "valid"});
            ++count;
        }
    }
    REQUIRE(count == expected);
}

TEST_CASE("AES-256-GCM agrees with Wycheproof") {
    run("wycheproof/aes_gcm_test.json", Suite::kAes256Gcm, 66);
}

TEST_CASE("ChaCha20-Poly1305 agrees with Wycheproof") {
    run("wycheproof/chacha20_poly1305_test.json", Suite::kChaCha20Poly1305, 316);
}

TEST_CASE("every changed bit of a message is noticed, and a context recovers from it") {
    for (Suite suite : {Suite::kAes256Gcm, Suite::kChaCha20Poly1305}) {
        std::vector<std::byte> key(kAeadKeySize), aad(13), plaintext(45), sealed(45 + kAeadTagSize), opened(45);
        std::iota(reinterpret_cast<uint8_t*>(key.data()), reinterpret_cast<uint8_t*>(key.data()) + key.size(), 1);
        std::iota(reinterpret_cast<uint8_t*>(plaintext.data()), reinterpret_cast<uint8_t*>(plaintext.data()) + 45, 7);
        const Nonce nonce{std::byte{9}};
        REQUIRE(seal_once(suite, key, nonce, aad, plaintext, sealed).ok());
        REQUIRE(open_once(suite, key, nonce, aad, sealed, opened).ok());
        REQUIRE(opened == plaintext);

        Opener opener = Opener::create(suite, key).value();
        const auto open = [&] {
            return opener.open(nonce, aad, Bytes(sealed).first(45), Bytes(sealed).last<kAeadTagSize>(), opened).ok();
        };
        for (size_t bit = 0; bit < sealed.size() * 8; ++bit) {
            sealed[bit / 8] ^= std::byte{1} << (bit % 8);
            REQUIRE_FALSE(open());
            sealed[bit / 8] ^= std::byte{1} << (bit % 8);
        }
        aad[3] ^= std::byte{1};
        REQUIRE_FALSE(open());
        aad[3] ^= std::byte{1};
        REQUIRE(open());
        REQUIRE(opened == plaintext);
    }
}

TEST_CASE("keys and buffers of the wrong size are refused") {
    const std::vector<std::byte> key(kAeadKeySize), text(20);
    std::vector<std::byte> dst(19);
    const Tag tag{};
    REQUIRE(Opener::create(Suite::kAes256Gcm, Bytes(key).first(16)).error().code() == Code::kInvalidArgument);
    REQUIRE(Sealer::create(Suite::kAes256Gcm, {}).error().code() == Code::kInvalidArgument);
    Opener opener = Opener::create(Suite::kAes256Gcm, key).value();
    REQUIRE(opener.open({}, {}, text, tag, dst).error().code() == Code::kInvalidArgument);
    REQUIRE(open_once(Suite::kAes256Gcm, key, {}, {}, Bytes(text).first(15), dst).error().code() ==
            Code::kInvalidArgument);
}

TEST_CASE("nonce of a message is its base XOR the big-endian index") {
    Nonce base;
    base.fill(std::byte{0xf0});
    REQUIRE(nonce_at(base, 0) == base);
    const Nonce n = nonce_at(base, 0x0102030405060708);
    REQUIRE(to_vector(n) == unhex("f0f0f0f0f1f2f3f4f5f6f7f8"));
}

}  // namespace
}  // namespace coffer::crypto
