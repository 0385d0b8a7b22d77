// onnx-test: folders of the ONNX backend test: model.onnx, test_data_set_*/input_N.pb and output_N.pb, and an
// optional data.json with rtol and atol.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "cli.hpp"
#include "offline/onnx/import.hpp"
#include "offline/onnx/tensor_pb.hpp"
#include "offline/passes/passes.hpp"

namespace coffer::cli {
namespace {

namespace fs = std::filesystem;

struct TestOptions {
    std::vector<std::string> dirs;
    bool json = false, optimize = false, verbose = false;
};

struct Outcome {
    enum Kind { kPassed, kFailed, kUnsupported } kind = kPassed;
    std::string why;
};

struct Tolerance {
    double rtol = 1e-3, atol = 1e-7;
};

bool close(double a, double b, const Tolerance& t) {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
    return a == b || std::fabs(a - b) <= t.atol + t.rtol * std::fabs(b);
}

// Empty when equal.
std::string compare(const Value& got, const Value& want, const Tolerance& t) {
    if (got.kind != want.kind) return "another kind of value";
    if (got.kind != ValueKind::kTensor) {
        if (got.items.size() != want.items.size())
            return fmt::format("{} items, expected {}", got.items.size(), want.items.size());
        for (size_t i = 0; i < got.items.size(); ++i) {
            const std::string why = compare(got.items[i], want.items[i], t);
            if (!why.empty()) return fmt::format("item {}: {}", i, why);
        }
        return "";
    }
    const TensorView &a = got.tensor.view(), &b = want.tensor.view();
    if (a.dtype != b.dtype || a.shape != b.shape) {
        return fmt::format("{} {}, expected {} {}", dtype_name(a.dtype), to_text(a.shape), dtype_name(b.dtype),
                           to_text(b.shape));
    }
    for (int64_t i = 0; i < a.elements(); ++i) {
        if (a.dtype == DType::kString) {
            if (a.as<PrivateString>()[i] != b.as<PrivateString>()[i]) return fmt::format("element {} differs", i);
            continue;
        }
        if (a.dtype == DType::kComplex64 || a.dtype == DType::kComplex128) {
            const int64_t parts = 2;
            const DType part = a.dtype == DType::kComplex64 ? DType::kFloat : DType::kDouble;
            const TensorView x{a.data, part, Shape{a.elements() * parts}},
                y{b.data, part, Shape{a.elements() * parts}};
            for (int64_t k = 0; k < parts; ++k) {
                if (!close(load_double(x, i * parts + k), load_double(y, i * parts + k), t))
                    return fmt::format("element {} differs", i);
            }
            continue;
        }
        const double x = load_double(a, i), y = load_double(b, i);
        if (!close(x, y, t) || (is_integer(a.dtype) && t.atol == 0 && load_int(a, i) != load_int(b, i))) {
            return fmt::format("element {} is {:.9g}, expected {:.9g}", i, x, y);
        }
    }
    return "";
}

Tolerance tolerance_of(const fs::path& dir) {
    Tolerance t;
    std::ifstream file(dir / "data.json");
    const Json data = Json::parse(file, nullptr, false);
    if (data.is_object()) {
        t.rtol = data.value("rtol", t.rtol);
        t.atol = data.value("atol", t.atol);
    }
    return t;
}

Result<std::vector<Value>> read_values(const fs::path& set, const std::string& prefix,
                                       const std::vector<graph::ValueId>& ids, const graph::Graph& g) {
    std::vector<Value> values;
    for (size_t i = 0; i < ids.size(); ++i) {
        const fs::path path = set / fmt::format("{}_{}.pb", prefix, i);
        COFFER_TRY_ASSIGN(offline::NamedValue v, offline::read_value_pb(path.string(), g.values[ids[i]].type.kind));
        values.push_back(std::move(v.value));
    }
    return values;
}

Result<std::string> run_set(const graph::Model& imported, const std::shared_ptr<const runtime::Model>& model,
                            const fs::path& set, const Tolerance& tolerance) {
    const graph::Graph& g = imported.graphs[0];
    COFFER_TRY_ASSIGN(const std::vector<Value> inputs, read_values(set, "input", g.inputs, g));
    COFFER_TRY_ASSIGN(const std::vector<Value> want, read_values(set, "output", g.outputs, g));
    runtime::RunnerOptions options;
    options.threads = 1;
    COFFER_TRY_ASSIGN(const auto runner, runtime::Runner::create(model, options));
    for (size_t i = 0; i < inputs.size(); ++i) {
        const size_t at = model->find_input(g.values[g.inputs[i]].name);
        if (at != runtime::Model::kNotFound) COFFER_TRY(runner->bind_input(at, inputs[i]));
    }
    COFFER_TRY(runner->run());
    for (size_t i = 0; i < want.size(); ++i) {
        const std::string why = compare(runner->output(i), want[i], tolerance);
        if (!why.empty()) return fmt::format("output '{}': {}", g.values[g.outputs[i]].name, why);
    }
    return std::string();
}

Outcome outcome_of(const Error& e) {
    return {e.code() == Code::kUnsupported ? Outcome::kUnsupported : Outcome::kFailed, e.message()};
}

Outcome run_case(const fs::path& dir, bool optimize) {
    auto imported = offline::import_onnx((dir / "model.onnx").string());
    if (!imported) return outcome_of(imported.error());
    graph::Model copy = *imported;
    if (optimize) {
        const auto done = offline::optimize(copy);
        if (!done) return outcome_of(done.error());
    }
    const auto model = runtime::Model::create(std::move(copy));
    if (!model) return outcome_of(model.error());
    const Tolerance tolerance = tolerance_of(dir);
    bool any = false;
    for (const fs::directory_entry& entry : fs::directory_iterator(dir)) {
        if (!entry.is_directory() || !entry.path().filename().string().starts_with("test_data_set_")) continue;
        any = true;
        const auto why = run_set(*imported, *model, entry.path(), tolerance);
        if (!why) return outcome_of(why.error());
        if (!why->empty()) return {Outcome::kFailed, *why};
    }
    if (!any) return {Outcome::kFailed, "no test_data_set_* folder"};
    return {};
}

Result<int> onnx_test(const TestOptions& o) {
    std::vector<fs::path> cases;
    for (const std::string& root : o.dirs) {
        std::error_code failed;
        if (fs::exists(fs::path(root) / "model.onnx", failed)) {
            cases.emplace_back(root);
            continue;
        }
        for (const fs::directory_entry& entry : fs::directory_iterator(root, failed)) {
            if (fs::exists(entry.path() / "model.onnx")) cases.push_back(entry.path());
        }
        const bool missing = failed == std::errc::no_such_file_or_directory;
        if (failed)
            return error(missing ? Code::kNotFound : Code::kIo, Detail::kIo, "cannot read the folder '", root,
                         "': ", failed.message());
    }
    if (cases.empty()) return error(Code::kInvalidArgument, "no folder with a model.onnx was found");
    std::ranges::sort(cases);
    constexpr const char* names[] = {"passed", "failed", "unsupported"};
    size_t counts[3] = {};
    Json list = Json::array();
    for (const fs::path& dir : cases) {
        const Outcome outcome = run_case(dir, o.optimize);
        ++counts[outcome.kind];
        const std::string name = dir.filename().string();
        list.push_back({{"name", name}, {"result", names[outcome.kind]}, {"why", outcome.why}});
        if (!o.json && (o.verbose || outcome.kind != Outcome::kPassed)) {
            print("{:<12} {}{}\n", names[outcome.kind], name, outcome.why.empty() ? "" : ": " + outcome.why);
        }
    }
    if (o.json) {
        print_json("onnx-test", {{"passed_count", counts[0]},
                                 {"failed_count", counts[1]},
                                 {"unsupported_count", counts[2]},
                                 {"cases", list}});
    } else {
        print("{} passed, {} failed, {} unsupported\n", counts[0], counts[1], counts[2]);
    }
    return counts[1] + counts[2] == 0 ? kOk : kNotMet;
}

}  // namespace

void add_onnx_test(CLI::App& root, std::vector<Verb>& verbs) {
    auto* app = root.add_subcommand("onnx-test", "Run ONNX backend test folders");
    auto o = std::make_shared<TestOptions>();
    app->add_option("DIR", o->dirs, "A test folder, or a folder of test folders")->required();
    app->add_flag("--optimize", o->optimize, "Run the graph passes first");
    app->add_flag("--verbose", o->verbose, "Print passed cases too");
    add_json(*app, o->json);
    verbs.push_back({app, [o] { return onnx_test(*o); }});
}

}  // namespace coffer::cli
