/*
 * Commits of other processes and of other handles: noticed by live queries, soon, without a commit of this
 * one, and without waking anybody for commits of this one.
 */
#include "async_fixture.h"
#include "peer.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define COUNTER "SELECT n FROM foreign_counter"

static int teardown(void **state)
{
    bool stopped = !peer_runs() || peer_stop() == 0;

    return fixture_teardown(state) == 0 && stopped ? 0 : -1;
}

#undef CASE
#define CASE(function) cmocka_unit_test_setup_teardown(function, fixture_setup, teardown)

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void start(fixture *f, const rsq_open_options *opts)
{
    fixture_open(f, opts);
    fixture_canary(f);
    EXEC(f, "CREATE TABLE foreign_counter(n INTEGER)");
    EXEC(f, "INSERT INTO foreign_counter VALUES (0)");
    EXEC(f, "CREATE TABLE own(id INTEGER PRIMARY KEY, v)");
    EXEC(f, "INSERT INTO own VALUES (1, 1), (2, 2)");
    peer_start(f->path);
}

static void expect_number(probe *p, int64_t n)
{
    char expected[32];

    snprintf(expected, sizeof expected, "%lld", (long long)n);
    EXPECT_EVENT(p, expected);
}

static void expect_to_reach(probe *p, int64_t n)
{
    char expected[32];

    snprintf(expected, sizeof expected, "%lld", (long long)n);
    EXPECT_REACHES(p, expected);
}

/* Each commit of the other process is an event, with its number, though nothing is done here; the quickest of
 * them within 20 ms, where no sanitizer makes it slow. */
static void noticed(void **state)
{
    fixture *f = *state;
    int64_t best_us = INT64_MAX;
    probe *p;

    start(f, NULL);
    p = WATCH(f, COUNTER);
    EXPECT_EVENT(p, "0");
    for (int i = 1; i <= 20; i++) {
        int64_t began_us, took_us;

        assert_int_equal(peer_value("+"), i);
        began_us = now_us();
        expect_number(p, i);
        took_us = now_us() - began_us;
        if (took_us < best_us)
            best_us = took_us;
    }
    print_message("# quickest %lld us\n", (long long)best_us);
    assert_true(best_us <= 20000 * SLOWNESS);
    EXPECT_QUIET(p);
}

/* What changes nothing is no commit: the next real one is the only one that wakes. */
static void nothing_is_not_noticed(void **state)
{
    fixture *f = *state;
    rsq_stream_counters before, after;
    probe *p;

    start(f, NULL);
    p = WATCH(f, COUNTER);
    EXPECT_EVENT(p, "0");
    expect_number(p, peer_value("+"));
    before = probe_stats(p);
    for (int i = 0; i < 20; i++) {
        peer_ask("0");
        peer_ask("-");
    }
    expect_number(p, peer_value("+"));
    after = probe_stats(p);
    assert_int_equal(after.woken, before.woken + 1);
}

/* Commit again and again; how long the longest of them took. */
static int64_t write_for_a_while(fixture *f)
{
    int64_t began_us = now_us(), before_us = began_us, longest_us = 0;

    while (before_us < began_us + 300000) {
        int64_t took_us;

        EXEC(f, "UPDATE own SET v = v + 1");
        took_us = now_us() - before_us;
        before_us += took_us;
        longest_us = took_us > longest_us ? took_us : longest_us;
    }
    return longest_us;
}

/* Commits of this handle are not taken for somebody else's, in whatever moment it looks; but one whose thread
 * was away for a tenth of a second before it could tell of it may be, so then there is another attempt. */
static void own_commits_are_own(void **state)
{
    fixture *f = *state;
    uint64_t woken = 0;
    bool own = false;
    probe *p;

    start(f, NULL);
    p = WATCH(f, COUNTER);
    EXPECT_EVENT(p, "0");
    EXPECT_QUIET(p);
    for (int i = 0; i < 50 && !own; i++) {
        int64_t longest_us = write_for_a_while(f);
        uint64_t before = woken;

        EXPECT_QUIET(p);
        woken = probe_stats(p).woken;
        own = woken == before;
        assert_true(own || longest_us >= 50000);
    }
    assert_true(own);
    expect_number(p, peer_value("+"));
}

