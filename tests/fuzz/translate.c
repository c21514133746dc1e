/* translate.c: a fuzzer for the sentence of --translate: whatever the text is, it
 * is words of the corpus, which the grammar may parse and which come back the same
 * from their numbers, or the program says one line and ends.
 *
 *     make fuzz-translate FUZZ_SECONDS=300
 *
 * tests/lab_05_seq2seq_attention.c runs this over the files of tests/fuzz/translate/. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ends.h"
#include "translation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Translation *corpus_to_fuzz(void)
{
    static Translation *corpus;
    return corpus ? corpus : (corpus = translation_new((TranslationSettings){.pairs = 1, .longest = 25}, 42));
}

/* Words unknown are <UNK>, words too many are counted and left out. */
static void read_any(void *text)
{
    const Translation *corpus = corpus_to_fuzz();
    int ids[TRANSLATION_ENGLISH + 1] = {[TRANSLATION_ENGLISH] = -7};
    char *unknown;
    int n = translation_read(corpus->english, text, "--translate", ids, TRANSLATION_ENGLISH, &unknown);
    bool met_unknown = false;
    for (int i = 0; i < n && i < TRANSLATION_ENGLISH; i++) {
        if (ids[i] < TRANSLATION_UNK || ids[i] >= corpus->english->size)
            abort();
        met_unknown |= ids[i] == TRANSLATION_UNK;
    }
    if (ids[TRANSLATION_ENGLISH] != -7 || (met_unknown && !unknown))
        abort();
    free(unknown);
}

/* What labs 05 and 08 do with --translate: only words of the corpus, and not too many. */
static void read_known(void *text)
{
    const Translation *corpus = corpus_to_fuzz();
    int ids[TRANSLATION_ENGLISH], again[TRANSLATION_ENGLISH];
    char same[TRANSLATION_TEXT], french[TRANSLATION_TEXT];
    int n = translation_words(corpus, text, "--translate", ids);
    translation_text(corpus->english, ids, n, same);
    if (n < 1 || n > TRANSLATION_ENGLISH ||
        translation_read(corpus->english, same, "--translate", again, TRANSLATION_ENGLISH, NULL) != n ||
        memcmp(ids, again, (size_t)n * sizeof *ids) != 0)
        abort();
    Pair pair;
    if (!translation_parse(corpus, ids, n, &pair))
        return;
    if (pair.source_length != n || pair.target_length < 1 || pair.target_length > TRANSLATION_FRENCH)
        abort();
    for (int i = 0; i < n; i++)
        if (pair.source[i] != ids[i])
            abort();
    for (int t = 0; t < pair.target_length; t++)
        if (pair.target[t] < TRANSLATION_SPECIAL || pair.target[t] >= corpus->french->size || pair.aligned[t] < 0 ||
            pair.aligned[t] >= n || pair.governed[t] < -1 || pair.governed[t] >= n)
            abort();
    pair_french(corpus, &pair, french);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[4096];
    if (!as_argument(text, data, size))
        return 0;
    corpus_to_fuzz();
    ends_well(read_any, text);
    ends_well(read_known, text);
    return 0;
}
