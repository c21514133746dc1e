/* quality.c: lab 02's small world for other programs' word vectors.
 *
 *     quality text SEED WORDS     its text, at least so many words, a sentence a line
 *     quality score FILE          of a file of vectors in word2vec's text format: the
 *                                 share of near words that are of a word's own category, and
 *                                 of analogies answered (mean of the three families) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../labs/02_word2vec/word2vec.h"
#include "die.h"

int main(int argc, char **argv)
{
    WordWorld *world = wordworld_new(1.2, 0.2);
    if (argc == 4 && strcmp(argv[1], "text") == 0) {
        Rng rng = rng_new(strtoull(argv[2], NULL, 10), "text");
        char *text = wordworld_text(world, &rng, strtol(argv[3], NULL, 10));
        fputs(text, stdout);
        free(text);
    } else if (argc == 3 && strcmp(argv[1], "score") == 0) {
        Vectors *vectors = vectors_load(argv[2]);
        double right = 0;
        for (int family = 0, asked; family < WORDWORLD_FAMILIES; family++)
            right += analogies(vectors, world, family, &asked) / WORDWORLD_FAMILIES;
        printf("%.4f %.4f\n", purity(vectors, world, 0, UINT64_MAX), right);
        vectors_free(vectors);
    } else {
        die_usage("quality text SEED WORDS, or quality score FILE");
    }
    wordworld_free(world);
    return fflush(stdout) != 0;
}
