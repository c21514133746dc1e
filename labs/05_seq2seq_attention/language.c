/* Step 1. A language model: P(sentence) as a product of conditionals, by counting
 * and by a recurrent network. */
#include <stdio.h>
#include <stdlib.h>

#include "maths.h"
#include "memory.h"
#include "ngram.h"
#include "optim.h"
#include "seq2seq.h"

/* ---- counting ----------------------------------------------------------------------- */

enum { ORDERS = 5 };
typedef struct {
    NGrams *grams;
    double trust[ORDERS + 1]; /* lambda_n: how much a history of n-1 words is trusted */
} Counted;

static NGrams *count_french(const Pair *pairs, int n, int vocabulary)
{
    NGrams *grams = ngrams_new(vocabulary, TRANSLATION_EOS);
    for (int i = 0; i < n; i++) {
        int words[TRANSLATION_FRENCH];
        for (int t = 0; t < pairs[i].target_length; t++)
            words[t] = pairs[i].target[t];
        ngrams_add(grams, words, pairs[i].target_length);
    }
    return grams;
}

/* P(word | the last n-1 words), interpolated (Jelinek & Mercer 1980; lab 01). */
static double ngram_p(const Counted *counted, const NGramWalk *walk, int n, int word)
{
    const NGrams *grams = counted->grams;
    double p = 1.0 / grams->vocabulary;
    for (int k = 1; k <= n; k++)
        p = probability_interpolate(p, ngrams_count(grams, walk, k, word), ngrams_history(grams, walk, k),
                                    counted->trust[k]);
    return p;
}

/* log P(y_t | y_1 ... y_t-1) of each word and of <EOS> into LOG_P. */
static void ngram_log_p(const Counted *counted, int n, const Pair *pair, double *log_p)
{
    NGramWalk walk = ngrams_begin(counted->grams);
    for (int t = 0; t <= pair->target_length; t++) {
        int word = t < pair->target_length ? pair->target[t] : TRANSLATION_EOS;
        log_p[t] = log64(ngram_p(counted, &walk, n, word));
        ngrams_advance(counted->grams, &walk, word);
    }
}

/* Each lambda_n is the one that is best, given those of shorter histories, on
 * sentences of their own with new combinations, which test nothing. */
static double sum_log_p(const Counted *counted, int n, const Pair *pairs, int size)
{
    double sum = 0, log_p[TRANSLATION_FRENCH + 1];
    for (int s = 0; s < size; s++) {
        ngram_log_p(counted, n, &pairs[s], log_p);
        for (int t = 0; t <= pairs[s].target_length; t++)
            sum += log_p[t];
    }
    return sum;
}

static void choose_trust(Counted *counted, const Pair *pairs, int size)
{
    static const double tried[] = {0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99};
    for (int n = 1; n <= ORDERS; n++) {
        double best = 0, chosen = 0;
        for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) {
            counted->trust[n] = tried[i];
            double sum = sum_log_p(counted, n, pairs, size);
            if (i == 0 || sum > best) {
                best = sum;
                chosen = tried[i];
            }
        }
        counted->trust[n] = chosen;
    }
}

/* ---- a recurrent network --------------------------------------------------------------- */

typedef struct {
    Parameters *parameters;
    Tensor *embedding; /* [V, E] */
    Recurrent layer;
    Linear output; /* H -> V */
} LanguageModel;

static LanguageModel language_model_new(int vocabulary, int embedding, int hidden, Rng *rng)
{
    LanguageModel model = {.parameters = parameters_new()};
    model.embedding = parameter_normal(model.parameters, "words", SHAPE(vocabulary, embedding), (real)0.3, rng);
    model.layer = recurrent_new(model.parameters, "gru", CELL_GRU, embedding, hidden, rng);
    model.output = linear_new(model.parameters, "output", hidden, vocabulary, rng);
    return model;
}

/* Scores of the next word [T, B, V]:  h_t = GRU(y_t-1, h_t-1)   W h_t + b */
static Tensor *next_words(Tape *tape, const LanguageModel *model, const TranslationBatch *batch)
{
    Tensor *y = op_embedding(tape, model->embedding, batch->target_in, SHAPE(batch->target_steps, batch->size));
    return linear(tape, &model->output, recurrent(tape, &model->layer, y, NULL, (Sequence){0}));
}

