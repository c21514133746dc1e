/* Step 5. Documents as bags of words, and TF-IDF. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maths.h"
#include "memory.h"
#include "onehot.h"
#include "text.h"

enum { DOCUMENTS = 6, MOST_TERMS = 64 };
static const char *const DOCUMENT[DOCUMENTS] = {
    "삼성 노트북 배터리 용량 비교",         "갤럭시 스마트폰 배터리 교체 비용", "은행 대출 금리 비교",
    "the bank raised the rate on the loan", "laptop battery lasts long",        "the smartphone with the best screen",
};
static const char *const NAME[DOCUMENTS] = {"D1", "D2", "D3", "D4", "D5", "D6"};

/* The bags: counts over all terms, and their TF-IDF weights. */
typedef struct {
    Vocab *terms;
    real counts[DOCUMENTS * MOST_TERMS];  /* tf(t, d), DOCUMENTS rows of terms->size */
    real weights[DOCUMENTS * MOST_TERMS]; /* tf(t, d) idf(t) */
    int frequency[MOST_TERMS];            /* df(t): documents that have t */
    double idf[MOST_TERMS];
} Bags;

static void count_terms(Bags *bags)
{
    bags->terms = vocab_new();
    for (int pass = 0; pass < 2; pass++) /* number the terms, then count them */
        for (int d = 0; d < DOCUMENTS; d++) {
            int n;
            char **words = text_split(DOCUMENT[d], "the example", &n);
            for (int i = 0; i < n; i++)
                if (pass == 0)
                    vocab_add(bags->terms, words[i], strlen(words[i]));
                else
                    bags->counts[d * bags->terms->size + vocab_find(bags->terms, words[i])] += 1;
            free(words);
        }
}

static void weigh_terms(Bags *bags)
{
    int v = bags->terms->size;
    for (int t = 0; t < v; t++) {
        /* df(t) = number of documents with t;  idf(t) = log(N / df(t)) */
        for (int d = 0; d < DOCUMENTS; d++)
            bags->frequency[t] += bags->counts[d * v + t] > 0;
        bags->idf[t] = log64((double)DOCUMENTS / bags->frequency[t]);
        for (int d = 0; d < DOCUMENTS; d++)
            bags->weights[d * v + t] = (real)((double)bags->counts[d * v + t] * bags->idf[t]);
    }
}

/* A query as a bag over the documents' terms; words that no document has are
 * left out.  Returns how many were found. */
static int query_bag(real *bag, const Bags *bags, const char *query, bool weighted)
{
    int n, found = 0;
    char **words = text_split(query, "--query", &n);
    memset(bag, 0, MOST_TERMS * sizeof *bag);
    for (int i = 0; i < n; i++) {
        int t = vocab_find(bags->terms, words[i]);
        if (t == VOCAB_NONE)
            continue;
        bag[t] += (real)(weighted ? bags->idf[t] : 1);
        found++;
    }
    free(words);
    return found;
}

/* One weight with every number in sight. */
static void one_weight(Lab *lab, const Bags *bags, const char *term, int d)
{
    int t = vocab_find(bags->terms, term), v = bags->terms->size;
    double tf = (double)bags->counts[d * v + t], weight = tf * bags->idf[t];
    trace_equation(lab->trace, HERE, "%s in %s: tf = %.0f, df = %d, idf = log(%d/%d) = %.4f, tf idf = %.4f", term,
                   NAME[d], tf, bags->frequency[t], DOCUMENTS, bags->frequency[t], bags->idf[t], weight);
}

