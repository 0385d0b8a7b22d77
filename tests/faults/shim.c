// Makes system calls and allocations fail, one at a time and by number, in a program that is linked against this
// library before all others, or started with it in LD_PRELOAD. Not part of the product.
//
// In a program: fault_arm("pwrite", 3, FAULT_ERROR) and fault_disarm(). From outside:
//
//   COFFER_FAULT=KIND:N:error   the Nth call of that kind fails, once
//   COFFER_FAULT=KIND:N:kill    the process is killed in the middle of it: a write is half done, the rest not begun
//   COFFER_FAULT=KIND:N:after   the process is killed when it is done
//   COFFER_NONCES=FILE          a line "key nonce" (a fingerprint and hex) is appended for every sealing
//
// KIND: alloc, mmap, mlock, mprotect, thread, open, read, write, sync, rename, random.
#define _GNU_SOURCE
#include "shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum { ALLOC, MMAP, MLOCK, MPROTECT, THREAD, OPEN, READ, WRITE, SYNC, RENAME, RANDOM, KINDS };
static const char* const kNames[KINDS] = {"alloc", "mmap",  "mlock", "mprotect", "thread", "open",
                                          "read",  "write", "sync",  "rename",   "random"};
static const int kErrors[KINDS] = {ENOMEM, ENOMEM, EAGAIN, ENOMEM, EAGAIN, EMFILE, EIO, ENOSPC, EIO, EIO, ENOSYS};

static atomic_int armed = -1;
static atomic_long left, live;
static atomic_int action;
static atomic_int hit;

static int kind_of(const char* name) {
    for (int kind = 0; kind < KINDS; ++kind) {
        if (strcmp(kNames[kind], name) == 0) return kind;
    }
    return -1;
}

int fault_arm(const char* kind, long n, int what) {
    const int k = kind_of(kind);
    if (k < 0 || n < 1) return 0;
    atomic_store(&left, n);
    atomic_store(&action, what);
    atomic_store(&hit, 0);
    atomic_store(&armed, k);
    return 1;
}
int fault_disarm(void) {
    atomic_store(&armed, -1);
    return atomic_load(&hit);
}
long fault_live(void) {
    return atomic_load(&live);
}

static void die(void) {
    syscall(SYS_kill, (pid_t)syscall(SYS_getpid), SIGKILL);
}

// A place to stop at with a debugger.
void fault_trap_here(void) {
    __asm__ volatile("");
}

// Whether this call is the one.
static int strikes(int kind) {
    if (atomic_load_explicit(&armed, memory_order_relaxed) != kind) return 0;
    const long before = atomic_fetch_sub(&left, 1);
    const int all = atomic_load(&action) == FAULT_ALL;
    if (all ? before > 1 : before != 1) return 0;
    atomic_store(&hit, 1);
    fault_trap_here();
    return 1;
}
// For calls that are done wholly or not at all: 1 when it shall fail.
static int fails(int kind) {
    if (!strikes(kind)) return 0;
    const int what = atomic_load(&action);
    if (what == FAULT_KILL) die();
    if (what == FAULT_AFTER) return 0;
    errno = kErrors[kind];
    return 1;
}
static void done(void) {
    if (atomic_load_explicit(&hit, memory_order_relaxed) && atomic_load(&action) == FAULT_AFTER) die();
}

static void from_environment(void) {
    const char* text = getenv("COFFER_FAULT");
    char kind[16], what[16];
    long n;
    if (!text || sscanf(text, "%15[^:]:%ld:%15s", kind, &n, what) != 3) return;
    fault_arm(kind, n,
              strcmp(what, "kill") == 0    ? FAULT_KILL
              : strcmp(what, "after") == 0 ? FAULT_AFTER
                                           : FAULT_ERROR);
}

// Counting starts with main(): nothing that C++ does before it can be caught by the program.
typedef int (*Main)(int, char**, char**);
static Main real_main;
static int armed_main(int argc, char** argv, char** environment) {
    from_environment();
    return real_main(argc, argv, environment);
}
int __libc_start_main(Main main, int argc, char** argv, void (*init)(void), void (*fini)(void),
                      void (*rtld_fini)(void), void* stack_end) {
    typedef int (*Start)(Main, int, char**, void (*)(void), void (*)(void), void (*)(void), void*);
    real_main = main;
    const Start start = (Start)dlsym(RTLD_NEXT, "__libc_start_main");
    return start(armed_main, argc, argv, init, fini, rtld_fini, stack_end);
}

// ---- memory

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);
extern void __libc_free(void*);

static void* counted(void* memory) {
    if (memory) atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return memory;
}

void* malloc(size_t size) {
    return fails(ALLOC) ? NULL : counted(__libc_malloc(size));
}
void* calloc(size_t count, size_t size) {
    return fails(ALLOC) ? NULL : counted(__libc_calloc(count, size));
}
void* realloc(void* old, size_t size) {
    if (fails(ALLOC)) return NULL;
    void* memory = __libc_realloc(old, size);
    if (!old) return counted(memory);
    if (size == 0) atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
    return memory;
}
void* memalign(size_t alignment, size_t size) {
    return fails(ALLOC) ? NULL : counted(__libc_memalign(alignment, size));
}
void* aligned_alloc(size_t alignment, size_t size) {
    return fails(ALLOC) ? NULL : counted(__libc_memalign(alignment, size));
}
int posix_memalign(void** out, size_t alignment, size_t size) {
    if (fails(ALLOC)) return ENOMEM;
    void* memory = counted(__libc_memalign(alignment, size));
    if (!memory) return ENOMEM;
    *out = memory;
    return 0;
}
void free(void* memory) {
    if (memory) atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
    __libc_free(memory);
}

