/* steps_own_text.c: step 9: a text of your own, and files of vectors. */
#include "word2vec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "files.h"
#include "memory.h"

enum { SHOWN = 10 };

static Setting own_setting(const Lab *lab, const Word2Vec *self)
{
    return (Setting){
        .model = strcmp(self->model, "cbow") == 0 ? CBOW : SKIPGRAM,
        .loss = strcmp(self->loss, "hs") == 0        ? HIERARCHICAL_SOFTMAX
                : strcmp(self->loss, "softmax") == 0 ? FULL_SOFTMAX
                                                     : NEGATIVE_SAMPLING,
        .dimension = self->dimension,
        .window = self->window,
        .negatives = self->negatives,
        .epochs = self->epochs,
        .rate = (real)self->rate,
        .subsample = self->subsample,
        .noise_power = 0.75,
        .shared_noise = strcmp(self->noise, "window") == 0,
        .threads = lab->threads,
    };
}

/* Two passes over the file: count, then learn from the stream. */
static Vectors *train_on(Lab *lab, const Word2Vec *self, Corpus *corpus, const char *name)
{
    Text *text = text_of_corpus(corpus, name, self->min_count, self->max_words);
    Setting setting = own_setting(lab, self);
    Course course;
    trace(lab->trace,
          "%s: %llu words, %d different ones seen at least %d times.\n"
          "%s, %s, %d dimensions, window %d, %d epochs.\n\n",
          name, (unsigned long long)text->tokens, text->vocab->size, self->min_count,
          setting.model == CBOW ? "CBOW" : "Skip-gram",
          setting.loss == NEGATIVE_SAMPLING && setting.shared_noise && setting.model == SKIPGRAM
              ? "negative sampling (noise of a window)"
          : setting.loss == NEGATIVE_SAMPLING    ? "negative sampling"
          : setting.loss == HIERARCHICAL_SOFTMAX ? "hierarchical softmax"
                                                 : "full softmax",
          setting.dimension, setting.window, setting.epochs);
    if (text->missing >= (uint64_t)self->min_count)
        trace(lab->trace,
              "The text has so many different words that rare ones were forgotten while it was counted: some that are\n"
              "in it up to %llu times may be missing.\n\n",
              (unsigned long long)text->missing);
    progress_begin(lab->progress, "training", (double)text->tokens * setting.epochs);
    Model *model = train(text, &setting, NULL, lab_rng(lab, "own text"), lab->progress, &course);
    progress_end(lab->progress);
    trace_timing(lab->trace, "own_text", course.words / course.seconds, "words/s");
    trace(lab->trace, "Loss an example: %.3f in the first epoch, %.3f in the last.\n", (double)course.loss[0],
          (double)course.loss[course.epochs - 1]);
    Vectors *vectors = vectors_of_model(model, text->vocab);
    free(course.loss);
    model_free(model);
    text_free(text);
    return vectors;
}

/* The small world's text, as if it had come from a file. */
static Vectors *train_on_world(Lab *lab, Word2Vec *self)
{
    need_text(lab, self);
    Rng rng = lab_rng(lab, "own text");
    char *bytes = wordworld_text(self->world, &rng, lab_choose(lab, 150000, 50000));
    Corpus *corpus = corpus_from_text("the small world", bytes, false);
    Vectors *vectors = train_on(lab, self, corpus, "the small world (no --corpus given)");
    corpus_close(corpus);
    free(bytes);
    return vectors;
}

static Vectors *train_on_file(Lab *lab, Word2Vec *self)
{
    Corpus *corpus = corpus_open(self->corpus, self->replace_bad_bytes);
    Vectors *vectors = train_on(lab, self, corpus, self->corpus);
    corpus_close(corpus);
    return vectors;
}

/* A few words of the text. */
static void show_words(Lab *lab, const Word2Vec *self, const Vectors *vectors)
{
    trace(lab->trace, "\nNearest neighbours:\n\n");
    if (self->similar) {
        trace_neighbours(lab, vectors, self->similar, SHOWN);
        return;
    }
    static const char *const known[] = {"bank", "phone", "queen", "은행", "핸드폰"};
    for (int i = 0; i < 5; i++) {
        int w = (int)((int64_t)vectors->words * (1 + i) / 12); /* neither the most frequent nor the rarest */
        bool world = !self->corpus && !self->vectors_file && vocab_find(vectors->vocab, known[i]) != VOCAB_NONE;
        trace_neighbours(lab, vectors, world ? known[i] : vectors->vocab->word[w], 5);
    }
    trace(lab->trace, "\n    (--similar WORD asks for the neighbours of any word.)\n");
}

/* Saved and read back, every number is the same to the bit. */
static double differences(const Vectors *a, const Vectors *b)
{
    double count = a->words != b->words || a->dimension != b->dimension;
    for (int w = 0; w < a->words && count == 0; w++) {
        size_t at = (size_t)w * a->stride;
        count += strcmp(a->vocab->word[w], b->vocab->word[w]) != 0;
        count += memcmp(a->raw + at, b->raw + at, (size_t)a->dimension * sizeof(real)) != 0;
    }
    return count;
}

void step_own_text(Lab *lab, void *state)
{
    Word2Vec *self = state;
    if (self->vectors_file) {
        Vectors *vectors = vectors_load(self->vectors_file);
        trace(lab->trace, "%s: %d words of %d dimensions.\n", self->vectors_file, vectors->words, vectors->dimension);
        show_words(lab, self, vectors);
        vectors_free(vectors);
        return;
    }
    Vectors *vectors = self->corpus ? train_on_file(lab, self) : train_on_world(lab, self);
    show_words(lab, self, vectors);
    char *path = path_join(lab->folder, "vectors", ".txt");
    vectors_save(vectors, path);
    Vectors *again = vectors_load(path);
    double wrong = differences(vectors, again);
    trace(lab->trace,
          "\nThe vectors are in vectors.txt (word2vec's text format). This program reads them with --vectors FILE,\n"
          "Python with gensim.models.KeyedVectors.load_word2vec_format(FILE).\n");
    claim(lab->claims,
          (Claim){.id = "vectors-round-trip",
                  .statement = "vectors saved in word2vec's text format and read back are the same to the bit: words "
                               "that differ",
                  .source = "this lab",
                  .measured = wrong,
                  .test = EQUALS,
                  .bound = 0});
    free(path);
    vectors_free(vectors);
    vectors_free(again);
}
