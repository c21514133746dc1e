/* wordworld.h: a small world in English and Korean, whose truth is known.
 *
 * Twenty categories of words (people, animals, 나라, 음식, ...) that meet in
 * sentences of about eight words: a category has verbs, adjectives and places of
 * its own, a word inside it a frequency by Zipf's law.  Labs 01 and 02 count and
 * learn from it.  Korean particles are words of their own (은행 이 대출 을 ...).
 *
 * Three families of pairs hide in it, for analogies (king - man + woman):
 *     gender    man woman, king queen, ...      English
 *     young     dog puppy, cat kitten, ...      English
 *     capital   한국 서울, 일본 도쿄, ...       Korean
 * and four pairs of near synonyms, which as one-hot vectors are as foreign to
 * each other as any two words: 은행 금융, 핸드폰 스마트폰, bank finance, phone smartphone. */
#ifndef WORDWORLD_H
#define WORDWORLD_H

#include "grammar.h"

typedef struct WordWorld WordWorld;

/* ZIPF is the exponent of the categories' frequencies (1.2 is mild, 1.8 makes
 * many rare words; that of the families of pairs is always 0.7, so that each pair
 * is met often enough).  NOISE is the share of sentences that say nothing about a
 * word's category ("i saw the <any word> yesterday ."). */
WordWorld *wordworld_new(double zipf, double noise);
void wordworld_free(WordWorld *world);

/* One sentence: its words into WORDS (at most MOST; GRAMMAR_LONGEST is always
 * enough), which live as long as WORLD.  Returns how many. */
int wordworld_sentence(const WordWorld *world, Rng *rng, const char **words, int most);

/* Sentences, one a line, words with a space between, until there are at least
 * TOKENS words.  Release with free(). */
char *wordworld_text(const WordWorld *world, Rng *rng, long tokens);

/* The categories: "animals", "나라", ...; and word I of a category (NULL behind
 * the last). */
int wordworld_categories(void);
const char *wordworld_category_name(int category);
const char *wordworld_category_word(const WordWorld *world, int category, int i);
/* The category of WORD, or -1. */
int wordworld_category_of(const WordWorld *world, const char *word);
/* Whether a category's words are Korean. */
int wordworld_category_korean(int category);

/* The families of pairs: "gender", "young", "capital". */
enum { WORDWORLD_FAMILIES = 3, WORDWORLD_SYNONYMS = 4 };
const char *wordworld_family_name(int family);
/* Member FORM (1: king, dog, 한국; 2: queen, puppy, 서울) of pair I, or NULL. */
const char *wordworld_pair(const WordWorld *world, int family, int i, int form);

/* The near synonyms. */
extern const char *const wordworld_synonyms[WORDWORLD_SYNONYMS][2];

#endif
