// Fast variants of RNN, GRU and LSTM: float32, constant weights, default activations, no clipping, peepholes or
// coupled gates. The op says which kernel cell it is: `static kernels::RnnCell cell(const NodeContext&)`.
#pragma once

#include "coffer/kernels/rnn.hpp"
#include "coffer/ops/family/rnn.hpp"

namespace coffer::ops {

// Which rows of the ONNX weights a packed tensor holds, and how.
struct RnnPacking {
    int64_t gates, hidden;
    int64_t lanes;
    int64_t first_gate, gate_count;  // gates side by side in a panel
};

// One direction of W or R, (gates * hidden, k) row-major, into panels [panel][k][gate][lane].
inline void rnn_pack_panels(const RnnPacking& p, const float* src, int64_t inner, float* dst) {
    for (int64_t j = 0; j < p.hidden; ++j) {
        for (int64_t g = 0; g < p.gate_count; ++g) {
            const float* row = src + ((p.first_gate + g) * p.hidden + j) * inner;
            for (int64_t k = 0; k < inner; ++k) {
                dst[((j / p.lanes * inner + k) * p.gate_count + g) * p.lanes + j % p.lanes] = row[k];
            }
        }
    }
}

struct RnnPackArgs {
    kernels::RnnCell cell;
    int64_t gates, hidden, lanes;
    int64_t padded() const { return (hidden + lanes - 1) / lanes * lanes; }
};

inline Status rnn_pack_w(const TensorView& src, void* dst, const void* args) {
    const auto& a = *static_cast<const RnnPackArgs*>(args);
    const int64_t inner = src.shape[2];
    for (int64_t d = 0; d < src.shape[0]; ++d) {
        rnn_pack_panels({a.gates, a.hidden, a.lanes, 0, a.gates},
                        src.as<const float>() + d * a.gates * a.hidden * inner, inner,
                        static_cast<float*>(dst) + d * a.gates * a.padded() * inner);
    }
    return {};
}
// GRU with the reset first multiplies z and r with one vector and h with another: separate panels.
inline Status rnn_pack_r(const TensorView& src, void* dst, const void* args) {
    const auto& a = *static_cast<const RnnPackArgs*>(args);
    const int64_t together = a.cell == kernels::RnnCell::kGruResetFirst ? 2 : a.gates;
    for (int64_t d = 0; d < src.shape[0]; ++d) {
        const float* from = src.as<const float>() + d * a.gates * a.hidden * a.hidden;
        float* to = static_cast<float*>(dst) + d * a.gates * a.padded() * a.hidden;
        rnn_pack_panels({a.gates, a.hidden, a.lanes, 0, together}, from, a.hidden, to);
        if (together == a.gates) continue;
        rnn_pack_panels({a.gates, a.hidden, a.lanes, together, a.gates - together}, from, a.hidden,
                        to + together * a.padded() * a.hidden);
    }
    return {};
}
// What is added before the recurrence: Wb + Rb, but only Wb for the h gate of GRU with the reset last. Its Rb
// follows behind, [direction][unit].
inline Status rnn_pack_b(const TensorView& src, void* dst, const void* args) {
    const auto& a = *static_cast<const RnnPackArgs*>(args);
    const bool split = a.cell == kernels::RnnCell::kGruResetLast;
    const int64_t directions = src.shape[0], padded = a.padded();
    auto* const out = static_cast<float*>(dst);
    for (int64_t d = 0; d < directions; ++d) {
        const float* b = src.as<const float>() + d * 2 * a.gates * a.hidden;
        for (int64_t g = 0; g < a.gates; ++g) {
            for (int64_t j = 0; j < a.hidden; ++j) {
                const float wb = b[g * a.hidden + j], rb = b[(a.gates + g) * a.hidden + j];
                const bool alone = split && g == 2;
                out[d * a.gates * padded + (j / a.lanes * a.gates + g) * a.lanes + j % a.lanes] =
                    alone ? wb : wb + rb;
                if (alone) out[directions * a.gates * padded + d * padded + j] = rb;
            }
        }
    }
    return {};
}

// `cells` are the kernel cells of the op; slot 1 + i runs the i-th.
template <class Op, size_t kGates, kernels::RnnCell... cells>
struct RnnFast {
    static bool accepts(const PlanContext& c) {
        if (c.input(0).dtype != DType::kFloat || !c.is_constant(1) || !c.is_constant(2) || c.has_attr("clip"))
            return false;
        if ((c.has_input(3) && !c.is_constant(3)) || c.has_input(7)) return false;
        if constexpr (kGates == 4) {
            if (c.attr_i("input_forget") != 0) return false;
        }
        RnnShape s;
        if (!shape(c, &s) || s.seq == 0 || s.batch == 0 || s.hidden == 0) return false;
        std::array<RnnActivation, kMaxRnnActivations> activations;
        const auto directions = static_cast<size_t>(s.directions);
        if (!rnn_activations(c, Op::kDefaults, directions, activations).ok()) return false;
        for (size_t i = 0; i < directions * std::size(Op::kDefaults); ++i) {
            if (activations[i].kind != rnn_activation_kind(Op::kDefaults[i % std::size(Op::kDefaults)])) return false;
        }
        return true;
    }

