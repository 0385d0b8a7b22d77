// Encoding 1: what is stored narrow comes back bit for bit, and nothing else is stored so.
#include <bit>
#include <cmath>
#include <limits>

#include "codec/codec.hpp"
#include "fixture.hpp"

namespace coffer::container::test {
namespace {

template <class T>
std::vector<T> repeated(T a, T b) {
    std::vector<T> v(1024, a);
    v.back() = b;
    return v;
}

template <class T>
DType stored_as(const std::vector<T>& v) {
    return codec::narrowest(dtype_of<T>, std::as_bytes(std::span(v)));
}

// Packs and opens; the bytes of constant "t".
template <class T>
std::vector<T> round_trip(const std::vector<T>& v, uint64_t* payload_bytes = nullptr) {
    graph::Model m = small_model();
    m.add_constant(m.graphs[0], "t", Tensor::of<T>(v));
    const FileBytes file = pack(m, signed_options({keys().raw()}));
    auto opened = open(Source::memory(file), keys().policy(), keys().raw_ring());
    REQUIRE(opened.ok());
    if (payload_bytes) *payload_bytes = opened->facts.header.payload_len;
    const auto got = opened->model.constants.back().tensor.span<T>();
    return {got.begin(), got.end()};
}

}  // namespace

TEST_CASE("narrow: every 16-bit float widens to the value that it is") {
    std::vector<uint16_t> all(65536);
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i);
    for (const DType stored : {DType::kFloat16, DType::kBfloat16}) {
        std::vector<float> wide(all.size());
        codec::widen(DType::kFloat, stored, std::as_bytes(std::span(all)), std::as_writable_bytes(std::span(wide)));
        size_t wrong = 0;
        for (size_t i = 0; i < all.size(); ++i) {
            const float expected = stored == DType::kFloat16 ? to_float(Float16{all[i]}) : to_float(Bfloat16{all[i]});
            wrong += std::bit_cast<uint32_t>(expected) != std::bit_cast<uint32_t>(wide[i]);
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("narrow: the narrowest type that holds every value, or none") {
    CHECK(stored_as(repeated<int64_t>(-128, 127)) == DType::kInt8);
    CHECK(stored_as(repeated<int64_t>(0, 255)) == DType::kUint8);
    CHECK(stored_as(repeated<int64_t>(-1, 255)) == DType::kInt16);
    CHECK(stored_as(repeated<int64_t>(0, 65535)) == DType::kUint16);
    CHECK(stored_as(repeated<int64_t>(-1, 65535)) == DType::kInt32);
    CHECK(stored_as(repeated<int64_t>(0, int64_t{1} << 31)) == DType::kUndefined);
    CHECK(stored_as(repeated<int32_t>(0, 65536)) == DType::kUndefined);
    CHECK(stored_as(repeated(1.5f, -0.0f)) == DType::kFloat16);
    CHECK(stored_as(repeated(1.5f, 0x1p-24f)) == DType::kFloat16);
    CHECK(stored_as(repeated(1.5f, 0x1p100f)) == DType::kBfloat16);
    CHECK(stored_as(repeated(1.5f, 0.1f)) == DType::kUndefined);
    CHECK(stored_as(repeated(0.1, double{0.1f})) == DType::kUndefined);
    CHECK(stored_as(repeated(0.5, double{0.1f})) == DType::kFloat);
    CHECK(stored_as(repeated(0.5, std::nan(""))) == DType::kUndefined);
    CHECK(stored_as(repeated(1.0f, std::bit_cast<float>(0x7fc00001u))) == DType::kUndefined);  // payload of a NaN
    CHECK(stored_as(repeated(1.0f, std::numeric_limits<float>::infinity())) == DType::kFloat16);
    CHECK(codec::narrowest(DType::kInt8, {}) == DType::kUndefined);
}

TEST_CASE("narrow: tensors come back as they were, from less space") {
    uint64_t narrow = 0, wide = 0;
    const auto small = repeated<int64_t>(-3, 100);
    CHECK(round_trip(small, &narrow) == small);
    const auto large = repeated<int64_t>(-3, int64_t{1} << 40);
    CHECK(round_trip(large, &wide) == large);
    CHECK(wide - narrow == 1024 * 7);
    const auto halves = repeated(0.25f, 65504.0f);
    CHECK(round_trip(halves, &narrow) == halves);
    CHECK(wide - narrow == 1024 * 6);
}

TEST_CASE("narrow: sizes exist only for pairs of types that convert exactly") {
    uint64_t size = 0;
    CHECK(codec::narrow_size(DType::kInt64, DType::kInt8, Shape{3, 5}, &size));
    CHECK(size == 15);
    for (int wide = 0; wide < 256; ++wide) {
        for (int stored = 0; stored < 256; ++stored) {
            if (!codec::narrow_size(static_cast<DType>(wide), static_cast<DType>(stored), Shape{3, 5}, &size))
                continue;
            CHECK(dtype_bits(static_cast<DType>(stored)) < dtype_bits(static_cast<DType>(wide)));
        }
    }
    CHECK_FALSE(codec::find_encoding(0)->encoded_size(DType::kInt64, DType::kInt8, Shape{3}, &size));
}

TEST_CASE("narrow: decoded tensors count as memory") {
    graph::Model m = small_model();
    m.add_constant(m.graphs[0], "t", Tensor::of<int64_t>(std::vector<int64_t>(1 << 20, 1)));
    const FileBytes file = pack(m, signed_options({keys().raw()}));
    trust::Policy policy = keys().policy();
    policy.caps.max_memory = uint64_t{4} << 20;  // 1 MiB stored, 8 MiB decoded
    CHECK(open_class(file, policy, keys().raw_ring()) == Detail::kLimit);
    policy.caps.max_memory = uint64_t{10} << 20;
    CHECK(open_class(file, policy, keys().raw_ring()) == Detail::kNone);
}

}  // namespace coffer::container::test
