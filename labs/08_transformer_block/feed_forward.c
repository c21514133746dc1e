/* feed_forward.c: step 4: the feed-forward network: why it bends, with what, and how wide. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "maths.h"
#include "memory.h"
#include "parallel.h"
#include "transformer_block.h"

/* ---- GELU and ReLU ---------------------------------------------------------------- */

enum { POINTS = 161 };

/* y and dy/dx at POINTS places from -4 to 4. */
static void activation(bool gelu, real *x, real *y, real *slope)
{
    Tape *tape = tape_new(1);
    for (int i = 0; i < POINTS; i++)
        x[i] = -4 + (real)i / 20;
    Tensor *in = tape_variable(tape, "x", SHAPE(POINTS), x);
    Tensor *out = gelu ? op_gelu(tape, in) : op_relu(tape, in);
    tape_backward(tape, op_sum(tape, out));
    for (int i = 0; i < POINTS; i++) {
        y[i] = out->data[i];
        slope[i] = in->grad[i];
    }
    tape_free(tape);
}

static void curves(Lab *lab, Figure *figure)
{
    real x[POINTS], relu[POINTS], relu_slope[POINTS], gelu[POINTS], gelu_slope[POINTS];
    int lowest = 0, steepest = 0, flat_relu = 0, flat_gelu = 0;
    activation(false, x, relu, relu_slope);
    activation(true, x, gelu, gelu_slope);
    trace_equation(lab->trace, HERE, "ReLU(x) = max(x, 0)     GELU(x) = x Phi(x), Phi: normal distribution");
    trace(lab->trace, "\n");
    trace_table(lab->trace, "x\tReLU\tits slope\tGELU\tits slope");
    for (int i = 0; i < POINTS; i++) {
        lowest = gelu[i] < gelu[lowest] ? i : lowest;
        steepest = gelu_slope[i] > gelu_slope[steepest] ? i : steepest;
        flat_relu += x[i] < 0 && relu_slope[i] == 0;
        flat_gelu += x[i] < 0 && gelu_slope[i] == 0;
        if (i % 20 == 0)
            trace_row(lab->trace, "%.0f\t%.3f\t%.3f\t%.4f\t%.4f", (double)x[i], (double)relu[i], (double)relu_slope[i],
                      (double)gelu[i], (double)gelu_slope[i]);
    }
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nGELU dips to %.4f (at x = %.2f), rises with a slope of up to %.3f, and below 0 it is never quite flat:\n"
          "of 80 points below 0 ReLU has slope 0 at %d, GELU at %d.\n",
          (double)gelu[lowest], (double)x[lowest], (double)gelu_slope[steepest], flat_relu, flat_gelu);
    Panel *panel = figure_panel(figure, "the two curves", "x", NULL);
    panel_line(panel, "ReLU", x, relu, POINTS);
    panel_line(panel, "GELU", x, gelu, POINTS);
    panel = figure_panel(figure, "their slopes", "x", NULL);
    panel_line(panel, "ReLU", x, relu_slope, POINTS);
    panel_line(panel, "GELU", x, gelu_slope, POINTS);
    claim(lab->claims, (Claim){.id = "gelu-dips",
                               .source = "Hendrycks 2016, section 2",
                               .statement = "GELU has a lowest point of -0.170, at x = -0.75",
                               .measured = (double)gelu[lowest],
                               .test = EQUALS,
                               .bound = -0.17,
                               .tolerance = 0.001});
    claim(lab->claims,
          (Claim){.id = "gelu-not-flat",
                  .source = "lecture: GELU against ReLU",
                  .statement =
                      "below 0 ReLU is flat and GELU nowhere is (of 80 points: flat under ReLU, less those under GELU)",
                  .measured = flat_relu - flat_gelu,
                  .test = EQUALS,
                  .bound = 80});
}

/* ---- units that died ----------------------------------------------------------------- */

/* A network d -> inner -> d learns what another random network does. */
enum { D = 16, TEACHER = 64, BATCH = 32, TESTS = 500 };

typedef struct {
    Parameters *parameters;
    Linear inner, outer;
    bool gelu;
} Net;

