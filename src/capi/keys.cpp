// Keyrings and policies.
#include "capi/handles.hpp"
#include "container/grant.hpp"
#include "trust/key_file.hpp"
#include "trust/token.hpp"

using namespace coffer;
using capi::given;
using capi::guard;

namespace {

// Sets one field of a policy.
template <class F>
coffer_status set(coffer_policy* policy, coffer_error* error, F&& change) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(policy, "policy"));
        return change(policy->policy);
    });
}

}  // namespace

extern "C" {

coffer_status coffer_keyring_new(coffer_keyring** keyring, coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(keyring, "keyring"));
        *keyring = nullptr;
        *keyring = new coffer_keyring;
        return {};
    });
}
void coffer_keyring_free(coffer_keyring** keyring) noexcept {
    if (!keyring) return;
    delete *keyring;
    *keyring = nullptr;
}

coffer_status coffer_keyring_add_file(coffer_keyring* keyring, const char* path, coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(keyring, "keyring"));
        COFFER_TRY(given(path, "path"));
        return trust::load_keys(keyring->keyring, path);
    });
}
coffer_status coffer_keyring_add_identity(coffer_keyring* keyring, const char* text, size_t size,
                                          coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(keyring, "keyring"));
        COFFER_TRY(given(text, "text"));
        return trust::add_keys(keyring->keyring, as_bytes({text, size}));
    });
}
coffer_status coffer_keyring_add_raw(coffer_keyring* keyring, const void* key, size_t size,
                                     coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(keyring, "keyring"));
        COFFER_TRY(given(key, "key"));
        return trust::add_raw_key(keyring->keyring, {static_cast<const std::byte*>(key), size});
    });
}
coffer_status coffer_keyring_add_password(coffer_keyring* keyring, const char* password, size_t size,
                                          coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(keyring, "keyring"));
        COFFER_TRY(given(password, "password"));
        COFFER_TRY_ASSIGN(crypto::SecretBytes secret, crypto::SecretBytes::copy_of(as_bytes({password, size})));
        keyring->keyring.set_password(std::move(secret));
        return {};
    });
}
coffer_status coffer_keyring_add_provider(coffer_keyring* keyring, coffer_key_provider provider, void* user,
                                          coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(keyring, "keyring"));
        COFFER_TRY(given(reinterpret_cast<const void*>(provider), "provider"));
        keyring->keyring.add_provider([provider, user](const trust::SlotView& view) -> Result<crypto::SecretBytes> {
            const coffer_slot slot{sizeof slot,
                                   view.kind,
                                   view.flags,
                                   static_cast<uint16_t>(view.suite),
                                   0,
                                   reinterpret_cast<const uint8_t*>(view.slot_id.data()),
                                   reinterpret_cast<const uint8_t*>(view.content_id.data()),
                                   view.context.data(),
                                   view.context.size(),
                                   view.body.data(),
                                   view.body.size()};
            COFFER_TRY_ASSIGN(crypto::SecretBytes key, crypto::SecretBytes::create(32));
            coffer_error said{};
            const coffer_status status =
                provider(user, &slot, reinterpret_cast<uint8_t*>(key.mutable_bytes().data()), &said);
            if (status == COFFER_OK) return key;
            if (status == COFFER_NOT_FOUND) {
                return coffer::error(Code::kAuth, Detail::kNoRecipient, "the key provider does not have this key");
            }
            return capi::callback_error(status, said, coffer::error(Code::kAuth, Detail::kUnwrap, "key provider"));
        });
        return {};
    });
}

coffer_status coffer_keyring_add_grant(coffer_keyring* keyring, const void* grant, size_t size,
                                       coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(keyring, "keyring"));
        COFFER_TRY(given(grant, "grant"));
        return container::add_grant(keyring->keyring, {static_cast<const std::byte*>(grant), size});
    });
}
coffer_status coffer_keyring_add_grant_file(coffer_keyring* keyring, const char* path, coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(keyring, "keyring"));
        COFFER_TRY(given(path, "path"));
        return container::load_grant(keyring->keyring, path);
    });
}

