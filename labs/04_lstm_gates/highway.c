/* Step 3. The gradient's highway, and how far it reaches.
 *
 * In c_t = f_t c_{t-1} + i_t g_t the old cell is multiplied by a number between
 * 0 and 1 and by nothing else; so on this path dc_T/dc_t is the product of the
 * forget gates in between.  With gates near sigmoid(b), b the forget bias, a
 * gradient shrinks by about sigmoid(b) a step: the bias is the length of memory. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "gates.h"
#include "maths.h"
#include "memory.h"
#include "parallel.h"

/* ---- the direct path ---------------------------------------------------------------------- */

enum { PATH = 24, PATH_HIDDEN = 8, PATH_INPUTS = 4 };

/* The gates of an LSTM at every step, and dc_T/dc_t in both ways: with every gate
 * held fixed (the direct path), and with all paths through h_t and the gates.
 * The loss is the sum of c_T. */
typedef struct {
    real forget[PATH][PATH_HIDDEN];   /* f_t */
    real product[PATH][PATH_HIDDEN];  /* f_{t+1} ... f_T, multiplied up */
    real direct[PATH][PATH_HIDDEN];   /* dc_T/dc_t by backpropagation, gates fixed */
    real complete[PATH][PATH_HIDDEN]; /* and through everything */
} Path;

static void run_path(Path *path, const Recurrent *layer, const real *x)
{
    Tape *tape = tape_new(1);
    Tensor *h = tape_input(tape, "h", SHAPE(1, PATH_HIDDEN), NULL),
           *c = tape_variable(tape, "c", SHAPE(1, PATH_HIDDEN), NULL);
    Tensor *fixed_c = tape_variable(tape, "c", SHAPE(1, PATH_HIDDEN), NULL), *cells[PATH], *fixed_cells[PATH];
    for (int t = 0; t < PATH; t++) {
        LstmStep s = lstm_step(tape, layer, tape_input(tape, "x", SHAPE(1, PATH_INPUTS), x + t * PATH_INPUTS), h, c);
        /* the same step with its gates as plain numbers */
        Tensor *f = tape_input(tape, "f", s.f->shape, s.f->data),
               *added = tape_input(tape, "i g", s.added->shape, s.added->data);
        Tensor *kept = op_multiply(tape, f, fixed_c);
        fixed_c = fixed_cells[t] = op_add(tape, kept, added);
        h = s.h;
        c = cells[t] = s.c;
        for (int j = 0; j < PATH_HIDDEN; j++)
            path->forget[t][j] = s.f->data[j];
    }
    for (int j = 0; j < PATH_HIDDEN; j++)
        for (int t = PATH - 1; t >= 0; t--)
            path->product[t][j] = t == PATH - 1 ? 1 : path->product[t + 1][j] * path->forget[t + 1][j];
    tape_backward(tape, op_sum(tape, fixed_c));
    for (int t = 0; t < PATH; t++)
        for (int j = 0; j < PATH_HIDDEN; j++)
            path->direct[t][j] = fixed_cells[t]->grad[j];
    tape_backward(tape, op_sum(tape, c));
    for (int t = 0; t < PATH; t++)
        for (int j = 0; j < PATH_HIDDEN; j++)
            path->complete[t][j] = cells[t]->grad[j];
    tape_free(tape);
}

