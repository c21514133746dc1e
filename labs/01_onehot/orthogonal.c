/* Step 3. Every two words are equally different, and what their neighbours know. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maths.h"
#include "memory.h"
#include "onehot.h"
#include "text.h"

/* ---- every pair ------------------------------------------------------------ */

static void pair_by_hand(Lab *lab, const char *first, const char *second)
{
    const char *const words[] = {"핸드폰", "스마트폰", "은행", "금융"};
    enum { V = 4 };
    real x[V], y[V];
    for (int i = 0; i < V; i++) {
        if (strcmp(words[i], first) == 0)
            one_hot(x, i, V);
        if (strcmp(words[i], second) == 0)
            one_hot(y, i, V);
    }
    double dot = dot_product(x, y, V), apart = distance(x, y, V);
    trace_vector(lab->trace, HERE, first, x, V, words, 0);
    trace_vector(lab->trace, HERE, second, y, V, words, 0);
    trace_equation(lab->trace, HERE, "x . y = sum_i x_i y_i = %.0f", dot);
    trace_equation(lab->trace, HERE, "|x - y| = sqrt(1 + 1) = %.4f", apart);
}

static void every_pair(Lab *lab, const OneHot *self)
{
    int v = self->config.pairs_of;
    long pairs = 0;
    double largest_dot = 0, largest_error = 0;
    real *rows = memory_new((size_t)v * (size_t)v, sizeof *rows, "one-hot vectors");
    for (int i = 0; i < v; i++)
        one_hot(rows + i * v, i, v);
    for (int i = 0; i < v; i++)
        for (int j = 0; j < i; j++, pairs++) {
            double dot = dot_product(rows + i * v, rows + j * v, v);
            double error = fabs(distance(rows + i * v, rows + j * v, v) - sqrt(2));
            largest_dot = fabs(dot) > largest_dot ? fabs(dot) : largest_dot;
            largest_error = error > largest_error ? error : largest_error;
        }
    trace(lab->trace,
          "\nThe same for all %ld pairs of a vocabulary of %d words: largest |x . y| = %g,\n"
          "largest difference of |x - y| from sqrt(2) = %g.\n",
          pairs, v, largest_dot, largest_error);
    claim(lab->claims,
          (Claim){.id = "onehot-dot",
                  .source = "lecture: 핸드폰/스마트폰, 은행/금융",
                  .statement = "any two different one-hot vectors have dot product 0 (largest of all pairs)",
                  .measured = largest_dot,
                  .test = EQUALS,
                  .bound = 0});
    claim(lab->claims, (Claim){.id = "onehot-distance",
                               .source = "lecture: the same",
                               .statement = "and distance sqrt(2) (largest difference from it)",
                               .measured = largest_error,
                               .test = EQUALS,
                               .bound = 0});
    free(rows);
}

/* ---- the search engine ------------------------------------------------------- */

/* A text as the sum of its words' one-hot vectors over VOCAB. */
static real *sum_of_words(const char *text, const Vocab *vocab)
{
    int n;
    char **words = text_split(text, "the example", &n);
    real *sum = memory_new((size_t)vocab->size, sizeof *sum, "a query");
    for (int i = 0; i < n; i++)
        sum[vocab_find(vocab, words[i])] += 1;
    free(words);
    return sum;
}

static double overlap(Lab *lab, const char *query, const char *document)
{
    Vocab *vocab = vocab_new();
    const char *const texts[] = {query, document};
    for (int t = 0; t < 2; t++) {
        int n;
        char **words = text_split(texts[t], "the example", &n);
        for (int i = 0; i < n; i++)
            vocab_add(vocab, words[i], strlen(words[i]));
        free(words);
    }
    real *q = sum_of_words(query, vocab), *d = sum_of_words(document, vocab);
    double similarity = cosine(q, d, vocab->size);
    trace_row(lab->trace, "%s\t%s\t%.0f\t%.2f", query, document, dot_product(q, d, vocab->size), similarity);
    free(q);
    free(d);
    vocab_free(vocab);
    return similarity;
}

