/* tape.c: what backward promises: the same gradients every time, every use
 * counted, nothing recorded in vain, no memory after the first step, and a loss
 * that is not finite traced to its source. */
#define _GNU_SOURCE
#include "tape.h"

#include <math.h>
#include <pthread.h>

#include "dies.h"
#include "nn.h"
#include "optim.h"

/* A small network with everything in it that could go wrong twice. */
static Tensor *network(Tape *tape, Tensor *x, Tensor *w, Tensor *gain)
{
    Tensor *h = op_tanh(tape, op_matmul(tape, x, w));
    h = op_layer_norm(tape, op_matmul(tape, h, w), gain, gain, (real)1e-5);
    Tensor *parts[] = {h, x, h, h, x, x, op_multiply(tape, h, h)}; /* more inputs than a node has room for */
    Tensor *all = op_concat(tape, parts, 7, 1);
    return op_mean(tape, op_multiply(tape, op_softmax(tape, op_multiply(tape, all, all), NULL), all));
}

static Tensor *filled(Tensor *tensor, const char *stream)
{
    Rng rng = rng_new(1, stream);
    for (size_t i = 0; i < tensor->size; i++)
        tensor->data[i] = rng_normal(&rng);
    return tensor;
}

START_TEST(backward_twice_gives_the_same_bytes)
{
    Tape *tape = tape_new(1);
    Tensor *x = filled(tape_variable(tape, "x", SHAPE(5, 6), NULL), "x");
    Tensor *w = filled(tape_variable(tape, "w", SHAPE(6, 6), NULL), "w");
    Tensor *gain = filled(tape_variable(tape, "gain", SHAPE(6), NULL), "gain");
    Tensor *loss = op_sum(tape, op_exp(tape, network(tape, x, w, gain)));
    loss = op_add(tape, loss, op_mean(tape, op_multiply(tape, w, w)));
    tape_backward(tape, loss);
    real first[5 * 6 + 6 * 6 + 6];
    memcpy(first, x->grad, sizeof(real) * 30);
    memcpy(first + 30, w->grad, sizeof(real) * 36);
    memcpy(first + 66, gain->grad, sizeof(real) * 6);
    ck_assert(first[0] != 0 && first[30] != 0 && first[66] != 0);
    for (int again = 0; again < 3; again++) {
        tape_backward(tape, loss);
        ck_assert_mem_eq(first, x->grad, sizeof(real) * 30);
        ck_assert_mem_eq(first + 30, w->grad, sizeof(real) * 36);
        ck_assert_mem_eq(first + 66, gain->grad, sizeof(real) * 6);
    }
    tape_free(tape);
}
END_TEST

/* y = w + w + ... + w and w w w: every use adds its part. */
START_TEST(a_parameter_used_many_times)
{
    Tape *tape = tape_new(1);
    Tensor *w = tape_variable(tape, "w", SCALAR, (real[]){3});
    Tensor *sum = w, *product = w;
    for (int i = 1; i < 100; i++)
        sum = op_add(tape, sum, w);
    tape_backward(tape, sum);
    ck_assert(sum->data[0] == 300 && w->grad[0] == 100);
    product = op_multiply(tape, op_multiply(tape, w, w), w);
    tape_backward(tape, product);
    ck_assert(product->data[0] == 27 && w->grad[0] == 27); /* 3 w^2; the other branch adds nothing */
    tape_free(tape);
}
END_TEST

START_TEST(gradient_of_an_input)
{
    Tape *tape = tape_new(1);
    Tensor *x = tape_variable(tape, "x", SHAPE(3), (real[]){1, 2, 3});
    Tensor *fixed = tape_input(tape, "fixed", SHAPE(3), (real[]){4, 5, 6});
    Tensor *loss = op_sum(tape, op_multiply(tape, x, fixed));
    tape_backward(tape, loss);
    ck_assert(x->grad[0] == 4 && x->grad[1] == 5 && x->grad[2] == 6);
    ck_assert_ptr_null(fixed->grad);
    tape_free(tape);
}
END_TEST

