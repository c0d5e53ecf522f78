/*
 * The header of the write-ahead log's index, in shared memory.
 *
 * Its 48 bytes (kept twice) change with every commit of any process, so a
 * reader that keeps its transaction open learns without a system call whether
 * its snapshot is still the newest. The format is documented on
 * sqlite.org/walformat.html, the memory is reached through the public file
 * control SQLITE_FCNTL_FILE_POINTER and the file's xShmMap method.
 *
 * One per connection, with an entry for main and for each attached database.
 */
#ifndef RSQ_SQL_WALINDEX_H
#define RSQ_SQL_WALINDEX_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RSQ_WALINDEX_WORDS 12 /* of eight bytes: both copies of the header, 96 bytes */
#define RSQ_WALINDEX_MAX 11   /* main and SQLite's most attached databases */

typedef struct rsq_walindex_entry {
    const volatile uint64_t *live; /* borrowed from SQLite while the connection is open; NULL: not mapped */
    uint64_t copy[RSQ_WALINDEX_WORDS]; /* as of the open snapshot */
    sqlite3_stmt *toucher;             /* owned; a statement that opens the read transaction of this schema */
} rsq_walindex_entry;

typedef struct rsq_walindex {
    rsq_walindex_entry entries[RSQ_WALINDEX_MAX];
    size_t count;
    bool mapped; /* every entry is */
} rsq_walindex;

/* Map all schemas that are not mapped yet; call inside a read transaction of each. Sets `mapped` if all are.
 */
void rsq_walindex_map(rsq_walindex *w, sqlite3 *db);

void rsq_walindex_fini(rsq_walindex *w);

/* Copy the live headers. Only when mapped. */
void rsq_walindex_copy(rsq_walindex *w);

/* Make `header`, one of the two equal halves, the copy of an entry. */
void rsq_walindex_set_copy(rsq_walindex *w, size_t entry, const void *header, size_t size);

/* Do the live headers equal the copies? Only when mapped. */
bool rsq_walindex_unchanged(const rsq_walindex *w);

/* Sum of the change counters, live or as copied. Only when mapped. */
uint32_t rsq_walindex_live_counter(const rsq_walindex *w);
uint32_t rsq_walindex_copied_counter(const rsq_walindex *w);

/* How many pages an entry's database has after the newest commit; 0: not mapped, or as many as its file has.
 */
uint32_t rsq_walindex_pages(const rsq_walindex *w, size_t entry);

#endif
