/* tensor.c: shapes and storage. */
#include "tensor.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

size_t shape_size(Shape shape)
{
    size_t size = 1;
    for (int i = 0; i < shape.rank; i++)
        size *= (size_t)shape.dim[i];
    return size;
}

int shapes_equal(Shape a, Shape b)
{
    return a.rank == b.rank && memcmp(a.dim, b.dim, a.rank * sizeof(int)) == 0;
}

const char *shape_text(Shape shape, char text[SHAPE_TEXT])
{
    int at = snprintf(text, SHAPE_TEXT, "[");
    for (int i = 0; i < shape.rank && i < MOST_DIMENSIONS; i++)
        at += snprintf(text + at, SHAPE_TEXT - at, i ? ", %d" : "%d", shape.dim[i]);
    snprintf(text + at, SHAPE_TEXT - at, "]");
    return text;
}

static void check_shape(const char *name, Shape shape, Where where)
{
    char text[SHAPE_TEXT];
    if (shape.rank < 0 || shape.rank > MOST_DIMENSIONS)
        die_misuse(where, "tensor '%s' has %d dimensions; there can be at most %d", name, shape.rank, MOST_DIMENSIONS);
    int size = 1, too_large = 0; /* the kernels count in ints */
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dim[i] < 0)
            die_misuse(where, "tensor '%s': the shape %s has a negative dimension", name, shape_text(shape, text));
        too_large |= __builtin_mul_overflow(size, shape.dim[i], &size);
    }
    if (too_large)
        die_misuse(where, "tensor '%s' %s is too large: there can be at most %d numbers", name, shape_text(shape, text),
                   INT_MAX);
}

Tensor *tensor_new(Arena *arena, const char *name, Shape shape, Where where)
{
    check_shape(name, shape, where);
    Tensor *tensor = arena_get(arena, sizeof *tensor);
    *tensor = (Tensor){.name = name, .where = where, .shape = shape, .size = shape_size(shape)};
    tensor->data = arena_get(arena, tensor->size * sizeof(real));
    return tensor;
}

void tensor_want_gradient(Arena *arena, Tensor *tensor)
{
    tensor->grad = arena_get(arena, tensor->size * sizeof(real));
    memset(tensor->grad, 0, tensor->size * sizeof(real));
}

Tensor *tensor_named(const char *name, Tensor *tensor)
{
    tensor->name = name;
    return tensor;
}

int tensor_columns(const Tensor *tensor)
{
    return tensor->shape.rank ? tensor->shape.dim[tensor->shape.rank - 1] : 1;
}

int tensor_rows(const Tensor *tensor)
{
    int rows = 1;
    for (int i = 0; i < tensor->shape.rank - 1; i++)
        rows *= tensor->shape.dim[i];
    return rows;
}
