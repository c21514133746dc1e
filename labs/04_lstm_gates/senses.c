/* Step 6. The same word, two vectors (ELMo: Peters 2018).
 *
 * A language model that reads from the left guesses the next word, one that
 * reads from the right the word before; both in one, two LSTM layers each.  What
 * they have in mind at a word is a vector of that word in this sentence.
 *
 * The two directions must not meet below the guess: a second layer that reads
 * both directions of the first would see the word it is asked for. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gates.h"
#include "grammar.h"
#include "maths.h"
#include "memory.h"
#include "optim.h"
#include "parallel.h"
#include "text.h"
#include "vocab.h"

/* ---- the sentences --------------------------------------------------------------------------- */

enum { WORDS = 4, SENSES = 2, LONGEST = 32 };
static const struct {
    const char *word;
    const char *sense[SENSES], *rule[SENSES];
} subjects[WORDS] = {
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

/* A sentence between its <s> and </s>, as numbers. */
typedef struct {
    int id[LONGEST];
    int length;
    int at; /* where the ambiguous word stands */
} Sentence;

typedef struct {
    Grammar *grammar;
    Vocab *vocab;
    int begin, end;         /* the numbers of <s> and </s> */
    int word[WORDS];        /* of the ambiguous words */
    int n;                  /* sentences to train on, */
    Sentence *train;        /* [n] */
    int per_sense;          /* and of each sense: from training (for the centroids), and never trained on */
    Sentence *known, *held; /* [WORDS][SENSES][per_sense] */
} Corpus;

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

static Corpus *corpus_new(Lab *lab, const Config *config)
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

static void corpus_free(Corpus *corpus)
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

static void trace_sentence(Lab *lab, const Corpus *corpus, const Sentence *s)
{
    for (int t = 1; t < s->length - 1; t++)
        trace(lab->trace, t == s->at ? "%s[%s]" : "%s%s", t > 1 ? " " : "", corpus->vocab->word[s->id[t]]);
}

/* ---- the model ---------------------------------------------------------------------------------- */

enum { FORWARD, BACKWARD, DIRECTIONS, LAYERS = 2, EMBEDDING = 24, HIDDEN = 32 };

/* With MEET, the second layer reads both directions of the first, as a stacked
 * bidirectional network does: the mistake. */
typedef struct {
    bool meet;
    Parameters *parameters;
    Tensor *embedding; /* [V, E], the word vectors */
    Recurrent layer[DIRECTIONS][LAYERS];
    Linear output; /* H -> V, for both directions */
} Model;

static Model model_new(int words, bool meet, Rng *rng)
{
    static const char *const names[DIRECTIONS][LAYERS] = {{"forward.1", "forward.2"}, {"backward.1", "backward.2"}};
    Model m = {.meet = meet, .parameters = parameters_new()};
    m.embedding = parameter_normal(m.parameters, "embedding", SHAPE(words, EMBEDDING), 1, rng);
    for (int d = 0; d < DIRECTIONS; d++)
        for (int l = 0; l < LAYERS; l++) {
            int in = l == 0 ? EMBEDDING : meet ? DIRECTIONS * HIDDEN : HIDDEN;
            m.layer[d][l] = recurrent_new(m.parameters, names[d][l], CELL_LSTM, in, HIDDEN, rng);
            recurrent_set_bias(&m.layer[d][l], LSTM_FORGET, 1);
        }
    m.output = linear_new(m.parameters, "output", HIDDEN, words, rng);
    return m;
}

/* A batch of sentences, time first; shorter rows are filled up with </s>. */
typedef struct {
    int steps, batch;
    int *ids, *lengths;       /* [T, B], [B] */
    int *targets[DIRECTIONS]; /* [T, B]: the next word, the word before; -1 where there is none */
} Batch;

static Batch batch_of(const Sentence *const *sentences, int n)
{
    Batch b = {.batch = n};
    for (int row = 0; row < n; row++)
        b.steps = sentences[row]->length > b.steps ? sentences[row]->length : b.steps;
    size_t size = (size_t)b.steps * n;
    b.ids = memory_new(size, sizeof(int), "a batch");
    b.lengths = memory_new((size_t)n, sizeof(int), "a batch");
    b.targets[FORWARD] = memory_new(size, sizeof(int), "a batch");
    b.targets[BACKWARD] = memory_new(size, sizeof(int), "a batch");
    for (int row = 0; row < n; row++) {
        const Sentence *s = sentences[row];
        b.lengths[row] = s->length;
        for (int t = 0; t < b.steps; t++) {
            int at = t * n + row;
            b.ids[at] = s->id[t < s->length ? t : s->length - 1];
            b.targets[FORWARD][at] = t + 1 < s->length ? s->id[t + 1] : -1;
            b.targets[BACKWARD][at] = t > 0 && t < s->length ? s->id[t - 1] : -1;
        }
    }
    return b;
}

static void batch_free(Batch *b)
{
    free(b->ids);
    free(b->lengths);
    free(b->targets[FORWARD]);
    free(b->targets[BACKWARD]);
}

/* All layers' states [T, B, ...]: states[d][0] are the word vectors, the same for
 * both directions; states[d][l] comes from layer l. */
typedef struct {
    Tensor *at[DIRECTIONS][LAYERS + 1];
} States;

static States run(Tape *tape, const Model *model, const Batch *batch)
{
    States s;
    Tensor *words = op_embedding(tape, model->embedding, batch->ids, SHAPE(batch->steps, batch->batch));
    s.at[FORWARD][0] = s.at[BACKWARD][0] = words;
    for (int l = 0; l < LAYERS; l++) {
        Tensor *below[DIRECTIONS] = {s.at[FORWARD][l], s.at[BACKWARD][l]};
        if (model->meet && l > 0)
            below[FORWARD] = below[BACKWARD] = op_concat(tape, below, DIRECTIONS, 2);
        for (int d = 0; d < DIRECTIONS; d++)
            s.at[d][l + 1] = recurrent(tape, &model->layer[d][l], below[d], NULL,
                                       (Sequence){.lengths = batch->lengths, .reverse = d == BACKWARD});
    }
    return s;
}

/* Mean of -log p of the words asked for, from the top layer of one direction. */
static Tensor *loss_of(Tape *tape, const Model *model, const States *states, const Batch *batch, int direction)
{
    Tensor *logits = linear(tape, &model->output, states->at[direction][LAYERS]);
    return op_cross_entropy(tape, logits, batch->targets[direction]);
}

typedef struct {
    const Lab *lab;
    const Config *config;
    const Corpus *corpus;
    Model model[2];                   /* [0] as it should be, [1] with directions that meet */
    double perplexity[2][DIRECTIONS]; /* on held-out sentences */
} Training;

static double held_out_loss(const Model *model, const Corpus *corpus, int direction)
{
    enum { MANY = 64 };
    const Sentence *rows[MANY] = {NULL};
    int some = WORDS * SENSES * corpus->per_sense, n = some < MANY ? some : MANY;
    for (int i = 0; i < n; i++)
        rows[i] = &corpus->held[(size_t)i * some / n];
    Batch batch = batch_of(rows, n);
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    States states = run(tape, model, &batch);
    double loss = (double)loss_of(tape, model, &states, &batch, direction)->data[0];
    tape_free(tape);
    batch_free(&batch);
    return loss;
}

static void train_model(int index, void *context)
{
    enum { BATCH = 32 };
    Training *job = context;
    const Config *config = job->config;
    Model *model = &job->model[index];
    Rng rng = lab_rng(job->lab, index ? "directions that meet" : "directions apart");
    *model = model_new(job->corpus->vocab->size, index == 1, &rng);
    Optimiser *adam = adam_new(model->parameters, (Adam){.rate = config->sense_rate});
    Tape *tape = tape_new(1);
    for (int step = 0; step < config->sense_steps; step++) {
        const Sentence *rows[BATCH] = {NULL};
        for (int i = 0; i < BATCH; i++)
            rows[i] = &job->corpus->train[rng_below(&rng, (uint64_t)job->corpus->n)];
        Batch batch = batch_of(rows, BATCH);
        tape_rewind(tape);
        States states = run(tape, model, &batch);
        Tensor *forward = loss_of(tape, model, &states, &batch, FORWARD);
        Tensor *backward = loss_of(tape, model, &states, &batch, BACKWARD);
        tape_backward(tape, op_add(tape, forward, backward));
        clip_by_norm(model->parameters, 1);
        optimiser_set_rate(adam, config->sense_rate * schedule_cosine(step, 10, config->sense_steps, 0.05));
        optimiser_step(adam);
        batch_free(&batch);
    }
    tape_free(tape);
    optimiser_free(adam);
    for (int d = 0; d < DIRECTIONS; d++)
        job->perplexity[index][d] = exp64(held_out_loss(model, job->corpus, d));
}

/* ---- does a guess see its own answer? ---------------------------------------------------------- */

/* The largest change of the scores for a word when that word is replaced. */
static double leak_of(const Model *model, const Corpus *corpus)
{
    const Sentence *rows[1] = {&corpus->held[0]};
    int asked = rows[0]->length / 2;
    Sentence other = *rows[0];
    other.id[asked] = other.id[asked] == corpus->word[1] ? corpus->word[0] : corpus->word[1];
    const Sentence *changed[1] = {&other};
    Batch a = batch_of(rows, 1), b = batch_of(changed, 1);
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    States before = run(tape, model, &a), after = run(tape, model, &b);
    double worst = 0;
    for (int d = 0; d < DIRECTIONS; d++) {
        int from = d == FORWARD ? asked - 1 : asked + 1; /* the state that guesses the word at ASKED */
        const real *x = before.at[d][LAYERS]->data + (size_t)from * HIDDEN;
        const real *y = after.at[d][LAYERS]->data + (size_t)from * HIDDEN;
        for (int j = 0; j < HIDDEN; j++)
            worst = fmax(worst, fabs((double)x[j] - (double)y[j]));
    }
    tape_free(tape);
    batch_free(&a);
    batch_free(&b);
    return worst;
}

/* Perplexity of the held-out words by their frequency in training alone. */
static double unigram_perplexity(const Corpus *corpus)
{
    int words = corpus->vocab->size, total = 0, asked = 0;
    int *count = memory_new((size_t)words, sizeof *count, "counts");
    double loss = 0;
    for (int i = 0; i < corpus->n; i++)
        for (int t = 1; t < corpus->train[i].length; t++, total++)
            count[corpus->train[i].id[t]]++;
    for (int i = 0; i < WORDS * SENSES * corpus->per_sense; i++)
        for (int t = 1; t < corpus->held[i].length; t++, asked++)
            loss -= log64((count[corpus->held[i].id[t]] + 1.0) / (total + words));
    free(count);
    return exp64(loss / asked);
}

/* ---- vectors of the ambiguous word ------------------------------------------------------------- */

/* What a word's occurrence is described by. */
typedef enum { BY_WORD, BY_NEIGHBOURS, BY_SENTENCE, BY_UNTRAINED, BY_FIRST, BY_SECOND, VIEWS } View;
static const char *const view_names[VIEWS] = {
    "its word vector",
    "mean of 2 words on each side",
    "mean of the sentence's words",
    "layer 2, not trained",
    "layer 1",
    "layer 2",
};
enum { SIZE = DIRECTIONS * HIDDEN }; /* of a vector; word vectors leave the rest 0 */

/* The vector of one occurrence in one view: for a layer both directions' states
 * at the word; otherwise word vectors. */
static void vector_of(const States *states, const Batch *batch, int row, const Sentence *s, View view, real *vector)
{
    memset(vector, 0, SIZE * sizeof *vector);
    if (view == BY_FIRST || view == BY_SECOND || view == BY_UNTRAINED) {
        for (int d = 0; d < DIRECTIONS; d++)
            memcpy(vector + d * HIDDEN,
                   states->at[d][view == BY_FIRST ? 1 : 2]->data + ((size_t)s->at * batch->batch + row) * HIDDEN,
                   HIDDEN * sizeof *vector);
        return;
    }
    int from = view == BY_WORD ? s->at : view == BY_NEIGHBOURS ? s->at - 2 : 1;
    int to = view == BY_WORD ? s->at : view == BY_NEIGHBOURS ? s->at + 2 : s->length - 2;
    int n = 0;
    for (int t = from < 1 ? 1 : from; t <= to && t <= s->length - 2; t++) {
        if (view == BY_NEIGHBOURS && t == s->at)
            continue;
        const real *word = states->at[FORWARD][0]->data + ((size_t)t * batch->batch + row) * EMBEDDING;
        for (int j = 0; j < EMBEDDING; j++)
            vector[j] += word[j];
        n++;
    }
    for (int j = 0; j < EMBEDDING && n; j++)
        vector[j] /= (real)n;
}

/* The vectors [n, SIZE] of N sentences in one view. */
static real *vectors_of(const Model *model, const Sentence *sentences, int n, View view)
{
    real *vectors = memory_new((size_t)n * SIZE, sizeof *vectors, "vectors");
    const Sentence **rows = memory_new((size_t)n, sizeof *rows, "sentences"); /* NOLINT(bugprone-sizeof-expression) */
    for (int i = 0; i < n; i++)
        rows[i] = &sentences[i];
    Batch batch = batch_of(rows, n);
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    States states = run(tape, model, &batch);
    for (int i = 0; i < n; i++)
        vector_of(&states, &batch, i, rows[i], view, vectors + (size_t)i * SIZE);
    tape_free(tape);
    batch_free(&batch);
    free(rows);
    return vectors;
}

static double distance2(const real *a, const real *b)
{
    double sum = 0;
    for (int j = 0; j < SIZE; j++)
        sum += ((double)a[j] - (double)b[j]) * ((double)a[j] - (double)b[j]);
    return sum;
}

/* Means of the known occurrences of each sense. */
static void centroids_of(const real *known, int per_sense, real centroid[SENSES][SIZE])
{
    memset(centroid, 0, SENSES * sizeof *centroid);
    for (int sense = 0; sense < SENSES; sense++)
        for (int i = 0; i < per_sense; i++)
            for (int j = 0; j < SIZE; j++)
                centroid[sense][j] += known[((size_t)sense * per_sense + i) * SIZE + j] / (real)per_sense;
}

static int nearest_sense(const real *vector, real centroid[SENSES][SIZE])
{
    return distance2(vector, centroid[1]) < distance2(vector, centroid[0]);
}

/* The share of held-out occurrences of WORD whose nearest centroid is their sense's. */
static double sense_accuracy(const Model *model, const Corpus *corpus, int word, View view)
{
    int n = corpus->per_sense, right = 0;
    size_t first = (size_t)word * SENSES * n;
    real centroid[SENSES][SIZE];
    real *known = vectors_of(model, corpus->known + first, SENSES * n, view);
    real *held = vectors_of(model, corpus->held + first, SENSES * n, view);
    centroids_of(known, n, centroid);
    for (int i = 0; i < SENSES * n; i++)
        right += nearest_sense(held + (size_t)i * SIZE, centroid) == i / n;
    free(known);
    free(held);
    return (double)right / (SENSES * n);
}

static void measure_senses(Lab *lab, const Corpus *corpus, const Model *model)
{
    double accuracy[VIEWS][WORDS], mean[VIEWS] = {0}, lowest = 1;
    Rng rng = lab_rng(lab, "not trained");
    Model untrained = model_new(corpus->vocab->size, false, &rng);
    char line[160] = "described by";
    for (int w = 0; w < WORDS; w++)
        snprintf(line + strlen(line), sizeof line - strlen(line), "\t%s", subjects[w].word);
    snprintf(line + strlen(line), sizeof line - strlen(line), "\tmean");
    trace_table(lab->trace, line);
    for (int view = 0; view < VIEWS; view++) {
        snprintf(line, sizeof line, "%s", view_names[view]);
        for (int w = 0; w < WORDS; w++) {
            accuracy[view][w] = sense_accuracy(view == BY_UNTRAINED ? &untrained : model, corpus, w, (View)view);
            mean[view] += accuracy[view][w] / WORDS;
            snprintf(line + strlen(line), sizeof line - strlen(line), "\t%.3f", accuracy[view][w]);
        }
        trace_row(lab->trace, "%s\t%.3f", line, mean[view]);
    }
    trace_table_end(lab->trace);
    parameters_free(untrained.parameters);
    for (int w = 0; w < WORDS; w++)
        lowest = fmin(lowest, accuracy[BY_SECOND][w]);
    claim(lab->claims,
          (Claim){.id = "senses-contextual",
                  .statement = "the two-directional LSTM's vectors tell the senses of bank, bat, 은행 and 눈 "
                               "apart in sentences it never saw (nearest centroid, the worst of the four)",
                  .source = "lecture: ELMo; Peters 2018, section 5.3",
                  .measured = lowest,
                  .test = AT_LEAST,
                  .bound = 0.9});
    claim(lab->claims, (Claim){.id = "senses-word-vector",
                               .statement = "one vector a word, as Word2Vec has, cannot: chance",
                               .source = "lecture: Word2Vec has one vector a word",
                               .measured = mean[BY_WORD],
                               .test = EQUALS,
                               .bound = 0.5});
}

/* ---- the map ------------------------------------------------------------------------------------ */

/* The direction in which the N rows (their mean taken away) spread most, by
 * repeated multiplication with the covariance; made orthogonal to OTHER. */
static void widest(const real *rows, int n, const double *mean, const double *other, double *direction)
{
    for (int j = 0; j < SIZE; j++)
        direction[j] = 1 + (j % 7) * 0.1;
    for (int round = 0; round < 60; round++) {
        double next[SIZE] = {0}, along = 0, norm = 0;
        for (int i = 0; i < n; i++) {
            double dot = 0;
            for (int j = 0; j < SIZE; j++)
                dot += ((double)rows[(size_t)i * SIZE + j] - mean[j]) * direction[j];
            for (int j = 0; j < SIZE; j++)
                next[j] += dot * ((double)rows[(size_t)i * SIZE + j] - mean[j]);
        }
        for (int j = 0; j < SIZE && other; j++)
            along += next[j] * other[j];
        for (int j = 0; j < SIZE; j++) {
            next[j] -= other ? along * other[j] : 0;
            norm += next[j] * next[j];
        }
        for (int j = 0; j < SIZE; j++)
            direction[j] = next[j] / sqrt(norm + 1e-30);
    }
}

static void map_panel(Figure *figure, const Corpus *corpus, const Model *model, int word)
{
    enum { MOST = 40 };
    int n = corpus->per_sense, shown = n < MOST ? n : MOST;
    real *rows = vectors_of(model, corpus->held + (size_t)word * SENSES * n, SENSES * n, BY_SECOND);
    double mean[SIZE] = {0}, axis[2][SIZE];
    for (int i = 0; i < SENSES * n; i++)
        for (int j = 0; j < SIZE; j++)
            mean[j] += (double)rows[(size_t)i * SIZE + j] / (SENSES * n);
    widest(rows, SENSES * n, mean, NULL, axis[0]);
    widest(rows, SENSES * n, mean, axis[0], axis[1]);
    Panel *panel = figure_panel(figure, subjects[word].word, "first component", "second component");
    for (int sense = 0; sense < SENSES; sense++) {
        real xy[2][MOST] = {{0}};
        for (int i = 0; i < shown; i++)
            for (int k = 0; k < 2; k++)
                for (int j = 0; j < SIZE; j++)
                    xy[k][i] += (real)(((double)rows[((size_t)sense * n + i) * SIZE + j] - mean[j]) * axis[k][j]);
        panel_points(panel, subjects[word].sense[sense], xy[0], xy[1], NULL, shown);
    }
    free(rows);
}

/* ---- nearest sentences, and the student's own ------------------------------------------------------ */

/* For one held-out sentence of each sense the nearest known occurrence. */
static void nearest_sentences(Lab *lab, const Corpus *corpus, const Model *model, int word)
{
    int n = corpus->per_sense;
    size_t first = (size_t)word * SENSES * n;
    real *known = vectors_of(model, corpus->known + first, SENSES * n, BY_SECOND);
    real *held = vectors_of(model, corpus->held + first, SENSES * n, BY_SECOND);
    for (int sense = 0; sense < SENSES; sense++) {
        int asked = sense * n, best = 0;
        for (int i = 1; i < SENSES * n; i++)
            if (distance2(held + (size_t)asked * SIZE, known + (size_t)i * SIZE) <
                distance2(held + (size_t)asked * SIZE, known + (size_t)best * SIZE))
                best = i;
        trace(lab->trace, "    ");
        trace_sentence(lab, corpus, &corpus->held[first + asked]);
        trace(lab->trace, "\n        ");
        trace_sentence(lab, corpus, &corpus->known[first + best]);
        trace(lab->trace, "\n");
    }
    free(known);
    free(held);
}

static int subject_of(const Corpus *corpus, int id)
{
    for (int w = 0; w < WORDS; w++)
        if (corpus->word[w] == id)
            return w;
    return -1;
}

/* The student's words as numbers; dies with status 2 where one is not known. */
static Sentence own_sentence(const Corpus *corpus, const char *text)
{
    int n;
    char **words = text_split(text, "--sentence", &n);
    Sentence s = {.length = 0, .at = -1};
    if (n > LONGEST - 2)
        die_usage("--sentence: %d words are too many; at most %d", n, LONGEST - 2);
    s.id[s.length++] = corpus->begin;
    for (int i = 0; i < n; i++) {
        int id = vocab_find(corpus->vocab, words[i]);
        if (id == VOCAB_NONE)
            die_usage("--sentence: '%s' is not among the %d words of step 6 (Korean: write particles apart, "
                      "\"은행 에서\"; the words are those of the sentences in the lab's source, senses.c)",
                      words[i], corpus->vocab->size);
        if (subject_of(corpus, id) >= 0)
            s.at = s.length;
        s.id[s.length++] = id;
    }
    s.id[s.length++] = corpus->end;
    free(words);
    if (s.at < 0)
        die_usage("--sentence: it needs one of the words with two senses: bank, bat, 은행, 눈");
    return s;
}

static void judge_own(Lab *lab, const Corpus *corpus, const Model *model, const char *text)
{
    Sentence s = own_sentence(corpus, text);
    int word = subject_of(corpus, s.id[s.at]), n = corpus->per_sense;
    real centroid[SENSES][SIZE];
    real *known = vectors_of(model, corpus->known + (size_t)word * SENSES * n, SENSES * n, BY_SECOND);
    real *own = vectors_of(model, &s, 1, BY_SECOND);
    centroids_of(known, n, centroid);
    trace(lab->trace, "\nYour sentence: ");
    trace_sentence(lab, corpus, &s);
    trace(lab->trace, "\n    distance to \"%s\" %.3f, to \"%s\" %.3f: here %s is %s\n", subjects[word].sense[0],
          sqrt(distance2(own, centroid[0])), subjects[word].sense[1], sqrt(distance2(own, centroid[1])),
          subjects[word].word, subjects[word].sense[nearest_sense(own, centroid)]);
    free(known);
    free(own);
}

/* ---- the step ---------------------------------------------------------------------------------- */

static void show_corpus(Lab *lab, const Corpus *corpus)
{
    trace(lab->trace, "Four words that mean two things each, in sentences (one of each sense; %d words in all):\n\n",
          corpus->vocab->size);
    for (int w = 0; w < WORDS; w++)
        for (int sense = 0; sense < SENSES; sense++) {
            trace(lab->trace, "    %-8s", subjects[w].sense[sense]);
            trace_sentence(lab, corpus, &corpus->known[((size_t)w * SENSES + sense) * corpus->per_sense]);
            trace(lab->trace, "\n");
        }
    trace(lab->trace,
          "\nOf all sentences that could be made, one in four is never trained on; all tests are on those.\n");
}

static void show_models(Lab *lab, const Training *job)
{
    double leak[2] = {leak_of(&job->model[0], job->corpus), leak_of(&job->model[1], job->corpus)};
    trace(lab->trace,
          "\nTwo language models, %d steps each.  In the first the directions stay apart; in the second layer 2\n"
          "reads both directions of layer 1, so that the state that guesses a word has seen it:\n\n",
          job->config->sense_steps);
    trace_table(lab->trace, "model\tperplexity, next word\tperplexity, word before\tchange when the answer changes");
    trace_row(lab->trace, "words by frequency\t%.1f\t\t", unigram_perplexity(job->corpus));
    for (int m = 0; m < 2; m++)
        trace_row(lab->trace, "directions %s\t%.2f\t%.2f\t%.4f", m ? "meet" : "apart", job->perplexity[m][FORWARD],
                  job->perplexity[m][BACKWARD], leak[m]);
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nThe lower perplexity of the second is no triumph: no honest guess can be better than the sentences\n"
          "are random, and that model copies its answer.  (BERT, lab 10, may look both ways because it hides\n"
          "the word.)\n");
    claim(lab->claims,
          (Claim){.id = "directions-do-not-leak",
                  .statement = "with the directions apart a state that guesses a word does not change with "
                               "that word, to the bit",
                  .source = "Peters 2018, section 3.1",
                  .measured = leak[0],
                  .test = EQUALS,
                  .bound = 0});
    claim(lab->claims, (Claim){.id = "directions-that-meet-leak",
                               .statement = "where the second layer reads both directions the model sees its answer: "
                                            "its perplexity over the honest model's (the larger of the two directions)",
                               .source = "Devlin 2018, section 3.1: each word could indirectly see itself",
                               .measured = fmax(job->perplexity[1][FORWARD] / job->perplexity[0][FORWARD],
                                                job->perplexity[1][BACKWARD] / job->perplexity[0][BACKWARD]),
                               .test = AT_MOST,
                               .bound = 0.75});
}

