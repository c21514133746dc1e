/* series.c: a fuzzer for the file of --series: whatever the bytes are, they are
 * numbers enough, or the program says one line and ends.
 *
 *     make fuzz-series FUZZ_SECONDS=300
 *
 * tests/lab_09_sequence_modeling.c runs this over the files of tests/fuzz/series/. */
#define _GNU_SOURCE
#include <math.h>
#include <stdint.h>

#include "../../labs/09_sequence_modeling/series.h"
#include "ends.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void load_series(void *path)
{
    int count = 0;
    double *values = series_read(path, &count);
    if (count < SERIES_SHORTEST || count > SERIES_LONGEST)
        abort();
    for (int i = 0; i < count; i++)
        if (!(fabs(values[i]) <= SERIES_LARGEST))
            abort();
    free(values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ends_well(load_series, (void *)as_file(data, size));
    return 0;
}
