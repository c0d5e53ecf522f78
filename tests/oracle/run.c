#include "run.h"

#include <sqlite3.h>

#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "changes.h"
#include "foreign.h"
#include "gate.h"
#include "judge.h"
#include "shadow.h"
#include "text.h"

#define STUCK_MS 20000
#define SPIN_US 100 /* so long a stream's counters are looked at before the thread sleeps in its queue */
#define READERS 4
#define WORKERS (READERS - 1) /* that run live queries */
#define NO_QUERY SIZE_MAX

typedef struct runner runner;

/* A stream of a query. */
typedef struct live {
    runner *run;
    size_t query;
    rsq_stream *stream; /* NULL: not open */
    rsq_result *last;   /* owned: what was delivered last; NULL: nothing or an error */
    bool failed;        /* the last event was an error */
    bool ended;         /* and the stream ends by it */
    bool fresh;         /* an event came since it was last judged */
    bool opened;        /* it was never judged before */
    bool moved;         /* it was given other parameters, and the answer for them has not come */
    bool behind;        /* commits were left out because of their origin */
    bool apart;         /* it was given other parameters than its twin */
    uint64_t seq;
    uint64_t replaced; /* when the last event came */
} live;

struct runner {
    const plan *plan;
    const run_options *options;
    tally *tally;
    char path[256], aux[256];
    query *queries; /* owned: the plan's, with the parameters that they have now */
    rsq_db *db;
    rsq_queue *queue;
    judge *judge;
    shadow *shadow;
    foreign foreign;
    live *lives;         /* one of each query */
    uint64_t newest;     /* number of the newest commit */
    uint64_t judged;     /* of the newest one that was judged */
    bool schema_changed; /* since the judge was opened */
    bool analyzed;
    bool hurried; /* commits came one after the other since the last judgement */
    size_t commit;
    failure failure;
};

__attribute__((format(printf, 3, 4))) static void fail(runner *r, size_t number, const char *format, ...)
{
    va_list args;

    if (r->failure.failed)
        return;
    r->failure = (failure){.failed = true, .commit = r->commit, .query = number};
    va_start(args, format);
    vsnprintf(r->failure.what, sizeof r->failure.what, format, args);
    va_end(args);
}

static rsq_stream_counters counters_of(const live *l)
{
    rsq_stream_counters c = {.size = sizeof c};

    rsq_stream_stats(l->stream, &c);
    return c;
}

/* ------------------------------------------------------- events -- */

static void check_changes(live *l, const rsq_stream_event *ev)
{
    runner *r = l->run;

    if (ev->kind != RSQ_EVENT_DIFFERENCE)
        return;
    r->tally->differences++;
    if (l->last && !judge_equal(l->last, ev->before))
        fail(r, l->query, "a difference to another answer than the last one");
    else if (!changes_lead_there(ev))
        fail(r, l->query, "the difference does not lead to the new answer");
}

static void take_result(live *l, const rsq_stream_event *ev)
{
    runner *r = l->run;
    const query *q = &r->queries[l->query];
    uint64_t replaced = counters_of(l).replaced;

    r->tally->results++;
    r->tally->grouped += q->group != 0;
    check_changes(l, ev);
    if (ev->commit_seq < l->seq || (l->last && !l->moved && ev->commit_seq == l->seq))
        fail(r, l->query, "event of commit %llu after one of %llu", (unsigned long long)ev->commit_seq,
             (unsigned long long)l->seq);
    if (!l->opened && !l->moved && !q->skip_origin && ev->commit_seq <= r->judged)
        fail(r, l->query, "event of commit %llu, which was judged before",
             (unsigned long long)ev->commit_seq);
    /* One that was overtaken in the queue may have been different. */
    if (l->last && !l->moved && replaced == l->replaced && judge_equal(l->last, ev->result))
        fail(r, l->query, "emitted though nothing changed");
    rsq_result_unref(l->last);
    l->last = rsq_result_ref(ev->result);
    l->failed = l->moved = false;
    l->seq = ev->commit_seq;
    l->replaced = replaced;
    l->fresh = true;
}

