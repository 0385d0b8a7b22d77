// What the verbs of model-pack share: exit codes, error output, options for keys and trust, JSON.
// Results go to stdout, everything else to stderr.
#pragma once

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "coffer/base/error.hpp"
#include "coffer/base/tensor.hpp"
#include "container/write.hpp"
#include "runtime/load.hpp"
#include "runtime/runner.hpp"
#include "trust/key_file.hpp"

namespace coffer::cli {

using Json = nlohmann::ordered_json;

// docs/command-line.md; scripts rely on them.
enum Exit : int {
    kOk = 0,
    kUsage = 2,
    kIo = 3,
    kDamaged = 4,
    kAuth = 5,
    kPolicy = 6,
    kUnsupported = 7,
    kNotMet = 8,
    kLimit = 9,
    kBug = 70,
    kInterrupted = 130,
};
int exit_code(const Error& error);

// A verb: adds its subcommand and gives what to run when it was chosen. `run` returns an exit code.
struct Verb {
    CLI::App* app = nullptr;
    std::function<Result<int>()> run;
};
using AddVerb = void (*)(CLI::App& root, std::vector<Verb>& verbs);

// Every verb has --json; the document carries the verb and a schema version. How its fields are named and what they
// hold is a rule of docs/command-line.md.
inline constexpr int kJsonSchema = 1;
void add_json(CLI::App& app, bool& json);
void print_json(std::string_view verb, Json document);
// A point in time; null for 0, "none".
Json json_time(uint64_t unix_seconds);

// "licence issue".
std::string verb_name(const CLI::App& verb);
// What to try after an error of `verb`; "" where nothing helps in general.
std::string hint(const Error& error, const CLI::App& verb);
// One line on stderr and the hint below it; with `json` also a document on stdout, in the place of the result. Gives
// the exit code.
int report(const Error& error, const std::string& verb, const std::string& hint, bool json);
void print_note(const std::string& text);

// Text of a file or an argument, fit for a terminal: control characters, what turns the direction of writing, and
// bytes that are no UTF-8 become "\xNN".
std::string printable(std::string_view text, bool lines = false);
template <class T>
auto shown(const T& value) {
    if constexpr (std::is_convertible_v<const T&, std::string_view>) {
        return printable(value);
    } else {
        return value;
    }
}
// fmt::print for people: every text in it is printable.
template <class... T>
void print(fmt::format_string<decltype(shown(std::declval<const T&>()))...> format, const T&... values) {
    fmt::vprint(format, fmt::make_format_args(shown(values)...));
}

bool stderr_is_terminal();
// One line on stderr that says what is going on, replaced by the next and gone at the end. Only on a terminal.
class StatusLine {
 public:
    StatusLine() : on_(stderr_is_terminal()) {}
    ~StatusLine() { clear(); }
    StatusLine(const StatusLine&) = delete;
    StatusLine& operator=(const StatusLine&) = delete;
    void show(const std::string& text);
    void clear();

 private:
    bool on_, shown_ = false;
};

// Replaces `path` in one step.
Status write_text(const std::string& path, const std::string& text);
// Also when one is a link to the other. A file that does not exist yet equals no other. Of inputs like "raw:FILE" it
// is FILE.
Status refuse_same_file(const std::string& output, const std::string& input);
Status refuse_same_file(const std::string& output, std::initializer_list<const std::vector<std::string>*> inputs);

// A whole number in decimal digits: no sign, no leading zero, no overflow.
bool parse_number(std::string_view text, uint64_t& number);
// What CLI11 lets through and nobody means: empty values, "-1" for an unsigned number, a list that runs on into the
// next argument. For every option of `app` and its verbs.
void tighten_options(CLI::App& app);

// "12.3 MB", "417 kB": powers of 1000.
std::string bytes_text(uint64_t bytes);
std::string hex(Bytes bytes);
// A document for people: its fields one a line, under a name that says when nothing of it is verified.
void print_fields(const std::string& name, bool verified, const Json& document);

// ---- keys, trust, loading ----------------------------------------------------------------------------------

// --kms PREFIX=PROGRAM [ARGS] ...
struct KmsOptions {
    std::vector<std::string> routes;
    uint32_t timeout_s = 30;
    bool operator==(const KmsOptions&) const = default;
};

// --key K ... --trust PUB ... and what goes with them.
struct AccessOptions {
    std::vector<std::string> keys, grants, licences;
    KmsOptions kms;
    std::vector<std::string> trust, distributors, licensors;
    std::string bundle, trust_store;  // in place of trusted keys
    std::string product;
    std::vector<std::string> hosts;  // KIND=VALUE
    uint32_t threshold = 1;
    std::string name;
    uint64_t min_version = 0;
    uint64_t max_memory = 0;
    bool aead_only = false;
    bool allow_unprotected = false, allow_unsigned = false;

