// Classification by support vectors: every pair of classes has a decision function and votes; with prob_a and
// prob_b the decisions become probabilities, coupled over all pairs (Wu, Lin and Weng 2004, as in libsvm).
// Without support vectors, a linear score a class. https://onnx.ai/onnx/operators/onnx_aionnxml_SVMClassifier.html
#pragma once

#include "coffer/ops/family/ml_svm.hpp"

namespace coffer::ops::ml {

struct SVMClassifier {
    static constexpr AttrSpec kAttrs[] = {AttrSpec::optional("classlabels_ints", AttrSpec::kInts),
                                          AttrSpec::optional("classlabels_strings", AttrSpec::kStrings),
                                          AttrSpec::optional("coefficients", AttrSpec::kFloats),
                                          AttrSpec::optional("kernel_params", AttrSpec::kFloats),
                                          AttrSpec::s("kernel_type", "LINEAR"),
                                          AttrSpec::s("post_transform", "NONE"),
                                          AttrSpec::optional("prob_a", AttrSpec::kFloats),
                                          AttrSpec::optional("prob_b", AttrSpec::kFloats),
                                          AttrSpec::optional("rho", AttrSpec::kFloats),
                                          AttrSpec::optional("support_vectors", AttrSpec::kFloats),
                                          AttrSpec::optional("vectors_per_class", AttrSpec::kInts)};
    static constexpr Facts facts{.domain = "ai.onnx.ml",
                                 .name = "SVMClassifier",
                                 .since = 1,
                                 .min_inputs = 1,
                                 .max_inputs = 1,
                                 .min_outputs = 1,
                                 .max_outputs = 2,
                                 .attrs = kAttrs};

    static Status infer(InferContext& c) {
        Rows rows;
        Labels labels;
        SvmKernel kernel;
        COFFER_TRY(number_rows(c, &rows));
        COFFER_TRY(check_post_transform(c));
        COFFER_TRY(svm_kernel(c, &kernel));
        COFFER_TRY(labels_of(c, "classlabels_ints", "classlabels_strings", &labels));
        Model m;
        COFFER_TRY(model(c, rows, labels, &m));
        c.set(0, labels.dtype(), Shape{rows.count});
        c.set(1, DType::kFloat, Shape{rows.count, static_cast<int64_t>(m.columns)});
        return {};
    }

    static Status reference(RunContext& c) {
        Rows rows;
        Labels labels;
        SvmKernel kernel;
        Model m;
        COFFER_TRY(rows_of(c, c.input(0).shape, &rows));
        COFFER_TRY(svm_kernel(c, &kernel));
        COFFER_TRY(labels_of(c, "classlabels_ints", "classlabels_strings", &labels));
        COFFER_TRY(model(c, rows, labels, &m));
        // Kernel values, decisions, votes (or linear scores), probabilities, and the pairwise ones.
        const size_t doubles = m.vectors + m.pairs + 2 * m.classes + 3 * m.classes * m.classes;
        size_t bytes;
        if (!checked_mul(doubles, sizeof(double), &bytes)) return c.fail(m.vectors, " support vectors");
        COFFER_TRY_ASSIGN(std::byte * memory, c.scratch(bytes));
        Row r{reinterpret_cast<double*>(memory)};
        r.decisions = r.kernel + m.vectors;
        r.votes = r.decisions + m.pairs;
        r.probabilities = r.votes + m.classes;
        r.pairwise = r.probabilities + m.classes;
        for (int64_t i = 0; i < rows.count; ++i) {
            if (m.vectors > 0)
                decide(c, m, kernel, i * rows.width, r);
            else
                linear(c, m, kernel, i * rows.width, r);
            const size_t label = best_score(m.probable ? r.probabilities : r.votes, m.classes);
            store_row(c, m, labels, i, label, r);
        }
        return {};
    }

