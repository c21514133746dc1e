/* stories.h: the generated corpus that steps 1 to 3 learn from.
 *
 *     jane smith sliced the fresh bread in new york .  she said the bread was not awful .
 *
 * A story is two sentences about one fact: somebody (first and last name) did
 * something to a thing of one of four topics, perhaps in a place, in a good or a
 * bad mood.  The second sentence says nothing that contradicts the first: the
 * same person (he for men), place and thing, words of the same topic, the same
 * mood.  Some names are also places (jordan, washington), so that a word alone
 * does not say what it is.
 *
 * Every sentence belongs to one of 16 classes by a hash of its words.  Class 0 is
 * for tests, class 1 for labelled examples, the other 14 for the corpus: whatever
 * is tested was never pretrained on. */
#ifndef STORIES_H
#define STORIES_H

#include <stdbool.h>

#include "rng.h"
#include "vocab.h"

/* The words with a meaning of their own; real words begin at SPECIALS. */
enum { PAD, CLS, SEP, MASK, SPAN_X, SPAN_Y, SPAN_Z, START, DELIM, EXTRACT, SPECIALS };

enum { TOPICS = 4, SENTENCE_MOST = 12, STORY_MOST = 2 * SENTENCE_MOST };
typedef enum { TAG_O, TAG_B_PER, TAG_I_PER, TAG_B_LOC, TAG_I_LOC, TAGS } Tag;
typedef enum { FOR_TESTS, FOR_LABELS, FOR_CORPUS } SentenceClass;

/* What a story is about; the numbers count words of a category. */
typedef struct {
    int topic, first, last, place, verb, thing, other_thing;
    bool good; /* the mood */
} Fact;

typedef struct {
    int length, id[SENTENCE_MOST];
    Tag tag[SENTENCE_MOST];
    bool says_place, says_mood;
} Sentence;

typedef struct {
    Fact fact;
    Sentence sentence[2];
} Story;

typedef struct World World;
World *world_new(void);
void world_free(World *world);
int world_words(const World *world); /* the vocabulary's size */
const char *world_word(const World *world, int id);
int world_find(const World *world, const char *word); /* dies if there is none */
const char *topic_name(int topic);
const char *tag_name(Tag tag);

Fact fact_draw(Rng *rng);

/* The first sentences: templates 0 to FIRSTS-1; the second ones: FIRSTS to
 * TEMPLATES-1; behind them what only labelled sets say. */
enum { FIRSTS = 5, TEMPLATES = 11, HYPOTHESIS = TEMPLATES, WHERE_QUESTION, WHO_QUESTION, ALL_TEMPLATES };

/* FACT said in the words of a template. */
Sentence sentence_of(const World *world, const Fact *fact, int template, Rng *rng);
bool template_says_place(int template);
bool template_says_mood(int template);

SentenceClass sentence_class(const Sentence *sentence);
uint64_t sentence_hash(const Sentence *sentence);

/* A story both of whose sentences are of that class. */
Story story_draw(const World *world, SentenceClass class, Rng *rng);

/* "the ball was good ." into TEXT. */
const char *words_text(const World *world, const int *ids, int n, char *text, size_t size);

/* All stories that pretraining reads. */
typedef struct Stories {
    World *world;
    int n;
    Story *story;
    uint64_t *hash; /* of its sentences, sorted: for stories_contain */
} Stories;
/* Makes a world of its own, too. */
Stories *stories_new(int n, Rng *rng);
void stories_free(Stories *stories);
bool stories_contain(const Stories *stories, const Sentence *sentence);

#endif
