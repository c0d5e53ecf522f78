/*
 * resqlite: a reactive SQLite runtime.
 *
 * Plain SQL in; flat results, JSON bytes or live queries out. Reads run in
 * parallel on leased reader connections, writes go through one writer, and a
 * live query delivers a new result after each commit that can change it.
 *
 * Words used for ownership, everywhere with the same meaning:
 *   owned        you free it, with the function named;
 *   borrowed     valid until the event named, never freed by you;
 *   transferred  handed over, with what happens on failure said;
 *   shared       reference counted and immutable.
 *
 * Conventions: a function that can fail returns an rsq_code, zero is success.
 * Out parameters are written on success only. Detail of a failure goes, by
 * value, into an rsq_error that the caller provides (or NULL). There is no
 * "last error" state. Option structs begin with their own size; every field
 * that is zero means its default, so `{.size = sizeof opts}` is a complete set.
 *
 * The header is C99 and C++17, and includes the standard headers it needs.
 */
#ifndef RESQLITE_H
#define RESQLITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define RSQ_API __attribute__((visibility("default")))
#else
#define RSQ_API
#endif

/* ------------------------------------------------------------- version -- */

#define RSQ_VERSION_MAJOR 0
#define RSQ_VERSION_MINOR 1
#define RSQ_VERSION_PATCH 0
#define RSQ_VERSION "0.1.0"

/** Version of the library that is running, "major.minor.patch". Static. Thread: any. */
RSQ_API const char *rsq_version(void);

/** Version of the SQLite that is running, for example "3.54.1". Static. Thread: any. */
RSQ_API const char *rsq_sqlite_version(void);

/** What the library was built with; bits of rsq_features(). */
enum {
    RSQ_FEATURE_BUNDLED_SQLITE = 1u << 0, /**< SQLite is inside, its symbols hidden */
    RSQ_FEATURE_FTS5 = 1u << 1,
    RSQ_FEATURE_RTREE = 1u << 2,
    RSQ_FEATURE_MATH = 1u << 3,
    RSQ_FEATURE_PROFILE = 1u << 4 /**< rsq_profile() counts, once it is asked to */
};

/** Bits RSQ_FEATURE_…: of the library, and asked of the SQLite that is running. Thread: any. */
RSQ_API uint32_t rsq_features(void);

/* --------------------------------------------------------------- codes -- */

/** Result of a call. Each one is something a caller would act on differently. */
typedef enum rsq_code {
    RSQ_OK = 0,
    /** The call itself is wrong: NULL, a bad option, wrong parameter count, not one statement. */
    RSQ_EINVAL = 1,
    /** Right call, wrong moment: a transaction that SQLite rolled back, another thread's, a wait without end.
     */
    RSQ_EMISUSE = 2,
    RSQ_ECLOSED = 3,   /**< the database is closed or closing */
    RSQ_ESQL = 4,      /**< SQLite refused: syntax, missing table, constraint; see `sqlite_code` */
    RSQ_EREADONLY = 5, /**< a write through a read call, or to a database opened read-only */
    /** SQL that would break the runtime (BEGIN, ATTACH, journal_mode …); the message says what to use. */
    RSQ_EREFUSED = 6,
    RSQ_EBUSY = 7,    /**< another process held the database longer than the busy timeout */
    RSQ_ETIMEOUT = 8, /**< the deadline passed; the message names who held what was waited for */
    RSQ_ECANCELLED = 9,
    RSQ_ECANTOPEN = 10, /**< missing with creation off, a directory, or no permission */
    RSQ_ENOTADB = 11,   /**< the file is not an SQLite database, or its header is damaged */
    RSQ_ECORRUPT = 12,  /**< SQLite found the database damaged */
    RSQ_EIO = 13,       /**< reading or writing failed; `system_errno` if known */
    RSQ_EFULL = 14,     /**< disk or database full */
    RSQ_ENOMEM = 15,
    RSQ_ETOOBIG = 16,      /**< over a limit: cells, bytes, parameters, cursors */
    RSQ_EUNSUPPORTED = 17, /**< the SQLite in use, or this build of the library, lacks what is needed */
    RSQ_EPENDING = 18,     /**< not completed yet; only rsq_op_status() says so */
    RSQ_ESNAPSHOT = 19,    /**< a read held the log back for too long, and was ended */
    RSQ_ENEWER = 20        /**< rsq_migrate(): the database has a migration that the program does not know */
} rsq_code;

/** The name of a code, for example "RSQ_ECLOSED". Static, never NULL. Thread: any. */
RSQ_API const char *rsq_code_name(rsq_code code);

/**
 * Detail of a failure, by value. Written only when a call fails, and then
 * completely. The message is one line, UTF-8, NUL-terminated, cut if too long.
 */
typedef struct rsq_error {
    int32_t code;         /**< the rsq_code that was returned */
    int32_t sqlite_code;  /**< SQLite's extended result code; 0 when SQLite was not asked */
    int32_t sql_offset;   /**< byte offset in the SQL the message is about; -1 if unknown */
    int32_t system_errno; /**< errno of a failed system call; 0 if none or unknown */
    /** Index of what failed: the row of a batch, the query or statement of several; else -1. */
    int64_t row;
    uint8_t reserved[40];
    char message[448];
} rsq_error;

/* -------------------------------------------------------------- values -- */

/** Type of a value; the five of SQLite. Zero is NULL. */
enum { RSQ_NULL = 0, RSQ_INTEGER = 1, RSQ_REAL = 2, RSQ_TEXT = 3, RSQ_BLOB = 4 };

/**
 * One value: a parameter that goes in, or a cell that comes out. 16 bytes.
 *
 * Text is UTF-8 of `len` bytes and may hold NUL bytes. As a cell it has a NUL
 * after its last byte, as a parameter it needs none. `len` is zero for types
 * without bytes. An empty text or blob is not NULL.
 */
typedef struct rsq_value {
    uint32_t type;
    uint32_t len; /**< bytes of text or blob */
    union {
        int64_t i;
        double d;
        const char *text;
        const void *blob;
    } as;
} rsq_value;

static inline rsq_value rsq_null(void)
{
    rsq_value v;
    memset(&v, 0, sizeof v);
    return v;
}

static inline rsq_value rsq_integer(int64_t i)
{
    rsq_value v = rsq_null();
    v.type = RSQ_INTEGER;
    v.as.i = i;
    return v;
}

static inline rsq_value rsq_real(double d)
{
    rsq_value v = rsq_null();
    v.type = RSQ_REAL;
    v.as.d = d;
    return v;
}

/** `text` is borrowed until the call it is passed to returns. */
static inline rsq_value rsq_text_n(const char *text, uint32_t len)
{
    rsq_value v = rsq_null();
    v.type = RSQ_TEXT;
    v.len = len;
    v.as.text = text;
    return v;
}

/** `text` is NUL-terminated, shorter than 4 GB, and borrowed like rsq_text_n(). */
static inline rsq_value rsq_text(const char *text)
{
    return rsq_text_n(text, (uint32_t)strlen(text));
}

/** `bytes` is borrowed like rsq_text_n(). */
static inline rsq_value rsq_blob(const void *bytes, uint32_t len)
{
    rsq_value v = rsq_null();
    v.type = RSQ_BLOB;
    v.len = len;
    v.as.blob = bytes;
    return v;
}

/**
 * A value for a parameter by name: ":id", "@id", "$id" and "?3" as they stand in
 * the SQL, or "id" for any of the first three. Exact bytes. Borrowed like its value.
 */
typedef struct rsq_named {
    const char *name;
    rsq_value value;
} rsq_named;

/* ------------------------------------------------------------- objects -- */

/**
 * An open database: one writer connection, a pool of reader connections, and
 * the live queries on it. Made by rsq_open(), ended by rsq_close(). Several of
 * one file share the connections; each has its own default queue, live queries,
 * cursors and asynchronous calls, which end with it.
 *
 * Thread: any function may be called on it from any thread at the same time.
 * After rsq_close() the pointer stays valid and every call on it returns
 * RSQ_ECLOSED, until 1,024 further databases were closed in the process.
 * Not usable in a child after fork().
 */
typedef struct rsq_db rsq_db;

/**
 * The outcome of a read or a write: cells, or JSON bytes, and the figures of a
 * write. Immutable, shared (rsq_result_ref(), rsq_result_unref()), independent
 * of the database it came from. Thread: any.
 */
typedef struct rsq_result rsq_result;

/** A read in chunks. Made by rsq_cursor_open(), ended by rsq_cursor_close(). Thread: one at a time. */
typedef struct rsq_cursor rsq_cursor;

/**
 * A transaction that is open, of one of two kinds.
 *
 * A *function's* is the argument of an rsq_tx_fn: borrowed, valid only inside
 * it, on its thread.
 *
 * An *interactive* one is made by rsq_begin() and owned until rsq_commit() or
 * rsq_rollback(), whatever ended the transaction before. Any thread may use it,
 * one at a time: a call while another thread is in one is RSQ_EMISUSE. A call
 * after the end is RSQ_EMISUSE as well, until 1,024 further interactive
 * transactions were ended in the process; then the pointer is not valid any more.
 */
typedef struct rsq_tx rsq_tx;

/** An asynchronous call. Made by the functions with the suffix _async, ended by rsq_op_free(). */
typedef struct rsq_op rsq_op;

/**
 * Where events wait for the thread that wants them. They are delivered by
 * rsq_queue_dispatch(), on the thread that calls it, and by nobody else; but what
 * waits in a database's default queue in the end, by rsq_close().
 */
typedef struct rsq_queue rsq_queue;

/** A live query. Made by rsq_stream_open(), ended by rsq_stream_close(). */
typedef struct rsq_stream rsq_stream;

/* ------------------------------------------------------- open and close -- */

/** Bits of rsq_open_options.flags. */
enum {
    RSQ_OPEN_READONLY = 1u << 0,        /**< no writes by this handle; the file must exist */
    RSQ_OPEN_NO_CREATE = 1u << 1,       /**< a missing file is RSQ_ECANTOPEN */
    RSQ_OPEN_NO_FOREIGN_KEYS = 1u << 2, /**< foreign keys are enforced unless this is set */
    /** A reader ends its read transaction after each query instead of keeping it while it is the newest. */
    RSQ_OPEN_NO_KEPT_SNAPSHOTS = 1u << 3,
    /** Each statement has a transaction of its own, also when several wait for the writer together. */
    RSQ_OPEN_NO_GROUP_COMMIT = 1u << 4,
    /**
     * Nobody else writes to the files while they are open: no other process and no other handle. Live queries
     * then do not look for others' commits, 100 times a second while there are streams. Those that come all
     * the same are noticed with the next commit of this handle.
     */
    RSQ_OPEN_NO_EXTERNAL_WRITERS = 1u << 5,
    /*
     * For tests: live queries wake more often than they need. Without the column level for any column,
     * without the value level for any update, without the key level for any row of a table that they read.
     */
    RSQ_OPEN_NO_COLUMN_LEVEL = 1u << 6,
    RSQ_OPEN_NO_VALUE_LEVEL = 1u << 7,
    RSQ_OPEN_NO_KEY_LEVEL = 1u << 8,
    /** For tests, and to find out whether one is to blame: reads and writes do without the shortcuts that
     * docs/architecture.md names, which change nothing but their time. */
    RSQ_OPEN_NO_SHORTCUTS = 1u << 9,
    /** A reader maps the file anew after each commit, as SQLite does by itself. */
    RSQ_OPEN_NO_KEPT_MAPPING = 1u << 10,
    /**
     * Who waits sleeps at once, instead of looking for up to 100 us first whether it is time: the threads of
     * the database, writes in line, rsq_op_wait(), and rsq_queue_wait() of the default queue. A queue of
     * rsq_queue_new() is nobody's, and looks. For machines where a core that is busy for nothing costs more
     * than the wake-up; nothing changes but time.
     */
    RSQ_OPEN_NO_SPIN = 1u << 11
};

