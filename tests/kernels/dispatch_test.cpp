// The rows of kernels: what is forced is chosen, and a row that builds upon another has all that the other has.
#include <cstdlib>
#include <string>

#include "catch.hpp"
#include "coffer/kernels/dispatch.hpp"
#include "coffer/ops/op.hpp"

using namespace coffer;
using kernels::ArchId;

namespace {

bool has(ArchId id) {
    for (const ArchId each : kernels::available()) {
        if (each == id) return true;
    }
    return false;
}

constexpr size_t kSlots = 32;  // more than any op has

}  // namespace

TEST_CASE("The chosen row is the forced one, or the best") {
    const char* forced = std::getenv("COFFER_FORCE_ARCH");
    if (forced && *forced) {
        REQUIRE(kernels::forced_ok());
        REQUIRE(std::string(kernels::arch_name(kernels::chosen())) == forced);
    } else {
        REQUIRE(kernels::chosen() == kernels::available().back());
    }
    REQUIRE(kernels::available().front() == ArchId::kBaseline);
}

TEST_CASE("Every available row has the same kernels") {
    for (const ops::Op& op : ops::table()) {
        const kernels::OpKernels baseline(ArchId::kBaseline, op.shard, op.index);
        for (const ArchId arch : kernels::available()) {
            const kernels::OpKernels row(arch, op.shard, op.index);
            INFO(op.facts->name << " on " << kernels::arch_name(arch));
            REQUIRE(bool(row) == bool(baseline));
            for (size_t slot = 0; slot < kSlots; ++slot) {
                INFO("slot " << slot);
                REQUIRE((row[slot] == nullptr) == (baseline[slot] == nullptr));
                if (row[slot] && arch != ArchId::kBaseline) REQUIRE(row[slot] != baseline[slot]);
            }
        }
    }
}

TEST_CASE("A row that adds ways to multiply bytes has its own products and shares the rest") {
    for (const auto& [adds, upon] :
         {std::pair(ArchId::kAvx512Vnni, ArchId::kAvx512), std::pair(ArchId::kAmx, ArchId::kAvx512Vnni)}) {
        if (!has(adds)) continue;
        const ops::Op& product = *ops::find("QLinearMatMul");
        const kernels::OpKernels own(adds, product.shard, product.index), other(upon, product.shard, product.index);
        REQUIRE(own[0] != other[0]);
        REQUIRE(own[1] == other[1]);
        const ops::Op& relu = *ops::find("Relu");
        REQUIRE(kernels::OpKernels(adds, relu.shard, relu.index)[0] ==
                kernels::OpKernels(upon, relu.shard, relu.index)[0]);
    }
}
