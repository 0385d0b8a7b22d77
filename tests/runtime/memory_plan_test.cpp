#include "runtime/memory_plan.hpp"

#include <cstring>

#include "catch.hpp"
#include "runtime/arena.hpp"

using coffer::runtime::Buffer;

TEST_CASE("buffers alive at the same time never share bytes") {
    uint32_t seed = 1;
    const auto random = [&](uint32_t below) {
        seed = seed * 1664525u + 1013904223u;
        return (seed >> 8) % below;
    };
    for (int round = 0; round < 50; ++round) {
        std::vector<Buffer> buffers(40);
        for (Buffer& b : buffers) {
            b.bytes = random(5000);
            b.first = random(30);
            b.last = b.first + random(10);
        }
        const size_t total = coffer::runtime::plan_memory(buffers);
        size_t sum = 0;
        for (const Buffer& a : buffers) {
            sum += (a.bytes + 63) / 64 * 64;
            CHECK(a.offset % 64 == 0);
            CHECK((a.bytes == 0 || a.offset + a.bytes <= total));
            for (const Buffer& b : buffers) {
                if (&a == &b || a.bytes == 0 || b.bytes == 0 || a.last < b.first || b.last < a.first) continue;
                CHECK((a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset));
            }
        }
        CHECK(total <= sum);
    }
}

TEST_CASE("a chain needs two buffers") {
    std::vector<Buffer> chain;
    for (uint32_t i = 0; i < 20; ++i) chain.push_back({1024, i, i + 1, 0});
    CHECK(coffer::runtime::plan_memory(chain) == 2048);
}

TEST_CASE("what cannot be expressed is more than any limit") {
    std::vector<Buffer> one{{SIZE_MAX - 6, 0, 1, 0}}, two{{SIZE_MAX / 2 + 1, 0, 1, 0}, {SIZE_MAX / 2 + 1, 1, 2, 0}};
    CHECK(coffer::runtime::plan_memory(one) == SIZE_MAX);
    CHECK(coffer::runtime::plan_memory(two) == SIZE_MAX);
}

#ifndef COFFER_ADDRESS_SANITIZER
TEST_CASE("what an arena has left is given once, and never its own bytes") {
    using namespace coffer;
    constexpr size_t kSize = 1'500'010, kOutput = 100'000;
    runtime::Arena arena = runtime::Arena::allocate(kSize, {}).value();
    std::byte* const first = arena.take_spare(kOutput);
    std::byte* const second = arena.take_spare(kOutput);
    REQUIRE((first && second));
    CHECK(first >= arena.data() + kSize);
    CHECK(second >= first + kOutput);
    CHECK((reinterpret_cast<uintptr_t>(first) | reinterpret_cast<uintptr_t>(second)) % 64 == 0);
    std::memset(arena.data(), 1, static_cast<size_t>(second - arena.data()) + kOutput);
    CHECK(arena.take_spare(size_t{2} << 20) == nullptr);
    CHECK(arena.take_spare(SIZE_MAX) == nullptr);

    // Of the caller's memory nothing is taken that was not asked for.
    runtime::Allocator allocator;
    allocator.allocate = [](void*, size_t size, size_t alignment) { return std::aligned_alloc(alignment, size); };
    allocator.release = [](void*, void* memory, size_t, size_t) { std::free(memory); };
    CHECK(runtime::Arena::allocate(1 << 20, allocator).value().take_spare(64) == nullptr);
}
#endif
