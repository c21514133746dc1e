/* Step 7. Where the decoder looks: alignments, against the grammar's own and IBM
 * Model 1's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "seq2seq.h"

#define LECTURE "the black cat drank milk"

/* The words of a sentence that need not be the grammar's. */
static Pair source_of(const Translation *translation, const char *text)
{
    int words[TRANSLATION_ENGLISH];
    Pair pair = {.source_length = translation_words(translation, text, "--translate", words)};
    for (int i = 0; i < pair.source_length; i++)
        pair.source[i] = (int16_t)words[i];
    return pair;
}

/* WEIGHTS [target_length + 1, source_length], with <EOS> as the last row. */
static void draw_alignment(Lab *lab, const Translation *translation, const char *name, const char *title,
                           const Pair *pair, const real *weights, int rows)
{
    const char *french[TRANSLATION_FRENCH + 1], *english[TRANSLATION_ENGLISH];
    for (int t = 0; t < rows; t++)
        french[t] = t < pair->target_length ? translation->french->word[pair->target[t]] : "<EOS>";
    for (int s = 0; s < pair->source_length; s++)
        english[s] = translation->english->word[pair->source[s]];
    Figure *figure = figure_begin(lab->figures, name, title);
    panel_heatmap(figure_panel(figure, NULL, NULL, NULL), weights, rows, pair->source_length, french, english, WEIGHTS);
    figure_end(figure);
}

/* Each French word, what it looked at most, and what the grammar says. */
static void tell_alignment(Lab *lab, const Translation *translation, const Pair *pair, const real *weights,
                           const Pair *gold)
{
    trace_table(lab->trace, gold ? "French\tlooks at\tweight\tgold\tor, for its form" : "French\tlooks at\tweight");
    for (int t = 0; t < pair->target_length; t++) {
        const real *row = weights + t * pair->source_length;
        int looked = 0;
        for (int s = 1; s < pair->source_length; s++)
            looked = row[s] > row[looked] ? s : looked;
        const char *const *english = (const char *const *)translation->english->word;
        const char *french = translation->french->word[pair->target[t]];
        if (gold)
            trace_row(lab->trace, "%s\t%s\t%.2f\t%s\t%s", french, english[pair->source[looked]], (double)row[looked],
                      english[pair->source[gold->aligned[t]]],
                      gold->governed[t] >= 0 ? english[pair->source[gold->governed[t]]] : "");
        else
            trace_row(lab->trace, "%s\t%s\t%.2f", french, english[pair->source[looked]], (double)row[looked]);
    }
    trace_table_end(lab->trace);
}

/* Translates TEXT, shows it and draws alignment_NUMBER; returns whether it is exact
 * (if the grammar knows it). */
static bool show(Lab *lab, Seq2Seq *self, const char *text, int number)
{
    const Translation *translation = translation_of(lab, self);
    const Model *model = main_model(lab, self);
    Hypothesis found[MOST_BEAM];
    Pair pair = source_of(translation, text), gold;
    char said[TRANSLATION_TEXT], wanted[TRANSLATION_TEXT], name[32];
    int words[TRANSLATION_ENGLISH];
    for (int i = 0; i < pair.source_length; i++)
        words[i] = pair.source[i];
    bool known = translation_parse(translation, words, pair.source_length, &gold);
    beam_search(model, &pair, 1, self->beam, 0, found, NULL, NULL);
    for (pair.target_length = 0; pair.target_length < found[0].length && pair.target_length < TRANSLATION_FRENCH &&
                                 found[0].words[pair.target_length] != TRANSLATION_EOS;
         pair.target_length++)
        pair.target[pair.target_length] = (int16_t)found[0].words[pair.target_length];
    pair_french(translation, &pair, said);
    bool exact = known && strcmp(said, pair_french(translation, &gold, wanted)) == 0;
    real *weights =
        memory_new((size_t)(pair.target_length + 1) * (size_t)pair.source_length, sizeof *weights, "weights");
    attention_of_pair(model, &pair, weights);
    char english[TRANSLATION_TEXT];
    trace(lab->trace, "\n    %s\n    %s\n", pair_english(translation, &pair, english), said);
    trace(lab->trace, "    %s\n\n",
          exact   ? "(exactly what the grammar says)"
          : known ? wanted
                  : "(not a sentence of the grammar)");
    for (int i = 1; i < self->beam; i++)
        trace(lab->trace, "    beam %d: %.3f  %s\n", i + 1, found[i].log_p,
              translation_text(translation->french, found[i].words, found[i].length, wanted));
    tell_alignment(lab, translation, &pair, weights, exact ? &gold : NULL);
    snprintf(name, sizeof name, "alignment_%d", number);
    draw_alignment(lab, translation, name, "Where the decoder looks", &pair, weights, pair.target_length + 1);
    free(weights);
    return exact;
}

/* ---- agreement over the tests ------------------------------------------------------------- */

static Agreement ibm1_agreement(const Ibm1 *model, const Pair *pairs, int n)
{
    Agreement agreement = {{0}, {0}, {0}};
    for (int i = 0; i < n; i++)
        for (int t = 0; t < pairs[i].target_length; t++) {
            int kind = pairs[i].kind[t], looked = ibm1_aligned(model, &pairs[i], t);
            agreement.words[kind]++;
            agreement.gold[kind] += looked == pairs[i].aligned[t];
            agreement.lenient[kind] += looked == pairs[i].aligned[t] || looked == pairs[i].governed[t];
        }
    return agreement;
}

