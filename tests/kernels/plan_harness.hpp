// Runs one node outside any model: infer, the reference, and each fast variant on each instruction set this
// CPU has. A stand-in for the planner: it converts layouts, packs constants, allocates workspaces, and runs the
// units of every step in an order no thread pool would promise to keep.
#pragma once

#include <cmath>
#include <cstring>
#include <memory>
#include <random>

#include "catch.hpp"
#include "coffer/kernels/dispatch.hpp"
#include "coffer/ops/op.hpp"

namespace coffer::testing {

// Lists of attributes.
using Ints = PrivateVector<int64_t>;
using Floats = PrivateVector<float>;
using Strings = PrivateVector<PrivateString>;

struct NodeCase {
    std::string op;
    std::vector<graph::Attr> attrs = {};
    std::vector<Tensor> inputs = {};  // an invalid Tensor is an absent input
    std::vector<bool> constant = {};  // missing entries: not constant
    size_t outputs = 1;

    bool is_constant(size_t i) const { return i < constant.size() && constant[i]; }
    graph::Node node() const {
        graph::Node n;
        n.op = op;
        n.name = "test";
        for (size_t i = 0; i < inputs.size(); ++i) {
            n.inputs.push_back(inputs[i].valid() ? static_cast<graph::ValueId>(i) : graph::kAbsent);
        }
        for (size_t i = 0; i < outputs; ++i) n.outputs.push_back(static_cast<graph::ValueId>(inputs.size() + i));
        n.attrs = attrs;
        return n;
    }
};

inline Tensor random_tensor(const Shape& shape, uint32_t seed, float low = -1, float high = 1) {
    Tensor t = Tensor::create(DType::kFloat, shape).value();
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> values(low, high);
    for (float& x : t.span<float>()) x = values(random);
    return t;
}

// Bytes of a logical (N, C, spatial...) tensor in memory order (N, spatial..., C), or back.
inline Tensor relayout(const Tensor& src, bool to_channels_last) {
    const Shape& s = src.shape();
    if (s.rank() < 3) return src;
    Tensor dst = Tensor::create(src.dtype(), s).value();
    const int64_t channels = s[1], spatial = s.elements(2, s.rank());
    const size_t size = static_cast<size_t>(dtype_bits(src.dtype())) / 8;
    for (int64_t n = 0; n < s[0]; ++n) {
        for (int64_t c = 0; c < channels; ++c) {
            for (int64_t i = 0; i < spatial; ++i) {
                const auto plain = static_cast<size_t>((n * channels + c) * spatial + i) * size;
                const auto last = static_cast<size_t>((n * spatial + i) * channels + c) * size;
                std::memcpy(dst.view().as<char>() + (to_channels_last ? last : plain),
                            src.view().as<char>() + (to_channels_last ? plain : last), size);
            }
        }
    }
    return dst;
}

class NodeRunner {
 public:
    explicit NodeRunner(const NodeCase& node_case)
        : case_(node_case), node_(node_case.node()), op_(ops::find(node_case.op)) {
        for (const Tensor& t : case_.inputs) {
            views_.push_back(t.view());
            types_.push_back({ValueKind::kTensor, t.dtype(), t.shape(), true});
            known_.push_back(nullptr);
        }
        for (size_t i = 0; i < views_.size(); ++i) {
            if (case_.is_constant(i)) known_[i] = &views_[i];
        }
    }

    const ops::Op& op() const { return *op_; }
    bool found() const { return op_ != nullptr; }

    Status infer() {
        if (!op_) return error(Code::kUnsupported, "no op ", case_.op);
        COFFER_TRY(ops::check_node(*op_, node_));
        output_types_.assign(case_.outputs, {});
        Infer c(*op_->facts, node_);
        c.inputs_ = types_;
        c.known_ = known_;
        c.outputs_ = output_types_;
        return op_->infer(c);
    }
    const Shape& output_shape(size_t i = 0) const { return output_types_[i].shape; }

    Result<std::vector<Tensor>> reference() {
        COFFER_TRY(infer());
        Run c(*op_->facts, node_);
        c.results.resize(case_.outputs);
        c.views.resize(case_.outputs);
        for (size_t i = 0; i < case_.outputs; ++i) {
            if (output_types_[i].shape_known)
                COFFER_TRY(c.allocate(i, output_types_[i].dtype, output_types_[i].shape));
        }
        c.inputs_ = views_;
        c.outputs_ = c.views;
        COFFER_TRY(op_->reference(c));
        return std::move(c.results);
    }

