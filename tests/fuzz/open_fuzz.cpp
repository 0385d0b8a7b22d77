// A whole open with real keys. Input: a file. It is opened as it is; then, since every change dies at the first
// hash, once more with hashes, commitments and MACs made to fit again wherever the key can be had, so that the
// steps behind them are reached.
#include <algorithm>

#include "container/keys.hpp"
#include "container/open.hpp"
#include "fuzz.hpp"
#include "keys.hpp"

using namespace coffer;
using namespace coffer::container;

namespace {

constexpr size_t kContentIdOffset = 24;  // in SLOTS

trust::Policy lenient_policy() {
    trust::Policy policy;
    policy.allow_unsigned = policy.allow_unprotected = true;
    policy.caps.max_memory = uint64_t{64} << 20;
    policy.now = [] { return int64_t{0}; };
    return policy;
}

void use(const Opened& opened) {
    for (const graph::Constant& c : opened.model.constants) {
        if (c.tensor.dtype() != DType::kString) fuzz::touch(c.tensor.bytes());
    }
    fuzz::expect(graph::verify(opened.model).ok(), "what opened is sound");
}

void put(MutableBytes file, uint64_t offset, Bytes bytes) {
    std::ranges::copy(bytes, file.subspan(offset).begin());
}

// From the outside in: leaves, table, manifest, content id, key commitment, MAC.
bool repair(std::vector<std::byte>& file) {
    if (file.size() < kMinFile) return false;
    const auto parsed = parse_header(Bytes(file).first(kHdrSize));
    if (!parsed.ok() || !check_regions(*parsed, file.size()).ok() || parsed->payload_len > (1u << 20)) return false;
    Header h = *parsed;
    const MutableBytes table = MutableBytes(file).subspan(h.table_off, h.table_len);
    for (uint64_t i = 0; i < h.n_chunks; ++i) {
        const Bytes chunk = Bytes(file).subspan(h.payload_off + i * h.chunk_size(), h.chunk_bytes(i));
        put(table, i * kTableEntry + kTagSize, crypto::leaf_hash(i, chunk).value());
    }
    h.table_root = table_root(h.n_chunks, table).value();
    h.manifest_hash = crypto::sha256(Bytes(file).subspan(kHeadSize, h.manifest_len)).value();

    const MutableBytes region = MutableBytes(file).subspan(h.body_len);
    const auto slots = parse_slots(region, {});
    if (!slots.ok()) return false;
    const Slots* const lists[] = {&*slots};
    const auto key = unwrap(lists, h, fuzz::keyring(), lenient_policy());
    if (!key.ok()) return false;
    const auto schedule = Schedule::create(h, key->dek.bytes());
    h.key_commit = schedule->key_commit().value();
    const HeaderBytes hdr = encode_header(h);
    put(file, 0, hdr);
    // Only a key in clear survives another content id; the other kinds are bound to theirs.
    put(region, kContentIdOffset, crypto::sha256(hdr).value());
    put(region, slots->before_mac.size(),
        slots_mac(schedule->slots_mac_key().value(), hdr, slots->before_mac).value());
    return true;
}

void open_both_ways(Bytes file) {
    trust::Policy policy = lenient_policy();
    for (const auto integrity : {trust::Integrity::kFull, trust::Integrity::kAeadOnly}) {
        policy.integrity = integrity;
        const auto opened = open(Source::memory(file), policy, fuzz::keyring());
        if (opened.ok()) use(*opened);
    }
}

}  // namespace

COFFER_FUZZ_TARGET(open) {
    (void)inspect(Source::memory(data));
    trust::Policy strict = lenient_policy();
    strict.allow_unsigned = false;
    (void)strict.add_signer(fuzz::signing_key().signer());
    const bool verified = verify(Source::memory(data), strict).ok();
    const auto opened = open(Source::memory(data), strict, fuzz::keyring());
    if (opened.ok()) {
        fuzz::expect(verified, "what opens also verifies without a key");
        use(*opened);
    }
    open_both_ways(data);
    std::vector<std::byte> file(data.begin(), data.end());
    if (repair(file)) open_both_ways(file);
}
