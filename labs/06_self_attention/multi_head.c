/* multi_head.c: multi-head attention (Vaswani 2017, section 3.2.2), written out:
 * each head cuts its own columns out of Q, K and V and looks for itself.
 *
 * The labs after this one use attention() of transformer.h, which does all heads
 * in one product; step 4 and the tests show that both give the same numbers and
 * the same gradients. */
#include "maths.h"
#include "self_attention.h"

enum { MOST_HEADS = MOST_DIMENSION };

/* Attention(Q, K, V) = softmax(Q K^T / sqrt(d_k)) V */
static Tensor *one_head(Tape *tape, Tensor *q, Tensor *k, Tensor *v, const Tensor *mask, Tensor **weights)
{
    real scale = 1 / m_sqrt((real)tensor_columns(q));
    Tensor *scores = op_scale(tape, op_matmul_transposed(tape, q, k), scale); /* [T, S] */
    *weights = op_softmax(tape, scores, mask);                                /* [T, S], rows sum to 1 */
    return op_matmul(tape, *weights, v);                                      /* [T, d_k] */
}

Tensor *multi_head(Tape *tape, const Attention *layer, Tensor *from, Tensor *at, const Tensor *mask, Tensor **weights)
{
    int d_k = layer->d / layer->heads;
    Tensor *heads[MOST_HEADS], *unused;
    Tensor *q = op_add(tape, op_matmul(tape, from, layer->query.weight), layer->query.bias); /* [T, d] */
    Tensor *k = op_add(tape, op_matmul(tape, at, layer->key.weight), layer->key.bias);       /* [S, d] */
    Tensor *v = op_add(tape, op_matmul(tape, at, layer->value.weight), layer->value.bias);   /* [S, d] */

    /* head_i = Attention(Q_i, K_i, V_i), with columns i d_k ... (i + 1) d_k - 1 of each */
    for (int i = 0; i < layer->heads; i++) {
        Tensor *q_i = op_slice(tape, q, 1, i * d_k, (i + 1) * d_k); /* [T, d_k] */
        Tensor *k_i = op_slice(tape, k, 1, i * d_k, (i + 1) * d_k); /* [S, d_k] */
        Tensor *v_i = op_slice(tape, v, 1, i * d_k, (i + 1) * d_k); /* [S, d_k] */
        heads[i] = one_head(tape, q_i, k_i, v_i, mask, weights ? &weights[i] : &unused);
    }

    /* MultiHead(Q, K, V) = Concat(head_1, ..., head_h) W_O */
    Tensor *concat = op_concat(tape, heads, layer->heads, 1); /* [T, d] */
    return op_add(tape, op_matmul(tape, concat, layer->output.weight), layer->output.bias);
}
