// Opens a sealed model and runs it once. The README shows this file.
//   quickstart net.coffer device.key vendor.pem
#include <algorithm>
#include <cstdio>
#include <list>
#include <vector>

#include "coffer/coffer.hpp"

static int report(const coffer::Error& error) {
    std::fprintf(stderr, "error: %s\n", error.message());
    return 1;
}

// A tensor of one number; -1 in dims is any size. The library copies nothing, so the elements are kept here.
template <class T>
static coffer::Value filled(const coffer_value_info& info, T number) {
    static std::list<std::vector<T>> kept;
    std::vector<int64_t> dims(info.dims, info.dims + std::max(info.rank, 0));
    size_t count = 1;
    for (int64_t& dim : dims) count *= static_cast<size_t>(dim = dim < 0 ? 1 : dim);
    return coffer::Value(kept.emplace_back(count, number), dims);
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

    std::vector<coffer::Binding> inputs;
    for (size_t i = 0; i < model->input_count(); ++i) {
        auto info = model->input(i);
        if (!info) return report(info.error());
        inputs.push_back({info->name, info->dtype == COFFER_FLOAT32 ? filled<float>(*info, 0.5f)
                                      : info->dtype == COFFER_INT64 ? filled<int64_t>(*info, 1)
                                                                    : filled<int32_t>(*info, 1)});
    }
    if (auto ran = runner->run(inputs); !ran) return report(ran.error());
    auto scores = runner->output(0);
    if (!scores) return report(scores.error());
    if (print<float>(*scores) || print<int32_t>(*scores) || print<int64_t>(*scores)) return 0;
    std::fprintf(stderr, "error: the output is neither float nor int\n");
    return 1;
}
