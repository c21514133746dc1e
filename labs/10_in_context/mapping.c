/* mapping.c: texts with a mapping of their own, and the training of steps 4 and 5. */
#include "mapping.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kept.h"
#include "maths.h"
#include "measure.h"
#include "memory.h"
#include "optim.h"
#include "parallel.h"

enum { BATCH = 16, LOOK_TEXTS = 50, AT_ONCE = 100, EARLY = 5, LATE = 13 };
#define IN_ORDER 0.5 /* of the symbols follow their neighbour in the alphabet */

/* ---- texts ------------------------------------------------------------------------ */

bool mapping_is_for_tests(int number)
{
    uint64_t z = (uint64_t)number + 0x9e3779b97f4a7c15; /* splitmix64's mixing */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (z ^ (z >> 31)) % 8 == 0;
}

void mapping_texts(Rng *rng, bool for_tests, int n, int *ids, int *answers, int *numbers)
{
    for (int i = 0; i < n; i++, ids += PLACES) {
        int number;
        do
            number = (int)rng_below(rng, MAPPINGS);
        while (mapping_is_for_tests(number) != for_tests);
        int symbol = (int)rng_below(rng, SYMBOLS);
        for (int k = 0; k < ASKED; k++) {
            int label = SYMBOLS + (number >> 3 * symbol) % LABELS; /* three bits a symbol */
            ids[2 * k] = symbol;
            if (k < SHOTS)
                ids[2 * k + 1] = label;
            if (answers)
                answers[i * ASKED + k] = label;
            bool follows = rng_chance(rng, IN_ORDER);
            symbol = follows ? (symbol + 1) % SYMBOLS : (int)rng_below(rng, SYMBOLS);
        }
        if (numbers)
            numbers[i] = number;
    }
}

const char *mapping_word(int id)
{
    static const char *const word[WORDS] = {"A", "B", "C", "D", "E", "F", "G", "H",
                                            "1", "2", "3", "4", "5", "6", "7", "8"};
    return word[id];
}

/* ---- models ----------------------------------------------------------------------- */

/* The inner width of the feed-forward layers is 2 d.  Each has the best rate of those tried. */
static const struct {
    const char *name;
    int layers, d, heads;
    double rate;
    real spread;
} kinds[KINDS] = {{"d = 4", 2, 4, 2, 1e-2, 1},
                  {"d = 8", 2, 8, 2, 1e-2, 1},
                  {"d = 16", 2, 16, 4, 1e-2, (real)0.5},
                  {"d = 32", 2, 32, 4, 5e-3, 1},
                  {"one layer", 1, 48, 4, 5e-3, 1}};

const char *mapping_kind(int kind)
{
    return kinds[kind].name;
}

static Model new_model(int kind, Rng *rng)
{
    return model_new((ModelSettings){.vocabulary = WORDS,
                                     .positions = PLACES,
                                     .d = kinds[kind].d,
                                     .layers = kinds[kind].layers,
                                     .heads = kinds[kind].heads,
                                     .feed_forward = 2 * kinds[kind].d,
                                     .causal = true,
                                     .spread = kinds[kind].spread},
                     rng);
}

/* Places of the symbols (every even one) or of the labels, of N texts. */
static int rows_of(int *rows, int n, bool labels)
{
    int count = 0;
    for (int i = 0; i < n; i++)
        for (int t = labels; t < PLACES; t += 2)
            rows[count++] = i * PLACES + t;
    return count;
}

/* Loss: every label, and every next symbol. */
static Tensor *loss_of(Tape *tape, const Model *model, const int *ids, const int *answers, int n)
{
    int rows[BATCH * ASKED], next[BATCH * SHOTS];
    Tensor *states = model_read(tape, model, ids, n, PLACES, (ModelView){0}); /* [n, PLACES, d] */
    int asked = rows_of(rows, n, false);
    Tensor *labels = op_cross_entropy(tape, model_scores(tape, model, model_rows(tape, states, rows, asked)), answers);
    int followed = rows_of(rows, n, true);
    for (int i = 0; i < followed; i++)
        next[i] = ids[rows[i] + 1];
    Tensor *order = op_cross_entropy(tape, model_scores(tape, model, model_rows(tape, states, rows, followed)), next);
    return op_add(tape, labels, order);
}

