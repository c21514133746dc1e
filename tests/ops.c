/* ops.c: every operation gives PyTorch's numbers and gradients; what PyTorch does
 * not have (rows without any allowed element, dropout's statistics) is tested by
 * itself; and misuse is named with its operation, tensors, shapes and line. */
#define _GNU_SOURCE
#include "ops.h"

#include <math.h>

#include "dies.h"
#include "fixture.h"
#include "nn.h"

/* ---- against PyTorch --------------------------------------------------------- */

typedef struct {
    Tape *tape;
    Tensor *x[3];
    const Fixtures *fixtures;
    const char *name;
} Case;

static Tensor *two(Case *c, Tensor *(*operation)(Tape *, Tensor *, Tensor *))
{
    return operation(c->tape, c->x[0], c->x[1]);
}

static Tensor *matmul(Case *c)
{
    return two(c, (op_matmul));
}

static Tensor *matmul_transposed(Case *c)
{
    return two(c, (op_matmul_transposed));
}

static Tensor *batched_matmul(Case *c)
{
    return two(c, (op_batched_matmul));
}

static Tensor *batched_matmul_transposed(Case *c)
{
    return two(c, (op_batched_matmul_transposed));
}

static Tensor *linear_layer(Case *c)
{
    Linear layer = {c->x[1], c->x[2]};
    return linear(c->tape, &layer, c->x[0]);
}

static Tensor *add(Case *c)
{
    return two(c, (op_add));
}

static Tensor *subtract(Case *c)
{
    return two(c, (op_subtract));
}

static Tensor *multiply(Case *c)
{
    return two(c, (op_multiply));
}

static Tensor *scale(Case *c)
{
    return op_scale(c->tape, c->x[0], (real)-1.5);
}

static Tensor *tanh_(Case *c)
{
    return op_tanh(c->tape, c->x[0]);
}

static Tensor *sigmoid(Case *c)
{
    return op_sigmoid(c->tape, c->x[0]);
}

static Tensor *relu(Case *c)
{
    return op_relu(c->tape, c->x[0]);
}

static Tensor *gelu(Case *c)
{
    return op_gelu(c->tape, c->x[0]);
}

static Tensor *exp_(Case *c)
{
    return op_exp(c->tape, c->x[0]);
}

static Tensor *log_(Case *c)
{
    return op_log(c->tape, c->x[0]);
}

static Tensor *transpose(Case *c)
{
    return op_transpose(c->tape, c->x[0], 1, 3);
}

static Tensor *transpose_first(Case *c)
{
    return op_transpose(c->tape, c->x[0], 0, 1);
}

static Tensor *slice(Case *c)
{
    return op_slice(c->tape, c->x[0], 1, 1, 4);
}

static Tensor *concat(Case *c)
{
    return op_concat(c->tape, c->x, 3, 1);
}

static Tensor *reshape(Case *c)
{
    return op_reshape(c->tape, c->x[0], SHAPE(2, 3, 4));
}

static Tensor *sum(Case *c)
{
    return op_sum(c->tape, c->x[0]);
}

static Tensor *mean(Case *c)
{
    return op_mean(c->tape, c->x[0]);
}

static Tensor *embedding(Case *c)
{
    int *ids = fixture_ints(c->fixtures, c->name, ".ids");
    Tensor *y = op_embedding(c->tape, c->x[0], ids, SHAPE(2, 3));
    free(ids); /* the operation keeps a copy */
    return y;
}

static Tensor *softmax(Case *c)
{
    bool masked = fixture_find(c->fixtures, c->name, ".mask") != NULL;
    return op_softmax(c->tape, c->x[0], masked ? fixture_input(c->tape, c->fixtures, c->name, ".mask") : NULL);
}

static Tensor *layer_norm_(Case *c)
{
    return op_layer_norm(c->tape, c->x[0], c->x[1], c->x[2], (real)1e-5);
}

static Tensor *cross_entropy(Case *c)
{
    int *targets = fixture_ints(c->fixtures, c->name, ".targets");
    Tensor *y = op_cross_entropy(c->tape, c->x[0], targets);
    free(targets);
    return y;
}

static Tensor *mean_squared_error(Case *c)
{
    return two(c, (op_mean_squared_error));
}

