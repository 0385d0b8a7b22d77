// What sealing costs: opening, loading, cold starts, memory and bytes, each with the bound we aim for and a
// verdict. CPU time of this process or of the processes it starts, medians of interleaved rounds. "Plain" is a reader
// of the same plaintext that only this benchmark has (plain_file.hpp).
//   load [--rounds N] [--models DIR] [--json FILE]
// DIR has folders with model.onnx, manifest.json is not read: inputs are sampleN_in_NAME.npy, or made up.
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>

#include "container/grant.hpp"
#include "container/open.hpp"
#include "container/write.hpp"
#include "crypto/pem.hpp"
#include "feed.h"
#include "offline/npy.hpp"
#include "offline/pack.hpp"
#include "plain_file.hpp"
#include "runtime/load.hpp"
#include "trust/key_file.hpp"

extern char** environ;

namespace coffer::bench {
namespace {

namespace fs = std::filesystem;

constexpr double kMB = 1e6;

double median(std::vector<double> v) {
    std::ranges::sort(v);
    return v.empty() ? 0 : v[v.size() / 2];
}

template <class T>
T must(Result<T> result) {
    if (!result.ok()) {
        std::fprintf(stderr, "load: %s\n", result.error().message().c_str());
        std::exit(1);
    }
    return std::move(result).value();
}
void must(const Status& status) {
    if (status.ok()) return;
    std::fprintf(stderr, "load: %s\n", status.error().message().c_str());
    std::exit(1);
}

std::string text(const char* format, ...) __attribute__((format(printf, 1, 2)));
std::string text(const char* format, ...) {
    char line[512];
    va_list args;
    va_start(args, format);
    std::vsnprintf(line, sizeof line, format, args);
    va_end(args);
    return line;
}

// ---- the table

struct Row {
    std::string what, measured, bound, verdict;
};

class Report {
 public:
    void add(std::string what, std::string measured, std::string bound, bool ok, const char* note = nullptr) {
        rows_.push_back({std::move(what), std::move(measured), std::move(bound), note ? note : ok ? "ok" : "MISSED"});
        const Row& r = rows_.back();
        std::printf("%-58s %-34s %-30s %s\n", r.what.c_str(), r.measured.c_str(), r.bound.c_str(), r.verdict.c_str());
        std::fflush(stdout);
    }
    void section(const char* title) const { std::printf("\n%s\n", title); }

    void write_json(const std::string& path) const {
        std::ofstream out(path);
        out << "{\"schema\": 1, \"rows\": [";
        const char* separator = "\n";
        for (const Row& r : rows_) {
            out << separator << "  {\"what\": \"" << r.what << "\", \"measured\": \"" << r.measured
                << "\", \"bound\": \"" << r.bound << "\", \"verdict\": \"" << r.verdict << "\"}";
            separator = ",\n";
        }
        out << "\n]}\n";
    }

 private:
    std::vector<Row> rows_;
};

// ---- keys, folders, processes

class Bench {
 public:
    Bench(int count, std::string models_dir) : rounds(count), models(std::move(models_dir)) {
        std::string pattern = (fs::temp_directory_path() / "coffer_load_XXXXXX").string();
        if (!mkdtemp(pattern.data())) must(error(Code::kIo, "cannot make a temporary folder"));
        folder = pattern;
        identity = must(crypto::X25519Identity::generate());
        const crypto::SecretBytes key = must(trust::identity_file_text(identity, 0));
        must(trust::write_key_file(path("key"), key.bytes()));
        signer.emplace(must(trust::SigningKey::generate()));
        std::ofstream(path("signer.pem")) << must(crypto::ed25519_public_to_pem(signer->signer().public_key));
        must(trust::load_keys(keyring, path("key")));
        must(policy.add_signer(signer->signer()));
        programs = fs::read_symlink("/proc/self/exe").parent_path();
    }
    ~Bench() { fs::remove_all(folder); }

    std::string path(const std::string& name) const { return folder + "/" + name; }
    std::string program(const char* name) const { return (programs / name).string(); }

    container::Written seal(graph::Model& model, const std::string& name, uint8_t chunk_log2 = 0) const {
        if (model.name.empty()) model.name = "bench." + name;
        model.version = 1;
        container::WriteOptions options;
        options.recipients.push_back(container::x25519_recipient(identity.public_key));
        options.signers = {&*signer};
        options.chunk_log2 = chunk_log2;
        return must(container::write(model, options, path(name + ".coffer")));
    }

