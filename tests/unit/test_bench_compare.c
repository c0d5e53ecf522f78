/*
 * Verdicts of the benchmark: what is a win, what is noise, what stops a gate. Files
 * of results are made by hand here, since a measured one never shows the border.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compare.h"
#include "store.h"
#include "verdict.h"

#define HEADER "{\"header\":{\"cores\":2,\"cpu\":\"one\",\"sqlite\":\"3.54.1\"}}\n"

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.9g, not %.9g", value, expected);
}

/* A reading of five quiet passes. */
static bench_reading quiet(double value)
{
    return (bench_reading){.value = value, .mad = 0.01 * value, .detectable = 0.03, .passes = 5};
}

static bench_verdict judge(double before, double after)
{
    bench_reading a = quiet(before);
    bench_reading b = quiet(after);

    return bench_judge(&a, &b, 0.02);
}

static void changes_count_from_a_tenth(void **state)
{
    (void)state;
    assert_int_equal(judge(10, 10), BENCH_NEUTRAL);
    assert_int_equal(judge(10, 11), BENCH_NEUTRAL);
    assert_int_equal(judge(10, 9), BENCH_NEUTRAL);
    assert_int_equal(judge(10, 11.2), BENCH_STABLE_REGRESSION);
    assert_int_equal(judge(10, 8.8), BENCH_STABLE_WIN);
}

/* Half of next to nothing is nothing. */
static void changes_below_the_floor_are_none(void **state)
{
    (void)state;
    assert_int_equal(judge(0.03, 0.015), BENCH_NEUTRAL);
    assert_int_equal(judge(0.015, 0.03), BENCH_NEUTRAL);
    assert_int_equal(judge(0.10, 0.05), BENCH_STABLE_WIN);
}

static void a_wide_spread_needs_a_larger_change(void **state)
{
    bench_reading before = quiet(100);
    bench_reading after = quiet(130);

    (void)state;
    before.mad = 12;
    assert_near(bench_threshold(&before, &after), 0.36, 1e-9);
    assert_int_equal(bench_judge(&before, &after, 0.02), BENCH_NEUTRAL);
    after.value = 137;
    assert_int_equal(bench_judge(&before, &after, 0.02), BENCH_STABLE_REGRESSION);
    /* The spread of either run counts. */
    before.mad = 1;
    after.mad = 13;
    assert_int_equal(bench_judge(&before, &after, 0.02), BENCH_NEUTRAL);
}

static void a_change_is_noisy_if_a_run_was(void **state)
{
    bench_reading before = quiet(100);
    bench_reading after = quiet(150);

    (void)state;
    after.noisy = true;
    assert_int_equal(bench_judge(&before, &after, 0.02), BENCH_NOISY_REGRESSION);
    assert_int_equal(bench_judge(&after, &before, 0.02), BENCH_NOISY_WIN);
    after.noisy = false;
    after.detectable = 0.11;
    assert_int_equal(bench_judge(&before, &after, 0.02), BENCH_NOISY_REGRESSION);
    after.detectable = 0.03;
    after.passes = 2;
    assert_int_equal(bench_judge(&before, &after, 0.02), BENCH_NOISY_REGRESSION);
    after.passes = 3;
    assert_int_equal(bench_judge(&before, &after, 0.02), BENCH_STABLE_REGRESSION);
}

static void something_out_of_nothing_is_a_regression(void **state)
{
    bench_reading before = {.passes = 5};
    bench_reading after = {.value = 2, .passes = 5};

    (void)state;
    assert_int_equal(bench_judge(&before, &after, 0.5), BENCH_STABLE_REGRESSION);
    assert_true(isinf(bench_change(&before, &after)));
    assert_int_equal(bench_judge(&before, &before, 0.5), BENCH_NEUTRAL);
    assert_int_equal(bench_judge(&after, &before, 0.5), BENCH_STABLE_WIN);
}