static void add_counters(live *l)
{
    rsq_stream_counters c = counters_of(l);

    l->run->tally->woken += c.woken;
    l->run->tally->runs += c.runs;
    l->run->tally->suppressed += c.suppressed;
    l->run->tally->replaced += c.replaced;
    l->run->tally->left_out += c.skipped;
    l->run->tally->by_column += c.spared_by_column;
    l->run->tally->by_value += c.spared_by_value;
    l->run->tally->by_key += c.spared_by_key;
}

static void on_event(rsq_stream *s, const rsq_stream_event *ev, void *ctx)
{
    live *l = ctx;

    (void)s;
    if (ev->kind == RSQ_EVENT_RESULT || ev->kind == RSQ_EVENT_DIFFERENCE) {
        take_result(l, ev);
        return;
    }
    rsq_result_unref(l->last);
    l->last = NULL;
    if (ev->kind == RSQ_EVENT_ERROR) {
        l->run->tally->errors++;
        l->failed = l->fresh = true;
        l->moved = false;
        l->ended = ev->ended;
        return;
    }
    add_counters(l);
    l->stream = NULL;
}

static bool has_answer(const live *l)
{
    return l->stream && !l->ended && !l->apart && (l->last || l->failed);
}

/* Whatever was committed meanwhile: what two equal queries of a group were handed last is of one commit. */
static void compare_twins(runner *r)
{
    for (size_t i = 0; i < r->plan->nqueries; i++) {
        const live *l = &r->lives[i], *twin;

        if (!r->queries[i].twin)
            continue;
        twin = &r->lives[r->queries[i].twin - 1];
        if (!has_answer(l) || !has_answer(twin))
            continue;
        r->tally->twins++;
        if (l->failed != twin->failed || (l->last && twin->last && !judge_equal(l->last, twin->last)))
            fail(r, i, "two streams of a group show commits %llu and %llu", (unsigned long long)l->seq,
                 (unsigned long long)twin->seq);
    }
}

/* A few callbacks at a time, so that it would be seen if a group were delivered in parts. */
static void dispatch(runner *r)
{
    size_t delivered;

    do {
        delivered = 0;
        rsq_queue_dispatch(r->queue, 1, &delivered);
        if (delivered)
            compare_twins(r);
    } while (delivered || rsq_queue_wait(r->queue, 0) == RSQ_OK);
}

/* ------------------------------------------------------- settling -- */

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* What is waited for since then has not come. False: it never will. */
static bool keep_waiting(runner *r, int64_t since_us)
{
    int64_t waited_us = now_us() - since_us;

    if (waited_us < SPIN_US)
        sched_yield();
    else
        (void)rsq_queue_wait(r->queue, 1);
    dispatch(r);
    return waited_us < STUCK_MS * INT64_C(1000);
}

static bool is_settled(live *l, uint64_t seq)
{
    rsq_stream_counters c = counters_of(l);

    /* From its first commit that is left out on it may be behind, until something else wakes it. */
    l->behind = c.settled_seq < seq && c.skipped > 0;
    return c.settled_seq >= seq;
}

/* Until all commits so far are in what was delivered. A stream that ends by an error has its end posted with
 * it. */
static void settle_one(runner *r, live *l)
{
    int64_t since_us = now_us();

    while (l->stream && !is_settled(l, r->newest)) {
        if (l->behind && now_us() - since_us >= SPIN_US)
            return; /* until something else wakes it */
        if (!keep_waiting(r, since_us)) {
            fail(r, l->query, "not settled at commit %llu after %d s", (unsigned long long)r->newest,
                 STUCK_MS / 1000);
            return;
        }
    }
}

static void settle(runner *r)
{
    for (size_t i = 0; i < r->plan->nqueries && !r->failure.failed; i++)
        settle_one(r, &r->lives[i]);
    dispatch(r);
}

static bool is_moving(runner *r, size_t i)
{
    live *l = &r->lives[i];

    return l->stream && !is_settled(l, r->newest) && !l->behind;
}

