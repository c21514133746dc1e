/* The corpus, the tests and the models, made when a step first asks for them. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "memory.h"
#include "parallel.h"
#include "seq2seq.h"
#include "weights.h"

const Translation *translation_of(Lab *lab, Seq2Seq *self)
{
    if (!self->translation)
        self->translation = translation_new((TranslationSettings){self->pairs, self->longest}, lab->seed);
    return self->translation;
}

static const Translation *brief_of(Lab *lab, Seq2Seq *self)
{
    if (!self->brief_translation)
        self->brief_translation = translation_new((TranslationSettings){self->pairs, self->brief}, lab->seed);
    return self->brief_translation;
}

const Tests *tests_of(Lab *lab, Seq2Seq *self)
{
    static const int full[][2] = {{4, 8}, {9, 12}, {13, 16}, {17, 20}, {21, 25}, {26, 30}};
    static const int quick[][2] = {{4, 6}, {7, 8}, {9, 11}, {12, 14}, {15, 18}};
    Tests *test = &self->test;
    if (test->buckets)
        return test;
    test->buckets = lab_choose(lab, 6, 5);
    test->trained = test->buckets - 1;
    test->size = self->tests;
    Rng rng = lab_rng(lab, "tests");
    for (int i = 0; i < test->buckets; i++) {
        const int *range = lab->quick ? quick[i] : full[i];
        test->low[i] = range[0];
        test->high[i] = range[1];
        snprintf(test->name[i], sizeof test->name[i], "%d-%d", range[0], range[1]);
        test->pairs[i] = translation_tests(translation_of(lab, self), range[0], range[1], test->size, &rng);
    }
    return test;
}

/* ---- the models ------------------------------------------------------------------- */

typedef struct {
    const char *name;
    AttentionKind attention;
    Reading reading;
    bool narrow, brief;
    int times; /* as many steps */
} Recipe;

static const Recipe recipes[MODELS] = {
    [PLAIN] = {"plain", NO_ATTENTION, BOTH_WAYS, false, false, 1},
    [WITH_DOT] = {"dot", DOT, BOTH_WAYS, false, false, 1},
    [WITH_GENERAL] = {"general", GENERAL, BOTH_WAYS, false, false, 1},
    [WITH_CONCAT] = {"concat", CONCAT, BOTH_WAYS, false, false, 1},
    [WITH_SCALED] = {"scaled dot", SCALED, BOTH_WAYS, false, false, 1},
    [PLAIN_NARROW] = {"plain narrow", NO_ATTENTION, BOTH_WAYS, true, false, 1},
    [ATTENTION_NARROW] = {"attention narrow", DOT, BOTH_WAYS, true, false, 1},
    [PLAIN_BRIEF] = {"plain brief", NO_ATTENTION, BOTH_WAYS, false, true, 1},
    [ATTENTION_BRIEF] = {"attention brief", DOT, BOTH_WAYS, false, true, 1},
    [PLAIN_NARROW_BRIEF] = {"plain narrow brief", NO_ATTENTION, BOTH_WAYS, true, true, 1},
    [ATTENTION_NARROW_BRIEF] = {"attention narrow brief", DOT, BOTH_WAYS, true, true, 1},
    [PLAIN_LONGER] = {"plain longer", NO_ATTENTION, BOTH_WAYS, false, false, 5},
    [READS_FORWARDS] = {"forwards", NO_ATTENTION, FORWARDS, false, false, 1},
    [READS_BACKWARDS] = {"backwards", NO_ATTENTION, BACKWARDS, false, false, 1},
};

static Model *untrained(Lab *lab, Seq2Seq *self, ModelId id)
{
    const Recipe *recipe = &recipes[id];
    char purpose[64];
    snprintf(purpose, sizeof purpose, "weights of %s", recipe->name);
    Rng rng = lab_rng(lab, purpose);
    const Translation *translation = translation_of(lab, self);
    return model_new((ModelSettings){.attention = recipe->attention,
                                     .reading = recipe->reading,
                                     .embedding = self->embedding,
                                     .hidden = recipe->narrow ? self->narrow : self->wide,
                                     .english = translation->english->size,
                                     .french = translation->french->size},
                     &rng);
}

typedef struct {
    Lab *lab;
    Seq2Seq *self;
    ModelId id[MODELS];
    int n, done;
    pthread_mutex_t lock; /* for the progress bar */
} Work;

