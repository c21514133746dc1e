/* Step 3. A few labelled examples: with pretraining, and without. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "finetune.h"
#include "memory.h"
#include "parallel.h"

enum { SIZES = 4, RATES = 3, DRAWS_MOST = 4, TESTS = 300 };
static const int sizes[TASKS][SIZES] = {
    {8, 32, 128}, {8, 32, 128}, {4, 16, 64}, {8, 32, 128, 512}, {8, 32, 128}}; /* labelled examples; 0: no more */
static const int steps_of_size[SIZES] = {30, 50, 100, 200};
/* A model from scratch, or with word vectors only, gets the best of its rates (in the mean over the
 * draws, on the test itself: in its favour); the pretrained one has one. */
static const double rates[STARTS][RATES] = {{4e-3}, {5e-3, 1e-2}, {2e-3, 5e-3, 1e-2}};
static const char *const start_name[STARTS] = {"all layers", "word vectors only", "from scratch"};

typedef struct {
    Task task;
    Begin begin;
    int size, rate, draw;
    double score;
} Run;

typedef struct {
    Lab *lab;
    const InContext *self;
    const Stories *stories;
    const Pretrained *pretrained;
    Example *test[TASKS];              /* [TESTS] */
    Example *train[TASKS][DRAWS_MOST]; /* [the largest size]; smaller sets are its beginning */
    Run *run;
    int runs, tests, done;
    pthread_mutex_t lock; /* for the progress bar */
} Finetuning;

/* Few labels are drawn more often: there one draw is not like another. */
static int draws_of(const Finetuning *all, int size)
{
    return all->lab->quick ? 1 : size == 0 ? DRAWS_MOST : size == SIZES - 1 ? 1 : 2;
}

static bool wanted(const Finetuning *all, Task task, int size)
{
    return sizes[task][size] && (!all->lab->quick || size == 1 || (size == 0 && task == TOPIC));
}

/* Word vectors alone are tried where pretraining turns out to help most, and least. */
static bool has_start(Task task, Begin begin)
{
    return begin != FROM_WORDS || task == TOPIC || task == SENTIMENT || task == ENTITIES;
}

static int rates_of(const Finetuning *all, Begin begin)
{
    int n = 1;
    while (n < RATES && !all->lab->quick && rates[begin][n] > 0)
        n++;
    return n;
}

/* ---- data ------------------------------------------------------------------------------- */

static void draw_examples(Finetuning *all)
{
    for (int task = 0; task < TASKS; task++) {
        char purpose[64];
        snprintf(purpose, sizeof purpose, "tests: %s", task_name((Task)task));
        Rng rng = lab_rng(all->lab, purpose);
        all->test[task] = memory_new(TESTS, sizeof(Example), "test examples");
        for (int i = 0; i < TESTS; i++)
            all->test[task][i] = example_draw(all->stories->world, (Task)task, FOR_TESTS, i, &rng);
        for (int draw = 0; draw < DRAWS_MOST; draw++) {
            snprintf(purpose, sizeof purpose, "labels: %s %d", task_name((Task)task), draw);
            rng = lab_rng(all->lab, purpose);
            all->train[task][draw] = memory_new(TASK_MOST, sizeof(Example), "labelled examples");
            for (int i = 0; i < TASK_MOST; i++)
                all->train[task][draw][i] = example_draw(all->stories->world, (Task)task, FOR_LABELS, i, &rng);
        }
    }
}

/* Sentences of the tests that the corpus has. */
static int leaked(const Finetuning *all, int *looked_at)
{
    int found = 0;
    for (int task = 0; task < TASKS; task++)
        for (int i = 0; i < TESTS; i++)
            for (int s = 0; s < all->test[task][i].sentences; s++) {
                ++*looked_at;
                found += stories_contain(all->stories, &all->test[task][i].sentence[s]);
            }
    return found;
}

static void show_examples(Lab *lab, const Finetuning *all)
{
    static const char *const inference[] = {"entailed", "contradicted", "neither"};
    const World *world = all->stories->world;
    trace(lab->trace, "Five tasks, an example of each:\n\n");
    for (int task = 0; task < TASKS; task++) {
        const Example *e = &all->test[task][1];
        char text[512], answer[128];
        snprintf(answer, sizeof answer, "%s",
                 task == TOPIC       ? topic_name(e->answer)
                 : task == SENTIMENT ? e->answer ? "good" : "bad"
                 : task == INFERENCE ? inference[e->answer]
                                     : "");
        if (task == ANSWERS)
            words_text(world, e->row + e->answer, e->end - e->answer + 1, answer, sizeof answer);
        for (int t = 1; task == ENTITIES && t + 1 < e->length; t++)
            snprintf(answer + strlen(answer), sizeof answer - strlen(answer), t > 1 ? " %s" : "%s",
                     tag_name((Tag)e->target[t]));
        trace(lab->trace, "    %-10s%s\n              -> %s\n", task_name((Task)task),
              words_text(world, e->row, e->length, text, sizeof text), answer);
    }
}

