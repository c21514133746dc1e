/* Step 7. Trained on sequences of up to 20, tested up to 40. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"
#include "memory.h"
#include "optim.h"
#include "parallel.h"
#include "positional.h"

/* A sequence is letters, each marked with probability 1/5; at every place three
 * questions are asked about what was read so far:
 *     three back   which letter stood three places before?       (an exact distance)
 *     last marked  which letter was marked most recently?        (the nearest of a kind)
 *     first        which letter came first of all?               (a fixed place)
 * The mask is causal, so a sequence of 20 holds all shorter ones as its beginnings:
 * training on it is training on every length up to 20. */
enum { LETTERS = 8, TRAINED = 20, LONGEST = 40, WIDTH = 32, HEADS = 4, LAYERS = 2, BATCH = 16 };
enum { THREE_BACK, LAST_MARKED, FIRST, QUESTIONS };
enum { RANDOM_START = WAYS, KINDS }; /* sinusoidal, trained at places that start anywhere in 0 ... 20 */
#define RATE 1e-2
#define MARKED 0.2

static const char *kind_name(int kind)
{
    return kind == RANDOM_START ? "random start" : way_name[kind];
}

/* N sequences of LENGTH; targets [QUESTIONS, n, length], -1 where there is no answer. */
static void draw(Rng *rng, int n, int length, int *ids, int *targets)
{
    for (int i = 0; i < n; i++) {
        int *id = ids + i * length, last_marked = -1;
        for (int t = 0; t < length; t++) {
            int letter = (int)rng_below(rng, LETTERS), marked = rng_chance(rng, MARKED), at = i * length + t;
            id[t] = letter + LETTERS * marked;
            last_marked = marked ? letter : last_marked;
            targets[(THREE_BACK * n) * length + at] = t >= 3 ? id[t - 3] % LETTERS : -1;
            targets[(LAST_MARKED * n) * length + at] = last_marked;
            targets[(FIRST * n) * length + at] = id[0] % LETTERS;
        }
    }
}

typedef struct {
    Reader reader;
    Linear answer[QUESTIONS];
} Model;

static Model model_new(int kind, Rng *rng)
{
    Model model = {.reader = reader_new((ReaderSettings){.way = kind == RANDOM_START ? SINUSOIDAL : (Way)kind,
                                                         .vocabulary = 2 * LETTERS,
                                                         .d = WIDTH,
                                                         .heads = HEADS,
                                                         .layers = LAYERS,
                                                         .causal = true,
                                                         .trained = TRAINED,
                                                         .places = LONGEST},
                                        rng)};
    for (int q = 0; q < QUESTIONS; q++)
        model.answer[q] = linear_new(model.reader.parameters, "answer", WIDTH, LETTERS, rng);
    return model;
}

static void train(Model *model, Tape *tape, int steps, bool random_start, Rng *rng)
{
    int ids[BATCH * TRAINED], targets[QUESTIONS * BATCH * TRAINED];
    Parameters *parameters = model->reader.parameters;
    Optimiser *adam = adam_new(parameters, (Adam){.rate = RATE});
    for (int step = 0; step < steps; step++) {
        int shift = (int)rng_below(rng, LONGEST - TRAINED + 1); /* drawn for all, so that all read the same letters */
        draw(rng, BATCH, TRAINED, ids, targets);
        tape_rewind(tape);
        Tensor *read = reader_read(tape, &model->reader, ids, BATCH, TRAINED, random_start ? shift : 0), *loss = NULL;
        for (int q = 0; q < QUESTIONS; q++) {
            Tensor *one = op_cross_entropy(tape, linear(tape, &model->answer[q], read), targets + q * BATCH * TRAINED);
            loss = loss ? op_add(tape, loss, one) : one;
        }
        tape_backward(tape, loss);
        clip_by_norm(parameters, 1);
        optimiser_set_rate(adam, RATE * schedule_cosine(step, steps / 20, steps, 0.05));
        optimiser_step(adam);
    }
    optimiser_free(adam);
}

/* Right answers and questions asked, by question and place. */
typedef struct {
    int right[QUESTIONS][LONGEST], asked[QUESTIONS][LONGEST];
} Score;

