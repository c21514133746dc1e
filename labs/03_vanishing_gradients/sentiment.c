/* Step 3. Many-to-one for real: is a review good or bad? */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "grammar.h"
#include "memory.h"
#include "optim.h"
#include "parallel.h"
#include "text.h"
#include "vanishing.h"
#include "vocab.h"

/* Every clause of a review says the same; but each can say it by the opposite
 * word and a negation, so that no word alone, and no count of words, tells.
 * What stands around the clauses says nothing. */
static const char *const english_rules =
    "positive = 2: <gclauses> | <gclauses> . <after> | <before> <gclauses> . | <before> <gclauses> . <after>\n"
    "negative = 2: <bclauses> | <bclauses> . <after> | <before> <bclauses> . | <before> <bclauses> . <after>\n"
    "gclauses = 2: <g> | 3: <g> and <g> | 2: <g> , <g> and <g>\n"
    "bclauses = 2: <b> | 3: <b> and <b> | 2: <b> , <b> and <b>\n"
    "g = 2: the <thing> was <good> | 2: the <thing> was not <bad> | the <thing> was very <good>\n"
    "b = 2: the <thing> was <bad> | 2: the <thing> was not <good> | the <thing> was very <bad>\n"
    "before = last week we went there . | we went with my <who> . | i had heard of it . | in <month> i had time .\n"
    "after = that is all . | i was there with my <who> . | it was in <month> , i believe . | we may go again .\n"
    "thing ~ = food service room music film story view concert show place garden ending\n"
    "good ~ = good great lovely fine interesting charming excellent wonderful superb nice\n"
    "bad ~ = bad awful boring dull terrible ugly horrible poor dreadful dreary\n"
    "who ~ = sister brother friend mother\n"
    "month ~ = may june july august march april\n";

static const char *const korean_rules =
    "positive = 2: <gclauses> | <gclauses> . <after> | <before> <gclauses> . | <before> <gclauses> . <after>\n"
    "negative = 2: <bclauses> | <bclauses> . <after> | <before> <bclauses> . | <before> <bclauses> . <after>\n"
    "gclauses = 2: <gend> | 3: <gand> <gend> | 2: <gand> <gand> <gend>\n"
    "bclauses = 2: <bend> | 3: <band> <bend> | 2: <band> <band> <bend>\n"
    "gend = 2: <thing> <good> | 2: <thing> 안 <bad> | <thing> 아주 <good>\n"
    "gand = 2: <thing> <good.2> | 2: <thing> 안 <bad.2> | <thing> 아주 <good.2>\n"
    "bend = 2: <thing> <bad> | 2: <thing> 안 <good> | <thing> 아주 <bad>\n"
    "band = 2: <thing> <bad.2> | 2: <thing> 안 <good.2> | <thing> 아주 <bad.2>\n"
    "before = 지난 주에 우리는 거기 갔다 . | 우리는 <who> 같이 갔다 . | 나는 이야기를 들었다 . | <month> 시간이 있었다 "
    ".\n"
    "after = 할 말은 그것이 전부다 . | <who> 같이 있었다 . | <month> 있던 일이다 . | 또 갈지도 모른다 .\n"
    "thing ~ = 음식이 방이 음악이 영화가 이야기가 식당이 공연이 경치가 분위기가 서비스가\n"
    "good ~ = 좋았다/좋았고 멋졌다/멋졌고 훌륭했다/훌륭했고 재밌었다/재밌었고 특별했다/특별했고 즐거웠다/즐거웠고 "
    "완벽했다/완벽했고\n"
    "bad ~ = 나빴다/나빴고 지루했다/지루했고 이상했다/이상했고 답답했다/답답했고 불편했다/불편했고 초라했다/초라했고 "
    "뻔했다/뻔했고\n"
    "who ~ = 언니와 동생과 친구와 엄마와\n"
    "month ~ = 오월에 유월에 칠월에 팔월에\n";