/* Both write, and every event comes; the other one's number is higher each time. */
static void both_write(void **state)
{
    fixture *f = *state;
    probe *theirs, *own;

    start(f, NULL);
    theirs = WATCH(f, COUNTER);
    own = WATCH(f, "SELECT v FROM own WHERE id = 1");
    EXPECT_EVENT(theirs, "0");
    EXPECT_EVENT(own, "1");
    for (int i = 1; i <= 30; i++) {
        EXEC(f, "UPDATE own SET v = v + 1 WHERE id = 1");
        assert_int_equal(peer_value("+"), i);
        EXEC(f, "UPDATE own SET v = v + 1 WHERE id = 2");
        expect_number(theirs, i);
        expect_number(own, i + 1);
    }
    /* Each of the other's commits wakes once, by whichever of the two ways it is noticed first. */
    assert_true(probe_stats(theirs).woken <= 60);
}

/* Without looking, they are noticed with the next commit of one's own. */
static void not_looked_for(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .flags = RSQ_OPEN_NO_EXTERNAL_WRITERS};
    probe *p;

    start(f, &opts);
    p = WATCH(f, COUNTER);
    EXPECT_EVENT(p, "0");
    assert_int_equal(peer_value("* 5"), 5);
    EXEC(f, "UPDATE own SET v = v + 1");
    EXPECT_EVENT(p, "5");
    EXPECT_QUIET(p);
}

/* A change of the schema by somebody else: other columns, a view of another table, a table that goes. */
static void schema_of_somebody_else(void **state)
{
    fixture *f = *state;
    probe *star, *view;

    start(f, NULL);
    EXEC(f, "CREATE VIEW seen AS SELECT v FROM own WHERE id = 1");
    star = WATCH(f, "SELECT * FROM own WHERE id = 2");
    view = WATCH(f, "SELECT * FROM seen");
    EXPECT_EVENT(star, "2|2");
    EXPECT_EVENT(view, "1");
    peer_ask("ALTER TABLE own ADD COLUMN extra DEFAULT 'new'");
    EXPECT_EVENT(star, "2|2|'new'");
    peer_ask("DROP VIEW seen");
    EXPECT_ERROR(view);
    peer_ask("CREATE VIEW seen AS SELECT n FROM foreign_counter");
    EXPECT_EVENT(view, "0");
    EXEC(f, "UPDATE foreign_counter SET n = 77");
    EXPECT_EVENT(view, "77");
    EXPECT_QUIET(star);
}

/* The same right after the first stream is opened, before it was looked for the first time: then nobody knows
 * the schema in which the stream found out what it reads. */
static void schema_before_the_first_look(void **state)
{
    static const char *const views[] = {
        "BEGIN; DROP VIEW seen; CREATE VIEW seen AS SELECT n FROM foreign_counter; COMMIT",
        "BEGIN; DROP VIEW seen; CREATE VIEW seen AS SELECT v FROM own WHERE id = 1; COMMIT",
    };
    static const char *const writes[] = {"UPDATE foreign_counter SET n = n + 1",
                                         "UPDATE own SET v = v + 1 WHERE id = 1"};
    fixture *f = *state;
    int n[2] = {100, 200};

    start(f, NULL);
    EXEC(f, "UPDATE foreign_counter SET n = 100");
    EXEC(f, "UPDATE own SET v = 200");
    EXEC(f, "CREATE VIEW seen AS SELECT v FROM own WHERE id = 1");
    for (int i = 0; i < 10; i++) {
        probe *p;

        fixture_close(f);
        f->db = fixture_open_path(f, f->path, NULL);
        p = WATCH(f, "SELECT * FROM seen");
        expect_number(p, n[1 - i % 2]);
        peer_ask(views[i % 2]);
        expect_number(p, n[i % 2]);
        EXEC(f, writes[i % 2]);
        expect_number(p, ++n[i % 2]);
        probe_close(p);
    }
}

