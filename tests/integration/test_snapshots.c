/*
 * Kept snapshots (issue 3, point 3) and reads of several queries on one snapshot.
 *
 * A reader leaves its read transaction open while it is the newest, so the tests have one question: is an
 * answer ever older than the last commit? A second process commits whenever it is told to and says when it
 * has, so each answer is compared with the one value that is right. Every commit of that process adds one to
 * a counter, and so does every commit of this one to its commit number: the two must move together.
 */
#include "async_fixture.h"
#include "peer.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int teardown(void **state)
{
    bool stopped = !peer_runs() || peer_stop() == 0;

    return ops_teardown(state) == 0 && stopped ? 0 : -1;
}

#undef CASE
#define CASE(function) cmocka_unit_test_setup_teardown(function, fixture_setup, teardown)

#define COUNTER "SELECT n FROM foreign_counter"

static void make_counter(fixture *f)
{
    EXEC(f, "CREATE TABLE foreign_counter(n INTEGER)");
    EXEC(f, "INSERT INTO foreign_counter VALUES (0)");
    EXEC(f, "CREATE TABLE own(id INTEGER PRIMARY KEY, v INTEGER NOT NULL UNIQUE)");
    EXEC(f, "INSERT INTO own VALUES (1, 1), (2, 2)");
}

static void start(fixture *f, const rsq_open_options *opts)
{
    fixture_open(f, opts);
    make_counter(f);
    peer_start(f->path);
}

/* ------------------------------------------------------------------------ no stale read -- */

/* What is right just now. */
typedef struct truth {
    fixture *f;
    uint64_t seed;
    int64_t value;    /* of the counter */
    uint64_t first;   /* commit number of the first read */
    uint64_t commits; /* since then, of both processes */
    size_t kinds[16]; /* how often each disturbance was made */
} truth;

static void check_number(const truth *t, const rsq_result *r)
{
    if (rsq_result_commit_seq(r) != t->first + t->commits)
        fail_msg("a read says commit %" PRIu64 ", it is %" PRIu64, rsq_result_commit_seq(r),
                 t->first + t->commits);
}

static void check_rows(const truth *t, rsq_result *r)
{
    assert_non_null(r);
    if (rsq_result_int64(r, 0, 0) != t->value)
        fail_msg("a stale read: %" PRId64 ", it is %" PRId64, rsq_result_int64(r, 0, 0), t->value);
    check_number(t, r);
    rsq_result_unref(r);
}

static void read_rows(truth *t)
{
    rsq_result *r = NULL;

    WANT(t->f, RSQ_OK, rsq_select(t->f->db, COUNTER, NULL, 0, NULL, &r, &t->f->err));
    check_rows(t, r);
}

static void read_json(truth *t)
{
    char expected[64];
    rsq_result *r = NULL;

    WANT(t->f, RSQ_OK, rsq_select_json(t->f->db, COUNTER, NULL, 0, NULL, &r, &t->f->err));
    snprintf(expected, sizeof expected, "[{\"n\":%" PRId64 "}]", t->value);
    assert_string_equal(rsq_result_json(r, NULL), expected);
    check_number(t, r);
    rsq_result_unref(r);
}

static void read_several(truth *t)
{
    const rsq_query queries[] = {{.sql = "SELECT count(*) FROM own"}, {.sql = COUNTER}};
    rsq_result *results[2] = {0};

    WANT(t->f, RSQ_OK, rsq_select_all(t->f->db, queries, 2, NULL, results, &t->f->err));
    check_number(t, results[0]);
    rsq_result_unref(results[0]);
    check_rows(t, results[1]);
}

/* On all readers at the same time. */
static void read_everywhere(truth *t)
{
    rsq_op *ops[6];

    for (size_t i = 0; i < LENGTH(ops); i++)
        ops[i] = op_submitted(t->f, COUNTER, NULL, 0, NULL);
    for (size_t i = 0; i < LENGTH(ops); i++) {
        EXPECT_OP(ops[i], RSQ_OK);
        check_rows(t, rsq_op_take_result(ops[i]));
        op_freed(ops[i]);
    }
}

static void read_somehow(truth *t)
{
    switch (fixture_random(&t->seed) % 16) {
    case 0:
        read_everywhere(t);
        break;
    case 1:
    case 2:
        read_several(t);
        break;
    case 3:
    case 4:
        read_json(t);
        break;
    default:
        read_rows(t);
        break;
    }
}