    const int rounds;
    const std::string models;
    std::string folder;
    fs::path programs;
    crypto::X25519Identity identity;
    std::optional<trust::SigningKey> signer;
    trust::Keyring keyring;
    trust::Policy policy;
};

struct Child {
    double cpu_ms = 0;  // of the whole process, from fork to the end
    std::string output;
};
Child run(const std::vector<std::string>& arguments) {
    std::vector<char*> argv;
    for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    int ends[2];
    if (pipe(ends) != 0) must(error(Code::kIo, "no pipe"));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    pid_t pid;
    if (posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ) != 0) {
        must(error(Code::kIo, "cannot start ", arguments[0]));
    }
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    Child child;
    char buffer[4096];
    for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;)
        child.output.append(buffer, static_cast<size_t>(n));
    close(ends[0]);
    int status = 0;
    rusage usage{};
    wait4(pid, &status, 0, &usage);
    if (status != 0) must(error(Code::kInternal, arguments[0], " failed"));
    const auto ms = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_usec) / 1e3;
    };
    child.cpu_ms = ms(usage.ru_utime) + ms(usage.ru_stime);
    return child;
}
std::vector<double> numbers(const std::string& line) {
    std::vector<double> out;
    const char* at = line.c_str();
    for (char* end; *at; at = end) {
        const double v = std::strtod(at, &end);
        if (end == at) break;
        out.push_back(v);
    }
    return out;
}

double cpu_ms(const std::function<void()>& body) {
    const uint64_t begin = cpu_ns();
    body();
    return static_cast<double>(cpu_ns() - begin) / 1e6;
}
double wall_ms(const std::function<void()>& body) {
    const auto begin = std::chrono::steady_clock::now();
    body();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

// ---- models

// `tensors` vectors of `floats` numbers, added to the input one after the other.
graph::Model chain(size_t tensors, size_t floats) {
    graph::Model m;
    m.graphs.emplace_back();
    const auto n = static_cast<int64_t>(floats);
    graph::ValueId last = m.graphs[0].add_value("x", graph::Type::tensor(DType::kFloat, Shape{n}));
    m.graphs[0].inputs = {last};
    uint32_t seed = 1;
    for (size_t i = 0; i < tensors; ++i) {
        Tensor t = must(Tensor::create(DType::kFloat, Shape{n}));
        for (float& f : t.span<float>()) f = static_cast<float>((seed = seed * 1664525u + 1013904223u) >> 8);
        const graph::ValueId w = m.add_constant(m.graphs[0], "w" + std::to_string(i), t);
        const graph::ValueId y =
            m.graphs[0].add_value("y" + std::to_string(i), graph::Type::tensor(DType::kFloat, Shape{n}));
        m.graphs[0].nodes.push_back({"Add", "add" + std::to_string(i), {last, w}, {y}, {}});
        last = y;
    }
    m.graphs[0].outputs = {last};
    return m;
}

void put(std::string& to, uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) to += static_cast<char>(value >> (8 * i));
}
// One input of the feed: a sample, or zeros in the declared shape.
void put_input(std::string& to, const graph::ValueInfo& info, const Tensor& t) {
    put(to, info.name.size(), 4);
    to += info.name;
    put(to, static_cast<uint64_t>(t.dtype()), 4);
    put(to, static_cast<uint64_t>(t.shape().rank()), 4);
    for (int64_t d : t.shape().dims()) put(to, static_cast<uint64_t>(d), 8);
    put(to, t.nbytes(), 8);
    to.append(reinterpret_cast<const char*>(t.bytes().data()), t.nbytes());
}
std::string file_name(std::string name) {
    for (char& c : name) {
        if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '.') c = '_';
    }
    return name;
}
void write_feed(const graph::Model& model, const fs::path& samples, const std::string& path) {
    const graph::Graph& g = model.graphs[0];
    std::string feed;
    put(feed, g.inputs.size(), 4);
    for (graph::ValueId id : g.inputs) {
        const graph::ValueInfo& info = g.values[id];
        Tensor sample;
        for (const char* number : {"0", "1"}) {
            const fs::path npy = samples / ("sample" + std::string(number) + "_in_" + file_name(info.name) + ".npy");
            if (!sample.valid() && !samples.empty() && fs::exists(npy)) sample = must(offline::read_npy(npy));
        }
        if (!sample.valid()) {
            Shape shape;
            for (const graph::Dim& d : info.type.dims.value()) shape.push_back(d.known() ? d.value : 1);
            sample = must(Tensor::create(info.type.dtype, shape));
        }
        put_input(feed, info, sample);
    }
    std::ofstream(path, std::ios::binary) << feed;
}

