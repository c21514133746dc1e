/* tape.h: reverse-mode differentiation by writing down what was done.
 *
 * Every operation (ops.h) that touches a tensor with a gradient appends a node
 * to the tape.  An operation can only use what exists already, so the order of
 * the tape is topological, and backward is one loop from the end to the start:
 * each node adds to the gradients of its inputs (the chain rule).  A recurrent
 * network needs nothing special: it is a `for` loop.
 *
 *     Tape *tape = tape_new(1);
 *     for (step ...) {
 *         tape_rewind(tape);
 *         Tensor *loss = ... operations on tape ...;
 *         tape_backward(tape, loss);
 *         optimiser_step(...);
 *     }                                                                        */
#ifndef TAPE_H
#define TAPE_H

#include <stdbool.h>

#include "tensor.h"

typedef struct Tape Tape;

/* One operation that was done.  INPUT lists what it read, so that backward knows
 * whose gradients to set; SAVED is what the operation needs to go back. */
typedef struct Node Node;
typedef void BackwardFunction(Node *node);
enum { MOST_INPUTS = 6 };
struct Node {
    const char *operation;
    BackwardFunction *backward;
    Tensor *output;
    Tensor *second_output; /* or NULL */
    Tensor *input[MOST_INPUTS];
    Tensor **more_inputs; /* beyond MOST_INPUTS: a list ended by NULL, or NULL */
    void *saved;
    Tape *tape;
    Node *previous;
};

/* THREADS: how many the operations may use; results do not depend on it. */
Tape *tape_new(int threads);
void tape_free(Tape *tape);

/* Forgets all operations and takes back the memory of their tensors. */
void tape_rewind(Tape *tape);

/* With false, operations are computed but not recorded: inference. */
void tape_record(Tape *tape, bool on);

/* A tensor on the tape that holds a copy of DATA (or zeros where DATA is NULL):
 * an input.  It has no gradient. */
Tensor *tape_input(Tape *tape, const char *name, Shape shape, const real *data);

/* The same with a gradient: an input whose influence on the loss is asked for. */
Tensor *tape_variable(Tape *tape, const char *name, Shape shape, const real *data);

/* TENSOR, an operation's result, is nobody's but a layer's: its gradient has memory
 * only until backward has used it, which then is another's, still in the cache.
 * Returns TENSOR. */
Tensor *tape_passing(Tensor *tensor);

/* Sets the gradients of everything that the tape's operations read or wrote, but for
 * what is passing: d LOSS / d tensor, 0 where LOSS does not depend on it.  What was
 * there before does not count, so a second call gives the same numbers.  LOSS must be
 * one number; if it is not finite, dies naming the first tensor that went bad. */
void tape_backward(Tape *tape, Tensor *loss);

/* The first tensor on the tape, in the order of computation, that holds a
 * number which is not finite, or NULL; inputs of an operation come before its
 * output. */
const Tensor *tape_first_nonfinite(const Tape *tape);

/* The line of the lab that calls is remembered in each tensor. */
#define tape_input(tape, ...) (tape_input)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define tape_variable(tape, ...) (tape_variable)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define tape_backward(tape, ...) (tape_backward)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)

/* ---- for operations (ops.c) ---- */

/* Memory until the tape is rewound.  What a backward function takes is taken back
 * when it returns. */
Arena *tape_arena(Tape *tape);
int tape_threads(const Tape *tape);

/* Remembers the line of the lab that the next operation stands on; returns TAPE.
 * Layers made of operations define KEEP_CALLERS_LINE before they include this:
 * what they do then stands on the line that called the layer. */
Tape *tape_at(Tape *tape, const char *file, int line);
#ifdef KEEP_CALLERS_LINE
#define tape_at(tape, file, line) (tape)
#endif
Where tape_where(const Tape *tape);

/* An output tensor of the operation at hand, its numbers not set. */
Tensor *tape_output(Tape *tape, const char *name, Shape shape);

/* Records: OUTPUT was computed from INPUTS.  Where no input has a gradient, or
 * recording is off, nothing is recorded and NULL is returned.  Otherwise OUTPUT
 * will have a gradient, and the caller may set node->saved. */
Node *tape_add(Tape *tape, const char *operation, BackwardFunction *backward, Tensor *output, Tensor *const *inputs,
               int n);

/* NODE has a second result, which will have a gradient too. */
void tape_second_output(Node *node, Tensor *output);

/* Where a backward function puts its part of TENSOR's gradient: nowhere if AT is
 * NULL.  The first part of a pass is assigned, the others are ADDed, so that
 * gradients need not be cleared in memory before.  Whoever asks must write every
 * element, and before asking for another tensor, which may be the same one. */
typedef struct {
    real *at;
    bool add;
} Part;
Part gradient_part(Tensor *tensor);

/* The same for those that add to some elements, or several times: cleared if this
 * is the first part.  NULL where no gradient is wanted. */
real *gradient_sum(Tensor *tensor);

#endif
