/* translators.c: step 6: training and scoring. */
#include "translators.h"

#include <stdlib.h>

#include "clock.h"
#include "memory.h"
#include "parallel.h"

/* The costs were measured once, side by side on one thread of a processor with AVX2, and then written
 * here: a time that is measured in the run would make the results depend on the machine, as in lab 09.
 * Batches, rates and the rest are the best of those tried on seeds 1 to 4 for each of the two. */
#define TRANSFORMER_RECIPE .batch = 8, .rate = 4e-3, .cost = 2110
const Recipe recipes[MODELS] = {
    [RECURRENT] = {"GRU, attention", "GRU", .batch = 32, .rate = 7e-3, .cost = 6680},
    [TRANSFORMER] = {"Transformer", "Transformer", TRANSFORMER_RECIPE, true, true, 0, (real)0.05, 0},
    [SINUSOIDS] = {"sinusoids alone", "sinusoids", TRANSFORMER_RECIPE, false, true, 0, (real)0.05, 0},
    [SMOOTHED] = {"label smoothing 0.1", "smoothing", TRANSFORMER_RECIPE, true, true, (real)0.1, (real)0.05, 0},
    [DROPPED] = {"dropout 0.1 everywhere", "dropout", TRANSFORMER_RECIPE, true, true, 0, (real)0.1, (real)0.1},
    [COLD] = {"no warm-up", "no warm-up", TRANSFORMER_RECIPE, true, false, 0, (real)0.05, 0},
};

const Translation *corpus_of(Lab *lab, TransformerBlock *self)
{
    if (!self->corpus)
        self->corpus = translation_new((TranslationSettings){self->pairs, self->longest}, lab->seed);
    return self->corpus;
}

void quarter_range(const TransformerBlock *self, int quarter, int *shortest, int *longest)
{
    int lengths = self->longest - 3; /* 4, 5 ... longest */
    *shortest = 4 + lengths * quarter / QUARTERS;
    *longest = 3 + lengths * (quarter + 1) / QUARTERS;
}

static BatchLayout layout_of(int kind)
{
    return kind == RECURRENT ? TIME_FIRST : BATCH_FIRST;
}

static Source source_of(const TranslationBatch *batch)
{
    return (Source){batch->size, batch->source_steps, batch->source, batch->source_lengths};
}

/* DROPOUT is NULL when testing, and labels are not smoothed then. */
static Tensor *loss_of(Tape *tape, const Trained *model, int kind, const TranslationBatch *batch, Rng *dropout)
{
    if (kind == RECURRENT)
        return op_cross_entropy(tape, recurrent_translator_read(tape, &model->recurrent, batch), batch->target_out);
    Tensor *memory = translator_encode(tape, &model->transformer, source_of(batch), dropout, NULL);
    Tensor *logits = translator_decode(tape, &model->transformer, memory, source_of(batch), batch->target_in,
                                       batch->target_steps, dropout, NULL, NULL);
    return smoothed_cross_entropy(tape, logits, batch->target_out, dropout ? recipes[kind].smoothing : 0);
}

/* Level, then straight down to 5 %: from the middle on, as in lab 05, or (Transformer) after the
 * warm-up and a fifth of the steps. */
static double factor(int kind, int step, int total)
{
    int warmup = recipes[kind].warmup ? total / 20 : 0, level = kind == RECURRENT ? total / 2 : total / 5;
    if (step < warmup)
        return (step + 1.0) / warmup;
    return step < level ? 1 : 1 - 0.95 * (step - level) / (total - level);
}

static Parameters *parameters_of(const Trained *model, int kind)
{
    return kind == RECURRENT ? model->recurrent.parameters : model->transformer.parameters;
}

static void make(const Translators *all, Trained *model, int kind)
{
    int english = all->corpus->english->size, french = all->corpus->french->size;
    const Recipe *recipe = &recipes[kind];
    Rng weights = lab_rng(all->lab, "translation weights");
    if (kind == RECURRENT)
        model->recurrent = recurrent_translator_new((RecurrentSettings){english, french, EMBEDDING, HIDDEN}, &weights);
    else
        model->transformer = translator_new((TranslatorSettings){.source_words = english,
                                                                 .target_words = french,
                                                                 .d = WIDTH,
                                                                 .heads = HEADS,
                                                                 .feed_forward = FFN,
                                                                 .blocks = 1,
                                                                 .rotary = recipe->rotary,
                                                                 .word_dropout = recipe->word_dropout,
                                                                 .dropout = recipe->dropout},
                                            &weights);
    model->parameters = parameters_count(parameters_of(model, kind));
    long time = (long)all->self->translator_steps * recipes[TRANSFORMER].cost; /* the GRU's may end beyond it */
    model->steps = (int)((time + recipe->cost - 1) / recipe->cost);
}

