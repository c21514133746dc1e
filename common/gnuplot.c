/* gnuplot.c: gnuplot at work in the background, at most two at a time.
 *
 * Each draws into NAME.png.part, which becomes NAME.png when gnuplot has ended
 * well and the file is a whole PNG (gnuplot does not notice a full disk). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "clock.h"
#include "die.h"
#include "figure_parts.h"
#include "files.h"
#include "memory.h"

enum { AT_ONCE = 2, FAMILY = 80, LAST_LETTER = 0x10ffff };

typedef enum { WAITING, RUNNING, DRAWN, FAILED } State;

typedef struct {
    char *name;
    State state;
    pid_t process;
    double started;
    FILE *says; /* what gnuplot prints */
} Job;

struct Gnuplot {
    char *folder, *program;
    char font[FAMILY];
    bool asked;                                 /* fontconfig, for these two */
    unsigned char covered[LAST_LETTER / 8 + 1]; /* a bit for each letter that some font has */
    Job *jobs;
    int count;
    double patience;
};

/* The full path of a program, or NULL. */
static char *find_program(const char *name)
{
    const char *paths = getenv("PATH");
    char *copy = memory_copy_text(paths ? paths : "/usr/local/bin:/usr/bin:/bin"), *rest = copy, *folder;
    char *found = NULL;
    while (!found && (folder = strsep(&rest, ":"))) {
        char *path = path_join(*folder ? folder : ".", name, "");
        if (access(path, X_OK) == 0)
            found = realpath(path, NULL);
        free(path);
    }
    free(copy);
    return found;
}

/* Starts PROGRAM in FOLDER; what it prints goes to SAYS. */
static pid_t start(char *const arguments[], const char *folder, FILE *says)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before); /* no signal between fork and registration */
    pid_t process = fork();
    if (process == 0) {
        int nothing = open("/dev/null", O_RDWR);
#ifdef __linux__
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* kill -9 of the lab takes its gnuplot along */
#endif
        dup2(nothing, STDIN_FILENO);
        dup2(says ? fileno(says) : nothing, STDOUT_FILENO);
        dup2(STDOUT_FILENO, STDERR_FILENO);
        sigprocmask(SIG_SETMASK, &before, NULL);
        if (chdir(folder) == 0)
            execv(arguments[0], arguments);
        _exit(127);
    }
    if (process > 0)
        cleanup_add_process(process);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return process;
}

/* Whether PROCESS has ended, and how.  It is taken off the register before its
 * number can belong to another. */
static bool has_ended(pid_t process, int *status)
{
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)process, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0)
        return false;
    cleanup_drop_process(process);
    if (waitpid(process, status, 0) != process)
        *status = -1;
    return true;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

/* The first line of what a program printed that is not empty. */
static void first_line(FILE *stream, char *line, int size)
{
    line[0] = '\0';
    if (!stream)
        return;
    rewind(stream);
    while (fgets(line, size, stream)) {
        size_t blanks = strspn(line, " \t^\n");
        memmove(line, line + blanks, strlen(line + blanks) + 1);
        line[strcspn(line, "\n")] = '\0';
        if (*line)
            break;
    }
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
}

/* ---- fonts ------------------------------------------------------------------------
 *
 * fontconfig is asked once, before the first figure: for a family with Hangul,
 * and for the letters that any font has.  A letter that none has must not reach
 * gnuplot: the box that pango draws for it covers the whole picture (seen with
 * gnuplot 5.4). */

/* Names that mean nothing to gnuplot but a family. */
static bool is_plain(const char *family)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -";
    size_t length = strspn(family, letters);
    return length > 0 && length < FAMILY && family[length] == '\0';
}

/* Lower is better. */
static int rank(const char *family)
{
    static const char *const known[] = {"NanumGothic",         "NanumBarunGothic", "Noto Sans CJK KR", "Noto Sans KR",
                                        "Apple SD Gothic Neo", "AppleGothic",      "UnDotum",          "Baekmuk Dotum"};
    enum { KNOWN = sizeof known / sizeof *known };
    for (int i = 0; i < KNOWN; i++)
        if (strcmp(family, known[i]) == 0)
            return i;
    return KNOWN;
}

static void cover(Gnuplot *gnuplot, uint32_t letter)
{
    if (letter <= LAST_LETTER)
        gnuplot->covered[letter / 8] |= (unsigned char)(1u << letter % 8);
}

bool gnuplot_covers(const Gnuplot *gnuplot, uint32_t letter)
{
    return !gnuplot || (letter <= LAST_LETTER && (gnuplot->covered[letter / 8] >> letter % 8 & 1));
}