static const struct {
    const char *name;
    Tensor *(*compute)(Case *c);
} cases[] = {
    {"matmul", matmul},
    {"matmul_rows", matmul},
    {"matmul_deep", matmul},
    {"matmul_transposed", matmul_transposed},
    {"batched_matmul", batched_matmul},
    {"batched_matmul_transposed", batched_matmul_transposed},
    {"linear", linear_layer},
    {"add", add},
    {"add_suffix", add},
    {"add_row", add},
    {"subtract", subtract},
    {"subtract_suffix", subtract},
    {"subtract_row", subtract},
    {"multiply", multiply},
    {"multiply_suffix", multiply},
    {"multiply_row", multiply},
    {"scale", scale},
    {"tanh", tanh_},
    {"sigmoid", sigmoid},
    {"relu", relu},
    {"gelu", gelu},
    {"exp", exp_},
    {"log", log_},
    {"transpose", transpose},
    {"transpose_first", transpose_first},
    {"slice", slice},
    {"concat", concat},
    {"reshape", reshape},
    {"sum", sum},
    {"mean", mean},
    {"embedding", embedding},
    {"softmax", softmax},
    {"softmax_causal", softmax},
    {"softmax_padding", softmax},
    {"layer_norm", layer_norm_},
    {"cross_entropy", cross_entropy},
    {"cross_entropy_sharp", cross_entropy},
    {"mean_squared_error", mean_squared_error},
};
enum { CASES = sizeof cases / sizeof *cases };

/* y, and the gradients of loss = sum(y g), for one case. */
static void compare_case(const Fixtures *fixtures, int i)
{
    Case c = {tape_new(1), {NULL}, fixtures, cases[i].name};
    const char *x_part[] = {".x0", ".x1", ".x2"}, *dx_part[] = {".dx0", ".dx1", ".dx2"};
    for (int j = 0; j < 3 && fixture_find(fixtures, c.name, x_part[j]); j++)
        c.x[j] = fixture_variable(c.tape, fixtures, c.name, x_part[j]);
    Tensor *y = cases[i].compute(&c);
    fixture_compare(fixtures, c.name, ".y", y->shape, y->data);
    Tensor *g = fixture_input(c.tape, fixtures, c.name, ".g");
    tape_backward(c.tape, op_sum(c.tape, op_multiply(c.tape, y, g)));
    for (int j = 0; j < 3 && c.x[j]; j++)
        fixture_compare(fixtures, c.name, dx_part[j], c.x[j]->shape, c.x[j]->grad);
    tape_free(c.tape);
}

START_TEST(equals_pytorch)
{
    Fixtures *fixtures = fixtures_read("ops.txt");
    for (int i = 0; i < CASES; i++)
        compare_case(fixtures, i);
    fixtures_free(fixtures);
}
END_TEST

/* No case of the file is left out. */
START_TEST(every_fixture_is_used)
{
    Fixtures *fixtures = fixtures_read("ops.txt");
    for (int i = 0; i < fixtures->n; i++) {
        const char *dot = strchr(fixtures->fixture[i].name, '.');
        int known = 0;
        for (int j = 0; j < CASES; j++)
            known +=
                strncmp(cases[j].name, fixtures->fixture[i].name, (size_t)(dot - fixtures->fixture[i].name)) == 0 &&
                strlen(cases[j].name) == (size_t)(dot - fixtures->fixture[i].name);
        ck_assert_msg(known == 1, "no test uses %s", fixtures->fixture[i].name);
    }
    fixtures_free(fixtures);
}
END_TEST

/* ---- by itself --------------------------------------------------------------- */

START_TEST(a_row_without_an_allowed_element_is_zero)
{
    Tape *tape = tape_new(1);
    Tensor *x = tape_variable(tape, "x", SHAPE(2, 3), (real[]){1, 2, 3, 4, 5, 6});
    Tensor *mask = tape_input(tape, "mask", SHAPE(2, 3), (real[]){0, 0, 0, 1, 0, 1});
    Tensor *y = op_softmax(tape, x, mask);
    tape_backward(tape, op_sum(tape, op_multiply(tape, y, y)));
    for (int i = 0; i < 3; i++)
        ck_assert(y->data[i] == 0 && x->grad[i] == 0);
    ck_assert(y->data[4] == 0 && x->grad[4] == 0);
    ck_assert_double_eq_tol((double)(y->data[3] + y->data[5]), 1, 1e-6);
    ck_assert(x->grad[3] != 0);
    tape_free(tape);
}
END_TEST

