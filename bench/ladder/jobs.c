/* What is done on the rungs; see jobs.h. The library's and SQLite's part is in real.c. */
#define _POSIX_C_SOURCE 200809L /* strdup() */

#include "ladder/jobs.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "portable.h"

/* As a request needs them that carries its text and parameters with it. */
#define SQL "SELECT * FROM items WHERE id = ?"

enum { COLUMNS = 6 };

static const char *const names[COLUMNS] = {"id", "name", "description", "value", "category", "created_at"};

/* Rows to copy from, like those of items.c. */
static struct {
    rsq_value cells[JOBS_ROWS_MAX * COLUMNS];
    char texts[JOBS_ROWS_MAX][2][128];
} source;

static void fill_source(void)
{
    for (int i = 0; i < JOBS_ROWS_MAX; i++) {
        rsq_value *v = &source.cells[i * COLUMNS];

        snprintf(source.texts[i][0], sizeof source.texts[i][0], "Item %d", i);
        snprintf(source.texts[i][1], sizeof source.texts[i][1],
                 "This is a description for item number %d with some padding text to simulate real data", i);
        v[0] = rsq_integer(i + 1);
        v[1] = rsq_text(source.texts[i][0]);
        v[2] = rsq_text(source.texts[i][1]);
        v[3] = rsq_real(i * 1.5);
        v[4] = rsq_text("category_1");
        v[5] = rsq_text("2026-04-01T12:00:00Z");
    }
}

static void *copy_answer(void *answer)
{
    row_set *copy = rows_copy(answer);

    rows_free(answer);
    return copy;
}

static void make_rows(rung_request *r, unsigned worker)
{
    const hand_off *h = r->ctx;

    (void)worker;
    r->answer = h->rows > 0 ? rows_new(h->form, source.cells, h->rows, names, COLUMNS) : NULL;
    r->ok = h->rows == 0 || r->answer;
}

/* A request that outlives the call that made it, with all that it needs. */
typedef struct closure {
    char *sql;         /* owned */
    rsq_value *params; /* owned */
    const hand_off *of;
} closure;

static void closure_free(closure *c)
{
    if (!c)
        return;
    free(c->sql);
    free(c->params);
    free(c);
}

static closure *closure_new(const hand_off *of, uint64_t op)
{
    closure *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->of = of;
    c->sql = strdup(SQL);
    c->params = malloc(sizeof *c->params);
    if (c->sql && c->params) {
        c->params[0] = rsq_integer((int64_t)op);
        return c;
    }
    closure_free(c);
    return NULL;
}

static void run_closure(rung_request *r, unsigned worker)
{
    closure *c = r->ctx;

    (void)worker;
    r->answer = rows_new(c->of->form, source.cells, c->of->rows, names, COLUMNS);
    r->ok = r->answer != NULL;
    closure_free(c);
}

static void note_phases(const rung_request *r, int64_t started, int64_t ended, int64_t *phases)
{
    phases[PHASE_REQUEST] = r->began_ns - started;
    phases[PHASE_WORK] = r->ended_ns - r->began_ns;
    phases[PHASE_REPLY] = ended - r->ended_ns;
}

bool job_send(const rung *by, void *state, unsigned caller, rung_request *r, int64_t *phases)
{
    int64_t started = phases ? bench_now_ns() : 0;

    r->timed = phases != NULL;
    if (!by->call(state, caller, r))
        return false;
    if (phases)
        note_phases(r, started, bench_now_ns(), phases);
    return r->ok;
}

void job_take_rows(rung_request *r, double *sum)
{
    if (r->answer)
        *sum = rows_visit(r->answer, *sum);
    rows_free(r->answer);
}

static bool hand_off_call(void *state, unsigned caller, uint64_t op, int64_t *phases, double *sum)
{
    hand_off *h = state;
    rung_request r = {.work = make_rows, .ctx = h, .op = op};

    if (h->by == TRANSFER_COPY)
        r.copy = copy_answer;
    if (h->by == TRANSFER_CLOSURE) {
        r.work = run_closure;
        r.ctx = closure_new(h, op);
        if (!r.ctx)
            return false;
    }
    if (!job_send(h->rung, h->state, caller, &r, phases))
        return false;
    job_take_rows(&r, sum);
    return true;
}

bool hand_off_open(hand_off *h, unsigned callers, contestant *c)
{
    static const char *const how[] = {
        [TRANSFER_OWNER] = "", [TRANSFER_COPY] = "-copied", [TRANSFER_CLOSURE] = "-closure"};
    static pthread_once_t filled = PTHREAD_ONCE_INIT;

    pthread_once(&filled, fill_source);
    h->state = h->rung->start(callers);
    if (!h->state) {
        fprintf(stderr, "rsq-bench: ladder: %s: no memory or no thread\n", h->rung->name);
        return false;
    }
    *c = (contestant){.state = h, .call = hand_off_call, .phased = true, .unbound = !h->rung->bound};
    snprintf(c->name, sizeof c->name, "%s%s", h->rung->name, how[h->by]);
    return true;
}

void hand_off_close(hand_off *h)
{
    if (h->state)
        h->rung->stop(h->state);
    h->state = NULL;
}
