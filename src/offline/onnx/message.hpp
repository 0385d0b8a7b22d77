// A protobuf message read field by field. The only file that knows protozero: its exceptions end here, as a
// sticky failure that status() reports, so that a parser reads like the message it parses.
#pragma once

#include <protozero/pbf_reader.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "coffer/base/bytes.hpp"
#include "coffer/base/error.hpp"
#include "coffer/base/private_memory.hpp"

namespace coffer::offline {

class Message {
 public:
    // `what` names the message in errors: "NodeProto".
    Message(Bytes bytes, const char* what);

    // Moves to the next field; false at the end and after a failure.
    bool next();
    uint32_t field() const { return field_; }
    void skip();

    int64_t integer();
    float float32();
    Bytes bytes();
    // A name: UTF-8 without NUL.
    std::string text();

    // Repeated numbers, packed or one by one: appended to `out`.
    void integers(PrivateVector<int64_t>& out);
    void floats(PrivateVector<float>& out);
    void doubles(PrivateVector<double>& out);

    bool failed() const { return !failure_.empty(); }
    Status status() const;

 private:
    void fail(std::string_view why);
    bool expect(protozero::pbf_wire_type type);
    template <class F>
    void guarded(F&& read);

    protozero::pbf_reader reader_;
    uint32_t field_ = 0;  // the reader forgets it once the field was read
    const char* what_;
    std::string failure_;
};

bool is_utf8(std::string_view text);

}  // namespace coffer::offline
