// The C ABI and its C++ face, through a file in memory.
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include <unistd.h>

#include "catch.hpp"
#include "coffer/coffer.h"
#include "container/open.hpp"
#include "container/write.hpp"
#include "runtime/graphs.hpp"

using namespace coffer;

namespace {

std::vector<char> unprotected_file(bool attachment = true) {
    test::Builder b = test::small_cnn();
    if (attachment) b.model.blobs.push_back({"labels.txt", {std::byte{'a'}, std::byte{'b'}}});
    b.model.metadata.push_back({"author", "nobody"});
    container::WriteOptions options;
    options.unprotected = true;
    const std::string path =
        (std::filesystem::temp_directory_path() / ("api_test_" + std::to_string(::getpid()) + ".coffer")).string();
    const auto written = container::write(b.model, options, path);
    REQUIRE(written.ok());
    std::ifstream file(path, std::ios::binary);
    std::vector<char> bytes((std::istreambuf_iterator<char>(file)), {});
    std::filesystem::remove(path);
    return bytes;
}

struct Handles {
    coffer_policy* policy = nullptr;
    coffer_model* model = nullptr;
    coffer_runner* runner = nullptr;
    ~Handles() {
        coffer_runner_free(&runner);
        coffer_model_free(&model);
        coffer_policy_free(&policy);
    }
};

void open(Handles& h, const std::vector<char>& file, const coffer_runner_options* options = nullptr) {
    coffer_error error;
    REQUIRE(coffer_policy_new(&h.policy, &error) == COFFER_OK);
    REQUIRE(coffer_policy_allow_unprotected(h.policy, 1, &error) == COFFER_OK);
    REQUIRE(coffer_policy_allow_unsigned(h.policy, 1, &error) == COFFER_OK);
    const auto status =
        coffer_model_open_memory(&h.model, file.data(), file.size(), nullptr, h.policy, nullptr, &error);
    INFO(error.message);
    REQUIRE(status == COFFER_OK);
    REQUIRE(coffer_runner_new(&h.runner, h.model, options, &error) == COFFER_OK);
}

coffer_value tensor(void* data, size_t size, coffer_dtype dtype, std::initializer_list<int64_t> dims) {
    coffer_value v{};
    v.dtype = dtype;
    v.data = data;
    v.size = size;
    for (int64_t d : dims) v.dims[v.rank++] = d;
    return v;
}

}  // namespace

TEST_CASE("nothing opens by default") {
    const auto file = unprotected_file();
    coffer_error error;
    coffer_policy* policy = nullptr;
    coffer_model* model = reinterpret_cast<coffer_model*>(1);
    REQUIRE(coffer_policy_new(&policy, nullptr) == COFFER_OK);
    CHECK(coffer_model_open_memory(&model, file.data(), file.size(), nullptr, policy, nullptr, &error) != COFFER_OK);
    CHECK(model == nullptr);
    CHECK(std::strlen(error.message) > 0);
    CHECK(coffer_policy_allow_unsigned(policy, 1, nullptr) == COFFER_OK);
    CHECK(coffer_model_open_memory(&model, file.data(), file.size(), nullptr, policy, nullptr, &error) ==
          COFFER_POLICY);
    CHECK(std::string(coffer_detail_name(error.detail)) == "unprotected");
    coffer_policy_free(&policy);
    CHECK(policy == nullptr);
    coffer_policy_free(&policy);
    coffer_policy_free(nullptr);
}

