// What the quantized matrix products and convolutions share: which input is what, the checks of scales and zero
// points, and the arithmetic of a finished sum as ONNX states it. Nothing fast here: see qlinear_plan.hpp.
//
//   acc   = sum (x - x_zero) (w - w_zero)            exactly, in int32
//   int32 = acc                                      without scales (MatMulInteger, ConvInteger)
//   8 bit = saturate(round((acc + bias) * s) + y_zero), s = x_scale * w_scale / y_scale in float32 in that order,
//           then table[] if there is one
//   float = act((acc + int32 bias) * (x_scale * w_scale) + float bias)
#pragma once

#include <cmath>

#include "coffer/ops/family/matmul.hpp"
#include "coffer/ops/family/matmul_activation.hpp"
#include "coffer/ops/family/types.hpp"

namespace coffer::ops {

// Numbers of the node's inputs; -1 where the op has no such input.
struct QRoles {
    int x = 0, x_scale = -1, x_zero = -1, w = 1, w_scale = -1, w_zero = -1, y_scale = -1, y_zero = -1, bias = -1,
        table = -1;
    bool w_transposed = false;  // matrix product: w is (N, K)
    bool x_transposed = false;  // x is (K, M)
    bool activation = false;    // the op has attributes activation and activation_params
    float alpha = 1;            // factor of x_scale
};

inline bool q_has(const NodeContext& c, int role) {
    return role >= 0 && c.has_input(static_cast<size_t>(role));
}
inline constexpr TypeSet kQBytes = types(DType::kInt8, DType::kUint8);

enum class QResult : uint8_t { kInt32, kQuantized, kFloat };
inline QResult q_result(const NodeContext& c, const QRoles& r) {
    if (q_has(c, r.y_scale)) return QResult::kQuantized;
    return r.w_scale < 0 ? QResult::kInt32 : QResult::kFloat;
}

// One element, or one for each of `count` columns (rows, channels).
inline Status q_check_parameter(const InferContext& c, int role, int64_t count, TypeSet allowed, const char* what) {
    if (!q_has(c, role)) return {};
    const auto i = static_cast<size_t>(role);
    COFFER_TRY(expect_type(c, i, allowed));
    const int64_t n = c.shape(i).elements();
    if (n != 1 && n != count) return c.fail(what, " has shape ", c.shape(i), ", expected 1 or ", count, " elements");
    return {};
}

// For ops that cannot say so in their facts, an absent x_scale standing before w.
inline Status q_check_present(const InferContext& c, const QRoles& r) {
    if (!q_has(c, r.w)) return c.fail("w is missing");
    if (r.w_scale >= 0 && !q_has(c, r.w_scale)) return c.fail("w_scale is missing");
    return {};
}

// Types of everything but the shapes of x and w; gives the result's element type. `rows` is how many x scales
// there may be, `columns` how many w scales.
inline Result<DType> q_check(const InferContext& c, const QRoles& r, int64_t rows, int64_t columns,
                             TypeSet data = kQBytes, TypeSet scale = types(DType::kFloat)) {
    const auto x = static_cast<size_t>(r.x), w = static_cast<size_t>(r.w);
    const bool dynamic = r.x_scale >= 0 && !q_has(c, r.x_scale);  // x is float, quantized inside
    COFFER_TRY(expect_type(c, x, dynamic ? types(DType::kFloat) : data));
    COFFER_TRY(expect_type(c, w, data));
    if (is_integer(c.dtype(w)) != (dynamic || is_integer(c.dtype(x)))) {
        return c.fail("types ", c.dtype(x), " and ", c.dtype(w), " do not go together");
    }
    if (!dynamic && q_has(c, r.x_zero)) COFFER_TRY(expect_same_type(c, static_cast<size_t>(r.x_zero), x));
    if (dynamic && q_has(c, r.x_zero)) return c.fail("x_zero_point without x_scale");
    if (q_has(c, r.w_zero)) COFFER_TRY(expect_same_type(c, static_cast<size_t>(r.w_zero), w));
    COFFER_TRY(q_check_parameter(c, r.x_scale, rows, scale, "x_scale"));
    COFFER_TRY(q_check_parameter(c, r.x_zero, rows, data, "x_zero_point"));
    COFFER_TRY(q_check_parameter(c, r.w_scale, columns, scale, "w_scale"));
    COFFER_TRY(q_check_parameter(c, r.w_zero, columns, data, "w_zero_point"));
    COFFER_TRY(q_check_parameter(c, r.y_scale, 1, scale, "y_scale"));
    COFFER_TRY(q_check_parameter(c, r.y_zero, 1, data, "y_zero_point"));
    const QResult result = q_result(c, r);
    if (q_has(c, r.bias)) {
        const auto bias = static_cast<size_t>(r.bias);
        COFFER_TRY(expect_type(
            c, bias, result == QResult::kFloat ? types(DType::kFloat, DType::kInt32) : types(DType::kInt32)));
    }
    if (r.activation) {
        COFFER_TRY_ASSIGN(const kernels::Activation act, activation_of(c));
        const bool clamps =
            act.kind == kernels::Act::kNone || act.kind == kernels::Act::kRelu || act.kind == kernels::Act::kClip;
        if (result == QResult::kQuantized && !clamps) {
            return c.fail("an 8-bit result takes Relu, Clip or a table, not activation '", c.attr_s("activation"),
                          "'");
        }
    }
    if (q_has(c, r.y_zero) && !q_has(c, r.y_scale)) return c.fail("y_zero_point without y_scale");
    DType type = result == QResult::kInt32 ? DType::kInt32 : DType::kFloat;
    if (result == QResult::kQuantized)
        type = q_has(c, r.y_zero) ? c.dtype(static_cast<size_t>(r.y_zero)) : DType::kUint8;
    if (q_has(c, r.table)) {
        const auto table = static_cast<size_t>(r.table);
        COFFER_TRY(expect_type(c, table, kQBytes));
        if (result != QResult::kQuantized) return c.fail("a table needs y_scale");
        if (c.shape(table).elements() != 256) return c.fail("table has shape ", c.shape(table), ", expected (256)");
        type = c.dtype(table);
    }
    return type;
}

// Element i of a parameter, which may have one for all; `absent` when the node has none.
inline double q_parameter(const RunContext& c, int role, int64_t i, double absent) {
    if (!q_has(c, role)) return absent;
    const TensorView& t = c.input(static_cast<size_t>(role));
    return load_double(t, t.elements() == 1 ? 0 : i);
}

struct QRange {
    int low, high;
};
inline QRange q_range(DType t) {
    switch (t) {
        case DType::kInt8: return {-128, 127};
        case DType::kUint8: return {0, 255};
        case DType::kInt16: return {-32768, 32767};
        case DType::kUint16: return {0, 65535};
        case DType::kInt4: return {-8, 7};
        case DType::kUint4: return {0, 15};
        case DType::kInt2: return {-2, 1};
        case DType::kUint2: return {0, 3};
        default: return {0, 0};
    }
}

// Bounds of round(acc * s) before y_zero is added: the type's range, narrowed by Relu or Clip.
struct QBounds {
    float low, high;
};
inline QBounds q_bounds(const kernels::Activation& act, DType t, float y_scale, int y_zero) {
    const QRange range = q_range(t);
    QBounds b{static_cast<float>(range.low - y_zero), static_cast<float>(range.high - y_zero)};
    const auto narrow = [&](float low, float high) {
        const float type_low = b.low, type_high = b.high;
        b.low = std::fmax(type_low, std::fmin(type_high, std::nearbyint(low / y_scale)));
        b.high = std::fmax(type_low, std::fmin(type_high, std::nearbyint(high / y_scale)));
    };
    if (act.kind == kernels::Act::kRelu) narrow(0, INFINITY);
    if (act.kind == kernels::Act::kClip) narrow(act.alpha, act.beta);
    return b;
}

// Stores the result of one exact sum. row selects among x's parameters, column among w's.
struct QFinish {
    const QRoles& r;
    QResult result;
    kernels::Activation act;

