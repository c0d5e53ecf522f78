/*
 * Waiting awake changes nothing but time: with RSQ_OPEN_NO_SPIN the same calls have the same outcomes.
 *
 * Two databases get the same random mix of asynchronous reads and writes, blocking writes of several threads
 * and live queries, one with the switch. All wait on the default queues, which the switch is for as well.
 */
#include "async_fixture.h"

#define STEPS 250
#define BURST 12
#define THREADS 3
#define OWN 4 /* rows of a thread */

static const char *const queries[] = {
    "SELECT count(*), sum(a) FROM t",
    "SELECT id, a FROM t WHERE id BETWEEN 3 AND 9 ORDER BY id",
    "SELECT max(a) FROM t WHERE a < 5",
};

typedef struct side {
    fixture *f;
    rsq_db *db;
    probe *probes[LENGTH(queries)];
    size_t done; /* calls of `done` */
} side;

static void open_side(side *s, fixture *f, rsq_db *db)
{
    *s = (side){.f = f, .db = db};
    fixture_exec(f, db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)", __FILE__, __LINE__);
    for (size_t i = 0; i < LENGTH(queries); i++)
        s->probes[i] = probe_open(f, db, rsq_queue_default(db), queries[i], NULL, 0, __FILE__, __LINE__);
}

static rsq_result *answer_of(side *s, const char *sql)
{
    rsq_result *r = NULL;

    WANT(s->f, RSQ_OK, rsq_select(s->db, sql, NULL, 0, NULL, &r, &s->f->err));
    return r;
}

/* It may be there already. */
static void reach(probe *p, const char *rows)
{
    const rsq_result *newest = p->taken > 0 ? p->events[p->taken - 1].result : NULL;
    char *got = newest ? fixture_dump(newest) : strdup("");
    bool same = strcmp(got, rows) == 0;

    free(got);
    if (!same)
        EXPECT_REACHES(p, rows);
}

/* Both databases hold the same, and each live query gets to the answer that a read gives. */
static void expect_same(side *sides)
{
    for (size_t i = 0; i < LENGTH(queries); i++) {
        rsq_result *r = answer_of(&sides[0], queries[i]);
        char *rows = fixture_dump(r);

        EXPECT_ROWS_IN(sides[1].f, sides[1].db, queries[i], rows);
        for (size_t j = 0; j < 2; j++)
            reach(sides[j].probes[i], rows);
        rsq_result_unref(r);
        free(rows);
    }
}

/* --- asynchronous calls --- */

static void on_done(rsq_op *op, void *ctx)
{
    side *s = ctx;

    (void)op;
    s->done++;
}

static rsq_op *submit(side *s, uint64_t kind, int64_t id, int64_t a, bool calls)
{
    static const char *const writes[] = {
        "INSERT INTO t(id, a) VALUES (?1, ?2)", /* often in vain */
        "INSERT OR REPLACE INTO t(id, a) VALUES (?1, ?2)",
        "UPDATE t SET a = ?2 WHERE id <= ?1 RETURNING id, a",
        "DELETE FROM t WHERE id = ?1 OR a = ?2",
    };
    const rsq_value values[] = {rsq_integer(id), rsq_integer(a)};
    rsq_op_options opts = {.size = sizeof opts, .done = calls ? on_done : NULL, .ctx = s};
    rsq_op *op = NULL;

    if (kind == LENGTH(writes))
        WANT_CODE(RSQ_OK, rsq_select_async(s->db, "SELECT ?1, ?2, 'x'", values, 2, &opts, &op));
    else
        WANT_CODE(RSQ_OK, rsq_execute_async(s->db, writes[kind], values, 2, &opts, &op));
    return op_kept(op);
}

/* What came of a call, as text; freed by the caller. */
static char *outcome(rsq_op *op)
{
    rsq_result *r = rsq_op_take_result(op);
    char *rows = r ? fixture_dump(r) : strdup("");
    size_t size = strlen(rows) + 64;
    char *text = malloc(size);

    assert_non_null(text);
    snprintf(text, size, "%d, %" PRId64 " rows: %s", (int)rsq_op_status(op), r ? rsq_result_changes(r) : -1,
             rows);
    rsq_result_unref(r);
    free(rows);
    op_freed(op);
    return text;
}

/* Until all calls of `done` were made, by waiting on the queue. */
static void dispatch_until(side *s, size_t done)
{
    while (s->done < done) {
        WANT_CODE(RSQ_OK, rsq_queue_wait(rsq_queue_default(s->db), FIXTURE_DEADLINE_MS));
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(rsq_queue_default(s->db), 0, NULL));
    }
}

