/* Tests of common/progress: a bar on a terminal, nothing anywhere else. */
#define _GNU_SOURCE
#include "progress.h"

#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "test.h"

enum { COLUMNS = 76 };

static double shown_for; /* seconds, at least what the bar itself has measured */

/* What stderr gets: on a terminal 76 columns wide, or through a pipe. */
static const char *shown_on(bool terminal, bool enabled, const char *no_colour)
{
    static char seen[65536];
    size_t size = 0;
    int ends[2];
    struct winsize window = {.ws_row = 24, .ws_col = COLUMNS};
    if (terminal)
        ck_assert_int_eq(openpty(&ends[0], &ends[1], NULL, NULL, &window), 0);
    else
        ck_assert_int_eq(pipe(ends), 0);
    double began = clock_seconds();
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        setenv("TERM", "xterm", 1);
        unsetenv("NO_COLOR");
        if (no_colour)
            setenv("NO_COLOR", no_colour, 1);
        Progress *progress = progress_new(enabled);
        progress_begin(progress, "training", 200);
        for (int i = 0; i < 200; i++) {
            nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
            progress_update(progress, i, "%d words/s and a rest that is too long for the line", i);
        }
        double seconds = progress_seconds(progress);
        progress_free(progress);
        exit(seconds > 0.39 && seconds < 60 ? 0 : 1);
    }
    close(ends[1]);
    for (ssize_t got; (got = read(ends[0], seen + size, sizeof seen - 1 - size)) > 0;)
        size += (size_t)got;
    seen[size] = '\0';
    close(ends[0]);
    int status;
    waitpid(child, &status, 0);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    shown_for = clock_seconds() - began;
    return seen;
}

static int occurrences(const char *text, const char *word)
{
    int count = 0;
    for (; (text = strstr(text, word)); text++)
        count++;
    return count;
}

START_TEST(a_bar_on_a_terminal)
{
    const char *seen = shown_on(true, true, NULL);
    int drawn = occurrences(seen, "\rtraining ");
    ck_assert_msg(drawn >= 2 && drawn <= 1 + 10 * shown_for, "drawn %d times in %.2f s, at most ten a second", drawn,
                  shown_for);
    ck_assert(strstr(seen, " left  "));
    ck_assert(strstr(seen, "words/s and"));
    ck_assert(!strstr(seen, "too long for the line")); /* cut at the edge */
    const char *last = seen + strlen(seen) - strlen("\r\033[K");
    ck_assert_str_eq(last, "\r\033[K"); /* removed at the end */
}
END_TEST

START_TEST(nothing_anywhere_else)
{
    ck_assert_str_eq(shown_on(false, true, NULL), "");
    ck_assert_str_eq(shown_on(true, false, NULL), "");
    ck_assert_str_eq(shown_on(true, true, "1"), "");
}
END_TEST

START_TEST(odd_amounts_of_work)
{
    Progress *progress = progress_new(true);
    progress_update(progress, 1, "%s", "before begin");
    progress_begin(progress, "nothing to do", 0);
    progress_update(progress, 1, "%s", "");
    progress_begin(progress, "a name longer than a line should ever be, and then some more of it to be cut", -1);
    progress_update(progress, 1e300, "%s", "");
    progress_end(progress);
    progress_end(progress);
    progress_free(progress);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("progress");
    test_add(suite, "a_bar_on_a_terminal", a_bar_on_a_terminal);
    test_add(suite, "nothing_anywhere_else", nothing_anywhere_else);
    test_add(suite, "odd_amounts_of_work", odd_amounts_of_work);
    return test_run(suite);
}
