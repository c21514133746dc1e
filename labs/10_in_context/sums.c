/* sums.c: sums, and the training of step 6. */
#include "sums.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kept.h"
#include "memory.h"
#include "optim.h"
#include "parallel.h"

enum { BATCH = 24, WIDTH = 48, MOST_TESTS = 300 };
#define RATE 5e-3

/* ---- texts ------------------------------------------------------------------------ */

/* s_k = (s_(k-1) + a_k) mod 7 */
void sum_text(Rng *rng, int n, Form form, int sign, int *ids)
{
    int sum = 0, place = ASKS + 1;
    for (int i = 0; i < SUM_PLACES; i++)
        ids[i] = BLANK;
    ids[ASKS] = sign;
    for (int k = 0; k < n; k++) {
        ids[k] = (int)rng_below(rng, DIGITS);
        sum = (sum + ids[k]) % DIGITS;
        if (k == n - 1 || (form == IN_STEPS && k > 0))
            ids[place++] = sum;
    }
    ids[place] = END;
}

const char *sum_print(const int *ids, char text[SUM_TEXT])
{
    static const char *const word[SUM_WORDS] = {"0", "1", "2", "3", "4", "5", "6", "_", "=", "think:", "."};
    int length = 0;
    text[0] = 0;
    for (int i = 0; i < SUM_PLACES; i++) {
        if (ids[i] != BLANK)
            length += snprintf(text + length, SUM_TEXT - (size_t)length, "%s%s", length ? " " : "", word[ids[i]]);
        if (ids[i] == END)
            break;
    }
    return text;
}

static int some_terms(Rng *rng, int least)
{
    return least + (int)rng_below(rng, MOST_TERMS + 1 - least);
}

/* An example has three terms or more: with two, both forms are the same. */
static void example_text(Rng *rng, Form form, int *ids)
{
    sum_text(rng, some_terms(rng, LEAST_TERMS + 1), form, EQUALS_SIGN, ids);
}

/* ---- training ----------------------------------------------------------------------- */

static Model new_model(Rng *rng)
{
    return model_new((ModelSettings){.vocabulary = SUM_WORDS,
                                     .positions = WITH_EXAMPLE,
                                     .d = WIDTH,
                                     .layers = 2,
                                     .heads = 4,
                                     .feed_forward = 2 * WIDTH,
                                     .causal = true},
                     rng);
}

/* Words of one text that a model of KIND reads, with or without an example; what
 * stands behind the longest answer of its form is not read. */
static int words_of(int kind, bool example)
{
    return kind == ON_ANSWERS ? ASKS + 2 : (example ? SUM_PLACES : 0) + SUM_PLACES - 1;
}

/* One batch: IDS [BATCH, words_of], and each place ROWS[i] that has to say TARGETS[i]. */
static int batch_of(Rng *rng, int kind, bool example, int *ids, int *rows, int *targets)
{
    int words = words_of(kind, example), start = example ? SUM_PLACES : 0, count = 0, text[SUM_PLACES];
    for (int b = 0; b < BATCH; b++, ids += words) {
        Form form = kind == ON_ANSWERS ? AT_ONCE : kind == ON_STEPS || rng_chance(rng, 0.5) ? IN_STEPS : AT_ONCE;
        int sign = form == IN_STEPS && !example ? THINK : EQUALS_SIGN;
        if (example)
            example_text(rng, form, ids);
        sum_text(rng, some_terms(rng, LEAST_TERMS), form, sign, text);
        memcpy(ids + start, text, (size_t)(words - start) * sizeof *ids);
        for (int t = ASKS; t < SUM_PLACES - 1 && text[t] != END; t++) {
            rows[count] = b * words + start + t;
            targets[count++] = text[t + 1];
        }
    }
    return count;
}

