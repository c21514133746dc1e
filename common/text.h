/* text.h: from bytes to words: strict UTF-8 (RFC 3629) and tokens for English and Korean.
 *
 * A token is a run of letters, digits and the marks that belong to them (Hangul
 * syllables are letters; an apostrophe or hyphen inside a word stays: "don't",
 * "well-known"), or one punctuation mark or symbol by itself.  White space and
 * control characters separate.  Letters A-Z (and their accented relatives in
 * Latin-1) are made small; a curly apostrophe inside a word becomes a straight
 * one, so that "don’t" and "don't" are one word. */
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
 * combining marks none.  (A byte that is not valid UTF-8 takes one.) */
int text_width(const char *text);

/* Calls TOKEN(context, bytes, length) for each token of valid UTF-8; BYTES are
 * lower-cased already and not ended by '\0'.  Tokens longer than TOKEN_MAX
 * bytes are cut into pieces there, on a code point's edge. */
enum { TOKEN_MAX = 255 };
typedef void TokenFunction(void *context, const char *bytes, size_t length);
void text_tokens(const char *text, size_t length, TokenFunction *token, void *context);

/* The first token of TEXT is put at TOKEN, its length at *TOKEN_LENGTH (0 if
 * there is none).  Returns how many bytes of TEXT were used, white space before
 * the token included.  With MORE, text follows that is not here yet: a token
 * that could go on there is left alone (nothing but the space before it is
 * used); TEXT_ENOUGH bytes after a token's start are enough to end any. */
enum { TEXT_ENOUGH = TOKEN_MAX + 8 };
size_t text_next_token(const char *text, size_t length, bool more, char token[TOKEN_MAX], size_t *token_length);

/* The tokens of one sentence, e.g. from a command line; dies with the offset of
 * the first bad byte, naming ORIGIN ("--sentence").  N texts in one block:
 * release with free(). */
char **text_split(const char *text, const char *origin, int *n);

#endif