// A model of the benchmark in all its forms: NAME.coffer, NAME.plain, NAME.feed.
struct Case {
    std::string name;
    container::Written written;
    size_t tensors = 0;
};
std::vector<Case> make_cases(const Bench& b) {
    std::vector<Case> cases;
    const auto add = [&](graph::Model model, const std::string& name, const fs::path& samples) {
        const container::Written written = b.seal(model, name);
        must(write_plain(model, b.path(name + ".plain")));
        write_feed(model, samples, b.path(name + ".feed"));
        cases.push_back({name, written, model.constants.size()});
    };
    add(chain(8, 256), "small", {});
    std::vector<fs::path> folders;
    if (fs::is_directory(b.models)) {
        for (const auto& entry : fs::directory_iterator(b.models)) {
            if (fs::exists(entry.path() / "model.onnx")) folders.push_back(entry.path());
        }
    }
    std::ranges::sort(folders);
    for (const fs::path& folder : folders) {
        auto prepared = offline::prepare((folder / "model.onnx").string(), {});
        if (!prepared.ok()) {
            std::fprintf(stderr, "load: %s: %s\n", folder.c_str(), prepared.error().message().c_str());
            continue;
        }
        add(std::move(prepared->model), folder.filename().string(), folder);
    }
    return cases;
}

// ---- rows

void open_rows(const Bench& b, Report& report) {
    report.section("Opening and loading, in this process");
    graph::Model model = chain(1000, 64);
    b.seal(model, "thousand");
    std::vector<double> full;
    for (int i = 0; i < b.rounds * 3; ++i) {
        full.push_back(cpu_ms(
            [&] { must(runtime::load(container::Source::file(b.path("thousand.coffer")), b.policy, b.keyring)); }));
    }
    report.add("open, 1,000 tensors, signed, one X25519 slot", text("%.2f ms CPU", median(full)), "<= 1.5 ms",
               median(full) <= 1.5);

    constexpr size_t kFloats = size_t{4} << 20;
    graph::Model large = chain(6, kFloats);
    const container::Written written = b.seal(large, "large");
    must(write_plain(large, b.path("large.plain")));
    large = {};
    const double megabytes = static_cast<double>(written.file_size) / kMB;
    trust::Policy aead = b.policy;
    aead.integrity = trust::Integrity::kAeadOnly;
    const auto load = [&](const trust::Policy& policy, runtime::Parallel* parallel) {
        must(runtime::load(container::Source::file(b.path("large.coffer")), policy, b.keyring, {parallel}));
    };
    std::vector<double> plain, with_leaves, without;
    for (int i = 0; i < b.rounds; ++i) {
        plain.push_back(cpu_ms([&] { must(read_plain(b.path("large.plain"))); }) / megabytes);
        with_leaves.push_back(cpu_ms([&] { load(b.policy, nullptr); }) / megabytes);
        without.push_back(cpu_ms([&] { load(aead, nullptr); }) / megabytes);
    }
    const std::string size = text(", %.0f MB", megabytes);
    report.add("plain read of the same payload" + size, text("%.2f ms/MB CPU", median(plain)), "", true, "-");
    report.add("eager load, Full" + size,
               text("%.2f ms/MB CPU, %.1fx plain", median(with_leaves), median(with_leaves) / median(plain)),
               "<= 0.75 ms/MB a core", median(with_leaves) <= 0.75);
    report.add("eager load, AeadOnly" + size,
               text("%.2f ms/MB CPU, %.1fx plain", median(without), median(without) / median(plain)),
               "<= 0.25 ms/MB a core", median(without) <= 0.25);

    runtime::ThreadPool two(2);
    std::vector<double> speedup, busy;
    for (int i = 0; i < b.rounds; ++i) {
        const double begin = static_cast<double>(cpu_ns()) / 1e6;
        double wall = 0;
        const double one = wall_ms([&] { load(b.policy, nullptr); });
        wall += one;
        const double both = wall_ms([&] { load(b.policy, &two); });
        wall += both;
        speedup.push_back(one / both);
        // Two idle cores give as much CPU time as the work takes: one core's worth, then two cores' worth.
        busy.push_back((static_cast<double>(cpu_ns()) / 1e6 - begin) / (one + 2 * both));
    }
    const bool idle = os::cpu_count() >= 2 && median(busy) >= 0.9;
    report.add("eager load on two threads, wall clock", text("%.2fx one thread", median(speedup)),
               ">= 1.8x on two idle cores", median(speedup) >= 1.8,
               idle || median(speedup) >= 1.8 ? nullptr : "not judged: the cores were not idle");

    const uint64_t over = written.file_size - written.manifest_len - written.payload_len;
    const double allowed = 0.001 * static_cast<double>(written.payload_len) + 16384;
    report.add("bytes over the payload, manifest not counted",
               text("%llu of %llu", static_cast<unsigned long long>(over),
                    static_cast<unsigned long long>(written.payload_len)),
               text("<= %.0f (0.1 %% + 16 KiB)", allowed), static_cast<double>(over) <= allowed);
}

