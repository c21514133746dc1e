/* weights.c: what is saved comes back to the bit, here and in Python; a file that
 * lies is refused with a reason, and nothing is read of it. */
#define _GNU_SOURCE
#include "weights.h"

#include <fcntl.h>
#include <math.h>

#include "dies.h"
#include "scratch.h"

#define LLVMFuzzerTestOneInput fuzz_weights
#include "fuzz/weights.c"
#include "fuzz/replay.h"

#define DTYPE (REAL_IS_DOUBLE ? "F64" : "F32")

static Parameters *model(real factor)
{
    Parameters *parameters = parameters_new();
    Tensor *weight = parameter_zeros(parameters, "layer.weight", SHAPE(2, 3));
    Tensor *word = parameter_zeros(parameters, "단어", SHAPE(4));
    Tensor *scalar = parameter_zeros(parameters, "scalar", SCALAR);
    for (int i = 0; i < 6; i++)
        weight->data[i] = factor * ((real)i - (real)0.5);
    for (int i = 0; i < 4; i++)
        word->data[i] = factor * (real)i / 4;
    scalar->data[0] = -7 * factor;
    return parameters;
}

/* ---- round trips -------------------------------------------------------------- */

START_TEST(every_bit_comes_back)
{
    char *folder = scratch_folder();
    const char *path = in(folder, "weights.safetensors");
    Parameters *saved = model(1), *loaded = model(0);
    parameter_zeros(saved, "none", SHAPE(3, 0));
    parameter_zeros(loaded, "none", SHAPE(3, 0));
    parameter_zeros(saved, "\"quoted\\\"\n\t", SHAPE(2, 1, 1, 2));
    parameter_zeros(loaded, "\"quoted\\\"\n\t", SHAPE(2, 1, 1, 2));
    real *odd = saved->tensor[4]->data;
    odd[0] = (real)NAN, odd[1] = (real)-INFINITY, odd[2] = (real)-0.0, odd[3] = REAL_EPSILON * (real)1e-30;
    weights_save(path, saved);
    ck_assert_uint_ne(parameters_hash(saved), parameters_hash(loaded));
    weights_load(path, loaded);
    ck_assert_uint_eq(parameters_hash(saved), parameters_hash(loaded));
    ck_assert_int_eq(entries(folder), 1); /* no .part is left */
    parameters_free(saved);
    parameters_free(loaded);
    scratch_remove(folder);
}
END_TEST

START_TEST(equal_weights_are_equal_bytes)
{
    char *folder = scratch_folder();
    Parameters *parameters = model(1);
    weights_save(in(folder, "one"), parameters);
    weights_save(in(folder, "two"), parameters);
    FILE *one = fopen(in(folder, "one"), "rb"), *two = fopen(in(folder, "two"), "rb");
    int c, d;
    do {
        c = fgetc(one), d = fgetc(two);
        ck_assert_int_eq(c, d);
    } while (c != EOF);
    ck_assert_int_eq(ftell(one) % 8, REAL_IS_DOUBLE ? 0 : 4); /* 11 numbers behind a header of whole words */
    fclose(one), fclose(two);
    parameters_free(parameters);
    scratch_remove(folder);
}
END_TEST

START_TEST(no_parameters)
{
    char *folder = scratch_folder();
    Parameters *none = parameters_new();
    weights_save(in(folder, "none"), none);
    weights_load(in(folder, "none"), none);
    parameters_free(none);
    scratch_remove(folder);
}
END_TEST

/* ---- Python ---------------------------------------------------------------------- */

/* The first python that has NumPy, or NULL. */
static const char *python(void)
{
    const char *candidates[] = {"python3", "/usr/bin/python3"};
    for (int i = 0; i < 2; i++) {
        char command[128];
        snprintf(command, sizeof command, "%s -c 'import numpy' 2>/dev/null", candidates[i]);
        if (system(command) == 0)
            return candidates[i];
    }
    printf("weights: no python3 with NumPy here: reading and writing there is skipped\n");
    return NULL;
}