static void failing_read(truth *t, rsq_code code, const char *sql, uint64_t max_bytes, uint32_t timeout_ms)
{
    rsq_call_options opts = {.size = sizeof opts, .max_result_bytes = max_bytes, .timeout_ms = timeout_ms};
    rsq_result *r = NULL;

    WANT(t->f, code, rsq_select(t->f->db, sql, NULL, 0, &opts, &r, &t->f->err));
}

#define FAILS_IN_ROW_50                                                               \
    "WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM c WHERE i < 100) " \
    "SELECT abs(CASE i WHEN 50 THEN -9223372036854775808 ELSE n END) FROM c, foreign_counter"

static rsq_code read_and_fail(rsq_tx *tx, void *ctx)
{
    truth *t = ctx;
    rsq_result *r = NULL;
    rsq_code code = rsq_tx_execute(tx, "UPDATE own SET v = v + 10", NULL, 0, NULL, NULL, &t->f->err);

    if (code == RSQ_OK)
        code = rsq_tx_select(tx, COUNTER, NULL, 0, NULL, &r, &t->f->err);
    if (code == RSQ_OK && rsq_result_int64(r, 0, 0) != t->value)
        code = RSQ_EPENDING;
    rsq_result_unref(r);
    return code == RSQ_OK ? RSQ_EINVAL : code; /* what makes it roll back */
}

/* Something goes wrong on a reader or on the writer, or happens without being a commit. */
static void disturb(truth *t)
{
    fixture *f = t->f;
    uint64_t kind = fixture_random(&t->seed) % 24;

    t->kinds[kind < LENGTH(t->kinds) ? kind : LENGTH(t->kinds) - 1]++;
    switch (kind) {
    case 0:
        failing_read(t, RSQ_ESQL, FAILS_IN_ROW_50, 0, 0);
        break;
    case 1:
        failing_read(t, RSQ_ESQL, "SELECT abs(-9223372036854775808)", 0, 0);
        break;
    case 2:
        failing_read(t, RSQ_ETOOBIG, "SELECT n, zeroblob(10000) FROM foreign_counter", 1000, 0);
        break;
    case 3:
        failing_read(t, RSQ_EREADONLY, "UPDATE own SET v = 0", 0, 0);
        break;
    case 4: /* a reader that is stopped in the middle; seldom the slow way */
        if (fixture_random(&t->seed) % 16 == 0)
            failing_read(t, RSQ_ETIMEOUT, ENDLESS, 0, 1);
        endless_stop(endless_start(f));
        break;
    case 5:
        WANT(f, RSQ_ESQL, rsq_execute(f->db, "UPDATE own SET v = 1", NULL, 0, NULL, NULL, &f->err));
        break;
    case 6:
        WANT(f, RSQ_ESQL, rsq_execute(f->db, "INSERT INTO own VALUES (1, 9)", NULL, 0, NULL, NULL, &f->err));
        break;
    case 7:
        EXEC(f, "UPDATE own SET v = v + 10");
        t->commits++;
        break;
    case 8:
        WANT_CODE(RSQ_EINVAL, rsq_transaction(f->db, read_and_fail, t, NULL, NULL));
        break;
    case 9:
        EXEC(f, "UPDATE own SET v = 1 WHERE id = 77"); /* no row */
        break;
    case 10:
        assert_int_equal(peer_value("0"), t->value);
        break;
    case 11:
        assert_int_equal(peer_value("-"), t->value);
        break;
    case 12:
        (void)peer_ask("c");
        break;
    case 13:
        read_somehow(t);
        break;
    default:
        break;
    }
}

static void run_rounds(fixture *f, const char *name, uint64_t rounds)
{
    truth t = {.f = f, .seed = fixture_seed(name)};
    rsq_result *r = NULL;

    WANT(f, RSQ_OK, rsq_select(f->db, COUNTER, NULL, 0, NULL, &r, &f->err));
    t.first = rsq_result_commit_seq(r);
    rsq_result_unref(r);
    for (uint64_t i = 0; i < rounds; i++) {
        disturb(&t);
        t.value = peer_value("+");
        t.commits++;
        assert_int_equal(t.value, i + 1);
        if (fixture_random(&t.seed) % 8 == 0)
            disturb(&t);
        read_somehow(&t);
    }
    print_message("# %s: %" PRIu64 " rounds, %" PRIu64 " commits, %zu failed reads, %zu stopped\n", name,
                  rounds, t.commits, t.kinds[0] + t.kinds[1] + t.kinds[2] + t.kinds[3], t.kinds[4]);
}

