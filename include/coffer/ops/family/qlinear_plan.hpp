// Plans quantized matrix products and convolutions: weights packed once, constants of each column worked out
// while planning, or by a step of their own when the activations' scale or zero point is known only at run time.
#pragma once

#include <vector>

#include "coffer/kernels/qgemm_layout.hpp"
#include "coffer/kernels/quantize_params.hpp"
#include "coffer/ops/family/qconv.hpp"
#include "coffer/ops/family/qmatmul.hpp"

#ifdef COFFER_ARCH
#include "coffer/kernels/qconv.hpp"
#include "coffer/kernels/qdepthwise.hpp"
#include "coffer/kernels/quantize.hpp"
#else
namespace coffer::kernels {
template <class Arch>
bool qgemm(const void*, void* const*, size_t, size_t);
template <class Arch>
bool qconv(const void*, void* const*, size_t, size_t);
template <class Arch>
bool qdepthwise(const void*, void* const*, size_t, size_t);
template <class Arch>
bool qprepare(const void*, void* const*, size_t, size_t);
template <class Arch>
bool minmax_f32(const void*, void* const*, size_t, size_t);
template <class Arch>
bool quantize_f32(const void*, void* const*, size_t, size_t);
}  // namespace coffer::kernels
#endif

namespace coffer::ops {

enum QSlot : size_t { kQGemmSlot, kQPrepareSlot, kQMinMaxSlot, kQQuantizeSlot, kQConvSlot, kQDepthwiseSlot };
// Where weight (column, k) lies in the constant: k = tap * channels + channel.
struct QWeightOrder {
    size_t groups, columns, k, channels;  // columns and k of one group
    size_t column_stride, channel_stride, tap_stride;
    size_t quads;
    bool depthwise;

    size_t padded() const { return kernels::qgemm_padded_columns(columns); }
    // Calls visit(k, weight) along a column; unsigned weights count from -128.
    template <class Visit>
    void read(const TensorView& src, size_t group, size_t column, const Visit& visit) const {
        const uint8_t* tap = src.as<const uint8_t>() + (group * columns + column) * column_stride;
        const uint8_t flip = src.dtype == DType::kUint8 ? 0x80 : 0;
        for (size_t i = 0; i < k; tap += tap_stride) {
            const uint8_t* from = tap;
            for (size_t c = 0; c < channels; ++c, ++i, from += channel_stride) {
                visit(i, static_cast<int8_t>(*from ^ flip));
            }
        }
    }
    size_t group_bytes() const { return padded() * quads * kernels::kQQuad; }
};

inline void add_wrapping(int32_t* sum, int32_t value) {
    *sum = static_cast<int32_t>(static_cast<uint32_t>(*sum) + static_cast<uint32_t>(value));
}

// Packings of weights as PlanContext::packed() takes them; `arg` is a QWeightOrder. As panels of kQPanel columns:
Status q_pack_weights(const TensorView& src, void* dst, const void* arg);
// Sums over k of the weights as the kernels see them, int32 for each padded column of each group.
Status q_pack_sums(const TensorView& src, void* dst, const void* arg);
// The strips of all groups (QStrip): the structs first, then blocks and numbers of each.
Status q_pack_strips(const TensorView& src, void* dst, const void* arg);
// How many bytes those take, a size_t; 0 when more than a third of the blocks would be split.
Status q_pack_strip_bytes(const TensorView& src, void* dst, const void* arg);

// One planning of one node.
class QPlanner {
 public:
    QPlanner(PlanContext& c, const QRoles& r, const QWeightOrder& order) : c_(c), r_(r), o_(order) {
        dynamic_ = r.x_scale >= 0 && !q_has(c, r.x_scale);
        x_signed_ = !dynamic_ && c.input(static_cast<size_t>(r.x)).dtype == DType::kInt8;
        run_time_ = dynamic_ || !known(r.x_scale) || !known(r.x_zero);
        o_.quads = kernels::qgemm_quads(c.arch(), o_.k);
        if (c.arch() == kernels::ArchId::kAvx2 && !o_.depthwise) {
            // Kept like a packing: worked out once, and later plans need no weights for it.
            const auto bytes = c.packed(static_cast<size_t>(r.w), form("strip bytes"), sizeof(strip_bytes_),
                                        &q_pack_strip_bytes, &o_);
            if (bytes.ok()) strip_bytes_ = *static_cast<const size_t*>(*bytes);
        }
    }

