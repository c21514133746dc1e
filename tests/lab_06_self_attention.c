/* Tests of lab 06: its claims over seeds that were not looked at while it was
 * written, its files, its reference trace, sentences and matrices of one's own,
 * bad input, and multi-head attention against PyTorch and the fast layer. */
#define _GNU_SOURCE
#define STEM "06_self_attention"
int lab_under_test(int argc, char **argv);
#define main lab_under_test
#include "../labs/06_self_attention/main.c"
#undef main

#include <math.h>

#define LLVMFuzzerTestOneInput fuzz_qkv
#include "fuzz/qkv.c"

#include "dies.h"
#include "fuzz/replay.h"
#include "fixture.h"
#include "lab_runs.h"
#include "maths.h"
#include "measure.h"

START_TEST(claims_hold_over_seeds)
{
    static const char *const seeds[] = {"1001", "1002", "1003", "1004", "1005"};
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        char *claims = ledger_of(seeds[i]);
        check_verdict(claims, "rows-sum-to-one", "holds");
        check_verdict(claims, "variance-is-dk", "holds");
        check_verdict(claims, "future-does-not-leak", "holds");
        check_verdict(claims, "eight-heads-solve-it", "holds");
        check_verdict(claims, "two-heads-fail", "holds");
        check_verdict(claims, "computation-grows", "corrects");
        free(claims);
    }
}
END_TEST

/* Four heads need more steps than --quick has. */
START_TEST(heads_at_full_setting)
{
    ck_assert_int_eq(run("--no-plots", "--check", "--seed", "1006", "--step", "lookups", NULL), 0);
    char *claims = written("claims.tsv");
    check_verdict(claims, "four-heads-nearly", "holds");
    ck_assert_ptr_null(strstr(claims, "\tskipped\n"));
    free(claims);
}
END_TEST

START_TEST(trace_ledger_and_figures)
{
    static const char *const figures[] = {"attention_weights",         "scaling_effect",
                                          "longer_sequence",           "masks",
                                          "cross_attention",           "head_specialisation",
                                          "self_attention_components", "multi_head_attention",
                                          "rnn_vs_attention",          "mistakes",
                                          "rnn_vs_attention_time"};
    check_files(figures, sizeof figures / sizeof *figures);
}
END_TEST

START_TEST(steps_run_alone)
{
    check_steps_alone(7);
}
END_TEST

/* ---- sentences ---- */

static void check_sentence(const char *sentence, const char *said)
{
    ck_assert_int_eq(run_lab("42", "--check", "--step=1,3,4,7", "--sentence", sentence), 0);
    char *trace = written("trace.txt"), *claims = written("claims.tsv");
    ck_assert_msg(strstr(trace, said), "the trace of '%s' lacks '%s'", sentence, said);
    ck_assert_ptr_null(strstr(claims, "\tfails\n"));
    free(trace);
    free(claims);
}

START_TEST(sentences)
{
    check_sentence("나는 너를 사랑해", "사랑해");
    check_sentence("Go", "go");
    check_sentence("the the the", "the");
    check_sentence("`id` \"$(id)\" {/_^@} 100% \\ 'x' ; unset key", "unset");
    check_sentence("When the old fisherman saw that the sea was calm again after three long days of storm , "
                   "he rowed his small boat out to the place where his father once stood",
                   "fisherman");
}
END_TEST

START_TEST(thousand_words)
{
    char text[8000] = "";
    for (int i = 0; i < 1000; i++)
        sprintf(text + strlen(text), "w%d ", i);
    ck_assert_int_eq(run_lab("42", "--no-plots", "--step=1,3,4,7", "--sentence", text), 0);
    char *trace = written("trace.txt");
    ck_assert_ptr_nonnull(strstr(trace, "has 1000 words; the first 48 are used"));
    free(trace);
}
END_TEST