static void train_language(const LanguageModel *model, const Pair *pairs, int n, int steps, double rate, Rng *rng)
{
    Tape *tape = tape_new(1);
    Optimiser *adam = adam_new(model->parameters, (Adam){.rate = rate});
    int *order = memory_new((size_t)n, sizeof *order, "an order"), batches = n / BATCH;
    for (int step = 0; step < steps; step++) {
        if (step % batches == 0)
            translation_order(pairs, n, BATCH, rng, order);
        TranslationBatch batch = translation_batch(pairs, order + step % batches * BATCH, BATCH, TIME_FIRST);
        tape_rewind(tape);
        Tensor *loss = op_cross_entropy(tape, next_words(tape, model, &batch), batch.target_out);
        tape_backward(tape, loss);
        clip_by_norm(model->parameters, 1);
        optimiser_set_rate(adam, rate * schedule_cosine(step, steps / 20, steps, 0.05));
        optimiser_step(adam);
        translation_batch_free(&batch);
    }
    optimiser_free(adam);
    tape_free(tape);
    free(order);
}

static void rnn_log_p(const LanguageModel *model, const Pair *pair, double *log_p)
{
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    TranslationBatch batch = translation_batch(pair, NULL, 1, TIME_FIRST);
    Tensor *p = op_softmax(tape, next_words(tape, model, &batch), NULL);
    for (int t = 0; t <= pair->target_length; t++)
        log_p[t] = log64((double)p->data[t * tensor_columns(p) + batch.target_out[t]]);
    translation_batch_free(&batch);
    tape_free(tape);
}

/* ---- the step --------------------------------------------------------------------------- */

typedef struct {
    const Counted *counted;
    const LanguageModel *rnn;
} Both;

/* N = 1 ... ORDERS: that n-gram model; 0: the network. */
static void log_p_of(const Both *both, int n, const Pair *pair, double *log_p)
{
    if (n > 0)
        ngram_log_p(both->counted, n, pair, log_p);
    else
        rnn_log_p(both->rnn, pair, log_p);
}

/* PP = exp(-1/T sum_t log P(y_t | y_1 ... y_t-1)) over all sentences. */
static double perplexity(const Both *both, int n, const Tests *test)
{
    double sum = 0, log_p[TRANSLATION_FRENCH + 1];
    long words = 0;
    for (int bucket = 0; bucket < test->trained; bucket++)
        for (int i = 0; i < test->size; i++) {
            const Pair *pair = &test->pairs[bucket][i];
            log_p_of(both, n, pair, log_p);
            for (int t = 0; t <= pair->target_length; t++)
                sum += log_p[t];
            words += pair->target_length + 1;
        }
    return exp64(-sum / (double)words);
}

