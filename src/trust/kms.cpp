#include "trust/kms.hpp"

#include <algorithm>

#include "coffer/base/process.hpp"

namespace coffer::trust {
namespace {

constexpr std::string_view kRequestMagic = "coffer-kms/1\n";
constexpr size_t kKeySize = 32;

bool is_alpha(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
// unreserved, reserved, and the percent sign (RFC 3986 section 2).
bool is_uri_character(char c) {
    return is_alpha(c) || is_digit(c) ||
           std::string_view("-._~:/?#[]@!$&'()*+,;=%").find(c) != std::string_view::npos;
}

// Length of the scheme with its colon; 0 when there is none.
size_t scheme_size(std::string_view uri) {
    const size_t colon = uri.find(':');
    if (colon == uri.npos || colon == 0 || !is_alpha(uri[0])) return 0;
    const auto rest = uri.substr(0, colon);
    const bool good = std::ranges::all_of(
        rest, [](char c) { return is_alpha(c) || is_digit(c) || c == '+' || c == '-' || c == '.'; });
    return good ? colon + 1 : 0;
}

// "." and "/" may be written as %2e and %2f, and who gets the URI may undo that.
std::string undo_percent_dots(std::string_view uri) {
    std::string out;
    for (size_t i = 0; i < uri.size(); ++i) {
        const auto code = uri.substr(i, 3);
        const bool dot = code == "%2e" || code == "%2E", slash = code == "%2f" || code == "%2F";
        out += dot ? '.' : slash ? '/' : uri[i];
        if (dot || slash) i += 2;
    }
    return out;
}

bool has_dot_segment(std::string_view uri) {
    const std::string plain = undo_percent_dots(uri);
    for (size_t at = 0; at <= plain.size();) {
        const size_t end = std::min(plain.find_first_of("/?#:;", at), plain.size());
        const auto segment = std::string_view(plain).substr(at, end - at);
        if (segment == "." || segment == "..") return true;
        at = end + 1;
    }
    return false;
}

Error failed(std::string_view uri, std::string_view why) {
    return error(Code::kAuth, Detail::kUnwrap, "KMS '", uri, "': ", why);
}

// The magic line, then three fields of LE4 length: URI, context, and the blob or the key.
Result<crypto::SecretBytes> encode_request(const KmsContext& where, Bytes data) {
    Writer head;
    head.put(kRequestMagic);
    for (const Bytes field : {as_bytes(where.uri), where.context}) {
        head.u32(static_cast<uint32_t>(field.size()));
        head.put(field);
    }
    head.u32(static_cast<uint32_t>(data.size()));
    COFFER_TRY_ASSIGN(crypto::SecretBytes request, crypto::SecretBytes::create(head.size() + data.size()));
    std::ranges::copy(data, std::ranges::copy(head.bytes(), request.mutable_bytes().data()).out);
    return request;
}

// Runs the helper; at most `most` bytes of answer.
Result<crypto::SecretBytes> ask(const KmsHelper& helper, const char* verb, const KmsContext& where, Bytes data,
                                size_t most) {
    COFFER_TRY_ASSIGN(const crypto::SecretBytes request, encode_request(where, data));
    COFFER_TRY_ASSIGN(crypto::SecretBytes answer, crypto::SecretBytes::create(most));
    os::Program program{helper.argv, helper.timeout_ms};
    program.argv.push_back(verb);
    auto ran = os::run_program(program, request.bytes(), answer.mutable_bytes());
    if (!ran.ok()) {
        return ran.error().code() == Code::kIo ? failed(where.uri, ran.error().message()) : std::move(ran).error();
    }
    if (ran->exit_code != 0) {
        return failed(where.uri, "the helper failed with exit code " + std::to_string(ran->exit_code) +
                                     (ran->last_words.empty() ? "" : ": " + ran->last_words));
    }
    answer.truncate(ran->output_size);
    return answer;
}

}  // namespace

bool is_kms_uri(std::string_view uri) {
    const size_t scheme = scheme_size(uri);
    return scheme > 0 && uri.size() > scheme && uri.size() <= kMaxKmsUri &&
           std::ranges::all_of(uri, is_uri_character);
}

Status check_kms_uri(std::string_view uri) {
    if (is_kms_uri(uri)) return {};
    return error(Code::kInvalidArgument, "'", uri, "' is not the URI of a KMS key: scheme:rest, at most ", kMaxKmsUri,
                 " characters of a URI");
}

Status check_kms_prefix(std::string_view prefix) {
    if (scheme_size(prefix) > 0 && prefix.size() <= kMaxKmsUri && std::ranges::all_of(prefix, is_uri_character) &&
        !has_dot_segment(prefix)) {
        return {};
    }
    return error(Code::kInvalidArgument, "'", prefix,
                 "' is not a prefix of KMS URIs: it begins with a scheme, as in ", "acme-kms://eu/");
}

bool kms_uri_below(std::string_view uri, std::string_view prefix) {
    if (!uri.starts_with(prefix) || has_dot_segment(uri)) return false;
    const bool open_end = prefix.ends_with('/') || prefix.ends_with(':');
    return uri.size() == prefix.size() || open_end ||
           std::string_view("/?#;").find(uri[prefix.size()]) != std::string_view::npos;
}

Status KmsHelper::check() const {
    if (argv.empty() || !argv[0].starts_with('/')) {
        return error(Code::kInvalidArgument, "the KMS helper '", argv.empty() ? "" : argv[0],
                     "' is not named by its absolute path");
    }
    if (timeout_ms == 0) return error(Code::kInvalidArgument, "the time-out of a KMS helper is 0");
    return {};
}

KmsUnwrap KmsHelper::unwrapper() const {
    return [helper = *this](const KmsContext& where, Bytes blob) -> Result<crypto::SecretBytes> {
        COFFER_TRY_ASSIGN(crypto::SecretBytes key, ask(helper, "unwrap", where, blob, kKeySize));
        if (key.size() == kKeySize) return key;
        return failed(where.uri, "the helper gave " + std::to_string(key.size()) + " bytes, a file key has 32");
    };
}

KmsWrap KmsHelper::wrapper() const {
    return [helper = *this](const KmsContext& where, Bytes key) -> Result<std::vector<std::byte>> {
        COFFER_TRY_ASSIGN(const crypto::SecretBytes blob, ask(helper, "wrap", where, key, kMaxKmsBlob));
        if (blob.empty()) return failed(where.uri, "the helper gave no blob");
        return std::vector<std::byte>(blob.bytes().begin(), blob.bytes().end());
    };
}

}  // namespace coffer::trust