static void train(const Translators *all, Trained *model, int kind, Tape *tape)
{
    const Translation *corpus = all->corpus;
    const Recipe *recipe = &recipes[kind];
    Parameters *parameters = parameters_of(model, kind);
    Rng rng = lab_rng(all->lab, "translation batches"), dropout = lab_rng(all->lab, "translation dropout");
    int pairs = corpus->settings.pairs, at = pairs;
    int *order = memory_new((size_t)pairs, sizeof *order, "an order");
    Optimiser *adam = adam_new(parameters, (Adam){.rate = recipe->rate, .beta2 = kind == RECURRENT ? 0 : 0.98});
    for (int step = 0; step < model->steps; step++, at += recipe->batch) {
        if (at + recipe->batch > pairs) {
            translation_order(corpus->training, pairs, recipe->batch, &rng, order);
            at = 0;
        }
        TranslationBatch batch = translation_batch(corpus->training, order + at, recipe->batch, layout_of(kind));
        tape_rewind(tape);
        tape_backward(tape, loss_of(tape, model, kind, &batch, &dropout));
        clip_by_norm(parameters, 1);
        optimiser_set_rate(adam, recipe->rate * factor(kind, step, model->steps));
        optimiser_step(adam);
        translation_batch_free(&batch);
    }
    optimiser_free(adam);
    free(order);
}

/* Greedy translations of N of one quarter's sentences. */
static void score_some(Trained *model, int kind, int quarter, const Pair *tests, int n, Tape *tape)
{
    TranslationBatch batch = translation_batch(tests, NULL, n, layout_of(kind));
    int most = batch.target_steps + 4;
    int *out = memory_new((size_t)n * (size_t)most, sizeof *out, "translations");
    if (kind == RECURRENT)
        recurrent_translator_greedy(tape, &model->recurrent, &batch, most, out);
    else
        translator_greedy(tape, &model->transformer, source_of(&batch), TRANSLATION_SOS, TRANSLATION_EOS,
                          TRANSLATION_PAD, most, out);
    for (int i = 0; i < n; i++) {
        int length = 0;
        while (length < most && out[i * most + length] != TRANSLATION_PAD)
            length++;
        translation_score(&model->score[quarter], &tests[i], out + i * most, length);
    }
    if (quarter == QUARTERS - 1) {
        tape_rewind(tape);
        model->held_out += n * (double)loss_of(tape, model, kind, &batch, NULL)->data[0];
    }
    translation_batch_free(&batch);
    free(out);
}

/* As many at a time as memory is spent on. */
static void score(const Translators *all, Trained *model, int kind, Tape *tape)
{
    enum { AT_ONCE = 100 };
    for (int q = 0; q < QUARTERS; q++)
        for (int from = 0, all_of = all->sentences[q]; from < all_of; from += AT_ONCE)
            score_some(model, kind, q, all->tests[q] + from, all_of - from < AT_ONCE ? all_of - from : AT_ONCE, tape);
    model->held_out /= all->sentences[QUARTERS - 1];
}

static void one_model(int kind, void *context)
{
    Translators *all = context;
    Trained *model = &all->model[kind];
    Tape *tape = tape_new(1);
    make(all, model, kind);
    double start = clock_thread_seconds();
    train(all, model, kind, tape);
    model->seconds = clock_thread_seconds() - start;
    tape_record(tape, false);
    score(all, model, kind, tape);
    tape_free(tape);
    pthread_mutex_lock(&all->lock);
    all->done++;
    progress_update(all->lab->progress, all->done, "%d models of %d", all->done, MODELS);
    pthread_mutex_unlock(&all->lock);
}

Translators *translators_new(Lab *lab, TransformerBlock *self)
{
    Translators *all = memory_new(1, sizeof *all, "the translators");
    all->lab = lab;
    all->self = self;
    all->corpus = corpus_of(lab, self);
    for (int q = 0; q < QUARTERS; q++) {
        int low, high;
        Rng rng = lab_rng(lab, "translation tests");
        quarter_range(self, q, &low, &high);
        all->sentences[q] = q == QUARTERS - 1 ? 4 * self->sentences : self->sentences;
        all->tests[q] = translation_tests(all->corpus, low, high, all->sentences[q], &rng);
    }
    pthread_mutex_init(&all->lock, NULL);
    progress_begin(lab->progress, "training", MODELS);
    parallel_for(lab->threads, MODELS, one_model, all);
    progress_end(lab->progress);
    pthread_mutex_destroy(&all->lock);
    return all;
}

void translators_free(Translators *all)
{
    recurrent_translator_free(&all->model[RECURRENT].recurrent);
    for (int k = TRANSFORMER; k < MODELS; k++)
        translator_free(&all->model[k].transformer);
    for (int q = 0; q < QUARTERS; q++)
        free(all->tests[q]);
    free(all);
}
