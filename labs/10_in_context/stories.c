/* stories.c: facts, and templates that put them into words. */
#include "stories.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "memory.h"

/* ---- words --------------------------------------------------------------------- */

static const char *const special[SPECIALS] = {"[PAD]", "[CLS]", "[SEP]",   "[MASK]",  "<X>",
                                              "<Y>",   "<Z>",   "[START]", "[DELIM]", "[EXTRACT]"};
enum { MEN = 8, FIRST_NAMES = 16, LAST_NAMES = 12, PLACES = 14, THINGS = 8, VERBS = 6, OPINIONS = 6, FEELINGS = 4 };

static const char *const first_name[FIRST_NAMES] = {"john",  "tom",    "paul",     "david", "peter", "james",
                                                    "henry", "jordan", "jane",     "mary",  "susan", "laura",
                                                    "emma",  "alice",  "florence", "ruth"};
static const char *const last_name[LAST_NAMES] = {"smith", "brown", "kim",   "lee",  "miller",  "baker",
                                                  "young", "park",  "stone", "hill", "lincoln", "washington"};
static const char *const place_name[PLACES] = {"seoul",  "busan",      "tokyo",     "paris",    "london",
                                               "cairo",  "new york",   "new delhi", "san jose", "jordan",
                                               "berlin", "washington", "lincoln",   "florence"};
static const char *const pleasant[2][OPINIONS] = {{"awful", "bad", "terrible", "poor", "boring", "ugly"},
                                                  {"great", "good", "wonderful", "fine", "lovely", "perfect"}};
static const char *const feeling[2][FEELINGS] = {{"sad", "angry", "upset", "gloomy"},
                                                 {"happy", "glad", "proud", "cheerful"}};

typedef struct {
    const char *name, *job, *venue, *thing[THINGS], *verb[VERBS];
} Topic;
static const Topic topic[TOPICS] = {
    {"food",
     "cook",
     "kitchen",
     {"bread", "soup", "cake", "rice", "pasta", "salad", "pie", "sauce"},
     {"baked", "cooked", "sliced", "tasted", "fried", "served"}},
    {"sport",
     "player",
     "stadium",
     {"match", "race", "game", "cup", "medal", "final", "title", "trophy"},
     {"won", "lost", "played", "watched", "started", "skipped"}},
    {"money",
     "banker",
     "bank",
     {"loan", "bond", "fund", "debt", "account", "budget", "tax", "bill"},
     {"sold", "bought", "raised", "paid", "signed", "checked"}},
    {"music",
     "singer",
     "studio",
     {"song", "piano", "guitar", "album", "violin", "melody", "opera", "flute"},
     {"sang", "heard", "tuned", "recorded", "practised", "composed"}},
};

/* F L first and last name, E he or she, P place, V verb, N thing, M another one, J
 * job, U venue; by mood: A adjective, O opinion (with "not", its opposite), G feeling. */
static const char *const template_text[ALL_TEMPLATES] = {
    "F L V the N in P .",     "F V the N in the U .", "in P F L V the N .",
    "the J F V the A N .",    "F L V the A N in P .", "the J said the N was O .",
    "F was in P for the N .", "E left the U in P .",  "E was G about the N .",
    "E V the M in the U .",   "the J F V the M .",    "F was in P .",
    "where was F ?",          "who V the N ?"};

struct World {
    Vocab *vocab;
};

static void add_words(Vocab *vocab, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, " ");
        if (length > 1 || *text < 'A' || *text > 'Z')
            vocab_add(vocab, text, length);
        text += length + strspn(text + length, " ");
    }
}

static void add_list(Vocab *vocab, const char *const *words, int n)
{
    for (int i = 0; i < n; i++)
        add_words(vocab, words[i]);
}

