/* vectors.c: words as points: neighbours, a map, and files of vectors. */
#include "word2vec.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "die.h"
#include "files.h"
#include "kernels.h"
#include "maths.h"
#include "memory.h"
#include "text.h"

enum { DIMENSION_MOST = 100000 };

static Vocab *vocab_copy(const Vocab *vocab)
{
    Vocab *copy = vocab_new();
    for (int w = 0; w < vocab->size; w++) {
        vocab_add(copy, vocab->word[w], strlen(vocab->word[w]));
        copy->count[w] = vocab->count[w];
    }
    copy->total = vocab->total;
    return copy;
}

static Vectors *vectors_new(Vocab *vocab, int words, int dimension)
{
    Vectors *vectors = memory_new(1, sizeof *vectors, "the vectors");
    vectors->vocab = vocab;
    vectors->words = words;
    vectors->dimension = dimension;
    vectors->stride = (dimension + LANES - 1) / LANES * LANES;
    vectors->raw = memory_new((size_t)words * vectors->stride, sizeof(real), "the vectors");
    vectors->unit = memory_new((size_t)words * vectors->stride, sizeof(real), "the vectors");
    return vectors;
}

/* unit = raw / |raw|; a zero vector stays zero. */
static void make_unit(Vectors *vectors)
{
    int stride = vectors->stride;
    for (int w = 0; w < vectors->words; w++) {
        const real *raw = vectors->raw + (size_t)w * stride;
        real length = m_sqrt(kernel_dot(raw, raw, stride));
        for (int i = 0; i < stride && length > 0; i++)
            vectors->unit[(size_t)w * stride + i] = raw[i] / length;
    }
}

Vectors *vectors_of_matrix(const Vocab *vocab, const real *rows, int dimension, int stride)
{
    Vectors *vectors = vectors_new(vocab_copy(vocab), vocab->size, dimension);
    for (int w = 0; w < vectors->words; w++)
        memcpy(vectors->raw + (size_t)w * vectors->stride, rows + (size_t)w * stride, dimension * sizeof(real));
    make_unit(vectors);
    return vectors;
}

Vectors *vectors_of_model(const Model *model, const Vocab *vocab)
{
    const Pieces *pieces = model->pieces;
    Vectors *vectors = vectors_of_matrix(vocab, model->input, model->dimension, model->stride);
    for (int w = 0; pieces && w < vectors->words; w++) {
        int count = pieces->begin[w + 1] - pieces->begin[w];
        real *row = vectors->raw + (size_t)w * vectors->stride;
        memset(row, 0, vectors->stride * sizeof *row);
        for (int i = 0; i < count; i++)
            kernel_axpy(vectors->stride, 1 / (real)count,
                        model->input + (size_t)pieces->rows[pieces->begin[w] + i] * model->stride, row);
    }
    if (pieces)
        make_unit(vectors);
    return vectors;
}

void vectors_free(Vectors *vectors)
{
    if (!vectors)
        return;
    vocab_free(vectors->vocab);
    free(vectors->raw);
    free(vectors->unit);
    free(vectors);
}

/* ---- neighbours ---------------------------------------------------------------- */

static int number_of(const Vectors *vectors, const char *word)
{
    int w = vocab_find(vectors->vocab, word);
    if (w == VOCAB_NONE)
        die("\"%s\" has no vector", word);
    return w;
}

real vectors_cosine(const Vectors *vectors, const char *a, const char *b)
{
    size_t x = (size_t)number_of(vectors, a), y = (size_t)number_of(vectors, b);
    return kernel_dot(vectors->unit + x * vectors->stride, vectors->unit + y * vectors->stride, vectors->stride);
}

static bool is_among(int word, const int *list, int n)
{
    for (int i = 0; i < n; i++)
        if (list[i] == word)
            return true;
    return false;
}

int vectors_nearest(const Vectors *vectors, const real *query, const int *skip, int n_skip, const bool *among, int k,
                    Neighbour *nearest)
{
    int stride = vectors->stride, found = 0;
    real length = m_sqrt(kernel_dot(query, query, stride));
    real scale = length > 0 ? 1 / length : 0;
    for (int w = 0; w < vectors->words; w++) {
        if ((among && !among[w]) || is_among(w, skip, n_skip))
            continue;
        real cosine = scale * kernel_dot(query, vectors->unit + (size_t)w * stride, stride);
        if (found == k && cosine <= nearest[k - 1].cosine)
            continue;
        int at = found < k ? found++ : k - 1;
        for (; at > 0 && nearest[at - 1].cosine < cosine; at--)
            nearest[at] = nearest[at - 1];
        nearest[at] = (Neighbour){w, cosine};
    }
    return found;
}

/* ---- files of vectors ------------------------------------------------------------ */

