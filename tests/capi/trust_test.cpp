// Licences, trust bundles and the trust store through the C ABI and its C++ face.
#include <algorithm>
#include <cstring>
#include <optional>

#include "catch.hpp"
#include "coffer/coffer.hpp"
#include "trust_world.hpp"

namespace {

using namespace test_world;

coffer::Keyring device_keys() {
    coffer::Keyring ring;
    REQUIRE(ring.add_identity(device_identity()));
    return ring;
}

coffer_status clock_of(void* user, int64_t* now, coffer_error* error) {
    *now = *static_cast<int64_t*>(user);
    if (*now >= 0) return COFFER_OK;
    std::strcpy(error->message, "no time server answers");
    return COFFER_UNSUPPORTED;
}

struct Memory {
    std::optional<File> bytes;
    int fail = 0;  // 1: loading, 2: storing
    static coffer_status load(void* user, void* data, size_t capacity, size_t* size, coffer_error* error) {
        auto& m = *static_cast<Memory*>(user);
        if (m.fail == 1) {
            std::strcpy(error->message, "the disk is gone");
            return COFFER_IO;
        }
        if (!m.bytes) return COFFER_NOT_FOUND;
        REQUIRE(capacity >= m.bytes->size());
        std::memcpy(data, m.bytes->data(), m.bytes->size());
        *size = m.bytes->size();
        return COFFER_OK;
    }
    static coffer_status replace(void* user, const void* expected, size_t expected_size, const void* data,
                                 size_t size, coffer_error*) {
        auto& m = *static_cast<Memory*>(user);
        if (m.fail == 2) return COFFER_DEADLINE;
        if (m.bytes ? m.bytes->size() != expected_size || std::memcmp(expected, m.bytes->data(), expected_size) != 0
                    : expected_size != 0) {
            return COFFER_CONFLICT;
        }
        const auto* begin = static_cast<const std::byte*>(data);
        m.bytes.emplace(begin, begin + size);
        return COFFER_OK;
    }
    coffer_trust_store get() { return {sizeof(coffer_trust_store), load, replace, this}; }
};

std::string open_class(const File& file, const coffer::Keyring& keys, const coffer::Policy& policy) {
    auto model = coffer::Model::open(std::span<const std::byte>(file), keys, policy);
    return model ? "ok" : coffer_detail_name(model.error().detail());
}

}  // namespace

