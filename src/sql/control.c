/* Control statements: compiled once a connection, then stepped. */
#include "sql/internal.h"

#include <stdio.h>

static const char *const control_sql[RSQ_CONTROL_COUNT] = {
    [RSQ_CONTROL_BEGIN] = "BEGIN",
    [RSQ_CONTROL_BEGIN_IMMEDIATE] = "BEGIN IMMEDIATE",
    [RSQ_CONTROL_COMMIT] = "COMMIT",
    [RSQ_CONTROL_ROLLBACK] = "ROLLBACK",
};

static int prepare_control(rsq_conn *c, rsq_control which)
{
    if (c->control[which])
        return SQLITE_OK;
    return sqlite3_prepare_v3(c->db, control_sql[which], -1, SQLITE_PREPARE_PERSISTENT, &c->control[which],
                              NULL);
}

int rsq_conn_prepare_controls(rsq_conn *c)
{
    int rc = SQLITE_OK;

    for (unsigned which = 0; rc == SQLITE_OK && which < RSQ_CONTROL_COUNT; which++)
        rc = prepare_control(c, which);
    return rc;
}

/* It does what it has to do in a moment, and who is told that it was stopped would not know what it did. */
static int run_kept(rsq_conn *c, sqlite3_stmt *s)
{
    int rc;

    c->unstoppable = true;
    rc = sqlite3_step(s);
    c->unstoppable = false;
    if (rc == SQLITE_DONE) {
        sqlite3_reset(s);
        return SQLITE_OK;
    }
    return sqlite3_reset(s);
}

int rsq_conn_control(rsq_conn *c, rsq_control which)
{
    int rc = prepare_control(c, which);

    return rc == SQLITE_OK ? run_kept(c, c->control[which]) : rc;
}

int rsq_conn_control_savepoint(rsq_conn *c, rsq_savepoint_verb verb, unsigned depth)
{
    static const char *const verbs[RSQ_SAVEPOINT_VERBS] = {
        [RSQ_SAVEPOINT_SET] = "SAVEPOINT",
        [RSQ_SAVEPOINT_RELEASE] = "RELEASE",
        [RSQ_SAVEPOINT_ROLLBACK_TO] = "ROLLBACK TO",
    };
    unsigned slot = depth + 2; /* goes round: the two largest depths, those of units, are 0 and 1 */
    sqlite3_stmt **kept = slot < RSQ_SAVEPOINTS_KEPT ? &c->savepoints[slot][verb] : NULL;
    char sql[64];
    int rc;

    if (kept && *kept)
        return run_kept(c, *kept);
    (void)snprintf(sql, sizeof sql, "%s rsq_%u", verbs[verb], depth);
    if (!kept)
        return rsq_conn_run(c, sql);
    rc = sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, kept, NULL);
    return rc == SQLITE_OK ? run_kept(c, *kept) : rc;
}

void rsq_conn_finalize_controls(rsq_conn *c)
{
    for (unsigned i = 0; i < RSQ_CONTROL_COUNT; i++)
        sqlite3_finalize(c->control[i]);
    for (unsigned i = 0; i < RSQ_SAVEPOINTS_KEPT; i++) {
        for (unsigned verb = 0; verb < RSQ_SAVEPOINT_VERBS; verb++)
            sqlite3_finalize(c->savepoints[i][verb]);
    }
}

int rsq_conn_run(rsq_conn *c, const char *sql)
{
    return sqlite3_exec(c->db, sql, NULL, NULL, NULL);
}