/** When SQLite syncs; see SQLite's PRAGMA synchronous. */
enum {
    RSQ_SYNC_DEFAULT = 0, /**< NORMAL */
    RSQ_SYNC_OFF = 1,
    /** A crash of the process loses nothing; a loss of power may lose the last commits, never more. */
    RSQ_SYNC_NORMAL = 2,
    RSQ_SYNC_FULL = 3, /**< a commit that returned survives a loss of power */
    RSQ_SYNC_EXTRA = 4
};

/** A database file attached to every connection under a schema name. Borrowed for the call. */
typedef struct rsq_attach {
    const char *name; /**< schema name, as in ATTACH … AS name; not main or temp */
    const char *path;
} rsq_attach;

/** Settings of rsq_open(). All-zero (but for `size`) is the default. */
typedef struct rsq_open_options {
    size_t size;    /**< sizeof(rsq_open_options) */
    uint32_t flags; /**< RSQ_OPEN_… */
    /** Reader connections at most, 1 to 64; 0: one a processor, 2 to 8. Each opens when first needed. */
    uint32_t readers;
    uint32_t busy_timeout_ms; /**< how long SQLite waits for other processes; 0: 5000 */
    uint32_t synchronous;     /**< RSQ_SYNC_… */
    /** Bytes, a power of two from 512 to 65536, for a database made by this call; 0: 4096. */
    uint32_t page_size;
    /** How long an idle reader keeps its snapshot, which holds back the log, at most; 0: 100. */
    uint32_t keep_snapshot_ms;
    uint32_t lease_timeout_ms; /**< how long a call without `timeout_ms` waits for a connection; 0: 30000 */
    int64_t mmap_bytes;        /**< memory-mapped part of the file, per connection; 0: 256 MiB; -1: none */
    int64_t cache_bytes;       /**< page cache per connection; 0: 8 MiB */
    const rsq_attach *attach;  /**< `nattach` of them; borrowed for the call */
    size_t nattach;
    /**
     * When the write-ahead log must begin anew, a read (blocking or asynchronous, not a live query's run)
     * that has taken longer than this ends with RSQ_ESNAPSHOT, so that it does not hold the log back. 0: it
     * is waited for.
     */
    uint32_t reader_age_limit_ms;
    /**
     * Live queries check themselves: after every n-th commit those that it did not wake are run as well, and
     * an answer that turns out to be another one is handed over and counted as missed. 1: after every commit,
     * for tests; a large number in production; 0: never.
     */
    uint32_t self_check_every;
} rsq_open_options;

