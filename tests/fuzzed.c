/* fuzzed.c: the fuzzers of text.h and of the command line over the files that
 * they once found interesting.  (The others are in the suites of what they read.) */
#define _GNU_SOURCE
#include "fuzz/replay.h"

#define LLVMFuzzerTestOneInput fuzz_text
#include "fuzz/text.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_options
#include "fuzz/options.c"

START_TEST(text)
{
    replay("tests/fuzz/text", fuzz_text, 5);
}
END_TEST

START_TEST(options)
{
    replay("tests/fuzz/options", fuzz_options, 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fuzzed");
    test_add(suite, "text", text);
    test_add(suite, "options", options);
    return test_run(suite);
}
