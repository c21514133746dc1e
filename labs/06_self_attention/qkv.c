/* qkv.c: the matrices of --qkv FILE.
 *
 * A line that is just Q, K or V begins a block; each line after it is a row of
 * numbers, separated by tabs (blanks are fine).  Empty lines and lines that
 * begin with # are skipped:
 *
 *     Q
 *     1	0
 *     0	1
 *     K
 *     ...
 *
 * Q [n, d], K [m, d], V [m, e]. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "die.h"
#include "memory.h"
#include "self_attention.h"
#include "text.h"

enum { MOST_BYTES = 1 << 20, BLOCKS = 3 };
static const double LARGEST = 1e6;

typedef struct {
    double *value;           /* rows x columns */
    int rows, columns, line; /* LINE: where it begins, 0: not yet */
} Matrix;

typedef struct {
    const char *path;
    int line;
    Matrix block[BLOCKS], *now;
} Reader;

static const char block_name[] = "QKV";

/* A field as it may stand in a message: short, without control bytes. */
static const char *shown(const char *field, char text[32])
{
    size_t n = 0;
    for (; n < 20 && field[n]; n++)
        text[n] = field[n];
    while (n > 0 && utf8_first_invalid(text, n) < n) /* not half a letter */
        n--;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            text[i] = '?';
    snprintf(text + n, 32 - n, "%s", field[n] ? "..." : "");
    return text;
}

static double read_number(const Reader *reader, const char *field)
{
    char text[32], *end;
    double value = strtod(field, &end);
    if (*end || strspn(field, "+-.0123456789eE") != strlen(field))
        die("%s:%d: '%s' is not a number", reader->path, reader->line, shown(field, text));
    if (!(fabs(value) <= LARGEST))
        die("%s:%d: %s is too large: numbers go up to %.0f in size", reader->path, reader->line, shown(field, text),
            LARGEST);
    return value;
}

static void begin_block(Reader *reader, const char *field)
{
    char text[32];
    const char *place = strlen(field) == 1 ? strchr(block_name, *field) : NULL;
    if (!place)
        die("%s:%d: '%s' is neither a number nor the name of a block (Q, K or V alone in its line)", reader->path,
            reader->line, shown(field, text));
    reader->now = &reader->block[place - block_name];
    if (reader->now->line)
        die("%s:%d: block %c began in line %d already", reader->path, reader->line, *field, reader->now->line);
    reader->now->line = reader->line;
}

static void add_row(Reader *reader, const double *row, int columns)
{
    Matrix *block = reader->now;
    if (!block)
        die("%s:%d: numbers before the first block: write Q, K or V alone in a line above them", reader->path,
            reader->line);
    if (block->rows && columns != block->columns)
        die("%s:%d: a row of %d numbers, but the rows of %c above it have %d", reader->path, reader->line, columns,
            block_name[block - reader->block], block->columns);
    if (block->rows == MOST_WORDS)
        die("%s:%d: more than %d rows in one block", reader->path, reader->line, MOST_WORDS);
    block->columns = columns;
    block->value = memory_resize(block->value, (size_t)(block->rows + 1) * columns, sizeof *row, "a block of --qkv");
    memcpy(block->value + (size_t)block->rows * columns, row, (size_t)columns * sizeof *row);
    block->rows++;
}

static void read_line(Reader *reader, char *line)
{
    double row[MOST_DIMENSION];
    int columns = 0;
    char *rest = line, *field;
    if (*line == '#')
        return;
    while ((field = strsep(&rest, "\t ")))
        if (*field) {
            bool first = columns == 0;
            if (first && strspn(field, "+-.0123456789") == 0 && !rest) {
                begin_block(reader, field);
                return;
            }
            if (columns == MOST_DIMENSION)
                die("%s:%d: more than %d numbers in one row", reader->path, reader->line, MOST_DIMENSION);
            row[columns++] = read_number(reader, field);
        }
    if (columns)
        add_row(reader, row, columns);
}

