// Whom a file is encrypted to, from the words of --encrypt-to.
#include <set>

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
Result<container::Recipient> key_service(const std::string& uri, const KmsOptions& kms) {
    COFFER_TRY(trust::check_kms_uri(uri));
    COFFER_TRY_ASSIGN(const std::vector<KmsRoute> routes, parse_kms(kms));
    const KmsRoute* best = nullptr;
    for (const KmsRoute& route : routes) {
        if (!trust::kms_uri_below(uri, route.prefix)) continue;
        if (!best || route.prefix.size() > best->prefix.size()) best = &route;
    }
    if (!best) return error(Code::kInvalidArgument, "no --kms PREFIX=PROGRAM covers '", uri, "'");
    COFFER_TRY(best->helper.check());
    return container::kms_recipient(uri, best->helper.wrapper());
}

struct List {
    std::vector<container::Recipient> recipients;
    std::set<std::string> names;

    Status add(const std::string& name, Result<container::Recipient> recipient) {
        COFFER_TRY_ASSIGN(container::Recipient r, std::move(recipient));
        if (!names.insert(name).second) return error(Code::kInvalidArgument, "recipient ", name, " is given twice");
        recipients.push_back(std::move(r));
        return {};
    }

    Status add(const trust::RecipientKey& key) {
        if (const auto* p256 = std::get_if<crypto::P256Public>(&key)) return add_p256(*p256);
        const auto& x25519 = std::get<crypto::X25519Public>(key);
        COFFER_TRY_ASSIGN(const std::string name, crypto::age_recipient(x25519));
        return add(name, container::x25519_recipient(x25519));
    }

    Status add_p256(const crypto::P256Public& key) {
        return add("P-256 " + hex(key), container::p256_recipient(key));
    }

    Status add_raw(const std::string& path) {
        COFFER_TRY_ASSIGN(crypto::SecretBytes key, trust::read_key_file(path));
        COFFER_TRY_ASSIGN(container::Recipient recipient, named(path, container::raw_key_recipient(key.bytes())));
        COFFER_TRY_ASSIGN(const trust::RawKey raw, trust::RawKey::from_secret(std::move(key)));
        return add("raw key " + hex(raw.id), std::move(recipient));
    }

    Status add(const std::string& spec, const KmsOptions& kms) {
        if (spec == "password") return add(spec, new_password());
        if (spec.starts_with("raw:")) return add_raw(spec.substr(4));
        if (spec.starts_with("kms:")) return add(spec, key_service(spec.substr(4), kms));
        if (spec.starts_with("pkcs11:")) {
            COFFER_TRY_ASSIGN(const auto key, trust::find_token_key(spec, ask_pin));
            return add_p256(key->public_key());
        }
        if (spec.starts_with("age1")) {
            COFFER_TRY_ASSIGN(const crypto::X25519Public key, crypto::parse_age_recipient(spec));
            return add(trust::RecipientKey(key));
        }
        COFFER_TRY_ASSIGN(const std::vector<trust::RecipientKey> keys, trust::load_recipients(spec));
        for (const trust::RecipientKey& key : keys) COFFER_TRY(add(key));
        return {};
    }
};

}  // namespace

Result<std::vector<container::Recipient>> load_recipients(const std::vector<std::string>& specs,
                                                          const KmsOptions& kms) {
    List list;
    for (const std::string& spec : specs) COFFER_TRY(list.add(spec, kms));
    return std::move(list.recipients);
}

}  // namespace coffer::cli
