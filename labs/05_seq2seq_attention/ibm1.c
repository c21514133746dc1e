/* IBM Model 1 by EM. */
#include "ibm1.h"

#include <stdlib.h>

#include "maths.h"
#include "memory.h"

/* One side of a pair that makes the other. */
typedef struct {
    const int16_t *given, *said;
    int given_length, said_length;
} Sides;

static Sides sides_of(const Ibm1 *model, const Pair *pair)
{
    if (model->french_from_english)
        return (Sides){pair->source, pair->target, pair->source_length, pair->target_length};
    return (Sides){pair->target, pair->source, pair->target_length, pair->source_length};
}

/* The row of the I-th word given; behind the last comes the empty word. */
static size_t row_of(const Ibm1 *model, const Sides *sides, int i)
{
    int word = i < sides->given_length ? sides->given[i] : model->given;
    return (size_t)word * (size_t)model->said;
}

/* sum_i t(f_j | e_i) */
static double sum_over_given(const Ibm1 *model, const Sides *sides, int j)
{
    double sum = 0;
    for (int i = 0; i <= sides->given_length; i++)
        sum += model->t[row_of(model, sides, i) + (size_t)sides->said[j]];
    return sum;
}

/* Expectation: each word made is shared out among the words given,
 *     c(f | e) += t(f | e) / sum_i t(f | e_i) */
static double expect(const Ibm1 *model, const Pair *pairs, int n, double *count)
{
    double log_p = 0;
    long words = 0;
    for (int p = 0; p < n; p++) {
        Sides sides = sides_of(model, &pairs[p]);
        for (int j = 0; j < sides.said_length; j++) {
            double sum = sum_over_given(model, &sides, j);
            for (int i = 0; i <= sides.given_length; i++) {
                size_t at = row_of(model, &sides, i) + (size_t)sides.said[j];
                count[at] += model->t[at] / sum;
            }
            log_p += log64(sum / (sides.given_length + 1));
            words++;
        }
    }
    return log_p / (double)words;
}

/* Maximisation: t(f | e) = c(f | e) / sum_f c(f | e) */
static void maximise(Ibm1 *model, const double *count)
{
    for (int e = 0; e <= model->given; e++) {
        const double *row = count + (size_t)e * (size_t)model->said;
        double sum = 0;
        for (int f = 0; f < model->said; f++)
            sum += row[f];
        for (int f = 0; f < model->said && sum > 0; f++)
            model->t[(size_t)e * (size_t)model->said + (size_t)f] = row[f] / sum;
    }
}

Ibm1 *ibm1_train(const Pair *pairs, int n, int english, int french, bool french_from_english)
{
    Ibm1 *model = memory_new(1, sizeof *model, "IBM Model 1");
    model->french_from_english = french_from_english;
    model->given = french_from_english ? english : french;
    model->said = french_from_english ? french : english;
    size_t size = (size_t)(model->given + 1) * (size_t)model->said;
    model->t = memory_new(size, sizeof *model->t, "IBM Model 1");
    for (size_t i = 0; i < size; i++)
        model->t[i] = 1.0 / model->said;
    for (int round = 0; round < IBM1_ROUNDS; round++) {
        double *count = memory_new(size, sizeof *count, "IBM Model 1");
        model->log_p[round] = expect(model, pairs, n, count);
        maximise(model, count);
        free(count);
    }
    return model;
}

void ibm1_free(Ibm1 *model)
{
    if (!model)
        return;
    free(model->t);
    free(model);
}

double ibm1_t(const Ibm1 *model, int said, int given)
{
    return model->t[(size_t)given * (size_t)model->said + (size_t)said];
}

double ibm1_log_p(const Ibm1 *model, const Pair *pair)
{
    Sides sides = sides_of(model, pair);
    double log_p = 0;
    for (int j = 0; j < sides.said_length; j++)
        log_p += log64(sum_over_given(model, &sides, j) / (sides.given_length + 1) + 1e-12);
    return log_p;
}

int ibm1_aligned(const Ibm1 *model, const Pair *pair, int t)
{
    int best = 0;
    for (int s = 1; s < pair->source_length; s++)
        if (ibm1_t(model, pair->target[t], pair->source[s]) > ibm1_t(model, pair->target[t], pair->source[best]))
            best = s;
    return best;
}