/* Another process commits between every two reads: each read has the newest commit, and its number. */
static void no_read_is_stale(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 3};

    start(f, &opts);
    run_rounds(f, "no_read_is_stale", rounds_of(FIXTURE_UNDER_TSAN ? 4000 : 20000));
}

/* The same with one reader, and with snapshots that are not kept, or only for a moment. */
static void other_settings(void **state)
{
    fixture *f = *state;
    const rsq_open_options settings[] = {
        {.size = sizeof(rsq_open_options), .readers = 1},
        {.size = sizeof(rsq_open_options), .readers = 3, .keep_snapshot_ms = 1},
        {.size = sizeof(rsq_open_options), .readers = 2, .flags = RSQ_OPEN_NO_KEPT_SNAPSHOTS},
    };

    for (size_t i = 0; i < LENGTH(settings); i++) {
        start(f, &settings[i]);
        run_rounds(f, "other_settings", 700);
        assert_int_equal(peer_stop(), 0);
        fixture_close(f);
        remove(f->path);
    }
}

/* An attached database has a log of its own: its commits are seen, and counted, as well. */
static void attached_database(void **state)
{
    fixture *f = *state;
    char *path = fixture_file(f, "attached.db");
    rsq_attach attach = {.name = "aux", .path = path};
    rsq_open_options opts = {.size = sizeof opts, .readers = 2, .attach = &attach, .nattach = 1};

    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE aux.foreign_counter(n INTEGER)");
    EXEC(f, "INSERT INTO foreign_counter VALUES (0)");
    EXEC(f, "CREATE TABLE own(id INTEGER PRIMARY KEY, v INTEGER NOT NULL UNIQUE)");
    EXEC(f, "INSERT INTO own VALUES (1, 1), (2, 2)");
    peer_start(path);
    run_rounds(f, "attached_database", 700);
    free(path);
}

/* A database that is open for reading only follows another process's commits too, with a write-ahead log or
 * without one; there no read lock may be left that would keep the other one from committing. */
static void read_only(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 2, .flags = RSQ_OPEN_READONLY};

    for (int log = 1; log >= 0; log--) {
        fixture_open(f, NULL);
        make_counter(f);
        fixture_close(f);
        peer_start(f->path);
        assert_string_equal(peer_ask(log ? "PRAGMA journal_mode = WAL" : "PRAGMA journal_mode = DELETE"),
                            "ok");
        fixture_open(f, &opts);
        for (int64_t i = 1; i <= 300; i++) {
            assert_int_equal(peer_value("+"), i);
            assert_int_equal(INTEGER(f, COUNTER), i);
        }
        fixture_close(f);
        assert_int_equal(peer_stop(), 0);
        remove(f->path);
    }
}

/* ---------------------------------------------------------- both processes at full speed -- */

typedef struct race {
    fixture *f;
    verdict verdict;
    int64_t distance; /* commit number less the counter's value: every commit adds one to both */
    size_t writes;    /* of this process */
    atomic_bool over;
    atomic_size_t reads;
} race;

static void check_pair(race *x, const rsq_result *r, int64_t *value, uint64_t *seq)
{
    int64_t v = rsq_result_int64(r, 0, 0);
    uint64_t s = rsq_result_commit_seq(r);
    char text[96];

    snprintf(text, sizeof text, "value %" PRId64 " with commit %" PRIu64 " after %" PRId64 " with %" PRIu64,
             v, s, *value, *seq);
    if (v < *value || s < *seq || (int64_t)s - v != x->distance)
        verdict_blame(&x->verdict, text, NULL, __FILE__, __LINE__);
    *value = v;
    *seq = s;
}

static void read_in_the_race(race *x)
{
    int64_t value = 0;
    uint64_t seq = 0;

    while (!atomic_load(&x->over)) {
        rsq_result *r = NULL;
        rsq_error err;
        rsq_code code = rsq_select(x->f->db, COUNTER, NULL, 0, NULL, &r, &err);

        BLAME(&x->verdict, code == RSQ_OK, &err);
        if (code != RSQ_OK)
            return;
        check_pair(x, r, &value, &seq);
        rsq_result_unref(r);
        atomic_fetch_add(&x->reads, 1);
    }
}

