// A key management service in one program, as `--kms` and coffer_keyring_add_kms_helper start it. The service's key
// is a file of 32 bytes here; in earnest this is where a network service or an HSM is asked. docs/keys.md describes
// what a helper reads and writes.
//   model-pack pack ... --encrypt-to kms:local-kms://demo/model --kms 'local-kms://demo/=/PATH/kms_helper kms.key'
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace {

using Bytes = std::vector<uint8_t>;

constexpr size_t kKeySize = 32, kNonceSize = 12, kTagSize = 16;
constexpr char kMagic[] = "coffer-kms/1\n";

// A message on standard error ends up in the error of the one who asked.
int fail(const char* why) {
    std::fprintf(stderr, "%s\n", why);
    return 1;
}

bool read_exactly(std::FILE* file, void* dst, size_t size) {
    return std::fread(dst, 1, size, file) == size;
}

bool read_key(const char* path, std::array<uint8_t, kKeySize>& key) {
    std::FILE* file = std::fopen(path, "rb");
    if (!file) return false;
    const bool whole = read_exactly(file, key.data(), key.size()) && std::fgetc(file) == EOF;
    std::fclose(file);
    return whole;
}

// LE4 length, then the bytes.
bool read_field(Bytes& field, size_t most) {
    uint8_t size[4];
    if (!read_exactly(stdin, size, sizeof size)) return false;
    const size_t n = size[0] | size[1] << 8 | size[2] << 16 | static_cast<size_t>(size[3]) << 24;
    if (n > most) return false;
    field.resize(n);
    return read_exactly(stdin, field.data(), n);
}

struct Request {
    Bytes uri, context, data;
};

bool read_request(Request& request) {
    char magic[sizeof kMagic - 1];
    return read_exactly(stdin, magic, sizeof magic) && std::memcmp(magic, kMagic, sizeof magic) == 0 &&
           read_field(request.uri, 512) && read_field(request.context, 4096) && read_field(request.data, 4096) &&
           std::fgetc(stdin) == EOF;
}

// The wrapping holds for this key of the service and this slot of this file alone.
Bytes associated_data(const Request& request) {
    Bytes aad = request.uri;
    aad.push_back(0);
    aad.insert(aad.end(), request.context.begin(), request.context.end());
    return aad;
}

struct FreeCipher {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

// nonce, ciphertext, tag.
bool wrap(const uint8_t* key, const Request& request, Bytes& blob) {
    const Bytes aad = associated_data(request), &text = request.data;
    blob.resize(kNonceSize + text.size() + kTagSize);
    uint8_t* sealed = blob.data() + kNonceSize;
    const Cipher c(EVP_CIPHER_CTX_new());
    int n = 0;
    return c && text.size() == kKeySize && RAND_bytes(blob.data(), kNonceSize) == 1 &&
           EVP_EncryptInit_ex(c.get(), EVP_aes_256_gcm(), nullptr, key, blob.data()) == 1 &&
           EVP_EncryptUpdate(c.get(), nullptr, &n, aad.data(), static_cast<int>(aad.size())) == 1 &&
           EVP_EncryptUpdate(c.get(), sealed, &n, text.data(), static_cast<int>(text.size())) == 1 &&
           EVP_EncryptFinal_ex(c.get(), sealed + n, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_GCM_GET_TAG, kTagSize, sealed + text.size()) == 1;
}

bool unwrap(const uint8_t* key, const Request& request, Bytes& text) {
    const Bytes& blob = request.data;
    if (blob.size() != kNonceSize + kKeySize + kTagSize) return false;
    const Bytes aad = associated_data(request);
    text.resize(kKeySize);
    const uint8_t* sealed = blob.data() + kNonceSize;
    uint8_t tag[kTagSize];
    std::memcpy(tag, sealed + kKeySize, sizeof tag);
    const Cipher c(EVP_CIPHER_CTX_new());
    int n = 0;
    return c && EVP_DecryptInit_ex(c.get(), EVP_aes_256_gcm(), nullptr, key, blob.data()) == 1 &&
           EVP_DecryptUpdate(c.get(), nullptr, &n, aad.data(), static_cast<int>(aad.size())) == 1 &&
           EVP_DecryptUpdate(c.get(), text.data(), &n, sealed, kKeySize) == 1 &&
           EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_GCM_SET_TAG, sizeof tag, tag) == 1 &&
           EVP_DecryptFinal_ex(c.get(), text.data() + n, &n) == 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return fail("usage: kms_helper KEY_FILE wrap|unwrap");
    std::array<uint8_t, kKeySize> key;
    if (!read_key(argv[1], key)) return fail("the service's key is not a file of 32 bytes");
    Request request;
    Bytes answer;
    if (!read_request(request)) return fail("malformed request");
    const bool wrapping = std::strcmp(argv[2], "wrap") == 0;
    const bool done = wrapping ? wrap(key.data(), request, answer) : unwrap(key.data(), request, answer);
    OPENSSL_cleanse(key.data(), key.size());
    if (!done)
        return fail(wrapping ? "cannot wrap this" : "access denied: wrapped with another key, or for another file");
    const bool written =
        std::fwrite(answer.data(), 1, answer.size(), stdout) == answer.size() && std::fflush(stdout) == 0;
    OPENSSL_cleanse(answer.data(), answer.size());
    OPENSSL_cleanse(request.data.data(), request.data.size());
    return written ? 0 : fail("cannot answer");
}
