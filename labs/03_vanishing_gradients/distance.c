/* Step 4. Backpropagation through time, and what becomes of the gradient.
 *
 * Pascanu, Mikolov & Bengio 2013, equation 5:
 *     dh_T/dh_t = product over i = t+1 ... T of  diag(tanh'(a_i)) W_hh
 * one factor a word.  If the largest singular value of W_hh is s, no factor
 * makes a vector longer than s (tanh' <= 1), so dL/dh_t cannot be larger than
 * s^(T-t) times dL/dh_T: equations 6 and 7. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "maths.h"
#include "memory.h"
#include "parallel.h"
#include "vanishing.h"

/* ---- matrices ---------------------------------------------------------------- */

/* The spectral radius by Gelfand's formula: the limit of |W^k|^(1/k), here for
 * k = 2^SQUARINGS; W is squared again and again and kept at size 1. */
static double spectral_radius(const real *W, int n)
{
    enum { SQUARINGS = 14 };
    size_t size = (size_t)n * (size_t)n;
    real *power = memory_new(size, sizeof(real), "a matrix"), *square = memory_new(size, sizeof(real), "a matrix");
    memcpy(power, W, size * sizeof(real));
    double log_norm = 0; /* of W^k, with k = 2^i, divided by k */
    for (int i = 0; i < SQUARINGS; i++) {
        double norm = norm_of(power, size);
        log_norm += log64(norm) / ldexp(1, i);
        for (size_t j = 0; j < size; j++)
            power[j] /= (real)norm;
        kernel_matmul(n, n, n, strided(power, n), strided(power, n), square, n, false, 1);
        memcpy(power, square, size * sizeof(real));
    }
    log_norm += log64(norm_of(power, size)) / ldexp(1, SQUARINGS);
    free(power);
    free(square);
    return exp64(log_norm);
}

/* The largest singular value: power iteration on W^T W. */
static double largest_singular_value(const real *W, int n)
{
    real *v = memory_new((size_t)n, sizeof(real), "a vector"), *u = memory_new((size_t)n, sizeof(real), "a vector");
    double size = 0;
    for (int i = 0; i < n; i++)
        v[i] = (real)(1 / sqrt(n));
    for (int round = 0; round < 500; round++) {
        kernel_matmul(1, n, n, strided(v, n), strided(W, n), u, n, false, 1);
        kernel_matmul(1, n, n, strided(u, n), strided_transposed(W, n), v, n, false, 1);
        size = norm_of(v, (size_t)n);
        for (int i = 0; i < n; i++)
            v[i] /= (real)size;
    }
    free(v);
    free(u);
    return sqrt(size);
}

static void scale(real *W, int n, double factor)
{
    for (int i = 0; i < n * n; i++)
        W[i] *= (real)factor;
}

/* ---- the experiment ---------------------------------------------------------- */

enum { MOST_STEPS = 128 };
typedef enum { ORTHOGONAL, RANDOM, USUAL } Matrix;
typedef enum { LINEAR, TANH } Cell;

/* One network and what its gradient does over distance. */
typedef struct {
    Matrix matrix;
    Cell cell;
    double radius;      /* of W_hh; for USUAL measured */
    double input_scale; /* of the normal inputs */
    int units, inputs, batch, steps;
    Rng rng;
    /* results */
    double singular;           /* the largest singular value of W_hh */
    int points;                /* distances 0 ... points-1 whose norm a float can hold */
    real distance[MOST_STEPS]; /* T - t */
    real log_norm[MOST_STEPS]; /* of |dL/dh_t| / |dL/dh_T|, mean over stories */
    double slope;
    double excess; /* the most by which log|dL/dh_t| is above (T-t) log s, any story */
} Distance;

