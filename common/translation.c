/* translation.c: the corpus, its batches, and the score of a translation. */
#include "translation.h"

#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "memory.h"
#include "text.h"
#include "translation_grammar.h"

/* ---- text -------------------------------------------------------------------------- */

const char *translation_text(const Vocab *vocab, const int *ids, int n, char text[TRANSLATION_TEXT])
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < n; i++) {
        const char *word = vocab->word[ids[i]];
        bool space = used > 0 && text[used - 1] != '\'';
        size_t length = strlen(word);
        if (used + space + length + 1 > TRANSLATION_TEXT)
            break;
        if (space)
            text[used++] = ' ';
        memcpy(text + used, word, length + 1);
        used += length;
    }
    return text;
}

static const char *words_text(const Vocab *vocab, const int16_t *words, int n, char text[TRANSLATION_TEXT])
{
    int ids[TRANSLATION_FRENCH];
    for (int i = 0; i < n; i++)
        ids[i] = words[i];
    return translation_text(vocab, ids, n, text);
}

const char *pair_english(const Translation *translation, const Pair *pair, char text[TRANSLATION_TEXT])
{
    return words_text(translation->english, pair->source, pair->source_length, text);
}

const char *pair_french(const Translation *translation, const Pair *pair, char text[TRANSLATION_TEXT])
{
    return words_text(translation->french, pair->target, pair->target_length, text);
}

int translation_read(const Vocab *vocab, const char *text, const char *origin, int *ids, int most, char **unknown)
{
    int n;
    char **words = text_split(text, origin, &n);
    if (unknown)
        *unknown = NULL;
    for (int i = 0; i < n; i++) {
        int id = vocab_find(vocab, words[i]);
        if (id < TRANSLATION_SPECIAL && unknown && !*unknown)
            *unknown = memory_copy_text(words[i]);
        if (i < most)
            ids[i] = id < TRANSLATION_SPECIAL ? TRANSLATION_UNK : id;
    }
    free(words);
    return n;
}

int translation_words(const Translation *translation, const char *text, const char *option,
                      int words[TRANSLATION_ENGLISH])
{
    char *unknown;
    int n = translation_read(translation->english, text, option, words, TRANSLATION_ENGLISH, &unknown);
    if (n == 0)
        die_usage("%s: there is no word in it", option);
    if (unknown)
        die_usage("%s: \"%s\" is not among the words of this corpus; 05_seq2seq_attention --words lists them", option,
                  unknown);
    if (n > TRANSLATION_ENGLISH)
        die_usage("%s: %d words are too many, %d are the most", option, n, TRANSLATION_ENGLISH);
    return n;
}

/* ---- the corpus ---------------------------------------------------------------------- */

void translation_draw(const Translation *translation, int shortest, int longest, bool training, Rng *rng, Pair *pair)
{
    static const int clauses[] = {1, 1, 1, 2, 2, 3};
    const Combinations *held = translation->combinations;
    if (shortest > longest || longest < 4 || longest > TRANSLATION_ENGLISH)
        die_misuse(HERE, "translation_draw: no sentence has %d to %d words", shortest, longest);
    Sentence sentence;
    int length;
    do {
        /* a clause has 7 words on average, and 15 at most */
        int n = longest <= translation->settings.longest ? clauses[rng_below(rng, sizeof clauses / sizeof *clauses)]
                                                         : 1 + (int)rng_below(rng, MOST_CLAUSES);
        sentence_draw(&sentence, n, training ? held : NULL, rng);
        length = sentence_length(&sentence);
    } while (length < shortest || length > longest);
    sentence_write(&sentence, translation->english, translation->french, pair);
    pair->new_combinations = sentence_new_combinations(&sentence, held);
}

static void special_words(Vocab *vocab)
{
    static const char *const special[TRANSLATION_SPECIAL] = {"<PAD>", "<SOS>", "<EOS>", "<UNK>"};
    for (int i = 0; i < TRANSLATION_SPECIAL; i++)
        vocab_add(vocab, special[i], strlen(special[i]));
}

