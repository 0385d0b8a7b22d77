// What goes into a file comes out of it.
#include <algorithm>
#include <thread>

#include "fixture.hpp"

namespace coffer::container::test {

bool same(const Tensor& a, const Tensor& b) {
    if (a.dtype() != b.dtype() || a.shape() != b.shape()) return false;
    if (a.dtype() != DType::kString) return std::ranges::equal(a.bytes(), b.bytes());
    return std::ranges::equal(a.span<PrivateString>(), b.span<PrivateString>());
}

namespace {

bool same_value(const graph::AttrValue& a, const graph::AttrValue& b) {
    if (a.index() != b.index()) return false;
    if (const auto* t = std::get_if<Tensor>(&a)) return same(*t, std::get<Tensor>(b));
    if (const auto* g = std::get_if<graph::GraphRef>(&a)) return g->index == std::get<graph::GraphRef>(b).index;
    if (const auto* f = std::get_if<float>(&a)) {
        return std::bit_cast<uint32_t>(*f) == std::bit_cast<uint32_t>(std::get<float>(b));
    }
    if (const auto* i = std::get_if<int64_t>(&a)) return *i == std::get<int64_t>(b);
    if (const auto* s = std::get_if<std::string>(&a)) return *s == std::get<std::string>(b);
    if (const auto* v = std::get_if<PrivateVector<int64_t>>(&a)) return *v == std::get<PrivateVector<int64_t>>(b);
    if (const auto* v = std::get_if<PrivateVector<float>>(&a)) return *v == std::get<PrivateVector<float>>(b);
    return std::get<PrivateVector<PrivateString>>(a) == std::get<PrivateVector<PrivateString>>(b);
}

}  // namespace

void require_same(const graph::Model& a, const graph::Model& b) {
    CHECK(a.producer == b.producer);
    CHECK(a.name == b.name);
    CHECK(a.version == b.version);
    CHECK(a.metadata == b.metadata);
    REQUIRE(a.constants.size() == b.constants.size());
    for (size_t i = 0; i < a.constants.size(); ++i) {
        CHECK(a.constants[i].name == b.constants[i].name);
        CHECK(same(a.constants[i].tensor, b.constants[i].tensor));
    }
    REQUIRE(a.graphs.size() == b.graphs.size());
    for (size_t i = 0; i < a.graphs.size(); ++i) {
        const graph::Graph &g = a.graphs[i], &h = b.graphs[i];
        CHECK(g.name == h.name);
        CHECK(g.inputs == h.inputs);
        CHECK(g.outputs == h.outputs);
        REQUIRE(g.values.size() == h.values.size());
        for (size_t k = 0; k < g.values.size(); ++k) {
            CHECK(g.values[k].name == h.values[k].name);
            CHECK(g.values[k].constant == h.values[k].constant);
            CHECK(g.values[k].type.kind == h.values[k].type.kind);
            CHECK(g.values[k].type.dtype == h.values[k].type.dtype);
            CHECK(g.values[k].type.dims == h.values[k].type.dims);
        }
        REQUIRE(g.nodes.size() == h.nodes.size());
        for (size_t k = 0; k < g.nodes.size(); ++k) {
            const graph::Node &n = g.nodes[k], &o = h.nodes[k];
            CHECK(n.op == o.op);
            CHECK(n.name == o.name);
            CHECK(n.inputs == o.inputs);
            CHECK(n.outputs == o.outputs);
            REQUIRE(n.attrs.size() == o.attrs.size());
            for (size_t j = 0; j < n.attrs.size(); ++j) {
                CHECK(n.attrs[j].name == o.attrs[j].name);
                CHECK(same_value(n.attrs[j].value, o.attrs[j].value));
            }
        }
    }
    REQUIRE(a.states.size() == b.states.size());
    for (size_t i = 0; i < a.states.size(); ++i) {
        CHECK(a.states[i].input == b.states[i].input);
        CHECK(a.states[i].output == b.states[i].output);
        REQUIRE(a.states[i].initial.has_value() == b.states[i].initial.has_value());
        if (a.states[i].initial) CHECK(same(*a.states[i].initial, *b.states[i].initial));
    }
    REQUIRE(a.blobs.size() == b.blobs.size());
    for (size_t i = 0; i < a.blobs.size(); ++i) {
        CHECK(a.blobs[i].name == b.blobs[i].name);
        CHECK(a.blobs[i].bytes == b.blobs[i].bytes);
    }
}

namespace {

Tensor filled(DType dtype, const Shape& shape) {
    Tensor t = Tensor::create(dtype, shape).value();
    auto* bytes = static_cast<uint8_t*>(t.view().data);
    for (size_t i = 0; i < t.nbytes(); ++i)
        bytes[i] = static_cast<uint8_t>(dtype == DType::kBool ? i % 2 : 37 * i + 5);
    return t;
}

graph::Model everything() {
    graph::Model m = small_model();
    m.metadata = {{"author", "Ada"}, {"note", ""}, {"größe", "ü\n"}};
    graph::Graph& g = m.graphs[0];
    for (int d = 1; d < kDTypeCount; ++d) {
        const auto dtype = static_cast<DType>(d);
        if (dtype == DType::kString) continue;
        const std::string name = dtype_name(dtype);
        m.add_constant(g, name, filled(dtype, Shape{3, 5}));
        m.add_constant(g, name + "/empty", filled(dtype, Shape{4, 0, 8}));
        m.add_constant(g, name + "/scalar", filled(dtype, Shape{}));
    }
    const std::vector<PrivateString> words = {"", "a", "naïve", PrivateString("nul\0inside", 10), ""};
    m.add_constant(g, "words", Tensor::of<PrivateString>(words));
    m.add_constant(g, "no words", Tensor::create(DType::kString, Shape{0}).value());
    m.constants.push_back({"tied, used twice and unused by name", m.constants[0].tensor});

    const auto sequence = g.add_value("seq", {ValueKind::kSequence, DType::kFloat, std::nullopt});
    const auto optional =
        g.add_value("opt", {ValueKind::kOptional, DType::kInt64, std::vector<graph::Dim>{{-1, "batch"}, {4, ""}}});
    const auto unknown =
        g.add_value("dyn", {ValueKind::kTensor, DType::kUndefined, std::vector<graph::Dim>{{-1, ""}, {0, ""}}});
    graph::Node node{
        "com.microsoft::Attention", "naïve node", {g.inputs[0], graph::kAbsent}, {sequence, graph::kAbsent}};
    node.attrs = {
        {"int", int64_t{-9'000'000'000}},
        {"zero", int64_t{0}},
        {"float", 1.25f},
        {"negative zero", -0.0f},
        {"string", std::string("text with \n and ü")},
        {"empty string", std::string()},
        {"ints", PrivateVector<int64_t>{1, -2, 3}},
        {"no ints", PrivateVector<int64_t>{}},
        {"floats", PrivateVector<float>(64, 0.5f)},
        {"strings", PrivateVector<PrivateString>{"", "b"}},
        {"tensor", Tensor::scalar<double>(3.5)},
        {"string tensor", Tensor::of<PrivateString>(words)},
    };
    PrivateVector<int64_t> many(91'490);
    for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<int64_t>(i) - 7;
    node.set("many ints", many);
    node.set("many floats", PrivateVector<float>(65, 2.5f));
    node.set("many strings", PrivateVector<PrivateString>(65, "word"));
    g.nodes.push_back(node);
    g.nodes.push_back({"OptionalOp", "", {sequence}, {optional, unknown}, {}});

    g.inputs.push_back(g.add_value("state_in", graph::Type::tensor(DType::kFloat, Shape{2})));
    const auto state_out = g.add_value("state_out", graph::Type::tensor(DType::kFloat, Shape{2}));
    g.nodes.push_back({"Identity", "carry", {g.inputs.back()}, {state_out}, {}});
    g.outputs.push_back(state_out);
    const std::vector<float> initial = {1, 2};
    m.states = {{"state_in", "state_out", Tensor::of<float>(initial)}};

    // A chain of subgraphs as deep as is allowed.
    for (uint32_t depth = 1; depth <= graph::kMaxDepth; ++depth) {
        graph::Graph sub;
        sub.name = "sub" + std::to_string(depth);
        sub.inputs = {sub.add_value("in", {})};
        const auto out = sub.add_value("out", {});
        sub.nodes.push_back({"Identity", "i", {sub.inputs[0]}, {out}, {}});
        sub.outputs = {out};
        m.graphs.push_back(std::move(sub));
    }
    for (uint32_t depth = 0; depth < graph::kMaxDepth; ++depth) {
        graph::Graph& parent = m.graphs[depth];
        const auto out = parent.add_value("if", {});
        parent.nodes.push_back({"If", "", {parent.inputs[0]}, {out}, {{"then_branch", graph::GraphRef{depth + 1}}}});
    }
    m.blobs = {{"labels.txt", {std::byte{'a'}, std::byte{'\n'}}}, {"empty.bin", {}}};
    return m;
}

}  // namespace

TEST_CASE("a model with everything comes back in both suites, through every kind of slot") {
    const graph::Model model = everything();
    struct Case {
        Recipient recipient;
        trust::Keyring ring;
        uint16_t kind;
    };
    std::vector<Case> cases;
    cases.push_back({keys().raw(), keys().raw_ring(), 1});
    cases.push_back({keys().x25519(), keys().x25519_ring(), 2});
    cases.push_back({keys().password(), Keys::password_ring("correct horse"), 3});
    for (const auto suite : {crypto::Suite::kAes256Gcm, crypto::Suite::kChaCha20Poly1305}) {
        for (const Case& c : cases) {
            WriteOptions options = signed_options({c.recipient});
            options.suite = suite;
            options.created = 1'700'000'000;
            options.fingerprint = {std::byte{1}, std::byte{2}};
            const FileBytes file = pack(model, options);
            auto opened = open(Source::memory(file), keys().policy(), c.ring);
            if (!opened.ok()) FAIL(opened.error().message());
            require_same(model, opened->model);
            CHECK(opened->slot_kind == c.kind);
            CHECK(opened->facts.signers == std::vector{keys().signer.signer().id});
            CHECK(opened->facts.header.created == 1'700'000'000);
            CHECK(opened->fingerprint == options.fingerprint);
        }
    }
}

TEST_CASE("file, memory and reader sources give the same model, serial and parallel, whole or AEAD only") {
    const graph::Model model = model_with_bytes(5'000'000);
    const Folder dir;
    const std::string path = dir / "m.coffer";
    REQUIRE(write(model, signed_options({keys().x25519()}), path).ok());
    const FileBytes bytes = read_all(path);
    const auto by_reader = [&] {
        return Source::reader({[&]() -> Result<uint64_t> { return bytes.size(); },
                               [&](uint64_t offset, MutableBytes dst) -> Status {
                                   std::memcpy(dst.data(), bytes.data() + offset, dst.size());
                                   return {};
                               }});
    };
    OpenOptions threads;
    threads.parallel.run = [](void*, size_t n, void (*task)(void*, size_t), void* arg) {
        std::thread other([&] {
            for (size_t i = 1; i < n; i += 2) task(arg, i);
        });
        for (size_t i = 0; i < n; i += 2) task(arg, i);
        other.join();
    };
    for (const auto integrity : {trust::Integrity::kFull, trust::Integrity::kAeadOnly}) {
        trust::Policy policy = keys().policy();
        policy.integrity = integrity;
        for (const OpenOptions& options : {OpenOptions{}, threads}) {
            for (const Source& source : {Source::file(path), Source::memory(bytes), by_reader()}) {
                auto opened = open(source, policy, keys().x25519_ring(), options);
                REQUIRE(opened.ok());
                require_same(model, opened->model);
            }
        }
    }
    CHECK(verify(Source::file(path), keys().policy(), threads.parallel).ok());
}

TEST_CASE("the weights outlive everything but their tensors") {
    Tensor kept;
    {
        auto opened = open(Source::memory(pack(model_with_bytes(100'000), signed_options({keys().raw()}))),
                           keys().policy(), keys().raw_ring());
        REQUIRE(opened.ok());
        kept = opened->model.constants.back().tensor;
    }
    CHECK(same(kept, model_with_bytes(100'000).constants.back().tensor));
    CHECK(reinterpret_cast<uintptr_t>(kept.view().data) % kItemAlign == 0);
}

TEST_CASE("a model without any data, and every size around a chunk") {
    graph::Model empty = small_model();
    empty.constants.clear();
    empty.graphs[0] = {};
    empty.graphs[0].inputs = {empty.graphs[0].add_value("x", {})};
    empty.graphs[0].outputs = empty.graphs[0].inputs;
    for (const bool pad : {false, true}) {
        WriteOptions options = signed_options({keys().raw()});
        options.pad_payload = pad;
        auto opened = open(Source::memory(pack(empty, options)), keys().policy(), keys().raw_ring());
        REQUIRE(opened.ok());
        CHECK(opened->facts.header.n_chunks == 0);
        for (size_t n : {16'383 - 64, 16'384 - 64, 16'385 - 64, 2 * 16'384 - 64, 3 * 16'384 - 63}) {
            const graph::Model model = model_with_bytes(n);
            auto again = open(Source::memory(pack(model, options)), keys().policy(), keys().raw_ring());
            REQUIRE(again.ok());
            require_same(model, again->model);
            if (!pad) CHECK(again->facts.header.payload_len == 64 + n);
        }
    }
}

TEST_CASE("equal models have equal plaintext digests and nothing else in common") {
    const Folder dir;
    OpenOptions digests;
    digests.digests = true;
    auto a = write(everything(), signed_options({keys().raw()}), dir / "a");
    auto b = write(everything(), signed_options({keys().raw()}), dir / "b");
    REQUIRE(a.ok());
    REQUIRE(b.ok());
    CHECK(a->manifest_sha256 == b->manifest_sha256);
    CHECK(a->payload_sha256 == b->payload_sha256);
    CHECK(a->content_id != b->content_id);
    auto opened = open(Source::file(dir / "a"), keys().policy(), keys().raw_ring(), digests);
    REQUIRE(opened.ok());
    CHECK(opened->manifest_sha256 == a->manifest_sha256);
    CHECK(opened->payload_sha256 == a->payload_sha256);
    const FileBytes x = read_all(dir / "a"), y = read_all(dir / "b");
    const uint64_t off = opened->facts.header.payload_off;
    size_t equal = 0;
    for (size_t i = off; i < off + 1000; ++i) equal += x[i] == y[i];
    CHECK(equal < 30);  // 1000 / 256 are expected
}

TEST_CASE("overhead stays small") {
    const FileBytes file = pack(model_with_bytes(1 << 20), [] {
        WriteOptions o = signed_options({keys().x25519()});
        o.chunk_log2 = 0;
        return o;
    }());
    auto facts = inspect(Source::memory(file));
    REQUIRE(facts.ok());
    CHECK(file.size() - facts->header.manifest_len <= (1 << 20) * 1.001 + 16 * 1024);
}

TEST_CASE("inspect shows what is in the clear and needs nothing") {
    const FileBytes file = pack(small_model(), signed_options({keys().raw(), keys().x25519()}));
    auto facts = inspect(Source::memory(file));
    REQUIRE(facts.ok());
    CHECK(facts->header.model_version == 7);
    REQUIRE(facts->signatures.size() == 1);
    CHECK(facts->signatures[0].key_id == keys().signer.signer().id);
    REQUIRE(facts->slots.size() == 2);
    CHECK(facts->slots[0].kind == 1);
    CHECK(facts->slots[1].kind == 2);
    CHECK(facts->slots_generation == 1);
}

TEST_CASE("op versions are recorded and a reader may refuse them") {
    WriteOptions options = signed_options({keys().raw()});
    options.op_version = [](std::string_view op) { return op == "Add" ? uint16_t{14} : uint16_t{0}; };
    const FileBytes file = pack(small_model(), options);
    OpenOptions strict;
    std::vector<std::string> seen;
    strict.check_op = [&](std::string_view op, uint16_t version) -> Status {
        seen.push_back(std::string(op) + " " + std::to_string(version));
        return version > 13 ? Status(error(Code::kUnsupported, Detail::kUnsupported, "newer")) : Status();
    };
    CHECK(open_class(file, keys().policy(), keys().raw_ring(), strict) == Detail::kUnsupported);
    CHECK(seen == std::vector<std::string>{"Add 14"});
}

}  // namespace coffer::container::test