static double kind_share(const Agreement *a, FrenchKind kind)
{
    return a->words[kind] ? (double)a->gold[kind] / (double)a->words[kind] : 0;
}

static void agreements(Lab *lab, Seq2Seq *self)
{
    const Tests *test = tests_of(lab, self);
    const Ibm1 *ibm1 = ibm1_of(lab, self, true);
    const Model *model = main_model(lab, self);
    double least = 1, mean[2] = {0, 0}, articles = 0, governed = 0;
    trace(lab->trace,
          "\nOver the test sentences: how often the word looked at most is the grammar's. Content words are nouns,\n"
          "adjectives, participles, conjunctions, qui; \"all, or governor\" also counts the noun that decides the "
          "form:\n\n");
    trace_table(lab->trace,
                "English words\tcontent\tarticles\ta, ont\tall\tall, or governor\tIBM 1, content\tIBM 1, all");
    for (int i = 0; i < test->buckets; i++) {
        Agreement a = agreement_of(model, test->pairs[i], test->size);
        Agreement b = ibm1_agreement(ibm1, test->pairs[i], test->size);
        trace_row(lab->trace, "%s\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f", test->name[i], agreement_content(&a),
                  kind_share(&a, FRENCH_ARTICLE), kind_share(&a, FRENCH_AUXILIARY), agreement_all(&a),
                  agreement_lenient(&a), agreement_content(&b), agreement_all(&b));
        if (i >= test->trained)
            continue;
        least = agreement_content(&a) < least ? agreement_content(&a) : least;
        mean[0] += agreement_content(&a) / test->trained;
        mean[1] += agreement_content(&b) / test->trained;
        articles += agreement_all(&a) / test->trained;
        governed += agreement_lenient(&a) / test->trained;
    }
    trace_table_end(lab->trace);
    trace(
        lab->trace,
        "\nContent words look where they come from. Articles need a noun's gender, but annotations read both ways "
        "have\n"
        "it at \"the\" already, so most look there. \"a\" and \"ont\" bring nothing of their own: the decoder's state\n"
        "knows the number, and it does not matter where they look. Model 1 has no idea of place: of two equal words\n"
        "it always takes the first.\n");
    claim(lab->claims,
          (Claim){.id = "alignment-content",
                  .source = "Bahdanau 2015, figure 3",
                  .statement = "the content words look at the English word they come from (least share over "
                               "the lengths trained on)",
                  .measured = least,
                  .test = AT_LEAST,
                  .bound = 0.95,
                  .skipped = lab->quick ? "the model is trained for too few steps" : NULL});
    claim(lab->claims,
          (Claim){.id = "alignment-governor",
                  .source = "articles and auxiliaries need a noun's gender or number",
                  .statement = "of all words fewer do, and more if the governing noun counts too (difference)",
                  .measured = governed - articles,
                  .test = ABOVE,
                  .bound = 0});
    claim(lab->claims,
          (Claim){.id = "alignment-beats-ibm1",
                  .source = "Brown 1993 beside Bahdanau 2015",
                  .statement =
                      "on content words attention agrees with the grammar more often than IBM Model 1 (difference)",
                  .measured = mean[0] - mean[1],
                  .test = ABOVE,
                  .bound = 0,
                  .skipped = lab->quick ? "the model is trained for too few steps" : NULL});
}

/* IBM Model 1's alignment of the same sentence: t(f | e) of each pair, rows summing to 1. */
static void draw_ibm1(Lab *lab, Seq2Seq *self, const char *text)
{
    const Translation *translation = translation_of(lab, self);
    const Ibm1 *model = ibm1_of(lab, self, true);
    Pair pair = pair_of_text(translation, text);
    real *weights = memory_new((size_t)pair.target_length * (size_t)pair.source_length, sizeof *weights, "weights");
    for (int t = 0; t < pair.target_length; t++) {
        double sum = 0;
        for (int s = 0; s < pair.source_length; s++)
            sum += ibm1_t(model, pair.target[t], pair.source[s]);
        for (int s = 0; s < pair.source_length; s++)
            weights[t * pair.source_length + s] = (real)(ibm1_t(model, pair.target[t], pair.source[s]) / sum);
    }
    draw_alignment(lab, translation, "ibm1_alignment", "IBM Model 1's alignment", &pair, weights, pair.target_length);
    free(weights);
}

void step_alignment(Lab *lab, void *state)
{
    Seq2Seq *self = state;
    const char *second = lab->quick ? "the tired white horse that followed a small cow ate the apples"
                                    : "the tired white horse that followed a small cow ate the expensive apples and "
                                      "some happy girls drank cold water";
    trace(lab->trace,
          "Attention (%s) is one row of weights for each French word, and so a picture of who looked where.\n",
          self->score);
    main_model(lab, self);
    if (self->translate) {
        show(lab, self, self->translate, 1);
        agreements(lab, self);
        return;
    }
    bool exact = show(lab, self, LECTURE, 1);
    show(lab, self, second, 2);
    draw_ibm1(lab, self, second);
    agreements(lab, self);
    claim(lab->claims,
          (Claim){.id = "lecture-sentence",
                  .source = "lecture: the black cat drank milk",
                  .statement = "becomes \"le chat noir a bu du lait\", though no black cat was ever in training",
                  .measured = exact,
                  .test = EQUALS,
                  .bound = 1});
}