/* A masked element may hold anything, even infinity: nothing of it gets through. */
START_TEST(masked_elements_do_not_matter)
{
    Tape *tape = tape_new(1);
    Tensor *mask = tape_input(tape, "mask", SHAPE(3), (real[]){1, 0, 1});
    Tensor *x = tape_variable(tape, "x", SHAPE(3), (real[]){1, (real)INFINITY, 2});
    Tensor *other = tape_variable(tape, "other", SHAPE(3), (real[]){1, -5, 2});
    Tensor *y = op_softmax(tape, x, mask), *z = op_softmax(tape, other, mask);
    ck_assert_mem_eq(y->data, z->data, 3 * sizeof(real));
    tape_free(tape);
}
END_TEST

START_TEST(softmax_of_large_numbers)
{
    Tape *tape = tape_new(1);
    Tensor *x = tape_input(tape, "x", SHAPE(2, 2), (real[]){(real)1e30, (real)1e30, 1000, 990});
    Tensor *y = op_softmax(tape, x, NULL);
    ck_assert_double_eq_tol((double)y->data[0], 0.5, 1e-7);
    ck_assert_double_eq_tol((double)y->data[3], 4.5397868702434395e-05, 1e-10);
    tape_free(tape);
}
END_TEST

/* log(1 + e^-5) from logits around 1000, where a float has steps of 6e-5: the
 * loss keeps its digits only if the largest logit is never added back. */
START_TEST(cross_entropy_keeps_its_digits)
{
    Tape *tape = tape_new(1);
    Tensor *x = tape_variable(tape, "x", SHAPE(1, 2), (real[]){1000, 995});
    Tensor *loss = op_cross_entropy(tape, x, (int[]){0});
    ck_assert_double_eq_tol((double)loss->data[0], 0.006715348489118, 1e-7);
    tape_free(tape);
}
END_TEST

START_TEST(cross_entropy_of_ignored_rows_only)
{
    Tape *tape = tape_new(1);
    Tensor *x = tape_variable(tape, "x", SHAPE(2, 2), (real[]){1, 2, 3, 4});
    Tensor *loss = op_cross_entropy(tape, x, (int[]){-1, -1});
    tape_backward(tape, loss);
    ck_assert(loss->data[0] == 0);
    for (int i = 0; i < 4; i++)
        ck_assert(x->grad[i] == 0);
    tape_free(tape);
}
END_TEST

/* 0, not -0 (which traces would print as such), and a NaN stays to be seen. */
START_TEST(relu_at_the_edges)
{
    Tape *tape = tape_new(1);
    Tensor *x = tape_input(tape, "x", SHAPE(4), (real[]){-1, (real)-INFINITY, 2, (real)NAN});
    Tensor *y = op_relu(tape, x);
    ck_assert(y->data[0] == 0 && !signbit(y->data[0]));
    ck_assert(y->data[1] == 0 && !signbit(y->data[1]));
    ck_assert(y->data[2] == 2 && isnan(y->data[3]));
    tape_free(tape);
}
END_TEST

/* The expectation is kept, the fraction dropped is p, and the gradient goes
 * exactly where the signal went. */
START_TEST(dropout)
{
    enum { N = 100000 };
    const real p = (real)0.3;
    Tape *tape = tape_new(1);
    Rng rng = rng_new(11, "dropout");
    Tensor *x = tape_variable(tape, "x", SHAPE(N), NULL);
    for (int i = 0; i < N; i++)
        x->data[i] = 2;
    Tensor *y = op_dropout(tape, x, p, &rng);
    tape_backward(tape, op_sum(tape, y));
    double total = 0;
    int dropped = 0;
    for (int i = 0; i < N; i++) {
        total += (double)y->data[i];
        dropped += y->data[i] == 0;
        ck_assert(y->data[i] == 0 || y->data[i] == 2 / (1 - p));
        ck_assert(x->grad[i] == (y->data[i] == 0 ? 0 : 1 / (1 - p)));
    }
    ck_assert_double_eq_tol(dropped / (double)N, 0.3, 4 * sqrt(0.3 * 0.7 / N));
    ck_assert_double_eq_tol(total / N, 2, 0.03);
    Tensor *same = op_dropout(tape, x, 0, &rng);
    ck_assert_mem_eq(same->data, x->data, N * sizeof(real));
    tape_free(tape);
}
END_TEST

/* A quarter turn (sine 1, cosine 0) makes (-b, a) of (a, b) in both heads, none leaves the row as it is;
 * and the gradient is turned back. */
