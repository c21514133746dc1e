/* dies.h: what a program says when it ends early.
 *
 *     const char *said = DIES(1, op_add(tape, a, b));     exits with status 1
 *     ASSERT_SAYS(said, "op_add: the shape of 'b' [2]");
 *
 * The statement runs in a child of its own; the text is what it wrote to stderr
 * (the last four are kept).  Define _GNU_SOURCE before the first #include. */
#ifndef DIES_H
#define DIES_H

#include <sys/wait.h>
#include <unistd.h>

#include "die.h"
#include "test.h"

/* Under the address sanitizer impossible allocations never return. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

typedef struct {
    pid_t child;
    int pipe;
} Death;

/* Forks; in the child, whose .child is 0, stderr goes into the pipe. */
static inline Death death_begin(void)
{
    int ends[2];
    fflush(NULL);
    ck_assert_int_eq(pipe(ends), 0);
    Death death = {fork(), ends[0]};
    ck_assert_int_ge(death.child, 0);
    if (death.child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
    }
    close(ends[1]);
    return death;
}

/* Everything the child wrote, once it has ended with STATUS. */
static inline const char *death_end(Death death, int status, const char *file, int line)
{
    static char texts[4][4096];
    static int next;
    char *text = texts[next++ % 4];
    size_t length = 0;
    for (ssize_t got;
         length < sizeof texts[0] - 1 && (got = read(death.pipe, text + length, sizeof texts[0] - 1 - length)) > 0;)
        length += (size_t)got;
    text[length] = '\0';
    close(death.pipe);
    int ended;
    waitpid(death.child, &ended, 0);
    ck_assert_msg(WIFEXITED(ended) && WEXITSTATUS(ended) == status, "%s:%d: ended with %s %d, not status %d: %s", file,
                  line, WIFEXITED(ended) ? "status" : "signal", WIFEXITED(ended) ? WEXITSTATUS(ended) : ended, status,
                  text);
    return text;
}

#define DIES(status, statement)                                                                                        \
    ({                                                                                                                 \
        Death death = death_begin();                                                                                   \
        if (death.child == 0) {                                                                                        \
            (void)(statement);                                                                                         \
            _exit(77);                                                                                                 \
        }                                                                                                              \
        death_end(death, status, __FILE__, __LINE__);                                                                  \
    })

/* The message is one line, and TEXT is in it. */
static inline void assert_says(const char *said, const char *text, const char *file, int line)
{
    ck_assert_msg(strstr(said, text), "%s:%d: said \"%s\", not \"%s\"", file, line, said, text);
    ck_assert_msg(strchr(said, '\n') == said + strlen(said) - 1, "%s:%d: not one line: \"%s\"", file, line, said);
}
#define ASSERT_SAYS(said, text) assert_says(said, text, __FILE__, __LINE__)

/* The message names line LINE of this file. */
static inline void assert_says_line(const char *said, const char *file, int line)
{
    char place[256];
    snprintf(place, sizeof place, "%s:%d: ", where_file((Where){file, line}), line);
    assert_says(said, place, file, line);
}
#define ASSERT_SAYS_LINE(said, line) assert_says_line(said, __FILE__, line)

#endif
