// What is remembered between runs: its layout, what raises and lowers it, and two who store at once.
#include "trust/state.hpp"

#include <algorithm>

#include "catch.hpp"

namespace coffer::trust {
namespace {

State::Seen seen(int model, uint64_t version, int content, uint64_t generation = 1) {
    return {{std::byte(model)}, version, {std::byte(content)}, generation};
}
Bundle bundle(uint64_t number, int digest = 0) {
    Bundle b;
    b.number = number;
    b.issued = 1000 * number;
    b.digest = {std::byte(digest), std::byte(number)};
    return b;
}
std::string why(const Status& s, Detail expected) {
    if (s.ok()) return "ok";
    CHECK(s.error().detail() == expected);
    return s.error().message();
}
bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != text.npos;
}

// A store in memory.
struct Memory {
    std::optional<std::vector<std::byte>> bytes;
    int stores = 0;
    std::function<void()> before_store;
    StateStore store() {
        return {[this]() -> Result<std::optional<std::vector<std::byte>>> { return bytes; },
                [this](Bytes expected, Bytes data) -> Result<bool> {
                    if (before_store) std::exchange(before_store, nullptr)();
                    const Bytes have = bytes ? Bytes(*bytes) : Bytes();
                    if (!std::ranges::equal(have, expected)) return false;
                    ++stores;
                    bytes.emplace(data.begin(), data.end());
                    return true;
                }};
    }
};

}  // namespace

TEST_CASE("a state comes back as it was written, and damage is seen") {
    State s;
    REQUIRE(s.adopt(bundle(3)).ok());
    s.see_time(5000);
    REQUIRE(s.see(seen(2, 7, 1, 4)).ok());
    REQUIRE(s.see(seen(1, 7, 3)).ok());
    REQUIRE(s.see(seen(2, 7, 2)).ok());
    const auto bytes = s.encode().value();
    CHECK(bytes.size() == 64 + 3 * 64 + 32);
    CHECK(State::decode(bytes).value() == s);
    CHECK(load_le(Bytes(bytes).subspan(8, 8)) == 3);
    CHECK(load_le(Bytes(bytes).subspan(48, 8)) == 5000);
    CHECK(load_le(Bytes(bytes).subspan(56, 4)) == 3);
    for (size_t i = 0; i < bytes.size(); ++i) {
        auto changed = bytes;
        changed[i] ^= std::byte{1};
        CHECK_FALSE(State::decode(changed).ok());
        CHECK_FALSE(State::decode(Bytes(bytes).first(i)).ok());
    }
    auto longer = bytes;
    longer.push_back(std::byte{0});
    CHECK_FALSE(State::decode(longer).ok());
    // With a right checksum but out of order, or with a count that lies.
    const auto sealed = [&](auto change) {
        auto changed = bytes;
        change(changed);
        const auto sum =
            crypto::sha256({as_bytes("coffer/v1/state"), Bytes(changed).first(bytes.size() - 32)}).value();
        std::ranges::copy(sum, changed.end() - 32);
        return why(State::decode(changed).ok() ? Status() : Status(State::decode(changed).error()), Detail::kFormat);
    };
    CHECK(sealed([](auto&) {}) == "ok");
    CHECK(contains(sealed([](auto& b) { std::swap_ranges(b.begin() + 64, b.begin() + 128, b.begin() + 128); }),
                   "order"));
    CHECK(contains(sealed([](auto& b) { std::copy_n(b.begin() + 64, 64, b.begin() + 128); }), "order"));
    CHECK(contains(sealed([](auto& b) { b[56] = std::byte{2}; }), "2 files"));
    CHECK(contains(sealed([](auto& b) { b[6] = std::byte{1}; }), "files"));
}

TEST_CASE("versions and generations only rise") {
    State s;
    CHECK(s.version({std::byte{1}}) == 0);
    REQUIRE(s.see(seen(1, 3, 1, 2)).ok());
    REQUIRE(s.see(seen(1, 3, 2, 1)).ok());  // the same version in another file
    REQUIRE(s.see(seen(2, 9, 3)).ok());
    CHECK(s.version({std::byte{1}}) == 3);
    CHECK(s.generation({std::byte{1}}) == 2);
    REQUIRE(s.see(seen(1, 3, 1, 1)).ok());
    CHECK(s.generation({std::byte{1}}) == 2);
    REQUIRE(s.see(seen(1, 3, 1, 5)).ok());
    CHECK(s.generation({std::byte{1}}) == 5);
    REQUIRE(s.see(seen(1, 4, 4)).ok());  // forgets what can never open again
    CHECK(s.files().size() == 2);
    CHECK_FALSE(s.knows({std::byte{1}}));
    CHECK(s.knows({std::byte{4}}));
    CHECK(s.version({std::byte{2}}) == 9);
}

