/* weights.c: parameters to and from safetensors.
 *
 * The header is JSON, but only ever this much of it, and this is all that the
 * reader takes:
 *     {"NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}
 * plus one optional "__metadata__": {"KEY": "TEXT", ...}, which is passed over. */
#define _GNU_SOURCE
#include "weights.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "files.h"
#include "memory.h"
#include "text.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors are little-endian: swap the bytes here");

#define DTYPE (REAL_IS_DOUBLE ? "F64" : "F32")

enum { NAME_MOST = 255, METADATA_MOST = 1 << 20 };

/* ---- writing ----------------------------------------------------------------- */

static void check_names(const Parameters *parameters)
{
    for (int i = 0; i < parameters->n; i++) {
        const Tensor *tensor = parameters->tensor[i];
        size_t length = strlen(tensor->name);
        if (length > NAME_MOST || utf8_first_invalid(tensor->name, length) < length ||
            strcmp(tensor->name, "__metadata__") == 0)
            die_misuse(tensor->where, "weights: '%s' cannot be the name of a parameter in a file", tensor->name);
        for (int j = 0; j < i; j++)
            if (strcmp(parameters->tensor[j]->name, tensor->name) == 0)
                die_misuse(tensor->where, "weights: two parameters have the name '%s'", tensor->name);
    }
}

static void write_string(FILE *file, const char *text)
{
    fputc('"', file);
    for (const char *c = text; *c; c++)
        if (*c == '"' || *c == '\\')
            fprintf(file, "\\%c", *c);
        else if ((unsigned char)*c < ' ')
            fprintf(file, "\\u%04x", *c);
        else
            fputc(*c, file);
    fputc('"', file);
}

static void write_header(FILE *file, const Parameters *parameters)
{
    size_t at = 0;
    fputc('{', file);
    for (int i = 0; i < parameters->n; i++) {
        const Tensor *tensor = parameters->tensor[i];
        fputs(i ? "," : "", file);
        write_string(file, tensor->name);
        fprintf(file, ":{\"dtype\":\"%s\",\"shape\":[", DTYPE);
        for (int d = 0; d < tensor->shape.rank; d++)
            fprintf(file, d ? ",%d" : "%d", tensor->shape.dim[d]);
        fprintf(file, "],\"data_offsets\":[%zu,%zu]}", at, at + tensor->size * sizeof(real));
        at += tensor->size * sizeof(real);
    }
    fputc('}', file);
}

void weights_save(const char *path, const Parameters *parameters)
{
    check_names(parameters);
    Output *output = output_open(path);
    FILE *file = output_stream(output);
    uint64_t length = 0; /* not known yet */
    fwrite(&length, sizeof length, 1, file);
    write_header(file, parameters);
    off_t header_end = ftello(file);
    for (length = (uint64_t)header_end; length % 8; length++) /* the numbers begin at a multiple of 8 */
        fputc(' ', file);
    for (int i = 0; i < parameters->n; i++)
        fwrite(parameters->tensor[i]->data, sizeof(real), parameters->tensor[i]->size, file);
    length -= sizeof length;
    if (header_end < 0 || fseeko(file, 0, SEEK_SET) != 0)
        die("cannot write the weights '%s': %s", path, strerror(errno));
    fwrite(&length, sizeof length, 1, file);
    output_close(output);
}

/* ---- reading: the JSON of a header -------------------------------------------- */

typedef struct {
    const char *start, *at, *end;
    char *message;
} Header;

__attribute__((format(printf, 2, 3))) static bool fail(char *message, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, WEIGHTS_MESSAGE, format, arguments);
    va_end(arguments);
    return false;
}

static bool fail_at(Header *h, const char *expected)
{
    return fail(h->message, "byte %td of its header is not %s", h->at - h->start, expected);
}

/* If the next byte but white space is C, takes it. */
static bool take(Header *h, char c)
{
    while (h->at < h->end && (*h->at == ' ' || *h->at == '\n' || *h->at == '\t' || *h->at == '\r'))
        h->at++;
    if (h->at == h->end || *h->at != c)
        return false;
    h->at++;
    return true;
}

static bool expect(Header *h, char c)
{
    return take(h, c) || fail_at(h, (char[]){'\'', c, '\'', '\0'});
}

static bool read_hex(Header *h, uint32_t *value)
{
    *value = 0;
    for (int i = 0; i < 4; i++, h->at++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char *digit = h->at < h->end && *h->at ? strchr(digits, *h->at) : NULL;
        if (!digit)
            return fail_at(h, "a hexadecimal digit");
        *value = *value * 16 + (uint32_t)((digit - digits) % 16);
    }
    return true;
}

