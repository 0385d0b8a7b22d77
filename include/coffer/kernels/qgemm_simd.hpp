// The few integer instructions that xsimd has no wrapper for, one struct per vector width. Only qgemm,
// qconv and qdepthwise use this.
#pragma once

#include "coffer/kernels/qgemm_layout.hpp"
#include "coffer/kernels/simd.hpp"

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace coffer::kernels {

// Vectors of int16 holding K in fours: one vector has kColumns columns of four k each. madd() adds the products
// of neighbours, so an accumulator holds two int32 halves a column; store_pairs() adds the halves.
template <class Arch>
struct QWide;

#if defined(__x86_64__) || defined(__i386__)

template <>
struct QWide<Baseline> {
    using V = __m128i;
    static constexpr size_t kColumns = 2;
    static constexpr size_t kRows = 6;
    static V zero() { return _mm_setzero_si128(); }
    static V load(const int16_t* p) { return _mm_load_si128(reinterpret_cast<const V*>(p)); }
    static V widen(const int8_t* p) {
        const V v = _mm_loadl_epi64(reinterpret_cast<const V*>(p));
        return _mm_srai_epi16(_mm_unpacklo_epi8(v, v), 8);
    }
    static void store(int16_t* p, V v) { _mm_store_si128(reinterpret_cast<V*>(p), v); }
    static V broadcast(const int16_t* p) {
        const V v = _mm_loadl_epi64(reinterpret_cast<const V*>(p));
        return _mm_unpacklo_epi64(v, v);
    }
    static V madd(V acc, V a, V b) { return _mm_add_epi32(acc, _mm_madd_epi16(a, b)); }
    static void store_pairs(int32_t* dst, V lo, V hi) {
        const __m128 a = _mm_castsi128_ps(lo), b = _mm_castsi128_ps(hi);
        const V even = _mm_castps_si128(_mm_shuffle_ps(a, b, 0x88)),
                odd = _mm_castps_si128(_mm_shuffle_ps(a, b, 0xdd));
        _mm_storeu_si128(reinterpret_cast<V*>(dst), _mm_add_epi32(even, odd));
    }
};

#if defined(__AVX2__)
template <>
struct QWide<Avx2> {
    using V = __m256i;
    static constexpr size_t kColumns = 4;
    static constexpr size_t kRows = 6;
    static V zero() { return _mm256_setzero_si256(); }
    static V load(const int16_t* p) { return _mm256_load_si256(reinterpret_cast<const V*>(p)); }
    static V widen(const int8_t* p) {
        return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    }
    static void store(int16_t* p, V v) { _mm256_store_si256(reinterpret_cast<V*>(p), v); }
    static V broadcast(const int16_t* p) {
        return _mm256_broadcastq_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
    }
    // Two instructions in one block: the inner loop uses all sixteen registers, and GCC 12 otherwise moves the
    // loads of a row ahead of its neighbours' products and spills the accumulators (2.5 times slower).
    static V madd(V acc, V a, V b) {
        V product;
        asm volatile("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(acc), "=&x"(product) : "x"(a), "x"(b));
        return acc;
    }
    static void store_pairs(int32_t* dst, V lo, V hi) {
        const V sums = _mm256_hadd_epi32(lo, hi);  // lo's and hi's columns alternate by 64 bits
        _mm256_storeu_si256(reinterpret_cast<V*>(dst), _mm256_permute4x64_epi64(sums, 0xd8));
    }
};
#endif

#if defined(__AVX512BW__)
template <>
struct QWide<Avx512> {
    using V = __m512i;
    static constexpr size_t kColumns = 8;
    static constexpr size_t kRows = 12;
    static V zero() { return _mm512_setzero_si512(); }
    static V load(const int16_t* p) { return _mm512_load_si512(p); }
    static V widen(const int8_t* p) {
        return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    }
    static void store(int16_t* p, V v) { _mm512_store_si512(p, v); }
    static V broadcast(const int16_t* p) {
        return _mm512_broadcastq_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
    }
    static V madd(V acc, V a, V b) {  // see Avx2
        V product;
        asm volatile("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+v"(acc), "=&v"(product) : "v"(a), "v"(b));
        return acc;
    }
    static void store_pairs(int32_t* dst, V lo, V hi) {
        const __m512 a = _mm512_castsi512_ps(lo), b = _mm512_castsi512_ps(hi);
        const V sums = _mm512_add_epi32(_mm512_castps_si512(_mm512_shuffle_ps(a, b, 0x88)),
                                        _mm512_castps_si512(_mm512_shuffle_ps(a, b, 0xdd)));
        _mm512_storeu_si512(dst, _mm512_permutexvar_epi64(_mm512_set_epi64(7, 5, 3, 1, 6, 4, 2, 0), sums));
    }
};
#endif
#if defined(__AVX512VNNI__)
template <>
struct QWide<Avx512Vnni> : QWide<Avx512> {};
#endif
#if defined(__AMX_INT8__)
template <>
struct QWide<Amx> : QWide<Avx512> {};
#endif

#elif defined(__aarch64__)

template <>
struct QWide<Baseline> {
    using V = int16x8_t;
    static constexpr size_t kColumns = 2;
    static constexpr size_t kRows = 6;
    static V zero() { return vdupq_n_s16(0); }
    static V load(const int16_t* p) { return vld1q_s16(p); }
    static V widen(const int8_t* p) { return vmovl_s8(vld1_s8(p)); }
    static void store(int16_t* p, V v) { vst1q_s16(p, v); }
    static V broadcast(const int16_t* p) { return vcombine_s16(vld1_s16(p), vld1_s16(p)); }
    static V madd(V acc, V a, V b) {
        const int32x4_t low = vmull_s16(vget_low_s16(a), vget_low_s16(b)), high = vmull_high_s16(a, b);
        return vreinterpretq_s16_s32(vaddq_s32(vreinterpretq_s32_s16(acc), vpaddq_s32(low, high)));
    }
    static void store_pairs(int32_t* dst, V lo, V hi) {
        vst1q_s32(dst, vpaddq_s32(vreinterpretq_s32_s16(lo), vreinterpretq_s32_s16(hi)));
    }
};
template <>
struct QWide<NeonDotprod> : QWide<Baseline> {};

#endif

// dst[i] = src[i] ^ flip as unsigned numbers, 8 or 16 of them, any alignment.
template <class Arch>
struct QBytes {
    // Fewer than 16 bytes, the rest of the 16 zero.
    static void load_few(uint8_t* dst, const uint8_t* src, size_t count) {
#if defined(__AVX512BW__)
        const auto lanes = static_cast<__mmask16>((1u << count) - 1);
        _mm_store_si128(reinterpret_cast<__m128i*>(dst), _mm_maskz_loadu_epi8(lanes, src));
#else
        uint64_t low = 0, high = 0;
        if (count >= 8) {
            __builtin_memcpy(&low, src, 8);
            for (size_t i = 8; i < count; ++i) high |= uint64_t{src[i]} << (8 * i - 64);
        } else {
            for (size_t i = 0; i < count; ++i) low |= uint64_t{src[i]} << 8 * i;
        }
        __builtin_memcpy(dst, &low, 8);
        __builtin_memcpy(dst + 8, &high, 8);
#endif
    }
#if defined(__x86_64__) || defined(__i386__)
    static void widen8(int16_t* dst, const uint8_t* src, uint8_t flip) {
        const __m128i wide =
            _mm_unpacklo_epi8(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(src)), _mm_setzero_si128());
        _mm_storeu_si128(reinterpret_cast<__m128i*>(dst), _mm_xor_si128(wide, _mm_set1_epi16(flip)));
    }
    static void widen16(int16_t* dst, const uint8_t* src, uint8_t flip) {
#if defined(__AVX2__)
        const __m256i wide = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(src)));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(dst), _mm256_xor_si256(wide, _mm256_set1_epi16(flip)));
