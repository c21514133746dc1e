/* ops_rotary.c: positions as rotations (Su 2021). */
#include "ops.h"

#include "maths.h"

typedef struct {
    const Tensor *turns;
    int rows, places, heads; /* rows of x; of the table; heads of turns' width in a row of x */
} Rotary;

/* (a, b) -> (a cos - b sin, b cos + a sin), or back with SIGN -1.  The sines' signs are in a table:
 * from a - and a + side by side gcc 12 makes fused multiply-adds that nobody asked for. */
static void turn(const Rotary *r, Arena *arena, real sign, const real *x, real *y, bool add)
{
    int width = tensor_columns(r->turns);
    size_t all = r->turns->size;
    real *cosine = arena_get(arena, all * sizeof *cosine), *sine = arena_get(arena, all * sizeof *sine);
    for (size_t i = 0; i < all; i += 2) {
        cosine[i] = cosine[i + 1] = r->turns->data[i + 1];
        sine[i + 1] = sign * r->turns->data[i];
        sine[i] = -sine[i + 1];
    }
    for (int row = 0; row < r->rows; row++) {
        const real *c = cosine + (size_t)(row % r->places) * width, *s = sine + (size_t)(row % r->places) * width;
        for (int head = 0; head < r->heads; head++, x += width, y += width)
            for (int i = 0; i < width; i += 2) {
                real first = x[i] * c[i] + x[i + 1] * s[i], second = x[i + 1] * c[i + 1] + x[i] * s[i + 1];
                y[i] = add ? y[i] + first : first;
                y[i + 1] = add ? y[i + 1] + second : second;
            }
    }
}

static void rotary_backward(Node *node)
{
    Part dx = gradient_part(node->input[0]);
    turn(node->saved, tape_arena(node->tape), -1, node->output->grad, dx.at, dx.add);
}

Tensor *(op_rotary)(Tape *tape, Tensor *x, const Tensor *turns, int heads)
{
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    int rank = x->shape.rank;
    if (rank < 2 || heads < 1 || turns->shape.rank != 2 || turns->shape.dim[0] != x->shape.dim[rank - 2] ||
        tensor_columns(turns) % 2 || tensor_columns(turns) * heads != tensor_columns(x))
        die_misuse(tape_where(tape),
                   "op_rotary: '%s' %s of %d heads and '%s' %s must be [..., T, d] and [T, d / heads], an even width",
                   x->name, shape_text(x->shape, a), heads, turns->name, shape_text(turns->shape, b));
    Tensor *y = tape_output(tape, "op_rotary", x->shape);
    Rotary *r = arena_get(tape_arena(tape), sizeof *r);
    *r = (Rotary){turns, tensor_rows(x), turns->shape.dim[0], heads};
    Node *node = tape_add(tape, "op_rotary", rotary_backward, y, &x, 1);
    if (node)
        node->saved = r;
    turn(r, tape_arena(tape), 1, x->data, y->data, false);
    return y;
}
