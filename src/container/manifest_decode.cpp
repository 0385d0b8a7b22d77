#include <set>

#include "coffer/base/checked.hpp"
#include "coffer/base/utf8.hpp"
#include "container/errors.hpp"
#include "container/manifest.hpp"
#include "crypto/hash.hpp"
#include "manifest_generated.h"

namespace coffer::container {
namespace {

using Strings = flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>;

// An absent vector counts as an empty one.
template <class T>
uint32_t count(const flatbuffers::Vector<T>* v) {
    return v ? v->size() : 0;
}

// The verifier checks where a list's length lies, not its elements; a misaligned 8-byte load is undefined.
template <class T>
bool aligned(const flatbuffers::Vector<T>* v) {
    return v->size() == 0 || reinterpret_cast<uintptr_t>(v->Data()) % alignof(T) == 0;
}

class Decoder {
 public:
    Decoder(const fb::Manifest& manifest, const ManifestContext& context, size_t manifest_bytes)
        : m_(manifest), context_(context), copies_left_(32 * manifest_bytes + 65536) {}

    Result<Manifest> run() {
        COFFER_TRY(head());
        COFFER_TRY(tensors());
        COFFER_TRY(blobs());
        COFFER_TRY(payload_end());
        COFFER_TRY(unique_names(m_.ops(), "op", &ops_));
        COFFER_TRY(unique_names(m_.symbols(), "symbol", &symbols_));
        COFFER_TRY(graphs());
        COFFER_TRY(states());
        COFFER_TRY(metadata());
        // The structure of the graphs has one checker, shared with everything that makes or changes a model.
        Status sound = graph::verify(out_.model);
        if (!sound.ok() && sound.error().code() == Code::kFormat) return manifest_invalid(sound.error().message());
        COFFER_TRY(std::move(sound));
        return std::move(out_);
    }

 private:
    // FlatBuffers may refer to one string or list many times. What is copied is charged here, so that a small
    // manifest cannot ask for much memory.
    Status charge(size_t bytes) {
        if (bytes > copies_left_) return manifest_invalid("text or lists are referred to again and again");
        copies_left_ -= bytes;
        return {};
    }
    Result<std::string_view> view(const flatbuffers::String* s, const char* what) {
        if (!s) return std::string_view();
        COFFER_TRY(charge(s->size()));
        if (!is_utf8(s->string_view())) return manifest_invalid(what, " is not UTF-8");
        return s->string_view();
    }
    // Into what is being built, as all that follows: there are many of them.
    Status text(const flatbuffers::String* s, const char* what, std::string* out) {
        COFFER_TRY_ASSIGN(*out, view(s, what));
        return {};
    }
    Status name(const flatbuffers::String* s, const char* what, std::string* out) {
        if (s && s->size() > context_.caps.name_bytes) return over_limit(what, " of ", s->size(), " bytes");
        COFFER_TRY_ASSIGN(const std::string_view found, view(s, what));
        if (found.find('\0') != found.npos) return manifest_invalid(what, " contains a NUL");
        *out = found;
        return {};
    }
    template <class List>
    Status list(const flatbuffers::Vector<typename List::value_type>* v, List* out) {
        if (!v) return {};
        if (!aligned(v)) return manifest_invalid("a list is not aligned");
        COFFER_TRY(charge(v->size() * sizeof(typename List::value_type)));
        out->assign(v->begin(), v->end());
        return {};
    }
    Status extra_memory(uint64_t count, uint64_t each) {
        uint64_t bytes = 0;
        if (!checked_mul(count, each, &bytes) || !checked_add(bytes, out_.extra_memory, &out_.extra_memory)) {
            return manifest_invalid("sizes overflow");
        }
        return {};
    }

