/* optim.c: SGD, Adam, clipping, schedules. */
#include "optim.h"

#include <stdlib.h>

#include "kernels.h"
#include "maths.h"
#include "memory.h"

typedef enum { SGD, ADAM } Kind;

struct Optimiser {
    Kind kind;
    const Parameters *parameters;
    int n; /* how many parameters there were */
    Sgd sgd;
    Adam adam;
    real **first;  /* SGD: the velocity; Adam: the mean of the gradient */
    real **second; /* Adam: the mean of its square */
    double beta1_power, beta2_power;
};

static real **zeros_like(const Parameters *parameters)
{
    real **state = memory_new(parameters->n, sizeof *state, "an optimiser");
    for (int i = 0; i < parameters->n; i++)
        state[i] = memory_new(parameters->tensor[i]->size, sizeof(real), "an optimiser");
    return state;
}

static Optimiser *optimiser_new(Kind kind, const Parameters *parameters)
{
    Optimiser *optimiser = memory_new(1, sizeof *optimiser, "an optimiser");
    optimiser->kind = kind;
    optimiser->parameters = parameters;
    optimiser->n = parameters->n;
    optimiser->first = zeros_like(parameters);
    optimiser->beta1_power = optimiser->beta2_power = 1;
    return optimiser;
}

Optimiser *sgd_new(const Parameters *parameters, Sgd settings)
{
    Optimiser *optimiser = optimiser_new(SGD, parameters);
    optimiser->sgd = settings;
    return optimiser;
}

Optimiser *adam_new(const Parameters *parameters, Adam settings)
{
    Optimiser *optimiser = optimiser_new(ADAM, parameters);
    optimiser->second = zeros_like(parameters);
    settings.beta1 = settings.beta1 ? settings.beta1 : 0.9;
    settings.beta2 = settings.beta2 ? settings.beta2 : 0.999;
    settings.epsilon = settings.epsilon ? settings.epsilon : 1e-8;
    optimiser->adam = settings;
    return optimiser;
}

void optimiser_free(Optimiser *optimiser)
{
    if (!optimiser)
        return;
    for (int i = 0; i < optimiser->n; i++) {
        free(optimiser->first[i]);
        if (optimiser->second)
            free(optimiser->second[i]);
    }
    free(optimiser->first);
    free(optimiser->second);
    free(optimiser);
}

void optimiser_set_rate(Optimiser *optimiser, double rate)
{
    if (optimiser->kind == SGD)
        optimiser->sgd.rate = rate;
    else
        optimiser->adam.rate = rate;
}

/* v = momentum v + g;  w = w - rate v */
static void sgd_update(const Sgd *sgd, size_t n, real *g, real *v, real *w)
{
    real momentum = (real)sgd->momentum, rate = (real)sgd->rate;
    for (size_t i = 0; i < n; i++) {
        v[i] = m_fma(momentum, v[i], g[i]);
        w[i] = m_fma(-rate, v[i], w[i]);
        g[i] = 0;
    }
}

/* m = beta1 m + (1 - beta1) g      v = beta2 v + (1 - beta2) g^2
 * w = w (1 - rate decay) - rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon) */
static void adam_update(const Optimiser *o, size_t n, real *g, real *m, real *v, real *w)
{
    real beta1 = (real)o->adam.beta1, beta2 = (real)o->adam.beta2, epsilon = (real)o->adam.epsilon;
    real rest1 = (real)(1 - o->adam.beta1), rest2 = (real)(1 - o->adam.beta2);
    real step = (real)(o->adam.rate / (1 - o->beta1_power));
    real root_correction = (real)(1 / sqrt(1 - o->beta2_power));
    real keep = (real)(1 - o->adam.rate * o->adam.decay);
    for (size_t i = 0; i < n; i++) {
        m[i] = m_fma(beta1, m[i], rest1 * g[i]);
        v[i] = m_fma(beta2, v[i], rest2 * g[i] * g[i]);
        real root = m_fma(m_sqrt(v[i]), root_correction, epsilon);
        w[i] = keep * w[i] - step * m[i] / root;
        g[i] = 0;
    }
}

void optimiser_step(Optimiser *optimiser)
{
    if (optimiser->parameters->n != optimiser->n)
        die_misuse(HERE, "optimiser_step: parameter '%s' was made after the optimiser, which does not know it",
                   optimiser->parameters->tensor[optimiser->n]->name);
    optimiser->beta1_power *= optimiser->adam.beta1;
    optimiser->beta2_power *= optimiser->adam.beta2;
    for (int i = 0; i < optimiser->n; i++) {
        Tensor *w = optimiser->parameters->tensor[i];
        if (optimiser->kind == SGD)
            sgd_update(&optimiser->sgd, w->size, w->grad, optimiser->first[i], w->data);
        else
            adam_update(optimiser, w->size, w->grad, optimiser->first[i], optimiser->second[i], w->data);
    }
}

double gradient_norm(const Parameters *parameters)
{
    double squares = 0;
    for (int i = 0; i < parameters->n; i++) {
        const Tensor *w = parameters->tensor[i];
        squares += kernel_squares(w->grad, (int)w->size);
    }
    return sqrt(squares);
}

double clip_by_norm(const Parameters *parameters, double most)
{
    double norm = gradient_norm(parameters);
    if (norm > most) {
        real factor = (real)(most / norm);
        for (int i = 0; i < parameters->n; i++)
            for (size_t j = 0; j < parameters->tensor[i]->size; j++)
                parameters->tensor[i]->grad[j] *= factor;
    }
    return norm;
}

double schedule_cosine(int step, int warmup, int total, double floor)
{
    const double pi = 3.14159265358979323846;
    if (step < warmup)
        return (step + 1.0) / warmup;
    if (step >= total)
        return floor;
    return floor + (1 - floor) * 0.5 * (1 + cos64(pi * (step - warmup) / (total - warmup)));
}

double schedule_inverse_root(int step, int warmup)
{
    if (step < warmup)
        return (step + 1.0) / warmup;
    return sqrt((warmup > 1 ? warmup : 1) / (step + 1.0)); /* no warm-up: the peak is the first step */
}