static Net net_new(int inner, bool gelu, real bias, Rng *rng)
{
    Net net = {.parameters = parameters_new(), .gelu = gelu};
    net.inner = linear_new(net.parameters, "inner", D, inner, rng);
    net.outer = linear_new(net.parameters, "outer", inner, D, rng);
    for (int i = 0; i < inner; i++)
        net.inner.bias->data[i] = bias;
    return net;
}

static Tensor *net_read(Tape *tape, const Net *net, Tensor *x)
{
    Tensor *inner = linear(tape, &net->inner, x); /* [N, inner] */
    return linear(tape, &net->outer, net->gelu ? op_gelu(tape, inner) : op_relu(tape, inner));
}

/* y = tanh(x A) B: A has columns of length 1.5, B such that y has about variance 1. */
typedef struct {
    real a[D * TEACHER], b[TEACHER * D];
} Teacher;

static void teacher_new(Teacher *teacher, Rng *rng)
{
    for (int i = 0; i < D * TEACHER; i++)
        teacher->a[i] = (real)1.5 * rng_normal(rng) / m_sqrt(D);
    for (int i = 0; i < TEACHER * D; i++)
        teacher->b[i] = (real)1.5 * rng_normal(rng) / m_sqrt(TEACHER);
}

static void draw_pairs(Tape *tape, const Teacher *teacher, int n, Rng *rng, Tensor **x, Tensor **y)
{
    *x = tape_input(tape, "x", SHAPE(n, D), NULL);
    for (size_t i = 0; i < (*x)->size; i++)
        (*x)->data[i] = rng_normal(rng);
    Tensor *hidden = op_tanh(tape, op_matmul(tape, *x, tape_input(tape, "A", SHAPE(D, TEACHER), teacher->a)));
    *y = op_matmul(tape, hidden, tape_input(tape, "B", SHAPE(TEACHER, D), teacher->b));
}

/* Trains and returns the error on new pairs over their variance; DEAD (or NULL)
 * receives the share of inner units that stay below 0 for all of them (ReLU), or
 * below -4, where GELU's slope is less than 0.0006. */
static double net_train(const Net *net, const Teacher *teacher, int steps, double rate, Rng *rng, double *dead)
{
    Tensor *x, *y;
    Optimiser *adam = adam_new(net->parameters, (Adam){.rate = rate});
    Tape *tape = tape_new(1);
    for (int step = 0; step < steps; step++) {
        tape_rewind(tape);
        draw_pairs(tape, teacher, BATCH, rng, &x, &y);
        tape_backward(tape, op_mean_squared_error(tape, net_read(tape, net, x), y));
        optimiser_set_rate(adam, rate * schedule_cosine(step, 0, steps, 0.05));
        optimiser_step(adam);
    }
    tape_record(tape, false);
    tape_rewind(tape);
    draw_pairs(tape, teacher, TESTS, rng, &x, &y);
    double error = (double)op_mean_squared_error(tape, net_read(tape, net, x), y)->data[0], variance = 0;
    for (size_t i = 0; i < y->size; i++)
        variance += (double)y->data[i] * (double)y->data[i] / (double)y->size;
    const Tensor *inner = linear(tape, &net->inner, x);
    int units = tensor_columns(inner), gone = 0;
    for (int u = 0; u < units; u++) {
        real most = -INFINITY;
        for (int r = 0; r < TESTS; r++)
            most = inner->data[r * units + u] > most ? inner->data[r * units + u] : most;
        gone += most <= (net->gelu ? -4 : 0);
    }
    if (dead)
        *dead = (double)gone / units;
    optimiser_free(adam);
    tape_free(tape);
    return error / variance;
}

enum { BIASES = 5, WIDTHS = 5 };
static const real biases[BIASES] = {0, -2, -4, -6, -8};
static const int widths[WIDTHS] = {8, 16, 32, 64, 128}; /* 1/2, 1, 2, 4, 8 times d */
typedef struct {
    const Lab *lab;
    int steps;
    double dead[2][BIASES], error[2][BIASES]; /* by activation */
    double by_width[2][WIDTHS];
} Nets;

