#include "crypto/scrypt.hpp"

#include <bit>

#include "coffer/base/os.hpp"
#include "vectors.hpp"

namespace coffer::crypto {
namespace {

TEST_CASE("scrypt agrees with RFC 7914") {
    const auto vectors = load_vectors("scrypt/rfc7914.json");
    if (!vectors) return;
    int count = 0, skipped = 0;
    for (const Json& v : vectors->at("vectors")) {
        const auto n = v.at("N").get<uint64_t>();
        REQUIRE(std::has_single_bit(n));
        if (n > 1u << 16 && os::memory_limit() < uint64_t{3} << 30) {
            WARN("skipped: scrypt with N = 2^20 takes a gigabyte");
            ++skipped;
            continue;
        }
        const auto password = v.at("Password").get<std::string>(), salt = v.at("Salt").get<std::string>();
        const auto expected = unhex(v.at("Key"));
        const auto key = scrypt(as_bytes(password), as_bytes(salt), static_cast<unsigned>(std::countr_zero(n)),
                                v.at("r").get<uint32_t>(), v.at("p").get<uint32_t>(), expected.size());
        REQUIRE(to_vector(key.value().bytes()) == expected);
        ++count;
    }
    REQUIRE(count + skipped == 4);
}

TEST_CASE("scrypt refuses costs out of range") {
    REQUIRE_FALSE(scrypt(as_bytes("p"), as_bytes("s"), 0).ok());
    REQUIRE_FALSE(scrypt(as_bytes("p"), as_bytes("s"), kScryptMaxLogN + 1).ok());
    REQUIRE_FALSE(scrypt(as_bytes("p"), as_bytes("s"), 4, 0).ok());
    REQUIRE_FALSE(scrypt(as_bytes("p"), as_bytes("s"), 4, 8, 0).ok());
    REQUIRE(scrypt(as_bytes("p"), as_bytes("s"), 14).value().size() == 32);
}

}  // namespace
}  // namespace coffer::crypto
