/* transformer.c: attention and blocks from the operations of ops.h. */
#define KEEP_CALLERS_LINE
#include "transformer.h"

#include <stdio.h>

#include "maths.h"

Tensor *(scaled_dot_product_attention)(Tape *tape, Tensor *q, Tensor *k, Tensor *v, const Tensor *mask,
                                       Tensor **weights)
{
    if (!weights)
        return op_attention(tape, q, k, v, mask, 1);
    real scale = 1 / m_sqrt((real)tensor_columns(q));
    Tensor *scores = op_scale(tape, op_batched_matmul_transposed(tape, q, k), scale); /* [..., T, S] */
    Tensor *softmax = op_softmax(tape, scores, mask);
    if (weights)
        *weights = softmax;
    return op_batched_matmul(tape, softmax, v); /* [..., T, d_v] */
}

enum { NAME_LENGTH = 128 };

static const char *part(char text[NAME_LENGTH], const char *name, const char *piece)
{
    snprintf(text, NAME_LENGTH, "%s.%s", name, piece);
    return text;
}

Attention(attention_new)(Parameters *parameters, const char *name, int d, int heads, Rng *rng)
{
    char text[NAME_LENGTH];
    if (heads < 1 || d % heads)
        die_misuse(parameters->where, "attention '%s': %d heads do not divide the width %d", name, heads, d);
    Attention layer = {.d = d, .heads = heads};
    layer.query = linear_new(parameters, part(text, name, "query"), d, d, rng);
    layer.key = linear_new(parameters, part(text, name, "key"), d, d, rng);
    layer.value = linear_new(parameters, part(text, name, "value"), d, d, rng);
    layer.output = linear_new(parameters, part(text, name, "output"), d, d, rng);
    return layer;
}

/* [B, T, d] -> [B, h, T, d / h] */
static Tensor *split_heads(Tape *tape, Tensor *x, int heads)
{
    int batch = x->shape.dim[0], positions = x->shape.dim[1], d = x->shape.dim[2];
    return op_transpose(tape, op_reshape(tape, x, SHAPE(batch, positions, heads, d / heads)), 1, 2);
}

static void check_sequence(Tape *tape, const Attention *layer, const Tensor *x)
{
    char text[SHAPE_TEXT];
    if (x->shape.rank != 3 || x->shape.dim[2] != layer->d)
        die_misuse(tape_where(tape), "attention: '%s' %s must have the shape [batch, positions, %d]", x->name,
                   shape_text(x->shape, text), layer->d);
}

/* op_attention in small operations, whose weights are a tensor that can be seen. */
static Tensor *attention_with_weights(Tape *tape, Tensor *q, Tensor *k, Tensor *v, const Tensor *mask, int heads,
                                      Tensor **weights)
{
    Tensor *y = scaled_dot_product_attention(tape, split_heads(tape, q, heads), split_heads(tape, k, heads),
                                             split_heads(tape, v, heads), mask, weights);
    return op_reshape(tape, op_transpose(tape, y, 1, 2), q->shape);
}

/* The layer's result, and PLUS (or NULL) added to it.  TURNS (or NULL): rotary positions. */
static Tensor *attend(Tape *tape, const Attention *layer, Tensor *from, Tensor *at, const Tensor *mask,
                      const Tensor *turns, Tensor **weights, Tensor *plus)
{
    check_sequence(tape, layer, from);
    check_sequence(tape, layer, at);
    Tensor *q = tape_passing(linear(tape, &layer->query, from)), *k = tape_passing(linear(tape, &layer->key, at));
    Tensor *v = tape_passing(linear(tape, &layer->value, at)), *heads;
    if (turns) {
        q = tape_passing(op_rotary(tape, q, turns, layer->heads));
        k = tape_passing(op_rotary(tape, k, turns, layer->heads));
    }
    if (weights)
        heads = attention_with_weights(tape, q, k, v, mask, layer->heads, weights);
    else
        heads = op_attention(tape, q, k, v, mask, layer->heads);
    return op_linear(tape, tape_passing(heads), layer->output.weight, layer->output.bias, plus);
}

Tensor *(attention)(Tape *tape, const Attention *layer, Tensor *from, Tensor *at, const Tensor *mask, Tensor **weights)
{
    return attend(tape, layer, from, at, mask, NULL, weights, NULL);
}

