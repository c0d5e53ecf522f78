/*
 * One SQLite connection and all that belongs to it: statement cache, guard,
 * change capture, snapshot. This header is all the rest of the library sees of
 * SQLite; no type of sqlite3.h appears in it.
 *
 * A connection has no lock: whoever holds its lease calls, one thread at a
 * time. rsq_conn_interrupt() alone may be called by others.
 */
#ifndef RSQ_SQL_CONN_H
#define RSQ_SQL_CONN_H

#include <stdatomic.h>

#include "plat/file.h"
#include "resqlite.h"
#include "sql/changes.h"
#include "sql/depends.h"
#include "sql/seq.h"

typedef struct rsq_conn rsq_conn;

typedef enum rsq_conn_role {
    RSQ_CONN_READER,
    RSQ_CONN_WRITER,
    RSQ_CONN_CHECKPOINTER, /* copies the log, and runs no statement of anybody's */
    RSQ_CONN_ONLY          /* of a memory or temporary database: reads and writes */
} rsq_conn_role;

/* Settings shared by all connections of a database; immutable once it is open. */
typedef struct rsq_conn_config {
    char *path;         /* owned by the core */
    rsq_attach *attach; /* owned by the core, names and paths too */
    size_t nattach;
    uint32_t flags; /* RSQ_OPEN_… */
    uint32_t busy_timeout_ms;
    uint32_t synchronous;
    uint32_t page_size;
    int64_t mmap_bytes;
    int64_t cache_bytes;
    rsq_seq *seq;           /* borrowed from the core */
    rsq_watch_board *board; /* likewise; NULL: nobody watches */

    /* What the path led to when the first connection was open; later ones may open nothing else. */
    rsq_file_id file;
    bool file_known;
} rsq_conn_config;

struct rsq_client;

/* One call's input; everything borrowed for the call. */
typedef struct rsq_request {
    const struct rsq_client *client; /* who asks, see exec/client.h; NULL: nobody alone */
    const char *sql;
    size_t sql_len;
    const rsq_value *params;
    const rsq_named *named; /* instead of `params`; NULL: positional */
    size_t nparams;         /* of either */
    uint32_t json;          /* RSQ_JSON_… */
    size_t bytes_max;       /* of the result; 0: RSQ_RESULT_BYTES_MAX */
    uint32_t origin;        /* of a write; see rsq_call_options.origin */
    /* Of a read of cells: what is answered if it is the answer, as a reference. NULL: nothing is. */
    struct rsq_result *like;
} rsq_request;

typedef enum rsq_shape {
    RSQ_SHAPE_CELLS,
    RSQ_SHAPE_JSON,
    RSQ_SHAPE_DEPENDENCIES /* not its answer, but what that depends on */
} rsq_shape;

/* Can this file be attached? Makes and changes nothing. */
rsq_code rsq_conn_probe(const rsq_conn_config *config, const rsq_attach *a, rsq_error *err);

rsq_code rsq_conn_open(const rsq_conn_config *config, rsq_conn_role role, rsq_conn **out, rsq_error *err);
void rsq_conn_close(rsq_conn *c); /* NULL is a no-op */

/* Did an error leave the connection in doubt (I/O, memory, corruption, a snapshot that cannot be ended)? */
bool rsq_conn_broken(const rsq_conn *c);

/* Is a transaction open, as SQLite sees it? */
bool rsq_conn_in_transaction(const rsq_conn *c);

/* While `stop` is true, what runs here ends with RSQ_ECANCELLED within a thousand steps. NULL: nothing is
 * watched. */
void rsq_conn_watch(rsq_conn *c, const _Atomic bool *stop);

/* Abort the statement that runs, from any thread, while the connection is known to be leased. */
void rsq_conn_interrupt(rsq_conn *c);

/* --- reads, on a reader (read.c, snapshot.c) --- */

/* Make the newest commit the one that is read; call before the reads that shall see one snapshot. */
rsq_code rsq_conn_snapshot_open(rsq_conn *c, rsq_error *err);

/*
 * The same for one rsq_conn_select() and nothing else, where snapshots are not kept: if nothing was committed
 * since the last snapshot, the statement's own transaction will do, and BEGIN and COMMIT are saved.
 */
