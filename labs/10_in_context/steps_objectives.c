/* Step 1. Three ways to make questions and answers out of plain text. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "pretrain.h"

enum { LINE = 512 };

static void show(Lab *lab, const World *world, const char *name, const int *ids, int n)
{
    char text[LINE];
    trace(lab->trace, "    %-9s%s\n", name, words_text(world, ids, n, text, sizeof text));
}

static void show_corpus(Lab *lab, const Stories *stories)
{
    char text[LINE];
    int words[STORY_MOST];
    long total = 0;
    for (int i = 0; i < stories->n; i++)
        total += story_words(&stories->story[i], words);
    trace(lab->trace,
          "The corpus: %d stories of two sentences, %ld words, %d different ones. Nobody has labelled it. The\n"
          "second sentence keeps to the first: the same person, thing and place, words of the same topic, the\n"
          "same mood. Some names are places elsewhere (jordan, washington).\n\n",
          stories->n, total, world_words(stories->world));
    for (int i = 0; i < 4; i++)
        trace(lab->trace, "    %s\n",
              words_text(stories->world, words, story_words(&stories->story[i], words), text, sizeof text));
}

/* ---- BERT: hide words ------------------------------------------------------------ */

/* One pair before and after, word by word. */
static void show_masked(Lab *lab, const Stories *stories)
{
    int row[TEXT_MOST], masked[TEXT_MOST], target[TEXT_MOST];
    MaskCounts counts = {0};
    Rng rng = lab_rng(lab, "one masked pair");
    int n = pair_row(&stories->story[0].sentence[0], &stories->story[0].sentence[1], row), segment = 0;
    do { /* until there is something to see */
        memcpy(masked, row, sizeof row);
        mask_words(stories->world, masked, target, n, &counts, &rng);
    } while (memcmp(masked, row, (size_t)n * sizeof *row) == 0);
    trace(lab->trace,
          "\nBERT hides words and asks for them (mask_words, objectives.c). The loss is computed where a target\n"
          "stands and nowhere else:\n\n");
    trace_table(lab->trace, "place\tsegment\tword\tthe encoder reads\ttarget");
    for (int t = 0; t < n; t++) {
        trace_row(lab->trace, "%d\t%d\t%s\t%s\t%s", t, segment, world_word(stories->world, row[t]),
                  world_word(stories->world, masked[t]),
                  target[t] == NO_TARGET ? "" : world_word(stories->world, target[t]));
        segment |= row[t] == SEP;
    }
    trace_table_end(lab->trace);
}

/* What mask_words left behind, seen from outside. */
typedef struct {
    long words, targets, hidden, kept, changed; /* places with a target, by what stands there now */
    long shown;                                 /* [MASK] where the word itself is still to be read: a leak */
    long touched;                               /* places without a target that changed, and marks that were chosen */
} Seen;

static void look_at(const int *before, const int *after, const int *target, int n, Seen *seen)
{
    for (int t = 0; t < n; t++) {
        bool asked = target[t] != NO_TARGET;
        seen->words += before[t] >= SPECIALS;
        seen->targets += asked;
        seen->hidden += asked && after[t] == MASK;
        seen->kept += asked && after[t] == before[t];
        seen->changed += asked && after[t] != before[t] && after[t] != MASK;
        seen->shown += asked && after[t] == MASK && target[t] != before[t];
        seen->touched += !asked ? after[t] != before[t] : before[t] < SPECIALS;
    }
}

static void draw_counts(Lab *lab, const Seen *seen)
{
    static const char *const chosen[] = {"asked for", "left alone"}, *const become[] = {"[MASK]", "another", "kept"};
    real words = (real)seen->words, targets = (real)seen->targets;
    real share[2] = {(real)seen->targets / words, 1 - (real)seen->targets / words}, rule[2] = {(real)0.15, (real)0.85};
    real kind[3] = {(real)seen->hidden / targets, (real)seen->changed / targets, (real)seen->kept / targets};
    real kinds[3] = {(real)0.8, (real)0.1, (real)0.1};
    Figure *figure = figure_begin(lab->figures, "masking_counts", "BERT's masking, counted");
    Panel *panel = figure_panel(figure, "all words", NULL, "share of the words");
    panel_range_y(panel, 0, 1.1);
    panel_bars(panel, "counted", chosen, share, NULL, 2);
    panel_bars(panel, "the rule", chosen, rule, NULL, 2);
    panel = figure_panel(figure, "the words asked for: what the encoder reads there", NULL, "share of these");
    panel_range_y(panel, 0, 1.1);
    panel_bars(panel, "counted", become, kind, NULL, 3);
    panel_bars(panel, "the rule", become, kinds, NULL, 3);
    figure_end(figure);
}

