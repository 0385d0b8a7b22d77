// Opens a sealed model and runs it once. The README shows this file.
//   quickstart net.coffer device.key vendor.pem
#include <cstdio>
#include <vector>

#include "coffer/coffer.hpp"

static int report(const coffer::Error& error) {
    std::fprintf(stderr, "error: %s\n", error.message());
    return 1;
}

// The elements, if T is their type.
template <class T>
static bool print(const coffer::Value& value) {
    for (T element : value.as<T>()) std::printf("%g\n", static_cast<double>(element));
    return !value.as<T>().empty();
}

int main(int argc, char** argv) {
    if (argc != 4) return std::fprintf(stderr, "usage: quickstart MODEL.coffer KEY SIGNER.pem\n"), 2;
    coffer::Keyring keys;  // who may read the model: this device
    if (auto added = keys.add_file(argv[2]); !added) return report(added.error());
    coffer::Policy policy;  // whose models to run: the vendor's
    policy.trust_file(argv[3]);

    auto model = coffer::Model::open(argv[1], keys, policy);
    if (!model) return report(model.error());
    auto runner = model->runner();
    if (!runner) return report(runner.error());

    auto info = model->input(0);
    if (!info) return report(info.error());
    std::vector<int64_t> dims(info->dims, info->dims + info->rank);
    size_t count = 1;
    for (int64_t& dim : dims) count *= static_cast<size_t>(dim = dim < 0 ? 1 : dim);  // -1: any size
    std::vector<float> floats(count, 0.5f);
    std::vector<int32_t> ints(count, 1);
    const auto input = info->dtype == COFFER_FLOAT32 ? coffer::Value(floats, dims) : coffer::Value(ints, dims);

    if (auto ran = runner->run({{info->name, input}}); !ran) return report(ran.error());
    auto scores = runner->output(0);
    if (!scores) return report(scores.error());
    if (print<float>(*scores) || print<int32_t>(*scores) || print<int64_t>(*scores)) return 0;
    std::fprintf(stderr, "error: the output is neither float nor int\n");
    return 1;
}
