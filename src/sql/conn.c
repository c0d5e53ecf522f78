/* Opening and closing a connection. */
#include "sql/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "plat/thread.h"
#include "sql/clock.h"

/* SQLite truncates the log to this after a restart, so that one burst does not cost its disk space for ever.
 */
#define JOURNAL_SIZE_LIMIT (64 << 20)

/* Room for SQL that names a schema twice: a name has at most 64 bytes, each of which may be doubled as a
 * quote. */
#define SCHEMA_SQL_MAX 512

static int open_flags(const rsq_conn_config *config, rsq_conn_role role)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

    if (role == RSQ_CONN_READER)
        return flags | SQLITE_OPEN_READONLY;
    flags |= SQLITE_OPEN_READWRITE;
    return role == RSQ_CONN_CHECKPOINTER || (config->flags & RSQ_OPEN_NO_CREATE) ? flags
                                                                                 : flags | SQLITE_OPEN_CREATE;
}

/* Connections open when they are needed, and somebody may have put another file in this one's place by then.
 */
static rsq_code check_file(const rsq_conn *c, rsq_error *err)
{
    const rsq_conn_config *config = c->config;
    rsq_file_id now;

    if (!config->file_known)
        return RSQ_OK;
    if (rsq_file_identify(config->path, &now) && rsq_file_id_equal(now, config->file))
        return RSQ_OK;
    return rsq_error_set(err, RSQ_ECANTOPEN,
                         "the database file was moved, removed or replaced since it was opened");
}

/* The folder a path names a file in; false: there is none, or no memory for its name. */
static bool stat_folder(const char *path, struct stat *st)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? rsq_copy_text(path, (size_t)(slash - path) + 1) : rsq_copy_text(".", 1);
    bool found = folder && stat(folder, st) == 0;

    rsq_free(folder);
    return found;
}

/* What is there instead of a file, or NULL. */
static const char *no_file(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return NULL;
    if (S_ISDIR(st.st_mode))
        return "it is a directory";
    return S_ISFIFO(st.st_mode) ? "it is a pipe" : NULL;
}

/* SQLite itself says no more than that it is unable to. */
static rsq_code cannot_open(const rsq_conn *c, int rc, int system_errno, rsq_error *err)
{
    const char *why = no_file(c->config->path);
    struct stat folder;

    if (!why && system_errno == 0)
        why = c->db ? sqlite3_errmsg(c->db) : sqlite3_errstr(rc);
    else if (!why && system_errno == ENOENT)
        why = stat_folder(c->config->path, &folder) ? "it does not exist" : "its folder does not exist";
    else if (!why)
        why = strerror(system_errno);
    (void)rsq_error_set(err, RSQ_ECANTOPEN, "cannot open the database file: %s", why);
    if (err) {
        err->sqlite_code = rc;
        err->system_errno = system_errno;
    }
    return RSQ_ECANTOPEN;
}

static rsq_code open_file(rsq_conn *c, rsq_error *err)
{
    const char *path = c->config->path;
    const char *vfs = rsq_clock_vfs();
    int rc;

    if (!vfs)
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    /* The system would wait for the other end of a pipe. To be read, a directory can be opened, and what
     * fails is the first read. A database in memory has no path. */
    if (c->role != RSQ_CONN_ONLY && no_file(path))
        return cannot_open(c, SQLITE_CANTOPEN, 0, err);
    rc = sqlite3_open_v2(path, &c->db, open_flags(c->config, c->role), vfs);

    if (rc == SQLITE_OK)
        return check_file(c, err);
    if ((rc & 0xff) == SQLITE_CANTOPEN)
        return cannot_open(c, rc, c->db ? sqlite3_system_errno(c->db) : 0, err);
    return rsq_sql_error(c, rc, "open", err);
}

static rsq_code run_pragma(rsq_conn *c, const char *name, int64_t value, rsq_error *err)
{
    char sql[96];
    int rc;

    (void)snprintf(sql, sizeof sql, "PRAGMA %s = %lld", name, (long long)value);
    rc = rsq_conn_run(c, sql);
    return rc == SQLITE_OK ? RSQ_OK : rsq_sql_error(c, rc, NULL, err);
}

static int copy_answer(sqlite3_stmt *s, char *answer, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(s, 0);

    if (!text)
        return SQLITE_NOMEM;
    (void)snprintf(answer, size, "%s", text);
    return SQLITE_ROW;
}