/* Of equal shapes, so that the gradients of passing tensors use the same memory. */
static Tensor *chain(Tape *tape, Tensor *x, bool passing)
{
    for (int i = 0; i < 5; i++) {
        Tensor *y = op_tanh(tape, x);
        Tensor *z = op_multiply(tape, op_add(tape, y, x), y); /* y is used twice, x three times */
        if (passing) {
            tape_passing(y);
            tape_passing(z);
        }
        x = z;
    }
    return op_sum(tape, x);
}

START_TEST(a_passing_gradient_is_used_and_gone)
{
    Tape *tape = tape_new(1);
    real data[] = {(real)0.3, (real)-1.2, (real)2.5};
    real gradient[2][3];
    for (int passing = 0; passing < 2; passing++) {
        tape_rewind(tape);
        Tensor *x = tape_variable(tape, "x", SHAPE(3), data);
        Tensor *loss = chain(tape, x, passing);
        Tensor *aside = tape_passing(op_scale(tape, x, 2)); /* the loss does not depend on it */
        for (int times = 0; times < 3; times++) {
            tape_backward(tape, loss);
            ck_assert(times == 0 || memcmp(gradient[passing], x->grad, sizeof data) == 0);
            memcpy(gradient[passing], x->grad, sizeof data);
        }
        ck_assert(loss->grad && !aside->grad && gradient[passing][0] != 0);
    }
    ck_assert_mem_eq(gradient[0], gradient[1], sizeof data);
    tape_free(tape);
}
END_TEST

START_TEST(zeros_where_no_data_is_given)
{
    Tape *tape = tape_new(1);
    filled(tape_input(tape, "junk", SHAPE(1000), NULL), "junk");
    tape_rewind(tape);
    Tensor *x = tape_input(tape, "x", SHAPE(1000), NULL);
    for (int i = 0; i < 1000; i++)
        ck_assert(x->data[i] == 0);
    tape_free(tape);
}
END_TEST

START_TEST(nothing_is_recorded_in_vain)
{
    Tape *tape = tape_new(1);
    Tensor *x = filled(tape_input(tape, "x", SHAPE(5, 6), NULL), "x");
    Tensor *w = filled(tape_variable(tape, "w", SHAPE(6, 6), NULL), "w");
    Tensor *gain = filled(tape_variable(tape, "gain", SHAPE(6), NULL), "gain");
    Tensor *recorded = network(tape, x, w, gain);
    tape_record(tape, false);
    size_t before = arena_used(tape_arena(tape));
    Tensor *plain = network(tape, x, w, gain);
    size_t inference = arena_used(tape_arena(tape)) - before;
    ck_assert_ptr_null(plain->grad);
    ck_assert_mem_eq(plain->data, recorded->data, sizeof(real));
    ck_assert_msg(inference < before, "inference takes %zu bytes, training %zu", inference, before);
    tape_record(tape, true);
    Tensor *constant = op_add(tape, x, x);
    ck_assert_ptr_null(constant->grad);
    tape_free(tape);
}
END_TEST

START_TEST(after_the_first_step_no_memory_is_asked_for)
{
    Tape *tape = tape_new(2);
    Parameters *parameters = parameters_new();
    Rng rng = rng_new(1, "weights");
    Linear first = linear_new(parameters, "first", 50, 200, &rng),
           second = linear_new(parameters, "second", 200, 7, &rng);
    Recurrent cell = recurrent_new(parameters, "cell", CELL_GRU, 50, 50, &rng);
    Optimiser *adam = adam_new(parameters, (Adam){.rate = 1e-3});
    size_t used = 0;
    int blocks = 0;
    for (int step = 0; step < 5; step++) {
        tape_rewind(tape);
        Tensor *x = filled(tape_input(tape, "x", SHAPE(6, 20, 50), NULL), "x");
        Tensor *h = recurrent(tape, &cell, x, NULL, (Sequence){0});
        int targets[120] = {0};
        Tensor *y = linear(tape, &second, op_relu(tape, linear(tape, &first, h)));
        tape_backward(tape, op_cross_entropy(tape, y, targets));
        clip_by_norm(parameters, 1);
        optimiser_step(adam);
        if (step > 0) {
            ck_assert_int_eq(arena_blocks(tape_arena(tape)), blocks);
            ck_assert_uint_eq(arena_used(tape_arena(tape)), used);
        }
        blocks = arena_blocks(tape_arena(tape));
        used = arena_used(tape_arena(tape));
    }
    optimiser_free(adam);
    parameters_free(parameters);
    tape_free(tape);
}
END_TEST