#define RSQ_OPEN_OPTIONS_INIT                                              \
    {                                                                      \
        sizeof(rsq_open_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0, 0, 0 \
    }

/**
 * Open a database, making it if it does not exist.
 *
 * The database is put into WAL mode, which stays with the file. A read-only
 * open takes it in the mode it has; of a database in WAL mode it may leave
 * SQLite's -wal and -shm files behind, which hold nothing then. ":memory:" and
 * "" (a temporary file) open with one connection that serves reads and writes.
 *
 * A file that is open in this process already, by whatever path or link, is
 * shared: one writer, one set of readers, and commits through one handle wake
 * the live queries of all. An option that is not zero must be what the file is
 * open with, else RSQ_EINVAL names it; `page_size` and RSQ_OPEN_NO_CREATE have
 * no meaning then, and RSQ_OPEN_READONLY is of the handle alone. Zero takes what
 * is there, but for what a program relies on: foreign keys must be enforced or
 * not as asked, commits of others noticed, and `synchronous` not be RSQ_SYNC_OFF. Waits while another
 * thread opens or closes the same file.
 *
 * @param path  UTF-8 file name; not a URI.
 * @param opts  NULL for the defaults.
 * @param out   on RSQ_OK, a database the caller owns: rsq_close().
 * @return RSQ_OK, RSQ_EINVAL, RSQ_ECANTOPEN, RSQ_ENOTADB, RSQ_ECORRUPT,
 *         RSQ_EBUSY, RSQ_EREADONLY (no permission to write a file that is not in
 *         WAL mode yet; or, of one that is and for reading too, to make its -wal
 *         and -shm beside it), RSQ_EUNSUPPORTED (no preupdate hook in this SQLite, no WAL
 *         mode on this file system), RSQ_EIO, RSQ_EFULL, RSQ_ENOMEM. A failed open leaves no file behind
 *         that was not there before, and changes none.
 *
 * Thread: any.
 */
RSQ_API rsq_code rsq_open(const char *path, const rsq_open_options *opts, rsq_db **out, rsq_error *err);

/**
 * Close a database, which is one handle; the last one of a file closes the file.
 * New calls get RSQ_ECLOSED, calls that wait for a
 * connection get it too, calls and transaction functions that run are waited
 * for, an interactive transaction is rolled back. Asynchronous calls that have
 * not begun complete with RSQ_ECLOSED, every live query gets its RSQ_EVENT_END.
 * All that waits in the default queue then, events and calls of `done`, is
 * dispatched here, on the calling thread; what waits in another queue is left there
 * to be dispatched.
 *
 * Closing again, or NULL, is a no-op; closing at the same time from several
 * threads is legal and all return when it is done.
 *
 * @return RSQ_OK, or RSQ_EMISUSE inside a transaction function of this
 *         database, where it could never end.
 *
 * Thread: any, callbacks included.
 */
RSQ_API rsq_code rsq_close(rsq_db *db);

/* ------------------------------------------------------- calls in place -- */

/** How JSON is written: one form, and any of the other bits. */
enum {
    RSQ_JSON_OBJECTS = 0, /**< [{"a":1,"b":2},…]; columns of equal name give equal keys */
    RSQ_JSON_ARRAYS = 1,  /**< [[1,2],…] */
    RSQ_JSON_NDJSON = 2,  /**< one object a line, each ended by a newline; nothing for no row */
    RSQ_JSON_FORM_MASK = 0xff,
    RSQ_JSON_QUOTE_BIG = 1 << 8, /**< integers beyond 2^53 as strings, for readers that count in doubles */
    RSQ_JSON_BLOB_HEX = 1 << 9   /**< BLOB as lower-case hexadecimal instead of base64 */
};

/** Bits of rsq_call_options.flags. */
enum {
    /**
     * rsq_begin(): the transaction is used by several threads, as from a pool
     * of them. A write of the thread that began it then waits for its turn, as
     * all others do, and is not RSQ_EMISUSE.
     */
    RSQ_CALL_MOVES = 1u << 0
};

/** Settings of one call. All-zero (but for `size`) is the default. */
typedef struct rsq_call_options {
    size_t size;    /**< sizeof(rsq_call_options) */
    size_t sql_len; /**< bytes of the SQL; 0: NUL-terminated */
    /**
     * Limit of the call. A read waits and runs at most as long: what runs is
     * interrupted. A write waits at most as long for its turn, and then runs to
     * its end. 0: no limit to run, and the database's lease_timeout_ms to wait.
     */
    uint32_t timeout_ms;
    uint32_t json; /**< RSQ_JSON_…, for JSON */
    /**
     * A result with more bytes is RSQ_ETOOBIG. Rows count 16 bytes a cell, and the bytes of text and blobs
     * with one more behind each (the NUL of text); JSON counts its bytes. 0: 2^31 cells, 2 GiB of bytes.
     */
    uint64_t max_result_bytes;
    uint32_t chunk_rows; /**< rsq_cursor_open(): rows in a chunk; 0: 1000 */
    /** rsq_cursor_open(), rsq_begin(): longest time between two calls; 0: 30000. */
    uint32_t idle_timeout_ms;
    uint32_t flags; /**< RSQ_CALL_… */
    /** Who writes, as a number of the program's own choice, for rsq_stream_options.skip_origin; 0: nobody
     * special. Inside a transaction the transaction's counts. */
    uint32_t origin;
} rsq_call_options;

#define RSQ_CALL_OPTIONS_INIT                            \
    {                                                    \
        sizeof(rsq_call_options), 0, 0, 0, 0, 0, 0, 0, 0 \
    }

/**
 * Run one statement that reads, on the calling thread, on a leased reader.
 *
 * The result is the whole answer at one commit; later writes never change it.
 * Inside a transaction function of the same thread it runs in that
 * transaction and sees its writes.
 *
 * @param sql      one statement, UTF-8; borrowed for the call.
 * @param params   `nparams` values for its parameters, in order; borrowed for
 *                 the call and bound in place, nothing is copied.
 * @param opts     NULL for the defaults.
 * @param out      on RSQ_OK, a result the caller owns: rsq_result_unref().
 * @return RSQ_OK, RSQ_EINVAL (no or more than one statement, wrong parameter
 *         count), RSQ_EREADONLY (it would write), RSQ_EREFUSED, RSQ_ESQL,
 *         RSQ_ETIMEOUT (no reader in time, and the message names the holders; or
 *         it ran too long), RSQ_ECLOSED, RSQ_ETOOBIG (`max_result_bytes`, or 2^31
 *         cells or more), RSQ_ESNAPSHOT (rsq_open_options.reader_age_limit_ms),
 *         RSQ_ECANTOPEN (a reader was to open, and the file is another one now),
 *         RSQ_EMISUSE (in a database with one connection, which this thread
 *         keeps by an interactive transaction), RSQ_EBUSY, RSQ_EIO, RSQ_EFULL,
 *         RSQ_ECORRUPT, RSQ_ENOMEM.
 *
 * Thread: any.
 */
RSQ_API rsq_code rsq_select(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                            const rsq_call_options *opts, rsq_result **out, rsq_error *err);

/** One of several queries; all of it borrowed for the call. */
typedef struct rsq_query {
    const char *sql; /**< one statement, UTF-8 */
    size_t sql_len;  /**< bytes; 0: NUL-terminated */
    const rsq_value *params;
    size_t nparams;
} rsq_query;

/**
 * rsq_select() for several queries that see one commit.
 *
 * @param queries  `count` of them, at least one.
 * @param results  room for `count` results; on RSQ_OK the caller owns each.
 * @return as rsq_select(); on failure `err->row` is the index of the query that failed.
 *
 * Thread: any.
 */
RSQ_API rsq_code rsq_select_all(rsq_db *db, const rsq_query *queries, size_t count,
                                const rsq_call_options *opts, rsq_result **results, rsq_error *err);

/**
 * rsq_select() with the rows as JSON text: `[{"column":value,…},…]`, no white
 * space, `[]` for no row. The bytes are rsq_result_json()'s.
 *
 * NULL → null. INTEGER → its digits, exact; a reader in JavaScript loses those
 * beyond 2^53. REAL → the shortest digits that read back to the same double,
 * without a point when it is whole and |v| ≤ 2^53; infinities → null. TEXT →
 * string; NUL and control bytes escaped, bytes that are not UTF-8 replaced by
 * U+FFFD. BLOB → base64 string. Columns of equal name give equal keys.
 */
RSQ_API rsq_code rsq_select_json(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                                 const rsq_call_options *opts, rsq_result **out, rsq_error *err);

/**
 * Run one statement that writes (or changes the schema), on the calling thread,
 * on the writer, in a transaction of its own. Rows of RETURNING are in the
 * result. When another thread writes, waits its turn.
 *
 * Inside a transaction function of the same thread it runs in that transaction.
 *
 * @param out  NULL, or on RSQ_OK a result the caller owns.
 * @return as rsq_select(), where RSQ_EREADONLY means the database is read-only,
 *         RSQ_EBUSY that another process kept the write lock, and RSQ_EMISUSE that
 *         this thread has an interactive transaction, which the write would wait
 *         for. On any failure nothing is changed, except as SQL's OR FAIL says.
 *
 * Thread: any.
 */
RSQ_API rsq_code rsq_execute(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                             const rsq_call_options *opts, rsq_result **out, rsq_error *err);

/**
 * Run one statement for each row of a matrix, in one transaction: all or
 * nothing.
 *
 * @param matrix   rows × columns values, row after row; `columns` is the number
 *                 of the statement's parameters. Borrowed for the call.
 * @param rows     0 is a no-op that still checks its arguments.
 * @param out      NULL, or on RSQ_OK a result the caller owns: changes of all
 *                 rows together; rows of RETURNING are not collected.
 * @return as rsq_execute(); `err->row` is the index of the row that failed.
 */
RSQ_API rsq_code rsq_execute_batch(rsq_db *db, const char *sql, const rsq_value *matrix, size_t rows,
                                   size_t columns, const rsq_call_options *opts, rsq_result **out,
                                   rsq_error *err);

/**
 * Run several statements in one transaction, one after the other: all or
 * nothing. Later ones see what earlier ones did. Statements that read are
 * allowed too.
 *
 * @param statements  `count` of them, 1 to 4096, each with its parameters.
 * @param results     NULL, or room for `count` results; on RSQ_OK the caller
 *                    owns each: rsq_result_unref(). All have the number of the
 *                    one commit.
 * @return as rsq_execute(); `err->row` is the index of the statement that
 *         failed, and -1 if it was the COMMIT, whose message begins with "commit:".
 *         On any failure nothing is changed, whatever OR FAIL says.
 *
 * Thread: any.
 */
RSQ_API rsq_code rsq_execute_all(rsq_db *db, const rsq_query *statements, size_t count,
                                 const rsq_call_options *opts, rsq_result **results, rsq_error *err);

/**
 * Run all statements that a text holds, in one transaction: all or nothing.
 * They have no parameters, and rows that they give are dropped. Text without a
 * statement is a no-op. BEGIN, COMMIT and their like are refused, since there is
 * a transaction already.
 *
 * @param sql   statements, each ended by a semicolon; the last one needs none.
 * @param opts  NULL for the defaults; `sql_len` and `timeout_ms` are used.
 * @return as rsq_execute_all(); `err->sql_offset` is in the whole text: where
 *         the mistake is, or else where the statement begins that failed.
 *
 * Thread: any.
 */
RSQ_API rsq_code rsq_execute_script(rsq_db *db, const char *sql, const rsq_call_options *opts,
                                    rsq_error *err);

/**
 * The calls above with parameters by name: each parameter of the statement must
 * be given once, and each name given must be one of its. Otherwise RSQ_EINVAL.
 */
RSQ_API rsq_code rsq_select_named(rsq_db *db, const char *sql, const rsq_named *named, size_t nnamed,
                                  const rsq_call_options *opts, rsq_result **out, rsq_error *err);
RSQ_API rsq_code rsq_select_json_named(rsq_db *db, const char *sql, const rsq_named *named, size_t nnamed,
                                       const rsq_call_options *opts, rsq_result **out, rsq_error *err);
RSQ_API rsq_code rsq_execute_named(rsq_db *db, const char *sql, const rsq_named *named, size_t nnamed,
                                   const rsq_call_options *opts, rsq_result **out, rsq_error *err);

/* -------------------------------------------------------- transactions -- */

/**
 * The body of a transaction. RSQ_OK commits, anything else rolls back.
 * It runs on the thread that called rsq_transaction(); `tx` is borrowed until
 * it returns. Calls on the database itself from here join the transaction.
 */
typedef rsq_code (*rsq_tx_fn)(rsq_tx *tx, void *ctx);

/**
 * Run `fn` inside one write transaction (BEGIN IMMEDIATE … COMMIT). Called
 * inside a transaction function of the same thread it is a savepoint of it.
 *
 * Temporary tables made inside are dropped at its end, unless the database has
 * one connection: they would hide tables from the writer that readers see.
 *
 * @param opts  NULL for the defaults; `sql_len` is not used.
 * @return RSQ_OK when committed. What `fn` returned, if it was not RSQ_OK:
 *         rolled back, and `err` holds the detail of the failed call inside it
 *         that had that code, if there was one. RSQ_ESQL when COMMIT failed (a deferred
 *         foreign key): rolled back, the message begins with "commit:".
 *         RSQ_ETIMEOUT, RSQ_EBUSY, RSQ_EREADONLY, RSQ_ECLOSED: `fn` was not called.
 *
 * Thread: any.
 */
RSQ_API rsq_code rsq_transaction(rsq_db *db, rsq_tx_fn fn, void *ctx, const rsq_call_options *opts,
                                 rsq_error *err);

/**
 * Begin an interactive transaction: a write transaction (BEGIN IMMEDIATE) that
 * stays open until rsq_commit() or rsq_rollback(), for programs that cannot put
 * it into one function. It keeps the writer: all other writes wait for it. Where
 * a function will do, rsq_transaction() is faster and ends by itself.
 *
 * Calls on the *database* do not join it: reads see what is committed, and a
 * write of the thread that began it, which would wait for itself, is RSQ_EMISUSE
 * (unless another thread has used the transaction since, or RSQ_CALL_MOVES is
 * set). In a database with one connection reads wait for it, too.
 *
 * It ends by itself, rolled back, when no call on it was made for
 * `idle_timeout_ms` (the next call is RSQ_ETIMEOUT), when the database is closed
 * (RSQ_ECLOSED), and when SQLite rolls it back after an error (RSQ_EMISUSE). The
 * writer is free from then on; the handle is still the caller's.
 *
 * @param opts  NULL for the defaults; `timeout_ms` (to wait for the turn),
 *              `idle_timeout_ms` and `flags` are used.
 * @param out   on RSQ_OK, a transaction the caller owns: rsq_commit() or
 *              rsq_rollback().
 * @return RSQ_OK, RSQ_EINVAL, RSQ_EMISUSE (inside a transaction function of the
 *         same database, or when this thread has one that is not ended),
 *         RSQ_ETIMEOUT, RSQ_EBUSY, RSQ_EREADONLY, RSQ_ECLOSED, RSQ_ENOMEM, RSQ_EIO.
 *
 * Thread: any.
 */
RSQ_API rsq_code rsq_begin(rsq_db *db, const rsq_call_options *opts, rsq_tx **out, rsq_error *err);

/**
 * Commit an interactive transaction and give its handle up; savepoints that are
 * open are kept. The handle is given up whatever is returned, except for
 * RSQ_EMISUSE.
 *
 * @return RSQ_OK when committed. Else nothing is changed: RSQ_ESQL when COMMIT
 *         failed (a deferred foreign key; the message begins with "commit:") or
 *         when SQLite had rolled it back before; RSQ_ETIMEOUT when it was left
 *         idle; RSQ_ECLOSED; RSQ_EIO, RSQ_EFULL and so on from the COMMIT.
 *         RSQ_EMISUSE: it was given up before, a call on it runs or an asynchronous
 *         one waits, or it is a function's. RSQ_EINVAL: `tx` is NULL.
 *
 * Thread: any.
 */
RSQ_API rsq_code rsq_commit(rsq_tx *tx, rsq_error *err);

/**
 * Roll an interactive transaction back and give its handle up. NULL is a no-op.
 *
 * @return RSQ_OK: it is rolled back, by this call or before it, whatever the
 *         reason was. RSQ_EMISUSE as rsq_commit().
 *
 * Thread: any.
 */
RSQ_API rsq_code rsq_rollback(rsq_tx *tx, rsq_error *err);

/** rsq_select() inside the transaction: sees its own writes. Thread: the transaction's. */
RSQ_API rsq_code rsq_tx_select(rsq_tx *tx, const char *sql, const rsq_value *params, size_t nparams,
                               const rsq_call_options *opts, rsq_result **out, rsq_error *err);

/** rsq_select_json() inside the transaction. Thread: the transaction's. */
RSQ_API rsq_code rsq_tx_select_json(rsq_tx *tx, const char *sql, const rsq_value *params, size_t nparams,
                                    const rsq_call_options *opts, rsq_result **out, rsq_error *err);

/**
 * rsq_execute() inside the transaction. A failed statement is undone alone; the transaction goes on
 * unless SQLite rolled all of it back, after which each call on it is RSQ_EMISUSE. (There is one gap in
 * SQLite: rows before one that a STRICT table refuses for its type stay. A nested transaction undoes them.)
 *
 * Thread: the transaction's.
 */
RSQ_API rsq_code rsq_tx_execute(rsq_tx *tx, const char *sql, const rsq_value *params, size_t nparams,
                                const rsq_call_options *opts, rsq_result **out, rsq_error *err);

/** rsq_select_named() inside the transaction. Thread: the transaction's. */
RSQ_API rsq_code rsq_tx_select_named(rsq_tx *tx, const char *sql, const rsq_named *named, size_t nnamed,
                                     const rsq_call_options *opts, rsq_result **out, rsq_error *err);

/** rsq_execute_named() inside the transaction. Thread: the transaction's. */
RSQ_API rsq_code rsq_tx_execute_named(rsq_tx *tx, const char *sql, const rsq_named *named, size_t nnamed,
                                      const rsq_call_options *opts, rsq_result **out, rsq_error *err);

/** rsq_execute_batch() inside the transaction, all rows or none. Thread: the transaction's. */
RSQ_API rsq_code rsq_tx_execute_batch(rsq_tx *tx, const char *sql, const rsq_value *matrix, size_t rows,
                                      size_t columns, const rsq_call_options *opts, rsq_result **out,
                                      rsq_error *err);

/** rsq_execute_all() inside the transaction, all statements or none. The results have no commit number yet.
 * Thread: the transaction's. */
RSQ_API rsq_code rsq_tx_execute_all(rsq_tx *tx, const rsq_query *statements, size_t count,
                                    const rsq_call_options *opts, rsq_result **results, rsq_error *err);

/** rsq_execute_script() inside the transaction, all statements or none. Thread: the transaction's. */
RSQ_API rsq_code rsq_tx_execute_script(rsq_tx *tx, const char *sql, const rsq_call_options *opts,
                                       rsq_error *err);

/** Run `fn` in a savepoint of the transaction; nested to any depth. Thread: the transaction's. */
RSQ_API rsq_code rsq_tx_transaction(rsq_tx *tx, rsq_tx_fn fn, void *ctx, rsq_error *err);

/**
 * Open a savepoint in the transaction, for nesting without a function. The
 * newest one is ended by rsq_tx_release(), which keeps what was done since, or
 * by rsq_tx_rollback_to(), which undoes it. Those that are open when the
 * transaction, or the function, ends share its fate.
 *
 * @return RSQ_OK, RSQ_ESQL, RSQ_ENOMEM, and as any call on the transaction;
 *         RSQ_EMISUSE also while a nested function runs, whose handle it is then,
 *         and from the other two when no savepoint of this handle is open.
 *
 * Thread: the transaction's.
 */
RSQ_API rsq_code rsq_tx_savepoint(rsq_tx *tx, rsq_error *err);
RSQ_API rsq_code rsq_tx_release(rsq_tx *tx, rsq_error *err);
RSQ_API rsq_code rsq_tx_rollback_to(rsq_tx *tx, rsq_error *err);

/* ------------------------------------------------------------- results -- */

/**
 * The first bytes of every rsq_result, part of the ABI, so that the accessors
 * below are inline. Read it through rsq_result_cells() or the accessors.
 */
typedef struct rsq_result_head {
    const rsq_value *cells; /**< rows × columns, row after row */
    size_t rows;
    size_t columns;
} rsq_result_head;

/** All cells, row after row; borrowed until the last reference to the result is dropped. `rows`, `columns`:
 * NULL to ignore. */
RSQ_API const rsq_value *rsq_result_cells(const rsq_result *r, size_t *rows, size_t *columns);

RSQ_API size_t rsq_result_rows(const rsq_result *r);
RSQ_API size_t rsq_result_columns(const rsq_result *r);

/** Name of a column, NUL-terminated, borrowed like the cells; NULL if there is no such column. */
RSQ_API const char *rsq_result_column_name(const rsq_result *r, size_t column);

/** Index of the column of that name (exact bytes), the last one of equal names; -1 if none. */
RSQ_API ptrdiff_t rsq_result_column_index(const rsq_result *r, const char *name);

/** JSON bytes of rsq_select_json(), with a NUL after the last; borrowed like the cells. NULL for other
 * results. `len`: NULL to ignore. */
RSQ_API const char *rsq_result_json(const rsq_result *r, size_t *len);

/**
 * For a write: the number of its own commit (0 if it changed nothing, or inside
 * a transaction, which has no number yet). For a read: the number of the newest
 * commit its snapshot contains. Numbers rise by one with each commit that
 * changes the database, by whichever process; they are comparable while the
 * database stays open, and start anew when all its users have closed it.
 */
RSQ_API uint64_t rsq_result_commit_seq(const rsq_result *r);

/** Rows inserted, updated or deleted by the statement itself, not by triggers; 0 for reads and schema
 * changes. */
RSQ_API int64_t rsq_result_changes(const rsq_result *r);

/** Row id of the last row inserted by the writer; 0 before any, and for reads. */
RSQ_API int64_t rsq_result_last_insert_rowid(const rsq_result *r);

/**
 * Tables that rows were changed in, triggers and foreign-key actions included.
 * @param count  number of names; may not be NULL.
 * @return `count` names "schema.table", borrowed like the cells; in no order.
 */
RSQ_API const char *const *rsq_result_changed_tables(const rsq_result *r, size_t *count);

/** Take one more reference; returns `r`. */
RSQ_API rsq_result *rsq_result_ref(rsq_result *r);

/** Drop a reference; the last one frees the result. NULL is a no-op. */
RSQ_API void rsq_result_unref(rsq_result *r);

/** The cell, or NULL outside the result. */
static inline const rsq_value *rsq_result_cell(const rsq_result *r, size_t row, size_t column)
{
    const rsq_result_head *h = (const rsq_result_head *)(const void *)r;
    return row < h->rows && column < h->columns ? &h->cells[row * h->columns + column] : NULL;
}

/** The cell's type, RSQ_NULL outside the result. */
static inline uint32_t rsq_result_type(const rsq_result *r, size_t row, size_t column)
{
    const rsq_value *v = rsq_result_cell(r, row, column);
    return v ? v->type : (uint32_t)RSQ_NULL;
}

/** The cell as integer: an INTEGER, or a REAL cut towards zero and clamped; 0 for all else. */
static inline int64_t rsq_result_int64(const rsq_result *r, size_t row, size_t column)
{
    const rsq_value *v = rsq_result_cell(r, row, column);
    if (v && v->type == RSQ_INTEGER)
        return v->as.i;
    if (v && v->type == RSQ_REAL) {
        if (v->as.d >= 9223372036854775808.0)
            return INT64_MAX;
        if (v->as.d <= -9223372036854775808.0)
            return INT64_MIN;
        return (int64_t)v->as.d;
    }
    return 0;
}

/** The cell as double: a REAL or an INTEGER; 0 for all else. */
static inline double rsq_result_double(const rsq_result *r, size_t row, size_t column)
{
    const rsq_value *v = rsq_result_cell(r, row, column);
    if (v && v->type == RSQ_REAL)
        return v->as.d;
    return v && v->type == RSQ_INTEGER ? (double)v->as.i : 0.0;
}

/** The cell's text, NUL-terminated; NULL if it is not TEXT. `len`: bytes, NULL to ignore. */
static inline const char *rsq_result_text(const rsq_result *r, size_t row, size_t column, size_t *len)
{
    const rsq_value *v = rsq_result_cell(r, row, column);
    if (!v || v->type != RSQ_TEXT)
        return NULL;
    if (len)
        *len = v->len;
    return v->as.text;
}

/** The cell's bytes; NULL if it is not a BLOB. `len`: bytes, NULL to ignore. */
static inline const void *rsq_result_blob(const rsq_result *r, size_t row, size_t column, size_t *len)
{
    const rsq_value *v = rsq_result_cell(r, row, column);
    if (!v || v->type != RSQ_BLOB)
        return NULL;
    if (len)
        *len = v->len;
    return v->as.blob;
}

/* -------------------------------------------------------------- queues -- */

/**
 * Make a queue. One thread at a time consumes it.
 * @param out  on RSQ_OK, a queue the caller owns: rsq_queue_free().
 * @return RSQ_OK, RSQ_EINVAL, RSQ_ENOMEM.
 */
RSQ_API rsq_code rsq_queue_new(rsq_queue **out, rsq_error *err);

/** The queue that `db` has from the start; borrowed until rsq_close(). NULL if the database is closed.
 * Thread: any. */
RSQ_API rsq_queue *rsq_queue_default(rsq_db *db);

/**
 * A descriptor that polls readable while the queue is not empty (a level, not
 * a count). Only poll it; it is closed with the queue. -1 when the process has
 * none left. Made when first asked for: a consumer that sleeps in
 * rsq_queue_wait() needs none. Thread: any.
 */
RSQ_API int rsq_queue_fd(rsq_queue *q);

/** Tells a loop that something waits in its queue: see rsq_queue_set_wakeup(). */
typedef void (*rsq_wakeup_fn)(rsq_queue *q, void *ctx);

/**
 * For loops that cannot poll a descriptor but take messages from other threads:
 * have `wakeup` called when the queue is no longer empty. It is to send the
 * loop's thread a message (uv_async_send(), g_idle_add(), PostMessage() and the
 * like), on which that thread calls rsq_queue_dispatch().
 *
 * Called once, then not before a dispatch has begun; at the end of a dispatch
 * that leaves something, since `max` was reached or a callback added it, it is
 * called again. Any thread of the library or of the program may be the one
 * that calls it, with locks held: it must return soon, call nothing of this
 * library, and take no lock that is anywhere held during a call of it.
 *
 * @param wakeup  NULL: none any more. When this returns, no call of the former
 *                one is running. If something waits already, the new one is
 *                called before this returns.
 * @param ctx     handed to `wakeup`; borrowed until it is replaced, or the queue is
 *                freed, or its database closed.
 * @return RSQ_OK, RSQ_EINVAL, RSQ_ECLOSED. Thread: any.
 */
RSQ_API rsq_code rsq_queue_set_wakeup(rsq_queue *q, rsq_wakeup_fn wakeup, void *ctx);

/**
 * Deliver what waits, on this thread.
 * @param max         at most that many ops and live queries; 0: all that wait now.
 * @param dispatched  how many were delivered; NULL to ignore. The last answer and the
 *                    end of one live query count as one, and so do the answers of a group.
 * @return RSQ_OK, RSQ_EINVAL, RSQ_EMISUSE (another thread is dispatching this queue).
 */
RSQ_API rsq_code rsq_queue_dispatch(rsq_queue *q, size_t max, size_t *dispatched);

/**
 * Sleep until the queue is not empty.
 * @param timeout_ms  0: only look; UINT32_MAX: no limit.
 * @return RSQ_OK, RSQ_ETIMEOUT, RSQ_ECLOSED (its database is closed and nothing
 *         waits), RSQ_EMISUSE (inside a callback of this queue), RSQ_EINVAL.
 */
RSQ_API rsq_code rsq_queue_wait(rsq_queue *q, uint32_t timeout_ms);

/**
 * Free a queue made by rsq_queue_new(). Events that wait are dropped; live
 * queries that deliver to it stay yours to close, and deliver nothing more, not
 * even an end. NULL is a no-op. Not while another thread is in a call on it,
 * and not inside its callbacks.
 */
RSQ_API void rsq_queue_free(rsq_queue *q);

/* ------------------------------------------------------ reads in chunks -- */

/**
 * Begin a read whose rows come in chunks, for results larger than memory. All
 * chunks are of one commit. It keeps a reader leased, so it can take all
 * readers but one, and ends by itself, with RSQ_ETIMEOUT from the next call,
 * when the caller stays away for `idle_timeout_ms` or all of it takes longer
 * than `timeout_ms`; and with RSQ_ESNAPSHOT when the write-ahead log, which
 * cannot begin anew while it reads, has grown to 12,000 pages. Not in a database
 * with one connection.
 *
 * @param sql, params  copied.
 * @param opts         `chunk_rows`, `idle_timeout_ms`, `timeout_ms` (0: no
 *                     limit in all), `max_result_bytes` (of a chunk) and `json`.
 * @param out          on RSQ_OK, a cursor the caller owns: rsq_cursor_close().
 * @return as rsq_select(), and RSQ_ETOOBIG (too many cursors are open),
 *         RSQ_EUNSUPPORTED (a database with one connection), RSQ_EMISUSE
 *         (inside a transaction function of the same database).
 *
 * Thread: any.
 */
RSQ_API rsq_code rsq_cursor_open(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                                 const rsq_call_options *opts, rsq_cursor **out, rsq_error *err);

/**
 * The next chunk: at least one row, at most `chunk_rows`.
 *
 * @param out  on RSQ_OK, a result the caller owns, or NULL after the last row.
 * @return RSQ_OK; else the cursor has ended and says the same from then on:
 *         RSQ_ETIMEOUT, RSQ_ESNAPSHOT, RSQ_ECLOSED (the database is closed), or as
 *         rsq_select().
 */
RSQ_API rsq_code rsq_cursor_next(rsq_cursor *cursor, rsq_result **out, rsq_error *err);

/** rsq_cursor_next() with the rows as JSON, in the form of the cursor's options; each chunk is complete JSON.
 */
RSQ_API rsq_code rsq_cursor_next_json(rsq_cursor *cursor, rsq_result **out, rsq_error *err);

/**
 * Give the reader back and free the cursor; before or after the last row, also
 * after the database was closed. NULL is a no-op.
 */
RSQ_API void rsq_cursor_close(rsq_cursor *cursor);

/* -------------------------------------------------- asynchronous calls -- */

/**
 * Called once when an op has completed, by rsq_queue_dispatch() of its queue. Of
 * a read in chunks (`chunk_rows`) also while a chunk waits to be taken; then
 * rsq_op_status() is RSQ_EPENDING, and does not change before this returns.
 * `op` is borrowed: it is the caller's until rsq_op_free(), also inside here;
 * one that was freed before, or never asked for, lives until this returns.
 */
typedef void (*rsq_op_done)(rsq_op *op, void *ctx);

/** Settings of an asynchronous call. */
typedef struct rsq_op_options {
    size_t size;    /**< sizeof(rsq_op_options) */
    size_t sql_len; /**< bytes of the SQL; 0: NUL-terminated */
    /** Limit from the submission to the completion; what runs then is interrupted. 0: none. */
    uint32_t timeout_ms;
    uint32_t json;             /**< RSQ_JSON_…, for JSON */
    uint64_t max_result_bytes; /**< as in rsq_call_options */
    /** Where `done` is called; NULL: the database's default queue. Borrowed until then. */
    rsq_queue *queue;
    rsq_op_done done; /**< NULL: nothing is called; use rsq_op_wait() or rsq_op_status() */
    void *ctx;        /**< passed to `done`; borrowed until then */
    /** rsq_select_async() and its like for one query: rows in a chunk; 0: the whole result at once. */
    uint32_t chunk_rows;
    uint32_t idle_timeout_ms; /**< with `chunk_rows`: longest time a chunk waits to be taken; 0: 30000 */
    uint32_t origin;          /**< of a write; as in rsq_call_options */
    uint32_t reserved;        /**< 0 */
} rsq_op_options;

/**
 * rsq_select() on a reader thread of the database.
 *
 * @param sql, params  copied into the op, in one block.
 * @param opts         NULL for the defaults.
 * @param out          on RSQ_OK, an op the caller owns: rsq_op_free(). Written
 *                     before `done` can be called. May be NULL if there is a `done`.
 * @return RSQ_OK: submitted, and completed exactly once; errors of the SQL come
 *         with the completion. RSQ_EINVAL, RSQ_ETOOBIG (a length of 2 GiB or more),
 *         RSQ_ECLOSED, RSQ_ENOMEM: not submitted.
 *
 * Thread: any.
 */
RSQ_API rsq_code rsq_select_async(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                                  const rsq_op_options *opts, rsq_op **out);

/*
 * A read in chunks, for results larger than memory: the functions for one query
 * with `chunk_rows`.
 *
 * Chunks come in order, all of one commit. When one can be taken, `done` is
 * called (and rsq_op_wait() returns) while the op is RSQ_EPENDING; taking it
 * with rsq_op_take_result() has the next one read, by a reader thread, while the
 * caller uses the one it took. So two chunks exist at most, if the caller frees
 * each before it takes the next but one, and a caller that takes nothing stops
 * the read. The last chunk comes with the completion: what is true of it is true
 * of the only result of a read without chunks. An answer without rows is one
 * chunk without rows.
 *
 * Between chunks the op keeps a reader leased, so such reads and cursors
 * together can take all readers but one. Besides the ways in which any op ends,
 * each with its own code and exactly once, it ends with
 *   RSQ_ETIMEOUT      a chunk was not taken within `idle_timeout_ms`, or all of it
 *                     took longer than `timeout_ms`;
 *   RSQ_ESNAPSHOT     the log had to begin anew, as for rsq_cursor_open();
 *   RSQ_ETOOBIG       no reader is left for it, or a chunk is over `max_result_bytes`;
 *   RSQ_EUNSUPPORTED  in a database with one connection;
 *   RSQ_ECANCELLED    rsq_op_free() before the end, too: `done` is still called
 *                     for the end, with the op borrowed for that call.
 * A chunk that waits then is dropped.
 */

/** rsq_select_json() on a reader thread; see rsq_select_async(). Each chunk is complete JSON. */
RSQ_API rsq_code rsq_select_json_async(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                                       const rsq_op_options *opts, rsq_op **out);

/**
 * The two calls above with parameters by name, as rsq_select_named(). Names are
 * copied too; one that the statement does not have is an error of the completion.
 */
RSQ_API rsq_code rsq_select_async_named(rsq_db *db, const char *sql, const rsq_named *named, size_t nnamed,
                                        const rsq_op_options *opts, rsq_op **out);
RSQ_API rsq_code rsq_select_json_async_named(rsq_db *db, const char *sql, const rsq_named *named,
                                             size_t nnamed, const rsq_op_options *opts, rsq_op **out);

/** rsq_select_all() on a reader thread; see rsq_select_async(). `opts->sql_len` is not used, `chunk_rows` is
 * RSQ_EINVAL. */
RSQ_API rsq_code rsq_select_all_async(rsq_db *db, const rsq_query *queries, size_t count,
                                      const rsq_op_options *opts, rsq_op **out);

/**
 * rsq_execute() on the writer's thread. Writes run in the order in which they
 * were submitted, a blocking write of the same thread after them. Statements
 * that wait together share a commit (unless RSQ_OPEN_NO_GROUP_COMMIT), each with
 * the outcome that it would have had by itself; an op completes after the COMMIT
 * that holds its write. Called inside a transaction function it is no part of
 * the transaction, and runs after it.
 *
 * @param sql, params  copied into the op, in one block, which is recycled up to
 *                     64 KiB of parameters.
 * @param opts         NULL for the defaults. `timeout_ms` counts from the submission: a write that
 *                     is interrupted by it, or by rsq_op_cancel(), is undone. `chunk_rows` is
 *                     RSQ_EINVAL.
 * @param out          as in rsq_select_async().
 * @return RSQ_OK: submitted, and completed exactly once. RSQ_EINVAL, RSQ_ETOOBIG (a length
 *         of 2 GiB or more), RSQ_ECLOSED, RSQ_ENOMEM, RSQ_EREADONLY (the database is open
 *         read-only): not submitted. A database that is closed completes those that wait
 *         with RSQ_ECLOSED: wait for what must not be lost.
 *
 * Thread: any.
 */
RSQ_API rsq_code rsq_execute_async(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                                   const rsq_op_options *opts, rsq_op **out);

/** rsq_execute_named() on the writer's thread; see rsq_execute_async(). */
RSQ_API rsq_code rsq_execute_async_named(rsq_db *db, const char *sql, const rsq_named *named, size_t nnamed,
                                         const rsq_op_options *opts, rsq_op **out);

/** rsq_execute_batch() on the writer's thread, in a transaction of its own; see rsq_execute_async(). */
RSQ_API rsq_code rsq_execute_batch_async(rsq_db *db, const char *sql, const rsq_value *matrix, size_t rows,
                                         size_t columns, const rsq_op_options *opts, rsq_op **out);

/** rsq_execute_all() on the writer's thread; a result for each is taken one after the other; see
 * rsq_execute_async(). `opts->sql_len` is not used. */
RSQ_API rsq_code rsq_execute_all_async(rsq_db *db, const rsq_query *statements, size_t count,
                                       const rsq_op_options *opts, rsq_op **out);

/** rsq_execute_script() on the writer's thread, without a result; see rsq_execute_async(). */
RSQ_API rsq_code rsq_execute_script_async(rsq_db *db, const char *sql, const rsq_op_options *opts,
                                          rsq_op **out);

/**
 * rsq_begin() without waiting: the op is in line like an asynchronous write, and
 * completes when its turn has come and the transaction is open. Then
 * rsq_op_take_tx() gives it. Any thread may use it, as with RSQ_CALL_MOVES, by
 * the calls of an interactive transaction and by those below.
 *
 * An op that is freed, or cancelled, before it has begun leaves nothing behind.
 * A transaction that nobody took is rolled back when its op is gone.
 *
 * @param opts  `timeout_ms` (to wait for the turn), `idle_timeout_ms` (as for rsq_begin(); from the moment
 *              that it is open), `origin`, `queue`, `done`, `ctx`. NULL for the defaults.
 * @return as rsq_execute_async(). What rsq_begin() returns for want of a turn comes with the completion.
 *
 * Thread: any.
 */
RSQ_API rsq_code rsq_begin_async(rsq_db *db, const rsq_op_options *opts, rsq_op **out);

/** The transaction of an rsq_begin_async() that went well, once: the caller owns it, and ends it with
 * rsq_commit(), rsq_rollback() or the like below. NULL: it is pending, failed, taken, or another call.
 * Thread: any. */
RSQ_API rsq_tx *rsq_op_take_tx(rsq_op *op);

/**
 * Calls on an interactive transaction, however it was begun, for threads that
 * must not block: each is the call of that name without `_async`. The library's
 * writer thread runs them, in the order in which they were submitted, commit and
 * rollback included. While one runs, a blocking call on the transaction is
 * RSQ_EMISUSE, and an asynchronous one that meets a blocking call completes with
 * it.
 *
 * One that has not begun can be cancelled, and then was not done; a read that
 * runs is interrupted, a write that runs, or an end, goes on. The handle is given
 * up when the commit or the rollback has run, unless it completes with
 * RSQ_EMISUSE, RSQ_ECANCELLED or, by its own limit, RSQ_ETIMEOUT before it
 * began; calls behind it complete with RSQ_EMISUSE.
 *
 * @param opts  NULL for the defaults; as for rsq_select_async() and rsq_execute_async(), but `chunk_rows`,
 *              which is RSQ_EINVAL, and `origin`, which is the transaction's.
 * @return RSQ_OK: submitted, and completed exactly once. RSQ_EINVAL, RSQ_ETOOBIG, RSQ_ENOMEM: not
 *         submitted. The same with RSQ_ETIMEOUT, RSQ_ECLOSED, RSQ_EMISUSE, when the transaction has
 *         ended, and the last for one of a function.
 *
 * Thread: any.
 */
RSQ_API rsq_code rsq_tx_select_async(rsq_tx *tx, const char *sql, const rsq_value *params, size_t nparams,
                                     const rsq_op_options *opts, rsq_op **out);
RSQ_API rsq_code rsq_tx_select_json_async(rsq_tx *tx, const char *sql, const rsq_value *params,
                                          size_t nparams, const rsq_op_options *opts, rsq_op **out);
RSQ_API rsq_code rsq_tx_execute_async(rsq_tx *tx, const char *sql, const rsq_value *params, size_t nparams,
                                      const rsq_op_options *opts, rsq_op **out);
RSQ_API rsq_code rsq_tx_execute_batch_async(rsq_tx *tx, const char *sql, const rsq_value *matrix, size_t rows,
                                            size_t columns, const rsq_op_options *opts, rsq_op **out);
RSQ_API rsq_code rsq_tx_select_async_named(rsq_tx *tx, const char *sql, const rsq_named *named, size_t nnamed,
                                           const rsq_op_options *opts, rsq_op **out);
RSQ_API rsq_code rsq_tx_execute_async_named(rsq_tx *tx, const char *sql, const rsq_named *named,
                                            size_t nnamed, const rsq_op_options *opts, rsq_op **out);
RSQ_API rsq_code rsq_tx_execute_all_async(rsq_tx *tx, const rsq_query *statements, size_t count,
                                          const rsq_op_options *opts, rsq_op **out);
RSQ_API rsq_code rsq_tx_execute_script_async(rsq_tx *tx, const char *sql, const rsq_op_options *opts,
                                             rsq_op **out);
RSQ_API rsq_code rsq_tx_savepoint_async(rsq_tx *tx, const rsq_op_options *opts, rsq_op **out);
RSQ_API rsq_code rsq_tx_release_async(rsq_tx *tx, const rsq_op_options *opts, rsq_op **out);
RSQ_API rsq_code rsq_tx_rollback_to_async(rsq_tx *tx, const rsq_op_options *opts, rsq_op **out);
RSQ_API rsq_code rsq_commit_async(rsq_tx *tx, const rsq_op_options *opts, rsq_op **out);
RSQ_API rsq_code rsq_rollback_async(rsq_tx *tx, const rsq_op_options *opts, rsq_op **out);

/**
 * Sleep until an op has completed, or a chunk of it waits to be taken. It may
 * return before the call of `done` is in the queue.
 * @param timeout_ms  0: only look; UINT32_MAX: no limit.
 * @return RSQ_OK: completed, well or not, or a chunk waits; RSQ_ETIMEOUT; RSQ_EINVAL; RSQ_EMISUSE: inside its
 *         own `done`, for a chunk that can only come after it; or for what needs the writer's connection (a
 *         write; in memory a read too), from inside a transaction function of its database or the thread of
 *         an interactive transaction of it, which would wait for each other.
 *
 * Thread: any, callbacks included.
 */
RSQ_API rsq_code rsq_op_wait(rsq_op *op, uint32_t timeout_ms);

/**
 * Ask an op to end with RSQ_ECANCELLED. One that has not begun completes at
 * once, one that runs is interrupted, one that has completed stays as it is.
 * No other op is touched. NULL is a no-op. Thread: any.
 */
RSQ_API void rsq_op_cancel(rsq_op *op);

/** RSQ_EPENDING, or how it completed: RSQ_OK, the code of its failure, RSQ_ECANCELLED, RSQ_ETIMEOUT,
 * RSQ_ECLOSED. Thread: any. */
RSQ_API rsq_code rsq_op_status(const rsq_op *op);

/** Detail of its failure, borrowed from the op; NULL if it is pending or went well. Thread: any. */
RSQ_API const rsq_error *rsq_op_error(const rsq_op *op);

/**
 * Take its result (of a write too), or the next one of rsq_select_all_async(), or the chunk that
 * waits: the caller owns it. NULL if there is none, or none any more. Thread: any.
 */
RSQ_API rsq_result *rsq_op_take_result(rsq_op *op);

/**
 * Give the op up. One that is pending goes on, and its `done` is called; a read
 * in chunks is cancelled by it, since nobody could take the rest. NULL is a
 * no-op. Thread: any, its own `done` included.
 */
RSQ_API void rsq_op_free(rsq_op *op);

/* -------------------------------------------------------- live queries -- */

/** What an event says. */
typedef enum rsq_event_kind {
    RSQ_EVENT_RESULT = 1, /**< `result` is the newest answer */
    /** The query failed; the stream stays and tries again after each commit, unless `ended`. */
    RSQ_EVENT_ERROR = 2,
    RSQ_EVENT_END = 3, /**< the last event: the stream is gone after the callback returns */
    /** `changes` lead from the rows of `before` to those of `result`: RSQ_STREAM_DIFFERENCE only. */
    RSQ_EVENT_DIFFERENCE = 4,
    RSQ_EVENT_SIGNAL = 5 /**< there is a new answer: RSQ_STREAM_SIGNAL only */
} rsq_event_kind;

/** What became of a row. */
typedef enum rsq_change_kind {
    RSQ_CHANGE_INSERT = 1, /**< row `to` is new */
    RSQ_CHANGE_DELETE = 2, /**< row `from` is gone */
    RSQ_CHANGE_UPDATE = 3, /**< row `from` is row `to` now, with other values in `columns` */
    /** The same, and it stands in another place among the rows that stay. */
    RSQ_CHANGE_MOVE = 4
} rsq_change_kind;

/**
 * One change of a difference. `from` counts the rows of the old answer, `to`
 * those of the new one, both from 0. First come all DELETE, by falling `from`;
 * then all others, by rising `to`.
 *
 * To apply them: take the rows `from` of DELETE and MOVE out of the old rows,
 * then put row `to` of INSERT and MOVE in, in the order in which they come, and
 * give UPDATE and MOVE the new values of their columns.
 */
typedef struct rsq_change {
    uint32_t kind;     /**< RSQ_CHANGE_… */
    uint32_t ncolumns; /**< of UPDATE and MOVE: columns whose values changed; a MOVE may have none */
    size_t from;
    size_t to;
    const uint32_t *columns; /**< `ncolumns` of them, rising; borrowed like the event */
} rsq_change;

/**
 * Why there is an event: bits of rsq_stream_event.why, the rules by which
 * something concerned the query. One commit may match several, and several
 * commits may be behind one event; then their bits and their tables are put
 * together. What changed nothing in the answer left no trace, unless it came
 * together with what did. docs/live-queries.md has the levels.
 */
enum {
    RSQ_WHY_FIRST = 1u << 0,  /**< the stream was opened */
    RSQ_WHY_PARAMS = 1u << 1, /**< rsq_stream_set_params() */
    /** A table changed of which the query reads whole rows, or of whose change no more is known. */
    RSQ_WHY_TABLE = 1u << 2,
    RSQ_WHY_ROWS = 1u << 3,     /**< rows came, went or moved, in a table of which it reads columns */
    RSQ_WHY_COLUMN = 1u << 4,   /**< the same, or rows were written: RSQ_OPEN_NO_VALUE_LEVEL only */
    RSQ_WHY_VALUE = 1u << 5,    /**< a column that it reads has another value */
    RSQ_WHY_KEY = 1u << 6,      /**< a row changed that is, or was, on a key by which it reaches rows */
    RSQ_WHY_INTERVAL = 1u << 7, /**< the same, within an interval of keys */
    RSQ_WHY_EVERYTHING =
        1u << 8,                /**< it depends on every commit, or was opened a moment ago: so it did then */
    RSQ_WHY_VOLATILE = 1u << 9, /**< RSQ_STREAM_VOLATILE, and something was committed */
    RSQ_WHY_REFRESH = 1u << 10, /**< rsq_stream_options.refresh_ms */
    /** The schema changed (CREATE, ALTER, DROP, ANALYZE, VACUUM), or it could not be told what changed. */
    RSQ_WHY_SCHEMA = 1u << 11,
    RSQ_WHY_FOREIGN = 1u << 12, /**< another process, or a connection of the program's own, committed */
    RSQ_WHY_NOTIFY = 1u << 13,  /**< rsq_notify() */
    RSQ_WHY_RETRY = 1u << 14,   /**< it was tried again after an error that may pass */
    RSQ_WHY_CHECK = 1u << 15,   /**< rsq_open_options.self_check_every found another answer */
    /** Something more of which nothing is known: the answer holds a commit that was just being made, there
     * was no memory to note a table, or there are more than 64. */
    RSQ_WHY_OTHER = 1u << 16
};

/** The name of one such bit, "first" to "other", in small letters; NULL: it is none. Static. Thread: any. */
RSQ_API const char *rsq_why_name(uint32_t rule);

/** One event of a live query; all of it borrowed for the callback (rsq_result_ref() keeps a result). */
typedef struct rsq_stream_event {
    size_t size; /**< sizeof(rsq_stream_event) of the library */
    rsq_event_kind kind;
    bool ended; /**< on RSQ_EVENT_ERROR: the SQL can never work; the next event is RSQ_EVENT_END */
    /** Number of the newest commit in the answer. Rises from answer to answer, except that an answer for new
     * parameters, and one of a RSQ_STREAM_VOLATILE query, may repeat it. 0: no answer. */
    uint64_t commit_seq;
    rsq_result *result;        /**< RSQ_EVENT_RESULT, RSQ_EVENT_DIFFERENCE: the whole answer */
    const rsq_error *error;    /**< RSQ_EVENT_ERROR */
    rsq_result *before;        /**< RSQ_EVENT_DIFFERENCE: the answer that this stream was handed last */
    const rsq_change *changes; /**< RSQ_EVENT_DIFFERENCE: `nchanges` of them */
    size_t nchanges;
    uint32_t why; /**< RSQ_WHY_…; 0 on RSQ_EVENT_END */
    size_t ntables;
    /**
     * The `ntables` tables through which commits concerned the query, each once,
     * as "schema.table". With RSQ_WHY_SCHEMA, RSQ_WHY_FOREIGN and RSQ_WHY_OTHER there may be
     * others; RSQ_WHY_EVERYTHING and RSQ_WHY_VOLATILE have all that changed. NULL if there are none.
     */
    const char *const *tables;
} rsq_stream_event;

/** Called by rsq_queue_dispatch(). Every call of this library is legal inside, except waiting on the same
 * queue. */
typedef void (*rsq_stream_event_fn)(rsq_stream *s, const rsq_stream_event *ev, void *ctx);

/** What a stream is handed; see rsq_stream_options.mode. */
enum {
    RSQ_STREAM_RESULT = 0, /**< the whole answer, as cells */
    RSQ_STREAM_JSON = 1,   /**< the whole answer, as rsq_result_json() */
    /**
     * The first answer whole; then what changed since the answer that was handed
     * over before, however many were left out between. An answer with other
     * columns comes whole again (RSQ_EVENT_RESULT), and so does one for whose
     * difference there is no memory.
     */
    RSQ_STREAM_DIFFERENCE = 2,
    /** That there is a new answer, and the commit; the query is run to know it, its rows are not handed over.
     */
    RSQ_STREAM_SIGNAL = 3
};

/** Bits of rsq_stream_options.flags. */
enum {
    /**
     * The answer depends on more than tables: the clock, random numbers, the
     * state of a connection. It is run again after every commit, and every
     * `refresh_ms`. Without this bit such a query is refused, by an error event.
     *
     * Whether the time was asked for is seen by what SQLite asks its VFS. Profiling
     * (SQLITE_TRACE_PROFILE) asks as well: an auto-extension that switches it on
     * for every connection of the process has each live query without this bit
     * refused.
     */
    RSQ_STREAM_VOLATILE = 1u << 0
};

/** Settings of rsq_stream_open(). */
typedef struct rsq_stream_options {
    size_t size;    /**< sizeof(rsq_stream_options) */
    size_t sql_len; /**< bytes of the SQL; 0: NUL-terminated */
    rsq_queue
        *queue; /**< where events go; NULL: the database's default queue. Borrowed until the stream's end */
    rsq_stream_event_fn event; /**< required */
    void *ctx;                 /**< passed to `event`; borrowed until the stream's end */
    uint32_t mode;             /**< RSQ_STREAM_RESULT, _JSON, _DIFFERENCE or _SIGNAL */
    uint32_t json;             /**< RSQ_JSON_…, for RSQ_STREAM_JSON */
    uint32_t flags;            /**< RSQ_STREAM_VOLATILE */
    /** After a run the next one begins no sooner than so many milliseconds after it began; 0: at once. */
    uint32_t min_interval_ms;
    uint32_t refresh_ms; /**< RSQ_STREAM_VOLATILE: run again as often, also without a commit; 0: not */
    /**
     * Commits with this origin (rsq_call_options.origin) do not wake the stream,
     * unless they hold another's changes too. Their changes are in the next
     * answer that something else causes. 0: all commits wake it.
     */
    uint32_t skip_origin;
    /**
     * Streams of a database with the same number, not 0, are a group: they are
     * run in one snapshot, and what changed for them is delivered by one
     * dispatch, so together they always show one commit. All have the same queue. The
     * longest `min_interval_ms` among those that a commit concerns counts for them.
     */
    uint32_t group;
    /**
     * RSQ_STREAM_DIFFERENCE: names of the `nkeys` columns that say which row is
     * which; copied. NULL: the primary-key columns among the query's own. Names that
     * the answer does not have are left out; where none is left, a row with another
     * value is another row.
     */
    const char *const *keys;
    size_t nkeys;
} rsq_stream_options;

/**
 * Open a live query: the current answer as first event, then a new one after
 * each commit that changed it. A commit that touches none of the tables the query reads
 * does not wake it; an answer with the same bytes as before is not delivered.
 * A slow consumer gets the newest answer, not every one. An answer that was
 * overtaken by a commit while it was read is delivered all the same, and then
 * the query is run again: whatever is written, a stream goes on being told.
 * A commit of another process is noticed within 20 ms and runs every query
 * again, unless RSQ_OPEN_NO_EXTERNAL_WRITERS was set. Streams of equal SQL,
 * equal parameters (type and bytes) and equal settings share one query, which
 * is run once for all of them; one that comes later is handed the last answer
 * if it is current. After an error that may pass (no memory, a busy database)
 * the query is run again by itself.
 *
 * Nothing of SQLite happens in this call: a mistake in the SQL is an event.
 *
 * @param sql, params  copied.
 * @param out          on RSQ_OK, a stream the caller owns: rsq_stream_close().
 *                     Written before the first event can be dispatched.
 * @return RSQ_OK, RSQ_EINVAL, RSQ_ETOOBIG, RSQ_ECLOSED, RSQ_ENOMEM.
 *
 * Thread: any.
 */
RSQ_API rsq_code rsq_stream_open(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                                 const rsq_stream_options *opts, rsq_stream **out, rsq_error *err);

/**
 * Give a live query other parameters: a window that moves. Answers for the old
 * ones that wait are dropped, and the answer for the new ones follows as an
 * event, also when it has the same bytes; in RSQ_STREAM_DIFFERENCE as
 * the difference to the answer that was handed over last. No commit falls
 * between the old and the new parameters. Parameters that do not fit are an
 * error event, and the stream stays.
 *
 * @param params  copied.
 * @return RSQ_OK, RSQ_EINVAL, RSQ_ECLOSED (it has ended, or the database is
 *         closed), RSQ_ENOMEM: on failure it stays as it was.
 *
 * Thread: any, before the stream's end; its own callback included.
 */
RSQ_API rsq_code rsq_stream_set_params(rsq_stream *s, const rsq_value *params, size_t nparams,
                                       rsq_error *err);

/**
 * Close a live query. Events that wait are dropped; exactly one RSQ_EVENT_END
 * follows on its queue, after which the stream is freed and `ctx` is yours
 * again. Closing twice before that event is a no-op; NULL too.
 *
 * Thread: any, its own callback included.
 */
RSQ_API void rsq_stream_close(rsq_stream *s);

/** Counters of one live query since it was opened. */
typedef struct rsq_stream_counters {
    size_t size;         /**< sizeof(rsq_stream_counters), set by the caller */
    uint64_t woken;      /**< commits that touched what it reads */
    uint64_t runs;       /**< times its SQL was run */
    uint64_t suppressed; /**< runs whose answer had the same bytes as before */
    uint64_t emitted;    /**< results handed to its queue */
    uint64_t replaced;   /**< of those, overtaken by a newer one before they were dispatched */
    /**
     * Commits up to this number are in what was handed over last, or do not change it; 0: nothing was handed
     * over, or the stream is closed.
     */
    uint64_t settled_seq;
    uint64_t skipped; /**< commits that were left out because of `skip_origin` */
    uint64_t checks;  /**< runs of the self-check */
    uint64_t missed;  /**< of those, with another answer: a commit should have woken the query. A defect:
                         report it */
    /*
     * Commits to a table that it reads that did not wake it, counted for each such table. The levels are
     * those of docs/live-queries.md.
     */
    uint64_t spared_by_column; /**< only columns changed that it does not read */
    uint64_t spared_by_value;  /**< rows were written with the values that they had */
    uint64_t spared_by_key;    /**< only rows changed that it does not reach */
} rsq_stream_counters;

/**
 * What the answer of a query depends on, if it is a live one: which commits wake
 * it. For people and for tests; the levels are described in docs/live-queries.md.
 *
 * The result has a row for each table, with four columns of text:
 *   table    "main.cities"; NULL in a row that is about no table
 *   level    "key", "column" or "table"; "everything" (each commit); "constant"
 *            (no table is read); "volatile" (RSQ_STREAM_VOLATILE is needed: the
 *            next column names the function)
 *   columns  whose change matters, or in words which
 *   keys     "rowid = ?1 OR b >= ?2 AND b < ?3": rows on other keys do not matter
 *
 * @param opts  NULL for the defaults.
 * @param out   on RSQ_OK, a result the caller owns: rsq_result_unref().
 * @return as rsq_select(); no parameters are needed.
 *
 * Thread: any.
 */
RSQ_API rsq_code rsq_stream_dependencies(rsq_db *db, const char *sql, const rsq_call_options *opts,
                                         rsq_result **out, rsq_error *err);

/** Read the counters. @return RSQ_OK, RSQ_EINVAL. Thread: any, before the stream's end. */
RSQ_API rsq_code rsq_stream_stats(const rsq_stream *s, rsq_stream_counters *counters);

/* ---------------------------------------------------------- operations -- */

/** How much rsq_checkpoint() does. */
enum {
    RSQ_CHECKPOINT_PASSIVE = 0, /**< copy what can be copied, waiting for nobody */
    RSQ_CHECKPOINT_RESTART = 1, /**< copy all while no reader uses the log: the next commit begins it anew */
    RSQ_CHECKPOINT_TRUNCATE = 2 /**< the same, and cut its file to nothing */
};

/** Settings of rsq_checkpoint(). */
typedef struct rsq_checkpoint_options {
    size_t size;         /**< sizeof(rsq_checkpoint_options) */
    uint32_t mode;       /**< RSQ_CHECKPOINT_… */
    uint32_t timeout_ms; /**< for all of it; 0: the database's `lease_timeout_ms` */
} rsq_checkpoint_options;

/** What a checkpoint found and did, for the main and the attached databases together. */
typedef struct rsq_checkpoint_figures {
    size_t size;        /**< sizeof(rsq_checkpoint_figures), set by the caller */
    uint64_t log_pages; /**< pages in the write-ahead log afterwards; 0 after RSQ_CHECKPOINT_TRUNCATE */
    /** Of those, copied into the database. With RSQ_CHECKPOINT_PASSIVE fewer, when somebody still reads what
     * they would replace. */
    uint64_t copied_pages;
} rsq_checkpoint_figures;

/**
 * Copy the write-ahead log into the database, now and on the calling thread.
 * The library does it by itself as the log grows; this is for a program that is
 * about to copy the file, or wants the log short before it rests.
 *
 * To begin the log anew all readers must have come back at one moment: for at
 * most 10 ms no reader is handed out and no write begins; if one is still out
 * then, it is waited for while everything else goes on, and it is tried again.
 *
 * @param opts  NULL for the defaults.
 * @param out   NULL, or figures that are written on RSQ_OK.
 * @return RSQ_OK, also for a database without a log (in memory), which has
 *         nothing to copy. RSQ_ETIMEOUT: it could not be done in time; the
 *         message names the reads that held the log, or who had the writer.
 *         RSQ_EBUSY: another process used the log all the time. RSQ_EMISUSE: in
 *         a transaction of the calling thread. RSQ_EREADONLY, RSQ_ECLOSED,
 *         RSQ_EINVAL, RSQ_EIO, RSQ_EFULL, RSQ_ENOMEM.
 *
 * Thread: any.
 */
RSQ_API rsq_code rsq_checkpoint(rsq_db *db, const rsq_checkpoint_options *opts, rsq_checkpoint_figures *out,
                                rsq_error *err);

/**
 * Run live queries again because something changed that the library cannot
 * know of: another process wrote, a file that a function of the program reads
 * has changed. Only what differs is delivered, as after a commit.
 *
 * @param tables  names of tables (not of views), "table" or "schema.table"; live queries
 *                that read one of them run again. NULL: all live queries do.
 *                Unknown names wake nobody. Borrowed for the call.
 * @param count   number of names; 0 with NULL.
 * @return RSQ_OK, RSQ_EINVAL, RSQ_ECLOSED.
 *
 * Thread: any, callbacks included.
 */
RSQ_API rsq_code rsq_notify(rsq_db *db, const char *const *tables, size_t count, rsq_error *err);

/**
 * How far rsq_backup() is: `done` of `pages` pages. On its thread, about every 256
 * pages, and at the end. It may use the database, unless that is in memory, but
 * not close it.
 * @return false: give up. The answer to the last one counts too.
 */
typedef bool (*rsq_backup_progress)(uint64_t done, uint64_t pages, void *ctx);

/** Settings of rsq_backup(). */
typedef struct rsq_backup_options {
    size_t size;                  /**< sizeof(rsq_backup_options) */
    uint32_t timeout_ms;          /**< for all of it; 0: no limit but the one for getting a reader */
    uint32_t flags;               /**< 0 */
    rsq_backup_progress progress; /**< NULL: nobody is told */
    void *ctx;                    /**< the caller's, passed to `progress` */
} rsq_backup_options;

/**
 * Copy the main database, as it is at one commit, into a new file. Reads and
 * writes go on meanwhile; it takes one reader (in memory: the writer's turn), and
 * the write-ahead log cannot begin anew before it is done. The copy is page by
 * page, of the same bytes as after a checkpoint, and on the disk when the call
 * returns. Attached databases are files of their own.
 *
 * @param path        of the copy; nothing may be there yet. One that fails leaves nothing behind.
 * @param opts        NULL for the defaults.
 * @param commit_seq  NULL, or on RSQ_OK the number of the newest commit in it.
 * @return RSQ_OK. RSQ_EINVAL: there is a file at `path`. RSQ_ECANTOPEN: it cannot be
 *         made. RSQ_ECANCELLED: `progress` said so. RSQ_ETIMEOUT. RSQ_ECLOSED, also
 *         when the database is closed meanwhile. RSQ_ESNAPSHOT: it took longer than
 *         `reader_age_limit_ms` when the log had to begin anew. RSQ_EFULL, RSQ_EIO,
 *         RSQ_ECORRUPT, RSQ_ENOMEM. RSQ_EMISUSE: of a database in memory, in a
 *         transaction of the calling thread.
 *
 * Thread: any that may block.
 */
RSQ_API rsq_code rsq_backup(rsq_db *db, const char *path, const rsq_backup_options *opts,
                            uint64_t *commit_seq, rsq_error *err);

/** One step from an older form of the database to the next. */
typedef struct rsq_migration {
    const char *name; /**< UTF-8, not empty, in the list once; by it the step is known for ever */
    const char *sql;  /**< any number of statements, as for rsq_execute_script() */
    size_t sql_len;   /**< bytes of the SQL; 0: NUL-terminated */
} rsq_migration;

/**
 * Bring the database to the form that the program expects: run those migrations
 * of a list that were not run on it yet, in order, each in a transaction of its
 * own. Which ones were run is kept in the table rsq_migrations of the database
 * (position, name, fingerprint of the SQL, time), written by the same
 * transaction. A program adds to the end of its list, and never changes what
 * was released.
 *
 * Live queries stay: they run again and see the new form, or get an error event
 * until a later change makes their SQL work. Processes that migrate at the same
 * time wait for each other, and each migration runs once. When there is nothing to do
 * no lock is taken, also in a database opened read-only.
 *
 * @param migrations  all that there ever were, oldest first; borrowed for the call.
 * @param opts        NULL for the defaults; `timeout_ms` is used, for each turn on
 *                    the writer.
 * @param applied     NULL, or on RSQ_OK the number of those that this call ran.
 * @return RSQ_OK. RSQ_ENEWER: the database has one that is not in the list, which
 *         means that a newer program made it; nothing was changed. RSQ_EINVAL:
 *         the list itself is wrong, or one that was run has another text or
 *         another place in it now. As rsq_execute_script(): a migration
 *         failed; it was rolled back, those before it stay, and `err->row` is its index, the
 *         message begins with its name, `err->sql_offset` is in its SQL.
 *         RSQ_EMISUSE: in a transaction of the calling thread.
 *
 * Thread: any.
 */
RSQ_API rsq_code rsq_migrate(rsq_db *db, const rsq_migration *migrations, size_t count,
                             const rsq_call_options *opts, size_t *applied, rsq_error *err);

/** Bytes of a text in rsq_counters, its NUL included. */
#define RSQ_COUNTERS_TEXT 128

/**
 * What a database is doing, and what it has done since its file was opened in
 * this process. Handles of one file share it all, so each of them gets the same.
 * Values that are of "now" may be outdated when they are read.
 */
typedef struct rsq_counters {
    size_t size; /**< sizeof(rsq_counters), set by the caller; fields behind it stay untouched */

    uint64_t handles; /**< now open on the file */

    /* Readers. */
    uint64_t readers_max;      /**< as the open option says */
    uint64_t readers_open;     /**< connections now */
    uint64_t readers_leased;   /**< of those, in use now */
    uint64_t readers_waiting;  /**< calls that wait for one now */
    uint64_t readers_replaced; /**< closed since, because an error left them in doubt */
    uint64_t snapshots_kept;   /**< idle readers that keep their snapshot now, which holds back the log */
    uint64_t leases;           /**< given since: reads, runs of live queries, cursors */
    uint64_t
        oldest_read_ms; /**< how long the longest lease that is out has lasted, milliseconds; 0: none is */
    char oldest_read[RSQ_COUNTERS_TEXT]; /**< its SQL, cut, NUL-terminated; empty: none */

    /* The writer. All zero in a database that is only open read-only. */
    uint64_t writers_waiting;              /**< calls that wait for it now */
    uint64_t writer_held_ms;               /**< how long it has been in use, milliseconds; 0: it is free */
    char writer_holder[RSQ_COUNTERS_TEXT]; /**< by what SQL, cut; empty: it is free */
    uint64_t commits;                      /**< made by this process since */
    uint64_t commit_seq;                   /**< the highest commit number seen */
    uint64_t groups;                       /**< commits since that several writes shared */
    uint64_t grouped;                      /**< writes in them */

    /* The log. */
    uint64_t log_pages;    /**< in the write-ahead log after the last commit of this process */
    uint64_t log_bytes;    /**< the same in bytes */
    uint64_t checkpoints;  /**< since, whether or not everything was copied */
    uint64_t log_restarts; /**< of those, after which the next commit began the log anew */
    uint64_t
        log_blocked; /**< attempts at that, since, which a reader or another process did not let happen */
    uint64_t checkpoint_errors; /**< since: I/O, disk full, another process's checkpoint */

    /* Everything else, now. */
    uint64_t live_queries; /**< with their own SQL or parameters */
    uint64_t streams;      /**< that deliver them */
    uint64_t runs_waiting; /**< of live queries */
    uint64_t runs_running;
    uint64_t ops_waiting; /**< asynchronous calls */
    uint64_t ops_running;
    uint64_t cursors;    /**< reads in chunks that hold a reader */
    uint64_t statements; /**< compiled and cached, in all connections, as of their last use */

    /* All live queries, since; each query once, however many streams it has. See rsq_stream_counters. */
    uint64_t live_woken;      /**< times that a commit concerned one */
    uint64_t live_runs;       /**< times that one was run */
    uint64_t live_suppressed; /**< of those, with the same bytes as before */
    uint64_t live_emitted;    /**< results handed to queues; this counts each stream */
    uint64_t live_skipped;    /**< times that a commit was left out because of `skip_origin` */
    uint64_t live_checks;     /**< runs of the self-check */
    uint64_t live_missed;     /**< of those, with another answer: a defect */
    uint64_t live_spared_by_column;
    uint64_t live_spared_by_value;
    uint64_t live_spared_by_key;
} rsq_counters;

/**
 * Read the counters. Costs a few mutexes and no call of SQLite, whatever runs.
 *
 * @param out  `size` set; not NULL.
 * @return RSQ_OK, RSQ_EINVAL, RSQ_ECLOSED. Thread: any, callbacks included.
 */
RSQ_API rsq_code rsq_stats(rsq_db *db, rsq_counters *out, rsq_error *err);

/** Of something that takes time: how often it was done, how long it took together, and the longest. */
typedef struct rsq_profile_time {
    uint64_t count;
    uint64_t total_ns;
    uint64_t longest_ns;
} rsq_profile_time;

/**
 * Where the time goes inside the library, of all databases of the process
 * together. Each time is that of the thread that spent it, on the clock, with what
 * else the machine did meanwhile. What is not over yet is not in it: a thread that
 * still sleeps counts when it wakes.
 */
typedef struct rsq_profile_counters {
    size_t size; /**< sizeof(rsq_profile_counters), set by the caller; fields behind it stay untouched */

    /* Readers: reads, runs of live queries, chunks of cursors. */
    rsq_profile_time reader_wait;    /**< until a reader was free; only of callers that found none */
    rsq_profile_time reader_prepare; /**< the statement found or compiled, its parameters bound */
    rsq_profile_time reader_step;    /**< SQLite's part: all steps of a read together */
    rsq_profile_time reader_build;   /**< cells into a result: all rows of a read together */
    rsq_profile_time reader_json;    /**< the same into JSON */

    /* The writer. */
    rsq_profile_time writer_wait;    /**< until the writer was free; only of callers that found it in use */
    rsq_profile_time writer_request; /**< the writer in use: one write, one group, one transaction */
    rsq_profile_time writer_step; /**< SQLite's part of a statement, or of a batch; capture and commit not */
    rsq_profile_time writer_capture; /**< noting what changed, for live queries: all rows of a statement */
    rsq_profile_time writer_commit;  /**< SQLite's commits */

    /* Live queries. */
    rsq_profile_time
        stream_invalidate; /**< finding those that a commit concerns, and the next: on the writing thread */
    rsq_profile_time stream_handoff; /**< of that: telling one of them, and waking a thread for its run */
    rsq_profile_time stream_run;     /**< their runs, with the lease, on a worker */
    rsq_profile_time stream_compare; /**< whether the answer is another one */
    rsq_profile_time stream_diff;    /**< differences of two answers */
    rsq_profile_time stream_emit;    /**< handing an answer to the queues of its streams */
    rsq_profile_time stream_deliver; /**< in rsq_queue_dispatch(), the program's callback included */

    rsq_profile_time queue_wait;       /**< in rsq_queue_wait(), if there was nothing yet */
    rsq_profile_time workers_asleep;   /**< threads of the library without work, asleep; */
    rsq_profile_time workers_spinning; /**< looking for some, awake */

    uint64_t reader_rows;         /**< rows of the reads above */
    uint64_t reader_cells;        /**< of those that were not JSON */
    uint64_t writer_groups;       /**< commits that several writes shared */
    uint64_t writer_grouped;      /**< writes in them */
    uint64_t stream_candidates;   /**< live queries that commits concerned */
    uint64_t queue_wakes_sent;    /**< a descriptor made readable, or a waiting thread woken */
    uint64_t queue_wakes_saved;   /**< posted without: something waited already, or nobody slept */
    uint64_t parked_total;        /**< callers that waited because all readers were in use; */
    uint64_t parked_paused;       /**< because the log was about to begin anew (rsq_checkpoint()) */
    uint64_t parked_wake_retries; /**< times that one of them woke, found nothing and waited again */
    uint64_t workers_spin_hits;   /**< of `workers_spinning`, those that found work */

    uint64_t writer_group_largest; /**< writes in the largest group */
    uint64_t parked_longest_queue; /**< callers that waited for a reader at the same time */
} rsq_profile_counters;

/**
 * Count from now on, or no more. Off at first, when the counting costs a look at
 * one flag in a few places; on, it costs some clock readings for each call.
 *
 * @return RSQ_OK; RSQ_EUNSUPPORTED when the library was built without it
 *         (-Dprofile=false, see RSQ_FEATURE_PROFILE): then all counters stay 0.
 *
 * Thread: any. It concerns the whole process.
 */
RSQ_API rsq_code rsq_profile_enable(bool on);

/**
 * Read the counters. They are read one after the other while threads go on
 * counting, so what belongs together may differ by what happened meanwhile.
 *
 * @param out  `size` set; not NULL.
 * @return RSQ_OK, RSQ_EINVAL. Thread: any, callbacks included.
 */
RSQ_API rsq_code rsq_profile(rsq_profile_counters *out);

/**
 * What came between two readings. `longest_ns`, `writer_group_largest` and
 * `parked_longest_queue` cannot be told for an interval: they are those of
 * `after`, since the last reset.
 *
 * @param before, after  read in this order.
 * @param out            `size` set; may be one of the two.
 * @return RSQ_OK, RSQ_EINVAL. Thread: any.
 */
RSQ_API rsq_code rsq_profile_difference(const rsq_profile_counters *before, const rsq_profile_counters *after,
                                        rsq_profile_counters *out);

/**
 * Set all counters to 0. Whether they count stays as it is; what is under way
 * is counted when it ends. Thread: any.
 */
RSQ_API void rsq_profile_reset(void);

/**
 * The counters as a list, for those who print them all: name and value of the
 * `index`-th, for example "reader_step.total_ns" and "parked_total". Names stay
 * what they are; new ones come at the end of their kind. Static; NULL and 0 after
 * the last. Thread: any.
 */
RSQ_API const char *rsq_profile_name(size_t index);
RSQ_API uint64_t rsq_profile_value(const rsq_profile_counters *counters, size_t index);

#ifdef __cplusplus
}
#endif

#endif /* RESQLITE_H */
