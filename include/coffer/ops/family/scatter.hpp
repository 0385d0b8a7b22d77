// Writing by index: walking element-wise indices, and the reductions of the Scatter ops.
#pragma once

#include <cmath>

#include "coffer/ops/family/index.hpp"

namespace coffer::ops {

// Checks indices (input 1) of GatherElements and ScatterElements against data (input 0); gives the axis.
inline Result<int> check_elements(const MoveContext& m, const Shape& places) {
    const Shape& data = m.shape(0);
    COFFER_TRY(check_index_type(m, 1));
    COFFER_TRY_ASSIGN(const int axis, m.axis(m.node().attr_i("axis"), data.rank()));
    if (places.rank() != data.rank()) return m.fail("indices ", places, " for data ", data);
    for (int i = 0; i < data.rank(); ++i) {
        if (i != axis && places[i] > data[i]) return m.fail("indices ", places, " reach outside data ", data);
    }
    return axis;
}

// visit(i, at): element i of the indices, and the element of data it means.
template <class Visit>
Status each_element(const MoveContext& m, int axis, Visit visit) {
    const Shape &data = m.shape(0), &places = m.shape(1);
    const Strides step = strides_of(data);
    const int64_t count = places.elements();
    int64_t index[kMaxRank] = {};
    for (int64_t i = 0; i < count; ++i) {
        COFFER_TRY_ASSIGN(int64_t at, index_at(m.node(), *m.value(1), i, data[axis]));
        at *= step[size_t(axis)];
        for (int a = 0; a < data.rank(); ++a) at += a == axis ? 0 : index[a] * step[size_t(a)];
        visit(i, at);
        for (int a = data.rank() - 1; a >= 0 && ++index[a] == places[a]; --a) index[a] = 0;
    }
    return {};
}

enum class ScatterReduction : uint8_t { kNone, kAdd, kMul, kMax, kMin };

inline Result<ScatterReduction> scatter_reduction(const MoveContext& m) {
    const std::string_view name = m.node().attr_s("reduction");
    constexpr const char* names[] = {"none", "add", "mul", "max", "min"};
    for (uint8_t i = 0; i < 5; ++i) {
        if (name != names[i]) continue;
        const DType t = m.dtype(0);
        if (i > 0 && !is_integer(t) && !is_floating(t) && t != DType::kBool)
            return m.fail("reduction ", name, " of ", t);
        return static_cast<ScatterReduction>(i);
    }
    return m.fail("reduction '", name, "'");
}

template <class T>
T reduce(ScatterReduction how, T a, T b) {
    switch (how) {
        case ScatterReduction::kAdd: return a + b;
        case ScatterReduction::kMul: return a * b;
        case ScatterReduction::kMax: return a < b ? b : a;
        case ScatterReduction::kMin: return b < a ? b : a;
        default: return b;
    }
}

// dst[d .. d+n) = dst (how) src[s .. s+n)
inline void scatter_elements(ScatterReduction how, const TensorView& dst, int64_t d, const TensorView& src, int64_t s,
                             int64_t n) {
    if (how == ScatterReduction::kNone) return copy_elements(dst, d, 1, src, s, 1, n);
    for (int64_t i = 0; i < n; ++i) {
        if (is_floating(dst.dtype)) {
            const double a = load_double(dst, d + i), b = load_double(src, s + i);
            store_double(dst, d + i, std::isnan(a) ? a : std::isnan(b) ? b : reduce(how, a, b));
            continue;
        }
        // Sums and products are the same bits for signed and unsigned; only the order differs.
        const int64_t a = load_int(dst, d + i), b = load_int(src, s + i);
        const bool by_order = how == ScatterReduction::kMax || how == ScatterReduction::kMin;
        const int64_t r = by_order && dst.dtype != DType::kUint64
                              ? reduce(how, a, b)
                              : static_cast<int64_t>(reduce(how, uint64_t(a), uint64_t(b)));
        store_int(dst, d + i, r);
    }
}

// Output 0 starts as a copy of data.
inline Status start_scatter(MoveContext& m) {
    if (m.dtype(2) != m.dtype(0)) return m.fail("updates are ", m.dtype(2), ", data ", m.dtype(0));
    COFFER_TRY(m.output(0, m.dtype(0), m.shape(0)));
    if (m.running()) copy_elements(m.result(0), 0, 1, *m.value(0), 0, 1, m.shape(0).elements());
    return {};
}

inline Status scatter_by_element(MoveContext& m, ScatterReduction how) {
    COFFER_TRY_ASSIGN(const int axis, check_elements(m, m.shape(1)));
    if (m.shape(2) != m.shape(1)) return m.fail("updates ", m.shape(2), " for indices ", m.shape(1));
    COFFER_TRY(start_scatter(m));
    if (!m.running()) return {};
    return each_element(m, axis,
                        [&](int64_t i, int64_t at) { scatter_elements(how, m.result(0), at, *m.value(2), i, 1); });
}

// GatherND and ScatterND: one tuple of indices as the place of a row of data.
inline Result<int64_t> tuple_at(const MoveContext& m, const Shape& data, int first, int64_t tuple, int length) {
    int64_t at = 0;
    for (int k = 0; k < length; ++k) {
        COFFER_TRY_ASSIGN(const int64_t one, index_at(m.node(), *m.value(1), tuple * length + k, data[first + k]));
        at = at * data[first + k] + one;
    }
    return at;
}

}  // namespace coffer::ops
