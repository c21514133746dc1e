/* figure_heatmap.c: panels that show a matrix as colours. */
#define _GNU_SOURCE
#include "figure_page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "colours.h"

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
    double widest = series->row_labels ? 0 : page_text_width("0000", points);
    for (int r = 0; series->row_labels && r < series->rows; r++)
        widest = fmax(widest, page_text_width(series->row_labels[r], points));
    return fmin(widest, MOST_LABEL);
}

static Heat measure_heatmap(const Panel *panel, double cell_width, double cell_height)
{
    const Series *series = &panel->series[0];
    Heat heat = {.cell_width = cell_width, .cell_height = cell_height};
    heat.left = GAP + (panel->y_label ? LINE_HEIGHT : 0) + widest_row_label(series, TIC) + GAP;
    heat.right = BAR_ROOM;
    heat.under =
        page_lay_under(series->column_labels, series->column_labels ? series->columns : 0, cell_width, MOST_LABEL);
    if (heat.under.angle == 40 && series->column_labels) /* the first label leans out to the left */
        heat.left =
            fmax(heat.left, fmin(page_text_width(series->column_labels[0], heat.under.points), MOST_LABEL) * 0.77 -
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
    return page_title_height(panel->title, PANEL_TITLE, width - 2 * GAP) + heat->under.depth +
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
        snprintf(text, 64, "%.2g", value), page_shorten_exponent(text);
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
        widest = fmax(widest, page_text_width(text, 1));
    }
    for (int points = 14; points >= 9; points--)
        if (widest * points <= heat->cell_width * 0.94 && page_pixels(points) <= heat->cell_height * 0.9)
            return points;
    return 0;
}

static void put_palette(Page *page, HeatmapColours colours)
{
    int n;
    const Colour *stop = colour_stops(colours, &n);
    fprintf(page->body, "set palette defined (");
    for (int i = 0; i < n; i++)
        fprintf(page->body, "%s%d '#%02x%02x%02x'", i ? ", " : "", i, stop[i].red, stop[i].green, stop[i].blue);
    fprintf(page->body, ")\n");
}

static void put_colour_bar(Page *page, const Series *series, const Box *plot)
{
    Axis axis = {0};
    double height = fmax(plot->bottom - plot->top, 100), top = (plot->top + plot->bottom - height) / 2;
    colour_range(series->colours, series->cells, (size_t)series->rows * series->columns, &axis.low, &axis.high);
    axis_tics(&axis, height, 40);
    put_palette(page, series->colours);
    fprintf(page->body, "set cbrange [%.9g:%.9g]\n", axis.low, axis.high);
    fprintf(page->body, "set colorbox user origin screen %.5f, screen %.5f size screen %.5f, screen %.5f noborder\n",
            page_x(page, plot->right + 14), page_y(page, top + height), COLOUR_BAR / page->width,
            height / page->height);
    fprintf(page->body, "set cbtics scale 0.4 font '%s,%d' tc rgb '#222222' (", page->font, VALUE + 1);
    for (int i = 0; i < axis.tics; i++) {
        char text[32];
        page_tic_text(text, axis.tic[i]);
        fprintf(page->body, "%s'%s' %.9g", i ? ", " : "", text, axis.tic[i]);
    }
    fprintf(page->body, ")\n");
}

static void put_cells(Page *page, const Series *series, int p)
{
    fprintf(page->body, "$data_%d_0 << END\n", p);
    for (int r = 0; r < series->rows; r++) {
        for (int c = 0; c < series->columns; c++)
            page_number(page->body, (double)series->cells[(size_t)r * series->columns + c]);
        fputc('\n', page->body);
    }
    fprintf(page->body, "END\n");
}

/* Column, row, text and colour: dark on bright cells, bright on dark ones. */
static void put_cell_values(Page *page, const Series *series, int p, int decimals)
{
    double low, high;
    char text[64];
    colour_range(series->colours, series->cells, (size_t)series->rows * series->columns, &low, &high);
    fprintf(page->body, "$values_%d << END\n", p);
    for (int r = 0; r < series->rows; r++)
        for (int c = 0; c < series->columns; c++) {
            double value = (double)series->cells[(size_t)r * series->columns + c];
            Colour colour = colour_at(series->colours, (value - low) / (high - low));
            cell_text(text, value, decimals);
            if (*text)
                fprintf(page->body, "%d %d %s %d\n", c, r, text, colour_brightness(colour) > 0.5 ? 0x000000 : 0xffffff);
        }
    fprintf(page->body, "END\n");
}