    static Result<QFinish> of(const RunContext& c, const QRoles& r) {
        kernels::Activation act;
        if (r.activation) {
            COFFER_TRY_ASSIGN(act, activation_of(c));
        }
        return QFinish{r, q_result(c, r), act};
    }
    void operator()(const RunContext& c, int64_t at, double sum, int64_t row, int64_t column, float x_scale) const {
        const TensorView& dst = c.output(0);
        const bool exact = is_integer(c.input(static_cast<size_t>(r.w)).dtype);
        const bool int_bias = q_has(c, r.bias) && c.input(static_cast<size_t>(r.bias)).dtype == DType::kInt32;
        if (int_bias) sum += bias(c, row, column);
        if (exact) sum = static_cast<int32_t>(static_cast<uint32_t>(static_cast<int64_t>(sum)));
        if (result == QResult::kInt32) return store_int(dst, at, static_cast<int64_t>(sum));
        const float scale = x_scale * static_cast<float>(q_parameter(c, r.w_scale, column, 1));
        if (result == QResult::kFloat) {
            float y = static_cast<float>(sum) * scale;
            if (q_has(c, r.bias) && !int_bias) y += static_cast<float>(bias(c, row, column));
            return store_double(dst, at, activation_scalar(act, y));
        }
        const auto y_scale = static_cast<float>(q_parameter(c, r.y_scale, 0, 1));
        const float y = static_cast<float>(sum) * (scale / y_scale);
        const double zero = q_parameter(c, r.y_zero, 0, 0);
        const DType type = q_has(c, r.y_zero) ? c.input(static_cast<size_t>(r.y_zero)).dtype : DType::kUint8;
        if (!is_integer(type)) return store_double(dst, at, static_cast<double>(y) + zero);
        const QBounds b = q_bounds(act, type, y_scale, static_cast<int>(zero));
        const auto q = static_cast<int64_t>(std::nearbyint(std::fmin(std::fmax(y, b.low), b.high)) + zero);
        if (!q_has(c, r.table)) return store_int(dst, at, q);
        store_int(dst, at, load_int(c.input(static_cast<size_t>(r.table)), q & 0xff));
    }

