// Trust bundles: chains, thresholds of roots, keys that retire or are revoked, and every rule about the body.
#include "trust/bundle.hpp"

#include <algorithm>
#include <random>

#include "catch.hpp"
#include "trust/policy.hpp"

namespace coffer::trust {
namespace {

constexpr uint64_t kIssued = 1'800'000'000;
constexpr size_t kMax = 256 << 10;

struct Keys {
    std::vector<SigningKey> root, publisher, licensor, distributor;
    Keys() {
        for (auto* list : {&root, &publisher, &licensor, &distributor}) {
            for (int i = 0; i < 3; ++i) list->push_back(SigningKey::generate().value());
        }
    }
};
const Keys& keys() {
    static const Keys k;
    return k;
}

BundleKey key(KeyRole role, const SigningKey& k, KeyState state = KeyState::kActive, uint64_t from = 0,
              uint64_t to = 0) {
    Signer signer = k.signer();
    signer.state = state;
    signer.not_before = from;
    signer.not_after = to;
    return {role, signer};
}

// Three roots of which two must sign, a publisher, a licensor.
Bundle bundle(uint64_t number = 1) {
    Bundle b;
    b.number = number;
    b.chain = {std::byte{7}};
    b.issued = kIssued;
    for (const SigningKey& k : keys().root) b.keys.push_back(key(KeyRole::kRoot, k));
    b.keys.push_back(key(KeyRole::kPublisher, keys().publisher[0]));
    b.keys.push_back(key(KeyRole::kLicensor, keys().licensor[0]));
    b.threshold(KeyRole::kRoot) = 2;
    b.threshold(KeyRole::kPublisher) = 1;
    b.threshold(KeyRole::kLicensor) = 1;
    return b;
}

using File = std::vector<std::byte>;

File signed_by(File file, std::vector<const SigningKey*> signers) {
    for (const SigningKey* s : signers) file = sign_bundle(file, *s, kMax).value();
    return file;
}
File file_of(const Bundle& b, std::vector<int> roots = {0, 1}) {
    std::vector<const SigningKey*> signers;
    for (int i : roots) signers.push_back(&keys().root[static_cast<size_t>(i)]);
    return signed_by(encode_bundle(b).value(), signers);
}
// The same for a body that breaks the rules.
File raw_file(const Bundle& b, Bytes body) {
    Writer w;
    w.put("COFT");
    w.u16(1);
    w.u16(0);
    w.u32(static_cast<uint32_t>(body.size()));
    w.u32(0);
    w.u64(b.number);
    w.u64(0);
    w.put(b.chain);
    w.zeros(16);
    w.put(body);
    w.u16(0);
    return signed_by(w.take(), {&keys().root[0], &keys().root[1]});
}

template <class T>
std::string why(const Result<T>& result, Detail expected) {
    if (result.ok()) return "ok";
    CHECK(result.error().detail() == expected);
    return result.error().message();
}
bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != text.npos;
}
File join(std::vector<File> files) {
    File out;
    for (const File& f : files) out.insert(out.end(), f.begin(), f.end());
    return out;
}

}  // namespace

TEST_CASE("a bundle comes back as it was written") {
    Bundle b = bundle(3);
    b.expires = kIssued + 100;
    b.keys.push_back(key(KeyRole::kPublisher, keys().publisher[1], KeyState::kVerifyOnly, 5, 10));
    b.keys.push_back(key(KeyRole::kPublisher, keys().publisher[2], KeyState::kRevoked));
    b.min_versions = {{{std::byte{1}}, 4, 0}, {{std::byte{2}}, 9, 3}};
    b.revoked_files = {{std::byte{1}}, {std::byte{2}}};
    b.revoked_licences = {{std::byte{3}}};
    b.clock_reset_by = 2;
    const File file = file_of(b);
    const auto r = load_bundle(file, kMax).value();
    CHECK(r->bytes == file);
    CHECK(std::tuple(r->number, r->chain, r->issued, r->expires, r->thresholds, r->clock_reset_by) ==
          std::tuple(b.number, b.chain, b.issued, b.expires, b.thresholds, b.clock_reset_by));
    REQUIRE(r->keys.size() == b.keys.size());
    for (size_t i = 0; i < b.keys.size(); ++i) {
        const Signer &x = r->keys[i].signer, &y = b.keys[i].signer;
        CHECK(std::tuple(r->keys[i].role, x.id, x.state, x.not_before, x.not_after) ==
              std::tuple(b.keys[i].role, y.id, y.state, y.not_before, y.not_after));
    }
    CHECK(r->min_version({std::byte{2}}) == 9);
    CHECK(r->min_version({std::byte{3}}) == 0);
    CHECK(r->revoked_files == b.revoked_files);
    CHECK(r->revoked_licences == b.revoked_licences);
    CHECK(r->digest == crypto::sha256(Bytes(file).first(file.size() - 2 - 200)).value());
}

