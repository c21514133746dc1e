/* nn.c: parameters start where they should, and layers name the line that calls
 * them.  That layers compute the right numbers is for layers.c and gradients.c. */
#define _GNU_SOURCE
#include "nn.h"

#include <math.h>

#include "dies.h"
#include "transformer.h"

typedef struct {
    double mean, sd, low, high;
} Moments;

static Moments moments(const Tensor *tensor)
{
    Moments m = {0, 0, INFINITY, -INFINITY};
    for (size_t i = 0; i < tensor->size; i++) {
        double x = (double)tensor->data[i];
        m.mean += x / tensor->size;
        m.sd += x * x / tensor->size;
        m.low = fmin(m.low, x);
        m.high = fmax(m.high, x);
    }
    m.sd = sqrt(m.sd - m.mean * m.mean);
    return m;
}

START_TEST(first_values)
{
    Parameters *parameters = parameters_new();
    Rng rng = rng_new(1, "weights");
    Tensor *zeros = parameter_zeros(parameters, "zeros", SHAPE(30)), *half;
    half = parameter_constant(parameters, "half", SHAPE(30), (real)0.5);
    for (int i = 0; i < 30; i++)
        ck_assert(zeros->data[i] == 0 && half->data[i] == (real)0.5 && half->grad[i] == 0);
    Moments m = moments(parameter_normal(parameters, "normal", SHAPE(200, 100), (real)0.3, &rng));
    ck_assert_double_eq_tol(m.mean, 0, 0.01);
    ck_assert_double_eq_tol(m.sd, 0.3, 0.006);
    m = moments(parameter_uniform(parameters, "uniform", SHAPE(200, 100), (real)0.2, &rng));
    ck_assert_double_eq_tol(m.mean, 0, 0.004);
    ck_assert_double_eq_tol(m.sd, 0.2 / sqrt(3), 0.004);
    ck_assert(m.low >= (double)(real)-0.2 && m.low < -0.199 && m.high < 0.2 && m.high > 0.199);
    m = moments(parameter_glorot(parameters, "glorot", SHAPE(200, 100), &rng));
    ck_assert_double_eq_tol(m.sd, sqrt(2.0 / 300), 0.002); /* Glorot & Bengio 2010, eq. 12 */
    ck_assert_int_eq(parameters->n, 5);
    ck_assert_uint_eq(parameters_count(parameters), 60060);
    parameters_free(parameters);
    parameters_free(NULL);
}
END_TEST

START_TEST(orthogonal_matrices)
{
    enum { N = 24 };
    Parameters *parameters = parameters_new();
    Rng rng = rng_new(2, "weights");
    const real gain = (real)1.5;
    Tensor *w = parameter_orthogonal(parameters, "w", N, gain, &rng);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double dot = 0;
            for (int k = 0; k < N; k++)
                dot += (double)w->data[i * N + k] * (double)w->data[j * N + k];
            ck_assert_double_eq_tol(dot, i == j ? 2.25 : 0, 1e-5);
        }
    parameters_free(parameters);
}
END_TEST

START_TEST(parameters_are_many_and_keep_their_names)
{
    Parameters *parameters = parameters_new();
    char name[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "w%d", i);
        parameter_constant(parameters, name, SHAPE(i % 7, 3), (real)i);
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "w%d", i);
        ck_assert_str_eq(parameters->tensor[i]->name, name);
        ck_assert(parameters->tensor[i]->size == 0 || parameters->tensor[i]->data[0] == (real)i);
    }
    parameters_free(parameters);
}
END_TEST

START_TEST(the_fingerprint_sees_every_bit)
{
    Parameters *parameters = parameters_new();
    Tensor *a = parameter_zeros(parameters, "a", SHAPE(10)), *b = parameter_zeros(parameters, "b", SHAPE(10));
    uint64_t before = parameters_hash(parameters);
    a->data[3] = (real)-0.0;
    ck_assert_uint_ne(parameters_hash(parameters), before);
    a->data[3] = 0;
    ck_assert_uint_eq(parameters_hash(parameters), before);
    b->data[9] = (real)1e-30;
    ck_assert_uint_ne(parameters_hash(parameters), before);
    parameters_free(parameters);
}
END_TEST

START_TEST(names_of_layers)
{
    Parameters *parameters = parameters_new();
    Rng rng = rng_new(3, "weights");
    linear_new(parameters, "head", 3, 2, &rng);
    layer_norm_new(parameters, "norm", 3);
    recurrent_new(parameters, "gru", CELL_GRU, 3, 2, &rng);
    const char *names[] = {"head.weight",      "head.bias",  "norm.gain", "norm.bias",
                           "gru.input_weight", "gru.weight", "gru.bias",  "gru.recurrent_bias"};
    ck_assert_int_eq(parameters->n, 8);
    for (int i = 0; i < 8; i++)
        ck_assert_str_eq(parameters->tensor[i]->name, names[i]);
    parameters_free(parameters);
}
END_TEST

