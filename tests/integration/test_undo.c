/*
 * What is undone when memory runs out: a failed allocation anywhere inside a write, in the undoing of a
 * failed one too, must leave what the codes of the calls say, and never a half of something.
 *
 * The allocations of the test's main thread are counted while a case is armed, and the n-th one fails (or
 * n-th and the ones after it, since a process that is out of memory rarely misses just one), for n = 1, 2, …
 * until no n is left. The library is linked statically here, for two reasons: the linker can then put the
 * counting in front of malloc() for the library and for the bundled SQLite, whatever sanitizer stands behind
 * it; and SQLite's own pool of small blocks can be turned off, which otherwise serves most of what is asked
 * of it. (A SQLite of the system is a shared library that the linker does not reach: then only this library's
 * own allocations fail.) Blocking calls run on the thread that calls, so the counts are the same in each run.
 */
#include "fixture.h"

#include <sqlite3.h>

#include <inttypes.h>
#include <limits.h>

/* ------------------------------------------------------------------- the fault -- */

typedef struct fault {
    bool armed;
    size_t seen;  /* allocations since it was armed */
    size_t first; /* of them, the first that fails, */
    size_t count; /* and how many do */
} fault;

static _Thread_local fault the_fault;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static bool strikes(void)
{
    fault *t = &the_fault;

    if (!t->armed)
        return false;
    t->seen++;
    return t->seen >= t->first && t->seen - t->first < t->count;
}

void *__wrap_malloc(size_t size)
{
    return strikes() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return strikes() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return strikes() ? NULL : __real_realloc(p, size);
}

static void arm(size_t first, size_t count)
{
    the_fault = (fault){.armed = true, .first = first, .count = count};
}

/* Whether an allocation failed. */
static bool disarm(void)
{
    the_fault.armed = false;
    return the_fault.seen >= the_fault.first;
}

/* How many allocations fail from the n-th on. */
static const size_t lengths[] = {1, 2, 5, 20, SIZE_MAX};

/* Far more than any case has: a case that goes on for ever is a failure. */
#define MOST 20000

/* ------------------------------------------------------------- parts of a write -- */

/*
 * A case is a transaction of parts. Each part writes rows of its own, numbered by it, and what holds at the
 * end is simple: the rows of a part are there, all of them, if it said RSQ_OK and everything around it did;
 * else none is.
 */
typedef enum part_kind {
    PART_ROW,       /* one row */
    PART_ROWS,      /* three rows */
    PART_RETURNING, /* three rows, with RETURNING */
    PART_TOO_BIG,   /* three rows, with RETURNING and no room for it: always fails */
    PART_TWICE,     /* three rows, of which the last is there already: always fails */
    PART_BATCH,     /* three rows, one by one */
    PART_BATCH_TWICE,
    PART_TEMP,    /* no row, but a temporary table, which no other transaction may see */
    PART_NEST,    /* a nested transaction of the parts up to PART_END, which succeeds */
    PART_NEST_NO, /* the same, and it fails */
    PART_END,
    PART_STOP
} part_kind;

#define PARTS_MAX 16

typedef struct write_case {
    const char *name;
    bool alone; /* without a transaction around: its first part only */
    part_kind parts[PARTS_MAX];
} write_case;

typedef struct run {
    fixture *f;
    const write_case *c;
    size_t at;
    size_t round; /* makes the text of each statement new, so that it is compiled */
    rsq_code codes[PARTS_MAX];
    rsq_code whole;
} run;

#define THREE_ROWS "INSERT INTO t VALUES (?1, 10 * ?1), (?1, 10 * ?1 + 1), (?1, 10 * ?1 + 2)"

