/* claims.c: the ledger: measured against claimed. */
#include "claims.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "files.h"
#include "memory.h"

enum { NUMBER_TEXT = 64, EXPECTED_TEXT = 160 };

typedef struct {
    Claim claim; /* its texts are copies */
    Verdict verdict;
    char expected[EXPECTED_TEXT];
    char *measured;
} Row;

struct Claims {
    Row *rows;
    int size, capacity;
};

Claims *claims_new(void)
{
    return memory_new(1, sizeof(Claims), "the ledger");
}

void claims_free(Claims *claims)
{
    for (int i = 0; i < claims->size; i++) {
        free((char *)claims->rows[i].claim.id);
        free((char *)claims->rows[i].claim.statement);
        free((char *)claims->rows[i].claim.source);
        free((char *)claims->rows[i].claim.skipped);
        free(claims->rows[i].measured);
    }
    free(claims->rows);
    free(claims);
}

const char *verdict_name(Verdict verdict)
{
    static const char *const names[VERDICTS] = {"holds", "corrects", "fails", "skipped"};
    return names[verdict];
}

/* ---- the verdict -------------------------------------------------------------- */

/* A measurement that is not a number meets no test. */
static bool meets(const Claim *claim, double measured)
{
    switch (claim->test) {
    case AT_LEAST:
        return measured >= claim->bound;
    case AT_MOST:
        return measured <= claim->bound;
    case ABOVE:
        return measured > claim->bound;
    case BELOW:
        return measured < claim->bound;
    case BETWEEN:
        return measured >= claim->bound && measured <= claim->upper;
    case EQUALS:
        return measured == claim->bound || fabs(measured - claim->bound) <= claim->tolerance;
    }
    return false;
}

static Verdict verdict_of(const Claim *claim)
{
    if (claim->skipped)
        return SKIPPED;
    if (!meets(claim, claim->measured))
        return FAILS;
    return claim->corrects ? CORRECTS : HOLDS;
}

/* ---- numbers as text ------------------------------------------------------------ */

static void number(char *text, double value, int digits)
{
    if (isnan(value))
        snprintf(text, NUMBER_TEXT, "nan");
    else if (isinf(value))
        snprintf(text, NUMBER_TEXT, value > 0 ? "inf" : "-inf");
    else
        snprintf(text, NUMBER_TEXT, "%.*g", digits, value == 0 ? 0.0 : value);
}

/* Digits for whole numbers below 10^15 in full and four for the rest. */
static int digits_of(double value)
{
    int digits = 4;
    double size = 1e4;
    while (digits < 15 && fabs(value) >= size) {
        digits++;
        size *= 10;
    }
    return digits;
}

/* The fewest digits that give the same number, at most MOST of them. */
static void bound_text(char *text, double value, int most)
{
    for (int digits = digits_of(value); digits <= 17; digits++) {
        number(text, value, digits);
        if (digits >= most || !(strtod(text, NULL) != value))
            return;
    }
}

static void expected_text(char *text, const Claim *claim, int most)
{
    static const char *const sign[] = {
        [AT_LEAST] = ">=", [AT_MOST] = "<=", [EQUALS] = "=", [ABOVE] = ">", [BELOW] = "<", [BETWEEN] = ""};
    char bound[NUMBER_TEXT], upper[NUMBER_TEXT], tolerance[NUMBER_TEXT];
    bool exact = claim->test == EQUALS && claim->tolerance == 0;
    bound_text(bound, claim->bound, exact ? 17 : most);
    bound_text(upper, claim->upper, most);
    bound_text(tolerance, claim->tolerance, most);
    if (claim->test == BETWEEN)
        snprintf(text, EXPECTED_TEXT, "%s ... %s", bound, upper);
    else if (exact)
        snprintf(text, EXPECTED_TEXT, "= %s exactly", bound);
    else if (claim->test == EQUALS)
        snprintf(text, EXPECTED_TEXT, "= %s ± %s", bound, tolerance);
    else
        snprintf(text, EXPECTED_TEXT, "%s %s", sign[claim->test], bound);
}

/* The claim as a reader sees it: its bounds with at most MOST digits. */
static Claim as_shown(const Claim *claim, int most)
{
    Claim shown = *claim;
    char text[NUMBER_TEXT];
    bool exact = claim->test == EQUALS && claim->tolerance == 0;
    bound_text(text, claim->bound, exact ? 17 : most);
    shown.bound = strtod(text, NULL);
    bound_text(text, claim->upper, most);
    shown.upper = strtod(text, NULL);
    bound_text(text, claim->tolerance, most);
    shown.tolerance = strtod(text, NULL);
    return shown;
}

