/* translate.c: step 6: the decoder's block, and the complete Transformer beside
 * lab 05's kind of translator. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "memory.h"
#include "parallel.h"
#include "recurrent_translator.h"
#include "transformer_block.h"
#include "translation.h"
#include "translator.h"

enum { RECURRENT, TRANSFORMER, SMOOTHED, DROPPED, COLD, MODELS };
static const char *const model_name[MODELS] = {"GRU, attention", "Transformer", "with label smoothing", "with dropout",
                                               "without warm-up"};
enum { QUARTERS = 4, HEADS = 4, WIDTH = 48, FFN = 96, EMBEDDING = 32, HIDDEN = 64, RECURRENT_BATCH = 16, BATCH = 8 };
#define LECTURE "the black cat drank milk"
#define TRANSFORMER_RATE 4e-3
#define RECURRENT_RATE 5e-3
#define SMOOTHING 0.1
#define DROPOUT 0.1

/* ---- the decoder's block ------------------------------------------------------------ */

/* Changes the last word and looks for a change before it; the same without a mask. */
static double leak(Tape *tape, const Block *layer, Tensor *x, Tensor *memory, bool masked)
{
    int length = x->shape.dim[1], d = x->shape.dim[2];
    BlockView view = {.mask = masked ? mask_causal(tape, length) : NULL, .memory = memory};
    Tensor *changed = tape_input(tape, "changed", x->shape, x->data);
    for (int i = 0; i < d; i++)
        changed->data[(length - 1) * d + i] += i % 2 ? 1 : -1;
    Tensor *y = block_written_out(tape, layer, x, view, (Robbed){0}, NULL);
    Tensor *z = block_written_out(tape, layer, changed, view, (Robbed){0}, NULL);
    double most = 0;
    for (int i = 0; i < (length - 1) * d; i++)
        most = fmax(most, fabs((double)y->data[i] - (double)z->data[i]));
    return most;
}

static Tensor *random_words(Tape *tape, const char *name, int n, int d, Rng *rng)
{
    Tensor *x = tape_input(tape, name, SHAPE(1, n, d), NULL);
    for (size_t i = 0; i < x->size; i++)
        x->data[i] = rng_normal(rng);
    return x;
}

static void decoder_block(Lab *lab)
{
    enum { D = 8, T = 5, S = 4 };
    char shape[SHAPE_TEXT];
    Rng rng = lab_rng(lab, "decoder block");
    Tape *tape = tape_new(1);
    Parameters *parameters = parameters_new();
    Block layer =
        block_new(parameters, "decoder",
                  (BlockSettings){.d = D, .heads = 2, .feed_forward = 4 * D, .pre_norm = true, .cross = true}, &rng);
    Tensor *x = random_words(tape, "x", T, D, &rng), *memory = random_words(tape, "memory", S, D, &rng);
    Tensor *self, *cross, *mask = mask_causal(tape, T);
    Flow flow = {0};
    BlockView view = {.mask = mask, .memory = memory, .weights = &self, .cross_weights = &cross};
    block_written_out(tape, &layer, x, view, (Robbed){0}, &flow);
    trace(lab->trace,
          "A decoder's block has three sublayers: attention over the words said so far, attention over what the\n"
          "encoder made of the source (%d words here), and the FFN. %d words said, width %d, Pre-Norm:\n\n",
          S, T, D);
    for (int i = 0; i < flow.n; i++)
        trace_equation(lab->trace, flow.tensor[i]->where, "%-20s %s", flow.tensor[i]->name,
                       shape_text(flow.tensor[i]->shape, shape));
    trace(lab->trace, "\n");
    trace_matrix(lab->trace, self->where, "who looks at whom, head 1", self->data, T, T, NULL, NULL, 3);
    trace_matrix(lab->trace, cross->where, "and at the source, head 1", cross->data, T, S, NULL, NULL, 3);
    double masked = leak(tape, &layer, x, memory, true), open = leak(tape, &layer, x, memory, false);
    trace(lab->trace,
          "\nThe last word is changed: what comes out before it changes by %g with the mask, by up to %.3f without.\n"
          "So all words of a translation can be trained at once, and none has seen its own answer.\n\n",
          masked, open);
    claim(lab->claims, (Claim){.id = "decoder-does-not-leak",
                               .source = "lecture: masked decoder block; Vaswani 2017, section 3.2.3",
                               .statement = "changing the last word changes nothing before it, to the bit",
                               .measured = masked,
                               .test = EQUALS,
                               .bound = 0});
    claim(lab->claims, (Claim){.id = "without-mask-it-leaks",
                               .source = "the same",
                               .statement = "without the mask it does (largest change)",
                               .measured = open,
                               .test = ABOVE,
                               .bound = 0.001});
    tape_free(tape);
    parameters_free(parameters);
}

