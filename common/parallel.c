/* parallel.c: a loop shared out among threads by a common counter. */
#define _GNU_SOURCE
#include "parallel.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

enum { MOST_THREADS = 64 };

typedef struct {
    ParallelJob *job;
    void *context;
    int n;
    atomic_int next;
} Loop;

/* Set in the threads of a loop, where a further loop runs plainly. */
static _Thread_local int inside;

static void *work(void *argument)
{
    Loop *loop = argument;
    inside = 1;
    for (int i; (i = atomic_fetch_add(&loop->next, 1)) < loop->n;)
        loop->job(i, loop->context);
    inside = 0;
    return NULL;
}

bool parallel_thread(pthread_t *thread, void *(*run)(void *), void *argument)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int status = pthread_create(thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status == 0;
}

void parallel_for(int threads, int n, ParallelJob *job, void *context)
{
    if (threads > n)
        threads = n;
    if (threads > MOST_THREADS)
        threads = MOST_THREADS;
    if (threads <= 1 || inside) {
        for (int i = 0; i < n; i++)
            job(i, context);
        return;
    }
    Loop loop = {.job = job, .context = context, .n = n};
    pthread_t helper[MOST_THREADS];
    int helpers = 0;
    while (helpers < threads - 1 && parallel_thread(&helper[helpers], work, &loop))
        helpers++; /* where no thread can be had, the others do its share */
    work(&loop);
    for (int i = 0; i < helpers; i++)
        pthread_join(helper[i], NULL);
}

int parallel_processors(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
#endif
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}
