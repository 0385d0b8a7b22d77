/*
 * Coffer: run sealed models. The C ABI, the only stable binary surface of the library.
 *
 * Conventions
 *   - Functions return coffer_status; results come through out-parameters, which stand first. On failure
 *     out-parameters are left alone (handles become NULL).
 *   - The last parameter is an optional caller-owned coffer_error that receives the details.
 *   - Handles are opaque. coffer_<noun>_free(&handle) frees and sets the handle to NULL; NULL is fine.
 *   - Structs that may grow begin with struct_size, those the library fills in too; initialise them with the
 *     COFFER_..._INIT macros. NULL options mean the defaults. Fields are only ever appended: a library takes an older
 *     caller's struct, and refuses a newer one's when a field it does not know is not zero.
 *   - Enums may get more values (they are 32 bits wide); treat an unknown status as a failure. Flags that are not
 *     known are refused.
 *   - Callbacks answer with a coffer_status too, COFFER_OK when they did what they are for. One that fails may write
 *     a line into error->message, which is never NULL: the caller of the library reads it within the error he gets.
 *     COFFER_CANCELLED, COFFER_DEADLINE and COFFER_OUT_OF_MEMORY end the call with that status; what other failures
 *     lead to is said at each. Callbacks must not throw, nor change or free the object that calls them. `user` is
 *     theirs: it must be usable as long as that object may call, and by the threads that do.
 *   - Strings are UTF-8. Strings and pointers returned belong to the handle they came from, and live as long. What is
 *     passed in is copied unless the function says that it is borrowed.
 *   - Any thread may use any handle. A keyring and a policy are changed by one thread at a time, and not while models
 *     are opened with them; opening, by several threads at once, only reads them, and a model needs neither later. A
 *     model is immutable and may be shared by threads. A runner belongs to one thread at a time, except
 *     coffer_runner_cancel, which any thread may call.
 *   - The library never prints, aborts, exits, installs signal handlers or reads the environment, except for
 *     COFFER_FORCE_ARCH (the instruction set, for tests).
 *   - Nothing is trusted by default: without a signer in the policy, or an explicit permission, no file opens.
 *   - Every function may return COFFER_INVALID_ARGUMENT, COFFER_OUT_OF_MEMORY and COFFER_INTERNAL; other statuses are
 *     said where they say something. All of this is of version 0.1; what comes later will say so.
 */
#ifndef COFFER_COFFER_H
#define COFFER_COFFER_H

#include <stddef.h>
#include <stdint.h>

/* COFFER_STATIC: the library is linked statically (its CMake and pkg-config packages define it where it is);
 * COFFER_BUILDING: the library itself is compiled. */
#if defined(COFFER_STATIC)
#define COFFER_API
#elif !defined(_WIN32)
#define COFFER_API __attribute__((visibility("default")))
#elif defined(COFFER_BUILDING)
#define COFFER_API __declspec(dllexport)
#else
#define COFFER_API __declspec(dllimport)
#endif

/* The calling convention of functions and callbacks, whatever the compiler's default is. */
#if defined(_WIN32)
#define COFFER_CALL __cdecl
#else
#define COFFER_CALL
#endif

