// trust new, sign: make trust bundles. trust init, update, show: follow them.
#include <algorithm>
#include <charconv>

#include "cli.hpp"
#include "crypto/pem.hpp"
#include "crypto/random.hpp"
#include "trust/licence.hpp"
#include "trust_dir.hpp"

namespace coffer::cli {
namespace {

constexpr size_t kMaxBundle = trust::Caps{}.bundle_bytes;
constexpr size_t kMaxFile = size_t{64} << 20;
constexpr trust::KeyRole kAllRoles[] = {trust::KeyRole::kPublisher, trust::KeyRole::kDistributor,
                                        trust::KeyRole::kLicensor, trust::KeyRole::kRoot};

const char* state_name(trust::KeyState state) {
    constexpr std::array names = {"active", "verify-only", "revoked"};
    return names[static_cast<size_t>(state)];
}

struct NewOptions {
    std::string output, from, expires;
    std::vector<std::string> keys[4], thresholds, retire, revoke, drop, min_versions, lower, revoke_files,
        revoke_licences;
    bool reset_clock = false, json = false;
};

Result<std::pair<std::string, uint64_t>> name_and_number(const std::string& text, const char* option) {
    const size_t at = text.rfind('=');
    uint64_t number = 0;
    if (at == 0 || at == text.npos || !parse_number(std::string_view(text).substr(at + 1), number)) {
        return error(Code::kInvalidArgument, option, " '", text, "': expected NAME=NUMBER");
    }
    return std::pair{text.substr(0, at), number};
}

// N bytes in hex, or nothing if it is something else.
template <size_t N>
std::optional<std::array<std::byte, N>> from_hex(std::string_view text) {
    std::array<std::byte, N> out;
    if (text.size() != 2 * N) return std::nullopt;
    for (size_t i = 0; i < N; ++i) {
        uint8_t value = 0;
        const char* digits = text.data() + 2 * i;
        if (std::from_chars(digits, digits + 2, value, 16).ptr != digits + 2) return std::nullopt;
        out[i] = std::byte{value};
    }
    return out;
}

template <class T>
void insert_sorted(std::vector<T>& list, const T& value) {
    const auto at = std::ranges::lower_bound(list, value);
    if (at == list.end() || *at != value) list.insert(at, value);
}

Result<trust::BundleKey*> find_key(trust::Bundle& bundle, const std::string& path) {
    COFFER_TRY_ASSIGN(const trust::Signer signer, trust::load_signer(path));
    for (trust::BundleKey& key : bundle.keys) {
        if (key.signer.id == signer.id) return &key;
    }
    return error(Code::kInvalidArgument, "'", path, "': the bundle has no such key");
}

Status change_keys(const NewOptions& o, trust::Bundle& bundle) {
    for (const std::string& path : o.drop) {
        COFFER_TRY_ASSIGN(const trust::BundleKey* key, find_key(bundle, path));
        const trust::KeyId id = key->signer.id;
        std::erase_if(bundle.keys, [&](const trust::BundleKey& k) { return k.signer.id == id; });
    }
    for (const std::string& path : o.retire) {
        COFFER_TRY_ASSIGN(trust::BundleKey * key, find_key(bundle, path));
        key->signer.state = trust::KeyState::kVerifyOnly;
        key->signer.not_after = bundle.issued;
    }
    for (const std::string& path : o.revoke) {
        COFFER_TRY_ASSIGN(trust::BundleKey * key, find_key(bundle, path));
        key->signer.state = trust::KeyState::kRevoked;
    }
    for (trust::KeyRole role : kAllRoles) {
        for (const std::string& path : o.keys[static_cast<size_t>(role) - 1]) {
            COFFER_TRY_ASSIGN(const trust::Signer signer, trust::load_signer(path));
            bundle.keys.push_back({role, signer});
        }
    }
    for (trust::KeyRole role : kAllRoles) {
        const bool any = std::ranges::any_of(bundle.keys, [&](const trust::BundleKey& k) {
            return k.role == role && k.signer.state != trust::KeyState::kRevoked;
        });
        unsigned& threshold = bundle.threshold(role);
        threshold = any ? std::max(threshold, 1u) : 0;
    }
    for (const std::string& text : o.thresholds) {
        COFFER_TRY_ASSIGN(const auto pair, name_and_number(text, "--threshold"));
        const auto role =
            std::ranges::find(kAllRoles, pair.first, [](trust::KeyRole r) { return trust::role_name(r); });
        if (role == std::end(kAllRoles) || pair.second > trust::kMaxSignatures) {
            return error(Code::kInvalidArgument, "--threshold '", text,
                         "': expected publisher, distributor, licensor or root, and a number up to 8");
        }
        bundle.threshold(*role) = static_cast<unsigned>(pair.second);
    }
    return {};
}

Status set_minimum(trust::Bundle& bundle, const std::string& text, const char* option, uint64_t lowered_by) {
    COFFER_TRY_ASSIGN(const auto pair, name_and_number(text, option));
    trust::MinVersion entry;
    COFFER_TRY_ASSIGN(entry.model, trust::model_id(pair.first));
    entry.version = pair.second;
    entry.lowered_by = lowered_by;
    const auto at = std::ranges::lower_bound(bundle.min_versions, entry.model, {}, &trust::MinVersion::model);
    if (at == bundle.min_versions.end() || at->model != entry.model) {
        bundle.min_versions.insert(at, entry);
        return {};
    }
    if (lowered_by == 0 && entry.version < at->version) {
        return error(Code::kInvalidArgument, option, " '", text, "': it is ", at->version,
                     " already; devices follow it down with --lower");
    }
    if (lowered_by == 0) entry.lowered_by = at->lowered_by;  // a device that missed that order still obeys it
    *at = entry;
    return {};
}

Status change_lists(const NewOptions& o, trust::Bundle& bundle) {
    for (const std::string& text : o.min_versions) COFFER_TRY(set_minimum(bundle, text, "--min-version", 0));
    for (const std::string& text : o.lower) COFFER_TRY(set_minimum(bundle, text, "--lower", bundle.number));
    for (const std::string& text : o.revoke_files) {
        auto id = from_hex<32>(text);
        if (!id) {
            COFFER_TRY_ASSIGN(const auto facts, named(text, container::inspect(container::Source::file(text))));
            id = facts.content_id;
        }
        insert_sorted(bundle.revoked_files, *id);
    }
    for (const std::string& text : o.revoke_licences) {
        auto id = from_hex<16>(text);
        if (!id) {
            COFFER_TRY_ASSIGN(const std::vector<std::byte> file, os::read_file(text, trust::kMaxLicenceBytes));
            COFFER_TRY_ASSIGN(const trust::LicenceEnvelope licence, named(text, trust::parse_licence(file, {})));
            id = licence.id;
        }
        insert_sorted(bundle.revoked_licences, *id);
    }
    return {};
}

// Of one bundle, nothing of it verified.
Result<trust::UnverifiedBundle> read_bundle(const std::string& path) {
    COFFER_TRY_ASSIGN(const std::vector<std::byte> file, os::read_file(path, kMaxFile));
    return named(path, trust::inspect_bundle(file, kMaxBundle));
}

Result<int> make(const NewOptions& o) {
    trust::Bundle bundle;
    if (o.from.empty()) {
        bundle.number = 1;
        COFFER_TRY_ASSIGN(bundle.chain, crypto::random_array<16>());
    } else {
        COFFER_TRY_ASSIGN(trust::UnverifiedBundle old, read_bundle(o.from));
        if (!old.complete) print_note(fmt::format("note: '{}' is not signed by enough of its roots yet", o.from));
        bundle = std::move(old.bundle);
        ++bundle.number;
    }
    if (!o.from.empty()) COFFER_TRY(refuse_same_file(o.output, o.from));
    COFFER_TRY_ASSIGN(bundle.issued, created_time());
    bundle.expires = 0;
    if (!o.expires.empty()) {
        COFFER_TRY_ASSIGN(const uint64_t seconds, duration(o.expires, "--expires"));
        bundle.expires = bundle.issued + seconds;
    }
    COFFER_TRY(change_keys(o, bundle));
    COFFER_TRY(change_lists(o, bundle));
    if (o.reset_clock) bundle.clock_reset_by = bundle.number;
    COFFER_TRY_ASSIGN(const std::vector<std::byte> file, trust::encode_bundle(bundle));
    COFFER_TRY(write_text(o.output, std::string(as_text(file))));
    if (o.json) {
        print_json("trust new", {{"output", o.output}, {"bundle_number", bundle.number}});
    } else {
        print("{}: bundle {}, not signed yet; {} of its roots must sign{}\n", o.output, bundle.number,
              bundle.threshold(trust::KeyRole::kRoot),
              o.from.empty() ? "" : ", and as many of the one before as that says");
    }
    return kOk;
}

struct SignOptions {
    std::string file, from;
    std::vector<std::string> keys;
    bool json = false;
};

bool is_root(const trust::Bundle& bundle, const trust::KeyId& id) {
    return std::ranges::any_of(bundle.keys, [&](const trust::BundleKey& key) {
        return key.role == trust::KeyRole::kRoot && key.signer.id == id;
    });
}

// Anybody's signature would take one of the few places, and count for nothing.
Status check_roots(const SignOptions& o, const std::vector<trust::SigningKey>& keys) {
    COFFER_TRY_ASSIGN(const trust::UnverifiedBundle bundle, read_bundle(o.file));
    trust::Bundle before;
    if (!o.from.empty()) {
        COFFER_TRY_ASSIGN(trust::UnverifiedBundle old, read_bundle(o.from));
        before = std::move(old.bundle);
    }
    for (size_t i = 0; i < keys.size(); ++i) {
        const trust::KeyId& id = keys[i].signer().id;
        if (is_root(bundle.bundle, id) || is_root(before, id)) continue;
        return error(Code::kInvalidArgument, "--sign '", o.keys[i], "': not a root of '", o.file, "'",
                     o.from.empty() ? "; a root of the bundle before signs with --from" : " nor of '", o.from,
                     o.from.empty() ? "" : "'");
    }
    return {};
}

Result<int> sign(const SignOptions& o) {
    COFFER_TRY_ASSIGN(const std::vector<trust::SigningKey> keys, load_signing_keys(o.keys, "--sign"));
    COFFER_TRY(check_roots(o, keys));
    COFFER_TRY_ASSIGN(std::vector<std::byte> file, os::read_file(o.file, kMaxFile));
    for (const trust::SigningKey& key : keys) {
        COFFER_TRY_ASSIGN(file, named(o.file, trust::sign_bundle(file, key, kMaxBundle)));
    }
    COFFER_TRY_ASSIGN(const trust::UnverifiedBundle bundle, named(o.file, trust::inspect_bundle(file, kMaxBundle)));
    COFFER_TRY(write_text(o.file, std::string(as_text(file))));
    if (o.json) {
        print_json("trust sign", {{"file", o.file},
                                  {"bundle_number", bundle.bundle.number},
                                  {"signature_count", bundle.signatures.size()},
                                  {"complete", bundle.complete}});
    } else {
        print("{}: bundle {}, {} signature{}, {}\n", o.file, bundle.bundle.number, bundle.signatures.size(),
              bundle.signatures.size() == 1 ? "" : "s",
              bundle.complete ? "enough of its own roots" : "more of its own roots must sign");
    }
    return kOk;
}

struct FollowOptions {
    std::string file, trust_store = "default";
    bool json = false;
};

void print_followed(const char* verb, const FollowOptions& o, const TrustDir& dir, const trust::Bundle& bundle) {
    if (o.json) {
        print_json(verb, {{"trust_store", dir.path()}, {"bundle_number", bundle.number}});
    } else {
        print("{}: follows bundle {}\n", dir.path(), bundle.number);
    }
}

Result<int> init(const FollowOptions& o) {
    COFFER_TRY_ASSIGN(const TrustDir dir, TrustDir::at(o.trust_store));
    COFFER_TRY_ASSIGN(const auto bundle, load_bundle_file(o.file));
    COFFER_TRY(dir.init(*bundle));
    print_followed("trust init", o, dir, *bundle);
    return kOk;
}

Result<int> update(const FollowOptions& o) {
    COFFER_TRY_ASSIGN(const TrustDir dir, TrustDir::at(o.trust_store));
    COFFER_TRY_ASSIGN(const std::vector<std::byte> chain, os::read_file(o.file, kMaxFile));
    COFFER_TRY_ASSIGN(const auto bundle, named(o.file, dir.update(chain)));
    print_followed("trust update", o, dir, *bundle);
    return kOk;
}

Json describe(const trust::Bundle& b) {
    Json keys = Json::array(), minimums = Json::array(), files = Json::array(), licences = Json::array();
    for (const trust::BundleKey& key : b.keys) {
        Json entry{{"role", trust::role_name(key.role)},
                   {"key_id", hex(key.signer.id)},
                   {"state", state_name(key.signer.state)}};
        entry["not_before_time"] = json_time(key.signer.not_before);
        entry["not_after_time"] = json_time(key.signer.not_after);
        keys.push_back(entry);
    }
    for (const trust::MinVersion& m : b.min_versions) {
        minimums.push_back({{"model_id", hex(m.model)},
                            {"min_version", m.version},
                            {"lowered_by_bundle_number", m.lowered_by ? Json(m.lowered_by) : Json(nullptr)}});
    }
    for (const auto& id : b.revoked_files) files.push_back(hex(id));
    for (const auto& id : b.revoked_licences) licences.push_back(hex(id));
    Json thresholds = Json::object();
    for (trust::KeyRole role : kAllRoles) thresholds[trust::role_name(role)] = b.threshold(role);
    return {{"bundle_number", b.number},
            {"chain_id", hex(b.chain)},
            {"issued_time", json_time(b.issued)},
            {"expires_time", json_time(b.expires)},
            {"thresholds", thresholds},
            {"keys", keys},
            {"min_versions", minimums},
            {"revoked_content_ids", files},
            {"revoked_licence_ids", licences},
            {"clock_reset_by_bundle_number", b.clock_reset_by ? Json(b.clock_reset_by) : Json(nullptr)},
            {"sha256", hex(b.digest)}};
}

Result<int> show(const FollowOptions& o) {
    Json result;
    bool followed = false;
    std::string name = o.file;
    if (!o.file.empty()) {
        COFFER_TRY_ASSIGN(const trust::UnverifiedBundle bundle, read_bundle(o.file));
        result = {{"file", o.file}};
        result.update(describe(bundle.bundle));
        result["signature_count"] = bundle.signatures.size();
        result["complete"] = bundle.complete;
    } else {
        COFFER_TRY_ASSIGN(const TrustDir dir, TrustDir::at(o.trust_store));
        COFFER_TRY_ASSIGN(const auto bundle, dir.bundle());
        COFFER_TRY_ASSIGN(trust::State state, trust::load_state(*dir.store()));
        COFFER_TRY(state.adopt(*bundle));
        Json files = Json::array();
        for (const trust::State::Seen& s : state.files()) {
            files.push_back({{"model_id", hex(s.model)},
                             {"model_version", s.version},
                             {"content_id", hex(s.content_id)},
                             {"generation", s.generation}});
        }
        name = dir.path();
        result = {{"trust_store", dir.path()}};
        result.update(describe(*bundle));
        result["latest_time"] = json_time(state.latest_time());
        result["files_seen"] = files;
        followed = true;
    }
    result["verified"] = followed;
    if (o.json) {
        print_json("trust show", result);
    } else {
        print_fields(name, followed, result);
    }
    return kOk;
}

void add_trust_store(CLI::App& app, FollowOptions& o) {
    app.add_option("--trust-store", o.trust_store, "The folder; default $XDG_STATE_HOME/coffer")->type_name("DIR");
}

}  // namespace

void add_trust(CLI::App& root, std::vector<Verb>& verbs) {
    auto* app = root.add_subcommand("trust", "Make trust bundles and follow them");
    app->require_subcommand(1);

    auto* create = app->add_subcommand("new", "Write a bundle, the first or the next one; roots sign it afterwards");
    auto n = std::make_shared<NewOptions>();
    create->add_option("-o,--output", n->output, "The bundle to write")->required()->type_name("B");
    create->add_option("--from", n->from, "The bundle before: everything in it is kept but for what is changed here")
        ->type_name("B");
    const auto add_keys = [&](const char* option, trust::KeyRole role, const char* help) {
        create->add_option(option, n->keys[static_cast<size_t>(role) - 1], help)->type_name("PUB");
    };
    add_keys("--root", trust::KeyRole::kRoot, "Add a key (PEM) that signs bundles; may be repeated");
    add_keys("--publisher", trust::KeyRole::kPublisher, "Add a key that signs models; may be repeated");
    add_keys("--distributor", trust::KeyRole::kDistributor, "Add a key that signs recipients; may be repeated");
    add_keys("--licensor", trust::KeyRole::kLicensor, "Add a key that signs licences; may be repeated");
    create->add_option("--threshold", n->thresholds, "How many keys of a role must sign, such as root=2")
        ->type_name("ROLE=N");
    create->add_option("--retire", n->retire, "From now on this key signs nothing new; may be repeated")
        ->type_name("PUB");
    create->add_option("--revoke", n->revoke, "Nothing this key ever signed counts; may be repeated")
        ->type_name("PUB");
    create->add_option("--drop", n->drop, "Take a key out; may be repeated")->type_name("PUB");
    create->add_option("--min-version", n->min_versions, "Refuse older versions of a model; may be repeated")
        ->type_name("ID=N");
    create->add_option("--lower", n->lower, "The same, and devices that saw higher versions forget them")
        ->type_name("ID=N");
    create->add_option("--revoke-file", n->revoke_files, "A model, or its content_id; may be repeated")
        ->type_name("FILE|ID");
    create->add_option("--revoke-licence", n->revoke_licences, "A licence, or its id; may be repeated")
        ->type_name("FILE|ID");
    create->add_flag("--reset-clock", n->reset_clock, "Devices forget the latest time they saw");
    create
        ->add_option("--expires", n->expires,
                     "This long from now, such as 90d, nothing new opens any more; default never")
        ->type_name("DURATION");
    add_json(*create, n->json);
    create->footer(
        "Examples:\n"
        "  model-pack trust new --root root-a.pem --root root-b.pem --root root-c.pem --threshold root=2 \\\n"
        "      --publisher vendor.pem -o 1.trust\n"
        "  model-pack trust new --from 1.trust --publisher vendor2.pem --retire vendor.pem -o 2.trust");
    verbs.push_back({create, [n] { return make(*n); }});

    auto* add = app->add_subcommand("sign", "Add a root's signature to a bundle");
    auto s = std::make_shared<SignOptions>();
    add->add_option("FILE", s->file, "A bundle; replaced in one step")->required();
    add->add_option("--sign", s->keys, "A root's private key (PEM); may be repeated")->required()->type_name("KEY");
    add->add_option("--from", s->from, "The bundle before, for a key that is a root there alone")->type_name("B");
    add_json(*add, s->json);
    add->footer(
        "Examples:\n"
        "  model-pack trust sign 1.trust --sign root-a.key\n"
        "  model-pack trust sign 2.trust --sign old-root.key --from 1.trust");
    verbs.push_back({add, [s] { return sign(*s); }});

    auto* first = app->add_subcommand("init", "Begin to follow a bundle and to remember what was seen");
    auto i = std::make_shared<FollowOptions>();
    first->add_option("--bundle", i->file, "The first bundle, from a source you trust")->required()->type_name("B");
    add_trust_store(*first, *i);
    add_json(*first, i->json);
    first->footer(
        "Example:\n"
        "  model-pack trust init --bundle 1.trust\n"
        "  model-pack run net.coffer --trust-store default --key device.key --input image=@x.npy");
    verbs.push_back({first, [i] { return init(*i); }});

    auto* next = app->add_subcommand("update", "Follow the next bundle, or several in one file");
    auto u = std::make_shared<FollowOptions>();
    next->add_option("FILE", u->file, "Bundles, one after the other")->required();
    add_trust_store(*next, *u);
    add_json(*next, u->json);
    next->footer(
        "Example:\n"
        "  model-pack trust update 2.trust");
    verbs.push_back({next, [u] { return update(*u); }});

    auto* display = app->add_subcommand("show", "Show a bundle, or what is followed and remembered");
    auto d = std::make_shared<FollowOptions>();
    display->add_option("FILE", d->file, "A bundle; without it, the folder");
    add_trust_store(*display, *d);
    add_json(*display, d->json);
    verbs.push_back({display, [d] { return show(*d); }});
}

}  // namespace coffer::cli
