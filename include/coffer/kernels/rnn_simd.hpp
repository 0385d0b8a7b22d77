// Bodies of rnn.hpp. Only arch.cpp includes this file.
#pragma once

#include "coffer/kernels/rnn.hpp"
#include "coffer/kernels/simd.hpp"
#include "coffer/kernels/vecmath.hpp"

namespace coffer::kernels {

template <class Arch>
using RnnBatch = Batch<Arch, float>;

// acc[row][gate] += sum over k of rows[row][k] * panel[k][gate]. One row uses two sets of sums, so that either
// way eight multiply-adds (with four gates) are independent of each other.
template <class Arch, size_t kGates, size_t kRows>
inline void rnn_dot(const float* panel, const float* const (&rows)[kRows], size_t count,
                    RnnBatch<Arch> (&acc)[kRows][kGates]) {
    using B = RnnBatch<Arch>;
    constexpr size_t kLanes = B::size;
    if constexpr (kRows == 1) {
        B odd[kGates];
        for (B& o : odd) o = B(0.0f);
        size_t k = 0;
        for (; k + 2 <= count; k += 2, panel += 2 * kGates * kLanes) {
            const B even_x(rows[0][k]), odd_x(rows[0][k + 1]);
            for (size_t g = 0; g < kGates; ++g) {
                acc[0][g] = fma(even_x, B::load_aligned(panel + g * kLanes), acc[0][g]);
                odd[g] = fma(odd_x, B::load_aligned(panel + (kGates + g) * kLanes), odd[g]);
            }
        }
        if (k < count) {
            const B x(rows[0][k]);
            for (size_t g = 0; g < kGates; ++g) {
                acc[0][g] = fma(x, B::load_aligned(panel + g * kLanes), acc[0][g]);
            }
        }
        for (size_t g = 0; g < kGates; ++g) acc[0][g] += odd[g];
    } else {
        for (size_t k = 0; k < count; ++k, panel += kGates * kLanes) {
            for (size_t g = 0; g < kGates; ++g) {
                const B w = B::load_aligned(panel + g * kLanes);
                for (size_t r = 0; r < kRows; ++r) acc[r][g] = fma(B(rows[r][k]), w, acc[r][g]);
            }
        }
    }
}

template <class Arch, size_t kGates, size_t kRows>
void rnn_project_rows(const RnnParams& p, const float* const (&rows)[kRows], const float* panel, const float* bias,
                      float* const (&dst)[kRows]) {
    using B = RnnBatch<Arch>;
    B acc[kRows][kGates];
    for (auto& row : acc) {
        for (size_t g = 0; g < kGates; ++g) row[g] = B::load_unaligned(bias + g * B::size);
    }
    rnn_dot<Arch, kGates, kRows>(panel, rows, p.input, acc);
    for (size_t r = 0; r < kRows; ++r) {
        for (size_t g = 0; g < kGates; ++g) acc[r][g].store_aligned(dst[r] + g * B::size);
    }
}

template <class Arch, size_t kGates>
bool rnn_project(const void* params, void* const* operands, size_t begin, size_t end) {
    constexpr size_t kStep = kGates * RnnBatch<Arch>::size;  // floats of a panel in one row
    const auto& p = *static_cast<const RnnParams*>(params);
    const size_t rows = p.seq * p.batch, blocks = (rows + kRnnRows - 1) / kRnnRows, width = kGates * p.padded;
    const auto* x = static_cast<const float*>(operands[0]);
    const auto source = [&](size_t row) { return x + row / p.batch * p.x_t + row % p.batch * p.x_n; };
    for (size_t unit = begin; unit < end; ++unit) {
        const size_t d = unit / blocks, first = unit % blocks * kRnnRows;
        const size_t last = first + kRnnRows < rows ? first + kRnnRows : rows;
        const float* w = static_cast<const float*>(operands[1]) + d * width * p.input;
        const float* bias = static_cast<const float*>(operands[2]) + d * width;
        float* dst = static_cast<float*>(operands[3]) + d * rows * width;
        for (size_t at = 0; at < width; at += kStep) {
            size_t row = first;
            for (; row + 2 <= last; row += 2) {
                rnn_project_rows<Arch, kGates, 2>(p, {source(row), source(row + 1)}, w + at * p.input, bias + at,
                                                  {dst + row * width + at, dst + (row + 1) * width + at});
            }
            if (row < last) {
                rnn_project_rows<Arch, kGates, 1>(p, {source(row)}, w + at * p.input, bias + at,
                                                  {dst + row * width + at});
            }
        }
    }
    return true;
}

// The memory of one sequence in one direction.
template <class Arch>
struct RnnState {
    float *h, *next, *third, *fourth;  // LSTM: third is the cell; GRU (reset first): z, and r * h
};

// One step in time of kRows sequences; `in` is the projected input of each.
template <class Arch, RnnCell cell, size_t kRows>
void rnn_step(const RnnParams& p, const float* r, const float* bias, const float* const (&in)[kRows],
              RnnState<Arch> (&state)[kRows]) {
    using B = RnnBatch<Arch>;
    constexpr size_t kLanes = B::size;
    const auto load = [](const float* src) { return B::load_aligned(src); };
    const float* rows[kRows];
    for (size_t i = 0; i < kRows; ++i) rows[i] = state[i].h;
    if constexpr (cell == RnnCell::kPlain) {
        for (size_t j = 0; j < p.padded; j += kLanes) {
            B acc[kRows][1];
            for (size_t i = 0; i < kRows; ++i) acc[i][0] = load(in[i] + j);
            rnn_dot<Arch, 1, kRows>(r + j * p.hidden, rows, p.hidden, acc);
            for (size_t i = 0; i < kRows; ++i) kernels::vtanh(acc[i][0]).store_aligned(state[i].next + j);
        }
    } else if constexpr (cell == RnnCell::kLstm) {
        for (size_t j = 0; j < p.padded; j += kLanes) {
            B acc[kRows][4];
            for (size_t i = 0; i < kRows; ++i) {
                for (size_t g = 0; g < 4; ++g) acc[i][g] = load(in[i] + 4 * j + g * kLanes);
            }
            rnn_dot<Arch, 4, kRows>(r + 4 * j * p.hidden, rows, p.hidden, acc);
            for (size_t i = 0; i < kRows; ++i) {
                float* const c = state[i].third + j;
                const B now = fma(kernels::vsigmoid(acc[i][2]), load(c),
                                  kernels::vsigmoid(acc[i][0]) * kernels::vtanh(acc[i][3]));
                now.store_aligned(c);
                (kernels::vsigmoid(acc[i][1]) * kernels::vtanh(now)).store_aligned(state[i].next + j);
            }
        }
    } else if constexpr (cell == RnnCell::kGruResetLast) {
        for (size_t j = 0; j < p.padded; j += kLanes) {
            B acc[kRows][3];
            for (size_t i = 0; i < kRows; ++i) {
                for (size_t g = 0; g < 2; ++g) acc[i][g] = load(in[i] + 3 * j + g * kLanes);
                acc[i][2] = B::load_unaligned(bias + j);
            }
            rnn_dot<Arch, 3, kRows>(r + 3 * j * p.hidden, rows, p.hidden, acc);
            for (size_t i = 0; i < kRows; ++i) {
                const B z = kernels::vsigmoid(acc[i][0]), reset = kernels::vsigmoid(acc[i][1]);
                const B candidate = kernels::vtanh(fma(reset, acc[i][2], load(in[i] + 3 * j + 2 * kLanes)));
                fma(z, load(state[i].h + j) - candidate, candidate).store_aligned(state[i].next + j);
            }
        }
    } else {
        for (size_t j = 0; j < p.padded; j += kLanes) {
            B acc[kRows][2];
            for (size_t i = 0; i < kRows; ++i) {
                for (size_t g = 0; g < 2; ++g) acc[i][g] = load(in[i] + 3 * j + g * kLanes);
            }
            rnn_dot<Arch, 2, kRows>(r + 2 * j * p.hidden, rows, p.hidden, acc);
            for (size_t i = 0; i < kRows; ++i) {
                kernels::vsigmoid(acc[i][0]).store_aligned(state[i].third + j);
                (kernels::vsigmoid(acc[i][1]) * load(state[i].h + j)).store_aligned(state[i].fourth + j);
            }
        }
        for (size_t i = 0; i < kRows; ++i) rows[i] = state[i].fourth;
        const float* last = r + 2 * p.padded * p.hidden;  // the panels of the h gate follow those of z and r
        for (size_t j = 0; j < p.padded; j += kLanes) {
            B acc[kRows][1];
            for (size_t i = 0; i < kRows; ++i) acc[i][0] = load(in[i] + 3 * j + 2 * kLanes);
            rnn_dot<Arch, 1, kRows>(last + j * p.hidden, rows, p.hidden, acc);
            for (size_t i = 0; i < kRows; ++i) {
                const B candidate = kernels::vtanh(acc[i][0]), z = load(state[i].third + j);
                fma(z, load(state[i].h + j) - candidate, candidate).store_aligned(state[i].next + j);
            }
        }
    }
}

template <class Arch>
void rnn_copy(float* dst, const float* src, size_t count) {
    for (size_t i = 0; i < count; ++i) dst[i] = src ? src[i] : 0.0f;
}

// kRows sequences from n on, all of `length` steps.
template <class Arch, RnnCell cell, size_t kGates, size_t kRows>
void rnn_sequences(const RnnParams& p, void* const* operands, size_t d, size_t n, size_t length) {
    const size_t width = kGates * p.padded;
    const auto at = [&](int i) { return static_cast<float*>(operands[i]); };
    const float* projected = at(0) + d * p.seq * p.batch * width;
    const float* r = at(1) + d * width * p.hidden;
    const float* bias = at(2) ? at(2) + d * p.padded : nullptr;
    RnnState<Arch> state[kRows];
    for (size_t i = 0; i < kRows; ++i) {
        float* memory = at(9) + (d * p.batch + n + i) * 4 * p.padded;
        state[i] = {memory, memory + p.padded, memory + 2 * p.padded, memory + 3 * p.padded};
        rnn_copy<Arch>(memory, nullptr, 4 * p.padded);
        const size_t offset = d * p.s_d + (n + i) * p.s_n;
        if (at(4)) rnn_copy<Arch>(state[i].h, at(4) + offset, p.hidden);
        if (at(5)) rnn_copy<Arch>(state[i].third, at(5) + offset, p.hidden);
    }
    const bool reversed = d == 1 || p.first_reversed;
    for (size_t s = 0; s < length; ++s) {
        const size_t t = reversed ? length - 1 - s : s;
        const float* in[kRows];
        for (size_t i = 0; i < kRows; ++i) in[i] = projected + (t * p.batch + n + i) * width;
        rnn_step<Arch, cell, kRows>(p, r, bias, in, state);
        for (size_t i = 0; i < kRows; ++i) {
            float* const h = state[i].next;
            state[i].next = state[i].h;
            state[i].h = h;
            if (at(6)) rnn_copy<Arch>(at(6) + t * p.y_t + d * p.y_d + (n + i) * p.y_n, h, p.hidden);
        }
    }
    for (size_t i = 0; i < kRows; ++i) {
        const size_t offset = d * p.s_d + (n + i) * p.s_n;
        for (size_t t = length; at(6) && t < p.seq; ++t) {
            rnn_copy<Arch>(at(6) + t * p.y_t + d * p.y_d + (n + i) * p.y_n, nullptr, p.hidden);
        }
        if (at(7)) rnn_copy<Arch>(at(7) + offset, state[i].h, p.hidden);
        if (at(8)) rnn_copy<Arch>(at(8) + offset, state[i].third, p.hidden);
    }
}

template <class Arch, RnnCell cell>
bool rnn_recur(const void* params, void* const* operands, size_t begin, size_t end) {
    constexpr size_t kGates = cell == RnnCell::kLstm ? 4 : cell == RnnCell::kPlain ? 1 : 3;
    const auto& p = *static_cast<const RnnParams*>(params);
    const auto* lengths = static_cast<const int32_t*>(operands[3]);
    const size_t pairs = (p.batch + 1) / 2;
    for (size_t unit = begin; unit < end; ++unit) {
        const size_t d = unit / pairs, n = unit % pairs * 2, count = p.batch - n < 2 ? 1 : 2;
        for (size_t i = 0; lengths && i < count; ++i) {
            if (lengths[n + i] < 0 || static_cast<size_t>(lengths[n + i]) > p.seq) return false;
        }
        if (count == 2 && (!lengths || lengths[n] == lengths[n + 1])) {
            rnn_sequences<Arch, cell, kGates, 2>(p, operands, d, n,
                                                 lengths ? static_cast<size_t>(lengths[n]) : p.seq);
            continue;
        }
        for (size_t i = 0; i < count; ++i) {
            rnn_sequences<Arch, cell, kGates, 1>(p, operands, d, n + i,
                                                 lengths ? static_cast<size_t>(lengths[n + i]) : p.seq);
        }
    }
    return true;
}

}  // namespace coffer::kernels
