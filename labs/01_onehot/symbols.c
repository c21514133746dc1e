/* Step 1. From symbols to integers to one-hot vectors. */
#include <stdlib.h>
#include <string.h>

#include "maths.h"
#include "memory.h"
#include "onehot.h"

enum { THREE = 3 };
static const char *const WORDS[THREE] = {"hotel", "conference", "walk"};

/* The one-hot matrix of the three words, in the order of the text: row i is the vector of WORDS[i]. */
static void three_rows(real *rows, const Vocab *vocab)
{
    for (int i = 0; i < THREE; i++)
        one_hot(rows + i * THREE, vocab_find(vocab, WORDS[i]), THREE);
}

static int rows_unlike_identity(const real *rows)
{
    int count = 0;
    for (int i = 0; i < THREE; i++) {
        real unit[THREE];
        one_hot(unit, i, THREE);
        count += memcmp(rows + i * THREE, unit, sizeof unit) != 0; // NOLINT: the same bits are meant
    }
    return count;
}

/* The lecture's example, numbered in its two ways. */
static void three_words(Lab *lab)
{
    Vocab *vocab = vocab_new();
    int first_seen[THREE];
    real rows[THREE * THREE];

    trace(lab->trace, "A machine knows no words.  It can be told that `hotel` is number 0, and then\n"
                      "that number 0 of 3 is the vector (1 0 0).  Two ways to number:\n\n");
    for (int i = 0; i < THREE; i++)
        first_seen[i] = vocab_add(vocab, WORDS[i], strlen(WORDS[i]));
    trace_equation(lab->trace, HERE, "x_i = 1 where i is the word's number, else 0");
    three_rows(rows, vocab);
    trace_matrix(lab->trace, HERE, "one-hot, numbered as first seen", rows, THREE, THREE, WORDS,
                 (const char *const *)vocab->word, 0);
    claim(lab->claims,
          (Claim){.id = "first-seen-identity",
                  .source = "lecture: one-hot encoding",
                  .statement = "numbered as first seen, the one-hot rows of hotel, conference, walk are the "
                               "identity matrix (rows that differ)",
                  .measured = rows_unlike_identity(rows),
                  .test = EQUALS,
                  .bound = 0});

    vocab_sort_by_word(vocab);
    three_rows(rows, vocab);
    trace(lab->trace, "\nA label encoder sorts first, so the columns change places:\n\n");
    trace_matrix(lab->trace, HERE, "one-hot, numbered by sorted labels", rows, THREE, THREE, WORDS,
                 (const char *const *)vocab->word, 0);
    trace(lab->trace, "\n");
    trace_table(lab->trace, "word\tfirst seen\tsorted");
    for (int i = 0; i < THREE; i++)
        trace_row(lab->trace, "%s\t%d\t%d", WORDS[i], first_seen[i], vocab_find(vocab, WORDS[i]));
    trace_table_end(lab->trace);
    trace(lab->trace, "\nThe lecture prints the identity matrix for the sorted encoder.  It is not: hotel\n"
                      "is number 1, so its row is (0 1 0).  Which numbering does not matter, as long as\n"
                      "every part of a program uses the same one.\n");
    claim(lab->claims, (Claim){.id = "sorted-encoder-matrix",
                               .source = "lecture: LabelEncoder and OneHotEncoder example",
                               .statement = "with sorted labels (conference 0, hotel 1, walk 2) the rows are [0 1 0], "
                                            "[1 0 0], [0 0 1], not the identity matrix (rows that differ from it)",
                               .measured = rows_unlike_identity(rows),
                               .test = EQUALS,
                               .bound = 2,
                               .corrects = true});
    vocab_free(vocab);
}

