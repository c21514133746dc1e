/* norm.c: step 2: layer norm by hand, and what batch norm would do in its place.
 *
 * Both take away a mean and divide by a standard deviation.  Layer norm takes them
 * over the numbers of one word, batch norm over one number of all words of a batch. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maths.h"
#include "measure.h"
#include "memory.h"
#include "transformer_block.h"

#define EPSILON 1e-5

/* ---- by hand -------------------------------------------------------------------- */

enum { D = 4 };

/* x^ = (x - mean) / sd,  y = gain x^ + bias */
static void forward_by_hand(Lab *lab, const real *x, const real *gain, const real *bias, real *normal, real *y,
                            real *sd)
{
    real mean = 0, variance = 0, centred[D];
    for (int i = 0; i < D; i++)
        mean += x[i] / D;
    trace_equation(lab->trace, HERE, "mean = (1 + 2 + 3 + 6) / 4 = %.4f", (double)mean);
    for (int i = 0; i < D; i++)
        centred[i] = x[i] - mean;
    trace_vector(lab->trace, HERE, "x - mean", centred, D, NULL, 4);
    for (int i = 0; i < D; i++)
        variance += centred[i] * centred[i] / D;
    *sd = m_sqrt(variance + (real)EPSILON);
    trace_equation(lab->trace, HERE, "variance = (4 + 1 + 0 + 9) / 4 = %.4f", (double)variance);
    trace_equation(lab->trace, HERE, "sd = sqrt(variance + 0.00001) = %.4f", (double)*sd);
    for (int i = 0; i < D; i++)
        normal[i] = centred[i] / *sd;
    trace_vector(lab->trace, HERE, "x^ = (x - mean) / sd", normal, D, NULL, 4);
    for (int i = 0; i < D; i++)
        y[i] = gain[i] * normal[i] + bias[i];
    trace_vector(lab->trace, HERE, "y = gain x^ + bias", y, D, NULL, 4);
}

/* g = y' gain,  x' = (g - mean(g) - x^ mean(g x^)) / sd */
static void backward_by_hand(Lab *lab, const real *dy, const real *gain, const real *normal, real sd, real *dx)
{
    real g[D], mean = 0, along = 0;
    for (int i = 0; i < D; i++)
        g[i] = dy[i] * gain[i];
    trace_vector(lab->trace, HERE, "g = y' gain", g, D, NULL, 4);
    for (int i = 0; i < D; i++) {
        mean += g[i] / D;
        along += g[i] * normal[i] / D;
    }
    trace_equation(lab->trace, HERE, "mean(g) = %.4f   mean(g x^) = %.4f", (double)mean, (double)along);
    for (int i = 0; i < D; i++)
        dx[i] = (g[i] - mean - normal[i] * along) / sd;
    trace_vector(lab->trace, HERE, "x' = (g - mean(g) - x^ mean(g x^)) / sd", dx, D, NULL, 4);
}

static void by_hand(Lab *lab)
{
    const real x[D] = {1, 2, 3, 6}, gain[D] = {1, 2, 1, 1}, bias[D] = {0, 0, 1, 0}, dy[D] = {1, 0, 0, 0};
    real normal[D], y[D], dx[D], sd, moved[D];
    trace(lab->trace, "One word of four numbers, by hand:\n\n");
    trace_vector(lab->trace, HERE, "x", x, D, NULL, 4);
    trace_vector(lab->trace, HERE, "gain", gain, D, NULL, 4);
    trace_vector(lab->trace, HERE, "bias", bias, D, NULL, 4);
    forward_by_hand(lab, x, gain, bias, normal, y, &sd);
    trace(lab->trace, "\nBack, if the loss wants more of the first number:\n\n");
    trace_vector(lab->trace, HERE, "y'", dy, D, NULL, 4);
    backward_by_hand(lab, dy, gain, normal, sd, dx);

    Tape *tape = tape_new(1);
    Parameters *parameters = parameters_new();
    LayerNorm layer = layer_norm_new(parameters, "norm", D);
    memcpy(layer.gain->data, gain, sizeof gain);
    memcpy(layer.bias->data, bias, sizeof bias);
    Tensor *input = tape_variable(tape, "x", SHAPE(1, D), x), *want = tape_input(tape, "y'", SHAPE(1, D), dy);
    Tensor *fast = layer_norm(tape, &layer, input);
    tape_backward(tape, op_sum(tape, op_multiply(tape, fast, want)));
    double forward = largest_difference(fast->data, y, D), backward = largest_difference(input->grad, dx, D);
    for (int i = 0; i < D; i++)
        moved[i] = 3 * x[i] + 5;
    real shift = (real)fabs((double)(dx[0] + dx[1] + dx[2] + dx[3]));
    real scale = (real)fabs((double)(dx[0] * normal[0] + dx[1] * normal[1] + dx[2] * normal[2] + dx[3] * normal[3]));
    Tensor *other = layer_norm(tape, &layer, tape_input(tape, "3 x + 5", SHAPE(1, D), moved));
    double same = largest_difference(other->data, fast->data, D);
    trace(lab->trace,
          "\nx' sums to %.6f, and so does x' x^ (%.6f): to move all four numbers, or to stretch them, changes\n"
          "nothing. 3 x + 5 comes out as x does (largest difference %.6f).\n",
          (double)shift, (double)scale, same);
    claim(lab->claims,
          (Claim){.id = "layer-norm-by-hand",
                  .source = "Ba 2016, eq. 4",
                  .statement = "by hand and layer_norm() of nn.h agree (largest difference of output, gradient)",
                  .measured = fmax(forward, backward),
                  .test = AT_MOST,
                  .bound = 1e-6});
    claim(lab->claims, (Claim){.id = "layer-norm-invariance",
                               .source = "Ba 2016, table 1",
                               .statement = "layer norm of 3 x + 5 is that of x (largest difference)",
                               .measured = same,
                               .test = AT_MOST,
                               .bound = 1e-5});
    tape_free(tape);
    parameters_free(parameters);
}

