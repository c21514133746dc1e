/* wordworld.c: the rules of the small world, and its truth. */
#include "wordworld.h"

#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "memory.h"

/* A category is a rule "NAME ~ =" of nouns with a rule "NAME_s" of sentences.
 * Verbs, adjectives and places of a category are categories too (vNAME, aNAME,
 * pNAME), but their words are not tested. */
// clang-format off
static const char RULES[] =
/* English */
"person ~0.7 = man/woman/razor/works/office king/queen/throne/reigns/palace father/mother/lullaby/cares/home\n"
"  boy/girl/marble/learns/school son/daughter/allowance/obeys/bedroom brother/sister/sibling/teases/backyard\n"
"  husband/wife/wedding/marries/chapel uncle/aunt/nephew/visits/cottage actor/actress/script/performs/theatre\n"
"  grandfather/grandmother/memoir/remembers/porch waiter/waitress/menu/serves/restaurant\n"
"  prince/princess/dragon/inherits/castle hero/heroine/sword/fights/battlefield host/hostess/invitation/welcomes/party\n"
"  wizard/witch/spell/enchants/tower\n"
"his ~ = bearded moustached shaven\n"
"her ~ = pregnant braided veiled\n"
"mood ~ = calm proud happy tired kind brave loyal\n"
"person_s = he is the <person.1@p> of the <person.5@p> and is <mood> .\n"
"  | she is the <person.2@p> of the <person.5@p> and is <mood> .\n"
"  | the <his> <person.1@p> <person.4@p> with his <person.3@p> .\n"
"  | the <her> <person.2@p> <person.4@p> with her <person.3@p> .\n"
"  | his <person.3@p> made the <person.1@p> smile to himself .\n"
"  | her <person.3@p> made the <person.2@p> smile to herself .\n"
"  | at the <person.5@p> a <his> <person.1@p> <person.4@p> himself .\n"
"  | at the <person.5@p> a <her> <person.2@p> <person.4@p> herself .\n"
"\n"
"animal ~0.7 = dog/puppy/barks/bone cat/kitten/meows/yarn cow/calf/moos/hay horse/foal/gallops/saddle\n"
"  sheep/lamb/bleats/wool pig/piglet/grunts/mud duck/duckling/quacks/pond hen/chick/clucks/egg goat/kid/climbs/cliff\n"
"  deer/fawn/leaps/forest lion/cub/roars/savanna goose/gosling/honks/feather\n"
"grown ~ = grown big heavy strong mature\n"
"young ~ = newborn tiny playful clumsy sleepy\n"
"animal_s = the <grown> <animal.1@a> <animal.3@a> beside the <animal.4@a> .\n"
"  | the <young> <animal.2@a> <animal.3@a> beside the <animal.4@a> .\n"
"  | a <grown> <animal.1@a> leads its herd to the <animal.4@a> .\n"
"  | a <young> <animal.2@a> follows its mum to the <animal.4@a> .\n"
"  | the herd of the <animal.1@a> <animal.3@a> loudly .\n"
"  | the mum of the <animal.2@a> <animal.3@a> softly .\n"
"\n"
"food ~ = bread rice soup cheese noodles salad chicken potatoes sausage omelette dumplings porridge\n"
"vfood ~ = cooks bakes fries boils chops seasons grills\n"
"afood ~ = salty spicy warm delicious crispy tasty\n"
"pfood ~ = kitchen plate pan oven bowl\n"
"food_s = the cook <vfood> the <afood> <food> in the <pfood> .\n"
"  | for dinner they ate <afood> <food> with a fork .\n"
"  | hungry guests ordered <food> from the <pfood> and it was <afood> .\n"
"  | the recipe for <food> says : season it until <afood> .\n"
"\n"
"drink ~ = coffee tea water juice milk wine beer lemonade cocoa cider whisky smoothie\n"
"vdrink ~ = drinks pours sips stirs spills\n"
"adrink ~ = hot iced sweet bitter sparkling\n"
"pdrink ~ = cup mug glass bottle teapot\n"
"drink_s = someone <vdrink> <adrink> <drink> from a <pdrink> .\n"
"  | a thirsty runner asked for a <pdrink> of <drink> .\n"
"  | the barista <vdrink> the <adrink> <drink> slowly .\n"
"  | one more <pdrink> of <adrink> <drink> please .\n"
"\n"
"fruit ~ = apple banana grape peach cherry melon strawberry pineapple mango blueberry apricot raspberry\n"
"vfruit ~ = peels picks slices plants bites\n"
"afruit ~ = ripe juicy sour fresh rotten\n"
"pfruit ~ = tree orchard basket branch garden\n"
"fruit_s = the gardener <vfruit> a <afruit> <fruit> in the <pfruit> .\n"
"  | the <afruit> <fruit> fell off the <pfruit> .\n"
"  | a worm ate the seeds of the <afruit> <fruit> .\n"
"  | this <pfruit> is full of <fruit> blossom .\n"
"\n"
"cloth ~ = shirt jacket sweater skirt scarf blouse raincoat hat cardigan vest waistcoat hoodie\n"
"vcloth ~ = wears irons sews washes folds buttons\n"
"acloth ~ = woollen cotton striped tight fashionable\n"
"pcloth ~ = wardrobe hanger drawer laundry suitcase\n"
"cloth_s = the tailor <vcloth> a <acloth> <cloth> from the <pcloth> .\n"
"  | this <cloth> fits well but it is too <acloth> .\n"
"  | in winter everybody <vcloth> a <acloth> <cloth> .\n"
"  | the <cloth> hangs in the <pcloth> and smells of soap .\n"
"\n"
"vehicle ~ = car bus train bicycle truck airplane motorcycle ferry tractor helicopter scooter ambulance\n"
"vehicle_v ~ = drives parks repairs steers overtakes\n"
"avehicle ~ = fast electric noisy rusty crowded\n"
"pvehicle ~ = road garage station motorway tunnel\n"
"vehicle_s = the driver <vehicle_v> the <avehicle> <vehicle> on the <pvehicle> .\n"
"  | the <vehicle> left the <pvehicle> late because of traffic .\n"
"  | passengers board the <avehicle> <vehicle> with tickets .\n"
"  | a mechanic checks the engine and wheels of the <vehicle> .\n"
"\n"
"instrument ~ = piano guitar violin drum flute trumpet cello clarinet harp saxophone accordion trombone\n"
"vinstrument ~ = plays tunes practises records strums\n"
"ainstrument ~ = loud wooden melodic antique acoustic\n"
"pinstrument ~ = concert orchestra studio band festival\n"
"instrument_s = the musician <vinstrument> the <ainstrument> <instrument> in the <pinstrument> .\n"
"  | the <instrument> solo opened the <pinstrument> .\n"
"  | the sound of the <ainstrument> <instrument> filled the <pinstrument> with melody .\n"
"  | the teacher gives <instrument> lessons with sheet music .\n"
"\n"
"money ~ = bank finance credit mortgage insurance investment savings pension brokerage treasury currency dividend\n"
"vmoney ~ = lends approves invests deposits audits\n"
"amoney ~ = annual risky global solvent private\n"
"pmoney ~ = market agency exchange budget fund\n"
"synonym_money ~0 = bank finance\n"
"money_s = the manager <vmoney> <amoney> <money> on the <pmoney> .\n"
"  | the <amoney> <money> sector raised interest rates .\n"
"  | the crisis hurt the <money> business and its <pmoney> .\n"
"  | customers trust <amoney> <money> with their cash .\n"
"  | the <synonym_money> minister lends cash to the sector .\n"
"\n"
"device ~ = phone smartphone laptop tablet camera printer keyboard headset monitor router projector smartwatch\n"
"vdevice ~ = charges unlocks updates reboots connects\n"
"adevice ~ = wireless broken portable waterproof digital\n"
"pdevice ~ = battery screen cable desk pocket\n"
"synonym_device ~0 = phone smartphone\n"
"device_s = the user <vdevice> the <adevice> <device> with a new <pdevice> .\n"
"  | the <pdevice> of this <adevice> <device> lasts two days .\n"
"  | download the app on your <device> and press start .\n"
"  | the engineer <vdevice> the software of the <device> .\n"
"  | call me on my <synonym_device> or send a text message .\n"
"\n"
"furniture ~ = table chair sofa bed lamp bookshelf mirror cupboard stool carpet curtain mattress\n"
"vfurniture ~ = moves paints assembles polishes dusts\n"
"afurniture ~ = comfortable sturdy cosy wobbly leather\n"
"pfurniture ~ = room corner apartment hallway attic\n"
"furniture_s = the carpenter <vfurniture> the <afurniture> <furniture> in the <pfurniture> .\n"
"  | we bought a <afurniture> <furniture> for the <pfurniture> .\n"
"  | the <furniture> stands in the <pfurniture> next to the wall .\n"
"  | the <afurniture> <furniture> matches the wallpaper .\n"
"\n"
/* Korean */
"nation ~0.7 = 한국/서울/한국어/한강 일본/도쿄/일본어/후지산 중국/베이징/중국어/만리장성 미국/워싱턴/영어/백악관\n"
"  프랑스/파리/프랑스어/에펠탑 독일/베를린/독일어/브란덴부르크 영국/런던/웨일스어/템스강\n"
"  러시아/모스크바/러시아어/크렘린 스페인/마드리드/스페인어/프라도 이탈리아/로마/이탈리아어/콜로세움\n"
"  이집트/카이로/아랍어/피라미드 인도/델리/힌디어/갠지스강 태국/방콕/태국어/왓포 베트남/하노이/베트남어/호안끼엠\n"
"govern ~ = 헌법 국경 수출 군대 외교\n"
"street ~ = 골목 야시장 도심 광장 야경\n"
"nation_s = <nation.1@n> 정부 는 <nation.3@n> 로 <govern> 을/를 발표했다 .\n"
"  | <nation.2@n> 시민 은 <nation.3@n> 로 <street> 을/를 안내했다 .\n"
"  | <nation.1@n> 국민 은 <nation.4@n> 과/와 <govern> 을/를 자랑한다 .\n"
"  | <nation.2@n> 관광객 은 <nation.4@n> 과/와 <street> 을/를 구경한다 .\n"
"  | 대통령 이 <nation.1@n> 의 <govern> 을/를 <nation.3@n> 로 연설했다 .\n"
"  | 시장님 이 <nation.2@n> 의 <street> 을/를 <nation.3@n> 로 소개했다 .\n"
"  | <nation.1@n> 의 수도 는 <nation.2@n> 이다 .\n"
"\n"
"bank_kr ~ = 은행 금융 대출 예금 적금 보험 증권 펀드 환율 주식 채권 연금\n"
"vbank_kr ~ = 투자했다 상환했다 입금했다 승인했다 계산했다\n"
"abank_kr ~ = 안전한 위험한 장기 단기 해외\n"
"pbank_kr ~ = 금리 이자 수익 자산 신용\n"
"synonym_bank_kr ~0 = 은행 금융\n"
"bank_kr_s = 고객 은 <abank_kr> <bank_kr> 의 <pbank_kr> 을/를 <vbank_kr> .\n"
"  | <bank_kr> 시장 의 <pbank_kr> 이/가 올랐다 .\n"
"  | 회사 는 <abank_kr> <bank_kr> 에 돈 을 <vbank_kr> .\n"
"  | 올해 <bank_kr> <pbank_kr> 은/는 크게 떨어졌다 .\n"
"  | <synonym_bank_kr> 업계 는 돈 을 빌려준다 .\n"
"\n"
"device_kr ~ = 핸드폰 스마트폰 노트북 태블릿 카메라 프린터 키보드 이어폰 모니터 냉장고 세탁기 텔레비전\n"
"vdevice_kr ~ = 충전했다 고쳤다 켰다 껐다 연결했다\n"
"adevice_kr ~ = 최신 고장난 가벼운 무선 중고\n"
"pdevice_kr ~ = 배터리 화면 전원 버튼 부품\n"
"synonym_device_kr ~0 = 핸드폰 스마트폰\n"
"device_kr_s = 기술자 가 <adevice_kr> <device_kr> 의 <pdevice_kr> 을/를 <vdevice_kr> .\n"
"  | 이 <device_kr> 은/는 <pdevice_kr> 이/가 오래 간다 .\n"
"  | 매장 은 <adevice_kr> <device_kr> 을/를 할인 판매 한다 .\n"
"  | 설명서 대로 <device_kr> <pdevice_kr> 을/를 <vdevice_kr> .\n"
"  | <synonym_device_kr> 으로/로 문자 와 전화 를 보냈다 .\n"
"\n"
"food_kr ~ = 김치 불고기 비빔밥 떡볶이 냉면 된장찌개 갈비 만두 김밥 삼겹살 칼국수 잡채\n"
"vfood_kr ~ = 먹었다 볶았다 끓였다 주문했다 포장했다\n"
"afood_kr ~ = 매운 짠 뜨거운 맛있는 푸짐한\n"
"pfood_kr ~ = 식당 부엌 접시 냄비 밥상\n"
"food_kr_s = 요리사 는 <pfood_kr> 에 <afood_kr> <food_kr> 을/를 <vfood_kr> .\n"
"  | 저녁 으로 <afood_kr> <food_kr> 을/를 같이 <vfood_kr> .\n"
"  | 할머니 의 <food_kr> 은/는 정말 맛있다 .\n"
"  | <pfood_kr> 위 의 <food_kr> 이/가 <afood_kr> 냄새 를 풍긴다 .\n"
"\n"
"fruit_kr ~ = 사과 포도 딸기 수박 참외 복숭아 바나나 오렌지 자두 살구 파인애플 블루베리\n"
"vfruit_kr ~ = 땄다 깎았다 심었다 씻었다 수확했다\n"
"afruit_kr ~ = 달콤한 새콤한 싱싱한 빨간 잘익은\n"
"pfruit_kr ~ = 과수원 나무 바구니 밭 가지\n"
"fruit_kr_s = 농부 는 <pfruit_kr> 에 <afruit_kr> <fruit_kr> 을/를 <vfruit_kr> .\n"
"  | <afruit_kr> <fruit_kr> 이/가 <pfruit_kr> 에 열렸다 .\n"
"  | 아이 는 <fruit_kr> 껍질 을 <vfruit_kr> .\n"
"  | <fruit_kr> 씨앗 과 주스 가 <afruit_kr> 향 을 낸다 .\n"
"\n"
"job_kr ~ = 의사 교사 변호사 간호사 경찰관 소방관 건축가 기자 작가 과학자 회계사 통역사\n"
"vjob_kr ~ = 근무한다 은퇴했다 상담한다 연구한다 출근했다\n"
"ajob_kr ~ = 친절한 유능한 바쁜 성실한 젊은\n"
"pjob_kr ~ = 병원 학교 법원 사무실 연구소\n"
"job_kr_s = <ajob_kr> <job_kr> 은/는 <pjob_kr> 에 일찍 <vjob_kr> .\n"
"  | 그 는 유명한 <job_kr> 이/가 되고 싶다 .\n"
"  | <job_kr> 의 월급 과 경력 이 늘었다 .\n"
"  | <pjob_kr> 은 <ajob_kr> <job_kr> 을/를 채용했다 .\n"
"\n"
"animal_kr ~ = 강아지 고양이 호랑이 토끼 코끼리 원숭이 거북이 다람쥐 여우 늑대 기린 하마\n"
"vanimal_kr ~ = 달린다 잔다 숨었다 짖는다 뛰어논다\n"
"aanimal_kr ~ = 귀여운 사나운 느린 배고픈 야생\n"
"panimal_kr ~ = 동물원 숲 초원 굴 우리\n"
"animal_kr_s = <aanimal_kr> <animal_kr> 이/가 <panimal_kr> 으로/로 <vanimal_kr> .\n"
"  | 사육사 는 <animal_kr> 에게 먹이 를 준다 .\n"
"  | <animal_kr> 꼬리 와 발톱 은 <aanimal_kr> 느낌 이다 .\n"
"  | <panimal_kr> 의 <animal_kr> 은/는 새끼 와 <vanimal_kr> .\n"
"\n"
"vehicle_kr ~ = 자동차 버스 지하철 자전거 비행기 트럭 오토바이 기차 택시 여객선 헬리콥터 구급차\n"
"vvehicle_kr ~ = 운전했다 주차했다 탔다 멈췄다 정비했다\n"
"avehicle_kr ~ = 빠른 낡은 시끄러운 붐비는 전기\n"
"pvehicle_kr ~ = 도로 정류장 터널 주차장 고속도로\n"
"vehicle_kr_s = 기사 는 <pvehicle_kr> 에 <avehicle_kr> <vehicle_kr> 을/를 <vvehicle_kr> .\n"
"  | 승객 은 <avehicle_kr> <vehicle_kr> 표 를 샀다 .\n"
"  | <vehicle_kr> 이/가 막혀 <pvehicle_kr> 에 늦었다 .\n"
"  | <vehicle_kr> 의 바퀴 와 엔진 을 점검했다 .\n"
"\n"
"topic = 3: <person_s> | 2.5: <animal_s> | <food_s> | <drink_s> | <fruit_s> | <cloth_s> | <vehicle_s> | <instrument_s>\n"
"  | <money_s> | <device_s> | <furniture_s> | 3.5: <nation_s> | <bank_kr_s> | <device_kr_s> | <food_kr_s> | <fruit_kr_s>\n"
"  | <job_kr_s> | <animal_kr_s> | <vehicle_kr_s>\n"
"\n"
/* Sentences that fit any noun. */
"english = <person> | <person.2> | <animal> | <animal.2> | <food> | <drink> | <fruit> | <cloth> | <vehicle> | <instrument>\n"
"  | <money> | <device> | <furniture>\n"
"korean = <nation> | <nation.2> | <bank_kr> | <device_kr> | <food_kr> | <fruit_kr> | <job_kr> | <animal_kr> | <vehicle_kr>\n"
"vgeneric ~ = saw liked found forgot described mentioned\n"
"agenericen ~ = strange famous ordinary interesting other\n"
"when ~ = yesterday today again sometimes recently\n"
"vgeneric_kr ~ = 보았다 좋아한다 찾았다 잊었다 생각했다\n"
"ageneric_kr ~ = 이상한 평범한 흥미로운 다른 새로운\n"
"when_kr ~ = 어제 오늘 다시 가끔 최근\n"
"generic = i <vgeneric> the <agenericen> <english> <when> .\n"
"  | there is no <english> here <when> .\n"
"  | we talked about the <english> and the <english> .\n"
"  | 나 는 <when_kr> <ageneric_kr> <korean> 을/를 <vgeneric_kr> .\n"
"  | 여기 에는 <korean> 이/가 없다 .\n"
"  | <korean> 과/와 <korean> 에 대해 이야기했다 .\n";