/* First column of the first row of a pragma, cut to `size`. */
static rsq_code ask_pragma(rsq_conn *c, const char *sql, char *answer, size_t size, rsq_error *err)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(c->db, sql, -1, &s, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(s);
        if (rc == SQLITE_ROW)
            rc = copy_answer(s, answer, size);
        else
            answer[0] = '\0';
    }
    if (rc == SQLITE_ROW || rc == SQLITE_DONE)
        rc = SQLITE_OK;
    if (rc != SQLITE_OK) {
        rsq_code code = rsq_sql_error(c, rc, NULL, err);

        sqlite3_finalize(s);
        return code;
    }
    sqlite3_finalize(s);
    return RSQ_OK;
}

/* Steps of SQLite's machine between two looks at the flag. */
#define STEPS_PER_LOOK 1000

static bool is_stopped(const rsq_conn *c)
{
    return c->stop && atomic_load_explicit(c->stop, memory_order_relaxed);
}

/*
 * SQLite looks once more when a statement is done, and would say that it was
 * interrupted of one that has committed, when no transaction is open any more, or
 * of one that has begun, ended or marked a transaction.
 */
static int look(void *conn)
{
    const rsq_conn *c = conn;

    return is_stopped(c) && !c->unstoppable && sqlite3_txn_state(c->db, NULL) != SQLITE_TXN_NONE;
}

void rsq_conn_watch(rsq_conn *c, const _Atomic bool *stop)
{
    c->stop = stop;
}

/* Longest sleep between two attempts at a lock of another process; they begin with 1 ms. */
#define BUSY_SLEEP_MAX_MS 20

/* SQLite's own wait for a lock of another process would not look at the flag. */
static int wait_for_lock(void *conn, int attempts)
{
    rsq_conn *c = conn;
    int64_t now = rsq_now_ns();

    if (attempts == 0)
        c->busy_until_ns = now + (int64_t)c->config->busy_timeout_ms * 1000000;
    if (now >= c->busy_until_ns || is_stopped(c))
        return 0;
    (void)sqlite3_sleep(attempts < BUSY_SLEEP_MAX_MS ? attempts + 1 : BUSY_SLEEP_MAX_MS);
    return 1;
}

/* Hooks come before anything is compiled: a statement compiled without them would not report. */
static void install_hooks(rsq_conn *c)
{
    sqlite3_set_authorizer(c->db, rsq_guard_authorize, &c->guard);
    sqlite3_progress_handler(c->db, STEPS_PER_LOOK, look, c);
    if (c->role == RSQ_CONN_READER || c->role == RSQ_CONN_CHECKPOINTER)
        return;
    sqlite3_preupdate_hook(c->db, rsq_capture_preupdate, c);
    rsq_conn_start_log(c);
}

static rsq_code configure(rsq_conn *c, rsq_error *err)
{
    const rsq_conn_config *config = c->config;
    bool foreign_keys = !(config->flags & RSQ_OPEN_NO_FOREIGN_KEYS);
    rsq_code code;

    sqlite3_busy_handler(c->db, wait_for_lock, c);
    /* Without it, a new value for `LIMIT ?` or `LIKE ?` compiles the statement again each time. */
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_QPSG, 1, (int *)NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_FKEY, (int)foreign_keys, (int *)NULL);
    install_hooks(c);
    code = run_pragma(c, "mmap_size", config->mmap_bytes, err);
    if (code == RSQ_OK)
        code = run_pragma(c, "cache_size", -(config->cache_bytes / 1024), err);
    if (code == RSQ_OK)
        code = run_pragma(c, "temp_store", 2, err);
    if (code == RSQ_OK && c->role != RSQ_CONN_READER && config->page_size)
        code = run_pragma(c, "page_size", config->page_size, err);
    return code;
}

