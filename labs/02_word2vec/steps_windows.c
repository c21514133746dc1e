/* steps_windows.c: step 1: a sentence becomes questions. */
#include "word2vec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* How many examples one pass over a sentence makes. */
static int count_examples(const char *sentence, ModelKind model, int window)
{
    Corpus *corpus = corpus_from_text("the sentence", sentence, false);
    Text *text = text_of_corpus(corpus, "the sentence", 1, 0);
    Setting setting = {.model = model, .loss = FULL_SOFTMAX, .window = window, .epochs = 1, .fixed_window = true};
    Reader *reader = reader_new(text, &setting, rng_new(1, "windows"));
    int examples = 0;
    for (const Batch *batch; (batch = reader_next(reader));)
        examples += batch->examples;
    reader_free(reader);
    text_free(text);
    corpus_close(corpus);
    return examples;
}

/* The centre of each window between brackets: "turning [into] banking". */
static void trace_windows(Lab *lab, char **word, int n, int window)
{
    trace_table(lab->trace, "window\tskip-gram asks\tCBOW asks");
    for (int i = 0; i < n; i++) {
        char shown[512] = "", pairs[512] = "", context[256] = "";
        for (int j = i - window < 0 ? 0 : i - window; j <= i + window && j < n; j++) {
            bool centre = j == i;
            size_t a = strlen(shown), b = strlen(pairs), c = strlen(context);
            snprintf(shown + a, sizeof shown - a, "%s%s%s%s", a ? " " : "", centre ? "[" : "", word[j],
                     centre ? "]" : "");
            if (!centre) {
                snprintf(pairs + b, sizeof pairs - b, "%s%s→%s", b ? ", " : "", word[i], word[j]);
                snprintf(context + c, sizeof context - c, "%s%s", c ? " " : "", word[j]);
            }
        }
        trace_row(lab->trace, "%s\t%s\t{%s}→%s", shown, pairs, context, word[i]);
    }
    trace_table_end(lab->trace);
}

/* Black and white: which word is asked about which. */
static void draw_pairs(Lab *lab, char **word, int n, const real *skipgram, const real *cbow, int windows)
{
    enum { MOST = 16 };
    real cells[MOST * MOST], x[MOST];
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            cells[i * n + j] = i != j && abs(i - j) <= 2;
    for (int w = 0; w < windows; w++)
        x[w] = (real)(w + 1);
    Figure *figure = figure_begin(lab->figures, "training_pairs", "One sentence, cut into questions");
    Panel *panel = figure_panel(figure, "pairs of skip-gram, window 2", "context", "centre");
    panel_heatmap(panel, cells, n, n, (const char *const *)word, (const char *const *)word, WEIGHTS);
    panel = figure_panel(figure, "examples that this sentence makes", "window", "examples");
    panel_line(panel, "skip-gram: one a neighbour", x, skipgram, windows);
    panel_line(panel, "CBOW: one a word", x, cbow, windows);
    figure_end(figure);
}

void step_windows(Lab *lab, void *state)
{
    enum { WINDOWS = 5 };
    static const char first[] = "problems turning into banking crises as";
    static const char second[] = "The quick brown fox jumps over the lazy dog";
    (void)state;
    int n, m;
    char **word = text_split(first, "the sentence", &n), **fox = text_split(second, "the sentence", &m);

    trace(lab->trace,
          "You shall know a word by the company it keeps (Firth 1957). A window slides over the text; the word\n"
          "in its middle [the centre] and its neighbours [the context] become questions with known answers:\n"
          "skip-gram asks for each neighbour given the centre, CBOW for the centre given all neighbours.\n\n"
          "\"%s\", window 2:\n\n",
          first);
    trace_windows(lab, word, n, 2);
    trace(lab->trace, "\n\"%s\", window 2:\n\n", second);
    trace_windows(lab, fox, m, 2);

    real skipgram[WINDOWS], cbow[WINDOWS];
    trace(lab->trace, "\nTraining examples that \"%s\" makes:\n\n", first);
    trace_table(lab->trace, "window\tskip-gram\tCBOW");
    for (int w = 1; w <= WINDOWS; w++) {
        skipgram[w - 1] = (real)count_examples(first, SKIPGRAM, w);
        cbow[w - 1] = (real)count_examples(first, CBOW, w);
        trace_row(lab->trace, "%d\t%.0f\t%.0f", w, (double)skipgram[w - 1], (double)cbow[w - 1]);
    }
    trace_table_end(lab->trace);
    trace(lab->trace, "\nWith n words and a window of m < n, skip-gram makes 2nm - m(m+1) examples: at each end of\n"
                      "the sentence 1 + 2 + ... + m neighbours are missing.\n");
    draw_pairs(lab, word, n, skipgram, cbow, WINDOWS);

    claim(lab->claims, (Claim){.id = "cbow-one-example",
                               .statement = "CBOW makes one training example of each word, whatever the window",
                               .source = "lecture 2: CBOW 1, skip-gram one a neighbour",
                               .measured = (double)(cbow[1] + cbow[WINDOWS - 1]) / (2 * n),
                               .test = EQUALS,
                               .bound = 1});
    claim(lab->claims, (Claim){.id = "skipgram-one-a-neighbour",
                               .statement = "skip-gram makes one of each neighbour: 2nm - m(m+1) = 18 of six words "
                                            "with window 2",
                               .source = "lecture 2: CBOW 1, skip-gram one a neighbour",
                               .measured = (double)skipgram[1],
                               .test = EQUALS,
                               .bound = 2 * n * 2 - 2 * 3});
    free(word);
    free(fox);
}
