/* Tests of lab 04: its claims over seeds that were not looked at while it was
 * written, its files, its reference trace, its options, and the written-out
 * cells against the fast layers. */
#define _GNU_SOURCE
#define STEM "04_lstm_gates"
int lab_under_test(int argc, char **argv);
#define main lab_under_test
#include "../labs/04_lstm_gates/main.c"
#undef main

#include <math.h>

#define LLVMFuzzerTestOneInput fuzz_sentence
#include "fuzz/sentence.c"

#include "fuzz/replay.h"
#include "lab_runs.h"

START_TEST(claims_hold_over_seeds)
{
    static const char *const seeds[] = {"1001", "1002", "1003", "1004", "1005"};
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        char *claims = ledger_of(seeds[i]);
        ck_assert_ptr_null(strstr(claims, "\tskipped\n"));
        check_verdict(claims, "lstm-equations", "corrects");
        check_verdict(claims, "forget-bias-one-vanishes", "corrects");
        check_verdict(claims, "recall-lstm-usual", "corrects");
        check_verdict(claims, "recall-rnn", "holds");
        check_verdict(claims, "recall-lstm", "holds");
        check_verdict(claims, "adding-lstm", "holds");
        check_verdict(claims, "input-gate-opens-at-mark", "holds");
        check_verdict(claims, "senses-contextual", "holds");
        free(claims);
    }
}
END_TEST

START_TEST(trace_ledger_and_figures)
{
    static const char *const figures[] = {"lstm_step",      "gate_extremes", "gradient_highway", "recall_vs_lag",
                                          "adding_problem", "gates_heatmap", "cell_state",       "contextual_senses"};
    check_files(figures, sizeof figures / sizeof *figures);
}
END_TEST

/* ---- steps alone, and options ---- */

/* A step alone writes the claims that it writes among the others. */
START_TEST(steps_run_alone)
{
    static const char *const alone[] = {"1", "2", "6"};
    char *all = slurp("tests/expected/04_lstm_gates/claims.tsv");
    for (size_t i = 0; !REAL_IS_DOUBLE && i < sizeof alone / sizeof *alone; i++) {
        ck_assert_int_eq(run_lab("42", "--no-plots", "--step", alone[i], NULL), 0);
        char *claims = written("claims.tsv"), *lines = strchr(claims, '\n') + 1; /* behind the heading */
        ck_assert_msg(*lines && strstr(all, lines), "step %s alone: %s", alone[i], lines);
        free(claims);
    }
    free(all);
}
END_TEST

START_TEST(own_sentence_is_judged)
{
    ck_assert_int_eq(run_lab("42", "--no-plots", "--step=6", "--sentence", "동생 의 노란 은행 이 길 에 쌓인다 ."), 0);
    char *trace = written("trace.txt");
    ck_assert_ptr_nonnull(strstr(trace, "here 은행 is ginkgo"));
    free(trace);
}
END_TEST

#define BAD(name, ...)                                                                                                 \
    START_TEST(name)                                                                                                   \
    {                                                                                                                  \
        run_lab("42", "--no-plots", __VA_ARGS__);                                                                      \
    }                                                                                                                  \
    END_TEST
BAD(unknown_word, "--sentence", "the bank erodes xylophones .", NULL)
BAD(no_ambiguous_word, "--sentence", "the girl says .", NULL)
BAD(empty_sentence, "--sentence", "", NULL)
BAD(bad_bytes, "--sentence", "\xff bank", NULL)
BAD(endless_sentence, "--sentence",
    "bank bank bank bank bank bank bank bank bank bank bank bank bank bank bank bank bank bank bank bank bank bank "
    "bank bank bank bank bank bank bank bank bank bank bank bank bank bank",
    NULL)
BAD(lag_of_nothing, "--lag", "0", NULL)
BAD(lag_without_end, "--lag", "201", NULL)
BAD(bias_of_letters, "--forget-bias", "much", NULL)
BAD(bias_out_of_range, "--forget-bias", "11", NULL)
BAD(no_such_step, "--step", "7", NULL)

/* ---- the written-out cells ---- */

enum { T = 7, B = 3, IN = 4, H = 5 };

typedef struct {
    Parameters *parameters;
    Recurrent layer;
    Tape *tape;
    Tensor *x;
} Both;

static Both both_new(CellKind kind)
{
    Rng rng = rng_new(11, "cells");
    Both b = {.parameters = parameters_new(), .tape = tape_new(1)};
    b.layer = recurrent_new(b.parameters, "layer", kind, IN, H, &rng);
    b.x = tape_variable(b.tape, "x", SHAPE(T, B, IN), NULL);
    for (size_t i = 0; i < b.x->size; i++)
        b.x->data[i] = rng_normal(&rng);
    return b;
}