static void the_detectable_effect_follows_from_the_spread(void **state)
{
    const double passes[] = {98, 99, 100, 101, 102};
    const double same[] = {7, 7, 7};
    double scratch[5];

    (void)state;
    /* MAD 1 of 100; 2.8 × 1.2533 × 1.4826 × √(2/5). */
    assert_near(bench_detectable(passes, 5, scratch), 0.01 * 3.2905, 1e-4);
    assert_near(bench_detectable(same, 3, scratch), 0, 0);
    assert_near(bench_detectable(passes, 1, scratch), 0, 0);
}

/* ------------------------------------------------------------------ files -- */

/* A case as JSON; `passes` and `more` are JSON too. */
static void entry(char *out, size_t size, const char *name, const char *peer, double median,
                  const char *passes, const char *more)
{
    snprintf(out, size,
             "{\"workload\":\"rows\",\"case\":\"%s\",\"peer\":\"%s\",\"unit\":\"us/read\",\"median\":%g,"
             "\"p90\":1,\"p99\":2,\"mad\":0.1,\"n\":15,\"passes\":%s%s}\n",
             name, peer, median, passes, more);
}

static void parse(bench_set *s, const char *text)
{
    assert_true(bench_set_parse(s, "by hand", text, strlen(text)));
}

/* What comparing two texts prints, and the totals. */
static void compare(const char *before, const char *after, bench_totals *totals, char *out, size_t size)
{
    bench_set a;
    bench_set b;
    FILE *f;

    parse(&a, before);
    parse(&b, after);
    memset(out, 0, size);
    f = fmemopen(out, size - 1, "w");
    assert_non_null(f);
    bench_compare(&a, &b, NULL, NULL, f, totals);
    fclose(f);
    bench_set_free(&a);
    bench_set_free(&b);
}

static void texts_are_compared(void **state)
{
    char before[4096] = HEADER;
    char after[4096] = HEADER;
    char line[512];
    char out[8192];
    bench_totals t;

    (void)state;
    entry(line, sizeof line, "10", "resqlite", 100, "[100,100,101]", "");
    strcat(before, line);
    entry(line, sizeof line, "10", "resqlite", 150, "[150,150,151]", "");
    strcat(after, line);
    entry(line, sizeof line, "100", "resqlite", 100, "[100,100,101]", "");
    strcat(before, line);
    entry(line, sizeof line, "100", "resqlite", 50, "[50,50,50.5]", "");
    strcat(after, line);
    entry(line, sizeof line, "1000", "resqlite", 100, "[100,100,101]", "");
    strcat(before, line);
    entry(line, sizeof line, "2000", "resqlite", 100, "[100,100,101]", "");
    strcat(after, line);
    entry(line, sizeof line, "5000", "resqlite", 100, "[100]", "");
    strcat(before, line);
    entry(line, sizeof line, "5000", "resqlite", 150, "[150]", "");
    strcat(after, line);
    compare(before, after, &t, out, sizeof out);
    assert_int_equal(t.times[BENCH_STABLE_REGRESSION], 1);
    assert_int_equal(t.times[BENCH_STABLE_WIN], 1);
    assert_int_equal(t.times[BENCH_NOISY_REGRESSION], 1);
    assert_int_equal(t.missing, 1);
    assert_int_equal(t.added, 1);
    assert_false(t.other_machine);
    assert_true(bench_totals_worse(&t));
    assert_non_null(strstr(out, "rows/1000 resqlite: missing"));
    assert_non_null(strstr(out, "rows/2000 resqlite: new"));
    assert_non_null(strstr(out, "times: 1 stable wins, 0 noisy wins, 1 stable regressions, 1 noisy "
                                "regressions, 0 neutral, 1 missing, 1 new"));
    assert_null(strstr(out, "WARNING"));
}

