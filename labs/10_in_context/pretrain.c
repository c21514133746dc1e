/* Pretraining: three models, each with the objective of its kind. */
#include "pretrain.h"

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

const Stories *stories_of(Lab *lab, InContext *self)
{
    if (!self->corpus) {
        Rng rng = lab_rng(lab, "stories");
        self->corpus = stories_new(self->stories, &rng);
    }
    return self->corpus;
}

/* ---- one step of training, by kind -------------------------------------------------- */

typedef struct {
    const Stories *stories;
    int batch;
    Rng *rng;
} Source;

static const Story *any_story(const Source *source)
{
    return &source->stories->story[rng_below(source->rng, (uint64_t)source->stories->n)];
}

/* Places that have a target, and their targets: how many. */
static int asked_for(const Texts *texts, int *rows, int *targets)
{
    int n = 0;
    for (int i = 0; i < texts->batch * texts->length; i++)
        if (texts->targets[i] != NO_TARGET) {
            rows[n] = i;
            targets[n++] = texts->targets[i];
        }
    return n;
}

/* loss = mean of -log p(masked word) + mean of -log p(follows or not)      (Devlin 2018, section 3.1) */
static Tensor *encoder_loss(Tape *tape, const Encoder *encoder, const Source *source)
{
    int row[BATCH_MOST][TEXT_MOST], target[BATCH_MOST][TEXT_MOST], length[BATCH_MOST], follows[BATCH_MOST];
    MaskCounts counts = {0};
    for (int b = 0; b < source->batch; b++) {
        const Story *story = any_story(source), *other = any_story(source);
        follows[b] = rng_chance(source->rng, 0.5);
        length[b] = pair_row(&story->sentence[0], &(follows[b] ? story : other)->sentence[1], row[b]);
        mask_words(source->stories->world, row[b], target[b], length[b], &counts, source->rng);
    }
    Texts texts;
    texts_set(&texts, row, length, source->batch);
    int rows[BATCH_MOST * TEXT_MOST], targets[BATCH_MOST * TEXT_MOST], first[BATCH_MOST];
    for (int b = 0; b < source->batch; b++) {
        first[b] = b * texts.length;
        memcpy(texts.targets + first[b], target[b], (size_t)length[b] * sizeof(int));
    }
    int n = asked_for(&texts, rows, targets);
    Tensor *states = encoder_read(tape, encoder, &texts);                                          /* [B, T, d] */
    Tensor *scores = model_scores(tape, &encoder->model, model_rows(tape, states, rows, n));       /* [n, V] */
    Tensor *pairs = linear(tape, &encoder->follows, model_rows(tape, states, first, texts.batch)); /* [B, 2] */
    return op_add(tape, op_cross_entropy(tape, scores, targets), op_cross_entropy(tape, pairs, follows));
}

/* The decoder's inputs are its targets one place later, [PAD] in front: TARGETS [B, U]. */
static int shifted(const Spans *const *spans, int n, int *inputs, int *targets)
{
    int longest = 0;
    for (int b = 0; b < n; b++)
        longest = spans[b]->targets > longest ? spans[b]->targets : longest;
    for (int b = 0; b < n; b++)
        for (int u = 0; u < longest; u++) {
            bool inside = u < spans[b]->targets;
            targets[b * longest + u] = inside ? spans[b]->target[u] : NO_TARGET;
            inputs[b * longest + u] = u > 0 && inside ? spans[b]->target[u - 1] : PAD;
        }
    return longest;
}

static Tensor *spans_scores(Tape *tape, const EncoderDecoder *model, const Spans *const *spans, int n, int *targets,
                            int *longest)
{
    Texts texts;
    int row[BATCH_MOST][TEXT_MOST], length[BATCH_MOST] = {0}, inputs[BATCH_MOST * TEXT_MOST];
    for (int b = 0; b < n; b++) {
        length[b] = spans[b]->inputs;
        memcpy(row[b], spans[b]->input, sizeof row[b]);
    }
    texts_set(&texts, row, length, n);
    *longest = shifted(spans, n, inputs, targets);
    return encoder_decoder_scores(tape, model, &texts, inputs, *longest);
}

