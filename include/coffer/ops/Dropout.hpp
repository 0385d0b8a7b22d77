// In inference a copy and a mask of ones. In training each element is dropped with probability `ratio`, the
// same ones on every run, and the others are scaled up. https://onnx.ai/onnx/operators/onnx__Dropout.html
#pragma once

#include <random>

#include "coffer/ops/family/types.hpp"

namespace coffer::ops {

struct Dropout {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("seed", 0)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Dropout",
                                 .since = 22,
                                 .min_inputs = 1,
                                 .max_inputs = 3,
                                 .min_outputs = 1,
                                 .max_outputs = 2,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0};

    static Status infer(InferContext& c) {
        COFFER_TRY(expect_type(c, 0, kFloats | kFloat8s));
        if (c.has_input(1)) COFFER_TRY(expect_type(c, 1, kFloats | kFloat8s));
        if (c.has_input(2)) COFFER_TRY(expect_type(c, 2, kBools));
        for (size_t i = 1; i <= 2; ++i) {
            if (c.has_input(i) && c.shape(i).elements() != 1) {
                return c.fail("input ", i, " has shape ", c.shape(i), ", not a scalar");
            }
        }
        c.set(0, c.dtype(0), c.shape(0));
        c.set(1, DType::kBool, c.shape(0));
        return {};
    }
    static Status reference(RunContext& c) {
        const TensorView &src = c.input(0), &dst = c.output(0);
        const bool training = c.has_input(2) && load_int(c.input(2), 0) != 0;
        const double ratio = !training ? 0 : c.has_input(1) ? load_double(c.input(1), 0) : 0.5;
        if (!(ratio >= 0 && ratio < 1)) return c.fail("ratio ", ratio, " is outside [0, 1)");
        std::mt19937 random(static_cast<uint32_t>(c.attr_i("seed")));
        for (int64_t i = 0; i < src.elements(); ++i) {
            const bool keep = ratio == 0 || uniform(&random) >= ratio;
            if (dst.data) store_double(dst, i, keep ? load_double(src, i) / (1 - ratio) : 0);
            if (c.has_output(1)) c.output(1).as<uint8_t>()[i] = keep;
        }
        return {};
    }

 private:
    // A number in [0, 1) with 53 random bits, as NumPy makes it from this generator.
    static double uniform(std::mt19937* random) {
        const double high = static_cast<double>((*random)() >> 5), low = static_cast<double>((*random)() >> 6);
        return (high * 0x1p26 + low) * 0x1p-53;
    }
};

}  // namespace coffer::ops
