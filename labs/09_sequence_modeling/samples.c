/* Step 1. What the waves look like, and what is known about them without learning. */
#include <math.h>
#include <stdio.h>

#include "maths.h"
#include "modeling.h"

enum { SHOWN = 4, AFTER = 10 };

static void draw_samples(Lab *lab)
{
    WaveSettings settings = waves_usual();
    settings.ahead = AFTER;
    real x[INPUTS + AFTER], y[INPUTS + AFTER], next[AFTER], held[AFTER];
    Rng rng = lab_rng(lab, "samples");
    Figure *figure = figure_begin(lab->figures, "sample_sequences", "Twenty values in, the next one out");
    figure_layout(figure, 2, 640, 430);
    for (int i = 0; i < SHOWN; i++) {
        settings.noise = i == SHOWN - 1 ? 0.2 : 0;
        Waves *wave = waves_new(settings, 1);
        waves_draw(wave, &rng);
        for (int t = 0; t < INPUTS + AFTER; t++) {
            x[t] = (real)(t + 1);
            y[t] = t < INPUTS ? wave->inputs[t] : wave->targets[t - INPUTS];
        }
        second_order(wave->inputs, INPUTS, next, AFTER);
        repeat_last(wave->inputs, INPUTS, held, AFTER);
        char title[80];
        snprintf(title, sizeof title, "A = %.2f, f = %.2f%s", wave->amplitude[0], wave->frequency[0],
                 settings.noise > 0 ? ", noise 0.2" : "");
        Panel *panel = figure_panel(figure, title, "t", "y");
        panel_range_x(panel, 0, INPUTS + AFTER + 1);
        panel_line(panel, "what comes", x + INPUTS - (settings.noise > 0 ? 0 : 1),
                   y + INPUTS - (settings.noise > 0 ? 0 : 1), AFTER + (settings.noise > 0 ? 0 : 1));
        panel_points(panel, "20 inputs", x, y, NULL, INPUTS);
        panel_points(panel, "AR(2)", x + INPUTS, next, NULL, AFTER);
        panel_reference(panel, "repeat the last", x + INPUTS, held, AFTER);
        waves_free(wave);
    }
    figure_end(figure);
}

/* A = 1, f = pi / 3, from phase pi / 3: numbers for paper. */
static void by_hand(Lab *lab)
{
    const real half = (real)0.8660254;
    const real x[] = {half, half, 0, -half, -half};
    real next[1];
    trace(lab->trace,
          "A sinusoid needs no network. Add the equations of two neighbours of sin(ft):\n\n"
          "    sin(ft + f) + sin(ft - f) = 2 cos(f) sin(ft), so  y_t = c y_{t-1} - y_{t-2} with c = 2 cos f\n\n"
          "for every amplitude and phase: an autoregression of second order, AR(2). The one unknown, c, is\n"
          "the same for the whole wave, so least squares over the inputs finds it:\n\n"
          "    c = sum (y_t + y_{t-2}) y_{t-1} / sum y_{t-1}^2\n\n"
          "By hand, five values of a wave with f = pi/3 (so c should be 2 cos(pi/3) = 1):\n\n");
    trace_vector(lab->trace, HERE, "y_1 ... y_5", x, 5, NULL, 4);
    double across[3], square[3], top = 0, bottom = 0;
    for (int t = 2; t < 5; t++) {
        across[t - 2] = ((double)x[t] + (double)x[t - 2]) * (double)x[t - 1];
        square[t - 2] = (double)x[t - 1] * (double)x[t - 1];
        trace(lab->trace, "    t = %d:  (%.4f + %.4f) x %.4f = %.4f      %.4f^2 = %.4f\n", t + 1, (double)x[t],
              (double)x[t - 2], (double)x[t - 1], across[t - 2], (double)x[t - 1], square[t - 2]);
        top += across[t - 2];
        bottom += square[t - 2];
    }
    second_order(x, 5, next, 1);
    trace(lab->trace, "    c = %.4f / %.4f = %.4f\n", top, bottom, second_order_factor(x, 5));
    trace_equation(lab->trace, HERE, "y_6 = c y_5 - y_4 = %.4f x %.4f - %.4f = %.4f   (true: sin 2pi = 0)",
                   second_order_factor(x, 5), (double)x[4], (double)x[3], fabs((double)next[0]));
    claim(lab->claims, (Claim){.id = "second-order-by-hand",
                               .source = "sin(a + b) + sin(a - b) = 2 sin a cos b",
                               .statement = "by hand, c of a wave with f = pi/3 is 2 cos f = 1",
                               .measured = second_order_factor(x, 5),
                               .test = EQUALS,
                               .bound = 1,
                               .tolerance = 1e-6});
}

