// Licences at work (docs/format.md 5.8): steps 8 and 9 for a file that demands one, and issuing. What a licence says
// is trust's business; here are the slots in it, which hold product keys instead of the key of a file.
#pragma once

#include <functional>
#include <vector>

#include "container/slots.hpp"
#include "trust/licence.hpp"

namespace coffer::container {

// Step 8: the licences of the ring that let this file open now and here, or why none does. `check_clock` says whether
// the clock went back further than a licence puts up with.
Result<std::vector<trust::Licence>> accept_licences(const Header& header, const trust::Keyring& keyring,
                                                    const trust::Policy& policy, uint64_t now,
                                                    const std::function<Status(uint64_t slack)>& check_clock);

// Step 9: a ring of the product keys that the caller's keys reach through this licence, and nothing else. All
// licences of an open share `calls_left` provider calls (format.md 5.7.5).
Result<trust::Keyring> product_keys(const trust::Licence& licence, const Header& header,
                                    const trust::Keyring& keyring, const trust::Policy& policy, unsigned& calls_left);

struct LicenceOrder {
    trust::LicenceClaims claims;  // kek_ids are filled in
    std::vector<crypto::SecretBytes> product_keys;
    std::vector<Recipient> recipients;  // each gets every product key
    std::vector<const trust::SigningKey*> signers;
};
struct Issued {
    trust::LicenceId id{};
    std::vector<std::byte> file;
};
Result<Issued> issue_licence(const LicenceOrder& order);

}  // namespace coffer::container
