/* Step 7. From a configuration to a number of parameters: GPT-1 to GPT-3 and
 * beyond, by the formula that counts this lab's own models. */
#include <math.h>
#include <stdio.h>

#include "in_context.h"
#include "model.h"

typedef struct {
    const char *name;
    double year;
    double vocabulary, positions, segments; /* rows of the tables; positions 0: computed, not learned */
    double d, layers, feed_forward;
    double decoder; /* layers with cross-attention too (encoder-decoder) */
    bool gated;     /* three matrices in the feed-forward layer (SwiGLU), and no biases, norms without bias */
    bool untied;    /* a matrix of its own for the scores */
    double more;    /* norms and heads outside the layers */
    double published;
    const char *source;
} Configuration;

/* ---- the formula --------------------------------------------------------------------- */

typedef struct {
    double tables, attention, feed_forward, rest, total;
} Count;

/* a layer: 4 (d^2 + d) for Q, K, V, O (once more with cross-attention),
 *          2 d f + f + d for the feed-forward layer, 2 d for each norm */
static Count count(const Configuration *c)
{
    double d = c->d, f = c->feed_forward, blocks = c->layers + c->decoder;
    Count n = {0};
    n.tables = (c->vocabulary * (c->untied ? 2 : 1) + c->positions + c->segments) * d;
    n.attention = (blocks + c->decoder) * (c->gated ? 4 * d * d : 4 * (d * d + d));
    n.feed_forward = blocks * (c->gated ? 3 * d * f : 2 * d * f + f + d);
    n.rest = (2 * blocks + c->decoder) * (c->gated ? d : 2 * d) + c->more;
    n.total = n.tables + n.attention + n.feed_forward + n.rest;
    return n;
}

/* Largest difference between the formula and models of this lab, counted number by number. */
static double difference_from_own(Lab *lab)
{
    static const ModelSettings own[] = {
        {.vocabulary = 16, .positions = 33, .d = 32, .layers = 2, .heads = 4, .feed_forward = 64, .causal = true},
        {.vocabulary = 11, .positions = 26, .d = 48, .layers = 2, .heads = 4, .feed_forward = 96, .causal = true},
        {.vocabulary = 150, .positions = 40, .d = 48, .layers = 3, .heads = 4, .tied = true},
        {.vocabulary = 1000, .positions = 64, .d = 64, .layers = 4, .heads = 8}};
    double most = 0;
    Rng rng = lab_rng(lab, "counts");
    trace_table(lab->trace, "words\tplaces\td\tlayers\tfeed-forward\tscores\tformula\tcounted");
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        Model model = model_new(own[i], &rng);
        const ModelSettings *s = &model.settings;
        Configuration c = {.vocabulary = s->vocabulary,
                           .positions = s->positions,
                           .d = s->d,
                           .layers = s->layers,
                           .feed_forward = s->feed_forward,
                           .untied = !s->tied,
                           .more = 2 * s->d + (s->tied ? 0 : s->vocabulary)}; /* last norm, the scores' biases */
        double formula = count(&c).total, counted = (double)parameters_count(model.parameters);
        most = fmax(most, fabs(formula - counted));
        trace_row(lab->trace, "%d\t%d\t%d\t%d\t%d\t%s\t%.0f\t%.0f", s->vocabulary, s->positions, s->d, s->layers,
                  s->feed_forward, s->tied ? "tied" : "own matrix", formula, counted);
        model_free(&model);
    }
    trace_table_end(lab->trace);
    return most;
}

/* ... and a decoder block with cross-attention, which no model of this lab has. */
static double difference_of_block(Lab *lab)
{
    Rng rng = lab_rng(lab, "counts of a block");
    Parameters *parameters = parameters_new();
    block_new(parameters, "decoder", (BlockSettings){.d = 32, .heads = 4, .feed_forward = 128, .cross = true}, &rng);
    Configuration c = {.d = 32, .feed_forward = 128, .decoder = 1};
    double difference = fabs(count(&c).total - (double)parameters_count(parameters));
    parameters_free(parameters);
    return difference;
}

/* ---- the models of the lecture ---------------------------------------------------------- */

#define NORM(d) (2 * (d))
#define POOLER(d) ((d) * (d) + (d)) /* BERT: a linear layer over [CLS] */

