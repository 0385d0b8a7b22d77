// The inner loops of the integer GEMM: one engine per way the processor multiplies bytes. An engine takes
// packed rows of A and panels of B (qgemm_layout.hpp) and hands the sums of a few rows and a panel to `emit`.
#pragma once

#include <utility>

#include "coffer/kernels/qgemm_simd.hpp"

namespace coffer::kernels {

// Widening to int16 and pmaddwd: exact where pmaddubsw would saturate. For more than one block of rows the
// panel of B is widened once, into `scratch` (K * 16 * 2 bytes).
template <class Arch>
struct QWideEngine {
    using A = int16_t;
    using W = QWide<Arch>;
    using V = typename W::V;
    static constexpr size_t kRowStep = W::kRows;
    static constexpr bool kDirect = false;
    static constexpr size_t scratch_bytes(size_t quads) { return quads * kQPanelBytes * 2; }
    static void begin() {}
    static void end() {}

    // Vectors a row that still fit the registers: few rows take the whole panel in one pass.
    static constexpr int vectors(int rows) {
        int v = 2;
        while (v * 2 * rows <= int(W::kRows) * 2 && v * 2 * W::kColumns <= kQPanel) v *= 2;
        return v;
    }

    template <int R, bool kWidened>
    __attribute__((noinline)) static void tile(const int16_t* a, size_t stride, const void* b, size_t quads,
                                               int32_t* sums) {
        constexpr int kVectors = vectors(R);
        for (size_t column = 0; column < kQPanel; column += kVectors * W::kColumns) {
            V acc[R][kVectors];
            for (int r = 0; r < R; ++r) {
                for (int v = 0; v < kVectors; ++v) acc[r][v] = W::zero();
            }
            const int16_t* a0 = a;
            for (size_t q = 0; q < quads; ++q, a0 += kQQuad) {
                const size_t offset = (q * kQPanel + column) * kQQuad;
                V bv[kVectors];
                for (int v = 0; v < kVectors; ++v) {
                    const size_t at = offset + size_t(v) * W::kColumns * kQQuad;
                    if constexpr (kWidened) {
                        bv[v] = W::load(static_cast<const int16_t*>(b) + at);
                    } else {
                        bv[v] = W::widen(static_cast<const int8_t*>(b) + at);
                    }
                }
                for (int r = 0; r < R; ++r) {
                    const V av = W::broadcast(a0 + size_t(r) * stride);
                    for (int v = 0; v < kVectors; ++v) acc[r][v] = W::madd(acc[r][v], av, bv[v]);
                }
            }
            for (int r = 0; r < R; ++r) {
                for (int v = 0; v < kVectors; v += 2) {
                    W::store_pairs(sums + size_t(r) * kQPanel + column + size_t(v) * W::kColumns, acc[r][v],
                                   acc[r][v + 1]);
                }
            }
        }
    }

    template <bool kWidened, int R = int(kRowStep)>
    static void tail(size_t rows, const int16_t* a, size_t stride, const void* b, size_t quads, int32_t* sums) {
        if constexpr (R > 0) {
            if (rows == size_t(R)) return tile<R, kWidened>(a, stride, b, quads, sums);
            tail<kWidened, R - 1>(rows, a, stride, b, quads, sums);
        }
    }

    static void widen_panel(const int8_t* b, size_t quads, int16_t* dst) {
        constexpr size_t kStep = W::kColumns * kQQuad;
        for (size_t i = 0; i < quads * kQPanelBytes; i += kStep) W::store(dst + i, W::widen(b + i));
    }

    template <class Emit>
    static void panels(const int16_t* a, size_t stride, size_t rows, const int8_t* b, size_t quads, size_t first,
                       size_t last, void* scratch, const Emit& emit) {
        alignas(64) int32_t sums[kRowStep * kQPanel];
        auto* wide = static_cast<int16_t*>(scratch);
        for (size_t panel = first; panel < last; ++panel) {
            const int8_t* b_panel = b + panel * quads * kQPanelBytes;
            const bool widened = rows > kRowStep;
            if (widened) widen_panel(b_panel, quads, wide);
            for (size_t row = 0; row < rows; row += kRowStep) {
                const size_t count = rows - row < kRowStep ? rows - row : kRowStep;
                if (widened) {
                    tail<true>(count, a + row * stride, stride, wide, quads, sums);
                } else {
                    tail<false>(count, a + row * stride, stride, b_panel, quads, sums);
                }
                emit(row, count, panel * kQPanel, sums, kQPanel);
            }
        }
    }
};

#if defined(__AVX2__)
// pmaddubsw on strips whose weights are known not to saturate it. `b` is the panel's array of QStrip.
template <class Arch>
struct QStripEngine {
    using A = uint8_t;
    static constexpr size_t kRowStep = 12;
    static constexpr bool kDirect = true;
    static void begin() {}
    static void end() {}