static void one_net(int index, void *context)
{
    Nets *all = context;
    int gelu = index % 2, which = index / 2;
    Teacher *teacher = memory_new(1, sizeof *teacher, "a teacher");
    Rng rng = lab_rng(all->lab, "teacher"), weights = lab_rng(all->lab, "student"), pairs = lab_rng(all->lab, "pairs");
    teacher_new(teacher, &rng);
    Net net = which < BIASES ? net_new(4 * D, gelu, biases[which], &weights)
                             : net_new(widths[which - BIASES], gelu, 0, &weights);
    double dead, error = net_train(&net, teacher, all->steps, 5e-3, &pairs, &dead);
    if (which < BIASES) {
        all->dead[gelu][which] = dead;
        all->error[gelu][which] = error;
    } else {
        all->by_width[gelu][which - BIASES] = error;
    }
    parameters_free(net.parameters);
    free(teacher);
}

static void dead_units(Lab *lab, const Nets *all, Figure *figure)
{
    real x[BIASES], y[BIASES];
    trace(lab->trace,
          "\nA network %d -> %d -> %d learns what another one does, from different first biases of its %d units: the\n"
          "lower, the fewer inputs reach a unit. After %d steps: error over the variance, and the share of units\n"
          "that no input reaches (ReLU: always below 0; GELU: always below -4, where its slope is under 0.0006).\n\n",
          D, 4 * D, D, 4 * D, all->steps);
    trace_table(lab->trace, "first bias\terror, ReLU\tGELU\tdead, ReLU\tGELU");
    for (int i = 0; i < BIASES; i++)
        trace_row(lab->trace, "%.0f\t%.3f\t%.3f\t%.2f\t%.2f", (double)biases[i], all->error[0][i], all->error[1][i],
                  all->dead[0][i], all->dead[1][i]);
    trace_table_end(lab->trace);
    Panel *panel = figure_panel(figure, "started on the dead side", "first bias of all units", "dead after training");
    panel_range_y(panel, -0.05, 1.05);
    for (int gelu = 0; gelu < 2; gelu++) {
        for (int i = 0; i < BIASES; i++) {
            x[i] = biases[i];
            y[i] = (real)all->dead[gelu][i];
        }
        panel_line(panel, gelu ? "GELU" : "ReLU", x, y, BIASES);
    }
    claim(lab->claims,
          (Claim){.id = "relu-units-die",
                  .source = "lecture: dead units",
                  .statement = "ReLU units that start out of reach (bias -6) get no gradient: most stay dead (share)",
                  .measured = all->dead[0][3],
                  .test = AT_LEAST,
                  .bound = 0.7});
    claim(lab->claims, (Claim){.id = "gelu-units-return",
                               .source = "the same: GELU's slope is never 0",
                               .statement = "GELU's come back (share still dead)",
                               .measured = all->dead[1][3],
                               .test = AT_MOST,
                               .bound = 0.2});
    claim(lab->claims, (Claim){.id = "no-difference-otherwise",
                               .source = "lecture: GELU is better",
                               .statement = "from ordinary biases neither has dead units (share, both together)",
                               .measured = all->dead[0][0] + all->dead[1][0],
                               .test = AT_MOST,
                               .bound = 0.02});
}

