/*
 * `rsq-bench ladder`; see docs/benchmarks.md. What is compared is in the tables
 * below, how it is timed in contest.c.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "ladder/jobs.h"
#include "peers/peers.h"
#include "peers/process.h"
#include "stats.h"
#include "tables.h"

typedef struct ladder {
    bench_tables tables;
    look_ups *look_ups; /* owned; NULL until first needed */
    inserts *inserts;   /* owned; likewise */
    bool failed;
} ladder;

/* Single look-ups and inserts of a round, as the seeds have them, and of a round that is only to see that it
 * works. */
enum { CALLS = 500, CALLS_HAND_OFF = 200, CALLS_QUICK = 16, ROUNDS = 10, ROUNDS_QUICK = 1 };

static contest new_contest(const ladder *l, unsigned calls, unsigned callers)
{
    contest c = {.callers = callers,
                 .rounds = l->tables.quick ? ROUNDS_QUICK : ROUNDS,
                 .calls = l->tables.quick ? CALLS_QUICK : calls};

    return c;
}

/* ------------------------------------------------------------------- printing -- */

static void print_head(void)
{
    printf("%-24s %-26s %9s %8s %8s %8s  %-23s %s\n", "case", "rung", "total ms", "median", "p95", "min",
           "request / work / reply", "their p95, us");
}

static void print_line(const contest *c, size_t i, const char *name)
{
    const contest_figures *f = &c->figures[i];

    printf("%-24s %-26s %9.3f %8.2f %8.2f %8.2f", name, c->of[i].name, f->total_ms, f->call.median,
           f->call.p95, f->call.min);
    if (c->of[i].phased)
        printf("  %6.2f %6.2f %6.2f    %6.2f %6.2f %6.2f", f->phases[PHASE_REQUEST].median,
               f->phases[PHASE_WORK].median, f->phases[PHASE_REPLY].median, f->phases[PHASE_REQUEST].p95,
               f->phases[PHASE_WORK].p95, f->phases[PHASE_REPLY].p95);
    printf("\n");
}

static void json_phases(const contest_figures *f, FILE *out)
{
    static const char *const words[PHASES] = {"request", "work", "reply"};

    for (int p = 0; p < PHASES; p++)
        fprintf(out, ",\"%s\":%.6g,\"%s_p95\":%.6g", words[p], f->phases[p].median, words[p],
                f->phases[p].p95);
}

static void json_line(const contest *c, size_t i, const char *name, FILE *out)
{
    const contest_figures *f = &c->figures[i];
    double first = c->figures[0].call.median;

    fprintf(out,
            "{\"workload\":\"ladder\",\"case\":\"%s\",\"peer\":\"%s\",\"unit\":\"us/call\",\"median\":%.6g,"
            "\"p90\":%.6g,\"p95\":%.6g,\"p99\":%.6g,\"min\":%.6g,\"mad\":%.6g,\"n\":%zu,\"total_ms\":%.6g,"
            "\"callers\":%u,\"ratio_to\":\"%s\",\"ratio\":%.6g",
            name, c->of[i].name, f->call.median, f->call.p90, f->call.p95, f->call.p99, f->call.min,
            f->call.mad, f->n, f->total_ms, c->callers, c->of[0].name,
            first > 0 ? f->call.median / first : 0);
    if (c->of[i].phased)
        json_phases(f, out);
    fprintf(out, "}\n");
}

static void report(const ladder *l, const contest *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++) {
        print_line(c, i, name);
        if (l->tables.json)
            json_line(c, i, name, l->tables.json);
    }
    fflush(stdout);
}

/* ------------------------------------------------------- rows from memory -- */

/* What one contestant does; ends with a rung of NULL. */
typedef struct entry {
    const rung *rung;
    transfer by;
} entry;

