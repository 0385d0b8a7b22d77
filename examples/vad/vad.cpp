// Where is speech in a recording? Reads a WAV file window by window with silero-vad, whose state the runner carries
// from one call to the next (pack --state stateN=state), and prints a line per segment: begin and end in seconds,
// separated by a tab. examples/vad/run.py gets the model, seals it and runs this.
//   vad MODEL.coffer KEY SIGNER.pem FILE.wav
// WAV: 16-bit PCM, 8000 Hz or a multiple of 16000 Hz; the channels are averaged.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <istream>
#include <iterator>
#include <optional>
#include <string_view>
#include <vector>

#include "coffer/coffer.hpp"

namespace {

// As in the package's get_speech_timestamps.
constexpr float kBegin = 0.5f, kEnd = 0.35f;  // probabilities: speech begins at the one and ends below the other
constexpr double kMinSpeech = 0.25, kMinSilence = 0.1, kPad = 0.03;  // seconds

struct Sound {
    int64_t rate = 0;
    std::vector<float> samples;
};

uint32_t little(std::string_view data, size_t at, size_t bytes) {
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value |= uint32_t{static_cast<unsigned char>(data[at + i])} << (8 * i);
    return value;
}

std::optional<Sound> parse_wav(std::string_view data) {
    if (data.size() < 12 || data.substr(0, 4) != "RIFF" || data.substr(8, 4) != "WAVE") return std::nullopt;
    Sound sound;
    size_t channels = 0;
    for (size_t at = 12; at + 8 <= data.size();) {
        const std::string_view kind = data.substr(at, 4);
        const size_t length = std::min<size_t>(little(data, at + 4, 4), data.size() - at - 8);
        const std::string_view body = data.substr(at + 8, length);
        if (kind == "fmt " && length >= 16) {
            const uint32_t format = little(body, 0, 2);  // 1: PCM; 0xfffe: the extended form of it
            if ((format != 1 && format != 0xfffe) || little(body, 14, 2) != 16) return std::nullopt;
            channels = little(body, 2, 2);
            sound.rate = little(body, 4, 4);
        } else if (kind == "data" && channels > 0) {
            for (size_t i = 0; i + 2 * channels <= length; i += 2 * channels) {
                float sum = 0;
                for (size_t c = 0; c < channels; ++c) {
                    sum += static_cast<float>(static_cast<int16_t>(little(body, i + 2 * c, 2)));
                }
                sound.samples.push_back(sum / (32768.0f * static_cast<float>(channels)));
            }
            return sound;
        }
        at += 8 + length + length % 2;
    }
    return std::nullopt;
}

std::optional<Sound> read_wav(std::istream& file) {
    const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    return parse_wav({bytes.data(), bytes.size()});
}

// Multiples of 16 kHz are thinned out, as the package does it.
bool to_model_rate(Sound& sound) {
    if (sound.rate > 16000 && sound.rate % 16000 == 0) {
        const auto step = static_cast<size_t>(sound.rate / 16000);
        const size_t count = (sound.samples.size() + step - 1) / step;
        for (size_t i = 0; i < count; ++i) sound.samples[i] = sound.samples[i * step];
        sound.samples.resize(count);
        sound.rate = 16000;
    }
    return sound.rate == 8000 || sound.rate == 16000;
}

// One probability for each window of 32 ms.
coffer::Result<std::vector<float>> probabilities(coffer::Runner& runner, const Sound& sound) {
    const size_t window = sound.rate == 16000 ? 512 : 256, context = window / 8;
    // The model sees the end of the window before, too.
    std::vector<float> input(context + window, 0.0f), result;
    const int64_t length = static_cast<int64_t>(input.size());
    const std::vector<int64_t> rate{sound.rate};
    std::vector<float> probability(1);
    if (auto reset = runner.reset(); !reset) return reset.error();
    for (size_t at = 0; at < sound.samples.size(); at += window) {
        const auto begin = sound.samples.begin() + static_cast<std::ptrdiff_t>(at);
        const size_t count = std::min(window, sound.samples.size() - at);
        std::copy(input.end() - static_cast<std::ptrdiff_t>(context), input.end(), input.begin());
        const auto rest = std::copy_n(begin, count, input.begin() + static_cast<std::ptrdiff_t>(context));
        std::fill(rest, input.end(), 0.0f);
        const auto ran =
            runner.run({{"input", {input, {1, length}}}, {"sr", {rate, std::initializer_list<int64_t>{}}}},
                       {{"output", {probability, {1, 1}}}});
        if (!ran) return ran.error();
        result.push_back(probability[0]);
    }
    return result;
}

struct Segment {
    double begin, end;  // seconds
};

// Two thresholds, so that speech does not flicker; a short silence does not end it, a short sound is none.
std::vector<Segment> segments(const std::vector<float>& probabilities, double window, double duration) {
    std::vector<Segment> found;
    std::optional<double> begin, silence;
    for (size_t i = 0; i < probabilities.size(); ++i) {
        const double now = window * static_cast<double>(i);
        if (probabilities[i] >= kBegin) {
            silence.reset();
            if (!begin) begin = now;
        } else if (probabilities[i] < kEnd && begin) {
            if (!silence) silence = now;
            if (now - *silence < kMinSilence) continue;
            if (*silence - *begin > kMinSpeech) found.push_back({*begin, *silence});
            begin.reset();
            silence.reset();
        }
    }
    if (begin && duration - *begin > kMinSpeech) found.push_back({*begin, duration});
    // A little room on both sides; neighbours share the silence between them.
    for (size_t i = 0; i < found.size(); ++i) {
        if (i == 0) found[i].begin = std::max(0.0, found[i].begin - kPad);
        const double gap = i + 1 < found.size() ? found[i + 1].begin - found[i].end : 2 * kPad;
        found[i].end = std::min(duration, found[i].end + std::min(kPad, gap / 2));
        if (i + 1 < found.size()) found[i + 1].begin -= std::min(kPad, gap / 2);
    }
    return found;
}

int report(const coffer::Error& error) {
    std::fprintf(stderr, "vad: %s\n", error.message());
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) return std::fprintf(stderr, "usage: vad MODEL.coffer KEY SIGNER.pem FILE.wav\n"), 2;
    coffer::Keyring keys;
    if (auto added = keys.add_file(argv[2]); !added) return report(added.error());
    coffer::Policy policy;
    policy.trust_file(argv[3]);
    auto model = coffer::Model::open(argv[1], keys, policy);
    if (!model) return report(model.error());
    std::ifstream file(argv[4], std::ios::binary);
    if (!file) return std::fprintf(stderr, "vad: cannot open %s\n", argv[4]), 1;
    std::optional<Sound> sound = read_wav(file);
    if (!sound) return std::fprintf(stderr, "vad: %s is no 16-bit WAV file\n", argv[4]), 1;
    if (!to_model_rate(*sound)) {
        std::fprintf(stderr, "vad: %s has %lld Hz; 8000 or a multiple of 16000 is needed\n", argv[4],
                     static_cast<long long>(sound->rate));
        return 1;
    }
    auto runner = model->runner({.threads = 1});
    if (!runner) return report(runner.error());
    const auto result = probabilities(*runner, *sound);
    if (!result) return report(result.error());
    const auto rate = static_cast<double>(sound->rate);
    const double window = (sound->rate == 16000 ? 512 : 256) / rate;
    for (const Segment& s : segments(*result, window, static_cast<double>(sound->samples.size()) / rate)) {
        std::printf("%.3f\t%.3f\n", s.begin, s.end);
    }
    return 0;
}
