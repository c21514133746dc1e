/* models.h: five networks that read numbers and say the next one, and how they
 * are trained.
 *
 * All take x [B, T, 1], B sequences of T values, and give [B, 1]: the value that
 * comes next. */
#ifndef MODELS_H
#define MODELS_H

#include "optim.h"
#include "transformer.h"
#include "waves.h"

typedef enum { TRANSFORMER, RNN, LSTM, GRU, CONVOLUTION, KINDS } Kind;
extern const char *const kind_name[KINDS];

/* How large, and of which kind.  0 stands for the lab's own: heads 4, layers 1,
 * inner 4 times the width. */
typedef struct {
    Kind kind;
    int width;  /* Transformer: d; recurrent: hidden units; convolution: channels */
    int heads;  /* Transformer */
    int layers; /* Transformer: blocks */
    int inner;  /* Transformer: FFN; convolution: fully connected layer */
    bool no_positions;
} ModelSettings;

enum { MOST_LAYERS = 4, KERNEL = 3, POOL = 2, POSITIONS = 512 };

typedef struct {
    Attention attention;
    LayerNorm attention_norm, feed_norm;
    Linear inner, outer;
} Encoder;

typedef struct {
    ModelSettings settings;
    int inputs; /* T of the training sequences: a convolution reads just these */
    Parameters *parameters;
    Linear in;                    /* Transformer: 1 -> d */
    Encoder encoder[MOST_LAYERS]; /* Transformer */
    Recurrent cell;               /* RNN, LSTM, GRU */
    Linear kernel[2], full;       /* convolution: [KERNEL * channels in, channels], fully connected */
    Linear out;                   /* -> 1 */
} Model;

Model *model_new(ModelSettings settings, int inputs, Rng *rng);
void model_free(Model *model);

/* x [B, T, 1] -> [B, 1].  WEIGHTS (or NULL) receives, from a Transformer, what
 * the last position looks at in its last block, [B, heads, 1, T]. */
Tensor *model_predict(Tape *tape, const Model *model, Tensor *x, Tensor **weights);

/* The parts of it that are shown by hand. */
Tensor *causal_convolution(Tape *tape, const Linear *kernel, Tensor *x); /* [B, T, C] -> [B, T, C'] */
Tensor *max_pool(Tape *tape, Tensor *x);                                 /* [B, T, C] -> [B, T / 2, C] */

/* ---- training ---------------------------------------------------------------- */

typedef struct {
    WaveSettings waves; /* fresh ones at every step */
    const Waves *fixed; /* or these over and over; NULL: none */
    int steps, batch;
    double rate;
    double warmup; /* share of the steps over which the rate rises; it then falls as half a cosine */
    double clip;   /* norm to which gradients are clipped; 0: not at all */
    bool sgd;      /* plain gradient descent, not Adam */
    /* The course of it, for curves: LOOKS test errors at equal distances. */
    int looks;
    const Waves *test;
    real *curve;      /* [looks] */
    real *loss_curve; /* [steps], or NULL */
} Training;

typedef struct {
    double loss;         /* of the last batch */
    double largest_norm; /* of all gradients, before clipping */
    int steps;           /* done */
    bool diverged;       /* a loss that was not finite ended it */
    char tensor[64];     /* the first tensor that went bad, and where it was made */
    Where where;
} Outcome;

Outcome model_train(Model *model, const Training *training, Rng *rng);

/* Mean squared error of the next value; and the predictions themselves. */
double model_error(const Model *model, const Waves *waves);
void model_answers(const Model *model, const Waves *waves, real *answers);

#endif
