/* Greedy and beam search, and what the attention looks at. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "maths.h"
#include "memory.h"
#include "train.h"

enum { AT_ONCE = 50 }; /* sentences in one batch */

/* log P of each word from scores: x_i - log sum_j e^x_j. */
static void log_softmax(const real *scores, int n, double *log_p)
{
    double highest = (double)scores[0], sum = 0;
    for (int i = 1; i < n; i++)
        highest = (double)scores[i] > highest ? (double)scores[i] : highest;
    for (int i = 0; i < n; i++)
        sum += exp64((double)scores[i] - highest);
    for (int i = 0; i < n; i++)
        log_p[i] = (double)scores[i] - highest - log64(sum);
}

/* log P, by length if hypotheses of different lengths are to be compared. */
static double rank_of(const Hypothesis *hypothesis, double alpha)
{
    if (alpha == 0)
        return hypothesis->log_p;
    return hypothesis->log_p / exp64(alpha * log64(hypothesis->length));
}

/* What one hypothesis may become: word WORD (or -1: it is finished and stays). */
typedef struct {
    int from, word;
    double log_p, rank;
} Extension;

/* Keeps the K best, the first of equals first. */
static void offer(Extension *best, int *n, int k, Extension new)
{
    int at = *n;
    while (at > 0 && best[at - 1].rank < new.rank)
        at--;
    if (at >= k)
        return;
    if (*n < k)
        ++*n;
    memmove(best + at + 1, best + at, (size_t)(*n - 1 - at) * sizeof *best);
    best[at] = new;
}

static void extend_one(const Hypothesis *old, int from, const real *scores, int words, double alpha, int k,
                       Extension *best, int *n)
{
    Hypothesis longer = *old;
    longer.length++;
    double *log_p = memory_new((size_t)words, sizeof *log_p, "probabilities");
    log_softmax(scores, words, log_p);
    for (int w = TRANSLATION_EOS; w < words; w++) {
        longer.log_p = old->log_p + log_p[w];
        offer(best, n, k, (Extension){from, w, longer.log_p, rank_of(&longer, alpha)});
    }
    free(log_p);
}

static Hypothesis extended(const Hypothesis *old, const Extension *extension)
{
    Hypothesis new = *old;
    if (extension->word >= 0) {
        new.words[new.length++] = extension->word;
        new.log_p = extension->log_p;
        new.finished = extension->word == TRANSLATION_EOS || new.length == MOST_SAID;
    }
    return new;
}

/* One sentence, one step: BEAM [k] becomes its K best continuations; PARENT says
 * whose state each goes on with. */
static void step_beam(Hypothesis *beam, int *alive, int k, const real *scores, int words, double alpha, int *parent,
                      BeamWatcher *watcher, void *context, int step)
{
    Extension best[2 * MOST_BEAM + 1];
    Candidate seen[2 * MOST_BEAM];
    Hypothesis old[MOST_BEAM];
    int n = 0, wanted = watcher ? 2 * k : k;
    for (int i = 0; i < *alive; i++) {
        old[i] = beam[i];
        if (old[i].finished)
            offer(best, &n, wanted, (Extension){i, -1, old[i].log_p, rank_of(&old[i], alpha)});
        else
            extend_one(&old[i], i, scores + i * words, words, alpha, wanted, best, &n);
    }
    for (int i = 0; i < n; i++) {
        Hypothesis new = extended(&old[best[i].from], &best[i]);
        if (watcher)
            seen[i] = (Candidate){new, best[i].from, i < k};
        if (i < k) {
            beam[i] = new;
            parent[i] = best[i].from;
        }
    }
    *alive = n < k ? n : k;
    if (watcher)
        watcher(context, step, seen, n);
}

/* The states and words of all rows after a step: row i of a sentence goes on with
 * the state of the hypothesis it came from. */
static bool feed(const Hypothesis *beam, int alive, int k, const int *parent, int first_row, int *words, int *rows)
{
    bool going = false;
    for (int i = 0; i < k; i++) {
        bool open = i < alive && !beam[i].finished;
        rows[first_row + i] = first_row + (i < alive ? parent[i] : 0);
        words[first_row + i] = open ? beam[i].words[beam[i].length - 1] : TRANSLATION_EOS;
        going = going || open;
    }
    return going;
}

