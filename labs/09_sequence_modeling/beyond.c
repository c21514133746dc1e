/* Step 5. Beyond what was trained: noise, other frequencies, longer inputs, further ahead. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"
#include "modeling.h"
#include "parallel.h"

/* One kind of trial: the same models on waves that differ in one thing. */
enum { MOST_TRIALS = 5 };
enum { REPEAT_LAST = ARMS, SECOND_ORDER, BEST_SINUSOID, ROWS };
typedef struct {
    const char *name[MOST_TRIALS];
    double at[MOST_TRIALS]; /* where it is drawn */
    WaveSettings settings[MOST_TRIALS];
    int n;
    double error[ROWS][MOST_TRIALS]; /* the arms, and behind them the three that need no training */
} Trial;

static const char *row_name(int row)
{
    static const char *const untrained[] = {"repeat the last", "AR(2)", "best sinusoid"};
    return row < ARMS ? competitors[row].name : untrained[row - ARMS];
}

static double forecast_row(int row, const Waves *waves)
{
    Forecast *const forecasts[] = {repeat_last, second_order, best_sinusoid};
    return forecast_error(forecasts[row - ARMS], waves, 0);
}

typedef struct {
    Modeling *self;
    const Waves *waves;
    Trial *trial;
    int i;
} OneTrial;

static void run_row(int row, void *context)
{
    OneTrial *one = context;
    one->trial->error[row][one->i] =
        row < ARMS ? study_error_on(one->self, EQUAL_STEPS, row, one->waves).mean : forecast_row(row, one->waves);
}

static void run_trial(Lab *lab, Modeling *self, Trial *trial)
{
    for (int i = 0; i < trial->n; i++) {
        Rng rng = lab_rng(lab, "waves beyond");
        Waves *waves = waves_new(trial->settings[i], self->tests);
        waves_draw(waves, &rng);
        OneTrial one = {.self = self, .waves = waves, .trial = trial, .i = i};
        parallel_for(lab->threads, ROWS, run_row, &one);
        waves_free(waves);
    }
}

static void tell_trial(Lab *lab, const Trial *trial, const char *heading)
{
    char text[256];
    int length = snprintf(text, sizeof text, "%s", heading);
    for (int i = 0; i < trial->n; i++)
        length += snprintf(text + length, sizeof text - (size_t)length, "\t%s", trial->name[i]);
    trace_table(lab->trace, text);
    for (int row = 0; row < ROWS; row++) {
        length = snprintf(text, sizeof text, "%s", row_name(row));
        for (int i = 0; i < trial->n; i++)
            length += snprintf(text + length, sizeof text - (size_t)length, "\t%.2g", trial->error[row][i]);
        trace_row(lab->trace, "%s", text);
    }
    trace_table_end(lab->trace);
}

static void draw_trial(Figure *figure, const Trial *trial, const char *title, const char *x_label)
{
    real x[MOST_TRIALS], error[MOST_TRIALS];
    Panel *panel = figure_panel(figure, title, x_label, "mean squared error");
    panel_log_y(panel);
    panel_range_y(panel, 1e-5, 20);
    for (int i = 0; i < trial->n; i++)
        x[i] = (real)trial->at[i];
    for (int row = 0; row < ROWS; row++) {
        int n = 0;
        for (int i = 0; i < trial->n; i++)
            if (trial->error[row][i] > 1e-6) /* AR(2) and the best sinusoid without noise */
                error[n++] = (real)trial->error[row][i];
        if (row == ARM_RNN64 || n == 0)
            continue;
        if (row == REPEAT_LAST)
            panel_reference(panel, row_name(row), x, error, n);
        else
            panel_line(panel, row_name(row), x + trial->n - n, error, n);
    }
}

/* ---- the trials -------------------------------------------------------------------- */

static Trial noise(void)
{
    static const double levels[] = {0, 0.1, 0.2, 0.3};
    Trial trial = {.name = {"none", "0.1", "0.2", "0.3"}, .n = 4};
    for (int i = 0; i < trial.n; i++) {
        trial.settings[i] = waves_usual();
        trial.settings[i].noise = trial.at[i] = levels[i];
    }
    return trial;
}

