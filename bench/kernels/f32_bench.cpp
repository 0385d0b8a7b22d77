// fp32 matrix products and convolutions through the op table, one thread, on the chosen arch (COFFER_FORCE_ARCH
// chooses). Names are read by peers.py: matmul/MxKxN and conv/HxW/C-M/kK/sS/pP/gG.
#include <benchmark/benchmark.h>

#include "kernels/plan_harness.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

void run_case(benchmark::State& state, const NodeCase& node_case, ops::Layout layout, double flops) {
    NodeRunner runner(node_case);
    if (const Status status = runner.infer(); !status.ok()) return state.SkipWithError("refused");
    const auto planned = runner.plan(0, kernels::chosen(), layout);
    if (!planned.ok() || !*planned) return state.SkipWithError("no fast variant");
    for (auto _ : state) {
        benchmark::DoNotOptimize((*planned)->run());
        benchmark::ClobberMemory();
    }
    state.counters["GFLOP/s"] = benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void matmul(int64_t m, int64_t k, int64_t n) {
    const std::string name = "matmul/" + std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n);
    benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
        run_case(state,
                 {.op = "MatMul",
                  .inputs = {random_tensor({m, k}, 1), random_tensor({k, n}, 2)},
                  .constant = {false, true}},
                 ops::Layout::kPlain, 2.0 * static_cast<double>(m * k * n));
    });
}

void conv(int64_t size, int64_t channels, int64_t outputs, int64_t kernel, int64_t stride, int64_t pad,
          int64_t group) {
    const auto text = [](int64_t v) { return std::to_string(v); };
    const std::string name = "conv/" + text(size) + "x" + text(size) + "/" + text(channels) + "-" + text(outputs) +
                             "/k" + text(kernel) + "/s" + text(stride) + "/p" + text(pad) + "/g" + text(group);
    benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
        const int64_t out = (size + 2 * pad - kernel) / stride + 1;
        const NodeCase node_case{
            .op = "ai.coffer::FusedConv",
            .attrs = {{"strides", Ints{stride, stride}},
                      {"pads", Ints{pad, pad, pad, pad}},
                      {"group", group},
                      {"activation", std::string("Relu")}},
            .inputs = {random_tensor({1, channels, size, size}, 1),
                       random_tensor({outputs, channels / group, kernel, kernel}, 2), random_tensor({outputs}, 3)},
            .constant = {false, true, true}};
        run_case(state, node_case, ops::Layout::kChannelsLast,
                 2.0 * static_cast<double>(out * out * outputs * (channels / group) * kernel * kernel));
    });
}

}  // namespace

int main(int argc, char** argv) {
    for (const int64_t n : {64, 128, 256, 384, 512, 768, 1024}) matmul(n, n, n);
    matmul(128, 384, 1536);
    matmul(128, 768, 3072);
    matmul(16, 4096, 4096);
    matmul(4, 1024, 1024);
    matmul(1, 1024, 1024);
    matmul(1, 4096, 4096);
    conv(56, 64, 64, 3, 1, 1, 1);
    conv(28, 128, 128, 3, 1, 1, 1);
    conv(14, 256, 256, 3, 1, 1, 1);
    conv(7, 512, 512, 3, 1, 1, 1);
    conv(56, 128, 128, 3, 2, 1, 1);
    conv(56, 64, 256, 1, 1, 0, 1);
    conv(14, 1024, 256, 1, 1, 0, 1);
    conv(112, 32, 32, 3, 1, 1, 32);
    conv(112, 96, 96, 3, 2, 1, 96);
    conv(14, 384, 384, 3, 1, 1, 384);
    conv(224, 3, 32, 3, 2, 1, 1);
    conv(224, 3, 64, 7, 2, 3, 1);
    conv(224, 1, 64, 5, 1, 2, 1);
    conv(96, 16, 16, 3, 1, 1, 1);
    benchmark::Initialize(&argc, argv);
    benchmark::AddCustomContext("arch", kernels::arch_name(kernels::chosen()));
    benchmark::RunSpecifiedBenchmarks();
}
