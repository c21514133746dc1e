/* inject.h: calls of the system that fail when asked to.
 *
 * A program linked with inject.c and $(FAULT_WRAPS) (see the Makefile) calls
 * these instead of malloc, open, write, rename, fork and the others that a lab
 * uses; the sources of the lab and of common/ know nothing of it.  The calls
 * are counted, and the one with the number asked for fails.
 *
 * Counted are either all calls, or places: the first call of each chain of
 * callers.  A lab allocates a million times, but from a few hundred places.
 *
 * A lab so linked reads the environment: FAULT=37 makes the 37th place fail,
 * FAULT=37+ that call and all later ones of the same function (a disk that is
 * full stays full), and FAULT_COUNT=FILE writes there how many places there
 * were, without a fault. */
#ifndef INJECT_H
#define INJECT_H

#include <stdbool.h>

/* From now on: call (or place) NUMBER fails, 0: none; and from then on every
 * call of the same function if LASTING. */
void fault_plan(int number, bool places, bool lasting);

/* How many calls (or places) there were since. */
int fault_count(void);

/* Which function failed, NULL: none did. */
const char *fault_name(void);

#endif