static void search_engine(Lab *lab)
{
    trace(lab->trace, "\nA search engine that adds one-hot vectors counts common words and nothing else:\n\n");
    trace_table(lab->trace, "query\tdocument\tcommon words\tcosine");
    double size = overlap(lab, "삼성 노트북 배터리 사이즈", "삼성 노트북 배터리 용량");
    double phone = overlap(lab, "갤럭시 핸드폰", "갤럭시 스마트폰");
    double fridge = overlap(lab, "갤럭시 핸드폰", "갤럭시 냉장고");
    double synonym = overlap(lab, "핸드폰", "스마트폰");
    trace_table_end(lab->trace);
    trace(lab->trace, "\n사이즈 and 용량 add nothing to the first, and a 스마트폰 is no nearer to a 핸드폰 than a\n"
                      "냉장고 (fridge) is.  Without the common words nothing is left.\n");
    claim(lab->claims, (Claim){.id = "search-size",
                               .source = "lecture: 삼성 노트북 배터리 사이즈 / 용량",
                               .statement = "of four words three are seen as common: cosine 0.75",
                               .measured = size,
                               .test = EQUALS,
                               .bound = 0.75,
                               .tolerance = 1e-12});
    claim(lab->claims,
          (Claim){.id = "search-synonym",
                  .source = "lecture: 갤럭시 핸드폰 / 갤럭시 스마트폰",
                  .statement = "a synonym is as far from the query as an unrelated word (difference of cosines)",
                  .measured = phone - fridge,
                  .test = EQUALS,
                  .bound = 0});
    claim(lab->claims, (Claim){.id = "search-nothing",
                               .source = "lecture: 핸드폰 / 스마트폰",
                               .statement = "two synonyms alone have cosine 0",
                               .measured = synonym,
                               .test = EQUALS,
                               .bound = 0});
}

/* ---- neighbours ----------------------------------------------------------------
 * A word is known by its neighbours (Firth 1957); lab 02 makes this its theme.
 * Here: count them, and weigh each count against what chance would give. */

enum { CHOSEN = 12, GROUP = 2, LONGEST = 512 };
static const char *const CHOICE[CHOSEN] = {"은행", "금융",    "핸드폰", "스마트폰",   "사과",  "포도",
                                           "bank", "finance", "phone",  "smartphone", "apple", "banana"};

static void count_neighbours(real *counts, double *word_total, double *neighbour_total, Corpus *corpus,
                             const Vocab *vocab, int window)
{
    int ids[LONGEST], n, row[CHOSEN];
    for (int k = 0; k < CHOSEN; k++)
        row[k] = vocab_find(vocab, CHOICE[k]);
    while ((n = corpus_sentence(corpus, vocab, -1, ids, LONGEST)) >= 0)
        for (int t = 0; t < n; t++)
            for (int u = t - window; u <= t + window; u++) {
                if (u < 0 || u >= n || u == t)
                    continue;
                word_total[ids[t]]++;
                neighbour_total[ids[u]]++;
                for (int k = 0; k < CHOSEN; k++)
                    if (ids[t] == row[k])
                        counts[k * vocab->size + ids[u]]++;
            }
}

/* Positive pointwise mutual information (Church & Hanks 1990; Levy & Goldberg 2014):
 *     PPMI(w, c) = max(0, log P(w, c) / (P(w) P(c))) = max(0, log n(w, c) n / (n(w) n(c))) */
static void weigh(real *counts, const double *word_total, const double *neighbour_total, const Vocab *vocab)
{
    double all = 0;
    for (int c = 0; c < vocab->size; c++)
        all += neighbour_total[c];
    for (int k = 0; k < CHOSEN; k++) {
        int w = vocab_find(vocab, CHOICE[k]);
        for (int c = 0; c < vocab->size; c++) {
            real *cell = &counts[k * vocab->size + c];
            double pmi = *cell > 0 ? log64((double)*cell * all / (word_total[w] * neighbour_total[c])) : 0;
            *cell = (real)(pmi > 0 ? pmi : 0);
        }
    }
}

/* Two weights of CHOICE[k] with every number in sight: its most frequent
 * neighbour's, and the largest among neighbours met at least ten times. */
static void two_weights(Lab *lab, int k, const real *counts, const double *word_total, const double *neighbour_total,
                        const Vocab *vocab)
{
    int w = vocab_find(vocab, CHOICE[k]), shown[2] = {0, 0};
    double all = 0, largest = -INFINITY;
    for (int c = 0; c < vocab->size; c++)
        all += neighbour_total[c];
    const real *n = counts + k * vocab->size;
    for (int c = 0; c < vocab->size; c++) {
        double ratio = (double)n[c] / neighbour_total[c];
        if (n[c] > n[shown[0]])
            shown[0] = c;
        if (n[c] >= 10 && ratio > largest) {
            largest = ratio;
            shown[1] = c;
        }
    }
    for (int i = 0; i < 2; i++) {
        int c = shown[i];
        double pmi = log64((double)n[c] * all / (word_total[w] * neighbour_total[c]));
        trace_equation(lab->trace, HERE, "PMI(%s, %s) = log %.0f x %.0f / (%.0f x %.0f) = %.2f", CHOICE[k],
                       vocab->word[c], (double)n[c], all, word_total[w], neighbour_total[c], pmi);
    }
}

/* The square of cosines between words FIRST ... FIRST+CHOSEN/2-1. */
static void trace_half(Lab *lab, const real *cosines, int first)
{
    enum { HALF = CHOSEN / 2 };
    real half[HALF * HALF];
    for (int i = 0; i < HALF; i++)
        for (int j = 0; j < HALF; j++)
            half[i * HALF + j] = cosines[(first + i) * CHOSEN + first + j];
    trace_matrix(lab->trace, HERE, "cosines of neighbour vectors", half, HALF, HALF, CHOICE + first, CHOICE + first, 2);
}

