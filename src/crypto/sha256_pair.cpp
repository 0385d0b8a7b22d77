#include "crypto/sha256_pair.hpp"

#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <cassert>
#include <cstring>

#include "coffer/base/os.hpp"

namespace coffer::crypto {
namespace {

#define COFFER_SHA_NI __attribute__((target("sha,sse4.1,ssse3")))

constexpr size_t kBlock = 64;

alignas(16) constexpr uint32_t kRound[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

// The instructions want the eight words of the state as (A,B,E,F) and (C,D,G,H), the first named highest.
struct State {
    __m128i abef, cdgh;
};

COFFER_SHA_NI State initial_state() {
    return {_mm_set_epi32(0x6a09e667, static_cast<int>(0xbb67ae85), 0x510e527f, static_cast<int>(0x9b05688c)),
            _mm_set_epi32(0x3c6ef372, static_cast<int>(0xa54ff53a), 0x1f83d9ab, 0x5be0cd19)};
}

COFFER_SHA_NI Hash to_hash(const State& s) {
    const __m128i bytes = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);  // words to big-endian
    const __m128i feba = _mm_shuffle_epi32(s.abef, 0x1b), hgdc = _mm_shuffle_epi32(s.cdgh, 0x1b);
    const __m128i abcd = _mm_unpacklo_epi64(feba, hgdc), efgh = _mm_unpackhi_epi64(feba, hgdc);
    Hash hash;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(hash.data()), _mm_shuffle_epi8(abcd, bytes));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(hash.data() + 16), _mm_shuffle_epi8(efgh, bytes));
    return hash;
}

// Rounds 4 * kGroup to 4 * kGroup + 3 of one message. w holds the last sixteen words of its schedule.
template <int kGroup>
COFFER_SHA_NI __attribute__((always_inline)) inline void four_rounds(State& s, __m128i (&w)[4],
                                                                     const std::byte* src) {
    if constexpr (kGroup < 4) {
        const __m128i bytes = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
        w[kGroup] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(src) + kGroup), bytes);
    } else {
        const __m128i w7 = _mm_alignr_epi8(w[(kGroup + 3) % 4], w[(kGroup + 2) % 4], 4);
        const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[kGroup % 4], w[(kGroup + 1) % 4]), w7);
        w[kGroup % 4] = _mm_sha256msg2_epu32(sum, w[(kGroup + 3) % 4]);
    }
    const __m128i k = _mm_load_si128(reinterpret_cast<const __m128i*>(kRound) + kGroup);
    const __m128i wk = _mm_add_epi32(w[kGroup % 4], k);
    s.cdgh = _mm_sha256rnds2_epu32(s.cdgh, s.abef, wk);
    s.abef = _mm_sha256rnds2_epu32(s.abef, s.cdgh, _mm_shuffle_epi32(wk, 0x0e));
}

template <int... kGroups>
COFFER_SHA_NI __attribute__((always_inline)) inline void block_pair(State& a, State& b, const std::byte* src_a,
                                                                    const std::byte* src_b,
                                                                    std::integer_sequence<int, kGroups...>) {
    __m128i wa[4], wb[4];
    ((four_rounds<kGroups>(a, wa, src_a), four_rounds<kGroups>(b, wb, src_b)), ...);
}

COFFER_SHA_NI void compress_pair(State (&states)[2], const std::byte* src_a, const std::byte* src_b, size_t blocks) {
    State a = states[0], b = states[1];
    for (; blocks > 0; --blocks, src_a += kBlock, src_b += kBlock) {
        const State old_a = a, old_b = b;
        block_pair(a, b, src_a, src_b, std::make_integer_sequence<int, 16>{});
        a = {_mm_add_epi32(a.abef, old_a.abef), _mm_add_epi32(a.cdgh, old_a.cdgh)};
        b = {_mm_add_epi32(b.abef, old_b.abef), _mm_add_epi32(b.cdgh, old_b.cdgh)};
    }
    states[0] = a;
    states[1] = b;
}

}  // namespace

bool sha256_pair_supported() {
    return os::cpu_features().sha;
}

void sha256_pair(const std::array<Bytes, 2>& heads, const std::array<Bytes, 2>& bodies, std::array<Hash, 2>& out) {
    const size_t head = heads[0].size(), body = bodies[0].size();
    assert(head == heads[1].size() && head < kBlock && body == bodies[1].size());

    // The head shifts the body against the blocks: one block is put together from both, the middle is read in
    // place, and what remains goes with the padding into one or two last blocks.
    std::byte ends[2][2 * kBlock];
    size_t filled = head;
    for (int i = 0; i < 2; ++i) std::copy_n(heads[i].data(), head, ends[i]);
    State states[2] = {initial_state(), initial_state()};
    size_t at = 0;
    if (head + body >= kBlock) {
        at = kBlock - head;
        for (int i = 0; i < 2; ++i) std::memcpy(ends[i] + head, bodies[i].data(), at);
        compress_pair(states, ends[0], ends[1], 1);
        const size_t blocks = (body - at) / kBlock;
        compress_pair(states, bodies[0].data() + at, bodies[1].data() + at, blocks);
        at += blocks * kBlock;
        filled = 0;
    }
    const size_t rest = body - at;
    const size_t length = filled + rest + 9 <= kBlock ? kBlock : 2 * kBlock;
    const uint64_t bits = uint64_t{head + body} * 8;
    for (int i = 0; i < 2; ++i) {
        if (rest > 0) std::memcpy(ends[i] + filled, bodies[i].data() + at, rest);
        std::memset(ends[i] + filled + rest, 0, length - filled - rest);
        ends[i][filled + rest] = std::byte{0x80};
        for (size_t b = 0; b < 8; ++b) ends[i][length - 1 - b] = static_cast<std::byte>(bits >> (8 * b));
    }
    compress_pair(states, ends[0], ends[1], length / kBlock);
    for (size_t i = 0; i < 2; ++i) out[i] = to_hash(states[i]);
}

}  // namespace coffer::crypto

#else

#include <cassert>

namespace coffer::crypto {

bool sha256_pair_supported() {
    return false;
}
void sha256_pair(const std::array<Bytes, 2>&, const std::array<Bytes, 2>&, std::array<Hash, 2>&) {
    assert(false);
}

}  // namespace coffer::crypto

#endif