    Status head() {
        if (m_.format() != kManifestFormat) return unsupported("manifest format ", m_.format());
        COFFER_TRY(text(m_.producer(), "producer", &out_.model.producer));
        COFFER_TRY(name(m_.name(), "model name", &out_.model.name));
        Id id{};
        if (!out_.model.name.empty()) {
            COFFER_TRY_ASSIGN(id, trust::model_id(out_.model.name));
        }
        if (id != context_.model_id) return manifest_invalid("the model name is not the header's");
        out_.model.version = context_.model_version;
        if (m_.constants() > count(m_.tensors())) {
            return manifest_invalid(m_.constants(), " constants of ", count(m_.tensors()), " tensors");
        }
        std::vector<uint8_t> mark;
        COFFER_TRY(list(m_.fingerprint(), &mark));
        const Bytes bytes = std::as_bytes(std::span(mark));
        out_.fingerprint.assign(bytes.begin(), bytes.end());
        const fb::Claims* claims = m_.claims();
        if (claims && count(claims->features()) != 0)
            return unsupported("the model needs features of a newer reader");
        if (claims && claims->min_runtime() > kManifestLevel) {
            return unsupported("the model needs a reader of level ", claims->min_runtime());
        }
        return {};
    }

    // Offsets are canonical: each follows from the end of the item before.
    Status item(uint64_t offset, uint64_t nbytes, const char* what, uint32_t i) {
        if (offset != round_up(out_.payload_end, kItemAlign) || !checked_add(offset, nbytes, &out_.payload_end) ||
            out_.payload_end > context_.payload_len) {
            return manifest_invalid(what, " ", i, ": bytes [", offset, ", +", nbytes,
                                    ") do not follow the one before");
        }
        return {};
    }

    Status tensors() {
        const uint32_t n = count(m_.tensors());
        if (n > context_.caps.tensors) return over_limit(n, " tensors");
        out_.tensors.reserve(n);
        out_.model.constants.reserve(m_.constants());
        for (uint32_t i = 0; i < n; ++i) COFFER_TRY(tensor(*m_.tensors()->Get(i), i));
        return {};
    }

    Status tensor(const fb::Tensor& t, uint32_t i) {
        TensorRecord& record = out_.tensors.emplace_back();
        if (t.dtype() == 0 || t.dtype() >= kDTypeCount) return unsupported("element type ", t.dtype());
        record.dtype = static_cast<DType>(t.dtype());
        const codec::EncodingRow* encoding = codec::find_encoding(t.encoding());
        const codec::CoderRow* coder = codec::find_coder(t.coder());
        if (!encoding) return unsupported("weight encoding ", t.encoding());
        if (!coder) return unsupported("weight coder ", t.coder());
        if (t.layout() != 0) return unsupported("weight layout ", t.layout());
        record.encoding = encoding->id;
        record.coder = coder->id;
        record.stored = static_cast<DType>(t.stored());
        if (count(t.segments()) != 0) return manifest_invalid("tensor ", i, " has segments but no coder");
        if (t.quant()) return manifest_invalid("tensor ", i, " has quantization parameters but no such encoding");

        if (count(t.shape()) > kMaxRank) return manifest_invalid("tensor ", i, " has rank ", count(t.shape()));
        if (t.shape() && !aligned(t.shape())) return manifest_invalid("a list is not aligned");
        for (uint32_t axis = 0; axis < count(t.shape()); ++axis) {
            const uint64_t dim = t.shape()->Get(axis);
            if (dim > kMaxDim) return manifest_invalid("tensor ", i, " has dim ", dim);
            record.shape.push_back(static_cast<int64_t>(dim));
        }
        record.offset = t.offset();
        record.nbytes = t.nbytes();
        COFFER_TRY(size(record, *encoding, i));
        COFFER_TRY(item(record.offset, record.nbytes, "tensor", i));
        if (i >= m_.constants()) return {};
        graph::Constant& constant = out_.model.constants.emplace_back();
        constant.tensor = typed(record);
        return name(t.name(), "tensor name", &constant.name);
    }

