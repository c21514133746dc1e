/* train.h: training a model on pairs, and translating with it. */
#ifndef TRAIN_H
#define TRAIN_H

#include "model.h"

typedef struct {
    int steps, batch;
    double rate;         /* Adam's: constant for the first half, then falling to 5 % */
    double free_running; /* share of batches in which the decoder is fed its own words */
    int every;           /* a point of the loss curve, or 0 */
} TrainingSettings;

/* What one training told: mean losses of EVERY steps each. */
enum { MOST_POINTS = 100 };
typedef struct {
    int points;
    real step[MOST_POINTS], loss[MOST_POINTS];
} LossCurve;

/* Teacher forcing (Williams & Zipser 1989): step t is given the reference's word
 * t-1, whatever the model would have said.  Free running: its own last word. */
void train(const Model *model, const Pair *pairs, int n, TrainingSettings settings, Rng *rng, LossCurve *curve);

/* The mean loss a word of a batch, with the reference's words or its own. */
Tensor *teacher_forced_loss(Tape *tape, const Model *model, const TranslationBatch *batch);
Tensor *free_running_loss(Tape *tape, const Model *model, const TranslationBatch *batch);

/* ---- greedy and beam search ------------------------------------------------------- */

enum { MOST_BEAM = 10, MOST_SAID = TRANSLATION_FRENCH + 1 };
typedef struct {
    int words[MOST_SAID], length; /* without <SOS>; with <EOS> if it is finished */
    bool finished;
    double log_p; /* log P(words | source) */
} Hypothesis;

/* What a beam does in one step, for those who want to see it. */
typedef struct {
    Hypothesis extended; /* the hypothesis with the word that might follow it */
    int from;            /* which hypothesis of the step before */
    bool kept;
} Candidate;
typedef void BeamWatcher(void *context, int step, const Candidate *candidates, int n);

/* The K best hypotheses for each of N sentences, [n, k] into FOUND, the best first.  ALPHA:
 * hypotheses of different lengths are compared by log P / length^ALPHA (0: log P).
 * k = 1 is greedy search.  WATCHER (or NULL) sees each step of the first sentence. */
void beam_search(const Model *model, const Pair *pairs, int n, int k, double alpha, Hypothesis *found,
                 BeamWatcher *watcher, void *context);

/* log P(pair's French | its English) under the model. */
double pair_log_p(const Model *model, const Pair *pair);

/* Greedy translations of N pairs, scored. */
TranslationScore score_greedy(const Model *model, const Pair *pairs, int n);

/* ---- alignments --------------------------------------------------------------------- */

/* The attention weights [target_length + 1, source_length] with the pair's own French words. */
void attention_of_pair(const Model *model, const Pair *pair, real *weights);

/* How often the English word looked at most is the gold one. */
typedef struct {
    long words[3], gold[3], lenient[3]; /* by FrenchKind; lenient: or the noun that governs it */
} Agreement;
Agreement agreement_of(const Model *model, const Pair *pairs, int n);
double agreement_content(const Agreement *a);
double agreement_all(const Agreement *a);
double agreement_lenient(const Agreement *a);

#endif
