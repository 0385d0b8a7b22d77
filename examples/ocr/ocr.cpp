// Text in a picture: finds it, turns what stands on its head, reads it. Three sealed models of PP-OCR, as the package
// rapidocr-onnxruntime has them; the alphabet travels in the reader's file (pack --attach alphabet.txt), signed and
// encrypted with it. examples/ocr/run.py gets the models, seals them and runs this.
//   ocr FIND.coffer TURN.coffer READ.coffer KEY SIGNER.pem PICTURE.ppm
// prints a line for each piece of text: score, corners (x,y from the top left, clockwise), text; separated by tabs.
// Other formats: `pngtopnm`, `djpeg`, or any picture program writes PPM.
#include <cstdio>
#include <fstream>
#include <string_view>

#include "coffer/coffer.hpp"
#include "detect.hpp"

namespace {

// As in the package.
constexpr int kLongest = 2000, kShortest = 736, kLineHeight = 48, kTurnWidth = 192, kReadWidth = 320;
constexpr float kSureOfTurn = 0.9f, kSureOfText = 0.5f;

// A model, its runner and its one output.
class Network {
 public:
    static coffer::Result<Network> open(const char* path, const coffer::Keyring& keys, const coffer::Policy& policy) {
        auto model = coffer::Model::open(path, keys, policy);
        if (!model) return model.error();
        auto input = model->input(0);
        if (!input) return input.error();
        auto runner = model->runner();
        if (!runner) return runner.error();
        return Network(std::move(*model), std::move(*runner), input->name);
    }

    // The picture as (1, 3, h, w) with values from -1 to 1; what is right of it, up to `width`, is 0.
    coffer::Result<coffer::Value> run(const Picture& p, int width) {
        const auto w = static_cast<size_t>(width), h = static_cast<size_t>(p.height);
        std::vector<float> pixels(3 * h * w, 0.0f);
        for (int y = 0; y < p.height; ++y) {
            for (int x = 0; x < p.width; ++x) {
                for (size_t c = 0; c < 3; ++c) {
                    const float value = static_cast<float>(p.at(x, y)[c]) / 255;
                    pixels[(c * h + static_cast<size_t>(y)) * w + static_cast<size_t>(x)] = (value - 0.5f) / 0.5f;
                }
            }
        }
        const auto ran = runner_.run({{input_.c_str(), {pixels, {1, 3, p.height, width}}}});
        if (!ran) return ran.error();
        return runner_.output(0);
    }
    const coffer::Model& model() const { return model_; }

 private:
    Network(coffer::Model model, coffer::Runner runner, const char* input)
        : model_(std::move(model)), runner_(std::move(runner)), input_(input) {}