/* Do both have one run? */
static bool run_as_one(const query *a, const query *b)
{
    return a->group ? a->group == b->group : !b->group && strcmp(a->sql, b->sql) == 0;
}

/* Is it, or one that is run with it, on the way to the gate or there? */
static bool leads_to_gate(runner *r, size_t number)
{
    for (size_t i = 0; i < r->plan->nqueries; i++) {
        if (r->queries[i].gated && run_as_one(&r->queries[i], &r->queries[number]) && is_moving(r, i))
            return true;
    }
    return false;
}

/* Is it the first of those that are run as one and lead to the gate? */
static bool is_guest(runner *r, size_t number)
{
    if (!leads_to_gate(r, number))
        return false;
    for (size_t i = 0; i < number; i++) {
        if (run_as_one(&r->queries[i], &r->queries[number]))
            return false;
    }
    return true;
}

/* Do all that were woken stand at the gate, or wait for those who do, or have run? */
static bool stands_still(runner *r)
{
    unsigned there = gate_guests(), guests = 0;

    if (there == WORKERS)
        return true;
    for (size_t i = 0; i < r->plan->nqueries; i++) {
        guests += is_guest(r, i);
        if (is_moving(r, i) && !leads_to_gate(r, i))
            return false;
    }
    return there >= guests;
}

/* So the next commit meets the queries at the gate, and no others by luck. */
static void await_guests(runner *r)
{
    int64_t since_us = now_us();

    while (!stands_still(r) && keep_waiting(r, since_us))
        ;
    /* A part of a group that were delivered by itself would be seen now. */
    dispatch(r);
    r->tally->met_runs += gate_guests() > 0;
}

/* ------------------------------------------------------- judging -- */

static void report(runner *r, const live *l)
{
    FILE *out = r->options->report;
    const query *q = &r->queries[l->query];

    if (!out)
        return;
    fprintf(out, "-- expected:\n");
    judge_print(r->judge, q, l->query, out);
    fprintf(out, "-- delivered, of commit %llu:\n", (unsigned long long)l->seq);
    if (l->last)
        judge_print_result(l->last, out);
    else
        fprintf(out, "--   an error\n");
}

static void judge_one(runner *r, live *l)
{
    const query *q = &r->queries[l->query];
    verdict v;

    if ((!l->stream && !l->ended) || l->behind)
        return;
    /* It ended because of SQL that meant nothing when it was opened; since then a commit may have made it
     * mean something. */
    if (l->ended && r->hurried) {
        l->ended = false;
        return;
    }
    v = judge_compare(r->judge, q, l->query, l->last, l->fresh);
    r->tally->checks++;
    r->tally->failing += !l->last;
    r->tally->empty += l->last && rsq_result_rows(l->last) == 0;
    if (v == VERDICT_ORDER)
        r->tally->reordered++;
    else if (v == VERDICT_CHOICE)
        r->tally->chosen++;
    /* Without new statistics the same text gives the same plan, so the order is the same as well. */
    if (v == VERDICT_DIFFERENT || (v != VERDICT_SAME && !r->analyzed)) {
        fail(r, l->query, "not what a fresh run gives");
        report(r, l);
    }
    l->fresh = l->opened = false;
    l->ended = false;
}

static void judge_all(runner *r)
{
    if (r->schema_changed)
        judge_reopen(r->judge, r->analyzed);
    r->schema_changed = false;
    judge_begin(r->judge);
    for (size_t i = 0; i < r->plan->nqueries && !r->failure.failed; i++)
        judge_one(r, &r->lives[i]);
    judge_end(r->judge);
    r->judged = r->newest;
    r->hurried = false;
}

/* ------------------------------------------------------- commits -- */

/* The number of the newest commit, whoever made it. */
static void look_at_number(runner *r)
{
    rsq_result *result = NULL;
    rsq_error err;

    if (rsq_select(r->db, "SELECT 1", NULL, 0, NULL, &result, &err) != RSQ_OK) {
        fail(r, NO_QUERY, "SELECT 1: %s", err.message);
        return;
    }
    if (rsq_result_commit_seq(result) > r->newest)
        r->tally->commits++;
    r->newest = rsq_result_commit_seq(result);
    rsq_result_unref(result);
}

