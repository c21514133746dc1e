/* Lab 05. Seq2Seq and attention: from counting words to looking back
 *
 * A translation is a sentence that fits another one.  How did machines come from
 * counting to reading, what does one vector for a whole sentence cost, and what
 * changes when the decoder may look back at every word?
 *
 * Look for
 *     ibm1_table, ibm1_alignment  which word goes with which, found by counting alone
 *     teacher_forcing             the teacher's words or its own: how training goes
 *     beam_tree, beam_width       k hypotheses at once, and when that pays
 *     attention_by_hand           one step: scores, softmax, context
 *     scoring_functions           dot, general, concat, scaled dot: how fast, how well
 *     bleu_by_length              the bottleneck: without attention long sentences are lost
 *     alignment_1 ...             where the decoder looked, sentence by sentence
 *     reversed_source             reading backwards helps whom?
 *
 * Run
 *     make 05
 *     make 05 ARGS="--step 7 --translate 'the happy girl drank cold water'"
 *     make 05 ARGS="--step 7 --load --score concat --beam 4 --translate '...'"
 *     make 05 ARGS=--words
 *
 * Chapters: language.c channel.c (with ibm1.c) forcing.c beam.c scoring.c
 * bottleneck.c alignment.c reversal.c; the model is in model.c, its training in
 * train.c, the search in search.c, and the corpus in common/translation.c.
 * Leads to lab 06: attention without the recurrent network. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seq2seq.h"

/* --words: the vocabulary, and nothing else. */
static void print_words(const Translation *translation)
{
    int column = 0;
    for (int i = TRANSLATION_SPECIAL; i < translation->english->size; i++) {
        const char *word = translation->english->word[i];
        bool new_line = column + (int)strlen(word) > 90;
        printf("%s%s", i == TRANSLATION_SPECIAL ? "" : new_line ? "\n" : " ", word);
        column = (new_line ? 0 : column + 1) + (int)strlen(word);
    }
    printf("\n");
    exit(EXIT_SUCCESS);
}

static void begin(Lab *lab, void *state)
{
    Seq2Seq *self = state;
    self->pairs = lab_choose(lab, 10000, 6000);
    self->longest = lab_choose(lab, 25, 16);
    self->brief = lab_choose(lab, 12, 8);
    self->wide = lab_choose(lab, 64, 48);
    self->narrow = lab_choose(lab, 32, 24);
    self->embedding = lab_choose(lab, 32, 24);
    self->steps = lab_choose(lab, 1300, 350);
    self->rate = lab->quick ? 1.5e-2 : 7e-3;
    self->tests = lab_choose(lab, 200, 100);
    self->language_steps = lab_choose(lab, 900, 200);
    self->forcing_steps = lab_choose(lab, 400, 150);
    if (self->words)
        print_words(translation_of(lab, self));
    int words[TRANSLATION_ENGLISH];
    if (self->translate)
        translation_words(translation_of(lab, self), self->translate, "--translate", words); /* or says what is wrong */
}

static void end(Lab *lab, void *state)
{
    (void)lab;
    Seq2Seq *self = state;
    for (int i = 0; i < MODELS; i++)
        model_free(self->model[i]);
    for (int i = 0; i < self->test.buckets; i++)
        free(self->test.pairs[i]);
    ibm1_free(self->french_from_english);
    ibm1_free(self->english_from_french);
    translation_free(self->translation);
    translation_free(self->brief_translation);
}

static const LabStep steps[] = {
    {"language", "How probable is a sentence?", step_language},
    {"channel", "The noisy channel: translating by counting", step_channel},
    {"training", "Encoder and decoder; whose words the decoder is fed", step_training},
    {"search", "Greedy and beam search", step_searching},
    {"attention", "Attention, by hand, and four ways to score", step_attention},
    {"bottleneck", "The bottleneck: one vector for a whole sentence", step_bottleneck},
    {"alignment", "Where the decoder looks", step_alignment},
    {"reversal", "Reading the source backwards", step_reversal},
    {0},
};

int main(int argc, char **argv)
{
    Seq2Seq self = {.beam = 1, .score = "dot"};
    static const char *const scores[] = {"dot", "general", "concat", NULL};
    const LabOption options[] = {
        {.name = "translate",
         .value = "TEXT",
         .help = "an English sentence of your own for step 7",
         .text = &self.translate},
        {.name = "beam",
         .value = "K",
         .help = "hypotheses kept when it is translated (1: greedy)",
         .whole = &self.beam,
         .low = 1,
         .high = MOST_BEAM},
        {.name = "score",
         .value = "NAME",
         .help = "the attention of step 7: dot, general or concat",
         .text = &self.score,
         .choices = scores},
        {.name = "load", .help = "use the model that an earlier run left in the output folder", .given = &self.load},
        {.name = "words", .help = "print the words that can be translated, and end", .given = &self.words},
        {0},
    };
    return lab_main(argc, argv,
                    &(LabInfo){.stem = "05_seq2seq_attention",
                               .title = "Seq2Seq and attention: from counting words to looking back",
                               .question = "What does one vector for a whole sentence cost, and what changes when "
                                           "the decoder may look back?",
                               .steps = steps,
                               .options = options,
                               .begin = begin,
                               .end = end},
                    &self);
}
