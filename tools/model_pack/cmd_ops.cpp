// ops: what this build can run, from the op table.
#include <algorithm>

#include "cli.hpp"
#include "coffer/kernels/dispatch.hpp"
#include "crypto/version.hpp"

namespace coffer::cli {
namespace {

std::string full_name(const ops::Facts& f) {
    return *f.domain ? std::string(f.domain) + "::" + f.name : f.name;
}

Result<int> list_ops(bool json) {
    std::vector<const ops::Op*> all;
    for (const ops::Op& op : ops::table()) all.push_back(&op);
    std::ranges::sort(all, [](const ops::Op* a, const ops::Op* b) {
        return std::pair(std::string(a->facts->domain), std::string(a->facts->name)) <
               std::pair(std::string(b->facts->domain), std::string(b->facts->name));
    });
    Json list = Json::array();
    for (const ops::Op* op : all) {
        Json fast = Json::array();
        for (const ops::Variant& v : op->variants) fast.push_back(v.name);
        list.push_back({{"op", full_name(*op->facts)}, {"opset", op->facts->since}, {"fast", fast}});
    }
    if (json) {
        print_json("ops", {{"op_count", list.size()}, {"ops", list}});
        return kOk;
    }
    for (const Json& op : list) {
        std::string fast;
        for (const Json& v : op["fast"]) fast += (fast.empty() ? "" : ", ") + v.get<std::string>();
        print("{:<44} {:>3}  {}\n", op["op"].get<std::string>(), op["opset"].get<int>(), fast.empty() ? "-" : fast);
    }
    print("{} ops. Columns: op, opset of its semantics, fast variants (all others run by reference).\n", list.size());
    return kOk;
}

Result<int> doctor(bool json) {
    Json archs = Json::array();
    for (kernels::ArchId id : kernels::available()) archs.push_back(kernels::arch_name(id));
    const auto locked = os::Pages::allocate(4096, os::Pages::kLock);
    const Json result{{"version", COFFER_VERSION},
                      {"instruction_sets", archs},
                      {"arch", kernels::arch_name(kernels::chosen())},
                      {"cpu_count", os::cpu_count()},
                      {"memory_limit_bytes", os::memory_limit()},
                      {"amx_permitted", os::amx_permitted()},
                      {"memory_locking", locked && locked->locked()},
                      {"crypto", crypto::library_version()}};
    if (json) {
        print_json("doctor", result);
        return kOk;
    }
    for (const auto& [key, value] : result.items()) {
        print("{:<20} {}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
    }
    if (!locked || !locked->locked())
        print_note("note: memory cannot be locked (see `ulimit -l`): keys could reach the swap");
    return kOk;
}

}  // namespace

void add_ops(CLI::App& root, std::vector<Verb>& verbs) {
    auto* app = root.add_subcommand("ops", "List the ops this build can run");
    auto json = std::make_shared<bool>(false);
    add_json(*app, *json);
    verbs.push_back({app, [json] { return list_ops(*json); }});
}

void add_doctor(CLI::App& root, std::vector<Verb>& verbs) {
    auto* app =
        root.add_subcommand("doctor", "Say what this machine offers: instruction sets, memory locking, crypto");
    auto json = std::make_shared<bool>(false);
    add_json(*app, *json);
    verbs.push_back({app, [json] { return doctor(*json); }});
}

}  // namespace coffer::cli
