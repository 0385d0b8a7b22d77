// key new, key pub: identities as age writes them, signing and P-256 keys as PKCS#8 PEM.
#include "cli.hpp"
#include "crypto/age.hpp"
#include "crypto/pem.hpp"
#include "trust/token.hpp"

namespace coffer::cli {
namespace {

struct NewOptions {
    std::string output;
    bool signing = false, p256 = false, passphrase = false, json = false;
};

Result<crypto::SecretBytes> new_passphrase() {
    COFFER_TRY_ASSIGN(crypto::SecretBytes first, ask_password("New passphrase: "));
    COFFER_TRY_ASSIGN(const crypto::SecretBytes second, ask_password("Again: "));
    if (first.empty()) return error(Code::kInvalidArgument, "the passphrase is empty");
    if (!(first == second)) return error(Code::kInvalidArgument, "the two passphrases differ");
    return first;
}

Result<int> key_new(const NewOptions& o) {
    Json result{{"output", o.output}};
    if (o.signing) {
        COFFER_TRY_ASSIGN(const trust::SigningKey key, trust::SigningKey::generate());
        crypto::SecretBytes passphrase;
        if (o.passphrase) {
            COFFER_TRY_ASSIGN(passphrase, new_passphrase());
        }
        COFFER_TRY_ASSIGN(const crypto::SecretBytes pem, key.to_pem(passphrase.bytes()));
        COFFER_TRY(trust::write_key_file(o.output, pem.bytes()));
        result["kind"] = "signing";
        result["key_id"] = hex(key.signer().id);
    } else if (o.passphrase) {
        return error(Code::kInvalidArgument, "--passphrase is for signing keys (--signing)");
    } else if (o.p256) {
        COFFER_TRY_ASSIGN(const crypto::P256Identity identity, crypto::P256Identity::generate());
        COFFER_TRY_ASSIGN(const crypto::SecretBytes pem, crypto::p256_private_to_pem(identity));
        COFFER_TRY(trust::write_key_file(o.output, pem.bytes()));
        result["kind"] = "encryption";
        COFFER_TRY_ASSIGN(const std::string recipient, crypto::p256_public_to_pem(identity.public_key));
        result["recipient"] = recipient;
    } else {
        COFFER_TRY_ASSIGN(const crypto::X25519Identity identity, crypto::X25519Identity::generate());
        COFFER_TRY_ASSIGN(const crypto::SecretBytes text, trust::identity_file_text(identity, os::unix_time()));
        COFFER_TRY(trust::write_key_file(o.output, text.bytes()));
        result["kind"] = "encryption";
        COFFER_TRY_ASSIGN(const std::string recipient, crypto::age_recipient(identity.public_key));
        result["recipient"] = recipient;
    }
    if (o.json) {
        print_json("key new", result);
    } else if (!o.signing) {
        fmt::print(stderr, "Public key:{}{}\n", o.p256 ? "\n" : " ", result["recipient"].get<std::string>());
    } else {
        print_note(fmt::format("Signing key id: {}", result["key_id"].get<std::string>()));
    }
    return kOk;
}

Result<std::string> public_part(const std::string& path) {
    if (path.starts_with("pkcs11:")) {
        COFFER_TRY_ASSIGN(const auto key, trust::find_token_key(path, ask_pin));
        return crypto::p256_public_to_pem(key->public_key());
    }
    COFFER_TRY_ASSIGN(const crypto::SecretBytes text, trust::read_key_file(path));
    if (crypto::is_pem(text.bytes())) {
        if (const auto key = crypto::p256_private_from_pem(text.bytes())) {
            return crypto::p256_public_to_pem(key->public_key);
        }
        COFFER_TRY_ASSIGN(const trust::SigningKey key,
                          trust::load_signing_key(path, [] { return ask_password("Passphrase: "); }));
        return crypto::ed25519_public_to_pem(key.signer().public_key);
    }
    trust::Keyring keyring;
    COFFER_TRY(trust::load_keys(keyring, path));
    std::string out;
    for (const auto& identity : keyring.identities()) {
        COFFER_TRY_ASSIGN(const std::string recipient, crypto::age_recipient(identity.public_key));
        out += recipient + "\n";
    }
    if (out.empty()) return error(Code::kAuth, "key file '", path, "': a raw key has no public part");
    return out;
}

Result<int> key_pub(const std::string& path, bool json) {
    COFFER_TRY_ASSIGN(const std::string out, public_part(path));
    if (json) {
        print_json("key pub", {{"file", path}, {"public", out}});
    } else {
        fmt::print("{}", out);
    }
    return kOk;
}

}  // namespace

void add_key(CLI::App& root, std::vector<Verb>& verbs) {
    auto* app = root.add_subcommand("key", "Make keys and show their public parts");
    app->require_subcommand(1);
    auto* create = app->add_subcommand("new", "Write a new private key file (mode 0600, never overwritten)");
    auto o = std::make_shared<NewOptions>();
    create->add_option("-o,--output", o->output, "The file to write")->required()->type_name("FILE");
    auto* signing = create->add_flag("--signing", o->signing,
                                     "An Ed25519 signing key; without it, an X25519 identity as age-keygen makes");
    create->add_flag("--p256", o->p256, "A P-256 key (PEM) instead, as tokens and keystores have them")
        ->excludes(signing);
    create->add_flag("--passphrase", o->passphrase, "Encrypt the signing key; the passphrase is asked");
    add_json(*create, o->json);
    create->footer(
        "Examples:\n"
        "  model-pack key new --output device.key\n"
        "  model-pack key new --output vendor.key --signing --passphrase");
    verbs.push_back({create, [o] { return key_new(*o); }});

    auto* pub = app->add_subcommand("pub", "Print the age1... recipient or the public key (PEM)");
    auto path = std::make_shared<std::string>();
    auto json = std::make_shared<bool>(false);
    pub->add_option("FILE", *path, "A private key file, or 'pkcs11:...' for a key in a token")->required();
    add_json(*pub, *json);
    pub->footer(
        "Examples:\n"
        "  model-pack key pub device.key > device.pub\n"
        "  model-pack key pub vendor.key > vendor.pem\n"
        "  model-pack key pub 'pkcs11:token=demo;object=model?module-path=/usr/lib/softhsm/libsofthsm2.so'");
    verbs.push_back({pub, [path, json] { return key_pub(*path, *json); }});
}

}  // namespace coffer::cli