#else
        widen8(dst, src, flip);
        widen8(dst + 8, src + 8, flip);
#endif
    }
    static void copy16(uint8_t* dst, const uint8_t* src, uint8_t flip) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(src));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(dst),
                         _mm_xor_si128(bytes, _mm_set1_epi8(static_cast<char>(flip))));
    }
#else
    static void widen8(int16_t* dst, const uint8_t* src, uint8_t flip) {
        vst1q_s16(dst, vreinterpretq_s16_u16(vmovl_u8(veor_u8(vld1_u8(src), vdup_n_u8(flip)))));
    }
    static void widen16(int16_t* dst, const uint8_t* src, uint8_t flip) {
        widen8(dst, src, flip);
        widen8(dst + 8, src + 8, flip);
    }
    static void copy16(uint8_t* dst, const uint8_t* src, uint8_t flip) {
        vst1q_u8(dst, veorq_u8(vld1q_u8(src), vdupq_n_u8(flip)));
    }
#endif
};

// Sixteen 32-bit values at a time: the width of a panel.
template <class Arch>
struct QLanes {
    using I = Batch<Arch, int32_t>;
    using F = Batch<Arch, float>;
    static constexpr size_t kCount = kQPanel / I::size;

    // Round to nearest, ties to even (the processor's default mode, which the library never changes).
    static I round(F v) {
#if defined(__AVX512F__)
        return _mm512_cvtps_epi32(v);
#elif defined(__AVX2__)
        return _mm256_cvtps_epi32(v);
#elif defined(__SSE2__)
        return _mm_cvtps_epi32(v);
#else
        return vcvtnq_s32_f32(v);
#endif
    }
    static F to_float(I v) {
#if defined(__AVX512F__)
        return _mm512_cvtepi32_ps(v);
#elif defined(__AVX2__)
        return _mm256_cvtepi32_ps(v);
#elif defined(__SSE2__)
        return _mm_cvtepi32_ps(v);
#else
        return vcvtq_f32_s32(v);
#endif
    }
    // The low bytes of 16 values that fit u8 or s8.
    static void store_bytes(uint8_t* dst, const I* v) {
#if defined(__AVX512F__)
        _mm_storeu_si128(reinterpret_cast<__m128i*>(dst), _mm512_cvtepi32_epi8(v[0]));
#elif defined(__AVX2__)
        const __m256i mixed = _mm256_packs_epi32(v[0], v[1]);
        const __m256i words = _mm256_and_si256(_mm256_permute4x64_epi64(mixed, 0xd8), _mm256_set1_epi16(0xff));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(dst),
                         _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
#elif defined(__SSE2__)
        const __m128i mask = _mm_set1_epi16(0xff);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(dst),
                         _mm_packus_epi16(_mm_and_si128(_mm_packs_epi32(v[0], v[1]), mask),
                                          _mm_and_si128(_mm_packs_epi32(v[2], v[3]), mask)));
#else
        const uint8x8_t low = vmovn_u16(vreinterpretq_u16_s16(vcombine_s16(vmovn_s32(v[0]), vmovn_s32(v[1]))));
        const uint8x8_t high = vmovn_u16(vreinterpretq_u16_s16(vcombine_s16(vmovn_s32(v[2]), vmovn_s32(v[3]))));
        vst1q_u8(dst, vcombine_u8(low, high));
#endif
    }
    // Sixteen bytes as sixteen int32, unsigned.
    static void load_bytes(I* v, const uint8_t* src) {
#if defined(__AVX512F__)
        v[0] = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(src)));