/* Without an example a text stands where it would behind one. */
static void train_step(Tape *tape, const Model *model, Optimiser *adam, int kind, bool example, Rng *rng)
{
    int ids[BATCH * WITH_EXAMPLE], rows[BATCH * SUM_PLACES], targets[BATCH * SUM_PLACES];
    int count = batch_of(rng, kind, example, ids, rows, targets);
    tape_rewind(tape);
    Tensor *states = model_read(tape, model, ids, BATCH, words_of(kind, example),
                                (ModelView){.start = example ? 0 : SUM_PLACES});       /* [B, T, d] */
    Tensor *scores = model_scores(tape, model, model_rows(tape, states, rows, count)); /* [count, SUM_WORDS] */
    tape_backward(tape, op_cross_entropy(tape, scores, targets));
    clip_by_norm(model->parameters, 1);
    optimiser_step(adam);
}

static void train(const Model *model, Tape *tape, int kind, int steps, Rng *rng)
{
    Optimiser *adam = adam_new(model->parameters, (Adam){.rate = RATE});
    for (int step = 0; step < steps; step++) {
        bool example = kind == ON_BOTH && step % 2;
        optimiser_set_rate(adam, RATE * schedule_cosine(step, 50, steps, 0.05));
        train_step(tape, model, adam, kind, example, rng);
    }
    optimiser_free(adam);
}

/* ---- asking -------------------------------------------------------------------------- */

const char *prompt_name(Prompt prompt)
{
    static const char *const name[PROMPTS] = {"zero-shot", "zero-shot, think:", "example, answer", "example, steps"};
    return name[prompt];
}

static int words_before(Prompt prompt)
{
    return prompt == ONE_SHOT || prompt == ONE_SHOT_STEPS ? SUM_PLACES : 0;
}

int sum_question(Rng *rng, Prompt prompt, int n, int *ids)
{
    int before = words_before(prompt);
    sum_text(rng, n, prompt == TRIGGER || prompt == ONE_SHOT_STEPS ? IN_STEPS : AT_ONCE,
             prompt == TRIGGER ? THINK : EQUALS_SIGN, ids + before);
    if (before)
        example_text(rng, prompt == ONE_SHOT ? AT_ONCE : IN_STEPS, ids);
    return before + SUM_PLACES;
}

void sum_write(Tape *tape, const Model *model, Prompt prompt, int *ids, int batch, int given)
{
    int before = words_before(prompt);
    model_write(
        tape, model, ids, batch,
        (Writing){
            .length = before + ASKS + 1 + given, .most = before + SUM_PLACES, .start = SUM_PLACES - before, .end = END},
        NULL);
}

/* The place behind the last word before the end, counted from behind the sign; 0 if it never ended. */
static int length_of(const int *written)
{
    for (int length = 0; length < SUM_PLACES - ASKS - 1; length++)
        if (written[length] == END)
            return length;
    return 0;
}

/* TESTS questions of N terms. */
static void ask(Tape *tape, const Model *model, Prompt prompt, int n, int tests, Rng *rng, Answers *answers)
{
    int ids[MOST_TESTS * WITH_EXAMPLE], right[MOST_TESTS], words = words_before(prompt) + SUM_PLACES;
    for (int i = 0; i < tests; i++) {
        const int *written = ids + i * words + words - SUM_PLACES + ASKS + 1;
        sum_question(rng, prompt, n, ids + i * words);
        right[i] = written[length_of(written) - 1];
    }
    sum_write(tape, model, prompt, ids, tests, 0);
    for (int i = 0; i < tests; i++) {
        const int *written = ids + i * words + words - SUM_PLACES + ASKS + 1;
        int length = length_of(written);
        answers->accuracy[n] += (length > 0 && written[length - 1] == right[i]) / (double)tests;
        answers->words[n] += length / (double)tests;
    }
}

/* ---- all models ------------------------------------------------------------------------ */

typedef struct {
    Lab *lab;
    Sums *all;
    pthread_mutex_t lock; /* for the progress bar */
    int done;
} Training;

