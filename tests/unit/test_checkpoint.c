/* A checkpoint that meets a commit: SQLite gives it up, though it would only have to look again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conn.h"

typedef struct place {
    char dir[64], path[96];
    rsq_seq seq;
    rsq_conn_config config;
    rsq_conn *writer, *checkpointer; /* owned */
    int (*sleep)(sqlite3_vfs *vfs, int us);
    volatile char *torn; /* a byte of the first copy of the log's header, changed; NULL: it is whole */
    int sleeps;
} place;

static place the_place;

/* In the time that the checkpoint would sleep the commit goes on. */
static int mend_instead(sqlite3_vfs *vfs, int us)
{
    place *p = &the_place;

    (void)vfs;
    p->sleeps++;
    if (p->torn)
        *p->torn ^= 1;
    p->torn = NULL;
    return us;
}

static int setup(void **state)
{
    place *p = &the_place;

    *p = (place){.dir = "/tmp/rsq-checkpoint-XXXXXX"};
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof p->path, "%s/db", p->dir);
    p->config = test_config(p->path, &p->seq);
    assert_int_equal(rsq_conn_open(&p->config, RSQ_CONN_WRITER, &p->writer, NULL), RSQ_OK);
    assert_int_equal(rsq_conn_open(&p->config, RSQ_CONN_CHECKPOINTER, &p->checkpointer, NULL), RSQ_OK);
    assert_int_equal(execute_sql(p->writer, "CREATE TABLE t(v)"), RSQ_OK);
    assert_int_equal(execute_sql(p->writer, "INSERT INTO t VALUES (1)"), RSQ_OK);
    p->sleep = sqlite3_vfs_find(NULL)->xSleep;
    sqlite3_vfs_find(NULL)->xSleep = mend_instead;
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    place *p = *state;

    sqlite3_vfs_find(NULL)->xSleep = p->sleep;
    rsq_conn_close(p->checkpointer);
    rsq_conn_close(p->writer);
    (void)remove(p->path);
    return rmdir(p->dir);
}

/* Half of the header is written, by somebody who has the write lock. */
static void begin_to_commit(place *p)
{
    assert_true(p->writer->walindex.mapped);
    assert_int_equal(rsq_conn_begin(p->writer, 0, NULL), RSQ_OK);
    p->torn = (volatile char *)(uintptr_t)p->writer->walindex.entries[0].live + 8;
    *p->torn ^= 1;
}

static void it_gets_past_a_commit(void **state)
{
    place *p = *state;
    rsq_log_figures log = {0};
    rsq_error err;

    begin_to_commit(p);
    assert_int_equal(rsq_conn_checkpoint(p->checkpointer, RSQ_CHECKPOINT_PASSIVE, 20000, &log, &err), RSQ_OK);
    assert_int_equal(p->sleeps, 1);
    assert_true(log.pages > 0 && log.copied == log.pages);
    rsq_conn_rollback(p->writer);
}

/* It need not wait. */
static void without_time_it_says_busy(void **state)
{
    place *p = *state;
    rsq_log_figures log = {0};
    rsq_error err;

    begin_to_commit(p);
    assert_int_equal(rsq_conn_checkpoint(p->checkpointer, RSQ_CHECKPOINT_PASSIVE, 0, &log, &err), RSQ_EBUSY);
    assert_int_equal(p->sleeps, 0);
    *p->torn ^= 1;
    rsq_conn_rollback(p->writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_gets_past_a_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(without_time_it_says_busy, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
