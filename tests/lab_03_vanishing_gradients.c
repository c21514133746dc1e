/* Tests of lab 03: its claims over seeds that were not looked at while it was
 * written, its files, its reference trace, the student's own review, radius and
 * lag, bad input; the written-out step against the fast layer. */
#define _GNU_SOURCE
#define STEM "03_vanishing_gradients"
int lab_under_test(int argc, char **argv);
#define main lab_under_test
#include "../labs/03_vanishing_gradients/main.c"
#undef main

#include "dies.h"
#include "parallel.h"
#include "lab_runs.h"

START_TEST(claims_hold_over_seeds)
{
    static const char *const seeds[] = {"1001", "1002", "1003", "1004", "1005"};
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        char *claims = ledger_of(seeds[i]);
        char *skipped = strstr(claims, "\tskipped\n"); /* one needs more steps than --quick gives */
        ck_assert(skipped && !strstr(skipped + 1, "\tskipped\n"));
        check_verdict(claims, "recall-by-start", "skipped");
        check_verdict(claims, "slope-is-log-radius", "holds");
        check_verdict(claims, "clipped-succeeds", "holds");
        check_verdict(claims, "sentiment-korean", "holds");
        free(claims);
    }
}
END_TEST

/* What --quick skips: with an orthogonal start twenty words can be bridged. */
typedef struct {
    double accuracy[2][4];
} Starts;

static void train_start(int index, void *context)
{
    Starts *starts = context;
    Rng rng = rng_new(3000 + (uint64_t)index / 2, "starts");
    RecallSetting setting = recall_setting(CELL_RNN, 20);
    setting.radius = index % 2;
    RecallModel *model = recall_model_new(&setting, &rng);
    starts->accuracy[index % 2][index / 2] = recall_train(model, &rng, 1).accuracy;
    recall_model_free(model);
}

START_TEST(the_start_decides_over_twenty_words)
{
    Starts starts;
    double gain = 0;
    parallel_for(2, 8, train_start, &starts);
    for (int i = 0; i < 4; i++)
        gain += (starts.accuracy[1][i] - starts.accuracy[0][i]) / 4;
    ck_assert_double_ge(gain, 0.3);
}
END_TEST

START_TEST(trace_ledger_and_figures)
{
    static const char *const figures[] = {"hidden_states",   "sentiment",     "bptt_flow", "gradient_by_distance",
                                          "spectral_radius", "error_surface", "clipping",  "recall_vs_lag"};
    check_files(figures, sizeof figures / sizeof *figures);
}
END_TEST

START_TEST(steps_run_alone)
{
    check_steps_alone(6);
}
END_TEST

/* ---- what a student brings ---- */

START_TEST(own_review)
{
    ck_assert_int_eq(run_lab("42", "--step", "3", "--review", "the food was not zzyzx, but \"good\""), 0);
    char *trace = written("trace.txt"), *figure = written("review.png");
    ck_assert_ptr_nonnull(strstr(trace, "`zzyzx` was never met in training and is left out"));
    free(trace);
    free(figure);
    ck_assert_int_eq(run_lab("42", "--step=3", "--no-plots", "--review", "음식이 안 좋았다"), 0);
    trace = written("trace.txt");
    ck_assert_ptr_null(strstr(trace, "left out"));
    free(trace);
    ck_assert_int_eq(run_lab("42", "--step=3", "--no-plots", "--review", "xyzzy"), 0);
    trace = written("trace.txt");
    ck_assert_ptr_nonnull(strstr(trace, "`xyzzy` was never met"));
    free(trace);
}
END_TEST

START_TEST(own_radius_and_lag)
{
    ck_assert_int_eq(run_lab("42", "--step=4", "--no-plots", "--radius", "1.2"), 0);
    char *text = written("gradient_by_distance.tsv");
    ck_assert_ptr_nonnull(strstr(text, "radius 1.2"));
    free(text);
    text = written("claims.tsv");
    ck_assert_ptr_null(strstr(text, "\tfails\n"));
    free(text);
    ck_assert_int_eq(run_lab("42", "--step=6", "--no-plots", "--lag=2", "--hidden=5"), 0);
    text = written("trace.txt");
    ck_assert_ptr_nonnull(strstr(text, "\n        2  "));
    ck_assert_ptr_nonnull(strstr(text, "5 tanh units"));
    free(text);
    text = written("claims.tsv");
    check_verdict(text, "recall-short", "skipped"); /* stated for 71 units */
    free(text);
}
END_TEST

