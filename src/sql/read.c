/* A read: prepare, bind, step, collect; all at once, or as a scan in chunks. */
#include "sql/internal.h"

#include <assert.h>

#include "base/profile.h"

/* What a function does is compiled twice, measured and not, so that a read looks once whether it is. */
#define TWICE static inline __attribute__((always_inline))

/* The times of one read. */
typedef struct lap {
    rsq_read_times read;
    int64_t began_ns, prepared_ns, stepped_ns;
} lap;

/* Prepared, bound, and certain to write nothing. */
TWICE rsq_code prepare_read(rsq_conn *c, const rsq_request *rq, rsq_stmt **out, rsq_error *err)
{
    rsq_code code = rsq_conn_prepare(c, rq, out, err);

    if (code != RSQ_OK)
        return code;
    if (!((*out)->kind & RSQ_STMT_READONLY))
        return rsq_error_set(err, RSQ_EREADONLY, "the statement writes: use rsq_execute()");
    return rsq_stmt_bind_request(c, *out, rq, err);
}

/* The first step. `*overtaken`: the statement's snapshot was to be a known one, but a commit came before it.
 */
TWICE rsq_code start(rsq_conn *c, const rsq_request *rq, rsq_stmt **s, int *rc, bool *overtaken, lap *l,
                     rsq_error *err)
{
    bool alone = c->alone;
    rsq_code code;

    c->alone = false;
    *rc = SQLITE_OK;
    if (l)
        l->began_ns = rsq_now_ns();
    code = prepare_read(c, rq, s, err);
    if (l)
        l->prepared_ns = rsq_now_ns();
    if (code == RSQ_OK)
        *rc = sqlite3_step((*s)->h);
    if (l)
        l->stepped_ns = rsq_now_ns();
    /* Then even an error may be one of the last snapshot's schema. */
    *overtaken = alone && !rsq_walindex_unchanged(&c->walindex);
    if (*overtaken && code == RSQ_OK)
        sqlite3_reset((*s)->h);
    return code;
}

/* Looks at the schema by several statements, so it needs a snapshot that is open. */
static rsq_code tell_dependencies(rsq_conn *c, const rsq_request *rq, rsq_result **out, rsq_error *err)
{
    rsq_code code = RSQ_OK;

    if (c->alone) {
        c->alone = false;
        code = rsq_conn_snapshot_open(c, err);
    }
    return code == RSQ_OK ? rsq_conn_dependencies(c, rq, out, err) : code;
}

/* A read that has its result. */
static void count_rows(const rsq_result *r, rsq_shape shape)
{
    rsq_profile_count(RSQ_COUNT_READER_ROWS, rsq_result_rows(r));
    if (shape != RSQ_SHAPE_JSON)
        rsq_profile_count(RSQ_COUNT_READER_CELLS, rsq_result_rows(r) * rsq_result_columns(r));
}

/* Stepped from `began_ns` on, then built until now. */
static void count_lap(const lap *l, int64_t began_ns, const rsq_result *r, rsq_shape shape)
{
    int64_t built_ns = rsq_now_ns() - l->stepped_ns - l->read.step_ns;

    rsq_profile_took(RSQ_TIME_READER_STEP, l->stepped_ns - began_ns + l->read.step_ns);
    rsq_profile_took(shape == RSQ_SHAPE_JSON ? RSQ_TIME_READER_JSON : RSQ_TIME_READER_BUILD, built_ns);
    count_rows(r, shape);
}

TWICE rsq_code take_rows(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, rsq_shape shape, int *rc,
                         size_t rows_max, lap *l, rsq_result **out, rsq_error *err)
{
    if (shape == RSQ_SHAPE_JSON)
        return rsq_rows_take_json(c, s, rq, rc, rows_max, l ? &l->read : NULL, out, err);
    if (l)
        return rsq_rows_take_timed(c, s, rq, rc, rows_max, &l->read, out, err);
    return rsq_rows_take(c, s, rq, rc, rows_max, out, err);
}

/* All rows. `rc` is a copy, so that the caller's stays in a register. */
TWICE rsq_code collect(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, rsq_shape shape, int rc, lap *l,
                       rsq_result **out, rsq_error *err)
{
    if (rq->like && shape == RSQ_SHAPE_CELLS)
        return rsq_rows_compare(c, s, rq, rc, l ? &l->read : NULL, out, err);
    if (!l && shape != RSQ_SHAPE_JSON)
        return rsq_rows_collect(c, s, rq, rc, out, err);
    return take_rows(c, s, rq, shape, &rc, SIZE_MAX, l, out, err);
}

