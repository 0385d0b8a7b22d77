#include "offline/onnx/parse.hpp"

#include "offline/onnx/message.hpp"
#include "offline/onnx/tensor_proto.hpp"

namespace coffer::offline {
namespace {

using namespace proto;

// An empty message takes two bytes in the file and a few hundred in memory, so their number needs a cap. The
// largest real models have some hundred thousand.
constexpr size_t kMaxItems = size_t{1} << 22;

template <class... Parts>
Error bad(const Parts&... parts) {
    return error(Code::kFormat, Detail::kFormat, parts...);
}

// AttributeProto.AttributeType
enum AttributeType : int64_t {
    kUndefined = 0,
    kFloat = 1,
    kInt = 2,
    kString = 3,
    kTensor = 4,
    kGraph = 5,
    kFloats = 6,
    kInts = 7,
    kStrings = 8,
    kSparseTensor = 11,
    kTypeProto = 13,
};

std::string full_domain(std::string domain) {
    return domain == "ai.onnx" ? std::string() : domain;
}

class Parser {
 public:
    explicit Parser(Source& source) : source_(source) {}

    Result<Model> model(Bytes bytes) {
        Message m(bytes, "ModelProto");
        Model model;
        bool has_graph = false;
        while (m.next()) {
            switch (m.field()) {
                case 1: model.ir_version = m.integer(); break;
                case 2: model.producer = m.text(); break;
                case 7:
                    if (has_graph) return bad("the model has two graphs");
                    has_graph = true;
                    COFFER_TRY(child(m, &model.graph, [this](Bytes b) { return graph(b, 0); }));
                    break;
                case 8: COFFER_TRY(append(m, &model.opsets, [this](Bytes b) { return opset(b); })); break;
                case 14: COFFER_TRY(append(m, &model.metadata, [this](Bytes b) { return entry(b); })); break;
                case 25: COFFER_TRY(append(m, &model.functions, [this](Bytes b) { return function(b); })); break;
                default: m.skip();
            }
        }
        COFFER_TRY(m.status());
        if (!has_graph) return bad("not an ONNX model: it has no graph");
        return model;
    }

 private:
    // Reads a message field into `*out` with `read`.
    template <class T, class F>
    Status child(Message& m, T* out, F&& read) {
        const Bytes bytes = m.bytes();
        if (m.failed()) return m.status();
        if (items_ == 0) return error(Code::kLimit, Detail::kLimit, "the model has over ", kMaxItems, " parts");
        --items_;
        auto value = read(bytes);
        if (!value.ok()) return std::move(value).error();
        *out = std::move(value).value();
        return {};
    }
    template <class T, class F>
    Status append(Message& m, std::vector<T>* out, F&& read) {
        T value;
        COFFER_TRY(child(m, &value, std::forward<F>(read)));
        out->push_back(std::move(value));
        return {};
    }
    Status append_text(Message& m, std::vector<std::string>* out) {
        if (items_ == 0) return error(Code::kLimit, Detail::kLimit, "the model has over ", kMaxItems, " parts");
        --items_;
        out->push_back(m.text());
        return {};
    }

    Result<OpsetImport> opset(Bytes bytes) {
        Message m(bytes, "OperatorSetIdProto");
        OpsetImport o;
        while (m.next()) {
            switch (m.field()) {
                case 1: o.domain = full_domain(m.text()); break;
                case 2: o.version = m.integer(); break;
                default: m.skip();
            }
        }
        COFFER_TRY(m.status());
        return o;
    }

    Result<std::pair<std::string, std::string>> entry(Bytes bytes) {
        Message m(bytes, "StringStringEntryProto");
        std::pair<std::string, std::string> e;
        while (m.next()) {
            switch (m.field()) {
                case 1: e.first = m.text(); break;
                case 2: e.second = m.text(); break;
                default: m.skip();
            }
        }
        COFFER_TRY(m.status());
        return e;
    }

    // `required`: inputs and outputs must have a type we know; for values in between it is only a hint.
    Result<ValueInfo> value_info(Bytes bytes, bool required) {
        Message m(bytes, "ValueInfoProto");
        ValueInfo v;
        Bytes type;
        while (m.next()) {
            switch (m.field()) {
                case 1: v.name = m.text(); break;
                case 2: type = m.bytes(); break;
                default: m.skip();
            }
        }
        COFFER_TRY(m.status());
        auto parsed = parse_type(type);
        if (parsed.ok()) {
            v.type = std::move(parsed).value();
        } else if (required || parsed.error().code() != Code::kUnsupported) {
            return parsed.error().within(message({"value '", v.name, "': "}));
        }
        return v;
    }

    Result<Graph> graph(Bytes bytes, int depth) {
        if (depth > graph::kMaxDepth) {
            return error(Code::kUnsupported, Detail::kUnsupported, "subgraphs are nested deeper than ",
                         graph::kMaxDepth);
        }
        Message m(bytes, "GraphProto");
        Graph g;
        const auto tensor = [this](Bytes b) { return read_tensor(b, source_); };
        const auto sparse = [this](Bytes b) { return read_sparse_tensor(b, source_); };
        while (m.next()) {
            switch (m.field()) {
                case 1: COFFER_TRY(append(m, &g.nodes, [&](Bytes b) { return node(b, depth); })); break;
                case 2: g.name = m.text(); break;
                case 5: COFFER_TRY(append(m, &g.initializers, tensor)); break;
                case 11: COFFER_TRY(append(m, &g.inputs, [this](Bytes b) { return value_info(b, true); })); break;
                case 12: COFFER_TRY(append(m, &g.outputs, [this](Bytes b) { return value_info(b, true); })); break;
                case 13: COFFER_TRY(append(m, &g.values, [this](Bytes b) { return value_info(b, false); })); break;
                case 15: COFFER_TRY(append(m, &g.initializers, sparse)); break;
                default: m.skip();
            }
        }
        COFFER_TRY(m.status());
        return g;
    }