static void test(const Model *model, Tape *tape, int sequences, Rng *rng, Score *score)
{
    enum { AT_ONCE = 50 };
    int ids[AT_ONCE * LONGEST], targets[QUESTIONS * AT_ONCE * LONGEST];
    tape_record(tape, false);
    for (int done = 0; done < sequences; done += AT_ONCE) {
        draw(rng, AT_ONCE, LONGEST, ids, targets);
        tape_rewind(tape);
        Tensor *read = reader_read(tape, &model->reader, ids, AT_ONCE, LONGEST, 0);
        for (int q = 0; q < QUESTIONS; q++) {
            const real *logits = linear(tape, &model->answer[q], read)->data;
            for (int i = 0; i < AT_ONCE * LONGEST; i++) {
                int target = targets[q * AT_ONCE * LONGEST + i];
                score->asked[q][i % LONGEST] += target >= 0;
                score->right[q][i % LONGEST] += target >= 0 && argmax(logits + i * LETTERS, LETTERS) == target;
            }
        }
    }
}

/* ---- all models ----------------------------------------------------------------- */

typedef struct {
    Lab *lab;
    const Positional *self;
    Score *score;                  /* [runs, KINDS] */
    real bias[T5_BUCKETS * HEADS]; /* of the first T5 model */
    pthread_mutex_t lock;          /* for the progress bar */
    int done;
} Training;

static void one_model(int index, void *context)
{
    Training *all = context;
    int kind = index % KINDS, run = index / KINDS;
    char purpose[3][32];
    snprintf(purpose[0], sizeof purpose[0], "longer weights %d", run);
    snprintf(purpose[1], sizeof purpose[1], "longer letters %d", run);
    snprintf(purpose[2], sizeof purpose[2], "longer tests %d", run);
    Rng weights = lab_rng(all->lab, purpose[0]), letters = lab_rng(all->lab, purpose[1]),
        tests = lab_rng(all->lab, purpose[2]);
    Model model = model_new(kind, &weights);
    Tape *tape = tape_new(1);
    train(&model, tape, all->self->steps, kind == RANDOM_START, &letters);
    test(&model, tape, all->self->tests, &tests, &all->score[index]);
    if (kind == T5_BIAS && run == 0)
        for (int i = 0; i < T5_BUCKETS * HEADS; i++)
            all->bias[i] = model.reader.positions.bias->data[i];
    tape_free(tape);
    reader_free(&model.reader);
    pthread_mutex_lock(&all->lock);
    all->done++;
    progress_update(all->lab->progress, all->done, "%d models of %d", all->done, KINDS * all->self->runs);
    pthread_mutex_unlock(&all->lock);
}

/* The share of right answers at places FROM ... TO-1 over all runs. */
static double accuracy(const Training *all, int kind, int question, int from, int to)
{
    int right = 0, asked = 0;
    for (int run = 0; run < all->self->runs; run++)
        for (int t = from; t < to; t++) {
            right += all->score[run * KINDS + kind].right[question][t];
            asked += all->score[run * KINDS + kind].asked[question][t];
        }
    return asked ? (double)right / asked : 0;
}

static double inside(const Training *all, int kind, int question)
{
    return accuracy(all, kind, question, 0, TRAINED);
}

static double beyond(const Training *all, int kind, int question)
{
    return accuracy(all, kind, question, TRAINED, LONGEST);
}

static void draw_curves(Lab *lab, const Training *all)
{
    static const char *const title[QUESTIONS] = {"which letter stood three places back?",
                                                 "which letter was marked most recently?", "which letter came first?"};
    real x[LONGEST], y[LONGEST];
    Figure *figure = figure_begin(lab->figures, "extrapolation", "Trained on lengths up to 20, asked up to 40");
    figure_layout(figure, 3, 620, 600);
    for (int q = 0; q < QUESTIONS; q++) {
        Panel *panel = figure_panel(figure, title[q], "place in the sequence", "accuracy");
        panel_range_y(panel, 0, 1.05);
        panel_range_x(panel, 1, LONGEST);
        for (int kind = 0; kind < KINDS; kind++) {
            int n = 0;
            for (int t = q == THREE_BACK ? 3 : 0; t < LONGEST; t++, n++) {
                x[n] = (real)(t + 1);
                y[n] = (real)accuracy(all, kind, q, t, t + 1);
            }
            panel_line(panel, kind_name(kind), x, y, n);
        }
        real edge[2] = {TRAINED + 0.5, TRAINED + 0.5}, height[2] = {0, 1.05};
        panel_reference(panel, "end of training", edge, height, 2);
    }
    figure_end(figure);
}