const Translation *corpus_of(Lab *lab, TransformerBlock *self)
{
    if (!self->corpus)
        self->corpus = translation_new((TranslationSettings){self->pairs, self->longest}, lab->seed);
    return self->corpus;
}

/* ---- training ------------------------------------------------------------------------ */

typedef struct {
    Translator transformer;
    RecurrentTranslator recurrent;
    size_t parameters;
    int steps;
    double gigaflop, seconds, loss; /* of training: operations, time, and the loss on the last tenth */
    double held_out;                /* loss on the longest quarter, the right words given */
    TranslationScore score[QUARTERS];
} Model;

typedef struct {
    Lab *lab;
    const TransformerBlock *self;
    const Translation *corpus;
    Pair *tests[QUARTERS];
    int sentences[QUARTERS];
    Model model[MODELS];
    pthread_mutex_t lock;
    int done;
} Job;

/* Multiplications and additions of the matrix products of one batch, forward; the
 * way back is twice as much. */
static double recurrent_work(const RecurrentSettings *s, const TranslationBatch *b)
{
    double S = b->source_steps, T = b->target_steps, E = s->embedding, H = s->hidden, V = s->target_words;
    double encoder = 2 * S * (E * 1.5 * H + H / 2 * 1.5 * H) + S * H * H;
    double decoder = T * (2 * S * H + (E + H) * 3 * H + H * 3 * H + (E + 2 * H) * H + H * V);
    return 2 * b->size * (encoder + decoder);
}

static double transformer_work(const TranslatorSettings *s, const TranslationBatch *b)
{
    double S = b->source_steps, T = b->target_steps, D = s->d, F = s->feed_forward, V = s->target_words;
    double encoder = S * (4 * D * D + 2 * S * D + 2 * D * F);
    double decoder = T * (4 * D * D + 2 * T * D + 2 * D * D + 2 * S * D + 2 * D * F) + S * 2 * D * D;
    return 2 * b->size * (s->blocks * (encoder + decoder) + T * D * V);
}

static Source source_of(const TranslationBatch *batch)
{
    return (Source){batch->size, batch->source_steps, batch->source, batch->source_lengths};
}

static Tensor *loss_of(Tape *tape, const Model *model, int kind, const TranslationBatch *batch, Rng *dropout)
{
    if (kind == RECURRENT)
        return op_cross_entropy(tape, recurrent_translator_read(tape, &model->recurrent, batch), batch->target_out);
    Tensor *memory = translator_encode(tape, &model->transformer, source_of(batch), dropout, NULL);
    Tensor *logits = translator_decode(tape, &model->transformer, memory, source_of(batch), batch->target_in,
                                       batch->target_steps, dropout, NULL, NULL);
    bool smooth = kind == SMOOTHED && dropout;
    return smoothed_cross_entropy(tape, logits, batch->target_out, smooth ? (real)SMOOTHING : 0);
}

/* Rising over the warm-up, level to the middle, then straight down to 5 %. */
static double factor(int step, int warmup, int total)
{
    if (step < warmup)
        return (step + 1.0) / warmup;
    return step < total / 2 ? 1 : 1 - 0.95 * (step - total / 2.0) / (total - total / 2.0);
}

static Parameters *parameters_of(const Model *model, int kind)
{
    return kind == RECURRENT ? model->recurrent.parameters : model->transformer.parameters;
}

static void make(const Job *job, Model *model, int kind)
{
    const Translation *corpus = job->corpus;
    Rng weights = lab_rng(job->lab, "translation weights");
    if (kind == RECURRENT)
        model->recurrent = recurrent_translator_new(
            (RecurrentSettings){corpus->english->size, corpus->french->size, EMBEDDING, HIDDEN}, &weights);
    else
        model->transformer = translator_new((TranslatorSettings){.source_words = corpus->english->size,
                                                                 .target_words = corpus->french->size,
                                                                 .d = WIDTH,
                                                                 .heads = HEADS,
                                                                 .feed_forward = FFN,
                                                                 .blocks = 1,
                                                                 .dropout = kind == DROPPED ? (real)DROPOUT : 0},
                                            &weights);
    model->parameters = parameters_count(parameters_of(model, kind));
    model->steps = kind == RECURRENT ? job->self->recurrent_steps : job->self->transformer_steps;
}