static Trial frequencies(void)
{
    static const double range[][2] = {{0.03, 0.1}, {0.1, 1}, {1, 1.2}, {1.2, 1.5}};
    Trial trial = {.name = {"0.03-0.1", "0.1-1", "1-1.2", "1.2-1.5"}, .n = 4};
    for (int i = 0; i < trial.n; i++) {
        trial.settings[i] = waves_usual();
        trial.settings[i].slow = range[i][0];
        trial.settings[i].fast = range[i][1];
        trial.at[i] = (range[i][0] + range[i][1]) / 2;
    }
    return trial;
}

static Trial lengths(void)
{
    static const int inputs[] = {20, 22, 25, 30, 40};
    Trial trial = {.name = {"20", "22", "25", "30", "40"}, .n = 5};
    for (int i = 0; i < trial.n; i++) {
        trial.settings[i] = waves_usual();
        trial.at[i] = trial.settings[i].inputs = inputs[i];
    }
    return trial;
}

/* ---- further ahead: each prediction becomes an input -------------------------------- */

typedef struct {
    Modeling *self;
    int waves;
    double error[ARMS][HORIZON]; /* mean over waves and runs */
} Horizon;

static void run_horizon(int arm, void *context)
{
    Horizon *horizon = context;
    Modeling *self = horizon->self;
    Waves *window = waves_new(waves_usual(), horizon->waves);
    real *next = memory_new((size_t)window->n, sizeof(real), "predictions");
    for (int run = 0; run < self->runs; run++) {
        for (int i = 0; i < window->n * INPUTS; i++)
            window->inputs[i] = self->test->inputs[i];
        for (int k = 0; k < HORIZON; k++) {
            model_answers(self->trained[EQUAL_STEPS][arm][run].model, window, next);
            for (int i = 0; i < window->n; i++) {
                double error = (double)next[i] - (double)self->test->targets[i * HORIZON + k];
                horizon->error[arm][k] += error * error / window->n / self->runs;
                real *x = window->inputs + i * INPUTS;
                for (int t = 1; t < INPUTS; t++)
                    x[t - 1] = x[t];
                x[INPUTS - 1] = next[i];
            }
        }
    }
    free(next);
    waves_free(window);
}

static void tell_horizon(Lab *lab, const Horizon *horizon)
{
    static const int ahead[] = {1, 2, 5, 10, 20};
    trace(lab->trace, "\nFurther ahead: each prediction is put behind the inputs and the window moves on by one.\n\n");
    trace_table(lab->trace, "values ahead\t1\t2\t5\t10\t20");
    for (int arm = 0; arm < ARMS; arm++)
        trace_row(lab->trace, "%s\t%.2g\t%.2g\t%.2g\t%.2g\t%.2g", competitors[arm].name, horizon->error[arm][0],
                  horizon->error[arm][1], horizon->error[arm][4], horizon->error[arm][9], horizon->error[arm][19]);
    double e[5];
    for (int i = 0; i < 5; i++)
        e[i] = forecast_error(repeat_last, horizon->self->test, ahead[i] - 1);
    trace_row(lab->trace, "repeat the last\t%.2g\t%.2g\t%.2g\t%.2g\t%.2g", e[0], e[1], e[2], e[3], e[4]);
    for (int i = 0; i < 5; i++)
        e[i] = forecast_error(second_order, horizon->self->test, ahead[i] - 1);
    trace_row(lab->trace, "AR(2)\t%.2g\t%.2g\t%.2g\t%.2g\t%.2g", e[0], e[1], e[2], e[3], e[4]);
    trace_table_end(lab->trace);
}

static void draw_horizon(Lab *lab, const Horizon *horizon)
{
    real x[HORIZON], y[HORIZON];
    Figure *figure = figure_begin(lab->figures, "horizon", "Predictions fed back");
    Panel *panel = figure_panel(figure, NULL, "values ahead", "mean squared error");
    panel_log_y(panel);
    panel_range_x(panel, 1, HORIZON);
    for (int arm = 0; arm < ARMS; arm++) {
        for (int k = 0; k < HORIZON; k++) {
            x[k] = (real)(k + 1);
            y[k] = (real)horizon->error[arm][k];
        }
        panel_line(panel, competitors[arm].name, x, y, HORIZON);
    }
    for (int k = 0; k < HORIZON; k++)
        y[k] = (real)forecast_error(repeat_last, horizon->self->test, k);
    panel_reference(panel, "repeat the last", x, y, HORIZON);
    figure_end(figure);
}

