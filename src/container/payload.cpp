#include "container/payload.hpp"

#include <algorithm>
#include <atomic>
#include <exception>

#include "container/errors.hpp"

namespace coffer::container {
namespace {

constexpr size_t kLargestPage = size_t{64} << 10;  // of any system

// Chunks of one task: enough bytes to make handing it out cheap, few enough to share the work evenly.
constexpr uint64_t kTaskBytes = uint64_t{1} << 20;

// Keeps the first error of tasks that run at once, and tells the others to stop.
class FirstError {
 public:
    bool stop() const { return stop_.load(std::memory_order_relaxed); }
    void add(Status status) {
        if (status.ok()) return;
        const std::lock_guard lock(mutex_);
        if (!stop_.exchange(true)) status_ = std::move(status);
    }
    void add(std::exception_ptr exception) {
        const std::lock_guard lock(mutex_);
        if (!stop_.exchange(true)) exception_ = std::move(exception);
    }
    Status take() {
        if (exception_) std::rethrow_exception(exception_);
        return std::move(status_);
    }

 private:
    std::atomic<bool> stop_{false};
    std::mutex mutex_;
    Status status_;
    std::exception_ptr exception_;
};

struct Run {
    uint64_t first, last;  // chunks [first, last)
};

std::vector<Run> split(Run all, uint64_t chunk_size) {
    const uint64_t step = std::max<uint64_t>(kTaskBytes / chunk_size, 1);
    std::vector<Run> runs;
    for (uint64_t i = all.first; i < all.last; i += step) runs.push_back({i, std::min(i + step, all.last)});
    return runs;
}

Status for_each_run(const std::vector<Run>& runs, const ParallelFor& parallel, auto&& body) {
    FirstError first;
    // Nothing on a worker's thread would catch what the standard library throws.
    parallel(runs.size(), [&](size_t i) {
        if (first.stop()) return;
        try {
            first.add(body(runs[i]));
        } catch (...) {
            first.add(std::current_exception());
        }
    });
    return first.take();
}

Status compare_leaf(const crypto::Hash& leaf, const Table& table, uint64_t i) {
    if (!std::ranges::equal(leaf, table.leaf(i))) return not_authentic(Detail::kTree);
    return {};
}

// Leaves of chunks [first, last) that lie in `ciphertext`, hashed in pairs where two are of equal length.
Status compare_leaves(const Header& h, const Table& table, Run run, Bytes ciphertext) {
    const uint64_t size = h.chunk_size();
    uint64_t i = run.first;
    for (; i + 1 < run.last && h.chunk_bytes(i + 1) == size; i += 2) {
        const Bytes pair = ciphertext.subspan((i - run.first) * size);
        COFFER_TRY_ASSIGN(const auto leaves, crypto::leaf_hash_pair(i, pair.first(size), pair.subspan(size, size)));
        COFFER_TRY(compare_leaf(leaves[0], table, i));
        COFFER_TRY(compare_leaf(leaves[1], table, i + 1));
    }
    for (; i < run.last; ++i) {
        const Bytes chunk = ciphertext.subspan((i - run.first) * size, h.chunk_bytes(i));
        COFFER_TRY_ASSIGN(const auto leaf, crypto::leaf_hash(i, chunk));
        COFFER_TRY(compare_leaf(leaf, table, i));
    }
    return {};
}

// The chunks of a run in one thread: read, compare, open in place.
class ChunkOpener {
 public:
    static Result<ChunkOpener> create(const Header& header, const KeyAndNonce& key) {
        COFFER_TRY_ASSIGN(crypto::Opener opener, crypto::Opener::create(header.aead(), key.key()));
        return ChunkOpener(header, std::move(opener), key.nonce());
    }
    Status open(uint64_t i, MutableBytes chunk, const Table& table) {
        const auto nonce = crypto::nonce_at(base_, i);
        return authentic_or(opener_.open(nonce, aad_.at(i), chunk, table.tag(i), chunk), Detail::kChunkAuth);
    }

