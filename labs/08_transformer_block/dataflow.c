/* dataflow.c: step 1: one sentence through one block, tensor after tensor.
 *
 * Word vectors and weights are random: what is shown is what a block does to its
 * numbers, not what a language means. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maths.h"
#include "memory.h"
#include "text.h"
#include "transformer_block.h"

enum { WIDTH = 8, HEADS = 2, INNER = 4 * WIDTH, MOST_WORDS = 24, BLOCKS = 6 };

void sentence_check(const char *text)
{
    int n;
    free(text_split(text, "--sentence", &n));
    if (n < 1 || n > MOST_WORDS)
        die_usage("--sentence: a sentence of 1 to %d words is needed, this one has %d", MOST_WORDS, n);
}

/* A vector of WIDTH normal numbers for each word, drawn from the word and the seed. */
static Tensor *word_vectors(Tape *tape, const Lab *lab, char **words, int n)
{
    char purpose[300];
    Tensor *x = tape_variable(tape, "words", SHAPE(1, n, WIDTH), NULL);
    for (int t = 0; t < n; t++) {
        snprintf(purpose, sizeof purpose, "word %s", words[t]);
        Rng rng = lab_rng(lab, purpose);
        for (int i = 0; i < WIDTH; i++)
            x->data[t * WIDTH + i] = rng_normal(&rng);
    }
    return x;
}

/* ---- mean and variance ---------------------------------------------------------- */

static void row_moments(const real *row, int d, double *mean, double *variance)
{
    *mean = *variance = 0;
    for (int i = 0; i < d; i++)
        *mean += (double)row[i] / d;
    for (int i = 0; i < d; i++)
        *variance += ((double)row[i] - *mean) * ((double)row[i] - *mean) / d;
}

/* Of all numbers of X. */
static void moments(const Tensor *x, double *mean, double *variance)
{
    row_moments(x->data, (int)x->size, mean, variance);
}