static void hand_off_case(ladder *l, const char *name, const entry *entries, rows_form form, size_t rows,
                          unsigned callers)
{
    contest c = new_contest(l, CALLS_HAND_OFF, callers);
    hand_off of[CONTEST_MAX] = {0};
    bool ok = true;

    if (!bench_tables_want(&l->tables, name))
        return;
    for (; entries[c.count].rung && ok; c.count++) {
        hand_off *h = &of[c.count];

        *h = (hand_off){.rung = entries[c.count].rung, .form = form, .rows = rows, .by = entries[c.count].by};
        ok = hand_off_open(h, callers, &c.of[c.count]);
    }
    ok = ok && contest_run(&c, name);
    for (size_t i = 0; i < c.count; i++)
        hand_off_close(&of[i]);
    if (ok)
        report(l, &c, name);
    l->failed = l->failed || !ok;
    contest_fini(&c);
}

/* Every rung, the answer handed over; the pool with a request from the heap as well. */
static void all_rungs(entry entries[CONTEST_MAX], bool with_closure)
{
    unsigned n = 0;

    for (; n < rungs_count; n++)
        entries[n] = (entry){rungs[n], TRANSFER_OWNER};
    if (with_closure)
        entries[n++] = (entry){rung_find("pool-futex"), TRANSFER_CLOSURE};
    entries[n] = (entry){NULL, TRANSFER_OWNER};
}

static const char *form_name(rows_form form)
{
    return form == ROWS_FLAT ? "flat" : "records";
}

static void hand_offs(ladder *l)
{
    static const size_t counts[] = {1, 10};
    entry entries[CONTEST_MAX];
    char name[64];

    all_rungs(entries, false);
    hand_off_case(l, "hand-off/nothing", entries, ROWS_FLAT, 0, 1);
    all_rungs(entries, true);
    for (size_t i = 0; i < BENCH_LENGTH(counts); i++) {
        for (rows_form form = ROWS_FLAT; form <= ROWS_RECORDS; form++) {
            snprintf(name, sizeof name, "hand-off/%s-%zu", form_name(form), counts[i]);
            hand_off_case(l, name, entries, form, counts[i], 1);
        }
    }
}

/* The pool with the answer given away, and copied; a thread of its own, likewise. */
static void transfers(ladder *l)
{
    static const size_t counts[] = {1, 10, 50, 1000};
    const entry entries[] = {{rung_find("pool-futex"), TRANSFER_OWNER},
                             {rung_find("pool-futex"), TRANSFER_COPY},
                             {rung_find("thread-per-query"), TRANSFER_OWNER},
                             {rung_find("thread-per-query"), TRANSFER_COPY},
                             {NULL, TRANSFER_OWNER}};
    char name[64];

    for (rows_form form = ROWS_FLAT; form <= ROWS_RECORDS; form++) {
        for (size_t i = 0; i < BENCH_LENGTH(counts); i++) {
            snprintf(name, sizeof name, "transfer/%s-%zu", form_name(form), counts[i]);
            hand_off_case(l, name, entries, form, counts[i], 1);
        }
    }
}

static void callers(ladder *l)
{
    entry entries[CONTEST_MAX];
    char name[64];

    all_rungs(entries, false);
    for (rows_form form = ROWS_FLAT; form <= ROWS_RECORDS; form++) {
        for (unsigned n = 1; n <= RUNG_CALLERS_MAX; n *= 2) {
            snprintf(name, sizeof name, "callers-%u/%s-1", n, form_name(form));
            hand_off_case(l, name, entries, form, 1, n);
        }
    }
}

/* --------------------------------------------------- where copying begins to lose -- */

enum { GIVEN, COPIED, ALONE, CROSSING };

/* Is the median of `peer` above that of `to`, beyond doubt? */
static bool is_above(const contest *c, size_t peer, size_t to, double *scratch)
{
    return bench_ratio_of(c->figures[peer].us, c->figures[to].us, c->figures[peer].n, scratch).low > 1;
}

