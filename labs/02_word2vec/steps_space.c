/* steps_space.c: step 4: what the vectors know. */
#include "word2vec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

/* ---- neighbours ------------------------------------------------------------------- */

char *neighbours_text(const Vectors *vectors, const char *word, int k)
{
    enum { MOST = 32 };
    Neighbour nearest[MOST];
    int w = vocab_find(vectors->vocab, word);
    int n = vectors_nearest(vectors, vectors->unit + (size_t)w * vectors->stride, &w, 1, NULL, k, nearest);
    size_t room = 1;
    for (int i = 0; i < n; i++)
        room += strlen(vectors->vocab->word[nearest[i].word]) + 16;
    char *text = memory_new(room, 1, "a list of neighbours");
    for (int i = 0; i < n; i++) {
        size_t at = strlen(text);
        snprintf(text + at, room - at, "%s%s %.2f", i ? ", " : "", vectors->vocab->word[nearest[i].word],
                 (double)nearest[i].cosine);
    }
    return text;
}

void trace_neighbours(Lab *lab, const Vectors *vectors, const char *word, int k)
{
    enum { SPELLINGS = 5 };
    if (vocab_find(vectors->vocab, word) != VOCAB_NONE) {
        char *text = neighbours_text(vectors, word, k);
        trace(lab->trace, "    %s: %s\n", word, text);
        free(text);
        return;
    }
    int found[SPELLINGS], n = near_spellings(vectors->vocab, word, found, SPELLINGS);
    trace(lab->trace, "    \"%s\" is not among the %d words.", word, vectors->words);
    for (int i = 0; i < n; i++)
        trace(lab->trace, "%s%s", i ? ", " : " Spelled like it: ", vectors->vocab->word[found[i]]);
    trace(lab->trace, "\n");
}

static void show_neighbours(Lab *lab, Word2Vec *self)
{
    static const char *const words[] = {"은행", "핸드폰", "서울", "bank", "phone", "queen", "puppy"};
    const Vectors *vectors = self->vectors[SKIPGRAM][NEGATIVE_SAMPLING];
    trace(lab->trace, "Nearest neighbours by cosine (skip-gram, negative sampling):\n\n");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        trace_neighbours(lab, vectors, words[i], 5);
    if (self->similar) {
        trace(lab->trace, "\n--similar:\n");
        trace_neighbours(lab, vectors, self->similar, 10);
    }
    trace(lab->trace, "\n");
}

/* ---- synonyms ------------------------------------------------------------------------ */

/* One-hot vectors have a 1 at the word's own number and 0 elsewhere. */
static double one_hot_cosine(const Vocab *vocab, const char *a, const char *b)
{
    int x = vocab_find(vocab, a), y = vocab_find(vocab, b);
    double dot = 0;
    for (int i = 0; i < vocab->size; i++)
        dot += (i == x) * (i == y);
    return dot;
}

static void show_synonyms(Lab *lab, Word2Vec *self)
{
    const Vectors *vectors = self->vectors[SKIPGRAM][NEGATIVE_SAMPLING];
    double least = 1, most = -1, symbols = 0;
    trace(lab->trace, "Pairs that mean nearly the same, and crosses that do not:\n\n");
    trace_table(lab->trace, "pair\tcosine\tcross\tcosine\tpair as one-hot");
    for (int i = 0; i < WORDWORLD_SYNONYMS; i++) {
        const char *a = wordworld_synonyms[i][0], *b = wordworld_synonyms[i][1];
        const char *c = wordworld_synonyms[i - i % 2][i % 2], *d = wordworld_synonyms[i - i % 2 + 1][i % 2];
        double close = (double)vectors_cosine(vectors, a, b), cross = (double)vectors_cosine(vectors, c, d);
        trace_row(lab->trace, "%s – %s\t%.3f\t%s – %s\t%.3f\t%.0f", a, b, close, c, d, cross,
                  one_hot_cosine(vectors->vocab, a, b));
        symbols += one_hot_cosine(vectors->vocab, a, b);
        least = close < least ? close : least;
        most = cross > most ? cross : most;
    }
    trace_table_end(lab->trace);
    trace(lab->trace, "\n");
    claim(lab->claims, (Claim){.id = "synonyms-one-hot",
                               .statement = "as one-hot vectors the four pairs have cosine 0: the sum of all four",
                               .source = "lecture 1: one-hot vectors are orthogonal",
                               .measured = symbols,
                               .test = EQUALS,
                               .bound = 0});
    claim(lab->claims,
          (Claim){.id = "synonyms-close",
                  .statement = "은행–금융, 핸드폰–스마트폰, bank–finance, phone–smartphone, all 0 as one-hot "
                               "vectors: the lowest cosine",
                  .source = "lecture 2: similar words get similar vectors",
                  .measured = least,
                  .test = AT_LEAST,
                  .bound = 0.75});
    claim(lab->claims,
          (Claim){.id = "synonyms-above-crosses",
                  .statement = "the lowest of these is clearly above the highest of 은행–핸드폰, 금융–스마트폰, "
                               "bank–phone, finance–smartphone",
                  .source = "lecture 2: similar words get similar vectors",
                  .measured = least - most,
                  .test = AT_LEAST,
                  .bound = 0.1});
}