    Result<Node> node(Bytes bytes, int depth) {
        Message m(bytes, "NodeProto");
        Node n;
        std::vector<Bytes> attributes;
        while (m.next()) {
            switch (m.field()) {
                case 1: COFFER_TRY(append_text(m, &n.inputs)); break;
                case 2: COFFER_TRY(append_text(m, &n.outputs)); break;
                case 3: n.name = m.text(); break;
                case 4: n.op = m.text(); break;
                case 5: attributes.push_back(m.bytes()); break;
                case 7: n.domain = full_domain(m.text()); break;
                case 8: n.overload = m.text(); break;
                default: m.skip();
            }
        }
        COFFER_TRY(m.status());
        // After the names, so that an error inside an attribute can name the node.
        for (const Bytes& a : attributes) {
            auto parsed = attribute(a, depth);
            if (!parsed.ok()) return parsed.error().within(message({"node '", n.name, "' (", n.op, "): "}));
            n.attributes.push_back(std::move(parsed).value());
        }
        return n;
    }

    struct AttributeFields {
        int64_t type = kUndefined, i = 0;
        float f = 0;
        Bytes s, t, g, sparse, type_proto;
        PrivateVector<float> floats;
        PrivateVector<int64_t> ints;
        PrivateVector<PrivateString> strings;
        int64_t guessed = kUndefined;  // from the field present, for files without `type`
    };

    Result<Attribute> attribute(Bytes bytes, int depth) {
        if (items_ == 0) return error(Code::kLimit, Detail::kLimit, "the model has over ", kMaxItems, " parts");
        --items_;
        Message m(bytes, "AttributeProto");
        Attribute a;
        AttributeFields v;
        const auto guess = [&](AttributeType type) { v.guessed = type; };
        while (m.next()) {
            switch (m.field()) {
                case 1: a.name = m.text(); break;
                case 2: v.f = m.float32(), guess(kFloat); break;
                case 3: v.i = m.integer(), guess(kInt); break;
                case 4: v.s = m.bytes(), guess(kString); break;
                case 5: v.t = m.bytes(), guess(kTensor); break;
                case 6: v.g = m.bytes(), guess(kGraph); break;
                case 7: m.floats(v.floats), guess(kFloats); break;
                case 8: m.integers(v.ints), guess(kInts); break;
                case 9: v.strings.emplace_back(as_text(m.bytes())), guess(kStrings); break;
                case 14: v.type_proto = m.bytes(), guess(kTypeProto); break;
                case 20: v.type = m.integer(); break;
                case 21: a.reference = m.text(); break;
                case 22: v.sparse = m.bytes(), guess(kSparseTensor); break;
                default: m.skip();
            }
        }
        COFFER_TRY(m.status());
        if (a.name.empty()) return bad("an attribute has no name");
        if (!a.reference.empty()) return a;
        if (v.type == kUndefined) v.type = v.guessed;
        auto status = set_value(a, v, depth);
        if (!status.ok()) return status.error().within(message({"attribute '", a.name, "': "}));
        return a;
    }

    Status set_value(Attribute& a, AttributeFields& v, int depth) {
        switch (v.type) {
            case kFloat: a.value = v.f; return {};
            case kInt: a.value = v.i; return {};
            case kString: a.value = std::string(as_text(v.s)); return {};
            case kFloats: a.value = std::move(v.floats); return {};
            case kInts: a.value = std::move(v.ints); return {};
            case kStrings: a.value = std::move(v.strings); return {};
            case kTensor: return set_tensor(a, read_tensor(v.t, source_));
            case kSparseTensor: return set_tensor(a, read_sparse_tensor(v.sparse, source_));
            case kGraph: {
                COFFER_TRY_ASSIGN(Graph g, graph(v.g, depth + 1));
                a.value = std::shared_ptr<const Graph>(std::make_shared<Graph>(std::move(g)));
                return {};
            }
            case kTypeProto: {
                COFFER_TRY_ASSIGN(a.value, parse_type(v.type_proto));
                return {};
            }
            case kUndefined: return bad("has no value");
            default: return error(Code::kUnsupported, Detail::kUnsupported, "attribute type ", v.type);
        }
    }

    static Status set_tensor(Attribute& a, Result<NamedTensor> tensor) {
        if (!tensor.ok()) return std::move(tensor).error();
        a.value = std::move(tensor->tensor);
        return {};
    }

    Result<Function> function(Bytes bytes) {
        Message m(bytes, "FunctionProto");
        Function f;
        while (m.next()) {
            switch (m.field()) {
                case 1: f.name = m.text(); break;
                case 4: COFFER_TRY(append_text(m, &f.inputs)); break;
                case 5: COFFER_TRY(append_text(m, &f.outputs)); break;
                case 7: COFFER_TRY(append(m, &f.nodes, [this](Bytes b) { return node(b, 0); })); break;
                case 9: COFFER_TRY(append(m, &f.opsets, [this](Bytes b) { return opset(b); })); break;
                case 10: f.domain = full_domain(m.text()); break;
                case 11: COFFER_TRY(append(m, &f.defaults, [this](Bytes b) { return attribute(b, 0); })); break;
                case 13: f.overload = m.text(); break;
                default: m.skip();
            }
        }
        COFFER_TRY(m.status());
        return f;
    }

    Source& source_;
    size_t items_ = kMaxItems;
};

}  // namespace

Result<Model> parse_model(Source& source) {
    return Parser(source).model(source.bytes());
}

}  // namespace coffer::offline