TEST_CASE("an anchor is one bundle, signed by enough of its own roots") {
    const Bundle b = bundle();
    CHECK(load_bundle(file_of(b), kMax).ok());
    CHECK(load_bundle(file_of(b, {2, 0}), kMax).ok());
    CHECK(load_bundle(file_of(b, {0, 1, 2}), kMax).ok());
    CHECK(contains(why(load_bundle(file_of(b, {1}), kMax), Detail::kUntrusted), "signed by 1 roots"));
    CHECK(contains(why(load_bundle(file_of(b, {}), kMax), Detail::kUntrusted), "signed by 0 roots"));
    // A publisher is no root.
    CHECK(contains(why(load_bundle(signed_by(file_of(b, {0}), {&keys().publisher[0]}), kMax), Detail::kUntrusted),
                   "signed by 1 roots"));
    File wrong = file_of(b);
    wrong.back() ^= std::byte{1};
    CHECK(contains(why(load_bundle(wrong, kMax), Detail::kSignature), "signature is wrong"));
    CHECK(contains(why(load_bundle(join({file_of(b), file_of(bundle(2))}), kMax), Detail::kFormat), "not an anchor"));
    CHECK(contains(why(sign_bundle(file_of(b), keys().root[0], kMax), Detail::kNone), "signed it already"));
    const UnverifiedBundle one = inspect_bundle(file_of(b, {1}), kMax).value();
    CHECK_FALSE(one.complete);
    CHECK(one.signatures == std::vector{keys().root[1].signer().id});
    CHECK(inspect_bundle(file_of(b), kMax)->complete);
}

TEST_CASE("bundles follow each other one by one, also several in a file") {
    const auto first = load_bundle(file_of(bundle(1)), kMax).value();
    const File f2 = file_of(bundle(2)), f3 = file_of(bundle(3), {1, 2});
    CHECK(update_bundle(first, f2, kMax).value()->number == 2);
    CHECK(contains(why(update_bundle(first, f3, kMax), Detail::kRollback), "those between are missing"));
    CHECK(update_bundle(first, join({f2, f3}), kMax).value()->number == 3);
    // One file for devices at any number.
    CHECK(update_bundle(first, join({file_of(bundle(1)), f2, f3}), kMax).value()->number == 3);
    CHECK(contains(why(update_bundle(first, join({f3, f2}), kMax), Detail::kRollback), "missing"));
    const auto third = update_bundle(first, join({f2, f3}), kMax).value();
    CHECK(update_bundle(third, f3, kMax).value()->number == 3);  // nothing new
    CHECK(contains(why(update_bundle(third, f2, kMax), Detail::kRollback), "older"));
    CHECK(contains(why(update_bundle(third, join({f2, f2}), kMax), Detail::kRollback), "older"));
    // Another bundle of the number in force.
    Bundle fork = bundle(3);
    fork.issued += 1;
    CHECK(contains(why(update_bundle(third, file_of(fork), kMax), Detail::kUntrusted), "not the one of this number"));
    // The same roots may keep several chains; they do not mix.
    Bundle other = bundle(2);
    other.chain = {std::byte{8}};
    CHECK(contains(why(update_bundle(first, file_of(other), kMax), Detail::kUntrusted), "another chain"));
    CHECK(why(update_bundle(first, {}, kMax), Detail::kFormat) != "ok");
}

