/* arena.c: memory that is aligned, does not overlap, and is used again. */
#define _GNU_SOURCE
#include "arena.h"

#include <stdint.h>

#include "dies.h"

START_TEST(memory_is_aligned_and_apart)
{
    enum { PIECES = 2000 };
    Arena *arena = arena_new();
    unsigned char *piece[PIECES];
    size_t size[PIECES], total = 0, wrong = 0;
    for (int i = 0; i < PIECES; i++) {
        size[i] = (size_t)(i * 37 % 1501);
        piece[i] = arena_get(arena, size[i]);
        ck_assert_uint_eq((uintptr_t)piece[i] % 64, 0);
        memset(piece[i], i % 251, size[i]);
        total += size[i];
    }
    for (int i = 0; i < PIECES; i++)
        for (size_t j = 0; j < size[i]; j++)
            wrong += piece[i][j] != i % 251;
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_ge(arena_used(arena), total);
    ck_assert_uint_le(arena_used(arena), total + 64 * PIECES);
    arena_free(arena);
}
END_TEST

START_TEST(after_a_rewind_the_same_memory_comes_again)
{
    const size_t sizes[] = {100, 70000, 64, 1 << 20, 0, 5000000, 3};
    enum { N = sizeof sizes / sizeof *sizes };
    Arena *arena = arena_new();
    void *first[N];
    for (int i = 0; i < N; i++)
        first[i] = arena_get(arena, sizes[i]);
    int blocks = arena_blocks(arena);
    ck_assert_int_gt(blocks, 1);
    for (int round = 0; round < 10; round++) {
        arena_rewind(arena);
        ck_assert_uint_eq(arena_used(arena), 0);
        for (int i = 0; i < N; i++)
            ck_assert_ptr_eq(arena_get(arena, sizes[i]), first[i]);
    }
    ck_assert_int_eq(arena_blocks(arena), blocks);
    arena_free(arena);
}
END_TEST

START_TEST(what_came_after_a_mark_comes_again)
{
    Arena *arena = arena_new();
    unsigned char *kept = arena_get(arena, 1000);
    memset(kept, 7, 1000);
    ArenaMark mark = arena_mark(arena);
    size_t used = arena_used(arena);
    void *small = arena_get(arena, 100), *large = arena_get(arena, 5000000);
    for (int round = 0; round < 3; round++) {
        arena_release(arena, mark);
        ck_assert_uint_eq(arena_used(arena), used);
        ck_assert_ptr_eq(arena_get(arena, 100), small);
        ck_assert_ptr_eq(arena_get(arena, 5000000), large);
    }
    for (int i = 0; i < 1000; i++)
        ck_assert(kept[i] == 7);
    arena_free(arena);
}
END_TEST

/* Blocks double, so that a gigabyte in small pieces is a handful of them. */
START_TEST(there_are_few_blocks)
{
    Arena *arena = arena_new();
    for (int i = 0; i < 100000; i++)
        arena_get(arena, 640);
    ck_assert_int_le(arena_blocks(arena), 12);
    arena_free(arena);
    arena_free(NULL);
}
END_TEST

#ifdef DEBUG
START_TEST(a_debug_build_spoils_what_was_taken_back)
{
    Arena *arena = arena_new();
    unsigned char *bytes = arena_get(arena, 100);
    memset(bytes, 7, 100);
    arena_rewind(arena);
    for (int i = 0; i < 100; i++)
        ck_assert_uint_eq(bytes[i], 0xff);
    arena_free(arena);
}
END_TEST
#endif

/* Rounding up to the alignment must not wrap around to a small number. */
START_TEST(more_than_there_is)
{
    Arena *arena = arena_new();
    ASSERT_SAYS(DIES(1, arena_get(arena, SIZE_MAX)), "the tensors of a training step");
    if (!SANITIZED) /* its malloc ends the program by itself */
        ASSERT_SAYS(DIES(1, arena_get(arena, SIZE_MAX / 2)), "the tensors of a training step");
    arena_free(arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arena");
    test_add(suite, "memory_is_aligned_and_apart", memory_is_aligned_and_apart);
    test_add(suite, "after_a_rewind_the_same_memory_comes_again", after_a_rewind_the_same_memory_comes_again);
    test_add(suite, "what_came_after_a_mark_comes_again", what_came_after_a_mark_comes_again);
    test_add(suite, "there_are_few_blocks", there_are_few_blocks);
#ifdef DEBUG
    test_add(suite, "a_debug_build_spoils_what_was_taken_back", a_debug_build_spoils_what_was_taken_back);
#endif
    test_add(suite, "more_than_there_is", more_than_there_is);
    return test_run(suite);
}
