#include "offline/onnx/build.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "coffer/ops/op.hpp"
#include "offline/onnx/graph_builder.hpp"
#include "offline/onnx/lift.hpp"

namespace coffer::offline {
namespace {

using graph::kAbsent;
using graph::ValueId;

// Inlining multiplies: functions that call functions, with subgraphs in them.
constexpr size_t kMaxNodes = size_t{1} << 20;
constexpr size_t kMaxCallDepth = 64;

struct KnownDomain {
    std::string_view name;
    int64_t oldest, newest;
};
constexpr KnownDomain kDomains[] = {{"", 7, 28}, {"ai.onnx.ml", 1, 5}, {"com.microsoft", 1, 1}};

using Opsets = std::unordered_map<std::string, int64_t>;
using AttributeMap = std::unordered_map<std::string, proto::Attribute>;

template <class... Parts>
Error bad(const Parts&... parts) {
    return error(Code::kFormat, Detail::kFormat, parts...);
}

std::string qualified(const std::string& domain, const std::string& op) {
    return domain.empty() ? op : domain + "::" + op;
}

// "node 'conv1' (Conv)"; nodes without a name are known by what they write.
std::string describe(const proto::Node& node) {
    const std::string op = qualified(node.domain, node.op);
    if (!node.name.empty()) return message({"node '", node.name, "' (", op, ")"});
    return message({"node of '", node.outputs.empty() ? "" : node.outputs[0], "' (", op, ")"});
}

// Names visible at one place of the file: in a graph, in a subgraph (which sees the graph around it), or in
// the body of a function call (which sees nothing around it, and writes into the caller's graph).
struct Scope {
    GraphBuilder& builder;
    Scope* outer = nullptr;
    const std::vector<proto::Node>* nodes = nullptr;
    const Opsets* opsets = nullptr;
    const AttributeMap* arguments = nullptr;  // attributes of the function call, nullptr outside of one
    std::string prefix;                       // of values of an inlined call
    std::unordered_map<std::string, ValueId> names;
    std::unordered_map<std::string, std::string> renamed;  // results of a call are named as the caller does
    std::unordered_map<std::string_view, const graph::Type*> hints;
};

class ModelBuilder {
 public:
    ModelBuilder(const proto::Model& source, const ImportOptions& options, std::vector<std::string>& warnings)
        : source_(source), options_(options), warnings_(warnings) {}

    Result<graph::Model> run() {
        COFFER_TRY_ASSIGN(const Opsets opsets, read_opsets(source_.opsets, {}));
        opsets_ = &opsets;
        for (const proto::Function& f : source_.functions) {
            if (!functions_.emplace(function_key(f.domain, f.name, f.overload), &f).second) {
                return bad("two functions are named '", qualified(f.domain, f.name), "'");
            }
        }
        model_.producer = source_.producer;
        model_.metadata = source_.metadata;
        model_.graphs.emplace_back();
        GraphBuilder main(model_, constant_names_, nullptr, 0);
        Scope scope{.builder = main, .opsets = &opsets};
        COFFER_TRY(fill_graph(scope, source_.graph));
        model_.graphs[0] = std::move(main.built);
        return std::move(model_);
    }

 private:
    static std::string function_key(const std::string& domain, const std::string& name, const std::string& overload) {
        return domain + '\0' + name + '\0' + overload;
    }

    // `base` are the imports of the model, for a function that leaves some out.
    Result<Opsets> read_opsets(const std::vector<proto::OpsetImport>& imports, Opsets base) {
        std::unordered_set<std::string_view> seen;
        for (const proto::OpsetImport& o : imports) {
            if (!seen.insert(o.domain).second) {
                const int64_t first = base[o.domain];
                if (first == o.version) continue;
                return bad("domain '", o.domain, "' is imported with opsets ", first, " and ", o.version);
            }
            base[o.domain] = o.version;
            const auto known = std::ranges::find(kDomains, o.domain, &KnownDomain::name);
            if (known == std::end(kDomains)) continue;
            const std::string_view name = o.domain.empty() ? "ai.onnx" : std::string_view(o.domain);
            if (o.version < known->oldest) {
                return error(Code::kUnsupported, Detail::kUnsupported, "opset ", o.version, " of ", name,
                             " is too old; opsets from ", known->oldest, " on are read");
            }
            if (o.version > known->newest) {
                warn(message({"opset ", o.version, " of ", name, " is newer than ", known->newest,
                              ", the newest known here"}));
            }
        }
        return base;
    }

