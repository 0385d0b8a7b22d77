// Pooling of float32 (max also of 8-bit) over up to three spatial axes, in channels-last and in plain layout.
// Units are rows of output. The bodies are in pool_simd.hpp, which only arch.cpp sees.
#pragma once

#include "coffer/kernels/arch.hpp"

namespace coffer::kernels {

enum class PoolKind : uint8_t { kMax, kAverage };

struct PoolParamsAxis {
    int64_t in, out, kernel, stride, dilation, pad_begin, pad_end;
};

struct PoolParams {
    PoolParamsAxis axes[3];  // depth, height, width; missing leading ones are all 1
    size_t channels;
    bool count_padding;  // average: padding counts
};

// Longest window and longest input row piece that pool_plain keeps on the stack.
inline constexpr int64_t kPoolRow = 1024;

// Unit: one row (n, d, h) of outputs.
template <class Arch, class T, PoolKind kind>
bool pool_channels_last(const void* params, void* const* operands, size_t begin, size_t end);
// Unit: one row (n, c, d, h) of outputs. Needs (kernel - 1) * dilation + 1 <= kPoolRow / 2 along the width.
template <class Arch, class T, PoolKind kind>
bool pool_plain(const void* params, void* const* operands, size_t begin, size_t end);

struct GlobalPoolParams {
    size_t channels, positions;
};
inline constexpr size_t kGlobalPoolBlock = 64;  // channels in a unit of global_pool_channels_last

// Unit: kGlobalPoolBlock channels of one n.
template <class Arch, PoolKind kind>
bool global_pool_channels_last(const void* params, void* const* operands, size_t begin, size_t end);
// Unit: one (n, c).
template <class Arch, PoolKind kind>
bool global_pool_plain(const void* params, void* const* operands, size_t begin, size_t end);

}  // namespace coffer::kernels

#ifdef COFFER_ARCH
#include "coffer/kernels/pool_simd.hpp"
#endif
