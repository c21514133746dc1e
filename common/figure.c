/* figure.c: what a figure is made of, and its data on disk. */
#include "figure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "figure_parts.h"
#include "files.h"
#include "memory.h"
#include "tsv.h"

struct Figures {
    char *folder;
    Gnuplot *gnuplot; /* NULL: nothing is drawn */
    bool draw;
    char **names; /* of figures and rasters, in order */
    bool *raster;
    int count;
};

/* ---- copies ------------------------------------------------------------------- */

static char *copy_text(const char *text)
{
    return text ? memory_copy_text(text) : NULL;
}

static double *copy_numbers(const real *numbers, int n)
{
    double *copy = numbers ? memory_new((size_t)n, sizeof *copy, "a figure's data") : NULL;
    for (int i = 0; numbers && i < n; i++)
        copy[i] = (double)numbers[i];
    return copy;
}

static char **copy_words(const char *const *words, int n)
{
    char **copy = words ? memory_new((size_t)n, sizeof *copy, "a figure's words") : NULL;
    for (int i = 0; words && i < n; i++)
        copy[i] = memory_copy_text(words[i] ? words[i] : "");
    return copy;
}

static void free_words(char **words, int n)
{
    for (int i = 0; words && i < n; i++)
        free(words[i]);
    free(words);
}

/* ---- all figures of a run -------------------------------------------------------- */

Figures *figures_new(const char *folder, bool draw)
{
    Figures *figures = memory_new(1, sizeof *figures, "the figures");
    figures->folder = memory_copy_text(folder);
    figures->draw = draw;
    figures->gnuplot = draw ? gnuplot_find(folder) : NULL;
    return figures;
}

int figures_finish(Figures *figures)
{
    return figures->gnuplot ? gnuplot_finish(figures->gnuplot) : 0;
}

void figures_patience(Figures *figures, double seconds)
{
    if (figures->gnuplot)
        gnuplot_patience(figures->gnuplot, seconds);
}

void figures_free(Figures *figures)
{
    if (figures->gnuplot)
        gnuplot_free(figures->gnuplot);
    free_words(figures->names, figures->count);
    free(figures->raster);
    free(figures->folder);
    free(figures);
}

static void add_name(Figures *figures, const char *name, bool raster)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    size_t length = strlen(name);
    if (length == 0 || length > 100 || strspn(name, letters) != length)
        die_misuse(HERE, "a figure's name has 1 to 100 letters, digits and '_', not '%s'", name);
    for (int i = 0; i < figures->count; i++)
        if (strcmp(figures->names[i], name) == 0)
            die_misuse(HERE, "figure %s is drawn twice: every name is used once", name);
    size_t size = (size_t)figures->count + 1;
    figures->names = memory_resize(figures->names, size, sizeof *figures->names, "the figures' names");
    figures->raster = memory_resize(figures->raster, size, sizeof *figures->raster, "the figures' names");
    figures->names[figures->count] = memory_copy_text(name);
    figures->raster[figures->count++] = raster;
}

void figures_add_name(Figures *figures, const char *name)
{
    add_name(figures, name, true);
}

const char *figures_name(const Figures *figures, int i)
{
    return i < figures->count ? figures->names[i] : NULL;
}

bool figures_drawn(const Figures *figures, int i)
{
    if (figures->raster[i])
        return figures->draw;
    return figures->gnuplot && gnuplot_drew(figures->gnuplot, figures->names[i]);
}

/* ---- one figure --------------------------------------------------------------------- */

Figure *figure_begin(Figures *figures, const char *name, const char *title)
{
    Figure *figure = memory_new(1, sizeof *figure, "a figure");
    add_name(figures, name, false);
    figure->figures = figures;
    figure->name = memory_copy_text(name);
    figure->title = copy_text(title);
    return figure;
}

void figure_layout(Figure *figure, int columns, int panel_width, int panel_height)
{
    if (columns < 0 || panel_width < 0 || panel_height < 0 || panel_width > 4000 || panel_height > 4000)
        die_misuse(HERE, "figure %s: a layout of %d columns, panels of %d x %d pixels", figure->name, columns,
                   panel_width, panel_height);
    figure->columns = columns;
    figure->panel_width = panel_width;
    figure->panel_height = panel_height;
}

Panel *figure_panel(Figure *figure, const char *title, const char *x_label, const char *y_label)
{
    size_t size = (size_t)figure->count + 1;
    Panel *panel = memory_new(1, sizeof *panel, "a panel");
    // NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers
    figure->panels = memory_resize(figure->panels, size, sizeof *figure->panels, "the panels of a figure");
    figure->panels[figure->count++] = panel;
    panel->figure = figure;
    panel->title = copy_text(title);
    panel->x_label = copy_text(x_label);
    panel->y_label = copy_text(y_label);
    panel->key = KEY_BELOW;
    return panel;
}

