/* training.c: step 5, continued: the same two wirings trained, with and without warm-up. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"
#include "parallel.h"
#include "transformer_block.h"

enum { LETTERS = 8, LENGTH = 8, BATCH = 16, WIDTH = 32, HEADS = 4, FFN = 64, LAYERS = 6 };
enum { POST, POST_WARM, PRE, PRE_WARM, KINDS, MOST_RUNS = 8, MOST_STEPS = 400 };
#define RATE 1.2e-2
static const char *const kind_name[KINDS] = {"Post-Norm", "Post-Norm, warm-up", "Pre-Norm", "Pre-Norm, warm-up"};

typedef struct {
    const Lab *lab;
    int steps, runs;
    double accuracy[KINDS][MOST_RUNS];
    real loss[KINDS][MOST_RUNS][MOST_STEPS];
} Job;

static int warmup_of(const Job *job, int kind)
{
    return kind == POST_WARM || kind == PRE_WARM ? job->steps / 3 : 0;
}

static void one_model(int index, void *context)
{
    Job *job = context;
    int kind = index % KINDS, run = index / KINDS;
    char purpose[2][32];
    snprintf(purpose[0], sizeof purpose[0], "sorting weights %d", run);
    snprintf(purpose[1], sizeof purpose[1], "sorting letters %d", run);
    Rng weights = lab_rng(job->lab, purpose[0]), letters = lab_rng(job->lab, purpose[1]);
    Stack stack = stack_new((StackSettings){.letters = LETTERS,
                                            .d = WIDTH,
                                            .heads = HEADS,
                                            .feed_forward = FFN,
                                            .layers = LAYERS,
                                            .pre_norm = kind >= PRE},
                            &weights);
    Training training = {
        .length = LENGTH, .batch = BATCH, .steps = job->steps, .warmup = warmup_of(job, kind), .rate = RATE};
    job->accuracy[kind][run] = stack_train(&stack, training, job->loss[kind][run], &letters);
    stack_free(&stack);
}

/* Mean loss over the runs, in windows of ten steps. */
static int curve(const Job *job, int kind, real *x, real *y)
{
    enum { WINDOW = 10, MIDDLE = WINDOW / 2 };
    int n = job->steps / WINDOW;
    for (int w = 0; w < n; w++) {
        x[w] = (real)(w * WINDOW + MIDDLE);
        y[w] = 0;
        for (int run = 0; run < job->runs; run++)
            for (int i = 0; i < WINDOW; i++)
                y[w] += job->loss[kind][run][w * WINDOW + i] / (real)(WINDOW * job->runs);
    }
    return n;
}

static void draw(Lab *lab, const Job *job)
{
    real x[MOST_STEPS], y[MOST_STEPS];
    Figure *figure = figure_begin(lab->figures, "prenorm_vs_postnorm_training",
                                  "Six layers learn to sort, at a high rate, with and without warm-up");
    figure_layout(figure, 2, 700, 580);
    Panel *panel = figure_panel(figure, NULL, "step", "loss (mean over the runs)");
    panel_range_y(panel, 0, 2.6);
    for (int kind = 0; kind < KINDS; kind++) {
        int n = curve(job, kind, x, y);
        panel_line(panel, kind_name[kind], x, y, n);
    }
    panel_horizontal(panel, "guessing", 2.0794415);
    panel = figure_panel(figure, NULL, "run", "accuracy on new rows");
    panel_range_y(panel, 0, 1.05);
    panel_range_x(panel, 0.5, job->runs + 0.5);
    for (int kind = 0; kind < KINDS; kind++) {
        for (int run = 0; run < job->runs; run++) {
            x[run] = (real)(run + 1);
            y[run] = (real)job->accuracy[kind][run];
        }
        panel_points(panel, kind_name[kind], x, y, NULL, job->runs);
    }
    panel_horizontal(panel, "guessing", 1.0 / LETTERS);
    figure_end(figure);
}

