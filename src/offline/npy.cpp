#include "offline/npy.hpp"

#include <cstring>
#include <functional>

#include "coffer/base/checked.hpp"
#include "coffer/base/os.hpp"
#include "offline/npy_header.hpp"

namespace coffer::offline {
namespace {

template <class... Parts>
Error bad(const Parts&... parts) {
    return error(Code::kFormat, Detail::kFormat, ".npy: ", parts...);
}

// Size of the data, which must be exactly what follows the header.
Status check_size(const NpyHeader& h, uint64_t file_size, size_t* out) {
    int64_t elements = 0;
    size_t size = 0;
    if (!h.shape.checked_elements(&elements) || !checked_mul(static_cast<size_t>(elements), h.item_size, &size)) {
        return bad("shape ", h.shape, " is too large");
    }
    // Text of no characters takes no bytes in the file, but memory for every element.
    if (h.dtype == DType::kString && h.item_size == 0 && elements > (int64_t{1} << 20)) {
        return bad("shape ", h.shape, " of empty text is too large");
    }
    if (file_size - h.data_offset != size) {
        return bad("shape ", h.shape, " needs ", size, " bytes of data, the file has ", file_size - h.data_offset);
    }
    *out = size;
    return {};
}

bool append_utf8(PrivateString& out, uint32_t c) {
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return false;
    if (c < 0x80) {
        out += static_cast<char>(c);
        return true;
    }
    const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    constexpr unsigned lead[] = {0, 0xc0, 0xe0, 0xf0};
    out += static_cast<char>(lead[more] | c >> (6 * more));
    for (int i = more - 1; i >= 0; --i) out += static_cast<char>(0x80u | (c >> (6 * i) & 0x3fu));
    return true;
}

// Next character of UTF-8 text; false at a byte that is not UTF-8.
bool take_utf8(std::string_view& text, uint32_t* out) {
    const auto lead = static_cast<unsigned char>(text[0]);
    const size_t more = lead < 0x80 ? 0 : lead >> 5 == 6 ? 1 : lead >> 4 == 14 ? 2 : lead >> 3 == 30 ? 3 : 4;
    if (more > 3 || text.size() <= more) return false;
    uint32_t c = more == 0 ? lead : lead & (0x3fu >> more);
    for (size_t i = 1; i <= more; ++i) {
        const auto next = static_cast<unsigned char>(text[i]);
        if (next >> 6 != 2) return false;
        c = c << 6 | (next & 0x3fu);
    }
    text.remove_prefix(more + 1);
    *out = c;
    return true;
}

Result<Tensor> decode_text(Bytes data, const NpyHeader& h) {
    COFFER_TRY_ASSIGN(Tensor tensor, Tensor::create(DType::kString, h.shape));
    Reader r(data);
    for (PrivateString& text : tensor.span<PrivateString>()) {
        size_t zeros = 0;  // padding, unless a character follows
        for (size_t i = 0; i < h.item_size / 4; ++i) {
            const uint32_t c = r.u32();
            if (c == 0) {
                ++zeros;
                continue;
            }
            text.append(zeros, '\0');
            zeros = 0;
            if (!append_utf8(text, c)) return bad("character ", c, " is not Unicode");
        }
    }
    return tensor;
}

// Visits the elements of a column-major array in row-major order: fn(row-major index, column-major index).
void visit_fortran(const Shape& shape, const std::function<void(int64_t, int64_t)>& fn) {
    const int rank = shape.rank();
    const int64_t n = shape.elements();
    Shape index, stride;
    int64_t step = 1;
    for (int d = 0; d < rank; ++d) {
        index.push_back(0);
        stride.push_back(step);
        step *= shape[d];
    }
    int64_t column_major = 0;
    for (int64_t i = 0; i < n; ++i) {
        fn(i, column_major);
        for (int d = rank - 1; d >= 0; --d) {
            column_major += stride[d];
            if (++index[d] < shape[d]) break;
            column_major -= stride[d] * shape[d];
            index[d] = 0;
        }
    }
}

Result<Tensor> from_fortran(const Tensor& src) {
    COFFER_TRY_ASSIGN(Tensor dst, Tensor::create(src.dtype(), src.shape()));
    if (src.dtype() == DType::kString) {
        visit_fortran(src.shape(), [&](int64_t to, int64_t from) {
            dst.span<PrivateString>()[static_cast<size_t>(to)] = src.span<PrivateString>()[static_cast<size_t>(from)];
        });
        return dst;
    }
    const size_t width = static_cast<size_t>(dtype_bits(src.dtype())) / 8;
    auto* to_bytes = static_cast<std::byte*>(dst.view().data);
    visit_fortran(src.shape(), [&](int64_t to, int64_t from) {
        std::memcpy(to_bytes + static_cast<size_t>(to) * width,
                    src.bytes().data() + static_cast<size_t>(from) * width, width);
    });
    return dst;
}

// `fill` copies the data of the file, `size` bytes, to where it is asked.
Result<Tensor> read_data(const NpyHeader& h, size_t size, const std::function<Status(MutableBytes)>& fill) {
    Tensor tensor;
    if (h.dtype == DType::kString) {
        std::vector<std::byte> data(size);
        COFFER_TRY(fill(data));
        COFFER_TRY_ASSIGN(tensor, decode_text(data, h));
    } else {
        COFFER_TRY_ASSIGN(tensor, Tensor::create(h.dtype, h.shape));
        COFFER_TRY(fill({static_cast<std::byte*>(tensor.view().data), size}));
        if (h.dtype == DType::kBool) {
            for (uint8_t& b : tensor.span<uint8_t>()) b = b != 0;
        }
    }
    return h.fortran_order && h.shape.rank() > 1 ? from_fortran(tensor) : std::move(tensor);
}

// The NumPy type that holds every value of `dtype`.
Result<const char*> descr_of(DType dtype) {
    switch (dtype) {
        case DType::kBool: return "|b1";
        case DType::kInt8:
        case DType::kInt4:
        case DType::kInt2: return "|i1";
        case DType::kUint8:
        case DType::kUint4:
        case DType::kUint2: return "|u1";
        case DType::kInt16: return "<i2";
        case DType::kUint16: return "<u2";
        case DType::kInt32: return "<i4";
        case DType::kUint32: return "<u4";
        case DType::kInt64: return "<i8";
        case DType::kUint64: return "<u8";
        case DType::kFloat16: return "<f2";
        case DType::kDouble: return "<f8";
        case DType::kComplex64: return "<c8";
        case DType::kComplex128: return "<c16";
        case DType::kUndefined:
        case DType::kString:
            return error(Code::kInvalidArgument, "a tensor of ", dtype, " cannot be written as .npy");
        default: return "<f4";
    }
}

Result<std::vector<std::byte>> format_text(const TensorView& t) {
    std::vector<std::vector<uint32_t>> texts;
    size_t longest = 1;  // NumPy has no text of length 0
    for (const PrivateString& text : t.span<PrivateString>()) {
        std::vector<uint32_t>& characters = texts.emplace_back();
        for (std::string_view rest = text; !rest.empty();) {
            if (!take_utf8(rest, &characters.emplace_back())) {
                return error(Code::kInvalidArgument, "text '", text, "' is not UTF-8 and cannot be written as .npy");
            }
        }
        longest = std::max(longest, characters.size());
    }
    Writer w;
    w.put(format_npy_header("<U" + std::to_string(longest), t.shape));
    for (const auto& characters : texts) {
        for (uint32_t c : characters) w.u32(c);
        w.zeros((longest - characters.size()) * 4);
    }
    return w.take();
}

bool is_widened(DType dtype) {
    return dtype_bits(dtype) < 8 || dtype == DType::kBfloat16 ||
           (dtype >= DType::kFloat8E4M3FN && dtype <= DType::kFloat8E5M2FNUZ) || dtype == DType::kFloat8E8M0;
}

// Types that NumPy does not have, in the type descr_of() names.
Result<Tensor> widen(const TensorView& t) {
    const DType wide = is_floating(t.dtype)         ? DType::kFloat
                       : is_signed_integer(t.dtype) ? DType::kInt8
                                                    : DType::kUint8;
    COFFER_TRY_ASSIGN(Tensor out, Tensor::create(wide, t.shape));
    for (int64_t i = 0; i < t.elements(); ++i) store_double(out.view(), i, load_double(t, i));
    return out;
}

struct Parts {
    std::string header;
    Tensor widened;  // keeps `data` alive
    Bytes data;
};

Result<Parts> numeric_parts(const TensorView& t) {
    Parts p;
    COFFER_TRY_ASSIGN(const char* descr, descr_of(t.dtype));
    p.header = format_npy_header(descr, t.shape);
    if (is_widened(t.dtype)) {
        COFFER_TRY_ASSIGN(p.widened, widen(t));
        p.data = p.widened.bytes();
    } else {
        p.data = {static_cast<const std::byte*>(t.data), t.nbytes()};
    }
    return p;
}

}  // namespace

Result<Tensor> parse_npy(Bytes file) {
    COFFER_TRY_ASSIGN(const NpyHeader h, parse_npy_header(file));
    size_t size = 0;
    COFFER_TRY(check_size(h, file.size(), &size));
    return read_data(h, size, [&](MutableBytes dst) -> Status {
        if (!dst.empty()) std::memcpy(dst.data(), file.data() + h.data_offset, dst.size());
        return {};
    });
}

Result<Tensor> read_npy(const std::string& path) {
    COFFER_TRY_ASSIGN(const os::File file, os::File::open_read(path));
    const auto read = [&]() -> Result<Tensor> {
        std::vector<std::byte> head(static_cast<size_t>(std::min<uint64_t>(file.size(), kNpyPrefix)));
        COFFER_TRY(file.read_at(0, head));
        COFFER_TRY_ASSIGN(const size_t offset, npy_data_offset(head));
        if (offset > file.size()) return bad("the header is cut short");
        head.resize(offset);
        COFFER_TRY(file.read_at(0, head));
        COFFER_TRY_ASSIGN(const NpyHeader h, parse_npy_header(head));
        size_t size = 0;
        COFFER_TRY(check_size(h, file.size(), &size));
        return read_data(h, size, [&](MutableBytes dst) { return file.read_at(h.data_offset, dst); });
    };
    auto tensor = read();
    if (!tensor.ok()) return tensor.error().within(message({"'", path, "': "}));
    return tensor;
}

Result<std::vector<std::byte>> format_npy(const TensorView& tensor) {
    if (tensor.dtype == DType::kString) return format_text(tensor);
    COFFER_TRY_ASSIGN(const Parts p, numeric_parts(tensor));
    Writer w;
    w.put(p.header);
    w.put(p.data);
    return w.take();
}

Status write_npy(const std::string& path, const TensorView& tensor) {
    constexpr uint32_t kMode = 0644;
    if (tensor.dtype == DType::kString) {
        COFFER_TRY_ASSIGN(const std::vector<std::byte> text, format_text(tensor));
        COFFER_TRY_ASSIGN(os::AtomicFile file, os::AtomicFile::create(path, kMode));
        COFFER_TRY(file.write(text));
        return file.commit();
    }
    COFFER_TRY_ASSIGN(const Parts p, numeric_parts(tensor));
    COFFER_TRY_ASSIGN(os::AtomicFile file, os::AtomicFile::create(path, kMode));
    COFFER_TRY(file.write(as_bytes(p.header)));
    COFFER_TRY(file.write(p.data));
    return file.commit();
}

}  // namespace coffer::offline
