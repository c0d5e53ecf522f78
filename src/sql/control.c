/* Control statements: compiled once a connection, then stepped. */
#include "sql/internal.h"

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

int rsq_conn_control(rsq_conn *c, rsq_control which)
{
    int rc = prepare_control(c, which);

    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(c->control[which]);
    if (rc == SQLITE_DONE) {
        sqlite3_reset(c->control[which]);
        return SQLITE_OK;
    }
    return sqlite3_reset(c->control[which]);
}

int rsq_conn_run(rsq_conn *c, const char *sql)
{
    return sqlite3_exec(c->db, sql, NULL, NULL, NULL);
}
