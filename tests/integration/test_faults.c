/*
 * A disk that fails, is full, or is slow: what was not done is an error and leaves nothing behind, what was
 * done is there, and afterwards everything works. Every operation on the disk is made to fail in turn.
 */
#include "disk.h"
#include "fixture.h"

#include <limits.h>
#include <stdatomic.h>

#include <sqlite3.h>

#define ITEMS "CREATE TABLE items(id INTEGER PRIMARY KEY, name)"

/* Which operation fails, how and how often. */
static struct {
    disk_op op;
    int code;
    atomic_int before; /* operations that still go well; INT_MAX: all */
    atomic_int times;  /* that then fail */
    atomic_int failed;
    atomic_int syncs;
} fault;

static int judge(disk_op op)
{
    if (op == DISK_SYNC)
        atomic_fetch_add(&fault.syncs, 1);
    if (op != fault.op || atomic_fetch_sub(&fault.before, 1) > 0 || atomic_fetch_sub(&fault.times, 1) <= 0)
        return SQLITE_OK;
    atomic_fetch_add(&fault.failed, 1);
    return fault.code;
}

static void well(void)
{
    disk_ask(NULL);
}

static void ill(disk_op op, int code, int before, int times)
{
    well();
    fault.op = op;
    fault.code = code;
    atomic_store(&fault.before, before);
    atomic_store(&fault.times, times);
    atomic_store(&fault.failed, 0);
    atomic_store(&fault.syncs, 0);
    disk_ask(judge);
}

static int install(void **state)
{
    (void)state;
    return disk_install();
}

/* A test that failed must not leave the disk ill, on which the database is closed. */
static int teardown(void **state)
{
    well();
    return fixture_teardown(state);
}

#undef CASE
#define CASE(function) cmocka_unit_test_setup_teardown(function, fixture_setup, teardown)

/* A table with an index, and a row. */
static void start(fixture *f)
{
    const rsq_open_options opts = {.size = sizeof opts, .synchronous = RSQ_SYNC_FULL, .mmap_bytes = -1};

    fixture_open(f, &opts);
    EXEC(f, ITEMS);
    EXEC(f, "CREATE INDEX names ON items(name)");
    EXEC(f, "INSERT INTO items(name) VALUES ('first')");
}

/* ------------------------------------------------------------------------------ writes -- */

static const char name[] = "a text that is not short, so that a few of them fill a page of the database";

static rsq_code one(fixture *f)
{
    return rsq_execute(f->db, "INSERT INTO items(name) VALUES ('one')", NULL, 0, NULL, NULL, &f->err);
}

static rsq_code batch(fixture *f)
{
    rsq_value names[50];

    for (size_t i = 0; i < LENGTH(names); i++)
        names[i] = rsq_text(name);
    return rsq_execute_batch(f->db, "INSERT INTO items(name) VALUES (?)", names, LENGTH(names), 1, NULL, NULL,
                             &f->err);
}

static rsq_code insert_two(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    rsq_code code =
        rsq_tx_execute(tx, "INSERT INTO items(name) VALUES ('two')", NULL, 0, NULL, NULL, &f->err);

    if (code != RSQ_OK)
        return code;
    return rsq_tx_execute(tx, "INSERT INTO items(name) VALUES (zeroblob(20000))", NULL, 0, NULL, NULL,
                          &f->err);
}

static rsq_code function(fixture *f)
{
    return rsq_transaction(f->db, insert_two, f, NULL, &f->err);
}

static rsq_code interactive(fixture *f)
{
    rsq_tx *tx = NULL;
    rsq_code code = rsq_begin(f->db, NULL, &tx, &f->err);

    if (code == RSQ_OK)
        code = insert_two(tx, f);
    if (code == RSQ_OK)
        return rsq_commit(tx, &f->err);
    if (tx)
        (void)rsq_rollback(tx, NULL);
    return code;
}

static rsq_code script(fixture *f)
{
    return rsq_execute_script(f->db,
                              "INSERT INTO items(name) VALUES ('a'); UPDATE items SET name = name || '!'; "
                              "INSERT INTO items(name) VALUES ('b');",
                              NULL, &f->err);
}

static rsq_code schema(fixture *f)
{
    return rsq_execute(f->db, "CREATE TABLE more AS SELECT * FROM items", NULL, 0, NULL, NULL, &f->err);
}

