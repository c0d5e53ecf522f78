/* The live queries; see demo_live.h. */
#include "demo_live.h"

#include <math.h>
#include <string.h>

/* ---------------------------------------------------------- descriptions -- */

typedef void (*describe_fn)(text *to, const rsq_result *before, const rsq_result *after);

/* A list of changes stays readable: three, then how many more. */
enum { CHANGES_SHOWN = 3 };

static bool is_shown(text *to, size_t change)
{
    if (change && change < CHANGES_SHOWN)
        text_add(to, ", ");
    return change < CHANGES_SHOWN;
}

static void add_rest(text *to, size_t changes)
{
    if (changes > CHANGES_SHOWN)
        text_add(to, " and %zu more", changes - CHANGES_SHOWN);
    else if (!changes)
        text_add(to, "no visible change");
}

static const char *text_of(const rsq_result *r, size_t row, size_t column)
{
    const char *s = rsq_result_text(r, row, column, NULL);

    return s ? s : "";
}

static void add_country(text *to, const rsq_result *before, size_t i, const rsq_result *after, size_t j)
{
    text_add_data(to, before ? text_of(before, i, 0) : text_of(after, j, 0));
    text_add(to, " ");
    text_add_count(to, before ? (uint64_t)rsq_result_int64(before, i, 1) : 0);
    text_add(to, " → ");
    text_add_count(to, after ? (uint64_t)rsq_result_int64(after, j, 1) : 0);
}

/* Both are in the order of the country, so one walk along the two finds what differs. */
static void describe_countries(text *to, const rsq_result *before, const rsq_result *after)
{
    size_t nbefore = rsq_result_rows(before), nafter = rsq_result_rows(after);
    size_t changes = 0;

    for (size_t i = 0, j = 0; i < nbefore || j < nafter;) {
        int order = i == nbefore ? 1 : j == nafter ? -1 : strcmp(text_of(before, i, 0), text_of(after, j, 0));
        bool same = order == 0 && rsq_result_int64(before, i, 1) == rsq_result_int64(after, j, 1);

        if (!same && is_shown(to, changes))
            add_country(to, order <= 0 ? before : NULL, i, order >= 0 ? after : NULL, j);
        changes += !same;
        i += order <= 0;
        j += order >= 0;
    }
    add_rest(to, changes);
}

/* Rank from 1 of the city of that name; 0: not there. */
static size_t rank_of(const rsq_result *r, const char *name)
{
    for (size_t i = 0; i < rsq_result_rows(r); i++) {
        if (strcmp(text_of(r, i, 0), name) == 0)
            return i + 1;
    }
    return 0;
}

/* Cities that moved or came; the others only make room. */
static void describe_northernmost(text *to, const rsq_result *before, const rsq_result *after)
{
    size_t changes = 0;

    for (size_t i = 0; i < rsq_result_rows(after); i++) {
        size_t old = rank_of(before, text_of(after, i, 0));
        double lat = rsq_result_double(after, i, 1),
               old_lat = old ? rsq_result_double(before, old - 1, 1) : 0;

        if ((old && fabs(old_lat - lat) < 1e-9) || !is_shown(to, changes++))
            continue;
        text_add_data(to, text_of(after, i, 0));
        if (old)
            text_add(to, " %.2f° → %.2f° north, rank %zu", old_lat, lat, old);
        else
            text_add(to, " is new at %.2f° north, rank %zu", lat, i + 1);
        if (old && old != i + 1)
            text_add(to, " → %zu", i + 1);
    }
    add_rest(to, changes);
}

static void describe_city(text *to, const rsq_result *before, const rsq_result *after)
{
    size_t changes = 0;

    if (!rsq_result_rows(before) || !rsq_result_rows(after)) {
        text_add(to, "%s", rsq_result_rows(after) ? "the row is there" : "the row is gone");
        return;
    }
    text_add_data(to, text_of(before, 0, 0));
    text_add(to, ": ");
    if (strcmp(text_of(before, 0, 0), text_of(after, 0, 0)) != 0 && is_shown(to, changes++)) {
        text_add(to, "name → ");
        text_add_data(to, text_of(after, 0, 0));
    }
    for (size_t column = 1; column <= 2; column++) {
        double old = rsq_result_double(before, 0, column), new = rsq_result_double(after, 0, column);

        if (fabs(old - new) > 1e-9 && is_shown(to, changes++))
            text_add(to, "%s %.3f → %.3f", rsq_result_column_name(after, column), old, new);
    }
    add_rest(to, changes);
}

/* -------------------------------------------------------------- queries -- */

static const struct {
    const char *title, *sql;
    describe_fn describe;
} known[LIVE_QUERIES] = {
    [LIVE_COUNTRIES] = {"count per country",
                        "SELECT country, count(*) FROM cities GROUP BY country ORDER BY country",
                        describe_countries},
    [LIVE_NORTHERNMOST] = {"ten northernmost", "SELECT name, lat FROM cities ORDER BY lat DESC LIMIT 10",
                           describe_northernmost},
    [LIVE_CITY] = {"one city by key", "SELECT name, lat, lng FROM cities WHERE rowid = ?", describe_city},
};

