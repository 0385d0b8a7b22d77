// Licences: the envelope, who may sign, and every rule about claims.
#include "trust/licence.hpp"

#include <algorithm>
#include <random>

#include "catch.hpp"

namespace coffer::trust {
namespace {

constexpr uint64_t kNow = 1'800'000'000;
constexpr size_t kWrap = 60;

const SigningKey& licensor() {
    static const SigningKey key = SigningKey::generate().value();
    return key;
}

LicenceClaims claims() {
    LicenceClaims c;
    c.issued = kNow - 1000;
    c.product = "Acme Vision";
    c.holder = "Müller GmbH";
    c.not_before = kNow - 100;
    c.not_after = kNow + 100;
    c.grace = 50;
    c.models = {model_id("a").value(), model_id("b").value()};
    std::ranges::sort(c.models);
    c.min_version = 2;
    c.max_version = 5;
    c.features = {"batch", "gpu"};
    c.kek_ids = {KekId{std::byte{1}}};
    return c;
}

// Head, claims and a wrap of zeros, whatever the claims say; signed.
std::vector<std::byte> licence_with(Bytes claim_bytes, const SigningKey& key = licensor()) {
    Writer w;
    w.put("COFL");
    w.u16(1);
    w.u16(1);
    w.u32(static_cast<uint32_t>(claim_bytes.size()));
    w.u32(kWrap);
    w.put(LicenceId{std::byte{0x11}});
    w.zeros(32);
    w.put(claim_bytes);
    w.zeros(kWrap);
    const auto digest = crypto::sha256(w.bytes()).value();
    w.put(encode_signature(key.signer(), key.sign(kLicenceLabel, digest).value()));
    return w.take();
}
std::vector<std::byte> licence_of(const LicenceClaims& c) {
    return licence_with(encode_claims(c));
}

Policy policy() {
    Policy p;
    REQUIRE(p.add_licensor(licensor().signer()).ok());
    return p;
}

// "" when accepted, else the message; everything wrong with a licence is one class.
std::string refusal(const std::vector<std::byte>& file, const Policy& p) {
    const auto licence = verify_licence(file, p);
    if (licence.ok()) return "";
    CHECK(licence.error().detail() == Detail::kLicence);
    return licence.error().message();
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != text.npos;
}

}  // namespace

TEST_CASE("a licence comes back as it was written") {
    LicenceClaims c = claims();
    c.hosts = {bind_host("machine-id", " 0123 \n").value(), bind_host("board-serial", "x").value()};
    c.hosts_needed = 1;
    const auto file = licence_of(c);
    const Licence l = verify_licence(file, policy()).value();
    CHECK(l.id == LicenceId{std::byte{0x11}});
    CHECK(l.claims.product == c.product);
    CHECK(l.claims.holder == c.holder);
    CHECK(l.claims.models == c.models);
    CHECK(l.claims.features == c.features);
    CHECK(l.claims.kek_ids == c.kek_ids);
    CHECK(l.claims.hosts.at(1).mac == c.hosts[1].mac);
    CHECK(l.claims.hosts_needed == 1);
    CHECK(std::tuple(l.claims.issued, l.claims.not_before, l.claims.not_after, l.claims.grace) ==
          std::tuple(c.issued, c.not_before, c.not_after, c.grace));
    CHECK(std::tuple(l.claims.min_version, l.claims.max_version) == std::tuple(2u, 5u));
    CHECK(l.bound_to == crypto::sha256(Bytes(file).first(kLicenceHead + encode_claims(c).size())).value());
    CHECK(l.signers == std::vector{licensor().signer().id});
}

TEST_CASE("only a trusted licensor signs a licence") {
    const auto file = licence_of(claims());
    CHECK(refusal(file, policy()) == "");
    CHECK(contains(refusal(file, Policy()), "not signed by a licensor that is trusted"));
    // A publisher is no licensor, and a key has one role.
    Policy publisher;
    REQUIRE(publisher.add_signer(licensor().signer()).ok());
    CHECK(contains(refusal(file, publisher), "not signed by a licensor"));
    CHECK_FALSE(publisher.add_licensor(licensor().signer()).ok());
    Policy both = policy();
    both.signers.push_back(licensor().signer());
    CHECK_FALSE(both.check().ok());
    // Two are needed; the second entry is by the same key, then by another one.
    Policy two = policy();
    const SigningKey other = SigningKey::generate().value();
    REQUIRE(two.add_licensor(other.signer()).ok());
    two.licensor_threshold = 2;
    CHECK(contains(refusal(file, two), "2 are needed"));
    auto more = file;
    more.insert(more.end(), file.end() - 100, file.end());
    CHECK(contains(refusal(more, two), "two signatures of one key"));
    const auto digest = crypto::sha256(Bytes(file).first(file.size() - 100)).value();
    more.resize(file.size());
    const auto entry = encode_signature(other.signer(), other.sign(kLicenceLabel, digest).value());
    more.insert(more.end(), entry.begin(), entry.end());
    CHECK(refusal(more, two) == "");
    // A signature under another label, or over another licence, is none.
    auto wrong = file;
    const auto slots = licensor().sign(kSlotsLabel, digest).value();
    std::ranges::copy(slots, wrong.end() - 64);
    CHECK(contains(refusal(wrong, policy()), "signature is wrong"));
}

TEST_CASE("keys of a licensor have times and states") {
    const auto file = licence_of(claims());
    Policy p = policy();
    p.licensors[0].not_after = claims().issued - 1;
    CHECK(contains(refusal(file, p), "trusted for its date"));
    p.licensors[0].not_after = claims().issued;
    p.licensors[0].state = KeyState::kVerifyOnly;
    CHECK(refusal(file, p) == "");
    p.licensors[0].state = KeyState::kRevoked;
    CHECK(contains(refusal(file, p), "revoked"));
    p = policy();
    p.revoked_licences = {LicenceId{std::byte{0x11}}};
    CHECK(contains(refusal(file, p), "revoked"));
}

TEST_CASE("every rule about claims refuses what breaks it") {
    const auto with = [](auto change) {
        LicenceClaims c = claims();
        change(c);
        return refusal(licence_of(c), policy());
    };
    CHECK(with([](auto&) {}) == "");
    CHECK(contains(with([](auto& c) { c.suite = static_cast<crypto::Suite>(3); }), "cipher suite 3"));
    CHECK(contains(with([](auto& c) { c.product = ""; }), "product"));
    CHECK(contains(with([](auto& c) { c.product = std::string(257, 'p'); }), "product"));
    CHECK(contains(with([](auto& c) { c.product = "a\nb"; }), "product"));
    CHECK(contains(with([](auto& c) { c.product = "\xff"; }), "product"));
    CHECK(contains(with([](auto& c) { c.holder = std::string(1025, 'h'); }), "holder"));
    CHECK(contains(with([](auto& c) { c.holder = std::string("a\0b", 3); }), "holder"));
    CHECK(contains(with([](auto& c) { c.not_after = c.not_before - 1; }), "ends before it begins"));
    CHECK(contains(with([](auto& c) { c.grace = uint64_t{1} << 40; }), "grace"));
    CHECK(contains(with([](auto& c) { c.not_after = ~uint64_t{0}; }), "grace"));
    CHECK(contains(with([](auto& c) { c.models.clear(); }), "models"));
    CHECK(contains(with([](auto& c) { std::ranges::reverse(c.models); }), "models"));
    CHECK(contains(with([](auto& c) { c.models = {c.models[0], c.models[0]}; }), "models"));
    CHECK(contains(with([](auto& c) {
                       c.models.clear();
                       for (int i = 0; i < 257; ++i) c.models.push_back({std::byte(i >> 8), std::byte(i)});
                   }),
                   "models"));
    CHECK(contains(with([](auto& c) { c.max_version = 1; }), "versions"));
    CHECK(contains(with([](auto& c) { c.features = {"x", "x"}; }), "twice"));
    CHECK(contains(with([](auto& c) { c.features = {""}; }), "feature 0"));
    CHECK(contains(with([](auto& c) { c.features.assign(65, "f"); }), "65 features"));
    CHECK(contains(with([](auto& c) { c.hosts_needed = 1; }), "host values"));
    const HostBinding host = bind_host("machine-id", "x").value();
    CHECK(contains(with([&](auto& c) { c.hosts = {host}; }), "host values"));
    CHECK(contains(with([&](auto& c) {
                       c.hosts = {host};
                       c.hosts_needed = 2;
                   }),
                   "host values"));
    CHECK(contains(with([&](auto& c) {
                       c.hosts.assign(17, host);
                       c.hosts_needed = 1;
                   }),
                   "host values"));
    CHECK(contains(with([&](auto& c) {
                       c.hosts = {host};
                       c.hosts[0].kind = "Machine Id";
                       c.hosts_needed = 1;
                   }),
                   "host value 0"));
    CHECK(contains(with([](auto& c) { c.kek_ids.push_back({}); }), "key ids"));
    CHECK(contains(with([](auto& c) { c.kek_ids.clear(); }), "key ids"));
}

TEST_CASE("a licence covers models and versions, and permits a time, a product and a host") {
    LicenceClaims c = claims();
    c.hosts = {bind_host("machine-id", "0123").value(), bind_host("board-serial", "S1").value(),
               bind_host("hostname", "press").value()};
    c.hosts_needed = 2;
    const Licence l = verify_licence(licence_of(c), policy()).value();
    CHECK(check_covers(l, c.models[1], 2).ok());
    CHECK(check_covers(l, c.models[0], 5).ok());
    CHECK(contains(check_covers(l, c.models[0], 1).error().message(), "wrong version"));
    CHECK(contains(check_covers(l, c.models[0], 6).error().message(), "wrong version"));
    CHECK(contains(check_covers(l, model_id("c").value(), 3).error().message(), "wrong model"));

    Policy p = policy();
    const auto why = [&](uint64_t now) {
        const Status status = check_permits(l, p, now);
        if (!status.ok()) CHECK(status.error().code() == Code::kPolicy);
        return status.ok() ? std::string() : status.error().message();
    };
    CHECK(contains(why(kNow), "wrong host: 0 of its values match, 2 are needed"));
    p.host_values = {{"machine-id", "0123\n"}, {"hostname", " \n"}};
    CHECK(contains(why(kNow), "wrong host: 1"));
    std::vector<std::string> asked;
    p.host_value = [&](const std::string& kind) -> Result<std::optional<std::string>> {
        asked.push_back(kind);
        if (kind == "board-serial") return std::optional<std::string>("S1");
        return std::optional<std::string>();
    };
    CHECK(why(kNow) == "");
    CHECK(asked == std::vector<std::string>{"board-serial"});  // the others are known
    CHECK(contains(why(c.not_before - 1), "not yet valid"));
    CHECK(why(c.not_before) == "");
    CHECK(why(c.not_after + c.grace) == "");
    CHECK_FALSE(in_grace(c, c.not_after));
    CHECK(in_grace(c, c.not_after + 1));
    CHECK(contains(why(c.not_after + c.grace + 1), "expired"));
    p.product = "Acme Vision";
    CHECK(why(kNow) == "");
    p.product = "Acme Audio";
    CHECK(contains(why(kNow), "wrong product"));
    CHECK_FALSE(bind_host("machine-id", " \n").ok());
    CHECK_FALSE(bind_host("", "x").ok());
}

TEST_CASE("the envelope of a licence: heads that lie, truncations, flips, noise") {
    const auto file = licence_of(claims());
    const auto put = [&](size_t at, std::vector<int> bytes) {
        auto changed = file;
        for (size_t i = 0; i < bytes.size(); ++i) changed[at + i] = static_cast<std::byte>(bytes[i]);
        return refusal(changed, policy());
    };
    CHECK(contains(put(0, {'X'}), "not a licence"));
    CHECK(contains(put(4, {2}), "version 2"));
    CHECK(contains(put(6, {0, 0}), "0 wraps"));
    CHECK(contains(put(6, {65}), "65 wraps"));
    CHECK(contains(put(8, {0, 0, 0, 0}), "claims of 0"));
    CHECK(contains(put(8, {1, 0, 1, 0}), "claims of 65537"));
    CHECK(contains(put(8, {0xff, 0xff, 0, 0}), "cut"));
    CHECK(contains(put(12, {0, 0, 0, 0}), "wraps of 0"));
    CHECK(contains(put(12, {1, 0, 1, 0}), "wraps of 65537"));
    CHECK(contains(put(40, {1}), "reserved"));
    for (size_t n = 0; n < file.size(); ++n) {
        const auto why = refusal({file.begin(), file.begin() + static_cast<long>(n)}, policy());
        CHECK(contains(why, n < 4 ? "not a licence" : n < file.size() - 100 ? "it is cut" : "licence"));
    }
    for (size_t i = 0; i < file.size(); ++i) {
        auto changed = file;
        changed[i] ^= std::byte{0x40};
        CHECK(refusal(changed, policy()) != "");
    }
    auto longer = file;
    longer.push_back(std::byte{0});
    CHECK(refusal(longer, policy()) != "");

    // Claims that are signed and still nonsense: every byte changed, cut at every length, then noise.
    const auto good = encode_claims(claims());
    size_t refused = 0;
    std::mt19937 random(1);
    const auto attempt = [&](const std::vector<std::byte>& bytes) {
        const auto l = verify_licence(licence_with(bytes), policy());
        if (!l.ok()) CHECK(l.error().detail() == Detail::kLicence);
        refused += !l.ok();
    };
    for (size_t i = 0; i < good.size(); ++i) {
        for (int bit : {0, 7}) {
            auto bytes = good;
            bytes[i] ^= static_cast<std::byte>(1 << bit);
            attempt(bytes);
        }
        if (i > 0) attempt({good.begin(), good.begin() + static_cast<long>(i)});
    }
    for (int i = 0; i < 500; ++i) {
        std::vector<std::byte> bytes(1 + random() % 300);
        for (std::byte& b : bytes) b = static_cast<std::byte>(random());
        if (bytes.size() >= 8) std::ranges::copy(as_bytes("COLC"), bytes.begin() + 4);
        attempt(bytes);
    }
    CHECK(refused > good.size());
}

}  // namespace coffer::trust
