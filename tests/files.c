/* Tests of common/files: whole files or none, whatever happens. */
#define _GNU_SOURCE
#include "files.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "scratch.h"
#include "test.h"

static void write_file(const char *path, const char *text)
{
    Output *output = output_open(path);
    fputs(text, output_stream(output));
    output_close(output);
}

static void expect_text(const char *path, const char *text)
{
    char *found = slurp(path);
    ck_assert_str_eq(found, text);
    free(found);
}

START_TEST(a_file_appears_whole)
{
    char *folder = scratch_folder();
    const char *path = in(folder, "a.txt");
    spit(path, "earlier");
    Output *output = output_open(path);
    fputs("later", output_stream(output));
    fflush(output_stream(output));
    expect_text(path, "earlier");
    ck_assert(exists(in(folder, "a.txt.part")));
    output_close(output);
    expect_text(path, "later");
    ck_assert_int_eq(entries(folder), 1);
    scratch_remove(folder);
}
END_TEST

START_TEST(a_discarded_file_leaves_the_earlier_one)
{
    char *folder = scratch_folder();
    spit(in(folder, "a.txt"), "earlier");
    Output *output = output_open(in(folder, "a.txt"));
    fputs("later", output_stream(output));
    output_discard(output);
    expect_text(in(folder, "a.txt"), "earlier");
    ck_assert_int_eq(entries(folder), 1);
    scratch_remove(folder);
}
END_TEST

START_TEST(a_stale_part_does_not_disturb)
{
    char *folder = scratch_folder();
    spit(in(folder, "elsewhere"), "precious");
    ck_assert_int_eq(symlink(in(folder, "elsewhere"), in(folder, "a.txt.part")), 0);
    write_file(in(folder, "a.txt"), "later");
    expect_text(in(folder, "a.txt"), "later");
    expect_text(in(folder, "elsewhere"), "precious");
    scratch_remove(folder);
}
END_TEST

/* Runs BODY(folder) in a process of its own; its stderr goes to FOLDER/stderr. */
static int run_alone(const char *folder, void (*body)(const char *), int then_signal)
{
    int ready[2];
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        /* Not into FOLDER: it may be full. */
        if (!freopen(in(folder, "../stderr"), "w", stderr))
            _exit(98);
        dup2(ready[1], 100);
        close(ready[0]);
        close(ready[1]);
        cleanup_on_exit();
        body(folder);
        exit(0);
    }
    close(ready[1]);
    char byte;
    if (then_signal && read(ready[0], &byte, 1) == 1)
        kill(child, then_signal);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    close(ready[0]);
    return status;
}

static void ready(void)
{
    if (write(100, "x", 1) != 1)
        _exit(97);
}

static void half_written(const char *folder)
{
    Output *output = output_open(in(folder, "a.txt"));
    fputs("half", output_stream(output));
    fflush(output_stream(output));
    ready();
    pause();
}

/* FOLDER/deep, so that FOLDER/stderr is not in it. */
static char *deep(const char *folder)
{
    char *path = path_join(folder, "deep", "");
    folder_create(path);
    return path;
}

START_TEST(signals_leave_the_earlier_file)
{
    static const int deadly[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) {
        char *folder = scratch_folder(), *inside = deep(folder);
        spit(in(inside, "a.txt"), "earlier");
        int status = run_alone(inside, half_written, deadly[i]);
        ck_assert(WIFSIGNALED(status));
        ck_assert_int_eq(WTERMSIG(status), deadly[i]);
        expect_text(in(inside, "a.txt"), "earlier");
        ck_assert_int_eq(entries(inside), 1);
        free(inside);
        scratch_remove(folder);
    }
}
END_TEST

static void half_written_and_exit(const char *folder)
{
    Output *output = output_open(in(folder, "a.txt"));
    fputs("half", output_stream(output));
    exit(1);
}