static void train(const Job *job, Model *model, int kind, Tape *tape)
{
    const Translation *corpus = job->corpus;
    Parameters *parameters = parameters_of(model, kind);
    Rng rng = lab_rng(job->lab, "translation batches"), dropout = lab_rng(job->lab, "translation dropout");
    int batch_size = kind == RECURRENT ? RECURRENT_BATCH : BATCH, pairs = corpus->settings.pairs, at = pairs, last = 0;
    int *order = memory_new((size_t)pairs, sizeof *order, "an order"), warmup = 0;
    double rate = kind == RECURRENT ? RECURRENT_RATE : TRANSFORMER_RATE;
    if (kind != RECURRENT && kind != COLD)
        warmup = model->steps / 20;
    Optimiser *adam = adam_new(parameters, (Adam){.rate = rate, .beta2 = kind == RECURRENT ? 0 : 0.98});
    for (int step = 0; step < model->steps; step++, at += batch_size) {
        if (at + batch_size > pairs) {
            translation_order(corpus->training, pairs, batch_size, &rng, order);
            at = 0;
        }
        TranslationBatch batch =
            translation_batch(corpus->training, order + at, batch_size, kind == RECURRENT ? TIME_FIRST : BATCH_FIRST);
        tape_rewind(tape);
        Tensor *loss = loss_of(tape, model, kind, &batch, &dropout);
        model->gigaflop += 3e-9 * (kind == RECURRENT ? recurrent_work(&model->recurrent.settings, &batch)
                                                     : transformer_work(&model->transformer.settings, &batch));
        if (step >= model->steps * 9 / 10) {
            model->loss += (double)loss->data[0];
            last++;
        }
        tape_backward(tape, loss);
        clip_by_norm(parameters, 1);
        optimiser_set_rate(adam, rate * factor(step, warmup, model->steps));
        optimiser_step(adam);
        translation_batch_free(&batch);
    }
    model->loss /= last ? last : 1;
    optimiser_free(adam);
    free(order);
}

static void score(const Job *job, Model *model, int kind, int quarter, Tape *tape)
{
    int n = job->sentences[quarter];
    TranslationBatch batch =
        translation_batch(job->tests[quarter], NULL, n, kind == RECURRENT ? TIME_FIRST : BATCH_FIRST);
    int most = batch.target_steps + 4;
    int *out = memory_new((size_t)n * (size_t)most, sizeof *out, "translations");
    if (kind == RECURRENT)
        recurrent_translator_greedy(tape, &model->recurrent, &batch, most, out);
    else
        translator_greedy(tape, &model->transformer, source_of(&batch), TRANSLATION_SOS, TRANSLATION_EOS,
                          TRANSLATION_PAD, most, out);
    for (int i = 0; i < n; i++) {
        int length = 0;
        while (length < most && out[i * most + length] != TRANSLATION_PAD)
            length++;
        translation_score(&model->score[quarter], &job->tests[quarter][i], out + i * most, length);
    }
    if (quarter == QUARTERS - 1) {
        tape_rewind(tape);
        model->held_out = (double)loss_of(tape, model, kind, &batch, NULL)->data[0];
    }
    translation_batch_free(&batch);
    free(out);
}

static void one_model(int kind, void *context)
{
    Job *job = context;
    Model *model = &job->model[kind];
    Tape *tape = tape_new(1);
    make(job, model, kind);
    double start = clock_thread_seconds();
    train(job, model, kind, tape);
    model->seconds = clock_thread_seconds() - start;
    tape_record(tape, false);
    for (int q = 0; q < QUARTERS; q++)
        score(job, model, kind, q, tape);
    tape_free(tape);
    pthread_mutex_lock(&job->lock);
    job->done++;
    progress_update(job->lab->progress, job->done, "%d models of %d", job->done, MODELS);
    pthread_mutex_unlock(&job->lock);
}

/* ---- showing -------------------------------------------------------------------------- */