void panel_log_x(Panel *panel)
{
    panel->log_x = true;
}

void panel_log_y(Panel *panel)
{
    panel->log_y = true;
}

void panel_range_x(Panel *panel, double low, double high)
{
    panel->x_low = low;
    panel->x_high = high;
}

void panel_range_y(Panel *panel, double low, double high)
{
    panel->y_low = low;
    panel->y_high = high;
}

void panel_key(Panel *panel, KeyPlace place)
{
    panel->key = place;
}

/* ---- series ---------------------------------------------------------------------------- */

static bool belong_together(SeriesKind a, SeriesKind b)
{
    bool bars = a == BARS || b == BARS, horizontal = a == HORIZONTAL || b == HORIZONTAL;
    return a != HEATMAP && b != HEATMAP && (!bars || a == b || horizontal);
}

static Series *add_series(Panel *panel, SeriesKind kind, const char *label, int n)
{
    for (int i = 0; i < panel->count; i++)
        if (!belong_together(panel->series[i].kind, kind))
            die_misuse(HERE, "figure %s: a panel holds lines and points, or bars, or one heatmap", panel->figure->name);
    if (n < 1)
        die_misuse(HERE, "figure %s: a series of %d points", panel->figure->name, n);
    size_t size = (size_t)panel->count + 1;
    panel->series = memory_resize(panel->series, size, sizeof *panel->series, "the series of a figure");
    Series *series = &panel->series[panel->count++];
    *series = (Series){.kind = kind, .label = copy_text(label), .n = n};
    return series;
}

void panel_line(Panel *panel, const char *label, const real *x, const real *y, int n)
{
    Series *series = add_series(panel, LINE, label, n);
    series->x = copy_numbers(x, n);
    series->y = copy_numbers(y, n);
}

void panel_band(Panel *panel, const char *label, const real *x, const real *y, const real *low, const real *high, int n)
{
    Series *series = add_series(panel, BAND, label, n);
    series->x = copy_numbers(x, n);
    series->y = copy_numbers(y, n);
    series->low = copy_numbers(low, n);
    series->high = copy_numbers(high, n);
}

void panel_reference(Panel *panel, const char *label, const real *x, const real *y, int n)
{
    Series *series = add_series(panel, REFERENCE, label, n);
    series->x = copy_numbers(x, n);
    series->y = copy_numbers(y, n);
}

void panel_horizontal(Panel *panel, const char *label, double y)
{
    Series *series = add_series(panel, HORIZONTAL, label, 1);
    series->y = memory_new(1, sizeof *series->y, "a figure's data");
    series->y[0] = y;
}

void panel_points(Panel *panel, const char *label, const real *x, const real *y, const char *const *words, int n)
{
    Series *series = add_series(panel, POINTS, label, n);
    series->x = copy_numbers(x, n);
    series->y = copy_numbers(y, n);
    series->words = copy_words(words, n);
}

void panel_bars(Panel *panel, const char *label, const char *const *categories, const real *values, const real *errors,
                int n)
{
    for (int i = 0; i < panel->count; i++)
        if (panel->series[i].kind == BARS && panel->series[i].n != n)
            die_misuse(HERE, "figure %s: %d bars beside %d", panel->figure->name, n, panel->series[i].n);
    Series *series = add_series(panel, BARS, label, n);
    series->words = copy_words(categories, n);
    series->y = copy_numbers(values, n);
    series->low = copy_numbers(errors, n);
}

void panel_heatmap(Panel *panel, const real *cells, int rows, int columns, const char *const *row_labels,
                   const char *const *column_labels, HeatmapColours colours)
{
    if (rows < 1 || columns < 1)
        die_misuse(HERE, "figure %s: a heatmap of %d x %d cells", panel->figure->name, rows, columns);
    Series *series = add_series(panel, HEATMAP, NULL, 1);
    size_t n = (size_t)rows * (size_t)columns;
    series->rows = rows;
    series->columns = columns;
    series->cells = memory_new(n, sizeof *series->cells, "a heatmap");
    memcpy(series->cells, cells, n * sizeof *cells);
    series->row_labels = copy_words(row_labels, rows);
    series->column_labels = copy_words(column_labels, columns);
    series->colours = colours;
}

/* ---- the data on disk: one row a point, bar or cell -------------------------------------- */

enum {
    PANEL,
    SERIES,
    KIND,
    ROW,
    COLUMN,
    ROW_LABEL,
    COLUMN_LABEL,
    CATEGORY,
    X,
    Y,
    LOW,
    HIGH,
    VALUE,
    ERROR,
    WORD,
    FIELDS
};
static const char *const field_names[FIELDS] = {"panel",     "series",       "kind",     "row",   "column",
                                                "row_label", "column_label", "category", "x",     "y",
                                                "low",       "high",         "value",    "error", "word"};