static void note_statement(runner *r, const char *sql, rsq_code code, const rsq_error *err)
{
    if (changes_schema(sql))
        r->schema_changed = true;
    if (begins_with(sql, "ANALYZE") || begins_with(sql, "PRAGMA optimize"))
        r->analyzed = true;
    if (code == RSQ_EBUSY || code == RSQ_ETIMEOUT || code == RSQ_ENOMEM || code == RSQ_EIO)
        fail(r, NO_QUERY, "%.60s: %s", sql, err->message);
}

/* A caller who wants the rows of RETURNING, or the figures, takes another way through the library. */
static bool wants_result(const step *s)
{
    return strstr(s->sql, "RETURNING") != NULL || strlen(s->sql) % 2 == 0;
}

static void pack(const step *s, rsq_value *values)
{
    for (size_t i = 0; i < s->nvalues; i++)
        values[i] = rsq_integer(s->values[i]);
}

static void run_alone(runner *r, const step *s, uint32_t origin)
{
    rsq_call_options o = {.size = sizeof o, .origin = origin};
    rsq_value values[BATCH_MAX];
    rsq_result *result = NULL;
    rsq_error err;
    rsq_code code;

    if (!s->sql)
        return;
    pack(s, values);
    if (s->kind == STEP_BATCH)
        code = rsq_execute_batch(r->db, s->sql, values, s->nvalues, 1, &o, NULL, &err);
    else
        code = rsq_execute(r->db, s->sql, NULL, 0, &o, wants_result(s) ? &result : NULL, &err);
    note_statement(r, s->sql, code, &err);
    rsq_result_unref(result);
}

/* Before the next statement of a commit. */
static void settle_step(runner *r)
{
    if (!r->plan->steady)
        return;
    look_at_number(r);
    if (gate_is_closed())
        await_guests(r);
    else
        settle(r);
}

/* Where a transaction's function stands in its steps. */
typedef struct cursor {
    runner *run;
    const commit *commit;
    size_t at; /* the step that is next */
} cursor;

static rsq_code run_level(rsq_tx *tx, void *ctx);

static void run_step(rsq_tx *tx, cursor *c, const step *s)
{
    rsq_value values[BATCH_MAX];
    rsq_result *result = NULL;
    rsq_error err;
    rsq_code code;

    if (s->kind == STEP_SAVEPOINT) {
        (void)rsq_tx_transaction(tx, run_level, c, NULL);
        return;
    }
    pack(s, values);
    if (s->kind == STEP_BATCH)
        code = rsq_tx_execute_batch(tx, s->sql, values, s->nvalues, 1, NULL, NULL, &err);
    else
        code = rsq_tx_execute(tx, s->sql, NULL, 0, NULL, wants_result(s) ? &result : NULL, &err);
    note_statement(c->run, s->sql, code, &err);
    rsq_result_unref(result);
}

/* The transaction or a savepoint: until its end, or that of the steps. */
static rsq_code run_level(rsq_tx *tx, void *ctx)
{
    cursor *c = ctx;
    const plan *p = c->run->plan;

    while (c->at < c->commit->first + c->commit->count) {
        const step *s = &p->steps[c->at++];

        if (s->dropped)
            continue;
        if (s->kind == STEP_RELEASE)
            return RSQ_OK;
        if (s->kind == STEP_ROLLBACK_TO)
            return RSQ_ECANCELLED;
        run_step(tx, c, s);
    }
    return RSQ_OK;
}

/* What the savepoints' ends that have no beginning leave over is run as well. */
static rsq_code run_body(rsq_tx *tx, void *ctx)
{
    cursor *c = ctx;

    while (c->at < c->commit->first + c->commit->count)
        (void)run_level(tx, c);
    return c->commit->kind == COMMIT_TX ? RSQ_OK : RSQ_ECANCELLED;
}