static const char *const part_sql[] = {
    [PART_ROW] = "INSERT INTO t VALUES (?1, 10 * ?1)",
    [PART_ROWS] = THREE_ROWS,
    [PART_RETURNING] = THREE_ROWS " RETURNING v, 'v' || v AS w",
    [PART_TOO_BIG] = THREE_ROWS " RETURNING v, zeroblob(400)",
    [PART_TWICE] = "INSERT INTO t VALUES (?1, 10 * ?1), (?1, 10 * ?1 + 1), (?1, 10 * ?1)",
    [PART_BATCH] = "INSERT INTO t VALUES (?, ?)",
    [PART_BATCH_TWICE] = "INSERT INTO t VALUES (?, ?)",
    [PART_TEMP] = "CREATE TEMP TABLE made AS SELECT ?1 AS a",
};

/* The rows that a part has when it went well. */
static const int part_rows[] = {
    [PART_ROW] = 1, [PART_ROWS] = 3, [PART_RETURNING] = 3, [PART_BATCH] = 3, [PART_STOP] = 0,
};

static rsq_code run_batch(run *r, rsq_tx *tx, const char *sql, size_t i)
{
    int64_t part = (int64_t)i, last = r->c->parts[i] == PART_BATCH ? 2 : 0;
    const rsq_value rows[] = {rsq_integer(part), rsq_integer(10 * part),     /* */
                              rsq_integer(part), rsq_integer(10 * part + 1), /* */
                              rsq_integer(part), rsq_integer(10 * part + last)};
    rsq_result *result = NULL;
    rsq_code code;

    if (tx)
        code = rsq_tx_execute_batch(tx, sql, rows, 3, 2, NULL, &result, NULL);
    else
        code = rsq_execute_batch(r->f->db, sql, rows, 3, 2, NULL, &result, NULL);
    rsq_result_unref(result);
    return code;
}

/* `tx` NULL: alone. */
static rsq_code run_part(run *r, rsq_tx *tx, size_t i)
{
    part_kind kind = r->c->parts[i];
    rsq_call_options opts = RSQ_CALL_OPTIONS_INIT;
    rsq_value part = rsq_integer((int64_t)i);
    rsq_result *result = NULL;
    char sql[256];
    rsq_code code;

    snprintf(sql, sizeof sql, "%s -- %zu", part_sql[kind], r->round);
    opts.max_result_bytes = kind == PART_TOO_BIG ? 500 : 0;
    if (kind == PART_BATCH || kind == PART_BATCH_TWICE)
        return run_batch(r, tx, sql, i);
    if (tx)
        code = rsq_tx_execute(tx, sql, &part, 1, &opts, &result, NULL);
    else
        code = rsq_execute(r->f->db, sql, &part, 1, &opts, &result, NULL);
    rsq_result_unref(result);
    return code;
}

/* The index of the PART_END that belongs to the nested transaction at `i`. */
static size_t end_of(const write_case *c, size_t i)
{
    size_t depth = 0;

    for (;; i++) {
        depth += c->parts[i] == PART_NEST || c->parts[i] == PART_NEST_NO;
        depth -= c->parts[i] == PART_END;
        if (depth == 0)
            return i;
    }
}

static rsq_code body(rsq_tx *tx, void *ctx);

/* Ends with a code of its own, however well its parts went. */
static rsq_code body_no(rsq_tx *tx, void *ctx)
{
    rsq_code code = body(tx, ctx);

    return code == RSQ_OK ? RSQ_ECANCELLED : code;
}

/* Runs the parts of one level; failures are forgiven, which is the worst that a caller can do. */
static rsq_code body(rsq_tx *tx, void *ctx)
{
    run *r = ctx;

    for (;;) {
        size_t i = r->at;
        part_kind kind = r->c->parts[i];

        if (kind == PART_STOP || kind == PART_END)
            return RSQ_OK;
        r->at = i + 1;
        if (kind == PART_NEST || kind == PART_NEST_NO) {
            r->codes[i] = rsq_tx_transaction(tx, kind == PART_NEST ? body : body_no, r, NULL);
            r->at = end_of(r->c, i) + 1;
        } else {
            r->codes[i] = run_part(r, tx, i);
        }
    }
}

/* ------------------------------------------------------------------ what must hold -- */

