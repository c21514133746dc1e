/* steps_rnn.c: step 6: what a recurrent layer and a self-attention layer cost,
 * and how far a gradient has to travel in each. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "maths.h"
#include "memory.h"
#include "parallel.h"
#include "self_attention.h"

/* ---- multiply-adds, counted from the shapes of the products -------------------------- */

/* [rows, inner] x [inner, columns] */
static double product(int rows, int inner, int columns)
{
    return (double)rows * inner * columns;
}

/* Q K^T and A V: what Vaswani 2017 counts in table 1. */
static double looking(int n, int d)
{
    return product(n, d, n) + product(n, n, d);
}

/* A whole self-attention layer: X W_Q, X W_K, X W_V and W_O as well. */
static double attention_layer(int n, int d)
{
    return looking(n, d) + 4 * product(n, d, d);
}

/* x_t W_x and h_(t-1) W_h at every step. */
static double rnn_layer(int n, int d)
{
    return 2 * product(n, d, d);
}

typedef double Count(int n, int d);
enum { LAYERS = 3 };
static Count *const counts[LAYERS] = {looking, attention_layer, rnn_layer};
static const char *const layer_name[LAYERS] = {"attention: Q K^T and A V", "attention with projections", "RNN"};

/* The slope in a log-log plot between two sizes. */
static double slope(double low, double high, double times)
{
    return log64(high / low) / log64(times);
}

/* The number of positions at which looking costs as much as the RNN, width D. */
static int crossover(int d)
{
    int n = 1;
    while (looking(n, d) < rnn_layer(n, d))
        n++;
    return n;
}

enum { WIDTH = 64, POINTS = 8 }; /* n and d: 8, 16, ... 1024 */

static void trace_counts(Lab *lab)
{
    trace_equation(lab->trace, HERE, "looking: Q K^T and A V, each n x d x n           2 n^2 d");
    trace_equation(lab->trace, HERE, "a whole layer: and 4 projections n x d x d       2 n^2 d + 4 n d^2");
    trace_equation(lab->trace, HERE, "RNN: x_t W_x and h_(t-1) W_h, n times            2 n d^2");
    trace(lab->trace, "\nMultiply-adds for n positions of width d = %d:\n\n", WIDTH);
    trace_table(lab->trace, "n\tlooking\twith projections\tRNN\tlooking / RNN");
    for (int n = 8; n <= 1024; n *= 2)
        trace_row(lab->trace, "%d\t%.0f\t%.0f\t%.0f\t%g", n, looking(n, WIDTH), attention_layer(n, WIDTH),
                  rnn_layer(n, WIDTH), looking(n, WIDTH) / rnn_layer(n, WIDTH));
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nLooking is cheaper than an RNN as long as n < d (they meet at n = %d here), and dearer beyond. But a\n"
          "real layer also has its projections: with them it never does less work than the RNN, at least twice\n"
          "as much. What it gains is that nothing waits: every row can be computed at the same time.\n",
          crossover(WIDTH));
    trace(lab->trace, "\nNumbers kept for the way back, steps that have to wait for each other, and the longest path\n"
                      "between two positions:\n\n");
    trace_table(lab->trace, "n\tattention keeps n^2\tsteps\tpath\tRNN keeps n d\tsteps\tpath");
    for (int n = 8; n <= 1024; n *= 2)
        trace_row(lab->trace, "%d\t%d\t%d\t%d\t%d\t%d\t%d", n, n * n, 1, 1, n * WIDTH, n, n - 1);
    trace_table_end(lab->trace);
}

/* ---- how far a gradient travels ------------------------------------------------------- */

enum { LONG = 64, HIDDEN = 32, DRAWS = 16 };

typedef struct {
    Lab *lab;
    double norm[DRAWS][2][LONG]; /* of d loss / d x_i: RNN, attention */
} Paths;

/* The loss reads the last position only: sum of random weights times its output. */
static void gradient_norms(Tape *tape, Tensor *x, Tensor *last, Rng *rng, double *norm)
{
    Tensor *reader = tape_input(tape, "reader", last->shape, NULL);
    for (size_t i = 0; i < reader->size; i++)
        reader->data[i] = rng_normal(rng);
    tape_backward(tape, op_sum(tape, op_multiply(tape, last, reader)));
    for (int t = 0; t < LONG; t++) {
        double squares = 0;
        for (int i = 0; i < HIDDEN; i++)
            squares += (double)x->grad[t * HIDDEN + i] * (double)x->grad[t * HIDDEN + i];
        norm[t] = sqrt(squares);
    }
}