/* A case that is gone could have been a regression; one that measures something else by now is gone too. */
static void a_case_that_is_gone_stops_a_gate(void **state)
{
    char one[512];
    char other[512];
    char out[4096];
    bench_totals t;
    char *unit;

    (void)state;
    entry(one, sizeof one, "10", "resqlite", 100, "[100,100,100]", "");
    compare(one, one, &t, out, sizeof out);
    assert_false(bench_totals_worse(&t));
    entry(other, sizeof other, "20", "resqlite", 100, "[100,100,100]", "");
    compare(one, other, &t, out, sizeof out);
    assert_true(bench_totals_worse(&t));
    strcpy(other, one);
    unit = strstr(other, "us/read");
    memcpy(unit, "us/rows", strlen("us/rows"));
    compare(one, other, &t, out, sizeof out);
    assert_int_equal(t.missing, 1);
    assert_int_equal(t.added, 1);
}

/* Of the baseline, only how much it moved is told. */
static void the_baseline_is_no_regression(void **state)
{
    char before[512];
    char after[512];
    char out[4096];
    bench_totals t;

    (void)state;
    entry(before, sizeof before, "10", "raw", 100, "[100,100,100]", "");
    entry(after, sizeof after, "10", "raw", 200, "[200,200,200]", "");
    compare(before, after, &t, out, sizeof out);
    assert_int_equal(t.controls, 1);
    assert_int_equal(t.controls_off, 1);
    assert_false(bench_totals_worse(&t));
    assert_non_null(strstr(out, "baseline: 1 of 1 figures changed, which"));
}

static void memory_is_judged_as_well(void **state)
{
    char before[1024];
    char after[1024];
    char out[4096];
    bench_totals t;

    (void)state;
    entry(before, sizeof before, "10", "resqlite", 100, "[100,100,100]",
          ",\"memory\":{\"rss_kib\":[1000,1010,1000],\"heap_kib\":[100,100,100],\"allocations\":[1,1,1],"
          "\"wal_kib\":[0,0,0]}");
    entry(after, sizeof after, "10", "resqlite", 100, "[100,100,100]",
          ",\"memory\":{\"rss_kib\":[3000,3010,3000],\"heap_kib\":[50,50,50],\"allocations\":[2,2,2],"
          "\"wal_kib\":[10,10,10]}");
    compare(before, after, &t, out, sizeof out);
    assert_int_equal(t.times[BENCH_NEUTRAL], 1);
    assert_int_equal(t.memory[BENCH_STABLE_REGRESSION], 2); /* resident, allocations */
    assert_int_equal(t.memory[BENCH_STABLE_WIN], 1);
    assert_int_equal(t.memory[BENCH_NEUTRAL], 1); /* ten KiB of log are below the floor */
    assert_true(bench_totals_worse(&t));
    assert_non_null(strstr(out, "resident KiB"));
}

static void another_machine_is_told(void **state)
{
    char before[1024] = HEADER;
    char after[1024] = "{\"header\":{\"cores\":8,\"cpu\":\"two\",\"sqlite\":\"3.54.1\"}}\n";
    char line[512];
    char out[4096];
    bench_totals t;

    (void)state;
    entry(line, sizeof line, "10", "resqlite", 100, "[100,100,100]", "");
    strcat(before, line);
    strcat(after, line);
    compare(before, after, &t, out, sizeof out);
    assert_true(t.other_machine);
    assert_non_null(strstr(out, "WARNING: another processor: two, was one"));
    assert_non_null(strstr(out, "WARNING: 8 cores, were 2"));
    assert_non_null(strstr(out, "WARNING: the two runs are not of one machine"));
}

