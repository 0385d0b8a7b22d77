// Whom a file is encrypted to, from the words of --encrypt-to.
#include "cli.hpp"
#include "crypto/age.hpp"
#include "trust/token.hpp"

namespace coffer::cli {
namespace {

Result<container::Recipient> new_password() {
    COFFER_TRY_ASSIGN(const crypto::SecretBytes first, ask_password("New password: "));
    COFFER_TRY_ASSIGN(const crypto::SecretBytes second, ask_password("Again: "));
    if (first.empty()) return error(Code::kInvalidArgument, "the password is empty");
    if (!(first == second)) return error(Code::kInvalidArgument, "the two passwords differ");
    return container::password_recipient(first.bytes());
}

// The helper whose prefix covers `uri`, the longest of several.
Result<container::Recipient> key_service(const std::string& uri, const std::vector<std::string>& routes) {
    COFFER_TRY(trust::check_kms_uri(uri));
    std::optional<KmsRoute> best;
    for (const std::string& text : routes) {
        COFFER_TRY_ASSIGN(KmsRoute route, parse_kms(text));
        if (!trust::kms_uri_below(uri, route.prefix)) continue;
        if (!best || route.prefix.size() > best->prefix.size()) best = std::move(route);
    }
    if (!best) return error(Code::kInvalidArgument, "no --kms PREFIX=PROGRAM covers '", uri, "'");
    COFFER_TRY(best->helper.check());
    return container::kms_recipient(uri, best->helper.wrapper());
}

container::Recipient of_key(const trust::RecipientKey& key) {
    if (const auto* p256 = std::get_if<crypto::P256Public>(&key)) return container::p256_recipient(*p256);
    return container::x25519_recipient(std::get<crypto::X25519Public>(key));
}

}  // namespace

Status add_recipients(const std::string& spec, std::vector<container::Recipient>& out,
                      const std::vector<std::string>& kms) {
    const auto add = [&](Result<container::Recipient> recipient) -> Status {
        COFFER_TRY_ASSIGN(container::Recipient r, std::move(recipient));
        out.push_back(std::move(r));
        return {};
    };
    if (spec == "password") return add(new_password());
    if (spec.starts_with("raw:")) {
        COFFER_TRY_ASSIGN(const crypto::SecretBytes key, trust::read_key_file(spec.substr(4)));
        return add(container::raw_key_recipient(key.bytes()));
    }
    if (spec.starts_with("kms:")) return add(key_service(spec.substr(4), kms));
    if (spec.starts_with("pkcs11:")) {
        COFFER_TRY_ASSIGN(const auto key, trust::find_token_key(spec, ask_pin));
        return add(container::p256_recipient(key->public_key()));
    }
    if (spec.starts_with("age1")) {
        COFFER_TRY_ASSIGN(const crypto::X25519Public key, crypto::parse_age_recipient(spec));
        return add(container::x25519_recipient(key));
    }
    COFFER_TRY_ASSIGN(const std::vector<trust::RecipientKey> keys, trust::load_recipients(spec));
    for (const trust::RecipientKey& key : keys) COFFER_TRY(add(of_key(key)));
    return {};
}

}  // namespace coffer::cli