TWICE rsq_code select_rows(rsq_conn *c, const rsq_request *rq, rsq_shape shape, lap *l, rsq_result **out,
                           rsq_error *err)
{
    rsq_result *r = NULL;
    bool overtaken;
    rsq_stmt *s;
    rsq_code code;
    int rc;

    if (shape == RSQ_SHAPE_DEPENDENCIES)
        return tell_dependencies(c, rq, out, err);
    code = start(c, rq, &s, &rc, &overtaken, l, err);

    if (overtaken) {
        code = rsq_conn_snapshot_open(c, err);
        return code == RSQ_OK ? rsq_conn_select(c, rq, shape, out, err) : code;
    }
    if (code != RSQ_OK)
        return code;
    code = collect(c, s, rq, shape, rc, l, &r, err);
    sqlite3_reset(s->h);
    if (code != RSQ_OK)
        return code;
    if (l) {
        rsq_profile_took(RSQ_TIME_READER_PREPARE, l->prepared_ns - l->began_ns);
        count_lap(l, l->prepared_ns, r, shape);
    }
    if (s->reads < RSQ_ONE_ROW_READS && ++s->reads == RSQ_ONE_ROW_READS)
        rsq_stmt_ask_one_row(c, s);
    if (r != rq->like)
        r->commit_seq = c->snapshot_seq;
    *out = r;
    return RSQ_OK;
}

static __attribute__((noinline, cold)) rsq_code select_timed(rsq_conn *c, const rsq_request *rq,
                                                             rsq_shape shape, rsq_result **out,
                                                             rsq_error *err)
{
    lap l = {{0}, 0, 0, 0};

    return select_rows(c, rq, shape, &l, out, err);
}

rsq_code rsq_conn_select(rsq_conn *c, const rsq_request *rq, rsq_shape shape, rsq_result **out,
                         rsq_error *err)
{
    return rsq_profile_on() ? select_timed(c, rq, shape, out, err)
                            : select_rows(c, rq, shape, NULL, out, err);
}

rsq_code rsq_conn_scan_begin(rsq_conn *c, const rsq_request *rq, rsq_error *err)
{
    rsq_stmt *s;
    rsq_code code = prepare_read(c, rq, &s, err);

    assert(!c->scan);
    if (code != RSQ_OK)
        return code;
    c->scan = s;
    c->scan_rc = SQLITE_OK;
    return RSQ_OK;
}

TWICE rsq_code scan_rows(rsq_conn *c, const rsq_request *rq, size_t rows_max, rsq_shape shape, lap *l,
                         rsq_result **out, rsq_scan_left *left, rsq_error *err)
{
    rsq_result *r = NULL;
    bool empty = false;
    rsq_code code;

    assert(c->scan && c->scan_rc != SQLITE_DONE);
    if (c->scan_rc == SQLITE_OK) {
        c->scan_rc = sqlite3_step(c->scan->h);
        empty = c->scan_rc == SQLITE_DONE;
    }
    if (l)
        l->stepped_ns = rsq_now_ns();
    code = take_rows(c, c->scan, rq, shape, &c->scan_rc, rows_max, l, &r, err);
    if (code != RSQ_OK)
        return code;
    if (l)
        count_lap(l, l->began_ns, r, shape);
    r->commit_seq = c->snapshot_seq;
    *left = empty ? RSQ_SCAN_EMPTY : c->scan_rc == SQLITE_ROW ? RSQ_SCAN_MORE : RSQ_SCAN_LAST;
    *out = r;
    return RSQ_OK;
}

static __attribute__((noinline, cold)) rsq_code scan_timed(rsq_conn *c, const rsq_request *rq,
                                                           size_t rows_max, rsq_shape shape, rsq_result **out,
                                                           rsq_scan_left *left, rsq_error *err)
{
    lap l = {.began_ns = rsq_now_ns()};

    return scan_rows(c, rq, rows_max, shape, &l, out, left, err);
}

rsq_code rsq_conn_scan_next(rsq_conn *c, const rsq_request *rq, size_t rows_max, rsq_shape shape,
                            rsq_result **out, rsq_scan_left *left, rsq_error *err)
{
    return rsq_profile_on() ? scan_timed(c, rq, rows_max, shape, out, left, err)
                            : scan_rows(c, rq, rows_max, shape, NULL, out, left, err);
}

void rsq_conn_scan_end(rsq_conn *c)
{
    if (c->scan)
        sqlite3_reset(c->scan->h);
    c->scan = NULL;
}