/* ---- trained on noise ----------------------------------------------------------------- */

/* The error of each arm trained with noise, on the waves of TRIAL's third setting. */
static void noisy_models(Lab *lab, Modeling *self, const Trial *trial, double error[ARMS])
{
    study_train(lab, self, NOISY, 0, ARMS - 1);
    Rng rng = lab_rng(lab, "waves beyond");
    Waves *waves = waves_new(trial->settings[2], self->tests);
    waves_draw(waves, &rng);
    double best = trial->error[BEST_SINUSOID][2];
    trace(lab->trace, "\nTrained with noise of %.1f too (%d run%s of each), on the same waves with noise of %.1f:\n\n",
          TRAINING_NOISE, self->noisy_runs, self->noisy_runs > 1 ? "s" : "", TRAINING_NOISE);
    trace_table(lab->trace, "model\ttrained clean\ttrained with noise\tover the best sinusoid");
    for (Arm arm = 0; arm < ARMS; arm++) {
        error[arm] = study_error_on(self, NOISY, arm, waves).mean;
        trace_row(lab->trace, "%s\t%.4f\t%.4f\t%.2f", competitors[arm].name, trial->error[arm][2], error[arm],
                  error[arm] / best);
    }
    trace_row(lab->trace, "AR(2)\t%.4f\t\t%.2f", trial->error[SECOND_ORDER][2], trial->error[SECOND_ORDER][2] / best);
    trace_row(lab->trace, "best sinusoid\t%.4f\t\t1.00", best);
    trace_table_end(lab->trace);
    waves_free(waves);
}

/* ---- claims ------------------------------------------------------------------------------ */

/* The smallest of A(arm) / B(arm) over the recurrent networks of equal size. */
static double least_ratio(const double *above, const double *below, Arm first, Arm last)
{
    double least = INFINITY;
    for (Arm arm = first; arm <= last; arm++)
        least = fmin(least, above[arm] / below[arm]);
    return least;
}

static void claim_noise(Lab *lab, const Trial *trial, const double noisy[ARMS])
{
    double clean[ARMS], repeat[ARMS], best = INFINITY;
    for (Arm arm = 0; arm < ARMS; arm++) {
        clean[arm] = trial->error[arm][2];
        repeat[arm] = trial->error[REPEAT_LAST][2];
        best = fmin(best, noisy[arm]);
    }
    claim(lab->claims,
          (Claim){.id = "clean-training-is-fragile",
                  .source = "noise in the inputs",
                  .statement = "recurrent networks trained on clean waves are worse than repeating the last "
                               "value once inputs have noise of 0.2 (ratio, the least)",
                  .measured = least_ratio(clean, repeat, ARM_RNN64, ARM_GRU),
                  .test = ABOVE,
                  .bound = 1});
    claim(lab->claims, (Claim){.id = "networks-average-noise",
                               .source = "noise in the inputs",
                               .statement = "trained with noise, the best network is well below AR(2) (AR(2)'s error "
                                            "divided by its)",
                               .measured = trial->error[SECOND_ORDER][2] / best,
                               .test = AT_LEAST,
                               .bound = 2});
}

