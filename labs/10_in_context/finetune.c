/* Fine-tuning: the pretrained network, a new answer layer, and few examples. */
#include "finetune.h"

#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "memory.h"
#include "optim.h"

enum { TUNING_BATCH = 16, AT_ONCE = 50 };

/* The network of a task: GPT's for inference, BERT's for the others. */
typedef struct {
    Task task;
    Encoder encoder;
    Model decoder;
    Parameters *parameters;
    Linear answer; /* d -> classes */
} Tuned;

/* Parameters are in the order of their making: the words' vectors, the places, and the rest. */
static void copy_parameters(Parameters *to, const Parameters *from, Begin begin)
{
    int n = begin == FROM_ALL ? from->n : begin == FROM_WORDS ? 1 : 0;
    for (int i = 0; i < n; i++)
        memcpy(to->tensor[i]->data, from->tensor[i]->data, from->tensor[i]->size * sizeof(real));
}

static Tuned tuned_new(const Tuning *tuning, Rng *rng)
{
    Tuned tuned = {.task = tuning->task};
    const Pretrained *from = tuning->pretrained;
    if (tuning->task == INFERENCE)
        tuned.decoder = decoder_new(world_words(tuning->world), rng);
    else
        tuned.encoder = encoder_new(world_words(tuning->world), rng);
    tuned.parameters = tuning->task == INFERENCE ? tuned.decoder.parameters : tuned.encoder.model.parameters;
    copy_parameters(tuned.parameters,
                    tuning->task == INFERENCE ? from->decoder.parameters : from->encoder.model.parameters,
                    tuning->begin);
    int d = tuned.task == INFERENCE ? tuned.decoder.settings.d : tuned.encoder.model.settings.d;
    tuned.answer = linear_new(tuned.parameters, "answer", d, task_classes(tuning->task), rng);
    return tuned;
}

/* The scores of the answers: [B, classes] at [CLS] or [EXTRACT]; for entities at every
 * place [B, T, tags]; for a span [B, 2, T]: which place is the first, which the last? */
static Tensor *scores_of(Tape *tape, const Tuned *tuned, const Texts *texts)
{
    int at[BATCH_MOST], batch = texts->batch, length = texts->length;
    Tensor *states = tuned->task == INFERENCE
                         ? model_read(tape, &tuned->decoder, texts->ids, batch, length, (ModelView){0})
                         : encoder_read(tape, &tuned->encoder, texts); /* [B, T, d] */
    if (tuned->task == ENTITIES)
        return linear(tape, &tuned->answer, states);
    if (tuned->task == ANSWERS)
        return op_transpose(tape, linear(tape, &tuned->answer, states), 1, 2);
    for (int b = 0; b < batch; b++)
        at[b] = b * length + (tuned->task == INFERENCE ? texts->lengths[b] - 1 : 0);
    return linear(tape, &tuned->answer, model_rows(tape, states, at, batch));
}

/* N examples as a batch; TARGETS as the rows of the scores want them. */
static void batch_of(Task task, const Example *const *examples, int n, Texts *texts, int *targets)
{
    int row[BATCH_MOST][TEXT_MOST], length[BATCH_MOST] = {0};
    for (int b = 0; b < n; b++) {
        memcpy(row[b], examples[b]->row, sizeof row[b]); // cppcheck-suppress uninitvar ; the first n are set
        length[b] = examples[b]->length;
    }
    texts_set(texts, (const int(*)[TEXT_MOST])row, length, n);
    for (int b = 0; b < n; b++) {
        if (task == ENTITIES) {
            memcpy(targets + b * texts->length, examples[b]->target, (size_t)texts->length * sizeof *targets);
        } else if (task == ANSWERS) {
            targets[2 * b] = examples[b]->answer;
            targets[2 * b + 1] = examples[b]->end;
        } else {
            targets[b] = examples[b]->answer;
        }
    }
}