#ifdef __cplusplus
extern "C" {
#define COFFER_NOEXCEPT noexcept
#else
#define COFFER_NOEXCEPT
#endif

/* ---- version ------------------------------------------------------------------------------------------- */

#define COFFER_VERSION_MAJOR 0
#define COFFER_VERSION_MINOR 1
#define COFFER_VERSION_PATCH 0

/* "0.1.0" of the library that was loaded. */
COFFER_API const char* COFFER_CALL coffer_version(void) COFFER_NOEXCEPT;

/* ---- errors -------------------------------------------------------------------------------------------- */

typedef enum coffer_status {
    COFFER_OK = 0,
    COFFER_INVALID_ARGUMENT = 1, /* wrong shape, type or number, NULL where it is not allowed */
    COFFER_BUFFER_TOO_SMALL = 2, /* the output's type and shape can be read with coffer_runner_output */
    COFFER_IO = 3,               /* a file, reader, store or module failed */
    COFFER_FORMAT = 4,           /* damaged or not a coffer file */
    COFFER_AUTH = 5,             /* no key, wrong key, bad or untrusted signature */
    COFFER_POLICY = 6,           /* expired, rollback, wrong model, revoked, unprotected, licence */
    COFFER_UNSUPPORTED = 7,      /* an op or feature this build does not have */
    COFFER_LIMIT = 8,            /* a cap of the policy, or of the system on locked memory */
    COFFER_OUT_OF_MEMORY = 9,
    COFFER_CANCELLED = 10, /* by coffer_runner_cancel or a callback; the runner's state is as before the run */
    COFFER_INTERNAL = 11,  /* a bug of ours */
    COFFER_NOT_FOUND = 12, /* a file that is missing; a name that nothing has */
    COFFER_DEADLINE = 13,  /* it passed; the runner's state is as before the run */
    COFFER_CONFLICT = 14,  /* somebody else changed it meanwhile, or it is there already */
    COFFER_STATUS_MAX_ENUM = 0x7fffffff
} coffer_status;

/* "ok", "invalid_argument", ... Never NULL. */
COFFER_API const char* COFFER_CALL coffer_status_name(coffer_status status) COFFER_NOEXCEPT;

/* Classes of failures: docs/format.md 5.14. A status says what a program may do about it, a class what was wrong. */
typedef enum coffer_detail {
    COFFER_DETAIL_NONE = 0, /* the status says all */
    COFFER_DETAIL_IO = 1,
    COFFER_DETAIL_FORMAT = 2,
    COFFER_DETAIL_UNSUPPORTED = 3,
    COFFER_DETAIL_SIGNATURE = 4,
    COFFER_DETAIL_UNTRUSTED = 5,
    COFFER_DETAIL_ROLLBACK = 6,
    COFFER_DETAIL_EXPIRED = 7,
    COFFER_DETAIL_REVOKED = 8,
    COFFER_DETAIL_WRONG_MODEL = 9,
    COFFER_DETAIL_UNPROTECTED = 10,
    COFFER_DETAIL_NO_RECIPIENT = 11,
    COFFER_DETAIL_UNWRAP = 12,
    COFFER_DETAIL_COMMITMENT = 13,
    COFFER_DETAIL_HEADER_AUTH = 14,
    COFFER_DETAIL_MANIFEST_AUTH = 15,
    COFFER_DETAIL_MANIFEST_INVALID = 16,
    COFFER_DETAIL_TREE = 17,
    COFFER_DETAIL_CHUNK_AUTH = 18,
    COFFER_DETAIL_LIMIT = 19,
    COFFER_DETAIL_LICENCE = 20,
    COFFER_DETAIL_CANCELLED = 21,
    COFFER_DETAIL_MAX_ENUM = 0x7fffffff
} coffer_detail;

/* "none", "io", ... as docs/format.md has them; "unknown". Never NULL. */
COFFER_API const char* COFFER_CALL coffer_detail_name(coffer_detail detail) COFFER_NOEXCEPT;

/* Its layout is final. */
typedef struct coffer_error {
    coffer_status status;
    coffer_detail detail;
    char message[504]; /* one line, NUL-terminated, names the thing and the values */
} coffer_error;

/* ---- values -------------------------------------------------------------------------------------------- */

#define COFFER_MAX_RANK 8 /* final: arrays of this length are part of the ABI */

/* Numbered as ONNX TensorProto.DataType. 4- and 2-bit types are packed, low bits first. */
typedef enum coffer_dtype {
    COFFER_UNDEFINED = 0, /* not known */
    COFFER_FLOAT32 = 1,
    COFFER_UINT8 = 2,
    COFFER_INT8 = 3,
    COFFER_UINT16 = 4,
    COFFER_INT16 = 5,
    COFFER_INT32 = 6,
    COFFER_INT64 = 7,
    COFFER_STRING = 8,
    COFFER_BOOL = 9,
    COFFER_FLOAT16 = 10,
    COFFER_FLOAT64 = 11,
    COFFER_UINT32 = 12,
    COFFER_UINT64 = 13,
    COFFER_COMPLEX64 = 14,
    COFFER_COMPLEX128 = 15,
    COFFER_BFLOAT16 = 16,
    COFFER_FLOAT8E4M3FN = 17,
    COFFER_FLOAT8E4M3FNUZ = 18,
    COFFER_FLOAT8E5M2 = 19,
    COFFER_FLOAT8E5M2FNUZ = 20,
    COFFER_UINT4 = 21,
    COFFER_INT4 = 22,
    COFFER_FLOAT4E2M1 = 23,
    COFFER_FLOAT8E8M0 = 24,
    COFFER_UINT2 = 25,
    COFFER_INT2 = 26,
    COFFER_DTYPE_MAX_ENUM = 0x7fffffff
} coffer_dtype;

typedef enum coffer_kind {
    COFFER_TENSOR = 0,
    COFFER_SEQUENCE = 1,
    COFFER_OPTIONAL = 2,
    COFFER_KIND_MAX_ENUM = 0x7fffffff
} coffer_kind;

/* An element of a string tensor. Need not be NUL-terminated. Its layout is final. */
typedef struct coffer_string {
    const char* data;
    size_t size;
} coffer_string;

/*
 * A value going in or coming out; does not own what it points to. All zero is a good start:
 *   coffer_value v = {.dtype = COFFER_FLOAT32, .rank = 2, .dims = {1, 10}, .data = scores, .size = sizeof scores};
 * Tensor: `data` holds the elements (coffer_string for COFFER_STRING), `size` its bytes. `strides` are in
 * elements; all zero means dense row-major. Strided inputs are gathered once; outputs must be dense.
 * rank -1 is shorthand for the declared shape, when all its dims are numbers and `size` agrees.
 * Sequence or optional: `items`, `item_count` (an empty optional has none); dtype is the element type.
 * Values stand in arrays, so their layout is final; `flags` and `extension` are the room for what may come.
 */
typedef struct coffer_value {
    coffer_kind kind;
    coffer_dtype dtype;
    int32_t rank;
    uint32_t flags; /* 0 */
    int64_t dims[COFFER_MAX_RANK];
    int64_t strides[COFFER_MAX_RANK];
    void* data;
    size_t size;
    const struct coffer_value* items;
    size_t item_count;
    const void* extension; /* NULL */
} coffer_value;

/* What a model says of one of its inputs or outputs. A dim of -1 is free; then dim_names may name it. */
typedef struct coffer_value_info {
    size_t struct_size;
    const char* name;
    coffer_kind kind;
    coffer_dtype dtype;
    int32_t rank; /* -1: not known */
    int32_t reserved;
    int64_t dims[COFFER_MAX_RANK];
    const char* dim_names[COFFER_MAX_RANK]; /* NULL where a dim is a number or nameless */
} coffer_value_info;
#define COFFER_VALUE_INFO_INIT                                                         \
    {                                                                                  \
        sizeof(coffer_value_info), NULL, COFFER_TENSOR, COFFER_UNDEFINED, 0, 0, {0}, { \
            NULL                                                                       \
        }                                                                              \
    }

/* ---- keys ---------------------------------------------------------------------------------------------- */

/* What this device can decrypt. */
typedef struct coffer_keyring coffer_keyring;

COFFER_API coffer_status COFFER_CALL coffer_keyring_new(coffer_keyring** keyring,
                                                        coffer_error* error) COFFER_NOEXCEPT;
COFFER_API void COFFER_CALL coffer_keyring_free(coffer_keyring** keyring) COFFER_NOEXCEPT;

/* A key file: age identities (AGE-SECRET-KEY-1..., as age-keygen writes them), a P-256 key as PKCS#8 PEM, or 32 raw
 * bytes. COFFER_NOT_FOUND; COFFER_IO when it is a symbolic link or not a regular file; COFFER_AUTH when it is not
 * owned by this user or root, readable by others, or holds no key. */
COFFER_API coffer_status COFFER_CALL coffer_keyring_add_file(coffer_keyring* keyring, const char* path,
                                                             coffer_error* error) COFFER_NOEXCEPT;
/* The text of such a file. The caller's copy is his to wipe. */
COFFER_API coffer_status COFFER_CALL coffer_keyring_add_identity(coffer_keyring* keyring, const char* text,
                                                                 size_t size, coffer_error* error) COFFER_NOEXCEPT;
/* A raw key of 32 bytes (slot kind 1). */
COFFER_API coffer_status COFFER_CALL coffer_keyring_add_raw(coffer_keyring* keyring, const void* key, size_t size,
                                                            coffer_error* error) COFFER_NOEXCEPT;
/* A password (slot kind 3). One scrypt is spent on it when a file has a password slot. */
COFFER_API coffer_status COFFER_CALL coffer_keyring_add_password(coffer_keyring* keyring, const char* password,
                                                                 size_t size, coffer_error* error) COFFER_NOEXCEPT;

/* What a provider is shown of a slot; valid during the call. */
typedef struct coffer_slot {
    size_t struct_size;
    uint16_t kind;
    uint16_t flags;
    uint16_t suite;            /* 1 AES-256-GCM, 2 ChaCha20-Poly1305: what the key is wrapped with */
    uint16_t reserved;         /* 0 */
    const uint8_t* slot_id;    /* 16 bytes */
    const uint8_t* content_id; /* 32 bytes; of a licence's wrap: SHA-256 of its head and claims */
    const void* context;       /* S of docs/format.md 5.7: HPKE info, or AAD; binds the slot to its file */
    size_t context_size;
    const void* body; /* as in the file: unauthenticated */
    size_t body_size;
} coffer_slot;

/* Unwraps the 32-byte key in `slot` (the file's, or the product key of a licence) into `key`. COFFER_NOT_FOUND: not
 * mine, others are asked. Any other failure is remembered, the other slots are tried, and when none opens the file
 * the open fails with COFFER_AUTH, class unwrap, and the provider's message. May block. Called by the thread that
 * opens; each provider once a slot at most, and all of them, tokens and key services together eight times an open. */
typedef coffer_status(COFFER_CALL* coffer_key_provider)(void* user, const coffer_slot* slot, uint8_t key[32],
                                                        coffer_error* error);
COFFER_API coffer_status COFFER_CALL coffer_keyring_add_provider(coffer_keyring* keyring,
                                                                 coffer_key_provider provider, void* user,
                                                                 coffer_error* error) COFFER_NOEXCEPT;

/* A grant (`model-pack grant`): a recipient of one file, kept outside it; a key of the ring must open it. Grants for
 * other files are ignored, so a keyring may hold many. The bytes are copied; COFFER_FORMAT when they are no grant. */
COFFER_API coffer_status COFFER_CALL coffer_keyring_add_grant(coffer_keyring* keyring, const void* grant, size_t size,
                                                              coffer_error* error) COFFER_NOEXCEPT;
COFFER_API coffer_status COFFER_CALL coffer_keyring_add_grant_file(coffer_keyring* keyring, const char* path,
                                                                   coffer_error* error) COFFER_NOEXCEPT;

/* A licence (`model-pack licence issue`): product keys wrapped for a key of this ring, for models that demand a
 * licence (pack --require-licence). The bytes are copied; only their form is checked here (COFFER_FORMAT), the
 * licensor's signature and the terms when a model is opened. Several may be added: the first that permits the model
 * is used. */
COFFER_API coffer_status COFFER_CALL coffer_keyring_add_licence(coffer_keyring* keyring, const void* licence,
                                                                size_t size, coffer_error* error) COFFER_NOEXCEPT;
COFFER_API coffer_status COFFER_CALL coffer_keyring_add_licence_file(coffer_keyring* keyring, const char* path,
                                                                     coffer_error* error) COFFER_NOEXCEPT;

/* A P-256 key that stays in a token or HSM (slot kind 5), reached through the PKCS#11 module of its maker.
 *
 * `uri` names it as RFC 7512 does: "pkcs11:token=LABEL;object=LABEL?module-path=/PATH/module.so"; serial,
 * manufacturer, model and id narrow it further, and pin-source=file:PATH or fd:N says where the PIN is. The call
 * loads the module and reads the public key. The PIN is needed when a slot for this key is met: from pin-source, or
 * else from `pin`, which writes at most `capacity` bytes and their number. NULL: nobody can be asked. A PIN that was
 * refused, or that nobody gave (`pin` failed: COFFER_AUTH, class unwrap), is not asked for again. The calls come from
 * the thread that opens. COFFER_IO: the module could not be loaded. COFFER_AUTH: no such token or key, or not a P-256
 * key. */
typedef coffer_status(COFFER_CALL* coffer_pin_source)(void* user, const char* token, char* pin, size_t capacity,
                                                      size_t* size, coffer_error* error);
COFFER_API coffer_status COFFER_CALL coffer_keyring_add_pkcs11(coffer_keyring* keyring, const char* uri,
                                                               coffer_pin_source pin, void* user,
                                                               coffer_error* error) COFFER_NOEXCEPT;

/* What a key management service is asked (slot kind 4); valid during the call. The URI and the blob are not
 * authenticated: whoever handed out the file may have written them. */
typedef struct coffer_kms_request {
    size_t struct_size;
    const char* uri;
    const void* context; /* names slot and file (S of docs/format.md 5.7); bind it to what is wrapped */
    size_t context_size;
    const void* blob;
    size_t blob_size;
} coffer_kms_request;

/* Unwraps the 32-byte file key into `key`. A failure is COFFER_AUTH, class unwrap, as with key providers.
 * May block. */
typedef coffer_status(COFFER_CALL* coffer_kms_unwrap)(void* user, const coffer_kms_request* request, uint8_t key[32],
                                                      coffer_error* error);
/* Asks `unwrap` about slots whose URI lies below `uri_prefix` ("acme-kms://eu/"), and about no others; of several
 * prefixes the longest counts. COFFER_INVALID_ARGUMENT: not a prefix, or given twice. */
COFFER_API coffer_status COFFER_CALL coffer_keyring_add_kms(coffer_keyring* keyring, const char* uri_prefix,
                                                            coffer_kms_unwrap unwrap, void* user,
                                                            coffer_error* error) COFFER_NOEXCEPT;
/* The same through a program: argv[0] is its absolute path, the arguments are given to it as they are, then "unwrap".
 * No shell, no environment. docs/keys.md describes what it reads and writes. It is killed after `timeout_ms`
 * milliseconds; 0: 30 seconds. The strings are copied. */
COFFER_API coffer_status COFFER_CALL coffer_keyring_add_kms_helper(coffer_keyring* keyring, const char* uri_prefix,
                                                                   const char* const* argv, size_t argc,
                                                                   uint32_t timeout_ms,
                                                                   coffer_error* error) COFFER_NOEXCEPT;

/* ---- policy -------------------------------------------------------------------------------------------- */

/* What this device may run. */
typedef struct coffer_policy coffer_policy;

COFFER_API coffer_status COFFER_CALL coffer_policy_new(coffer_policy** policy, coffer_error* error) COFFER_NOEXCEPT;
COFFER_API void COFFER_CALL coffer_policy_free(coffer_policy** policy) COFFER_NOEXCEPT;

/* Trusts a signer: an Ed25519 public key as SPKI PEM. */
COFFER_API coffer_status COFFER_CALL coffer_policy_add_signer_pem(coffer_policy* policy, const char* pem, size_t size,
                                                                  coffer_error* error) COFFER_NOEXCEPT;
COFFER_API coffer_status COFFER_CALL coffer_policy_add_signer_file(coffer_policy* policy, const char* path,
                                                                   coffer_error* error) COFFER_NOEXCEPT;
/* Trusts a distributor: who may say which recipients a file has, for files that ask for that (pack --sign-slots). One
 * distributor's signature is enough. A key has one role: one that is trusted as a signer is refused here and the
 * other way round (COFFER_INVALID_ARGUMENT). */
COFFER_API coffer_status COFFER_CALL coffer_policy_add_distributor_pem(coffer_policy* policy, const char* pem,
                                                                       size_t size,
                                                                       coffer_error* error) COFFER_NOEXCEPT;
COFFER_API coffer_status COFFER_CALL coffer_policy_add_distributor_file(coffer_policy* policy, const char* path,
                                                                        coffer_error* error) COFFER_NOEXCEPT;
/* How many different trusted signers must have signed. Default 1. Of this number and that of a trust bundle the
 * higher one holds. */
COFFER_API coffer_status COFFER_CALL coffer_policy_set_threshold(coffer_policy* policy, uint32_t signers,
                                                                 coffer_error* error) COFFER_NOEXCEPT;
/* Only a model packed under this name opens ("com.acme.detector"). Default: any. */
COFFER_API coffer_status COFFER_CALL coffer_policy_set_model(coffer_policy* policy, const char* name,
                                                             coffer_error* error) COFFER_NOEXCEPT;
/* Older versions are refused as a rollback. Default 0. */
COFFER_API coffer_status COFFER_CALL coffer_policy_set_min_version(coffer_policy* policy, uint64_t version,
                                                                   coffer_error* error) COFFER_NOEXCEPT;

typedef enum coffer_integrity {
    COFFER_INTEGRITY_FULL = 0, /* every chunk's hash is checked against the signature */
    /* Faster; gives up the promise that somebody who holds the key cannot forge. For keys that one trusted
     * party holds alone. */
    COFFER_INTEGRITY_AEAD_ONLY = 1,
    COFFER_INTEGRITY_MAX_ENUM = 0x7fffffff
} coffer_integrity;
COFFER_API coffer_status COFFER_CALL coffer_policy_set_integrity(coffer_policy* policy, coffer_integrity integrity,
                                                                 coffer_error* error) COFFER_NOEXCEPT;
/* Bytes for each of these: what a file brings along, its packed weights, the activations of a plan, what a runner
 * makes besides (tensors, strings, its plans). Default: half of RAM or of the cgroup limit. */
COFFER_API coffer_status COFFER_CALL coffer_policy_set_max_memory(coffer_policy* policy, uint64_t bytes,
                                                                  coffer_error* error) COFFER_NOEXCEPT;
/* Largest scrypt work factor a password slot may ask for, 14 to 20. Default 17 (128 MiB). */
COFFER_API coffer_status COFFER_CALL coffer_policy_set_max_scrypt_log_n(coffer_policy* policy, uint32_t log_n,
                                                                        coffer_error* error) COFFER_NOEXCEPT;
/* Files made with --unprotected (key in clear), and files without a signature. Each default 0: refused. */
COFFER_API coffer_status COFFER_CALL coffer_policy_allow_unprotected(coffer_policy* policy, int allow,
                                                                     coffer_error* error) COFFER_NOEXCEPT;
COFFER_API coffer_status COFFER_CALL coffer_policy_allow_unsigned(coffer_policy* policy, int allow,
                                                                  coffer_error* error) COFFER_NOEXCEPT;
/* Names of internal nodes and tensors in errors and profiles. Default 0: only inputs and outputs are named. */
COFFER_API coffer_status COFFER_CALL coffer_policy_set_debug_names(coffer_policy* policy, int show,
                                                                   coffer_error* error) COFFER_NOEXCEPT;

/* The clock that decides on expiry, in seconds since 1970. Default: the system's. NULL puts that back. When it fails
 * nothing opens: COFFER_IO. Must be thread-safe when models are opened by several threads. */
typedef coffer_status(COFFER_CALL* coffer_clock)(void* user, int64_t* now, coffer_error* error);
COFFER_API coffer_status COFFER_CALL coffer_policy_set_clock(coffer_policy* policy, coffer_clock clock, void* user,
                                                             coffer_error* error) COFFER_NOEXCEPT;

/* ---- licences: docs/licences.md ------------------------------------------------------------------------ */

/* Trusts a licensor: whose licences count, an Ed25519 public key as SPKI PEM. A key has one role: one that is trusted
 * as a signer or distributor is refused (COFFER_INVALID_ARGUMENT). */
COFFER_API coffer_status COFFER_CALL coffer_policy_add_licensor_pem(coffer_policy* policy, const char* pem,
                                                                    size_t size, coffer_error* error) COFFER_NOEXCEPT;
COFFER_API coffer_status COFFER_CALL coffer_policy_add_licensor_file(coffer_policy* policy, const char* path,
                                                                     coffer_error* error) COFFER_NOEXCEPT;
/* Only licences for this product count. Default, and with "": any. */
COFFER_API coffer_status COFFER_CALL coffer_policy_set_product(coffer_policy* policy, const char* product,
                                                               coffer_error* error) COFFER_NOEXCEPT;
/* A value of this host ("machine-id", "0123...") for licences that are bound to one. The library looks none up
 * itself. */
COFFER_API coffer_status COFFER_CALL coffer_policy_add_host_value(coffer_policy* policy, const char* kind,
                                                                  const char* value,
                                                                  coffer_error* error) COFFER_NOEXCEPT;
/* Asked for kinds that were not added: writes the value into `value` (NUL-terminated, `capacity` bytes with the NUL).
 * COFFER_NOT_FOUND: this host has none. Any other failure makes the licence that asks count for nothing:
 * COFFER_POLICY, class licence. Called while a model is opened, by the thread that opens it. NULL takes it away. */
typedef coffer_status(COFFER_CALL* coffer_host_value)(void* user, const char* kind, char* value, size_t capacity,
                                                      coffer_error* error);
COFFER_API coffer_status COFFER_CALL coffer_policy_set_host_callback(coffer_policy* policy,
                                                                     coffer_host_value callback, void* user,
                                                                     coffer_error* error) COFFER_NOEXCEPT;

/* ---- trust bundles ------------------------------------------------------------------------------------- */

/* Takes signers, distributors, licensors, their thresholds, minimum versions and revocations from a trust bundle
 * (`model-pack trust`), the anchor: that it is the right one is the caller's word, so it belongs into the application
 * or beside it. Refused (COFFER_INVALID_ARGUMENT) when the policy has keys of the caller's already; none can be added
 * afterwards. COFFER_AUTH when its own roots did not sign it. The bytes are copied. */
COFFER_API coffer_status COFFER_CALL coffer_policy_set_bundle(coffer_policy* policy, const void* bundle, size_t size,
                                                              coffer_error* error) COFFER_NOEXCEPT;
/* Moves on from the bundle that is set. `update` is the next bundle, or several one after the other; it may come from
 * anywhere. Those up to the present one are passed over. COFFER_POLICY when one is missing in between or all are
 * older, COFFER_AUTH when the roots of the present and of the new one did not sign; then nothing changes.
 */
COFFER_API coffer_status COFFER_CALL coffer_policy_update_bundle(coffer_policy* policy, const void* update,
                                                                 size_t size, coffer_error* error) COFFER_NOEXCEPT;
/* The bundle in force, to be kept for the next start; the policy's until it changes. COFFER_NOT_FOUND when
 * there is none. `number` may be NULL. */
COFFER_API coffer_status COFFER_CALL coffer_policy_bundle(const void** bundle, size_t* size, uint64_t* number,
                                                          const coffer_policy* policy,
                                                          coffer_error* error) COFFER_NOEXCEPT;

/* ---- the trust store ----------------------------------------------------------------------------------- */

/* Where the library keeps what it saw, so that older versions of a model, recipients that were removed, older bundles
 * and a clock that goes back are refused. At most COFFER_TRUST_STORE_MAX bytes. The library itself writes no files.
 * Failures of either function are COFFER_IO. */
#define COFFER_TRUST_STORE_MAX 262240
typedef struct coffer_trust_store {
    size_t struct_size;
    /* Copies what was stored last into `data` (`capacity` >= COFFER_TRUST_STORE_MAX), its size into `size`.
     * COFFER_NOT_FOUND: nothing was ever stored. */
    coffer_status(COFFER_CALL* load)(void* user, void* data, size_t capacity, size_t* size, coffer_error* error);
    /* Replaces what is stored, all or nothing, if it still is the `expected` bytes (NULL, 0: if there is nothing).
     * COFFER_CONFLICT: it is not, because somebody else stored in between; the library then loads again. */
    coffer_status(COFFER_CALL* replace)(void* user, const void* expected, size_t expected_size, const void* data,
                                        size_t size, coffer_error* error);
    void* user;
} coffer_trust_store;
#define COFFER_TRUST_STORE_INIT \
    { sizeof(coffer_trust_store), NULL, NULL, NULL }

/* The struct is copied; its functions are called by any thread that opens a model with the policy. A model that opens
 * but cannot be remembered is refused (COFFER_IO); so is everything while the store is empty (COFFER_NOT_FOUND; see
 * coffer_trust_store_create) or damaged (COFFER_FORMAT). NULL: nothing is remembered. */
COFFER_API coffer_status COFFER_CALL coffer_policy_set_trust_store(coffer_policy* policy,
                                                                   const coffer_trust_store* store,
                                                                   coffer_error* error) COFFER_NOEXCEPT;
/* Stores the first state: when the application is installed, never later. COFFER_CONFLICT when there is one. `policy`
 * may be NULL; if it follows a bundle, the state starts with that. */
COFFER_API coffer_status COFFER_CALL coffer_trust_store_create(const coffer_trust_store* store,
                                                               const coffer_policy* policy,
                                                               coffer_error* error) COFFER_NOEXCEPT;

/* ---- threads and memory of the caller ------------------------------------------------------------------ */

typedef void(COFFER_CALL* coffer_task)(void* context, size_t index);
/* Must run task(context, 0..count-1), each exactly once, on any threads, and return when all have returned.
 * May be entered by several runners at once. */
typedef void(COFFER_CALL* coffer_parallel_for)(void* user, size_t count, coffer_task task, void* context);

/* Memory for activations. `allocate` returns `size` bytes at a multiple of `alignment` (a power of two, at most
 * 4096), or NULL; `release` gets the same numbers back. Called by the threads that make, run and free runners.
 * Weights and keys never come from here: they lie in pages of their own that are wiped. */
typedef struct coffer_allocator {
    size_t struct_size;
    void*(COFFER_CALL* allocate)(void* user, size_t size, size_t alignment);
    void(COFFER_CALL* release)(void* user, void* memory, size_t size, size_t alignment);
    void* user;
} coffer_allocator;
#define COFFER_ALLOCATOR_INIT \
    { sizeof(coffer_allocator), NULL, NULL, NULL }

/* ---- models -------------------------------------------------------------------------------------------- */

typedef struct coffer_model coffer_model;

/* Weights are decrypted when a runner first plans a run that needs them, each part of the file once; a subgraph
 * that never runs stays sealed. The source must stay as it is, and memory or reader usable, until the model and its
 * runners are freed. What goes wrong then (COFFER_AUTH, COFFER_IO, ...) comes from coffer_runner_prepare or _run,
 * and from every later one: nothing of the model can be used any more. In a child made by fork() weights that were
 * not needed before are an error. */
#define COFFER_OPEN_LAZY 1u
/* Weights must be locked in memory, so that they are never written to swap: COFFER_LIMIT where the system refuses
 * (RLIMIT_MEMLOCK), from the open or, for weights packed later, from prepare or run. */
#define COFFER_OPEN_LOCK 2u

typedef struct coffer_open_options {
    size_t struct_size;
    uint32_t threads;                 /* for decryption; 0: all */
    uint32_t flags;                   /* COFFER_OPEN_... */
    coffer_parallel_for parallel_for; /* instead of own threads; `threads` then says how many it has */
    void* parallel_user;
} coffer_open_options;
#define COFFER_OPEN_OPTIONS_INIT \
    { sizeof(coffer_open_options), 0, 0, NULL, NULL }

/* Opens, verifies, decrypts. `keyring` may be NULL for unprotected files. */
COFFER_API coffer_status COFFER_CALL coffer_model_open_path(coffer_model** model, const char* path,
                                                            const coffer_keyring* keyring,
                                                            const coffer_policy* policy,
                                                            const coffer_open_options* options,
                                                            coffer_error* error) COFFER_NOEXCEPT;
/* The same from memory, which is borrowed until the call returns (COFFER_OPEN_LAZY: see there). */
COFFER_API coffer_status COFFER_CALL coffer_model_open_memory(coffer_model** model, const void* data, size_t size,
                                                              const coffer_keyring* keyring,
                                                              const coffer_policy* policy,
                                                              const coffer_open_options* options,
                                                              coffer_error* error) COFFER_NOEXCEPT;
/* A source of bytes. read_at fills `dst` with exactly `size` bytes at `offset`; a failure is COFFER_IO. Must be
 * thread-safe and stay usable until the open returns (COFFER_OPEN_LAZY: see there). */
typedef struct coffer_reader {
    size_t struct_size;
    uint64_t size;
    coffer_status(COFFER_CALL* read_at)(void* user, uint64_t offset, void* dst, size_t size, coffer_error* error);
    void* user;
} coffer_reader;
#define COFFER_READER_INIT \
    { sizeof(coffer_reader), 0, NULL, NULL }

COFFER_API coffer_status COFFER_CALL coffer_model_open_reader(coffer_model** model, const coffer_reader* reader,
                                                              const coffer_keyring* keyring,
                                                              const coffer_policy* policy,
                                                              const coffer_open_options* options,
                                                              coffer_error* error) COFFER_NOEXCEPT;
/* Runners keep a reference: free in any order. */
COFFER_API void COFFER_CALL coffer_model_free(coffer_model** model) COFFER_NOEXCEPT;

COFFER_API const char* COFFER_CALL coffer_model_name(const coffer_model* model)
    COFFER_NOEXCEPT; /* "" when it has none */
COFFER_API uint64_t COFFER_CALL coffer_model_version(const coffer_model* model) COFFER_NOEXCEPT;
COFFER_API size_t COFFER_CALL coffer_model_input_count(const coffer_model* model) COFFER_NOEXCEPT;
COFFER_API size_t COFFER_CALL coffer_model_output_count(const coffer_model* model) COFFER_NOEXCEPT;
/* Facts about input or output `index`. State held by runners is not listed. */
COFFER_API coffer_status COFFER_CALL coffer_model_input(coffer_value_info* info, const coffer_model* model,
                                                        size_t index, coffer_error* error) COFFER_NOEXCEPT;
COFFER_API coffer_status COFFER_CALL coffer_model_output(coffer_value_info* info, const coffer_model* model,
                                                         size_t index, coffer_error* error) COFFER_NOEXCEPT;
/* Text stored with pack --meta; NULL when there is none. */
COFFER_API const char* COFFER_CALL coffer_model_metadata(const coffer_model* model, const char* key) COFFER_NOEXCEPT;
/* A file stored with pack --attach (labels, dictionaries). */
COFFER_API coffer_status COFFER_CALL coffer_model_blob(const void** data, size_t* size, const coffer_model* model,
                                                       const char* name, coffer_error* error) COFFER_NOEXCEPT;

/* The licence that opened a model. Strings are the model's. */
typedef struct coffer_licence_info {
    size_t struct_size;
    uint8_t id[16];
    const char* product;
    const char* holder;
    uint64_t not_before; /* seconds since 1970; 0: none */
    uint64_t not_after;
    uint64_t grace;   /* seconds after not_after in which the model still opens */
    int32_t in_grace; /* 1: the licence had ended when the model was opened, and its grace runs */
    int32_t reserved;
    const char* const* features; /* named in the licence, for the application to act on */
    size_t feature_count;
} coffer_licence_info;
#define COFFER_LICENCE_INFO_INIT \
    { sizeof(coffer_licence_info), {0}, NULL, NULL, 0, 0, 0, 0, 0, NULL, 0 }

/* COFFER_NOT_FOUND when the model demands no licence. */
COFFER_API coffer_status COFFER_CALL coffer_model_licence(coffer_licence_info* info, const coffer_model* model,
                                                          coffer_error* error) COFFER_NOEXCEPT;

/* ---- runners ------------------------------------------------------------------------------------------- */

typedef struct coffer_runner coffer_runner;

/* Times per node are kept for coffer_runner_profile. */
#define COFFER_RUNNER_PROFILE 1u

typedef struct coffer_runner_options {
    size_t struct_size;
    uint32_t threads;                 /* 0: all CPUs of this process; 1: only the caller's */
    uint32_t flags;                   /* COFFER_RUNNER_... */
    coffer_parallel_for parallel_for; /* instead of own threads; `threads` then says how many it has */
    void* parallel_user;
    const coffer_allocator* allocator; /* for activations; copied; NULL: own pages */
} coffer_runner_options;
#define COFFER_RUNNER_OPTIONS_INIT \
    { sizeof(coffer_runner_options), 0, 0, NULL, NULL, NULL }

/* A runner with an arena, plans and state of its own; it keeps what it needs of the model. */
COFFER_API coffer_status COFFER_CALL coffer_runner_new(coffer_runner** runner, const coffer_model* model,
                                                       const coffer_runner_options* options,
                                                       coffer_error* error) COFFER_NOEXCEPT;
COFFER_API void COFFER_CALL coffer_runner_free(coffer_runner** runner) COFFER_NOEXCEPT;

/* A value under the name of an input or output. Its layout is final. */
typedef struct coffer_binding {
    const char* name;
    coffer_value value;
} coffer_binding;

typedef struct coffer_run_options {
    size_t struct_size;
    uint64_t deadline_ns; /* at most this long from now; 0: no limit. Checked between steps. */
} coffer_run_options;
#define COFFER_RUN_OPTIONS_INIT \
    { sizeof(coffer_run_options), 0 }

/*
 * Runs the model. Inputs are read from, outputs written to the caller's memory, which must stay valid during
 * the call; nothing is copied when it is dense. Every input must be given. An output that is not given, or
 * given with data == NULL, is kept by the runner: see coffer_runner_output. A given output must have the type
 * and the shape that come out; else COFFER_BUFFER_TOO_SMALL, and coffer_runner_output tells the shape.
 * With shapes seen before (up to eight are remembered) nothing is allocated. COFFER_NOT_FOUND: no input or output
 * of that name. COFFER_CANCELLED, COFFER_DEADLINE: a later run is good again. COFFER_LIMIT: the policy's memory.
 */
COFFER_API coffer_status COFFER_CALL coffer_runner_run(coffer_runner* runner, const coffer_binding* inputs,
                                                       size_t input_count, const coffer_binding* outputs,
                                                       size_t output_count, const coffer_run_options* options,
                                                       coffer_error* error) COFFER_NOEXCEPT;
typedef struct coffer_prepare_options {
    size_t struct_size;
    uint32_t flags; /* 0 */
    uint32_t reserved;
} coffer_prepare_options;
#define COFFER_PREPARE_OPTIONS_INIT \
    { sizeof(coffer_prepare_options), 0, 0 }

/* Plans for these input types and shapes (data is not looked at), so that the first run is fast too.
 * Afterwards coffer_runner_output tells output shapes, where they follow from the inputs. */
COFFER_API coffer_status COFFER_CALL coffer_runner_prepare(coffer_runner* runner, const coffer_binding* inputs,
                                                           size_t input_count, const coffer_prepare_options* options,
                                                           coffer_error* error) COFFER_NOEXCEPT;
/* Output `index` of the last run: its type, shape, and its memory (the runner's until the next run, or the
 * caller's). After prepare, data is NULL; rank is -1 where the shape depends on data. */
COFFER_API coffer_status COFFER_CALL coffer_runner_output(coffer_value* value, const coffer_runner* runner,
                                                          size_t index, coffer_error* error) COFFER_NOEXCEPT;
/* Puts runner-held state (pack --state) back to its beginning. */
COFFER_API coffer_status COFFER_CALL coffer_runner_reset(coffer_runner* runner, coffer_error* error) COFFER_NOEXCEPT;
/* Makes a run in progress, or the next one, return COFFER_CANCELLED soon. Any thread may call it. */
COFFER_API void COFFER_CALL coffer_runner_cancel(coffer_runner* runner) COFFER_NOEXCEPT;

typedef struct coffer_profile_entry {
    size_t struct_size;
    const char* op;      /* "Conv" */
    const char* name;    /* of the node; "" unless the policy shows names */
    const char* variant; /* the kernel that ran: "igemm_f32", "reference", ... */
    uint64_t calls;
    uint64_t ns; /* in all, subgraphs included */
} coffer_profile_entry;
#define COFFER_PROFILE_ENTRY_INIT \
    { sizeof(coffer_profile_entry), NULL, NULL, NULL, 0, 0 }

/* Entry `index` of the times kept under COFFER_RUNNER_PROFILE; COFFER_NOT_FOUND past the last. Index 0 takes the
 * snapshot that the others are of. The strings are the model's. */
COFFER_API coffer_status COFFER_CALL coffer_runner_profile(coffer_profile_entry* entry, coffer_runner* runner,
                                                           size_t index, coffer_error* error) COFFER_NOEXCEPT;

/* The instruction set in use: "avx2", "avx512vnni", ... */
COFFER_API const char* COFFER_CALL coffer_arch(void) COFFER_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif /* COFFER_COFFER_H */
