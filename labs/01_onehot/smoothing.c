/* Step 6, second half: n-gram models of a whole text: how much they have never
 * seen, how well they predict, and what they say. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maths.h"
#include "memory.h"
#include "onehot.h"
#include "parts.h"

/* ---- how much was never seen --------------------------------------------------------- */

/* The text in three sizes: its first tenth, its first third, all of it. */
enum { SIZES = 3, TENTH = 0, ALL = SIZES - 1 };
static const int DIVIDED_BY[SIZES] = {10, 3, 1};

static double percent_unseen(const Counts *test, int n)
{
    long unseen = 0;
    for (long t = 0; t < test->words; t++)
        unseen += test->count[n][t] == 0;
    return 100.0 * (double)unseen / (double)test->words;
}

static void draw_sparsity(Lab *lab, Text *const *texts, real unseen[SIZES][NGRAM_MOST])
{
    real order[NGRAM_MOST], seen[NGRAM_MOST], possible[NGRAM_MOST], all = 1;
    for (int n = 1; n <= NGRAM_MOST; n++) {
        order[n - 1] = (real)n;
        possible[n - 1] = all *= (real)texts[ALL]->vocab->size;
        seen[n - 1] = (real)texts[ALL]->grams->distinct[n];
    }
    Figure *figure = figure_begin(lab->figures, "ngram_sparsity", "The longer the n-gram, the rarer it was seen");
    figure_layout(figure, 2, 640, 520);
    Panel *share = figure_panel(figure, "test n-grams never seen in training", "n", "percent");
    for (int i = 0; i < SIZES; i++) {
        char label[80];
        snprintf(label, sizeof label, "%ld words of text", texts[i]->words);
        panel_line(share, label, order, unseen[i], NGRAM_MOST);
    }
    Panel *kinds = figure_panel(figure, "different n-grams", "n", "number");
    panel_log_y(kinds);
    panel_line(kinds, "possible: V^n", order, possible, NGRAM_MOST);
    panel_line(kinds, "seen in training", order, seen, NGRAM_MOST);
    figure_end(figure);
}

static void sparsity(Lab *lab, Text *const *texts, const char *skipped)
{
    real unseen[SIZES][NGRAM_MOST];
    int rises = 0;
    double possible = 1;
    trace(lab->trace, "\nHow many n-grams of the test part were never seen in training?  V = %d\n\n",
          texts[ALL]->vocab->size);
    trace_table(lab->trace, "n\tpossible V^n\tseen in training\tunseen in the test\tfrom 1/3 of the text\tfrom 1/10");
    for (int n = 1; n <= NGRAM_MOST; n++) {
        for (int i = 0; i < SIZES; i++)
            unseen[i][n - 1] = (real)percent_unseen(&texts[i]->counts[TEST], n);
        possible *= texts[ALL]->vocab->size;
        rises += n > 1 && unseen[ALL][n - 1] > unseen[ALL][n - 2];
        trace_row(lab->trace, "%d\t%.3g\t%ld\t%.1f %%\t%.1f %%\t%.1f %%", n, possible, texts[ALL]->grams->distinct[n],
                  (double)unseen[2][n - 1], (double)unseen[1][n - 1], (double)unseen[0][n - 1]);
    }
    trace_table_end(lab->trace);
    trace(lab->trace, "\n%sFigure ngram_sparsity.\n",
          skipped ? ""
                  : "The built-in text is made from a few hundred patterns; in real prose far more is new:\n"
                    "try --corpus with a book.  ");
    draw_sparsity(lab, texts, unseen);
    claim(lab->claims,
          (Claim){.id = "sparsity-grows",
                  .source = "lecture: sparsity problem of n-grams",
                  .statement = "the share of unseen test n-grams grows with every word of history (steps of 4)",
                  .measured = rises,
                  .test = EQUALS,
                  .bound = 4,
                  .skipped = skipped});
}

/* ---- perplexity ----------------------------------------------------------------------- */

/* PP = exp(-1/T sum_t log P(w_t | h_t)); infinite as soon as one P is 0. */
static double perplexity_of(double log_sum, long words)
{
    return exp64(-log_sum / (double)words);
}

static double perplexity_likelihood(const Counts *counts, int n)
{
    double sum = 0;
    for (long t = 0; t < counts->words; t++)
        sum += log64(probability_likelihood(counts->count[n][t], counts->history[n][t]));
    return perplexity_of(sum, counts->words);
}

