// Errors as values: Code, Detail, Error, Result<T> and the two control-flow macros used everywhere.
// Nothing here throws, prints or allocates on the success path.
#pragma once

#include <cassert>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace coffer {

// Stable groups; the numbers equal coffer_status in coffer.h.
enum class Code : int {
    kOk = 0,
    kInvalidArgument = 1,  // the caller: unknown name, wrong shape, dtype, option
    kBufferTooSmall = 2,   // the caller: an output buffer; the message says what is needed
    kIo = 3,               // the system: open, read, write, rename
    kFormat = 4,           // damaged bytes: ONNX, container, .npy
    kAuth = 5,             // no key, wrong key, bad or untrusted signature
    kPolicy = 6,           // expired, rollback, wrong model, revoked, unprotected, licence
    kUnsupported = 7,      // an op, type or feature this build does not have
    kLimit = 8,            // a cap of the policy
    kOutOfMemory = 9,
    kCancelled = 10,
    kInternal = 11,  // a bug of ours
    kNotFound = 12,  // a file or folder that is missing, a name nothing has
    kDeadline = 13,
    kConflict = 14,  // somebody else changed it meanwhile, or made it before
};

// Somebody gave up, which says nothing of what he was asked for: other ways are not tried either.
constexpr bool gave_up(Code code) {
    return code == Code::kCancelled || code == Code::kDeadline || code == Code::kOutOfMemory;
}

// Finer classes: docs/format.md "Errors". The testkit checks these; the numbers equal coffer_detail in coffer.h.
enum class Detail : int {
    kNone = 0,
    kIo = 1,
    kFormat = 2,
    kUnsupported = 3,
    kSignature = 4,
    kUntrusted = 5,
    kRollback = 6,
    kExpired = 7,
    kRevoked = 8,
    kWrongModel = 9,
    kUnprotected = 10,
    kNoRecipient = 11,
    kUnwrap = 12,
    kCommitment = 13,
    kHeaderAuth = 14,
    kManifestAuth = 15,
    kManifestInvalid = 16,
    kTree = 17,
    kChunkAuth = 18,
    kLimit = 19,
    kLicence = 20,
    kCancelled = 21,
};

const char* code_name(Code code);
const char* detail_name(Detail detail);

class [[nodiscard]] Error {
 public:
    Error(Code code, Detail detail, std::string message)
        : code_(code), detail_(detail), message_(std::move(message)) {}

    Code code() const { return code_; }
    Detail detail() const { return detail_; }
    const std::string& message() const { return message_; }

    // The same error seen from further out: "node 'x': " in front of the message.
    Error within(std::string_view prefix) const;

 private:
    Code code_;
    Detail detail_;
    std::string message_;
};

// One part of a message. Numbers, text and anything with a to_piece() overload. Long text is cut and
// control characters are escaped when the message is built, so names from a file cannot forge output.
class Piece {
 public:
    Piece(std::string_view text) : text_(text) {}
    Piece(const char* text) : text_(text ? text : "") {}
    Piece(const std::string& text) : text_(text) {}
    template <class T>
    requires std::is_integral_v<T> Piece(T value) : owned_(std::to_string(value)) {}
    Piece(double value);
    Piece(float value) : Piece(static_cast<double>(value)) {}
    template <class T>
    requires requires(const T& v) {
        { to_text(v) } -> std::convertible_to<std::string>;
    }
    Piece(const T& value) : owned_(to_text(value)) {}

    std::string_view view() const { return owned_ ? std::string_view(*owned_) : text_; }

 private:
    std::string_view text_;
    std::optional<std::string> owned_;
};

// Joins the pieces; a piece over 1,024 bytes is cut with "...", bytes below 0x20 become "\xNN".
std::string message(std::initializer_list<Piece> pieces);

template <class... Parts>
Error error(Code code, Detail detail, const Parts&... parts) {
    return Error(code, detail, message({Piece(parts)...}));
}
template <class... Parts>
Error error(Code code, const Parts&... parts) {
    return Error(code, Detail::kNone, message({Piece(parts)...}));
}

template <class T>
class [[nodiscard]] Result {
 public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }

    T& value() & { return *std::get_if<0>(&state_); }
    const T& value() const& { return *std::get_if<0>(&state_); }
    T&& value() && { return std::move(*std::get_if<0>(&state_)); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    Error& error() & { return *std::get_if<1>(&state_); }
    const Error& error() const& { return *std::get_if<1>(&state_); }
    Error&& error() && { return std::move(*std::get_if<1>(&state_)); }

 private:
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
    Result() = default;
    Result(Error error) : error_(std::make_unique<Error>(std::move(error))) {}

    bool ok() const { return !error_; }
    explicit operator bool() const { return ok(); }
    Error& error() & { return *error_; }
    const Error& error() const& { return *error_; }
    Error&& error() && { return std::move(*error_); }

 private:
    std::unique_ptr<Error> error_;
};

using Status = Result<void>;

}  // namespace coffer

#define COFFER_CONCAT_(a, b) a##b
#define COFFER_CONCAT(a, b) COFFER_CONCAT_(a, b)

// Returns the error of `expr` from the enclosing function, if it has one.
#define COFFER_TRY(expr)                                              \
    do {                                                              \
        auto coffer_try_ = (expr);                                    \
        if (!coffer_try_.ok()) return std::move(coffer_try_).error(); \
    } while (0)

// `COFFER_TRY_ASSIGN(auto x, f())`: x is the value, or the error is returned.
#define COFFER_TRY_ASSIGN(decl, expr)                                                                           \
    auto COFFER_CONCAT(coffer_r_, __LINE__) = (expr);                                                           \
    if (!COFFER_CONCAT(coffer_r_, __LINE__).ok()) return std::move(COFFER_CONCAT(coffer_r_, __LINE__)).error(); \
    decl = std::move(COFFER_CONCAT(coffer_r_, __LINE__)).value()