static char *run(const char *command)
{
    char *text = calloc(1, 4096);
    FILE *pipe = popen(command, "r");
    size_t length = fread(text, 1, 4095, pipe);
    ck_assert_msg(pclose(pipe) == 0, "failed: %s", command);
    text[length] = '\0';
    return text;
}

START_TEST(numpy_reads_it)
{
    const char *interpreter = python();
    if (!interpreter)
        return;
    char *folder = scratch_folder(), command[8192];
    Parameters *parameters = model(1);
    weights_save(in(folder, "weights"), parameters);
    snprintf(command, sizeof command, "PYTHONIOENCODING=utf-8 %s tests/oracle/check_weights.py '%s'", interpreter,
             in(folder, "weights"));
    char *said = run(command), expected[512];
    const char *type = REAL_IS_DOUBLE ? "float64" : "float32";
    snprintf(expected, sizeof expected,
             "layer.weight %s [2, 3] -0.5 0.5 1.5 2.5 3.5 4.5\n단어 %s [4] 0 0.25 0.5 0.75\nscalar %s [] -7\n", type,
             type, type);
    ck_assert_str_eq(said, expected);
    free(said);
    parameters_free(parameters);
    scratch_remove(folder);
}
END_TEST

/* In another order, with metadata, white space and escapes. */
START_TEST(what_numpy_wrote_is_read)
{
    const char *interpreter = python();
    if (!interpreter)
        return;
    char *folder = scratch_folder(), command[8192];
    snprintf(command, sizeof command, "%s tests/oracle/check_weights.py --write '%s' %s", interpreter,
             in(folder, "weights"), DTYPE);
    free(run(command));
    Parameters *loaded = model(0), *expected = model(1);
    weights_load(in(folder, "weights"), loaded);
    ck_assert_uint_eq(parameters_hash(loaded), parameters_hash(expected));
    parameters_free(loaded);
    parameters_free(expected);
    scratch_remove(folder);
}
END_TEST

/* ---- lies ------------------------------------------------------------------------ */

/* A file of HEADER, whose dtype is written T and sizes in units of one number as
 * <n>, and NUMBERS numbers; what is said of it, or "" if it is taken. */
static const char *answer(const char *header, int numbers)
{
    static char message[WEIGHTS_MESSAGE];
    static char bytes[8192];
    char *to = bytes + 8;
    for (const char *from = header; *from; from++) {
        if (*from == '<')
            to += sprintf(to, "%ld", strtol(from + 1, (char **)&from, 10) * (long)sizeof(real));
        else if (*from == 'T')
            to += sprintf(to, "\"%s\"", DTYPE);
        else
            *to++ = *from;
    }
    uint64_t length = (uint64_t)(to - bytes - 8);
    memcpy(bytes, &length, sizeof length);
    for (int i = 0; i < numbers * (int)sizeof(real); i++)
        *to++ = 63; /* no number of the file is 0 */
    Parameters *parameters = parameters_new();
    Tensor *a = parameter_zeros(parameters, "a", SHAPE(2, 3)), *b = parameter_zeros(parameters, "b", SHAPE(4));
    FILE *file = fmemopen(bytes, (size_t)(to - bytes), "rb");
    message[0] = '\0';
    bool taken = weights_read(file, parameters, message);
    ck_assert_int_eq(taken, message[0] == '\0');
    ck_assert_int_eq(taken, a->data[0] != 0 && a->data[5] != 0 && b->data[0] != 0 && b->data[3] != 0);
    fclose(file);
    parameters_free(parameters);
    return message;
}

#define A "\"a\":{\"dtype\":T,\"shape\":[2,3],\"data_offsets\":[0,<6>]}"
#define B "\"b\":{\"dtype\":T,\"shape\":[4],\"data_offsets\":[<6>,<10>]}"

static void refused(const char *header, int numbers, const char *reason)
{
    const char *said = answer(header, numbers);
    ck_assert_msg(strstr(said, reason), "of %s it said \"%s\", not \"%s\"", header, said, reason);
}

