#include "crypto/secret.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <mutex>
#include <vector>

#include "coffer/base/checked.hpp"

namespace coffer::crypto {
namespace {

constexpr size_t kCell = 64;
constexpr size_t kSlabCells = 64;   // one page of 4 KiB: a small RLIMIT_MEMLOCK still holds some
constexpr size_t kMaxPooled = 512;  // bytes; larger secrets get pages of their own
constexpr uint64_t kCanary = 0x7465726365732121;
constexpr unsigned kPageFlags = os::Pages::kLock | os::Pages::kGuard | os::Pages::kWipeOnFork;

uint64_t* plant_canary(os::Pages& pages) {
    auto* canary = reinterpret_cast<uint64_t*>(pages.data());
    *canary = kCanary;
    return canary;
}

// Cell 0 of a slab holds its canary; the rest is handed out in runs of cells. Slabs are kept for reuse: what
// was freed in them is zeros.
struct Slab {
    os::Pages pages;
    uint64_t* canary = nullptr;
    uint64_t used = 1;  // bit i: cell i
};
static_assert(kSlabCells == 64);

constexpr uint64_t run_mask(size_t first, size_t cells) {
    return (cells == kSlabCells ? ~uint64_t{0} : (uint64_t{1} << cells) - 1) << first;
}

class Pool {
 public:
    struct Place {
        std::byte* data;
        const uint64_t* canary;
        bool locked;
    };

    // Never destroyed: secrets with static lifetime may be released after it would be.
    static Pool& instance() {
        static Pool* const pool = new Pool;
        return *pool;
    }

    Result<Place> allocate(size_t size) {
        const size_t cells = (size + kCell - 1) / kCell;
        const std::lock_guard lock(mutex_);
        for (Slab& slab : slabs_) {
            if (*slab.canary != kCanary) continue;  // the parent's, wiped by our fork
            for (size_t first = 1; first + cells <= kSlabCells; ++first) {
                if (!(slab.used & run_mask(first, cells))) return take(slab, first, cells);
            }
        }
        COFFER_TRY_ASSIGN(os::Pages pages, os::Pages::allocate(kSlabCells * kCell, kPageFlags));
        Slab& slab = slabs_.emplace_back();
        slab.pages = std::move(pages);
        slab.canary = plant_canary(slab.pages);
        return take(slab, 1, cells);
    }

    void release(std::byte* data, size_t size) {
        const size_t cells = (size + kCell - 1) / kCell;
        const std::lock_guard lock(mutex_);
        os::wipe(data, cells * kCell);
        for (Slab& slab : slabs_) {
            if (data < slab.pages.data() || data >= slab.pages.data() + slab.pages.size()) continue;
            slab.used &= ~run_mask(static_cast<size_t>(data - slab.pages.data()) / kCell, cells);
            return;
        }
    }

 private:
    static Place take(Slab& slab, size_t first, size_t cells) {
        slab.used |= run_mask(first, cells);
        return {slab.pages.data() + first * kCell, slab.canary, slab.pages.locked()};
    }

    std::mutex mutex_;
    std::vector<Slab> slabs_;
};

}  // namespace

Result<SecretBytes> SecretBytes::create(size_t size) {
    SecretBytes secret;
    if (size == 0) return secret;
    if (size <= kMaxPooled) {
        COFFER_TRY_ASSIGN(const Pool::Place place, Pool::instance().allocate(size));
        secret.data_ = place.data;
        secret.canary_ = place.canary;
        secret.locked_ = place.locked;
    } else {
        size_t total;
        if (!checked_add(size, kCell, &total)) return error(Code::kOutOfMemory, "cannot allocate ", size, " bytes");
        COFFER_TRY_ASSIGN(secret.own_, os::Pages::allocate(total, kPageFlags));
        secret.canary_ = plant_canary(secret.own_);
        secret.data_ = secret.own_.data() + kCell;
        secret.locked_ = secret.own_.locked();
    }
    secret.size_ = secret.capacity_ = size;
    return secret;
}

Result<SecretBytes> SecretBytes::copy_of(Bytes bytes) {
    COFFER_TRY_ASSIGN(SecretBytes secret, create(bytes.size()));
    std::copy(bytes.begin(), bytes.end(), secret.data_);
    return secret;
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept {
    *this = std::move(other);
}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    std::swap(canary_, other.canary_);
    std::swap(own_, other.own_);
    std::swap(locked_, other.locked_);
    return *this;
}

SecretBytes::~SecretBytes() {
    if (data_ != nullptr && own_.data() == nullptr) Pool::instance().release(data_, capacity_);
}

bool SecretBytes::survived() const {
    return canary_ != nullptr && *canary_ == kCanary;
}

Bytes SecretBytes::bytes() const {
    return survived() ? Bytes(data_, size_) : Bytes();
}
MutableBytes SecretBytes::mutable_bytes() {
    return survived() ? MutableBytes(data_, size_) : MutableBytes();
}

void SecretBytes::truncate(size_t size) {
    if (size >= size_) return;
    os::wipe(data_ + size, size_ - size);
    size_ = size;
}

bool constant_time_equal(Bytes a, Bytes b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace coffer::crypto
