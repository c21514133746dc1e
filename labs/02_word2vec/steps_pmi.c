/* steps_pmi.c: step 6: what the vectors are.
 *
 * Levy & Goldberg 2014: skip-gram with k noise words has its least loss where,
 * for every pair of a word w and a context c,
 *
 *     w . c = PMI(w, c) - log k,   PMI(w, c) = log  #(w,c) #pairs / (#w #c)
 *
 * if the vectors are long enough to afford it.  So the network factorises a
 * matrix of counts that nobody wrote down. */
#include "word2vec.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernels.h"
#include "maths.h"
#include "memory.h"
#include "parallel.h"

enum { DIMENSIONS_MOST = 6, WINDOW = 2, NEGATIVES = 5, OFTEN = 5, SCATTER = 1500 };

typedef struct {
    Lab *lab;
    Text *text;
    int dimensions; /* how many */
    int dimension[DIMENSIONS_MOST];
    Model *model[DIMENSIONS_MOST];
} Pmi;

static void train_one(int index, void *context)
{
    Pmi *pmi = context;
    index = pmi->dimensions - 1 - index; /* the longest first */
    Setting setting = world_setting(pmi->lab, SKIPGRAM, NEGATIVE_SAMPLING);
    /* As in the theory: all neighbours count the same, no word is thinned out,
     * noise words come as often as they are. */
    setting.dimension = pmi->dimension[index];
    setting.window = WINDOW;
    setting.fixed_window = true;
    setting.subsample = 0;
    setting.noise_power = 1;
    setting.negatives = NEGATIVES;
    setting.rate = (real)0.2;
    setting.epochs = lab_choose(pmi->lab, 20, 6);
    pmi->model[index] = train(pmi->text, &setting, NULL, lab_rng(pmi->lab, "pmi"), NULL, NULL);
}

/* A straight line through points, and how well they keep to it. */
typedef struct {
    double n, x, y, xx, yy, xy;
} Sums;

static void sums_add(Sums *s, double x, double y)
{
    s->n += 1;
    s->x += x;
    s->y += y;
    s->xx += x * x;
    s->yy += y * y;
    s->xy += x * y;
}

static double correlation(const Sums *s)
{
    double cov = s->xy - s->x * s->y / s->n, a = s->xx - s->x * s->x / s->n, b = s->yy - s->y * s->y / s->n;
    return cov / __builtin_sqrt(a * b);
}

static double slope(const Sums *s)
{
    return (s->xy - s->x * s->y / s->n) / (s->xx - s->x * s->x / s->n);
}

/* PMI - log k of all pairs seen OFTEN times or more; NaN for the others. */
static double *pmi_matrix(const Text *text, int *pairs)
{
    size_t words = (size_t)text->vocab->size;
    real *counts = count_neighbours(text, WINDOW, false);
    double *pmi = memory_new(words * words, sizeof *pmi, "the PMI matrix");
    double *of_word = memory_new(words, sizeof *of_word, "the PMI matrix"), all = 0;
    for (size_t i = 0; i < words * words; i++) {
        of_word[i / words] += (double)counts[i];
        all += (double)counts[i];
    }
    *pairs = 0;
    for (size_t i = 0; i < words * words; i++) {
        double expected = of_word[i / words] * of_word[i % words] / all;
        pmi[i] = counts[i] >= OFTEN ? log64((double)counts[i] / expected) - log64(NEGATIVES) : __builtin_nan("");
        *pairs += counts[i] >= OFTEN;
    }
    free(of_word);
    free(counts);
    return pmi;
}

/* w . c of every pair with a PMI; a part of them for the scatter plot. */
static Sums compare(const Model *model, const double *pmi, int pairs, real *x, real *y, int *drawn)
{
    Sums sums = {0};
    int seen = 0, each = pairs / SCATTER + 1;
    *drawn = 0;
    for (int w = 0; w < model->words; w++)
        for (int c = 0; c < model->words; c++) {
            double expected = pmi[(size_t)w * model->words + c];
            if (expected != expected)
                continue;
            real product = kernel_dot(model->input + (size_t)w * model->stride,
                                      model->output + (size_t)c * model->stride, model->stride);
            sums_add(&sums, expected, (double)product);
            if (seen++ % each == 0 && *drawn < SCATTER) {
                x[*drawn] = (real)expected;
                y[(*drawn)++] = product;
            }
        }
    return sums;
}

