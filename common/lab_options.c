/* lab_options.c: the command line of a lab: reading it, and what --help, --list
 * and --version print. */
#define _GNU_SOURCE
#include "lab_request.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "memory.h"
#include "text.h"

#ifndef COURSE_VERSION
#define COURSE_VERSION "1.0"
#endif

enum { MOST_THREADS = 64, WIDTH = 88 };

enum { SEED = 256, OUT, QUICK, CHECK, NO_PLOTS, PAUSE, QUIET, THREADS, VERSION, OWN };

typedef struct {
    const char *name, *value;
    int code;
    const char *help;
} CommonOption;

static const CommonOption common_options[] = {
    {"step", "N", 's', "only these steps: 3, 2-4, 1,3, or a name from --list"},
    {"list", NULL, 'l', "the steps of this lab"},
    {"quick", NULL, QUICK, "about a fifth of the work, for a first look"},
    {"seed", "N", SEED, "another run of the dice (default 42); the same seed gives the same numbers"},
    {"pause", NULL, PAUSE, "wait for Enter between steps, for class"},
    {"check", NULL, CHECK, "exit with status 1 if a claim of the ledger fails"},
    {"out", "DIR", OUT, "where the files go (default outputs)"},
    {"no-plots", NULL, NO_PLOTS, "write the figures' data and scripts, but draw none"},
    {"threads", "N", THREADS, "processors to use (default: all, at most 8); the results are the same"},
    {"quiet", NULL, QUIET, "print nothing but errors"},
    {"version", NULL, VERSION, "the version of this program"},
    {"help", NULL, 'h', "this text"},
};
enum { COMMON_OPTIONS = sizeof common_options / sizeof *common_options };

static bool ends_options(const LabOption *option)
{
    return !option->name;
}

/* Mistakes of the lab's author, found at the first start. */
static void check_info(Request *request)
{
    const LabInfo *info = request->info;
    if (!info->stem || !info->title || !info->steps)
        die_misuse(HERE, "a lab needs a stem, a title and steps");
    while (info->steps && info->steps[request->steps].run)
        request->steps++;
    if (request->steps == 0 || request->steps > MOST_STEPS)
        die_misuse(HERE, "lab %s has %d steps; it should have 1 to %d", info->stem, request->steps, MOST_STEPS);
    for (const LabOption *o = info->options; o && !ends_options(o); o++, request->own++) {
        int targets = !!o->text + !!o->whole + !!o->number + !!o->given;
        if (targets != 1 || (o->value != NULL) != (o->given == NULL))
            die_misuse(HERE, "option --%s needs one target, and a name for its value unless it is a switch", o->name);
        for (int i = 0; i < COMMON_OPTIONS; i++)
            if (strcmp(o->name, common_options[i].name) == 0)
                die_misuse(HERE, "every lab has an option --%s already", o->name);
    }
    if (request->own > MOST_OPTIONS)
        die_misuse(HERE, "lab %s has more than %d options", info->stem, MOST_OPTIONS);
}

/* Name and value of option I of all, the lab's own first. */
static const char *option_name(const Request *request, int i)
{
    return i < request->own ? request->info->options[i].name : common_options[i - request->own].name;
}

static const char *option_value(const Request *request, int i)
{
    return i < request->own ? request->info->options[i].value : common_options[i - request->own].value;
}

static int option_code(const Request *request, int i)
{
    return i < request->own ? OWN + i : common_options[i - request->own].code;
}

static int option_count(const Request *request)
{
    return request->own + COMMON_OPTIONS;
}

/* How many letters have to change to make B of A (Levenshtein). */
static int edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 40 };
    int row[LONGEST + 1];
    int n = (int)strlen(b);
    if (strlen(a) > LONGEST || n > LONGEST)
        return LONGEST;
    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int change = diagonal + (a[i - 1] != b[j - 1]);
            int other = 1 + (row[j - 1] < row[j] ? row[j - 1] : row[j]);
            diagonal = row[j];
            row[j] = change < other ? change : other;
        }
    }
    return row[n];
}

