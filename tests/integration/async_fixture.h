/*
 * What the tests of asynchronous calls, cancelling and snapshots share beside fixture.h.
 *
 * A call without an end must not outlive its test: a failed assertion jumps out of it, and the close of the
 * database in the teardown would wait for the call for ever. So every op is made through op_submitted(), and
 * the teardown of these tests cancels what is left before it does all the rest.
 *
 * How a test knows that a call runs: while all readers are leased, a blocking read that may wait a moment is
 * refused and names who holds them. That is asked again and again, which is the one event there is to be had
 * from outside.
 */
#ifndef RSQ_TESTS_ASYNC_FIXTURE_H
#define RSQ_TESTS_ASYNC_FIXTURE_H

#include "fixture.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif
#ifndef UNDER_ASAN
#define UNDER_ASAN 0
#endif

/** Times are asserted generously; by how much a sanitizer stretches what is generous. */
#define SLOWNESS (FIXTURE_UNDER_TSAN ? 20 : UNDER_ASAN ? 5 : 1)

/** Goes on until it is told to stop; SQLite looks at its flag in between. */
#define ENDLESS "WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

/** Ends after `n` rounds and answers `n`. */
#define COUNT_TO(n) \
    "WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM c WHERE i < " n ") SELECT max(i) FROM c"

static inline uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline double ms_since(uint64_t start_ns)
{
    return (double)(now_ns() - start_ns) / 1e6;
}

/** How often a long test goes round: `usual`, or RSQ_TEST_ROUNDS of the environment. */
static inline uint64_t rounds_of(uint64_t usual)
{
    const char *given = getenv("RSQ_TEST_ROUNDS");

    if (!given)
        return usual;
    alarm(0); /* as long as it takes */
    return strtoull(given, NULL, 10);
}

/* --------------------------------------------------------------------- ops -- */

/** Ops that the running test has made and not freed. The test's main thread only. */
typedef struct op_list {
    rsq_op *ops[512];
    size_t count;
} op_list;

static op_list live_ops;

static inline rsq_op *op_kept(rsq_op *op)
{
    assert_non_null(op);
    assert_true(live_ops.count < LENGTH(live_ops.ops));
    live_ops.ops[live_ops.count++] = op;
    return op;
}

static inline void op_freed(rsq_op *op)
{
    for (size_t i = 0; i < live_ops.count; i++) {
        if (live_ops.ops[i] == op)
            live_ops.ops[i] = live_ops.ops[--live_ops.count];
    }
    rsq_op_free(op);
}

static inline int ops_teardown(void **state)
{
    for (size_t i = 0; i < live_ops.count; i++) {
        rsq_op_cancel(live_ops.ops[i]);
        rsq_op_free(live_ops.ops[i]);
    }
    live_ops.count = 0;
    return fixture_teardown(state);
}

#undef CASE
#define CASE(function) cmocka_unit_test_setup_teardown(function, fixture_setup, ops_teardown)

/** Submit a read; it must be accepted. */
static inline rsq_op *op_submitted(fixture *f, const char *sql, const rsq_value *params, size_t nparams,
                                   const rsq_op_options *opts)
{
    rsq_op *op = NULL;

    WANT_CODE(RSQ_OK, rsq_select_async(f->db, sql, params, nparams, opts, &op));
    return op_kept(op);
}

/** The op must complete in this way, before the deadline of the fixture. */
#define EXPECT_OP(op, expected) op_expect((op), (expected), __FILE__, __LINE__)

static inline void op_expect(rsq_op *op, rsq_code expected, const char *file, int line)
{
    const rsq_error *error;
    rsq_error copy;

    fixture_want(RSQ_OK, rsq_op_wait(op, FIXTURE_DEADLINE_MS), NULL, "rsq_op_wait()", file, line);
    error = rsq_op_error(op);
    if (error)
        copy = *error;
    fixture_want(expected, rsq_op_status(op), error ? &copy : NULL, "the op", file, line);
    if ((expected == RSQ_OK) != (error == NULL))
        fail_msg("%s:%d: an error where none belongs, or none where one does", file, line);
}

/** The same for an op whose result must be these rows; it is freed. */
#define EXPECT_OP_ROWS(op, rows) op_expect_rows((op), (rows), __FILE__, __LINE__)

static inline void op_expect_rows(rsq_op *op, const char *rows, const char *file, int line)
{
    rsq_result *r;

    op_expect(op, RSQ_OK, file, line);
    r = rsq_op_take_result(op);
    assert_non_null(r);
    fixture_expect_result(r, rows, file, line);
    rsq_result_unref(r);
    op_freed(op);
}

/** A blocking read is refused and names this many holders. */
static inline bool readers_are_held(fixture *f, size_t readers)
{
    rsq_call_options soon = {.size = sizeof soon, .timeout_ms = 1};
    rsq_result *r = NULL;
    size_t holders = 0;

    if (rsq_select(f->db, "SELECT 1", NULL, 0, &soon, &r, &f->err) == RSQ_OK) {
        rsq_result_unref(r);
        return false;
    }
    for (const char *at = f->err.message; (at = strstr(at, "\" for ")) != NULL; at++)
        holders++;
    return holders == readers;
}

/** Wait until this many readers, all there are, are leased at the same time. */
static inline void await_held(fixture *f, size_t readers)
{
    uint64_t start = now_ns();

    while (!readers_are_held(f, readers))
        assert_true(ms_since(start) < FIXTURE_DEADLINE_MS);
}

/** Have one reader busy until endless_stop(). */
static inline rsq_op *endless_start(fixture *f)
{
    return op_submitted(f, ENDLESS, NULL, 0, NULL);
}

static inline void endless_stop(rsq_op *op)
{
    rsq_op_cancel(op);
    EXPECT_OP(op, RSQ_ECANCELLED);
    op_freed(op);
}

#endif
