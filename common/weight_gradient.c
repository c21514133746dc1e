/* weight_gradient.c: products of two matrices of rows, the wide ones transposed. */
#include "weight_gradient.h"

#include "kernels.h"

WeightGradient weight_gradient(Tensor *weight, int rows, Arena *arena)
{
    enum { WIDE = 256, WORTH_TURNING = 256 }; /* columns from which on it is faster, and rows */
    Part part = gradient_part(weight);
    WeightGradient g = {.k = weight->shape.dim[0], .n = weight->shape.dim[1], .at = part.at, .add = part.add};
    if (g.at && g.n > g.k && g.n > WIDE && rows >= WORTH_TURNING)
        g.turned = arena_get(arena, weight->size * sizeof(real));
    if (g.turned && g.add)
        kernel_transpose(g.k, g.n, g.at, g.n, g.turned, g.k);
    return g;
}

void weight_gradient_add(WeightGradient *g, int rows, const real *x, const real *dy, int threads)
{
    Strided x_rows = strided(x, g->k), dy_rows = strided(dy, g->n);
    if (g->turned)
        kernel_matmul(g->n, g->k, rows, strided_transposed(dy, g->n), x_rows, g->turned, g->k, g->add, threads);
    else if (g->at)
        kernel_matmul(g->k, g->n, rows, strided_transposed(x, g->k), dy_rows, g->at, g->n, g->add, threads);
    g->add = true;
}

void weight_gradient_end(const WeightGradient *g)
{
    if (g->turned)
        kernel_transpose(g->n, g->k, g->turned, g->k, g->at, g->n);
}
