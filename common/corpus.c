/* corpus.c: bytes -> checked UTF-8 -> lines -> tokens, each stage holding no
 * more than a block.
 *
 *     raw   what was read; its last bytes may be half a character and wait for
 *           the next block
 *     text  valid UTF-8; what lies before `at` is used up
 */
#define _GNU_SOURCE
#include "corpus.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "die.h"
#include "memory.h"
#include "text.h"

enum { BLOCK = 1 << 20, HALF_CHARACTER = 3, REPLACEMENT = 3 /* bytes of U+FFFD */ };

struct Corpus {
    char *name;
    int file; /* -1: in memory */
    const char *memory;
    uint64_t size; /* bytes in all */
    bool replace;
    size_t block;  /* bytes a read */
    uint64_t read; /* bytes read since the rewind */
    bool all_read;

    char *raw; /* block + HALF_CHARACTER bytes */
    size_t raw_length;
    char *text; /* capacity bytes */
    size_t capacity, length;
    size_t at;          /* the next byte that no token has used */
    size_t line_end;    /* where the line at `at` ends: its '\n', or as far as is known */
    bool line_is_whole; /* line_end is the line's end */
    bool between_lines; /* the next byte begins a line */
};

/* ---- opening and closing ------------------------------------------------ */

static Corpus *corpus_new(const char *name, bool replace)
{
    Corpus *corpus = memory_new(1, sizeof *corpus, "a corpus");
    corpus->name = memory_copy_text(name);
    corpus->file = -1;
    corpus->replace = replace;
    corpus->block = BLOCK;
    return corpus;
}

Corpus *corpus_open(const char *file, bool replace_bad_bytes)
{
    struct stat about;
    /* Not blocking, so that a pipe without a writer is refused, not waited for. */
    int descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0 || fstat(descriptor, &about) < 0)
        die("%s: cannot be read: %s", file, strerror(errno));
    if (S_ISDIR(about.st_mode))
        die("%s: is a folder; give a text file", file);
    if (!S_ISREG(about.st_mode))
        die("%s: is not a plain file (it is read several times); save the text in a file first", file);
    if (about.st_size == 0)
        die("%s: is empty; give a text with at least a few sentences", file);
    Corpus *corpus = corpus_new(file, replace_bad_bytes);
    corpus->file = descriptor;
    corpus->size = (uint64_t)about.st_size;
    corpus_rewind(corpus);
    return corpus;
}

Corpus *corpus_from_text(const char *name, const char *text, bool replace_bad_bytes)
{
    Corpus *corpus = corpus_new(name, replace_bad_bytes);
    corpus->memory = text;
    corpus->size = strlen(text);
    corpus_rewind(corpus);
    return corpus;
}

void corpus_close(Corpus *corpus)
{
    if (!corpus)
        return;
    if (corpus->file >= 0)
        close(corpus->file);
    free(corpus->name);
    free(corpus->raw);
    free(corpus->text);
    free(corpus);
}

/* Room for a block beside the longest token that may still be unfinished. */
static void allocate(Corpus *corpus)
{
    size_t most = corpus->block + HALF_CHARACTER;
    corpus->capacity = TEXT_ENOUGH + (corpus->replace ? REPLACEMENT * most : most);
    corpus->raw = memory_resize(NULL, most, 1, "reading the corpus");
    corpus->text = memory_resize(NULL, corpus->capacity, 1, "reading the corpus");
}

void corpus_rewind(Corpus *corpus)
{
    if (corpus->file >= 0 && lseek(corpus->file, 0, SEEK_SET) < 0)
        die("%s: cannot be read again: %s", corpus->name, strerror(errno));
    corpus->read = 0;
    corpus->all_read = false;
    corpus->raw_length = corpus->length = corpus->at = corpus->line_end = 0;
    corpus->line_is_whole = false;
    corpus->between_lines = true;
}

void corpus_block_size(Corpus *corpus, size_t size)
{
    if (size < 1)
        die_misuse(HERE, "corpus_block_size: a block has at least one byte");
    free(corpus->raw);
    free(corpus->text);
    corpus->raw = corpus->text = NULL;
    corpus->block = size;
    corpus_rewind(corpus);
}

