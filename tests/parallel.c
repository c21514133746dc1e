/* parallel.c: every turn of the loop is done once, whatever the number of threads. */
#include "parallel.h"

#include <stdatomic.h>

#include "test.h"

enum { N = 1000 };

typedef struct {
    atomic_int count[N];
    atomic_int others; /* turns of inner loops */
} Turns;

static void turn(int index, void *context)
{
    Turns *turns = context;
    atomic_fetch_add(&turns->count[index], 1);
}

START_TEST(every_turn_once)
{
    const int threads[] = {-1, 0, 1, 2, 3, 7, 64, 1000}, sizes[] = {-1, 0, 1, 2, 5, N};
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            Turns turns = {0};
            parallel_for(threads[t], sizes[s], turn, &turns);
            for (int i = 0; i < N; i++)
                ck_assert_int_eq(turns.count[i], i < sizes[s]);
        }
}
END_TEST

static void inner(int index, void *context)
{
    (void)index;
    atomic_fetch_add(&((Turns *)context)->others, 1);
}

static void outer(int index, void *context)
{
    turn(index, context);
    parallel_for(4, 10, inner, context);
}

START_TEST(a_loop_in_a_loop)
{
    Turns turns = {0};
    parallel_for(3, 20, outer, &turns);
    ck_assert_int_eq(turns.others, 200);
    parallel_for(3, 20, outer, &turns); /* and the next one is parallel again */
    ck_assert_int_eq(turns.others, 400);
}
END_TEST

START_TEST(there_is_a_processor)
{
    ck_assert_int_ge(parallel_processors(), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parallel");
    test_add(suite, "every_turn_once", every_turn_once);
    test_add(suite, "a_loop_in_a_loop", a_loop_in_a_loop);
    test_add(suite, "there_is_a_processor", there_is_a_processor);
    return test_run(suite);
}