/* ---- all runs ------------------------------------------------------------------------------ */

static void list_runs(Finetuning *all)
{
    all->run = memory_new(TASKS * SIZES * STARTS * RATES * DRAWS_MOST, sizeof *all->run, "the runs");
    for (int size = SIZES - 1; size >= 0; size--) /* the longest first */
        for (int task = 0; task < TASKS; task++)
            for (int begin = 0; begin < STARTS && wanted(all, (Task)task, size); begin++)
                for (int rate = 0; has_start((Task)task, (Begin)begin) && rate < rates_of(all, (Begin)begin); rate++)
                    for (int draw = 0; draw < draws_of(all, size); draw++)
                        all->run[all->runs++] =
                            (Run){.task = (Task)task, .begin = (Begin)begin, .size = size, .rate = rate, .draw = draw};
}

static void one_run(int index, void *context)
{
    Finetuning *all = context;
    Run *run = &all->run[index];
    char purpose[64];
    snprintf(purpose, sizeof purpose, "tuning %d %d %d", (int)run->task, run->size, run->draw);
    Rng rng = lab_rng(all->lab, purpose);
    Tuning tuning = {.task = run->task,
                     .begin = run->begin,
                     .n = sizes[run->task][run->size],
                     .steps = steps_of_size[run->size],
                     .rate = rates[run->begin][run->rate],
                     .pretrained = all->pretrained,
                     .world = all->stories->world};
    run->score = tune(&tuning, all->train[run->task][run->draw], all->test[run->task], all->tests, &rng);
    pthread_mutex_lock(&all->lock);
    all->done++;
    progress_update(all->lab->progress, all->done, "%d runs of %d", all->done, all->runs);
    pthread_mutex_unlock(&all->lock);
}

typedef struct {
    double mean, low, high;
} Score;

static Score score_at_rate(const Finetuning *all, Task task, Begin begin, int size, int rate)
{
    Score score = {0, 2, -1};
    int n = 0;
    for (int i = 0; i < all->runs; i++) {
        const Run *run = &all->run[i];
        if (run->task != task || run->begin != begin || run->size != size || run->rate != rate)
            continue;
        score.mean += run->score;
        score.low = fmin(score.low, run->score);
        score.high = fmax(score.high, run->score);
        n++;
    }
    score.mean /= n ? n : 1;
    return score;
}

/* Over the draws, at the best rate. */
static Score score_of(const Finetuning *all, Task task, Begin begin, int size)
{
    Score best = score_at_rate(all, task, begin, size, 0);
    for (int rate = 1; rate < rates_of(all, begin); rate++) {
        Score score = score_at_rate(all, task, begin, size, rate);
        if (score.mean > best.mean)
            best = score;
    }
    return best;
}

/* ---- what came out ----------------------------------------------------------------------------- */

static void tell(Lab *lab, const Finetuning *all)
{
    trace(lab->trace,
          "\nEach task with few labelled examples: the pretrained network with a new answer layer on top (all\n"
          "layers), a new network that has only the pretrained word vectors, and one from scratch, at the best of\n"
          "%d rates. Means over %d to %d draws of the labelled examples (lowest to highest); accuracy on %d\n"
          "examples, for entities F1 of whole names, for answers both ends right:\n\n",
          rates_of(all, FROM_SCRATCH), draws_of(all, SIZES - 1), draws_of(all, 0), all->tests);
    trace_table(lab->trace, "task\tlabelled\tall layers\t\tword vectors only\t\tfrom scratch\t");
    for (int task = 0; task < TASKS; task++)
        for (int size = 0; size < SIZES; size++) {
            char line[256] = "";
            for (int begin = 0; begin < STARTS; begin++) {
                Score s = score_of(all, (Task)task, (Begin)begin, size);
                if (has_start((Task)task, (Begin)begin))
                    snprintf(line + strlen(line), sizeof line - strlen(line), "\t%.3f\t%.2f-%.2f", s.mean, s.low,
                             s.high);
                else
                    snprintf(line + strlen(line), sizeof line - strlen(line), "\t\t");
            }
            if (wanted(all, (Task)task, size))
                trace_row(lab->trace, "%s\t%d%s", task_name((Task)task), sizes[task][size], line);
        }
    trace_table_end(lab->trace);
}

