// The header of a .npy file: a Python dictionary literal in a fixed frame.
#pragma once

#include <string>

#include "coffer/base/tensor.hpp"

namespace coffer::offline {

struct NpyHeader {
    DType dtype = DType::kUndefined;
    size_t item_size = 0;  // bytes of one element in the file; for text 4 a character
    bool fortran_order = false;
    Shape shape;
    size_t data_offset = 0;
};

// Bytes of magic, version and header length: enough to learn the header's size.
inline constexpr size_t kNpyPrefix = 12;

// Size of everything before the data, from the first kNpyPrefix bytes (fewer if the file is shorter).
Result<size_t> npy_data_offset(Bytes prefix);
// `bytes` are the npy_data_offset() first bytes of the file.
Result<NpyHeader> parse_npy_header(Bytes bytes);
// Version 1, padded so that the data starts at a multiple of 64.
std::string format_npy_header(std::string_view descr, const Shape& shape);

}  // namespace coffer::offline
