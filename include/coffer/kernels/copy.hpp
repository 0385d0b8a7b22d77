// Strided copies of elements of 1 to 16 bytes: the inner loops of every op that only moves data. It does not
// know what the elements mean. Only arch.cpp includes this file.
#pragma once

#include "coffer/kernels/copy_params.hpp"
#include "coffer/kernels/simd.hpp"
#include "coffer/kernels/transpose.hpp"

namespace coffer::kernels {

template <class Arch>
struct CopyPlanes {
    const CopyParams& p;
    const char* src;
    char* dst;

    template <int N>
    struct Element {
        unsigned char bytes[N];
    };
    template <int N>
    static void one(char* to, const char* from) {
        __builtin_memcpy(to, from, N);
    }

    template <int N>
    static void strided(char* to, const char* from, int64_t n, int64_t dst_step, int64_t src_step) {
        if (src_step == 0 && dst_step == N) {
            Element<N> value;
            __builtin_memcpy(&value, from, N);
            for (int64_t i = 0; i < n; ++i) __builtin_memcpy(to + i * N, &value, N);
            return;
        }
        if (dst_step == N) {
            for (int64_t i = 0; i < n; ++i) one<N>(to + i * N, from + i * src_step);
            return;
        }
        for (int64_t i = 0; i < n; ++i) one<N>(to + i * dst_step, from + i * src_step);
    }

    // dst[i][k] = src[k][i], i < n1 (step dst1), k < n0 (step src0), in tiles that stay in the first cache.
    template <int N>
    static void transposed(char* to, const char* from, int64_t n1, int64_t n0, int64_t dst1, int64_t src0) {
        constexpr int64_t tile = 32;
        for (int64_t k0 = 0; k0 < n0; k0 += tile) {
            const int64_t k1 = k0 + tile < n0 ? k0 + tile : n0;
            for (int64_t i0 = 0; i0 < n1; i0 += tile) {
                const int64_t i1 = i0 + tile < n1 ? i0 + tile : n1;
                int64_t k = k0;
                if constexpr (N == 4) {
                    for (; k + 4 <= k1; k += 4) {
                        int64_t i = i0;
                        for (; i + 4 <= i1; i += 4)
                            transpose_4x4<Arch>(from + k * src0 + i * N, src0,
                                                [&](int64_t q) { return to + (i + q) * dst1 + k * N; });
                        for (; i < i1; ++i) {
                            for (int64_t q = k; q < k + 4; ++q)
                                one<N>(to + i * dst1 + q * N, from + q * src0 + i * N);
                        }
                    }
                }
                for (; k < k1; ++k) {
                    for (int64_t i = i0; i < i1; ++i) one<N>(to + i * dst1 + k * N, from + k * src0 + i * N);
                }
            }
        }
    }

    template <int N>
    void plane(char* to, const char* from, int64_t n1) const {
        const int64_t n0 = p.size[p.rank - 1];
        const int64_t d1 = p.dst[p.rank - 2], s1 = p.src[p.rank - 2];
        const int64_t d0 = p.dst[p.rank - 1], s0 = p.src[p.rank - 1];
        if (p.kind == CopyParams::kRun) {
            for (int64_t i = 0; i < n1; ++i)
                __builtin_memcpy(to + i * d1, from + i * s1, static_cast<size_t>(n0 * N));
        } else if (p.kind == CopyParams::kTranspose) {
            transposed<N>(to, from, n1, n0, d1, s0);
        } else {
            for (int64_t i = 0; i < n1; ++i) strided<N>(to + i * d1, from + i * s1, n0, d0, s0);
        }
    }

    template <int N>
    void rows(int64_t begin, int64_t end) const {
        const int64_t n1 = p.size[p.rank - 2];
        const int64_t chunks = (n1 + p.chunk - 1) / p.chunk;
        int64_t index[CopyParams::kMaxLoops] = {};
        int64_t rest = begin / chunks, c = begin % chunks;
        const char* from = src + p.src_offset;
        char* to = dst + p.dst_offset;
        for (int axis = p.rank - 3; axis >= 0; --axis) {
            index[axis] = rest % p.size[axis];
            rest /= p.size[axis];
            from += index[axis] * p.src[axis];
            to += index[axis] * p.dst[axis];
        }
        for (int64_t row = begin; row < end; ++row) {
            const int64_t i = c * p.chunk;
            const int64_t n = i + p.chunk < n1 ? p.chunk : n1 - i;
            plane<N>(to + i * p.dst[p.rank - 2], from + i * p.src[p.rank - 2], n);
            if (++c < chunks) continue;
            c = 0;
            for (int axis = p.rank - 3; axis >= 0; --axis) {
                from += p.src[axis];
                to += p.dst[axis];
                if (++index[axis] < p.size[axis]) break;
                from -= p.size[axis] * p.src[axis];
                to -= p.size[axis] * p.dst[axis];
                index[axis] = 0;
            }
        }
    }
};

// operands: src, dst. They may be the same memory only for a kWhole copy, which then does nothing.
template <class Arch>
bool copy_strided(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto& p = *static_cast<const CopyParams*>(params);
    const CopyPlanes<Arch> planes{p, static_cast<const char*>(operands[0]), static_cast<char*>(operands[1])};
    if (p.kind == CopyParams::kWhole) {
        const int64_t from = static_cast<int64_t>(begin) * CopyParams::kWholeBytes;
        const int64_t limit = static_cast<int64_t>(end) * CopyParams::kWholeBytes;
        const int64_t bytes = p.size[1];
        const int64_t to = limit < bytes ? limit : bytes;
        const char* src = planes.src + p.src_offset + from;
        char* dst = planes.dst + p.dst_offset + from;
        if (src != dst && to > from) __builtin_memcpy(dst, src, static_cast<size_t>(to - from));
        return true;
    }
    const int64_t first = static_cast<int64_t>(begin) * p.group;
    const int64_t limit = static_cast<int64_t>(end) * p.group;
    const int64_t last = limit < p.rows ? limit : p.rows;
    switch (p.element) {
        case 1: planes.template rows<1>(first, last); break;
        case 2: planes.template rows<2>(first, last); break;
        case 4: planes.template rows<4>(first, last); break;
        case 8: planes.template rows<8>(first, last); break;
        default: planes.template rows<16>(first, last); break;
    }
    return true;
}

}  // namespace coffer::kernels
