// The least a program does with an installed Coffer: says what it got, and that nothing is trusted by default.
#include <cstdio>

#include "coffer/coffer.hpp"

int main(int argc, char** argv) {
    std::printf("coffer %s on %s\n", coffer_version(), coffer_arch());
    const char* path = argc > 1 ? argv[1] : "there-is-no-such-file.coffer";
    const auto model = coffer::Model::open(path, coffer::Keyring(), coffer::Policy());
    if (model) return std::printf("%s: version %llu\n", path, static_cast<unsigned long long>(model->version())), 0;
    std::printf("%s (%s)\n", model.error().message(), coffer_status_name(model.error().status()));
    return argc > 1 ? 1 : 0;
}
