/* Step 6. The next word by counting: n-grams; first by hand, then (smoothing.c) of a whole text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ngram.h"
#include "onehot.h"
#include "text.h"

/* ---- by hand ------------------------------------------------------------------- */

static const char *const NAME[NGRAM_MOST + 1] = {"", "unigram", "bigram", "trigram", "4-gram", "5-gram"};

static void grams_of_prompt(Lab *lab)
{
    int length;
    char **words = text_split("The students opened their", "the example", &length);
    trace(lab->trace, "An n-gram is a row of n words.  Those of \"The students opened their\":\n\n");
    for (int n = 1; n <= length; n++) {
        trace(lab->trace, "    %d %s%-*s", length - n + 1, NAME[n], 9 - (int)strlen(NAME[n]), n < length ? "s:" : ":");
        for (int i = 0; i + n <= length; i++) {
            for (int k = 0; k < n; k++)
                trace(lab->trace, "%s%s", k ? " " : i ? ", " : " ", words[i + k]);
        }
        trace(lab->trace, "\n");
    }
    free(words);
}

/* Numbers the words of a sentence, new ones too, and counts its n-grams. */
static int sentence_ids(Vocab *vocab, const char *sentence, int *ids, int most)
{
    int length;
    char **words = text_split(sentence, "the example", &length);
    for (int i = 0; i < length && i < most; i++)
        ids[i] = vocab_add(vocab, words[i], strlen(words[i]));
    free(words);
    return length < most ? length : most;
}

/* The lecture's counts as a text: the prompt 1000 times, with what followed it. */
static void lecture_counts(Lab *lab)
{
    static const struct {
        const char *word;
        int times;
    } next[] = {{"books", 400}, {"laptops", 300}, {"minds", 200}, {"exams", 100}};
    enum { NEXT = sizeof next / sizeof *next };
    Vocab *vocab = vocab_new();
    int ids[16], end = vocab_add(vocab, "</s>", 4), n = sentence_ids(vocab, "the students opened their", ids, 15);
    for (int i = 0; i < NEXT; i++)
        vocab_add(vocab, next[i].word, strlen(next[i].word));
    NGrams *grams = ngrams_new(vocab->size, end);
    for (int i = 0; i < NEXT; i++)
        for (int t = 0; t < next[i].times; t++) {
            ids[n] = vocab_find(vocab, next[i].word);
            ngrams_add(grams, ids, n + 1);
        }

    NGramWalk walk = ngrams_begin(grams);
    for (int i = 0; i < n; i++)
        ngrams_advance(grams, &walk, ids[i]);
    double books = 0, exams = 0;
    trace(lab->trace, "\nA 4-gram model looks at the last three words.  The lecture's counts, of which books and\n"
                      "exams are given and the rest is made up to 1000:\n\n");
    trace_equation(lab->trace, HERE, "P(w | h) = c(h w) / c(h),  h = students opened their");
    for (int i = 0; i < NEXT; i++) {
        int word = vocab_find(vocab, next[i].word);
        uint32_t count = ngrams_count(grams, &walk, 4, word), history = ngrams_history(grams, &walk, 4);
        double p = probability_likelihood(count, history);
        trace_equation(lab->trace, HERE, "P(%s | students opened their) = %u / %u = %.1f", next[i].word, count, history,
                       p);
        books = i == 0 ? p : books;
        exams = i == NEXT - 1 ? p : exams;
    }
    trace(lab->trace, "\nThe model has thrown `the` away, and with it whatever stood before: as the proctor\n"
                      "started the clock, the students opened their ... books?\n");
    claim(lab->claims, (Claim){.id = "books",
                               .source = "lecture: n-gram example, 1000 / 400 / 100",
                               .statement = "P(books | students opened their) = 0.4",
                               .measured = books,
                               .test = EQUALS,
                               .bound = 0.4});
    claim(lab->claims, (Claim){.id = "exams",
                               .source = "lecture: n-gram example, 1000 / 400 / 100",
                               .statement = "P(exams | students opened their) = 0.1",
                               .measured = exams,
                               .test = EQUALS,
                               .bound = 0.1});
    ngrams_free(grams);
    vocab_free(vocab);
}

