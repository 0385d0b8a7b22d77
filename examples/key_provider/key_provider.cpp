// Keys that live elsewhere: a key provider unwraps the file key on behalf of the library, which then never sees
// the long-term key. KeyService stands for that elsewhere, such as a key management service, a TPM or a smart
// card. It holds a 32-byte key, takes what the slot says and gives back the file key: docs/format.md 5.7.1.
//   model-pack pack ... --encrypt-to raw:device.raw
//   key_provider net.coffer device.raw vendor.pem
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "coffer/coffer.hpp"

namespace {

template <auto Free>
struct Freed {
    template <class T>
    void operator()(T* p) const {
        Free(p);
    }
};

class KeyService {
 public:
    static std::unique_ptr<KeyService> from_file(const char* path) {
        auto service = std::make_unique<KeyService>();
        std::FILE* file = std::fopen(path, "rb");
        if (!file) return nullptr;
        const size_t got = std::fread(service->key_.data(), 1, service->key_.size(), file);
        const bool whole = got == service->key_.size() && std::fgetc(file) == EOF;
        std::fclose(file);
        return whole ? std::move(service) : nullptr;
    }
    KeyService() = default;
    KeyService(const KeyService&) = delete;
    KeyService& operator=(const KeyService&) = delete;
    ~KeyService() { OPENSSL_cleanse(key_.data(), key_.size()); }

    // Is this slot wrapped with our key? Then its file key.
    coffer_status unwrap(const coffer_slot& slot, uint8_t file_key[32], coffer_error& error) const {
        if (slot.kind != kRawKey || slot.body_size != kBody) return COFFER_NOT_FOUND;
        const auto* body = static_cast<const uint8_t*>(slot.body);
        if (!std::equal(body, body + 16, key_id().begin())) return COFFER_NOT_FOUND;
        const uint8_t *salt = body + 16, *commit = salt + 32, *sealed = commit + 32;
        const std::vector<uint8_t> info = slot_info(slot);
        std::array<uint8_t, 64> derived{};  // wrapping key, commitment
        const bool ok = hkdf(salt, info, derived) && CRYPTO_memcmp(derived.data() + 32, commit, 32) == 0 &&
                        open(derived.data(), info, sealed, file_key);
        OPENSSL_cleanse(derived.data(), derived.size());
        if (ok) return COFFER_OK;
        std::snprintf(error.message, sizeof error.message, "the slot is damaged or of another file");
        return COFFER_AUTH;
    }

 private:
    static constexpr uint16_t kRawKey = 1;
    static constexpr size_t kBody = 16 + 32 + 32 + 48;

    std::array<uint8_t, 32> key_id() const {
        constexpr char label[] = "coffer/v1/kek-id";
        std::array<uint8_t, 32> mac{};
        HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), reinterpret_cast<const uint8_t*>(label),
             sizeof label - 1, mac.data(), nullptr);
        return mac;
    }

    // Binds the wrapping to this slot of this file.
    static std::vector<uint8_t> slot_info(const coffer_slot& slot) {
        constexpr char label[] = "coffer/v1/slot";  // with its terminating zero
        std::vector<uint8_t> info;
        info.reserve(sizeof label + 2 + 16 + 32);
        info.assign(label, label + sizeof label);
        info.push_back(static_cast<uint8_t>(slot.kind));
        info.push_back(static_cast<uint8_t>(slot.kind >> 8));
        info.insert(info.end(), slot.slot_id, slot.slot_id + 16);
        info.insert(info.end(), slot.content_id, slot.content_id + 32);
        return info;
    }

    bool hkdf(const uint8_t* salt, const std::vector<uint8_t>& info, std::array<uint8_t, 64>& out) const {
        const std::unique_ptr<EVP_KDF, Freed<EVP_KDF_free>> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
        const std::unique_ptr<EVP_KDF_CTX, Freed<EVP_KDF_CTX_free>> context(EVP_KDF_CTX_new(kdf.get()));
        const auto octets = [](const char* name, const void* data, size_t size) {
            return OSSL_PARAM_construct_octet_string(name, const_cast<void*>(data), size);
        };
        char digest[] = "SHA256";
        const OSSL_PARAM params[] = {
            OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
            octets(OSSL_KDF_PARAM_KEY, key_.data(), key_.size()), octets(OSSL_KDF_PARAM_SALT, salt, 32),
            octets(OSSL_KDF_PARAM_INFO, info.data(), info.size()), OSSL_PARAM_construct_end()};
        return context && EVP_KDF_derive(context.get(), out.data(), out.size(), params) == 1;
    }

    // AES-256-GCM with a zero nonce (the wrapping key is used once); the tag is the last 16 of the 48 bytes.
    static bool open(const uint8_t* key, const std::vector<uint8_t>& info, const uint8_t* sealed, uint8_t* out) {
        const std::unique_ptr<EVP_CIPHER_CTX, Freed<EVP_CIPHER_CTX_free>> context(EVP_CIPHER_CTX_new());
        const uint8_t nonce[12] = {};
        uint8_t tag[16];
        std::memcpy(tag, sealed + 32, sizeof tag);
        int n = 0;
        return context && EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key, nonce) == 1 &&
               EVP_DecryptUpdate(context.get(), nullptr, &n, info.data(), static_cast<int>(info.size())) == 1 &&
               EVP_DecryptUpdate(context.get(), out, &n, sealed, 32) == 1 &&
               EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, sizeof tag, tag) == 1 &&
               EVP_DecryptFinal_ex(context.get(), out + n, &n) == 1;
    }

    std::array<uint8_t, 32> key_{};
};

// What the library calls. It may be asked about slots that are not ours, and must not throw.
coffer_status ask_service(void* user, const coffer_slot* slot, uint8_t key[32], coffer_error* error) {
    return static_cast<const KeyService*>(user)->unwrap(*slot, key, *error);
}

int report(const coffer::Error& error) {
    std::fprintf(stderr, "error: %s\n", error.message());
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) return std::fprintf(stderr, "usage: key_provider MODEL.coffer RAW_KEY SIGNER.pem\n"), 2;
    const std::unique_ptr<KeyService> service = KeyService::from_file(argv[2]);
    if (!service) return std::fprintf(stderr, "error: %s is not a file of 32 bytes\n", argv[2]), 1;

    coffer::Keyring keys;
    if (auto added = keys.add_provider(ask_service, service.get()); !added) return report(added.error());
    coffer::Policy policy;
    policy.trust_file(argv[3]);
    auto model = coffer::Model::open(argv[1], keys, policy);
    if (!model) return report(model.error());
    std::printf("opened %s, version %llu: %zu inputs, %zu outputs\n", model->name(),
                static_cast<unsigned long long>(model->version()), model->input_count(), model->output_count());
}
