/* steps_losses.c: step 3: three ways to ask, and what they cost. */
#include "word2vec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "maths.h"
#include "memory.h"

/* ---- the tree -------------------------------------------------------------------- */

/* The path to WORD as text: "101". */
static const char *code_of(const Huffman *tree, int word, char code[64])
{
    int n = tree->begin[word + 1] - tree->begin[word];
    for (int i = 0; i < n; i++)
        code[i] = tree->side[tree->begin[word] + i] ? '1' : '0';
    code[n] = '\0';
    return code;
}

/* The subtree whose words' codes begin with PREFIX. */
static void trace_subtree(Lab *lab, const Huffman *tree, const char *const *words, const uint64_t *counts,
                          const char *prefix, const char *indent)
{
    char code[64], name[64], further[256];
    size_t depth = strlen(prefix);
    uint64_t sum = 0;
    for (int w = 0; w < tree->words; w++) {
        if (strncmp(code_of(tree, w, code), prefix, depth) != 0)
            continue;
        sum += counts[w];
        if (code[depth] == '\0') {
            trace(lab->trace, " %s (%d), code %s\n", words[w], (int)counts[w], code);
            return;
        }
    }
    trace(lab->trace, "┬ (%d)\n", (int)sum);
    for (int side = 0; side < 2; side++) {
        snprintf(name, sizeof name, "%s%d", prefix, side);
        trace(lab->trace, "    %s%s─%d", indent, side ? "└" : "├", side);
        snprintf(further, sizeof further, "%s%s  ", indent, side ? " " : "│");
        trace_subtree(lab, tree, words, counts, name, further);
    }
}

static void small_tree(Lab *lab)
{
    static const char *const words[] = {"the", "of", "bank", "king", "queen", "은행"};
    static const uint64_t counts[] = {9, 5, 3, 2, 1, 1};
    enum { WORDS = 6 };
    Huffman *tree = huffman_new(counts, WORDS);
    trace(lab->trace, "A Huffman tree by hand (word and count): the two rarest become one, again and again.\n\n    ");
    trace_subtree(lab, tree, words, counts, "", "");
    double letters = 0, total = 0;
    char code[64];
    for (int w = 0; w < WORDS; w++) {
        letters += (double)counts[w] * (double)strlen(code_of(tree, w, code));
        total += (double)counts[w];
    }
    trace(lab->trace,
          "\nA word is found by as many yes-or-no questions as its code has digits: %.2f on average, where six\n"
          "words written with equal lengths need 3. Frequent words have the short codes.\n\n",
          letters / total);
    huffman_free(tree);
}

/* Mean code length of the text's words, and the entropy, the least there can be. */
static void tree_of_text(Lab *lab, const Text *text)
{
    Huffman *tree = huffman_new(text->vocab->count, text->vocab->size);
    double mean = 0, entropy = 0;
    for (int w = 0; w < text->vocab->size; w++) {
        double p = (double)text->vocab->count[w] / (double)text->tokens;
        mean += p * (tree->begin[w + 1] - tree->begin[w]);
        entropy -= p * log64(p) / log64(2);
    }
    trace(lab->trace,
          "The small world's %d words: %.3f questions on average; the entropy is %.3f bits, and log2 V = %.3f.\n\n",
          text->vocab->size, mean, entropy, log64(text->vocab->size) / log64(2));
    claim(
        lab->claims,
        (Claim){.id = "huffman-near-entropy",
                .statement = "the Huffman tree's mean path is at most 1 above the entropy of the words: the difference",
                .source = "Huffman 1952; lecture 2: hierarchical softmax",
                .measured = mean - entropy,
                .test = BETWEEN,
                .bound = 0,
                .upper = 1});
    huffman_free(tree);
}

/* ---- counted cost ------------------------------------------------------------------- */

enum { SIZES = 5 };
static const int SIZE[SIZES] = {10, 100, 1000, 10000, 100000};

/* Words by Zipf's law: the r-th is seen 10^9 / r times. */
static uint64_t *zipf_counts(int words)
{
    uint64_t *counts = memory_new((size_t)words, sizeof *counts, "word counts");
    for (int r = 0; r < words; r++)
        counts[r] = 1000000000u / (uint64_t)(r + 1);
    return counts;
}

