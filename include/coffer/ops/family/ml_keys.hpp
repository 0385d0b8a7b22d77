// Looking values up in a list of keys (LabelEncoder, CategoryMapper, OneHotEncoder): the keys are sorted in
// scratch once a run, so that n values among k keys cost (n + k) log k whatever their type. Of equal keys the
// first one counts; NaN is equal to NaN, and -0 to 0.
#pragma once

#include <cmath>

#include "coffer/ops/op.hpp"

namespace coffer::ops::ml {

// Keys or values as an attribute gave them: exactly one of the three.
struct KeyList {
    std::span<const PrivateString> strings;
    std::span<const int64_t> ints;
    std::span<const float> floats;
    const Tensor* tensor = nullptr;

    bool is_string() const { return tensor ? tensor->dtype() == DType::kString : !strings.empty(); }
    DType dtype() const {
        if (tensor) return tensor->dtype();
        return !strings.empty() ? DType::kString : !ints.empty() ? DType::kInt64 : DType::kFloat;
    }
    size_t size() const {
        return tensor ? static_cast<size_t>(tensor->elements()) : strings.size() + ints.size() + floats.size();
    }
    int forms() const { return !strings.empty() + !ints.empty() + !floats.empty() + (tensor != nullptr); }
    const PrivateString& text(size_t i) const {
        return tensor ? tensor->view().as<const PrivateString>()[i] : strings[i];
    }
    // A number whose equality is that of the key.
    int64_t number(size_t i) const {
        if (tensor) return number_of(tensor->view(), static_cast<int64_t>(i));
        return !ints.empty() ? ints[i] : bits_of(floats[i]);
    }
    static int64_t number_of(const TensorView& t, int64_t i) {
        return is_floating(t.dtype) ? bits_of(load_double(t, i)) : load_int(t, i);
    }
    // Element i to element `at` of an output of the same type.
    void store(const TensorView& dst, int64_t at, size_t i) const {
        if (is_string())
            dst.as<PrivateString>()[at] = text(i);
        else if (tensor && is_floating(tensor->dtype()))
            store_double(dst, at, load_double(tensor->view(), static_cast<int64_t>(i)));
        else if (tensor)
            store_int(dst, at, load_int(tensor->view(), static_cast<int64_t>(i)));
        else if (!ints.empty())
            store_int(dst, at, ints[i]);
        else
            store_double(dst, at, floats[i]);
    }

    static int64_t bits_of(double x) {
        if (std::isnan(x)) return INT64_MAX;  // itself a NaN, so no number has these bits
        return std::bit_cast<int64_t>(x == 0 ? 0.0 : x);
    }
};

class KeyMap {
 public:
    static constexpr size_t kMissing = SIZE_MAX;

    // Keys of the type of the values that will be looked up.
    static Result<KeyMap> build(RunContext& c, const KeyList& keys) {
        KeyMap map(keys);
        size_t bytes;
        if (!checked_mul(keys.size(), sizeof(Entry), &bytes)) return c.fail("too many keys");
        COFFER_TRY_ASSIGN(std::byte * memory, c.scratch(std::max<size_t>(bytes, 1)));
        map.entries_ = {reinterpret_cast<Entry*>(memory), keys.size()};
        for (size_t i = 0; i < keys.size(); ++i) map.entries_[i] = {map.text_ ? 0 : keys.number(i), i};
        std::sort(map.entries_.begin(), map.entries_.end(), [&](const Entry& a, const Entry& b) {
            const int order = map.text_             ? keys.text(a.index).compare(keys.text(b.index))
                              : a.number < b.number ? -1
                                                    : a.number > b.number;
            return order != 0 ? order < 0 : a.index < b.index;
        });
        return map;
    }
    size_t find(const TensorView& x, int64_t i) const {
        if (text_) return find_text(x.as<const PrivateString>()[i]);
        return find_number(KeyList::number_of(x, i));
    }
    size_t find_number(int64_t number) const {
        const auto it = std::lower_bound(entries_.begin(), entries_.end(), number,
                                         [](const Entry& e, int64_t n) { return e.number < n; });
        return it == entries_.end() || it->number != number ? kMissing : it->index;
    }

 private:
    struct Entry {
        int64_t number;
        size_t index;
    };
    explicit KeyMap(const KeyList& keys) : keys_(keys), text_(keys.is_string()) {}
    size_t find_text(const PrivateString& text) const {
        const auto it =
            std::lower_bound(entries_.begin(), entries_.end(), text,
                             [&](const Entry& e, const PrivateString& t) { return keys_.text(e.index) < t; });
        return it == entries_.end() || keys_.text(it->index) != text ? kMissing : it->index;
    }

    KeyList keys_;
    bool text_;
    std::span<Entry> entries_;
};

}  // namespace coffer::ops::ml
