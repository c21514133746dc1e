/* Step 5. The wall, the jump, and clipping. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "maths.h"
#include "memory.h"
#include "parallel.h"
#include "vanishing.h"

/* ---- one unit, fifty steps ----------------------------------------------------- */

static double sigmoid(double x)
{
    return 1 / (1 + exp64(-x));
}

typedef struct {
    double error, dw, db; /* E and its gradient */
} Slope;

/* Pascanu 2013, figure 6: x_t = w sigmoid(x_{t-1}) + b from x_0 = 0.5, and
 * E = (sigmoid(x_50) - 0.7)^2.  The derivatives are carried forwards:
 *     dx_t/dw = sigmoid(x_{t-1}) + w sigmoid'(x_{t-1}) dx_{t-1}/dw
 *     dx_t/db = 1                + w sigmoid'(x_{t-1}) dx_{t-1}/db               */
static Slope one_unit(double w, double b)
{
    double x = 0.5, dw = 0, db = 0;
    for (int t = 1; t <= 50; t++) {
        double s = sigmoid(x), factor = w * s * (1 - s);
        dw = s + factor * dw;
        db = 1 + factor * db;
        x = w * s + b;
    }
    double s = sigmoid(x), miss = s - 0.7;
    return (Slope){miss * miss, 2 * miss * s * (1 - s) * dw, 2 * miss * s * (1 - s) * db};
}

static double steepness(Slope slope)
{
    return sqrt(slope.dw * slope.dw + slope.db * slope.db);
}

/* Algorithm 1: a gradient longer than MOST is shortened to MOST (0: never). */
static Slope clipped(Slope slope, double most)
{
    double norm = steepness(slope);
    if (most > 0 && norm > most) {
        slope.dw *= most / norm;
        slope.db *= most / norm;
    }
    return slope;
}

/* ---- the surface ---------------------------------------------------------------- */

static const double low_w = 4, high_w = 6, low_b = -3, high_b = -1.8;
enum { COLUMNS = 41, ROWS = 31, LABEL_EVERY = 10 };

static double w_of(int column)
{
    return low_w + (high_w - low_w) * column / (COLUMNS - 1);
}

static double b_of(int row) /* row 0 on top */
{
    return high_b - (high_b - low_b) * row / (ROWS - 1);
}

static void draw_plains(Figure *figure)
{
    static real error[ROWS * COLUMNS];
    static char w_text[COLUMNS][8], b_text[ROWS][8];
    const char *w_labels[COLUMNS], *b_labels[ROWS];
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++)
            error[i * COLUMNS + j] = (real)one_unit(w_of(j), b_of(i)).error;
    for (int j = 0; j < COLUMNS; j++) {
        snprintf(w_text[j], sizeof w_text[j], "%.1f", w_of(j));
        w_labels[j] = j % LABEL_EVERY ? "" : w_text[j];
    }
    for (int i = 0; i < ROWS; i++) {
        snprintf(b_text[i], sizeof b_text[i], "%.1f", b_of(i));
        b_labels[i] = i % LABEL_EVERY ? "" : b_text[i];
    }
    panel_heatmap(figure_panel(figure, "error E", "w", "b"), error, ROWS, COLUMNS, b_labels, w_labels, MAGNITUDE);
}

/* E along lines of equal b: the wall from the side. */
static void draw_slices(Figure *figure)
{
    enum { POINTS = 401 };
    static const double at[] = {-2.0, -2.4, -2.8};
    Panel *panel = figure_panel(figure, "error E along three lines of equal b", "w", "E");
    for (int line = 0; line < 3; line++) {
        real w[POINTS], error[POINTS];
        char label[16];
        for (int i = 0; i < POINTS; i++) {
            double at_w = low_w + (high_w - low_w) * i / (POINTS - 1);
            w[i] = (real)at_w;
            error[i] = (real)one_unit(at_w, at[line]).error;
        }
        snprintf(label, sizeof label, "b = %.1f", at[line]);
        panel_line(panel, label, w, error, POINTS);
    }
}