static const Configuration known[] = {
    {"Orig. base", 2017.4, 37000, 0, 0, 512, 6, 2048, 6, false, false, 0, 65e6, "Vaswani 2017, table 3"},
    {"Orig. big", 2017.4, 37000, 0, 0, 1024, 6, 4096, 6, false, false, 0, 213e6, "Vaswani 2017, table 3"},
    {"GPT-1", 2018.4, 40478, 512, 0, 768, 12, 3072, 0, false, false, 0, 117e6, "Radford 2019, table 2"},
    {"BERT-base", 2018.8, 30522, 512, 2, 768, 12, 3072, 0, false, false, NORM(768) + POOLER(768), 110e6,
     "Devlin 2019, section 3"},
    {"BERT-large", 2018.8, 30522, 512, 2, 1024, 24, 4096, 0, false, false, NORM(1024) + POOLER(1024), 336e6,
     "the released weights' card"},
    {"GPT-2 (small)", 2019.1, 50257, 1024, 0, 768, 12, 3072, 0, false, false, NORM(768), 124e6,
     "the released weights' name"},
    {"GPT-2", 2019.1, 50257, 1024, 0, 1600, 48, 6400, 0, false, false, NORM(1600), 1558e6,
     "the released weights' name"},
    {"GPT-3", 2020.4, 50257, 2048, 0, 12288, 96, 49152, 0, false, false, NORM(12288), 175e9, "Brown 2020, table 2.1"},
    {"LLaMA", 2023.1, 32000, 0, 0, 8192, 80, 22016, 0, true, true, 8192, 65.2e9, "Touvron 2023, table 2"},
};
enum { KNOWN = sizeof known / sizeof *known, BASE = 0, BIG, GPT_1, BERT_BASE, BERT_LARGE, GPT_2_SMALL, GPT_2, GPT_3 };

static double deviation(int i)
{
    return count(&known[i]).total / known[i].published - 1;
}

static void by_hand(Lab *lab)
{
    Count n = count(&known[GPT_1]);
    trace(lab->trace, "\nGPT-1 on paper: d = 768, 12 layers, f = 3072, 40478 words, 512 places.\n\n");
    trace_equation(lab->trace, HERE, "tables        (40478 + 512) 768              = %.0f", n.tables);
    trace_equation(lab->trace, HERE, "attention     12 . 4 (768^2 + 768)           = %.0f", n.attention);
    trace_equation(lab->trace, HERE, "feed-forward  12 (2 . 768 . 3072 + 3072 + 768) = %.0f", n.feed_forward);
    trace_equation(lab->trace, HERE, "norms         12 . 2 . 2 . 768               = %.0f", n.rest);
    trace(lab->trace, "\ntogether %.0f: the 117 million of the paper.\n", n.total);
}

static void tell(Lab *lab)
{
    trace(lab->trace, "\nAnd the others. GB: in 16 bits a number, only to hold it.\n\n");
    trace_table(lab->trace, "model\td\tlayers\tcomputed, millions\tpublished\tdifference %\tGB\tsource");
    for (int i = 0; i < KNOWN; i++) {
        double total = count(&known[i]).total;
        trace_row(lab->trace, "%s\t%.0f\t%.0f\t%.1f\t%.0f\t%+.2f\t%.1f\t%s", known[i].name, known[i].d,
                  known[i].layers + known[i].decoder, total / 1e6, known[i].published / 1e6, 100 * deviation(i),
                  2 * total / 1e9, known[i].source);
    }
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nThree published numbers do not follow from their configurations. BERT-large's 340 million (Devlin 2019)\n"
          "are 336 with everything it was pretrained with; GPT-2's paper says 117 and 1542 million where the\n"
          "weights that its authors released are named 124M and 1558M (they corrected it there); and the 65 million\n"
          "of the Transformer's base model are %.1f with its 37000 words, though the big one agrees.\n"
          "GPT-4's size has not been published, so there is nothing to compute.\n",
          count(&known[BASE]).total / 1e6);
}

/* 6 N D: a multiplication and an addition for each parameter and word, forward and twice backward (Kaplan 2020). */
static double gpt_3_work(void)
{
    return 6 * count(&known[GPT_3]).total * 300e9;
}

