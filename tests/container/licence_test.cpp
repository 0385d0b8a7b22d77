// Files that demand a licence: who opens them, on what terms, and every way in that must stay shut. And what a trust
// bundle and a memory of earlier runs change about opening.
#include <algorithm>

#include "container/licence.hpp"
#include "crypto/hpke.hpp"
#include "fixture.hpp"
#include "trust/bundle.hpp"

namespace coffer::container::test {
namespace {

constexpr int64_t kNow = 1'800'000'000;

const trust::SigningKey& licensor() {
    static const trust::SigningKey key = trust::SigningKey::generate().value();
    return key;
}

// A file of version 7 that demands a licence, encrypted to the product key.
FileBytes licensed_file(uint32_t also = 0) {
    WriteOptions o = signed_options({keys().raw()});
    o.require_licence = true;
    o.created = kNow - 5000;
    o.suite = also ? crypto::Suite::kChaCha20Poly1305 : crypto::Suite::kAes256Gcm;
    return pack(small_model(), o);
}

LicenceOrder order() {
    LicenceOrder o;
    o.claims.issued = kNow - 1000;
    o.claims.product = "Detector";
    o.claims.holder = "Customer 1";
    o.claims.not_after = kNow + 1000;
    o.claims.grace = 500;
    o.claims.models = {trust::model_id("com.acme.detector").value()};
    o.claims.min_version = 1;
    o.claims.max_version = 9;
    o.product_keys.push_back(crypto::SecretBytes::copy_of(keys().kek).value());
    o.recipients = {keys().x25519()};
    o.signers = {&licensor()};
    return o;
}
template <class F>
FileBytes licence(F&& change) {
    LicenceOrder o = order();
    change(o);
    auto issued = issue_licence(o);
    if (!issued.ok()) FAIL(issued.error().message());
    return issued->file;
}
FileBytes licence() {
    return licence([](auto&) {});
}

trust::Keyring ring_with(const std::vector<FileBytes>& licences, trust::Keyring ring = keys().x25519_ring()) {
    for (const FileBytes& l : licences) REQUIRE(ring.add_licence(l).ok());
    return ring;
}
trust::Policy policy_at(int64_t now = kNow) {
    trust::Policy p = keys().policy();
    REQUIRE(p.add_licensor(licensor().signer()).ok());
    p.now = [now] { return now; };
    return p;
}

trust::Policy policy_at(int64_t now, MemoryStore& store) {
    trust::Policy p = policy_at(now);
    p.state = store.state();
    return p;
}

std::string why(const FileBytes& file, const trust::Policy& policy, const trust::Keyring& ring,
                Detail expected = Detail::kLicence) {
    const auto opened = open(Source::memory(file), policy, ring);
    // What is said without loading is the same.
    const auto access = check_access(Source::memory(file), policy, ring);
    CHECK(access.ok() == opened.ok());
    if (opened.ok()) return "";
    CHECK(access.error().message() == opened.error().message());
    CHECK(opened.error().detail() == expected);
    return opened.error().message();
}
bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != text.npos;
}

}  // namespace

TEST_CASE("a licence opens what it covers, and says so") {
    for (uint32_t suite : {0u, 1u}) {
        const FileBytes file = licensed_file(suite);
        auto opened = open(Source::memory(file), policy_at(), ring_with({licence()}));
        REQUIRE(opened.ok());
        CHECK(opened->slot_kind == 1);
        REQUIRE(opened->facts.licence);
        CHECK(opened->facts.licence->claims.holder == "Customer 1");
        CHECK_FALSE(opened->facts.licence_in_grace);
    }
    auto late = open(Source::memory(licensed_file()), policy_at(kNow + 1400), ring_with({licence()}));
    REQUIRE(late.ok());
    CHECK(late->facts.licence_in_grace);
    // Without a key, and without a licence, a file can be verified.
    CHECK(verify(Source::memory(licensed_file()), policy_at()).ok());
}

