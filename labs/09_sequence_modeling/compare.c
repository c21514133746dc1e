/* Steps 3 and 4. Training curves, and the errors of all over the runs. */
#include <math.h>
#include <stdio.h>

#include "modeling.h"

static const char *const budget_name[BUDGETS] = {"equal steps", "equal time", "equal steps, noise"};

/* The curve's geometric mean over the runs against the work done. */
static void draw_budget(Figure *figure, const Modeling *self, Budget budget)
{
    real x[LOOKS], y[LOOKS];
    Panel *panel =
        figure_panel(figure, budget == EQUAL_STEPS ? "equal steps" : "equal time",
                     budget == EQUAL_STEPS ? "steps" : "time, in steps of the Transformer", "mean squared error");
    panel_log_y(panel);
    panel_range_x(panel, 0, self->steps * 1.02);
    for (Arm arm = 0; arm < ARMS; arm++) {
        for (int k = 0; k < LOOKS; k++) {
            double values[MOST_RUNS];
            for (int run = 0; run < self->runs; run++)
                values[run] = (double)self->trained[budget][arm][run].curve[k];
            x[k] = (real)(self->steps * (k + 1.0) / LOOKS);
            y[k] = (real)spread_of(values, self->runs).geometric;
        }
        panel_line(panel, competitors[arm].name, x, y, LOOKS);
    }
    panel_horizontal(panel, "repeat the last", forecast_error(repeat_last, self->look, 0));
}

void step_curves(Lab *lab, void *state)
{
    Modeling *self = state;
    study_train(lab, self, EQUAL_STEPS, 0, ARMS - 1);
    study_train(lab, self, EQUAL_TIME, 0, ARMS - 1);
    trace(lab->trace,
          "Six networks learn from the same waves, fresh ones at each step (batches of %d, Adam, rate rising\n"
          "over 5%% of the steps and falling as half a cosine, gradients clipped to norm 1), %d runs each. The\n"
          "rate of each is the one of 0.005, 0.01, 0.02 with the best mean error over four other runs. All but\n"
          "the lecture's RNN of 64 units have about the same number of parameters. Once they take the same\n"
          "number of steps, once the same time: the cost of a step (Transformer = 1) was measured once and is\n"
          "written in study.c; the times of this run are in timing.tsv.\n\n",
          BATCH, self->runs);
    trace_table(lab->trace, "model\tparameters\trate\tcost of a step\tsteps\tsteps in equal time");
    double least = INFINITY, most = 0;
    for (Arm arm = 0; arm < ARMS; arm++) {
        const Competitor *c = &competitors[arm];
        double count = (double)parameters_count(self->trained[EQUAL_STEPS][arm][0].model->parameters);
        trace_row(lab->trace, "%s\t%.0f\t%g\t%.2f\t%d\t%d", c->name, count, c->rate, c->cost / 100.0, self->steps,
                  study_steps(self, EQUAL_TIME, arm));
        least = arm == ARM_RNN64 ? least : fmin(least, count);
        most = arm == ARM_RNN64 ? most : fmax(most, count);
        for (Budget budget = EQUAL_STEPS; budget <= EQUAL_TIME; budget++) {
            char name[80];
            double seconds = 0;
            for (int run = 0; run < self->runs; run++)
                seconds += self->trained[budget][arm][run].seconds / self->runs;
            snprintf(name, sizeof name, "training, %s, %s", c->name, budget_name[budget]);
            trace_timing(lab->trace, name, seconds, "s");
        }
    }
    trace_table_end(lab->trace);
    Figure *figure = figure_begin(lab->figures, "training_curves", "Test error while training");
    figure_layout(figure, 2, 640, 560);
    draw_budget(figure, self, EQUAL_STEPS);
    draw_budget(figure, self, EQUAL_TIME);
    figure_end(figure);
    claim(lab->claims, (Claim){.id = "equal-parameters",
                               .source = "a fair comparison",
                               .statement = "the five networks have the same number of parameters within 4% (ratio)",
                               .measured = most / least,
                               .test = AT_MOST,
                               .bound = 1.04});
}

/* ---- step 4 ------------------------------------------------------------------------------ */

