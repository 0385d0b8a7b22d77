// From ONNX messages to graph::Model: names become ids, functions are inlined, subgraphs get explicit
// captures, nodes are lifted to the newest opset.
#pragma once

#include "offline/onnx/import.hpp"
#include "offline/onnx/proto.hpp"

namespace coffer::offline {

Result<graph::Model> build_model(const proto::Model& model, const ImportOptions& options,
                                 std::vector<std::string>& warnings);

}  // namespace coffer::offline
