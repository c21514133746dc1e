/* recurrent_translator.c: GRUs with attention, as in lab 05. */
#include "recurrent_translator.h"

#include <stdlib.h>

#include "measure.h"
#include "memory.h"

RecurrentTranslator recurrent_translator_new(RecurrentSettings s, Rng *rng)
{
    RecurrentTranslator t = {.settings = s, .parameters = parameters_new()};
    int e = s.embedding, h = s.hidden;
    t.source = parameter_normal(t.parameters, "source", SHAPE(s.source_words, e), (real)0.3, rng);
    t.target = parameter_normal(t.parameters, "target", SHAPE(s.target_words, e), (real)0.3, rng);
    t.forward = recurrent_new(t.parameters, "forward", CELL_GRU, e, h / 2, rng);
    t.backward = recurrent_new(t.parameters, "backward", CELL_GRU, e, h / 2, rng);
    t.start = linear_new(t.parameters, "start", h, h, rng);
    t.summary = linear_new(t.parameters, "summary", h, 3 * h, rng);
    t.decoder = recurrent_new(t.parameters, "decoder", CELL_GRU, e, h, rng);
    t.read_state = linear_new(t.parameters, "read_state", h, h, rng);
    t.read_context = linear_new(t.parameters, "read_context", h, h, rng);
    t.answer = linear_new(t.parameters, "answer", h, s.target_words, rng);
    t.score = parameter_glorot(t.parameters, "score", SHAPE(h, h), rng);
    return t;
}

void recurrent_translator_free(RecurrentTranslator *translator)
{
    parameters_free(translator->parameters);
}

/* What the decoder looks at and starts from. */
typedef struct {
    Tensor *annotations; /* h_j = [forward_j; backward_j]: [B, S, H] */
    Tensor *keys;        /* W h_j: [B, S, H] */
    Tensor *last;        /* the last state [B, H] */
    Tensor *start;       /* of the decoder: [B, H] */
    const int *lengths;
} Encoded;

/* State T of [T, B, H / 2] as [B, H / 2]. */
static Tensor *state_at(Tape *tape, Tensor *states, int t)
{
    return op_reshape(tape, op_slice(tape, states, 0, t, t + 1), SHAPE(states->shape.dim[1], states->shape.dim[2]));
}

static Encoded encode(Tape *tape, const RecurrentTranslator *t, const TranslationBatch *batch)
{
    int s = batch->source_steps;
    Tensor *x = op_embedding(tape, t->source, batch->source, SHAPE(s, batch->size)); /* [S, B, E] */
    Tensor *states[2] = {
        recurrent(tape, &t->forward, x, NULL, (Sequence){.lengths = batch->source_lengths}),
        recurrent(tape, &t->backward, x, NULL, (Sequence){.lengths = batch->source_lengths, .reverse = true})};
    Tensor *last[2] = {state_at(tape, states[0], s - 1), state_at(tape, states[1], 0)};
    Encoded encoded = {.last = op_concat(tape, last, 2, 1), .lengths = batch->source_lengths};
    encoded.start = op_tanh(tape, linear(tape, &t->start, encoded.last));
    encoded.annotations = op_transpose(tape, op_concat(tape, states, 2, 2), 0, 1);
    encoded.keys = op_matmul(tape, encoded.annotations, t->score);
    return encoded;
}

/* From START on, WORDS [T, B] in, all states out [T, B, H]. */
static Tensor *decode(Tape *tape, const RecurrentTranslator *t, const Encoded *encoded, Tensor *start,
                      const int *words, int steps)
{
    const Recurrent *cell = &t->decoder;
    Tensor *y = op_embedding(tape, t->target, words, SHAPE(steps, start->shape.dim[0])); /* [T, B, E] */
    Tensor *inputs = op_linear(tape, y, cell->input_weight, cell->bias, NULL);           /* [T, B, 3H] */
    inputs = op_add(tape, inputs, linear(tape, &t->summary, encoded->last));
    return op_gru(tape, inputs, cell->weight, cell->recurrent_bias, start, (Sequence){0});
}

/* a_t = softmax(s_t . W h_j)   c_t = sum_j a_tj h_j   logits = W_o tanh(W_s s_t + W_c c_t + b) */
static Tensor *say(Tape *tape, const RecurrentTranslator *t, const Encoded *encoded, Tensor *states)
{
    int steps = states->shape.dim[0], batch = states->shape.dim[1], s = encoded->keys->shape.dim[1];
    Tensor *query = op_transpose(tape, states, 0, 1); /* [B, T, H] */
    Tensor *mask = op_reshape(tape, mask_padding(tape, encoded->lengths, batch, 1, steps, s, false),
                              SHAPE(batch, steps, s));
    Tensor *weights = op_softmax(tape, op_batched_matmul_transposed(tape, query, encoded->keys), mask);
    Tensor *context = op_transpose(tape, op_batched_matmul(tape, weights, encoded->annotations), 0, 1);
    Tensor *read = op_add(tape, linear(tape, &t->read_state, states), linear(tape, &t->read_context, context));
    return linear(tape, &t->answer, op_tanh(tape, read)); /* [T, B, words] */
}

Tensor *recurrent_translator_read(Tape *tape, const RecurrentTranslator *t, const TranslationBatch *batch)
{
    Encoded encoded = encode(tape, t, batch);
    return say(tape, t, &encoded, decode(tape, t, &encoded, encoded.start, batch->target_in, batch->target_steps));
}

void recurrent_translator_greedy(Tape *tape, const RecurrentTranslator *t, const TranslationBatch *batch, int most,
                                 int *out)
{
    int b = batch->size, words = t->settings.target_words, open = b;
    int *last = memory_new((size_t)b, sizeof *last, "words");
    tape_record(tape, false);
    tape_rewind(tape);
    Encoded encoded = encode(tape, t, batch);
    Tensor *state = encoded.start;
    for (int r = 0; r < b; r++)
        last[r] = TRANSLATION_SOS;
    for (int i = 0; i < b * most; i++)
        out[i] = TRANSLATION_PAD;
    for (int i = 0; i < most && open > 0; i++) {
        Tensor *states = decode(tape, t, &encoded, state, last, 1); /* [1, B, H] */
        const real *row = say(tape, t, &encoded, states)->data;
        state = op_reshape(tape, states, SHAPE(b, t->settings.hidden));
        for (int r = 0; r < b; r++, row += words) {
            bool ended = last[r] == TRANSLATION_EOS || last[r] == TRANSLATION_PAD;
            last[r] = ended ? TRANSLATION_PAD : argmax(row, words);
            open -= last[r] == TRANSLATION_EOS;
            if (last[r] != TRANSLATION_EOS)
                out[r * most + i] = last[r];
        }
    }
    free(last);
}
