#include "runtime/plan.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <list>
#include <unordered_map>
#include <utility>

#include "coffer/kernels/dispatch.hpp"
#include "ops/layout.hpp"
#include "runtime/layout.hpp"
#include "runtime/memory_plan.hpp"

namespace coffer::runtime {

// A control flow node whose branches all give tensors of one known type: If.
class BranchStep {
 public:
    BranchStep(GraphRunner* graphs, const graph::Node& node, std::span<const ops::Type> inputs,
               std::span<const ops::Type> outputs)
        : graphs_(graphs),
          then_(std::get<graph::GraphRef>(node.find("then_branch")->value).index),
          else_(std::get<graph::GraphRef>(node.find("else_branch")->value).index) {
        for (const ops::Type& t : inputs) types_.push_back({nullptr, t.dtype, t.shape});
        for (const ops::Type& t : outputs) outputs_.push_back({nullptr, t.dtype, t.shape});
        captures_.resize(types_.size() - 1);
    }

    Status run(void* const* operands) {
        for (size_t i = 1; i < types_.size(); ++i) {
            TensorView view = types_[i];
            view.data = operands[i];
            captures_[i - 1] = Value(Tensor::wrap(view, nullptr));
        }
        for (size_t i = 0; i < outputs_.size(); ++i) outputs_[i].data = operands[types_.size() + i];
        const bool condition = *static_cast<const uint8_t*>(operands[0]) != 0;
        return graphs_->run_graph_into(condition ? then_ : else_, captures_, outputs_);
    }

 private:
    GraphRunner* graphs_;
    uint32_t then_, else_;
    std::vector<TensorView> types_, outputs_;
    std::vector<Value> captures_;
};

Status run_branch(BranchStep& step, void* const* operands) {
    return step.run(operands);
}

Plan::Plan() = default;
Plan::~Plan() = default;

ReferenceStep::ReferenceStep(const ops::Op& op, const graph::Node& node, std::span<const ops::Type> inputs,
                             std::span<const ops::Type> outputs, GraphRunner* graphs, Scratch* scratch)
    : RunContext(*op.facts, node), op_(op), graphs_(graphs), scratch_(scratch) {
    wants_values_ = false;
    for (const graph::Attr& attr : node.attrs) wants_values_ |= std::holds_alternative<graph::GraphRef>(attr.value);
    for (const ops::Type& t : inputs) in_views_.push_back({nullptr, t.dtype, t.shape});
    for (const ops::Type& t : outputs) out_views_.push_back({nullptr, t.dtype, t.shape});
    values_.resize(in_views_.size());
    inputs_ = in_views_;
    outputs_ = out_views_;
}

Status ReferenceStep::run(void* const* operands) {
    for (TensorView& view : in_views_) view.data = *operands++;
    for (TensorView& view : out_views_) view.data = *operands++;
    if (wants_values_) {
        for (size_t i = 0; i < in_views_.size(); ++i) {
            if (has_input(i)) values_[i] = Value(Tensor::wrap(in_views_[i], nullptr));
        }
    }
    scratch_->reset();
    return op_.reference(*this);
}

Status ReferenceStep::allocate(size_t i, DType dtype, const Shape& shape) {
    const TensorView& planned = out_views_[i];
    if (planned.dtype == dtype && planned.shape == shape) return {};
    return fail("output ", i, " became ", dtype, " ", shape, ", planned was ", planned.dtype, " ", planned.shape);
}

Status ReferenceStep::set_output_value(size_t i, Value value) {
    if (!has_output(i)) return {};
    COFFER_TRY(allocate(i, value.tensor.dtype(), value.tensor.shape()));
    std::memcpy(out_views_[i].data, value.tensor.view().data, value.tensor.nbytes());
    return {};
}

Status ReferenceStep::run_graph(uint32_t graph, std::span<const Value> inputs, std::vector<Value>* outputs) {
    return graphs_->run_graph(graph, inputs, outputs);
}

namespace {

using ops::Layout;

constexpr uint32_t kNone = 0xffffffffu;
constexpr uint32_t kForever = 0x7fffffffu;

// One block of memory: a value in one layout, or a workspace.
struct Phys {
    enum Home : uint8_t { kArena, kFixup, kPointer };
    Home home = kArena;
    uint32_t root = kNone;  // shares the memory of another one (view, in-place)
    graph::ValueId fixup = graph::kAbsent;
    const void* pointer = nullptr;
    const TensorView* constant = nullptr;  // kPointer: of the model, kept once a step reads it where it lies
    size_t bytes = 0;
    uint32_t first = kForever, last = 0;
    uint32_t buffer = kNone;
};

struct PendingStep {
    Step step;
    std::vector<uint32_t> phys;  // per operand; kNone: `pointers` has it
    std::vector<const void*> pointers;
};

class Planner {
 public:
    explicit Planner(const PlanRequest& request)
        : r_(request), g_(request.model->graphs[request.graph]), plan_(std::make_unique<Plan>()) {
        plain_.assign(g_.values.size(), kNone);
        last_.assign(g_.values.size(), kNone);
        root_value_.resize(g_.values.size());
        last_use_.assign(g_.values.size(), 0);
        plan_->weights.bind({}, 0, r_.max_arena_bytes);
    }