static _Noreturn void die_unknown_option(const Request *request, const char *word)
{
    char name[64];
    const char *nearest = NULL, *second = NULL;
    int least = 3;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
    for (int i = 0; i < option_count(request); i++) {
        const char *candidate = option_name(request, i);
        int distance = strncmp(candidate, name, strlen(name)) == 0 ? 0 : edit_distance(name, candidate);
        if (distance == 0 && least == 0)
            second = candidate;
        if (distance < least && distance < (int)strlen(candidate)) {
            least = distance;
            nearest = candidate;
        }
    }
    if (second)
        die_usage("--%s could be --%s or --%s (see --help)", name, nearest, second);
    if (nearest)
        die_usage("there is no option --%s; did you mean --%s? (see --help)", name, nearest);
    die_usage("there is no option --%s (see --help)", name);
}

/* getopt_long has returned '?' or ':'. */
static _Noreturn void die_bad_option(const Request *request, int result, const char *word)
{
    for (int i = 0; i < option_count(request); i++) {
        if (optopt == 0 || option_code(request, i) != optopt)
            continue;
        if (result == ':')
            die_usage("--%s needs a value: --%s %s (see --help)", option_name(request, i), option_name(request, i),
                      option_value(request, i));
        die_usage("--%s takes no value (see --help)", option_name(request, i));
    }
    if (optopt == 0)
        die_unknown_option(request, word);
    die_usage("there is no option -%c (see --help)", optopt);
}

/* The whole of TEXT as digits; false if it is anything else or too large. */
static bool parse_digits(const char *text, uint64_t *value)
{
    errno = 0;
    if (!*text || strspn(text, "0123456789") != strlen(text))
        return false;
    *value = strtoull(text, NULL, 10);
    return errno == 0;
}

static int parse_step(const Request *request, const char *text)
{
    uint64_t number;
    for (int i = 0; i < request->steps; i++)
        if (request->info->steps[i].name && strcmp(text, request->info->steps[i].name) == 0)
            return i;
    if (!*text || strspn(text, "0123456789") != strlen(text))
        die_usage("--step takes a number, a range, a list or a name (2, 2-4, 1,3; see --list), not '%s'", text);
    if (!parse_digits(text, &number) || number < 1 || number > (uint64_t)request->steps)
        die_usage("there is no step %s; this lab has steps 1 to %d (see --list)", text, request->steps);
    return (int)number - 1;
}

static void parse_steps(Request *request, const char *argument)
{
    char *list = memory_copy_text(argument), *rest = list, *item;
    request->some_steps = true;
    while ((item = strsep(&rest, ","))) {
        char *dash = strchr(item, '-');
        if (dash && dash > item && strspn(item, "0123456789-") == strlen(item)) {
            *dash = '\0';
            int first = parse_step(request, item), last = parse_step(request, dash + 1);
            if (first > last)
                die_usage("--step %s-%s counts backwards", item, dash + 1);
            for (int i = first; i <= last; i++)
                request->chosen[i] = true;
        } else {
            request->chosen[parse_step(request, item)] = true;
        }
    }
    free(list);
}

static void set_whole(const LabOption *option, const char *text)
{
    bool bounded = option->low < option->high;
    double low = bounded ? option->low : INT_MIN, high = bounded ? option->high : INT_MAX;
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    bool digits = *text && !*end && strspn(text, "+-0123456789") == strlen(text);
    if (!digits || errno || value < low || value > high)
        die_usage("--%s takes a whole number from %.0f to %.0f, not '%s'", option->name, low, high, text);
    *option->whole = (int)value;
}

