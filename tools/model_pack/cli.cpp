#include "cli.hpp"

#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <random>
#include <sstream>

#include "coffer/base/host.hpp"
#include "coffer/base/utf8.hpp"
#include "container/format.hpp"
#include "container/grant.hpp"
#include "offline/npy.hpp"
#include "trust/token.hpp"
#include "trust/utc.hpp"
#include "trust_dir.hpp"

namespace coffer::cli {
namespace {

// Ranges of characters that move the cursor or turn text around: controls, marks and overrides of direction,
// separators of lines.
constexpr std::pair<std::string_view, std::string_view> kSteering[] = {{"\x01", "\x1f"},
                                                                       {"\x7f", "\x7f"},
                                                                       {"\xc2\x80", "\xc2\x9f"},
                                                                       {"\xd8\x9c", "\xd8\x9c"},
                                                                       {"\xe2\x80\x8e", "\xe2\x80\x8f"},
                                                                       {"\xe2\x80\xa8", "\xe2\x80\xae"},
                                                                       {"\xe2\x81\xa6", "\xe2\x81\xa9"}};

bool steers(std::string_view c) {
    return c[0] == 0 || std::ranges::any_of(kSteering, [&](const auto& range) {
               return c.size() == range.first.size() && range.first <= c && c <= range.second;
           });
}

bool file_is_onnx(const CLI::App& verb) {
    const CLI::Option* file = verb.get_option_no_throw("FILE");
    return file && file->count() > 0 && file->results().front().ends_with(".onnx");
}

bool given(const CLI::App& verb, std::initializer_list<const char*> options) {
    return std::ranges::any_of(options, [&](const char* name) {
        const CLI::Option* option = verb.get_option_no_throw(name);
        return option && option->count() > 0;
    });
}

}  // namespace

std::string hint(const Error& error, const CLI::App& verb) {
    const bool opens = verb.get_option_no_throw("--trust") != nullptr;
    switch (error.detail()) {
        case Detail::kNoRecipient:
            return given(verb, {"--key", "--kms"}) ? "none of the given keys opens this file; `model-pack recipients "
                                                     "list FILE` shows whom it is for"
                                                   : "name a key that opens it with --key";
        case Detail::kUntrusted:
            if (!opens || given(verb, {"--bundle", "--trust-store"})) return "";
            return given(verb, {"--trust"})
                       ? "fewer signatures by keys of --trust than are needed; `model-pack inspect FILE` shows who "
                         "signed"
                       : "name the vendor's public key with --trust, or a trust bundle with --bundle";
        case Detail::kSignature:
            if (!opens) return "";
            return "it is not signed, or was changed afterwards; if it was packed with --sign-slots, its recipients "
                   "need --trust-distributor";
        case Detail::kManifestAuth:
        case Detail::kTree:
        case Detail::kChunkAuth: return "bytes were changed after packing; get the file again";
        case Detail::kFormat:
            return error.message().ends_with("not a coffer file") && file_is_onnx(verb)
                       ? "an ONNX model is packed first; see `model-pack pack --help`"
                       : "";
        case Detail::kUnprotected: return "it was packed with --unprotected; --allow-unprotected opens it";
        case Detail::kLicence:
            if (!opens || given(verb, {"--licence"}) || verb_name(verb) == "licence check") return "";
            return "name a licence with --licence, and who issues them with --trust-licensor";
        case Detail::kLimit:
            if (!verb.get_option_no_throw("--max-memory") || error.message().find("memory") == std::string::npos)
                return "";
            return "raise the limit with --max-memory if this is expected";
        default:
            return error.code() == Code::kInternal ? "this is a bug; please report it with the model if you can" : "";
    }
}

int exit_code(const Error& error) {
    switch (error.code()) {
        case Code::kOk: return kOk;
        case Code::kInvalidArgument:
        case Code::kBufferTooSmall: return kUsage;
        case Code::kIo:
        case Code::kNotFound:
        case Code::kConflict: return kIo;
        case Code::kFormat: return kDamaged;
        case Code::kAuth: return kAuth;
        case Code::kPolicy: return kPolicy;
        case Code::kUnsupported: return kUnsupported;
        case Code::kLimit:
        case Code::kDeadline:
        case Code::kOutOfMemory: return kLimit;
        case Code::kCancelled: return kInterrupted;
        case Code::kInternal: return kBug;
    }
    return kBug;
}

void add_json(CLI::App& app, bool& json) {
    app.add_flag("--json", json, "Print one JSON document to stdout");
}

void print_json(std::string_view verb, Json document) {
    Json out{{"verb", verb}, {"schema", kJsonSchema}};
    out.update(document);
    fmt::print("{}\n", out.dump(2, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace));
}

Json json_time(uint64_t unix_seconds) {
    return unix_seconds == 0 ? Json(nullptr) : Json(trust::utc_text(unix_seconds));
}

std::string verb_name(const CLI::App& verb) {
    const CLI::App* parent = verb.get_parent();
    if (!parent) return "";
    const std::string above = verb_name(*parent);
    return above.empty() ? verb.get_name() : above + " " + verb.get_name();
}

int report(const Error& error, const std::string& verb, const std::string& hint, bool json) {
    const int code = exit_code(error);
    fmt::print(stderr, "model-pack: error: {}\n", printable(error.message()));
    if (!hint.empty()) fmt::print(stderr, "  hint: {}\n", hint);
    if (json) {
        print_json(verb, {{"error",
                           {{"code", code_name(error.code())},
                            {"detail", detail_name(error.detail())},
                            {"exit_code", code},
                            {"message", error.message()},
                            {"hint", hint.empty() ? Json(nullptr) : Json(hint)}}}});
    }
    return code;
}

std::string printable(std::string_view text, bool lines) {
    std::string out;
    for (size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        const std::string_view c = text.substr(i, lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4);
        if ((lines && c == "\n") || (is_utf8(c) && !steers(c))) {
            out += c;
            i += c.size();
        } else {
            out += fmt::format("\\x{:02x}", lead);
            ++i;
        }
    }
    return out;
}

void print_note(const std::string& text) {
    fmt::print(stderr, "{}\n", printable(text));
}
bool stderr_is_terminal() {
    return isatty(STDERR_FILENO) == 1;
}

void StatusLine::show(const std::string& text) {
    if (!on_) return;
    fmt::print(stderr, "\r\033[K{}", printable(text).substr(0, 78));
    shown_ = true;
}
void StatusLine::clear() {
    if (shown_) fmt::print(stderr, "\r\033[K");
    shown_ = false;
}

Status write_text(const std::string& path, const std::string& text) {
    COFFER_TRY_ASSIGN(os::AtomicFile file, os::AtomicFile::create(path, 0644));
    COFFER_TRY(file.write(as_bytes(text)));
    return file.commit();
}

Status refuse_same_file(const std::string& output, const std::string& input) {
    const std::string path = input.starts_with("raw:") ? input.substr(4) : input;
    std::error_code missing;
    if (output != path && !std::filesystem::equivalent(output, path, missing)) return {};
    return error(Code::kInvalidArgument, "the output '", output, "' would replace the input '", path, "'");
}

Status refuse_same_file(const std::string& output, std::initializer_list<const std::vector<std::string>*> inputs) {
    for (const std::vector<std::string>* list : inputs) {
        for (const std::string& input : *list) COFFER_TRY(refuse_same_file(output, input));
    }
    return {};
}

bool parse_number(std::string_view text, uint64_t& number) {
    if (text.empty() || (text.size() > 1 && text[0] == '0')) return false;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
    return failed == std::errc() && end == text.data() + text.size();
}

void tighten_options(CLI::App& app) {
    for (CLI::Option* option : app.get_options()) {
        if (option->get_items_expected_max() == 0) continue;  // a flag
        if (!option->get_positional() && option->get_items_expected_max() > 1) option->allow_extra_args(false);
        const std::string type = option->get_type_name();
        option->check(CLI::Validator(
            [type](std::string& text) -> std::string {
                uint64_t number = 0;
                if (text.empty()) return "the value is empty";
                if (type.starts_with("UINT") && !parse_number(text, number))
                    return "'" + text + "' is not a whole number";
                if (type.starts_with("SIZE") && !(text[0] >= '0' && text[0] <= '9'))
                    return "'" + text + "' is not a size";
                return {};
            },
            ""));
    }
    for (CLI::App* verb : app.get_subcommands({})) tighten_options(*verb);
}

std::string bytes_text(uint64_t bytes) {
    if (bytes < 1000) return fmt::format("{} B", bytes);
    double value = static_cast<double>(bytes);
    const char* unit = "";
    for (const char* u : {"kB", "MB", "GB", "TB"}) {
        if (value < 1000) break;
        value /= 1000;
        unit = u;
    }
    return fmt::format("{:.3g} {}", value, unit);
}

std::string hex(Bytes bytes) {
    std::string out;
    for (std::byte b : bytes) out += fmt::format("{:02x}", std::to_integer<unsigned>(b));
    return out;
}

void print_fields(const std::string& name, bool verified, const Json& document) {
    print("{}{}\n", name, verified ? "" : "   UNVERIFIED: anyone could have written what follows");
    for (const auto& [key, value] : document.items()) {
        if (key == "file") continue;
        print("  {:<16} {}\n", key,
              value.is_string() ? value.get<std::string>()
                                : value.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
}

void add_licensors(CLI::App& app, AccessOptions& o) {
    app.add_option("--trust-licensor", o.licensors, "Public key (PEM) of whose licences count; may be repeated")
        ->type_name("PUB");
}

void add_bundle(CLI::App& app, AccessOptions& o) {
    app.add_option("--bundle", o.bundle, "Take all trusted keys and what was revoked from this trust bundle")
        ->type_name("B");
}

void add_access(CLI::App& app, AccessOptions& o) {
    app.add_option("--key", o.keys,
                   "Key: a file, 'password' (asked), 'fd:N', 'raw:FILE' or 'pkcs11:...'; may be repeated")
        ->type_name("K");
    app.add_option("--grant", o.grants, "A grant that a key opens (see `model-pack grant`); may be repeated")
        ->type_name("G");
    add_kms(app, o.kms);
    app.add_option("--trust", o.trust, "Public key (PEM) of a signer to trust; may be repeated")->type_name("PUB");
    app.add_option("--trust-distributor", o.distributors,
                   "Public key (PEM) of who may sign recipients, for files packed with --sign-slots; may be repeated")
        ->type_name("PUB");
    app.add_option("--licence", o.licences, "A licence for a key given, for models that demand one; may be repeated")
        ->type_name("L");
    add_licensors(app, o);
    app.add_option("--product", o.product, "Only licences for this product count")->type_name("P");
    app.add_option("--host", o.hosts, "A value of this host, in place of the one found; may be repeated")
        ->type_name("KIND=VALUE");
    add_bundle(app, o);
    app.add_option("--trust-store", o.trust_store,
                   "Folder of `model-pack trust init`, or 'default': follow its bundle, remember what was seen")
        ->type_name("DIR");
    app.add_option("--threshold", o.threshold, "How many different trusted signers are needed")
        ->capture_default_str();
    app.add_option("--name", o.name, "The model must have been packed under this name")->type_name("ID");
    app.add_option("--min-version", o.min_version, "Refuse older versions of the model");
    app.add_option("--max-memory", o.max_memory, "Limit for each of weights, their packed forms, and activations")
        ->transform(CLI::AsSizeValue(true))
        ->type_name("SIZE");
    app.add_flag("--aead-only", o.aead_only, "Skip chunk hashes: faster, but a holder of the key could forge");
    app.add_flag("--allow-unprotected", o.allow_unprotected,
                 "Accept files packed with --unprotected: not encrypted to anyone");
    app.add_flag("--allow-unsigned", o.allow_unsigned, "Accept files without a signature: anyone may have made them");
}

namespace {

using Signers = std::vector<trust::Signer>;

// Given twice a key counts once, which is not what was meant.
Status add_trusted(const char* option, const std::vector<std::string>& paths, trust::Policy& policy,
                   Signers trust::Policy::*signers, Status (trust::Policy::*add)(const trust::Signer&)) {
    for (const std::string& path : paths) {
        const size_t before = (policy.*signers).size();
        COFFER_TRY_ASSIGN(const trust::Signer signer, trust::load_signer(path));
        COFFER_TRY((policy.*add)(signer));
        if ((policy.*signers).size() == before)
            return error(Code::kInvalidArgument, option, " '", path, "': the key is given twice");
    }
    return {};
}

Status follow_bundle(const AccessOptions& o, trust::Policy& policy) {
    if (!o.bundle.empty()) {
        COFFER_TRY_ASSIGN(auto bundle, load_bundle_file(o.bundle));
        COFFER_TRY(policy.follow(std::move(bundle)));
    }
    if (!o.trust_store.empty()) {
        COFFER_TRY_ASSIGN(const TrustDir dir, TrustDir::at(o.trust_store));
        policy.state = dir.store();
        if (o.bundle.empty()) {
            COFFER_TRY_ASSIGN(auto bundle, dir.bundle());
            COFFER_TRY(policy.follow(std::move(bundle)));
        }
    }
    return {};
}

}  // namespace

Result<trust::Policy> make_policy(const AccessOptions& o) {
    trust::Policy policy;
    COFFER_TRY(add_trusted("--trust", o.trust, policy, &trust::Policy::signers, &trust::Policy::add_signer));
    COFFER_TRY(add_trusted("--trust-distributor", o.distributors, policy, &trust::Policy::distributors,
                           &trust::Policy::add_distributor));
    COFFER_TRY(add_trusted("--trust-licensor", o.licensors, policy, &trust::Policy::licensors,
                           &trust::Policy::add_licensor));
    policy.threshold = o.threshold;
    COFFER_TRY(follow_bundle(o, policy));
    policy.product = o.product;
    policy.host_value = [](const std::string& kind) -> Result<std::optional<std::string>> {
        return os::host_value(kind);
    };
    for (const std::string& text : o.hosts) {
        const size_t at = text.find('=');
        if (at == 0 || at == text.npos) {
            return error(Code::kInvalidArgument, "--host '", text, "': expected KIND=VALUE");
        }
        policy.host_values.emplace_back(text.substr(0, at), text.substr(at + 1));
    }
    if (!o.name.empty()) COFFER_TRY(policy.expect_model(o.name));
    policy.min_version = o.min_version;
    policy.caps.max_memory = o.max_memory;
    if (o.aead_only) policy.integrity = trust::Integrity::kAeadOnly;
    policy.allow_unprotected = o.allow_unprotected;
    policy.allow_unsigned = o.allow_unsigned;
    policy.debug_names = o.has_keys() || o.allow_unprotected;
    return policy;
}

Result<crypto::SecretBytes> ask_password(const std::string& prompt) {
    std::FILE* terminal = std::fopen("/dev/tty", "r+");
    if (!terminal) return error(Code::kIo, "a password is needed, but there is no terminal to ask on; use fd:N");
    std::setvbuf(terminal, nullptr, _IONBF, 0);  // no copy of the answer in a buffer of stdio
    std::fputs(prompt.c_str(), terminal);
    std::fflush(terminal);
    termios old{};
    const bool quiet = tcgetattr(fileno(terminal), &old) == 0;
    if (quiet) {
        termios silent = old;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        tcsetattr(fileno(terminal), TCSAFLUSH, &silent);
    }
    char line[1024];
    const bool read = std::fgets(line, sizeof line, terminal) != nullptr;
    if (quiet) tcsetattr(fileno(terminal), TCSAFLUSH, &old);
    std::fputs("\n", terminal);
    std::fclose(terminal);
    if (!read) return error(Code::kIo, "no password was given");
    std::string_view text(line);
    if (text.ends_with('\n')) text.remove_suffix(1);
    auto secret = crypto::SecretBytes::copy_of(as_bytes(text));
    os::wipe(line, sizeof line);
    return secret;
}

Result<trust::SigningKey> load_signing_key(const std::string& path) {
    return trust::load_signing_key(path, [&] { return ask_password("Passphrase of " + path + ": "); });
}

Result<std::vector<trust::SigningKey>> load_signing_keys(const std::vector<std::string>& paths, const char* option) {
    std::vector<trust::SigningKey> keys;
    for (const std::string& path : paths) {
        COFFER_TRY_ASSIGN(trust::SigningKey key, load_signing_key(path));
        for (size_t i = 0; i < keys.size(); ++i) {
            if (keys[i].signer().id != key.signer().id) continue;
            return error(Code::kInvalidArgument, option, " '", path, "': the same key as '", paths[i], "'");
        }
        keys.push_back(std::move(key));
    }
    return keys;
}

Result<crypto::SecretBytes> ask_pin(std::string_view token) {
    return ask_password(fmt::format("PIN of the token '{}': ", token));
}

void add_kms(CLI::App& app, KmsOptions& o) {
    app.add_option("--kms", o.routes, "Ask this program for keys of services below PREFIX; may be repeated")
        ->type_name("PREFIX=PROGRAM [ARGS]");
    app.add_option("--kms-timeout", o.timeout_s, "Seconds after which such a program is killed")
        ->check(CLI::Range(1u, 86'400u))
        ->capture_default_str();
}

namespace {

Result<KmsRoute> parse_route(const std::string& text, uint32_t timeout_s) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos)
        return error(Code::kInvalidArgument, "--kms '", text, "': PREFIX=PROGRAM expected");
    KmsRoute route;
    route.prefix = text.substr(0, equals);
    COFFER_TRY(trust::check_kms_prefix(route.prefix));
    // Words apart by spaces, and no quoting: what needs more is a script.
    std::istringstream words(text.substr(equals + 1));
    for (std::string word; words >> word;) route.helper.argv.push_back(word);
    if (route.helper.argv.empty() || route.helper.argv[0].find('/') == std::string::npos) {
        return error(Code::kInvalidArgument, "--kms '", text,
                     "': name the program with its path; PATH is not searched");
    }
    std::error_code failed;
    const auto program = std::filesystem::absolute(route.helper.argv[0], failed);
    if (failed) return error(Code::kIo, Detail::kIo, "--kms '", text, "': ", failed.message());
    route.helper.argv[0] = program.string();
    route.helper.timeout_ms = timeout_s * 1000;
    return route;
}

}  // namespace

Result<std::vector<KmsRoute>> parse_kms(const KmsOptions& o) {
    std::vector<KmsRoute> routes;
    for (const std::string& text : o.routes) {
        COFFER_TRY_ASSIGN(KmsRoute route, parse_route(text, o.timeout_s));
        routes.push_back(std::move(route));
    }
    return routes;
}

Status add_key(trust::Keyring& keyring, const std::string& spec) {
    if (spec == "password") {
        auto answer = std::make_shared<crypto::SecretBytes>();
        keyring.set_password_source([answer]() -> Result<crypto::SecretBytes> {
            if (answer->empty()) {
                COFFER_TRY_ASSIGN(*answer, ask_password("Password: "));
            }
            return answer->clone();
        });
        return {};
    }
    if (spec.starts_with("raw:")) return trust::load_raw_key(keyring, spec.substr(4));
    if (spec.starts_with("pkcs11:")) return trust::add_token_key(keyring, spec, ask_pin);
    if (spec.starts_with("fd:")) {
        int fd = -1;
        if (!CLI::detail::lexical_cast(spec.substr(3), fd) || fd < 0) {
            return error(Code::kInvalidArgument, "--key ", spec, ": not a file descriptor");
        }
        COFFER_TRY_ASSIGN(const crypto::SecretBytes text, trust::read_key_fd(fd));
        if (trust::add_keys(keyring, text.bytes()).ok()) return {};
        COFFER_TRY_ASSIGN(crypto::SecretBytes password, text.clone());  // not a key: a password
        keyring.set_password(std::move(password));
        return {};
    }
    return trust::load_keys(keyring, spec);
}

void add_suite(CLI::App& app, std::string& name, const char* help) {
    app.add_option("--suite", name, help)
        ->check(CLI::IsMember({"aes-256-gcm", "chacha20-poly1305"}))
        ->capture_default_str();
}

crypto::Suite suite_of(const std::string& name) {
    return name == "chacha20-poly1305" ? crypto::Suite::kChaCha20Poly1305 : crypto::Suite::kAes256Gcm;
}

Result<uint64_t> created_time() {
    const char* epoch = os::environment("SOURCE_DATE_EPOCH");
    if (!epoch || !*epoch) return static_cast<uint64_t>(os::unix_time());
    uint64_t seconds = 0;
    if (!parse_number(epoch, seconds)) {
        return error(Code::kInvalidArgument, "SOURCE_DATE_EPOCH '", epoch, "' is not a number of seconds");
    }
    return seconds;
}

Result<uint64_t> duration(const std::string& text, const char* option) {
    uint64_t n = 0, unit = 0;
    const char last = text.empty() ? ' ' : text.back();
    if (last == 'd') unit = 86400;
    if (last == 'h') unit = 3600;
    if (last == 'm') unit = 60;
    if (last == 's') unit = 1;
    if (unit == 0 || !parse_number(std::string_view(text).substr(0, text.size() - 1), n) || n == 0 ||
        n > 36500 * 86400ull / unit) {
        return error(Code::kInvalidArgument, option, " '", text, "': expected a duration such as 90d or 12h");
    }
    return n * unit;
}

namespace {

// A password is one key.
size_t key_count(const trust::Keyring& k) {
    return k.identities().size() + k.p256_keys().size() + k.raw_keys().size() + (k.has_password() ? 1 : 0);
}

}  // namespace

Result<Access> Access::create(const AccessOptions& o) {
    Access access;
    COFFER_TRY_ASSIGN(access.policy, make_policy(o));
    for (const std::string& spec : o.keys) {
        const size_t before = key_count(access.keyring);
        COFFER_TRY(add_key(access.keyring, spec));
        if (key_count(access.keyring) == before)
            return error(Code::kInvalidArgument, "--key '", spec,
                         "': the key is given twice, or is a second password");
    }
    for (const std::string& path : o.licences) COFFER_TRY(trust::load_licence(access.keyring, path));
    for (const std::string& path : o.grants) COFFER_TRY(container::load_grant(access.keyring, path));
    COFFER_TRY_ASSIGN(const std::vector<KmsRoute> routes, parse_kms(o.kms));
    for (const KmsRoute& route : routes) COFFER_TRY(access.keyring.add_kms(route.prefix, route.helper));
    return access;
}

Result<container::Source> open_source(const std::string& path) {
    container::Source source = container::Source::file(path);
    COFFER_TRY(source.open());
    std::array<std::byte, container::kMagic.size()> magic;
    if (source.size() < magic.size()) return source;
    COFFER_TRY(source.read_at(0, magic));
    if (!std::ranges::equal(magic, std::as_bytes(std::span(container::kMagic)))) {
        return error(Code::kFormat, Detail::kFormat, "'", path, "': not a coffer file");
    }
    return source;
}

Error named(const std::string& path, const Error& error) {
    return error.message().find("'" + path + "'") == std::string::npos ? error.within(path + ": ") : error;
}

Result<runtime::Loaded> load(const std::string& path, const Access& access, bool digests) {
    COFFER_TRY_ASSIGN(container::Source source, open_source(path));
    runtime::LoadOptions options;
    options.digests = digests;
    runtime::ThreadPool pool(os::cpu_count());
    options.parallel = &pool;
    return named(path, runtime::load(std::move(source), access.policy, access.keyring, options));
}

Result<runtime::Loaded> load(const std::string& path, const AccessOptions& o, bool digests) {
    COFFER_TRY_ASSIGN(const Access access, Access::create(o));
    return load(path, access, digests);
}

Status bind_inputs(runtime::Runner& runner, const std::vector<std::string>& bindings) {
    std::vector<size_t> given;
    for (const std::string& binding : bindings) {
        const size_t at = binding.rfind("=@");
        if (at == std::string::npos) {
            return error(Code::kInvalidArgument, "--input ", binding, ": expected NAME=@file.npy");
        }
        const std::string name = binding.substr(0, at);
        const size_t index = runner.model().find_input(name);
        if (index == runtime::Model::kNotFound) {
            std::string known;
            for (size_t i = 0; i < runner.model().inputs().size(); ++i)
                known += " '" + runner.model().input(i).name + "'";
            return error(Code::kInvalidArgument, "the model has no input '", name, "'; it has", known);
        }
        if (std::ranges::find(given, index) != given.end())
            return error(Code::kInvalidArgument, "--input '", name, "' is given twice");
        given.push_back(index);
        COFFER_TRY_ASSIGN(Tensor tensor, offline::read_npy(binding.substr(at + 2)));
        COFFER_TRY(runner.bind_input(index, Value(std::move(tensor))));
    }
    return {};
}

Status bind_missing(runtime::Runner& runner) {
    std::mt19937 random(1);  // zeros would be unfair to some kernels
    for (size_t i = 0; i < runner.model().inputs().size(); ++i) {
        if (runner.is_bound(i)) continue;
        const graph::ValueInfo& v = runner.model().input(i);
        if (v.type.kind != ValueKind::kTensor || !v.type.dims || v.type.dtype == DType::kString) {
            return error(Code::kInvalidArgument, "give --input ", v.name, "=@FILE: its type cannot be made up");
        }
        Shape shape;
        for (const graph::Dim& d : *v.type.dims) shape.push_back(d.known() ? d.value : 1);
        COFFER_TRY_ASSIGN(Tensor t, Tensor::create(v.type.dtype, shape));
        for (int64_t k = 0; k < t.elements(); ++k) {
            if (is_floating(t.dtype())) {
                store_double(t.view(), k, static_cast<double>(random() % 2001) / 1000 - 1);
            } else {
                store_int(t.view(), k, static_cast<int64_t>(random() % 2));
            }
        }
        COFFER_TRY(runner.bind_input(i, Value(std::move(t))));
    }
    return {};
}

}  // namespace coffer::cli