rsq_code rsq_conn_snapshot_alone(rsq_conn *c, rsq_error *err);
/* Number of the newest commit in the snapshot that is open. */
uint64_t rsq_conn_snapshot_seq(const rsq_conn *c);

/* Number of the newest commit by whoever, from shared memory, while rsq_conn_may_keep(). No system call. */
uint64_t rsq_conn_newest_seq(const rsq_conn *c);

/* Is the schema of the newest commit another one than at the last call, or not known? Leaves no snapshot
 * open.
 */
bool rsq_conn_schema_changed(rsq_conn *c);

/* May a snapshot stay open between two calls? Only where a log lets others write meanwhile, and its index is
 * in reach. */
bool rsq_conn_may_keep(const rsq_conn *c);

/* End the read transaction if one is open. False: it could not be ended, the connection is broken. */
bool rsq_conn_snapshot_close(rsq_conn *c);

/* One statement that only reads, in the transaction that is open. */
rsq_code rsq_conn_select(rsq_conn *c, const rsq_request *rq, rsq_shape shape, rsq_result **out,
                         rsq_error *err);

/*
 * The same in chunks: begin, next until it says that there is no more or fails,
 * end (also after a failure). The parameters' memory is used until the end.
 * Nothing else is run on the connection meanwhile. An answer without rows is one
 * empty chunk; any other chunk has a row.
 */
typedef enum rsq_scan_left {
    RSQ_SCAN_MORE, /* there are more rows */
    RSQ_SCAN_LAST, /* these were the last */
    RSQ_SCAN_EMPTY /* there is none at all */
} rsq_scan_left;

rsq_code rsq_conn_scan_begin(rsq_conn *c, const rsq_request *rq, rsq_error *err);
rsq_code rsq_conn_scan_next(rsq_conn *c, const rsq_request *rq, size_t rows_max, rsq_shape shape,
                            rsq_result **out, rsq_scan_left *left, rsq_error *err);
void rsq_conn_scan_end(rsq_conn *c);

/* What a statement depends on, in the schema of the open snapshot. `*out` is an owned reference. */
rsq_code rsq_conn_depends(rsq_conn *c, const rsq_request *rq, rsq_depends **out, rsq_error *err);

/* --- writes, on the writer (write.c, transaction.c) --- */

/* One statement, in the open transaction or in one of its own. `out` may be NULL. */
rsq_code rsq_conn_execute(rsq_conn *c, const rsq_request *rq, rsq_result **out, rsq_error *err);

/* One statement for each of `rows` rows of `rq->params`, `rq->nparams` values each; all or none. */
rsq_code rsq_conn_execute_batch(rsq_conn *c, const rsq_request *rq, size_t rows, rsq_result **out,
                                rsq_error *err);

/*
 * One of several statements that wait for the writer at the same time: their
 * own calls, which may share a commit (group.c).
 */
typedef struct rsq_member {
    const rsq_request *rq; /* borrowed until it is done */
    bool wants_result;
    bool alone; /* shares no commit (any more): the group that it was in was undone */

    /* It has the connection from enter, unless that says no, to leave; so it can be told to stop. NULL: it
     * cannot. */
    bool (*enter)(struct rsq_member *m, rsq_conn *c);
    void (*leave)(struct rsq_member *m);

    /* The outcome. */
    rsq_code code;
    bool ran; /* it was not told to stop before it began */
    bool wrote;
    rsq_result *result; /* owned; NULL unless wanted */
    rsq_error *error;   /* owned; NULL: it went well, or no memory for it */

    struct rsq_member *next; /* the one that was taken after it */
} rsq_member;

/* Where members come from. */
typedef struct rsq_members {
    rsq_member *(*take)(struct rsq_members *from); /* the next in line, which is about to run; NULL: none */
    int64_t commit_ns;                             /* written: how long the COMMIT of the last group took */
} rsq_members;

/*
 * Run `first` and those behind it in one transaction, as far as they may share
 * it, each with the outcome that it would have had by itself. Those that were
 * taken are linked by `next`. Returns how many of them are done: committed,
 * unless they failed; the others go back. 0: nothing was done, and the first one
 * is to be run by itself.
 */
