// What a mirror can make a reader do. SLOTS are read before any key is known, so whoever hands out a file can add
// to them; counted here are the calls of libcrypto that cost something, and the calls of key providers (format.md
// 5.7.5). The linker sends the calls through the __wrap_ functions below.
#include <openssl/evp.h>

#include "fixture.hpp"

namespace {

std::atomic<int> scrypt_calls = 0, derive_calls = 0;  // some tests load in several threads

}  // namespace

// The names are the linker's.
// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {
int __real_EVP_PBE_scrypt(const char*, size_t, const unsigned char*, size_t, uint64_t, uint64_t, uint64_t, uint64_t,
                          unsigned char*, size_t);
int __wrap_EVP_PBE_scrypt(const char* pass, size_t passlen, const unsigned char* salt, size_t saltlen, uint64_t n,
                          uint64_t r, uint64_t p, uint64_t maxmem, unsigned char* key, size_t keylen) {
    ++scrypt_calls;
    return __real_EVP_PBE_scrypt(pass, passlen, salt, saltlen, n, r, p, maxmem, key, keylen);
}
int __real_EVP_PKEY_derive(EVP_PKEY_CTX*, unsigned char*, size_t*);
int __wrap_EVP_PKEY_derive(EVP_PKEY_CTX* context, unsigned char* key, size_t* keylen) {
    ++derive_calls;
    return __real_EVP_PKEY_derive(context, key, keylen);
}
}
// NOLINTEND(bugprone-reserved-identifier)