typedef struct fault_case {
    disk_op op;
    int code;
    rsq_code expected;
} fault_case;

static const fault_case faults[] = {
    {DISK_WRITE, SQLITE_FULL, RSQ_EFULL},
    {DISK_WRITE, SQLITE_IOERR_WRITE, RSQ_EIO},
    {DISK_SYNC, SQLITE_IOERR_FSYNC, RSQ_EIO},
};

/* The state of all tables, as text; freed by the caller. */
static char *state_of(fixture *f)
{
    rsq_result *r = NULL;
    char *text;

    WANT(f, RSQ_OK,
         rsq_select(f->db,
                    "SELECT (SELECT group_concat(id || length(name)) FROM items), (SELECT count(*) FROM "
                    "sqlite_schema)",
                    NULL, 0, NULL, &r, &f->err));
    text = fixture_dump(r);
    rsq_result_unref(r);
    return text;
}

/* Each operation that the write makes fails, one after the other, until it makes no more. Returns how many.
 */
static int each_fails(fixture *f, rsq_code (*write)(fixture *f), const fault_case *c)
{
    int before;

    for (before = 0; before < 1000; before++) {
        char *was, *is;
        rsq_code code;
        int failed;

        start(f);
        was = state_of(f);
        ill(c->op, c->code, before, 1);
        code = write(f);
        failed = atomic_load(&fault.failed);
        well();
        is = state_of(f);
        /* What fails behind a commit, such as a checkpoint, is no failure of the write. */
        if (code != RSQ_OK) {
            WANT_CODE(c->expected, code);
            assert_int_equal(f->err.code, c->expected);
            assert_int_equal(f->err.sqlite_code & 0xff, c->code & 0xff);
        }
        assert_true(failed || code == RSQ_OK);
        if ((strcmp(was, is) == 0) != (code != RSQ_OK))
            fail_msg("%s after operation %d: %s became %s", rsq_code_name(code), before, was, is);
        free(was);
        free(is);
        EXEC(f, "INSERT INTO items(name) VALUES ('afterwards')");
        EXPECT_ROWS(f, "SELECT name FROM items ORDER BY id DESC LIMIT 1", "'afterwards'");
        EXPECT_ROWS(f, "PRAGMA integrity_check", "'ok'");
        fixture_close(f);
        assert_int_equal(remove(f->path), 0);
        if (!failed)
            break;
    }
    return before;
}

/* Whatever fails, and by whatever call it was written: all of it is there, or nothing and an error says so.
 */
static void writes_on_a_disk_that_fails(void **state)
{
    static const struct {
        const char *name;
        rsq_code (*write)(fixture *f);
    } writes[] = {
        {"one", one},       {"batch", batch},  {"transaction", function}, {"interactive", interactive},
        {"script", script}, {"schema", schema}};
    fixture *f = *state;

    for (size_t i = 0; i < LENGTH(writes); i++) {
        int n[LENGTH(faults)];

        for (size_t k = 0; k < LENGTH(faults); k++)
            n[k] = each_fails(f, writes[i].write, &faults[k]);
        print_message("# %s: %d writes full, %d wrong, %d syncs\n", writes[i].name, n[0], n[1], n[2]);
        assert_true(n[0] > 0 && n[1] > 0 && n[2] > 0);
    }
}

/* ------------------------------------------------------------------------------ groups -- */

#define MEMBERS 20

/* Writes that wait for a transaction of ours; afterwards they are free to run. */
static void submit_together(fixture *f, rsq_op **ops)
{
    rsq_tx *tx = NULL;

    WANT(f, RSQ_OK, rsq_begin(f->db, NULL, &tx, &f->err));
    for (size_t i = 0; i < MEMBERS; i++)
        WANT_CODE(RSQ_OK, rsq_execute_async(f->db, "INSERT INTO items(name) VALUES ('member')", NULL, 0, NULL,
                                            &ops[i]));
    WANT(f, RSQ_OK, rsq_rollback(tx, &f->err));
}

