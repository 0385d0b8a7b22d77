// compare: the original model in float beside sealed files, on real samples.
#include "offline/compare.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "cli.hpp"
#include "coffer/kernels/dispatch.hpp"
#include "compare_page.hpp"
#include "offline/pack.hpp"

namespace coffer::cli {
namespace {

struct CompareOptions {
    std::string model, data, metric = "snr", report;
    std::vector<std::string> files;
    AccessOptions access;
    unsigned threads = 0;
    bool json = false;
};

Result<offline::Loading> load_original(const std::string& path) {
    COFFER_TRY_ASSIGN(const os::File file, os::File::open_read(path));
    COFFER_TRY_ASSIGN(offline::Prepared prepared, named(path, offline::prepare(path, {})));
    // Weights may stand beside the file.
    const uint64_t bytes = std::max<uint64_t>(file.size(), prepared.original_weight_bytes);
    COFFER_TRY_ASSIGN(auto model, named(path, runtime::Model::create(std::move(prepared.model))));
    return offline::Loading{std::move(model), bytes};
}

// Infinite and undefined numbers are null in JSON.
Json number(double value) {
    return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json score_json(const offline::OutputScore& output, const std::string& metric) {
    const offline::Score& s = output.score;
    const bool numeric = s.numeric();
    Json json{{"name", output.name},
              {"exact", s.exact()},
              {"snr_db", numeric ? number(s.snr_db()) : Json(nullptr)},
              {"cosine", numeric ? number(s.cosine()) : Json(nullptr)},
              {"max_error", numeric ? number(s.max_error()) : Json(nullptr)},
              {"top1", s.ranked() ? number(s.top1()) : Json(nullptr)}};
    json["score"] = json[metric == "snr" ? "snr_db" : metric];
    return json;
}

Json document(const CompareOptions& o, const offline::Comparison& c) {
    Json entries = Json::array();
    for (const offline::Measured& m : c.entries) {
        Json outputs = Json::array();
        for (const offline::OutputScore& output : m.outputs) outputs.push_back(score_json(output, o.metric));
        entries.push_back({{"file", m.name},
                           {"original", entries.empty()},
                           {"file_bytes", m.file_bytes},
                           {"load_ms", m.load_ms},
                           {"median_ms", m.median_ms},
                           {"cpu_ms", m.cpu_ms},
                           {"peak_memory_bytes", m.peak_bytes ? Json(m.peak_bytes) : Json(nullptr)},
                           {"outputs", outputs}});
    }
    return {{"file", o.model},
            {"data", o.data},
            {"sample_count", c.samples},
            {"metric", o.metric},
            {"arch", kernels::arch_name(kernels::chosen())},
            {"thread_count", o.threads == 0 ? os::cpu_count() : o.threads},
            {"entries", entries}};
}

void print_table(const Json& doc) {
    size_t file = 4, output = 6;
    for (const Json& e : doc["entries"]) {
        file = std::max(file, e["file"].get_ref<const std::string&>().size());
        for (const Json& s : e["outputs"]) output = std::max(output, s["name"].get_ref<const std::string&>().size());
    }
    print("{:<{}} {:>10} {:>10} {:>12} {:>10}\n", "file", file, "size", "load", "run", "memory");
    for (const Json& e : doc["entries"]) {
        print("{:<{}} {:>10} {:>7.1f} ms {:>9.3f} ms {:>10}\n", e["file"].get<std::string>(), file,
              bytes_text(e["file_bytes"].get<uint64_t>()), e["load_ms"].get<double>(), e["median_ms"].get<double>(),
              e["peak_memory_bytes"].is_null() ? "-" : bytes_text(e["peak_memory_bytes"].get<uint64_t>()));
    }
    print("\n{:<{}} {:<{}} {:>10} {:>10} {:>8}\n", "file", file, "output", output, "SNR", "cosine", "top-1");
    for (const Json& e : doc["entries"]) {
        for (const Json& s : e["outputs"]) {
            print("{:<{}} {:<{}} {:>10} {:>10} {:>8}\n", e["file"].get<std::string>(), file,
                  s["name"].get<std::string>(), output, snr_text(s),
                  s["cosine"].is_null() ? "-" : fmt::format("{:.6f}", s["cosine"].get<double>()),
                  s["top1"].is_null() ? "-" : fmt::format("{:.1f} %", 100 * s["top1"].get<double>()));
        }
    }
    print("\n{} samples, {} threads, {}\n", doc["sample_count"].get<size_t>(), doc["thread_count"].get<unsigned>(),
          doc["arch"].get<std::string>());
}

Result<int> compare(const CompareOptions& o) {
    if (!o.report.empty()) {
        COFFER_TRY(refuse_same_file(o.report, o.model));
        for (const std::string& file : o.files) COFFER_TRY(refuse_same_file(o.report, file));
    }
    COFFER_TRY_ASSIGN(const Access access, Access::create(o.access));
    std::vector<offline::Contender> contenders{{o.model, [&] { return load_original(o.model); }}};
    for (const std::string& file : o.files) {
        contenders.push_back({file, [&]() -> Result<offline::Loading> {
                                  COFFER_TRY_ASSIGN(const runtime::Loaded loaded, load(file, access));
                                  return offline::Loading{loaded.model, loaded.facts.file_size};
                              }});
    }
    StatusLine status;
    offline::CompareOptions options;
    options.threads = o.threads;
    options.progress = [&](const std::string& text) { status.show(text); };
    COFFER_TRY_ASSIGN(const offline::Comparison comparison, offline::compare(contenders, o.data, options));
    status.clear();
    const Json doc = document(o, comparison);
    if (!o.report.empty()) COFFER_TRY(write_text(o.report, compare_page(doc)));
    if (o.json) {
        print_json("compare", doc);
    } else {
        print_table(doc);
    }
    return kOk;
}

}  // namespace

void add_compare(CLI::App& root, std::vector<Verb>& verbs) {
    auto* app = root.add_subcommand("compare", "Measure sealed files against the original model, run in float");
    auto o = std::make_shared<CompareOptions>();
    app->add_option("MODEL.onnx", o->model, "The original model")->required();
    app->add_option("FILE", o->files, "One or more .coffer files made from it")->required();
    app->add_option("--data", o->data, "Samples: DIR/*.npy, or DIR/<sample>/<input>.npy")
        ->required()
        ->type_name("DIR");
    app->add_option("--metric", o->metric, "The measure that --json gives as \"score\" and the page shows as bars")
        ->check(CLI::IsMember({"snr", "cosine", "top1"}))
        ->capture_default_str();
    app->add_option("--report", o->report, "Write one self-contained HTML page with pictures")
        ->type_name("FILE.html");
    app->add_option("--threads", o->threads, "Threads; 0 for all CPUs")->capture_default_str();
    add_access(*app, o->access);
    add_json(*app, o->json);
    app->footer(
        "SNR and cosine are over all elements of all samples; top-1 is the share of rows with the same winner.\n"
        "Memory is what loading and running took beyond what was in use before.\n\n"
        "Example:\n"
        "  model-pack compare net.onnx net-fp32.coffer net-int8.coffer --data samples/ --key device.key \\\n"
        "      --trust vendor.pem --report compare.html");
    verbs.push_back({app, [o] { return compare(*o); }});
}

}  // namespace coffer::cli
