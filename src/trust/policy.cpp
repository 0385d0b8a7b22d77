#include "trust/policy.hpp"

#include <algorithm>
#include <set>

#include "coffer/base/os.hpp"
#include "trust/bundle.hpp"

namespace coffer::trust {

namespace {

// The roles of keys (format.md 5.6).
struct Role {
    KeyRole role;
    const char* name;
    std::vector<Signer> Policy::*keys;
    unsigned Policy::*threshold;
};
constexpr Role kRoles[] = {
    {KeyRole::kPublisher, "publisher", &Policy::signers, &Policy::threshold},
    {KeyRole::kDistributor, "distributor", &Policy::distributors, &Policy::distributor_threshold},
    {KeyRole::kLicensor, "licensor", &Policy::licensors, &Policy::licensor_threshold}};

const Signer* find(const std::vector<Signer>& keys, const KeyId& id) {
    const auto found = std::ranges::find(keys, id, &Signer::id);
    return found == keys.end() ? nullptr : &*found;
}

std::string too_few(size_t trusted, unsigned needed) {
    if (trusted == 0) return "nobody's signature is trusted";
    return std::to_string(needed) + " trusted signatures are needed, and only " + std::to_string(trusted) +
           (trusted == 1 ? " signer is" : " signers are") + " trusted";
}

Status add_key(Policy& policy, std::vector<Signer> Policy::*keys, const Signer& key) {
    // A Signer may be filled by hand: check it again rather than trust one that could verify anything.
    COFFER_TRY_ASSIGN(const Signer checked, Signer::from_public(key.public_key));
    if (policy.bundle) {
        return error(Code::kInvalidArgument, "the keys of this policy come from a trust bundle, not from the caller");
    }
    for (const Role& role : kRoles) {
        if (role.keys != keys && find(policy.*role.keys, checked.id)) {
            return error(Code::kInvalidArgument, "the key is already trusted as a ", role.name,
                         ", and a key has one role");
        }
    }
    if (!find(policy.*keys, checked.id)) (policy.*keys).push_back(checked);
    return {};
}

}  // namespace

const char* slot_kind_name(uint16_t kind) {
    switch (static_cast<SlotKind>(kind)) {
        case SlotKind::kClear: return "unprotected";
        case SlotKind::kRaw: return "raw key";
        case SlotKind::kX25519: return "X25519";
        case SlotKind::kScrypt: return "password";
        case SlotKind::kKms: return "KMS";
        case SlotKind::kP256: return "P-256";
        case SlotKind::kTpm: return "TPM";
        case SlotKind::kMlKem768X25519: return "ML-KEM-768 with X25519";
    }
    return kind >= kFirstVendorSlotKind ? "vendor" : "unknown";
}

Status Policy::add_signer(const Signer& signer) {
    return add_key(*this, &Policy::signers, signer);
}

Status Policy::add_signer_pem(std::string_view pem) {
    COFFER_TRY_ASSIGN(const Signer signer, Signer::from_pem(pem));
    return add_signer(signer);
}

Status Policy::add_distributor(const Signer& distributor) {
    return add_key(*this, &Policy::distributors, distributor);
}

Status Policy::add_distributor_pem(std::string_view pem) {
    COFFER_TRY_ASSIGN(const Signer distributor, Signer::from_pem(pem));
    return add_distributor(distributor);
}

Status Policy::add_licensor(const Signer& licensor) {
    return add_key(*this, &Policy::licensors, licensor);
}

Status Policy::add_licensor_pem(std::string_view pem) {
    COFFER_TRY_ASSIGN(const Signer licensor, Signer::from_pem(pem));
    return add_licensor(licensor);
}

Status Policy::follow(std::shared_ptr<const Bundle> next) {
    for (const Role& role : kRoles) {
        if (!bundle && !(this->*role.keys).empty()) {
            return error(Code::kInvalidArgument, "the policy trusts a ", role.name,
                         " of the caller's already; keys come from a trust bundle or from the caller, not from both");
        }
    }
    for (const Role& role : kRoles) this->*role.keys = next->signers(role.role);
    revoked_files = next->revoked_files;
    revoked_licences = next->revoked_licences;
    bundle = std::move(next);
    return {};
}

Status Policy::expect_model(std::string_view name) {
    if (name.empty()) return error(Code::kInvalidArgument, "the expected model name is empty");
    COFFER_TRY_ASSIGN(model, model_id(name));
    model_name = name;
    return {};
}

const Signer* Policy::find_signer(const KeyId& id) const {
    return find(signers, id);
}

const Signer* Policy::find_distributor(const KeyId& id) const {
    return find(distributors, id);
}

bool Policy::allows(crypto::Suite suite) const {
    return std::ranges::find(suites, suite) != suites.end();
}

bool Policy::allows_slot(uint16_t kind) const {
    if (kind == static_cast<uint16_t>(SlotKind::kClear) && !allow_unprotected) return false;
    // Only a provider that the caller registered can open a vendor's slot: that is permission enough.
    return kind >= kFirstVendorSlotKind || std::ranges::find(slot_kinds, kind) != slot_kinds.end();
}

bool Policy::is_revoked(const crypto::Hash& content_id) const {
    return std::ranges::find(revoked_files, content_id) != revoked_files.end();
}

unsigned Policy::needed(KeyRole role) const {
    const auto own = std::ranges::find(kRoles, role, &Role::role);
    return std::max({this->*own->threshold, bundle ? bundle->threshold(role) : 0, 1u});
}

uint64_t Policy::min_version_of(const ModelId& id) const {
    return std::max(min_version, bundle ? bundle->min_version(id) : 0);
}

Result<int64_t> Policy::current_time() const {
    return now ? now() : os::unix_time();
}

uint64_t Policy::memory_bytes() const {
    return caps.max_memory != 0 ? caps.max_memory : os::memory_limit() / 2;
}

Status Policy::check() const {
    if (threshold == 0) {
        return error(Code::kInvalidArgument, "the policy's threshold is 0; unsigned files need allow_unsigned");
    }
    std::set<KeyId> ids;
    for (const Role& role : kRoles) {
        for (const Signer& key : this->*role.keys) {
            if (!ids.insert(key.id).second) {
                return error(Code::kInvalidArgument, "the policy names a key twice, the second time as a ",
                             role.name);
            }
        }
    }
    if (const unsigned least = needed(KeyRole::kPublisher); signers.size() < least && !allow_unsigned) {
        return error(Code::kAuth, Detail::kUntrusted, too_few(signers.size(), least));
    }
    if (suites.empty()) return error(Code::kInvalidArgument, "the policy allows no cipher suite");
    if (slot_kinds.empty()) return error(Code::kInvalidArgument, "the policy allows no kind of recipient");
    return {};
}

}  // namespace coffer::trust
