/* figure_key.c: which curve is which: colours, dashes, points, and the key. */
#define _GNU_SOURCE
#include "figure_page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const okabe_ito[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"};
static const char *const dashes[] = {"1", "'-'", "'.'", "'-.'", "'_'"};
static const int point_types[] = {7, 5, 9, 13, 11, 6, 4, 8, 12, 10};
enum { COLOURS = 7, DASHES = 5, POINT_TYPES = 10 };
enum { SAMPLE = 44 }; /* pixels of an entry before its label */

/* Curves, points and bars take colours in turn; references are grey. */
Style key_style(const Panel *panel, int s)
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
    return fmin(SAMPLE + page_text_width(panel->series[s].label, KEY) + 2 * GAP, most);
}

double key_width(const Panel *panel, double most)
{
    double widest = 0;
    for (int s = 0; s < panel->count; s++)
        if (in_key(panel, s))
            widest = fmax(widest, entry_width(panel, s, most));
    return widest;
}

int key_entries(const Panel *panel)
{
    int entries = 0;
    for (int s = 0; s < panel->count; s++)
        entries += in_key(panel, s);
    return entries;
}

/* Lines that a key below takes: entries in columns of equal width. */
static int key_columns(const Panel *panel, double width)
{
    double widest = key_width(panel, width);
    int columns = widest > 0 ? (int)(width / widest) : 1;
    int entries = key_entries(panel);
    columns = columns < 1 ? 1 : columns > entries ? entries : columns;
    return columns < 1 ? 1 : columns;
}

double key_height(const Panel *panel, double width)
{
    int entries = key_entries(panel), columns = key_columns(panel, width);
    return panel->key == KEY_BELOW && entries ? (entries + columns - 1) / columns * LINE_HEIGHT : 0;
}

static void put_line_sample(Page *page, double x, double y, const Style *style, double width)
{
    fprintf(page->body,
            "set arrow %d from screen %.5f, screen %.5f to screen %.5f, screen %.5f nohead lw %.3g dt %s lc rgb '%s' "
            "front\n",
            ++page->tags, page_x(page, x), page_y(page, y), page_x(page, x + SAMPLE - GAP), page_y(page, y), width,
            style->dash, style->colour);
}

static void put_box(Page *page, const Box *box, const char *colour, double opacity)
{
    fprintf(page->body,
            "set object %d rectangle from screen %.5f, screen %.5f to screen %.5f, screen %.5f fc rgb '%s' "
            "fs transparent solid %.2f noborder front\n",
            ++page->tags, page_x(page, box->left), page_y(page, box->bottom), page_x(page, box->right),
            page_y(page, box->top), colour, opacity);
}

static void put_entry(Page *page, const Panel *panel, int s, double x, double y, double width)
{
    const Series *series = &panel->series[s];
    Style style = key_style(panel, s);
    if (series->kind == BARS || series->kind == BAND) {
        Box box = {x + 4, y - 7, x + SAMPLE - GAP - 4, y + 7};
        put_box(page, &box, style.colour, series->kind == BAND ? 0.25 : 1);
    }
    if (series->kind == LINE || series->kind == BAND || series->kind == REFERENCE || series->kind == HORIZONTAL)
        put_line_sample(page, x, y, &style, style.point ? 2.5 : 2);
    if (series->kind == LINE || series->kind == POINTS)
        fprintf(page->body, "set label %d '' at screen %.5f, screen %.5f point pt %d ps 1.3 lc rgb '%s' front\n",
                ++page->tags, page_x(page, x + (SAMPLE - GAP) / 2.0), page_y(page, y), style.point, style.colour);
    page_text(page, series->label, x + SAMPLE, y, "left", 0, KEY, "", width - SAMPLE);
}

/* The entries in columns from (LEFT, TOP). */
static void put_entries(Page *page, const Panel *panel, double left, double top, int columns, double width)
{
    int place = 0;
    for (int s = 0; s < panel->count; s++) {
        if (!in_key(panel, s))
            continue;
        int row = place / columns, column = place % columns;
        put_entry(page, panel, s, left + column * width, top + (row + 0.5) * LINE_HEIGHT, width);
        place++;
    }
}

static void put_key_below(Page *page, const Panel *panel, double middle, double width, double top)
{
    int columns = key_columns(panel, width);
    double widest = key_width(panel, width);
    put_entries(page, panel, middle - columns * widest / 2 + GAP, top, columns, widest);
}

/* ---- a key inside: in the corner with the least data ----------------------------------------- */

static bool in_box(const View *view, const Box *box, double x, double y)
{
    if (!view_shows(view, x, y))
        return false;
    x = view_x(view, x), y = view_y(view, y);
    return x > box->left && x < box->right && y > box->top && y < box->bottom;
}

/* How much ink BOX would hide: points, and sixteen places on each piece of a curve. */
static int ink_in(const Panel *panel, const View *view, const Box *box)
{
    int n = 0;
    for (int s = 0; s < panel->count; s++) {
        const Series *series = &panel->series[s];
        if (series->kind == HORIZONTAL)
            for (int k = 0; k <= 16; k++)
                n += in_box(view, box, view->x.low + k * (view->x.high - view->x.low) / 16, series->y[0]);
        for (int i = 0; series->x && i < series->n; i++) {
            n += in_box(view, box, series->x[i], series->y[i]);
            for (int k = 1; k < 16 && i > 0 && series->kind != POINTS; k++)
                n += in_box(view, box, series->x[i - 1] + k * (series->x[i] - series->x[i - 1]) / 16,
                            series->y[i - 1] + k * (series->y[i] - series->y[i - 1]) / 16);
        }
    }
    return n;
}

static void put_key_inside(Page *page, const Panel *panel, const View *view)
{
    double width = key_width(panel, (view->plot.right - view->plot.left) * 0.8);
    double height = key_entries(panel) * LINE_HEIGHT;
    Box best = {0};
    int least = -1;
    for (int corner = 0; corner < 4; corner++) {
        double left = corner % 2 == 0 ? view->plot.right - width - GAP : view->plot.left + GAP;
        double top = corner / 2 == 0 ? view->plot.top + GAP : view->plot.bottom - height - GAP;
        Box box = {left, top, left + width, top + height};
        int ink = ink_in(panel, view, &box);
        if (least < 0 || ink < least) {
            least = ink;
            best = box;
        }
    }
    if (key_entries(panel) == 0)
        return;
    put_box(page, &best, "#ffffff", 0.85);
    put_entries(page, panel, best.left + GAP, best.top, 1, width);
}

void key_draw(Page *page, const Panel *panel, const View *view, const Box *box)
{
    double width = box->right - box->left - 2 * GAP;
    if (panel->key == KEY_BELOW)
        put_key_below(page, panel, (box->left + box->right) / 2, width,
                      box->bottom - GAP / 2.0 - key_height(panel, width));
    else if (panel->key == KEY_OUTSIDE)
        put_entries(page, panel, view->plot.right + GAP, view->plot.top, 1,
                    key_width(panel, (box->right - box->left) * 0.4));
    else if (panel->key == KEY_INSIDE)
        put_key_inside(page, panel, view);
}