static double perplexity_add_k(const Counts *counts, int n, double k, int vocabulary)
{
    double sum = 0;
    for (long t = 0; t < counts->words; t++)
        sum += log64(probability_add_k(counts->count[n][t], counts->history[n][t], k, vocabulary));
    return perplexity_of(sum, counts->words);
}

static double perplexity_interpolated(const Counts *counts, int order, const double *lambda, int vocabulary)
{
    double sum = 0;
    for (long t = 0; t < counts->words; t++) {
        double p = 1.0 / vocabulary;
        for (int n = 1; n <= order; n++)
            p = probability_interpolate(p, counts->count[n][t], counts->history[n][t], lambda[n]);
        sum += log64(p);
    }
    return perplexity_of(sum, counts->words);
}

/* The k with the least perplexity on the validation part. */
static double choose_k(const Counts *validation, int n, int vocabulary)
{
    static const double tried[] = {3, 1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001, 0.00003};
    double best = INFINITY, chosen = tried[0];
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) {
        double perplexity = perplexity_add_k(validation, n, tried[i], vocabulary);
        if (perplexity < best) {
            best = perplexity;
            chosen = tried[i];
        }
    }
    return chosen;
}

/* The lambda[n] with the least perplexity there, given those of shorter histories. */
static void choose_lambda(double *lambda, const Counts *validation, int n, int vocabulary)
{
    static const double tried[] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999};
    double best = INFINITY, chosen = 0;
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) {
        lambda[n] = tried[i];
        double perplexity = perplexity_interpolated(validation, n, lambda, vocabulary);
        if (perplexity < best) {
            best = perplexity;
            chosen = lambda[n];
        }
    }
    lambda[n] = chosen;
}

typedef struct {
    double training[NGRAM_MOST + 1], likelihood[NGRAM_MOST + 1], add_one[NGRAM_MOST + 1], add_k[NGRAM_MOST + 1],
        interpolated[NGRAM_MOST + 1], k[NGRAM_MOST + 1], lambda[NGRAM_MOST + 1];
} Perplexities;

static Perplexities measure_perplexities(const Text *text)
{
    const Counts *training = &text->counts[TRAINING], *validation = &text->counts[VALIDATION];
    const Counts *test = &text->counts[TEST];
    int v = text->vocab->size;
    Perplexities p = {.training = {0}};
    for (int n = 1; n <= NGRAM_MOST; n++) {
        p.k[n] = choose_k(validation, n, v);
        choose_lambda(p.lambda, validation, n, v);
        p.training[n] = perplexity_likelihood(training, n);
        p.likelihood[n] = perplexity_likelihood(test, n);
        p.add_one[n] = perplexity_add_k(test, n, 1, v);
        p.add_k[n] = perplexity_add_k(test, n, p.k[n], v);
        p.interpolated[n] = perplexity_interpolated(test, n, p.lambda, v);
    }
    return p;
}

static void series(Panel *panel, const char *label, const double *values)
{
    real x[NGRAM_MOST], y[NGRAM_MOST];
    int count = 0;
    for (int n = 1; n <= NGRAM_MOST; n++)
        if (isfinite(values[n])) {
            x[count] = (real)n;
            y[count++] = (real)values[n];
        }
    if (count > 0)
        panel_line(panel, label, x, y, count);
}

/* The infinite ones stand as marks at the upper edge. */
static void infinite_marks(Panel *panel, const double *values, double edge)
{
    real x[NGRAM_MOST], y[NGRAM_MOST];
    int count = 0;
    for (int n = 1; n <= NGRAM_MOST; n++)
        if (!isfinite(values[n])) {
            x[count] = (real)n;
            y[count++] = (real)edge;
        }
    if (count > 0)
        panel_points(panel, "no smoothing: infinite", x, y, NULL, count);
}

static int lowest(const double *values)
{
    int best = 1;
    for (int n = 2; n <= NGRAM_MOST; n++)
        best = values[n] < values[best] ? n : best;
    return best;
}

