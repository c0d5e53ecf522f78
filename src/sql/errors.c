/* SQLite's codes as ours. SQLite's own text is passed on untouched. */
#include "sql/internal.h"

#include <errno.h>

static rsq_code code_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return RSQ_ENOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return RSQ_EBUSY;
    case SQLITE_READONLY:
        return RSQ_EREADONLY;
    case SQLITE_INTERRUPT:
        return RSQ_ECANCELLED;
    case SQLITE_IOERR:
        return RSQ_EIO;
    case SQLITE_CORRUPT:
        return RSQ_ECORRUPT;
    case SQLITE_FULL:
        return RSQ_EFULL;
    case SQLITE_CANTOPEN:
        return RSQ_ECANTOPEN;
    case SQLITE_TOOBIG:
        return RSQ_ETOOBIG;
    case SQLITE_NOTADB:
        return RSQ_ENOTADB;
    case SQLITE_RANGE:
        return RSQ_EINVAL;
    default:
        return RSQ_ESQL;
    }
}

/* After these the pager's state is in doubt; the connection is replaced. */
static bool breaks_connection(rsq_code code)
{
    return code == RSQ_ENOMEM || code == RSQ_EIO || code == RSQ_ECORRUPT || code == RSQ_ENOTADB ||
           code == RSQ_ECANTOPEN;
}

/* SQLite's text, but where it says what it tried and not what is in the way: to read, too, it may have to
 * make files beside the database. */
static const char *text_of(int extended, const char *text)
{
    if (extended == SQLITE_READONLY_DIRECTORY || extended == SQLITE_READONLY_CANTINIT)
        return "the database's folder cannot be written, and SQLite needs a -wal and a -shm file there";
    return text;
}

rsq_code rsq_sql_error(rsq_conn *c, int rc, const char *what, rsq_error *err)
{
    rsq_code code = code_of(rc);
    const char *text = c->db ? sqlite3_errmsg(c->db) : sqlite3_errstr(rc);
    int extended = c->db ? sqlite3_extended_errcode(c->db) : rc;
    bool disk = code == RSQ_EIO || code == RSQ_ECANTOPEN || code == RSQ_EFULL;

    if (breaks_connection(code))
        c->broken = true;
    /* A code that is not the connection's last one comes with its own general text. */
    if ((extended & 0xff) != (rc & 0xff)) {
        extended = rc;
        text = sqlite3_errstr(rc);
    }
    rsq_error_set(err, code, "%s%s%s", what ? what : "", what ? ": " : "", text_of(extended, text));
    if (err) {
        err->sqlite_code = extended;
        err->sql_offset = what || !c->db ? -1 : sqlite3_error_offset(c->db);
        err->system_errno = c->db && disk ? sqlite3_system_errno(c->db) : 0;
    }
    return code;
}
