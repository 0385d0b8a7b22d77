// The weights of quantized products packed, and the constants of their columns: worked through once for each of them
// when a model is planned.
#include <algorithm>

#include "coffer/ops/family/qlinear_plan.hpp"

namespace coffer::ops {
namespace {

// A panel of columns whose weights lie side by side in the order of k, `stride` apart.
void q_pack_panel(const uint8_t* src, size_t columns, size_t stride, size_t k, uint8_t flip, uint8_t* dst) {
    const uint32_t flips = flip * 0x01010101u;
    size_t i = 0;
    for (; i + kernels::kQQuad <= k; i += kernels::kQQuad, dst += kernels::kQPanelBytes) {
        for (size_t column = 0; column < columns; ++column) {
            uint32_t quad;
            std::memcpy(&quad, src + column * stride + i, sizeof(quad));
            quad ^= flips;
            std::memcpy(dst + column * kernels::kQQuad, &quad, sizeof(quad));
        }
    }
    for (size_t column = 0; i < k && column < columns; ++column) {
        for (size_t rest = i; rest < k; ++rest) {
            dst[column * kernels::kQQuad + rest - i] = src[column * stride + rest] ^ flip;
        }
    }
}
// The same where a row holds the weights of all columns for one k, rows `stride` apart.
void q_pack_rows(const uint8_t* src, size_t columns, size_t stride, size_t k, uint8_t flip, uint8_t* dst) {
    const uint32_t flips = flip * 0x01010101u;
    const auto load = [&](const uint8_t* at) {
        uint32_t word;
        std::memcpy(&word, at, sizeof(word));
        return word ^ flips;
    };
    size_t i = 0;
    for (; columns == kernels::kQPanel && i + kernels::kQQuad <= k; i += kernels::kQQuad) {
        // 4 x 4 bytes at a time, exchanged in words: first the bytes of two rows, then pairs of bytes.
        constexpr uint32_t kEven = 0x00ff00ff, kOdd = 0xff00ff00, kLow = 0x0000ffff, kHigh = 0xffff0000;
        for (size_t column = 0; column < kernels::kQPanel; column += 4, dst += 16) {
            const uint8_t* const at = src + i * stride + column;
            const uint32_t a = load(at), b = load(at + stride), c = load(at + 2 * stride), d = load(at + 3 * stride);
            const uint32_t ab_even = (a & kEven) | (b & kEven) << 8, ab_odd = (a & kOdd) >> 8 | (b & kOdd);
            const uint32_t cd_even = (c & kEven) | (d & kEven) << 8, cd_odd = (c & kOdd) >> 8 | (d & kOdd);
            const uint32_t quads[4] = {(ab_even & kLow) | cd_even << 16, (ab_odd & kLow) | cd_odd << 16,
                                       ab_even >> 16 | (cd_even & kHigh), ab_odd >> 16 | (cd_odd & kHigh)};
            std::memcpy(dst, quads, sizeof(quads));
        }
    }
    for (size_t q = 0; i < k; ++i, q = (q + 1) % kernels::kQQuad) {
        for (size_t column = 0; column < columns; ++column) {
            dst[column * kernels::kQQuad + q] = src[i * stride + column] ^ flip;
        }
        if (q == kernels::kQQuad - 1) dst += kernels::kQPanelBytes;
    }
}

// Works on one strip at a time, read once into the order of its blocks.
class QStripPacker {
 public:
    QStripPacker(const QWeightOrder& order, const TensorView& src)
        : o_(order),
          src_(src),
          per_group_(o_.padded() / kernels::kQStrip),
          blocks_(o_.quads * kernels::kQStripBlock),
          safe_(o_.quads) {}