enum { LANGUAGES = 2, MOST_WORDS = 64, NEGATIVE = 0, POSITIVE = 1, VECTOR = 16, UNITS = 32, BATCH = 32 };
static const char *const language_names[LANGUAGES] = {"English", "Korean"};
static const char *const negations[LANGUAGES] = {"not", "안"};

/* ---- data -------------------------------------------------------------------- */

typedef struct {
    int n;
    int *words; /* [n, MOST_WORDS] numbers of words */
    int *length;
    int *label;
    char **text;
} Reviews;

typedef struct {
    Vocab *vocab;
    Reviews training, held_out;
} Data;

static Reviews reviews_new(int n)
{
    Reviews r = {.n = n};
    r.words = memory_new((size_t)n * MOST_WORDS, sizeof(int), "reviews");
    r.length = memory_new((size_t)n, sizeof(int), "reviews");
    r.label = memory_new((size_t)n, sizeof(int), "reviews");
    r.text = memory_new((size_t)n, sizeof(char *), "reviews");
    return r;
}

static void reviews_free(Reviews *r)
{
    for (int i = 0; i < r->n; i++)
        free(r->text[i]);
    free(r->text);
    free(r->words);
    free(r->length);
    free(r->label);
}

/* Whether TEXT is among the first N training reviews. */
static bool met_before(const Reviews *training, int n, const char *text)
{
    for (int i = 0; i < n; i++)
        if (strcmp(training->text[i], text) == 0)
            return true;
    return false;
}

/* Review I: half are good, half are bad; none is equal to one of OTHERS. */
static void draw_review(Reviews *r, int i, const Grammar *grammar, Vocab *vocab, const Reviews *others, Rng *rng)
{
    const char *words[GRAMMAR_LONGEST];
    int rule = grammar_rule(grammar, i % 2 == POSITIVE ? "positive" : "negative");
    char text[2048];
    do {
        free(r->text[i]);
        r->length[i] = grammar_sentence(grammar, rule, rng, words, MOST_WORDS);
        size_t end = 0;
        for (int t = 0; t < r->length[i]; t++)
            end += (size_t)snprintf(text + end, sizeof text - end, "%s%s", t ? " " : "", words[t]);
        r->text[i] = memory_copy_text(text);
    } while (others && met_before(others, others->n, text));
    r->label[i] = i % 2;
    for (int t = 0; t < r->length[i]; t++)
        r->words[i * MOST_WORDS + t] = vocab_add(vocab, words[t], strlen(words[t]));
}

static Data data_new(const Config *config, int language, Rng *rng)
{
    Grammar *grammar = grammar_new(language == 0 ? english_rules : korean_rules, 0.5);
    Data data = {vocab_new(), reviews_new(config->reviews), reviews_new(config->held_out)};
    for (int i = 0; i < data.training.n; i++)
        draw_review(&data.training, i, grammar, data.vocab, NULL, rng);
    for (int i = 0; i < data.held_out.n; i++)
        draw_review(&data.held_out, i, grammar, data.vocab, &data.training, rng);
    grammar_free(grammar);
    return data;
}

static void data_free(Data *data)
{
    reviews_free(&data->training);
    reviews_free(&data->held_out);
    vocab_free(data->vocab);
}

/* ---- models ------------------------------------------------------------------ */

/* The recurrent network reads in order; the bag of words adds up a weight for
 * each word (both end in the same softmax over two classes). */
typedef struct {
    Parameters *parameters;
    bool bag;
    int vocabulary;
    Tensor *embedding; /* [V, 16] */
    Recurrent cell;    /* 16 -> 32 */
    Linear output;     /* 32 -> 2, or V -> 2 */
} Judge;

static Judge judge_new(int vocabulary, bool bag, Rng *rng)
{
    Judge judge = {.parameters = parameters_new(), .bag = bag, .vocabulary = vocabulary};
    if (!bag) {
        judge.embedding = parameter_normal(judge.parameters, "embedding", SHAPE(vocabulary, VECTOR), 1, rng);
        judge.cell = recurrent_new(judge.parameters, "cell", CELL_RNN, VECTOR, UNITS, rng);
    }
    judge.output = linear_new(judge.parameters, "output", bag ? vocabulary : UNITS, 2, rng);
    return judge;
}