    void warn(std::string text) {
        if (std::ranges::find(warnings_, text) == warnings_.end()) warnings_.push_back(std::move(text));
    }

    // ---- names

    // nullopt: not written (yet) in this scope nor around it.
    std::optional<ValueId> lookup(Scope& scope, const std::string& name) {
        const auto own = scope.names.find(name);
        if (own != scope.names.end()) return own->second;
        if (!scope.outer) return std::nullopt;
        const auto outer = lookup(*scope.outer, name);
        if (!outer) return std::nullopt;
        const ValueId id = *outer == kAbsent ? kAbsent : scope.builder.import_outer(*outer);
        scope.names.emplace(name, id);
        return id;
    }

    Result<ValueId> resolve(Scope& scope, const std::string& name) {
        const auto id = lookup(scope, name);
        if (id) return *id;
        for (const Scope* s = &scope; s; s = s->outer) {
            if (!s->nodes) continue;
            for (const proto::Node& later : *s->nodes) {
                if (std::ranges::find(later.outputs, name) == later.outputs.end()) continue;
                return bad("reads '", name, "' before ", describe(later),
                           " writes it: the nodes are not in topological order, or form a cycle");
            }
        }
        return bad("reads '", name, "', which nothing writes");
    }

    Result<ValueId> define(Scope& scope, const std::string& name) {
        if (name.empty()) return kAbsent;
        const auto renamed = scope.renamed.find(name);
        const auto hint = scope.hints.find(name);
        const ValueId id =
            scope.builder.add_value(renamed != scope.renamed.end() ? renamed->second : scope.prefix + name,
                                    hint != scope.hints.end() ? *hint->second : graph::Type());
        if (!scope.names.emplace(name, id).second) return bad("'", name, "' is written twice");
        return id;
    }

    // ---- graphs

    Status fill_graph(Scope& scope, const proto::Graph& g) {
        GraphBuilder& builder = scope.builder;
        const bool main = builder.index() == 0;
        builder.built.name = g.name;
        scope.nodes = &g.nodes;
        for (const auto* list : {&g.values, &g.outputs, &g.inputs}) {
            for (const proto::ValueInfo& v : *list) scope.hints.insert_or_assign(v.name, &v.type);
        }
        std::unordered_set<std::string_view> initialized;
        for (const proto::NamedTensor& t : g.initializers) {
            if (t.name.empty()) return bad("an initializer has no name");
            if (!initialized.insert(t.name).second) return bad("two initializers are named '", t.name, "'");
        }
        std::unordered_set<std::string_view> inputs;
        for (const proto::ValueInfo& v : g.inputs) {
            if (v.name.empty()) return bad("an input of graph '", g.name, "' has no name");
            // The inputs of a subgraph are always given by its node.
            if (main && !options_.keep_overridable_inputs && initialized.contains(v.name)) continue;
            auto id = define(scope, v.name);
            if (!id.ok()) return bad("two inputs of graph '", g.name, "' are named '", v.name, "'");
            builder.built.values[*id].type = v.type;
            builder.built.inputs.push_back(*id);
            inputs.insert(v.name);
        }
        for (const proto::NamedTensor& t : g.initializers) {
            if (!inputs.contains(t.name)) scope.names.emplace(t.name, builder.add_constant(t.name, t.tensor));
        }
        COFFER_TRY(add_nodes(scope));
        return add_outputs(scope, g);
    }

    Status add_outputs(Scope& scope, const proto::Graph& g) {
        graph::Graph& built = scope.builder.built;
        std::unordered_set<std::string_view> names;
        for (const proto::ValueInfo& v : g.outputs) {
            if (!names.insert(v.name).second)
                return bad("two outputs of graph '", g.name, "' are named '", v.name, "'");
            auto resolved = resolve(scope, v.name);
            if (!resolved.ok() || *resolved == kAbsent) {
                return bad("output '", v.name, "' of graph '", g.name, "' is never written");
            }
            ValueId id = *resolved;
            if (scope.builder.index() == 0) id = named_output(scope.builder, id, v.name);
            const bool is_input = std::ranges::find(built.inputs, id) != built.inputs.end();
            if (built.values[id].constant < 0 && !is_input) built.values[id].type = v.type;
            built.outputs.push_back(id);
        }
        if (built.outputs.empty()) return bad("graph '", g.name, "' has no outputs");
        return {};
    }

