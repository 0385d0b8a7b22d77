// Graph passes, by what they leave of a graph.
#include "offline/passes/passes.hpp"
#include "import_case.hpp"

using namespace coffer;
using namespace coffer::testing;

TEST_CASE("passes: equal weights become one, different ones stay") {
    const auto weights = [](std::string_view name, float last) {
        return tensor(name, DType::kFloat, {2, 2}, raw_of({1.0f, 2.0f, 3.0f, last}));
    };
    Pb g = graph_pb({node("MatMul", {"x", "a"}, {"h"}), node("Tanh", {"h"}, {"t"}), node("MatMul", {"t", "b"}, {"u"}),
                     node("Tanh", {"u"}, {"v"}), node("MatMul", {"v", "c"}, {"y"})},
                    {value_info("x", DType::kFloat, {-1, 2})}, {value_info("y", DType::kFloat, {-1, 2})});
    g.message(5, weights("a", 4)).message(5, weights("b", 4)).message(5, weights("c", 5));
    graph::Model m = imported(model(g));
    REQUIRE(offline::optimize(m).ok());
    CHECK(m.constants.size() == 2);
    std::vector<float> last;
    for (const graph::Node& n : m.graphs[0].nodes) {
        if (n.inputs.size() > 1) last.push_back(elements<float>(constant(m, m.graphs[0], n.inputs[1])).back());
    }
    CHECK(last == std::vector<float>{4, 4, 5});
}