 private:
    struct Model {
        size_t width = 0, classes = 0, vectors = 0, pairs = 0, columns = 0;
        bool probable = false;
    };
    struct Row {
        double* kernel = nullptr;
        double* decisions = nullptr;  // one a pair of classes
        double* votes = nullptr;
        double* probabilities = nullptr;
        double* pairwise = nullptr;  // classes x classes, then the coupling's matrix and vectors
    };

    static Status model(const NodeContext& c, const Rows& rows, const Labels& labels, Model* m) {
        const auto per_class = c.attr_ints("vectors_per_class");
        const size_t coefficients = c.attr_floats("coefficients").size(), rho = c.attr_floats("rho").size();
        const size_t prob_a = c.attr_floats("prob_a").size(), prob_b = c.attr_floats("prob_b").size();
        m->width = static_cast<size_t>(rows.width);
        m->classes = labels.size();
        if (m->classes < 1 || m->classes > 65536) return c.fail(m->classes, " class labels");
        if (per_class.empty()) {
            size_t want;
            if (!checked_mul(m->classes, m->width, &want) || coefficients != want || rho < 1) {
                return c.fail(coefficients, " coefficients and ", rho, " rho for ", m->classes, " classes of ",
                              m->width, " features");
            }
            m->columns = m->classes;
            return {};
        }
        if (per_class.size() != m->classes) {
            return c.fail("vectors_per_class has ", per_class.size(), " values for ", m->classes, " labels");
        }
        for (int64_t n : per_class) {
            if (n < 0 || !checked_add(m->vectors, static_cast<size_t>(n), &m->vectors))
                return c.fail("vectors_per_class has ", n);
        }
        if (m->vectors == 0) return c.fail("vectors_per_class is all zero");
        // With a pair, a vector has coefficients, so that there are no more vectors than the file has numbers.
        if (m->classes < 2) return c.fail("vectors_per_class for ", m->classes, " class");
        m->pairs = m->classes * (m->classes - 1) / 2;
        m->probable = prob_a > 0;
        COFFER_TRY(check_support_vectors(c, m->vectors, rows.width));
        size_t want;
        if (!checked_mul(m->vectors, m->classes - 1, &want) || coefficients != want || rho != m->pairs ||
            (m->probable && (prob_a != m->pairs || prob_b != m->pairs))) {
            return c.fail(coefficients, " coefficients, ", rho, " rho, ", prob_a, " prob_a and ", prob_b,
                          " prob_b for ", m->vectors, " vectors of ", m->classes, " classes");
        }
        m->columns = m->probable || m->classes == 2 ? m->classes : m->pairs;
        return {};
    }

    static void linear(RunContext& c, const Model& m, const SvmKernel& kernel, int64_t row, const Row& r) {
        for (size_t k = 0; k < m.classes; ++k) {
            r.votes[k] = kernel(c.input(0), row, c.attr_floats("coefficients").subspan(k * m.width, m.width)) +
                         c.attr_floats("rho")[0];
        }
    }

    static void decide(RunContext& c, const Model& m, const SvmKernel& kernel, int64_t row, const Row& r) {
        const auto vectors = c.attr_floats("support_vectors"), coefficients = c.attr_floats("coefficients");
        const auto per_class = c.attr_ints("vectors_per_class");
        for (size_t k = 0; k < m.vectors; ++k)
            r.kernel[k] = kernel(c.input(0), row, vectors.subspan(k * m.width, m.width));
        std::fill_n(r.votes, m.classes, 0.0);
        size_t pair = 0, first_i = 0;
        for (size_t i = 0; i < m.classes; ++i) {
            const auto count_i = static_cast<size_t>(per_class[i]);
            size_t first_j = first_i + count_i;
            for (size_t j = i + 1; j < m.classes; ++j, ++pair) {
                const auto count_j = static_cast<size_t>(per_class[j]);
                double sum = c.attr_floats("rho")[pair];
                for (size_t k = 0; k < count_i; ++k) {
                    sum += coefficients[(j - 1) * m.vectors + first_i + k] * r.kernel[first_i + k];
                }
                for (size_t k = 0; k < count_j; ++k) {
                    sum += coefficients[i * m.vectors + first_j + k] * r.kernel[first_j + k];
                }
                r.decisions[pair] = sum;
                r.votes[sum > 0 ? i : j] += 1;
                first_j += count_j;
            }
            first_i += count_i;
        }
        if (m.probable) couple(c, m, r);
    }

