/* reader.c: from sentences to training examples.
 *
 *     sentence -> words kept by subsampling -> a window around each -> examples
 *
 * Reading needs all the random numbers of training, learning needs none.  So
 * with two threads one reads ahead while the other learns, and the result is
 * the same to the bit as with one: examples are learned from in one order.  (The
 * original program lets threads update the same vectors at once; no two of its
 * runs give the same vectors.) */
#include "word2vec.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "maths.h"
#include "memory.h"
#include "parallel.h"

/* ---- noise words ------------------------------------------------------------ */

Sampler *sampler_new(const uint64_t *counts, int words, double power)
{
    Sampler *sampler = memory_new(1, sizeof *sampler, "the noise table");
    sampler->size = words;
    sampler->column = memory_new(words, sizeof *sampler->column, "the noise table");
    double *share = memory_new(words, sizeof *share, "the noise table"), sum = 0;
    int *poor = memory_new(words, sizeof *poor, "the noise table"), poors = 0;
    int *rich = memory_new(words, sizeof *rich, "the noise table"), riches = 0;
    for (int w = 0; w < words; w++)
        sum += share[w] = exp64(power * log64((double)counts[w]));
    for (int w = 0; w < words; w++) {
        share[w] *= words / sum; /* 1 on average */
        if (share[w] < 1)
            poor[poors++] = w;
        else
            rich[riches++] = w;
    }
    /* A poor word's column is filled up by a rich one. */
    while (poors > 0 && riches > 0) {
        int p = poor[--poors], r = rich[riches - 1];
        sampler->column[p].keep = (uint32_t)(share[p] * 0x1p32);
        sampler->column[p].alias = r;
        share[r] -= 1 - share[p];
        if (share[r] < 1) {
            riches--;
            poor[poors++] = r;
        }
    }
    while (riches > 0 || poors > 0) { /* full columns, up to rounding */
        int w = riches > 0 ? rich[--riches] : poor[--poors];
        sampler->column[w].keep = UINT32_MAX;
        sampler->column[w].alias = w;
    }
    free(share);
    free(poor);
    free(rich);
    return sampler;
}

int sampler_draw(const Sampler *sampler, Rng *rng)
{
    uint64_t bits = rng_bits(rng);
    int column = (int)((bits >> 32) * (uint64_t)sampler->size >> 32);
    int alias = sampler->column[column].alias;
    /* Without a branch, which no processor could predict. */
    int mask = -((uint32_t)bits < sampler->column[column].keep);
    return (column & mask) | (alias & ~mask);
}

void sampler_free(Sampler *sampler)
{
    if (!sampler)
        return;
    free(sampler->column);
    free(sampler);
}

/* ---- the reader --------------------------------------------------------------- */

enum {
    EXAMPLES = 2048, /* in a batch */
    AHEAD = 4,       /* batches read ahead */
};

struct Reader {
    Text *text;
    Setting setting;
    Rng rng;
    Sampler *noise; /* NULL where the loss needs none */
    bool together;  /* a window is one example */
    double *keep;   /* each word's chance to be kept; NULL: all are */
    int epoch, sentence;
    int *order;                  /* of the sentences in memory */
    int *words, length, longest; /* the sentence at hand, subsampled */
    int centre;                  /* the next word of it to look at */
    double read;                 /* words of the text so far */
    bool finished;
    Batch batch[AHEAD];

    bool threaded;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t filled, emptied; /* batches so far; batch i lies at i mod AHEAD */
    bool in_hand, complete, stop;
};

static int longest_sentence(const Text *text)
{
    long longest = text->corpus ? LINE_WORDS : 1;
    for (int s = 0; s < text->sentences; s++)
        if (text->start[s + 1] - text->start[s] > longest)
            longest = text->start[s + 1] - text->start[s];
    return (int)longest;
}

/* Begins a pass: sentences in memory in a new order. */
static void begin_epoch(Reader *reader)
{
    reader->sentence = 0;
    if (reader->text->corpus)
        corpus_rewind(reader->text->corpus);
    else
        rng_shuffle(&reader->rng, reader->order, (size_t)reader->text->sentences);
}