static void direct_path(Lab *lab)
{
    Rng rng = lab_rng(lab, "direct path");
    Parameters *parameters = parameters_new();
    Recurrent layer = recurrent_new(parameters, "layer", CELL_LSTM, PATH_INPUTS, PATH_HIDDEN, &rng);
    recurrent_set_bias(&layer, LSTM_FORGET, 1);
    real x[PATH * PATH_INPUTS];
    for (int i = 0; i < PATH * PATH_INPUTS; i++)
        x[i] = rng_normal(&rng);
    Path path;
    run_path(&path, &layer, x);

    double worst = 0;
    for (int t = 0; t < PATH; t++)
        for (int j = 0; j < PATH_HIDDEN; j++)
            worst = fmax(worst, fabs((double)path.direct[t][j] / (double)path.product[t][j] - 1));
    trace(lab->trace,
          "An LSTM with random weights and forget bias 1 reads %d random inputs.  For its unit 1, T = %d:\n\n", PATH,
          PATH);
    trace_table(lab->trace, "t\tT - t\tf_t\tproduct f_{t+1} ... f_T\tdc_T/dc_t, gates fixed\tthrough all paths");
    static const int shown[] = {PATH - 1, PATH - 2, PATH - 3, PATH - 5, PATH - 9, PATH - 17, 0};
    for (size_t k = 0; k < sizeof shown / sizeof *shown; k++) {
        int t = shown[k];
        trace_row(lab->trace, "%d\t%d\t%.4f\t%.6f\t%.6f\t%.6f", t + 1, PATH - 1 - t, (double)path.forget[t][0],
                  (double)path.product[t][0], (double)path.direct[t][0], (double)path.complete[t][0]);
    }
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nThe last column has more: c_t also changes h_t and through it every later gate.  Those paths go\n"
          "through weights and tanh, like an RNN's; the direct one does not.\n");
    claim(lab->claims, (Claim){.id = "direct-path-is-forget-product",
                               .statement = "on the direct path dc_T/dc_t by backpropagation is the product of the "
                                            "forget gates (largest relative difference)",
                               .source = "lecture: the cell state; Gers 2000, section 3",
                               .measured = worst,
                               .test = AT_MOST,
                               .bound = 1e-5});
    parameters_free(parameters);
}

/* ---- the norm of dL/dh_t against the distance ------------------------------------------------ */

void gradient_by_distance(Tape *tape, Tensor *states, const Tensor *of, Rng *rng, double *log_norm)
{
    int steps = states->shape.dim[0], batch = states->shape.dim[1], hidden = states->shape.dim[2];
    Tensor *last = op_slice(tape, states, 0, steps - 1, steps);
    Tensor *direction = tape_input(tape, "direction", SHAPE(1, batch, hidden), NULL);
    for (int row = 0; row < batch; row++) {
        real *v = direction->data + (size_t)row * hidden;
        double squares = 0;
        for (int j = 0; j < hidden; j++) {
            v[j] = rng_normal(rng);
            squares += (double)v[j] * (double)v[j];
        }
        for (int j = 0; j < hidden; j++)
            v[j] = (real)((double)v[j] / sqrt(squares));
    }
    Tensor *weighted = op_multiply(tape, last, direction);
    tape_backward(tape, op_sum(tape, weighted));
    for (int k = 0; k < steps; k++) {
        log_norm[k] = 0;
        for (int row = 0; row < batch; row++) {
            const real *g = of->grad + ((size_t)(steps - 1 - k) * batch + row) * hidden;
            double squares = 0;
            for (int j = 0; j < hidden; j++)
                squares += (double)g[j] * (double)g[j];
            log_norm[k] += 0.5 * log64(squares) / batch;
        }
    }
}

double slope_of(const double *log_norm, int from, int to)
{
    double n = to - from, mean_k = 0, mean_y = 0, top = 0, bottom = 0;
    for (int k = from; k < to; k++) {
        mean_k += k / n;
        mean_y += log_norm[k] / n;
    }
    for (int k = from; k < to; k++) {
        top += (k - mean_k) * (log_norm[k] - mean_y);
        bottom += (k - mean_k) * (k - mean_k);
    }
    return top / bottom;
}

/* One curve at initialisation: a cell with one bias of the gate that keeps. */
enum { DECAY_NETWORKS = 4, MOST_DECAY = 128, BIASES = 5, MOST_CURVES = 2 * BIASES + 3 };
static const double biases[BIASES] = {0, 1, 2, 3, 5};

typedef struct {
    CellKind kind;
    double bias; /* LSTM: forget; GRU: update; RNN: none */
    double log_norm[MOST_DECAY];
    double slope;
} Curve;

typedef struct {
    const Lab *lab;
    const Config *config;
    Curve *curves;
} DecayJob;