// One more recipient of a small and of a large file, in memory and in a file of its own.
void grant_row(const Bench& b, Report& report) {
    const crypto::X25519Identity customer = must(crypto::X25519Identity::generate());
    container::GrantOptions options;
    options.recipients.push_back(container::x25519_recipient(customer.public_key));
    for (const char* name : {"thousand", "large"}) {
        std::vector<double> took;
        size_t bytes = 0;
        for (int i = 0; i < b.rounds * 3; ++i) {
            took.push_back(cpu_ms([&] {
                container::Source source = container::Source::file(b.path(std::string(name) + ".coffer"));
                bytes = must(container::make_grant(std::move(source), b.policy, b.keyring, options)).size();
            }));
        }
        const double megabytes = static_cast<double>(fs::file_size(b.path(std::string(name) + ".coffer"))) / kMB;
        report.add(text("a grant, file of %.1f MB", megabytes), text("%.2f ms CPU, %zu bytes", median(took), bytes),
                   "<= 5 ms, <= 400 bytes", median(took) <= 5 && bytes <= 400);
    }
}

// Two tensors far apart in one payload; reads of one are counted.
void lazy_row(const Bench& b, Report& report) {
    graph::Model model = chain(64, 20000);
    b.seal(model, "lazy", container::kMinChunkLog2);
    const std::vector<std::byte> file = must(os::read_file(b.path("lazy.coffer"), uint64_t{1} << 30));
    uint64_t payload_off = ~uint64_t{0}, bytes = 0;
    container::Source source =
        container::Source::reader({[&]() -> Result<uint64_t> { return file.size(); },
                                   [&](uint64_t offset, MutableBytes dst) -> Status {
                                       std::memcpy(dst.data(), file.data() + offset, dst.size());
                                       if (offset >= payload_off) bytes += dst.size();
                                       return {};
                                   }});
    payload_off = must(container::inspect(container::Source::memory(file))).header.payload_off;
    container::OpenOptions options;
    options.lazy = true;
    const container::Opened opened = must(container::open(std::move(source), b.policy, b.keyring, options));
    const uint64_t at_open = bytes - (file.size() - opened.facts.header.body_len);  // SLOTS lie behind the payload
    const Tensor& tensor = opened.model.constants[31].tensor;
    const auto offset =
        static_cast<uint64_t>(static_cast<const std::byte*>(tensor.view().data) - opened.payload->bytes().data());
    bytes = 0;
    must(opened.payload->load(offset, tensor.nbytes(), {}));
    const uint64_t chunk = opened.facts.header.chunk_size();
    const uint64_t touched = (bytes + chunk - 1) / chunk, own = (tensor.nbytes() + chunk - 1) / chunk;
    report.add("lazy load of one tensor",
               text("%llu chunks for %llu, %llu at open", static_cast<unsigned long long>(touched),
                    static_cast<unsigned long long>(own), static_cast<unsigned long long>(at_open / chunk)),
               "<= its chunks + 2", touched <= own + 2 && at_open == 0);
}

