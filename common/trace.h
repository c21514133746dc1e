/* trace.h: the text a student reads: on the terminal as it happens, and in
 * trace.txt without colour.
 *
 * Numbers in a trace carry the line of source that computed them, so that a
 * student can go from the number to the code.  Times never go into a trace:
 * it has to be the same bytes on every machine (see timing, below).
 *
 * Control bytes in a text are shown as Unicode's pictures of them, so a word of
 * a corpus cannot steer the terminal; newlines and tabs pass through trace(). */
#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>

#include "die.h"
#include "real.h"

typedef struct Trace Trace;

/* Writes to stdout unless QUIET and, when closed, to FOLDER/trace.txt.  Colour
 * only on a terminal and never under NO_COLOR. */
Trace *trace_open(const char *folder, bool quiet);

/* Completes trace.txt (and timing.tsv, if any time was noted).  Frees TRACE. */
void trace_close(Trace *trace);

/* A piece of text; the caller writes the newlines, as with printf. */
void trace(Trace *trace, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "Step 3. The trained space", underlined. */
void trace_heading(Trace *trace, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* An equation of the lecture with the line of source that computes it:
 *     h = x W            02_word2vec.c:123                                    */
void trace_equation(Trace *trace, Where where, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* TEXT in lines of at most WIDTH columns, each indented by INDENT. */
void trace_wrapped(Trace *trace, int indent, int width, const char *text);

/* A line that begins with WORD in a colour, padded to WIDTH columns: a verdict. */
typedef enum { TRACE_PLAIN, TRACE_GOOD, TRACE_NOTE, TRACE_BAD, TRACE_FAINT } TraceColour;
void trace_mark(Trace *trace, TraceColour colour, const char *word, int width, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* For the terminal only: where files went, what takes a while. */
void trace_aside(Trace *trace, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Numbers of a tensor under their name, one row a line, with labels where they
 * are not NULL (row_labels: ROWS texts; column_labels: COLUMNS texts), aligned
 * also for Korean, whose letters are two columns wide.  More than 12 rows or
 * columns are cut in the middle, and the cut is said.  DECIMALS digits after
 * the point. */
void trace_matrix(Trace *trace, Where where, const char *name, const real *data, int rows, int columns,
                  const char *const *row_labels, const char *const *column_labels, int decimals);

/* One row: a vector. */
void trace_vector(Trace *trace, Where where, const char *name, const real *data, int n, const char *const *labels,
                  int decimals);

/* A table: columns and cells are separated by tabs; columns are aligned when
 * the table ends: to the right if all their cells are numbers.  A row ends
 * without a newline; missing cells are empty.
 *     trace_table(t, "word\tcosine");
 *     trace_row(t, "%s\t%.3f", word, cosine);
 *     trace_table_end(t);                                                      */
void trace_table(Trace *trace, const char *columns);
void trace_row(Trace *trace, const char *format, ...) __attribute__((format(printf, 2, 3)));
void trace_table_end(Trace *trace);

/* Measured times go to the terminal and to FOLDER/timing.tsv (name, value,
 * unit), never into trace.txt. */
void trace_timing(Trace *trace, const char *name, double value, const char *unit);

#endif