static void range_of(const Job *job, int quarter, int *shortest, int *longest)
{
    int lengths = job->self->longest - 3; /* 4, 5 ... longest */
    *shortest = 4 + lengths * quarter / QUARTERS;
    *longest = 3 + lengths * (quarter + 1) / QUARTERS;
}

static void tell(Lab *lab, const Job *job)
{
    int low, high;
    char columns[256] = "model\tparameters\tsteps\tGFLOP";
    for (int q = 0; q < QUARTERS; q++) {
        range_of(job, q, &low, &high);
        snprintf(columns + strlen(columns), sizeof columns - strlen(columns), "\t%d-%d", low, high);
    }
    snprintf(columns + strlen(columns), sizeof columns - strlen(columns), "\tBLEU %d-%d\tloss", low, high);
    trace_table(lab->trace, columns);
    for (int k = 0; k < MODELS; k++) {
        const Model *m = &job->model[k];
        trace_row(lab->trace, "%s\t%zu\t%d\t%.0f\t%.3f\t%.3f\t%.3f\t%.3f\t%.1f\t%.3f", model_name[k], m->parameters,
                  m->steps, m->gigaflop, translation_exact(&m->score[0]), translation_exact(&m->score[1]),
                  translation_exact(&m->score[2]), translation_exact(&m->score[3]),
                  bleu_score(&m->score[QUARTERS - 1].bleu), m->held_out);
        char name[64];
        snprintf(name, sizeof name, "training: %s", model_name[k]);
        trace_timing(lab->trace, name, m->seconds, "s");
    }
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nExact match by English length, BLEU and loss (the right words given) on the longest quarter. GFLOP: the\n"
          "multiplications and additions of all matrix products in training; the seconds are in timing.tsv.\n");
}

static void draw(Lab *lab, const Job *job)
{
    const char *labels[QUARTERS], *names[MODELS];
    char text[QUARTERS][32];
    real x[QUARTERS], last[MODELS], bleu[MODELS];
    Figure *figure = figure_begin(lab->figures, "translation_comparison", "English to French: new sentences");
    figure_layout(figure, 2, 760, 580);
    Panel *panel = figure_panel(figure, "beside lab 05's kind of model", "English words", "exact match");
    panel_range_y(panel, 0, 1.15);
    for (int q = 0; q < QUARTERS; q++) {
        int low, high;
        range_of(job, q, &low, &high);
        snprintf(text[q], sizeof text[q], "%d to %d", low, high);
        labels[q] = text[q];
    }
    for (int k = RECURRENT; k <= TRANSFORMER; k++) {
        for (int q = 0; q < QUARTERS; q++)
            x[q] = (real)translation_exact(&job->model[k].score[q]);
        panel_bars(panel, model_name[k], labels, x, NULL, QUARTERS);
    }
    for (int k = 0; k < MODELS; k++) {
        static const char *const brief[MODELS] = {"GRU", "Transformer", "smoothing", "dropout", "no warm-up"};
        names[k] = brief[k];
        last[k] = (real)translation_exact(&job->model[k].score[QUARTERS - 1]);
        bleu[k] = (real)(bleu_score(&job->model[k].score[QUARTERS - 1].bleu) / 100);
    }
    panel = figure_panel(figure, "one change at a time, longest quarter", NULL, "exact match, BLEU / 100");
    panel_range_y(panel, 0, 1.15);
    panel_bars(panel, "exact match", names, last, NULL, MODELS);
    panel_bars(panel, "BLEU / 100", names, bleu, NULL, MODELS);
    figure_end(figure);
}

/* ---- one sentence ------------------------------------------------------------------------ */