static void draw_methods(Panel *panel, const Perplexities *p)
{
    double highest = p->add_one[1];
    for (int n = 2; n <= NGRAM_MOST; n++)
        highest = p->add_one[n] > highest ? p->add_one[n] : highest;
    series(panel, "add one", p->add_one);
    series(panel, "add k, k chosen", p->add_k);
    series(panel, "interpolated", p->interpolated);
    series(panel, "on its own training text", p->training);
    infinite_marks(panel, p->likelihood, 2 * highest);
}

static void claim_perplexities(Lab *lab, const Perplexities *p, const char *skipped)
{
    int infinite = 0, falls = 0, best = lowest(p->add_k), best_interpolated = lowest(p->interpolated);
    for (int n = 2; n <= NGRAM_MOST; n++) {
        infinite += isinf(p->likelihood[n]) != 0;
        falls += p->training[n] < p->training[n - 1];
    }
    claim(lab->claims,
          (Claim){.id = "unsmoothed-infinite",
                  .source = "lecture: zero counts need smoothing",
                  .statement =
                      "without smoothing the test perplexity is infinite for every n from 2 to 5 (how many of 4)",
                  .measured = infinite,
                  .test = EQUALS,
                  .bound = 4,
                  .skipped = skipped});
    claim(lab->claims,
          (Claim){.id = "training-falls",
                  .source = "lecture: longer histories predict better",
                  .statement = "on the text it was counted in, every longer history predicts better (steps of 4)",
                  .measured = falls,
                  .test = EQUALS,
                  .bound = 4,
                  .skipped = skipped});
    claim(lab->claims, (Claim){.id = "u-curve-bottom",
                               .source = "lecture: the trade-off of n",
                               .statement = "on a new text add-k is best neither at n = 1 nor at n = 5, but at n =",
                               .measured = best,
                               .test = BETWEEN,
                               .bound = 2,
                               .upper = 4,
                               .skipped = skipped});
    claim(lab->claims, (Claim){.id = "u-curve-rises",
                               .source = "lecture: the trade-off of n",
                               .statement = "and at n = 5 its perplexity is higher again (times the lowest)",
                               .measured = p->add_k[NGRAM_MOST] / p->add_k[best],
                               .test = AT_LEAST,
                               .bound = 1.1,
                               .skipped = skipped});
    claim(lab->claims,
          (Claim){.id = "interpolation-no-u",
                  .source = "Jelinek & Mercer 1980; Chen & Goodman 1999, section 2",
                  .statement = "falling back on shorter histories, a long one does no harm: perplexity at n = 5 "
                               "(times the lowest)",
                  .measured = p->interpolated[NGRAM_MOST] / p->interpolated[best_interpolated],
                  .test = AT_MOST,
                  .bound = 1.02,
                  .skipped = skipped});
    claim(lab->claims, (Claim){.id = "interpolation-better",
                               .source = "Chen & Goodman 1999, section 5",
                               .statement = "and is lower than add-k's there (times add-k's)",
                               .measured = p->interpolated[NGRAM_MOST] / p->add_k[NGRAM_MOST],
                               .test = BELOW,
                               .bound = 1,
                               .skipped = skipped});
}

/* The U-curve of add-k by size of the text: the less of it, the sooner a longer
 * history hurts. */
static void less_text(Lab *lab, Text *const *texts, Panel *panel, const char *skipped)
{
    double curve[SIZES][NGRAM_MOST + 1] = {{0}}, rise[SIZES];
    trace(lab->trace, "\nWith less text the U is steeper (add k, constants chosen again):\n\n");
    trace_table(lab->trace, "words\tn = 1\tn = 2\tn = 3\tn = 4\tn = 5\tn = 5 / lowest");
    for (int i = 0; i < SIZES; i++) {
        char label[80];
        const Counts *validation = &texts[i]->counts[VALIDATION], *test = &texts[i]->counts[TEST];
        int v = texts[i]->vocab->size;
        for (int n = 1; n <= NGRAM_MOST; n++)
            curve[i][n] = perplexity_add_k(test, n, choose_k(validation, n, v), v);
        rise[i] = curve[i][NGRAM_MOST] / curve[i][lowest(curve[i])];
        trace_row(lab->trace, "%ld\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f", texts[i]->words, curve[i][1], curve[i][2],
                  curve[i][3], curve[i][4], curve[i][5], rise[i]);
        snprintf(label, sizeof label, "%ld words", texts[i]->words);
        series(panel, label, curve[i]);
    }
    trace_table_end(lab->trace);
    trace(lab->trace, "\n(Compare the shapes, not the heights: with less text more words are <unk>, which is\n"
                      "easy to predict.)\n");
    claim(lab->claims,
          (Claim){.id = "u-curve-less-text",
                  .source = "lecture: sparsity problem of n-grams",
                  .statement = "with a tenth of the text the perplexity of n = 5 is further above the lowest "
                               "(times as far as with all)",
                  .measured = rise[TENTH] / rise[ALL],
                  .test = ABOVE,
                  .bound = 1,
                  .skipped = skipped      ? skipped
                             : lab->quick ? "a tenth of the text of --quick is too little to measure it on"
                                          : NULL});
}

