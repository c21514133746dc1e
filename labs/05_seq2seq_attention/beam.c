/* Step 4. Greedy and beam search, on data where the first word leads astray. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maths.h"
#include "memory.h"
#include "parallel.h"
#include "seq2seq.h"

/* ---- a garden path ------------------------------------------------------------------- */

/* Each English sentence has 26 French ones.  One in three times it is said as
 *     c' est le chat qui a bu du lait
 * and else with one of 5 fillers and one of 5 participles, all equally often:
 *     le chat a {bien donc alors enfin ainsi} {bu avalé siroté lapé absorbé} du lait
 * So "le" is the more probable first word (0.65), but behind it every sentence has
 * only 0.65 / 25 = 0.026, and the cleft sentence 0.35: greedy search goes astray. */
enum { FILLERS = 5, SYNONYMS = 5, VERBS = 12, MOST_GARDEN = 9, GARDEN_STEPS = 400 };
#define CLEFT 0.35
static const char *const fillers[FILLERS] = {"bien", "donc", "alors", "enfin", "ainsi"};
static const char *const synonyms[VERBS][SYNONYMS] = {
    {"bu", "avalé", "siroté", "lapé", "absorbé"},
    {"mangé", "dévoré", "consommé", "englouti", "croqué"},
    {"vu", "aperçu", "remarqué", "observé", "repéré"},
    {"entendu", "écouté", "perçu", "distingué", "discerné"},
    {"trouvé", "découvert", "retrouvé", "déniché", "rencontré"},
    {"aimé", "adoré", "chéri", "apprécié", "estimé"},
    {"acheté", "acquis", "payé", "obtenu", "commandé"},
    {"vendu", "cédé", "écoulé", "liquidé", "débité"},
    {"perdu", "égaré", "oublié", "délaissé", "abandonné"},
    {"voulu", "désiré", "souhaité", "convoité", "demandé"},
    {"pris", "saisi", "emporté", "attrapé", "ramassé"},
    {"suivi", "pisté", "accompagné", "poursuivi", "talonné"},
};

/* The French vocabulary with these words behind it. */
static Vocab *garden_words(const Translation *translation)
{
    static const char *const more[] = {"c'", "est", "ce", "sont"};
    Vocab *vocab = vocab_new();
    for (int i = 0; i < translation->french->size; i++)
        vocab_add(vocab, translation->french->word[i], strlen(translation->french->word[i]));
    for (int i = 0; i < 4; i++)
        vocab_add(vocab, more[i], strlen(more[i]));
    for (int i = 0; i < FILLERS; i++)
        vocab_add(vocab, fillers[i], strlen(fillers[i]));
    for (int v = 0; v < VERBS; v++)
        for (int s = 0; s < SYNONYMS; s++)
            if (vocab_find(vocab, synonyms[v][s]) == VOCAB_NONE)
                vocab_add(vocab, synonyms[v][s], strlen(synonyms[v][s]));
    return vocab;
}

/* One clause without a relative one: exactly one auxiliary. */
static void draw_plain(const Translation *translation, bool training, Rng *rng, Pair *pair, int *auxiliary)
{
    int n;
    do {
        translation_draw(translation, 4, MOST_GARDEN, training, rng, pair);
        n = 0;
        for (int t = 0; t < pair->target_length; t++)
            if (pair->kind[t] == FRENCH_AUXILIARY) {
                *auxiliary = t;
                n++;
            }
    } while (n != 1);
}

static void put(Pair *pair, const Vocab *vocab, const char *word)
{
    pair->target[pair->target_length++] = (int16_t)vocab_find(vocab, word);
}

/* The French words FROM ... TO-1 of PLAIN, whose numbers are the same in both vocabularies. */
static void put_part(Pair *pair, const Pair *plain, int from, int to)
{
    for (int t = from; t < to; t++)
        pair->target[pair->target_length++] = plain->target[t];
}