#elif defined(__AVX2__)
        v[0] = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(src)));
        v[1] = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(src + 8)));
#elif defined(__SSE2__)
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(src)), zero = _mm_setzero_si128();
        const __m128i low = _mm_unpacklo_epi8(bytes, zero), high = _mm_unpackhi_epi8(bytes, zero);
        v[0] = _mm_unpacklo_epi16(low, zero);
        v[1] = _mm_unpackhi_epi16(low, zero);
        v[2] = _mm_unpacklo_epi16(high, zero);
        v[3] = _mm_unpackhi_epi16(high, zero);
#else
        const uint8x16_t bytes = vld1q_u8(src);
        const uint16x8_t low = vmovl_u8(vget_low_u8(bytes)), high = vmovl_high_u8(bytes);
        v[0] = vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(low)));
        v[1] = vreinterpretq_s32_u32(vmovl_high_u16(low));
        v[2] = vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(high)));
        v[3] = vreinterpretq_s32_u32(vmovl_high_u16(high));
#endif
    }
};

// Depthwise products: v[channel] += a[channel] * w[2 channel] + b[channel] * w[2 channel + 1] for 16 channels.
template <class Arch, bool kSigned>
struct QPairs {
    using L = QLanes<Arch>;
    using I = typename L::I;
    static void add(I* v, const uint8_t* a, const uint8_t* b, const int16_t* w) {
#if defined(__SSE2__)
        const __m128i av = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a));
        const __m128i bv = _mm_loadu_si128(reinterpret_cast<const __m128i*>(b));
        const __m128i low = _mm_unpacklo_epi8(av, bv), high = _mm_unpackhi_epi8(av, bv);