    Result<std::unique_ptr<Plan>> run() {
        find_uses();
        for (uint32_t n = 0; n < g_.nodes.size(); ++n) {
            if (r_.analysis->nodes[n] != NodeState::kStatic) continue;
            COFFER_TRY(plan_node(n));
            COFFER_TRY(std::exchange(failed_, {}));
            release_constants(n);
        }
        for (graph::ValueId id : r_.exports) {
            COFFER_TRY_ASSIGN(const uint32_t phys, get(id, Layout::kPlain));
            COFFER_TRY(use(phys));
            phys_[root(phys)].last = kForever;
            exported_.push_back({id, phys});
        }
        COFFER_TRY(finish());
        return std::move(plan_);
    }

 private:
    friend class NodePlan;

    const ops::Type& type(graph::ValueId id) const { return r_.analysis->values[id].type; }
    uint32_t root(uint32_t phys) const {
        while (phys_[phys].root != kNone) phys = phys_[phys].root;
        return phys;
    }
    static bool is_view(const ops::Op& op, const graph::Node& node) {
        return op.facts->view && (node.outputs.size() < 2 || node.outputs[1] == graph::kAbsent);
    }

    // The node after which nothing reads a value, through views as well.
    void find_uses() {
        for (graph::ValueId id = 0; id < root_value_.size(); ++id) root_value_[id] = id;
        for (uint32_t n = 0; n < g_.nodes.size(); ++n) {
            const NodeState state = r_.analysis->nodes[n];
            if (state == NodeState::kDead || state == NodeState::kDone || state == NodeState::kFolded) continue;
            const graph::Node& node = g_.nodes[n];
            for (graph::ValueId id : node.inputs) {
                if (id == graph::kAbsent) continue;
                last_use_[root_value_[id]] = n;
                if (g_.values[id].constant >= 0) constant_uses_[r_.analysis->values[id].known.view().data] = n;
            }
            const ops::Op* op = ops::find(node.op);
            if (op && is_view(*op, node)) root_value_[node.outputs[0]] = root_value_[node.inputs[0]];
        }
        for (graph::ValueId id : r_.exports) last_use_[root_value_[id]] = kForever;
        for (graph::ValueId id : g_.outputs) last_use_[root_value_[id]] = kForever;
    }

    // Nothing later in this plan looks at the constants that node `n` was the last to use.
    void release_constants(uint32_t n) {
        for (graph::ValueId id : g_.nodes[n].inputs) {
            if (id == graph::kAbsent || g_.values[id].constant < 0) continue;
            const TensorView& view = r_.analysis->values[id].known.view();
            if (constant_uses_[view.data] == n) r_.weights->release(view);
        }
    }

