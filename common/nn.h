/* nn.h: parameters, and the layers that more than one lab uses.
 *
 * The layer that a lab teaches is written out in that lab, from small
 * operations; the fast one of the same name here is what later labs use, and a
 * test shows that both give the same numbers and gradients. */
#ifndef NN_H
#define NN_H

#include <stdint.h>

#include "ops.h"

/* The trainable tensors of a model, in the order of their making, in memory of
 * their own that outlives the tape. */
typedef struct {
    int n;
    Tensor **tensor;
    int capacity;
    Arena *arena;
    Where where; /* the line of the lab that makes the next one */
} Parameters;

Parameters *parameters_new(void);
void parameters_free(Parameters *parameters);

/* Number of numbers in all parameters. */
size_t parameters_count(const Parameters *parameters);

/* A 64-bit fingerprint of every bit of every parameter (FNV-1a): equal before
 * and after exactly if nothing was trained. */
uint64_t parameters_hash(const Parameters *parameters);

/* A new parameter, NAME copied: zeros; a constant; normal with standard
 * deviation SD; uniform in -LIMIT ... LIMIT; or uniform with the limit
 * sqrt(6 / (rows + columns)) that keeps the variance of signal and gradient
 * (Glorot & Bengio 2010, eq. 16). */
Tensor *parameter_zeros(Parameters *parameters, const char *name, Shape shape);
Tensor *parameter_constant(Parameters *parameters, const char *name, Shape shape, real value);
Tensor *parameter_normal(Parameters *parameters, const char *name, Shape shape, real sd, Rng *rng);
Tensor *parameter_uniform(Parameters *parameters, const char *name, Shape shape, real limit, Rng *rng);
Tensor *parameter_glorot(Parameters *parameters, const char *name, Shape shape, Rng *rng);
/* GAIN times a random orthogonal matrix [n, n], all of whose singular values are
 * GAIN (Saxe 2014): Gram-Schmidt on normal columns. */
Tensor *parameter_orthogonal(Parameters *parameters, const char *name, int n, real gain, Rng *rng);

/* y = x W + b with W [in, out], b [out]; x [..., in].  Names: "NAME.weight", "NAME.bias". */
typedef struct {
    Tensor *weight, *bias;
} Linear;
Linear linear_new(Parameters *parameters, const char *name, int in, int out, Rng *rng);
Tensor *linear(Tape *tape, const Linear *layer, Tensor *x);

/* Layer norm over the last dimension D, gain 1 and bias 0 at first, epsilon 1e-5. */
typedef struct {
    Tensor *gain, *bias;
} LayerNorm;
LayerNorm layer_norm_new(Parameters *parameters, const char *name, int d);
Tensor *layer_norm(Tape *tape, const LayerNorm *layer, Tensor *x);

/* A recurrent layer of IN inputs and HIDDEN units over whole sequences.  Weights
 * and biases are uniform in -1/sqrt(H) ... 1/sqrt(H), as in PyTorch.  Gates stand
 * side by side: LSTM i f g o, GRU r z n.  Names: "NAME.input_weight" [in, gates],
 * "NAME.weight" [H, gates], "NAME.bias" [gates], and for the GRU, whose
 * candidate needs a bias of its own inside the reset, "NAME.recurrent_bias". */
typedef enum { CELL_RNN, CELL_LSTM, CELL_GRU } CellKind;
typedef enum { LSTM_INPUT, LSTM_FORGET, LSTM_CANDIDATE, LSTM_OUTPUT, GRU_RESET = 0, GRU_UPDATE, GRU_CANDIDATE } Gate;
typedef struct {
    CellKind kind;
    int hidden;
    Tensor *input_weight, *weight, *bias, *recurrent_bias;
} Recurrent;
Recurrent recurrent_new(Parameters *parameters, const char *name, CellKind kind, int in, int hidden, Rng *rng);

/* X [T, B, in] -> all hidden states [T, B, H]; START [B, H] or NULL. */
Tensor *recurrent(Tape *tape, const Recurrent *layer, Tensor *x, Tensor *start, Sequence sequence);

/* Sets the bias of one gate: recurrent_set_bias(&layer, LSTM_FORGET, 1) is
 * Gers 2000's open forget gate. */
void recurrent_set_bias(const Recurrent *layer, Gate gate, real value);

/* The line of the lab that calls is remembered in each parameter and tensor. */
Parameters *parameters_at(Parameters *parameters, const char *file, int line);
#ifdef KEEP_CALLERS_LINE
#define parameters_at(parameters, file, line) (parameters)
#endif
#define parameter_zeros(p, ...) (parameter_zeros)(parameters_at(p, __FILE__, __LINE__), __VA_ARGS__)
#define parameter_constant(p, ...) (parameter_constant)(parameters_at(p, __FILE__, __LINE__), __VA_ARGS__)
#define parameter_normal(p, ...) (parameter_normal)(parameters_at(p, __FILE__, __LINE__), __VA_ARGS__)
#define parameter_uniform(p, ...) (parameter_uniform)(parameters_at(p, __FILE__, __LINE__), __VA_ARGS__)
#define parameter_glorot(p, ...) (parameter_glorot)(parameters_at(p, __FILE__, __LINE__), __VA_ARGS__)
#define parameter_orthogonal(p, ...) (parameter_orthogonal)(parameters_at(p, __FILE__, __LINE__), __VA_ARGS__)
#define linear_new(p, ...) (linear_new)(parameters_at(p, __FILE__, __LINE__), __VA_ARGS__)
#define layer_norm_new(p, ...) (layer_norm_new)(parameters_at(p, __FILE__, __LINE__), __VA_ARGS__)
#define recurrent_new(p, ...) (recurrent_new)(parameters_at(p, __FILE__, __LINE__), __VA_ARGS__)
#define linear(tape, ...) (linear)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define layer_norm(tape, ...) (layer_norm)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)
#define recurrent(tape, ...) (recurrent)(tape_at(tape, __FILE__, __LINE__), __VA_ARGS__)

#endif
