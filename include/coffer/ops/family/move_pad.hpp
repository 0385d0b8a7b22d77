// Padding and cropping of several axes at once, as segments: runs of an axis of the output that come from a run
// of the input (forwards, backwards or one element repeated), or from the pad value.
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

enum class PadMode : uint8_t { kConstant, kReflect, kEdge, kWrap };

class Padding {
 public:
    PadMode mode = PadMode::kConstant;
    int value_input = Box::kZero;  // where constant padding comes from

    // Negative pads crop. `from` is the input's shape.
    Status set(const MoveContext& m, const Shape& from, std::span<const int64_t> before,
               std::span<const int64_t> after) {
        to_ = from;
        for (int a = 0; a < from.rank(); ++a) {
            const auto i = static_cast<size_t>(a);
            if (!checked_add(from[a], before[i], &to_[a]) || !checked_add(to_[a], after[i], &to_[a]) || to_[a] < 0) {
                return m.fail("pads ", before[i], " and ", after[i], " on dim ", from[a]);
            }
            first_[i] = cropped(before[i], from[a]);
            kept_[i] = from[a] - first_[i] - cropped(after[i], from[a] - first_[i]);
            lead_[i] = std::max<int64_t>(before[i], 0);
            if (mode != PadMode::kConstant && kept_[i] == 0 && to_[a] > 0) {
                return m.fail("axis ", a, " of ", from, " has nothing to pad from");
            }
        }
        return {};
    }
    const Shape& to() const { return to_; }

    Status copy(MoveContext& m) {
        if (!m.running() && !m.planning()) return {};  // there may be as many segments as elements
        src_ = m.src_strides(0);
        dst_ = m.dst_strides(0, to_);
        return to_.elements() == 0 ? Status() : walk(m, 0, Box());
    }

 private:
    static int64_t cropped(int64_t pad, int64_t dim) { return pad >= 0 ? 0 : pad < -dim ? dim : -pad; }

    struct Segment {
        int64_t length, src, step;  // src < 0: the pad value
    };

    Segment segment(int a, int64_t at) const {
        const auto i = static_cast<size_t>(a);
        const int64_t n = kept_[i], x = at - lead_[i];  // place relative to the kept run
        const int64_t left = to_[a] - at;
        const auto part = [&](int64_t length, int64_t src, int64_t step) {
            return Segment{std::min(length, left), src < 0 ? -1 : first_[i] + src, step};
        };
        if (x >= 0 && x < n) return part(n - x, x, 1);
        const int64_t until = x < 0 ? -x : left;  // to the kept run, or to the end
        switch (mode) {
            case PadMode::kEdge: return part(until, x < 0 ? 0 : n - 1, 0);
            case PadMode::kWrap: {
                const int64_t r = (x % n + n) % n;
                return part(std::min(until, n - r), r, 1);
            }
            case PadMode::kReflect: {
                if (n == 1) return part(until, 0, 0);
                const int64_t period = 2 * (n - 1), r = (x % period + period) % period;
                return r < n - 1 ? part(std::min(until, n - 1 - r), r, 1)
                                 : part(std::min(until, period - r), period - r, -1);
            }
            default: return part(until, -1, 0);
        }
    }

    Status walk(MoveContext& m, int axis, const Box& outer) {
        if (axis == to_.rank()) return m.copy(outer);
        const auto a = static_cast<size_t>(axis);
        for (int64_t at = 0; at < to_[axis];) {
            const Segment s = segment(axis, at);
            Box box = outer;
            box.dst_offset += at * dst_[a];
            at += s.length;
            if (s.src < 0) {
                box.input = value_input;
                box.src_offset = 0;
                std::fill_n(box.src, box.rank, 0);
                box.loop(s.length, 0, dst_[a]);
                for (int k = axis + 1; k < to_.rank(); ++k) box.loop(to_[k], 0, dst_[size_t(k)]);
                COFFER_TRY(m.copy(box));
                continue;
            }
            box.src_offset += s.src * src_[a];
            box.loop(s.length, s.step * src_[a], dst_[a]);
            COFFER_TRY(walk(m, axis + 1, box));
        }
        return {};
    }

    Shape to_;
    Strides first_{}, kept_{}, lead_{}, src_{}, dst_{};
};

}  // namespace coffer::ops
