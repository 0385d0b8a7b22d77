// Licences, trust bundles and the trust store.
#include <algorithm>
#include <cstring>

#include "capi/handles.hpp"
#include "trust/bundle.hpp"
#include "trust/key_file.hpp"
#include "trust/state.hpp"

using namespace coffer;
using capi::given;
using capi::guard;

static_assert(COFFER_TRUST_STORE_MAX == trust::kMaxStateBytes);

namespace {

// Sets one field of a policy.
template <class F>
coffer_status set(coffer_policy* policy, coffer_error* error, F&& change) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(policy, "policy"));
        return change(policy->policy);
    });
}

// The caller's functions as a store.
Result<std::shared_ptr<const trust::StateStore>> store_of(const coffer_trust_store* given_store) {
    COFFER_TRY(given(given_store, "store"));
    COFFER_TRY_ASSIGN(const coffer_trust_store copy,
                      capi::read_struct(given_store, coffer_trust_store COFFER_TRUST_STORE_INIT));
    COFFER_TRY(given(reinterpret_cast<const void*>(copy.load), "store->load"));
    COFFER_TRY(given(reinterpret_cast<const void*>(copy.replace), "store->replace"));
    trust::StateStore store;
    store.load = [copy]() -> Result<std::optional<std::vector<std::byte>>> {
        std::vector<std::byte> bytes(trust::kMaxStateBytes);
        size_t size = 0;
        coffer_error said{};
        const coffer_status status = copy.load(copy.user, bytes.data(), bytes.size(), &size, &said);
        if (status == COFFER_NOT_FOUND) return std::optional<std::vector<std::byte>>();
        if (status != COFFER_OK) {
            return capi::callback_error(status, said, coffer::error(Code::kIo, Detail::kIo, "trust store: load"));
        }
        if (size > bytes.size()) {
            return coffer::error(Code::kIo, Detail::kIo, "trust store: load gave ", size, " bytes, at most ",
                                 bytes.size(), " are possible");
        }
        bytes.resize(size);
        return std::optional(std::move(bytes));
    };
    store.store = [copy](Bytes expected, Bytes data) -> Result<bool> {
        const void* old = expected.empty() ? nullptr : expected.data();
        coffer_error said{};
        const coffer_status status = copy.replace(copy.user, old, expected.size(), data.data(), data.size(), &said);
        if (status == COFFER_OK || status == COFFER_CONFLICT) return status == COFFER_OK;
        return capi::callback_error(status, said, coffer::error(Code::kIo, Detail::kIo, "trust store: replace"));
    };
    return std::make_shared<const trust::StateStore>(std::move(store));
}

}  // namespace

extern "C" {

coffer_status coffer_keyring_add_licence(coffer_keyring* keyring, const void* licence, size_t size,
                                         coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(keyring, "keyring"));
        COFFER_TRY(given(licence, "licence"));
        const Bytes bytes(static_cast<const std::byte*>(licence), size);
        return keyring->keyring.add_licence({bytes.begin(), bytes.end()});
    });
}
coffer_status coffer_keyring_add_licence_file(coffer_keyring* keyring, const char* path,
                                              coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(keyring, "keyring"));
        COFFER_TRY(given(path, "path"));
        return trust::load_licence(keyring->keyring, path);
    });
}

coffer_status coffer_policy_set_clock(coffer_policy* policy, coffer_clock clock, void* user,
                                      coffer_error* error) noexcept {
    return set(policy, error, [&](trust::Policy& p) -> Status {
        p.now = nullptr;
        if (!clock) return {};
        p.now = [clock, user]() -> Result<int64_t> {
            int64_t now = 0;
            coffer_error said{};
            const coffer_status status = clock(user, &now, &said);
            if (status == COFFER_OK) return now;
            return capi::callback_error(status, said, coffer::error(Code::kIo, Detail::kIo, "the caller's clock"));
        };
        return {};
    });
}

