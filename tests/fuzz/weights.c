/* weights.c: a fuzzer for weights_read: whatever the bytes are, it says yes or
 * gives a reason of one line, and what it says yes to can be written and read
 * again.
 *
 *     make fuzz-weights FUZZ_SECONDS=300
 *
 * tests/weights.c runs this over the files of tests/fuzz/weights/. */
#define _GNU_SOURCE
#include "weights.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Parameters *fuzz_parameters(void)
{
    Parameters *parameters = parameters_new();
    parameter_zeros(parameters, "a", SHAPE(2, 3));
    parameter_zeros(parameters, "은행", SHAPE(4));
    parameter_zeros(parameters, "none", SHAPE(0));
    parameter_zeros(parameters, "one", SCALAR);
    return parameters;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char message[WEIGHTS_MESSAGE] = "";
    Parameters *parameters = fuzz_parameters();
    FILE *file = size ? fmemopen((void *)data, size, "rb") : NULL;
    if (file && !weights_read(file, parameters, message)) {
        if (message[0] == '\0' || strlen(message) >= WEIGHTS_MESSAGE - 1)
            abort();
        for (const char *c = message; *c; c++)
            if ((unsigned char)*c < ' ')
                abort();
        if (parameters->tensor[0]->data[0] != 0) /* untouched unless all is right */
            abort();
    }
    if (file)
        fclose(file);
    parameters_free(parameters);
    return 0;
}
