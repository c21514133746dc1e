/* seq2seq.h: what the chapters of lab 05 share. */
#ifndef SEQ2SEQ_H
#define SEQ2SEQ_H

#include "ibm1.h"
#include "lab.h"
#include "train.h"

/* Models that several steps look at, trained when first asked for. */
typedef enum {
    PLAIN,    /* no attention, H = wide, trained on all lengths */
    WITH_DOT, /* the same with attention: */
    WITH_GENERAL,
    WITH_CONCAT,
    WITH_SCALED,
    PLAIN_NARROW, /* H = narrow */
    ATTENTION_NARROW,
    PLAIN_BRIEF, /* trained on short sentences only */
    ATTENTION_BRIEF,
    PLAIN_NARROW_BRIEF,
    ATTENTION_NARROW_BRIEF,
    PLAIN_LONGER,   /* PLAIN, trained five times longer */
    READS_FORWARDS, /* no attention, one direction */
    READS_BACKWARDS,
    MODELS
} ModelId;

/* Test sentences by their English words. */
enum { MOST_BUCKETS = 6 };
typedef struct {
    int buckets;
    int low[MOST_BUCKETS], high[MOST_BUCKETS];
    int trained; /* buckets up to the longest trained on */
    char name[MOST_BUCKETS][8];
    Pair *pairs[MOST_BUCKETS];
    int size; /* pairs in each */
} Tests;

typedef struct {
    /* the student's */
    const char *translate; /* a sentence for step 7, or NULL */
    int beam;
    const char *score;
    bool load, words;
    bool saved; /* the model of --score is in its file */
    /* set by main.c */
    int pairs, longest, brief; /* training pairs; the longest, and the longest of the short ones */
    int wide, narrow, embedding;
    int steps;
    double rate;
    int tests; /* sentences in a bucket */
    int language_steps, forcing_steps;
    /* made when first asked for */
    Translation *translation, *brief_translation;
    Tests test;
    Model *model[MODELS];
    LossCurve curve[MODELS];
    Ibm1 *french_from_english, *english_from_french;
} Seq2Seq;

enum { BATCH = 32 };

const Translation *translation_of(Lab *lab, Seq2Seq *self);
const Tests *tests_of(Lab *lab, Seq2Seq *self);
/* Trains those of the N models that are not trained yet, side by side. */
void models_need(Lab *lab, Seq2Seq *self, const ModelId *ids, int n);
Model *model_of(Lab *lab, Seq2Seq *self, ModelId id);
/* The model of --score. */
Model *main_model(Lab *lab, Seq2Seq *self);
const Ibm1 *ibm1_of(Lab *lab, Seq2Seq *self, bool french_from_english);

/* Greedy translations of all buckets, one after the other. */
typedef struct {
    double exact[MOST_BUCKETS], bleu[MOST_BUCKETS];
} ByLength;
ByLength by_length(Lab *lab, Seq2Seq *self, ModelId id);

/* The words of TEXT, which must be the grammar's. */
Pair pair_of_text(const Translation *translation, const char *text);

void step_language(Lab *lab, void *state);   /* language.c */
void step_channel(Lab *lab, void *state);    /* channel.c */
void step_training(Lab *lab, void *state);   /* forcing.c */
void step_searching(Lab *lab, void *state);  /* beam.c */
void step_attention(Lab *lab, void *state);  /* scoring.c */
void step_bottleneck(Lab *lab, void *state); /* bottleneck.c */
void step_alignment(Lab *lab, void *state);  /* alignment.c */
void step_reversal(Lab *lab, void *state);   /* reversal.c */

#endif
