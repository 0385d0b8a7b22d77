#include "offline/npy.hpp"

#include <filesystem>
#include <fstream>

#include "catch.hpp"
#include "offline/npy_header.hpp"

using namespace coffer;
using namespace coffer::offline;

namespace {

std::string npy(std::string_view dict, std::string_view data, char major = 1) {
    std::string out = "\x93NUMPY";
    out += major;
    out += '\0';
    const size_t n = dict.size();
    out += static_cast<char>(n & 0xff);
    out += static_cast<char>(n >> 8);
    if (major > 1) out.append(2, '\0');
    out += dict;
    out += data;
    return out;
}

std::string error_of(std::string_view file) {
    const auto r = parse_npy(as_bytes(file));
    return r.ok() ? "" : std::string(code_name(r.error().code())) + ": " + r.error().message();
}

constexpr std::string_view kFloats = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
const std::string kSixFloats(24, '\0');

template <class T>
std::string bytes_of(std::initializer_list<T> values) {
    std::string out;
    for (T v : values) out.append(reinterpret_cast<const char*>(&v), sizeof v);
    return out;
}

}  // namespace

TEST_CASE("every numeric type round-trips") {
    for (DType t : {DType::kBool, DType::kInt8, DType::kUint8, DType::kInt16, DType::kUint16, DType::kInt32,
                    DType::kUint32, DType::kInt64, DType::kUint64, DType::kFloat16, DType::kFloat, DType::kDouble,
                    DType::kComplex64, DType::kComplex128}) {
        Tensor tensor = Tensor::create(t, {2, 3}).value();
        auto* raw = static_cast<uint8_t*>(tensor.view().data);
        for (size_t i = 0; i < tensor.nbytes(); ++i)
            raw[i] = static_cast<uint8_t>(t == DType::kBool ? i % 2 : 37 * i);
        const auto file = format_npy(tensor.view()).value();
        REQUIRE((file.size() - tensor.nbytes()) % 64 == 0);
        const Tensor back = parse_npy(file).value();
        CHECK(back.dtype() == t);
        CHECK(back.shape() == tensor.shape());
        CHECK(std::ranges::equal(back.bytes(), tensor.bytes()));
    }
}

TEST_CASE("shapes of any rank round-trip, zero-sized ones too") {
    for (const Shape& s : {Shape{}, Shape{5}, Shape{0}, Shape{2, 0, 3}, Shape{1, 2, 1, 2, 1, 2, 1, 2}}) {
        const Tensor t = Tensor::create(DType::kInt16, s).value();
        CHECK(parse_npy(format_npy(t.view()).value()).value().shape() == s);
    }
}

TEST_CASE("types NumPy lacks are widened") {
    Tensor b = Tensor::create(DType::kBfloat16, {2}).value();
    store_double(b.view(), 0, 1.5);
    store_double(b.view(), 1, -3);
    const Tensor f = parse_npy(format_npy(b.view()).value()).value();
    REQUIRE(f.dtype() == DType::kFloat);
    CHECK(f.span<float>()[0] == 1.5f);
    CHECK(f.span<float>()[1] == -3.0f);
    Tensor i = Tensor::create(DType::kInt4, {3}).value();
    store_int(i.view(), 1, -8);
    store_int(i.view(), 2, 7);
    const Tensor wide = parse_npy(format_npy(i.view()).value()).value();
    REQUIRE(wide.dtype() == DType::kInt8);
    CHECK(wide.span<int8_t>()[1] == -8);
    CHECK(wide.span<int8_t>()[2] == 7);
}

TEST_CASE("Unicode text round-trips") {
    const std::vector<PrivateString> texts = {"", "abc", "h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
                                              PrivateString("a\0b", 3)};
    const Tensor t = Tensor::of<PrivateString>(texts);
    const auto file = format_npy(t.view()).value();
    const Tensor back = parse_npy(file).value();
    CHECK(std::ranges::equal(back.span<PrivateString>(), texts));
    CHECK(as_text(file).find("'<U4'") != std::string_view::npos);
    const std::vector<PrivateString> bad = {"\xff"};
    CHECK(format_npy(Tensor::of<PrivateString>(bad).view()).error().code() == Code::kInvalidArgument);
}