TEST_CASE("nothing but a licence opens a file that demands one") {
    const FileBytes file = licensed_file();
    CHECK(contains(why(file, policy_at(), keys().raw_ring()), "none was given"));  // the product key itself
    CHECK(contains(why(file, policy_at(), keys().x25519_ring()), "none was given"));
    CHECK(contains(why(file, keys().policy(), ring_with({licence()})), "trusts no licensor"));
    // A provider that knows the product key.
    trust::Keyring provider;
    int calls = 0;
    provider.add_provider([&](const trust::SlotView&) {
        ++calls;
        return crypto::SecretBytes::copy_of(keys().kek);
    });
    CHECK(contains(why(file, policy_at(), provider), "none was given"));
    CHECK(calls == 0);
    // A bad licence does not fall back to other keys.
    const FileBytes expired = licence([](auto& o) { o.claims.not_after = 5; });
    CHECK(contains(why(file, policy_at(), ring_with({expired}, keys().raw_ring())), "expired"));
    // A licence for the file, but nobody who can open it.
    CHECK(why(file, policy_at(), ring_with({licence()}, keys().raw_ring()), Detail::kNoRecipient) == kNotAuthentic);
    CHECK(why(file, policy_at(), ring_with({licence()}, {}), Detail::kNoRecipient) == kNotAuthentic);
    // A file that demands none ignores them.
    CHECK(why(pack(small_model(), signed_options({keys().x25519()})), policy_at(), ring_with({expired})) == "");
}

TEST_CASE("a provider unwraps the product key from a licence, a limited number of times") {
    const FileBytes file = licensed_file();
    int calls = 0;
    trust::Keyring token;
    token.add_provider([&](const trust::SlotView& slot) -> Result<crypto::SecretBytes> {
        ++calls;
        crypto::X25519Public enc;
        std::ranges::copy(slot.body.subspan(4, 32), enc.begin());
        return crypto::hpke_open(slot.suite, keys().identity, enc, slot.context, {}, slot.body.subspan(36));
    });
    CHECK(why(file, policy_at(), ring_with({licence()}, std::move(token))) == "");
    CHECK(calls == 2);  // one for open, one for check_access
    calls = 0;
    const auto many = [](int keys) {
        return licence([keys](auto& o) {
            for (int i = 0; i < keys; ++i) {
                o.product_keys.push_back(crypto::SecretBytes::copy_of(FileBytes(32, std::byte(i))).value());
            }
        });
    };
    trust::Keyring hopeless;
    hopeless.add_provider([&](const trust::SlotView&) {
        ++calls;
        return crypto::SecretBytes::create(31);
    });
    // Two licences, several product keys in each: one budget.
    CHECK(why(file, policy_at(), ring_with({many(4), many(20)}, std::move(hopeless)), Detail::kUnwrap) ==
          kNotAuthentic);
    CHECK(calls == 16);  // eight each
}

TEST_CASE("terms: time, product, model, version, host, revocation") {
    const FileBytes file = licensed_file();
    const auto terms = [&](auto change, int64_t now = kNow) {
        return why(file, policy_at(now), ring_with({licence(change)}));
    };
    CHECK(terms([](auto&) {}, kNow + 1500) == "");
    CHECK(contains(terms([](auto&) {}, kNow + 1501), "expired"));
    CHECK(contains(terms([](auto& o) { o.claims.not_before = kNow + 1; }), "not yet valid"));
    CHECK(contains(terms([](auto& o) { o.claims.models = {trust::model_id("com.acme.other").value()}; }),
                   "wrong model"));
    CHECK(contains(terms([](auto& o) { o.claims.min_version = 8; }), "wrong version"));
    CHECK(contains(terms([](auto& o) { o.claims.max_version = 6; }), "wrong version"));
    CHECK(terms([](auto& o) { o.claims.max_version = 0; }) == "");
    CHECK(contains(terms([](auto& o) {
                       o.claims.hosts = {trust::bind_host("machine-id", "abc").value()};
                       o.claims.hosts_needed = 1;
                   }),
                   "wrong host"));
    CHECK(contains(terms([](auto& o) { o.signers = {&keys().signer}; }), "not signed by a licensor"));
    trust::Policy p = policy_at();
    p.product = "Other";
    CHECK(contains(why(file, p, ring_with({licence()})), "wrong product"));
    auto issued = issue_licence(order()).value();
    p = policy_at();
    p.revoked_licences = {issued.id};
    CHECK(contains(why(file, p, ring_with({issued.file})), "revoked"));
    p = policy_at();
    p.suites = {crypto::Suite::kAes256Gcm};
    CHECK(contains(
        why(file, p, ring_with({licence([](auto& o) { o.claims.suite = crypto::Suite::kChaCha20Poly1305; })})),
        "suite"));
    // Of several, the good one is used; of several bad ones, the reason is that of the one that came furthest.
    const FileBytes other = licence([](auto& o) { o.claims.models = {trust::model_id("com.acme.other").value()}; });
    const FileBytes old = licence([](auto& o) { o.claims.not_after = 5; });
    CHECK(why(file, policy_at(), ring_with({other, old, licence()})) == "");
    CHECK(contains(why(file, policy_at(), ring_with({old, other})), "expired"));
}

