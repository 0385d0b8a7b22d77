// SLOTS: parsed before any key is known, then every kind of slot against every kind of key. Input: the region.
#include <algorithm>

#include "container/slots.hpp"
#include "fuzz.hpp"
#include "keys.hpp"

using namespace coffer;
using namespace coffer::container;

COFFER_FUZZ_TARGET(slots) {
    Header header;
    header.suite = 1 + data.size() % 2;
    const auto slots = parse_slots(data, {});
    if (!slots.ok()) return;
    fuzz::expect(slots->before_mac.size() + kMacSize <= data.size(), "the MAC is in the region");
    fuzz::expect(!slots->slots.empty() && slots->slots.size() <= kMaxSlots, "1 to 1,024 slots");
    for (const Slot& slot : slots->slots) {
        fuzz::expect(
            slot.body.data() >= data.data() && slot.body.data() + slot.body.size() <= data.data() + data.size(),
            "a body lies in the region");
    }
    for (const uint32_t incompat : {0u, uint32_t{kUnprotected}, uint32_t{kPostQuantumOnly}}) {
        header.incompat = incompat;
        (void)check_slot_rules(*slots, header, (data.size() & 4) != 0);
    }
    header.incompat = 0;
    trust::Keyring ring = fuzz::keyring();
    unsigned calls = 0;
    ring.add_provider([&](const trust::SlotView& slot) -> Result<crypto::SecretBytes> {
        ++calls;
        return crypto::SecretBytes::create(slot.body.size() % 64);
    });
    trust::Policy policy;
    policy.allow_unprotected = policy.allow_unsigned = true;
    policy.caps.scrypt_log_n = 13;  // below the format's least: a password slot is looked at, but never computed
    ring.set_password(crypto::SecretBytes::copy_of(as_bytes("password")).value());
    const Slots* const lists[] = {&*slots};
    const auto key = unwrap(lists, header, ring, policy);
    fuzz::expect(calls <= policy.caps.provider_calls, "providers are called at most 8 times");
    if (key.ok()) fuzz::expect(key->dek.size() == kDekSize, "a file key has 32 bytes");
}
