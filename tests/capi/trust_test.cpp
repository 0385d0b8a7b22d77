// Licences, trust bundles and the memory of earlier runs through the C ABI and its C++ face.
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

int64_t clock_of(void* user) {
    return *static_cast<int64_t*>(user);
}

struct Memory {
    std::optional<File> bytes;
    int fail = 0;  // 1: loading, 2: storing
    static int load(void* user, void* data, size_t capacity, size_t* size) {
        auto& m = *static_cast<Memory*>(user);
        if (m.fail == 1) return 0;
        if (!m.bytes) return 2;
        REQUIRE(capacity >= m.bytes->size());
        std::memcpy(data, m.bytes->data(), m.bytes->size());
        *size = m.bytes->size();
        return 1;
    }
    static int store(void* user, const void* expected, size_t expected_size, const void* data, size_t size) {
        auto& m = *static_cast<Memory*>(user);
        if (m.fail == 2) return 0;
        if (m.bytes ? m.bytes->size() != expected_size || std::memcmp(expected, m.bytes->data(), expected_size) != 0
                    : expected_size != 0) {
            return 2;
        }
        const auto* begin = static_cast<const std::byte*>(data);
        m.bytes.emplace(begin, begin + size);
        return 1;
    }
    coffer_state_store get() { return {sizeof(coffer_state_store), load, store, this}; }
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
    std::vector<std::string> asked;
    const coffer_host_value host = [](void* user, const char* kind, char* value, size_t capacity) {
        static_cast<std::vector<std::string>*>(user)->push_back(kind);
        CHECK(capacity >= 256);
        std::strcpy(value, "h1\n");
        return 1;
    };
    policy.host_callback(host, &asked);
    now = kNow + 1200;
    auto model = coffer::Model::open(std::span<const std::byte>(file), keys, policy);
    if (!model) FAIL(model.error().message());
    CHECK(asked == std::vector<std::string>{"hostname"});
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
    coffer_licence_info old{};
    coffer_error error;
    CHECK(coffer_model_licence(&old, model->get(), &error) == COFFER_INVALID_ARGUMENT);  // no struct_size
    CHECK_FALSE(keys.add_licence(File(10)));
    CHECK_FALSE(keys.add_licence_file("/nowhere/x.licence"));
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
    CHECK_FALSE(policy.bundle());
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
    uint64_t number = 0;
    const void* data = nullptr;
    size_t size = 0;
    REQUIRE(coffer_policy_bundle(&data, &size, &number, policy.get(), nullptr) == COFFER_OK);
    CHECK(number == 3);
    CHECK(open_class(file, keys, policy) == std::string("rollback"));
    CHECK(open_class(test_world::model(8, false), keys, policy) == std::string("ok"));

    CHECK(coffer_policy_set_threshold(const_cast<coffer_policy*>(policy.get()), 1, nullptr) == COFFER_INVALID_ARGUMENT);
    policy.trust_pem(vendor_pem());  // keys come from one place
    CHECK_FALSE(policy.status());
    coffer::Policy own;
    own.trust_pem(vendor_pem()).bundle(first);
    CHECK_FALSE(own.status());
}

TEST_CASE("the memory of earlier runs through the API") {
    const coffer::Keyring keys = device_keys();
    Memory memory;
    const coffer_state_store store = memory.get();
    coffer::Policy policy;
    policy.bundle(bundle(1)).state(store);
    REQUIRE(policy.status());
    CHECK(open_class(test_world::model(7, false), keys, policy) == std::string("io"));  // there is none yet
    REQUIRE(coffer::create_state(store, policy));
    CHECK_FALSE(coffer::create_state(store, policy));
    CHECK(open_class(test_world::model(7, false), keys, policy) == std::string("ok"));
    CHECK(open_class(test_world::model(6, false), keys, policy) == std::string("rollback"));
    memory.fail = 1;
    CHECK(open_class(test_world::model(7, false), keys, policy) == std::string("io"));
    memory.fail = 2;
    CHECK(open_class(test_world::model(8, false), keys, policy) == std::string("io"));
    memory.fail = 0;
    CHECK(open_class(test_world::model(7, false), keys, policy) == std::string("ok"));
    memory.bytes->at(20) ^= std::byte{1};
    CHECK(open_class(test_world::model(7, false), keys, policy) == std::string("format"));
    coffer_error error;
    CHECK(coffer_policy_set_state(nullptr, &store, &error) == COFFER_INVALID_ARGUMENT);
    coffer_state_store bad = store;
    bad.load = nullptr;
    CHECK(coffer_state_create(&bad, nullptr, &error) == COFFER_INVALID_ARGUMENT);
    bad = store;
    bad.struct_size = 1;
    CHECK(coffer_state_create(&bad, nullptr, &error) == COFFER_INVALID_ARGUMENT);
    CHECK(coffer_state_create(nullptr, nullptr, &error) == COFFER_INVALID_ARGUMENT);
    policy.state(store);
    REQUIRE(coffer_policy_set_state(const_cast<coffer_policy*>(policy.get()), nullptr, &error) == COFFER_OK);
    CHECK(open_class(test_world::model(6, false), keys, policy) == std::string("ok"));
}
