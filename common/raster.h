/* raster.h: a matrix as an image, one square of pixels a cell, no axes, through
 * stb_image_write.  Writes NAME.png and NAME.tsv into FOLDER. */
#ifndef RASTER_H
#define RASTER_H

#include "figure.h"

/* CELLS is rows x columns; SCALE pixels a cell (0: chosen so that the image is
 * about 800 pixels wide).  Row and column labels (or NULL) go to the TSV.
 * With DRAW false only the TSV is written. */
void raster_write(const char *folder, const char *name, const real *cells, int rows, int columns,
                  const char *const *row_labels, const char *const *column_labels, HeatmapColours colours, int scale,
                  bool draw);

#endif
