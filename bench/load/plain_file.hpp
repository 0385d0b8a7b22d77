// What "plain" means in the load benchmark: the plaintext manifest and payload of a sealed model in one file, and a
// reader of it. It exists here alone, to compare with; the library has no such format.
#pragma once

#include <cstring>
#include <string>

#include "coffer/base/os.hpp"
#include "container/manifest.hpp"

namespace coffer::bench {

// Head of 4,096 bytes: LE8 manifest size, LE8 payload size, LE8 model version, model id; then the manifest padded to
// whole pages, then the payload.
struct PlainHead {
    uint64_t manifest = 0, payload = 0, version = 0;
    container::Id id{};
};
inline constexpr uint64_t kPlainPage = 4096;

inline Status write_plain(const graph::Model& model, const std::string& path) {
    COFFER_TRY_ASSIGN(const container::EncodedManifest encoded, container::encode_manifest(model, {}, {}));
    PlainHead head{encoded.plaintext.size(), encoded.payload_end, model.version, {}};
    if (!model.name.empty()) {
        COFFER_TRY_ASSIGN(head.id, trust::model_id(model.name));
    }
    std::vector<std::byte> file(kPlainPage + round_up<uint64_t>(head.manifest, kPlainPage) + head.payload);
    std::memcpy(file.data(), &head, sizeof head);
    std::ranges::copy(encoded.plaintext, file.begin() + kPlainPage);
    std::byte* payload = file.data() + file.size() - head.payload;
    for (const container::Item& item : encoded.items) {
        const MutableBytes to(payload + item.offset, item.nbytes);
        if (!item.tensor.valid()) {
            std::ranges::copy(item.blob, to.begin());
        } else if (item.tensor.dtype() == DType::kString) {
            codec::encode_strings(item.tensor.span<PrivateString>(), to);
        } else if (item.stored != DType::kUndefined) {
            codec::narrow(item.tensor.dtype(), item.stored, item.tensor.bytes(), to);
        } else {
            std::ranges::copy(item.tensor.bytes(), to.begin());
        }
    }
    COFFER_TRY_ASSIGN(os::AtomicFile out, os::AtomicFile::create(path, 0600));
    COFFER_TRY(out.write(file));
    return out.commit();
}

inline Result<graph::Model> read_plain(const std::string& path) {
    COFFER_TRY_ASSIGN(const os::File file, os::File::open_read(path));
    PlainHead head;
    COFFER_TRY(file.read_at(0, {reinterpret_cast<std::byte*>(&head), sizeof head}));
    std::vector<std::byte> manifest(head.manifest);
    COFFER_TRY(file.read_at(kPlainPage, manifest));
    COFFER_TRY_ASSIGN(container::Manifest decoded,
                      container::decode_manifest(manifest, {head.id, head.version, head.payload, {}, {}}));
    COFFER_TRY_ASSIGN(os::Pages made, os::Pages::allocate(std::max<uint64_t>(head.payload, 1), os::Pages::kHuge));
    auto pages = std::make_shared<os::Pages>(std::move(made));
    const MutableBytes payload(pages->data(), head.payload);
    COFFER_TRY(file.read_at(kPlainPage + round_up<uint64_t>(head.manifest, kPlainPage), payload));
    COFFER_TRY(container::bind_payload(decoded, payload, pages, os::Pages::kHuge));
    return std::move(decoded.model);
}

}  // namespace coffer::bench