/* A gradient below this has lost digits to the smallest floats. */
static const double LOWEST_LOG = -69; /* 1e-30 */

/* Adds the log norms of one random network on one batch of random inputs. */
static void measure_network(const Config *config, Curve *curve, Rng *rng)
{
    int steps = config->decay_length, batch = config->decay_batch, inputs = config->decay_inputs;
    double log_norm[MOST_DECAY] = {0};
    Parameters *parameters = parameters_new();
    Recurrent layer = recurrent_new(parameters, "layer", curve->kind, inputs, config->decay_hidden, rng);
    if (curve->kind == CELL_LSTM)
        recurrent_set_bias(&layer, LSTM_FORGET, (real)curve->bias);
    if (curve->kind == CELL_GRU)
        recurrent_set_bias(&layer, GRU_UPDATE, (real)curve->bias);
    Tape *tape = tape_new(1);
    Tensor *x = tape_input(tape, "x", SHAPE(steps, batch, inputs), NULL);
    for (size_t i = 0; i < x->size; i++)
        x->data[i] = rng_normal(rng);
    Tensor *states = recurrent(tape, &layer, x, NULL, (Sequence){0}); /* [T, B, H] */
    gradient_by_distance(tape, states, states, rng, log_norm);
    for (int k = 0; k < steps; k++)
        curve->log_norm[k] += log_norm[k] / DECAY_NETWORKS;
    tape_free(tape);
    parameters_free(parameters);
}

static void measure_curve(int index, void *context)
{
    const DecayJob *job = context;
    Curve *curve = &job->curves[index];
    Rng rng = lab_rng(job->lab, "decay"); /* the same weights and inputs for every bias */
    for (int i = 0; i < DECAY_NETWORKS; i++)
        measure_network(job->config, curve, &rng);
    int to = 0;
    while (to < job->config->decay_length && curve->log_norm[to] > LOWEST_LOG)
        to++;
    curve->slope = slope_of(curve->log_norm, to / 5, to);
}

static double log_sigmoid(double b)
{
    return -log64(1 + exp64(-b));
}

static void draw_log_norm(Panel *panel, const char *label, const double *log_norm, int n)
{
    real distance[MOST_DISTANCE], norm[MOST_DISTANCE];
    for (int k = 0; k < n; k++) {
        distance[k] = (real)k;
        norm[k] = log_norm[k] > LOWEST_LOG ? (real)exp64(log_norm[k]) : (real)NAN;
    }
    panel_line(panel, label, distance, norm, n);
}

/* The curves of one kind of cell, with the RNN's for comparison. */
static void draw_kind(Figure *figure, const char *title, CellKind kind, const Curve *curves, int n, int steps)
{
    Panel *panel = figure_panel(figure, title, "distance T - t", "norm of dL/dh_t");
    panel_log_y(panel);
    panel_range_y(panel, 1e-16, 10);
    for (int i = 0; i < n; i++) {
        char label[64];
        if (curves[i].kind == CELL_RNN)
            snprintf(label, sizeof label, "RNN");
        else
            snprintf(label, sizeof label, "%s bias %g", kind == CELL_LSTM ? "forget" : "update", curves[i].bias);
        if (curves[i].kind == kind || curves[i].kind == CELL_RNN)
            draw_log_norm(panel, label, curves[i].log_norm, steps);
    }
}

static void trace_curves(Lab *lab, const Curve *curves, int n)
{
    trace_table(lab->trace,
                "cell\tbias\tsigmoid(bias)\tlog of it\tslope measured\tgradient halves in\tnorm at distance 99");
    for (int i = 0; i < n; i++) {
        const Curve *c = &curves[i];
        char halves[32] = "never", norm[32];
        double far = c->log_norm[99];
        if (c->slope < -0.001)
            snprintf(halves, sizeof halves, "%.1f steps", log64(0.5) / c->slope);
        if (far > LOWEST_LOG)
            snprintf(norm, sizeof norm, "%.0e", exp64(far));
        else
            snprintf(norm, sizeof norm, "below 1e-30");
        if (c->kind == CELL_RNN)
            trace_row(lab->trace, "RNN\t\t\t\t%.3f\t%s\t%s", c->slope, halves, norm);
        else
            trace_row(lab->trace, "%s\t%g\t%.3f\t%.3f\t%.3f\t%s\t%s", c->kind == CELL_LSTM ? "LSTM" : "GRU", c->bias,
                      exp64(log_sigmoid(c->bias)), log_sigmoid(c->bias), c->slope, halves, norm);
    }
    trace_table_end(lab->trace);
}

