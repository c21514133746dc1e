/* Lab 02. Word2Vec: a word is known by its neighbours.
 *
 * In lab 01 every word was as far from every other word as any: the one-hot
 * vectors of bank and finance, of 은행 and 금융, are orthogonal.  Can a program
 * that has only ever seen text find out that they belong together?
 *
 * It can, with one trick: to guess a word's neighbours it needs a short vector
 * for the word, and words with the same neighbours end up with the same vector.
 *
 * What to look for:
 *     training_pairs     one sentence, cut into questions
 *     loss_curves        four ways to learn from them
 *     cost_vs_vocabulary why nobody computes the softmax
 *     embedding_map      the categories, which nobody told the program
 *     analogy_map        king - man + woman, seen as arrows that are parallel
 *     cosine_heatmap     the same words as one-hot vectors, and learned
 *     rare_vs_frequent   skip-gram or CBOW?
 *     pmi_scatter        what the vectors really are: counts in disguise
 *     cooccurrence       the counts themselves, and GloVe
 *
 * Run it:
 *     make 02
 *     make 02 ARGS="--step space --similar queen"
 *     make 02 ARGS="--step own --corpus my.txt --similar whale"
 *
 * Where it leads: these vectors have no context: bank has one vector, whether
 * money or a river flows by.  Labs 03 and 04 read the words in order. */
#include "word2vec.h"

#include <stdlib.h>

#include "die.h"
#include "parallel.h"

/* ---- the small world and its models ------------------------------------------------ */

enum { WORLD_TOKENS = 150000 };

Setting world_setting(const Lab *lab, ModelKind model, LossKind loss)
{
    /* Fewer passes at --quick, so larger steps. */
    static const double full[2][2] = {{0.1, 0.05}, {0.1, 0.02}}, quick[2][2] = {{0.2, 0.1}, {0.2, 0.05}};
    return (Setting){
        .model = model,
        .loss = loss,
        .dimension = 64,
        .window = 3,
        .negatives = 5,
        .epochs = lab_choose(lab, 15, 5),
        .rate = (real)(lab->quick ? quick : full)[model][loss == HIERARCHICAL_SOFTMAX],
        .subsample = 3e-4, /* the text is small: its words are frequent */
        .noise_power = 0.75,
        .threads = 1,
    };
}

void need_text(Lab *lab, Word2Vec *self)
{
    if (self->text)
        return;
    Rng rng = lab_rng(lab, "text");
    self->world = wordworld_new(1.2, 0.2);
    self->text = text_of_world(self->world, &rng, WORLD_TOKENS);
    self->category = categories_of(self->text->vocab, self->world);
}

typedef struct {
    Lab *lab;
    Word2Vec *self;
} Job;

static void train_one(int index, void *context)
{
    static const char *const stream[] = {"skip-gram, noise", "skip-gram, tree", "CBOW, noise", "CBOW, tree",
                                         "skip-gram, noise of a window"};
    Job *job = context;
    Word2Vec *self = job->self;
    bool shared = index == 4;
    ModelKind kind = index / 2 == 1 ? CBOW : SKIPGRAM;
    LossKind loss = index % 2 ? HIERARCHICAL_SOFTMAX : NEGATIVE_SAMPLING;
    Setting setting = world_setting(job->lab, kind, loss);
    setting.shared_noise = shared;
    Model *model = train(self->text, &setting, NULL, lab_rng(job->lab, stream[index]), NULL,
                         shared ? &self->window_course : &self->course[kind][loss]);
    Vectors *vectors = vectors_of_model(model, self->text->vocab);
    *(shared ? &self->window_vectors : &self->vectors[kind][loss]) = vectors;
    model_free(model);
}

void need_models(Lab *lab, Word2Vec *self)
{
    need_text(lab, self);
    if (self->vectors[SKIPGRAM][NEGATIVE_SAMPLING])
        return;
    Job job = {lab, self};
    parallel_for(lab->threads, 5, train_one, &job);
    for (int i = 0; i < 5; i++) {
        static const char *const name[] = {"skipgram_negative_sampling", "skipgram_hierarchical_softmax",
                                           "cbow_negative_sampling", "cbow_hierarchical_softmax",
                                           "skipgram_window_noise"};
        const Course *course = i < 4 ? &self->course[i / 2][i % 2] : &self->window_course;
        trace_timing(lab->trace, name[i], course->words / course->seconds, "words/s");
    }
}

/* ---- the beginning and the end ------------------------------------------------------ */

