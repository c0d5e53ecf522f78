/*
 * Group commit: statements of several callers in one transaction, since a
 * commit costs many times what a statement costs.
 *
 * Each has the outcome that it would have had in a transaction of its own:
 *
 * - A statement that fails is undone alone; SQLite does so in any transaction, or
 *   nearly (see may_leave_rows() in write.c).
 * - One that leaves a deferred foreign key violated would have failed at its own
 *   COMMIT. Nobody after it may repair that.
 * - One that makes SQLite roll back the transaction (OR ROLLBACK,
 *   RAISE(ROLLBACK)) would have rolled back nobody else's.
 * - After an error of the machine, such as a full disk or no memory, nothing is
 *   known of the others.
 *
 * In the last three cases, and when rows were left or COMMIT itself fails, the
 * whole group is undone, and its members are run again, each by itself. Only plain
 * statements take part (see shared()), which can be run twice without a trace.
 */
#include "sql/internal.h"

#include "base/alloc.h"
#include "plat/thread.h"

/* Runs by itself after which SQL that undid a group is tried in one again. */
#define SOLO_RUNS 64

/* No member is begun after this time, so that those before it do not wait for long; nor after so many. */
#define GROUP_NS 2000000
#define GROUP_MAX 256

/* --- one member --- */

/* Run it, if nobody told it to stop before. */
static void run(rsq_conn *c, rsq_stmt *s, rsq_member *m)
{
    int64_t total = sqlite3_total_changes64(c->db);
    rsq_error error;

    m->ran = !m->enter || m->enter(m, c);
    if (!m->ran) {
        m->code = RSQ_ECANCELLED;
        return;
    }
    m->code = rsq_conn_execute_prepared(c, s, m->rq, m->wants_result ? &m->result : NULL, &error);
    if (m->leave)
        m->leave(m);
    if (m->code != RSQ_OK)
        m->error = rsq_error_copy(&error);
    m->wrote = sqlite3_total_changes64(c->db) != total;
}

void rsq_conn_execute_member(rsq_conn *c, rsq_member *m)
{
    rsq_error error;
    rsq_stmt *s;

    m->code = rsq_conn_prepare(c, m->rq, &s, &error);
    if (m->code != RSQ_OK) {
        m->error = rsq_error_copy(&error);
        return;
    }
    if (s->solo > 0)
        s->solo--;
    run(c, s, m);
}

rsq_code rsq_member_take_error(rsq_member *m, rsq_error *err)
{
    if (!m->error)
        return rsq_error_set(err, m->code, "it failed, and there was no memory to say why");
    if (err)
        *err = *m->error;
    rsq_free(m->error);
    m->error = NULL;
    return m->code;
}

static void forget(rsq_member *m)
{
    rsq_result_unref(m->result);
    rsq_free(m->error);
    m->result = NULL;
    m->error = NULL;
    m->wrote = false;
}

/* --- who takes part --- */

/*
 * Its statement, if it is one that may share a transaction: plain rows, by the
 * authorizer's word, and nothing that asks the connection about the statement
 * before; and all of one origin. NULL: it may not, or does not compile, which it is told by itself.
 */
static rsq_stmt *shared(rsq_conn *c, const rsq_member *m, uint32_t origin)
{
    const uint32_t never = RSQ_STMT_SCHEMA | RSQ_STMT_TEMP | RSQ_STMT_EXPLAIN | RSQ_STMT_CONNECTION;
    rsq_stmt *s;

    if (!m || m->alone || m->rq->origin != origin || rsq_conn_prepare(c, m->rq, &s, NULL) != RSQ_OK)
        return NULL;
    return (s->kind & never) || s->solo > 0 ? NULL : s;
}

static bool leaves_violation(rsq_conn *c)
{
    int violations = 0, highest;

    return sqlite3_db_status(c->db, SQLITE_DBSTATUS_DEFERRED_FKS, &violations, &highest, 0) != SQLITE_OK ||
           violations != 0;
}