/* Another handle of this process is somebody else too, and a read-only one notices as well. */
static void other_handles(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .flags = RSQ_OPEN_READONLY};
    rsq_db *other;
    probe *p;

    start(f, NULL);
    other = fixture_open_path(f, f->path, &opts);
    p = probe_open(f, other, fixture_queue(f), COUNTER, NULL, 0, __FILE__, __LINE__);
    EXPECT_EVENT(p, "0");
    EXEC(f, "UPDATE foreign_counter SET n = 3");
    EXPECT_EVENT(p, "3");
    assert_int_equal(peer_value("+"), 4);
    EXPECT_EVENT(p, "4");
    WANT_CODE(RSQ_OK, rsq_close(other));
    EXPECT_END(p);
}

/* A stream that is opened between two of the other's commits has no gap. */
static void opened_between(void **state)
{
    fixture *f = *state;

    start(f, NULL);
    for (int i = 1; i <= 30; i++) {
        probe *p;

        peer_send("+");
        p = WATCH(f, COUNTER);
        peer_answer();
        expect_to_reach(p, i);
        probe_close(p);
    }
}

/* Read until so many of its commits are there; how many events came meanwhile. */
static int read_in_the_flood(fixture *f, probe *p, int commits)
{
    int events = 0;

    while (INTEGER(f, COUNTER) < commits) {
        if (rsq_queue_wait(f->queue, 0) == RSQ_OK)
            WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 0, NULL));
        for (; p->taken < p->count; p->taken++)
            events++;
    }
    return events;
}

/* It commits as fast as it can: events go on coming, and reads here too. How many come of one flood is the
 * machine's business, which may stop the thread that looks for a while. */
static void a_flood(void **state)
{
    fixture *f = *state;
    int events = 0, commits = 0;
    probe *p;

    start(f, NULL);
    p = WATCH(f, COUNTER);
    EXPECT_EVENT(p, "0");
    for (int flood = 0; flood < 50 && events < 5; flood++) {
        commits += 20000;
        peer_send("* 20000");
        events = read_in_the_flood(f, p, commits);
        assert_int_equal(atoi(peer_answer()), commits);
    }
    assert_true(events >= 5);
    assert_int_equal(peer_value("+"), commits + 1);
    expect_to_reach(p, commits + 1);
}

#define MANY 2000

static void count_event(rsq_stream *s, const rsq_stream_event *ev, void *ctx)
{
    size_t *counts = ctx;

    (void)s;
    counts[ev->kind]++;
}

static int by_size(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* Thousands of streams run again for one foreign commit; reads of the caller's meanwhile do not wait for
 * them. */
static void many_streams_and_reads(void **state)
{
    enum { READS = 20000 };
    static int64_t took_us[READS];
    fixture *f = *state;
    rsq_stream **streams = calloc(MANY, sizeof(rsq_stream *));
    size_t counts[6] = {0}, reads = 0;
    rsq_stream_options opts = {.size = sizeof opts, .event = count_event, .ctx = counts};

    start(f, NULL);
    assert_non_null(streams);
    opts.queue = fixture_queue(f);
    for (int i = 0; i < MANY; i++) {
        rsq_value v = rsq_integer(i);

        WANT(f, RSQ_OK,
             rsq_stream_open(f->db, "SELECT n + ? FROM foreign_counter", &v, 1, &opts, &streams[i], &f->err));
    }
    while (counts[RSQ_EVENT_RESULT] < MANY) {
        WANT_CODE(RSQ_OK, rsq_queue_wait(f->queue, FIXTURE_DEADLINE_MS));
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 0, NULL));
    }
    assert_int_equal(peer_value("+"), 1);
    while (counts[RSQ_EVENT_RESULT] < 2 * MANY) {
        int64_t began_us = now_us();
        rsq_value one = rsq_integer(1);
        rsq_result *r;

        WANT(f, RSQ_OK, rsq_select(f->db, "SELECT v FROM own WHERE id = ?", &one, 1, NULL, &r, &f->err));
        rsq_result_unref(r);
        if (reads < READS)
            took_us[reads++] = now_us() - began_us;
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 16, NULL));
    }
    qsort(took_us, reads, sizeof *took_us, by_size);
    print_message("# %zu reads, p50 %lld us, p99 %lld us, longest %lld us\n", reads,
                  (long long)took_us[reads / 2], (long long)took_us[reads * 99 / 100],
                  (long long)took_us[reads - 1]);
    /* Waiting for the streams would be waiting for most of them. */
    assert_true(reads > 20);
    for (int i = 0; i < MANY; i++)
        rsq_stream_close(streams[i]);
    while (counts[RSQ_EVENT_END] < MANY) {
        WANT_CODE(RSQ_OK, rsq_queue_wait(f->queue, FIXTURE_DEADLINE_MS));
        WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 0, NULL));
    }
    free(streams);
}

