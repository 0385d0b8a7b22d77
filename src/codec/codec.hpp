// How tensors are stored: an encoding says what the stored numbers mean, a coder how their bytes are packed
// (docs/format.md 5.10). A new one is one file with encode and decode, and one row in codec.cpp. This module
// knows nothing about files and keys; sizes come from a manifest and are checked here.
#pragma once

#include <cstdint>
#include <span>

#include "coffer/base/bytes.hpp"
#include "coffer/base/dtype.hpp"
#include "coffer/base/error.hpp"
#include "coffer/base/private_memory.hpp"
#include "coffer/base/shape.hpp"

namespace coffer::codec {

enum class Encoding : uint8_t {
    kPlain = 0,   // the elements of dtype, dense, row-major; strings as in strings.cpp
    kNarrow = 1,  // elements of a narrower type that converts to dtype exactly; narrow.cpp
};
enum class Coder : uint8_t {
    kRaw = 0,
};

struct EncodingRow {
    Encoding id;
    const char* name;
    // Exact bytes of a tensor of numbers stored as elements of `stored` (kUndefined: this encoding has none);
    // false when they cannot be expressed. Strings depend on their text.
    bool (*encoded_size)(DType dtype, DType stored, const Shape& shape, uint64_t* out);
};
struct CoderRow {
    Coder id;
    const char* name;
    // Fills `dst` exactly from `src` = the segments one after the other. nullptr: the stored bytes are the
    // encoded bytes.
    Status (*decode)(Bytes src, std::span<const uint32_t> segments, MutableBytes dst);
};
const EncodingRow* find_encoding(uint8_t id);  // nullptr: unknown
const CoderRow* find_coder(uint8_t id);

// Narrow: one element of `stored` for each of `dtype`. A pair of types that narrow_size() refuses may not be
// given to the others.
bool narrow_size(DType dtype, DType stored, const Shape& shape, uint64_t* out);
DType narrowest(DType dtype, Bytes elements);  // kUndefined: nothing narrower holds every value bit for bit
void narrow(DType dtype, DType stored, Bytes elements, MutableBytes dst);
void widen(DType dtype, DType stored, Bytes src, MutableBytes elements);

// Strings: (n + 1) x LE8 offsets, the first 0, then the text.
uint64_t encoded_strings_size(std::span<const PrivateString> strings);
void encode_strings(std::span<const PrivateString> strings, MutableBytes dst);  // dst has exactly that size
Status decode_strings(Bytes src, std::span<PrivateString> dst);

}  // namespace coffer::codec
