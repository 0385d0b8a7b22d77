// ModelProto and everything below it, read into proto::Model.
#pragma once

#include "offline/onnx/proto.hpp"
#include "offline/onnx/source.hpp"

namespace coffer::offline {

Result<proto::Model> parse_model(Source& source);

// One TypeProto. Maps, sparse tensors and opaque types are kUnsupported.
Result<graph::Type> parse_type(Bytes message);

}  // namespace coffer::offline
