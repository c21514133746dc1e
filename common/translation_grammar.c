/* translation_grammar.c: the words, and how they become two sentences at once. */
#include "translation_grammar.h"

#include <string.h>

#include "die.h"

/* What a noun is; adjectives and verbs choose by it. */
enum {
    PERSON = 1,
    ANIMAL = 2,
    DRINK = 4,
    FOOD = 8,
    CAKE = 16, /* food that is counted */
    THING = 32,
    ALIVE = PERSON | ANIMAL,
    EATEN = FOOD | CAKE,
    GOODS = ANIMAL | DRINK | EATEN | THING,
    ANY = ALIVE | GOODS,
    SOLID = ALIVE | CAKE | THING,
    COLOURED = GOODS,
    PAINTED = ANIMAL | CAKE | THING,
};
enum { SINGULAR, PLURAL };
enum { MASCULINE, FEMININE };

typedef struct {
    const char *english[2]; /* the plural is NULL where the noun is not counted */
    const char *french[2];
    int gender, kind;
} Noun;

static const Noun nouns[] = {
    {{"cat", "cats"}, {"chat", "chats"}, MASCULINE, ANIMAL},
    {{"dog", "dogs"}, {"chien", "chiens"}, MASCULINE, ANIMAL},
    {{"bird", "birds"}, {"oiseau", "oiseaux"}, MASCULINE, ANIMAL},
    {{"horse", "horses"}, {"cheval", "chevaux"}, MASCULINE, ANIMAL},
    {{"cow", "cows"}, {"vache", "vaches"}, FEMININE, ANIMAL},
    {{"mouse", "mice"}, {"souris", "souris"}, FEMININE, ANIMAL},
    {{"man", "men"}, {"homme", "hommes"}, MASCULINE, PERSON},
    {{"woman", "women"}, {"femme", "femmes"}, FEMININE, PERSON},
    {{"boy", "boys"}, {"garçon", "garçons"}, MASCULINE, PERSON},
    {{"girl", "girls"}, {"fille", "filles"}, FEMININE, PERSON},
    {{"child", "children"}, {"enfant", "enfants"}, MASCULINE, PERSON},
    {{"milk", NULL}, {"lait", NULL}, MASCULINE, DRINK},
    {{"water", NULL}, {"eau", NULL}, FEMININE, DRINK},
    {{"coffee", NULL}, {"café", NULL}, MASCULINE, DRINK},
    {{"beer", NULL}, {"bière", NULL}, FEMININE, DRINK},
    {{"bread", NULL}, {"pain", NULL}, MASCULINE, FOOD},
    {{"soup", NULL}, {"soupe", NULL}, FEMININE, FOOD},
    {{"cheese", NULL}, {"fromage", NULL}, MASCULINE, FOOD},
    {{"apple", "apples"}, {"pomme", "pommes"}, FEMININE, CAKE},
    {{"cake", "cakes"}, {"gâteau", "gâteaux"}, MASCULINE, CAKE},
    {{"house", "houses"}, {"maison", "maisons"}, FEMININE, THING},
    {{"car", "cars"}, {"voiture", "voitures"}, FEMININE, THING},
    {{"book", "books"}, {"livre", "livres"}, MASCULINE, THING},
    {{"tree", "trees"}, {"arbre", "arbres"}, MASCULINE, THING},
    {{"flower", "flowers"}, {"fleur", "fleurs"}, FEMININE, THING},
    {{"letter", "letters"}, {"lettre", "lettres"}, FEMININE, THING},
};
enum { NOUNS = sizeof nouns / sizeof *nouns };

/* In English an adjective of a lower rank stands first: small before tired before
 * black.  In French rank 0 stands before the noun, and the others behind it, the
 * higher one nearer: "le petit chat noir", "le chat noir fatigué". */
typedef struct {
    const char *english;
    const char *french[2][2]; /* [gender][number] */
    int rank, kinds;
} Adjective;

