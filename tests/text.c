/* Tests of common/text: UTF-8 decoding, widths, tokens. */
#include "text.h"

#include "test.h"

/* ---- UTF-8 ---- */

/* RFC 3629's grammar, written down a second time, by ranges. */
static int length_by_grammar(const unsigned char *b)
{
#define TAIL(i) (b[i] >= 0x80 && b[i] <= 0xBF)
#define IN_RANGE(i, low, high) (b[i] >= (low) && b[i] <= (high))
    if (b[0] <= 0x7F)
        return 1;
    if (IN_RANGE(0, 0xC2, 0xDF) && TAIL(1))
        return 2;
    if ((b[0] == 0xE0 && IN_RANGE(1, 0xA0, 0xBF) && TAIL(2)) || (IN_RANGE(0, 0xE1, 0xEC) && TAIL(1) && TAIL(2)) ||
        (b[0] == 0xED && IN_RANGE(1, 0x80, 0x9F) && TAIL(2)) || (IN_RANGE(0, 0xEE, 0xEF) && TAIL(1) && TAIL(2)))
        return 3;
    if ((b[0] == 0xF0 && IN_RANGE(1, 0x90, 0xBF) && TAIL(2) && TAIL(3)) ||
        (IN_RANGE(0, 0xF1, 0xF3) && TAIL(1) && TAIL(2) && TAIL(3)) ||
        (b[0] == 0xF4 && IN_RANGE(1, 0x80, 0x8F) && TAIL(2) && TAIL(3)))
        return 4;
    return 0;
}

START_TEST(decode_accepts_exactly_the_grammar)
{
    static const unsigned char tails[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF};
    enum { N = sizeof tails };
    for (int a = 0; a < 256; a++)
        for (int b = 0; b < 256; b++)
            for (int c = 0; c < N; c++)
                for (int d = 0; d < N; d++) {
                    unsigned char bytes[4] = {(unsigned char)a, (unsigned char)b, tails[c], tails[d]};
                    uint32_t code_point;
                    int size = utf8_decode((char *)bytes, 4, &code_point);
                    if (size != length_by_grammar(bytes))
                        ck_abort_msg("%02x %02x %02x %02x: %d", a, b, tails[c], tails[d], size);
                }
}
END_TEST

START_TEST(every_code_point_comes_back)
{
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        char bytes[4];
        uint32_t back = 0;
        int size = utf8_encode(c, bytes);
        if (utf8_decode(bytes, (size_t)size, &back) != size || back != c)
            ck_abort_msg("U+%X", (unsigned)c);
        for (int cut = 1; cut < size; cut++)
            if (utf8_decode(bytes, (size_t)cut, &back) != 0)
                ck_abort_msg("U+%X cut after %d bytes is taken", (unsigned)c, cut);
    }
}
END_TEST

START_TEST(encode_refuses_a_surrogate)
{
    char bytes[4];
    utf8_encode(0xD800, bytes);
}
END_TEST

START_TEST(encode_refuses_what_is_beyond)
{
    char bytes[4];
    utf8_encode(0x110000, bytes);
}
END_TEST

START_TEST(first_invalid_is_found_at_any_place)
{
    char text[64];
    for (size_t length = 0; length < sizeof text; length++)
        for (size_t bad = 0; bad <= length; bad++) {
            memset(text, 'a', sizeof text);
            text[bad] = (char)0xFF;
            ck_assert_uint_eq(utf8_first_invalid(text, length), bad);
        }
    ck_assert_uint_eq(utf8_first_invalid("은행\xed\xa0\x80", 9), 6);
    ck_assert_uint_eq(utf8_first_invalid("은\xed\x96", 5), 3); /* cut short */
}
END_TEST

/* ---- widths ---- */

