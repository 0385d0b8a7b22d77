#include "offline/onnx/tensor_proto.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "coffer/base/checked.hpp"
#include "offline/onnx/message.hpp"

namespace coffer::offline {
namespace {

// A dense form is made from a few elements and a claim, so the claim needs a cap.
constexpr size_t kMaxDense = size_t{1} << 30;

template <class... Parts>
Error bad(const Parts&... parts) {
    return error(Code::kFormat, Detail::kFormat, parts...);
}

struct External {
    std::string location;
    uint64_t offset = 0;
    std::optional<uint64_t> length;
};

struct Fields {
    std::string name;
    int64_t data_type = 0, data_location = 0;
    bool segmented = false;
    PrivateVector<int64_t> dims, int32s, int64s, uint64s;
    PrivateVector<float> floats;
    PrivateVector<double> doubles;
    std::vector<Bytes> strings;
    std::optional<Bytes> raw;
    std::vector<std::pair<std::string, std::string>> external;
};

Result<std::pair<std::string, std::string>> read_entry(Bytes bytes) {
    Message m(bytes, "StringStringEntryProto");
    std::pair<std::string, std::string> entry;
    while (m.next()) {
        switch (m.field()) {
            case 1: entry.first = m.text(); break;
            case 2: entry.second = m.text(); break;
            default: m.skip();
        }
    }
    COFFER_TRY(m.status());
    return entry;
}

Result<Fields> read_fields(Bytes bytes) {
    Message m(bytes, "TensorProto");
    Fields t;
    while (m.next()) {
        switch (m.field()) {
            case 1: m.integers(t.dims); break;
            case 2: t.data_type = m.integer(); break;
            case 3:
                t.segmented = true;
                m.skip();
                break;
            case 4: m.floats(t.floats); break;
            case 5: m.integers(t.int32s); break;
            case 6: t.strings.push_back(m.bytes()); break;
            case 7: m.integers(t.int64s); break;
            case 8: t.name = m.text(); break;
            case 9: t.raw = m.bytes(); break;
            case 10: m.doubles(t.doubles); break;
            case 11: m.integers(t.uint64s); break;
            case 13: {
                const Bytes entry = m.bytes();
                if (m.failed()) break;
                COFFER_TRY_ASSIGN(auto pair, read_entry(entry));
                t.external.push_back(std::move(pair));
                break;
            }
            case 14: t.data_location = m.integer(); break;
            default: m.skip();
        }
    }
    COFFER_TRY(m.status());
    return t;
}

Result<uint64_t> decimal(std::string_view key, std::string_view text) {
    uint64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc() || end != text.data() + text.size()) {
        return bad("external data: ", key, " '", text, "' is not a number");
    }
    return value;
}

Result<External> read_external(const Fields& t) {
    External e;
    for (const auto& [key, value] : t.external) {
        if (key == "location") e.location = value;
        if (key == "offset") {
            COFFER_TRY_ASSIGN(e.offset, decimal(key, value));
        }
        if (key == "length") {
            COFFER_TRY_ASSIGN(e.length, decimal(key, value));
        }
    }
    return e;
}

Status count_is(size_t have, size_t want, const char* field) {
    if (have == want) return {};
    return bad("has ", have, " elements in ", field, ", its type and dims need ", want);
}

// Bytes other than 0 and 1 are not a bool in C++.
void normalise_bools(const Tensor& tensor) {
    if (tensor.dtype() != DType::kBool) return;
    for (uint8_t& b : tensor.span<uint8_t>()) b = b != 0;
}

Result<Tensor> from_external(const Fields& t, DType dtype, const Shape& shape, size_t nbytes, Source& source) {
    if (dtype == DType::kString) return bad("strings cannot be external data");
    COFFER_TRY_ASSIGN(const External e, read_external(t));
    if (e.length && *e.length != nbytes) {
        return bad("external data has length ", *e.length, ", its type and dims need ", nbytes);
    }
    COFFER_TRY_ASSIGN(const uint64_t size, source.external_size(e.location));
    if (e.offset > size || nbytes > size - e.offset) {
        return bad("external data at offset ", e.offset, " of ", nbytes, " bytes is not in '", e.location, "' of ",
                   size, " bytes");
    }
    COFFER_TRY_ASSIGN(Tensor tensor, Tensor::create(dtype, shape));
    COFFER_TRY(source.read_external(e.location, e.offset, {static_cast<std::byte*>(tensor.view().data), nbytes}));
    return tensor;
}

Result<Tensor> from_raw(Bytes raw, DType dtype, const Shape& shape, size_t nbytes, Source& source) {
    if (dtype == DType::kString) return bad("strings cannot be raw data");
    if (raw.size() != nbytes) {
        return bad("has ", raw.size(), " bytes of raw data, its type and dims need ", nbytes);
    }
    COFFER_TRY_ASSIGN(Tensor tensor, Tensor::create(dtype, shape));
    if (nbytes > 0) std::memcpy(tensor.view().data, raw.data(), nbytes);
    source.release(raw);
    return tensor;
}

// int32_data: one number an element, or one a byte for types smaller than a byte.
Result<Tensor> from_int32s(const PrivateVector<int64_t>& src, DType dtype, const Shape& shape, size_t nbytes) {
    const int bits = std::max(dtype_bits(dtype), 8);
    const size_t width = static_cast<size_t>(bits) / 8;
    COFFER_TRY(count_is(src.size(), nbytes / width, "int32_data"));
    const int64_t low = -(int64_t{1} << (bits - 1)), high = bits == 32 ? -low - 1 : (int64_t{1} << bits) - 1;
    COFFER_TRY_ASSIGN(Tensor tensor, Tensor::create(dtype, shape));
    auto* dst = static_cast<std::byte*>(tensor.view().data);
    for (const int64_t value : src) {
        if (value < low || value > high) return bad("holds ", value, ", which is not of its type ", dtype);
        std::memcpy(dst, &value, width);  // little-endian: the low bytes
        dst += width;
    }
    return tensor;
}

Result<Tensor> from_uint64s(const PrivateVector<int64_t>& src, DType dtype, const Shape& shape, size_t nbytes) {
    const size_t width = static_cast<size_t>(dtype_bits(dtype)) / 8;
    COFFER_TRY(count_is(src.size(), nbytes / width, "uint64_data"));
    COFFER_TRY_ASSIGN(Tensor tensor, Tensor::create(dtype, shape));
    auto* dst = static_cast<std::byte*>(tensor.view().data);
    for (const int64_t value : src) {
        if (width == 4 && static_cast<uint64_t>(value) >> 32 != 0) {
            return bad("holds ", static_cast<uint64_t>(value), ", which is not of its type ", dtype);
        }
        std::memcpy(dst, &value, width);
        dst += width;
    }
    return tensor;
}

// Elements that are already as in memory; complex numbers are pairs.
template <class T>
Result<Tensor> from_numbers(const PrivateVector<T>& src, DType dtype, const Shape& shape, size_t nbytes,
                            const char* field) {
    COFFER_TRY(count_is(src.size(), nbytes / sizeof(T), field));
    COFFER_TRY_ASSIGN(Tensor tensor, Tensor::create(dtype, shape));
    if (nbytes > 0) std::memcpy(tensor.view().data, src.data(), nbytes);
    return tensor;
}

Result<Tensor> from_strings(const std::vector<Bytes>& src, const Shape& shape) {
    COFFER_TRY(count_is(src.size(), static_cast<size_t>(shape.elements()), "string_data"));
    COFFER_TRY_ASSIGN(Tensor tensor, Tensor::create(DType::kString, shape));
    std::ranges::transform(src, tensor.span<PrivateString>().begin(),
                           [](Bytes b) { return PrivateString(as_text(b)); });
    return tensor;
}

Result<Tensor> from_fields(const Fields& t, Source& source) {
    COFFER_TRY_ASSIGN(const DType dtype, read_dtype(t.data_type));
    if (t.segmented) return error(Code::kUnsupported, Detail::kUnsupported, "tensors in segments");
    if (t.dims.size() > kMaxRank) {
        return error(Code::kUnsupported, Detail::kUnsupported, "rank ", t.dims.size(), " is over ", kMaxRank);
    }
    Shape shape;
    if (!Shape::from(t.dims, &shape)) return bad("has the dimension ", std::ranges::min(t.dims));
    size_t nbytes = 0;
    if (!checked_nbytes(shape, dtype, &nbytes)) return bad("has more elements than memory: ", shape);
    if (t.data_location == 1) return from_external(t, dtype, shape, nbytes, source);
    if (t.raw && (!t.raw->empty() || nbytes == 0)) return from_raw(*t.raw, dtype, shape, nbytes, source);
    switch (dtype) {
        case DType::kString: return from_strings(t.strings, shape);
        case DType::kFloat:
        case DType::kComplex64: return from_numbers(t.floats, dtype, shape, nbytes, "float_data");
        case DType::kDouble:
        case DType::kComplex128: return from_numbers(t.doubles, dtype, shape, nbytes, "double_data");
        case DType::kInt64: return from_numbers(t.int64s, dtype, shape, nbytes, "int64_data");
        case DType::kUint32:
        case DType::kUint64: return from_uint64s(t.uint64s, dtype, shape, nbytes);
        default: return from_int32s(t.int32s, dtype, shape, nbytes);
    }
}

struct SparseFields {
    Bytes values, indices;
    PrivateVector<int64_t> dims;
};

Result<SparseFields> read_sparse_fields(Bytes bytes) {
    Message m(bytes, "SparseTensorProto");
    SparseFields s;
    while (m.next()) {
        switch (m.field()) {
            case 1: s.values = m.bytes(); break;
            case 2: s.indices = m.bytes(); break;
            case 3: m.integers(s.dims); break;
            default: m.skip();
        }
    }
    COFFER_TRY(m.status());
    return s;
}

// Row-major position of index `i`, given as one linear number or as one number a dimension.
bool linear_index(const Tensor& indices, int64_t i, const Shape& shape, int64_t* out) {
    if (indices.shape().rank() == 1) {
        *out = indices.span<int64_t>()[static_cast<size_t>(i)];
        return *out >= 0 && *out < shape.elements();
    }
    int64_t linear = 0;
    for (int d = 0; d < shape.rank(); ++d) {
        const int64_t at = indices.span<int64_t>()[static_cast<size_t>(i * shape.rank() + d)];
        if (at < 0 || at >= shape[d]) return false;
        linear = linear * shape[d] + at;
    }
    *out = linear;
    return true;
}

Result<Tensor> densify(const Tensor& values, const Tensor& indices, const Shape& shape) {
    const int64_t count = values.elements();
    const bool linear = indices.shape() == Shape{count}, by_axis = indices.shape() == Shape{count, shape.rank()};
    if (values.shape().rank() != 1 || indices.dtype() != DType::kInt64 || !(linear || by_axis)) {
        return bad("sparse indices ", indices.dtype(), " ", indices.shape(), " do not fit values ", values.shape());
    }
    size_t nbytes = 0;
    if (!checked_nbytes(shape, values.dtype(), &nbytes) || nbytes > kMaxDense) {
        return error(Code::kLimit, Detail::kLimit, "sparse tensor ", shape, " is over ", kMaxDense, " bytes");
    }
    if (dtype_bits(values.dtype()) % 8 != 0) {
        return error(Code::kUnsupported, Detail::kUnsupported, "sparse tensor of ", values.dtype());
    }
    COFFER_TRY_ASSIGN(Tensor dense, Tensor::create(values.dtype(), shape));
    const size_t width = static_cast<size_t>(dtype_bits(values.dtype())) / 8;
    for (int64_t i = 0; i < count; ++i) {
        int64_t at = 0;
        if (!linear_index(indices, i, shape, &at)) return bad("sparse index ", i, " is outside of ", shape);
        const auto from = static_cast<size_t>(i), to = static_cast<size_t>(at);
        if (values.dtype() == DType::kString) {
            dense.span<PrivateString>()[to] = values.span<PrivateString>()[from];
        } else {
            std::memcpy(static_cast<std::byte*>(dense.view().data) + to * width, values.bytes().data() + from * width,
                        width);
        }
    }
    return dense;
}

Error in_tensor(const Error& error, std::string_view name) {
    return error.within(message({"tensor '", name, "': "}));
}

}  // namespace

