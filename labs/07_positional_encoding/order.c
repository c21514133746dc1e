/* Step 6. A question about order: at chance without positions, solved with. */
#include <stdlib.h>

#include "memory.h"
#include "optim.h"
#include "parallel.h"
#include "positional.h"

/* A sentence is eight words, all different, in a random order; the question: does
 * word 0 come before word 1?  Every sentence holds the same words, so order is all
 * there is to know.  The model reads both ways (no mask), averages over the places
 * and answers. */
enum { WORDS = 8, WIDTH = 32, HEADS = 4, BATCH = 32, KINDS = WAYS + 1, CAUSAL_ONLY = WAYS };
#define RATE 1e-2

typedef struct {
    Reader reader;
    Linear answer;
} Model;

static Model model_new(int kind, Rng *rng)
{
    Model model = {.reader = reader_new((ReaderSettings){.way = kind == CAUSAL_ONLY ? NONE : (Way)kind,
                                                         .vocabulary = WORDS,
                                                         .d = WIDTH,
                                                         .heads = HEADS,
                                                         .layers = 1,
                                                         .causal = kind == CAUSAL_ONLY,
                                                         .trained = WORDS,
                                                         .places = WORDS},
                                        rng)};
    model.answer = linear_new(model.reader.parameters, "answer", WIDTH, 2, rng);
    return model;
}

/* [B, 2]: the logits of "after" and "before" from the mean over the places. */
static Tensor *answer(Tape *tape, const Model *model, const int *ids, int batch)
{
    Tensor *read = reader_read(tape, &model->reader, ids, batch, WORDS, 0); /* [B, T, d] */
    Tensor *mean = tape_input(tape, "1 / T", SHAPE(WORDS, 1), NULL);
    for (int t = 0; t < WORDS; t++)
        mean->data[t] = (real)1 / WORDS;
    Tensor *pooled = op_matmul(tape, op_transpose(tape, read, 1, 2), mean); /* [B, d, 1] */
    return linear(tape, &model->answer, op_reshape(tape, pooled, SHAPE(batch, WIDTH)));
}

/* A random sentence; returns 1 if word 0 comes before word 1. */
static int draw_sentence(Rng *rng, int *ids)
{
    int place[2] = {0};
    for (int t = 0; t < WORDS; t++)
        ids[t] = t;
    rng_shuffle(rng, ids, WORDS);
    for (int t = 0; t < WORDS; t++)
        if (ids[t] < 2)
            place[ids[t]] = t;
    return place[0] < place[1];
}

static void train(Model *model, Tape *tape, int steps, Rng *rng)
{
    int ids[BATCH * WORDS], targets[BATCH];
    Optimiser *adam = adam_new(model->reader.parameters, (Adam){.rate = RATE});
    for (int step = 0; step < steps; step++) {
        for (int b = 0; b < BATCH; b++)
            targets[b] = draw_sentence(rng, ids + b * WORDS);
        tape_rewind(tape);
        tape_backward(tape, op_cross_entropy(tape, answer(tape, model, ids, BATCH), targets));
        clip_by_norm(model->reader.parameters, 1);
        optimiser_set_rate(adam, RATE * schedule_cosine(step, steps / 20, steps, 0.05));
        optimiser_step(adam);
    }
    optimiser_free(adam);
}

/* Each new sentence is asked twice: as it is, and with words 0 and 1 exchanged. */
static double test(const Model *model, Tape *tape, int sentences, Rng *rng)
{
    int ids[2 * WORDS], right = 0;
    tape_record(tape, false);
    for (int i = 0; i < sentences; i++) {
        int before = draw_sentence(rng, ids);
        for (int t = 0; t < WORDS; t++)
            ids[WORDS + t] = ids[t] < 2 ? 1 - ids[t] : ids[t];
        tape_rewind(tape);
        const real *logits = answer(tape, model, ids, 2)->data;
        right += (logits[1] > logits[0]) == before;
        right += (logits[3] > logits[2]) != before;
    }
    return (double)right / (2 * sentences);
}