namespace coffer::container::test {
namespace {

struct Added {
    uint16_t kind;
    FileBytes body;
};

// The file with slots before or behind its own, as somebody without the key can make it: count and total fit, the
// MAC does not.
FileBytes with_slots(const FileBytes& file, const std::vector<Added>& added, bool in_front) {
    const Header h = inspect(Source::memory(file))->header;
    const Bytes region = Bytes(file).subspan(h.body_len);
    Writer slots;
    for (size_t i = 0; i < added.size(); ++i) {
        slots.u16(added[i].kind);
        slots.u16(0);
        slots.u32(static_cast<uint32_t>(added[i].body.size()));
        slots.put("mirror..");
        slots.u64(i);
        slots.put(added[i].body);
    }
    const Bytes own = region.subspan(kSlotsHead, region.size() - kSlotsHead - kMacSize);
    const auto count = static_cast<uint16_t>(load_le(region.subspan(6, 2)) + added.size());
    Writer w;
    w.put(Bytes(file).first(h.body_len));
    w.put(region.first(6));
    w.u16(count);
    w.put(region.subspan(8, 8));
    w.u32(static_cast<uint32_t>(region.size() + slots.size()));
    w.put(region.subspan(20, kSlotsHead - 20));
    w.put(in_front ? Bytes(slots.bytes()) : own);
    w.put(in_front ? own : Bytes(slots.bytes()));
    w.put(region.last(kMacSize));
    return w.take();
}

Added password_slot(uint8_t log_n) {
    FileBytes body(97);
    body[16] = std::byte{log_n};
    return {3, body};
}

struct Cost {
    Detail detail;
    int scrypt, derive;
    bool operator==(const Cost&) const = default;
};

Cost cost(const FileBytes& file, const trust::Policy& policy, const trust::Keyring& ring) {
    scrypt_calls = derive_calls = 0;
    const Detail detail = open_class(file, policy, ring);
    return {detail, scrypt_calls, derive_calls};
}

}  // namespace

TEST_CASE("a mirror's password slot is never computed for who has another key") {
    const FileBytes file = pack(small_model(), signed_options({keys().raw(), keys().x25519()}));
    REQUIRE(cost(file, keys().policy(), keys().x25519_ring()) == Cost{Detail::kNone, 0, 1});
    for (const uint8_t log_n : {14, 17, 20, 63}) {
        for (const bool in_front : {false, true}) {
            CAPTURE(log_n, in_front);
            const FileBytes changed = with_slots(file, {password_slot(log_n)}, in_front);
            CHECK(cost(changed, keys().policy(), keys().raw_ring()) == Cost{Detail::kHeaderAuth, 0, 0});
            CHECK(cost(changed, keys().policy(), keys().x25519_ring()) == Cost{Detail::kHeaderAuth, 0, 1});
            // Also with a password at hand: the other key comes first, and what it opens ends the search.
            trust::Keyring both = keys().raw_ring();
            int asked = 0;
            both.set_password_source([&] {
                ++asked;
                return crypto::SecretBytes::copy_of(as_bytes("correct horse"));
            });
            CHECK(cost(changed, keys().policy(), both) == Cost{Detail::kHeaderAuth, 0, 0});
            CHECK(asked == 0);
        }
    }
}

TEST_CASE("a mirror's password slot costs who has only a password one scrypt, and none above the cap") {
    const FileBytes file = pack(small_model(), signed_options({keys().raw()}));
    const trust::Keyring ring = Keys::password_ring("correct horse");
    CHECK(cost(file, keys().policy(), ring) == Cost{Detail::kNoRecipient, 0, 0});
    CHECK(cost(with_slots(file, {password_slot(14)}, true), keys().policy(), ring) == Cost{Detail::kUnwrap, 1, 0});
    for (const uint8_t log_n : {18, 20}) {
        CHECK(cost(with_slots(file, {password_slot(log_n)}, true), keys().policy(), ring) ==
              Cost{Detail::kLimit, 0, 0});
    }
    for (const uint8_t log_n : {0, 13, 21, 255}) {
        CHECK(cost(with_slots(file, {password_slot(log_n)}, true), keys().policy(), ring) ==
              Cost{Detail::kFormat, 0, 0});
    }
    // A second one is refused before the first is tried.
    const FileBytes own = pack(small_model(), signed_options({keys().password()}));
    CHECK(cost(own, keys().policy(), ring) == Cost{Detail::kNone, 1, 0});
    for (const bool in_front : {false, true}) {
        CHECK(cost(with_slots(own, {password_slot(17)}, in_front), keys().policy(), ring) ==
              Cost{Detail::kFormat, 0, 0});
    }
}

TEST_CASE("a wrong password costs one scrypt and says nothing") {
    const FileBytes file = pack(small_model(), signed_options({keys().password(), keys().raw()}));
    for (const char* password : {"wrong", "correct horsf", "correct horse ", "\n"}) {
        trust::Keyring ring = Keys::password_ring(password);
        if (!ring.has_password()) continue;
        CHECK(cost(file, keys().policy(), ring) == Cost{Detail::kUnwrap, 1, 0});
        auto opened = open(Source::memory(file), keys().policy(), ring);
        REQUIRE(!opened.ok());
        CHECK(opened.error().code() == Code::kAuth);
        CHECK(opened.error().message() == kNotAuthentic);
    }
    // An unsigned file, or one of a stranger, does not get that far.
    WriteOptions options = signed_options({keys().password()});
    options.signers = {&keys().other_signer};
    CHECK(cost(pack(small_model(), options), keys().policy(), Keys::password_ring("wrong")) ==
          Cost{Detail::kUntrusted, 0, 0});
}

TEST_CASE("a thousand slots cost a thousand hashes") {
    const FileBytes file = pack(small_model(), signed_options({keys().raw(), keys().x25519()}));
    std::vector<Added> many(1000, Added{2, FileBytes(84)});
    for (size_t i = 0; i < many.size(); ++i) {
        for (size_t k = 0; k < 84; ++k) many[i].body[k] = static_cast<std::byte>(i * 31 + k * 7 + i / 256);
    }
    for (const bool in_front : {false, true}) {
        const FileBytes changed = with_slots(file, many, in_front);
        CHECK(cost(changed, keys().policy(), keys().x25519_ring()) == Cost{Detail::kHeaderAuth, 0, 1});
        CHECK(cost(changed, keys().policy(), keys().raw_ring()) == Cost{Detail::kHeaderAuth, 0, 0});
        trust::Keyring stranger;
        REQUIRE(stranger.add_identity(crypto::X25519Identity::generate().value()).ok());
        CHECK(cost(changed, keys().policy(), stranger) == Cost{Detail::kNoRecipient, 0, 0});
    }
}

TEST_CASE("a provider is asked for slots of a mirror at most as often as the policy says") {
    const FileBytes file = pack(small_model(), signed_options({keys().x25519()}));
    const Bytes address = as_bytes("kms://attacker.example/key");
    const std::vector<Added> many(1000, Added{0x8001, {address.begin(), address.end()}});
    for (const bool in_front : {false, true}) {
        const FileBytes changed = with_slots(file, many, in_front);
        int calls = 0;
        trust::Keyring ring;
        ring.add_provider([&](const trust::SlotView&) -> Result<crypto::SecretBytes> {
            ++calls;
            return error(Code::kAuth, Detail::kNoRecipient, "not mine");
        });
        CHECK(open_class(changed, keys().policy(), ring) == Detail::kNoRecipient);
        CHECK(calls == 8);
        // With a key of its own the reader asks nobody.
        trust::Keyring both = keys().x25519_ring();
        calls = 0;
        both.add_provider([&](const trust::SlotView&) -> Result<crypto::SecretBytes> {
            ++calls;
            return error(Code::kAuth, Detail::kNoRecipient, "not mine");
        });
        CHECK(open_class(changed, keys().policy(), both) == Detail::kHeaderAuth);
        CHECK(calls == 0);
        // Nor without a valid signature.
        trust::Policy stranger;
        REQUIRE(stranger.add_signer(keys().other_signer.signer()).ok());
        CHECK(open_class(changed, stranger, ring) == Detail::kUntrusted);
        CHECK(calls == 0);
    }
}

TEST_CASE("taking recipients away, or another order, is noticed") {
    const FileBytes file = pack(small_model(), signed_options({keys().raw(), keys().x25519(), keys().raw()}));
    const Header h = inspect(Source::memory(file))->header;
    const size_t raw = kSlotHead + 128, x25519 = kSlotHead + 84;
    const auto at = [&](size_t offset) { return static_cast<long>(h.body_len + kSlotsHead + offset); };
    FileBytes swapped = file;  // the two raw slots
    std::swap_ranges(swapped.begin() + at(0), swapped.begin() + at(raw), swapped.begin() + at(raw + x25519));
    CHECK(open_class(swapped, keys().policy(), keys().raw_ring()) == Detail::kHeaderAuth);
    FileBytes fewer = file;
    fewer.erase(fewer.begin() + at(raw), fewer.begin() + at(raw + x25519));
    fewer[h.body_len + 6] = std::byte{2};
    const uint32_t total = static_cast<uint32_t>(fewer.size() - h.body_len);
    for (size_t i = 0; i < 4; ++i) fewer[h.body_len + 16 + i] = static_cast<std::byte>(total >> (8 * i));
    CHECK(open_class(fewer, keys().policy(), keys().raw_ring()) == Detail::kHeaderAuth);
}

}  // namespace coffer::container::test
