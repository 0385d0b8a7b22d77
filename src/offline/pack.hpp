// From an ONNX file to a model ready to be sealed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "coffer/graph/graph.hpp"
#include "offline/onnx/import.hpp"
#include "offline/passes/passes.hpp"

namespace coffer::offline {

enum class Precision : uint8_t { kFp32, kInt8, kInt8Dynamic };

struct StateSpec {
    std::string output, input;
};

struct PrepareOptions {
    Precision precision = Precision::kFp32;
    std::string data;        // folder of calibration samples, for kInt8
    bool synthetic = false;  // made-up samples instead
    std::vector<StateSpec> states;
    std::function<void(const char* phase)> progress;  // import, optimize, calibrate; may be empty
};

struct Prepared {
    graph::Model model;
    ImportReport import;
    std::vector<PassStats> passes;
    size_t original_weight_bytes = 0;
    std::vector<std::string> notes;  // what a person should know: layers kept in float, guesses made
};

Result<Prepared> prepare(const std::string& onnx_path, const PrepareOptions& options);

// OUT=IN pairs become state held by runners. Free dimensions start at 1.
Status add_states(graph::Model& model, const std::vector<StateSpec>& states);
// A file attached under its base name.
Result<graph::Blob> read_attachment(const std::string& path);

size_t weight_bytes(const graph::Model& model);

}  // namespace coffer::offline
