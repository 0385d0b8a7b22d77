// Reader, Writer and checked arithmetic.
#include "coffer/base/bytes.hpp"

#include "catch.hpp"
#include "coffer/base/checked.hpp"

namespace coffer {
namespace {

TEST_CASE("what Writer writes, Reader reads") {
    Writer w;
    w.u8(0xfe);
    w.u16(0x1234);
    w.u32(0xdeadbeef);
    w.u64(0x0102030405060708);
    w.put("text");
    w.zeros(3);
    REQUIRE(w.size() == 22);
    REQUIRE(w.bytes()[1] == std::byte{0x34});  // little-endian

    Reader r(w.bytes());
    REQUIRE(r.u8() == 0xfe);
    REQUIRE(r.u16() == 0x1234);
    REQUIRE(r.u32() == 0xdeadbeef);
    REQUIRE(r.u64() == 0x0102030405060708);
    REQUIRE(as_text(r.take(4)) == "text");
    REQUIRE(r.position() == 19);
    REQUIRE_FALSE(r.at_end());
    r.skip(3);
    REQUIRE(r.at_end());
    REQUIRE(r.take(0).empty());
    REQUIRE(r.ok());
}

TEST_CASE("a short read fails for good and yields zeros") {
    const std::vector<std::byte> bytes = {std::byte{1}, std::byte{2}, std::byte{3}};
    for (size_t size = 0; size < 8; ++size) {
        Reader r(Bytes(bytes).first(std::min<size_t>(size, 3)));
        REQUIRE(r.u64() == 0);
        REQUIRE_FALSE(r.ok());
        REQUIRE(r.u8() == 0);  // although a byte may have been there
        REQUIRE(r.remaining() == 0);
        REQUIRE(r.array<4>() == std::array<std::byte, 4>{});
        REQUIRE_FALSE(r.at_end());
    }
    Reader huge((Bytes(bytes)));
    REQUIRE(huge.u8() == 1);
    REQUIRE(huge.take(SIZE_MAX).empty());
    REQUIRE_FALSE(huge.ok());
}

TEST_CASE("checked arithmetic refuses to wrap and leaves its result alone") {
    uint64_t u = 7;
    REQUIRE(checked_add<uint64_t>(UINT64_MAX - 1, 1, &u));
    REQUIRE(u == UINT64_MAX);
    u = 7;
    REQUIRE_FALSE(checked_add<uint64_t>(UINT64_MAX, 1, &u));
    REQUIRE_FALSE(checked_mul<uint64_t>(uint64_t{1} << 32, uint64_t{1} << 32, &u));
    REQUIRE(u == 7);
    REQUIRE(checked_mul<uint64_t>(uint64_t{1} << 32, (uint64_t{1} << 32) - 1, &u));

    int64_t s = 7;
    REQUIRE_FALSE(checked_add<int64_t>(INT64_MAX, 1, &s));
    REQUIRE_FALSE(checked_add<int64_t>(INT64_MIN, -1, &s));
    REQUIRE_FALSE(checked_mul<int64_t>(INT64_MIN, -1, &s));
    REQUIRE(s == 7);

    uint8_t small = 7;
    REQUIRE_FALSE(checked_add<uint8_t>(200, 56, &small));
    REQUIRE(checked_add<uint8_t>(200, 55, &small));
    REQUIRE(small == 255);
}

TEST_CASE("rounding up stops at the end of the type") {
    uint64_t u = 7;
    REQUIRE(checked_round_up<uint64_t>(0, 4096, &u));
    REQUIRE(u == 0);
    REQUIRE(checked_round_up<uint64_t>(1, 4096, &u));
    REQUIRE(u == 4096);
    REQUIRE(checked_round_up<uint64_t>(UINT64_MAX - 4095, 4096, &u));
    REQUIRE(u == UINT64_MAX - 4095);
    REQUIRE_FALSE(checked_round_up<uint64_t>(UINT64_MAX - 4094, 4096, &u));
    REQUIRE(checked_round_up<uint64_t>(10, 3, &u));
    REQUIRE(u == 12);
}

TEST_CASE("checked casts") {
    uint8_t b = 7;
    REQUIRE_FALSE(checked_cast<uint8_t>(int64_t{-1}, &b));
    REQUIRE_FALSE(checked_cast<uint8_t>(256, &b));
    REQUIRE(b == 7);
    REQUIRE(checked_cast<uint8_t>(uint64_t{255}, &b));
    REQUIRE(b == 255);
    int32_t i = 0;
    REQUIRE_FALSE(checked_cast<int32_t>(uint64_t{1} << 31, &i));
}

}  // namespace
}  // namespace coffer