START_TEST(widths)
{
    ck_assert_int_eq(text_width(""), 0);
    ck_assert_int_eq(text_width("bank"), 4);
    ck_assert_int_eq(text_width("은행"), 4);
    ck_assert_int_eq(text_width("é"), 1);
    ck_assert_int_eq(text_width("e\xcc\x81"), 1);                            /* e and a combining acute */
    ck_assert_int_eq(text_width("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab"), 2); /* 한 in three letters */
    ck_assert_int_eq(text_width("日本、"), 6);
    ck_assert_int_eq(text_width("😀"), 2);
    ck_assert_int_eq(text_width("ﾊ"), 1);
    ck_assert_int_eq(text_width("→"), 1);
    ck_assert_int_eq(text_width("a\tb\n"), 2);
    ck_assert_int_eq(text_width("\xff\xfe"), 2);
    ck_assert_int_eq(utf8_length("은행 bank"), 7);
}
END_TEST

/* ---- tokens ---- */

static void join(void *context, const char *bytes, size_t length)
{
    strncat(context, bytes, length);
    strcat(context, "|");
}

static void check_tokens(const char *text, const char *expected)
{
    char *joined = calloc(1, 4 * strlen(text) + 1);
    text_tokens(text, strlen(text), join, joined);
    ck_assert_str_eq(joined, expected);
    free(joined);
}

START_TEST(tokens_of_english)
{
    check_tokens("The quick, brown fox.", "the|quick|,|brown|fox|.|");
    check_tokens("", "");
    check_tokens(" \t\r\n ", "");
    check_tokens("don't well-known -- 'tis dogs' rock'n'roll-", "don't|well-known|-|-|'|tis|dogs|'|rock'n'roll|-|");
    check_tokens("don’t ‘tis’", "don't|‘|tis|’|");
    check_tokens("É ÇA×Ö ß", "é|ça|×|ö|ß|");
    check_tokens("x_1 3.14 $5 A1b2", "x|_|1|3|.|14|$|5|a1b2|");
    check_tokens("a\x01"
                 "b\x7f"
                 "c",
                 "a|b|c|");
}
END_TEST

START_TEST(tokens_of_korean)
{
    check_tokens("나는 은행에서 돈을 찾았다.", "나는|은행에서|돈을|찾았다|.|");
    check_tokens("‘삼성’　노트북·배터리…", "‘|삼성|’|노트북|·|배터리|…|");
    check_tokens("㈜한국「책」", "㈜|한국|「|책|」|");
    check_tokens("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab|");
}
END_TEST

START_TEST(tokens_of_symbols_keep_their_marks)
{
    check_tokens("❤\xef\xb8\x8f!😀👍", "❤\xef\xb8\x8f|!|😀|👍|");
    check_tokens("#\xef\xb8\x8f\xe2\x83\xa3", "#\xef\xb8\x8f\xe2\x83\xa3|");
    check_tokens("e\xcc\x81t\xc3\xa9", "e\xcc\x81t\xc3\xa9|");
}
END_TEST

START_TEST(tokens_of_broken_text_do_not_hang)
{
    check_tokens("a\xff\xc3", "a|\xff|\xc3|");
}
END_TEST

static void check_length(void *context, const char *bytes, size_t length)
{
    size_t *total = context;
    ck_assert_uint_ge(length, 1);
    ck_assert_uint_le(length, TOKEN_MAX);
    ck_assert_uint_eq(utf8_first_invalid(bytes, length), length);
    *total += length;
}

START_TEST(long_tokens_are_cut_on_an_edge)
{
    static const char *const letters[] = {"a", "é", "한", "😀", "𝒜", "❤\xef\xb8\x8f", "\xcc\x81"};
    for (size_t k = 0; k < sizeof letters / sizeof *letters; k++) {
        size_t size = strlen(letters[k]), n = 1000;
        char *text = calloc(1, n * size + 2);
        for (int shift = 0; shift < 2; shift++) {
            for (size_t i = 0; i < n; i++)
                memcpy(text + (size_t)shift + i * size, letters[k], size);
            if (shift)
                text[0] = 'b';
            size_t total = 0;
            text_tokens(text, n * size + (size_t)shift, check_length, &total);
            ck_assert_uint_eq(total, n * size + (size_t)shift);
        }
        free(text);
    }
}
END_TEST

