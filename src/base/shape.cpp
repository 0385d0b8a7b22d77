#include "coffer/base/shape.hpp"

#include "coffer/base/private_memory.hpp"

namespace coffer {

std::string to_text(const Shape& shape) {
    std::string out = "(";
    for (int i = 0; i < shape.rank(); ++i) {
        if (i > 0) out += ", ";
        out += std::to_string(shape[i]);
    }
    return out + ")";
}

bool checked_nbytes(const Shape& shape, DType dtype, size_t* out) {
    constexpr int64_t kMostDim = int64_t{1} << 48;
    if (std::ranges::any_of(shape.dims(), [](int64_t dim) { return dim < 0 || dim > kMostDim; })) return false;
    const int bits = dtype == DType::kString ? static_cast<int>(sizeof(PrivateString)) * 8 : dtype_bits(dtype);
    int64_t n = 0;
    if (bits == 0 || !shape.checked_elements(&n)) return false;
    if (!checked_mul<int64_t>(n, bits, &n)) return false;
    if (!checked_add<int64_t>(n, 7, &n)) return false;
    *out = static_cast<size_t>(n / 8);
    return true;
}

bool broadcast(const Shape& a, const Shape& b, Shape* out) {
    const int rank = std::max(a.rank(), b.rank());
    Shape r;
    r.set_rank(rank);
    for (int i = 1; i <= rank; ++i) {
        const int64_t da = i <= a.rank() ? a[a.rank() - i] : 1;
        const int64_t db = i <= b.rank() ? b[b.rank() - i] : 1;
        if (da != db && da != 1 && db != 1) return false;
        r[rank - i] = da == 1 ? db : da;
    }
    *out = r;
    return true;
}

}  // namespace coffer
