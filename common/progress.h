/* progress.h: a bar on the terminal for whatever takes longer than a breath.
 *
 * Drawn on stderr, only if that is a terminal, never under NO_COLOR, never with
 * --quiet; redrawn at most ten times a second.  Safe to call in a hot loop. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>

typedef struct Progress Progress;

Progress *progress_new(bool enabled);

/* Begins a bar for TOTAL units of work: "training skip-gram". */
void progress_begin(Progress *progress, const char *label, double total);

/* DONE units are done; the rest of the line (after bar, percent and time left)
 * is FORMAT: "%.0f words/s  loss %.3f". */
void progress_update(Progress *progress, double done, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Removes the bar. */
void progress_end(Progress *progress);

/* Seconds since progress_begin. */
double progress_seconds(const Progress *progress);

void progress_free(Progress *progress);

#endif
