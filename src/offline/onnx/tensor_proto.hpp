// TensorProto and SparseTensorProto: from the wire to a Tensor, whatever field or file holds the elements.
#pragma once

#include "offline/onnx/proto.hpp"
#include "offline/onnx/source.hpp"

namespace coffer::offline {

// Size and type are checked exactly against the data before memory is asked for.
Result<proto::NamedTensor> read_tensor(Bytes message, Source& source);
// The dense form of a sparse tensor.
Result<proto::NamedTensor> read_sparse_tensor(Bytes message, Source& source);
// TensorProto.DataType; kUnsupported for what this library does not have.
Result<DType> read_dtype(int64_t number);

}  // namespace coffer::offline
