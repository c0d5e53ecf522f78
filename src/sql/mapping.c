/*
 * A reader's memory map, kept from one snapshot to the next.
 *
 * SQLite unmaps the database file whenever it finds that something was committed
 * since a connection looked last, and maps it anew with the first page. It does
 * so for systems on which a map does not follow a file that was cut off and has
 * grown again. On Linux it does: map and file are the same pages. To unmap is
 * expensive when other threads run: the processors they run on are interrupted.
 * So a reader, whose snapshot changes with each commit, leaves it out, but for now
 * and then, so that a file that has grown is mapped as a whole.
 *
 * What is mapped beyond the end of the file must not be touched. A transaction
 * reads no page there; but SQLite reads a little beyond a page, and so hands out
 * no mapped page that is nearer to the end of the map. Here it has to be the end of
 * the file, which is asked for once a snapshot.
 *
 * How: SQLite reaches a file through a table of functions that its VFS has put
 * there. A reader's files get a copy in which two are others.
 */
#include "sql/internal.h"

#include "base/alloc.h"
#include "plat/file.h"

/* So often is the map made anew; it costs what it costs without this file. */
#define KEPT_TIMES 100

/* Bytes behind a page that have to be there; SQLite's own figure for it. */
#define BEHIND 256

#define UNKNOWN (-1)

struct rsq_mapping {
    sqlite3_io_methods methods; /* first: what the file points at is this */
    const sqlite3_io_methods *original;
    sqlite3_file *file;        /* borrowed from SQLite while the connection is open */
    const rsq_walindex *index; /* borrowed: the connection's, and its entry for this file */
    size_t entry;
    sqlite3_int64 end; /* where the file ends at the earliest while the snapshot lasts, or UNKNOWN */
    unsigned kept;
    rsq_mapping *next; /* of the connection */
};

static int unfetch(sqlite3_file *file, sqlite3_int64 offset, void *page)
{
    rsq_mapping *m = (rsq_mapping *)(uintptr_t)file->pMethods;

    if (!page)
        m->end = UNKNOWN;
    if (!page && ++m->kept < KEPT_TIMES)
        return SQLITE_OK;
    if (!page)
        m->kept = 0;
    return m->original->xUnfetch(file, offset, page);
}

/*
 * A checkpoint cuts the file off at the end of the newest commit, and only while no
 * snapshot is older. So if ours is the newest one, the file may become as short as
 * the index says; if it is not, the file stays as long as it is. First the index:
 * what is cut off before a commit that it knows of already has been cut off.
 */
static sqlite3_int64 find_end(const rsq_mapping *m, int page_size)
{
    sqlite3_int64 committed = (sqlite3_int64)rsq_walindex_pages(m->index, m->entry) * page_size, size = 0;

    if (m->original->xFileSize(m->file, &size) != SQLITE_OK)
        return 0;
    return committed > 0 && committed < size ? committed : size;
}

/* No page: SQLite reads it. */
static int fetch(sqlite3_file *file, sqlite3_int64 offset, int size, void **page)
{
    rsq_mapping *m = (rsq_mapping *)(uintptr_t)file->pMethods;

    if (m->end == UNKNOWN)
        m->end = find_end(m, size);
    *page = NULL;
    return offset + size + BEHIND <= m->end ? m->original->xFetch(file, offset, size, page) : SQLITE_OK;
}

static void keep(rsq_conn *c, const char *schema, size_t entry)
{
    sqlite3_file *file = NULL;
    rsq_mapping *m;

    if (sqlite3_file_control(c->db, schema, SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file ||
        !file->pMethods || file->pMethods->iVersion < 3 || !file->pMethods->xFetch ||
        !file->pMethods->xUnfetch)
        return;
    m = rsq_alloc_zero(sizeof *m);
    if (!m)
        return;
    m->original = file->pMethods;
    m->file = file;
    m->methods = *file->pMethods;
    m->methods.xFetch = fetch;
    m->methods.xUnfetch = unfetch;
    m->index = &c->walindex;
    m->entry = entry;
    m->end = UNKNOWN;
    m->next = c->mappings;
    c->mappings = m;
    file->pMethods = &m->methods;
}

void rsq_conn_keep_mappings(rsq_conn *c)
{
    if ((c->config->flags & RSQ_OPEN_NO_KEPT_MAPPING) || !rsq_file_map_follows())
        return;
    keep(c, "main", 0);
    for (size_t i = 0; i < c->config->nattach; i++)
        keep(c, c->config->attach[i].name, i + 1);
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
