// A few lines of protobuf writing, to make ONNX files that no exporter would write.
#pragma once

#include <cstring>
#include <string>

#include "coffer/base/bytes.hpp"
#include "coffer/base/dtype.hpp"

namespace coffer::testing {

class Pb {
 public:
    Pb& number(int field, int64_t value) {
        key(field, 0);
        varint(static_cast<uint64_t>(value));
        return *this;
    }
    Pb& text(int field, std::string_view value) {
        key(field, 2);
        varint(value.size());
        out_ += value;
        return *this;
    }
    Pb& message(int field, const Pb& value) { return text(field, value.out_); }
    Pb& float32(int field, float value) {
        key(field, 5);
        out_.append(reinterpret_cast<const char*>(&value), sizeof value);
        return *this;
    }
    Pb& raw(std::string_view bytes) {
        out_ += bytes;
        return *this;
    }
    const std::string& str() const { return out_; }
    Bytes bytes() const { return as_bytes(out_); }

 private:
    void key(int field, int wire) { varint(static_cast<uint64_t>(field) << 3 | static_cast<uint64_t>(wire)); }
    void varint(uint64_t v) {
        for (; v >= 0x80; v >>= 7) out_ += static_cast<char>(v | 0x80);
        out_ += static_cast<char>(v);
    }
    std::string out_;
};

// ---- ONNX messages

inline Pb tensor(std::string_view name, DType type, std::initializer_list<int64_t> dims, std::string_view raw) {
    Pb t;
    for (int64_t d : dims) t.number(1, d);
    return t.number(2, static_cast<int64_t>(type)).text(8, name).text(9, raw);
}
template <class T>
std::string raw_of(std::initializer_list<T> values) {
    std::string out;
    for (T v : values) out.append(reinterpret_cast<const char*>(&v), sizeof v);
    return out;
}

inline Pb value_info(std::string_view name, DType type, std::initializer_list<int64_t> dims) {
    Pb shape;
    for (int64_t d : dims) shape.message(1, d < 0 ? Pb().text(2, "n") : Pb().number(1, d));
    return Pb().text(1, name).message(2,
                                      Pb().message(1, Pb().number(1, static_cast<int64_t>(type)).message(2, shape)));
}
inline Pb name_only(std::string_view name) {
    return Pb().text(1, name);
}

inline Pb attr_i(std::string_view name, int64_t v) {
    return Pb().text(1, name).number(3, v).number(20, 2);
}
inline Pb attr_f(std::string_view name, float v) {
    return Pb().text(1, name).float32(2, v).number(20, 1);
}
inline Pb attr_s(std::string_view name, std::string_view v) {
    return Pb().text(1, name).text(4, v).number(20, 3);
}
inline Pb attr_t(std::string_view name, const Pb& v) {
    return Pb().text(1, name).message(5, v).number(20, 4);
}
inline Pb attr_g(std::string_view name, const Pb& v) {
    return Pb().text(1, name).message(6, v).number(20, 5);
}
inline Pb attr_ints(std::string_view name, std::initializer_list<int64_t> v) {
    Pb a = Pb().text(1, name).number(20, 7);
    for (int64_t i : v) a.number(8, i);
    return a;
}
inline Pb attr_floats(std::string_view name, std::initializer_list<float> v) {
    Pb a = Pb().text(1, name).number(20, 6);
    for (float f : v) a.float32(7, f);
    return a;
}
inline Pb attr_ref(std::string_view name, std::string_view argument, int64_t type) {
    return Pb().text(1, name).text(21, argument).number(20, type);
}

using Names = std::initializer_list<std::string_view>;
inline Pb node(std::string_view op, Names inputs, Names outputs, std::initializer_list<Pb> attrs = {},
               std::string_view domain = {}, std::string_view name = {}) {
    Pb n;
    for (std::string_view i : inputs) n.text(1, i);
    for (std::string_view o : outputs) n.text(2, o);
    n.text(3, name).text(4, op);
    for (const Pb& a : attrs) n.message(5, a);
    return domain.empty() ? n : n.text(7, domain);
}

// Nodes, then whatever else the test appends to the graph.
inline Pb graph_pb(std::initializer_list<Pb> nodes, std::initializer_list<Pb> inputs,
                   std::initializer_list<Pb> outputs) {
    Pb g;
    for (const Pb& n : nodes) g.message(1, n);
    g.text(2, "g");
    for (const Pb& i : inputs) g.message(11, i);
    for (const Pb& o : outputs) g.message(12, o);
    return g;
}
inline Pb opset(int64_t version, std::string_view domain = {}) {
    return Pb().text(1, domain).number(2, version);
}
inline Pb model(const Pb& g, int64_t version = 17) {
    return Pb().number(1, 8).message(7, g).message(8, opset(version));
}

}  // namespace coffer::testing
