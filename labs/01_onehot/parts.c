/* parts.c: reading a text for the n-gram models of step 6. */
#include "parts.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

Part part_of(long sentence)
{
    return sentence % 10 == 8 ? VALIDATION : sentence % 10 == 9 ? TEST : TRAINING;
}

/* Words that the training part has only once become <unk>, as do words that it
 * does not have: so <unk> has a count that can be trusted. */
static Vocab *training_vocabulary(Corpus *corpus, const Vocab *all, long most_words)
{
    int ids[LONGEST], n;
    long sentence = 0, words = 0;
    Vocab *training = vocab_new(), *kept = vocab_new();
    while (words < most_words && (n = corpus_sentence(corpus, all, -1, ids, LONGEST)) >= 0) {
        for (int i = 0; i < n && part_of(sentence) == TRAINING; i++)
            vocab_add(training, all->word[ids[i]], strlen(all->word[ids[i]]));
        sentence += n > 0;
        words += n;
    }
    vocab_add(kept, "<unk>", 5);
    vocab_add(kept, "</s>", 4);
    for (int i = 0; i < training->size; i++)
        if (training->count[i] > 1)
            vocab_add(kept, training->word[i], strlen(training->word[i]));
    vocab_free(training);
    return kept;
}

static void read_sentences(Text *text, Corpus *corpus, long most_words)
{
    int n;
    long capacity = 0, room = 0;
    corpus_rewind(corpus);
    while (text->words < most_words) {
        if (room < text->words + LONGEST) {
            room = 2 * room + 4 * LONGEST;
            text->ids = memory_resize(text->ids, (size_t)room, sizeof *text->ids, "the text");
        }
        if ((n = corpus_sentence(corpus, text->vocab, UNKNOWN, text->ids + text->words, LONGEST)) < 0)
            break;
        if (n == 0)
            continue;
        if (text->sentences == capacity) {
            capacity = 2 * capacity + 1024;
            text->length = memory_resize(text->length, (size_t)capacity, sizeof *text->length, "the text");
        }
        text->length[text->sentences++] = n;
        text->words += n;
    }
}

static void look_up_counts(Text *text, Part part)
{
    Counts *counts = &text->counts[part];
    size_t most = (size_t)(text->words + text->sentences);
    for (int n = 1; n <= NGRAM_MOST; n++) {
        counts->count[n] = memory_new(most, sizeof(uint32_t), "counts");
        counts->history[n] = memory_new(most, sizeof(uint32_t), "counts");
    }
    const int *ids = text->ids;
    for (long s = 0; s < text->sentences; ids += text->length[s++]) {
        if (part_of(s) != part)
            continue;
        NGramWalk walk = ngrams_begin(text->grams);
        for (int t = 0; t <= text->length[s]; t++, counts->words++) {
            int word = t < text->length[s] ? ids[t] : END;
            for (int n = 1; n <= NGRAM_MOST; n++) {
                counts->count[n][counts->words] = ngrams_count(text->grams, &walk, n, word);
                counts->history[n][counts->words] = ngrams_history(text->grams, &walk, n);
            }
            ngrams_advance(text->grams, &walk, word);
        }
    }
}

Text *text_read(Corpus *corpus, const Vocab *all, long most_words)
{
    Text *text = memory_new(1, sizeof *text, "the text");
    text->vocab = training_vocabulary(corpus, all, most_words);
    read_sentences(text, corpus, most_words);
    text->grams = ngrams_new(text->vocab->size, END);
    const int *ids = text->ids;
    for (long s = 0; s < text->sentences; ids += text->length[s++])
        if (part_of(s) == TRAINING)
            ngrams_add(text->grams, ids, text->length[s]);
    for (Part part = 0; part < PARTS; part++)
        look_up_counts(text, part);
    return text;
}

void text_free(Text *text)
{
    for (Part part = 0; part < PARTS; part++)
        for (int n = 1; n <= NGRAM_MOST; n++) {
            free(text->counts[part].count[n]);
            free(text->counts[part].history[n]);
        }
    ngrams_free(text->grams);
    vocab_free(text->vocab);
    free(text->ids);
    free(text->length);
    free(text);
}