    uint32_t add(Phys phys) {
        phys_.push_back(phys);
        return static_cast<uint32_t>(phys_.size() - 1);
    }
    uint32_t& slot(graph::ValueId id, Layout layout) { return layout == Layout::kPlain ? plain_[id] : last_[id]; }

    // A step of the present item reads or writes it.
    Status use(uint32_t phys) {
        if (phys == kNone) return {};
        Phys& p = phys_[root(phys)];
        if (p.constant) {
            COFFER_TRY_ASSIGN(const TensorView now, r_.weights->keep(*p.constant));
            p.pointer = now.data;
        }
        p.first = std::min(p.first, item_);
        if (p.last != kForever) p.last = std::max(p.last, item_);
        return {};
    }

    // The memory of an input value in a layout; converts when it exists in the other one only.
    Result<uint32_t> get(graph::ValueId id, Layout layout) {
        uint32_t& here = slot(id, layout);
        if (here != kNone) return here;
        const ValueFacts& facts = r_.analysis->values[id];
        Phys phys;
        phys.bytes = nbytes(facts.type);
        if (facts.known.valid()) {
            Tensor tensor = facts.known;
            if (layout == Layout::kChannelsLast && !same_in_both_layouts(tensor.shape())) {
                COFFER_TRY_ASSIGN(const TensorView now, r_.weights->open(tensor.view()));
                COFFER_TRY_ASSIGN(tensor, to_channels_last(Tensor::wrap(now, nullptr)));
            } else {
                phys.constant = &facts.known.view();
            }
            plan_->tensors.push_back(tensor);
            phys.home = Phys::kPointer;
            phys.pointer = tensor.view().data;
            return here = add(phys);
        }
        const Layout other = layout == Layout::kPlain ? Layout::kChannelsLast : Layout::kPlain;
        const uint32_t there = slot(id, other);
        if (there == kNone) {  // made outside this plan: always plain
            phys.home = Phys::kFixup;
            phys.fixup = id;
            const uint32_t plain = add(phys);
            slot(id, Layout::kPlain) = plain;
            if (layout == Layout::kPlain) return plain;
            return convert(id, plain, layout);
        }
        return convert(id, there, layout);
    }

    Result<uint32_t> convert(graph::ValueId id, uint32_t from, Layout to) {
        Phys phys;
        phys.bytes = nbytes(type(id));
        if (same_in_both_layouts(type(id).shape)) {
            phys.root = from;
            return slot(id, to) = add(phys);
        }
        const uint32_t made = add(phys);
        slot(id, to) = made;
        COFFER_TRY(convert_into(id, from, made, to));
        return made;
    }

    Status convert_into(graph::ValueId id, uint32_t from, uint32_t made, Layout to) {
        const ops::Op* op = ops::find("Transpose");
        if (!op) return error(Code::kUnsupported, Detail::kUnsupported, "this build has no op Transpose");
        const ops::Type& t = type(id);
        const std::array plain = {t};
        const std::array last = {ops::Type{ValueKind::kTensor, t.dtype, ops::channels_last(t.shape), true}};
        const bool forward = to == Layout::kChannelsLast;
        plan_->layout_nodes.push_back(std::make_unique<graph::Node>(layout_node(t.shape.rank(), to)));
        const std::array ins = {from};
        const std::array outs = {made};
        const size_t before = steps_.size();
        COFFER_TRY(
            emit_plain(*op, *plan_->layout_nodes.back(), forward ? plain : last, forward ? last : plain, ins, outs));
        for (size_t i = before; i < steps_.size(); ++i) steps_[i].step.variant = "layout";
        return {};
    }

    // The memory an output is written to.
    uint32_t make(graph::ValueId id, Layout layout) {
        Phys phys;
        phys.bytes = nbytes(type(id));
        if (layout == Layout::kPlain && r_.external[id]) {
            phys.home = Phys::kFixup;
            phys.fixup = id;
        }
        return slot(id, layout) = add(phys);
    }

