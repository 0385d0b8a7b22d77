// Tensors: every type in every field that may hold it, external files, and what must be refused.
#include <filesystem>
#include <fstream>

#include "folder.hpp"
#include "import_case.hpp"
#include "offline/onnx/tensor_pb.hpp"

using namespace coffer;
using namespace coffer::testing;
namespace fs = std::filesystem;

namespace {

Pb typed(DType type, std::initializer_list<int64_t> dims) {
    Pb t;
    for (int64_t d : dims) t.number(1, d);
    return t.number(2, static_cast<int64_t>(type)).text(8, "w");
}
Tensor read(const Pb& t) {
    auto r = offline::parse_value_pb(t.bytes(), ValueKind::kTensor);
    if (!r.ok()) FAIL(r.error().message());
    return r->value.tensor;
}
std::string error_of(const Pb& t) {
    const auto r = offline::parse_value_pb(t.bytes(), ValueKind::kTensor);
    return r.ok() ? "" : std::string(code_name(r.error().code())) + ": " + r.error().message();
}
Pb packed(Pb t, int field, std::initializer_list<int64_t> values) {
    Pb list;
    for (int64_t v : values) {
        auto u = static_cast<uint64_t>(v);
        std::string bytes;
        for (; u >= 0x80; u >>= 7) bytes += static_cast<char>(u | 0x80);
        bytes += static_cast<char>(u);
        list.raw(bytes);
    }
    return t.text(field, list.str());
}

// With one for the model in it: what the model refers to may lie there and nowhere else.
struct Folder : coffer::test::Folder {
    Folder() { fs::create_directory(*this / "model"); }
};

Pb external(std::initializer_list<int64_t> dims, std::initializer_list<std::pair<std::string, std::string>> entries) {
    Pb t = typed(DType::kFloat, dims).number(14, 1);
    for (const auto& [key, value] : entries) t.message(13, Pb().text(1, key).text(2, value));
    return t;
}
Pb model_of(const Pb& t) {
    return model(graph_pb({node("Add", {"x", "w"}, {"y"})}, {value_info("x", DType::kFloat, {2})}, {name_only("y")})
                     .message(5, t));
}
Result<graph::Model> import_in(const Folder& folder, const Pb& t) {
    folder.write("model/m.onnx", model_of(t).str());
    offline::ImportOptions options;
    options.check_ops = false;
    return offline::import_onnx(folder / "model/m.onnx", options);
}
std::string external_error(const Folder& folder, const Pb& t) {
    const auto r = import_in(folder, t);
    return r.ok() ? "" : std::string(code_name(r.error().code())) + ": " + r.error().message();
}

}  // namespace

TEST_CASE("raw data of every type that has bytes") {
    for (int i = 1; i < kDTypeCount; ++i) {
        const auto type = static_cast<DType>(i);
        if (type == DType::kString) continue;
        const size_t n = (static_cast<size_t>(dtype_bits(type)) * 5 + 7) / 8;
        std::string bytes(n, '\1');
        const Tensor t = read(typed(type, {5}).text(9, bytes));
        CHECK(t.dtype() == type);
        CHECK(as_text(t.bytes()) == bytes);
        CHECK_THAT(error_of(typed(type, {5}).text(9, bytes + "x")), Catch::Contains("bytes of raw data"));
        CHECK_THAT(error_of(typed(type, {5}).text(9, bytes.substr(1))), Catch::Contains("bytes of raw data"));
    }
}