/* Labels beside the rows, every so many that they do not touch. */
static void put_row_labels(Page *page, const Series *series, const Heat *heat, const Box *plot)
{
    double points = TIC;
    char number[16];
    while (series->row_labels && points > SMALLEST && page_pixels(points) * 1.1 > heat->cell_height)
        points--; /* numbers stay large: leaving some out loses nothing */
    int every = 1;
    while (page_pixels(points) * 1.1 > heat->cell_height * every)
        every = every == 1 ? 2 : every == 2 ? 5 : every == 5 ? 10 : every * 2;
    for (int r = 0; r < series->rows; r += every) {
        snprintf(number, sizeof number, "%d", r);
        page_text(page, series->row_labels ? series->row_labels[r] : number, plot->left - 8,
                  plot->top + (r + 0.5) * heat->cell_height, "right", 0, points, "", MOST_LABEL);
    }
}

static void put_column_numbers(Page *page, const Series *series, const Heat *heat, const Box *plot)
{
    char number[16];
    int every = 1;
    while (page_text_width("0000", TIC) > heat->cell_width * every)
        every = every == 1 ? 2 : every == 2 ? 5 : every == 5 ? 10 : every * 2;
    for (int c = 0; c < series->columns; c += every) {
        snprintf(number, sizeof number, "%d", c);
        page_text(page, number, plot->left + (c + 0.5) * heat->cell_width, plot->bottom + 6 + LINE_HEIGHT / 2.0,
                  "center", 0, TIC, "", MOST_LABEL);
    }
}

static void plot_heatmap(Page *page, const Series *series, int p, double points)
{
    bool large = (double)series->rows * series->columns > 1000 && series->rows > 1 && series->columns > 1;
    fprintf(page->body, "set xrange [-0.5:%d.5]\nset yrange [%d.5:-0.5]\nunset logscale\n", series->columns - 1,
            series->rows - 1);
    fprintf(page->body, "unset xtics\nunset ytics\n");
    fprintf(page->body,
            "set object %d rectangle from graph 0, graph 0 to graph 1, graph 1 fc rgb '#b0b0b0' "
            "fs solid noborder behind\n",
            ++page->tags);
    fprintf(page->body, "plot $data_%d_0 matrix ", p);
    if (large)
        fprintf(page->body, "with image notitle");
    else /* an image needs two rows and two columns, boxes do not, and their edges are sharp */
        fprintf(page->body,
                "using ($3==$3?$1:NaN):2:($1-0.5):($1+0.5):($2-0.5):($2+0.5):3 with boxxyerror fs solid noborder "
                "lc palette notitle");
    if (points > 0)
        fprintf(page->body, ", $values_%d using 1:2:3:4 with labels tc rgb variable font '%s,%g' noenhanced notitle", p,
                page->font, points);
    fputc('\n', page->body);
}

void page_heatmap_panel(Page *page, const Panel *panel, int p, Box box)
{
    const Series *series = &panel->series[0];
    Heat heat = fit_heatmap(panel, &box);
    double width = box.right - box.left, spare = width - heat_width(panel, &heat);
    Box plot = {.left = box.left + heat.left + fmax(spare / 2, 0),
                .top = box.top + page_title_height(panel->title, PANEL_TITLE, width - 2 * GAP)};
    plot.right = plot.left + heat.cell_width * series->columns;
    plot.bottom = plot.top + heat.cell_height * series->rows;
    int decimals = cell_decimals(series);
    double points = cell_points(series, &heat, decimals);
    Box inner = box; /* the label of the rows stands close to them; without one the title has the whole width */
    inner.left += panel->y_label ? fmax(spare / 2, 0) : 0;
    page_margins(page, &plot);
    page_labels(page, panel, &inner, &plot, plot.bottom + heat.under.depth);
    put_colour_bar(page, series, &plot);
    put_row_labels(page, series, &heat, &plot);
    if (series->column_labels)
        page_under(page, series->column_labels, series->columns, &heat.under, plot.left, heat.cell_width, plot.bottom);
    else
        put_column_numbers(page, series, &heat, &plot);
    put_cells(page, series, p);
    if (points > 0)
        put_cell_values(page, series, p, decimals);
    plot_heatmap(page, series, p, points);
}

void heatmap_natural_size(const Panel *panel, bool alone, double *width, double *height)
{
    const Series *series = &panel->series[0];
    double cell = natural_cell(series->rows, series->columns, alone);
    Heat heat = measure_heatmap(panel, cell, cell);
    *width = fmax(heat_width(panel, &heat) + 2 * GAP, 360);
    *height = tall_enough(cell, series->rows) * series->rows + heat_extra(panel, &heat, *width) + GAP;
}
