/*
 * A reader's memory map, kept from one snapshot to the next.
 *
 * SQLite unmaps the database file whenever it finds that something was committed
 * since a connection looked last, and maps it anew with the first page. It does
 * so for systems on which a map does not follow a file that was cut off and has
 * grown again. On Linux it does: map and file are the same pages. And a
 * transaction reads no page that is beyond the end of the file as it is then, so
 * nothing beyond it is touched. To unmap is expensive when other threads run:
 * the processors they run on are interrupted. So a reader, whose snapshot changes
 * with each commit, leaves it out, but for now and then, so that a file that has
 * grown is mapped as a whole.
 *
 * How: SQLite reaches a file through a table of functions that its VFS has put
 * there. A reader's files get a copy in which one is another.
 */
#include "sql/internal.h"

#include "base/alloc.h"
#include "plat/file.h"

/* So often is the map made anew; it costs what it costs without this file. */
#define KEPT_TIMES 100

struct rsq_mapping {
    sqlite3_io_methods methods; /* first: what the file points at is this */
    const sqlite3_io_methods *original;
    sqlite3_file *file; /* borrowed from SQLite while the connection is open */
    unsigned kept;
    rsq_mapping *next; /* of the connection */
};

static int unfetch(sqlite3_file *file, sqlite3_int64 offset, void *page)
{
    rsq_mapping *m = (rsq_mapping *)(uintptr_t)file->pMethods;

    if (!page && ++m->kept < KEPT_TIMES)
        return SQLITE_OK;
    if (!page)
        m->kept = 0;
    return m->original->xUnfetch(file, offset, page);
}

static void keep(rsq_conn *c, const char *schema)
{
    sqlite3_file *file = NULL;
    rsq_mapping *m;

    if (sqlite3_file_control(c->db, schema, SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file ||
        !file->pMethods || file->pMethods->iVersion < 3 || !file->pMethods->xUnfetch)
        return;
    m = rsq_alloc_zero(sizeof *m);
    if (!m)
        return;
    m->original = file->pMethods;
    m->file = file;
    m->methods = *file->pMethods;
    m->methods.xUnfetch = unfetch;
    m->next = c->mappings;
    c->mappings = m;
    file->pMethods = &m->methods;
}

void rsq_conn_keep_mappings(rsq_conn *c)
{
    if ((c->config->flags & RSQ_OPEN_NO_KEPT_MAPPING) || !rsq_file_map_follows())
        return;
    keep(c, "main");
    for (size_t i = 0; i < c->config->nattach; i++)
        keep(c, c->config->attach[i].name);
}

void rsq_conn_free_mappings(rsq_conn *c)
{
    while (c->mappings) {
        rsq_mapping *m = c->mappings;

        c->mappings = m->next;
        m->file->pMethods = m->original;
        rsq_free(m);
    }
}