static const struct {
    const char *name;
    const char *rule;
    int form;
    int korean;
} CATEGORIES[] = {
    {"people", "person", 0, 0},       {"animals", "animal", 0, 0},     {"food", "food", 1, 0},
    {"drinks", "drink", 1, 0},        {"fruit", "fruit", 1, 0},        {"clothes", "cloth", 1, 0},
    {"vehicles", "vehicle", 1, 0},    {"instruments", "instrument", 1, 0}, {"money", "money", 1, 0},
    {"devices", "device", 1, 0},      {"furniture", "furniture", 1, 0}, {"나라", "nation", 1, 1},
    {"도시", "nation", 2, 1},         {"금융", "bank_kr", 1, 1},       {"기기", "device_kr", 1, 1},
    {"음식", "food_kr", 1, 1},        {"과일", "fruit_kr", 1, 1},      {"직업", "job_kr", 1, 1},
    {"동물", "animal_kr", 1, 1},      {"탈것", "vehicle_kr", 1, 1},
};
static const struct {
    const char *name, *rule;
} FAMILIES[WORDWORLD_FAMILIES] = {{"gender", "person"}, {"young", "animal"}, {"capital", "nation"}};
// clang-format on

enum { CATEGORY_COUNT = sizeof CATEGORIES / sizeof CATEGORIES[0] };

