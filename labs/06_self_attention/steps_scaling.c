/* steps_scaling.c: step 2: what 1 / sqrt(d_k) does to scores, weights, gradients
 * and training. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "maths.h"
#include "memory.h"
#include "optim.h"
#include "parallel.h"
#include "self_attention.h"

/* d_k = 4, 8, ... 1024; rows of 16 keys; queries and keys in groups of 64. */
enum { SIZES = 9, KEYS = 16, GROUP = 64, MOST_ROWS = 4096 };

/* One softmax, seen as numbers. */
typedef struct {
    double entropy, largest, jacobian, saturated;
} Softness;

typedef struct {
    int d_k;
    double variance;           /* of q . k */
    Softness unscaled, scaled; /* means over rows */
    double two_keys;           /* E[2 p (1 - p)] of two keys, unscaled */
} Measured;

typedef struct {
    Lab *lab;
    int numbers; /* drawn for the queries, and as many for the keys */
    Measured *measured;
} Job;

/* The norm of d softmax / d scores = diag(p) - p p^T:
 * |J|^2 = sum_i p_i^2 - 2 sum_i p_i^3 + (sum_i p_i^2)^2. */
static void add_shape(Softness *sum, const real *p)
{
    double entropy = 0, largest = 0, squares = 0, cubes = 0;
    for (int i = 0; i < KEYS; i++) {
        double w = (double)p[i];
        entropy -= w > 0 ? w * log64(w) : 0;
        largest = fmax(largest, w);
        squares += w * w;
        cubes += w * w * w;
    }
    sum->entropy += entropy;
    sum->largest += largest;
    sum->jacobian += sqrt(fmax(0, squares - 2 * cubes + squares * squares));
    sum->saturated += largest > 0.99;
}

static void divide(Softness *sum, int n)
{
    sum->entropy /= n;
    sum->largest /= n;
    sum->jacobian /= n;
    sum->saturated /= n;
}

/* The softmax of a row of scores times FACTOR. */
static void softmax(const real *scores, real factor, real *p)
{
    real most = scores[0] * factor, sum = 0;
    for (int i = 1; i < KEYS; i++)
        most = scores[i] * factor > most ? scores[i] * factor : most;
    for (int i = 0; i < KEYS; i++)
        sum += p[i] = m_exp(scores[i] * factor - most);
    for (int i = 0; i < KEYS; i++)
        p[i] /= sum;
}

/* Scores of a group: 64 queries [64, d_k] against 64 keys [64, d_k]. */
static void add_group(Measured *m, const real *scores, int *rows, double *sum, double *squares)
{
    const real scale = 1 / m_sqrt((real)m->d_k);
    for (int t = 0; t < GROUP; t++) {
        const real *row = scores + t * GROUP;
        real p[KEYS];
        for (int s = 0; s < GROUP; s++) {
            *sum += (double)row[s];
            *squares += (double)row[s] * (double)row[s];
        }
        for (int s = 0; s < GROUP; s += 2) {
            double two = (double)m_sigmoid(row[s] - row[s + 1]);
            m->two_keys += 2 * two * (1 - two);
        }
        if (*rows >= MOST_ROWS)
            continue;
        softmax(row, 1, p);
        add_shape(&m->unscaled, p);
        softmax(row, scale, p);
        add_shape(&m->scaled, p);
        ++*rows;
    }
}

static void measure(int index, void *context)
{
    Job *job = context;
    Measured *m = &job->measured[index];
    char stream[40];
    m->d_k = 4 << index;
    snprintf(stream, sizeof stream, "scaling, d_k = %d", m->d_k);
    Rng rng = lab_rng(job->lab, stream);
    int groups = job->numbers / m->d_k / GROUP, rows = 0;
    double sum = 0, squares = 0, pairs = (double)groups * GROUP * GROUP;
    Tape *tape = tape_new(1);
    for (int g = 0; g < groups; g++) {
        tape_rewind(tape);
        Tensor *q = tape_input(tape, "q", SHAPE(GROUP, m->d_k), NULL);
        Tensor *k = tape_input(tape, "k", SHAPE(GROUP, m->d_k), NULL);
        for (size_t i = 0; i < q->size; i++) {
            q->data[i] = rng_normal(&rng);
            k->data[i] = rng_normal(&rng);
        }
        add_group(m, op_matmul_transposed(tape, q, k)->data, &rows, &sum, &squares);
    }
    m->variance = squares / pairs - sum / pairs * sum / pairs;
    m->two_keys /= pairs / 2;
    divide(&m->unscaled, rows);
    divide(&m->scaled, rows);
    tape_free(tape);
}

/* ---- does it learn? --------------------------------------------------------------- */

