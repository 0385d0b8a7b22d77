// Plans fp32 matrix products: B packed once when constant, at run time otherwise, or read where it lies when
// A has few rows. Slots of kernels<Arch> that an op must offer are listed in GemmSlots.
#pragma once

#include "coffer/kernels/gemm_params.hpp"
#include "coffer/ops/family/matmul.hpp"

#ifdef COFFER_ARCH
#include "coffer/kernels/gemm.hpp"
#else
namespace coffer::kernels {
template <class Arch>
bool gemm_f32(const void*, void* const*, size_t, size_t);
template <class Arch>
bool pack_panels_f32(const void*, void* const*, size_t, size_t);
template <class Arch>
bool transpose_f32(const void*, void* const*, size_t, size_t);
}  // namespace coffer::kernels
#endif

namespace coffer::ops {

// Indices into kernels<Arch>; ops that add kernels of their own start at kGemmSlots.
enum GemmSlot : size_t { kGemmSlot, kPackSlot, kTransposeSlot, kGemmSlots };

// Packs a constant through the same kernel that packs at run time.
struct PackJob {
    kernels::KernelFn fn;
    kernels::PackParams params;
    size_t batch;

    static Status run(const TensorView& src, void* dst, const void* arg) {
        const auto& job = *static_cast<const PackJob*>(arg);
        void* const operands[] = {src.data, dst};
        job.fn(&job.params, operands, 0, job.batch * job.params.panels.count);
        return {};
    }
};

// What tells apart two packings of one tensor: all that the kernel is told.
inline std::string pack_form(const kernels::PackParams& p, size_t batch) {
    return form_of("pack_f32", {p.panels.n, p.panels.depth, p.panels.lanes, p.panels.width, p.panels.last_width,
                                p.panels.count, p.taps, p.channels, p.tap_stride, p.c_stride, p.n_stride,
                                p.batch_stride, p.inner_batch, p.inner_stride, p.src_offset, batch});
}

// Panels of input `i`: an operand that holds them when the steps planned later run.
inline Result<Operand> plan_panels(PlanContext& c, size_t i, const kernels::PackParams& params, size_t batch) {
    size_t bytes = 0;
    if (!checked_mul(params.panels.size(), batch, &bytes) || !checked_mul(bytes, sizeof(float), &bytes)) {
        return c.fail("packed input ", i, " is too large");
    }
    const kernels::KernelFn pack = c.kernel(kPackSlot);
    if (bytes == 0) return Operand::at(nullptr);
    if (c.is_constant(i)) {
        const PackJob job{pack, params, batch};
        COFFER_TRY_ASSIGN(const void* packed, c.moved(i, pack_form(params, batch), bytes, &PackJob::run, job));
        return Operand::at(packed);
    }
    const Operand packed = Operand::workspace(c.workspace(bytes));
    const Operand operands[] = {Operand::input(i), packed};
    const double panel_floats = static_cast<double>(params.panels.width * params.panels.depth);
    c.step(pack, c.params(params), operands, batch * params.panels.count, panel_floats * 0.2);
    return packed;
}

struct GemmOperands {
    size_t a = 0, b = 1;  // inputs
    bool trans_a = false, trans_b = false;
    Operand bias = Operand::at(nullptr), residual = Operand::at(nullptr);
    kernels::EpilogueParams epilogue;
};

// Strides of a broadcast operand over the batch axes, in matrices times `matrix` floats.
inline void batch_strides(const Shape& own, const Shape& batch, size_t matrix, size_t* strides) {
    size_t stride = matrix;
    for (int i = 1; i <= batch.rank(); ++i) {
        const int64_t dim = i <= own.rank() ? own[own.rank() - i] : 1;
        strides[batch.rank() - i] = dim == 1 ? 0 : stride;
        stride *= static_cast<size_t>(dim);
    }
}

inline Status plan_matmul(PlanContext& c, const GemmOperands& spec) {
    if (c.output(0).shape.elements() == 0) return {};
    COFFER_TRY_ASSIGN(MatMulShape s,
                      MatMulShape::of(c, c.input(spec.a).shape, c.input(spec.b).shape, spec.trans_a, spec.trans_b));
    const int64_t b_count = s.b_batch.elements();
    if (b_count == 1 && !spec.trans_a) {  // one B for all: the batch is just more rows
        s.m *= s.a_batch.elements();
        s.a_batch = s.b_batch = s.batch = {};
    }
    kernels::Tile tile = kernels::tile_of(c.arch());
    const auto m = static_cast<size_t>(s.m), k = static_cast<size_t>(s.k), n = static_cast<size_t>(s.n);
    kernels::GemmParams p;
    p.m = m;
    p.k = k;
    p.rows = kernels::block_rows(m, tile);
    p.panels = kernels::Panels::split(tile, n, k);
    p.lda = k;
    p.ldc = n;
    p.epilogue = spec.epilogue;
    p.batch = static_cast<size_t>(s.batch.elements());
    p.batch_rank = static_cast<size_t>(s.batch.rank());
    for (size_t i = 0; i < p.batch_rank; ++i) p.dims[i] = static_cast<size_t>(s.batch[static_cast<int>(i)]);
    batch_strides(s.a_batch, s.batch, m * k, p.a_stride);
    batch_strides(s.batch, s.batch, m * n, p.c_stride);

    Operand a = Operand::input(spec.a);
    if (spec.trans_a && m > 1 && k > 1) {
        const auto count = static_cast<size_t>(s.a_batch.elements());
        a = Operand::workspace(c.workspace(count * m * k * sizeof(float)));
        const Operand operands[] = {Operand::input(spec.a), a};
        const size_t blocks = (m + kernels::kTransposeRows - 1) / kernels::kTransposeRows;
        c.step(c.kernel(kTransposeSlot), c.params(kernels::TransposeParams{m, k}), operands, count * blocks,
               static_cast<double>(kernels::kTransposeRows * k) * 0.3);
    }

    kernels::PackParams pack;
    pack.panels = p.panels;
    pack.channels = k;
    pack.c_stride = spec.trans_b ? 1 : n;
    pack.n_stride = spec.trans_b ? k : 1;
    pack.batch_stride = k * n;
    Operand b = Operand::input(spec.b), tail = Operand::at(nullptr);
    const bool few_rows = m <= 2 * tile.rows && !spec.trans_b && !c.is_constant(spec.b);
    if (few_rows) {
        p.plain_ld = n;
        batch_strides(s.b_batch, s.batch, k * n, p.b_stride);
        const size_t last_column = (p.panels.count - 1) * p.panels.width;
        if (n - last_column != p.panels.last_width) {  // a ragged panel cannot be read in whole vectors
            pack.src_offset = last_column;
            pack.panels = {n - last_column, k, tile.lanes, p.panels.last_width, p.panels.last_width, 1};
            batch_strides(s.b_batch, s.batch, pack.panels.size(), p.tail_stride);
            COFFER_TRY_ASSIGN(tail, plan_panels(c, spec.b, pack, static_cast<size_t>(b_count)));
        }
    } else {
        batch_strides(s.b_batch, s.batch, p.panels.size(), p.b_stride);
        COFFER_TRY_ASSIGN(b, plan_panels(c, spec.b, pack, static_cast<size_t>(b_count)));
    }
    const Operand operands[] = {a, b, Operand::output(0), spec.bias, spec.residual, tail};
    const double flops = 2.0 * static_cast<double>(m) * static_cast<double>(k) * static_cast<double>(n);
    c.step(c.kernel(kGemmSlot), c.params(p), operands, p.units(),
           flops * static_cast<double>(p.batch) / static_cast<double>(p.units()) / 50);
    return {};
}

inline bool all_float32(const PlanContext& c) {
    for (size_t i = 0; i < c.input_count(); ++i) {
        if (c.has_input(i) && c.input(i).dtype != DType::kFloat) return false;
    }
    return true;
}

}  // namespace coffer::ops