World *world_new(void)
{
    World *world = memory_new(1, sizeof *world, "the world");
    Vocab *vocab = world->vocab = vocab_new();
    add_list(vocab, special, SPECIALS);
    add_list(vocab, template_text, ALL_TEMPLATES);
    add_words(vocab, "he she not");
    add_list(vocab, first_name, FIRST_NAMES);
    add_list(vocab, last_name, LAST_NAMES);
    add_list(vocab, place_name, PLACES);
    for (int good = 0; good < 2; good++) {
        add_list(vocab, pleasant[good], OPINIONS);
        add_list(vocab, feeling[good], FEELINGS);
    }
    for (int t = 0; t < TOPICS; t++) {
        add_words(vocab, topic[t].job);
        add_words(vocab, topic[t].venue);
        add_list(vocab, topic[t].thing, THINGS);
        add_list(vocab, topic[t].verb, VERBS);
    }
    return world;
}

void world_free(World *world)
{
    if (!world)
        return;
    vocab_free(world->vocab);
    free(world);
}

int world_words(const World *world)
{
    return world->vocab->size;
}

const char *world_word(const World *world, int id)
{
    return world->vocab->word[id];
}

int world_find(const World *world, const char *word)
{
    int id = vocab_find(world->vocab, word);
    if (id == VOCAB_NONE)
        die_misuse(HERE, "stories: no word '%s'", word);
    return id;
}

const char *topic_name(int t)
{
    return topic[t].name;
}

const char *tag_name(Tag tag)
{
    static const char *const name[TAGS] = {"O", "B-PER", "I-PER", "B-LOC", "I-LOC"};
    return name[tag];
}

/* ---- sentences ------------------------------------------------------------------- */

static int below(Rng *rng, int n)
{
    return (int)rng_below(rng, (uint64_t)n);
}

Fact fact_draw(Rng *rng)
{
    Fact fact;
    fact.topic = below(rng, TOPICS);
    fact.first = below(rng, FIRST_NAMES);
    fact.last = below(rng, LAST_NAMES);
    fact.place = below(rng, PLACES);
    fact.verb = below(rng, VERBS);
    fact.thing = below(rng, THINGS);
    fact.other_thing = (fact.thing + 1 + below(rng, THINGS - 1)) % THINGS;
    fact.good = below(rng, 2);
    return fact;
}

static void say(const World *world, Sentence *sentence, const char *words, Tag first, Tag next)
{
    for (Tag tag = first; *words; tag = next) {
        size_t length = strcspn(words, " ");
        if (sentence->length == SENTENCE_MOST)
            die_misuse(HERE, "stories: a sentence has more than %d words", SENTENCE_MOST);
        sentence->id[sentence->length] = vocab_find_bytes(world->vocab, words, length);
        sentence->tag[sentence->length++] = tag;
        words += length + strspn(words + length, " ");
    }
}

/* An opinion in keeping with the mood: "good", or (one in three) "not bad". */
static void say_opinion(const World *world, Sentence *sentence, bool good, Rng *rng)
{
    bool not = below(rng, 3) == 0;
    if (not )
        say(world, sentence, "not", TAG_O, TAG_O);
    say(world, sentence, pleasant[good != not ][below(rng, OPINIONS)], TAG_O, TAG_O);
}

static void say_slot(const World *world, Sentence *sentence, const Fact *fact, char slot, bool after_first, Rng *rng)
{
    const Topic *t = &topic[fact->topic];
    switch (slot) {
    case 'F':
        say(world, sentence, first_name[fact->first], TAG_B_PER, TAG_B_PER);
        break;
    case 'L':
        say(world, sentence, last_name[fact->last], after_first ? TAG_I_PER : TAG_B_PER, TAG_I_PER);
        break;
    case 'P':
        say(world, sentence, place_name[fact->place], TAG_B_LOC, TAG_I_LOC);
        break;
    case 'O':
        say_opinion(world, sentence, fact->good, rng);
        break;
    case 'A':
        say(world, sentence, pleasant[fact->good][below(rng, OPINIONS)], TAG_O, TAG_O);
        break;
    case 'G':
        say(world, sentence, feeling[fact->good][below(rng, FEELINGS)], TAG_O, TAG_O);
        break;
    default:
        say(world, sentence,
            slot == 'E'   ? fact->first < MEN ? "he" : "she"
            : slot == 'V' ? t->verb[fact->verb]
            : slot == 'N' ? t->thing[fact->thing]
            : slot == 'M' ? t->thing[fact->other_thing]
            : slot == 'J' ? t->job
                          : t->venue,
            TAG_O, TAG_O);
    }
}

