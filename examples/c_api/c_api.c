/* The same as quickstart in C: opens a sealed model from memory and runs it once.
 * Both give the same numbers.
 *   c_api net.coffer device.key vendor.pem */
#include <stdint.h>
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

static int fail(coffer_error* error, const char* message) {
    snprintf(error->message, sizeof error->message, "%s", message);
    return 0;
}

/* A tensor of one number, of the declared type; free dimensions become 1. */
static int make_input(coffer_value* value, const coffer_value_info* info, coffer_error* error) {
    size_t count = 1;
    *value = (coffer_value){.kind = info->kind, .dtype = info->dtype, .rank = info->rank < 0 ? 0 : info->rank};
    for (int32_t i = 0; i < value->rank; ++i) {
        value->dims[i] = info->dims[i] < 0 ? 1 : info->dims[i];
        count *= (size_t)value->dims[i];
    }
    if (info->dtype != COFFER_FLOAT32 && info->dtype != COFFER_INT32 && info->dtype != COFFER_INT64)
        return fail(error, "an input of the model is neither float32 nor int32 nor int64");
    value->size = count * (info->dtype == COFFER_INT64 ? 8 : 4);
    value->data = malloc(value->size ? value->size : 1);
    if (!value->data) return fail(error, "out of memory");
    for (size_t i = 0; i < count; ++i) {
        if (info->dtype == COFFER_FLOAT32) ((float*)value->data)[i] = 0.5f;
        if (info->dtype == COFFER_INT32) ((int32_t*)value->data)[i] = 1;
        if (info->dtype == COFFER_INT64) ((int64_t*)value->data)[i] = 1;
    }
    return 1;
}

static int make_inputs(coffer_binding* inputs, size_t count, const coffer_model* model, coffer_error* error) {
    for (size_t i = 0; i < count; ++i) {
        coffer_value_info info = COFFER_VALUE_INFO_INIT;
        if (coffer_model_input(&info, model, i, error) != COFFER_OK) return 0;
        inputs[i].name = info.name;
        if (!make_input(&inputs[i].value, &info, error)) return 0;
    }
    return 1;
}

static int print(const coffer_value* value, coffer_error* error) {
    const size_t size = value->dtype == COFFER_INT64 ? 8 : 4;
    if (value->dtype != COFFER_FLOAT32 && value->dtype != COFFER_INT32 && value->dtype != COFFER_INT64)
        return fail(error, "the output is neither float nor int");
    for (size_t i = 0; i < value->size / size; ++i) {
        if (value->dtype == COFFER_FLOAT32) printf("%g\n", ((const float*)value->data)[i]);
        if (value->dtype == COFFER_INT32) printf("%g\n", (double)((const int32_t*)value->data)[i]);
        if (value->dtype == COFFER_INT64) printf("%g\n", (double)((const int64_t*)value->data)[i]);
    }
    return 1;
}

static int run(const coffer_model* model, coffer_error* error) {
    const size_t count = coffer_model_input_count(model);
    coffer_binding* inputs = calloc(count ? count : 1, sizeof *inputs);
    coffer_runner* runner = NULL;
    coffer_value output;
    if (!inputs) return fail(error, "out of memory");
    const int ok = make_inputs(inputs, count, model, error) &&
                   coffer_runner_new(&runner, model, NULL, error) == COFFER_OK &&
                   coffer_runner_run(runner, inputs, count, NULL, 0, NULL, error) == COFFER_OK &&
                   coffer_runner_output(&output, runner, 0, error) == COFFER_OK && print(&output, error);
    coffer_runner_free(&runner);
    for (size_t i = 0; i < count; ++i) free(inputs[i].value.data);
    free(inputs);
    return ok;
}

int main(int argc, char** argv) {
    coffer_error error = {COFFER_OK, 0, "cannot read the model's file"};
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
