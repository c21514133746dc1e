/* replay.h: a fuzzer over the files that it once found interesting. */
#ifndef REPLAY_H
#define REPLAY_H

#include <stdint.h>

#include "../scratch.h"
#include "../test.h"

typedef int FuzzTarget(const uint8_t *data, size_t size);

/* Runs TARGET over each file of FOLDER, of which there are LEAST or more. */
static inline void replay(const char *folder, FuzzTarget *target, int least)
{
    static uint8_t bytes[65536];
    DIR *open = opendir(folder);
    int files = 0;
    ck_assert_msg(open, "run the tests from the root of the repository");
    for (struct dirent *entry; (entry = readdir(open));) {
        if (entry->d_name[0] == '.')
            continue;
        FILE *file = fopen(in(folder, entry->d_name), "rb");
        size_t size = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        target(bytes, size);
        files++;
    }
    closedir(open);
    ck_assert_int_ge(files, least);
}

#endif
