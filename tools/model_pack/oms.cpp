#include "oms.hpp"

#include <algorithm>
#include <filesystem>
#include <map>

#include "crypto/hash.hpp"

namespace coffer::cli::oms {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";
constexpr std::string_view kPayloadType = "application/vnd.in-toto+json";
constexpr const char* kStatement = "https://in-toto.io/Statement/v1";
constexpr const char* kPredicate = "https://model_signing/signature/v1.0";
constexpr size_t kMaxBundle = size_t{16} << 20;
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

template <class... Parts>
Error malformed(const Parts&... parts) {
    return error(Code::kFormat, Detail::kFormat, "OMS bundle: ", parts...);
}
template <class... Parts>
Error refused(const Parts&... parts) {
    return error(Code::kAuth, Detail::kSignature, "OMS bundle: ", parts...);
}

std::string base64(Bytes bytes) {
    std::string out;
    for (size_t at = 0; at < bytes.size(); at += 3) {
        const size_t n = std::min<size_t>(3, bytes.size() - at);
        uint32_t bits = 0;
        for (size_t i = 0; i < 3; ++i) bits = bits << 8 | (i < n ? std::to_integer<uint32_t>(bytes[at + i]) : 0);
        for (size_t i = 0; i < 4; ++i) out += i <= n ? kAlphabet[bits >> (18 - 6 * i) & 63] : '=';
    }
    return out;
}

// Canonical: with padding, nothing else in between, unused bits zero.
Result<std::vector<std::byte>> unbase64(std::string_view text, const char* what) {
    if (text.size() % 4 != 0) return malformed(what, " is not base64");
    const size_t padding = text.ends_with("==") ? 2 : (text.ends_with("=") ? 1 : 0);
    std::vector<std::byte> out;
    uint32_t bits = 0;
    for (size_t i = 0; i < text.size(); ++i) {
        const bool pad = i >= text.size() - padding;
        const size_t digit = pad ? 0 : kAlphabet.find(text[i]);
        if (digit == std::string_view::npos) return malformed(what, " is not base64");
        bits = bits << 6 | static_cast<uint32_t>(digit);
        if (i % 4 == 3) {
            for (const int shift : {16, 8, 0}) out.push_back(static_cast<std::byte>(bits >> shift));
        }
    }
    for (size_t i = 0; i < padding; ++i) {
        if (out.back() != std::byte{0}) return malformed(what, " is not base64");
        out.pop_back();
    }
    return out;
}

// A SHA-256 in hex, as this format writes it.
Result<crypto::Hash> digest_of(const std::string& text) {
    constexpr std::string_view digits = "0123456789abcdef";
    crypto::Hash out{};
    if (text.size() != 2 * out.size() || text.find_first_not_of(digits) != std::string::npos) {
        return malformed("'", text, "' is no SHA-256");
    }
    for (size_t i = 0; i < out.size(); ++i) {
        out[i] = static_cast<std::byte>(digits.find(text[2 * i]) << 4 | digits.find(text[2 * i + 1]));
    }
    return out;
}

// The bytes that DSSE signs.
std::vector<std::byte> pre_authentication_encoding(Bytes payload) {
    Writer w;
    w.put(fmt::format("DSSEv1 {} {} {} ", kPayloadType.size(), kPayloadType, payload.size()));
    w.put(payload);
    return w.take();
}

Result<std::string> key_hint(const crypto::EcdsaPublic& key) {
    COFFER_TRY_ASSIGN(const crypto::Hash hash, crypto::sha256(as_bytes(key.pem())));
    return hex(hash);
}

Result<crypto::Hash> hash_file(const os::File& file) {
    COFFER_TRY_ASSIGN(crypto::Sha256 hash, crypto::Sha256::create());
    std::vector<std::byte> buffer(static_cast<size_t>(std::min<uint64_t>(file.size(), 1 << 20)));
    for (uint64_t at = 0; at < file.size();) {
        const MutableBytes part(buffer.data(),
                                static_cast<size_t>(std::min<uint64_t>(buffer.size(), file.size() - at)));
        COFFER_TRY(file.read_at(at, part));
        COFFER_TRY(hash.update(part));
        at += part.size();
    }
    return hash.finish();
}

// ---- reading JSON that anyone may have written

Result<Json> parse(std::string_view text, const char* what) {
    Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (json.is_discarded() || !json.is_object()) return malformed(what, " is not a JSON object");
    return json;
}

using Type = Json::value_t;

Result<const Json*> member(const Json& object, const char* name, Type type) {
    const auto it = object.is_object() ? object.find(name) : object.end();
    if (it == object.end() || it->type() != type) return malformed("no valid '", name, "'");
    return &*it;
}

Result<std::string> text_member(const Json& object, const char* name) {
    COFFER_TRY_ASSIGN(const Json* text, member(object, name, Type::string));
    return text->get<std::string>();
}

Status expect(const Json& object, const char* name, std::string_view value) {
    COFFER_TRY_ASSIGN(const std::string found, text_member(object, name));
    if (found != value) return malformed("'", name, "' is '", found, "', not '", value, "'");
    return {};
}

Result<const Json*> only_element(const Json& object, const char* name) {
    COFFER_TRY_ASSIGN(const Json* list, member(object, name, Type::array));
    if (list->size() != 1) return malformed("'", name, "' has ", list->size(), " elements, not one");
    return &list->front();
}

// The statement of a bundle, once the key's signature on it has been checked.
Result<Json> signed_statement(std::string_view text, const crypto::EcdsaPublic& key) {
    COFFER_TRY_ASSIGN(const Json bundle, parse(text, "it"));
    COFFER_TRY(expect(bundle, "mediaType", kMediaType));
    COFFER_TRY_ASSIGN(const Json* material, member(bundle, "verificationMaterial", Type::object));
    if (material->contains("certificate") || material->contains("x509CertificateChain")) {
        return error(
            Code::kUnsupported, Detail::kUnsupported,
            "OMS bundle: it is signed with a certificate; only bundles signed with a plain key are known here");
    }
    COFFER_TRY_ASSIGN(const Json* public_key, member(*material, "publicKey", Type::object));
    if (public_key->contains("hint")) {
        COFFER_TRY_ASSIGN(const std::string hint, text_member(*public_key, "hint"));
        COFFER_TRY_ASSIGN(const std::string own, key_hint(key));
        if (!hint.empty() && hint != own) return refused("it is signed by another key");
    }
    COFFER_TRY_ASSIGN(const Json* envelope, member(bundle, "dsseEnvelope", Type::object));
    COFFER_TRY(expect(*envelope, "payloadType", kPayloadType));
    COFFER_TRY_ASSIGN(const std::string payload_text, text_member(*envelope, "payload"));
    COFFER_TRY_ASSIGN(const std::vector<std::byte> payload, unbase64(payload_text, "the payload"));
    COFFER_TRY_ASSIGN(const Json* entry, only_element(*envelope, "signatures"));
    COFFER_TRY_ASSIGN(const std::string signature_text, text_member(*entry, "sig"));
    COFFER_TRY_ASSIGN(const std::vector<std::byte> signature, unbase64(signature_text, "the signature"));
    if (!key.verify(pre_authentication_encoding(payload), signature).ok()) {
        return refused("the signature is not by this key");
    }
    return parse(as_text(payload), "the statement");
}

struct Statement {
    std::string model;
    std::map<std::string, std::string> files;  // name -> SHA-256, in hex
    std::vector<std::string> ignored;
};

Result<Statement> read_statement(const Json& json) {
    Statement out;
    COFFER_TRY(expect(json, "_type", kStatement));
    COFFER_TRY(expect(json, "predicateType", kPredicate));
    COFFER_TRY_ASSIGN(const Json* subject, only_element(json, "subject"));
    COFFER_TRY_ASSIGN(out.model, text_member(*subject, "name"));
    COFFER_TRY_ASSIGN(const Json* digests, member(*subject, "digest", Type::object));
    COFFER_TRY_ASSIGN(const std::string root, text_member(*digests, "sha256"));

    COFFER_TRY_ASSIGN(const Json* predicate, member(json, "predicate", Type::object));
    COFFER_TRY_ASSIGN(const Json* serialization, member(*predicate, "serialization", Type::object));
    COFFER_TRY_ASSIGN(const std::string method, text_member(*serialization, "method"));
    COFFER_TRY_ASSIGN(const std::string hash_type, text_member(*serialization, "hash_type"));
    if (method != "files" || hash_type != "sha256") {
        return error(Code::kUnsupported, Detail::kUnsupported, "OMS bundle: files are listed by '", method, "' and '",
                     hash_type, "'; only whole files and sha256 are known here");
    }
    if (serialization->contains("ignore_paths")) {
        COFFER_TRY_ASSIGN(const Json* paths, member(*serialization, "ignore_paths", Type::array));
        for (const Json& path : *paths) {
            if (!path.is_string()) return malformed("no valid 'ignore_paths'");
            out.ignored.push_back(path.get<std::string>());
        }
    }
    COFFER_TRY_ASSIGN(const Json* resources, member(*predicate, "resources", Type::array));
    std::vector<std::byte> all;
    for (const Json& resource : *resources) {
        COFFER_TRY_ASSIGN(const std::string name, text_member(resource, "name"));
        COFFER_TRY_ASSIGN(const std::string digest, text_member(resource, "digest"));
        COFFER_TRY(expect(resource, "algorithm", "sha256"));
        COFFER_TRY_ASSIGN(const crypto::Hash bytes, digest_of(digest));
        all.insert(all.end(), bytes.begin(), bytes.end());
        if (!out.files.emplace(name, digest).second) return malformed("'", name, "' is there twice");
    }
    COFFER_TRY_ASSIGN(const crypto::Hash over_all, crypto::sha256(all));
    if (hex(over_all) != root) return malformed("its digests do not add up to the one of the subject");
    return out;
}

// ---- files

bool is_ignored(const Statement& statement, const std::string& name) {
    return std::ranges::any_of(statement.ignored, [&](std::string path) {
        while (path.ends_with('/')) path.pop_back();
        return name == path || name.starts_with(path + "/");
    });
}

Status check_file(const Statement& statement, const std::string& name, const os::File& file) {
    COFFER_TRY_ASSIGN(const crypto::Hash hash, hash_file(file));
    const auto listed = statement.files.find(name);
    if (listed == statement.files.end()) return refused("'", name, "' is not among the signed files");
    if (hex(hash) != listed->second) return refused("'", name, "' is not what was signed");
    return {};
}

Result<std::vector<std::string>> files_below(const std::string& folder, const Statement& statement) {
    std::vector<std::string> names;
    std::error_code failed;
    for (fs::recursive_directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed)) {
        const std::string name = it->path().lexically_relative(folder).generic_string();
        if (is_ignored(statement, name)) {
            it.disable_recursion_pending();
        } else if (!it->is_directory(failed) || it->is_symlink(failed)) {
            names.push_back(name);  // open_beneath() refuses what is neither file nor folder
        }
    }
    if (failed) return error(Code::kIo, Detail::kIo, "cannot list '", folder, "': ", failed.message());
    return names;
}

}  // namespace