static Tensor *spans_loss(Tape *tape, const EncoderDecoder *model, const Source *source)
{
    Spans made[BATCH_MOST];
    const Spans *spans[BATCH_MOST];
    int words[STORY_MOST], targets[BATCH_MOST * TEXT_MOST], longest;
    for (int b = 0; b < source->batch; b++) {
        made[b] = spans_take(words, story_words(any_story(source), words), source->rng);
        spans[b] = &made[b];
    }
    Tensor *scores = spans_scores(tape, model, spans, source->batch, targets, &longest);
    return op_cross_entropy(tape, scores, targets);
}

/* L = mean over places of -log P(u_t | u_1 ... u_t-1)         (Radford 2018, eq. 1) */
static Tensor *decoder_loss(Tape *tape, const Model *model, const Story *const *stories, int n)
{
    Texts texts;
    int row[BATCH_MOST][TEXT_MOST], length[BATCH_MOST];
    for (int b = 0; b < n; b++)
        length[b] = next_word_row(stories[b], row[b]);
    texts_set(&texts, row, length, n);
    next_word_targets(&texts);
    Tensor *states = model_read(tape, model, texts.ids, n, texts.length, (ModelView){0});
    return op_cross_entropy(tape, model_scores(tape, model, states), texts.targets);
}

static Tensor *next_word_loss(Tape *tape, const Model *model, const Source *source)
{
    const Story *stories[BATCH_MOST];
    for (int b = 0; b < source->batch; b++)
        stories[b] = any_story(source);
    return decoder_loss(tape, model, stories, source->batch);
}

/* ---- tests ---------------------------------------------------------------------------- */

enum { AT_ONCE = 40 };

/* Stories of the test's class; half of the pairs get the second sentence of another. */
static Questions *questions_new(const World *world, int n, Rng *rng)
{
    Questions *q = memory_new(1, sizeof *q, "the questions");
    q->n = n;
    for (int i = 0; i < n; i++)
        q->story[i] = story_draw(world, FOR_TESTS, rng);
    for (int i = 0; i < n; i++) {
        int words[STORY_MOST];
        q->follows[i] = i % 2;
        q->length[i] =
            pair_row(&q->story[i].sentence[0], &q->story[q->follows[i] ? i : (i + 2) % n].sentence[1], q->row[i]);
        for (int t = 0; t < q->length[i]; t++) {
            bool asked = q->row[i][t] >= SPECIALS && rng_chance(rng, 0.15);
            q->target[i][t] = asked ? q->row[i][t] : NO_TARGET;
            q->row[i][t] = asked ? MASK : q->row[i][t];
        }
        q->spans[i] = spans_take(words, story_words(&q->story[i], words), rng);
    }
    return q;
}

double encoder_accuracy(const Encoder *encoder, const Questions *q, double *follows)
{
    int right = 0, asked = 0, judged = 0, words = encoder->model.settings.vocabulary;
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    for (int from = 0; from < q->n; from += AT_ONCE) {
        Texts texts;
        int n = q->n - from < AT_ONCE ? q->n - from : AT_ONCE;
        texts_set(&texts, q->row + from, q->length + from, n);
        tape_rewind(tape);
        Tensor *states = encoder_read(tape, encoder, &texts);
        const real *scores = model_scores(tape, &encoder->model, states)->data;
        const real *pair = linear(tape, &encoder->follows, states)->data;
        for (int b = 0; b < n; b++) {
            const real *p = pair + (size_t)2 * b * texts.length;
            judged += (p[1] > p[0]) == q->follows[from + b];
            for (int t = 0; t < q->length[from + b]; t++) {
                int target = q->target[from + b][t];
                asked += target != NO_TARGET;
                right +=
                    target != NO_TARGET && argmax(scores + ((size_t)b * texts.length + t) * words, words) == target;
            }
        }
    }
    tape_free(tape);
    *follows = (double)judged / q->n;
    return (double)right / asked;
}

