/* parallel.c: a loop shared out among threads by a common counter.
 *
 * The helping threads stay from loop to loop, for a training step has hundreds of
 * loops of some microseconds: after a loop a helper looks for the next one for a
 * moment, then sleeps.  A helper that comes late finds the loop shut, so nobody
 * waits for one that sleeps: the caller does the work alone. */
#define _GNU_SOURCE
#include "parallel.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

enum { MOST_THREADS = 64, LOOKS = 2000, LOOKS_AT_ONCE = 64 };

/* The one loop that is shared out at a time, and who helps. */
typedef struct {
    pthread_mutex_t in_use; /* held by the thread whose loop it is */
    pid_t process;          /* a child made by fork has no helpers */
    int helpers;

    ParallelJob *job;
    void *context;
    int n, wanted;     /* turns; helpers asked for */
    atomic_int next;   /* the next turn to be taken */
    atomic_bool open;  /* whether a helper may still come in */
    atomic_int inside; /* helpers at work */

    atomic_uint loops; /* how many there were: a helper waits for this to change */
    atomic_int asleep;
    pthread_mutex_t bed;
    pthread_cond_t morning;
} Pool;

/* The only state of this file besides the next line: threads belong to the process. */
static Pool pool = {
    .in_use = PTHREAD_MUTEX_INITIALIZER, .bed = PTHREAD_MUTEX_INITIALIZER, .morning = PTHREAD_COND_INITIALIZER};

/* Set in the threads of a loop, where a further loop runs plainly. */
static _Thread_local int inside_a_loop;

static void pause_a_little(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Returns when there has been another loop than number SEEN. */
static void wait_for_a_loop(unsigned seen)
{
    for (int i = 1; i <= LOOKS; i++) {
        if (atomic_load(&pool.loops) != seen)
            return;
        if (i % LOOKS_AT_ONCE)
            pause_a_little();
        else
            sched_yield(); /* another program may want the processor */
    }
    pthread_mutex_lock(&pool.bed);
    atomic_fetch_add(&pool.asleep, 1);
    while (atomic_load(&pool.loops) == seen)
        pthread_cond_wait(&pool.morning, &pool.bed);
    atomic_fetch_sub(&pool.asleep, 1);
    pthread_mutex_unlock(&pool.bed);
}

static void take_turns(void)
{
    inside_a_loop = 1;
    for (int i; (i = atomic_fetch_add(&pool.next, 1)) < pool.n;)
        pool.job(i, pool.context);
    inside_a_loop = 0;
}

static void *help(void *argument)
{
    int number = (int)(intptr_t)argument;
    for (unsigned seen = 0;;) {
        wait_for_a_loop(seen);
        seen = atomic_load(&pool.loops);
        atomic_fetch_add(&pool.inside, 1); /* first in, then a look: so the caller sees either this or a shut loop */
        if (atomic_load(&pool.open) && number < pool.wanted)
            take_turns();
        atomic_fetch_sub(&pool.inside, 1);
    }
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

/* Where no thread can be had, the others do its share. */
static void find_helpers(int wanted)
{
    if (pool.process != getpid()) {
        pool.process = getpid();
        pool.helpers = 0;
        atomic_store(&pool.inside, 0);
        atomic_store(&pool.asleep, 0);
        pthread_mutex_init(&pool.bed, NULL);
        pthread_cond_init(&pool.morning, NULL);
    }
    pthread_t thread;
    while (pool.helpers < wanted && parallel_thread(&thread, help, (void *)(intptr_t)pool.helpers)) {
        pthread_detach(thread);
        pool.helpers++;
    }
}

static void run_shared(int wanted, int n, ParallelJob *job, void *context)
{
    find_helpers(wanted);
    pool.job = job;
    pool.context = context;
    pool.n = n;
    pool.wanted = wanted;
    atomic_store(&pool.next, 0);
    atomic_store(&pool.open, true);
    atomic_fetch_add(&pool.loops, 1);
    if (atomic_load(&pool.asleep) > 0) {
        pthread_mutex_lock(&pool.bed);
        pthread_cond_broadcast(&pool.morning);
        pthread_mutex_unlock(&pool.bed);
    }
    take_turns();
    atomic_store(&pool.open, false);
    for (int i = 1; atomic_load(&pool.inside) > 0; i++)
        if (i % LOOKS_AT_ONCE)
            pause_a_little();
        else
            sched_yield();
}

void parallel_for(int threads, int n, ParallelJob *job, void *context)
{
    if (threads > n)
        threads = n;
    if (threads > MOST_THREADS)
        threads = MOST_THREADS;
    if (threads > 1 && !inside_a_loop && pthread_mutex_trylock(&pool.in_use) == 0) {
        run_shared(threads - 1, n, job, context);
        pthread_mutex_unlock(&pool.in_use);
        return;
    }
    for (int i = 0; i < n; i++)
        job(i, context);
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