TEST_CASE("lazy and locked opens give the same scores; flags that are not known are refused") {
    const auto file = unprotected_file();
    const Tensor x = test::noise({2, 3, 16, 16}, 5);
    std::vector<float> expected;
    for (const uint32_t flags : {0u, COFFER_OPEN_LAZY, COFFER_OPEN_LOCK, COFFER_OPEN_LAZY | COFFER_OPEN_LOCK}) {
        Handles h;
        open(h, file);
        coffer_runner_free(&h.runner);
        coffer_model_free(&h.model);
        coffer_open_options options = COFFER_OPEN_OPTIONS_INIT;
        options.flags = flags;
        coffer_error error;
        const auto status =
            coffer_model_open_memory(&h.model, file.data(), file.size(), nullptr, h.policy, &options, &error);
        INFO(error.message);
        if ((flags & COFFER_OPEN_LOCK) != 0 && status == COFFER_LIMIT) continue;  // this machine grants no locks
        REQUIRE(status == COFFER_OK);
        REQUIRE(coffer_runner_new(&h.runner, h.model, nullptr, &error) == COFFER_OK);
        coffer_binding in{"x", tensor(x.view().data, x.nbytes(), COFFER_FLOAT32, {2, 3, 16, 16})};
        std::vector<float> p(20);
        coffer_binding out{"p", tensor(p.data(), p.size() * 4, COFFER_FLOAT32, {2, 10})};
        // The model goes first: the runner keeps what it needs, its source included.
        coffer_model_free(&h.model);
        REQUIRE(coffer_runner_run(h.runner, &in, 1, &out, 1, nullptr, &error) == COFFER_OK);
        if (expected.empty()) expected = p;
        CHECK(p == expected);
    }
    Handles h;
    open(h, file);
    coffer_model_free(&h.model);
    coffer_open_options options = COFFER_OPEN_OPTIONS_INIT;
    options.flags = 4;
    coffer_error error;
    CHECK(coffer_model_open_memory(&h.model, file.data(), file.size(), nullptr, h.policy, &options, &error) ==
          COFFER_INVALID_ARGUMENT);
    CHECK(h.model == nullptr);
    CHECK(std::string(error.message) == "open flags 4 are not known");
}

TEST_CASE("a lazy open finds damage when the part is needed") {
    auto file = unprotected_file(false);
    const auto inspected = container::inspect(container::Source::memory(std::as_bytes(std::span(file))));
    file[inspected->header.payload_off + 10] ^= 1;
    Handles h;
    REQUIRE(coffer_policy_new(&h.policy, nullptr) == COFFER_OK);
    REQUIRE(coffer_policy_allow_unprotected(h.policy, 1, nullptr) == COFFER_OK);
    REQUIRE(coffer_policy_allow_unsigned(h.policy, 1, nullptr) == COFFER_OK);
    coffer_error error;
    CHECK(coffer_model_open_memory(&h.model, file.data(), file.size(), nullptr, h.policy, nullptr, &error) ==
          COFFER_AUTH);
    coffer_open_options options = COFFER_OPEN_OPTIONS_INIT;
    options.flags = COFFER_OPEN_LAZY;
    REQUIRE(coffer_model_open_memory(&h.model, file.data(), file.size(), nullptr, h.policy, &options, &error) ==
            COFFER_OK);
    REQUIRE(coffer_runner_new(&h.runner, h.model, nullptr, &error) == COFFER_OK);
    const Tensor x = test::noise({2, 3, 16, 16}, 5);
    coffer_binding in{"x", tensor(x.view().data, x.nbytes(), COFFER_FLOAT32, {2, 3, 16, 16})};
    for (int i = 0; i < 2; ++i) {
        CHECK(coffer_runner_prepare(h.runner, &in, 1, nullptr, &error) == COFFER_AUTH);
        CHECK(std::string(coffer_detail_name(error.detail)) == "tree");
        CHECK(coffer_runner_run(h.runner, &in, 1, nullptr, 0, nullptr, &error) == COFFER_AUTH);
    }
}

TEST_CASE("facts, metadata and attachments") {
    Handles h;
    open(h, unprotected_file());
    coffer_value_info info = COFFER_VALUE_INFO_INIT;
    REQUIRE(coffer_model_input_count(h.model) == 1);
    REQUIRE(coffer_model_input(&info, h.model, 0, nullptr) == COFFER_OK);
    CHECK(std::string(info.name) == "x");
    CHECK(info.dtype == COFFER_FLOAT32);
    CHECK(info.rank == 4);
    CHECK(info.dims[0] == -1);
    CHECK(std::string(info.dim_names[0]) == "batch");
    CHECK(info.dims[1] == 3);
    coffer_error error;
    CHECK(coffer_model_input(&info, h.model, 1, &error) == COFFER_INVALID_ARGUMENT);
    CHECK(std::string(error.message) == "input 1 of 1");
    CHECK(std::string(coffer_model_metadata(h.model, "author")) == "nobody");
    CHECK(coffer_model_metadata(h.model, "nothing") == nullptr);
    const void* data = nullptr;
    size_t size = 0;
    REQUIRE(coffer_model_blob(&data, &size, h.model, "labels.txt", nullptr) == COFFER_OK);
    CHECK(std::string(static_cast<const char*>(data), size) == "ab");
    CHECK(coffer_model_blob(&data, &size, h.model, "x", &error) == COFFER_NOT_FOUND);
}