START_TEST(an_early_exit_leaves_the_earlier_file)
{
    char *folder = scratch_folder(), *inside = deep(folder);
    spit(in(inside, "a.txt"), "earlier");
    int status = run_alone(inside, half_written_and_exit, 0);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    expect_text(in(inside, "a.txt"), "earlier");
    ck_assert_int_eq(entries(inside), 1);
    free(inside);
    scratch_remove(folder);
}
END_TEST

/* A helper program that would write into the folder for ever. */
static void with_a_helper(const char *folder)
{
    const char *path = in(folder, "picture.part");
    cleanup_add_file(path);
    pid_t helper = fork();
    if (helper == 0) {
        for (;;)
            spit(path, "x");
    }
    cleanup_add_process(helper);
    while (!exists(path))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    spit(in(folder, "../helper"), "");
    FILE *note = fopen(in(folder, "../helper"), "w");
    fprintf(note, "%d", (int)helper);
    fclose(note);
    ready();
    pause();
}

START_TEST(helpers_do_not_outlive_a_signal)
{
    char *folder = scratch_folder(), *inside = deep(folder);
    int status = run_alone(inside, with_a_helper, SIGINT);
    ck_assert(WIFSIGNALED(status));
    char *helper = slurp(in(folder, "helper"));
    ck_assert_int_gt(atoi(helper), 1);
    ck_assert_int_eq(kill(atoi(helper), 0), -1);
    ck_assert_int_eq(entries(inside), 0);
    free(helper);
    free(inside);
    scratch_remove(folder);
}
END_TEST

/* At any moment: the signal comes after a time that differs from run to run. */
static void write_for_ever(const char *folder)
{
    ready();
    for (int i = 0;; i++) {
        Output *output = output_open(in(folder, i % 2 ? "a.txt" : "b.txt"));
        for (int line = 0; line < 20000; line++)
            fputs("0123456789\n", output_stream(output));
        output_close(output);
    }
}

START_TEST(a_signal_at_any_moment)
{
    signal(SIGTERM, SIG_DFL); /* Check's own would end this test too */
    for (int i = 0; i < 40; i++) {
        char *folder = scratch_folder(), *inside = deep(folder);
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            cleanup_on_exit();
            dup2(open("/dev/null", O_WRONLY), 100);
            write_for_ever(inside);
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000L * (i % 20) + 137000L * i}, NULL);
        kill(child, SIGTERM);
        int status;
        waitpid(child, &status, 0);
        for (int f = 0; f < 2; f++) {
            struct stat size;
            if (stat(in(inside, f ? "a.txt" : "b.txt"), &size) == 0)
                ck_assert_int_eq(size.st_size, 20000 * 11);
        }
        ck_assert(!exists(in(inside, "a.txt.part")) && !exists(in(inside, "b.txt.part")));
        free(inside);
        scratch_remove(folder);
    }
}
END_TEST

/* ---- what cannot be written ---- */

static void expect_refusal(const char *folder, void (*body)(const char *), const char *reason)
{
    int status = run_alone(folder, body, 0);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    char *message = slurp(in(folder, "../stderr"));
    ck_assert_msg(strstr(message, reason) != NULL, "no \"%s\" in: %s", reason, message);
    ck_assert_msg(strstr(message, "--out") != NULL, "says not what to do: %s", message);
    char *newline = strchr(message, '\n');
    ck_assert_msg(newline && newline[1] == '\0', "not one line: %s", message);
    free(message);
}

static void write_big(const char *folder)
{
    Output *output = output_open(in(folder, "a.txt"));
    for (int i = 0; i < 200000; i++)
        fprintf(output_stream(output), "line %d of a file too large\n", i);
    output_close(output);
}

START_TEST(a_full_disk)
{
    char *folder = scratch_folder(), *inside = deep(folder);
    if (mount("none", inside, "tmpfs", 0, "size=64k") == 0) {
        spit(in(inside, "a.txt"), "earlier");
        expect_refusal(inside, write_big, "No space left on device");
        expect_text(in(inside, "a.txt"), "earlier");
        ck_assert_int_eq(entries(inside), 1);
        ck_assert_int_eq(umount(inside), 0);
    }
    free(inside);
    scratch_remove(folder);
}
END_TEST

