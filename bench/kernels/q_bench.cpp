// GOP/s of the 8-bit matrix products and convolutions as the runtime would run them: planned for the chosen
// instruction set (COFFER_FORCE_ARCH), weights packed, one thread. qpeers.py measures ONNX Runtime on the same
// shapes. Weights are normally distributed, as those of trained networks are.
#include <benchmark/benchmark.h>

#include <memory>
#include <random>

#include "coffer/kernels/dispatch.hpp"
#include "coffer/ops/op.hpp"

namespace {

using namespace coffer;

// Plans one node with everything but input 0 constant, and runs its steps.
class Planned final : public ops::PlanContext {
 public:
    Planned(const ops::Op& op, const graph::Node& node, std::vector<Tensor> inputs, Tensor output, bool channels_last)
        : PlanContext(*op.facts, node), inputs_of_(std::move(inputs)), output_(std::move(output)) {
        for (const Tensor& t : inputs_of_) {
            types_.push_back({ValueKind::kTensor, t.dtype(), t.shape(), true});
            layouts_.push_back(ops::Layout::kPlain);
        }
        if (channels_last) layouts_[0] = out_layout_ = ops::Layout::kChannelsLast;
        out_type_ = {ValueKind::kTensor, output_.dtype(), output_.shape(), true};
        inputs_ = types_;
        outputs_ = {&out_type_, 1};
        input_layouts_ = layouts_;
        output_layouts_ = {&out_layout_, 1};
        arch_ = kernels::chosen();
        table_ = kernels::OpKernels(arch_, op.shard, op.index);
        for (const ops::Variant& v : op.variants) {
            if (!v.accepts(*this)) continue;
            ok_ = v.plan(*this).ok();
            return;
        }
    }
    bool ok() const { return ok_; }
    void run() {
        for (const Step& s : steps_) s.fn(s.params, s.operands.data(), 0, s.units);
    }

    const TensorView* constant(size_t i) const override { return i == 0 ? nullptr : &inputs_of_[i].view(); }
    kernels::KernelFn kernel(size_t slot) const override { return table_[slot]; }
    void* allocate_params(size_t size, size_t) override { return memory(size); }
    uint32_t workspace(size_t bytes) override {
        workspaces_.push_back(memory(bytes));
        return static_cast<uint32_t>(workspaces_.size() - 1);
    }
    Result<const void*> packed(size_t i, std::string_view, size_t bytes,
                               Status (*pack)(const TensorView&, void*, const void*), const void* arg) override {
        void* p = memory(bytes);
        COFFER_TRY(pack(inputs_of_[i].view(), p, arg));
        return static_cast<const void*>(p);
    }
    void step(kernels::KernelFn fn, const void* params, std::span<const ops::Operand> operands, size_t units,
              double) override {
        Step s{fn, params, {}, units};
        for (const ops::Operand& o : operands) {
            switch (o.kind) {
                case ops::Operand::kInput: s.operands.push_back(inputs_of_[o.index].view().data); break;
                case ops::Operand::kOutput: s.operands.push_back(output_.view().data); break;
                case ops::Operand::kWorkspace: s.operands.push_back(workspaces_[o.index]); break;
                case ops::Operand::kPointer: s.operands.push_back(const_cast<void*>(o.pointer)); break;
            }
        }
        steps_.push_back(std::move(s));
    }

 private:
    struct Step {
        kernels::KernelFn fn;
        const void* params;
        std::vector<void*> operands;
        size_t units;
    };
    void* memory(size_t bytes) {
        memory_.push_back(Tensor::create(DType::kUint8, Shape{static_cast<int64_t>(bytes)}).value());
        return memory_.back().view().data;
    }