    size_t bytes() {
        size_t total = heads_bytes(), blocks = 0;
        for (size_t s = 0; s < strips(); ++s) {
            const size_t n = read(s);
            blocks += n;
            total += strip_bytes(n);
        }
        return o_.quads > 65535 || blocks > strips() * o_.quads * 4 / 3 ? 0 : total;
    }
    void pack(void* dst) {
        auto* heads = static_cast<kernels::QStrip*>(dst);
        char* data = static_cast<char*>(dst) + heads_bytes();
        for (size_t s = 0; s < strips(); ++s) {
            heads[s].offset = static_cast<size_t>(data - reinterpret_cast<char*>(heads + s));
            heads[s].count = read(s);
            auto* to = reinterpret_cast<int8_t*>(data);
            auto* numbers = reinterpret_cast<uint16_t*>(data + heads[s].count * kernels::kQStripBlock);
            for (size_t q = 0; q < o_.quads; ++q) {
                const int8_t* from = blocks_.data() + q * kernels::kQStripBlock;
                *numbers++ = static_cast<uint16_t>(q);
                if (safe_[q]) {
                    std::memcpy(to, from, kernels::kQStripBlock);
                    to += kernels::kQStripBlock;
                    continue;
                }
                *numbers++ = static_cast<uint16_t>(q);
                for (size_t i = 0; i < kernels::kQStripBlock; ++i) {
                    const int half = from[i] >> 1;
                    to[i] = static_cast<int8_t>(half);
                    to[kernels::kQStripBlock + i] = static_cast<int8_t>(from[i] - half);
                }
                to += 2 * kernels::kQStripBlock;
            }
            data += strip_bytes(heads[s].count);
        }
    }

 private:
    size_t strips() const { return o_.groups * per_group_; }
    size_t heads_bytes() const { return round_up<size_t>(strips() * sizeof(kernels::QStrip), 64); }
    static size_t strip_bytes(size_t count) { return round_up<size_t>(count * (kernels::kQStripBlock + 2), 64); }

    // Fills blocks_ and safe_; the number of blocks after splitting. 0 stands beyond the weights.
    size_t read(size_t strip) {
        const size_t group = strip / per_group_, first = strip % per_group_ * kernels::kQStrip;
        std::memset(blocks_.data(), 0, blocks_.size());
        for (size_t column = 0; column < kernels::kQStrip && first + column < o_.columns; ++column) {
            o_.read(src_, group, first + column, [&](size_t i, int8_t w) {
                blocks_[i / kernels::kQQuad * kernels::kQStripBlock + column * kernels::kQQuad +
                        i % kernels::kQQuad] = w;
            });
        }
        size_t count = 0;
        for (size_t q = 0; q < o_.quads; ++q) {
            const int8_t* w = blocks_.data() + q * kernels::kQStripBlock;
            int worst = 0;
            for (size_t i = 0; i < kernels::kQStripBlock; i += 2) worst = std::max(worst, std::abs(w[i] + w[i + 1]));
            safe_[q] = worst <= 128;
            count += safe_[q] ? 1 : 2;
        }
        return count;
    }

