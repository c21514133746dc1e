/* lab.h: the frame of a lab: command line, steps, seeds, files, and the end.
 *
 * A lab's main is a table of contents:
 *
 *     static void step_windows(Lab *lab, void *state) { ... }
 *
 *     int main(int argc, char **argv)
 *     {
 *         Word2Vec self = {.window = 2};
 *         static const LabStep steps[] = {
 *             {"windows", "Who is whose neighbour", step_windows},
 *             ...
 *             {0}};
 *         const LabOption options[] = {
 *             {.name = "window", .value = "N", .help = "words on each side", .whole = &self.window, .low = 1, .high = 50},
 *             {0}};
 *         return lab_main(argc, argv, &(LabInfo){
 *             .stem = "02_word2vec", .title = "Word2Vec: a word is known by its neighbours",
 *             .steps = steps, .options = options}, &self);
 *     }
 *
 * The frame gives every lab the same command line (--help shows it), opens the
 * output folder, runs the chosen steps in order, and closes trace and ledger.
 * Exit status: 0 fine, 1 something failed (or, with --check, a claim), 2 the
 * command line was wrong. */
#ifndef LAB_H
#define LAB_H

#include <stdbool.h>
#include <stdint.h>

#include "claims.h"
#include "figure.h"
#include "progress.h"
#include "raster.h"
#include "rng.h"
#include "trace.h"

/* What a step is given. */
typedef struct {
    const char *folder; /* where this lab's files go: outputs/02_word2vec */
    uint64_t seed;      /* --seed, 42 unless said */
    bool quick;         /* --quick: about a fifth of the work */
    bool plots;         /* not --no-plots */
    int threads;        /* --threads: results do not depend on it */
    Trace *trace;
    Claims *claims;
    Figures *figures;
    Progress *progress;
} Lab;

/* One step of the lecture.  STATE is the lab's own struct.  A step that needs
 * what an earlier one made asks for it through the lab's own function, which
 * makes it on first use: any step can run alone. */
typedef struct {
    const char *name;  /* for --list: "windows" */
    const char *title; /* for the trace's heading */
    void (*run)(Lab *lab, void *state);
} LabStep;

/* One option of the lab's own: exactly one of the four targets is set. */
typedef struct {
    const char *name;   /* "corpus" for --corpus */
    const char *value;  /* what --help calls its value: "FILE"; NULL for a switch */
    const char *help;
    const char **text;  /* any text (valid UTF-8) */
    int *whole;         /* a whole number from LOW to HIGH */
    double *number;     /* a number from LOW to HIGH */
    bool *given;        /* a switch: set to true */
    double low, high;
    const char *const *choices; /* for TEXT: the only texts allowed, ended by NULL (or NULL: any) */
} LabOption;

typedef struct {
    const char *stem;
    const char *title;
    const char *question;     /* the question the lab answers, one or two lines; may be NULL */
    const LabStep *steps;     /* ended by {0} */
    const LabOption *options; /* ended by {0}, or NULL */
    /* Called once after the command line is read and before the first step (to
     * look at the options), and once after the last; each may be NULL. */
    void (*begin)(Lab *lab, void *state);
    void (*end)(Lab *lab, void *state);
} LabInfo;

int lab_main(int argc, char **argv, const LabInfo *info, void *state);

/* The generator of this run for one purpose: the same whichever steps run. */
Rng lab_rng(const Lab *lab, const char *purpose);

/* FULL, or QUICK under --quick. */
int lab_choose(const Lab *lab, int full, int quick);

/* A raster in the lab's folder (raster.h). */
void lab_raster(const Lab *lab, const char *name, const real *cells, int rows, int columns,
                const char *const *row_labels, const char *const *column_labels, HeatmapColours colours, int scale);

/* For tests: a frame without a command line, in FOLDER, quiet. */
Lab *lab_open(const char *folder, uint64_t seed, bool quick, bool plots);
/* Completes its files and frees it; returns how many figures failed. */
int lab_close(Lab *lab);

#endif
