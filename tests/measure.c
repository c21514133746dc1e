/* Tests of measure.c and clock.c. */
#include "measure.h"

#include <math.h>
#include <time.h>

#include "clock.h"
#include "test.h"

START_TEST(argmax_is_the_first_of_the_largest)
{
    const real x[] = {-3, 2, 5, 5, -7};
    ck_assert_int_eq(argmax(x, 5), 2);
    ck_assert_int_eq(argmax(x, 2), 1);
    ck_assert_int_eq(argmax(x, 1), 0);
    ck_assert_int_eq(argmax(x + 4, 1), 0);
}
END_TEST

START_TEST(largest_difference_has_no_sign)
{
    const real a[] = {1, 2, 3}, b[] = {(real)1.5, -2, 4};
    ck_assert_double_eq(largest_difference(a, b, 3), 4);
    ck_assert_double_eq(largest_difference(b, a, 3), 4);
    ck_assert_double_eq(largest_difference(a, b, 1), 0.5);
    ck_assert_double_eq(largest_difference(a, b, 0), 0);
}
END_TEST

/* A comparison that overlooks a NaN would call a broken gradient equal. */
START_TEST(a_nan_differs_from_everything)
{
    const real a[] = {1, (real)NAN, 3}, b[] = {1, 2, 9};
    ck_assert(isnan(largest_difference(a, b, 3)));
    ck_assert(isnan(largest_difference(b, a, 3)));
    ck_assert(isnan(largest_difference(a, a, 2)));
}
END_TEST

/* The thread's clock counts work, not waiting. */
START_TEST(clocks_go_forward)
{
    double wall = clock_seconds(), thread = clock_thread_seconds();
    volatile double sum = 0;
    while (clock_thread_seconds() - thread < 0.01)
        sum = sum + 1;
    ck_assert_double_ge(clock_seconds() - wall, 0.0099);
    wall = clock_seconds(), thread = clock_thread_seconds();
    struct timespec pause = {.tv_nsec = 50000000};
    nanosleep(&pause, NULL);
    ck_assert_double_ge(clock_seconds() - wall, 0.049);
    ck_assert_double_lt(clock_thread_seconds() - thread, 0.025);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("measures and clocks");
    test_add(suite, "argmax_is_the_first_of_the_largest", argmax_is_the_first_of_the_largest);
    test_add(suite, "largest_difference_has_no_sign", largest_difference_has_no_sign);
    test_add(suite, "a_nan_differs_from_everything", a_nan_differs_from_everything);
    test_add(suite, "clocks_go_forward", clocks_go_forward);
    return test_run(suite);
}
