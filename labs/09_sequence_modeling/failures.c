/* Step 10. Failures on purpose: a rate too high, a model too small, data too few. */
#include <math.h>
#include <stdio.h>

#include "memory.h"
#include "modeling.h"
#include "parallel.h"

#include <stdlib.h>

/* ---- a rate too high --------------------------------------------------------------- */

enum { PLAIN, WARMED, CLIPPED, BOTH, WAYS, RATE_RUNS = 4, RATE_STEPS = 150 };
static const char *const way_name[WAYS] = {"neither", "warm-up", "clipping", "both"};
#define TOO_HIGH 0.3
#define LEAST_DRAWN 1e-5 /* an error below is drawn there */

typedef struct {
    Lab *lab;
    Modeling *self;
    Outcome outcome[WAYS][RATE_RUNS];
    double error[WAYS][RATE_RUNS];
    real loss[WAYS][RATE_STEPS]; /* of the first run */
} Rates;

/* Plain gradient descent on the Transformer: Adam divides by the size of the gradients and hides the trouble. */
static void one_rate(int index, void *context)
{
    Rates *all = context;
    int way = index % WAYS, run = index / WAYS;
    Rng weights = run_rng(all->lab, "failing weights", run), waves = run_rng(all->lab, "failing waves", run);
    Training training = {.waves = waves_usual(),
                         .steps = RATE_STEPS,
                         .batch = BATCH,
                         .rate = TOO_HIGH,
                         .sgd = true,
                         .warmup = way == WARMED || way == BOTH ? 0.3 : 0,
                         .clip = way == CLIPPED || way == BOTH ? 1 : 0,
                         .loss_curve = run == 0 ? all->loss[way] : NULL};
    Model *model = model_new(competitors[ARM_TRANSFORMER].settings, INPUTS, &weights);
    all->outcome[way][run] = model_train(model, &training, &waves);
    all->error[way][run] = all->outcome[way][run].diverged ? (double)NAN : model_error(model, all->self->look);
    model_free(model);
}

static int survivors(const Rates *all, int way)
{
    int n = 0;
    for (int run = 0; run < RATE_RUNS; run++)
        n += !all->outcome[way][run].diverged;
    return n;
}

static double mean_error(const Rates *all, int way)
{
    double sum = 0;
    for (int run = 0; run < RATE_RUNS; run++)
        sum += all->outcome[way][run].diverged ? 0 : all->error[way][run];
    return survivors(all, way) ? sum / survivors(all, way) : (double)NAN;
}

static void tell_first_run(Lab *lab, const Rates *all)
{
    const Outcome *o = &all->outcome[PLAIN][0];
    int n = o->steps + 1 < RATE_STEPS ? o->steps + 1 : RATE_STEPS;
    trace(lab->trace,
          "A rate too high. The Transformer of step 3 by plain gradient descent at a rate of %.1f. The loss of\n"
          "the first run, step by step:\n\n   ",
          TOO_HIGH);
    for (int i = 0; i < n && i < 12; i++)
        if (isfinite(all->loss[PLAIN][i])) /* how NaN is printed differs between systems */
            trace(lab->trace, " %.3g", (double)all->loss[PLAIN][i]);
        else
            trace(lab->trace, " not finite");
    trace(lab->trace, "\n\n");
    if (o->diverged)
        trace(lab->trace,
              "After %d updates the loss is not finite, and training stops: a backward step from here would make\n"
              "every weight NaN. (tape_backward ends a program that tries. Here the loss is looked at before.) Going\n"
              "through the tape from its start, the first tensor with a number that is not finite is\n"
              "'%s', made at %s:%d: a product of weights that an update of norm %.0e has thrown\n"
              "far off. Each update overshoots the valley by more than it came: the slope on the other side is\n"
              "steeper, and the next step longer.\n\n",
              o->steps, o->tensor, where_file(o->where), o->where.line, TOO_HIGH * o->largest_norm);
}

static void tell_rates(Lab *lab, const Rates *all)
{
    tell_first_run(lab, all);
    trace(lab->trace,
          "Two remedies: gradients clipped to norm 1, so that no step is longer than the rate; and a rate that rises "
          "over\n"
          "30%% of the steps (then falls as half a cosine). %d runs each:\n\n",
          RATE_RUNS);
    trace_table(lab->trace, "remedy\tstill finite\tended after updates\tlargest gradient\terror");
    for (int way = 0; way < WAYS; way++) {
        char ended[64] = "";
        int length = 0;
        double norm = 0;
        for (int run = 0; run < RATE_RUNS; run++) {
            const Outcome *o = &all->outcome[way][run];
            norm = fmax(norm, o->largest_norm);
            if (o->diverged)
                length += snprintf(ended + length, sizeof ended - (size_t)length, "%s%d", length ? " " : "", o->steps);
        }
        if (survivors(all, way))
            trace_row(lab->trace, "%s\t%d of %d\t%s\t%.0e\t%.3f", way_name[way], survivors(all, way), RATE_RUNS, ended,
                      norm, mean_error(all, way));
        else
            trace_row(lab->trace, "%s\t0 of %d\t%s\t%.0e\t", way_name[way], RATE_RUNS, ended, norm);
    }
    trace_table_end(lab->trace);
}

