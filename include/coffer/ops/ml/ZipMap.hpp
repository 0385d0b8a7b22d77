// Class scores as a sequence of maps. Refused: see family/ml_map.hpp.
// https://onnx.ai/onnx/operators/onnx_aionnxml_ZipMap.html
#pragma once

#include "coffer/ops/family/ml_map.hpp"

namespace coffer::ops::ml {

struct ZipMap : MapOp {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::optional("classlabels_int64s", AttrSpec::kInts),
                                          AttrSpec::optional("classlabels_strings", AttrSpec::kStrings)};
    static constexpr Facts facts{.domain = "ai.onnx.ml",
                                 .name = "ZipMap",
                                 .since = 1,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kAttrs};
};

}  // namespace coffer::ops::ml