static void write_in_the_race(race *x)
{
    int64_t value = 0;
    uint64_t seq = 0;

    for (size_t i = 0; i < x->writes; i++) {
        rsq_result *r = NULL;
        rsq_error err;
        rsq_code code = rsq_execute(x->f->db, "UPDATE foreign_counter SET n = n + 1 RETURNING n", NULL, 0,
                                    NULL, &r, &err);

        BLAME(&x->verdict, code == RSQ_OK, &err);
        if (code != RSQ_OK)
            return;
        check_pair(x, r, &value, &seq);
        rsq_result_unref(r);
    }
}

static void race_thread(size_t index, void *ctx)
{
    race *x = ctx;

    if (index == 0) {
        const char *answer = peer_answer(); /* it commits as fast as it can until then */

        BLAME(&x->verdict, strncmp(answer, "error", 5) != 0, NULL);
        atomic_store(&x->over, true);
    } else if (index == 1) {
        write_in_the_race(x);
    } else {
        read_in_the_race(x);
    }
}

static void run_race(fixture *f, const char *command, size_t writes)
{
    race x = {.f = f, .writes = writes};
    rsq_result *r = NULL;

    WANT(f, RSQ_OK, rsq_select(f->db, COUNTER, NULL, 0, NULL, &r, &f->err));
    x.distance = (int64_t)rsq_result_commit_seq(r) - rsq_result_int64(r, 0, 0);
    rsq_result_unref(r);
    verdict_init(&x.verdict);
    peer_send(command);
    crew_run(5, race_thread, &x);
    print_message("# %zu reads while the other process committed\n", atomic_load(&x.reads));
    VERDICT(&x.verdict);
}

/* Values and commit numbers move together and never back, however fast another process commits, and also
 * when this one writes at the same time. */
static void numbers_and_values_agree(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 3};

    start(f, &opts);
    run_race(f, FIXTURE_UNDER_TSAN ? "* 3000" : "* 20000", 0);
    run_race(f, FIXTURE_UNDER_TSAN ? "* 500" : "* 3000", 200);
}

/* --------------------------------------------------------------------------- letting go -- */

/* Every reader has been used, and lies idle. */
static void use_all_readers(fixture *f, size_t readers)
{
    rsq_op *ops[8];

    for (size_t i = 0; i < readers; i++)
        ops[i] = op_submitted(f, "SELECT n FROM foreign_counter WHERE n < 0 OR EXISTS (" ENDLESS ")", NULL, 0,
                              NULL);
    await_held(f, readers);
    for (size_t i = 0; i < readers; i++)
        endless_stop(ops[i]);
}

/* Idle readers let their snapshots go in time: a checkpoint of another process that needs all readers gone
 * succeeds, with nothing else happening here; the quickest of them soon. */
static void idle_readers_let_go(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 4};
    double quickest = FIXTURE_DEADLINE_MS;

    start(f, &opts);
    for (int i = 0; i < 3; i++) {
        uint64_t began;
        double ms;
        char *end;

        use_all_readers(f, 4);
        began = now_ns();
        assert_true(peer_value("+") > 0);
        assert_true(strtol(peer_ask("C 20000"), &end, 10) > 0);
        ms = ms_since(began);
        print_message("# the checkpoint succeeded after %.1f ms, at try %ld\n", ms,
                      strtol(peer_said(), NULL, 10));
        quickest = ms < quickest ? ms : quickest;
    }
    assert_true(quickest < 100 + 1000 * SLOWNESS);
    EXPECT_ROWS(f, COUNTER, "3");
}

/* How long is an option: with a minute there is still somebody in the way; without kept snapshots nobody is,
 * once the readers that were just stopped are back. */
static void how_long_is_an_option(void **state)
{
    fixture *f = *state;
    const rsq_open_options settings[] = {
        {.size = sizeof(rsq_open_options), .readers = 2, .keep_snapshot_ms = 60000},
        {.size = sizeof(rsq_open_options), .readers = 2, .flags = RSQ_OPEN_NO_KEPT_SNAPSHOTS},
    };

    for (size_t i = 0; i < LENGTH(settings); i++) {
        start(f, &settings[i]);
        use_all_readers(f, 2);
        assert_int_equal(peer_value("+"), 1);
        if (i == 0)
            assert_int_equal(peer_value("c"), 1);
        else
            assert_true(peer_value("C 20000") > 0);
        EXPECT_ROWS(f, COUNTER, "1");
        assert_int_equal(peer_value("+"), 2);
        EXPECT_ROWS(f, COUNTER, "2");
        fixture_close(f); /* ends them in any case */
        assert_int_equal(peer_value("c"), 0);
        assert_int_equal(peer_stop(), 0);
        remove(f->path);
    }
}