static void least_and_mean(const Job *job, int kind, double *least, double *mean)
{
    *least = 1;
    *mean = 0;
    for (int run = 0; run < job->runs; run++) {
        *least = fmin(*least, job->accuracy[kind][run]);
        *mean += job->accuracy[kind][run] / job->runs;
    }
}

static void claims(Lab *lab, const Job *job)
{
    const char *few = lab->quick ? "too few runs of too few steps" : NULL;
    double least[KINDS], mean[KINDS];
    int stalled = 0;
    for (int kind = 0; kind < KINDS; kind++)
        least_and_mean(job, kind, &least[kind], &mean[kind]);
    for (int run = 0; run < job->runs; run++)
        stalled += fabs(job->accuracy[POST][run] - 1.0 / LETTERS) <= 0.05;
    claim(lab->claims,
          (Claim){.id = "post-norm-stalls",
                  .source = "Xiong 2020, section 4.2: without warm-up",
                  .statement = "without warm-up Post-Norm stays within 5 points of guessing (share of the runs)",
                  .measured = (double)stalled / job->runs,
                  .test = AT_LEAST,
                  .bound = 0.8,
                  .skipped = few});
    claim(lab->claims, (Claim){.id = "pre-norm-trains",
                               .source = "the same",
                               .statement = "without warm-up Pre-Norm trains in every run (least accuracy)",
                               .measured = least[PRE],
                               .test = AT_LEAST,
                               .bound = 0.85});
    claim(lab->claims, (Claim){.id = "warm-up-post-norm",
                               .source = "Xiong 2020, section 3.1; Vaswani 2017, section 5.3",
                               .statement = "with warm-up Post-Norm trains at the same rate (mean accuracy)",
                               .measured = mean[POST_WARM],
                               .test = AT_LEAST,
                               .bound = 0.85,
                               .skipped = few});
    claim(lab->claims, (Claim){.id = "warm-up-pre-norm",
                               .source = "the same",
                               .statement = "with warm-up Pre-Norm trains as well (mean accuracy)",
                               .measured = mean[PRE_WARM],
                               .test = AT_LEAST,
                               .bound = 0.85});
}

void with_warmup(Lab *lab, const TransformerBlock *self)
{
    Job *job = memory_new(1, sizeof *job, "the losses");
    job->lab = lab;
    job->steps = self->train_steps;
    job->runs = self->runs;
    trace(
        lab->trace,
        "\nTrained: sort %d letters (%d different ones), %d layers, width %d, Adam at rate %g with a cosine to 5 %%,\n"
        "%d steps of %d rows, gradients clipped at 1; warm-up: none, or the first %d steps. %d runs of each kind,\n"
        "accuracy on new rows (guessing: %.3f):\n\n",
        LENGTH, LETTERS, LAYERS, WIDTH, RATE, job->steps, BATCH, job->steps / 3, job->runs, 1.0 / LETTERS);
    parallel_for(lab->threads, KINDS * job->runs, one_model, job);
    trace_table(lab->trace, "wiring\tleast\tmean\tloss after 50 steps\tat the end");
    for (int kind = 0; kind < KINDS; kind++) {
        double least, mean, early = 0, late = 0;
        least_and_mean(job, kind, &least, &mean);
        for (int run = 0; run < job->runs; run++) {
            early += (double)job->loss[kind][run][50] / job->runs;
            late += (double)job->loss[kind][run][job->steps - 1] / job->runs;
        }
        trace_row(lab->trace, "%s\t%.3f\t%.3f\t%.3f\t%.3f", kind_name[kind], least, mean, early, late);
    }
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nUnder Post-Norm the first steps, where the gradients near the output are largest and Adam's averages\n"
          "rest on a handful of batches, throw the stack to where nothing comes back. Small first steps avoid it.\n");
    draw(lab, job);
    claims(lab, job);
    free(job);
}
