/* Step 6, its model: a language model that reads from the left guesses the next
 * word, one that reads from the right the word before; both in one, two LSTM
 * layers each (ELMo: Peters 2018).
 *
 * The two directions must not meet below the guess: a second layer that reads
 * both directions of the first would see the word it is asked for. */
#include <math.h>
#include <stdlib.h>

#include "maths.h"
#include "memory.h"
#include "optim.h"
#include "senses.h"

Model model_new(int words, bool meet, Rng *rng)
{
    static const char *const names[DIRECTIONS][LAYERS] = {{"forward.1", "forward.2"}, {"backward.1", "backward.2"}};
    Model m = {.meet = meet, .parameters = parameters_new()};
    m.embedding = parameter_normal(m.parameters, "embedding", SHAPE(words, EMBEDDING), 1, rng);
    for (int d = 0; d < DIRECTIONS; d++)
        for (int l = 0; l < LAYERS; l++) {
            int in = l == 0 ? EMBEDDING : meet ? DIRECTIONS * HIDDEN : HIDDEN;
            m.layer[d][l] = recurrent_new(m.parameters, names[d][l], CELL_LSTM, in, HIDDEN, rng);
            recurrent_set_bias(&m.layer[d][l], LSTM_FORGET, 1);
        }
    m.output = linear_new(m.parameters, "output", HIDDEN, words, rng);
    return m;
}

Batch batch_of(const Sentence *const *sentences, int n)
{
    Batch b = {.batch = n};
    for (int row = 0; row < n; row++)
        b.steps = sentences[row]->length > b.steps ? sentences[row]->length : b.steps;
    size_t size = (size_t)b.steps * n;
    b.ids = memory_new(size, sizeof(int), "a batch");
    b.lengths = memory_new((size_t)n, sizeof(int), "a batch");
    b.targets[FORWARD] = memory_new(size, sizeof(int), "a batch");
    b.targets[BACKWARD] = memory_new(size, sizeof(int), "a batch");
    for (int row = 0; row < n; row++) {
        const Sentence *s = sentences[row];
        b.lengths[row] = s->length;
        for (int t = 0; t < b.steps; t++) {
            int at = t * n + row;
            b.ids[at] = s->id[t < s->length ? t : s->length - 1];
            b.targets[FORWARD][at] = t + 1 < s->length ? s->id[t + 1] : -1;
            b.targets[BACKWARD][at] = t > 0 && t < s->length ? s->id[t - 1] : -1;
        }
    }
    return b;
}

void batch_free(Batch *b)
{
    free(b->ids);
    free(b->lengths);
    free(b->targets[FORWARD]);
    free(b->targets[BACKWARD]);
}

States states_of(Tape *tape, const Model *model, const Batch *batch)
{
    States s;
    Tensor *words = op_embedding(tape, model->embedding, batch->ids, SHAPE(batch->steps, batch->batch));
    s.at[FORWARD][0] = s.at[BACKWARD][0] = words;
    for (int l = 0; l < LAYERS; l++) {
        Tensor *below[DIRECTIONS] = {s.at[FORWARD][l], s.at[BACKWARD][l]};
        if (model->meet && l > 0)
            below[FORWARD] = below[BACKWARD] = op_concat(tape, below, DIRECTIONS, 2);
        for (int d = 0; d < DIRECTIONS; d++)
            s.at[d][l + 1] = recurrent(tape, &model->layer[d][l], below[d], NULL,
                                       (Sequence){.lengths = batch->lengths, .reverse = d == BACKWARD});
    }
    return s;
}

/* Mean of -log p of the words asked for, from the top layer of one direction. */
static Tensor *loss_of(Tape *tape, const Model *model, const States *states, const Batch *batch, int direction)
{
    Tensor *logits = linear(tape, &model->output, states->at[direction][LAYERS]);
    return op_cross_entropy(tape, logits, batch->targets[direction]);
}

