/* The five networks. */
#include "models.h"

#include <stdio.h>
#include <stdlib.h>

#include "memory.h"

const char *const kind_name[KINDS] = {"Transformer", "RNN", "LSTM", "GRU", "convolution"};

/* ---- the Transformer ---------------------------------------------------------------- */

static void transformer_new(Model *model, Rng *rng)
{
    Parameters *p = model->parameters;
    ModelSettings *s = &model->settings;
    int d = s->width;
    model->in = linear_new(p, "in", 1, d, rng);
    for (int l = 0; l < s->layers; l++) {
        Encoder *e = &model->encoder[l];
        e->attention = attention_new(p, "attention", d, s->heads, rng);
        e->attention_norm = layer_norm_new(p, "attention_norm", d);
        e->inner = linear_new(p, "inner", d, s->inner, rng);
        e->outer = linear_new(p, "outer", s->inner, d, rng);
        e->feed_norm = layer_norm_new(p, "feed_norm", d);
    }
    model->out = linear_new(p, "out", d, 1, rng);
}

/* One block (lab 08, Post-Norm), seen from FROM, which is x or some positions of it:
 *     a = norm(from + attention(from, x))      y = norm(a + ReLU(a W1 + b1) W2 + b2)  */
static Tensor *encoder(Tape *tape, const Encoder *e, Tensor *from, Tensor *x, Tensor **weights)
{
    Tensor *seen = attention(tape, &e->attention, from, x, NULL, weights);
    Tensor *a = layer_norm(tape, &e->attention_norm, op_add(tape, from, seen));
    Tensor *f = linear(tape, &e->outer, op_relu(tape, linear(tape, &e->inner, a)));
    return layer_norm(tape, &e->feed_norm, op_add(tape, a, f));
}

/* x_t W + b + PE(t), blocks, and the last position's answer.  Of the last block only the
 * last position is asked for, so only its query is made: the same numbers for less work. */
static Tensor *transformer_predict(Tape *tape, const Model *model, Tensor *x, Tensor **weights)
{
    const ModelSettings *s = &model->settings;
    int batch = x->shape.dim[0], t = x->shape.dim[1], d = s->width;
    Tensor *h = linear(tape, &model->in, x); /* [B, T, d] */
    if (!s->no_positions) {
        Tensor *places = tape_input(tape, "positions", SHAPE(t, d), NULL);
        positions_sinusoidal(places->data, t, d);
        h = op_add(tape, h, places);
    }
    for (int l = 0; l < s->layers - 1; l++)
        h = encoder(tape, &model->encoder[l], h, h, NULL);
    Tensor *last = op_slice(tape, h, 1, t - 1, t);                             /* [B, 1, d] */
    last = encoder(tape, &model->encoder[s->layers - 1], last, h, weights);    /* [B, 1, d] */
    return linear(tape, &model->out, op_reshape(tape, last, SHAPE(batch, d))); /* [B, 1] */
}

/* ---- recurrent networks --------------------------------------------------------------- */

static void recurrent_model_new(Model *model, Rng *rng)
{
    static const CellKind cells[KINDS] = {[RNN] = CELL_RNN, [LSTM] = CELL_LSTM, [GRU] = CELL_GRU};
    int hidden = model->settings.width;
    model->cell = recurrent_new(model->parameters, "cell", cells[model->settings.kind], 1, hidden, rng);
    model->out = linear_new(model->parameters, "out", hidden, 1, rng);
}

/* One value after the other through the cell (labs 03 and 04); the last state answers. */
static Tensor *recurrent_predict(Tape *tape, const Model *model, Tensor *x)
{
    int batch = x->shape.dim[0], t = x->shape.dim[1], hidden = model->settings.width;
    Tensor *in_time = op_transpose(tape, x, 0, 1);                                  /* [T, B, 1] */
    Tensor *states = recurrent(tape, &model->cell, in_time, NULL, (Sequence){0});   /* [T, B, H] */
    Tensor *last = op_slice(tape, states, 0, t - 1, t);                             /* [1, B, H] */
    return linear(tape, &model->out, op_reshape(tape, last, SHAPE(batch, hidden))); /* [B, 1] */
}

/* ---- the convolution ------------------------------------------------------------------- */

