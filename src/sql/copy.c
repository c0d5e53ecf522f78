/*
 * Copying the main database page by page into a new file, while others write.
 *
 * SQLite's online backup begins again when another connection commits between
 * two of its steps, unless the connection that it reads by has a transaction
 * open: a reader's snapshot is one. So each page is read once, and the copy is
 * the state of one commit.
 */
#include "sql/internal.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"

struct rsq_copy {
    const char *path; /* borrowed */
    rsq_conn to;      /* no more of it than errors need: `db`, owned */
    sqlite3_backup *run;
};

static rsq_code make_file(const char *path, rsq_error *err)
{
    int why = rsq_file_make(path);

    if (!why)
        return RSQ_OK;
    if (why == EEXIST)
        return rsq_error_set(err, RSQ_EINVAL, "there is a file at the path of the copy");
    (void)rsq_error_set(err, RSQ_ECANTOPEN, "cannot make the file of the copy: %s", strerror(why));
    if (err)
        err->system_errno = why;
    return RSQ_ECANTOPEN;
}

rsq_code rsq_copy_begin(rsq_conn *c, const char *path, rsq_copy **out, rsq_error *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    rsq_copy *cp = rsq_alloc_zero(sizeof *cp);
    rsq_code code;

    if (!cp)
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    cp->path = path;
    code = make_file(path, err);
    if (code != RSQ_OK) {
        rsq_free(cp);
        return code;
    }
    if (sqlite3_open_v2(path, &cp->to.db, flags, NULL) == SQLITE_OK)
        cp->run = sqlite3_backup_init(cp->to.db, "main", c->db, "main");
    if (!cp->run) {
        code = rsq_sql_error(&cp->to, cp->to.db ? sqlite3_errcode(cp->to.db) : SQLITE_NOMEM, "copy", err);
        rsq_copy_end(cp, false);
        return code;
    }
    *out = cp;
    return RSQ_OK;
}

rsq_code rsq_copy_step(rsq_copy *cp, unsigned pages, rsq_copy_state *out, rsq_error *err)
{
    int rc = sqlite3_backup_step(cp->run, (int)pages);
    int left = sqlite3_backup_remaining(cp->run), all = sqlite3_backup_pagecount(cp->run);

    if (rc != SQLITE_OK && rc != SQLITE_DONE)
        return rsq_sql_error(&cp->to, rc, "copy", err);
    *out = (rsq_copy_state){
        .done = (uint64_t)(all - left), .pages = (uint64_t)all, .complete = rc == SQLITE_DONE};
    return RSQ_OK;
}

void rsq_copy_end(rsq_copy *cp, bool keep)
{
    if (cp->run)
        (void)sqlite3_backup_finish(cp->run);
    (void)sqlite3_close_v2(cp->to.db);
    if (!keep)
        rsq_file_remove(cp->path);
    rsq_free(cp);
}
