/* stack.c: many blocks on top of each other, and the task they are trained on. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "maths.h"
#include "measure.h"
#include "memory.h"
#include "transformer_block.h"

Stack stack_new(StackSettings settings, Rng *rng)
{
    Stack stack = {.settings = settings, .parameters = parameters_new()};
    BlockSettings block = {
        .d = settings.d, .heads = settings.heads, .feed_forward = settings.feed_forward, .pre_norm = settings.pre_norm};
    char name[32];
    stack.embedding = parameter_normal(stack.parameters, "embedding", SHAPE(settings.letters, settings.d), 1, rng);
    stack.block = memory_new((size_t)settings.layers, sizeof *stack.block, "the blocks");
    for (int l = 0; l < settings.layers; l++) {
        snprintf(name, sizeof name, "block %d", l + 1);
        stack.block[l] = block_new(stack.parameters, name, block, rng);
    }
    stack.last = layer_norm_new(stack.parameters, "last", settings.d);
    stack.answer = linear_new(stack.parameters, "answer", settings.d, settings.letters, rng);
    return stack;
}

void stack_free(Stack *stack)
{
    free(stack->block);
    parameters_free(stack->parameters);
}

Tensor *stack_read(Tape *tape, const Stack *stack, const int *ids, int batch, int length, Tensor **states)
{
    const StackSettings *settings = &stack->settings;
    Tensor *table = tape_input(tape, "positions", SHAPE(length, settings->d), NULL);
    positions_sinusoidal(table->data, length, settings->d);
    Tensor *x = op_add(tape, op_embedding(tape, stack->embedding, ids, SHAPE(batch, length)), table); /* [B, T, d] */
    bool whole = !settings->robbed.no_norm && !settings->robbed.no_residual;
    for (int l = 0; l < settings->layers; l++) {
        if (states)
            states[l] = x;
        x = whole ? block(tape, &stack->block[l], x, (BlockView){0})
                  : block_written_out(tape, &stack->block[l], x, (BlockView){0}, settings->robbed, NULL);
    }
    if (states)
        states[settings->layers] = x;
    if (settings->pre_norm && !settings->robbed.no_norm)
        x = layer_norm(tape, &stack->last, x);
    return linear(tape, &stack->answer, x);
}

/* ---- sorting ------------------------------------------------------------------ */

void sorting_draw(Rng *rng, int letters, int batch, int length, int *ids, int *sorted)
{
    for (int b = 0; b < batch; b++, ids += length, sorted += length)
        for (int t = 0; t < length; t++) { /* insertion sort, letter by letter */
            int letter = ids[t] = (int)rng_below(rng, (uint64_t)letters), at = t;
            for (; at > 0 && sorted[at - 1] > letter; at--)
                sorted[at] = sorted[at - 1];
            sorted[at] = letter;
        }
}

static double accuracy(const Stack *stack, Tape *tape, int length, Rng *rng)
{
    enum { ROWS = 100, TOGETHER = 20 }; /* twenty at a time: the states of all layers are kept */
    int letters = stack->settings.letters, right = 0, all = ROWS * length, some = TOGETHER * length;
    int *ids = memory_new((size_t)all, sizeof *ids, "letters"),
        *sorted = memory_new((size_t)all, sizeof *sorted, "letters");
    sorting_draw(rng, letters, ROWS, length, ids, sorted);
    tape_record(tape, false);
    for (int at = 0; at < all; at += some) {
        tape_rewind(tape);
        const real *logits = stack_read(tape, stack, ids + at, TOGETHER, length, NULL)->data;
        for (int i = 0; i < some; i++)
            right += argmax(logits + i * letters, letters) == sorted[at + i];
    }
    free(ids);
    free(sorted);
    return (double)right / all;
}

double stack_train(const Stack *stack, Training training, real *loss, Rng *letters)
{
    size_t n = (size_t)training.batch * (size_t)training.length;
    int *ids = memory_new(n, sizeof *ids, "letters"), *sorted = memory_new(n, sizeof *sorted, "letters");
    Optimiser *adam = adam_new(stack->parameters, (Adam){.rate = training.rate});
    Tape *tape = tape_new(1);
    for (int step = 0; step < training.steps; step++) {
        sorting_draw(letters, stack->settings.letters, training.batch, training.length, ids, sorted);
        tape_rewind(tape);
        Tensor *logits = stack_read(tape, stack, ids, training.batch, training.length, NULL);
        Tensor *mean = op_cross_entropy(tape, logits, sorted);
        if (loss)
            loss[step] = mean->data[0];
        if (!isfinite((double)mean->data[0])) /* it is lost: what was learned so far counts */
            break;
        tape_backward(tape, mean);
        if (!isfinite(clip_by_norm(stack->parameters, 1)))
            break;
        optimiser_set_rate(adam, training.rate * schedule_cosine(step, training.warmup, training.steps, 0.05));
        optimiser_step(adam);
    }
    double right = accuracy(stack, tape, training.length, letters);
    optimiser_free(adam);
    tape_free(tape);
    free(ids);
    free(sorted);
    return right;
}