TEST_CASE("Fortran order becomes row-major") {
    // Columns one after the other: [[1, 3, 5], [2, 4, 6]]
    const auto file =
        npy("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3)}", bytes_of<int16_t>({1, 2, 3, 4, 5, 6}));
    const Tensor t = parse_npy(as_bytes(file)).value();
    CHECK(std::ranges::equal(t.span<int16_t>(), std::vector<int16_t>{1, 3, 5, 2, 4, 6}));
    const auto text =
        npy("{'descr': '<U1', 'fortran_order': True, 'shape': (2, 2)}", bytes_of<uint32_t>({'a', 'b', 'c', 'd'}));
    CHECK(parse_npy(as_bytes(text)).value().span<PrivateString>()[1] == "c");
}

TEST_CASE("versions 1 to 3 and Python 2 headers are read") {
    for (char major : {1, 2, 3}) CHECK(parse_npy(as_bytes(npy(kFloats, kSixFloats, major))).ok());
    CHECK(
        parse_npy(as_bytes(npy("{\"shape\": (2L, 3L), 'descr': '<f4', 'fortran_order': False}\n", kSixFloats))).ok());
}

TEST_CASE("bools other than 0 and 1 become 1") {
    const Tensor t = parse_npy(as_bytes(npy("{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }",
                                            "\x07" + std::string(1, '\0'))))
                         .value();
    CHECK(t.span<uint8_t>()[0] == 1);
    CHECK(t.span<uint8_t>()[1] == 0);
}

TEST_CASE("hostile .npy files are refused with the reason") {
    struct Case {
        std::string file, expected;
    };
    const auto dict = [](std::string_view descr, std::string_view shape) {
        return "{'descr': '" + std::string(descr) + "', 'fortran_order': False, 'shape': " + std::string(shape) +
               ", }";
    };
    const Case cases[] = {
        {"", "format: .npy: not a .npy file"},
        {"PK\x03\x04", "not a .npy file"},
        {"\x93NUMPY", "unsupported: .npy: version 0.0"},
        {npy(kFloats, kSixFloats, 4), "version 4.0"},
        {npy(kFloats, kSixFloats).substr(0, 40), "cut short"},
        {npy(kFloats, kSixFloats).substr(0, 9), "cut short"},
        {npy(kFloats, kSixFloats.substr(1)), "needs 24 bytes of data, the file has 23"},
        {npy(kFloats, kSixFloats + "x"), "needs 24 bytes of data, the file has 25"},
        {npy(dict("<f4", "(-1, 3)"), ""), "negative dimension"},
        {npy(dict("<f4", "(4294967296, 4294967296)"), ""), "too large"},
        {npy(dict("<f4", "(1073741824,)"), ""), "needs 4294967296 bytes"},
        {npy(dict("<f4", "(99999999999999999999,)"), ""), "'shape' is damaged"},
        {npy(dict("<f4", "(1,1,1,1,1,1,1,1,1)"), "abcd"), "unsupported: .npy: rank 9"},
        {npy(dict("<f4", "3"), ""), "'shape' is damaged"},
        {npy(dict("<f4", "(3 4)"), ""), "'shape' is damaged"},
        {npy(dict("|O", "(1,)"), "x"), "Python objects"},
        {npy(dict("|S4", "(1,)"), "abcd"), "byte strings"},
        {npy(dict("|V8", "(1,)"), "abcdefgh"), "raw records"},
        {npy(dict(">f4", "(1,)"), "abcd"), "big-endian"},
        {npy(dict(">U1", "(1,)"), "abcd"), "big-endian"},
        {npy(dict("<f16", "(1,)"), ""), "unsupported: .npy: element type '<f16'"},
        {npy(dict("<M8[ns]", "(1,)"), ""), "element type '<M8[ns]'"},
        {npy(dict("", "(1,)"), ""), "element type ''"},
        {npy(dict("<U99999999999", "(1,)"), ""), "element type"},
        {npy(dict("<U0", "(1000000000000,)"), ""), "empty text is too large"},
        {npy(dict("<U1", "(1,)"), bytes_of<uint32_t>({0x110000})), "is not Unicode"},
        {npy(dict("<U1", "(1,)"), bytes_of<uint32_t>({0xd800})), "is not Unicode"},
        {npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "abcd"), "named fields"},
        {npy("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", "abcd"), "'fortran_order' is damaged"},
        {npy("{'descr': '<f4', 'shape': (1,)}", "abcd"), "lacks"},
        {npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "abcd"), "unexpected key"},
        {npy("{'evil': '<f4', 'fortran_order': False, 'shape': (1,)}", "abcd"), "unexpected key 'evil'"},
        {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} + x", "abcd"), "goes on after its end"},
        {npy("[1]", "abcd"), "not a dictionary"},
        {npy("{", ""), "damaged"},
        {npy("{'descr", ""), "damaged"},
        {std::string("\x93NUMPY\x02\0\xff\xff\xff\xff", 12), "a header of 4294967295 bytes"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.file);
        CHECK_THAT(error_of(c.file), Catch::Contains(c.expected));
    }
}

