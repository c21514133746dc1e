/* Tests of common/corpus: every way in which a text can lie across the edges of
 * blocks, and every way in which a file is not a text. */
#define _GNU_SOURCE
#include "corpus.h"
#include "rng.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"
#include "test.h"
#include "text.h"

#define LLVMFuzzerTestOneInput fuzz_corpus
#include "fuzz/corpus.c"
#include "fuzz/replay.h"

/* ---- helpers ---- */

static char *folder;

static void make_folder(void)
{
    folder = scratch_folder();
}

static void remove_folder(void)
{
    scratch_remove(folder);
}

static const char *file_with(const char *bytes, size_t length)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/text.txt", folder);
    FILE *file = fopen(path, "wb");
    ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
    ck_assert_int_eq(fclose(file), 0);
    return path;
}

static void put_word(void *context, const char *bytes, size_t length)
{
    fprintf(context, "%.*s ", (int)length, bytes);
}

/* What a text should come to, straight: lines by '\n', tokens by text_tokens. */
static char *expected_of(const char *text)
{
    char *sheet;
    size_t length;
    FILE *stream = open_memstream(&sheet, &length);
    if (strncmp(text, "\xEF\xBB\xBF", 3) == 0)
        text += 3;
    while (*text) {
        size_t line = strcspn(text, "\n");
        text_tokens(text, line, put_word, stream);
        fputc('\n', stream);
        text += line + (text[line] == '\n');
    }
    fclose(stream);
    return sheet;
}

static char *read_all(Corpus *corpus, const Vocab *vocab, int most)
{
    char *sheet;
    size_t length;
    FILE *stream = open_memstream(&sheet, &length);
    int *ids = calloc((size_t)most, sizeof *ids), n;
    while ((n = corpus_sentence(corpus, vocab, -1, ids, most)) >= 0) {
        for (int i = 0; i < n; i++)
            fprintf(stream, "%s ", vocab->word[ids[i]]);
        fputc('\n', stream);
    }
    ck_assert_int_eq(corpus_sentence(corpus, vocab, -1, ids, most), -1); /* and stays there */
    ck_assert_uint_eq(corpus_position(corpus), corpus_bytes(corpus));
    free(ids);
    fclose(stream);
    return sheet;
}

static void check_all_block_sizes(const char *text)
{
    char *expected = expected_of(text);
    const char *path = file_with(text, strlen(text));
    for (int from_memory = 0; from_memory < 2; from_memory++)
        for (size_t block = 1; block <= 65; block++) {
            Corpus *corpus = from_memory ? corpus_from_text("text", text, false) : corpus_open(path, false);
            if (block <= 64) /* 65: the default */
                corpus_block_size(corpus, block);
            Vocab *vocab = vocab_new();
            corpus_count(corpus, vocab);
            corpus_rewind(corpus);
            ck_assert_uint_eq(corpus_position(corpus), 0);
            char *sheet = read_all(corpus, vocab, 10000);
            ck_assert_msg(strcmp(sheet, expected) == 0, "block %zu: %s instead of %s", block, sheet, expected);
            free(sheet);
            vocab_free(vocab);
            corpus_close(corpus);
        }
    free(expected);
}

/* ---- good texts ---- */

START_TEST(lines_and_words_over_block_edges)
{
    check_all_block_sizes("The quick brown fox.\n\nDon't jump, well-known dog!\n");
    check_all_block_sizes("나는 은행에서 돈을 찾았다.\r\n핸드폰과 스마트폰\r\n\r\n끝");
    check_all_block_sizes("\xEF\xBB\xBF"
                          "first 😀❤\xef\xb8\x8f “quoted” don’t #\xef\xb8\x8f\xe2\x83\xa3\nlast line-");
    check_all_block_sizes("\n\n\nx");
    check_all_block_sizes("one");
    check_all_block_sizes("a\n \n\t\nb\n\n");
}
END_TEST

