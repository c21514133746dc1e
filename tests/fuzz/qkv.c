/* qkv.c: a fuzzer for the file of --qkv: whatever the bytes are, they are three
 * matrices that fit, or the program says one line and ends.
 *
 *     make fuzz-qkv FUZZ_SECONDS=300
 *
 * tests/lab_06_self_attention.c runs this over the files of tests/fuzz/qkv/. */
#define _GNU_SOURCE
#include <math.h>
#include <stdint.h>

#include "../../labs/06_self_attention/self_attention.h"
#include "ends.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void all_finite(const double *cells, int n)
{
    for (int i = 0; i < n; i++)
        if (!isfinite(cells[i]))
            abort();
}

static void load_qkv(void *path)
{
    Qkv *qkv = qkv_read(path);
    if (qkv->n < 1 || qkv->m < 1 || qkv->d < 1 || qkv->e < 1 || qkv->n > MOST_WORDS || qkv->m > MOST_WORDS ||
        qkv->d > MOST_DIMENSION || qkv->e > MOST_DIMENSION)
        abort();
    all_finite(qkv->q, qkv->n * qkv->d);
    all_finite(qkv->k, qkv->m * qkv->d);
    all_finite(qkv->v, qkv->m * qkv->e);
    if (!*qkv->query_name[qkv->n - 1] || !*qkv->key_name[qkv->m - 1])
        abort();
    qkv_free(qkv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ends_well(load_qkv, (void *)as_file(data, size));
    return 0;
}
