// The part of the PKCS#11 interface (OASIS, version 2.40) that agreeing with a key needs, declared from the
// specification under names of our own. On Unix its structures have the natural layout of C.
#pragma once

#include <cstddef>

namespace coffer::crypto::pkcs11 {

using Ulong = unsigned long;
using Rv = Ulong;

struct Version {
    unsigned char major, minor;
};

// A module's functions, in the order of section 3.6 of the specification. Only these are called.
enum Function : size_t {
    kInitialize = 0,
    kFinalize = 1,
    kGetSlotList = 4,
    kGetTokenInfo = 6,
    kOpenSession = 12,
    kCloseSession = 13,
    kGetSessionInfo = 15,
    kLogin = 18,
    kDestroyObject = 22,
    kGetAttributeValue = 24,
    kFindObjectsInit = 26,
    kFindObjects = 27,
    kFindObjectsFinal = 28,
    kDeriveKey = 62,
};
struct FunctionList {
    Version version;
    void* functions[68];
};

struct InitializeArgs {
    void *create_mutex, *destroy_mutex, *lock_mutex, *unlock_mutex;
    Ulong flags;
    void* reserved;
};
constexpr Ulong kOsLockingOk = 0x2;

struct TokenInfo {
    char label[32], manufacturer[32], model[16], serial[16];
    Ulong flags;
    Ulong counts[10];
    Version hardware, firmware;
    char time[16];
};
constexpr Ulong kLoginRequired = 0x4, kUserPinInitialized = 0x8, kProtectedPath = 0x100;

struct SessionInfo {
    Ulong slot, state, flags, device_error;
};
constexpr Ulong kReadOnlyUser = 1, kReadWriteUser = 3;  // states
constexpr Ulong kSerialSession = 0x4;
constexpr Ulong kUser = 1;

struct Attribute {
    Ulong type;
    void* value;
    Ulong size;
};
constexpr Ulong kClass = 0x0, kToken = 0x1, kLabel = 0x3, kValue = 0x11, kKeyType = 0x100, kId = 0x102,
                kSensitive = 0x103, kValueLen = 0x161, kExtractable = 0x162, kEcParams = 0x180, kEcPoint = 0x181;
constexpr Ulong kPublicKey = 2, kPrivateKey = 3, kSecretKey = 4;  // classes
constexpr Ulong kEc = 0x3, kGenericSecret = 0x10;                 // types of keys

struct Mechanism {
    Ulong type;
    void* parameter;
    Ulong size;
};
struct EcdhParams {
    Ulong kdf;
    Ulong shared_data_size;
    void* shared_data;
    Ulong public_size;
    void* public_data;
};
constexpr Ulong kEcdh1Derive = 0x1050;
constexpr Ulong kNoKdf = 1;

constexpr Rv kOk = 0x0, kDeviceRemoved = 0x32, kKeyTypeInconsistent = 0x63, kKeyFunctionNotPermitted = 0x68,
             kMechanismInvalid = 0x70, kPinIncorrect = 0xa0, kPinInvalid = 0xa1, kPinLenRange = 0xa2,
             kPinExpired = 0xa3, kPinLocked = 0xa4, kTokenNotPresent = 0xe0, kUserAlreadyLoggedIn = 0x100,
             kUserNotLoggedIn = 0x101, kUserPinNotInitialized = 0x102, kAlreadyInitialized = 0x191;

}  // namespace coffer::crypto::pkcs11
