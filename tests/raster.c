/* Tests of common/raster and common/colours: a matrix as an image. */
#define _GNU_SOURCE
#include "raster.h"

#include <math.h>
#include <stdbool.h>

#include "colours.h"
#include "picture.h"
#include "scratch.h"
#include "test.h"

static void expect_colour(const Picture *picture, int x, int y, Colour colour)
{
    const unsigned char *pixel = picture_at(picture, x, y);
    ck_assert_int_eq(pixel[0], colour.red);
    ck_assert_int_eq(pixel[1], colour.green);
    ck_assert_int_eq(pixel[2], colour.blue);
}

START_TEST(cells_are_squares_of_pixels)
{
    const real cells[] = {0, 1, 2, 3, 4, NAN};
    char *folder = scratch_folder();
    raster_write(folder, "small", cells, 2, 3, NULL, NULL, MAGNITUDE, 7, true);
    Picture picture = picture_open(in(folder, "small.png"));
    ck_assert_int_eq(picture.width, 21);
    ck_assert_int_eq(picture.height, 14);
    for (int i = 0; i < 5; i++) {
        expect_colour(&picture, i % 3 * 7, i / 3 * 7, colour_at(MAGNITUDE, i / 4.0));
        expect_colour(&picture, i % 3 * 7 + 6, i / 3 * 7 + 6, colour_at(MAGNITUDE, i / 4.0));
    }
    expect_colour(&picture, 20, 13, (Colour){128, 128, 128});
    picture_close(picture);
    ck_assert_int_eq(entries(folder), 2);
    scratch_remove(folder);
}
END_TEST

START_TEST(the_tsv_is_the_matrix)
{
    const real cells[] = {1, -0.5f, 0.1f, INFINITY};
    const char *rows[] = {"은행", "a\tb"}, *columns[] = {"c\\d", "e\nf"};
    char *folder = scratch_folder();
    raster_write(folder, "m", cells, 2, 2, rows, columns, SIGNED, 0, false);
    char *text = slurp(in(folder, "m.tsv"));
    ck_assert_str_eq(text, "row\tc\\\\d\te\\nf\n은행\t1\t-0.5\na\\tb\t0.100000001\tNaN\n");
    free(text);
    ck_assert_int_eq(entries(folder), 1); /* not drawn */
    scratch_remove(folder);
}
END_TEST

START_TEST(the_size_is_chosen)
{
    static const struct {
        int rows, columns, width;
    } cases[] = {{1, 1, 64}, {10, 10, 640}, {20, 100, 800}, {2, 300, 600}, {3, 2000, 2000}};
    static real cells[6000];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = scratch_folder();
        raster_write(folder, "m", cells, cases[i].rows, cases[i].columns, NULL, NULL, WEIGHTS, 0, true);
        Picture picture = picture_open(in(folder, "m.png"));
        ck_assert_int_eq(picture.width, cases[i].width);
        ck_assert_int_eq(picture.height, cases[i].width / cases[i].columns * cases[i].rows);
        picture_close(picture);
        scratch_remove(folder);
    }
}
END_TEST

START_TEST(ranges_of_colours)
{
    double low, high;
    const real cells[] = {-1, NAN, 3, -INFINITY}, same[] = {5, 5};
    colour_range(MAGNITUDE, cells, 4, &low, &high);
    ck_assert(low == -1 && high == 3);
    colour_range(SIGNED, cells, 4, &low, &high);
    ck_assert(low == -3 && high == 3);
    colour_range(WEIGHTS, cells, 4, &low, &high);
    ck_assert(low == 0 && high == 1);
    colour_range(MAGNITUDE, same, 2, &low, &high);
    ck_assert(low < 5 && high > 5);
    colour_range(MAGNITUDE, cells + 1, 1, &low, &high);
    ck_assert(low < high);
    const real zero[] = {0};
    colour_range(SIGNED, zero, 1, &low, &high);
    ck_assert(low < 0 && high == -low);
}
END_TEST

START_TEST(colours_at_their_ends_and_between)
{
    Colour white = colour_at(SIGNED, 0.5), first = colour_at(MAGNITUDE, -7), last = colour_at(MAGNITUDE, 7);
    ck_assert(white.red == 255 && white.green == 255 && white.blue == 255);
    ck_assert(first.red == 0x44 && first.green == 0x01 && first.blue == 0x54);
    ck_assert(last.red == 0xfd && last.green == 0xe7 && last.blue == 0x25);
    for (int i = 1; i <= 100; i++) /* viridis: larger is brighter, also in grey */
        ck_assert(colour_brightness(colour_at(WEIGHTS, i / 100.0)) >
                  colour_brightness(colour_at(WEIGHTS, (i - 1) / 100.0)));
}
END_TEST

START_TEST(no_rows)
{
    raster_write("/nonexistent", "m", NULL, 0, 3, NULL, NULL, WEIGHTS, 0, true);
}
END_TEST

START_TEST(too_many_pixels)
{
    static real cells[200 * 200];
    char *folder = scratch_folder();
    raster_write(folder, "m", cells, 200, 200, NULL, NULL, WEIGHTS, 1000, true);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("raster");
    test_add(suite, "cells_are_squares_of_pixels", cells_are_squares_of_pixels);
    test_add(suite, "the_tsv_is_the_matrix", the_tsv_is_the_matrix);
    test_add(suite, "the_size_is_chosen", the_size_is_chosen);
    test_add(suite, "ranges_of_colours", ranges_of_colours);
    test_add(suite, "colours_at_their_ends_and_between", colours_at_their_ends_and_between);
    test_add_exit(suite, "no_rows", no_rows, 1);
    test_add_exit(suite, "too_many_pixels", too_many_pixels, 1);
    return test_run(suite);
}
