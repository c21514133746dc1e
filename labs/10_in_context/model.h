/* model.h: the one Transformer that every step of lab 10 trains.
 *
 * Words and learned positions are added, blocks of common/transformer.h read them
 * (Pre-Norm, GELU: GPT-2's), a last layer norm, and a linear layer to the scores
 * of the words.  Causal it is a decoder like GPT, otherwise an encoder like BERT.
 *
 * Shapes: B sequences, T <= positions places, width d, V words. */
#ifndef MODEL_H
#define MODEL_H

#include "transformer.h"

enum { MOST_LAYERS = 4 };

typedef struct {
    int vocabulary, positions, d, layers, heads;
    int feed_forward; /* inner width; 0: 4 d */
    bool causal;      /* a place sees only what came before it */
    bool tied;        /* the scores use the words' own vectors (Press & Wolf 2017): no output layer */
    real spread;      /* standard deviation of words and places at first; 0: 0.5.  (With 1/sqrt(d) or 0.02
                         these small models learn to look at the place before several times more slowly.) */
} ModelSettings;

typedef struct {
    ModelSettings settings;
    Parameters *parameters;
    Tensor *words;  /* [V, d] */
    Tensor *places; /* [positions, d] */
    Block block[MOST_LAYERS];
    LayerNorm last;
    Linear output; /* d -> V; none if tied */
} Model;

Model model_new(ModelSettings settings, Rng *rng);
void model_free(Model *model);

/* What a reading may use; zero as a rule. */
typedef struct {
    const Tensor *mask; /* instead of the model's own (causal, or none) */
    Tensor *add;        /* [B, T, d], added to words and places: segments, say */
    int start;          /* the place of the first word */
    Tensor **weights;   /* [layers], each receives attention weights [B, heads, T, T] */
} ModelView;

/* IDS [B, T] to the states after the last norm, [B, T, d]. */
Tensor *model_read(Tape *tape, const Model *model, const int *ids, int batch, int length, ModelView view);

/* The rows ROWS[0 ... n-1] of states seen as [B T, d]: [n, d].  A loss at chosen
 * places computes the scores there alone. */
Tensor *model_rows(Tape *tape, Tensor *states, const int *rows, int n);

/* Scores of the next word (or of the masked one), [..., V]. */
Tensor *model_scores(Tape *tape, const Model *model, Tensor *states);

/* How a word is taken from scores: the largest (temperature 0), or drawn from
 * softmax(scores / temperature) among the TOP_K largest (0: among all). */
typedef struct {
    double temperature;
    int top_k;
} Choice;
int choose_word(const real *scores, int vocabulary, Choice choice, Rng *rng);

/* Writes on: IDS has B rows of MOST words, of which the first LENGTH are given;
 * the others are filled, each word chosen after all before it, until every row
 * has written END (-1: to the last).  What a row holds behind its END does not
 * count.  START as in ModelView; RNG may be NULL at temperature 0.  The tape is
 * rewound. */
typedef struct {
    int length, most, start, end;
    Choice choice;
} Writing;
void model_write(Tape *tape, const Model *model, int *ids, int batch, Writing writing, Rng *rng);

#endif