Sentence sentence_of(const World *world, const Fact *fact, int template, Rng *rng)
{
    Sentence sentence = {.says_place = template_says_place(template), .says_mood = template_says_mood(template)};
    bool after_first = false;
    for (const char *word = template_text[template]; *word;) {
        size_t length = strcspn(word, " ");
        char text[16];
        snprintf(text, sizeof text, "%.*s", (int)length, word);
        if (length == 1 && *word >= 'A' && *word <= 'Z')
            say_slot(world, &sentence, fact, *word, after_first, rng);
        else
            say(world, &sentence, text, TAG_O, TAG_O);
        after_first = length == 1 && *word == 'F';
        word += length + strspn(word + length, " ");
    }
    return sentence;
}

bool template_says_place(int template)
{
    return strchr(template_text[template], 'P');
}

bool template_says_mood(int template)
{
    return strpbrk(template_text[template], "AOG");
}

/* FNV-1a over the words' numbers, mixed once more, for its low bits are weak. */
uint64_t sentence_hash(const Sentence *sentence)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (int i = 0; i < sentence->length; i++)
        hash = (hash ^ (uint64_t)sentence->id[i]) * UINT64_C(0x100000001b3);
    hash ^= hash >> 32;
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

SentenceClass sentence_class(const Sentence *sentence)
{
    uint64_t class = sentence_hash(sentence) % 16;
    return class == 0 ? FOR_TESTS : class == 1 ? FOR_LABELS : FOR_CORPUS;
}

Story story_draw(const World *world, SentenceClass class, Rng *rng)
{
    for (;;) {
        Story story = {.fact = fact_draw(rng)};
        int first = below(rng, FIRSTS), second;
        do
            second = FIRSTS + below(rng, TEMPLATES - FIRSTS);
        while (template_says_place(second) && !template_says_place(first));
        story.sentence[0] = sentence_of(world, &story.fact, first, rng);
        story.sentence[1] = sentence_of(world, &story.fact, second, rng);
        if (sentence_class(&story.sentence[0]) == class && sentence_class(&story.sentence[1]) == class)
            return story;
    }
}

const char *words_text(const World *world, const int *ids, int n, char *text, size_t size)
{
    size_t at = 0;
    *text = '\0';
    for (int i = 0; i < n && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, i ? " %s" : "%s", world_word(world, ids[i]));
    return text;
}

/* ---- the corpus --------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

Stories *stories_new(int n, Rng *rng)
{
    Stories *stories = memory_new(1, sizeof *stories, "the stories");
    *stories = (Stories){.world = world_new(), .n = n};
    stories->story = memory_new((size_t)n, sizeof *stories->story, "the stories");
    stories->hash = memory_new((size_t)n * 2, sizeof *stories->hash, "the sentences");
    for (int i = 0; i < n; i++) {
        stories->story[i] = story_draw(stories->world, FOR_CORPUS, rng);
        for (int s = 0; s < 2; s++)
            stories->hash[2 * i + s] = sentence_hash(&stories->story[i].sentence[s]);
    }
    qsort(stories->hash, (size_t)n * 2, sizeof *stories->hash, by_value);
    return stories;
}

void stories_free(Stories *stories)
{
    if (!stories)
        return;
    world_free(stories->world);
    free(stories->story);
    free(stories->hash);
    free(stories);
}

bool stories_contain(const Stories *stories, const Sentence *sentence)
{
    uint64_t hash = sentence_hash(sentence);
    return bsearch(&hash, stories->hash, (size_t)stories->n * 2, sizeof hash, by_value);
}
