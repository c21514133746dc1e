/* vectors.c: a fuzzer for files of word vectors: whatever the bytes are, they are
 * vectors that can be used, or the program says one line and ends.
 *
 *     make fuzz-vectors FUZZ_SECONDS=300
 *
 * tests/lab_02_word2vec.c runs this over the files of tests/fuzz/vectors/. */
#define _GNU_SOURCE
#include <math.h>
#include <stdint.h>

#include "../../labs/02_word2vec/word2vec.h"
#include "ends.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void load_vectors(void *path)
{
    Vectors *vectors = vectors_load(path);
    for (int w = 0; w < vectors->words; w++) {
        if (vocab_find(vectors->vocab, vectors->vocab->word[w]) != w)
            abort();
        for (int i = 0; i < vectors->stride; i++)
            if (!isfinite(vectors->raw[(size_t)w * vectors->stride + i]) ||
                !(fabs((double)vectors->unit[(size_t)w * vectors->stride + i]) < 1.001))
                abort();
    }
    vectors_free(vectors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ends_well(load_vectors, (void *)as_file(data, size));
    return 0;
}
