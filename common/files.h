/* files.h: writing files so that nobody ever reads half of one.
 *
 * A file is written beside its final place, as NAME.part, and renamed when it
 * is complete.  Whatever ends the run early (an error, Ctrl-C) removes the
 * .part files and leaves the earlier NAME whole. */
#ifndef FILES_H
#define FILES_H

#include <stdio.h>
#include <sys/types.h>

/* A file on its way. */
typedef struct Output Output;

/* Begins to write PATH.  Dies with the path and the reason if it cannot. */
Output *output_open(const char *path);

/* The stream to print to. */
FILE *output_stream(Output *output);

/* Completes the file: flushes, checks every write, renames.  Dies, and removes
 * the part, if anything failed (a full disk). */
void output_close(Output *output);

/* Gives the file up; the earlier one stays. */
void output_discard(Output *output);

/* Creates FOLDER and its parents where they are missing; dies if it cannot. */
void folder_create(const char *folder);

/* "FOLDER/NAME" + SUFFIX in memory of its own; release with free(). */
char *path_join(const char *folder, const char *name, const char *suffix);

/* Registers a path that has to be removed if the run ends early, for files that
 * another process writes (gnuplot's PNG).  PATH is copied. */
void cleanup_add_file(const char *path);
void cleanup_drop_file(const char *path);

/* Registers a child process that must not outlive this one. */
void cleanup_add_process(pid_t process);
void cleanup_drop_process(pid_t process);

/* Removes the registered files and stops the registered processes at exit and
 * on SIGINT, SIGTERM, SIGHUP.  Called once, by the frame of a lab. */
void cleanup_on_exit(void);

#endif
