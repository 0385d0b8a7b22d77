// recipients: who can open a file. list, add, remove and rotate; and grant, a recipient outside the file.
#include <algorithm>
#include <optional>

#include "cli.hpp"
#include "container/grant.hpp"
#include "container/rewrite.hpp"

namespace coffer::cli {
namespace {

struct RecipientOptions {
    std::string file, output, distributor;
    std::vector<std::string> to, from;
    AccessOptions access;
    bool all = false, json = false;
};

// Removing is the moment at which people believe more than is true.
constexpr const char* kNotForgotten =
    "note: whoever was removed and kept the file's key, or an old copy of this file and his key, can still open\n"
    "      this version of the model. To lock him out, pack again with a raised version (that makes a new key) and\n"
    "      raise the minimum version where the model is opened.";

// The slots that `spec` names: "password", the beginning of an id, or a recipient as for --encrypt-to.
Result<std::vector<container::Id>> find_slots(const container::Unverified& file, const std::string& spec,
                                              const KmsOptions& kms) {
    constexpr size_t kShortestId = 8;
    std::vector<container::Id> ids;
    const auto take = [&](auto&& wanted) -> Status {
        for (const container::UnverifiedSlot& slot : file.slots) {
            COFFER_TRY_ASSIGN(const bool mine, Result<bool>(wanted(slot)));
            if (mine && std::ranges::find(ids, slot.slot_id) == ids.end()) ids.push_back(slot.slot_id);
        }
        return {};
    };
    const bool is_id = spec.size() >= kShortestId && spec.size() <= 2 * sizeof(container::Id) &&
                       spec.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (spec == "password") {
        COFFER_TRY(
            take([](const auto& slot) { return slot.kind == static_cast<uint16_t>(trust::SlotKind::kScrypt); }));
    } else if (is_id) {
        COFFER_TRY(take([&](const auto& slot) { return hex(slot.slot_id).starts_with(spec); }));
        if (ids.size() > 1) return error(Code::kInvalidArgument, "--from ", spec, ": several recipients begin so");
    } else {
        COFFER_TRY_ASSIGN(const std::vector<container::Recipient> recipients, load_recipients({spec}, kms));
        for (const container::Recipient& r : recipients) {
            if (!r.owns) {
                return error(Code::kInvalidArgument, "--from ", spec,
                             ": such a recipient is named by its id; see `model-pack recipients list`");
            }
            COFFER_TRY(take([&](const auto& slot) -> Result<bool> {
                if (slot.kind != r.kind) return false;
                return r.owns(slot.body);
            }));
        }
    }
    if (ids.empty()) return error(Code::kInvalidArgument, "--from ", spec, ": the file has no such recipient");
    return ids;
}

Result<int> list(const RecipientOptions& o) {
    COFFER_TRY_ASSIGN(const container::Unverified file,
                      named(o.file, container::inspect(container::Source::file(o.file))));
    Json slots = Json::array(), signatures = Json::array();
    for (const auto& s : file.slots)
        slots.push_back({{"slot_id", hex(s.slot_id)}, {"kind", trust::slot_kind_name(s.kind)}});
    for (const auto& s : file.slots_signatures) signatures.push_back(hex(s.key_id));
    if (o.json) {
        print_json("recipients list", {{"file", o.file},
                                       {"verified", false},
                                       {"generation", file.slots_generation},
                                       {"recipients", slots},
                                       {"must_be_signed", file.header.has(container::kSlotsSigned)},
                                       {"signer_key_ids", signatures}});
        return kOk;
    }
    print("{}: generation {}, {} recipient{}   UNVERIFIED\n", o.file, file.slots_generation, slots.size(),
          slots.size() == 1 ? "" : "s");
    for (const Json& s : slots) print("  {}  {}\n", s["slot_id"].get<std::string>(), s["kind"].get<std::string>());
    for (const Json& s : signatures) print("  signed by {}\n", s.get<std::string>());
    return kOk;
}

// Who is there twice would have to be taken out twice. A key alone tells; passwords have a rule of their own.
Status refuse_present(const container::Unverified& file, const container::RewriteOptions& change) {
    if (change.remove_all) return {};
    for (const container::UnverifiedSlot& slot : file.slots) {
        if (std::ranges::find(change.remove, slot.slot_id) != change.remove.end()) continue;
        for (const container::Recipient& recipient : change.add) {
            if (!recipient.owns || recipient.kind != slot.kind) continue;
            COFFER_TRY_ASSIGN(const bool present, recipient.owns(slot.body));
            if (!present) continue;
            return error(Code::kInvalidArgument, "--to: recipient ", hex(slot.slot_id), " (",
                         trust::slot_kind_name(slot.kind), ") is in the file already");
        }
    }
    return {};
}

// The key that signs the recipients. Who uses it trusts it.
struct Distributor {
    std::optional<trust::SigningKey> key;
    const trust::SigningKey* get() const { return key ? &*key : nullptr; }

