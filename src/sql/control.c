/* Control statements: compiled once a connection, then stepped. */
#include "sql/internal.h"

static const char *const control_sql[RSQ_CONTROL_COUNT] = {
    [RSQ_CONTROL_BEGIN] = "BEGIN",
    [RSQ_CONTROL_BEGIN_IMMEDIATE] = "BEGIN IMMEDIATE",
    [RSQ_CONTROL_COMMIT] = "COMMIT",
    [RSQ_CONTROL_ROLLBACK] = "ROLLBACK",
};

int rsq_conn_control(rsq_conn *c, rsq_control which)
{
    sqlite3_stmt **s = &c->control[which];
    int rc;

    if (!*s) {
        rc = sqlite3_prepare_v3(c->db, control_sql[which], -1, SQLITE_PREPARE_PERSISTENT, s, NULL);
        if (rc != SQLITE_OK)
            return rc;
    }
    rc = sqlite3_step(*s);
    if (rc == SQLITE_DONE) {
        sqlite3_reset(*s);
        return SQLITE_OK;
    }
    return sqlite3_reset(*s);
}

int rsq_conn_run(rsq_conn *c, const char *sql)
{
    return sqlite3_exec(c->db, sql, NULL, NULL, NULL);
}