TEST_CASE("runs, with dense, strided and runner-kept values") {
    Handles h;
    open(h, unprotected_file());
    coffer_error error;
    const Tensor x = test::noise({2, 3, 16, 16}, 5);
    std::vector<float> p(20), q(20);
    coffer_binding in{"x", tensor(x.view().data, x.nbytes(), COFFER_FLOAT32, {2, 3, 16, 16})};
    coffer_binding out{"p", tensor(p.data(), p.size() * 4, COFFER_FLOAT32, {2, 10})};
    REQUIRE(coffer_runner_run(h.runner, &in, 1, &out, 1, nullptr, &error) == COFFER_OK);

    // The same picture stored channels-last.
    std::vector<float> last(x.span<float>().size());
    for (size_t n = 0; n < 2; ++n) {
        for (size_t c = 0; c < 3; ++c) {
            for (size_t i = 0; i < 256; ++i) last[(n * 256 + i) * 3 + c] = x.span<float>()[(n * 3 + c) * 256 + i];
        }
    }
    in.value.data = last.data();
    const int64_t strides[] = {768, 1, 48, 3};
    std::copy_n(strides, 4, in.value.strides);
    out.value.data = q.data();
    REQUIRE(coffer_runner_run(h.runner, &in, 1, &out, 1, nullptr, &error) == COFFER_OK);
    CHECK(p == q);

    REQUIRE(coffer_runner_run(h.runner, &in, 1, nullptr, 0, nullptr, &error) == COFFER_OK);
    coffer_value kept;
    REQUIRE(coffer_runner_output(&kept, h.runner, 0, &error) == COFFER_OK);
    CHECK(kept.rank == 2);
    CHECK(kept.dims[0] == 2);
    CHECK(std::memcmp(kept.data, p.data(), 80) == 0);
}

TEST_CASE("bad arguments are errors that name the thing") {
    Handles h;
    open(h, unprotected_file());
    coffer_error error;
    std::vector<float> x(3 * 16 * 16), p(10);
    coffer_binding in{"x", tensor(x.data(), x.size() * 4, COFFER_FLOAT32, {1, 3, 16, 16})};
    const auto run = [&](const coffer_binding* inputs, size_t n, const coffer_binding* outputs, size_t m) {
        return coffer_runner_run(h.runner, inputs, n, outputs, m, nullptr, &error);
    };
    const auto says = [&](const char* part) { return std::string(error.message).find(part) != std::string::npos; };
    CHECK((run(nullptr, 0, nullptr, 0) == COFFER_INVALID_ARGUMENT && says("'x'")));
    CHECK((run(nullptr, 1, nullptr, 0) == COFFER_INVALID_ARGUMENT && says("NULL")));
    const coffer_binding twice[] = {in, in};
    CHECK((run(twice, 2, nullptr, 0) == COFFER_INVALID_ARGUMENT && says("twice")));
    coffer_binding bad = in;
    bad.name = "y";
    CHECK((run(&bad, 1, nullptr, 0) == COFFER_NOT_FOUND && says("'y'")));
    bad = in;
    bad.value.size -= 4;
    CHECK((run(&bad, 1, nullptr, 0) == COFFER_INVALID_ARGUMENT && says("3068")));
    bad = in;
    bad.value.rank = 9;
    CHECK(run(&bad, 1, nullptr, 0) == COFFER_INVALID_ARGUMENT);
    bad = in;
    bad.value.dims[0] = -3;
    CHECK(run(&bad, 1, nullptr, 0) == COFFER_INVALID_ARGUMENT);
    bad = in;
    bad.value.dims[0] = int64_t{1} << 62;
    CHECK(run(&bad, 1, nullptr, 0) == COFFER_INVALID_ARGUMENT);
    bad = in;
    bad.value.dtype = static_cast<coffer_dtype>(99);
    CHECK((run(&bad, 1, nullptr, 0) == COFFER_INVALID_ARGUMENT && says("99")));
    bad = in;
    bad.value.data = nullptr;
    CHECK((run(&bad, 1, nullptr, 0) == COFFER_INVALID_ARGUMENT && says("NULL")));
    bad = in;
    bad.value.rank = -1;  // the batch is free
    CHECK((run(&bad, 1, nullptr, 0) == COFFER_INVALID_ARGUMENT && says("free")));
    const coffer_binding small{"p", tensor(p.data(), 36, COFFER_FLOAT32, {1, 10})};
    CHECK(run(&in, 1, &small, 1) == COFFER_BUFFER_TOO_SMALL);
    const coffer_binding other{"p", tensor(p.data(), 40, COFFER_FLOAT32, {10, 1})};
    CHECK(run(&in, 1, &other, 1) == COFFER_BUFFER_TOO_SMALL);
    coffer_value shape;
    REQUIRE(coffer_runner_output(&shape, h.runner, 0, &error) == COFFER_OK);
    CHECK((shape.rank == 2 && shape.dims[0] == 1 && shape.dims[1] == 10));
    bad = in;
    bad.value.flags = 6;
    CHECK((run(&bad, 1, nullptr, 0) == COFFER_INVALID_ARGUMENT && says("flags 6")));
    CHECK((run(&in, 1, &bad, 1) == COFFER_NOT_FOUND && says("output 'x'")));
    bad.name = "p";
    CHECK((run(&in, 1, &bad, 1) == COFFER_INVALID_ARGUMENT && says("flags 6")));
    bad = in;
    bad.value.extension = &error;
    CHECK((run(&bad, 1, nullptr, 0) == COFFER_UNSUPPORTED && says("extension")));
    CHECK(coffer_runner_run(nullptr, &in, 1, nullptr, 0, nullptr, &error) == COFFER_INVALID_ARGUMENT);
    CHECK(run(&in, 1, nullptr, 0) == COFFER_OK);
}

