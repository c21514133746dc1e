/* transformer_block.h: what the chapters of lab 08 share.
 *
 *     block.c     one block from small operations
 *     stack.c     many blocks, and the task of sorting that they are trained on
 *     step_*.c    the steps of the lecture, in its order; main.c lists them */
#ifndef TRANSFORMER_BLOCK_H
#define TRANSFORMER_BLOCK_H

#include "lab.h"
#include "optim.h"
#include "transformer.h"
#include "translation.h"

typedef struct {
    /* the student's */
    const char *sentence;  /* step 1 */
    const char *translate; /* step 6, or NULL */
    /* set by main.c */
    int starts, residual_steps; /* step 3: starts before training, steps of training, */
    int rates;                  /* and how many rates are tried */
    int feed_steps;             /* step 4 */
    int inits, usual_inits;     /* step 5: starts under the paper's conditions, and usual ones */
    int runs, train_steps;      /* step 5: models of each kind, steps */
    int pairs, longest;         /* step 6: the corpus, */
    int sentences;              /* of each quarter of lengths that are tested (four times as many of the longest), */
    int translator_steps;       /* and of the Transformers; the GRU is trained for the same time */
    Translation *corpus; /* step 6 */
} TransformerBlock;

/* ---- block.c ---- */

/* Every tensor on the way through a block, in the order of computation; a name
 * says what it is. */
enum { MOST_FLOW = 32 };
typedef struct {
    int n;
    Tensor *tensor[MOST_FLOW];
} Flow;

/* What a block is robbed of in step 3; zero is the whole block. */
typedef struct {
    bool no_residual, no_norm;
    bool library; /* op_layer_norm and op_linear instead of small operations: the same numbers, in less time and memory */
} Robbed;

/* Layer norm (Ba 2016, eq. 4) from small operations: x [..., d]. */
Tensor *norm_written_out(Tape *tape, const LayerNorm *layer, Tensor *x);

/* block() of transformer.h, written out: x [B, T, d].  FLOW (or NULL) receives every tensor. */
Tensor *block_written_out(Tape *tape, const Block *layer, Tensor *x, BlockView view, Robbed robbed, Flow *flow);

/* ---- stack.c ---- */

/* Letters in, letters out: embedding, sinusoidal positions, L blocks, a last norm
 * under Pre-Norm (Xiong 2020, table 1), and a linear layer to the letters. */
typedef struct {
    int letters, d, heads, feed_forward, layers;
    bool pre_norm;
    Robbed robbed;
} StackSettings;
typedef struct {
    StackSettings settings;
    Parameters *parameters;
    Tensor *embedding;
    Block *block; /* [layers] */
    LayerNorm last;
    Linear answer;
} Stack;
Stack stack_new(StackSettings settings, Rng *rng);
void stack_free(Stack *stack);

/* IDS [B, T] to the logits [B, T, letters].  STATES (or NULL) receives what
 * enters each block and what leaves the last: layers + 1 tensors [B, T, d]. */
Tensor *stack_read(Tape *tape, const Stack *stack, const int *ids, int batch, int length, Tensor **states);

/* Training on sorting: LENGTH random letters in, the same letters in order out. */
typedef struct {
    int length, batch, steps, warmup;
    double rate;
} Training;
/* Returns the loss of each step in LOSS (or NULL), and the accuracy on new rows:
 * the share of places with the right letter. */
double stack_train(const Stack *stack, Training training, real *loss, Rng *letters);

/* N random letters and the same in order. */
void sorting_draw(Rng *rng, int letters, int batch, int length, int *ids, int *sorted);

/* ---- the steps ---- */

/* Dies unless TEXT is a sentence that step 1 can show. */
void sentence_check(const char *text);

/* Step 6's corpus, made when it is first asked for. */
const Translation *corpus_of(Lab *lab, TransformerBlock *self);

void step_dataflow(Lab *lab, void *state);
void step_norm(Lab *lab, void *state);
void step_residual(Lab *lab, void *state);
void step_feed_forward(Lab *lab, void *state);
void at_the_start(Lab *lab, const TransformerBlock *self); /* pre_post.c */
void with_warmup(Lab *lab, const TransformerBlock *self);  /* training.c */
void step_pre_post(Lab *lab, void *state);
void step_translation(Lab *lab, void *state);

#endif
