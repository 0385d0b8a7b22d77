// The .pb files of ONNX test data: one TensorProto, SequenceProto or OptionalProto each, as a Value.
#pragma once

#include <string>

#include "coffer/base/tensor.hpp"

namespace coffer::offline {

struct NamedValue {
    std::string name;  // may be empty
    Value value;
};

// The file does not say which message it holds; the type of the model's input or output does.
Result<NamedValue> read_value_pb(const std::string& path, ValueKind kind);
Result<NamedValue> parse_value_pb(Bytes bytes, ValueKind kind);

}  // namespace coffer::offline