    // Everything that must be constant is.
    static bool accepts(const PlanContext& c, const QRoles& r) {
        for (const int role : {r.w, r.w_scale, r.w_zero, r.y_scale, r.y_zero, r.bias, r.table}) {
            if (q_has(c, role) && !c.is_constant(static_cast<size_t>(role))) return false;
        }
        for (const int role : {r.x_scale, r.x_zero}) {
            if (q_has(c, role) && c.input(static_cast<size_t>(role)).shape.elements() != 1) return false;
        }
        const bool dynamic = r.x_scale >= 0 && !q_has(c, r.x_scale);
        const DType x = c.input(static_cast<size_t>(r.x)).dtype;
        if (!dynamic && x != DType::kInt8 && x != DType::kUint8) return false;
        const DType w = c.input(static_cast<size_t>(r.w)).dtype;
        if (w != DType::kInt8 && w != DType::kUint8) return false;
        if (q_result(c, r) == QResult::kQuantized && dtype_bits(c.output(0).dtype) == 8 &&
            !is_integer(c.output(0).dtype)) {
            return false;  // float8
        }
        for (const int role : {r.x_scale, r.w_scale, r.y_scale}) {
            if (q_has(c, role) && c.input(static_cast<size_t>(role)).dtype != DType::kFloat) return false;
        }
        if (r.activation) {  // float activations beyond clamping: the reference, or a table
            const auto act = activation_of(c);
            if (!act.ok()) return false;
            if (act->kind != kernels::Act::kNone && act->kind != kernels::Act::kRelu &&
                act->kind != kernels::Act::kClip) {
                return false;
            }
        }
        return c.output(0).shape.elements() > 0;
    }

    Status matmul(size_t rows, size_t columns) {
        kernels::QGemmParams p = gemm(rows);
        p.lda = o_.k;
        p.ldc = columns;
        COFFER_TRY(operands(&p));
        operands_[4] = slots(p.tiling, p.batches * p.tiling.row_units * p.tiling.panel_units);
        emit(kQGemmSlot, c_.params(p), p);
        return {};
    }
    Status convolution(const QConvShape& s) {
        kernels::QConvParams p = conv(s);
        if (p.taps == 1 && is_pointwise(s)) {
            p.gemm.lda = p.channels;
            COFFER_TRY(operands(&p.gemm));
            operands_[4] = slots(p.gemm.tiling, units(p.gemm));
            emit(kQGemmSlot, c_.params(p.gemm), p.gemm);
            return {};
        }
        COFFER_TRY(operands(&p.gemm));
        operands_[4] = slots(p.gemm.tiling, units(p.gemm));
        emit(kQConvSlot, c_.params(p), p.gemm);
        return {};
    }
    Status depthwise(const QConvShape& s) {
        kernels::QDepthwiseParams p{conv(s), x_signed_};
        kernels::QTiling& t = p.conv.gemm.tiling;
        p.conv.gemm.flip = 0;
        t.slot_bytes = round_up<size_t>(p.conv.channels, 64);
        COFFER_TRY(operands(&p.conv.gemm));
        const size_t lines = t.rows / p.conv.out[2];
        operands_[4] = slots(t, lines);
        const double macs = static_cast<double>(t.rows * o_.k * o_.columns);
        c_.step(c_.kernel(kQDepthwiseSlot), c_.params(p), operands_, lines, macs / static_cast<double>(lines) / 40);
        return {};
    }

