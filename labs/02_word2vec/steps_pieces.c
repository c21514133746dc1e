/* steps_pieces.c: step 8: a word that was never seen. */
#include "word2vec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "memory.h"
#include "text.h"

enum { BUCKETS = 20000, KINDS = 3, NEAREST = 5, PIECES_MOST = 400 };
static const char *const KIND[KINDS] = {"plural or -s", "typo", "Korean with a new particle"};

/* What the model has and what it is asked about. */
typedef struct {
    const Word2Vec *self;
    const Model *model;
    const Pieces *pieces;
    Vectors *vectors;
    bool *among; /* category words */
} Unseen;

/* The mean of the n-grams' rows: a vector for any word. */
static void vector_of(const Unseen *unseen, const char *word, real *vector)
{
    int rows[PIECES_MOST], n = pieces_of(unseen->pieces, word, rows, PIECES_MOST);
    const Model *model = unseen->model;
    memset(vector, 0, (size_t)model->stride * sizeof *vector);
    for (int i = 0; i < n; i++)
        kernel_axpy(model->stride, 1 / (real)n, model->input + (size_t)(model->words + rows[i]) * model->stride,
                    vector);
}

static bool share_a_piece(const Unseen *unseen, const char *a, const char *b)
{
    int x[PIECES_MOST], y[PIECES_MOST];
    int n = pieces_of(unseen->pieces, a, x, PIECES_MOST), m = pieces_of(unseen->pieces, b, y, PIECES_MOST);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < m; j++)
            if (x[i] == y[j])
                return true;
    return false;
}

/* WORD as it was never seen; false if this kind of change does not suit it. */
static bool change(int kind, const char *word, bool korean, Rng *rng, char changed[128])
{
    static const char *const particles[] = {"에서", "에게도", "들"};
    size_t length = strlen(word);
    if (korean != (kind == 2) || (kind == 1 && length < 5) || length > 100)
        return false;
    if (kind == 0) {
        snprintf(changed, 128, "%ss", word);
    } else if (kind == 1) { /* a letter inside is lost */
        size_t lost = 1 + (size_t)rng_below(rng, (uint64_t)length - 2);
        snprintf(changed, 128, "%.*s%s", (int)lost, word, word + lost + 1);
    } else {
        snprintf(changed, 128, "%s%s", word, particles[rng_below(rng, 3)]);
    }
    return true;
}

typedef struct {
    int asked, same, far_asked, far_same;
} Score;

/* Is the nearest category word of the right category?  And of the nearest five
 * that share no n-gram with the word, how many are? */
static void ask(const Unseen *unseen, const char *word, int category, Score *score)
{
    const Vectors *vectors = unseen->vectors;
    const int *truth = unseen->self->category;
    real query[256];
    Neighbour nearest[NEAREST];
    vector_of(unseen, word, query);
    int n = vectors_nearest(vectors, query, NULL, 0, unseen->among, 1, nearest);
    score->asked++;
    score->same += n == 1 && truth[nearest[0].word] == category;
    bool *strangers = memory_new((size_t)vectors->words, sizeof *strangers, "the neighbours");
    for (int w = 0; w < vectors->words; w++)
        strangers[w] = unseen->among[w] && !share_a_piece(unseen, word, vectors->vocab->word[w]);
    n = vectors_nearest(vectors, query, NULL, 0, strangers, NEAREST, nearest);
    for (int i = 0; i < n; i++)
        score->far_same += truth[nearest[i].word] == category;
    score->far_asked += n;
    free(strangers);
}

static void ask_all(Lab *lab, const Unseen *unseen, Score score[KINDS])
{
    const Vocab *vocab = unseen->vectors->vocab;
    Rng rng = lab_rng(lab, "typos");
    char changed[128];
    memset(score, 0, KINDS * sizeof *score);
    for (int w = 0; w < vocab->size; w++) {
        int category = unseen->self->category[w];
        for (int kind = 0; kind < KINDS && category >= 0; kind++)
            if (change(kind, vocab->word[w], wordworld_category_korean(category), &rng, changed) &&
                vocab_find(vocab, changed) == VOCAB_NONE)
                ask(unseen, changed, category, &score[kind]);
    }
}

static void show_examples(Lab *lab, const Unseen *unseen)
{
    static const char *const words[] = {"puppies", "strawbery", "smartphons", "은행에서", "스마트폰들", "비행기에게도"};
    real query[256];
    Neighbour nearest[4];
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        vector_of(unseen, words[i], query);
        int n = vectors_nearest(unseen->vectors, query, NULL, 0, unseen->among, 4, nearest);
        trace(lab->trace, "    %s:", words[i]);
        for (int j = 0; j < n; j++)
            trace(lab->trace, "%s %s %.2f", j ? "," : "", unseen->vectors->vocab->word[nearest[j].word],
                  (double)nearest[j].cosine);
        trace(lab->trace, "\n");
    }
    trace(lab->trace, "\n");
}