double spans_accuracy(const EncoderDecoder *model, const Questions *q, double *loss)
{
    int right = 0, asked = 0, words = model->reader.settings.vocabulary;
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    *loss = 0;
    for (int from = 0; from < q->n; from += AT_ONCE) {
        const Spans *spans[AT_ONCE];
        int n = q->n - from < AT_ONCE ? q->n - from : AT_ONCE, targets[AT_ONCE * TEXT_MOST], longest;
        for (int b = 0; b < n; b++)
            spans[b] = &q->spans[from + b];
        tape_rewind(tape);
        Tensor *scores = spans_scores(tape, model, spans, n, targets, &longest);
        *loss += (double)op_cross_entropy(tape, scores, targets)->data[0] * n / q->n;
        for (int i = 0; i < n * longest; i++)
            if (targets[i] >= SPECIALS) {
                asked++;
                right += argmax(scores->data + (size_t)i * words, words) == targets[i];
            }
    }
    tape_free(tape);
    return (double)right / asked;
}

int spans_written(const EncoderDecoder *model, const Spans *spans, int *target)
{
    int inputs[TEXT_MOST] = {PAD}, n = 0, words = model->reader.settings.vocabulary;
    Texts texts;
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    texts_set(&texts, &spans->input, &spans->inputs, 1);
    while (n < TEXT_MOST - 1 && (n == 0 || target[n - 1] != SPAN_Z)) {
        tape_rewind(tape);
        const real *scores = encoder_decoder_scores(tape, model, &texts, inputs, n + 1)->data;
        target[n] = argmax(scores + (size_t)n * words, words);
        n++;
        inputs[n] = target[n - 1];
    }
    tape_free(tape);
    return n;
}

double decoder_perplexity(const Model *model, const Questions *q, double *loss)
{
    double sum = 0;
    long words = 0;
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    for (int from = 0; from < q->n; from += AT_ONCE) {
        const Story *stories[AT_ONCE];
        int n = q->n - from < AT_ONCE ? q->n - from : AT_ONCE, row[TEXT_MOST];
        long here = 0;
        for (int b = 0; b < n; b++) {
            stories[b] = &q->story[from + b];
            here += next_word_row(stories[b], row) - 1;
        }
        tape_rewind(tape);
        sum += (double)decoder_loss(tape, model, stories, n)->data[0] * (double)here;
        words += here;
    }
    tape_free(tape);
    *loss = sum / (double)words;
    return exp64(*loss);
}

/* ---- all three --------------------------------------------------------------------------- */

typedef struct {
    Lab *lab;
    const InContext *self;
    Pretrained *all;
    bool loaded[NETWORKS];
    pthread_mutex_t lock; /* for the progress bar */
    int done;
} Job;

static const char *const network_name[NETWORKS] = {"encoder", "encoder-decoder", "decoder"};
static const int network_batch[NETWORKS] = {24, 16, 16};
#define RATE 5e-3

static Parameters *parameters_of(Pretrained *all, int network)
{
    return network == ENCODER           ? all->encoder.model.parameters
           : network == ENCODER_DECODER ? all->spans.reader.parameters
                                        : all->decoder.parameters;
}

void pretraining_settings(Lab *lab, const InContext *self, const Pretrained *all)
{
    const Parameters *parameters[NETWORKS] = {all->encoder.model.parameters, all->spans.reader.parameters,
                                              all->decoder.parameters};
    static const char *const objective[NETWORKS] = {"masked words, next sentence", "spans", "next word"};
    trace_table(lab->trace, "model\tobjective\tparameters\tsteps\tstories a step");
    for (int i = 0; i < NETWORKS; i++)
        trace_row(lab->trace, "%s\t%s\t%zu\t%d\t%d", network_name[i], objective[i], parameters_count(parameters[i]),
                  self->steps[i], network_batch[i]);
    trace_table_end(lab->trace);
    trace(lab->trace, "\n");
}

static void look(Pretrained *all, int network, int number, int step)
{
    double first, second = 0;
    if (network == ENCODER)
        first = encoder_accuracy(&all->encoder, all->questions, &second);
    else if (network == ENCODER_DECODER)
        first = spans_accuracy(&all->spans, all->questions, &second);
    else
        first = decoder_perplexity(&all->decoder, all->questions, &second);
    real *row = all->look[network]->data + 3 * number;
    row[0] = (real)step;
    row[1] = (real)first;
    row[2] = (real)second;
}

