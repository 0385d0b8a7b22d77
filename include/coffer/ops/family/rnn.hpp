// RNN, GRU and LSTM: shapes, attribute checks, activations, and the walk over directions, batch and time. An op
// adds kGates, kActivations (a direction), kCell (does it have a cell state?), the default activation names
// and one step of its recurrence.
#pragma once

#include <cmath>

#include "coffer/ops/op.hpp"

namespace coffer::ops {

struct RnnShape {
    int64_t gates = 1, directions = 1, seq = 0, batch = 0, input = 0, hidden = 0;
    bool batch_first = false, forward_first = true;  // layout 1; direction other than "reverse"

    bool reversed(int64_t d) const { return d == 1 || !forward_first; }
    int64_t x(int64_t t, int64_t n) const { return (batch_first ? n * seq + t : t * batch + n) * input; }
    int64_t y(int64_t t, int64_t d, int64_t n) const {
        return (batch_first ? (n * seq + t) * directions + d : (t * directions + d) * batch + n) * hidden;
    }
    int64_t state(int64_t d, int64_t n) const { return (batch_first ? n * directions + d : d * batch + n) * hidden; }
};

struct RnnActivation {
    enum Kind : uint8_t {
        kRelu,
        kTanh,
        kSigmoid,
        kAffine,
        kLeakyRelu,
        kThresholdedRelu,
        kScaledTanh,
        kHardSigmoid,
        kElu,
        kSoftsign,
        kSoftplus,
        kUnknown
    };
    Kind kind = kUnknown;
    double alpha = 0, beta = 0;

