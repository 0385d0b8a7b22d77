#include "crypto/pkcs11.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>

#include "coffer/base/dynamic_library.hpp"
#include "crypto/pkcs11_api.hpp"

namespace coffer::crypto {
namespace {

using namespace pkcs11;

template <class... Parts>
Error failed(const Parts&... parts) {
    return error(Code::kAuth, Detail::kUnwrap, parts...);
}

std::string reason(Rv code) {
    switch (code) {
        case kPinIncorrect:
        case kPinInvalid: return "the PIN is wrong";
        case kPinLenRange: return "the PIN has the wrong length";
        case kPinExpired: return "the PIN has expired";
        case kPinLocked: return "the PIN is locked";
        case kUserPinNotInitialized: return "no user PIN has been set";
        case kTokenNotPresent:
        case kDeviceRemoved: return "the token was removed";
        case kMechanismInvalid: return "the token cannot do ECDH (CKM_ECDH1_DERIVE)";
        case kKeyFunctionNotPermitted:
        case kKeyTypeInconsistent: return "the key may not be used for ECDH (CKA_DERIVE)";
        default: break;
    }
    char text[40];
    std::snprintf(text, sizeof text, "the module answered 0x%lx", code);
    return text;
}

// A loaded and initialised module, shared by the keys of it.
class Module {
 public:
    static Result<std::shared_ptr<Module>> of(const std::string& path) {
        static std::mutex mutex;
        static std::map<std::string, std::weak_ptr<Module>> modules;
        const std::lock_guard lock(mutex);
        if (auto known = modules[path].lock()) return known;
        COFFER_TRY_ASSIGN(const os::DynamicLibrary library, os::DynamicLibrary::load(path));
        using GetFunctionList = Rv (*)(FunctionList**);
        const auto get = reinterpret_cast<GetFunctionList>(library.symbol("C_GetFunctionList"));
        FunctionList* list = nullptr;
        if (!get || get(&list) != kOk || !list || list->version.major < 2) {
            return error(Code::kIo, Detail::kIo, "'", path, "' is not a PKCS#11 module of version 2");
        }
        auto module = std::make_shared<Module>(list);
        InitializeArgs args{};
        args.flags = kOsLockingOk;
        const Rv code = module->call(kInitialize, &args);
        // The application may use the module too; then ending it is the application's business.
        module->ours_ = code == kOk;
        if (code != kOk && code != kAlreadyInitialized) {
            return error(Code::kIo, Detail::kIo, "PKCS#11 module '", path, "': ", reason(code));
        }
        modules[path] = module;
        return module;
    }
    explicit Module(const FunctionList* list) : list_(list) {}
    Module(const Module&) = delete;
    ~Module() {
        if (ours_) call(kFinalize, static_cast<void*>(nullptr));
    }

    template <class... Args>
    Rv call(Function function, Args... args) const {
        return reinterpret_cast<Rv (*)(Args...)>(list_->functions[function])(args...);
    }

 private:
    const FunctionList* list_;
    bool ours_ = false;
};

// Fields of fixed width, padded with spaces.
template <size_t N>
std::string field(const char (&text)[N]) {
    std::string_view view(text, N);
    while (!view.empty() && (view.back() == ' ' || view.back() == '\0')) view.remove_suffix(1);
    return std::string(view);
}

struct Token {
    Ulong slot = 0;
    Ulong flags = 0;
    std::string label;
};

Result<Token> find_token(const Module& module, const Pkcs11Key::Where& where) {
    Ulong count = 0;
    constexpr unsigned char present = 1;
    if (const Rv code = module.call(kGetSlotList, present, static_cast<Ulong*>(nullptr), &count)) {
        return failed("list of tokens: ", reason(code));
    }
    std::vector<Ulong> slots(count);
    if (const Rv code = module.call(kGetSlotList, present, slots.data(), &count)) {
        return failed("list of tokens: ", reason(code));
    }
    slots.resize(std::min<size_t>(count, slots.size()));
    std::optional<Token> found;
    std::string known;
    for (const Ulong slot : slots) {
        TokenInfo info{};
        if (module.call(kGetTokenInfo, slot, &info) != kOk) continue;
        const std::string label = field(info.label);
        known += (known.empty() ? " '" : ", '") + label + "'";
        const auto differs = [](const std::string& wanted, const std::string& is) {
            return !wanted.empty() && wanted != is;
        };
        if (differs(where.token, label) || differs(where.serial, field(info.serial)) ||
            differs(where.manufacturer, field(info.manufacturer)) || differs(where.model, field(info.model))) {
            continue;
        }
        if (found) return failed("more than one token matches; name it by token= or serial=; there are", known);
        found = Token{slot, info.flags, label};
    }
    if (found) return std::move(*found);
    return failed("no token '", where.token, "'; there ", known.empty() ? "is none" : "are", known);
}

}  // namespace

struct Pkcs11Key::State {
    std::shared_ptr<Module> module;
    Where where;
    Pin pin;
    Token token;
    Ulong session = 0;
    bool open = false;
    std::optional<Error> refused;  // what became of the one login
    P256Public public_key{};
    std::vector<std::byte> id;  // of the key pair, "" when the token gave none
    std::mutex mutex;