static const Adjective adjectives[] = {
    {"small", {{"petit", "petits"}, {"petite", "petites"}}, 0, SOLID},
    {"big", {{"grand", "grands"}, {"grande", "grandes"}}, 0, SOLID},
    {"young", {{"jeune", "jeunes"}, {"jeune", "jeunes"}}, 0, ALIVE},
    {"tired", {{"fatigué", "fatigués"}, {"fatiguée", "fatiguées"}}, 1, ALIVE},
    {"happy", {{"heureux", "heureux"}, {"heureuse", "heureuses"}}, 1, ALIVE},
    {"hot", {{"chaud", "chauds"}, {"chaude", "chaudes"}}, 1, DRINK | EATEN},
    {"cold", {{"froid", "froids"}, {"froide", "froides"}}, 1, DRINK | EATEN},
    {"expensive", {{"cher", "chers"}, {"chère", "chères"}}, 1, DRINK | EATEN | THING},
    {"black", {{"noir", "noirs"}, {"noire", "noires"}}, 2, COLOURED},
    {"white", {{"blanc", "blancs"}, {"blanche", "blanches"}}, 2, COLOURED},
    {"red", {{"rouge", "rouges"}, {"rouge", "rouges"}}, 2, PAINTED},
    {"green", {{"vert", "verts"}, {"verte", "vertes"}}, 2, PAINTED},
};
enum { ADJECTIVES = sizeof adjectives / sizeof *adjectives };

typedef struct {
    const char *english, *french;
    int objects;
} Verb;

static const Verb verbs[] = {
    {"drank", "bu", DRINK},   {"ate", "mangé", EATEN},  {"saw", "vu", ANY},          {"heard", "entendu", ALIVE},
    {"found", "trouvé", ANY}, {"loved", "aimé", ANY},   {"bought", "acheté", GOODS}, {"sold", "vendu", GOODS},
    {"lost", "perdu", ANY},   {"wanted", "voulu", ANY}, {"took", "pris", GOODS},     {"followed", "suivi", ALIVE},
};
enum { VERBS = sizeof verbs / sizeof *verbs };

static const char *const conjunctions[][2] = {{"and", "et"}, {"but", "mais"}, {"because", "car"}, {"then", "puis"}};
enum { CONJUNCTIONS = sizeof conjunctions / sizeof *conjunctions };

static bool begins_with_vowel(const char *word)
{
    return strchr("aeiouh", word[0]) != NULL; /* every h here is silent: l'homme */
}

/* ---- drawing ---------------------------------------------------------------------- */

/* Holds out one in eight (and at least one) of the nouns of some KINDS. */
static void hold_out(bool held[MOST_NOUNS], int kinds, Rng *rng)
{
    int order[NOUNS], n = 0;
    for (int i = 0; i < NOUNS; i++)
        if (nouns[i].kind & kinds)
            order[n++] = i;
    rng_shuffle(rng, order, (size_t)n);
    for (int i = 0; i < (n > 15 ? n / 8 : 1); i++)
        held[order[i]] = true;
}

void combinations_draw(Combinations *combinations, Rng *rng)
{
    enum { BLACK = 8, CAT = 0 };
    *combinations = (Combinations){0};
    for (int a = 0; a < ADJECTIVES; a++)
        hold_out(combinations->adjective[a], adjectives[a].kinds, rng);
    for (int v = 0; v < VERBS; v++)
        hold_out(combinations->object[v], verbs[v].objects, rng);
    combinations->adjective[BLACK][CAT] = true; /* the lecture's sentence is never in training */
}

/* One that fits the noun, or -1 if none was met. */
static int draw_adjective(int noun, const Combinations *without, Rng *rng)
{
    enum { TRIES = 50 };
    for (int i = 0; i < TRIES; i++) {
        int a = (int)rng_below(rng, ADJECTIVES);
        if ((adjectives[a].kinds & nouns[noun].kind) && !(without && without->adjective[a][noun]))
            return a;
    }
    return -1;
}

static void draw_adjectives(NounPhrase *phrase, const Combinations *without, Rng *rng)
{
    double at = rng_uniform(rng);
    int wanted = at < 0.45 ? 0 : at < 0.85 ? 1 : 2;
    int a = wanted > 0 ? draw_adjective(phrase->noun, without, rng) : -1;
    int b = wanted > 1 ? draw_adjective(phrase->noun, without, rng) : -1;
    phrase->adjectives = 0;
    if (a >= 0)
        phrase->adjective[phrase->adjectives++] = a;
    if (a >= 0 && b >= 0 && adjectives[a].rank != adjectives[b].rank) {
        bool first = adjectives[a].rank < adjectives[b].rank;
        phrase->adjective[0] = first ? a : b;
        phrase->adjective[1] = first ? b : a;
        phrase->adjectives = 2;
    }
}

