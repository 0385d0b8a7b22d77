// Signatures added to a packed file: m of n, made here or elsewhere. And padding of the payload.
#include "container/sign.hpp"

#include <algorithm>
#include <bit>

#include "container/in_place.hpp"
#include "fixture.hpp"

namespace coffer::container::test {
namespace {

struct Fixture {
    explicit Fixture(const WriteOptions& options, const graph::Model& model = model_with_bytes(60'000)) {
        auto written = write(model, options, path);
        if (!written.ok()) FAIL(written.error().message());
    }
    Result<Signed> sign_by(const trust::SigningKey& key) const {
        const Signing signing = signing_with(key);
        return sign(path, {&signing, 1});
    }
    Folder dir;
    std::string path = dir / "model.coffer";
};

WriteOptions unsigned_options() {
    WriteOptions o = signed_options({keys().x25519()});
    o.signers.clear();
    return o;
}

trust::Policy policy_of(std::initializer_list<const trust::SigningKey*> trusted, unsigned threshold) {
    trust::Policy p;
    for (const trust::SigningKey* key : trusted) REQUIRE(p.add_signer(key->signer()).ok());
    p.threshold = threshold;
    return p;
}

Detail verify_class(const std::string& path, const trust::Policy& policy) {
    const auto facts = verify(Source::file(path), policy);
    return facts.ok() ? Detail::kNone : facts.error().detail();
}

}  // namespace

TEST_CASE("a file is signed after it was packed, and only SIGS change") {
    const Fixture f(unsigned_options());
    const FileBytes before = read_all(f.path);
    CHECK(open_class(before, keys().policy(), keys().x25519_ring()) == Detail::kSignature);
    const auto done = f.sign_by(keys().signer);
    REQUIRE(done.ok());
    CHECK(done->signatures == 1);
    const FileBytes after = read_all(f.path);
    CHECK(open_class(after, keys().policy(), keys().x25519_ring()) == Detail::kNone);
    REQUIRE(before.size() == after.size());
    CHECK(std::equal(before.begin(), before.begin() + kSigsOffset, after.begin()));
    CHECK(std::equal(before.begin() + kHeadSize, before.end(), after.begin() + kHeadSize));
    // As if the key had been there when it was packed: the signature is a function of key and HDR.
    CHECK(done->content_id == crypto::sha256(Bytes(before).first(kHdrSize)).value());
    CHECK(f.dir.entries() == 1);
}

TEST_CASE("two of three must have signed") {
    const trust::SigningKey a = trust::SigningKey::generate().value(), b = trust::SigningKey::generate().value(),
                            c = trust::SigningKey::generate().value();
    const trust::Policy two = policy_of({&a, &b, &c}, 2);
    const Fixture f(unsigned_options());
    CHECK(verify_class(f.path, two) == Detail::kSignature);
    REQUIRE(f.sign_by(a).ok());
    CHECK(verify_class(f.path, two) == Detail::kUntrusted);
    CHECK(verify_class(f.path, policy_of({&b, &c}, 1)) == Detail::kUntrusted);
    REQUIRE(f.sign_by(c)->signatures == 2);
    CHECK(verify_class(f.path, two) == Detail::kNone);
    CHECK(open_class(read_all(f.path), two, keys().x25519_ring()) == Detail::kNone);
    CHECK(verify_class(f.path, policy_of({&a, &b, &c}, 3)) == Detail::kUntrusted);
    // A valid signature beside a changed one of a trusted key does not help.
    FileBytes bad = read_all(f.path);
    bad[kSigsOffset + 36] ^= std::byte{1};
    CHECK(open_class(bad, two, keys().x25519_ring()) == Detail::kSignature);
    CHECK(open_class(bad, policy_of({&c}, 1), keys().x25519_ring()) == Detail::kNone);  // a is nobody to this one
}

TEST_CASE("a key signs once, and eight keys are enough") {
    const Fixture f(unsigned_options());
    std::vector<trust::SigningKey> many;
    for (int i = 0; i < 9; ++i) many.push_back(trust::SigningKey::generate().value());
    std::vector<Signing> seven;
    for (int i = 0; i < 7; ++i) seven.push_back(signing_with(many[static_cast<size_t>(i)]));
    REQUIRE(sign(f.path, seven)->signatures == 7);
    const FileBytes before = read_all(f.path);
    CHECK(f.sign_by(many[3]).error().code() == Code::kInvalidArgument);
    const std::vector<Signing> two = {signing_with(many[7]), signing_with(many[8])};
    CHECK(sign(f.path, two).error().code() == Code::kInvalidArgument);
    const std::vector<Signing> twice = {signing_with(many[7]), signing_with(many[7])};
    CHECK(sign(f.path, twice).error().code() == Code::kInvalidArgument);
    CHECK(sign(f.path, {}).error().code() == Code::kInvalidArgument);
    CHECK(read_all(f.path) == before);
    REQUIRE(f.sign_by(many[7])->signatures == 8);
    CHECK(f.sign_by(many[8]).error().code() == Code::kInvalidArgument);
    CHECK(f.dir.entries() == 1);
}

TEST_CASE("damaged bytes are not signed") {
    const Fixture f(unsigned_options());
    const FileBytes whole = read_all(f.path);
    const Header h = inspect(Source::file(f.path))->header;
    const auto signed_as = [&](FileBytes bytes) {
        std::ofstream(f.path, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
        const auto result = f.sign_by(keys().signer);
        CHECK(read_all(f.path) == bytes);
        return result.ok() ? Detail::kNone : result.error().detail();
    };
    const auto flipped = [&](uint64_t at) {
        FileBytes bytes = whole;
        bytes[at] ^= std::byte{1};
        return bytes;
    };
    CHECK(signed_as(flipped(kHeadSize + 5)) == Detail::kManifestAuth);
    CHECK(signed_as(flipped(h.table_off + 20)) == Detail::kTree);
    CHECK(signed_as(flipped(h.table_off + h.table_len)) == Detail::kFormat);
    CHECK(signed_as(flipped(h.payload_off)) == Detail::kTree);
    CHECK(signed_as(flipped(h.body_len - 1)) == Detail::kTree);
    CHECK(signed_as(flipped(kHeadSize - 1)) == Detail::kSignature);  // SIGS is not zero behind its entries
    CHECK(signed_as(flipped(h.body_len)) == Detail::kFormat);        // SLOTS
    CHECK(signed_as(FileBytes(whole.begin(), whole.end() - 1)) == Detail::kFormat);
}

TEST_CASE("a model without a name is not signed") {
    graph::Model nameless = small_model();
    nameless.name.clear();
    nameless.version = 0;
    const Fixture f(unsigned_options(), nameless);
    CHECK(f.sign_by(keys().signer).error().code() == Code::kInvalidArgument);
}

TEST_CASE("a signature made elsewhere is added when it verifies") {
    const Fixture f(unsigned_options());
    const trust::SigningKey& key = keys().signer;
    const auto message = signing_message(f.path, key.signer());
    REQUIRE(message.ok());
    REQUIRE(message->size() == 80);
    // What a token does with it: plain Ed25519 over these bytes.
    const Digest content_id = inspect(Source::file(f.path))->content_id;
    CHECK(*message == trust::sign_message(trust::kHeaderLabel, key.signer().alg, key.signer().id, content_id));
    const auto signature = key.sign(trust::kHeaderLabel, content_id).value();

    const auto add = [&](const trust::Signer& signer, Bytes bytes) {
        const Signing signing = signing_made(signer, bytes);
        return sign(f.path, {&signing, 1});
    };
    const FileBytes before = read_all(f.path);
    CHECK(add(keys().other_signer.signer(), signature).error().detail() == Detail::kSignature);
    CHECK(add(key.signer(), Bytes(signature).first(63)).error().detail() == Detail::kSignature);
    auto bad = signature;
    bad[10] ^= std::byte{1};
    CHECK(add(key.signer(), bad).error().detail() == Detail::kSignature);
    // A signature of recipients is not one of the header.
    const auto other = key.sign(trust::kSlotsLabel, content_id).value();
    CHECK(add(key.signer(), other).error().detail() == Detail::kSignature);
    CHECK(read_all(f.path) == before);
    REQUIRE(add(key.signer(), signature).ok());
    CHECK(verify_class(f.path, keys().policy()) == Detail::kNone);
}

TEST_CASE("who signs the recipients does not sign the model") {
    WriteOptions options = unsigned_options();
    options.distributors = {&keys().other_signer};
    const Fixture f(options);
    CHECK(f.sign_by(keys().other_signer).error().code() == Code::kInvalidArgument);
    CHECK(!signing_message(f.path, keys().other_signer.signer()).ok());
    CHECK(f.sign_by(keys().signer).ok());
    // Nor when both are given at once.
    options.signers = {&keys().other_signer};
    const Folder dir;
    CHECK(!write(small_model(), options, dir / "m").ok());
    CHECK(dir.entries() == 0);
}

TEST_CASE("verifying without a key asks for none") {
    const Fixture f(signed_options({keys().password()}));
    // verify() takes no keyring at all; that opening does is what makes the difference.
    CHECK(verify_class(f.path, keys().policy()) == Detail::kNone);
    int asked = 0;
    trust::Keyring ring;
    ring.set_password_source([&] {
        ++asked;
        return crypto::SecretBytes::copy_of(as_bytes("correct horse"));
    });
    CHECK(open_class(read_all(f.path), keys().policy(), ring) == Detail::kNone);
    CHECK(asked == 1);
}

TEST_CASE("a padded payload ends where padme says, in zeros, and costs at most 12 %") {
    for (const size_t size : {1000u, 20'000u, 123'457u, 1'000'000u}) {
        WriteOptions options = signed_options({keys().x25519()});
        const graph::Model model = model_with_bytes(size);
        const Header plain = inspect(Source::memory(pack(model, options)))->header;
        options.pad_payload = true;
        const FileBytes file = pack(model, options);
        const Header padded = inspect(Source::memory(file))->header;
        // padme of 5.4, in the words of the document.
        const uint64_t length = plain.payload_len;
        const auto log2 = [](uint64_t x) { return static_cast<uint64_t>(std::bit_width(x)) - 1; };
        const uint64_t unit = uint64_t{1} << (log2(length) - (log2(log2(length)) + 1));
        CHECK(padded.payload_len == (length + unit - 1) / unit * unit);
        CHECK(padded.payload_len >= length);
        CHECK(static_cast<double>(padded.payload_len) <= 1.12 * static_cast<double>(length));
        const auto opened = open(Source::memory(file), keys().policy(), keys().x25519_ring());
        REQUIRE(opened.ok());
        require_same(opened->model, model);
    }
    // Sizes that are near to each other cannot be told apart.
    WriteOptions options = signed_options({keys().x25519()});
    options.pad_payload = true;
    CHECK(pack(model_with_bytes(1'000'000), options).size() == pack(model_with_bytes(1'000'900), options).size());
}

}  // namespace coffer::container::test