/* All bytes of the file, ended by '\0'; no more than one beyond the limit. */
static char *read_file(const char *path, size_t *size)
{
    struct stat status;
    if (stat(path, &status) != 0)
        die("cannot read '%s': %s", path, strerror(errno));
    if (S_ISDIR(status.st_mode))
        die("cannot read '%s': it is a folder, and --qkv takes a file", path);
    if (!S_ISREG(status.st_mode)) /* before fopen, which would wait for a pipe's writer */
        die("cannot read '%s': it is not a plain file", path);
    FILE *file = fopen(path, "rb");
    if (!file)
        die("cannot read '%s': %s", path, strerror(errno));
    size_t room = status.st_size < MOST_BYTES ? (size_t)status.st_size + 1 : MOST_BYTES + 1;
    char *bytes = memory_new(room + 1, 1, "the file of --qkv");
    *size = fread(bytes, 1, room, file);
    if (ferror(file))
        die("cannot read '%s': %s", path, strerror(errno));
    fclose(file);
    return bytes;
}

static void check_bytes(const char *path, const char *bytes, size_t size)
{
    int line = 1;
    if (size == 0)
        die("%s:1: the file is empty; it should have blocks Q, K and V (see --help)", path);
    for (size_t i = 0; i < size; i++) {
        line += bytes[i] == '\n';
        if (bytes[i] == '\0')
            die("%s:%d: byte %zu is 0: this is not a text file", path, line, i);
    }
    if (size > MOST_BYTES)
        die("%s:%d: the file is larger than a megabyte; --qkv is for small matrices", path, line);
}

static void check_blocks(const Reader *reader)
{
    const Matrix *q = &reader->block[0], *k = &reader->block[1], *v = &reader->block[2];
    for (int b = 0; b < BLOCKS; b++) {
        if (!reader->block[b].line)
            die("%s:%d: the file ends without a block %c", reader->path, reader->line, block_name[b]);
        if (!reader->block[b].rows)
            die("%s:%d: block %c has no rows", reader->path, reader->block[b].line, block_name[b]);
    }
    if (q->columns != k->columns)
        die("%s:%d: the rows of K have %d numbers, those of Q %d: a query meets a key number by number", reader->path,
            k->line, k->columns, q->columns);
    if (k->rows != v->rows)
        die("%s:%d: V has %d rows and K %d: every key has one value", reader->path, v->line, v->rows, k->rows);
}

/* "q1", "q2" ... */
static const char *const *row_names(char letter, int n)
{
    enum { LENGTH = 16 };
    char **names = memory_new(1, (size_t)n * (sizeof *names + LENGTH), "names of rows");
    char *bytes = (char *)(names + n);
    for (int i = 0; i < n; i++) {
        names[i] = bytes + i * LENGTH;
        snprintf(names[i], LENGTH, "%c%d", letter, i + 1);
    }
    return (const char *const *)names;
}

Qkv *qkv_read(const char *path)
{
    size_t size;
    char *bytes = read_file(path, &size), *rest = bytes, *line;
    Reader reader = {.path = path};
    check_bytes(path, bytes, size);
    if (strncmp(rest, "\xef\xbb\xbf", 3) == 0) /* a byte-order mark */
        rest += 3;
    while ((line = strsep(&rest, "\n"))) {
        if (rest || *line)
            reader.line++;
        for (size_t n = strlen(line); n && strchr("\r\t ", line[n - 1]); n--)
            line[n - 1] = '\0';
        read_line(&reader, line);
    }
    check_blocks(&reader);
    free(bytes);
    Qkv *qkv = memory_new(1, sizeof *qkv, "the matrices of --qkv");
    *qkv = (Qkv){.n = reader.block[0].rows,
                 .m = reader.block[1].rows,
                 .d = reader.block[0].columns,
                 .e = reader.block[2].columns,
                 .q = reader.block[0].value,
                 .k = reader.block[1].value,
                 .v = reader.block[2].value,
                 .query_name = row_names('q', reader.block[0].rows),
                 .key_name = row_names('k', reader.block[1].rows)};
    return qkv;
}

void qkv_free(Qkv *qkv)
{
    if (!qkv)
        return;
    free(qkv->q);
    free(qkv->k);
    free(qkv->v);
    free((void *)qkv->query_name);
    free((void *)qkv->key_name);
    free(qkv);
}
