/* corpus.h: reading a text of any size, line by line, in bounded memory.
 *
 * A line is a sentence; a line with more words than the caller has room for is
 * several.  The file is read in blocks and checked as UTF-8 on the way: the
 * first bad byte ends the program with the file's name and the byte's offset,
 * unless bad bytes are to be replaced (each by U+FFFD, as --replace-bad-bytes
 * asks).  A '\0' is never text: the file is binary.  A byte-order mark is
 * skipped; "\r\n" ends a line as "\n" does; the last line needs no end. */
#ifndef CORPUS_H
#define CORPUS_H

#include <stdbool.h>
#include <stdint.h>

#include "vocab.h"

typedef struct Corpus Corpus;

/* Opens FILE for reading.  Dies on a missing or unreadable file, a folder,
 * whatever else is not a plain file, or a file without bytes. */
Corpus *corpus_open(const char *file, bool replace_bad_bytes);

/* A corpus in memory: TEXT must outlive it.  NAME is for messages. */
Corpus *corpus_from_text(const char *name, const char *text, bool replace_bad_bytes);

void corpus_close(Corpus *corpus); /* NULL is fine */

/* Back to the first line. */
void corpus_rewind(Corpus *corpus);

/* Bytes in all, and bytes used since the last rewind. */
uint64_t corpus_bytes(const Corpus *corpus);
uint64_t corpus_position(const Corpus *corpus);

/* Counts the words from here to the end into VOCAB.  Dies if there are none. */
void corpus_count(Corpus *corpus, Vocab *vocab);

/* As corpus_count from the first line on, but holds at most MOST words (at least 1)
 * at a time, for texts whose rare words would fill the memory: whenever there
 * are more, the words seen once since they came are forgotten; the next time
 * those seen at most twice, and so on (ReduceVocab of word2vec.c).  A second
 * pass then counts what is left, so that every count is exact.  Returns how
 * often a word may stand in the text and yet be missing: 0, nothing was
 * forgotten; after n times it is 1 + 2 + ... + n. */
uint64_t corpus_count_frequent(Corpus *corpus, Vocab *vocab, int most);

/* The next sentence as word numbers: at most MOST of them into IDS, words that
 * are not in VOCAB left out (or, with UNKNOWN >= 0, replaced by UNKNOWN).
 * Returns how many, 0 for an empty line, or -1 at the end. */
int corpus_sentence(Corpus *corpus, const Vocab *vocab, int unknown, int *ids, int most);

/* For tests: goes back to the first line and reads SIZE bytes at a time from
 * there (1 or more; the default is a megabyte).  Nothing but speed depends on it. */
void corpus_block_size(Corpus *corpus, size_t size);

#endif
