/* startup.c: startup FOLDER PROGRAM...: for each lab, the milliseconds from its
 * start to the first byte that it prints (the shortest of 20), and the peak
 * memory of a whole quick run without figures.  What the labs write goes to FOLDER. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

enum { TURNS = 20 };

/* Starts PROGRAM; its standard output is the pipe's end that is returned. */
static int start(const char *program, const char *folder, pid_t *child)
{
    int ends[2];
    if (pipe(ends) != 0 || (*child = fork()) < 0) {
        perror("startup");
        exit(1);
    }
    if (*child == 0) {
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        execl(program, program, "--quick", "--no-plots", "--out", folder, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    return ends[0];
}

static double first_byte(const char *program, const char *folder)
{
    char byte;
    pid_t child;
    double from = clock_seconds();
    int out = start(program, folder, &child);
    double time = read(out, &byte, 1) == 1 ? clock_seconds() - from : -1;
    kill(child, SIGTERM);
    close(out);
    waitpid(child, NULL, 0);
    return time;
}

static double peak_megabytes(const char *program, const char *folder)
{
    char bytes[4096];
    pid_t child;
    int out = start(program, folder, &child), status;
    struct rusage usage;
    while (read(out, bytes, sizeof bytes) > 0)
        ;
    close(out);
    return wait4(child, &status, 0, &usage) == child && status == 0 ? (double)usage.ru_maxrss / 1024 : -1;
}

int main(int argc, char **argv)
{
    printf("%-26s %16s %22s\n", "lab", "first line, ms", "quick run, peak MB");
    for (int i = 2; i < argc; i++) {
        const char *slash = strrchr(argv[i], '/');
        double best = 1e9;
        for (int turn = 0; turn < TURNS; turn++) {
            double time = first_byte(argv[i], argv[1]);
            best = time >= 0 && time < best ? time : best;
        }
        printf("%-26s %16.1f %22.0f\n", slash ? slash + 1 : argv[i], 1e3 * best, peak_megabytes(argv[i], argv[1]));
        fflush(stdout);
    }
    return 0;
}
