// Integer matrix product, exact in int32, with the result as int32, requantized to 8 bits or as float. The
// rows of A come from a Source: rows of a matrix here, pixels of an image in qconv.hpp.
// Only arch.cpp includes this file.
#pragma once

#include "coffer/kernels/qgemm_engines.hpp"
#include "coffer/kernels/vecmath.hpp"

namespace coffer::kernels {

// `count` activations into a packed row: dst[i] = src[i] ^ flip, widened where the engine wants int16.
template <class Arch>
inline void qgemm_pack_run(int16_t* dst, const uint8_t* src, size_t count, uint8_t flip) {
    using Q = QBytes<Arch>;
    size_t i = 0;
    for (; i + 16 <= count; i += 16) Q::widen16(dst + i, src + i, flip);
    if (i == count) return;
    if (count >= 16) return Q::widen16(dst + count - 16, src + count - 16, flip);
    if (count >= 8) {
        Q::widen8(dst, src, flip);
        return Q::widen8(dst + count - 8, src + count - 8, flip);
    }
    for (; i < count; ++i) dst[i] = static_cast<int16_t>(src[i] ^ flip);
}
template <class Word>
static inline void qgemm_pack_word(uint8_t* dst, const uint8_t* src, uint8_t flip) {
    Word word;
    __builtin_memcpy(&word, src, sizeof(Word));
    word ^= flip * (~Word{0} / 255);
    __builtin_memcpy(dst, &word, sizeof(Word));
}
template <class Arch>
inline void qgemm_pack_run(uint8_t* dst, const uint8_t* src, size_t count, uint8_t flip) {
    using Q = QBytes<Arch>;
    if (count >= 16) {
        size_t i = 0;
#if defined(__AVX512BW__)
        const __m512i flips = _mm512_set1_epi8(static_cast<char>(flip));
        for (; i + 64 <= count; i += 64)
            _mm512_storeu_si512(dst + i, _mm512_xor_si512(_mm512_loadu_si512(src + i), flips));
#endif
#if defined(__AVX2__)
        const __m256i half = _mm256_set1_epi8(static_cast<char>(flip));
        for (; i + 32 <= count; i += 32) {
            const auto* from = reinterpret_cast<const __m256i*>(src + i);
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(dst + i),
                                _mm256_xor_si256(_mm256_loadu_si256(from), half));
        }
#endif
        for (; i + 16 <= count; i += 16) Q::copy16(dst + i, src + i, flip);
        if (count % 16 != 0) Q::copy16(dst + count - 16, src + count - 16, flip);
        return;
    }
    if (count >= 8) {
        qgemm_pack_word<uint64_t>(dst, src, flip);
        return qgemm_pack_word<uint64_t>(dst + count - 8, src + count - 8, flip);
    }
    if (count >= 4) {
        qgemm_pack_word<uint32_t>(dst, src, flip);
        return qgemm_pack_word<uint32_t>(dst + count - 4, src + count - 4, flip);
    }
    for (size_t i = 0; i < count; ++i) dst[i] = src[i] ^ flip;
}
// Such runs, `pixels` times: dst and src move on by their steps.
template <class Arch, class A>
void qgemm_pack_runs(A* dst, size_t dst_step, const uint8_t* src, size_t src_step, size_t count, size_t pixels,
                     uint8_t flip) {
    size_t i = 0;
#if defined(__AVX512BW__)
    if constexpr (sizeof(A) == 1) {
        const auto lanes = static_cast<__mmask32>(count < 32 ? ~uint32_t{0} >> (32 - count) : ~uint32_t{0});
        for (; i < pixels && count <= 32; ++i, dst += dst_step, src += src_step) {
            const __m256i bytes = _mm256_maskz_loadu_epi8(lanes, src);
            _mm256_mask_storeu_epi8(dst, lanes, _mm256_xor_si256(bytes, _mm256_set1_epi8(static_cast<char>(flip))));
        }
    }
#endif
    for (; i < pixels; ++i, dst += dst_step, src += src_step) qgemm_pack_run<Arch>(dst, src, count, flip);
}
template <class A>
static inline void qgemm_fill(A* dst, size_t count, A value) {
    for (size_t i = 0; i < count; ++i) dst[i] = value;
}
// Sum of a packed row, in steps that stay within 32 bits; over all it may wrap. Engines that take signed bytes count
// them as such.
template <class Arch, class A>
[[gnu::noinline]] int32_t qgemm_row_sum(const A* a, size_t count) {
    constexpr bool as_signed = sizeof(A) == 1 && Arch::dotprod;
    constexpr size_t kStep = size_t{1} << 15;
    uint32_t total = 0;
    for (size_t begin = 0; begin < count; begin += kStep) {
        const size_t end = count - begin < kStep ? count : begin + kStep;
        int32_t sum = 0;
        for (size_t i = begin; i < end; ++i) sum += as_signed ? int32_t(static_cast<int8_t>(a[i])) : int32_t(a[i]);
        total += uint32_t(sum);
    }
    return int32_t(total);
}

