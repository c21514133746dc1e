/* corpus.c: a fuzzer for the reading of texts: any bytes, in blocks of any size,
 * give the same words as the text taken whole.  The first byte is the block's
 * size.
 *
 *     make fuzz-corpus FUZZ_SECONDS=300
 *
 * tests/corpus.c runs this over the files of tests/fuzz/corpus/. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "corpus.h"
#include "text.h"
#include "vocab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The text with its bad bytes replaced, as corpus.h says; the caller frees it. */
static char *mended(const char *bytes, size_t size, size_t *length)
{
    char *text = malloc(3 * size + 1);
    *length = 0;
    for (size_t at = 0; at < size;) {
        uint32_t c;
        int used = utf8_decode(bytes + at, size - at, &c);
        *length += (size_t)utf8_encode(used ? c : 0xFFFD, text + *length);
        at += used ? (size_t)used : 1;
    }
    text[*length] = '\0';
    return text;
}

static void count_token(void *context, const char *bytes, size_t length)
{
    if (length == 0 || length > TOKEN_MAX || utf8_first_invalid(bytes, length) != length)
        abort();
    vocab_add(context, bytes, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || memchr(data + 1, '\0', size - 1)) /* '\0' ends the program, by design */
        return 0;
    size_t block = 1 + data[0] % 80, length;
    char *bytes = malloc(size);
    memcpy(bytes, data + 1, size - 1);
    bytes[size - 1] = '\0';
    char *text = mended(bytes, size - 1, &length);
    if (utf8_first_invalid(text, length) != length || text_width(text) < 0)
        abort();

    Vocab *whole = vocab_new(), *blocks = vocab_new();
    size_t mark = strncmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    for (size_t at = mark; at < length;) { /* line by line */
        size_t line = strcspn(text + at, "\n");
        text_tokens(text + at, line, count_token, whole);
        at += line + 1;
    }
    Corpus *corpus = corpus_from_text("fuzz", bytes, true);
    corpus_block_size(corpus, block);
    if (whole->size > 0) { /* a text without words ends the program, by design */
        int ids[7], n;
        corpus_count(corpus, blocks);
        corpus_rewind(corpus);
        uint64_t seen = 0;
        while ((n = corpus_sentence(corpus, whole, -1, ids, 7)) >= 0)
            seen += (uint64_t)n;
        if (seen != whole->total || blocks->total != whole->total || blocks->size != whole->size)
            abort();
        for (int i = 0; i < whole->size; i++)
            if (strcmp(whole->word[i], blocks->word[i]) != 0 || whole->count[i] != blocks->count[i])
                abort();
        vocab_sort_by_word(blocks);
        vocab_sort_by_count(whole, 2, 0);
    }
    corpus_close(corpus);
    vocab_free(whole);
    vocab_free(blocks);
    free(text);
    free(bytes);
    return 0;
}