    const QWeightOrder& o_;
    const TensorView& src_;
    size_t per_group_;
    PrivateVector<int8_t> blocks_;
    std::vector<uint8_t> safe_;  // no pair of products saturates 16 bits
};

// The sum of `n` weights side by side; unsigned ones count from -128. Eight at a time, in the bytes of two words.
int32_t q_sum_run(const uint8_t* src, size_t n, bool is_signed) {
    constexpr uint64_t kLow = 0x00ff00ff00ff00ff, kPairs = 0x0000ffff0000ffff;
    const uint64_t flip = is_signed ? 0x8080808080808080 : 0;
    uint64_t total = 0;  // of the weights plus 128
    size_t i = 0;
    while (i + 8 <= n) {
        uint64_t sums = 0;  // four of 16 bits: 128 words fit
        for (const size_t end = std::min(n / 8 * 8, i + 8 * 128); i < end; i += 8) {
            uint64_t word;
            std::memcpy(&word, src + i, sizeof(word));
            word ^= flip;
            sums += (word & kLow) + (word >> 8 & kLow);
        }
        const uint64_t pairs = (sums & kPairs) + (sums >> 16 & kPairs);
        total += (pairs & 0xffffffff) + (pairs >> 32);
    }
    for (; i < n; ++i) total += static_cast<uint8_t>(src[i] ^ static_cast<uint8_t>(flip));
    return static_cast<int32_t>(static_cast<int64_t>(total) - 128 * static_cast<int64_t>(n));
}
// Adds `k` rows of weights, `stride` apart, to the sums of their columns; unsigned ones count from -128. Eight
// columns at a time, in the bytes of two words.
void q_sum_rows(const uint8_t* src, size_t columns, size_t stride, size_t k, bool is_signed, int32_t* sums) {
    constexpr uint64_t kEven = 0x00ff00ff00ff00ff;
    const uint64_t flip = is_signed ? 0x8080808080808080 : 0;
    const auto add_column = [&](size_t column, size_t first, size_t rows) {
        for (size_t i = first; i < first + rows; ++i) {
            add_wrapping(sums + column,
                         static_cast<uint8_t>(src[i * stride + column] ^ static_cast<uint8_t>(flip)) - 128);
        }
    };
    for (size_t i = 0; i < k; i += 256) {  // as many bytes as 16 bits can hold the sum of
        const size_t rows = std::min<size_t>(k - i, 256);
        size_t column = 0;
        for (; column + 8 <= columns; column += 8) {
            uint64_t even = 0, odd = 0;
            for (size_t row = 0; row < rows; ++row) {
                uint64_t word;
                std::memcpy(&word, src + (i + row) * stride + column, sizeof(word));
                word ^= flip;
                even += word & kEven;
                odd += word >> 8 & kEven;
            }
            for (size_t j = 0; j < 8; ++j) {
                const uint64_t sum = (j % 2 == 0 ? even : odd) >> (j / 2 * 16) & 0xffff;
                add_wrapping(sums + column + j, static_cast<int32_t>(sum) - 128 * static_cast<int32_t>(rows));
            }
        }
        for (; column < columns; ++column) add_column(column, i, rows);
    }
}

}  // namespace

Status q_pack_weights(const TensorView& src, void* dst, const void* arg) {
    const auto& o = *static_cast<const QWeightOrder*>(arg);
    static_assert(kernels::kQQuad == 4);
    const uint8_t flip = src.dtype == DType::kUint8 ? 0x80 : 0;
    const bool side_by_side = o.channel_stride == 1 && o.channels == o.k;
    const bool rows = o.column_stride == 1 && o.channels == o.k && !side_by_side;
    auto* out = static_cast<uint8_t*>(dst);
    for (size_t g = 0; g < o.groups; ++g, out += o.group_bytes()) {
        const uint8_t* first = src.as<const uint8_t>() + g * o.columns * o.column_stride;
        for (size_t column = 0; side_by_side && column < o.columns; column += kernels::kQPanel) {
            q_pack_panel(first + column * o.column_stride, std::min(o.columns - column, kernels::kQPanel),
                         o.column_stride, o.k, flip, out + column * o.quads * kernels::kQQuad);
        }
        for (size_t column = 0; rows && column < o.columns; column += kernels::kQPanel) {
            q_pack_rows(first + column, std::min(o.columns - column, kernels::kQPanel), o.channel_stride, o.k, flip,
                        out + column * o.quads * kernels::kQQuad);
        }
        for (size_t column = 0; !side_by_side && !rows && column < o.columns; ++column) {
            const uint8_t* tap = first + column * o.column_stride;
            uint8_t* lane =
                out + (column / kernels::kQPanel * o.quads * kernels::kQPanel + column % kernels::kQPanel) *
                          kernels::kQQuad;
            for (size_t i = 0; i < o.k; tap += o.tap_stride) {
                const uint8_t* from = tap;
                for (size_t c = 0; c < o.channels; ++c, ++i, from += o.channel_stride) {
                    lane[i % kernels::kQQuad] = *from ^ flip;
                    if (i % kernels::kQQuad == kernels::kQQuad - 1) lane += kernels::kQPanelBytes;
                }
            }
        }
    }
    return {};
}

Status q_pack_sums(const TensorView& src, void* dst, const void* arg) {
    const auto& o = *static_cast<const QWeightOrder*>(arg);
    auto* sums = static_cast<int32_t*>(dst);
    const bool one_run = o.column_stride == o.k;  // the weights of a column, in whatever order
    const bool rows = o.column_stride == 1 && o.channels == o.k;
    for (size_t g = 0; g < o.groups; ++g) {
        if (rows) {
            q_sum_rows(src.as<const uint8_t>() + g * o.columns, o.columns, o.channel_stride, o.k,
                       src.dtype != DType::kUint8, sums + g * o.padded());
            continue;
        }
        for (size_t column = 0; column < o.columns; ++column) {
            int32_t sum = 0;
            if (one_run) {
                sum = q_sum_run(src.as<const uint8_t>() + (g * o.columns + column) * o.k, o.k,
                                src.dtype != DType::kUint8);
            } else {
                o.read(src, g, column, [&](size_t, int8_t w) { add_wrapping(&sum, w); });
            }
            sums[g * o.padded() + column] = sum;
        }
    }
    return {};
}

Status q_pack_strips(const TensorView& src, void* dst, const void* arg) {
    QStripPacker(*static_cast<const QWeightOrder*>(arg), src).pack(dst);
    return {};
}

Status q_pack_strip_bytes(const TensorView& src, void* dst, const void* arg) {
    *static_cast<size_t*>(dst) = QStripPacker(*static_cast<const QWeightOrder*>(arg), src).bytes();
    return {};
}

// ---- what a plan keeps of each column

void QPlanner::Parameter::read(size_t first, size_t n, double* out) const {
    if (!view_ || one_) return static_cast<void>(std::fill_n(out, n, (*this)[0]));
    switch (view_->dtype) {  // those that quantized models have
        case DType::kFloat: return static_cast<void>(std::copy_n(view_->as<const float>() + first, n, out));
        case DType::kInt32: return static_cast<void>(std::copy_n(view_->as<const int32_t>() + first, n, out));
        case DType::kInt8: return static_cast<void>(std::copy_n(view_->as<const int8_t>() + first, n, out));
        case DType::kUint8: return static_cast<void>(std::copy_n(view_->as<const uint8_t>() + first, n, out));
        default:
            for (size_t i = 0; i < n; ++i) out[i] = (*this)[static_cast<int64_t>(first + i)];
    }
}

template <size_t N, class Visit>
void QPlanner::for_columns(const Parameter (&parameters)[N], const Visit& visit) const {
    constexpr size_t kRun = 64;
    double runs[N][kRun], values[N];
    for (size_t group = 0; group < o_.groups; ++group) {
        for (size_t first = 0; first < o_.columns; first += kRun) {
            const size_t n = std::min(kRun, o_.columns - first);
            for (size_t k = 0; k < N; ++k) parameters[k].read(group * o_.columns + first, n, runs[k]);
            for (size_t i = 0; i < n; ++i) {
                for (size_t k = 0; k < N; ++k) values[k] = runs[k][i];
                visit(group * o_.padded() + first + i, values);
            }
        }
    }
}

Result<Operand> QPlanner::weights() {
    const auto w = static_cast<size_t>(r_.w);
    if (!o_.depthwise) {
        if (strip_bytes_ != 0) {
            COFFER_TRY_ASSIGN(const void* strips, c_.packed(w, form("strips"), strip_bytes_, &q_pack_strips, &o_));
            return Operand::at(strips);
        }
        const size_t bytes = o_.group_bytes() * o_.groups;
        COFFER_TRY_ASSIGN(const void* packed, c_.moved(w, form("q4x16"), bytes, &q_pack_weights, o_));
        return Operand::at(packed);
    }
    // Small, and dependent on another input (the zero point): kept with the plan instead.
    const size_t taps = o_.k, padded = o_.padded();
    const size_t bytes = kernels::qdepthwise_pairs(taps) * padded * 4;
    auto* out = static_cast<int16_t*>(c_.allocate_params(bytes, 64));
    std::memset(out, 0, bytes);
    const TensorView& view = value(r_.w);
    const bool is_signed = view.dtype == DType::kInt8;
    for_columns({Parameter(*this, r_.w_zero, 0)}, [&](size_t channel, const double* zero) {
        const uint8_t* from = view.as<const uint8_t>() + channel * taps;
        for (size_t t = 0; t < taps; ++t) {
            const int32_t weight = is_signed ? static_cast<int8_t>(from[t]) : int32_t{from[t]};
            out[(t / 2 * padded + channel) * 2 + t % 2] = static_cast<int16_t>(weight - static_cast<int32_t>(*zero));
        }
    });
    return Operand::at(out);
}

Result<void*> QPlanner::constants(kernels::QGemmParams* p) {
    const size_t columns = p->columns;
    void* block = c_.allocate_params(kernels::qblock_bytes(columns) + 4 * columns, 64);
    std::memset(block, 0, kernels::qblock_bytes(columns) + 4 * columns);
    auto* head = static_cast<kernels::QBlock*>(block);
    int32_t* const weight_zero = kernels::qblock_weight_zero(block, columns);
    int32_t* const sums = weight_zero + columns;
    COFFER_TRY(column_sums(columns, sums));

    const auto x_scale = static_cast<float>(run_time_ ? 1 : parameter(r_.x_scale, 0, 1));
    const auto y_scale = static_cast<float>(parameter(r_.y_scale, 0, 1));
    const auto x_zero = run_time_ ? 0 : static_cast<int32_t>(parameter(r_.x_zero, 0, 0));
    head->raw_zero = x_zero;
    head->x_zero = x_zero + shift();
    head->x_scale = x_scale;
    head->y_scale = y_scale;
    bounds(head, y_scale);
    const bool unsigned_weights = c_.input(static_cast<size_t>(r_.w)).dtype == DType::kUint8 && !o_.depthwise;
    const bool int_bias = q_has(c_, r_.bias) && value(r_.bias).dtype == DType::kInt32;
    int32_t* const init = kernels::qblock_init(block);
    float* const out_scale = kernels::qblock_scale(block, columns);
    float* const out_bias = kernels::qblock_bias(block, columns);
    const auto za = static_cast<uint32_t>(head->x_zero), k = static_cast<uint32_t>(o_.k);
    const Parameter of_columns[] = {{*this, r_.w_zero, 0}, {*this, r_.bias, 0}, {*this, r_.w_scale, 1}};
    for_columns(of_columns, [&](size_t i, const double* values) {
        const double bias = values[1];
        int32_t w_zero = static_cast<int32_t>(values[0]) - (unsigned_weights ? 128 : 0);
        if (o_.depthwise) w_zero = 0;  // subtracted from the packed weights
        const int32_t added = int_bias ? static_cast<int32_t>(bias) : 0;
        const float w_scale = static_cast<float>(values[2]);
        if (w_zero != 0) p->weight_zeros = true;
        weight_zero[i] = w_zero;
        out_bias[i] = int_bias ? 0 : static_cast<float>(bias);
        if (run_time_) {
            init[i] = added;
            out_scale[i] = w_scale;
            return;
        }
        init[i] = static_cast<int32_t>(static_cast<uint32_t>(added) - za * static_cast<uint32_t>(sums[i]) +
                                       k * za * static_cast<uint32_t>(w_zero));
        const float scale = r_.alpha * x_scale * w_scale;
        out_scale[i] = p->out == kernels::QOut::kInt8 ? scale / y_scale : scale;
    });
    return block;
}

Status QPlanner::column_sums(size_t columns, int32_t* sums) {
    const auto w = static_cast<size_t>(r_.w);
    if (!o_.depthwise) {
        COFFER_TRY_ASSIGN(const void* packed, c_.packed(w, form("qsums"), 4 * columns, &q_pack_sums, &o_));
        std::memcpy(sums, packed, 4 * columns);
        return {};
    }
    const auto* pair = static_cast<const int16_t*>(operands_[1].pointer);  // of taps, for each column
    for (size_t n = kernels::qdepthwise_pairs(o_.k); n > 0; --n) {
        for (size_t i = 0; i < columns; ++i, pair += 2) add_wrapping(sums + i, pair[0] + pair[1]);
    }
    return {};
}

}  // namespace coffer::ops