/* True if the English side is not in SEEN yet. */
static bool first_seen(const Translation *translation, Vocab *seen, const Pair *pair)
{
    char text[TRANSLATION_TEXT];
    int before = seen->size;
    pair_english(translation, pair, text);
    vocab_add(seen, text, strlen(text));
    return seen->size > before;
}

/* Tries in a row that find nothing new: there is nothing left. */
enum { PATIENCE = 20000 };

static void draw_training(Translation *translation, uint64_t seed)
{
    Rng rng = rng_new(seed, "translation pairs");
    for (int i = 0, tries = 0; i < translation->settings.pairs;) {
        Pair *pair = &translation->training[i];
        translation_draw(translation, 4, translation->settings.longest, true, &rng, pair);
        bool fresh = first_seen(translation, translation->seen, pair);
        i += fresh;
        tries = fresh ? 0 : tries + 1;
        if (tries > PATIENCE)
            die_misuse(HERE, "translation_new: there are not %d sentences of up to %d words",
                       translation->settings.pairs, translation->settings.longest);
    }
}

Translation *translation_new(TranslationSettings settings, uint64_t seed)
{
    if (settings.pairs < 1 || settings.longest < 4 || settings.longest > TRANSLATION_ENGLISH)
        die_misuse(HERE, "translation_new: %d pairs of up to %d words", settings.pairs, settings.longest);
    Translation *translation = memory_new(1, sizeof *translation, "a corpus");
    translation->settings = settings;
    translation->english = vocab_new();
    translation->french = vocab_new();
    translation->seen = vocab_new();
    special_words(translation->english);
    special_words(translation->french);
    grammar_words(translation->english, translation->french);
    translation->combinations = memory_new(1, sizeof *translation->combinations, "a corpus");
    Rng rng = rng_new(seed, "translation combinations");
    combinations_draw(translation->combinations, &rng);
    translation->training = memory_new((size_t)settings.pairs, sizeof *translation->training, "a corpus");
    draw_training(translation, seed);
    return translation;
}

void translation_free(Translation *translation)
{
    if (!translation)
        return;
    vocab_free(translation->english);
    vocab_free(translation->french);
    vocab_free(translation->seen);
    free(translation->combinations);
    free(translation->training);
    free(translation);
}

Pair *translation_tests(const Translation *translation, int shortest, int longest, int n, Rng *rng)
{
    Pair *pairs = memory_new((size_t)n, sizeof *pairs, "test pairs");
    Vocab *seen = vocab_new();
    char text[TRANSLATION_TEXT];
    for (int i = 0, tries = 0; i < n;) {
        translation_draw(translation, shortest, longest, false, rng, &pairs[i]);
        bool fresh = pairs[i].new_combinations > 0 && first_seen(translation, seen, &pairs[i]);
        if (fresh && vocab_find(translation->seen, pair_english(translation, &pairs[i], text)) != VOCAB_NONE)
            die_misuse(HERE, "translation_tests: a test sentence is in training: %s", text);
        i += fresh;
        tries = fresh ? 0 : tries + 1;
        if (tries > PATIENCE)
            die_misuse(HERE, "translation_tests: there are not %d new sentences of %d to %d words", n, shortest,
                       longest);
    }
    vocab_free(seen);
    return pairs;
}

bool translation_parse(const Translation *translation, const int *words, int length, Pair *pair)
{
    const char *text[TRANSLATION_ENGLISH];
    if (length > TRANSLATION_ENGLISH)
        return false;
    for (int i = 0; i < length; i++)
        text[i] = translation->english->word[words[i]];
    Sentence sentence;
    if (!sentence_read(&sentence, text, length) || sentence_length(&sentence) != length)
        return false;
    sentence_write(&sentence, translation->english, translation->french, pair);
    pair->new_combinations = sentence_new_combinations(&sentence, translation->combinations);
    for (int i = 0; i < length; i++) /* "a apple" is not the grammar's */
        if (pair->source[i] != words[i])
            return false;
    return true;
}

/* ---- batches -------------------------------------------------------------------------- */

static void swap_batches(int *order, int batch, int i, int j)
{
    for (int k = 0; k < batch; k++) {
        int other = order[i * batch + k];
        order[i * batch + k] = order[j * batch + k];
        order[j * batch + k] = other;
    }
}

