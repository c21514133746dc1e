/* optim.h: from gradients to new parameters.
 *
 *     Optimiser *adam = adam_new(parameters, (Adam){.rate = 1e-3});
 *     ...
 *     tape_backward(tape, loss);
 *     clip_by_norm(parameters, 1);
 *     optimiser_step(adam);                                                    */
#ifndef OPTIM_H
#define OPTIM_H

#include "nn.h"

typedef struct Optimiser Optimiser;

/* Stochastic gradient descent: v = momentum v + g;  w = w - rate v. */
typedef struct {
    double rate;
    double momentum; /* 0: none */
} Sgd;
Optimiser *sgd_new(const Parameters *parameters, Sgd settings);

/* Adam (Kingma & Ba 2015, algorithm 1), and AdamW (Loshchilov & Hutter 2019):
 * w is first shrunk by rate x decay.  0 for beta1, beta2, epsilon means the
 * papers' 0.9, 0.999, 1e-8. */
typedef struct {
    double rate;
    double beta1, beta2, epsilon;
    double decay; /* weight decay of AdamW; 0: plain Adam */
} Adam;
Optimiser *adam_new(const Parameters *parameters, Adam settings);

void optimiser_free(Optimiser *optimiser);

/* One update from the gradients that tape_backward left.  They are cleared, so
 * that a parameter which the next step does not use has none. */
void optimiser_step(Optimiser *optimiser);

/* Sets the rate of the next steps: a schedule is a function of the step. */
void optimiser_set_rate(Optimiser *optimiser, double rate);

/* The norm of all gradients together, sqrt(sum of squares). */
double gradient_norm(const Parameters *parameters);

/* Scales all gradients by most / norm if their norm is above MOST (Pascanu
 * 2013, algorithm 1).  Returns the norm before. */
double clip_by_norm(const Parameters *parameters, double most);

/* Factors for the rate at STEP = 0, 1, ...: rising linearly to 1 over the first
 * WARMUP steps; then (cosine) falling to FLOOR at TOTAL as half a cosine
 * (Loshchilov & Hutter 2017), or (inverse root) as sqrt(warmup / step)
 * (Vaswani 2017, eq. 3, scaled to a peak of 1). */
double schedule_cosine(int step, int warmup, int total, double floor);
double schedule_inverse_root(int step, int warmup);

#endif