static bool crossing_at(ladder *l, rows_form form, size_t rows, bool above[2])
{
    contest c = new_contest(l, CALLS_HAND_OFF / 2, 1);
    hand_off of[CROSSING] = {
        [GIVEN] = {.rung = rung_find("pool-futex"), .by = TRANSFER_OWNER, .form = form, .rows = rows},
        [COPIED] = {.rung = rung_find("pool-futex"), .by = TRANSFER_COPY, .form = form, .rows = rows},
        [ALONE] = {.rung = rung_find("thread-per-query"), .by = TRANSFER_OWNER, .form = form, .rows = rows}};
    double *scratch = malloc(2u * ROUNDS * CALLS_HAND_OFF * sizeof *scratch);
    bool ok = scratch != NULL;

    for (; c.count < CROSSING && ok; c.count++)
        ok = hand_off_open(&of[c.count], 1, &c.of[c.count]);
    ok = ok && contest_run(&c, "crossing");
    if (ok) {
        above[0] = is_above(&c, COPIED, GIVEN, scratch);
        above[1] = is_above(&c, COPIED, ALONE, scratch);
    }
    for (size_t i = 0; i < CROSSING; i++)
        hand_off_close(&of[i]);
    contest_fini(&c);
    free(scratch);
    return ok;
}

static void print_crossing(const ladder *l, rows_form form, const char *to, size_t rows)
{
    char from[48] = "at no count up to 1000";

    if (rows > 0)
        snprintf(from, sizeof from, "from %zu rows on", rows);
    printf("%s: copying through the pool loses to %s %s\n", form_name(form), to, from);
    if (l->tables.json)
        fprintf(l->tables.json,
                "{\"workload\":\"ladder\",\"case\":\"crossing/%s\",\"peer\":\"%s\",\"rows\":%zu}\n",
                form_name(form), to, rows);
}

/* The smallest number of rows at which, and at all larger ones, copying takes longer. */
static void crossings(ladder *l)
{
    static const size_t counts[] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};

    if (!bench_tables_want(&l->tables, "crossing"))
        return;
    printf("\n");
    for (rows_form form = ROWS_FLAT; form <= ROWS_RECORDS; form++) {
        size_t from[2] = {0, 0};

        for (size_t i = BENCH_LENGTH(counts); i-- > 0;) {
            bool above[2];

            if (!crossing_at(l, form, counts[i], above)) {
                l->failed = true;
                return;
            }
            for (int k = 0; k < 2; k++) {
                bool unbroken = i + 1 == BENCH_LENGTH(counts) || from[k] == counts[i + 1];

                if (above[k] && unbroken)
                    from[k] = counts[i];
            }
        }
        print_crossing(l, form, "handing over", from[0]);
        print_crossing(l, form, "a thread for each query", from[1]);
    }
}

/* ------------------------------------------------------- look-ups, inserts -- */

/* Those programs that have all jobs of a plan, and are here, as further contestants. */
static bool add_programs(ladder *l, const char *named, contest *c, by_program of[PROCESSES])
{
    static const int with_tables[] = {PROCESS_BETTER_SQLITE3, PROCESS_AIOSQLITE, PROCESS_SQLITECPP};
    bool ok = true;

    for (size_t i = 0; i < BENCH_LENGTH(with_tables) && ok; i++) {
        by_program *p = &of[i];

        if (!peers_is_here(with_tables[i]))
            continue;
        *p = (by_program){.plan = named, .which = with_tables[i]};
        ok = by_program_open(p, &l->tables.place, &c->of[c->count]);
        c->count += ok;
    }
    return ok;
}

static void close_programs(const ladder *l, by_program of[PROCESSES])
{
    for (size_t i = 0; i < PROCESSES; i++)
        by_program_close(&of[i], &l->tables.place);
}