/* By length, pairs of equal length as they come (insertion would be slow, so: counting). */
static void sort_by_length(const Pair *pairs, int *order, int n)
{
    int *sorted = memory_new((size_t)n, sizeof *sorted, "an order"), at = 0;
    for (int length = 0; length <= TRANSLATION_ENGLISH; length++)
        for (int i = 0; i < n; i++)
            if (pairs[order[i]].source_length == length)
                sorted[at++] = order[i];
    memcpy(order, sorted, (size_t)n * sizeof *order);
    free(sorted);
}

void translation_order(const Pair *pairs, int n, int batch, Rng *rng, int *order)
{
    for (int i = 0; i < n; i++)
        order[i] = i;
    rng_shuffle(rng, order, (size_t)n);
    for (int from = 0; from < n; from += TRANSLATION_BUCKET * batch) {
        int size = n - from < TRANSLATION_BUCKET * batch ? n - from : TRANSLATION_BUCKET * batch;
        sort_by_length(pairs, order + from, size);
        for (int i = size / batch - 1; i > 0; i--) /* whole batches only: what is left stays at the end */
            swap_batches(order + from, batch, i, (int)rng_below(rng, (uint64_t)i + 1));
    }
}

/* Both sides of pair ROW into their places. */
static void fill_row(TranslationBatch *batch, const Pair *pair, int row, BatchLayout layout)
{
    int b = batch->size, s = batch->source_steps, t = batch->target_steps, n = pair->target_length;
    for (int i = 0; i < s; i++)
        batch->source[layout == TIME_FIRST ? i * b + row : row * s + i] =
            i < pair->source_length ? pair->source[i] : TRANSLATION_PAD;
    for (int i = 0; i < t; i++) {
        int at = layout == TIME_FIRST ? i * b + row : row * t + i;
        batch->target_in[at] = i == 0 ? TRANSLATION_SOS : i <= n ? pair->target[i - 1] : TRANSLATION_PAD;
        batch->target_out[at] = i < n ? pair->target[i] : i == n ? TRANSLATION_EOS : -1;
    }
    batch->source_lengths[row] = pair->source_length;
    batch->target_lengths[row] = n + 1;
}

TranslationBatch translation_batch(const Pair *pairs, const int *order, int n, BatchLayout layout)
{
    TranslationBatch batch = {.size = n};
    for (int i = 0; i < n; i++) {
        const Pair *pair = &pairs[order ? order[i] : i];
        batch.source_steps = pair->source_length > batch.source_steps ? pair->source_length : batch.source_steps;
        batch.target_steps =
            pair->target_length + 1 > batch.target_steps ? pair->target_length + 1 : batch.target_steps;
    }
    size_t source = (size_t)batch.source_steps * (size_t)n, target = (size_t)batch.target_steps * (size_t)n;
    batch.source = memory_new(source + 2 * target + 2 * (size_t)n, sizeof *batch.source, "a batch");
    batch.target_in = batch.source + source;
    batch.target_out = batch.target_in + target;
    batch.source_lengths = batch.target_out + target;
    batch.target_lengths = batch.source_lengths + n;
    for (int i = 0; i < n; i++)
        fill_row(&batch, &pairs[order ? order[i] : i], i, layout);
    return batch;
}

void translation_batch_free(TranslationBatch *batch)
{
    free(batch->source);
    *batch = (TranslationBatch){0};
}

/* ---- measuring ------------------------------------------------------------------------ */

void translation_score(TranslationScore *score, const Pair *pair, const int *words, int length)
{
    int reference[TRANSLATION_FRENCH];
    bool exact = length == pair->target_length;
    for (int i = 0; i < pair->target_length; i++) {
        reference[i] = pair->target[i];
        exact = exact && words[i] == reference[i];
    }
    bleu_add(&score->bleu, words, length, reference, pair->target_length);
    score->sentences++;
    score->exact += exact;
}

double translation_exact(const TranslationScore *score)
{
    return score->sentences ? (double)score->exact / score->sentences : 0;
}
