// A cold start from plaintext and from the sealed file by one and the same program, so that their difference is what
// sealing costs. Started by the load benchmark.
//   load_reader plain|full|aead MODEL KEY SIGNER FEED       one cold start; prints CPU ns spent on reading the inputs
//   load_reader memory WARM MODEL KEY SIGNER FEED WARM_FEED peak memory of opening and planning MODEL, after WARM
// has shown the process its code: prints peak and start in bytes, then what the weights account for.
#include <link.h>
#include <sys/mman.h>

#include <cinttypes>
#include <cstdio>

#include "feed.h"
#include "plain_file.hpp"
#include "runtime/load.hpp"
#include "runtime/runner.hpp"
#include "trust/key_file.hpp"

namespace coffer::bench {
namespace {

struct Access {
    trust::Keyring keyring;
    trust::Policy policy;
};
Status read_access(const char* key, const char* signer, Access* out) {
    COFFER_TRY(trust::load_keys(out->keyring, key));
    COFFER_TRY_ASSIGN(const trust::Signer trusted, trust::load_signer(signer));
    return out->policy.add_signer(trusted);
}

Result<std::unique_ptr<runtime::Runner>> planned(std::shared_ptr<const runtime::Model> model, const feed& f) {
    runtime::RunnerOptions options;
    options.threads = 1;
    COFFER_TRY_ASSIGN(auto runner, runtime::Runner::create(std::move(model), options));
    for (size_t i = 0; i < f.count; ++i) {
        const coffer_value& v = f.inputs[i].value;
        TensorView view{v.data, static_cast<DType>(v.dtype), {}};
        for (int32_t axis = 0; axis < v.rank; ++axis) view.shape.push_back(v.dims[axis]);
        const size_t at = runner->model().find_input(f.inputs[i].name);
        if (at == runtime::Model::kNotFound)
            return error(Code::kInvalidArgument, "no input '", f.inputs[i].name, "'");
        COFFER_TRY(runner->bind_input(at, Value(Tensor::wrap(view, nullptr))));
    }
    COFFER_TRY(runner->prepare());
    return runner;
}

Status cold(const char* how, const char* path, const char* key, const char* signer, const feed& f) {
    std::shared_ptr<const runtime::Model> model;
    if (std::strcmp(how, "plain") == 0) {
        COFFER_TRY_ASSIGN(graph::Model graph, read_plain(path));
        COFFER_TRY_ASSIGN(model, runtime::Model::create(std::move(graph)));
    } else {
        Access access;
        COFFER_TRY(read_access(key, signer, &access));
        if (std::strcmp(how, "aead") == 0) access.policy.integrity = trust::Integrity::kAeadOnly;
        COFFER_TRY_ASSIGN(runtime::Loaded loaded,
                          runtime::load(container::Source::file(path), access.policy, access.keyring));
        model = std::move(loaded.model);
    }
    COFFER_TRY_ASSIGN(const auto runner, planned(model, f));
    return runner->run();
}

// Code and tables of this program are no memory of a model: all their pages are there before it is measured.
int touch_pages(dl_phdr_info* program, size_t, void*) {
    constexpr uintptr_t kPage = 4096;
    for (const ElfW(Phdr) & part : std::span(program->dlpi_phdr, program->dlpi_phnum)) {
        const uintptr_t begin = (program->dlpi_addr + part.p_vaddr) / kPage * kPage;
        const uintptr_t end = program->dlpi_addr + part.p_vaddr + part.p_memsz;
        if (part.p_type != PT_LOAD) continue;
        if (madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_READ) != 0) return 1;
    }
    return 0;
}

Status memory(char** argv) {
    feed f, warm;
    if (feed_read(&f, argv[6]) != 0 || feed_read(&warm, argv[7]) != 0) return error(Code::kIo, "no feed");
    COFFER_TRY(cold("full", argv[2], argv[4], argv[5], warm));
    Access access;
    COFFER_TRY(read_access(argv[4], argv[5], &access));
    if (dl_iterate_phdr(&touch_pages, nullptr) != 0) {
        return error(Code::kInternal, "this system cannot bring in all pages of a program");
    }
    if (!os::reset_peak_memory()) return error(Code::kInternal, "the peak cannot be reset here");
    const uint64_t before = os::resident_memory_bytes();
    COFFER_TRY_ASSIGN(const runtime::Loaded loaded,
                      runtime::load(container::Source::file(argv[3]), access.policy, access.keyring));
    COFFER_TRY_ASSIGN(const auto runner, planned(loaded.model, f));
    const runtime::WeightStore& weights = loaded.model->weights();
    std::printf("%" PRIu64 " %" PRIu64 " %zu %zu %" PRIu64 " %" PRIu64 "\n", os::peak_memory_bytes(), before,
                weights.packed_bytes() + weights.own_bytes(), weights.staged_bytes(), loaded.facts.header.table_len,
                loaded.facts.header.payload_len);
    return {};
}

}  // namespace
}  // namespace coffer::bench

int main(int argc, char** argv) {
    using namespace coffer;
    Status status;
    if (argc == 8 && std::strcmp(argv[1], "memory") == 0) {
        status = bench::memory(argv);
    } else if (argc == 6) {
        static feed f;
        const uint64_t begin = cpu_ns();
        if (feed_read(&f, argv[5]) != 0) return 2;
        std::printf("%" PRIu64 "\n", cpu_ns() - begin);
        status = bench::cold(argv[1], argv[2], argv[3], argv[4], f);
    } else {
        return 2;
    }
    if (status.ok()) return 0;
    std::fprintf(stderr, "load_reader: %s\n", status.error().message().c_str());
    return 1;
}