/* Scores [T, 1, 2] after each word of one review, or [T, B, 2] of a batch. */
static Tensor *judge_words(Tape *tape, const Judge *judge, const int *ids, int steps, int batch, const int *lengths)
{
    Tensor *x = op_embedding(tape, judge->embedding, ids, SHAPE(steps, batch)); /* [T, B, 16] */
    Tensor *states = recurrent(tape, &judge->cell, x, NULL, (Sequence){.lengths = lengths});
    return linear(tape, &judge->output, states);
}

/* Scores [B, 2] of the reviews with numbers CHOSEN. */
static Tensor *judge_reviews(Tape *tape, const Judge *judge, const Reviews *r, const int *chosen, int batch)
{
    int steps = 0, lengths[BATCH];
    for (int b = 0; b < batch; b++) {
        lengths[b] = r->length[chosen[b]];
        steps = lengths[b] > steps ? lengths[b] : steps;
    }
    if (judge->bag) {
        Tensor *counts = tape_input(tape, "counts", SHAPE(batch, judge->vocabulary), NULL);
        for (int b = 0; b < batch; b++)
            for (int t = 0; t < lengths[b]; t++)
                counts->data[b * judge->vocabulary + r->words[chosen[b] * MOST_WORDS + t]] += 1;
        return linear(tape, &judge->output, counts);
    }
    int ids[MOST_WORDS * BATCH] = {0};
    for (int b = 0; b < batch; b++)
        for (int t = 0; t < lengths[b]; t++)
            ids[t * batch + b] = r->words[chosen[b] * MOST_WORDS + t];
    Tensor *scores = judge_words(tape, judge, ids, steps, batch, lengths);
    return op_reshape(tape, op_slice(tape, scores, 0, steps - 1, steps), SHAPE(batch, 2)); /* many-to-one */
}

static void train(const Judge *judge, const Reviews *r, int epochs, Rng *rng)
{
    Optimiser *adam = adam_new(judge->parameters, (Adam){.rate = judge->bag ? 1e-2 : 3e-3});
    Tape *tape = tape_new(1);
    int *order = memory_new((size_t)r->n, sizeof(int), "the order of reviews");
    for (int i = 0; i < r->n; i++)
        order[i] = i;
    for (int epoch = 0; epoch < epochs; epoch++) {
        rng_shuffle(rng, order, (size_t)r->n);
        for (int i = 0; i + BATCH <= r->n; i += BATCH) {
            int labels[BATCH];
            for (int b = 0; b < BATCH; b++)
                labels[b] = r->label[order[i + b]];
            tape_rewind(tape);
            tape_backward(tape, op_cross_entropy(tape, judge_reviews(tape, judge, r, order + i, BATCH), labels));
            clip_by_norm(judge->parameters, 1);
            optimiser_step(adam);
        }
    }
    free(order);
    tape_free(tape);
    optimiser_free(adam);
}

static double accuracy(const Judge *judge, const Reviews *r)
{
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    int right = 0;
    for (int i = 0; i < r->n; i++) {
        tape_rewind(tape);
        const real *scores = judge_reviews(tape, judge, r, &i, 1)->data;
        right += (scores[POSITIVE] > scores[NEGATIVE]) == r->label[i];
    }
    tape_free(tape);
    return (double)right / r->n;
}

/* One of four trainings: two languages, with and without order. */
typedef struct {
    Config config;
    Data data[LANGUAGES];
    Judge judge[LANGUAGES][2];
    Rng rng[LANGUAGES][2];
    double accuracy[LANGUAGES][2];
} Trial;

static void train_one(int index, void *context)
{
    Trial *trial = context;
    int language = index / 2, bag = index % 2;
    const Data *data = &trial->data[language];
    trial->judge[language][bag] = judge_new(data->vocab->size, bag, &trial->rng[language][bag]);
    train(&trial->judge[language][bag], &data->training, trial->config.epochs, &trial->rng[language][bag]);
    trial->accuracy[language][bag] = accuracy(&trial->judge[language][bag], &data->held_out);
}