/* ---- batch norm ------------------------------------------------------------------ */

/* Over the N rows of X [n, d], for each column: training (Ioffe & Szegedy 2015,
 * algorithm 1), where MEAN and VARIANCE receive the batch's own ... */
static void batch_norm_train(const real *x, int n, int d, real *y, real *mean, real *variance)
{
    for (int j = 0; j < d; j++) {
        mean[j] = variance[j] = 0;
        for (int r = 0; r < n; r++)
            mean[j] += x[r * d + j] / (real)n;
        for (int r = 0; r < n; r++)
            variance[j] += (x[r * d + j] - mean[j]) * (x[r * d + j] - mean[j]) / (real)n;
        for (int r = 0; r < n; r++)
            y[r * d + j] = (x[r * d + j] - mean[j]) / m_sqrt(variance[j] + (real)EPSILON);
    }
}

/* ... and testing (algorithm 2), with those that were collected while training. */
static void batch_norm_test(const real *x, int n, int d, const real *mean, const real *variance, real *y)
{
    for (int r = 0; r < n; r++)
        for (int j = 0; j < d; j++)
            y[r * d + j] = (x[r * d + j] - mean[j]) / m_sqrt(variance[j] + (real)EPSILON);
}

static void layer_norm_rows(const real *x, int n, int d, real *y)
{
    for (int r = 0; r < n; r++, x += d, y += d) {
        real mean = 0, variance = 0;
        for (int j = 0; j < d; j++)
            mean += x[j] / (real)d;
        for (int j = 0; j < d; j++)
            variance += (x[j] - mean) * (x[j] - mean) / (real)d;
        for (int j = 0; j < d; j++)
            y[j] = (x[j] - mean) / m_sqrt(variance + (real)EPSILON);
    }
}

/* ---- one word, a padded sentence, other sentences ------------------------------------ */

enum { WORDS = 3, PADDED = 6, WIDE = 6 };

