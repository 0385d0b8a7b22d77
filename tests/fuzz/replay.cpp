// The fuzz targets without libFuzzer, for every build:
//
//   replay REGRESSIONS [SECONDS]
//
// runs each finding kept in REGRESSIONS/<target>/, each seed, and changed seeds for so many seconds (always the
// same changes in the same order).
#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>

#include "coffer/base/os.hpp"
#include "fuzz.hpp"
#include "mutate.hpp"
#include "sample.hpp"
#include "seeds.hpp"

void fuzz_header(coffer::Bytes);
void fuzz_slots(coffer::Bytes);
void fuzz_manifest(coffer::Bytes);
void fuzz_open(coffer::Bytes);
void fuzz_onnx(coffer::Bytes);
void fuzz_trust(coffer::Bytes);

namespace {

using namespace coffer;
namespace fs = std::filesystem;

using Target = void (*)(Bytes);
const std::map<std::string, Target> kTargets = {{"header", fuzz_header},     {"slots", fuzz_slots},
                                                {"manifest", fuzz_manifest}, {"open", fuzz_open},
                                                {"onnx", fuzz_onnx},         {"trust", fuzz_trust}};

// What runs now, for the one who reads the report of a crash.
void run(const std::string& target, const std::string& name, Bytes bytes) {
    std::printf("%s %s (%zu bytes)\n", target.c_str(), name.c_str(), bytes.size());
    std::fflush(stdout);
    // A copy of exact size, so that a sanitizer sees reads past the end.
    const std::unique_ptr<std::byte[]> copy(new std::byte[bytes.size()]);
    std::ranges::copy(bytes, copy.get());
    kTargets.at(target)({copy.get(), bytes.size()});
}

size_t run_regressions(const fs::path& folder) {
    size_t count = 0;
    for (const auto& [target, function] : kTargets) {
        if (!fs::exists(folder / target)) continue;
        std::vector<fs::path> files;
        for (const auto& entry : fs::directory_iterator(folder / target)) files.push_back(entry.path());
        std::ranges::sort(files);
        for (const fs::path& file : files) {
            run(target, file.filename(), os::read_file(file, 1 << 24).value());
            ++count;
        }
    }
    return count;
}

std::vector<std::byte> changed(const fuzz::Seed& seed, std::mt19937& random) {
    if (seed.target == "manifest" && random() % 2 == 0) {
        auto model = fuzz::decode_sample(seed.bytes);
        if (model.ok()) {
            fuzz::ModelMutator(static_cast<uint32_t>(random())).mutate(*model);
            auto sample = fuzz::encode_sample(*model);
            if (sample.ok()) return std::move(sample).value();
        }
    }
    std::vector<std::byte> bytes = seed.bytes;
    for (size_t n = 1 + random() % 4; n > 0 && !bytes.empty(); --n) {
        const size_t at = random() % bytes.size();
        switch (random() % 4) {
            case 0: bytes[at] ^= static_cast<std::byte>(1u << random() % 8); break;
            case 1: bytes[at] = static_cast<std::byte>(random()); break;
            case 2: {
                constexpr uint32_t odd[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x10000, 0xffff};
                const uint32_t value = odd[random() % std::size(odd)];
                std::memcpy(bytes.data() + at, &value, std::min<size_t>(sizeof value, bytes.size() - at));
                break;
            }
            default: bytes.resize(at);
        }
    }
    return bytes;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) return 2;
    const size_t kept = run_regressions(argv[1]);
    const std::vector<fuzz::Seed> seeds = fuzz::make_seeds();
    for (const fuzz::Seed& seed : seeds) run(seed.target, "seed " + seed.name, seed.bytes);
    std::map<std::string, std::vector<const fuzz::Seed*>> by_target;
    for (const fuzz::Seed& seed : seeds) by_target[seed.target].push_back(&seed);
    const double seconds = argc > 2 ? std::atof(argv[2]) : 0;
    const auto start = std::chrono::steady_clock::now();
    std::mt19937 random(20);
    size_t made = 0;
    while (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < seconds) {
        // Every target its share, however many seeds it has.
        const auto& group = std::next(by_target.begin(), static_cast<long>(random() % by_target.size()))->second;
        const fuzz::Seed& seed = *group[random() % group.size()];
        run(seed.target, "changed seed " + std::to_string(made++) + " of " + seed.name, changed(seed, random));
    }
    std::printf("%zu findings kept, %zu seeds, %zu changed seeds\n", kept, seeds.size(), made);
    return seeds.size() > 100 ? 0 : 1;
}