static Tensor *written_out(const Both *b)
{
    Tensor *h = tape_input(b->tape, "h", SHAPE(B, H), NULL), *c = tape_input(b->tape, "c", SHAPE(B, H), NULL), *all[T];
    for (int t = 0; t < T; t++) {
        Tensor *x = op_reshape(b->tape, op_slice(b->tape, b->x, 0, t, t + 1), SHAPE(B, IN));
        if (b->layer.kind == CELL_LSTM) {
            LstmStep s = lstm_step(b->tape, &b->layer, x, h, c);
            h = s.h, c = s.c;
        } else {
            h = gru_step(b->tape, &b->layer, x, h, RESET_AFTER_PRODUCT).h;
        }
        all[t] = op_reshape(b->tape, h, SHAPE(1, B, H));
    }
    return op_concat(b->tape, all, T, 0);
}

/* Promotion: what the lab writes out is what nn.h computes, numbers and gradients. */
START_TEST(written_out_equals_fast)
{
    const double tolerance = REAL_IS_DOUBLE ? 1e-12 : 1e-5;
    for (CellKind kind = CELL_LSTM; kind <= CELL_GRU; kind++) {
        Both b = both_new(kind);
        Tensor *ways[2] = {recurrent(b.tape, &b.layer, b.x, NULL, (Sequence){0}), written_out(&b)};
        for (size_t i = 0; i < ways[0]->size; i++)
            ck_assert_double_eq_tol((double)ways[0]->data[i], (double)ways[1]->data[i], tolerance);
        real *kept[8] = {0};
        for (int way = 0; way < 2; way++) {
            Tensor *squares = op_multiply(b.tape, ways[way], ways[way]);
            tape_backward(b.tape, op_sum(b.tape, squares));
            for (int p = 0; p < b.parameters->n; p++) {
                const Tensor *w = b.parameters->tensor[p];
                if (way == 0) {
                    kept[p] = malloc(w->size * sizeof(real));
                    memcpy(kept[p], w->grad, w->size * sizeof(real));
                    continue;
                }
                for (size_t i = 0; i < w->size; i++)
                    ck_assert_double_eq_tol((double)kept[p][i], (double)w->grad[i], tolerance);
                free(kept[p]);
            }
        }
        tape_free(b.tape);
        parameters_free(b.parameters);
    }
}
END_TEST

START_TEST(slope_of_a_line)
{
    double y[20];
    for (int k = 0; k < 20; k++)
        y[k] = 3 - 0.25 * k;
    ck_assert_double_eq_tol(slope_of(y, 4, 20), -0.25, 1e-12);
}
END_TEST

START_TEST(sums_are_of_the_marked)
{
    Rng rng = rng_new(5, "adding");
    AddingBatch b = adding_batch_new(20, 50, &rng);
    for (int row = 0; row < b.batch; row++) {
        double sum = 0;
        int marks = 0;
        for (int t = 0; t < b.length; t++) {
            const real *x = b.x + ((size_t)t * b.batch + row) * 2;
            ck_assert(x[0] >= -1 && x[0] < 1 && (x[1] == 0 || x[1] == 1));
            sum += (double)(x[0] * x[1]);
            marks += x[1] == 1;
        }
        ck_assert_int_eq(marks, 2);
        ck_assert_int_lt(b.mark[2 * row], 10);
        ck_assert_int_ge(b.mark[2 * row + 1], 10);
        ck_assert_double_eq_tol(sum, (double)b.sum[row], 1e-6);
    }
    adding_batch_free(&b);
}
END_TEST

/* What fuzzing found worth keeping. */
START_TEST(fuzzed)
{
    replay("tests/fuzz/sentence", fuzz_sentence, 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lab_04_lstm_gates");
    test_add(suite, "fuzzed", fuzzed);
    add_run(suite, "claims_hold_over_seeds", claims_hold_over_seeds, 0);
    add_run(suite, "trace_ledger_and_figures", trace_ledger_and_figures, 0);
    add_run(suite, "steps_run_alone", steps_run_alone, 0);
    add_run(suite, "own_sentence_is_judged", own_sentence_is_judged, 0);
    add_run(suite, "unknown_word", unknown_word, 2);
    add_run(suite, "no_ambiguous_word", no_ambiguous_word, 2);
    add_run(suite, "empty_sentence", empty_sentence, 2);
    add_run(suite, "bad_bytes", bad_bytes, 2);
    add_run(suite, "endless_sentence", endless_sentence, 2);
    add_run(suite, "lag_of_nothing", lag_of_nothing, 2);
    add_run(suite, "lag_without_end", lag_without_end, 2);
    add_run(suite, "bias_of_letters", bias_of_letters, 2);
    add_run(suite, "bias_out_of_range", bias_out_of_range, 2);
    add_run(suite, "no_such_step", no_such_step, 2);
    add_run(suite, "written_out_equals_fast", written_out_equals_fast, 0);
    add_run(suite, "slope_of_a_line", slope_of_a_line, 0);
    add_run(suite, "sums_are_of_the_marked", sums_are_of_the_marked, 0);
    return test_run(suite);
}
