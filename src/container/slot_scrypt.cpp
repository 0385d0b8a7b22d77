// Kind 3: a password (docs/format.md 5.7.3).
#include "container/errors.hpp"
#include "container/slot_kinds.hpp"
#include "crypto/random.hpp"
#include "crypto/scrypt.hpp"

namespace coffer::container {
namespace {

constexpr size_t kSaltSize = 16;
constexpr unsigned kMinLogN = 14;
// salt 16, logN 1, commit 32, ct 48
constexpr size_t kBody = kSaltSize + 1 + 32 + kWrappedSize;

Result<CommittedKey> derive(Bytes password, Bytes salt, unsigned log_n, const trust::SlotView& slot) {
    Writer labelled;
    labelled.put("coffer/v1/scrypt");
    labelled.put(salt);
    COFFER_TRY_ASSIGN(const crypto::SecretBytes material, crypto::scrypt(password, labelled.bytes(), log_n));
    return CommittedKey::derive(salt, material.bytes(), slot);
}

Result<crypto::SecretBytes> unwrap_scrypt(const trust::SlotView& slot, Means& means) {
    Reader r(slot.body);
    const Bytes salt = r.take(kSaltSize);
    const unsigned log_n = r.u8();
    const Bytes commit = r.take(32);
    const Bytes sealed = r.take(kWrappedSize);
    if (!means.keyring.has_password()) return not_authentic(Detail::kNoRecipient);
    if (log_n < kMinLogN || log_n > crypto::kScryptMaxLogN) return format_error("password slot with logN ", log_n);
    const unsigned most = means.policy.caps.scrypt_log_n;
    if (log_n > most) return over_limit("password slot with logN ", log_n, ", the policy allows ", most);
    COFFER_TRY_ASSIGN(const crypto::SecretBytes password, means.keyring.password());
    COFFER_TRY_ASSIGN(const CommittedKey key, derive(password.bytes(), salt, log_n, slot));
    return open_dek(key, slot, commit, sealed);
}

}  // namespace

const SlotKind kScryptSlot = {3, kBody, unwrap_scrypt, /*classical=*/false, /*costly=*/true};

Result<Recipient> password_recipient(Bytes password, unsigned log_n) {
    if (!password.empty() && password.back() == std::byte{'\n'}) password = password.first(password.size() - 1);
    if (password.empty()) return error(Code::kInvalidArgument, "the password is empty");
    if (log_n < kMinLogN || log_n > crypto::kScryptMaxLogN) {
        return error(Code::kInvalidArgument, "scrypt logN ", log_n, " is not in [", kMinLogN, ", ",
                     crypto::kScryptMaxLogN, "]");
    }
    COFFER_TRY_ASSIGN(crypto::SecretBytes secret, crypto::SecretBytes::copy_of(password));
    const auto shared = std::make_shared<const crypto::SecretBytes>(std::move(secret));
    return Recipient{kScryptSlot.kind,
                     [shared, log_n](const trust::SlotView& slot, Bytes dek) -> Result<std::vector<std::byte>> {
                         COFFER_TRY_ASSIGN(const auto salt, crypto::random_array<kSaltSize>());
                         COFFER_TRY_ASSIGN(const CommittedKey key, derive(shared->bytes(), salt, log_n, slot));
                         COFFER_TRY_ASSIGN(const auto sealed, seal_dek(key, slot, dek));
                         return join({salt, std::array{static_cast<std::byte>(log_n)}, key.commit, sealed});
                     }};
}

}  // namespace coffer::container
