/* Step 8. What the Transformer owes to its parts. */
#include <stdio.h>

#include "modeling.h"
#include "parallel.h"

enum { NO_POSITIONS, ONE_HEAD, TWO_HEADS, EIGHT_HEADS, TWO_BLOCKS, VARIANTS };
static const struct {
    const char *name;
    ModelSettings settings;
} variants[VARIANTS] = {
    {"no positions", {.kind = TRANSFORMER, .width = 32, .no_positions = true}},
    {"1 head", {.kind = TRANSFORMER, .width = 32, .heads = 1}},
    {"2 heads", {.kind = TRANSFORMER, .width = 32, .heads = 2}},
    {"8 heads", {.kind = TRANSFORMER, .width = 32, .heads = 8}},
    {"2 blocks", {.kind = TRANSFORMER, .width = 32, .layers = 2}},
};

typedef struct {
    Lab *lab;
    Modeling *self;
    double error[VARIANTS][MOST_RUNS];
    size_t parameters[VARIANTS];
} Ablation;

static void one_variant(int index, void *context)
{
    Ablation *all = context;
    int run = index / VARIANTS, v = index % VARIANTS;
    Rng weights = run_rng(all->lab, "weights", run), waves = run_rng(all->lab, "waves", run);
    Training training = study_training(ARM_TRANSFORMER, all->self->steps);
    Model *model = model_new(variants[v].settings, INPUTS, &weights);
    model_train(model, &training, &waves);
    all->error[v][run] = model_error(model, all->self->test);
    if (run == 0)
        all->parameters[v] = parameters_count(model->parameters);
    model_free(model);
}

static Spread reference(const Modeling *self)
{
    double errors[MOST_RUNS];
    for (int run = 0; run < self->ablation_runs; run++)
        errors[run] = self->trained[EQUAL_STEPS][ARM_TRANSFORMER][run].error;
    return spread_of(errors, self->ablation_runs);
}

static void show(Lab *lab, const Ablation *all)
{
    const char *names[VARIANTS + 1] = {"4 heads"};
    real mean[VARIANTS + 1];
    Spread whole = reference(all->self);
    mean[0] = (real)whole.mean;
    trace(lab->trace,
          "The same waves and steps, one part changed at a time (%d runs each; `4 heads` is the model of "
          "step 3):\n\n",
          all->self->ablation_runs);
    trace_table(lab->trace, "variant\tparameters\terror\tsd\tover 4 heads");
    trace_row(lab->trace, "4 heads\t%zu\t%.5f\t%.5f\t1.0",
              parameters_count(all->self->trained[EQUAL_STEPS][ARM_TRANSFORMER][0].model->parameters), whole.mean,
              whole.sd);
    for (int v = 0; v < VARIANTS; v++) {
        Spread s = spread_of(all->error[v], all->self->ablation_runs);
        trace_row(lab->trace, "%s\t%zu\t%.5f\t%.5f\t%.1f", variants[v].name, all->parameters[v], s.mean, s.sd,
                  s.mean / whole.mean);
        names[v + 1] = variants[v].name;
        mean[v + 1] = (real)s.mean;
    }
    trace_table_end(lab->trace);
    trace(
        lab->trace,
        "\nWithout positions the values are a bag, and a bag has no frequency. One head is one look, which cannot be\n"
        "at the value before the last and at all the others too; how many heads there are changes no matrix's size.\n");
    Figure *figure = figure_begin(lab->figures, "ablation", "The Transformer, one part changed");
    Panel *panel = figure_panel(figure, NULL, NULL, "mean squared error");
    panel_log_y(panel);
    panel_bars(panel, "error of the next value", names, mean, NULL, VARIANTS + 1);
    figure_end(figure);
}

void step_ablation(Lab *lab, void *state)
{
    Ablation all = {.lab = lab, .self = state};
    study_train(lab, state, EQUAL_STEPS, ARM_TRANSFORMER, ARM_TRANSFORMER);
    parallel_for(lab->threads, VARIANTS * all.self->ablation_runs, one_variant, &all);
    show(lab, &all);
    double whole = reference(all.self).geometric;
    claim(lab->claims,
          (Claim){.id = "positions-needed",
                  .source = "lab 07: attention sees a bag",
                  .statement = "without positions the error is many times larger (ratio)",
                  .measured = spread_of(all.error[NO_POSITIONS], all.self->ablation_runs).geometric / whole,
                  .test = AT_LEAST,
                  .bound = 5});
    claim(lab->claims,
          (Claim){.id = "one-head-is-too-few",
                  .source = "lecture: several heads see several things",
                  .statement = "with one head (as many parameters) the error is a multiple of that with 4 (ratio)",
                  .measured = spread_of(all.error[ONE_HEAD], all.self->ablation_runs).geometric / whole,
                  .test = AT_LEAST,
                  .bound = 2,
                  .skipped = lab->quick ? "the models are trained for too few steps" : NULL});
}
