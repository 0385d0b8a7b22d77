// model-pack: import, quantize, seal, inspect, run and compare models. The list of verbs.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <span>
#include <system_error>

#include "cli.hpp"
#include "coffer/kernels/dispatch.hpp"

namespace coffer::cli {

void add_key(CLI::App&, std::vector<Verb>&);
void add_pack(CLI::App&, std::vector<Verb>&);
void add_inspect(CLI::App&, std::vector<Verb>&);
void add_verify(CLI::App&, std::vector<Verb>&);
void add_recipients_verbs(CLI::App&, std::vector<Verb>&);
void add_grant(CLI::App&, std::vector<Verb>&);
void add_sign(CLI::App&, std::vector<Verb>&);
void add_licence(CLI::App&, std::vector<Verb>&);
void add_trust(CLI::App&, std::vector<Verb>&);
void add_run(CLI::App&, std::vector<Verb>&);
void add_compare(CLI::App&, std::vector<Verb>&);
void add_bench(CLI::App&, std::vector<Verb>&);
void add_dump(CLI::App&, std::vector<Verb>&);
void add_ops(CLI::App&, std::vector<Verb>&);
void add_onnx_test(CLI::App&, std::vector<Verb>&);
void add_doctor(CLI::App&, std::vector<Verb>&);
void add_version(CLI::App&, std::vector<Verb>&);
void add_completion(CLI::App&, std::vector<Verb>&);

namespace {

constexpr AddVerb kVerbs[] = {add_key,   add_pack,    add_inspect,   add_verify, add_sign,    add_recipients_verbs,
                              add_grant, add_licence, add_trust,     add_run,    add_compare, add_bench,
                              add_dump,  add_ops,     add_onnx_test, add_doctor, add_version, add_completion};

// With one of them closed, the next file opened would take its number, and results would be written into it.
// Standing in for stdout is something that cannot be written to, so that the loss is reported.
void hold_standard_descriptors() {
    for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
        if (::open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY) != fd) std::_Exit(kIo);
    }
}

int stdout_failed(int number) {
    std::fprintf(stderr, "model-pack: error: cannot write the results to stdout: %s\n", std::strerror(number));
    return kIo;
}

// A temporary file never outlives the process. Async-signal-safe.
void on_signal(int signal) {
    os::remove_temporaries();
    std::signal(signal, SIG_DFL);
    std::raise(signal);
}

// A refused command line. What was parsed of it names the verb; --json counts wherever it stands.
int usage_error(const CLI::App& app, const std::string& message, std::span<char* const> arguments) {
    const CLI::App* verb = &app;
    while (!verb->get_subcommands().empty()) verb = verb->get_subcommands().front();
    const std::string name = verb_name(*verb);
    const bool json = std::ranges::any_of(arguments, [](const char* a) { return std::string_view(a) == "--json"; });
    return report(error(Code::kInvalidArgument, message), name,
                  "see `model-pack" + (name.empty() ? "" : " " + name) + " --help`", json);
}

// Arguments can be read by everybody on the machine, and messages would repeat them.
bool names_private_key(std::span<char* const> arguments) {
    return std::ranges::any_of(arguments, [](std::string_view a) {
        return a.find("AGE-SECRET-KEY-1") != a.npos || a.find("PRIVATE KEY-----") != a.npos;
    });
}

// The environment asks for an instruction set; the library takes the best when it cannot have it, and is silent.
void warn_of_arch() {
    if (kernels::forced_ok()) return;
    std::string known;
    for (const kernels::ArchId id : kernels::available()) known += std::string(" ") + kernels::arch_name(id);
    print_note(fmt::format("warning: COFFER_FORCE_ARCH '{}' is none of{}; {} is used",
                           os::environment("COFFER_FORCE_ARCH"), known, kernels::arch_name(kernels::chosen())));
}

Result<int> run_verb(const Verb& verb) {
    try {
        return verb.run();
    } catch (const std::filesystem::filesystem_error& e) {
        return error(Code::kIo, Detail::kIo, std::string_view(e.what()));
    } catch (const std::system_error&) {
        throw;  // how fmt reports a failed print
    } catch (const std::bad_alloc&) {
        return error(Code::kOutOfMemory, "out of memory");
    } catch (const std::exception& e) {
        return error(Code::kInternal, std::string_view(e.what()));
    }
}

int run(int argc, char** argv) {
    CLI::App app{"Packs models into sealed files and works with them.", "model-pack"};
    app.require_subcommand(1);
    app.set_version_flag("--version", std::string("model-pack ") + COFFER_VERSION);
    app.footer(
        "Exit codes: 0 ok, 2 usage, 3 input/output, 4 damaged file, 5 key or signature, 6 policy,\n"
        "7 unsupported, 8 onnx-test case not passed, 9 limit or memory, 70 internal error, 130 interrupted.\n"
        "`model-pack VERB --help` tells about a verb.");
    std::vector<Verb> verbs;
    for (AddVerb add : kVerbs) add(app, verbs);
    tighten_options(app);
    warn_of_arch();
    const std::span<char* const> arguments(argv, static_cast<size_t>(argc));
    const bool secret = names_private_key(arguments);
    const std::string first = argc > 1 && !secret ? argv[1] : "-";
    if (first[0] != '-' && app.get_subcommands([&](const CLI::App* v) { return v->check_name(first); }).empty()) {
        return usage_error(app, "unknown verb '" + first + "'", arguments);
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        if (!secret) return e.get_exit_code() == 0 ? app.exit(e) : usage_error(app, e.what(), arguments);
    }
    if (secret) {
        return usage_error(app,
                           "a private key stands among the arguments, where everybody on this machine can read it; "
                           "name a file that holds it, or fd:N",
                           arguments);
    }
    for (const Verb& verb : verbs) {
        if (!verb.app->parsed()) continue;
        const Result<int> code = run_verb(verb);
        if (code) return *code;
        return report(code.error(), verb_name(*verb.app), hint(code.error(), *verb.app),
                      verb.app->get_option("--json")->count() > 0);
    }
    return kUsage;
}

}  // namespace
}  // namespace coffer::cli

int main(int argc, char** argv) {
    using namespace coffer::cli;
    hold_standard_descriptors();
    for (int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, on_signal);
    std::signal(SIGPIPE, SIG_DFL);
    try {
        const int code = run(argc, argv);
        errno = 0;
        return std::fflush(stdout) != 0 || std::ferror(stdout) ? stdout_failed(errno ? errno : EIO) : code;
    } catch (const std::system_error& e) {
        return stdout_failed(e.code().value());
    } catch (const std::bad_alloc&) {
        std::fputs("model-pack: error: out of memory\n", stderr);
        return kLimit;
    }
}
