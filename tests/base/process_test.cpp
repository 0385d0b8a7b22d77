// Other programs: what goes in, what comes out, and that none outlives its time.
#include "coffer/base/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include "catch.hpp"

namespace coffer::os {
namespace {

struct Outcome {
    Result<Ran> ran;
    std::string output;
};

Outcome sh(const std::string& script, std::string_view input = {}, uint32_t timeout_ms = 20'000, size_t most = 4096) {
    std::vector<std::byte> out(most);
    auto ran = run_program({{"/bin/sh", "-c", script}, timeout_ms}, as_bytes(input), out);
    const size_t size = ran.ok() ? ran->output_size : 0;
    return {std::move(ran), std::string(as_text(Bytes(out).first(size)))};
}
// Gone, or a zombie that its new parent has not reaped yet.
bool dead(pid_t pid) {
    for (int i = 0; i < 500; ++i) {
        std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
        std::string number, name, state;
        if (!(file >> number >> name >> state) || state == "Z" || state == "X") return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}
// The number a child wrote before it was killed; waits for it.
pid_t pid_in(const std::string& path) {
    for (int i = 0; i < 200; ++i) {
        std::ifstream file(path);
        pid_t pid = 0;
        if (file >> pid) return pid;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return 0;
}

TEST_CASE("a program gets its input and its output comes back") {
    const Outcome all = sh("cat; echo done >&2; exit 3", "hello");
    REQUIRE(all.ran.ok());
    CHECK(all.output == "hello");
    CHECK(all.ran->exit_code == 3);
    CHECK(all.ran->last_words == "done");
    // More than any pipe holds, in both directions at once.
    const std::string large(1 << 20, 'x');
    const Outcome echo = sh("cat", large, 20'000, large.size());
    REQUIRE(echo.ran.ok());
    CHECK(echo.output == large);
}

TEST_CASE("a program is not to be found by searching, and a missing one is an error") {
    std::array<std::byte, 8> out;
    CHECK_FALSE(run_program({{"sh", "-c", "true"}, 1000}, {}, out).ok());
    CHECK_FALSE(run_program({{"./sh"}, 1000}, {}, out).ok());
    CHECK_FALSE(run_program({{}, 1000}, {}, out).ok());
    CHECK_FALSE(run_program({{"/bin/sh", std::string("a\0b", 3)}, 1000}, {}, out).ok());
    const auto missing = run_program({{"/nonexistent/helper"}, 1000}, {}, out);
    REQUIRE_FALSE(missing.ok());
    CHECK(missing.error().code() == Code::kIo);
    CHECK(missing.error().message().find("/nonexistent/helper") != std::string::npos);
    CHECK_FALSE(run_program({{"/etc/passwd"}, 1000}, {}, out).ok());
}

TEST_CASE("a program that does not read its input is no trouble") {
    struct sigaction old {
    }, standard{};
    standard.sa_handler = SIG_DFL;  // the default would kill this test
    REQUIRE(::sigaction(SIGPIPE, &standard, &old) == 0);
    const std::string large(1 << 20, 'x');
    for (int i = 0; i < 20; ++i) {
        const Outcome deaf = sh("exec <&-; printf ok", large);
        REQUIRE(deaf.ran.ok());
        CHECK(deaf.output == "ok");
    }
    sigset_t pending;
    ::sigpending(&pending);
    CHECK(::sigismember(&pending, SIGPIPE) == 0);
    ::sigaction(SIGPIPE, &old, nullptr);
}

TEST_CASE("a program that takes too long is killed, with what it started") {
    char path[] = "/tmp/coffer-process-XXXXXX";
    const int fd = ::mkstemp(path);
    REQUIRE(fd >= 0);
    ::close(fd);
    const auto begin = std::chrono::steady_clock::now();
    const Outcome slow = sh("sleep 100 & echo $! > " + std::string(path) + "; sleep 100; echo never", {}, 500);
    REQUIRE_FALSE(slow.ran.ok());
    CHECK(slow.ran.error().message().find("500 ms") != std::string::npos);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(20));
    const pid_t grandchild = pid_in(path);
    REQUIRE(grandchild > 0);
    CHECK(dead(grandchild));
    CHECK(::waitpid(-1, nullptr, WNOHANG) < 0);
    ::unlink(path);
    // Ignoring what can be ignored does not help, nor does closing the output.
    CHECK_FALSE(sh("trap '' TERM INT HUP; exec >&- 2>&-; sleep 100", {}, 300).ran.ok());
}

TEST_CASE("a program that leaves a child behind is not waited for") {
    const auto begin = std::chrono::steady_clock::now();
    const Outcome left = sh("sleep 5 & printf ok");
    REQUIRE(left.ran.ok());
    CHECK(left.output == "ok");
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(4));
}

TEST_CASE("more output than asked for is an error, not a cut") {
    CHECK(sh("printf 1234", {}, 20'000, 4).output == "1234");
    const Outcome five = sh("printf 12345", {}, 20'000, 4);
    REQUIRE_FALSE(five.ran.ok());
    CHECK(five.ran.error().message().find("more than 4 bytes") != std::string::npos);
    CHECK_FALSE(sh("cat /dev/zero", {}, 20'000, 4).ran.ok());
    CHECK_FALSE(sh("printf x", {}, 20'000, 0).ran.ok());
    CHECK(sh("true", {}, 20'000, 0).ran.ok());
}

TEST_CASE("last words are one line of printable text") {
    CHECK(sh("printf 'first\\nsecond\\n\\n' >&2").ran->last_words == "second");
    CHECK(sh("printf '\\033[31mred\\007\\n' >&2").ran->last_words == "?[31mred?");
    CHECK(sh("head -c 100000 /dev/zero | tr '\\0' x >&2").ran->last_words == std::string(200, 'x'));
    CHECK(sh("yes noise | head -n 200000 >&2; echo end >&2").ran->last_words == "end");
    CHECK(sh("kill -9 $$").ran->exit_code == 128 + 9);
}

TEST_CASE("a program inherits neither environment, nor files, nor signal settings") {
    REQUIRE(::setenv("COFFER_TEST_SECRET", "value", 1) == 0);
    const int open_fd = ::open("/dev/null", O_RDONLY);  // without close-on-exec
    REQUIRE(open_fd > 2);
    struct sigaction old {
    }, ignore{};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGTERM, &ignore, &old);
    // sh itself sets PWD, SHLVL and the like.
    CHECK(sh("tr '\\0' '\\n' < /proc/self/environ").output.find("COFFER") == std::string::npos);
    CHECK(sh("tr '\\0' '\\n' < /proc/$$/environ").output == "LC_ALL=C\n");
    CHECK(sh("for f in /proc/$$/fd/*; do printf '%s ' ${f##*/}; done").output.substr(0, 6) == "0 1 2 ");
    CHECK(sh("test -e /proc/$$/fd/" + std::to_string(open_fd) + " && echo open").output.empty());
    CHECK(sh("kill -TERM $$; echo survived").output.empty());
    ::sigaction(SIGTERM, &old, nullptr);
    ::close(open_fd);
    ::unsetenv("COFFER_TEST_SECRET");
}

TEST_CASE("programs run with standard descriptors closed in this process") {
    const pid_t child = ::fork();
    if (child == 0) {
        for (int fd = 0; fd < 3; ++fd) ::close(fd);
        std::array<std::byte, 16> out;
        const auto ran = run_program({{"/bin/sh", "-c", "cat; echo e >&2"}, 20'000}, as_bytes("in"), out);
        ::_exit(ran.ok() && ran->output_size == 2 && ran->last_words == "e" ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("programs run from several threads at once") {
    std::vector<std::thread> threads;
    std::array<bool, 4> good{};
    for (size_t t = 0; t < good.size(); ++t) {
        threads.emplace_back([&good, t] {
            good[t] = true;
            for (int i = 0; i < 10; ++i)
                good[t] = good[t] && sh("cat", std::to_string(t)).output == std::to_string(t);
        });
    }
    for (std::thread& thread : threads) thread.join();
    for (const bool g : good) CHECK(g);
}

}  // namespace
}  // namespace coffer::os