/* Copies the next sentence's words; -1 at the end of a pass. */
static int next_sentence(Reader *reader)
{
    const Text *text = reader->text;
    if (text->corpus)
        return corpus_sentence(text->corpus, text->vocab, -1, reader->words, LINE_WORDS);
    if (reader->sentence == text->sentences)
        return -1;
    int s = reader->order[reader->sentence++], n = (int)(text->start[s + 1] - text->start[s]);
    memcpy(reader->words, text->ids + text->start[s], n * sizeof(int));
    return n;
}

/* The next sentence with a word left after subsampling, or false at the end. */
static bool load_sentence(Reader *reader)
{
    for (;;) {
        int n = next_sentence(reader);
        if (n < 0) {
            if (++reader->epoch == reader->setting.epochs)
                return false;
            begin_epoch(reader);
            continue;
        }
        int kept = 0;
        for (int i = 0; i < n; i++)
            if (!reader->keep || rng_uniform(&reader->rng) < reader->keep[reader->words[i]])
                reader->words[kept++] = reader->words[i];
        reader->read += n;
        reader->length = kept;
        reader->centre = 0;
        if (kept > 1)
            return true;
    }
}

static void add_example(Reader *reader, Batch *batch, int predicted)
{
    int e = batch->examples++, k = reader->setting.negatives;
    batch->predicted[e] = predicted;
    if (!reader->noise)
        return;
    Rng rng = reader->rng; /* copies, which may stay in registers */
    Sampler sampler = *reader->noise;
    for (int i = 0; i < k; i++) {
        int noise = sampler_draw(&sampler, &rng);
        for (int tries = 0; noise == predicted && tries < 100; tries++)
            noise = sampler_draw(&sampler, &rng);
        batch->negative[e * k + i] = noise;
    }
    reader->rng = rng;
}

/* The examples of one centre: skip-gram makes one of each neighbour, CBOW (and
 * skip-gram with shared noise) one of all of them together. */
static void add_window(Reader *reader, Batch *batch)
{
    const Setting *setting = &reader->setting;
    int at = reader->centre++, centre = reader->words[at];
    int radius = setting->fixed_window ? setting->window : 1 + (int)rng_below(&reader->rng, (uint64_t)setting->window);
    int first = at - radius < 0 ? 0 : at - radius;
    int last = at + radius >= reader->length ? reader->length - 1 : at + radius;
    int *end = &batch->begin[batch->examples];
    for (int i = first; i <= last; i++) {
        if (i == at)
            continue;
        if (!reader->together) {
            batch->input[*end] = centre;
            end[1] = *end + 1;
            add_example(reader, batch, reader->words[i]);
            end++;
        } else {
            batch->input[end[0] + (i - first) - (i > at)] = reader->words[i];
        }
    }
    if (reader->together) {
        end[1] = end[0] + (last - first);
        add_example(reader, batch, centre);
    }
}

/* Fills BATCH; false if there was nothing left. */
static bool fill(Reader *reader, Batch *batch)
{
    const Setting *setting = &reader->setting;
    batch->examples = 0;
    batch->begin[0] = 0;
    double total = (double)reader->text->tokens * setting->epochs, done = reader->read / (total > 0 ? total : 1);
    batch->rate = setting->rate * (real)(done < 0.999 ? 1 - done : 0.001);
    while (!reader->finished && batch->examples + 2 * setting->window <= EXAMPLES) {
        if (reader->centre == reader->length && !load_sentence(reader)) {
            reader->finished = true;
            break;
        }
        add_window(reader, batch);
    }
    batch->words = reader->read;
    return batch->examples > 0;
}

/* ---- the thread that reads ahead ---------------------------------------------- */

static void *read_ahead(void *argument)
{
    Reader *reader = argument;
    for (bool more = true; more;) {
        pthread_mutex_lock(&reader->lock);
        while (reader->filled - reader->emptied == AHEAD && !reader->stop)
            pthread_cond_wait(&reader->changed, &reader->lock);
        more = !reader->stop;
        pthread_mutex_unlock(&reader->lock);
        more = more && fill(reader, &reader->batch[reader->filled % AHEAD]);
        pthread_mutex_lock(&reader->lock);
        if (more)
            reader->filled++;
        else
            reader->complete = true;
        pthread_cond_broadcast(&reader->changed);
        pthread_mutex_unlock(&reader->lock);
    }
    return NULL;
}

