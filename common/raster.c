/* raster.c: a matrix as an image: the one file that compiles stb_image_write. */
#include "raster.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "colours.h"
#include "die.h"
#include "files.h"
#include "memory.h"
#include "tsv.h"

/* stb itself asserts that it got its memory. */
#define STBIW_MALLOC(size) memory_resize(NULL, size, 1, "a picture")
#define STBIW_REALLOC(old, size) memory_resize(old, size, 1, "a picture")
#define STBIW_FREE free
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb_image_write.h>
#pragma GCC diagnostic pop

enum { WIDTH = 800, MOST_SCALE = 64, MOST_PIXELS = 64 * 1024 * 1024 };

static void write_tsv(const char *folder, const char *name, const real *cells, int rows, int columns,
                      const char *const *row_labels, const char *const *column_labels)
{
    char *path = path_join(folder, name, ".tsv");
    Output *output = output_open(path);
    FILE *stream = output_stream(output);
    fputs("row", stream);
    for (int c = 0; c < columns; c++) {
        putc('\t', stream);
        if (column_labels)
            tsv_word(stream, column_labels[c]);
        else
            fprintf(stream, "%d", c);
    }
    putc('\n', stream);
    for (int r = 0; r < rows; r++) {
        if (row_labels)
            tsv_word(stream, row_labels[r]);
        else
            fprintf(stream, "%d", r);
        for (int c = 0; c < columns; c++) {
            putc('\t', stream);
            tsv_number(stream, (double)cells[(size_t)r * columns + c]);
        }
        putc('\n', stream);
    }
    output_close(output);
    free(path);
}

/* Values that are not finite are grey: no colour of any map. */
static Colour colour_of(double value, HeatmapColours colours, double low, double high)
{
    return isfinite(value) ? colour_at(colours, (value - low) / (high - low)) : (Colour){128, 128, 128};
}

static unsigned char *paint(const real *cells, int rows, int columns, HeatmapColours colours, int scale)
{
    size_t width = (size_t)columns * scale, height = (size_t)rows * scale;
    unsigned char *pixels = memory_new(3 * width * height, 1, "a raster");
    double low, high;
    colour_range(colours, cells, (size_t)rows * columns, &low, &high);
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++) {
            double value = (double)cells[y / scale * columns + x / scale];
            Colour colour = colour_of(value, colours, low, high);
            unsigned char *pixel = pixels + 3 * (y * width + x);
            pixel[0] = colour.red, pixel[1] = colour.green, pixel[2] = colour.blue;
        }
    return pixels;
}

static void write_bytes(void *stream, void *bytes, int size)
{
    fwrite(bytes, 1, (size_t)size, stream); /* output_close checks */
}

void raster_write(const char *folder, const char *name, const real *cells, int rows, int columns,
                  const char *const *row_labels, const char *const *column_labels, HeatmapColours colours, int scale,
                  bool draw)
{
    if (rows < 1 || columns < 1 || scale < 0)
        die_misuse(HERE, "raster %s: %d rows, %d columns, %d pixels a cell", name, rows, columns, scale);
    write_tsv(folder, name, cells, rows, columns, row_labels, column_labels);
    if (!draw)
        return;
    if (scale == 0)
        scale = columns >= WIDTH ? 1 : WIDTH / columns > MOST_SCALE ? MOST_SCALE : WIDTH / columns;
    if ((double)rows * columns * scale * scale > MOST_PIXELS)
        die_misuse(HERE, "raster %s: %d x %d cells of %d pixels are too many for a picture", name, rows, columns,
                   scale);
    unsigned char *pixels = paint(cells, rows, columns, colours, scale);
    char *path = path_join(folder, name, ".png");
    Output *output = output_open(path);
    int width = columns * scale, height = rows * scale;
    if (!stbi_write_png_to_func(write_bytes, output_stream(output), width, height, 3, pixels, 3 * width))
        die("cannot make the picture '%s': out of memory", path);
    output_close(output);
    free(path);
    free(pixels);
}
