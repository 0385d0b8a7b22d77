// RNN, GRU and LSTM in float32 with the default activations. Weights are packed in panels of as many hidden
// units as a batch has lanes: [panel][k][gate][lane], so that one pass over a panel gives all the gates of
// its units, and the activations follow without the sums leaving the registers.
//
// Two steps: rnn_project multiplies all inputs of the sequence with W at once; rnn_recur walks through time.
// The bodies are in rnn_simd.hpp, which only arch.cpp sees.
#pragma once

#include "coffer/kernels/arch.hpp"

namespace coffer::kernels {

enum class RnnCell : uint8_t { kPlain, kGruResetFirst, kGruResetLast, kLstm };

// Lanes of a float32 batch: the width of a panel.
constexpr size_t rnn_lanes(ArchId id) {
    return id == ArchId::kBaseline || id == ArchId::kNeonDotprod ? 4 : id == ArchId::kAvx2 ? 8 : 16;
}

struct RnnParams {
    size_t gates, directions, seq, batch, input, hidden;
    size_t padded;        // hidden, rounded up to whole panels
    bool first_reversed;  // direction "reverse"
    // Elements between neighbours: X by time and batch; Y by time, direction and batch; states by direction
    // and batch.
    size_t x_t, x_n, y_t, y_d, y_n, s_d, s_n;
};

inline constexpr size_t kRnnRows = 16;  // rows of X in a unit of rnn_project

// Operands: X, packed W, packed bias [direction][panel][gate][lane], projected [direction][row][panel][gate][lane].
// Unit: kRnnRows rows (t * batch + n) of one direction.
template <class Arch, size_t kGates>
bool rnn_project(const void* params, void* const* operands, size_t begin, size_t end);

// Operands: projected, packed R, recurrent bias of GRU's h gate or null, sequence_lens, initial_h, initial_c,
// Y, Y_h, Y_c (null where absent), state workspace (4 * padded floats a sequence and direction).
// Unit: two sequences of one direction.
template <class Arch, RnnCell cell>
bool rnn_recur(const void* params, void* const* operands, size_t begin, size_t end);

}  // namespace coffer::kernels

#ifdef COFFER_ARCH
#include "coffer/kernels/rnn_simd.hpp"
#endif
