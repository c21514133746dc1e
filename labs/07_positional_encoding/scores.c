/* Step 4. Seven ways, and what each adds to the scores. */
#include <math.h>
#include <stdlib.h>

#include "maths.h"
#include "memory.h"
#include "positional.h"

/* The seven of ways.h and one more, the first of the relative ones. */
enum { SHAW = WAYS, ALL_WAYS }; /* Shaw 2018, eq. 3: q_t . (k_s + a_{t-s}) */

enum { MOST_D = 16, PLACES = 24 };

/* What the ways need, in width D. */
typedef struct {
    int d;
    real direction[MOST_D];      /* linear */
    real table[PLACES][MOST_D];  /* learned, before any training: random */
    real offset[PLACES][MOST_D]; /* Shaw's a_k for k = t - s >= 0, before training */
    real bias[T5_BUCKETS];       /* T5 */
    double slope;                /* ALiBi */
} Means;

static Means means_new(int d, Rng *rng)
{
    Means means = {.d = d, .slope = (double)alibi_slope(0, 4)};
    for (int i = 0; i < d; i++)
        means.direction[i] = rng_normal(rng);
    for (int t = 0; t < PLACES; t++)
        for (int i = 0; i < d; i++) {
            means.table[t][i] = rng_normal(rng);
            means.offset[t][i] = rng_normal(rng);
        }
    for (int b = 0; b < T5_BUCKETS; b++)
        means.bias[b] = rng_normal(rng);
    return means;
}

/* p_t of the ways that add to the words. */
static void place(const Means *means, int way, int t, real *p)
{
    real sinusoidal[PLACES * MOST_D];
    sinusoidal_table(sinusoidal, PLACES, means->d);
    for (int i = 0; i < means->d; i++)
        p[i] = way == LINEAR       ? (real)t / PLACES * means->direction[i]
               : way == LEARNED    ? means->table[t][i]
               : way == SINUSOIDAL ? sinusoidal[t * means->d + i]
                                   : 0;
}