TEST_CASE("the number of files remembered has a limit") {
    State s;
    for (size_t i = 0; i < kMaxStateFiles; ++i) {
        State::Seen file;
        file.content_id = {std::byte(i >> 8), std::byte(i), std::byte{1}};
        file.version = 1;
        REQUIRE(s.see(file).ok());
    }
    CHECK(s.encode()->size() == kMaxStateBytes);
    CHECK(State::decode(s.encode().value()).value() == s);
    CHECK(contains(why(s.see(seen(0, 1, 9)), Detail::kLimit), "the limit"));
    CHECK(s.see(seen(0, 2, 9)).ok());
    CHECK(s.files().size() == 1);
}

TEST_CASE("bundles only move on; what one lowers is lowered once") {
    State s;
    REQUIRE(s.adopt(bundle(4)).ok());
    CHECK(contains(why(s.adopt(bundle(3)), Detail::kRollback), "older"));
    CHECK(contains(why(s.adopt(bundle(4, 1)), Detail::kRollback), "not the one"));
    CHECK(s.adopt(bundle(4)).ok());
    REQUIRE(s.see(seen(1, 1'000'000, 1)).ok());  // somebody stole a key and went far ahead
    REQUIRE(s.see(seen(2, 50, 2)).ok());
    Bundle recovery = bundle(6);
    recovery.min_versions = {{{std::byte{1}}, 8, 6}, {{std::byte{2}}, 8, 4}};
    REQUIRE(s.adopt(recovery).ok());
    CHECK(s.version({std::byte{1}}) == 0);
    CHECK(s.version({std::byte{2}}) == 50);  // that order was for devices before bundle 4
    REQUIRE(s.see(seen(1, 9, 3)).ok());
    Bundle later = recovery;
    later.number = 7;
    later.digest = {std::byte{7}};
    REQUIRE(s.adopt(later).ok());
    CHECK(s.version({std::byte{1}}) == 9);
}

TEST_CASE("time goes on; a clock that went back is told from one that is a little wrong") {
    State s;
    s.see_time(100'000);
    s.see_time(100'000 + kClockStep - 1);
    CHECK(s.latest_time() == 100'000);
    s.see_time(100'000 + kClockStep);
    CHECK(s.latest_time() == 100'300);
    s.see_time(5);
    CHECK(s.latest_time() == 100'300);
    CHECK(s.check_clock(200'000, 0).ok());
    CHECK(s.check_clock(100'300 - kClockSlack, 0).ok());
    CHECK(contains(why(s.check_clock(100'300 - kClockSlack - 1, 0), Detail::kExpired), "went back"));
    CHECK(s.check_clock(300, 100'000).ok());
    CHECK_FALSE(s.check_clock(299, 100'000).ok());
    Bundle reset = bundle(1);
    reset.clock_reset_by = 1;
    REQUIRE(s.adopt(reset).ok());
    CHECK(s.latest_time() == 1000);
}

TEST_CASE("a state is made once, on purpose, and never in passing") {
    Memory m;
    const StateStore store = m.store();
    CHECK(load_state(store).error().code() == Code::kNotFound);
    CHECK_FALSE(update_state(store, [](State&) { return Status(); }).ok());
    CHECK_FALSE(m.bytes);
    const Bundle b = bundle(2);
    REQUIRE(create_state(store, &b).ok());
    CHECK(load_state(store)->bundle_number() == 2);
    CHECK(contains(create_state(store, nullptr).error().message(), "already"));
    m.bytes = std::vector<std::byte>(10);
    CHECK(contains(create_state(store, nullptr).error().message(), "already"));
    CHECK(load_state(store).error().code() == Code::kFormat);
    CHECK_FALSE(update_state(store, [](State& s) { return s.see(seen(1, 1, 1)); }).ok());
    CHECK(m.stores == 1);
}

TEST_CASE("two who store at once lose nothing, and nothing new is not stored") {
    Memory m;
    const StateStore store = m.store();
    REQUIRE(create_state(store, nullptr).ok());
    m.before_store = [&] { REQUIRE(update_state(store, [](State& s) { return s.see(seen(1, 5, 1)); }).ok()); };
    REQUIRE(update_state(store, [](State& s) { return s.see(seen(2, 6, 2)); }).ok());
    CHECK(load_state(store)->version({std::byte{1}}) == 5);
    CHECK(load_state(store)->version({std::byte{2}}) == 6);
    const int stores = m.stores;
    REQUIRE(update_state(store, [](State& s) { return s.see(seen(2, 6, 2)); }).ok());
    CHECK(m.stores == stores);
    // Somebody who always gets in between.
    StateStore contested = store;
    contested.store = [](Bytes, Bytes) -> Result<bool> { return false; };
    CHECK_FALSE(update_state(contested, [](State& s) { return s.see(seen(3, 1, 3)); }).ok());
}

}  // namespace coffer::trust
