/* text.c: text as numbers. */
#include "word2vec.h"

#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "memory.h"

Text *text_of_world(const WordWorld *world, Rng *rng, long tokens)
{
    Text *text = memory_new(1, sizeof *text, "the text");
    const char *words[GRAMMAR_LONGEST];
    Rng again = *rng; /* the same sentences twice: count first, then number by count */
    text->vocab = vocab_new();
    while ((long)text->vocab->total < tokens) {
        int n = wordworld_sentence(world, rng, words, GRAMMAR_LONGEST);
        for (int i = 0; i < n; i++)
            vocab_add(text->vocab, words[i], strlen(words[i]));
        text->sentences++;
    }
    text->tokens = text->vocab->total;
    vocab_sort_by_count(text->vocab, 1, 0);
    text->ids = memory_new(text->tokens, sizeof *text->ids, "the text");
    text->start = memory_new((size_t)text->sentences + 1, sizeof *text->start, "the text");
    for (int s = 0; s < text->sentences; s++) {
        int n = wordworld_sentence(world, &again, words, GRAMMAR_LONGEST);
        for (int i = 0; i < n; i++)
            text->ids[text->start[s] + i] = vocab_find(text->vocab, words[i]);
        text->start[s + 1] = text->start[s] + n;
    }
    return text;
}

/* A file that is not large is read once more and kept, so that passes over it
 * need not look its words up again. */
enum { TOKENS_KEPT = 16000000 /* 64 MB */ };

static void keep_sentences(Text *text)
{
    size_t room = 1024, at = 0;
    text->ids = memory_new(text->tokens, sizeof *text->ids, "the text");
    text->start = memory_resize(NULL, room, sizeof *text->start, "the text");
    text->start[0] = 0;
    corpus_rewind(text->corpus);
    while (at < text->tokens) {
        int most = text->tokens - at < LINE_WORDS ? (int)(text->tokens - at) : LINE_WORDS;
        int n = corpus_sentence(text->corpus, text->vocab, -1, text->ids + at, most);
        if (n < 0)
            break;
        if (n == 0)
            continue;
        if ((size_t)text->sentences + 2 > room)
            text->start = memory_resize(text->start, room *= 2, sizeof *text->start, "the text");
        text->start[++text->sentences] = (long)(at += (size_t)n);
    }
    text->corpus = NULL;
}

enum { WORDS_HELD = 1 << 22 }; /* while counting: some 250 MB */

Text *text_of_corpus(Corpus *corpus, const char *name, int min_count, int most)
{
    Text *text = memory_new(1, sizeof *text, "the text");
    text->vocab = vocab_new();
    text->corpus = corpus;
    text->missing = corpus_count_frequent(corpus, text->vocab, WORDS_HELD);
    uint64_t all = text->vocab->total;
    int different = text->vocab->size;
    vocab_sort_by_count(text->vocab, (uint64_t)min_count, most);
    for (int w = 0; w < text->vocab->size; w++)
        text->tokens += text->vocab->count[w];
    if (text->vocab->size < 2)
        die("%s: %llu words, %d different, %d seen at least %d times: a word is known by its neighbours, so at least 2 "
            "different ones are needed (see --min-count)",
            name, (unsigned long long)all, different, text->vocab->size, min_count);
    if (text->tokens <= TOKENS_KEPT)
        keep_sentences(text);
    return text;
}

void text_free(Text *text)
{
    if (!text)
        return;
    vocab_free(text->vocab);
    free(text->ids);
    free(text->start);
    free(text);
}