static Panel *perplexity_panel(Figure *figure, const char *title)
{
    Panel *panel = figure_panel(figure, title, "n", "perplexity (lower is better)");
    panel_log_y(panel);
    panel_range_x(panel, 0.7, NGRAM_MOST + 0.6);
    return panel;
}

static void perplexities(Lab *lab, Text *const *texts, const char *skipped)
{
    Perplexities p = measure_perplexities(texts[ALL]);
    trace(lab->trace, "\nPerplexity: among how many equally likely words the model seems to choose.  k and\n"
                      "lambda are those that are best on the validation part; the test part chooses nothing.\n\n");
    trace_equation(lab->trace, HERE, "PP = exp(-1/T sum_t log P(w_t | h_t)), in perplexity_of");
    trace_equation(lab->trace, HERE, "none:  P = c(h,w) / c(h), in probability_likelihood");
    trace_equation(lab->trace, HERE, "add k: P = (c(h,w) + k) / (c(h) + k V), in probability_add_k");
    trace_equation(lab->trace, HERE, "mixed: P_n = lambda_n c(h,w)/c(h) + (1 - lambda_n) P_n-1");
    trace(lab->trace, "\n");
    trace_table(lab->trace, "n\ttraining\ttest, none\tadd 1\tadd k\tk\tinterpolated\tlambda");
    for (int n = 1; n <= NGRAM_MOST; n++)
        trace_row(lab->trace, "%d\t%.2f\t%.2f\t%.2f\t%.2f\t%g\t%.2f\t%g", n, p.training[n], p.likelihood[n],
                  p.add_one[n], p.add_k[n], p.k[n], p.interpolated[n], p.lambda[n]);
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\n%sn its own text every longer history is better: it learns the text by heart.\n"
          "On a new text one unseen n-gram makes the unsmoothed perplexity infinite; with add-k\n"
          "it falls and rises again, a U: too short a history knows too little, too long a one was\n"
          "never seen.  Interpolation falls back on the shorter history and does not rise.\n"
          "Figure ngram_perplexity.\n",
          skipped ? "The rule, from which your text may depart: o" : "O");
    claim_perplexities(lab, &p, skipped);
    Figure *figure = figure_begin(lab->figures, "ngram_perplexity", "Perplexity of n-gram models on a new text");
    figure_layout(figure, 2, 640, 560);
    draw_methods(perplexity_panel(figure, "smoothing"), &p);
    less_text(lab, texts, perplexity_panel(figure, "add k, by size of the text"), skipped);
    figure_end(figure);
}

/* ---- sampling ---------------------------------------------------------------------------- */

/* One sentence of the unsmoothed n-gram model, as text. */
static void sample_sentence(const Text *text, int n, Rng *rng, char *line, size_t size)
{
    enum { MOST_WORDS = 25 };
    NGramWalk walk = ngrams_begin(text->grams);
    size_t used = 0;
    line[0] = '\0';
    for (int t = 0; t < MOST_WORDS; t++) {
        int word = ngrams_sample(text->grams, &walk, n, rng);
        if (word == END)
            break;
        used += (size_t)snprintf(line + used, size - used, "%s%s", t ? " " : "", text->vocab->word[word]);
        ngrams_advance(text->grams, &walk, word);
    }
}

