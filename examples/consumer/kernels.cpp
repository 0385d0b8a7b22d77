// The SIMD kernels without the library, for the instruction set that the build calls COFFER_ARCH.
#include <cstdio>

#include "coffer/kernels/simd.hpp"
#include "coffer/kernels/softmax.hpp"

int main() {
    const float logits[] = {1, 2, 3, 4, 5};
    float scores[5], sum = 0;
    coffer::kernels::softmax_row<coffer::kernels::COFFER_ARCH>(logits, scores, 5, false);
    for (float score : scores) sum += score;
    std::printf("sum %.3f, largest %.3f\n", static_cast<double>(sum), static_cast<double>(scores[4]));
    return sum > 0.999f && sum < 1.001f ? 0 : 1;
}
