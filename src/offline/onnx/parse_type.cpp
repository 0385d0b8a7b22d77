#include "offline/onnx/message.hpp"
#include "offline/onnx/parse.hpp"
#include "offline/onnx/tensor_proto.hpp"

namespace coffer::offline {
namespace {

// optional(sequence(tensor)) is the deepest type there is.
constexpr int kMaxTypeDepth = 2;

Result<graph::Dim> parse_dim(Bytes bytes) {
    Message m(bytes, "TensorShapeProto.Dimension");
    graph::Dim dim;
    while (m.next()) {
        switch (m.field()) {
            case 1:
                dim = {m.integer(), {}};
                // Some exporters write -1 for "not known"; anything lower is damage.
                if (dim.value < -1) {
                    return error(Code::kFormat, Detail::kFormat, "dimension ", dim.value, " is negative");
                }
                break;
            case 2: dim = {-1, m.text()}; break;
            default: m.skip();
        }
    }
    COFFER_TRY(m.status());
    return dim;
}

Result<std::vector<graph::Dim>> parse_shape(Bytes bytes) {
    Message m(bytes, "TensorShapeProto");
    std::vector<graph::Dim> dims;
    while (m.next()) {
        if (m.field() != 1) {
            m.skip();
            continue;
        }
        if (dims.size() == kMaxRank) {
            return error(Code::kUnsupported, Detail::kUnsupported, "rank is over ", kMaxRank);
        }
        const Bytes dim = m.bytes();
        if (m.failed()) break;
        COFFER_TRY_ASSIGN(graph::Dim parsed, parse_dim(dim));
        dims.push_back(std::move(parsed));
    }
    COFFER_TRY(m.status());
    return dims;
}

Result<graph::Type> parse_tensor_type(Bytes bytes) {
    Message m(bytes, "TypeProto.Tensor");
    graph::Type type;
    while (m.next()) {
        switch (m.field()) {
            case 1: {
                const int64_t number = m.integer();
                if (number == 0) break;
                COFFER_TRY_ASSIGN(type.dtype, read_dtype(number));
                break;
            }
            case 2: {
                const Bytes shape = m.bytes();
                if (m.failed()) break;
                COFFER_TRY_ASSIGN(type.dims, parse_shape(shape));
                break;
            }
            default: m.skip();
        }
    }
    COFFER_TRY(m.status());
    return type;
}

Result<graph::Type> parse_type_at(Bytes bytes, int depth);

// TypeProto.Sequence and TypeProto.Optional: one element type each.
Result<graph::Type> parse_container_type(Bytes bytes, ValueKind kind, int depth) {
    Message m(bytes, kind == ValueKind::kSequence ? "TypeProto.Sequence" : "TypeProto.Optional");
    graph::Type element;
    while (m.next()) {
        if (m.field() != 1) {
            m.skip();
            continue;
        }
        const Bytes inner = m.bytes();
        if (m.failed()) break;
        COFFER_TRY_ASSIGN(element, parse_type_at(inner, depth + 1));
    }
    COFFER_TRY(m.status());
    if (element.kind == ValueKind::kOptional || (element.kind == kind && kind == ValueKind::kSequence)) {
        return error(Code::kUnsupported, Detail::kUnsupported, "nested sequence and optional types");
    }
    element.kind = kind;
    return element;
}

Result<graph::Type> parse_type_at(Bytes bytes, int depth) {
    if (depth > kMaxTypeDepth) {
        return error(Code::kUnsupported, Detail::kUnsupported, "types nested deeper than ", kMaxTypeDepth);
    }
    Message m(bytes, "TypeProto");
    graph::Type type;
    while (m.next()) {
        const uint32_t field = m.field();
        if (field == 6) {  // denotation
            m.skip();
            continue;
        }
        if (field != 1 && field != 4 && field != 9) {
            const char* what = field == 5 ? "map" : field == 8 ? "sparse tensor" : "opaque";
            return error(Code::kUnsupported, Detail::kUnsupported, what, " types");
        }
        const Bytes inner = m.bytes();
        if (m.failed()) break;
        if (field == 1) {
            COFFER_TRY_ASSIGN(type, parse_tensor_type(inner));
        } else {
            COFFER_TRY_ASSIGN(
                type, parse_container_type(inner, field == 4 ? ValueKind::kSequence : ValueKind::kOptional, depth));
        }
    }
    COFFER_TRY(m.status());
    return type;
}

}  // namespace

Result<graph::Type> parse_type(Bytes message) {
    return parse_type_at(message, 0);
}

}  // namespace coffer::offline