 private:
    ChunkOpener(const Header& header, crypto::Opener opener, const crypto::Nonce& base)
        : opener_(std::move(opener)), base_(base), aad_(header) {}
    crypto::Opener opener_;
    crypto::Nonce base_;
    ChunkAad aad_;
};

uint64_t run_bytes(const Header& h, Run run) {
    return (run.last - 1 - run.first) * h.chunk_size() + h.chunk_bytes(run.last - 1);
}

}  // namespace

Result<ChunkSealer> ChunkSealer::create(const Header& header, const KeyAndNonce& key) {
    COFFER_TRY_ASSIGN(crypto::Sealer sealer, crypto::Sealer::create(header.aead(), key.key()));
    return ChunkSealer(header, std::move(sealer), key.nonce());
}

Status ChunkSealer::seal(uint64_t i, MutableBytes chunk, Table& table) {
    if (i >= sealed_.size() || sealed_[i]) return error(Code::kInternal, "chunk ", i, " would be sealed twice");
    sealed_[i] = true;
    const MutableBytes entry = table.bytes().subspan(i * kTableEntry, kTableEntry);
    const auto nonce = crypto::nonce_at(base_, i);
    COFFER_TRY(sealer_.seal(nonce, aad_.at(i), chunk, chunk, entry.first<kTagSize>()));
    COFFER_TRY_ASSIGN(const crypto::Hash leaf, crypto::leaf_hash(i, chunk));
    std::ranges::copy(leaf, entry.subspan(kTagSize).begin());
    return {};
}

Result<std::shared_ptr<Payload>> Payload::create(Setup setup) {
    const uint64_t size = std::max<uint64_t>(setup.header.payload_len, 1);
    COFFER_TRY_ASSIGN(os::Pages pages, os::Pages::allocate(size, setup.page_flags | os::Pages::kWhole));
    return std::shared_ptr<Payload>(new Payload(std::move(setup), std::move(pages)));
}

Status Payload::load(uint64_t offset, uint64_t nbytes, const ParallelFor& parallel) {
    const Header& h = setup_.header;
    if (offset > h.payload_len || nbytes > h.payload_len - offset) {
        return error(Code::kInternal, "load of bytes behind the payload");
    }
    if (nbytes == 0 || (complete() && !has_failed_)) return {};
    COFFER_TRY(usable());  // another thread may have held the lock when the process was forked
    const std::lock_guard lock(mutex_);
    if (failed_) return Error(*failed_);
    std::vector<Run> runs;
    const uint64_t last = (offset + nbytes - 1) / h.chunk_size() + 1;
    for (uint64_t i = offset / h.chunk_size(); i < last;) {
        uint64_t end = i;
        while (end < last && !open_[end]) ++end;
        for (const Run& run : split({i, end}, h.chunk_size())) runs.push_back(run);
        i = std::max(end, i + 1);
    }
    if (runs.empty()) return {};
    if (!pages_.allow_writing()) return weights_read_only();
    Status status = for_each_run(runs, parallel, [&](const Run& run) { return open_run(run.first, run.last); });
    if (!status.ok()) {
        keep_failure(status.error());
        return status;
    }
    for (const Run& run : runs) {
        std::fill(open_.begin() + run.first, open_.begin() + run.last, true);
        closed_ -= run.last - run.first;
    }
    if (closed_ == 0) {
        let_go();
        complete_.store(true, std::memory_order_release);
    }
    return {};
}

Status Payload::usable() const {
    if (complete() || os::process_id() == process_) return {};
    return error(Code::kInvalidArgument,
                 "parts of the model were not loaded before this process was forked, and cannot be loaded in it");
}

Status Payload::failure() const {
    if (!has_failed_) return {};
    const std::lock_guard lock(mutex_);
    return Error(*failed_);
}

void Payload::fail(const Error& error) {
    const std::lock_guard lock(mutex_);
    if (!failed_) keep_failure(error);
}

void Payload::keep_failure(const Error& error) {
    // First of all, so that no run that ends meanwhile takes what it computed from wiped weights for a result.
    failed_ = std::make_unique<Error>(error);
    has_failed_ = true;
    pages_.clear();
    let_go();
}

Status Payload::open_run(uint64_t first, uint64_t last) {
    const Header& h = setup_.header;
    COFFER_TRY_ASSIGN(ChunkOpener opener, ChunkOpener::create(h, setup_.key));
    // Two chunks at a time: what was just read is hashed and opened while it lies in the cache.
    for (uint64_t i = first; i < last; i += 2) {
        const Run pair{i, std::min(i + 2, last)};
        const MutableBytes bytes = this->bytes().subspan(i * h.chunk_size(), run_bytes(h, pair));
        COFFER_TRY(setup_.source.read_at(h.payload_off + i * h.chunk_size(), bytes));
        if (setup_.integrity == trust::Integrity::kFull) {
            COFFER_TRY(compare_leaves(h, setup_.table, pair, bytes));
        }
        for (uint64_t k = pair.first; k < pair.last; ++k) {
            const MutableBytes chunk = bytes.subspan((k - i) * h.chunk_size(), h.chunk_bytes(k));
            COFFER_TRY(opener.open(k, chunk, setup_.table));
        }
    }
    return {};
}

void Payload::let_go() {
    setup_.key = {};
    setup_.table = {};
    setup_.source = Source::memory({});
}

void Payload::seal_memory() {
    const std::lock_guard lock(mutex_);
    pages_.protect_read_only();
}

bool Payload::allow_writing() {
    const std::lock_guard lock(mutex_);
    return pages_.allow_writing();
}

void Payload::discard(uint64_t offset, uint64_t nbytes) {
    const std::lock_guard lock(mutex_);
    // A page that also holds spare bytes stays, but not what it held.
    const size_t begin = static_cast<size_t>(offset), size = std::min<size_t>(nbytes, bytes().size() - begin);
    if (begin + size == bytes().size()) {
        const size_t last = std::min(size, kLargestPage);
        pages_.wipe(begin + size - last, last);
    }
    (void)pages_.allow_writing();
    pages_.discard(begin, size);
}

Result<Table> read_table(const Source& source, const Header& h) {
    Table table(h.n_chunks);
    std::vector<std::byte> padding(h.payload_off - h.table_off - h.table_len);
    COFFER_TRY(source.read_at(h.table_off, table.bytes()));
    COFFER_TRY(source.read_at(h.table_off + h.table_len, padding));
    if (!all_zero(padding)) return format_error("the padding after the chunk table is not zero");
    COFFER_TRY_ASSIGN(const Digest root, table_root(h.n_chunks, table.bytes()));
    if (root != h.table_root) return not_authentic(Detail::kTree);
    return table;
}

Status check_leaves(const Source& source, const Header& h, const Table& table, const ParallelFor& parallel) {
    const std::vector<Run> runs = split({0, h.n_chunks}, h.chunk_size());
    return for_each_run(runs, parallel, [&](const Run& run) -> Status {
        std::vector<std::byte> buffer(run_bytes(h, run));
        COFFER_TRY(source.read_at(h.payload_off + run.first * h.chunk_size(), buffer));
        return compare_leaves(h, table, run, buffer);
    });
}

Result<Digest> payload_digest(const Source& source, const Header& h, const Table& table, const KeyAndNonce& key) {
    COFFER_TRY_ASSIGN(ChunkOpener opener, ChunkOpener::create(h, key));
    COFFER_TRY_ASSIGN(crypto::Sha256 hash, crypto::Sha256::create());
    COFFER_TRY_ASSIGN(const os::Pages buffer, os::Pages::allocate(h.chunk_size(), os::Pages::kPlain));
    for (uint64_t i = 0; i < h.n_chunks; ++i) {
        const MutableBytes chunk(buffer.data(), h.chunk_bytes(i));
        COFFER_TRY(source.read_at(h.payload_off + i * h.chunk_size(), chunk));
        COFFER_TRY(compare_leaves(h, table, {i, i + 1}, chunk));
        COFFER_TRY(opener.open(i, chunk, table));
        COFFER_TRY(hash.update(chunk));
    }
    return hash.finish();
}

}  // namespace coffer::container
