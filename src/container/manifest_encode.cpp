#include <bit>
#include <string_view>
#include <unordered_map>

#include "coffer/base/checked.hpp"
#include "coffer/base/utf8.hpp"
#include "container/errors.hpp"
#include "container/manifest.hpp"
#include "manifest_generated.h"

namespace coffer::container {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are stored as they lie in memory");

using flatbuffers::Offset;
template <class T>
using OffsetVector = Offset<flatbuffers::Vector<T>>;
template <class T>
using Tables = std::vector<Offset<T>>;

// Below this an encoding saves less than the alignment of items may cost.
constexpr size_t kWorthEncoding = 1024;

template <class... Parts>
Error cannot_write(const Parts&... parts) {
    return error(Code::kInvalidArgument, "cannot write the model: ", parts...);
}

template <class T>
Result<Tensor> list_tensor(const PrivateVector<T>& values) {
    COFFER_TRY_ASSIGN(Tensor t, Tensor::create(dtype_of<T>, Shape{static_cast<int64_t>(values.size())}));
    std::copy(values.begin(), values.end(), t.view().template as<T>());
    return t;
}

// What the builder writes into, and outgrows again and again.
class PrivateBuffers : public flatbuffers::Allocator {
 public:
    uint8_t* allocate(size_t size) override { return PrivateAllocator<uint8_t>().allocate(size); }
    void deallocate(uint8_t* memory, size_t size) override { PrivateAllocator<uint8_t>().deallocate(memory, size); }
};

// Distinct texts in order of first use.
class Texts {
 public:
    uint32_t index(std::string_view text) {
        const auto [it, added] = index_.try_emplace(std::string(text), static_cast<uint32_t>(all_.size()));
        if (added) all_.push_back(it->first);
        return it->second;
    }
    const std::vector<std::string>& all() const { return all_; }

 private:
    std::unordered_map<std::string, uint32_t> index_;
    std::vector<std::string> all_;
};

class Encoder {
 public:
    Encoder(const graph::Model& model, const OpVersion& op_version) : model_(model), op_version_(op_version) {}

    Result<EncodedManifest> run(Bytes fingerprint) {
        for (const graph::Constant& c : model_.constants) COFFER_TRY(add_tensor(c.name, c.tensor));
        const auto constants = static_cast<uint32_t>(tensors_.size());
        Tables<fb::Graph> graphs;
        for (const graph::Graph& g : model_.graphs) {
            COFFER_TRY_ASSIGN(const auto table, graph(g));
            graphs.push_back(table);
        }
        COFFER_TRY_ASSIGN(const auto states, state_tables());
        // Blobs follow the last tensor, so they come when all tensors are known.
        COFFER_TRY_ASSIGN(const auto blobs, blob_tables());
        COFFER_TRY_ASSIGN(const auto metadata, metadata_tables());
        COFFER_TRY_ASSIGN(const auto producer, text(model_.producer, "producer"));
        COFFER_TRY_ASSIGN(const auto name, this->name(model_.name, "model name"));
        COFFER_TRY_ASSIGN(const auto ops, texts(ops_.all(), "op"));
        COFFER_TRY_ASSIGN(const auto symbols, texts(symbols_.all(), "symbol"));

        const auto tensors = b_.CreateVector(tensors_);
        const auto graph_list = b_.CreateVector(graphs);
        const auto mark = fingerprint.empty() ? OffsetVector<uint8_t>{}
                                              : b_.CreateVector(as_uchar(fingerprint), fingerprint.size());
        const auto root = fb::CreateManifest(b_, kManifestFormat, producer, name, constants, tensors, ops, symbols,
                                             graph_list, states, blobs, metadata, 0, mark);
        b_.FinishSizePrefixed(root, fb::ManifestIdentifier());
        COFFER_TRY(check_size());

        EncodedManifest out;
        const Bytes bytes = std::as_bytes(std::span(b_.GetBufferPointer(), b_.GetSize()));
        out.size = bytes.size();
        out.plaintext.assign(bytes.begin(), bytes.end());
        const uint64_t sealed = out.size + kTagSize;
        const uint64_t coarse = sealed > 65536 ? padme(sealed) : sealed;
        out.plaintext.resize(round_up(coarse, kRegionAlign) - kTagSize);
        out.items = std::move(items_);
        out.payload_end = end_;
        return out;
    }

