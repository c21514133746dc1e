/* sentence.c: a fuzzer for lab 04's --sentence: whatever the text is, it is words
 * of the corpus with an ambiguous one among them, or the program says one line and
 * ends.
 *
 *     make fuzz-sentence FUZZ_SECONDS=300
 *
 * tests/lab_04_lstm_gates.c runs this over the files of tests/fuzz/sentence/. */
#define _GNU_SOURCE
#include <stdint.h>

#include "../../labs/04_lstm_gates/senses.h"
#include "ends.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Corpus *sentences_to_fuzz(void)
{
    static Corpus *corpus;
    return corpus ? corpus : (corpus = corpus_new(&(Lab){.seed = 42}, &(Config){.sentences = 800, .sense_tests = 1}));
}

static void read_sentence(void *text)
{
    const Corpus *corpus = sentences_to_fuzz();
    Sentence s = senses_read_sentence(corpus, text);
    if (s.length < 3 || s.length > LONGEST || s.at < 1 || s.at > s.length - 2 || s.id[0] != corpus->begin ||
        s.id[s.length - 1] != corpus->end)
        abort();
    for (int i = 0; i < s.length; i++)
        if (s.id[i] < 0 || s.id[i] >= corpus->vocab->size)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[4096];
    if (!as_argument(text, data, size))
        return 0;
    sentences_to_fuzz();
    ends_well(read_sentence, text);
    return 0;
}