    std::vector<Tensor> inputs_of_, memory_;
    Tensor output_;
    std::vector<ops::Type> types_;
    ops::Type out_type_;
    std::vector<ops::Layout> layouts_;
    ops::Layout out_layout_ = ops::Layout::kPlain;
    std::vector<void*> workspaces_;
    std::vector<Step> steps_;
    kernels::OpKernels table_;
    bool ok_ = false;
};

Tensor activations(const Shape& shape) {
    Tensor t = Tensor::create(DType::kUint8, shape).value();
    std::mt19937 random(1);
    for (uint8_t& x : t.span<uint8_t>()) x = static_cast<uint8_t>(random());
    return t;
}
Tensor weights(const Shape& shape) {
    Tensor t = Tensor::create(DType::kInt8, shape).value();
    std::mt19937 random(2);
    std::normal_distribution<float> values(0, 32);
    for (int8_t& x : t.span<int8_t>()) x = static_cast<int8_t>(std::clamp(values(random), -127.0f, 127.0f));
    return t;
}

void measure(benchmark::State& state, const char* op_name, std::vector<graph::Attr> attrs, const Shape& x,
             const Shape& w, const Shape& y, double macs) {
    const ops::Op* op = ops::find(op_name);
    if (!op) return state.SkipWithError("the op is not built in");
    std::vector<Tensor> inputs = {activations(x),       Tensor::scalar(0.02f),       Tensor::scalar(uint8_t{128}),
                                  weights(w),           Tensor::scalar(0.01f),       Tensor::scalar(int8_t{0}),
                                  Tensor::scalar(0.5f), Tensor::scalar(uint8_t{120})};
    graph::Node node;
    node.op = op_name;
    node.attrs = std::move(attrs);
    for (uint32_t i = 0; i < inputs.size(); ++i) node.inputs.push_back(i);
    node.outputs = {static_cast<graph::ValueId>(inputs.size())};
    Planned planned(*op, node, std::move(inputs), Tensor::create(DType::kUint8, y).value(), x.rank() > 2);
    if (!planned.ok()) return state.SkipWithError("no fast variant");
    for (auto _ : state) {
        planned.run();
        benchmark::ClobberMemory();
    }
    state.counters["GOP/s"] = benchmark::Counter(2e-9 * macs, benchmark::Counter::kIsIterationInvariantRate);
    state.SetLabel(kernels::arch_name(kernels::chosen()));
}

void gemm(benchmark::State& state) {
    const int64_t m = state.range(0), k = state.range(1), n = state.range(2);
    measure(state, "QLinearMatMul", {}, {m, k}, {k, n}, {m, n},
            static_cast<double>(m) * static_cast<double>(k) * static_cast<double>(n));
}
BENCHMARK(gemm)
    ->Args({64, 64, 64})
    ->Args({128, 128, 128})
    ->Args({256, 256, 256})
    ->Args({384, 384, 384})
    ->Args({512, 512, 512})
    ->Args({768, 768, 768})
    ->Args({1024, 1024, 1024})
    ->Args({128, 384, 1536})
    ->Args({128, 768, 3072})
    ->Args({128, 4096, 4096})
    ->Args({16, 4096, 4096})
    ->Args({1, 1024, 1024})
    ->Args({1, 4096, 4096});

// spatial, channels in, channels out, kernel, stride, groups
void conv(benchmark::State& state) {
    const int64_t size = state.range(0), in = state.range(1), out = state.range(2), kernel = state.range(3),
                  stride = state.range(4), groups = state.range(5), pad = kernel / 2;
    const int64_t to = (size + 2 * pad - kernel) / stride + 1;
    measure(
        state, "QLinearConv",
        {{"pads", PrivateVector<int64_t>(4, pad)}, {"strides", PrivateVector<int64_t>(2, stride)}, {"group", groups}},
        {1, in, size, size}, {out, in / groups, kernel, kernel}, {1, out, to, to},
        static_cast<double>(to * to * out * (in / groups) * kernel * kernel));
}
BENCHMARK(conv)
    ->Args({56, 64, 64, 3, 1, 1})
    ->Args({56, 64, 64, 3, 2, 1})
    ->Args({56, 64, 256, 1, 1, 1})
    ->Args({56, 256, 64, 1, 1, 1})
    ->Args({112, 16, 96, 1, 1, 1})
    ->Args({224, 3, 32, 3, 2, 1})
    ->Args({28, 58, 58, 1, 1, 1})
    ->Args({112, 32, 32, 3, 1, 32})
    ->Args({28, 58, 58, 3, 1, 58})
    ->Args({14, 256, 256, 3, 1, 1});

}  // namespace

BENCHMARK_MAIN();
