/* transformer.c: attention by its definition, masks that do not leak, and the
 * gradient of whole blocks. */
#include <math.h>

#include "maths.h"
#include "test.h"
#include "transformer.h"

enum { B = 2, T = 5, D = 8, HEADS = 2 };

static Tensor *random_input(Tape *tape, const char *name, Shape shape, const char *stream)
{
    Rng rng = rng_new(1, stream);
    Tensor *tensor = tape_variable(tape, name, shape, NULL);
    for (size_t i = 0; i < tensor->size; i++)
        tensor->data[i] = rng_normal(&rng);
    return tensor;
}

START_TEST(attention_is_its_definition)
{
    Tape *tape = tape_new(1);
    Tensor *q = random_input(tape, "q", SHAPE(T, D), "q"), *k = random_input(tape, "k", SHAPE(T, D), "k");
    Tensor *v = random_input(tape, "v", SHAPE(T, D), "v"), *weights;
    Tensor *y = scaled_dot_product_attention(tape, q, k, v, NULL, &weights);
    for (int t = 0; t < T; t++) {
        double e[T], sum = 0;
        for (int s = 0; s < T; s++) {
            double dot = 0;
            for (int i = 0; i < D; i++)
                dot += (double)q->data[t * D + i] * (double)k->data[s * D + i];
            sum += e[s] = exp(dot / sqrt(D));
        }
        for (int s = 0; s < T; s++)
            ck_assert_double_eq_tol((double)weights->data[t * T + s], e[s] / sum, 1e-6);
        for (int i = 0; i < D; i++) {
            double want = 0;
            for (int s = 0; s < T; s++)
                want += e[s] / sum * (double)v->data[s * D + i];
            ck_assert_double_eq_tol((double)y->data[t * D + i], want, 1e-6);
        }
    }
    tape_free(tape);
}
END_TEST

/* Changing the future changes nothing before it, to the bit. */
START_TEST(causal_mask_does_not_leak)
{
    for (int pre = 0; pre < 2; pre++) {
        Rng rng = rng_new(2, "leak");
        Parameters *parameters = parameters_new();
        Block layer = block_new(parameters, "block",
                                (BlockSettings){.d = D, .heads = HEADS, .feed_forward = 4 * D, .pre_norm = pre}, &rng);
        Tape *tape = tape_new(1);
        Tensor *x = random_input(tape, "x", SHAPE(B, T, D), "x");
        Tensor *y = block(tape, &layer, x, (BlockView){.mask = mask_causal(tape, T)});
        Tensor *changed = tape_variable(tape, "changed", x->shape, x->data);
        for (int b = 0; b < B; b++)
            changed->data[(b * T + T - 1) * D] += 100;
        Tensor *z = block(tape, &layer, changed, (BlockView){.mask = mask_causal(tape, T)});
        for (int b = 0; b < B; b++) {
            ck_assert_mem_eq(y->data + b * T * D, z->data + b * T * D, (T - 1) * D * sizeof(real));
            ck_assert(memcmp(y->data + (b * T + T - 1) * D, z->data + (b * T + T - 1) * D, D * sizeof(real)) != 0);
        }
        tape_free(tape);
        parameters_free(parameters);
    }
}
END_TEST

START_TEST(padding_gets_weight_zero)
{
    Rng rng = rng_new(3, "padding");
    const int lengths[B] = {3, 5};
    Parameters *parameters = parameters_new();
    Attention layer = attention_new(parameters, "attention", D, HEADS, &rng);
    Tape *tape = tape_new(1);
    Tensor *x = random_input(tape, "x", SHAPE(B, T, D), "x"), *weights;
    attention(tape, &layer, x, x, mask_padding(tape, lengths, B, HEADS, T, T, false), &weights);
    for (int b = 0; b < B; b++)
        for (int row = 0; row < HEADS * T; row++) {
            real sum = 0;
            for (int s = 0; s < T; s++) {
                real w = weights->data[(b * HEADS * T + row) * T + s];
                ck_assert(s < lengths[b] ? w > 0 : w == 0);
                sum += w;
            }
            ck_assert_double_eq_tol((double)sum, 1, 1e-6);
        }
    tape_free(tape);
    parameters_free(parameters);
}
END_TEST

static Tensor *loss_of(Tape *tape, const Block *layer, Tensor *x, Tensor *memory)
{
    Tensor *y = block(tape, layer, x, (BlockView){.mask = mask_causal(tape, T), .memory = memory});
    return op_sum(tape, op_multiply(tape, y, random_input(tape, "weights", y->shape, "weights")));
}

START_TEST(gradients)
{
    if (!REAL_IS_DOUBLE)
        return;
    for (int kind = 0; kind < 4; kind++) {
        Rng rng = rng_new(4, "gradients");
        Parameters *parameters = parameters_new();
        Block layer = block_new(
            parameters, "block",
            (BlockSettings){
                .d = D, .heads = HEADS, .feed_forward = 2 * D, .pre_norm = kind & 1, .gelu = true, .cross = kind >> 1},
            &rng);
        Tape *tape = tape_new(1);
        Tensor *x = random_input(tape, "x", SHAPE(B, T, D), "x"),
               *memory = random_input(tape, "m", SHAPE(B, 3, D), "m");
        tape_backward(tape, loss_of(tape, &layer, x, memory));
        Tensor *checked[] = {x, memory, layer.self.key.weight, layer.inner.bias, layer.self_norm.gain};
        for (int c = 0; c < 5; c++)
            for (size_t i = 0; checked[c]->grad && i < checked[c]->size; i += 3) {
                if (checked[c] == memory && !layer.settings.cross)
                    continue;
                const real step = (real)1e-5;
                real kept = checked[c]->data[i], loss[2];
                for (int side = 0; side < 2; side++) {
                    checked[c]->data[i] = kept + (side ? step : -step);
                    loss[side] = loss_of(tape, &layer, x, memory)->data[0];
                }
                checked[c]->data[i] = kept;
                double numeric = (double)((loss[1] - loss[0]) / (2 * step)), exact = (double)checked[c]->grad[i];
                ck_assert_msg(fabs(numeric - exact) / fmax(fabs(exact), 1) < 1e-6, "%s[%zu]: %g, not %g",
                              checked[c]->name, i, exact, numeric);
            }
        tape_free(tape);
        parameters_free(parameters);
    }
}
END_TEST

START_TEST(sinusoidal_positions)
{
    real table[50 * 6];
    positions_sinusoidal(table, 50, 6);
    for (int pos = 0; pos < 50; pos++)
        for (int i = 0; i < 6; i++) {
            double angle = pos / pow(10000, (i / 2 * 2) / 6.0);
            ck_assert_double_eq_tol((double)table[pos * 6 + i], i % 2 ? cos(angle) : sin(angle), 1e-7);
        }
}
END_TEST

START_TEST(heads_must_divide)
{
    Rng rng = rng_new(5, "misuse");
    attention_new(parameters_new(), "attention", 8, 3, &rng);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transformer");
    test_add(suite, "attention_is_its_definition", attention_is_its_definition);
    test_add(suite, "causal_mask_does_not_leak", causal_mask_does_not_leak);
    test_add(suite, "padding_gets_weight_zero", padding_gets_weight_zero);
    test_add(suite, "gradients", gradients);
    test_add(suite, "sinusoidal_positions", sinusoidal_positions);
    test_add_exit(suite, "heads_must_divide", heads_must_divide, 1);
    return test_run(suite);
}