    Status plan_node(uint32_t n);
    Status check_sizes(const graph::Node& node, std::span<const ops::Type> outputs) const;
    Status plan_with_layouts(uint32_t n, const ops::Op& op);
    const ops::Variant* accepted(const ops::Op& op, const graph::Node& node, std::span<const ops::Type> in,
                                 std::span<const ops::Type> out, std::span<const Layout> in_layouts,
                                 std::span<const Layout> out_layouts);
    Status plan_variant(const ops::Variant& variant, const ops::Op& op, const graph::Node& node,
                        std::span<const ops::Type> in, std::span<const ops::Type> out,
                        std::span<const Layout> in_layouts, std::span<const Layout> out_layouts,
                        std::span<const uint32_t> ins, std::span<const uint32_t> outs);
    Status emit_plain(const ops::Op& op, const graph::Node& node, std::span<const ops::Type> in,
                      std::span<const ops::Type> out, std::span<const uint32_t> ins, std::span<const uint32_t> outs);
    Status emit_reference(const ops::Op& op, const graph::Node& node, std::span<const ops::Type> in,
                          std::span<const ops::Type> out, std::span<const uint32_t> ins,
                          std::span<const uint32_t> outs);
    void share_input(const ops::Op& op, const graph::Node& node, uint32_t n, std::span<const ops::Type> in,
                     std::span<const ops::Type> out, std::span<const uint32_t> ins, std::span<const uint32_t> outs);
    Status finish();

    static size_t nbytes(const ops::Type& t) {
        size_t bytes = 0;
        (void)checked_nbytes(t.shape, t.dtype, &bytes);
        return bytes;
    }

    const PlanRequest& r_;
    const graph::Graph& g_;
    std::unique_ptr<Plan> plan_;
    std::vector<Phys> phys_;
    std::vector<uint32_t> plain_, last_;  // by value: its Phys in each layout
    std::vector<graph::ValueId> root_value_;
    std::vector<uint32_t> last_use_;
    std::unordered_map<const void*, uint32_t> constant_uses_;  // by address: the last node
    Status failed_;  // of bytes that an op asked for while it was asked itself
    std::vector<PendingStep> steps_;
    std::vector<std::pair<graph::ValueId, uint32_t>> exported_;
    uint32_t item_ = 0;  // counts emitted nodes and conversions: the clock of lifetimes
    uint32_t node_ = 0;
};

// PlanContext of one node under one choice of layouts.
class NodePlan final : public ops::PlanContext {
 public:
    NodePlan(Planner& planner, const ops::Op& op, const graph::Node& node, std::span<const uint32_t> ins,
             std::span<const uint32_t> outs)
        : PlanContext(*op.facts, node), planner_(planner), ins_(ins), outs_(outs) {
        kernels_ = kernels::OpKernels(planner.r_.arch, op.shard, op.index);
        arch_ = planner.r_.arch;
    }

    const TensorView* constant(size_t i) const override {
        const TensorView* view = known(i);
        if (!view) return nullptr;
        const Result<TensorView> now = planner_.r_.weights->open(*view);
        // After a failure the bytes are anything, and the plan is given up.
        if (!now.ok()) planner_.failed_ = now.error();
        if (!now.ok() || now->data == view->data) return view;
        const auto same = [&](const TensorView& v) { return v.data == now->data && v.shape == now->shape; };
        const auto known = std::ranges::find_if(elsewhere_, same);
        return known != elsewhere_.end() ? &*known : &elsewhere_.emplace_back(*now);
    }
    bool is_constant(size_t i) const override { return known(i) != nullptr; }
    kernels::KernelFn kernel(size_t slot) const override { return kernels_[slot]; }
    bool has_kernels() const { return static_cast<bool>(kernels_); }

