// Little-endian reading and writing of fixed layouts. Reader never reads past its span: a short read sets a
// sticky failure and yields zeros, so a parser reads like the layout and checks once at the end.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace coffer {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

inline Bytes as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline const unsigned char* as_uchar(Bytes bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

inline uint64_t load_le(Bytes bytes) {
    uint64_t value = 0;
    for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | std::to_integer<uint64_t>(bytes[i]);
    return value;
}

class Reader {
 public:
    explicit Reader(Bytes bytes) : bytes_(bytes) {}

    bool ok() const { return !failed_; }
    size_t position() const { return position_; }
    size_t remaining() const { return bytes_.size() - position_; }
    bool at_end() const { return ok() && remaining() == 0; }

    uint8_t u8() { return static_cast<uint8_t>(le(1)); }
    uint16_t u16() { return static_cast<uint16_t>(le(2)); }
    uint32_t u32() { return static_cast<uint32_t>(le(4)); }
    uint64_t u64() { return le(8); }

    Bytes take(size_t n) {
        if (n > remaining()) {
            failed_ = true;
            position_ = bytes_.size();
            return {};
        }
        position_ += n;
        return bytes_.subspan(position_ - n, n);
    }
    template <size_t N>
    std::array<std::byte, N> array() {
        std::array<std::byte, N> out{};
        const Bytes src = take(N);
        if (!src.empty()) std::memcpy(out.data(), src.data(), N);
        return out;
    }
    void skip(size_t n) { (void)take(n); }

 private:
    uint64_t le(size_t n) { return load_le(take(n)); }

    Bytes bytes_;
    size_t position_ = 0;
    bool failed_ = false;
};

class Writer {
 public:
    void u8(uint8_t v) { le(v, 1); }
    void u16(uint16_t v) { le(v, 2); }
    void u32(uint32_t v) { le(v, 4); }
    void u64(uint64_t v) { le(v, 8); }
    void put(Bytes bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
    void put(std::string_view text) { put(as_bytes(text)); }
    void zeros(size_t n) { out_.resize(out_.size() + n); }

    size_t size() const { return out_.size(); }
    Bytes bytes() const { return out_; }
    std::vector<std::byte> take() { return std::move(out_); }

 private:
    void le(uint64_t v, size_t n) {
        for (size_t i = 0; i < n; ++i) out_.push_back(static_cast<std::byte>(v >> (8 * i)));
    }

    std::vector<std::byte> out_;
};

}  // namespace coffer