    class Planned;
    // The planned variant, ready to run any number of times; null when it does not accept the node in this
    // layout on this arch. Needs infer() before, and must not outlive this object.
    Result<std::unique_ptr<Planned>> plan(size_t index, kernels::ArchId arch, ops::Layout layout) {
        auto p = std::make_unique<Planned>(*op_->facts, node_);
        p->in.assign(views_.size(), ops::Layout::kPlain);
        p->out.assign(case_.outputs, layout);
        p->inputs = case_.inputs;
        if (layout == ops::Layout::kChannelsLast) {
            const int rank = types_[0].shape.rank();
            for (size_t i = 0; i < views_.size(); ++i) {  // data operands: input 0 and what looks like a residual
                if (i == 0 || (!case_.is_constant(i) && types_[i].shape.rank() == rank && rank >= 3 &&
                               types_[i].shape == output_types_[0].shape)) {
                    p->in[i] = layout;
                    p->inputs[i] = relayout(p->inputs[i], true);
                }
            }
        }
        Plan& c = p->context;
        c.inputs_ = types_;
        c.outputs_ = output_types_;
        c.input_layouts_ = p->in;
        c.output_layouts_ = p->out;
        c.arch_ = arch;
        c.table = kernels::OpKernels(arch, op_->shard, op_->index);
        c.constants = known_;
        const ops::Variant& v = op_->variants[index];
        if (!c.table || !v.accepts(c)) return std::unique_ptr<Planned>();
        COFFER_TRY(v.plan(c));
        for (const ops::Type& t : output_types_) {
            COFFER_TRY_ASSIGN(Tensor result, Tensor::create(t.dtype, t.shape));
            std::memset(result.view().data, 0xff, result.nbytes());  // NaN where a kernel forgets to write
            p->results.push_back(std::move(result));
        }
        p->bind();
        return p;
    }

    // True when the variant accepts the node; then `outputs` holds its results in plain layout.
    Result<bool> variant(size_t index, kernels::ArchId arch, ops::Layout layout, std::vector<Tensor>* outputs) {
        COFFER_TRY_ASSIGN(const std::unique_ptr<Planned> planned, plan(index, arch, layout));
        if (!planned) return false;
        if (!planned->run_scattered()) return bad_values();
        *outputs = planned->results;
        if (layout == ops::Layout::kChannelsLast) {
            for (Tensor& t : *outputs) t = relayout(t, false);
        }
        return true;
    }

 private:
    static Error bad_values() { return error(Code::kInvalidArgument, "a kernel refused its values"); }

    struct Infer final : ops::InferContext {
        using InferContext::InferContext;
        Status infer_graph(uint32_t, std::span<const ops::Type>, std::span<ops::Type>) override {
            return error(Code::kUnsupported, "no subgraphs here");
        }
    };
    struct Run final : ops::RunContext {
        using RunContext::RunContext;
        Status allocate(size_t i, DType dtype, const Shape& shape) override {
            COFFER_TRY_ASSIGN(results[i], Tensor::create(dtype, shape));
            views[i] = results[i].view();
            return {};
        }
        Result<std::byte*> scratch(size_t bytes) override {
            COFFER_TRY_ASSIGN(Tensor t, Tensor::create(DType::kUint8, Shape{static_cast<int64_t>(bytes)}));
            scratches.push_back(t);
            return t.view().as<std::byte>();
        }
        const Value& input_value(size_t) const override { return none; }
        Status set_output_value(size_t, Value) override { return error(Code::kUnsupported, "tensors only"); }
        Status run_graph(uint32_t, std::span<const Value>, std::vector<Value>*) override {
            return error(Code::kUnsupported, "no subgraphs here");
        }
        std::vector<Tensor> results, scratches;
        std::vector<TensorView> views;
        Value none;
    };
    struct Plan final : ops::PlanContext {
        using PlanContext::PlanContext;
        struct Step {
            kernels::KernelFn fn;
            const void* params;
            std::vector<ops::Operand> operands;
            size_t units;
        };
        const TensorView* constant(size_t i) const override { return i < constants.size() ? constants[i] : nullptr; }
        kernels::KernelFn kernel(size_t slot) const override { return table[slot]; }
        void* allocate_params(size_t size, size_t) override {
            storage.push_back(std::make_unique<std::max_align_t[]>(size / sizeof(std::max_align_t) + 1));
            return storage.back().get();
        }
        uint32_t workspace(size_t bytes) override {
            Tensor t = Tensor::create(DType::kUint8, Shape{static_cast<int64_t>(bytes)}).value();
            std::memset(t.view().data, 0xff, bytes);
            workspaces.push_back(t);
            return static_cast<uint32_t>(workspaces.size() - 1);
        }
        Result<const void*> packed(size_t i, std::string_view, size_t bytes,
                                   Status (*pack)(const TensorView&, void*, const void*), const void* arg) override {
            COFFER_TRY_ASSIGN(Tensor t, Tensor::create(DType::kUint8, Shape{static_cast<int64_t>(bytes)}));
            COFFER_TRY(pack(*constants[i], t.view().data, arg));
            packings.push_back(t);
            return static_cast<const void*>(t.view().data);
        }
        void step(kernels::KernelFn fn, const void* params, std::span<const ops::Operand> operands, size_t units,
                  double) override {
            steps.push_back({fn, params, {operands.begin(), operands.end()}, units});
        }
        kernels::OpKernels table;
        std::span<const TensorView* const> constants;
        std::vector<std::unique_ptr<std::max_align_t[]>> storage;
        std::vector<Tensor> workspaces, packings;
        std::vector<Step> steps;
    };

