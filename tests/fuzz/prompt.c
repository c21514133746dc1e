/* prompt.c: a fuzzer for lab 10's --prompt: whatever the text is, it is words of
 * the corpus, or the program says one line and ends.
 *
 *     make fuzz-prompt FUZZ_SECONDS=300
 *
 * tests/lab_10_in_context.c runs this over the files of tests/fuzz/prompt/. */
#define _GNU_SOURCE
#include <stdint.h>

#include "../../labs/10_in_context/pretrain.h"
#include "ends.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static World *world_to_fuzz(void)
{
    static World *world;
    return world ? world : (world = world_new());
}

static void read_prompt(void *text)
{
    int ids[TEXT_MOST], n = prompt_read(world_to_fuzz(), text, ids);
    if (n < 2 || n > TEXT_MOST / 2 + 1 || ids[0] != CLS)
        abort();
    for (int i = 1; i < n; i++)
        if (ids[i] < SPECIALS || ids[i] >= world_words(world_to_fuzz()))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[4096];
    if (!as_argument(text, data, size))
        return 0;
    world_to_fuzz();
    ends_well(read_prompt, text);
    return 0;
}