/* ---- categories and analogies ---------------------------------------------------------- */

/* Vectors as they were before training. */
static double purity_untrained(Lab *lab, Word2Vec *self)
{
    Setting setting = world_setting(lab, SKIPGRAM, NEGATIVE_SAMPLING);
    Rng rng = lab_rng(lab, "untrained");
    Model *model = model_new(self->text, &setting, NULL, &rng);
    Vectors *vectors = vectors_of_model(model, self->text->vocab);
    double share = purity(vectors, self->world, 0, UINT64_MAX);
    vectors_free(vectors);
    model_free(model);
    return share;
}

static void show_quality(Lab *lab, Word2Vec *self)
{
    static const char *const name[] = {"skip-gram, negative sampling", "skip-gram, hierarchical softmax",
                                       "CBOW, negative sampling", "CBOW, hierarchical softmax",
                                       "skip-gram, noise of a window"};
    static const char *const purity_id[] = {"purity-skipgram-ns", "purity-skipgram-hs", "purity-cbow-ns",
                                            "purity-cbow-hs", "purity-skipgram-window"};
    static const char *const analogy_id[] = {"analogies-skipgram-ns", "analogies-skipgram-hs", "analogies-cbow-ns",
                                             "analogies-cbow-hs", "analogies-skipgram-window"};
    static const char *const purity_text[] = {
        "skip-gram with negative sampling: share of the 5 nearest category words that are of a word's own category",
        "the same with hierarchical softmax", "the same for CBOW with negative sampling",
        "the same for CBOW with hierarchical softmax",
        "the same for skip-gram with noise words that all pairs of a window share"};
    static const char *const analogy_text[] = {
        "skip-gram with negative sampling: analogies of three families answered, mean share",
        "the same with hierarchical softmax", "the same for CBOW with negative sampling",
        "the same for CBOW with hierarchical softmax",
        "the same for skip-gram with noise words that all pairs of a window share"};
    double untrained = purity_untrained(lab, self);
    trace(lab->trace,
          "Purity: of the 5 nearest category words, the share of the word's own category (20 categories).\n"
          "Analogies: king - man + woman = queen, among all %d words; right answers of each family.\n\n",
          self->text->vocab->size);
    trace_table(lab->trace, "model\tpurity\tgender\tyoung\tcapital\tmean\tmultiply-adds a word");
    for (int i = 0; i < 5; i++) {
        const Vectors *vectors = i < 4 ? self->vectors[i / 2][i % 2] : self->window_vectors;
        const Course *course = i < 4 ? &self->course[i / 2][i % 2] : &self->window_course;
        double share = purity(vectors, self->world, 0, UINT64_MAX), right[WORDWORLD_FAMILIES], mean = 0;
        int asked;
        for (int f = 0; f < WORDWORLD_FAMILIES; f++) {
            right[f] = analogies(vectors, self->world, f, &asked);
            mean += right[f] / WORDWORLD_FAMILIES;
        }
        trace_row(lab->trace, "%s\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.0f", name[i], share, right[0], right[1], right[2],
                  mean, course->multiply_adds / course->words);
        claim(lab->claims, (Claim){.id = purity_id[i],
                                   .statement = purity_text[i],
                                   .source = "lecture 2: words of similar meaning are near each other",
                                   .measured = share,
                                   .test = AT_LEAST,
                                   .bound = i == 2 || i == 3 ? 0.93 : 0.95});
        claim(lab->claims, (Claim){.id = analogy_id[i],
                                   .statement = analogy_text[i],
                                   .source = "Mikolov et al. 2013; lecture 2: king - man + woman = queen",
                                   .measured = mean,
                                   .test = AT_LEAST,
                                   .bound = 0.8});
    }
    trace_row(lab->trace, "untrained\t%.3f\t\t\t\t\t", untrained);
    trace_table_end(lab->trace);
    trace(lab->trace, "\nNoise of a window: the pairs around a centre share five noise words instead of drawing five each. As many\n"
                      "products, a third of the rows to fetch from memory: what step 9 does with large texts.\n\n");
    claim(lab->claims, (Claim){.id = "purity-untrained",
                               .statement = "before training the purity is chance: about 1 of 20",
                               .source = "control",
                               .measured = untrained,
                               .test = AT_MOST,
                               .bound = 0.1});
}