Result<std::string> sign(const std::string& path, const crypto::EcdsaPrivate& key) {
    COFFER_TRY_ASSIGN(const os::File file, os::File::open_read(path));
    COFFER_TRY_ASSIGN(const crypto::Hash digest, hash_file(file));
    COFFER_TRY_ASSIGN(const crypto::Hash root, crypto::sha256(Bytes(digest)));
    const std::string name = fs::path(path).filename().string();
    const Json statement{
        {"_type", kStatement},
        {"subject", Json::array({{{"name", name}, {"digest", {{"sha256", hex(root)}}}}})},
        {"predicateType", kPredicate},
        {"predicate",
         {{"resources", Json::array({{{"name", "."}, {"algorithm", "sha256"}, {"digest", hex(digest)}}})},
          {"serialization",
           {{"method", "files"},
            {"hash_type", "sha256"},
            {"allow_symlinks", false},
            {"ignore_paths", Json::array()}}}}}};
    const std::string payload = statement.dump(-1, ' ', false, Json::error_handler_t::replace);
    COFFER_TRY_ASSIGN(const auto signature, key.sign(pre_authentication_encoding(as_bytes(payload))));
    COFFER_TRY_ASSIGN(const std::string hint, key_hint(key.public_key()));
    const Json bundle{{"mediaType", kMediaType},
                      {"verificationMaterial", {{"publicKey", {{"hint", hint}}}, {"tlogEntries", Json::array()}}},
                      {"dsseEnvelope",
                       {{"payload", base64(as_bytes(payload))},
                        {"payloadType", kPayloadType},
                        {"signatures", Json::array({{{"sig", base64(signature)}, {"keyid", ""}}})}}}};
    return bundle.dump(2) + "\n";
}

Result<Verified> verify(const std::string& path, const std::string& bundle, const crypto::EcdsaPublic& key) {
    COFFER_TRY_ASSIGN(const std::vector<std::byte> text, os::read_file(bundle, kMaxBundle));
    COFFER_TRY_ASSIGN(const Json json, signed_statement(as_text(text), key));
    COFFER_TRY_ASSIGN(const Statement statement, read_statement(json));
    std::error_code failed;
    if (fs::is_directory(path, failed)) {
        COFFER_TRY_ASSIGN(const std::vector<std::string> names, files_below(path, statement));
        for (const std::string& name : names) {
            COFFER_TRY_ASSIGN(const os::File file, os::File::open_beneath(path, name));
            COFFER_TRY(check_file(statement, name, file));
        }
        for (const auto& [name, digest] : statement.files) {
            if (std::ranges::find(names, name) == names.end()) return refused("'", name, "' is missing");
        }
    } else {
        if (statement.files.size() != 1) return refused("it is for a folder of ", statement.files.size(), " files");
        COFFER_TRY_ASSIGN(const os::File file, os::File::open_read(path));
        COFFER_TRY(check_file(statement, ".", file));
    }
    return Verified{statement.model, statement.files.size()};
}

}  // namespace coffer::cli::oms
