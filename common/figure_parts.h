/* figure_parts.h: what the files of the figures share; labs use figure.h.
 *
 *     figure.c          what a figure is made of, and its TSV
 *     figure_page.h     the files that draw it, and the .gp
 *     gnuplot.c         gnuplot at work in the background */
#ifndef FIGURE_PARTS_H
#define FIGURE_PARTS_H

#include <stdint.h>

#include "figure.h"

typedef enum { LINE, BAND, REFERENCE, HORIZONTAL, POINTS, BARS, HEATMAP } SeriesKind;

typedef struct {
    SeriesKind kind;
    char *label;                /* for the key, or NULL */
    int n;                      /* points, bars */
    double *x, *y, *low, *high; /* each n, or NULL; a bar's value is y, its error low */
    char **words;               /* n beside points, or n categories of bars, or NULL */
    int rows, columns;          /* a heatmap */
    real *cells;                /* rows x columns */
    char **row_labels, **column_labels;
    HeatmapColours colours;
} Series;

struct Panel {
    char *title, *x_label, *y_label; /* or NULL */
    bool log_x, log_y;
    double x_low, x_high, y_low, y_high; /* equal: chosen */
    KeyPlace key;
    Series *series;
    int count;
    Figure *figure;
};

struct Figure {
    Figures *figures;
    char *name, *title;
    int columns, panel_width, panel_height; /* 0: chosen */
    Panel **panels;
    int count;
};

typedef struct Gnuplot Gnuplot;

/* Writes FOLDER/NAME.gp, for the fonts that GNUPLOT has (NULL: any).  Changes
 * the figure's words into what can be drawn of them. */
void figure_write_script(Figure *figure, const char *folder, Gnuplot *gnuplot);

/* ---- gnuplot.c ---- */

/* Looks for the program; NULL, after one warning, if there is none. */
Gnuplot *gnuplot_find(const char *folder);

/* A family with Hangul, and no character that gnuplot would interpret; ""
 * after one warning if there is none. */
const char *gnuplot_font(Gnuplot *gnuplot);

/* Whether any font has this letter (NULL: yes).  After gnuplot_font. */
bool gnuplot_covers(const Gnuplot *gnuplot, uint32_t letter);

/* Draws FOLDER/NAME.gp as soon as one of two places is free. */
void gnuplot_draw(Gnuplot *gnuplot, const char *name);

/* Waits for all; says what failed; returns how many have failed so far. */
int gnuplot_finish(Gnuplot *gnuplot);

/* A gnuplot that takes longer than this is stopped: 60 s unless said. */
void gnuplot_patience(Gnuplot *gnuplot, double seconds);

/* Whether NAME was drawn (or is still on its way) and did not fail. */
bool gnuplot_drew(const Gnuplot *gnuplot, const char *name);

void gnuplot_free(Gnuplot *gnuplot);

#endif