static void draw_figure(Lab *lab, const Finetuning *all)
{
    static const char *const title[TASKS] = {"topic (4)", "sentiment (2)", "entities (F1)", "inference (3)",
                                             "answers (both ends)"};
    Figure *figure = figure_begin(lab->figures, "finetuning_vs_scratch", "Few labels: pretrained and from scratch");
    figure_layout(figure, 3, 560, 440);
    for (int task = 0; task < TASKS; task++) {
        Panel *panel = figure_panel(figure, title[task], "labelled examples", task == ENTITIES ? "F1" : "accuracy");
        panel_log_x(panel);
        panel_range_y(panel, 0, 1.02);
        for (int begin = 0; begin < STARTS; begin++) {
            if (!has_start((Task)task, (Begin)begin))
                continue;
            real x[SIZES], y[SIZES], low[SIZES], high[SIZES];
            int n = 0;
            for (int size = 0; size < SIZES; size++) {
                if (!wanted(all, (Task)task, size))
                    continue;
                Score s = score_of(all, (Task)task, (Begin)begin, size);
                x[n] = (real)sizes[task][size];
                y[n] = (real)s.mean;
                low[n] = (real)s.low;
                high[n++] = (real)s.high;
            }
            if (begin == FROM_WORDS)
                panel_line(panel, start_name[begin], x, y, n);
            else
                panel_band(panel, start_name[begin], x, y, low, high, n);
        }
    }
    figure_end(figure);
}

/* How much all layers are ahead of another start, in points. */
static double ahead(const Finetuning *all, Task task, int size, Begin of)
{
    return 100 * (score_of(all, task, FROM_ALL, size).mean - score_of(all, task, of, size).mean);
}

static void claim_gain(Lab *lab, const Finetuning *all, const char *id, const char *statement, Task task, int size,
                       double bound)
{
    claim(lab->claims, (Claim){.id = id,
                               .statement = statement,
                               .source = "lecture: pretraining, then fine-tuning; Devlin 2018, table 1",
                               .measured = ahead(all, task, size, FROM_SCRATCH),
                               .test = AT_LEAST,
                               .bound = bound,
                               .skipped = lab->quick ? "pretraining is too short" : NULL});
}

static void claim_all(Lab *lab, const Finetuning *all)
{
    int looked_at = 0, found = leaked(all, &looked_at);
    claim(lab->claims, (Claim){.id = "tests-never-seen",
                               .statement = "sentences of the labelled test sets that the pretraining corpus holds",
                               .source = "a test must be new",
                               .measured = found,
                               .test = EQUALS,
                               .bound = 0});
    claim_gain(lab, all, "topic-8", "topic, 8 labelled sentences: pretrained minus from scratch (points)", TOPIC, 0,
               15);
    claim_gain(lab, all, "topic-32", "topic, 32 labelled sentences: pretrained minus from scratch (points)", TOPIC, 1,
               15);
    claim_gain(lab, all, "entities-16", "entities, 16 labelled sentences: pretrained minus from scratch (points of F1)",
               ENTITIES, 1, 8);
    claim(lab->claims, (Claim){.id = "sentiment-not-helped",
                               .statement = "it does not help everywhere: on sentiment with 128 labelled sentences the "
                                            "pretrained network gains next to nothing over one from scratch (points)",
                               .source = "lecture: pretraining, then fine-tuning",
                               .measured = ahead(all, SENTIMENT, 2, FROM_SCRATCH),
                               .test = AT_MOST,
                               .bound = 5,
                               .corrects = true,
                               .skipped = lab->quick ? "pretraining is too short" : NULL});
    claim(lab->claims,
          (Claim){.id = "more-than-embeddings",
                  .statement = "what is transferred is more than word vectors: all layers minus word "
                               "vectors only (points, mean over topic at 8 and 32 labels and entities at 16)",
                  .source = "lecture: a language model gives more than embeddings; Radford 2018, section 1",
                  .measured = (ahead(all, TOPIC, 0, FROM_WORDS) + ahead(all, TOPIC, 1, FROM_WORDS) +
                               ahead(all, ENTITIES, 1, FROM_WORDS)) /
                              3,
                  .test = ABOVE,
                  .bound = 0,
                  .skipped = lab->quick ? "pretraining is too short" : NULL});
}

void step_finetuning(Lab *lab, void *state)
{
    InContext *self = state;
    Finetuning *all = memory_new(1, sizeof *all, "fine-tuning");
    all->lab = lab;
    all->self = self;
    all->stories = stories_of(lab, self);
    all->pretrained = pretrained(lab, self);
    all->tests = self->tests < TESTS ? self->tests : TESTS;
    draw_examples(all);
    list_runs(all);
    pthread_mutex_init(&all->lock, NULL);
    progress_begin(lab->progress, "fine-tuning", all->runs);
    parallel_for(lab->threads, all->runs, one_run, all);
    progress_end(lab->progress);
    pthread_mutex_destroy(&all->lock);
    show_examples(lab, all);
    tell(lab, all);
    draw_figure(lab, all);
    claim_all(lab, all);
    for (int task = 0; task < TASKS; task++) {
        for (int draw = 0; draw < DRAWS_MOST; draw++)
            free(all->train[task][draw]);
        free(all->test[task]);
    }
    free(all->run);
    free(all);
}