/* --- what it costs a read --- */

/* Exit statuses of the child: otherwise it is the number of a system call. */
#define NO_CALL 255
#define NOT_HERE 254
#define GONE_WRONG 253

static void end_with_the_call(int signo, siginfo_t *info, void *context)
{
    (void)signo, (void)context;
    _exit(info->si_syscall < GONE_WRONG ? info->si_syscall : GONE_WRONG);
}

/* From here on each system call of this thread ends the process. Allowed are its own end; the clock, which is
 * none where a program may read it by itself; and to wait for a mutex that another thread has just now. */
static bool forbid_calls(void)
{
    static struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {LENGTH(program), program};
    struct sigaction action = {.sa_sigaction = end_with_the_call, .sa_flags = SA_SIGINFO};

    return sigaction(SIGSYS, &action, NULL) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

static bool read_often(rsq_db *db, int times)
{
    for (int64_t i = 0; i < times; i++) {
        rsq_value id = rsq_integer(i % 2 + 1);
        rsq_result *r;

        if (rsq_select(db, "SELECT v FROM own WHERE id = ?", &id, 1, NULL, &r, NULL) != RSQ_OK)
            return false;
        rsq_result_unref(r);
    }
    return true;
}

/* The first event is there before its reader is back, which the next read would take. */
static bool await_readers(rsq_db *db)
{
    rsq_counters c = {.size = sizeof c};
    rsq_code code;

    while ((code = rsq_stats(db, &c, NULL)) == RSQ_OK && c.readers_leased > 0)
        sched_yield();
    return code == RSQ_OK;
}

static void ignore(rsq_stream *stream, const rsq_stream_event *ev, void *ctx)
{
    (void)stream, (void)ev, (void)ctx;
}

static int read_without_calls(const char *path)
{
    /* So long that no snapshot of an idle reader ends meanwhile, which is another thread's doing. */
    rsq_open_options opts = {.size = sizeof opts, .keep_snapshot_ms = 3600000};
    rsq_stream_options live = {.size = sizeof live, .event = ignore};
    rsq_stream *stream;
    rsq_db *db;

    if (rsq_open(path, &opts, &db, NULL) != RSQ_OK ||
        rsq_stream_open(db, COUNTER, NULL, 0, &live, &stream, NULL) != RSQ_OK ||
        rsq_queue_wait(rsq_queue_default(db), FIXTURE_DEADLINE_MS) != RSQ_OK || !await_readers(db) ||
        !read_often(db, 3000))
        return GONE_WRONG;
    if (!forbid_calls())
        return NOT_HERE;
    return read_often(db, 3000) ? NO_CALL : GONE_WRONG;
}

/* Though commits of others are looked out for: in a process of its own, which a system call ends. */
static void a_read_makes_no_system_call(void **state)
{
    fixture *f = *state;
    int status = 0;
    pid_t child;

    if (FIXTURE_UNDER_TSAN || UNDER_ASAN)
        skip(); /* they call the system themselves */
    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE foreign_counter(n INTEGER)");
    EXEC(f, "CREATE TABLE own(id INTEGER PRIMARY KEY, v)");
    EXEC(f, "INSERT INTO own VALUES (1, 1), (2, 2)");
    fixture_close(f);
    child = fork();
    if (child == 0)
        _exit(read_without_calls(f->path));
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NOT_HERE)
        skip();
    if (WEXITSTATUS(status) != NO_CALL)
        fail_msg("system call %d", WEXITSTATUS(status));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_read_makes_no_system_call),
        CASE(noticed),
        CASE(nothing_is_not_noticed),
        CASE(own_commits_are_own),
        CASE(both_write),
        CASE(not_looked_for),
        CASE(schema_of_somebody_else),
        CASE(other_handles),
        CASE(opened_between),
        CASE(a_flood),
        CASE(many_streams_and_reads),
        CASE(schema_before_the_first_look),
    };

    return cmocka_run_group_tests_name("foreign", tests, NULL, NULL);
}