TEST_CASE("a deadline and a cancellation have statuses of their own, and the next run is good") {
    Handles h;
    open(h, unprotected_file());
    coffer_error error;
    const Tensor x = test::noise({2, 3, 16, 16}, 5);
    coffer_binding in{"x", tensor(x.view().data, x.nbytes(), COFFER_FLOAT32, {2, 3, 16, 16})};
    coffer_run_options options = COFFER_RUN_OPTIONS_INIT;
    options.deadline_ns = 1;
    CHECK(coffer_runner_run(h.runner, &in, 1, nullptr, 0, &options, &error) == COFFER_DEADLINE);
    CHECK(error.detail == COFFER_DETAIL_NONE);
    CHECK(coffer_runner_run(h.runner, &in, 1, nullptr, 0, nullptr, &error) == COFFER_OK);
    coffer_runner_cancel(h.runner);
    CHECK(coffer_runner_run(h.runner, &in, 1, nullptr, 0, nullptr, &error) == COFFER_CANCELLED);
    CHECK(error.detail == COFFER_DETAIL_CANCELLED);
    CHECK(coffer_runner_run(h.runner, &in, 1, nullptr, 0, nullptr, &error) == COFFER_OK);
}

TEST_CASE("the caller's threads and allocator are used") {
    struct Counts {
        std::atomic<size_t> tasks{0}, allocated{0}, released{0};
    } counts;
    coffer_allocator allocator{sizeof allocator,
                               [](void* user, size_t size, size_t alignment) -> void* {
                                   static_cast<Counts*>(user)->allocated += size + alignment;
                                   return std::aligned_alloc(alignment,
                                                             (size + alignment - 1) / alignment * alignment);
                               },
                               [](void* user, void* p, size_t size, size_t alignment) {
                                   static_cast<Counts*>(user)->released += size + alignment;
                                   std::free(p);
                               },
                               &counts};
    coffer_runner_options options = COFFER_RUNNER_OPTIONS_INIT;
    options.threads = 2;
    options.parallel_for = [](void* user, size_t count, coffer_task task, void* context) {
        static_cast<Counts*>(user)->tasks += count;
        std::thread other([&] {
            for (size_t i = 1; i < count; i += 2) task(context, i);
        });
        for (size_t i = 0; i < count; i += 2) task(context, i);
        other.join();
    };
    options.parallel_user = &counts;
    options.allocator = &allocator;
    {
        Handles h;
        open(h, unprotected_file(), &options);
        const Tensor x = test::noise({32, 3, 16, 16}, 5);
        coffer_binding in{"x", tensor(x.view().data, x.nbytes(), COFFER_FLOAT32, {32, 3, 16, 16})};
        REQUIRE(coffer_runner_run(h.runner, &in, 1, nullptr, 0, nullptr, nullptr) == COFFER_OK);
        CHECK(counts.tasks > 0);
        CHECK(counts.allocated > 0);
        // The model may go first: the runner keeps what it needs.
        coffer_model_free(&h.model);
        CHECK(coffer_runner_run(h.runner, &in, 1, nullptr, 0, nullptr, nullptr) == COFFER_OK);
    }
    CHECK(counts.allocated == counts.released);
}

