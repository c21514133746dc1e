/* Step 2. Three models learn from plain text. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guesses.h"
#include "maths.h"
#include "ngram.h"
#include "pretrain.h"
#include "text.h"

/* What counting reaches on the same questions. */
typedef struct {
    double unigram, bigram, between; /* masked words */
    double spans_bigram;             /* words in spans */
    double perplexity[NGRAM_MOST + 1], lambda[NGRAM_MOST + 1];
    int best; /* the n of the lowest perplexity */
} Counted;

enum { LINE = 512 };

/* ---- counting ------------------------------------------------------------------------ */

/* Neighbours are given to these guesses even where they are hidden from the encoder. */
static void count_masked(const Guesses *guesses, const Questions *q, Counted *counted)
{
    int asked = 0, unigram = 0, bigram = 0, between = 0;
    for (int i = 0; i < q->n; i++) {
        int word[TEXT_MOST];
        for (int t = 0; t < q->length[i]; t++)
            word[t] = q->target[i][t] == NO_TARGET ? q->row[i][t] : q->target[i][t];
        for (int t = 1; t + 1 < q->length[i]; t++)
            if (q->target[i][t] != NO_TARGET) {
                asked++;
                unigram += guess_unigram(guesses) == word[t];
                bigram += guess_bigram(guesses, word[t - 1]) == word[t];
                between += guess_between(guesses, word[t - 1], word[t + 1]) == word[t];
            }
    }
    counted->unigram = (double)unigram / asked;
    counted->bigram = (double)bigram / asked;
    counted->between = (double)between / asked;
}

/* The word before is given, also to the encoder-decoder. */
static void count_spans(const Guesses *guesses, const Questions *q, Counted *counted)
{
    int asked = 0, right = 0;
    for (int i = 0; i < q->n; i++) {
        const Spans *spans = &q->spans[i];
        int before = CLS, at = 0;
        for (int k = 0; k < spans->inputs; k++) {
            if (spans->input[k] >= SPECIALS) {
                before = spans->input[k];
                continue;
            }
            for (at++; spans->target[at] >= SPECIALS; at++) {
                asked++;
                right += guess_bigram(guesses, before) == spans->target[at];
                before = spans->target[at];
            }
        }
    }
    counted->spans_bigram = (double)right / asked;
}

/* e to the mean of -log P_n(word | the last n - 1), interpolated (lab 01). */
static double ngram_perplexity(const NGrams *grams, const Questions *q, int n, double lambda)
{
    double sum = 0;
    long words = 0;
    for (int i = 0; i < q->n; i++) {
        int word[STORY_MOST + 1], length = story_words(&q->story[i], word);
        word[length] = SEP;
        NGramWalk walk = ngrams_begin(grams);
        for (int t = 0; t <= length; t++, words++) {
            double p = 1.0 / grams->vocabulary;
            for (int m = 1; m <= n; m++)
                p = probability_interpolate(p, ngrams_count(grams, &walk, m, word[t]), ngrams_history(grams, &walk, m),
                                            lambda);
            sum -= log64(p);
            ngrams_advance(grams, &walk, word[t]);
        }
    }
    return exp64(sum / (double)words);
}

/* Each n with the lambda that suits these very stories best: in favour of counting. */
static void count_ngrams(const Stories *stories, const Questions *q, Counted *counted)
{
    static const double lambdas[] = {0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98};
    NGrams *grams = ngrams_new(world_words(stories->world), SEP);
    for (int i = 0; i < stories->n; i++) {
        int word[STORY_MOST];
        ngrams_add(grams, word, story_words(&stories->story[i], word));
    }
    counted->best = 1;
    for (int n = 1; n <= NGRAM_MOST; n++) {
        counted->perplexity[n] = INFINITY;
        for (size_t l = 0; l < sizeof lambdas / sizeof *lambdas; l++) {
            double perplexity = ngram_perplexity(grams, q, n, lambdas[l]);
            if (perplexity < counted->perplexity[n]) {
                counted->perplexity[n] = perplexity;
                counted->lambda[n] = lambdas[l];
            }
        }
        if (counted->perplexity[n] < counted->perplexity[counted->best])
            counted->best = n;
    }
    ngrams_free(grams);
}

