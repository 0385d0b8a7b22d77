// x where the condition holds, else y; all three broadcast. https://onnx.ai/onnx/operators/onnx__Where.html
#pragma once

#include <cstring>

#include "coffer/ops/family/broadcast.hpp"

namespace coffer::ops {

struct Where {
    static constexpr Facts facts{.domain = "",
                                 .name = "Where",
                                 .since = 16,
                                 .min_inputs = 3,
                                 .max_inputs = 3,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .layout = LayoutRule::kElementwise,
                                 .atol = 0,
                                 .rtol = 0};

    static Status infer(InferContext& c) {
        COFFER_TRY(expect_type(c, 0, kBools));
        COFFER_TRY(expect_type(c, 1, kNumbers | kBools | kStrings | kComplex));
        COFFER_TRY(expect_same_type(c, 1, 2));
        Shape shape;
        COFFER_TRY(infer_broadcast(c, 3, &shape));
        c.set(0, c.dtype(1), shape);
        return {};
    }
    static Status reference(RunContext& c) {
        const TensorView& dst = c.output(0);
        const BroadcastOffset at[] = {
            {c.input(0).shape, dst.shape}, {c.input(1).shape, dst.shape}, {c.input(2).shape, dst.shape}};
        const auto bytes = static_cast<size_t>(dtype_bits(dst.dtype)) / 8;
        for (int64_t i = 0, n = dst.elements(); i < n; ++i) {
            const size_t k = c.input(0).as<uint8_t>()[at[0](i)] ? 1 : 2;
            const int64_t from = at[k](i);
            if (dst.dtype == DType::kString) {
                dst.as<PrivateString>()[i] = c.input(k).as<PrivateString>()[from];
            } else {
                std::memcpy(dst.as<std::byte>() + static_cast<size_t>(i) * bytes,
                            c.input(k).as<std::byte>() + static_cast<size_t>(from) * bytes, bytes);
            }
        }
        return {};
    }

    // One kernel per element width of 1, 2, 4, 8 bytes.
    static bool accepts(const PlanContext& c) {
        const int bits = dtype_bits(c.output(0).dtype);
        return bits >= 8 && bits <= 64;
    }
    static Status plan(PlanContext& c) {
        size_t slot = 0;
        while (8 << slot < dtype_bits(c.output(0).dtype)) ++slot;
        plan_broadcast<3>(c, slot, 0.4);
        return {};
    }
    static constexpr Variant variants[] = {{"select_loop", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {
        &kernels::select_loop<Arch, uint8_t>, &kernels::select_loop<Arch, uint16_t>,
        &kernels::select_loop<Arch, uint32_t>, &kernels::select_loop<Arch, uint64_t>};
};

}  // namespace coffer::ops
