// u8 quantization with scale and zero point from the extremes of x.
// https://onnx.ai/onnx/operators/onnx__DynamicQuantizeLinear.html
#pragma once

#include "coffer/ops/family/qlinear_plan.hpp"

namespace coffer::ops {

struct DynamicQuantizeLinear {
    static constexpr Facts facts{.domain = "",
                                 .name = "DynamicQuantizeLinear",
                                 .since = 11,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 3,
                                 .atol = 0,
                                 .rtol = 0};
    static constexpr QRoles roles{.x = 0, .x_scale = 1};  // no input 1: x is quantized dynamically

    static Status infer(InferContext& c) {
        COFFER_TRY(expect_type(c, 0, types(DType::kFloat)));
        c.set(0, DType::kUint8, c.shape(0));
        c.set(1, DType::kFloat, Shape{});
        c.set(2, DType::kUint8, Shape{});
        return {};
    }
    static Status reference(RunContext& c) {
        const QActivations x = QActivations::of(c, roles);
        for (int64_t i = 0; i < x.x.elements() && c.has_output(0); ++i) {
            store_int(c.output(0), i, static_cast<int64_t>(x.value(i)));
        }
        if (c.has_output(1)) store_double(c.output(1), 0, x.scale);
        if (c.has_output(2)) store_int(c.output(2), 0, static_cast<int64_t>(x.zero));
        return {};
    }

    static bool accepts(const PlanContext& c) {
        return c.input(0).shape.elements() > 0 && c.has_output(0) && c.has_output(1) && c.has_output(2);
    }
    static Status plan(PlanContext& c) {
        const auto count = static_cast<size_t>(c.input(0).shape.elements());
        const size_t blocks = (count + kernels::kQuantizeBlock - 1) / kernels::kQuantizeBlock;
        const Operand extremes = Operand::workspace(c.workspace(8 * blocks));
        const Operand block = Operand::workspace(c.workspace(sizeof(kernels::QBlock)));
        const Operand none = Operand::at(nullptr);
        auto* head = static_cast<kernels::QBlock*>(c.allocate_params(sizeof(kernels::QBlock), 64));
        *head = {};

        const Operand minmax[] = {Operand::input(0), extremes};
        c.step(c.kernel(kMinMax), c.params(kernels::MinMaxParams{count}), minmax, blocks, 2000);
        kernels::QPrepareParams p{};
        p.minmax_units = blocks;
        p.publish = true;
        p.alpha = 1;
        const Operand prepare[] = {Operand::at(head), block, none, none, extremes, Operand::output(1),
                                   Operand::output(2)};
        c.step(c.kernel(kPrepare), c.params(p), prepare, 1, 10);
        const Operand quantize[] = {Operand::input(0), Operand::output(0), block};
        const kernels::QuantizeParams q{1, count, 1, nullptr, nullptr, false, true};
        c.step(c.kernel(kQuantize), c.params(q), quantize, blocks, 4000);
        return {};
    }
    static constexpr Variant variants[] = {{"dynamic_quantize", &accepts, &plan}};
    enum Slot : size_t { kMinMax, kPrepare, kQuantize };
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::minmax_f32<Arch>, &kernels::qprepare<Arch>,
                                                    &kernels::quantize_f32<Arch>};
};

}  // namespace coffer::ops