typedef struct {
    const Lab *lab;
    const Positional *self;
    double accuracy[KINDS];
} Job;

static void one_model(int kind, void *context)
{
    Job *job = context;
    Rng weights = lab_rng(job->lab, "order weights"), sentences = lab_rng(job->lab, "order sentences"),
        tests = lab_rng(job->lab, "order tests");
    Model model = model_new(kind, &weights);
    Tape *tape = tape_new(1);
    train(&model, tape, job->self->order_steps, &sentences);
    job->accuracy[kind] = test(&model, tape, 2 * job->self->tests, &tests);
    tape_free(tape);
    reader_free(&model.reader);
}

static void claims(Lab *lab, const Job *job)
{
    double least = 1;
    for (Way way = LINEAR; way < WAYS; way++)
        if (way != ALIBI && job->accuracy[way] < least)
            least = job->accuracy[way];
    claim(lab->claims, (Claim){.id = "order-needs-positions",
                               .source = "lecture: order-sensitive tasks without positions",
                               .statement = "without positions \"which came first?\" is answered at chance, 0.5",
                               .measured = job->accuracy[NONE],
                               .test = EQUALS,
                               .bound = 0.5,
                               .tolerance = 0.05});
    claim(lab->claims,
          (Claim){.id = "positions-solve-order",
                  .source = "lecture: the same with positions",
                  .statement =
                      "with linear, learned, sinusoidal, T5 or rotary positions it is solved (least of the five)",
                  .measured = least,
                  .test = AT_LEAST,
                  .bound = 0.98});
    claim(lab->claims, (Claim){.id = "mask-solves-order",
                               .source = "Haviv 2022; step 1",
                               .statement = "a causal mask without any positions solves it as well",
                               .measured = job->accuracy[CAUSAL_ONLY],
                               .test = AT_LEAST,
                               .bound = 0.98});
    claim(lab->claims, (Claim){.id = "distance-without-direction",
                               .source = "Press 2022, section 3: ALiBi is made for causal models",
                               .statement = "ALiBi without a causal mask knows |t - s| but not the direction: chance",
                               .measured = job->accuracy[ALIBI],
                               .test = EQUALS,
                               .bound = 0.5,
                               .tolerance = 0.05});
}

void step_order(Lab *lab, void *state)
{
    Job job = {.lab = lab, .self = state};
    const char *names[KINDS];
    real accuracy[KINDS];
    trace(lab->trace,
          "Eight different words in a random order, one question: does \"A\" come before \"B\"? Every sentence has\n"
          "the same words, so nothing but their order can tell. One layer, no mask, mean over the places;\n"
          "%d steps of %d sentences; tested on %d new ones, each also with A and B exchanged.\n\n",
          job.self->order_steps, BATCH, 2 * job.self->tests);
    parallel_for(lab->threads, KINDS, one_model, &job);
    trace_table(lab->trace, "positions\taccuracy");
    for (int kind = 0; kind < KINDS; kind++) {
        names[kind] = kind == CAUSAL_ONLY ? "causal mask" : way_name[kind];
        accuracy[kind] = (real)job.accuracy[kind];
        trace_row(lab->trace, "%s\t%.3f", kind == CAUSAL_ONLY ? "none, but a causal mask" : names[kind],
                  job.accuracy[kind]);
    }
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nALiBi's distance has no sign: read backwards, a sentence looks the same to it. In a causal model the\n"
          "mask gives the direction, and that is where it is used.\n");
    Figure *figure = figure_begin(lab->figures, "order_task", "\"Which of the two came first?\"");
    figure_layout(figure, 1, 1100, 560);
    Panel *panel = figure_panel(figure, NULL, NULL, "accuracy on new sentences");
    panel_range_y(panel, 0, 1.1);
    panel_bars(panel, "accuracy", names, accuracy, NULL, KINDS);
    panel_horizontal(panel, "chance", 0.5);
    figure_end(figure);
    claims(lab, &job);
}