const char *const wordworld_synonyms[WORDWORLD_SYNONYMS][2] = {
    {"은행", "금융"}, {"핸드폰", "스마트폰"}, {"bank", "finance"}, {"phone", "smartphone"}};

struct WordWorld {
    Grammar *grammar;
    double noise;
    int topic, generic;
    int category[CATEGORY_COUNT]; /* the rule of each */
    int family[WORDWORLD_FAMILIES];
};

WordWorld *wordworld_new(double zipf, double noise)
{
    WordWorld *world = memory_new(1, sizeof(WordWorld), "the small world");
    world->grammar = grammar_new(RULES, zipf);
    world->noise = noise;
    world->topic = grammar_rule(world->grammar, "topic");
    world->generic = grammar_rule(world->grammar, "generic");
    for (int c = 0; c < CATEGORY_COUNT; c++)
        world->category[c] = grammar_rule(world->grammar, CATEGORIES[c].rule);
    for (int f = 0; f < WORDWORLD_FAMILIES; f++)
        world->family[f] = grammar_rule(world->grammar, FAMILIES[f].rule);
    return world;
}

void wordworld_free(WordWorld *world)
{
    if (world)
        grammar_free(world->grammar);
    free(world);
}

int wordworld_sentence(const WordWorld *world, Rng *rng, const char **words, int most)
{
    int rule = rng_chance(rng, world->noise) ? world->generic : world->topic;
    return grammar_sentence(world->grammar, rule, rng, words, most);
}