/* The wall at b = -2.4, found by halving: E is high at LOW, low at HIGH. */
static double wall_at(double b)
{
    double low = low_w, high = high_w;
    for (int i = 0; i < 40; i++) {
        double middle = (low + high) / 2;
        if (one_unit(middle, b).error > 0.15)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* Returns how steep the wall is at b = -2.4. */
static double draw_surface(Lab *lab)
{
    Figure *figure =
        figure_begin(lab->figures, "error_surface", "One unit, fifty steps: the wall (Pascanu 2013, figure 6)");
    draw_plains(figure);
    draw_slices(figure);
    figure_end(figure);
    double w = wall_at(-2.4), steepest = 0;
    trace(lab->trace, "    x_t = w sigmoid(x_{t-1}) + b,  x_0 = 0.5      E = (sigmoid(x_50) - 0.7)^2\n\n"
                      "From side to side along b = -2.4 (figure error_surface):\n\n");
    trace_table(lab->trace, "w\tx_50 settles\tE\t|gradient of E|");
    static const double aside[] = {-0.5, -0.1, -0.01, 0, 0.01, 0.1, 0.5};
    for (int i = 0; i < 7; i++) {
        Slope slope = one_unit(w + aside[i], -2.4);
        steepest = fmax(steepest, steepness(slope));
        trace_row(lab->trace, "%.4f\t%s\t%.4f\t%.3f", w + aside[i],
                  aside[i] < 0   ? "low"
                  : aside[i] > 0 ? "high"
                                 : "on the wall",
                  slope.error, steepness(slope));
    }
    trace_table_end(lab->trace);
    trace(lab->trace, "\nTwo plains are two futures: x settles low or high.  Between them stands a wall: there\n"
                      "fifty steps turn a hair's breadth of w into one or the other.\n");
    return steepest;
}

/* ---- the jump --------------------------------------------------------------------- */

enum { DESCENT = 300 };
typedef struct {
    real w[DESCENT], b[DESCENT], error[DESCENT], step[DESCENT];
    double longest; /* the longest step */
    int jump;       /* when it was made */
    Slope at_jump;
} Path;

/* Gradient descent from (5, -2.2) at rate 0.1, gradients clipped to MOST. */
static Path descend(double most)
{
    const double rate = 0.1;
    Path path = {0};
    double w = 5, b = -2.2;
    for (int i = 0; i < DESCENT; i++) {
        Slope slope = one_unit(w, b), used = clipped(slope, most);
        path.w[i] = (real)w;
        path.b[i] = (real)b;
        path.error[i] = (real)slope.error;
        path.step[i] = (real)i;
        if (rate * steepness(used) > path.longest) {
            path.longest = rate * steepness(used);
            path.jump = i;
            path.at_jump = slope;
        }
        w -= rate * used.dw;
        b -= rate * used.db;
    }
    return path;
}

/* N points of the wall, as far as it stands in the figure. */
static void find_wall(real *w, real *b, int n)
{
    for (int i = 0; i < n; i++) {
        double at_b = high_b - 0.25 + (low_b - high_b + 0.25) * i / (n - 1);
        b[i] = (real)at_b;
        w[i] = (real)wall_at(at_b);
    }
}

static void trace_jump(Lab *lab, const Path *loose, const Path *held, double most)
{
    Slope before = loose->at_jump, after = clipped(before, most);
    int i = loose->jump;
    trace(lab->trace, "\nGradient descent from w = 5, b = -2.2, rate 0.1.  Step %d stands at the wall:\n\n", i);
    trace_table(lab->trace, "\tdE/dw\tdE/db\tnorm\tstep to w\tstep to b");
    trace_row(lab->trace, "as it is\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f", before.dw, before.db, steepness(before),
              (double)loose->w[i + 1], (double)loose->b[i + 1]);
    trace_row(lab->trace, "clipped\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f", after.dw, after.db, steepness(after),
              (double)loose->w[i] - 0.1 * after.dw, (double)loose->b[i] - 0.1 * after.db);
    trace_table_end(lab->trace);
    trace_equation(lab->trace, HERE, "if |g| > threshold:  g = threshold g / |g|");
    trace(lab->trace,
          "\nThe direction is the same; only the length is believed no further than %.1f.  After %d\n"
          "steps: without clipping E = %.4f at w = %.1f, b = %.1f, on a plain where the gradient is\n"
          "too small to lead back; with clipping E = %.4f at w = %.2f, b = %.2f.\n",
          most, DESCENT, (double)loose->error[DESCENT - 1], (double)loose->w[DESCENT - 1],
          (double)loose->b[DESCENT - 1], (double)held->error[DESCENT - 1], (double)held->w[DESCENT - 1],
          (double)held->b[DESCENT - 1]);
}

static void jump(Lab *lab, Figure *figure, double steepest)
{
    enum { WALL = 40 };
    const double most = 0.5;
    real wall_w[WALL], wall_b[WALL];
    Path loose = descend(0), held = descend(most);
    find_wall(wall_w, wall_b, WALL);
    trace_jump(lab, &loose, &held, most);

    Panel *panel = figure_panel(figure, "One unit: the way down", "w", "b");
    panel_reference(panel, "the wall", wall_w, wall_b, WALL);
    panel_line(panel, "not clipped", loose.w, loose.b, loose.jump + 2);
    panel_line(panel, "clipped to 0.5", held.w, held.b, DESCENT);
    panel_range_x(panel, low_w, high_w);
    panel_range_y(panel, low_b, high_b);
    panel = figure_panel(figure, "One unit: error", "step", "E");
    panel_points(panel, "not clipped", loose.step, loose.error, NULL, DESCENT);
    panel_points(panel, "clipped to 0.5", held.step, held.error, NULL, DESCENT);

    claim(lab->claims,
          (Claim){.id = "wall",
                  .source = "Pascanu 2013, figure 6",
                  .statement = "one unit over fifty steps has a wall: on it the gradient has this norm, at every "
                               "other place of the table it is below 1",
                  .measured = steepest,
                  .test = AT_LEAST,
                  .bound = 100});
    claim(lab->claims,
          (Claim){.id = "jump",
                  .source = "Pascanu 2013, figure 6",
                  .statement =
                      "gradient descent that meets the wall jumps this far in one step (the whole figure is 2 wide)",
                  .measured = loose.longest,
                  .test = AT_LEAST,
                  .bound = 2});
    claim(lab->claims,
          (Claim){.id = "jump-is-lost",
                  .source = "Pascanu 2013, figure 6",
                  .statement = "the descent that jumped never comes back: E after 300 steps (it started at 0.046)",
                  .measured = (double)loose.error[DESCENT - 1],
                  .test = AT_LEAST,
                  .bound = 0.046});
    claim(lab->claims, (Claim){.id = "clipped-arrives",
                               .source = "Pascanu 2013, algorithm 1",
                               .statement = "with gradients clipped to 0.5 the same descent arrives: E after 300 steps",
                               .measured = (double)held.error[DESCENT - 1],
                               .test = AT_MOST,
                               .bound = 0.005});
}

/* ---- a network that only learns with clipping ------------------------------------- */

/* The last is the other remedy: steps so small that no wall is met. */
typedef struct {
    const char *name;
    double clip, rate;
} Remedy;
enum { REMEDIES = 4, UNCLIPPED = 0, CLIPPED = 2, MOST_RUNS = 8, MOST_STEPS = 300 };
static const Remedy remedies[REMEDIES] = {{"not clipped", 0, 0.3},
                                          {"clipped to 1", 1, 0.3},
                                          {"clipped to 0.25", 0.25, 0.3},
                                          {"not clipped, rate 0.03", 0, 0.03}};

typedef struct {
    RecallSetting setting;
    double rate;
    Rng rng;
    int steps;
    real loss[MOST_STEPS];
    double accuracy, largest_norm;
} Training;

/* SGD with momentum: unlike Adam it takes a gradient at its word. */
static void train_one(int index, void *context)
{
    Training *t = (Training *)context + index;
    RecallModel *model = recall_model_new(&t->setting, &t->rng);
    Optimiser *sgd = sgd_new(model->parameters, (Sgd){.rate = t->rate, .momentum = 0.9});
    Tape *tape = tape_new(1);
    for (int i = 0; i < t->steps; i++) {
        double norm = 0;
        t->loss[i] = (real)recall_step(tape, model, sgd, &t->rng, &norm);
        t->largest_norm = fmax(t->largest_norm, norm);
    }
    t->accuracy = recall_accuracy(model, t->setting.lag, 1024, &t->rng, 1);
    tape_free(tape);
    optimiser_free(sgd);
    recall_model_free(model);
}

static int by_size(const void *a, const void *b)
{
    real x = *(const real *)a, y = *(const real *)b;
    return (x > y) - (x < y);
}

/* Median and range over runs of the loss, a mean of ten steps a point. */
static void draw_training(Panel *panel, const Training *trainings, int runs, const char *label)
{
    enum { TEN = 10 };
    real x[MOST_STEPS / TEN], low[MOST_STEPS / TEN], middle[MOST_STEPS / TEN], high[MOST_STEPS / TEN];
    int points = trainings[0].steps / TEN;
    for (int i = 0; i < points; i++) {
        real means[MOST_RUNS] = {0};
        for (int run = 0; run < runs; run++)
            for (int j = 0; j < TEN; j++)
                means[run] += trainings[run].loss[i * TEN + j] / TEN;
        qsort(means, (size_t)runs, sizeof(real), by_size);
        x[i] = (real)i * TEN + 5;
        low[i] = means[0];
        middle[i] = means[runs / 2];
        high[i] = means[runs - 1];
    }
    panel_band(panel, label, x, middle, low, high, points);
}

enum { LAG = 4 };

/* All remedies from the same starts, run by run; REMEDIES * runs results. */
static Training *train_all(const Lab *lab, const Config *c)
{
    int runs = c->clip_runs;
    Training *trainings = memory_new(REMEDIES * (size_t)runs, sizeof *trainings, "trainings");
    for (int i = 0; i < REMEDIES * runs; i++) {
        char purpose[64];
        snprintf(purpose, sizeof purpose, "clipping %d", i % runs);
        trainings[i].setting = recall_setting(CELL_RNN, LAG);
        trainings[i].setting.hidden = 64;
        trainings[i].setting.radius = 1.5;
        trainings[i].setting.clip = remedies[i / runs].clip;
        trainings[i].rate = remedies[i / runs].rate;
        trainings[i].steps = c->clip_steps;
        trainings[i].rng = lab_rng(lab, purpose);
    }
    parallel_for(lab->threads, REMEDIES * runs, train_one, trainings);
    return trainings;
}

/* Accuracies of the runs of each remedy. */
typedef struct {
    real lowest[REMEDIES], mean[REMEDIES], highest[REMEDIES];
} Accuracies;

static Accuracies table_of(Lab *lab, const Training *trainings, int runs)
{
    Accuracies a;
    trace_table(lab->trace, "gradients\tlowest accuracy\tmean\thighest\tlargest norm met");
    for (int i = 0; i < REMEDIES; i++) {
        double mean = 0, lowest = 1, highest = 0, norm = 0;
        for (const Training *t = trainings + i * runs; t < trainings + (i + 1) * runs; t++) {
            mean += t->accuracy / runs;
            lowest = fmin(lowest, t->accuracy);
            highest = fmax(highest, t->accuracy);
            norm = fmax(norm, t->largest_norm);
        }
        trace_row(lab->trace, "%s\t%.3f\t%.3f\t%.3f\t%.1f", remedies[i].name, lowest, mean, highest, norm);
        a.lowest[i] = (real)lowest;
        a.mean[i] = (real)mean;
        a.highest[i] = (real)highest;
    }
    trace_table_end(lab->trace);
    return a;
}

static void draw_trainings(Figure *figure, const Training *trainings, int runs, const Accuracies *a)
{
    static const char *const short_names[REMEDIES] = {"no clip", "clip 1", "clip 0.25", "rate 0.03"};
    Panel *panel = figure_panel(figure, "64 units: loss (median and range of runs)", "step", "loss");
    panel_log_y(panel);
    for (int i = 0; i < REMEDIES; i++)
        draw_training(panel, trainings + i * runs, runs, remedies[i].name);
    panel = figure_panel(figure, "64 units: accuracy of the runs", NULL, "accuracy");
    panel_bars(panel, "lowest", short_names, a->lowest, NULL, REMEDIES);
    panel_bars(panel, "mean", short_names, a->mean, NULL, REMEDIES);
    panel_bars(panel, "highest", short_names, a->highest, NULL, REMEDIES);
    panel_horizontal(panel, "chance", recall_chance());
    panel_range_y(panel, 0, 1.15);
}

static void training(Lab *lab, Figure *figure, const Config *c)
{
    int runs = c->clip_runs;
    Training *trainings = train_all(lab, c);
    trace(lab->trace,
          "\nA network: 64 units, W_hh orthogonal times 1.5, SGD at rate 0.3 with momentum 0.9,\n"
          "%d steps of 32 stories, the colour of a door over %d words (step 6 has the task; who\n"
          "guesses is right in %.3f).  %d runs each, the same starts in each row:\n\n",
          c->clip_steps, LAG, recall_chance(), runs);
    Accuracies a = table_of(lab, trainings, runs);
    draw_trainings(figure, trainings, runs, &a);
    trace(lab->trace, "\nThe threshold matters: too generous a one lets through what breaks the network.  A tenth\n"
                      "of the rate is the other remedy: smaller steps everywhere, not only at the walls.\n"
                      "Figure clipping.\n");
    claim(lab->claims, (Claim){.id = "unclipped-fails",
                               .source = "Pascanu 2013, section 3.2; lecture: clip what explodes",
                               .statement = "a network of radius 1.5, trained at rate 0.3 without clipping, stays at "
                                            "chance, 0.125, in every run (the "
                                            "best run's accuracy)",
                               .measured = (double)a.highest[UNCLIPPED],
                               .test = AT_MOST,
                               .bound = 0.175});
    claim(lab->claims,
          (Claim){.id = "clipped-succeeds",
                  .source = "Pascanu 2013, section 3.2; lecture: clip what explodes",
                  .statement = "with gradients clipped to 0.25 it learns in every run, from the same starts (the "
                               "worst run's accuracy)",
                  .measured = (double)a.lowest[CLIPPED],
                  .test = AT_LEAST,
                  .bound = 0.95});
    free(trainings);
}

void step_exploding(Lab *lab, void *state)
{
    const Vanishing *self = state;
    double steepest = draw_surface(lab);
    Figure *figure = figure_begin(lab->figures, "clipping", "The jump off the wall, and the rule that prevents it");
    jump(lab, figure, steepest);
    training(lab, figure, &self->config);
    figure_end(figure);
}
