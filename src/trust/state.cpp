#include "trust/state.hpp"

#include <algorithm>
#include <tuple>

#include "trust/utc.hpp"

namespace coffer::trust {
namespace {

constexpr std::string_view kMagic = "COST";
constexpr uint16_t kVersion = 1;
constexpr size_t kHead = 64, kRecord = 64;
constexpr int kAttempts = 16;

template <class... Parts>
Error damaged(const Parts&... parts) {
    return error(Code::kFormat, Detail::kFormat, "trust store: ", parts...);
}

// Against damage, not against anybody: who can write the state can write this too.
Result<crypto::Hash> checksum(Bytes bytes) {
    return crypto::sha256({as_bytes("coffer/v1/state"), bytes});
}

auto order(const State::Seen& s) {
    return std::tie(s.model, s.version, s.content_id);
}

Error missing() {
    return error(Code::kNotFound, Detail::kIo, "trust store: there is none; it must be made on purpose, once");
}

}  // namespace

Result<State> State::decode(Bytes bytes) {
    Reader r(bytes);
    State out;
    if (as_text(r.take(kMagic.size())) != kMagic) return damaged("not a state of this library");
    const uint16_t version = r.u16();
    const uint16_t zero16 = r.u16();
    out.bundle_number_ = r.u64();
    out.bundle_digest_ = r.array<32>();
    out.latest_time_ = r.u64();
    const uint32_t n = r.u32();
    const uint32_t zero32 = r.u32();
    if (!r.ok()) return damaged("it is cut");
    if (version != kVersion) return error(Code::kUnsupported, Detail::kUnsupported, "trust store: version ", version);
    if (n > kMaxStateFiles || bytes.size() != kHead + n * kRecord + crypto::kHashSize || zero16 != 0 || zero32 != 0) {
        return damaged(bytes.size(), " bytes for ", n, " files");
    }
    COFFER_TRY_ASSIGN(const crypto::Hash sum, checksum(bytes.first(bytes.size() - crypto::kHashSize)));
    if (!std::ranges::equal(sum, bytes.last(crypto::kHashSize))) return damaged("its checksum is wrong");
    for (uint32_t i = 0; i < n; ++i) {
        Seen s;
        s.model = r.array<16>();
        s.version = r.u64();
        s.content_id = r.array<32>();
        s.generation = r.u64();
        if (i > 0 && order(s) <= order(out.files_.back())) return damaged("file ", i, " is out of order");
        out.files_.push_back(s);
    }
    return out;
}

Result<std::vector<std::byte>> State::encode() const {
    Writer w;
    w.put(kMagic);
    w.u16(kVersion);
    w.u16(0);
    w.u64(bundle_number_);
    w.put(bundle_digest_);
    w.u64(latest_time_);
    w.u32(static_cast<uint32_t>(files_.size()));
    w.u32(0);
    for (const Seen& s : files_) {
        w.put(s.model);
        w.u64(s.version);
        w.put(s.content_id);
        w.u64(s.generation);
    }
    COFFER_TRY_ASSIGN(const crypto::Hash sum, checksum(w.bytes()));
    w.put(sum);
    return w.take();
}

uint64_t State::version(const ModelId& model) const {
    uint64_t highest = 0;
    for (const Seen& s : files_) {
        if (s.model == model) highest = std::max(highest, s.version);
    }
    return highest;
}

uint64_t State::generation(const crypto::Hash& content_id) const {
    const auto it = std::ranges::find(files_, content_id, &Seen::content_id);
    return it == files_.end() ? 0 : it->generation;
}

bool State::knows(const crypto::Hash& content_id) const {
    return std::ranges::find(files_, content_id, &Seen::content_id) != files_.end();
}

Status State::adopt(const Bundle& bundle) {
    if (bundle.number < bundle_number_) {
        return error(Code::kPolicy, Detail::kRollback, "trust bundle ", bundle.number, " is older than ",
                     bundle_number_, ", which was seen before");
    }
    if (bundle.number == bundle_number_ && bundle.digest != bundle_digest_) {
        return error(Code::kPolicy, Detail::kRollback, "trust bundle ", bundle.number,
                     " is not the one of this number that was seen before");
    }
    for (const MinVersion& m : bundle.min_versions) {
        if (m.lowered_by <= bundle_number_) continue;  // obeyed before, or not an order
        std::erase_if(files_, [&](const Seen& s) { return s.model == m.model && s.version > m.version; });
    }
    if (bundle.clock_reset_by > bundle_number_) latest_time_ = std::min(latest_time_, bundle.issued);
    bundle_number_ = bundle.number;
    bundle_digest_ = bundle.digest;
    return {};
}

Status State::see(const Seen& file) {
    std::erase_if(files_, [&](const Seen& s) { return s.model == file.model && s.version < file.version; });
    const auto known = std::ranges::find(files_, file.content_id, &Seen::content_id);
    if (known != files_.end()) {
        known->generation = std::max(known->generation, file.generation);
        return {};
    }
    if (files_.size() == kMaxStateFiles) {
        return error(Code::kLimit, Detail::kLimit, "trust store: it remembers ", files_.size(), " files, the limit");
    }
    files_.insert(
        std::ranges::upper_bound(files_, file, [](const Seen& a, const Seen& b) { return order(a) < order(b); }),
        file);
    return {};
}

void State::see_time(uint64_t now) {
    if (now >= latest_time_ && now - latest_time_ >= kClockStep) latest_time_ = now;
}

Status State::check_clock(uint64_t now, uint64_t slack) const {
    slack = std::max(slack, kClockSlack);
    if (now >= latest_time_ || latest_time_ - now <= slack) return {};
    return error(Code::kPolicy, Detail::kExpired, "the clock went back: it is now ", utc_text(now), ", ",
                 utc_text(latest_time_), " was seen before");
}

Result<State> load_state(const StateStore& store) {
    COFFER_TRY_ASSIGN(const auto bytes, store.load());
    if (!bytes) return missing();
    return State::decode(*bytes);
}

Status create_state(const StateStore& store, const Bundle* bundle) {
    COFFER_TRY_ASSIGN(const auto old, store.load());
    const Error exists = error(Code::kConflict, Detail::kIo, "trust store: there is one already");
    if (old) return exists;
    State state;
    if (bundle) COFFER_TRY(state.adopt(*bundle));
    COFFER_TRY_ASSIGN(const auto bytes, state.encode());
    COFFER_TRY_ASSIGN(const bool stored, store.store({}, bytes));
    return stored ? Status() : Status(exists);
}

Status update_state(const StateStore& store, const std::function<Status(State&)>& change) {
    for (int i = 0; i < kAttempts; ++i) {
        COFFER_TRY_ASSIGN(const auto old, store.load());
        if (!old) return missing();
        COFFER_TRY_ASSIGN(const State before, State::decode(*old));
        State after = before;
        COFFER_TRY(change(after));
        if (after == before) return {};
        COFFER_TRY_ASSIGN(const auto bytes, after.encode());
        COFFER_TRY_ASSIGN(const bool stored, store.store(*old, bytes));
        if (stored) return {};
    }
    return error(Code::kConflict, Detail::kIo, "trust store: it changes faster than it can be stored");
}

}  // namespace coffer::trust
