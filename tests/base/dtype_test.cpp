// Conversions of 16-bit, 8-bit and 4-bit floats and of packed integers.
#include "coffer/base/dtype.hpp"
#include "coffer/base/shape.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "catch.hpp"
#include "coffer/base/tensor.hpp"

namespace coffer {
namespace {

// IEEE-like value from its fields, written down from the definition.
double value_of(uint32_t bits, int exponent_bits, int mantissa_bits, int bias) {
    const uint32_t mantissa = bits & ((1u << mantissa_bits) - 1);
    const int exponent = static_cast<int>(bits >> mantissa_bits & ((1u << exponent_bits) - 1));
    const double fraction = mantissa / std::pow(2.0, mantissa_bits);
    const double magnitude =
        exponent == 0 ? fraction * std::pow(2.0, 1 - bias) : (1 + fraction) * std::pow(2.0, exponent - bias);
    return bits >> (exponent_bits + mantissa_bits) & 1 ? -magnitude : magnitude;
}

// A shape from outside that has no elements may have such dims; a signed overflow would not compile here.
static_assert(Shape{0, int64_t{1} << 62, 64}.elements(1, 3) == 0);

TEST_CASE("every float16 converts exactly and back") {
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
        const float f = to_float(Float16{static_cast<uint16_t>(bits)});
        CAPTURE(bits);
        if ((bits & 0x7fff) > 0x7c00) {
            REQUIRE(std::isnan(f));
            REQUIRE((to_float16(f).bits & 0x7fff) > 0x7c00);
            continue;
        }
        if ((bits & 0x7fff) == 0x7c00) {
            REQUIRE(std::isinf(f));
        } else {
            REQUIRE(f == value_of(bits, 5, 10, 15));
        }
        REQUIRE(std::signbit(f) == (bits >> 15 == 1));
        REQUIRE(to_float16(f).bits == bits);
    }
}

TEST_CASE("float16 rounds to nearest, ties to even") {
    for (uint32_t bits = 0; bits < 0x7bff; ++bits) {
        const float low = to_float(Float16{static_cast<uint16_t>(bits)});
        const float high = to_float(Float16{static_cast<uint16_t>(bits + 1)});
        const float middle = (low + high) / 2;  // exact: float has more bits
        CAPTURE(bits);
        REQUIRE(to_float16(middle).bits == (bits & 1 ? bits + 1 : bits));
        REQUIRE(to_float16(std::nextafterf(middle, high)).bits == bits + 1);
        REQUIRE(to_float16(std::nextafterf(middle, low)).bits == bits);
        REQUIRE(to_float16(-middle).bits == (0x8000 | (bits & 1 ? bits + 1 : bits)));
    }
    REQUIRE(to_float16(65519.996f).bits == 0x7bff);
    REQUIRE(to_float16(65520.0f).bits == 0x7c00);
    REQUIRE(to_float16(std::numeric_limits<float>::max()).bits == 0x7c00);
    REQUIRE(to_float16(std::numeric_limits<float>::denorm_min()).bits == 0);
}

TEST_CASE("every bfloat16 converts exactly and back, and rounds ties to even") {
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
        const float f = to_float(Bfloat16{static_cast<uint16_t>(bits)});
        CAPTURE(bits);
        if ((bits & 0x7fff) > 0x7f80) {
            REQUIRE(std::isnan(to_float(to_bfloat16(f))));
            continue;
        }
        REQUIRE(to_bfloat16(f).bits == bits);
        if ((bits & 0x7fff) >= 0x7f7f) continue;
        const float tie = std::bit_cast<float>(bits << 16 | 0x8000u);
        REQUIRE(to_bfloat16(tie).bits == (bits & 1 ? bits + 1 : bits));
        REQUIRE(to_bfloat16(std::bit_cast<float>(bits << 16 | 0x8001u)).bits == bits + 1);
        REQUIRE(to_bfloat16(std::bit_cast<float>(bits << 16 | 0x7fffu)).bits == bits);
    }
    // The NaN whose upper half looks like infinity stays a NaN.
    REQUIRE(std::isnan(to_float(to_bfloat16(std::bit_cast<float>(0x7f800001u)))));
}

struct Format {
    DType dtype;
    int exponent_bits, mantissa_bits, bias;
    bool infinities, unsigned_zero;
    double max;
};

const Format kFloat8[] = {{DType::kFloat8E4M3FN, 4, 3, 7, false, false, 448},
                          {DType::kFloat8E4M3FNUZ, 4, 3, 8, false, true, 240},
                          {DType::kFloat8E5M2, 5, 2, 15, true, false, 57344},
                          {DType::kFloat8E5M2FNUZ, 5, 2, 16, false, true, 57344}};

bool is_nan(const Format& f, uint32_t bits) {
    if (f.unsigned_zero) return bits == 0x80;
    return f.infinities ? (bits & 0x7f) > 0x7c : (bits & 0x7f) == 0x7f;
}

struct Cell {
    explicit Cell(DType dtype) : tensor(Tensor::create(dtype, Shape{1}).value()) {}
    uint8_t& byte() { return *tensor.view().as<uint8_t>(); }
    double load() { return load_double(tensor.view(), 0); }
    uint8_t store(double value) {
        store_double(tensor.view(), 0, value);
        return byte();
    }
    Tensor tensor;
};