/* Did it fail for a reason of its own, which it would have had anywhere? */
static bool is_its_own(rsq_code code)
{
    return code == RSQ_OK || code == RSQ_ESQL || code == RSQ_EINVAL || code == RSQ_EREFUSED ||
           code == RSQ_ETOOBIG || code == RSQ_EREADONLY;
}

/* Is the transaction still what it was, but for what the member did? */
static bool stands(rsq_conn *c, const rsq_member *m)
{
    if (!m->ran)
        return true;
    return is_its_own(m->code) && !c->left_rows && !c->broken && !sqlite3_get_autocommit(c->db) &&
           !leaves_violation(c);
}

/* The next one, linked behind `m`; NULL: none. */
static rsq_member *take_next(rsq_member *m, rsq_members *others)
{
    if (!m->next && (m->next = others->take(others)) != NULL)
        m->next->next = NULL;
    return m->next;
}

/* Run members until one may not share the transaction, or is of another origin. False: one has spoilt it. */
static bool run_all(rsq_conn *c, rsq_member *first, rsq_members *others, size_t *count)
{
    int64_t until = rsq_now_ns() + GROUP_NS;
    rsq_member *m = first;
    rsq_stmt *s;

    while ((s = shared(c, m, first->rq->origin)) != NULL) {
        run(c, s, m);
        ++*count;
        if (!stands(c, m)) {
            s->solo = SOLO_RUNS;
            return false;
        }
        if (*count == GROUP_MAX || rsq_now_ns() > until)
            break;
        m = take_next(m, others);
    }
    return true;
}

/* --- the group --- */

static void undo(rsq_conn *c, rsq_member *first, size_t count, int64_t last_insert_rowid)
{
    rsq_member *m = first;

    rsq_conn_rollback(c);
    for (size_t i = 0; i < count; i++, m = m->next) {
        forget(m);
        m->alone = true;
    }
    c->last_insert_rowid = last_insert_rowid;
    sqlite3_set_last_insert_rowid(c->db, last_insert_rowid);
}

/* Only now is the number of their commit known. */
static void number_results(const rsq_conn *c, rsq_member *first, size_t count)
{
    rsq_member *m = first;

    for (size_t i = 0; i < count; i++, m = m->next) {
        if (m->result && (m->wrote || m->result->wrote))
            m->result->commit_seq = c->committed.commit_seq;
    }
}

/*
 * Another process has a write lock: the first one has waited for it long enough, if it is one that it needs.
 * The transaction takes that of every database, the statement by itself only those of what it writes.
 */
static size_t not_begun(const rsq_conn *c, const rsq_stmt *s, rsq_member *first, const rsq_error *why)
{
    if (why->code != RSQ_EBUSY || (s->kind & RSQ_STMT_READONLY) || c->config->nattach > 0)
        return 0;
    first->code = RSQ_EBUSY;
    first->error = rsq_error_copy(why);
    return 1;
}

static rsq_code timed_commit(rsq_conn *c, int64_t *took_ns)
{
    int64_t began_ns = rsq_now_ns();
    rsq_code code = rsq_conn_commit(c, NULL);

    *took_ns = rsq_now_ns() - began_ns;
    return code;
}

size_t rsq_conn_execute_group(rsq_conn *c, rsq_member *first, rsq_members *others)
{
    int64_t last_insert_rowid = c->last_insert_rowid;
    uint32_t origin = first->rq->origin;
    size_t count = 0;
    rsq_error error;

    first->next = NULL;
    if (!shared(c, first, origin) || !shared(c, take_next(first, others), origin))
        return 0;
    /* A statement by itself says so without the name of a step that its caller did not ask for. */
    if (rsq_conn_begin_for(c, origin, NULL, &error) != RSQ_OK)
        return not_begun(c, shared(c, first, origin), first, &error);
    if (!run_all(c, first, others, &count) || timed_commit(c, &others->commit_ns) != RSQ_OK) {
        undo(c, first, count, last_insert_rowid);
        return 0;
    }
    number_results(c, first, count);
    return count;
}
