// Grants (docs/format.md 5.7.5): recipients of a file in a file of their own, so that one more customer of a large
// model costs some hundred bytes. A grant holds no authority over the file: it neither removes anyone nor says
// which recipients are the newest.
#pragma once

#include "container/slots.hpp"
#include "container/source.hpp"

namespace coffer::container {

inline constexpr size_t kMaxGrant = kSlotsMax;

// Put a grant on a keyring. Its form is checked at once, its authenticity when a file is opened.
Status add_grant(trust::Keyring& keyring, Bytes grant);
Status load_grant(trust::Keyring& keyring, const std::string& path);

// Part of step 7: the grants of the ring that are for this file. Their signatures are checked when the file asks
// for signed recipients.
Result<std::vector<Slots>> grants_for(const Header& header, const Digest& content_id, const trust::Keyring& keyring,
                                      const trust::Policy& policy);

struct GrantOptions {
    std::vector<Recipient> recipients;
    const trust::SigningKey* distributor =
        nullptr;  // needed when, and only when, the file asks for signed recipients
};
// Opens the file as far as its key, which takes steps 1 to 10 and none of MANIFEST, TABLE and PAYLOAD, and wraps the
// key for the recipients.
Result<std::vector<std::byte>> make_grant(Source source, const trust::Policy& policy, const trust::Keyring& keyring,
                                          const GrantOptions& options);

}  // namespace coffer::container
