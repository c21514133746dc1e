/* Step 6. What vanishing costs: recall over a lag.
 *
 * One model a lag, each trained and tested at that lag only: a model trained on
 * many lags at once is another experiment.  Two starts: as usual, and
 * orthogonal, where the gradient vanishes least (step 4). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "maths.h"
#include "memory.h"
#include "parallel.h"
#include "vanishing.h"

enum { USUAL, ORTHOGONAL, KOREAN, SERIES, LAGS = 7 };
static const int full_lags[LAGS] = {1, 3, 6, 10, 20, 40, 60}, quick_lags[] = {3, 10, 20, 60};
static const char *const series_names[SERIES] = {"usual start", "orthogonal start", "orthogonal start, Korean"};

typedef struct {
    RecallSetting setting;
    Rng rng;
    RecallResult result;
    double arrives; /* before training: |dL/dh at the door| / |dL/dh at the last word| */
} Run;

/* How much of the loss arrives at the word with the colour. */
static double gradient_at_the_door(const RecallModel *model, Rng *rng)
{
    const RecallSetting *s = &model->setting;
    RecallBatch batch = recall_batch_new(s->language, s->lag, s->lag, s->batch, rng);
    Tape *tape = tape_new(1);
    Tensor *states = recall_states(tape, model, recall_inputs(tape, model, &batch), &batch);
    tape_backward(tape, op_cross_entropy(tape, recall_scores(tape, model, states), batch.answers));
    size_t step = (size_t)s->batch * (size_t)s->hidden;
    double door = norm_of(states->grad + (size_t)recall_cue(s->language) * step, step);
    double last = norm_of(states->grad + (size_t)(batch.steps - 1) * step, step);
    tape_free(tape);
    recall_batch_free(&batch);
    return door / last;
}

static void run_one(int index, void *context)
{
    Run *run = ((Run **)context)[index];
    RecallModel *model = recall_model_new(&run->setting, &run->rng);
    run->arrives = gradient_at_the_door(model, &run->rng);
    run->result = recall_train(model, &run->rng, 1);
    recall_model_free(model);
}

/* A mean over the runs of one series and lag. */
typedef struct {
    double accuracy, lowest, highest, arrives, steps;
} Summary;

static Summary summary(const Run *runs, int n)
{
    Summary s = {.lowest = 1};
    double log_arrives = 0;
    for (int i = 0; i < n; i++) {
        double accuracy = runs[i].result.accuracy;
        s.accuracy += accuracy / n;
        s.lowest = fmin(s.lowest, accuracy);
        s.highest = fmax(s.highest, accuracy);
        s.steps += (double)runs[i].result.steps / n;
        log_arrives += log64(runs[i].arrives) / n;
    }
    s.arrives = exp64(log_arrives);
    return s;
}

static void show_stories(Lab *lab)
{
    Rng rng = lab_rng(lab, "stories");
    for (RecallLanguage language = 0; language < RECALL_LANGUAGES; language++) {
        RecallBatch batch = recall_batch_new(language, 10, 10, 1, &rng);
        char *text = recall_text(language, &batch, 0);
        trace(lab->trace, "    %s ?   %s\n", text, recall_word(language, batch.answers[0]));
        free(text);
        recall_batch_free(&batch);
    }
}

/* The lags of this run: the seven (four at --quick), and the student's. */
static int lags_of(const Lab *lab, const Vanishing *self, int *all)
{
    const int *lags = lab->quick ? quick_lags : full_lags;
    int n = 0, count = lab->quick ? (int)(sizeof quick_lags / sizeof *quick_lags) : LAGS;
    bool placed = self->lag < 0;
    for (int i = 0; i < count; i++) {
        if (!placed && self->lag <= lags[i]) {
            placed = true;
            if (self->lag < lags[i])
                all[n++] = self->lag;
        }
        all[n++] = lags[i];
    }
    if (!placed)
        all[n++] = self->lag;
    return n;
}

/* The Korean stories get half as many runs. */
static int runs_of(const Vanishing *self, int series)
{
    int runs = self->config.recall_runs;
    return series == KOREAN ? (runs + 1) / 2 : runs;
}

