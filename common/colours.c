/* colours.c: colour maps, as tables with straight lines between. */
#include "colours.h"

#include <math.h>

// clang-format off
static const Colour viridis[] = { /* ten equal steps */
    {0x44, 0x01, 0x54}, {0x48, 0x28, 0x78}, {0x3e, 0x4a, 0x89}, {0x31, 0x68, 0x8e}, {0x26, 0x82, 0x8e},
    {0x1f, 0x9e, 0x89}, {0x35, 0xb7, 0x79}, {0x6d, 0xcd, 0x59}, {0xb4, 0xde, 0x2c}, {0xfd, 0xe7, 0x25}};
static const Colour blue_white_red[] = { /* ColorBrewer's RdBu, with white at zero */
    {5, 48, 97}, {33, 102, 172}, {67, 147, 195}, {146, 197, 222}, {209, 229, 240}, {255, 255, 255},
    {253, 219, 199}, {244, 165, 130}, {214, 96, 77}, {178, 24, 43}, {103, 0, 31}};
// clang-format on

const Colour *colour_stops(HeatmapColours map, int *n)
{
    *n = map == SIGNED ? sizeof blue_white_red / sizeof *blue_white_red : sizeof viridis / sizeof *viridis;
    return map == SIGNED ? blue_white_red : viridis;
}

static unsigned char between(unsigned char a, unsigned char b, double way)
{
    return (unsigned char)(a + (b - a) * way + 0.5);
}

Colour colour_at(HeatmapColours map, double place)
{
    int n;
    const Colour *stop = colour_stops(map, &n);
    place = !(place > 0) ? 0 : place > 1 ? 1 : place;
    int i = (int)(place * (n - 1));
    if (i == n - 1)
        return stop[i];
    double way = place * (n - 1) - i;
    return (Colour){between(stop[i].red, stop[i + 1].red, way), between(stop[i].green, stop[i + 1].green, way),
                    between(stop[i].blue, stop[i + 1].blue, way)};
}

double colour_brightness(Colour colour)
{
    return (0.2126 * colour.red + 0.7152 * colour.green + 0.0722 * colour.blue) / 255;
}

void colour_range(HeatmapColours map, const real *cells, size_t n, double *low, double *high)
{
    double least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < n; i++)
        if (isfinite(cells[i])) {
            least = fmin(least, (double)cells[i]);
            most = fmax(most, (double)cells[i]);
        }
    if (map == WEIGHTS || least > most)
        least = 0, most = 1;
    if (map == SIGNED) {
        most = fmax(fabs(least), fabs(most));
        least = -most;
    }
    if (least == most) {
        double half = fmax(0.5, fabs(least) * 0.01); /* one value everywhere: the middle of the map */
        least -= half;
        most += half;
    }
    *low = least;
    *high = most;
}
