/* translator.h: the complete encoder-decoder Transformer (Vaswani 2017, figure 1). */
#ifndef TRANSLATOR_H
#define TRANSLATOR_H

#include "transformer.h"

enum { MOST_BLOCKS = 4 };
typedef struct {
    int source_words, target_words; /* sizes of the two vocabularies */
    int d, heads, feed_forward, blocks;
    bool rotary;       /* self-attention also turns queries and keys by their places (lab 07) */
    real word_dropout; /* of words + positions */
    real dropout;      /* behind every sublayer */
} TranslatorSettings;
typedef struct {
    TranslatorSettings settings;
    Parameters *parameters;
    Tensor *source, *target; /* embeddings [words, d] */
    Block encoder[MOST_BLOCKS], decoder[MOST_BLOCKS];
    LayerNorm encoded, decoded; /* Pre-Norm's last norms */
    Linear answer;
} Translator;
Translator translator_new(TranslatorSettings settings, Rng *rng);
void translator_free(Translator *translator);

/* A batch of source sentences IDS [B, S] of LENGTHS [B] words. */
typedef struct {
    int batch, length;
    const int *ids, *lengths;
} Source;

/* What the decoder looks at: [B, S, d].  DROPOUT: NULL when testing.  WEIGHTS (or
 * NULL) receives the last block's attention [B, h, S, S]. */
Tensor *translator_encode(Tape *tape, const Translator *translator, Source source, Rng *dropout, Tensor **weights);

/* Logits [B, T, target words] of the word after each of IDS [B, T].  SELF and CROSS
 * (or NULL) receive the last block's weights [B, h, T, T] and [B, h, T, S]. */
Tensor *translator_decode(Tape *tape, const Translator *translator, Tensor *memory, Source source, const int *ids,
                          int length, Rng *dropout, Tensor **self, Tensor **cross);

/* Greedy translation of SOURCE: OUT [B, MOST] receives words after FIRST, up to and
 * without LAST; the rest is PAD. */
void translator_greedy(Tape *tape, const Translator *translator, Source source, int first, int last, int pad, int most,
                       int *out);

/* Label smoothing (Szegedy 2016, section 7; Vaswani 2017, section 5.4), from small
 * operations: the target has 1 - e + e / V, every other word e / V.  Targets -1 do
 * not count. */
Tensor *smoothed_cross_entropy(Tape *tape, Tensor *logits, const int *targets, real smoothing);

#endif