    Status size(const TensorRecord& t, const codec::EncodingRow& encoding, uint32_t i) {
        if (t.dtype == DType::kString) {
            if (t.encoding != codec::Encoding::kPlain || t.stored != DType::kUndefined) {
                return manifest_invalid("string tensor ", i, " with encoding ", static_cast<unsigned>(t.encoding));
            }
            int64_t n = 0;
            uint64_t offsets = 0;
            const bool fits = t.shape.checked_elements(&n) && checked_add<uint64_t>(n, 1, &offsets) &&
                              checked_mul<uint64_t>(offsets, 8, &offsets) && offsets <= t.nbytes;
            if (!fits)
                return manifest_invalid("string tensor ", i, " of shape ", t.shape, " in ", t.nbytes, " bytes");
            COFFER_TRY(extra_memory(static_cast<uint64_t>(n), sizeof(PrivateString)));
            return extra_memory(t.nbytes, 1);
        }
        uint64_t exact = 0;
        if (!encoding.encoded_size(t.dtype, t.stored, t.shape, &exact) || exact != t.nbytes) {
            return manifest_invalid("tensor ", i, " of ", t.dtype, " ", t.shape, " in ", t.nbytes, " bytes");
        }
        if (t.encoding == codec::Encoding::kPlain) return {};
        size_t decoded = 0;
        uint64_t aligned = 0;
        if (!checked_nbytes(t.shape, t.dtype, &decoded) ||
            !checked_round_up<uint64_t>(decoded, kItemAlign, &aligned) ||
            !checked_add(out_.decoded_bytes, aligned, &out_.decoded_bytes)) {
            return manifest_invalid("sizes overflow");
        }
        return extra_memory(aligned, 1);
    }

    // Type and shape without bytes, until bind_payload().
    static Tensor typed(const TensorRecord& t) { return Tensor::wrap({nullptr, t.dtype, t.shape}, nullptr); }

    Status blobs() {
        const uint32_t n = count(m_.blobs());
        for (uint32_t i = 0; i < n; ++i) {
            const fb::Blob& blob = *m_.blobs()->Get(i);
            if (blob.kind() != 0) return unsupported("blob kind ", blob.kind());
            COFFER_TRY(item(blob.offset(), blob.nbytes(), "blob", i));
            COFFER_TRY(extra_memory(blob.nbytes(), 1));
            COFFER_TRY(name(blob.name(), "blob name", &out_.model.blobs.emplace_back().name));
            out_.blobs.push_back({blob.offset(), blob.nbytes()});
        }
        return {};
    }

    Status payload_end() {
        const uint64_t end = out_.payload_end;
        if (context_.payload_len == end || context_.payload_len == padme(end)) return {};
        return manifest_invalid("the payload has ", context_.payload_len, " bytes, its items end at ", end);
    }

    Status unique_names(const Strings* strings, const char* what, std::vector<std::string>* names) {
        for (uint32_t i = 0; i < count(strings); ++i) {
            COFFER_TRY(name(strings->Get(i), what, &names->emplace_back()));
            if (names->back().empty()) return manifest_invalid(what, " without a name");
        }
        const std::set<std::string_view> distinct(names->begin(), names->end());
        if (distinct.size() != names->size()) return manifest_invalid(what, " listed twice");
        return {};
    }

    Status graphs() {
        const uint32_t n = count(m_.graphs());
        graph_used_.resize(n);
        out_.model.graphs.reserve(n);
        for (uint32_t i = 0; i < n; ++i) {
            COFFER_TRY(graph(*m_.graphs()->Get(i), i, &out_.model.graphs.emplace_back()));
        }
        return {};
    }

    Status graph(const fb::Graph& src, uint32_t index, graph::Graph* g) {
        COFFER_TRY(name(src.name(), "graph name", &g->name));
        nodes_ += count(src.nodes());
        values_ += count(src.values());
        if (nodes_ > context_.caps.nodes || values_ > kMaxRecords) return over_limit("too many nodes or values");
        g->values.reserve(count(src.values()));
        for (uint32_t i = 0; i < count(src.values()); ++i) {
            COFFER_TRY(value(*src.values()->Get(i), &g->values.emplace_back()));
        }
        g->nodes.reserve(count(src.nodes()));
        for (uint32_t i = 0; i < count(src.nodes()); ++i) {
            COFFER_TRY(node(*src.nodes()->Get(i), index, i, &g->nodes.emplace_back()));
        }
        COFFER_TRY(list(src.inputs(), &g->inputs));
        return list(src.outputs(), &g->outputs);
    }

