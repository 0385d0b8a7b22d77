// The manifest's rules, one by one, on manifests that are authentic but wrong: a valid signature says who, not
// that the content is sane.
#include <algorithm>
#include <random>

#include "codec/codec.hpp"
#include "coffer/base/utf8.hpp"
#include "container/manifest.hpp"
#include "fixture.hpp"

namespace coffer::container::test {
namespace {

ManifestContext context_of(const graph::Model& model, const EncodedManifest& encoded) {
    ManifestContext c;
    if (!model.name.empty()) c.model_id = trust::model_id(model.name).value();
    c.model_version = model.version;
    c.payload_len = encoded.payload_end;
    return c;
}

Detail decode_class(Bytes plaintext, const ManifestContext& context) {
    auto decoded = decode_manifest(plaintext, context);
    return decoded.ok() ? Detail::kNone : decoded.error().detail();
}

// What a reader says to a model that encode_manifest() lets through.
Detail reader_says(const graph::Model& model) {
    const EncodedManifest encoded = encode_manifest(model, {}, {}).value();
    return decode_class(encoded.plaintext, context_of(model, encoded));
}

// Replaces the only occurrence of `from` by `to`.
FileBytes patched(const EncodedManifest& encoded, std::span<const uint8_t> from, std::span<const uint8_t> to) {
    FileBytes bytes(encoded.plaintext.begin(), encoded.plaintext.end());
    const auto a = std::as_bytes(from);
    const auto found = std::ranges::search(bytes, a);
    REQUIRE(!found.empty());
    REQUIRE(std::ranges::search(std::ranges::subrange(found.end(), bytes.end()), a).empty());
    std::ranges::copy(std::as_bytes(to), found.begin());
    return bytes;
}
std::array<uint8_t, 8> le(uint64_t v) {
    std::array<uint8_t, 8> out;
    for (size_t i = 0; i < 8; ++i) out[i] = static_cast<uint8_t>(v >> (8 * i));
    return out;
}

}  // namespace

TEST_CASE("a sound manifest decodes, also when nothing is named") {
    CHECK(reader_says(small_model()) == Detail::kNone);
    graph::Model m = small_model();
    m.name.clear();
    m.graphs[0].name.clear();
    m.graphs[0].nodes[0].name.clear();
    CHECK(reader_says(m) == Detail::kNone);
}

TEST_CASE("what graph::verify refuses, a reader refuses") {
    const auto broken = [](auto change) {
        graph::Model m = small_model();
        change(m);
        return reader_says(m);
    };
    using graph::Model;
    const Detail invalid = Detail::kManifestInvalid;
    CHECK(broken([](Model& m) { m.graphs.clear(); }) == invalid);
    CHECK(broken([](Model& m) { m.graphs[0].nodes[0].inputs[0] = 3; }) == invalid);
    CHECK(broken([](Model& m) { m.graphs[0].nodes[0].inputs[0] = 0xfffffffe; }) == invalid);
    CHECK(broken([](Model& m) { m.graphs[0].nodes[0].inputs[0] = m.graphs[0].nodes[0].outputs[0]; }) == invalid);
    CHECK(broken([](Model& m) { m.graphs[0].nodes.push_back(m.graphs[0].nodes[0]); }) == invalid);
    CHECK(broken([](Model& m) { m.graphs[0].outputs[0] = 77; }) == invalid);
    CHECK(broken([](Model& m) { m.graphs[0].inputs.push_back(m.graphs[0].inputs[0]); }) == invalid);
    CHECK(broken([](Model& m) { m.graphs[0].values[1].name = m.graphs[0].values[0].name; }) == invalid);
    CHECK(broken([](Model& m) { m.graphs[0].values[1].constant = 1; }) == invalid);
    CHECK(broken([](Model& m) { m.graphs[0].values[1].type.dtype = DType::kInt8; }) == invalid);
    CHECK(broken([](Model& m) { m.states = {{"x", "nothing", std::nullopt}}; }) == invalid);
    CHECK(broken([](Model& m) { m.blobs = {{"a", {}}, {"a", {}}}; }) == invalid);
    CHECK(broken([](Model& m) { m.metadata = {{"a", ""}, {"a", ""}}; }) == invalid);
    CHECK(broken([](Model& m) { m.graphs[0].nodes[0].attrs = {{"a", int64_t{1}}, {"a", int64_t{1}}}; }) == invalid);
    CHECK(broken([](Model& m) { m.graphs[0].nodes[0].op.clear(); }) == invalid);
}

TEST_CASE("subgraphs: order, sharing, depth") {
    graph::Model m = small_model();
    graph::Graph sub;
    sub.inputs = {sub.add_value("in", {})};
    sub.outputs = sub.inputs;
    m.graphs.push_back(sub);
    m.graphs[0].nodes[0].attrs = {{"body", graph::GraphRef{1}}};
    CHECK(reader_says(m) == Detail::kNone);
    graph::Model twice = m;
    twice.graphs[0].nodes[0].attrs.push_back({"again", graph::GraphRef{1}});
    CHECK(reader_says(twice) == Detail::kManifestInvalid);
    graph::Model cycle = m;
    cycle.graphs[0].nodes[0].attrs = {{"body", graph::GraphRef{0}}};
    CHECK(reader_says(cycle) == Detail::kManifestInvalid);
    graph::Model missing = m;
    missing.graphs[0].nodes[0].attrs = {{"body", graph::GraphRef{2}}};
    CHECK(reader_says(missing) == Detail::kManifestInvalid);
}

TEST_CASE("the manifest agrees with the header") {
    const graph::Model m = small_model();
    const EncodedManifest encoded = encode_manifest(m, {}, {}).value();
    const ManifestContext good = context_of(m, encoded);
    REQUIRE(decode_class(encoded.plaintext, good) == Detail::kNone);
    ManifestContext c = good;
    c.model_id[0] ^= std::byte{1};
    CHECK(decode_class(encoded.plaintext, c) == Detail::kManifestInvalid);
    for (const int64_t more : {-1, 1, 64, 4096}) {
        c = good;
        c.payload_len = static_cast<uint64_t>(static_cast<int64_t>(c.payload_len) + more);
        CHECK(decode_class(encoded.plaintext, c) == Detail::kManifestInvalid);
    }
}

TEST_CASE("places and sizes of tensors") {
    graph::Model m = small_model();
    m.add_constant(m.graphs[0], "second", Tensor::create(DType::kComplex64, Shape{1001}).value());
    m.add_constant(m.graphs[0], "third", Tensor::create(DType::kInt16, Shape{2003}).value());
    const EncodedManifest encoded = encode_manifest(m, {}, {}).value();
    const ManifestContext context = context_of(m, encoded);
    REQUIRE(decode_class(encoded.plaintext, context) == Detail::kNone);
    const auto put = [&](uint64_t from, uint64_t to) {
        return decode_class(patched(encoded, le(from), le(to)), context);
    };
    const uint64_t offset = encoded.items[2].offset;  // 64 + 8064
    REQUIRE(offset == 8128);
    for (const uint64_t wrong :
         {uint64_t{0}, uint64_t{64}, offset - 64, offset + 64, offset + 1, ~uint64_t{0}, ~uint64_t{63}}) {
        CHECK(put(offset, wrong) == Detail::kManifestInvalid);
    }
    for (const uint64_t wrong : {uint64_t{0}, uint64_t{4005}, uint64_t{4007}, ~uint64_t{0}, uint64_t{1} << 63}) {
        CHECK(put(4006, wrong) == Detail::kManifestInvalid);
    }
    // Only the main graph's value has the dim as 32 bits, the tensor as 64.
    for (const uint64_t wrong : {uint64_t{2004}, uint64_t{1} << 31, uint64_t{1} << 62, ~uint64_t{0}}) {
        CHECK(put(2003, wrong) == Detail::kManifestInvalid);
    }
}

TEST_CASE("string tensors and booleans are checked when their bytes are there") {
    graph::Model m = small_model();
    m.graphs[0].values[1].constant = -1;
    m.constants.clear();
    m.graphs[0].nodes[0].inputs[1] = graph::kAbsent;
    const std::vector<PrivateString> words = {"ab", "c"};
    m.add_constant(m.graphs[0], "words", Tensor::of<PrivateString>(words));
    m.add_constant(m.graphs[0], "flags", Tensor::create(DType::kBool, Shape{3}).value());
    m.add_constant(m.graphs[0], "last", Tensor::create(DType::kInt8, Shape{3}).value());
    const EncodedManifest encoded = encode_manifest(m, {}, {}).value();
    const ManifestContext context = context_of(m, encoded);
    FileBytes payload(encoded.payload_end);
    codec::encode_strings(words, MutableBytes(payload).first(encoded.items[0].nbytes));
    const auto with = [&](size_t at, uint8_t value) {
        FileBytes changed = payload;
        changed[at] = std::byte{value};
        Manifest decoded = decode_manifest(encoded.plaintext, context).value();
        Status bound = bind_payload(decoded, changed, nullptr, os::Pages::kPlain);
        return bound.ok() ? Detail::kNone : bound.error().detail();
    };
    CHECK(with(24, 'a') == Detail::kNone);
    CHECK(with(0, 1) == Detail::kManifestInvalid);      // first offset
    CHECK(with(8, 4) == Detail::kManifestInvalid);      // beyond the text
    CHECK(with(16, 1) == Detail::kManifestInvalid);     // descending
    CHECK(with(16, 2) == Detail::kManifestInvalid);     // text left over
    CHECK(with(15, 0x80) == Detail::kManifestInvalid);  // huge
    CHECK(with(24, 0xff) == Detail::kManifestInvalid);  // not UTF-8
    CHECK(with(27, 1) == Detail::kManifestInvalid);     // padding
    CHECK(with(64, 1) == Detail::kNone);
    CHECK(with(64, 2) == Detail::kManifestInvalid);
    CHECK(with(67, 1) == Detail::kManifestInvalid);  // padding
    CHECK(with(128, 200) == Detail::kNone);
}

TEST_CASE("UTF-8") {
    for (const char* good : {"", "a", "ü", "€", "𝄞", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80"}) {
        CHECK(is_utf8(good));
    }
    for (const char* bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xc3", "\xe2\x82", "\xe0\x9f\xbf", "\xed\xa0\x80",
                            "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xfe"}) {
        CHECK(!is_utf8(bad));
    }
}

TEST_CASE("one string used a million times does not become a gigabyte") {
    // Every dim refers to the one long symbol: 8 bytes in the file, 1,000 in memory.
    graph::Model m = small_model();
    const std::string symbol(1000, 's');
    for (int i = 0; i < 2000; ++i) {
        m.graphs[0].add_value(
            std::string("v").append(std::to_string(i)),
            {ValueKind::kTensor, DType::kFloat, std::vector<graph::Dim>(8, graph::Dim{-1, symbol})});
    }
    CHECK(reader_says(m) == Detail::kManifestInvalid);
}

TEST_CASE("nothing that is authentic but damaged crashes the reader") {
    graph::Model m = small_model();
    m.metadata = {{"k", "v"}};
    m.blobs = {{"b", PrivateVector<std::byte>(10)}};
    m.graphs[0].nodes[0].attrs = {{"i", int64_t{5}},
                                  {"f", 2.0f},
                                  {"s", std::string("text")},
                                  {"ss", PrivateVector<PrivateString>{"a", "b"}},
                                  {"t", Tensor::scalar<float>(1)},
                                  {"many", PrivateVector<int64_t>(70, 1)}};
    const EncodedManifest encoded = encode_manifest(m, {}, {}).value();
    ManifestContext context = context_of(m, encoded);
    FileBytes payload(encoded.payload_end);
    size_t decoded_count = 0;
    const auto attempt = [&](const FileBytes& bytes) {
        auto decoded = decode_manifest(bytes, context);
        if (!decoded.ok()) return;
        ++decoded_count;
        (void)bind_payload(*decoded, payload, nullptr, os::Pages::kPlain);
    };
    // Every bit, then random words that look like offsets, counts and ids.
    FileBytes bytes(encoded.plaintext.begin(), encoded.plaintext.end());
    for (size_t at = 0; at < encoded.size; ++at) {
        for (int bit = 0; bit < 8; ++bit) {
            bytes[at] ^= static_cast<std::byte>(1 << bit);
            attempt(bytes);
            bytes[at] ^= static_cast<std::byte>(1 << bit);
        }
    }
    std::mt19937 random(1);
    for (int i = 0; i < 20'000; ++i) {
        bytes.assign(encoded.plaintext.begin(), encoded.plaintext.end());
        for (int k = 0; k < 3; ++k) {
            const size_t at = random() % (encoded.size - 4);
            const uint32_t choices[] = {0,
                                        1,
                                        4,
                                        0xffffffff,
                                        0x7fffffff,
                                        0x80000000,
                                        static_cast<uint32_t>(at),
                                        static_cast<uint32_t>(random() % 200)};
            std::memcpy(bytes.data() + at, &choices[random() % 8], 4);
        }
        attempt(bytes);
    }
    CHECK(decoded_count > 0);
    for (size_t n = 0; n < encoded.size; ++n)
        attempt(FileBytes(encoded.plaintext.begin(), encoded.plaintext.begin() + static_cast<long>(n)));
    // Behind the FlatBuffer there are zeros only.
    bytes.assign(encoded.plaintext.begin(), encoded.plaintext.end());
    bytes.back() = std::byte{1};
    CHECK(decode_class(bytes, context) == Detail::kManifestInvalid);
}

TEST_CASE("a sealed model's names stay out of errors unless the policy asks") {
    // Patched in memory and sealed by hand is not possible from outside; the cap on names is met by a real file.
    graph::Model m = small_model();
    m.graphs[0].values.push_back({"the secret layer", {}, -1});
    const FileBytes file = pack(m, signed_options({keys().raw()}));
    trust::Policy p = keys().policy();
    p.debug_names = false;
    p.caps.manifest_tables = 2;
    auto opened = open(Source::memory(file), p, keys().raw_ring());
    REQUIRE(!opened.ok());
    CHECK(opened.error().message().find("secret") == std::string::npos);
    CHECK(opened.error().message().find("the policy can ask") != std::string::npos);
}

TEST_CASE("padme") {
    CHECK(padme(0) == 0);
    CHECK(padme(1) == 1);
    CHECK(padme(9) == 10);
    CHECK(padme(65'537) == 67'584);
    for (uint64_t n = 2; n < 200'000; n = n * 9 / 8 + 1) {
        CHECK(padme(n) >= n);
        CHECK(static_cast<double>(padme(n)) <= static_cast<double>(n) * 1.12 + 1);
        CHECK(padme(padme(n)) == padme(n));
    }
}

TEST_CASE("what a manifest is cut from, and what lies in the payload, has its size") {
    // Of zeros, but for a prefix that says how many there are.
    FileBytes large(kMaxManifest + 8);
    for (size_t i = 0; i < 4; ++i) large[i] = static_cast<std::byte>((kMaxManifest + 1) >> (8 * i));
    const auto refused = decode_manifest(large, {});
    REQUIRE(refused.error().detail() == Detail::kManifestInvalid);
    REQUIRE(refused.error().message() == message({"manifest: its size prefix is ", kMaxManifest + 1}));

    std::vector<PrivateString> strings(5);
    const Status cut = codec::decode_strings(FileBytes(40), strings);
    REQUIRE(cut.error().message() == "string 5 of a string tensor: the offsets are cut");
    REQUIRE(codec::decode_strings(FileBytes(48), strings).ok());

    TensorRecord record;
    record.dtype = DType::kUint8;
    record.nbytes = 3;
    FileBytes payload(128);
    for (const size_t at : {2u, 64u}) payload[at] = std::byte{1};
    REQUIRE(check_tensor(record, payload).ok());
    for (const size_t at : {3u, 63u}) {
        payload[at] = std::byte{1};
        REQUIRE(check_tensor(record, payload).error().detail() == Detail::kManifestInvalid);
        payload[at] = {};
    }
}

}  // namespace coffer::container::test