void vectors_save(const Vectors *vectors, const char *path)
{
    Output *output = output_open(path);
    FILE *stream = output_stream(output);
    fprintf(stream, "%d %d\n", vectors->words, vectors->dimension);
    for (int w = 0; w < vectors->words; w++) {
        fputs(vectors->vocab->word[w], stream);
        for (int i = 0; i < vectors->dimension; i++)
            fprintf(stream, " %.*g", REAL_IS_DOUBLE ? 17 : 9, (double)vectors->raw[(size_t)w * vectors->stride + i]);
        fputc('\n', stream);
    }
    output_close(output);
}

/* A file of vectors on its way in. */
typedef struct {
    const char *path;
    FILE *stream;
    char *line;
    size_t room;
    long number; /* of the line */
} Source;

/* The next line without its end; false at the end of the file. */
static bool read_line(Source *source)
{
    errno = 0;
    ssize_t length = getline(&source->line, &source->room, source->stream);
    if (length < 0 && (ferror(source->stream) || errno == ENOMEM))
        die("%s: %s", source->path, strerror(errno));
    if (length < 0)
        return false;
    source->number++;
    if (strlen(source->line) != (size_t)length)
        die("%s, line %ld: a byte 0: this is not a text file (word2vec's binary format is not read)", source->path,
            source->number);
    size_t bad = utf8_first_invalid(source->line, (size_t)length);
    if (bad < (size_t)length)
        die("%s, line %ld: byte %zu is not valid UTF-8", source->path, source->number, bad);
    source->line[strcspn(source->line, "\r\n")] = '\0';
    return true;
}

/* "WORDS DIMENSION", and whether a file of SIZE bytes can hold as much. */
static void read_header(Source *source, long size, int *words, int *dimension)
{
    char *end;
    long n = 0, d = 0;
    bool fine = read_line(source) && isdigit((unsigned char)source->line[0]);
    if (fine) {
        n = strtol(source->line, &end, 10);
        fine = *end == ' ' && isdigit((unsigned char)end[1]);
        d = fine ? strtol(end + 1, &end, 10) : 0;
        fine = fine && end[strspn(end, " ")] == '\0';
    }
    if (!fine)
        die("%s, line 1: a file of vectors begins with two numbers, how many words and how many dimensions",
            source->path);
    if (n < 1 || d < 1 || d > DIMENSION_MOST)
        die("%s, line 1: %ld words of %ld dimensions; at least 1 word and 1 to %d dimensions are needed", source->path,
            n, d, DIMENSION_MOST);
    if (n > size / (2 * d + 2)) /* a line is at least a letter, D times " 0", and its end */
        die("%s, line 1: promises %ld words of %ld dimensions, more than the file's %ld bytes can hold", source->path,
            n, d, size);
    *words = (int)n;
    *dimension = (int)d;
}

/* "WORD NUMBER NUMBER ..." */
static void read_vector(Source *source, Vectors *vectors)
{
    char *at = source->line + strcspn(source->line, " \t"), *end;
    size_t length = (size_t)(at - source->line);
    if (length == 0)
        die("%s, line %ld: begins with a space instead of a word", source->path, source->number);
    if (vocab_find_bytes(vectors->vocab, source->line, length) != VOCAB_NONE)
        die("%s, line %ld: the word \"%.*s\" a second time", source->path, source->number, (int)length, source->line);
    int w = vocab_add(vectors->vocab, source->line, length), i = 0;
    for (;; at = end, i++) {
        at += strspn(at, " \t");
        if (!*at)
            break;
        double value = strtod(at, &end);
        if (end == at || (*end && *end != ' ' && *end != '\t'))
            die("%s, line %ld: \"%.*s\" is not a number", source->path, source->number, (int)strcspn(at, " \t"), at);
        if (!(value >= -1e30 && value <= 1e30))
            die("%s, line %ld: %.*s is not a coordinate", source->path, source->number, (int)strcspn(at, " \t"), at);
        if (i < vectors->dimension)
            vectors->raw[(size_t)w * vectors->stride + i] = (real)value;
    }
    if (i != vectors->dimension)
        die("%s, line %ld: %d numbers instead of %d", source->path, source->number, i, vectors->dimension);
}

