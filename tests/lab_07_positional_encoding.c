/* Tests of lab 07: its claims over seeds that were not looked at while it was
 * written, its reference trace with any number of threads, its figures, the
 * student's own table and sentence, bad input, and the seven ways by themselves. */
#define _GNU_SOURCE
#define STEM "07_positional_encoding"
int lab_under_test(int argc, char **argv);
#define main lab_under_test
#include "../labs/07_positional_encoding/main.c"
#undef main

#include "dies.h"
#include "lab_runs.h"
#include "maths.h"
#include "transformer.h"

/* ---- the lab as a whole ------------------------------------------------------ */

START_TEST(claims_hold_over_seeds)
{
    static const char *const seeds[] = {"8101", "8102", "8103", "8104", "8105"};
    static const char *const mended[] = {"not-the-same-output", "mask-breaks-it",         "longest-wave",
                                         "similarity-ripples",  "sinusoidal-is-absolute", "sinusoidal-last-marked"};
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        char *claims = ledger_of(seeds[i]);
        for (size_t m = 0; m < sizeof mended / sizeof *mended; m++)
            check_verdict(claims, mended[m], "corrects");
        check_verdict(claims, "equivariant", "holds");
        check_verdict(claims, "shift-is-rotation", "holds");
        check_verdict(claims, "order-needs-positions", "holds");
        check_verdict(claims, "positions-solve-order", "holds");
        check_verdict(claims, "t5-three-back", "holds");
        free(claims);
    }
}
END_TEST

START_TEST(trace_ledger_and_figures)
{
    static const char *const figures[] = {"positional_encoding_sinusoidal",
                                          "positional_encoding_sinusoidal_raster",
                                          "wavelengths",
                                          "relative_position",
                                          "encoding_comparison",
                                          "position_effect",
                                          "order_task",
                                          "extrapolation",
                                          "learned_bias"};
    check_files(figures, sizeof figures / sizeof *figures);
}
END_TEST

/* Steps 1 to 6 run alone and write the claims that they write among the others. */
START_TEST(steps_run_alone)
{
    check_steps_alone(6);
}
END_TEST

/* ---- the student's own --------------------------------------------------------- */

START_TEST(own_table)
{
    static const char *const sizes[][2] = {{"2", "2"}, {"1000", "2"}, {"3", "512"}, {"200", "130"}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char positions[32], dimensions[32];
        snprintf(positions, sizeof positions, "--positions=%s", sizes[i][0]);
        snprintf(dimensions, sizeof dimensions, "--dimensions=%s", sizes[i][1]);
        ck_assert_int_eq(run_lab("42", "--no-plots", "--step=2-3", positions, dimensions), 0);
        char *claims = written("claims.tsv");
        ck_assert_ptr_null(strstr(claims, "\tfails\n"));
        free(claims);
    }
}
END_TEST

START_TEST(own_sentence)
{
    ck_assert_int_eq(run_lab("42", "--step=5", "--sentence=나는 너를 사랑하고 너는 나를 사랑해", NULL, NULL), 0);
    char *claims = written("claims.tsv"), *trace = written("trace.txt");
    check_verdict(claims, "same-word-same-look", "skipped");
    check_verdict(claims, "reversed-sentence", "holds");
    ck_assert_ptr_nonnull(strstr(trace, "사랑하고"));
    free(claims);
    free(trace);
    ck_assert_int_eq(run_lab("42", "--step=5", "--sentence=the `id` $(id) 'the' \"the\" \\ the {} @ ~ the", NULL, NULL),
                     0);
    claims = written("claims.tsv");
    check_verdict(claims, "same-word-same-look", "holds");
    check_verdict(claims, "positions-tell-apart", "holds");
    free(claims);
}
END_TEST

START_TEST(forty_words_are_the_most)
{
    char text[200] = "--sentence=w";
    for (int i = 1; i < 40; i++)
        strcat(text, i % 2 ? " v" : " w");
    ck_assert_int_eq(run_lab("42", "--step=5", "--no-plots", text, NULL), 0);
    strcat(text, " w");
    ASSERT_SAYS(DIES(2, run_lab("42", "--step=5", "--no-plots", text, NULL)),
                "2 to 40 words is needed, this one has 41");
}
END_TEST

