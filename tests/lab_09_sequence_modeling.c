/* Tests of lab 09: its claims over seeds that were not looked at while it was
 * written, its reference trace with any number of threads, its figures, a
 * student's own series, bad input; the waves; and one trained step of each
 * network against PyTorch. */
#define _GNU_SOURCE
#define STEM "09_sequence_modeling"
int lab_under_test(int argc, char **argv);
#define main lab_under_test
#include "../labs/09_sequence_modeling/main.c"
#undef main

#define LLVMFuzzerTestOneInput fuzz_series
#include "fuzz/series.c"

#include "dies.h"
#include "fixture.h"
#include "fuzz/replay.h"
#include "lab_runs.h"
#include "maths.h"
#include <sys/resource.h>

/* ---- the lab as a whole ------------------------------------------------------ */

START_TEST(claims_hold_over_seeds)
{
    static const char *const seeds[] = {"8101", "8102"};
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        char *claims = ledger_of(seeds[i]);
        check_verdict(claims, "small-rnn-wins-in-time", "corrects");
        check_verdict(claims, "not-monotone", "corrects");
        check_verdict(claims, "second-order-exact", "holds");
        check_verdict(claims, "positions-needed", "holds");
        check_verdict(claims, "rate-too-high", "holds");
        check_verdict(claims, "clipping-mends", "holds");
        free(claims);
    }
}
END_TEST

START_TEST(trace_ledger_and_figures)
{
    static const char *const figures[] = {
        "sample_sequences",   "training_curves",    "performance_comparison", "beyond",   "horizon",
        "attention_patterns", "multihead_analysis", "position_importance",    "ablation", "length_and_time",
        "failures",           "own_series"};
    check_files(figures, sizeof figures / sizeof *figures);
}
END_TEST

/* The steps train what they need, or find it trained: the claims are the same. */
START_TEST(steps_run_alone)
{
    check_steps_alone(11);
}
END_TEST

/* ---- the student's own --------------------------------------------------------- */

/* --series and a file that holds LENGTH bytes of TEXT. */
static const char *series_of(const char *text, size_t length)
{
    static char option[600];
    snprintf(option, sizeof option, "--series=%s/series.txt", folder);
    FILE *file = fopen(strchr(option, '=') + 1, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, length, file), length);
    ck_assert_int_eq(fclose(file), 0);
    return option;
}

/* N lines, value(t) each. */
static const char *series_from(int n, double (*value)(int t))
{
    char *text = malloc((size_t)n * 32), *at = text;
    for (int t = 0; t < n; t++)
        at += sprintf(at, "%.9g\n", value(t));
    const char *option = series_of(text, (size_t)(at - text));
    free(text);
    return option;
}

static double swing(int t)
{
    return 1000 + 50 * sin64(0.4 * t);
}

static double flat_then_one(int t)
{
    return t == 59;
}

static double far_apart(int t)
{
    return t % 2 ? 1e12 : -1e12;
}

START_TEST(own_series)
{
    static double (*const values[])(int) = {swing, flat_then_one, far_apart};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(run_lab("42", "--no-plots", "--step=own", series_from(60, values[i]), "--next=200"), 0);
        char *claims = written("claims.tsv"), *trace = written("trace.txt");
        check_verdict(claims, "own-series-learned", "skipped");
        ck_assert_ptr_nonnull(strstr(trace, "\n     200  "));
        ck_assert_ptr_null(strstr(trace, "nan"));
        free(claims);
        free(trace);
    }
}
END_TEST

START_TEST(own_series_with_windows_line_ends)
{
    char text[4096], *at = text;
    for (int t = 0; t < 80; t++)
        at += sprintf(at, " %.3f \r\n\r\n", swing(t));
    ck_assert_int_eq(run_lab("42", "--no-plots", "--step=own", series_of(text, (size_t)(at - text)), NULL), 0);
    char *trace = written("trace.txt");
    ck_assert_ptr_nonnull(strstr(trace, "Your series: 80 numbers"));
    free(trace);
}
END_TEST

static double constant(int t)
{
    (void)t;
    return 3;
}

