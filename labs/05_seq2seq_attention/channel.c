/* Step 2. Before neural networks: the noisy channel and IBM Model 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maths.h"
#include "memory.h"
#include "ngram.h"
#include "seq2seq.h"

/* English x is French y that went through a noisy channel (Brown 1993):
 *     argmax_y P(y | x) = argmax_y P(x | y) P(y) */

/* P(y): an interpolated trigram of the French side. */
static NGrams *language_of(const Translation *translation)
{
    NGrams *grams = ngrams_new(translation->french->size, TRANSLATION_EOS);
    for (int i = 0; i < translation->settings.pairs; i++) {
        const Pair *pair = &translation->training[i];
        int words[TRANSLATION_FRENCH];
        for (int t = 0; t < pair->target_length; t++)
            words[t] = pair->target[t];
        ngrams_add(grams, words, pair->target_length);
    }
    return grams;
}

static double language_log_p(const NGrams *grams, const Pair *pair)
{
    enum { TRIGRAM = 3 };
    double sum = 0;
    NGramWalk walk = ngrams_begin(grams);
    for (int t = 0; t <= pair->target_length; t++) {
        int word = t < pair->target_length ? pair->target[t] : TRANSLATION_EOS;
        double p = 1.0 / grams->vocabulary;
        for (int n = 1; n <= TRIGRAM; n++)
            p = probability_interpolate(p, ngrams_count(grams, &walk, n, word), ngrams_history(grams, &walk, n), 0.8);
        sum += log64(p);
        ngrams_advance(grams, &walk, word);
    }
    return sum;
}

/* ---- the table ------------------------------------------------------------------------ */

static void tell_table(Lab *lab, const Translation *translation, const Ibm1 *model)
{
    static const char *const shown[] = {"chat", "noire", "lait", "bu", "le", "ont", "qui", "eau"};
    trace_table(lab->trace, "French\tEnglish, t(e | f)\t2nd\t3rd");
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        int f = vocab_find(translation->french, shown[i]), best[3] = {-1, -1, -1};
        for (int rank = 0; rank < 3; rank++)
            for (int e = TRANSLATION_SPECIAL; e < model->said; e++)
                if (e != best[0] && e != best[1] &&
                    (best[rank] < 0 || ibm1_t(model, e, f) > ibm1_t(model, best[rank], f)))
                    best[rank] = e;
        trace_row(lab->trace, "%s\t%s %.2f\t%s %.2f\t%s %.2f", shown[i], translation->english->word[best[0]],
                  ibm1_t(model, best[0], f), translation->english->word[best[1]], ibm1_t(model, best[1], f),
                  translation->english->word[best[2]], ibm1_t(model, best[2], f));
    }
    trace_table_end(lab->trace);
}

static void tell_rounds(Lab *lab, const Ibm1 *model)
{
    real pp[IBM1_ROUNDS];
    int falls = 0;
    for (int i = 0; i < IBM1_ROUNDS; i++) {
        pp[i] = (real)exp64(-model->log_p[i]);
        falls += i > 0 && model->log_p[i] < model->log_p[i - 1] - 1e-9;
    }
    trace(lab->trace, "\nEvery round of EM explains the English side better (perplexity a word, before each round):\n");
    trace_vector(lab->trace, HERE, "exp(-log P / words)", pp, IBM1_ROUNDS, NULL, 2);
    claim(lab->claims,
          (Claim){.id = "em-never-falls",
                  .source = "Brown 1993, section 4.1; Dempster 1977",
                  .statement = "no round of EM lowers the likelihood of the training pairs (rounds that do)",
                  .measured = falls,
                  .test = EQUALS,
                  .bound = 0});
}

/* The table as a picture: the words of one sentence pair. */
static void draw_table(Lab *lab, const Translation *translation, const Ibm1 *model)
{
    Pair pair = pair_of_text(translation, "the small black cat drank cold milk");
    const char *rows[TRANSLATION_FRENCH], *columns[TRANSLATION_ENGLISH];
    real cells[TRANSLATION_FRENCH * TRANSLATION_ENGLISH];
    for (int t = 0; t < pair.target_length; t++) {
        rows[t] = translation->french->word[pair.target[t]];
        for (int s = 0; s < pair.source_length; s++)
            cells[t * pair.source_length + s] = (real)ibm1_t(model, pair.source[s], pair.target[t]);
    }
    for (int s = 0; s < pair.source_length; s++)
        columns[s] = translation->english->word[pair.source[s]];
    Figure *figure = figure_begin(lab->figures, "ibm1_table", "IBM Model 1: t(English | French)");
    panel_heatmap(figure_panel(figure, NULL, NULL, NULL), cells, pair.target_length, pair.source_length, rows, columns,
                  WEIGHTS);
    figure_end(figure);
}

/* ---- candidates ranked ------------------------------------------------------------------ */

/* TOLD: wrong in a way that training can tell.  (The combination chat + noir was
 * never in it, so it cannot say whether "chat noire" is worse.) */
static const struct {
    const char *french;
    bool told;
} candidates[] = {
    {"le chat noir a bu du lait", false},  {"le noir chat a bu du lait", true}, {"la chat noir a bu du lait", true},
    {"le chat noire a bu du lait", false}, {"le chat bu a noir du lait", true}, {"le chat noir a bu le lait", false},
    {"lait du bu a noir chat le", true},
};
enum { CANDIDATES = sizeof candidates / sizeof *candidates, RIGHT = 0, BACKWARDS_SAID = CANDIDATES - 1 };

