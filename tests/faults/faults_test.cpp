// Everything that the system may refuse, one call at a time: allocations, pages, locks, threads, reads, writes,
// syncs, renames. After each refusal the error is the right one, nothing leaks, the library works, and a file that
// was being written is the old one or the new one, whole, with nothing beside it.
#include "shim.h"

#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <set>

#include "coffer/coffer.h"
#include "container/fixture.hpp"
#include "container/rewrite.hpp"
#include "crypto/pem.hpp"
#include "runtime/graphs.hpp"

namespace coffer::container::test {
namespace {

// Calls body() with the Nth call of `kind` refused, N = 1, 2, ... until a run in which it did not come to that. Where
// there are very many calls, steps grow after the first `dense` so that all parts are still visited.
template <class Body>
long for_each_fault(const char* kind, Body body, long dense = 4000) {
    long n = 1;
    for (bool hit = true; hit; n += 1 + std::max(0l, n - dense) / 50) {
        INFO(kind << " " << n);
        REQUIRE(fault_arm(kind, n, FAULT_ERROR));
        hit = body();
        REQUIRE(n < 1'000'000);
    }
    return n - 1;
}

graph::Model cnn(size_t more_bytes = 0) {
    coffer::test::Builder b = coffer::test::small_cnn();
    b.model.name = "com.acme.detector";
    b.model.version = 7;
    b.model.blobs.push_back({"labels.txt", {std::byte{'a'}}});
    std::vector<uint8_t> bytes(more_bytes, 7);
    if (more_bytes > 0) b.model.add_constant(b.model.graphs[0], "more", Tensor::of<uint8_t>(bytes));
    return b.model;
}

// One whole use of the C API. Every step either works or says why not.
struct Use {
    coffer_keyring* keyring = nullptr;
    coffer_policy* policy = nullptr;
    coffer_model* model = nullptr;
    coffer_runner* runner = nullptr;
    coffer_error error{};
    bool hit = false;

