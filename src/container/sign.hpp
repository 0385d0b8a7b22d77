// Signing a sealed file after it was packed (docs/format.md 5.6, 5.11), by a key that is here or by one that is on
// another machine or in a token. Only SIGS changes. No key to the content is needed, but the file's hashes are
// checked first, so that nobody signs damaged bytes.
#pragma once

#include <string>

#include "container/open.hpp"

namespace coffer::container {

// One signature to be: whose, and how it is made from the content_id.
struct Signing {
    trust::Signer signer;
    std::function<Result<std::vector<std::byte>>(const Digest& content_id)> sign;
};
Signing signing_with(const trust::SigningKey& key);                  // outlives the Signing
Signing signing_made(const trust::Signer& signer, Bytes signature);  // elsewhere; over signing_message()

struct SignOptions {
    ParallelFor parallel;
    uint64_t lock_wait_ms = 30'000;
};

struct Signed {
    Digest content_id{};
    size_t signatures = 0;  // in the file now
};
// Adds the signatures, all or none. Refused: a key that signed already, more than eight, a model without name or
// version, and a signature that does not verify.
Result<Signed> sign(const std::string& path, std::span<const Signing> signings, const SignOptions& options = {});

// The message that `signer` signs for this file (5.6), for a key that cannot be brought here.
Result<std::vector<std::byte>> signing_message(const std::string& path, const trust::Signer& signer,
                                               const SignOptions& options = {});

}  // namespace coffer::container
