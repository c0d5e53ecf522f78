/*
 * The timer of deadlines: order, moving, removing, and what happens while a function is being called.
 *
 * Every wait is for something that the timer does. That a removed entry is not called is proven by another
 * one, which was due later and has been called. Times are only checked from below: an entry is never called
 * early; how late it may be is the scheduler's business, except where being late means not being woken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exec/timer.h"
#include "random.h"

#define MS INT64_C(1000000)
#define SEED UINT64_C(0x5eed0011)

/* Longest time anything awaited may take. */
#define PATIENCE_MS 20000

/* So late that it would be noticed: nothing below waits for an entry that is due then. */
#define FAR_NS (3600 * 1000 * MS)

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* ------------------------------------------------------------------ fixture -- */

/* The calls of all entries, as they came. Under mu. */
typedef struct record {
    rsq_timer timer;
    rsq_mutex mu;
    rsq_cond changed;
    size_t calls;
    size_t early;
} record;

/* An entry that notes when it was called. */
typedef struct noted {
    rsq_timer_entry entry;
    record *record;
    size_t calls;    /* under the record's mutex, like all below */
    size_t place;    /* of its last call among all calls */
    int64_t called;  /* when */
    int64_t planned; /* when it should have been, at the earliest */
    int64_t period;  /* 0: it is called once */
    size_t repeats;  /* calls that follow the first */
    int64_t until;   /* there are none after this time; 0: there may be */
} noted;

static int64_t note_call(rsq_timer_entry *entry)
{
    noted *n = (noted *)(void *)((char *)entry - offsetof(noted, entry));
    record *r = n->record;
    int64_t again = RSQ_NO_DEADLINE;

    rsq_mutex_lock(&r->mu);
    n->called = rsq_now_ns();
    n->place = r->calls++;
    r->early += n->called < n->planned;
    n->calls++;
    if (n->until != 0 && n->called > n->until)
        n->repeats = 0;
    if (n->repeats > 0) {
        n->repeats--;
        n->planned = again = n->called + n->period;
    }
    rsq_cond_broadcast(&r->changed);
    rsq_mutex_unlock(&r->mu);
    return again;
}

static void noted_init(noted *n, record *r)
{
    *n = (noted){.entry = {.due = note_call}, .record = r};
}

static void plan(noted *n, int64_t at_ns)
{
    rsq_mutex_lock(&n->record->mu);
    n->planned = at_ns;
    rsq_mutex_unlock(&n->record->mu);
    rsq_timer_add(&n->record->timer, &n->entry, at_ns);
}

/* Wait until all entries together were called this often. */
static void await_calls(record *r, size_t calls)
{
    int64_t deadline = rsq_deadline_ns(PATIENCE_MS);
    bool in_time = true;

    rsq_mutex_lock(&r->mu);
    while (r->calls < calls && in_time)
        in_time = rsq_cond_wait_until(&r->changed, &r->mu, deadline);
    rsq_mutex_unlock(&r->mu);
    assert_true(in_time);
}

/* The same for one entry, in any thread. */
static void await_call_of(noted *n)
{
    record *r = n->record;

    rsq_mutex_lock(&r->mu);
    while (n->calls == 0)
        (void)rsq_cond_wait_until(&r->changed, &r->mu, RSQ_NO_DEADLINE);
    rsq_mutex_unlock(&r->mu);
}

static size_t calls_of(noted *n)
{
    size_t calls;

    rsq_mutex_lock(&n->record->mu);
    calls = n->calls;
    rsq_mutex_unlock(&n->record->mu);
    return calls;
}

static int setup(void **state)
{
    record *r = calloc(1, sizeof *r);

    if (!r)
        return -1;
    alarm(15 * PATIENCE_MS / 1000);
    rsq_timer_init(&r->timer);
    rsq_mutex_init(&r->mu);
    rsq_cond_init(&r->changed);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    record *r = *state;
    size_t early = r->early;

    rsq_timer_fini(&r->timer);
    rsq_cond_fini(&r->changed);
    rsq_mutex_fini(&r->mu);
    free(r);
    alarm(0);
    return early ? -1 : 0;
}

static record *started(void **state)
{
    record *r = *state;

    assert_int_equal(rsq_timer_ensure(&r->timer, NULL), RSQ_OK);
    return r;
}

/* An entry whose function stays inside until it is let go. While it does, no other entry is called: a test
 * can add and remove in peace whatever the scheduler does. */
