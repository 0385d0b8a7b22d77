#include "offline/onnx/message.hpp"

#include <cstring>
#include <protozero/exception.hpp>

namespace coffer::offline {

using protozero::pbf_wire_type;

Message::Message(Bytes bytes, const char* what)
    : reader_(reinterpret_cast<const char*>(bytes.data()), bytes.size()), what_(what) {}

void Message::fail(std::string_view why) {
    if (failure_.empty()) failure_ = message({what_, ", field ", field_, ": ", why});
}

template <class F>
void Message::guarded(F&& read) {
    try {
        read();
    } catch (const protozero::exception& e) {
        fail(e.what());
    }
}

bool Message::expect(pbf_wire_type type) {
    if (failed()) return false;
    if (reader_.wire_type() == type) return true;
    fail(message({"wire type ", static_cast<int>(reader_.wire_type()), ", expected ", static_cast<int>(type)}));
    return false;
}

bool Message::next() {
    bool more = false;
    if (!failed()) {
        guarded([&] {
            more = reader_.next();
            field_ = reader_.tag();
        });
    }
    return more && !failed();
}

void Message::skip() {
    if (!failed()) guarded([&] { reader_.skip(); });
}

int64_t Message::integer() {
    int64_t value = 0;
    if (expect(pbf_wire_type::varint)) guarded([&] { value = reader_.get_int64(); });
    return value;
}

float Message::float32() {
    float value = 0;
    if (expect(pbf_wire_type::fixed32)) guarded([&] { value = reader_.get_float(); });
    return value;
}

Bytes Message::bytes() {
    Bytes value;
    if (expect(pbf_wire_type::length_delimited)) {
        guarded([&] {
            const auto view = reader_.get_view();
            value = {reinterpret_cast<const std::byte*>(view.data()), view.size()};
        });
    }
    return value;
}

std::string Message::text() {
    const std::string_view value = as_text(bytes());
    if (value.find('\0') != std::string_view::npos) {
        fail(message({"the name '", value, "' has a NUL"}));
        return {};
    }
    if (!is_utf8(value)) {
        fail("a name is not UTF-8");
        return {};
    }
    return std::string(value);
}

void Message::integers(PrivateVector<int64_t>& out) {
    if (reader_.wire_type() == pbf_wire_type::varint) {
        out.push_back(integer());
        return;
    }
    if (!expect(pbf_wire_type::length_delimited)) return;
    guarded([&] {
        for (int64_t value : reader_.get_packed_int64()) out.push_back(value);
    });
}

void Message::floats(PrivateVector<float>& out) {
    if (reader_.wire_type() == pbf_wire_type::fixed32) {
        out.push_back(float32());
        return;
    }
    const Bytes packed = bytes();
    if (packed.size() % sizeof(float) != 0) return fail("packed floats are cut short");
    if (packed.empty()) return;
    const size_t old = out.size();
    out.resize(old + packed.size() / sizeof(float));
    std::memcpy(out.data() + old, packed.data(), packed.size());
}

void Message::doubles(PrivateVector<double>& out) {
    if (reader_.wire_type() == pbf_wire_type::fixed64) {
        guarded([&] { out.push_back(reader_.get_double()); });
        return;
    }
    const Bytes packed = bytes();
    if (packed.size() % sizeof(double) != 0) return fail("packed doubles are cut short");
    if (packed.empty()) return;
    const size_t old = out.size();
    out.resize(old + packed.size() / sizeof(double));
    std::memcpy(out.data() + old, packed.data(), packed.size());
}

Status Message::status() const {
    if (!failed()) return {};
    return error(Code::kFormat, Detail::kFormat, "damaged ONNX file: ", failure_);
}

bool is_utf8(std::string_view text) {
    for (size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i++]);
        if (lead < 0x80) continue;
        const int more = lead >= 0xc2 && lead <= 0xdf   ? 1
                         : (lead & 0xf0) == 0xe0        ? 2
                         : lead >= 0xf0 && lead <= 0xf4 ? 3
                                                        : 0;
        if (more == 0 || text.size() - i < static_cast<size_t>(more)) return false;
        uint32_t point = lead & (0x3fu >> more);
        for (int k = 0; k < more; ++k) {
            const auto c = static_cast<unsigned char>(text[i++]);
            if ((c & 0xc0) != 0x80) return false;
            point = point << 6 | (c & 0x3fu);
        }
        // Overlong forms, surrogates and what lies beyond Unicode.
        if ((more == 2 && point < 0x800) || (more == 3 && (point < 0x10000 || point > 0x10ffff))) return false;
        if (point >= 0xd800 && point <= 0xdfff) return false;
    }
    return true;
}

}  // namespace coffer::offline
