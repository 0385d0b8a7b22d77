// The test vectors of README.md in this folder: each container is opened with the keys and the policy its head names,
// and verified without a key; both must give the class that the head names. Other files are read.
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include "catch.hpp"
#include "coffer/base/os.hpp"
#include "container/errors.hpp"
#include "container/grant.hpp"
#include "container/open.hpp"
#include "crypto/age.hpp"
#include "folder.hpp"
#include "trust/bundle.hpp"
#include "trust/key_file.hpp"
#include "trust/state.hpp"

namespace coffer::container {
namespace {

struct Vector {
    std::vector<std::pair<std::string, std::string>> head;
    Bytes file;

    std::string_view get(std::string_view key, std::string_view fallback = {}) const {
        const auto it = std::ranges::find(head, key, &std::pair<std::string, std::string>::first);
        return it == head.end() ? fallback : std::string_view(it->second);
    }
};

Vector split(Bytes bytes) {
    Vector v;
    std::string_view text = as_text(bytes);
    for (size_t end; (end = text.find('\n')) != 0; text.remove_prefix(end + 1)) {
        REQUIRE(end != text.npos);
        const std::string_view line = text.substr(0, end);
        const size_t colon = line.find(": ");
        REQUIRE(colon != line.npos);
        v.head.emplace_back(line.substr(0, colon), line.substr(colon + 2));
    }
    v.file = bytes.last(text.size() - 1);
    return v;
}

std::vector<std::byte> unhex(std::string_view text) {
    std::vector<std::byte> bytes(text.size() / 2);
    bool digits = text.size() % 2 == 0;
    for (size_t i = 0; i < bytes.size(); ++i) {
        uint8_t value = 0;
        const char* const end = text.data() + 2 * i + 2;
        digits = digits && std::from_chars(end - 2, end, value, 16).ptr == end;
        bytes[i] = std::byte{value};
    }
    REQUIRE(digits);
    return bytes;
}

template <size_t N>
std::array<std::byte, N> unhex_array(std::string_view text) {
    const auto bytes = unhex(text);
    REQUIRE(bytes.size() == N);
    std::array<std::byte, N> out;
    std::ranges::copy(bytes, out.begin());
    return out;
}

template <class T>
T number(std::string_view text) {
    T value{};
    REQUIRE(std::from_chars(text.data(), text.data() + text.size(), value).ptr == text.data() + text.size());
    return value;
}

std::string hex(Bytes bytes) {
    std::string text;
    for (const std::byte b : bytes) {
        for (const int shift : {4, 0}) text += "0123456789abcdef"[std::to_integer<unsigned>(b) >> shift & 15];
    }
    return text;
}

crypto::SecretBytes secret(Bytes bytes) {
    return crypto::SecretBytes::copy_of(bytes).value();
}

crypto::P256Identity p256_identity(std::string_view text) {
    return crypto::P256Identity::from_secret(secret(unhex(text))).value();
}

// The key service of README.md: the blob is the answer and a hash that binds it to URI and context.
Result<crypto::SecretBytes> testkit_service(const trust::KmsContext& where, Bytes blob) {
    const Error refused = error(Code::kAuth, Detail::kUnwrap, "the testkit's service refuses");
    if (blob.size() < crypto::kHashSize) return refused;
    const Bytes answer = blob.first(blob.size() - crypto::kHashSize);
    const std::array zero = {std::byte{0}};
    const auto proof =
        crypto::sha256({as_bytes("coffer/testkit/kms"), as_bytes(where.uri), zero, where.context, answer}).value();
    if (!std::ranges::equal(proof, blob.last(crypto::kHashSize))) return refused;
    return crypto::SecretBytes::copy_of(answer);
}

// A store in memory; no bytes: nothing was ever stored.
struct Memory {
    std::optional<std::vector<std::byte>> bytes;

