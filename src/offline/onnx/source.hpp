// Where a model's bytes come from: the file in memory and the folder for its external data.
#pragma once

#include <optional>
#include <string>

#include "coffer/base/bytes.hpp"
#include "coffer/base/error.hpp"
#include "coffer/base/os.hpp"

namespace coffer::offline {

class Source {
 public:
    // Bytes of the caller; external data is looked for in `folder` ("" : there is none).
    Source(Bytes bytes, std::string folder);
    // Reads the whole file. Parts that were copied can be given back with release(), so that file and
    // tensors together do not need twice the memory.
    static Result<Source> open(const std::string& path);

    Bytes bytes() const { return bytes_; }
    void release(Bytes part);

    // Fills `dst` from an external file at `offset`. `location` comes from the model and may not leave the
    // model's folder.
    Status read_external(const std::string& location, uint64_t offset, MutableBytes dst);
    Result<uint64_t> external_size(const std::string& location);

 private:
    Result<const os::File*> external(const std::string& location);

    os::Pages pages_;
    Bytes bytes_;
    std::string folder_;
    bool has_folder_ = false;
    // The external file read last: tensors of one file follow each other.
    std::string location_;
    std::optional<os::File> external_;
};

}  // namespace coffer::offline