    Status value(const fb::Value& src, graph::ValueInfo* v) {
        COFFER_TRY(name(src.name(), "value name", &v->name));
        if (src.kind() > fb::ValueKind::MAX) return unsupported("kind of value ", static_cast<int>(src.kind()));
        if (src.dtype() >= kDTypeCount) return unsupported("element type ", src.dtype());
        v->type.kind = static_cast<ValueKind>(src.kind());
        v->type.dtype = static_cast<DType>(src.dtype());
        if (!src.ranked() && count(src.dims()) != 0) return manifest_invalid("dims of a value without rank");
        if (src.ranked()) v->type.dims.emplace().resize(count(src.dims()));
        for (uint32_t i = 0; i < count(src.dims()); ++i) COFFER_TRY(dim(*src.dims()->Get(i), &(*v->type.dims)[i]));
        static_assert(kNone == static_cast<uint32_t>(-1));
        v->constant = static_cast<int32_t>(src.constant());
        return {};
    }

    Status dim(const fb::Dim& src, graph::Dim* d) {
        if (src.size() != kNone) {
            if (src.size() > kMaxDim) return manifest_invalid("dim ", src.size());
            d->value = src.size();
        }
        if (src.symbol() != kNone) {
            if (src.symbol() >= symbols_.size()) return manifest_invalid("symbol ", src.symbol());
            d->symbol = symbols_[src.symbol()];
            COFFER_TRY(charge(d->symbol.size()));
        }
        return {};
    }

    Status node(const fb::Node& src, uint32_t graph_index, uint32_t node_index, graph::Node* n) {
        if (src.op() >= ops_.size()) return manifest_invalid("op ", src.op());
        n->op = ops_[src.op()];
        COFFER_TRY(charge(n->op.size()));
        if (context_.check_op && checked_ops_.insert({src.op(), src.op_version()}).second) {
            COFFER_TRY(context_.check_op(n->op, src.op_version()));
        }
        COFFER_TRY(name(src.name(), "node name", &n->name));
        COFFER_TRY(list(src.inputs(), &n->inputs));
        COFFER_TRY(list(src.outputs(), &n->outputs));
        if (count(src.attrs()) > kMaxAttrs) return over_limit("a node has ", count(src.attrs()), " attributes");
        n->attrs.resize(count(src.attrs()));
        for (uint32_t i = 0; i < n->attrs.size(); ++i) {
            COFFER_TRY(attr(*src.attrs()->Get(i), {graph_index, node_index, i, kNone}, &n->attrs[i]));
        }
        return {};
    }

    Status attr(const fb::Attr& src, AttrUse use, graph::Attr* a) {
        using Kind = fb::AttrKind;
        COFFER_TRY(name(src.name(), "attribute name", &a->name));
        const Kind kind = src.kind();
        if (kind < Kind::MIN || kind > Kind::MAX) return unsupported("kind of attribute ", static_cast<int>(kind));
        const bool may_be_tensor =
            kind == Kind::Ints || kind == Kind::Floats || kind == Kind::Strings || kind == Kind::Tensor;
        const bool stray = (kind != Kind::Int && src.i() != 0) || (kind != Kind::Float && src.f() != 0) ||
                           (kind != Kind::String && src.s()) || (kind != Kind::Ints && src.ints()) ||
                           (kind != Kind::Floats && src.floats()) || (kind != Kind::Strings && src.strings()) ||
                           (!may_be_tensor && src.tensor() != kNone) || (kind != Kind::Graph && src.graph() != kNone);
        if (stray) return manifest_invalid("an attribute has more than one value");
        use.tensor = src.tensor();
        switch (kind) {
            case Kind::Int: a->value = src.i(); return {};
            case Kind::Float: a->value = src.f(); return {};
            case Kind::String: return text(src.s(), "attribute value", &a->value.emplace<std::string>());
            case Kind::Tensor: {
                if (use.tensor >= out_.tensors.size()) return manifest_invalid("tensor ", use.tensor);
                out_.attr_uses.push_back(use);
                a->value = typed(out_.tensors[use.tensor]);
                return {};
            }
            case Kind::Graph: {
                if (src.graph() >= graph_used_.size() || graph_used_[src.graph()]) {
                    return manifest_invalid("graph ", src.graph(), " is missing or used twice");
                }
                graph_used_[src.graph()] = true;
                a->value = graph::GraphRef{src.graph()};
                return {};
            }
            case Kind::Ints: return list_attr(src.ints(), use, &a->value.emplace<PrivateVector<int64_t>>());
            case Kind::Floats: return list_attr(src.floats(), use, &a->value.emplace<PrivateVector<float>>());
            case Kind::Strings: break;
        }
        return strings_attr(src.strings(), use, &a->value.emplace<PrivateVector<PrivateString>>());
    }

