/* mapping.h: a new mapping in every text, and the models that read them: the
 * task of steps 4 and 5.
 *
 *     A 3 F 5 G 3 F 5 ... A ?        symbols A to H, labels 1 to 8
 *
 * Each text draws its own mapping from symbols to labels and shows 16 pairs of
 * it; at every symbol the model has to name the label.  One text of 33 places
 * asks with 0, 1, ... 16 shots.  Nothing learned in training tells what A means
 * here: only the text does.  The symbols have an order, half of the time: A is
 * followed by B, B by C ..., H by A.  (That is what a language has beside its
 * mappings; the model is trained to predict every word, as a GPT is.) */
#ifndef MAPPING_H
#define MAPPING_H

#include "in_context.h"
#include "model.h"

enum {
    SYMBOLS = 8,
    LABELS = 8,
    SHOTS = 16,
    ASKED = SHOTS + 1,       /* questions in a text */
    PLACES = 2 * SHOTS + 1,  /* words in a text */
    WORDS = SYMBOLS + LABELS /* label i is word SYMBOLS + i */
};

/* There are 8^8 mappings; those that a hash puts into one class of eight are for
 * tests alone. */
enum { MAPPINGS = 16777216 };
bool mapping_is_for_tests(int number);

/* N texts [n, PLACES] of one class of mappings; answer [n, ASKED] has the words
 * that are right, NUMBER [n] the mappings (each may be NULL). */
void mapping_texts(Rng *rng, bool for_tests, int n, int *ids, int *answers, int *numbers);

/* The word as a student reads it: "A" or "3". */
const char *mapping_word(int id);

/* What is trained: four sizes of two layers, and one layer as large as the largest. */
enum { SIZES = 4, LARGEST = SIZES - 1, ONE_LAYER = SIZES, KINDS };
const char *mapping_kind(int kind);

/* Looks during training; PREFIX is the score of the head that ends as the best, HEAD: layer * heads + head. */
enum { LOOK_STEP, LOOK_ACCURACY, LOOK_EARLY_LOSS, LOOK_LATE_LOSS, LOOK_ORDER, LOOK_PREFIX, LOOK_HEAD, LOOKED };
enum { EVERY = 10 }; /* training steps between looks */

typedef struct {
    Model model;
    real *look; /* [looks, LOOKED], for the two that step 5 compares */
    double accuracy[ASKED];
    uint64_t before, after; /* hash of the weights around the test */
} Learner;

/* All models of this run of the lab, trained on first use. */
typedef struct Mappings {
    int runs, steps, looks, tests;
    Learner *learner;             /* [runs, KINDS] */
    Parameters *record;           /* the looks of all, to be kept with the models */
    int *ids, *answers, *numbers; /* the test texts */
    bool *shown;                  /* [tests, ASKED]: was the symbol there before? */
    double bayes[ASKED];          /* the best any reader can do on them, expected */
    double counting[ASKED];       /* answering with the label seen most often */
    int met;                      /* mappings met in training, all runs */
    int leaked;                   /* test mappings among them */
} Mappings;
Mappings *mappings(Lab *lab, InContext *self);
void mappings_free(Mappings *all);
const Learner *mappings_learner(const Mappings *all, int run, int kind);

/* Mean of the runs' accuracy at SHOTS shots. */
double mappings_accuracy(const Mappings *all, int kind, int shots);

/* Attention weights of one reading: the share that head HEAD of layer LAYER, at
 * the last symbol, gives to labels that stood behind the same symbol before
 * (Olsson 2022, "prefix matching"), averaged over the texts that have one. */
double mapping_prefix_score(Tensor *const *weights, int layer, int head, const int *ids);

#endif
