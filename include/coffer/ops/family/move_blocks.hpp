// SpaceToDepth and DepthToSpace: the same regrouping of (N, C, H, W), read in one direction or the other.
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

template <bool kToDepth>
Status move_blocks(MoveContext& m) {
    const Shape& from = m.shape(0);
    const int64_t b = m.node().attr_i("blocksize");
    const std::string_view mode = m.node().attr_s("mode");
    if (from.rank() != 4) return m.fail("input has shape ", from, ", not rank 4");
    int64_t area = 0;
    if (b < 1 || !checked_mul(b, b, &area)) return m.fail("blocksize ", b);
    if (mode != "DCR" && mode != "CRD") return m.fail("mode '", mode, "'");
    if (kToDepth ? from[2] % b || from[3] % b : from[1] % area) {
        return m.fail("blocksize ", b, " does not divide ", from);
    }
    // The side with fewer channels ("space") and the one with more ("depth").
    Shape space = from, depth = from;
    Shape& to = kToDepth ? depth : space;
    if (kToDepth) {
        if (!checked_mul(from[1], area, &depth[1])) return m.fail("blocksize ", b, " on ", from);
        depth[2] /= b;
        depth[3] /= b;
    } else {
        space[1] /= area;
        if (!checked_mul(from[2], b, &space[2]) || !checked_mul(from[3], b, &space[3])) {
            return m.fail("blocksize ", b, " on ", from);
        }
    }
    COFFER_TRY(m.output(0, m.dtype(0), to));
    const Strides src = m.src_strides(0), dst = m.dst_strides(0, to);
    const Strides& s = kToDepth ? src : dst;
    const Strides& d = kToDepth ? dst : src;
    // Depth channel: DCR = (block row, block column, channel), CRD = (channel, block row, block column).
    const bool dcr = mode == "DCR";
    const int64_t c = space[1];
    const auto add = [&](Box& box, int64_t n, int64_t in_space, int64_t in_depth) {
        box.loop(n, kToDepth ? in_space : in_depth, kToDepth ? in_depth : in_space);
    };
    Box box;
    add(box, from[0], s[0], d[0]);
    add(box, c, s[1], dcr ? d[1] : d[1] * area);
    add(box, b, s[2], dcr ? d[1] * b * c : d[1] * b);
    add(box, b, s[3], dcr ? d[1] * c : d[1]);
    add(box, depth[2], s[2] * b, d[2]);
    add(box, depth[3], s[3] * b, d[3]);
    return m.copy(box);
}

}  // namespace coffer::ops