    double operator()(double x) const {
        switch (kind) {
            case kRelu: return x > 0 ? x : 0;
            case kTanh: return std::tanh(x);
            case kSigmoid: return 1 / (1 + std::exp(-x));
            case kAffine: return alpha * x + beta;
            case kLeakyRelu: return x < 0 ? alpha * x : x;
            case kThresholdedRelu: return x > alpha ? x : 0;
            case kScaledTanh: return alpha * std::tanh(beta * x);
            case kHardSigmoid: return std::min(1.0, std::max(0.0, alpha * x + beta));
            case kElu: return x < 0 ? alpha * std::expm1(x) : x;
            case kSoftsign: return x / (1 + std::fabs(x));
            case kSoftplus: return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
            case kUnknown: break;
        }
        return x;
    }
};

struct RnnActivationRow {
    const char* name;
    bool takes_alpha, takes_beta;
    float alpha, beta;  // defaults
};
inline constexpr RnnActivationRow kRnnActivations[] = {
    {"relu", false, false, 0, 0},         {"tanh", false, false, 0, 0},
    {"sigmoid", false, false, 0, 0},      {"affine", true, true, 1, 0},
    {"leakyrelu", true, false, 0.01f, 0}, {"thresholdedrelu", true, false, 1, 0},
    {"scaledtanh", true, true, 1, 1},     {"hardsigmoid", true, true, 0.2f, 0.5f},
    {"elu", true, false, 1, 0},           {"softsign", false, false, 0, 0},
    {"softplus", false, false, 0, 0}};
inline constexpr size_t kMaxRnnActivations = 6;

// Names are compared without case, as exporters disagree about it.
inline RnnActivation::Kind rnn_activation_kind(std::string_view name) {
    const auto same = [&](std::string_view known) {
        return std::ranges::equal(name, known,
                                  [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
    };
    for (size_t i = 0; i < std::size(kRnnActivations); ++i) {
        if (same(kRnnActivations[i].name)) return static_cast<RnnActivation::Kind>(i);
    }
    return RnnActivation::kUnknown;
}

// The activations of all directions in order. activation_alpha and activation_beta list values for those
// activations that take one; the rest have defaults.
inline Status rnn_activations(const NodeContext& c, std::span<const char* const> defaults, size_t directions,
                              std::span<RnnActivation, kMaxRnnActivations> out) {
    const auto names = c.attr_strings("activations");
    const auto alphas = c.attr_floats("activation_alpha"), betas = c.attr_floats("activation_beta");
    const size_t count = defaults.size() * directions;
    if (!names.empty() && names.size() != count) {
        return c.fail("activations has ", names.size(), " names, must be ", count);
    }
    size_t alpha = 0, beta = 0;
    for (size_t i = 0; i < count; ++i) {
        const std::string_view name = names.empty() ? defaults[i % defaults.size()] : std::string_view(names[i]);
        out[i].kind = rnn_activation_kind(name);
        if (out[i].kind == RnnActivation::kUnknown) return c.fail("unknown activation '", name, "'");
        const RnnActivationRow& row = kRnnActivations[out[i].kind];
        out[i].alpha = row.takes_alpha && alpha < alphas.size() ? alphas[alpha++] : row.alpha;
        out[i].beta = row.takes_beta && beta < betas.size() ? betas[beta++] : row.beta;
    }
    return {};
}

// The input shapes and attributes that all three ops share. `input` gives the Type or TensorView of input i.
template <class Input>
Status rnn_shape(const NodeContext& c, int64_t gates, Input input, RnnShape* s) {
    const Shape &x = input(0).shape, &w = input(1).shape, &r = input(2).shape;
    if (x.rank() != 3 || w.rank() != 3 || r.rank() != 3)
        return c.fail("X ", x, ", W ", w, " and R ", r, " must have rank 3");
    const std::string_view direction = c.attr_s("direction");
    if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
        return c.fail("direction '", direction, "'");
    }
    const int64_t layout = c.attr_i("layout");
    if (layout != 0 && layout != 1) return c.fail("layout is ", layout, ", must be 0 or 1");
    s->gates = gates;
    s->directions = direction == "bidirectional" ? 2 : 1;
    s->forward_first = direction != "reverse";
    s->batch_first = layout == 1;
    s->seq = x[layout == 1 ? 1 : 0];
    s->batch = x[layout == 1 ? 0 : 1];
    s->input = x[2];
    s->hidden = r[2];
    // Steps without numbers, and all states together, may be as many as they like where nothing else holds them.
    size_t states;
    if (!checked_nbytes({s->seq, s->directions, s->batch, s->hidden}, DType::kDouble, &states) ||
        (s->input == 0 && s->seq != 0)) {
        return c.fail("X ", x, " and R ", r, " are not possible");
    }
    int64_t rows;
    if (!checked_mul(gates, s->hidden, &rows) || !(w == Shape{s->directions, rows, s->input}) ||
        !(r == Shape{s->directions, rows, s->hidden})) {
        return c.fail("W ", w, " and R ", r, " do not fit X ", x, ", ", s->directions, " direction(s) and ", gates,
                      " gate(s)");
    }
    if (c.has_attr("hidden_size") && c.attr_i("hidden_size") != s->hidden) {
        return c.fail("hidden_size is ", c.attr_i("hidden_size"), ", R has ", s->hidden);
    }
    if (c.has_attr("clip") && !(c.attr_f("clip") >= 0)) return c.fail("clip is ", c.attr_f("clip"));
    const Shape state =
        s->batch_first ? Shape{s->batch, s->directions, s->hidden} : Shape{s->directions, s->batch, s->hidden};
    const struct {
        size_t index;
        const char* name;
        Shape want;
    } rest[] = {{3, "B", {s->directions, 2 * rows}},
                {4, "sequence_lens", {s->batch}},
                {5, "initial_h", state},
                {6, "initial_c", state},
                {7, "P", {s->directions, 3 * s->hidden}}};
    for (const auto& e : rest) {
        if (!c.has_input(e.index)) continue;
        if (!(input(e.index).shape == e.want)) {
            return c.fail(e.name, " has shape ", input(e.index).shape, ", must be ", e.want);
        }
        const DType want = e.index == 4 ? DType::kInt32 : input(0).dtype;
        if (input(e.index).dtype != want)
            return c.fail(e.name, " has type ", input(e.index).dtype, ", must be ", want);
    }
    return {};
}

// What one step of a recurrence sees: everything as double, through the node's own element type.
struct RnnStep {
    RunContext& c;
    const RnnShape& s;
    int64_t direction, x_offset;
    const RnnActivation* activations;
    double clip;
    double *h, *next, *cell, *extra;  // hidden values each: state before and after, LSTM's cell, scratch

    // X * W^T + its bias for one row (gate * hidden + j).
    double project(int64_t row) const {
        const int64_t at = direction * s.gates * s.hidden + row;
        double sum = c.has_input(3) ? load_double(c.input(3), direction * 2 * s.gates * s.hidden + row) : 0;
        for (int64_t k = 0; k < s.input; ++k) {
            sum += load_double(c.input(0), x_offset + k) * load_double(c.input(1), at * s.input + k);
        }
        return sum;
    }
    // v * R^T + its bias for one row.
    double recur(int64_t row, const double* v) const {
        const int64_t at = direction * s.gates * s.hidden + row;
        double sum = c.has_input(3) ? load_double(c.input(3), (direction * 2 + 1) * s.gates * s.hidden + row) : 0;
        for (int64_t k = 0; k < s.hidden; ++k) sum += v[k] * load_double(c.input(2), at * s.hidden + k);
        return sum;
    }
    double act(int i, double x) const { return activations[i](std::min(clip, std::max(-clip, x))); }
};

template <class Op>
struct RnnFamily {
    static Status infer(InferContext& c) {
        const DType t = c.dtype(0);
        if (t != DType::kFloat && t != DType::kDouble && t != DType::kFloat16 && t != DType::kBfloat16) {
            return c.fail("type ", t);
        }
        if (c.dtype(1) != t || c.dtype(2) != t) {
            return c.fail("X, W and R have types ", t, ", ", c.dtype(1), " and ", c.dtype(2));
        }
        RnnShape s;
        COFFER_TRY(rnn_shape(
            c, Op::kGates, [&](size_t i) -> const Type& { return c.input(i); }, &s));
        std::array<RnnActivation, kMaxRnnActivations> activations;
        COFFER_TRY(rnn_activations(c, Op::kDefaults, static_cast<size_t>(s.directions), activations));
        if (c.has_input(4) && c.known(4)) COFFER_TRY(check_lengths(c, s, *c.known(4)));
        const Shape state =
            s.batch_first ? Shape{s.batch, s.directions, s.hidden} : Shape{s.directions, s.batch, s.hidden};
        c.set(0, t,
              s.batch_first ? Shape{s.batch, s.seq, s.directions, s.hidden}
                            : Shape{s.seq, s.directions, s.batch, s.hidden});
        c.set(1, t, state);
        c.set(2, t, state);
        return {};
    }

    static Status reference(RunContext& c) {
        RnnShape s;
        COFFER_TRY(rnn_shape(
            c, Op::kGates, [&](size_t i) -> const TensorView& { return c.input(i); }, &s));
        if (c.has_input(4)) COFFER_TRY(check_lengths(c, s, c.input(4)));
        std::array<RnnActivation, kMaxRnnActivations> activations;
        COFFER_TRY(rnn_activations(c, Op::kDefaults, static_cast<size_t>(s.directions), activations));
        const auto hidden = static_cast<size_t>(s.hidden);
        COFFER_TRY_ASSIGN(std::byte * memory, c.scratch(4 * hidden * sizeof(double)));
        auto* const v = reinterpret_cast<double*>(memory);
        const double clip = c.has_attr("clip") ? c.attr_f("clip") : HUGE_VAL;
        for (int64_t d = 0; d < s.directions; ++d) {
            for (int64_t n = 0; n < s.batch; ++n) {
                RnnStep step{c,
                             s,
                             d,
                             0,
                             &activations[static_cast<size_t>(d) * std::size(Op::kDefaults)],
                             clip,
                             v,
                             v + hidden,
                             v + 2 * hidden,
                             v + 3 * hidden};
                run(step, n);
            }
        }
        return {};
    }

 private:
    static Status check_lengths(const NodeContext& c, const RnnShape& s, const TensorView& lengths) {
        for (int32_t length : lengths.span<const int32_t>()) {
            if (length < 0 || length > s.seq) return c.fail("sequence_lens has ", length, " for ", s.seq, " steps");
        }
        return {};
    }
    // One sequence in one direction.
    static void run(RnnStep& step, int64_t n) {
        RunContext& c = step.c;
        const RnnShape& s = step.s;
        const int64_t d = step.direction;
        const auto start = [&](double* dst, size_t input) {
            for (int64_t j = 0; j < s.hidden; ++j) {
                dst[j] = c.has_input(input) ? load_double(c.input(input), s.state(d, n) + j) : 0;
            }
        };
        const auto finish = [&](size_t output, int64_t at, const double* src) {
            if (!c.has_output(output)) return;
            for (int64_t j = 0; j < s.hidden; ++j) store_double(c.output(output), at + j, src ? src[j] : 0);
        };
        start(step.h, 5);
        start(step.cell, 6);
        const int64_t length = c.has_input(4) ? c.input(4).as<const int32_t>()[n] : s.seq;
        for (int64_t i = 0; i < length; ++i) {
            const int64_t t = s.reversed(d) ? length - 1 - i : i;
            step.x_offset = s.x(t, n);
            Op::step(step);
            std::swap(step.h, step.next);
            finish(0, s.y(t, d, n), step.h);
        }
        for (int64_t t = length; t < s.seq; ++t) finish(0, s.y(t, d, n), nullptr);
        finish(1, s.state(d, n), step.h);
        finish(2, s.state(d, n), step.cell);
    }
};

}  // namespace coffer::ops