size_t rsq_conn_execute_group(rsq_conn *c, rsq_member *first, rsq_members *others);

/* Run one by itself. */
void rsq_conn_execute_member(rsq_conn *c, rsq_member *m);

/* Of one that failed: its detail, moved to `err` (NULL: dropped), and its code. */
rsq_code rsq_member_take_error(rsq_member *m, rsq_error *err);

/*
 * Several statements, all or none (several.c): `count` requests with a result
 * for each (`results` NULL, or room for them; on failure none is left), or all
 * that `rq->sql` holds, with no result. err->row is the one that failed; of a
 * script err->sql_offset is in all of it.
 */
rsq_code rsq_conn_execute_all(rsq_conn *c, const rsq_request *requests, size_t count, rsq_result **results,
                              rsq_error *err);
rsq_code rsq_conn_execute_script(rsq_conn *c, const rsq_request *rq, rsq_error *err);

/* `origin`: whose it is; see rsq_call_options.origin. */
rsq_code rsq_conn_begin(rsq_conn *c, uint32_t origin, rsq_error *err);
rsq_code rsq_conn_commit(rsq_conn *c, rsq_error *err); /* on failure rolled back */
void rsq_conn_rollback(rsq_conn *c);

/* A connection that cannot be replaced, since the database lives in it: what an error left in doubt is rolled
 * back, if it has not been. At the begin and the end of a turn. */
void rsq_conn_mend(rsq_conn *c);

/* Savepoints named by depth, from 1. */
rsq_code rsq_conn_savepoint(rsq_conn *c, unsigned depth, rsq_error *err);
rsq_code rsq_conn_release(rsq_conn *c, unsigned depth, rsq_error *err);
void rsq_conn_rollback_to(rsq_conn *c, unsigned depth);

/*
 * What was committed since the last call, moved to `out` (an initialised set).
 * False: nothing. Call it when no transaction is open.
 */
bool rsq_conn_take_changes(rsq_conn *c, rsq_changes *out);

/* --- the log (checkpoint.c) --- */

/* Of main and the attached databases together. */
typedef struct rsq_log_figures {
    uint64_t pages;  /* that the logs hold */
    uint64_t copied; /* of those, in the database files too */
} rsq_log_figures;

/* On the writer: pages of the longest log after the last commit. */
int rsq_conn_log_pages(const rsq_conn *c);

/* On the writer, after a commit: has a log grown by so much since this was last true that it should be
 * copied? */
bool rsq_conn_log_grew(rsq_conn *c);

/*
 * Copy the logs into the databases, as RSQ_CHECKPOINT_… says; waits at most
 * `busy_ms` for other processes, and those modes that wait for readers for this
 * process's too. `out` is written in any case. RSQ_EBUSY: not all could be done.
 */
rsq_code rsq_conn_checkpoint(rsq_conn *c, uint32_t mode, uint32_t busy_ms, rsq_log_figures *out,
                             rsq_error *err);

/* --- a copy of the main database in another file (copy.c) --- */

typedef struct rsq_copy rsq_copy;

typedef struct rsq_copy_state {
    uint64_t done, pages;
    bool complete; /* and on the disk */
} rsq_copy_state;

/* Make the file and begin, in the snapshot that is open and stays so until the end; `path` is borrowed until
 * then. */
rsq_code rsq_copy_begin(rsq_conn *c, const char *path, rsq_copy **out, rsq_error *err);

/* Copy so many pages more. */
rsq_code rsq_copy_step(rsq_copy *cp, unsigned pages, rsq_copy_state *out, rsq_error *err);

/* `keep` false: and remove the file. */
void rsq_copy_end(rsq_copy *cp, bool keep);

/* Bytes; 0 if it cannot be told. */
uint32_t rsq_conn_page_size(const rsq_conn *c);

/* Statements in its cache. */
size_t rsq_conn_statements(const rsq_conn *c);

/* The library's SQLite: version, RSQ_FEATURE_… bits. */
const char *rsq_sql_version(void);
uint32_t rsq_sql_features(void);

#endif
