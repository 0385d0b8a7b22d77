// What kind of file is this? Looks at the first and last bytes of files with a sealed classifier. What the
// application has to know of the model travels in the sealed file: sizes as metadata (pack --meta), the labels
// as an attachment (pack --attach labels.tsv), so both are signed and encrypted with it. tools/demo makes such
// files, of magika's model and of one trained here.
//   filetype MODEL.coffer KEY SIGNER.pem FILE...
// prints a line per file: path, type, score, milliseconds; separated by tabs.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coffer/coffer.hpp"

namespace {

// What to show for one class of the model: its name when the score reaches the threshold, else the fallback.
struct Label {
    std::string name, fallback;
    float threshold = 0;
};

struct Config {
    size_t begin = 0, end = 0;  // bytes looked at, after white space was cut off
    size_t block = 0;           // bytes read at either end
    size_t minimum = 0;         // fewer than these cannot be told
    int32_t padding = 0;        // stands for "no byte"
    std::vector<Label> labels;
};

std::optional<size_t> number(const coffer::Model& model, const char* key) {
    const char* text = model.metadata(key);
    size_t value = 0;
    if (!text) return std::nullopt;
    const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
    return error == std::errc() && *end == '\0' ? std::optional(value) : std::nullopt;
}

std::string_view cut(std::string_view& text, char separator) {
    const size_t at = std::min(text.find(separator), text.size());
    const std::string_view head = text.substr(0, at);
    text.remove_prefix(std::min(at + 1, text.size()));
    return head;
}

// labels.tsv: a line for each class, "name <tab> threshold <tab> fallback".
std::vector<Label> parse_labels(std::string_view text) {
    std::vector<Label> labels;
    while (!text.empty()) {
        std::string_view line = cut(text, '\n');
        Label label;
        label.name = cut(line, '\t');
        label.threshold = std::strtof(std::string(cut(line, '\t')).c_str(), nullptr);
        label.fallback = line;
        labels.push_back(std::move(label));
    }
    return labels;
}

std::optional<Config> read_config(const coffer::Model& model) {
    const auto begin = number(model, "begin"), end = number(model, "end"), block = number(model, "block"),
               minimum = number(model, "minimum"), padding = number(model, "padding");
    const auto blob = model.blob("labels.tsv");
    if (!begin || !end || !block || !minimum || !padding || !blob) return std::nullopt;
    const std::string_view text(reinterpret_cast<const char*>(blob->data()), blob->size());
    return Config{*begin, *end, *block, *minimum, static_cast<int32_t>(*padding), parse_labels(text)};
}

struct Ends {
    std::string first, last;  // at most a block each
    uint64_t size = 0;
};

std::optional<Ends> read_ends(const char* path, size_t block) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) return std::nullopt;
    Ends ends;
    ends.size = static_cast<uint64_t>(file.tellg());
    const size_t n = static_cast<size_t>(std::min<uint64_t>(ends.size, block));
    ends.first.resize(n);
    ends.last.resize(n);
    file.seekg(0).read(ends.first.data(), static_cast<std::streamsize>(n));
    file.seekg(-static_cast<std::streamoff>(n), std::ios::end)
        .read(ends.last.data(), static_cast<std::streamsize>(n));
    return file ? std::optional(ends) : std::nullopt;
}

// The model's input: the beginning without leading white space, padded behind; the end without trailing white
// space, padded before. False when there is too little to judge.
bool features(const Ends& ends, const Config& config, std::vector<int32_t>& out) {
    constexpr const char* kSpace = " \t\n\r\v\f";
    const auto byte = [](char c) { return static_cast<int32_t>(static_cast<unsigned char>(c)); };
    std::string_view first = ends.first, last = ends.last;
    first.remove_prefix(std::min(first.find_first_not_of(kSpace), first.size()));
    last.remove_suffix(last.size() - (last.find_last_not_of(kSpace) + 1));
    first = first.substr(0, config.begin);
    last = last.substr(last.size() - std::min(last.size(), config.end));
    out.assign(config.begin + config.end, config.padding);
    std::ranges::transform(first, out.begin(), byte);
    std::ranges::transform(last, out.end() - static_cast<std::ptrdiff_t>(last.size()), byte);
    return ends.size >= config.minimum && first.size() >= config.minimum;
}

bool is_utf8(std::string_view text) {
    for (size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i++]);
        const int more = lead < 0x80                   ? 0
                         : lead >= 0xC2 && lead < 0xE0 ? 1
                         : (lead & 0xF0) == 0xE0       ? 2
                         : lead >= 0xF0 && lead < 0xF5 ? 3
                                                       : -1;
        if (more < 0) return false;
        for (int k = 0; k < more; ++k, ++i) {
            if (i >= text.size() || (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return false;
        }
    }
    return true;
}

int report(const coffer::Error& error) {
    std::fprintf(stderr, "filetype: %s\n", error.message());
    return 1;
}

int classify(coffer::Runner& runner, const Config& config, const char* input_name, const char* output_name,
             const char* path) {
    const std::optional<Ends> ends = read_ends(path, config.block);
    if (!ends) return std::fprintf(stderr, "filetype: cannot read %s\n", path), 1;
    std::vector<int32_t> bytes;
    if (!features(*ends, config, bytes)) {
        const char* type = ends->size == 0 ? "empty" : is_utf8(ends->first) ? "txt" : "unknown";
        std::printf("%s\t%s\t1.000\t0.000\n", path, type);
        return 0;
    }
    std::vector<float> scores(config.labels.size());
    const int64_t count = static_cast<int64_t>(bytes.size()), classes = static_cast<int64_t>(scores.size());
    const auto start = std::chrono::steady_clock::now();
    const auto ran = runner.run({{input_name, {bytes, {1, count}}}}, {{output_name, {scores, {1, classes}}}});
    const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - start;
    if (!ran) return report(ran.error());
    const auto best = std::ranges::max_element(scores);
    const Label& label = config.labels[static_cast<size_t>(best - scores.begin())];
    const std::string& shown = *best >= label.threshold ? label.name : label.fallback;
    std::printf("%s\t%s\t%.3f\t%.3f\n", path, shown.c_str(), static_cast<double>(*best), spent.count());
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) return std::fprintf(stderr, "usage: filetype MODEL.coffer KEY SIGNER.pem FILE...\n"), 2;
    coffer::Keyring keys;
    if (auto added = keys.add_file(argv[2]); !added) return report(added.error());
    coffer::Policy policy;
    policy.trust_file(argv[3]);
    auto model = coffer::Model::open(argv[1], keys, policy);
    if (!model) return report(model.error());
    const std::optional<Config> config = read_config(*model);
    auto input = model->input(0), output = model->output(0);
    if (!config || !input || !output || output->rank != 2 ||
        output->dims[1] != static_cast<int64_t>(config->labels.size())) {
        return std::fprintf(stderr, "filetype: %s is not a file type classifier\n", argv[1]), 1;
    }
    // One file at a time: a single thread is quickest. Planning ahead keeps it out of the first file's time.
    auto runner = model->runner({.threads = 1});
    if (!runner) return report(runner.error());
    const std::vector<int32_t> blank(config->begin + config->end);
    const coffer::Binding shape{input->name, {blank, {1, static_cast<int64_t>(blank.size())}}};
    if (auto ready = runner->prepare({&shape, 1}); !ready) return report(ready.error());

    int failed = 0;
    for (int i = 4; i < argc; ++i) failed |= classify(*runner, *config, input->name, output->name, argv[i]);
    return failed;
}