/* The writer of this process has idle readers let go at once when its log is to be copied: with snapshots
 * kept for ever, and a read on every reader again and again, the log stays below what the README promises,
 * however late the checkpointer's thread comes to run. */
static void log_stays_small(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 2, .keep_snapshot_ms = 600000};
    char *log = fixture_file(f, "test.db-wal");
    int64_t largest = 0, written = 0;
    struct stat st;

    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)");
    for (int64_t i = 0; i < 12000; i++) {
        rsq_value id = rsq_integer(i % 100);

        WANT(f, RSQ_OK,
             rsq_execute(f->db, "INSERT OR REPLACE INTO t VALUES (?, zeroblob(16000))", &id, 1, NULL, NULL,
                         &f->err));
        written += 16000;
        assert_int_equal(INTEGER(f, "SELECT count(*) FROM t"), i < 100 ? i + 1 : 100);
        assert_int_equal(stat(log, &st), 0);
        largest = st.st_size > largest ? st.st_size : largest;
    }
    print_message("# %" PRId64 " KB written, the log had at most %" PRId64 " KB\n", written / 1024,
                  largest / 1024);
    assert_true(largest < 64 << 20);
    assert_true(largest < written / 2);
    free(log);
}

/* ------------------------------------------------------- the same answers with and without -- */

/* What a run answered, as text. */
typedef struct transcript {
    char *bytes;
    size_t len, size;
} transcript;

static void write_down(transcript *t, const char *what, const char *text)
{
    size_t need = strlen(what) + strlen(text) + sizeof ": \n";

    if (t->len + need > t->size) {
        t->size = 2 * (t->len + need);
        t->bytes = realloc(t->bytes, t->size);
        assert_non_null(t->bytes);
    }
    t->len += (size_t)snprintf(t->bytes + t->len, need, "%s: %s\n", what, text);
}

/* The outcome of a call: its rows or its code, and its commit number less the first one. */
static void write_outcome(transcript *t, const char *what, rsq_code code, rsq_result *r, uint64_t first)
{
    char number[32];
    char *rows;

    if (code != RSQ_OK) {
        write_down(t, what, rsq_code_name(code));
        return;
    }
    rows = fixture_dump(r);
    write_down(t, what, rsq_result_json(r, NULL) ? rsq_result_json(r, NULL) : rows);
    free(rows);
    snprintf(number, sizeof number, "%" PRIu64, rsq_result_commit_seq(r) - first);
    write_down(t, "commit", number);
    rsq_result_unref(r);
}

static const char *const PLAN_READS[] = {
    "SELECT * FROM own ORDER BY id",
    "SELECT count(*), sum(v), max(id) FROM own",
    COUNTER,
    "SELECT o.id, c.n FROM own o, foreign_counter c ORDER BY o.id LIMIT 3",
    "SELECT name, sql FROM sqlite_schema ORDER BY name",
    "SELECT * FROM extra ORDER BY 1",
    FAILS_IN_ROW_50,
    "SELECT 1",
};

static const char *const PLAN_WRITES[] = {
    "INSERT INTO own(v) SELECT max(v) + 1 FROM own",
    "UPDATE own SET v = v + 1000",
    "DELETE FROM own WHERE id = (SELECT max(id) FROM own WHERE id > 2)",
    "INSERT INTO own VALUES (1, 1)",
    "CREATE TABLE IF NOT EXISTS extra(a, b DEFAULT 'b')",
    "INSERT INTO extra(a) VALUES (random() * 0)",
    "ALTER TABLE extra ADD COLUMN c DEFAULT 'c'",
    "DROP TABLE IF EXISTS extra",
};