static void show_tables(Lab *lab, const Bags *bags)
{
    int v = bags->terms->size;
    trace(lab->trace, "Six documents:\n\n");
    trace_table(lab->trace, "\tdocument");
    for (int d = 0; d < DOCUMENTS; d++)
        trace_row(lab->trace, "%s\t%s", NAME[d], DOCUMENT[d]);
    trace_table_end(lab->trace);
    trace(lab->trace, "\nA bag of words forgets the order and counts: tf(t, d).  A word that is everywhere says\n"
                      "little, so a count is weighed by how few documents have the word:\n\n");
    trace_equation(lab->trace, HERE, "idf(t) = log(N / df(t)),  tfidf(t, d) = tf(t, d) idf(t)");
    trace(lab->trace, "\n");
    trace_table(lab->trace, "term\tD1\tD2\tD3\tD4\tD5\tD6\tdf\tidf");
    for (int t = 0; t < v; t++) {
        char row[64], *at = row;
        for (int d = 0; d < DOCUMENTS; d++)
            at += sprintf(at, "%.0f\t", (double)bags->counts[d * v + t]);
        trace_row(lab->trace, "%s\t%s%d\t%.3f", bags->terms->word[t], row, bags->frequency[t], bags->idf[t]);
    }
    trace_table_end(lab->trace);
    trace(lab->trace, "\n");
    one_weight(lab, bags, "배터리", 0);
    one_weight(lab, bags, "용량", 0);
    one_weight(lab, bags, "the", 3);
}

static void draw_heatmap(Lab *lab, const Bags *bags)
{
    Figure *figure = figure_begin(lab->figures, "tfidf_heatmap", "TF-IDF: which words make a document");
    Panel *panel = figure_panel(figure, NULL, NULL, "document");
    figure_layout(figure, 1, 1400, 420);
    panel_heatmap(panel, bags->weights, DOCUMENTS, bags->terms->size, NAME, (const char *const *)bags->terms->word,
                  MAGNITUDE);
    figure_end(figure);
}

/* ---- ranking ------------------------------------------------------------------- */

typedef struct {
    double counts[DOCUMENTS], weights[DOCUMENTS]; /* cosine of the query with each document */
    int best_by_counts, best_by_weights;
} Ranking;

static Ranking rank_documents(const Bags *bags, const char *query)
{
    Ranking ranking = {0};
    real counts[MOST_TERMS], weights[MOST_TERMS];
    int v = bags->terms->size;
    query_bag(counts, bags, query, false);
    query_bag(weights, bags, query, true);
    for (int d = 0; d < DOCUMENTS; d++) {
        /* cos(q, d) = q . d / (|q| |d|) */
        ranking.counts[d] = cosine(counts, bags->counts + d * v, v);
        ranking.weights[d] = cosine(weights, bags->weights + d * v, v);
        if (ranking.counts[d] > ranking.counts[ranking.best_by_counts])
            ranking.best_by_counts = d;
        if (ranking.weights[d] > ranking.weights[ranking.best_by_weights])
            ranking.best_by_weights = d;
    }
    return ranking;
}

static Ranking show_ranking(Lab *lab, const Bags *bags, const char *query)
{
    Ranking ranking = rank_documents(bags, query);
    trace(lab->trace, "\nQuery: %s\n\n", query);
    trace_table(lab->trace, "\tcosine of counts\tcosine of TF-IDF\tdocument");
    for (int d = 0; d < DOCUMENTS; d++)
        if (ranking.counts[d] > 0)
            trace_row(lab->trace, "%s\t%.3f%s\t%.3f%s\t%s", NAME[d], ranking.counts[d],
                      d == ranking.best_by_counts ? " <" : "  ", ranking.weights[d],
                      d == ranking.best_by_weights ? " <" : "  ", DOCUMENT[d]);
    trace_table_end(lab->trace);
    return ranking;
}

