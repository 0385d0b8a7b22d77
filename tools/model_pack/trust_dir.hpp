// Where the command line keeps a trust bundle and what it saw, so that old versions stay old: the files `bundle` and
// `state` of one folder, $XDG_STATE_HOME/coffer unless another one is named. `trust init` makes it, nothing else
// does.
#pragma once

#include <memory>
#include <string>

#include "coffer/base/in_place.hpp"
#include "trust/bundle.hpp"
#include "trust/state.hpp"

namespace coffer::cli {

class TrustDir {
 public:
    // "default" is the folder of this user.
    static Result<TrustDir> at(const std::string& path);

    const std::string& path() const { return path_; }
    std::string bundle_path() const { return path_ + "/bundle"; }
    // `begin`: that there is none yet is no error.
    std::shared_ptr<const trust::StateStore> store(bool begin = false) const;
    Result<std::shared_ptr<const trust::Bundle>> bundle() const;

    Status init(const trust::Bundle& bundle) const;
    // Moves on to newer bundles; the number of the one then in force.
    Result<std::shared_ptr<const trust::Bundle>> update(Bytes chain) const;

 private:
    explicit TrustDir(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

// The one bundle of a file.
Result<std::shared_ptr<const trust::Bundle>> load_bundle_file(const std::string& path);

}  // namespace coffer::cli