START_TEST(tensors_remember_their_line)
{
    Tape *tape = tape_new(1);
    Tensor *x = tape_variable(tape, "x", SHAPE(2), NULL);
    ck_assert_int_eq(x->where.line, __LINE__ - 1);
    Tensor *y = op_mean_squared_error(tape, op_add(tape, x, x), x);
    ck_assert_int_eq(y->where.line, __LINE__ - 1);
    ck_assert_str_eq(where_file(y->where), "tape.c");
    ck_assert_str_eq(y->where.file, __FILE__);
    tape_free(tape);
}
END_TEST

START_TEST(a_bad_loss_names_its_source)
{
    Tape *tape = tape_new(1);
    Tensor *w = tape_variable(tape, "w", SHAPE(3), (real[]){1, 2, 0});
    Tensor *logs = tensor_named("logs", op_log(tape, w));
    int line = __LINE__ - 1;
    Tensor *loss = op_sum(tape, op_multiply(tape, logs, op_exp(tape, logs)));
    ck_assert_ptr_eq(tape_first_nonfinite(tape), logs);
    const char *said = DIES(1, (tape_backward(tape, loss), 0));
    ASSERT_SAYS(said, "the loss is");
    ASSERT_SAYS(said, "'logs'");
    ASSERT_SAYS_LINE(said, line);
    w->data[1] = (real)INFINITY;
    ck_assert_ptr_eq(tape_first_nonfinite(tape), w);
    tape_free(tape);
}
END_TEST

/* A parameter is not on the tape; its line is where the lab made it. */
START_TEST(a_bad_parameter_is_named_too)
{
    Tape *tape = tape_new(1);
    Parameters *parameters = parameters_new();
    Tensor *w = parameter_constant(parameters, "decoder.weight", SHAPE(2), (real)NAN);
    int line = __LINE__ - 1;
    Tensor *loss = op_sum(tape, op_tanh(tape, w));
    const char *said = DIES(1, (tape_backward(tape, loss), 0));
    ASSERT_SAYS(said, "'decoder.weight'");
    ASSERT_SAYS_LINE(said, line);
    parameters_free(parameters);
    tape_free(tape);
}
END_TEST

/* A bad number in the second input of a concatenation of many. */
START_TEST(a_bad_input_among_many)
{
    Tape *tape = tape_new(1);
    Tensor *x = tape_variable(tape, "x", SHAPE(1), (real[]){1});
    Tensor *bad = tape_input(tape, "bad", SHAPE(1), (real[]){(real)NAN});
    Tensor *parts[] = {x, x, x, x, x, x, x, bad, x};
    Tensor *y = op_concat(tape, parts, 9, 0);
    (void)y;
    ck_assert_ptr_eq(tape_first_nonfinite(tape), bad);
    tape_free(tape);
}
END_TEST

START_TEST(misuse)
{
    Tape *tape = tape_new(1);
    Tensor *x = tape_variable(tape, "x", SHAPE(2, 3), NULL), *fixed = tape_input(tape, "fixed", SCALAR, NULL);
    Tensor *y = op_add(tape, x, x);
    const char *said = DIES(1, (tape_backward(tape, y), 0));
    ASSERT_SAYS(said, "the loss 'op_add' must be one number, its shape is [2, 3]");
    ASSERT_SAYS_LINE(said, __LINE__ - 2);
    said = DIES(1, (tape_backward(tape, fixed), 0));
    ASSERT_SAYS(said, "'fixed' does not depend on any tensor that wants a gradient");
    said = DIES(1, tape_input(tape, "x", SHAPE(-1), NULL));
    ASSERT_SAYS_LINE(said, __LINE__ - 1);
    tape_free(tape);
    tape_free(NULL);
}
END_TEST

/* Two models trained in two threads at once, reading the same data: each is
 * bit for bit what it is alone. */
typedef struct {
    const Tensor *data;
    uint64_t seed, hash;
} Training;