#if defined(__AVX512F__)
        const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
        const __m512i x = kSigned ? _mm512_cvtepi8_epi16(both) : _mm512_cvtepu8_epi16(both);
        v[0] = _mm512_add_epi32(v[0], _mm512_madd_epi16(x, _mm512_loadu_si512(w)));
#elif defined(__AVX2__)
        const __m256i x0 = kSigned ? _mm256_cvtepi8_epi16(low) : _mm256_cvtepu8_epi16(low);
        const __m256i x1 = kSigned ? _mm256_cvtepi8_epi16(high) : _mm256_cvtepu8_epi16(high);
        const auto* wv = reinterpret_cast<const __m256i*>(w);
        v[0] = _mm256_add_epi32(v[0], _mm256_madd_epi16(x0, _mm256_loadu_si256(wv)));
        v[1] = _mm256_add_epi32(v[1], _mm256_madd_epi16(x1, _mm256_loadu_si256(wv + 1)));
#else
        const auto* wv = reinterpret_cast<const __m128i*>(w);
        const __m128i zero = _mm_setzero_si128();
        const auto product = [&](__m128i x, int i) { return _mm_madd_epi16(x, _mm_loadu_si128(wv + i)); };
        if constexpr (kSigned) {
            v[0] = _mm_add_epi32(v[0], product(_mm_srai_epi16(_mm_unpacklo_epi8(low, low), 8), 0));
            v[1] = _mm_add_epi32(v[1], product(_mm_srai_epi16(_mm_unpackhi_epi8(low, low), 8), 1));
            v[2] = _mm_add_epi32(v[2], product(_mm_srai_epi16(_mm_unpacklo_epi8(high, high), 8), 2));
            v[3] = _mm_add_epi32(v[3], product(_mm_srai_epi16(_mm_unpackhi_epi8(high, high), 8), 3));
        } else {
            v[0] = _mm_add_epi32(v[0], product(_mm_unpacklo_epi8(low, zero), 0));
            v[1] = _mm_add_epi32(v[1], product(_mm_unpackhi_epi8(low, zero), 1));
            v[2] = _mm_add_epi32(v[2], product(_mm_unpacklo_epi8(high, zero), 2));
            v[3] = _mm_add_epi32(v[3], product(_mm_unpackhi_epi8(high, zero), 3));
        }
#endif
#elif defined(__aarch64__)
        for (int i = 0; i < 4; ++i) {
            int16_t pairs[8];
            for (int c = 0; c < 4; ++c) {
                const int at = 4 * i + c;
                pairs[2 * c] = kSigned ? int16_t(static_cast<int8_t>(a[at])) : int16_t(a[at]);
                pairs[2 * c + 1] = kSigned ? int16_t(static_cast<int8_t>(b[at])) : int16_t(b[at]);
            }
            const int16x8_t x = vld1q_s16(pairs), wv = vld1q_s16(w + 8 * i);
            const int32x4_t low = vmull_s16(vget_low_s16(x), vget_low_s16(wv)), high = vmull_high_s16(x, wv);
            v[i] = vaddq_s32(v[i], vpaddq_s32(low, high));
        }
#endif
    }
};

}  // namespace coffer::kernels