TEST_CASE("roots change only with the consent of the old and the new") {
    const auto first = load_bundle(file_of(bundle(1)), kMax).value();
    std::vector<SigningKey> fresh;
    for (int i = 0; i < 2; ++i) fresh.push_back(SigningKey::generate().value());
    Bundle next = bundle(2);
    next.keys.erase(next.keys.begin(), next.keys.begin() + 3);
    next.keys.push_back(key(KeyRole::kRoot, fresh[0]));
    next.keys.push_back(key(KeyRole::kRoot, fresh[1]));
    const File plain = encode_bundle(next).value();
    const SigningKey &r0 = keys().root[0], &r1 = keys().root[1];
    CHECK(contains(why(update_bundle(first, signed_by(plain, {&fresh[0], &fresh[1]}), kMax), Detail::kUntrusted),
                   "signed by 0 roots of bundle 1"));
    CHECK(contains(why(update_bundle(first, signed_by(plain, {&r0, &r1}), kMax), Detail::kUntrusted),
                   "signed by 0 roots of bundle 2"));
    CHECK(contains(why(update_bundle(first, signed_by(plain, {&r0, &r1, &fresh[0]}), kMax), Detail::kUntrusted),
                   "signed by 1 roots of bundle 2"));
    CHECK(contains(why(update_bundle(first, signed_by(plain, {&r0, &fresh[0], &fresh[1]}), kMax), Detail::kUntrusted),
                   "signed by 1 roots of bundle 1"));
    const auto second = update_bundle(first, signed_by(plain, {&r0, &fresh[0], &r1, &fresh[1]}), kMax).value();
    // The old roots are nothing now.
    Bundle third = next;
    third.number = 3;
    CHECK(contains(
        why(update_bundle(second, signed_by(encode_bundle(third).value(), {&r0, &r1}), kMax), Detail::kUntrusted),
        "signed by 0 roots of bundle 2"));
    CHECK(update_bundle(second, signed_by(encode_bundle(third).value(), {&fresh[0], &fresh[1]}), kMax).ok());
}

TEST_CASE("a revoked root counts for nothing, one out of its time neither") {
    Bundle b = bundle(1);
    b.keys[0].signer.state = KeyState::kRevoked;
    CHECK(contains(why(load_bundle(file_of(b, {0, 1}), kMax), Detail::kUntrusted), "signed by 1 roots"));
    CHECK(load_bundle(file_of(b, {1, 2}), kMax).ok());
    // The bundle that revokes a root may still be signed by it for the one before, but needs others for itself.
    const auto first = load_bundle(file_of(bundle(1)), kMax).value();
    b.number = 2;
    CHECK(contains(why(update_bundle(first, file_of(b, {0, 1}), kMax), Detail::kUntrusted), "roots of bundle 2"));
    CHECK(update_bundle(first, file_of(b, {0, 1, 2}), kMax).ok());
    b = bundle(1);
    b.keys[0].signer.not_after = kIssued - 1;
    CHECK(contains(why(load_bundle(file_of(b, {0, 1}), kMax), Detail::kUntrusted), "signed by 1 roots"));
    b.keys[0].signer.not_after = kIssued;
    CHECK(load_bundle(file_of(b, {0, 1}), kMax).ok());
}

