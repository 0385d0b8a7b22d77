#include "offline/onnx/source.hpp"

namespace coffer::offline {
namespace {

constexpr uint64_t kMaxFile = uint64_t{1} << 31;  // protobuf's own limit; larger models use external data

}  // namespace

Source::Source(Bytes bytes, std::string folder)
    : bytes_(bytes), folder_(std::move(folder)), has_folder_(!folder_.empty()) {}

Result<Source> Source::open(const std::string& path) {
    COFFER_TRY_ASSIGN(const os::File file, os::File::open_read(path));
    if (file.size() == 0) return error(Code::kFormat, Detail::kFormat, "'", path, "' is empty");
    if (file.size() > kMaxFile) {
        return error(Code::kFormat, Detail::kFormat, "'", path, "' has ", file.size(),
                     " bytes; an ONNX file has at most ", kMaxFile);
    }
    COFFER_TRY_ASSIGN(os::Pages pages, os::Pages::allocate(static_cast<size_t>(file.size()), os::Pages::kPlain));
    const MutableBytes all(pages.data(), static_cast<size_t>(file.size()));
    COFFER_TRY(file.read_at(0, all));
    const size_t slash = path.rfind('/');
    Source source(all, slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash));
    source.pages_ = std::move(pages);
    return source;
}

void Source::release(Bytes part) {
    if (pages_.data() && !part.empty()) pages_.discard(static_cast<size_t>(part.data() - pages_.data()), part.size());
}

Result<const os::File*> Source::external(const std::string& location) {
    if (external_ && location_ == location) return &*external_;
    if (!has_folder_) {
        return error(Code::kUnsupported, Detail::kUnsupported, "external data '", location,
                     "' of a model that is not a file");
    }
    auto opened = os::File::open_beneath(folder_, location);
    if (!opened.ok()) return opened.error().within("external data: ");
    location_ = location;
    return &external_.emplace(std::move(opened).value());
}

Result<uint64_t> Source::external_size(const std::string& location) {
    COFFER_TRY_ASSIGN(const os::File* file, external(location));
    return file->size();
}

Status Source::read_external(const std::string& location, uint64_t offset, MutableBytes dst) {
    COFFER_TRY_ASSIGN(const os::File* file, external(location));
    return file->read_at(offset, dst);
}

}  // namespace coffer::offline
