#include "offline/quantize/quantize.hpp"

#include "offline/quantize/dynamic.hpp"

namespace coffer::offline {

Status quantize(graph::Model& model, const QuantizeOptions& options, std::vector<std::string>& notes) {
    if (options.dynamic) return quantize_dynamic(model, notes);
    return error(Code::kUnsupported, "static quantization is not available");
}

}  // namespace coffer::offline