TEST_CASE("typed fields, packed or one by one") {
    CHECK(elements<float>(read(typed(DType::kFloat, {2}).text(4, raw_of<float>({1, 2})))) ==
          std::vector<float>{1, 2});
    CHECK(elements<float>(read(typed(DType::kFloat, {2}).float32(4, 1).float32(4, 2))) == std::vector<float>{1, 2});
    CHECK(elements<double>(read(typed(DType::kDouble, {2}).text(10, raw_of<double>({1, 2})))) ==
          std::vector<double>{1, 2});
    CHECK(elements<int32_t>(read(packed(typed(DType::kInt32, {2}), 5, {-1, 7}))) == std::vector<int32_t>{-1, 7});
    CHECK(elements<int8_t>(read(packed(typed(DType::kInt8, {2}), 5, {-128, 7}))) == std::vector<int8_t>{-128, 7});
    CHECK(elements<uint8_t>(read(packed(typed(DType::kUint8, {2}), 5, {255, 7}))) == std::vector<uint8_t>{255, 7});
    CHECK(elements<int16_t>(read(typed(DType::kInt16, {2}).number(5, -2).number(5, 3))) ==
          std::vector<int16_t>{-2, 3});
    CHECK(elements<int64_t>(read(packed(typed(DType::kInt64, {2}), 7, {-1, int64_t{1} << 40}))) ==
          std::vector<int64_t>{-1, int64_t{1} << 40});
    CHECK(elements<uint32_t>(read(packed(typed(DType::kUint32, {1}), 11, {4294967295}))) ==
          std::vector<uint32_t>{4294967295u});
    CHECK(elements<uint64_t>(read(packed(typed(DType::kUint64, {1}), 11, {-1}))) ==
          std::vector<uint64_t>{~uint64_t{0}});
    CHECK(read(packed(typed(DType::kFloat16, {1}), 5, {0x3c00})).span<Float16>()[0].bits == 0x3c00);
    CHECK(load_double(read(packed(typed(DType::kFloat8E4M3FN, {1}), 5, {0x38})).view(), 0) == 1);
    CHECK(elements<PrivateString>(read(typed(DType::kString, {2}).text(6, "a").text(6, std::string("b\0", 2)))) ==
          std::vector<PrivateString>{"a", PrivateString("b\0", 2)});
    CHECK(read(typed(DType::kComplex64, {1}).text(4, raw_of<float>({1, 2}))).nbytes() == 8);
    const Tensor four = read(packed(typed(DType::kInt4, {3}), 5, {0x8f, 0x07}));
    CHECK(load_int(four.view(), 0) == -1);
    CHECK(load_int(four.view(), 1) == -8);
    CHECK(load_int(four.view(), 2) == 7);
    CHECK(load_int(read(packed(typed(DType::kUint2, {4}), 5, {0xe4})).view(), 3) == 3);
}

TEST_CASE("bools are 0 or 1 in memory whatever the file says") {
    const Tensor t = read(typed(DType::kBool, {2}).text(9, std::string("\x40\x00", 2)));
    CHECK(t.span<uint8_t>()[0] == 1);
    CHECK(t.span<uint8_t>()[1] == 0);
}

TEST_CASE("scalars and zero-sized tensors") {
    CHECK(read(typed(DType::kFloat, {}).text(9, raw_of<float>({3}))).shape() == Shape{});
    CHECK(read(typed(DType::kFloat, {0, 4})).shape() == Shape{0, 4});
    CHECK(read(typed(DType::kString, {0})).elements() == 0);
}