START_TEST(words_longer_than_any_block)
{
    char *text = calloc(1, 6000);
    for (int i = 0; i < 700; i++)
        strcat(text, i % 50 == 49 ? "’" : i % 2 ? "가" : "x");
    strcat(text, "\nend ");
    for (int i = 0; i < 600; i++)
        strcat(text, "\xcc\x81");
    check_all_block_sizes(text);
    free(text);
}
END_TEST

START_TEST(a_line_without_end_is_several_sentences)
{
    enum { WORDS = 20000 };
    char *text = malloc(WORDS * 8 + 1), *end = text;
    for (int i = 0; i < WORDS; i++)
        end += sprintf(end, "w%d ", i % 7);
    Corpus *corpus = corpus_from_text("text", text, false);
    corpus_block_size(corpus, 100);
    Vocab *vocab = vocab_new();
    corpus_count(corpus, vocab);
    ck_assert_int_eq(vocab->size, 7);
    ck_assert_uint_eq(vocab->total, WORDS);
    corpus_rewind(corpus);
    int ids[64], n, seen = 0;
    while ((n = corpus_sentence(corpus, vocab, -1, ids, 64)) >= 0)
        for (int i = 0; i < n; i++)
            ck_assert_int_eq(ids[i], seen++ % 7);
    ck_assert_int_eq(seen, WORDS);
    vocab_free(vocab);
    corpus_close(corpus);
    free(text);
}
END_TEST

/* A text whose words are more than are held: what was seen more often than the
 * answer says is there, and every count is exact. */
START_TEST(rare_words_are_forgotten)
{
    enum { WORDS = 20000, HELD = 2000 };
    char *text = malloc(WORDS * 8 + 1), *end = text;
    Rng rng = rng_new(1, "rare words");
    for (int i = 0; i < WORDS; i++) /* half of them from 100 words, the others from 10000 */
        end += sprintf(end, "w%d%c", (int)rng_below(&rng, i % 2 ? 100 : 10000), i % 20 ? ' ' : '\n');
    Corpus *corpus = corpus_from_text("text", text, false);
    Vocab *all = vocab_new(), *held = vocab_new(), *enough = vocab_new();
    corpus_count(corpus, all);
    uint64_t missing = corpus_count_frequent(corpus, held, HELD);
    ck_assert_uint_gt(missing, 0);
    ck_assert_int_le(held->size, HELD);
    uint64_t total = 0;
    for (int i = 0; i < all->size; i++) {
        int id = vocab_find(held, all->word[i]);
        ck_assert(id != VOCAB_NONE || all->count[i] <= missing);
        if (id != VOCAB_NONE) {
            ck_assert_uint_eq(held->count[id], all->count[i]);
            total += all->count[i];
        }
    }
    ck_assert_uint_eq(held->total, total);
    ck_assert_int_ge(held->size, 100);
    ck_assert_uint_eq(corpus_count_frequent(corpus, enough, all->size), 0); /* nothing to forget */
    ck_assert_int_eq(enough->size, all->size);
    ck_assert_uint_eq(enough->total, WORDS);
    vocab_free(all);
    vocab_free(held);
    vocab_free(enough);
    corpus_close(corpus);
    free(text);
}
END_TEST

START_TEST(unknown_words_are_left_out_or_replaced)
{
    Corpus *corpus = corpus_from_text("text", "a b c\nx y\nc c z", false);
    Vocab *vocab = vocab_new();
    vocab_add(vocab, "a", 1);
    vocab_add(vocab, "c", 1);
    int ids[8];
    ck_assert_int_eq(corpus_sentence(corpus, vocab, -1, ids, 8), 2);
    ck_assert_int_eq(ids[1], 1);
    ck_assert_int_eq(corpus_sentence(corpus, vocab, -1, ids, 8), 0);
    ck_assert_int_eq(corpus_sentence(corpus, vocab, -1, ids, 8), 2);
    ck_assert_int_eq(corpus_sentence(corpus, vocab, -1, ids, 8), -1);
    corpus_rewind(corpus);
    ck_assert_int_eq(corpus_sentence(corpus, vocab, 7, ids, 8), 3);
    ck_assert_int_eq(ids[1], 7);
    vocab_free(vocab);
    corpus_close(corpus);
}
END_TEST

