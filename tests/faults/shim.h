// See shim.c.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

enum {
    FAULT_ERROR,  // the Nth call fails
    FAULT_ALL,    // the Nth and every later one
    FAULT_KILL,   // the process is killed in it
    FAULT_AFTER,  // the process is killed when it is done
};

// The Nth call of this kind from now on, in any thread. 0 when there is no such kind.
int fault_arm(const char* kind, long n, int what);
// Whether it came to that.
int fault_disarm(void);
// Pieces of memory allocated and not freed.
long fault_live(void);
// Called before each sealing with the key (32 bytes) and nonce (12).
void fault_on_seal(void (*callback)(const unsigned char* key, const unsigned char* nonce));

#ifdef __cplusplus
}
#endif
