/* victim FILE KEY SIGNER MODE [SECRET]: opens a sealed model, runs it, and then
 *
 *   abort   aborts with everything open
 *   stop    stops with everything open
 *   closed  closes everything and stops
 *
 * KEY is a file with a raw key. SECRET, in hex, is copied to the heap and forgotten there: a leak that a search of
 * this process must find. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coffer/coffer.h"

static void check(coffer_status status, const coffer_error* error) {
    if (status == COFFER_OK) return;
    fprintf(stderr, "victim: %s\n", error->message);
    exit(3);
}

int main(int argc, char** argv) {
    if (argc < 5) return 2;
    coffer_error error;
    coffer_keyring* keyring = NULL;
    coffer_policy* policy = NULL;
    coffer_model* model = NULL;
    coffer_runner* runner = NULL;
    check(coffer_keyring_new(&keyring, &error), &error);
    check(coffer_keyring_add_file(keyring, argv[2], &error), &error);
    check(coffer_policy_new(&policy, &error), &error);
    check(coffer_policy_add_signer_file(policy, argv[3], &error), &error);
    coffer_open_options options = COFFER_OPEN_OPTIONS_INIT;
    check(coffer_model_open_path(&model, argv[1], keyring, policy, &options, &error), &error);
    check(coffer_runner_new(&runner, model, NULL, &error), &error);
    static float x[3 * 16 * 16];
    for (size_t i = 0; i < sizeof x / sizeof *x; ++i) x[i] = (float)(i % 13) / 13;
    coffer_binding in = {"x", {0}};
    in.value.dtype = COFFER_FLOAT32;
    in.value.rank = 4;
    in.value.dims[0] = 1;
    in.value.dims[1] = 3;
    in.value.dims[2] = in.value.dims[3] = 16;
    in.value.data = x;
    in.value.size = sizeof x;
    check(coffer_runner_run(runner, &in, 1, NULL, 0, NULL, &error), &error);

    if (argc > 5) {
        const size_t size = strlen(argv[5]) / 2;
        unsigned char* leak = malloc(size);
        if (!leak) return 4;
        for (size_t i = 0; i < size; ++i) {
            const char digits[3] = {argv[5][2 * i], argv[5][2 * i + 1], 0};
            leak[i] = (unsigned char)strtoul(digits, NULL, 16);
        }
        static unsigned char* volatile kept;
        kept = leak;
    }
    if (strcmp(argv[4], "abort") == 0) abort();
    if (strcmp(argv[4], "closed") == 0) {
        coffer_runner_free(&runner);
        coffer_model_free(&model);
        coffer_policy_free(&policy);
        coffer_keyring_free(&keyring);
    }
    raise(SIGSTOP);
    return 0;
}
