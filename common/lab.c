/* lab.c: a run of a lab: from the first heading to the ledger. */
#define _GNU_SOURCE
#include "lab_request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "clock.h"
#include "die.h"
#include "files.h"
#include "memory.h"
#include "parallel.h"

enum { DEFAULT_THREADS = 8, WIDTH = 88 };

/* Two runs at once would mix their files.  The lock goes with the process. */
static int lock_folder(const char *folder)
{
    int lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        die("another run is writing to '%s' now: wait for it, or choose another folder with --out", folder);
    return lock;
}

static int default_threads(void)
{
    int processors = parallel_processors();
    return processors < 1 ? 1 : processors > DEFAULT_THREADS ? DEFAULT_THREADS : processors;
}

static Lab *open_lab(const char *folder, const Request *request)
{
    Lab *lab = memory_new(1, sizeof *lab, "the lab");
    folder_create(folder);
    lab->folder = memory_copy_text(folder);
    lab->seed = request->seed;
    lab->quick = request->quick;
    lab->plots = request->plots;
    lab->threads = request->threads;
    lab->trace = trace_open(folder, request->quiet);
    lab->claims = claims_new();
    lab->figures = figures_new(folder, request->plots);
    lab->progress = progress_new(!request->quiet);
    return lab;
}

Lab *lab_open(const char *folder, uint64_t seed, bool quick, bool plots)
{
    return open_lab(
        folder, &(Request){.seed = seed, .quick = quick, .plots = plots, .quiet = true, .threads = default_threads()});
}

int lab_close(Lab *lab)
{
    int failed = figures_finish(lab->figures);
    claims_write(lab->claims, lab->folder);
    trace_close(lab->trace);
    claims_free(lab->claims);
    figures_free(lab->figures);
    progress_free(lab->progress);
    free((char *)lab->folder);
    free(lab);
    return failed;
}

Rng lab_rng(const Lab *lab, const char *purpose)
{
    return rng_new(lab->seed, purpose);
}

int lab_choose(const Lab *lab, int full, int quick)
{
    return lab->quick ? quick : full;
}

void lab_raster(const Lab *lab, const char *name, const real *cells, int rows, int columns,
                const char *const *row_labels, const char *const *column_labels, HeatmapColours colours, int scale)
{
    figures_add_name(lab->figures, name);
    raster_write(lab->folder, name, cells, rows, columns, row_labels, column_labels, colours, scale, lab->plots);
}

static void trace_options(Trace *t, const Request *request)
{
    for (int i = 0; i < request->own; i++) {
        const LabOption *option = &request->info->options[i];
        if (!request->set[i])
            continue;
        trace(t, ", --%s", option->name);
        if (option->whole)
            trace(t, " %d", *option->whole);
        if (option->number)
            trace(t, " %g", *option->number);
        if (option->text) /* of a path its last part, so that a trace is the same wherever the file lies */
            trace(t, " %s", strrchr(*option->text, '/') ? strrchr(*option->text, '/') + 1 : *option->text);
    }
}

static void trace_opening(Trace *t, const Request *request)
{
    const LabInfo *info = request->info;
    trace_heading(t, "Lab %.*s. %s", (int)strcspn(info->stem, "_"), info->stem, info->title);
    if (info->question) {
        trace_wrapped(t, 0, WIDTH, info->question);
        trace(t, "\n");
    }
    trace(t, "seed %llu, %s setting", (unsigned long long)request->seed, request->quick ? "quick" : "full");
    trace_options(t, request);
    if (request->some_steps) {
        trace(t, ", of %d steps only", request->steps);
        for (int i = 0; i < request->steps; i++)
            if (request->chosen[i])
                trace(t, " %d", i + 1);
    }
    trace(t, "\n");
}

/* Waits for Enter before step NEXT; false if the class is over (q). */
static bool wait_for_enter(Lab *lab, const Request *request, int next)
{
    char line[256];
    figures_finish(lab->figures); /* whoever looks at the figures now finds them all */
    fflush(stdout);
    fprintf(stderr, "\n-- Enter for step %d of %d: %s (q and Enter: stop here) -- ", next + 1, request->steps,
            request->info->steps[next].title);
    if (!fgets(line, sizeof line, stdin))
        return true;
    return line[0] != 'q' && line[0] != 'Q';
}