/* How many were done; the others failed in this way. */
static int64_t finish(rsq_op **ops, rsq_code expected)
{
    int64_t done = 0;

    for (size_t i = 0; i < MEMBERS; i++) {
        WANT_CODE(RSQ_OK, rsq_op_wait(ops[i], FIXTURE_DEADLINE_MS));
        if (rsq_op_status(ops[i]) == RSQ_OK)
            done++;
        else
            WANT_CODE(expected, rsq_op_status(ops[i]));
        rsq_op_free(ops[i]);
    }
    return done;
}

/* A group whose commit fails is undone, and its members are run again, each alone. So one failure hurts at
 * most one of them, and the others know nothing of it; a disk that stays full fails all. */
static void a_group_on_a_disk_that_fails(void **state)
{
    fixture *f = *state;

    for (size_t k = 0; k < LENGTH(faults); k++) {
        for (int before = 0; before < 12; before++) {
            rsq_op *ops[MEMBERS] = {0};
            int64_t done;

            start(f);
            ill(faults[k].op, faults[k].code, before, 1);
            submit_together(f, ops);
            done = finish(ops, faults[k].expected);
            well();
            assert_true(done >= MEMBERS - 1);
            assert_int_equal(INTEGER(f, "SELECT count(*) FROM items WHERE name = 'member'"), done);
            fixture_close(f);
            assert_int_equal(remove(f->path), 0);
        }
    }
}

static void a_group_on_a_full_disk(void **state)
{
    fixture *f = *state;
    rsq_op *ops[MEMBERS] = {0};

    start(f);
    ill(DISK_WRITE, SQLITE_FULL, 0, INT_MAX);
    submit_together(f, ops);
    assert_int_equal(finish(ops, RSQ_EFULL), 0);
    well();
    submit_together(f, ops);
    assert_int_equal(finish(ops, RSQ_OK), MEMBERS);
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM items"), MEMBERS + 1);
}

/* With synchronous=FULL each commit waits for the disk, and those in one commit for the same. How many they
 * are is the machine's business: a group ends after two milliseconds, so it gets several chances. */
static void a_group_shares_its_sync(void **state)
{
    fixture *f = *state;
    rsq_counters before = {.size = sizeof before}, after = {.size = sizeof after};
    uint64_t commits = 0;
    int syncs = 5;

    start(f);
    ill(DISK_READ, SQLITE_OK, INT_MAX, 0);
    for (int i = 0; i < syncs; i++)
        WANT(f, RSQ_OK, one(f));
    assert_int_equal(atomic_load(&fault.syncs), syncs);
    for (int i = 0; i < 100 && commits != 1; i++) {
        rsq_op *ops[MEMBERS] = {0};

        WANT(f, RSQ_OK, rsq_stats(f->db, &before, &f->err));
        submit_together(f, ops);
        assert_int_equal(finish(ops, RSQ_OK), MEMBERS);
        WANT(f, RSQ_OK, rsq_stats(f->db, &after, &f->err));
        commits = after.commits - before.commits;
        syncs += (int)commits;
        assert_int_equal(atomic_load(&fault.syncs), syncs);
    }
    assert_int_equal(commits, 1);
    assert_int_equal(after.grouped - before.grouped, MEMBERS);
}

/* --------------------------------------------------------------------------- a slow disk -- */

static struct {
    gate inside, go;
} slow;

static int hold_sync(disk_op op)
{
    if (op == DISK_SYNC) {
        gate_open(&slow.inside);
        (void)gate_wait(&slow.go);
    }
    return SQLITE_OK;
}

/* Nobody is told that a write is done before the commit that holds it has returned from the disk, nobody
 * reads it before, and no live query hears of it. */
static void answered_after_the_commit(void **state)
{
    fixture *f = *state;
    rsq_op *ops[MEMBERS] = {0};
    probe *p;

    gate_init(&slow.inside);
    gate_init(&slow.go);
    start(f);
    p = WATCH(f, "SELECT count(*) FROM items");
    EXPECT_EVENT(p, "1");
    disk_ask(hold_sync);
    submit_together(f, ops);
    assert_true(gate_wait(&slow.inside));
    for (size_t i = 0; i < MEMBERS; i++)
        WANT_CODE(RSQ_EPENDING, rsq_op_status(ops[i]));
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM items"), 1);
    assert_int_equal(probe_stats(p).woken, 0);
    gate_open(&slow.go);
    assert_int_equal(finish(ops, RSQ_OK), MEMBERS);
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM items"), MEMBERS + 1);
    EXPECT_REACHES(p, "21");
    well();
    gate_fini(&slow.inside);
    gate_fini(&slow.go);
}

