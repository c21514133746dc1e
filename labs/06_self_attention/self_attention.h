/* self_attention.h: what the chapters of lab 06 share.
 *
 *     words.c         a sentence as vectors
 *     qkv.c           the matrices of --qkv
 *     multi_head.c    multi-head attention from small operations
 *     steps_*.c       the steps of the lecture, in its order; main.c lists them */
#ifndef SELF_ATTENTION_H
#define SELF_ATTENTION_H

#include "lab.h"
#include "tape.h"
#include "transformer.h"

/* More words than this cannot be read in a figure: the rest is left out, and said. */
enum { MOST_WORDS = 48, MOST_DIMENSION = 256 };

/* ---- words.c ---- */

typedef struct {
    int n;   /* words */
    int all; /* words before the rest was left out */
    char **word;
} Sentence;

/* The words of TEXT; dies (status 2), naming ORIGIN, if there are none. */
Sentence sentence_new(const char *text, const char *origin);
void sentence_free(Sentence *sentence);
const char *const *sentence_labels(const Sentence *sentence);

/* A vector for each word: D normal numbers drawn from the word itself and the
 * seed, so that equal words have equal vectors, wherever they stand.  X [n, D]. */
Tensor *sentence_vectors(Tape *tape, const Lab *lab, const Sentence *sentence, int d);

/* An untrained layer: W_Q, W_K, W_V, W_O of normal numbers with variance 1 / d,
 * so that queries and keys have variance 1; biases 0. */
Attention random_layer(Parameters *parameters, const Lab *lab, int d, int heads);

/* ---- qkv.c ---- */

/* Q [n, d], K [m, d], V [m, e], and names for their rows and V's columns. */
typedef struct {
    int n, m, d, e;
    double *q, *k, *v;
    const char *const *query_name, *const *key_name;
} Qkv;

/* Reads the file of --qkv; dies naming the file and the line that is wrong. */
Qkv *qkv_read(const char *path);
void qkv_free(Qkv *qkv);

/* ---- multi_head.c ---- */

/* Multi-head attention from small operations, head after head: FROM [T, d] looks
 * at AT [S, d] with the parameters of LAYER, one matrix of weights [T, S] a head
 * in WEIGHTS (or NULL).  MASK [T, S] or NULL. */
Tensor *multi_head(Tape *tape, const Attention *layer, Tensor *from, Tensor *at, const Tensor *mask, Tensor **weights);

/* ---- main.c and the steps ---- */

typedef struct {
    const char *text, *other_text, *qkv_file; /* options; NULL: not given */
    int d, heads;
    Sentence sentence; /* --sentence, or the lab's own short one */
    Sentence longer;   /* --sentence, or the lab's own long one */
    Sentence other;    /* --other: what cross-attention looks at */
    Qkv *qkv;          /* of --qkv, or NULL */
} SelfAttention;

/* Says, where words were left out, how many are shown. */
void trace_left_out(Lab *lab, const Sentence *sentence);

/* Weights of few words from 0 to 1; of many up to the largest, or all would look
 * the same. */
HeatmapColours weight_colours(int columns);

/* A figure of one heatmap is made large enough for a slide. */
void enlarge(Figure *figure, int rows, int columns);

/* The largest |sum of a row - 1|. */
double worst_row_sum(const real *weights, int rows, int columns);

void step_scores(Lab *lab, void *state);
void step_scaling(Lab *lab, void *state);
void step_masks(Lab *lab, void *state);
void step_heads(Lab *lab, void *state);
void step_lookups(Lab *lab, void *state);
void step_rnn(Lab *lab, void *state);
void step_mistakes(Lab *lab, void *state);

#endif
