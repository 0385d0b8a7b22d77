#include "ops/table.hpp"

#include <unordered_map>
#include <vector>

namespace coffer::ops {
namespace {

template <int... N>
std::vector<Op> join(std::integer_sequence<int, N...>) {
    std::vector<Op> all;
    const auto append = [&](int number, std::span<const Op> entries) {
        uint16_t index = 0;
        for (Op op : entries) {
            op.shard = static_cast<uint16_t>(number);
            op.index = index++;
            all.push_back(op);
        }
    };
    (append(N, shard<N>()), ...);
    return all;
}

}  // namespace

std::span<const Op> table() {
    static const std::vector<Op> ops = join(std::make_integer_sequence<int, COFFER_OP_SHARDS>());
    return ops;
}

const Op* find(std::string_view name) {
    static const auto by_name = [] {
        std::unordered_map<std::string, const Op*> map;
        for (const Op& op : table()) {
            const std::string domain = op.facts->domain;
            map.emplace(domain.empty() ? op.facts->name : domain + "::" + op.facts->name, &op);
        }
        return map;
    }();
    const auto it = by_name.find(std::string(name));
    return it == by_name.end() ? nullptr : it->second;
}

}  // namespace coffer::ops
