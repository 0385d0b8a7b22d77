/* One cold start as an application has it: a process that opens a sealed model through the shared library, runs it
 * once with one thread, and ends. Started by the load benchmark, which takes its CPU time from the system.
 *   load_cold MODEL KEY SIGNER FEED full|aead RUNS
 * Prints the CPU nanoseconds of: the start of main, reading the inputs (no part of a cold start), opening, planning,
 * the first run, and the fastest of RUNS more. */
#include "feed.h"

#define TRY(call)                                                \
    do {                                                         \
        if ((call) != COFFER_OK) {                               \
            fprintf(stderr, "%s: %s\n", argv[1], error.message); \
            return 1;                                            \
        }                                                        \
    } while (0)

int main(int argc, char** argv) {
    const uint64_t started = cpu_ns();
    if (argc != 7) return 2;
    static feed f;
    if (feed_read(&f, argv[4]) != 0) return 2;
    const uint64_t fed = cpu_ns();

    coffer_error error;
    coffer_keyring* keyring = NULL;
    coffer_policy* policy = NULL;
    coffer_model* model = NULL;
    coffer_runner* runner = NULL;
    TRY(coffer_keyring_new(&keyring, &error));
    TRY(coffer_keyring_add_file(keyring, argv[2], &error));
    TRY(coffer_policy_new(&policy, &error));
    TRY(coffer_policy_add_signer_file(policy, argv[3], &error));
    if (strcmp(argv[5], "aead") == 0) TRY(coffer_policy_set_integrity(policy, COFFER_INTEGRITY_AEAD_ONLY, &error));
    coffer_open_options open_options = COFFER_OPEN_OPTIONS_INIT;
    open_options.threads = 1;
    TRY(coffer_model_open_path(&model, argv[1], keyring, policy, &open_options, &error));
    const uint64_t opened = cpu_ns();
    coffer_runner_options options = COFFER_RUNNER_OPTIONS_INIT;
    options.threads = 1;
    TRY(coffer_runner_new(&runner, model, &options, &error));
    TRY(coffer_runner_prepare(runner, f.inputs, f.count, NULL, &error));
    const uint64_t planned = cpu_ns();
    TRY(coffer_runner_run(runner, f.inputs, f.count, NULL, 0, NULL, &error));
    const uint64_t ran = cpu_ns();

    uint64_t warm = UINT64_MAX;
    for (int i = atoi(argv[6]); i > 0; --i) {
        const uint64_t begin = cpu_ns();
        TRY(coffer_runner_run(runner, f.inputs, f.count, NULL, 0, NULL, &error));
        const uint64_t took = cpu_ns() - begin;
        if (took < warm) warm = took;
    }
    printf("%llu %llu %llu %llu %llu %llu\n", (unsigned long long)started, (unsigned long long)(fed - started),
           (unsigned long long)(opened - fed), (unsigned long long)(planned - opened),
           (unsigned long long)(ran - planned), (unsigned long long)warm);
    coffer_runner_free(&runner);
    coffer_model_free(&model);
    coffer_policy_free(&policy);
    coffer_keyring_free(&keyring);
    return 0;
}
