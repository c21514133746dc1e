/* colours.h: the colour maps that figures and rasters share, chosen to survive
 * a projector and colour blindness.
 *
 * MAGNITUDE and WEIGHTS are viridis (van der Walt & Smith 2015: as bright as
 * large, also in grey); SIGNED runs from blue through white (zero) to red. */
#ifndef COLOURS_H
#define COLOURS_H

#include <stddef.h>

#include "figure.h"

typedef struct {
    unsigned char red, green, blue;
} Colour;

/* The colours at equal distances along a map, N of them. */
const Colour *colour_stops(HeatmapColours map, int *n);

/* The colour at PLACE, 0 ... 1, between the stops by straight lines. */
Colour colour_at(HeatmapColours map, double place);

/* How bright the eye finds it: 0 ... 1 (ITU-R BT.709 weights). */
double colour_brightness(Colour colour);

/* The values that get the first and the last colour: SIGNED is centred on
 * zero, WEIGHTS is 0 ... 1; values that are not finite do not count.
 * *LOW < *HIGH always. */
void colour_range(HeatmapColours map, const real *cells, size_t n, double *low, double *high);

#endif