/* A batch of one word, and a sentence with padding. */
static void batches(Lab *lab, Figure *figure)
{
    static const char *const labels[PADDED] = {"나는", "학교에", "간다", "<PAD>", "<PAD>", "<PAD>"};
    real x[PADDED * WIDE] = {0}, layer[2][PADDED * WIDE], batch[2][PADDED * WIDE], mean[WIDE], variance[WIDE];
    real alone[WIDE];
    Rng rng = lab_rng(lab, "a padded sentence");
    for (int i = 0; i < WORDS * WIDE; i++)
        x[i] = 1 + rng_normal(&rng);
    for (int k = 0; k < 2; k++) {
        layer_norm_rows(x, k ? PADDED : WORDS, WIDE, layer[k]);
        batch_norm_train(x, k ? PADDED : WORDS, WIDE, batch[k], mean, variance);
    }
    trace(lab->trace, "\nA sentence of three words of six numbers, and the same padded to six (padding is 0):\n\n");
    trace_matrix(lab->trace, HERE, "x", x, PADDED, WIDE, labels, NULL, 2);
    trace_matrix(lab->trace, HERE, "layer norm, padded", layer[1], PADDED, WIDE, labels, NULL, 2);
    trace_matrix(lab->trace, HERE, "batch norm of the three words", batch[0], WORDS, WIDE, labels, NULL, 2);
    trace_matrix(lab->trace, HERE, "batch norm, padded", batch[1], PADDED, WIDE, labels, NULL, 2);
    panel_heatmap(figure_panel(figure, "a padded sentence", NULL, NULL), x, PADDED, WIDE, labels, NULL, SIGNED);
    panel_heatmap(figure_panel(figure, "layer norm: along each row", NULL, NULL), layer[1], PADDED, WIDE, labels, NULL,
                  SIGNED);
    panel_heatmap(figure_panel(figure, "batch norm: down each column", NULL, NULL), batch[0], WORDS, WIDE, labels, NULL,
                  SIGNED);
    panel_heatmap(figure_panel(figure, "batch norm, with the padding", NULL, NULL), batch[1], PADDED, WIDE, labels,
                  NULL, SIGNED);
    double layer_change = largest_difference(layer[0], layer[1], WORDS * WIDE);
    double batch_change = largest_difference(batch[0], batch[1], WORDS * WIDE);
    batch_norm_train(x, 1, WIDE, alone, mean, variance);
    double left = 0;
    for (int j = 0; j < WIDE; j++)
        left = fmax(left, fabs((double)alone[j]));
    trace(lab->trace,
          "\nPadding changes what layer norm makes of the three words by %g, what batch norm makes of them by up\n"
          "to %.2f. And a batch of one word alone is its own mean: batch norm leaves nothing of it (largest %g).\n",
          layer_change, batch_change, left);
    claim(lab->claims, (Claim){.id = "batch-of-one",
                               .source = "lecture: layer norm against batch norm; Ba 2016, section 1",
                               .statement = "of a batch of one word batch norm leaves nothing (largest number)",
                               .measured = left,
                               .test = EQUALS,
                               .bound = 0});
    claim(lab->claims, (Claim){.id = "padding-layer-norm",
                               .source = "the same",
                               .statement = "padding does not change layer norm, to the bit",
                               .measured = layer_change,
                               .test = EQUALS,
                               .bound = 0});
    claim(lab->claims, (Claim){.id = "padding-batch-norm",
                               .source = "the same",
                               .statement = "padding changes what batch norm makes of the words (largest change)",
                               .measured = batch_change,
                               .test = AT_LEAST,
                               .bound = 0.2});
}

/* ---- running statistics ---------------------------------------------------------------- */

enum { FEATURES = 16, MOST_BATCH = 128, SIZES = 7, BATCHES = 200 };
static const int sizes[SIZES] = {2, 4, 8, 16, 32, 64, 128};

/* Feature j is normal with mean j / 4 and standard deviation 1 + j / 8. */
static void draw_batch(Rng *rng, int n, real *x)
{
    for (int i = 0; i < n * FEATURES; i++)
        x[i] = (real)(i % FEATURES) / 4 + (1 + (real)(i % FEATURES) / 8) * rng_normal(rng);
}

/* BATCHES of N rows are seen; then the root mean square difference between what
 * the next batch becomes while training and when testing.  TOLD (or NULL)
 * receives the running mean of the last feature over its true one. */
static double train_and_test(Rng *rng, int n, real *told)
{
    real x[MOST_BATCH * FEATURES], trained[MOST_BATCH * FEATURES], tested[MOST_BATCH * FEATURES];
    real mean[FEATURES], variance[FEATURES], running_mean[FEATURES] = {0}, running_variance[FEATURES];
    for (int j = 0; j < FEATURES; j++)
        running_variance[j] = 1;
    for (int b = 0; b < BATCHES; b++) {
        draw_batch(rng, n, x);
        batch_norm_train(x, n, FEATURES, trained, mean, variance);
        for (int j = 0; j < FEATURES; j++) { /* running = 0.9 running + 0.1 batch's, without bias (n - 1) */
            running_mean[j] += (real)0.1 * (mean[j] - running_mean[j]);
            running_variance[j] += (real)0.1 * (variance[j] * (real)n / (real)(n - 1) - running_variance[j]);
        }
        if (told)
            told[b] = running_mean[FEATURES - 1] / ((real)(FEATURES - 1) / 4);
    }
    double square = 0;
    enum { TESTS = 20 };
    for (int k = 0; k < TESTS; k++) {
        draw_batch(rng, n, x);
        batch_norm_train(x, n, FEATURES, trained, mean, variance);
        batch_norm_test(x, n, FEATURES, running_mean, running_variance, tested);
        for (int i = 0; i < n * FEATURES; i++)
            square += ((double)trained[i] - (double)tested[i]) * ((double)trained[i] - (double)tested[i]) /
                      (n * FEATURES * TESTS);
    }
    return sqrt(square);
}

