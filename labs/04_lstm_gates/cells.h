/* cells.h: one step of an LSTM and of a GRU, written out from small operations.
 *
 * This is the mechanism of the lab.  The fast layers (nn.h, ops_recurrent.c) do
 * the same over a whole sequence in one operation; they share the weights, so
 * that a network trained fast can be looked into here, gate by gate, and
 * tests/lab_04_lstm_gates.c asserts that both give the same numbers and
 * gradients.
 *
 * A batch of B rows; vectors are rows, so a product reads x W.  Everything that
 * is not a matrix product works element by element: each of the H units has
 * gates of its own. */
#ifndef CELLS_H
#define CELLS_H

#include "nn.h"

/* What one step of an LSTM makes, all [B, H]. */
typedef struct {
    Tensor *f, *i, *o;    /* gates in 0 ... 1: forget, input, output */
    Tensor *g;            /* the candidate, in -1 ... 1 */
    Tensor *kept, *added; /* f c_{t-1} and i g, whose sum is the new cell */
    Tensor *c, *h;        /* the cell, and what the outside sees of it */
} LstmStep;

/* X [B, in], H and C [B, H]: the state before the step. */
LstmStep lstm_step(Tape *tape, const Recurrent *layer, Tensor *x, Tensor *h, Tensor *c);

/* What one step of a GRU makes, all [B, H]. */
typedef struct {
    Tensor *r, *z; /* gates: reset, update */
    Tensor *u;     /* what the past says to the candidate */
    Tensor *n;     /* the candidate */
    Tensor *h;
} GruStep;

/* Where the reset gate acts: on the product h W (cuDNN, PyTorch and nn.h), or on
 * h before the product (the lecture; Cho 2014, eq. 8). */
typedef enum { RESET_AFTER_PRODUCT, RESET_BEFORE_PRODUCT } ResetPlace;
GruStep gru_step(Tape *tape, const Recurrent *layer, Tensor *x, Tensor *h, ResetPlace place);

#endif
