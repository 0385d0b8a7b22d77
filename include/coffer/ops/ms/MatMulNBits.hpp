// Product of a float matrix and weights of a few bits, a scale for each block of K. com.microsoft, see
// ContribOperators.md of ONNX Runtime.
#pragma once

#include <cmath>

#include "coffer/kernels/qgemm_nbits_params.hpp"
#include "coffer/ops/family/types.hpp"

#ifdef COFFER_ARCH
#include "coffer/kernels/qgemm_nbits.hpp"
#else
namespace coffer::kernels {
template <class Arch>
bool qgemm_nbits(const void*, void* const*, size_t, size_t);
}  // namespace coffer::kernels
#endif

namespace coffer::ops::ms {

// Inputs A (..., K), B uint8 (N, blocks, bytes), scales (N * blocks), zero points (float like A, or packed in
// bytes row by row; the middle of the range when absent), g_idx (K), bias (N).
struct MatMulNBits {
    static constexpr AttrSpec attrs[] = {AttrSpec::must("K", AttrSpec::kInt),
                                         AttrSpec::must("N", AttrSpec::kInt),
                                         AttrSpec::i("bits", 4),
                                         AttrSpec::must("block_size", AttrSpec::kInt),
                                         AttrSpec::i("accuracy_level", 0),
                                         AttrSpec::i("weight_prepacked", 0)};
    static constexpr Facts facts{.domain = "com.microsoft",
                                 .name = "MatMulNBits",
                                 .since = 1,
                                 .min_inputs = 3,
                                 .max_inputs = 6,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 1e-4,
                                 .rtol = 1e-4};
    struct Geometry {
        int64_t k, n, bits, block, blocks, block_bytes, zero_bytes;

        static Result<Geometry> of(const NodeContext& c) {
            Geometry g{c.attr_i("K"), c.attr_i("N"), c.attr_i("bits"), c.attr_i("block_size"), 0, 0, 0};
            constexpr int64_t kMost = int64_t{1} << 31;
            if (g.k < 1 || g.n < 1 || g.k > kMost || g.n > kMost) return c.fail("K ", g.k, ", N ", g.n);
            if (g.bits != 2 && g.bits != 4 && g.bits != 8) return c.unsupported("bits ", g.bits);
            if (g.block < 16 || g.block > kMost || (g.block & (g.block - 1)) != 0) {
                return c.fail("block_size ", g.block, " is not a power of two from 16 on");
            }
            g.blocks = (g.k + g.block - 1) / g.block;
            g.block_bytes = g.block * g.bits / 8;
            g.zero_bytes = (g.blocks * g.bits + 7) / 8;
            return g;
        }
    };

    static Status infer(InferContext& c) {
        COFFER_TRY_ASSIGN(const Geometry g, Geometry::of(c));
        constexpr TypeSet floats = types(DType::kFloat, DType::kFloat16, DType::kBfloat16);
        COFFER_TRY(expect_type(c, 0, floats));
        COFFER_TRY(expect_type(c, 1, types(DType::kUint8)));
        COFFER_TRY(expect_type(c, 2, floats));
        if (c.attr_i("weight_prepacked") != 0) return c.unsupported("prepacked weights");
        Shape out = c.shape(0);
        if (out.rank() < 1 || out.back() != g.k) return c.fail("input ", out, " should end with K = ", g.k);
        COFFER_TRY(expect_count(c, 1, g.n * g.blocks, g.block_bytes));
        COFFER_TRY(expect_count(c, 2, g.n, g.blocks));
        if (c.has_input(3)) {
            COFFER_TRY(expect_type(c, 3, floats | types(DType::kUint8)));
            COFFER_TRY(expect_count(c, 3, g.n, c.dtype(3) == DType::kUint8 ? g.zero_bytes : g.blocks));
        }
        if (c.has_input(4)) {
            COFFER_TRY(expect_type(c, 4, types(DType::kInt32)));
            COFFER_TRY(expect_count(c, 4, g.k, 1));
        }
        if (c.has_input(5)) {
            COFFER_TRY(expect_type(c, 5, floats));
            COFFER_TRY(expect_count(c, 5, g.n, 1));
        }
        out[out.rank() - 1] = g.n;
        c.set(0, c.dtype(0), out);
        return {};
    }