/* ---- what it thinks while it reads ------------------------------------------- */

/* Probabilities of `positive` after each of N words; words that were never met
 * are left out.  Returns how many words are left. */
static int think_aloud(const Judge *judge, const Vocab *vocab, char *const *words, int n, const char **kept,
                       real *positive)
{
    int ids[MOST_WORDS], length = 0;
    for (int i = 0; i < n && length < MOST_WORDS; i++) {
        int id = vocab_find(vocab, words[i]);
        if (id == VOCAB_NONE)
            continue;
        kept[length] = words[i];
        ids[length++] = id;
    }
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    if (length > 0) {
        const Tensor *p = op_softmax(tape, judge_words(tape, judge, ids, length, 1, NULL), NULL);
        for (int t = 0; t < length; t++)
            positive[t] = p->data[t * 2 + POSITIVE];
    }
    tape_free(tape);
    return length;
}

/* Traces and draws the thoughts on one text; returns the last, or -1 where no
 * word is known. */
static double think_about(Lab *lab, Figure *figure, const Judge *judge, const Vocab *vocab, const char *text)
{
    int n;
    char **words = text_split(text, "--review", &n);
    const char *kept[MOST_WORDS];
    real positive[MOST_WORDS];
    int length = think_aloud(judge, vocab, words, n, kept, positive);
    if (length > 0) {
        trace_vector(lab->trace, HERE, "P(positive) after each word", positive, length, kept, 2);
        real rounded[MOST_WORDS]; /* two digits are enough for a bar */
        for (int t = 0; t < length; t++)
            rounded[t] = (real)floor((double)positive[t] * 100 + 0.5) / 100;
        Panel *panel = figure_panel(figure, text, "after the word", "P(positive)");
        panel_bars(panel, "P(positive)", kept, rounded, NULL, length);
        panel_range_y(panel, 0, 1.1);
        panel_key(panel, KEY_NONE);
    }
    free(words);
    return length > 0 ? (double)positive[length - 1] : -1;
}

static double think_about_pairs(Lab *lab, const Trial *trial)
{
    static const char *const pairs[LANGUAGES][2] = {
        {"the room was not bad and the food was good", "the room was not good and the food was bad"},
        {"방이 안 나빴고 음식이 좋았다", "방이 안 좋았고 음식이 나빴다"}};
    Figure *figure = figure_begin(lab->figures, "sentiment", "The same words, the opposite review: read in order");
    double least = 1;
    for (int language = 0; language < LANGUAGES; language++) {
        double p[2];
        for (int i = 0; i < 2; i++)
            p[i] =
                think_about(lab, figure, &trial->judge[language][0], trial->data[language].vocab, pairs[language][i]);
        least = fmin(least, p[0] - p[1]);
    }
    figure_end(figure);
    return least;
}

/* The student's own review, in whichever language knows more of its words. */
static void think_about_review(Lab *lab, const Trial *trial, const char *review)
{
    int n, known[LANGUAGES] = {0};
    char **words = text_split(review, "--review", &n);
    trace(lab->trace, "\nYour review:\n\n");
    for (int i = 0; i < n; i++) {
        bool met = false;
        for (int language = 0; language < LANGUAGES; language++)
            if (vocab_find(trial->data[language].vocab, words[i]) != VOCAB_NONE) {
                known[language]++;
                met = true;
            }
        if (!met)
            trace(lab->trace, "    `%s` was never met in training and is left out\n", words[i]);
    }
    int language = known[1] > known[0];
    free(words);
    if (known[language] == 0)
        return;
    Figure *figure = figure_begin(lab->figures, "review", "Your review, word by word");
    think_about(lab, figure, &trial->judge[language][0], trial->data[language].vocab, review);
    figure_end(figure);
}

/* ---- the step ---------------------------------------------------------------- */

