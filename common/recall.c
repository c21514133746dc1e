/* recall.c: stories with a door in them, and a network that has to remember its colour. */
#include "recall.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maths.h"
#include "memory.h"

enum {
    THINGS = 8,
    DEEDS = 8,
    FIRST_THING = RECALL_COLOURS,
    FIRST_DEED = FIRST_THING + THINGS,
    REST = FIRST_DEED + DEEDS
};

/* The words by number: colours, things, deeds, and the rest from number REST on.
 * Pieces of a story are lists of numbers ended by END; COLOUR, THING and DEED
 * stand for one of their kind. */
enum { END = -1, COLOUR = -2, THING = -3, DEED = -4 };
typedef struct {
    const char *words[REST + 9];
    int opening[8], passing[8], question[8];
    int cue; /* where the colour stands in the opening */
} Language;

// clang-format off
static const Language languages[RECALL_LANGUAGES] = {
    [RECALL_ENGLISH] = {
        .words = {"blue", "red", "green", "yellow", "white", "black", "brown", "grey",
                  "bird", "car", "dog", "cat", "child", "boat", "train", "horse",
                  "flew", "turned", "ran", "jumped", "passed", "went", "rushed", "rolled",
                  /* 24 */ "the", "door", "opened", "a", "by", "so", "i", "entered", NULL},
        .opening = {24, COLOUR, 25, 26, END},             /* the C door opened */
        .passing = {27, COLOUR, THING, DEED, 28, END},    /* a C' bird flew by */
        .question = {29, 30, 31, 24, END},                /* so i entered the */
        .cue = 1},
    [RECALL_KOREAN] = {
        .words = {"파란", "빨간", "노란", "하얀", "검은", "초록", "보라", "분홍",
                  "새가", "차가", "개가", "말이", "아이가", "배가", "나비가", "구름이",
                  "날고", "돌고", "뛰고", "오고", "가고", "쉬고", "멈추고", "지나고",
                  /* 24 */ "문을", "열고", "그래서", "내가", "들어간", "곳은", NULL},
        .opening = {COLOUR, 24, 25, END},                 /* C 문을 열고 */
        .passing = {COLOUR, THING, DEED, END},            /* C' 새가 날고 */
        .question = {26, 27, 28, 29, END},                /* 그래서 내가 들어간 곳은 */
        .cue = 0},
};
// clang-format on

/* ---- stories ----------------------------------------------------------------- */

static const Language *language_of(RecallLanguage language)
{
    if ((int)language < 0 || language >= RECALL_LANGUAGES)
        die_misuse(HERE, "recall: there is no language %d", (int)language);
    return &languages[language];
}

int recall_words(RecallLanguage language)
{
    const Language *l = language_of(language);
    int n = 0;
    while (l->words[n])
        n++;
    return n;
}

const char *recall_word(RecallLanguage language, int id)
{
    return id >= 0 && id < recall_words(language) ? language_of(language)->words[id] : NULL;
}

static int piece_length(const int *piece)
{
    int n = 0;
    while (piece[n] != END)
        n++;
    return n;
}

int recall_length(RecallLanguage language, int lag)
{
    const Language *l = language_of(language);
    return piece_length(l->opening) + lag + piece_length(l->question);
}

int recall_cue(RecallLanguage language)
{
    return language_of(language)->cue;
}

double recall_chance(void)
{
    return 1.0 / RECALL_COLOURS;
}

static int word_for(int slot, Rng *rng)
{
    switch (slot) {
    case COLOUR:
        return (int)rng_below(rng, RECALL_COLOURS);
    case THING:
        return FIRST_THING + (int)rng_below(rng, THINGS);
    case DEED:
        return FIRST_DEED + (int)rng_below(rng, DEEDS);
    default:
        return slot;
    }
}

/* A story of LAG words between opening and question into every STRIDE-th of IDS.
 * Returns its length; *ANSWER is the door's colour. */
static int write_story(const Language *l, int lag, int *ids, int stride, int *answer, Rng *rng)
{
    int t = 0;
    for (int i = 0; l->opening[i] != END; i++)
        ids[t++ * stride] = word_for(l->opening[i], rng);
    *answer = ids[l->cue * stride];
    for (int i = 0, next = 0; i < lag; i++) { /* the last thing may be cut off in passing */
        next = l->passing[next] == END ? 0 : next;
        ids[t++ * stride] = word_for(l->passing[next++], rng);
    }
    for (int i = 0; l->question[i] != END; i++)
        ids[t++ * stride] = word_for(l->question[i], rng);
    return t;
}