    // Outputs of the model keep the names of the file. An inlined function may hand on one of its inputs, which
    // has a name already.
    static ValueId named_output(GraphBuilder& builder, ValueId id, const std::string& name) {
        graph::Graph& built = builder.built;
        if (built.values[id].name == name) return id;
        const auto holds = [&](const std::vector<ValueId>& ids) { return std::ranges::find(ids, id) != ids.end(); };
        if (built.values[id].constant >= 0 || holds(built.inputs) || holds(built.outputs)) {
            const ValueId copy = builder.add_value(name, builder.hint(id));
            builder.add_node({"Identity", {}, {id}, {copy}, {}});
            id = copy;
        }
        builder.rename(id, name);
        return id;
    }

    Status add_nodes(Scope& scope) {
        for (const proto::Node& node : *scope.nodes) {
            if (nodes_left_ == 0) {
                return error(Code::kLimit, Detail::kLimit, "the model has over ", kMaxNodes, " nodes");
            }
            --nodes_left_;
            auto status = add_node(scope, node);
            if (!status.ok()) return locate(status.error(), node);
        }
        return {};
    }

    // Innermost first: an error inside a subgraph or a function names that node only.
    Error locate(const Error& error, const proto::Node& node) {
        if (located_) return error;
        located_ = true;
        return error.within(describe(node) + ": ");
    }

    // ---- nodes

    Status add_node(Scope& scope, const proto::Node& node) {
        if (node.op.empty()) return bad("has no op");
        const auto function = functions_.find(function_key(node.domain, node.op, node.overload));
        if (function != functions_.end()) return inline_call(scope, node, *function->second);
        if (node.domain.empty() && node.op == "Constant") return add_constant(scope, node);
        const auto opset = scope.opsets->find(node.domain);
        if (opset == scope.opsets->end()) {
            return bad("domain '", node.domain.empty() ? "ai.onnx" : node.domain, "' is not imported by the model");
        }
        graph::Node out;
        out.op = qualified(node.domain, node.op);
        out.name = scope.prefix + node.name;
        for (const std::string& name : node.inputs) {
            if (name.empty()) {
                out.inputs.push_back(kAbsent);
                continue;
            }
            COFFER_TRY_ASSIGN(const ValueId id, resolve(scope, name));
            out.inputs.push_back(id);
        }
        COFFER_TRY(set_attributes(scope, node, out));
        for (const std::string& name : node.outputs) {
            COFFER_TRY_ASSIGN(const ValueId id, define(scope, name));
            out.outputs.push_back(id);
        }
        return lift_and_add(scope.builder, std::move(out), opset->second);
    }

    Status lift_and_add(GraphBuilder& builder, graph::Node node, int64_t opset) {
        const std::string op = node.op;
        COFFER_TRY_ASSIGN(std::vector<graph::Node> nodes, lift(builder, std::move(node), opset));
        for (graph::Node& n : nodes) {
            if (options_.check_ops) {
                const ops::Op* known = ops::find(n.op);
                if (!known) {
                    return error(Code::kUnsupported, Detail::kUnsupported, "unknown op '", op.substr(name_start(op)),
                                 "' of domain '", name_start(op) == 0 ? "ai.onnx" : op.substr(0, name_start(op) - 2),
                                 "', opset ", opset);
                }
                auto status = ops::check_node(*known, n);
                if (!status.ok()) return bad(status.error().message());
            }
            builder.add_node(std::move(n));
        }
        return {};
    }

    static size_t name_start(const std::string& op) {
        const size_t colons = op.rfind("::");
        return colons == std::string::npos ? 0 : colons + 2;
    }

