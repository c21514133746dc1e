/* recurrent_translator.h: what the Transformer is compared with: lab 05's best
 * model, GRUs with attention by the "general" score (Luong 2015, section 3.1).
 * Lab 05 takes it apart; tests/lab_08_transformer_block.c shows that this is the
 * same model, to the bit.
 *
 * Shapes: B sentences, S English words, T French ones, E the width of a word's
 * vector, H of a state.  Time stands first: [S, B, E]. */
#ifndef RECURRENT_TRANSLATOR_H
#define RECURRENT_TRANSLATOR_H

#include "translation.h"
#include "transformer.h"

typedef struct {
    int source_words, target_words, embedding, hidden; /* annotations have 2 x hidden / 2 numbers */
} RecurrentSettings;
typedef struct {
    RecurrentSettings settings;
    Parameters *parameters;
    Tensor *source, *target, *score; /* embeddings; W [H, H] */
    Recurrent forward, backward, decoder;
    Linear start, summary; /* last state of the encoder -> first of the decoder; -> what each of its steps is given */
    Linear read_state, read_context, answer;
} RecurrentTranslator;
RecurrentTranslator recurrent_translator_new(RecurrentSettings settings, Rng *rng);
void recurrent_translator_free(RecurrentTranslator *translator);

/* Logits [T, B, words] of the batch (TIME_FIRST), the right words before being given. */
Tensor *recurrent_translator_read(Tape *tape, const RecurrentTranslator *translator, const TranslationBatch *batch);

/* Greedy: OUT [B, MOST], PAD behind the end. */
void recurrent_translator_greedy(Tape *tape, const RecurrentTranslator *translator, const TranslationBatch *batch,
                                 int most, int *out);

#endif