TEST_CASE("the wraps: another product key, another device, another licence's") {
    const FileBytes file = licensed_file();
    const FileBytes wrong_key = licence([](auto& o) {
        o.product_keys.clear();
        o.product_keys.push_back(crypto::SecretBytes::copy_of(FileBytes(32, std::byte{9})).value());
    });
    CHECK(why(file, policy_at(), ring_with({wrong_key}), Detail::kNoRecipient) == kNotAuthentic);
    const FileBytes wrong_device =
        licence([](auto& o) { o.recipients = {x25519_recipient(crypto::X25519Identity::generate()->public_key)}; });
    CHECK(why(file, policy_at(), ring_with({wrong_device}), Detail::kNoRecipient) == kNotAuthentic);
    // A licence that fits but is not ours does not hide the next one that is.
    CHECK(why(file, policy_at(), ring_with({wrong_device, wrong_key, licence()})) == "");

    // Claims edited by somebody who even has the licensor's key, but not the device's: the key does not come out.
    FileBytes edited = licence();
    const auto reseal = [](FileBytes& l) {
        const auto digest = crypto::sha256(Bytes(l).first(l.size() - 100)).value();
        std::ranges::copy(licensor().sign(trust::kLicenceLabel, digest).value(), l.end() - 64);
    };
    const auto at =
        std::search(edited.begin(), edited.end(), as_bytes("Customer 1").begin(), as_bytes("Customer 1").end());
    REQUIRE(at != edited.end());
    *at = std::byte{'c'};
    CHECK(contains(why(file, policy_at(), ring_with({edited})), "signature is wrong"));
    reseal(edited);
    CHECK(why(file, policy_at(), ring_with({edited}), Detail::kUnwrap) == kNotAuthentic);

    // A wrap whose key is not the one the claims name.
    FileBytes liar = licence();
    const trust::LicenceEnvelope envelope = trust::parse_licence(liar, {}).value();
    const size_t slot = trust::kLicenceHead + envelope.claims.size();
    const auto swapped =
        encode_slot(keys().x25519(), crypto::Suite::kAes256Gcm, envelope.bound_to, FileBytes(32, std::byte{9}))
            .value();
    std::ranges::copy(swapped, liar.begin() + static_cast<long>(slot));
    reseal(liar);
    CHECK(why(file, policy_at(), ring_with({liar}), Detail::kUnwrap) == kNotAuthentic);
    // A wrap of a kind that has no place there, or cut, or too many.
    for (uint16_t kind : {0, 1, 3, 4, 0x8000}) {
        FileBytes bad = licence();
        bad[slot] = static_cast<std::byte>(kind);
        bad[slot + 1] = static_cast<std::byte>(kind >> 8);
        reseal(bad);
        CHECK(why(file, policy_at(), ring_with({bad})) != "");
    }
    FileBytes cut = licence();
    cut[slot + 4] = std::byte{83};
    reseal(cut);
    CHECK(contains(why(file, policy_at(), ring_with({cut})), "licence: "));
}