typedef struct held {
    rsq_timer_entry entry;
    record *record;
    bool inside, let_go, left; /* under the record's mutex */
    size_t calls;
    int64_t again;
} held;

static int64_t stay(rsq_timer_entry *entry)
{
    held *h = (held *)(void *)((char *)entry - offsetof(held, entry));
    record *r = h->record;
    int64_t again;

    rsq_mutex_lock(&r->mu);
    h->calls++;
    r->calls++;
    h->inside = true;
    rsq_cond_broadcast(&r->changed);
    while (!h->let_go)
        (void)rsq_cond_wait_until(&r->changed, &r->mu, RSQ_NO_DEADLINE);
    h->inside = false;
    h->left = true;
    again = h->again;
    h->again = RSQ_NO_DEADLINE;
    rsq_mutex_unlock(&r->mu);
    return again;
}

/* Have the timer's thread inside; that is the first call. */
static void hold(held *h, record *r)
{
    *h = (held){.entry = {.due = stay}, .record = r, .again = RSQ_NO_DEADLINE};
    rsq_timer_add(&r->timer, &h->entry, rsq_now_ns());
    await_calls(r, 1);
}

static void let_go(held *h)
{
    rsq_mutex_lock(&h->record->mu);
    h->let_go = true;
    rsq_cond_broadcast(&h->record->changed);
    rsq_mutex_unlock(&h->record->mu);
}

/* -------------------------------------------------------------------- order -- */

/* A timer that nobody needed has no thread to end; asking for it twice starts one. */
static void thread_when_needed(void **state)
{
    record *r = *state;
    rsq_timer unused;
    noted n;

    rsq_timer_init(&unused);
    rsq_timer_fini(&unused);
    assert_int_equal(rsq_timer_ensure(&r->timer, NULL), RSQ_OK);
    assert_int_equal(rsq_timer_ensure(&r->timer, NULL), RSQ_OK);
    noted_init(&n, r);
    plan(&n, rsq_now_ns());
    await_calls(r, 1);
    rsq_timer_remove(&r->timer, &n.entry);
}

/* Entries are called in the order of their times, whatever the order they were added in, and each once. */
static void order_of_times(void **state)
{
    record *r = started(state);
    uint64_t seed = SEED;
    noted entries[200];
    int64_t start = rsq_now_ns();
    held h;

    hold(&h, r);
    for (size_t i = 0; i < LENGTH(entries); i++) {
        noted_init(&entries[i], r);
        plan(&entries[i], start + (int64_t)(next_random(&seed) % 20000) * 1000);
    }
    let_go(&h);
    await_calls(r, 1 + LENGTH(entries));
    rsq_timer_remove(&r->timer, &h.entry);
    for (size_t i = 0; i < LENGTH(entries); i++) {
        rsq_timer_remove(&r->timer, &entries[i].entry);
        assert_int_equal(entries[i].calls, 1);
        for (size_t k = 0; k < i; k++) {
            if (entries[i].planned < entries[k].planned)
                assert_true(entries[i].place < entries[k].place);
            if (entries[i].planned > entries[k].planned)
                assert_true(entries[i].place > entries[k].place);
        }
    }
}

/* Of the same time, the one that was added first is called first: a stream of equal limits is a queue. */
static void same_time(void **state)
{
    record *r = started(state);
    noted entries[50];
    int64_t at = rsq_now_ns();
    held h;

    hold(&h, r);
    for (size_t i = 0; i < LENGTH(entries); i++) {
        noted_init(&entries[i], r);
        plan(&entries[i], at);
    }
    let_go(&h);
    await_calls(r, 1 + LENGTH(entries));
    rsq_timer_remove(&r->timer, &h.entry);
    for (size_t i = 0; i < LENGTH(entries); i++) {
        rsq_timer_remove(&r->timer, &entries[i].entry);
        assert_int_equal(entries[i].place, 1 + i);
    }
}

/* A time that has passed already is now. */
static void past_time(void **state)
{
    record *r = started(state);
    noted n;

    noted_init(&n, r);
    plan(&n, 1);
    await_calls(r, 1);
    rsq_timer_remove(&r->timer, &n.entry);
}