/* The largest distance between slope and log sigmoid(bias) over the biases from 1. */
static double worst_slope(const Curve *curves, int n, CellKind kind)
{
    double worst = 0;
    for (int i = 0; i < n; i++)
        if (curves[i].kind == kind && curves[i].bias >= 1)
            worst = fmax(worst, fabs(curves[i].slope - log_sigmoid(curves[i].bias)));
    return worst;
}

static const Curve *curve_with(const Curve *curves, int n, CellKind kind, double bias)
{
    for (int i = 0; i < n; i++)
        if (curves[i].kind == kind && curves[i].bias == bias)
            return &curves[i];
    return NULL;
}

static void claim_slopes(Lab *lab, const Curve *curves, int n)
{
    claim(lab->claims, (Claim){.id = "lstm-slope-is-forget-bias",
                               .statement = "before training the gradient through an LSTM changes a step by a factor "
                                            "whose logarithm is near log sigmoid(b), b its forget bias 1, 2, 3, 5 "
                                            "(-0.31 to -0.01; largest difference)",
                               .source = "Tallec & Ollivier 2018, section 2; Gers 2000",
                               .measured = worst_slope(curves, n, CELL_LSTM),
                               .test = AT_MOST,
                               .bound = 0.15});
    claim(lab->claims, (Claim){.id = "gru-slope-is-update-bias",
                               .statement = "the same for a GRU and its update bias",
                               .source = "Tallec & Ollivier 2018, section 2",
                               .measured = worst_slope(curves, n, CELL_GRU),
                               .test = AT_MOST,
                               .bound = 0.15});
}

static void claim_reach(Lab *lab, const Curve *curves, int n)
{
    const Curve *rnn = curve_with(curves, n, CELL_RNN, 0), *one = curve_with(curves, n, CELL_LSTM, 1),
                *five = curve_with(curves, n, CELL_LSTM, 5);
    claim(lab->claims,
          (Claim){.id = "forget-bias-one-vanishes",
                  .statement =
                      "an LSTM does not end the vanishing by itself: with the usual forget bias 1 the gradient "
                      "still falls exponentially (slope before training)",
                  .source = "lecture: the LSTM solves the vanishing gradient; Jozefowicz 2015: forget bias 1",
                  .measured = one->slope,
                  .test = BETWEEN,
                  .bound = -0.35,
                  .upper = -0.15,
                  .corrects = true});
    claim(lab->claims, (Claim){.id = "gates-reach-farther",
                               .statement = "it vanishes later than the RNN's: with forget bias 1 the slope of the RNN "
                                            "is this many times the LSTM's",
                               .source = "lecture: LSTM against RNN",
                               .measured = rnn->slope / one->slope,
                               .test = AT_LEAST,
                               .bound = 2});
    claim(lab->claims,
          (Claim){.id = "forget-bias-five-reaches",
                  .statement = "with forget bias 5 at least a hundredth of the gradient is left after 99 steps",
                  .source = "Tallec & Ollivier 2018: the forget gate is the length of memory",
                  .measured = exp64(five->log_norm[99] - five->log_norm[0]),
                  .test = AT_LEAST,
                  .bound = 0.01});
}

/* ---- after training ------------------------------------------------------------------------- */

