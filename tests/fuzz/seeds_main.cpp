// seeds FOLDER: writes FOLDER/<target>/<name>.
#include <filesystem>
#include <fstream>

#include "fuzz.hpp"
#include "seeds.hpp"

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    for (const coffer::fuzz::Seed& seed : coffer::fuzz::make_seeds()) {
        const std::filesystem::path folder = std::filesystem::path(argv[1]) / seed.target;
        std::filesystem::create_directories(folder);
        std::ofstream file(folder / seed.name, std::ios::binary);
        file << coffer::as_text(seed.bytes);
        if (!file.flush()) return 3;
    }
    return 0;
}
