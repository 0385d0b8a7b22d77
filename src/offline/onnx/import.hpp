// ONNX import: a file of opset 7 to the newest becomes a graph::Model in which every op has its newest form.
// It infers no types and folds nothing; passes do.
#pragma once

#include <string>
#include <vector>

#include "coffer/base/bytes.hpp"
#include "coffer/graph/graph.hpp"

namespace coffer::offline {

struct ImportOptions {
    // An initializer that is also a graph input is a default that a caller may override. Few files mean it:
    // by default it is a constant. With this, it is a plain input and its default is dropped.
    bool keep_overridable_inputs = false;
    // Refuse nodes whose op is not in ops::table(), or whose arity or attributes are wrong.
    bool check_ops = true;
};

struct ImportReport {
    int64_t ir_version = 0;
    std::vector<std::pair<std::string, int64_t>> opsets;  // domain ("" is ai.onnx), version
    std::vector<std::string> warnings;                    // what is newer than this library knows
};

Result<graph::Model> import_onnx(const std::string& path, const ImportOptions& options = {},
                                 ImportReport* report = nullptr);
// From memory; external data is looked for in `folder`, "" refuses it.
Result<graph::Model> import_onnx(Bytes bytes, const std::string& folder, const ImportOptions& options = {},
                                 ImportReport* report = nullptr);

}  // namespace coffer::offline
