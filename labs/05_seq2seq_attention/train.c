/* Training: teacher forcing, or the model's own words. */
#include "train.h"

#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "memory.h"
#include "optim.h"

Tensor *teacher_forced_loss(Tape *tape, const Model *model, const TranslationBatch *batch)
{
    Memory memory = encode(tape, model, batch->source, batch->source_lengths, batch->source_steps, batch->size);
    Tensor *states = decode(tape, model, &memory, memory.start, batch->target_in, batch->target_steps); /* [T, B, H] */
    return op_cross_entropy(tape, read_out(tape, model, &memory, states, NULL), batch->target_out);
}

/* The word that is fed next is the one the model finds most likely now: no
 * gradient flows through that choice. */
Tensor *free_running_loss(Tape *tape, const Model *model, const TranslationBatch *batch)
{
    int b = batch->size, steps = batch->target_steps;
    Memory memory = encode(tape, model, batch->source, batch->source_lengths, batch->source_steps, b);
    int *words = memory_new((size_t)b, sizeof *words, "words");
    Tensor *state = memory.start, **scores = memory_new((size_t)steps, sizeof(Tensor *), "scores");
    for (int i = 0; i < b; i++)
        words[i] = TRANSLATION_SOS;
    for (int t = 0; t < steps; t++) {
        Tensor *states = decode(tape, model, &memory, state, words, 1);
        scores[t] = read_out(tape, model, &memory, states, NULL); /* [1, B, V] */
        state = op_reshape(tape, states, state->shape);
        for (int i = 0; i < b; i++)
            words[i] = argmax(scores[t]->data + i * model->settings.french, model->settings.french);
    }
    Tensor *loss = op_cross_entropy(tape, op_concat(tape, scores, steps, 0), batch->target_out);
    free(words);
    free(scores);
    return loss;
}

/* Constant for half of the time, then down to 5 %. */
static double rate_at(const TrainingSettings *settings, int step)
{
    double done = (double)step / settings->steps;
    return settings->rate * (done < 0.5 ? 1 : 1 - 0.95 * (2 * done - 1));
}

static void note(LossCurve *curve, const TrainingSettings *settings, int step, double loss, double *sum)
{
    *sum += loss;
    if (!curve || settings->every == 0 || (step + 1) % settings->every != 0)
        return;
    if (curve->points < MOST_POINTS) {
        curve->step[curve->points] = (real)(step + 1);
        curve->loss[curve->points++] = (real)(*sum / settings->every);
    }
    *sum = 0;
}

void train(const Model *model, const Pair *pairs, int n, TrainingSettings settings, Rng *rng, LossCurve *curve)
{
    Tape *tape = tape_new(1);
    Optimiser *adam = adam_new(model->parameters, (Adam){.rate = settings.rate});
    int *order = memory_new((size_t)n, sizeof *order, "an order"), batches = n / settings.batch;
    double sum = 0;
    if (curve)
        curve->points = 0;
    for (int step = 0; step < settings.steps; step++) {
        if (step % batches == 0)
            translation_order(pairs, n, settings.batch, rng, order);
        bool by_itself = rng_chance(rng, settings.free_running);
        TranslationBatch batch =
            translation_batch(pairs, order + step % batches * settings.batch, settings.batch, TIME_FIRST);
        tape_rewind(tape);
        Tensor *loss = by_itself ? free_running_loss(tape, model, &batch) : teacher_forced_loss(tape, model, &batch);
        tape_backward(tape, loss);
        clip_by_norm(model->parameters, 1);
        optimiser_set_rate(adam, rate_at(&settings, step));
        optimiser_step(adam);
        note(curve, &settings, step, (double)loss->data[0], &sum);
        translation_batch_free(&batch);
    }
    optimiser_free(adam);
    tape_free(tape);
    free(order);
}