static double share(int part, int all)
{
    return all ? (double)part / all : 0;
}

static Unseen unseen_new(const Word2Vec *self, const Model *model, const Pieces *pieces)
{
    Unseen unseen = {.self = self, .model = model, .pieces = pieces};
    unseen.vectors = vectors_of_model(model, self->text->vocab);
    unseen.among = memory_new((size_t)unseen.vectors->words, sizeof(bool), "the category words");
    for (int w = 0; w < unseen.vectors->words; w++)
        unseen.among[w] = self->category[w] >= 0;
    return unseen;
}

static void unseen_free(Unseen *unseen)
{
    vectors_free(unseen->vectors);
    free(unseen->among);
}

static void make_claims(Lab *lab, const Score *trained, const Score *untrained)
{
    double nearest = 1, strangers = 1, before = 0;
    for (int k = 0; k < KINDS; k++) {
        double a = share(trained[k].same, trained[k].asked), b = share(trained[k].far_same, trained[k].far_asked);
        double c = share(untrained[k].far_same, untrained[k].far_asked);
        nearest = a < nearest ? a : nearest;
        strangers = b < strangers ? b : strangers;
        before = c > before ? c : before;
    }
    claim(lab->claims,
          (Claim){.id = "unseen-words",
                  .statement = "a word never seen (plural, typo, Korean with a new particle) has its nearest neighbour "
                               "in its own category: the lowest share of the three kinds",
                  .source = "Bojanowski et al. 2017; lecture 2",
                  .measured = nearest,
                  .test = AT_LEAST,
                  .bound = 0.85});
    claim(lab->claims,
          (Claim){.id = "unseen-words-strangers",
                  .statement = "and even of the nearest five words that share no n-gram with it: the lowest share",
                  .source = "Bojanowski et al. 2017; this lab's control for mere spelling",
                  .measured = strangers,
                  .test = AT_LEAST,
                  .bound = 0.75});
    claim(
        lab->claims,
        (Claim){.id = "unseen-words-untrained",
                .statement = "untrained n-grams know spelling but no meaning: the same share, the highest of the three",
                .source = "control",
                .measured = before,
                .test = AT_MOST,
                .bound = 0.15});
}

void step_pieces(Lab *lab, void *state)
{
    Word2Vec *self = state;
    need_text(lab, self);
    Pieces *pieces = pieces_new(self->text->vocab, BUCKETS);
    Setting setting = world_setting(lab, SKIPGRAM, NEGATIVE_SAMPLING);
    setting.rate = (real)0.2;
    setting.epochs = lab_choose(lab, 12, 6);
    setting.threads = lab->threads;
    Rng rng = lab_rng(lab, "pieces");
    Model *before = model_new(self->text, &setting, pieces, &rng);
    progress_begin(lab->progress, "training n-grams", (double)self->text->tokens * setting.epochs);
    Model *model = train(self->text, &setting, pieces, lab_rng(lab, "pieces"), lab->progress, NULL);
    progress_end(lab->progress);
    Unseen trained = unseen_new(self, model, pieces), untrained = unseen_new(self, before, pieces);
    Score score[KINDS], control[KINDS];
    ask_all(lab, &trained, score);
    ask_all(lab, &untrained, control);

    trace(lab->trace,
          "A word is the mean of its own row and the rows of its n-grams: 3 to 5 letters, of Hangul 2 to 4 (a\n"
          "syllable is a letter), with < and > for its ends: <ba, ban, ank, nk>, <ban, ... So a word that\n"
          "the text never had has a vector too. Nearest category words:\n\n");
    show_examples(lab, &trained);
    trace(lab->trace,
          "That the nearest word is right could be mere spelling. The honest test leaves out every word that\n"
          "shares an n-gram with the question (strangers), and asks an untrained model too:\n\n");
    trace_table(lab->trace,
                "never seen\twords\tnearest in category\t(untrained)\t5 nearest strangers in category\t(untrained)");
    for (int k = 0; k < KINDS; k++)
        trace_row(lab->trace, "%s\t%d\t%.3f\t%.3f\t%.3f\t%.3f", KIND[k], score[k].asked,
                  share(score[k].same, score[k].asked), share(control[k].same, control[k].asked),
                  share(score[k].far_same, score[k].far_asked), share(control[k].far_same, control[k].far_asked));
    trace_table_end(lab->trace);
    make_claims(lab, score, control);
    unseen_free(&trained);
    unseen_free(&untrained);
    model_free(model);
    model_free(before);
    pieces_free(pieces);
}