/* ---- what was learned --------------------------------------------------------------------- */

static double last_look(const Pretrained *all, int network, int column)
{
    return (double)all->look[network]->data[3 * LOOKS + column];
}

static void tell_encoder(Lab *lab, const Pretrained *all, const Counted *counted)
{
    trace(lab->trace,
          "The encoder: masked words and pairs of %d test stories (half with another's second sentence). The\n"
          "counts may look at neighbours that are hidden from the encoder:\n\n",
          all->questions->n);
    trace_table(lab->trace, "guess\tmasked word right\tpair right");
    trace_row(lab->trace, "the most frequent word\t%.3f\t0.500", counted->unigram);
    trace_row(lab->trace, "by the word before\t%.3f\t0.500", counted->bigram);
    trace_row(lab->trace, "by both neighbours\t%.3f\t0.500", counted->between);
    trace_row(lab->trace, "encoder\t%.3f\t%.3f", last_look(all, ENCODER, 1), last_look(all, ENCODER, 2));
    trace_table_end(lab->trace);
}

static void tell_written(Lab *lab, const World *world, const char *name, const int *ids, int n)
{
    char text[LINE];
    trace(lab->trace, "    %-9s%s\n", name, words_text(world, ids, n, text, sizeof text));
}

static void tell_spans(Lab *lab, const World *world, const Pretrained *all, const Counted *counted)
{
    const Questions *q = all->questions;
    int some = q->n < 100 ? q->n : 100, exact = 0, length = 0, target[TEXT_MOST];
    for (int i = 0; i < some; i++) {
        int n = spans_written(&all->spans, &q->spans[i], target);
        length += n == q->spans[i].targets;
        exact += n == q->spans[i].targets && memcmp(target, q->spans[i].target, (size_t)n * sizeof *target) == 0;
    }
    trace(lab->trace,
          "\nThe encoder-decoder: words in spans, the words before being given, %.3f right (by the word before\n"
          "%.3f). Writing by itself it gets the whole target right in %d of %d stories, its length in %d:\n\n",
          last_look(all, ENCODER_DECODER, 1), counted->spans_bigram, exact, some, length);
    for (int i = 0; i < 2; i++) {
        int n = spans_written(&all->spans, &q->spans[i], target);
        tell_written(lab, world, "input", q->spans[i].input, q->spans[i].inputs);
        tell_written(lab, world, "target", q->spans[i].target, q->spans[i].targets);
        tell_written(lab, world, "written", target, n);
    }
}

static void tell_decoder(Lab *lab, const Pretrained *all, const Counted *counted)
{
    trace(lab->trace,
          "\nThe decoder: perplexity of the next word on the same stories, against the n-grams of lab 01 on the\n"
          "same corpus (interpolated; each with the lambda that suits the test best):\n\n");
    trace_table(lab->trace, "model\tlambda\tperplexity");
    for (int n = 1; n <= NGRAM_MOST; n++)
        trace_row(lab->trace, "n-grams, n = %d\t%.2f\t%.2f", n, counted->lambda[n], counted->perplexity[n]);
    trace_row(lab->trace, "decoder\t\t%.2f", last_look(all, DECODER, 1));
    trace_table_end(lab->trace);
}

/* ---- text ------------------------------------------------------------------------------------ */

static int own_word(const World *world, const char *word)
{
    for (int id = SPECIALS; id < world_words(world); id++)
        if (strcmp(world_word(world, id), word) == 0)
            return id;
    die_usage("--prompt: '%s' is not among the words of the corpus (they are in the lab's source, stories.c)", word);
}

/* [CLS], and what the student wants the texts to begin with. */
int prompt_read(const World *world, const char *prompt, int *ids)
{
    int n = 0, length = 1;
    ids[0] = CLS;
    if (!prompt)
        return length;
    char **words = text_split(prompt, "--prompt", &n);
    if (n == 0)
        die_usage("--prompt: it needs a word");
    if (n > TEXT_MOST / 2)
        die_usage("--prompt: %d words are too many; at most %d", n, TEXT_MOST / 2);
    for (int i = 0; i < n; i++)
        ids[length++] = own_word(world, words[i]);
    free(words);
    return length;
}