START_TEST(bad_series)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "0 numbers; at least 60"},
        {"1\n2\n3\n", "3 numbers; at least 60"},
        {"1\n2\nthree\n", "line 3: a number was expected"},
        {"1\n2 3\n", "line 2: a number was expected"},
        {"1\n2;\n", "line 2: a number was expected"},
        {"1\nnan\n", "line 2: numbers up to"},
        {"inf\n", "line 1: numbers up to"},
        {"1e13\n", "line 1: numbers up to"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ASSERT_SAYS(DIES(1, run_lab("42", "--no-plots", series_of(bad[i].text, strlen(bad[i].text)), NULL, NULL)),
                    bad[i].says);
    ASSERT_SAYS(DIES(1, run_lab("42", "--no-plots", series_of("1\n2\0003\n", 6), NULL, NULL)),
                "line 2: a number was expected");
    ASSERT_SAYS(DIES(1, run_lab("42", "--no-plots", series_from(100, constant), NULL, NULL)),
                "all numbers are the same");
    ASSERT_SAYS(DIES(1, run_lab("42", "--no-plots", series_from(20001, swing), NULL, NULL)), "more than 20000");
    ASSERT_SAYS(DIES(1, run_lab("42", "--no-plots", "--series=/nowhere/at/all", NULL, NULL)), "cannot open");
    ASSERT_SAYS(DIES(1, run_lab("42", "--no-plots", "--series=/", NULL, NULL)), "is a folder");
    char option[600];
    snprintf(option, sizeof option, "--series=%s/pipe", folder);
    ck_assert_int_eq(mkfifo(strchr(option, '=') + 1, 0600), 0);
    ASSERT_SAYS(DIES(1, run_lab("42", "--no-plots", option, NULL, NULL)), "a device or a pipe");
}
END_TEST

/* A line that no memory holds: the numbers before it are not the whole series. */
static void read_with_little_memory(const char *path)
{
    int count;
    setrlimit(RLIMIT_AS, &(struct rlimit){300 << 20, 300 << 20});
    free(series_read(path, &count));
}

START_TEST(endless_line)
{
    const char *path = strchr(series_from(100, swing), '=') + 1;
    ck_assert_int_eq(truncate(path, 1 << 30), 0); /* no block of it is on the disk */
    ASSERT_SAYS(DIES(1, read_with_little_memory(path)), "cannot read");
}
END_TEST

/* What fuzzing found worth keeping. */
START_TEST(fuzzed)
{
    replay("tests/fuzz/series", fuzz_series, 5);
}
END_TEST