static double mean_path(const uint64_t *counts, int words)
{
    Huffman *tree = huffman_new(counts, words);
    double sum = 0, total = 0;
    for (int w = 0; w < words; w++) {
        sum += (double)counts[w] * (tree->begin[w + 1] - tree->begin[w]);
        total += (double)counts[w];
    }
    huffman_free(tree);
    return sum / total;
}

/* Nanoseconds of one example over WORDS words, words drawn by their counts. */
static real time_example(Lab *lab, const uint64_t *counts, int words, LossKind loss)
{
    enum { NEGATIVES = 5, DRAWN = 512 };
    Vocab vocab = {.size = words, .count = (uint64_t *)counts};
    Text text = {.vocab = &vocab};
    Setting setting = {.loss = loss, .dimension = 64};
    Rng rng = lab_rng(lab, "timing");
    Model *model = model_new(&text, &setting, NULL, &rng);
    Sampler *sampler = sampler_new(counts, words, 1);
    int word[DRAWN];
    for (int i = 0; i < DRAWN; i++)
        word[i] = sampler_draw(sampler, &rng);
    real gradient[64];
    double best = 0, start = clock_seconds();
    /* The shortest of several measurements: whatever else the machine does only adds to one. */
    for (int turn = 0; turn < 50 && clock_seconds() - start < (lab->quick ? 0.01 : 0.05); turn++) {
        enum { TOGETHER = 32 };
        int examples = words > 5000 && loss == FULL_SOFTMAX ? 1 : TOGETHER;
        double before = clock_seconds();
        for (int e = 0; e < examples; e++) {
            int i = (turn * TOGETHER + e) * (NEGATIVES + 1) % (DRAWN - NEGATIVES);
            memset(gradient, 0, sizeof gradient);
            learn_example(model, loss, model->input, word[i], word + i + 1, NEGATIVES, (real)0.01, gradient, false);
        }
        double time = 1e9 * (clock_seconds() - before) / examples;
        best = turn == 0 || time < best ? time : best;
    }
    sampler_free(sampler);
    model_free(model);
    return (real)best;
}

static const char *const loss_name[] = {"negative sampling", "hierarchical softmax", "full softmax"};

static void draw_cost(Lab *lab, const char *name, const char *title, const char *y, real cost[3][SIZES], int sizes)
{
    real x[SIZES];
    for (int i = 0; i < sizes; i++)
        x[i] = (real)SIZE[i];
    Figure *figure = figure_begin(lab->figures, name, title);
    Panel *panel = figure_panel(figure, NULL, "words in the vocabulary", y);
    panel_log_x(panel);
    panel_log_y(panel);
    for (int loss = FULL_SOFTMAX; loss >= NEGATIVE_SAMPLING; loss--)
        panel_line(panel, loss_name[loss], x, cost[loss], sizes);
    figure_end(figure);
}

static void cost(Lab *lab)
{
    real rows[3][SIZES], times[3][SIZES];
    int timed = lab_choose(lab, SIZES, SIZES - 1);
    trace(lab->trace,
          "Rows of the output table that one example reads and moves (words by Zipf's law, 5 noise words):\n\n");
    trace_table(lab->trace, "V\tfull softmax: V\thierarchical: path\tnegative sampling: k + 1");
    for (int i = 0; i < SIZES; i++) {
        uint64_t *counts = zipf_counts(SIZE[i]);
        rows[FULL_SOFTMAX][i] = (real)SIZE[i];
        rows[HIERARCHICAL_SOFTMAX][i] = (real)mean_path(counts, SIZE[i]);
        rows[NEGATIVE_SAMPLING][i] = 6;
        trace_row(lab->trace, "%d\t%.0f\t%.2f\t%.0f", SIZE[i], (double)rows[FULL_SOFTMAX][i],
                  (double)rows[HIERARCHICAL_SOFTMAX][i], (double)rows[NEGATIVE_SAMPLING][i]);
        for (int loss = 0; loss < 3 && i < timed; loss++)
            times[loss][i] = time_example(lab, counts, SIZE[i], (LossKind)loss);
        free(counts);
    }
    trace_table_end(lab->trace);
    trace(lab->trace, "\n(cost_vs_vocabulary_time shows the same in nanoseconds on this machine.)\n\n");
    for (int i = 0; i < 3 * timed; i++) {
        static const char *const of[] = {"ns", "hs", "softmax"};
        char name[64];
        snprintf(name, sizeof name, "example_%s_V%d", of[i % 3], SIZE[i / 3]);
        trace_timing(lab->trace, name, (double)times[i % 3][i / 3], "ns");
    }
    draw_cost(lab, "cost_vs_vocabulary", "What one example costs", "output rows touched", rows, SIZES);
    draw_cost(lab, "cost_vs_vocabulary_time", "What one example costs, measured on this machine",
              "nanoseconds an example", times, timed);

    real *path = rows[HIERARCHICAL_SOFTMAX];
    claim(lab->claims, (Claim){.id = "tree-is-logarithmic",
                               .statement = "from 1,000 to 100,000 words the softmax costs 100 times as much, the tree "
                                            "less than twice as much",
                               .source = "lecture 2: O(V) against O(log V) against O(k)",
                               .measured = (double)(path[4] / path[2]),
                               .test = BETWEEN,
                               .bound = 1,
                               .upper = 2});
}

