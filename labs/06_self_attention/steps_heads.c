/* steps_heads.c: step 4: every component of self-attention side by side, and the
 * same with several heads. */
#include <math.h>
#include <stdio.h>

#include "maths.h"
#include "measure.h"
#include "self_attention.h"

/* ---- X, Q, K, V, scores, weights, output --------------------------------------------- */

static void components(Lab *lab, const SelfAttention *self, const Attention *layer)
{
    const Sentence *sentence = &self->sentence;
    const char *const *words = sentence_labels(sentence);
    int n = sentence->n, d = self->d;
    char shape[SHAPE_TEXT];
    Tape *tape = tape_new(1);
    Tensor *x = sentence_vectors(tape, lab, sentence, d);
    Tensor *q = tensor_named("Q = X W_Q", op_matmul(tape, x, layer->query.weight));
    Tensor *k = tensor_named("K = X W_K", op_matmul(tape, x, layer->key.weight));
    Tensor *v = tensor_named("V = X W_V", op_matmul(tape, x, layer->value.weight));
    Tensor *s = op_scale(tape, op_matmul_transposed(tape, q, k), 1 / m_sqrt((real)d));
    Tensor *a = tensor_named("A = softmax(S)", op_softmax(tape, tensor_named("S = Q K^T / sqrt(d)", s), NULL));
    Tensor *o = tensor_named("O = A V", op_matmul(tape, a, v));

    const Tensor *all[] = {x, q, k, v, s, a, o};
    Figure *figure = figure_begin(lab->figures, "self_attention_components", "Self-attention, component by component");
    if (n <= 12)
        figure_layout(figure, 3, n <= 4 ? 550 : 720, 110 + 46 * n);
    else
        figure_layout(figure, 4, 0, 0);
    trace(lab->trace, "Every tensor on the way, n = %d words, d = %d numbers a word:\n\n", n, d);
    for (int i = 0; i < 7; i++) {
        bool square = all[i] == s || all[i] == a;
        trace_equation(lab->trace, all[i]->where, "%-20s %s", all[i]->name, shape_text(all[i]->shape, shape));
        panel_heatmap(figure_panel(figure, all[i]->name, NULL, NULL), all[i]->data, n, square ? n : d, words,
                      square ? words : NULL, all[i] == a ? weight_colours(n) : SIGNED);
    }
    figure_end(figure);
    tape_free(tape);
}

/* ---- several heads ------------------------------------------------------------------- */

/* Jensen-Shannon divergence in bits, averaged over rows and pairs of heads: 0 if
 * all heads look at the same, at most 1. */
static double diversity(Tensor *const *weights, int heads, int rows, int columns)
{
    double sum = 0;
    int pairs = 0;
    for (int a = 0; a < heads; a++)
        for (int b = 0; b < a; b++)
            for (int r = 0; r < rows; r++, pairs++)
                for (int c = 0; c < columns; c++) {
                    double p = (double)weights[a]->data[r * columns + c], q = (double)weights[b]->data[r * columns + c];
                    double mean = (p + q) / 2;
                    sum += p > 0 ? p / 2 * log64(p / mean) : 0;
                    sum += q > 0 ? q / 2 * log64(q / mean) : 0;
                }
    return pairs ? sum / pairs / log64(2) : 0;
}

static void trace_heads(Lab *lab, const SelfAttention *self, Tensor *const *weights)
{
    const char *const *words = sentence_labels(&self->sentence);
    int n = self->sentence.n;
    for (int i = 0; i < self->heads; i++) {
        char name[40];
        snprintf(name, sizeof name, "A of head %d", i + 1);
        trace_matrix(lab->trace, weights[i]->where, name, weights[i]->data, n, n, words, words, 4);
    }
}

static void draw_heads(Lab *lab, const SelfAttention *self, Tensor *const *weights)
{
    const char *const *words = sentence_labels(&self->sentence);
    int n = self->sentence.n;
    Figure *figure = figure_begin(lab->figures, "multi_head_attention", "Each head looks for itself");
    for (int i = 0; i < self->heads; i++) {
        char title[40];
        snprintf(title, sizeof title, "head %d", i + 1);
        panel_heatmap(figure_panel(figure, title, NULL, NULL), weights[i]->data, n, n, words, words, weight_colours(n));
    }
    figure_end(figure);
}

/* The same layer twice: head after head here, and the fast one of transformer.h. */
typedef struct {
    Tensor *x, *y;
    Parameters *parameters;
} Run;

