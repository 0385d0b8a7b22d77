#include "trust/signature.hpp"

#include <algorithm>

namespace coffer::trust {
namespace {

template <class... Parts>
Error damaged(const Parts&... parts) {
    return error(Code::kFormat, Detail::kFormat, parts...);
}

bool zeros(Bytes bytes) {
    return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

Result<std::vector<SignatureEntry>> parse_signatures(Bytes bytes, bool padded) {
    std::vector<SignatureEntry> entries;
    Reader r(bytes);
    while (r.remaining() >= kSignatureHead) {
        const Bytes rest = bytes.subspan(r.position());
        SignatureEntry entry;
        entry.alg = r.u16();
        if (entry.alg == 0)
            return padded && zeros(rest) ? Result<std::vector<SignatureEntry>>(std::move(entries))
                                         : damaged("bytes after the last signature");
        const uint16_t size = r.u16();
        entry.key_id = r.array<32>();
        entry.signature = r.take(size);
        if (!r.ok()) return damaged("a signature is cut");
        const size_t exact = signature_size(entry.alg);
        if (size == 0 || (exact != 0 && size != exact)) return damaged("a signature of ", size, " bytes");
        if (entries.size() == kMaxSignatures) return damaged("more than ", kMaxSignatures, " signatures");
        const bool twice = std::ranges::any_of(entries, [&](const auto& e) { return e.key_id == entry.key_id; });
        if (twice) return damaged("two signatures of one key");
        entries.push_back(entry);
    }
    if (padded ? !zeros(bytes.subspan(r.position())) : !r.at_end()) {
        return damaged("bytes after the last signature");
    }
    return entries;
}

Result<std::vector<const Signer*>> verify_signatures(std::span<const SignatureEntry> entries,
                                                     std::span<const Signer> trusted, std::string_view label,
                                                     const crypto::Hash& digest) {
    std::vector<const Signer*> out;
    for (const SignatureEntry& entry : entries) {
        const auto signer = std::ranges::find(trusted, entry.key_id, &Signer::id);
        if (signer == trusted.end() || entry.alg != static_cast<uint16_t>(signer->alg)) continue;
        COFFER_TRY(signer->verify(label, digest, entry.signature));
        out.push_back(&*signer);  // distinct: parse_signatures refuses a key that signs twice
    }
    return out;
}

std::vector<std::byte> encode_signature(const Signer& signer, Bytes signature) {
    Writer w;
    w.u16(static_cast<uint16_t>(signer.alg));
    w.u16(static_cast<uint16_t>(signature.size()));
    w.put(signer.id);
    w.put(signature);
    return w.take();
}

}  // namespace coffer::trust
