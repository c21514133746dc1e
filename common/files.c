/* files.c: files written beside and renamed; what must not outlive the run.
 *
 * The registry is the one global of the library: a signal handler has nowhere
 * else to look.  It only ever holds whole entries (a slot is filled or emptied
 * by one pointer-sized store), so the handler may run between any two
 * instructions. */
#define _GNU_SOURCE
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "die.h"
#include "memory.h"

enum { MOST_FILES = 256, MOST_PROCESSES = 64 };

static char *volatile registered_file[MOST_FILES];
static volatile pid_t registered_process[MOST_PROCESSES];
static volatile pid_t owner; /* a forked child must not clean up after its parent */

/* ---- the registry ---------------------------------------------------------- */

void cleanup_add_file(const char *path)
{
    char *copy = memory_copy_text(path);
    for (int i = 0; i < MOST_FILES; i++)
        if (!registered_file[i]) {
            registered_file[i] = copy;
            return;
        }
    free(copy);
    die("more than %d files are being written at once", MOST_FILES);
}

void cleanup_drop_file(const char *path)
{
    for (int i = 0; i < MOST_FILES; i++)
        if (registered_file[i] && strcmp(registered_file[i], path) == 0) {
            char *copy = registered_file[i];
            registered_file[i] = NULL;
            free(copy);
            return;
        }
}

void cleanup_add_process(pid_t process)
{
    for (int i = 0; i < MOST_PROCESSES; i++)
        if (registered_process[i] == 0) {
            registered_process[i] = process;
            return;
        }
    kill(process, SIGKILL);
    die("more than %d helper programs are running at once", MOST_PROCESSES);
}

void cleanup_drop_process(pid_t process)
{
    for (int i = 0; i < MOST_PROCESSES; i++)
        if (registered_process[i] == process)
            registered_process[i] = 0;
}

/* Async-signal-safe.  First the processes, waited for, so that none writes a
 * file again after it was removed. */
static void clean_up(void)
{
    if (getpid() != owner)
        return;
    for (int i = 0; i < MOST_PROCESSES; i++)
        if (registered_process[i] > 0)
            kill(registered_process[i], SIGKILL);
    for (int i = 0; i < MOST_PROCESSES; i++)
        if (registered_process[i] > 0)
            waitpid(registered_process[i], NULL, 0);
    for (int i = 0; i < MOST_FILES; i++)
        if (registered_file[i])
            unlink(registered_file[i]);
}

/* SA_RESETHAND has restored the default action: raising the signal again after
 * the cleaning ends the program the way its parent expects. */
static void clean_up_and_go(int number)
{
    clean_up();
    raise(number);
}

void cleanup_on_exit(void)
{
    static const int deadly[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    struct sigaction action = {.sa_handler = clean_up_and_go, .sa_flags = SA_RESETHAND};
    if (owner == getpid())
        return;
    owner = getpid();
    atexit(clean_up);
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) {
        struct sigaction old;
        sigaction(deadly[i], NULL, &old);
        if (old.sa_handler != SIG_IGN || deadly[i] == SIGPIPE) /* nohup stays nohup */
            sigaction(deadly[i], &action, NULL);
    }
    signal(SIGXFSZ, SIG_IGN); /* a file beyond `ulimit -f` is a failed write, with a message */
}

/* ---- why it did not work, and what to do ----------------------------------- */

static const char *what_to_do(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return "make room there, or choose another folder with --out";
    case EFBIG:
        return "raise the limit (ulimit -f), or choose another folder with --out";
    case EACCES:
    case EPERM:
    case EROFS:
        return "choose a folder that you may write to with --out";
    case ENOTDIR:
    case EEXIST:
        return "a file is in the place of a folder: move it away, or choose another folder with --out";
    case EISDIR:
        return "a folder is in the place of the file: move it away, or choose another folder with --out";
    case ENAMETOOLONG:
        return "choose a shorter path with --out";
    case EMFILE:
    case ENFILE:
        return "too many files are open: close other programs, or raise ulimit -n";
    default:
        return "choose another folder with --out";
    }
}

static _Noreturn void die_of(int error, const char *doing, const char *path)
{
    die("cannot %s '%s': %s; %s", doing, path, strerror(error), what_to_do(error));
}

/* ---- files on their way ----------------------------------------------------- */

struct Output {
    FILE *stream;
    char *path, *part;
};

char *path_join(const char *folder, const char *name, const char *suffix)
{
    size_t length = strlen(folder) + strlen(name) + strlen(suffix) + 2;
    char *path = memory_resize(NULL, length, 1, "a path");
    const char *slash = folder[0] == '\0' || folder[strlen(folder) - 1] == '/' ? "" : "/";
    snprintf(path, length, "%s%s%s%s", folder, slash, name, suffix);
    return path;
}

static void output_free(Output *output)
{
    cleanup_drop_file(output->part);
    free(output->path);
    free(output->part);
    free(output);
}

static _Noreturn void output_fail(Output *output, int error)
{
    unlink(output->part);
    die_of(error, "write", output->path);
}

Output *output_open(const char *path)
{
    Output *output = memory_new(1, sizeof *output, "an output file");
    struct stat status;
    output->path = memory_copy_text(path);
    output->part = path_join("", path, ".part");
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        die_of(EISDIR, "write", path);
    cleanup_add_file(output->part);
    unlink(output->part); /* what a killed run left behind, or a link to somewhere else */
    int file = open(output->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0)
        die_of(errno, "write", path);
    output->stream = fdopen(file, "w");
    if (!output->stream)
        output_fail(output, errno);
    return output;
}

FILE *output_stream(Output *output)
{
    return output->stream;
}

void output_close(Output *output)
{
    /* An earlier write that failed has left only the mark: the reason comes
     * again with the next attempt. */
    errno = 0;
    int failed = ferror(output->stream);
    if (fflush(output->stream) != 0)
        failed = 1;
    int error = errno;
    if (fclose(output->stream) != 0 && !failed) {
        failed = 1;
        error = errno;
    }
    if (failed)
        output_fail(output, error ? error : EIO);
    if (rename(output->part, output->path) != 0)
        output_fail(output, errno);
    output_free(output);
}

void output_discard(Output *output)
{
    fclose(output->stream);
    unlink(output->part);
    output_free(output);
}

/* ---- folders ---------------------------------------------------------------- */

void folder_create(const char *folder)
{
    char *path = memory_copy_text(folder);
    struct stat status;
    for (char *end = path + 1; end[-1]; end++) {
        char kept = *end;
        if (kept != '/' && kept != '\0')
            continue;
        *end = '\0';
        int error = mkdir(path, 0777) == 0 ? 0 : errno;
        if (error && (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)))
            die_of(error == EEXIST ? ENOTDIR : error, "create the folder", path);
        *end = kept;
    }
    if (access(folder, W_OK | X_OK) != 0)
        die_of(errno, "write to the folder", folder);
    free(path);
}
