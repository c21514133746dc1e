/* optim.c: the updates are PyTorch's, step after step; clipping and schedules
 * are the papers'. */
#define _GNU_SOURCE
#include "optim.h"

#include <math.h>

#include "dies.h"
#include "fixture.h"

enum { STEPS = 6, TENSORS = 2 };

static const char *numbered(char text[64], const char *format, int step, int i)
{
    snprintf(text, 64, format, step, i);
    return text;
}

/* The parameters NAME.PART0 and NAME.PART1. */
static Parameters *starting_from(const Fixtures *f, const char *name, const char *part)
{
    Parameters *parameters = parameters_new();
    char text[64];
    for (int i = 0; i < TENSORS; i++) {
        snprintf(text, sizeof text, ".%s%d", part, i);
        const Fixture *start = fixture_get(f, name, text);
        fixture_copy(start, parameter_zeros(parameters, start->name, start->shape)->data);
    }
    return parameters;
}

static void compare_steps(const Fixtures *f, const char *name, Parameters *parameters, Optimiser *optimiser)
{
    char text[64];
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < TENSORS; i++)
            fixture_copy(fixture_get(f, name, numbered(text, ".step%d.g%d", step, i)), parameters->tensor[i]->grad);
        optimiser_step(optimiser);
        for (int i = 0; i < TENSORS; i++) {
            const Tensor *w = parameters->tensor[i];
            fixture_compare(f, name, numbered(text, ".step%d.w%d", step, i), w->shape, w->data);
            for (size_t j = 0; j < w->size; j++)
                ck_assert_msg(w->grad[j] == 0, "the gradient is not cleared");
        }
    }
    optimiser_free(optimiser);
    parameters_free(parameters);
}

START_TEST(sgd_equals_pytorch)
{
    Fixtures *f = fixtures_read("optim.txt");
    Parameters *parameters = starting_from(f, "sgd", "w");
    compare_steps(f, "sgd", parameters, sgd_new(parameters, (Sgd){.rate = 0.1}));
    parameters = starting_from(f, "momentum", "w");
    compare_steps(f, "momentum", parameters, sgd_new(parameters, (Sgd){.rate = 0.05, .momentum = 0.9}));
    fixtures_free(f);
}
END_TEST

START_TEST(adam_equals_pytorch)
{
    Fixtures *f = fixtures_read("optim.txt");
    Parameters *parameters = starting_from(f, "adam", "w");
    compare_steps(f, "adam", parameters, adam_new(parameters, (Adam){.rate = 0.01}));
    parameters = starting_from(f, "adam_betas", "w");
    Adam settings = {.rate = 0.02, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-3};
    compare_steps(f, "adam_betas", parameters, adam_new(parameters, settings));
    parameters = starting_from(f, "adamw", "w");
    compare_steps(f, "adamw", parameters, adam_new(parameters, (Adam){.rate = 0.01, .decay = 0.1}));
    fixtures_free(f);
}
END_TEST

START_TEST(clipping_equals_pytorch)
{
    Fixtures *f = fixtures_read("optim.txt");
    const char *names[] = {"clip", "clip_unneeded"};
    for (int n = 0; n < 2; n++) {
        Parameters *parameters = starting_from(f, names[n], "g");
        char text[64];
        for (int i = 0; i < TENSORS; i++)
            memcpy(parameters->tensor[i]->grad, parameters->tensor[i]->data,
                   parameters->tensor[i]->size * sizeof(real));
        double norm = clip_by_norm(parameters, fixture_get(f, names[n], ".most")->value[0]);
        ck_assert_double_eq_tol(norm, fixture_get(f, names[n], ".norm")->value[0], 1e-6);
        for (int i = 0; i < TENSORS; i++) {
            snprintf(text, sizeof text, ".clipped%d", i);
            fixture_compare(f, names[n], text, parameters->tensor[i]->shape, parameters->tensor[i]->grad);
        }
        parameters_free(parameters);
    }
    fixtures_free(f);
}
END_TEST