static void follow_paths(int index, void *context)
{
    Paths *paths = context;
    char stream[40];
    snprintf(stream, sizeof stream, "paths, draw %d", index);
    Rng rng = lab_rng(paths->lab, stream);
    Parameters *parameters = parameters_new();
    Recurrent rnn = recurrent_new(parameters, "rnn", CELL_RNN, HIDDEN, HIDDEN, &rng);
    Attention layer = attention_new(parameters, "attention", HIDDEN, 1, &rng);
    Tape *tape = tape_new(1);
    Tensor *x = tape_variable(tape, "x", SHAPE(LONG, 1, HIDDEN), NULL);
    for (size_t i = 0; i < x->size; i++)
        x->data[i] = rng_normal(&rng);
    Tensor *h = recurrent(tape, &rnn, x, NULL, (Sequence){0}); /* [T, 1, H] */
    gradient_norms(tape, x, op_slice(tape, h, 0, LONG - 1, LONG), &rng, paths->norm[index][0]);

    tape_rewind(tape);
    x = tape_variable(tape, "x", SHAPE(1, LONG, HIDDEN), NULL);
    for (size_t i = 0; i < x->size; i++)
        x->data[i] = rng_normal(&rng);
    Tensor *y = attention(tape, &layer, x, x, NULL, NULL); /* [1, T, d] */
    gradient_norms(tape, x, op_slice(tape, y, 1, LONG - 1, LONG), &rng, paths->norm[index][1]);
    tape_free(tape);
    parameters_free(parameters);
}

/* Means over the draws by distance 1 ... LONG - 1 from the last position. */
static void mean_by_distance(const Paths *paths, int kind, real mean[LONG])
{
    for (int distance = 1; distance < LONG; distance++) {
        double sum = 0;
        for (int draw = 0; draw < DRAWS; draw++)
            sum += paths->norm[draw][kind][LONG - 1 - distance];
        mean[distance] = (real)(sum / DRAWS);
    }
}

static double mean_between(const real *mean, int from, int to)
{
    double sum = 0;
    for (int i = from; i <= to; i++)
        sum += (double)mean[i];
    return sum / (to - from + 1);
}

/* ---- time: to the terminal and timing.tsv only ------------------------------------------ */

/* The shortest of a few runs of LAYER, forward only, on one processor. */
static double seconds_of(int layer, int n, int d)
{
    Rng rng = rng_new(1, "times");
    Parameters *parameters = parameters_new();
    Attention self = attention_new(parameters, "attention", d, 1, &rng);
    Recurrent rnn = recurrent_new(parameters, "rnn", CELL_RNN, d, d, &rng);
    Tape *tape = tape_new(1);
    double best = INFINITY, began = clock_thread_seconds();
    tape_record(tape, false);
    for (int i = 0; i < 50 && (i < 3 || clock_thread_seconds() - began < 0.01); i++) {
        tape_rewind(tape);
        Tensor *x = tape_input(tape, "x", layer == 2 ? SHAPE(n, 1, d) : SHAPE(1, n, d), NULL);
        double start = clock_thread_seconds();
        if (layer == 0)
            scaled_dot_product_attention(tape, x, x, x, NULL, NULL);
        else if (layer == 1)
            attention(tape, &self, x, x, NULL, NULL);
        else
            recurrent(tape, &rnn, x, NULL, (Sequence){0});
        best = fmin(best, clock_thread_seconds() - start);
    }
    tape_free(tape);
    parameters_free(parameters);
    return best;
}

/* The first n at which A takes longer than B, between the measured points. */
static double time_crossover(const real *n, const real *a, const real *b, int points)
{
    for (int i = 0; i < points; i++)
        if (a[i] > b[i]) {
            if (i == 0)
                return (double)n[0];
            double before = log64((double)(b[i - 1] / a[i - 1])), after = log64((double)(a[i] / b[i]));
            return (double)n[i - 1] * exp64(log64(2) * before / (before + after));
        }
    return INFINITY;
}

static void measure_times(Lab *lab)
{
    real size[POINTS], over_n[LAYERS][POINTS], over_d[LAYERS][POINTS];
    char name[120];
    for (int i = 0; i < POINTS; i++) {
        size[i] = (real)(8 << i);
        for (int layer = 0; layer < LAYERS; layer++) {
            over_n[layer][i] = (real)seconds_of(layer, 8 << i, WIDTH);
            over_d[layer][i] = (real)seconds_of(layer, WIDTH, 8 << i);
        }
    }
    for (int layer = 0; layer < LAYERS; layer++) {
        double counted_n = slope(counts[layer](128, WIDTH), counts[layer](512, WIDTH), 4);
        double counted_d = slope(counts[layer](WIDTH, 128), counts[layer](WIDTH, 512), 4);
        snprintf(name, sizeof name, "%s, slope of time over n = 128 ... 512 (counted: %.2f)", layer_name[layer],
                 counted_n);
        trace_timing(lab->trace, name, slope((double)over_n[layer][4], (double)over_n[layer][6], 4), "");
        snprintf(name, sizeof name, "%s, slope of time over d = 128 ... 512 (counted: %.2f)", layer_name[layer],
                 counted_d);
        trace_timing(lab->trace, name, slope((double)over_d[layer][4], (double)over_d[layer][6], 4), "");
    }
    double meeting = time_crossover(size, over_n[0], over_n[2], POINTS);
    if (isfinite(meeting))
        trace_timing(lab->trace, "at d = 64, looking takes longer than the RNN from n", meeting, "positions");

    Figure *figure = figure_begin(lab->figures, "rnn_vs_attention_time", "Measured: seconds on one processor, forward");
    for (int over = 0; over < 2; over++) {
        Panel *panel =
            figure_panel(figure, over == 0 ? "d = 64" : "n = 64", over == 0 ? "positions n" : "width d", "seconds");
        panel_log_x(panel);
        panel_log_y(panel);
        for (int layer = 0; layer < LAYERS; layer++)
            panel_line(panel, layer_name[layer], size, over == 0 ? over_n[layer] : over_d[layer], POINTS);
    }
    figure_end(figure);
}