TEST_CASE("an allocator's memory must be where it was asked for") {
    static size_t asked = 0, released = 0;
    alignas(64) static std::byte memory[1 << 20];
    coffer_allocator allocator{sizeof allocator,
                               [](void*, size_t size, size_t alignment) -> void* {
                                   asked = size;
                                   CHECK(alignment == 64);
                                   return size < sizeof memory ? memory + 8 : nullptr;
                               },
                               [](void*, void*, size_t size, size_t) { released = size; }, nullptr};
    coffer_runner_options options = COFFER_RUNNER_OPTIONS_INIT;
    options.allocator = &allocator;
    Handles h;
    open(h, unprotected_file(), &options);
    const Tensor x = test::noise({1, 3, 16, 16}, 5);
    coffer_binding in{"x", tensor(x.view().data, x.nbytes(), COFFER_FLOAT32, {1, 3, 16, 16})};
    coffer_error error;
    CHECK(coffer_runner_run(h.runner, &in, 1, nullptr, 0, nullptr, &error) == COFFER_INVALID_ARGUMENT);
    CHECK(std::string(error.message).find("8 bytes past a multiple of 64") != std::string::npos);
    CHECK((asked > 0 && released == asked));
}

// A struct of a caller who was built with another version: one `extra` longer, or ending `extra` earlier.
template <class T>
struct Other {
    T known;
    unsigned char more[64];
};

TEST_CASE("option structs of older and newer callers") {
    Handles h;
    open(h, unprotected_file());
    coffer_error error;
    const auto says = [&](const char* part) { return std::string(error.message).find(part) != std::string::npos; };
    const auto make = [&](const coffer_runner_options* options) {
        coffer_runner_free(&h.runner);
        return coffer_runner_new(&h.runner, h.model, options, &error);
    };
    Other<coffer_runner_options> newer{COFFER_RUNNER_OPTIONS_INIT, {}};
    newer.known.struct_size = sizeof newer;
    CHECK(make(&newer.known) == COFFER_OK);
    newer.more[5] = 1;
    CHECK((make(&newer.known) == COFFER_UNSUPPORTED && says("coffer_runner_options") && says("newer")));
    CHECK(h.runner == nullptr);
    coffer_runner_options options = COFFER_RUNNER_OPTIONS_INIT;
    for (const size_t size : {size_t{0}, size_t{3}, sizeof options - 1, sizeof options + 5000}) {
        options.struct_size = size;
        CHECK((make(&options) == COFFER_INVALID_ARGUMENT && says(std::to_string(size).c_str())));
    }
    options = COFFER_RUNNER_OPTIONS_INIT;
    options.flags = COFFER_RUNNER_PROFILE | 6;
    CHECK((make(&options) == COFFER_INVALID_ARGUMENT && says("runner flags 6")));
    CHECK(make(nullptr) == COFFER_OK);

    const Tensor x = test::noise({1, 3, 16, 16}, 5);
    const coffer_binding in{"x", tensor(x.view().data, x.nbytes(), COFFER_FLOAT32, {1, 3, 16, 16})};
    coffer_run_options run = COFFER_RUN_OPTIONS_INIT;
    run.struct_size = 3;
    CHECK(coffer_runner_run(h.runner, &in, 1, nullptr, 0, &run, &error) == COFFER_INVALID_ARGUMENT);
    coffer_prepare_options prepare = COFFER_PREPARE_OPTIONS_INIT;
    CHECK(coffer_runner_prepare(h.runner, &in, 1, &prepare, &error) == COFFER_OK);
    prepare.flags = 1;
    CHECK((coffer_runner_prepare(h.runner, &in, 1, &prepare, &error) == COFFER_INVALID_ARGUMENT && says("prepare")));
}

