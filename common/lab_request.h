/* lab_request.h: what the command line asks of a lab; labs use lab.h.
 *
 *     lab_options.c     reads it
 *     lab.c             does it */
#ifndef LAB_REQUEST_H
#define LAB_REQUEST_H

#include "lab.h"

enum { MOST_OPTIONS = 64, MOST_STEPS = 32 };

/* What the command line asks for. */
typedef struct {
    const LabInfo *info;
    int own, steps; /* how many options of its own the lab has, and steps */
    bool chosen[MOST_STEPS], some_steps, set[MOST_OPTIONS];
    bool quick, pause, check, plots, quiet;
    uint64_t seed;
    int threads;
    const char *out;
} Request;

/* Reads the command line into REQUEST, whose info and defaults are set, and the
 * lab's own options into where LabInfo says.  Dies with exit code 2 on a mistake
 * in it; does not return from --help, --list and --version. */
void request_read(Request *request, int argc, char **argv);

#endif
