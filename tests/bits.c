/* bits.c: the same bits on every machine: a network with every kind of layer is
 * trained for some steps, and the fingerprint of its weights is the one written
 * here.  A change of the order of a sum anywhere shows; if it is meant, the new
 * fingerprint (the test prints it) goes here, and into all expected traces. */
#include <inttypes.h>

#include "optim.h"
#include "test.h"
#include "transformer.h"

enum { B = 3, T = 13, D = 24, CLASSES = 11, STEPS = 12 };

static uint64_t train(int threads)
{
    Tape *tape = tape_new(threads);
    Parameters *p = parameters_new();
    Rng weights = rng_new(1, "weights"), data = rng_new(1, "data"), dropping = rng_new(1, "dropout");
    Tensor *table = parameter_normal(p, "table", SHAPE(50, D), (real)0.5, &weights);
    Recurrent rnn = recurrent_new(p, "rnn", CELL_RNN, D, D, &weights);
    Recurrent lstm = recurrent_new(p, "lstm", CELL_LSTM, D, D, &weights);
    Recurrent gru = recurrent_new(p, "gru", CELL_GRU, D, D, &weights);
    BlockSettings settings = {.d = D, .heads = 3, .feed_forward = 4 * D, .gelu = true, .dropout = (real)0.1};
    Block one = block_new(p, "block", settings, &weights);
    Linear head = linear_new(p, "head", D, CLASSES, &weights);
    real positions[T * D];
    positions_sinusoidal(positions, T, D);
    Optimiser *adam = adam_new(p, (Adam){.rate = 1e-2, .decay = 0.01});
    for (int step = 0; step < STEPS; step++) {
        int ids[T * B], targets[T * B], lengths[B] = {T, T - 4, T - 9};
        for (int i = 0; i < T * B; i++) {
            ids[i] = (int)rng_below(&data, 50);
            targets[i] = ids[i] % CLASSES;
        }
        tape_rewind(tape);
        Tensor *x = op_embedding(tape, table, ids, SHAPE(T, B));
        Tensor *h = recurrent(tape, &rnn, x, NULL, (Sequence){lengths, false});
        h = op_add(tape, h, recurrent(tape, &lstm, h, NULL, (Sequence){lengths, true}));
        h = op_add(tape, h, recurrent(tape, &gru, h, NULL, (Sequence){0}));
        Tensor *y = op_transpose(tape, h, 0, 1); /* [B, T, D] */
        y = op_add(tape, y, tape_input(tape, "positions", SHAPE(T, D), positions));
        y = block(tape, &one, y, (BlockView){.mask = mask_causal(tape, T), .dropout = &dropping});
        Tensor *logits = linear(tape, &head, op_transpose(tape, y, 0, 1));
        tape_backward(tape, op_cross_entropy(tape, logits, targets));
        clip_by_norm(p, 1);
        optimiser_set_rate(adam, 1e-2 * schedule_cosine(step, 3, STEPS, 0.1));
        optimiser_step(adam);
    }
    uint64_t hash = parameters_hash(p);
    optimiser_free(adam);
    parameters_free(p);
    tape_free(tape);
    return hash;
}

START_TEST(of_a_trained_network)
{
    uint64_t hash = train(1);
    ck_assert_uint_eq(train(2), hash);
    ck_assert_uint_eq(train(1), hash);
    if (!REAL_IS_DOUBLE) /* the double build takes tanh and erfc from the system */
        ck_assert_msg(hash == 0x7fca7e8326f282f2, "the fingerprint is 0x%016" PRIx64, hash);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bits");
    test_add(suite, "of_a_trained_network", of_a_trained_network);
    return test_run(suite);
}
