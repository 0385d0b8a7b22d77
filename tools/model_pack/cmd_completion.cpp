// completion: a script for the shell, generated from the verbs and options themselves.
#include "cli.hpp"

namespace coffer::cli {
namespace {

std::string words(const CLI::App& app) {
    std::string out;
    for (const CLI::App* sub : app.get_subcommands({})) out += sub->get_name() + " ";
    for (const CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) out += "--" + name + " ";
    }
    return out;
}

void append_cases(const CLI::App& app, const std::string& path, std::string& out) {
    out += fmt::format("        \"{}\") words=\"{}\" ;;\n", path, words(app));
    for (const CLI::App* sub : app.get_subcommands({}))
        append_cases(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), out);
}

// Works in bash, and in zsh after `autoload bashcompinit && bashcompinit`.
std::string script(const CLI::App& root) {
    std::string cases, groups = "\"\"";  // groups: what another verb may follow
    append_cases(root, "", cases);
    for (const CLI::App* verb : root.get_subcommands({})) {
        if (!verb->get_subcommands({}).empty()) groups += "|" + verb->get_name();
    }
    return "_model_pack() {\n"
           "    local path=\"\" words=\"\" i\n"
           "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
           "        case \"${COMP_WORDS[i]}\" in -*) break ;; esac\n"
           "        case \"$path\" in " +
           groups +
           ") path=\"${path:+$path }${COMP_WORDS[i]}\" ;; esac\n"
           "    done\n"
           "    case \"$path\" in\n" +
           cases +
           "    esac\n"
           "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
           "}\n"
           "complete -o default -F _model_pack model-pack\n";
}

}  // namespace

void add_completion(CLI::App& root, std::vector<Verb>& verbs) {
    auto* app = root.add_subcommand("completion", "Print a completion script: source <(model-pack completion)");
    auto json = std::make_shared<bool>(false);
    add_json(*app, *json);
    verbs.push_back({app, [json, &root]() -> Result<int> {
                         if (*json) {
                             print_json("completion", {{"script", script(root)}});
                         } else {
                             fmt::print("{}", script(root));
                         }
                         return kOk;
                     }});
}

}  // namespace coffer::cli
