/*
 * What a call allocates for its parameters: an asynchronous one packs them into one block, which is recycled
 * up to 64 KiB of them; a blocking one binds them where they are.
 *
 * The library is linked statically here, so that the linker can put the counting in front of malloc(). Only
 * what the test's main thread allocates is counted, and only between count_begin() and count_end().
 */
#include "fixture.h"

#include <sys/mman.h>
#include <unistd.h>

typedef struct counting {
    bool on;
    size_t calls;
    size_t largest;
} counting;

static _Thread_local counting the_count;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static void note(size_t size)
{
    if (!the_count.on)
        return;
    the_count.calls++;
    if (size > the_count.largest)
        the_count.largest = size;
}

void *__wrap_malloc(size_t size)
{
    note(size);
    return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    note(n * size);
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    note(size);
    return __real_realloc(p, size);
}

static void count_begin(void)
{
    the_count = (counting){.on = true};
}

static counting count_end(void)
{
    counting c = the_count;

    the_count.on = false;
    return c;
}

/* A statement with so many parameters. The caller frees it. */
static char *insert_of(size_t n)
{
    char *sql = malloc(64 + 2 * n);
    char *at = sql + sprintf(sql, "INSERT INTO t SELECT 0");

    assert_non_null(sql);
    for (size_t i = 0; i < n; i++)
        at += sprintf(at, "+?");
    return sql;
}

/* Submit it and wait for its end; what the submission allocated on this thread. */
static counting submit_and_wait(fixture *f, const char *sql, const rsq_value *params, size_t n)
{
    rsq_op *op = NULL;
    counting c;
    rsq_code code;

    count_begin();
    code = rsq_execute_async(f->db, sql, params, n, NULL, &op);
    c = count_end();
    WANT_CODE(RSQ_OK, code);
    WANT_CODE(RSQ_OK, rsq_op_wait(op, FIXTURE_DEADLINE_MS));
    WANT_CODE(RSQ_OK, rsq_op_status(op));
    rsq_op_free(op);
    return c;
}

/* The fewest of some calls: the writer's thread may give an op's block back only after the next one was
 * submitted, which then gets a second block. */
static counting steady(fixture *f, const char *sql, const rsq_value *params, size_t n)
{
    counting fewest = {.calls = SIZE_MAX};

    for (int i = 0; i < 20; i++) {
        counting c = submit_and_wait(f, sql, params, n);

        fewest = c.calls < fewest.calls ? c : fewest;
    }
    return fewest;
}

static void parameters_by_number(void **state)
{
    static const size_t counts[] = {0, 1, 20, 500};
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(v)");
    for (size_t i = 0; i < LENGTH(counts); i++) {
        size_t n = counts[i];
        rsq_value *values = malloc((n ? n : 1) * sizeof *values);
        char *sql = insert_of(n);
        counting c;

        assert_non_null(values);
        for (size_t k = 0; k < n; k++)
            values[k] = rsq_integer((int64_t)k);
        c = steady(f, sql, values, n);
        print_message("# %zu parameters: %zu allocations\n", n, c.calls);
        assert_int_equal(c.calls, 0);
        free(sql);
        free(values);
    }
}

/* A block is the array of values, 16 bytes each, and the bytes of text and blobs. */
static void parameters_by_size(void **state)
{
    static const struct {
        size_t block;
        size_t allocations;
    } sizes[] = {{65535, 0}, {65536, 0}, {65537, 1}, {16u << 20, 1}};
    fixture *f = *state;
    char *bytes = malloc(16u << 20);

    assert_non_null(bytes);
    memset(bytes, 'x', 16u << 20);
    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(v)");
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        rsq_value v = rsq_text_n(bytes, (uint32_t)(sizes[i].block - sizeof v));
        counting c = steady(f, "INSERT INTO t VALUES (length(?))", &v, 1);

        print_message("# a block of %zu bytes: %zu allocations, the largest of %zu bytes\n", sizes[i].block,
                      c.calls, c.largest);
        assert_int_equal(c.calls, sizes[i].allocations);
        assert_int_equal(INTEGER(f, "SELECT max(v) FROM t"), v.len);
    }
    free(bytes);
}

/* A blocking call copies nothing, whatever the size. */
static void bound_in_place(void **state)
{
    fixture *f = *state;
    char *bytes = malloc(16u << 20);
    rsq_value v = rsq_blob(bytes, 16u << 20);
    counting c = {0};

    assert_non_null(bytes);
    memset(bytes, 'x', 16u << 20);
    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(v)");
    for (int i = 0; i < 5; i++) {
        rsq_code code;

        count_begin();
        code = rsq_execute(f->db, "INSERT INTO t VALUES (length(?))", &v, 1, NULL, NULL, &f->err);
        c = count_end();
        WANT_CODE(RSQ_OK, code);
    }
    print_message("# blocking, 16 MiB: the largest allocation of %zu bytes\n", c.largest);
    assert_true(c.largest < 65536);
    free(bytes);
}

static const char *const statements[] = {
    "INSERT INTO t(v, w) VALUES (?, ?) RETURNING v",
    "SELECT count(*) FROM t WHERE v = ? OR w = ?",
    "UPDATE t SET v = ? WHERE w = ?",
    "DELETE FROM t WHERE v = ? AND w IS NOT ?",
};

static void run_each(fixture *f, const rsq_value *values, size_t n, rsq_code expected)
{
    for (size_t i = 0; i < LENGTH(statements); i++) {
        rsq_result *r = NULL;

        if (strncmp(statements[i], "SELECT", 6) == 0)
            WANT(f, expected, rsq_select(f->db, statements[i], values, n, NULL, &r, &f->err));
        else
            WANT(f, expected, rsq_execute(f->db, statements[i], values, n, NULL, &r, &f->err));
        rsq_result_unref(r);
    }
}

/*
 * A kept statement still has the addresses of its last call's values. Here that page is forbidden when the
 * call is over: whoever looked at them again, for the next run, to compile the statement anew, for the text
 * of an error or at the end, would end the program.
 */
static void not_touched_after_the_call(void **state)
{
    fixture *f = *state;
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    char *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    rsq_value gone[4], others[] = {rsq_text("a"), rsq_integer(1), rsq_text("a"), rsq_integer(1)};

    assert_ptr_not_equal(page, MAP_FAILED);
    memset(page, 'x', size);
    for (size_t i = 0; i < LENGTH(gone); i++)
        gone[i] = i % 2 ? rsq_blob(page + 100 * i, 100) : rsq_text_n(page + 100 * i, 100);
    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(v, w, UNIQUE(v, w))");
    run_each(f, gone, 2, RSQ_OK);
    EXEC(f, "DELETE FROM t");
    WANT(f, RSQ_ESQL, rsq_execute_batch(f->db, statements[0], gone, 2, 2, NULL, NULL, &f->err));
    assert_int_equal(mprotect(page, size, PROT_NONE), 0);
    run_each(f, others, 1, RSQ_EINVAL);
    EXEC(f, "CREATE INDEX by_w ON t(w)");
    run_each(f, others, 2, RSQ_OK);
    WANT(f, RSQ_ESQL, rsq_execute_batch(f->db, statements[0], others, 2, 2, NULL, NULL, &f->err));
    fixture_close(f);
    assert_int_equal(munmap(page, size), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parameters_by_number, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(parameters_by_size, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(bound_in_place, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(not_touched_after_the_call, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests_name("packed", tests, NULL, NULL);
}
