/* Writes in line: the order of what follows a commit, who is waited for, and whose time is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <string.h>

#include "exec/writer.h"

#define MEMBERS 3

/* A group ends after two milliseconds, which a busy machine may take from its thread: what ought to be one
 * gets so many chances. */
#define ATTEMPTS 100

typedef struct told {
    rsq_writer writer;
    /* The writer's thread, and the test's after it has waited. */
    int answered, answered_before_told, commits;

    /* Immutable while it is open. */
    rsq_conn_config config;
    rsq_client client;
    rsq_seq seq;
    bool delays; /* the sink waits until the write behind the one that it is told of is overdue, or gone */
} told;

typedef struct asked {
    rsq_write write;
    rsq_request rq;
    told *to;
} asked;

static bool is_next_in_time(rsq_writer *w)
{
    const rsq_write *next;
    bool in_time;

    rsq_mutex_lock(&w->turn.mu);
    next = w->turn.line.first ? w->turn.line.first->next : NULL;
    in_time = next && !next->overdue;
    rsq_mutex_unlock(&w->turn.mu);
    return in_time;
}

static void on_commit(void *ctx, const rsq_changes *changes)
{
    told *t = ctx;

    (void)changes;
    t->commits++;
    t->answered_before_told = t->answered;
    while (t->delays && is_next_in_time(&t->writer))
        sched_yield();
}

static void on_done(rsq_write *write, rsq_posts *posts)
{
    asked *a = (asked *)(void *)((char *)write - offsetof(asked, write));

    (void)posts;
    a->to->answered++;
}

static void ask(asked *a, told *t, rsq_client *client, const char *sql)
{
    memset(a, 0, sizeof *a);
    a->to = t;
    a->rq = (rsq_request){.sql = sql, .sql_len = strlen(sql), .client = client};
    a->write.kind = RSQ_WRITE_STATEMENT;
    a->write.client = client;
    a->write.sql = a->rq.sql;
    a->write.sql_len = a->rq.sql_len;
    a->write.done = on_done;
    a->write.member = (rsq_member){.rq = &a->rq, .wants_result = true};
    rsq_writer_submit(&t->writer, &a->write);
}

static void setup(told *t)
{
    rsq_commit_sink sink = {.fn = on_commit, .ctx = t};
    rsq_request create = {.sql = "CREATE TABLE t(a)", .sql_len = 17};
    rsq_conn *conn;
    rsq_error err;

    memset(t, 0, sizeof *t);
    t->client.number = 1;
    atomic_init(&t->seq.newest, 0);
    atomic_init(&t->seq.base, 0);
    atomic_init(&t->client.closing, false);
    atomic_init(&t->client.writes, 0);
    t->config = (rsq_conn_config){
        .path = ":memory:", .busy_timeout_ms = 1000, .cache_bytes = 1 << 20, .seq = &t->seq};
    assert_int_equal(rsq_conn_open(&t->config, RSQ_CONN_ONLY, &conn, &err), RSQ_OK);
    rsq_writer_init(&t->writer, &t->config, conn, NULL, sink);
    assert_int_equal(rsq_workers_ensure(&t->writer.workers, &err), RSQ_OK);
    assert_int_equal(rsq_writer_execute(&t->writer, &create, 1000, NULL, &err), RSQ_OK);
    assert_int_equal(t->commits, 1);
}

static void teardown(told *t)
{
    rsq_writer_stop(&t->writer);
    rsq_writer_finish(&t->writer);
    rsq_writer_fini(&t->writer);
}

/* Whether they were one group. */
static bool tell_before_answering(void)
{
    asked writes[MEMBERS];
    rsq_error err;
    bool one_group;
    told t;

    setup(&t);
    /* With the turn held, so that they stand together in line. */
    assert_int_equal(rsq_writer_acquire(&t.writer, &t.client, "turn", 4, 1000, &err), RSQ_OK);
    for (int i = 0; i < MEMBERS; i++)
        ask(&writes[i], &t, &t.client, "INSERT INTO t VALUES (1)");
    rsq_writer_release(&t.writer);
    rsq_writer_await(&t.writer, &t.client);
    assert_int_equal(t.answered, MEMBERS);
    one_group = t.commits == 2;
    if (one_group)
        assert_int_equal(t.answered_before_told, 0);
    for (int i = 0; i < MEMBERS; i++) {
        assert_int_equal(writes[i].write.member.code, RSQ_OK);
        rsq_result_unref(writes[i].write.member.result);
    }
    teardown(&t);
    return one_group;
}

static void told_before_answered(void **state)
{
    bool one_group = false;

    (void)state;
    for (int i = 0; i < ATTEMPTS && !one_group; i++)
        one_group = tell_before_answering();
    assert_true(one_group);
}

/* --- threads --- */

typedef struct caller {
    told *t;
    const char *sql;
    uint32_t timeout_ms;
    rsq_thread thread;
    rsq_code code; /* its thread's, then who has joined it */
    atomic_bool returned;
} caller;

static void *call(void *arg)
{
    caller *c = arg;
    rsq_request rq = {.sql = c->sql, .sql_len = strlen(c->sql), .client = &c->t->client};
    rsq_error err;

    c->code = rsq_writer_execute(&c->t->writer, &rq, c->timeout_ms, NULL, &err);
    atomic_store(&c->returned, true);
    return NULL;
}