static void train(const Tuning *tuning, Tuned *tuned, Tape *tape, const Example *train_on, Rng *rng)
{
    int targets[BATCH_MOST * TEXT_MOST], *order = memory_new((size_t)tuning->n, sizeof *order, "the examples' order");
    int next = tuning->n;
    for (int i = 0; i < tuning->n; i++)
        order[i] = i;
    Texts texts;
    Optimiser *adam = adam_new(tuned->parameters, (Adam){.rate = tuning->rate});
    for (int step = 0; step < tuning->steps; step++) {
        const Example *examples[TUNING_BATCH];
        int batch = tuning->n < TUNING_BATCH ? tuning->n : TUNING_BATCH;
        for (int b = 0; b < batch; b++) {
            if (next == tuning->n) {
                rng_shuffle(rng, order, (size_t)tuning->n);
                next = 0;
            }
            examples[b] = &train_on[order[next++]];
        }
        batch_of(tuned->task, examples, batch, &texts, targets);
        tape_rewind(tape);
        tape_backward(tape, op_cross_entropy(tape, scores_of(tape, tuned, &texts), targets));
        clip_by_norm(tuned->parameters, 1);
        optimiser_set_rate(adam, tuning->rate * schedule_cosine(step, tuning->steps / 10, tuning->steps, 0.05));
        optimiser_step(adam);
    }
    optimiser_free(adam);
    free(order);
}

/* Whole entities: right (first word, last word and kind), found, and there. */
typedef struct {
    int right, found, there;
} Counts;

/* The entity that begins at place T of TAGS: its last place, or -1 if none does. */
static int entity_end(const int *tags, int t, int n)
{
    int begin = tags[t], inside = begin == TAG_B_PER ? TAG_I_PER : TAG_I_LOC;
    if (begin != TAG_B_PER && begin != TAG_B_LOC)
        return -1;
    while (t + 1 < n && tags[t + 1] == inside)
        t++;
    return t;
}

static void count_entities(const real *scores, const Example *example, Counts *counts)
{
    int tags[TEXT_MOST], n = example->length;
    for (int t = 0; t < n; t++)
        tags[t] = example->target[t] == NO_TARGET ? TAG_O : argmax(scores + t * TAGS, TAGS);
    for (int t = 0; t < n; t++) {
        int found = entity_end(tags, t, n), there = entity_end(example->target, t, n);
        counts->found += found >= 0;
        counts->there += there >= 0;
        counts->right += found >= 0 && found == there && tags[t] == example->target[t];
    }
}

static void count(Task task, const real *scores, const Texts *texts, const Example *const *examples, Counts *counts)
{
    int classes = task_classes(task), length = texts->length;
    for (int b = 0; b < texts->batch; b++) {
        const Example *example = examples[b]; // NOLINT: the first texts->batch are set
        const real *row = scores + (size_t)b * classes * (task == ENTITIES || task == ANSWERS ? length : 1);
        if (task == ENTITIES) {
            count_entities(row, example, counts); // NOLINT: as above
            continue;
        }
        counts->found++;
        if (task == ANSWERS)
            counts->right += argmax(row, texts->lengths[b]) == example->answer && // NOLINT: as above
                             argmax(row + length, texts->lengths[b]) == example->end;
        else
            counts->right += argmax(row, classes) == example->answer; // NOLINT: as above
    }
}

double tune(const Tuning *tuning, const Example *train_on, const Example *test, int tests, Rng *rng)
{
    int targets[BATCH_MOST * TEXT_MOST];
    Counts counts = {0};
    Texts texts;
    Tuned tuned = tuned_new(tuning, rng);
    Tape *tape = tape_new(1);
    train(tuning, &tuned, tape, train_on, rng);
    tape_record(tape, false);
    for (int from = 0; from < tests; from += AT_ONCE) {
        const Example *examples[AT_ONCE];
        int n = tests - from < AT_ONCE ? tests - from : AT_ONCE;
        for (int b = 0; b < n; b++)
            examples[b] = &test[from + b];
        batch_of(tuning->task, examples, n, &texts, targets);
        tape_rewind(tape);
        count(tuning->task, scores_of(tape, &tuned, &texts)->data, &texts, examples, &counts);
    }
    tape_free(tape);
    parameters_free(tuned.parameters);
    /* F1 = 2 right / (found + there)      accuracy = right / asked */
    return tuning->task == ENTITIES ? 2.0 * counts.right / (counts.found + counts.there)
                                    : (double)counts.right / counts.found;
}