/* The model with both forms has the most to do, so it begins. */
static int kind_of(int index)
{
    return SUM_MODELS - 1 - index;
}

static void train_one(int index, void *context)
{
    static const char *const purpose[SUM_MODELS] = {"sums at once", "sums in steps", "sums in both forms"};
    Training *training = context;
    int kind = kind_of(index);
    Rng texts = lab_rng(training->lab, purpose[kind]);
    Tape *tape = tape_new(1);
    train(&training->all->model[kind], tape, kind, training->all->steps[kind], &texts);
    tape_free(tape);
    pthread_mutex_lock(&training->lock);
    training->done++;
    progress_update(training->lab->progress, training->done, "%d models of %d", training->done, (int)SUM_MODELS);
    pthread_mutex_unlock(&training->lock);
}

/* Examples mean something to the model with both forms alone, = nothing to the one trained on steps. */
static bool is_asked(int kind, Prompt prompt)
{
    return kind == ON_BOTH || prompt == TRIGGER || (kind == ON_ANSWERS && prompt == ZERO_SHOT);
}

static void test_one(int index, void *context)
{
    Training *training = context;
    Sums *all = training->all;
    int kind = kind_of(index);
    Rng tests = lab_rng(training->lab, "sums tests");
    Tape *tape = tape_new(1);
    for (Prompt prompt = 0; prompt < PROMPTS; prompt++)
        for (int n = LEAST_TERMS; n <= MOST_TERMS && is_asked(kind, prompt); n++)
            ask(tape, &all->model[kind], prompt, n, all->tests, &tests, &all->answers[kind][prompt]);
    tape_free(tape);
}

/* Trained, or as they were kept; and tested. */
static void make_models(Lab *lab, const InContext *self, Sums *all)
{
    const Parameters *each[SUM_MODELS];
    for (int kind = 0; kind < SUM_MODELS; kind++) {
        Rng weights = lab_rng(lab, "sums weights"); /* all three start as one */
        all->model[kind] = new_model(&weights);
        each[kind] = all->model[kind].parameters;
    }
    Parameters *together = kept_together(each, SUM_MODELS);
    Kept kept = {.name = "sums", .parameters = together, .work = all->steps[ON_ANSWERS] + 10000.0 * all->steps[ON_BOTH]};
    Training training = {.lab = lab, .all = all};
    pthread_mutex_init(&training.lock, NULL);
    if (!kept_load(lab, self, kept)) {
        progress_begin(lab->progress, "training", SUM_MODELS);
        parallel_for(lab->threads, SUM_MODELS, train_one, &training);
        progress_end(lab->progress);
        kept_save(lab, kept);
    }
    parallel_for(lab->threads, SUM_MODELS, test_one, &training);
    pthread_mutex_destroy(&training.lock);
    parameters_free(together);
}

double sums_work(const Sums *all, int kind)
{
    double words = kind == ON_BOTH ? (words_of(kind, false) + words_of(kind, true)) / 2.0 : words_of(kind, false);
    return all->steps[kind] * BATCH * words;
}

Sums *sums(Lab *lab, InContext *self)
{
    if (self->sums)
        return self->sums;
    Sums *all = memory_new(1, sizeof *all, "the models of the sums");
    all->steps[ON_BOTH] = lab_choose(lab, 1000, 350);
    all->steps[ON_STEPS] = lab_choose(lab, 800, 350);
    all->steps[ON_ANSWERS] = (int)(sums_work(all, ON_STEPS) / (BATCH * words_of(ON_ANSWERS, false)) + 0.5);
    all->tests = lab_choose(lab, MOST_TESTS, 200);
    make_models(lab, self, all);
    return self->sums = all;
}

void sums_free(Sums *all)
{
    for (int kind = 0; all && kind < SUM_MODELS; kind++)
        model_free(&all->model[kind]);
    free(all);
}