TEST_CASE("structs the library fills, of older and newer callers") {
    Handles h;
    coffer_runner_options options = COFFER_RUNNER_OPTIONS_INIT;
    options.flags = COFFER_RUNNER_PROFILE;
    open(h, unprotected_file(), &options);
    coffer_error error;
    Other<coffer_value_info> newer{COFFER_VALUE_INFO_INIT, {}};
    std::memset(newer.more, 7, sizeof newer.more);
    CHECK(coffer_model_input(&newer.known, h.model, 0, &error) == COFFER_OK);
    CHECK(newer.more[0] == 7);  // beyond what he said
    newer.known.struct_size = sizeof newer;
    CHECK(coffer_model_output(&newer.known, h.model, 0, &error) == COFFER_OK);
    CHECK(newer.known.struct_size == sizeof newer);
    CHECK(std::string(newer.known.name) == "p");
    CHECK(std::all_of(std::begin(newer.more), std::end(newer.more), [](unsigned char c) { return c == 0; }));
    coffer_value_info unset{};
    CHECK(coffer_model_input(&unset, h.model, 0, &error) == COFFER_INVALID_ARGUMENT);
    CHECK(std::string(error.message).find("coffer_value_info") != std::string::npos);
    CHECK(unset.name == nullptr);

    const Tensor x = test::noise({1, 3, 16, 16}, 5);
    const coffer_binding in{"x", tensor(x.view().data, x.nbytes(), COFFER_FLOAT32, {1, 3, 16, 16})};
    REQUIRE(coffer_runner_run(h.runner, &in, 1, nullptr, 0, nullptr, &error) == COFFER_OK);
    coffer_profile_entry entry = COFFER_PROFILE_ENTRY_INIT;
    size_t count = 0;
    while (coffer_runner_profile(&entry, h.runner, count, &error) == COFFER_OK) {
        CHECK(entry.calls >= 1);
        CHECK(*entry.op != '\0');
        ++count;
    }
    CHECK(error.status == COFFER_NOT_FOUND);
    CHECK(count > 2);
    entry.struct_size = 8;
    CHECK(coffer_runner_profile(&entry, h.runner, 0, &error) == COFFER_INVALID_ARGUMENT);
}

TEST_CASE("a reader that fails is an I/O error") {
    const auto file = unprotected_file();
    coffer_policy* policy = nullptr;
    REQUIRE(coffer_policy_new(&policy, nullptr) == COFFER_OK);
    coffer_policy_allow_unprotected(policy, 1, nullptr);
    coffer_policy_allow_unsigned(policy, 1, nullptr);
    struct Source {
        const std::vector<char>* bytes;
        size_t left;
        coffer_status why;
    };
    for (size_t calls = 0; calls < 100; ++calls) {
        // What he says is passed on; only that he gave up is more than a failure to read.
        const coffer_status why = calls % 2 == 0 ? COFFER_FORMAT : COFFER_CANCELLED;
        Source source{&file, calls, why};
        coffer_reader reader{sizeof reader, file.size(),
                             [](void* user, uint64_t offset, void* dst, size_t size, coffer_error* error) {
                                 auto* s = static_cast<Source*>(user);
                                 if (s->left == 0) {
                                     std::strcpy(error->message, "the tape broke");
                                     return s->why;
                                 }
                                 --s->left;
                                 std::memcpy(dst, s->bytes->data() + offset, size);
                                 return COFFER_OK;
                             },
                             &source};
        coffer_open_options options = COFFER_OPEN_OPTIONS_INIT;
        options.threads = 1;
        coffer_model* model = nullptr;
        coffer_error error;
        const coffer_status status = coffer_model_open_reader(&model, &reader, nullptr, policy, &options, &error);
        coffer_model_free(&model);
        if (status == COFFER_OK) {
            CHECK(calls > 2);
            break;
        }
        CHECK(status == (why == COFFER_CANCELLED ? COFFER_CANCELLED : COFFER_IO));
        CHECK(std::string(error.message).find("the tape broke") != std::string::npos);
    }
    coffer_policy_free(&policy);
}