TEST_CASE("every rule about the body refuses what breaks it") {
    const auto with = [](auto change, Detail expected = Detail::kFormat) {
        Bundle b = bundle(5);
        change(b);
        return why(load_bundle(raw_file(b, encode_bundle_body(b)), kMax), expected);
    };
    CHECK(with([](auto&) {}) == "ok");
    CHECK(contains(with([](auto& b) { b.issued = 0; }), "no date"));
    CHECK(contains(with([](auto& b) { b.expires = b.issued - 1; }), "expires before"));
    CHECK(contains(with([](auto& b) { b.keys[3].role = static_cast<KeyRole>(0); }, Detail::kUnsupported), "role 0"));
    CHECK(contains(with([](auto& b) { b.keys[3].role = static_cast<KeyRole>(5); }, Detail::kUnsupported), "role 5"));
    CHECK(contains(with([](auto& b) { b.keys[3].signer.state = static_cast<KeyState>(3); }, Detail::kUnsupported),
                   "state 3"));
    CHECK(contains(with([](auto& b) { b.keys[3].signer.state = KeyState::kVerifyOnly; }), "has no end"));
    CHECK(contains(with([](auto& b) {
                       b.keys[0].signer.state = KeyState::kVerifyOnly;
                       b.keys[0].signer.not_after = kIssued;
                   }),
                   "root's"));
    CHECK(contains(with([](auto& b) {
                       b.keys[3].signer.not_before = 9;
                       b.keys[3].signer.not_after = 8;
                   }),
                   "ends before it begins"));
    CHECK(contains(with([](auto& b) { b.keys[3].signer.public_key = {std::byte{1}}; }), "key 3"));
    CHECK(contains(with([](auto& b) { b.keys.push_back(b.keys[0]); }), "twice"));
    CHECK(contains(with([](auto& b) { b.keys.push_back(key(KeyRole::kLicensor, keys().publisher[0])); }), "twice"));
    CHECK(contains(with([](auto& b) { b.threshold(KeyRole::kRoot) = 0; }), "role root"));
    CHECK(contains(with([](auto& b) { b.threshold(KeyRole::kRoot) = 4; }), "role root"));
    CHECK(contains(with([](auto& b) { b.threshold(KeyRole::kPublisher) = 0; }), "role publisher"));
    CHECK(contains(with([](auto& b) { b.threshold(KeyRole::kPublisher) = 2; }), "role publisher"));
    CHECK(contains(with([](auto& b) { b.threshold(KeyRole::kDistributor) = 1; }), "role distributor"));
    CHECK(contains(with([](auto& b) { b.keys[3].signer.state = KeyState::kRevoked; }), "role publisher"));
    CHECK(contains(with([](auto& b) { b.keys.erase(b.keys.begin(), b.keys.begin() + 3); }), "role root"));
    CHECK(contains(with([](auto& b) {
                       b.min_versions = {{{std::byte{2}}, 1, 0}, {{std::byte{1}}, 1, 0}};
                   }),
                   "minimum version 1"));
    CHECK(contains(with([](auto& b) {
                       b.min_versions = {{{std::byte{2}}, 1, 0}, {{std::byte{2}}, 1, 0}};
                   }),
                   "minimum version 1"));
    CHECK(contains(with([](auto& b) { b.min_versions = {{{std::byte{2}}, 1, 6}}; }), "minimum version 0"));
    CHECK(contains(with([](auto& b) { b.revoked_files = {{std::byte{2}}, {std::byte{1}}}; }), "revoked"));
    CHECK(contains(with([](auto& b) { b.revoked_licences = {{std::byte{1}}, {std::byte{1}}}; }), "revoked"));
    CHECK(contains(with([](auto& b) { b.clock_reset_by = 6; }), "clock"));
    CHECK(contains(with([](auto& b) {
                       for (int i = 0; i < 260; ++i) b.keys.push_back(b.keys[0]);
                   }),
                   "keys"));
    // A key of an algorithm of the future is kept out, and does not disturb.
    CHECK(with([](auto& b) {
              b.keys.push_back(key(KeyRole::kDistributor, keys().distributor[0]));
              b.keys.back().signer.alg = SignatureAlg::kMlDsa65;
          }) == "ok");
}

TEST_CASE("the envelope of a bundle: heads that lie, truncations, flips, noise") {
    const File file = file_of(bundle());
    const auto put = [&](size_t at, std::vector<int> bytes, Detail expected = Detail::kFormat) {
        File changed = file;
        for (size_t i = 0; i < bytes.size(); ++i) changed[at + i] = static_cast<std::byte>(bytes[i]);
        return why(load_bundle(changed, kMax), expected);
    };
    CHECK(contains(put(0, {'X'}), "not a trust bundle"));
    CHECK(contains(put(4, {2}, Detail::kUnsupported), "version 2"));
    for (size_t at : {6, 12, 24, 48, 63}) CHECK(contains(put(at, {1}), "reserved"));
    CHECK(contains(put(8, {0, 0, 0, 0}, Detail::kLimit), "body of 0"));
    CHECK(contains(put(8, {1, 0, 4, 0}, Detail::kLimit), "body of 262145"));
    CHECK(contains(put(8, {0, 0, 4, 0}), "cut"));
    CHECK(contains(put(16, {0}), "number is 0"));
    CHECK(contains(put(file.size() - 202, {9}), "9 signatures"));
    CHECK(contains(put(file.size() - 202, {3}), "cut"));
    CHECK(contains(put(file.size() - 200, {0}), "signature"));  // of no algorithm
    for (size_t n = 0; n < file.size(); ++n) {
        CHECK_FALSE(load_bundle(Bytes(file).first(n), kMax).ok());
    }
    for (size_t i = 0; i < file.size(); ++i) {
        File changed = file;
        changed[i] ^= std::byte{0x20};
        CHECK_FALSE(load_bundle(changed, kMax).ok());
    }
    // Bodies that are signed and still nonsense.
    const File good = encode_bundle_body(bundle());
    std::mt19937 random(2);
    size_t refused = 0;
    for (size_t i = 0; i < good.size(); ++i) {
        File body = good;
        body[i] ^= static_cast<std::byte>(1 << (random() % 8));
        refused += !inspect_bundle(raw_file(bundle(), body), kMax).ok();
        if (i > 0) refused += !inspect_bundle(raw_file(bundle(), Bytes(good).first(i)), kMax).ok();
    }
    for (int i = 0; i < 300; ++i) {
        File body(1 + random() % 400);
        for (std::byte& b : body) b = static_cast<std::byte>(random());
        if (body.size() >= 8) std::ranges::copy(as_bytes("COTB"), body.begin() + 4);
        refused += !inspect_bundle(raw_file(bundle(), body), kMax).ok();
    }
    CHECK(refused > good.size());
}