TEST_CASE("every byte of a licence matters") {
    const FileBytes file = licensed_file();
    const FileBytes good = licence();
    for (size_t i = 0; i < good.size(); ++i) {
        FileBytes bad = good;
        bad[i] ^= std::byte{0x10};
        trust::Keyring ring = keys().x25519_ring();
        if (!ring.add_licence(bad).ok()) continue;
        const auto access = check_access(Source::memory(file), policy_at(), ring);
        REQUIRE(!access.ok());
        CHECK(access.error().detail() == Detail::kLicence);
    }
}

TEST_CASE("what cannot be issued, and what cannot be packed") {
    const auto refused = [](auto change) {
        LicenceOrder o = order();
        change(o);
        return !issue_licence(o).ok();
    };
    CHECK_FALSE(refused([](auto&) {}));
    CHECK(refused([](auto& o) { o.product_keys.clear(); }));
    CHECK(refused([](auto& o) { o.product_keys[0].truncate(31); }));
    CHECK(refused([](auto& o) { o.recipients.clear(); }));
    CHECK(refused([](auto& o) { o.recipients = {keys().raw()}; }));
    CHECK(refused([](auto& o) { o.recipients = {keys().password()}; }));
    CHECK(refused([](auto& o) { o.recipients.assign(65, keys().x25519()); }));
    CHECK(refused([](auto& o) { o.signers.clear(); }));
    CHECK(refused([](auto& o) { o.signers = {&licensor(), &licensor()}; }));
    CHECK(refused([](auto& o) { o.claims.models.clear(); }));
    CHECK(refused([](auto& o) { o.claims.product.clear(); }));
    const Folder dir;
    for (auto recipients : {std::vector{keys().x25519()}, std::vector{keys().raw(), keys().password()}}) {
        WriteOptions o = signed_options(recipients);
        o.require_licence = true;
        CHECK_FALSE(write(small_model(), o, dir / "m").ok());
    }
    WriteOptions o;
    o.unprotected = o.require_licence = true;
    CHECK_FALSE(write(small_model(), o, dir / "m").ok());
    CHECK(dir.entries() == 0);
}

TEST_CASE("a file that demands a licence has no other recipients") {
    // By somebody who holds the publisher's key and means well.
    FileBytes file = pack(small_model(), signed_options({keys().raw(), keys().x25519()}));
    Header h = inspect(Source::memory(file))->header;
    h.incompat |= kLicenceRequired;
    const HeaderBytes hdr = encode_header(h);
    std::ranges::copy(hdr, file.begin());
    const Digest id = crypto::sha256(hdr).value();
    std::ranges::copy(encode_signature(keys().signer.signer(), keys().signer.sign(trust::kHeaderLabel, id).value()),
                      file.begin() + kSigsOffset);
    std::ranges::copy(id, file.begin() + static_cast<long>(h.body_len) + 24);
    CHECK(contains(why(file, policy_at(), ring_with({licence()}), Detail::kFormat), "not product keys"));
}

// ---- trust bundles and memory --------------------------------------------------------------------------------

namespace {

struct Bundles {
    trust::SigningKey root = trust::SigningKey::generate().value();

    trust::Bundle bundle(uint64_t number = 1) const {
        trust::Bundle b;
        b.number = number;
        b.issued = kNow - 10'000;
        b.keys = {{trust::KeyRole::kRoot, root.signer()},
                  {trust::KeyRole::kPublisher, keys().signer.signer()},
                  {trust::KeyRole::kLicensor, licensor().signer()}};
        b.thresholds = {1, 0, 1, 1};
        return b;
    }
    std::shared_ptr<const trust::Bundle> make(const trust::Bundle& b) const {
        const auto plain = trust::encode_bundle(b).value();
        return trust::load_bundle(trust::sign_bundle(plain, root, 1 << 18).value(), 1 << 18).value();
    }
    trust::Policy policy(const trust::Bundle& b, int64_t now = kNow) const {
        trust::Policy p;
        REQUIRE(p.follow(make(b)).ok());
        p.now = [now] { return now; };
        return p;
    }
};
const Bundles& bundles() {
    static const Bundles b;
    return b;
}

FileBytes file_of_version(uint64_t version, uint64_t created = kNow - 5000, uint64_t not_after = 0) {
    graph::Model m = small_model();
    m.version = version;
    WriteOptions o = signed_options({keys().x25519()});
    o.created = created;
    o.not_after = not_after;
    return pack(m, o);
}

}  // namespace

