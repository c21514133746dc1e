/* Step 6. The same word, two vectors (ELMo: Peters 2018).
 *
 * What the two-directional language model (senses_model.c) has in mind at a word
 * is a vector of that word in this sentence: does it know which of its senses is
 * meant? */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "parallel.h"
#include "senses.h"
#include "text.h"

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
    States states = states_of(tape, model, &batch);
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
Sentence senses_read_sentence(const Corpus *corpus, const char *text)
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
                      "\"은행 에서\"; the words are those of the sentences in the lab's source, senses_sentences.c)",
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
    Sentence s = senses_read_sentence(corpus, text);
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
    senses_read_sentence(corpus, self->own_sentence);
    corpus_free(corpus);
}
