/* picture.h: looking at a PNG: its size, whether anything is on it, whether its
 * edge is free.  For one test file each: it compiles stb_image. */
#ifndef PICTURE_H
#define PICTURE_H

#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_PNG
#include <stb_image.h>

#include "test.h"

typedef struct {
    int width, height;
    unsigned char *pixels; /* three bytes each */
} Picture;

static inline Picture picture_open(const char *path)
{
    Picture picture;
    unsigned char head[8] = {0};
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "no picture %s", path);
    ck_assert_int_eq(fread(head, 1, 8, file), 8);
    fclose(file);
    ck_assert_int_eq(memcmp(head, "\x89PNG\r\n\x1a\n", 8), 0);
    picture.pixels = stbi_load(path, &picture.width, &picture.height, NULL, 3);
    ck_assert_msg(picture.pixels != NULL, "%s: %s", path, stbi_failure_reason());
    return picture;
}

static inline void picture_close(Picture picture)
{
    stbi_image_free(picture.pixels);
}

static inline const unsigned char *picture_at(const Picture *picture, int x, int y)
{
    return picture->pixels + 3 * ((size_t)y * (size_t)picture->width + (size_t)x);
}

/* How many pixels are not white. */
static inline int picture_ink(const Picture *picture)
{
    int ink = 0;
    for (int y = 0; y < picture->height; y++)
        for (int x = 0; x < picture->width; x++) {
            const unsigned char *pixel = picture_at(picture, x, y);
            ink += pixel[0] < 250 || pixel[1] < 250 || pixel[2] < 250;
        }
    return ink;
}

/* How many pixels of the outermost line are not white: a letter that is cut off. */
static inline int picture_cut(const Picture *picture)
{
    int cut = 0;
    for (int y = 0; y < picture->height; y++)
        for (int x = 0; x < picture->width; x++) {
            bool edge = x == 0 || y == 0 || x == picture->width - 1 || y == picture->height - 1;
            const unsigned char *pixel = picture_at(picture, x, y);
            cut += edge && (pixel[0] < 250 || pixel[1] < 250 || pixel[2] < 250);
        }
    return cut;
}

#endif
