/* learn_six.c: one word and five noise words, the usual number of questions.
 *
 * The same results to the bit as learn.c's, but the scores of all six rows are
 * one vector, which goes from the dot products through the sigmoids to the steps
 * in registers, and each row is read twice instead of three times. */
#include "lanes.h"
#include "learn.h"

/* The six scores of H, that of row t in element six_at[t]. */
static inline Eight score_six(const real *h, real *const *row, int stride)
{
    Vector lane[SIX][LANE_VECTORS];
    dot_lanes(h, (const real *const *)row, SIX, stride, lane);
    return add_six(lane);
}

/* step = rate (y - sigmoid(score)): the first answer is yes, the others no. */
static inline void answer_six(Eight score, real rate, real *step, Logs *logs)
{
    const Eight sign = {1, -1, -1, -1, -1, -1, -1, -1};
    real p[8] __attribute__((aligned(64)));
    Eight right = score * sign;
    memcpy(p, &right, sizeof right);
    for (int l = 0; l < 8; l++)
        p[l] = m_sigmoid(p[l]);
    memcpy(&right, p, sizeof right);
    right = rate * sign * (1 - right);
    memcpy(step, &right, sizeof right);
    double q[SIX];
#pragma GCC unroll 6
    for (int t = 0; t < SIX; t++)
        q[t] = at_least_tiny((double)p[six_at[t]]);
    logs_add(logs, ((q[0] * q[1]) * (q[2] * q[3])) * (q[4] * q[5]));
}

/* gradient += sum_t step_t u_t and u_t += step_t h in one pass over six different
 * rows.  IN_PLACE: the gradient is h itself, to which the whole sum is added. */
static inline __attribute__((always_inline)) void step_six(const real *h, real *const *row, int stride,
                                                           const real *step, real *gradient, const bool in_place)
{
    for (int i = 0; i < stride; i += WIDTH) {
        Vector x = load(h + i), sum = in_place ? broadcast(0) : load(gradient + i);
#pragma GCC unroll 6
        for (int t = 0; t < SIX; t++) {
            Vector u = load(row[t] + i), a = broadcast(step[six_at[t]]);
            sum = multiply_add(a, u, sum);
            store(row[t] + i, multiply_add(a, x, u));
        }
        store(gradient + i, in_place ? x + sum : sum);
    }
}

static inline __attribute__((always_inline)) bool six(const Model *model, const real *h, int word, const int *negatives,
                                                      real rate, real *gradient, const bool in_place, Logs *logs)
{
    const int rows[SIX] = {word, negatives[0], negatives[1], negatives[2], negatives[3], negatives[4]};
    real *row[SIX], step[8] __attribute__((aligned(64)));
    if (!all_different(rows)) /* the gradient must see both before their steps */
        return false;
#pragma GCC unroll 6
    for (int t = 0; t < SIX; t++)
        row[t] = model->output + (size_t)rows[t] * model->stride;
    answer_six(score_six(h, row, model->stride), rate, step, logs);
    step_six(h, row, model->stride, step, gradient, in_place);
    return true;
}

bool learn_six(const Model *model, const real *h, int word, const int *negatives, real rate, real *gradient, Logs *logs)
{
    return six(model, h, word, negatives, rate, gradient, false, logs);
}

bool learn_pair(const Model *model, real *h, int word, const int *negatives, real rate, Logs *logs)
{
    return six(model, h, word, negatives, rate, h, true, logs);
}
