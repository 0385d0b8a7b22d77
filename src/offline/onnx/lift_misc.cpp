#include "offline/onnx/lift.hpp"

namespace coffer::offline {

Status lift_scatter(Lift& l) {
    if (l.opset >= 11) return Lift::unsupported("Scatter does not exist any more in opset ", l.opset);
    l.node.op = "ScatterElements";
    return {};
}

Status lift_scan(Lift&) {
    return Lift::unsupported("Scan of opset 8 (with a batch dimension); opset 9 is supported");
}

// One list of classes served both ways: text to its position, position to its text.
Status lift_label_encoder(Lift& l) {
    const auto* attr = l.node.find("classes_strings");
    const auto* classes = attr ? std::get_if<PrivateVector<PrivateString>>(&attr->value) : nullptr;
    if (!classes || !l.has_input(0)) return error(Code::kFormat, Detail::kFormat, "has no classes_strings");
    const PrivateVector<PrivateString> texts = *classes;
    PrivateVector<int64_t> positions(texts.size());
    for (size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<int64_t>(i);
    l.node.erase("classes_strings");
    switch (l.hint(l.node.inputs[0]).dtype) {
        case DType::kString:
            l.node.set("keys_strings", texts);
            l.node.set("values_int64s", positions);
            return {};
        case DType::kInt64:
            l.node.set("keys_int64s", positions);
            l.node.set("values_strings", texts);
            return {};
        default: return Lift::unsupported("the type of the input is not known");
    }
}

}  // namespace coffer::offline