 private:
    bool known(int role) const { return !q_has(c_, role) || c_.is_constant(static_cast<size_t>(role)); }
    static size_t units(const kernels::QGemmParams& p) {
        return p.batches * p.tiling.row_units * p.tiling.panel_units;
    }
    const TensorView& value(int role) const { return *c_.constant(static_cast<size_t>(role)); }
    // A constant of the node as numbers, one or one a column; `absent` when there is none.
    class Parameter {
     public:
        Parameter(const QPlanner& planner, int role, double absent)
            : view_(q_has(planner.c_, role) ? &planner.value(role) : nullptr), absent_(absent) {
            one_ = view_ && view_->elements() == 1;
        }
        double operator[](int64_t i) const { return view_ ? load_double(*view_, one_ ? 0 : i) : absent_; }
        // Those of columns [first, first + n).
        void read(size_t first, size_t n, double* out) const;

     private:
        const TensorView* view_;
        double absent_;
        bool one_ = false;
    };
    double parameter(int role, int64_t i, double absent) const { return Parameter(*this, role, absent)[i]; }
    // Calls visit(padded column, values) for each column, with what each of the parameters says of it.
    template <size_t N, class Visit>
    void for_columns(const Parameter (&parameters)[N], const Visit& visit) const;
    bool signed_rows() const { return c_.arch() == kernels::ArchId::kNeonDotprod; }
    // What turns the activations in memory into what the engine multiplies.
    uint8_t flip() const { return x_signed_ != signed_rows() ? 0x80 : 0; }
    int32_t shift() const {
        if (o_.depthwise) return 0;
        return signed_rows() ? (x_signed_ ? 0 : -128) : (x_signed_ ? 128 : 0);
    }

    kernels::QGemmParams gemm(size_t rows) const {
        kernels::QGemmParams p{};
        p.k = o_.k;
        p.quads = o_.quads;
        p.n = o_.columns;
        p.columns = o_.padded() * o_.groups;
        p.flip = flip();
        p.batches = o_.groups;
        p.a_batch = o_.k;
        p.split = strip_bytes_ != 0;
        p.b_batch = p.split ? o_.padded() / kernels::kQStrip * sizeof(kernels::QStrip) : o_.group_bytes();
        p.c_batch = o_.columns;
        p.block_batch = o_.padded();
        p.tiling = tiling(rows);
        return p;
    }
    // Row units of whole blocks; columns are split too when there are few rows.
    kernels::QTiling tiling(size_t rows) const {
        constexpr size_t kPackedBytes = size_t{192} << 10, kMostRows = 96, kUnits = 16;
        kernels::QTiling t{};
        const bool wide =
            strip_bytes_ == 0 && (c_.arch() == kernels::ArchId::kBaseline || c_.arch() == kernels::ArchId::kAvx2 ||
                                  c_.arch() == kernels::ArchId::kAvx512);
        const size_t element = wide ? 2 : 1;
        t.rows = rows;
        t.a_stride = o_.quads * kernels::kQQuad;
        if (t.a_stride * element % 1024 == 0) t.a_stride += 64 / element;  // rows in different cache sets
        const size_t fit = kPackedBytes / (t.a_stride * element) / 32 * 32;
        t.block_rows = std::clamp<size_t>(fit, 32, kMostRows);
        const bool twelves = wide || strip_bytes_ != 0;  // rows of a register tile, or twice those
        if (twelves)
            t.block_rows = std::clamp<size_t>(kPackedBytes / (t.a_stride * element) / 12 * 12, 12, kMostRows);
        t.block_rows = std::min(t.block_rows, round_up<size_t>(rows, twelves ? 12 : 32));
        const size_t blocks = (rows + t.block_rows - 1) / t.block_rows;
        t.rows_per_unit = (blocks + kUnits - 1) / kUnits * t.block_rows;
        t.row_units = (rows + t.rows_per_unit - 1) / t.rows_per_unit;
        t.panels = o_.padded() / kernels::kQPanel;
        const size_t splits = std::clamp<size_t>(kUnits / (t.row_units * o_.groups), 1, (t.panels + 7) / 8);
        t.panels_per_unit = (t.panels + splits - 1) / splits;
        t.panel_units = (t.panels + t.panels_per_unit - 1) / t.panels_per_unit;
        t.slot_bytes = round_up<size_t>(t.block_rows * t.a_stride * element, 64) +
                       round_up<size_t>(t.block_rows, 16) * 4 + (wide ? o_.quads * kernels::kQPanelBytes * 2 : 0);
        return t;
    }
    kernels::QConvParams conv(const QConvShape& s) const {
        kernels::QConvParams p{};
        size_t rows = static_cast<size_t>(s.batch);
        for (size_t i = 0; i < 3; ++i) {
            const int axis = static_cast<int>(i) - (3 - s.g.rank);
            const PoolAxis a = axis < 0 ? PoolAxis{} : s.g.axes[static_cast<size_t>(axis)];
            p.in[i] = static_cast<size_t>(a.in);
            p.out[i] = static_cast<size_t>(a.out);
            p.kernel[i] = static_cast<size_t>(a.kernel);
            p.stride[i] = static_cast<size_t>(a.stride);
            p.dilation[i] = static_cast<size_t>(a.dilation);
            p.pad[i] = static_cast<ptrdiff_t>(a.pad_begin);
            rows *= p.out[i];
        }
        p.channels = static_cast<size_t>(s.channels);
        p.group_channels = static_cast<size_t>(s.group_channels);
        p.taps = static_cast<size_t>(s.taps);
        p.gemm = gemm(rows);
        p.gemm.ldc = static_cast<size_t>(s.out_channels);
        p.gemm.a_batch = p.group_channels;
        return p;
    }
    static bool is_pointwise(const QConvShape& s) {
        for (size_t i = 0; i < static_cast<size_t>(s.g.rank); ++i) {
            const PoolAxis& a = s.g.axes[i];
            if (a.stride != 1 || a.pad_begin != 0 || a.pad_end != 0) return false;
        }
        return true;
    }