TEST_CASE("a licence through the API: terms, host, what it says") {
    const File file = test_world::model(7, true);
    int64_t now = kNow;
    coffer::Policy policy;
    policy.trust_pem(vendor_pem()).trust_licensor_pem(licensor_pem()).clock(clock_of, &now);
    coffer::Keyring keys = device_keys();
    CHECK(open_class(file, keys, policy) == std::string("licence"));
    REQUIRE(keys.add_licence(licence(true)));
    CHECK(open_class(file, keys, policy) == std::string("licence"));  // no host value is known
    policy.host_value("machine-id", "m1");
    CHECK(open_class(file, keys, policy) == std::string("licence"));
    struct Host {
        std::vector<std::string> asked;
        coffer_status answer = COFFER_OK;
    } host;
    const coffer_host_value value_of = [](void* user, const char* kind, char* value, size_t capacity,
                                          coffer_error* error) {
        auto& h = *static_cast<Host*>(user);
        h.asked.push_back(kind);
        CHECK(capacity >= 256);
        std::strcpy(value, "h1\n");
        std::strcpy(error->message, "dmi is closed");
        return h.answer;
    };
    policy.host_callback(value_of, &host);
    const auto open_error = [&] {
        return coffer::Model::open(std::span<const std::byte>(file), keys, policy).error();
    };
    for (const coffer_status status : {COFFER_NOT_FOUND, COFFER_IO, COFFER_CANCELLED}) {
        host.answer = status;
        const coffer::Error error = open_error();
        const bool ends = status == COFFER_CANCELLED, told = status != COFFER_NOT_FOUND;
        CHECK(error.status() == (ends ? COFFER_CANCELLED : COFFER_POLICY));
        CHECK(error.detail() == (ends ? COFFER_DETAIL_CANCELLED : COFFER_DETAIL_LICENCE));
        CHECK((std::string(error.message()).find("hostname: dmi is closed") != std::string::npos) == told);
    }
    host = {};
    now = -1;
    CHECK(open_error().status() == COFFER_IO);
    CHECK(std::string(open_error().message()) == "the caller's clock: no time server answers");
    now = kNow + 1200;
    auto model = coffer::Model::open(std::span<const std::byte>(file), keys, policy);
    if (!model) FAIL(model.error().message());
    CHECK(host.asked == std::vector<std::string>{"hostname"});
    const auto info = model->licence();
    REQUIRE(info);
    CHECK(std::string(info->holder) == "Acme");
    CHECK(std::string(info->product) == "Vision");
    CHECK(info->not_after == kNow + 1000);
    CHECK(info->grace == 500);
    CHECK(info->in_grace == 1);
    REQUIRE(info->feature_count == 2);
    CHECK(std::string(info->features[1]) == "gpu");
    now = kNow + 1501;
    CHECK(open_class(file, keys, policy) == std::string("licence"));
    now = kNow;
    policy.product("Audio");
    CHECK(open_class(file, keys, policy) == std::string("licence"));
    policy.product("Vision");
    CHECK(open_class(file, keys, policy) == std::string("ok"));
    policy.host_callback(nullptr, nullptr);
    CHECK(open_class(file, keys, policy) == std::string("licence"));

    auto plain = coffer::Model::open(std::span<const std::byte>(test_world::model(7, false)), keys, policy);
    REQUIRE(plain);
    CHECK_FALSE(plain->licence());
    CHECK(plain->licence().error().status() == COFFER_NOT_FOUND);
    coffer_licence_info old{};
    coffer_error error;
    CHECK(coffer_model_licence(&old, model->get(), &error) == COFFER_INVALID_ARGUMENT);  // no struct_size
    CHECK_FALSE(keys.add_licence(File(10)));
    CHECK_FALSE(keys.add_licence_file("/nowhere/x.licence"));
}

TEST_CASE("times per node through the face") {
    coffer::Policy policy;
    policy.trust_pem(vendor_pem());
    const auto model =
        coffer::Model::open(std::span<const std::byte>(test_world::model(7, false)), device_keys(), policy);
    REQUIRE(model);
    const std::vector<float> x(3 * 16 * 16);
    for (const bool on : {true, false}) {
        auto runner = model->runner({.threads = 1, .profile = on});
        REQUIRE(runner);
        REQUIRE(runner->run({{"x", coffer::Value(x, {1, 3, 16, 16})}}));
        const auto entries = runner->profile();
        REQUIRE(entries);
        CHECK((entries->size() > 2) == on);
        for (const coffer_profile_entry& entry : *entries) CHECK(entry.calls >= 1);
    }
}

TEST_CASE("keys have one role, in the API too") {
    coffer::Policy policy;
    policy.trust_pem(vendor_pem()).trust_licensor_pem(vendor_pem());
    REQUIRE_FALSE(policy.status());
    CHECK(policy.status().error().status() == COFFER_INVALID_ARGUMENT);
}