/* A noun phrase of KINDS, the object of VERB unless that is -1. */
static void draw_phrase(NounPhrase *phrase, int kinds, int verb, const Combinations *without, Rng *rng)
{
    do {
        phrase->noun = (int)rng_below(rng, NOUNS);
    } while (!(nouns[phrase->noun].kind & kinds) || (without && verb >= 0 && without->object[verb][phrase->noun]));
    bool counted = nouns[phrase->noun].english[PLURAL] != NULL;
    phrase->plural = counted && rng_chance(rng, 0.35);
    double at = rng_uniform(rng);
    if (counted)
        phrase->determiner = at < 0.6 ? THE : phrase->plural ? SOME : A;
    else
        phrase->determiner = at < 0.35 ? THE : at < 0.8 ? NO_ARTICLE : SOME;
    draw_adjectives(phrase, without, rng);
}

static void draw_verb(int *verb, NounPhrase *object, const Combinations *without, Rng *rng)
{
    *verb = (int)rng_below(rng, VERBS);
    draw_phrase(object, verbs[*verb].objects, *verb, without, rng);
}

void sentence_draw(Sentence *sentence, int clauses, const Combinations *without, Rng *rng)
{
    sentence->clauses = clauses;
    for (int c = 0; c < clauses; c++) {
        Clause *clause = &sentence->clause[c];
        sentence->conjunction[c] = (int)rng_below(rng, CONJUNCTIONS);
        draw_phrase(&clause->subject, ALIVE, -1, without, rng);
        clause->relative = rng_chance(rng, 0.2);
        if (clause->relative)
            draw_verb(&clause->relative_verb, &clause->relative_object, without, rng);
        draw_verb(&clause->verb, &clause->object, without, rng);
    }
}

static int phrase_length(const NounPhrase *phrase)
{
    return (phrase->determiner != NO_ARTICLE) + phrase->adjectives + 1;
}

int sentence_length(const Sentence *sentence)
{
    int words = sentence->clauses - 1;
    for (int c = 0; c < sentence->clauses; c++) {
        const Clause *clause = &sentence->clause[c];
        words += phrase_length(&clause->subject) + 1 + phrase_length(&clause->object);
        words += clause->relative ? 2 + phrase_length(&clause->relative_object) : 0;
    }
    return words;
}

static int new_adjectives(const NounPhrase *phrase, const Combinations *held)
{
    int n = 0;
    for (int i = 0; i < phrase->adjectives; i++)
        n += held->adjective[phrase->adjective[i]][phrase->noun];
    return n;
}

int sentence_new_combinations(const Sentence *sentence, const Combinations *held)
{
    int n = 0;
    for (int c = 0; c < sentence->clauses; c++) {
        const Clause *clause = &sentence->clause[c];
        n += new_adjectives(&clause->subject, held) + new_adjectives(&clause->object, held);
        n += held->object[clause->verb][clause->object.noun];
        if (clause->relative)
            n += new_adjectives(&clause->relative_object, held) +
                 held->object[clause->relative_verb][clause->relative_object.noun];
    }
    return n;
}

/* ---- writing both sides ------------------------------------------------------------- */

typedef struct {
    const Vocab *english, *french;
    Pair *pair;
} Writer;

/* Returns the word's place. */
static int put_english(Writer *writer, const char *word)
{
    Pair *pair = writer->pair;
    if (pair->source_length == TRANSLATION_ENGLISH)
        die_misuse(HERE, "an English sentence has more than %d words", TRANSLATION_ENGLISH);
    pair->source[pair->source_length] = (int16_t)vocab_find(writer->english, word);
    return pair->source_length++;
}

static void put_french(Writer *writer, const char *word, FrenchKind kind, int aligned, int governed)
{
    Pair *pair = writer->pair;
    if (pair->target_length == TRANSLATION_FRENCH)
        die_misuse(HERE, "a French sentence has more than %d words", TRANSLATION_FRENCH);
    int at = pair->target_length++;
    pair->target[at] = (int16_t)vocab_find(writer->french, word);
    pair->aligned[at] = (int8_t)aligned;
    pair->governed[at] = (int8_t)governed;
    pair->kind[at] = (uint8_t)kind;
}

static const char *french_adjective(const NounPhrase *phrase, int i)
{
    return adjectives[phrase->adjective[i]].french[nouns[phrase->noun].gender][phrase->plural];
}