/* -log softmax(scores)[answer] */
static double surprise(const real *scores, int answer)
{
    double sum = 0, top = (double)scores[argmax(scores, WORDS)];
    for (int i = 0; i < WORDS; i++)
        sum += exp64((double)scores[i] - top);
    return log64(sum) + top - (double)scores[answer];
}

double mapping_prefix_score(Tensor *const *weights, int layer, int head, const int *ids)
{
    int texts = weights[layer]->shape.dim[0], heads = weights[layer]->shape.dim[1], counted = 0;
    double sum = 0;
    for (int i = 0; i < texts; i++) {
        const int *id = ids + i * PLACES;
        const real *row = weights[layer]->data + ((i * heads + head) * PLACES + PLACES - 1) * PLACES;
        double share = 0;
        bool before = false;
        for (int t = 0; t < PLACES - 1; t += 2)
            if (id[t] == id[PLACES - 1]) {
                before = true;
                share += (double)row[t + 1];
            }
        sum += share;
        counted += before;
    }
    return counted ? sum / counted : 0;
}

/* ---- looking while it learns -------------------------------------------------------- */

/* One look: how well LOOK_TEXTS test texts are answered, and every head's score. */
static void look(Tape *tape, const Model *model, const int *ids, const int *answers, real *row, double *prefix)
{
    int rows[LOOK_TEXTS * ASKED], right = 0, late = 0;
    double loss[2] = {0, 0};
    Tensor *weights[MOST_LAYERS];
    tape_rewind(tape);
    tape_record(tape, false);
    Tensor *states = model_read(tape, model, ids, LOOK_TEXTS, PLACES, (ModelView){.weights = weights});
    int asked = rows_of(rows, LOOK_TEXTS, false);
    const real *scores = model_scores(tape, model, model_rows(tape, states, rows, asked))->data;
    for (int i = 0; i < asked; i++) {
        int k = i % ASKED;
        if (k >= LATE) {
            right += argmax(scores + i * WORDS, WORDS) == answers[i];
            late++;
        }
        if (k >= LATE || (k > 0 && k < EARLY))
            loss[k >= LATE] += surprise(scores + i * WORDS, answers[i]);
    }
    int followed = rows_of(rows, LOOK_TEXTS, true), in_order = 0;
    scores = model_scores(tape, model, model_rows(tape, states, rows, followed))->data;
    for (int i = 0; i < followed; i++)
        in_order += argmax(scores + i * WORDS, WORDS) == (ids[rows[i] - 1] + 1) % SYMBOLS;
    row[LOOK_ACCURACY] = (real)((double)right / late);
    row[LOOK_EARLY_LOSS] = (real)(loss[0] / late); /* as many early questions as late ones */
    row[LOOK_LATE_LOSS] = (real)(loss[1] / late);
    row[LOOK_ORDER] = (real)((double)in_order / followed);
    for (int head = 0, heads = model->settings.heads; head < model->settings.layers * heads; head++)
        prefix[head] = mapping_prefix_score(weights, head / heads, head % heads, ids);
    tape_record(tape, true);
}

/* ---- training ----------------------------------------------------------------------- */

typedef struct {
    Lab *lab;
    Mappings *all;
    pthread_mutex_t lock; /* for the progress bar */
    int done;
} Training;

/* One step on texts never seen before. */
static void train_step(Tape *tape, const Model *model, Optimiser *adam, Rng *rng)
{
    int ids[BATCH * PLACES], answers[BATCH * ASKED];
    mapping_texts(rng, false, BATCH, ids, answers, NULL);
    tape_rewind(tape);
    tape_backward(tape, loss_of(tape, model, ids, answers, BATCH));
    clip_by_norm(model->parameters, 1);
    optimiser_step(adam);
}

