/* ways.h: seven ways to tell attention where a word stands, in one small model.
 *
 * Three of them change the words: a vector p_t is added to the word at place t
 * before the first layer.  Three change the scores of every layer instead.
 *
 *     none        nothing: order can only be seen through a causal mask
 *     linear      p_t = t / T w: one number that grows, along a learned direction w
 *     learned     p_t is row t of a trained table            (Gehring 2017)
 *     sinusoidal  p_t = sin and cos of t at many wavelengths (Vaswani 2017, section 3.5)
 *     T5 bias     score + b[bucket(t - s)], b trained        (Raffel 2020, section 2.1)
 *     ALiBi       score - m |t - s|, m a constant a head     (Press 2022, eq. 1)
 *     rotary      q and k turned by angles t w_i, s w_i      (Su 2021, eq. 14-16)
 *
 * Shapes: B sequences, T positions, width d, h heads of d / h. */
#ifndef WAYS_H
#define WAYS_H

#include "nn.h"

typedef enum { NONE, LINEAR, LEARNED, SINUSOIDAL, T5_BIAS, ALIBI, ROTARY, WAYS } Way;
extern const char *const way_name[WAYS];

/* T5's bucket of the offset t - s: 0 ... EXACT-1 have one each, longer ones share,
 * in steps that grow like a logarithm up to MOST_OFFSET; everything beyond is in
 * the last of SIDE.  Later places (t < s) have as many buckets of their own. */
enum { T5_EXACT = 8, T5_SIDE = 16, T5_BUCKETS = 2 * T5_SIDE, T5_MOST_OFFSET = 20 };
int t5_bucket(int offset);

/* ALiBi's slope of head h (0, 1, ...) of HEADS: 2^(-8 (h + 1) / HEADS). */
real alibi_slope(int head, int heads);

/* What one of the ways needs. */
typedef struct {
    Way way;
    int d, heads;
    int trained;       /* T of the linear way */
    Tensor *direction; /* linear: [d] */
    Tensor *table;     /* learned: [places, d] */
    Tensor *bias;      /* T5: [T5_BUCKETS, heads] */
} Positions;
Positions positions_new(Parameters *parameters, Way way, int d, int heads, int trained, int places, Rng *rng);

/* x [B, T, d] with p_(START + t) added at each t, for the ways that do so; else x. */
Tensor *positions_add(Tape *tape, const Positions *positions, Tensor *x, int start);

/* Rotary: q or k [B, h, T, d / h], each row turned by its place; else x itself. */
Tensor *positions_turn(Tape *tape, const Positions *positions, Tensor *x);

/* T5 and ALiBi: what is added to the scores [h, T, T]; else NULL. */
Tensor *positions_bias(Tape *tape, const Positions *positions, int places);

/* Multi-head attention with any of the ways, written out. */
typedef struct {
    int heads;
    Linear query, key, value, output;
} Heads;
Heads heads_new(Parameters *parameters, const char *name, int d, int heads, Rng *rng);
Tensor *heads_attend(Tape *tape, const Heads *layer, const Positions *positions, Tensor *x, const Tensor *mask,
                     Tensor **weights);

/* ---- a small Transformer around it -------------------------------------------- */

enum { MOST_LAYERS = 2 };
typedef struct {
    Way way;
    int vocabulary, d, heads, layers;
    bool causal;
    int trained, places; /* the length of training, and the most places ever read */
} ReaderSettings;
typedef struct {
    ReaderSettings settings;
    Parameters *parameters;
    Positions positions;
    Tensor *embedding;
    struct {
        LayerNorm before_heads, before_feed;
        Heads heads;
        Linear inner, outer;
    } layer[MOST_LAYERS];
    LayerNorm last;
} Reader;
Reader reader_new(ReaderSettings settings, Rng *rng);
void reader_free(Reader *reader);

/* IDS [B, T], standing at the places START ... START + T - 1, to [B, T, d]. */
Tensor *reader_read(Tape *tape, const Reader *reader, const int *ids, int batch, int length, int start);

#endif
