/*
 * What a dispatch counts: callbacks, not places in the queue.
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
} told;

static bool run_told(rsq_queue_node *node, bool deliver)
{
    told *t = (told *)(void *)node;

    t->runs++;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_callbacks),
        cmocka_unit_test(goes_on_to_the_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
