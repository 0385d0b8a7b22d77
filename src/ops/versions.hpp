// The opset version of an op's semantics in this build, recorded with every packed node.
#pragma once

#include "coffer/ops/op.hpp"

namespace coffer::ops {

inline uint16_t version_of(std::string_view name) {
    const Op* op = find(name);
    return op ? static_cast<uint16_t>(op->facts->since) : 0;
}

}  // namespace coffer::ops