/* The letters of one font: "20-7e a0 ac00-d7a3".  Returns whether Hangul is
 * among them. */
static bool take_letters(Gnuplot *gnuplot, char *ranges)
{
    bool hangul = false;
    for (char *rest = ranges, *range; (range = strsep(&rest, " "));) {
        char *end;
        unsigned long first = strtoul(range, &end, 16), last = *end == '-' ? strtoul(end + 1, NULL, 16) : first;
        for (unsigned long letter = first; letter <= last && letter <= LAST_LETTER && end != range; letter++)
            cover(gnuplot, (uint32_t)letter);
        hangul |= first <= 0xac00 && last >= 0xac00;
    }
    return hangul;
}

/* One font: "TrueType|NanumGothic|20-7e ...".  Pango draws no others. */
static void take_font(Gnuplot *gnuplot, char *line, int *best)
{
    char *rest = line;
    const char *format = strsep(&rest, "|");
    char *family = rest ? strsep(&rest, "|") : NULL;
    if (!rest || (strcmp(format, "TrueType") != 0 && strcmp(format, "CFF") != 0))
        return;
    bool hangul = take_letters(gnuplot, rest);
    if (!hangul || !is_plain(family))
        return;
    int place = rank(family);
    if (place < *best || (place == *best && strcmp(family, gnuplot->font) < 0)) {
        *best = place;
        snprintf(gnuplot->font, sizeof gnuplot->font, "%s", family);
    }
}

static void read_fonts(Gnuplot *gnuplot, FILE *list)
{
    char *line = NULL;
    size_t size = 0;
    int best = 1000;
    rewind(list);
    while (getline(&line, &size, list) > 0) {
        line[strcspn(line, "\n")] = '\0';
        take_font(gnuplot, line, &best);
    }
    free(line);
}

static void wait_for(pid_t process, double seconds)
{
    int status;
    double began = clock_seconds();
    while (process > 0 && !has_ended(process, &status)) {
        if (clock_seconds() - began > seconds)
            kill(process, SIGKILL);
        nap();
    }
}

static void ask_fontconfig(Gnuplot *gnuplot)
{
    char *program = find_program("fc-list");
    FILE *list = program ? tmpfile() : NULL;
    for (uint32_t letter = ' '; letter < 0x180; letter++) /* Latin: any font at all has it */
        if (letter < 0x7f || letter >= 0xa0)
            cover(gnuplot, letter);
    if (list) {
        char *arguments[] = {program, "-f", "%{fontformat}|%{family[0]}|%{charset}\n", NULL};
        wait_for(start(arguments, ".", list), 20);
        read_fonts(gnuplot, list);
        fclose(list);
    }
    if (!gnuplot->font[0])
        fprintf(stderr, "%s: Korean words will be boxes in the figures (make setup installs what is missing)\n",
                program ? "no font with Hangul was found" : "fontconfig's fc-list was not found");
    free(program);
}

const char *gnuplot_font(Gnuplot *gnuplot)
{
    if (!gnuplot)
        return "NanumGothic"; /* nothing is drawn now: most likely right elsewhere */
    if (!gnuplot->asked)
        ask_fontconfig(gnuplot);
    gnuplot->asked = true;
    return gnuplot->font;
}

Gnuplot *gnuplot_find(const char *folder)
{
    char *program = find_program("gnuplot");
    if (!program) {
        fprintf(stderr, "gnuplot is not installed: the figures' data and scripts are written, but no pictures (make "
                        "setup installs it)\n");
        return NULL;
    }
    Gnuplot *gnuplot = memory_new(1, sizeof *gnuplot, "the figures");
    gnuplot->program = program;
    gnuplot->folder = memory_copy_text(folder);
    gnuplot->patience = 60;
    return gnuplot;
}

void gnuplot_patience(Gnuplot *gnuplot, double seconds)
{
    gnuplot->patience = seconds;
}

/* ---- drawing ------------------------------------------------------------------------ */

static void begin_job(Gnuplot *gnuplot, Job *job)
{
    char *part = path_join(gnuplot->folder, job->name, ".png.part");
    char *script = path_join("", job->name, ".gp");
    char choice[256];
    snprintf(choice, sizeof choice, "picture='%s.png.part'", job->name);
    char *arguments[] = {gnuplot->program, "-d", "-e", choice, script, NULL};
    unlink(part);
    cleanup_add_file(part);
    job->says = tmpfile();
    job->process = start(arguments, gnuplot->folder, job->says);
    job->started = clock_seconds();
    job->state = RUNNING;
    free(script);
    free(part);
}

