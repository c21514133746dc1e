/* figure.h: figures with axes, drawn by gnuplot.
 *
 *     Figure *figure = figure_begin(lab->figures, "loss_curves", "Loss against epoch");
 *     Panel *panel = figure_panel(figure, "skip-gram", "epoch", "loss");
 *     panel_line(panel, "negative sampling", epochs, losses, n);
 *     figure_end(figure);
 *
 * Each figure is three files: NAME.tsv (its data, with a header row), NAME.gp
 * (`gnuplot NAME.gp` in that folder draws it again) and NAME.png.  gnuplot runs
 * in the background while the lab goes on; figures_finish waits for it.
 *
 * Labels, words and titles may hold anything a user typed: they reach gnuplot
 * as data only, never as a command or inside a double-quoted string.
 *
 * All arrays are copied by the call they are given to.  A value that is not
 * finite is written NaN and drawn as a gap.  In the TSV a tab in a word is \t, a
 * newline \n, a backslash \\.  In the picture control bytes are shown as \t, \n,
 * \x1b, a letter that no font has as a box, and a word too long for its place
 * ends in "…".
 *
 * A panel holds lines, bands, references and points, or bars (and horizontals),
 * or one heatmap. */
#ifndef FIGURE_H
#define FIGURE_H

#include <stdbool.h>

#include "real.h"

typedef struct Figures Figures;
typedef struct Figure Figure;
typedef struct Panel Panel;

/* Figures go to FOLDER.  With DRAW false, or without gnuplot (one warning),
 * data and scripts are written but no PNG. */
Figures *figures_new(const char *folder, bool draw);

/* Waits for every gnuplot still at work (at most 60 s each), says which
 * figures failed and why (once), and returns how many have in this run. */
int figures_finish(Figures *figures);
void figures_free(Figures *figures);

/* A gnuplot that takes longer than this is stopped and counts as failed. */
void figures_patience(Figures *figures, double seconds);

/* The names of this run's figures in order (NULL behind the last), and whether
 * there is a PNG.  A raster takes its name here too: each is used once. */
void figures_add_name(Figures *figures, const char *name);
const char *figures_name(const Figures *figures, int i);
bool figures_drawn(const Figures *figures, int i);

/* NAME is the file's stem: letters, digits and '_' only. */
Figure *figure_begin(Figures *figures, const char *name, const char *title);

/* A multi-panel figure fills rows of COLUMNS panels; the default is a layout as
 * square as the number of panels allows.  Size in pixels of one panel: the
 * default is 900 x 560 for one panel and 640 x 460 for several; heatmaps grow
 * with their cells. */
void figure_layout(Figure *figure, int columns, int panel_width, int panel_height);

/* One set of axes.  X_LABEL and Y_LABEL may be NULL. */
Panel *figure_panel(Figure *figure, const char *title, const char *x_label, const char *y_label);

/* Axes.  A range with low == high is chosen by gnuplot. */
void panel_log_x(Panel *panel);
void panel_log_y(Panel *panel);
void panel_range_x(Panel *panel, double low, double high);
void panel_range_y(Panel *panel, double low, double high);
typedef enum { KEY_INSIDE, KEY_BELOW, KEY_OUTSIDE, KEY_NONE } KeyPlace;
void panel_key(Panel *panel, KeyPlace place); /* default: below the plot */

/* A curve through N points; and the same with a band from LOW to HIGH. */
void panel_line(Panel *panel, const char *label, const real *x, const real *y, int n);
void panel_band(Panel *panel, const char *label, const real *x, const real *y, const real *low, const real *high,
                int n);
/* A thin dashed reference line: theory, chance. */
void panel_reference(Panel *panel, const char *label, const real *x, const real *y, int n);
void panel_horizontal(Panel *panel, const char *label, double y);

/* Points; WORDS (or NULL) are printed beside them. */
void panel_points(Panel *panel, const char *label, const real *x, const real *y, const char *const *words, int n);

/* Grouped bars: one call a series, the same CATEGORIES each time; ERRORS (or
 * NULL) are half-lengths of error bars.  Values are printed above the bars
 * where there is room. */
void panel_bars(Panel *panel, const char *label, const char *const *categories, const real *values, const real *errors,
                int n);

/* A matrix as colours, row 0 on top.  Labels may be NULL.  Cell values are
 * printed while they can be read.  MAGNITUDE: viridis from the smallest to the
 * largest value; SIGNED: blue-white-red, centred on zero; WEIGHTS: viridis from
 * 0 to 1. */
typedef enum { MAGNITUDE, SIGNED, WEIGHTS } HeatmapColours;
void panel_heatmap(Panel *panel, const real *cells, int rows, int columns, const char *const *row_labels,
                   const char *const *column_labels, HeatmapColours colours);

/* Writes the data and the script and starts gnuplot.  Frees FIGURE. */
void figure_end(Figure *figure);

#endif
