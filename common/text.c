/* text.c: UTF-8, the kinds of characters that the tokeniser tells apart, and the tokeniser. */
#include "text.h"

#include <string.h>

#include "die.h"
#include "memory.h"

/* ---- UTF-8 ------------------------------------------------------------ */

static bool is_tail(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* RFC 3629, section 4: the second byte's range is what excludes overlong forms
 * (E0, F0), surrogates (ED) and code points beyond U+10FFFF (F4). */
int utf8_decode(const char *bytes, size_t length, uint32_t *code_point)
{
    const unsigned char *b = (const unsigned char *)bytes;
    unsigned char lead = b[0];
    if (lead < 0x80) {
        *code_point = lead;
        return 1;
    }
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    if (lead < 0xE0) {
        if (length < 2 || !is_tail(b[1]))
            return 0;
        *code_point = (uint32_t)(lead & 0x1F) << 6 | (b[1] & 0x3F);
        return 2;
    }
    unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (length < 3 || b[1] < low || b[1] > high || !is_tail(b[2]))
        return 0;
    if (lead < 0xF0) {
        *code_point = (uint32_t)(lead & 0x0F) << 12 | (uint32_t)(b[1] & 0x3F) << 6 | (b[2] & 0x3F);
        return 3;
    }
    if (length < 4 || !is_tail(b[3]))
        return 0;
    *code_point =
        (uint32_t)(lead & 0x07) << 18 | (uint32_t)(b[1] & 0x3F) << 12 | (uint32_t)(b[2] & 0x3F) << 6 | (b[3] & 0x3F);
    return 4;
}

int utf8_encode(uint32_t c, char bytes[4])
{
    if (c < 0x80) {
        bytes[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        bytes[0] = (char)(0xC0 | c >> 6);
        bytes[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        if (c >= 0xD800 && c <= 0xDFFF)
            die_misuse(HERE, "utf8_encode: U+%04X is a surrogate, not a character", (unsigned)c);
        bytes[0] = (char)(0xE0 | c >> 12);
        bytes[1] = (char)(0x80 | (c >> 6 & 0x3F));
        bytes[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    if (c > 0x10FFFF)
        die_misuse(HERE, "utf8_encode: U+%X is beyond the last code point, U+10FFFF", (unsigned)c);
    bytes[0] = (char)(0xF0 | c >> 18);
    bytes[1] = (char)(0x80 | (c >> 12 & 0x3F));
    bytes[2] = (char)(0x80 | (c >> 6 & 0x3F));
    bytes[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

size_t utf8_first_invalid(const char *bytes, size_t length)
{
    size_t at = 0;
    while (at < length) {
        uint64_t eight;
        if (length - at >= sizeof eight) {
            memcpy(&eight, bytes + at, sizeof eight);
            if (!(eight & UINT64_C(0x8080808080808080))) { /* eight ASCII bytes at once */
                at += sizeof eight;
                continue;
            }
        }
        uint32_t c;
        int size = utf8_decode(bytes + at, length - at, &c);
        if (size == 0)
            return at;
        at += (size_t)size;
    }
    return length;
}

int utf8_length(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += !is_tail((unsigned char)*text);
    return n;
}

/* ---- kinds of characters ------------------------------------------------
 * Condensed from Unicode's UnicodeData.txt and EastAsianWidth.txt; code points
 * that no one has assigned are put wherever that makes a range longer. */

typedef struct {
    uint32_t first, last;
} Range;

static bool in_ranges(uint32_t c, const Range *range, size_t n)
{
    size_t low = 0, high = n; /* the first range whose end is not before c */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (range[middle].last < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && c >= range[low].first;
}

#define IN(c, table) in_ranges(c, table, sizeof table / sizeof *table)

// clang-format off
static const Range SPACES[] = {
    {0x0080, 0x00A0}, {0x1680, 0x1680}, {0x180E, 0x180E}, {0x2000, 0x200B}, {0x2028, 0x2029},
    {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF},
};

/* Belong to the letter or symbol before them and take no column of their own:
 * accents, vowel signs, the vowels and finals of decomposed Hangul (1160, D7B0),
 * joiners, variation selectors. */
static const Range MARKS[] = {
    {0x00AD, 0x00AD}, {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x05BF, 0x05BF}, {0x05C1, 0x05C2},
    {0x05C4, 0x05C5}, {0x05C7, 0x05C7}, {0x0610, 0x061A}, {0x064B, 0x065F}, {0x0670, 0x0670}, {0x06D6, 0x06DC},
    {0x06DF, 0x06E4}, {0x06E7, 0x06E8}, {0x06EA, 0x06ED}, {0x0900, 0x0902}, {0x093C, 0x093C}, {0x0941, 0x0948},
    {0x094D, 0x094D}, {0x0951, 0x0957}, {0x0E31, 0x0E31}, {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E}, {0x1160, 0x11FF},
    {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200C, 0x200F}, {0x202A, 0x202E}, {0x2060, 0x206F}, {0x20D0, 0x20FF},
    {0x302A, 0x302F}, {0x3099, 0x309A}, {0xD7B0, 0xD7FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xE0000, 0xE01EF},
};

/* Punctuation and symbols: tokens by themselves.  What is in no table is a letter. */
static const Range SYMBOLS[] = {
    {0x00A1, 0x00A9}, {0x00AB, 0x00B1}, {0x00B4, 0x00B4}, {0x00B6, 0x00B8}, {0x00BB, 0x00BB}, {0x00BF, 0x00BF},
    {0x00D7, 0x00D7}, {0x00F7, 0x00F7}, {0x02C2, 0x02C5}, {0x02D2, 0x02DF}, {0x037E, 0x037E}, {0x0387, 0x0387},
    {0x055A, 0x055F}, {0x0589, 0x058F}, {0x05BE, 0x05BE}, {0x05C0, 0x05C0}, {0x05C3, 0x05C3}, {0x05C6, 0x05C6},
    {0x05F3, 0x05F4}, {0x0600, 0x060F}, {0x061B, 0x061F}, {0x066A, 0x066D}, {0x06D4, 0x06D4}, {0x0964, 0x0965},
    {0x0E3F, 0x0E3F}, {0x0E4F, 0x0E4F}, {0x0E5A, 0x0E5B}, {0x2010, 0x2027}, {0x2030, 0x205E}, {0x207A, 0x207E},
    {0x208A, 0x208F}, {0x20A0, 0x20CF}, {0x2190, 0x245F}, {0x2500, 0x2BFF}, {0x2E00, 0x2E7F}, {0x2FF0, 0x2FFF},
    {0x3001, 0x3004}, {0x3008, 0x3020}, {0x3030, 0x3030}, {0x3036, 0x3037}, {0x303D, 0x303F}, {0x309B, 0x309C},
    {0x30A0, 0x30A0}, {0x30FB, 0x30FB}, {0x3200, 0x33FF}, {0x4DC0, 0x4DFF}, {0xFD3E, 0xFD3F}, {0xFE10, 0xFE1F},
    {0xFE30, 0xFE6F}, {0xFF00, 0xFF0F}, {0xFF1A, 0xFF20}, {0xFF3B, 0xFF40}, {0xFF5B, 0xFF65}, {0xFFE0, 0xFFFF},
    {0x1F000, 0x1FAFF},
};

/* Two columns on a terminal. */
static const Range WIDE[] = {
    {0x1100, 0x115F}, {0x231A, 0x231B}, {0x2329, 0x232A}, {0x23E9, 0x23EC}, {0x23F0, 0x23F0}, {0x23F3, 0x23F3},
    {0x25FD, 0x25FE}, {0x2614, 0x2615}, {0x2648, 0x2653}, {0x267F, 0x267F}, {0x2693, 0x2693}, {0x26A1, 0x26A1},
    {0x26AA, 0x26AB}, {0x26BD, 0x26BE}, {0x26C4, 0x26C5}, {0x26CE, 0x26CE}, {0x26D4, 0x26D4}, {0x26EA, 0x26EA},
    {0x26F2, 0x26F3}, {0x26F5, 0x26F5}, {0x26FA, 0x26FA}, {0x26FD, 0x26FD}, {0x2705, 0x2705}, {0x270A, 0x270B},
    {0x2728, 0x2728}, {0x274C, 0x274C}, {0x274E, 0x274E}, {0x2753, 0x2755}, {0x2757, 0x2757}, {0x2795, 0x2797},
    {0x27B0, 0x27B0}, {0x27BF, 0x27BF}, {0x2B1B, 0x2B1C}, {0x2B50, 0x2B50}, {0x2B55, 0x2B55}, {0x2E80, 0x303E},
    {0x3041, 0x33FF}, {0x3400, 0x4DBF}, {0x4E00, 0xA4CF}, {0xA960, 0xA97F}, {0xAC00, 0xD7A3}, {0xF900, 0xFAFF},
    {0xFE10, 0xFE1F}, {0xFE30, 0xFE6F}, {0xFF01, 0xFF60}, {0xFFE0, 0xFFE6}, {0x16FE0, 0x1B2FF}, {0x1F004, 0x1F004},
    {0x1F0CF, 0x1F0CF}, {0x1F18E, 0x1F18E}, {0x1F191, 0x1F19A}, {0x1F200, 0x1F320}, {0x1F32D, 0x1F335},
    {0x1F337, 0x1F37C}, {0x1F37E, 0x1F393}, {0x1F3A0, 0x1F3CA}, {0x1F3CF, 0x1F3D3}, {0x1F3E0, 0x1F3F0},
    {0x1F3F4, 0x1F3F4}, {0x1F3F8, 0x1F43E}, {0x1F440, 0x1F440}, {0x1F442, 0x1F4FC}, {0x1F4FF, 0x1F53D},
    {0x1F54B, 0x1F567}, {0x1F57A, 0x1F57A}, {0x1F595, 0x1F596}, {0x1F5A4, 0x1F5A4}, {0x1F5FB, 0x1F64F},
    {0x1F680, 0x1F6C5}, {0x1F6CC, 0x1F6CC}, {0x1F6D0, 0x1F6DF}, {0x1F6EB, 0x1F6EF}, {0x1F6F4, 0x1F6FF},
    {0x1F7E0, 0x1F7FF}, {0x1F90C, 0x1F9FF}, {0x1FA70, 0x1FAFF}, {0x20000, 0x3FFFF},
};
// clang-format on

typedef enum { LETTER, MARK, SYMBOL, SPACE, JOINER } Kind;

static bool ascii_is_word(unsigned char c)
{
    return (unsigned)((c | 0x20) - 'a') < 26 || (unsigned)(c - '0') < 10;
}

static Kind kind_of(uint32_t c)
{
    if (c < 0x80) {
        if (ascii_is_word((unsigned char)c))
            return LETTER;
        if (c == '\'' || c == '-')
            return JOINER;
        return c > ' ' && c < 0x7F ? SYMBOL : SPACE;
    }
    if (c >= 0xAC00 && c <= 0xD7A3) /* Hangul syllables, first because most frequent */
        return LETTER;
    if (c == 0x2019 || c == 0x2010) /* curly apostrophe, typographic hyphen */
        return JOINER;
    return IN(c, SPACES) ? SPACE : IN(c, MARKS) ? MARK : IN(c, SYMBOLS) ? SYMBOL : LETTER;
}

int text_width(const char *text)
{
    int width = 0;
    for (size_t left = strlen(text); left > 0;) {
        uint32_t c = 0;
        int size = utf8_decode(text, left, &c);
        if (size == 0)
            width += 1, size = 1;
        else if (c < 0x80)
            width += c >= ' ' && c != 0x7F;
        else if (c == 0x3000 || IN(c, WIDE))
            width += 2;
        else
            width += !(c <= 0x9F || c == 0x200B || c == 0xFEFF || IN(c, MARKS));
        text += size;
        left -= (size_t)size;
    }
    return width;
}

/* ---- tokens -------------------------------------------------------------- */

/* Decodes at TEXT; a byte that is not UTF-8 (the caller broke the contract) is a character of its own. */
static int decode(const char *text, size_t length, uint32_t *c)
{
    int size = utf8_decode(text, length, c);
    if (size)
        return size;
    *c = 0xFFFD;
    return 1;
}

static bool starts_with_letter(const char *text, size_t length)
{
    uint32_t c;
    decode(text, length, &c);
    return kind_of(c) == LETTER;
}

static size_t skip_spaces(const char *text, size_t length)
{
    size_t at = 0;
    while (at < length) {
        if ((unsigned char)text[at] <= ' ') { /* nearly always */
            at++;
            continue;
        }
        if ((unsigned char)text[at] < 0x7F)
            break;
        uint32_t c;
        int size = decode(text + at, length - at, &c);
        if (kind_of(c) != SPACE)
            break;
        at += (size_t)size;
    }
    return at;
}

/* A word, as far as it goes.  Returns the bytes used; *CUT says that TEXT's end was in the way. */
static size_t take_word(const char *text, size_t length, char *token, size_t *n, bool *cut)
{
    size_t at = 0;
    *n = 0;
    *cut = false;
    for (;;) {
        while (at < length && *n < TOKEN_MAX && ascii_is_word((unsigned char)text[at])) {
            char c = text[at++];
            token[(*n)++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        }
        if (*n == TOKEN_MAX)
            return at;
        if (at == length) {
            *cut = true;
            return at;
        }
        uint32_t c;
        size_t size = (size_t)decode(text + at, length - at, &c);
        Kind kind = kind_of(c);
        if (*n + size > TOKEN_MAX)
            return at;
        if (kind == JOINER && *n > 0) { /* inside a word only if a letter follows */
            if (at + size == length)
                *cut = true;
            else if (starts_with_letter(text + at + size, length - at - size)) {
                token[(*n)++] = c == '\'' || c == 0x2019 ? '\'' : '-';
                at += size;
                continue;
            }
            return at;
        }
        if (kind != LETTER && kind != MARK)
            return at;
        for (size_t i = 0; i < size; i++)
            token[*n + i] = text[at + i];
        if (c >= 0xC0 && c <= 0xDE) /* the capitals of Latin-1 (its multiplication sign is a symbol) */
            utf8_encode(c + 32, token + *n);
        *n += size;
        at += size;
    }
}

/* One symbol and the marks that belong to it (an emoji and its variation selector). */
static size_t take_symbol(const char *text, size_t length, char *token, size_t *n, bool *cut)
{
    uint32_t c;
    size_t at = (size_t)decode(text, length, &c);
    while (at < length) {
        size_t size = (size_t)decode(text + at, length - at, &c);
        if (at + size > TOKEN_MAX || kind_of(c) != MARK)
            break;
        at += size;
    }
    *cut = at == length;
    memcpy(token, text, *n = at);
    return at;
}

size_t text_next_token(const char *text, size_t length, bool more, char token[TOKEN_MAX], size_t *token_length)
{
    size_t start = skip_spaces(text, length), used;
    bool cut;
    *token_length = 0;
    if (start == length)
        return start;
    used = take_word(text + start, length - start, token, token_length, &cut);
    if (*token_length == 0)
        used = take_symbol(text + start, length - start, token, token_length, &cut);
    if (cut && more) {
        *token_length = 0;
        return start;
    }
    return start + used;
}

void text_tokens(const char *text, size_t length, TokenFunction *token, void *context)
{
    char bytes[TOKEN_MAX];
    for (;;) {
        size_t n, used = text_next_token(text, length, false, bytes, &n);
        if (n == 0)
            return;
        token(context, bytes, n);
        text += used;
        length -= used;
    }
}

char **text_split(const char *text, const char *origin, int *n)
{
    size_t length = strlen(text), bad = utf8_first_invalid(text, length);
    if (bad < length)
        die_usage("%s: byte %zu is not valid UTF-8", origin, bad);

    /* A token is no longer than the text it came from: count, then fill. */
    char token[TOKEN_MAX];
    size_t count = 0, size, at = 0;
    while (at += text_next_token(text + at, length - at, false, token, &size), size > 0)
        count++;
    char **words = memory_new(1, (count + 1) * sizeof *words + length + count + 1, "the words of a sentence");
    char *bytes = (char *)(words + count + 1);
    at = 0;
    for (size_t i = 0; i < count; i++) {
        at += text_next_token(text + at, length - at, false, token, &size);
        words[i] = memcpy(bytes, token, size);
        bytes += size + 1; /* the block is zeroed: '\0' follows */
    }
    *n = (int)count;
    return words;
}
