/* Step 6, its sentences: four words that mean two things each, English and Korean. */
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "senses.h"

const Subject subjects[WORDS] = {
    {"bank", {"money", "river"}, {"bank_money", "bank_river"}},
    {"bat", {"animal", "club"}, {"bat_animal", "bat_club"}},
    {"은행", {"bank", "ginkgo"}, {"eunhaeng_bank", "eunhaeng_ginkgo"}},
    {"눈", {"eye", "snow"}, {"nun_eye", "nun_snow"}},
};

/* A sense shows in what the thing is like and in what it does, on both sides of
 * the word; who and when are the same for both. */
// clang-format off
static const char RULES[] =
"day = today | yesterday | tomorrow | often\n"
"person = man | woman | girl | boy\n"
"언제 = 오늘 | 어제 | 아침 에 | 주말 에\n"
"사람 = 엄마 | 동생 | 친구 | 학생\n"
"bank_money_is = rich | small | foreign | honest | bankrupt | central\n"
"bank_money_does = lends money | pays interest | opens accounts | cashes cheques | needs savings | sells gold\n"
"bank_money = the <bank_money_is> bank <bank_money_does> <day> .\n"
"  | <day> the <bank_money_is> bank <bank_money_does> .\n"
"  | the <person> says the <bank_money_is> bank <bank_money_does> .\n"
"bank_river_is = muddy | grassy | steep | sandy | flooded | far\n"
"bank_river_does = floods in spring | slopes to the water | is full of reeds | hides the frogs | erodes | lies in the mist\n"
"bank_river = the <bank_river_is> bank <bank_river_does> <day> .\n"
"  | <day> the <bank_river_is> bank <bank_river_does> .\n"
"  | the <person> says the <bank_river_is> bank <bank_river_does> .\n"
"bat_animal_is = hungry | furry | sleepy | tiny | brown | wild\n"
"bat_animal_does = flies at night | squeaks | hunts moths | sleeps in the cave | drinks milk | has big ears\n"
"bat_animal = the <bat_animal_is> bat <bat_animal_does> <day> .\n"
"  | <day> the <bat_animal_is> bat <bat_animal_does> .\n"
"  | the <person> says the <bat_animal_is> bat <bat_animal_does> .\n"
"bat_club_is = wooden | heavy | broken | painted | metal | new\n"
"bat_club_does = hits the ball | swings well | cracks | is made of ash | lies on the field | costs a lot\n"
"bat_club = the <bat_club_is> bat <bat_club_does> <day> .\n"
"  | <day> the <bat_club_is> bat <bat_club_does> .\n"
"  | the <person> says the <bat_club_is> bat <bat_club_does> .\n"
"eunhaeng_bank_is = 큰 | 친절한 | 가까운 | 믿을만한 | 바쁜 | 새로운\n"
"eunhaeng_bank_does = 대출 을 해 준다 | 이자 를 올린다 | 돈 을 빌려 준다 | 통장 을 만든다 | 수표 를 바꾼다 | 현금 을 센다\n"
"eunhaeng_bank = <언제> <eunhaeng_bank_is> 은행 이/가 <eunhaeng_bank_does> .\n"
"  | <사람> 의 <eunhaeng_bank_is> 은행 이/가 <eunhaeng_bank_does> .\n"
"  | <사람> 은/는 <eunhaeng_bank_is> 은행 이/가 <eunhaeng_bank_does> 고 말했다 .\n"
"eunhaeng_ginkgo_is = 노란 | 익은 | 떨어진 | 구운 | 고약한 | 말린\n"
"eunhaeng_ginkgo_does = 냄새 를 풍긴다 | 길 에 쌓인다 | 나무 에서 떨어진다 | 노랗게 물든다 | 바람 에 흔들린다 | 껍질 을 벗는다\n"
"eunhaeng_ginkgo = <언제> <eunhaeng_ginkgo_is> 은행 이/가 <eunhaeng_ginkgo_does> .\n"
"  | <사람> 의 <eunhaeng_ginkgo_is> 은행 이/가 <eunhaeng_ginkgo_does> .\n"
"  | <사람> 은/는 <eunhaeng_ginkgo_is> 은행 이/가 <eunhaeng_ginkgo_does> 고 말했다 .\n"
"nun_eye_is = 맑은 | 큰 | 충혈된 | 피곤한 | 나쁜 | 반짝이는\n"
"nun_eye_does = 아프다 | 글자 를 읽는다 | 눈물 을 흘린다 | 안경 을 쓴다 | 깜빡인다 | 윙크 를 한다\n"
"nun_eye = <언제> <nun_eye_is> 눈 이/가 <nun_eye_does> .\n"
"  | <사람> 의 <nun_eye_is> 눈 이/가 <nun_eye_does> .\n"
"  | <사람> 은/는 <nun_eye_is> 눈 이/가 <nun_eye_does> 고 말했다 .\n"
"nun_snow_is = 하얀 | 차가운 | 첫 | 깊은 | 녹은 | 포근한\n"
"nun_snow_does = 내린다 | 쌓인다 | 녹는다 | 길 을 덮는다 | 지붕 을 덮는다 | 얼어붙는다\n"
"nun_snow = <언제> <nun_snow_is> 눈 이/가 <nun_snow_does> .\n"
"  | <사람> 의 <nun_snow_is> 눈 이/가 <nun_snow_does> .\n"
"  | <사람> 은/는 <nun_snow_is> 눈 이/가 <nun_snow_does> 고 말했다 .\n";
// clang-format on