/* The rows that the codes promise, as the table's query writes them: "part|rows", one line each. */
static void promised(const run *r, char *out, size_t size)
{
    size_t unsaid = r->whole == RSQ_OK ? 0 : SIZE_MAX; /* up to there nothing counts */
    size_t len = 0;

    out[0] = 0;
    for (size_t i = 0; r->c->parts[i] != PART_STOP; i++) {
        part_kind kind = r->c->parts[i];

        if (kind == PART_END || i < unsaid)
            continue;
        if (kind == PART_NEST || kind == PART_NEST_NO) {
            if (r->codes[i] != RSQ_OK)
                unsaid = end_of(r->c, i);
        } else if (r->codes[i] == RSQ_OK && part_rows[kind] > 0) {
            len += (size_t)snprintf(out + len, size - len, "%s%zu|%d", len ? "\n" : "", i, part_rows[kind]);
        }
    }
}

#define ROWS_OF_PARTS "SELECT part, count(*) FROM t GROUP BY part ORDER BY part"

static void print_codes(const run *r, size_t first, size_t count)
{
    print_error("%s, from allocation %zu on %zu fail: whole %s;", r->c->name, first, count,
                rsq_code_name(r->whole));
    for (size_t i = 0; r->c->parts[i] != PART_STOP; i++) {
        if (r->c->parts[i] != PART_END)
            print_error(" %zu %s", i, rsq_code_name(r->codes[i]));
    }
    print_error("\n");
}

/* Without a fault each part does what its kind says. */
static void check_codes(const run *r)
{
    WANT_CODE(r->c->alone ? r->codes[0] : RSQ_OK, r->whole);
    for (size_t i = 0; r->c->parts[i] != PART_STOP; i++) {
        static const rsq_code codes[] = {
            [PART_TOO_BIG] = RSQ_ETOOBIG,    [PART_TWICE] = RSQ_ESQL, [PART_BATCH_TWICE] = RSQ_ESQL,
            [PART_NEST_NO] = RSQ_ECANCELLED, [PART_STOP] = RSQ_OK,
        };

        if (r->c->parts[i] != PART_END)
            WANT_CODE(codes[r->c->parts[i]], r->codes[i]);
    }
}

/* Everything but the table's rows is gone already: what temporary objects there are is counted. */
static rsq_code delete_all(rsq_tx *tx, void *ctx)
{
    int64_t *temporary = ctx;
    rsq_result *r = NULL;
    rsq_code code = rsq_tx_execute(tx, "DELETE FROM t", NULL, 0, NULL, NULL, NULL);

    if (code == RSQ_OK)
        code = rsq_tx_select(tx, "SELECT count(*) FROM sqlite_temp_schema", NULL, 0, NULL, &r, NULL);
    if (code == RSQ_OK)
        *temporary = rsq_result_int64(r, 0, 0);
    rsq_result_unref(r);
    return code;
}

/* The table holds what was promised, the live query says so too, and the database goes on working. */
static void check_table(const run *r, probe *p, size_t first, size_t count)
{
    fixture *f = r->f;
    rsq_result *rows = NULL;
    int64_t temporary = -1;
    char want[256];
    char *got;

    promised(r, want, sizeof want);
    WANT(f, RSQ_OK, rsq_select(f->db, ROWS_OF_PARTS, NULL, 0, NULL, &rows, &f->err));
    got = fixture_dump(rows);
    rsq_result_unref(rows);
    if (strcmp(got, want) != 0) {
        print_codes(r, first, count);
        print_error("got\n%s\nexpected\n%s\n", got, want);
        free(got);
        fail();
    }
    free(got);
    if (want[0])
        EXPECT_REACHES(p, want);
    WANT(f, RSQ_OK, rsq_transaction(f->db, delete_all, &temporary, NULL, &f->err));
    if (temporary != 0)
        print_codes(r, first, count);
    assert_int_equal(temporary, 0);
    if (want[0])
        EXPECT_REACHES(p, "");
}

