/* ops.h: the operations networks are made of, each with its derivative.
 *
 * An operation takes a tape and tensors and returns a new tensor on the tape.
 * Shapes are checked always: one that does not fit ends the program with the
 * line of the lab, the operation, and both tensors' names and shapes.  In the
 * comments x' is the gradient dLoss/dx; y is the result.
 *
 * "A suffix of a's shape": [64] fits [32, 20, 64], and is used for each of the
 * 32 x 20 rows; there is no other broadcasting. */
#ifndef OPS_H
#define OPS_H

#include "rng.h"
#include "tape.h"

/* ---- element by element; b has a's shape or a suffix of it (ops_elementwise.c) ---- */

Tensor *op_add(Tape *tape, Tensor *a, Tensor *b);      /* y = a + b    a' += y'    b' += y' over the rows */
Tensor *op_subtract(Tape *tape, Tensor *a, Tensor *b); /* y = a - b */
Tensor *op_multiply(Tape *tape, Tensor *a, Tensor *b); /* y = a b (Hadamard)   a' += b y'   b' += a y' */
Tensor *op_scale(Tape *tape, Tensor *x, real factor);  /* y = factor x */
Tensor *op_tanh(Tape *tape, Tensor *x);                /* x' += (1 - y^2) y' */
Tensor *op_sigmoid(Tape *tape, Tensor *x);             /* y = 1 / (1 + e^-x)   x' += y (1 - y) y' */
Tensor *op_relu(Tape *tape, Tensor *x);                /* y = max(x, 0) */
Tensor *op_gelu(Tape *tape, Tensor *x);                /* y = x Phi(x), Phi the normal distribution (Hendrycks 2016) */
Tensor *op_exp(Tape *tape, Tensor *x);
Tensor *op_log(Tape *tape, Tensor *x);

/* Each element is dropped with probability P and the others divided by 1 - P
 * (Srivastava 2014); 0 <= P < 1. */
Tensor *op_dropout(Tape *tape, Tensor *x, real p, Rng *rng);

/* ---- products (ops_matrix.c) ---- */

/* [..., m, k] x [k, n] -> [..., m, n]: a is one matrix of all its rows. */
Tensor *op_matmul(Tape *tape, Tensor *a, Tensor *b);
/* [..., m, k] x [n, k] -> [..., m, n]: y = a b^T. */
Tensor *op_matmul_transposed(Tape *tape, Tensor *a, Tensor *b);
/* One product for each matrix of a batch: [..., m, k] x [..., k, n] -> [..., m, n]. */
Tensor *op_batched_matmul(Tape *tape, Tensor *a, Tensor *b);
/* [..., m, k] x [..., n, k] -> [..., m, n]: queries against keys. */
Tensor *op_batched_matmul_transposed(Tape *tape, Tensor *a, Tensor *b);

/* ---- what the small operations compute, to the bit, in one go and faster ---- */

/* y = x W + b, and plus (or NULL) of y's shape is added to that: x [..., k],
 * W [k, n], b [n] (ops_linear.c). */
Tensor *op_linear(Tape *tape, Tensor *x, Tensor *weight, Tensor *bias, Tensor *plus);
/* y = f(x W1 + b1) W2 + b2 (+ plus), f = GELU or ReLU. */
Tensor *op_feed_forward(Tape *tape, Tensor *x, Tensor *w1, Tensor *b1, Tensor *w2, Tensor *b2, bool gelu, Tensor *plus);

/* Scaled dot-product attention of HEADS heads that lie side by side:
 * Q [B, T, d], K [B, S, d], V [B, S, d_v] -> [B, T, d_v], where B may be no or
 * several dimensions (ops_attention.c).  Head i is the i-th part of each last
 * dimension, and its result is softmax(Q_i K_i^T / sqrt(d / heads)) V_i.  MASK
 * (or NULL), of a shape that is a suffix of [B, heads, T, S], is 0 where looking
 * is forbidden; a query that may look nowhere gets 0. */
Tensor *op_attention(Tape *tape, Tensor *q, Tensor *k, Tensor *v, const Tensor *mask, int heads);

/* Rotary positions (Su 2021, eq. 34; ops_rotary.c): x [..., T, d], HEADS of d / heads side by side.  Row t
 * of TURNS [T, d / heads], a table of positions_sinusoidal, has the sine and the cosine of the
 * angle by which each pair (x_2i, x_2i+1) of each head of row t is turned:
 *     y_2i = x_2i cos - x_2i+1 sin    y_2i+1 = x_2i+1 cos + x_2i sin
 * so that a query's product with a key depends on how far apart they stand.  x' is y' turned back. */
Tensor *op_rotary(Tape *tape, Tensor *x, const Tensor *turns, int heads);

/* ---- shapes (ops_shape.c) ---- */

Tensor *op_reshape(Tape *tape, Tensor *x, Shape shape);               /* the same numbers in the same order */
Tensor *op_transpose(Tape *tape, Tensor *x, int axis, int other);     /* exchanges two axes */
Tensor *op_slice(Tape *tape, Tensor *x, int axis, int from, int to);  /* from <= index < to */
Tensor *op_concat(Tape *tape, Tensor *const *parts, int n, int axis); /* equal in all other axes */
/* Rows of TABLE [V, d] by number: the one-hot product of lab 01 without the
 * multiplication.  IDS has the shape given; the result has d behind it. */
