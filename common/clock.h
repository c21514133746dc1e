/* clock.h: seconds, for progress bars and for what is said about speed.
 *
 * A time is another one at every run, so none may reach a trace or a ledger
 * (docs/design.md): trace_timing writes them to the terminal and timing.tsv. */
#ifndef CLOCK_H
#define CLOCK_H

/* Seconds since some moment in the past; never runs backwards. */
double clock_seconds(void);

/* Seconds that the calling thread has had a processor: other programs on the
 * machine do not count. */
double clock_thread_seconds(void);

#endif
