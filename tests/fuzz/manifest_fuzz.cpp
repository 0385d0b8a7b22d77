// The manifest behind the AEAD, and the model that it describes. Input: see sample.hpp. The model is run, alone in
// one thread, with little memory and time: a valid signature says who, not that the content is sane.
#include <cstring>

#include "fuzz.hpp"
#include "mutate.hpp"
#include "runtime/runner.hpp"
#include "sample.hpp"

using namespace coffer;

namespace {

constexpr uint64_t kMemory = uint64_t{8} << 20;
constexpr uint64_t kDeadlineNs = 50'000'000;

// A value of the declared type; free dims are `free`.
Value made_up(const graph::ValueInfo& info, int64_t free) {
    Value value;
    value.kind = info.type.kind;
    value.dtype = info.type.dtype;
    if (info.type.kind != ValueKind::kTensor) return value;
    Shape shape;
    if (info.type.dims) {
        for (const graph::Dim& d : *info.type.dims) shape.push_back(d.known() ? d.value : free);
    } else {
        shape.push_back(free);
    }
    const DType dtype = info.type.dtype == DType::kUndefined ? DType::kFloat : info.type.dtype;
    size_t bytes = 0;
    if (!checked_nbytes(shape, dtype, &bytes) || bytes > kMemory) return value;
    auto tensor = Tensor::create(dtype, shape);
    if (!tensor.ok()) return value;
    if (dtype != DType::kString) {
        for (int64_t i = 0; i < std::min<int64_t>(tensor->elements(), 4096); ++i) {
            store_double(tensor->view(), i, static_cast<double>(i % 7) - 2);
        }
    }
    return Value(std::move(tensor).value());
}

void run(const std::shared_ptr<const runtime::Model>& model) {
    runtime::RunnerOptions options;
    options.threads = 1;
    auto runner = runtime::Runner::create(model, options);
    if (!runner.ok()) return;
    for (const int64_t free : {1, 3, 0, 1}) {
        bool bound = true;
        for (size_t i = 0; bound && i < model->inputs().size(); ++i) {
            bound = (*runner)->bind_input(i, made_up(model->input(i), free)).ok();
        }
        if (!bound || !(*runner)->run(kDeadlineNs).ok()) continue;
        for (size_t i = 0; i < model->outputs().size(); ++i) {
            const Value& value = (*runner)->output(i);
            if (value.kind != ValueKind::kTensor || !value.tensor.valid()) continue;
            if (value.tensor.dtype() == DType::kString) continue;
            fuzz::touch(value.tensor.bytes());
        }
    }
}

}  // namespace

COFFER_FUZZ_TARGET(manifest) {
    auto decoded = fuzz::decode_sample(data);
    if (!decoded.ok()) return;
    runtime::ModelOptions options;
    options.max_memory = kMemory;
    try {
        const auto model = runtime::Model::create(std::move(decoded).value(), options);
        if (model.ok()) run(*model);
    } catch (const std::bad_alloc&) {  // as at the C ABI: text beyond the limit, for one
    }
}

#ifdef COFFER_LIBFUZZER
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

// Half of the time the bytes are changed, half of the time the model.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
    if (seed % 2 == 0) return LLVMFuzzerMutate(data, size, max_size);
    auto model = fuzz::decode_sample({reinterpret_cast<std::byte*>(data), size});
    if (!model.ok()) return LLVMFuzzerMutate(data, size, max_size);
    fuzz::ModelMutator(seed).mutate(*model);
    const auto sample = fuzz::encode_sample(*model);
    if (!sample.ok() || sample->size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
    std::memcpy(data, sample->data(), sample->size());
    return sample->size();
}
#endif
