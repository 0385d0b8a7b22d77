// The payload (docs/format.md 5.4): sealing its chunks while writing, and opening each of them once, ever,
// while reading. Knows chunks and bytes, nothing of tensors.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "coffer/base/os.hpp"
#include "container/keys.hpp"
#include "container/source.hpp"
#include "trust/policy.hpp"

namespace coffer::container {

// TABLE, as it stands in the file.
class Table {
 public:
    Table() = default;
    explicit Table(uint64_t n_chunks) : bytes_(n_chunks * kTableEntry) {}
    MutableBytes bytes() { return bytes_; }
    Bytes bytes() const { return bytes_; }
    std::span<const std::byte, kTagSize> tag(uint64_t i) const {
        return Bytes(bytes_).subspan(i * kTableEntry).first<kTagSize>();
    }
    Bytes leaf(uint64_t i) const { return Bytes(bytes_).subspan(i * kTableEntry + kTagSize, sizeof(Digest)); }

 private:
    std::vector<std::byte> bytes_;
};

// Seals chunk after chunk; a chunk index is sealed once, so that no nonce is used twice.
class ChunkSealer {
 public:
    static Result<ChunkSealer> create(const Header& header, const KeyAndNonce& key);
    Status seal(uint64_t i, MutableBytes chunk, Table& table);  // in place

 private:
    ChunkSealer(const Header& header, crypto::Sealer sealer, const crypto::Nonce& base)
        : sealer_(std::move(sealer)), base_(base), aad_(header), sealed_(header.n_chunks) {}
    crypto::Sealer sealer_;
    crypto::Nonce base_;
    ChunkAad aad_;
    std::vector<bool> sealed_;
};

// Opens chunks into one arena of payload_len bytes. Safe to call from several threads; calls take turns, the
// chunks of one call run in parallel. The first failure is kept, wipes the arena, and is the answer to every
// later call. Key, table and source are let go when every chunk was opened.
class Payload {
 public:
    struct Setup {
        Source source;
        Header header;
        Table table;
        KeyAndNonce key;
        trust::Integrity integrity = trust::Integrity::kFull;
        unsigned page_flags = os::Pages::kHuge;
    };
    static Result<std::shared_ptr<Payload>> create(Setup setup);

    // Opens the chunks that hold [offset, offset + nbytes), those that are not open yet.
    Status load(uint64_t offset, uint64_t nbytes, const ParallelFor& parallel);
    bool complete() const { return complete_.load(std::memory_order_acquire); }  // every chunk was opened
    // An error in a forked child when there are chunks to open: their key is not there.
    Status usable() const;
    // The failure of an earlier load(), or of a check of what it gave.
    Status failure() const;
    void fail(const Error& error);

    MutableBytes bytes() { return {pages_.data(), static_cast<size_t>(setup_.header.payload_len)}; }
    bool holds(const void* data) const {
        const auto* byte = static_cast<const std::byte*>(data);
        return byte >= pages_.data() && byte < pages_.data() + setup_.header.payload_len;
    }
    // The rest of the last page, small or huge: the caller's. A failure wipes it too.
    MutableBytes spare() { return MutableBytes(pages_.data(), pages_.size()).subspan(bytes().size()); }
    // Pages become read-only, until the next load() or change of them. Bytes of
    // open chunks are the caller's to overwrite: no load() writes them again.
    void seal_memory();
    bool allow_writing();  // false: the system refuses
    // Gives the pages that lie wholly in the range back to the system, wiped.
    void discard(uint64_t offset, uint64_t nbytes);
    bool locked() const { return pages_.locked(); }

 private:
    Payload(Setup setup, os::Pages pages)
        : setup_(std::move(setup)),
          pages_(std::move(pages)),
          open_(setup_.header.n_chunks),
          closed_(setup_.header.n_chunks),
          complete_(setup_.header.n_chunks == 0),
          process_(os::process_id()) {}
    Status open_run(uint64_t first, uint64_t last);
    void let_go();
    void keep_failure(const Error& error);

    Setup setup_;
    os::Pages pages_;
    mutable std::mutex mutex_;
    std::vector<bool> open_;
    uint64_t closed_;  // chunks
    std::atomic<bool> complete_;
    std::atomic<bool> has_failed_{false};
    uint64_t process_;
    std::unique_ptr<Error> failed_;
};

// Step 13: reads TABLE, checks its padding and root.
Result<Table> read_table(const Source& source, const Header& header);
// Reads every chunk and compares its leaf: for verification without a key.
Status check_leaves(const Source& source, const Header& header, const Table& table, const ParallelFor& parallel);
// Opens every chunk into one small buffer and hashes the plaintext: for the check of a file just written.
Result<Digest> payload_digest(const Source& source, const Header& header, const Table& table, const KeyAndNonce& key);

}  // namespace coffer::container
