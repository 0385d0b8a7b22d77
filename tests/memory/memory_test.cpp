// docs/format.md 5.12, from outside: a process with a model open is aborted and its core dump searched for the file
// key, all that is derived from it, and runs of weights, coefficients, text and attached bytes; another is searched
// after it closed everything. Each search is made once more for a secret that was leaked on purpose, so that "nothing
// found" means something.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <functional>

#include "codec/codec.hpp"
#include "container/fixture.hpp"
#include "container/keys.hpp"
#include "crypto/pem.hpp"
#include "runtime/graphs.hpp"

namespace coffer::container::test {
namespace {

namespace fs = std::filesystem;

struct Secret {
    std::string name;
    FileBytes bytes;
};

FileBytes copy(Bytes bytes) {
    return {bytes.begin(), bytes.end()};
}
std::string hex(Bytes bytes) {
    std::string out;
    for (const std::byte b : bytes) {
        char digits[3];
        std::snprintf(digits, sizeof digits, "%02x", std::to_integer<unsigned>(b));
        out += digits;
    }
    return out;
}

PrivateVector<float> noise(size_t count, uint32_t seed) {
    const Tensor t = coffer::test::noise({static_cast<int64_t>(count)}, seed);
    return {t.span<float>().begin(), t.span<float>().end()};
}
PrivateVector<PrivateString> words(const char* stem, int64_t count) {
    PrivateVector<PrivateString> list;
    for (int64_t i = 0; i < count; ++i) {
        list.emplace_back(stem + std::string(", a word that nobody may find, number ") + std::to_string(i));
    }
    return list;
}

// One complete tree of 127 nodes over 24 features.
std::vector<graph::Attr> tree() {
    constexpr int64_t kNodes = 127, kInner = 63;
    PrivateVector<int64_t> zeros(kNodes), ids, features, yes, no, leaves;
    PrivateVector<PrivateString> modes;
    for (int64_t i = 0; i < kNodes; ++i) {
        const bool inner = i < kInner;
        ids.push_back(i);
        features.push_back(i % 24);
        yes.push_back(inner ? 2 * i + 1 : 0);
        no.push_back(inner ? 2 * i + 2 : 0);
        modes.emplace_back(inner ? "BRANCH_LEQ" : "LEAF");
        if (!inner) leaves.push_back(i);
    }
    const PrivateVector<int64_t> targets(leaves.size());
    return {{"nodes_treeids", zeros},
            {"nodes_nodeids", ids},
            {"nodes_featureids", features},
            {"nodes_modes", modes},
            {"nodes_values", noise(kNodes, 5)},
            {"nodes_truenodeids", yes},
            {"nodes_falsenodeids", no},
            {"target_treeids", targets},
            {"target_nodeids", leaves},
            {"target_ids", targets},
            {"target_weights", noise(leaves.size(), 6)}};
}

Tensor table() {
    Tensor t = Tensor::create(DType::kUint8, {256}).value();
    const Tensor bytes = coffer::test::noise({64}, 8);
    std::memcpy(t.view().data, bytes.view().data, 256);
    return t;
}

// A model with weights in every place they come to: packed for kernels, as they are, folded at plan time, in long and
// short lists, in text; and with attached files.
graph::Model model() {
    coffer::test::Builder b;
    const auto x = b.input("x", coffer::test::type(DType::kFloat, {-1, 3, 16, 16}));
    const auto conv = b.node("Conv", {x, b.constant("w", coffer::test::noise({24, 3, 3, 3}, 1))});
    const auto flat = b.node("Flatten", {b.node("GlobalAveragePool", {conv})});
    const auto folded = b.node("Neg", {b.constant("folded", coffer::test::noise({24, 40}, 3))});
    const auto y = b.node("MatMul", {flat, folded});
    const auto z = b.node("Add", {y, b.constant("shift", coffer::test::noise({1, 40}, 4))});
    b.output(z, "z");
    b.output(b.node("ai.onnx.ml::TreeEnsembleRegressor", {flat}, tree()), "forest");
    b.output(b.node("ai.onnx.ml::LinearRegressor", {flat}, {{"coefficients", noise(24, 7)}}), "line");
    // A plan holds a copy of such a table.
    const auto bytes = b.node("QuantizeLinear", {flat, b.constant("scale", Tensor::scalar(0.01f))});
    b.output(b.node("ai.coffer::QTable", {bytes, b.constant("table", table())}), "looked up");
    const auto best = b.node("ArgMax", {z}, {{"axis", int64_t{1}}});
    const auto text = b.constant("words", Tensor::of<PrivateString>(words("constant", 40)));
    b.output(b.node("Gather", {text, best}), "word");
    b.output(b.node("ai.onnx.ml::LabelEncoder", {best},
                    {{"keys_int64s", PrivateVector<int64_t>{0, 1, 2}}, {"values_strings", words("label", 3)}}),
             "label");
    Tensor halves = coffer::test::noise({24, 40}, 9);
    coffer::test::round_to_halves(halves);
    b.output(b.node("MatMul", {flat, b.constant("narrow", halves)}), "of narrow weights");
    for (const size_t size : {size_t{100}, size_t{50'000}}) {
        const PrivateVector<float> numbers = noise(size / sizeof(float), static_cast<uint32_t>(size));
        const Bytes view = std::as_bytes(std::span(numbers));
        b.model.blobs.push_back({"attached " + std::to_string(size), {view.begin(), view.end()}});
    }
    b.model.name = "com.acme.detector";
    b.model.version = 7;
    return b.model;
}

// A sealed file on disk, and everything about it that nobody may find.
struct Sealed {
    Folder dir;
    std::string path = dir / "m.coffer", key = dir / "kek", signer = dir / "vendor.pub";
    std::vector<Secret> secrets;

    Sealed() {
        const graph::Model m = model();
        const FileBytes file = pack(m, signed_options({keys().raw(), keys().x25519()}));
        write_file(path, file);
        write_file(key, keys().kek);
        fs::permissions(key, fs::perms::owner_read);
        write_file(signer, as_bytes(crypto::ed25519_public_to_pem(keys().signer.signer().public_key).value()));

        const Header header = inspect(Source::memory(file))->header;
        const auto slots = parse_slots(Bytes(file).subspan(header.body_len), {});
        const Slots* const lists[] = {&*slots};
        const auto unwrapped = unwrap(lists, header, keys().raw_ring(), keys().policy());
        REQUIRE(unwrapped.ok());
        const crypto::SecretBytes& dek = unwrapped->dek;
        const Schedule schedule = Schedule::create(header, dek.bytes()).value();
        add("raw key", keys().kek);
        add("file key", dek.bytes());
        add("PRK", crypto::hkdf_extract(header.salt, {dek.bytes()})->bytes());
        add("MAC key", schedule.slots_mac_key()->bytes());
        add("cache key", schedule.expand("cache", 32)->bytes());
        add("manifest key", schedule.manifest()->key());
        add("payload key", schedule.payload()->key());
        for (const graph::Constant& c : m.constants) {
            if (c.tensor.dtype() == DType::kString) {
                add_texts(c.tensor.span<PrivateString>());
            } else {
                add_runs(c.name, c.tensor.bytes());
            }
            const DType stored = codec::narrowest(c.tensor.dtype(), c.tensor.bytes());
            if (c.name == "narrow") REQUIRE(stored == DType::kFloat16);
            if (stored == DType::kUndefined) continue;
            std::vector<std::byte> bytes(static_cast<size_t>(c.tensor.elements() * dtype_bits(stored) / 8));
            codec::narrow(c.tensor.dtype(), stored, c.tensor.bytes(), bytes);
            add_runs(c.name + " as stored", bytes);
        }
        for (const graph::Node& node : m.graphs[0].nodes) {
            for (const graph::Attr& attr : node.attrs) {
                if (const auto* floats = std::get_if<PrivateVector<float>>(&attr.value)) {
                    add_runs(attr.name, std::as_bytes(std::span(*floats)));
                }
                if (attr.name == "values_strings") add_texts(std::get<PrivateVector<PrivateString>>(attr.value));
            }
        }
        for (const graph::Blob& blob : m.blobs) add_runs(blob.name, blob.bytes);
        // What folding gave: as secret as what it came from.
        const std::span<float> weights = m.constants[1].tensor.span<float>();
        std::vector<float> negated(weights.begin(), weights.end());
        for (float& w : negated) w = -w;
        for (size_t at = 0; at + 8 <= negated.size(); at += 40) {
            add("-folded at " + std::to_string(at), std::as_bytes(std::span(negated).subspan(at, 8)));
        }
    }
    void add_runs(const std::string& name, Bytes bytes) {
        for (size_t at = 0; at + 32 <= bytes.size(); at += 160) {
            add(name + " at " + std::to_string(at), bytes.subspan(at, 32));
        }
    }
    void add_texts(std::span<const PrivateString> texts) {
        for (const PrivateString& text : texts) add(std::string(text), as_bytes(text));
    }
    void add(std::string name, Bytes bytes) {
        REQUIRE(bytes.size() >= 32);
        secrets.push_back({std::move(name), copy(bytes)});
    }
    static void write_file(const std::string& path, Bytes bytes) {
        std::ofstream(path, std::ios::binary) << as_text(bytes);
    }
};

const Sealed& sealed() {
    static const Sealed s;
    return s;
}

const Secret& secret_named(const std::string& name) {
    return *std::ranges::find(sealed().secrets, name, &Secret::name);
}

// Names of the secrets that `memory` holds.
std::vector<std::string> found_in(Bytes memory, const std::vector<Secret>& secrets) {
    std::vector<std::string> found;
    for (const Secret& secret : secrets) {
        if (::memmem(memory.data(), memory.size(), secret.bytes.data(), secret.bytes.size())) {
            found.push_back(secret.name);
        }
    }
    return found;
}

pid_t start(const char* mode, const std::string& leak = {}) {
    const Sealed& s = sealed();
    std::vector<const char*> arguments = {COFFER_VICTIM,    s.path.c_str(), s.key.c_str(),
                                          s.signer.c_str(), mode,           leak.empty() ? nullptr : leak.c_str(),
                                          nullptr};
    const pid_t child = ::fork();
    if (child == 0) {
        const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
        (void)::setrlimit(RLIMIT_CORE, &unlimited);
        if (::chdir((s.dir / "cores").c_str()) != 0) ::_exit(9);
        ::execv(arguments[0], const_cast<char* const*>(arguments.data()));
        ::_exit(9);
    }
    return child;
}

// All memory of a process that can be read.
FileBytes memory_of(pid_t process) {
    FileBytes all;
    std::ifstream maps("/proc/" + std::to_string(process) + "/maps");
    const int memory = ::open(("/proc/" + std::to_string(process) + "/mem").c_str(), O_RDONLY);
    REQUIRE(memory >= 0);
    std::string line;
    while (std::getline(maps, line)) {
        unsigned long from = 0, to = 0;
        char access[5] = {};
        if (std::sscanf(line.c_str(), "%lx-%lx %4s", &from, &to, access) != 3 || access[0] != 'r') continue;
        if (line.find("[v") != line.npos) continue;  // vvar and vsyscall belong to the kernel
        const size_t size = all.size();
        all.resize(size + (to - from));
        const ssize_t n = ::pread(memory, all.data() + size, to - from, static_cast<off_t>(from));
        all.resize(size + static_cast<size_t>(std::max<ssize_t>(n, 0)));
    }
    ::close(memory);
    return all;
}

// The memory of a stopped victim; it is ended.
FileBytes memory_when_stopped(const char* mode, const std::string& leak = {}) {
    const pid_t child = start(mode, leak);
    int status = 0;
    REQUIRE(::waitpid(child, &status, WUNTRACED) == child);
    REQUIRE(WIFSTOPPED(status));
    FileBytes all = memory_of(child);
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return all;
}

// The core dump of an aborted victim; empty where this system writes none to the folder.
FileBytes core_of(const std::string& leak = {}) {
    const std::string folder = sealed().dir / "cores";
    const pid_t child = start("abort", leak);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    REQUIRE(WTERMSIG(status) == SIGABRT);
    FileBytes core;
    for (const auto& entry : fs::directory_iterator(folder)) {
        core = read_all(entry.path());
        fs::remove(entry.path());
    }
    return core;
}

void print(const std::vector<std::string>& names) {
    for (const std::string& name : names) UNSCOPED_INFO("found: " << name);
}

TEST_CASE("a core dump of a process with a model open holds no key and no weights") {
    fs::create_directory(sealed().dir / "cores");
    const FileBytes core = core_of();
    if (core.empty()) {
        WARN("skipped: this system writes no core dump to the folder of the process (kernel.core_pattern)");
        return;
    }
    const auto found = found_in(core, sealed().secrets);
    print(found);
    CHECK(found.empty());
    // The search finds what is there: each secret, once it is leaked.
    for (const char* name : {"file key", "-folded at 0", "nodes_values at 0", "attached 50000 at 0",
                             "constant, a word that nobody may find, number 7"}) {
        const Secret& secret = secret_named(name);
        const FileBytes leaky = core_of(hex(secret.bytes));
        CHECK(found_in(leaky, sealed().secrets) == std::vector<std::string>{secret.name});
    }
}

TEST_CASE("after everything is closed no key and no weights are left in memory") {
    fs::create_directory(sealed().dir / "cores");
    // The file holds neither, so whatever is found was made by the process.
    CHECK(found_in(read_all(sealed().path), sealed().secrets).empty());
    const auto found = found_in(memory_when_stopped("closed"), sealed().secrets);
    print(found);
    CHECK(found.empty());

    const Secret& secret = secret_named("file key");
    CHECK(found_in(memory_when_stopped("closed", hex(secret.bytes)), sealed().secrets) ==
          std::vector<std::string>{secret.name});
    // While the model is open its weights are there, and so is the key that the keyring holds.
    const auto open = found_in(memory_when_stopped("stop"), sealed().secrets);
    CHECK(std::ranges::count(open, "raw key") == 1);
    for (const char* there :
         {"w at 0", "nodes_values at 0", "target_weights at 0", "coefficients at 0", "narrow as stored at 0",
          "attached 100 at 0", "attached 50000 at 0", "label, a word that nobody may find, number 2",
          "constant, a word that nobody may find, number 7"}) {
        INFO(there);
        CHECK(std::ranges::count(open, there) == 1);
    }
    // The keys of the file are gone as soon as it is open.
    for (const char* gone : {"file key", "PRK", "MAC key", "cache key", "manifest key", "payload key"}) {
        CHECK(std::ranges::count(open, gone) == 0);
    }
}

}  // namespace
}  // namespace coffer::container::test
