/* Step 11. A series of your own. */
#include <math.h>
#include <stdlib.h>

#include "die.h"
#include "maths.h"
#include "memory.h"
#include "modeling.h"
#include "parallel.h"
#include "series.h"

enum { MOST_NEXT = 200, OWN_STEPS = 400, SHOWN = 150 };

/* ---- the series ----------------------------------------------------------------------- */

/* Without --series: two waves and noise, 240 values. */
static void make_series(Lab *lab, Modeling *self)
{
    Rng rng = lab_rng(lab, "series");
    self->count = 240;
    self->values = memory_new((size_t)self->count, sizeof(double), "the series");
    for (int t = 0; t < self->count; t++)
        self->values[t] = 20 + 8 * sin64(0.5236 * t) + 3 * sin64(0.11 * t + 1) + (double)rng_normal(&rng);
}

void own_check(Modeling *self)
{
    if (!self->series)
        return;
    self->values = series_read(self->series, &self->count);
    for (int t = 1; t < self->count; t++)
        if (self->values[t] != self->values[0])
            return;
    die("%s: all numbers are the same; there is nothing to learn", self->series);
}

/* ---- four ways to say the next value ----------------------------------------------------- */

enum { REPEAT, SECOND_ORDER, LINEAR, OWN_RNN, OWN_TRANSFORMER, METHODS };
static const char *const method_name[METHODS] = {"repeat the last", "AR(2), c from the window", "linear, 20 values",
                                                 "RNN 64", "Transformer"};

typedef struct {
    Lab *lab;
    Modeling *self;
    int train;            /* values 0 ... train - 1 are learned from */
    double mean, sd;      /* of those */
    real *x;              /* [count], standardised */
    Waves *windows;       /* of the training part */
    double w[INPUTS + 1]; /* linear: weights and constant */
    Model *model[METHODS];
    double error[METHODS]; /* one step ahead, on the rest, in the series' own units squared */
    real *future[METHODS]; /* [next], standardised */
} Own;

static void standardise(Own *own)
{
    const double *v = own->self->values;
    for (int t = 0; t < own->train; t++)
        own->mean += v[t] / own->train;
    for (int t = 0; t < own->train; t++)
        own->sd += (v[t] - own->mean) * (v[t] - own->mean) / own->train;
    own->sd = own->sd > 0 ? sqrt(own->sd) : 1;
    for (int t = 0; t < own->self->count; t++)
        own->x[t] = (real)fmax(-1e6, fmin(1e6, (v[t] - own->mean) / own->sd));
}

static void cut_windows(Own *own)
{
    WaveSettings settings = waves_usual();
    own->windows = waves_new(settings, own->train - INPUTS);
    for (int i = 0; i < own->windows->n; i++) {
        for (int t = 0; t < INPUTS; t++)
            own->windows->inputs[i * INPUTS + t] = own->x[i + t];
        own->windows->targets[i] = own->x[i + INPUTS];
    }
}

/* Least squares: (X^T X + 0.01 I) w = X^T y by Gaussian elimination; positive definite, so no pivoting. */
static void fit_linear(Own *own)
{
    enum { N = INPUTS + 1 };
    double a[N][N + 1] = {{0}};
    for (int i = 0; i < own->windows->n; i++) {
        double row[N + 1];
        for (int t = 0; t < INPUTS; t++)
            row[t] = (double)own->windows->inputs[i * INPUTS + t];
        row[INPUTS] = 1;
        row[N] = (double)own->windows->targets[i];
        for (int r = 0; r < N; r++)
            for (int c = 0; c <= N; c++)
                a[r][c] += row[r] * row[c];
    }
    for (int r = 0; r < N; r++)
        a[r][r] += 0.01;
    for (int p = 0; p < N; p++)
        for (int r = p + 1; r < N; r++) {
            double factor = a[r][p] / a[p][p];
            for (int c = p; c <= N; c++)
                a[r][c] -= factor * a[p][c];
        }
    for (int r = N - 1; r >= 0; r--) {
        own->w[r] = a[r][N];
        for (int c = r + 1; c < N; c++)
            own->w[r] -= a[r][c] * own->w[c];
        own->w[r] /= a[r][r];
    }
}

/* The value after WINDOW [20]. */
static real say(const Own *own, int method, const real *window)
{
    real next[1];
    if (method == REPEAT)
        return window[INPUTS - 1];
    if (method == SECOND_ORDER) {
        second_order(window, INPUTS, next, 1);
        return next[0];
    }
    if (method == LINEAR) {
        double y = own->w[INPUTS];
        for (int t = 0; t < INPUTS; t++)
            y += own->w[t] * (double)window[t];
        return (real)y;
    }
    Waves one = {.settings = waves_usual(), .n = 1, .inputs = (real *)window};
    model_answers(own->model[method], &one, next);
    return next[0];
}

