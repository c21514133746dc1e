/* Labelled examples: topic, sentiment, entities, inference, answers. */
#include "labelled.h"

#include "die.h"

const char *task_name(Task task)
{
    static const char *const name[TASKS] = {"topic", "sentiment", "entities", "inference", "answers"};
    return name[task];
}

int task_classes(Task task)
{
    static const int classes[TASKS] = {TOPICS, 2, TAGS, 3, 2};
    return classes[task];
}

/* FACT in the words of one of the templates, until it is of that class; what FIX
 * leaves alone is drawn anew each time. */
typedef struct {
    const int *templates;
    int n;
} Choices;

static Sentence say_one(const World *world, Fact *fact, int topic, int good, Choices choices, SentenceClass class,
                        Rng *rng)
{
    for (;;) {
        *fact = fact_draw(rng);
        if (topic >= 0)
            fact->topic = topic;
        if (good >= 0)
            fact->good = good;
        int template = choices.templates[rng_below(rng, (uint64_t)choices.n)];
        Sentence sentence = sentence_of(world, fact, template, rng);
        if (sentence_class(&sentence) == class)
            return sentence;
    }
}

static void put(Example *example, const int *ids, int n)
{
    if (example->length + n > TEXT_MOST)
        die_misuse(HERE, "labelled: an example has more than %d words", TEXT_MOST);
    for (int i = 0; i < n; i++)
        example->row[example->length++] = ids[i];
}

static void put_mark(Example *example, int mark)
{
    put(example, &mark, 1);
}

static void keep(Example *example, const Sentence *sentence)
{
    example->sentence[example->sentences++] = *sentence;
}

/* One sentence between [CLS] and [SEP]. */
static void one_sentence(Example *example, const Sentence *sentence)
{
    put_mark(example, CLS);
    for (int i = 0; i < sentence->length; i++)
        example->target[example->length + i] = (int)sentence->tag[i];
    put(example, sentence->id, sentence->length);
    put_mark(example, SEP);
    keep(example, sentence);
}

/* Premise: jane smith baked the bread in paris.  Entailed: jane was in paris.  Contradicted: jane was in rome.
 * Neither: the premise names no place.  The hypothesis alone tells nothing. */
static void inference(Example *example, const World *world, SentenceClass class, Rng *rng)
{
    static const int with_place[] = {0, 2, 4}, without[] = {1, 3};
    enum { ENTAILED, CONTRADICTED, NEITHER };
    Fact fact;
    Choices choices = example->answer == NEITHER ? (Choices){without, 2} : (Choices){with_place, 3};
    Sentence premise = say_one(world, &fact, -1, -1, choices, class, rng);
    if (example->answer == CONTRADICTED) {
        int place = fact.place;
        while (fact.place == place)
            fact.place = fact_draw(rng).place;
    }
    Sentence hypothesis = sentence_of(world, &fact, HYPOTHESIS, rng);
    put_mark(example, START);
    put(example, premise.id, premise.length);
    put_mark(example, DELIM);
    put(example, hypothesis.id, hypothesis.length);
    put_mark(example, EXTRACT);
    keep(example, &premise);
}

/* Where the entity of that kind stands in SENTENCE: its first word, and its last into *END. */
static int entity_of(const Sentence *sentence, Tag begin, Tag inside, int *end)
{
    int at = 0;
    while (at < sentence->length && sentence->tag[at] != begin)
        at++;
    *end = at;
    while (*end + 1 < sentence->length && sentence->tag[*end + 1] == inside)
        ++*end;
    return at;
}

/* Two people did two things in two places; where was one of them, who did one of the things? */
static void answers(Example *example, const World *world, SentenceClass class, Rng *rng)
{
    static const int choices[] = {0, 2};
    Fact fact[2];
    Sentence sentence[2];
    do
        for (int s = 0; s < 2; s++)
            sentence[s] = say_one(world, &fact[s], -1, -1, (Choices){choices, 2}, class, rng);
    while (fact[0].first == fact[1].first || (fact[0].topic == fact[1].topic && fact[0].verb == fact[1].verb));
    int asked = (int)rng_below(rng, 2), where = example->answer;
    Sentence question = sentence_of(world, &fact[asked], where ? WHERE_QUESTION : WHO_QUESTION, rng);
    put_mark(example, CLS);
    put(example, question.id, question.length);
    put_mark(example, SEP);
    for (int s = 0; s < 2; s++) {
        int end, at = entity_of(&sentence[s], where ? TAG_B_LOC : TAG_B_PER, where ? TAG_I_LOC : TAG_I_PER, &end);
        if (s == asked) {
            example->answer = example->length + at;
            example->end = example->length + end;
        }
        put(example, sentence[s].id, sentence[s].length);
        keep(example, &sentence[s]);
    }
    put_mark(example, SEP);
}

Example example_draw(const World *world, Task task, SentenceClass class, int i, Rng *rng)
{
    static const int topical[] = {0, 2, 4}, moody[] = {3, 4, 5, 8}, named[] = {0, 1, 2, 4, 6, 10};
    Fact fact;
    Example example = {.answer = i % task_classes(task)};
    for (int t = 0; t < TEXT_MOST; t++)
        example.target[t] = NO_TARGET;
    Sentence sentence;
    switch (task) {
    case TOPIC:
        sentence = say_one(world, &fact, example.answer, -1, (Choices){topical, 3}, class, rng);
        one_sentence(&example, &sentence);
        break;
    case SENTIMENT:
        sentence = say_one(world, &fact, -1, example.answer, (Choices){moody, 4}, class, rng);
        one_sentence(&example, &sentence);
        break;
    case ENTITIES:
        sentence = say_one(world, &fact, -1, -1, (Choices){named, 6}, class, rng);
        one_sentence(&example, &sentence);
        break;
    case INFERENCE:
        inference(&example, world, class, rng);
        break;
    default:
        answers(&example, world, class, rng);
    }
    return example;
}
