// Gives a decoded model its bytes (docs/format.md 5.5 step 16).
#include <algorithm>
#include <cstring>

#include "coffer/base/checked.hpp"
#include "coffer/base/os.hpp"
#include "container/errors.hpp"
#include "container/header.hpp"
#include "container/manifest.hpp"

namespace coffer::container {
namespace {

Status check_padding(const Manifest& m, Bytes payload) {
    uint64_t end = 0;
    const auto gap = [&](uint64_t offset, uint64_t nbytes) {
        const bool clean = all_zero(payload.subspan(end, offset - end));
        end = offset + nbytes;
        return clean;
    };
    const bool clean = std::ranges::all_of(m.tensors, [&](const auto& t) { return gap(t.offset, t.nbytes); }) &&
                       std::ranges::all_of(m.blobs, [&](const auto& b) { return gap(b.offset, b.nbytes); }) &&
                       gap(payload.size(), 0);
    if (!clean) return manifest_invalid("bytes between tensors are not zero");
    return {};
}

// Decoded in pieces, so that the stored bytes can go while the elements come.
constexpr size_t kPieceElements = size_t{1} << 18;

// Gives places in `decoded` to tensors that are not plain, from front to back.
class Places {
 public:
    static Result<Places> create(uint64_t bytes, unsigned page_flags, DecodedTensors* decoded) {
        if (bytes == 0) return Places(decoded);
        COFFER_TRY_ASSIGN(os::Pages pages, os::Pages::allocate(bytes, page_flags));
        decoded->pages = std::make_shared<os::Pages>(std::move(pages));
        return Places(decoded);
    }
    Tensor next(const TensorRecord& t) {
        std::byte* data = decoded_->pages->data() + used_;
        Tensor out = Tensor::wrap({data, t.dtype, t.shape}, decoded_->pages);
        used_ += round_up(out.nbytes(), size_t{kItemAlign});
        decoded_->records.emplace(data, t);
        return out;
    }

 private:
    explicit Places(DecodedTensors* decoded) : decoded_(decoded) {}
    DecodedTensors* decoded_;
    size_t used_ = 0;
};

Result<Tensor> bound(const TensorRecord& t, MutableBytes payload, const std::shared_ptr<const void>& owner,
                     Places& places) {
    const MutableBytes bytes = payload.subspan(t.offset, t.nbytes);
    if (t.dtype == DType::kString) {
        COFFER_TRY_ASSIGN(Tensor strings, Tensor::create(t.dtype, t.shape));
        COFFER_TRY(codec::decode_strings(bytes, strings.span<PrivateString>()));
        return strings;
    }
    // A tensor without elements may lie behind the last page; nobody may be handed a null pointer for it.
    if (bytes.empty()) return Tensor::create(t.dtype, t.shape);
    if (t.encoding == codec::Encoding::kNarrow) return places.next(t);
    return Tensor::wrap({bytes.data(), t.dtype, t.shape}, owner);
}

bool is_list(const graph::AttrValue& value) {
    return !std::holds_alternative<Tensor>(value);
}

// Lists go straight into their attributes.
template <class T>
void fill_list(const TensorRecord& t, Bytes payload, PrivateVector<T>& list) {
    list.resize(static_cast<size_t>(t.shape.elements()));
    if (list.empty()) return;
    auto* dst = reinterpret_cast<std::byte*>(list.data());
    if (t.encoding == codec::Encoding::kNarrow) {
        decode_tensor(t, payload, dst, {});
    } else {
        std::memcpy(dst, payload.data() + t.offset, t.nbytes);
    }
}
Status fill_list(const TensorRecord& t, Bytes payload, graph::AttrValue& value) {
    if (auto* ints = std::get_if<PrivateVector<int64_t>>(&value)) fill_list(t, payload, *ints);
    if (auto* floats = std::get_if<PrivateVector<float>>(&value)) fill_list(t, payload, *floats);
    auto* strings = std::get_if<PrivateVector<PrivateString>>(&value);
    if (!strings) return {};
    strings->resize(static_cast<size_t>(t.shape.elements()));
    return codec::decode_strings(payload.subspan(t.offset, t.nbytes), *strings);
}

template <class M>
auto& value_of(M& m, const AttrUse& use) {
    return m.model.graphs[use.graph].nodes[use.node].attrs[use.attr].value;
}

// What becomes of each tensor.
struct Uses {
    std::vector<bool> at_once;    // its bytes are looked at when the model is opened
    std::vector<bool> as_tensor;  // somebody wants it as a Tensor
    std::vector<bool> as_list;    // an attribute copies its elements
    std::vector<bool> copied;     // nobody will look at the payload for it again