START_TEST(the_honest_file)
{
    ck_assert_str_eq(answer("{" A "," B "}", 10), "");
    ck_assert_str_eq(answer("{" B "," A "}", 10), "");
    ck_assert_str_eq(answer(" { " A " ,\n\t" B "\r} \n ", 10), "");
    ck_assert_str_eq(answer("{\"__metadata__\":{}," A "," B "}", 10), "");
    ck_assert_str_eq(answer("{" A ",\"__metadata__\":{\"k\":\"v\",\"은\":\"\\u20ac\\\"\\ud83d\\ude00\"}," B "}", 10),
                     "");
    ck_assert_str_eq(answer("{\"\\u0061\":{\"shape\":[2,3],\"data_offsets\":[<4>,<10>],\"dtype\":T},"
                            "\"b\":{\"dtype\":T,\"shape\":[4],\"data_offsets\":[0,<4>]}}",
                            10),
                     "");
}
END_TEST

START_TEST(other_parameters)
{
    refused("{" A "}", 6, "it has no tensor 'b'");
    refused("{}", 0, "it has no tensor 'a'");
    refused("{" A "," B ",\"extra\":{}}", 10, "it has a tensor 'extra', which is not a parameter here");
    refused("{\"a\\u001b[31m\\n\":{}}", 0, "it has a tensor 'a?[31m?', which is not a parameter here");
    refused("{" A "," A "}", 10, "it has 'a' twice");
    refused("{\"a\":{\"dtype\":T,\"shape\":[3,2],\"data_offsets\":[0,<6>]}," B "}", 10,
            "the shape of 'a' is [3, 2] there, and [2, 3] here");
    refused("{\"a\":{\"dtype\":T,\"shape\":[6],\"data_offsets\":[0,<6>]}," B "}", 10,
            "the shape of 'a' is [6] there, and [2, 3] here");
    refused("{\"a\":{\"dtype\":T,\"shape\":[],\"data_offsets\":[0,<6>]}," B "}", 10, "the shape of 'a' is []");
    refused("{\"a\":{\"dtype\":T,\"shape\":[0,3],\"data_offsets\":[0,0]}," B "}", 10, "the shape of 'a' is [0, 3]");
    refused("{\"a\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[0,12]}," B "}", 10,
            "the numbers of 'a' are of the type BF16 there, and ");
    refused(REAL_IS_DOUBLE ? "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}"
                           : "{\"a\":{\"dtype\":\"F64\",\"shape\":[2,3],\"data_offsets\":[0,48]}}",
            10, REAL_IS_DOUBLE ? "type F32 there, and F64 here" : "type F64 there, and F32 here");
}
END_TEST

START_TEST(lies_about_sizes)
{
    refused("{\"a\":{\"dtype\":T,\"shape\":[2,3],\"data_offsets\":[0,<5>]}," B "}", 10,
            "'a' is said to lie at bytes 0 to");
    refused("{\"a\":{\"dtype\":T,\"shape\":[2,3],\"data_offsets\":[0,<7>]}," B "}", 10,
            "'a' is said to lie at bytes 0 to");
    refused("{\"a\":{\"dtype\":T,\"shape\":[2,3],\"data_offsets\":[<6>,0]}," B "}", 10, "'a' is said to lie at bytes");
    refused("{\"a\":{\"dtype\":T,\"shape\":[2,3],\"data_offsets\":[4611686018427387000,4611686018427387024]}," B "}",
            10, "'a' is said to lie at bytes 4611686018427387000 to");
    refused("{\"a\":{\"dtype\":T,\"shape\":[2,3],\"data_offsets\":[0,18446744073709551616]}," B "}", 10,
            "number of a sensible size");
    refused("{\"a\":{\"dtype\":T,\"shape\":[4294967298,3],\"data_offsets\":[0,<6>]}," B "}", 10,
            "the shape of 'a' is [4294967298, 3] there");
    refused("{" A "," B "}", 9, "'b' is said to lie at bytes");
    refused("{" A "," B "}", 0, "'a' is said to lie at bytes");
    refused("{" A "," B "}", 11, "after the last tensor there are");
    refused("{" A ",\"b\":{\"dtype\":T,\"shape\":[4],\"data_offsets\":[<2>,<6>]}}", 10, "'b' begins at byte");
    refused("{" A ",\"b\":{\"dtype\":T,\"shape\":[4],\"data_offsets\":[<7>,<11>]}}", 11, "'b' begins at byte");
}
END_TEST

