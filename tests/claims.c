/* Tests of common/claims: the verdict is computed, and the ledger says how. */
#define _GNU_SOURCE
#include "claims.h"

#include <math.h>

#include "dies.h"
#include "scratch.h"
#include "test.h"

static Claim basic(const char *id, double measured, ClaimTest test, double bound)
{
    return (Claim){.id = id, .statement = "s", .source = "lecture", .measured = measured, .test = test, .bound = bound};
}

static ClaimRow row_of(Claim entry)
{
    static Claims *claims;
    if (claims)
        claims_free(claims);
    claims = claims_new();
    claim(claims, entry);
    return claims_row(claims, 0);
}

static void expect(Claim entry, Verdict verdict, const char *expected, const char *measured)
{
    ClaimRow row = row_of(entry);
    ck_assert_str_eq(verdict_name(row.verdict), verdict_name(verdict));
    ck_assert_str_eq(row.expected, expected);
    ck_assert_str_eq(row.measured, measured);
}

START_TEST(verdicts)
{
    expect(basic("a", 0.914, AT_LEAST, 0.75), HOLDS, ">= 0.75", "0.914");
    expect(basic("a", 0.75, AT_LEAST, 0.75), HOLDS, ">= 0.75", "0.75");
    expect(basic("a", 0.75, ABOVE, 0.75), FAILS, "> 0.75", "0.75");
    expect(basic("a", 0.5, AT_MOST, 0.1), FAILS, "<= 0.1", "0.5");
    expect(basic("a", 0.05, BELOW, 0.1), HOLDS, "< 0.1", "0.05");
    expect(basic("a", 0, EQUALS, 0), HOLDS, "= 0 exactly", "0");
    expect(basic("a", -0.0, EQUALS, 0), HOLDS, "= 0 exactly", "0");
    expect(basic("a", 1e-9, EQUALS, 0), FAILS, "= 0 exactly", "1e-09");
    Claim near = basic("a", 1.4141, EQUALS, 1.414213562373095);
    near.tolerance = 0.001;
    expect(near, HOLDS, "= 1.41421 ± 0.001", "1.414");
    near.tolerance = 0;
    near.measured = near.bound;
    expect(near, HOLDS, "= 1.414213562373095 exactly", "1.414213562373095");
    Claim between = basic("a", 0.8, BETWEEN, 0.75);
    between.upper = 0.9;
    expect(between, HOLDS, "0.75 ... 0.9", "0.8");
    between.measured = 0.91;
    expect(between, FAILS, "0.75 ... 0.9", "0.91");
}
END_TEST

START_TEST(what_is_no_number_fails)
{
    for (int test = AT_LEAST; test <= BELOW; test++)
        ck_assert_int_eq(row_of(basic("a", NAN, (ClaimTest)test, 0)).verdict, FAILS);
    ck_assert_str_eq(row_of(basic("a", NAN, AT_MOST, 1)).measured, "nan");
    expect(basic("a", -INFINITY, AT_LEAST, 0), FAILS, ">= 0", "-inf");
}
END_TEST

START_TEST(a_near_miss_is_shown_as_one)
{
    expect(basic("a", 0.7499999, AT_LEAST, 0.75), FAILS, ">= 0.75", "0.7499999");
    expect(basic("a", 0.7500001, ABOVE, 0.75), HOLDS, "> 0.75", "0.7500001");
    expect(basic("a", 0.02451, AT_MOST, 0.12649110640673517), HOLDS, "<= 0.126491", "0.02451");
    expect(basic("a", 0.1264911, AT_MOST, 0.12649110640673517), HOLDS, "<= 0.126491", "0.12649");
    expect(basic("a", 0.12649111, AT_MOST, 0.12649110640673517), FAILS, "<= 0.126491", "0.1265");
    expect(basic("a", 5000000, AT_LEAST, 1e6), HOLDS, ">= 1000000", "5000000");
    expect(basic("a", 123456.75, AT_LEAST, 0), HOLDS, ">= 0", "123457");
}
END_TEST

START_TEST(corrections_and_skips)
{
    Claim entry = basic("a", 1, EQUALS, 1);
    entry.corrects = true;
    expect(entry, CORRECTS, "= 1 exactly", "1");
    entry.measured = 2;
    expect(entry, FAILS, "= 1 exactly", "2");
    entry.skipped = "needs the full setting";
    expect(entry, SKIPPED, "= 1 exactly", "needs the full setting");
}
END_TEST

