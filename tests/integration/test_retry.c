/*
 * Live queries whose runs find no memory: each stream is told, and told the answer when there is memory
 * again, though nothing is committed.
 *
 * Allocations of all threads but the test's own fail while the fault is on: the workers' for live queries.
 * The library is linked statically, so that the linker can put the fault in front of malloc() for the library
 * and for the bundled SQLite; see test_undo.c.
 */
#include "fixture.h"

#include <stdatomic.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static _Thread_local bool is_main;
static _Atomic bool fault;
static _Atomic int failed;

static bool strikes(void)
{
    if (is_main || !atomic_load(&fault))
        return false;
    atomic_fetch_add(&failed, 1);
    return true;
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

static probe *watch_in(fixture *f, const char *sql, uint32_t mode, uint32_t group)
{
    rsq_stream_options opts;
    probe *p = probe_new(f, fixture_queue(f), &opts);

    opts.mode = mode;
    opts.group = group;
    WATCH_SET(f, p, sql, &opts);
    return p;
}

static void memory_comes_back(void **state)
{
    static const char *const sql[] = {"SELECT hex(zeroblob(value)) FROM items",
                                      "SELECT count(*), value FROM items",
                                      "SELECT id, value, hex(zeroblob(9000 + value)) FROM items"};
    fixture *f = *state;
    probe *p[6];

    is_main = true;
    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE items(id INTEGER PRIMARY KEY, value INTEGER)");
    EXEC(f, "INSERT INTO items VALUES (1, 0)");
    for (size_t i = 0; i < LENGTH(p); i++) {
        p[i] = watch_in(f, sql[i % 3], i < 3 ? RSQ_STREAM_RESULT : RSQ_STREAM_DIFFERENCE, i < 3 ? 0 : 1);
        EXPECT_KIND(p[i], RSQ_EVENT_RESULT);
    }
    for (int n = 1; n <= 5; n++) {
        rsq_value v = rsq_integer(20000 * n);

        atomic_store(&failed, 0);
        atomic_store(&fault, true);
        WANT(f, RSQ_OK, rsq_execute(f->db, "UPDATE items SET value = ?", &v, 1, NULL, NULL, &f->err));
        while (atomic_load(&failed) == 0) {
            if (rsq_queue_wait(f->queue, 0) == RSQ_OK)
                WANT_CODE(RSQ_OK, rsq_queue_dispatch(f->queue, 1, NULL));
        }
        atomic_store(&fault, false);
        /* Nothing is committed from here on. */
        for (size_t i = 0; i < LENGTH(p); i++) {
            const probe_event *e = probe_await(p[i], __FILE__, __LINE__);

            while (e->kind == RSQ_EVENT_ERROR) {
                assert_int_equal(e->error.code, RSQ_ENOMEM);
                assert_false(e->ended);
                e = probe_await(p[i], __FILE__, __LINE__);
                assert_true(e->why & RSQ_WHY_RETRY);
            }
            if (i % 3 == 1)
                assert_int_equal(rsq_result_int64(e->result, 0, 1), v.as.i);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(memory_comes_back),
    };

    return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