TEST_CASE("a policy follows a bundle, and takes keys from nowhere else") {
    Bundle b = bundle(1);
    b.keys.push_back(key(KeyRole::kPublisher, keys().publisher[1], KeyState::kRevoked));
    b.min_versions = {{model_id("a").value(), 4, 0}};
    b.revoked_files = {{std::byte{1}}};
    Policy p;
    REQUIRE(p.follow(load_bundle(file_of(b), kMax).value()).ok());
    CHECK(p.check().ok());
    CHECK(p.signers.size() == 2);
    CHECK(p.find_signer(keys().publisher[0].signer().id)->counts(1));
    CHECK_FALSE(p.find_signer(keys().publisher[1].signer().id)->counts(1));
    CHECK(p.licensors.size() == 1);
    CHECK(p.min_version_of(model_id("a").value()) == 4);
    CHECK(p.min_version_of(model_id("b").value()) == 0);
    p.min_version = 5;
    CHECK(p.min_version_of(model_id("a").value()) == 5);
    CHECK(p.is_revoked({std::byte{1}}));
    // Of two thresholds the higher one holds.
    CHECK(p.needed(KeyRole::kPublisher) == 1);
    p.threshold = 2;
    CHECK(p.needed(KeyRole::kPublisher) == 2);
    p.threshold = 3;
    CHECK(p.check().error().detail() == Detail::kUntrusted);
    Bundle two = b;
    two.keys.push_back(key(KeyRole::kPublisher, keys().publisher[2]));
    two.threshold(KeyRole::kPublisher) = 2;
    REQUIRE(p.follow(load_bundle(file_of(two), kMax).value()).ok());
    CHECK(p.needed(KeyRole::kPublisher) == 3);
    p.threshold = 1;
    CHECK(p.needed(KeyRole::kPublisher) == 2);
    p.licensor_threshold = 2;
    CHECK(p.needed(KeyRole::kLicensor) == 2);
    // The next one replaces all of it.
    REQUIRE(p.follow(load_bundle(file_of(bundle(2)), kMax).value()).ok());
    CHECK(p.signers.size() == 1);
    CHECK_FALSE(p.is_revoked({std::byte{1}}));
    CHECK_FALSE(p.add_signer(SigningKey::generate()->signer()).ok());
    Policy own;
    REQUIRE(own.add_signer(keys().publisher[2].signer()).ok());
    CHECK_FALSE(own.follow(load_bundle(file_of(b), kMax).value()).ok());
    CHECK(own.signers.size() == 1);
}

TEST_CASE("when a key's signature counts") {
    Signer s = keys().publisher[0].signer();
    CHECK(s.counts(0));
    s.not_before = 10;
    s.not_after = 20;
    CHECK_FALSE(s.counts(0));
    CHECK_FALSE(s.counts(9));
    CHECK(s.counts(10));
    CHECK(s.counts(20));
    CHECK_FALSE(s.counts(21));
    s.not_before = 0;
    CHECK_FALSE(s.counts(0));  // no date, no proof
    s.not_after = 0;
    s.state = KeyState::kRevoked;
    CHECK_FALSE(s.counts(0));
}

}  // namespace coffer::trust