    ~State() {
        // With the last session of a process its login ends.
        if (open) module->call(kCloseSession, session);
    }

    Error failure(std::string_view what, Rv code) const {
        return failed("token '", token.label, "': ", what, ": ", reason(code));
    }

    Status open_session() {
        const Rv code = module->call(kOpenSession, token.slot, kSerialSession, static_cast<void*>(nullptr),
                                     static_cast<void*>(nullptr), &session);
        if (code != kOk) return failure("session", code);
        open = true;
        return {};
    }

    bool logged_in() const {
        SessionInfo info{};
        return module->call(kGetSessionInfo, session, &info) == kOk &&
               (info.state == kReadOnlyUser || info.state == kReadWriteUser);
    }

    Status login() {
        if (!(token.flags & kLoginRequired) || logged_in()) return {};
        if (refused) return *refused;
        Status done = login_once();
        if (!done.ok() && !gave_up(done.error().code())) refused = done.error();
        return done;
    }
    Status login_once() {
        if (!(token.flags & kUserPinInitialized)) return failure("login", kUserPinNotInitialized);
        if (token.flags & kProtectedPath) return logged(nullptr, 0);  // typed on the reader itself
        if (!pin) return failed("token '", token.label, "': a PIN is needed and there is nobody to ask for it");
        auto secret = pin(token.label);
        if (!secret && gave_up(secret.error().code())) return std::move(secret).error();
        if (!secret) return failed("token '", token.label, "': PIN: ", secret.error().message());
        return logged(secret->mutable_bytes().data(), secret->size());
    }
    Status logged(std::byte* text, size_t size) {
        const Rv code = module->call(kLogin, session, kUser, text, static_cast<Ulong>(size));
        return code == kOk || code == kUserAlreadyLoggedIn ? Status() : failure("login", code);
    }

    // Handles of the objects of a class with the name we look for; more than two are not of interest.
    Result<std::vector<Ulong>> find_objects(Ulong object_class, bool by_id_of_pair) {
        std::vector<Attribute> wanted = {{kClass, &object_class, sizeof object_class}};
        const auto& wanted_id = by_id_of_pair && !id.empty() ? id : where.id;
        if (!where.object.empty() && !(by_id_of_pair && !id.empty())) {
            wanted.push_back({kLabel, where.object.data(), where.object.size()});
        }
        if (!wanted_id.empty()) {
            wanted.push_back({kId, const_cast<std::byte*>(wanted_id.data()), wanted_id.size()});
        }
        if (const Rv code = module->call(kFindObjectsInit, session, wanted.data(), Ulong{wanted.size()})) {
            return failure("search", code);
        }
        std::vector<Ulong> handles(2);
        Ulong count = 0;
        const Rv code = module->call(kFindObjects, session, handles.data(), Ulong{handles.size()}, &count);
        module->call(kFindObjectsFinal, session);
        if (code != kOk) return failure("search", code);
        handles.resize(std::min<size_t>(count, handles.size()));
        return handles;
    }

    Result<Ulong> only(const char* kind, const std::vector<Ulong>& handles) const {
        if (handles.size() == 1) return handles[0];
        return failed("token '", token.label, "': ", handles.empty() ? "no " : "more than one ", kind, " key '",
                      where.object, "'", handles.empty() ? "" : "; name it by id=");
    }

    std::vector<std::byte> attribute(Ulong object, Ulong type) const {
        Attribute wanted{type, nullptr, 0};
        if (module->call(kGetAttributeValue, session, object, &wanted, Ulong{1}) != kOk || wanted.size > 4096)
            return {};
        std::vector<std::byte> value(wanted.size);
        wanted.value = value.data();
        if (module->call(kGetAttributeValue, session, object, &wanted, Ulong{1}) != kOk) return {};
        value.resize(std::min<size_t>(wanted.size, value.size()));
        return value;
    }