START_TEST(rotary)
{
    Tape *tape = tape_new(1);
    Tensor *x = tape_variable(tape, "x", SHAPE(2, 4), (real[]){1, 2, 3, 4, 5, 6, 7, 8});
    Tensor *turns = tape_input(tape, "turns", SHAPE(2, 2), (real[]){0, 1, 1, 0});
    Tensor *weight = tape_input(tape, "w", SHAPE(2, 4), (real[]){1, 2, 3, 4, 5, 6, 7, 8});
    Tensor *y = op_rotary(tape, x, turns, 2);
    const real turned[] = {1, 2, 3, 4, -6, 5, -8, 7}, back[] = {1, 2, 3, 4, 6, -5, 8, -7};
    tape_backward(tape, op_sum(tape, op_multiply(tape, y, weight)));
    for (int i = 0; i < 8; i++) {
        ck_assert(y->data[i] == turned[i]);
        ck_assert(x->grad[i] == back[i]);
    }
    tape_free(tape);
}
END_TEST

/* The same numbers whatever the shape they are seen in, and empty tensors pass. */
START_TEST(empty_tensors)
{
    Tape *tape = tape_new(1);
    Tensor *none = tape_variable(tape, "none", SHAPE(0, 3), NULL);
    Tensor *w = tape_variable(tape, "w", SHAPE(3, 2), (real[]){1, 2, 3, 4, 5, 6});
    Tensor *y = op_matmul(tape, none, w);
    ck_assert_int_eq(y->shape.dim[0], 0);
    ck_assert_int_eq(y->shape.dim[1], 2);
    Tensor *loss = op_sum(tape, op_tanh(tape, op_softmax(tape, y, NULL)));
    tape_backward(tape, loss);
    ck_assert(loss->data[0] == 0 && w->grad[0] == 0);
    Tensor *deep =
        op_matmul(tape, tape_variable(tape, "a", SHAPE(2, 0), NULL), tape_variable(tape, "b", SHAPE(0, 2), NULL));
    ck_assert(deep->size == 4 && deep->data[0] == 0 && deep->data[3] == 0);
    tape_free(tape);
}
END_TEST

/* ---- misuse ------------------------------------------------------------------ */

static Tensor *of(Tape *tape, const char *name, Shape shape)
{
    return tape_variable(tape, name, shape, NULL);
}

#define MISUSE(statement, ...)                                                                                         \
    do {                                                                                                               \
        const char *said = DIES(1, statement);                                                                         \
        const char *parts[] = {__VA_ARGS__};                                                                           \
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)                                                      \
            ASSERT_SAYS(said, parts[i]);                                                                               \
        ASSERT_SAYS_LINE(said, __LINE__);                                                                              \
    } while (0)