uint64_t corpus_bytes(const Corpus *corpus)
{
    return corpus->size;
}

uint64_t corpus_position(const Corpus *corpus)
{
    uint64_t waiting = corpus->raw_length + (corpus->length - corpus->at);
    return corpus->read > waiting ? corpus->read - waiting : 0; /* replacing may have made text longer */
}

/* ---- from the file to valid text ------------------------------------------ */

static void read_block(Corpus *corpus)
{
    char *to = corpus->raw + corpus->raw_length;
    size_t got;
    if (corpus->file >= 0) {
        ssize_t n;
        do
            n = read(corpus->file, to, corpus->block);
        while (n < 0 && errno == EINTR);
        if (n < 0)
            die("%s: cannot be read after byte %llu: %s", corpus->name, (unsigned long long)corpus->read,
                strerror(errno));
        got = (size_t)n;
    } else {
        uint64_t left = corpus->size - corpus->read;
        got = left < corpus->block ? (size_t)left : corpus->block;
        memcpy(to, corpus->memory + corpus->read, got);
    }
    corpus->raw_length += got;
    corpus->read += got;
    corpus->all_read = got == 0;
}

static _Noreturn void die_of_bad_byte(const Corpus *corpus, uint64_t offset, unsigned char byte)
{
    if (byte == '\0')
        die("%s: byte %llu is zero: this is a binary file (or UTF-16), not UTF-8 text", corpus->name,
            (unsigned long long)offset);
    die("%s: byte %llu is not valid UTF-8; convert the file (iconv -f CP949 -t UTF-8, for instance) or pass "
        "--replace-bad-bytes",
        corpus->name, (unsigned long long)offset);
}

static bool may_become_valid(const char *bytes, size_t length)
{
    unsigned char lead = (unsigned char)bytes[0];
    size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    char trial[4];
    uint32_t c;
    if (lead < 0xC2 || lead > 0xF4 || length >= size)
        return false;
    for (unsigned tail = 0x80; tail <= 0xB0; tail += 0x10) { /* some second byte that all lead bytes allow */
        memset(trial, (int)tail, sizeof trial);
        memcpy(trial, bytes, length);
        if (utf8_decode(trial, size, &c))
            return true;
    }
    return false;
}

/* Moves what is valid from raw to text; half a character stays in raw. */
static void check_block(Corpus *corpus)
{
    size_t from = 0, left = corpus->raw_length;
    uint64_t offset = corpus->read - corpus->raw_length; /* of raw[0] in the file */
    const char *zero = memchr(corpus->raw, '\0', left);
    size_t usable = zero ? (size_t)(zero - corpus->raw) : left;
    while (from < usable) {
        size_t good = utf8_first_invalid(corpus->raw + from, usable - from);
        memcpy(corpus->text + corpus->length, corpus->raw + from, good);
        corpus->length += good;
        from += good;
        if (from == usable || (!zero && !corpus->all_read && may_become_valid(corpus->raw + from, usable - from)))
            break;
        if (!corpus->replace)
            die_of_bad_byte(corpus, offset + from, (unsigned char)corpus->raw[from]);
        corpus->length += (size_t)utf8_encode(0xFFFD, corpus->text + corpus->length);
        from++;
    }
    if (zero && from == usable)
        die_of_bad_byte(corpus, offset + usable, '\0');
    corpus->raw_length = left - from;
    memmove(corpus->raw, corpus->raw + from, corpus->raw_length);
}

/* Reads one more block behind the text that is still unused.  The caller has
 * used all but an unfinished token, so there is room. */
static void fill(Corpus *corpus)
{
    if (!corpus->text) /* not before: a test asks for smaller blocks first */
        allocate(corpus);
    corpus->length -= corpus->at;
    memmove(corpus->text, corpus->text + corpus->at, corpus->length);
    corpus->line_end -= corpus->at;
    corpus->at = 0;
    bool at_start = corpus->read == corpus->raw_length && corpus->length == 0;
    read_block(corpus);
    check_block(corpus);
    static const char mark[] = "\xEF\xBB\xBF"; /* the byte-order mark */
    if (at_start && corpus->length >= 3 && memcmp(corpus->text, mark, 3) == 0)
        corpus->at = corpus->line_end = 3;
}