// Rows of a plain matrix.
template <class Arch>
struct QRowSource {
    const uint8_t* base;
    const QGemmParams& p;

    const uint8_t* direct(size_t batch, size_t row) const { return base + batch * p.a_batch + row * p.lda; }
    size_t direct_stride() const { return p.lda; }
    // Several rows in the same cache sets would evict each other in the inner loop; packed ones are kept apart.
    bool can_direct() const {
        return p.flip == 0 && p.k == p.quads * kQQuad && (p.tiling.rows == 1 || p.lda % 1024 != 0);
    }
    template <class A>
    void pack(size_t batch, size_t row, size_t rows, A* dst, size_t stride) const {
        for (size_t r = 0; r < rows; ++r, dst += stride) {
            qgemm_pack_run<Arch>(dst, direct(batch, row + r), p.k, p.flip);
            qgemm_fill<A>(dst + p.k, p.quads * kQQuad - p.k, 0);
        }
    }
};

// Sums of some rows and 16 columns become results.
template <class Arch>
struct QEmit {
    using L = QLanes<Arch>;
    using I = typename L::I;
    using F = typename L::F;

    const QGemmParams& p;
    const int32_t* init;
    const float* scale;
    const float* bias;
    const int32_t* weight_zero;
    const int32_t* row_sums;  // nullptr when no weight zero point matters
    float lo, hi;
    int32_t y_zero;
    char* dst;  // row 0 of the block, column 0
    const uint8_t* table;

    // `sums` holds 16 sums of each row, `stride` apart and aligned; overwritten.
    void operator()(size_t row, size_t rows, size_t column, int32_t* sums, size_t stride) const {
        const size_t valid = p.n - column < kQPanel ? p.n - column : kQPanel;
        if (row_sums) correct(row, rows, column, sums, stride);
        char* out = dst + (row * p.ldc + column) * (p.out == QOut::kInt8 ? 1 : 4);
        if (p.out == QOut::kInt8) {
            if (valid == kQPanel && !table) {
                eight_bits<true>(rows, column, valid, sums, stride, reinterpret_cast<uint8_t*>(out));
            } else {
                eight_bits<false>(rows, column, valid, sums, stride, reinterpret_cast<uint8_t*>(out));
            }
        } else if (p.out == QOut::kFloat) {
            words<true>(rows, column, valid, sums, stride, out);
        } else {
            words<false>(rows, column, valid, sums, stride, out);
        }
    }

 private:
    void correct(size_t row, size_t rows, size_t column, int32_t* sums, size_t stride) const {
        for (size_t r = 0; r < rows; ++r, sums += stride) {
            const I sum(row_sums[row + r]);
            for (size_t i = 0; i < kQPanel; i += I::size) {
                (I::load_aligned(sums + i) - vmul(sum, I::load_unaligned(weight_zero + column + i)))
                    .store_aligned(sums + i);
            }
        }
    }
    template <bool kFloat>
    void words(size_t rows, size_t column, size_t valid, const int32_t* sums, size_t stride, char* out) const {
        const size_t line = p.ldc * 4;
        const F low(lo), high(hi);
        for (size_t r = 0; r < rows; ++r, sums += stride, out += line) {
            I v[L::kCount];
            for (size_t i = 0; i < L::kCount; ++i) {
                const size_t at = column + i * I::size;
                v[i] = I::load_aligned(sums + i * I::size) + I::load_unaligned(init + at);
                if constexpr (kFloat) {
                    const F f = L::to_float(v[i]) * F::load_unaligned(scale + at) + F::load_unaligned(bias + at);
                    min(max(f, low), high).store_unaligned(reinterpret_cast<float*>(v + i));
                }
            }
            if (valid < kQPanel) {
                __builtin_memcpy(out, v, valid * 4);
                continue;
            }
            for (size_t i = 0; i < L::kCount; ++i)
                v[i].store_unaligned(reinterpret_cast<int32_t*>(out) + i * I::size);
        }
    }
    // kWhole: 16 columns, no table. The constants stay in registers: bytes stored might be any of them.
    template <bool kWhole>
    void eight_bits(size_t rows, size_t column, size_t valid, const int32_t* sums, size_t stride,
                    uint8_t* out) const {
        const size_t line = p.ldc;
        const F low(lo), high(hi);
        const I zero(y_zero);
        I start[L::kCount];
        F factor[L::kCount];
        for (size_t i = 0; i < L::kCount; ++i) {
            start[i] = I::load_unaligned(init + column + i * I::size);
            factor[i] = F::load_unaligned(scale + column + i * I::size);
        }
        for (size_t r = 0; r < rows; ++r, sums += stride, out += line) {
            I v[L::kCount];
            for (size_t i = 0; i < L::kCount; ++i) {
                const F f = L::to_float(I::load_aligned(sums + i * I::size) + start[i]) * factor[i];
                v[i] = L::round(min(max(f, low), high)) + zero;
            }
            if constexpr (kWhole) {
                L::store_bytes(out, v);
                continue;
            }
            uint8_t bytes[kQPanel];
            L::store_bytes(bytes, v);
            for (size_t i = 0; i < valid; ++i) out[i] = table ? table[bytes[i]] : bytes[i];
        }
    }
};

