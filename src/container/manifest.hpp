// The manifest (docs/format.md 5.10): FlatBuffers on one side, graph::Model on the other, and the bytes of
// tensors and blobs as items of the payload. Decoding checks every rule that needs no knowledge of operators,
// then graph::verify(); a Manifest that exists is sound. This knows nothing of keys and files.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "codec/codec.hpp"
#include "coffer/base/error.hpp"
#include "coffer/base/os.hpp"
#include "coffer/graph/graph.hpp"
#include "container/format.hpp"
#include "trust/policy.hpp"

namespace coffer::container {

// ---- writing ---------------------------------------------------------------------------------------------

// Payload bytes [offset, offset + nbytes): a tensor or, when that is not valid, a blob. Borrows from the model.
struct Item {
    Tensor tensor;
    Bytes blob;
    DType stored = DType::kUndefined;  // codec::Encoding::kNarrow; else the tensor's own
    uint64_t offset = 0;
    uint64_t nbytes = 0;
};

using OpVersion = std::function<uint16_t(std::string_view op)>;  // 0: not recorded

struct EncodedManifest {
    PrivateVector<std::byte> plaintext;  // LE4(size) || FlatBuffer || zeros; with a tag a multiple of 4,096 bytes
    size_t size = 0;                     // without the zeros
    std::vector<Item> items;
    uint64_t payload_end = 0;
};
Result<EncodedManifest> encode_manifest(const graph::Model& model, const OpVersion& op_version, Bytes fingerprint);

// ---- reading ---------------------------------------------------------------------------------------------

struct TensorRecord {
    DType dtype = DType::kUndefined;
    codec::Encoding encoding = codec::Encoding::kPlain;
    DType stored = DType::kUndefined;  // of Encoding::kNarrow
    codec::Coder coder = codec::Coder::kRaw;
    Shape shape;
    uint64_t offset = 0;
    uint64_t nbytes = 0;
};
struct BlobRecord {
    uint64_t offset = 0;
    uint64_t nbytes = 0;
};

// Where a tensor that is not a constant goes.
struct AttrUse {
    uint32_t graph, node, attr, tensor;
};
struct StateUse {
    uint32_t state, tensor;
};

struct Manifest {
    graph::Model model;                 // tensors have type and shape, but no bytes before bind_payload()
    std::vector<TensorRecord> tensors;  // the constants first
    std::vector<BlobRecord> blobs;
    std::vector<AttrUse> attr_uses;
    std::vector<StateUse> state_uses;
    std::vector<std::byte> fingerprint;
    uint64_t payload_end = 0;
    uint64_t decoded_bytes = 0;  // of tensors that are not plain; bind_payload() puts them in pages of their own
    uint64_t extra_memory = 0;   // the same, and strings, lists and blobs that it copies out of the payload
};

// What HDR says and the manifest must agree with.
struct ManifestContext {
    Id model_id{};
    uint64_t model_version = 0;
    uint64_t payload_len = 0;
    trust::Caps caps;
    // May refuse an op or a version of it; called once per distinct pair.
    std::function<Status(std::string_view op, uint16_t version)> check_op;
};
Result<Manifest> decode_manifest(Bytes plaintext, const ManifestContext& context);

// When bind_payload() is done, the bytes of a model's tensors are in the payload or, when they are not stored
// plainly, have their place in these pages.
struct DecodedTensors {
    std::shared_ptr<os::Pages> pages;  // nullptr: all are plain
    // By that place: the constants that were not decoded.
    std::unordered_map<const void*, TensorRecord> records;
};
// A payload that is not simply there. `need` asks for bytes; only what is copied, or is no constant, is asked for
// when `lazy`, and who wants another constant's bytes loads them and calls check_tensor(), then decode_tensor(). With
// `leave_stored` everything is asked for, but constants are not decoded either. `drop` says that nobody will look at
// stored bytes again.
struct PayloadAccess {
    bool lazy = false;
    bool leave_stored = false;
    std::function<Status(uint64_t offset, uint64_t nbytes)> need;
    std::function<void(uint64_t offset, uint64_t nbytes)> drop;
};
// Gives every tensor its bytes. `payload` is the whole plaintext and lives as long as `owner`; what must be decoded
// gets pages of its own with `page_flags`. Checks what can be seen only now: padding, booleans, strings.
Status bind_payload(Manifest& manifest, MutableBytes payload, std::shared_ptr<const void> owner, unsigned page_flags,
                    const PayloadAccess& access = {}, DecodedTensors* decoded = nullptr);
// What a lazy bind_payload() left out: booleans and the zeros up to the next item; and, for records of
// DecodedTensors, the elements.
Status check_tensor(const TensorRecord& record, Bytes payload);
void decode_tensor(const TensorRecord& record, Bytes payload, std::byte* dst, const PayloadAccess& access);

// round_up for sizes that shall show only coarsely (5.4).
uint64_t padme(uint64_t size);

}  // namespace coffer::container
