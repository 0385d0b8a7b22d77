// Short ways to run one op by its reference, to compare its fast variants with it, and to see it refused.
#pragma once

#include <initializer_list>

#include "kernels/plan_harness.hpp"

namespace coffer::testing {

template <class T>
Tensor values(const Shape& shape, std::initializer_list<T> list) {
    Tensor t = Tensor::create(dtype_of<T>, shape).value();
    std::copy(list.begin(), list.end(), t.view().as<T>());
    return t;
}
template <class T>
Tensor values(std::initializer_list<T> list) {
    return values<T>(Shape{static_cast<int64_t>(list.size())}, list);
}
inline Tensor empty(DType dtype, const Shape& shape) {
    return Tensor::create(dtype, shape).value();
}

// Whole numbers from -100 to 100 (0 to 200 when unsigned, 0 and 1 for bool), as any type.
inline Tensor random_of(DType dtype, const Shape& shape, uint32_t seed) {
    Tensor t = Tensor::create(dtype, shape).value();
    std::mt19937 random(seed);
    std::uniform_int_distribution<int> number(0, 200);
    const bool is_signed = is_signed_integer(dtype) || is_floating(dtype);
    for (int64_t i = 0; i < t.elements(); ++i) {
        const int n = number(random);
        store_int(t.view(), i, dtype == DType::kBool ? n % 2 : is_signed ? n - 100 : n);
    }
    return t;
}

// The results of the reference; a failed requirement when the node is refused.
inline std::vector<Tensor> reference(const NodeCase& node_case) {
    NodeRunner runner(node_case);
    auto result = runner.reference();
    if (!result.ok()) FAIL(node_case.op << ": " << result.error().message());
    return std::move(*result);
}

// The message with which the node is refused, by infer() or while running; empty when it is accepted.
inline std::string refusal(const NodeCase& node_case) {
    NodeRunner runner(node_case);
    const auto result = runner.reference();
    return result.ok() ? std::string() : result.error().message();
}

inline bool same(const Tensor& actual, const Tensor& expected) {
    return actual.dtype() == expected.dtype() && actual.shape() == expected.shape() &&
           worst_error(actual, expected, 1e-6, 1e-6) <= 1.0;
}

// All variants on all instruction sets, in plain layout or channels-last, against the reference within the
// tolerance the op states. The number that ran.
inline int check_fast(const NodeCase& node_case, ops::Layout layout = ops::Layout::kPlain) {
    NodeRunner runner(node_case);
    const auto expected = runner.reference();
    if (!expected.ok()) FAIL(node_case.op << ": " << expected.error().message());
    const ops::Facts& facts = *runner.op().facts;
    int ran = 0;
    for (size_t v = 0; v < runner.op().variants.size(); ++v) {
        for (const kernels::ArchId arch : kernels::available()) {
            INFO(node_case.op << " " << to_text(node_case.inputs[0].shape()) << " by " << runner.op().variants[v].name
                              << " on " << kernels::arch_name(arch));
            std::vector<Tensor> outputs;
            const auto accepted = runner.variant(v, arch, layout, &outputs);
            if (!accepted.ok()) FAIL(accepted.error().message());
            if (!*accepted) continue;
            ++ran;
            for (size_t i = 0; i < outputs.size(); ++i) {
                // One unit in the last place, for ops that say they are exact but in -0.
                CHECK(worst_error(outputs[i], (*expected)[i], facts.atol + 1e-30, facts.rtol) <= 1.0);
            }
        }
    }
    return ran;
}

}  // namespace coffer::testing
