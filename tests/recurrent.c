/* recurrent.c: the fused cells equal their equations in small operations, padded
 * rows equal rows by themselves, and reversing equals reversed input. */
#include <math.h>

#include "maths.h"
#include "ops.h"
#include "test.h"

enum { T = 5, B = 3, H = 7 };
typedef enum { RNN, LSTM, GRU, KINDS } Kind;
static const int gates_of[KINDS] = {1, 4, 3};
#define TOLERANCE (REAL_IS_DOUBLE ? 1e-12 : 2e-6)

/* The same random tensors for both ways of computing. */
typedef struct {
    Tensor *inputs, *weight, *bias, *start, *start_cell;
} Model;

static Tensor *random_variable(Tape *tape, Rng *rng, const char *name, Shape shape)
{
    Tensor *tensor = tape_variable(tape, name, shape, NULL);
    for (size_t i = 0; i < tensor->size; i++)
        tensor->data[i] = rng_normal(rng) / 2;
    return tensor;
}

static Model model_new(Tape *tape, Kind kind, int steps, int batch)
{
    Rng rng = rng_new(1, "recurrent");
    int gates = gates_of[kind] * H;
    Model model;
    model.inputs = random_variable(tape, &rng, "inputs", SHAPE(steps, batch, gates));
    model.weight = random_variable(tape, &rng, "weight", SHAPE(H, gates));
    model.bias = random_variable(tape, &rng, "bias", SHAPE(gates));
    model.start = random_variable(tape, &rng, "start", SHAPE(batch, H));
    model.start_cell = random_variable(tape, &rng, "start_cell", SHAPE(batch, H));
    return model;
}

static Tensor *fused(Tape *tape, Kind kind, const Model *m, Sequence sequence)
{
    if (kind == RNN)
        return op_rnn(tape, m->inputs, m->weight, m->start, sequence);
    if (kind == LSTM)
        return op_lstm(tape, m->inputs, m->weight, m->start, m->start_cell, sequence, NULL);
    return op_gru(tape, m->inputs, m->weight, m->bias, m->start, sequence);
}

static Tensor *gate(Tape *tape, Tensor *x, int i)
{
    return op_slice(tape, x, 1, i * H, (i + 1) * H);
}

/* c = f c + i g, h = o tanh c */
static Tensor *lstm_step(Tape *tape, Tensor *a, Tensor **c)
{
    Tensor *i = op_sigmoid(tape, gate(tape, a, 0)), *f = op_sigmoid(tape, gate(tape, a, 1));
    Tensor *g = op_tanh(tape, gate(tape, a, 2)), *o = op_sigmoid(tape, gate(tape, a, 3));
    *c = op_add(tape, op_multiply(tape, f, *c), op_multiply(tape, i, g));
    return op_multiply(tape, o, op_tanh(tape, *c));
}

/* h = (1 - z) n + z h = n + z (h - n) */
static Tensor *gru_step(Tape *tape, Tensor *a, Tensor *u, Tensor *h)
{
    Tensor *r = op_sigmoid(tape, op_add(tape, gate(tape, a, 0), gate(tape, u, 0)));
    Tensor *z = op_sigmoid(tape, op_add(tape, gate(tape, a, 1), gate(tape, u, 1)));
    Tensor *n = op_tanh(tape, op_add(tape, gate(tape, a, 2), op_multiply(tape, r, gate(tape, u, 2))));
    return op_add(tape, n, op_multiply(tape, z, op_subtract(tape, h, n)));
}

/* All hidden states [T, B, H] by the equations, one step after the other. */
static Tensor *by_hand(Tape *tape, Kind kind, const Model *m)
{
    Tensor *h = m->start, *c = m->start_cell, *states[T];
    for (int t = 0; t < T; t++) {
        Tensor *x = op_reshape(tape, op_slice(tape, m->inputs, 0, t, t + 1), SHAPE(B, gates_of[kind] * H));
        Tensor *product = op_matmul(tape, h, m->weight);
        if (kind == RNN)
            h = op_tanh(tape, op_add(tape, x, product));
        else if (kind == LSTM)
            h = lstm_step(tape, op_add(tape, x, product), &c);
        else
            h = gru_step(tape, x, op_add(tape, product, m->bias), h);
        states[t] = op_reshape(tape, h, SHAPE(1, B, H));
    }
    return op_concat(tape, states, T, 0);
}

