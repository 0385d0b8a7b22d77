// What the target `manifest` eats: the plaintext that the AEAD would have given (LE4 size, FlatBuffer), then the
// plaintext of the payload to the end.
#pragma once

#include <algorithm>
#include <vector>

#include "codec/codec.hpp"
#include "container/manifest.hpp"

namespace coffer::fuzz {

inline Result<std::vector<std::byte>> encode_sample(const graph::Model& model) {
    COFFER_TRY_ASSIGN(const container::EncodedManifest manifest, container::encode_manifest(model, {}, {}));
    const size_t head = manifest.size;
    std::vector<std::byte> out(head + manifest.payload_end);
    std::copy_n(manifest.plaintext.begin(), head, out.begin());
    for (const container::Item& item : manifest.items) {
        const MutableBytes dst = MutableBytes(out).subspan(head + item.offset, item.nbytes);
        if (!item.tensor.valid()) {
            std::ranges::copy(item.blob, dst.begin());
        } else if (item.tensor.dtype() == DType::kString) {
            codec::encode_strings(item.tensor.span<PrivateString>(), dst);
        } else {
            std::ranges::copy(item.tensor.bytes(), dst.begin());
        }
    }
    return out;
}

// The decoded model with its bytes, which live as long as it does.
inline Result<graph::Model> decode_sample(Bytes data) {
    if (data.size() < 4) return error(Code::kFormat, "too short");
    const uint64_t head = load_le(data.first(4)) + 4;
    if (head > data.size()) return error(Code::kFormat, "cut");
    container::ManifestContext context;
    context.payload_len = data.size() - head;
    COFFER_TRY_ASSIGN(container::Manifest manifest, container::decode_manifest(data.first(head), context));
    COFFER_TRY_ASSIGN(os::Pages pages,
                      os::Pages::allocate(std::max<size_t>(context.payload_len, 1), os::Pages::kPlain));
    const auto payload = std::make_shared<os::Pages>(std::move(pages));
    const MutableBytes bytes(payload->data(), context.payload_len);
    std::ranges::copy(data.subspan(head), bytes.begin());
    COFFER_TRY(container::bind_payload(manifest, bytes, payload, os::Pages::kPlain));
    return std::move(manifest.model);
}

}  // namespace coffer::fuzz
