#include "offline/calibrate/samples.hpp"

#include <algorithm>
#include <filesystem>
#include <random>

#include "offline/npy.hpp"

namespace coffer::offline {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kFreeBatch = 1, kFreeSize = 64;

// A folder's entries: .npy files and subfolders, sorted.
struct Listing {
    std::vector<std::string> files, folders;
};
Result<Listing> list(const std::string& folder) {
    Listing listing;
    std::error_code code;
    fs::directory_iterator entries(folder, code);
    const Code group = code == std::errc::no_such_file_or_directory ? Code::kNotFound : Code::kIo;
    if (code) return error(group, Detail::kIo, "data folder '", folder, "': ", code.message());
    for (; entries != fs::directory_iterator(); entries.increment(code)) {
        const std::string name = entries->path().filename().string();
        std::error_code ignored;
        if (entries->is_directory(ignored)) {
            listing.folders.push_back(name);
        } else if (name.ends_with(".npy")) {
            listing.files.push_back(name);
        }
        if (code) break;
    }
    if (code) return error(Code::kIo, Detail::kIo, "data folder '", folder, "': ", code.message());
    std::ranges::sort(listing.files);
    std::ranges::sort(listing.folders);
    return listing;
}

std::string file_name(std::string name) {
    std::ranges::replace(name, '/', '_');
    return name + ".npy";
}

}  // namespace

Result<Samples> Samples::open(const runtime::Model& model, const std::string& folder) {
    Samples s;
    s.folder_ = folder;
    for (size_t i = 0; i < model.inputs().size(); ++i)
        s.inputs_.push_back({model.input(i).name, model.input(i).type});
    COFFER_TRY_ASSIGN(Listing listing, list(folder));
    if (!listing.files.empty()) {
        if (s.inputs_.size() != 1) {
            return error(Code::kInvalidArgument, "data folder '", folder, "' has .npy files, but the model has ",
                         s.inputs_.size(),
                         " inputs: put each sample into a folder of its own, as <sample>/<input>.npy");
        }
        s.one_file_ = true;
        s.names_ = std::move(listing.files);
        return s;
    }
    if (listing.folders.empty()) {
        return error(Code::kInvalidArgument, "data folder '", folder, "' has no .npy files and no sample folders");
    }
    s.names_ = std::move(listing.folders);
    return s;
}

Samples Samples::synthetic(const runtime::Model& model, size_t count) {
    Samples s;
    for (size_t i = 0; i < model.inputs().size(); ++i)
        s.inputs_.push_back({model.input(i).name, model.input(i).type});
    for (size_t i = 0; i < count; ++i) s.names_.push_back(message({"synthetic ", i}));
    return s;
}

Result<std::vector<Tensor>> Samples::load(size_t i) const {
    std::vector<Tensor> tensors;
    for (size_t k = 0; k < inputs_.size(); ++k) {
        if (folder_.empty()) {
            COFFER_TRY_ASSIGN(Tensor t, make(i, k));
            tensors.push_back(std::move(t));
            continue;
        }
        const std::string path = folder_ + "/" + names_[i] + (one_file_ ? "" : "/" + file_name(inputs_[k].name));
        COFFER_TRY_ASSIGN(Tensor t, read(path, inputs_[k]));
        tensors.push_back(std::move(t));
    }
    return tensors;
}

Result<Tensor> Samples::read(const std::string& path, const Input& input) const {
    auto t = read_npy(path);
    if (!t) return t.error().within(message({"sample '", path, "' for input '", input.name, "': "}));
    // One picture without the batch dimension is a batch of one.
    if (input.type.dims && t->shape().rank() + 1 == static_cast<int>(input.type.dims->size())) {
        const graph::Dim& first = input.type.dims->front();
        Shape shape{1};
        for (int64_t d : t->shape().dims()) shape.push_back(d);
        if (!first.known() || first.value == 1) return t->reshaped(shape);
    }
    return t;
}

Result<Tensor> Samples::make(size_t sample, size_t input) const {
    const graph::Type& type = inputs_[input].type;
    if (type.kind != ValueKind::kTensor || !type.dims || type.dtype == DType::kString) {
        return error(Code::kInvalidArgument, "input '", inputs_[input].name, "' cannot be made up: give samples");
    }
    Shape shape;
    for (const graph::Dim& d : *type.dims)
        shape.push_back(d.known() ? d.value : shape.rank() == 0 ? kFreeBatch : kFreeSize);
    COFFER_TRY_ASSIGN(Tensor t, Tensor::create(type.dtype, shape));
    std::mt19937 random(static_cast<uint32_t>(sample * 977 + input));
    std::normal_distribution<double> normal;
    std::uniform_int_distribution<int> byte(0, 255), small(0, 15);
    for (int64_t i = 0; i < t.elements(); ++i) {
        if (is_floating(type.dtype)) {
            store_double(t.view(), i, normal(random));
        } else if (type.dtype == DType::kUint8) {
            store_int(t.view(), i, byte(random));
        } else {
            store_int(t.view(), i, type.dtype == DType::kBool ? small(random) % 2 : small(random));
        }
    }
    return t;
}

Status run_sample(runtime::Runner& runner, const Samples& samples, size_t i) {
    const auto named = [&](const Error& e) { return e.within(message({"sample '", samples.name(i), "': "})); };
    auto tensors = samples.load(i);
    if (!tensors) return tensors.error();
    for (size_t k = 0; k < tensors->size(); ++k) {
        if (const Status bound = runner.bind_input(k, (*tensors)[k]); !bound) return named(bound.error());
    }
    const Status ran = runner.run();
    if (!ran) return named(ran.error());
    return {};
}

}  // namespace coffer::offline
