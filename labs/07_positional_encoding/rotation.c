/* Step 3. A shift by k places is a rotation, so places can be compared. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "maths.h"
#include "memory.h"
#include "positional.h"

/* R(k) turns each pair (sin, cos) by the angle k w_i:
 *     sin((p+k) w) =  cos(k w) sin(p w) + sin(k w) cos(p w)
 *     cos((p+k) w) = -sin(k w) sin(p w) + cos(k w) cos(p w)                     */
static void rotate(const real *place, int k, int d, real *turned)
{
    for (int i = 0; i < d / 2; i++) {
        double angle = k * sinusoidal_frequency(i, d), c = cos64(angle), s = sin64(angle);
        double sine = (double)place[2 * i], cosine = (double)place[2 * i + 1];
        turned[2 * i] = (real)(c * sine + s * cosine);
        turned[2 * i + 1] = (real)(-s * sine + c * cosine);
    }
}

static double dot(const real *a, const real *b, int d)
{
    double sum = 0;
    for (int i = 0; i < d; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* ---- by hand: from place 2 to place 5 -------------------------------------------- */

static void by_hand(Lab *lab)
{
    enum { D = 4, FROM = 2, SHIFT = 3, PLACES = 10 };
    real table[PLACES * D], turned[D];
    sinusoidal_table(table, PLACES, D);
    trace_equation(lab->trace, HERE, "PE(pos + k) = R(k) PE(pos): each pair turned by k w_i, wherever pos is");
    trace_vector(lab->trace, HERE, "PE(2)", table + FROM * D, D, NULL, 4);
    for (int i = 0; i < D / 2; i++) {
        double angle = SHIFT * sinusoidal_frequency(i, D);
        trace(lab->trace, "    R(3), pair %d:  cos(3 w_%d) = %.4f  sin(3 w_%d) = %.4f   in (cos sin / -sin cos)\n", i,
              i, cos64(angle), i, sin64(angle));
    }
    rotate(table + FROM * D, SHIFT, D, turned);
    trace(lab->trace, "    first number: %.4f x %.4f + %.4f x (%.4f) = %.4f\n", cos64(SHIFT), (double)table[FROM * D],
          sin64(SHIFT), (double)table[FROM * D + 1], (double)turned[0]);
    trace_vector(lab->trace, HERE, "R(3) PE(2)", turned, D, NULL, 4);
    trace_vector(lab->trace, HERE, "PE(5)", table + (FROM + SHIFT) * D, D, NULL, 4);

    trace(lab->trace, "\n");
    trace_equation(lab->trace, HERE, "PE(p) . PE(q) = sum_i cos((p - q) w_i)");
    trace(lab->trace, "    PE(2) . PE(5) = %.4f   PE(6) . PE(9) = %.4f   cos(3) + cos(0.03) = %.4f\n",
          dot(table + 2 * D, table + 5 * D, D), dot(table + 6 * D, table + 9 * D, D), cos64(3) + cos64(0.03));
    trace(lab->trace,
          "\nSo a matrix that is the same everywhere moves attention by k places; and how alike two places\n"
          "are depends on nothing but their distance.\n\n");
}

/* ---- for the whole table ------------------------------------------------------------ */

static void whole_table(Lab *lab, int positions, int d)
{
    real *table = memory_new((size_t)positions * (size_t)d, sizeof *table, "the table");
    real *turned = memory_new((size_t)d, sizeof *turned, "a place");
    sinusoidal_table(table, positions, d);
    double rotation = 0, offset_only = 0;
    int step = positions > 200 ? positions / 200 : 1; /* a large table is sampled */
    for (int pos = 0; pos < positions; pos += step)
        for (int k = 1; pos + k < positions; k += step) {
            rotate(table + (size_t)pos * d, k, d, turned);
            double expected = 0;
            for (int i = 0; i < d; i++)
                rotation = fmax(rotation, fabs((double)turned[i] - (double)table[(size_t)(pos + k) * d + i]));
            expected = dot(table, table + (size_t)k * d, d); /* the same distance, from place 0 */
            double here = dot(table + (size_t)pos * d, table + (size_t)(pos + k) * d, d);
            offset_only = fmax(offset_only, fabs(here - expected) / (d / 2.0));
        }
    trace(lab->trace,
          "In the table of %d places and %d dimensions, over all places and shifts:\n"
          "    largest |R(k) PE(pos) - PE(pos + k)|                   %.1e\n"
          "    largest |PE(p) . PE(p+k) - PE(0) . PE(k)| / (d/2)      %.1e\n",
          positions, d, rotation, offset_only);
    claim(lab->claims,
          (Claim){.id = "shift-is-rotation",
                  .source = "lecture; Vaswani 2017, section 3.5: PE(pos+k) is a linear function of PE(pos)",
                  .statement = "PE(pos + k) = R(k) PE(pos) for every place and shift of the table (largest difference)",
                  .measured = rotation,
                  .test = AT_MOST,
                  .bound = 1e-6});
    claim(lab->claims, (Claim){.id = "similarity-of-offset",
                               .source = "cos a cos b + sin a sin b = cos(a - b)",
                               .statement = "PE(p) . PE(q) depends only on q - p (largest difference / (d/2))",
                               .measured = offset_only,
                               .test = AT_MOST,
                               .bound = 1e-6});
    free(table);
    free(turned);
}

/* ---- similarity against distance ----------------------------------------------------- */

enum { REACH = 100, FIXED_D = 64 };

/* S(k) = PE(p) . PE(p+k) / (d/2), the cosine of two places K apart. */
static double similarity(int k, int d)
{
    double sum = 0;
    for (int i = 0; i < d / 2; i++)
        sum += cos64(k * sinusoidal_frequency(i, d));
    return sum / (d / 2.0);
}

static void draw(Lab *lab)
{
    enum { SHOWN = 40 };
    static const int widths[] = {16, 64, 512};
    real x[REACH], y[REACH], table[SHOWN * FIXED_D], alike[SHOWN * SHOWN];
    sinusoidal_table(table, SHOWN, FIXED_D);
    for (int p = 0; p < SHOWN; p++)
        for (int q = 0; q < SHOWN; q++)
            alike[p * SHOWN + q] = (real)(dot(table + p * FIXED_D, table + q * FIXED_D, FIXED_D) / (FIXED_D / 2.0));
    Figure *figure = figure_begin(lab->figures, "relative_position", "How alike two places are");
    panel_heatmap(figure_panel(figure, "PE(p) · PE(q) / (d/2), d = 64", "place q", "place p"), alike, SHOWN, SHOWN,
                  NULL, NULL, MAGNITUDE);
    Panel *panel = figure_panel(figure, "against their distance", "distance k", "PE(p) · PE(p+k) / (d/2)");
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        char label[32];
        for (int k = 0; k < REACH; k++) {
            x[k] = (real)k;
            y[k] = (real)similarity(k, widths[w]);
        }
        snprintf(label, sizeof label, "d = %d", widths[w]);
        panel_line(panel, label, x, y, REACH);
    }
    figure_end(figure);
}

void step_rotation(Lab *lab, void *state)
{
    const Positional *self = state;
    enum { DECADES = 5 };
    double decade[DECADES] = {0}, least_fall = INFINITY, highest_rise = 0;
    int rises = 0;
    by_hand(lab);
    whole_table(lab, self->positions, self->dimensions);

    trace(lab->trace, "\nDoes likeness fall with distance? (d = %d)\n\n", FIXED_D);
    trace_table(lab->trace, "distance\tmean likeness");
    for (int i = 0; i < DECADES; i++) {
        for (int k = 20 * i + 1; k <= 20 * i + 20; k++)
            decade[i] += similarity(k, FIXED_D) / 20;
        trace_row(lab->trace, "%d to %d\t%.3f", 20 * i + 1, 20 * i + 20, decade[i]);
        if (i > 0)
            least_fall = fmin(least_fall, decade[i - 1] - decade[i]);
    }
    trace_table_end(lab->trace);
    for (int k = 1; k < REACH; k++) {
        double rise = similarity(k, FIXED_D) - similarity(k - 1, FIXED_D);
        rises += rise > 0;
        highest_rise = fmax(highest_rise, rise);
    }
    trace(lab->trace,
          "\nOn the whole, yes. Step by step, no: at %d of the first %d distances it rises, by up to %.3f, since\n"
          "fast clocks come round again.\n",
          rises, REACH - 1, highest_rise);
    draw(lab);
    claim(lab->claims,
          (Claim){.id = "similarity-falls",
                  .source = "lecture: similarity falls with distance",
                  .statement =
                      "the mean likeness of places 1-20, 21-40, ... 81-100 apart falls each time (least fall, d = 64)",
                  .measured = least_fall,
                  .test = ABOVE,
                  .bound = 0});
    claim(lab->claims,
          (Claim){.id = "similarity-ripples",
                  .source = "lecture: similarity falls with distance",
                  .statement = "it does not fall monotonically: at this many of 99 distances it rises (d = 64)",
                  .measured = rises,
                  .test = AT_LEAST,
                  .bound = 10,
                  .corrects = true});
}