static void search_batch(const Model *model, const Pair *pairs, int n, int k, double alpha, Hypothesis *beam,
                         BeamWatcher *watcher, void *context)
{
    int rows = n * k, words = model->settings.french, alive[AT_ONCE], parent[AT_ONCE * MOST_BEAM];
    int order[AT_ONCE * MOST_BEAM], said[AT_ONCE * MOST_BEAM];
    for (int i = 0; i < rows; i++) {
        order[i] = i / k;
        said[i] = TRANSLATION_SOS;
        beam[i] = (Hypothesis){.length = 0};
    }
    for (int i = 0; i < n; i++)
        alive[i] = 1; /* at first there is only one hypothesis: nothing said */
    TranslationBatch batch = translation_batch(pairs, order, rows, TIME_FIRST);
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    Memory memory = encode(tape, model, batch.source, batch.source_lengths, batch.source_steps, rows);
    Tensor *state = memory.start;
    bool going = true;
    for (int t = 0; going; t++) {
        Tensor *states = decode(tape, model, &memory, state, said, 1); /* [1, B, H] */
        const real *scores = read_out(tape, model, &memory, states, NULL)->data;
        going = false;
        for (int i = 0; i < n; i++) {
            step_beam(beam + i * k, &alive[i], k, scores + i * k * words, words, alpha, parent, i == 0 ? watcher : NULL,
                      context, t);
            going = feed(beam + i * k, alive[i], k, parent, i * k, said, order) || going;
        }
        state = op_embedding(tape, op_reshape(tape, states, memory.start->shape), order, SHAPE(rows));
    }
    translation_batch_free(&batch);
    tape_free(tape);
}

void beam_search(const Model *model, const Pair *pairs, int n, int k, double alpha, Hypothesis *found,
                 BeamWatcher *watcher, void *context)
{
    for (int from = 0; from < n; from += AT_ONCE)
        search_batch(model, pairs + from, n - from < AT_ONCE ? n - from : AT_ONCE, k, alpha, found + from * k,
                     from == 0 ? watcher : NULL, context);
}

TranslationScore score_greedy(const Model *model, const Pair *pairs, int n)
{
    Hypothesis *found = memory_new((size_t)n, sizeof *found, "translations");
    TranslationScore score = {0};
    beam_search(model, pairs, n, 1, 0, found, NULL, NULL);
    for (int i = 0; i < n; i++)
        translation_score(&score, &pairs[i], found[i].words,
                          found[i].length - (found[i].words[found[i].length - 1] == TRANSLATION_EOS));
    free(found);
    return score;
}

double pair_log_p(const Model *model, const Pair *pair)
{
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    TranslationBatch batch = translation_batch(pair, NULL, 1, TIME_FIRST);
    /* the loss is -1/T sum_t log P(y_t | y_1 ... y_t-1, x) */
    double loss = (double)teacher_forced_loss(tape, model, &batch)->data[0];
    double log_p = -loss * (pair->target_length + 1);
    translation_batch_free(&batch);
    tape_free(tape);
    return log_p;
}

/* ---- what the attention looks at ------------------------------------------------------ */

/* Attention [B, T, S] of a batch with the references' words. */
static const Tensor *attention_of_batch(Tape *tape, const Model *model, const TranslationBatch *batch)
{
    Tensor *weights;
    Memory memory = encode(tape, model, batch->source, batch->source_lengths, batch->source_steps, batch->size);
    Tensor *states = decode(tape, model, &memory, memory.start, batch->target_in, batch->target_steps);
    read_out(tape, model, &memory, states, &weights);
    return weights;
}

void attention_of_pair(const Model *model, const Pair *pair, real *weights)
{
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    TranslationBatch batch = translation_batch(pair, NULL, 1, TIME_FIRST);
    const Tensor *a = attention_of_batch(tape, model, &batch);
    memcpy(weights, a->data, a->size * sizeof(real));
    translation_batch_free(&batch);
    tape_free(tape);
}

static void count_row(Agreement *agreement, const Pair *pair, int t, const real *weights)
{
    int looked = 0, kind = pair->kind[t];
    for (int s = 1; s < pair->source_length; s++)
        if (weights[s] > weights[looked])
            looked = s;
    agreement->words[kind]++;
    agreement->gold[kind] += looked == pair->aligned[t];
    agreement->lenient[kind] += looked == pair->aligned[t] || looked == pair->governed[t];
}

Agreement agreement_of(const Model *model, const Pair *pairs, int n)
{
    Agreement agreement = {{0}, {0}, {0}};
    for (int from = 0; from < n; from += AT_ONCE) {
        int size = n - from < AT_ONCE ? n - from : AT_ONCE;
        Tape *tape = tape_new(1);
        tape_record(tape, false);
        TranslationBatch batch = translation_batch(pairs + from, NULL, size, TIME_FIRST);
        const Tensor *a = attention_of_batch(tape, model, &batch);
        for (int b = 0; b < size; b++)
            for (int t = 0; t < pairs[from + b].target_length; t++)
                count_row(&agreement, &pairs[from + b], t, a->data + (b * batch.target_steps + t) * batch.source_steps);
        translation_batch_free(&batch);
        tape_free(tape);
    }
    return agreement;
}

static double share(const long *part, const long *all, int kinds)
{
    long sum = 0, of = 0;
    for (int kind = 0; kind < kinds; kind++) {
        sum += part[kind];
        of += all[kind];
    }
    return of ? (double)sum / (double)of : 0;
}

double agreement_content(const Agreement *a)
{
    return share(a->gold, a->words, 1); /* FRENCH_CONTENT is the first kind */
}

double agreement_all(const Agreement *a)
{
    return share(a->gold, a->words, 3);
}

double agreement_lenient(const Agreement *a)
{
    return share(a->lenient, a->words, 3);
}