START_TEST(bad_bytes_are_replaced_on_request)
{
    static const char bytes[] = "ab\xffz \xed\x96 caf\xe9\n\xc0\xaf ok \xec\x9d";
    const char *path = file_with(bytes, sizeof bytes - 1);
    for (size_t block = 1; block <= 64; block++) {
        Corpus *corpus = corpus_open(path, true);
        corpus_block_size(corpus, block);
        Vocab *vocab = vocab_new();
        corpus_count(corpus, vocab);
        corpus_rewind(corpus);
        char *sheet = read_all(corpus, vocab, 100);
        ck_assert_str_eq(sheet, "ab � z � � caf � \n� � ok � � \n");
        free(sheet);
        vocab_free(vocab);
        corpus_close(corpus);
    }
}
END_TEST

START_TEST(position_grows_to_the_end)
{
    Corpus *corpus = corpus_from_text("text", "one two\nthree\n", false);
    Vocab *vocab = vocab_new();
    int ids[4];
    ck_assert_uint_eq(corpus_bytes(corpus), 14);
    corpus_sentence(corpus, vocab, 0, ids, 4);
    ck_assert_uint_eq(corpus_position(corpus), 8);
    corpus_sentence(corpus, vocab, 0, ids, 4);
    ck_assert_uint_eq(corpus_position(corpus), 14);
    vocab_free(vocab);
    corpus_close(corpus);
    corpus_close(NULL);
}
END_TEST

/* ---- what is not a text: one line on stderr, status 1 ---- */

/* Runs the failing call in a child and returns the line it wrote. */
static const char *message_of(const char *path, bool replace, size_t block)
{
    static char message[1000];
    int ends[2], status;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        Corpus *corpus = corpus_open(path, replace);
        corpus_block_size(corpus, block);
        corpus_count(corpus, vocab_new());
        _exit(0);
    }
    close(ends[1]);
    ssize_t n = 0, got;
    while ((got = read(ends[0], message + n, sizeof message - 1 - (size_t)n)) > 0)
        n += got;
    message[n] = '\0';
    close(ends[0]);
    waitpid(child, &status, 0);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 1);
    ck_assert_ptr_eq(strchr(message, '\n'), message + n - 1); /* one line */
    return message;
}

static void check_message(const char *path, bool replace, const char *part)
{
    for (size_t block = 1; block <= 65; block++) {
        const char *message = message_of(path, replace, block == 65 ? 1 << 20 : block);
        ck_assert_msg(strstr(message, part) && strstr(message, path), "block %zu: %s", block, message);
    }
}

START_TEST(bad_bytes_are_named_by_their_offset)
{
    check_message(file_with("good 은행 \xff bad", 15), false, "byte 12 is not valid UTF-8");
    check_message(file_with("ab\xed\xa0\x80", 5), false, "byte 2 is not valid UTF-8"); /* a surrogate */
    check_message(file_with("ab\xec\x9d", 4), false, "byte 2 is not valid UTF-8");     /* cut short by the end */
    check_message(file_with("\xff\xfe"
                            "a\0b\0",
                            6),
                  false, "byte 0 is not valid UTF-8");
}
END_TEST

START_TEST(a_binary_file_is_refused)
{
    check_message(file_with("text\0more", 9), false, "byte 4 is zero");
    check_message(file_with("text\0more", 9), true, "byte 4 is zero"); /* also if bytes may be replaced */
}
END_TEST