 public:
    class Planned {
     public:
        Planned(const ops::Facts& facts, const graph::Node& node) : context(facts, node) {}

        // As a runner with one thread would.
        bool run() const {
            for (size_t i = 0; i < context.steps.size(); ++i) {
                const Plan::Step& step = context.steps[i];
                if (step.units > 0 && !step.fn(step.params, operands[i].data(), 0, step.units)) return false;
            }
            return true;
        }
        // Odd units one by one and backwards, then the even ones.
        bool run_scattered() const {
            for (size_t i = 0; i < context.steps.size(); ++i) {
                const Plan::Step& step = context.steps[i];
                for (size_t unit = step.units; unit-- > 0;) {
                    if (unit % 2 == 1 && !step.fn(step.params, operands[i].data(), unit, unit + 1)) return false;
                }
                for (size_t unit = 0; unit < step.units; unit += 2) {
                    if (!step.fn(step.params, operands[i].data(), unit, unit + 1)) return false;
                }
            }
            return true;
        }
        std::vector<Tensor> results;

     private:
        friend class NodeRunner;
        void bind() {
            for (const Plan::Step& step : context.steps) {
                std::vector<void*>& bound = operands.emplace_back();
                for (const ops::Operand& o : step.operands) {
                    switch (o.kind) {
                        case ops::Operand::kInput: bound.push_back(inputs[o.index].view().data); break;
                        case ops::Operand::kOutput: bound.push_back(results[o.index].view().data); break;
                        case ops::Operand::kWorkspace:
                            bound.push_back(context.workspaces[o.index].view().data);
                            break;
                        case ops::Operand::kPointer: bound.push_back(const_cast<void*>(o.pointer)); break;
                    }
                }
            }
        }
        Plan context;
        std::vector<ops::Layout> in, out;
        std::vector<Tensor> inputs;
        std::vector<std::vector<void*>> operands;
    };

 private:
    NodeCase case_;
    graph::Node node_;
    const ops::Op* op_;
    std::vector<TensorView> views_;
    std::vector<ops::Type> types_, output_types_;
    std::vector<const TensorView*> known_;
};

// Largest |x - y| / (atol + rtol |y|); equal NaN and infinities count as equal.
inline double worst_error(const Tensor& x, const Tensor& y, double atol, double rtol) {
    double worst = 0;
    for (int64_t i = 0; i < y.elements(); ++i) {
        const double a = load_double(x.view(), i), b = load_double(y.view(), i);
        if (a == b || (std::isnan(a) && std::isnan(b))) continue;
        const double e = std::fabs(a - b) / (atol + rtol * std::fabs(b));
        worst = std::isfinite(e) ? std::max(worst, e) : INFINITY;
    }
    return worst;
}

// Every variant in both layouts on every available arch against the reference. Returns how many ran, so that
// a test can insist that some did.
inline int check_variants(const NodeCase& node_case, double atol, double rtol) {
    NodeRunner runner(node_case);
    const auto expected = runner.reference();
    if (!expected.ok()) FAIL(expected.error().message());
    int ran = 0;
    for (size_t v = 0; v < runner.op().variants.size(); ++v) {
        for (const kernels::ArchId arch : kernels::available()) {
            for (const ops::Layout layout : {ops::Layout::kPlain, ops::Layout::kChannelsLast}) {
                if (layout != ops::Layout::kPlain && runner.op().facts->layout == ops::LayoutRule::kPlain) continue;
                INFO(runner.op().variants[v].name << " on " << kernels::arch_name(arch) << ", layout "
                                                  << static_cast<int>(layout));
                std::vector<Tensor> outputs;
                const auto accepted = runner.variant(v, arch, layout, &outputs);
                if (!accepted.ok()) FAIL(accepted.error().message());
                if (!*accepted) continue;
                ++ran;
                for (size_t i = 0; i < outputs.size(); ++i) {
                    CHECK(worst_error(outputs[i], (*expected)[i], atol, rtol) <= 1.0);
                }
            }
        }
    }
    return ran;
}

}  // namespace coffer::testing