/* ---- from text to tokens ---------------------------------------------------- */

/* Looks for the end of the current line in the text that is here. */
static void find_line_end(Corpus *corpus)
{
    char *end = memchr(corpus->text + corpus->line_end, '\n', corpus->length - corpus->line_end);
    corpus->line_end = end ? (size_t)(end - corpus->text) : corpus->length;
    corpus->line_is_whole = end || corpus->all_read;
}

/* Begins the next line unless one is under way; false at the end of the corpus. */
static bool begin_line(Corpus *corpus)
{
    if (!corpus->between_lines)
        return true;
    while (corpus->at == corpus->length && !corpus->all_read)
        fill(corpus);
    if (corpus->at == corpus->length)
        return false;
    corpus->between_lines = false;
    corpus->line_end = corpus->at;
    find_line_end(corpus);
    return true;
}

static void end_line(Corpus *corpus)
{
    corpus->at = corpus->line_end;
    if (corpus->at < corpus->length)
        corpus->at++; /* the '\n' */
    corpus->between_lines = true;
}

/* The next token of the current line into TOKEN; its length, or 0 at the line's end. */
static size_t next_token(Corpus *corpus, char token[TOKEN_MAX])
{
    for (;;) {
        size_t n;
        corpus->at += text_next_token(corpus->text + corpus->at, corpus->line_end - corpus->at, !corpus->line_is_whole,
                                      token, &n);
        if (n > 0)
            return n;
        if (corpus->line_is_whole)
            return 0;
        fill(corpus);
        find_line_end(corpus);
    }
}

/* MOST 0: however many. */
static uint64_t count_words(Corpus *corpus, Vocab *vocab, int most)
{
    char token[TOKEN_MAX];
    bool any = false;
    uint64_t times = 0;
    while (begin_line(corpus)) {
        for (size_t n; (n = next_token(corpus, token)) > 0; any = true) {
            vocab_add(vocab, token, n);
            while (most > 0 && vocab->size > most)
                vocab_forget(vocab, ++times + 1);
        }
        end_line(corpus);
    }
    if (!any)
        die("%s: has no words, only white space", corpus->name);
    return times * (times + 1) / 2;
}

void corpus_count(Corpus *corpus, Vocab *vocab)
{
    count_words(corpus, vocab, 0);
}

/* Only the words of VOCAB, from the first line on. */
static void count_again(Corpus *corpus, Vocab *vocab)
{
    char token[TOKEN_MAX];
    memset(vocab->count, 0, (size_t)vocab->size * sizeof *vocab->count);
    vocab->total = 0;
    corpus_rewind(corpus);
    while (begin_line(corpus)) {
        for (size_t n; (n = next_token(corpus, token)) > 0;) {
            int id = vocab_find_bytes(vocab, token, n);
            if (id != VOCAB_NONE) {
                vocab->count[id]++;
                vocab->total++;
            }
        }
        end_line(corpus);
    }
}

uint64_t corpus_count_frequent(Corpus *corpus, Vocab *vocab, int most)
{
    if (most < 1 || vocab->size > 0)
        die_misuse(HERE, "corpus_count_frequent: into a new vocabulary of at least 1 word");
    corpus_rewind(corpus);
    uint64_t missing = count_words(corpus, vocab, most);
    if (missing > 0)
        count_again(corpus, vocab);
    return missing;
}

int corpus_sentence(Corpus *corpus, const Vocab *vocab, int unknown, int *ids, int most)
{
    char token[TOKEN_MAX];
    int count = 0;
    if (most < 1)
        die_misuse(HERE, "corpus_sentence: room for %d words; at least 1 is needed", most);
    if (!begin_line(corpus))
        return -1;
    while (count < most) {
        size_t n = next_token(corpus, token);
        if (n == 0) {
            end_line(corpus);
            break;
        }
        int id = vocab_find_bytes(vocab, token, n);
        if (id == VOCAB_NONE)
            id = unknown;
        if (id >= 0)
            ids[count++] = id;
    }
    return count;
}
