// dump: the graph of a model, or its plan with the kernel of each step.
#include "cli.hpp"
#include "coffer/kernels/dispatch.hpp"
#include "offline/pack.hpp"

namespace coffer::cli {
namespace {

struct DumpOptions {
    std::string file;
    std::vector<std::string> inputs;
    AccessOptions access;
    bool plan = false, json = false;
};

Result<std::shared_ptr<const runtime::Model>> open_any(const DumpOptions& o) {
    if (!o.file.ends_with(".onnx")) {
        COFFER_TRY_ASSIGN(runtime::Loaded loaded, load(o.file, o.access));
        return loaded.model;
    }
    COFFER_TRY_ASSIGN(offline::Prepared prepared, named(o.file, offline::prepare(o.file, {})));
    return named(o.file, runtime::Model::create(std::move(prepared.model)));
}

Result<int> dump(const DumpOptions& o) {
    COFFER_TRY_ASSIGN(const auto model, open_any(o));
    if (!o.plan) {
        const std::string text = graph::dump(model->graph());
        if (o.json) {
            print_json("dump", {{"file", o.file}, {"graph", text}});
        } else {
            fmt::print("{}", printable(text, /*lines=*/true));
        }
        return kOk;
    }
    COFFER_TRY_ASSIGN(const auto runner, runtime::Runner::create(model));
    COFFER_TRY(bind_inputs(*runner, o.inputs));
    COFFER_TRY(bind_missing(*runner));
    COFFER_TRY(runner->run());
    const runtime::Plan& plan = *runner->plan();
    Json steps = Json::array();
    for (const runtime::Step& step : plan.steps) {
        const graph::Node& node = model->main().nodes[step.node];
        steps.push_back({{"op", node.op}, {"name", node.name}, {"kernel", step.variant}, {"unit_count", step.units}});
    }
    if (o.json) {
        print_json("dump", {{"file", o.file},
                            {"arch", kernels::arch_name(kernels::chosen())},
                            {"arena_bytes", plan.arena_bytes},
                            {"steps", steps}});
        return kOk;
    }
    print("{} steps, {} of activations, {}\n", steps.size(), bytes_text(plan.arena_bytes),
          kernels::arch_name(kernels::chosen()));
    for (const Json& s : steps) {
        print("  {:<24} {:<28} {}\n", s["kernel"].get<std::string>(), s["op"].get<std::string>(),
              s["name"].get<std::string>());
    }
    return kOk;
}

}  // namespace

void add_dump(CLI::App& root, std::vector<Verb>& verbs) {
    auto* app = root.add_subcommand("dump", "Print the graph of a .coffer or .onnx file, or its plan");
    auto o = std::make_shared<DumpOptions>();
    app->add_option("FILE", o->file, "A .coffer or .onnx file")->required();
    app->add_flag("--plan", o->plan, "The steps of a run on --input, with the kernel of each");
    app->add_option("--input", o->inputs, "NAME=@x.npy; may be repeated. Inputs that are not given are made up")
        ->type_name("NAME=@FILE");
    add_access(*app, o->access);
    add_json(*app, o->json);
    verbs.push_back({app, [o] { return dump(*o); }});
}

}  // namespace coffer::cli