/* The networks of step 4 at one lag: slopes and curves before and after training. */
static void after_training(Lab *lab, Gates *self, Figure *figure)
{
    int lag = self->config.judged_lag;
    double worst = 0;
    recall_of(lab, self, WAY_RNN, lag); /* trains them all */
    trace(lab->trace,
          "\nAnd after training?  The networks of step 4, asked for a door's colour after %d words, and the\n"
          "slopes on such stories, for the state that carries the memory: h_t, and in an LSTM the cell c_t.\n\n",
          lag);
    char title[64];
    snprintf(title, sizeof title, "after training on recall over %d words", lag);
    Panel *panel = figure_panel(figure, title, "distance T - t", "norm of dL/dh_t (LSTM: dL/dc_t)");
    panel_log_y(panel);
    panel_range_y(panel, 1e-9, 10);
    trace_table(lab->trace, "network\tslope before\tslope after\trecall");
    for (int way = 0; way < WAYS; way++) {
        if (!way_tried(lab, (Way)way))
            continue;
        const Recall *r = recall_of(lab, self, (Way)way, lag);
        char label[80];
        snprintf(label, sizeof label, "%s: %.0f %% right", way_name((Way)way), 100 * r->result.accuracy);
        draw_log_norm(panel, label, r->after.log_norm, r->after.n);
        trace_row(lab->trace, "%s\t%.3f\t%.3f\t%.3f", way_name((Way)way), r->before.slope, r->after.slope,
                  r->result.accuracy);
        if (way == WAY_GRU_LAG || way == WAY_LSTM_LAG)
            worst = fmax(worst, fabs(r->after.slope));
    }
    trace_table_end(lab->trace);
    trace(lab->trace, "\nWhat remembers has a slope near 0.  Training can flatten it, but only where enough gradient\n"
                      "arrives for it to begin; biases for the lag see to that from the first step.\n");
    claim(lab->claims,
          (Claim){.id = "trained-slope-near-zero",
                  .statement = "after training on recall the gradient of LSTM and GRU (biases for the lag) "
                               "hardly changes with the distance (the larger slope, without its sign)",
                  .source = "lecture: the gradient's highway; Hochreiter & Schmidhuber 1997",
                  .measured = worst,
                  .test = AT_MOST,
                  .bound = 0.03});
}

void step_highway(Lab *lab, void *state)
{
    Gates *self = state;
    Curve *curves = memory_new(MOST_CURVES, sizeof *curves, "curves");
    int n = 0, steps = self->config.decay_length;
    direct_path(lab);
    curves[n++] = (Curve){.kind = CELL_RNN};
    for (int i = 0; i < BIASES; i++)
        curves[n++] = (Curve){.kind = CELL_GRU, .bias = biases[i]};
    for (int i = 0; i < BIASES; i++)
        curves[n++] = (Curve){.kind = CELL_LSTM, .bias = biases[i]};
    int usual = n;
    if (self->own_bias_given) {
        curves[n++] = (Curve){.kind = CELL_GRU, .bias = self->own_bias};
        curves[n++] = (Curve){.kind = CELL_LSTM, .bias = self->own_bias};
    }
    DecayJob job = {lab, &self->config, curves};
    parallel_for(lab->threads, n, measure_curve, &job);

    trace(lab->trace,
          "\nHow fast does dL/dh_t fall with the distance?  Networks of %d units before any training, %d\n"
          "random inputs, L a random direction of the last state; slopes are of the logarithm:\n\n",
          self->config.decay_hidden, steps);
    trace_curves(lab, curves, n);
    trace(lab->trace,
          "\nThe forget gate is near sigmoid(bias), and that is nearly the factor a step; the slopes lie above\n"
          "its logarithm because the other paths, through h and the gates, add to the gradient, most where\n"
          "the bias is 0.  A bias of 1 (Gers 2000; Jozefowicz 2015) is a memory of a few steps, not the end\n"
          "of vanishing.\n");
    claim_slopes(lab, curves, usual);
    claim_reach(lab, curves, usual);

    Figure *figure = figure_begin(lab->figures, "gradient_highway", "How much of the gradient arrives");
    figure_layout(figure, 3, 560, 560);
    draw_kind(figure, "LSTM before training, by forget bias", CELL_LSTM, curves, n, steps);
    draw_kind(figure, "GRU before training, by update bias", CELL_GRU, curves, n, steps);
    after_training(lab, self, figure);
    figure_end(figure);
    free(curves);
}