/* Signature at the start and end mark at the end. */
static bool is_whole_png(const char *path)
{
    unsigned char head[8] = {0}, tail[8] = {0};
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    bool whole = fread(head, 1, 8, file) == 8 && memcmp(head, "\x89PNG\r\n\x1a\n", 8) == 0 &&
                 fseek(file, -8, SEEK_END) == 0 && fread(tail, 1, 8, file) == 8 && memcmp(tail, "IEND", 4) == 0;
    fclose(file);
    return whole;
}

static void explain_failure(const Gnuplot *gnuplot, const Job *job, int status, bool late)
{
    char line[512];
    first_line(job->says, line, sizeof line);
    fflush(stdout);
    if (late)
        fprintf(stderr, "figure %s: gnuplot was still at work after %.0f s and was stopped", job->name,
                gnuplot->patience);
    else if (WIFSIGNALED(status))
        fprintf(stderr, "figure %s: gnuplot was ended by signal %d", job->name, WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        fprintf(stderr, "figure %s: gnuplot failed with status %d", job->name, WEXITSTATUS(status));
    else
        fprintf(stderr, "figure %s: gnuplot did not write a whole picture (a full disk?)", job->name);
    fprintf(stderr, "%s%s\n", *line ? ": " : "", line);
}

static void end_job(Gnuplot *gnuplot, Job *job, int status, bool late)
{
    char *part = path_join(gnuplot->folder, job->name, ".png.part");
    char *picture = path_join(gnuplot->folder, job->name, ".png");
    bool good = !late && WIFEXITED(status) && WEXITSTATUS(status) == 0 && is_whole_png(part);
    if (good && rename(part, picture) == 0) {
        job->state = DRAWN;
    } else {
        job->state = FAILED;
        explain_failure(gnuplot, job, status, late);
        unlink(part);
    }
    cleanup_drop_file(part);
    if (job->says)
        fclose(job->says);
    job->says = NULL;
    free(part);
    free(picture);
}

/* One look at a running job. */
static void attend(Gnuplot *gnuplot, Job *job)
{
    int status = 0;
    if (job->process < 0) {
        end_job(gnuplot, job, 127 << 8, false);
    } else if (has_ended(job->process, &status)) {
        end_job(gnuplot, job, status, false);
    } else if (clock_seconds() - job->started > gnuplot->patience) {
        kill(job->process, SIGKILL);
        while (!has_ended(job->process, &status))
            nap();
        end_job(gnuplot, job, status, true);
    }
}

/* Takes what has ended, starts what waits; returns how many are not done. */
static int attend_all(Gnuplot *gnuplot)
{
    int running = 0, waiting = 0;
    for (int i = 0; i < gnuplot->count; i++) {
        if (gnuplot->jobs[i].state == RUNNING)
            attend(gnuplot, &gnuplot->jobs[i]);
        running += gnuplot->jobs[i].state == RUNNING;
    }
    for (int i = 0; i < gnuplot->count; i++) {
        if (gnuplot->jobs[i].state != WAITING)
            continue;
        if (running < AT_ONCE) {
            begin_job(gnuplot, &gnuplot->jobs[i]);
            running++;
        } else {
            waiting++;
        }
    }
    return running + waiting;
}

void gnuplot_draw(Gnuplot *gnuplot, const char *name)
{
    size_t size = (size_t)gnuplot->count + 1;
    gnuplot->jobs = memory_resize(gnuplot->jobs, size, sizeof *gnuplot->jobs, "the figures");
    gnuplot->jobs[gnuplot->count++] = (Job){.name = memory_copy_text(name), .state = WAITING};
    attend_all(gnuplot);
}

int gnuplot_finish(Gnuplot *gnuplot)
{
    int failed = 0;
    while (attend_all(gnuplot) > 0)
        nap();
    for (int i = 0; i < gnuplot->count; i++)
        failed += gnuplot->jobs[i].state == FAILED;
    return failed;
}

bool gnuplot_drew(const Gnuplot *gnuplot, const char *name)
{
    for (int i = 0; i < gnuplot->count; i++)
        if (strcmp(gnuplot->jobs[i].name, name) == 0)
            return gnuplot->jobs[i].state != FAILED;
    return false;
}

void gnuplot_free(Gnuplot *gnuplot)
{
    gnuplot_finish(gnuplot);
    for (int i = 0; i < gnuplot->count; i++)
        free(gnuplot->jobs[i].name);
    free(gnuplot->jobs);
    free(gnuplot->program);
    free(gnuplot->folder);
    free(gnuplot);
}