START_TEST(a_text_without_words_is_refused)
{
    check_message(file_with(" \n\t\r\n", 5), false, "no words");
    check_message(file_with("\xEF\xBB\xBF", 3), false, "no words");
    check_message(file_with("", 0), false, "is empty");
}
END_TEST

START_TEST(what_is_not_a_plain_file_is_refused)
{
    char path[300];
    ck_assert_ptr_nonnull(strstr(message_of(folder, false, 1), "is a folder"));
    ck_assert_ptr_nonnull(strstr(message_of("/dev/null", false, 1), "not a plain file"));
    snprintf(path, sizeof path, "%s/missing.txt", folder);
    ck_assert_ptr_nonnull(strstr(message_of(path, false, 1), "No such file"));
    snprintf(path, sizeof path, "%s/pipe", folder);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_ptr_nonnull(strstr(message_of(path, false, 1), "not a plain file"));
    if (geteuid() != 0) { /* root may read anything */
        const char *secret = file_with("text", 4);
        chmod(secret, 0);
        ck_assert_ptr_nonnull(strstr(message_of(secret, false, 1), "Permission denied"));
    }
}
END_TEST

/* The fuzzer, with blocks of every size. */
static int fuzz_blocks(const uint8_t *data, size_t size)
{
    static uint8_t bytes[65536];
    memcpy(bytes, data, size);
    for (int block = 0; block < 80; block++) {
        bytes[0] = (uint8_t)block;
        fuzz_corpus(bytes, size);
    }
    return 0;
}

START_TEST(fuzzed)
{
    replay("tests/fuzz/corpus", fuzz_blocks, 5);
}
END_TEST

START_TEST(room_for_no_words_is_refused)
{
    static Corpus *corpus; /* static, so that the sanitizer does not call them leaks */
    static Vocab *vocab;
    int ids[1];
    corpus = corpus_from_text("text", "a", false);
    vocab = vocab_new();
    corpus_sentence(corpus, vocab, -1, ids, 0);
}
END_TEST

START_TEST(a_block_of_no_bytes_is_refused)
{
    static Corpus *corpus;
    corpus = corpus_from_text("text", "a", false);
    corpus_block_size(corpus, 0);
}
END_TEST

static void add(Suite *suite, const char *name, const TTest *test)
{
    TCase *test_case = tcase_create(name);
    tcase_set_timeout(test_case, 300);
    tcase_add_checked_fixture(test_case, make_folder, remove_folder);
    tcase_add_test(test_case, test);
    suite_add_tcase(suite, test_case);
}

int main(void)
{
    Suite *suite = suite_create("corpus");
    add(suite, "lines_and_words_over_block_edges", lines_and_words_over_block_edges);
    add(suite, "words_longer_than_any_block", words_longer_than_any_block);
    add(suite, "a_line_without_end_is_several_sentences", a_line_without_end_is_several_sentences);
    add(suite, "unknown_words_are_left_out_or_replaced", unknown_words_are_left_out_or_replaced);
    add(suite, "bad_bytes_are_replaced_on_request", bad_bytes_are_replaced_on_request);
    add(suite, "position_grows_to_the_end", position_grows_to_the_end);
    add(suite, "bad_bytes_are_named_by_their_offset", bad_bytes_are_named_by_their_offset);
    add(suite, "a_binary_file_is_refused", a_binary_file_is_refused);
    add(suite, "a_text_without_words_is_refused", a_text_without_words_is_refused);
    add(suite, "what_is_not_a_plain_file_is_refused", what_is_not_a_plain_file_is_refused);
    test_add(suite, "rare_words_are_forgotten", rare_words_are_forgotten);
    test_add(suite, "fuzzed", fuzzed);
    test_add_exit(suite, "room_for_no_words_is_refused", room_for_no_words_is_refused, 1);
    test_add_exit(suite, "a_block_of_no_bytes_is_refused", a_block_of_no_bytes_is_refused, 1);
    return test_run(suite);
}
