/* Objectives: from text to questions and answers (steps 1 and 2). */
#include "objectives.h"

#include <string.h>

void texts_set(Texts *texts, const int (*rows)[TEXT_MOST], const int *lengths, int n)
{
    texts->batch = n;
    texts->length = 0;
    for (int b = 0; b < n; b++) {
        texts->lengths[b] = lengths[b];
        texts->length = lengths[b] > texts->length ? lengths[b] : texts->length;
    }
    for (int b = 0; b < n; b++) {
        int segment = 0;
        for (int t = 0; t < texts->length; t++) {
            int at = b * texts->length + t;
            texts->ids[at] = t < lengths[b] ? rows[b][t] : PAD;
            texts->segments[at] = segment;
            texts->targets[at] = NO_TARGET;
            segment |= texts->ids[at] == SEP;
        }
    }
}

int pair_row(const Sentence *a, const Sentence *b, int *row)
{
    int n = 0;
    row[n++] = CLS;
    for (int i = 0; i < a->length; i++)
        row[n++] = a->id[i];
    row[n++] = SEP;
    for (int i = 0; i < b->length; i++)
        row[n++] = b->id[i];
    row[n++] = SEP;
    return n;
}

void mask_words(const World *world, int *ids, int *targets, int n, MaskCounts *counts, Rng *rng)
{
    for (int i = 0; i < n; i++) {
        targets[i] = NO_TARGET;
        if (ids[i] < SPECIALS)
            continue;
        counts->words++;
        if (!rng_chance(rng, 0.15))
            continue;
        counts->chosen++;
        targets[i] = ids[i];
        double u = rng_uniform(rng);
        if (u < 0.8) {
            ids[i] = MASK;
            counts->masked++;
        } else if (u < 0.9) {
            ids[i] = SPECIALS + (int)rng_below(rng, (uint64_t)(world_words(world) - SPECIALS));
            counts->random++;
        } else {
            counts->kept++;
        }
    }
}

Spans spans_take(const int *words, int n, Rng *rng)
{
    int length[2], from[2];
    Spans spans = {0};
    for (int s = 0; s < 2; s++)
        length[s] = 1 + (int)rng_below(rng, 3);
    /* n - l0 - l1 words are left; the spans go into two different gaps between them, before or behind */
    int gaps = n - length[0] - length[1] + 1;
    int first = (int)rng_below(rng, (uint64_t)gaps), second = (int)rng_below(rng, (uint64_t)(gaps - 1));
    second += second >= first;
    from[0] = first < second ? first : second;
    from[1] = (first < second ? second : first) + length[0];
    for (int i = 0, s = 0; i < n;) {
        bool here = s < 2 && i == from[s];
        if (!here) {
            spans.input[spans.inputs++] = words[i++];
            continue;
        }
        spans.input[spans.inputs++] = spans.target[spans.targets++] = s ? SPAN_Y : SPAN_X;
        for (int k = 0; k < length[s]; k++)
            spans.target[spans.targets++] = words[i++];
        s++;
    }
    spans.target[spans.targets++] = SPAN_Z;
    return spans;
}

int spans_restore(const Spans *spans, int *words)
{
    int n = 0, at = 0; /* AT: what of the target is used */
    for (int i = 0; i < spans->inputs; i++) {
        if (spans->input[i] != SPAN_X && spans->input[i] != SPAN_Y) {
            words[n++] = spans->input[i];
            continue;
        }
        if (at >= spans->targets || spans->target[at++] != spans->input[i])
            return -1;
        while (at < spans->targets && spans->target[at] >= SPECIALS)
            words[n++] = spans->target[at++];
    }
    return at == spans->targets - 1 && spans->target[at] == SPAN_Z ? n : -1;
}

int story_words(const Story *story, int *words)
{
    int n = 0;
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < story->sentence[s].length; i++)
            words[n++] = story->sentence[s].id[i];
    return n;
}

int next_word_row(const Story *story, int *row)
{
    row[0] = CLS;
    int n = 1 + story_words(story, row + 1);
    row[n++] = SEP;
    return n;
}

/* The target of place t is the word of place t + 1. */
void next_word_targets(Texts *texts)
{
    for (int b = 0; b < texts->batch; b++)
        for (int t = 0; t < texts->length; t++)
            texts->targets[b * texts->length + t] =
                t + 1 < texts->lengths[b] ? texts->ids[b * texts->length + t + 1] : NO_TARGET;
}
