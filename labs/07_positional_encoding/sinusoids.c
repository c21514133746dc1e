/* Step 2. The sinusoidal table. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "maths.h"
#include "memory.h"
#include "positional.h"
#include "transformer.h"

#define PI 3.141592653589793
#define LOG_10000 9.210340371976184

double sinusoidal_frequency(int i, int d)
{
    return exp64(-LOG_10000 * (2 * i) / d); /* 10000^(-2i/d) */
}

void sinusoidal_table(real *table, int positions, int d)
{
    for (int pos = 0; pos < positions; pos++)
        for (int i = 0; i < d / 2; i++) {
            double angle = pos * sinusoidal_frequency(i, d);
            table[pos * d + 2 * i] = (real)sin64(angle);
            table[pos * d + 2 * i + 1] = (real)cos64(angle);
        }
}

/* ---- four places, four dimensions, every number ------------------------------- */

static void by_hand(Lab *lab)
{
    enum { PLACES = 4, D = 4 };
    real table[PLACES * D];
    sinusoidal_table(table, PLACES, D);
    trace(lab->trace, "Four dimensions are two pairs: a fast clock and a slow one.\n\n");
    trace_equation(lab->trace, HERE, "w_0 = 1 / 10000^(0/4) = %.4f   w_1 = 1 / 10000^(2/4) = %.4f",
                   sinusoidal_frequency(0, D), sinusoidal_frequency(1, D));
    trace_equation(lab->trace, HERE, "PE(pos, 2i) = sin(pos w_i)   PE(pos, 2i+1) = cos(pos w_i)");
    trace(lab->trace, "\n");
    trace_table(lab->trace, "entry\tequation\tangle\tvalue");
    for (int pos = 0; pos < PLACES; pos++)
        for (int c = 0; c < D; c++)
            trace_row(lab->trace, "PE(%d, %d)\t%s(%d / 10000^(%d/4))\t%.4f\t%.4f", pos, c, c % 2 ? "cos" : "sin", pos,
                      c / 2 * 2, pos * sinusoidal_frequency(c / 2, D), (double)table[pos * D + c]);
    trace_table_end(lab->trace);
    trace(lab->trace, "\nThe first pair has gone half round its circle by pos = 3, the second has hardly moved.\n\n");
}

/* ---- the whole table ------------------------------------------------------------ */

static void draw_table(Lab *lab, const real *table, int positions, int d)
{
    Figure *figure = figure_begin(lab->figures, "positional_encoding_sinusoidal", "Sinusoidal positional encoding");
    Panel *panel = figure_panel(figure, NULL, "dimension", "position");
    panel_heatmap(panel, table, positions, d, NULL, NULL, SIGNED);
    figure_end(figure);
    lab_raster(lab, "positional_encoding_sinusoidal_raster", table, positions, d, NULL, NULL, SIGNED, 0);
}

static void whole_table(Lab *lab, int positions, int d)
{
    size_t size = (size_t)positions * (size_t)d;
    real *table = memory_new(size, sizeof *table, "the table"),
         *library = memory_new(size, sizeof *library, "the table");
    sinusoidal_table(table, positions, d);
    positions_sinusoidal(library, positions, d);
    double most = 0, norm = 0;
    for (size_t i = 0; i < size; i++)
        most = fmax(most, fabs((double)table[i] - (double)library[i]));
    for (int pos = 0; pos < positions; pos++) {
        double square = 0;
        for (int i = 0; i < d; i++)
            square += (double)table[pos * d + i] * (double)table[pos * d + i];
        norm = fmax(norm, fabs(square - d / 2.0) / (d / 2.0));
    }
    trace(lab->trace,
          "The whole table, %d places of %d dimensions (the figure, and the raster, one square a number):\n\n",
          positions, d);
    trace_matrix(lab->trace, HERE, "PE", table, positions, d, NULL, NULL, 2);
    draw_table(lab, table, positions, d);
    claim(
        lab->claims,
        (Claim){.id = "table-as-in-library",
                .source = "Vaswani 2017, section 3.5; common/transformer.h",
                .statement = "the table written out here equals positions_sinusoidal, which later labs use, to the bit",
                .measured = most,
                .test = EQUALS,
                .bound = 0});
    claim(lab->claims,
          (Claim){.id = "every-place-equally-long",
                  .source = "sin^2 + cos^2 = 1",
                  .statement =
                      "all places have |PE|^2 = d/2, so that no place is louder than another (largest relative error)",
                  .measured = norm,
                  .test = AT_MOST,
                  .bound = 1e-6});
    free(table);
    free(library);
}

/* ---- wave lengths ---------------------------------------------------------------- */

/* Positions a wave of frequency W takes for one turn, measured: the mean distance
 * of the places where sin(pos w) rises through zero, at most TURNS of them. */