    // acc += the four bytes at `a` times the weights.
    static void add(__m256i& acc, const uint8_t* a, __m256i weights, __m256i ones) {
        const auto* four = reinterpret_cast<const char(*)[4]>(a);
        __m256i product, sum = acc;
        // One block, for the reason given in QWide<Avx2>; on a copy, so that acc stays in a register.
        asm volatile("vpbroadcastd %2, %1\n\tvpmaddubsw %3, %1, %1\n\tvpmaddwd %4, %1, %1\n\tvpaddd %1, %0, %0"
                     : "+x"(sum), "=&x"(product)
                     : "m"(*four), "x"(weights), "x"(ones));
        acc = sum;
    }
    // The rows are a list of constants, not a loop: GCC 12 keeps an array indexed by a loop of twelve in memory.
    template <size_t... kRow>
    __attribute__((noinline)) static void tile(const uint8_t* a, size_t stride, const QStrip& strip, int32_t* sums,
                                               std::index_sequence<kRow...>) {
        const auto* b = reinterpret_cast<const __m256i*>(reinterpret_cast<const char*>(&strip) + strip.offset);
        const auto* quad = reinterpret_cast<const uint16_t*>(b + strip.count);
        const __m256i ones = _mm256_set1_epi16(1);
        __m256i acc[] = {(static_cast<void>(kRow), _mm256_setzero_si256())...};
        for (size_t i = 0; i < strip.count; ++i) {
            const __m256i weights = _mm256_load_si256(b + i);
            const uint8_t* a0 = a + size_t(quad[i]) * kQQuad;
            (add(acc[kRow], a0 + kRow * stride, weights, ones), ...);
        }
        (_mm256_store_si256(reinterpret_cast<__m256i*>(sums + kRow * kQPanel), acc[kRow]), ...);
    }
    template <size_t R = kRowStep>
    static void tail(size_t rows, const uint8_t* a, size_t stride, const QStrip& strip, int32_t* sums) {
        if constexpr (R > 0) {
            if (rows == R) return tile(a, stride, strip, sums, std::make_index_sequence<R>());
            tail<R - 1>(rows, a, stride, strip, sums);
        }
    }
    template <class Emit>
    static void panels(const uint8_t* a, size_t stride, size_t rows, const int8_t* b, size_t, size_t first,
                       size_t last, void*, const Emit& emit) {
        alignas(64) int32_t sums[kRowStep * kQPanel];
        const auto* strips = reinterpret_cast<const QStrip*>(b);
        for (size_t panel = first; panel < last; ++panel) {
            for (size_t row = 0; row < rows; row += kRowStep) {
                const size_t count = rows - row < kRowStep ? rows - row : kRowStep;
                tail(count, a + row * stride, stride, strips[2 * panel], sums);
                tail(count, a + row * stride, stride, strips[2 * panel + 1], sums + kQStrip);
                emit(row, count, panel * kQPanel, sums, kQPanel);
            }
        }
    }
};
#endif

#if defined(__AVX512VNNI__)
// vpdpbusd: u8 by s8 in fours, straight from bytes.
template <class Arch>
struct QVnniEngine {
    using A = uint8_t;
    static constexpr size_t kRowStep = 6;
    static constexpr bool kDirect = true;
    static constexpr size_t kPanels = 4;
    static constexpr size_t scratch_bytes(size_t) { return 0; }
    static void begin() {}
    static void end() {}