/* Some calls, together or each after the one before, by their ops or by the queue. */
static void run_burst(side *sides, uint64_t *seed)
{
    bool together = fixture_random(seed) % 2, calls = fixture_random(seed) % 2;
    size_t n = 1 + fixture_random(seed) % BURST;
    rsq_op *ops[2][BURST];

    for (size_t i = 0; i < n; i++) {
        uint64_t kind = fixture_random(seed) % 5;
        int64_t id = (int64_t)(fixture_random(seed) % 16), a = (int64_t)(fixture_random(seed) % 8);

        for (size_t j = 0; j < 2; j++) {
            ops[j][i] = submit(&sides[j], kind, id, a, calls);
            if (!together)
                WANT_CODE(RSQ_OK, rsq_op_wait(ops[j][i], FIXTURE_DEADLINE_MS));
        }
    }
    for (size_t j = 0; j < 2 && calls; j++)
        dispatch_until(&sides[j], n);
    for (size_t i = 0; i < n; i++) {
        char *texts[2];

        for (size_t j = 0; j < 2; j++) {
            WANT_CODE(RSQ_OK, rsq_op_wait(ops[j][i], FIXTURE_DEADLINE_MS));
            texts[j] = outcome(ops[j][i]);
        }
        assert_string_equal(texts[0], texts[1]);
        free(texts[0]);
        free(texts[1]);
    }
    sides[0].done = sides[1].done = 0;
}

/* --- writes in line --- */

typedef struct crew {
    rsq_db *db;
    int64_t a;
    verdict verdict;
} crew;

/* Rows of its own, so that the order of the threads does not show. */
static void write_own(size_t index, void *ctx)
{
    crew *c = ctx;

    for (int64_t i = 0; i < OWN; i++) {
        const rsq_value values[] = {rsq_integer(100 + (int64_t)index * OWN + i), rsq_integer(c->a)};
        rsq_error err;

        BLAME(&c->verdict,
              rsq_execute(c->db, "INSERT OR REPLACE INTO t(id, a) VALUES (?1, ?2)", values, 2, NULL, NULL,
                          &err) == RSQ_OK,
              &err);
    }
}

static void run_crew(side *s, int64_t a)
{
    crew c = {.db = s->db, .a = a};

    verdict_init(&c.verdict);
    crew_run(THREADS, write_own, &c);
    VERDICT(&c.verdict);
}

static void the_same_outcomes(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .flags = RSQ_OPEN_NO_SPIN};
    uint64_t seed = fixture_seed("spin"), steps = rounds_of(STEPS);
    char *path = fixture_file(f, "asleep.db");
    side sides[2];

    open_side(&sides[0], f, fixture_open(f, NULL));
    open_side(&sides[1], f, fixture_open_path(f, path, &opts));
    for (uint64_t i = 0; i < steps; i++) {
        if (fixture_random(&seed) % 8 == 0) {
            int64_t a = (int64_t)(fixture_random(&seed) % 8);

            run_crew(&sides[0], a);
            run_crew(&sides[1], a);
        } else {
            run_burst(sides, &seed);
        }
        if (fixture_random(&seed) % 4 == 0)
            expect_same(sides);
    }
    expect_same(sides);
    for (size_t i = 0; i < LENGTH(queries); i++)
        probe_close(sides[1].probes[i]);
    rsq_close(sides[1].db);
    free(path);
}

/* --- nobody looks --- */

static uint64_t times_looked(fixture *f, uint32_t flags)
{
    rsq_open_options opts = {.size = sizeof opts, .flags = flags};
    rsq_profile_counters p = {.size = sizeof p};

    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, a)");
    WANT_CODE(RSQ_OK, rsq_profile_enable(true));
    rsq_profile_reset();
    for (int i = 0; i < 4; i++) {
        rsq_op *op = NULL;

        WANT_CODE(RSQ_OK, rsq_execute_async(f->db, "INSERT INTO t(a) VALUES (1)", NULL, 0, NULL, &op));
        EXPECT_OP(op_kept(op), RSQ_OK);
        op_freed(op);
        op = op_submitted(f, "SELECT 1", NULL, 0, NULL);
        EXPECT_OP_ROWS(op, "1");
    }
    fixture_close(f);
    WANT_CODE(RSQ_OK, rsq_profile(&p));
    WANT_CODE(RSQ_OK, rsq_profile_enable(false));
    return p.workers_spinning.count;
}

static void no_worker_looks(void **state)
{
    fixture *f = *state;

    if (!(rsq_features() & RSQ_FEATURE_PROFILE))
        return;
    assert_int_equal(times_looked(f, RSQ_OPEN_NO_SPIN), 0);
    assert_true(times_looked(f, 0) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(the_same_outcomes), CASE(no_worker_looks)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
