/* progress.c: one line on the terminal that is written over. */
#define _GNU_SOURCE
#include "progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clock.h"
#include "memory.h"

enum { BAR = 24, LABEL = 64, LINE = 512 };

struct Progress {
    bool enabled, visible;
    char label[LABEL];
    double total, began, drawn;
};

Progress *progress_new(bool enabled)
{
    Progress *progress = memory_new(1, sizeof *progress, "the progress bar");
    const char *no_colour = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    progress->enabled =
        enabled && isatty(STDERR_FILENO) && !(no_colour && *no_colour) && !(terminal && strcmp(terminal, "dumb") == 0);
    progress->began = clock_seconds();
    return progress;
}

void progress_free(Progress *progress)
{
    progress_end(progress);
    free(progress);
}

double progress_seconds(const Progress *progress)
{
    return clock_seconds() - progress->began;
}

void progress_begin(Progress *progress, const char *label, double total)
{
    progress_end(progress);
    snprintf(progress->label, sizeof progress->label, "%s", label);
    progress->total = total;
    progress->began = clock_seconds();
    progress->drawn = progress->began; /* nothing is drawn for what takes no time */
}

static int terminal_columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* Cuts TEXT to COLUMNS letters (bytes that continue a letter do not count;
 * labels are the programs' own words, no wide letters). */
static void cut(char *text, int columns)
{
    for (; *text; text++)
        if (((unsigned char)*text & 0xc0) != 0x80 && columns-- == 0)
            *text-- = '\0';
}

static void time_text(char text[32], double seconds)
{
    if (!(seconds < 359999))
        snprintf(text, 32, "-:--");
    else if (seconds >= 3600)
        snprintf(text, 32, "%d:%02d:%02d", (int)seconds / 3600, (int)seconds / 60 % 60, (int)seconds % 60);
    else
        snprintf(text, 32, "%d:%02d", (int)seconds / 60, (int)seconds % 60);
}

static void draw(const Progress *progress, double fraction, const char *rest)
{
    char bar[3 * BAR + 1] = "", left[32], line[LINE];
    int full = (int)(fraction * BAR);
    for (int i = 0; i < BAR; i++)
        snprintf(bar + 3 * i, 4, "%s", i < full ? "█" : "░"); /* three bytes each */
    time_text(left, fraction > 0 ? progress_seconds(progress) * (1 - fraction) / fraction : 1e9);
    snprintf(line, sizeof line, "%s %s %3d %%  %s left  %s", progress->label, bar, (int)(100 * fraction), left, rest);
    cut(line, terminal_columns() - 1);
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
}

void progress_update(Progress *progress, double done, const char *format, ...)
{
    char rest[LINE / 2];
    va_list arguments;
    if (!progress->enabled)
        return;
    double time = clock_seconds();
    if (time - progress->drawn < 0.1)
        return;
    double fraction = progress->total > 0 ? done / progress->total : 0;
    fraction = !(fraction > 0) ? 0 : fraction > 1 ? 1 : fraction;
    va_start(arguments, format);
    vsnprintf(rest, sizeof rest, format, arguments); // NOLINT(clang-analyzer-valist.Uninitialized): it is
    va_end(arguments);
    draw(progress, fraction, rest);
    progress->drawn = time;
    progress->visible = true;
}

void progress_end(Progress *progress)
{
    if (progress->visible)
        fprintf(stderr, "\r\033[K");
    progress->visible = false;
}
