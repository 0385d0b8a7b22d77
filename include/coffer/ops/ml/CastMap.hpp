// A map as a tensor. Refused: see family/ml_map.hpp.
// https://onnx.ai/onnx/operators/onnx_aionnxml_CastMap.html
#pragma once

#include "coffer/ops/family/ml_map.hpp"

namespace coffer::ops::ml {

struct CastMap : MapOp {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::s("cast_to", "TO_FLOAT"), AttrSpec::s("map_form", "DENSE"),
                                          AttrSpec::i("max_map", 1)};
    static constexpr Facts facts{.domain = "ai.onnx.ml",
                                 .name = "CastMap",
                                 .since = 1,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kAttrs};
};

}  // namespace coffer::ops::ml
