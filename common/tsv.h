/* tsv.h: one way to write numbers and words into the project's TSV files.
 *
 * Numbers have nine significant digits (enough to get the same float back),
 * NaN and infinities are written NaN.  In words a tab is \t, a newline \n, a
 * carriage return \r and a backslash \\, so that a line is always a row. */
#ifndef TSV_H
#define TSV_H

#include <stdio.h>

void tsv_number(FILE *stream, double value);
void tsv_word(FILE *stream, const char *word);

#endif