static void width(Lab *lab, const Nets *all, Figure *figure)
{
    real x[WIDTHS], y[WIDTHS];
    trace(lab->trace, "\nHow wide? The same task, inner width 1/2 to 8 times d = %d:\n\n", D);
    trace_table(lab->trace, "inner width\ttimes d\tparameters\terror, ReLU\tGELU");
    for (int i = 0; i < WIDTHS; i++)
        trace_row(lab->trace, "%d\t%g\t%d\t%.3f\t%.3f", widths[i], (double)widths[i] / D,
                  2 * D * widths[i] + widths[i] + D, all->by_width[0][i], all->by_width[1][i]);
    trace_table_end(lab->trace);
    Panel *panel = figure_panel(figure, "how wide?", "inner width over d", "error over variance");
    panel_log_x(panel);
    panel_range_y(panel, 0, 0);
    for (int gelu = 0; gelu < 2; gelu++) {
        for (int i = 0; i < WIDTHS; i++) {
            x[i] = (real)widths[i] / D;
            y[i] = (real)all->by_width[gelu][i];
        }
        panel_line(panel, gelu ? "GELU" : "ReLU", x, y, WIDTHS);
    }
    claim(lab->claims, (Claim){.id = "four-times-as-wide",
                               .source = "Vaswani 2017, section 3.3: d_ff = 4 d",
                               .statement = "4 d leaves at most nine tenths of d's error (ReLU: share that is left)",
                               .measured = all->by_width[0][3] / all->by_width[0][1],
                               .test = AT_MOST,
                               .bound = 0.9});
    claim(
        lab->claims,
        (Claim){.id = "eight-times-as-wide",
                .source = "a rule of thumb, measured",
                .statement = "doubling it again gains less than going from d to 4 d did (ReLU: second gain over first)",
                .measured = (all->by_width[0][3] - all->by_width[0][4]) / (all->by_width[0][1] - all->by_width[0][3]),
                .test = AT_MOST,
                .bound = 1});
}

/* ---- without the bend ------------------------------------------------------------------- */

/* x W_1 W_2 W_3 against x (W_1 W_2 W_3). */
static double collapse(const Lab *lab)
{
    Rng rng = lab_rng(lab, "linear stack");
    Parameters *parameters = parameters_new();
    Tape *tape = tape_new(1);
    Tensor *w[3] = {parameter_glorot(parameters, "W_1", SHAPE(D, 4 * D), &rng),
                    parameter_glorot(parameters, "W_2", SHAPE(4 * D, 4 * D), &rng),
                    parameter_glorot(parameters, "W_3", SHAPE(4 * D, D), &rng)};
    Tensor *x = tape_input(tape, "x", SHAPE(BATCH, D), NULL), *layered = x;
    for (size_t i = 0; i < x->size; i++)
        x->data[i] = rng_normal(&rng);
    for (int i = 0; i < 3; i++)
        layered = op_matmul(tape, layered, w[i]);
    Tensor *one = op_matmul(tape, x, op_matmul(tape, op_matmul(tape, w[0], w[1]), w[2]));
    double most = 0;
    for (size_t i = 0; i < one->size; i++)
        most = fmax(most, fabs((double)one->data[i] - (double)layered->data[i]));
    tape_free(tape);
    parameters_free(parameters);
    return most;
}

/* "Do the two numbers have the same sign?" by 2 -> 16 -> 16 -> 2, with and without ReLU. */
static double same_sign(const Lab *lab, bool bent, int steps)
{
    enum { INNER = 16, ROWS = 64, NEW = 1000 };
    Rng weights = lab_rng(lab, "same sign weights"), rng = lab_rng(lab, "same sign");
    Parameters *parameters = parameters_new();
    Linear layer[3] = {linear_new(parameters, "1", 2, INNER, &weights),
                       linear_new(parameters, "2", INNER, INNER, &weights),
                       linear_new(parameters, "3", INNER, 2, &weights)};
    Optimiser *adam = adam_new(parameters, (Adam){.rate = 1e-2});
    Tape *tape = tape_new(1);
    int targets[NEW], right = 0;
    for (int step = 0; step <= steps; step++) {
        int rows = step < steps ? ROWS : NEW;
        tape_rewind(tape);
        Tensor *x = tape_input(tape, "x", SHAPE(rows, 2), NULL);
        for (int r = 0; r < rows; r++) {
            x->data[2 * r] = rng_normal(&rng);
            x->data[2 * r + 1] = rng_normal(&rng);
            targets[r] = x->data[2 * r] * x->data[2 * r + 1] > 0;
        }
        for (int l = 0; l < 3; l++) {
            x = linear(tape, &layer[l], x);
            x = bent && l < 2 ? op_relu(tape, x) : x;
        }
        if (step == steps) {
            for (int r = 0; r < rows; r++)
                right += (x->data[2 * r + 1] > x->data[2 * r]) == targets[r];
            break;
        }
        tape_backward(tape, op_cross_entropy(tape, x, targets));
        optimiser_step(adam);
    }
    optimiser_free(adam);
    tape_free(tape);
    parameters_free(parameters);
    return (double)right / NEW;
}