static void look_up_case(ladder *l, const char *name, rows_form form, unsigned n)
{
    contest c = new_contest(l, CALLS, n);
    look_up of[CONTEST_MAX] = {0};
    by_program programs[PROCESSES] = {0};
    /* The queue has one thread that dispatches it. */
    int ways = n == 1 ? 3 : 2;
    bool ok = true;

    if (!bench_tables_want(&l->tables, name))
        return;
    if (!l->look_ups)
        l->look_ups = look_ups_open(&l->tables.place);
    ok = l->look_ups != NULL;
    for (unsigned i = 0; i < rungs_count && ok; i++) {
        of[c.count].rung = rungs[i];
        of[c.count].form = form;
        ok = look_up_open(&of[c.count], l->look_ups, n, &c.of[c.count]);
        c.count++;
    }
    for (int way = 0; way < ways && ok; way++) {
        of[c.count].way = way;
        ok = look_up_open(&of[c.count], l->look_ups, n, &c.of[c.count]);
        c.count++;
    }
    if (n == 1 && form == ROWS_FLAT)
        ok = ok && add_programs(l, "look-up-100", &c, programs);
    ok = ok && contest_run(&c, name);
    for (size_t i = 0; i < c.count; i++)
        look_up_close(&of[i]);
    close_programs(l, programs);
    if (ok)
        report(l, &c, name);
    l->failed = l->failed || !ok;
    contest_fini(&c);
}

static void look_up_cases(ladder *l)
{
    char name[64];

    for (rows_form form = ROWS_FLAT; form <= ROWS_RECORDS; form++) {
        for (unsigned n = 1; n <= RUNG_CALLERS_MAX; n *= 2) {
            snprintf(name, sizeof name, "look-up/%s-by-%u", form_name(form), n);
            look_up_case(l, name, form, n);
        }
    }
}

static bool inserts_agree(insert_by *of, const contest *c)
{
    uint64_t expected = 0;

    for (size_t i = 0; i < c->count; i++) {
        uint64_t hash;

        if (!insert_by_content(&of[i], &c->of[i], &hash))
            return false;
        if (i > 0 && hash != expected) {
            fprintf(stderr, "rsq-bench: ladder: %s inserts other rows than %s\n", c->of[i].name,
                    c->of[0].name);
            return false;
        }
        expected = hash;
    }
    return true;
}

static void insert_case(ladder *l)
{
    static const char name[] = "insert/each";
    contest c = new_contest(l, CALLS, 1);
    insert_by of[CONTEST_MAX] = {0};
    by_program programs[PROCESSES] = {0};
    bool ok;

    if (!bench_tables_want(&l->tables, name))
        return;
    l->inserts = inserts_open(&l->tables.place);
    ok = l->inserts != NULL;
    for (unsigned i = 0; i < rungs_count && ok; i++) {
        of[c.count].rung = rungs[i];
        ok = insert_by_open(&of[c.count], l->inserts, &c.of[c.count]);
        c.count++;
    }
    for (int way = 0; way <= INSERT_QUEUE && ok; way++) {
        of[c.count].way = way;
        ok = insert_by_open(&of[c.count], l->inserts, &c.of[c.count]);
        c.count++;
    }
    ok = ok && inserts_agree(of, &c) && add_programs(l, "insert", &c, programs) && contest_run(&c, name);
    for (size_t i = 0; i < c.count; i++)
        insert_by_close(&of[i]);
    close_programs(l, programs);
    if (ok)
        report(l, &c, name);
    l->failed = l->failed || !ok;
    contest_fini(&c);
}

int bench_ladder(const bench_options *o)
{
    ladder l = {.failed = false};

    bench_peers_look(); /* first, so that the header tells their versions */
    if (!bench_tables_begin(&l.tables, o))
        return BENCH_EXIT_USAGE;
    print_head();
    hand_offs(&l);
    transfers(&l);
    callers(&l);
    look_up_cases(&l);
    insert_case(&l);
    crossings(&l);
    look_ups_close(l.look_ups);
    inserts_close(l.inserts);
    return bench_tables_end(&l.tables, l.failed ? BENCH_EXIT_MISSED : BENCH_EXIT_OK);
}
