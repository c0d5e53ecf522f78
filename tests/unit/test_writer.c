/* The order of what follows a commit: its writes are answered after the sink was told of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "exec/writer.h"

#define MEMBERS 3

typedef struct told {
    rsq_writer writer;
    /* The writer's thread, and the test's after it has waited. */
    int answered, answered_before_told, commits;
} told;

typedef struct asked {
    rsq_write write;
    rsq_request rq;
    told *to;
} asked;

static void on_commit(void *ctx, const rsq_changes *changes)
{
    told *t = ctx;

    assert_non_null(changes);
    t->commits++;
    t->answered_before_told = t->answered;
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

static void told_before_answered(void **state)
{
    told t = {.commits = 0};
    rsq_commit_sink sink = {.fn = on_commit, .ctx = &t};
    rsq_client client = {.number = 1};
    rsq_conn_config config = {.path = ":memory:", .busy_timeout_ms = 1000, .cache_bytes = 1 << 20};
    rsq_request create = {.sql = "CREATE TABLE t(a)", .sql_len = 17};
    asked writes[MEMBERS];
    rsq_seq seq;
    rsq_conn *conn;
    rsq_error err;

    (void)state;
    atomic_init(&seq.newest, 0);
    atomic_init(&seq.base, 0);
    atomic_init(&client.closing, false);
    atomic_init(&client.writes, 0);
    config.seq = &seq;
    assert_int_equal(rsq_conn_open(&config, RSQ_CONN_ONLY, &conn, &err), RSQ_OK);
    rsq_writer_init(&t.writer, &config, conn, NULL, sink);
    assert_int_equal(rsq_workers_ensure(&t.writer.workers, &err), RSQ_OK);
    assert_int_equal(rsq_writer_execute(&t.writer, &create, 1000, NULL, &err), RSQ_OK);
    assert_int_equal(t.commits, 1);
    /* With the turn held, so that they stand together in line. */
    assert_int_equal(rsq_writer_acquire(&t.writer, &client, "turn", 4, 1000, &err), RSQ_OK);
    for (int i = 0; i < MEMBERS; i++)
        ask(&writes[i], &t, &client, "INSERT INTO t VALUES (1)");
    rsq_writer_release(&t.writer);
    rsq_writer_await(&t.writer, &client);
    assert_int_equal(t.answered, MEMBERS);
    assert_int_equal(t.commits, 2);
    assert_int_equal(t.answered_before_told, 0);
    for (int i = 0; i < MEMBERS; i++) {
        assert_int_equal(writes[i].write.member.code, RSQ_OK);
        rsq_result_unref(writes[i].write.member.result);
    }
    rsq_writer_stop(&t.writer);
    rsq_writer_finish(&t.writer);
    rsq_writer_fini(&t.writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(told_before_answered),
    };

    return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