RecallBatch recall_batch_new(RecallLanguage language, int shortest, int longest, int batch, Rng *rng)
{
    const Language *l = language_of(language);
    if (shortest < 0 || shortest > longest || longest > RECALL_LONGEST_LAG || batch < 1)
        die_misuse(HERE, "recall_batch_new: a batch of %d stories with lags %d to %d (0 to %d)", batch, shortest,
                   longest, RECALL_LONGEST_LAG);
    RecallBatch b = {.batch = batch};
    b.lengths = memory_new(batch, sizeof(int), "the lengths of stories");
    b.answers = memory_new(batch, sizeof(int), "the answers of stories");
    b.ids = memory_new((size_t)recall_length(language, longest) * batch, sizeof(int), "a batch of stories");
    for (int row = 0; row < batch; row++) {
        int lag = shortest + (int)rng_below(rng, (uint64_t)longest - (uint64_t)shortest + 1);
        b.lengths[row] = write_story(l, lag, b.ids + row, batch, &b.answers[row], rng);
        b.steps = b.lengths[row] > b.steps ? b.lengths[row] : b.steps;
    }
    return b;
}

void recall_batch_free(RecallBatch *batch)
{
    free(batch->ids);
    free(batch->lengths);
    free(batch->answers);
    *batch = (RecallBatch){0};
}

char *recall_text(RecallLanguage language, const RecallBatch *batch, int row)
{
    const Language *l = language_of(language);
    size_t size = 1;
    for (int t = 0; t < batch->lengths[row]; t++)
        size += strlen(l->words[batch->ids[t * batch->batch + row]]) + 1;
    char *text = memory_new(size, 1, "a story's text"), *end = text;
    for (int t = 0; t < batch->lengths[row]; t++)
        end += sprintf(end, "%s%s", t ? " " : "", l->words[batch->ids[t * batch->batch + row]]);
    return text;
}

/* ---- the model --------------------------------------------------------------- */

RecallSetting recall_setting(CellKind kind, int lag)
{
    static const int hidden[] = {[CELL_RNN] = 71, [CELL_LSTM] = 32, [CELL_GRU] = 38};
    return (RecallSetting){
        .kind = kind,
        .embedding = 16,
        .hidden = hidden[kind],
        .gates = GATES_FOR_LAG,
        .radius = 1,
        .shortest = lag,
        .lag = lag,
        .batch = 32,
        .rate = kind == CELL_RNN ? 1e-3 : 3e-3, /* the best of a few for each */
        .clip = 1,
        .steps = 1000,
        .every = 50,
        .stories = 256,
        .enough = 0.995,
    };
}

/* RADIUS times an orthogonal matrix into WEIGHT. */
static void make_orthogonal(Tensor *weight, real radius, Rng *rng)
{
    Parameters *scratch = parameters_new();
    const Tensor *q = parameter_orthogonal(scratch, "orthogonal", weight->shape.dim[0], radius, rng);
    memcpy(weight->data, q->data, q->size * sizeof(real));
    parameters_free(scratch);
}

void recall_set_memory(const Recurrent *layer, real forget, real input)
{
    if (layer->kind == CELL_GRU) {
        recurrent_set_bias(layer, GRU_UPDATE, forget);
    } else if (layer->kind == CELL_LSTM) {
        recurrent_set_bias(layer, LSTM_FORGET, forget);
        recurrent_set_bias(layer, LSTM_INPUT, input);
    }
}

static void set_gates(const RecallModel *model)
{
    const RecallSetting *s = &model->setting;
    real open = (real)log64(s->lag + RECALL_AROUND);
    if (s->gates == GATES_ONE)
        recall_set_memory(&model->layer, 1, 0);
    if (s->gates == GATES_FOR_LAG)
        recall_set_memory(&model->layer, open, -open);
}

RecallModel *recall_model_new(const RecallSetting *setting, Rng *rng)
{
    RecallModel *model = memory_new(1, sizeof *model, "a recall model");
    int words = recall_words(setting->language);
    model->setting = *setting;
    model->parameters = parameters_new();
    model->embedding = parameter_normal(model->parameters, "embedding", SHAPE(words, setting->embedding), 1, rng);
    model->layer = recurrent_new(model->parameters, "layer", setting->kind, setting->embedding, setting->hidden, rng);
    model->output = linear_new(model->parameters, "output", setting->hidden, words, rng);
    if (setting->kind == CELL_RNN && setting->radius > 0)
        make_orthogonal(model->layer.weight, (real)setting->radius, rng);
    set_gates(model);
    return model;
}