static void all_cosines(real *cosines, const real *rows, int columns)
{
    for (int i = 0; i < CHOSEN; i++)
        for (int j = 0; j < CHOSEN; j++)
            cosines[i * CHOSEN + j] = (real)cosine(rows + i * columns, rows + j * columns, columns);
}

/* The smallest cosine inside a group (은행 금융 ...) minus the largest between
 * groups of one language. */
static double gap_of_groups(const real *cosines, double *inside, double *across)
{
    *inside = 1;
    *across = -1;
    for (int i = 0; i < CHOSEN; i++)
        for (int j = 0; j < i; j++) {
            double c = (double)cosines[i * CHOSEN + j];
            if (i / GROUP == j / GROUP)
                *inside = c < *inside ? c : *inside;
            else if (i / (CHOSEN / 2) == j / (CHOSEN / 2))
                *across = c > *across ? c : *across;
        }
    return *inside - *across;
}

static void draw_cosines(Lab *lab, const real *one_hot_cosines, const real *dense_cosines)
{
    Figure *figure = figure_begin(lab->figures, "cosine_onehot_vs_embedding", "Cosine of words, two representations");
    figure_layout(figure, 2, 820, 760);
    Panel *left = figure_panel(figure, "one-hot vectors", NULL, NULL);
    panel_heatmap(left, one_hot_cosines, CHOSEN, CHOSEN, CHOICE, CHOICE, WEIGHTS);
    Panel *right = figure_panel(figure, "vectors of neighbour counts", NULL, NULL);
    panel_heatmap(right, dense_cosines, CHOSEN, CHOSEN, CHOICE, CHOICE, WEIGHTS);
    figure_end(figure);
}

static void neighbours(Lab *lab, OneHot *self)
{
    Corpus *corpus = onehot_builtin(lab, self);
    const Vocab *vocab = onehot_builtin_vocab(lab, self);
    size_t v = (size_t)vocab->size;
    real *rows = memory_new(CHOSEN * v, sizeof *rows, "neighbour counts");
    double *word_total = memory_new(v, sizeof *word_total, "counts");
    double *neighbour_total = memory_new(v, sizeof *neighbour_total, "counts");
    real one_hot_cosines[CHOSEN * CHOSEN], dense_cosines[CHOSEN * CHOSEN];
    double inside, across;

    for (int k = 0; k < CHOSEN; k++)
        one_hot(rows + (size_t)k * v, vocab_find(vocab, CHOICE[k]), vocab->size);
    all_cosines(one_hot_cosines, rows, vocab->size);
    memset(rows, 0, CHOSEN * v * sizeof *rows);
    count_neighbours(rows, word_total, neighbour_total, corpus, vocab, self->config.window);

    trace(lab->trace,
          "\nWhat would help: describe a word by the words around it.  In the built-in text, count\n"
          "the neighbours up to %d words away and weigh each count against chance:\n\n",
          self->config.window);
    trace_equation(lab->trace, HERE, "PPMI(w, c) = max(0, log n(w,c) n / (n(w) n(c)))");
    two_weights(lab, 0, rows, word_total, neighbour_total, vocab);
    two_weights(lab, CHOSEN / 2, rows, word_total, neighbour_total, vocab);
    weigh(rows, word_total, neighbour_total, vocab);
    all_cosines(dense_cosines, rows, vocab->size);
    trace_half(lab, dense_cosines, 0);
    trace_half(lab, dense_cosines, CHOSEN / 2);
    double gap = gap_of_groups(dense_cosines, &inside, &across);
    trace(lab->trace,
          "\nThe pairs that belong together have cosines of %.2f and more, words of different kinds at\n"
          "most %.2f: figure cosine_onehot_vs_embedding.  (Korean and English never meet in this\n"
          "text, so bank and 은행 stay strangers.)  Lab 02 makes such vectors short and good.\n",
          inside, across);
    draw_cosines(lab, one_hot_cosines, dense_cosines);
    claim(lab->claims,
          (Claim){.id = "neighbours-know",
                  .source = "Firth 1957; lecture: distributed representation",
                  .statement = "with neighbour counts every related pair (은행 금융, phone smartphone, ...) is "
                               "closer than any unrelated one (smallest cosine inside minus largest across)",
                  .measured = gap,
                  .test = ABOVE,
                  .bound = 0});
    free(rows);
    free(word_total);
    free(neighbour_total);
    corpus_close(corpus);
}

void step_orthogonal(Lab *lab, void *state)
{
    trace(lab->trace, "Two pairs of words that a reader would call close, in a vocabulary of four:\n\n");
    pair_by_hand(lab, "핸드폰", "스마트폰");
    trace(lab->trace, "\n");
    pair_by_hand(lab, "은행", "금융");
    every_pair(lab, state);
    search_engine(lab);
    neighbours(lab, state);
}