static void claim_counts(Lab *lab, const MaskCounts *counts, const Seen *seen)
{
    double worst = fabs(100.0 * (double)counts->chosen / (double)counts->words - 15), n = (double)counts->chosen;
    worst = fmax(worst, fabs(100 * (double)counts->masked / n - 80));
    worst = fmax(worst, fabs(100 * (double)counts->random / n - 10));
    worst = fmax(worst, fabs(100 * (double)counts->kept / n - 10));
    claim(lab->claims, (Claim){.id = "masking-words",
                               .statement = "the rates below are counted over at least 100,000 words",
                               .source = "step 1",
                               .measured = (double)counts->words,
                               .test = AT_LEAST,
                               .bound = 100000});
    claim(lab->claims, (Claim){.id = "masking-rates",
                               .statement = "15 % of the words are asked for; of these 80 % are masked, 10 % replaced, "
                                            "10 % kept (largest of the four differences, in percentage points)",
                               .source = "lecture; Devlin 2018, section 3.1",
                               .measured = worst,
                               .test = AT_MOST,
                               .bound = 1});
    claim(lab->claims, (Claim){.id = "masking-no-leak",
                               .statement = "places where [MASK] does not hide the target, words changed without being "
                                            "asked for, and marks asked for (of all the words counted)",
                               .source = "Devlin 2018, section 3.1: otherwise a word could see itself",
                               .measured = (double)(seen->shown + seen->touched),
                               .test = EQUALS,
                               .bound = 0});
}

enum { PASSES = 4 }; /* each pass draws anew */

static void count_masks(Lab *lab, const Stories *stories)
{
    int row[TEXT_MOST], masked[TEXT_MOST], target[TEXT_MOST];
    MaskCounts counts = {0};
    Seen seen = {0};
    Rng rng = lab_rng(lab, "masks");
    for (int i = 0; i < PASSES * stories->n; i++) {
        const Story *story = &stories->story[i % stories->n];
        int n = pair_row(&story->sentence[0], &story->sentence[1], row);
        memcpy(masked, row, sizeof row);
        mask_words(stories->world, masked, target, n, &counts, &rng);
        look_at(row, masked, target, n, &seen);
    }
    double n = (double)seen.targets;
    trace(lab->trace, "\nOver the whole corpus, drawn %d times (figure masking_counts):\n\n", PASSES);
    trace_table(lab->trace, "\tof\tplaces\tshare\tthe rule");
    trace_row(lab->trace, "asked for\tall words\t%ld\t%.4f\t0.15", seen.targets, n / (double)seen.words);
    trace_row(lab->trace, "now [MASK]\tasked for\t%ld\t%.4f\t0.80", seen.hidden, (double)seen.hidden / n);
    trace_row(lab->trace, "now another word\tasked for\t%ld\t%.4f\t0.10", seen.changed, (double)seen.changed / n);
    trace_row(lab->trace, "still itself\tasked for\t%ld\t%.4f\t0.10", seen.kept, (double)seen.kept / n);
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nWhy not [MASK] always? No text that the encoder will be used on has a [MASK] in it: were only masked\n"
          "words asked for, it would owe the others no good state. (A random word is, once in %d, itself.)\n",
          world_words(stories->world) - SPECIALS);
    draw_counts(lab, &seen);
    claim_counts(lab, &counts, &seen);
}

static void show_pairs(Lab *lab, const Stories *stories)
{
    int row[TEXT_MOST], other = 2;
    while (other < stories->n - 1 && stories->story[other].fact.topic == stories->story[1].fact.topic)
        other++;
    trace(lab->trace, "\nand, from the same corpus, asks whether the second sentence follows the first:\n\n");
    for (int follows = 1; follows >= 0; follows--) {
        const Story *story = &stories->story[1];
        int n = pair_row(&story->sentence[0], &stories->story[follows ? 1 : other].sentence[1], row);
        show(lab, stories->world, follows ? "IsNext" : "NotNext", row, n);
    }
}

/* ---- T5 and GPT ------------------------------------------------------------------------- */

