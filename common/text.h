/* text.h: from bytes to words: strict UTF-8 (RFC 3629) and tokens for English and Korean.
 *
 * A token is a run of letters, digits and the marks that belong to them (Hangul
 * syllables are letters, an apostrophe or hyphen inside a word stays: "don't",
 * "well-known"), or one punctuation mark by itself.  White space separates.
 * Letters A-Z (and their accented relatives in Latin-1) are made small. */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes one code point at BYTES (LENGTH bytes are readable, at least 1).
 * Returns how many bytes it took, or 0 if they are not valid UTF-8: overlong
 * forms, surrogates, beyond U+10FFFF, a sequence cut short. */
int utf8_decode(const char *bytes, size_t length, uint32_t *code_point);

/* Encodes; returns the number of bytes (1-4) put at BYTES. */
int utf8_encode(uint32_t code_point, char bytes[4]);

/* The offset of the first byte that is not valid UTF-8, or LENGTH. */
size_t utf8_first_invalid(const char *bytes, size_t length);

/* The number of code points in valid UTF-8. */
int utf8_length(const char *text);

/* The columns TEXT takes on a terminal: Hangul and other wide letters take two,
 * combining marks none. */
int text_width(const char *text);

/* Calls TOKEN(context, bytes, length) for each token of valid UTF-8; BYTES are
 * lower-cased already.  Tokens longer than TOKEN_MAX bytes are cut there, on a
 * code point's edge. */
enum { TOKEN_MAX = 255 };
typedef void TokenFunction(void *context, const char *bytes, size_t length);
void text_tokens(const char *text, size_t length, TokenFunction *token, void *context);

/* The tokens of one sentence, e.g. from a command line; dies with the offset of
 * the first bad byte, naming ORIGIN ("--sentence").  N texts in one block:
 * release with free(). */
char **text_split(const char *text, const char *origin, int *n);

#endif