/* A look-up: 16 places, each with a symbol and one of 8 values; for every symbol
 * the query asks what value stands beside it.  Queries, keys: one vector a symbol. */
enum { SYMBOLS = 16, VALUES = 8, BATCH = 16, EVERY = 10, WIDTH = 64 };
typedef struct {
    const char *name;
    bool scaled, adam;
    double rate;
    double accuracy; /* share right, a running mean over fresh batches */
    int points;
    real step[64], curve[64];
    int learned; /* first step with 0.9 right, or -1 */
} Training;

typedef struct {
    Lab *lab;
    int steps;
    Training *training;
} TrainingJob;

typedef struct {
    Parameters *parameters;
    Tensor *queries, *keys, *readout;
} Lookup;

static void draw_batch(Rng *rng, int symbol[BATCH * SYMBOLS], int value[BATCH * SYMBOLS], int target[BATCH * SYMBOLS])
{
    for (int b = 0; b < BATCH; b++) {
        int *here = symbol + b * SYMBOLS;
        for (int i = 0; i < SYMBOLS; i++)
            here[i] = i;
        rng_shuffle(rng, here, SYMBOLS);
        for (int i = 0; i < SYMBOLS; i++) {
            value[b * SYMBOLS + i] = (int)rng_below(rng, VALUES);
            target[b * SYMBOLS + here[i]] = value[b * SYMBOLS + i];
        }
    }
}

/* Logits [B, 16 questions, 8]. */
static Tensor *look_up(Tape *tape, const Lookup *model, bool scaled, const int *symbol, const int *value)
{
    int question[BATCH * SYMBOLS];
    Tensor *v = tape_input(tape, "values", SHAPE(BATCH, SYMBOLS, VALUES), NULL);
    for (int i = 0; i < BATCH * SYMBOLS; i++) {
        question[i] = i % SYMBOLS;
        v->data[i * VALUES + value[i]] = 1; /* one-hot */
    }
    Tensor *q = op_embedding(tape, model->queries, question, SHAPE(BATCH, SYMBOLS)); /* [B, 16, d_k] */
    Tensor *k = op_embedding(tape, model->keys, symbol, SHAPE(BATCH, SYMBOLS));      /* [B, 16, d_k] */
    Tensor *scores = op_batched_matmul_transposed(tape, q, k);                       /* [B, 16, 16] */
    if (scaled)
        scores = op_scale(tape, scores, 1 / m_sqrt((real)tensor_columns(q)));
    Tensor *weights = op_softmax(tape, scores, NULL);
    return op_matmul(tape, op_batched_matmul(tape, weights, v), model->readout);
}

static double share_right(const Tensor *logits, const int *target)
{
    int right = 0, rows = tensor_rows(logits), columns = tensor_columns(logits);
    for (int r = 0; r < rows; r++) {
        const real *row = logits->data + (size_t)r * columns;
        int best = 0;
        for (int c = 1; c < columns; c++)
            if (row[c] > row[best])
                best = c;
        right += best == target[r];
    }
    return (double)right / rows;
}

static void train(int index, void *context)
{
    TrainingJob *job = context;
    Training *t = &job->training[index];
    Rng rng = lab_rng(job->lab, "look-up, scaling"); /* the same start and data for all */
    Lookup model = {.parameters = parameters_new()};
    model.queries = parameter_normal(model.parameters, "queries", SHAPE(SYMBOLS, WIDTH), 1, &rng);
    model.keys = parameter_normal(model.parameters, "keys", SHAPE(SYMBOLS, WIDTH), 1, &rng);
    model.readout = parameter_glorot(model.parameters, "readout", SHAPE(VALUES, VALUES), &rng);
    Optimiser *optimiser = t->adam ? adam_new(model.parameters, (Adam){.rate = t->rate})
                                   : sgd_new(model.parameters, (Sgd){.rate = t->rate});
    Tape *tape = tape_new(1);
    t->learned = -1;
    for (int step = 0; step < job->steps; step++) {
        int symbol[BATCH * SYMBOLS], value[BATCH * SYMBOLS], target[BATCH * SYMBOLS];
        draw_batch(&rng, symbol, value, target);
        tape_rewind(tape);
        Tensor *logits = look_up(tape, &model, t->scaled, symbol, value);
        t->accuracy = 0.7 * t->accuracy + 0.3 * share_right(logits, target);
        if (t->learned < 0 && t->accuracy >= 0.9)
            t->learned = step;
        if (step % EVERY == 0 && t->points < 64) {
            t->step[t->points] = step;
            t->curve[t->points++] = (real)t->accuracy;
        }
        tape_backward(tape, op_cross_entropy(tape, logits, target));
        optimiser_step(optimiser);
    }
    tape_free(tape);
    optimiser_free(optimiser);
    parameters_free(model.parameters);
}

