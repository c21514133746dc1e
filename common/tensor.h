/* tensor.h: a block of numbers with a shape and a name.
 *
 * Row-major and contiguous, dimensions in NumPy's order: element (i, j, k) of a
 * tensor of shape [A, B, C] is data[(i * B + j) * C + k]. */
#ifndef TENSOR_H
#define TENSOR_H

#include <stddef.h>

#include "arena.h"
#include "die.h"
#include "real.h"

enum { MOST_DIMENSIONS = 4 };

typedef struct {
    int rank; /* 0 for a single number */
    int dim[MOST_DIMENSIONS];
} Shape;

/* SHAPE(2, 3) is the shape of a matrix of 2 rows and 3 columns. */
#define SHAPE(...) ((Shape){(int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), {__VA_ARGS__}})
#define SCALAR ((Shape){0})

typedef struct Tensor {
    const char *name; /* for messages and traces; never NULL */
    Where where;      /* the line of the lab that made it */
    Shape shape;
    size_t size; /* number of elements: the product of the dimensions */
    real *data;
    real *grad;  /* dLoss/dTensor, same shape; NULL where none is wanted, or not yet on TAPE */
    /* the tape's own marks */
    struct Tape *tape; /* an operation's result whose gradient is wanted: gets grad when backward reaches it */
    int reached;       /* backward has put something into grad */
    int passing;       /* tape_passing */
} Tensor;

/* A tensor in ARENA, its numbers not set, without gradient, made at WHERE.  NAME
 * is not copied.  Misuse (a rank above 4, a negative dimension, more than
 * 2147483647 numbers) dies. */
Tensor *tensor_new(Arena *arena, const char *name, Shape shape, Where where);

/* Gives TENSOR a gradient, zeroed.  */
void tensor_want_gradient(Arena *arena, Tensor *tensor);

/* Gives TENSOR another name, which is not copied; returns TENSOR:
 *     scores = tensor_named("scores", op_matmul(...)) */
Tensor *tensor_named(const char *name, Tensor *tensor);

/* Product of the dimensions; the last dimension (1 for a scalar), and the
 * product of all the others: a tensor seen as a matrix of rows. */
size_t shape_size(Shape shape);
int tensor_columns(const Tensor *tensor);
int tensor_rows(const Tensor *tensor);

int shapes_equal(Shape a, Shape b);

/* "[32, 20, 64]" written into TEXT, which is also the result. */
enum { SHAPE_TEXT = 64 };
const char *shape_text(Shape shape, char text[SHAPE_TEXT]);

#endif