/* All training sentences as one vocabulary of whole lines. */
static Vocab *training_lines(const Text *text)
{
    enum { SIZE = LONGEST * 260 };
    char *line = memory_new(SIZE, 1, "a sentence");
    Vocab *lines = vocab_new();
    const int *ids = text->ids;
    for (long s = 0; s < text->sentences; ids += text->length[s++]) {
        size_t used = 0;
        for (int t = 0; t < text->length[s]; t++)
            used += (size_t)snprintf(line + used, SIZE - used, "%s%s", t ? " " : "", text->vocab->word[ids[t]]);
        if (part_of(s) == TRAINING)
            vocab_add(lines, line, used);
    }
    free(line);
    return lines;
}

static void samples(Lab *lab, const OneHot *self, const Text *text, const char *skipped)
{
    enum { SHOWN = 3, SIZE = 25 * 260 };
    char lines[SHOWN + 1][SIZE] = {""}; /* the first few are shown, the rest share the last place */
    double copied[NGRAM_MOST + 1];
    Rng rng = lab_rng(lab, "samples");
    Vocab *training = training_lines(text);
    trace(lab->trace,
          "\nSentences drawn word by word from the unsmoothed counts, %d for each n, and how many of\n"
          "them are in the training text word for word:\n",
          self->config.samples);
    for (int n = 1; n <= NGRAM_MOST; n++) {
        int copies = 0;
        for (int i = 0; i < self->config.samples; i++) {
            char *line = lines[i < SHOWN ? i : SHOWN];
            sample_sentence(text, n, &rng, line, SIZE);
            copies += vocab_find(training, line) != VOCAB_NONE;
        }
        copied[n] = 100.0 * copies / self->config.samples;
        trace(lab->trace, "\n    n = %d, %.0f %% copied\n", n, copied[n]);
        for (int i = 0; i < SHOWN; i++)
            trace(lab->trace, "        %s\n", *lines[i] ? lines[i] : "(the empty sentence)");
    }
    trace(lab->trace, "\nLonger histories sound better and invent less.\n");
    claim(lab->claims,
          (Claim){.id = "samples-copied",
                  .source = "lecture: text from n-gram models",
                  .statement = "a 5-gram model copies more whole sentences from its training text than a bigram "
                               "model (difference in percent)",
                  .measured = copied[NGRAM_MOST] - copied[2],
                  .test = ABOVE,
                  .bound = 0,
                  .skipped = skipped});
    vocab_free(training);
}

/* The first MOST_WORDS words of the student's text (OWN) or the built-in one. */
static Text *read_text(const Lab *lab, OneHot *self, bool own, long most_words)
{
    Corpus *corpus = own ? onehot_corpus(lab, self) : onehot_builtin(lab, self);
    const Vocab *all = own ? onehot_vocab(lab, self) : onehot_builtin_vocab(lab, self);
    Text *text = text_read(corpus, all, most_words);
    corpus_close(corpus);
    return text;
}

/* All of the text of this run: the student's, if it is long enough to be
 * divided, else (*OWN is false) the built-in one. */
static Text *text_of_run(Lab *lab, OneHot *self, bool *own)
{
    enum { FEWEST = 300 };
    *own = self->corpus_file != NULL;
    Text *text = read_text(lab, self, *own, self->config.most_tokens);
    if (!*own || text->sentences >= FEWEST)
        return text;
    trace(lab->trace,
          "\n%s has %ld sentence%s (a line is one).  A tenth of it has to be divided into\n"
          "training, validation and test, which needs %d: the built-in text takes its place here.\n",
          self->corpus_file, text->sentences, text->sentences == 1 ? "" : "s", FEWEST);
    text_free(text);
    *own = false;
    return read_text(lab, self, false, self->config.most_tokens);
}

void ngrams_of_text(Lab *lab, OneHot *self)
{
    Text *texts[SIZES];
    bool own;
    texts[ALL] = text_of_run(lab, self, &own);
    const char *skipped = own ? onehot_other_text(self) : NULL;
    for (int i = 0; i < ALL; i++)
        texts[i] = read_text(lab, self, own, texts[ALL]->words / DIVIDED_BY[i]);
    trace(lab->trace,
          "\nNow a whole text: %ld sentences, %ld words.  Of ten sentences eight are for training,\n"
          "one for choosing constants, one for the test.  Words seen once in training are <unk>.\n",
          texts[ALL]->sentences, texts[ALL]->words);
    sparsity(lab, texts, skipped);
    perplexities(lab, texts, skipped);
    samples(lab, self, texts[ALL], skipped);
    for (int i = 0; i < SIZES; i++)
        text_free(texts[i]);
}
