// pack: ONNX in, sealed file out.
#include "cli.hpp"
#include "offline/pack.hpp"
#include "ops/versions.hpp"

namespace coffer::cli {
namespace {

struct PackOptions {
    std::string input, output, name, precision = "fp32", data, expires, suite = "aes-256-gcm";
    uint64_t version = 0;
    bool synthetic = false, unprotected = false, dry_run = false, json = false, pad = false, sign_later = false,
         licence = false;
    std::vector<std::string> attach, meta, states, recipients, signers, distributors;
    KmsOptions kms;
};

Result<std::pair<std::string, std::string>> key_value(const std::string& text, const char* option) {
    const size_t at = text.find('=');
    if (at == 0 || at == std::string::npos)
        return error(Code::kInvalidArgument, option, " '", text, "': expected KEY=VALUE");
    return std::pair{text.substr(0, at), text.substr(at + 1)};
}

Status check(const PackOptions& o) {
    const bool will_be_signed = !o.signers.empty() || o.sign_later;
    if (o.unprotected && (!o.recipients.empty() || will_be_signed || !o.distributors.empty())) {
        return error(Code::kInvalidArgument,
                     "--unprotected excludes --encrypt-to, --sign, --sign-later and --sign-slots");
    }
    if (!o.unprotected && !o.dry_run && (o.recipients.empty() || !will_be_signed)) {
        return error(Code::kInvalidArgument,
                     "a sealed file needs --encrypt-to and --sign, or --sign-later (or, for a ",
                     "local experiment, --unprotected)");
    }
    if (will_be_signed && (o.name.empty() || o.version == 0)) {
        return error(Code::kInvalidArgument, "a signed model needs --name and --model-version (1 or more)");
    }
    const bool calibrates = o.precision == "int8";
    if (!calibrates && (!o.data.empty() || o.synthetic)) {
        return error(Code::kInvalidArgument, o.synthetic ? "--synthetic" : "--data",
                     " goes with --precision int8, not with ", o.precision);
    }
    if (calibrates && o.data.empty() && !o.synthetic) {
        return error(Code::kInvalidArgument,
                     "--precision int8 needs --data DIR with samples (or --synthetic, unverified; or int8-dynamic)");
    }
    if (o.output.empty() && !o.dry_run) return error(Code::kInvalidArgument, "-o OUT.coffer is missing");
    return {};
}

// Nothing that is read may be replaced: a lost signing key cannot be made again.
Status check_output(const PackOptions& o) {
    if (o.dry_run) return {};
    COFFER_TRY(refuse_same_file(o.output, o.input));
    return refuse_same_file(o.output, {&o.attach, &o.recipients, &o.signers, &o.distributors});
}

// Users' --min-version can only protect against old files when versions grow.
void warn_version(const PackOptions& o, std::vector<std::string>& warnings) {
    if (o.dry_run || o.name.empty()) return;
    const auto old = container::inspect(container::Source::file(o.output));
    const auto id = trust::model_id(o.name);
    if (!old || !id || old->header.model_id != *id || old->header.model_version < o.version) return;
    warnings.push_back(fmt::format("the version is not raised: '{}' holds version {} of {}, this is version {}",
                                   o.output, old->header.model_version, o.name, o.version));
}

Result<offline::Prepared> prepare(const PackOptions& o, StatusLine& status) {
    offline::PrepareOptions p;
    p.progress = [&](const char* phase) { status.show(fmt::format("{}: {}", o.input, phase)); };
    if (o.precision == "int8") p.precision = offline::Precision::kInt8;
    if (o.precision == "int8-dynamic") p.precision = offline::Precision::kInt8Dynamic;
    p.data = o.data;
    p.synthetic = o.synthetic;
    for (const std::string& text : o.states) {
        COFFER_TRY_ASSIGN(auto pair, key_value(text, "--state"));
        p.states.push_back({pair.first, pair.second});
    }
    COFFER_TRY_ASSIGN(offline::Prepared prepared, named(o.input, offline::prepare(o.input, p)));
    for (const std::string& text : o.meta) {
        COFFER_TRY_ASSIGN(auto pair, key_value(text, "--meta"));
        prepared.model.metadata.push_back(std::move(pair));
    }
    for (const std::string& path : o.attach) {
        COFFER_TRY_ASSIGN(graph::Blob blob, offline::read_attachment(path));
        prepared.model.blobs.push_back(std::move(blob));
    }
    prepared.model.name = o.name;
    prepared.model.version = o.version;
    prepared.model.producer = std::string("model-pack ") + COFFER_VERSION;
    return prepared;
}

Json summary(const PackOptions& o, const offline::Prepared& p) {
    Json passes = Json::object();
    for (const offline::PassStats& s : p.passes) passes[s.name] = s.changes;
    size_t nodes = 0;
    for (const graph::Graph& g : p.model.graphs) nodes += g.nodes.size();
    return {{"file", o.input},
            {"precision", o.precision},
            {"node_count", nodes},
            {"weight_bytes", offline::weight_bytes(p.model)},
            {"original_weight_bytes", p.original_weight_bytes},
            {"pass_counts", passes},
            {"warnings", p.import.warnings},
            {"notes", p.notes}};
}

Result<int> dry_run(const PackOptions& o, offline::Prepared prepared) {
    Json result = summary(o, prepared);
    COFFER_TRY(named(o.input, runtime::Model::create(std::move(prepared.model))));
    result["will_run"] = true;
    if (o.json) {
        print_json("pack", result);
        return kOk;
    }
    print("{} will run: {} nodes, weights {}\n", o.input, result["node_count"].get<size_t>(),
          bytes_text(result["weight_bytes"].get<uint64_t>()));
    return kOk;
}

Result<int> pack(const PackOptions& o) {
    COFFER_TRY(check(o));
    COFFER_TRY(check_output(o));
    container::WriteOptions w;
    COFFER_TRY_ASSIGN(const std::vector<trust::SigningKey> signers, load_signing_keys(o.signers, "--sign"));
    COFFER_TRY_ASSIGN(const std::vector<trust::SigningKey> distributors,
                      load_signing_keys(o.distributors, "--sign-slots"));
    for (const trust::SigningKey& key : signers) w.signers.push_back(&key);
    for (const trust::SigningKey& key : distributors) w.distributors.push_back(&key);
    COFFER_TRY_ASSIGN(w.recipients, load_recipients(o.recipients, o.kms));
    w.unprotected = o.unprotected;
    w.require_licence = o.licence;
    w.pad_payload = o.pad;
    w.suite = suite_of(o.suite);
    w.op_version = &ops::version_of;
    COFFER_TRY_ASSIGN(w.created, created_time());
    if (!o.expires.empty()) {
        COFFER_TRY_ASSIGN(const uint64_t seconds, duration(o.expires, "--expires"));
        w.not_after = w.created + seconds;
    }
    StatusLine status;
    COFFER_TRY_ASSIGN(offline::Prepared prepared, prepare(o, status));
    status.clear();
    warn_version(o, prepared.import.warnings);
    if (!o.json) {
        for (const std::string& text : prepared.import.warnings) print_note("warning: " + text);
        for (const std::string& text : prepared.notes) print_note("note: " + text);
        if (w.recipients.size() == 1)
            print_note("note: there is one recipient; if its key is lost, the file cannot be opened");
    }
    if (o.dry_run) return dry_run(o, std::move(prepared));

    status.show(o.output + ": write");
    COFFER_TRY_ASSIGN(const container::Written written, container::write(prepared.model, w, o.output));
    status.clear();
    Json result = summary(o, prepared);
    result["output"] = o.output;
    result["file_bytes"] = written.file_size;
    result["content_id"] = hex(written.content_id);
    result["manifest_sha256"] = hex(written.manifest_sha256);
    result["payload_sha256"] = hex(written.payload_sha256);
    if (o.json) {
        print_json("pack", result);
    } else {
        print("{}: {} ({} of weights, {} in the original), {}\n", o.output, bytes_text(written.file_size),
              bytes_text(result["weight_bytes"].get<uint64_t>()), bytes_text(prepared.original_weight_bytes),
              o.unprotected ? "UNPROTECTED" : (o.sign_later ? "encrypted, NOT SIGNED YET" : "encrypted and signed"));
    }
    return kOk;
}

}  // namespace

void add_pack(CLI::App& root, std::vector<Verb>& verbs) {
    auto* app = root.add_subcommand("pack", "Turn an ONNX model into one sealed file");
    auto o = std::make_shared<PackOptions>();
    app->add_option("IN.onnx", o->input, "The model")->required();
    app->add_option("-o,--output", o->output, "The file to write; replaced in one step")->type_name("OUT.coffer");
    app->add_option("--name", o->name, "Identity of the model, such as com.acme.detector")->type_name("ID");
    app->add_option("--model-version", o->version, "Version of the model, 1 or more; raise it with every release");
    app->add_option("--precision", o->precision, "fp32, int8 (calibrated with --data) or int8-dynamic")
        ->check(CLI::IsMember({"fp32", "int8", "int8-dynamic"}))
        ->capture_default_str();
    app->add_option("--data", o->data, "Samples for --precision int8: DIR/*.npy, or DIR/<sample>/<input>.npy")
        ->type_name("DIR");
    app->add_flag("--synthetic", o->synthetic, "Calibrate with made-up samples (unverified)");
    app->add_option("--attach", o->attach, "Store a file (labels, dictionary); may be repeated")->type_name("FILE");
    app->add_option("--meta", o->meta, "Store a text; may be repeated")->type_name("K=V");
    app->add_option("--state", o->states, "Let the runner carry an output to an input of the next run")
        ->type_name("OUT=IN");
    app->add_option("--expires", o->expires, "Refuse to open this long after packing, such as 90d")
        ->type_name("DURATION");
    app->add_option("--encrypt-to", o->recipients,
                    "age1... recipient, a file of them or of PEM keys, 'password', 'raw:FILE', 'pkcs11:...' or "
                    "'kms:URI' (with --kms); may be repeated")
        ->type_name("R");
    add_kms(*app, o->kms);
    auto* sign =
        app->add_option("--sign", o->signers, "Private signing key (PEM); may be repeated")->type_name("KEY");
    app->add_flag("--sign-later", o->sign_later, "Do not sign; `model-pack sign` adds signatures to the file")
        ->excludes(sign);
    app->add_option("--sign-slots", o->distributors,
                    "Private key (PEM) of a distributor: recipients count only when he signed them; may be repeated")
        ->type_name("KEY");
    add_suite(*app, o->suite, "Cipher suite");
    app->add_flag("--require-licence", o->licence,
                  "Opens through a licence alone; --encrypt-to names product keys, raw:FILE");
    app->add_flag("--pad", o->pad, "Hide the exact size (adds at most 12 %)");
    app->add_flag("--unprotected", o->unprotected,
                  "Neither encrypt nor sign, for local experiments; opens with --allow-unprotected --allow-unsigned");
    app->add_flag("--dry-run", o->dry_run, "Only say whether the model will run and at what size");
    add_json(*app, o->json);
    app->footer(
        "A sealed file needs --encrypt-to, --sign (or --sign-later), --name and --model-version.\n\n"
        "Examples:\n"
        "  model-pack pack net.onnx --dry-run\n"
        "  model-pack pack net.onnx -o net.coffer --precision int8 --data samples/ \\\n"
        "      --name com.acme.net --model-version 1 --encrypt-to device.pub --sign vendor.key");
    verbs.push_back({app, [o] { return pack(*o); }});
}

}  // namespace coffer::cli