    // The value of an attribute, with references to the function call's attributes followed; nullptr when the
    // call leaves it out.
    static const proto::Attribute* actual(const Scope& scope, const proto::Attribute& attribute) {
        if (attribute.reference.empty()) return &attribute;
        if (!scope.arguments) return nullptr;
        const auto found = scope.arguments->find(attribute.reference);
        return found == scope.arguments->end() ? nullptr : &found->second;
    }

    Status set_attributes(Scope& scope, const proto::Node& node, graph::Node& out) {
        std::vector<std::pair<std::string, const proto::Graph*>> subgraphs;
        std::unordered_set<std::string_view> seen;
        for (const proto::Attribute& written : node.attributes) {
            if (!seen.insert(written.name).second) return bad("attribute '", written.name, "' is given twice");
            const proto::Attribute* a = actual(scope, written);
            if (!a) continue;
            std::visit(
                [&]<class T>(const T& value) {
                    if constexpr (std::is_same_v<T, std::shared_ptr<const proto::Graph>>) {
                        subgraphs.emplace_back(written.name, value.get());
                    } else if constexpr (std::is_same_v<T, graph::Type>) {
                        set_type(out, value);
                    } else if constexpr (!std::is_same_v<T, std::monostate>) {
                        out.set(written.name, value);
                    }
                },
                a->value);
        }
        return subgraphs.empty() ? Status() : add_subgraphs(scope, subgraphs, out);
    }

    // Optional's `type`: the op wants to know the elements of an optional that is empty.
    static void set_type(graph::Node& node, const graph::Type& type) {
        if (type.dtype != DType::kUndefined) node.set("dtype", static_cast<int64_t>(type.dtype));
    }

    // All subgraphs of a node take the same captures in the same order, so that the node's inputs fit each.
    Status add_subgraphs(Scope& scope, const std::vector<std::pair<std::string, const proto::Graph*>>& subgraphs,
                         graph::Node& out) {
        if (scope.builder.depth() == graph::kMaxDepth) {
            return error(Code::kUnsupported, Detail::kUnsupported, "subgraphs are nested deeper than ",
                         graph::kMaxDepth);
        }
        std::vector<GraphBuilder> children;
        children.reserve(subgraphs.size());
        std::vector<ValueId> captured;
        for (const auto& [name, source] : subgraphs) {
            const auto index = static_cast<uint32_t>(model_.graphs.size());
            model_.graphs.emplace_back();
            GraphBuilder& child = children.emplace_back(model_, constant_names_, &scope.builder, index);
            Scope inner{.builder = child, .outer = &scope, .opsets = scope.opsets, .arguments = scope.arguments};
            COFFER_TRY(fill_graph(inner, *source));
            out.set(name, graph::GraphRef{index});
            for (const GraphBuilder::Capture& c : child.captures()) {
                if (std::ranges::find(captured, c.outer) == captured.end()) captured.push_back(c.outer);
            }
        }
        for (GraphBuilder& child : children) {
            for (ValueId outer : captured) child.built.inputs.push_back(child.import_outer(outer));
            model_.graphs[child.index()] = std::move(child.built);
        }
        out.inputs.insert(out.inputs.end(), captured.begin(), captured.end());
        out.set("captures", static_cast<int64_t>(captured.size()));
        return {};
    }

    Status add_constant(Scope& scope, const proto::Node& node) {
        if (node.outputs.size() != 1 || node.outputs[0].empty()) return bad("gives exactly one output");
        const proto::Attribute* a = nullptr;
        for (const proto::Attribute& written : node.attributes) {
            if (!written.name.starts_with("value") && written.name != "sparse_value") continue;
            if (a) return bad("has two values");
            a = actual(scope, written);
        }
        if (!a) return bad("has no value");
        Tensor tensor;
        if (const auto* t = std::get_if<Tensor>(&a->value)) tensor = *t;
        if (const auto* i = std::get_if<int64_t>(&a->value)) tensor = Tensor::scalar(*i);
        if (const auto* f = std::get_if<float>(&a->value)) tensor = Tensor::scalar(*f);
        if (const auto* s = std::get_if<std::string>(&a->value)) tensor = Tensor::scalar(PrivateString(*s));
        if (const auto* i = std::get_if<PrivateVector<int64_t>>(&a->value)) tensor = Tensor::of<int64_t>(*i);
        if (const auto* f = std::get_if<PrivateVector<float>>(&a->value)) tensor = Tensor::of<float>(*f);
        if (const auto* s = std::get_if<PrivateVector<PrivateString>>(&a->value))
            tensor = Tensor::of<PrivateString>(*s);
        if (!tensor.valid()) return bad("attribute '", a->name, "' is not a tensor, a number or text");
        const std::string& name = node.outputs[0];
        if (scope.names.contains(name)) return bad("'", name, "' is written twice");
        const auto renamed = scope.renamed.find(name);
        const std::string full = renamed != scope.renamed.end() ? renamed->second : scope.prefix + name;
        scope.names.emplace(name, scope.builder.add_constant(full, std::move(tensor)));
        return {};
    }

