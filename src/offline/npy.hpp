// NumPy .npy files, versions 1 to 3: reading from hostile hands, writing in one step. Big-endian data, Python
// objects, byte strings and records are refused with the reason; Fortran order is turned into row-major.
#pragma once

#include <string>

#include "coffer/base/tensor.hpp"

namespace coffer::offline {

Result<Tensor> read_npy(const std::string& path);
Result<Tensor> parse_npy(Bytes file);

// Replaces `path` atomically. Types that NumPy does not have are widened without loss: bfloat16 and the small
// floats to float32, 4-bit and 2-bit integers to 8 bits. Text is written as Unicode ("<U").
Status write_npy(const std::string& path, const TensorView& tensor);
Result<std::vector<std::byte>> format_npy(const TensorView& tensor);

}  // namespace coffer::offline
