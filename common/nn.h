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

#endif
