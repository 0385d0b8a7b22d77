// TensorView (borrowed), Tensor (shared, contiguous) and Value (tensor, sequence or optional).
// Everything inside the library is dense and row-major; strided caller inputs are gathered at the door.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "coffer/base/bytes.hpp"
#include "coffer/base/dtype.hpp"
#include "coffer/base/error.hpp"
#include "coffer/base/private_memory.hpp"
#include "coffer/base/shape.hpp"

namespace coffer {

template <>
inline constexpr DType dtype_of<PrivateString> = DType::kString;

// Does not own `data`. For kString the elements are PrivateString objects.
struct TensorView {
    void* data = nullptr;
    DType dtype = DType::kUndefined;
    Shape shape;

    template <class T>
    T* as() const {
        static_assert(!std::is_same_v<std::remove_cv_t<T>, std::string>, "strings of tensors are PrivateString");
        return static_cast<T*>(data);
    }
    template <class T>
    std::span<T> span() const {
        return {as<T>(), static_cast<size_t>(shape.elements())};
    }
    int64_t elements() const { return shape.elements(); }
    size_t nbytes() const;  // 0 when it cannot be expressed
};

// Owns its storage through a reference count: copying a Tensor shares the bytes. Treat shared bytes as
// read-only. `owner` may be anything that keeps `data` alive (an arena, a mapping, a vector).
class Tensor {
 public:
    Tensor() = default;
    // Zeroed storage, 64-byte aligned; PrivateString elements are constructed.
    static Result<Tensor> create(DType dtype, const Shape& shape);
    // Wraps memory owned elsewhere.
    static Tensor wrap(TensorView view, std::shared_ptr<const void> owner);
    // A 1-D tensor (or a scalar with `scalar`) from values.
    template <class T>
    static Tensor of(std::span<const T> values) {
        Tensor t = create(dtype_of<T>, Shape{static_cast<int64_t>(values.size())}).value();
        std::copy(values.begin(), values.end(), t.view().template as<T>());
        return t;
    }
    template <class T>
    static Tensor scalar(T value) {
        Tensor t = create(dtype_of<T>, Shape{}).value();
        *t.view().template as<T>() = value;
        return t;
    }

    bool valid() const { return view_.dtype != DType::kUndefined; }
    const TensorView& view() const { return view_; }
    DType dtype() const { return view_.dtype; }
    const Shape& shape() const { return view_.shape; }
    int64_t elements() const { return view_.elements(); }
    size_t nbytes() const { return view_.nbytes(); }
    template <class T>
    std::span<T> span() const {
        return view_.span<T>();
    }
    Bytes bytes() const { return {static_cast<const std::byte*>(view_.data), nbytes()}; }
    // Same storage, other shape with the same number of elements.
    Tensor reshaped(const Shape& shape) const;

 private:
    TensorView view_;
    std::shared_ptr<const void> owner_;
};

enum class ValueKind : uint8_t { kTensor = 0, kSequence = 1, kOptional = 2 };

// What flows along an edge when it is not a plain planned buffer. An empty optional has no items.
struct Value {
    ValueKind kind = ValueKind::kTensor;
    Tensor tensor;                    // kTensor
    DType dtype = DType::kUndefined;  // element type of a sequence or optional, also when empty
    std::vector<Value> items;         // kSequence: the items; kOptional: none or one

    Value() = default;
    Value(Tensor t) : tensor(std::move(t)), dtype(tensor.dtype()) {}
};

// Reads element i as a number, whatever the numeric type (16-bit floats, 8-bit floats, packed 4 and 2 bits
// included; bool as 0 or 1). Strings and complex are not numbers: 0.
double load_double(const TensorView& t, int64_t i);
int64_t load_int(const TensorView& t, int64_t i);  // exact for every integer type; floats are truncated
// Writes with the conversion of ONNX Cast (saturating only for 8-bit floats; integers wrap).
void store_double(const TensorView& t, int64_t i, double value);
void store_int(const TensorView& t, int64_t i, int64_t value);

}  // namespace coffer