static int verb_of(const Vocab *vocab, const Pair *plain, int auxiliary)
{
    for (int v = 0; v < VERBS; v++)
        if (strcmp(vocab->word[plain->target[auxiliary + 1]], synonyms[v][0]) == 0)
            return v;
    return 0;
}

/* FORM = -1: the cleft sentence; else filler FORM / SYNONYMS and participle FORM % SYNONYMS. */
static Pair garden_pair(const Vocab *vocab, const Pair *plain, int auxiliary, int form)
{
    Pair pair = *plain;
    pair.target_length = 0;
    if (form < 0) {
        bool plural = strcmp(vocab->word[plain->target[auxiliary]], "ont") == 0;
        put(&pair, vocab, plural ? "ce" : "c'");
        put(&pair, vocab, plural ? "sont" : "est");
        put_part(&pair, plain, 0, auxiliary);
        put(&pair, vocab, "qui");
        put_part(&pair, plain, auxiliary, plain->target_length);
    } else {
        put_part(&pair, plain, 0, auxiliary + 1);
        put(&pair, vocab, fillers[form / SYNONYMS]);
        put(&pair, vocab, synonyms[verb_of(vocab, plain, auxiliary)][form % SYNONYMS]);
        put_part(&pair, plain, auxiliary + 2, plain->target_length);
    }
    return pair;
}

typedef struct {
    Vocab *vocab;
    Pair *training;
    int n;
    Pair *tests;      /* the cleft sentence: the most probable one */
    int *auxiliaries; /* of their plain forms */
    Pair *plain;
    int size;
    Model *model;
} Garden;

static Garden garden_new(Lab *lab, Seq2Seq *self)
{
    const Translation *translation = translation_of(lab, self);
    Garden garden = {.vocab = garden_words(translation), .n = 6000, .size = self->tests};
    Rng rng = lab_rng(lab, "garden pairs");
    int auxiliary = 0;
    garden.training = memory_new((size_t)garden.n, sizeof(Pair), "pairs");
    garden.tests = memory_new((size_t)garden.size, sizeof(Pair), "pairs");
    garden.plain = memory_new((size_t)garden.size, sizeof(Pair), "pairs");
    garden.auxiliaries = memory_new((size_t)garden.size, sizeof(int), "pairs");
    for (int i = 0; i < garden.n; i++) {
        Pair plain;
        draw_plain(translation, true, &rng, &plain, &auxiliary);
        bool cleft = rng_chance(&rng, CLEFT);
        int form = (int)rng_below(&rng, FILLERS * SYNONYMS);
        garden.training[i] = garden_pair(garden.vocab, &plain, auxiliary, cleft ? -1 : form);
    }
    for (int i = 0; i < garden.size; i++) {
        draw_plain(translation, true, &rng, &garden.plain[i], &garden.auxiliaries[i]);
        garden.tests[i] = garden_pair(garden.vocab, &garden.plain[i], garden.auxiliaries[i], -1);
    }
    Rng weights = lab_rng(lab, "garden weights"), batches = lab_rng(lab, "garden batches");
    garden.model = model_new(
        (ModelSettings){DOT, BOTH_WAYS, self->embedding, self->wide, translation->english->size, garden.vocab->size},
        &weights);
    train(garden.model, garden.training, garden.n,
          (TrainingSettings){.steps = GARDEN_STEPS, .batch = BATCH, .rate = 1e-2}, &batches, NULL);
    return garden;
}

static void garden_free(Garden *garden)
{
    vocab_free(garden->vocab);
    free(garden->training);
    free(garden->tests);
    free(garden->plain);
    free(garden->auxiliaries);
    model_free(garden->model);
}

static bool says(const Hypothesis *hypothesis, const Pair *pair)
{
    if (hypothesis->length != pair->target_length + 1)
        return false;
    for (int t = 0; t < pair->target_length; t++)
        if (hypothesis->words[t] != pair->target[t])
            return false;
    return true;
}