    Operand slots(const kernels::QTiling& t, size_t count) const {
        return Operand::workspace(c_.workspace(std::max<size_t>(64, t.slot_bytes * count)));
    }
    void emit(size_t slot, const void* params, const kernels::QGemmParams& p) {
        const double macs =
            static_cast<double>(p.tiling.rows) * static_cast<double>(p.k) * static_cast<double>(p.n * p.batches);
        c_.step(c_.kernel(slot), params, operands_, units(p), macs / static_cast<double>(units(p)) / 80);
    }

    // Fills operands_ but the workspace, and what of `p` depends on values.
    Status operands(kernels::QGemmParams* p) {
        const QResult result = q_result(c_, r_);
        p->out = result == QResult::kInt32       ? kernels::QOut::kInt32
                 : result == QResult::kQuantized ? kernels::QOut::kInt8
                                                 : kernels::QOut::kFloat;
        p->table = q_has(c_, r_.table);
        p->weight_zeros = false;
        operands_[0] = Operand::input(static_cast<size_t>(r_.x));
        COFFER_TRY_ASSIGN(operands_[1], weights());
        COFFER_TRY_ASSIGN(void* block, constants(p));
        operands_[2] = Operand::at(block);
        operands_[3] = Operand::output(0);
        operands_[5] = Operand::at(p->table ? value(r_.table).data : nullptr);
        if (run_time_) COFFER_TRY(prepare(block, p->columns));
        return {};
    }
    Result<Operand> weights();
    // A packing depends on how the weights are read.
    std::string form(const char* name) const {
        return form_of(name, {o_.groups, o_.columns, o_.k, o_.column_stride, o_.channel_stride, o_.quads});
    }

    // The block of constants; with run-time parameters, the template of qprepare.
    Result<void*> constants(kernels::QGemmParams* p);
    void bounds(kernels::QBlock* head, float y_scale) const {
        kernels::Activation act;
        if (r_.activation) act = activation_of(c_).value();
        if (q_result(c_, r_) == QResult::kQuantized) {
            const DType type = q_has(c_, r_.y_zero) ? value(r_.y_zero).dtype : DType::kUint8;
            head->y_zero = static_cast<int32_t>(parameter(r_.y_zero, 0, 0));
            const QBounds b = q_bounds(act, type, y_scale, head->y_zero);
            head->lo = b.low;
            head->hi = b.high;
        } else {
            head->lo = act.kind == kernels::Act::kRelu ? 0 : act.kind == kernels::Act::kClip ? act.alpha : -INFINITY;
            head->hi = act.kind == kernels::Act::kClip ? act.beta : INFINITY;
        }
    }
    Status column_sums(size_t columns, int32_t* sums);

