/*
 * The audit of a point query: the parts of a read by primary key of 1,000 rows,
 * by the library's counters and, without those, in instructions.
 *
 * The counters need readings of the clock, which a short read feels: so the time
 * of a query is printed with and without.
 */
#include <stdlib.h>

#include "audit.h"
#include "callgrind.h"
#include "cells.h"
#include "items.h"

#define ROWS 1000
#define OPS_COUNTED 2000 /* under callgrind */

/* A burst of queries. */
#define QUERIES 5000

/* By the clock. */
typedef enum part { PART_PREPARE, PART_STEP, PART_BUILD, PART_REST, PARTS } part;

static const char *const part_names[PARTS] = {
    [PART_PREPARE] = "prepare and bind",
    [PART_STEP] = "SQLite step",
    [PART_BUILD] = "build",
    [PART_REST] = "call, lease, reset, free",
};

typedef struct findings {
    audit_band ns[PARTS];
    audit_band with, without; /* all of it, with the counters and without */
} findings;

static bool query_all(rsq_db *db, uint64_t *sum)
{
    for (unsigned i = 0; i < QUERIES; i++) {
        rsq_value key = rsq_integer(1 + i % ROWS);
        rsq_result *r;
        rsq_error err;

        if (rsq_select(db, ITEMS_SQL_KEY, &key, 1, NULL, &r, &err) != RSQ_OK)
            return audit_fail("select: %s", err.message);
        *sum = cells_visit(r, *sum);
        rsq_result_unref(r);
    }
    return true;
}

/* Nanoseconds of a query. */
static bool time_all(const audit *a, rsq_db *db, bool counts, double *ns)
{
    int64_t took_ns = 0;
    uint64_t sum = 0;
    bool ok = true;

    (void)rsq_profile_enable(counts);
    for (unsigned i = 0; i < a->effort.bursts && ok; i++) {
        int64_t started = bench_now_ns();

        ok = query_all(db, &sum);
        took_ns += bench_now_ns() - started;
    }
    *ns = (double)took_ns / ((double)a->effort.bursts * QUERIES);
    return ok && (sum > 0 || audit_fail("the rows are empty"));
}

static bool run_pass(const audit *a, rsq_db *db, unsigned pass, findings *f)
{
    rsq_profile_counters c = {.size = sizeof c};
    double queries = (double)a->effort.bursts * QUERIES;
    bool ok = time_all(a, db, false, &f->without.of[pass]);

    rsq_profile_reset();
    ok = ok && time_all(a, db, true, &f->with.of[pass]);
    (void)rsq_profile(&c);
    if (ok && c.parked_total > 0)
        ok = audit_fail("callers were parked for a reader");
    if (ok && c.reader_step.count != (uint64_t)queries)
        ok = audit_fail("%llu reads were counted, and not %.0f", (unsigned long long)c.reader_step.count,
                        queries);
    f->ns[PART_PREPARE].of[pass] = (double)c.reader_prepare.total_ns / queries;
    f->ns[PART_STEP].of[pass] = (double)c.reader_step.total_ns / queries;
    f->ns[PART_BUILD].of[pass] = (double)c.reader_build.total_ns / queries;
    f->ns[PART_REST].of[pass] = f->with.of[pass] - f->ns[PART_PREPARE].of[pass] - f->ns[PART_STEP].of[pass] -
                                f->ns[PART_BUILD].of[pass];
    return ok;
}

static void print_line(const audit *a, const audit_band *b, const char *name)
{
    char text[AUDIT_BAND_TEXT];

    audit_band_text(a, b, text);
    printf("  %-32s %18s\n", name, text);
    audit_json(a, "reader", "point", name, "ns/query", b);
}

