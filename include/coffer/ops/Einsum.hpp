// Sums of products over labelled axes. https://onnx.ai/onnx/operators/onnx__Einsum.html
#pragma once

#include <cctype>

#include "coffer/ops/family/move.hpp"

namespace coffer::ops {

struct Einsum : MoveOp<Einsum> {
    static constexpr AttrSpec attrs[] = {AttrSpec::must("equation", AttrSpec::kString)};
    static constexpr Facts facts{.domain = "",
                                 .name = "Einsum",
                                 .since = 28,
                                 .min_inputs = 1,
                                 .max_inputs = kVariadic,
                                 .min_outputs = 1,
                                 .max_outputs = 1,
                                 .attrs = attrs,
                                 .atol = 1e-5,
                                 .rtol = 1e-4};

    static Status move(MoveContext& m) {
        const size_t count = m.node().input_count();
        const DType dtype = m.dtype(0);
        if (!is_integer(dtype) && !is_floating(dtype)) return m.fail("type ", dtype);
        if (count > kMaxTerms) return m.fail(count, " operands, over ", kMaxTerms);
        for (size_t i = 1; i < count; ++i) {
            if (!m.has_input(i)) return m.fail("input ", i, " is missing");
            if (m.dtype(i) != dtype) return m.fail("types differ: ", dtype, " and ", m.dtype(i));
        }
        Plan p;
        COFFER_TRY(p.parse(m, count));
        COFFER_TRY(m.output(0, dtype, p.to));
        int64_t products = 0;
        if (!checked_mul(p.to.elements(), p.sums, &products) || products > kMaxProducts)
            return m.node().unsupported(p.to.elements(), " sums of ", p.sums, " products are too many");
        if (!m.running()) return {};
        p.run(m, count);
        return {};
    }

 private:
    static constexpr size_t kMaxTerms = 16;
    static constexpr int kLabels = 52 + kMaxRank;  // letters, then the axes an ellipsis stands for, last one first
    static constexpr int kLoops = 32;
    // A few letters may ask for any number of products; so many take hours.
    static constexpr int64_t kMaxProducts = int64_t{1} << 40;

    struct Plan {
        int64_t dim[kLabels];
        Shape to;
        int loops = 0, free = 0;  // all loops; the first `free` are the axes of the output
        int64_t size[kLoops];
        int64_t sums = 1;  // products that make an element
        int64_t step[kMaxTerms][kLoops] = {};