/* What is inside a layer stands on the line of the lab that calls it. */
START_TEST(layers_stand_on_the_callers_line)
{
    Parameters *parameters = parameters_new();
    Rng rng = rng_new(4, "weights");
    Linear layer = linear_new(parameters, "head", 3, 2, &rng);
    ck_assert_int_eq(layer.bias->where.line, __LINE__ - 1);
    ck_assert_str_eq(layer.bias->where.file, __FILE__);
    LayerNorm norm = layer_norm_new(parameters, "norm", 3);
    Recurrent cell = recurrent_new(parameters, "lstm", CELL_LSTM, 3, 2, &rng);
    Attention heads = attention_new(parameters, "heads", 4, 2, &rng);
    Tape *tape = tape_new(1);
    Tensor *x = tape_input(tape, "x", SHAPE(5, 4), NULL);
    const char *said = DIES(1, linear(tape, &layer, x));
    ASSERT_SAYS(said, "op_linear: 'x' [5, 4], weight 'head.weight' [3, 2] and bias");
    ASSERT_SAYS_LINE(said, __LINE__ - 2);
    said = DIES(1, layer_norm(tape, &norm, x));
    ASSERT_SAYS(said, "'norm.gain' [3]");
    ASSERT_SAYS_LINE(said, __LINE__ - 2);
    said = DIES(1, recurrent(tape, &cell, x, NULL, (Sequence){0}));
    ASSERT_SAYS_LINE(said, __LINE__ - 1);
    said = DIES(1, attention(tape, &heads, x, x, NULL, NULL));
    ASSERT_SAYS(said, "attention: 'x' [5, 4] must have the shape [batch, positions, 4]");
    ASSERT_SAYS_LINE(said, __LINE__ - 2);
    said = DIES(1, (attention_new(parameters, "odd", 4, 3, &rng), 0));
    ASSERT_SAYS(said, "attention 'odd': 3 heads do not divide the width 4");
    ASSERT_SAYS_LINE(said, __LINE__ - 2);
    said = DIES(1, parameter_zeros(parameters, "w", SHAPE(-2)));
    ASSERT_SAYS(said, "'w': the shape [-2]");
    ASSERT_SAYS_LINE(said, __LINE__ - 2);
    tape_free(tape);
    parameters_free(parameters);
}
END_TEST

START_TEST(a_gate_that_is_not_there)
{
    Parameters *parameters = parameters_new();
    Rng rng = rng_new(3, "weights");
    Recurrent gru = recurrent_new(parameters, "gru", CELL_GRU, 3, 2, &rng);
    recurrent_set_bias(&gru, GRU_UPDATE, 5);
    for (int j = 0; j < 6; j++) {
        ck_assert_int_eq(gru.bias->data[j] == 5, j / 2 == GRU_UPDATE);
        ck_assert_int_eq(gru.recurrent_bias->data[j] == 0, j / 2 == GRU_UPDATE);
    }
    ASSERT_SAYS(DIES(1, (recurrent_set_bias(&gru, LSTM_OUTPUT, 1), 0)), "'gru.bias' has no gate 3");
    parameters_free(parameters);
}
END_TEST

/* Uniform in -1/sqrt(H) ... 1/sqrt(H), whatever the number of inputs. */
START_TEST(first_values_of_recurrent_layers)
{
    Parameters *parameters = parameters_new();
    Rng rng = rng_new(3, "weights");
    Recurrent gru = recurrent_new(parameters, "gru", CELL_GRU, 400, 25, &rng);
    Tensor *all[] = {gru.input_weight, gru.weight, gru.bias, gru.recurrent_bias};
    for (int i = 0; i < 4; i++) {
        Moments m = moments(all[i]);
        ck_assert(m.low >= (double)(real)-0.2 && m.low < -0.18 && m.high < 0.2 && m.high > 0.18);
    }
    parameters_free(parameters);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nn");
    test_add(suite, "first_values", first_values);
    test_add(suite, "orthogonal_matrices", orthogonal_matrices);
    test_add(suite, "parameters_are_many_and_keep_their_names", parameters_are_many_and_keep_their_names);
    test_add(suite, "the_fingerprint_sees_every_bit", the_fingerprint_sees_every_bit);
    test_add(suite, "names_of_layers", names_of_layers);
    test_add(suite, "layers_stand_on_the_callers_line", layers_stand_on_the_callers_line);
    test_add(suite, "a_gate_that_is_not_there", a_gate_that_is_not_there);
    test_add(suite, "first_values_of_recurrent_layers", first_values_of_recurrent_layers);
    return test_run(suite);
}
