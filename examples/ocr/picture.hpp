// A picture and what reading text needs done with it: PPM files, scaling, cutting out a turned rectangle. Bytes in
// the order blue, green, red, as the models of the example were trained.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <istream>
#include <limits>
#include <optional>
#include <string>
#include <vector>

struct Point {
    float x = 0, y = 0;
};
inline Point operator+(Point a, Point b) {
    return {a.x + b.x, a.y + b.y};
}
inline Point operator-(Point a, Point b) {
    return {a.x - b.x, a.y - b.y};
}
inline Point operator*(float f, Point p) {
    return {f * p.x, f * p.y};
}
inline float length(Point p) {
    return std::hypot(p.x, p.y);
}

// Top left, top right, bottom right, bottom left.
using Box = std::array<Point, 4>;

struct Picture {
    int width = 0, height = 0;
    std::vector<uint8_t> bytes;  // rows of pixels of three

    Picture() = default;
    Picture(int w, int h) : width(w), height(h), bytes(size_t{3} * static_cast<size_t>(w) * static_cast<size_t>(h)) {}

    uint8_t* at(int x, int y) {
        return bytes.data() + 3 * (static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x));
    }
    const uint8_t* at(int x, int y) const { return const_cast<Picture*>(this)->at(x, y); }

    // The colour between pixels, whose centres have whole coordinates; the border goes on outside.
    void sample(Point p, uint8_t* to) const {
        const float x = std::clamp(p.x, 0.0f, static_cast<float>(width - 1));
        const float y = std::clamp(p.y, 0.0f, static_cast<float>(height - 1));
        const int x0 = static_cast<int>(x), y0 = static_cast<int>(y);
        const int x1 = std::min(x0 + 1, width - 1), y1 = std::min(y0 + 1, height - 1);
        const float fx = x - static_cast<float>(x0), fy = y - static_cast<float>(y0);
        for (int c = 0; c < 3; ++c) {
            const float top = static_cast<float>(at(x0, y0)[c]) * (1 - fx) + static_cast<float>(at(x1, y0)[c]) * fx;
            const float bottom =
                static_cast<float>(at(x0, y1)[c]) * (1 - fx) + static_cast<float>(at(x1, y1)[c]) * fx;
            to[c] = static_cast<uint8_t>(std::lround(top * (1 - fy) + bottom * fy));
        }
    }
    Picture scaled(int w, int h) const {
        Picture result(w, h);
        const float fx = static_cast<float>(width) / static_cast<float>(w);
        const float fy = static_cast<float>(height) / static_cast<float>(h);
        for (int y = 0; y < h; ++y) {
            for (int x = 0; x < w; ++x) {
                const Point from{(static_cast<float>(x) + 0.5f) * fx - 0.5f,
                                 (static_cast<float>(y) + 0.5f) * fy - 0.5f};
                sample(from, result.at(x, y));
            }
        }
        return result;
    }
    Picture cut(const Box& box) const {
        const int w = static_cast<int>(std::max(length(box[1] - box[0]), length(box[2] - box[3])));
        const int h = static_cast<int>(std::max(length(box[3] - box[0]), length(box[2] - box[1])));
        Picture result(std::max(w, 1), std::max(h, 1));
        for (int y = 0; y < result.height; ++y) {
            const float fy = static_cast<float>(y) / static_cast<float>(result.height);
            const Point left = box[0] + fy * (box[3] - box[0]), right = box[1] + fy * (box[2] - box[1]);
            for (int x = 0; x < result.width; ++x) {
                const float fx = static_cast<float>(x) / static_cast<float>(result.width);
                sample(left + fx * (right - left), result.at(x, y));
            }
        }
        return result;
    }
    // By a quarter, against the clock.
    Picture turned() const {
        Picture result(height, width);
        for (int y = 0; y < result.height; ++y) {
            for (int x = 0; x < result.width; ++x) std::copy_n(at(width - 1 - y, x), 3, result.at(x, y));
        }
        return result;
    }
};

// Binary PPM (P6) or PGM (P5) of 8 bits.
inline std::optional<Picture> read_ppm(std::istream& file) {
    constexpr int kLargest = 20000;
    std::string kind;
    file >> kind;
    const size_t channels = kind == "P6" ? 3 : kind == "P5" ? 1 : 0;
    std::array<int, 3> numbers{};  // width, height, white
    for (int& number : numbers) {
        while ((file >> std::ws) && file.peek() == '#')
            file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
        file >> number;
    }
    const auto [width, height, white] = numbers;
    if (!file || channels == 0 || width < 1 || height < 1 || width > kLargest || height > kLargest || white != 255) {
        return std::nullopt;
    }
    file.get();
    Picture picture(width, height);
    std::vector<char> row(channels * static_cast<size_t>(width));
    for (int y = 0; y < height; ++y) {
        if (!file.read(row.data(), static_cast<std::streamsize>(row.size()))) return std::nullopt;
        for (int x = 0; x < width; ++x) {
            const char* from = row.data() + channels * static_cast<size_t>(x);
            for (size_t c = 0; c < 3; ++c)
                picture.at(x, y)[2 - c] = static_cast<uint8_t>(from[channels == 3 ? c : 0]);
        }
    }
    return picture;
}
