/*
 * What a dispatch counts: callbacks, not places in the queue. And when a loop
 * that cannot poll is told that something waits.
 *
 * A live query that publishes between the moment its place is taken and the
 * moment its answer is, is posted a second time for what goes out the first
 * time. The nodes here say by themselves whether they called anybody.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "exec/queue.h"

#define NODES 6

typedef struct told {
    rsq_queue_node node;
    bool calls;
    size_t runs;
    rsq_queue *queue; /* where to post `next`; NULL: nowhere */
    struct told *next;
} told;

static bool run_told(rsq_queue_node *node, bool deliver)
{
    told *t = (told *)(void *)node;

    t->runs++;
    if (t->queue) {
        bool closed;

        assert_true(rsq_queue_post(t->queue, &t->next->node, &closed));
    }
    return deliver && t->calls;
}

/* One node for each letter: 'c' calls somebody, '-' does not. */
static void post_all(rsq_queue *q, told *all, const char *kinds)
{
    for (size_t i = 0; kinds[i]; i++) {
        bool closed;

        all[i] = (told){.node.run = run_told, .calls = kinds[i] == 'c'};
        assert_true(rsq_queue_post(q, &all[i].node, &closed));
    }
}

static void expect_dispatch(const char *kinds, size_t max, size_t counted, size_t left)
{
    rsq_queue *q = rsq_queue_make();
    told all[NODES];
    size_t n = 99;

    assert_non_null(q);
    post_all(q, all, kinds);
    assert_int_equal(rsq_queue_dispatch(q, max, &n), RSQ_OK);
    assert_int_equal(n, counted);
    assert_int_equal(q->count, left);
    rsq_queue_free(q);
    for (size_t i = 0; kinds[i]; i++)
        assert_int_equal(all[i].runs, 1);
}

static void counts_callbacks(void **state)
{
    (void)state;
    expect_dispatch("c", 0, 1, 0);
    expect_dispatch("-", 0, 0, 0);
    expect_dispatch("c-c", 0, 2, 0);
    expect_dispatch("---", 0, 0, 0);
}

/* A place that calls nobody is not one of the `max`. */
static void goes_on_to_the_next(void **state)
{
    (void)state;
    expect_dispatch("-c", 1, 1, 0);
    expect_dispatch("--cc", 1, 1, 1);
    expect_dispatch("c-c", 1, 1, 2);
    expect_dispatch("--", 1, 0, 0);
}

/* --- wake-ups --- */

static void count_wakeup(rsq_queue *q, void *ctx)
{
    size_t *calls = ctx;

    (void)q;
    ++*calls;
}

static void dispatch(rsq_queue *q, size_t max)
{
    assert_int_equal(rsq_queue_dispatch(q, max, NULL), RSQ_OK);
}

static void woken_once_for_each_dispatch(void **state)
{
    rsq_queue *q = rsq_queue_make();
    size_t calls = 0;
    told all[NODES];

    (void)state;
    assert_int_equal(rsq_queue_set_wakeup(q, count_wakeup, &calls), RSQ_OK);
    assert_int_equal(calls, 0);
    post_all(q, all, "ccc");
    assert_int_equal(calls, 1);
    dispatch(q, 0);
    assert_int_equal(calls, 1);
    post_all(q, all, "c");
    assert_int_equal(calls, 2);
    dispatch(q, 0);
    dispatch(q, 0);
    assert_int_equal(calls, 2);
    rsq_queue_free(q);
}

/* A loop that takes a few at a time is sent the next message at once. */
static void woken_for_what_is_left(void **state)
{
    rsq_queue *q = rsq_queue_make();
    size_t calls = 0;
    told all[NODES];

    (void)state;
    post_all(q, all, "ccc");
    assert_int_equal(rsq_queue_set_wakeup(q, count_wakeup, &calls), RSQ_OK);
    assert_int_equal(calls, 1);
    dispatch(q, 1);
    assert_int_equal(calls, 2);
    dispatch(q, 1);
    assert_int_equal(calls, 3);
    dispatch(q, 1);
    assert_int_equal(calls, 3);
    rsq_queue_free(q);
}

/* What a callback posts is told at the end of its dispatch, once. */
static void woken_for_what_a_callback_posts(void **state)
{
    rsq_queue *q = rsq_queue_make();
    size_t calls = 0;
    told later = {.node.run = run_told, .calls = true};
    told first = {.node.run = run_told, .calls = true, .queue = q, .next = &later};
    bool closed;

    (void)state;
    assert_int_equal(rsq_queue_set_wakeup(q, count_wakeup, &calls), RSQ_OK);
    assert_true(rsq_queue_post(q, &first.node, &closed));
    assert_int_equal(calls, 1);
    dispatch(q, 0);
    assert_int_equal(later.runs, 0);
    assert_int_equal(calls, 2);
    dispatch(q, 0);
    assert_int_equal(later.runs, 1);
    assert_int_equal(calls, 2);
    rsq_queue_free(q);
}

static void woken_no_more(void **state)
{
    rsq_queue *q = rsq_queue_make();
    size_t calls = 0;
    told all[NODES];

    (void)state;
    assert_int_equal(rsq_queue_set_wakeup(NULL, count_wakeup, &calls), RSQ_EINVAL);
    assert_int_equal(rsq_queue_set_wakeup(q, count_wakeup, &calls), RSQ_OK);
    assert_int_equal(rsq_queue_set_wakeup(q, NULL, NULL), RSQ_OK);
    post_all(q, all, "cc");
    dispatch(q, 1);
    assert_int_equal(rsq_queue_set_wakeup(q, count_wakeup, &calls), RSQ_OK);
    assert_int_equal(calls, 1);
    (void)rsq_queue_ref(q);
    rsq_queue_free(q);
    assert_int_equal(rsq_queue_set_wakeup(q, count_wakeup, &calls), RSQ_ECLOSED);
    assert_int_equal(calls, 1);
    rsq_queue_unref(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_callbacks),
        cmocka_unit_test(goes_on_to_the_next),
        cmocka_unit_test(woken_once_for_each_dispatch),
        cmocka_unit_test(woken_for_what_is_left),
        cmocka_unit_test(woken_for_what_a_callback_posts),
        cmocka_unit_test(woken_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