static void claim_rates(Lab *lab, const Rates *all)
{
    claim(lab->claims, (Claim){.id = "rate-too-high",
                               .source = "lecture: failures on purpose",
                               .statement = "at the high rate the loss of no run stays finite (runs that do)",
                               .measured = survivors(all, PLAIN),
                               .test = EQUALS,
                               .bound = 0});
    claim(lab->claims, (Claim){.id = "clipping-mends",
                               .source = "Pascanu 2013, algorithm 1",
                               .statement = "with clipping and warm-up all runs stay finite",
                               .measured = survivors(all, BOTH),
                               .test = EQUALS,
                               .bound = RATE_RUNS});
    claim(lab->claims, (Claim){.id = "clipped-learns",
                               .source = "the same",
                               .statement = "and learn (mean error over the variance of the target)",
                               .measured = mean_error(all, BOTH) / target_variance(all->self->look),
                               .test = AT_MOST,
                               .bound = 0.6});
}

/* ---- too small, too few -------------------------------------------------------------- */

enum { SIZES = 5, SETS = 5, SMALL_RUNS = 2, SMALL_KINDS = 2 };
static const int widths[SMALL_KINDS][SIZES] = {{4, 8, 16, 32, 64}, {2, 4, 8, 32, 112}};
static const int sets[SETS] = {10, 50, 200, 1000, 0}; /* 0: fresh waves */
static const Arm small_arm[SMALL_KINDS] = {ARM_TRANSFORMER, ARM_RNN};

typedef struct {
    Lab *lab;
    Modeling *self;
    int steps;
    double by_size[SMALL_KINDS][SIZES][SMALL_RUNS];
    double train[SMALL_KINDS][SETS][SMALL_RUNS], test[SMALL_KINDS][SETS][SMALL_RUNS];
    size_t parameters[SMALL_KINDS][SIZES];
} Small;

static void one_size(int index, void *context)
{
    Small *all = context;
    int kind = index % SMALL_KINDS, i = index / SMALL_KINDS % SIZES, run = index / SMALL_KINDS / SIZES;
    Rng weights = run_rng(all->lab, "small weights", run), waves = run_rng(all->lab, "small waves", run);
    ModelSettings settings = {.kind = kind ? RNN : TRANSFORMER, .width = widths[kind][i]};
    Training training = study_training(small_arm[kind], all->steps);
    Model *model = model_new(settings, INPUTS, &weights);
    model_train(model, &training, &waves);
    all->by_size[kind][i][run] = model_error(model, all->self->test);
    if (run == 0)
        all->parameters[kind][i] = parameters_count(model->parameters);
    model_free(model);
}

static void one_set(int index, void *context)
{
    Small *all = context;
    int kind = index % SMALL_KINDS, i = index / SMALL_KINDS % SETS, run = index / SMALL_KINDS / SETS;
    Rng weights = run_rng(all->lab, "few weights", run), waves = run_rng(all->lab, "few waves", run);
    Waves *fixed = waves_new(waves_usual(), sets[i] ? sets[i] : 200);
    waves_draw(fixed, &waves);
    Training training = study_training(small_arm[kind], all->steps);
    training.fixed = sets[i] ? fixed : NULL;
    Model *model = model_new(competitors[small_arm[kind]].settings, INPUTS, &weights);
    model_train(model, &training, &waves);
    all->train[kind][i][run] = model_error(model, fixed);
    all->test[kind][i][run] = model_error(model, all->self->test);
    waves_free(fixed);
    model_free(model);
}

static double over_runs(const double *errors)
{
    return spread_of(errors, SMALL_RUNS).mean;
}

