// Writing the recipients of a sealed file anew (docs/format.md 5.11): SLOTS change, HDR, SIGS, MANIFEST, TABLE and
// PAYLOAD are copied by the kernel and stay as they are. Who is taken out is not made to forget: a key he unwrapped
// before stays good for this file. Real revocation is a new file.
#pragma once

#include <string>

#include "container/opening.hpp"

namespace coffer::container {

// A file opened as far as its key: what grants and rewriting start from.
class Unlocked {
 public:
    // Steps 1 to 10. The policy and the keyring must outlive the object.
    static Result<Unlocked> create(Source source, const trust::Policy& policy, const trust::Keyring& keyring);

    const Header& header() const { return opening_->facts().header; }
    const Facts& facts() const { return opening_->facts(); }
    Bytes hdr() const { return opening_->hdr(); }
    Bytes head() const { return opening_->head(); }
    const Slots& slots() const { return opening_->slots(); }
    Bytes slots_bytes() const { return opening_->slots_bytes(); }
    const crypto::SecretBytes& dek() const { return dek_; }
    // A whole SLOTS region or grant under the file's key. `distributor` must be there when, and only when, the file
    // asks for signed recipients.
    Result<std::vector<std::byte>> encode(SlotsContent content, const trust::SigningKey* distributor) const;

 private:
    std::unique_ptr<OpenOptions> options_;
    std::unique_ptr<Opening> opening_;
    crypto::SecretBytes dek_;
};

struct RewriteOptions {
    std::vector<Id> remove;
    bool remove_all = false;  // everybody but those added
    std::vector<Recipient> add;
    const trust::SigningKey* distributor = nullptr;  // as in GrantOptions
    uint64_t lock_wait_ms = 30'000;                  // how long to wait for another writer
};

struct Rewritten {
    uint64_t generation = 0;
    size_t recipients = 0;
    std::vector<Id> added, removed;
};

// Replaces the file `path` leads to by one with other recipients and the next generation, in one step, after the new
// one was read back. On any error the old file is untouched. `policy` and `keyring` must open it.
Result<Rewritten> rewrite(const std::string& path, const trust::Policy& policy, const trust::Keyring& keyring,
                          const RewriteOptions& options);

}  // namespace coffer::container