static void run_foreign(runner *r, const commit *c)
{
    bool unnoticed = r->plan->flags & RSQ_OPEN_NO_EXTERNAL_WRITERS;
    rsq_error err;

    for (size_t i = c->first; i < c->first + c->count; i++) {
        const step *s = &r->plan->steps[i];

        if (s->dropped || !s->sql)
            continue;
        if (foreign_run(&r->foreign, r->path, r->plan->attaches ? r->aux : NULL, s->sql))
            r->tally->foreign++;
        note_statement(r, s->sql, RSQ_OK, NULL);
        if (!unnoticed)
            settle_step(r);
    }
    if (unnoticed && rsq_execute(r->db, "UPDATE tick SET n = n + 1", NULL, 0, NULL, NULL, &err) != RSQ_OK)
        fail(r, NO_QUERY, "tick: %s", err.message);
}

/* Submitted while the first one runs, the others may be committed together. */
static void run_together(runner *r, const commit *c)
{
    rsq_op **ops = calloc(c->count, sizeof *ops);
    rsq_error none = {0};

    for (size_t i = 0; ops && i < c->count; i++) {
        const step *s = &r->plan->steps[c->first + i];

        if (!s->dropped && s->sql && rsq_execute_async(r->db, s->sql, NULL, 0, NULL, &ops[i]) != RSQ_OK)
            fail(r, NO_QUERY, "cannot submit");
    }
    for (size_t i = 0; ops && i < c->count; i++) {
        const rsq_error *err;

        if (!ops[i])
            continue;
        if (rsq_op_wait(ops[i], STUCK_MS) != RSQ_OK)
            fail(r, NO_QUERY, "a write does not end");
        err = rsq_op_error(ops[i]);
        note_statement(r, r->plan->steps[c->first + i].sql, rsq_op_status(ops[i]), err ? err : &none);
        rsq_op_free(ops[i]);
    }
    free(ops);
}

static void open_stream(runner *r, size_t number)
{
    const query *q = &r->queries[number];
    live *l = &r->lives[number];
    rsq_stream_options o = {.size = sizeof o,
                            .queue = r->queue,
                            .event = on_event,
                            .ctx = l,
                            .mode = q->mode,
                            .group = q->group,
                            .skip_origin = q->skip_origin};
    rsq_error err;

    if (q->dropped)
        return;
    *l = (live){.run = r, .query = number, .opened = true};
    if (rsq_stream_open(r->db, q->sql, q->params, q->nparams, &o, &l->stream, &err) != RSQ_OK)
        fail(r, number, "open: %s", err.message);
    r->tally->streams++;
}

static void move_stream(runner *r, const commit *c)
{
    query *q = &r->queries[c->query];
    live *l = &r->lives[c->query];
    rsq_error err;

    if (!l->stream || l->ended)
        return;
    /* Before the last event is taken, an error may already have ended the stream. */
    if (rsq_stream_set_params(l->stream, c->params, q->nparams, &err) != RSQ_OK)
        return;
    memcpy(q->params, c->params, sizeof q->params);
    l->apart = true;
    for (size_t i = 0; i < r->plan->nqueries; i++) {
        if (r->queries[i].twin == c->query + 1)
            r->lives[i].apart = true;
    }
    judge_forget(r->judge, c->query);
    l->moved = true;
    r->tally->moves++;
}

static void run_steps(runner *r, const commit *c)
{
    rsq_call_options o = {.size = sizeof o, .origin = c->origin};
    cursor at = {.run = r, .commit = c, .at = c->first};

    if (c->kind == COMMIT_TX || c->kind == COMMIT_TX_UNDONE) {
        (void)rsq_transaction(r->db, run_body, &at, &o, NULL);
        return;
    }
    for (size_t i = c->first; i < c->first + c->count; i++) {
        if (r->plan->steps[i].dropped)
            continue;
        run_alone(r, &r->plan->steps[i], c->origin);
        settle_step(r);
    }
}