static bool is_valid(const Garden *garden, int i, const Hypothesis *hypothesis)
{
    for (int form = -1; form < FILLERS * SYNONYMS; form++) {
        Pair pair = garden_pair(garden->vocab, &garden->plain[i], garden->auxiliaries[i], form);
        if (says(hypothesis, &pair))
            return true;
    }
    return false;
}

/* ---- the tree for k = 2 ------------------------------------------------------------------ */

enum { TREE_STEPS = 16, SHOWN = 4 };
typedef struct {
    Lab *lab;
    const Vocab *vocab;
    Candidate node[TREE_STEPS][2 * MOST_BEAM];
    int nodes[TREE_STEPS], steps;
} Tree;

static const char *last_word(const Vocab *vocab, const Hypothesis *hypothesis)
{
    return vocab->word[hypothesis->words[hypothesis->length - 1]];
}

static void watch(void *context, int step, const Candidate *candidates, int n)
{
    Tree *tree = context;
    if (step >= TREE_STEPS)
        return;
    for (int i = 0; i < n && i < SHOWN; i++) {
        char text[TRANSLATION_TEXT];
        const Hypothesis *h = &candidates[i].extended;
        tree->node[step][i] = candidates[i];
        translation_text(tree->vocab, h->words, h->length, text);
        char number[16] = "";
        if (i == 0)
            snprintf(number, sizeof number, "%d", step + 1);
        trace(tree->lab->trace, "    %3s %s %7.3f  %s\n", number, candidates[i].kept ? "*" : " ", h->log_p, text);
    }
    tree->nodes[step] = n < SHOWN ? n : SHOWN;
    tree->steps = step + 1;
}

/* Rank 0, the best, stands on top. */
static real height(int rank)
{
    return (real)(SHOWN - rank);
}

/* The lines to kept (or dropped) candidates as one series with gaps: from behind
 * the word of the hypothesis that goes on to the new node. */
static int edges(const Tree *tree, bool kept, real *x, real *y)
{
    int n = 0;
    for (int t = 1; t < tree->steps; t++)
        for (int i = 0; i < tree->nodes[t]; i++)
            if (tree->node[t][i].kept == kept) {
                const real xs[3] = {(real)t + (real)0.7, (real)t + 1, (real)NAN};
                const real ys[3] = {height(tree->node[t][i].from), height(i), (real)NAN};
                memcpy(x + n, xs, sizeof xs);
                memcpy(y + n, ys, sizeof ys);
                n += 3;
            }
    return n;
}

/* A node for each candidate, a column for each step. */
static void draw_tree(Lab *lab, const Tree *tree)
{
    enum { MOST = TREE_STEPS * SHOWN };
    Figure *figure = figure_begin(lab->figures, "beam_tree", "Beam search, k = 2: two are kept, the rest dropped");
    figure_layout(figure, 1, 1600, 460);
    Panel *panel = figure_panel(figure, NULL, "step", "the best on top");
    real x[3 * MOST], y[3 * MOST];
    char label[MOST][64];
    const char *words[MOST];
    int n = 0;
    panel_key(panel, KEY_NONE);
    panel_range_x(panel, 0.8, tree->steps + 1);
    panel_range_y(panel, 0.5, SHOWN + 0.5);
    panel_line(panel, "kept", x, y, edges(tree, true, x, y));
    panel_reference(panel, "dropped", x, y, edges(tree, false, x, y));
    for (int t = 0; t < tree->steps; t++)
        for (int i = 0; i < tree->nodes[t]; i++, n++) {
            const Hypothesis *h = &tree->node[t][i].extended;
            x[n] = (real)t + 1;
            y[n] = height(i);
            snprintf(label[n], sizeof label[n], "%s %.1f", last_word(tree->vocab, h), h->log_p);
            words[n] = label[n];
        }
    panel_points(panel, "word, log P", x, y, words, n);
    figure_end(figure);
}