START_TEST(bad_options)
{
    static const char *const bad[][2] = {{"--next=0", "--next"},   {"--next=201", "--next"}, {"--next=x", "--next"},
                                         {"--series", "--series"}, {"--step=12", "12"},      {"--wave=3", "wave"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ASSERT_SAYS(DIES(2, run_lab("42", "--no-plots", bad[i][0], NULL, NULL)), bad[i][1]);
}
END_TEST

/* ---- waves ------------------------------------------------------------------------ */

START_TEST(waves_and_forecasts)
{
    WaveSettings settings = waves_usual();
    settings.ahead = 5;
    Waves *clean = waves_new(settings, 50), *noisy;
    Rng rng = rng_new(1, "waves"), again = rng_new(1, "waves");
    waves_draw(clean, &rng);
    settings.noise = 0.2;
    noisy = waves_new(settings, 50);
    waves_draw(noisy, &again);
    for (int i = 0; i < 50; i++) {
        ck_assert(clean->frequency[i] >= 0.1 && clean->frequency[i] < 1);
        ck_assert(clean->amplitude[i] >= 0.5 && clean->amplitude[i] < 2);
        ck_assert_double_eq_tol(second_order_factor(clean->inputs + i * 20, 20), 2 * cos64(clean->frequency[i]), 1e-5);
        for (int k = 0; k < 5; k++) /* noise is on the inputs; the targets are the same waves */
            ck_assert(clean->targets[i * 5 + k] == noisy->targets[i * 5 + k]);
    }
    for (int k = 0; k < 5; k++) {
        ck_assert_double_le(forecast_error(second_order, clean, k), 1e-9);
        ck_assert_double_le(forecast_error(best_sinusoid, clean, k), 1e-9);
        ck_assert_double_lt(forecast_error(best_sinusoid, noisy, k), forecast_error(second_order, noisy, k));
    }
    waves_free(clean);
    waves_free(noisy);
}
END_TEST

/* A causal convolution sees nothing of the future, to the bit. */
START_TEST(convolution_is_causal)
{
    enum { N = 9, C = 2 };
    Rng rng = rng_new(2, "causal");
    Parameters *parameters = parameters_new();
    Linear kernel = linear_new(parameters, "kernel", KERNEL * C, 3, &rng);
    Tape *tape = tape_new(1);
    Tensor *x = tape_input(tape, "x", SHAPE(1, N, C), NULL);
    for (int i = 0; i < N * C; i++)
        x->data[i] = rng_normal(&rng);
    for (int t = 1; t < N; t++) {
        Tensor *before = causal_convolution(tape, &kernel, x);
        x->data[t * C] += 1;
        Tensor *after = causal_convolution(tape, &kernel, x);
        ck_assert_mem_eq(before->data, after->data, (size_t)(t * 3) * sizeof(real));
        ck_assert(memcmp(before->data + t * 3, after->data + t * 3, 3 * sizeof(real)) != 0);
    }
    tape_free(tape);
    parameters_free(parameters);
}
END_TEST

/* ---- PyTorch ------------------------------------------------------------------------ */

/* From the same weights and batch: prediction, loss, every gradient, and every parameter after
 * a step of Adam. */
START_TEST(one_trained_step_equals_pytorch)
{
    static const char *const names[KINDS] = {"transformer", "rnn", "lstm", "gru", "convolution"};
    Fixtures *f = fixtures_read("sequence.txt");
    for (Kind kind = 0; kind < KINDS; kind++) {
        Rng rng = rng_new(3, "overwritten");
        Model *model = model_new((ModelSettings){.kind = kind, .width = 8, .heads = 2, .inner = 6}, 8, &rng);
        Optimiser *adam = adam_new(model->parameters, (Adam){.rate = 0.01, .epsilon = 1e-4});
        Tape *tape = tape_new(1);
        char part[32];
        for (int i = 0; i < model->parameters->n; i++) {
            snprintf(part, sizeof part, ".p%d", i);
            const Fixture *weights = fixture_get(f, names[kind], part);
            ck_assert_uint_eq(weights->size, model->parameters->tensor[i]->size);
            fixture_copy(weights, model->parameters->tensor[i]->data);
        }
        snprintf(part, sizeof part, ".p%d", model->parameters->n);
        ck_assert_ptr_null(fixture_find(f, names[kind], part));
        Tensor *x = fixture_input(tape, f, names[kind], ".x"), *y = fixture_input(tape, f, names[kind], ".y");
        Tensor *prediction = model_predict(tape, model, x, NULL), *loss = op_mean_squared_error(tape, prediction, y);
        fixture_compare(f, names[kind], ".prediction", prediction->shape, prediction->data);
        fixture_compare_data(f, names[kind], ".loss", loss->data);
        tape_backward(tape, loss);
        for (int i = 0; i < model->parameters->n; i++) {
            const Tensor *p = model->parameters->tensor[i];
            snprintf(part, sizeof part, ".g%d", i);
            if (fixture_largest(fixture_get(f, names[kind], part)) > 1e-9) /* a key's bias has none */
                fixture_compare(f, names[kind], part, p->shape, p->grad);
            else
                for (size_t k = 0; k < p->size; k++)
                    ck_assert_double_le(fabs((double)p->grad[k]), 1e-6);
        }
        optimiser_step(adam);
        for (int i = 0; i < model->parameters->n; i++) {
            snprintf(part, sizeof part, ".after%d", i);
            fixture_compare(f, names[kind], part, model->parameters->tensor[i]->shape,
                            model->parameters->tensor[i]->data);
        }
        tape_free(tape);
        optimiser_free(adam);
        model_free(model);
    }
    fixtures_free(f);
}
END_TEST

/* Asking only the last position of the last block is the whole block's answer. */
START_TEST(last_position_is_enough)
{
    Rng rng = rng_new(4, "whole");
    Model *model = model_new((ModelSettings){.kind = TRANSFORMER, .width = 8, .heads = 2}, 6, &rng);
    const Encoder *e = &model->encoder[0];
    Block whole = {.settings = {.d = 8, .heads = 2, .feed_forward = 32},
                   .self = e->attention,
                   .self_norm = e->attention_norm,
                   .feed_norm = e->feed_norm,
                   .inner = e->inner,
                   .outer = e->outer};
    Tape *tape = tape_new(1);
    Tensor *x = tape_input(tape, "x", SHAPE(3, 6, 1), NULL), *places = tape_input(tape, "places", SHAPE(6, 8), NULL);
    for (size_t i = 0; i < x->size; i++)
        x->data[i] = rng_normal(&rng);
    positions_sinusoidal(places->data, 6, 8);
    Tensor *h = block(tape, &whole, op_add(tape, linear(tape, &model->in, x), places), (BlockView){0});
    Tensor *want = linear(tape, &model->out, op_reshape(tape, op_slice(tape, h, 1, 5, 6), SHAPE(3, 8)));
    const real *got = model_predict(tape, model, x, NULL)->data;
    for (int i = 0; i < 3; i++)
        ck_assert_double_eq_tol((double)got[i], (double)want->data[i], 1e-5);
    tape_free(tape);
    model_free(model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lab 09, sequence modeling");
    add_run(suite, "claims_hold_over_seeds", claims_hold_over_seeds, 0);
    add_run(suite, "trace_ledger_and_figures", trace_ledger_and_figures, 0);
    add_run(suite, "steps_run_alone", steps_run_alone, 0);
    add_run(suite, "own_series", own_series, 0);
    add_run(suite, "own_series_with_windows_line_ends", own_series_with_windows_line_ends, 0);
    add_run(suite, "bad_series", bad_series, 0);
    add_run(suite, "endless_line", endless_line, 0);
    test_add(suite, "fuzzed", fuzzed);
    add_run(suite, "bad_options", bad_options, 0);
    add_run(suite, "waves_and_forecasts", waves_and_forecasts, 0);
    add_run(suite, "convolution_is_causal", convolution_is_causal, 0);
    add_run(suite, "one_trained_step_equals_pytorch", one_trained_step_equals_pytorch, 0);
    add_run(suite, "last_position_is_enough", last_position_is_enough, 0);
    return test_run(suite);
}
