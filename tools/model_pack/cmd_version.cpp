
#include "cli.hpp"
#include "coffer/kernels/dispatch.hpp"

namespace coffer::cli {

void add_version(CLI::App& root, std::vector<Verb>& verbs) {
    auto* app = root.add_subcommand("version", "Print the version");
    auto json = std::make_shared<bool>(false);
    add_json(*app, *json);
    verbs.push_back({app, [json]() -> Result<int> {
                         if (*json) {
                             print_json("version", {{"version", COFFER_VERSION},
                                                    {"arch", kernels::arch_name(kernels::chosen())}});
                         } else {
                             print("model-pack {} ({})\n", COFFER_VERSION, kernels::arch_name(kernels::chosen()));
                         }
                         return kOk;
                     }});
}

}  // namespace coffer::cli