static void show_analogies(Lab *lab, Word2Vec *self)
{
    static const char *const asked[][3] = {
        {"man", "woman", "king"}, {"dog", "puppy", "cat"}, {"서울", "한국", "도쿄"}, {"한국", "서울", "프랑스"}};
    const Vectors *vectors = self->vectors[SKIPGRAM][NEGATIVE_SAMPLING];
    int stride = vectors->stride;
    real *query = memory_new((size_t)stride, sizeof *query, "an analogy");
    for (size_t q = 0; q < sizeof asked / sizeof *asked; q++) {
        int w[3];
        Neighbour nearest[3];
        for (int i = 0; i < 3; i++)
            w[i] = vocab_find(vectors->vocab, asked[q][i]);
        if (w[0] < 0 || w[1] < 0 || w[2] < 0)
            continue;
        for (int i = 0; i < stride; i++)
            query[i] = vectors->unit[(size_t)w[1] * stride + i] - vectors->unit[(size_t)w[0] * stride + i] +
                       vectors->unit[(size_t)w[2] * stride + i];
        int n = vectors_nearest(vectors, query, w, 3, NULL, 3, nearest);
        trace(lab->trace, "    %s - %s + %s =", asked[q][1], asked[q][0], asked[q][2]);
        for (int i = 0; i < n; i++)
            trace(lab->trace, "%s %s %.2f", i ? "," : "", vectors->vocab->word[nearest[i].word],
                  (double)nearest[i].cosine);
        trace(lab->trace, "\n");
    }
    trace(lab->trace, "\n");
    free(query);
}

/* ---- figures ---------------------------------------------------------------------------- */

/* The vectors of N words, one behind the other. */
static real *rows_of(const Vectors *vectors, const int *words, int n)
{
    real *rows = memory_new((size_t)n * vectors->stride, sizeof *rows, "a map");
    for (int i = 0; i < n; i++)
        memcpy(rows + (size_t)i * vectors->stride, vectors->unit + (size_t)words[i] * vectors->stride,
               (size_t)vectors->stride * sizeof *rows);
    return rows;
}

/* All words of the categories of one language, a colour each; the most frequent of
 * each with its name. */
static void map_of_categories(Figure *figure, Word2Vec *self, bool korean, real share[2])
{
    enum { MOST = 512, NAMED = 2 };
    const Vectors *vectors = self->vectors[SKIPGRAM][NEGATIVE_SAMPLING];
    int words[MOST], n = 0;
    for (int w = 0; w < vectors->words && n < MOST; w++)
        if (self->category[w] >= 0 && wordworld_category_korean(self->category[w]) == korean)
            words[n++] = w;
    real *rows = rows_of(vectors, words, n), xy[2 * MOST], x[MOST], y[MOST];
    principal_components(rows, n, vectors->dimension, vectors->stride, xy, share);
    Panel *panel = figure_panel(figure, korean ? "Korean" : "English", "first component", "second component");
    panel_key(panel, KEY_OUTSIDE);
    for (int c = 0; c < wordworld_categories(); c++) {
        const char *names[MOST];
        int members = 0;
        for (int i = 0; i < n; i++)
            if (self->category[words[i]] == c) {
                names[members] = members < NAMED ? vectors->vocab->word[words[i]] : "";
                x[members] = xy[2 * i];
                y[members++] = xy[2 * i + 1];
            }
        if (members > 0)
            panel_points(panel, wordworld_category_name(c), x, y, names, members);
    }
    free(rows);
}