static double length_of(const real *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

/* The tokens' own means and variances: how far from 0 and 1 at most, and the
 * smallest and largest variance. */
typedef struct {
    double mean, variance, low, high;
} Tokens;

static Tokens tokens(const Tensor *x)
{
    Tokens worst = {.low = INFINITY};
    for (int t = 0; t < tensor_rows(x); t++) {
        double mean, variance;
        row_moments(x->data + t * tensor_columns(x), tensor_columns(x), &mean, &variance);
        worst.mean = fmax(worst.mean, fabs(mean));
        worst.variance = fmax(worst.variance, fabs(variance - 1));
        worst.low = fmin(worst.low, variance);
        worst.high = fmax(worst.high, variance);
    }
    return worst;
}

/* ---- what is shown -------------------------------------------------------------- */

static void show_tensors(Lab *lab, const Flow *flow, const char *const *words)
{
    char shape[SHAPE_TEXT];
    for (int i = 0; i < flow->n; i++) {
        const Tensor *x = flow->tensor[i];
        double mean, variance;
        moments(x, &mean, &variance);
        Tokens each = tokens(x);
        trace(lab->trace, "\n");
        trace_equation(lab->trace, x->where, "%-14s %-11s mean %6.3f  variance %.3f (words: %.3f to %.3f)", x->name,
                       shape_text(x->shape, shape), mean, variance, each.low, each.high);
        trace_matrix(lab->trace, x->where, x->name, x->data, tensor_rows(x), tensor_columns(x), words, NULL, 2);
    }
}

static void show_gradients(Lab *lab, const Flow *flow)
{
    trace(lab->trace, "\nAnd back: the loss is sum(y w) with random w. ||dL/dx|| at each tensor, from the end:\n\n");
    trace_table(lab->trace, "tensor\tgradient norm\tline");
    for (int i = flow->n - 1; i >= 0; i--)
        trace_row(lab->trace, "%s\t%.4f\t%s:%d", flow->tensor[i]->name,
                  length_of(flow->tensor[i]->grad, flow->tensor[i]->size), where_file(flow->tensor[i]->where),
                  flow->tensor[i]->where.line);
    trace_table_end(lab->trace);
}

static void draw(Lab *lab, const Flow *flow, const Tensor *weights, const char *const *words, int n)
{
    Figure *figure = figure_begin(lab->figures, "transformer_dataflow", "One sentence through one block (Post-Norm)");
    figure_layout(figure, 3, 430, 110 + 28 * (n < 4 ? 4 : n));
    for (int i = 0; i < flow->n; i++) {
        const Tensor *x = flow->tensor[i];
        char title[64];
        snprintf(title, sizeof title, "%d. %s", i + 1, x->name);
        panel_heatmap(figure_panel(figure, title, NULL, NULL), x->data, n, tensor_columns(x), words, NULL, SIGNED);
    }
    for (int h = 0; h < HEADS; h++) {
        char title[64];
        snprintf(title, sizeof title, "who looked at whom, head %d", h + 1);
        panel_heatmap(figure_panel(figure, title, NULL, NULL), weights->data + h * n * n, n, n, words, words, WEIGHTS);
    }
    figure_end(figure);
}

/* ---- many blocks: what the stream becomes ------------------------------------------ */

static void stream(Lab *lab, Tape *tape, const Tensor *words, double *post, double *pre)
{
    double mean, variance;
    trace(lab->trace, "\nThe variance of what leaves 1, 2 ... %d blocks, each with weights of its own:\n\n", BLOCKS);
    trace_table(lab->trace, "blocks\tPost-Norm\tPre-Norm");
    double all[2][BLOCKS];
    for (int side = 0; side < 2; side++) {
        Rng rng = lab_rng(lab, "blocks");
        Parameters *parameters = parameters_new();
        Tensor *x = tape_input(tape, "x", words->shape, words->data);
        for (int l = 0; l < BLOCKS; l++) {
            Block layer =
                block_new(parameters, "block",
                          (BlockSettings){.d = WIDTH, .heads = HEADS, .feed_forward = INNER, .pre_norm = side}, &rng);
            x = block_written_out(tape, &layer, x, (BlockView){0}, (Robbed){0}, NULL);
            moments(x, &mean, &variance);
            all[side][l] = variance;
        }
        parameters_free(parameters);
    }
    for (int l = 0; l < BLOCKS; l++)
        trace_row(lab->trace, "%d\t%.3f\t%.3f", l + 1, all[0][l], all[1][l]);
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nPost-Norm normalises the stream itself, Pre-Norm only what a sublayer reads: its stream grows,\n"
          "block after block (step 5).\n");
    *post = all[0][BLOCKS - 1];
    *pre = all[1][BLOCKS - 1];
}

/* ---- the library's block -------------------------------------------------------------- */

/* The largest difference of outputs and of gradients (of x and of every parameter,
 * each relative to the largest gradient of its tensor). */
static void against_library(Tape *tape, const Block *layer, const Parameters *parameters, Tensor *x,
                            const Tensor *weight, double *output, double *gradient)
{
    real *kept[64];
    *output = *gradient = 0;
    Tensor *mine = block_written_out(tape, layer, x, (BlockView){0}, (Robbed){0}, NULL);
    tape_backward(tape, op_sum(tape, op_multiply(tape, mine, (Tensor *)weight)));
    for (int p = 0; p <= parameters->n; p++) {
        const Tensor *of = p < parameters->n ? parameters->tensor[p] : x;
        kept[p] = memory_new(of->size, sizeof(real), "a gradient");
        memcpy(kept[p], of->grad, of->size * sizeof(real));
    }
    Tensor *theirs = block(tape, layer, x, (BlockView){0});
    tape_backward(tape, op_sum(tape, op_multiply(tape, theirs, (Tensor *)weight)));
    for (size_t i = 0; i < mine->size; i++)
        *output = fmax(*output, fabs((double)mine->data[i] - (double)theirs->data[i]));
    for (int p = 0; p <= parameters->n; p++) {
        const Tensor *of = p < parameters->n ? parameters->tensor[p] : x;
        double largest = 1, most = 0;
        for (size_t i = 0; i < of->size; i++) {
            largest = fmax(largest, fabs((double)of->grad[i]));
            most = fmax(most, fabs((double)of->grad[i] - (double)kept[p][i]));
        }
        *gradient = fmax(*gradient, most / largest);
        free(kept[p]);
    }
}