Tensor *(mask_causal)(Tape *tape, int positions)
{
    Tensor *mask = tape_input(tape, "causal mask", SHAPE(positions, positions), NULL);
    for (int t = 0; t < positions; t++)
        for (int s = 0; s <= t; s++)
            mask->data[t * positions + s] = 1;
    return mask;
}

Tensor *(mask_padding)(Tape *tape, const int *lengths, int batch, int heads, int from, int at, bool causal)
{
    Tensor *mask = tape_input(tape, "padding mask", SHAPE(batch, heads, from, at), NULL);
    real *row = mask->data;
    for (int b = 0; b < batch; b++)
        for (int h = 0; h < heads; h++)
            for (int t = 0; t < from; t++, row += at)
                for (int s = 0; s < at; s++)
                    row[s] = (!lengths || s < lengths[b]) && (!causal || s <= t);
    return mask;
}

void positions_sinusoidal(real *table, int positions, int d)
{
    const double log_10000 = 9.210340371976184;
    for (int i = 0; i < d; i++) {
        int pair = i / 2 * 2; /* a sine and a cosine of each frequency */
        double frequency = exp64(-log_10000 * pair / d);
        for (int pos = 0; pos < positions; pos++)
            table[pos * d + i] = (real)(i % 2 ? cos64(pos * frequency) : sin64(pos * frequency));
    }
}

Block(block_new)(Parameters *parameters, const char *name, BlockSettings settings, Rng *rng)
{
    char text[NAME_LENGTH];
    Block layer = {.settings = settings};
    int d = settings.d;
    layer.self = attention_new(parameters, part(text, name, "self"), d, settings.heads, rng);
    layer.self_norm = layer_norm_new(parameters, part(text, name, "self_norm"), d);
    if (settings.cross) {
        layer.cross = attention_new(parameters, part(text, name, "cross"), d, settings.heads, rng);
        layer.cross_norm = layer_norm_new(parameters, part(text, name, "cross_norm"), d);
    }
    layer.inner = linear_new(parameters, part(text, name, "inner"), d, settings.feed_forward, rng);
    layer.outer = linear_new(parameters, part(text, name, "outer"), settings.feed_forward, d, rng);
    layer.feed_norm = layer_norm_new(parameters, part(text, name, "feed_norm"), d);
    return layer;
}

/* What a sublayer reads: x itself, or x normalised first. */
static Tensor *before(Tape *tape, const Block *layer, const LayerNorm *norm, Tensor *x)
{
    return layer->settings.pre_norm ? tape_passing(layer_norm(tape, norm, x)) : x;
}

/* x + f(x), which the sublayer's last linear layer adds up itself, unless dropout comes between. */
static Tensor *added(const Block *layer, Tensor *x, Rng *dropout)
{
    return dropout && layer->settings.dropout > 0 ? NULL : x;
}

/* F is f(x), or x + f(x) if it was ADDED; normalised afterwards under Post-Norm. */
static Tensor *after(Tape *tape, const Block *layer, const LayerNorm *norm, Tensor *x, Tensor *f, Rng *dropout)
{
    if (!added(layer, x, dropout))
        f = op_add(tape, x, op_dropout(tape, f, layer->settings.dropout, dropout));
    return layer->settings.pre_norm ? f : layer_norm(tape, norm, tape_passing(f));
}

Tensor *(block)(Tape *tape, const Block *layer, Tensor *x, BlockView view)
{
    Tensor *in = before(tape, layer, &layer->self_norm, x);
    Tensor *f = attend(tape, &layer->self, in, in, view.mask, view.turns, view.weights, added(layer, x, view.dropout));
    x = tape_passing(after(tape, layer, &layer->self_norm, x, f, view.dropout));
    if (layer->settings.cross) {
        in = before(tape, layer, &layer->cross_norm, x);
        f = attend(tape, &layer->cross, in, view.memory, view.memory_mask, NULL, view.cross_weights,
                   added(layer, x, view.dropout));
        x = tape_passing(after(tape, layer, &layer->cross_norm, x, f, view.dropout));
    }
    in = before(tape, layer, &layer->feed_norm, x);
    f = op_feed_forward(tape, in, layer->inner.weight, layer->inner.bias, layer->outer.weight, layer->outer.bias,
                        layer->settings.gelu, added(layer, x, view.dropout));
    return after(tape, layer, &layer->feed_norm, x, f, view.dropout);
}