        Status parse(MoveContext& m, size_t count) {
            const std::string_view all = m.node().attr_s("equation");
            std::string text;
            for (char ch : all) {
                if (ch != ' ') text += ch;
            }
            std::fill_n(dim, kLabels, -1);
            const size_t arrow = text.find("->");
            const std::string left = text.substr(0, arrow);
            int uses[kLabels] = {};
            struct Term {
                int label[kMaxRank];
                int rank = 0;
            } terms[kMaxTerms];
            size_t begin = 0;
            for (size_t i = 0; i < count; ++i) {
                const size_t end = std::min(left.find(',', begin), left.size());
                if (begin > left.size() || (end == left.size()) != (i + 1 == count))
                    return m.fail("'", all, "' for ", count, " operands");
                const Shape& shape = m.shape(i);
                Term& t = terms[i];
                COFFER_TRY(labels(m, left.substr(begin, end - begin), shape.rank(), t.label, &t.rank));
                if (t.rank != shape.rank()) return m.fail("term ", i, " of '", all, "' for shape ", shape);
                for (int a = 0; a < t.rank; ++a) {
                    int64_t& d = dim[t.label[a]];
                    ++uses[t.label[a]];
                    if (d >= 0 && d != shape[a] && d != 1 && shape[a] != 1)
                        return m.fail("'", all, "': an axis is ", d, " and ", shape[a]);
                    d = d < 0 || d == 1 ? shape[a] : d;
                }
                begin = end + 1;
            }
            int out[kMaxRank], rank = 0;
            if (arrow != std::string::npos) {
                int dots = 0;
                while (dots < kMaxRank && dim[52 + dots] >= 0) ++dots;
                const std::string right = text.substr(arrow + 2);
                int letters = 0;
                for (char ch : right) letters += ch != '.';
                COFFER_TRY(labels(m, right, letters + dots, out, &rank));
                for (int a = 0; a < rank; ++a) {
                    if (dim[out[a]] < 0) return m.fail("'", all, "': an output axis is in no operand");
                    for (int b = 0; b < a; ++b) {
                        if (out[a] == out[b]) return m.fail("'", all, "': an output axis is given twice");
                    }
                }
            } else {  // the ellipsis, then what appears once, in alphabetical order
                for (int k = kLabels - 1; k >= 52; --k) {
                    if (dim[k] >= 0 && rank < kMaxRank) out[rank++] = k;
                }
                for (int k = 0; k < 52; ++k) {
                    if (uses[k] != 1) continue;
                    if (rank == kMaxRank) return m.fail("'", all, "': the output rank is over ", kMaxRank);
                    out[rank++] = k;
                }
            }
            int where[kLabels];
            std::fill_n(where, kLabels, -1);
            const auto loop = [&](int label) {
                where[label] = loops;
                size[loops++] = dim[label];
            };
            for (int a = 0; a < rank; ++a) {
                to.push_back(dim[out[a]]);
                loop(out[a]);
            }
            free = loops;
            for (int k = 0; k < kLabels; ++k) {
                if (dim[k] < 0 || where[k] >= 0) continue;
                if (loops == kLoops) return m.fail("'", all, "' has more than ", kLoops, " axes");
                loop(k);
            }
            for (int k = free; k < loops; ++k) {
                if (!checked_mul(sums, size[k], &sums)) sums = INT64_MAX;  // a dim of 0 makes it 0 yet
            }
            for (size_t i = 0; i < count; ++i) {
                const Strides s = strides_of(m.shape(i));
                for (int a = 0; a < terms[i].rank; ++a) {
                    if (m.shape(i)[a] != 1) step[i][where[terms[i].label[a]]] += s[size_t(a)];
                }
            }
            return {};
        }

        static Status labels(MoveContext& m, std::string_view term, int rank, int* out, int* n) {
            int letters = 0;
            for (char ch : term) letters += ch != '.';
            bool dots = false;
            for (size_t k = 0; k < term.size(); ++k) {
                const auto ch = static_cast<unsigned char>(term[k]);
                if (term.substr(k, 3) == "..." && !dots) {
                    dots = true;
                    k += 2;
                    for (int left = rank - letters; left > 0; --left) {
                        if (*n == kMaxRank) return m.fail("term '", term, "' is too long");
                        out[(*n)++] = 52 + left - 1;
                    }
                    continue;
                }
                const bool upper = ch >= 'A' && ch <= 'Z', lower = ch >= 'a' && ch <= 'z';
                if ((!upper && !lower) || *n == kMaxRank) return m.fail("term '", term, "'");
                out[(*n)++] = upper ? ch - 'A' : ch - 'a' + 26;
            }
            return {};
        }

        void run(MoveContext& m, size_t count) const {
            const TensorView& dst = m.result(0);
            const bool whole = is_integer(dst.dtype);
            int64_t index[kLoops] = {};
            for (int64_t i = 0; i < dst.elements(); ++i) {
                double sum = 0;
                uint64_t bits = 0;
                for (int64_t s = 0; s < sums; ++s) {
                    double product = 1;
                    uint64_t whole_product = 1;
                    for (size_t t = 0; t < count; ++t) {
                        int64_t at = 0;
                        for (int k = 0; k < loops; ++k) at += index[k] * step[t][k];
                        if (whole) {
                            whole_product *= static_cast<uint64_t>(load_int(*m.value(t), at));
                        } else {
                            product *= load_double(*m.value(t), at);
                        }
                    }
                    sum += product;
                    bits += whole_product;
                    for (int k = loops - 1; k >= free && ++index[k] == size[k]; --k) index[k] = 0;
                }
                whole ? store_int(dst, i, static_cast<int64_t>(bits)) : store_double(dst, i, sum);
                for (int k = free - 1; k >= 0 && ++index[k] == size[k]; --k) index[k] = 0;
            }
        }
    };
};

}  // namespace coffer::ops