/* The lecture's sentence if it leads greedy search astray, else the first test sentence that does. */
static Pair sentence_of_tree(const Garden *garden, const Translation *translation)
{
    Pair pair = pair_of_text(translation, "the black cat drank milk");
    Hypothesis greedy, found[2];
    for (int i = -1; i < garden->size; i++) {
        const Pair *tried = i < 0 ? &pair : &garden->tests[i];
        beam_search(garden->model, tried, 1, 1, 0, &greedy, NULL, NULL);
        beam_search(garden->model, tried, 1, 2, 0, found, NULL, NULL);
        if (found[0].log_p > greedy.log_p + 0.1)
            return *tried;
    }
    return pair;
}

static void tree_of(Lab *lab, const Garden *garden, const Translation *translation)
{
    Tree *tree = memory_new(1, sizeof *tree, "a tree");
    char text[TRANSLATION_TEXT];
    Pair pair = sentence_of_tree(garden, translation);
    Hypothesis greedy, found[2];
    tree->lab = lab;
    tree->vocab = garden->vocab;
    beam_search(garden->model, &pair, 1, 1, 0, &greedy, NULL, NULL);
    trace(lab->trace,
          "\nThe tree for \"%s\", k = 2. In each step the four best, with log P of all words so far; * is kept:\n\n",
          pair_english(translation, &pair, text));
    beam_search(garden->model, &pair, 1, 2, 0, found, watch, tree);
    trace(lab->trace, "\n    greedy  %7.3f  %s\n", greedy.log_p,
          translation_text(garden->vocab, greedy.words, greedy.length, text));
    for (int i = 0; i < 2; i++)
        trace(lab->trace, "    k = 2   %7.3f  %s\n", found[i].log_p,
              translation_text(garden->vocab, found[i].words, found[i].length, text));
    trace(lab->trace,
          "\nA hypothesis that has said <EOS> is finished: it keeps its place in the beam until all are, or until\n"
          "better ones push it out.\n");
    draw_tree(lab, tree);
    free(tree);
}

/* ---- a growing k ----------------------------------------------------------------------------- */

enum { WIDTHS = 4 };
static const int widths[WIDTHS] = {1, 2, 4, 8};
typedef struct {
    double best, valid, log_p, at_least, above; /* shares and a mean */
} Width;

typedef struct {
    const Garden *garden;
    Hypothesis *found[WIDTHS];
} Searching;

static void search_width(int w, void *context)
{
    Searching *searching = context;
    const Garden *garden = searching->garden;
    w = WIDTHS - 1 - w; /* the longest work first */
    beam_search(garden->model, garden->tests, garden->size, widths[w], 0, searching->found[w], NULL, NULL);
}

static Width measure(const Searching *searching, int w)
{
    const Garden *garden = searching->garden;
    Width width = {0};
    for (int i = 0; i < garden->size; i++) {
        const Hypothesis *h = &searching->found[w][i * widths[w]], *greedy = &searching->found[0][i];
        width.best += says(h, &garden->tests[i]);
        width.valid += is_valid(garden, i, h);
        width.log_p += h->log_p;
        width.at_least += h->log_p >= greedy->log_p - 1e-4;
        width.above += h->log_p > greedy->log_p + 1e-4;
    }
    int n = garden->size;
    return (Width){width.best / n, width.valid / n, width.log_p / n, width.at_least / n, width.above / n};
}

