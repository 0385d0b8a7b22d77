#include "offline/onnx/tensor_pb.hpp"

#include "offline/onnx/message.hpp"
#include "offline/onnx/tensor_proto.hpp"

namespace coffer::offline {
namespace {

constexpr int kMaxNesting = 8;

Result<NamedValue> parse_value(Bytes bytes, ValueKind kind, int depth);

// Fields of SequenceProto (repeated) and OptionalProto (at most one) share their numbers.
Result<NamedValue> parse_container(Bytes bytes, ValueKind kind, int depth) {
    Message m(bytes, kind == ValueKind::kSequence ? "SequenceProto" : "OptionalProto");
    NamedValue out;
    out.value.kind = kind;
    while (m.next()) {
        const uint32_t field = m.field();
        if (field == 1) {
            out.name = m.text();
            continue;
        }
        if (field == 4 || field == 6) {
            return error(Code::kUnsupported, Detail::kUnsupported, field == 4 ? "sparse tensors" : "maps",
                         " in a sequence or optional");
        }
        const bool is_item = field == 3 || field == 5 || field == 7;
        if (!is_item) {
            m.skip();
            continue;
        }
        const Bytes item = m.bytes();
        if (m.failed()) break;
        const ValueKind item_kind = field == 3   ? ValueKind::kTensor
                                    : field == 5 ? ValueKind::kSequence
                                                 : ValueKind::kOptional;
        COFFER_TRY_ASSIGN(NamedValue parsed, parse_value(item, item_kind, depth + 1));
        out.value.dtype = parsed.value.dtype;
        out.value.items.push_back(std::move(parsed.value));
    }
    COFFER_TRY(m.status());
    if (kind == ValueKind::kOptional && out.value.items.size() > 1) {
        return error(Code::kFormat, Detail::kFormat, "an optional of ", out.value.items.size(), " values");
    }
    return out;
}

Result<NamedValue> parse_value(Bytes bytes, ValueKind kind, int depth) {
    if (depth > kMaxNesting) {
        return error(Code::kUnsupported, Detail::kUnsupported, "values nested deeper than ", kMaxNesting);
    }
    if (kind != ValueKind::kTensor) return parse_container(bytes, kind, depth);
    Source source(bytes, "");
    COFFER_TRY_ASSIGN(proto::NamedTensor tensor, read_tensor(bytes, source));
    return NamedValue{std::move(tensor.name), Value(std::move(tensor.tensor))};
}

}  // namespace

Result<NamedValue> parse_value_pb(Bytes bytes, ValueKind kind) {
    return parse_value(bytes, kind, 0);
}

Result<NamedValue> read_value_pb(const std::string& path, ValueKind kind) {
    constexpr uint64_t kMaxFile = uint64_t{1} << 31;
    COFFER_TRY_ASSIGN(const std::vector<std::byte> bytes, os::read_file(path, kMaxFile));
    auto value = parse_value_pb(bytes, kind);
    if (!value.ok()) return value.error().within(message({"'", path, "': "}));
    return value;
}

}  // namespace coffer::offline
