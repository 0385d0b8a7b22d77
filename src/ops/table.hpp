// The op table is compiled in shards; shard<N>() is defined in src/ops/shard/shard.cpp, once for each N.
#pragma once

#include "coffer/ops/op.hpp"

namespace coffer::ops {

template <int N>
std::span<const Op> shard();

}  // namespace coffer::ops