static void linear_stack(Lab *lab, int steps)
{
    double difference = collapse(lab), straight = same_sign(lab, false, steps), bent = same_sign(lab, true, steps);
    trace(lab->trace,
          "Without a bend between them, layers are one layer: x W_1 W_2 W_3 = x (W_1 W_2 W_3), to %.1e.\n"
          "\"Have two numbers the same sign?\" no straight line can tell. Three layers, 2 -> 16 -> 16 -> 2, %d steps:\n"
          "without ReLU %.3f right, with ReLU %.3f.\n",
          difference, steps, straight, bent);
    claim(lab->claims, (Claim){.id = "linear-stack-collapses",
                               .source = "lecture: without non-linearity",
                               .statement = "three linear layers are one matrix (largest difference)",
                               .measured = difference,
                               .test = AT_MOST,
                               .bound = 1e-4});
    claim(lab->claims, (Claim){.id = "linear-stack-fails",
                               .source = "lecture: no non-linearity -> FFN; Minsky & Papert 1969",
                               .statement = "a linear stack cannot tell whether two signs are equal (accuracy)",
                               .measured = straight,
                               .test = AT_MOST,
                               .bound = 0.68});
    claim(lab->claims, (Claim){.id = "bend-solves-it",
                               .source = "the same",
                               .statement = "with ReLU between the layers it is solved (accuracy)",
                               .measured = bent,
                               .test = AT_LEAST,
                               .bound = 0.95});
}

/* 8 d^2 + 5 d of 12 d^2 + 13 d numbers. */
static void parameter_share(Lab *lab)
{
    enum { WIDE = 64 };
    Rng rng = lab_rng(lab, "parameters");
    Parameters *parameters = parameters_new();
    Block layer =
        block_new(parameters, "block", (BlockSettings){.d = WIDE, .heads = 4, .feed_forward = 4 * WIDE}, &rng);
    size_t feed = layer.inner.weight->size + layer.inner.bias->size + layer.outer.weight->size + layer.outer.bias->size;
    size_t all = parameters_count(parameters);
    trace(lab->trace,
          "\nOf a block's %zu parameters (d = %d: 12 d^2 + 13 d) the FFN has %zu, %.1f %%: attention moves things "
          "between\n"
          "words, the FFN is where most of what a block knows is kept.\n",
          all, WIDE, feed, 100.0 * (double)feed / (double)all);
    claim(lab->claims, (Claim){.id = "parameters-of-a-block",
                               .source = "counted: 4 (d^2 + d) + (4 d^2 + 4 d) + (4 d^2 + d) + 4 d",
                               .statement = "a block has 12 d^2 + 13 d parameters (d = 64)",
                               .measured = (double)all,
                               .test = EQUALS,
                               .bound = 12.0 * WIDE * WIDE + 13 * WIDE});
    claim(lab->claims, (Claim){.id = "feed-forward-share",
                               .source = "the same",
                               .statement = "two thirds of them are the FFN's",
                               .measured = (double)feed / (double)all,
                               .test = EQUALS,
                               .bound = 2.0 / 3,
                               .tolerance = 0.01});
    parameters_free(parameters);
}

void step_feed_forward(Lab *lab, void *state)
{
    const TransformerBlock *self = state;
    Nets all = {.lab = lab, .steps = self->feed_steps};
    Figure *figure = figure_begin(lab->figures, "gelu_vs_relu", "The feed-forward network: GELU and ReLU");
    figure_layout(figure, 2, 620, 460);
    linear_stack(lab, 800);
    trace(lab->trace, "\n");
    curves(lab, figure);
    parallel_for(lab->threads, 2 * (BIASES + WIDTHS), one_net, &all);
    dead_units(lab, &all, figure);
    width(lab, &all, figure);
    figure_end(figure);
    parameter_share(lab);
}
