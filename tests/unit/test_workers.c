/*
 * The line of jobs: a patient job lets others go first, but some of them only; and who is woken for a job.
 *
 * One worker, which a first job holds until all others are in line, so that their order is known.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>

#include "exec/workers.h"

#define MOST 64

typedef struct order {
    rsq_mutex mu;
    rsq_cond changed;
    bool go;
    size_t count;
    char names[MOST + 1];
} order;

typedef struct named_job {
    rsq_job job;
    order *order;
    char name;
} named_job;

static void run_named(rsq_job *job)
{
    named_job *j = (named_job *)(void *)job;
    order *o = j->order;

    rsq_mutex_lock(&o->mu);
    while (!o->go)
        (void)rsq_cond_wait_until(&o->changed, &o->mu, RSQ_NO_DEADLINE);
    o->names[o->count++] = j->name;
    rsq_mutex_unlock(&o->mu);
}

/* The order in which jobs run that were submitted in the order of `names`: capitals are urgent, the first one
 * holds the worker. */
static void expect_order(const char *names, const char *expected)
{
    named_job jobs[MOST];
    rsq_workers ws;
    order o = {.go = false};

    rsq_mutex_init(&o.mu);
    rsq_cond_init(&o.changed);
    rsq_workers_init(&ws, 1, 0);
    assert_int_equal(rsq_workers_ensure(&ws, NULL), RSQ_OK);
    for (size_t i = 0; names[i]; i++) {
        jobs[i] = (named_job){.job.run = run_named, .order = &o, .name = names[i]};
        if (names[i] >= 'a')
            rsq_workers_submit_patient(&ws, &jobs[i].job);
        else
            rsq_workers_submit(&ws, &jobs[i].job);
        /* The first one is taken before the second comes. */
        while (i == 0 && atomic_load(&ws.waiting) > 0)
            sched_yield();
    }
    rsq_mutex_lock(&o.mu);
    o.go = true;
    rsq_cond_broadcast(&o.changed);
    rsq_mutex_unlock(&o.mu);
    rsq_workers_fini(&ws);
    assert_string_equal(o.names, expected);
    rsq_cond_fini(&o.changed);
    rsq_mutex_fini(&o.mu);
}

static void in_order(void **state)
{
    (void)state;
    expect_order("ABCD", "ABCD");
    expect_order("Aabc", "Aabc");
}

static void patient_ones_go_last(void **state)
{
    (void)state;
    expect_order("AaBbC", "ABCab");
}

/* After eight of the others in a row it is their turn. */
static void but_not_for_ever(void **state)
{
    (void)state;
    expect_order("AxyzBCDEFGHIJKLMNOPQRS", "ABCDEFGHIxJKLMNOPQyRSz");
}

/* --- who is woken --- */

static void note_run(rsq_job *job)
{
    named_job *j = (named_job *)(void *)job;
    order *o = j->order;

    rsq_mutex_lock(&o->mu);
    o->count++;
    rsq_cond_broadcast(&o->changed);
    rsq_mutex_unlock(&o->mu);
}

static bool await_count(order *o, size_t count)
{
    int64_t deadline_ns = rsq_deadline_ns(20000);
    bool in_time = true;

    rsq_mutex_lock(&o->mu);
    while (o->count < count && in_time)
        in_time = rsq_cond_wait_until(&o->changed, &o->mu, deadline_ns);
    rsq_mutex_unlock(&o->mu);
    return in_time;
}

static void await_asleep(rsq_workers *ws)
{
    bool asleep;

    do {
        sched_yield();
        rsq_mutex_lock(&ws->mu);
        asleep = ws->idle == 1;
        rsq_mutex_unlock(&ws->mu);
    } while (!asleep);
}

static void set_starting(rsq_workers *ws, unsigned n)
{
    rsq_mutex_lock(&ws->mu);
    ws->starting = n;
    rsq_mutex_unlock(&ws->mu);
}

/* A thread that was started and has not come yet takes one of two jobs, whenever it comes; the other is for
 * the one that sleeps, which has to be woken though somebody comes. As if there were such a thread. */
static void sleeper_is_woken_beside_a_thread_that_starts(void **state)
{
    order o = {.go = true};
    named_job jobs[2];
    rsq_workers ws;
    bool ran;

    (void)state;
    rsq_mutex_init(&o.mu);
    rsq_cond_init(&o.changed);
    rsq_workers_init(&ws, 1, RSQ_OPEN_NO_SPIN);
    assert_int_equal(rsq_workers_ensure(&ws, NULL), RSQ_OK);
    await_asleep(&ws);
    set_starting(&ws, 1);
    for (size_t i = 0; i < 2; i++) {
        jobs[i] = (named_job){.job.run = note_run, .order = &o};
        rsq_workers_submit(&ws, &jobs[i].job);
    }
    ran = await_count(&o, 2);
    set_starting(&ws, 0);
    rsq_workers_fini(&ws);
    assert_true(ran);
    rsq_cond_fini(&o.changed);
    rsq_mutex_fini(&o.mu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order),
        cmocka_unit_test(patient_ones_go_last),
        cmocka_unit_test(but_not_for_ever),
        cmocka_unit_test(sleeper_is_woken_beside_a_thread_that_starts),
    };

    return cmocka_run_group_tests_name("workers", tests, NULL, NULL);
}
