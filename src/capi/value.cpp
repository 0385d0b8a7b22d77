#include <cstring>

#include "capi/handles.hpp"

namespace coffer::capi {
namespace {

// Shape of a given value; rank -1 stands for the declared shape.
Result<Shape> shape_of(const coffer_value& value, const graph::ValueInfo& info, std::string_view what) {
    if (value.rank == -1) {
        const std::optional<Shape> declared = info.type.shape();
        if (!declared) {
            return error(Code::kInvalidArgument, what, " '", info.name, "' has free dimensions: give its dims");
        }
        return *declared;
    }
    Shape shape;
    if (value.rank < 0 || value.rank > COFFER_MAX_RANK ||
        !Shape::from({value.dims, static_cast<size_t>(value.rank)}, &shape)) {
        return error(Code::kInvalidArgument, what, " '", info.name, "' has rank ", value.rank,
                     " or a negative dimension; rank is 0 to ", COFFER_MAX_RANK);
    }
    return shape;
}

Status check_dtype(const coffer_value& value, std::string_view name, std::string_view what) {
    if (value.dtype >= 1 && static_cast<int>(value.dtype) < kDTypeCount) return {};
    return error(Code::kInvalidArgument, what, " '", name, "' has the unknown dtype ", static_cast<int>(value.dtype));
}

// What this version has no meaning for is refused, not ignored.
Status check_room(const coffer_value& value, std::string_view name, std::string_view what) {
    if (value.flags != 0) {
        return error(Code::kInvalidArgument, what, " '", name, "': flags ", value.flags, " are not known");
    }
    if (value.extension) {
        return error(Code::kUnsupported, Detail::kUnsupported, what, " '", name,
                     "' has an extension of a newer library");
    }
    return {};
}

bool dense(const coffer_value& value, const Shape& shape) {
    int64_t expected = 1;
    bool all_zero = true, matches = true;
    for (int i = shape.rank(); i-- > 0;) {
        all_zero &= value.strides[i] == 0;
        matches &= value.strides[i] == expected || shape[i] == 1;
        expected *= shape[i];
    }
    return value.rank == -1 || all_zero || matches || shape.elements() == 0;
}

// Copies a strided tensor of whole-byte elements.
void gather(const coffer_value& value, const Shape& shape, size_t element, std::byte* dst) {
    std::array<int64_t, kMaxRank> index{};
    const auto* src = static_cast<const std::byte*>(value.data);
    for (int64_t n = shape.elements(); n > 0; --n) {
        int64_t offset = 0;
        for (int i = 0; i < shape.rank(); ++i) offset += index[static_cast<size_t>(i)] * value.strides[i];
        std::memcpy(dst, src + offset * static_cast<int64_t>(element), element);
        dst += element;
        for (int i = shape.rank(); i-- > 0;) {
            if (++index[static_cast<size_t>(i)] < shape[i]) break;
            index[static_cast<size_t>(i)] = 0;
        }
    }
}

Result<Value> import_strings(const coffer_value& value, const Shape& shape) {
    COFFER_TRY_ASSIGN(Tensor tensor, Tensor::create(DType::kString, shape));
    const auto* src = static_cast<const coffer_string*>(value.data);
    for (PrivateString& s : tensor.span<PrivateString>()) {
        s.assign(src->data ? src->data : "", src->data ? src->size : 0);
        ++src;
    }
    return Value(std::move(tensor));
}

}  // namespace

Result<Value> import_value(const coffer_value& value, const graph::ValueInfo& info, std::string_view what,
                           Tensor& staging) {
    COFFER_TRY(check_dtype(value, info.name, what));
    COFFER_TRY(check_room(value, info.name, what));
    if (value.kind > COFFER_OPTIONAL) {
        return error(Code::kInvalidArgument, what, " '", info.name, "' is of kind ", static_cast<int>(value.kind));
    }
    const auto dtype = static_cast<DType>(value.dtype);
    if (value.kind != COFFER_TENSOR) {
        Value v;
        v.kind = static_cast<ValueKind>(value.kind);
        v.dtype = dtype;
        if (value.item_count > 0 && !value.items)
            return error(Code::kInvalidArgument, what, " '", info.name, "': items is NULL");
        graph::ValueInfo item = info;
        item.type.dims.reset();
        for (size_t i = 0; i < value.item_count; ++i) {
            Tensor own;
            COFFER_TRY_ASSIGN(Value x, import_value(value.items[i], item, what, own));
            v.items.push_back(std::move(x));
        }
        return v;
    }
    COFFER_TRY_ASSIGN(const Shape shape, shape_of(value, info, what));
    size_t bytes = 0;
    if (!checked_nbytes(shape, dtype, &bytes)) {
        return error(Code::kInvalidArgument, what, " '", info.name, "' of shape ", shape, " is too large");
    }
    if (!value.data && shape.elements() > 0)
        return error(Code::kInvalidArgument, what, " '", info.name, "': data is NULL");
    const bool strings = dtype == DType::kString;
    const size_t expected = strings ? static_cast<size_t>(shape.elements()) * sizeof(coffer_string) : bytes;
    if (strings) {
        if (value.size != expected || !dense(value, shape)) {
            return error(Code::kInvalidArgument, what, " '", info.name, "': ", value.size, " bytes given, ", expected,
                         " needed");
        }
        return import_strings(value, shape);
    }
    if (dense(value, shape)) {
        if (value.size != expected) {
            return error(Code::kInvalidArgument, what, " '", info.name, "' of shape ", shape, " has ", expected,
                         " bytes, ", value.size, " were given");
        }
        static std::byte nothing[64];  // zero-sized tensors need an address all the same
        return Value(Tensor::wrap({value.data ? value.data : nothing, dtype, shape}, nullptr));
    }
    if (dtype_bits(dtype) < 8)
        return error(Code::kInvalidArgument, what, " '", info.name, "': packed types cannot be strided");
    if (!staging.valid() || staging.dtype() != dtype || staging.shape() != shape) {
        COFFER_TRY_ASSIGN(staging, Tensor::create(dtype, shape));
    }
    gather(value, shape, static_cast<size_t>(dtype_bits(dtype)) / 8, staging.view().as<std::byte>());
    return Value(staging);
}

Result<TensorView> import_buffer(const coffer_value& value, const graph::ValueInfo& info) {
    COFFER_TRY(check_room(value, info.name, "output"));
    if (!value.data) return TensorView{};
    COFFER_TRY(check_dtype(value, info.name, "output"));
    const auto dtype = static_cast<DType>(value.dtype);
    if (value.kind != COFFER_TENSOR || dtype == DType::kString) {
        return error(Code::kInvalidArgument, "output '", info.name,
                     "': only numeric tensors can be written to caller memory");
    }
    COFFER_TRY_ASSIGN(const Shape shape, shape_of(value, info, "output"));
    size_t bytes = 0;
    if (!dense(value, shape)) return error(Code::kInvalidArgument, "output '", info.name, "' must be dense");
    if (!checked_nbytes(shape, dtype, &bytes) || value.size < bytes) {
        return error(Code::kBufferTooSmall, "output '", info.name, "' of shape ", shape, " has ", bytes, " bytes, ",
                     value.size, " were given");
    }
    return TensorView{value.data, dtype, shape};
}

coffer_value_info describe(const graph::ValueInfo& value) {
    coffer_value_info info = COFFER_VALUE_INFO_INIT;
    info.name = value.name.c_str();
    info.kind = static_cast<coffer_kind>(value.type.kind);
    info.dtype = static_cast<coffer_dtype>(value.type.dtype);
    info.rank = -1;
    if (!value.type.dims) return info;
    info.rank = static_cast<int32_t>(value.type.dims->size());
    for (size_t i = 0; i < value.type.dims->size(); ++i) {
        const graph::Dim& d = (*value.type.dims)[i];
        info.dims[i] = d.value;
        if (!d.symbol.empty()) info.dim_names[i] = d.symbol.c_str();
    }
    return info;
}

void Exporter::clear() {
    strings_.clear();
    items_.clear();
}

coffer_value Exporter::show(const Value& value) {
    coffer_value shown{};
    shown.kind = static_cast<coffer_kind>(value.kind);
    shown.dtype = static_cast<coffer_dtype>(value.dtype);
    if (value.kind != ValueKind::kTensor) {
        std::vector<coffer_value> items;
        for (const Value& item : value.items) items.push_back(show(item));
        shown.items = items_.emplace_back(std::move(items)).data();
        shown.item_count = value.items.size();
        return shown;
    }
    const Tensor& t = value.tensor;
    shown.dtype = static_cast<coffer_dtype>(t.dtype());
    shown.rank = t.shape().rank();
    for (int i = 0; i < t.shape().rank(); ++i) shown.dims[i] = t.shape()[i];
    if (t.dtype() == DType::kString) {
        std::vector<coffer_string> strings;
        for (const PrivateString& s : t.span<PrivateString>()) strings.push_back({s.data(), s.size()});
        shown.size = strings.size() * sizeof(coffer_string);
        shown.data = strings_.emplace_back(std::move(strings)).data();
        return shown;
    }
    shown.data = t.view().data;
    shown.size = t.nbytes();
    return shown;
}

void fill(coffer_error* error, coffer_status status, const char* text) noexcept {
    if (!error) return;
    error->status = status;
    error->detail = COFFER_DETAIL_NONE;
    const size_t n = std::min(std::strlen(text), sizeof error->message - 1);
    std::memcpy(error->message, text, n);
    error->message[n] = '\0';
}

Error callback_error(coffer_status status, const coffer_error& said, const Error& otherwise) {
    const auto code = static_cast<Code>(status);
    const char* end = std::find(said.message, said.message + sizeof said.message, '\0');
    std::string why(said.message, end);
    if (why.empty()) why = std::string("no reason given (") + coffer_status_name(status) + ")";
    if (!gave_up(code)) return error(otherwise.code(), otherwise.detail(), otherwise.message(), ": ", why);
    const Detail detail = code == Code::kCancelled ? Detail::kCancelled : Detail::kNone;
    return error(code, detail, otherwise.message(), ": ", why);
}

void fill(coffer_error* error, const Error& e) noexcept {
    fill(error, static_cast<coffer_status>(e.code()), e.message().c_str());
    if (error) error->detail = static_cast<coffer_detail>(e.detail());
}

}  // namespace coffer::capi
