// inspect: what a file says. Without keys or whom to trust nothing of it is verified, and it is labelled so.
#include "cli.hpp"
#include "offline/pack.hpp"
#include "oms.hpp"

namespace coffer::cli {
namespace {

struct InspectOptions {
    std::string file;
    AccessOptions access;
    bool json = false;
};

Json describe_values(const runtime::Model& model, bool inputs) {
    Json list = Json::array();
    const size_t count = inputs ? model.inputs().size() : model.outputs().size();
    for (size_t i = 0; i < count; ++i) {
        const graph::ValueInfo& v = inputs ? model.input(i) : model.output(i);
        Json shape = Json::array();
        if (v.type.dims) {
            for (const graph::Dim& d : *v.type.dims) {
                if (d.known()) {
                    shape.push_back(d.value);
                } else {
                    shape.push_back(d.symbol.empty() ? Json(nullptr) : Json(d.symbol));
                }
            }
        }
        list.push_back({{"name", v.name}, {"dtype", dtype_name(v.type.dtype)}, {"shape", shape}});
    }
    return list;
}

Json describe_file(const container::Unverified& u) {
    Json slots = Json::array(), signatures = Json::array();
    for (const auto& s : u.slots) {
        slots.push_back({{"kind", trust::slot_kind_name(s.kind)}, {"slot_id", hex(s.slot_id)}});
        if (const std::string uri = container::kms_slot_uri(s.kind, s.body); !uri.empty()) slots.back()["uri"] = uri;
    }
    for (const auto& s : u.signatures)
        signatures.push_back({{"alg", s.alg == 1 ? "ed25519" : std::to_string(s.alg)}, {"key_id", hex(s.key_id)}});
    return {{"file_bytes", u.file_size},
            {"content_id", hex(u.content_id)},
            {"model_id", hex(u.header.model_id)},
            {"model_version", u.header.model_version},
            {"licence_required", u.header.has(container::kLicenceRequired)},
            {"created_time", json_time(u.header.created)},
            {"not_after_time", json_time(u.header.not_after)},
            {"suite", crypto::suite_name(u.header.aead())},
            {"payload_bytes", u.header.payload_len},
            {"signatures", signatures},
            {"recipients", slots}};
}

Result<int> inspect_onnx(const InspectOptions& o) {
    offline::PrepareOptions p;
    COFFER_TRY_ASSIGN(offline::Prepared prepared, named(o.file, offline::prepare(o.file, p)));
    Json ops = Json::object();
    for (const graph::Graph& g : prepared.model.graphs) {
        for (const graph::Node& n : g.nodes) ops[n.op] = ops.value(n.op, 0) + 1;
    }
    Json result{
        {"file", o.file}, {"format", "onnx"}, {"weight_bytes", prepared.original_weight_bytes}, {"op_counts", ops}};
    COFFER_TRY_ASSIGN(const auto model, named(o.file, runtime::Model::create(std::move(prepared.model))));
    result["will_run"] = true;
    result["inputs"] = describe_values(*model, true);
    result["outputs"] = describe_values(*model, false);
    if (o.json) {
        print_json("inspect", result);
    } else {
        print("{}: ONNX, will run. After optimization:\n", o.file);
        for (const auto& [op, count] : result["op_counts"].items()) print("  {:<22} {}\n", op, count.get<int>());
    }
    return kOk;
}

bool is_onnx(const std::string& path) {
    return path.size() > 5 && path.ends_with(".onnx");
}

Result<int> inspect(const InspectOptions& o) {
    if (is_onnx(o.file)) return inspect_onnx(o);
    COFFER_TRY_ASSIGN(const container::Unverified facts,
                      named(o.file, container::inspect(container::Source::file(o.file))));
    Json result{{"file", o.file}, {"format", "coffer"}};
    result.update(describe_file(facts));
    result["verified"] = false;
    if (o.access != AccessOptions{}) {
        if (o.access.has_keys() || o.access.allow_unprotected) {
            COFFER_TRY_ASSIGN(const runtime::Loaded loaded, load(o.file, o.access, true));
            result["name"] = loaded.model->graph().name;
            result["producer"] = loaded.model->graph().producer;
            result["inputs"] = describe_values(*loaded.model, true);
            result["outputs"] = describe_values(*loaded.model, false);
            result["node_count"] = loaded.model->main().nodes.size();
            result["weight_bytes"] = loaded.model->weight_bytes();
            Json metadata = Json::object(), blobs = Json::array();
            for (const auto& [k, v] : loaded.model->graph().metadata) metadata[k] = v;
            for (const auto& blob : loaded.model->graph().blobs)
                blobs.push_back({{"name", blob.name}, {"size_bytes", blob.bytes.size()}});
            result["metadata"] = metadata;
            result["attachments"] = blobs;
            result["manifest_sha256"] = hex(loaded.manifest_sha256);
            result["payload_sha256"] = hex(loaded.payload_sha256);
            result["verified"] = !loaded.facts.signers.empty();
        } else {
            COFFER_TRY_ASSIGN(const Access access, Access::create(o.access));
            COFFER_TRY_ASSIGN(const container::Facts checked,
                              named(o.file, container::verify(container::Source::file(o.file), access.policy)));
            result["verified"] = !checked.signers.empty();
        }
    }
    if (o.json) {
        print_json("inspect", result);
    } else {
        print_fields(o.file, result["verified"].get<bool>(), result);
    }
    return kOk;
}

struct VerifyOptions {
    std::string file, oms, oms_key;
    AccessOptions access;
    bool json = false;
};

Result<int> verify_oms(const VerifyOptions& o) {
    COFFER_TRY_ASSIGN(const std::vector<std::byte> pem, os::read_file(o.oms_key, trust::kMaxKeyFileBytes));
    auto key = crypto::EcdsaPublic::from_pem(as_text(pem));
    if (!key) return key.error().within("'" + o.oms_key + "': ");
    COFFER_TRY_ASSIGN(const oms::Verified verified, named(o.oms, oms::verify(o.file, o.oms, *key)));
    if (o.json) {
        print_json("verify",
                   {{"file", o.file}, {"ok", true}, {"name", verified.name}, {"file_count", verified.files}});
    } else {
        print("{}: ok, {} file{} signed as '{}' in {}\n", o.file, verified.files, verified.files == 1 ? "" : "s",
              verified.name, o.oms);
    }
    return kOk;
}

Result<int> verify(const VerifyOptions& o) {
    if (o.oms.empty() != o.oms_key.empty()) return error(Code::kInvalidArgument, "--oms and --oms-key go together");
    if (!o.oms.empty()) {
        if (o.access != AccessOptions{}) {
            return error(Code::kInvalidArgument,
                         "--oms checks the bundle alone; verify with --trust, --key and their like by itself");
        }
        return verify_oms(o);
    }
    COFFER_TRY_ASSIGN(const Access access, Access::create(o.access));
    COFFER_TRY_ASSIGN(container::Source source, open_source(o.file));
    COFFER_TRY_ASSIGN(const container::Facts facts,
                      named(o.file, container::verify(std::move(source), access.policy)));
    const bool opened = o.access.has_keys();
    if (opened) COFFER_TRY(load(o.file, access));
    Json signers = Json::array();
    for (const trust::KeyId& id : facts.signers) signers.push_back(hex(id));
    if (o.json) {
        print_json("verify", {{"file", o.file},
                              {"ok", true},
                              {"content_id", hex(facts.content_id)},
                              {"model_version", facts.header.model_version},
                              {"signer_key_ids", signers},
                              {"opened", opened}});
    } else {
        print("{}: ok, version {}, signed by {} trusted key{}{}\n", o.file, facts.header.model_version,
              signers.size(), signers.size() == 1 ? "" : "s", opened ? ", every chunk opens" : "");
    }
    return kOk;
}

}  // namespace

void add_inspect(CLI::App& root, std::vector<Verb>& verbs) {
    auto* app = root.add_subcommand("inspect", "Show what a file says of itself");
    auto o = std::make_shared<InspectOptions>();
    app->add_option("FILE", o->file, "A .coffer or .onnx file")->required();
    add_access(*app, o->access);
    add_json(*app, o->json);
    app->footer(
        "With any option about keys or trust the file is verified as `verify` does, with a key opened too.\n\n"
        "Examples:\n"
        "  model-pack inspect net.coffer\n"
        "  model-pack inspect net.coffer --key device.key --trust vendor.pem");
    verbs.push_back({app, [o] { return inspect(*o); }});
}

void add_verify(CLI::App& root, std::vector<Verb>& verbs) {
    auto* app = root.add_subcommand("verify", "Check signature and every hash; with a key, open every chunk too");
    auto o = std::make_shared<VerifyOptions>();
    app->add_option("FILE", o->file, "A .coffer file")->required();
    add_access(*app, o->access);
    app->add_option("--oms", o->oms,
                    "Check an OpenSSF Model Signing bundle instead; FILE may be any file or a folder")
        ->type_name("BUNDLE");
    app->add_option("--oms-key", o->oms_key, "Public key (PEM, P-256 or P-384) for --oms")->type_name("PUB");
    add_json(*app, o->json);
    app->footer(
        "Examples:\n"
        "  model-pack verify net.coffer --trust vendor.pem --name com.acme.net --min-version 3\n"
        "  model-pack verify net.coffer --oms net.coffer.sig --oms-key oms.pem");
    verbs.push_back({app, [o] { return verify(*o); }});
}

}  // namespace coffer::cli
