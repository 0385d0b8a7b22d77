// Signers, policy and keyring.
#include <algorithm>

#include "catch.hpp"
#include "crypto/age.hpp"
#include "crypto/pem.hpp"
#include "crypto/random.hpp"
#include "trust/keyring.hpp"
#include "trust/policy.hpp"

namespace coffer::trust {
namespace {

crypto::SecretBytes secret_of(std::string_view text) {
    return crypto::SecretBytes::copy_of(as_bytes(text)).value();
}

TEST_CASE("a signature counts for its label, digest and key only") {
    const SigningKey key = SigningKey::generate().value(), other = SigningKey::generate().value();
    const crypto::Hash digest = crypto::sha256(as_bytes("header")).value();
    const auto signature = key.sign(kHeaderLabel, digest).value();
    REQUIRE(key.signer().verify(kHeaderLabel, digest, signature).ok());
    REQUIRE_FALSE(key.signer().verify(kSlotsLabel, digest, signature).ok());
    REQUIRE_FALSE(key.signer().verify(kHeaderLabel, crypto::sha256(as_bytes("headed")).value(), signature).ok());
    REQUIRE_FALSE(other.signer().verify(kHeaderLabel, digest, signature).ok());
}

TEST_CASE("the signed message and the key id have the bytes of the format") {
    Signer signer = SigningKey::generate().value().signer();
    const std::byte alg[2] = {std::byte{1}, std::byte{0}};
    REQUIRE(signer.id == crypto::sha256({as_bytes("coffer/v1/keyid"), alg, signer.public_key}).value());
    const crypto::Hash digest{std::byte{7}};
    const auto message = sign_message(kHeaderLabel, signer.alg, signer.id, digest);
    REQUIRE(message.size() == 13 + 1 + 2 + 32 + 32);
    REQUIRE(as_text(Bytes(message).first(13)) == "coffer/v1/sig");
    REQUIRE(message[13] == std::byte{0});
    REQUIRE(message[14] == std::byte{1});
    REQUIRE(std::ranges::equal(Bytes(message).subspan(16, 32), signer.id));
    REQUIRE(std::ranges::equal(Bytes(message).last(32), digest));
    REQUIRE(signature_size(1) == 64);
    REQUIRE(signature_size(2) == 0);
}

TEST_CASE("the default policy opens nothing") {
    const Policy policy;
    REQUIRE(policy.check().error().detail() == Detail::kUntrusted);
    REQUIRE_FALSE(policy.allows_slot(static_cast<uint16_t>(SlotKind::kClear)));
    REQUIRE(policy.allows_slot(static_cast<uint16_t>(SlotKind::kX25519)));
    REQUIRE(policy.integrity == Integrity::kFull);
    REQUIRE(policy.caps.scrypt_log_n == 17);
    REQUIRE(policy.memory_bytes() > 0);
    REQUIRE(*policy.current_time() > 1'600'000'000);
}

TEST_CASE("a policy counts signers once and needs as many as its threshold") {
    const Signer a = SigningKey::generate().value().signer(), b = SigningKey::generate().value().signer();
    Policy policy;
    REQUIRE(policy.add_signer(a).ok());
    REQUIRE(policy.add_signer(a).ok());
    REQUIRE(policy.signers.size() == 1);
    REQUIRE(policy.check().ok());
    policy.threshold = 2;
    REQUIRE(policy.check().error().detail() == Detail::kUntrusted);
    REQUIRE(policy.add_signer_pem(crypto::ed25519_public_to_pem(b.public_key).value()).ok());
    REQUIRE(policy.check().ok());
    REQUIRE(policy.find_signer(b.id)->public_key == b.public_key);
    REQUIRE(policy.find_signer(KeyId{}) == nullptr);
    policy.signers.push_back(a);
    REQUIRE_FALSE(policy.check().ok());
    policy.signers.pop_back();
    policy.threshold = 0;
    REQUIRE_FALSE(policy.check().ok());
}

TEST_CASE("a key has one role") {
    const Signer a = SigningKey::generate().value().signer(), b = SigningKey::generate().value().signer();
    Policy policy;
    REQUIRE(policy.add_signer(a).ok());
    REQUIRE(policy.add_distributor(b).ok());
    REQUIRE(policy.add_distributor(b).ok());
    REQUIRE(policy.distributors.size() == 1);
    REQUIRE(policy.add_distributor(a).error().code() == Code::kInvalidArgument);
    REQUIRE(policy.add_signer(b).error().code() == Code::kInvalidArgument);
    REQUIRE(policy.find_signer(b.id) == nullptr);
    REQUIRE(policy.find_distributor(a.id) == nullptr);
    REQUIRE(policy.find_distributor(b.id) != nullptr);
    REQUIRE(policy.check().ok());
    // Filled by hand, the same holds.
    policy.distributors.push_back(a);
    REQUIRE(policy.check().error().code() == Code::kInvalidArgument);
}

TEST_CASE("a key that anyone could sign for is never trusted") {
    Signer forged;
    forged.public_key[0] = std::byte{1};
    Policy policy;
    REQUIRE_FALSE(policy.add_signer(forged).ok());
    REQUIRE_FALSE(policy.add_signer_pem(crypto::ed25519_public_to_pem(forged.public_key).value()).ok());
    REQUIRE_FALSE(policy.add_signer_pem("not a key").ok());
    REQUIRE(policy.signers.empty());
}

TEST_CASE("policy look-ups") {
    Policy policy;
    policy.suites = {crypto::Suite::kChaCha20Poly1305};
    policy.slot_kinds = {2};
    REQUIRE_FALSE(policy.allows(crypto::Suite::kAes256Gcm));
    REQUIRE(policy.allows(crypto::Suite::kChaCha20Poly1305));
    REQUIRE(policy.allows_slot(2));
    REQUIRE_FALSE(policy.allows_slot(1));
    REQUIRE(policy.allows_slot(0x8001));
    policy.revoked_files.push_back(crypto::Hash{std::byte{9}});
    REQUIRE(policy.is_revoked(crypto::Hash{std::byte{9}}));
    REQUIRE_FALSE(policy.is_revoked(crypto::Hash{}));
    policy.now = [] { return int64_t{42}; };
    REQUIRE(*policy.current_time() == 42);
    policy.caps.max_memory = 12345;
    REQUIRE(policy.memory_bytes() == 12345);
    REQUIRE_FALSE(policy.expect_model("").ok());
    REQUIRE(policy.expect_model("com.acme.detector").ok());
    REQUIRE(policy.model == model_id("com.acme.detector").value());
    const auto hash = crypto::sha256(as_bytes("coffer/v1/modelcom.acme.detector")).value();
    REQUIRE(std::ranges::equal(*policy.model, Bytes(hash).first(16)));
}

TEST_CASE("a keyring takes raw keys of 32 bytes and age identities") {
    Keyring keyring;
    REQUIRE(keyring.empty());
    const std::string raw(32, 'k');
    REQUIRE(add_keys(keyring, as_bytes(raw)).ok());
    REQUIRE(add_raw_key(keyring, as_bytes(raw)).ok());  // the same again
    REQUIRE(keyring.raw_keys().size() == 1);
    REQUIRE(keyring.raw_keys()[0].id == kek_id(as_bytes(raw)).value());
    REQUIRE(add_raw_key(keyring, as_bytes(std::string(33, 'k'))).error().code() == Code::kAuth);
    REQUIRE(add_raw_key(keyring, as_bytes(std::string(31, 'k'))).error().code() == Code::kAuth);

    const auto a = crypto::X25519Identity::generate().value(), b = crypto::X25519Identity::generate().value();
    const auto text_a = crypto::age_identity(a).value(), text_b = crypto::age_identity(b).value();
    const std::string file = "# created: today\r\n\n" + std::string(as_text(text_a.bytes())) + "\r\n" +
                             std::string(as_text(text_b.bytes()));
    REQUIRE(add_keys(keyring, as_bytes(file)).ok());
    REQUIRE(keyring.identities().size() == 2);
    REQUIRE(keyring.identities()[1].public_key == b.public_key);

    REQUIRE_FALSE(add_keys(keyring, as_bytes("# only a comment, longer than a key would be\n")).ok());
    const auto bad = add_keys(keyring, as_bytes("# x\n" + std::string(as_text(text_a.bytes()).substr(0, 70)) + "\n"));
    REQUIRE(bad.error().message().starts_with("line 2: "));
    REQUIRE_FALSE(keyring.add_identity({}).ok());
}

TEST_CASE("passwords lose one newline, and a source is asked each time") {
    Keyring keyring;
    REQUIRE(keyring.password().error().detail() == Detail::kNoRecipient);
    keyring.set_password(secret_of("open sesame\n\n"));
    REQUIRE(as_text(keyring.password().value().bytes()) == "open sesame\n");

    Keyring asking;
    int asked = 0;
    asking.set_password_source([&]() -> Result<crypto::SecretBytes> {
        if (++asked == 2) return error(Code::kCancelled, "no");
        return secret_of("typed\n");
    });
    REQUIRE(asking.has_password());
    REQUIRE(asked == 0);
    REQUIRE(as_text(asking.password().value().bytes()) == "typed");
    REQUIRE(asking.password().error().code() == Code::kCancelled);
}

TEST_CASE("providers are kept in order; an empty one is not kept") {
    Keyring keyring;
    keyring.add_provider({});
    REQUIRE(keyring.empty());
    keyring.add_provider([](const SlotView& slot) -> Result<crypto::SecretBytes> {
        if (slot.kind != 0x8001) return error(Code::kAuth, Detail::kNoRecipient, "not mine");
        return crypto::SecretBytes::copy_of(slot.body);
    });
    SlotView slot;
    slot.kind = 0x8001;
    slot.body = as_bytes("key");
    REQUIRE(as_text(keyring.providers().at(0)(slot).value().bytes()) == "key");
    slot.kind = 2;
    REQUIRE(keyring.providers().at(0)(slot).error().detail() == Detail::kNoRecipient);
}

}  // namespace
}  // namespace coffer::trust
