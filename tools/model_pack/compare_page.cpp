#include "compare_page.hpp"

#include <algorithm>

namespace coffer::cli {
namespace {

constexpr double kExactDb = 120;  // how long the bar of an exact output is

std::string escape(const std::string& text) {
    std::string out;
    for (char c : text) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            default: out += c;
        }
    }
    return out;
}

struct Bar {
    std::string label, text;
    double value = 0;
    bool original = false;
};

// Horizontal bars, all on one scale from 0.
std::string bars(const std::string& title, const std::vector<Bar>& list) {
    constexpr int kRow = 26, kLabel = 250, kWidth = 420, kText = 110;
    double most = 0;
    for (const Bar& bar : list) most = std::max(most, bar.value);
    std::string rows;
    int y = 0;
    for (const Bar& bar : list) {
        const double width = most > 0 ? std::max(1.0, kWidth * std::max(0.0, bar.value) / most) : 1;
        const std::string label = bar.label.size() > 36 ? "..." + bar.label.substr(bar.label.size() - 33) : bar.label;
        rows += fmt::format(
            "<g><title>{}: {}</title><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>"
            "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"18\" rx=\"2\"/>"
            "<text x=\"{:.1f}\" y=\"{}\">{}</text></g>\n",
            escape(bar.label), escape(bar.text), kLabel - 8, y + 17, escape(label), bar.original ? "original" : "bar",
            kLabel, y + 4, width, kLabel + width + 6, y + 17, escape(bar.text));
        y += kRow;
    }
    return fmt::format(
        "<h2>{0}</h2>\n<svg viewBox=\"0 0 {1} {2}\" width=\"{1}\" height=\"{2}\" role=\"img\" aria-label=\"{0}\">\n"
        "{3}</svg>\n",
        escape(title), kLabel + kWidth + kText, std::max(y, 1), rows);
}

template <class Value, class Text>
std::string entry_bars(const Json& doc, const std::string& title, const Value& value, const Text& text) {
    std::vector<Bar> list;
    for (const Json& e : doc["entries"]) {
        list.push_back({e["file"].get<std::string>(), text(e), value(e), e["original"].get<bool>()});
    }
    return bars(title, list);
}

std::string metric_text(const Json& score, const std::string& metric) {
    if (metric == "snr") return snr_text(score);
    if (score["score"].is_null()) return "-";
    const double value = score["score"].get<double>();
    return metric == "top1" ? fmt::format("{:.1f} %", 100 * value) : fmt::format("{:.6f}", value);
}

double metric_length(const Json& score, const std::string& metric) {
    if (metric == "snr" && score["exact"].get<bool>()) return kExactDb;
    return score["score"].is_null() ? 0 : score["score"].get<double>();
}

// One picture per output, so that files stand beside each other.
std::string output_bars(const Json& doc) {
    const std::string metric = doc["metric"].get<std::string>();
    std::vector<std::string> order;
    for (const Json& e : doc["entries"]) {
        for (const Json& s : e["outputs"]) {
            const std::string name = s["name"].get<std::string>();
            if (std::ranges::find(order, name) == order.end()) order.push_back(name);
        }
    }
    const char* title = metric == "snr" ? "SNR" : metric == "top1" ? "Top-1 agreement" : "Cosine";
    std::string out;
    for (const std::string& name : order) {
        std::vector<Bar> list;
        for (const Json& e : doc["entries"]) {
            for (const Json& s : e["outputs"]) {
                if (s["name"].get<std::string>() != name) continue;
                list.push_back({e["file"].get<std::string>(), metric_text(s, metric), metric_length(s, metric)});
            }
        }
        out += bars(fmt::format("{} of output {}", title, name), list);
    }
    return out;
}

std::string table(const Json& doc) {
    std::string rows;
    for (const Json& e : doc["entries"]) {
        const Json none = Json::array({Json::object()});
        const Json& outputs = e["outputs"].empty() ? none : e["outputs"];
        for (const Json& s : outputs) {
            const bool scored = !s.empty();
            rows += fmt::format(
                "<tr><td>{}</td><td>{}</td><td>{:.1f} ms</td><td>{:.3f} ms</td><td>{}</td><td>{}</td><td>{}</td>"
                "<td>{}</td><td>{}</td></tr>\n",
                escape(e["file"].get<std::string>()), bytes_text(e["file_bytes"].get<uint64_t>()),
                e["load_ms"].get<double>(), e["median_ms"].get<double>(),
                e["peak_memory_bytes"].is_null() ? "-" : bytes_text(e["peak_memory_bytes"].get<uint64_t>()),
                scored ? escape(s["name"].get<std::string>()) : "(the original)", scored ? snr_text(s) : "",
                scored && !s["cosine"].is_null() ? fmt::format("{:.6f}", s["cosine"].get<double>()) : "",
                scored && !s["top1"].is_null() ? fmt::format("{:.1f} %", 100 * s["top1"].get<double>()) : "");
        }
    }
    return "<table>\n<tr><th>file</th><th>size</th><th>load</th><th>run</th><th>memory</th><th>output</th>"
           "<th>SNR</th><th>cosine</th><th>top-1</th></tr>\n" +
           rows + "</table>\n";
}

constexpr const char* kStyle =
    ":root{color-scheme:light dark;--bar:#2f6fb3;--original:#8a8f98;--line:#8884}"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "svg{max-width:100%;height:auto;font-size:13px}svg text{fill:currentColor}"
    ".bar{fill:var(--bar)}.original{fill:var(--original)}"
    "h2{font-size:1rem;margin:1.6rem 0 .3rem}table{border-collapse:collapse;font-size:13px}"
    "td,th{padding:.25rem .6rem;text-align:right;border-bottom:1px solid var(--line)}"
    "td:first-child,th:first-child{text-align:left}";

}  // namespace

std::string snr_text(const Json& score) {
    if (score["snr_db"].is_null()) return score["exact"].get<bool>() ? "exact" : "-";
    return fmt::format("{:.1f} dB", score["snr_db"].get<double>());
}

std::string compare_page(const Json& doc) {
    const std::string model = escape(doc["file"].get<std::string>());
    std::string page = fmt::format(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width\">\n<title>{0}: comparison</title>\n"
        "<style>{1}</style></head>\n<body>\n<h1>{0}</h1>\n"
        "<p>{2} samples of {3}, {4} threads, {5}. The original runs in float.</p>\n",
        model, kStyle, doc["sample_count"].get<size_t>(), escape(doc["data"].get<std::string>()),
        doc["thread_count"].get<unsigned>(), doc["arch"].get<std::string>());
    page += entry_bars(
        doc, "File size", [](const Json& e) { return e["file_bytes"].get<double>(); },
        [](const Json& e) { return bytes_text(e["file_bytes"].get<uint64_t>()); });
    page += entry_bars(
        doc, "Latency (median)", [](const Json& e) { return e["median_ms"].get<double>(); },
        [](const Json& e) { return fmt::format("{:.3f} ms", e["median_ms"].get<double>()); });
    page += output_bars(doc);
    page += "<h2>All numbers</h2>\n" + table(doc);
    return page + "</body>\n</html>\n";
}

}  // namespace coffer::cli