START_TEST(heads_and_dimension)
{
    ck_assert_int_eq(run_lab("42", "--check", "--step=4", "--dimension=48", "--heads=16"), 0);
    ck_assert_int_eq(run_lab("42", "--check", "--step=1-4", "--dimension=1", "--heads=1"), 0);
}
END_TEST

/* ---- matrices of one's own ---- */

/* The values of PANEL in a heatmap's TSV, in order; returns how many. */
static int panel_values(const char *tsv, const char *panel, double *values, int most)
{
    int n = 0;
    for (const char *line = strchr(tsv, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        const char *end = strchr(line + 1, '\n'), *cell = end;
        if (strncmp(line + 1, panel, strlen(panel)) != 0)
            continue;
        while (cell[-1] != '\t')
            cell--;
        ck_assert_int_lt(n, most);
        values[n++] = strtod(cell, NULL);
    }
    return n;
}

START_TEST(qkv_equals_pytorch)
{
    static const char *const panels[] = {"weights", "output"}, *const parts[] = {".weights", ".output"};
    Fixtures *fixtures = fixtures_read("qkv.txt");
    ck_assert_int_eq(run_lab("42", "--check", "--step=1", "--qkv", "tests/oracle/qkv.tsv"), 0);
    char *tsv = written("attention_weights.tsv");
    for (int p = 0; p < 2; p++) {
        const Fixture *want = fixture_get(fixtures, "qkv", parts[p]);
        double got[100];
        ck_assert_int_eq(panel_values(tsv, panels[p], got, 100), (int)want->size);
        for (size_t i = 0; i < want->size; i++)
            ck_assert_msg(fabs(got[i] - want->value[i]) <= 1e-6, "%s[%zu] is %.9g, PyTorch has %.9g", panels[p], i,
                          got[i], want->value[i]);
    }
    free(tsv);
    fixtures_free(fixtures);
}
END_TEST

static const char *own_file(const char *bytes)
{
    const char *path = in(folder, "own.tsv");
    spit(path, bytes);
    return path;
}

START_TEST(qkv_is_lenient_where_nothing_is_lost)
{
    ck_assert_int_eq(run_lab("42", "--check", "--step=1", "--qkv",
                             own_file("\xef\xbb\xbf# made by a spreadsheet\r\nV\t\t\r\n1e0\t 2 \r\n\r\nQ\r\n-.5\r\n"
                                      "K \r\n+3\r\n")),
                     0);
    ck_assert_int_eq(run_lab("42", "--step=1", "--no-plots", "--qkv", own_file("Q\n1e6\nK\n1e6\n-1e6\nV\n1\n2")), 0);
    char *trace = written("trace.txt");
    ck_assert_ptr_null(strstr(trace, "nan"));
    free(trace);
}
END_TEST

/* Ends with status 1 and one line that names the file and the line. */
static void check_refused(const char *bytes, const char *expected)
{
    const char *path = own_file(bytes);
    const char *said = DIES(1, qkv_read(path));
    ASSERT_SAYS(said, expected);
}

START_TEST(qkv_refuses_with_the_line)
{
    check_refused("", "own.tsv:1: the file is empty");
    check_refused("Q\n1 2\n1\n", "own.tsv:3: a row of 1 numbers, but the rows of Q above it have 2");
    check_refused("Q\n1 x\n", "own.tsv:2: 'x' is not a number");
    check_refused("Q\n1 nan\n", "own.tsv:2: 'nan' is not a number");
    check_refused("Q\ninf 1\n", "own.tsv:2: 'inf' is not a number");
    check_refused("Q\nnan\n", "own.tsv:2: 'nan' is neither a number nor the name of a block");
    check_refused("Q\n1 0x10\n", "own.tsv:2: '0x10' is not a number");
    check_refused("Q\n1 1e999\n", "own.tsv:2: 1e999 is too large");
    check_refused("Q\n1\nQ\n", "own.tsv:3: block Q began in line 1 already");
    check_refused("R\n1\n", "own.tsv:1: 'R' is neither a number nor the name of a block");
    check_refused("1 2\n", "own.tsv:1: numbers before the first block");
    check_refused("Q\n1\nK\n1\n", "own.tsv:4: the file ends without a block V");
    check_refused("Q\nK\n1\nV\n1\n", "own.tsv:1: block Q has no rows");
    check_refused("Q\n1\nK\n1 2\nV\n1\n", "own.tsv:3: the rows of K have 2 numbers, those of Q 1");
    check_refused("Q\n1\nK\n1\nV\n1\n2\n", "own.tsv:5: V has 2 rows and K 1");
    check_refused("Q\n1 \x1b[31m\n", "own.tsv:2: '?[31m' is not a number");
    check_refused("Q\n1 \xea\xb0\x80\n", "own.tsv:2: '가' is not a number");
}
END_TEST

START_TEST(qkv_refuses_what_is_too_large)
{
    char *text = calloc(1, 3 << 20);
    strcpy(text, "Q\n");
    for (int i = 0; i < 49; i++)
        strcat(text, "1\n");
    check_refused(text, "own.tsv:50: more than 48 rows in one block");
    strcpy(text, "Q\n");
    for (int i = 0; i < 257; i++)
        strcat(text, "1 ");
    check_refused(text, "own.tsv:2: more than 256 numbers in one row");
    memset(text, '1', 2 << 20);
    text[2 << 20] = '\0';
    check_refused(text, "own.tsv:1: the file is larger than a megabyte");
    free(text);
}
END_TEST

START_TEST(qkv_binary)
{
    FILE *file = fopen(in(folder, "binary"), "wb");
    fwrite("Q\n1\0\x02\n", 1, 7, file);
    fclose(file);
    qkv_read(in(folder, "binary"));
}
END_TEST

#define BAD(name, ...)                                                                                                 \
    START_TEST(name)                                                                                                   \
    {                                                                                                                  \
        run_lab("42", "--no-plots", __VA_ARGS__);                                                                      \
    }                                                                                                                  \
    END_TEST
BAD(missing_file, "--qkv", in(folder, "nowhere.tsv"), NULL)
BAD(folder_as_file, "--qkv", folder, NULL)
BAD(device_as_file, "--qkv", "/dev/null", NULL)
BAD(empty_sentence, "--sentence", "", NULL)
BAD(blank_sentence, "--sentence", " \t ", NULL)
BAD(bad_sentence, "--sentence", "caf\xe9", NULL)
BAD(empty_other, "--other", "", NULL)
BAD(three_heads, "--heads", "3", NULL)
BAD(no_heads, "--heads", "0", NULL)
BAD(no_dimension, "--dimension", "0", NULL)
BAD(no_such_step, "--step", "8", NULL)

/* ---- multi-head attention ---- */

enum { D = 6, HEADS = 2, BATCH = 2, POSITIONS = 4 };

static Attention fixture_layer(Parameters *parameters, const Fixtures *fixtures, const char *name)
{
    Rng rng = rng_new(1, "unused");
    Attention layer = attention_new(parameters, "attention", D, HEADS, &rng);
    static const char *const parts[] = {".q.weight", ".q.bias", ".k.weight",   ".k.bias",
                                        ".v.weight", ".v.bias", ".out.weight", ".out.bias"};
    for (int p = 0; p < 8; p++)
        fixture_copy(fixture_get(fixtures, name, parts[p]), parameters->tensor[p]->data);
    return layer;
}

/* The lab's multi_head, sequence by sequence, with a causal mask. */
START_TEST(multi_head_equals_pytorch)
{
    const char *name = "multihead_causal";
    static const char *const gradients[] = {".q.d_weight", ".q.d_bias", ".k.d_weight",   ".k.d_bias",
                                            ".v.d_weight", ".v.d_bias", ".out.d_weight", ".out.d_bias"};
    Fixtures *fixtures = fixtures_read("attention.txt");
    Parameters *parameters = parameters_new();
    Attention layer = fixture_layer(parameters, fixtures, name);
    Tape *tape = tape_new(1);
    Tensor *x = fixture_variable(tape, fixtures, name, ".x0"), *g = fixture_input(tape, fixtures, name, ".g");
    Tensor *y[BATCH];
    real weights[BATCH][HEADS][POSITIONS * POSITIONS];
    for (int b = 0; b < BATCH; b++) {
        Tensor *w[HEADS];
        Tensor *row = op_reshape(tape, op_slice(tape, x, 0, b, b + 1), SHAPE(POSITIONS, D));
        y[b] = op_reshape(tape, multi_head(tape, &layer, row, row, mask_causal(tape, POSITIONS), w),
                          SHAPE(1, POSITIONS, D));
        for (int h = 0; h < HEADS; h++)
            memcpy(weights[b][h], w[h]->data, sizeof weights[b][h]);
    }
    Tensor *all = op_concat(tape, y, BATCH, 0);
    tape_backward(tape, op_sum(tape, op_multiply(tape, all, g)));
    fixture_compare(fixtures, name, ".y", all->shape, all->data);
    fixture_compare_data(fixtures, name, ".weights", weights[0][0]);
    fixture_compare(fixtures, name, ".dx0", x->shape, x->grad);
    for (int p = 0; p < 8; p++)
        if (p != 3) /* the key's bias has gradient 0: rounding is all there is */
            fixture_compare_data(fixtures, name, gradients[p], parameters->tensor[p]->grad);
    for (int i = 0; i < D; i++)
        ck_assert_double_lt(fabs((double)parameters->tensor[3]->grad[i]), 1e-5);
    tape_free(tape);
    parameters_free(parameters);
    fixtures_free(fixtures);
}
END_TEST

static Tensor *normal_variable(Tape *tape, Shape shape, const char *stream)
{
    Rng rng = rng_new(3, stream);
    Tensor *tensor = tape_variable(tape, stream, shape, NULL);
    for (size_t i = 0; i < tensor->size; i++)
        tensor->data[i] = rng_normal(&rng);
    return tensor;
}

/* The lab's way and the fast layer, cross-attention and a mask with holes: the
 * same numbers and gradients. */
START_TEST(multi_head_is_the_fast_layer)
{
    enum { FROM = 5, AT = 7, WIDTH = 24 };
    static const int head_counts[] = {1, 2, 3, 4, 8, 24};
    for (int h = 0; h < 6; h++) {
        int heads = head_counts[h];
        real *gradients[2][10] = {{0}}, *outputs[2];
        size_t sizes[10];
        Tape *tapes[2];
        Parameters *all[2];
        for (int fast = 0; fast < 2; fast++) {
            Rng rng = rng_new(2, "layer");
            Tape *tape = tapes[fast] = tape_new(1);
            Parameters *parameters = all[fast] = parameters_new();
            Attention layer = attention_new(parameters, "attention", WIDTH, heads, &rng);
            Tensor *from = normal_variable(tape, SHAPE(FROM, WIDTH), "from");
            Tensor *at = normal_variable(tape, SHAPE(AT, WIDTH), "at"), *mask, *y;
            mask = tape_input(tape, "mask", SHAPE(FROM, AT), NULL);
            for (size_t i = 0; i < mask->size; i++)
                mask->data[i] = i % 3 != 1;
            if (fast)
                y = op_reshape(tape,
                               attention(tape, &layer, op_reshape(tape, from, SHAPE(1, FROM, WIDTH)),
                                         op_reshape(tape, at, SHAPE(1, AT, WIDTH)), mask, NULL),
                               SHAPE(FROM, WIDTH));
            else
                y = multi_head(tape, &layer, from, at, mask, NULL);
            tape_backward(tape, op_sum(tape, op_multiply(tape, y, y)));
            outputs[fast] = y->data;
            for (int p = 0; p < 8; p++)
                gradients[fast][p] = parameters->tensor[p]->grad, sizes[p] = parameters->tensor[p]->size;
            gradients[fast][8] = from->grad, sizes[8] = from->size;
            gradients[fast][9] = at->grad, sizes[9] = at->size;
        }
        ck_assert_double_le(largest_difference(outputs[0], outputs[1], FROM * WIDTH), 1e-5);
        for (int p = 0; p < 10; p++)
            ck_assert_double_le(largest_difference(gradients[0][p], gradients[1][p], sizes[p]), 1e-4);
        for (int fast = 0; fast < 2; fast++) {
            tape_free(tapes[fast]);
            parameters_free(all[fast]);
        }
    }
}
END_TEST

START_TEST(equal_words_have_equal_vectors)
{
    Lab *lab = lab_open(folder, 5, true, false);
    Tape *tape = tape_new(1);
    Sentence sentence = sentence_new("너를 saw 너를 SAW", "--sentence");
    Tensor *x = sentence_vectors(tape, lab, &sentence, 32);
    ck_assert_int_eq(sentence.n, 4);
    ck_assert_mem_eq(x->data, x->data + 64, 32 * sizeof(real));
    ck_assert_mem_eq(x->data + 32, x->data + 96, 32 * sizeof(real));
    ck_assert(memcmp(x->data, x->data + 32, 32 * sizeof(real)) != 0);
    sentence_free(&sentence);
    tape_free(tape);
    lab_close(lab);
}
END_TEST

/* What fuzzing found worth keeping. */
START_TEST(fuzzed)
{
    replay("tests/fuzz/qkv", fuzz_qkv, 10);
}
END_TEST

START_TEST(pipe_as_file)
{
    ck_assert_int_eq(mkfifo(in(folder, "fifo"), 0666), 0); /* nobody writes into it */
    run("--qkv", in(folder, "fifo"), NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lab_06_self_attention");
    add_run(suite, "claims_hold_over_seeds", claims_hold_over_seeds, 0);
    add_run(suite, "heads_at_full_setting", heads_at_full_setting, 0);
    add_run(suite, "trace_ledger_and_figures", trace_ledger_and_figures, 0);
    add_run(suite, "steps_run_alone", steps_run_alone, 0);
    add_run(suite, "sentences", sentences, 0);
    add_run(suite, "thousand_words", thousand_words, 0);
    add_run(suite, "heads_and_dimension", heads_and_dimension, 0);
    add_run(suite, "qkv_equals_pytorch", qkv_equals_pytorch, 0);
    add_run(suite, "qkv_is_lenient_where_nothing_is_lost", qkv_is_lenient_where_nothing_is_lost, 0);
    add_run(suite, "qkv_refuses_with_the_line", qkv_refuses_with_the_line, 0);
    add_run(suite, "qkv_refuses_what_is_too_large", qkv_refuses_what_is_too_large, 0);
    add_run(suite, "qkv_binary", qkv_binary, 1);
    add_run(suite, "missing_file", missing_file, 1);
    add_run(suite, "folder_as_file", folder_as_file, 1);
    add_run(suite, "device_as_file", device_as_file, 1);
    add_run(suite, "pipe_as_file", pipe_as_file, 1);
    test_add(suite, "fuzzed", fuzzed);
    add_run(suite, "empty_sentence", empty_sentence, 2);
    add_run(suite, "blank_sentence", blank_sentence, 2);
    add_run(suite, "bad_sentence", bad_sentence, 2);
    add_run(suite, "empty_other", empty_other, 2);
    add_run(suite, "three_heads", three_heads, 2);
    add_run(suite, "no_heads", no_heads, 2);
    add_run(suite, "no_dimension", no_dimension, 2);
    add_run(suite, "no_such_step", no_such_step, 2);
    add_run(suite, "multi_head_equals_pytorch", multi_head_equals_pytorch, 0);
    add_run(suite, "multi_head_is_the_fast_layer", multi_head_is_the_fast_layer, 0);
    add_run(suite, "equal_words_have_equal_vectors", equal_words_have_equal_vectors, 0);
    return test_run(suite);
}