/* ------------------------------------------------------------------- reads, and the log -- */

static rsq_code read_all(fixture *f)
{
    rsq_result *r = NULL;
    rsq_code code =
        rsq_select(f->db, "SELECT sum(length(name)), count(*) FROM items", NULL, 0, NULL, &r, &f->err);

    if (code == RSQ_OK)
        EXPECT_RESULT(r, "3000000|1000");
    rsq_result_unref(r);
    return code;
}

/* Each read of the disk fails in turn, from opening the reader on: an error or the right answer, and then the
 * right answer. */
static void reads_on_a_disk_that_fails(void **state)
{
    const rsq_open_options opts = {.size = sizeof opts, .readers = 1, .mmap_bytes = -1, .cache_bytes = 65536};
    fixture *f = *state;
    int errors = 0, before = 0;
    rsq_code code;

    fixture_open(f, NULL);
    EXEC(f, ITEMS);
    EXEC(f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
            "INSERT INTO items SELECT i, printf('%.*c', 3000, 'x') FROM n");
    fixture_close(f);
    do {
        fixture_open(f, &opts);
        ill(DISK_READ, SQLITE_IOERR_READ, before, 1);
        code = read_all(f);
        well();
        if (code != RSQ_OK) {
            assert_true(code == RSQ_EIO || code == RSQ_ECANTOPEN);
            errors++;
        }
        WANT(f, RSQ_OK, read_all(f));
        fixture_close(f);
        before += before < 20 ? 1 : 97;
    } while (atomic_load(&fault.failed));
    print_message("# %d reads failed\n", errors);
    assert_true(errors > 20);
}

/* A live query whose run fails says so, and runs again by itself: no commit need follow. */
static void a_live_query_on_a_disk_that_fails(void **state)
{
    fixture *f = *state;
    probe *p;

    start(f);
    p = WATCH(f, "SELECT count(*), max(length(name)) FROM items");
    EXPECT_EVENT(p, "1|5");
    ill(DISK_READ, SQLITE_IOERR_READ, 0, INT_MAX);
    WANT(f, RSQ_OK, one(f));
    assert_int_equal(EXPECT_ERROR(p)->code, RSQ_EIO);
    well();
    EXPECT_EVENT(p, "2|5");
    WANT(f, RSQ_OK, one(f));
    EXPECT_EVENT(p, "3|5");
}

/* A checkpoint that fails is an error to who asked for it, and loses nothing; the next one copies all. */
static void a_checkpoint_on_a_disk_that_fails(void **state)
{
    const rsq_checkpoint_options truncate = {.size = sizeof truncate, .mode = RSQ_CHECKPOINT_TRUNCATE};
    fixture *f = *state;
    rsq_counters c = {.size = sizeof c};

    for (size_t k = 0; k < LENGTH(faults); k++) {
        start(f);
        WANT(f, RSQ_OK, batch(f));
        ill(faults[k].op, faults[k].code, 0, INT_MAX);
        WANT(f, faults[k].expected, rsq_checkpoint(f->db, &truncate, NULL, &f->err));
        well();
        WANT(f, RSQ_OK, rsq_stats(f->db, &c, &f->err));
        assert_int_equal(c.checkpoint_errors, 1);
        EXPECT_ROWS(f, "SELECT count(*) FROM items", "51");
        WANT(f, RSQ_OK, one(f));
        WANT(f, RSQ_OK, rsq_checkpoint(f->db, &truncate, NULL, &f->err));
        EXPECT_ROWS(f, "SELECT count(*) FROM items", "52");
        EXPECT_ROWS(f, "PRAGMA integrity_check", "'ok'");
        fixture_close(f);
        assert_int_equal(remove(f->path), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(writes_on_a_disk_that_fails),
        CASE(a_group_on_a_disk_that_fails),
        CASE(a_group_on_a_full_disk),
        CASE(a_group_shares_its_sync),
        CASE(answered_after_the_commit),
        CASE(reads_on_a_disk_that_fails),
        CASE(a_live_query_on_a_disk_that_fails),
        CASE(a_checkpoint_on_a_disk_that_fails),
    };

    return cmocka_run_group_tests_name("faults", tests, install, NULL);
}
