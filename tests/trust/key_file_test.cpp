#include "trust/key_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "catch.hpp"
#include "crypto/age.hpp"
#include "crypto/pem.hpp"
#include "folder.hpp"

namespace coffer::trust {
namespace {

using test::Folder;

std::string refusal(const std::string& path, KeyFileAccess access = KeyFileAccess::kStrict) {
    const auto result = read_key_file(path, access);
    REQUIRE_FALSE(result.ok());
    return result.error().message();
}
bool contains(const std::string& text, const char* part) {
    return text.find(part) != text.npos;
}

const std::string kRaw(32, 'k');

TEST_CASE("a key file is private, regular, not a link, and of sensible size") {
    const Folder folder;
    REQUIRE(as_text(read_key_file(folder.write("good", kRaw)).value().bytes()) == kRaw);
    REQUIRE(read_key_file(folder.write("read-only", kRaw, 0400)).ok());

    for (mode_t mode : {0640, 0604, 0620, 0602, 0610, 0601}) {
        const std::string path = folder.write("open", kRaw, mode);
        REQUIRE(contains(refusal(path), "chmod 600"));
        REQUIRE(read_key_file(path).error().code() == Code::kAuth);
        REQUIRE(read_key_file(path, KeyFileAccess::kRelaxed).ok());
    }
    REQUIRE(::symlink((folder / "good").c_str(), (folder / "link").c_str()) == 0);
    REQUIRE(contains(refusal(folder / "link"), "is a symbolic link"));
    REQUIRE(contains(refusal(folder / "link", KeyFileAccess::kRelaxed), "symbolic link"));
    REQUIRE(::mkdir((folder / "folder").c_str(), 0700) == 0);
    REQUIRE(contains(refusal(folder / "folder"), "not a regular file"));
    REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
    REQUIRE(contains(refusal(folder / "fifo"), "not a regular file"));
    REQUIRE(contains(refusal("/dev/zero"), "not a regular file"));
    REQUIRE(contains(refusal(folder.write("empty", "")), "empty"));
    REQUIRE(contains(refusal(folder.write("large", std::string(kMaxKeyFileBytes + 1, 'x'))), "too large"));
    REQUIRE(read_key_file(folder.write("largest", std::string(kMaxKeyFileBytes, 'x'))).ok());
    REQUIRE(read_key_file(folder / "missing").error().code() == Code::kNotFound);
    REQUIRE(read_key_file("").error().code() == Code::kAuth);
    REQUIRE_FALSE(read_key_file((folder / "good") + std::string("\0x", 2)).ok());
}

TEST_CASE("a key file of another user is refused, one of root is not") {
    if (::geteuid() != 0) {
        WARN("skipped: needs root to give a file away");
        return;
    }
    const Folder folder;
    const std::string path = folder.write("theirs", kRaw);
    REQUIRE(::chown(path.c_str(), 65534, 65534) == 0);
    REQUIRE(contains(refusal(path), "belongs to user 65534"));
    REQUIRE(read_key_file(path, KeyFileAccess::kRelaxed).ok());

    // As nobody: its own file is fine; root's is refused by the system alone.
    REQUIRE(::chmod((folder / ".").c_str(), 0755) == 0);
    const std::string roots = folder.write("roots", kRaw);
    const pid_t child = ::fork();
    if (child == 0) {
        if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(9);
        if (!read_key_file(path).ok()) ::_exit(1);
        const auto refused = read_key_file(roots);
        if (refused.ok() || refused.error().code() != Code::kIo) ::_exit(2);
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(WIFEXITED(status));
    REQUIRE(WEXITSTATUS(status) == 0);
}

TEST_CASE("whatever an open file holds, it is refused; a public key with other words") {
    const Folder folder;
    for (const char* text : {"age1abc", "\n# mine\nage1abc\n", "-----BEGIN PUBLIC KEY-----\nAAAA"}) {
        const std::string path = folder.write("public", text, 0644);
        REQUIRE(contains(refusal(path), "this is a public key"));
        REQUIRE(read_key_file(path).error().code() == Code::kAuth);
    }
    for (const char* text :
         {"", "# age1abc", "AGE-SECRET-KEY-1 age1abc", "-----BEGIN PRIVATE KEY-----", "-----BEGIN "}) {
        REQUIRE(contains(refusal(folder.write("open", text, 0644)), "chmod 600"));
    }
}

TEST_CASE("keys from files and descriptors") {
    const Folder folder;
    Keyring keyring;
    const auto identity = crypto::X25519Identity::generate().value();
    const auto text = identity_file_text(identity, 0).value();
    REQUIRE(load_keys(keyring, folder.write("identity", text.bytes())).ok());
    REQUIRE(keyring.identities().at(0).secret == identity.secret);
    REQUIRE(load_raw_key(keyring, folder.write("raw", kRaw)).ok());
    REQUIRE(keyring.raw_keys().size() == 1);
    const Status status = load_keys(keyring, folder.write("junk", "junk\n"));
    REQUIRE(status.error().code() == Code::kAuth);
    REQUIRE(contains(status.error().message(), "junk"));
    REQUIRE_FALSE(load_raw_key(keyring, folder / "identity").ok());

    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    REQUIRE(::write(pipe[1], kRaw.data(), 10) == 10);
    REQUIRE(::write(pipe[1], kRaw.data(), 22) == 22);
    ::close(pipe[1]);
    REQUIRE(as_text(read_key_fd(pipe[0]).value().bytes()) == kRaw);
    REQUIRE(read_key_fd(pipe[0]).error().code() == Code::kAuth);  // at its end: empty
    ::close(pipe[0]);
    REQUIRE(read_key_fd(pipe[0]).error().code() == Code::kIo);
}

TEST_CASE("signing keys, plain and behind a passphrase") {
    const Folder folder;
    const SigningKey key = SigningKey::generate().value();
    const auto plain = folder.write("plain.pem", key.to_pem({}).value().bytes());
    const auto sealed = folder.write("sealed.pem", key.to_pem(as_bytes("secret")).value().bytes());
    const auto never = []() -> Result<crypto::SecretBytes> { return error(Code::kInternal, "asked"); };
    REQUIRE(load_signing_key(plain, never).value().signer().id == key.signer().id);
    const auto says = [](std::string_view text) {
        return [text] { return crypto::SecretBytes::copy_of(as_bytes(text)); };
    };
    REQUIRE(load_signing_key(sealed, says("secret\n")).value().signer().id == key.signer().id);
    REQUIRE(load_signing_key(sealed, says("wrong")).error().code() == Code::kAuth);
    REQUIRE(load_signing_key(sealed).error().code() == Code::kAuth);
    REQUIRE(load_signing_key(sealed, never).error().code() == Code::kInternal);

    const auto pem = crypto::ed25519_public_to_pem(key.signer().public_key).value();
    REQUIRE(load_signer(folder.write("public.pem", pem, 0644)).value().id == key.signer().id);
    REQUIRE(load_signer(plain).error().code() == Code::kAuth);
    REQUIRE(load_signing_key(folder.write("wrong.pem", pem)).error().code() == Code::kAuth);
}

TEST_CASE("recipient files") {
    const auto a = crypto::X25519Identity::generate().value(), b = crypto::X25519Identity::generate().value();
    const std::string text = "# team\n" + crypto::age_recipient(a.public_key).value() + "\n\n" +
                             crypto::age_recipient(b.public_key).value();
    const auto parsed = parse_recipients(text).value();
    REQUIRE(parsed.size() == 2);
    REQUIRE(std::get<crypto::X25519Public>(parsed[1]) == b.public_key);
    REQUIRE_FALSE(parse_recipients("# none\n").ok());
    REQUIRE(contains(parse_recipients("# team\nage1nonsense\n").error().message(), "line 2"));
    const Folder folder;
    REQUIRE(load_recipients(folder.write("team", text, 0644)).value().size() == 2);
}

TEST_CASE("P-256 keys: a private file, and public ones as recipients") {
    const Folder folder;
    const auto a = crypto::P256Identity::generate().value(), b = crypto::P256Identity::generate().value();
    const std::string pem = crypto::p256_public_to_pem(a.public_key).value(),
                      both = pem + "\n" + crypto::p256_public_to_pem(b.public_key).value();
    REQUIRE(load_recipients(folder.write("one.pem", pem, 0644)).value().size() == 1);
    const auto parsed = parse_recipients(both).value();
    REQUIRE(parsed.size() == 2);
    REQUIRE(std::get<crypto::P256Public>(parsed[0]) == a.public_key);
    REQUIRE(std::get<crypto::P256Public>(parsed[1]) == b.public_key);
    REQUIRE_FALSE(parse_recipients(pem.substr(0, 60)).ok());
    REQUIRE_FALSE(parse_recipients(pem + "age1x").ok());
    const SigningKey signer = SigningKey::generate().value();
    REQUIRE_FALSE(parse_recipients(crypto::ed25519_public_to_pem(signer.signer().public_key).value()).ok());

    Keyring keyring;
    const auto text = crypto::p256_private_to_pem(a).value();
    REQUIRE(load_keys(keyring, folder.write("key.pem", text.bytes())).ok());
    REQUIRE(load_keys(keyring, folder / "key.pem").ok());  // the same again
    REQUIRE(keyring.p256_keys().size() == 1);
    REQUIRE(keyring.p256_keys()[0].public_key == a.public_key);
    REQUIRE(keyring.p256_keys()[0].agree(b.public_key).value() == crypto::p256(a.secret, b.public_key).value());
    REQUIRE_FALSE(keyring.p256_keys()[0].in_device);
    REQUIRE(
        contains(load_keys(keyring, folder.write("open.pem", text.bytes(), 0644)).error().message(), "chmod 600"));
    REQUIRE_FALSE(load_keys(keyring, folder.write("signing.pem", signer.to_pem({}).value().bytes())).ok());
    REQUIRE_FALSE(load_keys(keyring, folder.write("cut.pem", text.bytes().first(100))).ok());
    REQUIRE(contains(load_keys(keyring, folder.write("locked.pem", signer.to_pem(as_bytes("p")).value().bytes()))
                         .error()
                         .message(),
                     "encrypted"));
    REQUIRE(keyring.p256_keys().size() == 1);
}

TEST_CASE("recipients that nobody could open for are refused") {
    crypto::X25519Public zero{}, twice{};
    twice[0] = std::byte{9};
    twice[31] = std::byte{0x80};
    for (const auto& key : {zero, twice}) {
        const std::string text = crypto::age_recipient(key).value();
        REQUIRE(parse_recipients(text).error().code() == Code::kFormat);
    }
}

TEST_CASE("an identity file looks as age-keygen writes it") {
    const auto identity = crypto::X25519Identity::generate().value();
    const auto text = identity_file_text(identity, 1'700'000'000).value();
    const std::string expected =
        "# created: 2023-11-14T22:13:20Z\n# public key: " + crypto::age_recipient(identity.public_key).value() +
        "\n" + std::string(as_text(crypto::age_identity(identity).value().bytes())) + "\n";
    REQUIRE(as_text(text.bytes()) == expected);
}

TEST_CASE("a new key file is private and never replaces another") {
    const Folder folder;
    const std::string path = folder / "new";
    REQUIRE(write_key_file(path, as_bytes("one")).ok());
    struct stat info;
    REQUIRE(::stat(path.c_str(), &info) == 0);
    REQUIRE((info.st_mode & 07777) == 0600);
    REQUIRE(write_key_file(path, as_bytes("two")).error().code() == Code::kIo);
    REQUIRE(as_text(read_key_file(path).value().bytes()) == "one");
    REQUIRE(write_key_file(folder / "missing/new", as_bytes("x")).error().code() == Code::kNotFound);
}

}  // namespace
}  // namespace coffer::trust