typedef struct {
    FILE *stream;
    bool used[FIELDS];
    const char *text[FIELDS]; /* of the row in the making; NULL: the number */
    double number[FIELDS];
    bool filled[FIELDS];
} Table;

static void text_field(Table *table, int field, const char *text)
{
    table->filled[field] = true;
    table->text[field] = text ? text : "";
}

static void number_field(Table *table, int field, double value)
{
    table->filled[field] = true;
    table->text[field] = NULL;
    table->number[field] = value;
}

/* A first pass (without a stream) finds out which fields are used at all. */
static void end_row(Table *table)
{
    const char *separator = "";
    for (int f = 0; f < FIELDS; f++) {
        if (!table->stream) {
            table->used[f] |= table->filled[f] && !(table->text[f] && !*table->text[f]);
        } else if (table->used[f]) {
            fputs(separator, table->stream);
            separator = "\t";
            if (table->filled[f] && table->text[f])
                tsv_word(table->stream, table->text[f]);
            else if (table->filled[f])
                tsv_number(table->stream, table->number[f]);
        }
        table->filled[f] = false;
    }
    if (table->stream)
        putc('\n', table->stream);
}

static void heatmap_rows(Table *table, const Panel *panel, const Series *series)
{
    for (int r = 0; r < series->rows; r++)
        for (int c = 0; c < series->columns; c++) {
            text_field(table, PANEL, panel->title);
            number_field(table, ROW, r);
            number_field(table, COLUMN, c);
            text_field(table, ROW_LABEL, series->row_labels ? series->row_labels[r] : NULL);
            text_field(table, COLUMN_LABEL, series->column_labels ? series->column_labels[c] : NULL);
            number_field(table, VALUE, (double)series->cells[(size_t)r * series->columns + c]);
            end_row(table);
        }
}

static void series_rows(Table *table, const Panel *panel, const Series *series)
{
    static const char *const kinds[] = {"line", "band", "reference", "horizontal", "points", "bars", "heatmap"};
    bool bars = series->kind == BARS;
    for (int i = 0; i < series->n; i++) {
        text_field(table, PANEL, panel->title);
        text_field(table, SERIES, series->label);
        text_field(table, KIND, kinds[series->kind]);
        if (series->words)
            text_field(table, bars ? CATEGORY : WORD, series->words[i]);
        if (series->x)
            number_field(table, X, series->x[i]);
        if (series->y)
            number_field(table, bars ? VALUE : Y, series->y[i]);
        if (series->low)
            number_field(table, bars ? ERROR : LOW, series->low[i]);
        if (series->high)
            number_field(table, HIGH, series->high[i]);
        end_row(table);
    }
}

static void all_rows(Table *table, const Figure *figure)
{
    for (int p = 0; p < figure->count; p++)
        for (int s = 0; s < figure->panels[p]->count; s++) {
            const Series *series = &figure->panels[p]->series[s];
            if (series->kind == HEATMAP)
                heatmap_rows(table, figure->panels[p], series);
            else
                series_rows(table, figure->panels[p], series);
        }
}

static void write_tsv(const Figure *figure, const char *folder)
{
    Table *table = memory_new(1, sizeof *table, "a figure's data");
    char *path = path_join(folder, figure->name, ".tsv");
    Output *output = output_open(path);
    const char *separator = "";
    all_rows(table, figure);
    table->stream = output_stream(output);
    for (int f = 0; f < FIELDS; f++)
        if (table->used[f]) {
            fprintf(table->stream, "%s%s", separator, field_names[f]);
            separator = "\t";
        }
    putc('\n', table->stream);
    all_rows(table, figure);
    output_close(output);
    free(path);
    free(table);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void free_panel(Panel *panel)
{
    for (int i = 0; i < panel->count; i++) {
        Series *series = &panel->series[i];
        free_words(series->words, series->n);
        free_words(series->row_labels, series->rows);
        free_words(series->column_labels, series->columns);
        free(series->label);
        free(series->x);
        free(series->y);
        free(series->low);
        free(series->high);
        free(series->cells);
    }
    free(panel->series);
    free(panel->title);
    free(panel->x_label);
    free(panel->y_label);
    free(panel);
}

void figure_end(Figure *figure)
{
    Figures *figures = figure->figures;
    if (figure->count == 0)
        die_misuse(HERE, "figure %s has no panel", figure->name);
    for (int p = 0; p < figure->count; p++)
        if (figure->panels[p]->count == 0)
            die_misuse(HERE, "figure %s: panel %d is empty", figure->name, p + 1);
    write_tsv(figure, figures->folder);
    figure_write_script(figure, figures->folder, figures->gnuplot);
    if (figures->gnuplot)
        gnuplot_draw(figures->gnuplot, figure->name);
    for (int p = 0; p < figure->count; p++)
        free_panel(figure->panels[p]);
    free(figure->panels);
    free(figure->name);
    free(figure->title);
    free(figure);
}