static double held_out_loss(const Model *model, const Corpus *corpus, int direction)
{
    enum { MANY = 64 };
    const Sentence *rows[MANY] = {NULL};
    int some = WORDS * SENSES * corpus->per_sense, n = some < MANY ? some : MANY;
    for (int i = 0; i < n; i++)
        rows[i] = &corpus->held[(size_t)i * some / n];
    Batch batch = batch_of(rows, n);
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    States states = states_of(tape, model, &batch);
    double loss = (double)loss_of(tape, model, &states, &batch, direction)->data[0];
    tape_free(tape);
    batch_free(&batch);
    return loss;
}

void train_model(int index, void *context)
{
    enum { BATCH = 32 };
    Training *job = context;
    const Config *config = job->config;
    Model *model = &job->model[index];
    Rng rng = lab_rng(job->lab, index ? "directions that meet" : "directions apart");
    *model = model_new(job->corpus->vocab->size, index == 1, &rng);
    Optimiser *adam = adam_new(model->parameters, (Adam){.rate = config->sense_rate});
    Tape *tape = tape_new(1);
    for (int step = 0; step < config->sense_steps; step++) {
        const Sentence *rows[BATCH] = {NULL};
        for (int i = 0; i < BATCH; i++)
            rows[i] = &job->corpus->train[rng_below(&rng, (uint64_t)job->corpus->n)];
        Batch batch = batch_of(rows, BATCH);
        tape_rewind(tape);
        States states = states_of(tape, model, &batch);
        Tensor *forward = loss_of(tape, model, &states, &batch, FORWARD);
        Tensor *backward = loss_of(tape, model, &states, &batch, BACKWARD);
        tape_backward(tape, op_add(tape, forward, backward));
        clip_by_norm(model->parameters, 1);
        optimiser_set_rate(adam, config->sense_rate * schedule_cosine(step, 10, config->sense_steps, 0.05));
        optimiser_step(adam);
        batch_free(&batch);
    }
    tape_free(tape);
    optimiser_free(adam);
    for (int d = 0; d < DIRECTIONS; d++)
        job->perplexity[index][d] = exp64(held_out_loss(model, job->corpus, d));
}

/* ---- does a guess see its own answer? ---- */

double leak_of(const Model *model, const Corpus *corpus)
{
    const Sentence *rows[1] = {&corpus->held[0]};
    int asked = rows[0]->length / 2;
    Sentence other = *rows[0];
    other.id[asked] = other.id[asked] == corpus->word[1] ? corpus->word[0] : corpus->word[1];
    const Sentence *changed[1] = {&other};
    Batch a = batch_of(rows, 1), b = batch_of(changed, 1);
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    States before = states_of(tape, model, &a), after = states_of(tape, model, &b);
    double worst = 0;
    for (int d = 0; d < DIRECTIONS; d++) {
        int from = d == FORWARD ? asked - 1 : asked + 1; /* the state that guesses the word at ASKED */
        const real *x = before.at[d][LAYERS]->data + (size_t)from * HIDDEN;
        const real *y = after.at[d][LAYERS]->data + (size_t)from * HIDDEN;
        for (int j = 0; j < HIDDEN; j++)
            worst = fmax(worst, fabs((double)x[j] - (double)y[j]));
    }
    tape_free(tape);
    batch_free(&a);
    batch_free(&b);
    return worst;
}

double unigram_perplexity(const Corpus *corpus)
{
    int words = corpus->vocab->size, total = 0, asked = 0;
    int *count = memory_new((size_t)words, sizeof *count, "counts");
    double loss = 0;
    for (int i = 0; i < corpus->n; i++)
        for (int t = 1; t < corpus->train[i].length; t++, total++)
            count[corpus->train[i].id[t]]++;
    for (int i = 0; i < WORDS * SENSES * corpus->per_sense; i++)
        for (int t = 1; t < corpus->held[i].length; t++, asked++)
            loss -= log64((count[corpus->held[i].id[t]] + 1.0) / (total + words));
    free(count);
    return exp64(loss / asked);
}
