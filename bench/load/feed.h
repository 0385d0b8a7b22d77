/* Inputs of a model in one file, for the programs that the load benchmark starts: LE4 count, then for each input LE4
 * length and bytes of its name, LE4 dtype, LE4 rank, LE8 dims, LE8 size and bytes of its elements. Written and read
 * on the same machine, by this benchmark alone. */
#ifndef COFFER_BENCH_FEED_H
#define COFFER_BENCH_FEED_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "coffer/coffer.h"

enum { kMaxFeed = 64 };

typedef struct feed {
    char* memory;
    size_t count;
    coffer_binding inputs[kMaxFeed];
} feed;

/* CPU time of this process, in nanoseconds. */
static inline uint64_t cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t feed_take(const char** from, size_t bytes) {
    uint64_t value = 0;
    memcpy(&value, *from, bytes);
    *from += bytes;
    return value;
}

/* 0 when the file is there and whole. */
static inline int feed_read(feed* f, const char* path) {
    FILE* const file = fopen(path, "rb");
    if (!file) return 1;
    fseek(file, 0, SEEK_END);
    const long size = ftell(file);
    rewind(file);
    f->memory = (char*)malloc((size_t)size);
    const int bad = !f->memory || fread(f->memory, 1, (size_t)size, file) != (size_t)size;
    fclose(file);
    if (bad) return 1;
    const char* at = f->memory;
    f->count = feed_take(&at, 4);
    if (f->count > kMaxFeed) return 1;
    memset(f->inputs, 0, sizeof f->inputs);
    for (size_t i = 0; i < f->count; ++i) {
        coffer_value* const v = &f->inputs[i].value;
        const size_t length = feed_take(&at, 4);
        char* const name = (char*)calloc(length + 1, 1);
        memcpy(name, at, length);
        at += length;
        f->inputs[i].name = name;
        v->dtype = (coffer_dtype)feed_take(&at, 4);
        v->rank = (int32_t)feed_take(&at, 4);
        for (int32_t axis = 0; axis < v->rank; ++axis) v->dims[axis] = (int64_t)feed_take(&at, 8);
        v->size = feed_take(&at, 8);
        v->data = aligned_alloc(64, (v->size + 64) / 64 * 64);
        memcpy(v->data, at, v->size);
        at += v->size;
    }
    return 0;
}

#endif
