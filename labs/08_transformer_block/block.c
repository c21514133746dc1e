/* block.c: one Transformer block (Vaswani 2017, section 3.1), written out from
 * small operations.
 *
 * The labs after this one use block() of transformer.h; step 1 and the tests show
 * that both give the same numbers and the same gradients. */
#include "maths.h"
#include "transformer_block.h"

/* Keeps X as one of the tensors of the flow, under NAME. */
static Tensor *noted(Flow *flow, const char *name, Tensor *x)
{
    if (flow && flow->n < MOST_FLOW)
        flow->tensor[flow->n++] = tensor_named(name, x);
    return x;
}

/* mean = x J,  J [d, d] all 1/d: the mean of each row, in each of its places;
 * y = (x - mean) / sqrt(mean of (x - mean)^2 + epsilon) gain + bias */
Tensor *norm_written_out(Tape *tape, const LayerNorm *layer, Tensor *x)
{
    int d = tensor_columns(x);
    Tensor *j = tape_input(tape, "J", SHAPE(d, d), NULL), *epsilon = tape_input(tape, "epsilon", SHAPE(d), NULL);
    for (int i = 0; i < d * d; i++)
        j->data[i] = (real)1 / (real)d;
    for (int i = 0; i < d; i++)
        epsilon->data[i] = (real)1e-5;
    Tensor *centred = op_subtract(tape, x, op_matmul(tape, x, j));              /* [..., d] */
    Tensor *variance = op_matmul(tape, op_multiply(tape, centred, centred), j); /* [..., d] */
    Tensor *log_sd = op_scale(tape, op_log(tape, op_add(tape, variance, epsilon)), (real)0.5);
    Tensor *normal = op_multiply(tape, centred, op_exp(tape, op_scale(tape, log_sd, -1))); /* mean 0, variance 1 */
    return op_add(tape, op_multiply(tape, normal, layer->gain), layer->bias);
}

static Tensor *norm_of(Tape *tape, const LayerNorm *layer, Tensor *x, Robbed robbed)
{
    if (robbed.no_norm)
        return x;
    return robbed.library ? layer_norm(tape, layer, x) : norm_written_out(tape, layer, x);
}

/* y = x W + b */
static Tensor *affine(Tape *tape, const Linear *layer, Tensor *x, Robbed robbed)
{
    if (robbed.library)
        return linear(tape, layer, x);
    return op_add(tape, op_matmul(tape, x, layer->weight), layer->bias);
}

/* [B, T, d] -> [B, h, T, d / h] */
static Tensor *split(Tape *tape, Tensor *x, int heads)
{
    int batch = x->shape.dim[0], places = x->shape.dim[1], d = x->shape.dim[2];
    return op_transpose(tape, op_reshape(tape, x, SHAPE(batch, places, heads, d / heads)), 1, 2);
}

/* Concat(softmax(Q_i K_i^T / sqrt(d_k)) V_i) W_O with Q from FROM [B, T, d], K and V from AT [B, S, d];
 * TURNS (or NULL): Q and K are turned by their places (lab 07) */
static Tensor *look(Tape *tape, const Attention *layer, Tensor *from, Tensor *at, const Tensor *mask,
                    const Tensor *turns, Tensor **weights, Robbed robbed)
{
    Tensor *q = split(tape, affine(tape, &layer->query, from, robbed), layer->heads); /* [B, h, T, d_k] */
    Tensor *k = split(tape, affine(tape, &layer->key, at, robbed), layer->heads);     /* [B, h, S, d_k] */
    Tensor *v = split(tape, affine(tape, &layer->value, at, robbed), layer->heads);   /* [B, h, S, d_k] */
    if (turns) {
        q = op_rotary(tape, q, turns, 1);
        k = op_rotary(tape, k, turns, 1);
    }
    Tensor *scores = op_scale(tape, op_batched_matmul_transposed(tape, q, k), 1 / m_sqrt((real)tensor_columns(q)));
    Tensor *a = op_softmax(tape, scores, mask); /* [B, h, T, S] */
    if (weights)
        *weights = a;
    Tensor *heads = op_transpose(tape, op_batched_matmul(tape, a, v), 1, 2); /* [B, T, h, d_k] */
    return affine(tape, &layer->output, op_reshape(tape, heads, from->shape), robbed);
}

/* FFN(x) = act(x W_1 + b_1) W_2 + b_2 */
static Tensor *feed_forward(Tape *tape, const Block *layer, Tensor *x, Robbed robbed, Flow *flow)
{
    Tensor *inner = affine(tape, &layer->inner, x, robbed); /* [B, T, 4 d] */
    inner = layer->settings.gelu ? op_gelu(tape, inner) : op_relu(tape, inner);
    return affine(tape, &layer->outer, noted(flow, "inside FFN", inner), robbed);
}

/* What the sublayer reads: norm(x) under Pre-Norm, x itself under Post-Norm. */
static Tensor *entering(Tape *tape, const Block *layer, const LayerNorm *norm, Tensor *x, Robbed robbed, Flow *flow)
{
    return layer->settings.pre_norm ? noted(flow, "norm(x)", norm_of(tape, norm, x, robbed)) : x;
}

/* Pre-Norm: x + f.  Post-Norm: norm(x + f). */
static Tensor *leaving(Tape *tape, const Block *layer, const LayerNorm *norm, Tensor *x, Tensor *f, Robbed robbed,
                       Flow *flow)
{
    Tensor *sum = robbed.no_residual ? f : noted(flow, "x + f", op_add(tape, x, f));
    return layer->settings.pre_norm ? sum : noted(flow, "norm(x + f)", norm_of(tape, norm, sum, robbed));
}

Tensor *block_written_out(Tape *tape, const Block *layer, Tensor *x, BlockView view, Robbed robbed, Flow *flow)
{
    Tensor *in = entering(tape, layer, &layer->self_norm, x, robbed, flow);
    Tensor *f = noted(flow, "f = attention", look(tape, &layer->self, in, in, view.mask, view.turns, view.weights, robbed));
    x = leaving(tape, layer, &layer->self_norm, x, f, robbed, flow);
    if (layer->settings.cross) {
        in = entering(tape, layer, &layer->cross_norm, x, robbed, flow);
        f = look(tape, &layer->cross, in, view.memory, view.memory_mask, NULL, view.cross_weights, robbed);
        x = leaving(tape, layer, &layer->cross_norm, x, noted(flow, "f = cross-attention", f), robbed, flow);
    }
    in = entering(tape, layer, &layer->feed_norm, x, robbed, flow);
    f = noted(flow, "f = FFN", feed_forward(tape, layer, in, robbed, flow));
    return leaving(tape, layer, &layer->feed_norm, x, f, robbed, flow);
}