static void *train(void *argument)
{
    Training *training = argument;
    Tape *tape = tape_new(1);
    Parameters *parameters = parameters_new();
    Rng rng = rng_new(training->seed, "weights");
    Linear layer = linear_new(parameters, "layer", 40, 40, &rng);
    Optimiser *sgd = sgd_new(parameters, (Sgd){.rate = 0.1, .momentum = 0.9});
    for (int step = 0; step < 50; step++) {
        tape_rewind(tape);
        Tensor *y = op_tanh(tape, linear(tape, &layer, (Tensor *)training->data));
        tape_backward(tape, op_mean_squared_error(tape, y, (Tensor *)training->data));
        optimiser_step(sgd);
    }
    training->hash = parameters_hash(parameters);
    optimiser_free(sgd);
    parameters_free(parameters);
    tape_free(tape);
    return NULL;
}

START_TEST(two_tapes_in_two_threads)
{
    Tape *tape = tape_new(1);
    Tensor *data = filled(tape_input(tape, "data", SHAPE(30, 40), NULL), "data");
    Training together[2] = {{data, 1, 0}, {data, 2, 0}}, alone[2] = {{data, 1, 0}, {data, 2, 0}};
    pthread_t thread[2];
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, train, &together[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < 2; i++) {
        train(&alone[i]);
        ck_assert_uint_eq(together[i].hash, alone[i].hash);
    }
    ck_assert_uint_ne(alone[0].hash, alone[1].hash);
    tape_free(tape);
}
END_TEST

/* The number of threads of one tape changes no bit either. */
START_TEST(threads_do_not_change_the_numbers)
{
    real gradient[2][200 * 200];
    for (int threads = 1; threads <= 2; threads++) {
        Tape *tape = tape_new(threads);
        Tensor *x = filled(tape_input(tape, "x", SHAPE(150, 200), NULL), "x");
        Tensor *w = filled(tape_variable(tape, "w", SHAPE(200, 200), NULL), "w");
        tape_backward(tape, op_mean(tape, op_tanh(tape, op_matmul(tape, x, w))));
        memcpy(gradient[threads - 1], w->grad, sizeof gradient[0]);
        tape_free(tape);
    }
    ck_assert_mem_eq(gradient[0], gradient[1], sizeof gradient[0]);
}
END_TEST

/* Memory that held numbers of the step before is not taken for a gradient. */
START_TEST(what_the_loss_does_not_depend_on_has_gradient_zero)
{
    Tape *tape = tape_new(1);
    filled(tape_input(tape, "junk", SHAPE(1000), NULL), "junk");
    tape_rewind(tape);
    Tensor *x = filled(tape_variable(tape, "x", SHAPE(20), NULL), "x");
    Tensor *aside = filled(tape_variable(tape, "aside", SHAPE(20), NULL), "aside");
    Tensor *unused = op_tanh(tape, aside);
    tape_backward(tape, op_sum(tape, x));
    for (int i = 0; i < 20; i++)
        ck_assert(x->grad[i] == 1 && aside->grad[i] == 0 && unused->grad[i] == 0);
    tape_free(tape);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tape");
    test_add(suite, "backward_twice_gives_the_same_bytes", backward_twice_gives_the_same_bytes);
    test_add(suite, "a_parameter_used_many_times", a_parameter_used_many_times);
    test_add(suite, "gradient_of_an_input", gradient_of_an_input);
    test_add(suite, "a_passing_gradient_is_used_and_gone", a_passing_gradient_is_used_and_gone);
    test_add(suite, "zeros_where_no_data_is_given", zeros_where_no_data_is_given);
    test_add(suite, "nothing_is_recorded_in_vain", nothing_is_recorded_in_vain);
    test_add(suite, "after_the_first_step_no_memory_is_asked_for", after_the_first_step_no_memory_is_asked_for);
    test_add(suite, "tensors_remember_their_line", tensors_remember_their_line);
    test_add(suite, "a_bad_loss_names_its_source", a_bad_loss_names_its_source);
    test_add(suite, "a_bad_parameter_is_named_too", a_bad_parameter_is_named_too);
    test_add(suite, "a_bad_input_among_many", a_bad_input_among_many);
    test_add(suite, "misuse", misuse);
    test_add(suite, "two_tapes_in_two_threads", two_tapes_in_two_threads);
    test_add(suite, "threads_do_not_change_the_numbers", threads_do_not_change_the_numbers);
    test_add(suite, "what_the_loss_does_not_depend_on_has_gradient_zero",
             what_the_loss_does_not_depend_on_has_gradient_zero);
    return test_run(suite);
}
