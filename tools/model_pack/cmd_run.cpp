// run: one inference on .npy inputs. bench: many, timed.
#include <algorithm>
#include <filesystem>

#include "cli.hpp"
#include "coffer/kernels/dispatch.hpp"
#include "offline/npy.hpp"
#include "offline/timing.hpp"

namespace coffer::cli {
namespace {

constexpr int64_t kPrinted = 8;  // elements of an output shown without --output-dir

struct RunOptions {
    std::string file, output_dir;
    std::vector<std::string> inputs;
    AccessOptions access;
    unsigned threads = 0, repeat = 0;
    bool profile = false, json = false;
};

void add_common(CLI::App& app, RunOptions& o) {
    app.add_option("FILE", o.file, "A .coffer file")->required();
    app.add_option("--input", o.inputs, "NAME=@x.npy; may be repeated")->type_name("NAME=@FILE");
    app.add_option("--threads", o.threads, "Threads; 0 for all CPUs")->capture_default_str();
    app.add_flag("--profile", o.profile, "Show the time per node");
    add_access(app, o.access);
    add_json(app, o.json);
}

Result<std::unique_ptr<runtime::Runner>> start(const RunOptions& o) {
    COFFER_TRY_ASSIGN(const runtime::Loaded loaded, load(o.file, o.access));
    runtime::RunnerOptions r;
    r.threads = o.threads;
    r.profile = o.profile;
    return runtime::Runner::create(loaded.model, r);
}

std::string file_name(const std::string& output) {
    std::string name = output;
    std::ranges::replace(name, '/', '_');
    if (name.empty() || name == "." || name == "..") name = "_" + name;
    return name + ".npy";
}

Json profile_json(const runtime::Runner& runner) {
    struct Row {
        uint64_t ns;
        Json json;
    };
    std::vector<Row> rows;
    uint64_t total = 0;
    for (const auto& [key, entry] : runner.profile().entries) {
        const graph::Node& node = runner.model().graph().graphs[key.first].nodes[key.second];
        rows.push_back({entry.ns,
                        {{"op", node.op},
                         {"name", node.name},
                         {"graph_index", key.first},
                         {"kernel", entry.variant},
                         {"call_count", entry.calls},
                         {"mean_us", static_cast<double>(entry.ns) / 1e3 /
                                         static_cast<double>(std::max<uint64_t>(entry.calls, 1))}}});
        if (key.first == 0) total += entry.ns;
    }
    std::ranges::stable_sort(rows, std::greater{}, &Row::ns);
    Json list = Json::array();
    for (Row& row : rows) {
        row.json["percent"] = total ? 100.0 * static_cast<double>(row.ns) / static_cast<double>(total) : 0.0;
        list.push_back(std::move(row.json));
    }
    return list;
}

void print_profile(const Json& rows) {
    print("{:>7} {:>11}  {:<24} {:<28} {}\n", "%", "us", "kernel", "op", "node");
    for (const Json& r : rows) {
        print("{:>6.2f}% {:>11.1f}  {:<24} {:<28} {}\n", r["percent"].get<double>(), r["mean_us"].get<double>(),
              r["kernel"].get<std::string>(), r["op"].get<std::string>(), r["name"].get<std::string>());
    }
}

std::string preview(const TensorView& t) {
    std::string text;
    for (int64_t i = 0; i < std::min(t.elements(), kPrinted); ++i) {
        if (i > 0) text += " ";
        text += t.dtype == DType::kString ? std::string(t.as<PrivateString>()[i])
                : is_floating(t.dtype)    ? fmt::format("{:.6g}", load_double(t, i))
                                          : fmt::format("{}", load_int(t, i));
    }
    return t.elements() > kPrinted ? text + " ..." : text;
}

Result<int> run(const RunOptions& o) {
    COFFER_TRY_ASSIGN(const std::unique_ptr<runtime::Runner> runner, start(o));
    COFFER_TRY(bind_inputs(*runner, o.inputs));
    COFFER_TRY(runner->run());
    if (!o.output_dir.empty()) {
        std::error_code failed;
        std::filesystem::create_directories(o.output_dir, failed);
        if (failed)
            return error(Code::kIo, Detail::kIo, "cannot make the folder '", o.output_dir, "': ", failed.message());
    }
    Json outputs = Json::array();
    for (size_t i = 0; i < runner->model().outputs().size(); ++i) {
        const std::string& name = runner->model().output(i).name;
        const Value& value = runner->output(i);
        if (value.kind != ValueKind::kTensor) {
            outputs.push_back({{"name", name}, {"kind", "sequence"}, {"item_count", value.items.size()}});
            continue;
        }
        const TensorView& t = value.tensor.view();
        Json entry{{"name", name},
                   {"kind", "tensor"},
                   {"dtype", dtype_name(t.dtype)},
                   {"shape", Json(std::vector<int64_t>(t.shape.dims().begin(), t.shape.dims().end()))}};
        if (!o.output_dir.empty()) {
            const std::string path = o.output_dir + "/" + file_name(name);
            COFFER_TRY(offline::write_npy(path, t));
            entry["output"] = path;
        }
        if (!o.json) print("{}: {} {}  {}\n", name, dtype_name(t.dtype), to_text(t.shape), preview(t));
        outputs.push_back(std::move(entry));
    }
    Json result{{"file", o.file}, {"outputs", outputs}};
    if (o.profile) {
        result["profile"] = profile_json(*runner);
        if (!o.json) print_profile(result["profile"]);
    }
    if (o.json) print_json("run", result);
    return kOk;
}

Result<int> bench(const RunOptions& o) {
    const uint64_t begin = os::monotonic_ns();
    COFFER_TRY_ASSIGN(const std::unique_ptr<runtime::Runner> runner, start(o));
    const double load_ms = static_cast<double>(os::monotonic_ns() - begin) / 1e6;
    COFFER_TRY(bind_inputs(*runner, o.inputs));
    COFFER_TRY(bind_missing(*runner));
    const uint64_t first = os::monotonic_ns();
    COFFER_TRY(runner->run());
    const double first_ms = static_cast<double>(os::monotonic_ns() - first) / 1e6;
    COFFER_TRY_ASSIGN(const offline::Timing timing, offline::time_runs(*runner, o.repeat));
    Json result{{"file", o.file},
                {"arch", kernels::arch_name(kernels::chosen())},
                {"thread_count", o.threads == 0 ? os::cpu_count() : o.threads},
                {"run_count", timing.runs()},
                {"median_ms", timing.median_ms()},
                {"cpu_ms", offline::Timing::percentile(timing.cpu_ms, 0.5)},
                {"p90_ms", offline::Timing::percentile(timing.wall_ms, 0.9)},
                {"p99_ms", offline::Timing::percentile(timing.wall_ms, 0.99)},
                {"load_ms", load_ms},
                {"first_run_ms", first_ms},
                {"peak_memory_bytes", os::peak_memory_bytes()}};
    if (o.profile) result["profile"] = profile_json(*runner);
    if (o.json) {
        print_json("bench", result);
        return kOk;
    }
    print("{}: median {:.3f} ms, p90 {:.3f} ms, CPU {:.3f} ms a run ({} runs, {} threads, {})\n", o.file,
          result["median_ms"].get<double>(), result["p90_ms"].get<double>(), result["cpu_ms"].get<double>(),
          timing.runs(), result["thread_count"].get<unsigned>(), result["arch"].get<std::string>());
    print("load {:.2f} ms, first run {:.2f} ms, peak memory {}\n", load_ms, first_ms,
          bytes_text(os::peak_memory_bytes()));
    if (o.profile) print_profile(result["profile"]);
    return kOk;
}

}  // namespace

void add_run(CLI::App& root, std::vector<Verb>& verbs) {
    auto* app = root.add_subcommand("run", "Run a sealed model on .npy inputs");
    auto o = std::make_shared<RunOptions>();
    add_common(*app, *o);
    app->add_option("--output-dir", o->output_dir, "Write DIR/<output>.npy ('/' in a name becomes '_')")
        ->type_name("DIR");
    app->footer(
        "Example:\n"
        "  model-pack run net.coffer --key device.key --trust vendor.pem --input image=@x.npy --output-dir out/");
    verbs.push_back({app, [o] { return run(*o); }});
}

void add_bench(CLI::App& root, std::vector<Verb>& verbs) {
    auto* app = root.add_subcommand("bench", "Measure latency; inputs that are not given are made up");
    auto o = std::make_shared<RunOptions>();
    add_common(*app, *o);
    app->add_option("--repeat", o->repeat, "Number of runs; 0: one second's worth, at least ten")
        ->capture_default_str();
    app->footer(
        "Example:\n"
        "  model-pack bench net.coffer --key device.key --trust vendor.pem --threads 1");
    verbs.push_back({app, [o] { return bench(*o); }});
}

}  // namespace coffer::cli