START_TEST(the_ledger_on_disk)
{
    char *folder = scratch_folder();
    Claims *claims = claims_new();
    char id[] = "changes-later";
    claim(claims, basic(id, 1, AT_LEAST, 0));
    id[0] = 'x';
    claim(claims, basic("fails", 1, AT_LEAST, 2));
    claims_write(claims, folder);
    char *text = slurp(in(folder, "claims.tsv"));
    ck_assert_str_eq(text, "id\tstatement\tsource\texpected\tmeasured\tverdict\n"
                           "changes-later\ts\tlecture\t>= 0\t1\tholds\n"
                           "fails\ts\tlecture\t>= 2\t1\tfails\n");
    ck_assert_int_eq(claims_size(claims), 2);
    ck_assert_int_eq(claims_count(claims, HOLDS), 1);
    ck_assert_int_eq(claims_count(claims, FAILS), 1);
    ck_assert_int_eq(claims_count(claims, SKIPPED), 0);
    ck_assert_int_eq(claims_verdict(claims, "fails"), FAILS);
    ck_assert_double_eq(claims_measured(claims, "fails"), 1);
    free(text);
    claims_free(claims);
    scratch_remove(folder);
}
END_TEST

START_TEST(many_claims)
{
    Claims *claims = claims_new();
    for (int i = 0; i < 500; i++) {
        char id[20];
        snprintf(id, sizeof id, "claim-%d", i);
        claim(claims, basic(id, i, AT_LEAST, 250));
    }
    ck_assert_int_eq(claims_count(claims, HOLDS), 250);
    ck_assert_str_eq(claims_row(claims, 17).claim->id, "claim-17");
    claims_free(claims);
}
END_TEST

START_TEST(an_id_used_twice)
{
    Claims *claims = claims_new();
    claim(claims, basic("a", 1, AT_LEAST, 0));
    claim(claims, basic("a", 1, AT_LEAST, 0));
}
END_TEST

START_TEST(no_statement)
{
    claim(claims_new(), (Claim){.id = "a", .source = "lecture"});
}
END_TEST

START_TEST(no_source)
{
    claim(claims_new(), (Claim){.id = "a", .statement = "s"});
}
END_TEST

START_TEST(a_tab_in_a_statement)
{
    claim(claims_new(), (Claim){.id = "a", .statement = "s\tt", .source = "lecture"});
}
END_TEST

START_TEST(a_newline_in_a_source)
{
    claim(claims_new(), (Claim){.id = "a", .statement = "s", .source = "lecture\n"});
}
END_TEST

START_TEST(a_range_upside_down)
{
    claim(claims_new(),
          (Claim){.id = "a", .statement = "s", .source = "lecture", .test = BETWEEN, .bound = 2, .upper = 1});
}
END_TEST

START_TEST(an_unknown_id)
{
    claims_verdict(claims_new(), "nobody");
}
END_TEST

START_TEST(claims_that_are_none)
{
    Claims *claims = claims_new();
    ASSERT_SAYS(DIES(1, (claim(claims, (Claim){.id = "A b", .statement = "s", .source = "l"}), 0)),
                "an id has small letters, digits");
    ASSERT_SAYS(DIES(1, (claim(claims, (Claim){.id = "a", .statement = "s", .source = "l", .tolerance = -1}), 0)),
                "a tolerance of -1");
    ASSERT_SAYS(DIES(1, (claims_row(claims, 0), 0)), "row 0 of a ledger with 0 rows");
    ASSERT_SAYS(DIES(1, (claims_row(claims, -1), 0)), "row -1");
    claims_free(claims);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("claims");
    test_add(suite, "verdicts", verdicts);
    test_add(suite, "what_is_no_number_fails", what_is_no_number_fails);
    test_add(suite, "a_near_miss_is_shown_as_one", a_near_miss_is_shown_as_one);
    test_add(suite, "corrections_and_skips", corrections_and_skips);
    test_add(suite, "the_ledger_on_disk", the_ledger_on_disk);
    test_add(suite, "many_claims", many_claims);
    test_add_exit(suite, "an_id_used_twice", an_id_used_twice, 1);
    test_add_exit(suite, "no_statement", no_statement, 1);
    test_add_exit(suite, "no_source", no_source, 1);
    test_add_exit(suite, "a_tab_in_a_statement", a_tab_in_a_statement, 1);
    test_add_exit(suite, "a_newline_in_a_source", a_newline_in_a_source, 1);
    test_add_exit(suite, "a_range_upside_down", a_range_upside_down, 1);
    test_add_exit(suite, "an_unknown_id", an_unknown_id, 1);
    test_add(suite, "claims_that_are_none", claims_that_are_none);
    return test_run(suite);
}
