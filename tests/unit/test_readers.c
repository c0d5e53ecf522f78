/*
 * The pool of readers: a connection that an error left in doubt is not leased again, and the one that takes
 * its place is counted. Leases that are given without the mutex are leases like others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "exec/readers.h"
#include "random.h"

typedef struct pool {
    char path[64];
    rsq_seq seq;
    rsq_conn_config config;
    rsq_conn *writer; /* owned; has made the file */
    rsq_readers readers;
} pool;

static int setup_with(void **state, uint32_t flags)
{
    pool *p = calloc(1, sizeof *p);
    int fd;

    assert_non_null(p);
    snprintf(p->path, sizeof p->path, "/tmp/rsq-readers-XXXXXX");
    fd = mkstemp(p->path);
    assert_true(fd >= 0);
    close(fd);
    p->config = test_config(p->path, &p->seq);
    p->config.flags = flags;
    assert_int_equal(rsq_conn_open(&p->config, RSQ_CONN_WRITER, &p->writer, NULL), RSQ_OK);
    rsq_readers_init(&p->readers, &p->config, 2, 100, 0);
    *state = p;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, 0);
}

static int setup_without_shortcuts(void **state)
{
    return setup_with(state, RSQ_OPEN_NO_SHORTCUTS);
}

/* There is no keeper, which could take a spare for a moment. */
static int setup_without_keeper(void **state)
{
    return setup_with(state, RSQ_OPEN_NO_KEPT_SNAPSHOTS);
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

/* --- leases without the mutex --- */

static uint64_t direct_leases(const pool *p)
{
    uint64_t direct = 0;

    for (unsigned i = 0; i < p->readers.count; i++)
        direct += atomic_load(&p->readers.places[i].direct);
    return direct;
}

static uint64_t leases(pool *p)
{
    rsq_readers_figures f;

    rsq_readers_count(&p->readers, &f);
    return f.leases;
}

/* Only the first lease opens a connection under the mutex; a second one beside it does not find the spare. */
static void spare_is_leased_without_the_mutex(void **state)
{
    pool *p = *state;
    rsq_reader *a = leased(p), *b;

    rsq_readers_release(&p->readers, a);
    for (int i = 0; i < 10; i++) {
        assert_ptr_equal(leased(p), a);
        rsq_readers_release(&p->readers, a);
    }
    assert_int_equal(direct_leases(p), 10);
    a = leased(p);
    b = leased(p);
    assert_ptr_not_equal(a, b);
    rsq_readers_release(&p->readers, a);
    rsq_readers_release(&p->readers, b);
    assert_int_equal(direct_leases(p), 11);
    assert_int_equal(leases(p), 13);
}

static void spare_is_not_used(void **state)
{
    pool *p = *state;

    for (int i = 0; i < 10; i++)
        rsq_readers_release(&p->readers, leased(p));
    assert_int_equal(direct_leases(p), 0);
    assert_int_equal(leases(p), 10);
}

/* Who must know all leases counts, names and outlasts one that was given without the mutex. */
static void direct_lease_is_seen(void **state)
{
    pool *p = *state;
    rsq_readers_figures f;
    char text[160] = "";
    rsq_reader *a;

    rsq_readers_release(&p->readers, leased(p));
    a = leased(p);
    assert_int_equal(direct_leases(p), 1);
    rsq_readers_count(&p->readers, &f);
    assert_int_equal(f.leased, 1);
    assert_int_equal(f.open, 1);
    assert_string_equal(f.oldest, "SELECT 1");
    rsq_readers_describe(&p->readers, text, sizeof text);
    assert_non_null(strstr(text, "\"SELECT 1\""));
    assert_false(rsq_readers_outlast(&p->readers, NULL, rsq_now_ns()));
    assert_false(rsq_readers_pause(&p->readers, 0));
    rsq_readers_resume(&p->readers);
    rsq_readers_release(&p->readers, a);
    assert_true(rsq_readers_outlast(&p->readers, NULL, rsq_now_ns()));
    assert_true(rsq_readers_pause(&p->readers, 0));
    rsq_readers_resume(&p->readers);
    rsq_readers_count(&p->readers, &f);
    assert_int_equal(f.leased, 0);
    assert_int_equal(f.open, 1);
}

/* While leases pause none is given, by whatever way; the spare is one of those that come back. */
static void no_direct_lease_in_a_pause(void **state)
{
    pool *p = *state;
    rsq_reader *none = NULL;

    rsq_readers_release(&p->readers, leased(p));
    rsq_readers_release(&p->readers, leased(p));
    assert_true(rsq_readers_pause(&p->readers, 0));
    assert_int_equal(rsq_readers_acquire(&p->readers, NULL, "SELECT 1", 8, 0, &none, NULL), RSQ_ETIMEOUT);
    rsq_readers_resume(&p->readers);
    rsq_readers_release(&p->readers, leased(p));
}

/* Those that come back during a pause stay in, whoever looks meanwhile. */
static void no_spare_in_a_pause(void **state)
{
    pool *p = *state;
    rsq_reader *a = leased(p), *b = leased(p), *none = NULL;

    assert_false(rsq_readers_pause(&p->readers, 0));
    rsq_readers_release(&p->readers, a);
    (void)leases(p);
    rsq_readers_release(&p->readers, b);
    assert_int_equal(rsq_readers_acquire(&p->readers, NULL, "SELECT 1", 8, 0, &none, NULL), RSQ_ETIMEOUT);
    rsq_readers_resume(&p->readers);
}

/* Nothing is kept, and the keeper waits to be told of the next snapshot. False: not in time. */
static bool keeper_sleeps(pool *p)
{
    int64_t deadline_ns = rsq_deadline_ns(20000);
    rsq_readers_figures f;
    bool asleep;

    do {
        sched_yield();
        rsq_readers_count(&p->readers, &f);
        rsq_mutex_lock(&p->readers.mu);
        asleep = p->readers.keeper_asleep;
        rsq_mutex_unlock(&p->readers.mu);
    } while ((!asleep || f.kept > 0) && rsq_now_ns() < deadline_ns);
    return asleep && f.kept == 0;
}

/* Also after it had nothing to do: a snapshot that is kept then wakes it. */
static void keeper_hears_of_each_snapshot(void **state)
{
    pool *p = *state;

    for (int i = 0; i < 3; i++) {
        rsq_reader *a = leased(p);

        assert_int_equal(rsq_conn_snapshot_open(a->conn, NULL), RSQ_OK);
        rsq_readers_release(&p->readers, a);
        assert_true(keeper_sleeps(p));
    }
}

static void *lease_once(void *arg)
{
    pool *p = arg;
    rsq_reader *r = NULL;
    rsq_code code = rsq_readers_acquire(&p->readers, NULL, "SELECT 2", 8, 20000, &r, NULL);

    if (code == RSQ_OK)
        rsq_readers_release(&p->readers, r);
    return code == RSQ_OK ? p : NULL;
}

/* Who waits is the next to get what comes back, whoever looks meanwhile. */
static void waiter_is_next(void **state)
{
    pool *p = *state;
    rsq_reader *a = leased(p), *b = leased(p);
    rsq_readers_figures f;
    pthread_t waiter;
    void *got;

    assert_int_equal(pthread_create(&waiter, NULL, lease_once, p), 0);
    do {
        sched_yield();
        rsq_readers_count(&p->readers, &f);
    } while (f.waiting == 0);
    rsq_readers_release(&p->readers, a);
    pthread_join(waiter, &got);
    assert_ptr_equal(got, p);
    rsq_readers_release(&p->readers, b);
}

#define CREW 4
#define TURNS 4000

/* What the crew shares. */
typedef struct crew {
    pool *p;
    _Atomic(void *) holders[RSQ_READERS_MAX]; /* who has which place */
    atomic_bool in_pause;                     /* nobody may have one */
    atomic_uint done;
    atomic_uint faults;
} crew;

static void fault_unless(crew *c, bool good)
{
    if (!good)
        atomic_fetch_add(&c->faults, 1);
}

/* Its SQL is freed right after each lease, so that who names a holder too late reads freed memory. */
static void take_a_turn(crew *c, void *self)
{
    char *sql = strdup("SELECT 'somebody'");
    rsq_reader *r = NULL;
    void *before;

    fault_unless(c, rsq_readers_acquire(&c->p->readers, NULL, sql, strlen(sql), 20000, &r, NULL) == RSQ_OK);
    if (r) {
        before = atomic_exchange(&c->holders[r - c->p->readers.places], self);
        fault_unless(c, !before && !atomic_load(&c->in_pause));
        fault_unless(c, rsq_conn_snapshot_open(r->conn, NULL) == RSQ_OK);
        before = atomic_exchange(&c->holders[r - c->p->readers.places], NULL);
        fault_unless(c, before == self);
        rsq_readers_release(&c->p->readers, r);
    }
    free(sql);
}

static void *crew_main(void *arg)
{
    crew *c = arg;
    int self;

    for (int i = 0; i < TURNS; i++)
        take_a_turn(c, &self);
    atomic_fetch_add(&c->done, 1);
    return NULL;
}

static void pause_for_a_moment(crew *c)
{
    if (rsq_readers_pause(&c->p->readers, 5)) {
        rsq_readers_figures f;

        atomic_store(&c->in_pause, true);
        rsq_readers_count(&c->p->readers, &f);
        fault_unless(c, f.leased == 0 && f.kept == 0);
        atomic_store(&c->in_pause, false);
    }
    rsq_readers_resume(&c->p->readers);
}

static void look_at_it(crew *c, uint64_t what)
{
    rsq_readers_figures f;
    char text[320] = "";

    if (what == 0) {
        pause_for_a_moment(c);
    } else if (what == 1) {
        rsq_readers_let_go(&c->p->readers);
    } else if (what == 2) {
        fault_unless(c, rsq_readers_outlast(&c->p->readers, NULL, rsq_deadline_ns(20000)));
    } else if (what == 3) {
        rsq_readers_count(&c->p->readers, &f);
        fault_unless(c, !f.oldest[0] || strcmp(f.oldest, "SELECT 'somebody'") == 0);
    } else {
        rsq_readers_describe(&c->p->readers, text, sizeof text);
        fault_unless(c, !text[0] || strstr(text, "\"SELECT 'somebody'\" for "));
    }
}

/* More threads than readers, and one that looks at them in all ways: each reader has one holder at a time. */
static void hold_in_turn(pool *p)
{
    crew c = {.p = p};
    uint64_t seed = UINT64_C(0x5eed0012);
    pthread_t threads[CREW];

    for (int i = 0; i < CREW; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, crew_main, &c), 0);
    while (atomic_load(&c.done) < CREW)
        look_at_it(&c, next_random(&seed) % 5);
    for (int i = 0; i < CREW; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(c.faults, 0);
    assert_int_equal(leases(p), CREW * TURNS);
    if (p->config.flags & RSQ_OPEN_NO_SHORTCUTS)
        assert_int_equal(direct_leases(p), 0);
}

static void one_holder_at_a_time(void **state)
{
    hold_in_turn(*state);
}

static void one_holder_without_keeper(void **state)
{
    hold_in_turn(*state);
}

static void one_holder_without_shortcuts(void **state)
{
    hold_in_turn(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(healthy_readers_are_not_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_readers_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(place_that_cannot_be_opened, setup, teardown),
        cmocka_unit_test_setup_teardown(spare_is_leased_without_the_mutex, setup_without_keeper, teardown),
        cmocka_unit_test_setup_teardown(spare_is_not_used, setup_without_shortcuts, teardown),
        cmocka_unit_test_setup_teardown(direct_lease_is_seen, setup_without_keeper, teardown),
        cmocka_unit_test_setup_teardown(no_direct_lease_in_a_pause, setup_without_keeper, teardown),
        cmocka_unit_test_setup_teardown(no_spare_in_a_pause, setup_without_keeper, teardown),
        cmocka_unit_test_setup_teardown(keeper_hears_of_each_snapshot, setup, teardown),
        cmocka_unit_test_setup_teardown(waiter_is_next, setup_without_keeper, teardown),
        cmocka_unit_test_setup_teardown(one_holder_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(one_holder_without_keeper, setup_without_keeper, teardown),
        cmocka_unit_test_setup_teardown(one_holder_without_shortcuts, setup_without_shortcuts, teardown),
    };

    return cmocka_run_group_tests_name("readers", tests, NULL, NULL);
}