static void set_number(const LabOption *option, const char *text)
{
    bool bounded = option->low < option->high;
    char *end;
    double value = strtod(text, &end);
    bool good = *text && !*end && strspn(text, "+-.0123456789eE") == strlen(text) && isfinite(value);
    if (bounded && (!good || value < option->low || value > option->high))
        die_usage("--%s takes a number from %g to %g, not '%s'", option->name, option->low, option->high, text);
    if (!good)
        die_usage("--%s takes a number, not '%s'", option->name, text);
    *option->number = value;
}

static void set_text(const LabOption *option, const char *text)
{
    char all[512] = "";
    for (int i = 0; option->choices && option->choices[i]; i++) {
        if (strcmp(option->choices[i], text) == 0)
            break;
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? ", " : "", option->choices[i]);
        if (!option->choices[i + 1])
            die_usage("--%s takes one of %s; not '%s'", option->name, all, text);
    }
    size_t length = strlen(text), bad = utf8_first_invalid(text, length);
    if (bad < length)
        die_usage("--%s: byte %zu of its value is not valid UTF-8", option->name, bad);
    *option->text = text;
}

static void set_own(Request *request, int i, const char *text)
{
    const LabOption *option = &request->info->options[i];
    request->set[i] = true;
    if (option->given)
        *option->given = true;
    else if (option->whole)
        set_whole(option, text);
    else if (option->number)
        set_number(option, text);
    else
        set_text(option, text);
}

/* ---- what --help, --list and --version print ---------------------------------- */