static double dot(const real *a, const real *b, int d)
{
    double sum = 0;
    for (int i = 0; i < d; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* x turned as rotary does at place T: pair (a, b) -> (a cos - b sin, a sin + b cos). */
static void turn(const real *x, int t, int d, real *turned)
{
    for (int i = 0; i < d / 2; i++) {
        double angle = t * sinusoidal_frequency(i, d), c = cos64(angle), s = sin64(angle);
        turned[2 * i] = (real)((double)x[2 * i] * c - (double)x[2 * i + 1] * s);
        turned[2 * i + 1] = (real)((double)x[2 * i] * s + (double)x[2 * i + 1] * c);
    }
}

/* The score of word X at place T, asking, with word Y at place S <= T. */
static double score(const Means *means, int way, const real *x, const real *y, int t, int s)
{
    int d = means->d;
    real a[MOST_D], b[MOST_D];
    double content = dot(x, y, d);
    if (way == T5_BIAS)
        return content + (double)means->bias[t5_bucket(t - s)];
    if (way == ALIBI)
        return content - means->slope * abs(t - s);
    if (way == SHAW)
        return content + dot(x, means->offset[t - s], d);
    if (way == ROTARY) {
        turn(x, t, d, a);
        turn(y, s, d, b);
        return dot(a, b, d);
    }
    place(means, way, t, a);
    place(means, way, s, b);
    for (int i = 0; i < d; i++) {
        a[i] += x[i];
        b[i] += y[i];
    }
    return dot(a, b, d);
}

/* ---- one pair of words, by hand --------------------------------------------------- */

static const char *const formula[ALL_WAYS] = {"x . y",
                                              "(x + t/T w) . (y + s/T w)",
                                              "(x + P_t) . (y + P_s)",
                                              "(x + PE(t)) . (y + PE(s))",
                                              "x . y + b[bucket(t - s)]",
                                              "x . y - m |t - s|",
                                              "(R_t x) . (R_s y)",
                                              "x . (y + a_(t-s))"};

static const char *name_of(int way)
{
    return way == SHAW ? "Shaw" : way_name[way];
}

static void four_terms(Lab *lab, const Means *means, const real *x, const real *y)
{
    static const int pairs[2][2] = {{5, 3}, {9, 7}};
    trace_equation(lab->trace, HERE, "(x + p_t) . (y + p_s) = x.y + x.p_s + p_t.y + p_t.p_s     (sinusoidal)");
    trace(lab->trace, "\n");
    trace_table(lab->trace, "t\ts\tx.y\tx.p_s\tp_t.y\tp_t.p_s\tsum");
    for (int i = 0; i < 2; i++) {
        int t = pairs[i][0], s = pairs[i][1], d = means->d;
        real p_t[MOST_D], p_s[MOST_D];
        place(means, SINUSOIDAL, t, p_t);
        place(means, SINUSOIDAL, s, p_s);
        trace_row(lab->trace, "%d\t%d\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f", t, s, dot(x, y, d), dot(x, p_s, d),
                  dot(p_t, y, d), dot(p_t, p_s, d), score(means, SINUSOIDAL, x, y, t, s));
    }
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nThe last term knows only the distance (step 3), but the two in the middle mix words with places: the\n"
          "score of the same two words, two places apart, is another one further along.\n");
}

static void by_hand(Lab *lab)
{
    enum { D = 4 };
    static const real x[D] = {1, .5, -.5, .2}, y[D] = {.4, 1, .3, -.6};
    Rng rng = lab_rng(lab, "scores by hand");
    Means means = means_new(D, &rng);
    Trace *out = lab->trace;
    trace(out, "Two words of four numbers, Q = K = X. What is their score where the first stands at t and looks at\n"
               "the second at s? Once at (5, 3), once at (9, 7): the same distance, 2.\n\n");
    trace_vector(out, HERE, "x", x, D, NULL, 1);
    trace_vector(out, HERE, "y", y, D, NULL, 1);
    trace_vector(out, HERE, "w", means.direction, D, NULL, 4);
    trace_vector(out, HERE, "a_2", means.offset[2], D, NULL, 4);
    trace(out, "    T = %d   bucket(2) = %d   b[2] = %.4f   m = %.4f   (w, a, b, P: not trained yet, random)\n\n",
          PLACES, t5_bucket(2), (double)means.bias[2], means.slope);
    trace_table(out, "way\tscore\tat (5, 3)\tat (9, 7)");
    for (int way = 0; way < ALL_WAYS; way++)
        trace_row(out, "%s\t%s\t%.4f\t%.4f", name_of(way), formula[way], score(&means, way, x, y, 5, 3),
                  score(&means, way, x, y, 9, 7));
    trace_table_end(out);
    trace(out, "\n");
    four_terms(lab, &means, x, y);
}

static void t5_buckets(Lab *lab)
{
    trace_equation(lab->trace, HERE, "bucket(k) = k up to 7, then 8 + 8 log(k/8) / log(20/8) to 15");
    trace(lab->trace, "    T5's distance k");
    for (int k = 4; k < PLACES; k++)
        trace(lab->trace, " %2d", k);
    trace(lab->trace, "\n    bucket         ");
    for (int k = 4; k < PLACES; k++)
        trace(lab->trace, " %2d", t5_bucket(k));
    trace(lab->trace, "\n    (and as many again for places that come later)\n");
}

/* ---- is it the distance alone? ------------------------------------------------------ */

/* The largest |score(t, s) - score(t - s, 0)| over all places and several pairs of words. */
static double beyond_distance(const Means *means, int way, Rng rng)
{
    enum { PAIRS = 10 };
    double most = 0;
    for (int pair = 0; pair < PAIRS; pair++) {
        real x[MOST_D], y[MOST_D];
        for (int i = 0; i < means->d; i++) {
            x[i] = rng_normal(&rng);
            y[i] = rng_normal(&rng);
        }
        for (int t = 0; t < PLACES; t++)
            for (int s = 0; s <= t; s++)
                most = fmax(most, fabs(score(means, way, x, y, t, s) - score(means, way, x, y, t - s, 0)));
    }
    return most;
}

static void distance_alone(Lab *lab)
{
    Rng rng = lab_rng(lab, "scores means");
    Means means = means_new(MOST_D, &rng);
    double most[ALL_WAYS];
    trace(lab->trace,
          "\nFor random words of width %d at all of %d places: how far is the score from one that depends\n"
          "on the distance t - s alone?\n\n",
          MOST_D, PLACES);
    trace_table(lab->trace, "way\tlargest deviation\tso it is");
    for (int way = 0; way < ALL_WAYS; way++) {
        most[way] = beyond_distance(&means, way, lab_rng(lab, "scores words"));
        trace_row(lab->trace, "%s\t%.1e\t%s", name_of(way), most[way],
                  way == NONE        ? "blind"
                  : most[way] < 1e-5 ? "relative"
                                     : "absolute");
    }
    trace_table_end(lab->trace);
    claim(lab->claims,
          (Claim){.id = "relative-ways",
                  .source = "Shaw 2018, eq. 3; Raffel 2020, section 2.1; Press 2022, eq. 1; Su 2021, eq. 14-16",
                  .statement = "with Shaw's vectors, T5's bias, ALiBi and rotary the same words have the same score at "
                               "the same distance (largest deviation)",
                  .measured = fmax(fmax(most[SHAW], most[T5_BIAS]), fmax(most[ALIBI], most[ROTARY])),
                  .test = AT_MOST,
                  .bound = 1e-5});
    claim(lab->claims,
          (Claim){.id = "sinusoidal-is-absolute",
                  .source = "lecture: PE . PE depends on the distance; Dai 2019, section 3.3 (the four terms)",
                  .statement = "with sinusoidal positions the score of the same words at the same distance still "
                               "changes with the place (largest deviation)",
                  .measured = most[SINUSOIDAL],
                  .test = AT_LEAST,
                  .bound = 0.1,
                  .corrects = true});
}

/* ---- side by side --------------------------------------------------------------------- */

static void table_panel(Figure *figure, const Means *means, int way, const char *title)
{
    enum { SHOWN = 24 };
    real cells[SHOWN * MOST_D];
    for (int t = 0; t < SHOWN; t++)
        place(means, way, t, cells + t * means->d);
    panel_heatmap(figure_panel(figure, title, "dimension", "place t"), cells, SHOWN, means->d, NULL, NULL, SIGNED);
}

static void score_panel(Figure *figure, const Means *means, int way, const char *title)
{
    enum { SHOWN = 24 };
    real cells[SHOWN * SHOWN], ones[MOST_D];
    for (int i = 0; i < means->d; i++)
        ones[i] = 1 / m_sqrt((real)means->d); /* a word like itself: score 1 where nothing is turned */
    for (int t = 0; t < SHOWN; t++)
        for (int s = 0; s < SHOWN; s++)
            cells[t * SHOWN + s] = way == T5_BIAS
                                       ? (real)t5_bucket(t - s)
                                       : (real)(score(means, way, ones, ones, t, s) - (way == ALIBI ? 1 : 0));
    panel_heatmap(figure_panel(figure, title, "looked at: place s", "looking: place t"), cells, SHOWN, SHOWN, NULL,
                  NULL, MAGNITUDE);
}

void step_scores(Lab *lab, void *state)
{
    (void)state;
    by_hand(lab);
    trace(lab->trace, "\n");
    t5_buckets(lab);
    distance_alone(lab);
    Rng rng = lab_rng(lab, "scores means");
    Means means = means_new(MOST_D, &rng);
    Figure *figure = figure_begin(lab->figures, "encoding_comparison",
                                  "Six ways to say where: added to the words (above), to the scores (below)");
    figure_layout(figure, 3, 480, 420);
    table_panel(figure, &means, LINEAR, "linear: t/T w");
    table_panel(figure, &means, LEARNED, "learned, before training");
    table_panel(figure, &means, SINUSOIDAL, "sinusoidal");
    score_panel(figure, &means, T5_BIAS, "T5: which bias b is added");
    score_panel(figure, &means, ALIBI, "ALiBi: -|t-s| / 4");
    score_panel(figure, &means, ROTARY, "rotary: a word with itself");
    figure_end(figure);
}
