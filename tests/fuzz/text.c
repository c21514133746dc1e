/* text.c: a fuzzer for UTF-8 and tokens: whatever the bytes are, what is taken
 * for valid is encoded back to the same bytes; tokens are valid UTF-8 of at most
 * TOKEN_MAX bytes, the same whether the text comes whole or in pieces, and
 * tokens of tokens are themselves (but for words so long that they were cut).
 *
 *     make fuzz-text FUZZ_SECONDS=300
 *
 * tests/fuzzed.c runs this over the files of tests/fuzz/text/. */
#include "text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* Decodes all; every code point goes back to the bytes it came from. */
static size_t valid_length(const char *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        uint32_t code_point;
        char bytes[4];
        int taken = utf8_decode(text + at, size - at, &code_point);
        if (taken == 0)
            break;
        require(taken >= 1 && taken <= 4 && (size_t)taken <= size - at);
        require(code_point <= 0x10ffff && !(code_point >= 0xd800 && code_point <= 0xdfff));
        require(utf8_encode(code_point, bytes) == taken && memcmp(bytes, text + at, (size_t)taken) == 0);
        at += (size_t)taken;
    }
    require(utf8_first_invalid(text, size) == at);
    return at;
}

/* All tokens in one string, each followed by a byte that no token has. */
typedef struct {
    char *bytes;
    size_t length, capacity;
    bool cut; /* one may be a piece of a longer word */
} Tokens;

static void add_token(void *context, const char *bytes, size_t length)
{
    Tokens *tokens = context;
    require(length >= 1 && length <= TOKEN_MAX && utf8_first_invalid(bytes, length) == length);
    if (tokens->length + length + 1 > tokens->capacity) {
        tokens->capacity = 2 * (tokens->length + length + 1);
        tokens->bytes = realloc(tokens->bytes, tokens->capacity);
        require(tokens->bytes != NULL);
    }
    memcpy(tokens->bytes + tokens->length, bytes, length);
    tokens->length += length;
    tokens->bytes[tokens->length++] = '\n';
    tokens->cut |= length > TOKEN_MAX - 4;
}

/* The same tokens by text_next_token over a window that moves on. */
static void in_pieces(const char *text, size_t size, size_t window, Tokens *tokens)
{
    size_t at = 0;
    while (at < size) {
        char token[TOKEN_MAX];
        size_t length = 0, visible = size - at < window ? size - at : window;
        bool more = visible < size - at;
        while (more && visible > 0 && (text[at + visible] & 0xc0) == 0x80)
            visible--; /* windows end on the edge of a code point */
        size_t used = text_next_token(text + at, visible, more, token, &length);
        require(used <= visible && length <= TOKEN_MAX);
        if (length)
            add_token(tokens, token, length);
        require(used > 0 || !more);
        if (used == 0)
            break;
        at += used;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of just this size, so that a read beyond it is seen. */
    char *text = malloc(size + 1);
    require(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    size_t valid = valid_length(text, size);
    char *exact = malloc(valid ? valid : 1);
    require(exact != NULL);
    memcpy(exact, text, valid);
    text_width(text);

    Tokens whole = {0}, pieces = {0}, again = {0};
    text_tokens(exact, valid, add_token, &whole);
    in_pieces(exact, valid, 2 * TEXT_ENOUGH, &pieces);
    require(whole.length == pieces.length && (!whole.length || memcmp(whole.bytes, pieces.bytes, whole.length) == 0));
    text_tokens(whole.bytes ? whole.bytes : "", whole.length, add_token, &again);
    if (!whole.cut)
        require(whole.length == again.length && (!whole.length || memcmp(whole.bytes, again.bytes, whole.length) == 0));
    free(whole.bytes);
    free(pieces.bytes);
    free(again.bytes);
    free(exact);
    free(text);
    return 0;
}
