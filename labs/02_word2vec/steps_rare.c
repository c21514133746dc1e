/* steps_rare.c: step 5: skip-gram or CBOW?
 *
 * The lecture says: skip-gram is better on little data and on rare words but
 * slower; CBOW is faster and better on frequent words.  Four statements, each
 * measured.  The text is harder than in step 4: half of the sentences say
 * nothing about a word's category, and most words are rare. */
#include "word2vec.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "parallel.h"

enum { BINS = 5, RATES = 3, SEEDS_MOST = 3, LENGTHS = 4, MAIN = 2, EPOCHS = 5, RUNS_MOST = 512 };
static const uint64_t BIN[BINS + 1] = {0, 10, 20, 50, 150, UINT64_MAX};
static const char *const BIN_NAME[BINS] = {"1-9", "10-19", "20-49", "50-149", "150-"};
static const double RATE[RATES] = {0.05, 0.1, 0.2};
static const long TOKENS[LENGTHS] = {12500, 25000, 50000, 100000};

/* The contestants: CBOW with as many passes, and with as much work. */
typedef enum { SG, CBOW_PASSES, CBOW_WORK, CONTESTANTS } Contestant;

/* One training and what came of it. */
typedef struct {
    Contestant who;
    LossKind loss;
    int seed, rate, length, epochs;
    double purity[BINS], all, work, words, seconds;
} Run;

typedef struct {
    Lab *lab;
    WordWorld *world;
    Text *text[SEEDS_MOST][LENGTHS];
    Run run[RUNS_MOST];
    int runs, first_rate; /* the lowest rate is left out at --quick */
} Contest;

static void run_one(int index, void *context)
{
    Contest *contest = context;
    Run *run = &contest->run[index];
    Text *text = contest->text[run->seed][run->length];
    Setting setting = world_setting(contest->lab, run->who == SG ? SKIPGRAM : CBOW, run->loss);
    setting.dimension = 32;
    setting.epochs = run->epochs;
    setting.subsample = 1e-3;
    /* The tree asks about ten questions that it learns from at every example. */
    setting.rate = (real)(run->loss == HIERARCHICAL_SOFTMAX ? RATE[run->rate] / 2 : RATE[run->rate]);
    char stream[] = "rare words 0";
    stream[sizeof stream - 2] = (char)('0' + run->seed);
    Course course;
    Model *model = train(text, &setting, NULL, lab_rng(contest->lab, stream), NULL, &course);
    Vectors *vectors = vectors_of_model(model, text->vocab);
    for (int b = 0; b < BINS; b++)
        run->purity[b] = purity(vectors, contest->world, BIN[b], BIN[b + 1]);
    run->all = purity(vectors, contest->world, 0, UINT64_MAX);
    run->work = course.multiply_adds;
    run->words = course.words;
    run->seconds = course.seconds;
    vectors_free(vectors);
    model_free(model);
    free(course.loss);
}

/* The mean over seeds of one contestant at one rate. */
static Run mean_of(const Contest *contest, Contestant who, LossKind loss, int length, int rate)
{
    Run mean = {.who = who, .loss = loss, .length = length, .rate = rate};
    int n = 0;
    for (int i = 0; i < contest->runs; i++) {
        const Run *run = &contest->run[i];
        if (run->who != who || run->loss != loss || run->length != length || run->rate != rate)
            continue;
        for (int b = 0; b < BINS; b++)
            mean.purity[b] += run->purity[b];
        mean.all += run->all;
        mean.work += run->work;
        mean.words += run->words;
        mean.seconds += run->seconds;
        mean.epochs = run->epochs;
        n++;
    }
    for (int b = 0; b < BINS; b++)
        mean.purity[b] /= n ? n : 1;
    mean.all /= n ? n : 1;
    mean.work /= n ? n : 1;
    return mean;
}

/* At the rate that suits it best. */
static Run best_of(const Contest *contest, Contestant who, LossKind loss, int length)
{
    Run best = mean_of(contest, who, loss, length, contest->first_rate);
    for (int r = contest->first_rate + 1; r < RATES; r++) {
        Run other = mean_of(contest, who, loss, length, r);
        if (other.all > best.all)
            best = other;
    }
    return best;
}

static void add_run(Contest *contest, Run run)
{
    for (int r = contest->first_rate; r < RATES; r++) {
        run.rate = r;
        contest->run[contest->runs++] = run;
    }
}

/* A pass of skip-gram's work over one of CBOW's, counted on one pass of each. */
static double work_ratio(Contest *contest, LossKind loss)
{
    Run one[2] = {{.who = SG, .loss = loss, .length = MAIN, .epochs = 1},
                  {.who = CBOW_PASSES, .loss = loss, .length = MAIN, .epochs = 1}};
    contest->run[0] = one[0];
    contest->run[1] = one[1];
    parallel_for(contest->lab->threads, 2, run_one, contest);
    return contest->run[0].work / contest->run[1].work;
}

