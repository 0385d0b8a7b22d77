// Models, keys and files for the container tests. Files live in memory unless a test is about the disk.
#pragma once

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "coffer/base/tensor.hpp"
#include "coffer/graph/graph.hpp"
#include "container/errors.hpp"
#include "container/open.hpp"
#include "container/write.hpp"
#include "folder.hpp"
#include "trust/state.hpp"

namespace coffer::container::test {

using FileBytes = std::vector<std::byte>;

using coffer::test::Folder;

inline FileBytes read_all(const std::string& path) {
    return os::read_file(path, uint64_t{1} << 32).value();
}

inline graph::Model small_model() {
    graph::Model m;
    m.producer = "test";
    m.name = "com.acme.detector";
    m.version = 7;
    graph::Graph g;
    g.name = "main";
    const auto x = g.add_value("x", graph::Type::tensor(DType::kFloat, Shape{1, 3}));
    g.inputs = {x};
    m.graphs.push_back(std::move(g));
    const std::vector<float> weights = {1.5f, -0.0f, 3e-40f};
    const auto w = m.add_constant(m.graphs[0], "w", Tensor::of<float>(weights));
    graph::Graph& main = m.graphs[0];
    const auto y = main.add_value("y", graph::Type::tensor(DType::kFloat, Shape{1, 3}));
    main.nodes.push_back({"Add", "add", {x, w}, {y}, {}});
    main.outputs = {y};
    return m;
}

// Adds a constant of `n` bytes, so that there are several chunks.
inline graph::Model model_with_bytes(size_t n) {
    graph::Model m = small_model();
    std::vector<uint8_t> bytes(n);
    for (size_t i = 0; i < n; ++i) bytes[i] = static_cast<uint8_t>(i * 131 + i / 251);
    m.add_constant(m.graphs[0], "big", Tensor::of<uint8_t>(bytes));
    return m;
}

// The keys of one vendor and one customer, made once.
struct Keys {
    crypto::X25519Identity identity = crypto::X25519Identity::generate().value();
    FileBytes kek = [] {
        FileBytes k(32);
        for (size_t i = 0; i < k.size(); ++i) k[i] = static_cast<std::byte>(i * 7 + 1);
        return k;
    }();
    trust::SigningKey signer = trust::SigningKey::generate().value();
    trust::SigningKey other_signer = trust::SigningKey::generate().value();

    Recipient x25519() const { return x25519_recipient(identity.public_key); }
    Recipient raw() const { return raw_key_recipient(kek).value(); }
    Recipient password() const { return password_recipient(as_bytes("correct horse\n"), 14).value(); }

    trust::Keyring x25519_ring() const {
        trust::Keyring ring;
        auto secret = identity.secret.clone().value();
        REQUIRE(ring.add_identity(crypto::X25519Identity::from_secret(std::move(secret)).value()).ok());
        return ring;
    }
    trust::Keyring raw_ring() const {
        trust::Keyring ring;
        REQUIRE(ring.add_raw_key(crypto::SecretBytes::copy_of(kek).value()).ok());
        return ring;
    }
    static trust::Keyring password_ring(std::string_view text) {
        trust::Keyring ring;
        ring.set_password(crypto::SecretBytes::copy_of(as_bytes(text)).value());
        return ring;
    }
    trust::Policy policy() const {
        trust::Policy p;
        REQUIRE(p.add_signer(signer.signer()).ok());
        p.debug_names = true;
        return p;
    }
};
inline const Keys& keys() {
    static const Keys k;
    return k;
}

inline WriteOptions signed_options(std::vector<Recipient> recipients) {
    WriteOptions o;
    o.recipients = std::move(recipients);
    o.signers = {&keys().signer};
    o.chunk_log2 = kMinChunkLog2;
    return o;
}

inline FileBytes pack(const graph::Model& model, const WriteOptions& options) {
    const Folder dir;
    auto written = write(model, options, dir / "model.coffer");
    if (!written.ok()) FAIL(written.error().message());
    FileBytes bytes = read_all(dir / "model.coffer");
    REQUIRE(bytes.size() == written->file_size);
    return bytes;
}

// The class of failure; kNone when it opened.
inline Detail open_class(const FileBytes& file, const trust::Policy& policy, const trust::Keyring& ring,
                         const OpenOptions& options = {}) {
    auto opened = open(Source::memory(file), policy, ring, options);
    if (opened.ok()) return Detail::kNone;
    const Error& e = opened.error();
    // One sentence for every authentication failure of the file; a policy that trusts nobody is explained.
    if (e.code() == Code::kAuth) CHECK(e.message() == kNotAuthentic);
    return e.detail();
}

// A trust::StateStore in memory. Must outlive the policies that use it.
struct MemoryStore {
    std::optional<FileBytes> bytes;
    int stores = 0;

    std::shared_ptr<const trust::StateStore> state() {
        trust::StateStore store;
        store.load = [this]() -> Result<std::optional<FileBytes>> { return bytes; };
        store.store = [this](Bytes expected, Bytes data) -> Result<bool> {
            if (!std::ranges::equal(bytes ? Bytes(*bytes) : Bytes(), expected)) return false;
            ++stores;
            bytes.emplace(data.begin(), data.end());
            return true;
        };
        return std::make_shared<const trust::StateStore>(std::move(store));
    }
};

bool same(const Tensor& a, const Tensor& b);
void require_same(const graph::Model& a, const graph::Model& b);

}  // namespace coffer::container::test

namespace Catch {
template <>
struct StringMaker<coffer::Detail> {
    static std::string convert(coffer::Detail d) { return coffer::detail_name(d); }
};
}  // namespace Catch