static void run_case(fixture *f, probe *p, const write_case *c, size_t count)
{
    static size_t round;
    bool struck = true;

    for (size_t n = 1; struck; n++) {
        run r = {.f = f, .c = c, .round = ++round};

        assert_true(n < MOST);
        for (size_t i = 0; i < PARTS_MAX; i++)
            r.codes[i] = RSQ_EPENDING;
        arm(n, count);
        if (c->alone)
            r.whole = r.codes[0] = run_part(&r, NULL, 0);
        else
            r.whole = rsq_transaction(f->db, body, &r, NULL, NULL);
        struck = disarm();
        if (!struck)
            check_codes(&r);
        check_table(&r, p, n, count);
    }
}

static void run_cases(fixture *f, const write_case *cases, size_t n)
{
    probe *p;

    EXEC(f, "CREATE TABLE t(part INTEGER, v INTEGER UNIQUE)");
    p = WATCH(f, ROWS_OF_PARTS);
    EXPECT_EVENT(p, "");
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < LENGTH(lengths); k++)
            run_case(f, p, &cases[i], lengths[k]);
    }
    EXPECT_ROWS(f, "PRAGMA integrity_check", "'ok'");
}

/* On a file, where a connection in doubt is replaced, and in memory, where there is but the one. */
static void run_in_each_place(fixture *f, const write_case *cases, size_t n)
{
    fixture_open(f, NULL);
    run_cases(f, cases, n);
    fixture_close(f);
    while (!f->probes->ends)
        probe_await(f->probes, __FILE__, __LINE__);
    f->db = fixture_open_path(f, ":memory:", NULL);
    run_cases(f, cases, n);
}

/* ------------------------------------------------------------------- the cases -- */

/* "On any failure nothing is changed", for a call by itself. */
static void single_writes(void **state)
{
    static const write_case cases[] = {
        {"one row", true, {PART_ROW, PART_STOP}},
        {"RETURNING", true, {PART_RETURNING, PART_STOP}},
        {"RETURNING too much", true, {PART_TOO_BIG, PART_STOP}},
        {"a constraint", true, {PART_TWICE, PART_STOP}},
        {"a batch", true, {PART_BATCH, PART_STOP}},
        {"a batch and a constraint", true, {PART_BATCH_TWICE, PART_STOP}},
    };

    run_in_each_place(*state, cases, LENGTH(cases));
}

/* A nested transaction that fails is gone from what the outer one commits, also when undoing it fails. */
static void nested_transactions(void **state)
{
    static const write_case cases[] = {
        {"nested, fails", false, {PART_ROW, PART_NEST_NO, PART_ROW, PART_ROW, PART_END, PART_ROW, PART_STOP}},
        {"nested, goes well",
         false,
         {PART_ROW, PART_NEST, PART_ROW, PART_ROW, PART_END, PART_ROW, PART_STOP}},
        {"two deep",
         false,
         {PART_NEST, PART_ROW, PART_NEST_NO, PART_ROWS, PART_END, PART_NEST, PART_ROW, PART_END, PART_ROW,
          PART_END, PART_STOP}},
    };

    run_in_each_place(*state, cases, LENGTH(cases));
}

/* A statement or a batch that fails in a transaction is undone alone, or the transaction is over. */
static void parts_of_a_transaction(void **state)
{
    static const write_case cases[] = {
        {"a batch that fails", false, {PART_ROW, PART_BATCH_TWICE, PART_ROW, PART_STOP}},
        {"a batch", false, {PART_ROW, PART_BATCH, PART_ROW, PART_STOP}},
        {"a batch in a nested one", false, {PART_NEST, PART_BATCH_TWICE, PART_ROW, PART_END, PART_STOP}},
        {"RETURNING", false, {PART_ROW, PART_RETURNING, PART_STOP}},
        {"RETURNING too much", false, {PART_ROW, PART_TOO_BIG, PART_ROW, PART_STOP}},
        {"a constraint", false, {PART_ROWS, PART_TWICE, PART_ROWS, PART_STOP}},
    };

    run_in_each_place(*state, cases, LENGTH(cases));
}

