/* parallel.h: the same loop on several processors.
 *
 * Used where the turns of a loop do not touch each other (independent models,
 * rows of a matrix product), so that the result does not depend on the number
 * of threads: each turn computes exactly what it would alone. */
#ifndef PARALLEL_H
#define PARALLEL_H

#include <pthread.h>
#include <stdbool.h>

typedef void ParallelJob(int index, void *context);

/* Calls JOB(0, context) ... JOB(n-1, context), at most THREADS at a time, and
 * returns when all are done.  Inside a job, parallel_for is a plain loop. */
void parallel_for(int threads, int n, ParallelJob *job, void *context);

/* Starts a thread that leaves signals to the one that called, so that Ctrl-C
 * cleans up in one place; join it with pthread_join.  False if none can be had. */
bool parallel_thread(pthread_t *thread, void *(*work)(void *), void *argument);

/* The number of processors this process may use. */
int parallel_processors(void);

#endif
