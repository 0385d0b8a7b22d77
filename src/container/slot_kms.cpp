// Kind 4: a key management service, named by a URI (docs/format.md 5.7.4). What the service makes of the blob is its
// own affair; the URI is not authentic when it is looked at, so it is matched against what the caller allowed
// before anything is done with it.
#include "container/errors.hpp"
#include "container/slot_kinds.hpp"
#include "trust/kms.hpp"

namespace coffer::container {
namespace {

struct Body {
    std::string_view uri;
    Bytes blob;
};

// LE2 uri_len, uri, LE2 blob_len, blob.
bool read_body(Bytes body, Body* out) {
    Reader r(body);
    out->uri = as_text(r.take(r.u16()));
    out->blob = r.take(r.u16());
    return r.at_end() && trust::is_kms_uri(out->uri) && !out->blob.empty() && out->blob.size() <= trust::kMaxKmsBlob;
}

bool body_fits(Bytes body) {
    Body fields;
    return read_body(body, &fields);
}

Result<crypto::SecretBytes> unwrap_kms(const trust::SlotView& slot, Means& means) {
    Body body;
    if (!read_body(slot.body, &body)) return format_error("KMS slot");
    const trust::KmsProvider* provider = means.keyring.find_kms(body.uri);
    if (!provider || !means.take_call()) return not_authentic(Detail::kNoRecipient);
    return provider->unwrap({body.uri, slot.context}, body.blob);
}

}  // namespace

const SlotKind kKmsSlot = {4, 0, unwrap_kms, /*classical=*/false, /*costly=*/false, body_fits};

std::string kms_slot_uri(uint16_t kind, Bytes body) {
    Body fields;
    return kind == kKmsSlot.kind && read_body(body, &fields) ? std::string(fields.uri) : std::string();
}

Result<Recipient> kms_recipient(std::string uri, trust::KmsWrap ask) {
    COFFER_TRY(trust::check_kms_uri(uri));
    const auto wrap = [uri, ask = std::move(ask)](const trust::SlotView& slot,
                                                  Bytes dek) -> Result<std::vector<std::byte>> {
        COFFER_TRY_ASSIGN(const std::vector<std::byte> blob, ask({uri, slot.context}, dek));
        if (blob.empty() || blob.size() > trust::kMaxKmsBlob) {
            return error(Code::kInvalidArgument, "KMS '", uri, "' gave a blob of ", blob.size(), " bytes; 1 to ",
                         trust::kMaxKmsBlob, " fit into a slot");
        }
        Writer w;
        w.u16(static_cast<uint16_t>(uri.size()));
        w.put(uri);
        w.u16(static_cast<uint16_t>(blob.size()));
        w.put(blob);
        return w.take();
    };
    const auto owns = [uri](Bytes body) -> Result<bool> { return kms_slot_uri(kKmsSlot.kind, body) == uri; };
    return Recipient{kKmsSlot.kind, wrap, owns};
}

}  // namespace coffer::container