static int number_of(Vocab *vocab, const char *word)
{
    return vocab_add(vocab, word, strlen(word));
}

/* One sentence of a sense; *HELD: is it one of those kept from training?  That is
 * decided by the sentence itself (a fingerprint of its words), one in four. */
static Sentence draw_sentence(const Corpus *corpus, int word, int sense, Rng *rng, bool *held)
{
    const char *texts[LONGEST];
    Sentence s = {.length = 0, .at = -1};
    int n = grammar_sentence(corpus->grammar, grammar_rule(corpus->grammar, subjects[word].rule[sense]), rng, texts,
                             LONGEST - 2);
    uint64_t hash = 0xcbf29ce484222325;
    s.id[s.length++] = corpus->begin;
    for (int i = 0; i < n; i++) {
        if (strcmp(texts[i], subjects[word].word) == 0)
            s.at = s.length;
        for (const char *c = texts[i]; *c; c++)
            hash = (hash ^ (unsigned char)*c) * 0x100000001b3;
        hash = (hash ^ ' ') * 0x100000001b3;
        s.id[s.length++] = number_of(corpus->vocab, texts[i]);
    }
    s.id[s.length++] = corpus->end;
    *held = hash >> 40 & 1 && hash >> 41 & 1;
    return s;
}

static Sentence draw_until(const Corpus *corpus, int word, int sense, Rng *rng, bool wanted)
{
    bool held;
    for (;;) {
        Sentence s = draw_sentence(corpus, word, sense, rng, &held);
        if (held == wanted)
            return s;
    }
}

Corpus *corpus_new(Lab *lab, const Config *config)
{
    Corpus *corpus = memory_new(1, sizeof *corpus, "sentences");
    Rng rng = lab_rng(lab, "sentences");
    corpus->grammar = grammar_new(RULES, 0.5);
    corpus->vocab = vocab_new();
    corpus->begin = number_of(corpus->vocab, "<s>");
    corpus->end = number_of(corpus->vocab, "</s>");
    for (int w = 0; w < WORDS; w++)
        corpus->word[w] = number_of(corpus->vocab, subjects[w].word);
    corpus->n = config->sentences;
    corpus->train = memory_new((size_t)corpus->n, sizeof(Sentence), "sentences");
    for (int i = 0; i < corpus->n; i++)
        corpus->train[i] = draw_until(corpus, i % WORDS, i / WORDS % SENSES, &rng, false);
    corpus->per_sense = config->sense_tests;
    size_t some = (size_t)WORDS * SENSES * corpus->per_sense;
    corpus->known = memory_new(some, sizeof(Sentence), "sentences");
    corpus->held = memory_new(some, sizeof(Sentence), "sentences");
    for (size_t i = 0; i < some; i++) {
        int word = (int)(i / corpus->per_sense) / SENSES, sense = (int)(i / corpus->per_sense) % SENSES;
        corpus->known[i] = draw_until(corpus, word, sense, &rng, false);
        corpus->held[i] = draw_until(corpus, word, sense, &rng, true);
    }
    return corpus;
}

void corpus_free(Corpus *corpus)
{
    if (!corpus)
        return;
    grammar_free(corpus->grammar);
    vocab_free(corpus->vocab);
    free(corpus->train);
    free(corpus->known);
    free(corpus->held);
    free(corpus);
}

void trace_sentence(Lab *lab, const Corpus *corpus, const Sentence *s)
{
    for (int t = 1; t < s->length - 1; t++)
        trace(lab->trace, t == s->at ? "%s[%s]" : "%s%s", t > 1 ? " " : "", corpus->vocab->word[s->id[t]]);
}
