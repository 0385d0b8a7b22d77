// The objects behind the opaque handles of coffer.h, and the fence that every entry point stands behind.
#pragma once

#include <deque>
#include <exception>
#include <memory>
#include <new>

#include "coffer/coffer.h"
#include "runtime/load.hpp"
#include "runtime/runner.hpp"

struct coffer_keyring {
    coffer::trust::Keyring keyring;
};
struct coffer_policy {
    coffer::trust::Policy policy;
};
struct coffer_model {
    std::shared_ptr<const coffer::runtime::Model> model;
    std::shared_ptr<const coffer::trust::Licence> licence;  // nullptr: it demands none
    bool licence_in_grace = false;
    std::vector<const char*> features;  // of the licence
};

namespace coffer::capi {

// Values shown to a caller: keeps the arrays that a coffer_value of strings or items points to.
class Exporter {
 public:
    void clear();
    coffer_value show(const Value& value);

 private:
    std::deque<std::vector<coffer_string>> strings_;
    std::deque<std::vector<coffer_value>> items_;
};

// A coffer_value as a Value; dense memory is borrowed, strided is gathered into `staging`, strings are copied.
// `info` gives the shape when rank is -1. `what` names it in errors.
Result<Value> import_value(const coffer_value& value, const graph::ValueInfo& info, std::string_view what,
                           Tensor& staging);
// Caller memory for an output.
Result<TensorView> import_buffer(const coffer_value& value, const graph::ValueInfo& info);
void describe(const graph::ValueInfo& value, coffer_value_info* info);

void fill(coffer_error* error, const Error& e) noexcept;
void fill(coffer_error* error, coffer_status status, const char* text) noexcept;

// Runs `body` (a callable giving Status), turns its error into a coffer_error, and lets nothing escape.
template <class F>
coffer_status guard(coffer_error* error, F&& body) noexcept {
    try {
        const Status status = body();
        if (status.ok()) {
            fill(error, COFFER_OK, "");
            return COFFER_OK;
        }
        fill(error, status.error());
        return static_cast<coffer_status>(status.error().code());
    } catch (const std::bad_alloc&) {
        fill(error, COFFER_OUT_OF_MEMORY, "out of memory");
        return COFFER_OUT_OF_MEMORY;
    } catch (const std::exception& e) {
        fill(error, COFFER_INTERNAL, e.what());
        return COFFER_INTERNAL;
    } catch (...) {
        fill(error, COFFER_INTERNAL, "an unknown exception");
        return COFFER_INTERNAL;
    }
}

// For required pointers: `COFFER_TRY(given(model, "model"))`.
inline Status given(const void* pointer, const char* name) {
    if (pointer) return {};
    return error(Code::kInvalidArgument, "argument '", name, "' is NULL");
}

// A copy of the caller's options with defaults for the fields his version does not have. A field that this version
// does not have and that asks for something is refused, not ignored.
template <class T>
Result<T> options_of(const T* given_options, const T& defaults) {
    if (!given_options) return defaults;
    const size_t size = given_options->struct_size;
    if (size < sizeof(size_t) || size > sizeof(T) + 1024) {
        return error(Code::kInvalidArgument, "option struct_size ", size, " is not one this library knows");
    }
    const auto* bytes = reinterpret_cast<const unsigned char*>(given_options);
    for (size_t i = sizeof(T); i < size; ++i) {
        if (bytes[i] != 0) return error(Code::kUnsupported, Detail::kUnsupported, "options of a newer library");
    }
    T options = defaults;
    std::memcpy(&options, given_options, size < sizeof(T) ? size : sizeof(T));
    return options;
}

}  // namespace coffer::capi

struct coffer_runner {
    std::unique_ptr<coffer::runtime::Runner> runner;
    std::vector<coffer::Tensor> staging;  // by input, for strided values
    coffer::capi::Exporter shown;
    bool ran = false;  // outputs hold values, not only types
    std::vector<std::pair<std::pair<uint32_t, uint32_t>, coffer::runtime::Profile::Entry>> profile;
};