/* W_hh by the kind of matrix, of the radius that is asked for. */
static Tensor *recurrent_matrix(Distance *d, Parameters *parameters)
{
    int n = d->units;
    Tensor *W;
    if (d->matrix == ORTHOGONAL) {
        W = parameter_orthogonal(parameters, "W_hh", n, (real)d->radius, &d->rng);
    } else if (d->matrix == RANDOM) {
        W = parameter_normal(parameters, "W_hh", SHAPE(n, n), 1 / m_sqrt((real)n), &d->rng);
        scale(W->data, n, d->radius / spectral_radius(W->data, n));
    } else {
        W = parameter_uniform(parameters, "W_hh", SHAPE(n, n), 1 / m_sqrt((real)n), &d->rng);
        d->radius = spectral_radius(W->data, n);
    }
    d->singular = d->matrix == ORTHOGONAL ? d->radius : largest_singular_value(W->data, n);
    return W;
}

/* |dL/dh_t| of each story: its logarithm's mean, and how far it is above the bound. */
static void measure(Distance *d, Tensor *const *states)
{
    const double smallest = 1e-35; /* below, a float has no digits left */
    for (d->points = 0; d->points < d->steps; d->points++) {
        const Tensor *h = states[d->steps - 1 - d->points];
        double mean = 0;
        for (int story = 0; story < d->batch; story++) {
            double norm = norm_of(h->grad + (size_t)story * (size_t)d->units, (size_t)d->units);
            if (norm < smallest)
                return;
            mean += log64(norm) / d->batch;
            d->excess = fmax(d->excess, log64(norm) - d->points * log64(d->singular));
        }
        d->distance[d->points] = (real)d->points;
        d->log_norm[d->points] = (real)mean;
    }
}

/* Reads T normal inputs; the loss is u . h_T with a random direction u of length
 * 1 for each story, so |dL/dh_T| = 1. */
static void run_distance(Distance *d)
{
    Parameters *parameters = parameters_new();
    Tape *tape = tape_new(1);
    RnnCell cell = {.W_hh = recurrent_matrix(d, parameters)};
    cell.W_xh = parameter_normal(parameters, "W_xh", SHAPE(d->inputs, d->units), 1 / m_sqrt((real)d->inputs), &d->rng);
    cell.b = parameter_zeros(parameters, "b", SHAPE(d->units));
    Tensor *h = tape_input(tape, "h_0", SHAPE(d->batch, d->units), NULL), *states[MOST_STEPS];
    for (int t = 0; t < d->steps; t++) {
        Tensor *x = tape_input(tape, "x", SHAPE(d->batch, d->inputs), NULL);
        for (size_t i = 0; i < x->size; i++)
            x->data[i] = (real)d->input_scale * rng_normal(&d->rng);
        RnnStep step = rnn_step(tape, &cell, x, h);
        states[t] = h = d->cell == LINEAR ? step.a : step.h;
    }
    Tensor *u = tape_input(tape, "u", SHAPE(d->batch, d->units), NULL);
    for (int story = 0; story < d->batch; story++) {
        real *row = u->data + (size_t)story * (size_t)d->units;
        for (int j = 0; j < d->units; j++)
            row[j] = rng_normal(&d->rng);
        double norm = norm_of(row, (size_t)d->units);
        for (int j = 0; j < d->units; j++)
            row[j] /= (real)norm;
    }
    tape_backward(tape, op_sum(tape, op_multiply(tape, h, u)));
    measure(d, states);
    int first = d->points / 5; /* the first steps still show which way u points */
    d->slope = slope_of(d->distance + first, d->log_norm + first, d->points - first);
    tape_free(tape);
    parameters_free(parameters);
}

static void run_one(int index, void *context)
{
    run_distance((Distance *)context + index);
}

static Distance distance_new(const Lab *lab, const Config *c, Matrix matrix, Cell cell, double radius,
                             double input_scale, const char *purpose)
{
    return (Distance){.matrix = matrix,
                      .cell = cell,
                      .radius = radius,
                      .input_scale = input_scale,
                      .units = c->units,
                      .inputs = c->inputs,
                      .batch = c->stories,
                      .steps = c->steps,
                      .rng = lab_rng(lab, purpose)};
}

/* ---- which steps a loss can reach --------------------------------------------- */

/* Norms of dL_tau/dh_t for a loss at each of the first words of a network as it
 * usually starts; rows tau, columns t. */