/* Temporary objects are gone with their transaction, or it does not commit. (In memory they would stay.) */
static void temporary_objects(void **state)
{
    static const write_case cases[] = {
        {"temporary", false, {PART_ROW, PART_TEMP, PART_ROW, PART_STOP}},
        {"temporary, nested", false, {PART_NEST, PART_TEMP, PART_ROW, PART_END, PART_ROW, PART_STOP}},
        {"temporary, nested, fails",
         false,
         {PART_NEST_NO, PART_TEMP, PART_ROW, PART_END, PART_ROW, PART_STOP}},
    };

    fixture_open(*state, NULL);
    run_cases(*state, cases, LENGTH(cases));
}

/* ------------------------------------------------------- several statements, calls in between -- */

/* What a way of writing parts 0, 1 and 2 promises: bit n, the rows of part n. 0: it failed. */
typedef unsigned (*write_fn)(fixture *f, size_t round, bool *went_well);

static rsq_code tx_rows(rsq_tx *tx, int64_t part, size_t round)
{
    rsq_value v = rsq_integer(part);
    char sql[256];

    snprintf(sql, sizeof sql, THREE_ROWS " -- %zu", round);
    return rsq_tx_execute(tx, sql, &v, 1, NULL, NULL, NULL);
}

/* Part 0; part 1 in a savepoint that is kept; part 2 in one that is undone. */
static unsigned write_interactively(fixture *f, size_t round, bool *went_well)
{
    rsq_tx *tx = NULL;
    unsigned kept = 0;
    rsq_code code;

    *went_well = false;
    if (rsq_begin(f->db, NULL, &tx, NULL) != RSQ_OK) {
        assert_null(tx);
        return 0;
    }
    if (tx_rows(tx, 0, round) == RSQ_OK)
        kept |= 1;
    if (rsq_tx_savepoint(tx, NULL) == RSQ_OK) {
        code = tx_rows(tx, 1, round);
        if (rsq_tx_release(tx, NULL) == RSQ_OK && code == RSQ_OK)
            kept |= 2;
    }
    if (rsq_tx_savepoint(tx, NULL) == RSQ_OK) {
        (void)tx_rows(tx, 2, round);
        (void)rsq_tx_rollback_to(tx, NULL);
    }
    *went_well = kept == 3;
    if (rsq_commit(tx, NULL) == RSQ_OK)
        return kept;
    *went_well = false;
    return 0;
}

static unsigned write_all(fixture *f, size_t round, bool *went_well)
{
    const rsq_value parts[] = {rsq_integer(0), rsq_integer(1), rsq_integer(2)};
    rsq_result *results[3] = {NULL, NULL, NULL};
    rsq_query all[3];
    char sql[2][256];

    snprintf(sql[0], sizeof sql[0], THREE_ROWS " -- %zu", round);
    snprintf(sql[1], sizeof sql[1], THREE_ROWS " RETURNING v -- %zu", round);
    for (size_t i = 0; i < LENGTH(all); i++)
        all[i] = (rsq_query){.sql = sql[i % 2], .params = &parts[i], .nparams = 1};
    *went_well = rsq_execute_all(f->db, all, LENGTH(all), NULL, results, NULL) == RSQ_OK;
    for (size_t i = 0; i < LENGTH(all); i++) {
        if (!*went_well)
            assert_null(results[i]);
        rsq_result_unref(results[i]);
    }
    return *went_well ? 7 : 0;
}

static unsigned write_script(fixture *f, size_t round, bool *went_well)
{
    (void)round; /* it is compiled each time */
    *went_well =
        rsq_execute_script(f->db,
                           "INSERT INTO t VALUES (0, 0), (0, 1), (0, 2);"
                           "CREATE TABLE part AS SELECT 1 AS n;"
                           "INSERT INTO t SELECT n, 10 * n + value FROM part, json_each('[0,1,2]');"
                           "INSERT INTO t VALUES (2, 20), (2, 21), (2, 22) RETURNING v; DROP TABLE part",
                           NULL, NULL) == RSQ_OK;
    return *went_well ? 7 : 0;
}