static void draw_bias(Lab *lab, const Training *all)
{
    real x[LONGEST], y[LONGEST];
    Figure *figure = figure_begin(lab->figures, "learned_bias", "What T5's four heads learned about distance");
    Panel *panel = figure_panel(figure, NULL, "distance t - s", "bias added to the score");
    for (int h = 0; h < HEADS; h++) {
        char label[16];
        for (int k = 0; k < LONGEST; k++) {
            x[k] = (real)k;
            y[k] = all->bias[t5_bucket(k) * HEADS + h];
        }
        snprintf(label, sizeof label, "head %d", h + 1);
        panel_line(panel, label, x, y, LONGEST);
    }
    figure_end(figure);
}

static void tell(Lab *lab, const Training *all)
{
    trace_table(lab->trace, "positions\t3 back, to 20\tto 40\tlast marked, to 20\tto 40\tfirst, to 20\tto 40");
    for (int kind = 0; kind < KINDS; kind++)
        trace_row(lab->trace, "%s\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f", kind_name(kind), inside(all, kind, THREE_BACK),
                  beyond(all, kind, THREE_BACK), inside(all, kind, LAST_MARKED), beyond(all, kind, LAST_MARKED),
                  inside(all, kind, FIRST), beyond(all, kind, FIRST));
    trace_table_end(lab->trace);
    int best = 0; /* [bucket, head] */
    for (int i = 0; i < T5_SIDE * HEADS; i++)
        if (all->bias[i] > all->bias[best])
            best = i;
    trace(lab->trace,
          "\nWhat T5 learned about distances is four short lists of numbers (figure learned_bias); the largest\n"
          "bias, %.2f, is head %d's for distance %d. A list of distances is as good at place 40 as at place 4.\n"
          "ALiBi's list is not learned and only falls, so it finds the nearest and cannot single out the third.\n"
          "The last row is the sinusoidal table again, trained on the same lengths, but at places that start\n"
          "anywhere from 0 to 20: what fails beyond 20 is not the formula but places that were never seen.%s\n",
          (double)all->bias[best], best % HEADS + 1, best / HEADS,
          lab->quick
              ? "\n(With all these places it learns more slowly; --quick stops it before it can look three back.)"
              : "");
}

static void introduce(Lab *lab, const Positional *self)
{
    trace(lab->trace,
          "Sequences of letters (%d different ones, some marked); at every place three questions about what was\n"
          "read so far: which letter stood three places back, which was marked last, which came first of all?\n"
          "(Guessing: %.3f.) Two layers, causal mask, width %d, %d heads, %d steps of %d sequences of length\n"
          "%d (whose beginnings are all the shorter ones); %d model%s of each kind, tested on %d sequences of\n"
          "length %d. Accuracy at places 1 to 20, and at 21 to 40, where no model but the last has\n"
          "ever been:\n\n",
          LETTERS, 1.0 / LETTERS, WIDTH, HEADS, self->steps, BATCH, TRAINED, self->runs, self->runs > 1 ? "s" : "",
          self->tests, LONGEST);
}

/* How much of the accuracy up to 20 is lost beyond. */
static double loss_beyond(const Training *all, int kind, int question)
{
    return inside(all, kind, question) - beyond(all, kind, question);
}

static double least(const double *x, int n)
{
    double smallest = x[0];
    for (int i = 1; i < n; i++)
        smallest = x[i] < smallest ? x[i] : smallest;
    return smallest;
}