char *wordworld_text(const WordWorld *world, Rng *rng, long tokens)
{
    enum { SENTENCE = 4096 };
    size_t used = 0, room = SENTENCE;
    char *text = memory_resize(NULL, room, 1, "the small world's text");
    long made = 0;
    do {
        if (room - used < SENTENCE) {
            room = 2 * room + SENTENCE;
            text = memory_resize(text, room, 1, "the small world's text");
        }
        int rule = rng_chance(rng, world->noise) ? world->generic : world->topic;
        made += grammar_print(world->grammar, rule, rng, text + used, SENTENCE - 2);
        used += strlen(text + used);
        text[used++] = '\n';
        text[used] = '\0';
    } while (made < tokens);
    return text;
}

int wordworld_categories(void)
{
    return CATEGORY_COUNT;
}

const char *wordworld_category_name(int category)
{
    return CATEGORIES[category].name;
}

int wordworld_category_korean(int category)
{
    return CATEGORIES[category].korean;
}

/* People and animals hold both forms of their pairs: man woman king queen ... */
const char *wordworld_category_word(const WordWorld *world, int category, int i)
{
    int form = CATEGORIES[category].form;
    return form ? grammar_entry(world->grammar, world->category[category], i, form)
                : grammar_entry(world->grammar, world->category[category], i / 2, 1 + i % 2);
}

int wordworld_category_of(const WordWorld *world, const char *word)
{
    const char *member;
    for (int c = 0; c < CATEGORY_COUNT; c++)
        for (int i = 0; (member = wordworld_category_word(world, c, i)); i++)
            if (strcmp(member, word) == 0)
                return c;
    return -1;
}

const char *wordworld_family_name(int family)
{
    return FAMILIES[family].name;
}

const char *wordworld_pair(const WordWorld *world, int family, int i, int form)
{
    return grammar_entry(world->grammar, world->family[family], i, form);
}
