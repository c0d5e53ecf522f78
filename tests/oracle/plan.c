#include "plan.h"

#include <sqlite3.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"

/* Room for one more; a test without memory ends. */
static void *grow(void *array, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return array;
    *room = *room ? *room * 2 : 64;
    array = realloc(array, *room * size);
    if (!array)
        abort();
    return array;
}

void plan_begin(plan *p, commit_kind kind)
{
    p->commits = grow(p->commits, p->ncommits, &p->commits_room, sizeof *p->commits);
    p->commits[p->ncommits++] = (commit){.kind = kind, .first = p->nsteps};
}

void plan_add_step(plan *p, step_kind kind, char *sql)
{
    p->steps = grow(p->steps, p->nsteps, &p->steps_room, sizeof *p->steps);
    p->steps[p->nsteps++] = (step){.kind = kind, .sql = sql};
    p->commits[p->ncommits - 1].count++;
}

step *plan_last_step(plan *p)
{
    return &p->steps[p->nsteps - 1];
}

size_t plan_add_query(plan *p, const query *q)
{
    p->queries = grow(p->queries, p->nqueries, &p->queries_room, sizeof *p->queries);
    p->queries[p->nqueries] = *q;
    p->gated = p->gated || q->gated;
    return p->nqueries++;
}

void plan_add_opening(plan *p, commit_kind kind, size_t number)
{
    plan_begin(p, kind);
    p->commits[p->ncommits - 1].query = number;
}

static char *without_gate(const char *sql)
{
    const char *call = strstr(sql, "gate()");

    return sqlite3_mprintf("%.*s1%s", (int)(call - sql), sql, call + strlen("gate()"));
}

void plan_add_stream(generator *g)
{
    plan *p = g->plan;
    size_t number = queries_generate(g);
    query twin = p->queries[number];

    plan_add_opening(p, COMMIT_OPEN, number);
    if (!twin.group || twin.order != ORDER_TOTAL || (!twin.gated && !random_chance(&g->random, 60)))
        return;
    /* Another text, so another live query; and when the first one waits at the gate, this one does not. */
    twin.sql = twin.gated ? without_gate(twin.sql) : sqlite3_mprintf("/* twin */ %s", twin.sql);
    twin.gated = false;
    twin.twin = number + 1;
    plan_add_opening(p, COMMIT_OPEN, plan_add_query(p, &twin));
}

void plan_fini(plan *p)
{
    for (size_t i = 0; i < p->nqueries; i++)
        sqlite3_free(p->queries[i].sql);
    for (size_t i = 0; i < p->nsteps; i++)
        sqlite3_free(p->steps[i].sql);
    free(p->queries);
    free(p->steps);
    free(p->commits);
    *p = (plan){0};
}

/* All levels are on in every other plan; else each by chance. */
static uint32_t pick_flags(random_state *r)
{
    static const uint32_t levels[] = {RSQ_OPEN_NO_COLUMN_LEVEL, RSQ_OPEN_NO_VALUE_LEVEL,
                                      RSQ_OPEN_NO_KEY_LEVEL};
    uint32_t flags = random_chance(r, 50) ? RSQ_OPEN_NO_EXTERNAL_WRITERS : 0;

    if (random_chance(r, 50))
        return flags;
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        flags |= random_chance(r, 50) ? levels[i] : 0;
    return flags;
}

void plan_generate(plan *p, uint64_t seed, size_t commits)
{
    generator g = {.random = {.state = seed}, .plan = p};
    size_t streams =
        random_below(&g.random, 3) ? 5 + random_below(&g.random, 12) : 5 + random_below(&g.random, 46);

    p->seed = seed;
    p->analyzes = random_chance(&g.random, 15);
    p->attaches = random_chance(&g.random, 30);
    p->flags = pick_flags(&g.random);
    /* By the seed and not by chance, so that a seed makes the plan that it has always made. */
    p->flags |= seed % 4 == 1 ? (uint32_t)RSQ_OPEN_NO_KEPT_MAPPING : 0;
    schema_generate(&g);
    for (size_t i = 0; i < streams; i++)
        plan_add_stream(&g);
    for (size_t i = 0; i < commits; i++)
        commits_generate(&g);
    schema_fini(&g);
}

/* Statements of a commit that are left. */
static size_t count_steps(const plan *p, const commit *c)
{
    size_t n = 0;

    for (size_t i = c->first; i < c->first + c->count; i++)
        n += p->steps[i].sql && !p->steps[i].dropped;
    return n;
}

