#include "trust/keyring.hpp"

#include <algorithm>

#include "crypto/age.hpp"
#include "crypto/pem.hpp"
#include "trust/key_kind.hpp"
#include "trust/licence.hpp"
#include "trust/lines.hpp"

namespace coffer::trust {
namespace {

constexpr size_t kRawKeySize = 32;

}  // namespace

Result<KekId> kek_id(Bytes key) {
    COFFER_TRY_ASSIGN(const crypto::Hash mac, crypto::hmac_sha256(key, as_bytes("coffer/v1/kek-id")));
    KekId id;
    std::copy_n(mac.begin(), id.size(), id.begin());
    return id;
}

Result<RawKey> RawKey::from_secret(crypto::SecretBytes key) {
    const Bytes bytes = key.bytes();
    if (bytes.size() != kRawKeySize) {
        return error(Code::kAuth, "a raw key has ", kRawKeySize, " bytes, not ", bytes.size());
    }
    RawKey raw;
    COFFER_TRY_ASSIGN(raw.id, kek_id(bytes));
    raw.key = std::move(key);
    return raw;
}

Status Keyring::add_raw_key(crypto::SecretBytes key) {
    COFFER_TRY_ASSIGN(RawKey raw, RawKey::from_secret(std::move(key)));
    const bool known = std::ranges::find(raw_keys_, raw.id, &RawKey::id) != raw_keys_.end();
    if (!known) raw_keys_.push_back(std::move(raw));
    return {};
}

Status Keyring::add_identity(crypto::X25519Identity identity) {
    if (identity.secret.bytes().size() != crypto::kX25519KeySize) {
        return error(Code::kInvalidArgument, "an X25519 identity has ", crypto::kX25519KeySize, " bytes");
    }
    const bool known =
        std::ranges::find(identities_, identity.public_key, &crypto::X25519Identity::public_key) != identities_.end();
    if (!known) identities_.push_back(std::move(identity));
    return {};
}

Status Keyring::add_p256(crypto::P256Identity identity) {
    const auto secret = std::make_shared<const crypto::SecretBytes>(std::move(identity.secret));
    return add_p256({identity.public_key,
                     [secret](const crypto::P256Public& enc) { return crypto::p256(*secret, enc); },
                     /*in_device=*/false});
}

Status Keyring::add_p256(P256Key key) {
    COFFER_TRY(crypto::p256_check_public(key.public_key));
    const bool known = std::ranges::find(p256_keys_, key.public_key, &P256Key::public_key) != p256_keys_.end();
    if (!known) p256_keys_.push_back(std::move(key));
    return {};
}

Status Keyring::add_kms(std::string prefix, KmsUnwrap unwrap) {
    COFFER_TRY(check_kms_prefix(prefix));
    if (std::ranges::find(kms_, prefix, &KmsProvider::prefix) != kms_.end()) {
        return error(Code::kInvalidArgument, "the KMS prefix '", prefix, "' is given twice");
    }
    kms_.push_back({std::move(prefix), std::move(unwrap)});
    return {};
}

Status Keyring::add_kms(std::string prefix, const KmsHelper& helper) {
    COFFER_TRY(helper.check());
    return add_kms(std::move(prefix), helper.unwrapper());
}

const KmsProvider* Keyring::find_kms(std::string_view uri) const {
    const KmsProvider* best = nullptr;
    for (const KmsProvider& provider : kms_) {
        if (!kms_uri_below(uri, provider.prefix)) continue;
        if (!best || provider.prefix.size() > best->prefix.size()) best = &provider;
    }
    return best;
}

void Keyring::set_password(crypto::SecretBytes password) {
    const Bytes bytes = password.bytes();
    if (!bytes.empty() && bytes.back() == std::byte{'\n'}) password.truncate(bytes.size() - 1);
    password_ = std::move(password);
}

void Keyring::set_password_source(PasswordSource source) {
    password_source_ = std::move(source);
}

void Keyring::add_provider(KeyProvider provider) {
    if (provider) providers_.push_back(std::move(provider));
}

Status Keyring::add_licence(std::vector<std::byte> file) {
    COFFER_TRY(parse_licence(file, Caps{}));
    licences_.push_back(std::move(file));
    return {};
}

Result<crypto::SecretBytes> Keyring::password() const {
    if (!password_.empty()) return password_.clone();
    if (!password_source_) return error(Code::kAuth, Detail::kNoRecipient, "no password was given");
    COFFER_TRY_ASSIGN(crypto::SecretBytes password, password_source_());
    const Bytes bytes = password.bytes();
    if (!bytes.empty() && bytes.back() == std::byte{'\n'}) password.truncate(bytes.size() - 1);
    return password;
}

Status add_raw_key(Keyring& keyring, Bytes file_bytes) {
    COFFER_TRY_ASSIGN(crypto::SecretBytes key, crypto::SecretBytes::copy_of(file_bytes));
    return keyring.add_raw_key(std::move(key));
}

Status add_keys(Keyring& keyring, Bytes file_bytes) {
    // No text form is this short: an identity alone has 74 characters.
    if (file_bytes.size() == kRawKeySize) return add_raw_key(keyring, file_bytes);
    COFFER_TRY(expect_key(file_bytes, {KeyKind::kAgeIdentity, KeyKind::kP256Private}));
    if (crypto::is_pem(file_bytes)) {
        COFFER_TRY_ASSIGN(crypto::P256Identity identity, crypto::p256_private_from_pem(file_bytes));
        return keyring.add_p256(std::move(identity));
    }
    size_t found = 0;
    COFFER_TRY(for_each_line(as_text(file_bytes), [&](std::string_view line) -> Status {
        COFFER_TRY_ASSIGN(crypto::X25519Identity identity, crypto::parse_age_identity(as_bytes(line)));
        ++found;
        return keyring.add_identity(std::move(identity));
    }));
    if (found == 0)
        return error(Code::kAuth,
                     "no key: neither an age identity, nor a P-256 key in PEM form, nor a raw key of 32 bytes");
    return {};
}

}  // namespace coffer::trust