/* Both members of each pair of a family, and a line between them. */
static void map_of_pairs(Figure *figure, Word2Vec *self, int family, const char *title)
{
    enum { MOST = 64 };
    const Vectors *vectors = self->vectors[SKIPGRAM][NEGATIVE_SAMPLING];
    int words[MOST], n = 0;
    for (int i = 0; 2 * i + 1 < MOST && wordworld_pair(self->world, family, i, 1); i++) {
        int a = vocab_find(vectors->vocab, wordworld_pair(self->world, family, i, 1));
        int b = vocab_find(vectors->vocab, wordworld_pair(self->world, family, i, 2));
        if (a != VOCAB_NONE && b != VOCAB_NONE) {
            words[n++] = a;
            words[n++] = b;
        }
    }
    real *rows = rows_of(vectors, words, n), xy[2 * MOST], share[2];
    principal_components(rows, n, vectors->dimension, vectors->stride, xy, share);
    Panel *panel = figure_panel(figure, title, "first component", "second component");
    panel_key(panel, KEY_NONE);
    for (int i = 0; i + 1 < n; i += 2) {
        real x[2] = {xy[2 * i], xy[2 * i + 2]}, y[2] = {xy[2 * i + 1], xy[2 * i + 3]};
        panel_reference(panel, NULL, x, y, 2);
    }
    for (int side = 0; side < 2; side++) {
        real x[MOST], y[MOST];
        const char *names[MOST];
        for (int i = 0; i < n / 2; i++) {
            x[i] = xy[2 * (2 * i + side)];
            y[i] = xy[2 * (2 * i + side) + 1];
            names[i] = vectors->vocab->word[words[2 * i + side]];
        }
        panel_points(panel, side ? "second" : "first", x, y, names, n / 2);
    }
    free(rows);
}

static void draw_map(Lab *lab, Word2Vec *self)
{
    real english[2], korean[2];
    Figure *figure = figure_begin(lab->figures, "embedding_map", "The space, seen from its two widest sides (PCA)");
    figure_layout(figure, 2, 680, 520);
    map_of_categories(figure, self, false, english);
    map_of_categories(figure, self, true, korean);
    figure_end(figure);
    figure = figure_begin(lab->figures, "analogy_map", "The same step leads from every first to its second");
    map_of_pairs(figure, self, 2, "countries and capitals");
    map_of_pairs(figure, self, 0, "man and woman, king and queen, ...");
    figure_end(figure);
    trace(lab->trace,
          "The map (embedding_map) shows 2 of 64 dimensions: %.0f%% and %.0f%% of the variance of the English\n"
          "words, %.0f%% and %.0f%% of the Korean ones. What overlaps in it need not be near in the space.\n",
          100 * (double)english[0], 100 * (double)english[1], 100 * (double)korean[0], 100 * (double)korean[1]);
}

static void draw_cosines(Lab *lab, Word2Vec *self)
{
    static const char *const words[] = {"은행", "금융",    "핸드폰", "스마트폰",   "사과",
                                        "bank", "finance", "phone",  "smartphone", "apple"};
    enum { WORDS = sizeof words / sizeof *words };
    const Vectors *vectors = self->vectors[SKIPGRAM][NEGATIVE_SAMPLING];
    real one_hot[WORDS * WORDS], learned[WORDS * WORDS];
    for (int i = 0; i < WORDS; i++)
        for (int j = 0; j < WORDS; j++) {
            one_hot[i * WORDS + j] = (real)one_hot_cosine(vectors->vocab, words[i], words[j]);
            learned[i * WORDS + j] = vectors_cosine(vectors, words[i], words[j]);
        }
    Figure *figure = figure_begin(lab->figures, "cosine_heatmap", "Cosine of words: as symbols, and learned");
    panel_heatmap(figure_panel(figure, "one-hot", NULL, NULL), one_hot, WORDS, WORDS, words, words, SIGNED);
    panel_heatmap(figure_panel(figure, "skip-gram", NULL, NULL), learned, WORDS, WORDS, words, words, SIGNED);
    figure_end(figure);
}

void step_space(Lab *lab, void *state)
{
    Word2Vec *self = state;
    need_models(lab, self);
    trace(lab->trace,
          "The text: %d sentences of a small world, %llu words, %d different; %d epochs, vectors of 64 numbers.\n"
          "Nobody told the program what any word means, which words are Korean, or that there are categories.\n\n",
          self->text->sentences, (unsigned long long)self->text->tokens, self->text->vocab->size,
          self->course[0][0].epochs);
    show_neighbours(lab, self);
    show_synonyms(lab, self);
    show_analogies(lab, self);
    show_quality(lab, self);
    draw_map(lab, self);
    draw_cosines(lab, self);
}