/* The first words of the text as an image: a row a word, a column a number. */
static void draw_matrix(Lab *lab, OneHot *self)
{
    enum { MOST = 1000 };
    int ids[MOST], count = 0, n, most = self->config.shown_tokens;
    const char *labels[MOST];
    Corpus *corpus = onehot_corpus(lab, self);
    const Vocab *all = onehot_vocab(lab, self);
    Vocab *seen = vocab_new();
    while (count < most && (n = corpus_sentence(corpus, all, -1, ids + count, most - count)) >= 0)
        count += n;
    for (int t = 0; t < count; t++) {
        labels[t] = all->word[ids[t]];
        ids[t] = vocab_add(seen, labels[t], strlen(labels[t]));
    }
    real *rows = memory_new((size_t)count * (size_t)seen->size, sizeof *rows, "the one-hot matrix");
    for (int t = 0; t < count; t++)
        one_hot(rows + t * seen->size, ids[t], seen->size);
    lab_raster(lab, "onehot_matrix", rows, count, seen->size, labels, (const char *const *)seen->word, MAGNITUDE, 0);
    trace(lab->trace,
          "\nThe first %d words of the text, %d of them different, as an image: onehot_matrix.png.\n"
          "Each row is a word and has one bright cell.  A new word is one step further to the\n"
          "right; a word that comes back lights the column it had before.\n",
          count, seen->size);
    free(rows);
    vocab_free(seen);
    corpus_close(corpus);
}

/* The slope of log count against log rank, least squares over ranks at equal
 * steps of log rank, so that the long tail does not outvote the head. */
static double zipf_slope(const real *rank, const real *count, int n)
{
    double mean_x = 0, mean_y = 0, xy = 0, xx = 0;
    for (int i = 0; i < n; i++) {
        mean_x += log64((double)rank[i]) / n;
        mean_y += log64((double)count[i]) / n;
    }
    for (int i = 0; i < n; i++) {
        double x = log64((double)rank[i]) - mean_x;
        xy += x * (log64((double)count[i]) - mean_y);
        xx += x * x;
    }
    return xx > 0 ? xy / xx : 0;
}

/* Counts, from the most frequent word down. */
static void count_words(Lab *lab, OneHot *self)
{
    enum { MOST = 400, TOP = 10 };
    real rank[MOST], count[MOST], law[MOST];
    int n = 0;
    const Vocab *vocab = onehot_vocab(lab, self);

    trace(lab->trace, "\n%s: %llu words, %d of them different.  The most frequent:\n\n",
          self->corpus_file ? self->corpus_file : "The built-in text", (unsigned long long)vocab->total, vocab->size);
    trace_table(lab->trace, "rank\tword\tcount\tshare\trank x count");
    for (int i = 0; i < TOP && i < vocab->size; i++)
        trace_row(lab->trace, "%d\t%s\t%llu\t%.2f %%\t%llu", i + 1, vocab->word[i], (unsigned long long)vocab->count[i],
                  100.0 * (double)vocab->count[i] / (double)vocab->total,
                  (unsigned long long)vocab->count[i] * (unsigned)(i + 1));
    trace_table_end(lab->trace);

    /* Zipf's law without a free parameter: f(r) = N / (r H_V), H_V = 1 + 1/2 + ... + 1/V */
    double harmonic = 0;
    for (int r = 1; r <= vocab->size; r++)
        harmonic += 1.0 / r;
    for (int r = 1; r <= vocab->size && n < MOST; r += 1 + r / 32) { /* steps of log rank */
        rank[n] = (real)r;
        count[n] = (real)vocab->count[r - 1];
        law[n++] = (real)((double)vocab->total / (r * harmonic));
    }
    double slope = zipf_slope(rank, count, n);
    trace(lab->trace, "\n");
    trace_equation(lab->trace, HERE, "f(r) = N / (r H_V)  (Zipf);  measured: f ~ r^%.2f", slope);
    trace(lab->trace, "Few words do most of the work and most words are rare: that is why counting\n"
                      "needs so much text (step 6).  Figure zipf.\n");

    Figure *figure = figure_begin(lab->figures, "zipf", "Zipf's law: how often each word occurs");
    Panel *panel = figure_panel(figure, NULL, "rank of the word (1 = most frequent)", "times it occurs");
    panel_log_x(panel);
    panel_log_y(panel);
    panel_points(panel, self->corpus_file ? "your text" : "the built-in text", rank, count, NULL, n);
    panel_reference(panel, "Zipf's law N / (r H_V)", rank, law, n);
    figure_end(figure);
    claim(lab->claims,
          (Claim){.id = "zipf-slope",
                  .source = "lecture: word frequencies; Zipf 1949",
                  .statement = "the count of a word falls about as a power of its rank (exponent of the fit)",
                  .measured = slope,
                  .test = BETWEEN,
                  .bound = -1.5,
                  .upper = -0.7,
                  .skipped = onehot_other_text(self)});
}

void step_symbols(Lab *lab, void *state)
{
    three_words(lab);
    draw_matrix(lab, state);
    count_words(lab, state);
}