static double measure_wavelength(double w)
{
    enum { TURNS = 20, FAR = 100000 };
    double before = 0, crossing = 0;
    int turns = 0;
    for (int pos = 1; pos < FAR && turns < TURNS; pos++) {
        double now = sin64(pos * w);
        if (before < 0 && now >= 0) {
            crossing = pos - 1 + before / (before - now);
            turns++;
        }
        before = now;
    }
    return turns ? crossing / turns : INFINITY;
}

static void draw_waves(Lab *lab, const double *length, int d)
{
    enum { POINTS = 401, WAVES = 4 };
    int pairs = d / 2;
    real *pair = memory_new((size_t)pairs, sizeof *pair, "wave lengths"),
         *y = memory_new((size_t)pairs, sizeof *y, "wave lengths"), x[POINTS], wave[POINTS];
    for (int i = 0; i < pairs; i++) {
        pair[i] = (real)i;
        y[i] = (real)length[i];
    }
    Figure *figure =
        figure_begin(lab->figures, "wavelengths", "From fast to slow: one clock for each pair of dimensions");
    Panel *waves = figure_panel(figure, "the first 100 places", "position", "sin(pos ω)");
    panel_range_y(waves, -1.1, 1.1);
    for (int w = 0; w < WAVES && w * pairs / 8 < pairs && (w == 0 || w * pairs / 8 > (w - 1) * pairs / 8); w++) {
        int i = w * pairs / 8;
        char label[64];
        for (int p = 0; p < POINTS; p++) {
            x[p] = (real)p * 100 / (POINTS - 1);
            wave[p] = (real)sin64((double)x[p] * sinusoidal_frequency(i, d));
        }
        snprintf(label, sizeof label, "pair %d: %.3g places", i, length[i]);
        panel_line(waves, label, x, wave, POINTS);
    }
    Panel *lengths = figure_panel(figure, "length of each wave", "pair i", "places a turn");
    panel_log_y(lengths);
    panel_points(lengths, "measured in the table", pair, y, NULL, pairs);
    panel_horizontal(lengths, "2π", 2 * PI);
    panel_horizontal(lengths, "10000 · 2π", 2 * PI * 10000);
    figure_end(figure);
    free(pair);
    free(y);
}

static void wavelengths(Lab *lab, int d)
{
    int pairs = d / 2;
    double *length = memory_new((size_t)pairs, sizeof *length, "wave lengths"), worst = 0,
           growth = exp64(LOG_10000 * 2 / d);
    trace(lab->trace, "\nHow many places each pair takes to go round once, measured at its zero crossings:\n\n");
    trace_equation(lab->trace, HERE, "wave length = 2 pi / w_i = 2 pi 10000^(2i/d)");
    trace(lab->trace, "\n");
    trace_table(lab->trace, "pair\tmeasured\t2 pi 10000^(2i/d)");
    for (int i = 0; i < pairs; i++) {
        length[i] = measure_wavelength(sinusoidal_frequency(i, d));
        if (i > 0)
            worst = fmax(worst, fabs(length[i] / length[i - 1] / growth - 1));
        if (i < 4 || i >= pairs - 2 || (pairs >= 8 && i % (pairs / 8) == 0))
            trace_row(lab->trace, "%d\t%.2f\t%.2f", i, length[i], 2 * PI / sinusoidal_frequency(i, d));
    }
    trace_table_end(lab->trace);
    double longest = length[pairs - 1] / (2 * PI * 10000);
    trace(lab->trace,
          "\nEach wave is %.3f times as long as the one before. The longest is %.4f of 10000 x 2 pi: the last\n"
          "pair is i = d/2 - 1, whose exponent is (d-2)/d and not 1.\n",
          growth, longest);
    draw_waves(lab, length, d);
    claim(lab->claims, (Claim){.id = "shortest-wave",
                               .source = "lecture; Vaswani 2017, section 3.5: wave lengths from 2 pi",
                               .statement = "the shortest wave takes 2 pi places (measured / 2 pi)",
                               .measured = length[0] / (2 * PI),
                               .test = EQUALS,
                               .bound = 1,
                               .tolerance = 1e-3});
    claim(lab->claims,
          (Claim){.id = "geometric-progression",
                  .source = "Vaswani 2017, section 3.5",
                  .statement = "wave lengths are a geometric progression of ratio 10000^(2/d) (largest relative error)",
                  .measured = worst,
                  .test = AT_MOST,
                  .bound = 5e-3});
    claim(lab->claims,
          (Claim){.id = "longest-wave",
                  .source = "lecture; Vaswani 2017, section 3.5: wave lengths to 10000 x 2 pi",
                  .statement =
                      "the longest wave is shorter than 10000 x 2 pi, by the factor 10000^(-2/d) (measured / that)",
                  .measured = longest,
                  .test = BELOW,
                  .bound = 1,
                  .corrects = true});
    free(length);
}

void step_sinusoids(Lab *lab, void *state)
{
    const Positional *self = state;
    by_hand(lab);
    whole_table(lab, self->positions, self->dimensions);
    wavelengths(lab, self->dimensions);
}
