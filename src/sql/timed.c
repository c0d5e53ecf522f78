/*
 * Where the time inside SQLite goes. Of a write: its step, the preupdate hook in
 * it, and the commit at its end, if it has one of its own. Only while
 * rsq_profile() counts: the hooks are put in place for one statement, so that one
 * that is not measured does not meet them.
 */
#include "base/profile.h"
#include "sql/internal.h"

#if RSQ_PROFILE

int rsq_step_timed(sqlite3_stmt *h, rsq_read_times *times)
{
    int64_t began = rsq_now_ns();
    int rc = sqlite3_step(h);

    times->step_ns += rsq_now_ns() - began;
    return rc;
}

static void preupdate(void *conn, sqlite3 *db, int op, const char *schema, const char *table,
                      sqlite3_int64 key1, sqlite3_int64 key2)
{
    rsq_conn *c = conn;
    int64_t began = rsq_now_ns();

    rsq_capture_preupdate(c, db, op, schema, table, key1, key2);
    c->times.capture_ns += rsq_now_ns() - began;
    c->times.captured = true;
}

/* SQLite is about to commit; what follows in the step is that. */
static int commit(void *conn)
{
    rsq_conn *c = conn;

    c->times.commit_ns = rsq_now_ns();
    return 0;
}

void rsq_write_times_begin(rsq_conn *c)
{
    sqlite3_preupdate_hook(c->db, preupdate, c);
    sqlite3_commit_hook(c->db, commit, c);
    c->times = (rsq_write_times){.began_ns = rsq_now_ns()};
}

void rsq_write_times_end(rsq_conn *c)
{
    const rsq_write_times *t = &c->times;
    int64_t now = rsq_now_ns(), commit_ns = t->commit_ns ? now - t->commit_ns : 0;

    sqlite3_commit_hook(c->db, NULL, NULL);
    sqlite3_preupdate_hook(c->db, rsq_capture_preupdate, c);
    rsq_profile_took(RSQ_TIME_WRITER_STEP, now - t->began_ns - t->capture_ns - commit_ns);
    if (t->captured)
        rsq_profile_took(RSQ_TIME_WRITER_CAPTURE, t->capture_ns);
    if (t->commit_ns)
        rsq_profile_took(RSQ_TIME_WRITER_COMMIT, commit_ns);
}

#endif