/* Gradients that explode or vanish beyond what a float's square holds. */
START_TEST(norms_beyond_the_range_of_squares)
{
    Parameters *parameters = parameters_new();
    Tensor *w = parameter_zeros(parameters, "w", SHAPE(2));
    w->grad[0] = (real)3e25;
    w->grad[1] = (real)4e25;
    ck_assert_double_eq_tol(gradient_norm(parameters) / 5e25, 1, 1e-6);
    clip_by_norm(parameters, 1);
    ck_assert_double_eq_tol((double)w->grad[0], 0.6, 1e-6);
    w->grad[0] = (real)3e-25;
    w->grad[1] = (real)4e-25;
    ck_assert_double_eq_tol(gradient_norm(parameters) / 5e-25, 1, 1e-6);
    ck_assert(w->grad[0] == (real)3e-25);
    parameters_free(parameters);
}
END_TEST

START_TEST(schedules)
{
    Fixtures *f = fixtures_read("optim.txt");
    const Fixture *cosine = fixture_get(f, "cosine", ""), *root = fixture_get(f, "inverse_root", "");
    for (int step = 0; step <= 20; step++)
        ck_assert_double_eq_tol(schedule_cosine(step, 0, 20, 0.1), cosine->value[step], 1e-12);
    for (int step = 0; step < 40; step++)
        ck_assert_double_eq_tol(schedule_inverse_root(step, 8), root->value[step], 1e-12);
    ck_assert_double_eq_tol(schedule_cosine(0, 10, 30, 0.1), 0.1, 1e-12); /* warming up */
    ck_assert_double_eq_tol(schedule_cosine(9, 10, 30, 0.1), 1, 1e-12);
    for (int step = 0; step <= 20; step++) /* and then the same curve */
        ck_assert_double_eq_tol(schedule_cosine(10 + step, 10, 30, 0.1), cosine->value[step], 1e-12);
    ck_assert_double_eq_tol(schedule_cosine(1000, 10, 30, 0.1), 0.1, 1e-12);
    ck_assert(isfinite(schedule_cosine(0, 0, 0, 0.1)) && schedule_inverse_root(0, 0) == 1);
    fixtures_free(f);
}
END_TEST

START_TEST(the_rate_can_be_set)
{
    Parameters *parameters = parameters_new();
    Tensor *w = parameter_zeros(parameters, "w", SCALAR);
    Optimiser *sgd = sgd_new(parameters, (Sgd){.rate = 1}), *adam = adam_new(parameters, (Adam){.rate = 1});
    optimiser_set_rate(sgd, 0.25);
    w->grad[0] = 2;
    optimiser_step(sgd);
    ck_assert(w->data[0] == (real)-0.5);
    optimiser_set_rate(adam, 0.5); /* Adam's first step is the rate, whatever the gradient */
    w->grad[0] = 2;
    optimiser_step(adam);
    ck_assert_double_eq_tol((double)w->data[0], -1, 1e-6);
    optimiser_free(sgd);
    optimiser_free(adam);
    optimiser_free(NULL);
    parameters_free(parameters);
}
END_TEST

START_TEST(a_parameter_the_optimiser_does_not_know)
{
    Parameters *parameters = parameters_new();
    parameter_zeros(parameters, "w", SCALAR);
    Optimiser *sgd = sgd_new(parameters, (Sgd){.rate = 1});
    parameter_zeros(parameters, "late", SCALAR);
    ASSERT_SAYS(DIES(1, (optimiser_step(sgd), 0)), "parameter 'late' was made after the optimiser");
    parameters_free(parameters);
    optimiser_free(sgd); /* also after its parameters are gone */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("optim");
    test_add(suite, "sgd_equals_pytorch", sgd_equals_pytorch);
    test_add(suite, "adam_equals_pytorch", adam_equals_pytorch);
    test_add(suite, "clipping_equals_pytorch", clipping_equals_pytorch);
    test_add(suite, "norms_beyond_the_range_of_squares", norms_beyond_the_range_of_squares);
    test_add(suite, "schedules", schedules);
    test_add(suite, "the_rate_can_be_set", the_rate_can_be_set);
    test_add(suite, "a_parameter_the_optimiser_does_not_know", a_parameter_the_optimiser_does_not_know);
    return test_run(suite);
}
