#include "container/source.hpp"

namespace coffer::container {

Source Source::file(std::string path) {
    Source s;
    s.kind_ = Kind::kFile;
    s.path_ = std::move(path);
    return s;
}

Source Source::memory(Bytes bytes) {
    Source s;
    s.memory_ = bytes;
    return s;
}

Source Source::reader(ReaderCallbacks callbacks) {
    Source s;
    s.kind_ = Kind::kReader;
    s.callbacks_ = std::move(callbacks);
    return s;
}

Status Source::open() {
    switch (kind_) {
        case Kind::kMemory: size_ = memory_.size(); return {};
        case Kind::kReader: {
            if (!callbacks_.size || !callbacks_.read_at) {
                return error(Code::kInvalidArgument, "a reader needs size and read_at");
            }
            COFFER_TRY_ASSIGN(size_, callbacks_.size());
            return {};
        }
        case Kind::kFile: break;
    }
    COFFER_TRY_ASSIGN(os::File file, os::File::open_read(path_));
    file_ = std::make_shared<const os::File>(std::move(file));
    size_ = file_->size();
    return {};
}

Status Source::read_at(uint64_t offset, MutableBytes dst) const {
    if (offset > size_ || dst.size() > size_ - offset) {
        return error(Code::kIo, Detail::kIo, "read of ", dst.size(), " bytes at ", offset, " of ", size_);
    }
    if (dst.empty()) return {};
    switch (kind_) {
        case Kind::kMemory: std::memcpy(dst.data(), memory_.data() + offset, dst.size()); return {};
        case Kind::kReader: return callbacks_.read_at(offset, dst);
        case Kind::kFile: break;
    }
    return file_->read_at(offset, dst);
}

}  // namespace coffer::container