    void* allocate_params(size_t size, size_t alignment) override {
        if (void* params = planner_.plan_->params.allocate(size, alignment)) return params;
        throw OverBudget();
    }
    uint32_t workspace(size_t bytes) override {
        Phys phys;
        phys.bytes = bytes;
        workspaces_.push_back(planner_.add(phys));
        return static_cast<uint32_t>(workspaces_.size() - 1);
    }
    Result<const void*> packed(size_t i, std::string_view form, size_t bytes,
                               Status (*pack)(const TensorView&, void*, const void*), const void* arg) override {
        COFFER_TRY_ASSIGN(const TensorView* src, source(i));
        return store_of(i).packed(*src, form, bytes, pack, arg);
    }
    Result<const void*> moved(size_t i, std::string_view form, size_t bytes,
                              Status (*pack)(const TensorView&, void*, const void*), const void* arg,
                              size_t arg_bytes) override {
        COFFER_TRY_ASSIGN(const TensorView* src, source(i));
        return store_of(i).moved(*src, form, bytes, pack, arg, arg_bytes);
    }
    void step(kernels::KernelFn fn, const void* params, std::span<const ops::Operand> operands, size_t units,
              double unit_ns) override {
        if (units == 0) return;
        PendingStep pending;
        pending.step.fn = fn;
        pending.step.params = params;
        pending.step.units = units;
        pending.step.unit_ns = static_cast<float>(unit_ns);
        for (const ops::Operand& o : operands) {
            uint32_t phys = kNone;
            if (o.kind == ops::Operand::kInput && o.index < ins_.size()) phys = ins_[o.index];
            if (o.kind == ops::Operand::kOutput && o.index < outs_.size()) phys = outs_[o.index];
            if (o.kind == ops::Operand::kWorkspace) phys = workspaces_[o.index];
            pending.phys.push_back(phys);
            pending.pointers.push_back(o.kind == ops::Operand::kPointer ? o.pointer : nullptr);
        }
        steps.push_back(std::move(pending));
    }

    std::vector<PendingStep> steps;

 private:
    // The input without its bytes.
    const TensorView* known(size_t i) const {
        if (!has_input(i) || i >= ins_.size()) return nullptr;
        const graph::ValueId id = node().inputs[i];
        if (id >= planner_.r_.analysis->values.size()) return nullptr;
        const Tensor& known = planner_.r_.analysis->values[id].known;
        return known.valid() ? &known.view() : nullptr;
    }
    Result<const TensorView*> source(size_t i) const {
        if (const TensorView* view = known(i)) return view;
        return fail("input ", i, " is not constant");
    }
    // A value computed while planning lives as long as its plan, and so does its packed form.
    WeightStore& store_of(size_t i) const {
        const bool stored = planner_.g_.values[node().inputs[i]].constant >= 0;
        return stored ? *planner_.r_.weights : planner_.plan_->weights;
    }