static bool before_noun(const NounPhrase *phrase, int i)
{
    return i < phrase->adjectives && adjectives[phrase->adjective[i]].rank == 0;
}

/* le la l' les, un une des de, du de la de l': by gender, number, and what follows. */
static void put_article(Writer *writer, const NounPhrase *phrase, int aligned, int noun)
{
    int gender = nouns[phrase->noun].gender;
    const char *next =
        before_noun(phrase, 0) ? french_adjective(phrase, 0) : nouns[phrase->noun].french[phrase->plural];
    const char *definite = begins_with_vowel(next) ? "l'" : gender == FEMININE ? "la" : "le";
    const char *first, *second = NULL;
    if (phrase->determiner == THE) {
        first = phrase->plural ? "les" : definite;
    } else if (phrase->determiner == A) {
        first = gender == FEMININE ? "une" : "un";
    } else if (phrase->plural) {
        first = before_noun(phrase, 0) ? "de" : "des";
    } else { /* some of what is not counted */
        first = strcmp(definite, "le") == 0 ? "du" : "de";
        second = strcmp(definite, "le") == 0 ? NULL : definite;
    }
    put_french(writer, first, FRENCH_ARTICLE, aligned, noun);
    if (second)
        put_french(writer, second, FRENCH_ARTICLE, aligned, noun);
}

static const char *english_determiner(const NounPhrase *phrase, const char *next)
{
    if (phrase->determiner == A)
        return strchr("aeiou", next[0]) ? "an" : "a";
    return phrase->determiner == THE ? "the" : "some";
}

/* Returns the place of the English noun. */
static int put_phrase(Writer *writer, const NounPhrase *phrase)
{
    int determiner = -1, adjective[2] = {-1, -1};
    const char *english = nouns[phrase->noun].english[phrase->plural];
    const char *next = phrase->adjectives ? adjectives[phrase->adjective[0]].english : english;
    if (phrase->determiner != NO_ARTICLE)
        determiner = put_english(writer, english_determiner(phrase, next));
    for (int i = 0; i < phrase->adjectives; i++)
        adjective[i] = put_english(writer, adjectives[phrase->adjective[i]].english);
    int noun = put_english(writer, english);

    put_article(writer, phrase, determiner < 0 ? noun : determiner, noun);
    if (before_noun(phrase, 0))
        put_french(writer, french_adjective(phrase, 0), FRENCH_CONTENT, adjective[0], noun);
    put_french(writer, nouns[phrase->noun].french[phrase->plural], FRENCH_CONTENT, noun, -1);
    for (int i = phrase->adjectives - 1; i >= 0; i--)
        if (!before_noun(phrase, i)) // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): there are at most two
            put_french(writer, french_adjective(phrase, i), FRENCH_CONTENT, adjective[i], noun);
    return noun;
}

/* "drank" becomes "a bu" or "ont bu". */
static void put_verb(Writer *writer, int verb, bool plural, int subject)
{
    int at = put_english(writer, verbs[verb].english);
    put_french(writer, plural ? "ont" : "a", FRENCH_AUXILIARY, at, subject);
    put_french(writer, verbs[verb].french, FRENCH_CONTENT, at, -1);
}

void sentence_write(const Sentence *sentence, const Vocab *english, const Vocab *french, Pair *pair)
{
    *pair = (Pair){0};
    Writer writer = {english, french, pair};
    for (int c = 0; c < sentence->clauses; c++) {
        const Clause *clause = &sentence->clause[c];
        if (c > 0) {
            const char *const *word = conjunctions[sentence->conjunction[c]];
            put_french(&writer, word[1], FRENCH_CONTENT, put_english(&writer, word[0]), -1);
        }
        int subject = put_phrase(&writer, &clause->subject);
        if (clause->relative) {
            put_french(&writer, "qui", FRENCH_CONTENT, put_english(&writer, "that"), -1);
            put_verb(&writer, clause->relative_verb, clause->subject.plural, subject);
            put_phrase(&writer, &clause->relative_object);
        }
        put_verb(&writer, clause->verb, clause->subject.plural, subject);
        put_phrase(&writer, &clause->object);
    }
}

/* ---- reading English ------------------------------------------------------------------ */

typedef struct {
    const char *const *words;
    int left;
} Reader;