static void claim_lecture(Lab *lab, const Training *all)
{
    const char *few = lab->quick ? "the models are trained for too few steps" : NULL;
    const double solved[] = {inside(all, LEARNED, THREE_BACK), inside(all, SINUSOIDAL, THREE_BACK),
                             inside(all, T5_BIAS, THREE_BACK), inside(all, ROTARY, THREE_BACK)};
    const double shifted[] = {beyond(all, RANDOM_START, THREE_BACK), beyond(all, RANDOM_START, LAST_MARKED)};
    claim(lab->claims, (Claim){.id = "three-back-inside",
                               .source = "step 4: what each way adds",
                               .statement = "up to length 20, learned, sinusoidal, T5 and rotary positions all look "
                                            "exactly three back (least accuracy of the four)",
                               .measured = least(solved, 4),
                               .test = AT_LEAST,
                               .bound = 0.95,
                               .skipped = few});
    claim(lab->claims,
          (Claim){.id = "sinusoidal-three-back",
                  .source = "lecture: sinusoidal works on longer sequences; Vaswani 2017, section 3.5: \"may allow the "
                            "model to extrapolate\"",
                  .statement =
                      "at places 21 to 40 sinusoidal positions no longer find the letter three back (accuracy lost)",
                  .measured = loss_beyond(all, SINUSOIDAL, THREE_BACK),
                  .test = AT_LEAST,
                  .bound = 0.3,
                  .skipped = few,
                  .corrects = true});
    claim(lab->claims, (Claim){.id = "sinusoidal-last-marked",
                               .source = "the same",
                               .statement = "nor, reliably, the letter that was marked last (accuracy lost)",
                               .measured = loss_beyond(all, SINUSOIDAL, LAST_MARKED),
                               .test = AT_LEAST,
                               .bound = 0.2,
                               .corrects = true});
    claim(lab->claims,
          (Claim){.id = "unseen-places",
                  .source = "Kiyono 2021: shifted absolute positions",
                  .statement = "trained on the same lengths, but at places that start anywhere from 0 to 20, "
                               "sinusoidal positions do work up to 40 (least accuracy beyond 20 of both)",
                  .measured = least(shifted, 2),
                  .test = AT_LEAST,
                  .bound = 0.9,
                  .skipped = few});
    claim(
        lab->claims,
        (Claim){.id = "learned-three-back",
                .source = "lecture: learned positions end where training ended",
                .statement = "learned positions beyond 20 are rows that were never trained (accuracy lost, three back)",
                .measured = loss_beyond(all, LEARNED, THREE_BACK),
                .test = AT_LEAST,
                .bound = 0.7});
}

static void claim_relative(Lab *lab, const Training *all)
{
    claim(lab->claims, (Claim){.id = "t5-three-back",
                               .source = "Raffel 2020, section 2.1; Press 2022, figure 1",
                               .statement = "T5's bias loses little: it knows distances, and those are the same "
                                            "further along (accuracy lost, three back)",
                               .measured = loss_beyond(all, T5_BIAS, THREE_BACK),
                               .test = AT_MOST,
                               .bound = 0.1});
    claim(lab->claims, (Claim){.id = "rotary-three-back",
                               .source = "Su 2021; Press 2022, figure 1",
                               .statement = "beyond 20 rotary finds the letter three back more often than sinusoidal "
                                            "does (difference of accuracies)",
                               .measured = beyond(all, ROTARY, THREE_BACK) - beyond(all, SINUSOIDAL, THREE_BACK),
                               .test = ABOVE,
                               .bound = 0.1});
    claim(lab->claims, (Claim){.id = "alibi-last-marked",
                               .source = "Press 2022, section 3",
                               .statement = "ALiBi loses little where the nearest counts (accuracy lost, last marked)",
                               .measured = loss_beyond(all, ALIBI, LAST_MARKED),
                               .test = AT_MOST,
                               .bound = 0.05});
    claim(lab->claims,
          (Claim){.id = "alibi-three-back",
                  .source = "its bias falls with distance and cannot rise again at 3",
                  .statement = "but it cannot look exactly three back, not even up to length 20 (accuracy)",
                  .measured = inside(all, ALIBI, THREE_BACK),
                  .test = AT_MOST,
                  .bound = 0.5});
    claim(
        lab->claims,
        (Claim){.id = "none-first",
                .source = "Haviv 2022; Kazemnejad 2023",
                .statement =
                    "without any positions the causal mask alone finds the first letter at places 21 to 40 (accuracy)",
                .measured = beyond(all, NONE, FIRST),
                .test = AT_LEAST,
                .bound = 0.95});
    claim(lab->claims, (Claim){.id = "rotary-first",
                               .source = "no way is best at everything",
                               .statement = "and rotary loses it, though it needs no distance (accuracy lost)",
                               .measured = loss_beyond(all, ROTARY, FIRST),
                               .test = AT_LEAST,
                               .bound = 0.1});
}

void step_longer(Lab *lab, void *state)
{
    Training all = {.lab = lab, .self = state};
    int models = KINDS * all.self->runs;
    all.score = memory_new((size_t)models, sizeof *all.score, "the scores");
    pthread_mutex_init(&all.lock, NULL);
    progress_begin(lab->progress, "training", models);
    parallel_for(lab->threads, models, one_model, &all);
    progress_end(lab->progress);
    pthread_mutex_destroy(&all.lock);
    introduce(lab, all.self);
    tell(lab, &all);
    draw_curves(lab, &all);
    draw_bias(lab, &all);
    claim_lecture(lab, &all);
    claim_relative(lab, &all);
    free(all.score);
}
