// The ONNX importer and the passes behind it. Input: a model file without external data.
#include "fuzz.hpp"
#include "offline/onnx/import.hpp"
#include "offline/passes/passes.hpp"

using namespace coffer;

COFFER_FUZZ_TARGET(onnx) {
    auto model = offline::import_onnx(data, "");
    if (!model.ok()) return;
    fuzz::expect(graph::verify(*model).ok(), "an imported model is sound");
    const auto passes = offline::optimize(*model);
    if (passes.ok()) fuzz::expect(graph::verify(*model).ok(), "an optimized model is sound");
}