static void draw_widths(Lab *lab, const Width *width)
{
    real k[WIDTHS], best[WIDTHS], log_p[WIDTHS];
    for (int w = 0; w < WIDTHS; w++) {
        k[w] = (real)widths[w];
        best[w] = (real)width[w].best;
        log_p[w] = (real)width[w].log_p;
    }
    Figure *figure = figure_begin(lab->figures, "beam_width", "A growing beam, where greedy goes astray");
    figure_layout(figure, 2, 560, 460);
    Panel *share = figure_panel(figure, "most probable sentence found", "k", "share of sentences");
    panel_range_y(share, 0, 1.05);
    panel_key(share, KEY_NONE);
    panel_line(share, "found", k, best, WIDTHS);
    Panel *mean = figure_panel(figure, "log P of what is said", "k", "mean log P");
    panel_key(mean, KEY_NONE);
    panel_line(mean, "log P", k, log_p, WIDTHS);
    figure_end(figure);
}

static void garden_claims(Lab *lab, const Width *width)
{
    claim(lab->claims, (Claim){.id = "greedy-astray",
                               .source = "lecture: greedy search cannot go back",
                               .statement = "where paraphrases share the likelier first word, greedy search finds the "
                                            "most probable translation (share)",
                               .measured = width[0].best,
                               .test = AT_MOST,
                               .bound = 0.1});
    claim(lab->claims, (Claim){.id = "beam-finds",
                               .source = "lecture: beam search",
                               .statement = "a beam of 4 does (share)",
                               .measured = width[2].best,
                               .test = AT_LEAST,
                               .bound = 0.8});
    claim(lab->claims, (Claim){.id = "beam-at-least-greedy",
                               .source = "lecture: beam's log P is never below greedy's; here, not in general",
                               .statement = "there beam 4's log P is at least greedy's (share of sentences)",
                               .measured = width[2].at_least,
                               .test = EQUALS,
                               .bound = 1});
    claim(lab->claims, (Claim){.id = "greedy-valid",
                               .source = "it is not wrong, only less probable",
                               .statement = "what greedy search says is a valid translation all the same (share)",
                               .measured = width[0].valid,
                               .test = AT_LEAST,
                               .bound = 0.9});
}

static void growing(Lab *lab, const Garden *garden)
{
    Searching searching = {.garden = garden};
    Width width[WIDTHS];
    for (int w = 0; w < WIDTHS; w++)
        searching.found[w] = memory_new((size_t)garden->size * (size_t)widths[w], sizeof(Hypothesis), "hypotheses");
    parallel_for(lab->threads, WIDTHS, search_width, &searching);
    trace(lab->trace, "\n%d sentences. \"Valid\" is any of the 26; \"best\" is the cleft sentence, P = %.2f:\n\n",
          garden->size, CLEFT);
    trace_table(lab->trace, "k\tbest\tvalid\tmean log P\tlog P >= greedy's\t> greedy's");
    for (int w = 0; w < WIDTHS; w++) {
        width[w] = measure(&searching, w);
        trace_row(lab->trace, "%d\t%.3f\t%.3f\t%.2f\t%.3f\t%.3f", widths[w], width[w].best, width[w].valid,
                  width[w].log_p, width[w].at_least, width[w].above);
    }
    trace_table_end(lab->trace);
    draw_widths(lab, width);
    garden_claims(lab, width);
    for (int w = 0; w < WIDTHS; w++)
        free(searching.found[w]);
}

/* ---- on the corpus itself ----------------------------------------------------------------------- */