static void plan_step(fixture *f, transcript *t, uint64_t *seed, uint64_t first)
{
    uint64_t dice = fixture_random(seed);
    const char *read = PLAN_READS[(dice >> 8) % LENGTH(PLAN_READS)];
    const char *write = PLAN_WRITES[(dice >> 16) % LENGTH(PLAN_WRITES)];
    const rsq_query queries[] = {{.sql = read}, {.sql = COUNTER}};
    rsq_result *r = NULL, *both[2] = {0};
    rsq_code code;

    switch (dice % 10) {
    case 0:
    case 1:
        write_down(t, "peer", peer_ask("+"));
        break;
    case 2:
        write_down(t, "peer", peer_ask("UPDATE own SET v = v + 100000 WHERE id = 2"));
        break;
    case 3:
    case 4:
        code = rsq_execute(f->db, write, NULL, 0, NULL, &r, NULL);
        write_outcome(t, write, code, r, code == RSQ_OK && rsq_result_commit_seq(r) ? first : 0);
        break;
    case 5:
        code = rsq_select_json(f->db, read, NULL, 0, NULL, &r, NULL);
        write_outcome(t, read, code, r, first);
        break;
    case 6:
        code = rsq_select_all(f->db, queries, 2, NULL, both, NULL);
        write_outcome(t, read, code, both[0], first);
        write_outcome(t, COUNTER, code, both[1], first);
        break;
    default:
        code = rsq_select(f->db, read, NULL, 0, NULL, &r, NULL);
        write_outcome(t, read, code, r, first);
        break;
    }
}

static transcript run_plan(fixture *f, const rsq_open_options *opts, uint64_t seed)
{
    transcript t = {0};
    rsq_result *r = NULL;
    uint64_t first;

    start(f, opts);
    WANT(f, RSQ_OK, rsq_select(f->db, COUNTER, NULL, 0, NULL, &r, &f->err));
    first = rsq_result_commit_seq(r);
    rsq_result_unref(r);
    for (int i = 0; i < 1500; i++)
        plan_step(f, &t, &seed, first);
    fixture_close(f);
    assert_int_equal(peer_stop(), 0);
    remove(f->path);
    return t;
}

/* One random plan of reads and writes in both processes, with each way to keep snapshots: all answers,
 * errors and commit numbers are the same. */
static void same_answers_with_and_without(void **state)
{
    fixture *f = *state;
    uint64_t seed = fixture_seed("same_answers_with_and_without");
    const rsq_open_options settings[] = {
        {.size = sizeof(rsq_open_options), .readers = 2, .flags = RSQ_OPEN_NO_KEPT_SNAPSHOTS},
        {.size = sizeof(rsq_open_options), .readers = 2},
        {.size = sizeof(rsq_open_options), .readers = 2, .keep_snapshot_ms = 1},
    };
    transcript expected = run_plan(f, &settings[0], seed);

    for (size_t i = 1; i < LENGTH(settings); i++) {
        transcript got = run_plan(f, &settings[i], seed);

        for (size_t at = 0; at <= got.len; at++) {
            if (got.bytes[at] != expected.bytes[at])
                fail_msg("settings %zu: \"%.200s\" instead of \"%.200s\"", i, got.bytes + at,
                         expected.bytes + at);
        }
        free(got.bytes);
    }
    print_message("# %zu bytes of answers\n", expected.len);
    free(expected.bytes);
}

/* ------------------------------------------------------------------------ several queries -- */

#define ACCOUNTS "SELECT sum(v) FROM own"
#define TOTAL 10000

typedef struct bank {
    fixture *f;
    verdict verdict;
    atomic_bool over;
    atomic_size_t moved; /* reads that saw another state than the one before them */
} bank;

static rsq_code transfer(rsq_tx *tx, void *ctx)
{
    rsq_code code = rsq_tx_execute(tx, "UPDATE a SET v = v - 1", NULL, 0, NULL, NULL, NULL);

    (void)ctx;
    return code == RSQ_OK ? rsq_tx_execute(tx, "UPDATE b SET v = v + 1", NULL, 0, NULL, NULL, NULL) : code;
}

static const rsq_query BANK_QUERIES[] = {{.sql = "SELECT v FROM a"},
                                         {.sql = COUNT_TO("100")},
                                         {.sql = "SELECT v FROM b"},
                                         {.sql = "SELECT v FROM a"}};

static int64_t check_bank(bank *x, rsq_result *const *r)
{
    int64_t a = rsq_result_int64(r[0], 0, 0);

    BLAME(&x->verdict, a + rsq_result_int64(r[2], 0, 0) == TOTAL, NULL);
    BLAME(&x->verdict, a == rsq_result_int64(r[3], 0, 0), NULL);
    for (size_t i = 1; i < LENGTH(BANK_QUERIES); i++)
        BLAME(&x->verdict, rsq_result_commit_seq(r[i]) == rsq_result_commit_seq(r[0]), NULL);
    for (size_t i = 0; i < LENGTH(BANK_QUERIES); i++)
        rsq_result_unref(r[i]);
    return a;
}