static rsq_code attach_one(rsq_conn *c, const rsq_attach *a, rsq_error *err)
{
    sqlite3_stmt *s = NULL;
    rsq_code code = RSQ_OK;
    int rc = sqlite3_prepare_v2(c->db, "ATTACH ?1 AS ?2", -1, &s, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(s, 1, a->path, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(s, 2, a->name, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    if (rc != SQLITE_DONE)
        code = rsq_sql_error(c, rc, "attach", err);
    sqlite3_finalize(s);
    return code;
}

static rsq_code cannot_attach(const rsq_attach *a, rsq_code code, const char *why, rsq_error *err)
{
    return rsq_error_set(err, code, "attach \"%s\": %s", a->name, why);
}

static bool is_same_inode(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* A file that is not there yet can be made if its folder is there. */
static rsq_code probe_missing(const rsq_conn_config *config, const rsq_attach *a, rsq_error *err)
{
    struct stat folder;

    if (config->flags & (RSQ_OPEN_NO_CREATE | RSQ_OPEN_READONLY))
        return cannot_attach(a, RSQ_ECANTOPEN, "the file does not exist", err);
    if (!stat_folder(a->path, &folder) || !S_ISDIR(folder.st_mode))
        return cannot_attach(a, RSQ_ECANTOPEN, "its folder does not exist", err);
    return RSQ_OK;
}

static const char *name_in_folder(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Do two paths name one file, by whatever spelling, link or folder; also one that is not there yet? */
static bool is_same_file(const char *a, const char *b)
{
    struct stat at, bt;
    bool a_there = stat(a, &at) == 0;
    bool b_there = stat(b, &bt) == 0;

    if (a_there != b_there)
        return false;
    if (a_there)
        return is_same_inode(&at, &bt);
    return strcmp(name_in_folder(a), name_in_folder(b)) == 0 && stat_folder(a, &at) && stat_folder(b, &bt) &&
           is_same_inode(&at, &bt);
}

rsq_code rsq_conn_probe(const rsq_conn_config *config, const rsq_attach *a, rsq_error *err)
{
    rsq_conn probe = {.config = config, .role = RSQ_CONN_READER};
    rsq_code code = RSQ_OK;
    const char *why;
    struct stat st;
    int rc;

    if (is_same_file(a->path, config->path))
        return cannot_attach(a, RSQ_EINVAL, "it is the database itself", err);
    if (stat(a->path, &st) != 0)
        return probe_missing(config, a, err);
    why = no_file(a->path);
    if (why)
        return cannot_attach(a, RSQ_ECANTOPEN, why, err);
    rc = sqlite3_open_v2(a->path, &probe.db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(probe.db, (int)config->busy_timeout_ms);
    if (rc == SQLITE_OK)
        rc = rsq_conn_run(&probe, "SELECT count(*) FROM sqlite_schema");
    if (rc != SQLITE_OK)
        code = rsq_sql_error(&probe, rc, "attach", err);
    sqlite3_close_v2(probe.db);
    return code;
}

/* Put one schema into WAL mode (the writer), or see whether it is (a reader). */
static rsq_code set_log(rsq_conn *c, const char *schema, bool *wal, rsq_error *err)
{
    char sql[SCHEMA_SQL_MAX], mode[16];
    rsq_code code;

    sqlite3_snprintf((int)sizeof sql, sql, "PRAGMA \"%w\".journal_mode%s", schema,
                     c->role == RSQ_CONN_WRITER ? " = wal" : "");
    code = ask_pragma(c, sql, mode, sizeof mode, err);
    if (code != RSQ_OK)
        return code;
    *wal = sqlite3_stricmp(mode, "wal") == 0;
    if (!*wal && c->role == RSQ_CONN_WRITER)
        return rsq_error_set(err, RSQ_EUNSUPPORTED,
                             "no write-ahead log for %s: the journal mode stays \"%s\"", schema, mode);
    return RSQ_OK;
}

static rsq_code set_schema(rsq_conn *c, const char *schema, rsq_error *err)
{
    char sql[SCHEMA_SQL_MAX];
    bool wal = false;
    rsq_code code = set_log(c, schema, &wal, err);

    if (code != RSQ_OK)
        return code;
    if (!wal)
        c->wal = false;
    if (c->role != RSQ_CONN_READER) {
        sqlite3_snprintf((int)sizeof sql, sql,
                         "PRAGMA \"%w\".synchronous = %d; PRAGMA \"%w\".journal_size_limit = %d", schema,
                         (int)c->config->synchronous - 1, schema, JOURNAL_SIZE_LIMIT);
        if (rsq_conn_run(c, sql) != SQLITE_OK)
            return rsq_sql_error(c, sqlite3_errcode(c->db), NULL, err);
    }
    /* The first read: a file that is not a database is found here, and the log's index comes into being. */
    sqlite3_snprintf((int)sizeof sql, sql, "SELECT count(*) FROM \"%w\".sqlite_schema", schema);
    if (rsq_conn_run(c, sql) != SQLITE_OK)
        return rsq_sql_error(c, sqlite3_errcode(c->db), NULL, err);
    return RSQ_OK;
}

void rsq_conn_ask_encoding(rsq_conn *c)
{
    char tables[32], encoding[16];

    if (c->encoding_known)
        return;
    /* An empty database takes its encoding from whoever makes the first table, which may be another process.
     */
    if (ask_pragma(c, "SELECT count(*) FROM main.sqlite_schema", tables, sizeof tables, NULL) != RSQ_OK ||
        ask_pragma(c, "PRAGMA encoding", encoding, sizeof encoding, NULL) != RSQ_OK)
        return; /* text goes the way that is right for every encoding */
    c->encoding_known = strcmp(tables, "0") != 0;
    c->utf8 = c->encoding_known && sqlite3_stricmp(encoding, "UTF-8") == 0;
}

static rsq_code set_schemas(rsq_conn *c, rsq_error *err)
{
    const rsq_conn_config *config = c->config;
    rsq_code code;

    c->wal = c->role != RSQ_CONN_ONLY;
    code = set_schema(c, "main", err);
    for (size_t i = 0; code == RSQ_OK && i < config->nattach; i++) {
        code = attach_one(c, &config->attach[i], err);
        if (code == RSQ_OK)
            code = set_schema(c, config->attach[i].name, err);
    }
    if (code != RSQ_OK)
        return code;
    rsq_conn_ask_encoding(c);
    c->walindex.count = 1 + config->nattach;
    return RSQ_OK;
}

/* The writer numbers its commits by the log's index from the start. */
static void start_numbers(rsq_conn *c)
{
    if (!c->wal || c->role != RSQ_CONN_WRITER)
        return;
    rsq_walindex_map(&c->walindex, c->db);
    if (!c->walindex.mapped)
        return;
    c->raw_before = rsq_walindex_live_counter(&c->walindex);
    (void)rsq_seq_extend(c->config->seq, c->raw_before);
}

rsq_code rsq_conn_open(const rsq_conn_config *config, rsq_conn_role role, rsq_conn **out, rsq_error *err)
{
    rsq_conn *c;
    rsq_code code;

    if (!sqlite3_compileoption_used("ENABLE_PREUPDATE_HOOK"))
        return rsq_error_set(err, RSQ_EUNSUPPORTED,
                             "this SQLite was built without SQLITE_ENABLE_PREUPDATE_HOOK");
    c = rsq_alloc_zero(sizeof *c);
    if (!c)
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    c->config = config;
    c->role = role;
    code = open_file(c, err);
    if (code == RSQ_OK)
        code = configure(c, err);
    if (code == RSQ_OK)
        code = set_schemas(c, err);
    if (code != RSQ_OK) {
        rsq_conn_close(c);
        return code;
    }
    start_numbers(c);
    if (role == RSQ_CONN_READER && c->wal)
        rsq_conn_keep_mappings(c);
    /* What ends a transaction must not need memory when it is needed. */
    if ((role == RSQ_CONN_WRITER || role == RSQ_CONN_ONLY) && rsq_conn_prepare_controls(c) != SQLITE_OK) {
        code = rsq_sql_error(c, sqlite3_errcode(c->db), NULL, err);
        rsq_conn_close(c);
        return code;
    }
    *out = c;
    return RSQ_OK;
}

void rsq_conn_close(rsq_conn *c)
{
    if (!c)
        return;
    rsq_stmt_cache_fini(&c->statements);
    rsq_walindex_fini(&c->walindex);
    rsq_conn_finalize_controls(c);
    rsq_builder_fini(&c->builder);
    rsq_capture_fini(&c->capture);
    rsq_free(c->guard.target);
    rsq_changes_fini(&c->committed);
    rsq_functions_fini(&c->functions);
    /* Before: with a statement of the program's own the files stay open until that is finalised. */
    rsq_conn_free_mappings(c);
    sqlite3_close_v2(c->db);
    rsq_free(c);
}

bool rsq_conn_broken(const rsq_conn *c)
{
    return c->broken;
}

bool rsq_conn_in_transaction(const rsq_conn *c)
{
    return !sqlite3_get_autocommit(c->db);
}

void rsq_conn_interrupt(rsq_conn *c)
{
    sqlite3_interrupt(c->db);
}

size_t rsq_conn_statements(const rsq_conn *c)
{
    return c->statements.count;
}

const char *rsq_sql_version(void)
{
    return sqlite3_libversion();
}

static uint32_t feature(const char *option, uint32_t bit)
{
    return sqlite3_compileoption_used(option) ? bit : 0;
}

uint32_t rsq_sql_features(void)
{
    uint32_t bits = feature("ENABLE_FTS5", RSQ_FEATURE_FTS5) | feature("ENABLE_RTREE", RSQ_FEATURE_RTREE) |
                    feature("ENABLE_MATH_FUNCTIONS", RSQ_FEATURE_MATH);

#if RSQ_SQLITE_BUNDLED
    bits |= RSQ_FEATURE_BUNDLED_SQLITE;
#endif
    return bits;
}
