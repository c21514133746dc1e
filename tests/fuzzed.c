/* fuzzed.c: the fuzzer of text.h over the files that it once found interesting.
 * (weights.c does the same for the weights.) */
#define _GNU_SOURCE
#include <stdint.h>

#include "scratch.h"
#include "test.h"

#define LLVMFuzzerTestOneInput fuzz_text
#include "fuzz/text.c"

START_TEST(text)
{
    DIR *folder = opendir("tests/fuzz/text");
    int files = 0;
    ck_assert_msg(folder, "run the tests from the root of the repository");
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        uint8_t bytes[65536];
        FILE *file = fopen(in("tests/fuzz/text", entry->d_name), "rb");
        size_t size = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        fuzz_text(bytes, size);
        files++;
    }
    closedir(folder);
    ck_assert_int_ge(files, 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fuzzed");
    test_add(suite, "text", text);
    return test_run(suite);
}
