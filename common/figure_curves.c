/* figure_curves.c: panels of lines, bands, references and points with words. */
#define _GNU_SOURCE
#include "figure_page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

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
                axis_stretch(&view->x, series->x[i]);
            axis_stretch(&view->y, series->y[i]);
            if (series->low)
                axis_stretch(&view->y, series->low[i]);
            if (series->high)
                axis_stretch(&view->y, series->high[i]);
        }
    }
    axis_pad(&view->x, points ? 0.04 : 0.02, words ? 0.10 : points ? 0.04 : 0.02);
    axis_pad(&view->y, 0.06, 0.06);
    axis_choose(&view->x, panel->x_low, panel->x_high);
    axis_choose(&view->y, panel->y_low, panel->y_high);
}

static void put_data(Page *page, const Panel *panel, int p)
{
    for (int s = 0; s < panel->count; s++) {
        const Series *series = &panel->series[s];
        if (series->kind == HORIZONTAL)
            continue;
        fprintf(page->body, "$data_%d_%d << END\n", p, s);
        for (int i = 0; i < series->n; i++) {
            page_number(page->body, series->x[i]);
            page_number(page->body, series->y[i]);
            if (series->low) {
                page_number(page->body, series->low[i]);
                page_number(page->body, series->high[i]);
            }
            fputc('\n', page->body);
        }
        fprintf(page->body, "END\n");
    }
}

void page_curve(Page *page, const Panel *panel, int p, int s, const View *view)
{
    const Series *series = &panel->series[s];
    Style style = key_style(panel, s);
    int every = series->n > 12 ? series->n / 12 : 1;
    double size = series->n > 3000 ? 0.4 : series->n > 300 ? 0.8 : 1.3;
    if (series->kind == LINE)
        fprintf(page->body,
                "  $data_%d_%d using 1:2 with linespoints lw 2.5 dt %s pt %d ps 1.3 pi %d lc rgb '%s' notitle, \\\n", p,
                s, style.dash, style.point, every, style.colour);
    else if (series->kind == BAND || series->kind == REFERENCE)
        fprintf(page->body, "  $data_%d_%d using 1:2 with lines lw %s dt %s lc rgb '%s' notitle, \\\n", p, s,
                series->kind == BAND ? "2.5" : "2", style.dash, style.colour);
    else if (series->kind == POINTS)
        fprintf(page->body, "  $data_%d_%d using 1:2 with points pt %d ps %.1f lc rgb '%s' notitle, \\\n", p, s,
                style.point, size, style.colour);
    else if (isfinite(series->y[0]))
        fprintf(page->body, "  [%.9g:%.9g] %.9g with lines lw 2 dt %s lc rgb '%s' notitle, \\\n", view->x.low,
                view->x.high, series->y[0], style.dash, style.colour);
}

/* Bands first, so that no curve lies under one. */
static void put_curves(Page *page, const Panel *panel, int p, const View *view)
{
    fprintf(page->body, "plot \\\n");
    for (int s = 0; s < panel->count; s++)
        if (panel->series[s].kind == BAND)
            fprintf(page->body,
                    "  $data_%d_%d using 1:3:4 with filledcurves fs transparent solid 0.2 noborder lc rgb '%s' "
                    "notitle, \\\n",
                    p, s, key_style(panel, s).colour);
    for (int s = 0; s < panel->count; s++)
        page_curve(page, panel, p, s, view);
    fprintf(page->body, "  NaN notitle\n");
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
        int ring = place / 8;
        double cost = place * 0.5 + ring * 20 + 3 * outside(&box, plot);
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
            n += view_shows(view, panel->series[s].x[i], panel->series[s].y[i]);
    return n;
}

static void put_words(Page *page, const Panel *panel, const View *view)
{
    int words = count_words(panel, view), taken = 0;
    double points = words > 150 ? 9 : words > 60 ? 11 : WORD;
    Box *boxes = memory_new(2 * (size_t)words, sizeof *boxes, "the words of a figure");
    for (int s = 0; s < panel->count; s++) /* the points themselves */
        for (int i = 0; panel->series[s].words && i < panel->series[s].n; i++)
            if (view_shows(view, panel->series[s].x[i], panel->series[s].y[i])) {
                double x = view_x(view, panel->series[s].x[i]), y = view_y(view, panel->series[s].y[i]);
                boxes[taken++] = (Box){x - 6, y - 6, x + 6, y + 6};
            }
    for (int s = 0; s < panel->count; s++)
        for (int i = 0; panel->series[s].words && i < panel->series[s].n; i++) {
            const char *word = panel->series[s].words[i];
            if (!*word || !view_shows(view, panel->series[s].x[i], panel->series[s].y[i]))
                continue;
            double width = fmin(page_text_width(word, points) * 0.94, 200);
            Box box = best_box(view_x(view, panel->series[s].x[i]), view_y(view, panel->series[s].y[i]), width,
                               page_pixels(points) * 1.05, boxes, taken, &view->plot);
            boxes[taken++] = box;
            page_text(page, word, (box.left + box.right) / 2, (box.top + box.bottom) / 2, "center", 0, points, "", 200);
        }
    free(boxes);
}

void page_curve_panel(Page *page, const Panel *panel, int p, Box box)
{
    View view;
    curve_axes(panel, &view);
    view_frame(panel, &view, box);
    page_margins(page, &view.plot);
    page_axis(page, "x", &view.x, true);
    page_axis(page, "y", &view.y, true);
    page_labels(page, panel, &box, &view.plot, view.plot.bottom + TIC_ROOM);
    key_draw(page, panel, &view, &box);
    put_words(page, panel, &view);
    put_data(page, panel, p);
    put_curves(page, panel, p, &view);
}