static rsq_code read_bank(bank *x, bool async, rsq_result **r)
{
    rsq_op *op = NULL;
    rsq_code code;

    if (!async)
        return rsq_select_all(x->f->db, BANK_QUERIES, LENGTH(BANK_QUERIES), NULL, r, NULL);
    code = rsq_select_all_async(x->f->db, BANK_QUERIES, LENGTH(BANK_QUERIES), NULL, &op);
    if (code == RSQ_OK)
        code = rsq_op_wait(op, FIXTURE_DEADLINE_MS);
    if (code == RSQ_OK)
        code = rsq_op_status(op);
    for (size_t i = 0; code == RSQ_OK && i < LENGTH(BANK_QUERIES); i++)
        r[i] = rsq_op_take_result(op);
    rsq_op_free(op);
    return code;
}

static void bank_thread(size_t index, void *ctx)
{
    bank *x = ctx;
    int64_t last = TOTAL;

    if (index == 0) {
        for (int i = 0; i < 1500; i++)
            BLAME(&x->verdict, rsq_transaction(x->f->db, transfer, NULL, NULL, NULL) == RSQ_OK, NULL);
        atomic_store(&x->over, true);
        return;
    }
    while (!atomic_load(&x->over)) {
        rsq_result *r[LENGTH(BANK_QUERIES)] = {0};
        rsq_code code = read_bank(x, index % 2, r);
        int64_t a;

        BLAME(&x->verdict, code == RSQ_OK, NULL);
        if (code != RSQ_OK)
            return;
        a = check_bank(x, r);
        if (a != last)
            atomic_fetch_add(&x->moved, 1);
        last = a;
    }
}

/* P02: the queries of one call see one commit, whatever a writer does between them; blocking and
 * asynchronous. */
static void several_queries_see_one_commit(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 3};
    bank x = {.f = f};

    fixture_open(f, &opts);
    EXEC(f, "CREATE TABLE a(v)");
    EXEC(f, "CREATE TABLE b(v)");
    EXEC(f, "INSERT INTO a VALUES (10000)");
    EXEC(f, "INSERT INTO b VALUES (0)");
    verdict_init(&x.verdict);
    crew_run(4, bank_thread, &x);
    VERDICT(&x.verdict);
    print_message("# %zu different states seen\n", atomic_load(&x.moved));
    assert_true(atomic_load(&x.moved) > 0);
}

static const struct {
    const char *sql;
    rsq_code code;
} wrong_queries[] = {
    {"SELECT absent", RSQ_ESQL}, {"DELETE FROM own", RSQ_EREADONLY},
    {"COMMIT", RSQ_EREFUSED},    {"", RSQ_EINVAL},
    {"SELECT ?", RSQ_EINVAL},    {FAILS_IN_ROW_50, RSQ_ESQL},
};

/* The query that fails is named by its index, also if it is the only one, and its error is that of
 * rsq_select(). The same reader then answers all of them. */
static void the_failed_query_is_named(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};

    fixture_open(f, &opts);
    make_counter(f);
    for (size_t i = 0; i < LENGTH(wrong_queries); i++) {
        for (size_t count = 1; count <= 3; count++) {
            rsq_query queries[3] = {{.sql = ACCOUNTS}, {.sql = COUNTER}, {.sql = "SELECT 3"}};
            rsq_result *r[3] = {0};
            size_t which = i % count;

            queries[which].sql = wrong_queries[i].sql;
            WANT(f, wrong_queries[i].code, rsq_select_all(f->db, queries, count, NULL, r, &f->err));
            if (f->err.row != (int64_t)which)
                fail_msg("%s as query %zu of %zu: row is %" PRId64, wrong_queries[i].sql, which, count,
                         f->err.row);
            queries[which].sql = ACCOUNTS;
            WANT(f, RSQ_OK, rsq_select_all(f->db, queries, count, NULL, r, &f->err));
            EXPECT_RESULT(r[which], "3");
            for (size_t k = 0; k < count; k++)
                rsq_result_unref(r[k]);
        }
    }
}

/* Out parameters are written on success only: after a failure the results are as they were. */
static void failure_hands_over_nothing(void **state)
{
    fixture *f = *state;
    rsq_result *const untouched = (rsq_result *)(uintptr_t)16;

    fixture_open(f, NULL);
    make_counter(f);
    for (size_t i = 0; i < LENGTH(wrong_queries); i++) {
        rsq_query queries[3] = {{.sql = ACCOUNTS}, {.sql = COUNTER}, {.sql = "SELECT 3"}};
        rsq_result *r[3] = {untouched, untouched, untouched};

        queries[i % 3].sql = wrong_queries[i].sql;
        WANT(f, wrong_queries[i].code, rsq_select_all(f->db, queries, 3, NULL, r, &f->err));
        for (size_t k = 0; k < 3; k++)
            assert_ptr_equal(r[k], untouched);
    }
}