    // Steps before the product: extremes, parameters, quantized activations.
    Status prepare(void* block, size_t columns) {
        const Operand ready = Operand::workspace(c_.workspace(kernels::qblock_bytes(columns)));
        kernels::QPrepareParams p{};
        p.columns = columns;
        p.k = o_.k;
        p.is_signed = x_signed_;
        p.has_scale = q_has(c_, r_.x_scale);
        p.has_zero = q_has(c_, r_.x_zero);
        p.requantize = q_result(c_, r_) == QResult::kQuantized;
        p.shift = shift();
        p.alpha = r_.alpha;
        const Operand none = Operand::at(nullptr), x = Operand::input(static_cast<size_t>(r_.x));
        const auto count = static_cast<size_t>(c_.input(static_cast<size_t>(r_.x)).shape.elements());
        const size_t blocks = (count + kernels::kQuantizeBlock - 1) / kernels::kQuantizeBlock;
        Operand extremes = none;
        if (dynamic_) {
            extremes = Operand::workspace(c_.workspace(8 * blocks));
            const Operand minmax[] = {x, extremes};
            c_.step(c_.kernel(kQMinMaxSlot), c_.params(kernels::MinMaxParams{count}), minmax, blocks, 2000);
            p.minmax_units = blocks;
        }
        const Operand prepare[] = {Operand::at(block),
                                   ready,
                                   p.has_scale ? Operand::input(static_cast<size_t>(r_.x_scale)) : none,
                                   p.has_zero ? Operand::input(static_cast<size_t>(r_.x_zero)) : none,
                                   extremes,
                                   none,
                                   none};
        c_.step(c_.kernel(kQPrepareSlot), c_.params(p), prepare, 1, static_cast<double>(columns));
        operands_[2] = ready;
        if (dynamic_) {
            operands_[0] = Operand::workspace(c_.workspace(count));
            const Operand quantize[] = {x, operands_[0], ready};
            const kernels::QuantizeParams q{1, count, 1, nullptr, nullptr, false, true};
            c_.step(c_.kernel(kQQuantizeSlot), c_.params(q), quantize, blocks, 4000);
        }
        return {};
    }