/* The thread sleeps until the first entry; one that is due before wakes it. */
static void earlier_entry_wakes(void **state)
{
    record *r = started(state);
    noted far, near;

    noted_init(&far, r);
    noted_init(&near, r);
    plan(&far, rsq_now_ns() + FAR_NS);
    plan(&near, rsq_now_ns() + 5 * MS);
    await_calls(r, 1);
    assert_int_equal(calls_of(&near), 1);
    rsq_timer_remove(&r->timer, &near.entry);
    /* Again, now that the thread has gone to sleep for the far one only. */
    plan(&near, rsq_now_ns() + 5 * MS);
    await_calls(r, 2);
    assert_int_equal(calls_of(&far), 0);
    rsq_timer_remove(&r->timer, &far.entry);
    rsq_timer_remove(&r->timer, &near.entry);
}

/* An entry that is there moves to an earlier time, and to no later one. */
static void moves_to_an_earlier_time(void **state)
{
    record *r = started(state);
    noted n;

    noted_init(&n, r);
    plan(&n, rsq_now_ns() + FAR_NS);
    plan(&n, rsq_now_ns() + 5 * MS);
    rsq_timer_add(&r->timer, &n.entry, rsq_now_ns() + FAR_NS);
    await_calls(r, 1);
    rsq_timer_remove(&r->timer, &n.entry);
    assert_int_equal(calls_of(&n), 1);
}

/* ----------------------------------------------------------------- removing -- */

/* A removed entry is not called: others that were due after it have been. Neighbours stay linked. */
static void removed_is_not_called(void **state)
{
    record *r = started(state);
    noted entries[30];
    int64_t start = rsq_now_ns();
    held h;

    hold(&h, r);
    for (size_t i = 0; i < LENGTH(entries); i++) {
        noted_init(&entries[i], r);
        plan(&entries[i], start + (int64_t)i * MS / 10);
    }
    /* The first, the last but one, and every third between. */
    for (size_t i = 0; i < LENGTH(entries) - 1; i += 3)
        rsq_timer_remove(&r->timer, &entries[i].entry);
    rsq_timer_remove(&r->timer, &entries[LENGTH(entries) - 2].entry);
    let_go(&h);
    await_calls(r, 1 + LENGTH(entries) - (LENGTH(entries) + 1) / 3 - 1);
    rsq_timer_remove(&r->timer, &h.entry);
    for (size_t i = 0; i < LENGTH(entries); i++) {
        rsq_timer_remove(&r->timer, &entries[i].entry); /* once more is nothing */
        assert_int_equal(entries[i].calls, i % 3 == 0 || i == LENGTH(entries) - 2 ? 0 : 1);
    }
}

/* An entry that was called, or removed, can be added again. */
static void added_again(void **state)
{
    record *r = started(state);
    noted n;

    noted_init(&n, r);
    for (size_t i = 1; i <= 100; i++) {
        plan(&n, rsq_now_ns() + FAR_NS);
        rsq_timer_remove(&r->timer, &n.entry);
        plan(&n, rsq_now_ns());
        await_calls(r, i);
        if (i % 2)
            rsq_timer_remove(&r->timer, &n.entry);
    }
    rsq_timer_remove(&r->timer, &n.entry);
    assert_int_equal(n.calls, 100);
}

/* An entry that names a next time is called again then, as often as it says. */
static void repeats(void **state)
{
    record *r = started(state);
    noted n;

    noted_init(&n, r);
    n.repeats = 20;
    n.period = MS / 2;
    plan(&n, rsq_now_ns());
    await_calls(r, 21);
    rsq_timer_remove(&r->timer, &n.entry);
    assert_int_equal(n.calls, 21);
}

/* ------------------------------------------------- while a function is called -- */

/* An entry can be added while its own function runs, as the second reason to stop a call does, and is then
 * called again: once, also if the function names a next time of its own. */
static void added_while_called(void **state)
{
    record *r = started(state);
    held h;

    hold(&h, r);
    h.again = rsq_now_ns(); /* it waits for us, so this is ours */
    rsq_timer_add(&r->timer, &h.entry, rsq_now_ns());
    let_go(&h);
    await_calls(r, 2);
    rsq_timer_remove(&r->timer, &h.entry);
    assert_int_equal(h.calls, 2);
}

typedef struct remover {
    held *held;
    bool about_to;        /* under the record's mutex */
    bool was_still_there; /* the function had not left when the removal returned */
} remover;