    template <class T>
    Status list_attr(const flatbuffers::Vector<T>* values, const AttrUse& use, PrivateVector<T>* out) {
        if (use.tensor != kNone) return list_tensor(use, dtype_of<T>, values != nullptr);
        if (count(values) > kMaxInlineList) return manifest_invalid("a long list is not a tensor");
        return list(values, out);
    }

    Status strings_attr(const Strings* values, const AttrUse& use, PrivateVector<PrivateString>* out) {
        if (use.tensor != kNone) return list_tensor(use, DType::kString, values != nullptr);
        if (count(values) > kMaxInlineList) return manifest_invalid("a long list is not a tensor");
        for (uint32_t i = 0; i < count(values); ++i) {
            COFFER_TRY_ASSIGN(const std::string_view s, view(values->Get(i), "attribute value"));
            out->emplace_back(s);
        }
        return {};
    }

    Status list_tensor(const AttrUse& use, DType dtype, bool inline_too) {
        if (inline_too || use.tensor >= out_.tensors.size()) return manifest_invalid("list tensor ", use.tensor);
        const TensorRecord& t = out_.tensors[use.tensor];
        if (t.dtype != dtype || t.shape.rank() != 1) {
            return manifest_invalid("list tensor ", use.tensor, " is ", t.dtype, " ", t.shape);
        }
        out_.attr_uses.push_back(use);
        if (dtype == DType::kString) COFFER_TRY(extra_memory(t.nbytes, 1));
        const uint64_t each = dtype == DType::kString ? sizeof(PrivateString) : dtype_bits(dtype) / 8;
        return extra_memory(static_cast<uint64_t>(t.shape[0]), each);
    }

    Status states() {
        const uint32_t n = count(m_.states());
        if (n > kMaxStates) return over_limit(n, " states");
        for (uint32_t i = 0; i < n; ++i) {
            const fb::State& src = *m_.states()->Get(i);
            graph::StatePair state;
            COFFER_TRY(name(src.input(), "state name", &state.input));
            COFFER_TRY(name(src.output(), "state name", &state.output));
            if (src.initial() != kNone) {
                if (src.initial() >= out_.tensors.size()) return manifest_invalid("tensor ", src.initial());
                state.initial = typed(out_.tensors[src.initial()]);
                out_.state_uses.push_back({i, src.initial()});
            }
            out_.model.states.push_back(std::move(state));
        }
        return {};
    }

    Status metadata() {
        std::set<std::string> keys;
        for (uint32_t i = 0; i < count(m_.metadata()); ++i) {
            const fb::KeyValue& pair = *m_.metadata()->Get(i);
            auto& [key, value] = out_.model.metadata.emplace_back();
            COFFER_TRY(name(pair.key(), "metadata key", &key));
            COFFER_TRY(text(pair.value(), "metadata value", &value));
            if (!keys.insert(key).second) return manifest_invalid("a metadata key is there twice");
        }
        return {};
    }

    const fb::Manifest& m_;
    const ManifestContext& context_;
    size_t copies_left_;
    Manifest out_;
    std::vector<std::string> ops_, symbols_;
    std::set<std::pair<uint32_t, uint16_t>> checked_ops_;
    std::vector<bool> graph_used_;
    uint64_t nodes_ = 0, values_ = 0;
};

}  // namespace

Result<Manifest> decode_manifest(Bytes plaintext, const ManifestContext& context) {
    if (plaintext.size() < 4) return manifest_invalid("of ", plaintext.size(), " bytes");
    const uint64_t size = load_le(plaintext.first(4)) + 4;
    if (size > plaintext.size() || size > kMaxManifest) return manifest_invalid("its size prefix is ", size - 4);
    for (std::byte b : plaintext.subspan(size)) {
        if (b != std::byte{0}) return manifest_invalid("its padding is not zero");
    }
    flatbuffers::Verifier verifier(as_uchar(plaintext), size, context.caps.manifest_depth,
                                   context.caps.manifest_tables);
    if (!fb::VerifySizePrefixedManifestBuffer(verifier)) return manifest_invalid("malformed");
    return Decoder(*fb::GetSizePrefixedManifest(plaintext.data()), context, size).run();
}

}  // namespace coffer::container
