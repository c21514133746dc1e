/* The study: every competitor, trained under every budget, over several runs. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "maths.h"
#include "modeling.h"
#include "parallel.h"

/* About 12,800 parameters each, but for the lecture's RNN.  The costs are times of a
 * training step that were measured once, on one thread, and then written here: a time
 * that is measured in the run would make the results depend on the machine. */
const Competitor competitors[ARMS] = {
    [ARM_TRANSFORMER] = {"Transformer", {.kind = TRANSFORMER, .width = 32}, 0.01, 100},
    [ARM_RNN64] = {"RNN 64", {.kind = RNN, .width = 64}, 0.01, 52},
    [ARM_RNN] = {"RNN 112", {.kind = RNN, .width = 112}, 0.005, 135},
    [ARM_LSTM] = {"LSTM 55", {.kind = LSTM, .width = 55}, 0.02, 255},
    [ARM_GRU] = {"GRU 64", {.kind = GRU, .width = 64}, 0.02, 192},
    [ARM_CONVOLUTION] = {"convolution", {.kind = CONVOLUTION, .width = 32, .inner = 59}, 0.005, 88},
};

Rng run_rng(const Lab *lab, const char *purpose, int run)
{
    char name[64];
    snprintf(name, sizeof name, "%s %d", purpose, run);
    return lab_rng(lab, name);
}

int study_runs(const Modeling *self, Budget budget)
{
    return budget == NOISY ? self->noisy_runs : self->runs;
}

int study_steps(const Modeling *self, Budget budget, Arm arm)
{
    return budget == EQUAL_TIME ? self->steps * 100 / competitors[arm].cost : self->steps;
}

Training study_training(Arm arm, int steps)
{
    return (Training){.waves = waves_usual(),
                      .steps = steps,
                      .batch = BATCH,
                      .rate = competitors[arm].rate,
                      .warmup = 0.05,
                      .clip = 1};
}

const Waves *study_test(Lab *lab, Modeling *self)
{
    if (!self->test) {
        WaveSettings settings = waves_usual();
        settings.ahead = HORIZON;
        Rng rng = lab_rng(lab, "test waves"), look = lab_rng(lab, "waves to look at");
        waves_draw(self->test = waves_new(settings, self->tests), &rng);
        waves_draw(self->look = waves_new(settings, self->looked_at), &look);
    }
    return self->test;
}

typedef struct {
    Lab *lab;
    Modeling *self;
    Budget budget;
    Arm arm[ARMS * MOST_RUNS];
    int run[ARMS * MOST_RUNS];
    int n, done;
    pthread_mutex_t lock; /* for the progress bar */
} Jobs;

/* Weights and waves depend on the run alone: all arms of a run see the same waves. */
static void one_model(int index, void *context)
{
    Jobs *jobs = context;
    Modeling *self = jobs->self;
    Arm arm = jobs->arm[index];
    Trained *trained = &self->trained[jobs->budget][arm][jobs->run[index]];
    Rng weights = run_rng(jobs->lab, "weights", jobs->run[index]),
        waves = run_rng(jobs->lab, "waves", jobs->run[index]);
    Training training = study_training(arm, study_steps(self, jobs->budget, arm));
    training.waves.noise = jobs->budget == NOISY ? TRAINING_NOISE : 0;
    training.looks = jobs->budget == NOISY ? 0 : LOOKS;
    training.test = self->look;
    training.curve = trained->curve;
    Model *model = model_new(competitors[arm].settings, INPUTS, &weights);
    double start = clock_thread_seconds();
    trained->outcome = model_train(model, &training, &waves);
    trained->seconds = clock_thread_seconds() - start;
    trained->error = model_error(model, self->test);
    trained->model = model;
    pthread_mutex_lock(&jobs->lock);
    jobs->done++;
    progress_update(jobs->lab->progress, jobs->done, "%d models of %d", jobs->done, jobs->n);
    pthread_mutex_unlock(&jobs->lock);
}

void study_train(Lab *lab, Modeling *self, Budget budget, Arm first, Arm last)
{
    Jobs jobs = {.lab = lab, .self = self, .budget = budget};
    study_test(lab, self);
    for (int run = 0; run < study_runs(self, budget); run++)
        for (Arm arm = first; arm <= last; arm++)
            if (!self->trained[budget][arm][run].model) {
                jobs.arm[jobs.n] = arm;
                jobs.run[jobs.n++] = run;
            }
    pthread_mutex_init(&jobs.lock, NULL);
    progress_begin(lab->progress, "training", jobs.n);
    parallel_for(lab->threads, jobs.n, one_model, &jobs);
    progress_end(lab->progress);
    pthread_mutex_destroy(&jobs.lock);
}

void study_free(Modeling *self)
{
    for (int budget = 0; budget < BUDGETS; budget++)
        for (int arm = 0; arm < ARMS; arm++)
            for (int run = 0; run < MOST_RUNS; run++)
                if (self->trained[budget][arm][run].model)
                    model_free(self->trained[budget][arm][run].model);
    if (self->test) {
        waves_free(self->test);
        waves_free(self->look);
    }
    free(self->values);
}

Spread spread_of(const double *values, int n)
{
    Spread spread = {0};
    for (int i = 0; i < n; i++) {
        spread.mean += values[i] / n;
        spread.geometric += log64(fmax(values[i], 1e-300)) / n;
    }
    for (int i = 0; i < n; i++)
        spread.sd += (values[i] - spread.mean) * (values[i] - spread.mean);
    spread.sd = n > 1 ? sqrt(spread.sd / (n - 1)) : 0;
    spread.geometric = exp64(spread.geometric);
    return spread;
}

Spread study_error(const Modeling *self, Budget budget, Arm arm)
{
    double errors[MOST_RUNS];
    int n = study_runs(self, budget);
    for (int run = 0; run < n; run++)
        errors[run] = self->trained[budget][arm][run].error;
    return spread_of(errors, n);
}

Spread study_error_on(const Modeling *self, Budget budget, Arm arm, const Waves *waves)
{
    double errors[MOST_RUNS];
    int n = study_runs(self, budget);
    for (int run = 0; run < n; run++)
        errors[run] = model_error(self->trained[budget][arm][run].model, waves);
    return spread_of(errors, n);
}