static void print_wrapped(int indent, const char *text)
{
    int column = indent;
    while (*text) {
        int length = (int)strcspn(text, " \n");
        if (column > indent && column + 1 + length > WIDTH) {
            printf("\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            putchar(' ');
            column++;
        }
        printf("%.*s", length, text);
        column += length;
        text += length + (text[length] != '\0');
    }
    putchar('\n');
}

static void print_option(const char *name, const char *value, int code, const char *help)
{
    char left[64];
    enum { COLUMN = 26 };
    char letter[] = {'-', (char)code, ',', ' ', '\0'};
    snprintf(left, sizeof left, "%s--%s%s%s", code < 128 ? letter : "    ", name, value ? " " : "", value ? value : "");
    printf("  %-*s", COLUMN - 2, left);
    if (strlen(left) >= COLUMN - 2)
        printf("\n%*s", COLUMN, "");
    print_wrapped(COLUMN, help);
}

static void print_own_option(const LabOption *option)
{
    char help[1024], tail[256] = "";
    if (option->whole && option->low < option->high)
        snprintf(tail, sizeof tail, " (%.0f to %.0f, default %d)", option->low, option->high, *option->whole);
    else if (option->whole)
        snprintf(tail, sizeof tail, " (default %d)", *option->whole);
    else if (option->number && option->low < option->high)
        snprintf(tail, sizeof tail, " (%g to %g, default %g)", option->low, option->high, *option->number);
    else if (option->number)
        snprintf(tail, sizeof tail, " (default %g)", *option->number);
    for (int i = 0; option->choices && option->choices[i]; i++)
        snprintf(tail + strlen(tail), sizeof tail - strlen(tail), "%s%s", i ? ", " : " (one of ", option->choices[i]);
    if (option->choices && *option->text)
        snprintf(tail + strlen(tail), sizeof tail - strlen(tail), "; default %s", *option->text);
    snprintf(help, sizeof help, "%s%s%s", option->help ? option->help : "", tail, option->choices ? ")" : "");
    print_option(option->name, option->value, OWN, help);
}

static _Noreturn void print_help(const Request *request)
{
    const LabInfo *info = request->info;
    printf("%s: %s\n\n", info->stem, info->title);
    if (info->question) {
        print_wrapped(0, info->question);
        putchar('\n');
    }
    printf("Usage: %s [options]\n", info->stem);
    if (request->own)
        printf("\nOptions of this lab:\n");
    for (int i = 0; i < request->own; i++)
        print_own_option(&info->options[i]);
    printf("\nOptions of every lab:\n");
    for (int i = 0; i < COMMON_OPTIONS; i++)
        print_option(common_options[i].name, common_options[i].value, common_options[i].code, common_options[i].help);
    printf("\nFiles, in outputs/%s:\n", info->stem);
    printf("  trace.txt               what was printed\n"
           "  claims.tsv              the ledger: every statement beside what was measured\n"
           "  NAME.png .tsv .gp       a figure, its data, and the script that draws it: gnuplot NAME.gp\n"
           "  timing.tsv              how long things took on this machine\n");
    print_wrapped(0, "A run that ends early leaves the earlier files as they were. A run with --step writes trace.txt "
                     "and claims.tsv for its steps alone and leaves the figures of the others.");
    printf("\nExit status: 0 fine, 1 something failed (or a claim, with --check), 2 the command line was wrong.\n"
           "Colour and progress bars appear on a terminal only; NO_COLOR=1 switches them off.\n");
    exit(fflush(stdout) == 0 ? 0 : 1);
}

static _Noreturn void print_list(const Request *request)
{
    int width = 0;
    for (int i = 0; i < request->steps; i++)
        if (text_width(request->info->steps[i].name) > width)
            width = text_width(request->info->steps[i].name);
    for (int i = 0; i < request->steps; i++)
        printf("%3d  %-*s  %s\n", i + 1, width, request->info->steps[i].name, request->info->steps[i].title);
    exit(fflush(stdout) == 0 ? 0 : 1);
}

static _Noreturn void print_version(const Request *request)
{
    printf("%s %s (%d-bit floats)\n", request->info->stem, COURSE_VERSION, (int)sizeof(real) * CHAR_BIT);
    exit(fflush(stdout) == 0 ? 0 : 1);
}

static void take_common(Request *request, int code, const char *text)
{
    uint64_t threads;
    switch (code) {
    case 's':
        parse_steps(request, text);
        break;
    case 'l':
        print_list(request);
    case SEED:
        if (!parse_digits(text, &request->seed))
            die_usage("--seed takes a whole number from 0 to 18446744073709551615, not '%s'", text);
        break;
    case OUT:
        if (!*text)
            die_usage("--out needs the name of a folder");
        request->out = text;
        break;
    case THREADS:
        if (!parse_digits(text, &threads) || threads < 1 || threads > MOST_THREADS)
            die_usage("--threads takes a whole number from 1 to %d, not '%s'", MOST_THREADS, text);
        request->threads = (int)threads;
        break;
    case VERSION:
        print_version(request);
    }
    request->quick |= code == QUICK;
    request->check |= code == CHECK;
    request->pause |= code == PAUSE;
    request->quiet |= code == QUIET;
    request->plots &= code != NO_PLOTS;
}

static void start_getopt(void)
{
    opterr = 0;
#ifdef __GLIBC__
    optind = 0; /* forgets an earlier command line of this process */
#else
    optind = 1;
#endif
}

void request_read(Request *request, int argc, char **argv)
{
    struct option table[MOST_OPTIONS + COMMON_OPTIONS + 1] = {{0}};
    check_info(request);
    for (int i = 0; i < option_count(request); i++)
        table[i] = (struct option){option_name(request, i), option_value(request, i) ? required_argument : no_argument,
                                   NULL, option_code(request, i)};
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            print_help(request); /* before any default is changed */
    start_getopt();
    for (;;) {
        int code = getopt_long(argc, argv, ":hls:", table, NULL);
        if (code == -1)
            break;
        if (code == 'h')
            print_help(request);
        if (code == '?' || code == ':')
            die_bad_option(request, code, argv[optind - 1]);
        if (code >= OWN)
            set_own(request, code - OWN, optarg);
        else
            take_common(request, code, optarg);
    }
    if (optind < argc)
        die_usage("'%s' is not an option (see --help)", argv[optind]);
    for (int i = 0; i < request->steps; i++)
        request->chosen[i] |= !request->some_steps;
}
