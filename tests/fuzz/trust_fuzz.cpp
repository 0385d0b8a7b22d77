// Licences, trust bundles, remembered state, and key files. Input: a byte that says which, then the file. Signatures
// are passed over, so that what stands behind them is reached: claims and bodies are an attacker's as well.
#include <algorithm>

#include "container/licence.hpp"
#include "crypto/pem.hpp"
#include "fuzz.hpp"
#include "keys.hpp"
#include "trust/bundle.hpp"
#include "trust/key_file.hpp"
#include "trust/state.hpp"

using namespace coffer;
using namespace coffer::trust;

namespace {

constexpr size_t kMaxBundle = size_t{256} << 10;

void licence(Bytes file) {
    Policy policy;
    (void)verify_licence(file, policy);
    const auto envelope = parse_licence(file, policy.caps);
    if (!envelope.ok()) return;
    fuzz::expect(envelope->claims.size() + envelope->wraps.size() + kLicenceHead <= file.size(),
                 "claims and wraps lie in the file");
    const auto claims = decode_claims(*envelope);
    if (!claims.ok()) return;
    Licence accepted;
    accepted.id = envelope->id;
    accepted.claims = *claims;
    accepted.bound_to = envelope->bound_to;
    accepted.wrap_count = envelope->wrap_count;
    accepted.wraps.assign(envelope->wraps.begin(), envelope->wraps.end());
    for (const uint64_t now : {uint64_t{0}, uint64_t{1'700'000'000}, ~uint64_t{0}}) {
        (void)check_permits(accepted, policy, now);
        (void)in_grace(*claims, now);
    }
    (void)check_covers(accepted, {}, 7);
    container::Header header;
    header.suite = 1;
    unsigned calls_left = policy.caps.provider_calls;
    (void)container::product_keys(accepted, header, fuzz::keyring(), policy, calls_left);
    // What was understood can be said again, and is understood the same.
    LicenceEnvelope again = *envelope;
    const std::vector<std::byte> encoded = encode_claims(*claims);
    again.claims = encoded;
    fuzz::expect(decode_claims(again).ok(), "claims survive writing and reading");
}

void bundle(Bytes file) {
    const auto shown = inspect_bundle(file, kMaxBundle);
    const auto loaded = load_bundle(file, kMaxBundle);
    if (loaded.ok()) {
        fuzz::expect(shown.ok() && shown->complete, "what loads is complete");
        (void)update_bundle(*loaded, file, kMaxBundle);
    }
    if (!shown.ok()) return;
    fuzz::expect(encode_bundle(shown->bundle).ok(), "a bundle survives writing");
    for (const KeyRole role : {KeyRole::kPublisher, KeyRole::kDistributor, KeyRole::kLicensor, KeyRole::kRoot}) {
        (void)shown->bundle.signers(role);
    }
    (void)shown->bundle.min_version({});
}

void keys(Bytes file) {
    Keyring ring;
    (void)add_keys(ring, file);
    (void)parse_recipients(as_text(file));
    (void)Signer::from_pem(as_text(file));
    // Not those under a passphrase: how long they take to open is the word of the one who made them, the user.
    if (!crypto::is_encrypted_pem(file)) (void)crypto::ed25519_private_from_pem(file, {});
}

}  // namespace

COFFER_FUZZ_TARGET(trust) {
    if (data.empty()) return;
    const Bytes file = data.subspan(1);
    switch (std::to_integer<unsigned>(data[0]) % 4) {
        case 0: return licence(file);
        case 1: return bundle(file);
        case 2: (void)State::decode(file); return;
        default: return keys(file);
    }
}
