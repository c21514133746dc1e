/* steps_scores.c: step 1: scaled dot-product attention by hand, forward and
 * backward, in plain loops over doubles. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maths.h"
#include "memory.h"
#include "self_attention.h"

/* Everything between Q, K, V and the output, and its gradient. */
typedef struct {
    double *scores, *scaled, *weights; /* [n, m] */
    double *output;                    /* [n, e] */
    double *d_weights, *d_scores;      /* [n, m]: dL/dweights, dL/dscores (before scaling) */
    double *d_q, *d_k, *d_v;
    double loss;
} ByHand;

static double *numbers(int rows, int columns)
{
    return memory_new((size_t)rows * columns, sizeof(double), "attention by hand");
}

static ByHand by_hand_new(const Qkv *in)
{
    return (ByHand){.scores = numbers(in->n, in->m),
                    .scaled = numbers(in->n, in->m),
                    .weights = numbers(in->n, in->m),
                    .output = numbers(in->n, in->e),
                    .d_weights = numbers(in->n, in->m),
                    .d_scores = numbers(in->n, in->m),
                    .d_q = numbers(in->n, in->d),
                    .d_k = numbers(in->m, in->d),
                    .d_v = numbers(in->m, in->e)};
}

static void by_hand_free(ByHand *h)
{
    double *all[] = {h->scores, h->scaled, h->weights, h->output, h->d_weights, h->d_scores, h->d_q, h->d_k, h->d_v};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

/* A copy as reals, for traces and figures; free() it. */
static real *reals(const double *numbers, int rows, int columns)
{
    real *copy = memory_new((size_t)rows * columns, sizeof *copy, "a matrix to show");
    for (size_t i = 0; i < (size_t)rows * columns; i++)
        copy[i] = (real)numbers[i];
    return copy;
}

static void show(Lab *lab, Where where, const char *name, const double *numbers, int rows, int columns,
                 const char *const *row_names, const char *const *column_names)
{
    real *copy = reals(numbers, rows, columns);
    trace_matrix(lab->trace, where, name, copy, rows, columns, row_names, column_names, 4);
    free(copy);
}

/* "(0.31)(-0.20) + ...", at most eight terms, four in a line. */
static void show_products(Lab *lab, const double *a, const double *b, int n, int b_stride)
{
    for (int i = 0; i < n && i < 8; i++)
        trace(lab->trace, "%s(%.2f)(%.2f)", i == 4 ? "\n        + " : i ? " + " : "", a[i], b[(size_t)i * b_stride]);
    trace(lab->trace, "%s", n > 8 ? " + ..." : "");
}

/* ---- forward ------------------------------------------------------------------ */

static void show_scores(Lab *lab, const Qkv *in, ByHand *h)
{
    const int n = in->n, m = in->m, d = in->d;
    trace_equation(lab->trace, HERE, "1. scores: S = Q K^T, how well each query fits each key");
    for (int t = 0; t < n; t++)
        for (int s = 0; s < m; s++)
            for (int i = 0; i < d; i++)
                h->scores[t * m + s] += in->q[t * d + i] * in->k[s * d + i];
    trace(lab->trace, "    %s . %s = ", in->query_name[0], in->key_name[0]);
    show_products(lab, in->q, in->k, d, 1);
    trace(lab->trace, " = %.4f\n", h->scores[0]);
    show(lab, HERE, "S", h->scores, n, m, in->query_name, in->key_name);
}

static void show_scaled(Lab *lab, const Qkv *in, ByHand *h)
{
    const int n = in->n, m = in->m;
    double root = sqrt(in->d);
    trace_equation(lab->trace, HERE, "2. scaled by sqrt(d_k) = sqrt(%d) = %.4f (why: step 2)", in->d, root);
    for (int i = 0; i < n * m; i++)
        h->scaled[i] = h->scores[i] / root;
    show(lab, HERE, "S / sqrt(d_k)", h->scaled, n, m, in->query_name, in->key_name);
}

static void show_weights(Lab *lab, const Qkv *in, ByHand *h)
{
    const int n = in->n, m = in->m;
    double first_sum = 0;
    trace_equation(lab->trace, HERE, "3. softmax over each row: A_ts = exp(S_ts) / sum_s' exp(S_ts')");
    for (int t = 0; t < n; t++) {
        double most = -INFINITY, sum = 0, *row = h->weights + (size_t)t * m;
        for (int s = 0; s < m; s++)
            most = fmax(most, h->scaled[t * m + s]);
        for (int s = 0; s < m; s++)
            sum += row[s] = exp64(h->scaled[t * m + s] - most); /* the same quotient, and nothing overflows */
        for (int s = 0; s < m; s++)
            row[s] /= sum;
        if (t == 0)
            first_sum = sum * exp64(most);
    }
    if (first_sum < 1e6) {
        trace(lab->trace, "    row of %s: exp gives", in->query_name[0]);
        for (int s = 0; s < m && s < 8; s++)
            trace(lab->trace, " %.4f", exp64(h->scaled[s]));
        trace(lab->trace, "%s, in all %.4f\n", m > 8 ? " ..." : "", first_sum);
    }
    show(lab, HERE, "A", h->weights, n, m, in->query_name, in->key_name);
}

static void show_output(Lab *lab, const Qkv *in, ByHand *h)
{
    const int n = in->n, m = in->m, e = in->e;
    trace_equation(lab->trace, HERE, "4. output: O = A V, each row a weighted sum of the values");
    for (int t = 0; t < n; t++)
        for (int s = 0; s < m; s++)
            for (int i = 0; i < e; i++)
                h->output[t * e + i] += h->weights[t * m + s] * in->v[s * e + i];
    trace(lab->trace, "    first number of %s: ", in->query_name[0]);
    show_products(lab, h->weights, in->v, m, e);
    trace(lab->trace, " = %.4f\n", h->output[0]);
    show(lab, HERE, "O", h->output, n, e, in->query_name, NULL);
}

/* ---- backward ----------------------------------------------------------------- */

static void backward_weights(Lab *lab, const Qkv *in, ByHand *h)
{
    const int n = in->n, m = in->m, e = in->e;
    trace_equation(lab->trace, HERE, "L = sum O^2 / 2, so dL/dO = O");
    for (int i = 0; i < n * e; i++)
        h->loss += h->output[i] * h->output[i] / 2;
    trace(lab->trace, "    L = %.4f\n", h->loss);
    trace_equation(lab->trace, HERE, "dL/dV = A^T dL/dO       dL/dA = dL/dO V^T");
    for (int t = 0; t < n; t++)
        for (int s = 0; s < m; s++)
            for (int i = 0; i < e; i++) {
                h->d_v[s * e + i] += h->weights[t * m + s] * h->output[t * e + i];
                h->d_weights[t * m + s] += h->output[t * e + i] * in->v[s * e + i];
            }
    show(lab, HERE, "dL/dV", h->d_v, m, e, in->key_name, NULL);
    show(lab, HERE, "dL/dA", h->d_weights, n, m, in->query_name, in->key_name);
}

static void backward_scores(Lab *lab, const Qkv *in, ByHand *h)
{
    const int n = in->n, m = in->m, d = in->d;
    double root = sqrt(d);
    trace_equation(lab->trace, HERE, "dL/dS_ts = A_ts (dL/dA_ts - sum_s' A_ts' dL/dA_ts') / sqrt(d_k)");
    for (int t = 0; t < n; t++) {
        double mean = 0;
        for (int s = 0; s < m; s++)
            mean += h->weights[t * m + s] * h->d_weights[t * m + s];
        for (int s = 0; s < m; s++)
            h->d_scores[t * m + s] = h->weights[t * m + s] * (h->d_weights[t * m + s] - mean) / root;
    }
    show(lab, HERE, "dL/dS", h->d_scores, n, m, in->query_name, in->key_name);
    trace_equation(lab->trace, HERE, "dL/dQ = dL/dS K       dL/dK = (dL/dS)^T Q");
    for (int t = 0; t < n; t++)
        for (int s = 0; s < m; s++)
            for (int i = 0; i < d; i++) {
                h->d_q[t * d + i] += h->d_scores[t * m + s] * in->k[s * d + i];
                h->d_k[s * d + i] += h->d_scores[t * m + s] * in->q[t * d + i];
            }
    show(lab, HERE, "dL/dQ", h->d_q, n, d, in->query_name, NULL);
    show(lab, HERE, "dL/dK", h->d_k, m, d, in->key_name, NULL);
}

/* ---- the sentence as matrices ----------------------------------------------------- */

static double *project(const Tensor *x, const Tensor *weight)
{
    int n = x->shape.dim[0], d = x->shape.dim[1];
    double *y = numbers(n, d);
    for (int t = 0; t < n; t++)
        for (int i = 0; i < d; i++)
            for (int j = 0; j < d; j++)
                y[t * d + j] += (double)x->data[t * d + i] * (double)weight->data[i * d + j];
    return y;
}

/* Q = X W_Q, K = X W_K, V = X W_V for the words of the sentence. */
static Qkv project_sentence(Lab *lab, const SelfAttention *self)
{
    const Sentence *sentence = &self->sentence;
    const char *const *words = sentence_labels(sentence);
    const int n = sentence->n, d = self->d;
    Tape *tape = tape_new(1);
    Parameters *parameters = parameters_new();
    Attention layer = random_layer(parameters, lab, d, 1);
    Tensor *x = sentence_vectors(tape, lab, sentence, d);
    Qkv in = {.n = n, .m = n, .d = d, .e = d, .query_name = words, .key_name = words};

    trace(lab->trace, "In a library, a reader comes with a question (query), compares it with the index card of every\n"
                      "book (key), and takes something from each book (value): much from those whose card fits. In\n"
                      "self-attention every word is a reader and a book: it asks all words, itself included.\n\n"
                      "The vectors and projections here are random, drawn from the seed: equal words have equal\n"
                      "vectors, but nothing has been learned, so who looks at whom means nothing yet.\n\n");
    trace_left_out(lab, sentence);
    trace_matrix(lab->trace, HERE, "X: a row a word", x->data, n, d, words, NULL, 4);
    trace_equation(lab->trace, HERE, "Q = X W_Q   what the word asks for");
    in.q = project(x, layer.query.weight);
    show(lab, HERE, "Q", in.q, n, d, words, NULL);
    trace_equation(lab->trace, HERE, "K = X W_K   what the word answers to");
    in.k = project(x, layer.key.weight);
    show(lab, HERE, "K", in.k, n, d, words, NULL);
    trace_equation(lab->trace, HERE, "V = X W_V   what the word hands over");
    in.v = project(x, layer.value.weight);
    show(lab, HERE, "V", in.v, n, d, words, NULL);
    tape_free(tape);
    parameters_free(parameters);
    return in;
}

static void show_given(Lab *lab, const Qkv *in)
{
    trace(lab->trace, "Q, K and V are those of the file: %d queries, %d keys with their values.\n\n", in->n, in->m);
    show(lab, HERE, "Q", in->q, in->n, in->d, in->query_name, NULL);
    show(lab, HERE, "K", in->k, in->m, in->d, in->key_name, NULL);
    show(lab, HERE, "V", in->v, in->m, in->e, in->key_name, NULL);
}

/* ---- figure and claims ------------------------------------------------------------- */

static void draw(Lab *lab, const SelfAttention *self, const Qkv *in, const ByHand *h)
{
    real *weights = reals(h->weights, in->n, in->m), *output = reals(h->output, in->n, in->e);
    Figure *figure =
        figure_begin(lab->figures, "attention_weights",
                     self->qkv ? "Attention weights of the given Q, K, V" : "Who looks at whom (nothing learned yet)");
    enlarge(figure, in->n, in->m);
    Panel *panel = figure_panel(figure, self->qkv ? "weights" : NULL, "looked at (key)", "looking (query)");
    panel_heatmap(panel, weights, in->n, in->m, in->query_name, in->key_name, weight_colours(in->m));
    if (self->qkv)
        panel_heatmap(figure_panel(figure, "output", "number of the value", NULL), output, in->n, in->e, in->query_name,
                      NULL, SIGNED);
    figure_end(figure);
    free(weights);
    free(output);
}

/* How far O leaves the range of V, column by column: a weighted mean cannot. */
static double outside_values(const Qkv *in, const ByHand *h)
{
    double worst = 0;
    for (int i = 0; i < in->e; i++) {
        double low = INFINITY, high = -INFINITY;
        for (int s = 0; s < in->m; s++) {
            low = fmin(low, in->v[s * in->e + i]);
            high = fmax(high, in->v[s * in->e + i]);
        }
        for (int t = 0; t < in->n; t++)
            worst = fmax(worst, fmax(low - h->output[t * in->e + i], h->output[t * in->e + i] - high));
    }
    return worst;
}

static double largest_of(const double *numbers, int n)
{
    double largest = 0;
    for (int i = 0; i < n; i++)
        largest = fmax(largest, fabs(numbers[i]));
    return largest;
}

/* The largest difference, as a part of SIZE. */
static double relative_difference(const double *a, const real *b, int n, double size)
{
    double worst = 0;
    for (int i = 0; i < n; i++)
        worst = fmax(worst, fabs(a[i] - (double)b[i]));
    return size > 0 ? worst / size : worst;
}

static Tensor *variable(Tape *tape, const char *name, const double *numbers, int rows, int columns)
{
    Tensor *tensor = tape_variable(tape, name, SHAPE(rows, columns), NULL);
    for (size_t i = 0; i < tensor->size; i++)
        tensor->data[i] = (real)numbers[i];
    return tensor;
}

/* The same by the library's layer and its tape, in floats: a score of size s has
 * an error of about s times a float's precision, and the weights have it next. */
static void compare_with_layer(Lab *lab, const Qkv *in, const ByHand *h)
{
    Tape *tape = tape_new(1);
    Tensor *q = variable(tape, "Q", in->q, in->n, in->d), *k = variable(tape, "K", in->k, in->m, in->d);
    Tensor *v = variable(tape, "V", in->v, in->m, in->e), *weights = NULL;
    Tensor *o = scaled_dot_product_attention(tape, q, k, v, NULL, &weights);
    tape_backward(tape, op_scale(tape, op_sum(tape, op_multiply(tape, o, o)), (real)0.5));
    int n = in->n, m = in->m, d = in->d, e = in->e;
    double forward = fmax(relative_difference(h->weights, weights->data, n * m, 1),
                          relative_difference(h->output, o->data, n * e, largest_of(in->v, m * e)));
    double slopes = largest_of(h->d_weights, n * m) / sqrt(d); /* what reaches the scores at most */
    double backward = fmax(fmax(relative_difference(h->d_q, q->grad, n * d, slopes * largest_of(in->k, m * d)),
                                relative_difference(h->d_k, k->grad, m * d, slopes * largest_of(in->q, n * d))),
                           relative_difference(h->d_v, v->grad, m * e, largest_of(h->output, n * e)));
    const char *skipped = largest_of(h->scaled, n * m) > 10 ? "scores above 10 lose digits in floats" : NULL;
    tape_free(tape);
    trace(lab->trace,
          "\nThe library's layer computes the same in floats; it differs by %.0e, its gradients by %.0e (relative).\n",
          forward, backward);
    claim(lab->claims, (Claim){.id = "by-hand-is-the-layer",
                               .statement = "the loops above and the library's layer give the same weights and output",
                               .source = "Vaswani 2017, eq. 1",
                               .measured = forward,
                               .test = AT_MOST,
                               .bound = 1e-5,
                               .skipped = skipped});
    claim(lab->claims, (Claim){.id = "gradient-by-hand",
                               .statement = "the gradients by hand and those of the tape are the same",
                               .source = "chain rule through eq. 1 of Vaswani 2017",
                               .measured = backward,
                               .test = AT_MOST,
                               .bound = 1e-5,
                               .skipped = skipped});
}

void step_scores(Lab *lab, void *state)
{
    SelfAttention *self = state;
    Qkv in;
    if (self->qkv)
        show_given(lab, self->qkv);
    in = self->qkv ? *self->qkv : project_sentence(lab, self);
    ByHand h = by_hand_new(&in);
    trace(lab->trace, "\nForward: Attention(Q, K, V) = softmax(Q K^T / sqrt(d_k)) V\n\n");
    show_scores(lab, &in, &h);
    show_scaled(lab, &in, &h);
    show_weights(lab, &in, &h);
    show_output(lab, &in, &h);
    trace(lab->trace, "\nBackward: which way should every number move to make the output smaller?\n\n");
    backward_weights(lab, &in, &h);
    backward_scores(lab, &in, &h);
    compare_with_layer(lab, &in, &h);
    draw(lab, self, &in, &h);

    real *weights = reals(h.weights, in.n, in.m);
    claim(lab->claims, (Claim){.id = "rows-sum-to-one",
                               .statement = "the weights of every query sum to 1",
                               .source = "lecture; Vaswani 2017, section 3.2.1",
                               .measured = worst_row_sum(weights, in.n, in.m),
                               .test = AT_MOST,
                               .bound = 1e-6});
    claim(lab->claims, (Claim){.id = "output-is-a-mean",
                               .statement = "no output leaves the range of the values: attention only ever mixes",
                               .source = "lecture: a weighted sum of the values",
                               .measured = outside_values(&in, &h) / fmax(1, largest_of(in.v, in.m * in.e)),
                               .test = AT_MOST,
                               .bound = 1e-9});
    free(weights);
    by_hand_free(&h);
    if (!self->qkv) {
        free(in.q);
        free(in.k);
        free(in.v);
    }
}