    Status check_type(Ulong object) const {
        const std::vector<std::byte> type = attribute(object, kKeyType);
        Ulong number = 0;
        if (type.size() == sizeof number) std::memcpy(&number, type.data(), sizeof number);
        if (number == kEc) return {};
        return failed("token '", token.label, "': the key '", where.object, "' is not an EC key");
    }

    Status read_public_key() {
        COFFER_TRY_ASSIGN(std::vector<Ulong> handles, find_objects(kPublicKey, false));
        if (handles.empty()) {
            COFFER_TRY(login());
            COFFER_TRY_ASSIGN(handles, find_objects(kPublicKey, false));
        }
        COFFER_TRY_ASSIGN(const Ulong object, only("public", handles));
        COFFER_TRY(check_type(object));
        constexpr uint8_t curve[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
        if (!std::ranges::equal(attribute(object, kEcParams), std::as_bytes(std::span(curve)))) {
            return failed("token '", token.label, "': the key '", where.object, "' is not on the curve P-256");
        }
        const std::vector<std::byte> encoded = attribute(object, kEcPoint);
        Bytes point(encoded);
        // An OCTET STRING around the point, which some modules leave away.
        if (point.size() == kP256PublicSize + 2 && point[0] == std::byte{0x04} &&
            point[1] == std::byte{kP256PublicSize}) {
            point = point.subspan(2);
        }
        COFFER_TRY_ASSIGN(public_key, p256_public_from(point));
        id = attribute(object, kId);
        return {};
    }

    Result<SecretBytes> agree(const P256Public& peer) {
        COFFER_TRY(login());
        COFFER_TRY_ASSIGN(const std::vector<Ulong> handles, find_objects(kPrivateKey, true));
        COFFER_TRY_ASSIGN(const Ulong key, only("private", handles));
        COFFER_TRY(check_type(key));
        P256Public point = peer;
        EcdhParams params{kNoKdf, 0, nullptr, point.size(), point.data()};
        Mechanism mechanism{kEcdh1Derive, &params, sizeof params};
        Ulong secret_class = kSecretKey, secret_type = kGenericSecret, size = kP256KeySize;
        unsigned char no = 0, yes = 1;
        Attribute shape[] = {{kClass, &secret_class, sizeof secret_class},
                             {kKeyType, &secret_type, sizeof secret_type},
                             {kToken, &no, sizeof no},
                             {kSensitive, &no, sizeof no},
                             {kExtractable, &yes, sizeof yes},
                             {kValueLen, &size, sizeof size}};
        Ulong derived = 0;
        const Rv code = module->call(kDeriveKey, session, &mechanism, key, static_cast<Attribute*>(shape),
                                     Ulong{std::size(shape)}, &derived);
        if (code != kOk) return failure("ECDH", code);
        COFFER_TRY_ASSIGN(SecretBytes shared, SecretBytes::create(kP256KeySize));
        Attribute value{kValue, shared.mutable_bytes().data(), shared.size()};
        const Rv read = module->call(kGetAttributeValue, session, derived, &value, Ulong{1});
        module->call(kDestroyObject, session, derived);
        if (read != kOk) return failure("ECDH result", read);
        if (value.size != kP256KeySize) return failed("token '", token.label, "': ECDH gave ", value.size, " bytes");
        return shared;
    }
};

Pkcs11Key::Pkcs11Key(std::unique_ptr<State> state) : state_(std::move(state)) {}
Pkcs11Key::~Pkcs11Key() = default;

Result<std::shared_ptr<Pkcs11Key>> Pkcs11Key::find(const Where& where, Pin pin) {
    auto state = std::make_unique<State>();
    state->where = where;
    state->pin = std::move(pin);
    COFFER_TRY_ASSIGN(state->module, Module::of(where.module));
    COFFER_TRY_ASSIGN(state->token, find_token(*state->module, where));
    COFFER_TRY(state->open_session());
    COFFER_TRY(state->read_public_key());
    return std::shared_ptr<Pkcs11Key>(new Pkcs11Key(std::move(state)));
}

const P256Public& Pkcs11Key::public_key() const {
    return state_->public_key;
}

Result<SecretBytes> Pkcs11Key::agree(const P256Public& peer) {
    const std::lock_guard lock(state_->mutex);
    return state_->agree(peer);
}

}  // namespace coffer::crypto