START_TEST(headers_that_are_none)
{
    refused("", 10, "byte 0 of its header is not '{'");
    refused("[]", 10, "byte 0 of its header is not '{'");
    refused("{" A "," B, 10, "is not '}'");
    refused("{" A B "}", 10, "is not '}'");
    refused("{" A ",}", 10, "is not '\"'");
    refused("{" A "," B "}x", 10, "is not white space after the end");
    refused("{\"a\":[]}", 10, "is not '{'");
    refused("{\"a\":{}}", 10, "is not '\"'");
    refused("{\"a\":{\"dtype\":T}}", 10, "is not preceded by a dtype, a shape and data_offsets");
    refused("{\"a\":{\"dtype\":T,\"dtype\":T}}", 10, "one dtype, one shape and two data_offsets");
    refused("{\"a\":{\"data_offsets\":[0]}}", 10, "one dtype, one shape and two data_offsets");
    refused("{\"a\":{\"data_offsets\":[0,1,2]}}", 10, "is not the end of a list that is long enough");
    refused("{\"a\":{\"shape\":[1,1,1,2,3]}}", 10, "is not the end of a list that is long enough");
    refused("{\"a\":{\"shape\":[-2,3]}}", 10, "is not a whole number");
    refused("{\"a\":{\"shape\":[2.0,3]}}", 10, "is not ']'");
    refused("{\"a\":{\"shape\":[02,3]}}", 10, "is not a whole number");
    refused("{\"a\":{\"fortran_order\":true}}", 10, "is not one of dtype, shape, data_offsets");
    refused("{\"a", 10, "is not '\"'");
    refused("{\"a\x80\":{}}", 10, "is not text in UTF-8");
    refused("{\"a\n\":{}}", 10, "is not text in UTF-8");
    refused("{\"\\x\":{}}", 10, "is not an escape");
    refused("{\"\\u00g0\":{}}", 10, "is not a hexadecimal digit");
    refused("{\"\\u0000\":{}}", 10, "is not a character");
    refused("{\"\\ud800\":{}}", 10, "is not a character");
    refused("{\"\\ud800\\u0041\":{}}", 10, "is not the second half of a character");
    refused("{\"\\", 10, "is not an escape");
    refused("{\"\\u12", 10, "is not a hexadecimal digit");
    refused("{\"__metadata__\":{},\"__metadata__\":{}}", 10, "is not the first __metadata__");
    refused("{\"__metadata__\":{\"a\":1}}", 10, "is not '\"'");
    char name[400];
    memset(name, 'n', sizeof name);
    memcpy(name, "{\"", 2);
    strcpy(name + 350, "\":{}}");
    refused(name, 10, "is not the end of a text that is long enough");
}
END_TEST

static void write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    fwrite(bytes, 1, size, file);
    fclose(file);
}

