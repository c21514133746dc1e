/* Step 7. Which inputs a prediction needs: one place at a time, the value of another wave. */
#include <math.h>
#include <stdio.h>

#include "modeling.h"
#include "parallel.h"

typedef struct {
    Modeling *self;
    double rise[ARMS][INPUTS]; /* of the mean squared error, mean over runs, by distance */
} Importance;

static void copy(const Waves *from, Waves *to)
{
    for (int i = 0; i < to->n * INPUTS; i++)
        to->inputs[i] = from->inputs[i];
    for (int i = 0; i < to->n; i++)
        to->targets[i] = from->targets[i * from->settings.ahead];
}

/* At place T every wave gets the value of the next wave: as likely a value, but the wrong one. */
static void one_arm(int arm, void *context)
{
    Importance *importance = context;
    Modeling *self = importance->self;
    Waves *waves = waves_new(waves_usual(), self->looked_at);
    for (int k = 0; k < INPUTS; k++) {
        int t = INPUTS - 1 - k;
        copy(self->look, waves);
        for (int i = 0; i < waves->n; i++)
            waves->inputs[i * INPUTS + t] = self->look->inputs[(i + 1) % waves->n * INPUTS + t];
        importance->rise[arm][k] = study_error_on(self, EQUAL_STEPS, arm, waves).mean;
    }
    copy(self->look, waves);
    double clean = study_error_on(self, EQUAL_STEPS, arm, waves).mean;
    for (int k = 0; k < INPUTS; k++)
        importance->rise[arm][k] = fmax(importance->rise[arm][k] - clean, 1e-6);
    waves_free(waves);
}

static double share_of_last(const Importance *importance, int arm, int n)
{
    double last = 0, all = 0;
    for (int k = 0; k < INPUTS; k++) {
        all += importance->rise[arm][k];
        last += k < n ? importance->rise[arm][k] : 0;
    }
    return last / all;
}

static void tell(Lab *lab, const Importance *importance)
{
    trace(lab->trace,
          "Attention says where a model looks, not what the answer depends on. So one place at a time is\n"
          "given the value that another wave has there, and the rise of the error is measured. (AR(2) needs\n"
          "the last two and, for c, a little of all.)\n\n");
    trace_table(lab->trace, "distance\t0\t1\t2\t3\t5\t10\t15\t19\tshare of the last 4");
    for (int arm = 0; arm < ARMS; arm++) {
        const double *r = importance->rise[arm];
        trace_row(lab->trace, "%s\t%.2g\t%.2g\t%.2g\t%.2g\t%.2g\t%.2g\t%.2g\t%.2g\t%.2f", competitors[arm].name, r[0],
                  r[1], r[2], r[3], r[5], r[10], r[15], r[19], share_of_last(importance, arm, 4));
    }
    trace_table_end(lab->trace);
}

static void draw(Lab *lab, const Importance *importance)
{
    real x[INPUTS], y[INPUTS];
    Figure *figure = figure_begin(lab->figures, "position_importance", "One value replaced: how much the error rises");
    Panel *panel = figure_panel(figure, NULL, "distance from the last value", "rise of the mean squared error");
    panel_log_y(panel);
    for (int arm = 0; arm < ARMS; arm++) {
        for (int k = 0; k < INPUTS; k++) {
            x[k] = (real)k;
            y[k] = (real)importance->rise[arm][k];
        }
        panel_line(panel, competitors[arm].name, x, y, INPUTS);
    }
    figure_end(figure);
}

void step_importance(Lab *lab, void *state)
{
    Importance importance = {.self = state};
    study_train(lab, state, EQUAL_STEPS, 0, ARMS - 1);
    parallel_for(lab->threads, ARMS, one_arm, &importance);
    tell(lab, &importance);
    draw(lab, &importance);
    double least = INFINITY;
    for (int arm = 0; arm < ARMS; arm++)
        least = fmin(least, importance.rise[arm][0] / importance.rise[arm][INPUTS - 1]);
    claim(lab->claims, (Claim){.id = "last-value-counts",
                               .source = "y_t = c y_{t-1} - y_{t-2}",
                               .statement = "for every network the last value counts more than the first "
                                            "(rise of the error, ratio, the least)",
                               .measured = least,
                               .test = AT_LEAST,
                               .bound = 2});
}