/* The rows are those that the codes promised, and the next transaction begins cleanly. */
static void check_parts(fixture *f, unsigned kept, size_t first, size_t count)
{
    static const char *const rows[] = {"", "0|3", "1|3", "0|3\n1|3", "", "", "", "0|3\n1|3\n2|3"};
    rsq_result *r = NULL;
    int64_t temporary = -1;
    char *got;

    WANT(f, RSQ_OK, rsq_select(f->db, ROWS_OF_PARTS, NULL, 0, NULL, &r, &f->err));
    got = fixture_dump(r);
    rsq_result_unref(r);
    if (strcmp(got, rows[kept]) != 0)
        print_error("from allocation %zu on %zu fail\n", first, count);
    assert_string_equal(got, rows[kept]);
    free(got);
    WANT(f, RSQ_OK, rsq_transaction(f->db, delete_all, &temporary, NULL, &f->err));
    assert_int_equal(temporary, 0);
}

static void run_writes(fixture *f, write_fn fn, size_t count)
{
    static size_t round;
    bool struck = true;

    for (size_t n = 1; struck; n++) {
        bool went_well;
        unsigned kept;

        assert_true(n < MOST);
        arm(n, count);
        kept = fn(f, ++round, &went_well);
        struck = disarm();
        assert_true(struck || went_well);
        check_parts(f, kept, n, count);
    }
}

/* An interactive transaction, several statements, and a script: as said by each code, on a file and in
 * memory. */
static void several_statements(void **state)
{
    static const write_fn fns[] = {write_interactively, write_all, write_script};
    fixture *f = *state;

    for (int place = 0; place < 2; place++) {
        if (place)
            fixture_close(f);
        f->db = fixture_open_path(f, place ? ":memory:" : f->path, NULL);
        EXEC(f, "CREATE TABLE t(part INTEGER, v INTEGER)");
        for (size_t i = 0; i < LENGTH(fns); i++) {
            for (size_t k = 0; k < LENGTH(lengths); k++)
                run_writes(f, fns[i], lengths[k]);
        }
        EXPECT_ROWS(f, "PRAGMA integrity_check", "'ok'");
    }
}

/* --------------------------------------------------------------- reads after a fault -- */

typedef rsq_code (*select_fn)(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                              const rsq_call_options *opts, rsq_result **out, rsq_error *err);

/* Three columns, of one row, after the third was added. */
static void expect_three(fixture *f, select_fn fn)
{
    rsq_result *r = NULL;

    WANT(f, RSQ_OK, fn(f->db, "SELECT * FROM wide", NULL, 0, NULL, &r, &f->err));
    if (fn == rsq_select_json) {
        assert_string_equal(rsq_result_json(r, NULL), "[{\"a\":1,\"b\":2,\"extra\":7}]");
    } else {
        assert_int_equal(rsq_result_columns(r), 3);
        assert_string_equal(rsq_result_column_name(r, 2), "extra");
        EXPECT_RESULT(r, "1|2|7");
    }
    rsq_result_unref(r);
}

static void read_after_alter(fixture *f, select_fn fn, size_t count)
{
    bool struck = true;

    for (size_t n = 1; struck; n++) {
        rsq_result *r = NULL;

        assert_true(n < MOST);
        WANT(f, RSQ_OK, fn(f->db, "SELECT * FROM wide", NULL, 0, NULL, &r, &f->err));
        rsq_result_unref(r);
        EXEC(f, "ALTER TABLE wide ADD COLUMN extra DEFAULT 7");
        arm(n, count);
        r = NULL;
        if (fn(f->db, "SELECT * FROM wide", NULL, 0, NULL, &r, NULL) != RSQ_OK)
            assert_null(r);
        struck = disarm();
        rsq_result_unref(r);
        expect_three(f, fn);
        expect_three(f, fn == rsq_select ? rsq_select_json : rsq_select);
        EXEC(f, "ALTER TABLE wide DROP COLUMN extra");
    }
}

/* A read that fails after ALTER TABLE leaves nothing half known of the statement: the next one has the
 * columns of the table as it is. One reader, so that it is the same statement. */