    static std::shared_ptr<Memory> of(std::string_view text) {
        auto memory = std::make_shared<Memory>();
        if (text != "none") memory->bytes = unhex(text);
        return memory;
    }
    std::string text() const { return bytes ? hex(*bytes) : "none"; }
    static std::shared_ptr<const trust::StateStore> store(std::shared_ptr<Memory> memory) {
        return std::make_shared<const trust::StateStore>(
            trust::StateStore{[memory]() -> Result<std::optional<std::vector<std::byte>>> { return memory->bytes; },
                              [memory](Bytes expected, Bytes data) -> Result<bool> {
                                  REQUIRE(memory->text() == hex(expected));
                                  memory->bytes.emplace(data.begin(), data.end());
                                  return true;
                              }});
    }
};

// Policy and keys of a head; a line it does not know fails the test, so that none is passed over.
void apply(std::string_view key, const std::string& value, trust::Policy& policy, trust::Keyring& ring) {
    if (key == "trust") {
        const auto signer = trust::Signer::from_public(unhex_array<32>(value)).value();
        REQUIRE(policy.add_signer(signer).ok());
    } else if (key == "distributor") {
        const auto signer = trust::Signer::from_public(unhex_array<32>(value)).value();
        REQUIRE(policy.add_distributor(signer).ok());
    } else if (key == "licensor") {
        const auto signer = trust::Signer::from_public(unhex_array<32>(value)).value();
        REQUIRE(policy.add_licensor(signer).ok());
    } else if (key == "product") {
        policy.product = value;
    } else if (key == "host") {
        policy.host_values.emplace_back(value.substr(0, value.find('=')), value.substr(value.find('=') + 1));
    } else if (key == "p256") {
        REQUIRE(ring.add_p256(p256_identity(value)).ok());
    } else if (key == "p256-device") {
        auto identity = std::make_shared<const crypto::P256Identity>(p256_identity(value));
        const auto agree = [identity](const crypto::P256Public& enc) { return crypto::p256(identity->secret, enc); };
        REQUIRE(ring.add_p256({identity->public_key, agree, /*in_device=*/true}).ok());
    } else if (key == "kms") {
        REQUIRE(ring.add_kms(value, testkit_service).ok());
    } else if (key == "kms-down") {
        const auto down = [](const trust::KmsContext&, Bytes) -> Result<crypto::SecretBytes> {
            return error(Code::kAuth, Detail::kUnwrap, "the service is down");
        };
        REQUIRE(ring.add_kms(value, down).ok());
    } else if (key == "kek") {
        REQUIRE(ring.add_raw_key(secret(unhex(value))).ok());
    } else if (key == "identity") {
        REQUIRE(ring.add_identity(crypto::parse_age_identity(as_bytes(value)).value()).ok());
    } else if (key == "password") {
        ring.set_password(secret(as_bytes(value)));
    } else if (key == "allow") {
        (value == "unsigned" ? policy.allow_unsigned : policy.allow_unprotected) = true;
        REQUIRE((value == "unsigned" || value == "unprotected"));
    } else if (key == "threshold") {
        policy.threshold = number<unsigned>(value);
    } else if (key == "model") {
        REQUIRE(policy.expect_model(value).ok());
    } else if (key == "min-version") {
        policy.min_version = number<uint64_t>(value);
    } else if (key == "time") {
        policy.now = [time = number<int64_t>(value)] { return time; };
    } else if (key == "revoked") {
        policy.revoked_files.push_back(unhex_array<32>(value));
    } else if (key == "integrity") {
        REQUIRE(value == "aead-only");
        policy.integrity = trust::Integrity::kAeadOnly;
    } else if (key == "suites") {
        policy.suites = {static_cast<crypto::Suite>(number<int>(value))};
    } else if (key == "cap-file") {
        policy.caps.file_bytes = number<uint64_t>(value);
    } else if (key == "cap-manifest") {
        policy.caps.manifest_bytes = number<uint64_t>(value);
    } else {
        static constexpr std::string_view kOther[] = {"expect",  "verify", "comment",    "manifest",
                                                      "payload", "state",  "state-after"};
        INFO("head line " << key);
        REQUIRE(std::ranges::find(kOther, key) != std::end(kOther));
    }
}

template <class T>
std::string class_of(const T& result) {
    return result.ok() ? "success" : detail_name(result.error().detail());
}

// The classes of 5.14 that must look alike, do; a key service says why in its own words.
template <class T>
void check_sentence(const T& result) {
    if (result.ok() || result.error().code() != Code::kAuth) return;
    const Detail detail = result.error().detail();
    const bool explains = detail == Detail::kUntrusted || detail == Detail::kLicence || detail == Detail::kUnwrap;
    if (!explains) CHECK(result.error().message() == kNotAuthentic);
}

void check_container(const Vector& v) {
    trust::Policy policy;
    trust::Keyring ring;
    Status given;  // grants, licences and bundles are looked at when they are added
    for (const auto& [key, value] : v.head) {
        const bool looked_at = key == "grant" || key == "licence" || key == "bundle";
        if (!looked_at) {
            apply(key, value, policy, ring);
        } else if (given.ok() && key == "bundle") {
            auto bundle = trust::load_bundle(unhex(value), policy.caps.bundle_bytes);
            given = bundle.ok() ? policy.follow(*bundle) : Status(std::move(bundle).error());
        } else if (given.ok()) {
            given = key == "grant" ? add_grant(ring, unhex(value)) : ring.add_licence(unhex(value));
        }
    }
    const std::string_view expected = v.get("expect"), state = v.get("state");
    const auto remember = [&] {
        auto memory = Memory::of(state);
        if (!state.empty()) policy.state = Memory::store(memory);
        return memory;
    };

    OpenOptions options;
    options.digests = true;
    const auto memory = remember();
    const auto opened =
        given.ok() ? open(Source::memory(v.file), policy, ring, options) : Result<Opened>(given.error());
    CHECK(class_of(opened) == expected);
    if (given.ok()) check_sentence(opened);
    if (!state.empty()) CHECK(memory->text() == v.get("state-after", state));
    remember();
    const bool policy_given = given.ok() || v.get("bundle").empty();
    const auto verified = policy_given ? verify(Source::memory(v.file), policy) : Result<Facts>(given.error());
    CHECK(class_of(verified) == v.get("verify", expected));
    if (policy_given) check_sentence(verified);
    if (opened.ok()) {
        CHECK(opened->manifest_sha256 == unhex_array<32>(v.get("manifest")));
        CHECK(opened->payload_sha256 == unhex_array<32>(v.get("payload")));
    }
}

void check_bundle(const Vector& v) {
    constexpr size_t max_bytes = trust::Caps{}.bundle_bytes;
    const std::string_view current = v.get("bundle");
    const auto bundle = current.empty() ? trust::load_bundle(v.file, max_bytes)
                                        : trust::update_bundle(trust::load_bundle(unhex(current), max_bytes).value(),
                                                               v.file, max_bytes);
    CHECK(class_of(bundle) == v.get("expect"));
    if (bundle.ok()) CHECK(hex((*bundle)->digest) == v.get("digest"));
}

void check_state(const Vector& v) {
    const auto state = trust::State::decode(v.file);
    CHECK(class_of(state) == v.get("expect"));
    if (state.ok()) CHECK(std::ranges::equal(state->encode().value(), v.file));
}

// A private file with these bytes.
class KeyFile {
 public:
    explicit KeyFile(Bytes bytes) { folder_.write("key", bytes, 0400); }
    std::string path() const { return folder_ / "key"; }