    // ---- functions

    Status inline_call(Scope& scope, const proto::Node& call, const proto::Function& f) {
        if (std::ranges::find(active_, &f) != active_.end()) return bad("function '", f.name, "' calls itself");
        if (active_.size() == kMaxCallDepth) {
            return error(Code::kLimit, Detail::kLimit, "functions call each other deeper than ", kMaxCallDepth);
        }
        if (call.inputs.size() > f.inputs.size() || call.outputs.size() > f.outputs.size()) {
            return bad("function '", f.name, "' has ", f.inputs.size(), " inputs and ", f.outputs.size(),
                       " outputs, the call ", call.inputs.size(), " and ", call.outputs.size());
        }
        AttributeMap arguments;
        for (const proto::Attribute& a : f.defaults) arguments.insert_or_assign(a.name, a);
        for (const proto::Attribute& written : call.attributes) {
            const proto::Attribute* a = actual(scope, written);
            if (!a) continue;
            if (std::holds_alternative<std::shared_ptr<const proto::Graph>>(a->value)) {
                return error(Code::kUnsupported, Detail::kUnsupported, "a graph as attribute of a function call");
            }
            arguments.insert_or_assign(written.name, *a);
        }
        COFFER_TRY_ASSIGN(const Opsets opsets, read_opsets(f.opsets, *opsets_));
        Scope body{.builder = scope.builder,
                   .nodes = &f.nodes,
                   .opsets = &opsets,
                   .arguments = &arguments,
                   .prefix = scope.prefix + (call.name.empty() ? f.name : call.name) + "/"};
        for (size_t i = 0; i < f.inputs.size(); ++i) {
            ValueId id = kAbsent;
            if (i < call.inputs.size() && !call.inputs[i].empty()) {
                COFFER_TRY_ASSIGN(id, resolve(scope, call.inputs[i]));
            }
            if (!body.names.emplace(f.inputs[i], id).second) {
                return bad("function '", f.name, "' has two inputs '", f.inputs[i], "'");
            }
        }
        for (size_t i = 0; i < call.outputs.size(); ++i) {
            if (call.outputs[i].empty()) continue;
            const auto caller_name = scope.renamed.find(call.outputs[i]);
            body.renamed.emplace(f.outputs[i], caller_name != scope.renamed.end() ? caller_name->second
                                                                                  : scope.prefix + call.outputs[i]);
        }
        active_.push_back(&f);
        COFFER_TRY(add_nodes(body));
        active_.pop_back();
        for (size_t i = 0; i < call.outputs.size(); ++i) {
            if (call.outputs[i].empty()) continue;
            COFFER_TRY_ASSIGN(const ValueId id, resolve(body, f.outputs[i]));
            if (!scope.names.emplace(call.outputs[i], id).second)
                return bad("'", call.outputs[i], "' is written twice");
        }
        return {};
    }

    const proto::Model& source_;
    const ImportOptions& options_;
    std::vector<std::string>& warnings_;
    graph::Model model_;
    UniqueNames constant_names_;
    const Opsets* opsets_ = nullptr;
    std::unordered_map<std::string, const proto::Function*> functions_;
    std::vector<const proto::Function*> active_;  // calls being inlined, outermost first
    size_t nodes_left_ = kMaxNodes;
    bool located_ = false;
};

}  // namespace

Result<graph::Model> build_model(const proto::Model& model, const ImportOptions& options,
                                 std::vector<std::string>& warnings) {
    return ModelBuilder(model, options, warnings).run();
}

}  // namespace coffer::offline