static void columns_after_alter(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = RSQ_OPEN_OPTIONS_INIT;

    opts.readers = 1;
    for (int place = 0; place < 2; place++) {
        if (place)
            fixture_close(f);
        f->db = fixture_open_path(f, place ? ":memory:" : f->path, &opts);
        EXEC(f, "CREATE TABLE wide(a, b)");
        EXEC(f, "INSERT INTO wide VALUES (1, 2)");
        for (size_t k = 0; k < LENGTH(lengths); k++) {
            read_after_alter(f, rsq_select, lengths[k]);
            read_after_alter(f, rsq_select_json, lengths[k]);
        }
    }
}

/* ---------------------------------------------------- what could not even be undone -- */

/* A temporary table makes SQLite compile its ROLLBACK anew, for which there may be no memory. */
static rsq_code make_and_fail(rsq_tx *tx, void *ctx)
{
    (void)rsq_tx_execute(tx, "CREATE TEMP TABLE made(a)", NULL, 0, NULL, NULL, NULL);
    (void)rsq_tx_execute(tx, "INSERT INTO t VALUES (0, 0)", NULL, 0, NULL, NULL, NULL);
    return *(rsq_code *)ctx;
}

static rsq_code insert_in_transaction(rsq_tx *tx, void *ctx)
{
    (void)ctx;
    return rsq_tx_execute(tx, "INSERT INTO t VALUES (1, 1)", NULL, 0, NULL, NULL, NULL);
}

/* Whether the n-th of the ways to insert a row that leave `t` with it said so. */
static bool insert(fixture *f, int way)
{
    static const rsq_query one = {.sql = "INSERT INTO t VALUES (1, 1)"};
    const rsq_value row[] = {rsq_integer(1), rsq_integer(1)};

    switch (way) {
    case 0:
        return rsq_execute(f->db, one.sql, NULL, 0, NULL, NULL, NULL) == RSQ_OK;
    case 1:
        return rsq_execute_batch(f->db, "INSERT INTO t VALUES (?, ?)", row, 1, 2, NULL, NULL, NULL) == RSQ_OK;
    case 2:
        return rsq_execute_script(f->db, one.sql, NULL, NULL) == RSQ_OK;
    case 3:
        return rsq_execute_all(f->db, &one, 1, NULL, NULL, NULL) == RSQ_OK;
    default:
        return rsq_transaction(f->db, insert_in_transaction, NULL, NULL, NULL) == RSQ_OK;
    }
}

#define WAYS 5

/* Nothing joins a transaction that is still open since there was no memory to roll it back: it would be told
 * that it is done, and go with it. */
static void nothing_joins_what_is_left(void **state)
{
    static const size_t counts[] = {5, 10};
    fixture *f = *state;
    rsq_code no = RSQ_ECANCELLED;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(part, v)");
    for (int way = 0; way < WAYS; way++) {
        for (size_t i = 0; i < LENGTH(counts); i++) {
            bool struck = true;

            for (size_t n = 1; struck; n++) {
                int64_t done = 0;

                /* What is cached needs least. */
                (void)insert(f, way);
                EXEC(f, "DELETE FROM t");
                arm(n, counts[i]);
                (void)rsq_transaction(f->db, make_and_fail, &no, NULL, NULL);
                struck = the_fault.seen >= n;
                for (int again = 0; again < 3; again++)
                    done += insert(f, way);
                (void)disarm();
                EXEC(f, "INSERT INTO t VALUES (2, 2)");
                assert_int_equal(INTEGER(f, "SELECT count(*) FROM t WHERE part = 1"), done);
                assert_int_equal(INTEGER(f, "SELECT count(*) FROM t WHERE part = 0"), 0);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(single_writes),
        CASE(nested_transactions),
        CASE(parts_of_a_transaction),
        CASE(several_statements),
        CASE(temporary_objects),
        CASE(columns_after_alter),
        CASE(nothing_joins_what_is_left),
    };

    if (sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) != SQLITE_OK)
        return 1;
    return cmocka_run_group_tests_name("undo", tests, NULL, NULL);
}