TEST_CASE("every float8 has the value of its definition and converts back") {
    for (const Format& f : kFloat8) {
        Cell cell(f.dtype);
        double largest = 0;
        for (uint32_t bits = 0; bits < 256; ++bits) {
            CAPTURE(dtype_name(f.dtype), bits);
            cell.byte() = static_cast<uint8_t>(bits);
            const double value = cell.load();
            if (is_nan(f, bits)) {
                REQUIRE(std::isnan(value));
                REQUIRE(is_nan(f, cell.store(value)));
                continue;
            }
            if (f.infinities && (bits & 0x7f) == 0x7c) {
                REQUIRE(std::isinf(value));
                REQUIRE(std::signbit(value) == (bits > 0x7f));
                continue;
            }
            REQUIRE(value == value_of(bits, f.exponent_bits, f.mantissa_bits, f.bias));
            REQUIRE(cell.store(value) == bits);
            largest = std::max(largest, value);
        }
        REQUIRE(largest == f.max);
    }
}

TEST_CASE("float8 rounds ties to even and saturates") {
    for (const Format& f : kFloat8) {
        Cell cell(f.dtype);
        const uint32_t top = cell.store(f.max);
        for (uint32_t bits = 0; bits < top; ++bits) {
            CAPTURE(dtype_name(f.dtype), bits);
            cell.byte() = static_cast<uint8_t>(bits);
            const double low = cell.load();
            cell.byte() = static_cast<uint8_t>(bits + 1);
            const double high = cell.load();
            const double middle = (low + high) / 2;
            REQUIRE(cell.store(middle) == (bits & 1 ? bits + 1 : bits));
            REQUIRE(cell.store(std::nextafter(middle, high)) == bits + 1);
            REQUIRE(cell.store(std::nextafter(middle, low)) == bits);
        }
        REQUIRE(cell.store(f.max * 1.01) == top);
        REQUIRE(cell.store(1e30) == top);
        REQUIRE(cell.store(-1e30) == (top | 0x80));
        REQUIRE(cell.store(std::numeric_limits<double>::infinity()) == top);
        REQUIRE(cell.store(-0.0) == (f.unsigned_zero ? 0 : 0x80));
        REQUIRE(cell.store(-1e-30) == (f.unsigned_zero ? 0 : 0x80));
    }
}

TEST_CASE("float4 E2M1 has sixteen values") {
    const Tensor t = Tensor::create(DType::kFloat4E2M1, Shape{2}).value();
    const double values[8] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
    for (uint8_t low = 0; low < 16; ++low) {
        for (uint8_t high = 0; high < 16; ++high) {
            *t.view().as<uint8_t>() = static_cast<uint8_t>(high << 4 | low);
            REQUIRE(load_double(t.view(), 0) == (low & 8 ? -1 : 1) * values[low & 7]);
            REQUIRE(load_double(t.view(), 1) == (high & 8 ? -1 : 1) * values[high & 7]);
        }
    }
    *t.view().as<uint8_t>() = 0;
    store_double(t.view(), 1, 5.1);
    REQUIRE(*t.view().as<uint8_t>() == 0x70);
    store_double(t.view(), 0, -100);
    REQUIRE(*t.view().as<uint8_t>() == 0x7f);
}

TEST_CASE("float8 E8M0 is a power of two") {
    Cell cell(DType::kFloat8E8M0);
    for (int bits = 0; bits < 255; ++bits) {
        cell.byte() = static_cast<uint8_t>(bits);
        REQUIRE(cell.load() == std::ldexp(1.0, bits - 127));
    }
    cell.byte() = 255;
    REQUIRE(std::isnan(cell.load()));
}

TEST_CASE("packed integers keep their neighbours") {
    for (auto [dtype, bits, low, high] : {std::tuple{DType::kInt4, 4, -8, 7},
                                          {DType::kUint4, 4, 0, 15},
                                          {DType::kInt2, 2, -2, 1},
                                          {DType::kUint2, 2, 0, 3}}) {
        const Tensor t = Tensor::create(dtype, Shape{9}).value();
        REQUIRE(t.nbytes() == static_cast<size_t>((9 * bits + 7) / 8));
        for (int round = 0; round < 2; ++round) {
            for (int64_t i = 0; i < 9; ++i) store_int(t.view(), i, low + (i * 3 + round) % (high - low + 1));
            for (int64_t i = 0; i < 9; ++i) {
                REQUIRE(load_int(t.view(), i) == low + (i * 3 + round) % (high - low + 1));
            }
        }
    }
}

TEST_CASE("integers of 64 bits are exact") {
    const Tensor t = Tensor::create(DType::kInt64, Shape{1}).value();
    for (int64_t v : {INT64_MAX, INT64_MIN, (int64_t{1} << 53) + 1}) {
        store_int(t.view(), 0, v);
        REQUIRE(load_int(t.view(), 0) == v);
    }
}

}  // namespace

TEST_CASE("a dim that no tensor has") {
    constexpr int64_t kMost = int64_t{1} << 48;
    size_t bytes = 1;
    CHECK(checked_nbytes(Shape{0, kMost}, DType::kFloat, &bytes));
    CHECK(bytes == 0);
    CHECK_FALSE(checked_nbytes(Shape{0, kMost + 1}, DType::kFloat, &bytes));
    CHECK_FALSE(checked_nbytes(Shape{kMost, kMost}, DType::kFloat, &bytes));
    CHECK_FALSE(Tensor::create(DType::kFloat, Shape{INT64_MAX, 0}).ok());
}

}  // namespace coffer