/* ---- the losses themselves ------------------------------------------------------------ */

/* The first SENTENCES sentences, only words among the MOST most frequent. */
static Text *text_cut(const Text *text, int sentences, int most)
{
    Text *cut = memory_new(1, sizeof *cut, "the text");
    cut->vocab = vocab_new();
    for (int w = 0; w < most && w < text->vocab->size; w++)
        vocab_add(cut->vocab, text->vocab->word[w], strlen(text->vocab->word[w]));
    memset(cut->vocab->count, 0, (size_t)cut->vocab->size * sizeof *cut->vocab->count);
    cut->sentences = sentences < text->sentences ? sentences : text->sentences;
    cut->ids = memory_new((size_t)text->start[cut->sentences], sizeof *cut->ids, "the text");
    cut->start = memory_new((size_t)cut->sentences + 1, sizeof *cut->start, "the text");
    for (int s = 0; s < cut->sentences; s++) {
        for (long i = text->start[s]; i < text->start[s + 1]; i++)
            if (text->ids[i] < cut->vocab->size) {
                cut->ids[cut->tokens++] = text->ids[i];
                cut->vocab->count[text->ids[i]]++;
            }
        cut->start[s + 1] = (long)cut->tokens;
    }
    for (int w = 0; w < cut->vocab->size; w++) /* a word of the rest alone still has a place in the tree */
        cut->vocab->count[w] += cut->vocab->count[w] == 0;
    return cut;
}

enum { CUTS = 3, CURVE = 8 };

/* CBOW on a part of the text by the full softmax and by the tree: both losses are
 * -log p(word), so they may be compared. */
static int compare_losses(Lab *lab, const Text *text, real curve[2][CURVE])
{
    static const int cut[CUTS] = {100, 300, 900};
    int epochs = lab_choose(lab, 6, 3), sentences = lab_choose(lab, 3000, 1500);
    trace(lab->trace,
          "The loss, -log p(word), of CBOW after %d passes over %d sentences, words beyond the V most\n"
          "frequent left out:\n\n",
          epochs, sentences);
    trace_table(lab->trace,
                "V\tknowing nothing: log V\tfull softmax\thierarchical softmax\tmultiply-adds: softmax / tree");
    for (int c = 0; c < CUTS; c++) {
        Text *part = text_cut(text, sentences, cut[c]);
        Course course[2];
        for (int tree = 0; tree < 2; tree++) {
            Setting setting = world_setting(lab, CBOW, tree ? HIERARCHICAL_SOFTMAX : FULL_SOFTMAX);
            setting.dimension = 32;
            setting.epochs = epochs;
            setting.rate = (real)0.1;
            setting.subsample = 0;
            setting.threads = lab->threads;
            model_free(train(part, &setting, NULL, lab_rng(lab, "losses"), NULL, &course[tree]));
            memcpy(curve[tree], course[tree].loss, (size_t)epochs * sizeof(real));
        }
        trace_row(lab->trace, "%d\t%.3f\t%.3f\t%.3f\t%.1f", part->vocab->size, log64(part->vocab->size),
                  (double)course[0].loss[epochs - 1], (double)course[1].loss[epochs - 1],
                  course[0].multiply_adds / course[1].multiply_adds);
        free(course[0].loss);
        free(course[1].loss);
        text_free(part);
    }
    trace_table_end(lab->trace);
    return epochs;
}

