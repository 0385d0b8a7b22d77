// The numbers of coffer.h are final: they are those of the library's inside, and every one is there.
#include <string>

#include "catch.hpp"
#include "coffer/base/error.hpp"
#include "coffer/base/tensor.hpp"
#include "coffer/coffer.h"

using namespace coffer;

TEST_CASE("statuses: numbers, names, none without the other") {
    struct {
        coffer_status number;
        Code code;
        const char* name;
    } const statuses[] = {
        {COFFER_OK, Code::kOk, "ok"},
        {COFFER_INVALID_ARGUMENT, Code::kInvalidArgument, "invalid_argument"},
        {COFFER_BUFFER_TOO_SMALL, Code::kBufferTooSmall, "buffer_too_small"},
        {COFFER_IO, Code::kIo, "io"},
        {COFFER_FORMAT, Code::kFormat, "format"},
        {COFFER_AUTH, Code::kAuth, "auth"},
        {COFFER_POLICY, Code::kPolicy, "policy"},
        {COFFER_UNSUPPORTED, Code::kUnsupported, "unsupported"},
        {COFFER_LIMIT, Code::kLimit, "limit"},
        {COFFER_OUT_OF_MEMORY, Code::kOutOfMemory, "out_of_memory"},
        {COFFER_CANCELLED, Code::kCancelled, "cancelled"},
        {COFFER_INTERNAL, Code::kInternal, "internal"},
        {COFFER_NOT_FOUND, Code::kNotFound, "not_found"},
        {COFFER_DEADLINE, Code::kDeadline, "deadline"},
        {COFFER_CONFLICT, Code::kConflict, "conflict"},
    };
    int next = 0;
    for (const auto& s : statuses) {
        CHECK(static_cast<int>(s.number) == next++);
        CHECK(static_cast<int>(s.code) == static_cast<int>(s.number));
        CHECK(std::string(coffer_status_name(s.number)) == s.name);
    }
    CHECK(std::string(coffer_status_name(static_cast<coffer_status>(next))) == "unknown");
    CHECK(std::string(coffer_status_name(COFFER_STATUS_MAX_ENUM)) == "unknown");
}

TEST_CASE("classes of failures: numbers, names, none without the other") {
    struct {
        coffer_detail number;
        Detail detail;
        const char* name;
    } const details[] = {
        {COFFER_DETAIL_NONE, Detail::kNone, "none"},
        {COFFER_DETAIL_IO, Detail::kIo, "io"},
        {COFFER_DETAIL_FORMAT, Detail::kFormat, "format"},
        {COFFER_DETAIL_UNSUPPORTED, Detail::kUnsupported, "unsupported"},
        {COFFER_DETAIL_SIGNATURE, Detail::kSignature, "signature"},
        {COFFER_DETAIL_UNTRUSTED, Detail::kUntrusted, "untrusted"},
        {COFFER_DETAIL_ROLLBACK, Detail::kRollback, "rollback"},
        {COFFER_DETAIL_EXPIRED, Detail::kExpired, "expired"},
        {COFFER_DETAIL_REVOKED, Detail::kRevoked, "revoked"},
        {COFFER_DETAIL_WRONG_MODEL, Detail::kWrongModel, "wrong_model"},
        {COFFER_DETAIL_UNPROTECTED, Detail::kUnprotected, "unprotected"},
        {COFFER_DETAIL_NO_RECIPIENT, Detail::kNoRecipient, "no_recipient"},
        {COFFER_DETAIL_UNWRAP, Detail::kUnwrap, "unwrap"},
        {COFFER_DETAIL_COMMITMENT, Detail::kCommitment, "commitment"},
        {COFFER_DETAIL_HEADER_AUTH, Detail::kHeaderAuth, "header_auth"},
        {COFFER_DETAIL_MANIFEST_AUTH, Detail::kManifestAuth, "manifest_auth"},
        {COFFER_DETAIL_MANIFEST_INVALID, Detail::kManifestInvalid, "manifest_invalid"},
        {COFFER_DETAIL_TREE, Detail::kTree, "tree"},
        {COFFER_DETAIL_CHUNK_AUTH, Detail::kChunkAuth, "chunk_auth"},
        {COFFER_DETAIL_LIMIT, Detail::kLimit, "limit"},
        {COFFER_DETAIL_LICENCE, Detail::kLicence, "licence"},
        {COFFER_DETAIL_CANCELLED, Detail::kCancelled, "cancelled"},
    };
    int next = 0;
    for (const auto& d : details) {
        CHECK(static_cast<int>(d.number) == next++);
        CHECK(static_cast<int>(d.detail) == static_cast<int>(d.number));
        CHECK(std::string(coffer_detail_name(d.number)) == d.name);
    }
    CHECK(std::string(coffer_detail_name(static_cast<coffer_detail>(next))) == "unknown");
    CHECK(std::string(coffer_detail_name(COFFER_DETAIL_MAX_ENUM)) == "unknown");
}

TEST_CASE("element types and kinds: numbers") {
    CHECK(static_cast<DType>(COFFER_FLOAT32) == DType::kFloat);
    CHECK(static_cast<DType>(COFFER_STRING) == DType::kString);
    CHECK(static_cast<DType>(COFFER_COMPLEX128) == DType::kComplex128);
    CHECK(static_cast<DType>(COFFER_FLOAT8E5M2FNUZ) == DType::kFloat8E5M2FNUZ);
    CHECK(static_cast<DType>(COFFER_INT2) == DType::kInt2);
    CHECK(COFFER_INT2 + 1 == kDTypeCount);
    CHECK(static_cast<ValueKind>(COFFER_SEQUENCE) == ValueKind::kSequence);
    CHECK(static_cast<ValueKind>(COFFER_OPTIONAL) == ValueKind::kOptional);
}
