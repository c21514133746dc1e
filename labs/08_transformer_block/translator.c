/* translator.c: encoder and decoder stacks, joined by cross-attention. */
#include "translator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "memory.h"

/* Standard deviation of a word vector at the start; the sinusoids' is 0.7. */
#define WORD_SD ((real)0.6)

Translator translator_new(TranslatorSettings settings, Rng *rng)
{
    char name[32];
    Translator t = {.settings = settings, .parameters = parameters_new()};
    BlockSettings block = {.d = settings.d,
                           .heads = settings.heads,
                           .feed_forward = settings.feed_forward,
                           .pre_norm = true,
                           .dropout = settings.dropout};
    t.source = parameter_normal(t.parameters, "source", SHAPE(settings.source_words, settings.d), WORD_SD, rng);
    t.target = parameter_normal(t.parameters, "target", SHAPE(settings.target_words, settings.d), WORD_SD, rng);
    for (int l = 0; l < settings.blocks; l++) {
        snprintf(name, sizeof name, "encoder %d", l + 1);
        block.cross = false;
        t.encoder[l] = block_new(t.parameters, name, block, rng);
        snprintf(name, sizeof name, "decoder %d", l + 1);
        block.cross = true;
        t.decoder[l] = block_new(t.parameters, name, block, rng);
    }
    t.encoded = layer_norm_new(t.parameters, "encoded", settings.d);
    t.decoded = layer_norm_new(t.parameters, "decoded", settings.d);
    t.answer = linear_new(t.parameters, "answer", settings.d, settings.target_words, rng);
    return t;
}

void translator_free(Translator *translator)
{
    parameters_free(translator->parameters);
}

/* Embeddings and positions: x [B, T, d]. */
static Tensor *placed(Tape *tape, Tensor *embedding, const int *ids, int batch, int length, const Translator *t,
                      Rng *dropout)
{
    int d = t->settings.d;
    Tensor *positions = tape_input(tape, "positions", SHAPE(length, d), NULL);
    positions_sinusoidal(positions->data, length, d);
    Tensor *x = op_add(tape, op_embedding(tape, embedding, ids, SHAPE(batch, length)), positions);
    return dropout && t->settings.word_dropout > 0 ? op_dropout(tape, x, t->settings.word_dropout, dropout) : x;
}

/* The angles of rotary positions, or NULL. */
static Tensor *turns(Tape *tape, const Translator *t, int length)
{
    if (!t->settings.rotary)
        return NULL;
    int width = t->settings.d / t->settings.heads;
    Tensor *table = tape_input(tape, "turns", SHAPE(length, width), NULL);
    positions_sinusoidal(table->data, length, width);
    return table;
}

Tensor *translator_encode(Tape *tape, const Translator *t, Source source, Rng *dropout, Tensor **weights)
{
    Tensor *x = placed(tape, t->source, source.ids, source.batch, source.length, t, dropout);
    Tensor *mask =
        mask_padding(tape, source.lengths, source.batch, t->settings.heads, source.length, source.length, false);
    BlockView view = {
        .mask = mask, .turns = turns(tape, t, source.length), .dropout = dropout, .weights = weights};
    for (int l = 0; l < t->settings.blocks; l++)
        x = block(tape, &t->encoder[l], x, view);
    return layer_norm(tape, &t->encoded, x);
}

Tensor *translator_decode(Tape *tape, const Translator *t, Tensor *memory, Source source, const int *ids, int length,
                          Rng *dropout, Tensor **self, Tensor **cross)
{
    Tensor *x = placed(tape, t->target, ids, source.batch, length, t, dropout);
    BlockView view = {.mask = mask_causal(tape, length), /* no word sees what comes after it */
                      .turns = turns(tape, t, length),
                      .memory = memory,
                      .memory_mask = mask_padding(tape, source.lengths, source.batch, t->settings.heads, length,
                                                  source.length, false),
                      .dropout = dropout,
                      .weights = self,
                      .cross_weights = cross};
    for (int l = 0; l < t->settings.blocks; l++)
        x = block(tape, &t->decoder[l], x, view);
    return linear(tape, &t->answer, layer_norm(tape, &t->decoded, x));
}

void translator_greedy(Tape *tape, const Translator *t, Source source, int first, int last, int pad, int most, int *out)
{
    int words = t->settings.target_words, open = source.batch;
    size_t size = (size_t)source.batch * (size_t)(most + 1);
    int *prefix = memory_new(size, sizeof *prefix, "a translation"), *packed = memory_new(size, sizeof *packed, "it");
    for (int i = 0; i < source.batch * most; i++)
        out[i] = pad;
    for (int b = 0; b < source.batch; b++)
        prefix[b * (most + 1)] = first;
    tape_record(tape, false);
    tape_rewind(tape);
    Tensor *encoded = translator_encode(tape, t, source, NULL, NULL);
    real *kept = memory_new(encoded->size, sizeof *kept, "what the encoder made");
    Shape shape = encoded->shape;
    memcpy(kept, encoded->data, encoded->size * sizeof *kept);
    for (int step = 0; step < most && open > 0; step++) {
        int length = step + 1;
        tape_rewind(tape); /* one word's tensors at a time */
        Tensor *memory = tape_input(tape, "memory", shape, kept);
        for (int b = 0; b < source.batch; b++)
            for (int i = 0; i < length; i++)
                packed[b * length + i] = prefix[b * (most + 1) + i];
        const real *logits = translator_decode(tape, t, memory, source, packed, length, NULL, NULL, NULL)->data;
        for (int b = 0; b < source.batch; b++) {
            const real *row = logits + ((size_t)b * (size_t)length + (size_t)step) * (size_t)words;
            int best = argmax(row, words), *now = prefix + b * (most + 1);
            bool ended = step > 0 && (now[step] == last || now[step] == pad);
            now[length] = ended ? pad : best;
            if (!ended && best == last)
                open--;
            if (!ended && best != last)
                out[b * most + step] = best;
        }
    }
    free(kept);
    free(prefix);
    free(packed);
}

/* (1 - e) (-log p_target) + e (mean over the words of -log p) */
Tensor *smoothed_cross_entropy(Tape *tape, Tensor *logits, const int *targets, real smoothing)
{
    Tensor *loss = op_cross_entropy(tape, logits, targets);
    if (smoothing == 0)
        return loss;
    int rows = tensor_rows(logits), counted = 0;
    Tensor *mask = tape_input(tape, "counts", SHAPE(tensor_columns(logits), rows), NULL); /* [V, rows] */
    for (int r = 0; r < rows; r++)
        counted += targets[r] >= 0;
    for (int c = 0; c < tensor_columns(logits); c++)
        for (int r = 0; r < rows; r++)
            mask->data[c * rows + r] = targets[r] >= 0;
    Tensor *logs = op_log(tape, op_softmax(tape, op_reshape(tape, logits, SHAPE(rows, tensor_columns(logits))), NULL));
    Tensor *all = op_sum(tape, op_multiply(tape, op_transpose(tape, logs, 0, 1), mask));
    real share = counted ? 1 / ((real)counted * (real)tensor_columns(logits)) : 0;
    return op_add(tape, op_scale(tape, loss, 1 - smoothing), op_scale(tape, all, -smoothing * share));
}
