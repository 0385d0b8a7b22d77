// From a map of probabilities that a pixel is text to boxes around words and lines (differentiable binarization): the
// smallest rectangle, at any angle, around each connected region, grown because the map shows only the core of the
// text.
#pragma once

#include <span>

#include "picture.hpp"

class TextMap {
 public:
    TextMap(std::span<const float> probabilities, int width, int height)
        : map_(probabilities), width_(width), height_(height) {}

    // In pixels of a picture of the given size, in reading order.
    std::vector<Box> boxes(int picture_width, int picture_height) const {
        const float fx = static_cast<float>(picture_width) / static_cast<float>(width_);
        const float fy = static_cast<float>(picture_height) / static_cast<float>(height_);
        std::vector<Box> found;
        std::vector<bool> seen(map_.size());
        for (int y = 0; y < height_; ++y) {
            for (int x = 0; x < width_; ++x) {
                if (seen[index(x, y)] || !is_text(x, y)) continue;
                Rectangle r = smallest_rectangle(hull(region(x, y, seen)));
                if (std::min(r.width, r.height) < kMinSide || score(r.box()) < kBoxThreshold) continue;
                const float grow = r.width * r.height * kGrow / (2 * (r.width + r.height));
                r.width += 2 * grow;
                r.height += 2 * grow;
                if (std::min(r.width, r.height) < kMinSide + 2) continue;
                Box box = r.box();
                for (Point& p : box) {
                    p.x = std::clamp(std::round(p.x * fx), 0.0f, static_cast<float>(picture_width - 1));
                    p.y = std::clamp(std::round(p.y * fy), 0.0f, static_cast<float>(picture_height - 1));
                }
                if (length(box[1] - box[0]) > 3 && length(box[3] - box[0]) > 3) found.push_back(box);
            }
        }
        sort(found);
        return found;
    }

 private:
    // As in the package.
    static constexpr float kThreshold = 0.3f, kBoxThreshold = 0.5f, kGrow = 1.6f, kMinSide = 3, kSameLine = 10;
    static constexpr float kInfinity = std::numeric_limits<float>::infinity();

    struct Rectangle {
        Point center, along{1, 0};  // along: of length one
        float width = 0, height = 0;

        // Its corner that is top left comes first.
        Box box() const {
            const Point u = 0.5f * width * along, v = 0.5f * height * Point{-along.y, along.x};
            Box corners{center - u - v, center + u - v, center + u + v, center - u + v};
            std::ranges::sort(corners, {}, &Point::x);
            if (corners[0].y > corners[1].y) std::swap(corners[0], corners[1]);
            if (corners[2].y > corners[3].y) std::swap(corners[2], corners[3]);
            return {corners[0], corners[2], corners[3], corners[1]};
        }
    };

    size_t index(int x, int y) const {
        return static_cast<size_t>(y) * static_cast<size_t>(width_) + static_cast<size_t>(x);
    }
    // With a neighbour above or to the left: small gaps close.
    bool is_text(int x, int y) const {
        for (int dy = 0; dy <= std::min(y, 1); ++dy) {
            for (int dx = 0; dx <= std::min(x, 1); ++dx) {
                if (map_[index(x - dx, y - dy)] > kThreshold) return true;
            }
        }
        return false;
    }

    // The pixels that hang together with this one.
    std::vector<Point> region(int x0, int y0, std::vector<bool>& seen) const {
        std::vector<std::pair<int, int>> open{{x0, y0}};
        std::vector<Point> points;
        seen[index(x0, y0)] = true;
        while (!open.empty()) {
            const auto [x, y] = open.back();
            open.pop_back();
            points.push_back({static_cast<float>(x), static_cast<float>(y)});
            for (int ny = std::max(y - 1, 0); ny <= std::min(y + 1, height_ - 1); ++ny) {
                for (int nx = std::max(x - 1, 0); nx <= std::min(x + 1, width_ - 1); ++nx) {
                    if (seen[index(nx, ny)] || !is_text(nx, ny)) continue;
                    seen[index(nx, ny)] = true;
                    open.emplace_back(nx, ny);
                }
            }
        }
        return points;
    }

    static float turn(Point a, Point b, Point c) { return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x); }
    static std::vector<Point> hull(std::vector<Point> points) {
        std::ranges::sort(points, [](Point a, Point b) { return a.x != b.x ? a.x < b.x : a.y < b.y; });
        std::vector<Point> result;
        for (int side = 0; side < 2; ++side) {
            const size_t start = result.size();
            for (const Point p : points) {
                while (result.size() >= start + 2 && turn(result[result.size() - 2], result.back(), p) <= 0)
                    result.pop_back();
                result.push_back(p);
            }
            result.pop_back();  // begins the other side
            std::ranges::reverse(points);
        }
        return result.empty() ? points : result;
    }
    // One of its sides lies on a side of the hull.
    static Rectangle smallest_rectangle(const std::vector<Point>& hull) {
        Rectangle best;
        float least = kInfinity;
        for (size_t i = 0; i < hull.size(); ++i) {
            const Point side = hull[(i + 1) % hull.size()] - hull[i];
            if (length(side) == 0) continue;
            const Point u = (1 / length(side)) * side, v{-u.y, u.x};
            Point low{kInfinity, kInfinity}, high{-kInfinity, -kInfinity};
            for (const Point p : hull) {
                const Point q{p.x * u.x + p.y * u.y, p.x * v.x + p.y * v.y};
                low = {std::min(low.x, q.x), std::min(low.y, q.y)};
                high = {std::max(high.x, q.x), std::max(high.y, q.y)};
            }
            const Point size = high - low, middle = 0.5f * (low + high);
            if (size.x * size.y >= least) continue;
            least = size.x * size.y;
            best = {middle.x * u + middle.y * v, u, size.x, size.y};
        }
        return best;
    }

    // The mean probability inside.
    float score(const Box& box) const {
        float sum = 0;
        int count = 0;
        const auto [left, right] = std::ranges::minmax({box[0].x, box[1].x, box[2].x, box[3].x});
        const auto [top, bottom] = std::ranges::minmax({box[0].y, box[1].y, box[2].y, box[3].y});
        const auto within = [](float v, int size) { return std::clamp(static_cast<int>(v), 0, size - 1); };
        for (int y = within(std::floor(top), height_); y <= within(std::ceil(bottom), height_); ++y) {
            for (int x = within(std::floor(left), width_); x <= within(std::ceil(right), width_); ++x) {
                const Point p{static_cast<float>(x), static_cast<float>(y)};
                bool inside = true;
                for (size_t i = 0; i < 4; ++i) inside = inside && turn(box[i], box[(i + 1) % 4], p) >= -0.5f;
                if (!inside) continue;
                sum += map_[index(x, y)];
                ++count;
            }
        }
        return count > 0 ? sum / static_cast<float>(count) : 0;
    }

    // Lines from above to below, in a line from left to right.
    static void sort(std::vector<Box>& boxes) {
        std::ranges::stable_sort(
            boxes, [](const Box& a, const Box& b) { return a[0].y != b[0].y ? a[0].y < b[0].y : a[0].x < b[0].x; });
        for (size_t i = 1; i < boxes.size(); ++i) {
            for (size_t j = i; j > 0; --j) {
                const bool swapped =
                    std::fabs(boxes[j][0].y - boxes[j - 1][0].y) < kSameLine && boxes[j][0].x < boxes[j - 1][0].x;
                if (!swapped) break;
                std::swap(boxes[j], boxes[j - 1]);
            }
        }
    }

    std::span<const float> map_;
    int width_, height_;
};
