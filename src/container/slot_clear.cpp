// Kind 0: the file key in clear, for unprotected files (docs/format.md 5.7.0).
#include "container/slot_kinds.hpp"

namespace coffer::container {
namespace {

Result<crypto::SecretBytes> unwrap_clear(const trust::SlotView& slot, Means&) {
    return crypto::SecretBytes::copy_of(slot.body);
}

}  // namespace

const SlotKind kClearSlot = {0, kDekSize, unwrap_clear, /*classical=*/false, /*costly=*/false};

Recipient clear_recipient() {
    return {kClearSlot.kind, [](const trust::SlotView&, Bytes dek) -> Result<std::vector<std::byte>> {
                return std::vector<std::byte>(dek.begin(), dek.end());
            }};
}

}  // namespace coffer::container
