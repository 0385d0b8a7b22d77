#include "offline/npy_header.hpp"

#include <charconv>
#include <vector>

#include "coffer/base/checked.hpp"

namespace coffer::offline {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kMaxHeader = 1 << 16;  // NumPy refuses more than 10,000 characters

template <class... Parts>
Error bad(const Parts&... parts) {
    return error(Code::kFormat, Detail::kFormat, ".npy: ", parts...);
}
template <class... Parts>
Error refused(const Parts&... parts) {
    return error(Code::kUnsupported, Detail::kUnsupported, ".npy: ", parts...);
}

// The subset of Python literals that NumPy writes.
class Literal {
 public:
    explicit Literal(std::string_view text) : text_(text) {}

    bool eat(char c) {
        skip_space();
        if (at_ == text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    bool eat(std::string_view word) {
        skip_space();
        if (!text_.substr(at_).starts_with(word)) return false;
        at_ += word.size();
        return true;
    }
    bool at_end() {
        skip_space();
        return at_ == text_.size();
    }
    // 'text' or "text" without escapes
    bool string(std::string* out) {
        skip_space();
        if (at_ == text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) return false;
        const size_t end = text_.find(text_[at_], at_ + 1);
        if (end == std::string_view::npos) return false;
        *out = text_.substr(at_ + 1, end - at_ - 1);
        at_ = end + 1;
        return out->find('\\') == std::string::npos;
    }
    bool boolean(bool* out) {
        *out = eat("True");
        return *out || eat("False");
    }
    bool integers(std::vector<int64_t>* out) {
        if (!eat('(')) return false;
        while (!eat(')')) {
            skip_space();
            int64_t value = 0;
            const char* begin = text_.data() + at_;
            const auto [end, code] = std::from_chars(begin, text_.data() + text_.size(), value);
            if (code != std::errc()) return false;
            at_ += static_cast<size_t>(end - begin);
            (void)eat('L');  // Python 2
            out->push_back(value);
            if (out->size() > kMaxHeader) return false;
            if (eat(',')) continue;
            return eat(')');
        }
        return true;
    }
    char peek() {
        skip_space();
        return at_ == text_.size() ? '\0' : text_[at_];
    }

 private:
    void skip_space() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
    }
    std::string_view text_;
    size_t at_ = 0;
};

struct Row {
    std::string_view code;
    DType dtype;
};
constexpr Row kTypes[] = {{"b1", DType::kBool},      {"i1", DType::kInt8},       {"u1", DType::kUint8},
                          {"i2", DType::kInt16},     {"u2", DType::kUint16},     {"i4", DType::kInt32},
                          {"u4", DType::kUint32},    {"i8", DType::kInt64},      {"u8", DType::kUint64},
                          {"f2", DType::kFloat16},   {"f4", DType::kFloat},      {"f8", DType::kDouble},
                          {"c8", DType::kComplex64}, {"c16", DType::kComplex128}};

Status set_type(std::string_view descr, NpyHeader* h) {
    const std::string_view code = descr.empty() ? descr : descr.substr(1);
    const char order = descr.empty() ? '\0' : descr[0];
    if (descr == "|O" || descr == "O") return refused("Python objects ('", descr, "')");
    if (order != '<' && order != '>' && order != '|' && order != '=') return bad("element type '", descr, "'");
    if (code.starts_with('S')) return refused("byte strings ('", descr, "'); save text as Unicode ('<U')");
    if (code.starts_with('V')) return refused("raw records ('", descr, "')");
    if (order == '>' && !code.ends_with("1")) return refused("big-endian data ('", descr, "')");
    if (code.starts_with('U')) {
        uint32_t characters = 0;
        const auto [end, status] = std::from_chars(code.data() + 1, code.data() + code.size(), characters);
        if (order == '>') return refused("big-endian data ('", descr, "')");
        if (status != std::errc() || end != code.data() + code.size() || characters > (1u << 28)) {
            return bad("element type '", descr, "'");
        }
        h->dtype = DType::kString;
        h->item_size = size_t{characters} * 4;
        return {};
    }
    for (const Row& row : kTypes) {
        if (row.code != code) continue;
        h->dtype = row.dtype;
        h->item_size = static_cast<size_t>(dtype_bits(row.dtype)) / 8;
        return {};
    }
    return refused("element type '", descr, "'");
}

Status set_shape(const std::vector<int64_t>& dims, NpyHeader* h) {
    if (dims.size() > kMaxRank) return refused("rank ", dims.size(), " is over ", kMaxRank);
    if (!Shape::from(dims, &h->shape)) return bad("negative dimension");
    return {};
}

}  // namespace

Result<size_t> npy_data_offset(Bytes prefix) {
    Reader r(prefix);
    const Bytes magic = r.take(kMagic.size());
    if (as_text(magic) != kMagic) return bad("not a .npy file");
    const int major = r.u8(), minor = r.u8();
    if (major < 1 || major > 3 || minor != 0) return refused("version ", major, ".", minor);
    const size_t length = major == 1 ? r.u16() : r.u32();
    if (!r.ok()) return bad("the header is cut short");
    if (length > kMaxHeader) return bad("a header of ", length, " bytes");
    return r.position() + length;
}

Result<NpyHeader> parse_npy_header(Bytes bytes) {
    COFFER_TRY_ASSIGN(const size_t size, npy_data_offset(bytes.first(std::min(bytes.size(), kNpyPrefix))));
    if (bytes.size() < size) return bad("the header is cut short");
    const size_t start = bytes[6] == std::byte{1} ? 10 : 12;
    Literal text(as_text(bytes.subspan(start, size - start)));
    NpyHeader h;
    h.data_offset = size;
    bool has_type = false, has_order = false, has_shape = false;
    if (!text.eat('{')) return bad("the header is not a dictionary");
    while (!text.eat('}')) {
        std::string key, descr;
        if (!text.string(&key) || !text.eat(':')) return bad("the header is damaged");
        if (key == "descr" && !has_type) {
            if (text.peek() == '[') return refused("records with named fields");
            if (!text.string(&descr)) return bad("'descr' is damaged");
            COFFER_TRY(set_type(descr, &h));
            has_type = true;
        } else if (key == "fortran_order" && !has_order) {
            if (!text.boolean(&h.fortran_order)) return bad("'fortran_order' is damaged");
            has_order = true;
        } else if (key == "shape" && !has_shape) {
            std::vector<int64_t> dims;
            if (!text.integers(&dims)) return bad("'shape' is damaged");
            COFFER_TRY(set_shape(dims, &h));
            has_shape = true;
        } else {
            return bad("unexpected key '", key, "'");
        }
        if (text.eat(',')) continue;
        if (text.eat('}')) break;
        return bad("the header is damaged");
    }
    if (!text.at_end()) return bad("the header goes on after its end");
    if (!has_type || !has_order || !has_shape) return bad("the header lacks 'descr', 'fortran_order' or 'shape'");
    return h;
}

std::string format_npy_header(std::string_view descr, const Shape& shape) {
    std::string dims;
    for (int64_t d : shape.dims()) dims += std::to_string(d) + ", ";
    if (shape.rank() > 1) dims.resize(dims.size() - 2);
    if (shape.rank() == 1) dims.resize(dims.size() - 1);
    std::string text = "{'descr': '";
    text += descr;
    text += "', 'fortran_order': False, 'shape': (";
    text += dims;
    text += "), }";
    const size_t used = 10 + text.size() + 1;
    text.append(round_up<size_t>(used, 64) - used, ' ');
    text += '\n';
    std::string out(kMagic);
    out += {'\x01', '\x00', static_cast<char>(text.size() & 0xff), static_cast<char>(text.size() >> 8)};
    return out + text;
}

}  // namespace coffer::offline
