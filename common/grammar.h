/* grammar.h: sentences from rules, for corpora whose truth is known.
 *
 *     # a comment
 *     sentence = the <animal> eats the <food> . | 3: the <animal> sleeps .
 *     animal ~ = cat dog horse
 *     nation ~1.5 = korea/seoul japan/tokyo france/paris
 *     capital = <nation.2@n> is the capital of <nation.1@n> .
 *     korean = <fruit> 을/를 먹었다 .
 *
 * NAME = ALTERNATIVE | ALTERNATIVE ...
 *     An alternative is a row of words and of <NAME>s, which are replaced by a
 *     sentence of that rule.  "3:" in front makes it three times as likely as
 *     one without a weight.
 * NAME ~ = WORD WORD ...
 *     A category: one of its words, the r-th with probability proportional to
 *     1 / r^S (Zipf's law).  S stands behind the ~, or is the one given to
 *     grammar_new.
 * WORD/WORD/...
 *     In a category: the forms of one entry.  <NAME> and <NAME.1> are its first
 *     form, <NAME.2> the second.
 * <NAME.2@LABEL>
 *     Equal labels of one alternative draw the same entry of the category: that
 *     is how seoul comes to stand beside korea.
 * 은/는  을/를  으로/로
 *     In an alternative: the first form after a syllable with a final consonant,
 *     the second after one without (and 로 after a final ㄹ).
 *
 * A line that begins with a space continues the one before.  A rule may be used
 * before it is defined, but not by itself (a grammar is a tree: sentences end).
 * The order in which random numbers are drawn is the order of the text. */
#ifndef GRAMMAR_H
#define GRAMMAR_H

#include <stddef.h>

#include "rng.h"

typedef struct Grammar Grammar;

/* Reads RULES.  ZIPF is the exponent of categories that do not name their own
 * (0: all words equally likely).  Dies as a misuse with the line of RULES that
 * is wrong and what is wrong with it. */
Grammar *grammar_new(const char *rules, double zipf);
void grammar_free(Grammar *grammar);

/* The number of the rule NAME; dies if there is none. */
int grammar_rule(const Grammar *grammar, const char *name);

/* One sentence of RULE: its words, at most MOST of them, as texts that live as
 * long as GRAMMAR.  Returns how many there are; dies if there are more. */
int grammar_sentence(const Grammar *grammar, int rule, Rng *rng, const char **words, int most);

/* The same as text: words with a space between, ended by '\0', in SIZE bytes
 * (dies if it does not fit).  Returns how many words. */
int grammar_print(const Grammar *grammar, int rule, Rng *rng, char *text, size_t size);

/* Entry I's FORM-th form (1, 2, ...) of a category; NULL beyond the last entry
 * or form. */
const char *grammar_entry(const Grammar *grammar, int category, int i, int form);

enum { GRAMMAR_LONGEST = 256 }; /* no sentence has more words */

#endif