/* Both texts, with as many digits as it takes that a reader who compares them
 * comes to the same verdict: a failing 0.74999 is not shown as 0.75. */
static void make_texts(const Claim *claim, char *expected, char *measured)
{
    enum { USUAL = 6, ALL = 17 };
    for (int most = USUAL; most <= ALL; most += ALL - USUAL) {
        Claim shown = as_shown(claim, most);
        expected_text(expected, claim, most);
        for (int digits = digits_of(claim->measured); digits <= ALL; digits++) {
            number(measured, claim->measured, digits);
            if (meets(&shown, strtod(measured, NULL)) == meets(claim, claim->measured))
                return;
        }
    }
}

/* ---- the ledger ------------------------------------------------------------------ */

static void check_text(const Claim *entry, const char *what, const char *text)
{
    const char *id = entry->id ? entry->id : "without an id";
    if (!text || !*text)
        die_misuse(HERE, "claim %s has no %s", id, what);
    for (const char *c = text; c && *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            die_misuse(HERE, "claim %s: its %s holds a tab, a newline or another control byte", id, what);
}

static void check_claim(const Claims *claims, const Claim *entry)
{
    check_text(entry, "id", entry->id);
    check_text(entry, "statement", entry->statement);
    check_text(entry, "source", entry->source);
    if (entry->skipped)
        check_text(entry, "reason for skipping it", entry->skipped);
    if (strspn(entry->id, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != strlen(entry->id))
        die_misuse(HERE, "claim %s: an id has small letters, digits, '-', '_' and '.' only", entry->id);
    if (entry->test == BETWEEN && !(entry->bound <= entry->upper))
        die_misuse(HERE, "claim %s: nothing lies between %g and %g", entry->id, entry->bound, entry->upper);
    if (!(entry->tolerance >= 0))
        die_misuse(HERE, "claim %s: a tolerance of %g", entry->id, entry->tolerance);
    for (int i = 0; i < claims->size; i++)
        if (strcmp(claims->rows[i].claim.id, entry->id) == 0)
            die_misuse(HERE, "claim %s is in the ledger already: every id is used once", entry->id);
}

void claim(Claims *claims, Claim entry)
{
    char text[EXPECTED_TEXT];
    check_claim(claims, &entry);
    if (claims->size == claims->capacity) {
        claims->capacity = 2 * claims->capacity + 16;
        claims->rows = memory_resize(claims->rows, (size_t)claims->capacity, sizeof *claims->rows, "the ledger");
    }
    Row *row = &claims->rows[claims->size++];
    *row = (Row){.claim = entry, .verdict = verdict_of(&entry)};
    row->claim.id = memory_copy_text(entry.id);
    row->claim.statement = memory_copy_text(entry.statement);
    row->claim.source = memory_copy_text(entry.source);
    row->claim.skipped = entry.skipped ? memory_copy_text(entry.skipped) : NULL;
    make_texts(&entry, row->expected, text);
    row->measured = memory_copy_text(entry.skipped ? entry.skipped : text);
}

int claims_count(const Claims *claims, Verdict verdict)
{
    int count = 0;
    for (int i = 0; i < claims->size; i++)
        count += claims->rows[i].verdict == verdict;
    return count;
}

static const Row *find(const Claims *claims, const char *id)
{
    for (int i = 0; i < claims->size; i++)
        if (strcmp(claims->rows[i].claim.id, id) == 0)
            return &claims->rows[i];
    die_misuse(HERE, "no claim %s in the ledger", id);
}

Verdict claims_verdict(const Claims *claims, const char *id)
{
    return find(claims, id)->verdict;
}

double claims_measured(const Claims *claims, const char *id)
{
    return find(claims, id)->claim.measured;
}

int claims_size(const Claims *claims)
{
    return claims->size;
}

ClaimRow claims_row(const Claims *claims, int i)
{
    if (i < 0 || i >= claims->size)
        die_misuse(HERE, "row %d of a ledger with %d rows", i, claims->size);
    const Row *row = &claims->rows[i];
    return (ClaimRow){&row->claim, row->verdict, row->expected, row->measured};
}

void claims_write(const Claims *claims, const char *folder)
{
    char *path = path_join(folder, "claims", ".tsv");
    Output *output = output_open(path);
    FILE *stream = output_stream(output);
    fprintf(stream, "id\tstatement\tsource\texpected\tmeasured\tverdict\n");
    for (int i = 0; i < claims->size; i++) {
        const Row *row = &claims->rows[i];
        fprintf(stream, "%s\t%s\t%s\t%s\t%s\t%s\n", row->claim.id, row->claim.statement, row->claim.source,
                row->expected, row->measured, verdict_name(row->verdict));
    }
    output_close(output);
    free(path);
}