/* ---- figure and claims ------------------------------------------------------------------ */

static void draw_counts(Figure *figure, bool over_n)
{
    real size[POINTS], ops[POINTS];
    Panel *panel = figure_panel(figure, over_n ? "work, d = 64" : "work, n = 64", over_n ? "positions n" : "width d",
                                "multiply-adds");
    panel_log_x(panel);
    panel_log_y(panel);
    for (int layer = 0; layer < LAYERS; layer++) {
        for (int i = 0; i < POINTS; i++) {
            size[i] = (real)(8 << i);
            ops[i] = (real)(over_n ? counts[layer](8 << i, WIDTH) : counts[layer](WIDTH, 8 << i));
        }
        panel_line(panel, layer_name[layer], size, ops, POINTS);
    }
}

/* log2 of looking / RNN over n (rows) and d (columns): 0 where n = d. */
static void draw_map(Figure *figure)
{
    static const char *const sizes[POINTS] = {"8", "16", "32", "64", "128", "256", "512", "1024"};
    real ratio[POINTS * POINTS];
    for (int i = 0; i < POINTS; i++)
        for (int j = 0; j < POINTS; j++)
            ratio[i * POINTS + j] =
                (real)floor(log64(looking(8 << i, 8 << j) / rnn_layer(8 << i, 8 << j)) / log64(2) + 0.5);
    panel_heatmap(figure_panel(figure, "attention / RNN, as a power of 2", "width d", "positions n"), ratio, POINTS,
                  POINTS, sizes, sizes, SIGNED);
}

/* Two lines over n. */
static void draw_pair(Figure *figure, const char *title, const char *label, const char *one, const char *other,
                      const real *n, const real *first, const real *second)
{
    Panel *panel = figure_panel(figure, title, "positions n", label);
    panel_log_x(panel);
    panel_log_y(panel);
    panel_line(panel, one, n, first, POINTS);
    panel_line(panel, other, n, second, POINTS);
}

static void draw(Lab *lab, const real *rnn, const real *self)
{
    real n[POINTS], squares[POINTS], states[POINTS], one[POINTS], distance[LONG];
    for (int i = 0; i < POINTS; i++) {
        n[i] = (real)(8 << i);
        squares[i] = n[i] * n[i];
        states[i] = n[i] * WIDTH;
        one[i] = 1;
    }
    for (int i = 0; i < LONG; i++)
        distance[i] = (real)i;
    Figure *figure = figure_begin(lab->figures, "rnn_vs_attention", "A recurrent layer and a self-attention layer");
    figure_layout(figure, 3, 520, 410);
    draw_counts(figure, true);
    draw_counts(figure, false);
    draw_map(figure);
    draw_pair(figure, "memory, d = 64", "numbers kept", "attention: n x n weights", "RNN: n states of width d", n,
              squares, states);
    draw_pair(figure, "steps that wait for each other", "steps", "attention", "RNN", n, one, n);
    Panel *panel = figure_panel(figure, "the way back of the gradient", "distance |i - j|", "gradient at x_i");
    panel_log_y(panel);
    panel_line(panel, "attention: 1 step", distance + 1, self + 1, LONG - 1);
    panel_line(panel, "RNN: |i - j| steps", distance + 1, rnn + 1, LONG - 1);
    figure_end(figure);
}

/* The least that a whole attention layer costs, in RNNs. */
static double least_ratio(void)
{
    double least = INFINITY;
    for (int n = 1; n <= 1024; n *= 2)
        for (int d = 1; d <= 1024; d *= 2)
            least = fmin(least, attention_layer(n, d) / rnn_layer(n, d));
    return least;
}