    static Result<Distributor> load(const std::string& path, trust::Policy& policy) {
        Distributor out;
        if (path.empty()) return out;
        COFFER_TRY_ASSIGN(trust::SigningKey key, load_signing_key(path));
        COFFER_TRY(policy.add_distributor(key.signer()));
        out.key.emplace(std::move(key));
        return out;
    }
};

Result<int> rewrite(const char* verb, const RecipientOptions& o) {
    container::RewriteOptions change;
    COFFER_TRY_ASSIGN(const container::Unverified file,
                      named(o.file, container::inspect(container::Source::file(o.file))));
    if (!o.from.empty()) {
        for (const std::string& spec : o.from) {
            COFFER_TRY_ASSIGN(const std::vector<container::Id> ids, find_slots(file, spec, o.access.kms));
            change.remove.insert(change.remove.end(), ids.begin(), ids.end());
        }
    }
    if (std::string_view(verb) == "rotate" && o.from.empty() && !o.all) {
        return error(Code::kInvalidArgument, "recipients rotate: whom to replace, --from R or --all?");
    }
    change.remove_all = o.all;
    COFFER_TRY_ASSIGN(Access access, Access::create(o.access));
    COFFER_TRY_ASSIGN(const Distributor distributor, Distributor::load(o.distributor, access.policy));
    change.distributor = distributor.get();
    COFFER_TRY_ASSIGN(change.add, load_recipients(o.to, o.access.kms));
    COFFER_TRY(named(o.file, refuse_present(file, change)));
    COFFER_TRY_ASSIGN(const container::Rewritten done,
                      named(o.file, container::rewrite(o.file, access.policy, access.keyring, change)));
    Json added = Json::array(), removed = Json::array();
    for (const container::Id& id : done.added) added.push_back(hex(id));
    for (const container::Id& id : done.removed) removed.push_back(hex(id));
    if (o.json) {
        print_json(std::string("recipients ") + verb, {{"file", o.file},
                                                       {"generation", done.generation},
                                                       {"recipient_count", done.recipients},
                                                       {"added_slot_ids", added},
                                                       {"removed_slot_ids", removed}});
        return kOk;
    }
    print("{}: generation {}, {} added, {} removed, {} recipient{} now\n", o.file, done.generation, added.size(),
          removed.size(), done.recipients, done.recipients == 1 ? "" : "s");
    if (!removed.empty()) fmt::print(stderr, "{}\n", kNotForgotten);
    return kOk;
}

Result<int> grant(const RecipientOptions& o) {
    COFFER_TRY(refuse_same_file(o.output, o.file));
    COFFER_TRY(refuse_same_file(o.output, {&o.to, &o.access.keys, &o.access.trust, &o.access.grants}));
    if (!o.distributor.empty()) COFFER_TRY(refuse_same_file(o.output, o.distributor));
    COFFER_TRY_ASSIGN(Access access, Access::create(o.access));
    COFFER_TRY_ASSIGN(const Distributor distributor, Distributor::load(o.distributor, access.policy));
    container::GrantOptions options;
    options.distributor = distributor.get();
    COFFER_TRY_ASSIGN(options.recipients, load_recipients(o.to, o.access.kms));
    COFFER_TRY_ASSIGN(container::Source source, open_source(o.file));
    COFFER_TRY_ASSIGN(const auto made, named(o.file, container::make_grant(std::move(source), access.policy,
                                                                           access.keyring, options)));
    COFFER_TRY(write_text(o.output, std::string(as_text(made))));
    if (o.json) {
        print_json("grant", {{"file", o.file},
                             {"output", o.output},
                             {"output_bytes", made.size()},
                             {"recipient_count", options.recipients.size()}});
    } else {
        print("{}: {} for {} recipient{}, to be given with --grant beside --key\n", o.output, bytes_text(made.size()),
              options.recipients.size(), options.recipients.size() == 1 ? "" : "s");
    }
    return kOk;
}

void add_to(CLI::App& app, RecipientOptions& o, const char* kinds) {
    app.add_option("--to", o.to, std::string("Recipient as for `pack --encrypt-to`") + kinds + "; may be repeated")
        ->type_name("R")
        ->required();
}

void add_sign_slots(CLI::App& app, RecipientOptions& o) {
    app.add_option("--sign-slots", o.distributor, "Distributor's key (PEM), for a file packed with --sign-slots")
        ->type_name("KEY");
}

}  // namespace

void add_recipients_verbs(CLI::App& root, std::vector<Verb>& verbs) {
    auto* app = root.add_subcommand("recipients", "List and change who can open a file");
    app->require_subcommand(1);
    const auto add = [&](const char* name, const char* help) {
        auto o = std::make_shared<RecipientOptions>();
        auto* sub = app->add_subcommand(name, help);
        sub->add_option("FILE", o->file, "A .coffer file")->required();
        if (std::string_view(name) == "list") {
            add_json(*sub, o->json);
            verbs.push_back({sub, [o] { return list(*o); }});
            return std::pair{sub, o};
        }
        add_access(*sub, o->access);
        add_sign_slots(*sub, *o);
        add_json(*sub, o->json);
        verbs.push_back({sub, [o, name] { return rewrite(name, *o); }});
        return std::pair{sub, o};
    };
    add("list", "Show recipients' ids and kinds; nothing of it is verified")
        .first->footer("Example:\n  model-pack recipients list net.coffer");

    constexpr const char* kFrom = "A recipient as for --to, or the beginning of an id (8 digits or more)";
    const auto [more, more_options] = add("add", "Let others open the file too; the model is not encrypted again");
    add_to(*more, *more_options, "");
    more->footer(
        "Needs a key that opens the file. Signature and content stay as they are.\n\n"
        "Example:\n"
        "  model-pack recipients add net.coffer --key mine.key --trust vendor.pem --to age1...");

    const auto [less, less_options] = add("remove", "Take recipients out of the file");
    less->add_option("--from", less_options->from, kFrom)->type_name("R|ID")->required();
    less->footer(
        "Does not make anyone forget: who was removed and kept the file's key can still open this version.\n\n"
        "Examples:\n"
        "  model-pack recipients remove net.coffer --key mine.key --trust vendor.pem --from age1...\n"
        "  model-pack recipients remove net.coffer --key mine.key --trust vendor.pem --from 1f9ac3d2");

    const auto [turn, turn_options] = add("rotate", "Put recipients in the place of one, of some, or of all");
    add_to(*turn, *turn_options, "");
    auto* from = turn->add_option("--from", turn_options->from, kFrom)->type_name("R|ID");
    turn->add_flag("--all", turn_options->all, "Replace everybody")->excludes(from);
    turn->footer(
        "Examples:\n"
        "  model-pack recipients rotate net.coffer --key old.key --trust vendor.pem --from old.pub --to new.pub\n"
        "  model-pack recipients rotate net.coffer --key mine.key --trust vendor.pem --all --to everyone.pub");
}

void add_grant(CLI::App& root, std::vector<Verb>& verbs) {
    auto* app = root.add_subcommand("grant", "Let someone open a file through a small file of its own");
    auto o = std::make_shared<RecipientOptions>();
    app->add_option("FILE", o->file, "A .coffer file")->required();
    add_to(*app, *o, ", but no password");
    app->add_option("-o,--output", o->output, "The grant to write")->type_name("G")->required();
    add_access(*app, o->access);
    add_sign_slots(*app, *o);
    add_json(*app, o->json);
    app->footer(
        "FILE itself does not change, and its content is not even read, however large it is.\n\n"
        "Examples:\n"
        "  model-pack grant net.coffer --key mine.key --trust vendor.pem --to age1... -o customer.grant\n"
        "  model-pack run net.coffer --key customer.key --grant customer.grant --trust vendor.pem --input x=@x.npy");
    verbs.push_back({app, [o] { return grant(*o); }});
}

}  // namespace coffer::cli