static void convolution_new(Model *model, Rng *rng)
{
    Parameters *p = model->parameters;
    int c = model->settings.width, pooled = model->inputs / POOL / POOL;
    model->kernel[0] = linear_new(p, "kernel1", KERNEL, c, rng);
    model->kernel[1] = linear_new(p, "kernel2", KERNEL * c, c, rng);
    model->full = linear_new(p, "full", pooled * c, model->settings.inner, rng);
    model->out = linear_new(p, "out", model->settings.inner, 1, rng);
}

/* y_t = b + sum_j x_{t-K+1+j} W_j, j = 0 ... K-1, with zeros before the start: y_t sees
 * x_t and K - 1 values before it and nothing behind.  The K shifted copies of x stand side
 * by side, and all the sums are one matrix product. */
Tensor *causal_convolution(Tape *tape, const Linear *kernel, Tensor *x)
{
    int batch = x->shape.dim[0], t = x->shape.dim[1], c = x->shape.dim[2];
    Tensor *before = tape_input(tape, "zeros before the start", SHAPE(batch, KERNEL - 1, c), NULL);
    Tensor *padded = op_concat(tape, (Tensor *[]){before, x}, 2, 1); /* [B, K - 1 + T, C] */
    Tensor *shifted[KERNEL];
    for (int j = 0; j < KERNEL; j++)
        shifted[j] = op_slice(tape, padded, 1, j, j + t);             /* [B, T, C] */
    return linear(tape, kernel, op_concat(tape, shifted, KERNEL, 2)); /* [B, T, K C] -> [B, T, C'] */
}

/* The larger one of each two neighbours in time: max(a, b) = a + ReLU(b - a). */
Tensor *max_pool(Tape *tape, Tensor *x)
{
    int batch = x->shape.dim[0], t = x->shape.dim[1] / POOL, c = x->shape.dim[2];
    Tensor *pairs = op_reshape(tape, x, SHAPE(batch, t, POOL, c));
    Tensor *a = op_slice(tape, pairs, 2, 0, 1), *b = op_slice(tape, pairs, 2, 1, 2); /* [B, T / 2, 1, C] */
    return op_reshape(tape, op_add(tape, a, op_relu(tape, op_subtract(tape, b, a))), SHAPE(batch, t, c));
}

/* Kernel, activation map, pooling, twice; then a fully connected layer over what is left.
 * It is made for one length and reads the last values of a longer sequence. */
static Tensor *convolution_predict(Tape *tape, const Model *model, Tensor *x)
{
    int batch = x->shape.dim[0], t = x->shape.dim[1], want = model->inputs;
    Tensor *h = t > want ? op_slice(tape, x, 1, t - want, t) : x;
    for (int l = 0; l < 2; l++)
        h = max_pool(tape, op_relu(tape, causal_convolution(tape, &model->kernel[l], h))); /* [B, T / 2, C] */
    Tensor *flat = op_reshape(tape, h, SHAPE(batch, h->shape.dim[1] * h->shape.dim[2]));   /* [B, T / 4 * C] */
    return linear(tape, &model->out, op_relu(tape, linear(tape, &model->full, flat)));
}

/* ---- any of them ------------------------------------------------------------------------- */

Model *model_new(ModelSettings settings, int inputs, Rng *rng)
{
    Model *model = memory_new(1, sizeof *model, "a model");
    settings.heads = settings.heads ? settings.heads : 4;
    settings.layers = settings.layers ? settings.layers : 1;
    settings.inner = settings.inner ? settings.inner : 4 * settings.width;
    *model = (Model){.settings = settings, .inputs = inputs, .parameters = parameters_new()};
    if (settings.kind == TRANSFORMER)
        transformer_new(model, rng);
    else if (settings.kind == CONVOLUTION)
        convolution_new(model, rng);
    else
        recurrent_model_new(model, rng);
    return model;
}

void model_free(Model *model)
{
    parameters_free(model->parameters);
    free(model);
}

Tensor *model_predict(Tape *tape, const Model *model, Tensor *x, Tensor **weights)
{
    if (model->settings.kind == TRANSFORMER)
        return transformer_predict(tape, model, x, weights);
    return model->settings.kind == CONVOLUTION ? convolution_predict(tape, model, x)
                                               : recurrent_predict(tape, model, x);
}
