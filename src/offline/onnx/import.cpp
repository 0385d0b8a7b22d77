#include "offline/onnx/import.hpp"

#include "offline/onnx/build.hpp"
#include "offline/onnx/parse.hpp"

namespace coffer::offline {
namespace {

constexpr int64_t kOldestIr = 3, kNewestIr = 14;

Status check_version(const proto::Model& model, ImportReport& report) {
    report.ir_version = model.ir_version;
    for (const proto::OpsetImport& o : model.opsets) report.opsets.emplace_back(o.domain, o.version);
    if (model.ir_version < kOldestIr) {
        return error(Code::kUnsupported, Detail::kUnsupported, "ONNX IR version ", model.ir_version,
                     " is too old; versions from ", kOldestIr, " on are read");
    }
    if (model.ir_version > kNewestIr) {
        report.warnings.push_back(
            message({"IR version ", model.ir_version, " is newer than ", kNewestIr, ", the newest known here"}));
    }
    return {};
}

Result<graph::Model> import(Source& source, const ImportOptions& options, ImportReport* report) {
    ImportReport unused;
    ImportReport& r = report ? *report : unused;
    r = {};
    COFFER_TRY_ASSIGN(const proto::Model parsed, parse_model(source));
    COFFER_TRY(check_version(parsed, r));
    COFFER_TRY_ASSIGN(graph::Model model, build_model(parsed, options, r.warnings));
    COFFER_TRY(graph::verify(model));
    return model;
}

}  // namespace

Result<graph::Model> import_onnx(const std::string& path, const ImportOptions& options, ImportReport* report) {
    COFFER_TRY_ASSIGN(Source source, Source::open(path));
    auto model = import(source, options, report);
    if (!model.ok()) return model.error().within(message({"'", path, "': "}));
    return model;
}

Result<graph::Model> import_onnx(Bytes bytes, const std::string& folder, const ImportOptions& options,
                                 ImportReport* report) {
    Source source(bytes, folder);
    return import(source, options, report);
}

}  // namespace coffer::offline