static void claim_ranges(Lab *lab, const Trial *frequency, const Trial *length)
{
    double outside[ARMS], inside[ARMS], recurrent = 0;
    for (Arm arm = 0; arm < ARMS; arm++) {
        inside[arm] = frequency->error[arm][1];
        outside[arm] = frequency->error[arm][3];
        recurrent = fmax(recurrent, arm >= ARM_RNN64 && arm <= ARM_GRU ? length->error[arm][4] : 0);
    }
    claim(lab->claims,
          (Claim){.id = "unseen-frequencies",
                  .source = "AR(2) knows no range; a network knows what it has seen",
                  .statement = "at frequencies of 1.2 to 1.5 the error of each network is a multiple of that "
                               "inside the trained range (the least)",
                  .measured = least_ratio(outside, inside, 0, ARMS - 1),
                  .test = AT_LEAST,
                  .bound = 10});
    claim(lab->claims,
          (Claim){.id = "longer-transformer",
                  .source = "lab 07: places never seen",
                  .statement = "25 inputs instead of 20, and the Transformer is worse than repeating the last "
                               "value (ratio)",
                  .measured = length->error[ARM_TRANSFORMER][2] / length->error[REPEAT_LAST][2],
                  .test = ABOVE,
                  .bound = 1});
    claim(lab->claims, (Claim){.id = "longer-recurrent",
                               .source = "the same cell at each step",
                               .statement = "recurrent networks read 40 values as well as 20 (their worst error over "
                                            "that of repeating the last value)",
                               .measured = recurrent / length->error[REPEAT_LAST][4],
                               .test = AT_MOST,
                               .bound = 0.1,
                               .skipped = lab->quick ? "the models are trained for too few steps" : NULL});
}

static void claim_horizon(Lab *lab, const Horizon *horizon)
{
    double far[ARMS], transformer[ARMS], convolution[ARMS];
    for (Arm arm = 0; arm < ARMS; arm++) {
        far[arm] = horizon->error[arm][9];
        transformer[arm] = horizon->error[ARM_TRANSFORMER][9];
        convolution[arm] = horizon->error[ARM_CONVOLUTION][9];
    }
    claim(lab->claims,
          (Claim){.id = "horizon-transformer",
                  .source = "lecture: the Transformer is slightly better",
                  .statement = "10 values ahead, predictions fed back, the Transformer does have a smaller "
                               "error than RNN and LSTM of its size (ratio, the least)",
                  .measured = least_ratio(far, transformer, ARM_RNN, ARM_LSTM),
                  .test = ABOVE,
                  .bound = 1,
                  .skipped = lab->quick ? "the models are trained for too few steps" : NULL});
    claim(lab->claims, (Claim){.id = "horizon-convolution",
                               .source = "step 5: who wins where",
                               .statement = "and the convolution a smaller one than all others (ratio, the least)",
                               .measured = least_ratio(far, convolution, 0, ARM_GRU),
                               .test = ABOVE,
                               .bound = 1});
}

void step_beyond(Lab *lab, void *state)
{
    Modeling *self = state;
    double noisy[ARMS];
    study_train(lab, self, EQUAL_STEPS, 0, ARMS - 1);
    Trial trials[3] = {noise(), frequencies(), lengths()};
    for (int i = 0; i < 3; i++)
        run_trial(lab, self, &trials[i]);
    trace(lab->trace,
          "The models of equal steps, on waves that differ from training in one thing (mean squared\n"
          "error of the next, clean value, mean over the runs). Noise on the inputs, of standard deviation:\n\n");
    tell_trial(lab, &trials[0], "noise");
    noisy_models(lab, self, &trials[0], noisy);
    trace(lab->trace, "\nFrequencies (trained: 0.1 to 1):\n\n");
    tell_trial(lab, &trials[1], "frequency");
    trace(lab->trace, "\nInputs longer than trained (the convolution reads the last 20 only):\n\n");
    tell_trial(lab, &trials[2], "inputs");
    Horizon horizon = {.self = self, .waves = self->tests / 2};
    parallel_for(lab->threads, ARMS, run_horizon, &horizon);
    tell_horizon(lab, &horizon);
    trace(
        lab->trace,
        "\nA prediction's own error is noise in the next input: whoever multiplies noise (the first table) does so at\n"
        "every step here. The best one value ahead need not be the best twenty ahead.\n");
    draw_horizon(lab, &horizon);
    Figure *figure = figure_begin(lab->figures, "beyond", "Beyond what was trained");
    figure_layout(figure, 3, 560, 560);
    draw_trial(figure, &trials[0], "noise on the inputs", "standard deviation");
    draw_trial(figure, &trials[1], "frequencies (trained: 0.1 to 1)", "middle of the range, radians a step");
    draw_trial(figure, &trials[2], "longer inputs (trained: 20)", "values read");
    figure_end(figure);
    claim_noise(lab, &trials[0], noisy);
    claim_ranges(lab, &trials[1], &trials[2]);
    claim_horizon(lab, &horizon);
}