static void one_method(int method, void *context)
{
    Own *own = context;
    const Modeling *self = own->self;
    if (method == LINEAR)
        fit_linear(own);
    if (method == OWN_RNN || method == OWN_TRANSFORMER) {
        Arm arm = method == OWN_RNN ? ARM_RNN64 : ARM_TRANSFORMER;
        Rng weights = run_rng(own->lab, "own weights", method), rng = run_rng(own->lab, "own windows", method);
        Training training = study_training(arm, OWN_STEPS);
        training.fixed = own->windows;
        training.rate /= 5; /* a few windows, over and over */
        own->model[method] = model_new(competitors[arm].settings, INPUTS, &weights);
        model_train(own->model[method], &training, &rng);
    }
    for (int t = own->train; t < self->count; t++) {
        double error = ((double)say(own, method, own->x + t - INPUTS) - (double)own->x[t]) * own->sd;
        own->error[method] += error * error / (self->count - own->train);
    }
    real *all = memory_new((size_t)INPUTS + (size_t)self->next, sizeof(real), "a window");
    for (int t = 0; t < INPUTS; t++)
        all[t] = own->x[self->count - INPUTS + t];
    for (int k = 0; k < self->next; k++)
        own->future[method][k] = all[INPUTS + k] = say(own, method, all + k);
    free(all);
}

static void tell(Lab *lab, const Own *own)
{
    const Modeling *self = own->self;
    trace(lab->trace,
          "%s: %d numbers. The first %d are learned from, in windows of\n"
          "%d; the others are a test, one step ahead. The two networks are those of step 3, %d steps on these\n"
          "windows.%s\n\n",
          self->series ? "Your series" : "Two waves and noise", self->count, own->train, INPUTS, OWN_STEPS,
          self->series ? "" : " (A series of your own: --series FILE, one number a line.)");
    trace_table(lab->trace, "way\troot mean squared error\tover repeating");
    for (int m = 0; m < METHODS; m++)
        trace_row(lab->trace, "%s\t%.4g\t%.2f", method_name[m], sqrt(own->error[m]),
                  own->error[REPEAT] > 0 ? sqrt(own->error[m] / own->error[REPEAT]) : 0);
    trace_table_end(lab->trace);
    trace(lab->trace, "\nThe next %d values, each prediction fed back:\n\n", self->next);
    trace_table(lab->trace, "step\tlinear, 20 values\tRNN 64\tTransformer");
    for (int k = 0; k < self->next; k++)
        trace_row(lab->trace, "%d\t%.5g\t%.5g\t%.5g", k + 1, own->mean + own->sd * (double)own->future[LINEAR][k],
                  own->mean + own->sd * (double)own->future[OWN_RNN][k],
                  own->mean + own->sd * (double)own->future[OWN_TRANSFORMER][k]);
    trace_table_end(lab->trace);
}

static void draw(Lab *lab, const Own *own)
{
    const Modeling *self = own->self;
    real x[SHOWN + MOST_NEXT], y[SHOWN + MOST_NEXT];
    int shown = self->count < SHOWN ? self->count : SHOWN;
    Figure *figure = figure_begin(lab->figures, "own_series", "A series, and how it may go on");
    figure_layout(figure, 1, 1100, 520);
    Panel *panel = figure_panel(figure, NULL, "t", "value");
    for (int i = 0; i < shown; i++) {
        x[i] = (real)(self->count - shown + i + 1);
        y[i] = (real)self->values[self->count - shown + i];
    }
    panel_line(panel, "the series", x, y, shown);
    for (int m = LINEAR; m < METHODS; m++) {
        for (int k = 0; k < self->next; k++) {
            x[k] = (real)(self->count + k + 1);
            y[k] = (real)(own->mean + own->sd * (double)own->future[m][k]);
        }
        panel_line(panel, method_name[m], x, y, self->next);
    }
    figure_end(figure);
}

void step_own(Lab *lab, void *state)
{
    Modeling *self = state;
    if (!self->values)
        make_series(lab, self);
    Own own = {.lab = lab, .self = self, .train = self->count - self->count / 5};
    own.x = memory_new((size_t)self->count, sizeof(real), "the series");
    for (int m = 0; m < METHODS; m++)
        own.future[m] = memory_new((size_t)self->next, sizeof(real), "the future");
    standardise(&own);
    cut_windows(&own);
    parallel_for(lab->threads, METHODS, one_method, &own);
    tell(lab, &own);
    draw(lab, &own);
    claim(lab->claims,
          (Claim){.id = "own-series-learned",
                  .source = "the built-in series: two waves and noise",
                  .statement = "the RNN says the next value better than repeating the last one (error ratio)",
                  .measured = own.error[OWN_RNN] / fmax(own.error[REPEAT], 1e-300),
                  .test = BELOW,
                  .bound = 1,
                  .skipped = self->series ? "a series of the student's own" : NULL});
    for (int m = 0; m < METHODS; m++) {
        free(own.future[m]);
        if (own.model[m])
            model_free(own.model[m]);
    }
    waves_free(own.windows);
    free(own.x);
}
