/* grammar.c: reading rules, and walking down them with random numbers. */
#include "grammar.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "maths.h"
#include "memory.h"
#include "text.h"

/* A grammar is a list of rules, a rule a list of alternatives, an alternative a
 * list of items. */
typedef struct {
    const char *word;   /* a literal word, or the first form of a particle, or NULL */
    const char *second; /* the particle's form after a vowel, or NULL */
    int rule;           /* the rule to expand, where WORD is NULL */
    int form;           /* 1, 2, ...: which form of a category's entry */
    const char *label;  /* entries of equal labels are the same, or NULL */
    const char *name;   /* the rule's name, until all rules are known */
} Item;

typedef struct {
    Item *items; /* of a category's entry: its forms */
    int size;
    double up_to; /* sum of the weights up to and with this one */
} Alternative;

typedef struct {
    const char *name;
    bool category;
    double zipf;
    Alternative *alternatives;
    int size;
    int line;
    int state; /* of the search for circles */
} Rule;

struct Grammar {
    char *text; /* the rules' own copy, cut into words */
    Rule *rules;
    int size;
};

static void *grown(void *old, int size, size_t each)
{
    return memory_resize(old, (size_t)size + 1, each, "a grammar");
}

static Item *item_add(Alternative *alternative)
{
    alternative->items = grown(alternative->items, alternative->size, sizeof(Item));
    Item *item = &alternative->items[alternative->size++];
    *item = (Item){.rule = -1, .form = 1};
    return item;
}

static Alternative *alternative_add(Rule *rule, double weight)
{
    double before = rule->size ? rule->alternatives[rule->size - 1].up_to : 0;
    rule->alternatives = grown(rule->alternatives, rule->size, sizeof(Alternative));
    rule->alternatives[rule->size] = (Alternative){.up_to = before + weight};
    return &rule->alternatives[rule->size++];
}

/* NAME, NAME.FORM or NAME.FORM@LABEL between < and >. */
static void read_reference(char *word, int line, Item *item)
{
    size_t length = strlen(word);
    if (length < 3 || word[length - 1] != '>')
        die_misuse(HERE, "grammar, line %d: \"%s\" has no closing >", line, word);
    word[length - 1] = '\0';
    item->name = word + 1;
    char *at = strchr(word, '@');
    if (at) {
        *at = '\0';
        item->label = at + 1;
    }
    char *dot = strchr(word, '.');
    if (dot) {
        *dot = '\0';
        item->form = (int)strtol(dot + 1, NULL, 10);
        if (item->form < 1)
            die_misuse(HERE, "grammar, line %d: forms are counted from 1: \"%s\"", line, dot + 1);
    }
}

/* One word of an alternative that is a row of words. */
static void read_item(Alternative *alternative, char *word, int line)
{
    Item *item = item_add(alternative);
    if (word[0] == '<') {
        read_reference(word, line, item);
        return;
    }
    char *slash = strchr(word, '/');
    item->word = word;
    if (slash && slash != word && slash[1]) {
        *slash = '\0';
        item->second = slash + 1;
    }
}

/* One entry of a category: forms between slashes. */
static void read_entry(Rule *rule, char *word)
{
    /* 1 / r^S = exp(-S ln r) */
    double weight = exp64(-rule->zipf * log64(rule->size + 1));
    Alternative *entry = alternative_add(rule, weight);
    char *rest;
    for (char *form = strtok_r(word, "/", &rest); form; form = strtok_r(NULL, "/", &rest))
        item_add(entry)->word = form;
}

/* "3:" or "0.5:"; 0 if WORD is no weight. */
static double weight_of(const char *word)
{
    if (!isdigit((unsigned char)word[0]))
        return 0;
    char *end;
    double weight = strtod(word, &end);
    return strcmp(end, ":") == 0 ? weight : 0;
}