void pretraining_check_prompt(const char *prompt)
{
    int ids[TEXT_MOST];
    World *world = world_new();
    prompt_read(world, prompt, ids);
    world_free(world);
}

/* Writes N texts from the prompt; returns how many different ones. */
static int write_texts(Lab *lab, const World *world, const Model *model, const char *prompt, Choice choice, int n,
                       const char *name, Rng *rng)
{
    enum { MOST = 20 };
    int ids[MOST * TEXT_MOST] = {0}, start[TEXT_MOST], length = prompt_read(world, prompt, start), different = 0;
    for (int b = 0; b < n; b++)
        memcpy(ids + b * TEXT_MOST, start, (size_t)length * sizeof *start);
    Tape *tape = tape_new(1);
    model_write(tape, model, ids, n, (Writing){.length = length, .most = TEXT_MOST, .end = SEP, .choice = choice}, rng);
    tape_free(tape);
    trace(lab->trace, "\n    %s\n", name);
    for (int b = 0; b < n; b++) {
        char text[LINE];
        int *row = ids + b * TEXT_MOST, end = 1;
        bool met = false;
        while (end < TEXT_MOST && row[end] != SEP)
            end++;
        memset(row + end, 0, (size_t)(TEXT_MOST - end) * sizeof *row); /* what is behind the end does not count */
        for (int a = 0; a < b; a++)
            met |= memcmp(ids + a * TEXT_MOST, row, TEXT_MOST * sizeof *row) == 0;
        different += !met;
        if (b < 2)
            trace(lab->trace, "        %s\n", words_text(world, row + 1, end - 1, text, sizeof text));
    }
    return different;
}

static void generate(Lab *lab, const InContext *self, const World *world, const Model *model)
{
    enum { TEXTS = 20 };
    Rng rng = lab_rng(lab, "generated texts");
    trace(lab->trace, "\nText, written by the decoder word by word (model_write, model.c)%s%s; two of %d texts each:\n",
          self->prompt ? ", beginning with: " : "", self->prompt ? self->prompt : "", TEXTS);
    int greedy = write_texts(lab, world, model, self->prompt, (Choice){0}, TEXTS, "greedy (temperature 0)", &rng);
    int cool =
        write_texts(lab, world, model, self->prompt, (Choice){.temperature = 0.5}, TEXTS, "temperature 0.5", &rng);
    int plain = write_texts(lab, world, model, self->prompt, (Choice){.temperature = 1}, TEXTS, "temperature 1", &rng);
    int hot = write_texts(lab, world, model, self->prompt, (Choice){.temperature = 2}, TEXTS, "temperature 2", &rng);
    int top = write_texts(lab, world, model, self->prompt, (Choice){.temperature = 2, .top_k = 5}, TEXTS,
                          "temperature 2, the 5 best words only (top-k)", &rng);
    trace(lab->trace,
          "\nDifferent texts among %d: greedy %d, temperature 0.5: %d, 1: %d, 2: %d, 2 with top-k: %d. Greedy knows\n"
          "one text. High temperatures know many and get lost; top-k cuts the long tail of bad words off.\n",
          TEXTS, greedy, cool, plain, hot, top);
    claim(lab->claims, (Claim){.id = "greedy-is-one-text",
                               .statement = "greedy text is the same every time; drawn at temperature 1 the texts "
                                            "differ (different ones among 20, drawn minus greedy)",
                               .source = "lecture: greedy, temperature, top-k",
                               .measured = plain - greedy,
                               .test = AT_LEAST,
                               .bound = 5,
                               .skipped = self->prompt ? "the prompt is the student's" : NULL});
}

/* ---- figure and claims ------------------------------------------------------------------------- */

static void curve(Panel *panel, const char *label, const Pretrained *all, int network, int column)
{
    real x[LOOKS + 1], y[LOOKS + 1];
    for (int i = 0; i <= LOOKS; i++) {
        x[i] = all->look[network]->data[3 * i];
        y[i] = all->look[network]->data[3 * i + column];
    }
    panel_line(panel, label, x, y, LOOKS + 1);
}