 private:
    // The builder itself would stop the process at 2 GiB; nothing below adds more than this at a time.
    Status check_size() {
        if (b_.GetSize() > kMaxManifest) return over_limit("the manifest is over ", kMaxManifest, " bytes");
        return {};
    }

    Result<Offset<flatbuffers::String>> text(std::string_view s, const char* what) {
        if (s.size() > kMaxManifest) return over_limit(what, " of ", s.size(), " bytes");
        if (!is_utf8(s)) return cannot_write(what, " '", s, "' is not UTF-8");
        COFFER_TRY(check_size());
        if (s.empty()) return Offset<flatbuffers::String>{};
        return b_.CreateString(s.data(), s.size());
    }
    Result<Offset<flatbuffers::String>> name(std::string_view s, const char* what) {
        if (s.size() > kMaxName) return over_limit(what, " '", s.substr(0, 64), "...' is over ", kMaxName, " bytes");
        if (s.find('\0') != s.npos) return cannot_write(what, " '", s, "' contains a NUL");
        return text(s, what);
    }
    Result<OffsetVector<Offset<flatbuffers::String>>> texts(const auto& list, const char* what) {
        Tables<flatbuffers::String> strings;
        for (std::string_view s : list) {
            COFFER_TRY_ASSIGN(auto offset, text(s, what));
            if (offset.IsNull()) offset = b_.CreateString("", size_t{0});
            strings.push_back(offset);
        }
        return b_.CreateVector(strings);
    }
    OffsetVector<uint32_t> ids(const std::vector<uint32_t>& list) { return b_.CreateVector(list); }

    Result<Item*> add_item(uint64_t nbytes) {
        uint64_t offset = 0;
        if (!checked_round_up(end_, kItemAlign, &offset) || !checked_add(offset, nbytes, &end_) ||
            end_ > kMaxPayload) {
            return over_limit("the model's data is over ", kMaxPayload, " bytes");
        }
        items_.push_back({{}, {}, DType::kUndefined, offset, nbytes});
        return &items_.back();
    }

    Result<uint32_t> add_tensor(std::string_view tensor_name, const Tensor& t) {
        if (!t.valid()) return cannot_write("tensor '", tensor_name, "' is empty");
        if (tensors_.size() >= kMaxRecords) return over_limit("more than ", kMaxRecords, " tensors");
        for (int64_t dim : t.shape().dims()) {
            if (static_cast<uint64_t>(dim) > kMaxDim) return over_limit("tensor '", tensor_name, "': dim ", dim);
        }
        uint64_t nbytes = 0;
        DType stored = DType::kUndefined;
        if (t.dtype() != DType::kString && t.nbytes() >= kWorthEncoding)
            stored = codec::narrowest(t.dtype(), t.bytes());
        const auto encoding = stored == DType::kUndefined ? codec::Encoding::kPlain : codec::Encoding::kNarrow;
        if (t.dtype() == DType::kString) {
            nbytes = codec::encoded_strings_size(t.span<PrivateString>());
        } else if (!codec::find_encoding(static_cast<uint8_t>(encoding))
                        ->encoded_size(t.dtype(), stored, t.shape(), &nbytes)) {
            return cannot_write("tensor '", tensor_name, "' of ", t.dtype(), " ", t.shape(), " has no size");
        }
        COFFER_TRY_ASSIGN(Item* const item, add_item(nbytes));
        item->tensor = t;
        item->stored = stored;
        COFFER_TRY_ASSIGN(const auto label, name(tensor_name, "tensor name"));
        const std::vector<uint64_t> dims(t.shape().dims().begin(), t.shape().dims().end());
        const auto shape = b_.CreateVector(dims);
        tensors_.push_back(fb::CreateTensor(b_, label, static_cast<uint8_t>(t.dtype()),
                                            static_cast<uint8_t>(encoding), 0, 0, shape, item->offset, nbytes, 0, 0,
                                            static_cast<uint8_t>(stored)));
        return static_cast<uint32_t>(tensors_.size() - 1);
    }

