// Who may open what: keys, signers, versions, dates, caps.
#include <algorithm>

#include "crypto/hpke.hpp"
#include "fixture.hpp"

namespace coffer::container::test {
namespace {

FileBytes plain_file() {
    return pack(small_model(), signed_options({keys().x25519()}));
}

}  // namespace

TEST_CASE("a key that is not a recipient does not open") {
    const FileBytes file = plain_file();
    trust::Keyring stranger;
    REQUIRE(stranger.add_identity(crypto::X25519Identity::generate().value()).ok());
    CHECK(open_class(file, keys().policy(), stranger) == Detail::kNoRecipient);
    CHECK(open_class(file, keys().policy(), keys().raw_ring()) == Detail::kNoRecipient);
    CHECK(open_class(file, keys().policy(), {}) == Detail::kNoRecipient);
}

TEST_CASE("a wrong password is one scrypt and one answer") {
    const FileBytes file = pack(small_model(), signed_options({keys().password()}));
    CHECK(open_class(file, keys().policy(), Keys::password_ring("correct horse")) == Detail::kNone);
    CHECK(open_class(file, keys().policy(), Keys::password_ring("wrong")) == Detail::kUnwrap);
    // Nobody who gave no password pays for one.
    CHECK(open_class(file, keys().policy(), keys().raw_ring()) == Detail::kNoRecipient);
    int asked = 0;
    trust::Keyring ring;
    ring.set_password_source([&]() -> Result<crypto::SecretBytes> {
        ++asked;
        return crypto::SecretBytes::copy_of(as_bytes("wrong"));
    });
    CHECK(open_class(file, keys().policy(), ring) == Detail::kUnwrap);
    CHECK(asked == 1);
}

TEST_CASE("an expensive password slot is refused before it is computed") {
    FileBytes file = pack(small_model(), signed_options({keys().password()}));
    const Header h = inspect(Source::memory(file))->header;
    std::byte& log_n = file[h.body_len + kSlotsHead + kSlotHead + 16];
    REQUIRE(log_n == std::byte{14});
    log_n = std::byte{20};
    CHECK(open_class(file, keys().policy(), Keys::password_ring("correct horse")) == Detail::kLimit);
    CHECK(open_class(file, keys().policy(), keys().raw_ring()) == Detail::kNoRecipient);
    log_n = std::byte{13};
    CHECK(open_class(file, keys().policy(), Keys::password_ring("correct horse")) == Detail::kFormat);
}

TEST_CASE("any of many recipients opens, and the expensive one is tried last") {
    std::vector<Recipient> recipients;
    for (int i = 0; i < 200; ++i) {
        recipients.push_back(x25519_recipient(crypto::X25519Identity::generate()->public_key));
    }
    recipients.push_back(keys().password());
    recipients.push_back(keys().x25519());
    recipients.push_back(keys().raw());
    const FileBytes file = pack(small_model(), signed_options(recipients));
    trust::Keyring ring = keys().x25519_ring();
    bool asked = false;
    ring.set_password_source([&] {
        asked = true;
        return crypto::SecretBytes::copy_of(as_bytes("correct horse"));
    });
    CHECK(open_class(file, keys().policy(), ring) == Detail::kNone);
    CHECK(!asked);
    CHECK(open_class(file, keys().policy(), keys().raw_ring()) == Detail::kNone);
    CHECK(open_class(file, keys().policy(), Keys::password_ring("correct horse")) == Detail::kNone);
}

TEST_CASE("in an unsigned file a password stands alone") {
    WriteOptions options = signed_options({keys().password(), keys().raw()});
    options.signers.clear();
    const Folder dir;
    auto written = write(small_model(), options, dir / "m");
    REQUIRE(!written.ok());
    CHECK(dir.entries() == 0);
    options.recipients = {keys().password()};
    trust::Policy policy = keys().policy();
    policy.allow_unsigned = true;
    CHECK(open_class(pack(small_model(), options), policy, Keys::password_ring("correct horse")) == Detail::kNone);
    // Signed, but by nobody this reader trusts: the same rule.
    options = signed_options({keys().password(), keys().raw()});
    options.signers = {&keys().other_signer};
    CHECK(open_class(pack(small_model(), options), policy, Keys::password_ring("correct horse")) == Detail::kFormat);
}

TEST_CASE("a provider sees the slots, a limited number of times") {
    const FileBytes file = plain_file();
    trust::Keyring ring;
    int calls = 0;
    ring.add_provider([&](const trust::SlotView& slot) -> Result<crypto::SecretBytes> {
        ++calls;
        CHECK(slot.kind == 2);
        crypto::X25519Public enc;
        std::ranges::copy(slot.body.subspan(4, 32), enc.begin());
        return crypto::hpke_open(slot.suite, keys().identity, enc, slot.context, {}, slot.body.subspan(36));
    });
    CHECK(open_class(file, keys().policy(), ring) == Detail::kNone);
    CHECK(calls == 1);

    std::vector<Recipient> many(20, keys().x25519());
    trust::Keyring hopeless;
    calls = 0;
    hopeless.add_provider([&](const trust::SlotView&) -> Result<crypto::SecretBytes> {
        ++calls;
        return crypto::SecretBytes::create(31);
    });
    CHECK(open_class(pack(small_model(), signed_options(many)), keys().policy(), hopeless) == Detail::kUnwrap);
    CHECK(calls == 8);
}

TEST_CASE("a provider with a key of another file") {
    trust::Keyring ring;
    ring.add_provider([](const trust::SlotView&) { return crypto::SecretBytes::create(32); });
    CHECK(open_class(plain_file(), keys().policy(), ring) == Detail::kCommitment);
}

TEST_CASE("signatures: missing, of a stranger, too few, enough") {
    trust::Policy stranger;
    REQUIRE(stranger.add_signer(keys().other_signer.signer()).ok());
    const trust::Keyring ring = keys().x25519_ring();
    CHECK(open_class(plain_file(), stranger, ring) == Detail::kUntrusted);

    WriteOptions options = signed_options({keys().x25519()});
    options.signers = {};
    CHECK(open_class(pack(small_model(), options), keys().policy(), ring) == Detail::kSignature);

    trust::Policy two = keys().policy();
    REQUIRE(two.add_signer(keys().other_signer.signer()).ok());
    two.threshold = 2;
    CHECK(open_class(plain_file(), two, ring) == Detail::kUntrusted);
    options.signers = {&keys().signer, &keys().other_signer};
    const FileBytes both = pack(small_model(), options);
    CHECK(open_class(both, two, ring) == Detail::kNone);
    CHECK(open_class(both, stranger, ring) == Detail::kNone);

    // The same key twice is not two signatures.
    FileBytes doubled = plain_file();
    std::copy_n(doubled.begin() + kSigsOffset, 100, doubled.begin() + kSigsOffset + 100);
    CHECK(open_class(doubled, two, ring) == Detail::kSignature);
}

TEST_CASE("a policy that trusts nobody opens nothing, and looks at nothing") {
    const FileBytes file = plain_file();
    int looked = 0;
    const Source source = Source::reader({[&]() -> Result<uint64_t> {
                                              ++looked;
                                              return file.size();
                                          },
                                          [&](uint64_t offset, MutableBytes dst) -> Status {
                                              ++looked;
                                              std::memcpy(dst.data(), file.data() + offset, dst.size());
                                              return {};
                                          }});
    trust::Policy too_few = keys().policy();
    too_few.threshold = 2;
    for (const trust::Policy& policy : {trust::Policy(), too_few}) {
        auto opened = open(source, policy, keys().x25519_ring());
        REQUIRE(!opened.ok());
        CHECK(opened.error().code() == Code::kAuth);
        CHECK(opened.error().detail() == Detail::kUntrusted);
        CHECK(looked == 0);
    }
    CHECK(open(source, keys().policy(), keys().x25519_ring()).ok());
    CHECK(looked > 0);
}

TEST_CASE("a policy without sense is the caller's mistake") {
    const FileBytes file = plain_file();
    const auto code = [&](auto change) {
        trust::Policy p = keys().policy();
        change(p);
        auto opened = open(Source::memory(file), p, keys().x25519_ring());
        return opened.ok() ? Code::kOk : opened.error().code();
    };
    CHECK(code([](auto& p) { p.threshold = 0; }) == Code::kInvalidArgument);
    CHECK(code([](auto& p) { p.signers.push_back(p.signers[0]); }) == Code::kInvalidArgument);
    CHECK(code([](auto& p) { p.suites.clear(); }) == Code::kInvalidArgument);
    CHECK(code([](auto& p) { p.slot_kinds.clear(); }) == Code::kInvalidArgument);
    CHECK(open(Source::reader({}), keys().policy(), {}).error().code() == Code::kInvalidArgument);
    CHECK(open(Source::reader({[] { return Result<uint64_t>(10'000); }, {}}), keys().policy(), {}).error().code() ==
          Code::kInvalidArgument);
    CHECK(open(Source::reader({{}, [](uint64_t, MutableBytes) { return Status(); }}), keys().policy(), {})
              .error()
              .code() == Code::kInvalidArgument);
}

TEST_CASE("a source is not read behind its end") {
    const FileBytes four(4);
    Source source = Source::memory(four);
    REQUIRE(source.open().ok());
    FileBytes dst(2);
    CHECK(source.read_at(2, dst).ok());
    CHECK(source.read_at(4, {}).ok());
    for (const uint64_t offset : {uint64_t{3}, uint64_t{4}, uint64_t{5}, ~uint64_t{0}}) {
        CHECK(source.read_at(offset, dst).error().detail() == Detail::kIo);
    }
    CHECK(source.read_at(5, {}).error().detail() == Detail::kIo);
}

TEST_CASE("what a model needs besides its payload counts as memory") {
    graph::Model m = small_model();
    m.add_constant(m.graphs[0], "words", Tensor::of<PrivateString>(std::vector<PrivateString>(10'000)));
    const FileBytes file = pack(m, signed_options({keys().raw()}));
    trust::Policy p = keys().policy();
    p.caps.max_memory = 200'000;  // 80,000 of payload, 10,000 strings
    CHECK(open_class(file, p, keys().raw_ring()) == Detail::kLimit);
    p.caps.max_memory = 1'000'000;
    CHECK(open_class(file, p, keys().raw_ring()) == Detail::kNone);
}

TEST_CASE("the format's bounds on slots hold whatever the policy's caps are") {
    trust::Caps caps;
    caps.slots = 5'000;
    caps.slot_bytes = 100'000;
    const auto region = [](uint16_t count, uint32_t body) {
        Writer w;
        w.put("COFS");
        w.u16(1);
        w.u16(count);
        w.u64(1);
        w.u32(static_cast<uint32_t>(kSlotsHead + count * (kSlotHead + body) + kMacSize));
        w.u32(0);
        w.zeros(32 + 8);
        for (uint16_t i = 0; i < count; ++i) {
            w.u16(0x8000);
            w.u16(0);
            w.u32(body);
            w.u64(i);
            w.u64(0);
            w.zeros(body);
        }
        w.zeros(kMacSize);
        return w.take();
    };
    CHECK(parse_slots(region(1024, 1), caps).ok());
    CHECK(parse_slots(region(1025, 1), caps).error().detail() == Detail::kFormat);
    CHECK(parse_slots(region(1, 8192), caps).ok());
    CHECK(parse_slots(region(1, 8193), caps).error().detail() == Detail::kFormat);
}

TEST_CASE("unprotected files need a policy that says so") {
    WriteOptions options;
    options.unprotected = true;
    graph::Model model = small_model();
    model.name.clear();
    FileBytes file = pack(model, options);
    trust::Policy policy;
    policy.allow_unsigned = true;
    CHECK(open_class(file, policy, {}) == Detail::kUnprotected);
    policy.allow_unprotected = true;
    CHECK(open_class(file, policy, {}) == Detail::kNone);
    CHECK(open_class(file, keys().policy(), {}) == Detail::kSignature);
    // The flag and the slot go together.
    file[12] = std::byte{0};
    CHECK(open_class(file, policy, {}) == Detail::kHeaderAuth);

    options.signers = {&keys().signer};
    const FileBytes signed_file = pack(small_model(), options);
    CHECK(open_class(signed_file, keys().policy(), {}) == Detail::kUnprotected);
    trust::Policy both = keys().policy();
    both.allow_unprotected = true;
    CHECK(open_class(signed_file, both, {}) == Detail::kNone);
}

TEST_CASE("model, version, dates, revocation") {
    WriteOptions options = signed_options({keys().x25519()});
    options.not_after = 2'000;
    const FileBytes file = pack(small_model(), options);
    const trust::Keyring ring = keys().x25519_ring();
    const auto with = [&](auto change) {
        trust::Policy p = keys().policy();
        p.now = [] { return int64_t{1'999}; };
        change(p);
        const Detail opened = open_class(file, p, ring);
        auto verified = verify(Source::memory(file), p);
        CHECK((verified.ok() ? Detail::kNone : verified.error().detail()) == opened);
        return opened;
    };
    CHECK(with([](auto&) {}) == Detail::kNone);
    CHECK(with([](auto& p) { REQUIRE(p.expect_model("com.acme.detector").ok()); }) == Detail::kNone);
    CHECK(with([](auto& p) { REQUIRE(p.expect_model("com.acme.other").ok()); }) == Detail::kWrongModel);
    CHECK(with([](auto& p) { p.min_version = 7; }) == Detail::kNone);
    CHECK(with([](auto& p) { p.min_version = 8; }) == Detail::kRollback);
    CHECK(with([](auto& p) { p.now = [] { return int64_t{2'000}; }; }) == Detail::kNone);
    CHECK(with([](auto& p) { p.now = [] { return int64_t{2'001}; }; }) == Detail::kExpired);
    const Digest id = inspect(Source::memory(file))->content_id;
    CHECK(with([&](auto& p) { p.revoked_files = {id}; }) == Detail::kRevoked);
}

TEST_CASE("suites and slot kinds the policy does not allow") {
    const trust::Keyring ring = keys().x25519_ring();
    trust::Policy p = keys().policy();
    p.suites = {crypto::Suite::kChaCha20Poly1305};
    CHECK(open_class(plain_file(), p, ring) == Detail::kUnsupported);
    p = keys().policy();
    p.slot_kinds = {1, 3};
    CHECK(open_class(plain_file(), p, ring) == Detail::kNoRecipient);
}

TEST_CASE("caps") {
    const FileBytes file = pack(model_with_bytes(100'000), signed_options({keys().x25519()}));
    const trust::Keyring ring = keys().x25519_ring();
    const auto capped = [&](auto change) {
        trust::Policy p = keys().policy();
        change(p.caps);
        return open_class(file, p, ring);
    };
    CHECK(capped([](auto& c) { c.file_bytes = 50'000; }) == Detail::kLimit);
    CHECK(capped([](auto& c) { c.manifest_bytes = 4095; }) == Detail::kLimit);
    CHECK(capped([](auto& c) { c.slots_bytes = 100; }) == Detail::kLimit);
    CHECK(capped([](auto& c) { c.slots = 0; }) == Detail::kFormat);
    CHECK(capped([](auto& c) { c.slot_bytes = 83; }) == Detail::kFormat);
    CHECK(capped([](auto& c) { c.slot_bytes = 84; }) == Detail::kNone);
    CHECK(capped([](auto& c) { c.max_memory = 100'000; }) == Detail::kLimit);
    CHECK(capped([](auto& c) { c.max_memory = 120'000; }) == Detail::kNone);
    CHECK(capped([](auto& c) { c.tensors = 1; }) == Detail::kLimit);
    CHECK(capped([](auto& c) { c.nodes = 0; }) == Detail::kLimit);
    CHECK(capped([](auto& c) { c.name_bytes = 3; }) == Detail::kLimit);
    CHECK(capped([](auto& c) { c.manifest_tables = 3; }) == Detail::kManifestInvalid);
    CHECK(capped([](auto& c) { c.manifest_depth = 1; }) == Detail::kManifestInvalid);
}

TEST_CASE("features that this reader does not have") {
    // Signed by us, so that the refusal is about the feature and not about a changed byte.
    const FileBytes file = plain_file();
    for (const auto& [bit, expected] : {std::pair{kSlotsSigned, Detail::kSignature},
                                        {kLicenceRequired, Detail::kFormat},
                                        {kPostQuantumOnly, Detail::kFormat}}) {
        Header h = inspect(Source::memory(file))->header;
        h.incompat |= bit;
        FileBytes changed = file;
        const HeaderBytes hdr = encode_header(h);
        std::ranges::copy(hdr, changed.begin());
        const Digest id = crypto::sha256(hdr).value();
        const auto signature = keys().signer.sign(trust::kHeaderLabel, id).value();
        std::ranges::copy(encode_signature(keys().signer.signer(), signature), changed.begin() + kSigsOffset);
        std::ranges::copy(id, changed.begin() + static_cast<long>(h.body_len) + 24);
        CHECK(open_class(changed, keys().policy(), keys().x25519_ring()) == expected);
    }
}

TEST_CASE("a server tells its clients one thing") {
    for (const Detail d : {Detail::kNoRecipient, Detail::kUnwrap, Detail::kCommitment, Detail::kHeaderAuth,
                           Detail::kManifestAuth, Detail::kManifestInvalid, Detail::kTree, Detail::kChunkAuth}) {
        CHECK(public_code(Error(Code::kFormat, d, "")) == Code::kAuth);
    }
    CHECK(public_code(Error(Code::kIo, Detail::kIo, "")) == Code::kIo);
}

}  // namespace coffer::container::test