static void draw(Lab *lab, const Pretrained *all, const Counted *counted)
{
    char label[64];
    Figure *figure = figure_begin(lab->figures, "pretraining_curves", "Learning from plain text");
    figure_layout(figure, 2, 640, 460);
    Panel *panel = figure_panel(figure, "encoder: the masked word", "steps", "accuracy");
    panel_range_y(panel, 0, 1);
    curve(panel, "encoder", all, ENCODER, 1);
    panel_horizontal(panel, "by both neighbours", counted->between);
    panel_horizontal(panel, "by the word before", counted->bigram);
    panel = figure_panel(figure, "encoder: does the second sentence follow?", "steps", "accuracy");
    panel_range_y(panel, 0, 1);
    curve(panel, "encoder", all, ENCODER, 2);
    panel_horizontal(panel, "chance", 0.5);
    panel = figure_panel(figure, "encoder-decoder: words in spans", "steps", "accuracy");
    panel_range_y(panel, 0, 1);
    curve(panel, "encoder-decoder", all, ENCODER_DECODER, 1);
    panel_horizontal(panel, "by the word before", counted->spans_bigram);
    panel = figure_panel(figure, "decoder: the next word", "steps", "perplexity");
    panel_log_y(panel);
    panel_range_y(panel, 2, 50);
    curve(panel, "decoder", all, DECODER, 1);
    snprintf(label, sizeof label, "best n-grams, n = %d", counted->best);
    panel_horizontal(panel, label, counted->perplexity[counted->best]);
    figure_end(figure);
}

static void claim_learned(Lab *lab, const Pretrained *all, const Counted *counted)
{
    const char *few = lab->quick ? "the models are trained for too few steps" : NULL;
    claim(lab->claims,
          (Claim){.id = "masked-over-bigram",
                  .statement = "masked words: the encoder's accuracy minus that of the word most frequent behind the "
                               "word before (percentage points)",
                  .source = "Devlin 2018, section 3.1",
                  .measured = 100 * (last_look(all, ENCODER, 1) - counted->bigram),
                  .test = AT_LEAST,
                  .bound = 15,
                  .skipped = few});
    claim(lab->claims, (Claim){.id = "masked-over-neighbours",
                               .statement = "and minus that of the word most frequent between both neighbours: it "
                                            "uses more than these (percentage points)",
                               .source = "Devlin 2018, section 3.1: both directions, all layers",
                               .measured = 100 * (last_look(all, ENCODER, 1) - counted->between),
                               .test = ABOVE,
                               .bound = 0,
                               .skipped = few});
    claim(lab->claims, (Claim){.id = "next-sentence",
                               .statement = "the encoder tells whether the second sentence follows (accuracy)",
                               .source = "lecture; Devlin 2018, section 3.1",
                               .measured = last_look(all, ENCODER, 2),
                               .test = AT_LEAST,
                               .bound = 0.75,
                               .skipped = few});
    claim(lab->claims,
          (Claim){.id = "spans-over-bigram",
                  .statement = "words in spans: the encoder-decoder's accuracy minus the bigram's (percentage points)",
                  .source = "Raffel 2020, section 3.1.4",
                  .measured = 100 * (last_look(all, ENCODER_DECODER, 1) - counted->spans_bigram),
                  .test = AT_LEAST,
                  .bound = 15,
                  .skipped = few});
    claim(lab->claims, (Claim){.id = "decoder-over-ngrams",
                               .statement = "the decoder's perplexity is below that of the best n-grams (their ratio)",
                               .source = "lecture; lab 01",
                               .measured = last_look(all, DECODER, 1) / counted->perplexity[counted->best],
                               .test = BELOW,
                               .bound = 1});
}

void step_pretraining(Lab *lab, void *state)
{
    InContext *self = state;
    const Stories *stories = stories_of(lab, self);
    const Pretrained *all = pretrained(lab, self);
    Counted counted = {0};
    Guesses *guesses = guesses_new(stories);
    count_masked(guesses, all->questions, &counted);
    count_spans(guesses, all->questions, &counted);
    guesses_free(guesses);
    count_ngrams(stories, all->questions, &counted);
    pretraining_settings(lab, self, all);
    tell_encoder(lab, all, &counted);
    tell_spans(lab, stories->world, all, &counted);
    tell_decoder(lab, all, &counted);
    generate(lab, self, stories->world, &all->decoder);
    draw(lab, all, &counted);
    claim_learned(lab, all, &counted);
}
