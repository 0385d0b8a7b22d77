// A folder of its own for a test, gone afterwards.
#pragma once

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "catch.hpp"
#include "coffer/base/bytes.hpp"

namespace coffer::test {

class Folder {
 public:
    Folder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "coffer-test-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path_ = pattern;
    }
    Folder(const Folder&) = delete;
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    const std::string& path() const { return path_; }
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }
    size_t entries() const {
        return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
    }
    // A file, by default as private as a key must be; its path.
    std::string write(const std::string& name, std::string_view text, mode_t mode = 0600) const {
        const std::string path = *this / name;
        std::ofstream(path, std::ios::binary) << text;
        REQUIRE(::chmod(path.c_str(), mode) == 0);
        return path;
    }
    std::string write(const std::string& name, Bytes bytes, mode_t mode = 0600) const {
        return write(name, as_text(bytes), mode);
    }

 private:
    std::string path_;
};

}  // namespace coffer::test