static void show_spans(Lab *lab, const Stories *stories)
{
    int words[STORY_MOST], back[STORY_MOST], exact = 0, corrupted = 0, total = 0;
    Rng rng = lab_rng(lab, "spans");
    trace(lab->trace, "\nT5 takes two spans of one to three words out and asks for both in one go:\n\n");
    for (int i = 0; i < stories->n; i++) {
        int n = story_words(&stories->story[i], words);
        Spans spans = spans_take(words, n, &rng);
        int m = spans_restore(&spans, back);
        exact += m == n && memcmp(words, back, (size_t)n * sizeof *words) == 0;
        corrupted += spans.targets - 3;
        total += n;
        if (i == 0) {
            show(lab, stories->world, "words", words, n);
            show(lab, stories->world, "input", spans.input, spans.inputs);
            show(lab, stories->world, "target", spans.target, spans.targets);
            show(lab, stories->world, "restored", back, m);
        }
    }
    trace(lab->trace,
          "\nFrom input and target the words can be put together again (spans_restore, objectives.c): %d of %d\n"
          "stories come back exactly. %.1f %% of the words are taken out.\n",
          exact, stories->n, 100.0 * corrupted / total);
    claim(lab->claims, (Claim){.id = "spans-round-trip",
                               .statement = "input and target of span corruption give every story back, word for word "
                                            "(share of the stories)",
                               .source = "lecture; Raffel 2020, section 3.1.4",
                               .measured = (double)exact / stories->n,
                               .test = EQUALS,
                               .bound = 1});
}

static void show_next_words(Lab *lab, const Stories *stories)
{
    int row[TEXT_MOST], n = next_word_row(&stories->story[0], row);
    trace(lab->trace, "\nGPT asks for the next word at every place; the target is the input, one place on:\n\n");
    show(lab, stories->world, "input", row, n - 1);
    show(lab, stories->world, "target", row + 1, n - 1);
}

/* ---- who sees whom -------------------------------------------------------------------------- */

/* Measured, not drawn from the masks: word S is replaced by another, and a place T
 * that sees it changes.  The networks are not trained: who sees whom is built in. */
enum { INPUTS = 6, TARGETS_SHOWN = 4 };
typedef struct {
    const World *world;
    Encoder encoder;
    EncoderDecoder spans;
    Model decoder;
    int input[INPUTS], target[TARGETS_SHOWN];
} Sight;

/* What each network gives at its places: [ROWS, columns]. */
static Tensor *output_of(Tape *tape, const Sight *sight, int network, const int *input, const int *target)
{
    Texts texts;
    int row[1][TEXT_MOST] = {{0}}, length = INPUTS;
    memcpy(row[0], input, INPUTS * sizeof *input);
    texts_set(&texts, (const int(*)[TEXT_MOST])row, &length, 1);
    return network == ENCODER   ? encoder_read(tape, &sight->encoder, &texts)
           : network == DECODER ? model_read(tape, &sight->decoder, input, 1, INPUTS, (ModelView){0})
                                : encoder_decoder_scores(tape, &sight->spans, &texts, target, TARGETS_SHOWN);
}

/* SEES [rows, columns]: 1 where changing the word of the column changes the row, to the bit.  OVER_TARGET: the
 * columns are the decoder's own words. */
static void who_sees(const Sight *sight, int network, bool over_target, real *sees)
{
    int rows = network == ENCODER_DECODER ? TARGETS_SHOWN : INPUTS, columns = over_target ? TARGETS_SHOWN : INPUTS;
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    const Tensor *plain = output_of(tape, sight, network, sight->input, sight->target);
    int width = tensor_columns(plain);
    for (int s = 0; s < columns; s++) {
        int input[INPUTS], target[TARGETS_SHOWN];
        memcpy(input, sight->input, sizeof input);
        memcpy(target, sight->target, sizeof target);
        int *word = over_target ? &target[s] : &input[s];
        *word = *word == SPECIALS ? SPECIALS + 1 : SPECIALS;
        const Tensor *other = output_of(tape, sight, network, input, target);
        for (int t = 0; t < rows; t++)
            sees[t * columns + s] =
                memcmp(plain->data + t * width, other->data + t * width, (size_t)width * sizeof(real)) != 0;
    }
    tape_free(tape);
}

/* How many of the places are not as the mask says: causal, or all. */
static int unlike(const real *sees, int rows, int columns, bool causal)
{
    int wrong = 0;
    for (int t = 0; t < rows; t++)
        for (int s = 0; s < columns; s++)
            wrong += (sees[t * columns + s] > 0) != (!causal || s <= t);
    return wrong;
}

