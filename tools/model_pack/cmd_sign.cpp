// sign: signatures for a file that is packed already, by keys that are here or elsewhere.
#include "cli.hpp"
#include "container/sign.hpp"
#include "oms.hpp"

namespace coffer::cli {
namespace {

struct SignOptions {
    std::string file, request, add, by, oms, output;
    std::vector<std::string> keys;
    bool json = false;
};

Status check(const SignOptions& o) {
    const int ways = !o.keys.empty() + !o.request.empty() + !o.add.empty() + !o.oms.empty();
    if (ways != 1) {
        return error(Code::kInvalidArgument,
                     "sign needs one of --sign KEY, --emit-request R, --add SIGNATURE and --oms-key KEY");
    }
    if (o.oms.empty() != o.output.empty())
        return error(Code::kInvalidArgument, "--oms-key and -o BUNDLE go together");
    if ((o.request.empty() && o.add.empty()) != o.by.empty()) {
        return error(Code::kInvalidArgument, o.by.empty()
                                                 ? "--emit-request and --add need --signer PUB, the public key "
                                                   "of the one who signs"
                                                 : "--signer goes with --emit-request and --add");
    }
    for (const std::string& output : {o.request, o.output}) {
        for (const std::string& input : {o.file, o.by, o.oms}) {
            if (!output.empty() && !input.empty()) COFFER_TRY(refuse_same_file(output, input));
        }
    }
    return {};
}

Result<int> emit_request(const SignOptions& o, const trust::Signer& signer) {
    COFFER_TRY_ASSIGN(const std::vector<std::byte> message,
                      named(o.file, container::signing_message(o.file, signer)));
    COFFER_TRY(write_text(o.request, std::string(as_text(message))));
    if (o.json) {
        print_json("sign", {{"file", o.file},
                            {"output", o.request},
                            {"key_id", hex(signer.id)},
                            {"message_hex", hex(message)},
                            {"content_id", hex(Bytes(message).last(sizeof(container::Digest)))}});
    } else {
        print("{}: the {} bytes that key {} signs with Ed25519\n", o.request, message.size(), hex(signer.id));
    }
    return kOk;
}

Result<int> sign_oms(const SignOptions& o) {
    COFFER_TRY_ASSIGN(const crypto::SecretBytes pem, trust::read_key_file(o.oms));
    crypto::SecretBytes passphrase;
    if (crypto::EcdsaPrivate::needs_passphrase(pem.bytes())) {
        COFFER_TRY_ASSIGN(passphrase, ask_password("Passphrase of " + o.oms + ": "));
    }
    auto key = crypto::EcdsaPrivate::from_pem(pem.bytes(), passphrase.bytes());
    if (!key) return key.error().within("key file '" + o.oms + "': ");
    COFFER_TRY_ASSIGN(const std::string bundle, oms::sign(o.file, *key));
    COFFER_TRY(write_text(o.output, bundle));
    if (o.json) {
        print_json("sign", {{"file", o.file}, {"output", o.output}});
    } else {
        print("{}: OMS bundle for the bytes of {} as they are now\n", o.output, o.file);
    }
    return kOk;
}

Result<int> sign(const SignOptions& o) {
    COFFER_TRY(check(o));
    if (!o.oms.empty()) return sign_oms(o);
    std::vector<container::Signing> signings;
    if (!o.by.empty()) {
        COFFER_TRY_ASSIGN(const trust::Signer signer, trust::load_signer(o.by));
        if (!o.request.empty()) return emit_request(o, signer);
        COFFER_TRY_ASSIGN(const std::vector<std::byte> signature, os::read_file(o.add, 4096));
        signings.push_back(container::signing_made(signer, signature));
    }
    COFFER_TRY_ASSIGN(const std::vector<trust::SigningKey> keys, load_signing_keys(o.keys, "--sign"));
    for (const trust::SigningKey& key : keys) signings.push_back(container::signing_with(key));
    COFFER_TRY_ASSIGN(const auto done, named(o.file, container::sign(o.file, signings)));
    Json ids = Json::array();
    for (const container::Signing& signing : signings) ids.push_back(hex(signing.signer.id));
    if (o.json) {
        print_json("sign", {{"file", o.file},
                            {"content_id", hex(done.content_id)},
                            {"added_key_ids", ids},
                            {"signature_count", done.signatures}});
    } else {
        print("{}: {} signature{} added, {} now\n", o.file, ids.size(), ids.size() == 1 ? "" : "s", done.signatures);
    }
    return kOk;
}

}  // namespace

void add_sign(CLI::App& root, std::vector<Verb>& verbs) {
    auto* app = root.add_subcommand("sign", "Add signatures to a packed file; needs no key to its content");
    auto o = std::make_shared<SignOptions>();
    app->add_option("FILE", o->file, "A .coffer file")->required();
    app->add_option("--sign", o->keys, "Private signing key (PEM); may be repeated")->type_name("KEY");
    app->add_option("--emit-request", o->request, "Write the message to be signed elsewhere")->type_name("R");
    app->add_option("--add", o->add, "Add the signature (64 bytes) made elsewhere over that message")
        ->type_name("SIGNATURE");
    app->add_option("--signer", o->by, "Public key (PEM) of the one who signs elsewhere")->type_name("PUB");
    app->add_option("--oms-key", o->oms,
                    "Write an OpenSSF Model Signing bundle for other people's tools, with this P-256 or P-384 key")
        ->type_name("KEY");
    app->add_option("-o,--output", o->output, "The bundle to write")->type_name("BUNDLE");
    add_json(*app, o->json);
    app->footer(
        "Every hash of the file is checked before it is signed. Only the signatures change.\n\n"
        "Examples:\n"
        "  model-pack sign net.coffer --sign second.key\n"
        "  model-pack sign net.coffer --emit-request net.tbs --signer hsm.pem\n"
        "  openssl pkeyutl -sign -rawin -in net.tbs -inkey hsm.key -out net.sig     (on the other machine)\n"
        "  model-pack sign net.coffer --add net.sig --signer hsm.pem\n"
        "  model-pack sign net.coffer --oms-key oms.key -o net.coffer.sig");
    verbs.push_back({app, [o] { return sign(*o); }});
}

}  // namespace coffer::cli
