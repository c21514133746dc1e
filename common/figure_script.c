/* figure_script.c: where everything goes on the picture, and the .gp file.
 *
 * All places are computed here, in pixels from the top left corner, so that no
 * label is cut off and no key lies on the data, whatever the words are.
 *
 * Words are data: they stand in a data block, one a line behind a '=', and are
 * fetched by number, say(7).  No word of a user is ever part of a command, of a
 * format, or of a quoted string, and none can end the block. */
#define _GNU_SOURCE
#include "figure_page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "files.h"
#include "memory.h"
#include "text.h"

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
            heatmap_natural_size(panel, alone, &w, &h);
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

static void put_panel(Page *page, const Panel *panel, int p, Box box)
{
    fprintf(page->body, "\nset border 3 lw 1 lc rgb '#666666'\nset grid lt 1 lw 0.8 lc rgb '#dddddd'\n");
    if (is_heatmap(panel)) {
        fprintf(page->body, "unset grid\nunset border\n");
        page_heatmap_panel(page, panel, p, box);
    } else if (bars_first(panel)) {
        fprintf(page->body, "set grid noxtics ytics\n");
        page_bar_panel(page, panel, p, box);
    } else {
        fprintf(page->body, "set grid xtics ytics\n");
        page_curve_panel(page, panel, p, box);
    }
    fprintf(page->body, "unset label\nunset arrow\nunset object\n");
    page->tags = 0;
}

static void put_picture(Page *page, const Figure *figure)
{
    double width, height;
    int columns = choose_columns(figure), rows = (figure->count + columns - 1) / columns;
    choose_size(figure, &width, &height);
    page->width = columns * width;
    double top = page_title_height(figure->title, TITLE, page->width - 2 * GAP);
    page->height = floor(top + rows * height + 0.5);
    if (figure->count > 1)
        fprintf(page->body, "set multiplot\n");
    page_title(page, figure->title, page->width / 2, LINE_HEIGHT / 2.0 + GAP, TITLE, page->width - 2 * GAP);
    for (int p = 0; p < figure->count; p++) {
        int row = p / columns, column = p % columns;
        double left = column * width, above = top + row * height;
        put_panel(page, figure->panels[p], p, (Box){left, above, left + width, above + height});
    }
    if (figure->count > 1)
        fprintf(page->body, "unset multiplot\n");
}

static void put_start(FILE *stream, const char *name, const Page *page)
{
    fprintf(stream, "# %s.gp draws %s.png (gnuplot 5.4 or later); its data are also in %s.tsv.\n", name, name, name);
    fprintf(stream, "#     gnuplot %s.gp\n", name);
    fprintf(stream, "reset\nset encoding utf8\nif (!exists('picture')) picture = '%s.png'\n", name);
    fprintf(stream, "set terminal pngcairo noenhanced size %.0f, %.0f font '%s,%d' background rgb 'white'\n",
            page->width, page->height, page->font, TIC);
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
    int size = utf8_encode(c, bytes);
    fwrite(bytes, 1, (size_t)size, stream);
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

/* Memory may have been too small for what was written into it. */
static void close_memory(FILE *stream)
{
    bool failed = ferror(stream);
    if (fclose(stream) != 0 || failed)
        die("out of memory: the words of a figure");
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
    close_memory(stream);
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
    Page *page = memory_new(1, sizeof *page, "a figure's script");
    char *words = NULL, *body = NULL, *path = path_join(folder, figure->name, ".gp");
    size_t words_size, body_size;
    page->font = gnuplot_font(gnuplot);
    page->dots = gnuplot_covers(gnuplot, 0x2026) ? "…" : "...";
    make_all_drawable(figure, gnuplot);
    page->words = open_memstream(&words, &words_size);
    page->body = open_memstream(&body, &body_size);
    if (!page->words || !page->body)
        die("out of memory: figure %s", figure->name);
    put_picture(page, figure);
    close_memory(page->words);
    close_memory(page->body);
    Output *output = output_open(path);
    FILE *stream = output_stream(output);
    put_start(stream, figure->name, page);
    fprintf(stream, "$words << END\n%sEND\nsay(i) = substr($words[i], 2, strlen($words[i]))\n", words);
    fputs(body, stream);
    output_close(output);
    free(path);
    free(words);
    free(body);
    free(page);
}