    // Class probabilities from those of the pairs, by the fixed-point iteration of the paper.
    static void couple(RunContext& c, const Model& m, const Row& r) {
        const size_t n = m.classes;
        const auto pr = [&](size_t i, size_t j) -> double& { return r.pairwise[i * n + j]; };
        double *const q = r.pairwise + n * n, *const qp = q + n * n;
        size_t pair = 0;
        for (size_t i = 0; i < n; ++i) {
            pr(i, i) = 0;
            for (size_t j = i + 1; j < n; ++j, ++pair) {
                const double x = r.decisions[pair] * c.attr_floats("prob_a")[pair] + c.attr_floats("prob_b")[pair];
                const double p = x < 0 ? 1 / (1 + std::exp(x)) : std::exp(-x) / (1 + std::exp(-x));
                pr(i, j) = std::min(std::max(p, 1e-7), 1 - 1e-7);
                pr(j, i) = 1 - pr(i, j);
            }
        }
        double* const p = r.probabilities;
        for (size_t t = 0; t < n; ++t) {
            p[t] = 1.0 / static_cast<double>(n);
            q[t * n + t] = 0;
            for (size_t j = 0; j < n; ++j) {
                if (j == t) continue;
                q[t * n + t] += pr(j, t) * pr(j, t);
                q[t * n + j] = -pr(j, t) * pr(t, j);
            }
        }
        const double small = 0.005 / static_cast<double>(n);
        for (size_t round = 0; round < std::max<size_t>(100, n); ++round) {
            double pqp = 0, worst = 0;
            for (size_t t = 0; t < n; ++t) {
                qp[t] = 0;
                for (size_t j = 0; j < n; ++j) qp[t] += q[t * n + j] * p[j];
                pqp += p[t] * qp[t];
            }
            for (size_t t = 0; t < n; ++t) worst = std::max(worst, std::fabs(qp[t] - pqp));
            if (worst < small) break;
            for (size_t t = 0; t < n; ++t) {
                const double diff = (pqp - qp[t]) / q[t * n + t];
                p[t] += diff;
                pqp = (pqp + diff * (diff * q[t * n + t] + 2 * qp[t])) / (1 + diff) / (1 + diff);
                for (size_t j = 0; j < n; ++j) {
                    qp[j] = (qp[j] + diff * q[t * n + j]) / (1 + diff);
                    p[j] /= 1 + diff;
                }
            }
        }
    }

    static void store_row(RunContext& c, const Model& m, const Labels& labels, int64_t row, size_t label,
                          const Row& r) {
        const bool pair = m.vectors > 0 && !m.probable && m.classes == 2;
        // One decision between two classes: positive coefficients alone make it a probability.
        const auto coefficients = c.attr_floats("coefficients");
        const bool positive = std::ranges::all_of(coefficients, [](float x) { return x >= 0; });
        if (pair) label = r.decisions[0] > (positive ? 0.5 : 0) ? 1 : label;
        if (c.has_output(0)) labels.store(c.output(0), row, label);
        if (!c.has_output(1)) return;
        double* const scores = m.vectors == 0 ? r.votes : m.probable ? r.probabilities : r.decisions;
        const PostTransform t = post_transform_of(c);
        const SecondColumn second = !pair                       ? SecondColumn::kNone
                                    : t == PostTransform::kNone ? SecondColumn::kNegated
                                                                : SecondColumn::kComplement;
        store_scores(c.output(1), row * static_cast<int64_t>(m.columns), t, second, scores,
                     pair ? 1 : static_cast<int64_t>(m.columns));
    }
};

}  // namespace coffer::ops::ml