/* A loss in which every hidden state has a weight of its own. */
static Tensor *weighted_sum(Tape *tape, Tensor *states)
{
    Rng rng = rng_new(2, "loss");
    Tensor *weights = tape_input(tape, "weights", states->shape, NULL);
    for (size_t i = 0; i < weights->size; i++)
        weights->data[i] = rng_normal(&rng);
    return op_sum(tape, op_multiply(tape, states, weights));
}

static void assert_close(const char *what, const real *a, const real *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)a[i] - (double)b[i]) <= TOLERANCE * (1 + fabs((double)b[i])), "%s[%zu]: %g, not %g",
                      what, i, (double)a[i], (double)b[i]);
}

START_TEST(fused_equals_the_equations)
{
    for (Kind kind = 0; kind < KINDS; kind++) {
        Tape *one = tape_new(1), *other = tape_new(1);
        Model a = model_new(one, kind, T, B), b = model_new(other, kind, T, B);
        Tensor *fast = fused(one, kind, &a, (Sequence){0}), *slow = by_hand(other, kind, &b);
        tape_backward(one, weighted_sum(one, fast));
        tape_backward(other, weighted_sum(other, slow));
        assert_close("states", fast->data, slow->data, fast->size);
        assert_close("inputs'", a.inputs->grad, b.inputs->grad, a.inputs->size);
        assert_close("weight'", a.weight->grad, b.weight->grad, a.weight->size);
        assert_close("start'", a.start->grad, b.start->grad, a.start->size);
        if (kind == LSTM)
            assert_close("start_cell'", a.start_cell->grad, b.start_cell->grad, a.start_cell->size);
        if (kind == GRU)
            assert_close("bias'", a.bias->grad, b.bias->grad, a.bias->size);
        tape_free(one);
        tape_free(other);
    }
}
END_TEST

/* Copies row ROW of a [T, B, n] tensor, LENGTH steps, into TO [length, 1, n]. */
static void copy_row(const Tensor *from, int row, int length, Tensor *to)
{
    int batch = from->shape.dim[1], n = from->shape.dim[2];
    for (int t = 0; t < length; t++)
        memcpy(to->data + (size_t)t * n, from->data + ((size_t)t * batch + row) * n, n * sizeof(real));
}

START_TEST(padding_changes_nothing)
{
    const int lengths[B] = {5, 2, 3};
    for (int reverse = 0; reverse < 2; reverse++)
        for (Kind kind = 0; kind < KINDS; kind++) {
            Tape *tape = tape_new(1);
            Model whole = model_new(tape, kind, T, B);
            Tensor *states = fused(tape, kind, &whole, (Sequence){lengths, reverse});
            Tensor *last = op_slice(tape, states, 0, reverse ? 0 : T - 1, reverse ? 1 : T);
            tape_backward(tape, op_sum(tape, last));
            for (int row = 0; row < B; row++) {
                Tape *alone = tape_new(1);
                Model one = model_new(alone, kind, lengths[row], 1);
                copy_row(whole.inputs, row, lengths[row], one.inputs);
                memcpy(one.weight->data, whole.weight->data, whole.weight->size * sizeof(real));
                memcpy(one.bias->data, whole.bias->data, whole.bias->size * sizeof(real));
                memcpy(one.start->data, whole.start->data + row * H, H * sizeof(real));
                memcpy(one.start_cell->data, whole.start_cell->data + row * H, H * sizeof(real));
                Tensor *own = fused(alone, kind, &one, (Sequence){NULL, reverse});
                int final = reverse ? 0 : lengths[row] - 1;
                tape_backward(alone, op_sum(alone, op_slice(alone, own, 0, final, final + 1)));
                assert_close("last state", last->data + row * H, own->data + (size_t) final * H, H);
                assert_close("start'", whole.start->grad + row * H, one.start->grad, H);
                for (int t = 0; t < T; t++)
                    for (int j = 0; j < gates_of[kind] * H; j++) {
                        double padded = (double)whole.inputs->grad[(t * B + row) * gates_of[kind] * H + j];
                        double own_grad = t < lengths[row] ? (double)one.inputs->grad[t * gates_of[kind] * H + j] : 0;
                        ck_assert_double_eq_tol(padded, own_grad, TOLERANCE);
                    }
                tape_free(alone);
            }
            tape_free(tape);
        }
}
END_TEST