static void run_steps(Lab *lab, Request *request, void *state)
{
    bool first = true;
    bool pause = request->pause && isatty(STDIN_FILENO);
    if (request->pause && !pause)
        fprintf(stderr, "--pause needs a terminal to wait at; going on without it\n");
    for (int i = 0; i < request->steps; i++) {
        const LabStep *step = &request->info->steps[i];
        if (!request->chosen[i])
            continue;
        if (pause && !first && !wait_for_enter(lab, request, i))
            return;
        first = false;
        trace_heading(lab->trace, "Step %d of %d. %s", i + 1, request->steps, step->title);
        double began = clock_seconds();
        step->run(lab, state);
        progress_end(lab->progress);
        char name[256];
        snprintf(name, sizeof name, "step %d, %s", i + 1, step->name ? step->name : "");
        trace_timing(lab->trace, name, clock_seconds() - began, "s");
    }
}

static void trace_claim(Trace *t, ClaimRow row)
{
    static const TraceColour colour[] = {TRACE_GOOD, TRACE_NOTE, TRACE_BAD, TRACE_FAINT};
    if (row.verdict == SKIPPED)
        trace_mark(t, colour[row.verdict], verdict_name(row.verdict), 10, "%s: %s\n", row.claim->id, row.measured);
    else
        trace_mark(t, colour[row.verdict], verdict_name(row.verdict), 10, "%s: measured %s, expected %s\n",
                   row.claim->id, row.measured, row.expected);
    char *text = NULL;
    if (asprintf(&text, "%s (%s)", row.claim->statement, row.claim->source) < 0)
        die("out of memory: a line of the ledger");
    trace_wrapped(t, 12, WIDTH, text);
    free(text);
}

static void trace_ledger(Lab *lab)
{
    const Claims *claims = lab->claims;
    if (claims_size(claims) == 0)
        return;
    trace_heading(lab->trace, "The ledger: what was claimed, and what was measured");
    for (int i = 0; i < claims_size(claims); i++)
        trace_claim(lab->trace, claims_row(claims, i));
    trace(lab->trace, "\n  %d hold, %d correct the lecture, %d fail, %d skipped\n", claims_count(claims, HOLDS),
          claims_count(claims, CORRECTS), claims_count(claims, FAILS), claims_count(claims, SKIPPED));
}

static void list_files(const Lab *lab)
{
    int column = 0;
    trace_aside(lab->trace, "\nWritten to %s:\n ", lab->folder);
    for (int i = 0; figures_name(lab->figures, i); i++) {
        const char *name = figures_name(lab->figures, i);
        const char *suffix = figures_drawn(lab->figures, i) ? ".png" : ".tsv";
        column += (int)strlen(name) + 5;
        if (column > WIDTH) {
            trace_aside(lab->trace, "\n ");
            column = (int)strlen(name) + 5;
        }
        trace_aside(lab->trace, " %s%s", name, suffix);
    }
    trace_aside(lab->trace, "\n  trace.txt claims.tsv timing.tsv\n");
}

/* The failed claims on stderr, for a run whose output nobody reads. */
static bool check_claims(const Claims *claims)
{
    for (int i = 0; i < claims_size(claims); i++) {
        ClaimRow row = claims_row(claims, i);
        if (row.verdict == FAILS)
            fprintf(stderr, "claim %s fails: measured %s, expected %s: %s\n", row.claim->id, row.measured, row.expected,
                    row.claim->statement);
    }
    return claims_count(claims, FAILS) == 0;
}

int lab_main(int argc, char **argv, const LabInfo *info, void *state)
{
    Request request = {.info = info, .seed = 42, .plots = true, .out = "outputs", .threads = default_threads()};
    setvbuf(stdout, NULL, _IOLBF, 0);
    cleanup_on_exit();
    request_read(&request, argc, argv);

    char *folder = path_join(request.out, info->stem, "");
    folder_create(folder);
    int lock = lock_folder(folder);
    Lab *lab = open_lab(folder, &request);
    double began = clock_seconds();
    trace_opening(lab->trace, &request);
    if (info->begin)
        info->begin(lab, state);
    run_steps(lab, &request, state);
    if (info->end)
        info->end(lab, state);
    trace_ledger(lab);
    int status = figures_finish(lab->figures) > 0;
    trace_timing(lab->trace, "all", clock_seconds() - began, "s");
    list_files(lab);
    if (request.check && !check_claims(lab->claims))
        status = 1;
    lab_close(lab);
    free(folder);
    if (lock >= 0)
        close(lock);
    return status;
}