static void claims(Lab *lab, const Flow *flow, double output, double gradient)
{
    Tokens last = tokens(flow->tensor[flow->n - 1]), sum = tokens(flow->tensor[flow->n - 2]);
    claim(lab->claims, (Claim){.id = "norm-means",
                               .source = "Ba 2016, eq. 4",
                               .statement = "after the norm every word has mean 0 (largest |mean|)",
                               .measured = last.mean,
                               .test = AT_MOST,
                               .bound = 1e-6});
    claim(lab->claims, (Claim){.id = "norm-variances",
                               .source = "Ba 2016, eq. 4",
                               .statement = "after the norm every word has variance 1 (largest |variance - 1|)",
                               .measured = last.variance,
                               .test = AT_MOST,
                               .bound = 1e-3});
    claim(lab->claims, (Claim){.id = "sum-is-uneven",
                               .source = "why a norm follows",
                               .statement = "before it their variances differ (largest / smallest, several words)",
                               .measured = sum.high / sum.low,
                               .test = ABOVE,
                               .bound = 1,
                               .skipped = tensor_rows(flow->tensor[0]) < 2 ? "a single word" : NULL});
    claim(lab->claims,
          (Claim){.id = "block-equals-library",
                  .source = "block() of transformer.h, itself tested against PyTorch",
                  .statement = "the block of small operations gives the library's numbers (largest difference)",
                  .measured = output,
                  .test = AT_MOST,
                  .bound = 1e-5});
    claim(lab->claims,
          (Claim){.id = "block-gradients",
                  .source = "the same",
                  .statement = "and its gradients, of the words and of all 16 parameters (largest relative difference)",
                  .measured = gradient,
                  .test = AT_MOST,
                  .bound = 1e-5});
}

void step_dataflow(Lab *lab, void *state)
{
    const TransformerBlock *self = state;
    int n;
    char **words = text_split(self->sentence, "--sentence", &n);
    const char *const *labels = (const char *const *)words;
    Tape *tape = tape_new(1);
    Parameters *parameters = parameters_new();
    Rng rng = lab_rng(lab, "block"), noise = lab_rng(lab, "loss");
    Block layer =
        block_new(parameters, "block", (BlockSettings){.d = WIDTH, .heads = HEADS, .feed_forward = INNER}, &rng);
    Flow flow = {0};
    Tensor *x = word_vectors(tape, lab, words, n), *table = tape_input(tape, "positions", SHAPE(n, WIDTH), NULL);
    positions_sinusoidal(table->data, n, WIDTH);
    flow.tensor[flow.n++] = x;
    flow.tensor[flow.n++] = tensor_named("x + positions", op_add(tape, x, table)); /* [1, T, d] */
    Tensor *weights = NULL, *loss_weight = tape_input(tape, "w", x->shape, NULL);
    Tensor *y = block_written_out(tape, &layer, flow.tensor[1], (BlockView){.weights = &weights}, (Robbed){0}, &flow);
    for (size_t i = 0; i < loss_weight->size; i++)
        loss_weight->data[i] = rng_normal(&noise);
    trace(lab->trace,
          "\"%s\"\n\n%d words, width d = %d, %d heads, FFN %d -> %d -> %d; weights and word vectors are random.\n"
          "The lines at the right are where each tensor is computed.\n",
          self->sentence, n, WIDTH, HEADS, WIDTH, INNER, WIDTH);
    show_tensors(lab, &flow, labels);
    tape_backward(tape, op_sum(tape, op_multiply(tape, y, loss_weight)));
    show_gradients(lab, &flow);
    draw(lab, &flow, weights, labels, n);
    double output, gradient, post, pre;
    against_library(tape, &layer, parameters, flow.tensor[1], loss_weight, &output, &gradient);
    claims(lab, &flow, output, gradient);
    stream(lab, tape, flow.tensor[1], &post, &pre);
    claim(lab->claims,
          (Claim){.id = "pre-norm-stream-grows",
                  .source = "Xiong 2020, lemma 2",
                  .statement = "after six blocks the stream's variance under Pre-Norm is a multiple of Post-Norm's",
                  .measured = pre / post,
                  .test = AT_LEAST,
                  .bound = 1.5});
    tape_free(tape);
    parameters_free(parameters);
    free(words);
}