/* ---- what is shown --------------------------------------------------------------- */

static void trace_measured(Lab *lab, const Measured *m)
{
    trace(lab->trace, "Queries and keys of independent normal numbers, %d keys a query:\n\n", KEYS);
    trace_equation(lab->trace, HERE, "q . k = sum of d_k products, each of variance 1: Var(q . k) = d_k");
    trace_table(lab->trace, "d_k\tVar(q.k)\tVar/d_k\tentropy\tlargest\t|Jacobian|\t> 0.99\tscaled: entropy\tlargest\t"
                            "|Jacobian|");
    for (int i = 0; i < SIZES; i++)
        trace_row(lab->trace, "%d\t%.2f\t%.4f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f", m[i].d_k, m[i].variance,
                  m[i].variance / m[i].d_k, m[i].unscaled.entropy, m[i].unscaled.largest, m[i].unscaled.jacobian,
                  m[i].unscaled.saturated, m[i].scaled.entropy, m[i].scaled.largest, m[i].scaled.jacobian);
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nEntropy in nats (all keys alike: log 16 = %.3f); |Jacobian| is the norm of d weights / d scores,\n"
          "which every gradient on its way to the queries and keys is multiplied with; \"> 0.99\" is the share\n"
          "of queries that look at one key alone. Without scaling, width alone makes the softmax hard and its\n"
          "gradient small; with it, nothing depends on the width. (A mildly peaked softmax has the largest\n"
          "Jacobian, larger than a flat one's: %.3f.)\n\n",
          log64(KEYS), sqrt(KEYS - 1.0) / KEYS);
}

static void trace_training(Lab *lab, const Training *t, int n)
{
    trace(lab->trace,
          "Does it matter? A layer of width %d learns to look up what stands beside a symbol (chance: %.3f):\n\n",
          WIDTH, 1.0 / VALUES);
    trace_table(lab->trace, "training\trate\tshare right at the end\t0.9 right at step");
    for (int i = 0; i < n; i++) {
        char step[16] = "never";
        if (t[i].learned >= 0)
            snprintf(step, sizeof step, "%d", t[i].learned);
        trace_row(lab->trace, "%s\t%g\t%.3f\t%s", t[i].name, t[i].rate, t[i].accuracy, step);
    }
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nWithout scaling the queries start out looking at one key each, mostly a wrong one, and get next\n"
          "to no gradient to look elsewhere. Neither another rate nor Adam helps: the softmax is the wall.\n");
}

typedef double Quantity(const Measured *measured, bool scaled);

static double entropy_of(const Measured *m, bool scaled)
{
    return scaled ? m->scaled.entropy : m->unscaled.entropy;
}

static double largest_of(const Measured *m, bool scaled)
{
    return scaled ? m->scaled.largest : m->unscaled.largest;
}

static double jacobian_of(const Measured *m, bool scaled)
{
    return scaled ? m->scaled.jacobian : m->unscaled.jacobian;
}

static double saturated_of(const Measured *m, bool scaled)
{
    return scaled ? m->scaled.saturated : m->unscaled.saturated;
}

static double variance_of(const Measured *m, bool scaled)
{
    return scaled ? m->variance / m->d_k : m->variance;
}

static Panel *draw_both(Figure *figure, const char *title, const char *label, const Measured *m, Quantity *of)
{
    real x[SIZES], y[2][SIZES];
    Panel *panel = figure_panel(figure, title, "d_k", label);
    panel_log_x(panel);
    for (int i = 0; i < SIZES; i++) {
        x[i] = (real)m[i].d_k;
        y[0][i] = (real)of(&m[i], false);
        y[1][i] = (real)of(&m[i], true);
    }
    panel_line(panel, "q . k", x, y[0], SIZES);
    panel_line(panel, "q . k / sqrt(d_k)", x, y[1], SIZES);
    return panel;
}

static void draw(Lab *lab, const Measured *m, const Training *t, int n)
{
    Figure *figure = figure_begin(lab->figures, "scaling_effect", "Scores with and without 1 / sqrt(d_k)");
    figure_layout(figure, 3, 560, 420);
    panel_log_y(draw_both(figure, "scores grow with the width", "variance of the scores", m, variance_of));
    Panel *entropy = draw_both(figure, "the softmax hardens", "entropy of the weights", m, entropy_of);
    panel_horizontal(entropy, "all keys alike", log64(KEYS));
    panel_range_y(draw_both(figure, "one key takes all", "largest weight", m, largest_of), 0, 1);
    panel_range_y(draw_both(figure, "looking at one key alone", "share of queries", m, saturated_of), 0, 1);
    panel_range_y(draw_both(figure, "gradients vanish", "norm of d weights / d scores", m, jacobian_of), 0, 0.4);
    Panel *panel = figure_panel(figure, "and so it does not learn", "step", "share right");
    panel_range_y(panel, 0, 1.05);
    for (int i = 0; i < n; i++)
        if (t[i].rate >= 10 || t[i].adam)
            panel_line(panel, t[i].name, t[i].step, t[i].curve, t[i].points);
    panel_horizontal(panel, "chance", 1.0 / VALUES);
    figure_end(figure);
}

