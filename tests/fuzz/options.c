/* options.c: a fuzzer for the command line of a lab with options of every kind:
 * words separated by newlines; they are understood, or the program says one line
 * and ends.
 *
 *     make fuzz-options FUZZ_SECONDS=300
 *
 * tests/fuzzed.c runs this over the files of tests/fuzz/options/. */
#define _GNU_SOURCE
#include <stdint.h>

#include "ends.h"
/* The lab is not to run: its first folder ends it. */
#include "files.h"
#define folder_create(folder) ((void)(folder), exit(0))
#define cleanup_on_exit() ((void)0)
#include "../../common/lab.c"
#undef folder_create
#undef cleanup_on_exit

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    int count;
    char **word;
} Line;

static void no_step(Lab *lab, void *state)
{
    (void)lab, (void)state;
}

static void read_line_of_words(void *context)
{
    static const char *const models[] = {"cbow", "skip-gram", NULL};
    int window = 2, count = 3;
    double rate = 0.5, free_number = 1;
    const char *sentence = NULL, *model = "cbow";
    bool fast = false;
    const LabStep steps[] = {
        {"numbers", "Some numbers", no_step}, {"doubt", "Doubt", no_step}, {"last", "끝", no_step}, {0}};
    const LabOption options[] = {
        {.name = "window", .value = "N", .help = "words", .whole = &window, .low = 1, .high = 50},
        {.name = "count", .value = "N", .help = "of what you like", .whole = &count},
        {.name = "rate", .value = "X", .help = "rate", .number = &rate, .low = 0, .high = 1},
        {.name = "number", .value = "X", .help = "any", .number = &free_number},
        {.name = "sentence", .value = "TEXT", .help = "a sentence", .text = &sentence},
        {.name = "model", .value = "NAME", .help = "which model", .text = &model, .choices = models},
        {.name = "fast", .help = "be quick about it", .given = &fast},
        {0}};
    Line *line = context;
    lab_main(line->count, line->word,
             &(LabInfo){.stem = "99_fuzz", .title = "F", .question = "Q?", .steps = steps, .options = options}, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MOST = 16 };
    char *word[MOST + 2] = {(char[]){"99_fuzz"}}, text[1024];
    Line line = {1, word};
    if (size >= sizeof text || memchr(data, '\0', size))
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    for (char *rest = text, *next; line.count < MOST && (next = strsep(&rest, "\n"));)
        word[line.count++] = next;
    FILE *kept = stdout; /* --help prints */
    static FILE *nowhere;
    if (!nowhere)
        nowhere = fopen("/dev/null", "w");
    stdout = nowhere;
    ends_well(read_line_of_words, &line);
    stdout = kept;
    return 0;
}
