/*
 * What commits changed: the names of all tables, and of those that are watched
 * the columns and the keys. One rsq_change_log for each transaction, with the
 * rsq_watch by which it looked. Thread: the owner's.
 */
#ifndef RSQ_SQL_CHANGES_H
#define RSQ_SQL_CHANGES_H

#include "base/names.h"
#include "resqlite.h"
#include "sql/watch.h"

/* Where a row lay, or lies now, on one of the table's keys. */
typedef struct rsq_key_point {
    uint64_t hash;  /* of the columns that must be equal */
    rsq_value last; /* the ranged column; text and blobs are an offset into the log's bytes: see `as.i` */
    bool there;     /* false: the row came, or went, or stayed where it was */
} rsq_key_point;

/* Rows without a gap between their row ids, which all changed the same columns. */
typedef struct rsq_rowid_run {
    int64_t first, last;
    uint64_t bits;
} rsq_rowid_run;

typedef struct rsq_table_change {
    struct rsq_table_change *next;
    const rsq_watch_table *watch; /* of the log's watch */
    bool unknown;                 /* it changed, and nothing more is known */
    uint64_t bits;                /* of all rows together; 0: nothing that is watched changed */
    bool others;                  /* columns that are not watched were set, or have another value */
    uint64_t *bits_of;            /* owned: of each row; none are kept if the table has no key */
    rsq_key_point *points;        /* owned: of each row 2 * nkeys */
    size_t nrows, capacity;
    rsq_rowid_run *runs; /* owned; instead of rows, if the table's only key is an interval of row ids */
    size_t nruns, runs_capacity;
} rsq_table_change;

typedef struct rsq_change_log {
    struct rsq_change_log *next; /* of another transaction */
    rsq_watch *watch;            /* owned reference */
    rsq_table_change *tables;    /* owned */
    char *bytes;                 /* owned: text and blobs of points */
    size_t nbytes, capacity;
    size_t size; /* of all that it holds */
} rsq_change_log;

/* More than this, and a table is `unknown`. */
#define RSQ_CHANGE_LOG_MAX ((size_t)4 << 20)

/* With a reference of its own to the watch; NULL: no memory. */
rsq_change_log *rsq_change_log_new(rsq_watch *watch);
void rsq_change_log_free_all(rsq_change_log *first); /* NULL is a no-op */

/* The entry of a table, made if it is new; NULL: no memory. */
rsq_table_change *rsq_change_log_table(rsq_change_log *log, const rsq_watch_table *watch);
const rsq_table_change *rsq_change_log_find(const rsq_change_log *log, const rsq_watch_table *watch);

/* Points of one more row, all zero; NULL: there is no room, and the table is `unknown`. */
rsq_key_point *rsq_change_log_add_row(rsq_change_log *log, rsq_table_change *t, uint64_t bits);

/* A row of a table whose only key is an interval of row ids. False: there is no room, and the table is
 * `unknown`. */
bool rsq_change_log_add_rowid(rsq_change_log *log, rsq_table_change *t, int64_t rowid, uint64_t bits);

/* Keep a value of the ranged column. False: no room. */
bool rsq_change_log_keep(rsq_change_log *log, rsq_value *v);

/* The value as it was. Text and blobs are borrowed from the log. */
rsq_value rsq_change_log_value(const rsq_change_log *log, const rsq_value *kept);

/* What commits changed, until somebody is told. */
typedef struct rsq_changes {
    rsq_names tables; /* `all` when a schema change, another process or lack of memory hides what changed */
    uint64_t commit_seq;  /* 0: nothing was committed */
    uint64_t before_seq;  /* the commit before the first of them, by whoever */
    uint32_t origin;      /* of all that was committed; 0: none, or there are several */
    rsq_change_log *logs; /* owned; of the transactions that changed something watched */
    bool untold; /* a transaction has no log for want of memory: of its tables nothing more is known */
} rsq_changes;

void rsq_changes_fini(rsq_changes *changes);

#endif