static void tell(Lab *lab, const Modeling *self)
{
    trace(lab->trace,
          "Mean squared error of the next value on %d new waves of variance %.3f: mean and standard deviation\n"
          "over %d runs (weights and training waves differ).\n\n",
          self->tests, target_variance(self->test), self->runs);
    trace_table(lab->trace, "model\tequal steps\tsd\tequal time\tsd\tbest run\tworst run");
    for (Arm arm = 0; arm < ARMS; arm++) {
        Spread steps = study_error(self, EQUAL_STEPS, arm), time = study_error(self, EQUAL_TIME, arm);
        double best = INFINITY, worst = 0;
        for (int run = 0; run < self->runs; run++) {
            best = fmin(best, self->trained[EQUAL_TIME][arm][run].error);
            worst = fmax(worst, self->trained[EQUAL_TIME][arm][run].error);
        }
        trace_row(lab->trace, "%s\t%.5f\t%.5f\t%.5f\t%.5f\t%.5f\t%.5f", competitors[arm].name, steps.mean, steps.sd,
                  time.mean, time.sd, best, worst);
    }
    trace_row(lab->trace, "AR(2)\t%.1e\t\t%.1e", forecast_error(second_order, self->test, 0),
              forecast_error(second_order, self->test, 0));
    trace_row(lab->trace, "repeat the last\t%.5f\t\t%.5f", forecast_error(repeat_last, self->test, 0),
              forecast_error(repeat_last, self->test, 0));
    trace_table_end(lab->trace);
}

static void draw(Lab *lab, const Modeling *self)
{
    const char *names[ARMS + 1];
    real mean[2][ARMS + 1];
    for (Arm arm = 0; arm < ARMS; arm++) {
        names[arm] = competitors[arm].name;
        for (Budget budget = EQUAL_STEPS; budget <= EQUAL_TIME; budget++)
            mean[budget][arm] = (real)study_error(self, budget, arm).mean;
    }
    names[ARMS] = "repeat last";
    mean[0][ARMS] = mean[1][ARMS] = (real)forecast_error(repeat_last, self->test, 0);
    Figure *figure = figure_begin(lab->figures, "performance_comparison", "Error of the next value (AR(2): 0)");
    figure_layout(figure, 1, 1100, 560);
    Panel *panel = figure_panel(figure, NULL, NULL, "mean squared error");
    panel_log_y(panel);
    panel_bars(panel, "equal steps", names, mean[EQUAL_STEPS], NULL, ARMS + 1);
    panel_bars(panel, "equal time", names, mean[EQUAL_TIME], NULL, ARMS + 1);
    figure_end(figure);
}

/* How many times the Transformer's error is that of ARM. */
static double times(const Modeling *self, Budget budget, Arm arm)
{
    return study_error(self, budget, ARM_TRANSFORMER).geometric / study_error(self, budget, arm).geometric;
}

static void claims(Lab *lab, const Modeling *self)
{
    double least = INFINITY, worst = 0;
    for (Arm arm = ARM_RNN; arm <= ARM_GRU; arm++)
        least = fmin(least, times(self, EQUAL_STEPS, arm));
    for (Arm arm = 0; arm < ARMS; arm++)
        worst = fmax(worst, study_error(self, EQUAL_TIME, arm).mean);
    const char *lecture = "lecture: Transformer 0.0234 +- 0.0156, RNN 0.0289 +- 0.0198, \"slightly better\"";
    claim(lab->claims, (Claim){.id = "recurrent-wins",
                               .source = lecture,
                               .statement = "at equal parameters and steps each recurrent network has a smaller error "
                                            "than the Transformer (its error divided by theirs, the least)",
                               .measured = least,
                               .test = ABOVE,
                               .bound = 1,
                               .skipped = lab->quick ? "the models are trained for too few steps" : NULL,
                               .corrects = true});
    claim(lab->claims, (Claim){.id = "small-rnn-wins-in-time",
                               .source = lecture,
                               .statement = "in equal time the lecture's RNN of 64 units, with a third of the "
                                            "parameters, has a smaller error than the Transformer (ratio)",
                               .measured = times(self, EQUAL_TIME, ARM_RNN64),
                               .test = ABOVE,
                               .bound = 1,
                               .corrects = true});
    claim(lab->claims, (Claim){.id = "all-learn",
                               .source = "figure training_curves",
                               .statement = "in equal time all networks beat repeating the last value (worst error "
                                            "divided by its error)",
                               .measured = worst / forecast_error(repeat_last, self->test, 0),
                               .test = AT_MOST,
                               .bound = 0.2});
}

void step_comparison(Lab *lab, void *state)
{
    Modeling *self = state;
    study_train(lab, self, EQUAL_STEPS, 0, ARMS - 1);
    study_train(lab, self, EQUAL_TIME, 0, ARMS - 1);
    tell(lab, self);
    draw(lab, self);
    claims(lab, self);
}