 private:
    test::Folder folder_;
};

// The keys of a file, as lines `key` of a head; no value: it is refused.
std::optional<std::vector<std::string>> keys_in(std::string_view kind, const std::string& path,
                                                std::string_view passphrase) {
    std::vector<std::string> keys;
    const auto add = [&](const char* name, Bytes bytes) { keys.push_back(std::string(name) + " " + hex(bytes)); };
    if (kind == "keys" || kind == "raw-key") {
        trust::Keyring ring;
        if (!(kind == "keys" ? load_keys(ring, path) : load_raw_key(ring, path)).ok()) return std::nullopt;
        for (const auto& key : ring.raw_keys()) add("raw", key.id);
        for (const auto& identity : ring.identities()) add("x25519", identity.public_key);
        for (const auto& key : ring.p256_keys()) add("p256", key.public_key);
    } else if (kind == "recipients") {
        const auto recipients = trust::load_recipients(path);
        if (!recipients.ok()) return std::nullopt;
        for (const trust::RecipientKey& key : *recipients) {
            std::visit([&](const auto& k) { add(k.size() == crypto::kP256PublicSize ? "p256" : "x25519", k); }, key);
        }
    } else if (kind == "public-key") {
        const auto signer = trust::load_signer(path);
        if (!signer.ok()) return std::nullopt;
        add("ed25519", signer->public_key);
    } else {
        REQUIRE(kind == "signing-key");
        const auto key =
            trust::load_signing_key(path, [&] { return crypto::SecretBytes::copy_of(as_bytes(passphrase)); });
        if (!key.ok()) return std::nullopt;
        add("ed25519", key->signer().public_key);
    }
    return keys;
}

void check_key_file(const Vector& v) {
    const KeyFile file(v.file);
    const auto keys = keys_in(v.get("file"), file.path(), v.get("passphrase"));
    CHECK((keys ? "success" : "refused") == v.get("expect"));
    std::vector<std::string> expected;
    for (const auto& [key, value] : v.head) {
        if (key == "key") expected.push_back(value);
    }
    if (keys) CHECK(*keys == expected);
}

void check(const Vector& v) {
    const std::string_view kind = v.get("file", "container");
    if (kind == "container") return check_container(v);
    if (kind == "bundle") return check_bundle(v);
    if (kind == "state") return check_state(v);
    check_key_file(v);
}

size_t check_folder(const std::string& folder) {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() != ".vector") continue;
        const auto bytes = os::read_file(entry.path().string(), uint64_t{1} << 26).value();
        const Vector v = split(bytes);
        INFO(entry.path().stem().string() << ": " << v.get("comment"));
        check(v);
        ++count;
    }
    return count;
}

TEST_CASE("every vector of the testkit ends as it says") {
    std::ifstream index(COFFER_SOURCE_DIR "/tests/vectors/index.txt");
    REQUIRE(index);
    size_t listed = 0;
    for (std::string line; std::getline(index, line);) ++listed;
    REQUIRE(listed >= 1000);
    CHECK(check_folder(COFFER_VECTORS_DIR) == listed);
}

TEST_CASE("files of earlier versions open") {
    CHECK(check_folder(COFFER_SOURCE_DIR "/tests/vectors/frozen") >= 3);
}

}  // namespace
}  // namespace coffer::container