    template <int R, int P>
    static void tile(const uint8_t* a, size_t stride, const int8_t* b, size_t quads, int32_t* sums) {
        __m512i acc[R][P];
        for (int r = 0; r < R; ++r) {
            for (int p = 0; p < P; ++p) acc[r][p] = _mm512_setzero_si512();
        }
        const size_t panel_bytes = quads * kQPanelBytes;
        for (size_t q = 0; q < quads; ++q) {
            __m512i bv[P];
            for (int p = 0; p < P; ++p) bv[p] = _mm512_load_si512(b + size_t(p) * panel_bytes + q * kQPanelBytes);
            for (int r = 0; r < R; ++r) {
                int32_t four;
                __builtin_memcpy(&four, a + size_t(r) * stride + q * kQQuad, 4);
                const __m512i av = _mm512_set1_epi32(four);
                for (int p = 0; p < P; ++p) acc[r][p] = _mm512_dpbusd_epi32(acc[r][p], av, bv[p]);
            }
        }
        for (int r = 0; r < R; ++r) {
            for (int p = 0; p < P; ++p) _mm512_store_si512(sums + (r * P + p) * int(kQPanel), acc[r][p]);
        }
    }
    template <int P, int R = int(kRowStep)>
    static void tail(size_t rows, const uint8_t* a, size_t stride, const int8_t* b, size_t quads, int32_t* sums) {
        if constexpr (R > 0) {
            if (rows == size_t(R)) return tile<R, P>(a, stride, b, quads, sums);
            tail<P, R - 1>(rows, a, stride, b, quads, sums);
        }
    }
    template <int P, class Emit>
    static void columns(const uint8_t* a, size_t stride, size_t rows, const int8_t* b, size_t quads, size_t panel,
                        const Emit& emit) {
        alignas(64) int32_t sums[kRowStep * P * kQPanel];
        for (size_t row = 0; row < rows; row += kRowStep) {
            const size_t count = rows - row < kRowStep ? rows - row : kRowStep;
            tail<P>(count, a + row * stride, stride, b + panel * quads * kQPanelBytes, quads, sums);
            for (size_t p = 0; p < size_t(P); ++p) {
                emit(row, count, (panel + p) * kQPanel, sums + p * kQPanel, P * kQPanel);
            }
        }
    }
    template <class Emit>
    static void panels(const uint8_t* a, size_t stride, size_t rows, const int8_t* b, size_t quads, size_t first,
                       size_t last, void*, const Emit& emit) {
        size_t panel = first;
        for (; panel + kPanels <= last; panel += kPanels) columns<kPanels>(a, stride, rows, b, quads, panel, emit);
        if (last - panel == 3) columns<3>(a, stride, rows, b, quads, panel, emit);
        if (last - panel == 2) columns<2>(a, stride, rows, b, quads, panel, emit);
        if (last - panel == 1) columns<1>(a, stride, rows, b, quads, panel, emit);
    }
};
#endif

#if defined(__AMX_INT8__)
// tdpbusd: 16 rows by 16 columns by 64 k an instruction. Two by two tiles, so that every tile of A and B that
// is loaded is used twice. Packed rows are padded to a multiple of 16 (their content there does not matter).
template <class Arch>
struct QAmxEngine {
    using A = uint8_t;
    static constexpr size_t kRowStep = 16;
    static constexpr bool kDirect = true;
    static constexpr size_t scratch_bytes(size_t) { return 0; }

    struct alignas(64) Config {
        uint8_t palette = 1, start_row = 0, reserved[14] = {};
        uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
        uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    };
    // Not _tile_loadconfig(): in GCC 12 it claims to read eight bytes, and the rest may be dropped.
    static void begin() {
        const Config config;
        static_assert(sizeof(Config) == 64);
        asm volatile("ldtilecfg %0" ::"m"(config));
    }
    static void end() { _tile_release(); }
    // GCC's tile loads do not say that they read memory.
    static void fence() { asm volatile("" ::: "memory"); }

