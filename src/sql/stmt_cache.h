/*
 * Prepared statements of one connection, by SQL text: hash look-up, least
 * recently used out first. Thread: the connection's.
 */
#ifndef RSQ_SQL_STMT_CACHE_H
#define RSQ_SQL_STMT_CACHE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "result/builder.h"
#include "result/columns.h"
#include "sql/depends.h"

#define RSQ_STMT_CACHE_MAX 128
#define RSQ_STMT_CACHE_BUCKETS 256 /* a power of two */

/* JSON of one column's key: `{"name":` for the first, `,"name":` for the others. */
typedef struct rsq_json_key {
    const char *text; /* borrowed from rsq_stmt.key_text */
    uint32_t len;
} rsq_json_key;

typedef struct rsq_stmt {
    /* Immutable after insertion. */
    uint64_t hash;
    size_t sql_len;
    char *sql;       /* owned */
    sqlite3_stmt *h; /* owned */
    int nparams;
    uint32_t kind; /* RSQ_STMT_… */
    char *target;  /* owned: the only table it can change, until it is re-prepared; NULL: not known */

    /* As of SQLite's last (re-)prepare. */
    int reprepares;       /* SQLITE_STMTSTATUS_REPREPARE when the rest was taken */
    rsq_columns *columns; /* owned reference */
    rsq_json_key *keys;   /* owned; NULL until JSON is asked for */
    char *key_text;       /* owned */
    unsigned reads;       /* to the end, up to RSQ_ONE_ROW_READS */
    bool one_row;         /* its first row is its last: it need not be stepped again */

    rsq_depends *depends;   /* shared reference; NULL: not found out, or not kept (see reads.c) */
    int depends_reprepares; /* as `reprepares`, when it was found out */

    rsq_column_set sets; /* columns of `target` that it can change, as long as that holds; see sets.c */
    bool sets_known;

    unsigned solo; /* runs for which it shares no commit, since it undid one; see group.c */
    rsq_builder_hint rows_hint;
    rsq_builder_hint json_hint;

    struct rsq_stmt *bucket_next;
    struct rsq_stmt *newer, *older; /* order of use */
} rsq_stmt;

typedef struct rsq_stmt_cache {
    rsq_stmt *buckets[RSQ_STMT_CACHE_BUCKETS];
    rsq_stmt *newest, *oldest;
    size_t count;
} rsq_stmt_cache;

/* All-zero is an empty cache. Finalises every statement. */
void rsq_stmt_cache_fini(rsq_stmt_cache *cache);

uint64_t rsq_stmt_hash(const char *sql, size_t len);

/* The statement used last, if that is its text, NULL if not: a look before the hash is worth it. */
static inline rsq_stmt *rsq_stmt_cache_last(const rsq_stmt_cache *cache, const char *sql, size_t len)
{
    rsq_stmt *s = cache->newest;

    return s && s->sql_len == len && memcmp(s->sql, sql, len) == 0 ? s : NULL;
}

/* The statement with that text, now the newest; NULL if there is none. */
rsq_stmt *rsq_stmt_cache_find(rsq_stmt_cache *cache, uint64_t hash, const char *sql, size_t len);

/* Takes ownership; the oldest goes if the cache is full. */
void rsq_stmt_cache_add(rsq_stmt_cache *cache, rsq_stmt *s);

/* Accepts a half-built statement and NULL. */
void rsq_stmt_free(rsq_stmt *s);

#endif