    coffer::Model model_;
    coffer::Runner runner_;
    std::string input_;
};

// The network takes sides that are multiples of 32, and sees small text in pictures that are large enough.
Picture for_finding(const Picture& p) {
    const auto multiple = [](float side) { return std::max(32, static_cast<int>(std::nearbyint(side / 32)) * 32); };
    const auto width = static_cast<float>(p.width), height = static_cast<float>(p.height);
    float factor = std::min(1.0f, kLongest / std::max(width, height));
    factor = std::max(factor, kShortest / std::min(width, height));
    // A very long strip must not become huge.
    factor = std::min(factor, 4.0f * kLongest / std::max(width, height));
    return p.scaled(multiple(std::floor(width * factor)), multiple(std::floor(height * factor)));
}

// A line of text in the height that the networks read.
Picture line(const Picture& p, int most) {
    const auto width =
        static_cast<int>(std::ceil(static_cast<float>(kLineHeight * p.width) / static_cast<float>(p.height)));
    return p.scaled(std::clamp(width, 1, most), kLineHeight);
}

// "" (blank), the lines of alphabet.txt, and a space.
std::vector<std::string_view> alphabet(std::span<const std::byte> text) {
    std::string_view rest(reinterpret_cast<const char*>(text.data()), text.size());
    std::vector<std::string_view> symbols{""};
    while (!rest.empty()) {
        const size_t end = std::min(rest.find('\n'), rest.size());
        symbols.push_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    symbols.push_back(" ");
    return symbols;
}

struct Text {
    std::string text;
    float score = 0;
};

// The likeliest symbol of each step; repeated ones count once, blanks separate.
Text decode(std::span<const float> steps, const std::vector<std::string_view>& symbols) {
    Text result;
    size_t last = 0, count = 0;
    for (size_t at = 0; at + symbols.size() <= steps.size(); at += symbols.size()) {
        const auto row = steps.subspan(at, symbols.size());
        const auto best = std::ranges::max_element(row);
        const auto symbol = static_cast<size_t>(best - row.begin());
        if (symbol != 0 && symbol != last) {
            result.text += symbols[symbol];
            result.score += *best;
            ++count;
        }
        last = symbol;
    }
    if (count > 0) result.score /= static_cast<float>(count);
    return result;
}

int report(const coffer::Error& error) {
    std::fprintf(stderr, "ocr: %s\n", error.message());
    return 1;
}

// Turned by half when the network is sure that it stands on its head.
coffer::Status upright(Network& turn, Picture& p) {
    const auto scores = turn.run(line(p, kTurnWidth), kTurnWidth);
    if (!scores) return scores.error();
    const auto values = scores->as<float>();
    if (values.size() == 2 && values[1] > values[0] && values[1] > kSureOfTurn) p = p.turned().turned();
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 7) {
        return std::fprintf(stderr, "usage: ocr FIND.coffer TURN.coffer READ.coffer KEY SIGNER.pem PICTURE.ppm\n"), 2;
    }
    coffer::Keyring keys;
    if (auto added = keys.add_file(argv[4]); !added) return report(added.error());
    coffer::Policy policy;
    policy.trust_file(argv[5]);
    auto find = Network::open(argv[1], keys, policy), turn = Network::open(argv[2], keys, policy),
         read = Network::open(argv[3], keys, policy);
    for (const auto* network : {&find, &turn, &read}) {
        if (!*network) return report(network->error());
    }
    const auto blob = read->model().blob("alphabet.txt");
    if (!blob) return report(blob.error());
    const auto symbols = alphabet(*blob);
    std::ifstream file(argv[6], std::ios::binary);
    if (!file) return std::fprintf(stderr, "ocr: cannot open %s\n", argv[6]), 1;
    const std::optional<Picture> picture = read_ppm(file);
    if (!picture) return std::fprintf(stderr, "ocr: %s is no binary PPM or PGM picture\n", argv[6]), 1;

    const Picture whole = for_finding(*picture);
    const auto map = find->run(whole, whole.width);
    if (!map) return report(map.error());
    if (map->as<float>().size() != static_cast<size_t>(whole.width) * static_cast<size_t>(whole.height)) {
        return std::fprintf(stderr, "ocr: %s is no text detector\n", argv[1]), 1;
    }
    for (const Box& box :
         TextMap(map->as<float>(), whole.width, whole.height).boxes(picture->width, picture->height)) {
        Picture part = picture->cut(box);
        if (2 * part.height >= 3 * part.width) part = part.turned();
        if (auto turned = upright(*turn, part); !turned) return report(turned.error());
        const int width = std::max(kReadWidth, kLineHeight * part.width / part.height);
        const auto steps = read->run(line(part, width), width);
        if (!steps) return report(steps.error());
        if (steps->dims().empty() || steps->dims().back() != static_cast<int64_t>(symbols.size())) {
            return std::fprintf(stderr, "ocr: %s does not fit its alphabet of %zu symbols\n", argv[3],
                                symbols.size()),
                   1;
        }
        const Text text = decode(steps->as<float>(), symbols);
        if (text.text.empty() || text.score < kSureOfText) continue;
        std::printf("%.3f\t", static_cast<double>(text.score));
        for (size_t i = 0; i < 4; ++i)
            std::printf("%s%.0f,%.0f", i ? " " : "", static_cast<double>(box[i].x), static_cast<double>(box[i].y));
        std::printf("\t%s\n", text.text.c_str());
    }
    return 0;
}