coffer_status coffer_keyring_add_pkcs11(coffer_keyring* keyring, const char* uri, coffer_pin_source pin, void* user,
                                        coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(keyring, "keyring"));
        COFFER_TRY(given(uri, "uri"));
        trust::AskPin ask;
        if (pin) {
            ask = [pin, user](std::string_view token) -> Result<crypto::SecretBytes> {
                constexpr size_t capacity = 256;
                COFFER_TRY_ASSIGN(crypto::SecretBytes text, crypto::SecretBytes::create(capacity));
                const std::string label(token);
                size_t size = 0;
                coffer_error said{};
                auto* buffer = reinterpret_cast<char*>(text.mutable_bytes().data());
                const coffer_status status = pin(user, label.c_str(), buffer, capacity, &size, &said);
                const Error refused = coffer::error(Code::kAuth, Detail::kUnwrap, "the caller gave none");
                if (status != COFFER_OK) return capi::callback_error(status, said, refused);
                if (size > capacity) {
                    return coffer::error(Code::kAuth, Detail::kUnwrap, "it has ", size, " bytes, at most ", capacity,
                                         " are possible");
                }
                text.truncate(size);
                return text;
            };
        }
        return trust::add_token_key(keyring->keyring, uri, std::move(ask));
    });
}
coffer_status coffer_keyring_add_kms(coffer_keyring* keyring, const char* uri_prefix, coffer_kms_unwrap unwrap,
                                     void* user, coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(keyring, "keyring"));
        COFFER_TRY(given(uri_prefix, "uri_prefix"));
        COFFER_TRY(given(reinterpret_cast<const void*>(unwrap), "unwrap"));
        const auto ask = [unwrap, user](const trust::KmsContext& where, Bytes blob) -> Result<crypto::SecretBytes> {
            const std::string uri(where.uri);
            const coffer_kms_request request{sizeof request,       uri.c_str(), where.context.data(),
                                             where.context.size(), blob.data(), blob.size()};
            COFFER_TRY_ASSIGN(crypto::SecretBytes key, crypto::SecretBytes::create(32));
            coffer_error said{};
            const coffer_status status =
                unwrap(user, &request, reinterpret_cast<uint8_t*>(key.mutable_bytes().data()), &said);
            if (status == COFFER_OK) return key;
            return capi::callback_error(status, said, coffer::error(Code::kAuth, Detail::kUnwrap, "KMS '", uri, "'"));
        };
        return keyring->keyring.add_kms(uri_prefix, trust::KmsUnwrap(ask));
    });
}
coffer_status coffer_keyring_add_kms_helper(coffer_keyring* keyring, const char* uri_prefix, const char* const* argv,
                                            size_t argc, uint32_t timeout_ms, coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(keyring, "keyring"));
        COFFER_TRY(given(uri_prefix, "uri_prefix"));
        COFFER_TRY(given(argv, "argv"));
        trust::KmsHelper helper;
        for (size_t i = 0; i < argc; ++i) {
            COFFER_TRY(given(argv[i], "argv[i]"));
            helper.argv.push_back(argv[i]);
        }
        if (timeout_ms != 0) helper.timeout_ms = timeout_ms;
        return keyring->keyring.add_kms(uri_prefix, helper);
    });
}

coffer_status coffer_policy_new(coffer_policy** policy, coffer_error* error) noexcept {
    return guard(error, [&]() -> Status {
        COFFER_TRY(given(policy, "policy"));
        *policy = nullptr;
        *policy = new coffer_policy;
        return {};
    });
}
void coffer_policy_free(coffer_policy** policy) noexcept {
    if (!policy) return;
    delete *policy;
    *policy = nullptr;
}