TEST_CASE("a bundle says whose files open, made when, and in which version") {
    const FileBytes file = file_of_version(7);
    const trust::Keyring ring = keys().x25519_ring();
    const auto with = [&](auto change, Detail expected = Detail::kNone) {
        trust::Bundle b = bundles().bundle();
        change(b);
        const trust::Policy p = bundles().policy(b);
        CHECK(open_class(file, p, ring) == expected);
        auto verified = verify(Source::memory(file), p);
        CHECK((verified.ok() ? Detail::kNone : verified.error().detail()) == expected);
    };
    with([](auto&) {});
    with([](auto& b) { b.keys[1].signer.not_before = kNow - 5000; });
    with([](auto& b) { b.keys[1].signer.not_before = kNow - 4999; }, Detail::kUntrusted);
    const auto retired = [](uint64_t at) {
        return [at](auto& b) {
            b.keys[1].signer.state = trust::KeyState::kVerifyOnly;
            b.keys[1].signer.not_after = at;
        };
    };
    with(retired(kNow - 5000));
    with(retired(kNow - 5001), Detail::kUntrusted);
    const auto revoked = [](auto& b) {
        b.keys[1].signer.state = trust::KeyState::kRevoked;
        b.keys.push_back({trust::KeyRole::kPublisher, keys().other_signer.signer()});
    };
    with(revoked, Detail::kRevoked);
    with([](auto& b) { b.keys[1].signer = keys().other_signer.signer(); }, Detail::kUntrusted);
    const trust::ModelId model = trust::model_id("com.acme.detector").value();
    with([&](auto& b) { b.min_versions = {{model, 7, 0}}; });
    with([&](auto& b) { b.min_versions = {{model, 8, 0}}; }, Detail::kRollback);
    with([&](auto& b) { b.revoked_files = {inspect(Source::memory(file))->content_id}; }, Detail::kRevoked);
    with([](auto& b) { b.expires = kNow; });
    with([](auto& b) { b.expires = kNow - 1; }, Detail::kExpired);
    // A second signature by a revoked key takes nothing away, and adds nothing.
    WriteOptions o = signed_options({keys().x25519()});
    o.signers = {&keys().signer, &keys().other_signer};
    const FileBytes both = pack(small_model(), o);
    trust::Bundle b = bundles().bundle();
    b.keys.push_back({trust::KeyRole::kPublisher, keys().other_signer.signer()});
    b.keys.back().signer.state = trust::KeyState::kRevoked;
    CHECK(open_class(both, bundles().policy(b), ring) == Detail::kNone);
}

TEST_CASE("what was seen: versions, and recovery from one that went too far") {
    const trust::Keyring ring = keys().x25519_ring();
    MemoryStore store;
    trust::Policy p = bundles().policy(bundles().bundle());
    p.state = store.state();
    // Nothing is made in passing.
    CHECK(open_class(file_of_version(7), p, ring) == Detail::kIo);
    CHECK_FALSE(store.bytes);
    REQUIRE(trust::create_state(*p.state, p.bundle.get()).ok());
    CHECK(open_class(file_of_version(7), p, ring) == Detail::kNone);
    CHECK(open_class(file_of_version(6), p, ring) == Detail::kRollback);
    CHECK(open_class(file_of_version(7), p, ring) == Detail::kNone);
    // A file that does not open raises nothing; verify() looks and remembers nothing.
    CHECK(open_class(file_of_version(9), p, keys().raw_ring()) == Detail::kNoRecipient);
    CHECK(verify(Source::memory(file_of_version(9)), p).ok());
    CHECK(check_access(Source::memory(file_of_version(9)), p, ring).ok());
    CHECK(open_class(file_of_version(8), p, ring) == Detail::kNone);
    CHECK(verify(Source::memory(file_of_version(7)), p).error().detail() == Detail::kRollback);

    // A stolen key signs version 2^63; the next bundle takes the memory back.
    CHECK(open_class(file_of_version(uint64_t{1} << 63), p, ring) == Detail::kNone);
    CHECK(open_class(file_of_version(9), p, ring) == Detail::kRollback);
    trust::Bundle next = bundles().bundle(2);
    next.min_versions = {{trust::model_id("com.acme.detector").value(), 8, 2}};
    trust::Policy p2 = bundles().policy(next);
    p2.state = p.state;
    CHECK(open_class(file_of_version(7), p2, ring) == Detail::kRollback);  // below the minimum
    CHECK(open_class(file_of_version(9), p2, ring) == Detail::kNone);
    CHECK(open_class(file_of_version(8), p2, ring) == Detail::kRollback);  // 9 was seen since
    // And the first bundle is of the past.
    CHECK(open_class(file_of_version(9), p, ring) == Detail::kRollback);
}