/* The sentence of --translate through the trained Transformer, head by head. */
static void own_sentence(Lab *lab, const Job *job)
{
    const Translation *corpus = job->corpus;
    const Translator *t = &job->model[TRANSFORMER].transformer;
    int ids[TRANSLATION_ENGLISH], out[TRANSLATION_FRENCH], length = 0;
    char text[TRANSLATION_TEXT];
    const char *english_text = job->self->translate ? job->self->translate : LECTURE;
    int n = translation_words(corpus, english_text, "--translate", ids);
    Source source = {1, n, ids, &n};
    Tape *tape = tape_new(1);
    translator_greedy(tape, t, source, TRANSLATION_SOS, TRANSLATION_EOS, TRANSLATION_PAD, TRANSLATION_FRENCH - 1, out);
    while (length < TRANSLATION_FRENCH - 1 && out[length] != TRANSLATION_PAD)
        length++;
    trace(lab->trace, "\n\"%s\" becomes \"%s\".\n", english_text,
          translation_text(corpus->french, out, length, text));

    int in[TRANSLATION_FRENCH] = {TRANSLATION_SOS};
    const char *english[TRANSLATION_ENGLISH], *said[TRANSLATION_FRENCH], *next[TRANSLATION_FRENCH];
    for (int i = 0; i < n; i++)
        english[i] = corpus->english->word[ids[i]];
    for (int i = 0; i <= length; i++) {
        in[i] = i ? out[i - 1] : TRANSLATION_SOS;
        said[i] = corpus->french->word[in[i]];
        next[i] = corpus->french->word[i < length ? out[i] : TRANSLATION_EOS];
    }
    Tensor *encoder, *self, *cross;
    tape_rewind(tape);
    Tensor *memory = translator_encode(tape, t, source, NULL, &encoder);
    translator_decode(tape, t, memory, source, in, length + 1, NULL, &self, &cross);
    double future = 0, sums = 0;
    Figure *figure =
        figure_begin(lab->figures, "attention_patterns", "Four heads of the encoder, the decoder, and between");
    int most = n > length + 1 ? n : length + 1;
    figure_layout(figure, HEADS, 170 + 30 * (most < 6 ? 6 : most), 110 + 24 * (most < 6 ? 6 : most));
    for (int kind = 0; kind < 3; kind++)
        for (int h = 0; h < HEADS; h++) {
            static const char *const kinds[3] = {"encoder", "decoder, masked", "decoder to encoder"};
            int rows = kind ? length + 1 : n, columns = kind == 1 ? length + 1 : n;
            const real *w = (kind == 0 ? encoder : kind == 1 ? self : cross)->data + h * rows * columns;
            char title[48];
            snprintf(title, sizeof title, "%s, head %d", kinds[kind], h + 1);
            panel_heatmap(figure_panel(figure, title, NULL, NULL), w, rows, columns,
                          kind == 0   ? english
                          : kind == 1 ? said
                                      : next,
                          kind == 1 ? said : english, WEIGHTS);
            for (int r = 0; r < rows; r++) {
                double sum = 0;
                for (int c = 0; c < columns; c++) {
                    sum += (double)w[r * columns + c];
                    future = kind == 1 && c > r ? fmax(future, (double)w[r * columns + c]) : future;
                }
                sums = fmax(sums, fabs(sum - 1));
            }
        }
    figure_end(figure);
    claim(lab->claims, (Claim){.id = "future-weight-zero",
                               .source = "lecture: masked attention",
                               .statement = "in all heads of the decoder the weight of words to come is 0",
                               .measured = future,
                               .test = EQUALS,
                               .bound = 0});
    claim(lab->claims,
          (Claim){.id = "weights-sum-to-one",
                  .source = "softmax",
                  .statement = "in all heads of all three attentions the weights of a row sum to 1 (largest error)",
                  .measured = sums,
                  .test = AT_MOST,
                  .bound = 1e-6});
    tape_free(tape);
}

static double longest_exact(const Job *job, int kind)
{
    return translation_exact(&job->model[kind].score[QUARTERS - 1]);
}

static double longest_bleu(const Job *job, int kind)
{
    return bleu_score(&job->model[kind].score[QUARTERS - 1].bleu);
}

/* Which of the two is ahead changes with the seed: it is told, not claimed. */
static void compare(Lab *lab, const Job *job)
{
    const Model *t = &job->model[TRANSFORMER], *r = &job->model[RECURRENT];
    trace(lab->trace,
          "\nOn the longest quarter, Transformer less GRU: %+.3f in exact match, %+.1f in BLEU, with %.2f of its\n"
          "operations. In the paper the Transformer is ahead; here the sign changes with the seed (the handout has\n"
          "eight), and the ledger holds each of the two to what lab 05 asks of attention.\n",
          longest_exact(job, TRANSFORMER) - longest_exact(job, RECURRENT),
          longest_bleu(job, TRANSFORMER) - longest_bleu(job, RECURRENT), t->gigaflop / r->gigaflop);
}

