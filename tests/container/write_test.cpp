// Writing: what is refused, and what is left behind when it fails.
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "fixture.hpp"

namespace coffer::container::test {
namespace {

void put(const std::string& path, const char* text) {
    std::ofstream(path) << text;
}

}  // namespace

TEST_CASE("the file is private and replaces the old one in one step") {
    const Folder dir;
    const std::string path = dir / "m.coffer";
    put(path, "old");
    auto written = write(small_model(), signed_options({keys().raw()}), path);
    REQUIRE(written.ok());
    struct stat st;
    REQUIRE(stat(path.c_str(), &st) == 0);
    CHECK((st.st_mode & 07777) == 0600);
    CHECK(static_cast<uint64_t>(st.st_size) == written->file_size);
    CHECK(dir.entries() == 1);
    CHECK(written->content_id == inspect(Source::file(path))->content_id);
}

TEST_CASE("a write that fails leaves the old file and nothing else") {
    const Folder dir;
    const std::string path = dir / "m.coffer";
    put(path, "old");
    const WriteOptions good = signed_options({keys().raw()});

    SECTION("the disk takes no more") {
        struct rlimit old;
        REQUIRE(getrlimit(RLIMIT_FSIZE, &old) == 0);
        const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
        for (rlim_t most : {0, 100, 4096, 9000, 13'000, 50'000, 110'000}) {
            const struct rlimit small { most, old.rlim_max };
            REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
            auto written = write(model_with_bytes(100'000), good, path);
            REQUIRE(setrlimit(RLIMIT_FSIZE, &old) == 0);
            REQUIRE(!written.ok());
            CHECK(written.error().detail() == Detail::kIo);
            CHECK(dir.entries() == 1);
        }
        std::signal(SIGXFSZ, old_handler);
    }
    SECTION("the folder does not exist") {
        auto written = write(small_model(), good, dir / "none/m.coffer");
        REQUIRE(!written.ok());
        CHECK(written.error().code() == Code::kNotFound);
    }
    SECTION("the target is a folder") {
        REQUIRE(mkdir((dir / "folder").c_str(), 0700) == 0);
        CHECK(!write(small_model(), good, dir / "folder").ok());
        CHECK(dir.entries() == 2);
        CHECK(rmdir((dir / "folder").c_str()) == 0);
    }
    SECTION("the model is not one a reader would take") {
        graph::Model bad = small_model();
        bad.graphs[0].nodes[0].inputs[0] = 99;
        CHECK(!write(bad, good, path).ok());
        bad = small_model();
        bad.metadata = {{"k", "1"}, {"k", "2"}};
        CHECK(!write(bad, good, path).ok());
        bad = small_model();
        bad.producer.push_back('\xff');
        CHECK(!write(bad, good, path).ok());
        bad = small_model();
        bad.graphs[0].values[0].name = std::string(2000, 'x');
        CHECK(!write(bad, good, path).ok());
        bad = small_model();
        bad.constants[0].name = std::string("a\0b", 3);
        CHECK(!write(bad, good, path).ok());
    }
    SECTION("the options contradict each other") {
        WriteOptions o = good;
        o.recipients.clear();
        CHECK(write(small_model(), o, path).error().code() == Code::kInvalidArgument);
        o = good;
        o.unprotected = true;
        CHECK(write(small_model(), o, path).error().code() == Code::kInvalidArgument);
        o = good;
        o.chunk_log2 = 21;
        CHECK(write(small_model(), o, path).error().code() == Code::kInvalidArgument);
        graph::Model nameless = small_model();
        nameless.name.clear();
        CHECK(write(nameless, good, path).error().code() == Code::kInvalidArgument);
    }
    SECTION("a recipient fails") {
        WriteOptions o = good;
        o.recipients.push_back({1, [](const trust::SlotView&, Bytes) -> Result<std::vector<std::byte>> {
                                    return error(Code::kInternal, "no");
                                }});
        CHECK(!write(small_model(), o, path).ok());
    }
    CHECK(dir.entries() == 1);
    CHECK(as_text(read_all(path)) == "old");
}

TEST_CASE("writing takes little memory besides the model") {
    const graph::Model model = model_with_bytes(size_t{48} << 20);
    const Folder dir;
    REQUIRE(write(small_model(), signed_options({keys().raw()}), dir / "warm").ok());
    const uint64_t before = os::peak_memory_bytes();
    REQUIRE(write(model, signed_options({keys().raw()}), dir / "m.coffer").ok());
    CHECK(os::peak_memory_bytes() - before < (8 << 20));
}

TEST_CASE("passwords are checked when a recipient is made") {
    CHECK(!password_recipient(as_bytes("")).ok());
    CHECK(!password_recipient(as_bytes("\n")).ok());
    CHECK(!password_recipient(as_bytes("x"), 13).ok());
    CHECK(!password_recipient(as_bytes("x"), 21).ok());
    CHECK(!raw_key_recipient(as_bytes("short")).ok());
}

}  // namespace coffer::container::test
