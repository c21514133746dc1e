/* figure_script.c: where everything goes on the picture, and the .gp file.
 *
 * All places are computed here, in pixels from the top left corner, so that no
 * label is cut off and no key lies on the data, whatever the words are.
 *
 * Words are data: they stand in a data block, one a line behind a '=', and are
 * fetched by number, say(7).  No word of a user is ever part of a command, of a
 * format, or of a quoted string, and none can end the block. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "colours.h"
#include "die.h"
#include "figure_parts.h"
#include "files.h"
#include "maths.h"
#include "memory.h"
#include "text.h"

/* Sizes of letters in points: to be read from the last row of a class. */
enum { TITLE = 18, PANEL_TITLE = 16, AXIS = 15, TIC = 14, KEY = 14, WORD = 13, VALUE = 12, SMALLEST = 8 };
enum { LINE_HEIGHT = 26, TIC_ROOM = 32, GAP = 10, SAMPLE = 44, MOST_TICS = 64, MOST_SIDE = 1300 };

static const char *const okabe_ito[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"};
static const char *const dashes[] = {"1", "'-'", "'.'", "'-.'", "'_'"};
static const int point_types[] = {7, 5, 9, 13, 11, 6, 4, 8, 12, 10};
enum { COLOURS = 7, DASHES = 5, POINT_TYPES = 10 };

typedef struct {
    FILE *words, *body;
    int word_count, tags;
    double width, height;
    const char *font;
    const char *dots; /* behind a word that was cut */
} Script;

/* A box on the picture, in pixels; y counts downwards. */
typedef struct {
    double left, top, right, bottom;
} Box;

/* ---- words ------------------------------------------------------------------- */

/* About how wide a letter is drawn, in ems; rather too wide than too narrow. */
static double letter_width(uint32_t c)
{
    if (c >= 0x1f000 && c < 0x20000)
        return 1.35; /* emoji */
    if (c >= 0x1100)
        return c >= 0x2000 && c < 0x2e80 ? 0.8 : 1.0;
    if (strchr("iljtfrI.,:;'|!()[] ", (int)c) && c)
        return 0.38;
    if (strchr("WM%@", (int)c))
        return 0.97;
    if ((c >= 'A' && c <= 'Z') || strchr("mw&", (int)c))
        return 0.8;
    return 0.6;
}

static double pixels_of(double points)
{
    return points * 4 / 3;
}

/* The next letter of TEXT, which is valid UTF-8 by now. */
static int next_letter(const char *text, uint32_t *c)
{
    int size = utf8_decode(text, strlen(text), c);
    return size > 0 ? size : 1;
}

static double text_pixels(const char *text, double points)
{
    double width = 0;
    uint32_t c;
    for (; text && *text; text += next_letter(text, &c), width += letter_width(c))
        ;
    return width * pixels_of(points);
}

/* Puts a word into the block, shortened to MOST pixels; returns its number. */
static int add_word(Script *script, const char *text, double points, double most)
{
    bool whole = text_pixels(text, points) <= most;
    double room = (most - pixels_of(points)) / pixels_of(points);
    fputc('=', script->words);
    while (*text) {
        uint32_t c;
        int size = next_letter(text, &c);
        room -= letter_width(c);
        if (!whole && room < 0) {
            fputs(script->dots, script->words);
            break;
        }
        fprintf(script->words, "%.*s", size, text);
        text += size;
    }
    fputc('\n', script->words);
    return ++script->word_count;
}

static double screen_x(const Script *script, double x)
{
    return x / script->width;
}

static double screen_y(const Script *script, double y)
{
    return 1 - y / script->height;
}

/* TEXT at (X, Y): ALIGN is left, center or right; ANGLE in degrees. */
static void put_text(Script *script, const char *text, double x, double y, const char *align, int angle, double points,
                     const char *style, double most)
{
    if (!text || !*text)
        return;
    int word = add_word(script, text, points, most);
    fprintf(script->body, "set label %d say(%d) at screen %.5f, screen %.5f %s rotate by %d font '%s%s,%.3g' ",
            ++script->tags, word, screen_x(script, x), screen_y(script, y), align, angle, script->font, style, points);
    fprintf(script->body, "tc rgb '#222222' noenhanced front\n");
}

/* A title in one line, or in two if it is long. */
static void put_title(Script *script, const char *text, double x, double y, double points, double most)
{
    if (!text || text_pixels(text, points) <= most) {
        put_text(script, text, x, y, "center", 0, points, ":Bold", most);
        return;
    }
    char *first = memory_copy_text(text);
    char *space = NULL;
    for (char *c = first; *c; c++)
        if (*c == ' ') {
            *c = '\0';
            if (text_pixels(first, points) <= most)
                space = c;
            *c = ' ';
        }
    if (space)
        *space = '\0';
    put_text(script, first, x, y, "center", 0, points, ":Bold", most);
    if (space)
        put_text(script, space + 1, x, y + LINE_HEIGHT, "center", 0, points, ":Bold", most);
    free(first);
}

static double title_height(const char *text, double points, double most)
{
    if (!text || !*text)
        return GAP;
    return text_pixels(text, points) <= most ? LINE_HEIGHT + GAP : 2 * LINE_HEIGHT + GAP;
}

/* ---- axes ---------------------------------------------------------------------- */

typedef struct {
    bool log;
    double low, high;
    double tic[MOST_TICS];
    int tics;
} Axis;

static void stretch(Axis *axis, double value)
{
    if (!isfinite(value) || (axis->log && value <= 0))
        return;
    axis->low = fmin(axis->low, value);
    axis->high = fmax(axis->high, value);
}

/* Room around the data: a fraction of the range on each side. */
static void pad(Axis *axis, double before, double after)
{
    if (axis->low > axis->high) { /* no data that can be drawn */
        axis->low = axis->log ? 1 : 0;
        axis->high = axis->log ? 10 : 1;
    }
    if (axis->log) {
        double ratio = log64(axis->high / axis->low);
        ratio = ratio < 0.1 ? 0.7 : ratio;
        axis->low *= exp64(-before * ratio);
        axis->high *= exp64(after * ratio);
        return;
    }
    double range = axis->high - axis->low;
    if (!(range > fabs(axis->high) * 1e-9)) {
        range = fabs(axis->high) > 0 ? fabs(axis->high) : 1;
        before = after = 0.5;
    }
    axis->low -= before * range;
    axis->high += after * range;
}

static void choose(Axis *axis, double low, double high)
{
    if (!(low < high) || (axis->log && low <= 0))
        return;
    axis->low = low;
    axis->high = high;
}

/* Round numbers 1, 2, 5 x 10^k apart, at most MOST of them. */
static void linear_tics(Axis *axis, int most)
{
    double range = axis->high - axis->low, step = 1;
    static const double up[] = {2, 2.5, 2};
    while (step > range / most)
        step /= 10;
    for (int i = 0; range / step > most; i++)
        step *= up[i % 3];
    for (double i = ceil(axis->low / step - 1e-9); i * step <= axis->high + 1e-9 * step; i++)
        if (axis->tics < MOST_TICS)
            axis->tic[axis->tics++] = i * step;
}

/* Powers of ten, fewer if there are many, with 2 and 5 between if few. */
static void log_tics(Axis *axis, int most)
{
    int powers = 0;
    double first = 1;
    while (first > axis->low)
        first /= 10;
    while (first * 10 <= axis->low)
        first *= 10;
    for (double power = first; power <= axis->high; power *= 10)
        powers++;
    int skip = (powers + most - 1) / most, i = 0;
    for (double power = first; power <= axis->high; power *= 10, i++)
        for (int m = 0; m < 3; m++) {
            static const double between[] = {1, 2, 5};
            double tic = power * between[m];
            bool wanted = m == 0 ? i % skip == 0 : powers <= 2;
            if (wanted && tic >= axis->low * 0.999999 && tic <= axis->high * 1.000001 && axis->tics < MOST_TICS)
                axis->tic[axis->tics++] = tic;
        }
}

static void make_tics(Axis *axis, double length, double apart)
{
    int most = (int)(length / apart);
    most = most < 2 ? 2 : most > 12 ? 12 : most;
    axis->tics = 0;
    if (axis->log)
        log_tics(axis, most);
    else
        linear_tics(axis, most);
}

/* "1e+06" as "1e6". */
static void shorten_exponent(char *text)
{
    char *e = strchr(text, 'e');
    if (!e)
        return;
    char *from = e + 1, *to = e + 1;
    if (*from == '-')
        *to++ = *from;
    from += strspn(from, "+-0");
    memmove(to, from, strlen(from) + 1);
}

static void tic_text(char text[32], double value)
{
    snprintf(text, 32, "%.6g", fabs(value) < 1e-12 ? 0.0 : value);
    shorten_exponent(text);
}

static double widest_tic(const Axis *axis)
{
    double widest = 0;
    char text[32];
    for (int i = 0; i < axis->tics; i++) {
        tic_text(text, axis->tic[i]);
        widest = fmax(widest, text_pixels(text, TIC));
    }
    return widest;
}

/* Where VALUE lies between 0 (low) and 1 (high). */
static double along(const Axis *axis, double value)
{
    if (axis->log)
        return log64(value / axis->low) / log64(axis->high / axis->low);
    return (value - axis->low) / (axis->high - axis->low);
}

static void put_axis(Script *script, const char *name, const Axis *axis, bool labels)
{
    fprintf(script->body, "set %srange [%.9g:%.9g]\n", name, axis->low, axis->high);
    fprintf(script->body, axis->log ? "set logscale %s\n" : "unset logscale %s\n", name);
    if (!labels) {
        fprintf(script->body, "unset %stics\n", name);
        return;
    }
    fprintf(script->body, "set %stics scale 0.6 nomirror font '%s,%d' tc rgb '#222222' (", name, script->font, TIC);
    for (int i = 0; i < axis->tics; i++) {
        char text[32];
        tic_text(text, axis->tic[i]);
        fprintf(script->body, "%s'%s' %.9g", i ? ", " : "", text, fabs(axis->tic[i]) < 1e-12 ? 0.0 : axis->tic[i]);
    }
    fprintf(script->body, ")\n");
}

/* ---- the key --------------------------------------------------------------------- */

typedef struct {
    const char *colour, *dash;
    int point;
} Style;

/* Curves, points and bars take colours in turn; references are grey. */
static Style style_of(const Panel *panel, int s)
{
    int turn = 0, reference = 0;
    for (int i = 0; i < s; i++) {
        bool grey = panel->series[i].kind == REFERENCE || panel->series[i].kind == HORIZONTAL;
        turn += !grey;
        reference += grey;
    }
    if (panel->series[s].kind == REFERENCE || panel->series[s].kind == HORIZONTAL)
        return (Style){"#666666", dashes[1 + reference % (DASHES - 1)], 0};
    return (Style){okabe_ito[turn % COLOURS], dashes[turn % DASHES], point_types[turn % POINT_TYPES]};
}

static bool in_key(const Panel *panel, int s)
{
    return panel->key != KEY_NONE && panel->series[s].label && *panel->series[s].label;
}

static double entry_width(const Panel *panel, int s, double most)
{
    return fmin(SAMPLE + text_pixels(panel->series[s].label, KEY) + 2 * GAP, most);
}

static double widest_entry(const Panel *panel, double most)
{
    double widest = 0;
    for (int s = 0; s < panel->count; s++)
        if (in_key(panel, s))
            widest = fmax(widest, entry_width(panel, s, most));
    return widest;
}

static int key_entries(const Panel *panel)
{
    int entries = 0;
    for (int s = 0; s < panel->count; s++)
        entries += in_key(panel, s);
    return entries;
}

/* Lines that a key below takes: entries in columns of equal width. */
static int key_columns(const Panel *panel, double width)
{
    double widest = widest_entry(panel, width);
    int columns = widest > 0 ? (int)(width / widest) : 1;
    int entries = key_entries(panel);
    columns = columns < 1 ? 1 : columns > entries ? entries : columns;
    return columns < 1 ? 1 : columns;
}

static double key_height(const Panel *panel, double width)
{
    int entries = key_entries(panel), columns = key_columns(panel, width);
    return panel->key == KEY_BELOW && entries ? (entries + columns - 1) / columns * LINE_HEIGHT : 0;
}

static void put_line_sample(Script *script, double x, double y, const Style *style, double width)
{
    fprintf(script->body,
            "set arrow %d from screen %.5f, screen %.5f to screen %.5f, screen %.5f nohead lw %.3g dt %s lc rgb '%s' "
            "front\n",
            ++script->tags, screen_x(script, x), screen_y(script, y), screen_x(script, x + SAMPLE - GAP),
            screen_y(script, y), width, style->dash, style->colour);
}

static void put_box(Script *script, const Box *box, const char *colour, double opacity)
{
    fprintf(script->body,
            "set object %d rectangle from screen %.5f, screen %.5f to screen %.5f, screen %.5f fc rgb '%s' "
            "fs transparent solid %.2f noborder front\n",
            ++script->tags, screen_x(script, box->left), screen_y(script, box->bottom), screen_x(script, box->right),
            screen_y(script, box->top), colour, opacity);
}

static void put_entry(Script *script, const Panel *panel, int s, double x, double y, double width)
{
    const Series *series = &panel->series[s];
    Style style = style_of(panel, s);
    if (series->kind == BARS || series->kind == BAND) {
        Box box = {x + 4, y - 7, x + SAMPLE - GAP - 4, y + 7};
        put_box(script, &box, style.colour, series->kind == BAND ? 0.25 : 1);
    }
    if (series->kind == LINE || series->kind == BAND || series->kind == REFERENCE || series->kind == HORIZONTAL)
        put_line_sample(script, x, y, &style, style.point ? 2.5 : 2);
    if (series->kind == LINE || series->kind == POINTS)
        fprintf(script->body, "set label %d '' at screen %.5f, screen %.5f point pt %d ps 1.3 lc rgb '%s' front\n",
                ++script->tags, screen_x(script, x + (SAMPLE - GAP) / 2.0), screen_y(script, y), style.point,
                style.colour);
    put_text(script, series->label, x + SAMPLE, y, "left", 0, KEY, "", width - SAMPLE);
}

/* The entries in columns from (LEFT, TOP). */
static void put_entries(Script *script, const Panel *panel, double left, double top, int columns, double width)
{
    int place = 0;
    for (int s = 0; s < panel->count; s++) {
        if (!in_key(panel, s))
            continue;
        put_entry(script, panel, s, left + place % columns * width, top + (place / columns + 0.5) * LINE_HEIGHT, width);
        place++;
    }
}

static void put_key_below(Script *script, const Panel *panel, double middle, double width, double top)
{
    int columns = key_columns(panel, width);
    double widest = widest_entry(panel, width);
    put_entries(script, panel, middle - columns * widest / 2 + GAP, top, columns, widest);
}

/* ---- curves and points -------------------------------------------------------------- */

typedef struct {
    Axis x, y;
    Box plot;
} View;

static double pixel_x(const View *view, double x)
{
    return view->plot.left + along(&view->x, x) * (view->plot.right - view->plot.left);
}

static double pixel_y(const View *view, double y)
{
    return view->plot.bottom - along(&view->y, y) * (view->plot.bottom - view->plot.top);
}

static bool can_show(const View *view, double x, double y)
{
    return isfinite(x) && isfinite(y) && !(view->x.log && x <= 0) && !(view->y.log && y <= 0) && x >= view->x.low &&
           x <= view->x.high && y >= view->y.low && y <= view->y.high;
}

static void curve_axes(const Panel *panel, View *view)
{
    bool words = false, points = false;
    view->x = (Axis){.log = panel->log_x, .low = INFINITY, .high = -INFINITY};
    view->y = (Axis){.log = panel->log_y, .low = INFINITY, .high = -INFINITY};
    for (int s = 0; s < panel->count; s++) {
        const Series *series = &panel->series[s];
        words |= series->words != NULL;
        points |= series->kind == POINTS;
        for (int i = 0; i < series->n; i++) {
            if (series->x)
                stretch(&view->x, series->x[i]);
            stretch(&view->y, series->y[i]);
            if (series->low)
                stretch(&view->y, series->low[i]);
            if (series->high)
                stretch(&view->y, series->high[i]);
        }
    }
    pad(&view->x, points ? 0.04 : 0.02, words ? 0.10 : points ? 0.04 : 0.02);
    pad(&view->y, 0.06, 0.06);
    choose(&view->x, panel->x_low, panel->x_high);
    choose(&view->y, panel->y_low, panel->y_high);
}

/* Leaves room in BOX for labels and key; what is left is the plot. */
static void frame(const Panel *panel, View *view, Box box)
{
    double key_right = panel->key == KEY_OUTSIDE ? widest_entry(panel, (box.right - box.left) * 0.4) : 0;
    double height = box.bottom - box.top;
    make_tics(&view->y, height - 150, 52);
    view->plot.top = box.top + title_height(panel->title, PANEL_TITLE, box.right - box.left - 2 * GAP);
    view->plot.bottom = box.bottom - GAP - key_height(panel, box.right - box.left - 2 * GAP) - TIC_ROOM -
                        (panel->x_label ? LINE_HEIGHT : 0);
    view->plot.left = box.left + GAP + (panel->y_label ? LINE_HEIGHT : 0) + widest_tic(&view->y) + GAP;
    view->plot.right = box.right - 2.5 * GAP - key_right;
    make_tics(&view->x, view->plot.right - view->plot.left, 80);
    double apart = widest_tic(&view->x) + 3 * GAP;
    if (apart > 80)
        make_tics(&view->x, view->plot.right - view->plot.left, apart);
}

static void put_margins(Script *script, const Box *plot)
{
    fprintf(script->body, "set lmargin at screen %.5f\nset rmargin at screen %.5f\n", screen_x(script, plot->left),
            screen_x(script, plot->right));
    fprintf(script->body, "set tmargin at screen %.5f\nset bmargin at screen %.5f\n", screen_y(script, plot->top),
            screen_y(script, plot->bottom));
}

/* The place nearest to MIDDLE where something of twice HALF fits between LOW
 * and HIGH. */
static double inside(double middle, double half, double low, double high)
{
    return fmax(fmin(middle, high - half), low + half);
}

/* Title and axis labels, around the plot; BELOW is where the tics' labels end. */
static void put_labels(Script *script, const Panel *panel, const Box *box, const Box *plot, double below)
{
    double width = box->right - box->left - 2 * GAP;
    put_title(script, panel->title, (box->left + box->right) / 2, box->top + LINE_HEIGHT / 2.0 + 2, PANEL_TITLE, width);
    if (panel->x_label) {
        double most = fmin(text_pixels(panel->x_label, AXIS), width);
        double middle = inside((plot->left + plot->right) / 2, most / 2, box->left + GAP, box->right - GAP);
        put_text(script, panel->x_label, middle, below + LINE_HEIGHT / 2.0, "center", 0, AXIS, "", most);
    }
    if (panel->y_label) {
        double bottom = panel->key == KEY_BELOW && key_entries(panel) ? below : box->bottom - GAP;
        double most = fmin(text_pixels(panel->y_label, AXIS), bottom - box->top - GAP);
        double middle = inside((plot->top + plot->bottom) / 2, most / 2, box->top + GAP, bottom);
        put_text(script, panel->y_label, box->left + GAP / 2.0 + LINE_HEIGHT / 2.0, middle, "center", 90, AXIS, "",
                 most);
    }
}

static void put_number(FILE *stream, double value)
{
    if (isfinite(value))
        fprintf(stream, " %.9g", value);
    else
        fputs(" NaN", stream);
}

static void put_data(Script *script, const Panel *panel, int p)
{
    for (int s = 0; s < panel->count; s++) {
        const Series *series = &panel->series[s];
        if (series->kind == HORIZONTAL)
            continue;
        fprintf(script->body, "$data_%d_%d << END\n", p, s);
        for (int i = 0; i < series->n; i++) {
            put_number(script->body, series->x[i]);
            put_number(script->body, series->y[i]);
            if (series->low) {
                put_number(script->body, series->low[i]);
                put_number(script->body, series->high[i]);
            }
            fputc('\n', script->body);
        }
        fprintf(script->body, "END\n");
    }
}

static void put_curve(Script *script, const Panel *panel, int p, int s, const View *view)
{
    const Series *series = &panel->series[s];
    Style style = style_of(panel, s);
    int every = series->n > 12 ? series->n / 12 : 1;
    double size = series->n > 3000 ? 0.4 : series->n > 300 ? 0.8 : 1.3;
    if (series->kind == LINE)
        fprintf(script->body,
                "  $data_%d_%d using 1:2 with linespoints lw 2.5 dt %s pt %d ps 1.3 pi %d lc rgb '%s' notitle, \\\n", p,
                s, style.dash, style.point, every, style.colour);
    else if (series->kind == BAND || series->kind == REFERENCE)
        fprintf(script->body, "  $data_%d_%d using 1:2 with lines lw %s dt %s lc rgb '%s' notitle, \\\n", p, s,
                series->kind == BAND ? "2.5" : "2", style.dash, style.colour);
    else if (series->kind == POINTS)
        fprintf(script->body, "  $data_%d_%d using 1:2 with points pt %d ps %.1f lc rgb '%s' notitle, \\\n", p, s,
                style.point, size, style.colour);
    else if (isfinite(series->y[0]))
        fprintf(script->body, "  [%.9g:%.9g] %.9g with lines lw 2 dt %s lc rgb '%s' notitle, \\\n", view->x.low,
                view->x.high, series->y[0], style.dash, style.colour);
}

/* Bands first, so that no curve lies under one. */
static void put_curves(Script *script, const Panel *panel, int p, const View *view)
{
    fprintf(script->body, "plot \\\n");
    for (int s = 0; s < panel->count; s++)
        if (panel->series[s].kind == BAND)
            fprintf(script->body,
                    "  $data_%d_%d using 1:3:4 with filledcurves fs transparent solid 0.2 noborder lc rgb '%s' "
                    "notitle, \\\n",
                    p, s, style_of(panel, s).colour);
    for (int s = 0; s < panel->count; s++)
        put_curve(script, panel, p, s, view);
    fprintf(script->body, "  NaN notitle\n");
}

/* ---- words beside points ---------------------------------------------------------------- */

static double overlap(const Box *a, const Box *b)
{
    double width = fmin(a->right, b->right) - fmax(a->left, b->left);
    double height = fmin(a->bottom, b->bottom) - fmax(a->top, b->top);
    return width > 0 && height > 0 ? width * height : 0;
}

/* How much of BOX lies outside of PLOT. */
static double outside(const Box *box, const Box *plot)
{
    return (box->right - box->left) * (box->bottom - box->top) - overlap(box, plot);
}

/* Eight places around the point, and the same farther away. */
static Box word_box(double x, double y, double width, double height, int place)
{
    static const double across[] = {1, -1, 0, 0, 1, 1, -1, -1}, down[] = {0, 0, -1, 1, -1, 1, -1, 1};
    int side = place % 8, ring = place / 8;
    double middle_x = x + across[side] * (width / 2 + (down[side] == 0 ? 8 : 4) + ring * 10);
    double middle_y = y + down[side] * (height / 2 + (across[side] == 0 ? 6 : 3) + ring * 12);
    return (Box){middle_x - width / 2, middle_y - height / 2, middle_x + width / 2, middle_y + height / 2};
}

/* The place where the word hides least. */
static Box best_box(double x, double y, double width, double height, const Box *taken, int n, const Box *plot)
{
    Box best = {0};
    double least = INFINITY;
    for (int place = 0; place < 16; place++) {
        Box box = word_box(x, y, width, height, place);
        double cost = place * 0.5 + place / 8 * 20 + 3 * outside(&box, plot);
        for (int i = 0; i < n; i++)
            cost += overlap(&box, &taken[i]);
        if (cost < least) {
            least = cost;
            best = box;
        }
    }
    return best;
}

static int count_words(const Panel *panel, const View *view)
{
    int n = 0;
    for (int s = 0; s < panel->count; s++)
        for (int i = 0; panel->series[s].words && i < panel->series[s].n; i++)
            n += can_show(view, panel->series[s].x[i], panel->series[s].y[i]);
    return n;
}

static void put_words(Script *script, const Panel *panel, const View *view)
{
    int words = count_words(panel, view), taken = 0;
    double points = words > 150 ? 9 : words > 60 ? 11 : WORD;
    Box *boxes = memory_new(2 * (size_t)words, sizeof *boxes, "the words of a figure");
    for (int s = 0; s < panel->count; s++) /* the points themselves */
        for (int i = 0; panel->series[s].words && i < panel->series[s].n; i++)
            if (can_show(view, panel->series[s].x[i], panel->series[s].y[i])) {
                double x = pixel_x(view, panel->series[s].x[i]), y = pixel_y(view, panel->series[s].y[i]);
                boxes[taken++] = (Box){x - 6, y - 6, x + 6, y + 6};
            }
    for (int s = 0; s < panel->count; s++)
        for (int i = 0; panel->series[s].words && i < panel->series[s].n; i++) {
            const char *word = panel->series[s].words[i];
            if (!*word || !can_show(view, panel->series[s].x[i], panel->series[s].y[i]))
                continue;
            double width = fmin(text_pixels(word, points) * 0.94, 200);
            Box box = best_box(pixel_x(view, panel->series[s].x[i]), pixel_y(view, panel->series[s].y[i]), width,
                               pixels_of(points) * 1.05, boxes, taken, &view->plot);
            boxes[taken++] = box;
            put_text(script, word, (box.left + box.right) / 2, (box.top + box.bottom) / 2, "center", 0, points, "",
                     200);
        }
    free(boxes);
}

/* ---- a key inside: in the corner with the least data ----------------------------------------- */

static int points_in(const Panel *panel, const View *view, const Box *box)
{
    int n = 0;
    for (int s = 0; s < panel->count; s++)
        for (int i = 0; panel->series[s].x && i < panel->series[s].n; i++) {
            if (!can_show(view, panel->series[s].x[i], panel->series[s].y[i]))
                continue;
            double x = pixel_x(view, panel->series[s].x[i]), y = pixel_y(view, panel->series[s].y[i]);
            n += x > box->left && x < box->right && y > box->top && y < box->bottom;
        }
    return n;
}

static void put_key_inside(Script *script, const Panel *panel, const View *view)
{
    double width = widest_entry(panel, (view->plot.right - view->plot.left) * 0.8);
    double height = key_entries(panel) * LINE_HEIGHT;
    Box best = {0};
    int least = -1;
    for (int corner = 0; corner < 4; corner++) {
        double left = corner % 2 == 0 ? view->plot.right - width - GAP : view->plot.left + GAP;
        double top = corner / 2 == 0 ? view->plot.top + GAP : view->plot.bottom - height - GAP;
        Box box = {left, top, left + width, top + height};
        int points = points_in(panel, view, &box);
        if (least < 0 || points < least) {
            least = points;
            best = box;
        }
    }
    if (key_entries(panel) == 0)
        return;
    put_box(script, &best, "#ffffff", 0.85);
    put_entries(script, panel, best.left + GAP, best.top, 1, width);
}

static void put_key(Script *script, const Panel *panel, const View *view, const Box *box)
{
    double width = box->right - box->left - 2 * GAP;
    if (panel->key == KEY_BELOW)
        put_key_below(script, panel, (box->left + box->right) / 2, width,
                      box->bottom - GAP / 2.0 - key_height(panel, width));
    else if (panel->key == KEY_OUTSIDE)
        put_entries(script, panel, view->plot.right + GAP, view->plot.top, 1,
                    widest_entry(panel, (box->right - box->left) * 0.4));
    else if (panel->key == KEY_INSIDE)
        put_key_inside(script, panel, view);
}

static void put_curve_panel(Script *script, const Panel *panel, int p, Box box)
{
    View view;
    curve_axes(panel, &view);
    frame(panel, &view, box);
    put_margins(script, &view.plot);
    put_axis(script, "x", &view.x, true);
    put_axis(script, "y", &view.y, true);
    put_labels(script, panel, &box, &view.plot, view.plot.bottom + TIC_ROOM);
    put_key(script, panel, &view, &box);
    put_words(script, panel, &view);
    put_data(script, panel, p);
    put_curves(script, panel, p, &view);
}

/* ---- bars --------------------------------------------------------------------------- */

/* How the labels under an axis are laid: in one line or two, slanted or
 * upright, in letters that fit, and every how many. */
typedef struct {
    double points, most, depth; /* depth: pixels below the axis */
    int lines, angle, every;
} Under;

/* The blank at which TEXT is best broken in two, NULL if it has none. */
static const char *middle_blank(const char *text, double points, double *width)
{
    const char *best = NULL;
    double whole = text_pixels(text, points), before = 0;
    *width = whole;
    for (const char *c = text; *c;) {
        uint32_t letter;
        if (*c == ' ' && fmax(before, whole - before) < *width) {
            *width = fmax(before, whole - before);
            best = c;
        }
        c += next_letter(c, &letter);
        before += letter_width(letter) * pixels_of(points);
    }
    return best;
}

static double widest_label(char *const *labels, int n, int lines, double points)
{
    double widest = 0;
    for (int i = 0; i < n; i++) {
        double width = text_pixels(labels[i], points);
        if (lines == 2)
            middle_blank(labels[i], points, &width);
        widest = fmax(widest, width);
    }
    return widest;
}

static Under lay_under(char *const *labels, int n, double apart, double most)
{
    Under under = {TIC, fmax(most, apart - GAP), TIC_ROOM, 1, 0, 1};
    double widest = widest_label(labels, n, 1, TIC);
    if (n == 0 || widest + GAP <= apart)
        return under;
    if (widest_label(labels, n, 2, TIC) + GAP <= apart) {
        under.lines = 2;
        under.depth += LINE_HEIGHT;
        return under;
    }
    while (under.points > SMALLEST && pixels_of(under.points) * 1.1 > apart)
        under.points--;
    while (pixels_of(under.points) * 1.1 > apart * under.every)
        under.every++;
    widest = fmin(widest * under.points / TIC, under.most);
    under.angle = apart >= 1.7 * pixels_of(under.points) ? 40 : 90;
    under.depth = under.angle == 90 ? widest + 1.5 * GAP : widest * 0.66 + 2 * GAP;
    return under;
}

static void put_two_lines(Script *script, const char *text, double x, double y, const Under *under)
{
    double width;
    const char *blank = middle_blank(text, under->points, &width);
    char *copy = memory_copy_text(text);
    if (blank && under->lines == 2)
        copy[blank - text] = '\0';
    put_text(script, copy, x, y, "center", 0, under->points, "", under->most);
    if (blank && under->lines == 2)
        put_text(script, copy + (blank - text) + 1, x, y + LINE_HEIGHT, "center", 0, under->points, "", under->most);
    free(copy);
}

static void put_under(Script *script, char *const *labels, int n, const Under *under, double left, double apart,
                      double top)
{
    for (int i = 0; i < n; i += under->every) {
        double x = left + (i + 0.5) * apart;
        if (under->angle == 0)
            put_two_lines(script, labels[i], x, top + 6 + LINE_HEIGHT / 2.0, under);
        else
            put_text(script, labels[i], x + (under->angle == 40 ? 4 : 0), top + 10, "right", under->angle,
                     under->points, "", under->most);
    }
}

static int bar_series(const Panel *panel)
{
    int n = 0;
    for (int s = 0; s < panel->count; s++)
        n += panel->series[s].kind == BARS;
    return n;
}

static const Series *first_bars(const Panel *panel)
{
    for (int s = 0; s < panel->count; s++)
        if (panel->series[s].kind == BARS)
            return &panel->series[s];
    return NULL;
}

static double power_below(double value)
{
    double power = 1;
    while (power >= value && power > 1e-300)
        power /= 10;
    while (power * 10 < value)
        power *= 10;
    return power;
}

static void bar_axis(const Panel *panel, View *view, bool values)
{
    view->y = (Axis){.log = panel->log_y, .low = INFINITY, .high = -INFINITY};
    if (!panel->log_y)
        stretch(&view->y, 0);
    for (int s = 0; s < panel->count; s++)
        for (int i = 0; i < panel->series[s].n; i++) {
            const Series *series = &panel->series[s];
            double error = series->low && isfinite(series->low[i]) ? series->low[i] : 0;
            stretch(&view->y, series->y[i]);
            stretch(&view->y, series->y[i] + error);
            stretch(&view->y, series->y[i] - error);
        }
    double room = values ? 0.14 : 0.06;
    bool negative = view->y.low<0, positive = view->y.high> 0;
    if (panel->log_y) {
        pad(&view->y, 0, room);
        view->y.low = power_below(view->y.low); /* bars on a logarithmic axis stand on a power of ten */
    }
    if (!panel->log_y)
        pad(&view->y, negative ? room : 0, positive || !negative ? room : 0);
    choose(&view->y, panel->y_low, panel->y_high);
}

static void value_text(char text[32], double value)
{
    if (fabs(value) >= 1000 && fabs(value) < 1e7)
        snprintf(text, 32, "%.0f", value);
    else
        snprintf(text, 32, "%.3g", value);
    shorten_exponent(text);
}

/* Values above the bars: 0 if there is no room, else the angle + 1. */
static int values_fit(const Panel *panel, double bar_width)
{
    double widest = 0;
    char text[32];
    for (int s = 0; s < panel->count; s++)
        for (int i = 0; panel->series[s].kind == BARS && i < panel->series[s].n; i++) {
            value_text(text, panel->series[s].y[i]);
            widest = fmax(widest, text_pixels(text, VALUE));
        }
    if (widest <= bar_width * 1.15)
        return 1;
    return pixels_of(VALUE) <= bar_width ? 91 : 0;
}

static void put_values(Script *script, const Panel *panel, const Series *series, int turn, int turns, const View *view,
                       int angle)
{
    double slot = (view->plot.right - view->plot.left) / series->n;
    char text[32];
    (void)panel;
    for (int i = 0; i < series->n; i++) {
        double value = series->y[i], error = series->low && isfinite(series->low[i]) ? series->low[i] : 0;
        double tip = value < 0 ? value - error : value + error;
        if (!isfinite(value) || !(tip >= view->y.low && tip <= view->y.high))
            continue;
        value_text(text, value);
        double x = view->plot.left + slot * (i + 0.5 + 0.8 / turns * (turn - (turns - 1) / 2.0));
        double away = value < 0 ? 13 : -13;
        if (angle)
            away = value < 0 ? text_pixels(text, VALUE) + 8 : -8;
        put_text(script, text, x, pixel_y(view, tip) + away, angle ? "left" : "center", angle, VALUE, "", 200);
    }
}

static void put_bar_data(Script *script, const Series *series, int p, int s, int turn, int turns, double base)
{
    fprintf(script->body, "$data_%d_%d << END\n", p, s);
    for (int i = 0; i < series->n; i++) {
        double width = 0.8 / turns, x = i + width * (turn - (turns - 1) / 2.0);
        put_number(script->body, x);
        put_number(script->body, series->y[i]);
        put_number(script->body, series->low ? series->low[i] : 0);
        put_number(script->body, x - 0.47 * width);
        put_number(script->body, x + 0.47 * width);
        put_number(script->body, base);
        fputc('\n', script->body);
    }
    fprintf(script->body, "END\n");
}

static void plot_bars(Script *script, const Panel *panel, int p, const View *view)
{
    fprintf(script->body, "plot \\\n");
    for (int s = 0; s < panel->count; s++) {
        const Series *series = &panel->series[s];
        Style style = style_of(panel, s);
        if (series->kind == HORIZONTAL) {
            put_curve(script, panel, p, s, view);
            continue;
        }
        fprintf(script->body,
                "  $data_%d_%d using 1:2:4:5:(($2)<($6)?($2):($6)):(($2)<($6)?($6):($2)) with boxxyerror fs solid "
                "border lc rgb '#333333' fc rgb '%s' notitle, \\\n",
                p, s, style.colour);
        if (series->low)
            fprintf(script->body,
                    "  $data_%d_%d using 1:($2-$3):(0):(2*$3) with vectors heads size screen 0.006,90 lw 1.5 lc rgb "
                    "'#000000' notitle, \\\n",
                    p, s);
    }
    fprintf(script->body, "  NaN notitle\n");
}

static void put_bar_panel(Script *script, const Panel *panel, int p, Box box)
{
    View view = {0};
    const Series *first = first_bars(panel);
    int turns = bar_series(panel), turn = 0;
    view.x = (Axis){.low = -0.5, .high = first->n - 0.5};
    bar_axis(panel, &view, true);
    frame(panel, &view, box);
    double slot = (view.plot.right - view.plot.left) / first->n;
    Under under = lay_under(first->words, first->words ? first->n : 0, slot, 190);
    view.plot.bottom -= under.depth - TIC_ROOM;
    make_tics(&view.y, view.plot.bottom - view.plot.top, 52);
    int fit = values_fit(panel, slot * 0.8 / turns);
    double base = view.y.log ? view.y.low : 0;
    put_margins(script, &view.plot);
    put_axis(script, "x", &view.x, false);
    put_axis(script, "y", &view.y, true);
    put_labels(script, panel, &box, &view.plot, view.plot.bottom + under.depth);
    put_key(script, panel, &view, &box);
    if (first->words)
        put_under(script, first->words, first->n, &under, view.plot.left, slot, view.plot.bottom);
    for (int s = 0; s < panel->count; s++)
        if (panel->series[s].kind == BARS) {
            if (fit)
                put_values(script, panel, &panel->series[s], turn, turns, &view, fit - 1);
            put_bar_data(script, &panel->series[s], p, s, turn++, turns, base);
        }
    plot_bars(script, panel, p, &view);
}

/* ---- heatmaps --------------------------------------------------------------------------- */

/* Sizes of a heatmap around its cells. */
typedef struct {
    double cell_width, cell_height, left, right, top;
    Under under;
    double most_label;
} Heat;

enum { COLOUR_BAR = 18, BAR_ROOM = 96, MOST_LABEL = 190 };

/* The side of a cell where the figure may choose its size. */
static double natural_cell(int rows, int columns, bool alone)
{
    int most = rows > columns ? rows : columns;
    double cell = most <= 6 ? 84 : most <= 10 ? 64 : most <= 16 ? 50 : most <= 32 ? 32 : 22;
    double side = alone ? MOST_SIDE : MOST_SIDE / 2.0;
    return fmin(cell, side / most);
}

static double widest_row_label(const Series *series, double points)
{
    double widest = series->row_labels ? 0 : text_pixels("0000", points);
    for (int r = 0; series->row_labels && r < series->rows; r++)
        widest = fmax(widest, text_pixels(series->row_labels[r], points));
    return fmin(widest, MOST_LABEL);
}

static Heat measure_heatmap(const Panel *panel, double cell_width, double cell_height)
{
    const Series *series = &panel->series[0];
    Heat heat = {.cell_width = cell_width, .cell_height = cell_height};
    heat.left = GAP + (panel->y_label ? LINE_HEIGHT : 0) + widest_row_label(series, TIC) + GAP;
    heat.right = BAR_ROOM;
    heat.under = lay_under(series->column_labels, series->column_labels ? series->columns : 0, cell_width, MOST_LABEL);
    if (heat.under.angle == 40 && series->column_labels) /* the first label leans out to the left */
        heat.left = fmax(heat.left, fmin(text_pixels(series->column_labels[0], heat.under.points), MOST_LABEL) * 0.77 -
                                        cell_width / 2 + GAP);
    return heat;
}

static double heat_width(const Panel *panel, const Heat *heat)
{
    return heat->left + heat->cell_width * panel->series[0].columns + heat->right;
}

/* Of everything above and below the cells; the title wraps at WIDTH. */
static double heat_extra(const Panel *panel, const Heat *heat, double width)
{
    return title_height(panel->title, PANEL_TITLE, width - 2 * GAP) + heat->under.depth +
           (panel->x_label ? LINE_HEIGHT : 0) + GAP;
}

/* Cells are square, unless one side has so few that nothing could be seen. */
static double tall_enough(double cell, int n)
{
    return fmax(cell, fmin(48.0 / n, 24));
}

/* Cells that fit into BOX. */
static Heat fit_heatmap(const Panel *panel, const Box *box)
{
    const Series *series = &panel->series[0];
    double width = box->right - box->left, height = box->bottom - box->top;
    Heat heat = {0};
    double cell = 200;
    for (int i = 0; i < 8; i++) { /* the labels depend on the cells, and the cells on the room that is left */
        heat = measure_heatmap(panel, cell, cell);
        double across = (width - heat.left - heat.right) / series->columns;
        double down = (height - heat_extra(panel, &heat, width)) / series->rows;
        double next = fmax(fmin(fmin(across, down), 120), 0.5);
        if (next >= cell)
            break;
        cell = next;
    }
    heat = measure_heatmap(panel, cell, cell);
    heat.cell_height =
        fmin(tall_enough(cell, series->rows), fmax(1, (height - heat_extra(panel, &heat, width)) / series->rows));
    heat.cell_width =
        fmin(tall_enough(cell, series->columns), fmax(1, (width - heat.left - heat.right) / series->columns));
    return heat;
}

/* The text of a cell: as many decimals as all cells need and have room for. */
static int cell_decimals(const Series *series)
{
    double most = 0;
    bool whole = true;
    for (size_t i = 0; i < (size_t)series->rows * series->columns; i++)
        if (isfinite(series->cells[i])) {
            most = fmax(most, fabs((double)series->cells[i]));
            whole &= (double)series->cells[i] == floor((double)series->cells[i]);
        }
    if (whole)
        return 0;
    return most < 10 ? 2 : most < 100 ? 1 : 0;
}

static void cell_text(char text[64], double value, int decimals)
{
    if (!isfinite(value)) {
        text[0] = '\0';
        return;
    }
    if (fabs(value) >= 1e6)
        snprintf(text, 64, "%.2g", value), shorten_exponent(text);
    else
        snprintf(text, 64, "%.*f", decimals, value);
    if (text[0] == '-' && strspn(text, "-0.") == strlen(text))
        memmove(text, text + 1, strlen(text));
}

/* The largest letters in which every cell's value fits, 0 if none. */
static double cell_points(const Series *series, const Heat *heat, int decimals)
{
    double widest = 0;
    char text[64];
    if ((double)series->rows * series->columns > 1000)
        return 0;
    for (size_t i = 0; i < (size_t)series->rows * series->columns; i++) {
        cell_text(text, (double)series->cells[i], decimals);
        widest = fmax(widest, text_pixels(text, 1));
    }
    for (double points = 14; points >= 9; points--)
        if (widest * points <= heat->cell_width * 0.94 && pixels_of(points) <= heat->cell_height * 0.9)
            return points;
    return 0;
}

static void put_palette(Script *script, HeatmapColours colours)
{
    int n;
    const Colour *stop = colour_stops(colours, &n);
    fprintf(script->body, "set palette defined (");
    for (int i = 0; i < n; i++)
        fprintf(script->body, "%s%d '#%02x%02x%02x'", i ? ", " : "", i, stop[i].red, stop[i].green, stop[i].blue);
    fprintf(script->body, ")\n");
}

static void put_colour_bar(Script *script, const Series *series, const Box *plot)
{
    Axis axis = {0};
    double height = fmax(plot->bottom - plot->top, 100), top = (plot->top + plot->bottom - height) / 2;
    colour_range(series->colours, series->cells, (size_t)series->rows * series->columns, &axis.low, &axis.high);
    make_tics(&axis, height, 52);
    put_palette(script, series->colours);
    fprintf(script->body, "set cbrange [%.9g:%.9g]\n", axis.low, axis.high);
    fprintf(script->body, "set colorbox user origin screen %.5f, screen %.5f size screen %.5f, screen %.5f noborder\n",
            screen_x(script, plot->right + 14), screen_y(script, top + height), COLOUR_BAR / script->width,
            height / script->height);
    fprintf(script->body, "set cbtics scale 0.4 font '%s,%d' tc rgb '#222222' (", script->font, VALUE + 1);
    for (int i = 0; i < axis.tics; i++) {
        char text[32];
        tic_text(text, axis.tic[i]);
        fprintf(script->body, "%s'%s' %.9g", i ? ", " : "", text, axis.tic[i]);
    }
    fprintf(script->body, ")\n");
}

static void put_cells(Script *script, const Series *series, int p)
{
    fprintf(script->body, "$data_%d_0 << END\n", p);
    for (int r = 0; r < series->rows; r++) {
        for (int c = 0; c < series->columns; c++)
            put_number(script->body, (double)series->cells[(size_t)r * series->columns + c]);
        fputc('\n', script->body);
    }
    fprintf(script->body, "END\n");
}

/* Column, row, text and colour: dark on bright cells, bright on dark ones. */
static void put_cell_values(Script *script, const Series *series, int p, int decimals)
{
    double low, high;
    char text[64];
    colour_range(series->colours, series->cells, (size_t)series->rows * series->columns, &low, &high);
    fprintf(script->body, "$values_%d << END\n", p);
    for (int r = 0; r < series->rows; r++)
        for (int c = 0; c < series->columns; c++) {
            double value = (double)series->cells[(size_t)r * series->columns + c];
            Colour colour = colour_at(series->colours, (value - low) / (high - low));
            cell_text(text, value, decimals);
            if (*text)
                fprintf(script->body, "%d %d %s %d\n", c, r, text,
                        colour_brightness(colour) > 0.5 ? 0x000000 : 0xffffff);
        }
    fprintf(script->body, "END\n");
}

/* Labels beside the rows, every so many that they do not touch. */
static void put_row_labels(Script *script, const Series *series, const Heat *heat, const Box *plot)
{
    double points = TIC;
    char number[16];
    while (points > SMALLEST && pixels_of(points) * 1.1 > heat->cell_height)
        points--;
    int every = 1;
    while (pixels_of(points) * 1.1 > heat->cell_height * every)
        every = every == 1 ? 2 : every == 2 ? 5 : every == 5 ? 10 : every * 2;
    for (int r = 0; r < series->rows; r += every) {
        snprintf(number, sizeof number, "%d", r);
        put_text(script, series->row_labels ? series->row_labels[r] : number, plot->left - 8,
                 plot->top + (r + 0.5) * heat->cell_height, "right", 0, points, "", MOST_LABEL);
    }
}

static void put_column_numbers(Script *script, const Series *series, const Heat *heat, const Box *plot)
{
    char number[16];
    int every = 1;
    while (text_pixels("0000", TIC) > heat->cell_width * every)
        every = every == 1 ? 2 : every == 2 ? 5 : every == 5 ? 10 : every * 2;
    for (int c = 0; c < series->columns; c += every) {
        snprintf(number, sizeof number, "%d", c);
        put_text(script, number, plot->left + (c + 0.5) * heat->cell_width, plot->bottom + 6 + LINE_HEIGHT / 2.0,
                 "center", 0, TIC, "", MOST_LABEL);
    }
}

static void plot_heatmap(Script *script, const Series *series, int p, double points)
{
    bool large = (double)series->rows * series->columns > 20000 && series->rows > 1 && series->columns > 1;
    fprintf(script->body, "set xrange [-0.5:%d.5]\nset yrange [%d.5:-0.5]\nunset logscale\n", series->columns - 1,
            series->rows - 1);
    fprintf(script->body, "unset xtics\nunset ytics\n");
    fprintf(script->body,
            "set object %d rectangle from graph 0, graph 0 to graph 1, graph 1 fc rgb '#b0b0b0' "
            "fs solid noborder behind\n",
            ++script->tags);
    fprintf(script->body, "plot $data_%d_0 matrix ", p);
    if (large)
        fprintf(script->body, "with image notitle");
    else /* an image needs two rows and two columns, boxes do not, and their edges are sharp */
        fprintf(script->body,
                "using ($3==$3?$1:NaN):2:($1-0.5):($1+0.5):($2-0.5):($2+0.5):3 with boxxyerror fs solid noborder "
                "lc palette notitle");
    if (points > 0)
        fprintf(script->body, ", $values_%d using 1:2:3:4 with labels tc rgb variable font '%s,%g' noenhanced notitle",
                p, script->font, points);
    fputc('\n', script->body);
}

static void put_heatmap_panel(Script *script, const Panel *panel, int p, Box box)
{
    const Series *series = &panel->series[0];
    Heat heat = fit_heatmap(panel, &box);
    double width = box.right - box.left, spare = width - heat_width(panel, &heat);
    Box plot = {.left = box.left + heat.left + fmax(spare / 2, 0),
                .top = box.top + title_height(panel->title, PANEL_TITLE, width - 2 * GAP)};
    plot.right = plot.left + heat.cell_width * series->columns;
    plot.bottom = plot.top + heat.cell_height * series->rows;
    int decimals = cell_decimals(series);
    double points = cell_points(series, &heat, decimals);
    Box inner = box;
    inner.left += fmax(spare / 2, 0);
    put_margins(script, &plot);
    put_labels(script, panel, &inner, &plot, plot.bottom + heat.under.depth);
    put_colour_bar(script, series, &plot);
    put_row_labels(script, series, &heat, &plot);
    if (series->column_labels)
        put_under(script, series->column_labels, series->columns, &heat.under, plot.left, heat.cell_width, plot.bottom);
    else
        put_column_numbers(script, series, &heat, &plot);
    put_cells(script, series, p);
    if (points > 0)
        put_cell_values(script, series, p, decimals);
    plot_heatmap(script, series, p, points);
}

/* ---- the whole picture ------------------------------------------------------------------------ */

static bool is_heatmap(const Panel *panel)
{
    return panel->series[0].kind == HEATMAP;
}

/* The size of panels where the lab does not choose it: large enough for all. */
static void choose_size(const Figure *figure, double *width, double *height)
{
    bool alone = figure->count == 1;
    *width = *height = 0;
    for (int p = 0; p < figure->count; p++) {
        const Panel *panel = figure->panels[p];
        double w = alone ? 900 : 640, h = alone ? 560 : 460;
        if (is_heatmap(panel)) {
            const Series *series = &panel->series[0];
            double cell = natural_cell(series->rows, series->columns, alone);
            Heat heat = measure_heatmap(panel, cell, cell);
            w = fmax(heat_width(panel, &heat) + 2 * GAP, 360);
            h = tall_enough(cell, series->rows) * series->rows + heat_extra(panel, &heat, w) + GAP;
        } else {
            double key = key_height(panel, w - 2 * GAP);
            h += key > LINE_HEIGHT ? key - LINE_HEIGHT : 0;
        }
        *width = fmax(*width, w);
        *height = fmax(*height, h);
    }
    if (figure->panel_width)
        *width = figure->panel_width;
    if (figure->panel_height)
        *height = figure->panel_height;
}

static int choose_columns(const Figure *figure)
{
    int columns = 1;
    if (figure->columns)
        return figure->columns < figure->count ? figure->columns : figure->count;
    while (columns * columns < figure->count)
        columns++;
    return columns;
}

static void put_panel(Script *script, const Panel *panel, int p, Box box)
{
    fprintf(script->body, "\nset border 3 lw 1 lc rgb '#666666'\nset grid lt 1 lw 0.8 lc rgb '#dddddd'\n");
    if (is_heatmap(panel)) {
        fprintf(script->body, "unset grid\nunset border\n");
        put_heatmap_panel(script, panel, p, box);
    } else if (first_bars(panel)) {
        fprintf(script->body, "set grid noxtics ytics\n");
        put_bar_panel(script, panel, p, box);
    } else {
        fprintf(script->body, "set grid xtics ytics\n");
        put_curve_panel(script, panel, p, box);
    }
    fprintf(script->body, "unset label\nunset arrow\nunset object\n");
    script->tags = 0;
}

static void put_picture(Script *script, const Figure *figure)
{
    double width, height;
    int columns = choose_columns(figure), rows = (figure->count + columns - 1) / columns;
    choose_size(figure, &width, &height);
    script->width = columns * width;
    double top = title_height(figure->title, TITLE, script->width - 2 * GAP);
    script->height = floor(top + rows * height + 0.5);
    if (figure->count > 1)
        fprintf(script->body, "set multiplot\n");
    put_title(script, figure->title, script->width / 2, LINE_HEIGHT / 2.0 + GAP, TITLE, script->width - 2 * GAP);
    for (int p = 0; p < figure->count; p++) {
        double left = p % columns * width, above = top + p / columns * height;
        put_panel(script, figure->panels[p], p, (Box){left, above, left + width, above + height});
    }
    if (figure->count > 1)
        fprintf(script->body, "unset multiplot\n");
}

static void put_start(FILE *stream, const char *name, const Script *script)
{
    fprintf(stream, "# %s.gp draws %s.png (gnuplot 5.4 or later); its data are also in %s.tsv.\n", name, name, name);
    fprintf(stream, "#     gnuplot %s.gp\n", name);
    fprintf(stream, "reset\nset encoding utf8\nif (!exists('picture')) picture = '%s.png'\n", name);
    fprintf(stream, "set terminal pngcairo noenhanced size %.0f, %.0f font '%s,%d' background rgb 'white'\n",
            script->width, script->height, script->font, TIC);
    fprintf(stream, "set output picture\nset key off\n\n");
    fprintf(stream, "# The words, as data: nothing in them is ever interpreted.\n");
}

/* ---- words that can be drawn -------------------------------------------------------------------
 *
 * Control bytes as \t, \n, \x1b; a letter that no font has, a byte that is no
 * UTF-8, and what would change the direction of writing or break the line, as a
 * box; joiners and variation selectors left out. */

static void add_letter(FILE *stream, uint32_t c)
{
    char bytes[4];
    fwrite(bytes, 1, (size_t)utf8_encode(c, bytes), stream);
}

static void add_drawable(FILE *stream, uint32_t c, Gnuplot *gnuplot)
{
    bool won = strncmp(gnuplot_font(gnuplot), "Nanum", 5) == 0; /* for a backslash these draw the won sign */
    bool direction = (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
    if ((c >= 0x200b && c <= 0x200f) || (c >= 0xfe00 && c <= 0xfe0f))
        return;
    if (c == '\\' && won && gnuplot_covers(gnuplot, 0x2216))
        add_letter(stream, 0x2216);
    else if (!direction && c >= ' ' && !(c >= 0x7f && c < 0xa0) && gnuplot_covers(gnuplot, c))
        add_letter(stream, c);
    else
        add_letter(stream, gnuplot_covers(gnuplot, 0x25a1) ? 0x25a1 : '?');
}

static void add_escape(FILE *stream, uint32_t c, Gnuplot *gnuplot)
{
    char text[8];
    if (c == '\t' || c == '\n' || c == '\r')
        snprintf(text, sizeof text, "\\%c", c == '\t' ? 't' : c == '\n' ? 'n' : 'r');
    else
        snprintf(text, sizeof text, "\\x%02x", (unsigned)c);
    for (const char *letter = text; *letter; letter++)
        add_drawable(stream, (unsigned char)*letter, gnuplot);
}

/* In place of *WORD. */
static void make_drawable(char **word, Gnuplot *gnuplot)
{
    char *drawable = NULL;
    size_t size;
    if (!*word)
        return;
    FILE *stream = open_memstream(&drawable, &size);
    if (!stream)
        die("out of memory: the words of a figure");
    for (const char *text = *word; *text;) {
        uint32_t c;
        int length = utf8_decode(text, strlen(text), &c);
        if (length > 0 && (c < ' ' || c == 0x7f))
            add_escape(stream, c, gnuplot);
        else
            add_drawable(stream, length > 0 ? c : 0xffff, gnuplot);
        text += length > 0 ? length : 1;
    }
    fclose(stream);
    free(*word);
    *word = drawable;
}

static void make_all_drawable(Figure *figure, Gnuplot *gnuplot)
{
    make_drawable(&figure->title, gnuplot);
    for (int p = 0; p < figure->count; p++) {
        Panel *panel = figure->panels[p];
        make_drawable(&panel->title, gnuplot);
        make_drawable(&panel->x_label, gnuplot);
        make_drawable(&panel->y_label, gnuplot);
        for (int s = 0; s < panel->count; s++) {
            Series *series = &panel->series[s];
            make_drawable(&series->label, gnuplot);
            for (int i = 0; series->words && i < series->n; i++)
                make_drawable(&series->words[i], gnuplot);
            for (int r = 0; series->row_labels && r < series->rows; r++)
                make_drawable(&series->row_labels[r], gnuplot);
            for (int c = 0; series->column_labels && c < series->columns; c++)
                make_drawable(&series->column_labels[c], gnuplot);
        }
    }
}

void figure_write_script(Figure *figure, const char *folder, Gnuplot *gnuplot)
{
    Script *script = memory_new(1, sizeof *script, "a figure's script");
    char *words = NULL, *body = NULL, *path = path_join(folder, figure->name, ".gp");
    size_t words_size, body_size;
    script->font = gnuplot_font(gnuplot);
    script->dots = gnuplot_covers(gnuplot, 0x2026) ? "…" : "...";
    make_all_drawable(figure, gnuplot);
    script->words = open_memstream(&words, &words_size);
    script->body = open_memstream(&body, &body_size);
    if (!script->words || !script->body)
        die("out of memory: figure %s", figure->name);
    put_picture(script, figure);
    fclose(script->words);
    fclose(script->body);
    Output *output = output_open(path);
    FILE *stream = output_stream(output);
    put_start(stream, figure->name, script);
    fprintf(stream, "$words << END\n%sEND\nsay(i) = substr($words[i], 2, strlen($words[i]))\n", words);
    fputs(body, stream);
    output_close(output);
    free(path);
    free(words);
    free(body);
    free(script);
}