TEST_CASE("what was seen: an expired bundle still opens the files of before") {
    const trust::Keyring ring = keys().x25519_ring();
    MemoryStore store;
    trust::Bundle b = bundles().bundle();
    b.expires = kNow + 100;
    const auto at = [&](int64_t now) {
        trust::Policy p = bundles().policy(b, now);
        p.state = store.state();
        return p;
    };
    REQUIRE(trust::create_state(*store.state(), nullptr).ok());
    const FileBytes old = file_of_version(7), fresh = file_of_version(8);
    CHECK(open_class(old, at(kNow), ring) == Detail::kNone);
    CHECK(open_class(fresh, at(kNow + 101), ring) == Detail::kExpired);
    CHECK(open_class(old, at(kNow + 101), ring) == Detail::kNone);
    CHECK(open_class(fresh, at(kNow + 100), ring) == Detail::kNone);
}

TEST_CASE("what was seen: the clock") {
    const trust::Keyring ring = keys().x25519_ring();
    MemoryStore store;
    REQUIRE(trust::create_state(*store.state(), nullptr).ok());
    const auto at = [&](int64_t now) { return policy_at(now, store); };
    const FileBytes dated = file_of_version(7, kNow, kNow + 10'000), undated = file_of_version(7);
    CHECK(open_class(dated, at(kNow + 9'000), ring) == Detail::kNone);
    CHECK(open_class(dated, at(kNow + 5'500), ring) == Detail::kNone);  // within an hour
    CHECK(open_class(dated, at(kNow), ring) == Detail::kExpired);
    CHECK(open_class(undated, at(0), ring) == Detail::kNone);  // a device without a battery still works
    // Going back does not bring back what has ended: the latest time seen counts.
    CHECK(open_class(undated, at(kNow + 10'301), ring) == Detail::kNone);
    CHECK(open_class(dated, at(kNow + 9'000), ring) == Detail::kExpired);

    // A licence's grace is also how far the clock may go back.
    MemoryStore fresh;
    REQUIRE(trust::create_state(*fresh.state(), nullptr).ok());
    const FileBytes file = licensed_file();
    const FileBytes l = licence([](auto& o) {
        o.claims.not_after = kNow + 100'000;
        o.claims.grace = 20'000;
    });
    const auto licensed_at = [&](int64_t now) { return open_class(file, policy_at(now, fresh), ring_with({l})); };
    CHECK(licensed_at(kNow + 50'000) == Detail::kNone);
    CHECK(licensed_at(kNow + 30'000) == Detail::kNone);
    CHECK(licensed_at(kNow + 29'999) == Detail::kExpired);
    // That of another licence, which is of no use here, changes nothing.
    const FileBytes somebodys = licence([](auto& o) {
        o.claims.not_after = kNow + 100'000;
        o.claims.grace = 90'000;
        o.recipients = {x25519_recipient(crypto::X25519Identity::generate()->public_key)};
    });
    const trust::Policy back = policy_at(kNow + 29'999, fresh);
    CHECK(open_class(file, back, ring_with({somebodys, l})) == Detail::kNoRecipient);
}

TEST_CASE("what was seen: a refusal because something expired counts, a file that nobody trusted signed does not") {
    const trust::Keyring ring = keys().x25519_ring();
    MemoryStore store;
    REQUIRE(trust::create_state(*store.state(), nullptr).ok());
    const auto at = [&](int64_t now) { return policy_at(now, store); };
    const auto latest = [&] { return static_cast<int64_t>(trust::State::decode(*store.bytes)->latest_time()); };
    const FileBytes dated = file_of_version(7, kNow, kNow + 10'000);
    trust::Policy unsigned_too = at(kNow + 20'000);
    unsigned_too.allow_unsigned = true;
    unsigned_too.signers.clear();
    CHECK(open_class(dated, unsigned_too, ring) == Detail::kExpired);
    CHECK(latest() == 0);
    CHECK(open_class(dated, at(kNow + 20'000), ring) == Detail::kExpired);
    CHECK(latest() == kNow + 20'000);
    CHECK(open_class(dated, at(kNow + 17'000), ring) == Detail::kExpired);  // within the hour
    CHECK(latest() == kNow + 20'000);

    const FileBytes licensed = licensed_file();
    CHECK(open_class(licensed, at(kNow + 30'000), ring_with({licence()})) == Detail::kLicence);
    CHECK(latest() == kNow + 30'000);
    CHECK(open_class(licensed, at(kNow), ring_with({licence()})) == Detail::kLicence);
}

TEST_CASE("what was seen: a bundle is recorded when it is first used, whatever becomes of the file") {
    MemoryStore store;
    const trust::Bundle first = bundles().bundle(1);
    REQUIRE(trust::create_state(*store.state(), bundles().make(first).get()).ok());
    const FileBytes file = file_of_version(7);
    const auto number = [&] { return trust::State::decode(*store.bytes)->bundle_number(); };
    trust::Bundle next = bundles().bundle(2);
    next.revoked_files = {inspect(Source::memory(file))->content_id};
    trust::Policy p = bundles().policy(next);
    p.state = store.state();
    CHECK(open_class(file, p, keys().x25519_ring()) == Detail::kRevoked);
    CHECK(number() == 2);
    // No file at all, and one that is only looked at.
    p = bundles().policy(bundles().bundle(3));
    p.state = store.state();
    CHECK(open_class({}, p, keys().x25519_ring()) == Detail::kFormat);
    CHECK(number() == 3);
    p = bundles().policy(bundles().bundle(4));
    p.state = store.state();
    CHECK(verify(Source::memory(file), p).ok());
    CHECK(number() == 4);
    // What it took back stays taken back.
    p = bundles().policy(first);
    p.state = store.state();
    CHECK(open_class(file, p, keys().x25519_ring()) == Detail::kRollback);
}

TEST_CASE("what was seen: a damaged memory, one that fails, an unsigned file") {
    const trust::Keyring ring = keys().x25519_ring();
    MemoryStore store;
    trust::Policy p = policy_at(kNow, store);
    REQUIRE(trust::create_state(*p.state, nullptr).ok());
    const FileBytes sound = *store.bytes;
    store.bytes->at(50) ^= std::byte{1};
    CHECK(open_class(file_of_version(7), p, ring) == Detail::kFormat);
    store.bytes = sound;
    // It cannot be stored: the open fails, for what is not remembered can be undone.
    auto broken = std::make_shared<trust::StateStore>(*p.state);
    broken->store = [](Bytes, Bytes) -> Result<bool> { return error(Code::kIo, Detail::kIo, "full"); };
    p.state = broken;
    CHECK(open_class(file_of_version(7), p, ring) == Detail::kIo);
    CHECK(*store.bytes == sound);
    // Anybody can write an unsigned file of version 2^63.
    p.state = store.state();
    p.allow_unsigned = true;
    WriteOptions o = signed_options({keys().x25519()});
    o.signers.clear();
    graph::Model m = small_model();
    m.version = uint64_t{1} << 63;
    CHECK(open_class(pack(m, o), p, ring) == Detail::kNone);
    CHECK(*store.bytes == sound);
    // Opening the same again stores nothing new.
    CHECK(open_class(file_of_version(7), p, ring) == Detail::kNone);
    const FileBytes same = file_of_version(7);
    CHECK(open_class(same, p, ring) == Detail::kNone);
    const int stores = store.stores;
    CHECK(open_class(same, p, ring) == Detail::kNone);
    CHECK(store.stores == stores);
}

}  // namespace coffer::container::test
