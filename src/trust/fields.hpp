// Reading the FlatBuffers of licences and trust bundles into values, under caps. The verifier has checked where
// things lie; what they say is checked here. Included only by the files that hold a generated header.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <algorithm>
#include <string>
#include <vector>

#include "coffer/base/bytes.hpp"
#include "coffer/base/error.hpp"
#include "coffer/base/utf8.hpp"

namespace coffer::trust {

// An absent vector counts as an empty one.
template <class T>
uint32_t count(const flatbuffers::Vector<T>* v) {
    return v ? v->size() : 0;
}

inline Bytes bytes_of(const flatbuffers::Vector<uint8_t>* v) {
    return v ? Bytes(reinterpret_cast<const std::byte*>(v->data()), v->size()) : Bytes();
}

// Text that is shown to people: UTF-8 without control characters.
inline bool read_text(const flatbuffers::String* s, size_t min_bytes, size_t max_bytes, std::string* out) {
    const std::string_view text = s ? std::string_view(s->c_str(), s->size()) : std::string_view();
    if (text.size() < min_bytes || text.size() > max_bytes || !is_utf8(text)) return false;
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    if (std::ranges::any_of(text, control)) return false;
    out->assign(text);
    return true;
}

// Exactly N bytes.
template <size_t N>
bool read_array(const flatbuffers::Vector<uint8_t>* v, std::array<std::byte, N>* out) {
    const Bytes bytes = bytes_of(v);
    if (bytes.size() != N) return false;
    std::ranges::copy(bytes, out->begin());
    return true;
}

// Arrays of N bytes, one after the other; with `ascending`, sorted and each once.
template <size_t N>
bool read_arrays(const flatbuffers::Vector<uint8_t>* v, size_t max_count, bool ascending,
                 std::vector<std::array<std::byte, N>>* out) {
    const Bytes bytes = bytes_of(v);
    if (bytes.size() % N != 0 || bytes.size() / N > max_count) return false;
    out->resize(bytes.size() / N);
    for (size_t i = 0; i < out->size(); ++i) {
        std::ranges::copy(bytes.subspan(i * N, N), (*out)[i].begin());
        if (ascending && i > 0 && (*out)[i] <= (*out)[i - 1]) return false;
    }
    return true;
}

template <size_t N>
flatbuffers::Offset<flatbuffers::Vector<uint8_t>> write_arrays(flatbuffers::FlatBufferBuilder& b,
                                                               const std::vector<std::array<std::byte, N>>& list) {
    std::vector<uint8_t> bytes;
    for (const auto& array : list) {
        for (std::byte x : array) bytes.push_back(std::to_integer<uint8_t>(x));
    }
    return b.CreateVector(bytes);
}

}  // namespace coffer::trust
