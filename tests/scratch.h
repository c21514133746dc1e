/* scratch.h: a folder of its own for a test that writes files, and looks at
 * them.  Define _GNU_SOURCE before the first #include. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <dirent.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline int scratch_unlink(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return remove(path);
}

enum { MOST_SCRATCH = 64 };
static char *scratch_paths[MOST_SCRATCH];
static pid_t scratch_owner;

/* Also what a test that failed, or had to exit, left behind. */
static inline void scratch_sweep(void)
{
    for (int i = 0; i < MOST_SCRATCH && getpid() == scratch_owner; i++)
        if (scratch_paths[i])
            nftw(scratch_paths[i], scratch_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/* A new empty folder; release the path with scratch_remove. */
static inline char *scratch_folder(void)
{
    const char *base = getenv("TMPDIR");
    char *path = malloc(4096);
    snprintf(path, 4096, "%s/course-test-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(path)) {
        perror(path);
        exit(99);
    }
    if (scratch_owner != getpid()) {
        memset(scratch_paths, 0, sizeof scratch_paths); /* those of the process that forked this one */
        scratch_owner = getpid();
        atexit(scratch_sweep);
    }
    for (int i = 0; i < MOST_SCRATCH; i++)
        if (!scratch_paths[i]) {
            scratch_paths[i] = path;
            break;
        }
    return path;
}

static inline void scratch_remove(char *path)
{
    for (int i = 0; i < MOST_SCRATCH; i++)
        if (scratch_paths[i] == path)
            scratch_paths[i] = NULL;
    nftw(path, scratch_unlink, 16, FTW_DEPTH | FTW_PHYS);
    free(path);
}

/* FOLDER/NAME in a buffer of this call's own place; eight live at a time. */
static inline const char *in(const char *folder, const char *name)
{
    static char paths[8][8192];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline bool exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

/* The bytes of a file as a string ("" where there is none); free() it. */
static inline char *slurp(const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t size = 0, capacity = 1 << 16;
    char *text = malloc(capacity);
    while (file) {
        size_t got = fread(text + size, 1, capacity - size - 1, file);
        size += got;
        if (got == 0)
            break;
        if (capacity - size < 4096)
            text = realloc(text, capacity *= 2);
    }
    if (file)
        fclose(file);
    text[size] = '\0';
    return text;
}

static inline void spit(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    if (!file) {
        perror(path);
        exit(99);
    }
    fputs(text, file);
    fclose(file);
}

/* How many entries FOLDER has. */
static inline int entries(const char *folder)
{
    DIR *open = opendir(folder);
    int count = -2; /* . and .. */
    while (open && readdir(open))
        count++;
    if (open)
        closedir(open);
    return count;
}

#endif