static void read_rule(Grammar *grammar, char *head, char *body, int line, double zipf)
{
    char *rest, *tilde = strchr(head, '~');
    Rule rule = {.category = tilde != NULL, .zipf = zipf, .line = line};
    if (tilde) {
        char *end;
        double own = strtod(tilde + 1, &end);
        rule.zipf = end != tilde + 1 ? own : zipf;
        *tilde = '\0';
    }
    rule.name = strtok_r(head, " \t", &rest);
    if (!rule.name || strtok_r(NULL, " \t", &rest))
        die_misuse(HERE, "grammar, line %d: a rule is NAME = ... or NAME ~ = ...", line);
    for (int i = 0; i < grammar->size; i++)
        if (strcmp(grammar->rules[i].name, rule.name) == 0)
            die_misuse(HERE, "grammar, line %d: a second rule for \"%s\"", line, rule.name);

    Alternative *alternative = NULL;
    for (char *word = strtok_r(body, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        if (rule.category) {
            read_entry(&rule, word);
        } else if (strcmp(word, "|") == 0) {
            if (!alternative)
                die_misuse(HERE, "grammar, line %d: an alternative without words", line);
            alternative = NULL;
        } else if (alternative) {
            read_item(alternative, word, line);
        } else {
            double weight = weight_of(word);
            alternative = alternative_add(&rule, weight > 0 ? weight : 1);
            if (weight <= 0)
                read_item(alternative, word, line);
        }
    }
    if (rule.size == 0)
        die_misuse(HERE, "grammar, line %d: \"%s\" has no words", line, rule.name);
    grammar->rules = grown(grammar->rules, grammar->size, sizeof(Rule));
    grammar->rules[grammar->size++] = rule;
}

/* Joins continued lines and cuts at "=". */
static void read_rules(Grammar *grammar, double zipf)
{
    char *next = grammar->text;
    for (int line = 1; *next;) {
        char *start = next;
        int first = line;
        while (true) {
            char *end = strchr(next, '\n');
            next = end ? end + 1 : next + strlen(next);
            line++;
            if (!end)
                break;
            *end = ' ';
            if (*next != ' ' && *next != '\t') {
                *end = '\0';
                break;
            }
        }
        start += strspn(start, " \t");
        if (*start == '#' || *start == '\0')
            continue;
        size_t head = strcspn(start, "=");
        if (start[head] == '\0')
            die_misuse(HERE, "grammar, line %d: a rule is NAME = ... or NAME ~ = ...", first);
        start[head] = '\0';
        read_rule(grammar, start, start + head + 1, first, zipf);
    }
}

static int find_rule(const Grammar *grammar, const char *name)
{
    for (int i = 0; i < grammar->size; i++)
        if (strcmp(grammar->rules[i].name, name) == 0)
            return i;
    return -1;
}

static void resolve_item(Grammar *grammar, const Rule *rule, Item *item)
{
    item->rule = find_rule(grammar, item->name);
    if (item->rule < 0)
        die_misuse(HERE, "grammar, line %d: no rule for <%s>", rule->line, item->name);
    const Rule *other = &grammar->rules[item->rule];
    if (!other->category && (item->form > 1 || item->label))
        die_misuse(HERE, "grammar, line %d: only a category has forms and labels, <%s> is none", rule->line,
                   item->name);
    for (int i = 0; other->category && i < other->size; i++)
        if (other->alternatives[i].size < item->form)
            die_misuse(HERE, "grammar, line %d: \"%s\" of <%s> has no form %d", rule->line,
                       other->alternatives[i].items[0].word, item->name, item->form);
}

/* Depth-first: a rule that is met again before it is finished uses itself. */
static void refuse_circles(Grammar *grammar, int number)
{
    enum { OPEN = 1, DONE };
    Rule *rule = &grammar->rules[number];
    if (rule->state == OPEN)
        die_misuse(HERE, "grammar, line %d: \"%s\" uses itself", rule->line, rule->name);
    if (rule->state == DONE)
        return;
    rule->state = OPEN;
    for (int a = 0; a < rule->size; a++)
        for (int i = 0; i < rule->alternatives[a].size; i++)
            if (rule->alternatives[a].items[i].rule >= 0)
                refuse_circles(grammar, rule->alternatives[a].items[i].rule);
    rule->state = DONE;
}

Grammar *grammar_new(const char *rules, double zipf)
{
    Grammar *grammar = memory_new(1, sizeof(Grammar), "a grammar");
    grammar->text = memory_copy_text(rules);
    read_rules(grammar, zipf);
    for (int r = 0; r < grammar->size; r++) {
        Rule *rule = &grammar->rules[r];
        for (int a = 0; a < rule->size; a++)
            for (int i = 0; i < rule->alternatives[a].size; i++)
                if (rule->alternatives[a].items[i].name)
                    resolve_item(grammar, rule, &rule->alternatives[a].items[i]);
    }
    for (int r = 0; r < grammar->size; r++)
        refuse_circles(grammar, r);
    return grammar;
}

void grammar_free(Grammar *grammar)
{
    if (!grammar)
        return;
    for (int r = 0; r < grammar->size; r++) {
        for (int a = 0; a < grammar->rules[r].size; a++)
            free(grammar->rules[r].alternatives[a].items);
        free(grammar->rules[r].alternatives);
    }
    free(grammar->rules);
    free(grammar->text);
    free(grammar);
}

int grammar_rule(const Grammar *grammar, const char *name)
{
    int rule = find_rule(grammar, name);
    if (rule < 0)
        die_misuse(HERE, "the grammar has no rule \"%s\"", name);
    return rule;
}

const char *grammar_entry(const Grammar *grammar, int category, int i, int form)
{
    const Rule *rule = &grammar->rules[category];
    if (!rule->category || i < 0 || i >= rule->size || form < 1 || form > rule->alternatives[i].size)
        return NULL;
    return rule->alternatives[i].items[form - 1].word;
}

/* An alternative, drawn by weight. */
static const Alternative *draw(const Rule *rule, Rng *rng)
{
    double at = rng_uniform(rng) * rule->alternatives[rule->size - 1].up_to;
    int low = 0, high = rule->size - 1;
    while (low < high) {
        int middle = (low + high) / 2;
        if (at < rule->alternatives[middle].up_to)
            high = middle;
        else
            low = middle + 1;
    }
    return &rule->alternatives[low];
}

/* A Hangul syllable is U+AC00 + 28 x (initial and vowel) + final consonant. */
static const char *particle(const Item *item, const char *before)
{
    enum { FIRST = 0xAC00, LAST = 0xD7A3, FINALS = 28, RIEUL = 8 };
    size_t length = before ? strlen(before) : 0, start = length;
    uint32_t code = 0;
    while (start > 0 && ((unsigned char)before[--start] & 0xC0) == 0x80)
        continue;
    if (length == 0 || utf8_decode(before + start, length - start, &code) == 0 || code < FIRST || code > LAST)
        return item->second;
    uint32_t final = (code - FIRST) % FINALS;
    bool rieul = final == RIEUL && strcmp(item->second, "로") == 0;
    return final == 0 || rieul ? item->second : item->word;
}

/* The words so far. */
typedef struct {
    const char **words;
    int size, most;
} Sentence;

static void append(Sentence *sentence, const char *word)
{
    if (sentence->size == sentence->most)
        die_misuse(HERE, "a sentence of a grammar has more than %d words", sentence->most);
    sentence->words[sentence->size++] = word;
}

static void expand(const Grammar *grammar, const Alternative *alternative, Rng *rng, Sentence *sentence);

/* The entry that LABEL stands for: drawn at its first use among the items
 * before I, which left it in DRAWN. */
static const Alternative *entry_of(const Grammar *grammar, const Alternative *alternative, int i,
                                   const Alternative **drawn, Rng *rng)
{
    const Item *item = &alternative->items[i];
    for (int j = 0; item->label && j < i; j++) {
        const Item *earlier = &alternative->items[j];
        if (earlier->rule == item->rule && earlier->label && strcmp(earlier->label, item->label) == 0)
            return drawn[j];
    }
    return draw(&grammar->rules[item->rule], rng);
}

static void expand(const Grammar *grammar, const Alternative *alternative, Rng *rng, Sentence *sentence)
{
    const Alternative *drawn[GRAMMAR_LONGEST];
    for (int i = 0; i < alternative->size && i < GRAMMAR_LONGEST; i++) {
        const Item *item = &alternative->items[i];
        drawn[i] = NULL;
        if (item->second) {
            append(sentence, particle(item, sentence->size ? sentence->words[sentence->size - 1] : NULL));
        } else if (item->word) {
            append(sentence, item->word);
        } else if (grammar->rules[item->rule].category) {
            drawn[i] = entry_of(grammar, alternative, i, drawn, rng);
            append(sentence, drawn[i]->items[item->form - 1].word);
        } else {
            expand(grammar, draw(&grammar->rules[item->rule], rng), rng, sentence);
        }
    }
}

int grammar_sentence(const Grammar *grammar, int rule, Rng *rng, const char **words, int most)
{
    Sentence sentence = {.words = words, .most = most};
    const Rule *top = &grammar->rules[rule];
    const Alternative *alternative = draw(top, rng);
    if (top->category)
        append(&sentence, alternative->items[0].word);
    else
        expand(grammar, alternative, rng, &sentence);
    return sentence.size;
}

int grammar_print(const Grammar *grammar, int rule, Rng *rng, char *text, size_t size)
{
    const char *words[GRAMMAR_LONGEST];
    int n = grammar_sentence(grammar, rule, rng, words, GRAMMAR_LONGEST);
    size_t used = 0;
    for (int i = 0; i < n; i++) {
        size_t length = strlen(words[i]);
        if (used + length + 2 > size)
            die_misuse(HERE, "a sentence of a grammar is longer than %zu bytes", size);
        if (i > 0)
            text[used++] = ' ';
        memcpy(text + used, words[i], length);
        used += length;
    }
    text[used] = '\0';
    return n;
}