static double share_negated(const Reviews *r, const Vocab *vocab, int language)
{
    int negation = vocab_find(vocab, negations[language]), with = 0;
    for (int i = 0; i < r->n; i++)
        for (int t = 0; t < r->length[i]; t++)
            if (r->words[i * MOST_WORDS + t] == negation) {
                with++;
                break;
            }
    return (double)with / r->n;
}

static void report(Lab *lab, const Trial *trial)
{
    trace(lab->trace, "\n");
    trace_table(lab->trace, "language\ttrained on\theld out\twith a negation\tbag of words\trecurrent network");
    for (int language = 0; language < LANGUAGES; language++) {
        const Data *data = &trial->data[language];
        trace_row(lab->trace, "%s\t%d\t%d\t%.2f\t%.3f\t%.3f", language_names[language], data->training.n,
                  data->held_out.n, share_negated(&data->held_out, data->vocab, language), trial->accuracy[language][1],
                  trial->accuracy[language][0]);
    }
    trace_table_end(lab->trace);
    trace(lab->trace, "\nThe shares of held-out reviews judged rightly; guessing is right half the time.  The\n"
                      "two reviews of a pair below have the same words, so to a bag they are one.\n\n");
}

void step_sentiment(Lab *lab, void *state)
{
    const Vanishing *self = state;
    Trial trial = {.config = self->config};
    trace(lab->trace, "Reviews made for this lab, half of them good.  Each clause says the same, but may say it\n"
                      "by the opposite word and a negation.  Two of each language:\n\n");
    for (int language = 0; language < LANGUAGES; language++) {
        Rng rng = lab_rng(lab, language == 0 ? "english reviews" : "korean reviews");
        trial.data[language] = data_new(&self->config, language, &rng);
        for (int i = 0; i < 2; i++)
            trace(lab->trace, "    %-8s  %s\n", i == POSITIVE ? "positive" : "negative",
                  trial.data[language].held_out.text[i]);
        trial.rng[language][0] = lab_rng(lab, language == 0 ? "english judge" : "korean judge");
        trial.rng[language][1] = lab_rng(lab, language == 0 ? "english bag" : "korean bag");
    }
    parallel_for(lab->threads, 2 * LANGUAGES, train_one, &trial);
    report(lab, &trial);
    double apart = think_about_pairs(lab, &trial);
    trace(lab->trace, "\nThe network was trained to judge whole reviews: in between, the numbers are what it\n"
                      "would say if the review ended there, as few do after `not`.  Figure sentiment.\n");
    if (self->review)
        think_about_review(lab, &trial, self->review);

    claim(lab->claims, (Claim){.id = "sentiment-english",
                               .source = "lecture: many-to-one, sentiment",
                               .statement = "share of held-out English reviews that the network judges rightly",
                               .measured = trial.accuracy[0][0],
                               .test = AT_LEAST,
                               .bound = 0.9});
    claim(lab->claims, (Claim){.id = "sentiment-korean",
                               .source = "lecture: many-to-one, sentiment",
                               .statement = "share of held-out Korean reviews that the network judges rightly",
                               .measured = trial.accuracy[1][0],
                               .test = AT_LEAST,
                               .bound = 0.9});
    claim(lab->claims,
          (Claim){.id = "sentiment-needs-order",
                  .source = "lecture: order matters",
                  .statement = "a bag of words judges this much fewer reviews rightly than the recurrent network (the "
                               "smaller gap of the two languages)",
                  .measured =
                      fmin(trial.accuracy[0][0] - trial.accuracy[0][1], trial.accuracy[1][0] - trial.accuracy[1][1]),
                  .test = AT_LEAST,
                  .bound = 0.1});
    claim(lab->claims,
          (Claim){.id = "sentiment-pair",
                  .source = "lecture: order matters",
                  .statement = "it tells two reviews of the same words in another order apart (smaller difference of "
                               "P(positive), English and Korean)",
                  .measured = apart,
                  .test = AT_LEAST,
                  .bound = 0.5});
    for (int language = 0; language < LANGUAGES; language++) {
        parameters_free(trial.judge[language][0].parameters);
        parameters_free(trial.judge[language][1].parameters);
        data_free(&trial.data[language]);
    }
}
