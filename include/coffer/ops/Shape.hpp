// The dims [start, end) of the input's shape as int64. https://onnx.ai/onnx/operators/onnx__Shape.html
#pragma once

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

// Not named as the op: coffer::Shape is the type of a shape (cmake/ops.cmake knows this one name).
struct ShapeOp {
    static constexpr AttrSpec attrs[] = {AttrSpec::i("start", 0), AttrSpec::optional("end", AttrSpec::kInt)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Shape",
                                 .since = 25,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 0,
                                 .rtol = 0,
                                 .type_only = true};

    static Status infer(InferContext& c) {
        const auto [begin, end] = range(c, c.shape(0).rank());
        c.set(0, DType::kInt64, Shape{std::max<int64_t>(end - begin, 0)});
        return {};
    }
    static Status reference(RunContext& c) {
        const Shape& shape = c.input(0).shape;
        const auto [begin, end] = range(c, shape.rank());
        for (int64_t i = begin; i < end; ++i) c.output(0).as<int64_t>()[i - begin] = shape[static_cast<int>(i)];
        return {};
    }

 private:
    static std::pair<int64_t, int64_t> range(const NodeContext& c, int64_t rank) {
        const auto place = [&](int64_t x) {
            return x < -rank ? 0 : std::clamp<int64_t>(x < 0 ? x + rank : x, 0, rank);
        };
        return {place(c.attr_i("start")), c.has_attr("end") ? place(c.attr_i("end")) : rank};
    }
};

}  // namespace coffer::ops
