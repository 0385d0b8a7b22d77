#include "seeds.hpp"

#include <cstdlib>
#include <filesystem>

#include "coffer/ops/op.hpp"
#include "container/licence.hpp"
#include "container/write.hpp"
#include "crypto/age.hpp"
#include "crypto/pem.hpp"
#include "fuzz.hpp"
#include "keys.hpp"
#include "mutate.hpp"
#include "offline/protobuf.hpp"
#include "runtime/graphs.hpp"
#include "sample.hpp"
#include "trust/bundle.hpp"
#include "trust/key_file.hpp"
#include "trust/state.hpp"

namespace coffer::fuzz {
namespace {

class Seeds {
 public:
    void add(std::string target, std::string name, Bytes bytes) {
        all.push_back({std::move(target), std::move(name), {bytes.begin(), bytes.end()}});
    }
    std::vector<Seed> all;
};

// Control flow: a loop that doubles, and a branch.
graph::Model with_subgraphs() {
    test::Builder b;
    b.model.graphs.resize(4);
    const auto x = b.input("x", test::type(DType::kFloat, {-1, 3}));
    const auto trips = b.constant("trips", Tensor::scalar<int64_t>(4));
    const auto go = b.constant("go", Tensor::scalar<bool>(true));

    const auto i = b.input("i", test::type(DType::kInt64, {}), 1);
    (void)i;
    const auto condition = b.input("condition", test::type(DType::kBool, {}), 1);
    const auto state = b.input("state", test::type(DType::kFloat, {-1, 3}), 1);
    const auto same = b.node("Identity", {condition}, {}, 1);
    const auto next = b.node("Add", {state, state}, {}, 1);
    b.model.graphs[1].outputs = {same, next};
    const auto looped = b.node("Loop", {trips, go, x}, {{"body", graph::GraphRef{1}}});
    b.output(looped, "looped");

    const auto positive = b.node("Greater", {b.node("ReduceSum", {x}, {{"keepdims", int64_t{0}}}),
                                             b.constant("zero", Tensor::scalar<float>(0))});
    const auto a = b.input("a", test::type(DType::kFloat, {-1, 3}), 2);
    b.model.graphs[2].outputs = {b.node("Neg", {a}, {}, 2)};
    const auto c = b.input("c", test::type(DType::kFloat, {-1, 3}), 3);
    b.model.graphs[3].outputs = {b.node("Exp", {c}, {}, 3)};
    const auto branch =
        b.node("If", {positive, x},
               {{"then_branch", graph::GraphRef{2}}, {"else_branch", graph::GraphRef{3}}, {"captures", int64_t{1}}});
    b.output(branch, "branch");
    return b.model;
}

graph::Model with_every_kind_of_data() {
    test::Builder b = test::small_cnn();
    b.model.producer = "seed";
    b.model.metadata = {{"author", "nobody"}, {"license", "Apache-2.0"}};
    b.model.blobs = {{"labels.txt", {std::byte{'a'}, std::byte{'\n'}}}, {"empty", {}}};
    const auto text = Tensor::create(DType::kString, {2}).value();
    text.span<PrivateString>()[0] = "first";
    b.constant("text", text);
    std::vector<int64_t> longer(100, 3);
    b.constant("long", Tensor::of<int64_t>(longer));
    b.model.graphs[0].nodes[0].set("dilations", PrivateVector<int64_t>{1, 1});
    return b.model;
}

graph::Model with_state() {
    test::Builder b;
    const auto x = b.input("x", test::type(DType::kFloat, {1, 4}));
    const auto h = b.input("h", test::type(DType::kFloat, {1, 4}));
    const auto y = b.node("Add", {x, h});
    b.output(y, "y", test::type(DType::kFloat, {1, 4}));
    b.model.states = {{"h", "y", test::noise({1, 4}, 9)}};
    return b.model;
}

void add_models(Seeds& seeds, const std::string& name, const graph::Model& model) {
    const auto sample = encode_sample(model);
    expect(sample.ok(), "a seed can be encoded");
    seeds.add("manifest", name, *sample);
}

// A few nodes of every op, whatever inputs and attributes come: most are refused, all of them somewhere else.
void add_ops(Seeds& seeds) {
    ModelMutator mutator(1);
    size_t number = 0;
    for (const ops::Op& op : ops::table()) {
        for (int variant = 0; variant < 3; ++variant) {
            test::Builder b;
            b.input("x", test::type(DType::kFloat, {-1, 3}));
            graph::Model model = b.model;
            mutator.add_node(model, model.graphs[0], op);
            const auto sample = encode_sample(model);
            if (sample.ok()) seeds.add("manifest", "op-" + std::to_string(number++), *sample);
        }
    }
}

std::vector<std::byte> sealed(const graph::Model& model, const container::WriteOptions& options) {
    std::string folder = (std::filesystem::temp_directory_path() / "coffer-seeds-XXXXXX").string();
    expect(::mkdtemp(folder.data()) != nullptr, "a temporary folder can be made");
    const auto written = container::write(model, options, folder + "/m.coffer");
    expect(written.ok(), "a seed can be written");
    auto bytes = os::read_file(folder + "/m.coffer", 1 << 24);
    std::filesystem::remove_all(folder);
    return std::move(bytes).value();
}

void add_files(Seeds& seeds) {
    const auto key = signing_key();
    graph::Model model = with_every_kind_of_data();
    model.name = "com.acme.seed";
    model.version = 7;
    container::WriteOptions options;
    options.chunk_log2 = container::kMinChunkLog2;
    const auto put = [&](const char* name) {
        const std::vector<std::byte> file = sealed(model, options);
        const auto header = container::parse_header(Bytes(file).first(container::kHdrSize));
        seeds.add("open", name, file);
        seeds.add("header", name, Bytes(file).first(container::kHeadSize));
        seeds.add("slots", name, Bytes(file).subspan(header->body_len));
    };
    options.signers = {&key};
    options.recipients = {container::raw_key_recipient(raw_key().bytes()).value(),
                          container::x25519_recipient(identity().public_key),
                          container::password_recipient(as_bytes("password"), 14).value()};
    put("sealed");
    options.suite = crypto::Suite::kChaCha20Poly1305;
    options.pad_payload = true;
    options.not_after = 4'000'000'000;
    put("padded");
    options = {};
    options.unprotected = true;
    options.chunk_log2 = container::kMinChunkLog2;
    put("unprotected");
    model.blobs.push_back({"big", PrivateVector<std::byte>(40'000, std::byte{'b'})});
    put("chunks");
}

// For the target `trust`: a byte that says which, then the file.
void add_trust(Seeds& seeds) {
    const auto put = [&](const char* name, int which, Bytes file) {
        std::vector<std::byte> bytes = {static_cast<std::byte>(which)};
        bytes.insert(bytes.end(), file.begin(), file.end());
        seeds.add("trust", name, bytes);
    };
    const trust::SigningKey key = signing_key();
    container::LicenceOrder order;
    order.claims.product = "Acme Vision";
    order.claims.holder = "M\xc3\xbcller GmbH";
    order.claims.not_after = 1'900'000'000;
    order.claims.models = {trust::model_id("com.acme.seed").value()};
    order.claims.max_version = 9;
    order.claims.features = {"batch"};
    order.claims.hosts = {trust::bind_host("machine-id", "0123456789abcdef").value()};
    order.claims.hosts_needed = 1;
    order.product_keys.push_back(raw_key());
    order.recipients = {container::x25519_recipient(identity().public_key)};
    order.signers = {&key};
    const auto licence = container::issue_licence(order);
    expect(licence.ok(), "a licence can be issued");
    put("licence", 0, licence->file);

    trust::Bundle bundle;
    bundle.number = 1;
    bundle.issued = 1'800'000'000;
    for (const auto role : {trust::KeyRole::kRoot, trust::KeyRole::kPublisher}) {
        bundle.keys.push_back({role, role == trust::KeyRole::kRoot ? key.signer() : other_signing_key().signer()});
        bundle.threshold(role) = 1;
    }
    bundle.min_versions = {{trust::model_id("com.acme.seed").value(), 3, 0}};
    bundle.revoked_files = {crypto::Hash{}};
    const auto body = trust::encode_bundle(bundle);
    expect(body.ok(), "a bundle can be written");
    put("bundle", 1, trust::sign_bundle(*body, key, 1 << 18).value());

    trust::State state;
    put("state", 2, state.encode().value());

    put("identity", 3, trust::identity_file_text(identity(), 0)->bytes());
    put("recipients", 3, as_bytes("# team\n" + crypto::age_recipient(identity().public_key).value() + "\n"));
    put("signing key", 3, key.to_pem({})->bytes());
    put("public key", 3, as_bytes(crypto::ed25519_public_to_pem(key.signer().public_key).value()));
}

void add_onnx(Seeds& seeds) {
    using namespace testing;
    const auto put = [&](const char* name, const Pb& pb) { seeds.add("onnx", name, pb.bytes()); };
    const auto x = value_info("x", DType::kFloat, {-1, 3}), y = value_info("y", DType::kFloat, {-1, 3});
    put("relu", model(graph_pb({node("Relu", {"x"}, {"y"})}, {x}, {y}), 17));
    const auto w = tensor("w", DType::kFloat, {3}, raw_of<float>({1, 2, 3}));
    put("add", model(graph_pb({node("Add", {"x", "w"}, {"y"})}, {x}, {y}).message(5, w), 13));
    const auto shape = tensor("s", DType::kInt64, {2}, raw_of<int64_t>({0, -1}));
    put("reshape", model(graph_pb({node("Reshape", {"x", "s"}, {"y"}), node("Softmax", {"y"}, {"z"})}, {x},
                                  {value_info("z", DType::kFloat, {-1, 3})})
                             .message(5, shape),
                         11));
    put("old", model(graph_pb({node("Clip", {"x"}, {"y"})}, {x}, {y}), 7));
}

}  // namespace

std::vector<Seed> make_seeds() {
    Seeds seeds;
    add_models(seeds, "cnn", test::small_cnn().model);
    add_models(seeds, "data", with_every_kind_of_data());
    add_models(seeds, "state", with_state());
    add_models(seeds, "subgraphs", with_subgraphs());
    add_ops(seeds);
    add_files(seeds);
    add_onnx(seeds);
    add_trust(seeds);
    return std::move(seeds.all);
}

}  // namespace coffer::fuzz
