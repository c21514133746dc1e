/* Lab 01. Words as symbols, and counting them
 *
 * How does a word enter a machine, and how far does counting get?  A word
 * becomes a number, the number a vector with a single 1; then everything that
 * can be had from counts alone: documents compared by their words (TF-IDF), the
 * next word from the last few (n-grams).  And the three walls this runs into:
 * no two words are ever similar, the vectors are as long as the vocabulary, and
 * most of what can be said has never been counted.
 *
 * Look for
 *     onehot_matrix               a sentence as 0s and 1s
 *     zipf                        few words do most of the work
 *     cosine_onehot_vs_embedding  은행 and 금융: nothing in common, until their neighbours are counted
 *     memory_vs_vocabulary        what a vocabulary of 13 million costs
 *     distance_concentration      in many dimensions everything is equally far
 *     tfidf_heatmap               which words make a document
 *     ngram_sparsity              longer memory, fewer counts
 *     ngram_perplexity            the U-curve
 *
 * Run
 *     make 01
 *     make 01 ARGS="--corpus my.txt --query 'words to look for'"
 *
 * Chapters: symbols.c lookup.c orthogonal.c dimensions.c documents.c counting.c
 * smoothing.c (with the n-gram model in common/ngram.c and the text's three parts
 * in parts.c).  Leads to lab 02, where neighbours give a word its vector. */
#include <math.h>
#include <stdlib.h>

#include "die.h"
#include "onehot.h"
#include "text.h"

/* Full and --quick. */
static Config config_of(const Lab *lab)
{
    return (Config){
        .text_tokens = lab_choose(lab, 100000, 40000),
        .zipf = 1.2,
        .noise = 0.2,
        .shown_tokens = 60,
        .vocabulary = 50000,
        .hidden = 100,
        .classes = 2,
        .pairs_of = lab_choose(lab, 400, 200),
        .window = 3,
        .points = 1000,
        .queries = lab_choose(lab, 31, 15),
        .random_vectors = 100,
        .most_tokens = lab_choose(lab, 500000, 100000),
        .samples = lab_choose(lab, 300, 100),
    };
}

Corpus *onehot_builtin(const Lab *lab, OneHot *self)
{
    if (!self->text) {
        Rng rng = lab_rng(lab, "text");
        self->world = wordworld_new(self->config.zipf, self->config.noise);
        self->text = wordworld_text(self->world, &rng, self->config.text_tokens);
    }
    return corpus_from_text("the built-in text", self->text, false);
}

Corpus *onehot_corpus(const Lab *lab, OneHot *self)
{
    return self->corpus_file ? corpus_open(self->corpus_file, self->replace_bad_bytes) : onehot_builtin(lab, self);
}

static Vocab *words_of(Corpus *corpus)
{
    Vocab *vocab = vocab_new();
    corpus_count(corpus, vocab);
    corpus_close(corpus);
    vocab_sort_by_count(vocab, 1, 0);
    return vocab;
}

const Vocab *onehot_builtin_vocab(const Lab *lab, OneHot *self)
{
    if (!self->builtin_vocab)
        self->builtin_vocab = words_of(onehot_builtin(lab, self));
    return self->builtin_vocab;
}

const Vocab *onehot_vocab(const Lab *lab, OneHot *self)
{
    if (!self->corpus_file)
        return onehot_builtin_vocab(lab, self);
    if (!self->vocab)
        self->vocab = words_of(onehot_corpus(lab, self));
    return self->vocab;
}

const char *onehot_other_text(const OneHot *self)
{
    return self->corpus_file ? "stated for the built-in text, not for another" : NULL;
}

void one_hot(real *x, int id, int size)
{
    for (int i = 0; i < size; i++)
        x[i] = i == id;
}

double dot_product(const real *x, const real *y, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)x[i] * (double)y[i];
    return sum;
}

double distance(const real *x, const real *y, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        double difference = (double)x[i] - (double)y[i];
        sum += difference * difference;
    }
    return sqrt(sum);
}

double cosine(const real *x, const real *y, int n)
{
    double norms = dot_product(x, x, n) * dot_product(y, y, n);
    return norms > 0 ? dot_product(x, y, n) / sqrt(norms) : 0;
}

/* Looks at the student's file and query before any step runs. */
static void begin(Lab *lab, void *state)
{
    OneHot *self = state;
    self->config = config_of(lab);
    if (self->corpus_file)
        corpus_close(corpus_open(self->corpus_file, self->replace_bad_bytes));
    if (self->query) {
        int n;
        free(text_split(self->query, "--query", &n));
        if (n == 0)
            die_usage("--query: there is no word in it");
    }
}

static void end(Lab *lab, void *state)
{
    OneHot *self = state;
    (void)lab;
    free(self->text);
    vocab_free(self->vocab);
    vocab_free(self->builtin_vocab);
    wordworld_free(self->world);
}

static const LabStep steps[] = {
    {"symbols", "From symbols to integers to one-hot vectors", step_symbols},
    {"lookup", "One-hot times a matrix is a row look-up", step_lookup},
    {"orthogonal", "Every two words are equally different", step_orthogonal},
    {"dimensions", "The curse of dimensionality", step_dimensions},
    {"documents", "Documents as bags of words: TF-IDF", step_documents},
    {"ngrams", "The next word by counting: n-grams", step_ngrams},
    {0},
};

int main(int argc, char **argv)
{
    OneHot self = {0};
    const LabOption options[] = {
        {.name = "corpus",
         .value = "FILE",
         .help = "a text of your own (UTF-8), a sentence a line",
         .text = &self.corpus_file},
        {.name = "query", .value = "TEXT", .help = "words to look for in step 5", .text = &self.query},
        {.name = "replace-bad-bytes",
         .help = "read a corpus that is not valid UTF-8, bad bytes as U+FFFD",
         .given = &self.replace_bad_bytes},
        {0},
    };
    return lab_main(argc, argv,
                    &(LabInfo){.stem = "01_onehot",
                               .title = "Words as symbols, and counting them",
                               .question = "How does a word enter a machine, and how far does counting get?",
                               .steps = steps,
                               .options = options,
                               .begin = begin,
                               .end = end},
                    &self);
}
