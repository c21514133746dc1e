/* recurrent_translator.h: what the Transformer is compared with: lab 05's kind of
 * encoder-decoder, GRUs with attention (Bahdanau 2015, appendix A, with the
 * "general" score of Luong 2015, eq. 8). */
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
    Tensor *source, *target, *score; /* embeddings; W_a [H, H] */
    Recurrent forward, backward, decoder;
    Linear start, inner, answer;
} RecurrentTranslator;
RecurrentTranslator recurrent_translator_new(RecurrentSettings settings, Rng *rng);
void recurrent_translator_free(RecurrentTranslator *translator);

/* Logits [T, B, words] of the batch (TIME_FIRST), the right words before being given. */
Tensor *recurrent_translator_read(Tape *tape, const RecurrentTranslator *translator, const TranslationBatch *batch);

/* Greedy: OUT [B, MOST], PAD behind the end. */
void recurrent_translator_greedy(Tape *tape, const RecurrentTranslator *translator, const TranslationBatch *batch,
                                 int most, int *out);

#endif