static void progress(Job *job)
{
    pthread_mutex_lock(&job->lock);
    job->done++;
    progress_update(job->lab->progress, job->done, "%d looks at the models of %d", job->done, NETWORKS * LOOKS);
    pthread_mutex_unlock(&job->lock);
}

static void train(int network, void *context)
{
    Job *job = context;
    Pretrained *all = job->all;
    if (job->loaded[network])
        return;
    char purpose[64];
    snprintf(purpose, sizeof purpose, "pretraining %s", network_name[network]);
    Rng rng = lab_rng(job->lab, purpose);
    Source source = {.stories = job->self->corpus, .batch = network_batch[network], .rng = &rng};
    Parameters *parameters = parameters_of(all, network);
    Optimiser *adam = adam_new(parameters, (Adam){.rate = RATE, .beta2 = 0.99});
    Tape *tape = tape_new(1);
    int steps = job->self->steps[network];
    look(all, network, 0, 0);
    for (int step = 0; step < steps; step++) {
        tape_rewind(tape);
        Tensor *loss = network == ENCODER           ? encoder_loss(tape, &all->encoder, &source)
                       : network == ENCODER_DECODER ? spans_loss(tape, &all->spans, &source)
                                                    : next_word_loss(tape, &all->decoder, &source);
        tape_backward(tape, loss);
        clip_by_norm(parameters, 1);
        optimiser_set_rate(adam, RATE * schedule_cosine(step, steps / 20, steps, 0.05));
        optimiser_step(adam);
        if ((step + 1) * LOOKS / steps > step * LOOKS / steps) {
            look(all, network, (step + 1) * LOOKS / steps, step + 1);
            progress(job);
        }
    }
    optimiser_free(adam);
    tape_free(tape);
}

static Kept kept_of(Pretrained *all, int network, const InContext *self)
{
    return (Kept){.name = network_name[network],
                  .parameters = parameters_of(all, network),
                  .record = all->look[network],
                  .work = self->steps[network]};
}

static Pretrained *untrained(Lab *lab, InContext *self)
{
    Pretrained *all = memory_new(1, sizeof *all, "the pretrained models");
    const World *world = stories_of(lab, self)->world;
    Rng weights = lab_rng(lab, "pretraining weights"), tests = lab_rng(lab, "pretraining tests");
    all->encoder = encoder_new(world_words(world), &weights);
    all->spans = encoder_decoder_new(world_words(world), &weights);
    all->decoder = decoder_new(world_words(world), &weights);
    all->questions = questions_new(world, self->tests, &tests);
    all->looks = parameters_new();
    for (int i = 0; i < NETWORKS; i++)
        all->look[i] = parameter_zeros(all->looks, "looks during training", SHAPE(LOOKS + 1, 3));
    return all;
}

Pretrained *pretrained(Lab *lab, InContext *self)
{
    if (self->pretrained)
        return self->pretrained;
    Job job = {.lab = lab, .self = self, .all = untrained(lab, self)};
    for (int i = 0; i < NETWORKS; i++)
        job.loaded[i] = kept_load(lab, self, kept_of(job.all, i, self));
    pthread_mutex_init(&job.lock, NULL);
    progress_begin(lab->progress, "pretraining", NETWORKS * LOOKS);
    parallel_for(lab->threads, NETWORKS, train, &job);
    progress_end(lab->progress);
    pthread_mutex_destroy(&job.lock);
    for (int i = 0; i < NETWORKS; i++)
        if (!job.loaded[i])
            kept_save(lab, kept_of(job.all, i, self));
    return self->pretrained = job.all;
}

void pretrained_free(Pretrained *all)
{
    if (!all)
        return;
    encoder_free(&all->encoder);
    encoder_decoder_free(&all->spans);
    model_free(&all->decoder);
    parameters_free(all->looks);
    free(all->questions);
    free(all);
}
