/* figure_page.h: the picture in the making, between the files that draw it:
 *
 *     figure_page.c      words, axes, and the labels around a plot
 *     figure_key.c       which curve is which
 *     figure_curves.c    lines, bands, points with words
 *     figure_bars.c      grouped bars
 *     figure_heatmap.c   a matrix as colours
 *     figure_script.c    panels side by side, and the whole .gp file
 *
 * All places are pixels from the top left corner, computed here and not by
 * gnuplot, so that no label is cut off and no key lies on the data, whatever the
 * words are.  gnuplot gets them as fractions of the picture ("screen").
 *
 * Words are data: they stand in a data block, one a line behind a '=', and are
 * fetched by number, say(7).  No word of a user is ever part of a command, of a
 * format, or of a quoted string, and none can end the block. */
#ifndef FIGURE_PAGE_H
#define FIGURE_PAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "figure_parts.h"

/* Sizes of letters in points: to be read from the last row of a class. */
enum { TITLE = 18, PANEL_TITLE = 16, AXIS = 15, TIC = 14, KEY = 14, WORD = 13, VALUE = 12, SMALLEST = 8 };
/* Pixels. */
enum { LINE_HEIGHT = 26, TIC_ROOM = 32, GAP = 10, MOST_SIDE = 1300 };
enum { MOST_TICS = 64 };

typedef struct {
    FILE *words, *body; /* of the script: the block of words, and the commands */
    int word_count, tags;
    double width, height;
    const char *font;
    const char *dots; /* behind a word that was cut */
} Page;

/* A box on the picture; y counts downwards. */
typedef struct {
    double left, top, right, bottom;
} Box;

typedef struct {
    bool log;
    double low, high;
    double tic[MOST_TICS];
    int tics;
} Axis;

/* Two axes and where their plot lies. */
typedef struct {
    Axis x, y;
    Box plot;
} View;

/* ---- words ---- */

double page_pixels(double points);
/* About how wide TEXT (NULL: 0) is drawn; rather too wide than too narrow. */
double page_text_width(const char *text, double points);
double page_x(const Page *page, double x);
double page_y(const Page *page, double y);
/* TEXT at (X, Y), cut to MOST pixels: ALIGN is left, center or right, ANGLE in
 * degrees, STYLE "" or ":Bold". */
void page_text(Page *page, const char *text, double x, double y, const char *align, int angle, double points,
               const char *style, double most);
/* A title in one line, or in two if it is long, and the height of that. */
void page_title(Page *page, const char *text, double x, double y, double points, double most);
double page_title_height(const char *text, double points, double most);
/* A number, or NaN. */
void page_number(FILE *stream, double value);
/* "1e+06" as "1e6". */
void page_shorten_exponent(char *text);
void page_tic_text(char text[32], double value);

/* ---- axes: begin with low = INFINITY, high = -INFINITY ---- */

void axis_stretch(Axis *axis, double value);
/* Room around the data: a fraction of the range on each side. */
void axis_pad(Axis *axis, double before, double after);
/* The range that the lab asks for, if it does. */
void axis_choose(Axis *axis, double low, double high);
/* Round numbers along LENGTH pixels, at least APART pixels between them. */
void axis_tics(Axis *axis, double length, double apart);
void page_axis(Page *page, const char *name, const Axis *axis, bool labels);

double view_x(const View *view, double x);
double view_y(const View *view, double y);
bool view_shows(const View *view, double x, double y);
/* Leaves room in BOX for labels and key; what is left is the plot. */
void view_frame(const Panel *panel, View *view, Box box);

void page_margins(Page *page, const Box *plot);
/* Title and axis labels around the plot; BELOW is where the tics' labels end. */
void page_labels(Page *page, const Panel *panel, const Box *box, const Box *plot, double below);

/* How the labels under an axis are laid: in one line or two, slanted or
 * upright, in letters that fit, and every how many. */
typedef struct {
    double points, most, depth; /* depth: pixels below the axis */
    int lines, angle, every;
} Under;

Under page_lay_under(char *const *labels, int n, double apart, double most);
void page_under(Page *page, char *const *labels, int n, const Under *under, double left, double apart, double top);

/* ---- the key ---- */

typedef struct {
    const char *colour, *dash;
    int point;
} Style;

/* Curves, points and bars take colours in turn; references are grey. */
Style key_style(const Panel *panel, int s);
int key_entries(const Panel *panel);
/* The widest entry, at most MOST; the height of a key below, WIDTH wide. */
double key_width(const Panel *panel, double most);
double key_height(const Panel *panel, double width);
void key_draw(Page *page, const Panel *panel, const View *view, const Box *box);

/* ---- panels: P is the panel's number ---- */

void page_curve(Page *page, const Panel *panel, int p, int s, const View *view);
void page_curve_panel(Page *page, const Panel *panel, int p, Box box);
/* The first series of bars, or NULL. */
const Series *bars_first(const Panel *panel);
void page_bar_panel(Page *page, const Panel *panel, int p, Box box);
void heatmap_natural_size(const Panel *panel, bool alone, double *width, double *height);
void page_heatmap_panel(Page *page, const Panel *panel, int p, Box box);

#endif