static void tell_small(Lab *lab, const Small *all)
{
    trace(lab->trace, "\nToo small: %d steps, %d runs.\n\n", all->steps, SMALL_RUNS);
    trace_table(lab->trace, "Transformer, width\tparameters\terror\tRNN, units\tparameters\terror");
    for (int i = 0; i < SIZES; i++)
        trace_row(lab->trace, "%d\t%zu\t%.5f\t%d\t%zu\t%.5f", widths[0][i], all->parameters[0][i],
                  over_runs(all->by_size[0][i]), widths[1][i], all->parameters[1][i], over_runs(all->by_size[1][i]));
    trace_table_end(lab->trace);
    trace(lab->trace, "\nToo little data: the same few waves over and over, %d steps.\n\n", all->steps);
    trace_table(lab->trace, "waves\tTransformer, these\tnew ones\tRNN 112, these\tnew ones");
    for (int i = 0; i < SETS; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", sets[i]);
        trace_row(lab->trace, "%s\t%.5f\t%.5f\t%.5f\t%.5f", sets[i] ? name : "always new", over_runs(all->train[0][i]),
                  over_runs(all->test[0][i]), over_runs(all->train[1][i]), over_runs(all->test[1][i]));
    }
    trace_table_end(lab->trace);
}

static void draw(Lab *lab, const Rates *rates, const Small *all)
{
    static const char *const names[SMALL_KINDS] = {"Transformer", "RNN"};
    static const char *const set_names[SETS] = {"10", "50", "200", "1000", "always new"};
    real x[RATE_STEPS], y[RATE_STEPS];
    Figure *figure = figure_begin(lab->figures, "failures", "Failures on purpose");
    figure_layout(figure, 3, 600, 560);
    Panel *panel = figure_panel(figure, "a rate too high", "step", "loss");
    panel_log_y(panel);
    panel_range_y(panel, 0.05, 1e6);
    for (int way = 0; way < WAYS; way++) {
        int n = rates->outcome[way][0].steps;
        for (int i = 0; i < n; i++)
            x[i] = (real)(i + 1);
        panel_line(panel, way_name[way], x, rates->loss[way], n);
    }
    panel = figure_panel(figure, "a model too small", "parameters", "mean squared error");
    panel_log_x(panel);
    panel_log_y(panel);
    for (int kind = 0; kind < SMALL_KINDS; kind++) {
        for (int i = 0; i < SIZES; i++) {
            x[i] = (real)all->parameters[kind][i];
            y[i] = (real)over_runs(all->by_size[kind][i]);
        }
        panel_line(panel, names[kind], x, y, SIZES);
    }
    panel = figure_panel(figure, "data too few", "training waves", "mean squared error");
    panel_log_y(panel);
    panel_range_y(panel, LEAST_DRAWN / 2, 10);
    for (int kind = 0; kind < SMALL_KINDS; kind++) {
        char label[40];
        for (int i = 0; i < SETS; i++) {
            x[i] = (real)fmax(over_runs(all->train[kind][i]), LEAST_DRAWN);
            y[i] = (real)over_runs(all->test[kind][i]);
        }
        snprintf(label, sizeof label, "%s, these", names[kind]);
        panel_bars(panel, label, set_names, x, NULL, SETS);
        snprintf(label, sizeof label, "%s, new ones", names[kind]);
        panel_bars(panel, label, set_names, y, NULL, SETS);
    }
    figure_end(figure);
}

static void claim_small(Lab *lab, const Small *all)
{
    double small = INFINITY, few = INFINITY;
    for (int kind = 0; kind < SMALL_KINDS; kind++) {
        small = fmin(small, over_runs(all->by_size[kind][0]) / over_runs(all->by_size[kind][3]));
        few = fmin(few, over_runs(all->test[kind][0]) / over_runs(all->train[kind][0]));
    }
    claim(lab->claims,
          (Claim){.id = "too-small",
                  .source = "lecture: failures on purpose",
                  .statement = "the smallest models' error is a multiple of the same kind's of width 32 (the least)",
                  .measured = small,
                  .test = AT_LEAST,
                  .bound = 3,
                  .skipped = lab->quick ? "the models are trained for too few steps" : NULL});
    claim(lab->claims,
          (Claim){.id = "too-few",
                  .source = "the same",
                  .statement = "trained on 10 waves, a network's error on new waves is a multiple of that on the "
                               "10 (the least)",
                  .measured = few,
                  .test = AT_LEAST,
                  .bound = 10,
                  .skipped = lab->quick ? "the models are trained for too few steps" : NULL});
}

void step_failures(Lab *lab, void *state)
{
    Rates *rates = memory_new(1, sizeof *rates, "failures");
    Small small = {.lab = lab, .self = state, .steps = lab_choose(lab, 400, 80)};
    rates->lab = lab;
    rates->self = state;
    study_test(lab, state);
    parallel_for(lab->threads, WAYS * RATE_RUNS, one_rate, rates);
    parallel_for(lab->threads, SMALL_KINDS * SIZES * SMALL_RUNS, one_size, &small);
    parallel_for(lab->threads, SMALL_KINDS * SETS * SMALL_RUNS, one_set, &small);
    tell_rates(lab, rates);
    tell_small(lab, &small);
    draw(lab, rates, &small);
    claim_rates(lab, rates);
    claim_small(lab, &small);
    free(rates);
}
