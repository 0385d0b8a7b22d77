// The C++ face where no other test uses it. A file of its own: the face and the library's inside share names.
#include "catch.hpp"
#include "coffer/coffer.hpp"

namespace {

constexpr const char* kPublicKey =
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC "
    "KEY-----\n";

}  // namespace

TEST_CASE("the face's policy keeps the first failure: one key in two roles") {
    coffer::Policy one;
    one.trust_distributor_pem(kPublicKey);
    CHECK(one.status());
    coffer::Policy both;
    both.trust_pem(kPublicKey).trust_distributor_pem(kPublicKey).threshold(1);
    REQUIRE_FALSE(both.status());
    CHECK(both.status().error().status() == COFFER_INVALID_ARGUMENT);
    coffer::Policy missing;
    missing.trust_distributor_file("/nowhere");
    REQUIRE_FALSE(missing.status());
    CHECK(missing.status().error().status() == COFFER_NOT_FOUND);
}

TEST_CASE("the face's policy takes scrypt work factors the library knows") {
    coffer::Policy policy;
    policy.max_scrypt_log_n(18);
    CHECK(policy.status());
    policy.max_scrypt_log_n(40);
    REQUIRE_FALSE(policy.status());
    CHECK(policy.status().error().status() == COFFER_INVALID_ARGUMENT);
}

TEST_CASE("the face's values show strings and the items of a sequence") {
    const coffer_string words[] = {{"one", 3}, {"two", 3}};
    const coffer::Value tensor(words, {2});
    CHECK(tensor.dtype() == COFFER_STRING);
    REQUIRE(tensor.as<coffer_string>().size() == 2);
    CHECK(std::string_view(tensor.as<coffer_string>()[1].data, 3) == "two");
    CHECK(tensor.as<float>().empty());
    CHECK(tensor.items().empty());
    const float numbers[] = {1, 2, 3};
    const coffer_value items[] = {coffer::Value(numbers, {3}).get(), coffer::Value(numbers, {1, 3}).get()};
    coffer_value sequence{};
    sequence.kind = COFFER_SEQUENCE;
    sequence.items = items;
    sequence.item_count = 2;
    const coffer::Value value(sequence);
    CHECK(value.kind() == COFFER_SEQUENCE);
    REQUIRE(value.items().size() == 2);
    CHECK(value.items()[1].dims().size() == 2);
    CHECK(value.items()[1].as<float>()[2] == 3);
}

TEST_CASE("the face's keyring takes grants, and nothing else for one") {
    coffer::Keyring keys;
    const std::vector<std::byte> junk(200);
    const auto added = keys.add_grant(junk);
    REQUIRE_FALSE(added);
    CHECK(added.error().status() == COFFER_FORMAT);
    const auto loaded = keys.add_grant_file("/nowhere");
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().status() == COFFER_NOT_FOUND);
}