void* mmap(void* address, size_t size, int protection, int flags, int fd, off_t offset) {
    if (fails(MMAP)) return MAP_FAILED;
    return (void*)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}
int mlock2(const void* address, size_t size, unsigned flags) {
    return fails(MLOCK) ? -1 : (int)syscall(SYS_mlock2, address, size, flags);
}
int mprotect(void* address, size_t size, int protection) {
    return fails(MPROTECT) ? -1 : (int)syscall(SYS_mprotect, address, size, protection);
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument) {
    static int (*real)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
    if (fails(THREAD)) return EAGAIN;
    if (!real)
        real =
            (int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*))dlsym(RTLD_NEXT, "pthread_create");
    return real(thread, attributes, body, argument);
}

// ---- files

int openat(int folder, const char* path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (fails(OPEN)) return -1;
    const int fd = (int)syscall(SYS_openat, folder, path, flags, mode);
    done();
    return fd;
}
ssize_t pread(int fd, void* data, size_t size, off_t offset) {
    return fails(READ) ? -1 : syscall(SYS_pread64, fd, data, size, offset);
}
ssize_t pread64(int fd, void* data, size_t size, off_t offset) {
    return pread(fd, data, size, offset);
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
    const int strike = strikes(WRITE), what = atomic_load(&action);
    if (strike && what != FAULT_AFTER) {
        // A disk fills up in the middle of a write.
        const ssize_t half = syscall(SYS_pwrite64, fd, data, size / 2, offset);
        if (what == FAULT_KILL) die();
        if (half > 0 && size > 1) {
            atomic_store(&left, 1);  // and the rest finds no room at all
            return half;
        }
        errno = ENOSPC;
        return -1;
    }
    const ssize_t n = syscall(SYS_pwrite64, fd, data, size, offset);
    done();
    return n;
}
ssize_t pwrite64(int fd, const void* data, size_t size, off_t offset) {
    return pwrite(fd, data, size, offset);
}
ssize_t copy_file_range(int from, off_t* from_at, int to, off_t* to_at, size_t size, unsigned flags) {
    if (fails(WRITE)) return -1;
    const ssize_t n = syscall(SYS_copy_file_range, from, from_at, to, to_at, size, flags);
    done();
    return n;
}
int fsync(int fd) {
    if (fails(SYNC)) return -1;
    const int result = (int)syscall(SYS_fsync, fd);
    done();
    return result;
}
int renameat(int from_folder, const char* from, int to_folder, const char* to) {
    if (fails(RENAME)) return -1;
    const int result = (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
    done();
    return result;
}
int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
    if (fails(RENAME)) return -1;
    const int result = (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
    done();
    return result;
}
ssize_t getrandom(void* data, size_t size, unsigned flags) {
    return fails(RANDOM) ? -1 : syscall(SYS_getrandom, data, size, flags);
}

// ---- what is sealed with which key and nonce

typedef struct evp_cipher_ctx_st Context;
typedef int (*Init)(Context*, const void*, const unsigned char*, const unsigned char*, int, const void*);

static void (*on_seal)(const unsigned char* key, const unsigned char* nonce);
void fault_on_seal(void (*callback)(const unsigned char*, const unsigned char*)) {
    on_seal = callback;
}

// Keys of the contexts that seal now; a context that is made anew takes the place of an old one.
enum { CONTEXTS = 256 };
static struct {
    Context* context;
    unsigned char key[32];
} contexts[CONTEXTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void note(const unsigned char* key, const unsigned char* nonce) {
    if (on_seal) on_seal(key, nonce);
    static int file = -2;
    if (file == -2) {
        const char* path = getenv("COFFER_NONCES");
        file = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    }
    if (file < 0) return;
    // FNV-1a, twice: enough to tell keys apart, not enough to be one.
    unsigned long long a = 14695981039346656037ull, b = a ^ 0x5bd1e995;
    for (int i = 0; i < 32; ++i) {
        a = (a ^ key[i]) * 1099511628211ull;
        b = (b ^ key[31 - i]) * 1099511628211ull;
    }
    char line[64];
    int n = snprintf(line, sizeof line, "%016llx%016llx ", a, b);
    for (int i = 0; i < 12; ++i) n += snprintf(line + n, sizeof line - (size_t)n, "%02x", nonce[i]);
    line[n++] = '\n';
    syscall(SYS_write, file, line, (size_t)n);
}

int EVP_CipherInit_ex2(Context* context, const void* cipher, const unsigned char* key, const unsigned char* nonce,
                       int seal, const void* parameters) {
    static Init real;
    if (!real) real = (Init)dlsym(RTLD_NEXT, "EVP_CipherInit_ex2");
    pthread_mutex_lock(&lock);
    size_t free_slot = CONTEXTS, own = CONTEXTS;
    for (size_t i = 0; i < CONTEXTS; ++i) {
        if (contexts[i].context == context) own = i;
        if (!contexts[i].context) free_slot = i;
    }
    if (key) {
        if (own < CONTEXTS) contexts[own].context = NULL;
        if (own == CONTEXTS) own = free_slot < CONTEXTS ? free_slot : (size_t)((uintptr_t)context / 64 % CONTEXTS);
        if (seal == 1) {
            contexts[own].context = context;
            memcpy(contexts[own].key, key, 32);
        } else {
            own = CONTEXTS;
        }
    }
    unsigned char sealing_key[32];
    const int sealing = nonce && own < CONTEXTS && contexts[own].context == context;
    if (sealing) memcpy(sealing_key, contexts[own].key, 32);
    pthread_mutex_unlock(&lock);
    if (sealing) note(sealing_key, nonce);
    return real(context, cipher, key, nonce, seal, parameters);
}