/* Whatever is cut off at the end, with MORE to come, a token returned is one of the whole text's. */
START_TEST(next_token_waits_for_more)
{
    static const char text[] = "don't  well- known 은행’에 #\xef\xb8\x8f, \xf0\x9f\x98\x80.";
    size_t length = sizeof text - 1;
    for (size_t here = 0; here <= length; here++) {
        if (utf8_first_invalid(text, here) < here)
            continue; /* the caller hands over whole characters */
        size_t at = 0, whole = 0, n, m;
        char token[TOKEN_MAX], truth[TOKEN_MAX];
        for (;;) {
            at += text_next_token(text + at, here - at, true, token, &n);
            if (n == 0)
                break;
            whole += text_next_token(text + whole, length - whole, false, truth, &m);
            ck_assert_uint_eq(n, m);
            ck_assert_int_eq(memcmp(token, truth, n), 0);
            ck_assert_uint_eq(at, whole);
        }
        ck_assert_uint_le(at, here);
    }
}
END_TEST

START_TEST(next_token_needs_no_more_than_enough)
{
    char text[TEXT_ENOUGH], token[TOKEN_MAX];
    size_t n;
    memset(text, 'a', sizeof text);
    ck_assert_uint_gt(text_next_token(text, sizeof text, true, token, &n), 0);
    ck_assert_uint_eq(n, TOKEN_MAX);
    memcpy(text + TOKEN_MAX - 1, "\xe2\x80\x99\xf0\x9d\x92\x9c", 7); /* joiner and a letter of four bytes */
    ck_assert_uint_gt(text_next_token(text, sizeof text, true, token, &n), 0);
    ck_assert_uint_gt(n, 0);
}
END_TEST

START_TEST(split_a_sentence)
{
    int n;
    char **words = text_split("나는 I don't know!", "--sentence", &n);
    ck_assert_int_eq(n, 5);
    ck_assert_str_eq(words[0], "나는");
    ck_assert_str_eq(words[1], "i");
    ck_assert_str_eq(words[2], "don't");
    ck_assert_str_eq(words[4], "!");
    free(words);
    words = text_split("", "--sentence", &n);
    ck_assert_int_eq(n, 0);
    free(words);
}
END_TEST

START_TEST(split_refuses_bad_bytes)
{
    int n;
    text_split("ab\xff", "--sentence", &n);
}
END_TEST

/* 85 syllables of three bytes are just TOKEN_MAX. */
START_TEST(a_token_of_the_most_bytes)
{
    char text[3 * 86 + 1] = "", token[TOKEN_MAX];
    size_t length;
    for (int i = 0; i < 86; i++)
        memcpy(text + 3 * i, "은", 3);
    ck_assert_uint_eq(text_next_token(text, sizeof text - 1, false, token, &length), TOKEN_MAX);
    ck_assert_uint_eq(length, TOKEN_MAX);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    test_add(suite, "decode_accepts_exactly_the_grammar", decode_accepts_exactly_the_grammar);
    test_add(suite, "every_code_point_comes_back", every_code_point_comes_back);
    test_add_exit(suite, "encode_refuses_a_surrogate", encode_refuses_a_surrogate, 1);
    test_add_exit(suite, "encode_refuses_what_is_beyond", encode_refuses_what_is_beyond, 1);
    test_add(suite, "first_invalid_is_found_at_any_place", first_invalid_is_found_at_any_place);
    test_add(suite, "widths", widths);
    test_add(suite, "tokens_of_english", tokens_of_english);
    test_add(suite, "tokens_of_korean", tokens_of_korean);
    test_add(suite, "tokens_of_symbols_keep_their_marks", tokens_of_symbols_keep_their_marks);
    test_add(suite, "tokens_of_broken_text_do_not_hang", tokens_of_broken_text_do_not_hang);
    test_add(suite, "long_tokens_are_cut_on_an_edge", long_tokens_are_cut_on_an_edge);
    test_add(suite, "next_token_waits_for_more", next_token_waits_for_more);
    test_add(suite, "next_token_needs_no_more_than_enough", next_token_needs_no_more_than_enough);
    test_add(suite, "split_a_sentence", split_a_sentence);
    test_add_exit(suite, "split_refuses_bad_bytes", split_refuses_bad_bytes, 2);
    test_add(suite, "a_token_of_the_most_bytes", a_token_of_the_most_bytes);
    return test_run(suite);
}