static void *remove_held(void *ctx)
{
    remover *m = ctx;
    record *r = m->held->record;

    rsq_mutex_lock(&r->mu);
    m->about_to = true;
    rsq_cond_broadcast(&r->changed);
    rsq_mutex_unlock(&r->mu);
    rsq_timer_remove(&r->timer, &m->held->entry);
    rsq_mutex_lock(&r->mu);
    m->was_still_there = !m->held->left;
    rsq_mutex_unlock(&r->mu);
    return NULL;
}

/* Removing waits for a call that is under way, so that the entry's memory can go; and a next time that the
 * function names meanwhile is dropped. */
static void removing_waits_for_the_call(void **state)
{
    record *r = started(state);
    remover m = {0};
    rsq_thread thread;
    noted later;
    held h;

    hold(&h, r);
    h.again = rsq_now_ns();
    m.held = &h;
    assert_int_equal(rsq_thread_start(&thread, remove_held, &m), 0);
    rsq_mutex_lock(&r->mu);
    while (!m.about_to)
        (void)rsq_cond_wait_until(&r->changed, &r->mu, RSQ_NO_DEADLINE);
    rsq_mutex_unlock(&r->mu);
    let_go(&h);
    rsq_thread_join(thread);
    assert_false(m.was_still_there);
    memset(&h.entry, 0x5a, sizeof h.entry); /* nobody looks at it any more */
    noted_init(&later, r);
    plan(&later, rsq_now_ns());
    await_calls(r, h.calls + 1);
    rsq_timer_remove(&r->timer, &later.entry);
}

/* Removing an entry ends it, also if it is due again whenever its function returns: the removal does not have
 * to be lucky. */
static void removing_one_that_is_always_due(void **state)
{
    record *r = started(state);

    for (int i = 0; i < 5; i++) {
        noted n;

        noted_init(&n, r);
        n.repeats = SIZE_MAX;
        n.until = rsq_deadline_ns(PATIENCE_MS); /* so that a removal that starves is a failure and no hang */
        plan(&n, rsq_now_ns());
        await_call_of(&n);
        rsq_timer_remove(&r->timer, &n.entry);
        assert_true(n.repeats > 0);
    }
}

/* ------------------------------------------------------------- many threads -- */

typedef struct adder {
    record *record;
    uint64_t seed;
    rsq_thread thread;
    size_t called;
} adder;

/* Entries that come and go like those of calls with limits: most are removed in time, some are called, some
 * repeat for a while or until they are removed. Their memory is scribbled over at once. */
static void *add_and_remove(void *ctx)
{
    adder *a = ctx;

    for (size_t i = 0; i < 3000; i++) {
        noted *n = malloc(sizeof *n);
        uint64_t dice = next_random(&a->seed);

        if (!n)
            abort();
        noted_init(n, a->record);
        n->repeats = dice % 4 == 0 ? 100 : 0;
        n->period = MS / 20;
        plan(n, rsq_now_ns() + (int64_t)(dice >> 8) % 4 * (MS / 20));
        if (dice % 16 == 1)
            plan(n, rsq_now_ns());
        if (dice % 8 == 2)
            await_call_of(n);
        rsq_timer_remove(&a->record->timer, &n->entry);
        a->called += n->calls;
        memset(n, 0x5a, sizeof *n);
        free(n);
    }
    return NULL;
}

static void many_threads(void **state)
{
    record *r = started(state);
    adder adders[4];
    size_t called = 0;

    for (size_t i = 0; i < LENGTH(adders); i++) {
        adders[i] = (adder){.record = r, .seed = SEED + i};
        assert_int_equal(rsq_thread_start(&adders[i].thread, add_and_remove, &adders[i]), 0);
    }
    for (size_t i = 0; i < LENGTH(adders); i++) {
        rsq_thread_join(adders[i].thread);
        called += adders[i].called;
    }
    assert_int_equal(called, r->calls);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(thread_when_needed),
        CASE(order_of_times),
        CASE(same_time),
        CASE(past_time),
        CASE(earlier_entry_wakes),
        CASE(moves_to_an_earlier_time),
        CASE(removed_is_not_called),
        CASE(added_again),
        CASE(repeats),
        CASE(added_while_called),
        CASE(removing_waits_for_the_call),
        CASE(removing_one_that_is_always_due),
        CASE(many_threads),
    };

    return cmocka_run_group_tests_name("the timer", tests, NULL, NULL);
}