    static Status plan(PlanContext& c) {
        RnnShape s;
        if (!shape(c, &s)) return c.fail("shapes do not fit");
        const auto lanes = static_cast<int64_t>(kernels::rnn_lanes(c.arch()));
        const RnnPackArgs args{Op::cell(c), s.gates, s.hidden, lanes};
        const auto size = [](int64_t n) { return static_cast<size_t>(n); };
        const kernels::RnnParams p = params(s, size(args.padded()));
        const size_t width = p.directions * p.gates * p.padded;
        // One packing an arch width and cell.
        const auto form = [&](const char* what) {
            return form_of(what, {size(lanes), static_cast<size_t>(args.cell)});
        };
        COFFER_TRY_ASSIGN(const void* w,
                          c.moved(1, form("rnn w"), width * p.input * sizeof(float), rnn_pack_w, args));
        COFFER_TRY_ASSIGN(const void* r,
                          c.moved(2, form("rnn r"), width * p.hidden * sizeof(float), rnn_pack_r, args));
        const size_t bias_floats = width + p.directions * p.padded;
        const void* bias;
        if (c.has_input(3)) {
            COFFER_TRY_ASSIGN(bias, c.packed(3, form("rnn b"), bias_floats * sizeof(float), rnn_pack_b, &args));
        } else {
            void* const zeros = c.allocate_params(bias_floats * sizeof(float), 64);
            std::fill_n(static_cast<float*>(zeros), bias_floats, 0.0f);
            bias = zeros;
        }
        const size_t rows = p.seq * p.batch, pairs = (p.batch + 1) / 2;
        size_t projected_bytes;
        if (!checked_mul(rows, width * sizeof(float), &projected_bytes)) return c.fail(rows, " steps are too many");
        const Operand projected = Operand::workspace(c.workspace(projected_bytes));
        const Operand state = Operand::workspace(c.workspace(p.directions * p.batch * 4 * p.padded * sizeof(float)));
        const auto* stored = c.params(p);
        const Operand project[] = {Operand::input(0), Operand::at(w), Operand::at(bias), projected};
        const double unit_row_ns = 0.03 * static_cast<double>(p.gates * p.padded);
        c.step(c.kernel(0), stored, project, p.directions * ((rows + kernels::kRnnRows - 1) / kernels::kRnnRows),
               unit_row_ns * static_cast<double>(p.input * std::min(rows, kernels::kRnnRows)));
        const auto in = [&](size_t i) { return c.has_input(i) ? Operand::input(i) : Operand::at(nullptr); };
        const auto out = [&](size_t i) { return c.has_output(i) ? Operand::output(i) : Operand::at(nullptr); };
        const Operand recur[] = {projected, Operand::at(r), Operand::at(static_cast<const float*>(bias) + width),
                                 in(4),     in(5),          in(6),
                                 out(0),    out(1),         out(2),
                                 state};
        c.step(c.kernel(args.cell == kernels::RnnCell::kGruResetLast ? 2 : 1), stored, recur, p.directions * pairs,
               unit_row_ns * 2 * static_cast<double>(p.hidden * p.seq));
        return {};
    }
    static constexpr Variant variants[] = {{"rnn_f32", &accepts, &plan}};

    template <class Arch>
    static constexpr kernels::KernelFn kernels[] = {&kernels::rnn_project<Arch, kGates>,
                                                    &kernels::rnn_recur<Arch, cells>...};

 private:
    static bool shape(const PlanContext& c, RnnShape* s) {
        return rnn_shape(
                   c, Op::kGates, [&](size_t i) -> const Type& { return c.input(i); }, s)
            .ok();
    }
    static kernels::RnnParams params(const RnnShape& s, size_t padded) {
        const auto size = [](int64_t n) { return static_cast<size_t>(n); };
        return {.gates = size(s.gates),
                .directions = size(s.directions),
                .seq = size(s.seq),
                .batch = size(s.batch),
                .input = size(s.input),
                .hidden = size(s.hidden),
                .padded = padded,
                .first_reversed = s.reversed(0),
                .x_t = size(s.x(1, 0)),
                .x_n = size(s.x(0, 1)),
                .y_t = size(s.y(1, 0, 0)),
                .y_d = size(s.y(0, 1, 0)),
                .y_n = size(s.y(0, 0, 1)),
                .s_d = size(s.state(1, 0)),
                .s_n = size(s.state(0, 1))};
    }
};

}  // namespace coffer::ops
