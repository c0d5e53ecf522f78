/*
 * Which live queries does a commit concern?
 *
 * For each table that is read: queries that depend on columns or whole rows, in
 * groups with the same columns; queries that depend on keys, in a hash table by
 * the key, those with an interval in a tree behind it. So a commit costs as much
 * as the rows that it changed, the groups of the tables it changed, and the
 * queries that it concerns: not as much as there are queries.
 *
 * The index also says what writers look at, the rsq_watch. It makes a new one
 * when a query needs a column or a key that is not watched yet, which is rare:
 * ten thousand queries of one SQL text watch the same. A change that was looked
 * at with an older watch than a query needs concerns that query as a change of
 * the table.
 *
 * Thread: any, under the mutex of the registry of live queries.
 */
#ifndef RSQ_STREAM_INDEX_H
#define RSQ_STREAM_INDEX_H

#include "sql/changes.h"
#include "sql/depends.h"
#include "stream/interval.h"
#include "stream/reason.h"

typedef struct rsq_index_table rsq_index_table;
typedef struct rsq_index_node rsq_index_node;

/* What commits a query was spared, counted for each table that it reads. */
typedef struct rsq_index_spared {
    uint64_t by_column; /* only columns changed that it does not read */
    uint64_t by_value;  /* rows were written with the values that they had */
    uint64_t by_key;    /* only rows changed that it does not reach */
} rsq_index_spared;

/* One in each live query. All-zero: it is not in the index, and nothing is known of it. */
typedef struct rsq_index_entry {
    rsq_index_node *nodes; /* owned */
    size_t nnodes;
    bool everywhere;                     /* every commit concerns it */
    struct rsq_index_entry *prev, *next; /* of those, if it is one */
    uint64_t met;                        /* number of the last match that found it */
    uint64_t hits;                       /* table changes that concerned it since it was added */
    rsq_index_spared before;             /* what it was spared until it was removed last */
    rsq_reason why;                      /* owned; what concerned it since its owner took that */
} rsq_index_entry;

typedef struct rsq_index {
    uint32_t flags;            /* RSQ_OPEN_NO_…_LEVEL */
    rsq_index_table **buckets; /* owned, by name */
    size_t nbuckets, ntables;
    rsq_index_entry *everywhere;
    uint64_t matches;       /* made so far */
    uint64_t epoch;         /* of the newest watch */
    rsq_watch_board *board; /* borrowed; where it is put up */
} rsq_index;

/* `ix` is all-zero but for `flags` and `board`. */
void rsq_index_fini(rsq_index *ix);

/* Every commit concerns it, until something is known. `e` is not in the index. */
void rsq_index_add_unknown(rsq_index *ix, rsq_index_entry *e);

/* It depends on `d`, with these parameters. Without memory, every commit concerns it. Not in the index
 * before. */
void rsq_index_add(rsq_index *ix, rsq_index_entry *e, const rsq_depends *d, const rsq_value *params,
                   size_t nparams);

/* Forget the tables that nobody reads. After a schema change, when nothing is known of any query. */
void rsq_index_trim(rsq_index *ix);

/* Not in the index: a no-op. */
void rsq_index_remove(rsq_index *ix, rsq_index_entry *e);

typedef void (*rsq_index_found)(rsq_index_entry *e, void *ctx);

/* Call `found` once for each query that the commits concern, and add to its `why`. Not for changes of `all`.
 */
void rsq_index_match(rsq_index *ix, const rsq_changes *changes, rsq_index_found found, void *ctx);

/* Since the query was made, however often it was added and removed. */
rsq_index_spared rsq_index_spared_of(const rsq_index_entry *e);

#endif