static void train(Learner *learner, Tape *tape, const Mappings *all, int kind, Rng *rng)
{
    const Model *model = &learner->model;
    int heads = model->settings.layers * model->settings.heads;
    double *prefix = memory_new((size_t)all->looks * (size_t)heads, sizeof *prefix, "the heads' scores");
    Optimiser *adam = adam_new(model->parameters, (Adam){.rate = kinds[kind].rate});
    for (int step = 0; step <= all->steps; step++) {
        if (step % EVERY == 0 && kind >= LARGEST) { /* the two that step 5 compares */
            real *row = learner->look + step / EVERY * LOOKED;
            row[LOOK_STEP] = (real)step;
            look(tape, model, all->ids, all->answers, row, prefix + step / EVERY * heads);
        }
        optimiser_set_rate(adam, kinds[kind].rate * schedule_cosine(step, 50, all->steps, 0.1));
        if (step < all->steps)
            train_step(tape, model, adam, rng);
    }
    const double *last = prefix + (all->looks - 1) * heads;
    int best = 0; /* the head that ends as the best is followed back */
    for (int head = 1; head < heads; head++)
        best = last[head] > last[best] ? head : best;
    for (int i = 0; i < all->looks && kind >= LARGEST; i++) {
        learner->look[i * LOOKED + LOOK_PREFIX] = (real)prefix[i * heads + best];
        learner->look[i * LOOKED + LOOK_HEAD] = (real)best;
    }
    optimiser_free(adam);
    free(prefix);
}

/* Accuracy at each number of shots on all test texts. */
static void test(Learner *learner, Tape *tape, const Mappings *all)
{
    int rows[AT_ONCE * ASKED], asked = rows_of(rows, AT_ONCE, false), right[ASKED] = {0};
    tape_record(tape, false);
    for (int done = 0; done < all->tests; done += AT_ONCE) {
        tape_rewind(tape);
        Tensor *states = model_read(tape, &learner->model, all->ids + done * PLACES, AT_ONCE, PLACES, (ModelView){0});
        const real *scores = model_scores(tape, &learner->model, model_rows(tape, states, rows, asked))->data;
        for (int i = 0; i < asked; i++)
            right[i % ASKED] += argmax(scores + i * WORDS, WORDS) == all->answers[done * ASKED + i];
    }
    tape_record(tape, true);
    for (int k = 0; k < ASKED; k++)
        learner->accuracy[k] = (double)right[k] / all->tests;
}

static void run_name(char name[32], const char *what, int run)
{
    snprintf(name, 32, "mapping %s %d", what, run);
}

static void train_one(int index, void *context)
{
    Training *training = context;
    char name[32];
    run_name(name, "texts", index / KINDS); /* all kinds of one run read the same texts */
    Rng texts = lab_rng(training->lab, name);
    Tape *tape = tape_new(1);
    train(&training->all->learner[index], tape, training->all, index % KINDS, &texts);
    tape_free(tape);
    pthread_mutex_lock(&training->lock);
    training->done++;
    progress_update(training->lab->progress, training->done, "%d models of %d", training->done,
                    training->all->runs * KINDS);
    pthread_mutex_unlock(&training->lock);
}

static void test_one(int index, void *context)
{
    Training *training = context;
    Learner *learner = &training->all->learner[index];
    Tape *tape = tape_new(1);
    learner->before = parameters_hash(learner->model.parameters);
    test(learner, tape, training->all);
    learner->after = parameters_hash(learner->model.parameters);
    tape_free(tape);
}

static void new_models(Lab *lab, Mappings *all)
{
    int models = all->runs * KINDS;
    all->learner = memory_new((size_t)models, sizeof *all->learner, "the mapping models");
    all->record = parameters_new();
    real *looks = parameter_zeros(all->record, "looks", SHAPE(models, all->looks, LOOKED))->data;
    for (int i = 0; i < models; i++) {
        char name[32];
        run_name(name, "weights", i / KINDS);
        Rng weights = lab_rng(lab, name);
        all->learner[i].model = new_model(i % KINDS, &weights);
        all->learner[i].look = looks + i * all->looks * LOOKED;
    }
}