TEST_CASE("tensors that claim what they do not hold") {
    struct Case {
        Pb tensor;
        const char* expected;
    };
    const Case cases[] = {
        {typed(DType::kFloat, {1 << 30}),
         "format: tensor 'w': has 0 elements in float_data, its type and dims need 1073741824"},
        {typed(DType::kFloat, {int64_t{1} << 32}).text(9, "abcd"),
         "has 4 bytes of raw data, its type and dims need 17179869184"},
        {typed(DType::kFloat, {int64_t{1} << 40, int64_t{1} << 40}), "more elements than memory"},
        {typed(DType::kFloat, {-1}), "has the dimension -1"},
        {typed(DType::kFloat, {3, INT64_MIN}), "has the dimension -9223372036854775808"},
        {typed(DType::kFloat, {1, 1, 1, 1, 1, 1, 1, 1, 1}).float32(4, 1),
         "unsupported: tensor 'w': rank 9 is over 8"},
        {typed(DType::kUndefined, {1}), "has no element type"},
        {Pb().number(1, 1).number(2, 27), "unsupported: tensor '': element type 27"},
        {Pb().number(1, 1).number(2, -5), "element type -5"},
        {typed(DType::kFloat, {2}).float32(4, 1), "has 1 elements in float_data, its type and dims need 2"},
        {typed(DType::kFloat, {1}).float32(4, 1).float32(4, 1), "has 2 elements in float_data"},
        {typed(DType::kFloat, {1}).number(7, 1), "has 0 elements in float_data"},
        {packed(typed(DType::kUint8, {1}), 5, {256}), "holds 256, which is not of its type uint8"},
        {packed(typed(DType::kInt8, {1}), 5, {-129}), "holds -129"},
        {packed(typed(DType::kInt32, {1}), 5, {int64_t{1} << 31}), "holds 2147483648"},
        {packed(typed(DType::kUint32, {1}), 11, {int64_t{1} << 32}), "holds 4294967296"},
        {typed(DType::kString, {1}).text(9, "abc"), "strings cannot be raw data"},
        {typed(DType::kFloat, {1}).text(4, "abc"), "packed floats are cut short"},
        {typed(DType::kInt64, {1}).text(7, "\xff"), "damaged ONNX file: TensorProto, field 7"},
        {typed(DType::kFloat, {1}).text(3, ""), "tensors in segments"},
        {typed(DType::kFloat, {1}).number(9, 4), "field 9: wire type 0, expected 2"},
        {typed(DType::kFloat, {1}).text(8, std::string("a\0b", 3)), "has a NUL"},
        {typed(DType::kFloat, {1}).text(8, "\xc0\x80"), "not UTF-8"},
    };
    for (const Case& c : cases) CHECK_THAT(error_of(c.tensor), Catch::Contains(c.expected));
}

TEST_CASE("sparse tensors become dense, within reason") {
    const auto sparse = [](std::initializer_list<int64_t> dims, const Pb& values, const Pb& indices) {
        Pb s = Pb().message(1, values).message(2, indices);
        for (int64_t d : dims) s.number(3, d);
        return model(
            graph_pb({node("Add", {"x", "w"}, {"y"})}, {value_info("x", DType::kFloat, {2})}, {name_only("y")})
                .message(15, s));
    };
    const Pb values = tensor("w", DType::kFloat, {2}, raw_of<float>({5, 6}));
    const graph::Model m = imported(sparse({4}, values, tensor("", DType::kInt64, {2}, raw_of<int64_t>({3, 1}))));
    CHECK(elements<float>(m.constants[0].tensor) == std::vector<float>{0, 6, 0, 5});
    const auto at = [](std::initializer_list<int64_t> i) {
        return tensor("", DType::kInt64, {static_cast<int64_t>(i.size())}, raw_of(i));
    };
    CHECK_THAT(failure(sparse({4}, values, at({3, 4}))), Catch::Contains("sparse index 1 is outside of (4)"));
    CHECK_THAT(failure(sparse({4}, values, at({-1, 0}))), Catch::Contains("sparse index 0 is outside"));
    CHECK_THAT(failure(sparse({4}, values, at({0}))), Catch::Contains("do not fit values"));
    CHECK_THAT(failure(sparse({1000000, 1000000}, values, at({0, 1}))), Catch::Contains("limit: "));
    CHECK_THAT(failure(sparse({-4}, values, at({0, 1}))), Catch::Contains("negative"));
}

TEST_CASE("external data is read from the model's folder") {
    const Folder f;
    fs::create_directories(f / "model/sub");
    f.write("model/sub/w.bin", "skip" + raw_of<float>({1, 2}) + "rest");
    const auto m = import_in(f, external({2}, {{"location", "sub/w.bin"}, {"offset", "4"}, {"length", "8"}}));
    REQUIRE(m.ok());
    CHECK(elements<float>(m->constants.at(0).tensor) == std::vector<float>{1, 2});
    // No length: what type and dims need.
    CHECK(import_in(f, external({2}, {{"location", "./sub/w.bin"}, {"offset", "4"}})).ok());
}