Vectors *vectors_load(const char *path)
{
    struct stat status;
    Source source = {.path = path};
    if (stat(path, &status) != 0)
        die("%s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode)) /* before fopen, which would wait for a pipe's writer */
        die("%s: is %s, not a file of vectors", path, S_ISDIR(status.st_mode) ? "a folder" : "a device or a pipe");
    if (!(source.stream = fopen(path, "rb")))
        die("%s: %s", path, strerror(errno));
    int words, dimension;
    read_header(&source, (long)status.st_size, &words, &dimension);
    Vectors *vectors = vectors_new(vocab_new(), words, dimension);
    for (int w = 0; w < words; w++) {
        if (!read_line(&source))
            die("%s: ends after %d of the %d words that its first line promises", path, w, words);
        read_vector(&source, vectors);
    }
    while (read_line(&source))
        if (source.line[0])
            die("%s, line %ld: more words than the %d that the first line promises", path, source.number, words);
    fclose(source.stream);
    free(source.line);
    make_unit(vectors);
    return vectors;
}

/* ---- near spellings ---------------------------------------------------------------- */

enum { LETTERS = 64 };

static int letters_of(const char *word, uint32_t *letters)
{
    int n = 0;
    size_t length = strlen(word);
    for (size_t at = 0; at < length && n < LETTERS; n++) {
        int size = utf8_decode(word + at, length - at, &letters[n]);
        at += size > 0 ? (size_t)size : 1;
    }
    return n;
}

/* Letters to change, drop or add to make B of A (Levenshtein 1966). */
static int edit_distance(const uint32_t *a, int n, const uint32_t *b, int m)
{
    int row[LETTERS + 1];
    for (int j = 0; j <= m; j++)
        row[j] = j;
    for (int i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            int least = diagonal + (a[i - 1] != b[j - 1]);
            least = row[j] + 1 < least ? row[j] + 1 : least;
            least = row[j - 1] + 1 < least ? row[j - 1] + 1 : least;
            diagonal = row[j];
            row[j] = least;
        }
    }
    return row[m];
}

int near_spellings(const Vocab *vocab, const char *word, int *found, int most)
{
    uint32_t asked[LETTERS], letters[LETTERS];
    int n = letters_of(word, asked), size = 0;
    for (int distance = 1; distance <= 2; distance++)
        for (int w = 0; w < vocab->size && size < most; w++) {
            int m = letters_of(vocab->word[w], letters);
            if (m > distance && abs(m - n) <= distance && edit_distance(asked, n, letters, m) == distance)
                found[size++] = w;
        }
    return size;
}

/* ---- a map --------------------------------------------------------------------------- */

/* y = C x with the covariance matrix C. */
static void multiply(const double *covariance, int d, const double *x, double *y)
{
    for (int i = 0; i < d; i++) {
        y[i] = 0;
        for (int j = 0; j < d; j++)
            y[i] += covariance[(size_t)i * d + j] * x[j];
    }
}

static double dot(const double *x, const double *y, int d)
{
    double sum = 0;
    for (int i = 0; i < d; i++)
        sum += x[i] * y[i];
    return sum;
}

/* The direction of largest variance, orthogonal to BEFORE (or NULL): multiply
 * by C and shorten, again and again.  Returns the variance along it. */
static double power_iteration(const double *covariance, int d, const double *before, double *x, double *y)
{
    double variance = 0;
    for (int i = 0; i < d; i++)
        x[i] = 1 + i % 7 * (i % 2 ? 0.3 : -0.2);
    for (int turn = 0; turn < 500; turn++) {
        double along = before ? dot(before, x, d) : 0;
        for (int i = 0; before && i < d; i++)
            x[i] -= along * before[i];
        multiply(covariance, d, x, y);
        variance = __builtin_sqrt(dot(y, y, d));
        for (int i = 0; i < d; i++)
            x[i] = variance > 0 ? y[i] / variance : i == 0;
    }
    int largest = 0;
    for (int i = 1; i < d; i++)
        if (__builtin_fabs(x[i]) > __builtin_fabs(x[largest]))
            largest = i;
    for (int i = 0, flip = x[largest] < 0; i < d && flip; i++)
        x[i] = -x[i];
    return variance;
}

static void covariance_of(const real *rows, int n, int d, int stride, double *mean, double *covariance)
{
    for (int w = 0; w < n; w++)
        for (int i = 0; i < d; i++)
            mean[i] += (double)rows[(size_t)w * stride + i] / n;
    for (int w = 0; w < n; w++)
        for (int i = 0; i < d; i++)
            for (int j = 0; j < d; j++)
                covariance[(size_t)i * d + j] += ((double)rows[(size_t)w * stride + i] - mean[i]) *
                                                 ((double)rows[(size_t)w * stride + j] - mean[j]) / n;
}

void principal_components(const real *rows, int n, int dimension, int stride, real *xy, real share[2])
{
    size_t d = (size_t)dimension;
    double *mean = memory_new(d * (d + 4), sizeof(double), "principal components");
    double *axis[2] = {mean + d, mean + 2 * d}, *scratch = mean + 3 * d, *covariance = mean + 4 * d, total = 0;
    covariance_of(rows, n, dimension, stride, mean, covariance);
    for (size_t i = 0; i < d; i++)
        total += covariance[i * d + i];
    for (int c = 0; c < 2; c++) {
        double variance = power_iteration(covariance, dimension, c ? axis[0] : NULL, axis[c], scratch);
        share[c] = (real)(total > 0 ? variance / total : 0);
        for (int w = 0; w < n; w++) {
            double at = 0;
            for (size_t i = 0; i < d; i++)
                at += axis[c][i] * ((double)rows[(size_t)w * stride + i] - mean[i]);
            xy[2 * w + c] = (real)at;
        }
    }
    free(mean);
}