static void start(caller *c, told *t, const char *sql, uint32_t timeout_ms)
{
    *c = (caller){.t = t, .sql = sql, .timeout_ms = timeout_ms};
    atomic_init(&c->returned, false);
    assert_int_equal(rsq_thread_start(&c->thread, call, c), 0);
}

static rsq_code finish(caller *c)
{
    rsq_thread_join(c->thread);
    return c->code;
}

/* Until so many stand in line, or its time was over before. */
static void await_in_line(caller *c, size_t count)
{
    size_t seen;

    do {
        rsq_mutex_lock(&c->t->writer.turn.mu);
        seen = c->t->writer.turn.line.count;
        rsq_mutex_unlock(&c->t->writer.turn.mu);
        sched_yield();
    } while (seen < count && !atomic_load(&c->returned));
}

/* As if a long commit had just answered so many threads. */
static void expect(told *t, size_t threads, int64_t until_ns)
{
    rsq_mutex_lock(&t->writer.turn.mu);
    t->writer.turn.gather.expected = threads;
    t->writer.turn.gather.until_ns = until_ns;
    rsq_mutex_unlock(&t->writer.turn.mu);
}

/* Threads that were answered by one commit share the next one, whoever comes first. */
static bool wait_for_those_answered(void)
{
    caller callers[MEMBERS];
    bool one_group;
    told t;

    setup(&t);
    expect(&t, MEMBERS, RSQ_NO_DEADLINE);
    for (int i = 0; i < MEMBERS; i++)
        start(&callers[i], &t, "INSERT INTO t VALUES (1)", RSQ_NO_TIMEOUT);
    for (int i = 0; i < MEMBERS; i++)
        assert_int_equal(finish(&callers[i]), RSQ_OK);
    one_group = t.writer.counters.groups == 1 && t.writer.counters.members == MEMBERS;
    teardown(&t);
    return one_group;
}

static void those_answered_are_waited_for(void **state)
{
    bool one_group = false;

    (void)state;
    for (int i = 0; i < ATTEMPTS && !one_group; i++)
        one_group = wait_for_those_answered();
    assert_true(one_group);
}

/* One that comes later than that does not wait. Nor does the next group if they stayed away: it would wait in
 * vain. */
static void those_who_stay_away_are_not(void **state)
{
    caller alone;
    told t;

    (void)state;
    setup(&t);
    expect(&t, MEMBERS + 1, 0);
    start(&alone, &t, "INSERT INTO t VALUES (1)", RSQ_NO_TIMEOUT);
    assert_int_equal(finish(&alone), RSQ_OK);
    assert_int_equal(t.writer.turn.gather.expected, 0);
    assert_true(t.writer.turn.gather.skip > 0);
    assert_int_equal(t.writer.counters.groups, 0);
    teardown(&t);
}

/* --- who leaves while others wait for those who were answered --- */

typedef struct gathering {
    rsq_mutex mu;
    rsq_gather gather;
    rsq_writes line;
    rsq_write here[2];
} gathering;

/* The time of one that stands in line is over, and then that of the wait. */
static void *leave_early(void *arg)
{
    gathering *g = arg;
    bool waits;

    do {
        rsq_mutex_lock(&g->mu);
        waits = g->gather.waits;
        if (waits) {
            rsq_writes_remove(&g->line, &g->here[1]);
            g->gather.until_ns = 0;
            rsq_cond_signal(&g->gather.all_back);
        }
        rsq_mutex_unlock(&g->mu);
    } while (!waits);
    return NULL;
}

static void who_leaves_did_not_come(void **state)
{
    static gathering g;
    rsq_thread thread;

    (void)state;
    rsq_mutex_init(&g.mu);
    rsq_gather_init(&g.gather);
    rsq_writes_append(&g.line, &g.here[0]);
    rsq_writes_append(&g.line, &g.here[1]);
    g.gather.expected = 4;
    g.gather.until_ns = RSQ_NO_DEADLINE;
    assert_int_equal(rsq_thread_start(&thread, leave_early, &g), 0);
    rsq_mutex_lock(&g.mu);
    rsq_gather_wait_locked(&g.gather, &g.line, &g.mu);
    assert_true(g.gather.skip > 0);
    rsq_mutex_unlock(&g.mu);
    rsq_thread_join(thread);
    rsq_gather_fini(&g.gather);
    rsq_mutex_fini(&g.mu);
}

/* Its time ends while another's commit is under way, with which it could not be done: it must not wait on. */
static void overdue_while_taken(void **state)
{
    caller first, second;
    rsq_error err;
    told t;

    (void)state;
    setup(&t);
    assert_int_equal(rsq_writer_acquire(&t.writer, &t.client, "turn", 4, 1000, &err), RSQ_OK);
    start(&first, &t, "INSERT INTO t VALUES (1)", RSQ_NO_TIMEOUT);
    await_in_line(&first, 1);
    start(&second, &t, "CREATE TABLE never(a)", 100);
    await_in_line(&second, 2);
    t.delays = true;
    rsq_writer_release(&t.writer);
    assert_int_equal(finish(&first), RSQ_OK);
    assert_int_equal(finish(&second), RSQ_ETIMEOUT);
    assert_int_equal(t.commits, 2);
    teardown(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(told_before_answered),        cmocka_unit_test(those_answered_are_waited_for),
        cmocka_unit_test(those_who_stay_away_are_not), cmocka_unit_test(who_leaves_did_not_come),
        cmocka_unit_test(overdue_while_taken),
    };

    return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
