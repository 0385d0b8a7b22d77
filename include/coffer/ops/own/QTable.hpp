// Each byte replaced by the one a table gives for it: any function between two quantizations. Made by passes only.
// Inputs: x (u8 or s8), table (256 x u8 or s8; entry b is for the byte b read as unsigned).
#pragma once

#include "coffer/ops/family/qelementwise.hpp"

namespace coffer::ops::own {

struct QTable {
    static constexpr Facts facts{.domain = "ai.coffer",
                                 .name = "QTable",
                                 .since = 1,
                                 .min_inputs = 2,
                                 .max_inputs = 2,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .layout = LayoutRule::kFollow,
                                 .atol = 0,
                                 .rtol = 0};

    static Status infer(InferContext& c) {
        COFFER_TRY(expect_type(c, 0, kQBytes));
        COFFER_TRY(expect_type(c, 1, kQBytes));
        if (c.shape(1) != Shape{256}) return c.fail("table has shape ", c.shape(1), ", expected (256)");
        c.set(0, c.dtype(1), c.shape(0));
        return {};
    }
    static Status reference(RunContext& c) {
        for (int64_t i = 0; i < c.output(0).elements(); ++i) {
            store_int(c.output(0), i, load_int(c.input(1), load_int(c.input(0), i) & 0xff));
        }
        return {};
    }

    static bool accepts(const PlanContext& c) { return c.constant(1) && c.output(0).shape.elements() > 0; }
    static Status plan(PlanContext& c) {
        const auto count = static_cast<size_t>(c.output(0).shape.elements());
        kernels::QTableParams p{1, count, 0, 0, {}};
        std::memcpy(p.table, c.constant(1)->data, sizeof(p.table));
        const Operand operands[] = {Operand::input(0), Operand::output(0)};
        c.step(c.kernel(0), c.params(p), operands, (count + kernels::kQuantizeBlock - 1) / kernels::kQuantizeBlock,
               8000);
        return {};
    }
    static constexpr Variant variants[] = {{"qtable", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::qtable<Arch>};
};

}  // namespace coffer::ops::own