static double noisy_error(Lab *lab, Modeling *self, Forecast *forecast, double noise)
{
    WaveSettings settings = waves_usual();
    settings.noise = noise;
    Rng rng = lab_rng(lab, "noisy samples");
    Waves *waves = waves_new(settings, self->tests);
    waves_draw(waves, &rng);
    double error = forecast_error(forecast, waves, 0);
    waves_free(waves);
    return error;
}

static void baselines(Lab *lab, Modeling *self)
{
    static const double noises[] = {0, 0.01, 0.05, 0.1, 0.2, 0.3};
    enum { LEVELS = sizeof noises / sizeof *noises };
    double error[3][LEVELS];
    Forecast *const forecasts[3] = {repeat_last, second_order, best_sinusoid};
    trace(lab->trace,
          "\nOver %d waves, y(t) = A sin(f t + phase), A in 0.5 ... 2, f in 0.1 ... 1, any phase (variance %.3f).\n"
          "Noise is added to the inputs; the value that has to be said is clean:\n\n",
          self->tests, target_variance(study_test(lab, self)));
    trace_table(lab->trace, "noise (sd)\trepeat the last\tAR(2)\tbest sinusoid");
    for (int i = 0; i < LEVELS; i++) {
        for (int b = 0; b < 3; b++)
            error[b][i] = noisy_error(lab, self, forecasts[b], noises[i]);
        trace_row(lab->trace, "%.2f\t%.4f\t%.3g\t%.3g", noises[i], error[0][i], error[1][i], error[2][i]);
    }
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nAR(2) is exact without noise. With it, the last two values count in full, noise and all: even with the\n"
          "true c the error is (c^2 + 1) noise^2, up to 5 noise^2; and noise pulls the estimate of c towards 0. The\n"
          "sinusoid that is nearest to all 20 values (least squares over the frequency too: maximum likelihood)\n"
          "averages the noise away. It is told that these are sinusoids. A network has to find that out.\n");
    claim(lab->claims, (Claim){.id = "second-order-exact",
                               .source = "y_t = 2 cos(f) y_{t-1} - y_{t-2}",
                               .statement = "without noise AR(2) with c from the inputs is exact (mean squared error)",
                               .measured = error[1][0],
                               .test = AT_MOST,
                               .bound = 1e-10});
    claim(lab->claims, (Claim){.id = "second-order-noise",
                               .source = "(c^2 + 1) noise^2",
                               .statement = "with noise of 0.2 the error of AR(2) is a multiple of the noise's "
                                            "variance, 0.04 (ratio)",
                               .measured = error[1][4] / 0.04,
                               .test = AT_LEAST,
                               .bound = 2});
    claim(lab->claims, (Claim){.id = "best-sinusoid-noise",
                               .source = "maximum likelihood for normal noise",
                               .statement = "the nearest sinusoid gets below the noise's own variance of 0.04",
                               .measured = error[2][4],
                               .test = BELOW,
                               .bound = 0.04});
}

void step_samples(Lab *lab, void *state)
{
    by_hand(lab);
    baselines(lab, state);
    draw_samples(lab);
}