static void draw_losses(Lab *lab, Word2Vec *self, real curve[2][CURVE], int epochs)
{
    real x[64];
    for (int i = 0; i < 64; i++)
        x[i] = (real)(i + 1);
    Figure *figure = figure_begin(lab->figures, "loss_curves", "Learning to answer");
    figure_layout(figure, 3, 500, 440);
    for (int loss = 0; loss < 2; loss++) {
        Panel *panel = figure_panel(figure, loss_name[loss], "pass over the text", "loss an example");
        panel_key(panel, KEY_INSIDE);
        for (int model = 0; model < 2; model++) {
            const Course *course = &self->course[model][loss];
            panel_line(panel, model == SKIPGRAM ? "skip-gram" : "CBOW", x, course->loss, course->epochs);
        }
    }
    Panel *panel = figure_panel(figure, "CBOW, a small part of the text", "pass over the text", "-log p(word)");
    panel_key(panel, KEY_INSIDE);
    panel_range_y(panel, 0, 11); /* room for the key above the line of log V */
    panel_line(panel, "full softmax", x, curve[0], epochs);
    panel_line(panel, "hierarchical softmax", x, curve[1], epochs);
    panel_horizontal(panel, "knowing nothing: log 900", log64(900));
    figure_end(figure);
}

/* Over all words, the products of the questions on their paths add up to 1. */
static double tree_sum(Lab *lab, const Text *text)
{
    Setting setting = world_setting(lab, SKIPGRAM, HIERARCHICAL_SOFTMAX);
    setting.epochs = 1;
    Model *model = train((Text *)text, &setting, NULL, lab_rng(lab, "tree sum"), NULL, NULL);
    double sum = 0;
    for (int w = 0; w < model->words; w++)
        sum += exp64(-learn_example(model, HIERARCHICAL_SOFTMAX, model->input, w, NULL, 0, 0, NULL, false));
    model_free(model);
    return sum;
}

void step_losses(Lab *lab, void *state)
{
    Word2Vec *self = state;
    real curve[2][CURVE];
    need_models(lab, self);
    trace(lab->trace,
          "The softmax of step 2 asks every word. Two ways around it:\n"
          "    hierarchical softmax   words are the leaves of a tree, each inner node a yes-or-no question;\n"
          "                           p(word) is the product along its path\n"
          "    negative sampling      only: was it this word (yes), or these k noise words (no)?\n\n");
    small_tree(lab);
    tree_of_text(lab, self->text);
    cost(lab);
    int epochs = compare_losses(lab, self->text, curve);
    double sum = tree_sum(lab, self->text);
    trace(lab->trace,
          "\nThe tree's probabilities of all %d words add up to %.6f, without anybody dividing by a sum.\n"
          "Negative sampling's scores do not make probabilities: its loss starts at (k + 1) log 2 = %.3f.\n",
          self->text->vocab->size, sum, 6 * log64(2));
    draw_losses(lab, self, curve, epochs);

    claim(lab->claims, (Claim){.id = "tree-sums-to-one",
                               .statement = "the hierarchical softmax is a distribution: its probabilities add up to 1",
                               .source = "Morin & Bengio 2005; lecture 2",
                               .measured = sum,
                               .test = EQUALS,
                               .bound = 1,
                               .tolerance = 1e-4});
    double least = 1e9;
    for (int i = 0; i < 4; i++) {
        const Course *course = &self->course[i / 2][i % 2];
        double fall = (double)(course->loss[0] - course->loss[course->epochs - 1]);
        least = fall < least ? fall : least;
    }
    claim(lab->claims, (Claim){.id = "losses-fall",
                               .statement = "skip-gram and CBOW, with noise and with the tree: all four losses fall",
                               .source = "lecture 2",
                               .measured = least,
                               .test = ABOVE,
                               .bound = 0});
}
