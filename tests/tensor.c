/* tensor.c: shapes, storage, and shapes that cannot be. */
#define _GNU_SOURCE
#include "tensor.h"

#include <stdint.h>

#include "dies.h"

START_TEST(shapes)
{
    char text[SHAPE_TEXT];
    ck_assert_str_eq(shape_text(SHAPE(32, 20, 64), text), "[32, 20, 64]");
    ck_assert_str_eq(shape_text(SCALAR, text), "[]");
    ck_assert_str_eq(shape_text(SHAPE(2147483647, 2147483647, 2147483647, 2147483647), text),
                     "[2147483647, 2147483647, 2147483647, 2147483647]");
    ck_assert_uint_eq(shape_size(SHAPE(2, 3, 4)), 24);
    ck_assert_uint_eq(shape_size(SCALAR), 1);
    ck_assert_uint_eq(shape_size(SHAPE(5, 0)), 0);
    ck_assert(shapes_equal(SHAPE(2, 3), SHAPE(2, 3)));
    ck_assert(!shapes_equal(SHAPE(2, 3), SHAPE(3, 2)));
    ck_assert(!shapes_equal(SHAPE(2, 3), SHAPE(2, 3, 1)));
    ck_assert(shapes_equal(SCALAR, SCALAR));
}
END_TEST

START_TEST(a_tensor_seen_as_rows)
{
    Arena *arena = arena_new();
    Tensor *cube = tensor_new(arena, "cube", SHAPE(2, 3, 4), HERE), *one = tensor_new(arena, "one", SCALAR, HERE);
    ck_assert_int_eq(tensor_rows(cube), 6);
    ck_assert_int_eq(tensor_columns(cube), 4);
    ck_assert_int_eq(tensor_rows(one), 1);
    ck_assert_int_eq(tensor_columns(one), 1);
    ck_assert_uint_eq(cube->size, 24);
    ck_assert_uint_eq((uintptr_t)cube->data % 64, 0);
    ck_assert_ptr_null(cube->grad);
    arena_free(arena);
}
END_TEST

START_TEST(gradient_name_and_line)
{
    Arena *arena = arena_new();
    Tensor *x = tensor_new(arena, "x", SHAPE(100), HERE);
    ck_assert_int_eq(x->where.line, __LINE__ - 1);
    tensor_want_gradient(arena, x);
    for (int i = 0; i < 100; i++)
        ck_assert(x->grad[i] == 0);
    ck_assert_ptr_eq(tensor_named("scores", x), x);
    ck_assert_str_eq(x->name, "scores");
    arena_free(arena);
}
END_TEST

START_TEST(misuse)
{
    Arena *arena = arena_new();
    const char *said = DIES(1, tensor_new(arena, "w", SHAPE(2, -3), HERE));
    ASSERT_SAYS(said, "tensor 'w': the shape [2, -3] has a negative dimension");
    ASSERT_SAYS_LINE(said, __LINE__ - 2);
    said = DIES(1, tensor_new(arena, "w", ((Shape){5, {1, 1, 1, 1}}), HERE));
    ASSERT_SAYS(said, "tensor 'w' has 5 dimensions; there can be at most 4");
    said = DIES(1, tensor_new(arena, "w", ((Shape){-1, {1}}), HERE));
    ASSERT_SAYS(said, "tensor 'w' has -1 dimensions");
    /* 2^64 numbers: their count in 64 bits is 0. */
    said = DIES(1, tensor_new(arena, "w", SHAPE(65536, 65536, 65536, 65536), HERE));
    ASSERT_SAYS(said, "tensor 'w' [65536, 65536, 65536, 65536] is too large");
    said = DIES(1, tensor_new(arena, "w", SHAPE(65536, 32768), HERE));
    ASSERT_SAYS(said, "there can be at most 2147483647 numbers");
    arena_free(arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tensor");
    test_add(suite, "shapes", shapes);
    test_add(suite, "a_tensor_seen_as_rows", a_tensor_seen_as_rows);
    test_add(suite, "gradient_name_and_line", gradient_name_and_line);
    test_add(suite, "misuse", misuse);
    return test_run(suite);
}
