// Gives a decoded model its bytes (docs/format.md 5.5 step 16).
#include <algorithm>

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

// Where tensors that are not plain are decoded to: one block, handed out from front to back.
class DecodedPages {
 public:
    static Result<DecodedPages> create(uint64_t bytes, unsigned page_flags) {
        DecodedPages out;
        if (bytes == 0) return out;
        COFFER_TRY_ASSIGN(os::Pages pages, os::Pages::allocate(bytes, page_flags));
        out.pages_ = std::make_shared<os::Pages>(std::move(pages));
        return out;
    }
    Tensor decode(const TensorRecord& t, Bytes stored) {
        Tensor out = Tensor::wrap({pages_->data() + used_, t.dtype, t.shape}, pages_);
        codec::widen(t.dtype, t.stored, stored, {pages_->data() + used_, out.nbytes()});
        used_ += round_up(out.nbytes(), size_t{kItemAlign});
        return out;
    }
    void protect_read_only() {
        if (pages_) pages_->protect_read_only();
    }

 private:
    std::shared_ptr<os::Pages> pages_;
    size_t used_ = 0;
};

Result<Tensor> bound(const TensorRecord& t, MutableBytes payload, const std::shared_ptr<const void>& owner,
                     DecodedPages& decoded) {
    const MutableBytes bytes = payload.subspan(t.offset, t.nbytes);
    if (t.dtype == DType::kString) {
        COFFER_TRY_ASSIGN(Tensor strings, Tensor::create(t.dtype, t.shape));
        COFFER_TRY(codec::decode_strings(bytes, strings.span<std::string>()));
        return strings;
    }
    if (t.dtype == DType::kBool && std::ranges::any_of(bytes, [](std::byte b) { return b > std::byte{1}; })) {
        return manifest_invalid("a boolean is neither 0 nor 1");
    }
    // A tensor without elements may lie behind the last page; nobody may be handed a null pointer for it.
    if (bytes.empty()) return Tensor::create(t.dtype, t.shape);
    if (t.encoding == codec::Encoding::kNarrow) return decoded.decode(t, bytes);
    return Tensor::wrap({bytes.data(), t.dtype, t.shape}, owner);
}

template <class T>
void copy_list(const Tensor& t, graph::AttrValue& value) {
    const std::span<T> items = t.span<T>();
    value.emplace<std::vector<T>>(items.begin(), items.end());
}

void set_attr(graph::AttrValue& value, const Tensor& t) {
    if (std::holds_alternative<std::vector<int64_t>>(value)) return copy_list<int64_t>(t, value);
    if (std::holds_alternative<std::vector<float>>(value)) return copy_list<float>(t, value);
    if (std::holds_alternative<std::vector<std::string>>(value)) return copy_list<std::string>(t, value);
    value = t;
}

}  // namespace

Status bind_payload(Manifest& m, MutableBytes payload, std::shared_ptr<const void> owner, unsigned page_flags) {
    COFFER_TRY(check_padding(m, payload));
    std::vector<Tensor> tensors;
    tensors.reserve(m.tensors.size());
    COFFER_TRY_ASSIGN(DecodedPages decoded, DecodedPages::create(m.decoded_bytes, page_flags));
    for (const TensorRecord& record : m.tensors) {
        COFFER_TRY_ASSIGN(Tensor t, bound(record, payload, owner, decoded));
        tensors.push_back(std::move(t));
    }
    decoded.protect_read_only();
    for (size_t i = 0; i < m.model.constants.size(); ++i) m.model.constants[i].tensor = tensors[i];
    for (const AttrUse& use : m.attr_uses) {
        set_attr(m.model.graphs[use.graph].nodes[use.node].attrs[use.attr].value, tensors[use.tensor]);
    }
    for (const StateUse& use : m.state_uses) m.model.states[use.state].initial = tensors[use.tensor];
    for (size_t i = 0; i < m.blobs.size(); ++i) {
        const Bytes bytes = payload.subspan(m.blobs[i].offset, m.blobs[i].nbytes);
        m.model.blobs[i].bytes.assign(bytes.begin(), bytes.end());
    }
    return {};
}

}  // namespace coffer::container