    static Status reference(RunContext& c) {
        COFFER_TRY_ASSIGN(const Geometry g, Geometry::of(c));
        const TensorView &a = c.input(0), &y = c.output(0);
        for (int64_t k = 0; c.has_input(4) && k < g.k; ++k) {
            const int64_t block = load_int(c.input(4), k);
            if (block < 0 || block >= g.blocks)
                return c.fail("g_idx[", k, "] = ", block, " of ", g.blocks, " blocks");
        }
        for (int64_t n = 0; n < g.n; ++n) {
            const double bias = c.has_input(5) ? load_double(c.input(5), n) : 0;
            for (int64_t m = 0; m < a.elements() / g.k; ++m) {
                double sum = bias;
                for (int64_t k = 0; k < g.k; ++k) {
                    const int64_t block = c.has_input(4) ? load_int(c.input(4), k) : k / g.block;
                    const uint8_t byte = c.input(1).as<const uint8_t>()[(n * g.blocks + k / g.block) * g.block_bytes +
                                                                        k % g.block * g.bits / 8];
                    const double scale = load_double(c.input(2), n * g.blocks + block);
                    const double w =
                        field(byte, k, g.bits) - zero(g, c.has_input(3) ? &c.input(3) : nullptr, n, block);
                    sum += load_double(a, m * g.k + k) * w * scale;
                }
                store_double(y, m * g.n + n, sum);
            }
        }
        return {};
    }

    static bool accepts(const PlanContext& c) {
        const int64_t bits = c.attr_i("bits");
        for (const size_t i : {2, 3, 5}) {
            if (c.has_input(i) && !c.constant(i)) return false;
        }
        return (bits == 4 || bits == 8) && !c.has_input(4) && c.input(0).dtype == DType::kFloat &&
               c.output(0).shape.elements() > 0;
    }
    static Status plan(PlanContext& c) {
        COFFER_TRY_ASSIGN(const Geometry g, Geometry::of(c));
        const auto m = static_cast<size_t>(c.input(0).shape.elements() / g.k);
        const kernels::NBitsParams p{m,
                                     static_cast<size_t>(g.n),
                                     static_cast<size_t>(g.k),
                                     static_cast<size_t>(g.blocks),
                                     static_cast<size_t>(g.block),
                                     static_cast<size_t>(g.bits)};
        const size_t units = (p.n + kernels::kNBitsColumns - 1) / kernels::kNBitsColumns;
        const size_t count = p.n * p.blocks;
        auto* scales = static_cast<float*>(c.allocate_params(count * sizeof(float), alignof(float)));
        auto* zeros = static_cast<float*>(c.allocate_params(count * sizeof(float), alignof(float)));
        for (size_t i = 0; i < count; ++i) {
            const auto at = static_cast<int64_t>(i);
            scales[i] = static_cast<float>(load_double(*c.constant(2), at));
            zeros[i] =
                static_cast<float>(zero(g, c.has_input(3) ? c.constant(3) : nullptr, at / g.blocks, at % g.blocks));
        }
        float* bias = nullptr;
        if (c.has_input(5)) {
            bias = static_cast<float*>(c.allocate_params(p.n * sizeof(float), alignof(float)));
            for (size_t i = 0; i < p.n; ++i) {
                bias[i] = static_cast<float>(load_double(*c.constant(5), static_cast<int64_t>(i)));
            }
        }
        const Operand operands[] = {Operand::input(0),
                                    Operand::input(1),
                                    Operand::at(scales),
                                    Operand::at(zeros),
                                    Operand::at(bias),
                                    Operand::output(0),
                                    Operand::workspace(c.workspace(units * p.blocks * p.block * sizeof(float)))};
        c.step(c.kernel(0), c.params(p), operands, units,
               static_cast<double>(kernels::kNBitsColumns * p.k) * (0.3 + 0.05 * static_cast<double>(m)));
        return {};
    }
    static constexpr Variant variants[] = {{"expand_f32", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::qgemm_nbits<Arch>};

 private:
    static Status expect_count(const InferContext& c, size_t i, int64_t a, int64_t b) {
        int64_t count = 0;
        if (checked_mul(a, b, &count) && c.shape(i).elements() == count) return {};
        return c.fail("input ", i, " has shape ", c.shape(i), ", expected ", a, " x ", b, " elements");
    }
    static double field(uint8_t byte, int64_t index, int64_t bits) {
        return byte >> (index % (8 / bits) * bits) & ((1 << bits) - 1);
    }
    static double zero(const Geometry& g, const TensorView* zeros, int64_t n, int64_t block) {
        if (!zeros) return static_cast<double>(1 << (g.bits - 1));
        if (zeros->dtype != DType::kUint8) return load_double(*zeros, n * g.blocks + block);
        return field(zeros->as<const uint8_t>()[n * g.zero_bytes + block * g.bits / 8], block, g.bits);
    }
};

}  // namespace coffer::ops::ms