static bool measure(audit *a, rsq_db *db)
{
    findings f;

    for (unsigned pass = 0; pass < a->effort.passes; pass++) {
        if (!run_pass(a, db, pass, &f))
            return false;
    }
    printf("\n%u passes of %u point queries; bands are the lowest and the highest pass\n\nns per query\n",
           a->effort.passes, a->effort.bursts * QUERIES);
    for (size_t i = 0; i < PARTS; i++)
        print_line(a, &f.ns[i], part_names[i]);
    print_line(a, &f.with, "all, with the counters");
    print_line(a, &f.without, "all, counters off");
    return true;
}

/* --- instructions --- */

enum { E_LEASE, E_RELEASE, E_PREPARE, E_BIND, E_STEP, E_COLLECT, E_STEP_INSIDE, E_RESET, E_FREE, ENTRIES };

static void print_count(const audit *a, const char *name, double count)
{
    audit_band b;

    for (unsigned i = 0; i < a->effort.passes; i++)
        b.of[i] = count;
    printf("  %-32s %18.0f\n", name, count);
    audit_json(a, "reader", "point", name, "instructions/query", &b);
}

static bool count_instructions(audit *a)
{
    callgrind_entry e[ENTRIES] = {
        [E_LEASE] = {.function = "rsq_core_lease_alone"},
        [E_RELEASE] = {.function = "rsq_core_release"},
        [E_PREPARE] = {.function = "rsq_conn_prepare"},
        [E_BIND] = {.function = "rsq_stmt_bind_request"},
        [E_STEP] = {.function = "sqlite3_step"},
        [E_COLLECT] = {.function = "rsq_rows_collect"},
        [E_STEP_INSIDE] = {.function = "sqlite3_step", .inside = "rsq_rows_take"},
        [E_RESET] = {.function = "sqlite3_reset"},
        [E_FREE] = {.function = "rsq_result_unref"},
    };
    double n[ENTRIES], all, known = 0;
    uint64_t total;

    if (!callgrind_is_there()) {
        printf("\ninstructions: not counted, there is no valgrind\n");
        return true;
    }
    if (!callgrind_run(a->tables.place.dir, "point/key", "resqlite", OPS_COUNTED, e, ENTRIES, &total)) {
        printf("\ninstructions: not counted, callgrind does not run this program\n");
        return true;
    }
    for (size_t i = 0; i < ENTRIES; i++)
        n[i] = (double)e[i].instructions / OPS_COUNTED;
    all = (double)total / OPS_COUNTED;
    known = n[E_LEASE] + n[E_RELEASE] + n[E_PREPARE] + n[E_BIND] + n[E_STEP] + n[E_COLLECT] -
            n[E_STEP_INSIDE] + n[E_RESET] + n[E_FREE];
    printf("\ninstructions per query, counters off\n");
    print_count(a, "lease", n[E_LEASE] + n[E_RELEASE]);
    print_count(a, "prepare and bind", n[E_PREPARE] + n[E_BIND]);
    print_count(a, "SQLite step", n[E_STEP]);
    print_count(a, "build", n[E_COLLECT] - n[E_STEP_INSIDE]);
    print_count(a, "reset, free", n[E_RESET] + n[E_FREE]);
    print_count(a, "call, and the visit of the cells", all - known);
    print_count(a, "all", all);
    return n[E_STEP] > 0 || audit_fail("callgrind's file was not understood");
}

bool audit_reader(audit *a)
{
    rsq_open_options opts = RSQ_OPEN_OPTIONS_INIT;
    bench_case table = {.workload = "audit", .name = "reader", .size = ROWS};
    bench_peer peer = {.name = "resqlite"};
    bench_ctx at = {.of = &table, .peer = &peer};
    rsq_db *db = NULL;
    rsq_error err;
    bool ok;

    bench_place_database(&a->tables.place, 0, at.path);
    ok = items_make(&at, ROWS);
    if (ok && rsq_open(at.path, &opts, &db, &err) != RSQ_OK)
        ok = audit_fail("open: %s", err.message);
    ok = ok && measure(a, db);
    rsq_close(db);
    bench_place_remove(at.path);
    return ok && count_instructions(a);
}
