// Every damaged file is refused, with the right class. One byte flipped everywhere, cut everywhere, regions
// of two files exchanged, headers that claim the world.
#include <algorithm>
#include <set>

#include "fixture.hpp"

namespace coffer::container::test {
namespace {

using Classes = std::set<Detail>;

struct Small {
    explicit Small(size_t bytes = 40'000)
        : file(pack(model_with_bytes(bytes), signed_options({keys().raw(), keys().x25519()}))) {}
    FileBytes file;
    Header header = inspect(Source::memory(file))->header;
    size_t table_end = header.table_off + header.table_len;
    // Slots: head, raw (24 + 128), X25519 (24 + 84), MAC.
    size_t raw = header.body_len + kSlotsHead;
    size_t x25519 = raw + kSlotHead + 128;
    size_t mac = x25519 + kSlotHead + 84;
};

// Opened with the raw key. `at` is the byte, `bit` the bit that was flipped in a signed file.
Classes expected_hdr(size_t at, int bit) {
    using enum Detail;
    if (at < 8) return {kFormat};
    if (at < 10) return {kUnsupported};
    if (at < 12) return {kSignature};              // minor
    if (at == 12 && bit < 4) return {kSignature};  // known incompat bits
    if (at < 16) return {kUnsupported};            // other incompat bits
    if (at < 20) return {kSignature};              // compat
    if (at < 22) return {kUnsupported};            // suite
    if (at < 80) return {kFormat};                 // chunk size, regions
    if (at < 264) return {kSignature};             // facts, ids, hashes
    return {kFormat};                              // reserved
}
Classes expected_sigs(size_t at, int bit) {
    using enum Detail;
    at -= kSigsOffset;
    if (at == 0 && bit == 0) return {kSignature};  // alg 0 ends the list, with bytes after it
    if (at < 2) return {kUntrusted};               // an algorithm nobody knows
    if (at < 4) return {kSignature};
    if (at < 36) return {kUntrusted};  // a key nobody knows
    return {kSignature};               // the signature, and the zeros after it
}
Classes expected_slots(const Small& s, size_t at, int bit) {
    using enum Detail;
    const size_t i = at - s.header.body_len;
    if (i < 4) return {kFormat};
    if (i < 6) return {kUnsupported};
    if (i < 8) return {kFormat};  // count
    if (i < 16) return {kHeaderAuth};
    if (i < 20) return {kFormat};
    if (i < 24) return {i == 20 && bit == 0 ? kFormat : kUnsupported};
    if (i < 56) return {kHeaderAuth};
    if (i < 64) return {kFormat};
    if (at >= s.mac) return {kHeaderAuth};
    const bool ours = at < s.x25519;
    const size_t k = at - (ours ? s.raw : s.x25519);
    if (k < 2) return {kFormat, ours ? kNoRecipient : kHeaderAuth};  // known kind of another size, or unknown
    if (k < 4) return {k == 2 && bit == 0 ? kHeaderAuth : kFormat};  // critical, other flags
    if (k < 8) return {kFormat};
    if (!ours) return {kHeaderAuth};
    if (k < 24) return {kUnwrap};  // slot id
    return {k < 40 ? kNoRecipient : kUnwrap};
}

void check_flip(const Small& s, size_t at, int bit, const Classes& expected, FileBytes& file,
                const trust::Policy& policy, const trust::Keyring& ring) {
    file[at] ^= static_cast<std::byte>(1 << bit);
    const Detail got = open_class(file, policy, ring);
    if (!expected.contains(got)) {
        FAIL_CHECK("bit " << bit << " of byte " << at << " (SLOTS at " << s.header.body_len
                          << "): " << detail_name(got));
    }
    file[at] ^= static_cast<std::byte>(1 << bit);
}

// The bytes between SIGS and SLOTS for which `chosen` says so.
void check_bytes_between(const Small& s, bool (*chosen)(size_t)) {
    FileBytes file = s.file;
    const trust::Policy policy = keys().policy();
    const trust::Keyring ring = keys().raw_ring();
    trust::Policy aead_only = policy;
    aead_only.integrity = trust::Integrity::kAeadOnly;
    for (size_t at = kHeadSize; at < s.header.body_len; ++at) {
        if (!chosen(at)) continue;
        const bool payload = at >= s.header.payload_off;
        const Detail expected = at < s.header.table_off ? Detail::kManifestAuth
                                : at < s.table_end      ? Detail::kTree
                                : !payload              ? Detail::kFormat
                                                        : Detail::kTree;
        const int bit = static_cast<int>(at % 8);
        check_flip(s, at, bit, {expected}, file, policy, ring);
        file[at] ^= std::byte{0x80};
        auto verified = verify(Source::memory(file), policy);
        if (verified.ok() || verified.error().detail() != expected) FAIL_CHECK("verify, byte " << at);
        const Detail without_leaves = payload ? Detail::kChunkAuth : expected;
        if (open_class(file, aead_only, ring) != without_leaves) FAIL_CHECK("without leaves, byte " << at);
        file[at] ^= std::byte{0x80};
    }
    REQUIRE(open_class(file, policy, ring) == Detail::kNone);
    REQUIRE(open_class(file, aead_only, ring) == Detail::kNone);
}

}  // namespace

TEST_CASE("every bit of HDR, SIGS and SLOTS matters") {
    const Small s;
    FileBytes file = s.file;
    const trust::Policy policy = keys().policy();
    const trust::Keyring ring = keys().raw_ring();
    REQUIRE(open_class(file, policy, ring) == Detail::kNone);
    for (int bit = 0; bit < 8; ++bit) {
        for (size_t at = 0; at < kHdrSize; ++at) check_flip(s, at, bit, expected_hdr(at, bit), file, policy, ring);
        for (size_t at = kSigsOffset; at < kHeadSize; ++at) {
            check_flip(s, at, bit, expected_sigs(at, bit), file, policy, ring);
        }
        for (size_t at = s.header.body_len; at < file.size(); ++at) {
            check_flip(s, at, bit, expected_slots(s, at, bit), file, policy, ring);
        }
    }
}

TEST_CASE("every byte between matters, with a key and without") {
    check_bytes_between(Small(600), [](size_t) { return true; });
}

TEST_CASE("bytes of several chunks matter, with a key and without") {
    const Small s;
    REQUIRE(s.header.n_chunks == 3);
    // Chunks begin at multiples of 4096.
    check_bytes_between(s, [](size_t at) { return at % 67 == 0 || at % 4096 == 0 || at % 4096 == 4095; });
}

TEST_CASE("without a signature the key itself vouches for the header") {
    WriteOptions options = signed_options({keys().raw()});
    options.signers.clear();
    FileBytes file = pack(model_with_bytes(20'000), options);
    trust::Policy policy = keys().policy();
    policy.allow_unsigned = true;
    const trust::Keyring ring = keys().raw_ring();
    REQUIRE(open_class(file, policy, ring) == Detail::kNone);
    CHECK(open_class(file, keys().policy(), ring) == Detail::kSignature);
    for (size_t at = 0; at < kHdrSize; ++at) {
        file[at] ^= std::byte{0x10};
        const Detail got = open_class(file, policy, ring);
        CHECK(got != Detail::kNone);
        if (at >= 80 && at < 264 && (at < 96 || at >= 104)) CHECK(got == Detail::kHeaderAuth);
        file[at] ^= std::byte{0x10};
    }
}

TEST_CASE("every truncation and every extension is refused") {
    const Small s;
    const trust::Policy policy = keys().policy();
    const trust::Keyring ring = keys().raw_ring();
    for (size_t n = 0; n < s.file.size(); ++n) {
        auto opened = open(Source::memory(Bytes(s.file).first(n)), policy, ring);
        if (opened.ok() || opened.error().detail() != Detail::kFormat) FAIL_CHECK("cut to " << n);
    }
    for (size_t more : {1, 31, 32, 64, 4096, 1 << 20, 1 << 21}) {
        FileBytes file = s.file;
        file.insert(file.end(), more, std::byte{0});
        CHECK(open_class(file, policy, ring) == Detail::kFormat);
    }
}

TEST_CASE("what is cut, and a header alone, say what is wrong") {
    const Small s;
    const auto why = [](FileBytes file) {
        return open(Source::memory(file), keys().policy(), keys().raw_ring()).error().message();
    };
    const FileBytes cut(s.file.begin(), s.file.begin() + 9000);
    CHECK(why(cut) ==
          message({"cut: 9000 bytes, where ", s.header.body_len, " and the recipients after them belong"}));
    FileBytes beyond = s.file;
    beyond[s.raw + 6] = std::byte{1};  // 64 KiB more
    CHECK(why(beyond) == "recipient 0 of 65664 bytes");
    beyond[s.raw + 6] = {};
    beyond[s.raw + 5] = std::byte{4};  // 1 KiB more
    CHECK(why(beyond) == "recipient 0 is cut");

    Header h = s.header;
    const HeaderBytes good = encode_header(h);
    CHECK(parse_header(good).ok());
    CHECK(parse_header(Bytes(good).first(511)).error().message() == "header of 511 bytes");
    h.suite = 3;
    CHECK(parse_header(encode_header(h)).error().detail() == Detail::kUnsupported);
}

TEST_CASE("no region of another file of the same keys is taken") {
    const Small a, b;
    REQUIRE(a.header.body_len == b.header.body_len);
    const size_t cuts[] = {
        0, kSigsOffset, kHeadSize, a.header.table_off, a.header.payload_off, a.header.body_len, a.file.size()};
    for (unsigned mask = 1; mask < 63; ++mask) {
        CAPTURE(mask);
        FileBytes file = a.file;
        for (int region = 0; region < 6; ++region) {
            if (mask >> region & 1) {
                std::copy(b.file.begin() + cuts[region], b.file.begin() + cuts[region + 1],
                          file.begin() + cuts[region]);
            }
        }
        // The first region, in the order of the checks, that is not of the file HDR is of.
        const auto of_other = [&](int region) { return (mask >> region & 1) != (mask & 1); };
        const Detail expected = of_other(1)                  ? Detail::kSignature
                                : of_other(5)                ? Detail::kHeaderAuth
                                : of_other(2)                ? Detail::kManifestAuth
                                : of_other(3) || of_other(4) ? Detail::kTree
                                                             : Detail::kNone;
        REQUIRE(expected != Detail::kNone);
        CHECK(open_class(file, keys().policy(), keys().raw_ring()) == expected);
        auto verified = verify(Source::memory(file), keys().policy());
        CHECK((verified.ok() ? Detail::kNone : verified.error().detail()) == expected);
    }
}

TEST_CASE("chunks exchanged, repeated, replaced or dropped, alone and with their rows of TABLE") {
    const Small s(4 * 16384 - 64);
    const Small other(4 * 16384 - 64);
    const size_t chunk = s.header.chunk_size();
    REQUIRE(s.header.payload_len == 4 * chunk);
    trust::Policy aead_only = keys().policy();
    aead_only.integrity = trust::Integrity::kAeadOnly;
    const auto classes = [&](const FileBytes& file, Detail full, Detail without_leaves) {
        CHECK(open_class(file, keys().policy(), keys().raw_ring()) == full);
        CHECK(open_class(file, aead_only, keys().raw_ring()) == without_leaves);
        auto verified = verify(Source::memory(file), keys().policy());
        CHECK((verified.ok() ? Detail::kNone : verified.error().detail()) == full);
    };
    const auto chunk_at = [&](auto& file, size_t i) {
        return file.begin() + static_cast<long>(s.header.payload_off + i * chunk);
    };
    const auto row_at = [&](auto& file, size_t i) {
        return file.begin() + static_cast<long>(s.header.table_off + i * kTableEntry);
    };
    for (size_t i = 0; i < 4; ++i) {
        for (size_t k = 0; k < 4; ++k) {
            CAPTURE(i, k);
            // Chunk k of the other file in the place of chunk i, also k = i.
            FileBytes spliced = s.file;
            std::copy_n(chunk_at(other.file, k), chunk, chunk_at(spliced, i));
            classes(spliced, Detail::kTree, Detail::kChunkAuth);
            std::copy_n(row_at(other.file, k), kTableEntry, row_at(spliced, i));
            classes(spliced, Detail::kTree, Detail::kTree);
            if (i == k) continue;
            FileBytes repeated = s.file;
            std::copy_n(chunk_at(s.file, k), chunk, chunk_at(repeated, i));
            classes(repeated, Detail::kTree, Detail::kChunkAuth);
            std::copy_n(row_at(s.file, k), kTableEntry, row_at(repeated, i));
            classes(repeated, Detail::kTree, Detail::kTree);
            if (i > k) continue;
            FileBytes swapped = s.file;
            std::swap_ranges(chunk_at(swapped, i), chunk_at(swapped, i + 1), chunk_at(swapped, k));
            classes(swapped, Detail::kTree, Detail::kChunkAuth);
            std::swap_ranges(row_at(swapped, i), row_at(swapped, i + 1), row_at(swapped, k));
            classes(swapped, Detail::kTree, Detail::kTree);
        }
        FileBytes dropped = s.file;
        dropped.erase(chunk_at(dropped, i), chunk_at(dropped, i + 1));
        classes(dropped, Detail::kFormat, Detail::kFormat);
        FileBytes doubled = s.file;
        doubled.insert(chunk_at(doubled, i), chunk_at(s.file, i), chunk_at(s.file, i + 1));
        // Without a key nobody looks at SLOTS: the file is as it was up to the chunk that was put in.
        CHECK(open_class(doubled, keys().policy(), keys().raw_ring()) == Detail::kFormat);
        CHECK(open_class(doubled, aead_only, keys().raw_ring()) == Detail::kFormat);
    }
}

TEST_CASE("a header that claims the world costs nothing") {
    const Small s;
    const auto with_header = [&](const Header& h) {
        FileBytes file = s.file;
        std::ranges::copy(encode_header(h), file.begin());
        return file;
    };
    Header h = s.header;
    h.payload_len = uint64_t{4} << 30;
    REQUIRE(derive_regions(h));
    CHECK(open_class(with_header(h), keys().policy(), keys().raw_ring()) == Detail::kFormat);
    h.manifest_len = ~uint64_t{0} / 4096 * 4096;
    CHECK(open_class(with_header(h), keys().policy(), keys().raw_ring()) == Detail::kFormat);

    // A reader that claims the size as well: the policy's memory decides, before anything is read or allocated.
    h = s.header;
    h.payload_len = uint64_t{1} << 41;
    REQUIRE(derive_regions(h));
    const FileBytes head = with_header(h);
    const uint64_t size = h.body_len + 200;
    uint64_t read = 0;
    const Source source = Source::reader({[&]() -> Result<uint64_t> { return size; },
                                          [&](uint64_t offset, MutableBytes dst) -> Status {
                                              read += dst.size();
                                              if (offset == 0) std::memcpy(dst.data(), head.data(), dst.size());
                                              return {};
                                          }});
    auto opened = open(source, keys().policy(), keys().raw_ring());
    REQUIRE(!opened.ok());
    CHECK(opened.error().detail() == Detail::kLimit);
    CHECK(opened.error().code() == Code::kLimit);
    CHECK(read == kHeadSize);

    // One byte more than the format allows, in a source that claims as much.
    h = s.header;
    h.payload_len = kMaxPayload;
    REQUIRE(derive_regions(h));
    ++h.payload_len;
    h.payload_off += kRegionAlign;  // TABLE filled its last page
    h.body_len += kRegionAlign + 1;
    h.n_chunks += 1;
    h.table_len += kTableEntry;
    const FileBytes larger = with_header(h);
    trust::Policy roomy = keys().policy();
    roomy.caps.file_bytes = ~uint64_t{0};
    auto refused = open(Source::reader({[&]() -> Result<uint64_t> { return h.body_len + 200; },
                                        [&](uint64_t, MutableBytes dst) -> Status {
                                            std::memcpy(dst.data(), larger.data(), dst.size());
                                            return {};
                                        }}),
                        roomy, keys().raw_ring());
    REQUIRE(!refused.ok());
    CHECK(refused.error().detail() == Detail::kFormat);
}

TEST_CASE("junk of every size") {
    for (size_t n : {0, 1, 511, 512, 4096, 8287, 8288, 20'000}) {
        FileBytes junk(n);
        for (size_t i = 0; i < n; ++i) junk[i] = static_cast<std::byte>(i * 73 ^ i >> 3);
        CHECK(open_class(junk, keys().policy(), keys().raw_ring()) == Detail::kFormat);
    }
}

TEST_CASE("an error of the reader is an error of the open") {
    const Small s;
    const trust::Policy policy = keys().policy();
    const trust::Keyring ring = keys().raw_ring();
    int fail_at = 0;
    for (bool opened_once = false; !opened_once; ++fail_at) {
        REQUIRE(fail_at < 100);
        int reads = 0;
        const Source source = Source::reader({[&]() -> Result<uint64_t> { return s.file.size(); },
                                              [&](uint64_t offset, MutableBytes dst) -> Status {
                                                  if (reads++ == fail_at) return error(Code::kIo, Detail::kIo, "no");
                                                  std::memcpy(dst.data(), s.file.data() + offset, dst.size());
                                                  return {};
                                              }});
        auto opened = open(source, policy, ring);
        opened_once = opened.ok();
        if (!opened_once) CHECK(opened.error().detail() == Detail::kIo);
    }
    CHECK(fail_at >= 6);
}

}  // namespace coffer::container::test