/* P(sentence) as the product of P(word | last n-1 words), add-one; every factor shown if LAB. */
static double sentence_probability(Lab *lab, const NGrams *grams, Vocab *vocab, const char *sentence, int n)
{
    int ids[16], length = sentence_ids(vocab, sentence, ids, 15);
    const char *before = "<s>";
    double product = 1;
    NGramWalk walk = ngrams_begin(grams);
    for (int t = 0; t <= length; t++) {
        int word = t < length ? ids[t] : grams->end;
        uint32_t count = ngrams_count(grams, &walk, n, word), history = ngrams_history(grams, &walk, n);
        double p = probability_add_k(count, history, 1, grams->vocabulary);
        product *= p;
        if (lab)
            trace_equation(lab->trace, HERE, "P(%s | %s) = (%u + 1) / (%u + %d) = %.4f", vocab->word[word], before,
                           count, history, grams->vocabulary, p);
        before = vocab->word[word];
        ngrams_advance(grams, &walk, word);
    }
    return product;
}

static void order_matters(Lab *lab)
{
    static const char *const texts[] = {
        "I love you",  "I love music",     "you love music",     "they love you",      "I know you",
        "you know me", "나는 너를 사랑해", "나는 음악을 사랑해", "너는 음악을 사랑해", "나는 너를 알아",
    };
    enum { TEXTS = sizeof texts / sizeof *texts };
    Vocab *vocab = vocab_new();
    int ids[TEXTS][16], length[TEXTS], end = vocab_add(vocab, "</s>", 4);
    for (int i = 0; i < TEXTS; i++)
        length[i] = sentence_ids(vocab, texts[i], ids[i], 16);
    NGrams *grams = ngrams_new(vocab->size, end);
    trace(lab->trace, "\nOrder matters to a bigram.  Ten sentences, add-one smoothing, V = %d:\n", vocab->size);
    for (int i = 0; i < TEXTS; i++) {
        ngrams_add(grams, ids[i], length[i]);
        trace(lab->trace, "%s%s", i == 0 || i == 6 ? "\n    " : ", ", texts[i]);
    }
    trace(lab->trace, "\n\n");
    trace_equation(lab->trace, HERE, "P(w | v) = (c(v w) + 1) / (c(v) + V)");
    double love = sentence_probability(lab, grams, vocab, "I love you", 2);
    trace_equation(lab->trace, HERE, "P(I love you) = %.3g", love);
    trace(lab->trace, "\n");
    double evol = sentence_probability(lab, grams, vocab, "You love I", 2);
    trace_equation(lab->trace, HERE, "P(You love I) = %.3g", evol);
    double korean = sentence_probability(NULL, grams, vocab, "나는 너를 사랑해", 2) /
                    sentence_probability(NULL, grams, vocab, "사랑해 너를 나는", 2);
    double unigram = sentence_probability(NULL, grams, vocab, "I love you", 1) /
                     sentence_probability(NULL, grams, vocab, "You love I", 1);
    trace(lab->trace,
          "\nThe bigram finds \"I love you\" %.0f times as probable as \"You love I\", and\n"
          "\"나는 너를 사랑해\" %.0f times as probable as \"사랑해 너를 나는\".  A unigram sees a bag of\n"
          "words: the ratio is %.3f.\n",
          love / evol, korean, unigram);
    claim(lab->claims, (Claim){.id = "order-bigram",
                               .source = "lecture: P(I love you) > P(You love I)",
                               .statement = "a bigram model finds I love you more probable than You love I (times)",
                               .measured = love / evol,
                               .test = ABOVE,
                               .bound = 1});
    claim(lab->claims, (Claim){.id = "order-unigram",
                               .source = "lecture: the same",
                               .statement = "a unigram model cannot tell the two apart (ratio)",
                               .measured = unigram,
                               .test = EQUALS,
                               .bound = 1,
                               .tolerance = 1e-9});
    ngrams_free(grams);
    vocab_free(vocab);
}

void step_ngrams(Lab *lab, void *state)
{
    grams_of_prompt(lab);
    lecture_counts(lab);
    order_matters(lab);
    ngrams_of_text(lab, state);
}
