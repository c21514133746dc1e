/* transformer.h: attention, positions and blocks, for the labs after the ones
 * that teach them (06, 07, 08), made of the operations of ops.h.
 *
 * Shapes: B sequences, T positions (S in the sequence that is looked at), width
 * d, h heads of d / h. */
#ifndef TRANSFORMER_H
#define TRANSFORMER_H

#include "nn.h"

/* Scaled dot-product attention (Vaswani 2017, eq. 1): softmax(Q K^T / sqrt(d_k)) V
 * with Q [..., T, d_k], K [..., S, d_k], V [..., S, d_v].  MASK (or NULL), of a
 * shape that is a suffix of [..., T, S], is 0 where looking is forbidden.
 * WEIGHTS (or NULL) receives the softmax [..., T, S]. */
Tensor *scaled_dot_product_attention(Tape *tape, Tensor *q, Tensor *k, Tensor *v, const Tensor *mask, Tensor **weights);

/* Multi-head attention (Vaswani 2017, section 3.2.2): h heads of width d / h side
 * by side, and a linear layer over them all.  Dies if h does not divide d. */
typedef struct {
    int d, heads;
    Linear query, key, value, output;
} Attention;
Attention attention_new(Parameters *parameters, const char *name, int d, int heads, Rng *rng);

/* FROM [B, T, d] looks at AT [B, S, d] (the same tensor: self-attention).
 * WEIGHTS (or NULL) receives [B, h, T, S]. */
Tensor *attention(Tape *tape, const Attention *layer, Tensor *from, Tensor *at, const Tensor *mask, Tensor **weights);

/* Masks, 1 where looking is allowed.  Causal: position t looks at 0 ... t, shape
 * [T, T].  Padding: nobody looks beyond LENGTHS[b], shape [B, heads, T, S]; with
 * CAUSAL both. */
Tensor *mask_causal(Tape *tape, int positions);
Tensor *mask_padding(Tape *tape, const int *lengths, int batch, int heads, int from, int at, bool causal);

/* Sinusoidal positions (Vaswani 2017, section 3.5): TABLE [positions, d] gets
 * sin(pos / 10000^(2i/d)) in column 2i and cos of the same in column 2i + 1. */
void positions_sinusoidal(real *table, int positions, int d);

/* One Transformer block.  Post-Norm (Vaswani 2017): x = norm(x + f(x)); Pre-Norm:
 * x = x + f(norm(x)), for f = attention and f = feed-forward, whose activation is
 * ReLU or GELU.  With CROSS it has a second attention, over MEMORY [B, S, d]. */
typedef struct {
    int d, heads, feed_forward; /* feed_forward: inner width, 4 d as a rule */
    bool pre_norm, gelu, cross;
    real dropout; /* after each sublayer, while training */
} BlockSettings;
typedef struct {
    BlockSettings settings;
    Attention self, cross;
    LayerNorm self_norm, cross_norm, feed_norm;
    Linear inner, outer;
} Block;
Block block_new(Parameters *parameters, const char *name, BlockSettings settings, Rng *rng);

/* What a block may see besides x; zero for an encoder block without padding. */
typedef struct {
    const Tensor *mask;  /* for self-attention */
    const Tensor *turns; /* the same, rotary positions: [T, d / heads] of positions_sinusoidal, or NULL */
    Tensor *memory;     /* for cross-attention */
    const Tensor *memory_mask;
    Rng *dropout;     /* NULL: no dropout (testing) */
    Tensor **weights; /* receives the self-attention weights, or NULL */
    Tensor **cross_weights;
} BlockView;
Tensor *block(Tape *tape, const Block *layer, Tensor *x, BlockView view);

/* The line of the lab that calls is remembered in each parameter and tensor. */
#define attention_new(p, ...) (attention_new)(parameters_at(p, __FILE__, __LINE__), __VA_ARGS__)
#define block_new(p, ...) (block_new)(parameters_at(p, __FILE__, __LINE__), __VA_ARGS__)
#define scaled_dot_product_attention(tape, ...)                                                                        \
    (scaled_dot_product_attention)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define attention(tape, ...) (attention)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define block(tape, ...) (block)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define mask_causal(tape, ...) (mask_causal)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define mask_padding(tape, ...) (mask_padding)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)

#endif