TEST_CASE("no truncation or flipped bit crashes") {
    const std::string good = npy(kFloats, kSixFloats);
    for (size_t n = 0; n < good.size(); ++n) CHECK(error_of(good.substr(0, n)) != "");
    for (size_t i = 0; i < good.size() * 8; ++i) {
        std::string flipped = good;
        flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << (i % 8)));
        (void)error_of(flipped);
    }
}

TEST_CASE("files are written whole and read back") {
    namespace fs = std::filesystem;
    const fs::path folder = fs::temp_directory_path() / "coffer_npy_test";
    fs::remove_all(folder);
    fs::create_directories(folder);
    const std::string path = (folder / "x.npy").string();
    const std::vector<float> values = {1, 2, 3};
    REQUIRE(write_npy(path, Tensor::of<float>(values).view()).ok());
    REQUIRE(std::ranges::equal(read_npy(path).value().span<float>(), values));
    const std::vector<PrivateString> texts = {"a", "bc"};
    REQUIRE(write_npy(path, Tensor::of<PrivateString>(texts).view()).ok());
    REQUIRE(std::ranges::equal(read_npy(path).value().span<PrivateString>(), texts));
    CHECK(std::distance(fs::directory_iterator(folder), {}) == 1);
    CHECK(read_npy((folder / "absent.npy").string()).error().code() == Code::kNotFound);
    CHECK(write_npy((folder / "no" / "x.npy").string(), Tensor::of<float>(values).view()).error().code() ==
          Code::kNotFound);
    std::ofstream(folder / "short.npy") << "\x93NUM";
    CHECK(read_npy((folder / "short.npy").string()).error().code() == Code::kFormat);
    fs::remove_all(folder);
}

TEST_CASE("samples of real models are read") {
    namespace fs = std::filesystem;
    const fs::path models = fs::path(COFFER_SHARED_DIR) / "models";
    if (!fs::exists(models)) return;
    size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(models)) {
        if (entry.path().extension() != ".npy") continue;
        const auto tensor = read_npy(entry.path().string());
        CAPTURE(entry.path());
        REQUIRE(tensor.ok());
        const auto again = parse_npy(format_npy(tensor->view()).value()).value();
        if (again.dtype() != DType::kString) CHECK(std::ranges::equal(again.bytes(), tensor->bytes()));
        ++count;
    }
    CHECK(count > 20);
}