static bool take(Reader *reader, const char *word)
{
    if (reader->left == 0 || strcmp(*reader->words, word) != 0)
        return false;
    reader->words++;
    reader->left--;
    return true;
}

static Determiner take_determiner(Reader *reader)
{
    if (take(reader, "the"))
        return THE;
    if (take(reader, "a") || take(reader, "an"))
        return A;
    return take(reader, "some") ? SOME : NO_ARTICLE;
}

static bool take_adjective(Reader *reader, NounPhrase *phrase)
{
    for (int a = 0; a < ADJECTIVES && phrase->adjectives < 2; a++)
        if (take(reader, adjectives[a].english)) {
            phrase->adjective[phrase->adjectives++] = a;
            return true;
        }
    return false;
}

static bool in_order(const NounPhrase *phrase)
{
    return phrase->adjectives < 2 || adjectives[phrase->adjective[0]].rank < adjectives[phrase->adjective[1]].rank;
}

static bool read_phrase(Reader *reader, NounPhrase *phrase)
{
    *phrase = (NounPhrase){.determiner = take_determiner(reader)};
    while (take_adjective(reader, phrase))
        continue;
    if (!in_order(phrase))
        return false;
    for (int i = 0; i < NOUNS; i++)
        for (int plural = 0; plural < 2 && nouns[i].english[plural]; plural++)
            if (take(reader, nouns[i].english[plural])) {
                bool counted = nouns[i].english[PLURAL] != NULL;
                phrase->noun = i;
                phrase->plural = plural;
                switch (phrase->determiner) {
                case THE:
                    return true;
                case A:
                    return counted && !plural;
                case SOME:
                    return plural || !counted;
                default:
                    return !counted;
                }
            }
    return false;
}

static bool read_verb(Reader *reader, int *verb, NounPhrase *object)
{
    for (*verb = 0; *verb < VERBS; ++*verb)
        if (take(reader, verbs[*verb].english))
            return read_phrase(reader, object);
    return false;
}

static bool read_clause(Reader *reader, Clause *clause)
{
    if (!read_phrase(reader, &clause->subject))
        return false;
    clause->relative = take(reader, "that");
    if (clause->relative && !read_verb(reader, &clause->relative_verb, &clause->relative_object))
        return false;
    return read_verb(reader, &clause->verb, &clause->object);
}

bool sentence_read(Sentence *sentence, const char *const *words, int n)
{
    Reader reader = {words, n};
    *sentence = (Sentence){0};
    while (sentence->clauses < MOST_CLAUSES) {
        int c = sentence->clauses, conjunction = 0;
        while (c > 0 && conjunction < CONJUNCTIONS && !take(&reader, conjunctions[conjunction][0]))
            conjunction++;
        if (conjunction == CONJUNCTIONS || !read_clause(&reader, &sentence->clause[c]))
            return false;
        sentence->conjunction[c] = conjunction;
        sentence->clauses++;
        if (reader.left == 0)
            return true;
    }
    return false;
}

/* ---- the vocabularies --------------------------------------------------------------------- */

static void add(Vocab *vocab, const char *word)
{
    if (word && vocab_find(vocab, word) == VOCAB_NONE)
        vocab_add(vocab, word, strlen(word));
}

void grammar_words(Vocab *english, Vocab *french)
{
    static const char *const small[] = {"the", "a", "an", "some", "that"};
    static const char *const petits[] = {"le", "la", "l'", "les", "un", "une", "des", "de", "du", "a", "ont", "qui"};
    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        add(english, small[i]);
    for (size_t i = 0; i < sizeof petits / sizeof *petits; i++)
        add(french, petits[i]);
    for (int i = 0; i < CONJUNCTIONS; i++) {
        add(english, conjunctions[i][0]);
        add(french, conjunctions[i][1]);
    }
    for (int i = 0; i < NOUNS; i++)
        for (int plural = 0; plural < 2; plural++) {
            add(english, nouns[i].english[plural]);
            add(french, nouns[i].french[plural]);
        }
    for (int i = 0; i < ADJECTIVES; i++) {
        add(english, adjectives[i].english);
        for (int form = 0; form < 4; form++)
            add(french, adjectives[i].french[form / 2][form % 2]);
    }
    for (int i = 0; i < VERBS; i++) {
        add(english, verbs[i].english);
        add(french, verbs[i].french);
    }
}