static void prepare(const Lab *lab, const Vanishing *self, Run *run, int series, int lag, int i)
{
    static const char *const purposes[SERIES] = {"usual", "orthogonal", "korean"};
    char purpose[64];
    snprintf(purpose, sizeof purpose, "recall %s %d %d", purposes[series], lag, i);
    run->setting = recall_setting(CELL_RNN, lag);
    run->setting.radius = series == USUAL ? 0 : 1;
    run->setting.language = series == KOREAN ? RECALL_KOREAN : RECALL_ENGLISH;
    run->setting.hidden = self->hidden;
    run->setting.steps = self->config.recall_steps;
    run->rng = lab_rng(lab, purpose);
}

static void draw(Lab *lab, Summary (*table)[SERIES], const int *all, int n)
{
    Figure *figure =
        figure_begin(lab->figures, "recall_vs_lag", "The colour of the door, against how long ago it opened");
    Panel *accuracy = figure_panel(figure, "after training: one model a lag", "words in between", "accuracy");
    Panel *arrives = figure_panel(figure, "before training: how much of the loss arrives at the door",
                                  "words in between", "|dL/dh door| / |dL/dh last|");
    real x[LAGS + 1], mean[LAGS + 1], low[LAGS + 1], high[LAGS + 1], gradient[LAGS + 1];
    static const int order[SERIES] = {ORTHOGONAL, USUAL, KOREAN};
    for (int k = 0; k < SERIES; k++) {
        int series = order[k];
        for (int i = 0; i < n; i++) {
            const Summary *s = &table[i][series];
            x[i] = (real)all[i];
            mean[i] = (real)s->accuracy;
            low[i] = (real)s->lowest;
            high[i] = (real)s->highest;
            gradient[i] = s->arrives > 0 ? (real)s->arrives : (real)NAN;
        }
        if (series == KOREAN)
            panel_line(accuracy, series_names[series], x, mean, n);
        else
            panel_band(accuracy, series_names[series], x, mean, low, high, n);
        panel_line(arrives, series_names[series], x, gradient, n);
    }
    panel_horizontal(accuracy, "chance", recall_chance());
    panel_range_y(accuracy, 0, 1.05);
    panel_log_y(arrives);
    figure_end(figure);
}

static const Summary *at_lag(Summary (*table)[SERIES], const int *all, int series, int lag)
{
    int i = 0;
    while (all[i] != lag)
        i++;
    return &table[i][series];
}

static void claims_of(Lab *lab, const Vanishing *self, Summary (*table)[SERIES], const int *all)
{
    const char *other = self->hidden != 71 ? "stated for 71 units" : NULL;
    const char *quick = lab->quick ? "needs more steps than --quick gives" : NULL;
    const Summary *usual_20 = at_lag(table, all, USUAL, 20), *orthogonal_20 = at_lag(table, all, ORTHOGONAL, 20);
    claim(lab->claims, (Claim){.id = "recall-gradient",
                               .source = "Bengio 1994; Saxe 2014; Le 2015",
                               .statement = "over 20 words an orthogonal start lets this many times more of the loss "
                                            "arrive at the door than the usual start",
                               .measured = orthogonal_20->arrives / usual_20->arrives,
                               .test = AT_LEAST,
                               .bound = 1000,
                               .skipped = other});
    claim(lab->claims,
          (Claim){.id = "recall-short",
                  .source = "lecture: a recurrent network remembers",
                  .statement = "with an orthogonal start it recalls the colour over 10 words (mean accuracy)",
                  .measured = at_lag(table, all, ORTHOGONAL, 10)->accuracy,
                  .test = AT_LEAST,
                  .bound = 0.95,
                  .skipped = other});
    claim(lab->claims,
          (Claim){.id = "recall-korean",
                  .source = "lecture: 파란 문을 열고 ... 파란 방",
                  .statement =
                      "with an orthogonal start it recalls the colour in Korean stories over 10 words (mean accuracy)",
                  .measured = at_lag(table, all, KOREAN, 10)->accuracy,
                  .test = AT_LEAST,
                  .bound = 0.95,
                  .skipped = other});
    claim(lab->claims,
          (Claim){.id = "recall-by-start",
                  .source = "lecture: an RNN fails on long dependencies; Saxe 2014; Le 2015",
                  .statement = "how far it reaches depends on how it starts: over 20 words an orthogonal start "
                               "gains this much accuracy over the usual one",
                  .measured = orthogonal_20->accuracy - usual_20->accuracy,
                  .test = AT_LEAST,
                  .bound = 0.3,
                  .corrects = true,
                  .skipped = other ? other : quick});
    claim(lab->claims, (Claim){.id = "recall-long",
                               .source = "lecture: an RNN fails on long dependencies; Bengio 1994",
                               .statement = "over 60 words, in the steps it was given, even the orthogonal start stays "
                                            "within 0.05 of chance, 0.125 (mean accuracy)",
                               .measured = at_lag(table, all, ORTHOGONAL, 60)->accuracy,
                               .test = BETWEEN,
                               .bound = 0.075,
                               .upper = 0.175,
                               .skipped = other});
}

