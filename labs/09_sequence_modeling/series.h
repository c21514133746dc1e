/* series.h: a series of the student's own, read from a file. */
#ifndef SERIES_H
#define SERIES_H

enum { SERIES_SHORTEST = 60, SERIES_LONGEST = 20000 };
#define SERIES_LARGEST 1e12

/* The numbers in the file at PATH, one on each line (empty lines are left out),
 * SERIES_SHORTEST to SERIES_LONGEST of them, none beyond SERIES_LARGEST; *COUNT
 * says how many.  Dies with the line's number on anything else; free(). */
double *series_read(const char *path, int *count);

#endif