static void claim_counts(Lab *lab)
{
    claim(lab->claims, (Claim){.id = "looking-is-quadratic",
                               .statement = "the work of looking grows with n^2: log-log slope over n",
                               .source = "Vaswani 2017, table 1: O(n^2 d)",
                               .measured = slope(looking(256, WIDTH), looking(1024, WIDTH), 4),
                               .test = EQUALS,
                               .bound = 2,
                               .tolerance = 0.01});
    claim(lab->claims, (Claim){.id = "layer-is-quadratic-when-long",
                               .statement = "that of a whole layer does where n is at least 16 d: slope over n",
                               .source = "2 n^2 d + 4 n d^2",
                               .measured = slope(attention_layer(16 * 16, 16), attention_layer(64 * 16, 16), 4),
                               .test = EQUALS,
                               .bound = 2,
                               .tolerance = 0.15});
    claim(lab->claims, (Claim){.id = "rnn-is-quadratic-in-width",
                               .statement = "the work of an RNN grows with d^2: log-log slope over d",
                               .source = "Vaswani 2017, table 1: O(n d^2)",
                               .measured = slope(rnn_layer(WIDTH, 256), rnn_layer(WIDTH, 1024), 4),
                               .test = EQUALS,
                               .bound = 2,
                               .tolerance = 0.01});
    claim(lab->claims, (Claim){.id = "crossover-at-width",
                               .statement = "looking costs as much as an RNN of width 64 at n = 64: attention where "
                                            "n < d, RNN where n >> d",
                               .source = "lecture; Vaswani 2017, section 4",
                               .measured = crossover(WIDTH),
                               .test = EQUALS,
                               .bound = WIDTH});
    claim(lab->claims, (Claim){.id = "projections-count-too",
                               .statement = "with its projections a self-attention layer does at least twice the "
                                            "work of an RNN, whatever n and d: the gain is that nothing waits",
                               .source = "lecture: attention is cheaper where n < d",
                               .measured = least_ratio(),
                               .test = AT_LEAST,
                               .bound = 2,
                               .corrects = true});
    claim(lab->claims, (Claim){.id = "computation-grows",
                               .statement = "twice the positions are four times the work of looking",
                               .source = "lecture: any distance without growth in computation",
                               .measured = looking(2048, WIDTH) / looking(1024, WIDTH),
                               .test = EQUALS,
                               .bound = 4,
                               .corrects = true});
}

static void claim_paths(Lab *lab, const real *rnn, const real *self)
{
    claim(lab->claims, (Claim){.id = "rnn-gradient-fades",
                               .statement = "in an RNN the gradient 32 places back is next to nothing of that 1 place "
                                            "back",
                               .source = "lecture; Vaswani 2017, table 1: maximum path length O(n)",
                               .measured = (double)(rnn[32] / rnn[1]),
                               .test = AT_MOST,
                               .bound = 1e-3});
    claim(lab->claims, (Claim){.id = "attention-gradient-does-not",
                               .statement = "in self-attention far places get the gradient of near ones: mean over "
                                            "distance 32 ... 63 by mean over 1 ... 31",
                               .source = "lecture; Vaswani 2017, table 1: maximum path length O(1)",
                               .measured = mean_between(self, 32, 63) / mean_between(self, 1, 31),
                               .test = BETWEEN,
                               .bound = 0.67,
                               .upper = 1.5});
}

void step_rnn(Lab *lab, void *state)
{
    real rnn[LONG] = {0}, self[LONG] = {0};
    Paths *paths = memory_new(1, sizeof *paths, "the paths of gradients");
    (void)state;
    trace_counts(lab);
    paths->lab = lab;
    parallel_for(lab->threads, DRAWS, follow_paths, paths);
    mean_by_distance(paths, 0, rnn);
    mean_by_distance(paths, 1, self);
    trace(lab->trace,
          "\nThe gradient of the last output at an input, by distance (mean of %d untrained layers of width %d):\n\n",
          DRAWS, HIDDEN);
    trace_table(lab->trace, "distance\tRNN\tself-attention");
    static const int distances[] = {1, 2, 4, 8, 16, 32, LONG - 1};
    for (int i = 0; i < 7; i++)
        trace_row(lab->trace, "%d\t%.2e\t%.2e", distances[i], (double)rnn[distances[i]], (double)self[distances[i]]);
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nThrough an RNN it passes |i - j| steps and shrinks at each; through attention it takes one, from\n"
          "anywhere. It is small there because a weight is about 1/n, not because of the distance.\n"
          "\nTimes are not the same twice, so they are not here: see timing.tsv and the figure\n"
          "rnn_vs_attention_time. They follow the counts while the numbers fit into the processor's cache and\n"
          "there is enough work to hide the fixed cost of a call, about n and d from 128 to 512.\n");
    draw(lab, rnn, self);
    claim_counts(lab);
    claim_paths(lab, rnn, self);
    measure_times(lab);
    free(paths);
}