    Planner& planner_;
    kernels::OpKernels kernels_;
    std::span<const uint32_t> ins_, outs_;
    std::vector<uint32_t> workspaces_;
    mutable std::list<TensorView> elsewhere_;  // constants that are not where they were at first
};

// The first variant that will have the node, nullptr when none does.
const ops::Variant* Planner::accepted(const ops::Op& op, const graph::Node& node, std::span<const ops::Type> in,
                                      std::span<const ops::Type> out, std::span<const Layout> in_layouts,
                                      std::span<const Layout> out_layouts) {
    const std::vector<uint32_t> unset(in.size(), kNone);
    NodePlan c(*this, op, node, unset, {});
    if (!c.has_kernels()) return nullptr;
    c.inputs_ = in;
    c.outputs_ = out;
    c.input_layouts_ = in_layouts;
    c.output_layouts_ = out_layouts;
    for (const ops::Variant& variant : op.variants) {
        if (variant.accepts(c)) return &variant;
    }
    return nullptr;
}

Status Planner::plan_variant(const ops::Variant& variant, const ops::Op& op, const graph::Node& node,
                             std::span<const ops::Type> in, std::span<const ops::Type> out,
                             std::span<const Layout> in_layouts, std::span<const Layout> out_layouts,
                             std::span<const uint32_t> ins, std::span<const uint32_t> outs) {
    NodePlan c(*this, op, node, ins, outs);
    c.inputs_ = in;
    c.outputs_ = out;
    c.input_layouts_ = in_layouts;
    c.output_layouts_ = out_layouts;
    COFFER_TRY(variant.plan(c));
    for (PendingStep& pending : c.steps) {
        pending.step.variant = variant.name;
        pending.step.node = node_;
        for (uint32_t phys : pending.phys) COFFER_TRY(use(phys));
        steps_.push_back(std::move(pending));
    }
    return {};
}

Status Planner::emit_reference(const ops::Op& op, const graph::Node& node, std::span<const ops::Type> in,
                               std::span<const ops::Type> out, std::span<const uint32_t> ins,
                               std::span<const uint32_t> outs) {
    PendingStep pending;
    pending.step.node = node_;
    pending.step.units = 1;
    if (node.op == "If") {
        plan_->branches.push_back(std::make_unique<BranchStep>(r_.graphs, node, in, out));
        pending.step.branch = plan_->branches.back().get();
        pending.step.variant = "branch";
    } else {
        plan_->references.push_back(std::make_unique<ReferenceStep>(op, node, in, out, r_.graphs, r_.scratch));
        pending.step.reference = plan_->references.back().get();
        pending.step.variant = "reference";
    }
    pending.phys.assign(ins.begin(), ins.end());
    pending.phys.insert(pending.phys.end(), outs.begin(), outs.end());
    pending.pointers.resize(pending.phys.size(), nullptr);
    for (uint32_t phys : pending.phys) COFFER_TRY(use(phys));
    steps_.push_back(std::move(pending));
    return {};
}

// Everything plain: a variant, else the reference.
Status Planner::emit_plain(const ops::Op& op, const graph::Node& node, std::span<const ops::Type> in,
                           std::span<const ops::Type> out, std::span<const uint32_t> ins,
                           std::span<const uint32_t> outs) {
    const std::vector<Layout> in_layouts(in.size(), Layout::kPlain), out_layouts(out.size(), Layout::kPlain);
    if (const ops::Variant* variant = accepted(op, node, in, out, in_layouts, out_layouts)) {
        COFFER_TRY(plan_variant(*variant, op, node, in, out, in_layouts, out_layouts, ins, outs));
    } else {
        COFFER_TRY(emit_reference(op, node, in, out, ins, outs));
    }
    ++item_;
    return {};
}

void Planner::share_input(const ops::Op& op, const graph::Node& node, uint32_t n, std::span<const ops::Type> in,
                          std::span<const ops::Type> out, std::span<const uint32_t> ins,
                          std::span<const uint32_t> outs) {
    const int i = op.facts->inplace_input;
    if (i < 0 || static_cast<size_t>(i) >= ins.size() || ins[static_cast<size_t>(i)] == kNone || outs[0] == kNone)
        return;
    const auto at = static_cast<size_t>(i);
    if (!(in[at].shape == out[0].shape) || nbytes(in[at]) != nbytes(out[0])) return;
    if (last_use_[root_value_[node.inputs[at]]] != n) return;
    const uint32_t source = root(ins[at]);
    if (phys_[source].home != Phys::kArena || phys_[source].last == kForever) return;
    Phys& target = phys_[outs[0]];
    if (target.home != Phys::kArena) return;
    for (size_t k = 0; k < ins.size(); ++k) {
        if (k != at && ins[k] != kNone && root(ins[k]) == source &&
            (ins[k] != ins[at] || !(in[k].shape == in[at].shape))) {
            return;
        }
    }
    target.root = source;
}

Status Planner::plan_node(uint32_t n) {
    const graph::Node& node = g_.nodes[n];
    const ops::Op& op = *ops::find(node.op);
    node_ = n;
    if (is_view(op, node) && !r_.external[node.outputs[0]]) {
        COFFER_TRY_ASSIGN(const uint32_t source, get(node.inputs[0], Layout::kPlain));
        Phys phys;
        phys.bytes = nbytes(type(node.outputs[0]));
        phys.root = source;
        plain_[node.outputs[0]] = add(phys);
        return {};
    }
    if (node.op == "Transpose" && !r_.external[node.outputs[0]] && dtype_bits(type(node.inputs[0]).dtype) >= 8) {
        // (N, spatial..., C) -> (N, C, spatial...) is the same memory seen channels-last, and the other way.
        const graph::ValueId src = node.inputs[0], dst = node.outputs[0];
        const int rank = type(src).shape.rank();
        uint32_t source = kNone;
        Layout seen = Layout::kPlain;
        if (is_from_channels_last(node, rank)) {
            COFFER_TRY_ASSIGN(source, get(src, Layout::kPlain));
            seen = Layout::kChannelsLast;
        } else if (is_to_channels_last(node, rank) && last_[src] != kNone) {
            source = last_[src];
        }
        if (source != kNone) {
            Phys phys;
            phys.bytes = nbytes(type(dst));
            phys.root = source;
            slot(dst, seen) = add(phys);
            last_use_[root_value_[src]] = kForever;  // in-place sharing does not look through transposes
            last_use_[root_value_[dst]] = kForever;
            return {};
        }
    }
    return plan_with_layouts(n, op);
}

// Ops compute with the sizes of their outputs before the arena is laid out: none may be more than there can be.
Status Planner::check_sizes(const graph::Node& node, std::span<const ops::Type> outputs) const {
    for (size_t i = 0; i < outputs.size(); ++i) {
        const size_t bytes = nbytes(outputs[i]);
        if (node.outputs[i] == graph::kAbsent || bytes <= r_.max_arena_bytes) continue;
        if (r_.external[node.outputs[i]] && bytes <= os::memory_limit()) continue;  // not in the arena
        return error(Code::kLimit, Detail::kLimit, "output ", i, " of ", node.op, " needs ", bytes,
                     " bytes, the cap is ", r_.max_arena_bytes);
    }
    return {};
}

Status Planner::plan_with_layouts(uint32_t n, const ops::Op& op) {
    const graph::Node& node = g_.nodes[n];
    std::vector<ops::Type> in, out;
    std::vector<bool> has_last;
    in.reserve(node.inputs.size());
    out.reserve(node.outputs.size());
    for (graph::ValueId id : node.inputs) {
        in.push_back(id == graph::kAbsent ? ops::Type{} : type(id));
        has_last.push_back(id != graph::kAbsent && last_[id] != kNone && plain_[id] == kNone);
    }
    for (graph::ValueId id : node.outputs) out.push_back(id == graph::kAbsent ? ops::Type{} : type(id));
    COFFER_TRY(check_sizes(node, out));
    if (is_empty(node, out)) {
        for (graph::ValueId id : node.outputs) {
            if (id != graph::kAbsent) make(id, Layout::kPlain);
        }
        return {};
    }

    std::vector<bool> constant;
    for (graph::ValueId id : node.inputs)
        constant.push_back(id != graph::kAbsent && r_.analysis->values[id].known.valid());
    for (const LayoutChoice& choice : layout_choices(*op.facts, in, out, has_last, constant)) {
        std::vector<ops::Type> types = in;
        for (size_t i = 0; i < types.size(); ++i) types[i].shape = choice.shapes[i];
        // Ask first: conversions are only made for a choice that some variant accepts.
        const ops::Variant* variant = accepted(op, node, types, out, choice.inputs, choice.outputs);
        if (!variant) continue;
        std::vector<uint32_t> ins(in.size(), kNone), outs(out.size(), kNone);
        for (size_t i = 0; i < ins.size(); ++i) {
            if (node.inputs[i] == graph::kAbsent) continue;
            // Operands whose bytes do not depend on the layout need not exist channels-last.
            const Layout want = same_in_both_layouts(types[i].shape) ? Layout::kPlain : choice.inputs[i];
            COFFER_TRY_ASSIGN(ins[i], get(node.inputs[i], want));
        }
        for (size_t i = 0; i < outs.size(); ++i) {
            if (node.outputs[i] != graph::kAbsent) outs[i] = make(node.outputs[i], choice.outputs[i]);
        }
        share_input(op, node, n, types, out, ins, outs);
        COFFER_TRY(plan_variant(*variant, op, node, types, out, choice.inputs, choice.outputs, ins, outs));
        ++item_;
        // A graph output or export must end up plain.
        for (size_t i = 0; i < outs.size(); ++i) {
            const graph::ValueId id = node.outputs[i];
            if (id == graph::kAbsent || choice.outputs[i] == Layout::kPlain || !r_.external[id]) continue;
            Phys phys;
            phys.bytes = nbytes(type(id));
            phys.home = Phys::kFixup;
            phys.fixup = id;
            const uint32_t made = add(phys);
            COFFER_TRY(convert_into(id, outs[i], made, Layout::kPlain));
            plain_[id] = made;
        }
        return {};
    }

    std::vector<uint32_t> ins(in.size(), kNone), outs(out.size(), kNone);
    for (size_t i = 0; i < ins.size(); ++i) {
        if (node.inputs[i] != graph::kAbsent) {
            COFFER_TRY_ASSIGN(ins[i], get(node.inputs[i], Layout::kPlain));
        }
    }
    for (size_t i = 0; i < outs.size(); ++i) {
        if (node.outputs[i] != graph::kAbsent) outs[i] = make(node.outputs[i], Layout::kPlain);
    }
    return emit_plain(op, node, in, out, ins, outs);
}

Status Planner::finish() {
    std::vector<Buffer> buffers;
    for (uint32_t i = 0; i < phys_.size(); ++i) {
        Phys& p = phys_[i];
        if (p.root != kNone || p.home != Phys::kArena || p.first == kForever) continue;
        p.buffer = static_cast<uint32_t>(buffers.size());
        buffers.push_back({std::max<size_t>(p.bytes, 1), p.first, p.last, 0});
    }
    plan_->arena_bytes = plan_memory(buffers);
    if (plan_->arena_bytes > r_.max_arena_bytes) {
        return error(Code::kLimit, Detail::kLimit, "this run needs ", plan_->arena_bytes,
                     " bytes of activations, the cap is ", r_.max_arena_bytes);
    }
    if (plan_->arena_bytes > 0) {
        COFFER_TRY_ASSIGN(Arena arena, Arena::allocate(plan_->arena_bytes, r_.allocator));
        plan_->arena = std::make_shared<Arena>(std::move(arena));
    }

    const auto place = [&](uint32_t phys, const void* pointer) {
        const auto position = static_cast<uint32_t>(plan_->operands.size());
        void* address = const_cast<void*>(pointer);
        if (phys != kNone) {
            const Phys& p = phys_[root(phys)];
            if (p.home == Phys::kFixup) plan_->fixups.push_back({position, p.fixup});
            if (p.home == Phys::kPointer) address = const_cast<void*>(p.pointer);
            if (p.home == Phys::kArena && p.buffer != kNone)
                address = plan_->arena->data() + buffers[p.buffer].offset;
        }
        plan_->operands.push_back(address);
        return position;
    };
    for (PendingStep& pending : steps_) {
        pending.step.operands = static_cast<uint32_t>(plan_->operands.size());
        for (size_t i = 0; i < pending.phys.size(); ++i) place(pending.phys[i], pending.pointers[i]);
        plan_->steps.push_back(pending.step);
    }
    for (const auto& [value, phys] : exported_) plan_->exports.push_back({value, place(phys, nullptr)});
    return {};
}

}  // namespace

Result<std::unique_ptr<Plan>> make_plan(const PlanRequest& request) {
    try {
        return Planner(request).run();
    } catch (const OverBudget& e) {
        return error(Code::kLimit, Detail::kLimit, "a plan of graph ", request.graph, ": ", e.what());
    }
}

}  // namespace coffer::runtime
