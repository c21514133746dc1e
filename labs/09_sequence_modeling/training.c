/* Training and testing: the same for all five. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"
#include "models.h"

/* The part of a fixed set that one step reads: rows drawn with replacement. */
static void draw_rows(const Waves *all, Waves *batch, Rng *rng)
{
    int inputs = all->settings.inputs;
    for (int i = 0; i < batch->n; i++) {
        int row = (int)rng_below(rng, (uint64_t)all->n);
        for (int t = 0; t < inputs; t++)
            batch->inputs[i * inputs + t] = all->inputs[row * inputs + t];
        batch->targets[i] = all->targets[row];
    }
}

static Tensor *loss_of(Tape *tape, const Model *model, const Waves *batch)
{
    Tensor *x = tape_input(tape, "x", SHAPE(batch->n, batch->settings.inputs, 1), batch->inputs);
    Tensor *y = tape_input(tape, "y", SHAPE(batch->n, 1), batch->targets);
    return op_mean_squared_error(tape, model_predict(tape, model, x, NULL), y);
}

static double rate_at(const Training *training, int step)
{
    int warmup = (int)(training->warmup * training->steps);
    return training->rate * schedule_cosine(step, warmup, training->steps, 0);
}

/* Writes down which tensor went bad; tape_backward would end the program here. */
static void not_finite(Outcome *outcome, const Tape *tape)
{
    const Tensor *bad = tape_first_nonfinite(tape);
    outcome->diverged = true;
    snprintf(outcome->tensor, sizeof outcome->tensor, "%s", bad ? bad->name : "loss");
    outcome->where = bad ? bad->where : HERE;
}

static void look(const Model *model, const Training *training, int step)
{
    for (int k = 0; k < training->looks; k++)
        if (step == training->steps * (k + 1) / training->looks)
            training->curve[k] = (real)model_error(model, training->test);
}

/* One step; false where the loss is not finite. */
static bool train_step(Tape *tape, Model *model, const Training *training, Optimiser *optimiser, const Waves *batch,
                       Outcome *outcome)
{
    tape_rewind(tape);
    Tensor *loss = loss_of(tape, model, batch);
    outcome->loss = (double)loss->data[0];
    if (training->loss_curve)
        training->loss_curve[outcome->steps] = loss->data[0];
    if (!isfinite(outcome->loss))
        return false;
    tape_backward(tape, loss);
    double norm =
        training->clip > 0 ? clip_by_norm(model->parameters, training->clip) : gradient_norm(model->parameters);
    outcome->largest_norm = fmax(outcome->largest_norm, norm);
    optimiser_set_rate(optimiser, rate_at(training, outcome->steps));
    optimiser_step(optimiser);
    return true;
}

Outcome model_train(Model *model, const Training *training, Rng *rng)
{
    Outcome outcome = {0};
    WaveSettings settings = training->fixed ? training->fixed->settings : training->waves;
    Waves *batch = waves_new(settings, training->batch);
    Tape *tape = tape_new(1);
    Optimiser *optimiser = training->sgd ? sgd_new(model->parameters, (Sgd){.rate = training->rate})
                                         : adam_new(model->parameters, (Adam){.rate = training->rate});
    while (outcome.steps < training->steps && !outcome.diverged) {
        if (training->fixed)
            draw_rows(training->fixed, batch, rng);
        else
            waves_draw(batch, rng);
        if (train_step(tape, model, training, optimiser, batch, &outcome))
            look(model, training, ++outcome.steps);
        else
            not_finite(&outcome, tape);
    }
    optimiser_free(optimiser);
    tape_free(tape);
    waves_free(batch);
    return outcome;
}

void model_answers(const Model *model, const Waves *waves, real *answers)
{
    enum { AT_ONCE = 100 };
    int inputs = waves->settings.inputs;
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    for (int from = 0; from < waves->n; from += AT_ONCE) {
        int n = waves->n - from < AT_ONCE ? waves->n - from : AT_ONCE;
        tape_rewind(tape);
        Tensor *x = tape_input(tape, "x", SHAPE(n, inputs, 1), waves->inputs + from * inputs);
        const real *y = model_predict(tape, model, x, NULL)->data;
        for (int i = 0; i < n; i++)
            answers[from + i] = y[i];
    }
    tape_free(tape);
}

double model_error(const Model *model, const Waves *waves)
{
    real *answers = memory_new((size_t)waves->n, sizeof(real), "answers");
    model_answers(model, waves, answers);
    double sum = 0;
    for (int i = 0; i < waves->n; i++) {
        double error = (double)answers[i] - (double)waves->targets[i * waves->settings.ahead];
        sum += error * error;
    }
    free(answers);
    return sum / waves->n;
}