coffer_status coffer_policy_add_signer_pem(coffer_policy* policy, const char* pem, size_t size,
                                           coffer_error* error) noexcept {
    return set(policy, error, [&](trust::Policy& p) -> Status {
        COFFER_TRY(given(pem, "pem"));
        return p.add_signer_pem({pem, size});
    });
}
coffer_status coffer_policy_add_signer_file(coffer_policy* policy, const char* path, coffer_error* error) noexcept {
    return set(policy, error, [&](trust::Policy& p) -> Status {
        COFFER_TRY(given(path, "path"));
        COFFER_TRY_ASSIGN(const trust::Signer signer, trust::load_signer(path));
        return p.add_signer(signer);
    });
}
coffer_status coffer_policy_add_distributor_pem(coffer_policy* policy, const char* pem, size_t size,
                                                coffer_error* error) noexcept {
    return set(policy, error, [&](trust::Policy& p) -> Status {
        COFFER_TRY(given(pem, "pem"));
        return p.add_distributor_pem({pem, size});
    });
}
coffer_status coffer_policy_add_distributor_file(coffer_policy* policy, const char* path,
                                                 coffer_error* error) noexcept {
    return set(policy, error, [&](trust::Policy& p) -> Status {
        COFFER_TRY(given(path, "path"));
        COFFER_TRY_ASSIGN(const trust::Signer distributor, trust::load_signer(path));
        return p.add_distributor(distributor);
    });
}
coffer_status coffer_policy_set_threshold(coffer_policy* policy, uint32_t signers, coffer_error* error) noexcept {
    return set(policy, error, [&](trust::Policy& p) -> Status {
        if (signers < 1 || signers > p.caps.signatures) {
            return coffer::error(Code::kInvalidArgument, "threshold ", signers, " is not between 1 and ",
                                 p.caps.signatures);
        }
        p.threshold = signers;
        return {};
    });
}
coffer_status coffer_policy_set_model(coffer_policy* policy, const char* name, coffer_error* error) noexcept {
    return set(policy, error, [&](trust::Policy& p) -> Status {
        COFFER_TRY(given(name, "name"));
        return p.expect_model(name);
    });
}
coffer_status coffer_policy_set_min_version(coffer_policy* policy, uint64_t version, coffer_error* error) noexcept {
    return set(policy, error, [&](trust::Policy& p) -> Status {
        p.min_version = version;
        return {};
    });
}
coffer_status coffer_policy_set_integrity(coffer_policy* policy, coffer_integrity integrity,
                                          coffer_error* error) noexcept {
    return set(policy, error, [&](trust::Policy& p) -> Status {
        if (integrity != COFFER_INTEGRITY_FULL && integrity != COFFER_INTEGRITY_AEAD_ONLY) {
            return coffer::error(Code::kInvalidArgument, "integrity ", static_cast<int>(integrity), " is not known");
        }
        p.integrity = integrity == COFFER_INTEGRITY_FULL ? trust::Integrity::kFull : trust::Integrity::kAeadOnly;
        return {};
    });
}
coffer_status coffer_policy_set_max_memory(coffer_policy* policy, uint64_t bytes, coffer_error* error) noexcept {
    return set(policy, error, [&](trust::Policy& p) -> Status {
        p.caps.max_memory = bytes;
        return {};
    });
}
coffer_status coffer_policy_set_max_scrypt_log_n(coffer_policy* policy, uint32_t log_n,
                                                 coffer_error* error) noexcept {
    return set(policy, error, [&](trust::Policy& p) -> Status {
        if (log_n < 14 || log_n > 20)
            return coffer::error(Code::kInvalidArgument, "scrypt logN ", log_n, " is not between 14 and 20");
        p.caps.scrypt_log_n = log_n;
        return {};
    });
}
coffer_status coffer_policy_allow_unprotected(coffer_policy* policy, int allow, coffer_error* error) noexcept {
    return set(policy, error, [&](trust::Policy& p) -> Status {
        p.allow_unprotected = allow != 0;
        return {};
    });
}
coffer_status coffer_policy_allow_unsigned(coffer_policy* policy, int allow, coffer_error* error) noexcept {
    return set(policy, error, [&](trust::Policy& p) -> Status {
        p.allow_unsigned = allow != 0;
        return {};
    });
}
coffer_status coffer_policy_set_debug_names(coffer_policy* policy, int show, coffer_error* error) noexcept {
    return set(policy, error, [&](trust::Policy& p) -> Status {
        p.debug_names = show != 0;
        return {};
    });
}

}  // extern "C"
