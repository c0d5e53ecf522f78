/*
 * The pool of readers: a connection that an error left in doubt is not leased again, and the one that takes
 * its place is counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "exec/readers.h"
#include "sql/internal.h"

typedef struct pool {
    char path[64];
    rsq_seq seq;
    rsq_conn_config config;
    rsq_conn *writer; /* owned; has made the file */
    rsq_readers readers;
} pool;

static int setup(void **state)
{
    pool *p = calloc(1, sizeof *p);
    int fd;

    assert_non_null(p);
    snprintf(p->path, sizeof p->path, "/tmp/rsq-readers-XXXXXX");
    fd = mkstemp(p->path);
    assert_true(fd >= 0);
    close(fd);
    p->config =
        (rsq_conn_config){.path = p->path, .busy_timeout_ms = 1000, .page_size = 4096, .seq = &p->seq};
    p->config.synchronous = RSQ_SYNC_NORMAL;
    p->config.cache_bytes = 1 << 20;
    assert_int_equal(rsq_conn_open(&p->config, RSQ_CONN_WRITER, &p->writer, NULL), RSQ_OK);
    rsq_readers_init(&p->readers, &p->config, 2, 100, 0);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    pool *p = *state;

    rsq_readers_stop(&p->readers);
    rsq_readers_fini(&p->readers);
    rsq_conn_close(p->writer);
    (void)unlink(p->path);
    free(p);
    return 0;
}

static rsq_reader *leased(pool *p)
{
    rsq_reader *r = NULL;

    assert_int_equal(rsq_readers_acquire(&p->readers, NULL, "SELECT 1", 8, 1000, &r, NULL), RSQ_OK);
    assert_non_null(r->conn);
    return r;
}

/* Opening for the first time is not counted, nor is a reader that comes back well. */
static void healthy_readers_are_not_counted(void **state)
{
    pool *p = *state;
    rsq_reader *a = leased(p), *b = leased(p);

    rsq_readers_release(&p->readers, a);
    rsq_readers_release(&p->readers, b);
    for (int i = 0; i < 10; i++)
        rsq_readers_release(&p->readers, leased(p));
    assert_int_equal(rsq_readers_reopened(&p->readers), 0);
}

/* One in doubt is closed, opened anew when it is needed, and counted then, once. */
static void broken_readers_are_counted(void **state)
{
    pool *p = *state;
    rsq_reader *a = leased(p), *b = leased(p);

    for (uint64_t times = 1; times <= 3; times++) {
        a->conn->broken = true;
        rsq_readers_release(&p->readers, a);
        assert_null(a->conn);
        assert_int_equal(rsq_readers_reopened(&p->readers), times - 1);
        a = leased(p);
        assert_false(a->conn->broken);
        assert_int_equal(rsq_readers_reopened(&p->readers), times);
    }
    rsq_readers_release(&p->readers, a);
    rsq_readers_release(&p->readers, b);
    rsq_readers_release(&p->readers, leased(p));
    assert_int_equal(rsq_readers_reopened(&p->readers), 3);
}

/* While it cannot be opened, the call says why and the place waits for the next one. */
static void place_that_cannot_be_opened(void **state)
{
    pool *p = *state;
    rsq_reader *a = leased(p), *none = NULL;
    char name[sizeof p->path + 8];
    rsq_error err;

    snprintf(name, sizeof name, "%s-away", p->path);
    a->conn->broken = true;
    rsq_readers_release(&p->readers, a);
    assert_int_equal(rename(p->path, name), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(rsq_readers_acquire(&p->readers, NULL, "SELECT 1", 8, 1000, &none, &err),
                         RSQ_ECANTOPEN);
    assert_int_equal(rename(name, p->path), 0);
    assert_int_equal(rsq_readers_reopened(&p->readers), 0);
    a = leased(p);
    none = leased(p);
    assert_int_equal(rsq_readers_reopened(&p->readers), 1);
    rsq_readers_release(&p->readers, a);
    rsq_readers_release(&p->readers, none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(healthy_readers_are_not_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_readers_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(place_that_cannot_be_opened, setup, teardown),
    };

    return cmocka_run_group_tests_name("readers", tests, NULL, NULL);
}
