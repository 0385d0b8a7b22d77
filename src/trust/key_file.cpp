#include "trust/key_file.hpp"

#include <algorithm>
#include <cstdio>

#include "coffer/base/os.hpp"
#include "crypto/age.hpp"
#include "crypto/pem.hpp"
#include "trust/key_kind.hpp"
#include "trust/licence.hpp"
#include "trust/lines.hpp"
#include "trust/utc.hpp"

namespace coffer::trust {
namespace {

// What is wrong with a key file is "no usable key", whatever the layer that found it, except for the system's
// own errors and lack of memory.
Error as_key_error(const std::string& path, const Error& e) {
    const bool keep = e.code() == Code::kIo || e.code() == Code::kNotFound || e.code() == Code::kOutOfMemory ||
                      e.code() == Code::kInternal;
    return error(keep ? e.code() : Code::kAuth, e.detail(), "key file '", path, "': ", e.message());
}

// Says only what to tell who may read the file anyway.
bool begins_public(const os::File& file) {
    auto head = crypto::SecretBytes::create(static_cast<size_t>(std::min<uint64_t>(file.size(), 1024)));
    return head && file.read_at(0, head->mutable_bytes()).ok() && is_public(key_kind(head->bytes()));
}

Status check_access(const os::File::Stat& stat, const os::File& file) {
    if (stat.uid != 0 && stat.uid != os::effective_uid()) {
        return error(Code::kAuth, "it belongs to user ", stat.uid, ", neither to you nor to root");
    }
    if ((stat.mode & 077) != 0) {
        // chmod would be the wrong advice.
        if (begins_public(file)) {
            return error(Code::kAuth, "this is a public key; the private key is needed here");
        }
        char mode[8];
        std::snprintf(mode, sizeof mode, "%04o", stat.mode & 07777u);
        return error(Code::kAuth, "others may access it (mode ", static_cast<const char*>(mode), "); use chmod 600");
    }
    return {};
}

Result<crypto::SecretBytes> read_checked(const std::string& path, KeyFileAccess access) {
    COFFER_TRY_ASSIGN(const os::File file, os::File::open_read(path, os::File::kNoFollow));
    if (access == KeyFileAccess::kStrict) {
        COFFER_TRY_ASSIGN(const os::File::Stat stat, file.stat());
        COFFER_TRY(check_access(stat, file));
    }
    if (file.size() == 0) return error(Code::kAuth, "it is empty");
    if (file.size() > kMaxKeyFileBytes) return error(Code::kAuth, "it has ", file.size(), " bytes: too large");
    COFFER_TRY_ASSIGN(crypto::SecretBytes bytes, crypto::SecretBytes::create(static_cast<size_t>(file.size())));
    COFFER_TRY(file.read_at(0, bytes.mutable_bytes()));
    return bytes;
}

Result<SigningKey> parse_signing_key(Bytes pem, const PasswordSource& passphrase) {
    COFFER_TRY(expect_key(pem, {KeyKind::kEd25519Private}));
    crypto::SecretBytes secret;
    if (crypto::is_encrypted_pem(pem) && passphrase) {
        COFFER_TRY_ASSIGN(secret, passphrase());
        const Bytes bytes = secret.bytes();
        if (!bytes.empty() && bytes.back() == std::byte{'\n'}) secret.truncate(bytes.size() - 1);
    }
    COFFER_TRY_ASSIGN(crypto::SecretBytes seed, crypto::ed25519_private_from_pem(pem, secret.bytes()));
    return SigningKey::from_seed(std::move(seed));
}

}  // namespace

Result<crypto::SecretBytes> read_key_file(const std::string& path, KeyFileAccess access) {
    auto bytes = read_checked(path, access);
    if (!bytes) return as_key_error(path, bytes.error());
    return bytes;
}

Result<crypto::SecretBytes> read_key_fd(int fd) {
    COFFER_TRY_ASSIGN(crypto::SecretBytes bytes, crypto::SecretBytes::create(kMaxKeyFileBytes + 1));
    COFFER_TRY_ASSIGN(const size_t size, os::read_fd(fd, bytes.mutable_bytes()));
    if (size == 0) return error(Code::kAuth, "key from fd:", fd, ": it is empty");
    if (size > kMaxKeyFileBytes) return error(Code::kAuth, "key from fd:", fd, ": too large");
    bytes.truncate(size);
    return bytes;
}

Status load_keys(Keyring& keyring, const std::string& path, KeyFileAccess access) {
    COFFER_TRY_ASSIGN(const crypto::SecretBytes bytes, read_key_file(path, access));
    const Status added = add_keys(keyring, bytes.bytes());
    if (!added.ok()) return as_key_error(path, added.error());
    return {};
}

Status load_raw_key(Keyring& keyring, const std::string& path, KeyFileAccess access) {
    COFFER_TRY_ASSIGN(const crypto::SecretBytes bytes, read_key_file(path, access));
    const Status added = add_raw_key(keyring, bytes.bytes());
    if (!added.ok()) return as_key_error(path, added.error());
    return {};
}

Result<SigningKey> load_signing_key(const std::string& path, const PasswordSource& passphrase, KeyFileAccess access) {
    COFFER_TRY_ASSIGN(const crypto::SecretBytes pem, read_key_file(path, access));
    auto key = parse_signing_key(pem.bytes(), passphrase);
    if (!key) return as_key_error(path, key.error());
    return key;
}

Result<Signer> load_signer(const std::string& path) {
    COFFER_TRY_ASSIGN(const std::vector<std::byte> pem, os::read_file(path, kMaxKeyFileBytes));
    auto signer = Signer::from_pem(as_text(pem));
    if (!signer) return as_key_error(path, signer.error());
    return signer;
}

Status load_licence(Keyring& keyring, const std::string& path) {
    COFFER_TRY_ASSIGN(std::vector<std::byte> file, os::read_file(path, kMaxLicenceBytes));
    const Status added = keyring.add_licence(std::move(file));
    if (!added.ok()) return added.error().within("'" + path + "': ");
    return {};
}

Result<std::vector<RecipientKey>> parse_recipients(std::string_view text) {
    COFFER_TRY(expect_key(as_bytes(text), {KeyKind::kAgeRecipient, KeyKind::kP256Public}));
    std::vector<RecipientKey> recipients;
    if (crypto::is_pem(as_bytes(text))) {
        // One block after the other; p256_public_from_pem wants them alone.
        constexpr std::string_view end = "-----END PUBLIC KEY-----";
        while (text.find_first_not_of(" \t\r\n") != text.npos) {
            const size_t at = text.find(end);
            const size_t size = at == text.npos ? text.size() : at + end.size();
            COFFER_TRY_ASSIGN(const crypto::P256Public key, crypto::p256_public_from_pem(text.substr(0, size)));
            recipients.push_back(key);
            text.remove_prefix(size);
        }
        return recipients;
    }
    COFFER_TRY(for_each_line(text, [&](std::string_view line) -> Status {
        COFFER_TRY_ASSIGN(const crypto::X25519Public key, crypto::parse_age_recipient(line));
        recipients.push_back(key);
        return {};
    }));
    if (recipients.empty()) return error(Code::kFormat, "no recipient (age1... or a public key in PEM form) in it");
    return recipients;
}

Result<std::vector<RecipientKey>> load_recipients(const std::string& path) {
    COFFER_TRY_ASSIGN(const std::vector<std::byte> text, os::read_file(path, kMaxKeyFileBytes));
    auto recipients = parse_recipients(as_text(text));
    if (!recipients) return as_key_error(path, recipients.error());
    return recipients;
}

Result<crypto::SecretBytes> identity_file_text(const crypto::X25519Identity& identity, int64_t created) {
    COFFER_TRY_ASSIGN(const std::string recipient, crypto::age_recipient(identity.public_key));
    COFFER_TRY_ASSIGN(const crypto::SecretBytes secret, crypto::age_identity(identity));
    const std::string head = "# created: " + utc_text(static_cast<uint64_t>(std::max<int64_t>(created, 0))) +
                             "\n# public key: " + recipient + "\n";
    COFFER_TRY_ASSIGN(crypto::SecretBytes text, crypto::SecretBytes::create(head.size() + secret.size() + 1));
    std::byte* dst = text.mutable_bytes().data();
    for (Bytes part : {as_bytes(head), secret.bytes(), as_bytes("\n")}) {
        dst = std::copy(part.begin(), part.end(), dst);
    }
    return text;
}

Status write_key_file(const std::string& path, Bytes text) {
    COFFER_TRY_ASSIGN(os::AtomicFile file, os::AtomicFile::create(path, 0600));
    COFFER_TRY(file.write(text));
    return file.commit_new();
}

}  // namespace coffer::trust