/* The plain model's longest sentences: uncertain enough for the beam to matter. */
static void on_the_corpus(Lab *lab, Seq2Seq *self)
{
    const Tests *test = tests_of(lab, self);
    models_need(lab, self, (ModelId[]){PLAIN, WITH_DOT}, lab->threads > 1 ? 2 : 1); /* step 5's, on a core that waits */
    const Model *model = model_of(lab, self, PLAIN);
    int bucket = 1, n = test->size;
    Hypothesis *found = memory_new((size_t)n * MOST_BEAM, sizeof *found, "hypotheses");
    double *greedy = memory_new((size_t)n, sizeof *greedy, "log P"), length[3] = {0}, worst = 1;
    static const struct {
        int k;
        double alpha;
    } tried[] = {{1, 0}, {2, 0}, {4, 0}, {8, 0}, {4, 0.6}, {4, 1}};
    trace(lab->trace,
          "\nOn the corpus each sentence has one translation. The plain model (no attention), %s words, where it is\n"
          "often unsure; alpha: hypotheses are compared by log P / length^alpha (Wu 2016, eq. 14, without its 5 + "
          "1):\n\n",
          test->name[bucket]);
    trace_table(lab->trace, "k\talpha\texact\tBLEU\tmean log P\tlog P >= greedy's\twords (wanted 1)");
    for (int i = 0; i < 6; i++) {
        TranslationScore score = {.sentences = 0};
        double log_p = 0, at_least = 0;
        beam_search(model, test->pairs[bucket], n, tried[i].k, tried[i].alpha, found, NULL, NULL);
        for (int s = 0; s < n; s++) {
            const Hypothesis *h = &found[s * tried[i].k];
            greedy[s] = i == 0 ? h->log_p : greedy[s];
            translation_score(&score, &test->pairs[bucket][s], h->words, h->length - 1);
            log_p += h->log_p;
            at_least += h->log_p >= greedy[s] - 1e-4;
        }
        log_p /= n;
        at_least /= n;
        double ratio = (double)score.bleu.translated_words / (double)score.bleu.words_wanted;
        if (tried[i].k == 4)
            length[i == 2 ? 0 : i - 3] = ratio;
        if (tried[i].alpha == 0 && at_least < worst)
            worst = at_least;
        trace_row(lab->trace, "%d\t%.1f\t%.3f\t%.1f\t%.2f\t%.3f\t%.3f", tried[i].k, tried[i].alpha,
                  translation_exact(&score), bleu_score(&score.bleu), log_p, at_least, ratio);
    }
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nA beam of k finds at least as probable a sentence nearly always, not always: greedy's path may leave the\n"
          "beam and come to more in the end. Every word costs log P, so the plain beam prefers what is short;\n"
          "dividing by the length takes that away.\n");
    claim(lab->claims, (Claim){.id = "beam-usually-above",
                               .source = "lecture: \"never below\"; no theorem",
                               .statement = "on the corpus a beam's log P is at least greedy's nearly always (least "
                                            "share over k = 2, 4, 8)",
                               .measured = worst,
                               .test = AT_LEAST,
                               .bound = 0.95});
    claim(lab->claims,
          (Claim){.id = "length-normalisation",
                  .source = "lecture: length normalisation; Wu 2016, section 7",
                  .statement =
                      "with alpha = 1 a beam of 4 says at least as many words as with alpha = 0 (difference of ratios)",
                  .measured = length[2] - length[0],
                  .test = AT_LEAST,
                  .bound = 0});
    free(found);
    free(greedy);
}

void step_searching(Lab *lab, void *state)
{
    Seq2Seq *self = state;
    Garden garden = garden_new(lab, self);
    trace(lab->trace,
          "Which sentence does the decoder say? Greedy search takes the likeliest word, one after the other, and\n"
          "cannot go back; beam search keeps the k best beginnings:\n\n");
    trace_equation(lab->trace, HERE, "argmax_y log P(y | x) = argmax_y sum_t log P(y_t | y_1 ... y_t-1, x)");
    trace(lab->trace,
          "\nA garden path: every English clause has 26 French ones here. With probability %.2f it is said as\n"
          "\"c'est le chat qui a bu du lait\"; else \"le chat a donc siroté du lait\", with one of %d fillers and one\n"
          "of %d participles. So \"le\" is the likelier first word, and leads to %d sentences of %.3f each.\n",
          CLEFT, FILLERS, SYNONYMS, FILLERS * SYNONYMS, (1 - CLEFT) / (FILLERS * SYNONYMS));
    tree_of(lab, &garden, translation_of(lab, self));
    growing(lab, &garden);
    on_the_corpus(lab, self);
    garden_free(&garden);
}