void step_senses(Lab *lab, void *state)
{
    Gates *self = state;
    Training job = {.lab = lab, .config = &self->config, .corpus = corpus_new(lab, &self->config)};
    show_corpus(lab, job.corpus);
    trace_aside(lab->trace, "training two language models ...\n");
    parallel_for(lab->threads, 2, train_model, &job);
    show_models(lab, &job);
    trace(lab->trace, "\nWhich sense?  Each occurrence goes to the nearer of the two mean vectors; chance is 0.5:\n\n");
    measure_senses(lab, job.corpus, &job.model[0]);
    trace(lab->trace,
          "\nSentences that were never trained on, and below each the known one whose vector is nearest:\n\n");
    nearest_sentences(lab, job.corpus, &job.model[0], 0);
    nearest_sentences(lab, job.corpus, &job.model[0], 2);
    if (self->own_sentence)
        judge_own(lab, job.corpus, &job.model[0], self->own_sentence);
    Figure *figure = figure_begin(lab->figures, "contextual_senses",
                                  "One word, two kinds of vectors: layer 2 at the word, in unseen sentences");
    figure_layout(figure, 2, 560, 420);
    for (int w = 0; w < WORDS; w++)
        map_panel(figure, job.corpus, &job.model[0], w);
    figure_end(figure);
    for (int m = 0; m < 2; m++)
        parameters_free(job.model[m].parameters);
    corpus_free((Corpus *)job.corpus);
}

void senses_check_sentence(Lab *lab, const Gates *self)
{
    Corpus *corpus = corpus_new(lab, &self->config);
    own_sentence(corpus, self->own_sentence);
    corpus_free(corpus);
}