/* Every network of this step, trained; those of lag I and SERIES stand from
 * (I * SERIES + series) * recall_runs on.  The longest lags are trained first, so
 * that two threads end together. */
static Run *train_all(const Lab *lab, const Vanishing *self, const int *all, int n)
{
    int most = self->config.recall_runs, count = 0;
    Run *runs = memory_new((size_t)n * (size_t)most * SERIES, sizeof *runs, "runs of recall");
    Run **order = memory_new((size_t)n * (size_t)most * SERIES, sizeof(Run *), "runs of recall");
    for (int i = n - 1; i >= 0; i--)
        for (int series = 0; series < SERIES; series++)
            for (int r = 0; r < runs_of(self, series); r++) {
                order[count] = &runs[(i * SERIES + series) * most + r];
                prepare(lab, self, order[count++], series, all[i], r);
            }
    parallel_for(lab->threads, count, run_one, order);
    free(order);
    return runs;
}

void step_recall(Lab *lab, void *state)
{
    const Vanishing *self = state;
    int all[LAGS + 1], n = lags_of(lab, self, all), most = self->config.recall_runs;
    trace(lab->trace, "A door opens; other things in other colours pass; which door was it?\n\n");
    show_stories(lab);
    trace(lab->trace,
          "\nOne network for each lag, trained and tested there: %d tanh units, Adam at rate 0.001,\n"
          "gradients clipped to 1, at most %d steps of 32 stories, fewer once 0.995 are right.\n"
          "Means over %d %s (Korean: %d); guessing gives %.3f.\n\n",
          self->hidden, self->config.recall_steps, most, most == 1 ? "run" : "runs", runs_of(self, KOREAN),
          recall_chance());
    Run *runs = train_all(lab, self, all, n);
    Summary table[LAGS + 1][SERIES] = {0};
    trace_table(lab->trace,
                "words\tusual start: arrives\taccuracy\torthogonal: arrives\taccuracy\tsteps\tKorean: accuracy");
    for (int i = 0; i < n; i++) {
        for (int series = 0; series < SERIES; series++)
            table[i][series] = summary(&runs[(i * SERIES + series) * most], runs_of(self, series));
        const Summary *usual = &table[i][USUAL], *orthogonal = &table[i][ORTHOGONAL];
        trace_row(lab->trace, "%d\t%.1e\t%.3f\t%.1e\t%.3f\t%.0f\t%.3f", all[i], usual->arrives, usual->accuracy,
                  orthogonal->arrives, orthogonal->accuracy, orthogonal->steps, table[i][KOREAN].accuracy);
    }
    trace_table_end(lab->trace);
    draw(lab, table, all, n);
    trace(lab->trace, "\n`arrives`: the gradient at the state that reads the colour, before training, against\n"
                      "that at the last word.  What arrives there decides what is learned there, though not\n"
                      "alone: Adam divides by the gradient's own size, which helps a small gradient but not\n"
                      "one that is gone.  This is what was tried, not what is possible: more steps, another\n"
                      "rate or a lucky start reach further.  Lab 04 has cells that need no luck.\n"
                      "Figure recall_vs_lag.\n");
    claims_of(lab, self, table, all);
    free(runs);
}