Tensor *op_embedding(Tape *tape, Tensor *table, const int *ids, Shape shape);
Tensor *op_sum(Tape *tape, Tensor *x);                                /* one number */
Tensor *op_mean(Tape *tape, Tensor *x);                               /* one number */

/* ---- normalisation and losses (ops_loss.c) ---- */

/* Over the last dimension: y_i = e^x_i / sum_j e^x_j, computed after the row's
 * largest element is subtracted.  MASK (or NULL), whose shape is a suffix of
 * x's, is 0 where an element must get weight exactly 0 (minus infinity before
 * the softmax); a row without any allowed element is all 0. */
Tensor *op_softmax(Tape *tape, Tensor *x, const Tensor *mask);

/* Layer norm over the last dimension d (Ba 2016, eq. 4): y = gain (x - mean) /
 * sqrt(variance + epsilon) + bias; GAIN and BIAS have shape [d]. */
Tensor *op_layer_norm(Tape *tape, Tensor *x, Tensor *gain, Tensor *bias, real epsilon);

/* Mean over rows of -log softmax(logits)[target]: LOGITS [..., C], one TARGET a
 * row in 0 ... C-1, or -1 for a row that does not count (padding). */
Tensor *op_cross_entropy(Tape *tape, Tensor *logits, const int *targets);

/* Mean over all elements of (prediction - target)^2; equal shapes. */
Tensor *op_mean_squared_error(Tape *tape, Tensor *prediction, Tensor *target);

/* ---- whole sequences through a recurrent cell (ops_recurrent.c) ---- */

/* How a batch of sequences is walked: LENGTHS [B] (or NULL) says where each row
 * ends: beyond, its state is carried unchanged, so that padding changes nothing;
 * REVERSE starts at the last step. */
typedef struct {
    const int *lengths;
    bool reverse;
} Sequence;

/* The gates' inputs x W_x + b of all steps are INPUTS [T, B, gates]; START [B, H]
 * (or NULL: zeros) is the state before the first step; the result is all hidden
 * states [T, B, H], in the order of time also under REVERSE.
 *
 * op_rnn, gates = H:   h_t = tanh(inputs_t + h_{t-1} W_h)              (Elman 1990)
 * op_lstm, gates = 4H in the order i f g o (Hochreiter & Schmidhuber 1997, with
 *     Gers 2000's forget gate):  c_t = f c_{t-1} + i g   h_t = o tanh(c_t);
 *     CELLS (or NULL) receives all c_t [T, B, H]
 * op_gru, gates = 3H in the order r z n (Cho 2014, in the form of cuDNN and
 *     PyTorch: the reset gate acts on the product):  with u = h_{t-1} W_h + bias,
 *     n = tanh(inputs_n + r u_n)   h_t = (1 - z) n + z h_{t-1} */
Tensor *op_rnn(Tape *tape, Tensor *inputs, Tensor *weight, Tensor *start, Sequence sequence);
Tensor *op_lstm(Tape *tape, Tensor *inputs, Tensor *weight, Tensor *start, Tensor *start_cell, Sequence sequence,
                Tensor **cells);
Tensor *op_gru(Tape *tape, Tensor *inputs, Tensor *weight, Tensor *bias, Tensor *start, Sequence sequence);

/* The line of the lab that calls is remembered in each tensor, for messages and
 * traces: op_add(tape, a, b) notes where it stands and calls the function. */
#define op_add(tape, ...)               (op_add)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_subtract(tape, ...)          (op_subtract)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_multiply(tape, ...)          (op_multiply)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_scale(tape, ...)             (op_scale)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_tanh(tape, ...)              (op_tanh)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_sigmoid(tape, ...)           (op_sigmoid)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_relu(tape, ...)              (op_relu)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_gelu(tape, ...)              (op_gelu)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_exp(tape, ...)               (op_exp)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_log(tape, ...)               (op_log)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_dropout(tape, ...)           (op_dropout)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_matmul(tape, ...)            (op_matmul)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_matmul_transposed(tape, ...) (op_matmul_transposed)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_batched_matmul(tape, ...)    (op_batched_matmul)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_batched_matmul_transposed(tape, ...) \
    (op_batched_matmul_transposed)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_linear(tape, ...)             (op_linear)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_feed_forward(tape, ...)       (op_feed_forward)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_attention(tape, ...)          (op_attention)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_reshape(tape, ...)            (op_reshape)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_transpose(tape, ...)          (op_transpose)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_slice(tape, ...)              (op_slice)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_concat(tape, ...)             (op_concat)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_embedding(tape, ...)          (op_embedding)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_sum(tape, ...)                (op_sum)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_mean(tape, ...)               (op_mean)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_rotary(tape, ...)             (op_rotary)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_softmax(tape, ...)            (op_softmax)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_layer_norm(tape, ...)         (op_layer_norm)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_cross_entropy(tape, ...)      (op_cross_entropy)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_mean_squared_error(tape, ...) (op_mean_squared_error)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_rnn(tape, ...)                (op_rnn)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_lstm(tape, ...)               (op_lstm)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define op_gru(tape, ...)                (op_gru)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)

#endif
