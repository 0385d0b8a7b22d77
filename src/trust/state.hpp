// What a device remembers between runs (docs/format.md 5.9.4): the trust bundle it follows, the highest version of
// each model, the generation of each file's recipients, the latest time it saw. The library reads and writes no file
// for this: a store of the caller's keeps the bytes.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "trust/bundle.hpp"
#include "trust/ids.hpp"

namespace coffer::trust {

struct StateStore {
    // What was stored last; nullopt: nothing ever was.
    std::function<Result<std::optional<std::vector<std::byte>>>()> load;
    // Replaces what is stored, all or nothing, if it still is `expected` (empty: there must be nothing); false: it is
    // not, somebody else was faster.
    std::function<Result<bool>(Bytes expected, Bytes data)> store;
};

// How far the clock may go back without a licence that says more.
inline constexpr uint64_t kClockSlack = 3600;
// A later time alone is stored in steps of this many seconds, so that not every open writes.
inline constexpr uint64_t kClockStep = 300;
inline constexpr size_t kMaxStateFiles = 4096;
inline constexpr size_t kMaxStateBytes = 64 + 64 * kMaxStateFiles + 32;

class State {
 public:
    struct Seen {
        ModelId model{};
        uint64_t version = 0;
        crypto::Hash content_id{};
        uint64_t generation = 0;
        friend bool operator==(const Seen&, const Seen&) = default;
    };

    static Result<State> decode(Bytes bytes);
    Result<std::vector<std::byte>> encode() const;

    uint64_t bundle_number() const { return bundle_number_; }
    uint64_t latest_time() const { return latest_time_; }
    const std::vector<Seen>& files() const { return files_; }
    uint64_t version(const ModelId& model) const;               // the highest seen, 0: none
    uint64_t generation(const crypto::Hash& content_id) const;  // the highest seen, 0: none
    bool knows(const crypto::Hash& content_id) const;

    // Moves on to a bundle: an older one, or another one of the same number, is refused; what a newer one lowers is
    // lowered.
    Status adopt(const Bundle& bundle);
    // A file that was opened. Records of older versions of its model are dropped.
    Status see(const Seen& file);
    void see_time(uint64_t now);
    // Refuses a clock that went back further than `slack`, or than kClockSlack if that is more.
    Status check_clock(uint64_t now, uint64_t slack) const;

    friend bool operator==(const State&, const State&) = default;

 private:
    uint64_t bundle_number_ = 0;
    crypto::Hash bundle_digest_{};
    uint64_t latest_time_ = 0;
    std::vector<Seen> files_;  // ascending
};

Result<State> load_state(const StateStore& store);
// Makes the first state, for `bundle` or for none. Refused where there is one, even a damaged one.
Status create_state(const StateStore& store, const Bundle* bundle);
// Loads, changes, stores; again when somebody else stored in between. Nothing is stored when nothing changed.
Status update_state(const StateStore& store, const std::function<Status(State&)>& change);

}  // namespace coffer::trust
