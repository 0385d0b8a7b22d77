// Weights of a sealed model while it runs: opened on demand, each chunk once; given back when they were packed, and
// worked out again when somebody else wants them; wiped, with every later call refused, when a chunk is not
// authentic.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "catch.hpp"
#include "container/errors.hpp"
#include "container/write.hpp"
#include "locked.hpp"
#include "runtime/graphs.hpp"
#include "runtime/load.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COFFER_TEST_SANITIZED 1
#endif

using namespace coffer;
using namespace coffer::test;

namespace {

std::vector<std::byte> sealed(const graph::Model& model) {
    container::WriteOptions options;
    options.unprotected = true;
    options.chunk_log2 = container::kMinChunkLog2;
    const std::string path =
        (std::filesystem::temp_directory_path() / ("weights_test_" + std::to_string(::getpid()) + ".coffer"))
            .string();
    auto written = container::write(model, options, path);
    if (!written.ok()) FAIL(written.error().message());
    auto bytes = os::read_file(path, uint64_t{1} << 30).value();
    std::filesystem::remove(path);
    return bytes;
}

// A sealed file behind a reader that counts how often each chunk was read.
struct File {
    std::vector<std::byte> bytes;
    container::Header header;
    std::mutex mutex;
    std::map<uint64_t, int> reads;