    Result<Offset<fb::Value>> value(const graph::ValueInfo& v) {
        COFFER_TRY_ASSIGN(const auto label, name(v.name, "value name"));
        OffsetVector<const fb::Dim*> dims;
        if (v.type.dims) {
            std::vector<fb::Dim> list;
            for (const graph::Dim& d : *v.type.dims) {
                if (d.value > static_cast<int64_t>(kMaxDim)) return over_limit("'", v.name, "': dim ", d.value);
                const uint32_t size = d.known() ? static_cast<uint32_t>(d.value) : kNone;
                list.emplace_back(size, d.symbol.empty() ? kNone : symbols_.index(d.symbol));
            }
            dims = b_.CreateVectorOfStructs(list);
        }
        const uint32_t constant = v.constant < 0 ? kNone : static_cast<uint32_t>(v.constant);
        return fb::CreateValue(b_, label, static_cast<fb::ValueKind>(v.type.kind), static_cast<uint8_t>(v.type.dtype),
                               v.type.dims.has_value(), dims, constant);
    }

    // One overload for each alternative of graph::AttrValue; they leave what fb::AttrBuilder shall add.
    struct AttrFields {
        fb::AttrKind kind = fb::AttrKind::Int;
        int64_t i = 0;
        float f = 0;
        Offset<flatbuffers::String> s;
        OffsetVector<int64_t> ints;
        OffsetVector<float> floats;
        OffsetVector<Offset<flatbuffers::String>> strings;
        uint32_t tensor = kNone;
        uint32_t graph = kNone;
    };
    Status fill(AttrFields& a, int64_t v) {
        a.kind = fb::AttrKind::Int;
        a.i = v;
        return {};
    }
    Status fill(AttrFields& a, float v) {
        a.kind = fb::AttrKind::Float;
        a.f = v;
        return {};
    }
    Status fill(AttrFields& a, const std::string& v) {
        a.kind = fb::AttrKind::String;
        COFFER_TRY_ASSIGN(a.s, text(v, "attribute value"));
        return {};
    }
    template <class T>
    Status fill_list(AttrFields& a, const PrivateVector<T>& v) {
        COFFER_TRY_ASSIGN(const Tensor t, list_tensor(v));
        COFFER_TRY_ASSIGN(a.tensor, add_tensor("", t));
        return {};
    }
    Status fill(AttrFields& a, const PrivateVector<int64_t>& v) {
        a.kind = fb::AttrKind::Ints;
        if (v.size() > kMaxInlineList) return fill_list(a, v);
        a.ints = b_.CreateVector(v.data(), v.size());
        return {};
    }
    Status fill(AttrFields& a, const PrivateVector<float>& v) {
        a.kind = fb::AttrKind::Floats;
        if (v.size() > kMaxInlineList) return fill_list(a, v);
        a.floats = b_.CreateVector(v.data(), v.size());
        return {};
    }
    Status fill(AttrFields& a, const PrivateVector<PrivateString>& v) {
        a.kind = fb::AttrKind::Strings;
        if (v.size() > kMaxInlineList) return fill_list(a, v);
        COFFER_TRY_ASSIGN(a.strings, texts(v, "attribute value"));
        return {};
    }
    Status fill(AttrFields& a, const Tensor& v) {
        a.kind = fb::AttrKind::Tensor;
        COFFER_TRY_ASSIGN(a.tensor, add_tensor("", v));
        return {};
    }
    Status fill(AttrFields& a, const graph::GraphRef& v) {
        a.kind = fb::AttrKind::Graph;
        a.graph = v.index;
        return {};
    }

    Result<Offset<fb::Attr>> attr(const graph::Attr& attr) {
        COFFER_TRY_ASSIGN(const auto label, name(attr.name, "attribute name"));
        AttrFields a;
        COFFER_TRY(std::visit([&](const auto& v) { return fill(a, v); }, attr.value));
        // FlatBuffers leaves out what equals the default, and -0.0 equals 0.0.
        b_.ForceDefaults(a.kind == fb::AttrKind::Float);
        const auto table =
            fb::CreateAttr(b_, label, a.kind, a.i, a.f, a.s, a.ints, a.floats, a.strings, a.tensor, a.graph);
        b_.ForceDefaults(false);
        return table;
    }