static void train_one(int index, void *context)
{
    Work *work = context;
    Seq2Seq *self = work->self;
    ModelId id = work->id[index];
    const Translation *translation = recipes[id].brief ? self->brief_translation : self->translation;
    /* the same batches for all that are trained on the same sentences */
    Rng rng = lab_rng(work->lab, "batches");
    int steps = self->steps * recipes[id].times;
    train(self->model[id], translation->training, self->pairs,
          (TrainingSettings){.steps = steps, .batch = BATCH, .rate = self->rate, .every = steps / 40}, &rng,
          &self->curve[id]);
    pthread_mutex_lock(&work->lock);
    work->done++;
    progress_update(work->lab->progress, work->done, "%d models of %d", work->done, work->n);
    pthread_mutex_unlock(&work->lock);
}

void models_need(Lab *lab, Seq2Seq *self, const ModelId *ids, int n)
{
    Work work = {.lab = lab, .self = self};
    for (int i = 0; i < n; i++)
        if (!self->model[ids[i]]) {
            translation_of(lab, self);
            if (recipes[ids[i]].brief)
                brief_of(lab, self);
            self->model[ids[i]] = untrained(lab, self, ids[i]);
            work.id[work.n++] = ids[i];
        }
    if (work.n == 0)
        return;
    pthread_mutex_init(&work.lock, NULL);
    progress_begin(lab->progress, "training", work.n);
    parallel_for(lab->threads, work.n, train_one, &work);
    progress_end(lab->progress);
    pthread_mutex_destroy(&work.lock);
}

Model *model_of(Lab *lab, Seq2Seq *self, ModelId id)
{
    models_need(lab, self, &id, 1);
    return self->model[id];
}

static ModelId id_of_score(const Seq2Seq *self)
{
    if (strcmp(self->score, "general") == 0)
        return WITH_GENERAL;
    return strcmp(self->score, "concat") == 0 ? WITH_CONCAT : WITH_DOT;
}

/* Trained, and left in a file; or with --load read from the file that an earlier run left. */
Model *main_model(Lab *lab, Seq2Seq *self)
{
    ModelId id = id_of_score(self);
    char path[512];
    snprintf(path, sizeof path, "%s/%s%s.safetensors", lab->folder, self->score, lab->quick ? "_quick" : "");
    if (self->load && !self->model[id]) {
        Model *model = untrained(lab, self, id);
        weights_load(path, model->parameters);
        self->model[id] = model;
    } else if (!self->load && !self->saved) {
        models_need(lab, self, &id, 1);
        weights_save(path, self->model[id]->parameters);
        self->saved = true;
    }
    return self->model[id];
}

const Ibm1 *ibm1_of(Lab *lab, Seq2Seq *self, bool french_from_english)
{
    Ibm1 **model = french_from_english ? &self->french_from_english : &self->english_from_french;
    const Translation *t = translation_of(lab, self);
    if (!*model)
        *model = ibm1_train(t->training, self->pairs, t->english->size, t->french->size, french_from_english);
    return *model;
}

/* ---- measuring --------------------------------------------------------------------- */

typedef struct {
    const Model *model;
    const Tests *test;
    ByLength result;
} Measuring;

static void measure_bucket(int index, void *context)
{
    Measuring *measuring = context;
    const Tests *test = measuring->test;
    TranslationScore score = score_greedy(measuring->model, test->pairs[index], test->size);
    measuring->result.exact[index] = translation_exact(&score);
    measuring->result.bleu[index] = bleu_score(&score.bleu);
}

ByLength by_length(Lab *lab, Seq2Seq *self, ModelId id)
{
    Measuring measuring = {.model = model_of(lab, self, id), .test = tests_of(lab, self)};
    parallel_for(lab->threads, measuring.test->buckets, measure_bucket, &measuring);
    return measuring.result;
}

Pair pair_of_text(const Translation *translation, const char *text)
{
    int words[TRANSLATION_ENGLISH];
    Pair pair;
    int n = translation_read(translation->english, text, "a sentence", words, TRANSLATION_ENGLISH, NULL);
    if (n > TRANSLATION_ENGLISH || !translation_parse(translation, words, n, &pair))
        die_misuse(HERE, "the grammar has no sentence \"%s\"", text);
    return pair;
}
