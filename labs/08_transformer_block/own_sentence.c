/* own_sentence.c: step 6, last part: the sentence of --translate, and what the heads look at. */
#include <math.h>
#include <stdio.h>

#include "translators.h"

#define LECTURE "the black cat drank milk"

/* One sentence and what the Transformer made of it. */
typedef struct {
    int n, length; /* words read, and said without <EOS> */
    int ids[TRANSLATION_ENGLISH], out[TRANSLATION_FRENCH];
    const char *english[TRANSLATION_ENGLISH];
    const char *said[TRANSLATION_FRENCH], *next[TRANSLATION_FRENCH]; /* <SOS> y_1 ... y_n and y_1 ... y_n <EOS> */
} Spoken;

static void translate(const Translators *all, const char *text, Tape *tape, Spoken *spoken)
{
    const Vocab *french = all->corpus->french;
    spoken->n = translation_words(all->corpus, text, "--translate", spoken->ids);
    translator_greedy(tape, &all->model[TRANSFORMER].transformer, (Source){1, spoken->n, spoken->ids, &spoken->n},
                      TRANSLATION_SOS, TRANSLATION_EOS, TRANSLATION_PAD, TRANSLATION_FRENCH - 1, spoken->out);
    while (spoken->length < TRANSLATION_FRENCH - 1 && spoken->out[spoken->length] != TRANSLATION_PAD)
        spoken->length++;
    for (int i = 0; i < spoken->n; i++)
        spoken->english[i] = all->corpus->english->word[spoken->ids[i]];
    for (int i = 0; i <= spoken->length; i++) {
        spoken->said[i] = french->word[i ? spoken->out[i - 1] : TRANSLATION_SOS];
        spoken->next[i] = french->word[i < spoken->length ? spoken->out[i] : TRANSLATION_EOS];
    }
}

/* The weights [h, rows, columns] of one attention, a panel a head.  *SUMS: the largest error of a
 * row's sum; *FUTURE: the largest weight above the diagonal. */
static void draw_heads(Figure *figure, const char *kind, const real *w, int rows, int columns, const char *const *from,
                       const char *const *at, double *sums, double *future)
{
    for (int h = 0; h < HEADS; h++, w += rows * columns) {
        char title[48];
        snprintf(title, sizeof title, "%s, head %d", kind, h + 1);
        panel_heatmap(figure_panel(figure, title, NULL, NULL), w, rows, columns, from, at, WEIGHTS);
        for (int r = 0; r < rows; r++) {
            double sum = 0;
            for (int c = 0; c < columns; c++) {
                sum += (double)w[r * columns + c];
                *future = c > r ? fmax(*future, (double)w[r * columns + c]) : *future;
            }
            *sums = fmax(*sums, fabs(sum - 1));
        }
    }
}

/* The sentence of --translate through the trained Transformer, head by head. */
void own_sentence(Lab *lab, const Translators *all)
{
    const Translator *t = &all->model[TRANSFORMER].transformer;
    const char *sentence = all->self->translate ? all->self->translate : LECTURE;
    char text[TRANSLATION_TEXT];
    int in[TRANSLATION_FRENCH] = {TRANSLATION_SOS};
    Spoken s = {0};
    Tape *tape = tape_new(1);
    translate(all, sentence, tape, &s);
    trace(lab->trace, "\n\"%s\" becomes \"%s\".\n", sentence,
          translation_text(all->corpus->french, s.out, s.length, text));
    for (int i = 1; i <= s.length; i++)
        in[i] = s.out[i - 1];
    Source source = {1, s.n, s.ids, &s.n};
    Tensor *encoder, *self, *cross;
    tape_rewind(tape);
    Tensor *memory = translator_encode(tape, t, source, NULL, &encoder);
    translator_decode(tape, t, memory, source, in, s.length + 1, NULL, &self, &cross);
    double future = 0, sums = 0, seen = 0;
    int said = s.length + 1, most = s.n > said ? s.n : said;
    Figure *figure =
        figure_begin(lab->figures, "attention_patterns", "Four heads of the encoder, the decoder, and between");
    figure_layout(figure, HEADS, 170 + 30 * (most < 6 ? 6 : most), 110 + 24 * (most < 6 ? 6 : most));
    draw_heads(figure, "encoder", encoder->data, s.n, s.n, s.english, s.english, &sums, &seen);
    draw_heads(figure, "decoder, masked", self->data, said, said, s.said, s.said, &sums, &future);
    draw_heads(figure, "decoder to encoder", cross->data, said, s.n, s.next, s.english, &sums, &seen);
    figure_end(figure);
    claim(lab->claims, (Claim){.id = "future-weight-zero",
                               .source = "lecture: masked attention",
                               .statement = "in all heads of the decoder the weight of words to come is 0",
                               .measured = future,
                               .test = EQUALS,
                               .bound = 0});
    claim(lab->claims,
          (Claim){.id = "weights-sum-to-one",
                  .source = "softmax",
                  .statement = "in all heads of all three attentions the weights of a row sum to 1 (largest error)",
                  .measured = sums,
                  .test = AT_MOST,
                  .bound = 1e-6});
    tape_free(tape);
}