static void draw_flow(Lab *lab, const Config *c, Figure *figure)
{
    enum { WORDS = 10 };
    static const char *const labels[WORDS] = {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"};
    real cells[WORDS * WORDS];
    for (int tau = 0; tau < WORDS; tau++) {
        Distance d = distance_new(lab, c, USUAL, TANH, 0, 1, "flow");
        d.steps = tau + 1;
        run_distance(&d);
        for (int t = 0; t < WORDS; t++)
            cells[tau * WORDS + t] = t <= tau ? m_exp(d.log_norm[tau - t]) : (real)NAN;
    }
    panel_heatmap(figure_panel(figure, "A network as it starts: gradient at word t of a loss at word T", "t: the state",
                               "T: the loss"),
                  cells, WORDS, WORDS, labels, labels, MAGNITUDE);
    trace(lab->trace,
          "\nA network of %d units as it usually starts (weights uniform in +-1/sqrt(%d)), ten words,\n"
          "a loss at each: how much of it arrives at the words before (figure bptt_flow).  Of a\n"
          "loss at word 10, word 9 gets %.2f, word 5 %.3f, word 1 %.1e.\n",
          c->units, c->units, (double)cells[9 * WORDS + 8], (double)cells[9 * WORDS + 4], (double)cells[9 * WORDS]);
}

/* ---- gradient against distance ------------------------------------------------ */

enum { RADII = 5, KINDS = 3 };
static const double radii[RADII] = {0.5, 0.9, 1.0, 1.1, 1.5};
static const char *const kind_names[KINDS] = {"linear cell", "tanh, inputs of size 0.01", "tanh, inputs of size 1"};

static void draw_distance(Lab *lab, const Distance *runs, int n)
{
    Figure *figure =
        figure_begin(lab->figures, "gradient_by_distance", "How much of the loss arrives T - t words before it");
    figure_layout(figure, 3, 480, 520);
    for (int kind = 0; kind < KINDS; kind++) {
        Panel *panel = figure_panel(figure, kind_names[kind], "distance T - t", kind ? NULL : "|dL/dh_t| / |dL/dh_T|");
        panel_log_y(panel);
        panel_range_x(panel, 0, 100);
        panel_range_y(panel, 1e-20, 1e20);
        for (int i = 0; i < n; i++) {
            const Distance *d = &runs[kind * n + i];
            char label[32];
            real norms[MOST_STEPS];
            for (int k = 0; k < d->points; k++)
                norms[k] = m_exp(d->log_norm[k]);
            snprintf(label, sizeof label, "radius %g", d->radius);
            panel_line(panel, label, d->distance, norms, d->points);
        }
    }
    figure_end(figure);
}

/* Without the minus sign of a zero. */
static double plain(double x)
{
    return fabs(x) < 5e-5 ? 0 : x;
}

static void trace_distance(Lab *lab, const Distance *runs, int n)
{
    trace(lab->trace, "\nW_hh orthogonal times a radius: eigenvalues and singular values all have that size.\n"
                      "Slope of log |dL/dh_t| against T - t, to be compared with log(radius):\n\n");
    trace_table(lab->trace, "radius\tlog(radius)\tlinear\ttanh, inputs 0.01\ttanh, inputs 1\tlinear, 99 words back");
    for (int i = 0; i < n; i++) {
        const Distance *linear = &runs[i];
        char far[32] = "below 1e-35";
        if (linear->points == 100)
            snprintf(far, sizeof far, "%.1e", exp64((double)linear->log_norm[99]));
        trace_row(lab->trace, "%.2f\t%.4f\t%.4f\t%.4f\t%.4f\t%s", linear->radius, log64(linear->radius),
                  plain(linear->slope), plain(runs[n + i].slope), plain(runs[2 * n + i].slope), far);
    }
    trace_table_end(lab->trace);
    trace(lab->trace, "\nThe linear cell multiplies by the same matrix each time, so the gradient is an\n"
                      "exponential: to nothing below 1, to infinity above.  tanh multiplies by tanh' <= 1 as\n"
                      "well.  With small inputs and a radius below 1 the states stay near 0, where tanh' is 1,\n"
                      "and nothing changes; above 1 the states grow until tanh' holds them.  With inputs of\n"
                      "size 1 tanh' is small from the start, and even radius 1.5 vanishes: a radius above 1\n"
                      "is needed for explosion, but is not enough.  Figure gradient_by_distance.\n");
}

static void claim_distance(Lab *lab, const Distance *runs, int n)
{
    double error = 0, excess = -1;
    for (int i = 0; i < RADII; i++)
        if (radii[i] != 1)
            error = fmax(error, fabs(runs[i].slope / log64(radii[i]) - 1));
    for (int i = 0; i < KINDS * n; i++)
        excess = fmax(excess, runs[i].excess);
    claim(lab->claims,
          (Claim){.id = "slope-is-log-radius",
                  .source = "Pascanu 2013, section 2.1, equation 5",
                  .statement = "linear cell, radius 0.5, 0.9, 1.1, 1.5: slope of log |dL/dh_t| against T - t "
                               "is log(radius) (largest relative error)",
                  .measured = error,
                  .test = AT_MOST,
                  .bound = 0.05});
    claim(lab->claims,
          (Claim){.id = "linear-explodes",
                  .source = "Bengio 1994, section 4; Pascanu 2013, section 2.1",
                  .statement = "at radius 1.5 the linear cell's gradient grows over 99 words by this factor",
                  .measured = exp64((double)runs[4].log_norm[99]),
                  .test = AT_LEAST,
                  .bound = 1e15});
    claim(lab->claims,
          (Claim){.id = "linear-vanishes",
                  .source = "Bengio 1994, section 4; Pascanu 2013, section 2.1",
                  .statement = "at radius 0.9 this share of the linear cell's gradient is left after 99 words",
                  .measured = exp64((double)runs[1].log_norm[99]),
                  .test = AT_MOST,
                  .bound = 1e-4});
    claim(lab->claims, (Claim){.id = "singular-bound",
                               .source = "Pascanu 2013, equations 6 and 7",
                               .statement = "no cell at any distance is above s^(T-t), s the largest singular value "
                                            "(largest excess of the logarithm, all stories)",
                               .measured = excess,
                               .test = AT_MOST,
                               .bound = 1e-3});
    claim(lab->claims,
          (Claim){.id = "tanh-vanishes-above-1",
                  .source = "Pascanu 2013, section 2.1: above 1 is necessary for explosion, not sufficient",
                  .statement = "the tanh cell with inputs of size 1 vanishes even at radius 1.5 (slope)",
                  .measured = runs[2 * n + 4].slope,
                  .test = BELOW,
                  .bound = 0});
}

/* ---- slope against radius ------------------------------------------------------ */

enum { MOST_RADII = 32, CURVES = 4 };

static void spectrum(Lab *lab, const Config *c)
{
    static const char *const names[CURVES] = {"linear, orthogonal", "linear, random", "tanh, inputs 0.01",
                                              "tanh, inputs 1"};
    int n = c->random_radii;
    Distance *runs = memory_new(CURVES * (size_t)n, sizeof *runs, "radii");
    for (int i = 0; i < n; i++) {
        double radius = 0.4 + 1.2 * i / (n - 1);
        char purpose[64];
        snprintf(purpose, sizeof purpose, "radius %d of %d", i, n);
        runs[i] = distance_new(lab, c, ORTHOGONAL, LINEAR, radius, 1, purpose);
        runs[n + i] = distance_new(lab, c, RANDOM, LINEAR, radius, 1, purpose);
        runs[2 * n + i] = distance_new(lab, c, ORTHOGONAL, TANH, radius, 0.01, purpose);
        runs[3 * n + i] = distance_new(lab, c, ORTHOGONAL, TANH, radius, 1, purpose);
    }
    parallel_for(lab->threads, CURVES * n, run_one, runs);

    Figure *figure = figure_begin(lab->figures, "spectral_radius", "The slope is the logarithm of the spectral radius");
    Panel *panel = figure_panel(figure, NULL, "spectral radius of W_hh", "slope of log |dL/dh_t| against T - t");
    real x[MOST_RADII], y[MOST_RADII], bound[MOST_RADII], theory[MOST_RADII];
    double error = 0, looseness = REAL_MAX;
    for (int curve = 0; curve < CURVES; curve++) {
        for (int i = 0; i < n; i++) {
            const Distance *d = &runs[curve * n + i];
            x[i] = (real)d->radius;
            y[i] = (real)d->slope;
            theory[i] = (real)log64(d->radius);
            if (d->matrix != RANDOM)
                continue;
            bound[i] = (real)log64(d->singular);
            error = fmax(error, fabs(d->slope - log64(d->radius)));
            looseness = fmin(looseness, d->singular / d->radius);
        }
        panel_line(panel, names[curve], x, y, n);
    }
    panel_reference(panel, "log(radius)", x, theory, n);
    panel_reference(panel, "bound for the random one: log(s)", x, bound, n);
    figure_end(figure);
    trace(lab->trace,
          "\nA matrix of random numbers is not orthogonal: its largest singular value is at least\n"
          "%.2f times its spectral radius.  Over a few words its gradient may grow where over\n"
          "many it vanishes; far away it is the radius that counts: over %d radii the slope of the\n"
          "linear cell is within %.3f of log(radius).  Figure spectral_radius.\n",
          looseness, n, error);
    claim(lab->claims,
          (Claim){.id = "random-matrix",
                  .source = "Gelfand's formula; Pascanu 2013, section 2.1",
                  .statement = "for random matrices too the linear cell's slope is the logarithm of the spectral "
                               "radius (largest difference)",
                  .measured = error,
                  .test = AT_MOST,
                  .bound = 0.05});
    claim(lab->claims,
          (Claim){.id = "bound-is-loose",
                  .source = "Pascanu 2013, section 2.1: a bound, not the slope",
                  .statement = "the largest singular value of a random matrix is this many times its spectral radius: "
                               "a bound, not the slope (smallest ratio)",
                  .measured = looseness,
                  .test = AT_LEAST,
                  .bound = 1.4});
    free(runs);
}

/* ---- the step ------------------------------------------------------------------ */

static void as_it_starts(Lab *lab, const Config *c)
{
    Distance d = distance_new(lab, c, USUAL, TANH, 0, 1, "usual");
    run_distance(&d);
    trace(lab->trace,
          "\nAnd the network as it usually starts, uniform in +-1/sqrt(H): radius %.2f; with inputs\n"
          "of size 1 the gradient is multiplied by %.2f a word.  After 20 words %.0e is left.\n",
          d.radius, exp64(d.slope), exp64(20 * d.slope));
    claim(lab->claims, (Claim){.id = "usual-start",
                               .source = "Bengio 1994; the default of PyTorch's RNN",
                               .statement = "a network that starts uniform in +-1/sqrt(H) multiplies its gradient each "
                                            "word by",
                               .measured = exp64(d.slope),
                               .test = AT_MOST,
                               .bound = 0.6});
}

void step_vanishing(Lab *lab, void *state)
{
    const Vanishing *self = state;
    const Config *c = &self->config;
    Figure *flow = figure_begin(lab->figures, "bptt_flow", "Backpropagation through time");
    bptt_by_hand(lab, flow);
    draw_flow(lab, c, flow);
    figure_end(flow);

    int n = RADII + (self->radius > 0);
    Distance runs[KINDS * (RADII + 1)];
    for (int kind = 0; kind < KINDS; kind++)
        for (int i = 0; i < n; i++)
            runs[kind * n + i] = distance_new(lab, c, ORTHOGONAL, kind == 0 ? LINEAR : TANH,
                                              i < RADII ? radii[i] : self->radius, kind == 1 ? 0.01 : 1, "distance");
    parallel_for(lab->threads, KINDS * n, run_one, runs);
    trace_distance(lab, runs, n);
    draw_distance(lab, runs, n);
    claim_distance(lab, runs, n);
    spectrum(lab, c);
    as_it_starts(lab, c);
}
