// The objects behind the opaque handles of coffer.h, and the fence that every entry point stands behind.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
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
coffer_value_info describe(const graph::ValueInfo& value);

void fill(coffer_error* error, const Error& e) noexcept;
void fill(coffer_error* error, coffer_status status, const char* text) noexcept;

// A callback of the caller's failed: `otherwise` with his words behind it, or what he gave up for.
Error callback_error(coffer_status status, const coffer_error& said, const Error& otherwise);

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
    } catch (const OverBudget& e) {
        fill(error, coffer::error(Code::kLimit, Detail::kLimit, e.what()));
        return COFFER_LIMIT;
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

// Flags that this version does not have are refused, not ignored.
inline Status known_flags(const char* of, uint32_t flags, uint32_t known) {
    if (const uint32_t unknown = flags & ~known) {
        return error(Code::kInvalidArgument, of, " flags ", unknown, " are not known");
    }
    return {};
}

// A struct of coffer.h that may grow: its name, and where it ended in version 0.1, which no caller's struct_size is
// below.
template <class T>
struct Layout;
#define COFFER_LAYOUT(type, last)                                                       \
    template <>                                                                         \
    struct Layout<type> {                                                               \
        static constexpr const char* kName = #type;                                     \
        static constexpr size_t kFirstSize = offsetof(type, last) + sizeof(type::last); \
    }
COFFER_LAYOUT(coffer_value_info, dim_names);
COFFER_LAYOUT(coffer_allocator, user);
COFFER_LAYOUT(coffer_open_options, parallel_user);
COFFER_LAYOUT(coffer_reader, user);
COFFER_LAYOUT(coffer_trust_store, user);
COFFER_LAYOUT(coffer_licence_info, feature_count);
COFFER_LAYOUT(coffer_runner_options, allocator);
COFFER_LAYOUT(coffer_run_options, deadline_ns);
COFFER_LAYOUT(coffer_prepare_options, reserved);
COFFER_LAYOUT(coffer_profile_entry, ns);
#undef COFFER_LAYOUT

template <class T>
Status check_size(const T& theirs) {
    const size_t size = theirs.struct_size;
    if (size >= Layout<T>::kFirstSize && size <= sizeof(T) + 1024) return {};
    return error(Code::kInvalidArgument, "the struct_size ", size, " of a ", Layout<T>::kName,
                 " is not one this library knows; it is ", sizeof(T));
}

// A copy of the caller's struct with defaults for the fields his version does not have; NULL: the defaults. A field
// that this version does not have and that asks for something is refused, not ignored.
template <class T>
Result<T> read_struct(const T* theirs, const T& defaults) {
    if (!theirs) return defaults;
    COFFER_TRY(check_size(*theirs));
    const size_t size = theirs->struct_size;
    const auto* bytes = reinterpret_cast<const unsigned char*>(theirs);
    for (size_t i = sizeof(T); i < size; ++i) {
        if (bytes[i] == 0) continue;
        return error(Code::kUnsupported, Detail::kUnsupported, "the ", Layout<T>::kName,
                     " has a field of a newer library");
    }
    T ours = defaults;
    std::memcpy(&ours, theirs, std::min(size, sizeof(T)));
    return ours;
}

// Fills the caller's struct as far as his version has it. Fields of a newer one become zero.
template <class T>
Status write_struct(T* theirs, T ours) {
    COFFER_TRY(check_size(*theirs));
    const size_t size = theirs->struct_size;
    ours.struct_size = size;
    std::memset(theirs, 0, size);
    std::memcpy(theirs, &ours, std::min(size, sizeof(T)));
    return {};
}

}  // namespace coffer::capi

struct coffer_runner {
    std::unique_ptr<coffer::runtime::Runner> runner;
    std::vector<coffer::Tensor> staging;  // by input, for strided values
    coffer::capi::Exporter shown;
    bool ran = false;  // outputs hold values, not only types
    std::vector<std::pair<std::pair<uint32_t, uint32_t>, coffer::runtime::Profile::Entry>> profile;
};
