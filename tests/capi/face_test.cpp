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