static void draw(Lab *lab, const Pmi *pmi, const real *x, const real *y, int n, int pairs, const real *r)
{
    real dimension[DIMENSIONS_MOST], low = x[0], high = x[0];
    char title[96];
    for (int i = 0; i < pmi->dimensions; i++)
        dimension[i] = (real)pmi->dimension[i];
    for (int i = 0; i < n; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    real ends[2] = {low, high};
    snprintf(title, sizeof title, "%d of %d pairs, %d dimensions", n, pairs, pmi->dimension[pmi->dimensions - 1]);
    Figure *figure = figure_begin(lab->figures, "pmi_scatter", "The vectors are counts in disguise");
    Panel *panel = figure_panel(figure, title, "PMI(w, c) - log k, counted", "w . c, learned");
    panel_points(panel, "pairs of words", x, y, NULL, n);
    panel_reference(panel, "w . c = PMI - log k", ends, ends, 2);
    panel = figure_panel(figure, "the longer the vectors, the truer", "dimension", "correlation");
    panel_log_x(panel);
    panel_range_y(panel, 0, 1);
    panel_line(panel, "correlation of w . c with PMI - log k", dimension, r, pmi->dimensions);
    figure_end(figure);
}

void step_pmi(Lab *lab, void *state)
{
    Word2Vec *self = state;
    need_text(lab, self);
    Rng rng = lab_rng(lab, "pmi text");
    Pmi pmi = {.lab = lab, .text = text_of_world(self->world, &rng, 60000)};
    for (int d = lab_choose(lab, 2, 4); d <= 64; d *= lab_choose(lab, 2, 4))
        pmi.dimension[pmi.dimensions++] = d;
    parallel_for(lab->threads, pmi.dimensions, train_one, &pmi);
    int pairs, drawn = 0;
    double *expected = pmi_matrix(pmi.text, &pairs);

    trace(lab->trace,
          "Skip-gram with k = %d noise words, window %d. For the %d pairs (w, c) seen at least %d times in\n"
          "%llu words of text: the product that was learned against the number that was counted.\n\n",
          NEGATIVES, WINDOW, pairs, OFTEN, (unsigned long long)pmi.text->tokens);
    trace_equation(lab->trace, HERE, "w . c = PMI(w, c) - log k,  PMI = log #(w,c) #pairs / (#w #c)");
    trace(lab->trace, "\n");
    trace_table(lab->trace, "dimension\tcorrelation\tslope (1 in theory)\tmean w . c\tmean PMI - log k");
    real r[DIMENSIONS_MOST], x[SCATTER] = {0}, y[SCATTER] = {0};
    double last_slope = 0, at_4 = 0;
    for (int i = 0; i < pmi.dimensions; i++) {
        Sums sums = compare(pmi.model[i], expected, pairs, x, y, &drawn);
        r[i] = (real)correlation(&sums);
        at_4 = pmi.dimension[i] == 4 ? (double)r[i] : at_4;
        last_slope = slope(&sums);
        trace_row(lab->trace, "%d\t%.3f\t%.3f\t%.3f\t%.3f", pmi.dimension[i], (double)r[i], last_slope, sums.y / sums.n,
                  sums.x / sums.n);
        model_free(pmi.model[i]);
    }
    trace_table_end(lab->trace);
    draw(lab, &pmi, x, y, drawn, pairs, r);
    double at_64 = (double)r[pmi.dimensions - 1];
    free(expected);
    text_free(pmi.text);

    claim(lab->claims,
          (Claim){.id = "pmi-correlation",
                  .statement = "with negative sampling w.c is PMI - log k: their correlation at 64 dimensions",
                  .source = "Levy & Goldberg 2014, eq. 11",
                  .measured = at_64,
                  .test = AT_LEAST,
                  .bound = 0.85});
    claim(lab->claims, (Claim){.id = "pmi-slope",
                               .statement = "and the slope of w.c over PMI - log k is near 1",
                               .source = "Levy & Goldberg 2014, eq. 11",
                               .measured = last_slope,
                               .test = BETWEEN,
                               .bound = 0.8,
                               .upper = 1.2});
    claim(lab->claims,
          (Claim){.id = "pmi-needs-dimensions",
                  .statement = "the identity needs long vectors: correlation at 64 dimensions minus that at 4",
                  .source = "Levy & Goldberg 2014, section 3.1: for sufficiently large dimension",
                  .measured = at_64 - at_4,
                  .test = AT_LEAST,
                  .bound = 0.1});
}