static void run_commit(runner *r, const commit *c)
{
    if (c->kind == COMMIT_OPEN) {
        open_stream(r, c->query);
        return;
    }
    if (c->dropped)
        return;
    if (c->kind == COMMIT_CLOSE) {
        rsq_stream_close(r->lives[c->query].stream);
        return;
    }
    if (c->kind == COMMIT_MOVE) {
        move_stream(r, c);
        return;
    }
    if (c->kind == COMMIT_FOREIGN)
        run_foreign(r, c);
    else if (c->kind == COMMIT_ASYNC && !r->plan->steady)
        run_together(r, c);
    else
        run_steps(r, c);
    shadow_run(r->shadow, r->plan, c);
    look_at_number(r);
}

/* ------------------------------------------------------- an episode -- */

static void open_all(runner *r)
{
    rsq_attach aux = {.name = "aux", .path = r->aux};
    rsq_open_options o = {.size = sizeof o,
                          .flags = r->plan->flags,
                          .readers = READERS,
                          .synchronous = RSQ_SYNC_OFF,
                          .attach = &aux,
                          .nattach = r->plan->attaches ? 1 : 0};
    rsq_error err;

    if (rsq_open(r->path, &o, &r->db, &err) != RSQ_OK || rsq_queue_new(&r->queue, &err) != RSQ_OK ||
        rsq_execute(r->db, "CREATE TABLE tick(n)", NULL, 0, NULL, NULL, &err) != RSQ_OK ||
        rsq_execute(r->db, "INSERT INTO tick VALUES (0)", NULL, 0, NULL, NULL, &err) != RSQ_OK) {
        fail(r, NO_QUERY, "%s", err.message);
        return;
    }
    look_at_number(r);
    r->judge = judge_open(r->path, r->plan->attaches ? r->aux : NULL, r->plan->nqueries);
    r->shadow = shadow_open(r->tally, r->plan->attaches);
}

static void remove_files(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char name[300];

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        (void)unlink(name);
    }
}

static void close_all(runner *r)
{
    foreign_stop(&r->foreign);
    judge_close(r->judge);
    shadow_close(r->shadow);
    (void)rsq_close(r->db);
    if (r->queue)
        dispatch(r);
    for (size_t i = 0; i < r->plan->nqueries; i++) {
        if (r->lives[i].stream)
            fail(r, i, "no end event");
        rsq_result_unref(r->lives[i].last);
    }
    rsq_queue_free(r->queue);
    remove_files(r->path);
    remove_files(r->aux);
    free(r->queries);
    free(r->lives);
}

/* Not to wait for something, but so that the next commit meets queries that run. */
static void let_run(unsigned us)
{
    int64_t since_us = now_us();

    do
        sched_yield();
    while (now_us() - since_us < us);
}

failure run_plan(const plan *p, size_t ncommits, const run_options *options, tally *t)
{
    runner r = {.plan = p,
                .options = options,
                .tally = t,
                .queries = calloc(p->nqueries + 1, sizeof(query)),
                .lives = calloc(p->nqueries + 1, sizeof(live))};

    if (!r.lives || !r.queries)
        abort();
    memcpy(r.queries, p->queries, p->nqueries * sizeof *r.queries);
    snprintf(r.aux, sizeof r.aux, "%s/aux.db", options->folder);
    remove_files(r.aux);
    snprintf(r.path, sizeof r.path, "%s/oracle.db", options->folder);
    remove_files(r.path);
    open_all(&r);
    for (r.commit = 0; r.commit < p->ncommits && r.commit < ncommits && !r.failure.failed; r.commit++) {
        const commit *c = &p->commits[r.commit];

        bool meets_run = c->meets_run && r.commit + 1 < ncommits && !gate_is_closed();

        if (meets_run)
            gate_close();
        run_commit(&r, c);
        if (meets_run) {
            r.hurried = true;
            await_guests(&r);
            continue;
        }
        gate_open();
        if (c->hasty && !p->steady && r.commit + 1 < ncommits) {
            r.hurried = true;
            let_run(c->after_us);
            continue;
        }
        settle(&r);
        if (!r.failure.failed)
            judge_all(&r);
    }
    t->episodes++;
    gate_open();
    close_all(&r);
    return r.failure;
}