static void rank_examples(Lab *lab, const Bags *bags)
{
    trace(lab->trace, "\nRanking by the cosine of query and document (the best is marked <; documents with no\n"
                      "common word have cosine 0 and are not shown):\n");
    Ranking size = show_ranking(lab, bags, "삼성 노트북 배터리 사이즈");
    Ranking battery = show_ranking(lab, bags, "the battery of the laptop");
    trace(lab->trace, "\nCounts alone find the document with the most `the`; TF-IDF finds the laptop's battery.\n");
    Ranking phone = show_ranking(lab, bags, "핸드폰 배터리");
    Ranking synonym = rank_documents(bags, "핸드폰");
    trace(lab->trace, "\nBut 핸드폰 is in no document, so only 배터리 counts, and the laptop's document (D1) beats\n"
                      "the one about a 스마트폰 (D2).  `핸드폰` alone finds nothing: TF-IDF weighs words, it does\n"
                      "not know what they mean.\n");
    claim(lab->claims,
          (Claim){.id = "tfidf-finds",
                  .source = "lecture: TF-IDF, search example",
                  .statement =
                      "삼성 노트북 배터리 사이즈 finds the document about 삼성 노트북 배터리 용량 first (its number)",
                  .measured = size.best_by_weights + 1,
                  .test = EQUALS,
                  .bound = 1});
    claim(lab->claims,
          (Claim){.id = "idf-ignores-the",
                  .source = "lecture: inverse document frequency",
                  .statement = "for `the battery of the laptop` counts put a document without any battery first, "
                               "TF-IDF the one about a laptop's battery, D5 (its number)",
                  .measured = battery.best_by_counts == 4 ? 0 : battery.best_by_weights + 1,
                  .test = EQUALS,
                  .bound = 5});
    claim(lab->claims, (Claim){.id = "tfidf-synonym",
                               .source = "lecture: limits of TF-IDF",
                               .statement = "핸드폰 has cosine 0 with the document about a 스마트폰",
                               .measured = synonym.weights[1],
                               .test = EQUALS,
                               .bound = 0});
    claim(lab->claims,
          (Claim){.id = "tfidf-misled",
                  .source = "lecture: limits of TF-IDF",
                  .statement = "for 핸드폰 배터리 the document about a laptop's battery comes before the one about "
                               "a 스마트폰's (difference of cosines)",
                  .measured = phone.weights[0] - phone.weights[1],
                  .test = ABOVE,
                  .bound = 0});
}

/* ---- a student's own text: every line is a document ------------------------------ */

enum { LONGEST = 1000, FOUND = 8 };

typedef struct {
    double cosine;
    long line;
    char *text;
} Hit;

static int compare_ints(const void *a, const void *b)
{
    int left = *(const int *)a, right = *(const int *)b;
    return (left > right) - (left < right);
}

/* Counts, for each word, the lines that have it; returns the number of lines with words. */
static long line_frequencies(Corpus *corpus, const Vocab *vocab, int *frequency)
{
    int ids[LONGEST], n;
    long lines = 0;
    while ((n = corpus_sentence(corpus, vocab, -1, ids, LONGEST)) >= 0) {
        qsort(ids, (size_t)n, sizeof *ids, compare_ints);
        for (int i = 0; i < n; i++)
            frequency[ids[i]] += i == 0 || ids[i] != ids[i - 1];
        lines += n > 0;
    }
    return lines;
}

/* The cosine of a line with the query; SORTED has the line's words in order. */
static double line_cosine(const int *sorted, int n, const double *idf, const double *query, double query_norm)
{
    double dot = 0, norm = 0;
    for (int i = 0, j; i < n; i = j) {
        for (j = i; j < n && sorted[j] == sorted[i]; j++)
            ;
        double weight = (j - i) * idf[sorted[i]];
        dot += weight * query[sorted[i]];
        norm += weight * weight;
    }
    return norm > 0 && query_norm > 0 ? dot / sqrt(norm * query_norm) : 0;
}

static char *join_words(const int *ids, int n, const Vocab *vocab)
{
    enum { SHOWN = 12, SIZE = SHOWN * (TOKEN_MAX + 1) + 8 };
    char *text = memory_new(SIZE, 1, "a line");
    int used = 0;
    for (int i = 0; i < n && i < SHOWN; i++)
        used += snprintf(text + used, (size_t)(SIZE - used), "%s%s", i ? " " : "", vocab->word[ids[i]]);
    if (n > SHOWN)
        snprintf(text + used, (size_t)(SIZE - used), " ...");
    return text;
}

