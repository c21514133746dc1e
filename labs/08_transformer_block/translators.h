/* translators.h: step 6: the Transformer with one change at a time, and the GRU
 * with attention beside it, trained on lab 05's corpus.
 *
 *     decoder_block.c  the masked block with cross-attention
 *     translators.c    training and scoring
 *     translate.c      the step: tables, figures, claims
 *     own_sentence.c   --translate, and what the heads look at */
#ifndef TRANSLATORS_H
#define TRANSLATORS_H

#include <pthread.h>

#include "recurrent_translator.h"
#include "transformer_block.h"
#include "translator.h"

enum { RECURRENT, TRANSFORMER, SINUSOIDS, SMOOTHED, DROPPED, COLD, MODELS };
enum { QUARTERS = 4, HEADS = 4, WIDTH = 48, FFN = 96, EMBEDDING = 32, HIDDEN = 64 };

/* How one is made and trained. */
typedef struct {
    const char *name, *brief;
    int batch;         /* sentences */
    double rate;       /* Adam's, at its peak */
    int cost;          /* microseconds of a step */
    bool rotary;       /* queries and keys are turned, besides the sinusoids */
    bool warmup;       /* over the first twentieth */
    real smoothing;    /* of the labels */
    real word_dropout; /* of words and positions */
    real dropout;      /* behind every sublayer */
} Recipe;
extern const Recipe recipes[MODELS];

typedef struct {
    Translator transformer;
    RecurrentTranslator recurrent;
    size_t parameters;
    int steps;
    double seconds;  /* of training, measured now */
    double held_out; /* loss on the longest quarter, the right words given */
    TranslationScore score[QUARTERS];
} Trained;

typedef struct {
    Lab *lab;
    const TransformerBlock *self;
    const Translation *corpus;
    Pair *tests[QUARTERS]; /* by English words */
    int sentences[QUARTERS];
    Trained model[MODELS];
    pthread_mutex_t lock; /* for the progress bar */
    int done;
} Translators;

/* English words of the shortest and the longest sentence in a quarter. */
void quarter_range(const TransformerBlock *self, int quarter, int *shortest, int *longest);

Translators *translators_new(Lab *lab, TransformerBlock *self); /* trained and scored */
void translators_free(Translators *all);

void decoder_block(Lab *lab);
void own_sentence(Lab *lab, const Translators *all);

#endif
