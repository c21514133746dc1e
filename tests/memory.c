/* memory.c: memory that is zeroed and aligned, or a message that names it. */
#define _GNU_SOURCE
#include "memory.h"

#include <stdint.h>

#include "dies.h"

START_TEST(new_memory_is_zero_and_aligned)
{
    for (size_t n = 0; n < 300; n += 7) {
        unsigned char *bytes = memory_new(n, 3, "a test");
        ck_assert_uint_eq((uintptr_t)bytes % 64, 0);
        for (size_t i = 0; i < 3 * n; i++)
            ck_assert_uint_eq(bytes[i], 0);
        free(bytes);
    }
}
END_TEST

START_TEST(resizing_keeps_the_contents)
{
    int *numbers = NULL;
    for (int n = 1; n <= 1000; n++) {
        numbers = memory_resize(numbers, (size_t)n, sizeof *numbers, "a test");
        numbers[n - 1] = n;
    }
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(numbers[i], i + 1);
    numbers = memory_resize(numbers, 0, sizeof *numbers, "a test");
    ck_assert_ptr_nonnull(numbers);
    free(numbers);
}
END_TEST

START_TEST(text_is_copied)
{
    char text[] = "은행";
    char *copy = memory_copy_text(text);
    text[0] = 'x';
    ck_assert_str_eq(copy, "은행");
    free(copy);
}
END_TEST

START_TEST(what_cannot_be_had_is_named)
{
    ASSERT_SAYS(DIES(1, memory_new(SIZE_MAX / 2, 3, "the vocabulary")), "the vocabulary would need");
    ASSERT_SAYS(DIES(1, memory_new(SIZE_MAX, 1, "the vocabulary")), "the vocabulary would need");
    ASSERT_SAYS(DIES(1, memory_resize(NULL, SIZE_MAX / 2, 3, "the lines")), "the lines would need");
    if (SANITIZED)
        return; /* its malloc ends the program by itself */
    ASSERT_SAYS(DIES(1, memory_new(SIZE_MAX / 4, 1, "the vocabulary")), "out of memory: the vocabulary needs");
    ASSERT_SAYS(DIES(1, memory_resize(NULL, SIZE_MAX / 4, 1, "the lines")), "out of memory: the lines needs");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory");
    test_add(suite, "new_memory_is_zero_and_aligned", new_memory_is_zero_and_aligned);
    test_add(suite, "resizing_keeps_the_contents", resizing_keeps_the_contents);
    test_add(suite, "text_is_copied", text_is_copied);
    test_add(suite, "what_cannot_be_had_is_named", what_cannot_be_had_is_named);
    return test_run(suite);
}
