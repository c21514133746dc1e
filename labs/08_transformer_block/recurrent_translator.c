/* recurrent_translator.c: GRUs with attention. */
#include "recurrent_translator.h"

#include <stdlib.h>

#include "memory.h"

RecurrentTranslator recurrent_translator_new(RecurrentSettings s, Rng *rng)
{
    RecurrentTranslator t = {.settings = s, .parameters = parameters_new()};
    t.source = parameter_normal(t.parameters, "source", SHAPE(s.source_words, s.embedding), 1, rng);
    t.target = parameter_normal(t.parameters, "target", SHAPE(s.target_words, s.embedding), 1, rng);
    t.forward = recurrent_new(t.parameters, "forward", CELL_GRU, s.embedding, s.hidden / 2, rng);
    t.backward = recurrent_new(t.parameters, "backward", CELL_GRU, s.embedding, s.hidden / 2, rng);
    t.start = linear_new(t.parameters, "start", s.hidden / 2, s.hidden, rng);
    t.score = parameter_glorot(t.parameters, "score", SHAPE(s.hidden, s.hidden), rng);
    t.decoder = recurrent_new(t.parameters, "decoder", CELL_GRU, s.embedding + s.hidden, s.hidden, rng);
    t.inner = linear_new(t.parameters, "inner", s.embedding + 2 * s.hidden, s.hidden, rng);
    t.answer = linear_new(t.parameters, "answer", s.hidden, s.target_words, rng);
    return t;
}

void recurrent_translator_free(RecurrentTranslator *translator)
{
    parameters_free(translator->parameters);
}

/* What the decoder looks at and starts from. */
typedef struct {
    Tensor *annotations; /* [B, S, H] */
    Tensor *keys;        /* annotations W_a^T: [B, S, H] */
    Tensor *mask;        /* [B, 1, S] */
    Tensor *state;       /* [B, H] */
} Encoded;

static Encoded encode(Tape *tape, const RecurrentTranslator *t, const TranslationBatch *batch)
{
    int b = batch->size, s = batch->source_steps, half = t->settings.hidden / 2;
    Tensor *words = op_embedding(tape, t->source, batch->source, SHAPE(s, b)); /* [S, B, E] */
    Tensor *states[2] = {
        recurrent(tape, &t->forward, words, NULL, (Sequence){.lengths = batch->source_lengths}),
        recurrent(tape, &t->backward, words, NULL, (Sequence){.lengths = batch->source_lengths, .reverse = true})};
    Tensor *last = op_reshape(tape, op_slice(tape, states[1], 0, 0, 1), SHAPE(b, half)); /* it has read everything */
    Encoded encoded = {.annotations = op_transpose(tape, op_concat(tape, states, 2, 2), 0, 1)};
    encoded.keys = op_matmul(tape, encoded.annotations, t->score);
    encoded.mask = mask_padding(tape, batch->source_lengths, b, 1, 1, s, false);
    encoded.mask = op_reshape(tape, encoded.mask, SHAPE(b, 1, s));
    encoded.state = op_tanh(tape, linear(tape, &t->start, last));
    return encoded;
}

/* One word: c = softmax(s^T W_a h) h,  s' = GRU(s, [word; c]) */
static void step(Tape *tape, const RecurrentTranslator *t, const Encoded *encoded, Tensor *word, Tensor **state,
                 Tensor **context)
{
    int b = word->shape.dim[0], h = t->settings.hidden, e = t->settings.embedding;
    Tensor *query = op_reshape(tape, *state, SHAPE(b, 1, h));
    Tensor *weights = op_softmax(tape, op_batched_matmul_transposed(tape, query, encoded->keys), encoded->mask);
    *context = op_reshape(tape, op_batched_matmul(tape, weights, encoded->annotations), SHAPE(b, h));
    Tensor *parts[2] = {word, *context};
    Tensor *in = op_reshape(tape, op_concat(tape, parts, 2, 1), SHAPE(1, b, e + h));
    *state = op_reshape(tape, recurrent(tape, &t->decoder, in, *state, (Sequence){0}), SHAPE(b, h));
}

/* Rows of [state; context; word] to logits. */
static Tensor *say(Tape *tape, const RecurrentTranslator *t, Tensor *state, Tensor *context, Tensor *word)
{
    Tensor *parts[3] = {state, context, word};
    Tensor *inner = linear(tape, &t->inner, op_concat(tape, parts, 3, state->shape.rank - 1));
    return linear(tape, &t->answer, op_tanh(tape, inner));
}

Tensor *recurrent_translator_read(Tape *tape, const RecurrentTranslator *t, const TranslationBatch *batch)
{
    int b = batch->size, steps = batch->target_steps;
    Tensor *states[TRANSLATION_FRENCH + 1], *contexts[TRANSLATION_FRENCH + 1], *words[TRANSLATION_FRENCH + 1];
    Encoded encoded = encode(tape, t, batch);
    Tensor *state = encoded.state;
    for (int i = 0; i < steps; i++) {
        words[i] = op_embedding(tape, t->target, batch->target_in + i * b, SHAPE(b));
        step(tape, t, &encoded, words[i], &state, &contexts[i]);
        states[i] = state;
    }
    return say(tape, t, op_concat(tape, states, steps, 0), op_concat(tape, contexts, steps, 0),
               op_concat(tape, words, steps, 0)); /* [T B, words] */
}

void recurrent_translator_greedy(Tape *tape, const RecurrentTranslator *t, const TranslationBatch *batch, int most,
                                 int *out)
{
    int b = batch->size, words = t->settings.target_words, open = b;
    int *last = memory_new((size_t)b, sizeof *last, "words");
    tape_record(tape, false);
    tape_rewind(tape);
    Encoded encoded = encode(tape, t, batch);
    Tensor *state = encoded.state, *context;
    for (int r = 0; r < b; r++)
        last[r] = TRANSLATION_SOS;
    for (int i = 0; i < b * most; i++)
        out[i] = TRANSLATION_PAD;
    for (int i = 0; i < most && open > 0; i++) {
        Tensor *word = op_embedding(tape, t->target, last, SHAPE(b));
        step(tape, t, &encoded, word, &state, &context);
        const real *row = say(tape, t, state, context, word)->data;
        for (int r = 0; r < b; r++, row += words) {
            int best = 0;
            for (int w = 1; w < words; w++)
                best = row[w] > row[best] ? w : best;
            if (last[r] == TRANSLATION_EOS || last[r] == TRANSLATION_PAD)
                best = TRANSLATION_PAD;
            open -= best == TRANSLATION_EOS;
            last[r] = best;
            if (best != TRANSLATION_EOS)
                out[r * most + i] = best;
        }
    }
    free(last);
}
