#include "container/keys.hpp"

#include <algorithm>

namespace coffer::container {

std::array<std::byte, 2> le2(uint16_t value) {
    return {static_cast<std::byte>(value), static_cast<std::byte>(value >> 8)};
}

std::array<std::byte, 8> le8(uint64_t value) {
    std::array<std::byte, 8> out;
    for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::byte>(value >> (8 * i));
    return out;
}

Bytes KeyAndNonce::key() const {
    const Bytes bytes = bytes_.bytes();
    return bytes.size() == kSize ? bytes.first(crypto::kAeadKeySize) : Bytes{};
}

crypto::Nonce KeyAndNonce::nonce() const {
    crypto::Nonce nonce{};
    const Bytes bytes = bytes_.bytes();
    if (bytes.size() == kSize) std::ranges::copy(bytes.subspan(crypto::kAeadKeySize), nonce.begin());
    return nonce;
}

Result<Schedule> Schedule::create(const Header& header, Bytes dek) {
    Schedule s;
    COFFER_TRY_ASSIGN(s.prk_, crypto::hkdf_extract(header.salt, {dek}));
    s.suite_ = le2(header.suite);
    s.file_id_ = header.file_id;
    return s;
}

Result<crypto::SecretBytes> Schedule::expand(std::string_view label, size_t size) const {
    constexpr std::byte zero[1] = {};
    return crypto::hkdf_expand(prk_.bytes(), {as_bytes("coffer/v1/"), as_bytes(label), zero, suite_, file_id_}, size);
}

Result<Digest> Schedule::key_commit() const {
    COFFER_TRY_ASSIGN(const crypto::SecretBytes bytes, expand("commit", sizeof(Digest)));
    Digest commit{};
    std::ranges::copy(bytes.bytes(), commit.begin());
    return commit;
}

Result<KeyAndNonce> Schedule::key_and_nonce(std::string_view label) const {
    COFFER_TRY_ASSIGN(crypto::SecretBytes bytes, expand(label, KeyAndNonce::kSize));
    return KeyAndNonce(std::move(bytes));
}

Result<Digest> make_salt(const Header& header, Bytes random32, const Digest& manifest, const Digest& payload) {
    return crypto::sha256({as_bytes("coffer/v1/salt"), random32, le2(header.suite), header.model_id,
                           le8(header.model_version), le8(header.not_after), manifest, payload});
}

std::vector<std::byte> manifest_aad(const Header& header) {
    Writer w;
    w.put("coffer/v1/manifest");
    w.u16(header.suite);
    w.put(header.file_id);
    w.put(header.model_id);
    w.u64(header.model_version);
    w.u64(header.payload_len);
    w.u64(header.not_after);
    return w.take();
}

ChunkAad::ChunkAad(const Header& header) : n_chunks_(header.n_chunks) {
    Writer w;
    w.put("coffer/v1/chunk");
    w.u16(header.suite);
    w.put(header.file_id);
    w.u64(header.payload_len);
    w.zeros(9);  // index and last, set by at()
    bytes_ = w.take();
}

Bytes ChunkAad::at(uint64_t chunk) {
    std::ranges::copy(le8(chunk), bytes_.end() - 9);
    bytes_.back() = std::byte{chunk + 1 == n_chunks_};
    return bytes_;
}

Result<Digest> table_root(uint64_t n_chunks, Bytes table) {
    return crypto::sha256({as_bytes("coffer/v1/table"), le8(n_chunks), table});
}

}  // namespace coffer::container