coffer_status coffer_policy_add_licensor_pem(coffer_policy* policy, const char* pem, size_t size,
                                             coffer_error* error) noexcept {
    return set(policy, error, [&](trust::Policy& p) -> Status {
        COFFER_TRY(given(pem, "pem"));
        return p.add_licensor_pem({pem, size});
    });
}
coffer_status coffer_policy_add_licensor_file(coffer_policy* policy, const char* path, coffer_error* error) noexcept {
    return set(policy, error, [&](trust::Policy& p) -> Status {
        COFFER_TRY(given(path, "path"));
        COFFER_TRY_ASSIGN(const trust::Signer licensor, trust::load_signer(path));
        return p.add_licensor(licensor);
    });
}
coffer_status coffer_policy_set_product(coffer_policy* policy, const char* product, coffer_error* error) noexcept {
    return set(policy, error, [&](trust::Policy& p) -> Status {
        COFFER_TRY(given(product, "product"));
        p.product = product;
        return {};
    });
}
coffer_status coffer_policy_add_host_value(coffer_policy* policy, const char* kind, const char* value,
                                           coffer_error* error) noexcept {
    return set(policy, error, [&](trust::Policy& p) -> Status {
        COFFER_TRY(given(kind, "kind"));
        COFFER_TRY(given(value, "value"));
        p.host_values.emplace_back(kind, value);
        return {};
    });
}
coffer_status coffer_policy_set_host_callback(coffer_policy* policy, coffer_host_value callback, void* user,
                                              coffer_error* error) noexcept {
    return set(policy, error, [&](trust::Policy& p) -> Status {
        p.host_value = nullptr;
        if (!callback) return {};
        p.host_value = [callback, user](const std::string& kind) -> Result<std::optional<std::string>> {
            char value[1024] = {};
            coffer_error said{};
            const coffer_status status = callback(user, kind.c_str(), value, sizeof value, &said);
            if (status == COFFER_NOT_FOUND) return std::optional<std::string>();
            if (status != COFFER_OK) {
                return capi::callback_error(
                    status, said, coffer::error(Code::kPolicy, Detail::kLicence, "licence: this host's ", kind));
            }
            return std::optional<std::string>(std::in_place, value, std::find(value, value + sizeof value, '\0'));
        };
        return {};
    });
}

coffer_status coffer_policy_set_bundle(coffer_policy* policy, const void* bundle, size_t size,
                                       coffer_error* error) noexcept {
    return set(policy, error, [&](trust::Policy& p) -> Status {
        COFFER_TRY(given(bundle, "bundle"));
        COFFER_TRY_ASSIGN(auto loaded,
                          trust::load_bundle({static_cast<const std::byte*>(bundle), size}, p.caps.bundle_bytes));
        return p.follow(std::move(loaded));
    });
}
coffer_status coffer_policy_update_bundle(coffer_policy* policy, const void* update, size_t size,
                                          coffer_error* error) noexcept {
    return set(policy, error, [&](trust::Policy& p) -> Status {
        COFFER_TRY(given(update, "update"));
        if (!p.bundle) return coffer::error(Code::kInvalidArgument, "the policy has no trust bundle to update");
        COFFER_TRY_ASSIGN(auto next, trust::update_bundle(p.bundle, {static_cast<const std::byte*>(update), size},
                                                          p.caps.bundle_bytes));
        return p.follow(std::move(next));
    });
}
coffer_status coffer_policy_bundle(const void** bundle, size_t* size, uint64_t* number, const coffer_policy* policy,
                                   coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(bundle, "bundle"));
        COFFER_TRY(given(size, "size"));
        COFFER_TRY(given(policy, "policy"));
        const auto& current = policy->policy.bundle;
        if (!current) return coffer::error(Code::kNotFound, "the policy has no trust bundle");
        *bundle = current->bytes.data();
        *size = current->bytes.size();
        if (number) *number = current->number;
        return {};
    });
}

coffer_status coffer_policy_set_trust_store(coffer_policy* policy, const coffer_trust_store* store,
                                            coffer_error* error) noexcept {
    return set(policy, error, [&](trust::Policy& p) -> Status {
        if (!store) {
            p.state = nullptr;
            return {};
        }
        COFFER_TRY_ASSIGN(p.state, store_of(store));
        return {};
    });
}
coffer_status coffer_trust_store_create(const coffer_trust_store* store, const coffer_policy* policy,
                                        coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY_ASSIGN(const auto made, store_of(store));
        return trust::create_state(*made, policy ? policy->policy.bundle.get() : nullptr);
    });
}

coffer_status coffer_model_licence(coffer_licence_info* info, const coffer_model* model,
                                   coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(info, "info"));
        COFFER_TRY(given(model, "model"));
        if (!model->licence) return coffer::error(Code::kNotFound, "the model demands no licence");
        const trust::LicenceClaims& claims = model->licence->claims;
        coffer_licence_info told = COFFER_LICENCE_INFO_INIT;
        std::memcpy(told.id, model->licence->id.data(), sizeof told.id);
        told.product = claims.product.c_str();
        told.holder = claims.holder.c_str();
        told.not_before = claims.not_before;
        told.not_after = claims.not_after;
        told.grace = claims.grace;
        told.in_grace = model->licence_in_grace;
        told.features = model->features.data();
        told.feature_count = model->features.size();
        return capi::write_struct(info, told);
    });
}

}  // extern "C"