TEST_CASE("a trust bundle through the API: anchor, update, refusals") {
    const coffer::Keyring keys = device_keys();
    const File file = test_world::model(7, false);
    coffer::Policy policy;
    CHECK(policy.bundle().error().status() == COFFER_NOT_FOUND);
    CHECK(policy.bundle_number().error().status() == COFFER_NOT_FOUND);
    CHECK_FALSE(policy.update_bundle(bundle(2)));
    const File first = bundle(1);
    policy.bundle(first);
    REQUIRE(policy.status());
    CHECK(open_class(file, keys, policy) == std::string("ok"));
    CHECK(std::ranges::equal(*policy.bundle(), std::span<const std::byte>(first)));

    CHECK(policy.update_bundle(bundle(3)).error().detail() == COFFER_DETAIL_ROLLBACK);
    File bad = bundle(2);
    bad.back() ^= std::byte{1};
    CHECK(policy.update_bundle(bad).error().status() == COFFER_AUTH);
    CHECK(std::ranges::equal(*policy.bundle(), std::span<const std::byte>(first)));
    CHECK(open_class(file, keys, policy) == std::string("ok"));

    File chain = bundle(2);
    const File third = bundle(3, 8);
    chain.insert(chain.end(), third.begin(), third.end());
    REQUIRE(policy.update_bundle(chain));
    CHECK(*policy.bundle_number() == 3);
    CHECK(open_class(file, keys, policy) == std::string("rollback"));
    CHECK(open_class(test_world::model(8, false), keys, policy) == std::string("ok"));
    // The bundle says one signature is enough; the program wants two.
    CHECK(policy.threshold(2).status());
    CHECK(open_class(test_world::model(8, false), keys, policy) == std::string("untrusted"));
    CHECK(policy.threshold(1).status());

    policy.trust_pem(vendor_pem());  // keys come from one place
    CHECK_FALSE(policy.status());
    coffer::Policy own;
    own.trust_pem(vendor_pem()).bundle(first);
    CHECK_FALSE(own.status());
}

TEST_CASE("the trust store through the API") {
    const coffer::Keyring keys = device_keys();
    Memory memory;
    const coffer_trust_store store = memory.get();
    coffer::Policy policy;
    policy.bundle(bundle(1)).trust_store(store);
    REQUIRE(policy.status());
    const File seventh = test_world::model(7, false), eighth = test_world::model(8, false);
    const auto open_error = [&](const File& file) {
        return coffer::Model::open(std::span<const std::byte>(file), keys, policy).error();
    };
    CHECK(open_error(seventh).status() == COFFER_NOT_FOUND);
    REQUIRE(coffer::create_trust_store(store, policy));
    CHECK(coffer::create_trust_store(store, policy).error().status() == COFFER_CONFLICT);
    CHECK(open_class(test_world::model(7, false), keys, policy) == std::string("ok"));
    CHECK(open_class(test_world::model(6, false), keys, policy) == std::string("rollback"));
    memory.fail = 1;
    CHECK(open_error(seventh).status() == COFFER_IO);
    CHECK(std::string(open_error(seventh).message()) == "trust store: load: the disk is gone");
    memory.fail = 2;
    CHECK(open_error(eighth).status() == COFFER_DEADLINE);
    memory.fail = 0;
    CHECK(open_class(test_world::model(7, false), keys, policy) == std::string("ok"));
    memory.bytes->at(20) ^= std::byte{1};
    CHECK(open_class(test_world::model(7, false), keys, policy) == std::string("format"));
    coffer_error error;
    CHECK(coffer_policy_set_trust_store(nullptr, &store, &error) == COFFER_INVALID_ARGUMENT);
    coffer_trust_store bad = store;
    bad.load = nullptr;
    CHECK(coffer_trust_store_create(&bad, nullptr, &error) == COFFER_INVALID_ARGUMENT);
    bad = store;
    bad.struct_size = 1;
    CHECK(coffer_trust_store_create(&bad, nullptr, &error) == COFFER_INVALID_ARGUMENT);
    CHECK(coffer_trust_store_create(nullptr, nullptr, &error) == COFFER_INVALID_ARGUMENT);
    policy.trust_store(store);
    REQUIRE(coffer_policy_set_trust_store(const_cast<coffer_policy*>(policy.get()), nullptr, &error) == COFFER_OK);
    CHECK(open_class(test_world::model(6, false), keys, policy) == std::string("ok"));
}
