#include <limits>

#include "ops/run_op.hpp"

using namespace coffer;
using namespace coffer::testing;

namespace {

NodeCase resize(const Tensor& x, const char* mode, const char* transform, const Tensor& scales) {
    return {.op = "Resize",
            .attrs = {{"mode", std::string(mode)}, {"coordinate_transformation_mode", std::string(transform)}},
            .inputs = {x, Tensor(), scales},
            .constant = {false, false, true}};
}

constexpr const char* kTransforms[] = {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                                       "asymmetric"};

void check_layouts(const NodeCase& c) {
    for (const ops::Layout layout : {ops::Layout::kPlain, ops::Layout::kChannelsLast}) {
        INFO("layout " << static_cast<int>(layout));
        CHECK(check_fast(c, layout) == static_cast<int>(kernels::available().size()));
    }
}

}  // namespace

TEST_CASE("linear Resize of two axes agrees with the reference") {
    for (const char* transform : kTransforms) {
        INFO(transform);
        for (const int64_t channels : {1, 3, 8, 21}) {
            const Tensor x = random_tensor(Shape{2, channels, 9, 13}, 3);
            for (const auto& [h, w] :
                 {std::pair{2.0f, 2.0f}, {1.7f, 0.6f}, {0.45f, 3.3f}, {1.0f, 1.05f}, {0.12f, 0.08f}})
                check_layouts(resize(x, "linear", transform, values<float>({1, 1, h, w})));
        }
    }
}

TEST_CASE("Resize of a row longer than what is blended at a time") {
    const Tensor x = random_tensor(Shape{1, 1, 2, 5003}, 4);
    for (const float scale : {0.3f, 1.5f, 2.0f})
        check_layouts(resize(x, "linear", "half_pixel", values<float>({1, 1, 1.5f, scale})));
}

TEST_CASE("Resize of one axis, and of axes that are not spatial") {
    const Tensor x = random_tensor(Shape{3, 4, 5}, 5);
    check_layouts(resize(x, "linear", "half_pixel", values<float>({1, 1, 1.7f})));
    check_layouts(resize(x, "nearest", "half_pixel", values<float>({1, 1, 1.7f})));
    const Tensor matrix = random_tensor(Shape{7, 9}, 6);
    CHECK(check_fast(resize(matrix, "linear", "align_corners", values<float>({1.6f, 2.2f}))) > 0);
    // The axes are neighbours in one layout only.
    const NodeCase c =
        resize(random_tensor(Shape{2, 3, 4, 5}, 7), "linear", "half_pixel", values<float>({1, 2, 2, 1}));
    CHECK(check_fast(c) > 0);
    CHECK(check_fast(c, ops::Layout::kChannelsLast) == 0);
}

TEST_CASE("nearest Resize by any factor agrees with the reference") {
    for (const char* transform : kTransforms) {
        for (const char* rounding : {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}) {
            INFO(transform << " " << rounding);
            for (const DType t : {DType::kInt8, DType::kFloat16, DType::kFloat, DType::kDouble}) {
                NodeCase c = resize(random_of(t, Shape{2, 3, 7, 11}, 8), "nearest", transform,
                                    values<float>({1, 1, 1.7f, 0.6f}));
                c.attrs.push_back({"nearest_mode", std::string(rounding)});
                check_layouts(c);
            }
        }
    }
}

TEST_CASE("an infinite element stays where it is under a linear Resize") {
    constexpr float kInfinite = std::numeric_limits<float>::infinity();
    for (const int64_t channels : {1, 8}) {
        Tensor x = random_tensor(Shape{1, channels, 3, 4}, 9);
        x.span<float>()[5] = kInfinite;
        x.span<float>()[10] = -kInfinite;
        check_layouts(resize(x, "linear", "align_corners", values<float>({1, 1, 2, 2.5f})));
        check_layouts(resize(x, "linear", "asymmetric", values<float>({1, 1, 2, 2})));
    }
}

TEST_CASE("Resize variants leave to the reference what they do not do") {
    const Tensor x = random_tensor(Shape{1, 2, 6, 6}, 10);
    const Tensor scales = values<float>({1, 1, 0.4f, 0.4f});
    CHECK(check_fast(resize(x, "cubic", "half_pixel", scales)) == 0);
    NodeCase antialiased = resize(x, "linear", "half_pixel", scales);
    antialiased.attrs.push_back({"antialias", int64_t{1}});
    CHECK(check_fast(antialiased) == 0);
    CHECK(check_fast(resize(random_of(DType::kInt32, Shape{1, 2, 6, 6}, 1), "linear", "half_pixel", scales)) == 0);
    CHECK(check_fast(resize(random_tensor(Shape{4, 4, 4}, 1), "linear", "half_pixel", values<float>({2, 2, 2}))) ==
          0);
}

TEST_CASE("no variant of Resize looks at every place of a huge axis") {
    for (const char* mode : {"nearest", "linear"}) {
        NodeCase c = resize(random_tensor(Shape{1}, 1), mode, "half_pixel", Tensor());
        c.inputs.push_back(values<int64_t>({int64_t{1} << 40}));
        c.constant = {false, false, false, true};
        NodeRunner runner(c);
        REQUIRE(runner.infer().ok());
        for (size_t v = 0; v < runner.op().variants.size(); ++v) {
            const auto planned = runner.plan(v, kernels::available().front(), ops::Layout::kPlain);
            REQUIRE(planned.ok());
            CHECK(*planned == nullptr);
        }
    }
}

TEST_CASE("a region that is given at run time is looked at") {
    NodeCase c = resize(values<float>(Shape{2}, {1, 2}), "nearest", "tf_crop_and_resize", Tensor());
    c.inputs[1] = values<float>({1, 1});
    c.inputs.push_back(values<int64_t>({4}));
    c.constant = {false, false, false, true};
    CHECK(same(reference(c)[0], values<float>({2, 2, 2, 2})));
    CHECK(check_fast(c) == 0);
    c.inputs[1] = values<float>({0, 1});
    c.constant[1] = true;
    CHECK(check_fast(c) > 0);
}