const char *live_title(size_t query)
{
    return known[query].title;
}

static void describe(text *to, const live_query *q, const rsq_result *after)
{
    text_clear(to);
    if (q->answer)
        known[q->index].describe(to, q->answer, after);
    else
        text_add(to, "%zu row%s of %s", rsq_result_rows(after), rsq_result_rows(after) == 1 ? "" : "s",
                 q->sql);
}

static void on_result(live_query *q, const rsq_stream_event *ev)
{
    live *l = q->live;
    text change;

    probe_seen(&q->probe, ev->commit_seq, now_ns());
    describe(&change, q, ev->result);
    rsq_result_unref(q->answer);
    q->answer = rsq_result_ref(ev->result);
    l->answer(q->index, &change, l->ctx);
}

static void on_event(rsq_stream *s, const rsq_stream_event *ev, void *ctx)
{
    live_query *q = ctx;

    (void)s;
    switch (ev->kind) {
    case RSQ_EVENT_RESULT:
        on_result(q, ev);
        break;
    case RSQ_EVENT_ERROR:
        q->live->failed = true;
        q->live->error = *ev->error;
        break;
    case RSQ_EVENT_END:
        q->stream = NULL;
        break;
    default: /* of other modes */
        break;
    }
}

rsq_code live_open(live *l, const data *d, live_answer_fn answer, void *ctx, rsq_error *err)
{
    rsq_code code = RSQ_OK;

    l->db = d->db;
    l->answer = answer;
    l->ctx = ctx;
    for (size_t i = 0; i < LIVE_QUERIES; i++) {
        l->queries[i] = (live_query){.index = i, .live = l, .sql = known[i].sql};
        probe_init(&l->queries[i].probe);
    }
    l->queries[LIVE_CITY].params[0] = rsq_integer(d->followed);
    l->queries[LIVE_CITY].nparams = 1;
    for (size_t i = 0; i < LIVE_QUERIES && code == RSQ_OK; i++) {
        live_query *q = &l->queries[i];
        rsq_stream_options options = {.size = sizeof options, .event = on_event, .ctx = q};

        code = rsq_stream_open(l->db, q->sql, q->params, q->nparams, &options, &q->stream, err);
    }
    return code;
}

bool live_has_answers(const live *l)
{
    for (size_t i = 0; i < LIVE_QUERIES; i++) {
        if (!l->queries[i].answer)
            return false;
    }
    return true;
}

static bool same_cell(const rsq_value *a, const rsq_value *b)
{
    if (a->type != b->type || a->len != b->len)
        return false;
    if (a->type >= RSQ_TEXT)
        return memcmp(a->as.blob, b->as.blob, a->len) == 0;
    return a->type == RSQ_NULL || a->as.i == b->as.i; /* a double's bits, too */
}

static bool same_answer(const rsq_result *a, const rsq_result *b)
{
    size_t rows, columns, rows_b, columns_b;
    const rsq_value *cells = rsq_result_cells(a, &rows, &columns);
    const rsq_value *cells_b = rsq_result_cells(b, &rows_b, &columns_b);

    if (rows != rows_b || columns != columns_b)
        return false;
    for (size_t i = 0; i < rows * columns; i++) {
        if (!same_cell(&cells[i], &cells_b[i]))
            return false;
    }
    return true;
}

rsq_code live_is_current(const live *l, bool *current, rsq_error *err)
{
    *current = true;
    for (size_t i = 0; i < LIVE_QUERIES; i++) {
        const live_query *q = &l->queries[i];
        rsq_result *fresh;
        rsq_code code = rsq_select(l->db, q->sql, q->params, q->nparams, NULL, &fresh, err);

        if (code != RSQ_OK)
            return code;
        if (!same_answer(q->answer, fresh))
            *current = false;
        rsq_result_unref(fresh);
    }
    return RSQ_OK;
}

void live_read(live *l, size_t query, live_figures *f)
{
    live_query *q = &l->queries[query];

    /* After its end a stream has no counters any more; those read last stay. */
    if (q->stream) {
        q->counters.size = sizeof q->counters;
        rsq_stream_stats(q->stream, &q->counters);
    }
    f->counters = q->counters;
    probe_read(&q->probe, &f->latency);
}

void live_close(live *l)
{
    for (size_t i = 0; i < LIVE_QUERIES; i++)
        rsq_stream_close(l->queries[i].stream);
}

bool live_is_closed(const live *l)
{
    for (size_t i = 0; i < LIVE_QUERIES; i++) {
        if (l->queries[i].stream)
            return false;
    }
    return true;
}

void live_fini(live *l)
{
    for (size_t i = 0; i < LIVE_QUERIES; i++) {
        rsq_result_unref(l->queries[i].answer);
        probe_fini(&l->queries[i].probe);
    }
}
