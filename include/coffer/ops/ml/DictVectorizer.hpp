// A map as a vector over a vocabulary. Refused: see family/ml_map.hpp.
// https://onnx.ai/onnx/operators/onnx_aionnxml_DictVectorizer.html
#pragma once

#include "coffer/ops/family/ml_map.hpp"

namespace coffer::ops::ml {

struct DictVectorizer : MapOp {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::optional("int64_vocabulary", AttrSpec::kInts),
                                          AttrSpec::optional("string_vocabulary", AttrSpec::kStrings)};
    static constexpr Facts facts{.domain = "ai.onnx.ml",
                                 .name = "DictVectorizer",
                                 .since = 1,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = kAttrs};
};

}  // namespace coffer::ops::ml
