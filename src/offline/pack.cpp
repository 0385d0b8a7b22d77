#include "offline/pack.hpp"

#include <algorithm>

#include "coffer/base/os.hpp"
#include "offline/quantize/quantize.hpp"

namespace coffer::offline {
namespace {

constexpr uint64_t kMaxAttachment = uint64_t{1} << 30;

Result<const graph::ValueInfo*> find(const graph::Graph& g, const std::vector<graph::ValueId>& ids,
                                     const std::string& name, std::string_view what) {
    for (graph::ValueId id : ids) {
        if (g.values[id].name == name) return &g.values[id];
    }
    std::string known;
    for (graph::ValueId id : ids) known += " '" + g.values[id].name + "'";
    return error(Code::kInvalidArgument, "the model has no ", what, " '", name, "'; it has", known);
}

}  // namespace

size_t weight_bytes(const graph::Model& model) {
    size_t bytes = 0;
    for (const graph::Constant& c : model.constants) bytes += c.tensor.nbytes();
    return bytes;
}

Status add_states(graph::Model& model, const std::vector<StateSpec>& states) {
    const graph::Graph& g = model.graphs[0];
    for (const StateSpec& spec : states) {
        COFFER_TRY_ASSIGN(const graph::ValueInfo* in, find(g, g.inputs, spec.input, "input"));
        COFFER_TRY(find(g, g.outputs, spec.output, "output"));
        for (const graph::StatePair& other : model.states) {
            if (other.input == spec.input || other.output == spec.output) {
                return error(Code::kInvalidArgument, "--state ", spec.output, "=", spec.input,
                             ": already part of a state");
            }
        }
        if (!in->type.dims || in->type.dtype == DType::kUndefined) {
            return error(Code::kInvalidArgument, "state input '", spec.input, "' has no declared type and rank");
        }
        Shape shape;
        for (const graph::Dim& d : *in->type.dims) shape.push_back(d.known() ? d.value : 1);
        graph::StatePair pair{spec.input, spec.output, {}};
        COFFER_TRY_ASSIGN(pair.initial, Tensor::create(in->type.dtype, shape));
        model.states.push_back(std::move(pair));
    }
    return {};
}

Result<graph::Blob> read_attachment(const std::string& path) {
    graph::Blob blob;
    blob.name = path.substr(path.find_last_of('/') + 1);
    if (blob.name.empty()) return error(Code::kInvalidArgument, "attachment '", path, "' has no file name");
    COFFER_TRY_ASSIGN(const std::vector<std::byte> bytes, os::read_file(path, kMaxAttachment));
    blob.bytes.assign(bytes.begin(), bytes.end());
    return blob;
}

Result<Prepared> prepare(const std::string& onnx_path, const PrepareOptions& options) {
    const auto phase = [&](const char* name) {
        if (options.progress) options.progress(name);
    };
    Prepared p;
    phase("import");
    COFFER_TRY_ASSIGN(p.model, import_onnx(onnx_path, {}, &p.import));
    p.original_weight_bytes = weight_bytes(p.model);
    COFFER_TRY(add_states(p.model, options.states));
    phase("optimize");
    COFFER_TRY_ASSIGN(p.passes, optimize(p.model));
    if (options.precision != Precision::kFp32) {
        phase("calibrate");
        QuantizeOptions q;
        q.dynamic = options.precision == Precision::kInt8Dynamic;
        q.data = options.data;
        q.synthetic = options.synthetic;
        COFFER_TRY(quantize(p.model, q, p.notes));
        compact(p.model);
        COFFER_TRY(graph::verify(p.model));
    }
    return p;
}

}  // namespace coffer::offline