size_t plan_count(const plan *p, size_t ncommits)
{
    size_t n = 0;

    for (size_t i = 0; i < ncommits && i < p->ncommits; i++) {
        if (p->commits[i].kind == COMMIT_OPEN || p->commits[i].kind == COMMIT_MOVE)
            n += !p->commits[i].dropped && !p->queries[p->commits[i].query].dropped;
        else
            n += count_steps(p, &p->commits[i]);
    }
    return n;
}

static void print_step(const step *s, FILE *out)
{
    static const char *const savepoints[] = {[STEP_SAVEPOINT] = "SAVEPOINT s",
                                             [STEP_RELEASE] = "RELEASE s",
                                             [STEP_ROLLBACK_TO] = "ROLLBACK TO s; RELEASE s"};

    if (s->dropped)
        return;
    if (!s->sql) {
        fprintf(out, "%s;\n", savepoints[s->kind]);
        return;
    }
    fprintf(out, "%s;", s->sql);
    for (size_t i = 0; s->kind == STEP_BATCH && i < s->nvalues; i++)
        fprintf(out, "%s%" PRId64, i ? ", " : " -- one batch, ?1 = ", s->values[i]);
    fprintf(out, "\n");
}

static void print_params(const rsq_value *params, size_t n, FILE *out)
{
    sqlite3_str *s = sqlite3_str_new(NULL);
    char *text;

    for (size_t i = 0; i < n; i++) {
        sqlite3_str_appendf(s, "%s?%d = ", i ? ", " : " ", (int)i + 1);
        append_value(s, params[i]);
    }
    text = sqlite3_str_finish(s);
    fprintf(out, "%s%s\n", text ? " --" : "", text ? text : "");
    sqlite3_free(text);
}

static void print_query(const query *q, FILE *out)
{
    fprintf(out, "-- a stream%s", q->mode == RSQ_STREAM_DIFFERENCE ? " of differences" : "");
    if (q->group)
        fprintf(out, " in group %u", q->group);
    if (q->skip_origin)
        fprintf(out, " that skips origin %u", q->skip_origin);
    fprintf(out, ":\n%s;", q->sql);
    print_params(q->params, q->nparams, out);
}

static void print_end(const plan *p, const commit *c, FILE *out)
{
    const query *q = &p->queries[c->query];

    fprintf(out, "-- %s:\n%s;", c->kind == COMMIT_MOVE ? "moved" : "closed", q->sql);
    print_params(c->kind == COMMIT_MOVE ? c->params : q->params, q->nparams, out);
}

static void print_commit(const plan *p, const commit *c, FILE *out)
{
    static const char *const begin[] = {[COMMIT_ALONE] = NULL,
                                        [COMMIT_TX] = "BEGIN;\n",
                                        [COMMIT_TX_UNDONE] = "BEGIN;\n",
                                        [COMMIT_ASYNC] = "-- together, asynchronously:\n",
                                        [COMMIT_FOREIGN] = "-- by another process:\n"};
    static const char *const end[] = {[COMMIT_TX] = "COMMIT;\n", [COMMIT_TX_UNDONE] = "ROLLBACK;\n"};
    bool framed = c->kind == COMMIT_TX || c->kind == COMMIT_TX_UNDONE;

    if (count_steps(p, c) == 0)
        return;
    if (c->origin)
        fprintf(out, "-- origin %u:\n", c->origin);
    if (begin[c->kind] && !(c->kind == COMMIT_ASYNC && p->steady))
        fputs(begin[c->kind], out);
    for (size_t i = c->first; i < c->first + c->count; i++)
        print_step(&p->steps[i], out);
    if (framed)
        fputs(end[c->kind], out);
    if (c->hasty && !p->steady)
        fprintf(out, "-- at once:\n");
    if (c->meets_run)
        fprintf(out, "-- while a query that was woken waits at gate():\n");
}

void plan_print_commit(const plan *p, size_t number, FILE *out)
{
    const commit *c = &p->commits[number];

    if (c->kind < COMMIT_OPEN)
        print_commit(p, c, out);
    else if (c->dropped || p->queries[c->query].dropped)
        return;
    else if (c->kind == COMMIT_OPEN)
        print_query(&p->queries[c->query], out);
    else
        print_end(p, c, out);
}

size_t plan_print(const plan *p, size_t ncommits, FILE *out)
{
    static const char *const levels[] = {"column", "value", "key"};

    for (unsigned i = 0; i < 3; i++) {
        if (p->flags & ((uint32_t)RSQ_OPEN_NO_COLUMN_LEVEL << i))
            fprintf(out, "-- without the level of %ss\n", levels[i]);
    }
    for (size_t i = 0; i < ncommits && i < p->ncommits; i++)
        plan_print_commit(p, i, out);
    return plan_count(p, ncommits);
}