    PlanContext& c_;
    QRoles r_;
    QWeightOrder o_;
    size_t strip_bytes_ = 0;  // 0: the weights are packed as panels
    bool dynamic_, x_signed_, run_time_;
    Operand operands_[6] = {Operand::at(nullptr), Operand::at(nullptr), Operand::at(nullptr),
                            Operand::at(nullptr), Operand::at(nullptr), Operand::at(nullptr)};
};

inline bool q_matmul_accepts(const PlanContext& c, const QRoles& r) {
    const Shape& w = c.input(static_cast<size_t>(r.w)).shape;
    if (w.rank() != 2 || w[0] == 0 || w[1] == 0 || r.x_transposed) return false;
    if (q_has(c, r.bias)) {
        const Shape& bias = c.input(static_cast<size_t>(r.bias)).shape;
        if (bias.rank() > 0 && bias.elements() != bias.back()) return false;  // differs from row to row
    }
    return QPlanner::accepts(c, r);
}
inline Status q_matmul_plan(PlanContext& c, const QRoles& r) {
    const Shape& x = c.input(static_cast<size_t>(r.x)).shape;
    const Shape& w = c.input(static_cast<size_t>(r.w)).shape;
    const auto k = static_cast<size_t>(w[r.w_transposed ? 1 : 0]), n = static_cast<size_t>(w[r.w_transposed ? 0 : 1]);
    QWeightOrder order{};
    order.groups = 1;
    order.columns = n;
    order.k = order.channels = k;
    order.column_stride = r.w_transposed ? k : 1;
    order.channel_stride = r.w_transposed ? 1 : n;
    return QPlanner(c, r, order).matmul(static_cast<size_t>(x.elements()) / k, n);
}

inline bool q_conv_accepts(const PlanContext& c, const QRoles& r) {
    if (c.input_layout(static_cast<size_t>(r.x)) != Layout::kChannelsLast ||
        c.output_layout(0) != Layout::kChannelsLast) {
        return false;
    }
    const Shape& w = c.input(static_cast<size_t>(r.w)).shape;
    return w.rank() >= 3 && w.rank() <= 5 && w.elements() > 0 && QPlanner::accepts(c, r);
}
inline bool q_depthwise_accepts(const PlanContext& c, const QRoles& r) {
    if (!q_conv_accepts(c, r)) return false;
    const Shape& w = c.input(static_cast<size_t>(r.w)).shape;
    return w[1] == 1 && c.attr_i("group") == w[0] && w.elements(2, w.rank()) <= int64_t{kernels::kQDepthwiseTaps};
}
inline Status q_conv_plan(PlanContext& c, const QRoles& r, bool depthwise) {
    COFFER_TRY_ASSIGN(const QConvShape s, q_conv_shape(c, c.input(static_cast<size_t>(r.x)).shape,
                                                       c.input(static_cast<size_t>(r.w)).shape));
    QWeightOrder order{};
    order.groups = static_cast<size_t>(s.groups);
    order.columns = static_cast<size_t>(s.out_channels / s.groups);
    order.channels = static_cast<size_t>(s.group_channels);
    order.k = static_cast<size_t>(s.group_channels * s.taps);
    order.column_stride = order.k;
    order.channel_stride = static_cast<size_t>(s.taps);
    order.tap_stride = 1;
    order.depthwise = depthwise;
    if (depthwise) {  // every channel is a column of its own
        order.groups = order.channels = 1;
        order.columns = static_cast<size_t>(s.out_channels);
    }
    QPlanner planner(c, r, order);
    return depthwise ? planner.depthwise(s) : planner.convolution(s);
}

// All of a quantized product but its facts: the op gives `static QRoles roles(const NodeContext&)`.
template <class Op>
struct QMatMulOp {
    static Status infer(InferContext& c) { return q_matmul_infer(c, Op::roles(c)); }
    static Status reference(RunContext& c) { return q_matmul_reference(c, Op::roles(c)); }

    static bool accepts(const PlanContext& c) { return q_matmul_accepts(c, Op::roles(c)); }
    static Status plan(PlanContext& c) { return q_matmul_plan(c, Op::roles(c)); }
    static constexpr Variant variants[] = {{"qgemm_8", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::qgemm<Arch>, &kernels::qprepare<Arch>,
                                                    &kernels::minmax_f32<Arch>, &kernels::quantize_f32<Arch>};
    template <class Arch>
    static constexpr kernels::KernelFn byte_kernels[] = {&kernels::qgemm<Arch>};
};

template <class Op>
struct QConvOp {
    static Status infer(InferContext& c) { return q_conv_infer(c, Op::roles(c)); }
    static Status reference(RunContext& c) { return q_conv_reference(c, Op::roles(c)); }

    static bool accepts(const PlanContext& c) { return q_conv_accepts(c, Op::roles(c)); }
    static Status plan(PlanContext& c) { return q_conv_plan(c, Op::roles(c), false); }
    static bool accepts_depthwise(const PlanContext& c) { return q_depthwise_accepts(c, Op::roles(c)); }
    static Status plan_depthwise(PlanContext& c) { return q_conv_plan(c, Op::roles(c), true); }
    static constexpr Variant variants[] = {{"qdepthwise_8", &accepts_depthwise, &plan_depthwise},
                                           {"qconv_8", &accepts, &plan}};
    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::qgemm<Arch>,      &kernels::qprepare<Arch>,
                                                    &kernels::minmax_f32<Arch>, &kernels::quantize_f32<Arch>,
                                                    &kernels::qconv<Arch>,      &kernels::qdepthwise<Arch>};
    template <class Arch>
    static constexpr kernels::KernelFn byte_kernels[] = {&kernels::qgemm<Arch>, nullptr, nullptr, nullptr,
                                                         &kernels::qconv<Arch>};
};

}  // namespace coffer::ops
