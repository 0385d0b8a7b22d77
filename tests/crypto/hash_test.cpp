#include "crypto/hash.hpp"

#include "crypto/sha256_pair.hpp"
#include "vectors.hpp"

namespace coffer::crypto {
namespace {

TEST_CASE("SHA-256 of known messages, at once and in parts") {
    const auto empty = unhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    const auto abc = unhex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    REQUIRE(to_vector(sha256(Bytes{}).value()) == empty);
    REQUIRE(to_vector(sha256(as_bytes("abc")).value()) == abc);
    REQUIRE(to_vector(sha256({as_bytes("a"), Bytes{}, as_bytes("bc")}).value()) == abc);

    Sha256 hash = Sha256::create().value();
    for (int round = 0; round < 2; ++round) {
        REQUIRE(hash.update(as_bytes("ab")).ok());
        REQUIRE(hash.update(as_bytes("c")).ok());
        REQUIRE(to_vector(hash.finish().value()) == abc);
    }
    REQUIRE(to_vector(hash.finish().value()) == empty);
}

TEST_CASE("HMAC-SHA256 agrees with Wycheproof") {
    const auto vectors = load_vectors("wycheproof/hmac_sha256_test.json");
    if (!vectors) return;
    int count = 0;
    for (const Json& group : vectors->at("testGroups")) {
        const size_t tag_size = group.at("tagSize").get<size_t>() / 8;
        for (const Json& test : group.at("tests")) {
            CAPTURE(test.at("tcId").get<int>());
            const Hash mac = hmac_sha256(unhex(test.at("key")), unhex(test.at("msg"))).value();
            REQUIRE(constant_time_equal(Bytes(mac).first(tag_size), unhex(test.at("tag"))) ==
                    (test.at("result") == "valid"));
            ++count;
        }
    }
    REQUIRE(count == 174);
}

TEST_CASE("HKDF-SHA256 agrees with Wycheproof") {
    const auto vectors = load_vectors("wycheproof/hkdf_sha256_test.json");
    if (!vectors) return;
    int count = 0;
    for (const Json& group : vectors->at("testGroups")) {
        for (const Json& test : group.at("tests")) {
            CAPTURE(test.at("tcId").get<int>());
            const auto ikm = unhex(test.at("ikm")), salt = unhex(test.at("salt")), info = unhex(test.at("info"));
            const SecretBytes prk = hkdf_extract(salt, {ikm}).value();
            const auto okm = hkdf_expand(prk.bytes(), {info}, test.at("size").get<size_t>());
            REQUIRE(okm.ok() == (test.at("result") == "valid"));
            if (okm.ok()) REQUIRE(to_vector(okm->bytes()) == unhex(test.at("okm")));
            ++count;
        }
    }
    REQUIRE(count == 86);
}

TEST_CASE("HKDF refuses what RFC 5869 does not allow") {
    const std::vector<std::byte> prk(32);
    REQUIRE(hkdf_expand(prk, {}, 255 * 32).ok());
    REQUIRE_FALSE(hkdf_expand(prk, {}, 255 * 32 + 1).ok());
    REQUIRE_FALSE(hkdf_expand(Bytes(prk).first(31), {}, 32).ok());
    REQUIRE(hkdf_expand(prk, {}, 0).value().empty());
}

std::vector<std::byte> noise(size_t size, uint32_t seed) {
    std::vector<std::byte> bytes(size);
    for (auto& b : bytes) {
        seed = seed * 1664525 + 1013904223;
        b = static_cast<std::byte>(seed >> 24);
    }
    return bytes;
}

TEST_CASE("two hashes at once equal libcrypto's at every length") {
    if (!sha256_pair_supported()) {
        WARN("skipped: this CPU has no SHA instructions");
        return;
    }
    for (size_t head : {size_t{0}, size_t{1}, size_t{22}, size_t{55}, size_t{56}, size_t{63}}) {
        for (size_t body = 0; body <= 330; ++body) {
            const auto h0 = noise(head, 1), h1 = noise(head, 2);
            const auto b0 = noise(body, 3), b1 = noise(body, 4);
            std::array<Hash, 2> out{};
            sha256_pair({h0, h1}, {b0, b1}, out);
            CAPTURE(head, body);
            REQUIRE(out[0] == sha256({h0, b0}).value());
            REQUIRE(out[1] == sha256({h1, b1}).value());
        }
    }
}

TEST_CASE("a leaf is the hash of its label, index and ciphertext") {
    const uint64_t index = 0x1122334455667788;
    for (size_t size : {size_t{1}, size_t{41}, size_t{42}, size_t{43}, size_t{65536}}) {
        const auto a = noise(size, 5), b = noise(size, 6);
        const Hash expected = sha256({as_bytes("coffer/v1/leaf"), unhex("8877665544332211"), a}).value();
        REQUIRE(leaf_hash(index, a).value() == expected);
        const auto pair = leaf_hash_pair(index, a, b).value();
        REQUIRE(pair[0] == expected);
        REQUIRE(pair[1] == leaf_hash(index + 1, b).value());
    }
    const auto a = noise(100, 7), b = noise(99, 8);
    REQUIRE(leaf_hash_pair(3, a, b).value()[1] == leaf_hash(4, b).value());
}

}  // namespace
}  // namespace coffer::crypto
