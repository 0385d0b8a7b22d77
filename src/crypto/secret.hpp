// SecretBytes: keys and other secrets in memory that is locked where the system allows it, kept out of core
// dumps, surrounded by guard pages, wiped on release and absent from forked children. Move-only; there is no
// way to print one. Small secrets share pages of a locked pool; large ones get pages of their own.
#pragma once

#include "coffer/base/bytes.hpp"
#include "coffer/base/error.hpp"
#include "coffer/base/os.hpp"

namespace coffer::crypto {

class SecretBytes {
 public:
    SecretBytes() = default;
    static Result<SecretBytes> create(size_t size);  // zeroed
    static Result<SecretBytes> copy_of(Bytes bytes);

    SecretBytes(SecretBytes&& other) noexcept;
    SecretBytes& operator=(SecretBytes&& other) noexcept;
    ~SecretBytes();

    // Empty in a forked child: its pages were wiped, and every user of a key checks the length, so that no key
    // of zeros is ever used by mistake.
    Bytes bytes() const;
    MutableBytes mutable_bytes();
    size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    bool locked() const { return locked_; }  // whether the system granted mlock
    Result<SecretBytes> clone() const { return copy_of(bytes()); }
    void truncate(size_t size);  // wipes what is cut off

 private:
    bool survived() const;

    std::byte* data_ = nullptr;
    size_t size_ = 0;
    size_t capacity_ = 0;
    const uint64_t* canary_ = nullptr;  // in the same pages; zero once they were wiped by a fork
    os::Pages own_;                     // empty when data_ lies in the pool
    bool locked_ = false;
};

// Takes time that depends on the lengths only.
bool constant_time_equal(Bytes a, Bytes b);
inline bool operator==(const SecretBytes& a, const SecretBytes& b) {
    return constant_time_equal(a.bytes(), b.bytes());
}

}  // namespace coffer::crypto