    ~Use() {
        coffer_runner_free(&runner);
        coffer_model_free(&model);
        coffer_policy_free(&policy);
        coffer_keyring_free(&keyring);
    }
    coffer_status run(const std::string& path, const FileBytes& file, const std::string& signer, uint32_t threads) {
        const FileBytes& kek = keys().kek;
        coffer_status s = coffer_keyring_new(&keyring, &error);
        if (s == COFFER_OK) s = coffer_keyring_add_raw(keyring, kek.data(), kek.size(), &error);
        if (s == COFFER_OK) s = coffer_policy_new(&policy, &error);
        if (s == COFFER_OK) s = coffer_policy_add_signer_pem(policy, signer.data(), signer.size(), &error);
        coffer_open_options open = COFFER_OPEN_OPTIONS_INIT;
        open.threads = threads;
        if (s == COFFER_OK) {
            s = path.empty()
                    ? coffer_model_open_memory(&model, file.data(), file.size(), keyring, policy, &open, &error)
                    : coffer_model_open_path(&model, path.c_str(), keyring, policy, &open, &error);
        }
        if (s != COFFER_OK) {
            // No half of a model, ever.
            if (model != nullptr) return COFFER_INTERNAL;
            return s;
        }
        coffer_runner_options options = COFFER_RUNNER_OPTIONS_INIT;
        options.threads = threads;
        s = coffer_runner_new(&runner, model, &options, &error);
        static const Tensor x = coffer::test::noise({1, 3, 16, 16}, 5);
        coffer_binding in{"x", {}};
        in.value.dtype = COFFER_FLOAT32;
        in.value.rank = 4;
        std::copy_n(x.shape().dims().begin(), 4, in.value.dims);
        in.value.data = x.view().data;
        in.value.size = x.nbytes();
        if (s == COFFER_OK) s = coffer_runner_run(runner, &in, 1, nullptr, 0, nullptr, &error);
        return s;
    }
};

struct Case {
    FileBytes file = pack(cnn(40'000), signed_options({keys().x25519(), keys().raw()}));
    std::string signer = crypto::ed25519_public_to_pem(keys().signer.signer().public_key).value();
    Folder dir;
    std::string path = dir / "m.coffer";
    Case() { std::ofstream(path, std::ios::binary) << as_text(file); }
};

// Refuses calls of `kind` one by one in open and run; each run must end in one of `allowed`, and the next without a
// fault must work.
void check_use(const char* kind, const std::set<int>& allowed, uint32_t threads, bool from_path) {
    const Case c;
    const std::string path = from_path ? c.path : "";
    for (int warm = 0; warm < 3; ++warm) REQUIRE(Use().run(path, c.file, c.signer, threads) == COFFER_OK);
    const long faults = for_each_fault(kind, [&] {
        coffer_status status;
        bool hit;
        {
            Use use;
            status = use.run(path, c.file, c.signer, threads);
            hit = fault_disarm();
            INFO(use.error.message);
            CHECK((status == COFFER_OK || allowed.contains(status)));
            if (!hit) CHECK(status == COFFER_OK);
        }
        return hit;
    });
    CHECK(Use().run(path, c.file, c.signer, threads) == COFFER_OK);
    INFO(kind << ": " << faults);
    CHECK(faults > 0);
}

TEST_CASE("an allocation that fails is COFFER_OUT_OF_MEMORY, and the next try works") {
    for (uint32_t threads : {1u, 2u})
        check_use("alloc", {COFFER_OUT_OF_MEMORY, COFFER_AUTH /* see kKinds */}, threads, false);
}

TEST_CASE("an allocation that fails leaks nothing") {
    const Case c;
    for (int warm = 0; warm < 3; ++warm) REQUIRE(Use().run("", c.file, c.signer, 1) == COFFER_OK);
    bool hit = true;
    for (long n = 1; hit; ++n) {
        // What is made once and then kept (a cache of the library's, of libcrypto's) may be new the first time.
        long grown = 1;
        for (int again = 0; grown != 0 && again < 3; ++again) {
            const long before = fault_live();
            fault_arm("alloc", n, FAULT_ERROR);
            (void)Use().run("", c.file, c.signer, 1);
            hit = fault_disarm();
            grown = fault_live() - before;
        }
        if (grown != 0) FAIL_CHECK("allocation " << n << ": " << grown << " pieces are left");
    }
}

TEST_CASE("pages, protection and threads that the system refuses") {
    check_use("mmap", {COFFER_OUT_OF_MEMORY}, 1, false);
    check_use("mprotect", {COFFER_OUT_OF_MEMORY}, 1, false);
    check_use("thread", {}, 3, false);
}

TEST_CASE("reads and opens that fail are COFFER_IO") {
    check_use("read", {COFFER_IO}, 1, true);
    check_use("read", {COFFER_IO}, 2, true);
    check_use("open", {COFFER_IO}, 1, true);
}

TEST_CASE("a lock that is refused is reported, not an error") {
    fault_arm("mlock", 1, FAULT_ALL);
    // More than the pool has room for in one slab.
    std::vector<crypto::SecretBytes> secrets;
    for (int i = 0; i < 200; ++i) secrets.push_back(crypto::SecretBytes::create(512).value());
    const bool hit = fault_disarm();
    CHECK(hit);
    CHECK(!secrets.back().locked());
}

// ---- writing

// One file in a folder of its own.
struct Target {
    Folder dir;
    std::string path = dir / "m.coffer";
    FileBytes old;
    explicit Target(const FileBytes& content) : old(content) { restore(); }
    void restore() const { std::ofstream(path, std::ios::binary) << as_text(old); }
    // The old file or a new one that opens; nothing else in the folder.
    void check() const {
        CHECK(dir.entries() == 1);
        const FileBytes now = read_all(path);
        if (now == old) return;
        CHECK(open_class(now, keys().policy(), keys().raw_ring()) == Detail::kNone);
    }
};

// What may come of refusing a call of each kind. kAuth: libcrypto does not tell a bad Ed25519 signature from memory
// that it did not get to check one, and both are refused.
const std::map<std::string, std::set<Code>> kKinds = {{"alloc", {Code::kOutOfMemory, Code::kAuth}},
                                                      {"mmap", {Code::kOutOfMemory}},
                                                      {"mprotect", {Code::kOutOfMemory}},
                                                      {"open", {Code::kIo}},
                                                      {"read", {Code::kIo}},
                                                      {"write", {Code::kIo}},
                                                      {"sync", {Code::kIo}},
                                                      {"rename", {Code::kIo}},
                                                      {"random", {Code::kIo, Code::kInternal}},
                                                      {"mlock", {}}};

// `change` writes folder.path; once with each call refused.
template <class Change>
void check_change(const Target& folder, Change change, const std::set<std::string>& must_happen) {
    for (const auto& [kind, allowed] : kKinds) {
        const long faults = for_each_fault(
            kind.c_str(),
            [&] {
                Code code = Code::kOk;
                try {
                    const Status status = change();
                    if (!status.ok()) code = status.error().code();
                } catch (const std::bad_alloc&) {
                    code = Code::kOutOfMemory;  // the C ABI and the tools have the fence
                }
                const bool hit = fault_disarm();
                INFO("code " << code_name(code));
                CHECK((code == Code::kOk || allowed.contains(code)));
                if (!hit) CHECK(code == Code::kOk);
                folder.check();
                return hit;
            },
            300);
        INFO(kind << ": " << faults);
        if (must_happen.contains(kind)) CHECK(faults > 1);
        folder.restore();
    }
}

TEST_CASE("whatever fails while a file is written, it is the old or the new one") {
    const graph::Model model = cnn(40'000);
    const WriteOptions options = signed_options({keys().raw(), keys().x25519()});
    const Target folder(pack(cnn(), options));
    const auto change = [&]() -> Status {
        COFFER_TRY(write(model, options, folder.path));
        return {};
    };
    check_change(folder, change, {"alloc", "mmap", "open", "read", "write", "sync", "rename"});
}

TEST_CASE("whatever fails while recipients are written anew, it is the old or the new file") {
    const Target folder(pack(cnn(40'000), signed_options({keys().raw()})));
    const trust::Policy policy = keys().policy();
    const trust::Keyring ring = keys().raw_ring();
    RewriteOptions options;
    options.add = {keys().x25519()};
    const auto change = [&]() -> Status {
        COFFER_TRY(rewrite(folder.path, policy, ring, options));
        return {};
    };
    check_change(folder, change, {"alloc", "open", "read", "write", "sync", "rename"});
}

TEST_CASE("two who write the recipients anew at once both get their way, a hundred times") {
    const Folder dir;
    const std::string path = dir / "m.coffer";
    REQUIRE(write(cnn(), signed_options({keys().raw()}), path).ok());
    constexpr int kRounds = 100, kWriters = 2;
    std::vector<pid_t> children;
    for (int writer = 0; writer < kWriters; ++writer) {
        const pid_t child = ::fork();
        if (child == 0) {
            // A forked child sees no secrets of its parent: its own copies of the keys.
            FileBytes kek = keys().kek;
            trust::Keyring ring;
            if (!ring.add_raw_key(crypto::SecretBytes::copy_of(kek).value()).ok()) ::_exit(1);
            for (int round = 0; round < kRounds; ++round) {
                RewriteOptions options;
                options.remove_all = true;
                options.add = {raw_key_recipient(kek).value()};
                if (!rewrite(path, keys().policy(), ring, options).ok()) ::_exit(2);
            }
            ::_exit(0);
        }
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = 0;
        // Meanwhile a reader always finds a whole file.
        while (::waitpid(child, &status, WNOHANG) == 0) {
            const auto opened = open(Source::file(path), keys().policy(), keys().raw_ring());
            if (!opened.ok()) FAIL_CHECK(opened.error().message());
        }
        REQUIRE(WIFEXITED(status));
        CHECK(WEXITSTATUS(status) == 0);
    }
    CHECK(inspect(Source::file(path))->slots_generation == 1 + kRounds * kWriters);
    CHECK(dir.entries() == 1);
}

// ---- nonces (docs/format.md 5.3)

using Sealing = std::pair<std::array<unsigned char, 32>, std::array<unsigned char, 12>>;
std::map<Sealing, int> sealings;

TEST_CASE("no key meets a nonce twice, whatever is packed again") {
    sealings.clear();
    fault_on_seal([](const unsigned char* key, const unsigned char* nonce) {
        Sealing sealing;
        std::copy_n(key, 32, sealing.first.begin());
        std::copy_n(nonce, 12, sealing.second.begin());
        ++sealings[sealing];
    });
    const graph::Model model = cnn(40'000);
    const Folder dir;
    for (int round = 0; round < 50; ++round) {
        WriteOptions options = signed_options({keys().raw(), keys().x25519()});
        options.suite = round % 2 ? crypto::Suite::kAes256Gcm : crypto::Suite::kChaCha20Poly1305;
        // Now and then the write is cut off in the middle and begins anew.
        if (round % 3 == 0) fault_arm("write", 1 + round % 5, FAULT_ERROR);
        (void)write(model, options, dir / "m.coffer");
        fault_disarm();
    }
    fault_on_seal(nullptr);
    CHECK(sealings.size() > 200);
    for (const auto& [sealing, times] : sealings) {
        if (times != 1) FAIL_CHECK("a key and a nonce were used " << times << " times");
    }
}

TEST_CASE("the audit of nonces would see one") {
    sealings.clear();
    fault_on_seal([](const unsigned char* key, const unsigned char* nonce) {
        Sealing sealing;
        std::copy_n(key, 32, sealing.first.begin());
        std::copy_n(nonce, 12, sealing.second.begin());
        ++sealings[sealing];
    });
    FileBytes out(16 + crypto::kAeadTagSize);
    for (int i = 0; i < 2; ++i) {
        REQUIRE(crypto::seal_once(crypto::Suite::kAes256Gcm, keys().kek, {}, {}, FileBytes(16), out).ok());
    }
    fault_on_seal(nullptr);
    REQUIRE(sealings.size() == 1);
    CHECK(sealings.begin()->second == 2);
}

}  // namespace
}  // namespace coffer::container::test
