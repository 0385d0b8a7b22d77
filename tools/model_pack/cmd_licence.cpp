// licence issue, show, check: product keys for one holder, on terms.
#include <algorithm>

#include "cli.hpp"
#include "coffer/base/host.hpp"
#include "container/licence.hpp"
#include "trust/utc.hpp"

namespace coffer::cli {
namespace {

struct IssueOptions {
    std::string output, holder, product, versions, expires, starts, grace, suite = "aes-256-gcm";
    std::vector<std::string> product_keys, recipients, signers, models, features, hosts;
    uint32_t hosts_needed = 0;
    bool json = false;
};

// "3..7", "3..", "3".
Status parse_versions(const std::string& text, trust::LicenceClaims& claims) {
    const size_t dots = text.find("..");
    const std::string first = text.substr(0, dots), last = dots == text.npos ? first : text.substr(dots + 2);
    if (!parse_number(first, claims.min_version) ||
        (!last.empty() && (!parse_number(last, claims.max_version) || claims.max_version == 0))) {
        return error(Code::kInvalidArgument, "--versions '", text, "': expected 1..9, 3.. or 5");
    }
    return {};
}

// "machine-id" for this host's value, or "machine-id=VALUE".
Result<trust::HostBinding> parse_host(const std::string& text) {
    const size_t equals = text.find('=');
    const std::string kind = text.substr(0, equals);
    if (equals != text.npos) return trust::bind_host(kind, text.substr(equals + 1));
    const auto value = os::host_value(kind);
    if (value) return trust::bind_host(kind, *value);
    return error(Code::kInvalidArgument, "--host ", kind, ": this host has no such value, or it may not be read");
}

Result<crypto::SecretBytes> load_product_key(const std::string& spec) {
    if (!spec.starts_with("raw:")) {
        return error(Code::kInvalidArgument, "--product-key ", spec, ": expected raw:FILE with 32 bytes");
    }
    const std::string path = spec.substr(4);
    COFFER_TRY_ASSIGN(crypto::SecretBytes key, trust::read_key_file(path));
    if (key.size() != 32) {
        return error(Code::kAuth, "key file '", path, "': a raw key has 32 bytes, not ", key.size());
    }
    return key;
}

Result<trust::LicenceClaims> claims_of(const IssueOptions& o) {
    trust::LicenceClaims c;
    c.suite = suite_of(o.suite);
    COFFER_TRY_ASSIGN(c.issued, created_time());
    c.product = o.product;
    c.holder = o.holder;
    if (!o.starts.empty()) {
        COFFER_TRY_ASSIGN(const uint64_t seconds, duration(o.starts, "--starts"));
        c.not_before = c.issued + seconds;
    }
    if (!o.expires.empty()) {
        COFFER_TRY_ASSIGN(const uint64_t seconds, duration(o.expires, "--expires"));
        c.not_after = c.issued + seconds;
    }
    if (!o.grace.empty()) {
        if (o.expires.empty()) return error(Code::kInvalidArgument, "--grace goes with --expires");
        COFFER_TRY_ASSIGN(c.grace, duration(o.grace, "--grace"));
    }
    for (const std::string& name : o.models) {
        COFFER_TRY_ASSIGN(const trust::ModelId id, trust::model_id(name));
        c.models.push_back(id);
    }
    std::ranges::sort(c.models);
    c.models.erase(std::ranges::unique(c.models).begin(), c.models.end());
    if (!o.versions.empty()) COFFER_TRY(parse_versions(o.versions, c));
    c.features = o.features;
    for (const std::string& text : o.hosts) {
        COFFER_TRY_ASSIGN(trust::HostBinding host, parse_host(text));
        c.hosts.push_back(std::move(host));
    }
    c.hosts_needed = o.hosts_needed != 0 ? o.hosts_needed : static_cast<uint32_t>(c.hosts.size());
    return c;
}

Json describe(const trust::LicenceId& id, const trust::LicenceClaims& c) {
    Json models = Json::array(), hosts = Json::array(), keys = Json::array();
    for (const trust::ModelId& model : c.models) models.push_back(hex(model));
    for (const trust::HostBinding& host : c.hosts) hosts.push_back(host.kind);
    for (const trust::KekId& key : c.kek_ids) keys.push_back(hex(key));
    return {{"licence_id", hex(id)},
            {"product", c.product},
            {"holder", c.holder},
            {"issued_time", json_time(c.issued)},
            {"not_before_time", json_time(c.not_before)},
            {"not_after_time", json_time(c.not_after)},
            {"grace_seconds", c.grace},
            {"model_ids", models},
            {"min_version", c.min_version},
            {"max_version", c.max_version ? Json(c.max_version) : Json(nullptr)},
            {"features", c.features},
            {"hosts", hosts},
            {"hosts_needed_count", c.hosts_needed},
            {"suite", crypto::suite_name(c.suite)},
            {"product_key_ids", keys}};
}

Result<int> issue(const IssueOptions& o) {
    COFFER_TRY(refuse_same_file(o.output, {&o.product_keys, &o.recipients, &o.signers}));
    container::LicenceOrder order;
    COFFER_TRY_ASSIGN(order.claims, claims_of(o));
    for (const std::string& spec : o.product_keys) {
        COFFER_TRY_ASSIGN(crypto::SecretBytes key, load_product_key(spec));
        order.product_keys.push_back(std::move(key));
    }
    COFFER_TRY_ASSIGN(order.recipients, load_recipients(o.recipients));
    COFFER_TRY_ASSIGN(const std::vector<trust::SigningKey> keys, load_signing_keys(o.signers, "--sign"));
    for (const trust::SigningKey& key : keys) order.signers.push_back(&key);
    COFFER_TRY_ASSIGN(const container::Issued issued, container::issue_licence(order));
    COFFER_TRY(write_text(o.output, std::string(as_text(issued.file))));
    if (o.json) {
        COFFER_TRY_ASSIGN(const trust::LicenceEnvelope envelope, trust::parse_licence(issued.file, {}));
        COFFER_TRY_ASSIGN(const trust::LicenceClaims claims, trust::decode_claims(envelope));
        Json result{{"output", o.output}};
        result.update(describe(issued.id, claims));
        print_json("licence issue", result);
    } else {
        print("{}: licence {} for '{}', {}\n", o.output, hex(issued.id), o.product,
              order.claims.not_after ? "until " + trust::utc_text(order.claims.not_after) : "without an end");
    }
    return kOk;
}

struct ShowOptions {
    std::string file;
    AccessOptions access;
    bool json = false;
};

Result<int> show(const ShowOptions& o) {
    COFFER_TRY_ASSIGN(const std::vector<std::byte> file, os::read_file(o.file, trust::kMaxLicenceBytes));
    Json result{{"file", o.file}};
    const bool verified = o.access != AccessOptions{};
    if (verified) {
        COFFER_TRY_ASSIGN(const trust::Policy policy, make_policy(o.access));
        COFFER_TRY_ASSIGN(const trust::Licence licence, named(o.file, trust::verify_licence(file, policy)));
        result.update(describe(licence.id, licence.claims));
    } else {
        COFFER_TRY_ASSIGN(const trust::LicenceEnvelope envelope, named(o.file, trust::parse_licence(file, {})));
        COFFER_TRY_ASSIGN(const trust::LicenceClaims claims, named(o.file, trust::decode_claims(envelope)));
        result.update(describe(envelope.id, claims));
    }
    result["verified"] = verified;
    if (o.json) {
        print_json("licence show", result);
    } else {
        print_fields(o.file, verified, result);
    }
    return kOk;
}

struct CheckOptions {
    std::string file, model;
    AccessOptions access;
    bool json = false;
};

Result<int> check(CheckOptions o) {
    o.access.licences.push_back(o.file);
    COFFER_TRY_ASSIGN(Access access, Access::create(o.access));
    // The licence is the question here; who signed the model is one only if it was asked.
    const bool signer_checked = !access.policy.signers.empty();
    if (!signer_checked) access.policy.allow_unsigned = true;
    COFFER_TRY_ASSIGN(container::Source source, open_source(o.model));
    COFFER_TRY_ASSIGN(const container::Facts facts,
                      named(o.model, container::check_access(std::move(source), access.policy, access.keyring)));
    if (!facts.licence) return error(Code::kInvalidArgument, o.model, ": this model demands no licence");
    if (o.json) {
        Json result{{"file", o.file},
                    {"model_file", o.model},
                    {"model_version", facts.header.model_version},
                    {"ok", true},
                    {"in_grace", facts.licence_in_grace},
                    {"signer_checked", signer_checked}};
        result.update(describe(facts.licence->id, facts.licence->claims));
        print_json("licence check", result);
        return kOk;
    }
    if (!signer_checked) print_note("note: who signed the model was not checked; name him with --trust");
    print("{}: opens {} (version {}){}\n", o.file, o.model, facts.header.model_version,
          facts.licence_in_grace ? "; it has ended, and its grace runs" : "");
    return kOk;
}

}  // namespace

void add_licence(CLI::App& root, std::vector<Verb>& verbs) {
    auto* app = root.add_subcommand("licence", "Issue, show and check licences");
    app->require_subcommand(1);

    auto* create = app->add_subcommand("issue", "Wrap product keys for one holder, on terms, and sign that");
    auto o = std::make_shared<IssueOptions>();
    create->add_option("-o,--output", o->output, "The licence to write")->required()->type_name("L");
    create->add_option("--product-key", o->product_keys, "Product key, raw:FILE; may be repeated")
        ->required()
        ->type_name("K");
    create->add_option("--to", o->recipients, "Public key of the holder's device: age1..., a file; may be repeated")
        ->required()
        ->type_name("R");
    create->add_option("--sign", o->signers, "Licensor's private key (PEM); may be repeated")
        ->required()
        ->type_name("KEY");
    create->add_option("--product", o->product, "Name of the product")->required()->type_name("P");
    create->add_option("--holder", o->holder, "Who it is for")->type_name("H");
    create->add_option("--model", o->models, "Name of a model it opens; may be repeated")
        ->required()
        ->type_name("ID");
    create->add_option("--versions", o->versions, "Versions of the models, such as 1..9 or 3..; default all")
        ->type_name("A..B");
    create->add_option("--starts", o->starts, "Begins this long from now, such as 7d")->type_name("DURATION");
    create->add_option("--expires", o->expires, "Ends this long from now, such as 365d; default without an end")
        ->type_name("DURATION");
    create->add_option("--grace", o->grace, "Opens this long after the end, such as 7d")->type_name("DURATION");
    create->add_option("--feature", o->features, "Name of a feature, for the application; may be repeated")
        ->type_name("F");
    create
        ->add_option("--host", o->hosts, "Only on a host with this value; without VALUE this host's; may be repeated")
        ->type_name("KIND[=VALUE]");
    create->add_option("--hosts-needed", o->hosts_needed, "How many of the values must match; default all");
    add_suite(*create, o->suite, "Cipher suite of the wraps");
    add_json(*create, o->json);
    create->footer(
        "Example:\n"
        "  model-pack licence issue --product-key raw:vision.raw --to device.pub --sign licensor.key \\\n"
        "      --product Vision --holder 'Acme Ltd' --model com.acme.net --expires 365d --grace 7d -o acme.licence");
    verbs.push_back({create, [o] { return issue(*o); }});

    auto* display = app->add_subcommand("show", "Show what a licence says");
    auto s = std::make_shared<ShowOptions>();
    display->add_option("FILE", s->file, "A licence")->required();
    add_licensors(*display, s->access);
    add_bundle(*display, s->access);
    add_json(*display, s->json);
    display->footer(
        "Example:\n"
        "  model-pack licence show acme.licence --trust-licensor licensor.pem");
    verbs.push_back({display, [s] { return show(*s); }});

    auto* test = app->add_subcommand("check", "Say whether a licence opens a model here and now");
    auto c = std::make_shared<CheckOptions>();
    test->add_option("FILE", c->file, "A licence")->required();
    test->add_option("--model-file", c->model, "The model")->required()->type_name("M");
    add_access(*test, c->access);
    add_json(*test, c->json);
    test->footer(
        "Example:\n"
        "  model-pack licence check acme.licence --key device.key --trust-licensor licensor.pem \\\n"
        "      --trust vendor.pem --model-file net.coffer");
    verbs.push_back({test, [c] { return check(*c); }});
}

}  // namespace coffer::cli