    Result<Offset<fb::Node>> node(const graph::Node& n) {
        if (n.attrs.size() > kMaxAttrs) return over_limit("node '", n.name, "' has ", n.attrs.size(), " attributes");
        if (n.inputs.size() > kMaxRecords || n.outputs.size() > kMaxRecords) {
            return over_limit("node '", n.name, "' has ", n.inputs.size(), " inputs");
        }
        Tables<fb::Attr> attrs;
        for (const graph::Attr& a : n.attrs) {
            COFFER_TRY_ASSIGN(const auto table, attr(a));
            attrs.push_back(table);
        }
        if (n.op.size() > kMaxName) return over_limit("op name of ", n.op.size(), " bytes");
        COFFER_TRY_ASSIGN(const auto label, name(n.name, "node name"));
        const uint16_t version = op_version_ ? op_version_(n.op) : uint16_t{0};
        const auto inputs = ids(n.inputs);
        const auto outputs = ids(n.outputs);
        const auto attr_list = attrs.empty() ? OffsetVector<Offset<fb::Attr>>{} : b_.CreateVector(attrs);
        return fb::CreateNode(b_, ops_.index(n.op), version, label, inputs, outputs, attr_list);
    }

    Result<Offset<fb::Graph>> graph(const graph::Graph& g) {
        if (g.values.size() > kMaxRecords || g.nodes.size() > kMaxRecords) {
            return over_limit("graph '", g.name, "' has more than ", kMaxRecords, " nodes or values");
        }
        Tables<fb::Value> values;
        for (const graph::ValueInfo& v : g.values) {
            COFFER_TRY_ASSIGN(const auto table, value(v));
            values.push_back(table);
        }
        Tables<fb::Node> nodes;
        for (const graph::Node& n : g.nodes) {
            COFFER_TRY_ASSIGN(const auto table, node(n));
            nodes.push_back(table);
        }
        COFFER_TRY_ASSIGN(const auto label, name(g.name, "graph name"));
        const auto value_list = b_.CreateVector(values);
        const auto node_list = b_.CreateVector(nodes);
        const auto inputs = ids(g.inputs);
        const auto outputs = ids(g.outputs);
        return fb::CreateGraph(b_, label, value_list, node_list, inputs, outputs);
    }

    Result<OffsetVector<Offset<fb::State>>> state_tables() {
        if (model_.states.size() > kMaxStates) return over_limit(model_.states.size(), " states");
        Tables<fb::State> states;
        for (const graph::StatePair& s : model_.states) {
            uint32_t initial = kNone;
            if (s.initial) {
                COFFER_TRY_ASSIGN(initial, add_tensor("", *s.initial));
            }
            COFFER_TRY_ASSIGN(const auto input, name(s.input, "state name"));
            COFFER_TRY_ASSIGN(const auto output, name(s.output, "state name"));
            states.push_back(fb::CreateState(b_, input, output, initial));
        }
        return b_.CreateVector(states);
    }

    Result<OffsetVector<Offset<fb::Blob>>> blob_tables() {
        Tables<fb::Blob> blobs;
        for (const graph::Blob& blob : model_.blobs) {
            COFFER_TRY_ASSIGN(Item* const item, add_item(blob.bytes.size()));
            item->blob = blob.bytes;
            COFFER_TRY_ASSIGN(const auto label, name(blob.name, "blob name"));
            blobs.push_back(fb::CreateBlob(b_, label, 0, item->offset, item->nbytes));
        }
        return b_.CreateVector(blobs);
    }

    Result<OffsetVector<Offset<fb::KeyValue>>> metadata_tables() {
        Tables<fb::KeyValue> list;
        for (const auto& [key, value] : model_.metadata) {
            COFFER_TRY_ASSIGN(const auto k, name(key, "metadata key"));
            COFFER_TRY_ASSIGN(const auto v, text(value, "metadata value"));
            list.push_back(fb::CreateKeyValue(b_, k, v));
        }
        return b_.CreateVector(list);
    }

    const graph::Model& model_;
    const OpVersion& op_version_;
    PrivateBuffers buffers_;
    flatbuffers::FlatBufferBuilder b_{1024, &buffers_};
    Tables<fb::Tensor> tensors_;
    std::vector<Item> items_;
    uint64_t end_ = 0;
    Texts ops_, symbols_;
};

}  // namespace

uint64_t padme(uint64_t size) {
    if (size < 2) return size;
    const int e = std::bit_width(size) - 1;
    const int s = std::bit_width(static_cast<unsigned>(e));
    const uint64_t mask = (uint64_t{1} << (e - s)) - 1;
    return (size + mask) & ~mask;
}

Result<EncodedManifest> encode_manifest(const graph::Model& model, const OpVersion& op_version, Bytes fingerprint) {
    return Encoder(model, op_version).run(fingerprint);
}

}  // namespace coffer::container