/* A short text is read more often, so that both can learn what it holds. */
static int passes_of(int length)
{
    return TOKENS[length] < TOKENS[MAIN] ? (int)(EPOCHS * TOKENS[MAIN] / TOKENS[length]) : EPOCHS;
}

static int rounded(double x)
{
    return (int)(x + 0.5);
}

static void hold_contest(Contest *contest, int seeds, const double ratio[2])
{
    contest->runs = 0;
    for (int seed = 0; seed < seeds; seed++)
        for (int loss = 0; loss < 2; loss++)
            for (int length = 0; length < LENGTHS; length++) {
                Run run = {.who = SG, .loss = loss, .seed = seed, .length = length, .epochs = passes_of(length)};
                if (length != MAIN && (loss != NEGATIVE_SAMPLING || (contest->lab->quick && length > 0)))
                    continue;
                add_run(contest, run);
                run.who = CBOW_WORK;
                run.epochs = rounded(passes_of(length) * ratio[loss]);
                add_run(contest, run);
                run.who = CBOW_PASSES;
                run.epochs = EPOCHS;
                if (length == MAIN)
                    add_run(contest, run);
            }
    parallel_for(contest->lab->threads, contest->runs, run_one, contest);
}

static void make_texts(Contest *contest, int seeds)
{
    contest->world = wordworld_new(1.8, 0.5);
    for (int seed = 0; seed < seeds; seed++)
        for (int length = 0; length < LENGTHS; length++) {
            char stream[] = "rare text 0";
            stream[sizeof stream - 2] = (char)('0' + seed);
            Rng rng = lab_rng(contest->lab, stream);
            contest->text[seed][length] = text_of_world(contest->world, &rng, TOKENS[length]);
        }
}

static const char *const NAME[CONTESTANTS] = {"skip-gram", "CBOW, as many passes", "CBOW, as much work"};

static real two_digits(double x)
{
    return (real)((int)(100 * x + 0.5) / 100.0);
}