static void rank_candidates(Lab *lab, const Translation *translation, const Ibm1 *model, const NGrams *grams)
{
    Pair pair = pair_of_text(translation, "the black cat drank milk");
    double channel[CANDIDATES], language[CANDIDATES], same = 0;
    int beaten = 0, below = 0;
    trace(lab->trace, "\nCandidates for \"the black cat drank milk\":\n\n");
    trace_equation(lab->trace, HERE, "argmax_y P(y | x) = argmax_y P(x | y) P(y)");
    trace(lab->trace, "\n");
    trace_table(lab->trace, "French y\tlog P(x | y)\tlog P(y)\tsum");
    for (int i = 0; i < CANDIDATES; i++) {
        int words[TRANSLATION_FRENCH];
        Pair tried = pair;
        tried.target_length =
            translation_read(translation->french, candidates[i].french, "a candidate", words, 20, NULL);
        for (int t = 0; t < tried.target_length; t++)
            tried.target[t] = (int16_t)words[t];
        channel[i] = ibm1_log_p(model, &tried);
        language[i] = language_log_p(grams, &tried);
        trace_row(lab->trace, "%s\t%.2f\t%.2f\t%.2f", candidates[i].french, channel[i], language[i],
                  channel[i] + language[i]);
    }
    trace_table_end(lab->trace);
    for (int i = 1; i < CANDIDATES; i++) {
        beaten += channel[i] >= channel[RIGHT] - 1e-9;
        below += candidates[i].told && channel[i] + language[i] < channel[RIGHT] + language[RIGHT];
    }
    same = channel[BACKWARDS_SAID] - channel[RIGHT];
    trace(lab->trace,
          "\nThe channel knows which words, not in which order; the language model knows French. %d of the %d wrong\n"
          "ones fit the English at least as well; with P(y) the right one is above all %d that are in no French order\n"
          "or have the wrong article. (That a cat is \"noir\" and not \"noire\" nobody can count: no black cat was in\n"
          "training. A vector for \"chat\" can know it, see step 7.)\n",
          beaten, CANDIDATES - 1, below);
    claim(lab->claims, (Claim){.id = "channel-blind-to-order",
                               .source = "Brown 1993, section 4.1: all alignments equally likely",
                               .statement = "IBM Model 1 gives a sentence said backwards the same log P(x | y) "
                                            "(difference)",
                               .measured = same,
                               .test = EQUALS,
                               .bound = 0,
                               .tolerance = 1e-9});
    claim(lab->claims, (Claim){.id = "language-model-decides",
                               .source = "lecture: noisy channel, P(x | y) P(y)",
                               .statement = "with P(y) the right candidate is above those in no French order or with "
                                            "the wrong article (of 4)",
                               .measured = below,
                               .test = EQUALS,
                               .bound = 4});
}

/* Each test sentence among copies of itself with two neighbouring words exchanged. */
static void rank_tests(Lab *lab, const Tests *test, const Ibm1 *model, const NGrams *grams)
{
    enum { COPIES = 9 };
    int first[2] = {0, 0}, n = 0;
    Rng rng = lab_rng(lab, "exchanged words");
    for (int bucket = 0; bucket < test->trained; bucket++)
        for (int i = 0; i < test->size / 2; i++, n++) {
            const Pair *right = &test->pairs[bucket][i];
            double channel = ibm1_log_p(model, right), both = channel + language_log_p(grams, right);
            bool best[2] = {true, true};
            for (int c = 0; c < COPIES; c++) {
                Pair copy = *right;
                int at = (int)rng_below(&rng, (uint64_t)copy.target_length - 1);
                copy.target[at] = right->target[at + 1];
                copy.target[at + 1] = right->target[at];
                double wrong = ibm1_log_p(model, &copy);
                best[0] = best[0] && wrong < channel - 1e-9;
                best[1] = best[1] && wrong + language_log_p(grams, &copy) < both - 1e-9;
            }
            first[0] += best[0];
            first[1] += best[1];
        }
    trace(lab->trace,
          "\n%d test sentences, each against %d copies with two neighbouring words exchanged: P(x | y) alone puts\n"
          "the right one first in %.3f of them, P(x | y) P(y) in %.3f.\n",
          n, COPIES, (double)first[0] / n, (double)first[1] / n);
    claim(lab->claims, (Claim){.id = "order-from-language-model",
                               .source = "lecture: the language model puts the words in order",
                               .statement = "P(x | y) P(y) puts the right word order first (share of test sentences)",
                               .measured = (double)first[1] / n,
                               .test = AT_LEAST,
                               .bound = 0.9});
    claim(lab->claims, (Claim){.id = "no-order-from-channel",
                               .source = "the same, without it",
                               .statement = "P(x | y) alone never does",
                               .measured = (double)first[0] / n,
                               .test = EQUALS,
                               .bound = 0});
}

void step_channel(Lab *lab, void *state)
{
    Seq2Seq *self = state;
    const Translation *translation = translation_of(lab, self);
    const Ibm1 *model = ibm1_of(lab, self, false);
    NGrams *grams = language_of(translation);
    trace(lab->trace,
          "Until 2014 translation was counted: to turn English x into French y, ask which French sentence would\n"
          "most likely have become this English one. P(x | y) comes from pairs, P(y) from French alone. IBM Model 1\n"
          "lets every English word come from any French one, and finds out by EM which. From %d pairs, %d rounds:\n\n",
          self->pairs, IBM1_ROUNDS);
    trace_equation(lab->trace, HERE, "E:  c(e | f) += t(e | f) / sum_i t(e | f_i)");
    trace_equation(lab->trace, HERE, "M:  t(e | f) = c(e | f) / sum_e c(e | f)");
    trace(lab->trace, "\n");
    tell_table(lab, translation, model);
    tell_rounds(lab, model);
    draw_table(lab, translation, model);
    rank_candidates(lab, translation, model, grams);
    rank_tests(lab, tests_of(lab, self), model, grams);
    ngrams_free(grams);
}
