/* The same as quickstart in C: opens a sealed model from memory and runs it once.
 *   c_api net.coffer device.key vendor.pem */
#include <stdio.h>
#include <stdlib.h>

#include "coffer/coffer.h"

static void* read_file(const char* path, size_t* size) {
    FILE* file = fopen(path, "rb");
    char* data = NULL;
    size_t used = 0, room = 0;
    if (!file) return NULL;
    for (;;) {
        if (used == room) {
            char* more = realloc(data, room = room ? 2 * room : 65536);
            if (!more) break;
            data = more;
        }
        size_t got = fread(data + used, 1, room - used, file);
        if (got == 0) break;
        used += got;
    }
    if (ferror(file) || used == room) {
        free(data);
        data = NULL;
    }
    fclose(file);
    *size = used;
    return data;
}

/* One dense tensor of the declared type; free dimensions become 1, all elements zero. */
static int make_input(coffer_value* value, const coffer_value_info* info, size_t element_size) {
    size_t count = 1;
    *value = (coffer_value){.kind = info->kind, .dtype = info->dtype, .rank = info->rank};
    for (int32_t i = 0; i < info->rank; ++i) {
        value->dims[i] = info->dims[i] < 0 ? 1 : info->dims[i];
        count *= (size_t)value->dims[i];
    }
    value->size = count * element_size;
    value->data = calloc(count ? count : 1, element_size);
    return value->data != NULL;
}

static int run(const coffer_model* model, coffer_error* error) {
    coffer_runner* runner = NULL;
    coffer_value_info info = COFFER_VALUE_INFO_INIT;
    coffer_binding input;
    coffer_value output;
    int ok = 0;
    input.value.data = NULL;
    if (coffer_model_input(&info, model, 0, error) != COFFER_OK) return 0;
    input.name = info.name;
    if (info.dtype != COFFER_FLOAT32 && info.dtype != COFFER_INT32) return 0;
    if (!make_input(&input.value, &info, 4)) return 0;
    if (coffer_runner_new(&runner, model, NULL, error) == COFFER_OK &&
        coffer_runner_run(runner, &input, 1, NULL, 0, NULL, error) == COFFER_OK &&
        coffer_runner_output(&output, runner, 0, error) == COFFER_OK && output.dtype == COFFER_FLOAT32) {
        const float* scores = output.data;
        for (size_t i = 0; i < output.size / sizeof *scores; ++i) printf("%g\n", scores[i]);
        ok = 1;
    }
    coffer_runner_free(&runner);
    free(input.value.data);
    return ok;
}

int main(int argc, char** argv) {
    coffer_error error = {COFFER_OK, 0, "cannot read the file, or the model's input is neither float32 nor int32"};
    coffer_keyring* keys = NULL;
    coffer_policy* policy = NULL;
    coffer_model* model = NULL;
    size_t size = 0;
    int ok = 0;
    if (argc != 4) {
        fprintf(stderr, "usage: c_api MODEL.coffer KEY SIGNER.pem\n");
        return 2;
    }
    void* file = read_file(argv[1], &size);
    if (file && coffer_keyring_new(&keys, &error) == COFFER_OK &&
        coffer_keyring_add_file(keys, argv[2], &error) == COFFER_OK &&
        coffer_policy_new(&policy, &error) == COFFER_OK &&
        coffer_policy_add_signer_file(policy, argv[3], &error) == COFFER_OK &&
        coffer_model_open_memory(&model, file, size, keys, policy, NULL, &error) == COFFER_OK) {
        ok = run(model, &error);
    }
    if (!ok) fprintf(stderr, "error: %s\n", error.message);
    coffer_model_free(&model);
    coffer_policy_free(&policy);
    coffer_keyring_free(&keys);
    free(file);
    return ok ? 0 : 1;
}
