#include "trust_world.hpp"

#include <unistd.h>

#include <filesystem>

#include "catch.hpp"
#include "container/licence.hpp"
#include "container/write.hpp"
#include "crypto/age.hpp"
#include "crypto/pem.hpp"
#include "runtime/graphs.hpp"
#include "trust/bundle.hpp"

namespace test_world {
namespace {

namespace container = coffer::container;
namespace crypto = coffer::crypto;
namespace trust = coffer::trust;

struct Signer {
    trust::SigningKey key = trust::SigningKey::generate().value();
    std::string pem = crypto::ed25519_public_to_pem(key.signer().public_key).value();
};

struct World {
    Signer vendor, licensor, root;
    crypto::X25519Identity device = crypto::X25519Identity::generate().value();
    File product_key = File(32, std::byte{7});

    File model(uint64_t version, bool licensed) const {
        coffer::test::Builder b = coffer::test::small_cnn();
        b.model.name = "test.model";
        b.model.version = version;
        container::WriteOptions o;
        o.require_licence = licensed;
        o.recipients = {licensed ? container::raw_key_recipient(product_key).value()
                                 : container::x25519_recipient(device.public_key)};
        o.signers = {&vendor.key};
        o.created = kNow - 5000;
        const auto path =
            (std::filesystem::temp_directory_path() / ("capi_trust_" + std::to_string(::getpid()))).string();
        const auto written = container::write(b.model, o, path);
        if (!written.ok()) FAIL(written.error().message());
        File bytes = coffer::os::read_file(path, 1 << 24).value();
        std::filesystem::remove(path);
        return bytes;
    }
    File licence(bool bound) const {
        container::LicenceOrder o;
        o.claims.issued = kNow - 1000;
        o.claims.product = "Vision";
        o.claims.holder = "Acme";
        o.claims.not_after = kNow + 1000;
        o.claims.grace = 500;
        o.claims.models = {trust::model_id("test.model").value()};
        o.claims.features = {"batch", "gpu"};
        if (bound) {
            o.claims.hosts = {trust::bind_host("machine-id", "m1").value(),
                              trust::bind_host("hostname", "h1").value()};
            o.claims.hosts_needed = 2;
        }
        o.product_keys.push_back(crypto::SecretBytes::copy_of(product_key).value());
        o.recipients = {container::x25519_recipient(device.public_key)};
        o.signers = {&licensor.key};
        return container::issue_licence(o)->file;
    }
    File bundle(uint64_t number, uint64_t min_version) const {
        trust::Bundle b;
        b.number = number;
        b.issued = kNow - 10'000;
        b.keys = {{trust::KeyRole::kRoot, root.key.signer()},
                  {trust::KeyRole::kPublisher, vendor.key.signer()},
                  {trust::KeyRole::kLicensor, licensor.key.signer()}};
        b.thresholds = {1, 0, 1, 1};
        if (min_version != 0) b.min_versions = {{trust::model_id("test.model").value(), min_version, 0}};
        return trust::sign_bundle(trust::encode_bundle(b).value(), root.key, 1 << 18).value();
    }
};
const World& world() {
    static const World w;
    return w;
}

}  // namespace

std::string vendor_pem() {
    return world().vendor.pem;
}
std::string licensor_pem() {
    return world().licensor.pem;
}
std::string device_identity() {
    const auto text = crypto::age_identity(world().device).value();
    return std::string(coffer::as_text(text.bytes()));
}
File model(uint64_t version, bool licensed) {
    return world().model(version, licensed);
}
File licence(bool bound) {
    return world().licence(bound);
}
File bundle(uint64_t number, uint64_t min_version) {
    return world().bundle(number, min_version);
}

}  // namespace test_world