/* Keeps the best FOUND hits, best first; of equals the earlier line. */
static void keep(Hit *hits, Hit new)
{
    int at = FOUND - 1;
    free(hits[at].text);
    for (; at > 0 && hits[at - 1].cosine < new.cosine; at--)
        hits[at] = hits[at - 1];
    hits[at] = new;
}

static void search_lines(Corpus *corpus, const Vocab *vocab, const double *idf, const double *query, Hit *hits)
{
    int ids[LONGEST], sorted[LONGEST], n;
    double query_norm = 0;
    for (int t = 0; t < vocab->size; t++)
        query_norm += query[t] * query[t];
    for (long line = 1; (n = corpus_sentence(corpus, vocab, -1, ids, LONGEST)) >= 0; line++) {
        memcpy(sorted, ids, (size_t)n * sizeof *ids);
        qsort(sorted, (size_t)n, sizeof *sorted, compare_ints);
        double c = line_cosine(sorted, n, idf, query, query_norm);
        if (c > hits[FOUND - 1].cosine)
            keep(hits, (Hit){c, line, join_words(ids, n, vocab)});
    }
}

static void search_own_text(Lab *lab, OneHot *self)
{
    Hit hits[FOUND] = {0};
    Corpus *corpus = onehot_corpus(lab, self);
    const Vocab *vocab = onehot_vocab(lab, self);
    int *frequency = memory_new((size_t)vocab->size, sizeof *frequency, "document frequencies");
    double *idf = memory_new((size_t)vocab->size, sizeof *idf, "document frequencies");
    double *query = memory_new((size_t)vocab->size, sizeof *query, "the query");
    long lines = line_frequencies(corpus, vocab, frequency);
    for (int t = 0; t < vocab->size; t++)
        idf[t] = log64((double)lines / frequency[t]);

    int n, known = 0;
    char **words = text_split(self->query, "--query", &n);
    for (int i = 0; i < n; i++) {
        int t = vocab_find(vocab, words[i]);
        if (t != VOCAB_NONE)
            query[t] += idf[t], known++;
    }
    free(words);
    corpus_rewind(corpus);
    search_lines(corpus, vocab, idf, query, hits);
    trace(lab->trace,
          "\nYour query in your text, each of its %ld lines a document: %s\n"
          "(%d of the query's %d words occur in the text)\n\n",
          lines, self->query, known, n);
    trace_table(lab->trace, "line\tcosine of TF-IDF\ttext");
    for (int i = 0; i < FOUND; i++) {
        if (hits[i].text)
            trace_row(lab->trace, "%ld\t%.3f\t%s", hits[i].line, hits[i].cosine, hits[i].text);
        free(hits[i].text);
    }
    trace_table_end(lab->trace);
    free(frequency);
    free(idf);
    free(query);
    corpus_close(corpus);
}

static void search_own_query(Lab *lab, const OneHot *self, const Bags *bags)
{
    real bag[MOST_TERMS];
    trace(lab->trace, "\nYour own query:\n");
    if (query_bag(bag, bags, self->query, false) > 0)
        show_ranking(lab, bags, self->query);
    else
        trace(lab->trace, "\nNone of the words of \"%s\" is in any of the six documents: every cosine is 0.\n",
              self->query);
}

void step_documents(Lab *lab, void *state)
{
    OneHot *self = state;
    Bags *bags = memory_new(1, sizeof *bags, "bags of words");
    count_terms(bags);
    weigh_terms(bags);
    show_tables(lab, bags);
    draw_heatmap(lab, bags);
    rank_examples(lab, bags);
    if (self->query)
        search_own_query(lab, self, bags);
    if (self->query && self->corpus_file)
        search_own_text(lab, self);
    vocab_free(bags->terms);
    free(bags);
}
