#include "sql/internal.h"

rsq_code rsq_unit_begin(rsq_unit *u, rsq_conn *c, unsigned depth, uint32_t origin, rsq_error *err)
{
    if (rsq_conn_has_leftover(c))
        return rsq_conn_refuse_leftover(c, err);
    *u = (rsq_unit){.conn = c, .alone = sqlite3_get_autocommit(c->db) != 0, .depth = depth};
    return u->alone ? rsq_conn_begin(c, origin, err) : rsq_conn_savepoint(c, depth, err);
}

void rsq_unit_undo(const rsq_unit *u)
{
    /* SQLite may have rolled back the transaction around it. */
    if (u->alone || sqlite3_get_autocommit(u->conn->db))
        rsq_conn_rollback(u->conn);
    else
        rsq_conn_rollback_to(u->conn, u->depth);
}

rsq_code rsq_unit_keep(const rsq_unit *u, rsq_error *err)
{
    return u->alone ? rsq_conn_commit(u->conn, err) : rsq_conn_release(u->conn, u->depth, err);
}
