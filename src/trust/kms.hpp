// Key management services that unwrap file keys (format.md 5.7.4): the URIs that name them, what may be asked of
// them, and the helper process that does the asking. This knows nothing of any service: a callback or a helper does.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "crypto/secret.hpp"

namespace coffer::trust {

inline constexpr size_t kMaxKmsUri = 512;
inline constexpr size_t kMaxKmsBlob = 4096;

// 1 to 512 characters of a URI (RFC 3986), with a scheme.
bool is_kms_uri(std::string_view uri);
Status check_kms_uri(std::string_view uri);
// A prefix says at least the scheme: "acme-kms:", "acme-kms://eu/models/".
Status check_kms_prefix(std::string_view prefix);
// The prefix itself, or what goes on where the prefix ends with "/" or ":" or where the next character begins a new
// part: "s://host" does not cover "s://host.example". A URI with "." or ".." as a segment lies below no prefix.
bool kms_uri_below(std::string_view uri, std::string_view prefix);

// Which key of the service, for which slot of which file (S of 5.7). A service that can bind a context to what it
// wraps should bind this one.
struct KmsContext {
    std::string_view uri;
    Bytes context;
};
// Failures: Code::kAuth, Detail::kUnwrap, and what the service said.
using KmsUnwrap = std::function<Result<crypto::SecretBytes>(const KmsContext& where, Bytes blob)>;
using KmsWrap = std::function<Result<std::vector<std::byte>>(const KmsContext& where, Bytes key)>;

struct KmsProvider {
    std::string prefix;
    KmsUnwrap unwrap;
};

// A program that talks to a service; docs/keys.md describes what it reads and writes. Started for each call with
// argv, then "unwrap" or "wrap", without a shell and with an empty environment.
struct KmsHelper {
    std::vector<std::string> argv;  // argv[0] is an absolute path
    uint32_t timeout_ms = 30'000;

    Status check() const;
    KmsUnwrap unwrapper() const;
    KmsWrap wrapper() const;
};

}  // namespace coffer::trust