    explicit Uses(const Manifest& m)
        : at_once(m.tensors.size()), as_tensor(at_once), as_list(at_once), copied(at_once) {
        for (size_t i = 0; i < m.tensors.size(); ++i) {
            const bool constant = i < m.model.constants.size(), string = m.tensors[i].dtype == DType::kString;
            at_once[i] = !constant || string;
            as_tensor[i] = constant;
            copied[i] = !constant || string;
        }
        for (const AttrUse& use : m.attr_uses) {
            const graph::AttrValue& value = value_of(m, use);
            const bool string = m.tensors[use.tensor].dtype == DType::kString;
            at_once[use.tensor] = true;
            (is_list(value) ? as_list : as_tensor)[use.tensor] = true;
            if (!is_list(value) && !string) copied[use.tensor] = false;
        }
        for (const StateUse& use : m.state_uses) {
            at_once[use.tensor] = as_tensor[use.tensor] = true;
            if (m.tensors[use.tensor].dtype != DType::kString) copied[use.tensor] = false;
        }
        for (size_t i = 0; i < m.tensors.size(); ++i) {
            // Goes while it is decoded.
            if (as_tensor[i] && m.tensors[i].encoding == codec::Encoding::kNarrow) copied[i] = false;
        }
    }
};

// Neighbours that were copied go together.
void drop_copied(const Manifest& m, const Uses& uses, uint64_t payload_len, const PayloadAccess& access) {
    uint64_t begin = 0, end = 0;
    const auto add = [&](uint64_t offset, uint64_t nbytes, bool copied) {
        if (copied && end == begin) begin = offset;
        if (copied) end = std::min(round_up(offset + nbytes, kItemAlign), payload_len);
        if (!copied && end > begin) access.drop(begin, end - begin);
        if (!copied) begin = end = 0;
    };
    for (size_t i = 0; i < m.tensors.size(); ++i) add(m.tensors[i].offset, m.tensors[i].nbytes, uses.copied[i]);
    for (const BlobRecord& blob : m.blobs) add(blob.offset, blob.nbytes, true);
    add(0, 0, false);
}

}  // namespace

Status check_tensor(const TensorRecord& t, Bytes payload) {
    const Bytes bytes = payload.subspan(t.offset, t.nbytes);
    if (t.dtype == DType::kBool && std::ranges::any_of(bytes, [](std::byte b) { return b > std::byte{1}; })) {
        return manifest_invalid("a boolean is neither 0 nor 1");
    }
    const uint64_t end = t.offset + t.nbytes, next = std::min(round_up(end, kItemAlign), uint64_t{payload.size()});
    if (!all_zero(payload.subspan(end, next - end))) return manifest_invalid("bytes between tensors are not zero");
    return {};
}

void decode_tensor(const TensorRecord& t, Bytes payload, std::byte* dst, const PayloadAccess& access) {
    const auto elements = static_cast<size_t>(t.shape.elements());
    const size_t wide = dtype_bits(t.dtype) / 8, stored = dtype_bits(t.stored) / 8;
    for (size_t i = 0; i < elements; i += kPieceElements) {
        const size_t n = std::min(kPieceElements, elements - i);
        codec::widen(t.dtype, t.stored, payload.subspan(t.offset + i * stored, n * stored),
                     {dst + i * wide, n * wide});
        if (access.drop) access.drop(t.offset + i * stored, n * stored);
    }
}

Status bind_payload(Manifest& m, MutableBytes payload, std::shared_ptr<const void> owner, unsigned page_flags,
                    const PayloadAccess& access, DecodedTensors* decoded) {
    if (!access.lazy) COFFER_TRY(check_padding(m, payload));
    DecodedTensors own;
    if (!decoded) decoded = &own;
    const bool leave_stored = access.lazy || access.leave_stored;
    const Uses uses(m);
    std::vector<graph::Constant>& constants = m.model.constants;
    std::vector<Tensor> others(m.tensors.size() - constants.size());
    const auto tensor = [&](size_t i) -> Tensor& {
        return i < constants.size() ? constants[i].tensor : others[i - constants.size()];
    };
    // Huge pages only for who fills them at once.
    const unsigned flags = leave_stored ? page_flags & ~os::Pages::kHuge : page_flags;
    COFFER_TRY_ASSIGN(Places places, Places::create(m.decoded_bytes, flags, decoded));
    for (size_t i = 0; i < m.tensors.size(); ++i) {
        const TensorRecord& record = m.tensors[i];
        const bool now = !access.lazy || uses.at_once[i];
        if (now) {
            if (access.need) COFFER_TRY(access.need(record.offset, record.nbytes));
            COFFER_TRY(check_tensor(record, payload));
        }
        if (!uses.as_tensor[i]) continue;
        COFFER_TRY_ASSIGN(tensor(i), bound(record, payload, owner, places));
        std::byte* const elements = tensor(i).view().as<std::byte>();
        if ((uses.at_once[i] || !leave_stored) && decoded->records.erase(elements) > 0) {
            // A list is filled below.
            decode_tensor(record, payload, elements, uses.as_list[i] ? PayloadAccess{} : access);
        }
    }
    if (decoded->pages) decoded->pages->protect_read_only();
    for (const AttrUse& use : m.attr_uses) {
        graph::AttrValue& value = value_of(m, use);
        if (is_list(value)) {
            COFFER_TRY(fill_list(m.tensors[use.tensor], payload, value));
        } else {
            value = tensor(use.tensor);
        }
    }
    for (const StateUse& use : m.state_uses) m.model.states[use.state].initial = tensor(use.tensor);
    for (size_t i = 0; i < m.blobs.size(); ++i) {
        if (access.need) COFFER_TRY(access.need(m.blobs[i].offset, m.blobs[i].nbytes));
        const Bytes bytes = payload.subspan(m.blobs[i].offset, m.blobs[i].nbytes);
        m.model.blobs[i].bytes.assign(bytes.begin(), bytes.end());
    }
    if (access.drop) drop_copied(m, uses, payload.size(), access);
    return {};
}

}  // namespace coffer::container