START_TEST(bad_input)
{
    static const char *const bad[][2] = {
        {"--positions=0", "--positions"},
        {"--positions=1001", "--positions"},
        {"--positions=x", "--positions"},
        {"--positions=99999999999999", "--positions"},
        {"--dimensions=0", "--dimensions"},
        {"--dimensions=514", "--dimensions"},
        {"--dimensions=-2", "--dimensions"},
        {"--dimensions=7", "come in pairs"},
        {"--sentence=", "--sentence"},
        {"--sentence= \t ", "--sentence"},
        {"--sentence=alone", "has 1"},
        {"--sentence=caf\xe9 au lait", "--sentence"},
        {"--step=8", "8"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ASSERT_SAYS(DIES(2, run_lab("42", "--no-plots", bad[i][0], NULL, NULL)), bad[i][1]);
}
END_TEST

/* ---- the seven ways -------------------------------------------------------------- */

enum { B = 2, T = 6, D = 16, H = 4 };

static Tensor *random_words(Tape *tape, const char *stream)
{
    Rng rng = rng_new(1, stream);
    Tensor *x = tape_variable(tape, stream, SHAPE(B, T, D), NULL);
    for (size_t i = 0; i < x->size; i++)
        x->data[i] = rng_normal(&rng);
    return x;
}

/* The attention written out in the lab is the one that later labs use: the same
 * numbers and gradients, to the bit. */
START_TEST(attention_equals_the_library)
{
    Rng rng = rng_new(2, "promotion");
    Parameters *parameters = parameters_new();
    Heads mine = heads_new(parameters, "attention", D, H, &rng);
    Attention theirs = {D, H, mine.query, mine.key, mine.value, mine.output};
    Positions none = {.way = NONE, .d = D, .heads = H};
    Tape *tape = tape_new(1);
    real *gradient[2];
    Tensor *x = random_words(tape, "x"), *weight = random_words(tape, "w"), *y[2], *weights[2];
    for (int side = 0; side < 2; side++) {
        Tensor *mask = mask_causal(tape, T);
        y[side] = side ? attention(tape, &theirs, x, x, mask, &weights[1])
                       : heads_attend(tape, &mine, &none, x, mask, &weights[0]);
        tape_backward(tape, op_sum(tape, op_multiply(tape, y[side], weight)));
        gradient[side] = malloc(x->size * sizeof(real));
        memcpy(gradient[side], x->grad, x->size * sizeof(real));
    }
    ck_assert_mem_eq(y[0]->data, y[1]->data, x->size * sizeof(real));
    ck_assert_mem_eq(weights[0]->data, weights[1]->data, weights[0]->size * sizeof(real));
    ck_assert_mem_eq(gradient[0], gradient[1], x->size * sizeof(real));
    for (int side = 0; side < 2; side++)
        free(gradient[side]);
    tape_free(tape);
    parameters_free(parameters);
}
END_TEST

/* And so do the rotary positions written out in the lab, also where a compiler makes vectors. */
START_TEST(rotary_equals_the_library)
{
    enum { PLACES = 29, WIDTH = 48, MOST = B * PLACES * WIDTH };
    Positions rotary = {.way = ROTARY, .d = WIDTH, .heads = H};
    Tape *tape = tape_new(1);
    Rng rng = rng_new(6, "rotary");
    Tensor *turns = tape_input(tape, "turns", SHAPE(PLACES, WIDTH / H), NULL), *y[2];
    Tensor *x = tape_variable(tape, "x", SHAPE(B, PLACES, WIDTH), NULL), *weight = tape_input(tape, "w", x->shape, NULL);
    positions_sinusoidal(turns->data, PLACES, WIDTH / H);
    for (size_t i = 0; i < x->size; i++) {
        x->data[i] = rng_normal(&rng);
        weight->data[i] = rng_normal(&rng);
    }
    static real gradient[2][MOST];
    for (int side = 0; side < 2; side++) {
        Tensor *heads = op_transpose(tape, op_reshape(tape, x, SHAPE(B, PLACES, H, WIDTH / H)), 1, 2);
        if (side)
            y[1] = op_rotary(tape, x, turns, H);
        else
            y[0] = op_reshape(tape, op_transpose(tape, positions_turn(tape, &rotary, heads), 1, 2), x->shape);
        tape_backward(tape, op_sum(tape, op_multiply(tape, op_multiply(tape, y[side], y[side]), weight)));
        memcpy(gradient[side], x->grad, sizeof gradient[side]);
    }
    ck_assert_mem_eq(y[0]->data, y[1]->data, sizeof gradient[0]);
    ck_assert_mem_eq(gradient[0], gradient[1], sizeof gradient[0]);
    ASSERT_SAYS(DIES(1, op_rotary(tape, x, turns, 2)), "op_rotary: 'x' [2, 29, 48] of 2 heads and 'turns' [29, 12]");
    tape_free(tape);
}
END_TEST

START_TEST(table_equals_the_library)
{
    static real mine[300 * 30], theirs[300 * 30];
    sinusoidal_table(mine, 300, 30);
    positions_sinusoidal(theirs, 300, 30);
    ck_assert_mem_eq(mine, theirs, sizeof mine);
}
END_TEST

/* Which of the ways see an order, and which a place: attention over a sentence
 * and over the same sentence 3 places further. */
START_TEST(absolute_and_relative)
{
    for (Way way = NONE; way < WAYS; way++) {
        Rng rng = rng_new(3, "reader");
        Reader reader = reader_new((ReaderSettings){.way = way,
                                                    .vocabulary = 9,
                                                    .d = D,
                                                    .heads = H,
                                                    .layers = 2,
                                                    .causal = true,
                                                    .trained = T,
                                                    .places = T + 3},
                                   &rng);
        Tape *tape = tape_new(1);
        const int ids[T] = {1, 5, 1, 8, 2, 0};
        const real *here = reader_read(tape, &reader, ids, 1, T, 0)->data;
        const real *there = reader_read(tape, &reader, ids, 1, T, 3)->data;
        bool same = memcmp(here, there, T * D * sizeof(real)) == 0;
        ck_assert_msg(same == (way != LINEAR && way != LEARNED && way != SINUSOIDAL), "%s", way_name[way]);
        tape_free(tape);
        reader_free(&reader);
    }
}
END_TEST

/* (R_t q) . (R_s k) depends on t - s alone, and turning keeps lengths. */
START_TEST(rotary_is_relative)
{
    enum { PLACES = 12, WIDTH = 8 };
    Rng rng = rng_new(4, "rotary");
    Positions rotary = {.way = ROTARY, .d = WIDTH, .heads = 1};
    Tape *tape = tape_new(1);
    Tensor *q = tape_input(tape, "q", SHAPE(1, 1, PLACES, WIDTH), NULL),
           *k = tape_input(tape, "k", SHAPE(1, 1, PLACES, WIDTH), NULL);
    for (int i = 0; i < WIDTH; i++) { /* the same two words at every place */
        real a = rng_normal(&rng), b = rng_normal(&rng);
        for (int t = 0; t < PLACES; t++) {
            q->data[t * WIDTH + i] = a;
            k->data[t * WIDTH + i] = b;
        }
    }
    Tensor *score =
        op_batched_matmul_transposed(tape, positions_turn(tape, &rotary, q), positions_turn(tape, &rotary, k));
    const real *cell = score->data;
    for (int t = 1; t < PLACES; t++)
        for (int s = 1; s < PLACES; s++)
            ck_assert_double_eq_tol((double)cell[t * PLACES + s], (double)cell[(t - 1) * PLACES + s - 1], 1e-5);
    ck_assert(fabs((double)(cell[0] - cell[1])) > 1e-3);
    ck_assert(fabs((double)(cell[1] - cell[PLACES])) > 1e-3);
    tape_free(tape);
}
END_TEST

START_TEST(biases)
{
    for (int k = 0; k < 300; k++) {
        int bucket = t5_bucket(k);
        ck_assert_int_eq(bucket < T5_EXACT, k < T5_EXACT);
        ck_assert(k >= T5_EXACT || bucket == k);
        ck_assert(k == 0 || (bucket >= t5_bucket(k - 1) && bucket <= t5_bucket(k - 1) + 1));
        ck_assert(k < T5_MOST_OFFSET || bucket == T5_SIDE - 1);
        ck_assert(k == 0 || t5_bucket(-k) == T5_SIDE + bucket);
    }
    for (int h = 0; h < 8; h++) /* Press 2022, section 3: 1/2, 1/4 ... 1/256 for 8 heads */
        ck_assert_double_eq_tol((double)alibi_slope(h, 8), 1.0 / (2 << h), 1e-7);
    Tape *tape = tape_new(1);
    Rng rng = rng_new(5, "bias");
    Parameters *parameters = parameters_new();
    Positions t5 = positions_new(parameters, T5_BIAS, D, H, T, T, &rng), alibi = {.way = ALIBI, .d = D, .heads = H};
    for (int i = 0; i < T5_BUCKETS * H; i++)
        t5.bias->data[i] = (real)i;
    const real *learned = positions_bias(tape, &t5, T)->data, *fixed = positions_bias(tape, &alibi, T)->data;
    for (int h = 0; h < H; h++)
        for (int t = 0; t < T; t++)
            for (int s = 0; s < T; s++, learned++, fixed++) {
                ck_assert_double_eq((double)*learned, t5_bucket(t - s) * H + h);
                ck_assert_double_eq((double)*fixed, -(double)alibi_slope(h, H) * abs(t - s));
            }
    tape_free(tape);
    parameters_free(parameters);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lab 07, positional encoding");
    add_run(suite, "claims_hold_over_seeds", claims_hold_over_seeds, 0);
    add_run(suite, "trace_ledger_and_figures", trace_ledger_and_figures, 0);
    add_run(suite, "steps_run_alone", steps_run_alone, 0);
    add_run(suite, "own_table", own_table, 0);
    add_run(suite, "own_sentence", own_sentence, 0);
    add_run(suite, "forty_words_are_the_most", forty_words_are_the_most, 0);
    add_run(suite, "bad_input", bad_input, 0);
    add_run(suite, "attention_equals_the_library", attention_equals_the_library, 0);
    add_run(suite, "rotary_equals_the_library", rotary_equals_the_library, 0);
    add_run(suite, "table_equals_the_library", table_equals_the_library, 0);
    add_run(suite, "absolute_and_relative", absolute_and_relative, 0);
    add_run(suite, "rotary_is_relative", rotary_is_relative, 0);
    add_run(suite, "biases", biases, 0);
    return test_run(suite);
}