 private:
    double bias(const RunContext& c, int64_t row, int64_t column) const {  // scalar, (N), (1, N), (M, 1), (M, N)
        const TensorView& b = c.input(static_cast<size_t>(r.bias));
        const int rank = b.shape.rank();
        const int64_t columns = rank == 0 ? 1 : b.shape.back(), rows = rank < 2 ? 1 : b.shape[rank - 2];
        return load_double(b, (rows == 1 ? 0 : row) * columns + (columns == 1 ? 0 : column));
    }
};

// x as whole numbers for the reference: the values of a quantized x, or a float x quantized per tensor by the
// rule of DynamicQuantizeLinear.
struct QActivations {
    TensorView x;
    bool dynamic = false;
    float scale = 1, zero = 0;

    static QActivations of(const RunContext& c, const QRoles& r) {
        QActivations a;
        a.x = c.input(static_cast<size_t>(r.x));
        a.dynamic = r.x_scale >= 0 && !q_has(c, r.x_scale);
        if (a.dynamic) a.choose();
        return a;
    }
    float scale_of(const RunContext& c, const QRoles& r, int64_t row) const {
        return r.alpha * (dynamic ? scale : static_cast<float>(q_parameter(c, r.x_scale, row, 1)));
    }
    double zero_of(const RunContext& c, const QRoles& r, int64_t row) const {
        return dynamic ? zero : q_parameter(c, r.x_zero, row, 0);
    }
    double value(int64_t i) const {
        if (!dynamic) return load_double(x, i);
        return std::nearbyint(std::fmin(std::fmax(x.as<const float>()[i] / scale, 0 - zero), 255 - zero)) + zero;
    }
    void choose() {
        float low = 0, high = 0;
        for (const float v : x.span<const float>()) {
            low = v < low ? v : low;
            high = v > high ? v : high;
        }
        scale = high == low ? 1.0f : (high - low) / 255.0f;
        zero = std::nearbyint(std::fmin(std::fmax(-low / scale, 0.0f), 255.0f));
    }
};

}  // namespace coffer::ops