template <class Arch>
inline QEmit<Arch> qgemm_emit(const QGemmParams& p, void* const* operands, size_t batch, size_t row,
                              const int32_t* row_sums) {
    void* block = operands[2];
    const auto* head = static_cast<const QBlock*>(block);
    const size_t column = batch * p.block_batch, bytes = p.out == QOut::kInt8 ? 1 : 4;
    return {p,
            qblock_init(block) + column,
            qblock_scale(block, p.columns) + column,
            qblock_bias(block, p.columns) + column,
            qblock_weight_zero(block, p.columns) + column,
            p.weight_zeros ? row_sums : nullptr,
            head->lo,
            head->hi,
            head->y_zero,
            static_cast<char*>(operands[3]) + (batch * p.c_batch + row * p.ldc) * bytes,
            p.table ? static_cast<const uint8_t*>(operands[5]) : nullptr};
}

// Operands: A, packed B, block of constants, result, workspace slots, table.
template <class Arch, class Engine, class Source>
bool qgemm_run(const QGemmParams& p, const Source& source, void* const* operands, size_t begin, size_t end) {
    using A = typename Engine::A;
    const QTiling& t = p.tiling;
    const auto* b = static_cast<const int8_t*>(operands[1]);
    char* slot = static_cast<char*>(operands[4]) + begin * t.slot_bytes;
    auto* packed = reinterpret_cast<A*>(slot);
    auto* row_sums = reinterpret_cast<int32_t*>(slot + (t.block_rows * t.a_stride * sizeof(A) + 63) / 64 * 64);
    void* scratch = row_sums + (t.block_rows + 15) / 16 * 16;
    // The bytes as they lie in memory will do, when the engine reads bytes and K needs no padding.
    const bool direct = Engine::kDirect && source.can_direct();

    Engine::begin();
    for (size_t unit = begin; unit < end; ++unit) {
        const size_t panel_unit = unit % t.panel_units;
        const size_t row_unit = unit / t.panel_units % t.row_units;
        const size_t batch = unit / t.panel_units / t.row_units;
        const size_t first = panel_unit * t.panels_per_unit;
        const size_t last = first + t.panels_per_unit < t.panels ? first + t.panels_per_unit : t.panels;
        const size_t row_begin = row_unit * t.rows_per_unit;
        const size_t row_end = row_begin + t.rows_per_unit < t.rows ? row_begin + t.rows_per_unit : t.rows;
        for (size_t row = row_begin; row < row_end; row += t.block_rows) {
            const size_t rows = row_end - row < t.block_rows ? row_end - row : t.block_rows;
            const A* a = packed;
            size_t stride = t.a_stride;
            if constexpr (Engine::kDirect) {
                if (direct && rows % (Engine::kRowStep == 16 ? 16 : 1) == 0) {
                    a = source.direct(batch, row);
                    stride = source.direct_stride();
                }
            }
            if (a == packed) source.pack(batch, row, rows, packed, stride);
            if (p.weight_zeros) {
                for (size_t r = 0; r < rows; ++r) {
                    row_sums[r] = qgemm_row_sum<Arch>(a + r * stride, p.quads * kQQuad);
                }
            }
            const QEmit<Arch> emit = qgemm_emit<Arch>(p, operands, batch, row, row_sums);
            Engine::panels(a, stride, rows, b + batch * p.b_batch, p.quads, first, last, scratch, emit);
        }
    }
    Engine::end();
    return true;
}

template <class Arch, class Source>
bool qgemm_units(const QGemmParams& p, const Source& source, void* const* operands, size_t begin, size_t end) {
#if defined(__AVX2__)
    if constexpr (Arch::id == ArchId::kAvx2) {
        if (p.split) return qgemm_run<Arch, QStripEngine<Arch>>(p, source, operands, begin, end);
    }
#endif
    return qgemm_run<Arch, QEngine<Arch>>(p, source, operands, begin, end);
}

template <class Arch>
bool qgemm(const void* params, void* const* operands, size_t begin, size_t end) {
    const auto& p = *static_cast<const QGemmParams*>(params);
    const QRowSource<Arch> source{static_cast<const uint8_t*>(operands[0]), p};
    return qgemm_units<Arch>(p, source, operands, begin, end);
}

}  // namespace coffer::kernels