/* Gives the batch in hand back and waits for the next. */
static const Batch *next_read_ahead(Reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    if (reader->in_hand) {
        reader->emptied++;
        pthread_cond_broadcast(&reader->changed);
    }
    while (reader->filled == reader->emptied && !reader->complete)
        pthread_cond_wait(&reader->changed, &reader->lock);
    reader->in_hand = reader->filled > reader->emptied;
    pthread_mutex_unlock(&reader->lock);
    return reader->in_hand ? &reader->batch[reader->emptied % AHEAD] : NULL;
}

const Batch *reader_next(Reader *reader)
{
    if (reader->threaded)
        return next_read_ahead(reader);
    return fill(reader, &reader->batch[0]) ? &reader->batch[0] : NULL;
}

/* ---- its beginning and end ----------------------------------------------------- */

/* Frequent words are thinned out: kept with probability (sqrt(f/t) + 1) t/f. */
static double *keep_chances(const Text *text, double t)
{
    if (t <= 0)
        return NULL;
    double *keep = memory_new((size_t)text->vocab->size, sizeof *keep, "the subsampling table");
    for (int w = 0; w < text->vocab->size; w++) {
        double ratio = t * (double)text->tokens / (double)text->vocab->count[w]; /* t / f */
        keep[w] = __builtin_sqrt(ratio) + ratio;
    }
    return keep;
}

static void make_batches(Reader *reader)
{
    const Setting *setting = &reader->setting;
    size_t inputs = reader->together ? (size_t)EXAMPLES * 2 * setting->window : EXAMPLES;
    for (int b = 0; b < (reader->threaded ? AHEAD : 1); b++) {
        Batch *batch = &reader->batch[b];
        batch->begin = memory_new(EXAMPLES + 1, sizeof(int), "training examples");
        batch->input = memory_new(inputs, sizeof(int), "training examples");
        batch->predicted = memory_new(EXAMPLES, sizeof(int), "training examples");
        batch->negative = memory_new((size_t)EXAMPLES * setting->negatives, sizeof(int), "training examples");
    }
}

Reader *reader_new(Text *text, const Setting *setting, Rng rng)
{
    Reader *reader = memory_new(1, sizeof *reader, "the reader of the text");
    reader->text = text;
    reader->setting = *setting;
    reader->rng = rng;
    reader->keep = keep_chances(text, setting->subsample);
    if (setting->loss == NEGATIVE_SAMPLING)
        reader->noise = sampler_new(text->vocab->count, text->vocab->size, setting->noise_power);
    reader->together = setting->model == CBOW || (setting->shared_noise && setting->loss == NEGATIVE_SAMPLING);
    reader->words = memory_new((size_t)longest_sentence(text), sizeof(int), "a sentence");
    reader->order = memory_new((size_t)text->sentences, sizeof(int), "the order of sentences");
    for (int s = 0; s < text->sentences; s++)
        reader->order[s] = s;
    reader->threaded = setting->threads > 1;
    make_batches(reader);
    begin_epoch(reader);
    if (reader->threaded) {
        pthread_mutex_init(&reader->lock, NULL);
        pthread_cond_init(&reader->changed, NULL);
        reader->threaded = parallel_thread(&reader->thread, read_ahead, reader);
    }
    return reader;
}

void reader_free(Reader *reader)
{
    if (!reader)
        return;
    if (reader->threaded) {
        pthread_mutex_lock(&reader->lock);
        reader->stop = true;
        pthread_cond_broadcast(&reader->changed);
        pthread_mutex_unlock(&reader->lock);
        pthread_join(reader->thread, NULL);
        pthread_mutex_destroy(&reader->lock);
        pthread_cond_destroy(&reader->changed);
    }
    for (int b = 0; b < AHEAD; b++) {
        free(reader->batch[b].begin);
        free(reader->batch[b].input);
        free(reader->batch[b].predicted);
        free(reader->batch[b].negative);
    }
    sampler_free(reader->noise);
    free(reader->keep);
    free(reader->words);
    free(reader->order);
    free(reader);
}