static double sum_of(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

/* The lecture's sentence, factor by factor; then with the auxiliary of the plural. */
static void by_factors(Lab *lab, const Translation *translation, const Both *both)
{
    double log_p[3][TRANSLATION_FRENCH + 1];
    Pair pair = pair_of_text(translation, "the black cat drank milk");
    const int orders[] = {2, 3, 0};
    for (int i = 0; i < 3; i++)
        log_p_of(both, orders[i], &pair, log_p[i]);
    trace(lab->trace, "\nThe lecture's French sentence, factor by factor:\n\n");
    trace_equation(lab->trace, HERE, "P(y_1 ... y_T) = prod_t P(y_t | y_1 ... y_t-1)");
    trace(lab->trace, "\n");
    trace_table(lab->trace, "word\tbigram P(y_t | y_t-1)\ttrigram\tGRU P(y_t | all before)");
    for (int t = 0; t <= pair.target_length; t++)
        trace_row(lab->trace, "%s\t%.4f\t%.4f\t%.4f",
                  t < pair.target_length ? translation->french->word[pair.target[t]] : "<EOS>", exp64(log_p[0][t]),
                  exp64(log_p[1][t]), exp64(log_p[2][t]));
    trace_row(lab->trace, "product\t%.3g\t%.3g\t%.3g", exp64(sum_of(log_p[0], pair.target_length + 1)),
              exp64(sum_of(log_p[1], pair.target_length + 1)), exp64(sum_of(log_p[2], pair.target_length + 1)));
    trace_table_end(lab->trace);
}

/* A plural subject, a relative clause that ends in a singular object, and then the
 * verb: the place of its auxiliary, or -1 if PAIR is no such sentence. */
static int far_auxiliary(const Translation *translation, const Pair *pair)
{
    static const char *const singular[] = {"le", "la", "l'", "un", "une", "du"};
    int at[3], n = 0;
    for (int t = 0; t < pair->target_length && n < 3; t++)
        if (pair->kind[t] == FRENCH_AUXILIARY)
            at[n++] = t;
    if (n != 2 || pair->governed[at[0]] != pair->governed[at[1]] ||
        pair->target[at[0]] != vocab_find(translation->french, "ont"))
        return -1;
    for (int i = 0; i < 6; i++)
        if (pair->target[at[0] + 2] == vocab_find(translation->french, singular[i]))
            return at[1];
    return -1;
}

/* "les chats qui ont vu le chien ONT trouvé la maison": how often is "ont" more
 * probable there than "a"? */
enum { FAR = 60 };
static double agreement_far(const Both *both, int n, const Translation *translation, Rng rng)
{
    int right = 0, a = vocab_find(translation->french, "a");
    for (int i = 0; i < FAR;) {
        double plural[TRANSLATION_FRENCH + 1], singular[TRANSLATION_FRENCH + 1];
        Pair pair;
        translation_draw(translation, 9, 14, false, &rng, &pair);
        int at = far_auxiliary(translation, &pair);
        if (at < 0)
            continue;
        log_p_of(both, n, &pair, plural);
        pair.target[at] = (int16_t)a;
        log_p_of(both, n, &pair, singular);
        right += plural[at] > singular[at];
        i++;
    }
    return (double)right / FAR;
}

static void claims(Lab *lab, const double *pp, const double *far, int best)
{
    claim(lab->claims, (Claim){.id = "rnn-perplexity",
                               .source = "lecture: from n-grams to recurrent language models; Mikolov 2010",
                               .statement = "the recurrent language model's perplexity is below the best n-gram "
                                            "model's, on sentences with combinations never seen (times)",
                               .measured = pp[0] / pp[best],
                               .test = BELOW,
                               .bound = 1});
    claim(lab->claims,
          (Claim){.id = "bigram-unigram",
                  .source = "lecture: longer histories predict better",
                  .statement = "one word of history is worth a lot: bigram perplexity / unigram perplexity",
                  .measured = pp[2] / pp[1],
                  .test = AT_MOST,
                  .bound = 0.5});
    claim(lab->claims, (Claim){.id = "rnn-agreement",
                               .source = "Elman 1991; Linzen 2016: agreement over a distance",
                               .statement = "behind a relative clause the GRU finds the plural verb's auxiliary more "
                                            "probable (share of 60 sentences)",
                               .measured = far[0],
                               .test = AT_LEAST,
                               .bound = 0.75,
                               .skipped = lab->quick ? "the network is trained for too few steps" : NULL});
    claim(lab->claims, (Claim){.id = "ngram-agreement",
                               .source = "lecture: an n-gram has thrown the subject away",
                               .statement = "a trigram, out of whose reach the subject is, rarely does (share)",
                               .measured = far[3],
                               .test = AT_MOST,
                               .bound = 0.25});
}

void step_language(Lab *lab, void *state)
{
    Seq2Seq *self = state;
    const Translation *translation = translation_of(lab, self);
    const Tests *test = tests_of(lab, self);
    int v = translation->french->size;
    Rng weights = lab_rng(lab, "language weights"), batches = lab_rng(lab, "language batches");
    LanguageModel rnn = language_model_new(v, self->embedding, self->wide, &weights);
    train_language(&rnn, translation->training, self->pairs, self->language_steps, self->rate, &batches);
    enum { CHOOSING = 150 };
    Rng choosing = lab_rng(lab, "choosing");
    Pair *others = translation_tests(translation, 4, self->longest, CHOOSING, &choosing);
    Counted counted = {.grams = count_french(translation->training, self->pairs, v)};
    choose_trust(&counted, others, CHOOSING);
    free(others);
    Both both = {&counted, &rnn};
    double pp[ORDERS + 1], far[ORDERS + 1];
    int best = 1;
    for (int n = 0; n <= ORDERS; n++) {
        pp[n] = perplexity(&both, n, test);
        far[n] = agreement_far(&both, n, translation, lab_rng(lab, "far"));
        best = n > 0 && pp[n] < pp[best] ? n : best;
    }
    trace(lab->trace,
          "Before a machine can say a French sentence it should know one. The French side of %d pairs (%d words)\n"
          "is counted, as in lab 01 (interpolated n-grams), and read by a GRU with %d units.\n\n",
          self->pairs, v, self->wide);
    trace_equation(lab->trace, HERE, "PP = exp(-1/T sum_t log P(y_t | y_1 ... y_t-1))");
    trace(lab->trace, "\n");
    trace_table(lab->trace, "model\tlambda\tperplexity\tplural behind a relative clause");
    for (int n = 1; n <= ORDERS; n++)
        trace_row(lab->trace, "%d-gram\t%g\t%.2f\t%.2f", n, counted.trust[n], pp[n], far[n]);
    trace_row(lab->trace, "GRU\t\t%.2f\t%.2f", pp[0], far[0]);
    trace_table_end(lab->trace);
    trace(
        lab->trace,
        "\nThe last column: in \"les chats qui ont vu le chien ... trouvé\", is \"ont\" more probable than \"a\"?\n"
        "What stands right before is a singular noun, and a short history knows nothing else. (The test sentences all\n"
        "hold a combination of words that was never in training.)\n");
    by_factors(lab, translation, &both);
    claims(lab, pp, far, best);
    ngrams_free(counted.grams);
    parameters_free(rnn.parameters);
}
