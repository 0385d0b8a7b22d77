#include "crypto/secret.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "crypto/aead.hpp"
#include "crypto/random.hpp"
#include "vectors.hpp"

namespace coffer::crypto {
namespace {

TEST_CASE("a secret moves, clones, shrinks and compares") {
    SecretBytes a = secret_of(as_bytes("correct horse"));
    SecretBytes b = a.clone().value();
    REQUIRE(a == b);
    REQUIRE(a.bytes().data() != b.bytes().data());
    const SecretBytes c = std::move(a);
    REQUIRE(c == b);
    b.truncate(7);
    REQUIRE(as_text(b.bytes()) == "correct");
    REQUIRE_FALSE(c == b);
    REQUIRE(SecretBytes::create(0).value().empty());
    REQUIRE(SecretBytes().bytes().empty());
}

TEST_CASE("a released secret is wiped, and its place is used again") {
    for (size_t size : {size_t{1}, size_t{32}, size_t{64}, size_t{65}, size_t{512}}) {
        const std::byte* place = nullptr;
        {
            SecretBytes secret = SecretBytes::create(size).value();
            std::ranges::fill(secret.mutable_bytes(), std::byte{0xa5});
            place = secret.bytes().data();
        }
        // The pool keeps its pages, so looking at them is legal.
        REQUIRE(std::all_of(place, place + size, [](std::byte b) { return b == std::byte{0}; }));
        const SecretBytes next = SecretBytes::create(size).value();
        REQUIRE(next.bytes().data() == place);
    }
}

TEST_CASE("many secrets of many sizes do not overlap") {
    std::vector<SecretBytes> secrets;
    for (size_t i = 0; i < 400; ++i) {
        secrets.push_back(SecretBytes::create(1 + i * 37 % 700).value());
        std::ranges::fill(secrets.back().mutable_bytes(), static_cast<std::byte>(i));
        if (i % 3 == 0) secrets.erase(secrets.begin() + static_cast<long>(i * 7 % secrets.size()));
    }
    for (const SecretBytes& s : secrets) {
        REQUIRE(std::ranges::all_of(s.bytes(), [&](std::byte b) { return b == s.bytes().front(); }));
    }
}

int exit_code_of_child(int (*body)(const SecretBytes&), const SecretBytes& secret) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(body(secret));
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_CASE("a forked child has no secrets, cannot use them by mistake, and can make its own") {
    for (size_t size : {size_t{32}, size_t{5000}}) {
        const SecretBytes secret = random_secret(size).value();
        const int code = exit_code_of_child(
            [](const SecretBytes& inherited) {
                if (!inherited.bytes().empty()) return 1;
                if (Opener::create(Suite::kAes256Gcm, inherited.bytes()).ok()) return 2;
                const auto own = random_secret(32);
                if (!own.ok() || own->bytes().size() != 32) return 3;
                return 0;
            },
            secret);
        REQUIRE(code == 0);
        REQUIRE(secret.bytes().size() == size);
    }
}

TEST_CASE("random bytes are not constant") {
    const auto a = random_array<32>().value(), b = random_array<32>().value();
    REQUIRE(a != b);
    REQUIRE_FALSE(random_secret(32).value() == random_secret(32).value());
}

}  // namespace
}  // namespace coffer::crypto