static void claims(Lab *lab, const Job *job)
{
    const char *few = lab->quick ? "trained for too few steps" : NULL;
    const Model *m = job->model;
    claim(lab->claims,
          (Claim){.id = "transformer-short-sentences",
                  .source = "Vaswani 2017",
                  .statement = "the Transformer translates sentences of the shortest quarter (exact match)",
                  .measured = translation_exact(&m[TRANSFORMER].score[0]),
                  .test = AT_LEAST,
                  .bound = 0.95,
                  .skipped = few});
    claim(lab->claims,
          (Claim){.id = "transformer-long-sentences",
                  .source = "the bound that lab 05 sets its model with attention",
                  .statement = "and those of the longest quarter as well as lab 05 asks of attention (exact match)",
                  .measured = longest_exact(job, TRANSFORMER),
                  .test = AT_LEAST,
                  .bound = 0.85,
                  .skipped = few});
    claim(lab->claims, (Claim){.id = "recurrent-long-sentences",
                               .source = "the same",
                               .statement = "the GRU with attention beside it does so too (exact match)",
                               .measured = longest_exact(job, RECURRENT),
                               .test = AT_LEAST,
                               .bound = 0.85,
                               .skipped = few});
    claim(lab->claims, (Claim){.id = "both-long-bleu",
                               .source = "the same",
                               .statement = "and so it is in BLEU (the lower of the two)",
                               .measured = fmin(longest_bleu(job, TRANSFORMER), longest_bleu(job, RECURRENT)),
                               .test = AT_LEAST,
                               .bound = 95,
                               .skipped = few});
    claim(lab->claims,
          (Claim){.id = "no-more-operations",
                  .source = "counted",
                  .statement = "the Transformer's training took no more operations than the GRU's (GFLOP over GFLOP)",
                  .measured = m[TRANSFORMER].gigaflop / m[RECURRENT].gigaflop,
                  .test = AT_MOST,
                  .bound = 1});
    claim(lab->claims, (Claim){.id = "fewer-parameters",
                               .source = "counted",
                               .statement = "and it has no more parameters (over the GRU's)",
                               .measured = (double)m[TRANSFORMER].parameters / (double)m[RECURRENT].parameters,
                               .test = AT_MOST,
                               .bound = 1});
    claim(lab->claims,
          (Claim){.id = "smoothing-hurts-perplexity",
                  .source = "Vaswani 2017, section 5.4: \"hurts perplexity\"",
                  .statement =
                      "label smoothing makes the loss on new sentences larger, the right words given (difference)",
                  .measured = m[SMOOTHED].held_out - m[TRANSFORMER].held_out,
                  .test = ABOVE,
                  .bound = 0,
                  .skipped = few});
}

void step_translation(Lab *lab, void *state)
{
    Job *job = memory_new(1, sizeof *job, "the translators");
    job->lab = lab;
    job->self = state;
    decoder_block(lab);
    job->corpus = corpus_of(lab, state);
    for (int q = 0; q < QUARTERS; q++) {
        int low, high;
        Rng rng = lab_rng(lab, "translation tests");
        range_of(job, q, &low, &high);
        job->sentences[q] = q == QUARTERS - 1 ? 2 * job->self->sentences : job->self->sentences;
        job->tests[q] = translation_tests(job->corpus, low, high, job->sentences[q], &rng);
    }
    trace(
        lab->trace,
        "The complete Transformer: an encoder and a decoder of one block each, width %d, %d heads, FFN %d, Pre-Norm,\n"
        "sinusoidal positions; beside it lab 05's kind of model: a GRU read both ways, a GRU that writes, attention\n"
        "(%d numbers a state). %d pairs of at most %d English words; the tests are sentences with at least one\n"
        "combination of words that no model has seen.\n\n",
        WIDTH, HEADS, FFN, HIDDEN, job->self->pairs, job->self->longest);
    pthread_mutex_init(&job->lock, NULL);
    progress_begin(lab->progress, "training", MODELS);
    parallel_for(lab->threads, MODELS, one_model, job);
    progress_end(lab->progress);
    pthread_mutex_destroy(&job->lock);
    tell(lab, job);
    compare(lab, job);
    draw(lab, job);
    own_sentence(lab, job);
    claims(lab, job);
    recurrent_translator_free(&job->model[RECURRENT].recurrent);
    for (int k = TRANSFORMER; k < MODELS; k++)
        translator_free(&job->model[k].transformer);
    for (int q = 0; q < QUARTERS; q++)
        free(job->tests[q]);
    free(job);
}
