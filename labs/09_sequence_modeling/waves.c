/* Sine waves, and three ways to continue one that need no training. */
#include "waves.h"

#include <math.h>
#include <stdlib.h>

#include "maths.h"
#include "memory.h"

#define PI 3.14159265358979323846

WaveSettings waves_usual(void)
{
    return (WaveSettings){.inputs = 20, .ahead = 1, .slow = 0.1, .fast = 1, .small = 0.5, .large = 2};
}

Waves *waves_new(WaveSettings settings, int n)
{
    Waves *waves = memory_new(1, sizeof *waves, "waves");
    size_t count = (size_t)n;
    *waves = (Waves){.settings = settings, .n = n};
    waves->inputs = memory_new(count * (size_t)settings.inputs, sizeof(real), "the inputs");
    waves->targets = memory_new(count * (size_t)settings.ahead, sizeof(real), "the targets");
    waves->amplitude = memory_new(count, sizeof(double), "amplitudes");
    waves->frequency = memory_new(count, sizeof(double), "frequencies");
    waves->phase = memory_new(count, sizeof(double), "phases");
    return waves;
}

void waves_free(Waves *waves)
{
    free(waves->inputs);
    free(waves->targets);
    free(waves->amplitude);
    free(waves->frequency);
    free(waves->phase);
    free(waves);
}

/* y(t) = A sin(f t + phase) */
static double wave(const Waves *waves, int i, int t)
{
    return waves->amplitude[i] * sin64(waves->frequency[i] * t + waves->phase[i]);
}

void waves_draw(Waves *waves, Rng *rng)
{
    const WaveSettings *s = &waves->settings;
    for (int i = 0; i < waves->n; i++) {
        waves->amplitude[i] = s->small + (s->large - s->small) * rng_uniform(rng);
        waves->frequency[i] = s->slow + (s->fast - s->slow) * rng_uniform(rng);
        waves->phase[i] = 2 * PI * rng_uniform(rng);
        for (int t = 0; t < s->inputs; t++) {
            double noise = s->noise * (double)rng_normal(rng); /* drawn also where it is 0: the waves stay the same */
            waves->inputs[i * s->inputs + t] = (real)(wave(waves, i, t) + noise);
        }
        for (int t = 0; t < s->ahead; t++)
            waves->targets[i * s->ahead + t] = (real)wave(waves, i, s->inputs + t);
    }
}

/* ---- without training ------------------------------------------------------------- */

void repeat_last(const real *x, int t, real *next, int ahead)
{
    for (int k = 0; k < ahead; k++)
        next[k] = x[t - 1];
}

double second_order_factor(const real *x, int t)
{
    double across = 0, square = 0;
    for (int i = 2; i < t; i++) {
        across += ((double)x[i] + (double)x[i - 2]) * (double)x[i - 1];
        square += (double)x[i - 1] * (double)x[i - 1];
    }
    return square > 0 ? fmax(-2, fmin(2, across / square)) : 2;
}

/* sin(ft + f) + sin(ft - f) = 2 cos f sin(ft), so every sinusoid of frequency f has
 *     y_t = 2 cos(f) y_{t-1} - y_{t-2}                                                */
void second_order(const real *x, int t, real *next, int ahead)
{
    double c = second_order_factor(x, t), before = (double)x[t - 2], last = (double)x[t - 1];
    for (int k = 0; k < ahead; k++) {
        double y = c * last - before;
        next[k] = (real)y;
        before = last;
        last = y;
    }
}

/* For one frequency the best a cos ft + b sin ft are two equations with two unknowns. */
typedef struct {
    double a, b, gain; /* gain: how much of the sum of x^2 they explain */
} Fit;
static Fit fit_at(const real *x, int t, double f)
{
    double cc = 0, ss = 0, cs = 0, xc = 0, xs = 0, c = 1, s = 0, step_c = cos64(f), step_s = sin64(f);
    for (int i = 0; i < t; i++) {
        cc += c * c;
        ss += s * s;
        cs += c * s;
        xc += (double)x[i] * c;
        xs += (double)x[i] * s;
        double turned = c * step_c - s * step_s;
        s = s * step_c + c * step_s;
        c = turned;
    }
    double determinant = cc * ss - cs * cs;
    Fit fit = {.a = (ss * xc - cs * xs) / determinant, .b = (cc * xs - cs * xc) / determinant};
    fit.gain = fit.a * xc + fit.b * xs;
    return fit;
}

/* Least squares over the frequency too: which of a grid is best, then halving the
 * distance around it.  With normal noise this is maximum likelihood. */
void best_sinusoid(const real *x, int t, real *next, int ahead)
{
    const double grid = 0.02;
    double best = grid, gain = -1;
    for (double f = grid; f < 3.1; f += grid) { // NOLINT: one turn more or less does not matter
        double g = fit_at(x, t, f).gain;
        if (g > gain) {
            gain = g;
            best = f;
        }
    }
    for (double width = grid / 2; width > 1e-7; width /= 2) { // NOLINT: the same
        double low = fit_at(x, t, best - width).gain, high = fit_at(x, t, best + width).gain;
        if (low > gain && low >= high) {
            gain = low;
            best -= width;
        } else if (high > gain) {
            gain = high;
            best += width;
        }
    }
    Fit fit = fit_at(x, t, best);
    for (int k = 0; k < ahead; k++)
        next[k] = (real)(fit.a * cos64(best * (t + k)) + fit.b * sin64(best * (t + k)));
}

double forecast_error(Forecast *forecast, const Waves *waves, int ahead)
{
    const WaveSettings *s = &waves->settings;
    real *next = memory_new((size_t)s->ahead, sizeof(real), "a forecast");
    double sum = 0;
    for (int i = 0; i < waves->n; i++) {
        forecast(waves->inputs + i * s->inputs, s->inputs, next, s->ahead);
        double error = (double)next[ahead] - (double)waves->targets[i * s->ahead + ahead];
        sum += error * error;
    }
    free(next);
    return sum / waves->n;
}

double target_variance(const Waves *waves)
{
    double sum = 0, squares = 0;
    int n = waves->n, ahead = waves->settings.ahead;
    for (int i = 0; i < n; i++) {
        double y = (double)waves->targets[i * ahead];
        sum += y;
        squares += y * y;
    }
    return squares / n - sum / n * (sum / n);
}
