// OpenSSF Model Signing (OMS): a signature in a file beside the model, for other people's tools. A Sigstore bundle
// holds a DSSE envelope, that an in-toto statement, and that the SHA-256 of each file. Only the flavour "signed with
// an elliptic key" (P-256, P-384) is known here, no certificates. The runtime never looks at such a file.
#pragma once

#include <string>

#include "cli.hpp"
#include "crypto/ecdsa.hpp"

namespace coffer::cli::oms {

// The bundle for one file, whatever is in it, as JSON text.
Result<std::string> sign(const std::string& path, const crypto::EcdsaPrivate& key);

struct Verified {
    std::string name;  // of the model, as its signer called it
    size_t files = 0;
};
// `path` is a file or a folder of files. All of them must be in the bundle, and all that it lists must be there.
Result<Verified> verify(const std::string& path, const std::string& bundle, const crypto::EcdsaPublic& key);

}  // namespace coffer::cli::oms