void recall_model_free(RecallModel *model)
{
    if (!model)
        return;
    parameters_free(model->parameters);
    free(model);
}

Tensor *recall_inputs(Tape *tape, const RecallModel *model, const RecallBatch *batch)
{
    return op_embedding(tape, model->embedding, batch->ids, SHAPE(batch->steps, batch->batch));
}

Tensor *recall_states(Tape *tape, const RecallModel *model, Tensor *inputs, const RecallBatch *batch)
{
    return recurrent(tape, &model->layer, inputs, NULL, (Sequence){.lengths = batch->lengths});
}

Tensor *recall_scores(Tape *tape, const RecallModel *model, Tensor *states)
{
    int steps = states->shape.dim[0], batch = states->shape.dim[1];
    Tensor *last = op_slice(tape, states, 0, steps - 1, steps); /* [1, B, H]: rows that ended earlier are carried */
    return linear(tape, &model->output, op_reshape(tape, last, SHAPE(batch, model->setting.hidden)));
}

/* ---- training ---------------------------------------------------------------- */

static int best_word(const real *scores, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        best = scores[i] > scores[best] ? i : best;
    return best;
}

/* How many of one batch are answered rightly. */
static int rightly(Tape *tape, const RecallModel *model, const RecallBatch *batch)
{
    tape_rewind(tape);
    const Tensor *scores =
        recall_scores(tape, model, recall_states(tape, model, recall_inputs(tape, model, batch), batch));
    int words = tensor_columns(scores), right = 0;
    for (int row = 0; row < batch->batch; row++)
        right += best_word(scores->data + (size_t)row * words, words) == batch->answers[row];
    return right;
}

double recall_accuracy(const RecallModel *model, int lag, int stories, Rng *rng, int threads)
{
    enum { BATCH = 64 };
    Tape *tape = tape_new(threads);
    tape_record(tape, false);
    int right = 0;
    for (int done = 0; done < stories; done += BATCH) {
        int n = stories - done < BATCH ? stories - done : BATCH;
        RecallBatch batch = recall_batch_new(model->setting.language, lag, lag, n, rng);
        right += rightly(tape, model, &batch);
        recall_batch_free(&batch);
    }
    tape_free(tape);
    return (double)right / stories;
}

double recall_step(Tape *tape, const RecallModel *model, Optimiser *optimiser, Rng *rng, double *norm)
{
    const RecallSetting *s = &model->setting;
    RecallBatch batch = recall_batch_new(s->language, s->shortest, s->lag, s->batch, rng);
    tape_rewind(tape);
    Tensor *states = recall_states(tape, model, recall_inputs(tape, model, &batch), &batch);
    Tensor *loss = op_cross_entropy(tape, recall_scores(tape, model, states), batch.answers);
    double value = (double)loss->data[0];
    if (isfinite(value)) {
        tape_backward(tape, loss);
        *norm = s->clip > 0 ? clip_by_norm(model->parameters, s->clip) : gradient_norm(model->parameters);
        optimiser_step(optimiser);
    }
    recall_batch_free(&batch);
    return value;
}

enum { FINAL_STORIES = 1024, RECENT = 20 };
static const double WORTH_A_LOOK = 1; /* the loss below which one might be done; who guesses has 2.08 */

static double mean(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i] / n;
    return sum;
}

RecallResult recall_train(RecallModel *model, Rng *rng, int threads)
{
    const RecallSetting *s = &model->setting;
    Optimiser *optimiser = adam_new(model->parameters, (Adam){.rate = s->rate});
    Tape *tape = tape_new(threads);
    RecallResult result = {0};
    double recent[RECENT] = {0}, norm = 0;
    while (result.steps < s->steps && !result.diverged) {
        double loss = recall_step(tape, model, optimiser, rng, &norm);
        recent[result.steps % RECENT] = loss;
        result.diverged = !isfinite(loss);
        result.largest_norm = norm > result.largest_norm ? norm : result.largest_norm;
        result.steps++;
        result.loss = mean(recent, result.steps < RECENT ? result.steps : RECENT);
        if (result.steps % s->every == 0 && result.loss < WORTH_A_LOOK &&
            recall_accuracy(model, s->lag, s->stories, rng, threads) >= s->enough)
            break;
    }
    result.accuracy = recall_accuracy(model, s->lag, FINAL_STORIES, rng, threads);
    tape_free(tape);
    optimiser_free(optimiser);
    return result;
}