/* Trained, or as they were kept; and tested. */
static void make_models(Lab *lab, const InContext *self, Mappings *all)
{
    int models = all->runs * KINDS;
    const Parameters **each = memory_new((size_t)models, sizeof *each, "the mapping models"); // NOLINT: pointers
    for (int i = 0; i < models; i++)
        each[i] = all->learner[i].model.parameters;
    Parameters *together = kept_together(each, models);
    Kept kept = {.name = "mappings", .parameters = together, .record = all->record->tensor[0], .work = all->steps};
    Training training = {.lab = lab, .all = all};
    pthread_mutex_init(&training.lock, NULL);
    if (!kept_load(lab, self, kept)) {
        progress_begin(lab->progress, "training", models);
        parallel_for(lab->threads, models, train_one, &training);
        progress_end(lab->progress);
        kept_save(lab, kept);
    }
    parallel_for(lab->threads, models, test_one, &training);
    pthread_mutex_destroy(&training.lock);
    parameters_free(together);
    free(each);
}

/* ---- what can be known without a model ---------------------------------------------- */

/* P(right | text) of the best reader: 1 if the symbol was there before, else 1/8. */
static void references(Mappings *all)
{
    for (int i = 0; i < all->tests; i++) {
        const int *id = all->ids + i * PLACES;
        int count[LABELS] = {0}, most = 0;
        for (int k = 0; k < ASKED; k++) {
            bool *shown = &all->shown[i * ASKED + k];
            for (int j = 0; j < k; j++)
                *shown |= id[2 * j] == id[2 * k];
            all->bayes[k] += (*shown ? 1 : 1.0 / LABELS) / all->tests;
            int label = all->answers[i * ASKED + k] - SYMBOLS;
            all->counting[k] += (k ? most == label : 1.0 / LABELS) / all->tests;
            count[label]++;
            most = count[label] >= count[most] ? label : most; /* of equal ones the latest */
        }
    }
}

/* Draws the texts of training once more and notes their mappings. */
static void compare_mappings(Lab *lab, Mappings *all)
{
    bool *met = memory_new(MAPPINGS, sizeof *met, "the mappings met in training");
    int ids[BATCH * PLACES], numbers[BATCH];
    for (int run = 0; run < all->runs; run++) {
        char name[32];
        run_name(name, "texts", run);
        Rng texts = lab_rng(lab, name);
        for (int step = 0; step < all->steps; step++) {
            mapping_texts(&texts, false, BATCH, ids, NULL, numbers);
            for (int i = 0; i < BATCH; i++) {
                all->met += !met[numbers[i]];
                met[numbers[i]] = true;
            }
        }
    }
    for (int i = 0; i < all->tests; i++)
        all->leaked += met[all->numbers[i]];
    free(met);
}

Mappings *mappings(Lab *lab, InContext *self)
{
    if (self->mappings)
        return self->mappings;
    Mappings *all = memory_new(1, sizeof *all, "the mapping models");
    all->runs = lab_choose(lab, 3, 1);
    all->steps = lab_choose(lab, 600, 400);
    all->looks = all->steps / EVERY + 1;
    all->tests = lab_choose(lab, 2000, 1000);
    all->ids = memory_new((size_t)all->tests * PLACES, sizeof *all->ids, "the test texts");
    all->answers = memory_new((size_t)all->tests * ASKED, sizeof *all->answers, "the test answers");
    all->numbers = memory_new((size_t)all->tests, sizeof *all->numbers, "the test mappings");
    all->shown = memory_new((size_t)all->tests * ASKED, sizeof *all->shown, "the test questions");
    Rng tests = lab_rng(lab, "mapping tests");
    mapping_texts(&tests, true, all->tests, all->ids, all->answers, all->numbers);
    references(all);
    compare_mappings(lab, all);
    new_models(lab, all);
    make_models(lab, self, all);
    return self->mappings = all;
}

const Learner *mappings_learner(const Mappings *all, int run, int kind)
{
    return &all->learner[run * KINDS + kind];
}

double mappings_accuracy(const Mappings *all, int kind, int shots)
{
    double sum = 0;
    for (int run = 0; run < all->runs; run++)
        sum += mappings_learner(all, run, kind)->accuracy[shots];
    return sum / all->runs;
}

void mappings_free(Mappings *all)
{
    if (!all)
        return;
    for (int i = 0; i < all->runs * KINDS; i++)
        model_free(&all->learner[i].model);
    parameters_free(all->record);
    free(all->learner);
    free(all->ids);
    free(all->answers);
    free(all->numbers);
    free(all->shown);
    free(all);
}
