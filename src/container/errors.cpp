#include "container/errors.hpp"

namespace coffer::container {

Code public_code(const Error& error) {
    switch (error.detail()) {
        case Detail::kNoRecipient:
        case Detail::kUnwrap:
        case Detail::kCommitment:
        case Detail::kHeaderAuth:
        case Detail::kManifestAuth:
        case Detail::kManifestInvalid:
        case Detail::kTree:
        case Detail::kChunkAuth:
        case Detail::kLicence: return Code::kAuth;
        default: return error.code();
    }
}

}  // namespace coffer::container
