#include "coffer/base/tensor.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <new>

#include "coffer/base/private_memory.hpp"

namespace coffer {
namespace {

// Value of a small float with `exponent_bits` and `mantissa_bits`; specials are decided by the caller.
double decode_minifloat(uint32_t bits, int exponent_bits, int mantissa_bits, int bias) {
    const uint32_t sign = bits >> (exponent_bits + mantissa_bits);
    const uint32_t exponent = bits >> mantissa_bits & ((1u << exponent_bits) - 1);
    const uint32_t mantissa = bits & ((1u << mantissa_bits) - 1);
    const double m = exponent == 0 ? std::ldexp(mantissa, 1 - bias - mantissa_bits)
                                   : std::ldexp(mantissa + (1u << mantissa_bits),
                                                static_cast<int>(exponent) - bias - mantissa_bits);
    return sign ? -m : m;
}

struct MiniFloat {
    int exponent_bits, mantissa_bits, bias;
    double max;          // largest finite
    uint8_t nan;         // NaN pattern (without sign)
    uint8_t overflow;    // what saturation writes (without sign)
    bool unsigned_zero;  // "UZ": no -0, NaN is 0x80
};

const MiniFloat& minifloat(DType t) {
    static constexpr MiniFloat e4m3fn{4, 3, 7, 448.0, 0x7f, 0x7e, false};
    static constexpr MiniFloat e4m3fnuz{4, 3, 8, 240.0, 0x80, 0x7f, true};
    static constexpr MiniFloat e5m2{5, 2, 15, 57344.0, 0x7f, 0x7b, false};
    static constexpr MiniFloat e5m2fnuz{5, 2, 16, 57344.0, 0x80, 0x7f, true};
    static constexpr MiniFloat e2m1{2, 1, 1, 6.0, 0, 0x7, false};
    switch (t) {
        case DType::kFloat8E4M3FN: return e4m3fn;
        case DType::kFloat8E4M3FNUZ: return e4m3fnuz;
        case DType::kFloat8E5M2: return e5m2;
        case DType::kFloat8E5M2FNUZ: return e5m2fnuz;
        default: return e2m1;
    }
}

double load_minifloat(DType t, uint8_t bits) {
    const MiniFloat& f = minifloat(t);
    const uint8_t magnitude = bits & 0x7f;
    if (f.unsigned_zero && bits == 0x80) return std::numeric_limits<double>::quiet_NaN();
    if (t == DType::kFloat8E4M3FN && magnitude == 0x7f) return std::numeric_limits<double>::quiet_NaN();
    if (t == DType::kFloat8E5M2 && magnitude > 0x7c) return std::numeric_limits<double>::quiet_NaN();
    if (t == DType::kFloat8E5M2 && magnitude == 0x7c) return bits & 0x80 ? -INFINITY : INFINITY;
    return decode_minifloat(bits, f.exponent_bits, f.mantissa_bits, f.bias);
}

// Round to nearest even, saturating to the largest finite value (ONNX Cast with saturate=1).
uint8_t store_minifloat(DType t, double value) {
    const MiniFloat& f = minifloat(t);
    const uint8_t sign_bit = static_cast<uint8_t>(1u << (f.exponent_bits + f.mantissa_bits));
    if (std::isnan(value)) return f.unsigned_zero ? 0x80 : f.nan;
    const double a = std::fabs(value);
    uint8_t bits = 0;
    if (a > f.max) {
        bits = f.overflow;
    } else {
        int e = 0;
        std::frexp(a, &e);
        const int min_exponent = 1 - f.bias;
        const int step = std::max(a == 0 ? min_exponent : e - 1, min_exponent) - f.mantissa_bits;
        const double rounded = std::nearbyint(std::ldexp(a, -step));
        // A magnitude in units of the smallest subnormal has the encoding order of integers.
        if (step == min_exponent - f.mantissa_bits) {
            bits = static_cast<uint8_t>(rounded);
        } else {
            const auto exponent = static_cast<uint32_t>(step + f.mantissa_bits + f.bias);
            bits = static_cast<uint8_t>((exponent << f.mantissa_bits) + static_cast<uint32_t>(rounded) -
                                        (1u << f.mantissa_bits));
        }
        if (bits > f.overflow && t != DType::kFloat8E5M2) bits = f.overflow;
        if (t == DType::kFloat8E5M2 && bits > 0x7b) bits = 0x7b;
    }
    if (std::signbit(value) && !(f.unsigned_zero && bits == 0)) bits |= sign_bit;
    return bits;
}

uint32_t load_packed(const TensorView& t, int64_t i, int bits) {
    const int per_byte = 8 / bits;
    const uint8_t byte = t.as<const uint8_t>()[i / per_byte];
    return byte >> (i % per_byte * bits) & ((1u << bits) - 1);
}
void store_packed(const TensorView& t, int64_t i, int bits, uint32_t value) {
    const int per_byte = 8 / bits;
    const int shift = static_cast<int>(i % per_byte) * bits;
    const uint32_t mask = ((1u << bits) - 1) << shift;
    uint8_t& byte = t.as<uint8_t>()[i / per_byte];
    byte = static_cast<uint8_t>((byte & ~mask) | (value << shift & mask));
}
int64_t sign_extend(uint32_t value, int bits) {
    const uint32_t top = 1u << (bits - 1);
    return static_cast<int64_t>(value ^ top) - static_cast<int64_t>(top);
}

// ONNX Cast float -> integer: truncation; out of range is undefined there, here it wraps through int64.
int64_t truncate(double value) {
    if (std::isnan(value)) return 0;
    if (value >= 0x1p63) return std::numeric_limits<int64_t>::max();
    if (value < -0x1p63) return std::numeric_limits<int64_t>::min();
    return static_cast<int64_t>(value);
}

}  // namespace

size_t TensorView::nbytes() const {
    size_t n = 0;
    return checked_nbytes(shape, dtype, &n) ? n : 0;
}

Result<Tensor> Tensor::create(DType dtype, const Shape& shape) {
    size_t size = 0;
    if (!checked_nbytes(shape, dtype, &size)) {
        return error(Code::kLimit, Detail::kLimit, "tensor of ", dtype, " ", shape, " is too large");
    }
    const size_t allocated = round_up<size_t>(size + 1, 64);
    const std::shared_ptr<MemoryBudget>& budget = BudgetScope::current();
    if (budget && !budget->charge(allocated)) {
        return error(Code::kLimit, Detail::kLimit, "a tensor of ", dtype, " ", shape, " is over the memory limit of ",
                     budget->limit(), " bytes");
    }
    void* data = allocated < size ? nullptr : allocate_private(allocated);
    if (!data) {
        if (budget) budget->refund(allocated);
        return error(Code::kOutOfMemory, "no memory for a tensor of ", dtype, " ", shape);
    }
    const auto release = [allocated, budget](void* memory) {
        release_private(memory, allocated);
        if (budget) budget->refund(allocated);
    };
    Tensor t;
    t.view_ = {data, dtype, shape};
    if (dtype == DType::kString) {
        const auto n = static_cast<size_t>(shape.elements());
        std::uninitialized_default_construct_n(static_cast<PrivateString*>(data), n);
        t.owner_ = std::shared_ptr<void>(data, [n, release](void* memory) {
            std::destroy_n(static_cast<PrivateString*>(memory), n);
            release(memory);
        });
    } else {
        t.owner_ = std::shared_ptr<void>(data, release);
    }
    return t;
}

Tensor Tensor::wrap(TensorView view, std::shared_ptr<const void> owner) {
    Tensor t;
    t.view_ = view;
    t.owner_ = std::move(owner);
    return t;
}

Tensor Tensor::reshaped(const Shape& shape) const {
    Tensor t = *this;
    t.view_.shape = shape;
    return t;
}

double load_double(const TensorView& t, int64_t i) {
    switch (t.dtype) {
        case DType::kFloat: return t.as<const float>()[i];
        case DType::kDouble: return t.as<const double>()[i];
        case DType::kFloat16: return to_float(t.as<const Float16>()[i]);
        case DType::kBfloat16: return to_float(t.as<const Bfloat16>()[i]);
        case DType::kFloat8E4M3FN:
        case DType::kFloat8E4M3FNUZ:
        case DType::kFloat8E5M2:
        case DType::kFloat8E5M2FNUZ: return load_minifloat(t.dtype, t.as<const uint8_t>()[i]);
        case DType::kFloat8E8M0: {
            const uint8_t e = t.as<const uint8_t>()[i];
            return e == 0xff ? std::numeric_limits<double>::quiet_NaN() : std::ldexp(1.0, int{e} - 127);
        }
        case DType::kFloat4E2M1: return decode_minifloat(load_packed(t, i, 4), 2, 1, 1);
        case DType::kUint64: return static_cast<double>(t.as<const uint64_t>()[i]);
        default: return static_cast<double>(load_int(t, i));
    }
}

int64_t load_int(const TensorView& t, int64_t i) {
    switch (t.dtype) {
        case DType::kInt8: return t.as<const int8_t>()[i];
        case DType::kInt16: return t.as<const int16_t>()[i];
        case DType::kInt32: return t.as<const int32_t>()[i];
        case DType::kInt64: return t.as<const int64_t>()[i];
        case DType::kUint8: return t.as<const uint8_t>()[i];
        case DType::kUint16: return t.as<const uint16_t>()[i];
        case DType::kUint32: return t.as<const uint32_t>()[i];
        case DType::kUint64: return static_cast<int64_t>(t.as<const uint64_t>()[i]);
        case DType::kBool: return t.as<const uint8_t>()[i] != 0;
        case DType::kInt4: return sign_extend(load_packed(t, i, 4), 4);
        case DType::kUint4: return load_packed(t, i, 4);
        case DType::kInt2: return sign_extend(load_packed(t, i, 2), 2);
        case DType::kUint2: return load_packed(t, i, 2);
        case DType::kString:
        case DType::kComplex64:
        case DType::kComplex128:
        case DType::kUndefined: return 0;
        default: return truncate(load_double(t, i));
    }
}

void store_double(const TensorView& t, int64_t i, double value) {
    switch (t.dtype) {
        case DType::kFloat: t.as<float>()[i] = static_cast<float>(value); return;
        case DType::kDouble: t.as<double>()[i] = value; return;
        case DType::kFloat16: t.as<Float16>()[i] = to_float16(static_cast<float>(value)); return;
        case DType::kBfloat16: t.as<Bfloat16>()[i] = to_bfloat16(static_cast<float>(value)); return;
        case DType::kFloat8E4M3FN:
        case DType::kFloat8E4M3FNUZ:
        case DType::kFloat8E5M2:
        case DType::kFloat8E5M2FNUZ: t.as<uint8_t>()[i] = store_minifloat(t.dtype, value); return;
        case DType::kFloat8E8M0: {
            int e = 0;
            if (std::isnan(value)) {
                t.as<uint8_t>()[i] = 0xff;
                return;
            }
            const double m = std::frexp(std::fabs(value), &e);  // [0.5, 1)
            e += m > 0.75 ? 0 : -1;
            t.as<uint8_t>()[i] = static_cast<uint8_t>(std::clamp(e + 127, 0, 254));
            return;
        }
        case DType::kFloat4E2M1: store_packed(t, i, 4, store_minifloat(t.dtype, value)); return;
        case DType::kBool: t.as<uint8_t>()[i] = value != 0; return;
        case DType::kUint64:
            t.as<uint64_t>()[i] = value >= 0x1p64   ? std::numeric_limits<uint64_t>::max()
                                  : value >= 0x1p63 ? static_cast<uint64_t>(value)
                                                    : static_cast<uint64_t>(truncate(value));
            return;
        default: store_int(t, i, truncate(value));
    }
}

void store_int(const TensorView& t, int64_t i, int64_t value) {
    switch (t.dtype) {
        case DType::kInt8:
        case DType::kUint8: t.as<uint8_t>()[i] = static_cast<uint8_t>(value); return;
        case DType::kInt16:
        case DType::kUint16: t.as<uint16_t>()[i] = static_cast<uint16_t>(value); return;
        case DType::kInt32:
        case DType::kUint32: t.as<uint32_t>()[i] = static_cast<uint32_t>(value); return;
        case DType::kInt64:
        case DType::kUint64: t.as<uint64_t>()[i] = static_cast<uint64_t>(value); return;
        case DType::kBool: t.as<uint8_t>()[i] = value != 0; return;
        case DType::kInt4:
        case DType::kUint4: store_packed(t, i, 4, static_cast<uint32_t>(value) & 15u); return;
        case DType::kInt2:
        case DType::kUint2: store_packed(t, i, 2, static_cast<uint32_t>(value) & 3u); return;
        case DType::kString:
        case DType::kComplex64:
        case DType::kComplex128:
        case DType::kUndefined: return;
        default: store_double(t, i, static_cast<double>(value));
    }
}

}  // namespace coffer
