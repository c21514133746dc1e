/* steps_glove.c: step 7: GloVe, straight from the counts. */
#include "word2vec.h"

#include <stdlib.h>

#include "maths.h"
#include "memory.h"

enum { EPOCHS = 25, WINDOW = 5 };

/* Counts of a few words, on a logarithmic scale. */
static void draw(Lab *lab, const Text *text, const real *counts, const real *loss)
{
    static const char *const rows[] = {"bank", "finance", "phone",  "smartphone", "apple",
                                       "은행", "금융",    "핸드폰", "스마트폰"};
    static const char *const columns[] = {"rates", "lends", "battery", "charges", "ripe", "tree",
                                          "금리",  "돈",    "고객",    "배터리",  "전화", "문자"};
    enum { ROWS = sizeof rows / sizeof *rows, COLUMNS = sizeof columns / sizeof *columns };
    real cells[ROWS * COLUMNS], x[EPOCHS];
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++) {
            int w = vocab_find(text->vocab, rows[i]), c = vocab_find(text->vocab, columns[j]);
            cells[i * COLUMNS + j] = w < 0 || c < 0 ? 0 : counts[(size_t)w * (size_t)text->vocab->size + (size_t)c];
        }
    for (int i = 0; i < EPOCHS; i++)
        x[i] = (real)(i + 1);
    Figure *figure = figure_begin(lab->figures, "cooccurrence", "Counts, and GloVe learning them");
    panel_heatmap(figure_panel(figure, "co-occurrence, each neighbour counted 1 / distance", NULL, NULL), cells, ROWS,
                  COLUMNS, rows, columns, MAGNITUDE);
    Panel *panel = figure_panel(figure, "GloVe", "pass over the matrix", "weighted squared error");
    panel_log_y(panel);
    panel_line(panel, "J / cells", x, loss, EPOCHS);
    figure_end(figure);
}

void step_glove(Lab *lab, void *state)
{
    static const char *const words[] = {"은행", "핸드폰", "서울", "bank", "phone", "queen", "puppy"};
    Word2Vec *self = state;
    need_models(lab, self);
    real loss[EPOCHS];
    real *counts = count_neighbours(self->text, WINDOW, true);
    size_t size = (size_t)self->text->vocab->size, seen = 0;
    for (size_t i = 0; i < size * size; i++)
        seen += counts[i] > 0;
    Vectors *glove = glove_train(self->text, counts, 64, EPOCHS, lab_rng(lab, "glove"), loss);
    const Vectors *skipgram = self->vectors[SKIPGRAM][NEGATIVE_SAMPLING];

    trace(lab->trace,
          "If the vectors are counts in disguise, why not start from the counts? X_ij: how often word j is within\n"
          "%d words of word i, each time weighted by 1 / distance. Of %zu x %zu cells %.1f%% are not zero.\n\n",
          WINDOW, size, size, 100.0 * (double)seen / ((double)size * (double)size));
    trace_equation(lab->trace, HERE, "J = sum_ij f(X_ij) (w_i . c_j + b_i + d_j - log X_ij)^2");
    trace_equation(lab->trace, HERE, "f(x) = (x / 10)^0.75, at most 1");
    trace(lab->trace, "\nJ / cells: %.3f after the first pass, %.3f after pass %d.\n\n", (double)loss[0],
          (double)loss[EPOCHS - 1], EPOCHS);
    trace_table(lab->trace, "word\tGloVe\tskip-gram");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char *left = neighbours_text(glove, words[i], 3), *right = neighbours_text(skipgram, words[i], 3);
        trace_row(lab->trace, "%s\t%s\t%s", words[i], left, right);
        free(left);
        free(right);
    }
    trace_table_end(lab->trace);
    double share = purity(glove, self->world, 0, UINT64_MAX), other = purity(skipgram, self->world, 0, UINT64_MAX);
    trace(lab->trace,
          "\nPurity: GloVe %.3f, skip-gram %.3f. GloVe never hears about pairs that do not occur: on a text as small\n"
          "as this, that is most of what there is to know.\n",
          share, other);
    draw(lab, self->text, counts, loss);
    claim(lab->claims, (Claim){.id = "glove-finds-categories",
                               .statement = "GloVe finds the categories too: purity, where chance is 0.05",
                               .source = "Pennington et al. 2014; lecture 2",
                               .measured = share,
                               .test = AT_LEAST,
                               .bound = 0.5});
    claim(lab->claims, (Claim){.id = "glove-below-skipgram",
                               .statement = "on this small text skip-gram finds more: its purity minus GloVe's",
                               .source = "this lab",
                               .measured = other - share,
                               .test = AT_LEAST,
                               .bound = 0});
    vectors_free(glove);
    free(counts);
}
