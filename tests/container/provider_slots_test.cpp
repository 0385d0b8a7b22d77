// Slots whose key lies elsewhere: P-256 in a device (kind 5) and key services (kind 4).
#include "crypto/random.hpp"
#include "fixture.hpp"
#include "trust/kms.hpp"

namespace coffer::container::test {
namespace {

// The fields of a body, one after the other.
std::vector<std::byte> join_body(std::initializer_list<Bytes> fields) {
    Writer w;
    for (const Bytes field : fields) w.put(field);
    return w.take();
}
std::vector<std::byte> hint(const crypto::P256Public& enc, const crypto::P256Public& key) {
    const auto hash = crypto::sha256({as_bytes("coffer/v1/hint"), enc, key}).value();
    return {hash.begin(), hash.begin() + 4};
}

using Secret = Result<crypto::SecretBytes>;

const crypto::P256Identity& p256_key() {
    static const auto key = crypto::P256Identity::generate().value();
    return key;
}
crypto::P256Identity copy_of(const crypto::P256Identity& key) {
    return crypto::P256Identity::from_secret(key.secret.clone().value()).value();
}
// A device that counts what it is asked.
trust::Keyring device_ring(const crypto::P256Public& public_key, int& calls) {
    trust::Keyring ring;
    const auto agree = [&calls](const crypto::P256Public& enc) {
        ++calls;
        return crypto::p256(p256_key().secret, enc);
    };
    REQUIRE(ring.add_p256({public_key, agree, /*in_device=*/true}).ok());
    return ring;
}

// A slot with a body of its own making.
Recipient crafted(uint16_t kind, std::function<std::vector<std::byte>(const trust::SlotView&, Bytes)> body) {
    return {
        kind,
        [body](const trust::SlotView& view, Bytes dek) -> Result<std::vector<std::byte>> { return body(view, dek); },
        {}};
}
std::vector<std::byte> kms_body(std::string_view uri, Bytes blob) {
    Writer w;
    w.u16(static_cast<uint16_t>(uri.size()));
    w.put(uri);
    w.u16(static_cast<uint16_t>(blob.size()));
    w.put(blob);
    return w.take();
}
Recipient kms_slot(std::string uri, std::string blob = "blob") {
    return crafted(4, [=](const trust::SlotView&, Bytes) { return kms_body(uri, as_bytes(blob)); });
}

// A service that keeps file keys by context: what it wraps for one slot it does not give out for another.
struct Service {
    std::vector<std::pair<std::vector<std::byte>, std::vector<std::byte>>> kept;
    int calls = 0;