static void write_beyond_the_limit(const char *folder)
{
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){65536, 65536});
    write_big(folder);
}

START_TEST(a_file_size_limit)
{
    char *folder = scratch_folder(), *inside = deep(folder);
    spit(in(inside, "a.txt"), "earlier");
    expect_refusal(inside, write_beyond_the_limit, "File too large");
    expect_text(in(inside, "a.txt"), "earlier");
    ck_assert_int_eq(entries(inside), 1);
    free(inside);
    scratch_remove(folder);
}
END_TEST

static void write_small(const char *folder)
{
    write_file(in(folder, "a.txt"), "x");
}

static void create_inside_a_file(const char *folder)
{
    folder_create(in(folder, "file/01_onehot"));
}

static void create_in_place_of_a_file(const char *folder)
{
    folder_create(in(folder, "file"));
}

START_TEST(a_file_in_place_of_a_folder)
{
    char *folder = scratch_folder(), *inside = deep(folder);
    spit(in(inside, "file"), "precious");
    expect_refusal(inside, create_inside_a_file, "Not a directory");
    expect_refusal(inside, create_in_place_of_a_file, "Not a directory");
    expect_text(in(inside, "file"), "precious");
    free(inside);
    scratch_remove(folder);
}
END_TEST

START_TEST(a_folder_in_place_of_a_file)
{
    char *folder = scratch_folder(), *inside = deep(folder);
    folder_create(in(inside, "a.txt"));
    expect_refusal(inside, write_small, "Is a directory");
    ck_assert_int_eq(entries(inside), 1);
    free(inside);
    scratch_remove(folder);
}
END_TEST

static void create_here(const char *folder)
{
    folder_create(folder);
}

START_TEST(a_read_only_file_system)
{
    char *folder = scratch_folder(), *inside = deep(folder);
    if (mount("none", inside, "tmpfs", MS_RDONLY, "size=64k") == 0) {
        expect_refusal(inside, write_small, "Read-only file system");
        expect_refusal(inside, create_here, "Read-only file system");
        ck_assert_int_eq(umount(inside), 0);
    }
    free(inside);
    scratch_remove(folder);
}
END_TEST

START_TEST(a_folder_without_permission)
{
    char *folder = scratch_folder(), *inside = deep(folder);
    chmod(inside, 0555);
    if (getuid() != 0) { /* permissions do not bind root */
        expect_refusal(inside, write_small, "Permission denied");
        expect_refusal(inside, create_here, "Permission denied");
    }
    chmod(inside, 0755);
    free(inside);
    scratch_remove(folder);
}
END_TEST

START_TEST(a_folder_that_is_gone)
{
    char *folder = scratch_folder(), *inside = deep(folder);
    rmdir(inside);
    pid_t child = fork();
    if (child == 0) {
        if (!freopen(in(folder, "stderr"), "w", stderr))
            _exit(98);
        write_small(inside);
    }
    int status;
    waitpid(child, &status, 0);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    char *message = slurp(in(folder, "stderr"));
    ck_assert(strstr(message, "No such file or directory"));
    free(message);
    free(inside);
    scratch_remove(folder);
}
END_TEST

START_TEST(folders_with_parents)
{
    char *folder = scratch_folder();
    folder_create(in(folder, "a//b/c/"));
    folder_create(in(folder, "a/b/c"));
    ck_assert(exists(in(folder, "a/b/c")));
    scratch_remove(folder);
}
END_TEST

START_TEST(paths)
{
    char *path = path_join("outputs/", "trace", ".txt");
    ck_assert_str_eq(path, "outputs/trace.txt");
    free(path);
    path = path_join("outputs", "trace", "");
    ck_assert_str_eq(path, "outputs/trace");
    free(path);
}
END_TEST

