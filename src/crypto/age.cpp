#include "crypto/age.hpp"

#include <array>

namespace coffer::crypto {
namespace {

constexpr std::string_view kCharset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr size_t kChecksum = 6;
constexpr std::string_view kRecipientPrefix = "age";
constexpr std::string_view kIdentityPrefix = "AGE-SECRET-KEY-";

constexpr size_t groups_of_5(size_t bytes) {
    return (bytes * 8 + 4) / 5;
}

constexpr bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}
constexpr char to_lower(char c) {
    return is_upper(c) ? static_cast<char>(c + 32) : c;
}
constexpr char to_upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}

// The 32 characters in the case of the prefix. Secrets never index it: every entry is visited.
class Alphabet {
 public:
    explicit Alphabet(std::string_view prefix) {
        bool upper = false;
        for (char c : prefix) upper |= is_upper(c);
        for (size_t i = 0; i < chars_.size(); ++i) chars_[i] = upper ? to_upper(kCharset[i]) : kCharset[i];
    }
    char at(uint32_t value) const {
        uint32_t out = 0;
        for (uint32_t i = 0; i < 32; ++i) out |= mask_equal(i, value) & static_cast<unsigned char>(chars_[i]);
        return static_cast<char>(out);
    }
    // The value of c; *known becomes 0 if it has none.
    uint32_t find(char c, uint32_t* known) const {
        uint32_t value = 0, found = 0;
        for (uint32_t i = 0; i < 32; ++i) {
            const uint32_t mask = mask_equal(static_cast<unsigned char>(chars_[i]), static_cast<unsigned char>(c));
            value |= mask & i;
            found |= mask;
        }
        *known &= found;
        return value;
    }

 private:
    // All ones when a == b (both below 2^31), else zero.
    static uint32_t mask_equal(uint32_t a, uint32_t b) { return 0u - (((a ^ b) - 1) >> 31); }
    std::array<char, 32> chars_;
};

// The BCH code of BIP 173 over the prefix and the 5-bit groups.
class Checksum {
 public:
    explicit Checksum(std::string_view prefix) {
        for (char c : prefix) add(static_cast<unsigned char>(to_lower(c)) >> 5);
        add(0);
        for (char c : prefix) add(static_cast<unsigned char>(to_lower(c)) & 31u);
    }
    void add(uint32_t group) {
        constexpr uint32_t generator[5] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
        const uint32_t top = state_ >> 25;
        state_ = (state_ & 0x1ffffff) << 5 ^ group;
        for (uint32_t i = 0; i < 5; ++i) state_ ^= (0u - (top >> i & 1u)) & generator[i];
    }
    uint32_t state() const { return state_; }

 private:
    uint32_t state_ = 1;
};

Error malformed(std::string_view what) {
    return error(Code::kFormat, "malformed ", what);
}

}  // namespace

size_t bech32_size(std::string_view prefix, size_t data_size) {
    return prefix.size() + 1 + groups_of_5(data_size) + kChecksum;
}

Status bech32_encode(std::string_view prefix, Bytes data, std::span<char> dst) {
    if (dst.size() != bech32_size(prefix, data.size())) return error(Code::kInvalidArgument, "Bech32: wrong size");
    const Alphabet alphabet(prefix);
    Checksum checksum(prefix);
    size_t at = prefix.copy(dst.data(), prefix.size());
    dst[at++] = '1';

    uint32_t pending = 0, bits = 0;
    const auto emit = [&](uint32_t group) {
        checksum.add(group);
        dst[at++] = alphabet.at(group);
    };
    for (std::byte b : data) {
        pending = (pending << 8 | std::to_integer<uint32_t>(b)) & 0xfff;
        for (bits += 8; bits >= 5; bits -= 5) emit(pending >> (bits - 5) & 31u);
    }
    if (bits > 0) emit(pending << (5 - bits) & 31u);

    for (size_t i = 0; i < kChecksum; ++i) checksum.add(0);
    const uint32_t sum = checksum.state() ^ 1;
    for (size_t i = 0; i < kChecksum; ++i) dst[at++] = alphabet.at(sum >> (5 * (kChecksum - 1 - i)) & 31u);
    return {};
}

Status bech32_decode(std::string_view prefix, std::string_view text, MutableBytes dst) {
    if (text.size() != bech32_size(prefix, dst.size()) || !text.starts_with(prefix) || text[prefix.size()] != '1') {
        return malformed("key");
    }
    text.remove_prefix(prefix.size() + 1);
    const Alphabet alphabet(prefix);
    Checksum checksum(prefix);

    uint32_t known = ~0u, pending = 0, bits = 0;
    size_t at = 0;
    for (size_t i = 0; i < text.size(); ++i) {
        const uint32_t group = alphabet.find(text[i], &known);
        checksum.add(group);
        if (i >= text.size() - kChecksum) continue;
        pending = (pending << 5 | group) & 0xfff;
        bits += 5;
        if (bits < 8) continue;
        bits -= 8;
        dst[at++] = static_cast<std::byte>(pending >> bits);
    }
    // What is left over are fewer than five bits, which must be zero: one text for one key.
    const uint32_t padding = pending & ((1u << bits) - 1);
    if (known != ~0u || padding != 0 || checksum.state() != 1) {
        os::wipe(dst.data(), dst.size());
        return malformed("key");
    }
    return {};
}

Result<std::string> age_recipient(const X25519Public& key) {
    std::string text(bech32_size(kRecipientPrefix, key.size()), '\0');
    COFFER_TRY(bech32_encode(kRecipientPrefix, key, text));
    return text;
}

Result<X25519Public> parse_age_recipient(std::string_view text) {
    X25519Public key;
    if (!bech32_decode(kRecipientPrefix, text, key).ok()) {
        // Not repeated: somebody may have given a private key.
        return error(Code::kFormat,
                     "not an age X25519 recipient (age1...); `model-pack key pub` prints that of a key");
    }
    const Status usable = x25519_check_public(key);
    if (!usable.ok()) return usable.error().within("an age recipient: ");
    return key;
}

Result<SecretBytes> age_identity(const X25519Identity& identity) {
    const Bytes secret = identity.secret.bytes();
    COFFER_TRY_ASSIGN(SecretBytes text, SecretBytes::create(bech32_size(kIdentityPrefix, secret.size())));
    const MutableBytes dst = text.mutable_bytes();
    COFFER_TRY(bech32_encode(kIdentityPrefix, secret, {reinterpret_cast<char*>(dst.data()), dst.size()}));
    return text;
}

Result<X25519Identity> parse_age_identity(Bytes text) {
    COFFER_TRY_ASSIGN(SecretBytes secret, SecretBytes::create(kX25519KeySize));
    if (!bech32_decode(kIdentityPrefix, as_text(text), secret.mutable_bytes()).ok()) {
        return malformed("identity (AGE-SECRET-KEY-1... expected)");
    }
    return X25519Identity::from_secret(std::move(secret));
}

}  // namespace coffer::crypto