TEST_CASE("external data may not lie, nor leave the folder") {
    const Folder f;
    f.write("secret", raw_of<float>({1, 2}));
    f.write("model/w.bin", raw_of<float>({1, 2}));
    fs::create_symlink("../secret", f / "model/link");
    fs::create_directory_symlink("..", f / "model/up");
    fs::create_directories(f / "model/folder");
    const auto at = [&](const std::string& location) {
        return external_error(f, external({2}, {{"location", location}}));
    };
    CHECK(at("w.bin") == "");
    for (const char* outside : {"../secret", "sub/../../secret", "..", "folder/.."}) {
        CHECK_THAT(at(outside), Catch::Contains("leads out of its folder") && Catch::StartsWith("format"));
    }
    CHECK_THAT(at(f / "secret"), Catch::Contains("is absolute"));
    CHECK_THAT(at("link"), Catch::Contains("symbolic link"));
    CHECK_THAT(at("up/secret"), Catch::Contains("symbolic link"));
    CHECK_THAT(at("w.bin/x"), Catch::Contains("symbolic link or a file"));
    CHECK_THAT(at("folder"), Catch::Contains("is not a regular file"));
    CHECK_THAT(at(""), Catch::Contains("is empty"));
    CHECK_THAT(at("absent.bin"), Catch::Contains("not_found: ") && Catch::Contains("absent.bin"));
    const auto with = [&](const std::string& key, const std::string& value) {
        return external_error(f, external({2}, {{"location", "w.bin"}, {key, value}}));
    };
    CHECK_THAT(with("length", "9"), Catch::Contains("has length 9, its type and dims need 8"));
    CHECK_THAT(with("offset", "1"), Catch::Contains("at offset 1 of 8 bytes is not in 'w.bin' of 8 bytes"));
    CHECK_THAT(with("offset", "18446744073709551615"), Catch::Contains("is not in 'w.bin'"));
    CHECK_THAT(with("offset", "-1"), Catch::Contains("offset '-1' is not a number"));
    CHECK_THAT(with("offset", "99999999999999999999"), Catch::Contains("is not a number"));
    CHECK_THAT(with("length", "8x"), Catch::Contains("is not a number"));
    CHECK_THAT(external_error(f, external({int64_t{1} << 40}, {{"location", "w.bin"}})),
               Catch::Contains("is not in 'w.bin'"));
    CHECK_THAT(failure(model_of(external({2}, {{"location", "w.bin"}}))),
               Catch::Contains("of a model that is not a file"));
}

TEST_CASE("test data holds tensors, sequences and optionals") {
    const Pb t = tensor("t", DType::kFloat, {2}, raw_of<float>({1, 2}));
    const auto parse = [](const Pb& pb, ValueKind kind) { return offline::parse_value_pb(pb.bytes(), kind); };
    const auto sequence =
        parse(Pb().text(1, "s").number(2, 1).message(3, t).message(3, t), ValueKind::kSequence).value();
    CHECK(sequence.name == "s");
    CHECK(sequence.value.kind == ValueKind::kSequence);
    CHECK(sequence.value.dtype == DType::kFloat);
    CHECK(sequence.value.items.size() == 2);
    const auto none = parse(Pb().text(1, "o"), ValueKind::kOptional).value();
    CHECK(none.value.kind == ValueKind::kOptional);
    CHECK(none.value.items.empty());
    const auto nested = parse(Pb().message(5, Pb().message(3, t)), ValueKind::kOptional).value();
    CHECK(nested.value.items.at(0).kind == ValueKind::kSequence);
    CHECK_THAT(parse(Pb().message(3, t).message(3, t), ValueKind::kOptional).error().message(),
               Catch::Contains("optional of 2 values"));
    CHECK(parse(Pb().text(6, ""), ValueKind::kSequence).error().code() == Code::kUnsupported);
    Pb bomb;
    for (int i = 0; i < 100; ++i) bomb = Pb().message(5, bomb);
    CHECK_THAT(parse(bomb, ValueKind::kSequence).error().message(), Catch::Contains("nested deeper than 8"));
}