START_TEST(bad_options_are_one_line)
{
    ASSERT_SAYS(DIES(2, run_lab("42", "--radius", "-1", NULL, NULL)), "--radius");
    ASSERT_SAYS(DIES(2, run_lab("42", "--radius", "nan", NULL, NULL)), "--radius");
    ASSERT_SAYS(DIES(2, run_lab("42", "--lag", "many", NULL, NULL)), "--lag");
    ASSERT_SAYS(DIES(2, run_lab("42", "--lag", "100000", NULL, NULL)), "--lag");
    ASSERT_SAYS(DIES(2, run_lab("42", "--hidden", "0", NULL, NULL)), "--hidden");
    ASSERT_SAYS(DIES(2, run_lab("42", "--review", " ", NULL, NULL)), "--review");
    ASSERT_SAYS(DIES(2, run_lab("42", "--review", "\xff\xfe", NULL, NULL)), "--review");
}
END_TEST

/* ---- promotion: the step written out in the lab is the fast layer of nn ---- */

enum { T = 6, B = 3, X = 4, H = 5 };

/* A loss in which every state has a weight of its own. */
static Tensor *weighted(Tape *tape, Tensor *states)
{
    Rng rng = rng_new(2, "loss");
    Tensor *weights = tape_input(tape, "weights", states->shape, NULL);
    for (size_t i = 0; i < weights->size; i++)
        weights->data[i] = rng_normal(&rng);
    return op_sum(tape, op_multiply(tape, states, weights));
}

static Tensor *written_out(Tape *tape, const RnnCell *cell, Tensor *x, bool concatenated)
{
    Tensor *h = tape_input(tape, "h_0", SHAPE(B, H), NULL), *states[T];
    for (int t = 0; t < T; t++) {
        Tensor *x_t = op_reshape(tape, op_slice(tape, x, 0, t, t + 1), SHAPE(B, X));
        h = concatenated ? rnn_step_concatenated(tape, cell, x_t, h) : rnn_step(tape, cell, x_t, h).h;
        states[t] = op_reshape(tape, h, SHAPE(1, B, H));
    }
    return op_concat(tape, states, T, 0);
}

static void assert_equal(const char *what, const real *a, const real *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)a[i] - (double)b[i]) <= 1e-5 * (1 + fabs((double)b[i])), "%s[%zu]: %g, not %g", what,
                      i, (double)a[i], (double)b[i]);
}

START_TEST(written_out_equals_the_layer)
{
    for (int concatenated = 0; concatenated < 2; concatenated++) {
        Rng rng = rng_new(1, "promotion");
        Parameters *parameters = parameters_new();
        Recurrent layer = recurrent_new(parameters, "layer", CELL_RNN, X, H, &rng);
        RnnCell cell = {layer.input_weight, layer.weight, layer.bias};
        Tape *tape = tape_new(1);
        Tensor *x = tape_variable(tape, "x", SHAPE(T, B, X), NULL);
        for (size_t i = 0; i < x->size; i++)
            x->data[i] = rng_normal(&rng);
        Tensor *fast = recurrent(tape, &layer, x, NULL, (Sequence){0});
        tape_backward(tape, weighted(tape, fast));
        real dx[T * B * X], *gradients[3];
        memcpy(dx, x->grad, sizeof dx);
        for (int i = 0; i < 3; i++) {
            size_t bytes = parameters->tensor[i]->size * sizeof(real);
            gradients[i] = memcpy(malloc(bytes), parameters->tensor[i]->grad, bytes);
        }
        Tensor *slow = written_out(tape, &cell, x, concatenated);
        assert_equal("states", slow->data, fast->data, fast->size);
        tape_backward(tape, weighted(tape, slow));
        assert_equal("x'", x->grad, dx, x->size);
        for (int i = 0; i < 3; i++) {
            assert_equal(parameters->tensor[i]->name, parameters->tensor[i]->grad, gradients[i],
                         parameters->tensor[i]->size);
            free(gradients[i]);
        }
        tape_free(tape);
        parameters_free(parameters);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lab_03_vanishing_gradients");
    add_run(suite, "claims_hold_over_seeds", claims_hold_over_seeds, 0);
    add_run(suite, "the_start_decides_over_twenty_words", the_start_decides_over_twenty_words, 0);
    add_run(suite, "trace_ledger_and_figures", trace_ledger_and_figures, 0);
    add_run(suite, "steps_run_alone", steps_run_alone, 0);
    add_run(suite, "own_review", own_review, 0);
    add_run(suite, "own_radius_and_lag", own_radius_and_lag, 0);
    add_run(suite, "bad_options_are_one_line", bad_options_are_one_line, 0);
    test_add(suite, "written_out_equals_the_layer", written_out_equals_the_layer);
    return test_run(suite);
}