    bool operator==(const AccessOptions&) const = default;
    bool trusts_somebody() const { return !trust.empty() || !bundle.empty() || !trust_store.empty(); }
    bool has_keys() const { return !keys.empty() || !kms.routes.empty(); }
};
void add_access(CLI::App& app, AccessOptions& options);
// Two of them, for verbs that need no more.
void add_licensors(CLI::App& app, AccessOptions& options);
void add_bundle(CLI::App& app, AccessOptions& options);
Result<trust::Policy> make_policy(const AccessOptions& options);
// FILE, password, fd:N, raw:FILE or pkcs11:...
Status add_key(trust::Keyring& keyring, const std::string& spec);

// Policy and keys, made once: a descriptor can be read only once, and a password is asked only once.
struct Access {
    trust::Policy policy;
    trust::Keyring keyring;

    static Result<Access> create(const AccessOptions& options);
};
// A file that is not there, or is none of ours, is that whatever the policy says.
Result<container::Source> open_source(const std::string& path);
// An error about a file names it.
Error named(const std::string& path, const Error& error);
template <class T>
Result<T> named(const std::string& path, Result<T> result) {
    if (!result.ok()) return named(path, result.error());
    return result;
}
Result<runtime::Loaded> load(const std::string& path, const Access& access, bool digests = false);
Result<runtime::Loaded> load(const std::string& path, const AccessOptions& options, bool digests = false);
// Asks on the terminal, without echo.
Result<crypto::SecretBytes> ask_password(const std::string& prompt);
Result<crypto::SecretBytes> ask_pin(std::string_view token);
// Asks for the passphrase when there is one.
Result<trust::SigningKey> load_signing_key(const std::string& path);
// No key twice.
Result<std::vector<trust::SigningKey>> load_signing_keys(const std::vector<std::string>& paths, const char* option);

// The helper for the key services whose URI lies below the prefix.
struct KmsRoute {
    std::string prefix;
    trust::KmsHelper helper;
};
void add_kms(CLI::App& app, KmsOptions& options);
Result<std::vector<KmsRoute>> parse_kms(const KmsOptions& options);

// For --encrypt-to and its like: an age recipient, a file of them or of PEM keys, password, raw:FILE, pkcs11:..., or
// kms:URI by way of one of the --kms routes. Nobody twice.
Result<std::vector<container::Recipient>> load_recipients(const std::vector<std::string>& specs,
                                                          const KmsOptions& kms = {});
void add_suite(CLI::App& app, std::string& name, const char* help);
crypto::Suite suite_of(const std::string& name);

// Now, or SOURCE_DATE_EPOCH.
Result<uint64_t> created_time();
// "90d", "12h", "30m", "45s", in seconds.
Result<uint64_t> duration(const std::string& text, const char* option);

// ---- tensors -------------------------------------------------------------------------------------------------

// NAME=@x.npy bindings.
Status bind_inputs(runtime::Runner& runner, const std::vector<std::string>& bindings);
// Inputs that are not bound get small pseudo-random numbers, the same every time; free dimensions become 1.
Status bind_missing(runtime::Runner& runner);

}  // namespace coffer::cli