/* The document of a labelled run, and the lines of --json. */
static void both_forms_are_read(void **state)
{
    char line[512];
    char document[2048];
    bench_set s;

    (void)state;
    entry(line, sizeof line, "10", "resqlite", 100, "[]",
          ",\"goals\":[{\"area\":\"reads\",\"to\":\"raw\",\"excess\":2.5,\"low\":2,\"high\":3,\"max\":4}]");
    snprintf(document, sizeof document, "{\"header\":{\"label\":\"x\"},\n\"cases\":[\n%s]}", line);
    parse(&s, document);
    assert_int_equal(s.n, 1);
    assert_string_equal(s.header.label, "x");
    assert_int_equal(s.entries[0].ngoals, 1);
    assert_near(s.entries[0].goals[0].figure, 2.5, 0);
    bench_set_free(&s);

    snprintf(document, sizeof document, "\n" HEADER "\n%s\n\n", line);
    parse(&s, document);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.header.cores, 2);
    assert_non_null(bench_set_find(&s, "rows", "10", "resqlite"));
    assert_null(bench_set_find(&s, "rows", "10", "raw"));
    bench_set_free(&s);
}

static void refuse(const char *text)
{
    bench_set s;

    if (bench_set_parse(&s, "by hand", text, strlen(text)))
        fail_msg("accepted: %s", text);
    bench_set_free(&s);
}

static void malformed_files_are_refused(void **state)
{
    char good[512];
    char twice[1024];

    (void)state;
    entry(good, sizeof good, "10", "resqlite", 100, "[100,101]", "");
    snprintf(twice, sizeof twice, "%s%s", good, good);
    refuse("");
    refuse("   \n");
    refuse(HEADER);
    refuse("not JSON");
    refuse("{\"header\":{}");
    refuse("[1,2,3]");
    refuse("{\"workload\":\"rows\"}");
    refuse(twice);
    good[strlen(good) - 3] = '\0';
    refuse(good);
    entry(good, sizeof good, "10", "resqlite", -1, "[]", "");
    refuse(good);
    entry(good, sizeof good, "10", "", 1, "[]", "");
    refuse(good);
    entry(good, sizeof good, "10", "resqlite", 1, "[\"fast\"]", "");
    refuse(good);
    entry(good, sizeof good, "10", "resqlite", 1, "7", "");
    refuse(good);
    entry(good, sizeof good, "10", "resqlite", 1, "[]", ",\"quantiles\":[1,2]");
    refuse(good);
    entry(good, sizeof good, "10", "resqlite", 1, "[]", ",\"goals\":[{\"area\":\"reads\"}]");
    refuse(good);
}

/* Every cut of a good file is either refused or read as far as it goes, and never read beyond. */
static void cut_files_do_no_harm(void **state)
{
    char text[1024] = HEADER;
    char line[512];
    size_t whole;

    (void)state;
    entry(line, sizeof line, "10", "resqlite", 100, "[100,101]", "");
    strcat(text, line);
    whole = strlen(text);
    for (size_t len = 0; len < whole - 2; len++) {
        char *part = malloc(len + 1);
        bench_set s;

        assert_non_null(part);
        memcpy(part, text, len);
        assert_false(bench_set_parse(&s, "cut", part, len));
        bench_set_free(&s);
        free(part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_count_from_a_tenth),
        cmocka_unit_test(changes_below_the_floor_are_none),
        cmocka_unit_test(a_wide_spread_needs_a_larger_change),
        cmocka_unit_test(a_change_is_noisy_if_a_run_was),
        cmocka_unit_test(something_out_of_nothing_is_a_regression),
        cmocka_unit_test(the_detectable_effect_follows_from_the_spread),
        cmocka_unit_test(texts_are_compared),
        cmocka_unit_test(a_case_that_is_gone_stops_a_gate),
        cmocka_unit_test(the_baseline_is_no_regression),
        cmocka_unit_test(memory_is_judged_as_well),
        cmocka_unit_test(another_machine_is_told),
        cmocka_unit_test(both_forms_are_read),
        cmocka_unit_test(malformed_files_are_refused),
        cmocka_unit_test(cut_files_do_no_harm),
    };

    return cmocka_run_group_tests_name("bench compare", tests, NULL, NULL);
}