    trust::KmsWrap wrapper() {
        return [this](const trust::KmsContext& where, Bytes key) -> Result<std::vector<std::byte>> {
            kept.push_back({{where.context.begin(), where.context.end()}, {key.begin(), key.end()}});
            const Bytes handle = as_bytes("handle");
            return std::vector<std::byte>(handle.begin(), handle.end());
        };
    }
    trust::KmsUnwrap unwrapper() {
        return [this](const trust::KmsContext& where, Bytes) -> Secret {
            ++calls;
            for (const auto& [context, key] : kept) {
                if (std::ranges::equal(context, where.context)) return crypto::SecretBytes::copy_of(key);
            }
            return error(Code::kAuth, Detail::kUnwrap, "no such key");
        };
    }
    trust::Keyring ring(const std::string& prefix) {
        trust::Keyring r;
        REQUIRE(r.add_kms(prefix, unwrapper()).ok());
        return r;
    }
};

TEST_CASE("a P-256 recipient opens, with either suite, and no other key does") {
    for (const auto suite : {crypto::Suite::kAes256Gcm, crypto::Suite::kChaCha20Poly1305}) {
        WriteOptions options = signed_options({keys().raw(), p256_recipient(p256_key().public_key)});
        options.suite = suite;
        const FileBytes file = pack(small_model(), options);
        trust::Keyring ring, stranger;
        REQUIRE(ring.add_p256(copy_of(p256_key())).ok());
        REQUIRE(stranger.add_p256(crypto::P256Identity::generate().value()).ok());
        auto opened = open(Source::memory(file), keys().policy(), ring);
        REQUIRE(opened.ok());
        REQUIRE(opened->slot_kind == 5);
        REQUIRE(open_class(file, keys().policy(), stranger) == Detail::kNoRecipient);
    }
}

TEST_CASE("a device is asked for its own slots only, and never for a point that is none") {
    const auto other = crypto::P256Identity::generate().value();
    int calls = 0;
    const trust::Keyring ring = device_ring(p256_key().public_key, calls);
    REQUIRE(open_class(pack(small_model(), signed_options({p256_recipient(other.public_key)})), keys().policy(),
                       ring) == Detail::kNoRecipient);
    REQUIRE(calls == 0);

    const Recipient off_curve = crafted(5, [](const trust::SlotView&, Bytes) {
        crypto::P256Public enc{};
        enc[0] = std::byte{4};
        enc[64] = std::byte{1};
        return join_body({hint(enc, p256_key().public_key), enc, std::vector<std::byte>(48)});
    });
    REQUIRE(open_class(pack(small_model(), signed_options({off_curve})), keys().policy(), ring) == Detail::kUnwrap);
    REQUIRE(calls == 0);

    REQUIRE(open_class(pack(small_model(), signed_options({p256_recipient(p256_key().public_key)})), keys().policy(),
                       ring) == Detail::kNone);
    REQUIRE(calls == 1);
}

TEST_CASE("a P-256 key at hand opens before a device is asked") {
    const auto at_hand = crypto::P256Identity::generate().value();
    const FileBytes file = pack(
        small_model(), signed_options({p256_recipient(p256_key().public_key), p256_recipient(at_hand.public_key)}));
    int calls = 0;
    trust::Keyring ring = device_ring(p256_key().public_key, calls);
    REQUIRE(ring.add_p256(copy_of(at_hand)).ok());
    REQUIRE(open_class(file, keys().policy(), ring) == Detail::kNone);
    REQUIRE(calls == 0);
}

TEST_CASE("slots that know a device's public key cost at most eight calls") {
    std::vector<Recipient> recipients;
    for (int i = 0; i < 40; ++i) {
        recipients.push_back(crafted(5, [](const trust::SlotView&, Bytes) {
            const auto enc = crypto::P256Identity::generate().value().public_key;
            return join_body({hint(enc, p256_key().public_key), enc, std::vector<std::byte>(48)});
        }));
    }
    const FileBytes file = pack(small_model(), signed_options(recipients));
    int calls = 0;
    const trust::Keyring ring = device_ring(p256_key().public_key, calls);
    REQUIRE(open_class(file, keys().policy(), ring) == Detail::kUnwrap);
    REQUIRE(calls == 8);
    trust::Policy strict = keys().policy();
    strict.caps.provider_calls = 2;
    calls = 0;
    REQUIRE(open_class(file, strict, ring) == Detail::kUnwrap);
    REQUIRE(calls == 2);
}

TEST_CASE("a key service opens its slot, bound to slot and file") {
    Service service;
    const auto options = [&] {
        return signed_options({kms_recipient("acme-kms://eu/product", service.wrapper()).value()});
    };
    const FileBytes file = pack(small_model(), options());
    auto opened = open(Source::memory(file), keys().policy(), service.ring("acme-kms://eu/"));
    REQUIRE(opened.ok());
    REQUIRE(opened->slot_kind == 4);
    const Unverified shown = inspect(Source::memory(file)).value();
    REQUIRE(kms_slot_uri(4, shown.slots.at(0).body) == "acme-kms://eu/product");
    REQUIRE(kms_slot_uri(5, shown.slots.at(0).body).empty());
    // S: "coffer/v1/slot" || 00 || LE2(4) || slot_id || content_id.
    const std::vector<std::byte>& context = service.kept.at(0).first;
    REQUIRE(context.size() == 15 + 2 + 16 + 32);
    REQUIRE(std::ranges::equal(Bytes(context).subspan(17, 16), shown.slots.at(0).slot_id));
    REQUIRE(std::ranges::equal(Bytes(context).last(32), shown.content_id));
    // The service gave another file's key to this one before: refused by the context, in the service's words.
    Service other;
    const FileBytes stranger = pack(small_model(), signed_options({kms_slot("acme-kms://eu/product", "handle")}));
    const auto refused = open(Source::memory(stranger), keys().policy(), service.ring("acme-kms://eu/"));
    REQUIRE(refused.error().detail() == Detail::kUnwrap);
    REQUIRE(refused.error().message() == "no such key");
    REQUIRE(public_code(refused.error()) == Code::kAuth);
}

TEST_CASE("a key service outside the allowed prefixes is never called") {
    const std::vector<std::string> foreign = {
        "evil-kms://eu/product", "acme-kms://eu.evil.example/x", "acme-kms://euro/x",
        "acme-kms://eu",         "acme-kms://eu/../us/product",  "acme-kms://eu/%2e%2E/us",
        "ACME-KMS://eu/x",       "acme-kms://eu/a%2F..%2Fb",
    };
    Service service;
    std::vector<Recipient> recipients = {keys().raw()};
    for (const std::string& uri : foreign) recipients.push_back(kms_slot(uri));
    const FileBytes file = pack(small_model(), signed_options(recipients));
    REQUIRE(open_class(file, keys().policy(), service.ring("acme-kms://eu/")) == Detail::kNoRecipient);
    REQUIRE(service.calls == 0);
    // Not with kind 4 off either.
    trust::Policy policy = keys().policy();
    policy.slot_kinds = {1, 2};
    REQUIRE(open_class(file, policy, service.ring("evil-kms:")) == Detail::kNoRecipient);
    REQUIRE(service.calls == 0);
    // A local key comes first and makes no call at all.
    trust::Keyring both = keys().raw_ring();
    REQUIRE(both.add_kms("evil-kms:", service.unwrapper()).ok());
    REQUIRE(open_class(file, keys().policy(), both) == Detail::kNone);
    REQUIRE(service.calls == 0);
}

TEST_CASE("a thousand key service slots cost eight calls") {
    std::vector<Recipient> recipients;
    for (int i = 0; i < 1000; ++i) recipients.push_back(kms_slot("acme-kms://eu/" + std::to_string(i)));
    const FileBytes file = pack(small_model(), signed_options(recipients));
    Service service;
    const auto refused = open(Source::memory(file), keys().policy(), service.ring("acme-kms:"));
    REQUIRE(refused.error().detail() == Detail::kUnwrap);
    REQUIRE(service.calls == 8);
}

TEST_CASE("a key service's answer is exactly a file key") {
    const FileBytes file = pack(small_model(), signed_options({kms_slot("acme-kms:x")}));
    for (const size_t size : {0, 1, 31, 33, 64}) {
        trust::Keyring ring;
        REQUIRE(
            ring.add_kms("acme-kms:",
                         [&](const trust::KmsContext&, Bytes) -> Secret { return crypto::SecretBytes::create(size); })
                .ok());
        REQUIRE(open_class(file, keys().policy(), ring) == Detail::kUnwrap);
    }
    trust::Keyring wrong;
    REQUIRE(
        wrong.add_kms("acme-kms:", [](const trust::KmsContext&, Bytes) { return crypto::random_secret(32); }).ok());
    REQUIRE(open_class(file, keys().policy(), wrong) == Detail::kCommitment);
}

TEST_CASE("a key service slot has exactly its fields, and a URI") {
    const auto class_of = [](const std::vector<std::byte>& body) {
        WriteOptions options = signed_options({crafted(4, [&](const trust::SlotView&, Bytes) { return body; })});
        const Folder dir;
        const auto written = write(small_model(), options, dir / "m");  // the writer reads its file back
        return written.ok() ? Detail::kNone : written.error().detail();
    };
    const Bytes blob = as_bytes("blob");
    REQUIRE(class_of(kms_body("acme-kms:x", blob)) == Detail::kNone);
    REQUIRE(class_of(kms_body("acme-kms:" + std::string(503, 'x'), blob)) == Detail::kNone);
    REQUIRE(class_of(kms_body("acme-kms:" + std::string(504, 'x'), blob)) == Detail::kFormat);
    REQUIRE(class_of(kms_body("acme-kms:x", std::vector<std::byte>(4096))) == Detail::kNone);
    REQUIRE(class_of(kms_body("acme-kms:x", std::vector<std::byte>(4097))) == Detail::kFormat);
    REQUIRE(class_of(kms_body("acme-kms:x", {})) == Detail::kFormat);
    for (const std::string uri : {"", "acme", "acme-kms:", ":x", "1a:x", "acme-kms:a b", "acme-kms:\x1b[2J",
                                  "a:\xc3\xa4", "a:\\x", "a:\"x\"", "a_b:c"}) {
        CAPTURE(uri);
        REQUIRE(class_of(kms_body(uri, blob)) == Detail::kFormat);
    }
    auto body = kms_body("acme-kms:x", blob);
    body.push_back({});
    REQUIRE(class_of(body) == Detail::kFormat);
    body.resize(body.size() - 2);
    REQUIRE(class_of(body) == Detail::kFormat);
    REQUIRE(class_of({}) == Detail::kFormat);
    REQUIRE_FALSE(kms_recipient("no uri", Service().wrapper()).ok());
}

}  // namespace
}  // namespace coffer::container::test