Result<DType> read_dtype(int64_t number) {
    if (number == 0) return bad("has no element type");
    if (number < 0 || number >= kDTypeCount) {
        return error(Code::kUnsupported, Detail::kUnsupported, "element type ", number, " is not known");
    }
    return static_cast<DType>(number);
}

Result<proto::NamedTensor> read_tensor(Bytes message, Source& source) {
    COFFER_TRY_ASSIGN(Fields fields, read_fields(message));
    auto tensor = from_fields(fields, source);
    if (!tensor.ok()) return in_tensor(tensor.error(), fields.name);
    normalise_bools(*tensor);
    return proto::NamedTensor{std::move(fields.name), std::move(tensor).value()};
}

Result<proto::NamedTensor> read_sparse_tensor(Bytes message, Source& source) {
    COFFER_TRY_ASSIGN(const SparseFields fields, read_sparse_fields(message));
    COFFER_TRY_ASSIGN(proto::NamedTensor values, read_tensor(fields.values, source));
    COFFER_TRY_ASSIGN(const proto::NamedTensor indices, read_tensor(fields.indices, source));
    Shape shape;
    if (!Shape::from(fields.dims, &shape)) {
        return in_tensor(bad("sparse tensor of ", fields.dims.size(), " dimensions or with a negative one"),
                         values.name);
    }
    auto dense = densify(values.tensor, indices.tensor, shape);
    if (!dense.ok()) return in_tensor(dense.error(), values.name);
    return proto::NamedTensor{std::move(values.name), std::move(dense).value()};
}

}  // namespace coffer::offline
