#include "crypto/hpke.hpp"

#include "vectors.hpp"

namespace coffer::crypto {
namespace {

X25519Public public_of(const Json& value) {
    return to_array<kX25519KeySize>(unhex(value));
}
X25519Identity identity_of(const Json& value) {
    return X25519Identity::from_secret(secret_of(unhex(value))).value();
}
// A number, or its decimal digits.
uint64_t number_of(const Json& value) {
    return value.is_string() ? std::stoull(value.get<std::string>()) : value.get<uint64_t>();
}
Suite suite_of(const Json& aead_id) {
    return aead_id == 2 ? Suite::kAes256Gcm : Suite::kChaCha20Poly1305;
}

void check_encryptions(Suite suite, const HpkeContext& context, const Json& encryptions, bool numbered) {
    for (size_t i = 0; i < encryptions.size(); ++i) {
        const Json& e = encryptions[i];
        const uint64_t sequence = numbered ? number_of(e.at("sequence_number")) : i;
        const auto sealed = unhex(e.at("ct"));
        std::vector<std::byte> opened(sealed.size() - kAeadTagSize);
        const Nonce nonce = nonce_at(context.base_nonce, sequence);
        REQUIRE(open_once(suite, context.key.bytes(), nonce, unhex(e.at("aad")), sealed, opened).ok());
        REQUIRE(opened == unhex(e.at("pt")));
    }
}

void check_exports(Suite suite, const HpkeContext& context, const Json& exports) {
    for (const Json& e : exports) {
        const auto value =
            context.export_secret(suite, Kem::kX25519, unhex(e.at("exporter_context")), number_of(e.at("L")));
        REQUIRE(to_vector(value.value().bytes()) == unhex(e.at("exported_value")));
    }
}

TEST_CASE("HPKE base mode agrees with the published vectors") {
    const auto vectors = load_vectors("hpke/base_x25519_hkdfsha256.json");
    if (!vectors) return;
    int encryptions = 0;
    for (const Json& v : vectors->at("vectors")) {
        const Suite suite = suite_of(v.at("aead_id"));
        const X25519Identity recipient = hpke_derive_key_pair(unhex(v.at("ikmR"))).value();
        REQUIRE(to_vector(recipient.secret.bytes()) == unhex(v.at("skRm")));
        REQUIRE(recipient.public_key == public_of(v.at("pkRm")));

        const auto info = unhex(v.at("info"));
        const Json& first = v.at("encryptions").at(0);
        const auto aad = unhex(first.at("aad")), plaintext = unhex(first.at("pt"));
        const HpkeSealed sealed = hpke_seal_with_ephemeral(suite, identity_of(v.at("sender_seed")),
                                                           recipient.public_key, info, aad, plaintext)
                                      .value();
        REQUIRE(sealed.enc == public_of(v.at("enc")));
        REQUIRE(sealed.ciphertext == unhex(first.at("ct")));
        const SecretBytes opened = hpke_open(suite, recipient, sealed.enc, info, aad, sealed.ciphertext).value();
        REQUIRE(to_vector(opened.bytes()) == plaintext);

        const SecretBytes dh = x25519(recipient.secret, sealed.enc).value();
        const HpkeContext context =
            hpke_key_schedule(Kem::kX25519, suite, dh.bytes(), sealed.enc, recipient.public_key, info).value();
        check_encryptions(suite, context, v.at("encryptions"), false);
        check_exports(suite, context, v.at("exports"));
        encryptions += static_cast<int>(v.at("encryptions").size());
    }
    REQUIRE(encryptions == 2 * 257);
}

TEST_CASE("HPKE agrees with the intermediate values of RFC 9180") {
    const auto vectors = load_vectors("hpke/rfc9180_appendix_base_intermediates.json");
    if (!vectors) return;
    int suites = 0;
    for (const Json& v : vectors->at("suites")) {
        const Json& setup = v.at("setup");
        const X25519Identity ephemeral = hpke_derive_key_pair(unhex(setup.at("ikmE"))).value();
        REQUIRE(to_vector(ephemeral.secret.bytes()) == unhex(setup.at("skEm")));
        if (number_of(setup.at("aead_id")) != 3) continue;  // AES-128-GCM: its key schedule has other lengths
        const X25519Identity recipient = identity_of(setup.at("skRm"));
        const SecretBytes dh = x25519(recipient.secret, ephemeral.public_key).value();
        const HpkeContext context =
            hpke_key_schedule(Kem::kX25519, Suite::kChaCha20Poly1305, dh.bytes(), ephemeral.public_key,
                              recipient.public_key, unhex(setup.at("info")))
                .value();
        REQUIRE(to_vector(context.key.bytes()) == unhex(setup.at("key")));
        REQUIRE(to_vector(context.base_nonce) == unhex(setup.at("base_nonce")));
        REQUIRE(to_vector(context.exporter_secret.bytes()) == unhex(setup.at("exporter_secret")));
        check_encryptions(Suite::kChaCha20Poly1305, context, v.at("encryptions"), true);
        check_exports(Suite::kChaCha20Poly1305, context, v.at("exports"));
        ++suites;
    }
    REQUIRE(suites == 1);
}

TEST_CASE("an HPKE message opens for its recipient, unchanged, and in its context only") {
    for (Suite suite : {Suite::kAes256Gcm, Suite::kChaCha20Poly1305}) {
        const X25519Identity alice = X25519Identity::generate().value(), bob = X25519Identity::generate().value();
        const Bytes info = as_bytes("slot"), aad = as_bytes("aad"),
                    text = as_bytes("a file key of 32 bytes, say    .");
        const HpkeSealed sealed = hpke_seal(suite, alice.public_key, info, aad, text).value();
        REQUIRE(sealed.ciphertext.size() == text.size() + kAeadTagSize);
        REQUIRE(to_vector(hpke_open(suite, alice, sealed.enc, info, aad, sealed.ciphertext).value().bytes()) ==
                to_vector(text));

        const auto refused = [&](const X25519Identity& who, const X25519Public& enc, Bytes i, Bytes a, Bytes ct) {
            const auto opened = hpke_open(suite, who, enc, i, a, ct);
            return !opened.ok() && opened.error().code() == Code::kAuth;
        };
        REQUIRE(refused(bob, sealed.enc, info, aad, sealed.ciphertext));
        REQUIRE(refused(alice, sealed.enc, as_bytes("slog"), aad, sealed.ciphertext));
        REQUIRE(refused(alice, sealed.enc, info, {}, sealed.ciphertext));
        REQUIRE(refused(alice, sealed.enc, info, aad, Bytes(sealed.ciphertext).first(15)));
        REQUIRE(refused(alice, X25519Public{}, info, aad, sealed.ciphertext));
        HpkeSealed changed = sealed;
        changed.enc[4] ^= std::byte{1};
        REQUIRE(refused(alice, changed.enc, info, aad, sealed.ciphertext));
        changed.ciphertext[0] ^= std::byte{1};
        REQUIRE(refused(alice, sealed.enc, info, aad, changed.ciphertext));
    }
}

}  // namespace
}  // namespace coffer::crypto