static void claim_measured(Lab *lab, const Measured *m)
{
    const Measured *last = &m[SIZES - 1], *middle = &m[6]; /* d_k = 1024, 256 */
    const double pi = 3.14159265358979324;
    double worst = 0, least = INFINITY, most = 0;
    for (int i = 0; i < SIZES; i++) {
        worst = fmax(worst, fabs(m[i].variance / m[i].d_k - 1));
        least = fmin(least, m[i].scaled.entropy);
        most = fmax(most, m[i].scaled.entropy);
    }
    claim(lab->claims, (Claim){.id = "variance-is-dk",
                               .statement = "the variance of q . k is d_k: largest deviation of Var/d_k from 1, d_k = "
                                            "4 ... 1024",
                               .source = "Vaswani 2017, footnote 4",
                               .measured = worst,
                               .test = AT_MOST,
                               .bound = 0.05});
    claim(lab->claims, (Claim){.id = "unscaled-looks-at-one",
                               .statement = "without scaling, at d_k = 1024, the largest of 16 weights is nearly 1",
                               .source = "lecture: large scores make the softmax extreme",
                               .measured = last->unscaled.largest,
                               .test = AT_LEAST,
                               .bound = 0.9});
    claim(lab->claims, (Claim){.id = "unscaled-gradient-vanishes",
                               .statement = "without scaling the softmax's Jacobian at d_k = 1024 is at most a third "
                                            "of the scaled one's",
                               .source = "Vaswani 2017, section 3.2.1: extremely small gradients",
                               .measured = last->unscaled.jacobian / last->scaled.jacobian,
                               .test = AT_MOST,
                               .bound = 0.33});
    claim(lab->claims, (Claim){.id = "scaled-does-not-depend-on-width",
                               .statement = "with scaling the entropy of the weights is the same for all widths: "
                                            "largest difference in nats",
                               .source = "Vaswani 2017, section 3.2.1",
                               .measured = most - least,
                               .test = AT_MOST,
                               .bound = 0.1});
    claim(lab->claims,
          (Claim){.id = "two-keys-law",
                  .statement = "of two keys, unscaled, E[2p(1-p)] falls as 1/sqrt(pi d_k): their ratio at d_k = 256",
                  .source = "q.(k1-k2) is normal with variance 2 d_k; integral of p(1-p) is 1",
                  .measured = middle->two_keys * sqrt(pi * middle->d_k),
                  .test = EQUALS,
                  .bound = 1,
                  .tolerance = 0.1});
}

void step_scaling(Lab *lab, void *state)
{
    (void)state;
    enum { TRAININGS = 6 };
    Measured measured[SIZES] = {{0}};
    Training training[TRAININGS] = {{.name = "scaled, SGD", .scaled = true, .rate = 10},
                                    {.name = "not scaled, SGD", .rate = 10},
                                    {.name = "not scaled, SGD", .rate = 3},
                                    {.name = "not scaled, SGD", .rate = 1},
                                    {.name = "scaled, Adam", .scaled = true, .adam = true, .rate = 0.01},
                                    {.name = "not scaled, Adam", .adam = true, .rate = 0.01}};
    Job job = {lab, lab_choose(lab, 1 << 20, 1 << 18), measured};
    TrainingJob train_job = {lab, lab_choose(lab, 300, 150), training};
    parallel_for(lab->threads, SIZES, measure, &job);
    parallel_for(lab->threads, TRAININGS, train, &train_job);
    trace_measured(lab, measured);
    trace_training(lab, training, TRAININGS);
    draw(lab, measured, training, TRAININGS);
    claim_measured(lab, measured);
    claim(lab->claims, (Claim){.id = "scaled-learns",
                               .statement = "with scaling the look-up is learned by SGD: share right",
                               .source = "lecture: why scaling",
                               .measured = training[0].accuracy,
                               .test = AT_LEAST,
                               .bound = 0.95});
    double best = 0;
    for (int i = 1; i < TRAININGS; i++)
        best = training[i].scaled ? best : fmax(best, training[i].accuracy);
    claim(lab->claims, (Claim){.id = "unscaled-stalls",
                               .statement = "without scaling it is not: the best of three rates and Adam",
                               .source = "lecture: scores too large -> scaling",
                               .measured = best,
                               .test = AT_MOST,
                               .bound = 0.75});
}