START_TEST(misuse)
{
    Tape *tape = tape_new(1);
    Rng rng = rng_new(1, "misuse");
    Tensor *a = of(tape, "apple", SHAPE(2, 3)), *b = of(tape, "bread", SHAPE(2, 4)), *v = of(tape, "vine", SHAPE(4));
    Tensor *cube = of(tape, "cube", SHAPE(2, 3, 4)), *one = of(tape, "one", SCALAR);
    // clang-format off
    MISUSE(op_add(tape, a, b), "op_add", "'apple' [2, 3]", "'bread' [2, 4]");
    MISUSE(op_add(tape, v, b), "op_add", "'vine' [4]", "'bread' [2, 4]");
    MISUSE(op_subtract(tape, a, v), "op_subtract", "'apple' [2, 3]", "'vine' [4]");
    MISUSE(op_multiply(tape, a, b), "op_multiply", "'apple' [2, 3]", "'bread' [2, 4]");
    MISUSE(op_matmul(tape, a, b), "op_matmul", "'apple' [2, 3]", "'bread' [2, 4]");
    MISUSE(op_matmul(tape, a, cube), "op_matmul", "'apple' [2, 3]", "'cube' [2, 3, 4]");
    MISUSE(op_matmul(tape, one, a), "op_matmul", "'one' []", "'apple' [2, 3]");
    MISUSE(op_matmul_transposed(tape, a, b), "op_matmul_transposed", "'apple' [2, 3]", "'bread' [2, 4]");
    MISUSE(op_batched_matmul(tape, cube, a), "op_batched_matmul", "'cube' [2, 3, 4]", "'apple' [2, 3]");
    MISUSE(op_batched_matmul(tape, cube, cube), "op_batched_matmul", "'cube' [2, 3, 4]");
    MISUSE(op_batched_matmul(tape, v, v), "op_batched_matmul", "'vine' [4]");
    MISUSE(op_batched_matmul_transposed(tape, a, b), "op_batched_matmul_transposed", "'apple' [2, 3]", "'bread' [2, 4]");
    MISUSE(op_reshape(tape, a, SHAPE(4, 2)), "op_reshape", "'apple' [2, 3]", "[4, 2]");
    MISUSE(op_transpose(tape, a, 0, 2), "op_transpose", "'apple' [2, 3]", "axis 2");
    MISUSE(op_transpose(tape, a, -1, 0), "op_transpose", "'apple' [2, 3]", "axis -1");
    MISUSE(op_slice(tape, a, 1, 2, 4), "op_slice", "'apple' [2, 3]", "2 to 4");
    MISUSE(op_slice(tape, a, 1, 2, 2), "op_slice", "'apple' [2, 3]", "2 to 2");
    MISUSE(op_slice(tape, one, 0, 0, 1), "op_slice", "'one' []", "axis 0");
    MISUSE(op_concat(tape, ((Tensor *[]){a, b}), 2, 0), "op_concat", "'apple' [2, 3]", "'bread' [2, 4]");
    MISUSE(op_concat(tape, ((Tensor *[]){a, v}), 2, 1), "op_concat", "'apple' [2, 3]", "'vine' [4]");
    MISUSE(op_concat(tape, NULL, 0, 1), "op_concat", "nothing");
    MISUSE(op_embedding(tape, a, (int[]){0, 2}, SHAPE(2)), "op_embedding", "row 2", "'apple' [2, 3]");
    MISUSE(op_embedding(tape, a, (int[]){-1}, SHAPE(1)), "op_embedding", "row -1", "'apple' [2, 3]");
    MISUSE(op_embedding(tape, v, (int[]){0}, SHAPE(1)), "op_embedding", "'vine' [4]");
    MISUSE(op_embedding(tape, a, (int[]){0}, SHAPE(-1)), "op_embedding", "[-1]");
    MISUSE(op_softmax(tape, a, v), "op_softmax", "'apple' [2, 3]", "[4]");
    MISUSE(op_softmax(tape, a, cube), "op_softmax", "'apple' [2, 3]", "[2, 3, 4]");
    MISUSE(op_softmax(tape, of(tape, "nil", SHAPE(2, 0)), NULL), "op_softmax", "'nil' [2, 0]");
    MISUSE(op_layer_norm(tape, a, v, v, 1), "op_layer_norm", "'vine' [4]", "'apple' [2, 3]");
    MISUSE(op_cross_entropy(tape, a, ((int[]){0, 3})), "op_cross_entropy", "target 3 of row 1", "'apple' [2, 3]");
    MISUSE(op_cross_entropy(tape, a, ((int[]){-2, 0})), "op_cross_entropy", "target -2 of row 0", "'apple' [2, 3]");
    MISUSE(op_mean_squared_error(tape, a, b), "op_mean_squared_error", "'apple' [2, 3]", "'bread' [2, 4]");
    MISUSE(op_dropout(tape, a, 1, &rng), "op_dropout", "not 1");
    MISUSE(op_dropout(tape, a, (real)NAN, &rng), "op_dropout", "not nan");
    MISUSE(op_rnn(tape, a, b, NULL, (Sequence){0}), "op_rnn", "'apple' [2, 3]", "'bread' [2, 4]");
    MISUSE(op_lstm(tape, cube, b, NULL, NULL, (Sequence){0}, NULL), "op_lstm", "'cube' [2, 3, 4]", "'bread' [2, 4]");
    MISUSE(op_gru(tape, cube, b, v, NULL, (Sequence){0}), "op_gru", "'cube' [2, 3, 4]", "'bread' [2, 4]");
    // clang-format on
    tape_free(tape);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ops");
    test_add(suite, "equals_pytorch", equals_pytorch);
    test_add(suite, "every_fixture_is_used", every_fixture_is_used);
    test_add(suite, "a_row_without_an_allowed_element_is_zero", a_row_without_an_allowed_element_is_zero);
    test_add(suite, "masked_elements_do_not_matter", masked_elements_do_not_matter);
    test_add(suite, "softmax_of_large_numbers", softmax_of_large_numbers);
    test_add(suite, "cross_entropy_keeps_its_digits", cross_entropy_keeps_its_digits);
    test_add(suite, "cross_entropy_of_ignored_rows_only", cross_entropy_of_ignored_rows_only);
    test_add(suite, "relu_at_the_edges", relu_at_the_edges);
    test_add(suite, "dropout", dropout);
    test_add(suite, "rotary", rotary);
    test_add(suite, "empty_tensors", empty_tensors);
    test_add(suite, "misuse", misuse);
    return test_run(suite);
}