static void begin(Lab *lab, void *state)
{
    Word2Vec *self = state;
    (void)lab;
    if (self->corpus && self->vectors_file)
        die_usage("--corpus trains new vectors and --vectors reads finished ones: take one of them");
}

static void end(Lab *lab, void *state)
{
    Word2Vec *self = state;
    (void)lab;
    for (int i = 0; i < 4; i++) {
        vectors_free(self->vectors[i / 2][i % 2]);
        free(self->course[i / 2][i % 2].loss);
    }
    vectors_free(self->window_vectors);
    free(self->window_course.loss);
    free(self->category);
    text_free(self->text);
    wordworld_free(self->world);
}

int main(int argc, char **argv)
{
    Word2Vec self = {
        .model = "skipgram",
        .loss = "ns",
        .noise = "window",
        .dimension = 100,
        .window = 5,
        .epochs = 5,
        .negatives = 5,
        .min_count = 5,
        .max_words = 100000,
        .rate = 0.05,
        .subsample = 1e-3,
    };
    static const LabStep steps[] = {
        {"windows", "Windows: a sentence becomes questions", step_windows},
        {"hand", "One update by hand", step_by_hand},
        {"losses", "Softmax, a tree, or noise: three ways to ask", step_losses},
        {"space", "The trained space", step_space},
        {"rare", "Skip-gram or CBOW?", step_rare},
        {"pmi", "What the vectors are: word counts in disguise", step_pmi},
        {"glove", "GloVe: straight from the counts", step_glove},
        {"pieces", "fastText: words made of pieces", step_pieces},
        {"own", "A text of your own", step_own_text},
        {0},
    };
    static const char *const models[] = {"skipgram", "cbow", NULL}, *const losses[] = {"ns", "hs", "softmax", NULL};
    static const char *const noises[] = {"pair", "window", NULL};
    const LabOption options[] = {
        {.name = "similar", .value = "WORD", .help = "also show the neighbours of WORD", .text = &self.similar},
        {.name = "corpus", .value = "FILE", .help = "step 9: train on this UTF-8 text", .text = &self.corpus},
        {.name = "vectors",
         .value = "FILE",
         .help = "step 9: read these vectors (word2vec's text format) instead",
         .text = &self.vectors_file},
        {.name = "model", .value = "NAME", .help = "step 9: the network", .text = &self.model, .choices = models},
        {.name = "loss",
         .value = "NAME",
         .help = "step 9: negative sampling, hierarchical softmax or the full softmax",
         .text = &self.loss,
         .choices = losses},
        {.name = "dimension",
         .value = "N",
         .help = "step 9: numbers a vector",
         .whole = &self.dimension,
         .low = 1,
         .high = 2000},
        {.name = "window",
         .value = "N",
         .help = "step 9: words on each side",
         .whole = &self.window,
         .low = 1,
         .high = 50},
        {.name = "epochs",
         .value = "N",
         .help = "step 9: passes over the text",
         .whole = &self.epochs,
         .low = 1,
         .high = 1000},
        {.name = "negatives",
         .value = "N",
         .help = "step 9: noise words an example",
         .whole = &self.negatives,
         .low = 1,
         .high = 50},
        {.name = "noise",
         .value = "FOR",
         .help = "step 9: skip-gram draws noise words for each pair, or for all pairs of a window",
         .text = &self.noise,
         .choices = noises},
        {.name = "rate", .value = "X", .help = "step 9: learning rate", .number = &self.rate, .low = 1e-6, .high = 10},
        {.name = "subsample",
         .value = "T",
         .help = "step 9: thin out words more frequent than T; 0 keeps all",
         .number = &self.subsample,
         .low = 0,
         .high = 1},
        {.name = "min-count",
         .value = "N",
         .help = "step 9: leave out words seen fewer times",
         .whole = &self.min_count,
         .low = 1,
         .high = 1000000000},
        {.name = "max-words",
         .value = "N",
         .help = "step 9: keep at most the N most frequent words",
         .whole = &self.max_words,
         .low = 2,
         .high = 10000000},
        {.name = "replace-bad-bytes",
         .help = "step 9: take bytes that are not UTF-8 as U+FFFD instead of stopping",
         .given = &self.replace_bad_bytes},
        {0},
    };
    return lab_main(argc, argv,
                    &(LabInfo){.stem = "02_word2vec",
                               .title = "Word2Vec: a word is known by its neighbours",
                               .question = "Can a program that has only ever seen text find out that bank and "
                                           "finance, 은행 and 금융, belong together?",
                               .steps = steps,
                               .options = options,
                               .begin = begin,
                               .end = end},
                    &self);
}
