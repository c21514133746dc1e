/* ops_matrix.c: matrix products, one or a batch, with b as it is or transposed. */
#include "ops.h"

#include "kernels.h"

/* y = a b for BATCH pairs of matrices a [m, k] and b [k, n], or b [n, k] if it
 * is to be read transposed. */
typedef struct {
    int batch, m, n, k;
    bool transposed;
} Product;

static Strided b_matrix(const Product *p, const real *b)
{
    return p->transposed ? strided_transposed(b, p->k) : strided(b, p->n);
}

static void product_forward(const Product *p, const real *a, const real *b, real *y, int threads)
{
    for (int i = 0; i < p->batch; i++) {
        const real *a_i = a + (size_t)i * p->m * p->k, *b_i = b + (size_t)i * p->k * p->n;
        kernel_matmul(p->m, p->n, p->k, strided(a_i, p->k), b_matrix(p, b_i), y + (size_t)i * p->m * p->n, p->n, false,
                      threads);
    }
}

/* y = a b:    a' += y' b^T    b' += a^T y'
 * y = a b^T:  a' += y' b      b' += y'^T a */
static void product_backward(Node *node)
{
    const Product *p = node->saved;
    Tensor *a = node->input[0], *b = node->input[1];
    const real *dy = node->output->grad;
    size_t a_size = (size_t)p->m * p->k, b_size = (size_t)p->k * p->n, y_size = (size_t)p->m * p->n;
    int threads = tape_threads(node->tape);
    Part da = gradient_part(a);
    for (int i = 0; da.at && i < p->batch; i++) {
        const real *b_i = b->data + i * b_size;
        Strided b_turned = p->transposed ? strided(b_i, p->k) : strided_transposed(b_i, p->n);
        kernel_matmul(p->m, p->k, p->n, strided(dy + i * y_size, p->n), b_turned, da.at + i * a_size, p->k, da.add,
                      threads);
    }
    Part db = gradient_part(b);
    for (int i = 0; db.at && i < p->batch; i++) {
        const real *a_i = a->data + i * a_size, *dy_i = dy + i * y_size;
        if (p->transposed)
            kernel_matmul(p->n, p->k, p->m, strided_transposed(dy_i, p->n), strided(a_i, p->k), db.at + i * b_size,
                          p->k, db.add, threads);
        else
            kernel_matmul(p->k, p->n, p->m, strided_transposed(a_i, p->k), strided(dy_i, p->n), db.at + i * b_size,
                          p->n, db.add, threads);
    }
}

static _Noreturn void die_shapes(Tape *tape, const char *operation, const Tensor *a, const Tensor *b, const char *rule)
{
    char a_text[SHAPE_TEXT], b_text[SHAPE_TEXT];
    die_misuse(tape_where(tape), "%s: '%s' %s and '%s' %s do not fit: %s", operation, a->name,
               shape_text(a->shape, a_text), b->name, shape_text(b->shape, b_text), rule);
}

static Tensor *multiply(Tape *tape, const char *operation, Product product, Tensor *a, Tensor *b)
{
    Shape shape = a->shape;
    shape.dim[shape.rank - 1] = product.n;
    Tensor *y = tape_output(tape, operation, shape);
    Node *node = tape_add(tape, operation, product_backward, y, (Tensor *[]){a, b}, 2);
    if (node) {
        Product *saved = node->saved = arena_get(tape_arena(tape), sizeof product);
        *saved = product;
    }
    product_forward(&product, a->data, b->data, y->data, tape_threads(tape));
    return y;
}

/* b is one matrix for all rows of a. */
static Tensor *multiply_rows(Tape *tape, const char *operation, bool transposed, Tensor *a, Tensor *b)
{
    if (a->shape.rank < 1 || b->shape.rank != 2 || tensor_columns(a) != b->shape.dim[transposed ? 1 : 0])
        die_shapes(tape, operation, a, b,
                   transposed ? "[..., m, k] times the transpose of [n, k] needs equal k"
                              : "[..., m, k] times [k, n] needs equal k");
    Product product = {1, tensor_rows(a), b->shape.dim[transposed ? 0 : 1], tensor_columns(a), transposed};
    return multiply(tape, operation, product, a, b);
}

Tensor *(op_matmul)(Tape *tape, Tensor *a, Tensor *b)
{
    return multiply_rows(tape, "op_matmul", false, a, b);
}

Tensor *(op_matmul_transposed)(Tape *tape, Tensor *a, Tensor *b)
{
    return multiply_rows(tape, "op_matmul_transposed", true, a, b);
}

/* Matrix i of a with matrix i of b. */
static Tensor *multiply_pairs(Tape *tape, const char *operation, bool transposed, Tensor *a, Tensor *b)
{
    int rank = a->shape.rank, batch = 1;
    bool fits =
        rank >= 2 && rank == b->shape.rank && a->shape.dim[rank - 1] == b->shape.dim[transposed ? rank - 1 : rank - 2];
    for (int i = 0; fits && i < rank - 2; i++) {
        fits = a->shape.dim[i] == b->shape.dim[i];
        batch *= a->shape.dim[i];
    }
    if (!fits)
        die_shapes(tape, operation, a, b,
                   transposed ? "[batch, m, k] and [batch, n, k] need equal batch and k"
                              : "[batch, m, k] and [batch, k, n] need equal batch and k");
    Product product = {batch, a->shape.dim[rank - 2], b->shape.dim[transposed ? rank - 2 : rank - 1],
                       a->shape.dim[rank - 1], transposed};
    return multiply(tape, operation, product, a, b);
}

Tensor *(op_batched_matmul)(Tape *tape, Tensor *a, Tensor *b)
{
    return multiply_pairs(tape, "op_batched_matmul", false, a, b);
}

Tensor *(op_batched_matmul_transposed)(Tape *tape, Tensor *a, Tensor *b)
{
    return multiply_pairs(tape, "op_batched_matmul_transposed", true, a, b);
}
