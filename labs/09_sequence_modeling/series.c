/* series.c: a file of numbers, one on each line. */
#include "series.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "die.h"
#include "memory.h"

/* The number on LINE of TEXT; dies if that is anything else. */
static double number_of(const char *path, int line, const char *text, size_t length)
{
    char *end;
    double value = strtod(text, &end);
    bool any = end != text;
    end += strspn(end, " \t\r\n");
    if (!any || end != text + length)
        die("%s, line %d: a number was expected, one on each line", path, line);
    if (!isfinite(value) || fabs(value) > SERIES_LARGEST)
        die("%s, line %d: numbers up to %.0e are wanted", path, line, SERIES_LARGEST);
    return value;
}

double *series_read(const char *path, int *count)
{
    int n = 0;
    char *text = NULL;
    size_t capacity = 0;
    struct stat status;
    if (stat(path, &status) != 0)
        die("cannot open %s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode)) /* before fopen, which would wait for a pipe's writer */
        die("%s: is %s, not a file of numbers", path, S_ISDIR(status.st_mode) ? "a folder" : "a device or a pipe");
    FILE *file = fopen(path, "r");
    if (!file)
        die("cannot open %s: %s", path, strerror(errno));
    double *values = memory_new(SERIES_LONGEST, sizeof *values, "the series");
    errno = 0;
    ssize_t length = getline(&text, &capacity, file);
    for (int line = 1; length >= 0; line++) {
        if (strspn(text, " \t\r\n") != (size_t)length) { /* not an empty line */
            if (n == SERIES_LONGEST)
                die("%s: more than %d numbers", path, SERIES_LONGEST);
            values[n++] = number_of(path, line, text, (size_t)length);
        }
        length = getline(&text, &capacity, file);
    }
    if (!feof(file)) /* an error of the file, or a line that no memory holds */
        die("cannot read %s: %s", path, strerror(errno));
    free(text);
    fclose(file);
    if (n < SERIES_SHORTEST)
        die("%s: %d numbers; at least %d are needed", path, n, SERIES_SHORTEST);
    *count = n;
    return values;
}