START_TEST(two_backward_passes_agree)
{
    Tape *tape = tape_new(1);
    Model m = model_new(tape, LSTM, T, B);
    Tensor *cells, *states = op_lstm(tape, m.inputs, m.weight, m.start, m.start_cell, (Sequence){0}, &cells);
    Tensor *loss = op_add(tape, op_sum(tape, states), op_sum(tape, cells));
    tape_backward(tape, loss);
    real *first = malloc(m.weight->size * sizeof(real));
    memcpy(first, m.weight->grad, m.weight->size * sizeof(real));
    tape_backward(tape, loss);
    ck_assert_mem_eq(first, m.weight->grad, m.weight->size * sizeof(real));
    free(first);
    tape_free(tape);
}
END_TEST

/* dLoss/dWeight against central differences, in the double build. */
START_TEST(gradients)
{
    if (!REAL_IS_DOUBLE)
        return;
    const real step = (real)1e-6;
    const int lengths[B] = {5, 2, 3};
    for (Kind kind = 0; kind < KINDS; kind++) {
        Tape *tape = tape_new(1);
        Model m = model_new(tape, kind, T, B);
        tape_backward(tape, weighted_sum(tape, fused(tape, kind, &m, (Sequence){lengths, false})));
        for (size_t i = 0; i < m.weight->size; i += 5) {
            real kept = m.weight->data[i], loss[2];
            for (int side = 0; side < 2; side++) {
                m.weight->data[i] = kept + (side ? step : -step);
                loss[side] = weighted_sum(tape, fused(tape, kind, &m, (Sequence){lengths, false}))->data[0];
            }
            m.weight->data[i] = kept;
            double numeric = (double)((loss[1] - loss[0]) / (2 * step)), exact = (double)m.weight->grad[i];
            ck_assert_double_lt(fabs(numeric - exact) / fmax(fabs(exact), 0.1), 1e-6);
        }
        tape_free(tape);
    }
}
END_TEST

START_TEST(wrong_gates_are_misuse)
{
    Tape *tape = tape_new(1);
    Tensor *inputs = tape_variable(tape, "x", SHAPE(T, B, 3 * H), NULL);
    Tensor *weight = tape_variable(tape, "W_h", SHAPE(H, 4 * H), NULL);
    op_lstm(tape, inputs, weight, NULL, NULL, (Sequence){0}, NULL);
}
END_TEST

/* Backwards through a sequence is forwards through the reversed one. */
START_TEST(reversing_is_reversed_input)
{
    for (Kind kind = 0; kind < KINDS; kind++) {
        Tape *tape = tape_new(1);
        Model m = model_new(tape, kind, T, B), turned = m;
        int each = B * gates_of[kind] * H;
        turned.inputs = tape_variable(tape, "turned", m.inputs->shape, NULL);
        for (int t = 0; t < T; t++)
            memcpy(turned.inputs->data + (size_t)t * each, m.inputs->data + (size_t)(T - 1 - t) * each,
                   each * sizeof(real));
        Tensor *backwards = fused(tape, kind, &m, (Sequence){NULL, true});
        Tensor *forwards = fused(tape, kind, &turned, (Sequence){NULL, false});
        for (int t = 0; t < T; t++)
            ck_assert_mem_eq(backwards->data + (size_t)t * B * H, forwards->data + (size_t)(T - 1 - t) * B * H,
                             B * H * sizeof(real));
        tape_free(tape);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recurrent");
    test_add(suite, "fused_equals_the_equations", fused_equals_the_equations);
    test_add(suite, "padding_changes_nothing", padding_changes_nothing);
    test_add(suite, "two_backward_passes_agree", two_backward_passes_agree);
    test_add(suite, "gradients", gradients);
    test_add_exit(suite, "wrong_gates_are_misuse", wrong_gates_are_misuse, 1);
    test_add(suite, "reversing_is_reversed_input", reversing_is_reversed_input);
    return test_run(suite);
}
