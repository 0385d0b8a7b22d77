// Recipients written anew, grants, and recipients signed by a distributor.
#include "container/rewrite.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "container/grant.hpp"
#include "container/in_place.hpp"
#include "container/slot_kinds.hpp"
#include "fixture.hpp"

namespace coffer::container::test {
namespace {

// A file on the disk, and identities for people who come later.
struct Fixture {
    explicit Fixture(const WriteOptions& options, const graph::Model& model = small_model()) {
        auto written = write(model, options, path);
        if (!written.ok()) FAIL(written.error().message());
    }
    Unverified look() const { return inspect(Source::file(path)).value(); }
    Result<Rewritten> change(const RewriteOptions& options, const trust::Policy& policy = keys().policy()) const {
        return rewrite(path, policy, keys().x25519_ring(), options);
    }
    Detail opens(const trust::Keyring& ring, const trust::Policy& policy = keys().policy()) const {
        return open_class(read_all(path), policy, ring);
    }

    Folder dir;
    std::string path = dir / "model.coffer";
};

crypto::X25519Identity identity() {
    return crypto::X25519Identity::generate().value();
}

trust::Keyring ring_of(const crypto::X25519Identity& identity) {
    trust::Keyring ring;
    auto secret = identity.secret.clone().value();
    REQUIRE(ring.add_identity(crypto::X25519Identity::from_secret(std::move(secret)).value()).ok());
    return ring;
}

trust::Keyring with_grant(trust::Keyring ring, FileBytes grant) {
    ring.add_grant(std::move(grant));
    return ring;
}

RewriteOptions adding(std::vector<Recipient> recipients) {
    RewriteOptions o;
    o.add = std::move(recipients);
    return o;
}

// Slots of this recipient.
std::vector<Id> owned(const Unverified& file, const Recipient& recipient) {
    std::vector<Id> ids;
    for (const UnverifiedSlot& slot : file.slots) {
        if (slot.kind == recipient.kind && recipient.owns(slot.body).value()) ids.push_back(slot.slot_id);
    }
    return ids;
}

FileBytes grant_for(const Fixture& f, const crypto::X25519Identity& to,
                    const trust::SigningKey* distributor = nullptr, const trust::Policy& policy = keys().policy()) {
    GrantOptions o;
    o.recipients = {x25519_recipient(to.public_key)};
    o.distributor = distributor;
    auto grant = make_grant(Source::file(f.path), policy, keys().x25519_ring(), o);
    if (!grant.ok()) FAIL(grant.error().message());
    return *grant;
}

const trust::SigningKey& distributor() {
    static const trust::SigningKey key = trust::SigningKey::generate().value();
    return key;
}

trust::Policy distributor_policy() {
    trust::Policy p = keys().policy();
    REQUIRE(p.add_distributor(distributor().signer()).ok());
    return p;
}

WriteOptions slots_signed(std::vector<Recipient> recipients = {keys().x25519()}) {
    WriteOptions o = signed_options(std::move(recipients));
    o.distributors = {&distributor()};
    return o;
}

}  // namespace

TEST_CASE("a recipient is added, and only SLOTS change") {
    const Fixture f(signed_options({keys().x25519()}), model_with_bytes(100'000));
    const FileBytes before = read_all(f.path);
    const Header h = f.look().header;
    const crypto::X25519Identity late = identity();
    REQUIRE(f.opens(ring_of(late)) == Detail::kNoRecipient);
    std::filesystem::permissions(f.path, std::filesystem::perms(0640));

    const auto done = f.change(adding({x25519_recipient(late.public_key)}));
    REQUIRE(done.ok());
    CHECK(done->generation == 2);
    CHECK(done->recipients == 2);
    CHECK(done->removed.empty());
    CHECK(owned(f.look(), x25519_recipient(late.public_key)) == done->added);
    CHECK(f.opens(ring_of(late)) == Detail::kNone);
    CHECK(f.opens(keys().x25519_ring()) == Detail::kNone);

    const FileBytes after = read_all(f.path);
    CHECK(std::equal(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(h.body_len), after.begin()));
    // The old slot stands there byte for byte.
    const auto slot = Bytes(before).subspan(h.body_len + kSlotsHead, kSlotHead + 84);
    CHECK(std::ranges::equal(slot, Bytes(after).subspan(h.body_len + kSlotsHead, slot.size())));
    CHECK(std::filesystem::status(f.path).permissions() == std::filesystem::perms(0640));
    CHECK(f.dir.entries() == 1);  // neither a temporary nor a lock is left
}

TEST_CASE("recipients are removed and replaced") {
    const crypto::X25519Identity a = identity(), b = identity();
    const Fixture f(signed_options({keys().x25519(), x25519_recipient(a.public_key), keys().raw()}));

    RewriteOptions o;
    o.remove = owned(f.look(), x25519_recipient(a.public_key));
    REQUIRE(o.remove.size() == 1);
    auto done = f.change(o);
    REQUIRE(done.ok());
    CHECK(done->removed == o.remove);
    CHECK(f.opens(ring_of(a)) == Detail::kNoRecipient);
    CHECK(f.opens(keys().raw_ring()) == Detail::kNone);
    // A second time there is nothing to remove.
    CHECK(f.change(o).error().code() == Code::kInvalidArgument);

    RewriteOptions replace = adding({x25519_recipient(b.public_key)});
    replace.remove = owned(f.look(), keys().raw());
    REQUIRE(replace.remove.size() == 1);
    REQUIRE(f.change(replace).ok());
    CHECK(f.opens(keys().raw_ring()) == Detail::kNoRecipient);
    CHECK(f.opens(ring_of(b)) == Detail::kNone);
    CHECK(f.look().slots_generation == 3);

    RewriteOptions all = adding({x25519_recipient(a.public_key), keys().x25519()});
    all.remove_all = true;
    done = f.change(all);
    REQUIRE(done.ok());
    CHECK(done->removed.size() == 2);
    CHECK(done->recipients == 2);
    CHECK(f.opens(ring_of(b)) == Detail::kNoRecipient);
    CHECK(f.opens(ring_of(a)) == Detail::kNone);
}

TEST_CASE("what must not be rewritten stays as it is") {
    const Fixture f(signed_options({keys().x25519()}));
    const FileBytes before = read_all(f.path);
    const auto refused = [&](const Result<Rewritten>& result) {
        REQUIRE(!result.ok());
        CHECK(read_all(f.path) == before);
        CHECK(f.dir.entries() == 1);
        return result.error().code();
    };
    RewriteOptions last;
    last.remove = owned(f.look(), keys().x25519());
    CHECK(refused(f.change(last)) == Code::kInvalidArgument);
    CHECK(refused(f.change(adding(std::vector<Recipient>(kMaxSlots, keys().raw())))) == Code::kInvalidArgument);
    CHECK(refused(f.change(adding({keys().password(), keys().password()}))) == Code::kFormat);
    // Who cannot open it cannot change it, and who does not trust it does not.
    CHECK(refused(rewrite(f.path, keys().policy(), keys().raw_ring(), adding({keys().raw()}))) == Code::kAuth);
    CHECK(refused(f.change(adding({keys().raw()}), trust::Policy())) == Code::kAuth);
    // No signature is asked for.
    RewriteOptions signing = adding({keys().raw()});
    signing.distributor = &distributor();
    CHECK(refused(f.change(signing)) == Code::kInvalidArgument);

    WriteOptions open_to_all;
    open_to_all.unprotected = true;
    const Fixture clear(open_to_all);
    trust::Policy policy;
    policy.allow_unsigned = policy.allow_unprotected = true;
    CHECK(clear.change(adding({keys().raw()}), policy).error().code() == Code::kInvalidArgument);
}

TEST_CASE("a password stays alone in an unsigned file, also after rewriting") {
    WriteOptions options = signed_options({keys().x25519()});
    options.signers.clear();
    const Fixture f(options);
    trust::Policy policy;
    policy.allow_unsigned = true;
    CHECK(f.change(adding({keys().password()}), policy).error().code() == Code::kFormat);
    RewriteOptions instead = adding({keys().password()});
    instead.remove_all = true;
    REQUIRE(f.change(instead, policy).ok());
    CHECK(f.opens(Keys::password_ring("correct horse"), policy) == Detail::kNone);
    // Beside others it is fine where the signature says who made the file.
    const Fixture with_signature(signed_options({keys().x25519()}));
    REQUIRE(with_signature.change(adding({keys().password()})).ok());
    CHECK(with_signature.opens(Keys::password_ring("correct horse")) == Detail::kNone);
}

TEST_CASE("a link is followed, and what it leads to is replaced") {
    const Fixture f(signed_options({keys().x25519()}));
    const std::string link = f.dir / "link";
    std::filesystem::create_symlink("model.coffer", link);
    REQUIRE(rewrite(link, keys().policy(), keys().x25519_ring(), adding({keys().raw()})).ok());
    CHECK(std::filesystem::is_symlink(link));
    CHECK(f.look().slots_generation == 2);
    CHECK(f.opens(keys().raw_ring()) == Detail::kNone);
}

TEST_CASE("a damaged file is not rewritten") {
    const Fixture f(signed_options({keys().x25519(), keys().raw()}));
    const FileBytes before = read_all(f.path);
    const Header h = f.look().header;
    // A bit of the other slot: only the MAC tells.
    FileBytes changed = before;
    changed[changed.size() - 40] ^= std::byte{1};
    std::ofstream(f.path, std::ios::binary)
        .write(reinterpret_cast<const char*>(changed.data()), static_cast<std::streamsize>(changed.size()));
    const auto result = f.change(adding({keys().password()}));
    REQUIRE(!result.ok());
    CHECK(result.error().detail() == Detail::kHeaderAuth);
    CHECK(read_all(f.path) == changed);
    CHECK(h.body_len < before.size());
}

TEST_CASE("two who rewrite at once, a hundred times: every change is made, and every moment shows a whole file") {
    const Fixture f(signed_options({keys().x25519()}));
    constexpr int kTimes = 100;
    std::atomic<int> failed{0}, running{2}, broken{0}, looks{0};
    // Assertions of Catch2 belong to one thread.
    const trust::Keyring ring = keys().x25519_ring();
    const trust::Policy policy = keys().policy();
    const Recipient added = keys().raw();
    // Each adds a recipient and takes out the one he added before.
    const auto writer = [&] {
        std::vector<Id> mine;
        for (int i = 0; i < kTimes; ++i) {
            RewriteOptions o = adding({added});
            o.remove = mine;
            const auto done = rewrite(f.path, policy, ring, o);
            if (!done.ok() || done->removed != mine) {
                ++failed;
                break;
            }
            mine = done->added;
        }
        --running;
    };
    std::thread one(writer), two(writer);
    uint64_t last = 1;
    while (running > 0) {
        const auto opened = open(Source::file(f.path), policy, ring);
        ++looks;
        if (!opened.ok() || opened->facts.generation < last) {
            ++broken;
            break;
        }
        last = opened->facts.generation;
    }
    one.join();
    two.join();
    CHECK(failed == 0);
    CHECK(broken == 0);
    CHECK(looks > 0);
    CHECK(f.look().slots_generation == 1 + 2 * kTimes);
    CHECK(f.look().slots.size() == 3);
    CHECK(f.dir.entries() == 1);
}

TEST_CASE("a file that is replaced while it is rewritten is left alone") {
    const Fixture f(signed_options({keys().x25519()}));
    // The provider is asked in the middle of it, and someone who knows nothing of locks writes then.
    trust::Keyring ring;
    FileBytes other;
    ring.add_provider([&](const trust::SlotView& slot) -> Result<crypto::SecretBytes> {
        REQUIRE(write(small_model(), signed_options({keys().raw()}), f.path).ok());
        other = read_all(f.path);
        const trust::Keyring own = keys().x25519_ring();
        const trust::Policy policy = keys().policy();
        unsigned calls_left = 1;
        Means means{own, policy, calls_left};
        return find_slot_kind(slot.kind)->unwrap(slot, means);
    });
    const auto result = rewrite(f.path, keys().policy(), ring, adding({keys().raw()}));
    REQUIRE(!result.ok());
    CHECK(result.error().code() == Code::kIo);
    CHECK(read_all(f.path) == other);
    CHECK(f.dir.entries() == 1);
}

TEST_CASE("a second writer is waited for, but not for ever") {
    const Fixture f(signed_options({keys().x25519()}));
    const auto held = os::FileLock::acquire(f.path, 0);
    REQUIRE(held.ok());
    RewriteOptions o = adding({keys().raw()});
    o.lock_wait_ms = 20;
    const auto result = f.change(o);
    REQUIRE(!result.ok());
    CHECK(result.error().code() == Code::kIo);
    CHECK(f.look().slots_generation == 1);
}

TEST_CASE("a grant opens the file it is for") {
    const Fixture f(signed_options({keys().x25519()}));
    const crypto::X25519Identity customer = identity();
    const FileBytes grant = grant_for(f, customer);
    CHECK(grant.size() == 204);
    trust::Keyring any;
    CHECK(add_grant(any, grant).ok());
    CHECK(add_grant(any, Bytes(grant).first(100)).error().code() == Code::kFormat);
    CHECK(any.grants().size() == 1);
    CHECK(f.opens(ring_of(customer)) == Detail::kNoRecipient);
    const trust::Keyring ring = with_grant(ring_of(customer), grant);
    CHECK(f.opens(ring) == Detail::kNone);
    const auto opened = open(Source::file(f.path), keys().policy(), ring);
    REQUIRE(opened.ok());
    CHECK(opened->facts.by_grant);
    CHECK(opened->facts.generation == 1);
    // It stands before the file's own slots, and another key does not mind it.
    CHECK(open(Source::file(f.path), keys().policy(), with_grant(keys().x25519_ring(), grant))->facts.by_grant ==
          false);
    // It goes on opening a file whose recipients were rewritten: the key is the same.
    REQUIRE(f.change(adding({keys().raw()})).ok());
    CHECK(f.opens(ring) == Detail::kNone);
    // Who holds one can pass the file on.
    GrantOptions more;
    const crypto::X25519Identity third = identity();
    more.recipients = {x25519_recipient(third.public_key)};
    const auto passed = make_grant(Source::file(f.path), keys().policy(), ring, more);
    REQUIRE(passed.ok());
    CHECK(f.opens(with_grant(ring_of(third), *passed)) == Detail::kNone);
}

TEST_CASE("a grant is read neither from nor into MANIFEST and payload") {
    const Fixture f(signed_options({keys().x25519()}), model_with_bytes(1'000'000));
    const FileBytes file = read_all(f.path);
    const Header h = f.look().header;
    ReaderCallbacks callbacks;
    bool outside = false;
    callbacks.size = [&]() -> Result<uint64_t> { return file.size(); };
    callbacks.read_at = [&](uint64_t offset, MutableBytes dst) -> Status {
        outside |= offset + dst.size() > kHeadSize && offset < h.body_len;
        std::memcpy(dst.data(), file.data() + offset, dst.size());
        return {};
    };
    GrantOptions o;
    o.recipients = {keys().raw()};
    const auto grant = make_grant(Source::reader(callbacks), keys().policy(), keys().x25519_ring(), o);
    REQUIRE(grant.ok());
    CHECK(!outside);
    CHECK(grant->size() <= 400);
    // At most 5 ms; the best of twenty, as others may be busy.
    uint64_t best = ~uint64_t{0};
    for (int i = 0; i < 20; ++i) {
        const uint64_t begin = os::process_cpu_ns();
        REQUIRE(make_grant(Source::file(f.path), keys().policy(), keys().x25519_ring(), o).ok());
        best = std::min(best, os::process_cpu_ns() - begin);
    }
    INFO("a grant takes " << best << " ns");
    CHECK(best <= 5'000'000);
}

TEST_CASE("grants of other files are ignored, and what is no grant is refused") {
    const Fixture f(signed_options({keys().x25519()})), other(signed_options({keys().x25519()}));
    const crypto::X25519Identity customer = identity();
    const FileBytes grant = grant_for(f, customer);
    CHECK(f.opens(with_grant(with_grant(ring_of(customer), grant_for(other, customer)), grant)) == Detail::kNone);
    CHECK(other.opens(with_grant(ring_of(customer), grant)) == Detail::kNoRecipient);

    const auto changed = [&](size_t at, uint8_t value) {
        FileBytes bytes = grant;
        bytes[at] = std::byte{value};
        return bytes;
    };
    const auto with = [&](FileBytes bytes) { return f.opens(with_grant(ring_of(customer), std::move(bytes))); };
    CHECK(with(changed(0, 'X')) == Detail::kFormat);
    CHECK(with(changed(4, 2)) == Detail::kUnsupported);
    CHECK(with(changed(8, 1)) == Detail::kFormat);   // a generation
    CHECK(with(changed(16, 1)) == Detail::kFormat);  // total
    CHECK(with(changed(20, 0)) == Detail::kFormat);  // not marked as a grant
    CHECK(with(changed(20, 3)) == Detail::kUnsupported);
    CHECK(with(changed(64, 3)) == Detail::kFormat);  // a password slot, of a wrong length besides
    CHECK(with({}) == Detail::kFormat);
    for (size_t size = 1; size < grant.size(); ++size) {
        CHECK(with(FileBytes(grant.begin(), grant.begin() + static_cast<std::ptrdiff_t>(size))) == Detail::kFormat);
    }
    // Its own MAC counts even when the slot opens.
    CHECK(with(changed(grant.size() - 1, std::to_integer<uint8_t>(grant.back() ^ std::byte{1}))) ==
          Detail::kHeaderAuth);

    // The recipients of a file are no grant, and a grant in their place is refused.
    const FileBytes file = read_all(f.path);
    const Header h = f.look().header;
    CHECK(with(FileBytes(file.begin() + static_cast<std::ptrdiff_t>(h.body_len), file.end())) == Detail::kFormat);
    FileBytes pasted(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(h.body_len));
    pasted.insert(pasted.end(), grant.begin(), grant.end());
    CHECK(open_class(pasted, keys().policy(), ring_of(customer)) == Detail::kFormat);
}

TEST_CASE("a grant is not made to a password") {
    const Fixture f(signed_options({keys().x25519()}));
    GrantOptions o;
    o.recipients = {keys().password()};
    const auto grant = make_grant(Source::file(f.path), keys().policy(), keys().x25519_ring(), o);
    REQUIRE(!grant.ok());
    CHECK(grant.error().code() == Code::kInvalidArgument);
    // Nor believed when somebody writes one: it would cost another scrypt.
    Unlocked file = Unlocked::create(Source::file(f.path), keys().policy(), keys().x25519_ring()).value();
    SlotsContent content;
    content.flags = kGrant;
    content.recipients = o.recipients;
    const auto forged = file.encode(std::move(content), nullptr);
    REQUIRE(forged.ok());
    CHECK(f.opens(with_grant(Keys::password_ring("correct horse"), *forged)) == Detail::kFormat);
}

TEST_CASE("what a file says of its recipients holds for grants") {
    const Fixture f(signed_options({keys().x25519()}));
    const trust::Keyring ring = with_grant({}, grant_for(f, identity()));
    const Unverified file = f.look();
    REQUIRE(grants_for(file.header, file.content_id, ring, keys().policy())->size() == 1);
    for (const Incompat bit : {kPostQuantumOnly, kLicenceRequired}) {
        Header demanding = file.header;
        demanding.incompat |= bit;
        const auto grants = grants_for(demanding, file.content_id, ring, keys().policy());
        REQUIRE(!grants.ok());
        CHECK(grants.error().detail() == Detail::kFormat);
    }
}

TEST_CASE("where recipients must be signed, only a distributor's word counts") {
    const Fixture f(slots_signed());
    CHECK(f.look().header.has(kSlotsSigned));
    REQUIRE(f.look().slots_signatures.size() == 1);
    CHECK(f.opens(keys().x25519_ring(), distributor_policy()) == Detail::kNone);
    CHECK(f.opens(keys().x25519_ring()) == Detail::kSignature);  // trusts no distributor

    trust::Policy stranger = keys().policy();
    REQUIRE(stranger.add_distributor(keys().other_signer.signer()).ok());
    CHECK(f.opens(keys().x25519_ring(), stranger) == Detail::kSignature);
    // The bit is under the publisher's signature.
    FileBytes file = read_all(f.path);
    file[12] ^= std::byte{kSlotsSigned};
    CHECK(open_class(file, keys().policy(), keys().x25519_ring()) == Detail::kSignature);
    // Every bit of the signed region and of the signature counts, before any key is used.
    const FileBytes whole = read_all(f.path);
    const Header h = f.look().header;
    for (const size_t at : {h.body_len + 8, h.body_len + kSlotsHead + 8, whole.size() - 101, whole.size() - 1}) {
        FileBytes bad = whole;
        bad[at] ^= std::byte{1};
        CHECK(open_class(bad, distributor_policy(), keys().x25519_ring()) == Detail::kSignature);
        CHECK(open_class(bad, distributor_policy(), {}) == Detail::kSignature);
    }
    FileBytes without(whole.begin(), whole.end() - 100);
    without[h.body_len + 16] = static_cast<std::byte>(without.size() - h.body_len);
    without[h.body_len + 17] = std::byte{0};
    CHECK(open_class(without, distributor_policy(), keys().x25519_ring()) == Detail::kSignature);
}

TEST_CASE("signed recipients are rewritten by who may sign them") {
    const Fixture f(slots_signed());
    CHECK(f.change(adding({keys().raw()}), distributor_policy()).error().code() == Code::kInvalidArgument);
    RewriteOptions o = adding({keys().raw()});
    o.distributor = &distributor();
    REQUIRE(f.change(o, distributor_policy()).ok());
    CHECK(f.opens(keys().raw_ring(), distributor_policy()) == Detail::kNone);
    // A key holder who signs himself is nobody's distributor: the result does not check, the old file stays.
    const FileBytes before = read_all(f.path);
    o.distributor = &keys().other_signer;
    const auto result = f.change(o, distributor_policy());
    REQUIRE(!result.ok());
    CHECK(result.error().detail() == Detail::kSignature);
    CHECK(read_all(f.path) == before);
}

TEST_CASE("where recipients must be signed, grants must be too") {
    const Fixture f(slots_signed());
    const crypto::X25519Identity customer = identity();
    GrantOptions o;
    o.recipients = {x25519_recipient(customer.public_key)};
    CHECK(make_grant(Source::file(f.path), distributor_policy(), keys().x25519_ring(), o).error().code() ==
          Code::kInvalidArgument);
    const FileBytes grant = grant_for(f, customer, &distributor(), distributor_policy());
    CHECK(grant.size() == 304);
    CHECK(f.opens(with_grant(ring_of(customer), grant), distributor_policy()) == Detail::kNone);

    FileBytes bare(grant.begin(), grant.end() - 100);
    bare[16] = static_cast<std::byte>(bare.size());
    bare[17] = std::byte{0};
    CHECK(f.opens(with_grant(ring_of(customer), bare), distributor_policy()) == Detail::kSignature);
    FileBytes bad = grant;
    bad.back() ^= std::byte{1};
    CHECK(f.opens(with_grant(ring_of(customer), bad), distributor_policy()) == Detail::kSignature);
}

TEST_CASE("signed recipients that were removed do not come back when generations are remembered") {
    const Fixture f(slots_signed({keys().x25519(), keys().raw()}));
    const FileBytes old = read_all(f.path);
    RewriteOptions o;
    o.remove = owned(f.look(), keys().raw());
    o.distributor = &distributor();
    REQUIRE(f.change(o, distributor_policy()).ok());
    MemoryStore store;
    trust::Policy policy = distributor_policy();
    policy.state = store.state();
    REQUIRE(trust::create_state(*policy.state, nullptr).ok());
    CHECK(open_class(old, policy, keys().raw_ring()) == Detail::kNone);
    CHECK(f.opens(keys().x25519_ring(), policy) == Detail::kNone);
    CHECK(open_class(old, policy, keys().raw_ring()) == Detail::kRollback);
    CHECK(f.opens(keys().x25519_ring(), policy) == Detail::kNone);
}

TEST_CASE("a generation that any customer can write is not remembered") {
    const Fixture f(signed_options({keys().x25519(), keys().raw()}));
    const FileBytes old = read_all(f.path);
    RewriteOptions o;
    o.add = {keys().raw()};
    REQUIRE(f.change(o).ok());
    MemoryStore store;
    trust::Policy policy = keys().policy();
    policy.state = store.state();
    REQUIRE(trust::create_state(*policy.state, nullptr).ok());
    CHECK(f.opens(keys().x25519_ring(), policy) == Detail::kNone);
    CHECK(open_class(old, policy, keys().raw_ring()) == Detail::kNone);
}

}  // namespace coffer::container::test
