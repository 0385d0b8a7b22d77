// The seed corpora, made rather than stored: real files, real manifests, and a node of every op.
#pragma once

#include <string>
#include <vector>

#include "coffer/base/bytes.hpp"

namespace coffer::fuzz {

struct Seed {
    std::string target;
    std::string name;
    std::vector<std::byte> bytes;
};
std::vector<Seed> make_seeds();

}  // namespace coffer::fuzz