static void draw(Lab *lab, Run best[2][CONTESTANTS], const real *length, const real *sg, const real *cbow, int lengths)
{
    static const char *const title[] = {"negative sampling", "hierarchical softmax"};
    Figure *figure = figure_begin(lab->figures, "rare_vs_frequent", "Skip-gram or CBOW?");
    figure_layout(figure, 2, 660, 430);
    for (int loss = 0; loss < 2; loss++) {
        Panel *panel = figure_panel(figure, title[loss], "times a word is seen", "purity");
        panel_range_y(panel, 0, 1.2);
        for (int who = 0; who < CONTESTANTS; who++) {
            real values[BINS];
            for (int b = 0; b < BINS; b++)
                values[b] = two_digits(best[loss][who].purity[b]);
            panel_bars(panel, NAME[who], BIN_NAME, values, NULL, BINS);
        }
    }
    Panel *panel = figure_panel(figure, "little data (negative sampling, all words)", "words of text", "purity");
    panel_log_x(panel);
    panel_range_y(panel, 0, 1);
    panel_line(panel, NAME[SG], length, sg, lengths);
    panel_line(panel, NAME[CBOW_WORK], length, cbow, lengths);

    panel = figure_panel(figure, "work of one pass over 50,000 words", NULL, "million multiply-adds");
    static const char *const ways[] = {"negative sampling", "hierarchical softmax"};
    for (int who = 0; who < 2; who++) {
        real work[2];
        for (int loss = 0; loss < 2; loss++)
            work[loss] = two_digits(best[loss][who].work / best[loss][who].epochs / 1e6);
        panel_bars(panel, who == SG ? "skip-gram" : "CBOW", ways, work, NULL, 2);
    }
    figure_end(figure);
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

/* The lecture's four statements as four numbers: each the less favourable of
 * noise and tree. */
typedef struct {
    double rare, little, frequent, work;
} Gaps;

static Gaps gaps_of(Run best[2][CONTESTANTS], double little)
{
    Gaps v = {1, little, 1, 1e9};
    for (int loss = 0; loss < 2; loss++) {
        const Run *sg = &best[loss][SG], *cbow = &best[loss][CBOW_WORK], *passes = &best[loss][CBOW_PASSES];
        v.rare = smaller(v.rare, sg->purity[0] - cbow->purity[0]);
        v.frequent = smaller(v.frequent, sg->purity[BINS - 1] - cbow->purity[BINS - 1]);
        v.work = smaller(v.work, sg->work / passes->work);
    }
    return v;
}

static void make_claims(Lab *lab, Gaps v)
{
    trace(
        lab->trace,
        "\nSkip-gram's purity minus CBOW's at equal work: rare words %+.3f, little data %+.3f, frequent words %+.3f.\n"
        "A pass of skip-gram is %.2f times the work of one of CBOW.\n",
        v.rare, v.little, v.frequent, v.work);
    claim(lab->claims,
          (Claim){.id = "skipgram-rare-words",
                  .statement = "skip-gram is better on rare words (seen less than 10 times): purity above CBOW's at "
                               "equal work, with noise and with the tree",
                  .source = "lecture 2: skip-gram is better on rare words",
                  .measured = v.rare,
                  .test = AT_LEAST,
                  .bound = 0.05});
    claim(lab->claims,
          (Claim){.id = "skipgram-little-data",
                  .statement = "skip-gram is better on little data (12,500 words): purity above CBOW's at equal work",
                  .source = "lecture 2: skip-gram is better on little data",
                  .measured = v.little,
                  .test = AT_LEAST,
                  .bound = 0.05});
    claim(lab->claims, (Claim){.id = "cbow-faster",
                               .statement = "CBOW is faster: multiply-adds of a pass, skip-gram's over CBOW's",
                               .source = "lecture 2: skip-gram is slower",
                               .measured = v.work,
                               .test = AT_LEAST,
                               .bound = 1.5});
    claim(lab->claims,
          (Claim){.id = "cbow-frequent-words",
                  .statement = "CBOW is not better on frequent words: skip-gram's purity on words seen 150 times or "
                               "more is at least CBOW's at equal work, with noise and with the tree",
                  .source = "lecture 2: CBOW is better on frequent words",
                  .measured = v.frequent,
                  .test = AT_LEAST,
                  .bound = 0,
                  .corrects = true});
}

void step_rare(Lab *lab, void *state)
{
    (void)state;
    int seeds = lab_choose(lab, SEEDS_MOST, 1);
    Contest *contest = memory_new(1, sizeof *contest, "the contest");
    contest->lab = lab;
    make_texts(contest, seeds);
    contest->first_rate = lab_choose(lab, 0, 1);
    double ratio[2] = {work_ratio(contest, NEGATIVE_SAMPLING), work_ratio(contest, HIERARCHICAL_SOFTMAX)};
    hold_contest(contest, seeds, ratio);

    trace(lab->trace,
          "Lecture: skip-gram is better on little data and rare words but slower; CBOW is faster and better on\n"
          "frequent words. %d text%s of 50,000 words, half of the sentences without any hint at categories; each\n"
          "contestant at the best of %d learning rates. Purity by how often a word is seen (noise: negative\n"
          "sampling, tree: hierarchical softmax):\n\n",
          seeds, seeds > 1 ? "s" : "", RATES - contest->first_rate);
    Run best[2][CONTESTANTS];
    trace_table(lab->trace, "model\tpasses\tMmultiply-adds\trate\t1-9\t10-19\t20-49\t50-149\t150-\tall");
    for (int loss = 0; loss < 2; loss++)
        for (int who = 0; who < CONTESTANTS; who++) {
            Run *b = &best[loss][who];
            *b = best_of(contest, who, loss, MAIN);
            trace_row(lab->trace, "%s (%s)\t%d\t%.0f\t%g\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f", NAME[who],
                      loss ? "tree" : "noise", b->epochs, b->work / 1e6, loss ? RATE[b->rate] / 2 : RATE[b->rate],
                      b->purity[0], b->purity[1], b->purity[2], b->purity[3], b->purity[4], b->all);
        }
    trace_table_end(lab->trace);
    for (int i = 0; i < 4; i++) {
        static const char *const name[] = {"rare_skipgram_ns", "rare_cbow_ns", "rare_skipgram_hs", "rare_cbow_hs"};
        trace_timing(lab->trace, name[i], best[i / 2][i % 2].words / best[i / 2][i % 2].seconds, "words/s");
    }

    real length[LENGTHS], sg[LENGTHS], cbow[LENGTHS];
    int lengths = 0;
    trace(lab->trace, "\nLittle data and more (negative sampling, equal work), purity of all words:\n\n");
    trace_table(lab->trace, "words of text\tskip-gram: passes\tpurity\tCBOW: passes\tpurity");
    for (int i = 0; i < LENGTHS; i++) {
        Run left = best_of(contest, SG, NEGATIVE_SAMPLING, i),
            right = best_of(contest, CBOW_WORK, NEGATIVE_SAMPLING, i);
        if (left.epochs == 0)
            continue; /* not at --quick */
        length[lengths] = (real)TOKENS[i];
        sg[lengths] = (real)left.all;
        cbow[lengths++] = (real)right.all;
        trace_row(lab->trace, "%ld\t%d\t%.3f\t%d\t%.3f", TOKENS[i], left.epochs, left.all, right.epochs, right.all);
    }
    trace_table_end(lab->trace);
    draw(lab, best, length, sg, cbow, lengths);
    make_claims(lab, gaps_of(best, (double)(sg[0] - cbow[0])));
    for (int i = 0; i < SEEDS_MOST * LENGTHS; i++)
        text_free(contest->text[i / LENGTHS][i % LENGTHS]);
    wordworld_free(contest->world);
    free(contest);
}