/* What is wrong with the call. */
static void wrong_arguments(void **state)
{
    fixture *f = *state;
    rsq_query queries[2] = {{.sql = "SELECT 1"}, {.sql = "SELECT 2 garbage", .sql_len = 8}};
    const rsq_value nowhere = {.type = RSQ_BLOB, .len = 1};
    rsq_result *r[2] = {0};

    fixture_open(f, NULL);
    WANT(f, RSQ_EINVAL, rsq_select_all(NULL, queries, 2, NULL, r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_select_all(f->db, NULL, 2, NULL, r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_select_all(f->db, queries, 0, NULL, r, &f->err));
    WANT(f, RSQ_EINVAL, rsq_select_all(f->db, queries, 2, NULL, NULL, &f->err));
    WANT(f, RSQ_EINVAL, rsq_select_all(f->db, queries, SIZE_MAX, NULL, r, &f->err));
    WANT(f, RSQ_OK, rsq_select_all(f->db, queries, 2, NULL, r, &f->err));
    EXPECT_RESULT(r[0], "1");
    EXPECT_RESULT(r[1], "2");
    rsq_result_unref(r[0]);
    rsq_result_unref(r[1]);
    queries[1] = (rsq_query){.sql = NULL};
    WANT(f, RSQ_EINVAL, rsq_select_all(f->db, queries, 2, NULL, r, &f->err));
    assert_int_equal(f->err.row, 1);
    queries[1] = (rsq_query){.sql = "SELECT ?", .params = &nowhere, .nparams = 1};
    WANT(f, RSQ_EINVAL, rsq_select_all(f->db, queries, 2, NULL, r, &f->err));
    assert_int_equal(f->err.row, 1);
    WANT_CODE(RSQ_OK, rsq_close(f->db));
    WANT(f, RSQ_ECLOSED, rsq_select_all(f->db, queries, 1, NULL, r, &f->err));
}

static rsq_code insert_and_read_all(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    const rsq_query queries[] = {{.sql = "SELECT count(*) FROM own"},
                                 {.sql = "SELECT v FROM own WHERE id = 50"}};
    const rsq_query wrong[] = {{.sql = "SELECT 1"}, {.sql = "SELECT absent"}};
    rsq_result *r[2] = {0};
    rsq_code code = rsq_tx_execute(tx, "INSERT INTO own VALUES (50, 500)", NULL, 0, NULL, NULL, &f->err);

    if (code == RSQ_OK && rsq_select_all(f->db, wrong, 2, NULL, r, &f->err) != RSQ_ESQL)
        code = RSQ_EPENDING;
    if (code == RSQ_OK && f->err.row != 1)
        code = RSQ_EPENDING;
    if (code == RSQ_OK)
        code = rsq_select_all(f->db, queries, 2, NULL, r, &f->err);
    if (code == RSQ_OK && (rsq_result_int64(r[0], 0, 0) != 3 || rsq_result_int64(r[1], 0, 0) != 500))
        code = RSQ_EPENDING;
    rsq_result_unref(r[0]);
    rsq_result_unref(r[1]);
    return code;
}

/* P02: inside a transaction they see its rows; the transaction survives a query that fails. */
static void several_queries_in_a_transaction(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    make_counter(f);
    WANT_CODE(RSQ_OK, rsq_transaction(f->db, insert_and_read_all, f, NULL, NULL));
    EXPECT_ROWS(f, "SELECT v FROM own WHERE id = 50", "500");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(no_read_is_stale),
        CASE(other_settings),
        CASE(attached_database),
        CASE(read_only),
        CASE(numbers_and_values_agree),
        CASE(idle_readers_let_go),
        CASE(how_long_is_an_option),
        CASE(log_stays_small),
        CASE(same_answers_with_and_without),
        CASE(several_queries_see_one_commit),
        CASE(the_failed_query_is_named),
        CASE(failure_hands_over_nothing),
        CASE(wrong_arguments),
        CASE(several_queries_in_a_transaction),
    };

    return cmocka_run_group_tests_name("snapshots", tests, NULL, NULL);
}
