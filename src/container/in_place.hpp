// One change of a sealed file in place: SIGS or SLOTS are written anew, everything between them is copied by the
// kernel. A lock keeps a second writer away, and the file that the path leads to is replaced only while it is still
// the one that was read.
#pragma once

#include <functional>

#include "coffer/base/in_place.hpp"
#include "container/header.hpp"
#include "container/source.hpp"

namespace coffer::container {

class InPlace {
 public:
    static Result<InPlace> begin(const std::string& path, uint64_t lock_wait_ms);

    Source source() const;  // the file that was opened, whatever happens to its path

    struct Regions {
        Bytes head;   // HDR and SIGS
        Bytes slots;  // all of SLOTS
    };
    // Writes the next file and asks `check` about it before the rename; on any error the old one stays.
    Status replace(const Header& header, const Regions& before, const Regions& after,
                   const std::function<Status(const std::string& temporary)>& check);

 private:
    InPlace(std::string path, os::FileLock lock, std::shared_ptr<const os::File> file)
        : path_(std::move(path)), lock_(std::move(lock)), file_(std::move(file)) {}

    std::string path_;
    os::FileLock lock_;
    std::shared_ptr<const os::File> file_;
};

}  // namespace coffer::container