    explicit File(const graph::Model& model) : bytes(sealed(model)) {
        header = container::inspect(container::Source::memory(bytes))->header;
    }
    container::Source source() {
        return container::Source::reader({[this]() -> Result<uint64_t> { return bytes.size(); },
                                          [this](uint64_t offset, MutableBytes dst) -> Status {
                                              std::memcpy(dst.data(), bytes.data() + offset, dst.size());
                                              if (offset < header.payload_off || offset >= header.body_len) return {};
                                              const std::lock_guard lock(mutex);
                                              const uint64_t first =
                                                  (offset - header.payload_off) / header.chunk_size();
                                              const uint64_t n =
                                                  (dst.size() + header.chunk_size() - 1) / header.chunk_size();
                                              for (uint64_t i = first; i < first + n; ++i) ++reads[i];
                                              return {};
                                          }});
    }
    Result<runtime::Loaded> load(bool lazy, trust::Integrity integrity = trust::Integrity::kFull, bool lock = false) {
        trust::Policy policy;
        policy.allow_unprotected = policy.allow_unsigned = policy.debug_names = true;
        policy.integrity = integrity;
        runtime::LoadOptions options;
        options.lazy = lazy;
        options.lock = lock;
        return runtime::load(source(), policy, {}, options);
    }
    bool each_once() const {
        for (const auto& [chunk, count] : reads) {
            if (count != 1) return false;
        }
        return true;
    }
};

std::unique_ptr<runtime::Runner> runner_of(const std::shared_ptr<const runtime::Model>& model) {
    runtime::RunnerOptions options;
    options.threads = 1;
    return runtime::Runner::create(model, options).value();
}
Status run(runtime::Runner& runner, const std::vector<Tensor>& inputs) {
    for (size_t i = 0; i < inputs.size(); ++i) COFFER_TRY(runner.bind_input(i, Value(inputs[i])));
    return runner.run();
}
std::vector<float> floats(const Value& v) {
    const auto s = v.tensor.span<float>();
    return {s.begin(), s.end()};
}
template <class T>
Tensor scalar(T value) {
    return Tensor::scalar<T>(value);
}
Tensor integers(DType dtype, const Shape& shape, uint32_t seed) {
    Tensor t = Tensor::create(dtype, shape).value();
    for (size_t i = 0; i < t.nbytes(); ++i) {
        t.view().as<uint8_t>()[i] = static_cast<uint8_t>((seed = seed * 1664525u + 1013904223u) >> 24);
    }
    return t;
}

// If(condition): x * A, else x * B; A and B of 128 x 128.
Builder two_branches() {
    Builder b;
    b.model.graphs.emplace_back();
    b.model.graphs.emplace_back();
    const auto condition = b.input("condition", type(DType::kBool, {}));
    const auto x = b.input("x", type(DType::kFloat, {2, 128}));
    for (size_t g : {size_t{1}, size_t{2}}) {
        const auto inner = b.input("inner", type(DType::kFloat, {2, 128}), g);
        const auto w = b.constant(g == 1 ? "A" : "B", noise({128, 128}, static_cast<uint32_t>(g)), g);
        b.output(b.node("MatMul", {inner, w}, {}, g), "product", type(DType::kFloat, {2, 128}), g);
    }
    b.output(
        b.node("If", {condition, x},
               {{"then_branch", graph::GraphRef{1}}, {"else_branch", graph::GraphRef{2}}, {"captures", int64_t{1}}}),
        "y", type(DType::kFloat, {2, 128}));
    return b;
}
Tensor condition(bool value) {
    Tensor t = Tensor::create(DType::kBool, Shape{}).value();
    *t.view().as<bool>() = value;
    return t;
}

template <class Body>
int in_child(Body body) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(body());
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("lazy: a branch that never runs stays sealed, and no chunk is opened twice") {
    const Builder b = two_branches();
    const Tensor x = noise({2, 128}, 9);
    for (const auto integrity : {trust::Integrity::kFull, trust::Integrity::kAeadOnly}) {
        File file(b.model);
        const uint64_t chunks_of_one = 128 * 128 * 4 / file.header.chunk_size();
        REQUIRE(file.header.n_chunks == 2 * chunks_of_one);
        const auto eager = runner_of(file.load(false, integrity)->model);
        CHECK(file.reads.size() == file.header.n_chunks);
        file.reads.clear();

        const auto loaded = file.load(true, integrity);
        REQUIRE(loaded.ok());
        const auto lazy = runner_of(loaded->model);
        CHECK(file.reads.empty());
        for (int i = 0; i < 2; ++i) {
            REQUIRE(run(*lazy, {condition(true), x}).ok());
            REQUIRE(run(*eager, {condition(true), x}).ok());
            CHECK(floats(lazy->output(0)) == floats(eager->output(0)));
        }
        CHECK(file.reads.size() <= chunks_of_one + 2);
        CHECK(file.reads.size() >= chunks_of_one);
        REQUIRE(run(*lazy, {condition(false), x}).ok());
        REQUIRE(run(*eager, {condition(false), x}).ok());
        CHECK(floats(lazy->output(0)) == floats(eager->output(0)));
        CHECK(file.reads.size() == file.header.n_chunks);
        // Another runner plans anew; other shapes do too.
        REQUIRE(run(*runner_of(loaded->model), {condition(true), x}).ok());
        CHECK(file.each_once());
    }
}

TEST_CASE("lazy: a tensor attribute that is stored narrow is what it was") {
    constexpr int64_t n = 4096;
    Tensor from = Tensor::create(DType::kInt64, Shape{n}).value(),
           to = Tensor::create(DType::kInt64, Shape{n}).value();
    for (int64_t i = 0; i < n; ++i) from.span<int64_t>()[i] = 2 * i, to.span<int64_t>()[i] = i + 100;
    Builder b;
    const auto x = b.input("x", type(DType::kInt64, {4}));
    b.output(b.node("ai.onnx.ml::LabelEncoder", {x}, {{"keys_tensor", from}, {"values_tensor", to}}), "y", {});
    const auto wide = b.input("wide", type(DType::kFloat, {1, 512}));
    b.output(b.node("MatMul", {wide, b.constant("large", noise({512, 520}, 14))}), "large product", {});

    File file(b.model);
    const std::vector<int64_t> keys = {0, 2, 2800, 2 * (n - 1)};
    for (bool lazy : {false, true}) {
        const auto loaded = file.load(lazy);
        REQUIRE(loaded.ok());
        const auto runner = runner_of(loaded->model);
        REQUIRE(run(*runner, {Tensor::of<int64_t>(keys), noise({1, 512}, 23)}).ok());
        const auto got = runner->output(0).tensor.span<int64_t>();
        CHECK(std::vector<int64_t>(got.begin(), got.end()) == std::vector<int64_t>{100, 101, 1500, n - 1 + 100});
    }
}

TEST_CASE("lazy: a chunk that is not authentic ends the model, for every runner") {
    const Builder b = two_branches();
    const Tensor x = noise({2, 128}, 9);
    for (const auto integrity : {trust::Integrity::kFull, trust::Integrity::kAeadOnly}) {
        File file(b.model);
        file.bytes[file.header.body_len - 100] ^= std::byte{1};  // in B
        const auto loaded = file.load(true, integrity);
        REQUIRE(loaded.ok());
        const auto good = runner_of(loaded->model), bad = runner_of(loaded->model);
        REQUIRE(run(*good, {condition(true), x}).ok());
        const auto expected = integrity == trust::Integrity::kFull ? Detail::kTree : Detail::kChunkAuth;
        Status failed = run(*bad, {condition(false), x});
        REQUIRE(!failed.ok());
        CHECK(failed.error().code() == Code::kAuth);
        CHECK(failed.error().detail() == expected);
        CHECK(failed.error().message() == container::kNotAuthentic);
        const auto reads = file.reads;
        for (runtime::Runner* runner : {good.get(), bad.get()}) {
            failed = run(*runner, {condition(true), x});
            REQUIRE(!failed.ok());
            CHECK(failed.error().detail() == expected);
        }
        CHECK(file.reads == reads);
        const Tensor& a = loaded->model->graph().constants[0].tensor;
        CHECK(std::ranges::all_of(a.bytes(), [](std::byte byte) { return byte == std::byte{0}; }));
        CHECK(!runner_of(loaded->model)->run().ok());
    }
}

TEST_CASE("lazy: an error of the source comes out of prepare, and stays") {
    const Builder b = two_branches();
    File file(b.model);
    bool broken = false;
    container::Source source =
        container::Source::reader({[&]() -> Result<uint64_t> { return file.bytes.size(); },
                                   [&](uint64_t offset, MutableBytes dst) -> Status {
                                       if (broken) return error(Code::kIo, Detail::kIo, "gone");
                                       std::memcpy(dst.data(), file.bytes.data() + offset, dst.size());
                                       return {};
                                   }});
    trust::Policy policy;
    policy.allow_unprotected = policy.allow_unsigned = true;
    runtime::LoadOptions options;
    options.lazy = true;
    const auto loaded = runtime::load(std::move(source), policy, {}, options);
    REQUIRE(loaded.ok());
    const auto runner = runner_of(loaded->model);
    broken = true;
    CHECK(run(*runner, {condition(true), noise({2, 128}, 9)}).error().code() == Code::kIo);
    broken = false;
    CHECK(run(*runner, {condition(true), noise({2, 128}, 9)}).error().code() == Code::kIo);
}

TEST_CASE("lazy: a forked child cannot open what its parent did not") {
    const Builder b = two_branches();
    const Tensor x = noise({2, 128}, 9);
    File file(b.model);
    const auto loaded = file.load(true);
    const auto runner = runner_of(loaded->model);
    REQUIRE(run(*runner, {condition(true), x}).ok());
    CHECK(in_child([&] {
              if (!run(*runner, {condition(true), x}).ok()) return 1;
              const Status status = run(*runner, {condition(false), x});
              return !status.ok() && status.error().code() == Code::kInvalidArgument ? 0 : 2;
          }) == 0);
    REQUIRE(run(*runner, {condition(false), x}).ok());
    CHECK(in_child([&] { return run(*runner_of(loaded->model), {condition(false), x}).ok() ? 0 : 1; }) == 0);
}

TEST_CASE("lazy: runners of several threads open the same weights") {
    Builder b;
    auto x = b.input("x", type(DType::kFloat, {-1, 96}));
    for (uint32_t i = 0; i < 8; ++i) {
        const auto w = b.constant("w" + std::to_string(i), noise({96, 96}, i));
        x = b.node("Tanh", {b.node("MatMul", {x, w})});
    }
    b.output(x, "y", type(DType::kFloat, {-1, 96}));
    File file(b.model);
    const auto reference = runner_of(file.load(false)->model);
    file.reads.clear();
    const auto loaded = file.load(true);
    const Tensor input = noise({3, 96}, 3);
    REQUIRE(run(*reference, {input}).ok());
    const std::vector<float> expected = floats(reference->output(0));
    std::atomic<int> right{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            const auto runner = runner_of(loaded->model);
            for (int k = 0; k < 3; ++k) {
                if (run(*runner, {input}).ok() && floats(runner->output(0)) == expected) ++right;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(right == 12);
    CHECK(file.each_once());
}

// Every packing that calls itself a move, in one model; each constant is larger than what is too small to give back.
TEST_CASE("what packing gave back comes back byte for byte") {
    Builder b;
    const auto x = b.input("x", type(DType::kFloat, {1, 37, 9, 9}));
    // Implicit, pointwise, grouped and depthwise products; ragged counts of channels.
    auto y = b.node("Conv", {x, b.constant("conv", noise({53, 37, 3, 3}, 1))});
    y = b.node("Conv", {y, b.constant("pointwise", noise({152, 53, 1, 1}, 2))});
    y = b.node("Conv", {y, b.constant("grouped", noise({120, 38, 3, 3}, 3))}, {{"group", int64_t{4}}});
    y = b.node("ConvTranspose", {y, b.constant("transposed", noise({120, 7, 5, 5}, 4))});
    y = b.node("Reshape", {y, b.constant("shape", Tensor::of<int64_t>(std::array<int64_t, 3>{81, 1, 7}))});
    y = b.node("Concat", {y, y, y, y, y, y, y}, {{"axis", int64_t{2}}});
    const auto lstm = b.node(
        "LSTM", {y, b.constant("lstm w", noise({2, 4 * 43, 49}, 5)), b.constant("lstm r", noise({2, 4 * 43, 43}, 6))},
        {{"hidden_size", int64_t{43}}, {"direction", std::string("bidirectional")}});
    b.output(lstm, "y lstm", {});
    const auto gru = b.node(
        "GRU", {y, b.constant("gru w", noise({1, 3 * 75, 49}, 7)), b.constant("gru r", noise({1, 3 * 75, 75}, 8))},
        {{"hidden_size", int64_t{75}}});
    b.output(gru, "y gru", {});
    const auto rows = b.node("Reshape", {y, b.constant("flat", Tensor::of<int64_t>(std::array<int64_t, 2>{81, 49}))});
    const auto product = b.node("MatMul", {rows, b.constant("matmul", noise({49, 101}, 9))});
    const auto gemm = b.node("Gemm", {product, b.constant("gemm", noise({83, 101}, 10))}, {{"transB", int64_t{1}}});
    b.output(gemm, "y gemm", {});
    const auto bytes = b.input("bytes", type(DType::kUint8, {5, 260}));
    b.output(b.node("MatMulInteger", {bytes, b.constant("signed", integers(DType::kInt8, {260, 67}, 11))}), "s", {});
    b.output(b.node("MatMulInteger",
                    {bytes, b.constant("unsigned", integers(DType::kUint8, {260, 67}, 12)),
                     b.constant("x zero", scalar<uint8_t>(3)), b.constant("w zero", scalar<uint8_t>(130))}),
             "u", {});
    const auto picture = b.input("picture", type(DType::kUint8, {1, 18, 7, 7}));
    b.output(b.node("QLinearConv", {picture, b.constant("px", scalar(0.1f)), b.constant("pz", scalar<uint8_t>(7)),
                                    b.constant("qconv", integers(DType::kInt8, {107, 18, 3, 3}, 13)),
                                    b.constant("ws", scalar(0.01f)), b.constant("wz", scalar<int8_t>(0)),
                                    b.constant("ys", scalar(0.2f)), b.constant("yz", scalar<uint8_t>(5))}),
             "q", {});

    // The last one is large.
    const auto wide = b.input("wide", type(DType::kFloat, {1, 512}));
    b.output(b.node("MatMul", {wide, b.constant("large", noise({512, 520}, 14))}), "large product", {});

    const bool narrow = GENERATE(false, true);
    if (narrow) {
        for (graph::Constant& constant : b.model.constants) round_to_halves(constant.tensor);
    }
    File file(b.model);
    const auto plain = runner_of(b.build());
    const std::vector<Tensor> inputs = {noise({1, 37, 9, 9}, 20), integers(DType::kUint8, {5, 260}, 21),
                                        integers(DType::kUint8, {1, 18, 7, 7}, 22), noise({1, 512}, 23)};
    REQUIRE(run(*plain, inputs).ok());
    for (bool lazy : {false, true}) {
        const auto loaded = file.load(lazy);
        REQUIRE(loaded.ok());
        const auto runner = runner_of(loaded->model);
        runtime::WeightStore& weights = loaded->model->weights();
        const Status ran = run(*runner, inputs);
        if (!ran.ok()) FAIL(ran.error().message());
        for (size_t i = 0; i < b.model.graphs[0].outputs.size(); ++i) {
            const auto a = plain->output(i).tensor.bytes(), c = runner->output(i).tensor.bytes();
            CHECK(std::ranges::equal(a, c));
        }
        CHECK(weights.staged_bytes() == (narrow ? 512 * 520 * 4 : 0));
        size_t given_back = 0;
        {
            const auto planning = weights.begin();
            REQUIRE(planning.ok());
            for (size_t i = 0; i < b.model.constants.size(); ++i) {
                const Tensor& original = b.model.constants[i].tensor;
                const Tensor& own = loaded->model->graph().constants[i].tensor;
                if (!weights.is_open(own.view())) ++given_back;
                const auto opened = weights.open(own.view());
                if (!opened.ok()) FAIL(b.model.constants[i].name << ": " << opened.error().message());
                INFO(b.model.constants[i].name);
                CHECK(std::ranges::equal(original.bytes(), Tensor::wrap(*opened, nullptr).bytes()));
            }
        }
        // On rows whose 8-bit packing is no move the three integer weights stay.
        CHECK(given_back >= 11);
        CHECK(given_back <= 14);
        REQUIRE(run(*runner, inputs).ok());
        CHECK(std::ranges::equal(plain->output(2).tensor.bytes(), runner->output(2).tensor.bytes()));
    }
}

TEST_CASE("weights are not held twice") {
    Builder b;
    auto x = b.input("x", type(DType::kFloat, {-1, 512}));
    for (uint32_t i = 0; i < 8; ++i)
        x = b.node("MatMul", {x, b.constant("w" + std::to_string(i), noise({512, 512}, i))});
    b.output(x, "y", type(DType::kFloat, {-1, 512}));
    const bool narrow = GENERATE(false, true);
    if (narrow) {
        for (graph::Constant& constant : b.model.constants) round_to_halves(constant.tensor);
    }
    File file(b.model);
    for (bool lazy : {false, true}) {
        const auto loaded = file.load(lazy);
        const auto runner = runner_of(loaded->model);
        REQUIRE(run(*runner, {noise({4, 512}, 1)}).ok());
        CHECK(loaded->model->weights().packed_bytes() == 8 * 512 * 512 * 4);
        CHECK(loaded->model->weights().own_bytes() < 1024);
        CHECK(loaded->model->weights().staged_bytes() == (narrow ? 512 * 512 * 4 : 0));
        // Other shapes use the same packed form and bring nothing back.
        REQUIRE(run(*runner, {noise({33, 512}, 1)}).ok());
        CHECK(loaded->model->weights().own_bytes() < 1024);
        CHECK(loaded->model->weights().packed_bytes() == 8 * 512 * 512 * 4);
    }
}

// Packed in a row, each goes into the place of the one before; wanted again, all are restored, into memory that they
// take turns in.
TEST_CASE("tensors whose places were taken come back, in any order, without taking more and more memory") {
    for (const int64_t n : {48, 264}) {  // small ones share a block, large ones have one of their own
        Builder b;
        auto x = b.input("x", type(DType::kFloat, {4, n}));
        for (uint32_t i = 0; i < 6; ++i)
            x = b.node("MatMul", {x, b.constant("w" + std::to_string(i), noise({n, n}, i))});
        b.output(x, "y", type(DType::kFloat, {4, n}));
        File file(b.model);
        const auto plain = runner_of(b.build());
        const auto loaded = file.load(false);
        const auto runner = runner_of(loaded->model);
        const Tensor input = noise({4, n}, 9);
        REQUIRE(run(*plain, {input}).ok());
        REQUIRE(run(*runner, {input}).ok());
        runtime::WeightStore& weights = loaded->model->weights();
        const auto look_at = [&](size_t i) {
            const TensorView view = loaded->model->graph().constants[i].tensor.view();
            const auto now = weights.open(view);
            if (!now.ok()) FAIL(now.error().message());
            CHECK(std::ranges::equal(b.model.constants[i].tensor.bytes(), Tensor::wrap(*now, nullptr).bytes()));
            weights.release(view);
        };
        const auto mappings = [] {
            std::ifstream maps("/proc/self/maps");
            return std::count(std::istreambuf_iterator<char>(maps), {}, '\n');
        };
        size_t elsewhere = 0;
        for (size_t i = 0; i < 6; ++i)
            elsewhere += !weights.is_open(loaded->model->graph().constants[i].tensor.view());
        CHECK(elsewhere == 6);
        long before = 0;
        const std::vector<size_t> order =
            n == 48 ? std::vector<size_t>{0, 1, 0, 5, 3, 1, 0} : std::vector<size_t>{0, 1};
        for (int round = 0; round < 8; ++round) {
            {
                const auto planning = weights.begin();
                for (const size_t i : order) look_at(i);
            }
            CHECK(weights.own_bytes() == 0);
            if (round == 1) before = mappings();
        }
        CHECK(mappings() < before + 10);  // the sanitizers make some of their own
        REQUIRE(run(*runner, {input}).ok());
        CHECK(floats(runner->output(0)) == floats(plain->output(0)));
    }
}

TEST_CASE("a plan made later reads where it lies what an earlier one packed and gave back") {
    Builder b;
    b.model.graphs.emplace_back();
    b.model.graphs.emplace_back();
    const auto condition_in = b.input("condition", type(DType::kBool, {}));
    const auto x = b.input("x", type(DType::kFloat, {2, 512}));
    const auto w = b.constant("w", noise({512, 520}, 1));
    const auto product = b.node("MatMul", {x, w});
    for (size_t g : {size_t{1}, size_t{2}}) {
        const auto inner = b.input("inner", type(DType::kFloat, {2, 520}), g);
        graph::Graph& branch = b.model.graphs[g];
        const auto again = branch.add_value("again", {});
        branch.values[again].constant = b.model.graphs[0].values[w].constant;
        const auto row = b.node("Gather", {again, b.constant("row", scalar<int64_t>(g == 1 ? 3 : 500), g)}, {}, g);
        b.output(b.node("Add", {inner, row}, {}, g), "sum", type(DType::kFloat, {2, 520}), g);
    }
    b.output(
        b.node("If", {condition_in, product},
               {{"then_branch", graph::GraphRef{1}}, {"else_branch", graph::GraphRef{2}}, {"captures", int64_t{1}}}),
        "y", type(DType::kFloat, {2, 520}));
    File file(b.model);
    const auto plain = runner_of(b.build());
    for (const auto& [lazy, lock] : {std::pair{false, false}, {true, false}, {false, true}, {true, true}}) {
        file.reads.clear();
        const auto loaded = file.load(lazy, trust::Integrity::kFull, lock);
        if (lock && !loaded.ok() && loaded.error().code() == Code::kLimit) {
            WARN("skipped: no memory may be locked");
            continue;
        }
        REQUIRE(loaded.ok());
        const auto runner = runner_of(loaded->model);
        REQUIRE(runner->bind_input(0, Value(condition(true))).ok());
        REQUIRE(runner->bind_input(1, Value(noise({2, 512}, 2))).ok());
        REQUIRE(runner->prepare().ok());
        CHECK(loaded->model->weights().own_bytes() < 4096);
        const long locked = locked_bytes();
        for (bool way : {true, false, true}) {
            REQUIRE(run(*plain, {condition(way), noise({2, 512}, 2)}).ok());
            REQUIRE(run(*runner, {condition(way), noise({2, 512}, 2)}).ok());
            CHECK(floats(runner->output(0)) == floats(plain->output(0)));
        }
        CHECK(loaded->model->weights().own_bytes() >= 512 * 520 * 4);
        if (lock && locked > 0) CHECK(locked_bytes() >= locked + 512 * 520 * 4);
        CHECK(file.each_once());
    }
}

TEST_CASE("a constant that one node packs and another reads is there for both") {
    Builder b;
    const auto x = b.input("x", type(DType::kFloat, {-1, 128}));
    const auto w = b.constant("w", noise({128, 128}, 1));
    const auto y = b.node("MatMul", {x, w});
    b.output(b.node("Gather", {w, b.constant("rows", Tensor::of<int64_t>(std::array<int64_t, 2>{5, 77}))}),
             "rows out", type(DType::kFloat, {2, 128}));
    b.output(y, "y", type(DType::kFloat, {-1, 128}));
    File file(b.model);
    const auto plain = runner_of(b.build());
    REQUIRE(run(*plain, {noise({4, 128}, 2)}).ok());
    for (bool lazy : {false, true}) {
        const auto runner = runner_of(file.load(lazy)->model);
        for (int i = 0; i < 2; ++i) {
            REQUIRE(run(*runner, {noise({4, 128}, 2)}).ok());
            CHECK(floats(runner->output(0)) == floats(plain->output(0)));
            CHECK(floats(runner->output(1)) == floats(plain->output(1)));
        }
    }
}

TEST_CASE("packed weights stay within the memory limit") {
    Builder b;
    const auto x = b.input("x", type(DType::kFloat, {1, 512}));
    // The kernels pad 33 columns to 36 or more.
    b.output(b.node("MatMul", {x, b.constant("w", noise({512, 33}, 1))}), "y", type(DType::kFloat, {1, 33}));
    for (const bool fits : {false, true}) {
        runtime::ModelOptions options;
        options.max_memory = fits ? 1'000'000 : 70'000;
        const auto runner = runner_of(runtime::Model::create(b.model, options).value());
        const Status status = run(*runner, {noise({1, 512}, 2)});
        CHECK(status.ok() == fits);
        if (fits) continue;
        CHECK(status.error().code() == Code::kLimit);
        CHECK(status.error().message().find("packed weights") != std::string::npos);
    }
}

#ifndef COFFER_TEST_SANITIZED  // the sanitizers replace mlock by nothing, which always succeeds
TEST_CASE("weights that cannot be locked in memory are an error of the open") {
    const Builder b = two_branches();
    File file(b.model);
    CHECK(in_child([&] {
              const rlimit none{0, 0};
              if (::setrlimit(RLIMIT_MEMLOCK, &none) != 0) return 1;
              if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) return 2;
              const auto locked = file.load(false, trust::Integrity::kFull, true);
              if (locked.ok() || locked.error().code() != Code::kLimit) return 3;
              return file.load(false).ok() ? 0 : 4;
          }) == 0);
    CHECK(in_child([&] {
              const rlimit some{size_t{4} << 20, size_t{4} << 20};
              if (::setrlimit(RLIMIT_MEMLOCK, &some) != 0) return 1;
              const auto locked = file.load(false, trust::Integrity::kFull, true);
              if (!locked.ok()) return 3;
              const auto runner = runner_of(locked->model);
              return run(*runner, {condition(true), noise({2, 128}, 9)}).ok() ? 0 : 4;
          }) == 0);
}
#endif
