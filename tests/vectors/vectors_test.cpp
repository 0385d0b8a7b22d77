// The test vectors of README.md in this folder: each file is opened with the keys and the policy its head names, and
// verified without a key; both must give the class that the head names.
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "catch.hpp"
#include "coffer/base/os.hpp"
#include "container/errors.hpp"
#include "container/grant.hpp"
#include "container/open.hpp"
#include "crypto/age.hpp"

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
    for (size_t i = 0; i < bytes.size(); ++i) {
        uint8_t value = 0;
        REQUIRE(std::from_chars(text.data() + 2 * i, text.data() + 2 * i + 2, value, 16).ec == std::errc());
        bytes[i] = std::byte{value};
    }
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

crypto::SecretBytes secret(Bytes bytes) {
    return crypto::SecretBytes::copy_of(bytes).value();
}

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
        static constexpr std::string_view kOther[] = {"expect", "verify", "comment", "manifest", "payload"};
        INFO("head line " << key);
        REQUIRE(std::ranges::find(kOther, key) != std::end(kOther));
    }
}

std::string class_of(bool ok, const Error* error) {
    if (ok) return "success";
    // The classes of 5.14 that must look alike.
    const bool explains = error->detail() == Detail::kUntrusted || error->detail() == Detail::kLicence;
    if (error->code() == Code::kAuth && !explains) CHECK(error->message() == kNotAuthentic);
    return detail_name(error->detail());
}

void check(const Vector& v) {
    trust::Policy policy;
    trust::Keyring ring;
    Status given;  // grants and licences are looked at when they are added
    for (const auto& [key, value] : v.head) {
        if (key != "grant" && key != "licence") {
            apply(key, value, policy, ring);
        } else if (given.ok()) {
            given = key == "grant" ? add_grant(ring, unhex(value)) : ring.add_licence(unhex(value));
        }
    }
    const std::string_view expected = v.get("expect");

    OpenOptions options;
    options.digests = true;
    const auto opened =
        given.ok() ? open(Source::memory(v.file), policy, ring, options) : Result<Opened>(std::move(given).error());
    CHECK(class_of(opened.ok(), opened.ok() ? nullptr : &opened.error()) == expected);
    const auto verified = verify(Source::memory(v.file), policy);
    CHECK(class_of(verified.ok(), verified.ok() ? nullptr : &verified.error()) == v.get("verify", expected));
    if (opened.ok()) {
        CHECK(opened->manifest_sha256 == unhex_array<32>(v.get("manifest")));
        CHECK(opened->payload_sha256 == unhex_array<32>(v.get("payload")));
    }
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
    REQUIRE(listed >= 150);
    CHECK(check_folder(COFFER_VECTORS_DIR) == listed);
}

TEST_CASE("files of earlier versions open") {
    CHECK(check_folder(COFFER_SOURCE_DIR "/tests/vectors/frozen") >= 3);
}

}  // namespace
}  // namespace coffer::container
