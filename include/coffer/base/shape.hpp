// Shape: up to 8 dimensions in place, each >= 0 (zero-sized dimensions are legal). Knows nothing of strides.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "coffer/base/checked.hpp"
#include "coffer/base/dtype.hpp"

namespace coffer {

inline constexpr int kMaxRank = 8;

class Shape {
 public:
    constexpr Shape() = default;
    // At most kMaxRank dims; callers with dims from a file use from() instead.
    constexpr Shape(std::initializer_list<int64_t> dims) : rank_(static_cast<int>(dims.size())) {
        std::copy(dims.begin(), dims.end(), dims_.begin());
    }
    // False when there are too many dims or one is negative.
    [[nodiscard]] static constexpr bool from(std::span<const int64_t> dims, Shape* out) {
        if (dims.size() > kMaxRank) return false;
        Shape s;
        for (int64_t d : dims) {
            if (d < 0) return false;
            s.push_back(d);
        }
        *out = s;
        return true;
    }

    constexpr int rank() const { return rank_; }
    constexpr int64_t operator[](int axis) const { return dims_[static_cast<size_t>(axis)]; }
    constexpr int64_t& operator[](int axis) { return dims_[static_cast<size_t>(axis)]; }
    constexpr std::span<const int64_t> dims() const { return {dims_.data(), static_cast<size_t>(rank_)}; }
    constexpr int64_t back() const { return dims_[static_cast<size_t>(rank_ - 1)]; }
    constexpr void push_back(int64_t dim) { dims_[static_cast<size_t>(rank_++)] = dim; }  // rank() < kMaxRank
    constexpr void set_rank(int rank) { rank_ = rank; }

    // Product of the dims (1 for a scalar). Unchecked: use checked_elements() for shapes from outside.
    constexpr int64_t elements() const { return elements(0, rank_); }
    // Product of dims [from, to). That of a shape without elements may be beyond 64 bits, and then wraps.
    constexpr int64_t elements(int from, int to) const {
        uint64_t n = 1;
        for (int i = from; i < to; ++i) n *= static_cast<uint64_t>((*this)[i]);
        return static_cast<int64_t>(n);
    }
    [[nodiscard]] constexpr bool checked_elements(int64_t* out) const {
        int64_t n = 1;
        for (int64_t d : dims()) {
            if (!checked_mul(n, d, &n)) return false;
        }
        *out = n;
        return true;
    }

    friend constexpr bool operator==(const Shape& a, const Shape& b) {
        return std::ranges::equal(a.dims(), b.dims());
    }

 private:
    std::array<int64_t, kMaxRank> dims_{};
    int rank_ = 0;
};

std::string to_text(const Shape& shape);  // "(1, 3, 224, 224)"

// Bytes of a dense tensor: product of dims x bits, rounded up to whole bytes. Strings count
// sizeof(PrivateString) an element (their form in memory). False on overflow, kUndefined or a dim over
// 2^48: a tensor without elements may have dims of any size, none needs them, and sums of them in ops would overflow.
[[nodiscard]] bool checked_nbytes(const Shape& shape, DType dtype, size_t* out);

// Maps axis in [-rank, rank) to [0, rank); false outside.
[[nodiscard]] constexpr bool normalize_axis(int64_t axis, int rank, int* out) {
    if (axis < -int64_t{rank} || axis >= rank) return false;
    *out = static_cast<int>(axis < 0 ? axis + rank : axis);
    return true;
}

// NumPy broadcasting of two shapes (ONNX Broadcasting.md, multidirectional). False when they do not match.
[[nodiscard]] bool broadcast(const Shape& a, const Shape& b, Shape* out);

}  // namespace coffer