static void draw(Lab *lab)
{
    real years[KNOWN], totals[KNOWN], share[3][KNOWN];
    const char *names[KNOWN];
    static const char *const part[] = {"tables of words and places", "attention", "feed-forward"};
    for (int i = 0; i < KNOWN; i++) {
        Count n = count(&known[i]);
        names[i] = known[i].name;
        years[i] = (real)known[i].year;
        totals[i] = (real)n.total;
        share[0][i] = (real)(100 * n.tables / n.total);
        share[1][i] = (real)(100 * n.attention / n.total);
        share[2][i] = (real)(100 * n.feed_forward / n.total);
    }
    Figure *figure = figure_begin(lab->figures, "parameter_counts", "How large, and where the parameters are");
    figure_layout(figure, 1, 1100, 520);
    Panel *panel = figure_panel(figure, "computed from the configuration", "year", "parameters");
    panel_log_y(panel);
    panel_range_x(panel, 2016.5, 2025);
    panel_range_y(panel, 1e7, 1e12);
    panel_key(panel, KEY_NONE);
    panel_points(panel, NULL, years, totals, names, KNOWN);
    panel = figure_panel(figure, "share of the parameters, %", NULL, NULL);
    panel_range_y(panel, 0, 80);
    for (int i = 0; i < 3; i++)
        panel_bars(panel, part[i], names, share[i], NULL, KNOWN);
    figure_end(figure);
}

static void claim_counts(Lab *lab, double own)
{
    double most = 0;
    for (int i = BIG; i < KNOWN; i++)
        most = fmax(most, fabs(deviation(i)));
    claim(lab->claims, (Claim){.id = "formula-is-exact",
                               .source = "lab: the models themselves",
                               .statement = "the formula gives every model of this lab, and a decoder block with "
                                            "cross-attention, to the last parameter (largest difference)",
                               .measured = own,
                               .test = EQUALS,
                               .bound = 0});
    claim(lab->claims,
          (Claim){.id = "published-counts",
                  .source = "lecture: 117M, 1.5B, 175B; the papers named in the trace",
                  .statement = "from their configurations GPT-1, GPT-2, GPT-3, BERT-base, BERT-large, the big "
                               "Transformer and LLaMA come within 1 % of the published number (largest difference, %)",
                  .measured = 100 * most,
                  .test = AT_MOST,
                  .bound = 1});
    claim(
        lab->claims,
        (Claim){.id = "transformer-base-count",
                .source = "Vaswani 2017, table 3: 65 million",
                .statement = "the base Transformer's configuration gives 2 to 4 % less than published (difference, %)",
                .measured = 100 * deviation(BASE),
                .test = BETWEEN,
                .bound = -4,
                .upper = -2,
                .corrects = true});
    claim(lab->claims,
          (Claim){.id = "bert-large-count",
                  .source = "Devlin 2019, section 3: 340 million",
                  .statement = "BERT-large has 1 to 2 % less than the paper's round number (difference, %)",
                  .measured = 100 * (count(&known[BERT_LARGE]).total / 340e6 - 1),
                  .test = BETWEEN,
                  .bound = -2,
                  .upper = -1,
                  .corrects = true});
    claim(lab->claims, (Claim){.id = "gpt-3-work",
                               .source = "Brown 2020, table D.1: 3.14e23 operations",
                               .statement = "6 N D with its 300 billion words is the work that GPT-3's training took "
                                            "(ratio to the published number)",
                               .measured = gpt_3_work() / 3.14e23,
                               .test = BETWEEN,
                               .bound = 0.99,
                               .upper = 1.01});
}

void step_counts(Lab *lab, void *state)
{
    (void)state;
    trace_equation(lab->trace, HERE, "a layer: 4 (d^2 + d) + (2 d f + f + d) + 2 . 2 d      about 12 d^2 for f = 4 d");
    trace(lab->trace, "\nModels of this lab, by the formula and counted:\n\n");
    double own = difference_from_own(lab);
    own = fmax(own, difference_of_block(lab));
    by_hand(lab);
    tell(lab);
    trace(lab->trace,
          "\nGPT-3 read 300 billion words: 6 N D = %.3g operations. At 20 billion a second, about what this lab's\n"
          "models get from one processor, that is %.0f thousand years.\n",
          gpt_3_work(), gpt_3_work() / 20e9 / (365.25 * 86400) / 1000);
    draw(lab);
    claim_counts(lab, own);
}
