// Coffer in C++20: a thin header-only face over coffer.h, whose contracts (ownership, threads, errors) hold
// here too. Handles are move-only and free themselves; failures are values: Result<T>.
//
//   auto model = coffer::Model::open("net.coffer", keys, policy);
//   if (!model) return report(model.error());
//   auto runner = model->runner();
//   auto status = runner->run({{"image", pixels}}, {{"scores", scores}});
#pragma once

#include <array>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "coffer/coffer.h"

namespace coffer {
// Objects compiled against different versions of this header keep apart what it defines inline.
inline namespace v0_1 {

// What went wrong: status() groups, detail() is the class, message() is one line.
class Error {
 public:
    Error() : error_{} {}
    coffer_status status() const { return error_.status; }
    coffer_detail detail() const { return error_.detail; }
    const char* message() const { return error_.message; }
    coffer_error* get() { return &error_; }

 private:
    coffer_error error_;
};

template <class T>
class [[nodiscard]] Result {
 public:
    Result(T value) : state_(std::move(value)) {}
    Result(Error error) : state_(std::move(error)) {}
    explicit operator bool() const { return state_.index() == 0; }
    T& operator*() & { return *std::get_if<0>(&state_); }
    T&& operator*() && { return std::move(*std::get_if<0>(&state_)); }
    const T& operator*() const& { return *std::get_if<0>(&state_); }
    T* operator->() { return std::get_if<0>(&state_); }
    const T* operator->() const { return std::get_if<0>(&state_); }
    const Error& error() const { return *std::get_if<1>(&state_); }

 private:
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
    Result() = default;
    Result(Error error) : error_(std::move(error)) {}
    explicit operator bool() const { return !error_; }
    const Error& error() const { return *error_; }

 private:
    std::optional<Error> error_;
};
using Status = Result<void>;

namespace detail {

template <auto Free>
struct Deleter {
    template <class T>
    void operator()(T* handle) const {
        Free(&handle);
    }
};
template <class T, auto Free>
using Handle = std::unique_ptr<T, Deleter<Free>>;

// Calls a C function whose last argument is a coffer_error*.
template <class F, class... Args>
Status call(F function, Args... args) {
    Error error;
    if (function(args..., error.get()) == COFFER_OK) return {};
    return error;
}

// NULL when memory ran out; the functions that take the handle then say so.
template <class T>
T* make(coffer_status (*create)(T**, coffer_error*) noexcept) {
    T* handle = nullptr;
    (void)create(&handle, nullptr);
    return handle;
}

template <class T>
consteval coffer_dtype dtype_of() {
    using U = std::remove_cv_t<T>;
    if constexpr (std::is_same_v<U, float>) return COFFER_FLOAT32;
    if constexpr (std::is_same_v<U, double>) return COFFER_FLOAT64;
    if constexpr (std::is_same_v<U, bool>) return COFFER_BOOL;
    if constexpr (std::is_same_v<U, coffer_string>) return COFFER_STRING;
    if constexpr (std::is_integral_v<U> && std::is_signed_v<U>) {
        return sizeof(U) == 1   ? COFFER_INT8
               : sizeof(U) == 2 ? COFFER_INT16
               : sizeof(U) == 4 ? COFFER_INT32
                                : COFFER_INT64;
    }
    if constexpr (std::is_integral_v<U> && std::is_unsigned_v<U>) {
        return sizeof(U) == 1   ? COFFER_UINT8
               : sizeof(U) == 2 ? COFFER_UINT16
               : sizeof(U) == 4 ? COFFER_UINT32
                                : COFFER_UINT64;
    }
}

}  // namespace detail

// A coffer_value with constructors. Borrows its memory.
class Value {
 public:
    // A dense tensor over a span, array, vector, ... with these dims.
    template <class C>
    requires requires(C& c) { std::span(c); }
    Value(C&& elements, std::span<const int64_t> dims) : value_{} {
        const std::span data(elements);
        using T = typename decltype(data)::element_type;
        value_.dtype = detail::dtype_of<T>();
        value_.data = const_cast<std::remove_cv_t<T>*>(data.data());
        value_.size = data.size_bytes();
        value_.rank = static_cast<int32_t>(dims.size());
        for (size_t i = 0; i < dims.size() && i < COFFER_MAX_RANK; ++i) value_.dims[i] = dims[i];
    }
    template <class C>
    requires requires(C& c) { std::span(c); }
    Value(C&& elements, std::initializer_list<int64_t> dims)
        : Value(elements, std::span<const int64_t>(dims.begin(), dims.size())) {}
    // Shorthand for inputs and outputs whose declared shape is fixed.
    template <class C>
    requires requires(C& c) { std::span(c); }
    Value(C&& elements) : Value(elements, std::span<const int64_t>()) { value_.rank = -1; }
    explicit Value(const coffer_value& value) : value_(value) {}

    const coffer_value& get() const { return value_; }
    coffer_kind kind() const { return value_.kind; }
    // Of a sequence or optional.
    std::span<const Value> items() const {
        static_assert(sizeof(Value) == sizeof(coffer_value) && std::is_standard_layout_v<Value>);
        return {reinterpret_cast<const Value*>(value_.items), value_.item_count};
    }
    std::span<const int64_t> dims() const {
        return {value_.dims, static_cast<size_t>(value_.rank < 0 ? 0 : value_.rank)};
    }
    coffer_dtype dtype() const { return value_.dtype; }
    // The elements as T; empty when the type is another one.
    template <class T>
    std::span<const T> as() const {
        if (value_.dtype != detail::dtype_of<T>()) return {};
        return {static_cast<const T*>(value_.data), value_.size / sizeof(T)};
    }

 private:
    coffer_value value_;
};

struct Binding {
    const char* name;
    Value value;
};

class Keyring {
 public:
    Keyring() : handle_(detail::make(coffer_keyring_new)) {}
    Status add_file(const char* path) { return detail::call(coffer_keyring_add_file, handle_.get(), path); }
    Status add_identity(std::string_view text) {
        return detail::call(coffer_keyring_add_identity, handle_.get(), text.data(), text.size());
    }
    Status add_raw(std::span<const std::byte> key) {
        return detail::call(coffer_keyring_add_raw, handle_.get(), static_cast<const void*>(key.data()), key.size());
    }
    Status add_password(std::string_view password) {
        return detail::call(coffer_keyring_add_password, handle_.get(), password.data(), password.size());
    }
    Status add_provider(coffer_key_provider provider, void* user) {
        return detail::call(coffer_keyring_add_provider, handle_.get(), provider, user);
    }
    Status add_grant(std::span<const std::byte> grant) {
        return detail::call(coffer_keyring_add_grant, handle_.get(), static_cast<const void*>(grant.data()),
                            grant.size());
    }
    Status add_grant_file(const char* path) {
        return detail::call(coffer_keyring_add_grant_file, handle_.get(), path);
    }
    Status add_licence(std::span<const std::byte> licence) {
        return detail::call(coffer_keyring_add_licence, handle_.get(), static_cast<const void*>(licence.data()),
                            licence.size());
    }
    Status add_licence_file(const char* path) {
        return detail::call(coffer_keyring_add_licence_file, handle_.get(), path);
    }
    Status add_pkcs11(const char* uri, coffer_pin_source pin = nullptr, void* user = nullptr) {
        return detail::call(coffer_keyring_add_pkcs11, handle_.get(), uri, pin, user);
    }
    Status add_kms(const char* uri_prefix, coffer_kms_unwrap unwrap, void* user) {
        return detail::call(coffer_keyring_add_kms, handle_.get(), uri_prefix, unwrap, user);
    }
    Status add_kms_helper(const char* uri_prefix, std::span<const char* const> argv, uint32_t timeout_ms = 0) {
        return detail::call(coffer_keyring_add_kms_helper, handle_.get(), uri_prefix, argv.data(), argv.size(),
                            timeout_ms);
    }
    const coffer_keyring* get() const { return handle_.get(); }

 private:
    detail::Handle<coffer_keyring, coffer_keyring_free> handle_;
};

// Setters return *this, so that a policy reads as one sentence; the first failure is kept in status().
class Policy {
 public:
    Policy() : handle_(detail::make(coffer_policy_new)) {}
    Policy& trust_pem(std::string_view pem) { return set(coffer_policy_add_signer_pem, pem.data(), pem.size()); }
    Policy& trust_file(const char* path) { return set(coffer_policy_add_signer_file, path); }
    Policy& trust_distributor_pem(std::string_view pem) {
        return set(coffer_policy_add_distributor_pem, pem.data(), pem.size());
    }
    Policy& trust_distributor_file(const char* path) { return set(coffer_policy_add_distributor_file, path); }
    Policy& threshold(uint32_t signers) { return set(coffer_policy_set_threshold, signers); }
    Policy& model(const char* name) { return set(coffer_policy_set_model, name); }
    Policy& min_version(uint64_t version) { return set(coffer_policy_set_min_version, version); }
    Policy& integrity(coffer_integrity integrity) { return set(coffer_policy_set_integrity, integrity); }
    Policy& max_memory(uint64_t bytes) { return set(coffer_policy_set_max_memory, bytes); }
    Policy& max_scrypt_log_n(uint32_t log_n) { return set(coffer_policy_set_max_scrypt_log_n, log_n); }
    Policy& allow_unprotected(bool allow = true) { return set(coffer_policy_allow_unprotected, int{allow}); }
    Policy& allow_unsigned(bool allow = true) { return set(coffer_policy_allow_unsigned, int{allow}); }
    Policy& debug_names(bool show = true) { return set(coffer_policy_set_debug_names, int{show}); }
    Policy& trust_licensor_pem(std::string_view pem) {
        return set(coffer_policy_add_licensor_pem, pem.data(), pem.size());
    }
    Policy& trust_licensor_file(const char* path) { return set(coffer_policy_add_licensor_file, path); }
    Policy& product(const char* name) { return set(coffer_policy_set_product, name); }
    Policy& host_value(const char* kind, const char* value) { return set(coffer_policy_add_host_value, kind, value); }
    Policy& host_callback(coffer_host_value callback, void* user) {
        return set(coffer_policy_set_host_callback, callback, user);
    }
    Policy& clock(coffer_clock now, void* user) { return set(coffer_policy_set_clock, now, user); }
    Policy& bundle(std::span<const std::byte> anchor) {
        return set(coffer_policy_set_bundle, static_cast<const void*>(anchor.data()), anchor.size());
    }
    Policy& trust_store(const coffer_trust_store& store) { return set(coffer_policy_set_trust_store, &store); }
    // Unlike the setters: an update that is refused leaves the policy good.
    Status update_bundle(std::span<const std::byte> update) {
        return detail::call(coffer_policy_update_bundle, handle_.get(), static_cast<const void*>(update.data()),
                            update.size());
    }
    // The bundle in force, for the next start; the policy's.
    Result<std::span<const std::byte>> bundle() const {
        const void* data = nullptr;
        size_t size = 0;
        Error error;
        if (coffer_policy_bundle(&data, &size, nullptr, handle_.get(), error.get()) != COFFER_OK) return error;
        return std::span(static_cast<const std::byte*>(data), size);
    }
    Result<uint64_t> bundle_number() const {
        const void* data = nullptr;
        size_t size = 0;
        uint64_t number = 0;
        Error error;
        if (coffer_policy_bundle(&data, &size, &number, handle_.get(), error.get()) != COFFER_OK) return error;
        return number;
    }
    const Status& status() const { return status_; }
    const coffer_policy* get() const { return handle_.get(); }

 private:
    template <class F, class... Args>
    Policy& set(F function, Args... args) {
        if (status_) status_ = detail::call(function, handle_.get(), args...);
        return *this;
    }
    detail::Handle<coffer_policy, coffer_policy_free> handle_;
    Status status_;
};

// Stores the first state: when the application is installed.
inline Status create_trust_store(const coffer_trust_store& store, const Policy& policy) {
    return detail::call(coffer_trust_store_create, &store, policy.get());
}

struct RunnerOptions {
    uint32_t threads = 0;  // 0: all CPUs
    bool profile = false;
    coffer_parallel_for parallel_for = nullptr;
    void* parallel_user = nullptr;
    const coffer_allocator* allocator = nullptr;
};

// One thread at a time; cancel() from any.
class Runner {
 public:
    static Result<Runner> create(const coffer_model* model, const RunnerOptions& options = {}) {
        const coffer_runner_options c{sizeof c,
                                      options.threads,
                                      options.profile ? COFFER_RUNNER_PROFILE : 0,
                                      options.parallel_for,
                                      options.parallel_user,
                                      options.allocator};
        coffer_runner* handle = nullptr;
        Error error;
        if (coffer_runner_new(&handle, model, &c, error.get()) != COFFER_OK) return error;
        return Runner(handle);
    }

    // Every input by name; outputs that are not named stay with the runner: see output().
    Status run(std::span<const Binding> inputs, std::span<const Binding> outputs = {}, uint64_t deadline_ns = 0) {
        const coffer_run_options options{sizeof options, deadline_ns};
        return detail::call(coffer_runner_run, handle_.get(), raw(inputs), inputs.size(), raw(outputs),
                            outputs.size(), &options);
    }
    Status run(std::initializer_list<Binding> inputs, std::initializer_list<Binding> outputs = {}) {
        return run(std::span(inputs.begin(), inputs.size()), std::span(outputs.begin(), outputs.size()));
    }
    Status prepare(std::span<const Binding> inputs) {
        return detail::call(coffer_runner_prepare, handle_.get(), raw(inputs), inputs.size(), nullptr);
    }
    Result<Value> output(size_t index) const {
        coffer_value value;
        Error error;
        if (coffer_runner_output(&value, handle_.get(), index, error.get()) != COFFER_OK) return error;
        return Value(value);
    }
    // Times per node since the runner was made; the strings are the model's. Empty without RunnerOptions::profile.
    Result<std::vector<coffer_profile_entry>> profile() {
        std::vector<coffer_profile_entry> entries;
        for (;;) {
            coffer_profile_entry entry = COFFER_PROFILE_ENTRY_INIT;
            Error error;
            const auto status = coffer_runner_profile(&entry, handle_.get(), entries.size(), error.get());
            if (status == COFFER_NOT_FOUND) return entries;
            if (status != COFFER_OK) return error;
            entries.push_back(entry);
        }
    }
    Status reset() { return detail::call(coffer_runner_reset, handle_.get()); }
    void cancel() { coffer_runner_cancel(handle_.get()); }
    coffer_runner* get() { return handle_.get(); }

 private:
    explicit Runner(coffer_runner* handle) : handle_(handle) {}
    // A Binding is a coffer_binding with constructors.
    static const coffer_binding* raw(std::span<const Binding> bindings) {
        static_assert(sizeof(Binding) == sizeof(coffer_binding) && std::is_standard_layout_v<Binding>);
        return reinterpret_cast<const coffer_binding*>(bindings.data());
    }
    detail::Handle<coffer_runner, coffer_runner_free> handle_;
};

class Model {
 public:
    static Result<Model> open(const char* path, const Keyring& keys, const Policy& policy,
                              const coffer_open_options* options = nullptr) {
        return open_with(coffer_model_open_path, policy, path, keys.get(), policy.get(), options);
    }
    static Result<Model> open(std::span<const std::byte> memory, const Keyring& keys, const Policy& policy,
                              const coffer_open_options* options = nullptr) {
        return open_with(coffer_model_open_memory, policy, static_cast<const void*>(memory.data()), memory.size(),
                         keys.get(), policy.get(), options);
    }
    static Result<Model> open(const coffer_reader& reader, const Keyring& keys, const Policy& policy,
                              const coffer_open_options* options = nullptr) {
        return open_with(coffer_model_open_reader, policy, &reader, keys.get(), policy.get(), options);
    }

    Result<Runner> runner(const RunnerOptions& options = {}) const { return Runner::create(handle_.get(), options); }
    const char* name() const { return coffer_model_name(handle_.get()); }
    uint64_t version() const { return coffer_model_version(handle_.get()); }
    size_t input_count() const { return coffer_model_input_count(handle_.get()); }
    size_t output_count() const { return coffer_model_output_count(handle_.get()); }
    Result<coffer_value_info> input(size_t index) const { return info(coffer_model_input, index); }
    Result<coffer_value_info> output(size_t index) const { return info(coffer_model_output, index); }
    const char* metadata(const char* key) const { return coffer_model_metadata(handle_.get(), key); }
    // The licence that opened it; an error when it demands none.
    Result<coffer_licence_info> licence() const {
        coffer_licence_info info = COFFER_LICENCE_INFO_INIT;
        Error error;
        if (coffer_model_licence(&info, handle_.get(), error.get()) != COFFER_OK) return error;
        return info;
    }
    // A file attached when the model was packed; the bytes belong to the model.
    Result<std::span<const std::byte>> blob(const char* name) const {
        const void* data = nullptr;
        size_t size = 0;
        Error error;
        if (coffer_model_blob(&data, &size, handle_.get(), name, error.get()) != COFFER_OK) return error;
        return std::span(static_cast<const std::byte*>(data), size);
    }
    const coffer_model* get() const { return handle_.get(); }

 private:
    explicit Model(coffer_model* handle) : handle_(handle) {}

    template <class F, class... Args>
    static Result<Model> open_with(F function, const Policy& policy, Args... args) {
        if (!policy.status()) return policy.status().error();
        coffer_model* handle = nullptr;
        Error error;
        if (function(&handle, args..., error.get()) != COFFER_OK) return error;
        return Model(handle);
    }
    template <class F>
    Result<coffer_value_info> info(F function, size_t index) const {
        coffer_value_info info = COFFER_VALUE_INFO_INIT;
        Error error;
        if (function(&info, handle_.get(), index, error.get()) != COFFER_OK) return error;
        return info;
    }
    detail::Handle<coffer_model, coffer_model_free> handle_;
};

}  // namespace v0_1
}  // namespace coffer