static void too_many_files(const char *folder)
{
    char name[32];
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "f%d", i);
        output_open(in(folder, name));
    }
}

static void too_many_processes(const char *folder)
{
    (void)folder;
    for (int i = 0; i < 70; i++) {
        pid_t helper = fork();
        if (helper == 0)
            for (;;)
                pause();
        cleanup_add_process(helper);
    }
}

START_TEST(more_than_can_be_registered)
{
    char *folder = scratch_folder(), *inside = deep(folder);
    ck_assert_int_eq(WEXITSTATUS(run_alone(inside, too_many_files, 0)), 1);
    char *message = slurp(in(folder, "stderr"));
    ck_assert_msg(strstr(message, "more than 256 files are being written at once"), "%s", message);
    ck_assert_int_eq(entries(inside), 0);
    free(message);
    ck_assert_int_eq(WEXITSTATUS(run_alone(inside, too_many_processes, 0)), 1);
    message = slurp(in(folder, "stderr"));
    ck_assert_msg(strstr(message, "more than 64 helper programs are running at once"), "%s", message);
    free(message);
    free(inside);
    scratch_remove(folder);
}
END_TEST

static void a_long_name(const char *folder)
{
    char name[301] = "";
    memset(name, 'x', sizeof name - 1);
    output_open(in(folder, name));
}

START_TEST(a_name_too_long)
{
    char *folder = scratch_folder(), *inside = deep(folder);
    expect_refusal(inside, a_long_name, "File name too long; choose a shorter path");
    free(inside);
    scratch_remove(folder);
}
END_TEST

static void a_child_that_exits(const char *folder)
{
    Output *output = output_open(in(folder, "a.txt"));
    fputs("later", output_stream(output));
    fflush(output_stream(output));
    pid_t child = fork();
    if (child == 0)
        exit(0);
    waitpid(child, NULL, 0);
    output_close(output);
}

START_TEST(a_child_leaves_its_parents_files)
{
    char *folder = scratch_folder(), *inside = deep(folder);
    int status = run_alone(inside, a_child_that_exits, 0);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    expect_text(in(inside, "a.txt"), "later");
    free(inside);
    scratch_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("files");
    test_add(suite, "a_file_appears_whole", a_file_appears_whole);
    test_add(suite, "a_discarded_file_leaves_the_earlier_one", a_discarded_file_leaves_the_earlier_one);
    test_add(suite, "a_stale_part_does_not_disturb", a_stale_part_does_not_disturb);
    test_add(suite, "signals_leave_the_earlier_file", signals_leave_the_earlier_file);
    test_add(suite, "an_early_exit_leaves_the_earlier_file", an_early_exit_leaves_the_earlier_file);
    test_add(suite, "helpers_do_not_outlive_a_signal", helpers_do_not_outlive_a_signal);
    test_add(suite, "a_signal_at_any_moment", a_signal_at_any_moment);
    test_add(suite, "a_full_disk", a_full_disk);
    test_add(suite, "a_file_size_limit", a_file_size_limit);
    test_add(suite, "a_file_in_place_of_a_folder", a_file_in_place_of_a_folder);
    test_add(suite, "a_folder_in_place_of_a_file", a_folder_in_place_of_a_file);
    test_add(suite, "a_read_only_file_system", a_read_only_file_system);
    test_add(suite, "a_folder_without_permission", a_folder_without_permission);
    test_add(suite, "a_folder_that_is_gone", a_folder_that_is_gone);
    test_add(suite, "folders_with_parents", folders_with_parents);
    test_add(suite, "paths", paths);
    test_add(suite, "more_than_can_be_registered", more_than_can_be_registered);
    test_add(suite, "a_name_too_long", a_name_too_long);
    test_add(suite, "a_child_leaves_its_parents_files", a_child_leaves_its_parents_files);
    return test_run(suite);
}