    // Tiles 0..3 are sums, 4 and 5 rows of A, 6 and 7 columns of B.
    template <int R, int P>
    static void tile(const uint8_t* a, size_t stride, const int8_t* b, size_t quads, int32_t* sums) {
        const int8_t* b1 = b + quads * kQPanelBytes;
        fence();
        _tile_zero(0);
        if constexpr (P == 2) _tile_zero(1);
        if constexpr (R == 2) _tile_zero(2);
        if constexpr (R == 2 && P == 2) _tile_zero(3);
        for (size_t q = 0; q < quads; q += 16) {
            _tile_loadd(4, a + q * kQQuad, stride);
            _tile_loadd(6, b + q * kQPanelBytes, 64);
            _tile_dpbusd(0, 4, 6);
            if constexpr (P == 2) {
                _tile_loadd(7, b1 + q * kQPanelBytes, 64);
                _tile_dpbusd(1, 4, 7);
            }
            if constexpr (R == 2) {
                _tile_loadd(5, a + 16 * stride + q * kQQuad, stride);
                _tile_dpbusd(2, 5, 6);
            }
            if constexpr (R == 2 && P == 2) _tile_dpbusd(3, 5, 7);
        }
        constexpr size_t kLine = P * 64;
        _tile_stored(0, sums, kLine);
        if constexpr (P == 2) _tile_stored(1, sums + 16, kLine);
        if constexpr (R == 2) _tile_stored(2, sums + 16 * 16 * P, kLine);
        if constexpr (R == 2 && P == 2) _tile_stored(3, sums + 16 * 16 * P + 16, kLine);
        fence();
    }
    template <int P, class Emit>
    static void columns(const uint8_t* a, size_t stride, size_t rows, const int8_t* b, size_t quads, size_t panel,
                        const Emit& emit) {
        alignas(64) int32_t sums[32 * P * kQPanel];
        const int8_t* b0 = b + panel * quads * kQPanelBytes;
        for (size_t row = 0; row < rows; row += 32) {
            const size_t count = rows - row < 32 ? rows - row : 32;
            if (count > 16) {
                tile<2, P>(a + row * stride, stride, b0, quads, sums);
            } else {
                tile<1, P>(a + row * stride, stride, b0, quads, sums);
            }
            for (size_t p = 0; p < size_t(P); ++p) {
                emit(row, count, (panel + p) * kQPanel, sums + p * kQPanel, P * kQPanel);
            }
        }
    }
    template <class Emit>
    static void panels(const uint8_t* a, size_t stride, size_t rows, const int8_t* b, size_t quads, size_t first,
                       size_t last, void*, const Emit& emit) {
        size_t panel = first;
        for (; panel + 2 <= last; panel += 2) columns<2>(a, stride, rows, b, quads, panel, emit);
        if (panel < last) columns<1>(a, stride, rows, b, quads, panel, emit);
    }
};
#endif

#if defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)
// sdot: s8 by s8 in fours; activations arrive as x - 128 (see qgemm_signed_rows).
template <class Arch>
struct QDotEngine {
    using A = uint8_t;
    static constexpr size_t kRowStep = 6;
    static constexpr bool kDirect = true;
    static constexpr size_t scratch_bytes(size_t) { return 0; }
    static void begin() {}
    static void end() {}

    template <int R>
    static void tile(const uint8_t* a, size_t stride, const int8_t* b, size_t quads, int32_t* sums) {
        int32x4_t acc[R][4];
        for (int r = 0; r < R; ++r) {
            for (int v = 0; v < 4; ++v) acc[r][v] = vdupq_n_s32(0);
        }
        for (size_t q = 0; q < quads; ++q) {
            int8x16_t bv[4];
            for (int v = 0; v < 4; ++v) bv[v] = vld1q_s8(b + q * kQPanelBytes + size_t(v) * 16);
            for (int r = 0; r < R; ++r) {
                int32_t four;
                __builtin_memcpy(&four, a + size_t(r) * stride + q * kQQuad, 4);
                const int8x16_t av = vreinterpretq_s8_s32(vdupq_n_s32(four));
                for (int v = 0; v < 4; ++v) acc[r][v] = vdotq_s32(acc[r][v], bv[v], av);
            }
        }
        for (int r = 0; r < R; ++r) {
            for (int v = 0; v < 4; ++v) vst1q_s32(sums + r * int(kQPanel) + v * 4, acc[r][v]);
        }
    }
    template <int R = int(kRowStep)>
    static void tail(size_t rows, const uint8_t* a, size_t stride, const int8_t* b, size_t quads, int32_t* sums) {
        if constexpr (R > 0) {
            if (rows == size_t(R)) return tile<R>(a, stride, b, quads, sums);
            tail<R - 1>(rows, a, stride, b, quads, sums);
        }
    }
    template <class Emit>
    static void panels(const uint8_t* a, size_t stride, size_t rows, const int8_t* b, size_t quads, size_t first,
                       size_t last, void*, const Emit& emit) {
        alignas(64) int32_t sums[kRowStep * kQPanel];
        for (size_t panel = first; panel < last; ++panel) {
            for (size_t row = 0; row < rows; row += kRowStep) {
                const size_t count = rows - row < kRowStep ? rows - row : kRowStep;
                tail(count, a + row * stride, stride, b + panel * quads * kQPanelBytes, quads, sums);
                emit(row, count, panel * kQPanel, sums, kQPanel);
            }
        }
    }
};
#endif

template <class Arch>
static constexpr auto qgemm_engine() {
#if defined(__AMX_INT8__)
    if constexpr (Arch::amx) return QAmxEngine<Arch>();
#endif
#if defined(__AVX512VNNI__)
    if constexpr (Arch::vnni && !Arch::amx) return QVnniEngine<Arch>();
#endif
#if defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)
    if constexpr (Arch::dotprod) return QDotEngine<Arch>();
#endif
    if constexpr (!Arch::vnni && !Arch::dotprod) return QWideEngine<Arch>();
}
template <class Arch>
using QEngine = decltype(qgemm_engine<Arch>());

}  // namespace coffer::kernels