static void draw_sight(Lab *lab, const Sight *sight, const real *encoder, const real *cross, const real *own,
                       const real *decoder)
{
    const char *input[INPUTS], *target[TARGETS_SHOWN];
    for (int i = 0; i < INPUTS; i++)
        input[i] = world_word(sight->world, sight->input[i]);
    for (int i = 0; i < TARGETS_SHOWN; i++)
        target[i] = world_word(sight->world, sight->target[i]);
    Figure *figure = figure_begin(lab->figures, "attention_masks", "Who sees whom: the row sees the column (1)");
    figure_layout(figure, 2, 640, 460);
    Panel *panel = figure_panel(figure, "encoder (BERT): everybody sees everybody", "word read", "state at");
    panel_heatmap(panel, encoder, INPUTS, INPUTS, input, input, WEIGHTS);
    panel = figure_panel(figure, "decoder (GPT): only what came before", "word read", "state at");
    panel_heatmap(panel, decoder, INPUTS, INPUTS, input, input, WEIGHTS);
    panel = figure_panel(figure, "encoder-decoder (T5): the whole input ...", "the encoder's word", "written after");
    panel_heatmap(panel, cross, TARGETS_SHOWN, INPUTS, target, input, WEIGHTS);
    panel = figure_panel(figure, "... and of its own words those before", "the decoder's word", "written after");
    panel_heatmap(panel, own, TARGETS_SHOWN, TARGETS_SHOWN, target, target, WEIGHTS);
    figure_end(figure);
}

static Sight sight_new(Lab *lab, const World *world)
{
    static const char *const input[INPUTS] = {"jane", "<X>", "the", "bread", "in", "paris"};
    static const char *const target[TARGETS_SHOWN] = {"[PAD]", "<X>", "smith", "baked"};
    Rng rng = lab_rng(lab, "who sees whom");
    Sight sight = {.world = world};
    sight.encoder = encoder_new(world_words(world), &rng);
    sight.spans = encoder_decoder_new(world_words(world), &rng);
    sight.decoder = decoder_new(world_words(world), &rng);
    for (int i = 0; i < INPUTS; i++)
        sight.input[i] = world_find(world, input[i]);
    for (int i = 0; i < TARGETS_SHOWN; i++)
        sight.target[i] = world_find(world, target[i]);
    return sight;
}

static void show_sight(Lab *lab, const World *world)
{
    Sight sight = sight_new(lab, world);
    real encoder[INPUTS * INPUTS], cross[TARGETS_SHOWN * INPUTS], own[TARGETS_SHOWN * TARGETS_SHOWN],
        decoder[INPUTS * INPUTS];
    who_sees(&sight, ENCODER, false, encoder);
    who_sees(&sight, ENCODER_DECODER, false, cross);
    who_sees(&sight, ENCODER_DECODER, true, own);
    who_sees(&sight, DECODER, false, decoder);
    trace(lab->trace,
          "\nEach objective needs a network that sees what it may and no more. Change one word, and see where the\n"
          "output changes (networks.c, not trained; figure attention_masks). The decoder, which is asked for the\n"
          "next word, must not see it:\n\n");
    const char *labels[INPUTS];
    for (int i = 0; i < INPUTS; i++)
        labels[i] = world_word(world, sight.input[i]);
    trace_matrix(lab->trace, HERE, "decoder: the row changes with the column", decoder, INPUTS, INPUTS, labels, labels,
                 0);
    draw_sight(lab, &sight, encoder, cross, own, decoder);
    int wrong = unlike(encoder, INPUTS, INPUTS, false) + unlike(decoder, INPUTS, INPUTS, true) +
                unlike(cross, TARGETS_SHOWN, INPUTS, false) + unlike(own, TARGETS_SHOWN, TARGETS_SHOWN, true);
    claim(lab->claims, (Claim){.id = "who-sees-whom",
                               .statement = "the encoder's states depend on all words; the decoder's on none that "
                                            "comes later, to the bit; the encoder-decoder's on all that is read and "
                                            "on what was written before (places of 112 that do otherwise)",
                               .source = "lecture: encoder, encoder-decoder, decoder",
                               .measured = wrong,
                               .test = EQUALS,
                               .bound = 0});
    encoder_free(&sight.encoder);
    encoder_decoder_free(&sight.spans);
    model_free(&sight.decoder);
}

void step_objectives(Lab *lab, void *state)
{
    const Stories *stories = stories_of(lab, state);
    show_corpus(lab, stories);
    show_masked(lab, stories);
    count_masks(lab, stories);
    show_pairs(lab, stories);
    show_spans(lab, stories);
    show_next_words(lab, stories);
    show_sight(lab, stories->world);
}