/* What follows a backslash: one of "\/bfnrt, or uXXXX, or two of these that make
 * a code point above 0xffff. */
static bool read_escape(Header *h, uint32_t *code_point)
{
    static const char plain[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
    const char *found = h->at < h->end && *h->at ? strchr(plain, *h->at) : NULL;
    uint32_t low;
    if (found) {
        h->at++;
        *code_point = (unsigned char)meaning[found - plain];
        return true;
    }
    if (h->at == h->end || *h->at++ != 'u')
        return fail_at(h, "an escape");
    if (!read_hex(h, code_point))
        return false;
    if (*code_point >= 0xd800 && *code_point < 0xdc00 && h->end - h->at >= 2 && h->at[0] == '\\' && h->at[1] == 'u') {
        h->at += 2;
        if (!read_hex(h, &low))
            return false;
        if (low < 0xdc00 || low > 0xdfff)
            return fail_at(h, "the second half of a character");
        *code_point = 0x10000 + ((*code_point - 0xd800) << 10) + (low - 0xdc00);
    }
    if (*code_point == 0 || (*code_point >= 0xd800 && *code_point < 0xe000))
        return fail_at(h, "a character");
    return true;
}

/* A string of at most NAME_MOST bytes of UTF-8; where TEXT is NULL it is passed
 * over, whatever its length. */
static bool read_string(Header *h, char text[NAME_MOST + 1])
{
    size_t length = 0;
    if (!expect(h, '"'))
        return false;
    while (h->at < h->end && *h->at != '"') {
        uint32_t code_point;
        char bytes[4];
        int taken = utf8_decode(h->at, (size_t)(h->end - h->at), &code_point);
        if (taken == 0 || code_point < ' ')
            return fail_at(h, "text in UTF-8");
        h->at += taken;
        if (code_point == '\\' && !read_escape(h, &code_point))
            return false;
        taken = text ? utf8_encode(code_point, bytes) : 0;
        if (length + (size_t)taken > NAME_MOST)
            return fail_at(h, "the end of a text that is long enough");
        if (text)
            memcpy(text + length, bytes, (size_t)taken);
        length += (size_t)taken;
    }
    if (text)
        text[length] = '\0';
    return expect(h, '"');
}

/* A whole number below 2^64. */
static bool read_count(Header *h, uint64_t *count)
{
    const char *first;
    take(h, ' '); /* passes over white space */
    first = h->at;
    *count = 0;
    while (h->at < h->end && *h->at >= '0' && *h->at <= '9') {
        if (*count > (UINT64_MAX - 9) / 10)
            return fail_at(h, "the end of a number of a sensible size");
        *count = *count * 10 + (uint64_t)(*h->at++ - '0');
    }
    if (h->at == first || (*first == '0' && h->at > first + 1)) {
        h->at = first;
        return fail_at(h, "a whole number");
    }
    return true;
}

/* [a, b, ...], at most MOST of them. */
static bool read_counts(Header *h, uint64_t *counts, int most, int *n)
{
    *n = 0;
    if (!expect(h, '['))
        return false;
    if (take(h, ']'))
        return true;
    do {
        if (*n == most)
            return fail_at(h, "the end of a list that is long enough");
        if (!read_count(h, &counts[(*n)++]))
            return false;
    } while (take(h, ','));
    return expect(h, ']');
}

/* What the header says of one tensor. */
typedef struct {
    char name[NAME_MOST + 1], dtype[NAME_MOST + 1];
    int rank;
    uint64_t dim[MOST_DIMENSIONS], offset[2];
} Entry;

static bool read_field(Header *h, Entry *entry, unsigned *seen)
{
    char key[NAME_MOST + 1];
    int n = 2;
    unsigned bit;
    bool fine;
    if (!read_string(h, key) || !expect(h, ':'))
        return false;
    if (strcmp(key, "dtype") == 0) {
        bit = 1;
        fine = read_string(h, entry->dtype);
    } else if (strcmp(key, "shape") == 0) {
        bit = 2;
        fine = read_counts(h, entry->dim, MOST_DIMENSIONS, &entry->rank);
    } else if (strcmp(key, "data_offsets") == 0) {
        bit = 4;
        fine = read_counts(h, entry->offset, 2, &n);
    } else {
        return fail_at(h, "one of dtype, shape, data_offsets");
    }
    if (fine && (n != 2 || *seen & bit))
        return fail_at(h, "what follows one dtype, one shape and two data_offsets");
    *seen |= bit;
    return fine;
}

static bool read_entry(Header *h, Entry *entry)
{
    unsigned seen = 0;
    if (!expect(h, '{'))
        return false;
    do {
        if (!read_field(h, entry, &seen))
            return false;
    } while (take(h, ','));
    if (seen != 7)
        return fail_at(h, "preceded by a dtype, a shape and data_offsets");
    return expect(h, '}');
}

static bool read_metadata(Header *h)
{
    if (!expect(h, '{'))
        return false;
    if (take(h, '}'))
        return true;
    do {
        if (!read_string(h, NULL) || !expect(h, ':') || !read_string(h, NULL))
            return false;
    } while (take(h, ','));
    return expect(h, '}');
}

/* ---- reading: does the file hold these parameters? ----------------------------- */

/* Where a parameter's numbers lie. */
typedef struct {
    uint64_t begin, end;
    Tensor *tensor; /* NULL: not found yet */
} Place;

/* A name of the file's as it may be printed: at most 60 bytes, nothing that a
 * terminal obeys. */
enum { PRINTABLE = 68 };
static const char *printable(const char *name, char text[PRINTABLE])
{
    size_t length = strlen(name), shown = length > 60 ? 60 : length;
    while (shown < length && ((unsigned char)name[shown] & 0xc0) == 0x80)
        shown--; /* not in the middle of a character */
    for (size_t i = 0; i < shown; i++)
        text[i] = (unsigned char)name[i] < ' ' || name[i] == 0x7f ? '?' : name[i];
    memcpy(text + shown, shown < length ? "..." : "", shown < length ? 4 : 1);
    return text;
}

static const char *entry_shape(const Entry *entry, char text[128])
{
    int at = snprintf(text, 128, "[");
    for (int i = 0; i < entry->rank; i++)
        at += snprintf(text + at, 128 - (size_t)at, i ? ", %" PRIu64 : "%" PRIu64, entry->dim[i]);
    snprintf(text + at, 128 - (size_t)at, "]");
    return text;
}

static bool shape_fits(const Entry *entry, Shape shape)
{
    bool fits = entry->rank == shape.rank;
    for (int i = 0; fits && i < shape.rank; i++)
        fits = entry->dim[i] == (uint64_t)shape.dim[i];
    return fits;
}

static bool check_entry(const Entry *entry, const Tensor *tensor, uint64_t data_size, char *message)
{
    char found[128], expected[SHAPE_TEXT], text[PRINTABLE];
    uint64_t bytes = tensor->size * sizeof(real), begin = entry->offset[0], end = entry->offset[1];
    if (strcmp(entry->dtype, DTYPE) != 0)
        return fail(message, "the numbers of '%s' are of the type %s there, and %s here", tensor->name,
                    printable(entry->dtype, text), DTYPE);
    if (!shape_fits(entry, tensor->shape))
        return fail(message, "the shape of '%s' is %s there, and %s here", tensor->name, entry_shape(entry, found),
                    shape_text(tensor->shape, expected));
    if (begin > end || end > data_size || end - begin != bytes)
        return fail(message,
                    "'%s' is said to lie at bytes %" PRIu64 " to %" PRIu64 " of %" PRIu64 ", and has %" PRIu64 " bytes",
                    tensor->name, begin, end, data_size, bytes);
    return true;
}

/* One "NAME": {...}. */
static bool read_tensor(Header *h, const Parameters *parameters, uint64_t data_size, Place *place, bool *metadata)
{
    Entry entry = {.rank = 0};
    char text[PRINTABLE];
    if (!read_string(h, entry.name) || !expect(h, ':'))
        return false;
    if (strcmp(entry.name, "__metadata__") == 0) {
        if (*metadata)
            return fail_at(h, "the first __metadata__");
        *metadata = true;
        return read_metadata(h);
    }
    int i = 0;
    while (i < parameters->n && strcmp(parameters->tensor[i]->name, entry.name) != 0)
        i++;
    if (i == parameters->n)
        return fail(h->message, "it has a tensor '%s', which is not a parameter here", printable(entry.name, text));
    if (place[i].tensor)
        return fail(h->message, "it has '%s' twice", parameters->tensor[i]->name);
    if (!read_entry(h, &entry) || !check_entry(&entry, parameters->tensor[i], data_size, h->message))
        return false;
    place[i] = (Place){entry.offset[0], entry.offset[1], parameters->tensor[i]};
    return true;
}

static bool read_tensors(Header *h, const Parameters *parameters, uint64_t data_size, Place *place)
{
    bool metadata = false;
    if (!expect(h, '{'))
        return false;
    if (!take(h, '}')) {
        do {
            if (!read_tensor(h, parameters, data_size, place, &metadata))
                return false;
        } while (take(h, ','));
        if (!expect(h, '}'))
            return false;
    }
    take(h, ' ');
    if (h->at < h->end)
        return fail_at(h, "white space after the end");
    for (int i = 0; i < parameters->n; i++)
        if (!place[i].tensor)
            return fail(h->message, "it has no tensor '%s'", parameters->tensor[i]->name);
    return true;
}

static int by_place(const void *a, const void *b)
{
    const Place *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* The tensors must fill the data from its first byte to its last. */
static bool check_places(Place *place, int n, uint64_t data_size, char *message)
{
    uint64_t at = 0;
    qsort(place, (size_t)n, sizeof *place, by_place);
    for (int i = 0; i < n; at = place[i++].end)
        if (place[i].begin != at)
            return fail(message, "'%s' begins at byte %" PRIu64 " of the data, where byte %" PRIu64 " is next",
                        place[i].tensor->name, place[i].begin, at);
    return at == data_size ||
           fail(message, "after the last tensor there are %" PRIu64 " bytes too many", data_size - at);
}

static bool read_numbers(FILE *file, const Place *place, int n, uint64_t data_start, char *message)
{
    if (fseeko(file, (off_t)data_start, SEEK_SET) != 0)
        return fail(message, "it cannot be read: %s", strerror(errno));
    for (int i = 0; i < n; i++)
        if (fread(place[i].tensor->data, sizeof(real), place[i].tensor->size, file) != place[i].tensor->size)
            return fail(message, "it ends inside '%s'", place[i].tensor->name);
    return true;
}

/* The longest header that these parameters can need: names as escapes, numbers of
 * 20 digits, white space in reason. */
static uint64_t header_most(const Parameters *parameters)
{
    uint64_t most = METADATA_MOST;
    for (int i = 0; i < parameters->n; i++)
        most += 512 + 6 * strlen(parameters->tensor[i]->name);
    return most;
}

/* The 8 bytes before the header and the header itself; free() it. */
static char *read_header(FILE *file, const Parameters *parameters, uint64_t *size, uint64_t *length, char *message)
{
    off_t end = fseeko(file, 0, SEEK_END) == 0 ? ftello(file) : -1;
    if (end < 0 || fseeko(file, 0, SEEK_SET) != 0)
        return fail(message, "it is not a file that can be read from its start"), NULL;
    if (fread(length, sizeof *length, 1, file) != 1)
        return fail(message, "it is shorter than 8 bytes, not a safetensors file"), NULL;
    *size = (uint64_t)end;
    if (*length > *size - sizeof *length)
        return fail(message,
                    "its header would be longer than the file: it was cut short, or is not a safetensors file"),
               NULL;
    if (*length > header_most(parameters))
        return fail(message, "its header of %" PRIu64 " bytes is longer than these parameters need", *length), NULL;
    char *text = memory_new(*length, 1, "the header of a file of weights");
    if (fread(text, 1, *length, file) == *length)
        return text;
    free(text);
    return fail(message, "it cannot be read"), NULL;
}

bool weights_read(FILE *file, const Parameters *parameters, char message[WEIGHTS_MESSAGE])
{
    uint64_t size, length;
    check_names(parameters);
    char *text = read_header(file, parameters, &size, &length, message);
    if (!text)
        return false;
    uint64_t data_start = sizeof length + length, data_size = size - data_start;
    Header header = {text, text, text + length, message};
    Place *place = memory_new((size_t)parameters->n, sizeof *place, "the places of parameters");
    bool fine = read_tensors(&header, parameters, data_size, place) &&
                check_places(place, parameters->n, data_size, message) &&
                read_numbers(file, place, parameters->n, data_start, message);
    free(place);
    free(text);
    return fine;
}

void weights_load(const char *path, const Parameters *parameters)
{
    char message[WEIGHTS_MESSAGE];
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) /* fopen would wait for a pipe's writer */
        die("cannot read the weights '%s': it is %s", path, S_ISDIR(status.st_mode) ? "a folder" : "not a plain file");
    FILE *file = fopen(path, "rb");
    if (!file)
        die("cannot read the weights '%s': %s", path, strerror(errno));
    if (!weights_read(file, parameters, message))
        die("cannot load the weights '%s': %s", path, message);
    fclose(file);
}
