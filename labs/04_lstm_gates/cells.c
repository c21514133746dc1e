/* cells.c: one step of an LSTM and of a GRU, written out from small operations. */
#include "cells.h"

/* Columns of one gate: H of the 4H (or 3H) that stand side by side. */
static Tensor *columns(Tape *tape, const Recurrent *layer, Tensor *weight, Gate gate)
{
    int axis = weight->shape.rank - 1, from = (int)gate * layer->hidden;
    return op_slice(tape, weight, axis, from, from + layer->hidden);
}

/* x W_x + b: what the word says to this gate */
static Tensor *from_input(Tape *tape, const Recurrent *layer, Gate gate, Tensor *x)
{
    Tensor *W = columns(tape, layer, layer->input_weight, gate); /* [in, H] */
    Tensor *b = columns(tape, layer, layer->bias, gate);         /* [H] */
    Tensor *product = op_matmul(tape, x, W);                     /* [B, H] */
    return op_add(tape, product, b);
}

/* h_{t-1} W_h: what the past says to it */
static Tensor *from_past(Tape *tape, const Recurrent *layer, Gate gate, Tensor *h)
{
    Tensor *W = columns(tape, layer, layer->weight, gate); /* [H, H] */
    return op_matmul(tape, h, W);
}

static Tensor *both(Tape *tape, const Recurrent *layer, Gate gate, Tensor *x, Tensor *h)
{
    Tensor *word = from_input(tape, layer, gate, x);
    Tensor *past = from_past(tape, layer, gate, h);
    return op_add(tape, word, past); /* [B, H] */
}

LstmStep lstm_step(Tape *tape, const Recurrent *layer, Tensor *x, Tensor *h, Tensor *c)
{
    LstmStep s;
    Tensor *a_f = both(tape, layer, LSTM_FORGET, x, h);
    Tensor *a_i = both(tape, layer, LSTM_INPUT, x, h);
    Tensor *a_g = both(tape, layer, LSTM_CANDIDATE, x, h);
    Tensor *a_o = both(tape, layer, LSTM_OUTPUT, x, h);

    /* f_t = sigmoid(x_t W_xf + h_{t-1} W_hf + b_f): how much of the old cell stays */
    s.f = tensor_named("f", op_sigmoid(tape, a_f));
    /* i_t = sigmoid(x_t W_xi + h_{t-1} W_hi + b_i): how much of the candidate comes in */
    s.i = tensor_named("i", op_sigmoid(tape, a_i));
    /* g_t = tanh(x_t W_xg + h_{t-1} W_hg + b_g): the candidate */
    s.g = tensor_named("g", op_tanh(tape, a_g));
    /* o_t = sigmoid(x_t W_xo + h_{t-1} W_ho + b_o): how much is shown */
    s.o = tensor_named("o", op_sigmoid(tape, a_o));

    /* c_t = f_t c_{t-1} + i_t g_t, element by element */
    s.kept = tensor_named("f c'", op_multiply(tape, s.f, c));
    s.added = tensor_named("i g", op_multiply(tape, s.i, s.g));
    s.c = tensor_named("c", op_add(tape, s.kept, s.added));
    /* h_t = o_t tanh(c_t) */
    Tensor *squashed = op_tanh(tape, s.c);
    s.h = tensor_named("h", op_multiply(tape, s.o, squashed));
    return s;
}

/* u = (r h_{t-1}) W_hn + b: the past is silenced unit by unit, then mixed */
static Tensor *reset_before(Tape *tape, const Recurrent *layer, Tensor *r, Tensor *h, Tensor *b)
{
    Tensor *silenced = op_multiply(tape, r, h);
    Tensor *product = from_past(tape, layer, GRU_CANDIDATE, silenced);
    return op_add(tape, product, b);
}

/* u = r (h_{t-1} W_hn + b): mixed first, so that all gates share one product */
static Tensor *reset_after(Tape *tape, const Recurrent *layer, Tensor *r, Tensor *h, Tensor *b)
{
    Tensor *product = from_past(tape, layer, GRU_CANDIDATE, h);
    Tensor *mixed = op_add(tape, product, b);
    return op_multiply(tape, r, mixed);
}

/* A gate's input: the GRU's fast layer keeps a second bias beside h W. */
static Tensor *both_and_bias(Tape *tape, const Recurrent *layer, Gate gate, Tensor *x, Tensor *h)
{
    Tensor *sum = both(tape, layer, gate, x, h);
    Tensor *b = columns(tape, layer, layer->recurrent_bias, gate);
    return op_add(tape, sum, b);
}

GruStep gru_step(Tape *tape, const Recurrent *layer, Tensor *x, Tensor *h, ResetPlace place)
{
    GruStep s;
    Tensor *a_r = both_and_bias(tape, layer, GRU_RESET, x, h);
    Tensor *a_z = both_and_bias(tape, layer, GRU_UPDATE, x, h);
    Tensor *a_n = from_input(tape, layer, GRU_CANDIDATE, x);
    Tensor *b = columns(tape, layer, layer->recurrent_bias, GRU_CANDIDATE);

    /* r_t = sigmoid(x_t W_xr + h_{t-1} W_hr + b_r): does the candidate hear the past? */
    s.r = tensor_named("r", op_sigmoid(tape, a_r));
    /* z_t = sigmoid(x_t W_xz + h_{t-1} W_hz + b_z): how much of the old state stays */
    s.z = tensor_named("z", op_sigmoid(tape, a_z));
    /* n_t = tanh(x_t W_xn + b_n + u): the candidate */
    s.u = place == RESET_AFTER_PRODUCT ? reset_after(tape, layer, s.r, h, b) : reset_before(tape, layer, s.r, h, b);
    Tensor *a = op_add(tape, a_n, s.u);
    s.n = tensor_named("n", op_tanh(tape, a));
    /* h_t = (1 - z_t) n_t + z_t h_{t-1} = n_t + z_t (h_{t-1} - n_t) */
    Tensor *difference = op_subtract(tape, h, s.n);
    Tensor *kept = op_multiply(tape, s.z, difference);
    s.h = tensor_named("h", op_add(tape, s.n, kept));
    return s;
}
