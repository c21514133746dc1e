/* waves.h: sine waves y(t) = A sin(f t + phase), and what is known about them
 * without any network. */
#ifndef WAVES_H
#define WAVES_H

#include <stdbool.h>

#include "rng.h"

typedef struct {
    int inputs;          /* values read */
    int ahead;           /* values to be said: the next one, or more for a horizon */
    double slow, fast;   /* frequency f, uniform in between, in radians a step */
    double small, large; /* amplitude A */
    double noise;        /* standard deviation of what is added to the inputs; targets are clean */
} WaveSettings;

/* The lab's own: 20 values in, the next one out. */
WaveSettings waves_usual(void);

/* N sequences, each INPUTS values and the AHEAD values after them. */
typedef struct {
    WaveSettings settings;
    int n;
    real *inputs;                          /* [n, inputs] */
    real *targets;                         /* [n, ahead] */
    double *amplitude, *frequency, *phase; /* [n] */
} Waves;
Waves *waves_new(WaveSettings settings, int n);
void waves_draw(Waves *waves, Rng *rng); /* all n anew */
void waves_free(Waves *waves);

/* Says the next AHEAD values after X [T] without having been trained. */
typedef void Forecast(const real *x, int t, real *next, int ahead);
Forecast repeat_last;   /* y = the last value */
Forecast second_order;  /* y_t = c y_{t-1} - y_{t-2} with c = 2 cos f estimated from x */
Forecast best_sinusoid; /* the sinusoid with the least squared distance to x, over all f */
/* c = 2 cos f of a sinusoid, least squares over x: sum (x_t + x_{t-2}) x_{t-1} / sum x_{t-1}^2 */
double second_order_factor(const real *x, int t);

/* Mean squared error of value AHEAD (0: the next one). */
double forecast_error(Forecast *forecast, const Waves *waves, int ahead);
double target_variance(const Waves *waves);

#endif
