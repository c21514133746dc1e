/* claims.h: the ledger: every statement of the lecture beside what was measured.
 *
 *     claim(lab->claims, (Claim){
 *         .id = "synonyms-close", .source = "lecture 2, slide 14",
 *         .statement = "the four pairs that were orthogonal as one-hot vectors have a cosine of at least 0.75",
 *         .measured = lowest, .test = AT_LEAST, .bound = 0.75});
 *
 * The verdict is computed, never typed in:
 *     holds     the measurement meets the test
 *     corrects  it does, and .corrects says that the lecture's own statement is wrong;
 *               .statement then says what is true
 *     fails     it does not
 *     skipped   not testable at this setting; .skipped says why */
#ifndef CLAIMS_H
#define CLAIMS_H

#include <stdbool.h>

typedef enum { AT_LEAST, AT_MOST, BETWEEN, EQUALS, ABOVE, BELOW } ClaimTest;

typedef struct {
    const char *id;        /* short, stable, unique in its lab: "rare-words" */
    const char *statement; /* what is claimed, one sentence */
    const char *source;    /* where it comes from: lecture, paper and equation */
    double measured;
    ClaimTest test;
    double bound;        /* the bound; for BETWEEN the lower one */
    double upper;        /* for BETWEEN the upper one */
    double tolerance;    /* for EQUALS: |measured - bound| <= tolerance (0: to the bit) */
    bool corrects;       /* the lecture says otherwise */
    const char *skipped; /* not NULL: why it could not be tested */
} Claim;

typedef struct Claims Claims;

Claims *claims_new(void);

/* Adds a line to the ledger.  Dies on an id that is used twice or a statement
 * that is missing. */
void claim(Claims *claims, Claim entry);

/* Reads of the ledger, for the summary at the end and for tests. */
typedef enum { HOLDS, CORRECTS, FAILS, SKIPPED, VERDICTS } Verdict;
const char *verdict_name(Verdict verdict);
int claims_count(const Claims *claims, Verdict verdict);
/* The verdict on the claim ID; dies if there is none of that name. */
Verdict claims_verdict(const Claims *claims, const char *id);
double claims_measured(const Claims *claims, const char *id);

/* The rows one by one (0 ... claims_size-1), with "expected" and "measured" as
 * the ledger prints them. */
typedef struct {
    const Claim *claim;
    Verdict verdict;
    const char *expected; /* ">= 0.75" */
    const char *measured; /* "0.914" */
} ClaimRow;
int claims_size(const Claims *claims);
ClaimRow claims_row(const Claims *claims, int i);

/* Writes FOLDER/claims.tsv: id statement source expected measured verdict. */
void claims_write(const Claims *claims, const char *folder);

void claims_free(Claims *claims);

#endif
