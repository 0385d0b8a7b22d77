// Real models: those of the shared folder, and any below the folder that COFFER_TEST_MODELS names.
#include <cstdlib>
#include <filesystem>

#include "import_case.hpp"

using namespace coffer;
using namespace coffer::testing;
namespace fs = std::filesystem;

namespace {

struct Counts {
    size_t nodes = 0;
    int deepest = 0;
};

Counts count(const graph::Model& m) {
    Counts c;
    std::vector<int> depth(m.graphs.size(), 0);
    for (size_t i = 0; i < m.graphs.size(); ++i) {
        c.nodes += m.graphs[i].nodes.size();
        c.deepest = std::max(c.deepest, depth[i]);
        for (const graph::Node& n : m.graphs[i].nodes) {
            for (const graph::Attr& a : n.attrs) {
                if (const auto* ref = std::get_if<graph::GraphRef>(&a.value)) depth[ref->index] = depth[i] + 1;
            }
        }
    }
    return c;
}

graph::Model import_file(const fs::path& path) {
    offline::ImportOptions options;
    options.check_ops = false;
    auto m = offline::import_onnx(path.string(), options);
    if (!m.ok()) FAIL(m.error().message());
    return std::move(m).value();
}

void check_sound(const graph::Model& m) {
    CHECK(graph::verify(m).ok());
    const graph::Graph& main = m.graphs.at(0);
    CHECK_FALSE(main.inputs.empty());
    CHECK_FALSE(main.outputs.empty());
    CHECK(count(m).nodes > 0);
    for (graph::ValueId id : main.inputs) CHECK(main.values[id].type.dtype != DType::kUndefined);
    for (const graph::Graph& g : m.graphs) {
        for (const graph::Node& n : g.nodes) CHECK(n.op != "Constant");
    }
    CHECK_FALSE(graph::dump(m).empty());
}

}  // namespace

TEST_CASE("all shared models import") {
    const fs::path models = fs::path(COFFER_SHARED_DIR) / "models";
    if (!fs::exists(models)) return;
    size_t imported_models = 0;
    for (const auto& entry : fs::directory_iterator(models)) {
        const fs::path file = entry.path() / "model.onnx";
        if (!fs::exists(file)) continue;
        CAPTURE(file.string());
        check_sound(import_file(file));
        ++imported_models;
    }
    CHECK(imported_models >= 20);
}

TEST_CASE("known models have the parts they are known for") {
    const fs::path models = fs::path(COFFER_SHARED_DIR) / "models";
    if (!fs::exists(models)) return;
    const auto load = [&](const char* name) { return import_file(models / name / "model.onnx"); };

    const graph::Model mobilenet = load("mobilenetv2_qdq");
    CHECK(count(mobilenet).nodes == 335);
    CHECK(mobilenet.constants.size() >= 448);

    const graph::Model silero = load("silero_vad");
    CHECK(silero.graphs.size() == 51);
    CHECK(count(silero).deepest == 4);

    const graph::Model gtcrn = load("gtcrn_raw");
    CHECK(count(gtcrn).nodes == 1786 - 538);  // every Constant is a constant

    const graph::Model selfie = load("selfie_segmentation");
    const std::string ops = ops_of(selfie.graphs[0]);
    CHECK(ops.find("Upsample") == std::string::npos);
    CHECK(ops.find("Resize") != std::string::npos);

    const graph::Model forest = load("tabular_forest");
    CHECK(forest.graphs[0].nodes.at(0).op == "ai.onnx.ml::TreeEnsembleClassifier");
    CHECK(attr<PrivateVector<int64_t>>(forest.graphs[0].nodes[0], "nodes_nodeids").size() > 10000);
}

TEST_CASE("models of the folder COFFER_TEST_MODELS import") {
    const char* folder = std::getenv("COFFER_TEST_MODELS");
    if (!folder || !fs::exists(folder)) return;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (entry.path().extension() != ".onnx") continue;
        CAPTURE(entry.path().string());
        check_sound(import_file(entry.path()));
    }
}