START_TEST(files_that_are_none)
{
    char *folder = scratch_folder();
    const char *path = in(folder, "w");
    Parameters *parameters = model(1);
    const char *said = DIES(1, (weights_load(path, parameters), 0));
    ASSERT_SAYS(said, "cannot read the weights '");
    ASSERT_SAYS(said, "/w': No such file or directory");
    ASSERT_SAYS(DIES(1, (weights_load(folder, parameters), 0)), "it is a folder");
    ck_assert_int_eq(mkfifo(in(folder, "fifo"), 0666), 0); /* nobody writes into it */
    ASSERT_SAYS(DIES(1, (weights_load(in(folder, "fifo"), parameters), 0)), "it is not a plain file");
    write_bytes(path, "", 0);
    ASSERT_SAYS(DIES(1, (weights_load(path, parameters), 0)), "it is shorter than 8 bytes");
    const char npy[] = "\x93NUMPY\x01\x00v\x00{'descr': '<f4', }", zip[] = "PK\x03\x04\x14\0\0\0\0\0\0\0";
    write_bytes(path, npy, sizeof npy);
    ASSERT_SAYS(DIES(1, (weights_load(path, parameters), 0)), "its header would be longer than the file");
    write_bytes(path, zip, sizeof zip);
    ASSERT_SAYS(DIES(1, (weights_load(path, parameters), 0)), "its header would be longer than the file");
    write_bytes(path, "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10);
    ASSERT_SAYS(DIES(1, (weights_load(path, parameters), 0)), "its header would be longer than the file");
    ASSERT_SAYS(DIES(1, (weights_load("/dev/zero", parameters), 0)),
                "cannot read the weights '/dev/zero': it is not a plain file");
    parameters_free(parameters);
    scratch_remove(folder);
}
END_TEST

/* A header of a gigabyte in a file that has one (a hole): no memory is taken. */
START_TEST(a_header_beyond_all_need)
{
    char *folder = scratch_folder();
    const char *path = in(folder, "w");
    uint64_t length = 1 << 30;
    write_bytes(path, &length, sizeof length);
    ck_assert_int_eq(truncate(path, (off_t)length + 100), 0);
    Parameters *parameters = model(1);
    ASSERT_SAYS(DIES(1, (weights_load(path, parameters), 0)),
                "its header of 1073741824 bytes is longer than these parameters need");
    parameters_free(parameters);
    scratch_remove(folder);
}
END_TEST

/* Every proper beginning of a good file is refused. */
START_TEST(cut_short_anywhere)
{
    char *folder = scratch_folder(), message[WEIGHTS_MESSAGE];
    Parameters *parameters = model(1);
    weights_save(in(folder, "w"), parameters);
    FILE *file = fopen(in(folder, "w"), "rb");
    char bytes[4096];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    ck_assert_uint_lt(size, sizeof bytes);
    for (size_t cut = 1; cut <= size; cut++) {
        file = fmemopen(bytes, cut, "rb");
        ck_assert_int_eq(weights_read(file, parameters, message), cut == size);
        fclose(file);
    }
    parameters_free(parameters);
    scratch_remove(folder);
}
END_TEST

START_TEST(misuse)
{
    Parameters *parameters = parameters_new();
    parameter_zeros(parameters, "w", SHAPE(2));
    Tensor *again = parameter_zeros(parameters, "w", SHAPE(2));
    ASSERT_SAYS(DIES(1, (weights_save("w", parameters), 0)), "weights: two parameters have the name 'w'");
    again->name = "\xff";
    ASSERT_SAYS(DIES(1, (weights_save("w", parameters), 0)), "cannot be the name of a parameter in a file");
    again->name = "__metadata__";
    ASSERT_SAYS(DIES(1, (weights_save("w", parameters), 0)), "cannot be the name of a parameter in a file");
    again->name = "v";
    ASSERT_SAYS(DIES(1, (weights_save("/dev/full/x", parameters), 0)), "cannot write '/dev/full/x'");
    parameters_free(parameters);
}
END_TEST

/* What fuzzing found worth keeping. */
START_TEST(fuzzed)
{
    replay("tests/fuzz/weights", fuzz_weights, 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("weights");
    test_add(suite, "every_bit_comes_back", every_bit_comes_back);
    test_add(suite, "equal_weights_are_equal_bytes", equal_weights_are_equal_bytes);
    test_add(suite, "no_parameters", no_parameters);
    test_add(suite, "numpy_reads_it", numpy_reads_it);
    test_add(suite, "what_numpy_wrote_is_read", what_numpy_wrote_is_read);
    test_add(suite, "the_honest_file", the_honest_file);
    test_add(suite, "other_parameters", other_parameters);
    test_add(suite, "lies_about_sizes", lies_about_sizes);
    test_add(suite, "headers_that_are_none", headers_that_are_none);
    test_add(suite, "files_that_are_none", files_that_are_none);
    test_add(suite, "a_header_beyond_all_need", a_header_beyond_all_need);
    test_add(suite, "cut_short_anywhere", cut_short_anywhere);
    test_add(suite, "misuse", misuse);
    test_add(suite, "fuzzed", fuzzed);
    return test_run(suite);
}
