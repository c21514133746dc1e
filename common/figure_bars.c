/* figure_bars.c: panels of grouped bars. */
#define _GNU_SOURCE
#include "figure_page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int bar_series(const Panel *panel)
{
    int n = 0;
    for (int s = 0; s < panel->count; s++)
        n += panel->series[s].kind == BARS;
    return n;
}

const Series *bars_first(const Panel *panel)
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
        axis_stretch(&view->y, 0);
    for (int s = 0; s < panel->count; s++)
        for (int i = 0; i < panel->series[s].n; i++) {
            const Series *series = &panel->series[s];
            double error = series->low && isfinite(series->low[i]) ? series->low[i] : 0;
            axis_stretch(&view->y, series->y[i]);
            axis_stretch(&view->y, series->y[i] + error);
            axis_stretch(&view->y, series->y[i] - error);
        }
    double room = values ? 0.14 : 0.06;
    bool negative = view->y.low<0, positive = view->y.high> 0;
    if (panel->log_y) {
        /* bars on a logarithmic axis stand on a power of ten, and the smallest is to be seen */
        view->y.low = power_below(view->y.low / 1.25);
        axis_pad(&view->y, 0, room);
    }
    if (!panel->log_y)
        axis_pad(&view->y, negative ? room : 0, positive || !negative ? room : 0);
    axis_choose(&view->y, panel->y_low, panel->y_high);
}

static void value_text(char text[32], double value)
{
    if (fabs(value) >= 1000 && fabs(value) < 1e7)
        snprintf(text, 32, "%.0f", value);
    else
        snprintf(text, 32, "%.3g", value);
    page_shorten_exponent(text);
}

/* Values above the bars: 0 if there is no room, else the angle + 1. */
static int values_fit(const Panel *panel, double bar_width)
{
    double widest = 0;
    char text[32];
    for (int s = 0; s < panel->count; s++)
        for (int i = 0; panel->series[s].kind == BARS && i < panel->series[s].n; i++) {
            value_text(text, panel->series[s].y[i]);
            widest = fmax(widest, page_text_width(text, VALUE));
        }
    if (widest <= bar_width * 1.15)
        return 1;
    return page_pixels(VALUE) <= bar_width ? 91 : 0;
}

static void put_values(Page *page, const Panel *panel, const Series *series, int turn, int turns, const View *view,
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
            away = value < 0 ? page_text_width(text, VALUE) + 8 : -8;
        page_text(page, text, x, view_y(view, tip) + away, angle ? "left" : "center", angle, VALUE, "", 200);
    }
}

static void put_bar_data(Page *page, const Series *series, int p, int s, int turn, int turns, double base)
{
    fprintf(page->body, "$data_%d_%d << END\n", p, s);
    for (int i = 0; i < series->n; i++) {
        double width = 0.8 / turns, x = i + width * (turn - (turns - 1) / 2.0);
        page_number(page->body, x);
        page_number(page->body, series->y[i]);
        page_number(page->body, series->low ? series->low[i] : 0);
        page_number(page->body, x - 0.47 * width);
        page_number(page->body, x + 0.47 * width);
        page_number(page->body, base);
        fputc('\n', page->body);
    }
    fprintf(page->body, "END\n");
}

static void plot_bars(Page *page, const Panel *panel, int p, const View *view)
{
    fprintf(page->body, "plot \\\n");
    for (int s = 0; s < panel->count; s++) {
        const Series *series = &panel->series[s];
        Style style = key_style(panel, s);
        if (series->kind == HORIZONTAL) {
            page_curve(page, panel, p, s, view);
            continue;
        }
        fprintf(page->body,
                "  $data_%d_%d using 1:2:4:5:(($2)<($6)?($2):($6)):(($2)<($6)?($6):($2)) with boxxyerror fs solid "
                "border lc rgb '#333333' fc rgb '%s' notitle, \\\n",
                p, s, style.colour);
        if (series->low)
            fprintf(page->body,
                    "  $data_%d_%d using 1:($2-$3):(0):(2*$3) with vectors heads size screen 0.006,90 lw 1.5 lc rgb "
                    "'#000000' notitle, \\\n",
                    p, s);
    }
    fprintf(page->body, "  NaN notitle\n");
}

void page_bar_panel(Page *page, const Panel *panel, int p, Box box)
{
    View view = {0};
    const Series *first = bars_first(panel);
    int turns = bar_series(panel), turn = 0;
    view.x = (Axis){.low = -0.5, .high = first->n - 0.5};
    bar_axis(panel, &view, true);
    view_frame(panel, &view, box);
    double slot = (view.plot.right - view.plot.left) / first->n;
    Under under = page_lay_under(first->words, first->words ? first->n : 0, slot, 190);
    view.plot.bottom -= under.depth - TIC_ROOM;
    axis_tics(&view.y, view.plot.bottom - view.plot.top, 52);
    int fit = values_fit(panel, slot * 0.8 / turns);
    double base = view.y.log ? view.y.low : 0;
    page_margins(page, &view.plot);
    page_axis(page, "x", &view.x, false);
    page_axis(page, "y", &view.y, true);
    page_labels(page, panel, &box, &view.plot, view.plot.bottom + under.depth);
    key_draw(page, panel, &view, &box);
    if (first->words)
        page_under(page, first->words, first->n, &under, view.plot.left, slot, view.plot.bottom);
    for (int s = 0; s < panel->count; s++)
        if (panel->series[s].kind == BARS) {
            if (fit)
                put_values(page, panel, &panel->series[s], turn, turns, &view, fit - 1);
            put_bar_data(page, &panel->series[s], p, s, turn++, turns, base);
        }
    plot_bars(page, panel, p, &view);
}