static Run run(Tape *tape, const Lab *lab, const SelfAttention *self, int heads, bool fast, Tensor **weights)
{
    Run r = {.parameters = parameters_new()};
    Attention layer = random_layer(r.parameters, lab, self->d, heads);
    r.x = sentence_vectors(tape, lab, &self->sentence, self->d);
    int n = self->sentence.n, d = self->d;
    if (fast) {
        Tensor *batch = op_reshape(tape, r.x, SHAPE(1, n, d));
        r.y = op_reshape(tape, attention(tape, &layer, batch, batch, NULL, NULL), SHAPE(n, d));
    } else {
        r.y = multi_head(tape, &layer, r.x, r.x, NULL, weights);
    }
    tape_backward(tape, op_scale(tape, op_sum(tape, op_multiply(tape, r.y, r.y)), (real)0.5));
    return r;
}

static double gradients_differ(const Run *a, const Run *b)
{
    double worst = largest_difference(a->x->grad, b->x->grad, a->x->size);
    for (int p = 0; p < a->parameters->n; p++) {
        const Tensor *one = a->parameters->tensor[p], *other = b->parameters->tensor[p];
        worst = fmax(worst, largest_difference(one->grad, other->grad, one->size));
    }
    return worst;
}

static double largest_gradient(const Run *r)
{
    double largest = 0;
    for (size_t i = 0; i < r->x->size; i++)
        largest = fmax(largest, fabs((double)r->x->grad[i]));
    return fmax(largest, 1);
}

static void heads(Lab *lab, const SelfAttention *self)
{
    int n = self->sentence.n, d = self->d, h = self->heads, d_k = d / h;
    Tensor *weights[16];
    Tape *slow = tape_new(1), *quick = tape_new(1), *single = tape_new(1);
    trace(lab->trace,
          "\nSeveral heads: Q, K and V are cut into %d slices of %d columns. Each head looks for itself, the\n"
          "outputs stand side by side again, and W_O mixes them.\n\n",
          h, d_k);
    Run by_hand = run(slow, lab, self, h, false, weights), fast = run(quick, lab, self, h, true, NULL);
    Run one = run(single, lab, self, 1, true, NULL);
    trace(lab->trace, "    Q, K, V [%d, %d]  ->  %d x [%d, %d]  ->  %d x A [%d, %d]  ->  %d x A V [%d, %d]\n", n, d, h,
          n, d_k, h, n, n, h, n, d_k);
    trace(lab->trace, "    ->  concatenated [%d, %d]  ->  times W_O [%d, %d]  ->  [%d, %d]\n\n", n, d, d, d, n, d);
    trace_heads(lab, self, weights);
    double apart = diversity(weights, h, n, n);
    trace(lab->trace,
          "\nHow differently the heads look: Jensen-Shannon divergence %.3f bit (0: all the same, 1: nothing in\n"
          "common). The number of parameters does not depend on the number of heads: %zu with %d, %zu with 1.\n",
          apart, parameters_count(by_hand.parameters), h, parameters_count(one.parameters));
    draw_heads(lab, self, weights);

    claim(lab->claims, (Claim){.id = "multi-head-is-the-layer",
                               .statement = "multi-head attention from small operations and the library's fast layer "
                                            "give the same output",
                               .source = "Vaswani 2017, section 3.2.2",
                               .measured = largest_difference(by_hand.y->data, fast.y->data, by_hand.y->size),
                               .test = AT_MOST,
                               .bound = 1e-5});
    claim(lab->claims, (Claim){.id = "multi-head-gradients",
                               .statement = "and the same gradients, of the input and of all eight parameters",
                               .source = "Vaswani 2017, section 3.2.2",
                               .measured = gradients_differ(&by_hand, &fast) / largest_gradient(&fast),
                               .test = AT_MOST,
                               .bound = 1e-5});
    claim(lab->claims,
          (Claim){.id = "heads-cost-nothing",
                  .statement = "more heads do not mean more parameters: the difference to one head",
                  .source = "Vaswani 2017, section 3.2.2: the cost is that of one head of full width",
                  .measured = (double)parameters_count(by_hand.parameters) - (double)parameters_count(one.parameters),
                  .test = EQUALS,
                  .bound = 0});
    parameters_free(by_hand.parameters);
    parameters_free(fast.parameters);
    parameters_free(one.parameters);
    tape_free(slow);
    tape_free(quick);
    tape_free(single);
}

void step_heads(Lab *lab, void *state)
{
    SelfAttention *self = state;
    Parameters *parameters = parameters_new();
    Attention layer = random_layer(parameters, lab, self->d, 1);
    components(lab, self, &layer);
    heads(lab, self);
    parameters_free(parameters);
}
