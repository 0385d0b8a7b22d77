#include "offline/quantize/quantize.hpp"

#include "offline/quantize/dynamic.hpp"
#include "offline/quantize/static.hpp"

namespace coffer::offline {

Status quantize(graph::Model& model, const QuantizeOptions& options, std::vector<std::string>& notes) {
    if (options.dynamic) return quantize_dynamic(model, notes);
    return quantize_static(model, options, notes);
}

}  // namespace coffer::offline
