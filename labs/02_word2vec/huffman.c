/* huffman.c: the binary tree in which frequent words have short paths.
 *
 * Huffman 1952: again and again the two rarest subtrees become one.  With the
 * words sorted by count, two queues are enough: the words' own and that of the
 * subtrees made so far, whose counts only grow. */
#include "word2vec.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

/* Nodes 0 ... words-1 are the words, words ... 2 words - 2 the inner nodes, the
 * last of them the root. */
static void build(const uint64_t *counts, int words, const int *rarest, int *parent, signed char *side)
{
    uint64_t *count = memory_new(2 * (size_t)words, sizeof *count, "the Huffman tree");
    int word = 0, subtree = words;
    memcpy(count, counts, words * sizeof *count);
    for (int made = words; made < 2 * words - 1; made++) {
        for (int s = 0; s < 2; s++) {
            bool leaf = word < words && (subtree >= made || count[rarest[word]] <= count[subtree]);
            int taken = leaf ? rarest[word++] : subtree++;
            parent[taken] = made;
            side[taken] = (signed char)s;
            count[made] += count[taken];
        }
    }
    free(count);
}

typedef struct {
    uint64_t count;
    int word;
} Rank;

static int compare_rarest(const void *a, const void *b)
{
    const Rank *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? -1 : 1;
    return y->word - x->word; /* ties: the later word first */
}

static int *by_rarity(const uint64_t *counts, int words)
{
    Rank *rank = memory_new(words, sizeof *rank, "the Huffman tree");
    int *order = memory_new(words, sizeof *order, "the Huffman tree");
    for (int w = 0; w < words; w++)
        rank[w] = (Rank){counts[w], w};
    qsort(rank, words, sizeof *rank, compare_rarest);
    for (int w = 0; w < words; w++)
        order[w] = rank[w].word;
    free(rank);
    return order;
}

Huffman *huffman_new(const uint64_t *counts, int words)
{
    Huffman *tree = memory_new(1, sizeof *tree, "the Huffman tree");
    int *parent = memory_new(2 * (size_t)words, sizeof *parent, "the Huffman tree");
    signed char *side = memory_new(2 * (size_t)words, 1, "the Huffman tree");
    int *rarest = by_rarity(counts, words), root = 2 * words - 2;
    build(counts, words, rarest, parent, side);

    tree->words = words;
    tree->begin = memory_new((size_t)words + 1, sizeof(int), "the Huffman tree");
    for (int w = 0; w < words; w++) {
        int depth = 0;
        for (int node = w; node != root; node = parent[node])
            depth++;
        tree->begin[w + 1] = tree->begin[w] + depth;
    }
    tree->node = memory_new(tree->begin[words], sizeof(int), "the Huffman tree");
    tree->side = memory_new(tree->begin[words], 1, "the Huffman tree");
    for (int w = 0; w < words; w++) {
        int at = tree->begin[w + 1];
        for (int node = w; node != root; node = parent[node]) {
            tree->node[--at] = parent[node] - words;
            tree->side[at] = side[node];
        }
    }
    free(parent);
    free(side);
    free(rarest);
    return tree;
}

void huffman_free(Huffman *tree)
{
    if (!tree)
        return;
    free(tree->begin);
    free(tree->node);
    free(tree->side);
    free(tree);
}