static void running(Lab *lab, Figure *figure)
{
    real size[SIZES], difference[SIZES], zero[SIZES] = {0}, told[BATCHES] = {0}, step[BATCHES], theory[BATCHES] = {0};
    trace(lab->trace,
          "\nBatch norm is two functions: while training it uses the batch's own mean and variance, when testing\n"
          "a running average of what it saw (0.9 of the old, 0.1 of the new). How far apart are they after %d\n"
          "batches? Root mean square difference of the two outputs (which have variance 1):\n\n",
          BATCHES);
    trace_table(lab->trace, "rows in a batch\tbatch norm\tlayer norm");
    for (int i = 0; i < SIZES; i++) {
        Rng rng = lab_rng(lab, "running statistics");
        size[i] = (real)sizes[i];
        difference[i] = (real)train_and_test(&rng, sizes[i], i == SIZES - 1 ? told : NULL);
        trace_row(lab->trace, "%d\t%.3f\t0", sizes[i], (double)difference[i]);
    }
    trace_table_end(lab->trace);
    for (int b = 0; b < BATCHES; b++) { /* 1 - 0.9^n */
        step[b] = (real)(b + 1);
        theory[b] = 1 - (b ? 1 - theory[b - 1] : 1) * (real)0.9;
    }
    Panel *panel = figure_panel(figure, "training against testing", "rows in a batch", "difference of the outputs");
    panel_log_x(panel);
    panel_range_y(panel, 0, 1.1);
    panel_line(panel, "batch norm", size, difference, SIZES);
    panel_line(panel, "layer norm", size, zero, SIZES);
    panel = figure_panel(figure, "the running mean", "batches seen", "share of the true mean");
    panel_range_x(panel, 0, 60);
    panel_range_y(panel, 0, 1.2);
    panel_line(panel, "measured (batches of 128)", step, told, 60);
    panel_reference(panel, "1 - 0.9^n", step, theory, 60);
    trace(lab->trace,
          "\nAnd it has to see some batches first: after 10 the running mean has come %.2f of its way (1 - 0.9^10 =\n"
          "%.2f). Layer norm has nothing to collect: it is the same function for any batch, and when testing.\n",
          (double)told[9], (double)theory[9]);
    claim(
        lab->claims,
        (Claim){.id = "two-functions",
                .source = "Ioffe & Szegedy 2015, algorithm 2; Ioffe 2017, section 2",
                .statement = "with batches of 2 batch norm trained and tested are different functions (rms difference)",
                .measured = (double)difference[0],
                .test = AT_LEAST,
                .bound = 0.3});
    claim(lab->claims,
          (Claim){.id = "larger-batches-agree",
                  .source = "the same: a mean of n has the error 1 / sqrt(n)",
                  .statement = "with batches of 128 they nearly agree (share of the difference at 8 that is left)",
                  .measured = (double)(difference[SIZES - 1] / difference[2]),
                  .test = AT_MOST,
                  .bound = 0.6});
    claim(lab->claims, (Claim){.id = "running-mean-lags",
                               .source = "the sum of a geometric row",
                               .statement = "after 10 batches the running mean has come 1 - 0.9^10 of its way",
                               .measured = (double)told[9],
                               .test = EQUALS,
                               .bound = (double)theory[9],
                               .tolerance = 0.05});
}

/* The same word among other words: to the bit the same, or another vector? */
static void company(Lab *lab)
{
    enum { ROWS = 8 };
    real x[ROWS * FEATURES], layer[2][ROWS * FEATURES], batch[2][ROWS * FEATURES], mean[FEATURES], variance[FEATURES];
    Rng rng = lab_rng(lab, "company");
    draw_batch(&rng, ROWS, x);
    for (int k = 0; k < 2; k++) {
        layer_norm_rows(x, ROWS, FEATURES, layer[k]);
        batch_norm_train(x, ROWS, FEATURES, batch[k], mean, variance);
        draw_batch(&rng, ROWS - 1, x + FEATURES); /* other company for the first row */
    }
    double by_batch = largest_difference(batch[0], batch[1], FEATURES);
    double by_layer = largest_difference(layer[0], layer[1], FEATURES);
    trace(lab->trace,
          "\nThe same word beside seven others, and beside seven different ones: layer norm gives it the same\n"
          "vector (largest difference %g), batch norm another one (up to %.2f).\n",
          by_layer, by_batch);
    claim(lab->claims, (Claim){.id = "company",
                               .source = "lecture: layer norm works on each example by itself",
                               .statement = "who else is in the batch does not matter to layer norm, to the bit",
                               .measured = by_layer,
                               .test = EQUALS,
                               .bound = 0});
    claim(lab->claims, (Claim){.id = "company-batch-norm",
                               .source = "the same",
                               .statement = "to batch norm it does (largest change of a word's vector)",
                               .measured = by_batch,
                               .test = AT_LEAST,
                               .bound = 0.2});
}

void step_norm(Lab *lab, void *state)
{
    (void)state;
    by_hand(lab);
    Figure *figure = figure_begin(lab->figures, "layernorm_vs_batchnorm", "Layer norm against batch norm");
    figure_layout(figure, 3, 460, 330);
    batches(lab, figure);
    company(lab);
    running(lab, figure);
    figure_end(figure);
}