void cold_rows(const Bench& b, const std::vector<Case>& cases, Report& report) {
    report.section(
        "Cold starts through the shared library: CPU of a process up to its first result, Full, one thread");
    for (const Case& c : cases) {
        if (c.written.file_size >= 5'000'000) continue;
        const auto once = [&](const char* warm) {
            return run({b.program("load_cold"), b.path(c.name + ".coffer"), b.path("key"), b.path("signer.pem"),
                        b.path(c.name + ".feed"), "full", warm});
        };
        std::vector<double> totals, nets;
        for (int i = 0; i < b.rounds; ++i) {
            const std::vector<double> n = numbers(once("5").output);  // reading the inputs does not count
            totals.push_back((n.at(0) + n.at(2) + n.at(3) + n.at(4)) / 1e6);
            nets.push_back(totals.back() - n.at(5) / 1e6);  // the fastest warm run of the same process
        }
        const double net = median(nets);
        report.add(c.name + text(" (%.2f MB)", static_cast<double>(c.written.file_size) / kMB),
                   text("%.1f ms, without inference %.1f", median(totals), net), "<= 10 ms without inference",
                   net <= 10);
    }
}

void sealed_against_plain_rows(const Bench& b, const std::vector<Case>& cases, Report& report) {
    report.section("Cold starts, sealed against the plaintext of the same payload: CPU of a whole process");
    for (const Case& c : cases) {
        const auto once = [&](const char* how) {
            const bool plain = std::strcmp(how, "plain") == 0;
            const Child child = run({b.program("load_reader"), how, b.path(c.name + (plain ? ".plain" : ".coffer")),
                                     b.path("key"), b.path("signer.pem"), b.path(c.name + ".feed")});
            return child.cpu_ms - numbers(child.output).at(0) / 1e6;
        };
        std::vector<double> plain, full, aead;
        for (int i = 0; i < b.rounds; ++i) {
            plain.push_back(once("plain"));
            aead.push_back(once("aead"));
            full.push_back(once("full"));
        }
        const double base = median(plain), with = median(full) / base, without = median(aead) / base;
        const bool small = c.written.file_size <= 10'000'000;
        report.add(
            c.name + text(" (%.2f MB)", static_cast<double>(c.written.file_size) / kMB),
            text("plain %.1f ms, AeadOnly %+.0f %%, Full %+.0f %%", base, (without - 1) * 100, (with - 1) * 100),
            small ? "<= 15 %, both" : "<= 15 %, AeadOnly", without <= 1.15 && (!small || with <= 1.15));
    }
}

void memory_rows(const Bench& b, const std::vector<Case>& cases, Report& report) {
    report.section("Peak memory of opening and planning, over weights as they are run, staging and table");
    for (const Case& c : cases) {
        if (c.written.payload_len < 1'000'000) continue;
        const std::vector<double> n =
            numbers(run({b.program("load_reader"), "memory", b.path("small.coffer"), b.path(c.name + ".coffer"),
                         b.path("key"), b.path("signer.pem"), b.path(c.name + ".feed"), b.path("small.feed")})
                        .output);
        const double peak = n.at(0) - n.at(1), weights = n.at(2) + n.at(3) + n.at(4);
        const double bound = 1.01 * weights + 2 * 1048576;
        report.add(c.name + text(" (payload %.2f MB)", n.at(5) / kMB),
                   text("%.2f MB for %.2f MB", peak / kMB, weights / kMB),
                   text("<= %.2f MB (1 %% + 2 MiB)", bound / kMB), peak <= bound);
    }
}

int main_of(int argc, char** argv) {
    int rounds = 11;
    std::string models = COFFER_SHARED_DIR "/models", json;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view option = argv[i];
        if (option == "--rounds") rounds = std::max(1, std::atoi(argv[i + 1]));
        if (option == "--models") models = argv[i + 1];
        if (option == "--json") json = argv[i + 1];
    }
    const Bench b(rounds, models);
    Report report;
    std::printf("%-58s %-34s %-30s %s\n", "what", "measured", "bound", "verdict");
    open_rows(b, report);
    lazy_row(b, report);
    grant_row(b, report);
    const std::vector<Case> cases = make_cases(b);
    if (cases.size() == 1) std::printf("\nno models in %s: the rows below are of a made-up one\n", models.c_str());
    memory_rows(b, cases, report);
    cold_rows(b, cases, report);
    sealed_against_plain_rows(b, cases, report);
    if (!json.empty()) report.write_json(json);
    return 0;
}

}  // namespace
}  // namespace coffer::bench

int main(int argc, char** argv) {
    return coffer::bench::main_of(argc, argv);
}
